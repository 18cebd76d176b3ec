//! Setting up a package: from a made-up wheel, with a stand-in for pip and with the real one.

use onnx2plan::provision::{
    Event, Options, Package, Phase, cache_dir, install, installed, sound, verify,
};
use onnx2plan::{Error, Kind};
use sha2::{Digest, Sha256};
use std::ffi::OsString;
use std::fs;
use std::io::{Cursor, Write};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::process::Command;
use tempfile::TempDir;
use zip::write::SimpleFileOptions;

const WHEEL: &str = "onnx2plan_sample-1.0-py3-none-manylinux_2_28_x86_64.whl";
const LIBRARY: &[u8] = b"not really a shared object";
const LICENSE: &[u8] = b"do as you like";
const GOOD: &[(&str, &[u8])] = &[
    ("sample/libsample.so.1", LIBRARY),
    ("sample/__init__.py", b"raise SystemExit"),
    ("onnx2plan_sample-1.0.dist-info/LICENSE.txt", LICENSE),
    (
        "onnx2plan_sample-1.0.dist-info/METADATA",
        b"Metadata-Version: 2.1\nName: onnx2plan-sample\nVersion: 1.0\n",
    ),
    (
        "onnx2plan_sample-1.0.dist-info/WHEEL",
        b"Wheel-Version: 1.0\nTag: py3-none-manylinux_2_28_x86_64\n",
    ),
    ("onnx2plan_sample-1.0.dist-info/RECORD", b""),
];

/// A folder with a wheel in it, and the package that the wheel is.
struct Bench {
    dir: TempDir,
    package: Package,
}

