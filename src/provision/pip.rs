//! Downloads a wheel with the user's pip.

use super::fault::Fault;
use super::{Event, Notify, Package, Phase, tell};
use std::collections::VecDeque;
use std::fs;
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::JoinHandle;
use std::time::Duration;

/// How often the download is looked at.
const POLL: Duration = Duration::from_millis(100);
/// Lines of pip's output that an error shows: enough for its longest message, the one about hashes.
const LINES_SHOWN: usize = 8;
/// Bytes of a line that are kept together.
const LINE_BYTES: u64 = 64 << 10;
/// `python -m pip`, but a `pip.py` in the current folder, which may have come with a model, is not
/// run in pip's place.
const RUN_PIP: &str = "import sys; sys.path[:] = filter(None, sys.path); \
 import runpy; runpy.run_module('pip', run_name='__main__', alter_sys=True)";

/// Downloads the package's wheel into the folder `work` and returns its path. pip checks the hash.
pub(super) fn download(
    package: &Package,
    python: Option<&Path>,
    work: &Path,
    notify: &mut Notify<'_>,
) -> Result<PathBuf, Fault> {
    let unwritable = |e| Fault::write(work, e);
    let (requirements, temp, wheels) =
        (work.join("requirements.txt"), work.join("temp"), work.join("wheels"));
    fs::create_dir(&temp).map_err(unwritable)?;
    fs::create_dir(&wheels).map_err(unwritable)?;
    let Package { name, version, sha256, .. } = package;
    fs::write(&requirements, format!("{name}=={version} --hash=sha256:{sha256}\n"))
        .map_err(unwritable)?;

    let mut pip = start(python, |command| {
        command.args([
            "-c",
            RUN_PIP,
            "download",
            "--no-deps",
            "--require-hashes",
            "--only-binary=:all:",
        ]);
        command.args(["--no-input", "--disable-pip-version-check", "--progress-bar", "off"]);
        command.args(package.select).arg("-r").arg(&requirements).arg("-d").arg(&wheels);
        // pip's own half-made files go where they are cleared away, and where the wheel needs the
        // space anyway.
        command.env("TMPDIR", &temp);
    })?;
    let status = loop {
        let ended = pip.child.try_wait().map_err(|source| Fault::LostPip { source })?;
        // Asked after pip's end too: Ctrl-C ends pip first, and is no fault of pip's.
        let done_bytes = largest_file(&temp).max(largest_file(&wheels)).min(package.wheel_bytes);
        tell(
            notify,
            Event::Progress {
                phase: Phase::Downloading,
                done_bytes,
                total_bytes: package.wheel_bytes,
            },
        )?;
        match ended {
            Some(status) => break status,
            None => std::thread::sleep(POLL),
        }
    };
    let said = pip.said();
    if !status.success() {
        let find = |text| said.iter().find(|line| line.contains(text));
        // Of a full disk, pip tells by a traceback: the one line is enough.
        return Err(
            if let Some(line) = find("No space left on device").or(find("Disk quota exceeded")) {
                Fault::Full { said: vec![line.clone()] }
            } else if find("No module named pip").is_some() {
                Fault::NoPip
            } else {
                Fault::Pip { status, said }
            },
        );
    }
    let mut files = fs::read_dir(&wheels).into_iter().flatten().flatten().map(|entry| entry.path());
    files.find(|path| path.extension().is_some_and(|e| e == "whl")).ok_or(Fault::NoWheel { said })
}

/// A running pip that does not outlive its owner, nor go on writing into a folder that is being
/// removed.
struct Pip {
    child: Child,
    /// Reads what pip says. In memory: a file would stay empty just when the disk is full.
    reader: Option<JoinHandle<Vec<String>>>,
}

impl Pip {
    fn spawn(mut command: Command) -> io::Result<Self> {
        let (from_pip, to_us) = io::pipe()?;
        command.stdin(Stdio::null()).stdout(to_us.try_clone()?).stderr(to_us);
        let child = command.spawn()?;
        Ok(Self { child, reader: Some(std::thread::spawn(|| last_lines(from_pip))) })
    }

    /// The end of what pip said, once it has ended.
    fn said(&mut self) -> Vec<String> {
        self.reader.take().and_then(|reader| reader.join().ok()).unwrap_or_default()
    }
}

impl Drop for Pip {
    fn drop(&mut self) {
        // Fails only where it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Starts the given Python, or the first there is, with what `arrange` adds to its command.
fn start(python: Option<&Path>, arrange: impl Fn(&mut Command)) -> Result<Pip, Fault> {
    let usual = [Path::new("python3"), Path::new("python")];
    let tries = python.as_slice();
    let tries = if tries.is_empty() { &usual[..] } else { tries };
    let mut last = io::Error::from(io::ErrorKind::NotFound);
    for python in tries {
        let mut command = Command::new(python);
        arrange(&mut command);
        match Pip::spawn(command) {
            Ok(pip) => return Ok(pip),
            Err(e) => last = e,
        }
    }
    let tried = tries
        .iter()
        .map(|python| format!("`{}`", python.display()))
        .collect::<Vec<_>>()
        .join(" and ");
    Err(Fault::NoPython { tried, source: last })
}

/// Size in bytes of the largest file below `folder`: while pip works, that is the wheel it is
/// writing.
fn largest_file(folder: &Path) -> u64 {
    let size = |entry: fs::DirEntry| match entry.file_type() {
        Ok(kind) if kind.is_dir() => largest_file(&entry.path()),
        Ok(_) => entry.metadata().map_or(0, |found| found.len()),
        Err(_) => 0,
    };
    fs::read_dir(folder).into_iter().flatten().flatten().map(size).max().unwrap_or(0)
}

/// The last lines, leaving out empty ones, of all that can be read.
fn last_lines(from: impl Read) -> Vec<String> {
    let mut last = VecDeque::new();
    let mut from = BufReader::new(from);
    let mut bytes = Vec::new();
    // A line without an end comes in pieces.
    while let Ok(1..) = from.by_ref().take(LINE_BYTES).read_until(b'\n', &mut bytes) {
        let line = String::from_utf8_lossy(&bytes).trim_end().to_owned();
        bytes.clear();
        if !line.is_empty() {
            last.push_back(line);
        }
        if last.len() > LINES_SHOWN {
            last.pop_front();
        }
    }
    last.into()
}
