//! Where Python looks for packages is asked for only where it matters, and once.

use crate::python;
use crate::support::Model;
use crate::tensorrt::{onnx2plan, set_up, without_tensorrt};
use onnx2plan::provision::python::Python;
use serde_json::Value;
use std::ffi::OsString;
use std::fs::{self, File};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant, SystemTime};
use tempfile::TempDir;

/// A pyenv with one interpreter, which counts how often it is asked.
struct Pyenv {
    dir: TempDir,
}

impl Pyenv {
    fn new() -> Self {
        let pyenv = Self { dir: tempfile::tempdir().unwrap() };
        for folder in ["shims", "versions", "site", "late"] {
            fs::create_dir(pyenv.path(folder)).unwrap();
        }
        pyenv.shim("#!/bin/sh\n# pyenv\n");
        fs::write(pyenv.path("version"), "3.14").unwrap();
        pyenv.answer(&["site"]);
        pyenv
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Writes the program that is asked; the head says whose it is.
    fn shim(&self, head: &str) {
        let script =
            format!("{head}cd '{}' && echo >> asked && cat answer\n", self.dir.path().display());
        // Written by a child, for what a sibling test's child holds open for writing cannot be
        // executed.
        let write = r#"printf %s "$1" > "$0" && chmod +x "$0""#;
        let run = Command::new("sh")
            .args(["-c", write])
            .arg(self.program())
            .arg(script)
            .status()
            .unwrap();
        assert!(run.success());
        self.age();
    }

    fn program(&self) -> PathBuf {
        self.path("shims/python3")
    }

    /// Has the interpreter say that it looks into these folders, and that `late` would count if it
    /// were there.
    fn answer(&self, folders: &[&str]) {
        let folders: Vec<String> =
            folders.iter().map(|name| self.path(name).display().to_string()).collect();
        let answer = format!("{}\n\n{}\n", folders.join("\n"), self.path("late").display());
        fs::write(self.path("answer"), answer).unwrap();
        self.age();
    }

    /// Makes everything look as if it had been written a minute ago.
    fn age(&self) {
        for name in ["shims/python3", "version", "versions", "site", "site/a.pth", "late"] {
            if let Ok(file) = File::open(self.path(name)) {
                file.set_modified(SystemTime::now() - Duration::from_mins(1)).unwrap();
            }
        }
    }

    fn times_asked(&self) -> usize {
        fs::read_to_string(self.path("asked")).map_or(0, |asked| asked.lines().count())
    }

    fn python(&self, variable: fn(&str) -> Option<OsString>) -> Python {
        Python { program: self.program(), cache: Some(self.path("cache")), variable }
    }

    /// Looks for the search path, twice; gives it and how often Python was asked for it.
    fn twice(&self) -> (Vec<PathBuf>, usize) {
        let before = self.times_asked();
        let path = self.python(|_| None).search_path();
        assert_eq!(self.python(|_| None).search_path(), path);
        (path, self.times_asked() - before)
    }
}

#[test]
fn only_what_has_to_know_asks_python_and_only_once() {
    let library = set_up().unwrap();
    let pyenv = Pyenv::new();
    // A cache of its own, for other tests' commands ask another Python.
    fs::create_dir(pyenv.path("cache")).unwrap();
    symlink(&library, pyenv.path("cache").join(library.file_name().unwrap())).unwrap();
    let model = Model::new(17).input("x", "f32[2]").node("Relu", "x", "y").output("y", "f32[2]");
    let model = model.write(pyenv.dir.path());
    let asked = |command: &mut Command| {
        let before = pyenv.times_asked();
        let output = command.env("ONNX2PLAN_PYTHON", pyenv.program()).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        pyenv.times_asked() - before
    };
    let user = || {
        let mut command = without_tensorrt();
        command.env("ONNX2PLAN_CACHE", pyenv.path("cache"));
        command
    };
    let found: Value =
        serde_json::from_slice(&user().args(["doctor", "--json"]).output().unwrap().stdout)
            .unwrap();
    let by_the_loader =
        |place: &Value| place["source"] == "system libraries" && place["version"].is_string();
    // A machine may have a library where it is looked for before.
    let once = usize::from(!found["tried"].as_array().unwrap().iter().any(by_the_loader));
    fs::remove_file(pyenv.path("cache/python.json")).ok();

    assert_eq!(asked(user().arg("ops")), 0);
    assert_eq!(asked(user().arg("inspect").arg(&model)), 0);
    assert_eq!(asked(user().arg("setup")), 0);
    assert_eq!(asked(onnx2plan().arg(&model)), 0, "the library was named");
    assert_eq!(asked(user().arg(&model)), once);
    assert_eq!(asked(user().arg(&model)), 0);
    assert_eq!(asked(user().arg("doctor")), once);
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join(".python-version"), "3.13").unwrap();
    assert_eq!(
        asked(user().arg(&model).current_dir(folder.path())),
        once,
        "pyenv may start another one here"
    );
}

