//! Where the user's Python looks for packages.
//!
//! Only the interpreter knows, and asking it takes about as long as a small conversion. So its
//! answer is remembered in the cache with all that decides on it, and Python is asked again once
//! any of that is another.

use crate::files;
use serde::{Deserialize, Serialize};
use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::time::{Duration, SystemTime};

/// Prints the search path; then, after an empty line, what else decides on it: the interpreter, a
/// virtual environment's description, and folders that would be searched if they existed.
const QUESTION: &str = r"
import sys
print(*filter(None, sys.path), sep='\n', end='\n\n')
import os, site
print(sys.executable, os.path.join(sys.prefix, 'pyvenv.cfg'), sep='\n')
print(*site.getsitepackages(), site.getusersitepackages(), sep='\n')
";
/// Variables that decide where Python looks, or which Python pyenv starts.
const VARIABLES: [&str; 11] = [
    "HOME",
    "PYTHONHOME",
    "PYTHONNOUSERSITE",
    "PYTHONPATH",
    "PYTHONPLATLIBDIR",
    "PYTHONSAFEPATH",
    "PYTHONUSERBASE",
    "PYENV_DIR",
    "PYENV_ROOT",
    "PYENV_VERSION",
    "VIRTUAL_ENV",
];
/// The file in the cache.
const MEMORY: &str = "python.json";
/// What changed this shortly before Python was asked may change again without its time of change
/// telling so.
const TOO_YOUNG: Duration = Duration::from_secs(2);
/// As much of an answer as is read.
const ANSWER_BYTES: u64 = 1 << 20;
/// As much of a shim as is read.
const SHIM_BYTES: u64 = 4096;

/// An interpreter whose packages matter.
#[derive(Debug, Clone)]
pub struct Python {
    /// The program: a path, or a name that is looked up in `PATH`.
    pub program: PathBuf,
    /// The cache folder in which its answer is remembered; `None` to ask each time.
    pub cache: Option<PathBuf>,
    /// Looks up an environment variable.
    pub variable: fn(&str) -> Option<OsString>,
}

/// The last answer.
#[derive(Serialize, Deserialize)]
struct Memory {
    asked: Asked,
    /// What else was found to decide on the answer.
    traces: Vec<Trace>,
    folders: Vec<PathBuf>,
}

/// What is known to decide on the answer before Python is asked.
#[derive(PartialEq, Serialize, Deserialize)]
struct Asked {
    variables: Vec<Option<OsString>>,
    programs: Vec<Trace>,
}

/// A file or folder as it was found, or that it was missing. A package that is installed changes
/// its folder's time.
#[derive(PartialEq, Serialize, Deserialize)]
struct Trace {
    path: PathBuf,
    real: Option<PathBuf>,
    modified: Option<SystemTime>,
}

impl Trace {
    fn of(path: PathBuf) -> Self {
        let modified = fs::metadata(&path).and_then(|found| found.modified()).ok();
        Self { real: path.canonicalize().ok(), modified, path }
    }

    fn still_holds(&self) -> bool {
        Self::of(self.path.clone()) == *self
    }
}

impl Memory {
    /// Writes it, unless something that decides was changed just before the start of the question.
    fn keep(&self, cache: &Path, start: SystemTime) {
        let mut times =
            self.asked.programs.iter().chain(&self.traces).filter_map(|trace| trace.modified);
        let settled = times.all(|time| start.duration_since(time).is_ok_and(|age| age > TOO_YOUNG));
        if let (true, Ok(text)) = (settled, serde_json::to_string(self)) {
            // A cache that cannot be written to costs time, no more.
            let _ = files::write_text(&cache.join(MEMORY), &text);
        }
    }
}

impl Python {
    /// The file that would be started; `None` where there is none.
    pub fn file(&self) -> Option<PathBuf> {
        self.programs().into_iter().find(|program| program.is_file())
    }

    /// The folders in which it looks for packages, in their order; none where there is no such
    /// interpreter.
    pub fn search_path(&self) -> Vec<PathBuf> {
        let asked = self.asked();
        self.remembered(asked.as_ref()).unwrap_or_else(|| self.ask_and_remember(asked))
    }

    /// The same, whatever is remembered.
    pub fn search_path_asked_anew(&self) -> Vec<PathBuf> {
        self.ask_and_remember(self.asked())
    }

    fn remembered(&self, asked: Option<&Asked>) -> Option<Vec<PathBuf>> {
        let memory: Memory =
            serde_json::from_slice(&fs::read(self.cache.as_ref()?.join(MEMORY)).ok()?).ok()?;
        (memory.asked == *asked? && memory.traces.iter().all(Trace::still_holds))
            .then_some(memory.folders)
    }

    fn ask_and_remember(&self, asked: Option<Asked>) -> Vec<PathBuf> {
        let start = SystemTime::now();
        let (folders, others) = self.ask();
        let others = others.filter(|others| {
            others.first().is_some_and(|executable| self.is_known_to_start(executable))
        });
        if let (Some(cache), Some(asked), Some(others)) = (&self.cache, asked, others) {
            let deciding = folders.iter().chain(&others).flat_map(|path| deciding_in(path));
            let memory = Memory {
                traces: deciding.map(Trace::of).collect(),
                folders: folders.clone(),
                asked,
            };
            memory.keep(cache, start);
        }
        folders
    }