impl Bench {
    fn new(wheel: &[u8]) -> Self {
        let dir = TempDir::new().unwrap();
        fs::create_dir(dir.path().join("wheels")).unwrap();
        fs::write(dir.path().join("wheels").join(WHEEL), wheel).unwrap();
        let package = Package {
            title: "Sample",
            folder: "sample",
            name: "onnx2plan-sample",
            version: "1.0",
            sha256: hex_of(wheel).leak(),
            wheel_bytes: wheel.len() as u64,
            unpacked_bytes: (LIBRARY.len() + LICENSE.len()) as u64,
            select: &["--platform", "manylinux_2_28_x86_64"],
            members: &["sample/libsample.so.1", "onnx2plan_sample-1.0.dist-info/LICENSE.txt"],
            license: "Sample is nobody's",
        };
        Self { dir, package }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn wheel(&self) -> PathBuf {
        self.path("wheels").join(WHEEL)
    }

    /// A script in place of Python; its last argument is the folder that pip downloads to.
    fn python(&self, body: &str) -> PathBuf {
        let path = self.path(&format!("python-{}", &hex_of(body.as_bytes())[..8]));
        let script =
            format!("#!/bin/sh\ncd '{}'\nfor to; do :; done\n{body}\n", self.dir.path().display());
        // Written by a child: a file that this process holds open for writing, or a sibling test's
        // child does, cannot be executed.
        let write = r#"printf %s "$1" > "$0" && chmod +x "$0""#;
        let run = Command::new("sh").args(["-c", write]).arg(&path).arg(script).status().unwrap();
        assert!(run.success());
        path
    }

    fn options(&self) -> Options {
        Options { cache: self.path("cache"), ..Options::default() }
    }

    fn with_python(&self, body: &str) -> Options {
        Options { python: Some(self.python(body)), ..self.options() }
    }

    fn with_wheel(&self) -> Options {
        Options { wheel: Some(self.wheel()), ..self.options() }
    }

    fn install(&self, options: &Options) -> Result<PathBuf, Error> {
        install(&self.package, options, &mut |_| ControlFlow::Continue(()))
    }

    /// The whole text of the error, with this test's folder, hash and temporary names left out.
    fn failure(&self, options: &Options) -> String {
        let error = self.install(options).unwrap_err();
        assert_eq!(error.kind(), Kind::Environment, "{error}");
        error
            .to_string()
            .replace(self.dir.path().to_str().unwrap(), "DIR")
            .replace(self.package.sha256, "HASH")
    }

    /// Names of what the cache holds, of `tmp` its contents.
    fn cached(&self) -> Vec<String> {
        let list = |folder: PathBuf| {
            fs::read_dir(folder)
                .into_iter()
                .flatten()
                .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        };
        let mut names: Vec<_> = list(self.path("cache")).collect();
        // What is only remembered.
        names.retain(|name| name != "tmp" && name != "sample-1.0.sound");
        names.extend(list(self.path("cache/tmp")).map(|name| format!("tmp/{name}")));
        names.sort();
        names
    }
}

fn wheel_of(entries: &[(&str, &[u8])]) -> Vec<u8> {
    let mut zip = zip::ZipWriter::new(Cursor::new(Vec::new()));
    for (name, data) in entries {
        zip.start_file(*name, SimpleFileOptions::default()).unwrap();
        zip.write_all(data).unwrap();
    }
    zip.finish().unwrap().into_inner()
}

/// SHA-256 of `data`.
fn hex_of(data: &[u8]) -> String {
    let digits = Sha256::digest(data).iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>();
    digits.concat()
}

/// `wheel` with bytes changed in the first entry's record of the zip file's directory.
fn with_directory(mut wheel: Vec<u8>, at: usize, bytes: &[u8]) -> Vec<u8> {
    let start = wheel.windows(4).position(|window| window == b"PK\x01\x02").unwrap() + at;
    wheel[start..start + bytes.len()].copy_from_slice(bytes);
    wheel
}

fn assert_whole(bench: &Bench, folder: &Path) {
    assert_eq!(folder, bench.path("cache/sample-1.0"));
    assert_eq!(fs::read(folder.join("libsample.so.1")).unwrap(), LIBRARY);
    assert_eq!(fs::read(folder.join("LICENSE.txt")).unwrap(), LICENSE);
    assert_eq!(fs::read_dir(folder).unwrap().count(), 3, "two members and the marker");
    assert_eq!(bench.cached(), ["sample-1.0", "sample-1.0.lock"]);
    assert_eq!(verify(&bench.package, &bench.path("cache")).as_deref(), Some(folder));
}

const FETCH: &str = r#"echo run >> runs; cp wheels/* "$to""#;
const BY_HAND: &str = "download it yourself with `python3 -m pip download --no-deps --platform \
                       manylinux_2_28_x86_64 \
                       onnx2plan-sample==1.0`, then run `onnx2plan setup --wheel FILE`";

#[test]
fn takes_a_wheel_that_the_user_names_even_offline() {
    let bench = Bench::new(&wheel_of(GOOD));
    let folder = bench.install(&Options { offline: true, ..bench.with_wheel() }).unwrap();
    assert_whole(&bench, &folder);
    // A wheel that is none is one, whatever the cache holds.
    let named = |name| Options { wheel: Some(bench.path(name)), ..bench.options() };
    let missing = "cannot set up Sample 1.0: cannot read `DIR/none.whl`\n  cause: No such file or \
                   directory (os error 2)";
    let found = bench.failure(&named("none.whl"));
    assert!(found.starts_with(missing), "{found}");
    fs::write(bench.path("other.whl"), "").unwrap();
    let other = bench.failure(&named("other.whl"));
    assert!(other.starts_with("cannot set up Sample 1.0: `DIR/other.whl` has 0 bytes"), "{other}");
}

#[test]
fn names_the_licence_and_counts_the_bytes() {
    let bench = Bench::new(&wheel_of(GOOD));
    let (mut notices, mut ends) = (Vec::new(), Vec::new());
    install(&bench.package, &bench.with_python(FETCH), &mut |event| {
        match event {
            Event::Notice(line) => notices.push(line.to_owned()),
            Event::Progress { phase, done_bytes, total_bytes } if done_bytes == total_bytes => {
                ends.push(phase);
            }
            Event::Progress { .. } | Event::Waiting => {}
        }
        ControlFlow::Continue(())
    })
    .unwrap();
    ends.dedup();
    assert_eq!(notices, ["Sample is nobody's"]);
    assert_eq!(ends, [Phase::Downloading, Phase::Checking, Phase::Unpacking]);
}

#[test]
fn the_real_pip_downloads_and_checks_the_hash() {
    if !Command::new("python3")
        .args(["-m", "pip", "--version"])
        .output()
        .is_ok_and(|run| run.status.success())
    {
        eprintln!("skipped: no python3 with pip");
        return;
    }
    let pip = r#"PIP_CONFIG_FILE=/dev/null PIP_NO_INDEX=1 PIP_FIND_LINKS=wheels exec python3 "$@""#;
    let mut bench = Bench::new(&wheel_of(GOOD));
    // Were it imported in pip's place, nothing would be downloaded.
    fs::write(bench.path("pip.py"), "raise SystemExit('not pip')").unwrap();
    let folder = bench.install(&bench.with_python(pip)).unwrap();
    assert_whole(&bench, &folder);

    bench.package.version = "2.0";
    let text = bench.failure(&bench.with_python(pip));
    assert!(
        text.starts_with("cannot set up Sample 2.0: pip ended with exit status: 1\n  pip: "),
        "{text}"
    );
    assert!(text.contains("No matching distribution found for onnx2plan-sample==2.0"), "{text}");

    bench.package.version = "1.0";
    bench.package.sha256 = "0000000000000000000000000000000000000000000000000000000000000000";
    let text = bench.failure(&bench.with_python(pip));
    assert!(text.contains("Expected sha256 HASH"), "{text}");
    assert!(text.ends_with(BY_HAND), "{text}");
}

#[test]
fn many_at_once_download_once() {
    let bench = Bench::new(&wheel_of(GOOD));
    let options = bench.with_python(&format!("sleep 0.3; {FETCH}"));
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| bench.install(&options).unwrap());
        }
    });
    assert_whole(&bench, &bench.path("cache/sample-1.0"));
    assert_eq!(fs::read_to_string(bench.path("runs")).unwrap(), "run\n");
}

