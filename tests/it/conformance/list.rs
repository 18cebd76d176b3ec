//! Lists of verdicts under `tests/`, one line per case, which are right only if they are right both
//! ways.

use super::case::{Case, Verdict};
use onnx2plan::trt::Library;
use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::{env, fs, thread};

/// A case's verdict with details.
type Judged = (Verdict, String);

/// Judges all cases and compares with the list. `ONNX2PLAN_BLESS=1` rewrites the list instead.
pub(super) fn check(file: &str, cases: &[Case], library: &Library) {
    let judged = judge_all(cases, library);
    let count = |wanted: fn(&Verdict) -> bool| {
        judged.values().filter(|(verdict, _)| wanted(verdict)).count()
    };
    eprintln!(
        "{file}: {} cases, {} pass, {} unsupported, {} wrong",
        judged.len(),
        count(|verdict| matches!(verdict, Verdict::Pass(_))),
        count(|verdict| matches!(verdict, Verdict::Unsupported(_))),
        count(|verdict| matches!(verdict, Verdict::Wrong(_))),
    );
    report(file, &judged);

    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests").join(file);
    if env::var_os("ONNX2PLAN_BLESS").is_some_and(|value| value == "1") {
        let lines: Vec<String> =
            judged.iter().map(|(name, (verdict, _))| format!("{name} {verdict}\n")).collect();
        fs::write(&path, lines.concat()).unwrap();
        return;
    }
    let listed = fs::read_to_string(&path).unwrap_or_default();
    let listed: BTreeMap<&str, &str> =
        listed.lines().filter_map(|line| line.split_once(' ')).collect();
    let changes = changes(&listed, &judged);
    assert!(changes.is_empty(), "{file} is out of date; ONNX2PLAN_BLESS=1 rewrites it:\n{changes}");
}

/// Every case on as many threads as there are processors.
fn judge_all(cases: &[Case], library: &Library) -> BTreeMap<String, Judged> {
    let next = AtomicUsize::new(0);
    let judged = Mutex::new(BTreeMap::new());
    let threads = thread::available_parallelism().map_or(2, usize::from);
    thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                while let Some(case) = cases.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let verdict = case.judge(library);
                    judged.lock().unwrap().insert(case.name.clone(), verdict);
                }
            });
        }
    });
    judged.into_inner().unwrap()
}

/// Lines that the list lacks or has otherwise, and lines of cases that are gone.
fn changes(listed: &BTreeMap<&str, &str>, judged: &BTreeMap<String, Judged>) -> String {
    let mut out = String::new();
    for (name, (verdict, details)) in judged {
        let now = verdict.to_string();
        let before = listed.get(name.as_str()).copied().unwrap_or("not listed");
        if before != now {
            let details = details.replace('\n', "\n      ");
            let _ = writeln!(out, "  {name}\n    was {before}\n    now {now}\n      {details}");
        }
    }
    for name in listed.keys().filter(|name| !judged.contains_key(**name)) {
        let _ = writeln!(out, "  {name}\n    is listed, but there is no such case");
    }
    out
}

/// Writes what does not pass to the target folder: by reason, most frequent first, with the first
/// case's details.
fn report(file: &str, judged: &BTreeMap<String, Judged>) {
    let mut reasons = BTreeMap::<String, Vec<(&str, &str)>>::new();
    for (name, (verdict, details)) in
        judged.iter().filter(|(_, (verdict, _))| !matches!(verdict, Verdict::Pass(_)))
    {
        reasons.entry(verdict.to_string()).or_default().push((name, details));
    }
    let mut reasons: Vec<_> = reasons.into_iter().collect();
    reasons.sort_by_key(|(_, cases)| std::cmp::Reverse(cases.len()));
    let mut out = String::new();
    for (reason, cases) in reasons {
        let names: Vec<&str> = cases.iter().map(|(name, _)| *name).collect();
        let details = cases.first().map_or("", |(_, details)| details).replace('\n', "\n    ");
        let _ = writeln!(out, "{} {reason}\n  {}\n    {details}\n", cases.len(), names.join(" "));
    }
    let path: PathBuf = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("failures-{file}"));
    fs::write(&path, out).unwrap();
    eprintln!("what does not pass: {}", path.display());
}