#[test]
fn an_answer_is_remembered_until_something_that_decides_on_it_changes() {
    let pyenv = Pyenv::new();
    let site = || vec![pyenv.path("site")];
    assert_eq!(pyenv.twice(), (site(), 1));
    assert_eq!(pyenv.twice(), (site(), 0));

    fs::write(pyenv.path("site/a.pth"), "a folder").unwrap();
    pyenv.answer(&["site", "a folder"]);
    assert_eq!(
        pyenv.twice(),
        (vec![pyenv.path("site"), pyenv.path("a folder")], 1),
        "a file that adds folders"
    );
    fs::write(pyenv.path("site/a.pth"), "none").unwrap();
    pyenv.answer(&["site"]);
    let touch = |name: &str| {
        let yesterday = SystemTime::now() - Duration::from_hours(24);
        File::open(pyenv.path(name)).unwrap().set_modified(yesterday).unwrap();
    };
    for name in ["site/a.pth", "site", "shims/python3", "version", "versions", "late"] {
        touch(name);
        assert_eq!(pyenv.twice(), (site(), 1), "{name}");
    }
    fs::remove_dir(pyenv.path("late")).unwrap();
    assert_eq!(pyenv.twice(), (site(), 1), "a folder that is gone");

    let elsewhere = pyenv.python(|name| (name == "PYTHONPATH").then(|| "/elsewhere".into()));
    let before = pyenv.times_asked();
    elsewhere.search_path();
    elsewhere.search_path();
    assert_eq!(pyenv.times_asked() - before, 1, "another variable");
    pyenv.twice();
    assert_eq!(pyenv.python(|_| None).search_path_asked_anew(), site());
    assert_eq!(pyenv.twice(), (site(), 0));

    fs::write(pyenv.path("cache/python.json"), "{").unwrap();
    assert_eq!(pyenv.twice(), (site(), 1), "a damaged memory");
}

#[test]
fn an_answer_that_may_become_wrong_unseen_is_not_remembered() {
    let pyenv = Pyenv::new();
    pyenv.shim("#!/bin/sh\n# some other tool's\n");
    assert_eq!(pyenv.twice().1, 2, "it may choose by anything");
    pyenv.shim("#!/bin/sh\n# pyenv\n");
    let relative = pyenv.python(|name| (name == "PYTHONPATH").then(|| "packages".into()));
    relative.search_path();
    relative.search_path();
    assert_eq!(pyenv.times_asked(), 4, "the current folder decides");
    fs::write(pyenv.path("version"), "3.13").unwrap();
    assert_eq!(pyenv.twice().1, 2, "it may change again within the same tick of the clock");
    assert!(!pyenv.path("cache").exists());
    pyenv.age();
    assert_eq!(pyenv.twice().1, 1);
    // A cache that cannot be written to is nobody's problem.
    let python = Python { cache: Some("/dev/null/none".into()), ..pyenv.python(|_| None) };
    assert_eq!(python.search_path(), [pyenv.path("site")]);
    let python = Python { program: pyenv.path("missing"), ..pyenv.python(|_| None) };
    assert!(python.search_path().is_empty());
}

#[test]
fn real_interpreters_say_where_they_look() {
    let cache = tempfile::tempdir().unwrap();
    let memory = cache.path().join("python.json");
    let Some(folder) = python::python().parent() else { panic!("the interpreter is in a folder") };
    let python = Python {
        program: folder.join("python3"),
        cache: Some(cache.path().to_owned()),
        variable: |name| std::env::var_os(name),
    };
    let path = python.search_path();
    let packages = path.iter().find(|path| path.ends_with("site-packages")).unwrap();
    assert!(packages.starts_with(folder.parent().unwrap()), "{}", packages.display());
    // What was installed a moment ago is not remembered yet.
    let deadline = Instant::now() + Duration::from_secs(20);
    while !memory.exists() && Instant::now() < deadline {
        std::thread::sleep(Duration::from_millis(500));
        python.search_path();
    }
    let edited = fs::read_to_string(&memory)
        .unwrap()
        .replace(r#""folders":["#, r#""folders":["/remembered","#);
    fs::write(&memory, edited).unwrap();
    assert_eq!(python.search_path()[0], Path::new("/remembered"));
    let named = Python { program: "python3".into(), ..python };
    assert_ne!(named.search_path()[0], Path::new("/remembered"), "another program, another answer");
}
