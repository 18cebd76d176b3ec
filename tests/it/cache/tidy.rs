//! What stays in a cache, and the command that shows and empties it.

use super::{Zoo, entries, relu, run, zoo_of_one};
use crate::tensorrt::{onnx2plan, without_tensorrt};
use std::fs::{self, File};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, SystemTime};

/// Makes a folder look as if it had been used so many days ago.
fn age(folder: &Path, days: u64) {
    let then = SystemTime::now() - Duration::from_hours(24 * days);
    File::open(folder).unwrap().set_modified(then).unwrap();
}

/// What a command prints when all goes well.
fn said(command: &mut Command) -> String {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// Sizes as the command prints them.
fn bytes(folders: &[PathBuf]) -> u64 {
    let files = folders.iter().flat_map(|folder| fs::read_dir(folder).unwrap());
    files.map(|file| file.unwrap().metadata().unwrap().len()).sum()
}

fn size(bytes: u64) -> String {
    format!("{:.1} KiB", bytes as f64 / 1024.0)
}

/// A zoo of three models, run once.
fn zoo_of_three() -> (Zoo, Vec<PathBuf>) {
    let zoo = zoo_of_one();
    zoo.add("more", &relu(), &[-1.0, 3.0], &[0.0, 3.0]);
    zoo.add("most", &relu(), &[-1.0, 4.0], &[0.0, 4.0]);
    zoo.run(&[]);
    let entries = entries(&zoo.path("cache"));
    assert_eq!(entries.len(), 3);
    (zoo, entries)
}

#[test]
fn what_no_zoo_uses_goes_after_thirty_days() {
    let (zoo, all) = zoo_of_three();
    for entry in &all {
        age(entry, 29);
    }
    let kept = zoo.run(&[]);
    assert_eq!((kept.cached(), entries(&zoo.path("cache")).len()), (vec![true; 3], 3));

    // They were used just now. One model is not in the next runs.
    for entry in &all {
        age(entry, 31);
    }
    fs::remove_dir_all(zoo.path("zoo/most")).unwrap();
    let kept = zoo.run(&["--cache-days", "0"]);
    assert_eq!((kept.cached(), entries(&zoo.path("cache")).len()), (vec![true; 2], 3));
    let before = bytes(&all);
    let removed = zoo.run(&[]);
    let left = entries(&zoo.path("cache"));
    assert_eq!((removed.cached(), left.len()), (vec![true; 2], 2));
    let gone = size(before - bytes(&left));
    let note = format!("note  removed from the cache: 1 result, {gone}, not used for 30 days\n");
    assert!(removed.said.contains(&note), "{}", removed.said);
    assert!(!zoo.run(&[]).said.contains("removed"));
    assert_eq!(fs::read_dir(zoo.path("cache/tmp")).unwrap().count(), 0);
}

/// Puts a folder as it could be an entry into a cache.
fn plant(cache: &Path, digit: &str, kib: usize, days: u64) -> PathBuf {
    let folder = cache.join(digit.repeat(64));
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join("entry.json"), vec![b' '; kib << 10]).unwrap();
    age(&folder, days);
    folder
}

#[test]
fn of_a_cache_that_is_too_large_what_was_used_last_stays() {
    let zoo = zoo_of_one();
    let cache = zoo.path("cache");
    let planted =
        [("a", 2), ("b", 1), ("c", 3)].map(|(digit, days)| plant(&cache, digit, 700, days));
    let run = zoo.run(&["--cache-size", "1"]);
    let note = "note  removed from the cache: 2 results, 1.4 MiB, for which 1 MiB are too few\n";
    assert!(run.said.contains(note), "{}", run.said);
    assert_eq!(planted.map(|folder| folder.exists()), [false, true, false]);

    plant(&cache, "a", 700, 2);
    zoo.run(&["--cache-size", "0"]);
    assert!(cache.join("a".repeat(64)).exists());
    assert_eq!(zoo.run(&[]).cached(), [true]);
}

