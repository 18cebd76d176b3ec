//! Results of earlier runs, by content.
//!
//! An entry is a folder whose name is the hash of everything that decides on the result: it never
//! changes, so that any number of processes may share a cache. It is believed only after every byte
//! of it has been hashed.

pub mod tidy;

use super::attempt::{Done, Inputs};
use super::job::{Job, Outcome, Settings};
use super::plan::Plan;
use crate::error::{Error, Kind, Result};
use crate::files::{self, store::Store};
use crate::mapped;
use crate::memory;
use crate::report::environment::{Environment, Gpu};
use crate::report::manifest::{File, Manifest};
use crate::report::zoo::{ModelReport, Status};
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// Version of the entries' form, part of every key.
const FORM: u32 = 3;
/// The file of an entry that describes the others.
const ENTRY: &str = "entry.json";
/// The file with what came of the job.
const RESULT: &str = "result.json";
/// The file with the plan, where there is one.
const PLAN: &str = "model.plan";

/// Whether a file of that name belongs to an entry.
fn is_file_of_entry(name: &str) -> bool {
    [ENTRY, RESULT, PLAN].contains(&name)
}

/// A cache, as a worker uses it.
#[derive(Debug)]
pub struct Cache {
    store: Store,
    maker: Maker,
    /// ONNX Runtime's library, for models without data.
    reference: Option<PathBuf>,
}

/// What decides on results besides the job: part of every key.
#[derive(Debug, Clone, Serialize)]
pub struct Maker {
    form: u32,
    producer: String,
    /// SHA-256 of this program's own file.
    program: String,
    library: Option<String>,
    gpu: Option<Gpu>,
    driver: Option<String>,
}

impl Maker {
    /// This program with the library, GPU and driver of an environment.
    ///
    /// # Errors
    /// [`Kind::Environment`] where the program cannot read its own file.
    pub fn here(environment: &Environment) -> Result<Self> {
        // What runs, even if another file has taken its place meanwhile.
        let running = Path::new("/proc/self/exe");
        let program = if running.exists() {
            running.to_owned()
        } else {
            std::env::current_exe().unwrap_or_default()
        };
        Ok(Self {
            form: FORM,
            producer: crate::report::producer(),
            program: files::describe(&program)?.sha256,
            library: environment.library.clone(),
            gpu: environment.gpu.clone(),
            driver: environment.driver.clone(),
        })
    }
}

/// All that decides on a result.
#[derive(Serialize)]
struct Decisive<'a> {
    maker: &'a Maker,
    model: &'a File,
    external: &'a [File],
    /// Each data set with its files.
    data: Vec<(String, Vec<File>)>,
    /// ONNX Runtime's library, where there is no data.
    reference: Option<File>,
    settings: &'a Settings,
    /// What is folded, and what is refused as too large, is a matter of memory.
    memory_bytes: usize,
}

/// `entry.json`.
#[derive(Serialize, Deserialize)]
struct Entry {
    result: File,
    plan: Option<File>,
}

/// `result.json`: what is kept of a job that was done.
#[derive(Serialize, Deserialize)]
struct Kept {
    model: ModelReport,
    page: serde_json::Value,
    /// The plan's manifest.
    manifest: Option<Manifest>,
    /// See [`Done::within_seconds`].
    within_seconds: Option<u64>,
}

impl Cache {
    /// The cache in a folder, which is made where it is missing.
    ///
    /// # Errors
    /// [`Kind::Environment`] for a folder that cannot be written to.
    pub fn open(folder: &Path, maker: Maker, reference: Option<PathBuf>) -> Result<Self> {
        Ok(Self { store: open(folder)?, maker, reference })
    }

    /// Where the result of a job is kept: the hash of all that decides on it.
    ///
    /// # Errors
    /// [`Kind::Environment`] for test data that cannot be read.
    pub fn key(&self, job: &Job, inputs: &Inputs) -> Result<String> {
        let data = job.data.iter().map(|folder| Ok((files::name(folder), contents(folder)?)));
        // Data of a model may say nothing of a part of it.
        let drawn = job.data.is_empty() || !job.settings.recipe.part.is_all();
        let reference = self.reference.as_ref().filter(|_| drawn);
        let decisive = Decisive {
            maker: &self.maker,
            model: &inputs.files.0,
            external: &inputs.files.1,
            data: data.collect::<Result<_>>()?,
            reference: reference.map(|library| files::describe(library)).transpose()?,
            settings: &job.settings,
            memory_bytes: memory::decisive(),
        };
        let text = serde_json::to_vec(&decisive)
            .map_err(|error| Error::new(Kind::Internal, "cannot write a key").with_source(error))?;
        Ok(crate::hash::sha256(text))
    }

