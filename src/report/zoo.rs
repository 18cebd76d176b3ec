//! The report on many models: `docs/report-schema.md`, "A zoo".

use super::causes::{self, Cause};
use super::environment::Environment;
use super::limit::Limit;
use super::manifest::File;
use super::model::SCHEMA;
use super::verification::{OutputComparison, Tolerance};
use crate::error::Kind;
use crate::recipe::Recipe;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fmt;

/// How a model ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Status {
    /// A plan was built, run on a GPU, and every output agrees with the reference.
    Verified,
    /// A plan was built; the network evaluated on the CPU agrees with the reference. The plan was
    /// not run.
    Evaluated,
    /// A plan was built, and nobody compared its numbers: there was no time, or nobody wanted to.
    Unjudged,
    /// Rounding alone moves the numbers too far to say whether they are right.
    Undetermined,
    /// Numbers agree with the reference, but would if they were wrong.
    Vacuous,
    /// Numbers differ from the reference.
    Differs,
    /// The model holds what cannot be converted.
    Unsupported,
    /// The model breaks ONNX's rules.
    Invalid,
    /// TensorRT refused, or something on this machine is missing.
    Failed,
    /// The worker died.
    Crashed,
    /// The worker took too long and was ended.
    Timeout,
    /// Nobody tried.
    Skipped,
}

impl Status {
    /// All of them, the best first.
    pub const ALL: [Self; 12] = [
        Self::Verified,
        Self::Evaluated,
        Self::Unjudged,
        Self::Undetermined,
        Self::Vacuous,
        Self::Differs,
        Self::Unsupported,
        Self::Invalid,
        Self::Failed,
        Self::Crashed,
        Self::Timeout,
        Self::Skipped,
    ];

    /// Whether every output agreed with the reference.
    pub fn is_good(self) -> bool {
        matches!(self, Self::Verified | Self::Evaluated)
    }

    /// Whether this is better than another status: `verified`, then `evaluated`, then all others
    /// alike.
    pub fn is_better_than(self, other: Self) -> bool {
        self != other
            && (self == Self::Verified || self == Self::Evaluated && other != Self::Verified)
    }

    /// The exit code of a process that ends this way; 0 where nothing is wrong.
    pub fn exit_code(self) -> u8 {
        match self {
            Self::Verified | Self::Evaluated | Self::Skipped => 0,
            Self::Differs => 1,
            Self::Invalid => 3,
            Self::Unsupported => 4,
            Self::Failed | Self::Crashed | Self::Timeout => 5,
            Self::Undetermined | Self::Unjudged => 7,
            Self::Vacuous => 8,
        }
    }
}

impl From<Kind> for Status {
    /// How a model ends that an error of this kind stops.
    fn from(kind: Kind) -> Self {
        match kind {
            Kind::Mismatch => Self::Differs,
            Kind::Undetermined => Self::Undetermined,
            Kind::Vacuous => Self::Vacuous,
            Kind::Invalid => Self::Invalid,
            Kind::Unsupported => Self::Unsupported,
            Kind::Cancelled => Self::Skipped,
            Kind::Usage | Kind::TensorRt | Kind::Environment | Kind::Internal => Self::Failed,
        }
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Status::Verified => "verified",
            Status::Evaluated => "evaluated",
            Status::Unjudged => "unjudged",
            Status::Undetermined => "undetermined",
            Status::Vacuous => "vacuous",
            Status::Differs => "differs",
            Status::Unsupported => "unsupported",
            Status::Invalid => "invalid",
            Status::Failed => "failed",
            Status::Crashed => "crashed",
            Status::Timeout => "timeout",
            Status::Skipped => "skipped",
        })
    }
}

/// `report.json` of a zoo.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Report {
    /// See [`SCHEMA`].
    pub schema: u32,
    /// `zoo`.
    pub kind: String,
    /// Name and version of this program.
    pub producer: String,
    /// With what.
    pub environment: Environment,
    /// What the command line says.
    pub options: Options,
    /// From start to end.
    pub seconds: f64,
    /// The parts that the report holds; none for a run that was not sharded.
    pub shards: Vec<Shard>,
    /// How many models have each status.
    pub counts: BTreeMap<Status, usize>,
    /// What blocks models, the cause of most models first.
    #[serde(default)]
    pub causes: Vec<Cause>,
    /// Sorted by path, then name.
    pub models: Vec<ModelReport>,
    /// What the user should know.
    pub notes: Vec<String>,
}