type Damage = fn(&Path);

#[test]
fn damage_is_noticed_and_mended() {
    let bench = Bench::new(&wheel_of(GOOD));
    let folder = bench.install(&bench.with_wheel()).unwrap();
    let damages: [(&str, Damage); 6] = [
        ("member gone", |dir| fs::remove_file(dir.join("LICENSE.txt")).unwrap()),
        ("member cut short", |dir| fs::write(dir.join("libsample.so.1"), b"not").unwrap()),
        ("marker gone", |dir| fs::remove_file(dir.join("onnx2plan.json")).unwrap()),
        ("marker garbled", |dir| fs::write(dir.join("onnx2plan.json"), b"{").unwrap()),
        ("marker of fewer members", |dir| {
            let marker = dir.join("onnx2plan.json");
            let text = fs::read_to_string(&marker).unwrap().replace("LICENSE.txt", "");
            fs::write(marker, text).unwrap();
        }),
        ("marker of another wheel", |dir| {
            let marker = dir.join("onnx2plan.json");
            let text = fs::read_to_string(&marker).unwrap().replacen(
                "\"wheel_sha256\": \"",
                "\"wheel_sha256\": \"f",
                1,
            );
            fs::write(marker, text).unwrap();
        }),
    ];
    for (name, damage) in damages {
        damage(&folder);
        assert_eq!(installed(&bench.package, &bench.path("cache")), None, "{name}");
        assert_whole(&bench, &bench.install(&bench.with_wheel()).unwrap());
    }

    let (package, cache) = (&bench.package, &bench.path("cache"));
    for thorough in [false, true] {
        assert_eq!(sound(package, cache), Some(folder.clone()));
        fs::write(folder.join("libsample.so.1"), [b'x'; LIBRARY.len()]).unwrap();
        assert_eq!(installed(package, cache), Some(folder.clone()), "sizes tell nothing");
        assert_eq!((sound(package, cache), verify(package, cache)), (None, None));
        let options = Options { thorough, ..bench.with_wheel() };
        assert_whole(&bench, &bench.install(&options).unwrap());
    }
}

#[test]
fn what_was_found_good_is_not_read_again() {
    let bench = Bench::new(&wheel_of(GOOD));
    let folder = bench.install(&bench.with_wheel()).unwrap();
    let (package, cache) = (&bench.package, &bench.path("cache"));
    assert_eq!(sound(package, cache), Some(folder.clone()));
    // No byte can pass any more, so whoever reads one says no.
    let marker = folder.join("onnx2plan.json");
    let text = fs::read_to_string(&marker).unwrap();
    let text = text.replace(&hex_of(LIBRARY), &hex_of(LICENSE));
    fs::write(&marker, text).unwrap();
    assert_eq!((verify(package, cache), sound(package, cache)), (None, Some(folder.clone())));
    let touched = fs::File::options().append(true).open(folder.join("libsample.so.1")).unwrap();
    touched.set_modified(std::time::SystemTime::UNIX_EPOCH).unwrap();
    assert_eq!(sound(package, cache), None);
}