    /// What was kept for a job under its key. A damaged entry is removed, and so is one that a job
    /// with more time may replace.
    ///
    /// # Errors
    /// What is wrong with a damaged entry, on one line.
    pub fn find(&self, key: &str, job: &Job) -> Result<Option<Done>, String> {
        let folder = self.store.place(key);
        if fs::symlink_metadata(&folder).is_err() {
            return Ok(None);
        }
        // A link would lead out of the cache, and reading a pipe would not end.
        if Store::placed(self.store.home(), key, is_file_of_entry).is_none() {
            let gone = fs::symlink_metadata(&folder).is_err();
            return if gone { Ok(None) } else { Err("it is not a folder of our files".to_owned()) };
        }
        // Before it is read, so that nobody thinks that it is not used. In somebody else's cache it
        // may not be allowed.
        let _ = self.store.note_use(key);
        match read(&folder, job) {
            Ok(done) if done.within_seconds.is_some_and(|most| has_more(job, most)) => {
                let _ = self.store.remove(key);
                Ok(None)
            }
            Ok(done) => Ok(Some(done)),
            // Removed by another zoo's end, after all.
            Err(_) if !folder.exists() => Ok(None),
            Err(error) => {
                // One that cannot be removed is found damaged again.
                let _ = self.store.remove(key);
                Err(error.to_string())
            }
        }
    }

    /// Keeps what came of a job, if it is worth keeping and nobody else was first.
    ///
    /// # Errors
    /// [`Kind::Environment`] for files that cannot be written.
    pub fn keep(&self, key: &str, done: &Done) -> Result<()> {
        // What was late is so again; its worker is spent for another reason.
        if !is_lasting(&done.outcome.model) || done.outcome.spent && done.within_seconds.is_none() {
            return Ok(());
        }
        self.write(key, done).map_err(|error| {
            let folder = self.store.tmp();
            Error::new(Kind::Environment, format!("cannot keep results in `{}`", folder.display()))
                .with_source(error)
        })
    }

    fn write(&self, key: &str, done: &Done) -> io::Result<()> {
        let work = self.store.work_folder()?;
        let folder = work.path().join("entry");
        fs::create_dir(&folder)?;
        let Outcome { model, page, .. } = done.outcome.clone();
        let manifest = done.plan.as_ref().map(|plan| plan.manifest.clone());
        let kept = Kept { model, page, manifest, within_seconds: done.within_seconds };
        let kept = serde_json::to_vec(&kept)?;
        fs::write(folder.join(RESULT), &kept)?;
        if let Some(plan) = &done.plan {
            fs::write(folder.join(PLAN), &plan.bytes)?;
        }
        let result = File {
            name: RESULT.to_owned(),
            bytes: kept.len() as u64,
            sha256: crate::hash::sha256(&kept),
        };
        // Hashed when it was built.
        let plan = done
            .plan
            .as_ref()
            .map(|plan| File { name: PLAN.to_owned(), ..plan.manifest.plan.clone() });
        fs::write(folder.join(ENTRY), serde_json::to_vec(&Entry { result, plan })?)?;
        self.store.publish(&folder, key).map(drop)
    }
}

/// Makes a cache's folder where it is missing, and clears away what killed processes left in it.
///
/// # Errors
/// [`Kind::Environment`] for a folder that cannot be written to.
pub fn prepare(folder: &Path) -> Result<()> {
    open(folder).map(drop)
}

fn open(folder: &Path) -> Result<Store> {
    Store::open(folder).map_err(|error| {
        let message = format!("cannot write to the cache `{}`", folder.display());
        Error::new(Kind::Environment, message)
            .with_source(error)
            .with_hint("name another folder with `--cache`, or do without one with `--no-cache`")
    })
}

/// Whether the same job would end in the same way again: nothing was missing, nobody died, nothing
/// was stopped.
fn is_lasting(model: &ModelReport) -> bool {
    let lasting = [
        Status::Verified,
        Status::Evaluated,
        Status::Unjudged,
        Status::Undetermined,
        Status::Vacuous,
        Status::Differs,
        Status::Unsupported,
        Status::Invalid,
    ];
    lasting.contains(&model.status)
}

/// Whether a job has more time than this.
fn has_more(job: &Job, seconds: u64) -> bool {
    job.timeout_seconds.is_none_or(|limit| limit > seconds)
}