    /// Whether it is known why this interpreter was started: it is the program itself, or a script
    /// chose it, whose reasons
    /// [`Self::shim_reads`] knows.
    fn is_known_to_start(&self, executable: &Path) -> bool {
        let Some(program) = self.programs().into_iter().find(|program| program.exists()) else {
            return false;
        };
        let is_script = || fs::read(&program).is_ok_and(|text| text.starts_with(b"#!"));
        program.canonicalize().ok() == executable.canonicalize().ok() || is_script()
    }

    /// The search path and, from a Python that knows it, what else decides on that.
    fn ask(&self) -> (Vec<PathBuf>, Option<Vec<PathBuf>>) {
        let Ok((said, status)) = answer(Command::new(&self.program).args(["-c", QUESTION])) else {
            return (Vec::new(), None);
        };
        let said = String::from_utf8_lossy(&said);
        let (folders, others) = said.split_once("\n\n").unwrap_or((&said, ""));
        let paths = |lines: &str| {
            lines.lines().filter(|line| !line.is_empty()).map(PathBuf::from).collect()
        };
        (paths(folders), status.success().then(|| paths(others)))
    }

    /// What decides on the answer; `None` where that cannot be known, so that Python has to be
    /// asked each time.
    fn asked(&self) -> Option<Asked> {
        let python_path = (self.variable)("PYTHONPATH").unwrap_or_default();
        if !python_path.is_empty()
            && std::env::split_paths(&python_path).any(|path| path.is_relative())
        {
            return None;
        }
        let mut programs = self.programs();
        for program in programs.clone() {
            programs.extend(self.shim_reads(&program)?);
        }
        let variables = VARIABLES.map(self.variable).into();
        Some(Asked { variables, programs: programs.into_iter().map(Trace::of).collect() })
    }

    /// The files that may be the interpreter: a new one, earlier in `PATH`, takes the place of the
    /// one that was asked.
    fn programs(&self) -> Vec<PathBuf> {
        if self.program.components().count() > 1 {
            return vec![self.program.clone()];
        }
        let path = (self.variable)("PATH").unwrap_or_default();
        std::env::split_paths(&path).map(|folder| folder.join(&self.program)).collect()
    }

    /// What a script in an interpreter's place reads to choose one. That is known of pyenv's shims;
    /// of others, `None`.
    fn shim_reads(&self, program: &Path) -> Option<Vec<PathBuf>> {
        let mut text = Vec::new();
        let read =
            File::open(program).and_then(|file| file.take(SHIM_BYTES).read_to_end(&mut text));
        if read.is_err() || !text.starts_with(b"#!") {
            return Some(Vec::new());
        }
        let root = program.parent().filter(|folder| folder.ends_with("shims"))?.parent()?;
        if !String::from_utf8_lossy(&text).contains("pyenv") || !root.join("versions").is_dir() {
            return None;
        }
        let start = (self.variable)("PYENV_DIR")
            .map(PathBuf::from)
            .or_else(|| std::env::current_dir().ok())?;
        let local = start
            .ancestors()
            .map(|folder| folder.join(".python-version"))
            .find(|file| file.exists());
        Some([root.join("version"), root.join("versions")].into_iter().chain(local).collect())
    }
}

/// Has Python asked again.
pub fn forget(cache: &Path) {
    // Where there is nothing, nothing was remembered.
    let _ = fs::remove_file(cache.join(MEMORY));
}

/// What a program prints, as far as anybody reads on, and how it ended.
fn answer(command: &mut Command) -> io::Result<(Vec<u8>, ExitStatus)> {
    let command = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = command.spawn()?;
    let mut said = Vec::new();
    let read = child.stdout.take().map(|out| out.take(ANSWER_BYTES).read_to_end(&mut said));
    if said.len() as u64 >= ANSWER_BYTES {
        // It would print for ever, or wait for somebody who reads. It may have ended already.
        let _ = child.kill();
    }
    let status = child.wait()?;
    read.transpose()?;
    Ok((said, status))
}

/// A path that Python named, and the files in such a folder that can lengthen the search path.
fn deciding_in(path: &Path) -> Vec<PathBuf> {
    let lengthens = |file: &PathBuf| {
        let name = file.file_name().unwrap_or_default();
        name == "sitecustomize.py"
            || name == "usercustomize.py"
            || file.extension().is_some_and(|end| end == "pth")
    };
    let files = fs::read_dir(path).into_iter().flatten().flatten().map(|entry| entry.path());
    let mut deciding = vec![path.to_owned()];
    for file in files.filter(lengthens) {
        // Folders that it names count once they exist.
        let text = fs::read_to_string(&file).unwrap_or_default();
        let names =
            |line: &&str| !line.is_empty() && !line.starts_with("import") && !line.starts_with('#');
        if file.extension().is_some_and(|end| end == "pth") {
            deciding
                .extend(text.lines().map(str::trim_end).filter(names).map(|line| path.join(line)));
        }
        deciding.push(file);
    }
    deciding
}