#[test]
fn nothing_goes_that_no_zoo_has_written() {
    let zoo = zoo_of_one();
    zoo.run(&[]);
    let (cache, outside) = (zoo.path("cache"), zoo.path("outside"));
    let kept = plant(&cache, "a", 1, 99);
    fs::write(kept.join("notes.txt"), "mine").unwrap();
    let with_a_link = plant(&cache, "b", 1, 99);
    fs::create_dir(&outside).unwrap();
    fs::write(outside.join("result.json"), "{}").unwrap();
    symlink(outside.join("result.json"), with_a_link.join("model.plan")).unwrap();
    let with_a_folder = plant(&cache, "c", 1, 99);
    fs::create_dir(with_a_folder.join("model.plan")).unwrap();
    symlink(&outside, cache.join("d".repeat(64))).unwrap();
    fs::write(cache.join("e".repeat(64)), "a file").unwrap();
    for name in ["f".repeat(63), "F".repeat(64), "results".to_owned(), "tmp/mine".to_owned()] {
        fs::create_dir(cache.join(&name)).unwrap();
        fs::write(cache.join(&name).join("result.json"), "{}").unwrap();
        age(&cache.join(&name), 99);
    }
    let without_an_entry = plant(&cache, "9", 1, 99);
    fs::rename(without_an_entry.join("entry.json"), without_an_entry.join("result.json")).unwrap();
    age(&without_an_entry, 99);
    let half = plant(&cache, "0", 1, 99);
    let litter = cache.join("tmp/.onnx2plan-killed");
    fs::create_dir(&litter).unwrap();
    age(&litter, 99);

    let names = || -> Vec<_> {
        super::files(zoo.dir.path()).into_keys().filter(|name| !name.contains("report")).collect()
    };
    let before = names();
    assert_eq!(zoo.run(&["--cache-days", "1", "--cache-size", "1"]).code, Some(0));
    let mut expected = before.clone();
    expected.retain(|name| !zoo.path(name).starts_with(&half));
    assert_eq!(names(), expected);
    assert!(!half.exists() && !litter.exists());
    let clean = || {
        said(
            without_tensorrt()
                .current_dir(zoo.dir.path())
                .args(["cache", "clean", "--cache", "cache"]),
        )
    };
    assert!(clean().starts_with("removed 1 result, "));
    assert_eq!(clean(), "removed 0 results, 0 B\n");
    let foreign = |name: &String| name.starts_with("cache/") && !before.contains(name);
    assert!(!names().iter().any(foreign) && outside.join("result.json").exists());
    assert!(
        [kept, with_a_link, with_a_folder].iter().all(|folder| folder.join("entry.json").exists())
    );
    assert!(without_an_entry.join("result.json").exists());

    // Nor is anything written or cleared away where a link leads.
    fs::remove_dir_all(cache.join("tmp")).unwrap();
    symlink(&outside, cache.join("tmp")).unwrap();
    plant(&cache, "0", 1, 99);
    let output = without_tensorrt()
        .current_dir(zoo.dir.path())
        .args(["cache", "clean", "--cache", "cache"])
        .output();
    let output = output.unwrap();
    let expected = "error: cannot remove results from `cache`\n  cause: `cache/tmp` is a link\n";
    assert_eq!(
        (output.status.code(), String::from_utf8(output.stderr).unwrap().as_str()),
        (Some(6), expected)
    );
}

