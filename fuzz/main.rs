//! Feeds onnx2plan inputs that nobody would write, on the stable toolchain.
//!
//! ```text
//! cargo run --release --example fuzz -- --seconds 3600 decode import
//! ```
//!
//! Without names all targets run, each for as long as is said (5 seconds). `--seed N` begins
//! elsewhere. A panic, an error that calls itself a bug, a broken promise and an input that takes
//! longer than 10 seconds, which is seen once it ends, are findings: they are printed with their seed, which gives the same
//! input again with `--seed N --inputs 1`, and the process ends with 1. One that ends the process
//! is found by the line that says which seed was at work, in the file that `--now` names.

#![allow(clippy::print_stdout, reason = "it says what it found")]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "what breaks here is a finding")]

mod draw;
mod models;
mod targets;

use draw::Draw;
use std::panic::{AssertUnwindSafe, catch_unwind, set_hook};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// An input that takes longer is a finding.
const SLOW: Duration = Duration::from_secs(10);

/// So many inputs that a target which takes none of them tests little.
const ENOUGH: u64 = 500;

/// What the last panic said.
static SAID: Mutex<String> = Mutex::new(String::new());

/// What to do.
struct Plan {
    seconds: u64,
    inputs: u64,
    seed: u64,
    now: Option<PathBuf>,
    targets: Vec<String>,
}

impl Plan {
    /// What the command line says; the word that is no option and no target.
    fn read() -> Result<Self, String> {
        let mut plan =
            Self { seconds: 5, inputs: u64::MAX, seed: 0, now: None, targets: Vec::new() };
        let mut words = std::env::args().skip(1);
        while let Some(word) = words.next() {
            let mut number = || words.next().and_then(|text| text.parse().ok()).expect("a number");
            match &*word {
                "--seconds" => plan.seconds = number(),
                "--inputs" => plan.inputs = number(),
                "--seed" => plan.seed = number(),
                "--now" => plan.now = words.next().map(PathBuf::from),
                name if targets::ALL.iter().any(|(known, _)| *known == name) => {
                    plan.targets.push(word);
                }
                _ => return Err(word),
            }
        }
        Ok(plan)
    }
}

fn main() -> ExitCode {
    set_hook(Box::new(|info| {
        *SAID.lock().unwrap_or_else(PoisonError::into_inner) = info.to_string();
    }));
    let plan = match Plan::read() {
        Ok(plan) => plan,
        Err(word) => {
            let known: Vec<&str> = targets::ALL.iter().map(|(name, _)| *name).collect();
            println!("there is no option or target `{word}`; targets are {}", known.join(", "));
            return ExitCode::from(2);
        }
    };
    let mut found = 0;
    for (name, target) in targets::ALL {
        if plan.targets.is_empty() || plan.targets.iter().any(|wanted| wanted == name) {
            found += run(&plan, name, *target);
        }
    }
    if found > 0 { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

/// Runs one target; how much it found.
fn run(plan: &Plan, name: &str, target: targets::Target) -> usize {
    let start = Instant::now();
    let end = start + Duration::from_secs(plan.seconds);
    let (mut count, mut found, mut rejected) = (0, 0, 0);
    for seed in (plan.seed..).take(usize::try_from(plan.inputs).unwrap_or(usize::MAX)) {
        let began = Instant::now();
        if began > end {
            break;
        }
        if let Some(now) = &plan.now {
            std::fs::write(now, format!("{name} --seed {seed}\n")).unwrap();
        }
        let result = catch_unwind(AssertUnwindSafe(|| target(&mut Draw::new(seed))));
        let said = match result {
            Ok(Ok(taken)) => {
                rejected += u64::from(!taken);
                (began.elapsed() > SLOW).then(|| format!("it took {:?}", began.elapsed()))
            }
            Ok(Err(broken)) => Some(broken),
            Err(_) => Some(SAID.lock().unwrap_or_else(PoisonError::into_inner).clone()),
        };
        if let Some(said) = said {
            println!("found: {name} --seed {seed} --inputs 1\n  {}", said.replace('\n', "\n  "));
            found += 1;
        }
        count += 1;
    }
    if rejected == count && count >= ENOUGH {
        println!("found: {name} took none of {count} inputs");
        found += 1;
    }
    let peak = targets::peak_mib();
    println!(
        "{name}: {count} inputs, {rejected} of them refused, in {:.1} s; {found} findings; at most \
         {peak} MiB",
        start.elapsed().as_secs_f64()
    );
    found
}