/// The files in a folder of test data.
fn contents(folder: &Path) -> Result<Vec<File>> {
    let unreadable = |error: io::Error| {
        Error::new(Kind::Environment, format!("cannot read `{}`", folder.display()))
            .with_source(error)
    };
    let mut paths = Vec::new();
    for entry in fs::read_dir(folder).map_err(unreadable)? {
        let path = entry.map_err(unreadable)?.path();
        if path.is_file() {
            paths.push(path);
        }
    }
    paths.sort();
    paths.iter().map(|path| files::describe(path)).collect()
}

/// Reads an entry, and checks every byte of it, for a job that may lie elsewhere than the one it
/// was made of.
fn read(folder: &Path, job: &Job) -> io::Result<Done> {
    let entry: Entry = serde_json::from_slice(&fs::read(folder.join(ENTRY))?)?;
    let kept: Kept = serde_json::from_slice(&checked(folder, RESULT, &entry.result)?)?;
    let plan = match (&entry.plan, kept.manifest) {
        (Some(file), Some(manifest)) => {
            Some(Plan { bytes: checked(folder, PLAN, file)?, manifest })
        }
        _ => None,
    };
    if plan.as_ref().map(|plan| &plan.manifest.plan.sha256)
        != entry.plan.as_ref().map(|plan| &plan.sha256)
    {
        return Err(io::Error::other("its plan and manifest are not of one build"));
    }
    let model =
        ModelReport { name: job.name.clone(), path: job.path.clone(), cached: true, ..kept.model };
    let outcome = Outcome { model, page: kept.page, spent: false, notes: Vec::new() };
    Ok(Done { outcome, plan, within_seconds: kept.within_seconds })
}

/// A file of an entry, if it is what it was.
fn checked(folder: &Path, name: &str, described: &File) -> io::Result<Bytes> {
    let bytes = mapped::map(&fs::File::open(folder.join(name))?)?;
    if crate::hash::sha256(&bytes) != described.sha256 {
        return Err(io::Error::other(format!("`{name}` is not as it was written")));
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::zoo::pool::tests::job;
    use std::os::unix::fs::symlink;

    fn cache(home: &Path) -> Cache {
        let maker = Maker::here(&Environment::here(None)).unwrap();
        Cache::open(home, maker, None).unwrap()
    }

    /// An outcome that nobody could judge within a time.
    fn late(within_seconds: Option<u64>, spent: bool) -> Done {
        let model = ModelReport::new("a", "a.onnx", Status::Unjudged);
        let outcome = Outcome { model, page: ().into(), spent, notes: Vec::new() };
        Done { outcome, plan: None, within_seconds }
    }

    #[test]
    fn what_was_late_is_kept_for_jobs_with_no_more_time() {
        let home = tempfile::tempdir().unwrap();
        let (cache, key) = (cache(home.path()), "a".repeat(64));
        let found = |timeout_seconds| {
            let job = Job { timeout_seconds, ..job("b") };
            cache.find(&key, &job).unwrap().map(|done| done.outcome.model.name)
        };
        cache.keep(&key, &late(None, true)).unwrap();
        assert_eq!(found(Some(1)), None, "its worker was spent, and nobody knows of what");
        cache.keep(&key, &late(Some(10), true)).unwrap();
        assert_eq!([found(Some(10)), found(Some(3))], ["b"; 2].map(|name| Some(name.to_owned())));
        assert_eq!(found(Some(11)), None);
        assert_eq!(found(Some(10)), None, "it gave way to one with more time");
        cache.keep(&key, &late(Some(10), true)).unwrap();
        assert_eq!(found(None), None);
        cache.keep(&key, &late(None, false)).unwrap();
        assert_eq!(found(None), Some("b".to_owned()));
    }

    #[test]
    fn nothing_but_an_entry_is_read() {
        let home = tempfile::tempdir().unwrap();
        let (cache, elsewhere) = (cache(home.path()), tempfile::tempdir().unwrap());
        let [linked, piped] = ["a", "b"].map(|digit| digit.repeat(64));
        cache.keep(&linked, &late(None, false)).unwrap();
        let moved = elsewhere.path().join("entry");
        fs::rename(home.path().join(&linked), &moved).unwrap();
        symlink(&moved, home.path().join(&linked)).unwrap();
        cache.keep(&piped, &late(None, false)).unwrap();
        let pipe = home.path().join(&piped).join(PLAN);
        assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
        for key in [linked, piped] {
            let found = cache.find(&key, &job("a")).map(|done| done.is_some());
            assert_eq!(found, Err("it is not a folder of our files".to_owned()));
            assert!(home.path().join(&key).exists(), "it is not ours to remove");
        }
        assert_eq!(cache.find(&"c".repeat(64), &job("a")).map(|done| done.is_some()), Ok(false));
    }
}