#[test]
fn the_command_shows_and_empties_the_cache() {
    let zoo = zoo_of_one();
    let command = |arguments: &[&str]| {
        let mut command = without_tensorrt();
        command
            .current_dir(zoo.dir.path())
            .env("ONNX2PLAN_CACHE", "user")
            .arg("cache")
            .args(arguments);
        said(&mut command)
    };
    assert_eq!(command(&["dir"]), "user\n");
    assert_eq!(command(&["size"]), " results of zoos  0  0 B  user/zoo\n");
    assert_eq!(command(&["clean", "--libraries"]), "removed 0 results, 0 B\n");
    assert!(!zoo.path("user").exists(), "looking makes nothing");

    let mut zoo_run = onnx2plan();
    zoo_run
        .current_dir(zoo.dir.path())
        .env("ONNX2PLAN_CACHE", "user")
        .args(["zoo", "zoo", "--on", "cpu"]);
    run(zoo_run.args(["--report", "report"]), &zoo.path("report"));
    let entries = entries(&zoo.path("user/zoo"));
    let results = bytes(&entries);
    let marker = |files: &str| format!(r#"{{"wheel_sha256": "", "files": [{files}]}}"#);
    for (name, text) in [
        ("tensorrt-rtx-1.0", marker(r#"{"name": "lib.so", "bytes": 0, "sha256": ""}"#)),
        ("onnxruntime-1.0", marker("")),
        ("other-1.0", marker(r#"{"name": "lib.so", "bytes": 0, "sha256": ""}"#)),
        ("onnxruntime-2.0", "no marker".to_owned()),
    ] {
        let folder = zoo.path("user").join(name);
        fs::create_dir(&folder).unwrap();
        fs::write(folder.join("onnx2plan.json"), text).unwrap();
        fs::write(folder.join("lib.so"), [0; 2048]).unwrap();
    }
    let library =
        fs::metadata(zoo.path("user/tensorrt-rtx-1.0/onnx2plan.json")).unwrap().len() + 2048;
    let shown = command(&["size"]);
    let rows: Vec<Vec<&str>> =
        shown.lines().map(|line| line.split("  ").map(str::trim).collect()).collect();
    let words = |row: &[&str]| {
        row.iter().copied().filter(|word| !word.is_empty()).map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(words(&rows[0]), ["results of zoos", "1", &size(results), "user/zoo"]);
    assert_eq!(words(&rows[1]), ["tensorrt-rtx-1.0", &size(library)]);
    assert_eq!(rows.len(), 2, "{shown}");
    let json: serde_json::Value = serde_json::from_str(&command(&["size", "--json"])).unwrap();
    let expected = serde_json::json!({
        "folder": "user/zoo",
        "results": { "count": 1, "bytes": results },
        "libraries": [{ "name": "tensorrt-rtx-1.0", "bytes": library }],
    });
    assert_eq!(json, expected);

    let removed = format!("removed 1 result, {}\n", size(results));
    assert_eq!(command(&["clean"]), removed);
    assert!(zoo.path("user/tensorrt-rtx-1.0/lib.so").exists());
    let removed = format!("removed 0 results, 0 B\nremoved tensorrt-rtx-1.0, {}\n", size(library));
    assert_eq!(command(&["clean", "--libraries"]), removed);
    let mut left: Vec<_> =
        fs::read_dir(zoo.path("user")).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    left.sort();
    assert_eq!(left, ["onnxruntime-1.0", "onnxruntime-2.0", "other-1.0", "tmp", "zoo"]);
}

/// Zoos take from a cache what other zoos' ends, and the user, remove from it.
#[test]
fn a_cache_that_is_emptied_meanwhile_costs_time_only() {
    let zoo = Zoo::new();
    for at in 1..9 {
        zoo.add(&format!("{at}"), &relu(), &[-1.0, at as f32], &[0.0, at as f32]);
    }
    zoo.run(&[]);
    std::thread::scope(|scope| {
        let (done, over) = std::sync::mpsc::channel::<()>();
        let zoo = &zoo;
        scope.spawn(move || {
            while over.try_recv() == Err(std::sync::mpsc::TryRecvError::Empty) {
                said(
                    without_tensorrt()
                        .current_dir(zoo.dir.path())
                        .args(["cache", "clean", "--cache", "cache"]),
                );
            }
        });
        for _ in 0..5 {
            let run = zoo.run(&["--cache-size", "1"]);
            assert_eq!((run.code, &run.report.notes), (Some(0), &Vec::new()), "{}", run.said);
        }
        drop(done);
    });
    assert_eq!(zoo.run(&[]).code, Some(0));
    entries(&zoo.path("cache"));
}