impl Report {
    /// A report on these models.
    pub fn new(
        environment: Environment,
        options: Options,
        seconds: f64,
        mut models: Vec<ModelReport>,
    ) -> Self {
        models.sort_by(|a, b| (&a.path, &a.name).cmp(&(&b.path, &b.name)));
        let mut counts: BTreeMap<Status, usize> =
            Status::ALL.into_iter().map(|status| (status, 0)).collect();
        for model in &models {
            *counts.entry(model.status).or_default() += 1;
        }
        Self {
            schema: SCHEMA,
            kind: "zoo".to_owned(),
            producer: super::producer(),
            environment,
            options,
            seconds,
            shards: Vec::new(),
            counts,
            causes: Vec::new(),
            models,
            notes: Vec::new(),
        }
    }

    /// The same with the causes of what is wrong. `page` gives the report of a model, if there is
    /// one.
    #[must_use]
    pub fn explained<'a>(self, page: impl Fn(&ModelReport) -> Option<&'a Value>) -> Self {
        Self { causes: causes::of(&self.models, page), ..self }
    }

    /// The models that did not end as expected.
    pub fn surprises(&self) -> impl Iterator<Item = &ModelReport> {
        self.models.iter().filter(|model| !model.as_expected)
    }

    /// The shards that a merged report lacks.
    pub fn missing(&self) -> Vec<Shard> {
        let count = self.shards.first().map_or(0, |shard| shard.count);
        let all = (1..=count).map(|index| Shard { index, count });
        all.filter(|shard| !self.shards.contains(shard)).collect()
    }

    /// The counts on one line: `3 evaluated, 1 differs`.
    pub fn summary(&self) -> String {
        let counts = self.counts.iter().filter(|(_, count)| **count > 0);
        counts.map(|(status, count)| format!("{count} {status}")).collect::<Vec<_>>().join(", ")
    }
}

/// How much of a model's numbers is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Effort {
    /// All there is.
    #[default]
    Full,
    /// Drawn inputs of the likeliest shapes, with one seed.
    Quick,
    /// Nothing: plans are built only.
    None,
}

/// The options of a zoo's command line.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Options {
    /// What shapes plans, where the listing does not say otherwise.
    #[serde(flatten)]
    pub recipe: Recipe,
    /// Where outputs were to be computed.
    pub on: String,
    /// Whether inputs are made constants where a model does not convert otherwise.
    pub freeze_from_data: bool,
    /// How much is compared, where the listing does not say otherwise.
    #[serde(default)]
    pub verify: Effort,
    /// How far real numbers may be off, where that is not what is usual for their type.
    #[serde(default)]
    pub tolerance: Option<Tolerance>,
    /// Limits of outputs that count in place of that.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub metric: Vec<Limit>,
    /// Workers at a time.
    pub jobs: usize,
    /// Limit for each model, in seconds.
    pub timeout_seconds: Option<u64>,
    /// Limit for each worker, in bytes, where the command line gives one: else the machine does.
    pub memory_bytes: Option<u64>,
    /// Globs of names of which one must match.
    #[serde(default)]
    pub include: Vec<String>,
    /// Globs of names of which none may match.
    #[serde(default)]
    pub exclude: Vec<String>,
    /// Tags of which a model must have one.
    #[serde(default)]
    pub tags: Vec<String>,
    /// The zoo's listing, where it has one.
    #[serde(rename = "manifest")]
    pub listing: Option<File>,
}

impl Options {
    /// What decides on a result, by name and for people to read: how many workers there were does
    /// not.
    pub fn fields(&self) -> Vec<(String, String)> {
        let Ok(Value::Object(fields)) = serde_json::to_value(self) else { return Vec::new() };
        let shown = |value: &Value| match (value["name"].as_str(), value["sha256"].as_str()) {
            (Some(name), Some(hash)) => format!("{name} ({})", hash.get(..16).unwrap_or(hash)),
            _ => value.to_string(),
        };
        fields
            .iter()
            .filter(|(name, _)| *name != "jobs")
            .map(|(name, value)| (name.clone(), shown(value)))
            .collect()
    }
}