#[test]
fn leftovers_of_killed_processes_go_after_a_day() {
    let bench = Bench::new(&wheel_of(GOOD));
    for (name, hours) in [(".onnx2plan-old", 25), (".onnx2plan-young", 23), ("somebody's", 99)] {
        let folder = bench.path("cache/tmp").join(name);
        fs::create_dir_all(&folder).unwrap();
        let time = std::time::SystemTime::now() - std::time::Duration::from_hours(hours);
        fs::File::open(&folder).unwrap().set_modified(time).unwrap();
    }
    bench.install(&bench.with_wheel()).unwrap();
    assert_eq!(
        bench.cached(),
        ["sample-1.0", "sample-1.0.lock", "tmp/.onnx2plan-young", "tmp/somebody's"]
    );
}

#[test]
fn stopping_ends_pip_and_leaves_nothing() {
    let bench = Bench::new(&wheel_of(GOOD));
    let options = bench.with_python("echo $$ > pid; exec sleep 600");
    let pid = bench.path("pid");
    let error = install(&bench.package, &options, &mut |_| {
        let started = fs::read_to_string(&pid).is_ok_and(|text| text.ends_with('\n'));
        if started { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    })
    .unwrap_err();
    assert_eq!(
        (error.kind(), error.to_string().as_str()),
        (Kind::Cancelled, "cannot set up Sample 1.0: stopped")
    );
    assert_eq!(bench.cached(), ["sample-1.0.lock"]);
    assert!(!Path::new("/proc").join(fs::read_to_string(pid).unwrap().trim()).exists());
}

#[test]
fn every_failure_says_what_to_do() {
    let bench = Bench::new(&wheel_of(GOOD));
    fs::write(bench.path("file"), "").unwrap();
    fs::write(bench.path("short.whl"), "PK").unwrap();
    fs::write(
        bench.path("other.whl"),
        vec![0; usize::try_from(bench.package.wheel_bytes).unwrap()],
    )
    .unwrap();
    let zeros = hex_of(&vec![0; usize::try_from(bench.package.wheel_bytes).unwrap()]);
    let bytes = bench.package.wheel_bytes;
    let needed = bytes + 40;
    let wheel = |name: &str| Options { wheel: Some(bench.path(name)), ..bench.options() };
    let said = "echo one; echo; echo two >&2; exit 3";
    let full = "echo Traceback; echo 'OSError: [Errno 28] No space left on device'; exit 1";
    let cases: [(Options, String); 10] = [
        (
            Options { offline: true, ..bench.options() },
            "it is not in `DIR/cache`, and downloading is switched off (`--offline` or \
             ONNX2PLAN_OFFLINE)\n\n\
             hint: BY_HAND"
                .into(),
        ),
        (
            Options { python: Some(bench.path("no-python")), ..bench.options() },
            "there is no Python whose pip could download it (tried `DIR/no-python`)\n  \
             cause: No such file or directory (os error 2)\n\n\
             hint: install Python with pip, or name one with ONNX2PLAN_PYTHON; or BY_HAND"
                .into(),
        ),
        (
            wheel("none.whl"),
            "cannot read `DIR/none.whl`\n  cause: No such file or directory (os error 2)\n\nhint: \
             BY_HAND"
                .into(),
        ),
        (
            wheel("short.whl"),
            format!(
                "`DIR/short.whl` has 2 bytes, but the wheel has \
                                      {bytes}\n\nhint: BY_HAND"
            ),
        ),
        (
            wheel("other.whl"),
            format!(
                "`DIR/other.whl` has SHA-256 {zeros}, but the wheel has \
                                      HASH\n\nhint: BY_HAND"
            ),
        ),
        (
            Options { cache: bench.path("file/cache"), ..bench.options() },
            "cannot write to `DIR/file/cache/tmp`\n  cause: Not a directory (os error 20)\n\n\
             hint: set ONNX2PLAN_CACHE to a folder that you can write to"
                .into(),
        ),
        (
            bench.with_python(said),
            "pip ended with exit status: 3\n  pip: one\n  pip: two\n\n\
             hint: see that pip reaches its package index; or BY_HAND"
                .into(),
        ),
        (
            bench.with_python("echo 'python: No module named pip' >&2; exit 1"),
            "Python has no pip to download it with\n\n\
             hint: install pip, or name another Python with ONNX2PLAN_PYTHON; or BY_HAND"
                .into(),
        ),
        (
            bench.with_python("echo fine"),
            "pip ended well, but left no wheel\n  pip: fine\n\nhint: \
                                          BY_HAND"
                .into(),
        ),
        (
            bench.with_python(full),
            format!(
                "the disk is full\n  `DIR/cache` needs {needed} bytes\n  \
                 pip: OSError: [Errno 28] No space left on device\n\n\
                 hint: free that much, or set ONNX2PLAN_CACHE to a folder on another disk"
            ),
        ),
    ];
    for (options, expected) in cases {
        let expected =
            format!("cannot set up Sample 1.0: {}", expected.replace("BY_HAND", BY_HAND));
        assert_eq!(bench.failure(&options), expected);
        assert!(
            bench.cached().iter().all(|name| name == "sample-1.0.lock"),
            "{:?}",
            bench.cached()
        );
    }
}

#[test]
fn a_hostile_wheel_is_refused_whole() {
    let with = |name: &str| wheel_of(&[GOOD, &[(name, b"evil")]].concat());
    let symlink = {
        let mut zip = zip::ZipWriter::new(Cursor::new(Vec::new()));
        zip.add_symlink("sample/libsample.so.1", "/etc/passwd", SimpleFileOptions::default())
            .unwrap();
        zip.finish().unwrap().into_inner()
    };
    // Offsets in a directory record: 8 flags, 16 CRC-32, 24 size.
    let directory = |at, bytes: &[u8]| with_directory(wheel_of(GOOD), at, bytes);
    let claimed = GOOD[1..].iter().fold(0xf000_0000, |sum, (_, data)| sum + data.len());
    let library = "its entry `sample/libsample.so.1`";
    let cases = [
        (with("../evil"), "its entry `../evil` leads out of the folder".to_owned()),
        (with("sample/../../evil"), "its entry `sample/../../evil` leads out of the folder".into()),
        (with("/tmp/evil"), "its entry `/tmp/evil` leads out of the folder".into()),
        (with("..\\evil"), "its entry `..\\evil` leads out of the folder".into()),
        (symlink, format!("{library} is neither a file nor a folder")),
        (directory(8, &[1, 0]), format!("{library} is encrypted")),
        (
            directory(24, &[0, 0, 0, 0xf0]),
            format!("its entries take {claimed} bytes, more than the limit of 2147483648"),
        ),
        (directory(24, &[200]), format!("{library} should have 200 bytes, but has 26")),
        (
            directory(24, &[20]),
            format!("{library} is damaged: File is larger than its declared uncompressed size"),
        ),
        (directory(16, &[0, 0]), format!("{library} is damaged: Invalid checksum")),
        (wheel_of(&GOOD[1..]), format!("{library} is missing")),
        (b"no zip file".to_vec(), "invalid Zip archive: Could not find EOCD".into()),
    ];
    for (wheel, expected) in cases {
        let bench = Bench::new(&wheel);
        let expected = format!(
            "cannot set up Sample 1.0: the wheel is refused: {expected}\n\nhint: {BY_HAND}"
        );
        assert_eq!(bench.failure(&bench.with_wheel()), expected);
        assert_eq!(bench.cached(), ["sample-1.0.lock"]);
    }
}

#[test]
fn the_cache_is_where_the_environment_says() {
    let cases: [(&[(&str, &str)], &str); 5] = [
        (&[("ONNX2PLAN_CACHE", "/c"), ("XDG_CACHE_HOME", "/x"), ("HOME", "/h")], "/c"),
        (&[("ONNX2PLAN_CACHE", ""), ("XDG_CACHE_HOME", "/x"), ("HOME", "/h")], "/x/onnx2plan"),
        (&[("XDG_CACHE_HOME", "relative"), ("HOME", "/h")], "/h/.cache/onnx2plan"),
        (&[("ONNX2PLAN_CACHE", "relative")], "relative"),
        (&[("HOME", "/h")], "/h/.cache/onnx2plan"),
    ];
    let look_up = |variables: &[(&str, &str)], name: &str| {
        variables.iter().find(|(key, _)| *key == name).map(|(_, value)| OsString::from(value))
    };
    for (variables, expected) in cases {
        assert_eq!(cache_dir(|name| look_up(variables, name)).unwrap(), Path::new(expected));
    }
    let error = cache_dir(|_| None).unwrap_err();
    assert_eq!(error.kind(), Kind::Environment);
    assert_eq!(
        error.to_string(),
        "there is no cache folder: none of ONNX2PLAN_CACHE, XDG_CACHE_HOME and HOME is set\n\n\
         hint: set ONNX2PLAN_CACHE to a folder that you can write to"
    );
}
