//! A Python with the packages of `tests/requirements.txt`: a virtual environment in the target
//! folder, made once.
//!
//! Tests that need the `onnx` package or the models in its wheel start here.

#![expect(clippy::panic, reason = "a test that lacks Python has to fail, and say what to install")]

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;

use sha2::{Digest, Sha256};

const NEEDS: &str =
    "the conformance tests need python3 with venv; on Debian: apt install python3-venv";

static ENVIRONMENT: LazyLock<Result<PathBuf, String>> = LazyLock::new(|| {
    let requirements = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/requirements.txt");
    let target =
        Path::new(env!("CARGO_TARGET_TMPDIR")).parent().ok_or("the target folder has no parent")?;
    environment("python3", target, &requirements)
});

/// The Python interpreter of the environment.
///
/// # Panics
/// If Python, venv or a package is missing; the message says which command failed and what would
/// help.
pub(crate) fn python() -> &'static Path {
    match &*ENVIRONMENT {
        Ok(python) => python,
        Err(problem) => panic!("{problem}"),
    }
}

/// The folder `onnx/backend/test/data` of the wheel: `light/`, `simple/`, `pytorch-converted/`,
/// `pytorch-operator/`.
///
/// # Panics
/// As [`python`].
pub(crate) fn onnx_data() -> PathBuf {
    let printed = run(Command::new(python())
        .args(["-c", "import sysconfig; print(sysconfig.get_path('platlib'))"]));
    match printed {
        Ok(packages) => Path::new(packages.trim_end()).join("onnx/backend/test/data"),
        Err(problem) => panic!("{problem}"),
    }
}

/// Makes the environment for `requirements` in `target`, or finds the complete one there; returns
/// its interpreter.
///
/// The lock makes other threads and processes wait. The file `complete` is written last, so an
/// environment without it was interrupted and is made again.
fn environment(python3: &str, target: &Path, requirements: &Path) -> Result<PathBuf, String> {
    let wanted = fs::read(requirements).map_err(|error| on(requirements, &error))?;
    let folder = target.join(format!("python-{}", fingerprint(&wanted)));
    let lock_path = folder.with_extension("lock");
    let lock = File::create(&lock_path).map_err(|error| on(&lock_path, &error))?;
    lock.lock().map_err(|error| on(&lock_path, &error))?;

    let python = folder.join("bin/python");
    let complete = folder.join("complete");
    // A Python that was removed since leaves a dangling link, for which `exists` is false.
    if complete.exists() && python.exists() {
        return Ok(python);
    }
    if folder.exists() {
        fs::remove_dir_all(&folder).map_err(|error| on(&folder, &error))?;
    }
    run(Command::new(python3).args(["-m", "venv"]).arg(&folder))
        .map_err(|problem| format!("{NEEDS}\n{problem}"))?;
    let install =
        ["-m", "pip", "install", "--quiet", "--no-input", "--disable-pip-version-check", "-r"];
    run(Command::new(&python).args(install).arg(requirements))?;
    File::create(&complete).map_err(|error| on(&complete, &error))?;
    Ok(python)
}

/// The first 12 hexadecimal digits of the SHA-256.
fn fingerprint(bytes: &[u8]) -> String {
    let start =
        Sha256::digest(bytes).iter().take(6).fold(0, |start, &byte| start << 8 | u64::from(byte));
    format!("{start:012x}")
}

/// What the command printed on stdout; if it failed, a text with the command and what it printed on
/// stderr.
fn run(command: &mut Command) -> Result<String, String> {
    let output = command.output().map_err(|error| format!("cannot run {command:?}: {error}"))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    // venv explains on stdout, pip on stderr.
    let said = [output.stdout, output.stderr].concat();
    Err(format!(
        "{command:?} failed ({}):\n{}",
        output.status,
        String::from_utf8_lossy(&said).trim_end()
    ))
}

fn on(path: &Path, error: &io::Error) -> String {
    format!("{}: {error}", path.display())
}

#[test]
fn the_wheel_has_the_light_models() {
    let names = [
        "bvlc_alexnet",
        "densenet121",
        "inception_v1",
        "inception_v2",
        "resnet50",
        "shufflenet",
        "squeezenet",
        "vgg19",
        "zfnet512",
    ];
    let light = onnx_data().join("light");
    let missing: Vec<_> =
        names.iter().filter(|name| !light.join(format!("light_{name}.onnx")).is_file()).collect();
    assert!(missing.is_empty(), "{} lacks {missing:?}", light.display());
}

#[test]
fn a_half_made_environment_is_made_again_and_a_complete_one_is_kept() {
    let target = tempfile::tempdir().unwrap();
    let requirements = target.path().join("requirements.txt");
    fs::write(&requirements, "# nothing\n").unwrap();
    let make = || environment("python3", target.path(), &requirements).unwrap();
    let python =
        target.path().join(format!("python-{}", fingerprint(b"# nothing\n"))).join("bin/python");

    fs::create_dir_all(python.parent().unwrap()).unwrap();
    fs::write(&python, "interrupted").unwrap();
    let made = std::thread::scope(|scope| {
        [scope.spawn(make), scope.spawn(make)].map(|thread| thread.join().unwrap())
    });
    assert_eq!(made, [python.clone(), python.clone()]);
    assert_eq!(run(Command::new(&python).args(["-c", "print(6 * 7)"])).unwrap(), "42\n");

    let kept = python.with_file_name("kept");
    File::create(&kept).unwrap();
    make();
    assert!(kept.exists(), "the complete environment was made again");
}

#[test]
fn a_missing_python_is_named_with_the_way_out() {
    let target = tempfile::tempdir().unwrap();
    let requirements = target.path().join("requirements.txt");
    File::create(&requirements).unwrap();
    let problem = environment("no-such-python3", target.path(), &requirements).unwrap_err();
    assert!(problem.starts_with(NEEDS), "{problem}");
    assert!(problem.contains("no-such-python3"), "{problem}");
}
