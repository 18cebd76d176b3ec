//! What a worker is asked to do.

use super::discover::{Found, shown};
use crate::convert::On;
use crate::recipe::{Recipe, line};
use crate::report::limit::Limit;
use crate::report::verification::Tolerance;
use crate::report::zoo::{Effort, ModelReport, Place, Status};
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// One model with everything that decides on its plan.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Job {
    /// Its name in the zoo.
    pub name: String,
    /// The model file, as reports show it.
    pub path: String,
    /// The model file.
    #[serde(with = "exact")]
    pub model: PathBuf,
    /// Folders with its test data.
    #[serde(with = "exact")]
    pub data: Vec<PathBuf>,
    /// How it is converted and judged.
    pub settings: Settings,
    /// How the listing expects it to end.
    pub expected: Option<Status>,
    /// Where it says so.
    pub expected_at: Option<Place>,
    /// Why nobody shall try it.
    pub skip: Option<String>,
    /// From the listing.
    pub tags: Vec<String>,
    /// Its own limit of time, where the listing gives one.
    pub timeout_seconds: Option<u64>,
    /// Its own limit of memory, where the listing gives one.
    pub memory_bytes: Option<u64>,
}

impl Job {
    /// A model of which no listing says anything.
    pub fn new(found: Found, settings: Settings) -> Self {
        Self {
            path: shown(&found.model),
            name: found.name,
            model: found.model,
            data: found.data,
            settings,
            expected: None,
            expected_at: None,
            skip: None,
            tags: Vec::new(),
            timeout_seconds: None,
            memory_bytes: None,
        }
    }

    /// The command that does this model alone, as a shell takes it; `None` where no text says which
    /// file it is. It is the zoo's own, so that it builds and compares what the zoo did.
    pub fn command(&self) -> Option<String> {
        self.model.to_str()?;
        let Settings { recipe, on, freeze_from_data, tolerance, metric, verify } = &self.settings;
        // What begins like an option is one, wherever it stands.
        let here = if self.path.starts_with('-') { "./" } else { "" };
        let mut words =
            ["onnx2plan", "zoo", &format!("{here}{}", self.path)].map(str::to_owned).to_vec();
        words.extend(line::option("on", &on.to_string()));
        words.push("--no-cache".to_owned());
        words.extend(line::words(recipe));
        if let Some(Tolerance { absolute, relative }) = tolerance {
            words.extend(line::option("atol", &absolute.to_string()));
            words.extend(line::option("rtol", &relative.to_string()));
        }
        words.extend(metric.iter().flat_map(|limit| line::option("metric", &limit.to_string())));
        let flags = [
            (*freeze_from_data, "--freeze-from-data"),
            (*verify == Effort::Quick, "--quick"),
            (*verify == Effort::None, "--no-verify"),
        ];
        let flags = flags.iter().filter(|(given, _)| *given);
        words.extend(flags.map(|(_, flag)| (*flag).to_owned()));
        if let Some(seconds) = self.timeout_seconds {
            words.extend(line::option("timeout", &seconds.to_string()));
        }
        if let Some(bytes) = self.memory_bytes {
            words.extend(line::option("memory", &bytes.div_ceil(1 << 20).to_string()));
        }
        // A NUL, which no shell takes, is in no path.
        shlex::try_join(words.iter().map(String::as_str)).ok()
    }
}

/// The names of the models.
pub fn names(jobs: &[Job]) -> impl Iterator<Item = &str> {
    jobs.iter().map(|job| job.name.as_str())
}

/// Paths in JSON that may not be Unicode: a list of bytes where they are not.
mod exact {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};
    use std::ffi::OsString;
    use std::os::unix::ffi::{OsStrExt, OsStringExt};
    use std::path::PathBuf;

    #[derive(Serialize, Deserialize)]
    #[serde(untagged)]
    pub(super) enum Written {
        Text(String),
        Bytes(Vec<u8>),
        Several(Vec<Written>),
    }

    /// A path, or several.
    pub(super) trait Paths: Sized {
        fn written(&self) -> Written;
        fn read(written: Written) -> Option<Self>;
    }

    impl Paths for PathBuf {
        fn written(&self) -> Written {
            match self.to_str() {
                Some(text) => Written::Text(text.to_owned()),
                None => Written::Bytes(self.as_os_str().as_bytes().to_vec()),
            }
        }

        fn read(written: Written) -> Option<Self> {
            match written {
                Written::Text(text) => Some(text.into()),
                Written::Bytes(bytes) => Some(OsString::from_vec(bytes).into()),
                Written::Several(_) => None,
            }
        }
    }

    impl Paths for Vec<PathBuf> {
        fn written(&self) -> Written {
            Written::Several(self.iter().map(Paths::written).collect())
        }

        fn read(written: Written) -> Option<Self> {
            match written {
                Written::Several(paths) => paths.into_iter().map(PathBuf::read).collect(),
                // An empty list reads as one of bytes.
                Written::Bytes(bytes) if bytes.is_empty() => Some(Vec::new()),
                _ => None,
            }
        }
    }

    pub(super) fn serialize<S: Serializer>(paths: &impl Paths, to: S) -> Result<S::Ok, S::Error> {
        paths.written().serialize(to)
    }

    pub(super) fn deserialize<'d, P: Paths, D: Deserializer<'d>>(from: D) -> Result<P, D::Error> {
        let written = Written::deserialize(from)?;
        P::read(written).ok_or_else(|| serde::de::Error::custom("no path"))
    }
}

/// How models are converted and judged.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Settings {
    /// What shapes the plan.
    #[serde(flatten)]
    pub recipe: Recipe,
    /// Where outputs are computed.
    pub on: On,
    /// Whether inputs that TensorRT must know at build time are made constants of the test data's
    /// values.
    pub freeze_from_data: bool,
    /// How far real numbers may be off, where that is not what is usual for their type.
    pub tolerance: Option<Tolerance>,
    /// Limits of outputs that count in place of that.
    pub metric: Vec<Limit>,
    /// How much is compared.
    pub verify: Effort,
}

impl Settings {
    /// Those of a model of which nothing is said but where it is computed.
    pub fn plain(on: On) -> Self {
        Self {
            recipe: Recipe::default(),
            on,
            freeze_from_data: false,
            tolerance: None,
            metric: Vec::new(),
            verify: Effort::Full,
        }
    }
}

/// What came of a job, as a worker reports it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Outcome {
    /// Its entry in the zoo's report.
    pub model: ModelReport,
    /// Its own report.
    pub page: serde_json::Value,
    /// Whether the worker can do no further job: once a kernel has failed, CUDA answers nothing any
    /// more.
    pub spent: bool,
    /// What the zoo's report should say besides.
    pub notes: Vec<String>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::zoo::pool::tests::job;

    #[test]
    fn a_command_has_the_limits_of_its_model() {
        let model = "m.onnx".to_owned();
        let job = Job { path: model, memory_bytes: Some((8192 << 20) + 1), ..job("a") };
        let job = Job { timeout_seconds: Some(99), ..job };
        let expected = "onnx2plan zoo m.onnx --on cpu --no-cache --timeout 99 --memory 8193";
        assert_eq!(job.command().as_deref(), Some(expected));
    }
}