/// A part of a zoo.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Shard {
    /// Which, from 1.
    pub index: usize,
    /// Of how many.
    pub count: usize,
}

impl fmt::Display for Shard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.index, self.count)
    }
}

/// One model of a zoo.
#[allow(clippy::struct_excessive_bools, reason = "the fields of a JSON object")]
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct ModelReport {
    /// Its name, unique in the zoo.
    pub name: String,
    /// The model file, relative to the folder that the command ran in.
    pub path: String,
    /// Path of its page.
    pub page: Option<String>,
    /// How it ended.
    pub status: Status,
    /// How the listing expects it to end.
    pub expected: Option<Status>,
    /// Where the listing says so.
    pub expected_at: Option<Place>,
    /// Whether it ended that way or better; without an expectation, whether it is good or skipped.
    pub as_expected: bool,
    /// Whether it ended better than expected.
    pub improved: bool,
    /// The exit code of a process that ended as this model did; 0 where nothing is wrong.
    pub exit_code: u8,
    /// Why it is not `verified`, on one line.
    pub reason: Option<String>,
    /// The whole error, as a terminal would show it.
    pub details: Option<String>,
    /// The way out, where there is one.
    #[serde(default)]
    pub hint: Option<String>,
    /// The command that does this model alone.
    #[serde(default)]
    pub command: Option<String>,
    /// Where the time went.
    pub seconds: Seconds,
    /// The most memory that the worker held meanwhile, in bytes.
    pub peak_rss_bytes: Option<u64>,
    /// Size of the plan.
    pub plan_bytes: Option<u64>,
    /// Layers of the network.
    pub layers: Option<usize>,
    /// Median of the plan's executions on a stream, in milliseconds.
    pub latency_ms: Option<f64>,
    /// Inputs that were made constants.
    pub frozen: Vec<String>,
    /// Each output as in its worst run.
    pub outputs: Vec<OutputComparison>,
    /// Whether another, fresh worker was given the model because one died.
    pub retried: bool,
    /// Whether this was taken from the cache.
    pub cached: bool,
    /// From the listing.
    pub tags: Vec<String>,
}

impl ModelReport {
    /// A model of which nothing is known but how it ended.
    pub fn new(name: &str, path: &str, status: Status) -> Self {
        Self {
            name: name.to_owned(),
            path: path.to_owned(),
            page: None,
            status,
            expected: None,
            expected_at: None,
            as_expected: status.is_good() || status == Status::Skipped,
            improved: false,
            exit_code: status.exit_code(),
            reason: None,
            details: None,
            hint: None,
            command: None,
            seconds: Seconds::default(),
            peak_rss_bytes: None,
            plan_bytes: None,
            layers: None,
            latency_ms: None,
            frozen: Vec::new(),
            outputs: Vec::new(),
            retried: false,
            cached: false,
            tags: Vec::new(),
        }
    }

    /// What is expected of it, and where: `unsupported (zoo.toml:12)`.
    pub fn expectation(&self) -> Option<String> {
        let expected = self.expected?;
        let at = self.expected_at.as_ref().map_or_else(String::new, |at| format!(" ({at})"));
        Some(format!("{expected}{at}"))
    }

    /// What to write in the listing, for a model that is better than it says:
    /// `zoo.toml:12 can say verified`.
    pub fn stale(&self) -> Option<String> {
        let at = self.expected_at.as_ref().filter(|_| self.improved)?;
        Some(format!("{at} can say {}", self.status))
    }

    /// The same, judged by what is expected of it.
    #[must_use]
    pub fn expecting(mut self, expected: Option<Status>) -> Self {
        self.expected = expected;
        self.improved = expected.is_some_and(|expected| self.status.is_better_than(expected));
        self.as_expected = match expected {
            Some(expected) => self.improved || self.status == expected,
            None => self.status.is_good() || self.status == Status::Skipped,
        };
        self
    }
}

/// A line of a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Place {
    /// The file, relative to the folder that the command ran in.
    pub file: String,
    /// The line, from 1.
    pub line: usize,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.file, self.line)
    }
}

/// Seconds per stage; absent where it was not reached.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Seconds {
    /// Reading, importing and optimizing.
    pub import: Option<f64>,
    /// Building the plan.
    pub build: Option<f64>,
    /// Computing and comparing.
    pub verify: Option<f64>,
}
