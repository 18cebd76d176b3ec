//! What got worse or better between two reports on a zoo: `docs/report-schema.md`, "A difference".

use super::environment::Environment;
use super::filters;
use super::model::SCHEMA;
use super::zoo::{ModelReport, Report, Status};
use serde::Serialize;
use std::collections::BTreeMap;
use std::fmt;

/// How many times its old value a number may be before it is called worse; the other way round,
/// better.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Thresholds {
    /// Of the largest absolute error of an output. Errors within a tenth of the absolute tolerance
    /// all count as that.
    pub error: f64,
    /// Of the median latency. Latencies below 10 µs count as that.
    pub latency: f64,
    /// Of the time to build the plan. Times below a second count as that.
    pub build: f64,
    /// Of the plan's size. Plans below 64 KiB count as that.
    pub size: f64,
}

/// The share of the absolute tolerance up to which an error is as good as none.
const SHARE_OF_TOLERANCE: f64 = 0.1;
const LEAST_LATENCY_MS: f64 = 0.01;
const LEAST_BUILD_SECONDS: f64 = 1.0;
const LEAST_PLAN_BYTES: f64 = 65536.0;

/// The difference between two reports.
#[derive(Debug, Clone, Serialize)]
pub struct Diff {
    /// See [`SCHEMA`].
    pub schema: u32,
    /// `diff`.
    pub kind: &'static str,
    /// Name and version of this program.
    pub producer: String,
    /// By what numbers are called worse.
    pub thresholds: Thresholds,
    /// How many models are in both reports.
    pub compared: usize,
    /// Names of models with a change for the worse.
    pub worse: Vec<String>,
    /// Names of models with a change for the better, and none for the worse.
    pub better: Vec<String>,
    /// What changed, in the order of the new report.
    pub changes: Vec<Change>,
    /// Models that only the new report has.
    pub added: Vec<Entry>,
    /// Models that only the old report has.
    pub removed: Vec<Entry>,
    /// What else differs between the two runs.
    pub notes: Vec<String>,
}

/// A model that is in one report only.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Entry {
    /// Its name.
    pub name: String,
    /// How it ended.
    pub status: Status,
}

/// One thing about one model that changed.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Change {
    /// The model.
    pub name: String,
    /// Which way it goes.
    pub turn: Turn,
    /// What changed, with both values.
    #[serde(flatten)]
    pub what: What,
    /// Of a status: why the model ended that way now.
    pub reason: Option<String>,
}

/// Which way a change goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Turn {
    /// Got worse.
    Worse,
    /// From one bad status to another.
    Changed,
    /// Got better.
    Better,
}

/// What is compared.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "what", rename_all = "snake_case")]
#[non_exhaustive]
pub enum What {
    /// How the model ended.
    Status {
        /// Before.
        old: Status,
        /// Now.
        new: Status,
    },
    /// The largest absolute error of an output.
    Error {
        /// Name of the output.
        output: String,
        /// Before.
        old: f64,
        /// Now.
        new: f64,
    },
    /// Median latency in milliseconds.
    LatencyMs {
        /// Before.
        old: f64,
        /// Now.
        new: f64,
    },
    /// Time to build the plan.
    BuildSeconds {
        /// Before.
        old: f64,
        /// Now.
        new: f64,
    },
    /// Size of the plan.
    PlanBytes {
        /// Before.
        old: u64,
        /// Now.
        new: u64,
    },
}

/// A change as tables show it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Row {
    /// The model.
    pub name: String,
    /// Which way it goes.
    pub turn: Turn,
    /// What changed.
    pub what: String,
    /// The value before.
    pub old: String,
    /// The value now; for a number, how many times the old one that is; for a status, why.
    pub new: String,
}

impl Diff {
    /// The changes, those for the worse first.
    pub fn rows(&self) -> Vec<Row> {
        let row = |change: &Change| {
            let [what, old, mut new] = change.what.texts();
            if let Some(reason) = &change.reason {
                new = format!("{new}: {reason}");
            }
            Row { name: change.name.clone(), turn: change.turn, what, old, new }
        };
        let mut rows: Vec<Row> = self.changes.iter().map(row).collect();
        rows.sort_by_key(|row| row.turn);
        rows
    }

    /// What came of it, on one line: `1 of 12 models got worse, 2 got better; 1 added, 1 removed`.
    pub fn summary(&self) -> String {
        let (all, worse, better) = (self.compared, self.worse.len(), self.better.len());
        let of = if all == 1 { "model" } else { "models" };
        let worse = if worse == 0 {
            format!("{all} {of}, none got worse")
        } else {
            format!("{worse} of {all} {of} got worse")
        };
        let better = if better == 0 { String::new() } else { format!(", {better} got better") };
        let sides = [(self.added.len(), "added"), (self.removed.len(), "removed")];
        let sides = sides
            .iter()
            .filter(|(count, _)| *count > 0)
            .map(|(count, what)| format!("{count} {what}"));
        let sides = sides.collect::<Vec<_>>().join(", ");
        let separator = if sides.is_empty() { "" } else { "; " };
        format!("{worse}{better}{separator}{sides}")
    }
}

impl What {
    /// What it is, and both values.
    fn texts(&self) -> [String; 3] {
        let numbers = |what: &str, old: f64, new: f64, text: fn(f64) -> String| {
            [what.to_owned(), text(old), format!("{}{}", text(new), times(old, new))]
        };
        match *self {
            Self::Status { old, new } => ["status".to_owned(), old.to_string(), new.to_string()],
            Self::Error { ref output, old, new } => {
                numbers(&format!("error of {output}"), old, new, filters::scientific)
            }
            Self::LatencyMs { old, new } => numbers("latency", old, new, filters::milliseconds),
            Self::BuildSeconds { old, new } => numbers("build time", old, new, filters::seconds),
            Self::PlanBytes { old, new } => {
                numbers("plan size", real(old), real(new), filters::bytes)
            }
        }
    }
}

/// How many times as large a number became: ` (×2.3)`, or ` (÷2.3)`. Nothing where one is 0.
fn times(old: f64, new: f64) -> String {
    if old <= 0.0 || new <= 0.0 {
        return String::new();
    }
    let (sign, ratio) = if new < old { ('÷', old / new) } else { ('×', new / old) };
    if ratio < 10.0 { format!(" ({sign}{ratio:.1})") } else { format!(" ({sign}{ratio:.0})") }
}

impl fmt::Display for Turn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Turn::Worse => "worse",
            Turn::Changed => "changed",
            Turn::Better => "better",
        })
    }
}

/// Compares two reports, model by model, by name.
pub fn diff(old: &Report, new: &Report, thresholds: Thresholds) -> Diff {
    let before: BTreeMap<&str, &ModelReport> =
        old.models.iter().map(|model| (model.name.as_str(), model)).collect();
    let now: BTreeMap<&str, &ModelReport> =
        new.models.iter().map(|model| (model.name.as_str(), model)).collect();
    let only = |of: &Report, other: &BTreeMap<&str, &ModelReport>| {
        let alone = of.models.iter().filter(|model| !other.contains_key(model.name.as_str()));
        alone.map(|model| Entry { name: model.name.clone(), status: model.status }).collect()
    };
    let mut diff = Diff {
        schema: SCHEMA,
        kind: "diff",
        producer: super::producer(),
        thresholds,
        compared: 0,
        worse: Vec::new(),
        better: Vec::new(),
        changes: Vec::new(),
        added: only(new, &before),
        removed: only(old, &now),
        notes: notes(old, new),
    };
    for model in &new.models {
        let Some(old) = before.get(model.name.as_str()) else { continue };
        diff.compared += 1;
        let changes = changes(old, model, thresholds);
        if changes.iter().any(|change| change.turn == Turn::Worse) {
            diff.worse.push(model.name.clone());
        } else if changes.iter().any(|change| change.turn == Turn::Better) {
            diff.better.push(model.name.clone());
        }
        diff.changes.extend(changes);
    }
    diff
}

/// What changed about a model.
fn changes(old: &ModelReport, new: &ModelReport, thresholds: Thresholds) -> Vec<Change> {
    let mut found: Vec<(Turn, What)> = Vec::new();
    if old.status != new.status {
        found.push((status(old, new), What::Status { old: old.status, new: new.status }));
    }
    for output in &new.outputs {
        let error = |model: &ModelReport| {
            let output = model.outputs.iter().find(|other| other.name == output.name)?;
            Some(output.statistics.as_ref()?.max_absolute)
        };
        let least = output.tolerance.absolute * SHARE_OF_TOLERANCE;
        let change = number(error(old), error(new), least, thresholds.error);
        found.extend(
            change.map(|(turn, old, new)| {
                (turn, What::Error { output: output.name.clone(), old, new })
            }),
        );
    }
    let change = number(old.latency_ms, new.latency_ms, LEAST_LATENCY_MS, thresholds.latency);
    found.extend(change.map(|(turn, old, new)| (turn, What::LatencyMs { old, new })));
    let change =
        number(old.seconds.build, new.seconds.build, LEAST_BUILD_SECONDS, thresholds.build);
    found.extend(change.map(|(turn, old, new)| (turn, What::BuildSeconds { old, new })));
    if let (Some(old), Some(new)) = (old.plan_bytes, new.plan_bytes) {
        let change = number(Some(real(old)), Some(real(new)), LEAST_PLAN_BYTES, thresholds.size);
        found.extend(change.map(|(turn, ..)| (turn, What::PlanBytes { old, new })));
    }
    let reason = |what: &What| new.reason.clone().filter(|_| matches!(what, What::Status { .. }));
    found
        .into_iter()
        .map(|(turn, what)| Change { name: new.name.clone(), turn, reason: reason(&what), what })
        .collect()
}

#[allow(clippy::cast_precision_loss, reason = "sizes are compared by their ratio")]
fn real(bytes: u64) -> f64 {
    bytes as f64
}

/// Which way another status is: by how good it is, then by whether it was expected.
fn status(old: &ModelReport, new: &ModelReport) -> Turn {
    if old.status.is_better_than(new.status) {
        Turn::Worse
    } else if new.status.is_better_than(old.status) {
        Turn::Better
    } else {
        match (old.as_expected, new.as_expected) {
            (true, false) => Turn::Worse,
            (false, true) => Turn::Better,
            _ => Turn::Changed,
        }
    }
}

/// Which way a number went, where both are there and they are further apart than `factor`. What is
/// below `least` counts as that.
fn number(old: Option<f64>, new: Option<f64>, least: f64, factor: f64) -> Option<(Turn, f64, f64)> {
    let (old, new) = (old?, new?);
    let (from, to) = (old.max(least), new.max(least));
    if to > from * factor {
        Some((Turn::Worse, old, new))
    } else if to * factor < from {
        Some((Turn::Better, old, new))
    } else {
        None
    }
}

/// What differs between the runs besides the models, so that nobody blames a change of machine on a
/// change of code.
fn notes(old: &Report, new: &Report) -> Vec<String> {
    let facts = |report: &Report| {
        let Environment { library, gpu, driver, os, cpu } = &report.environment;
        let absent = || "none".to_owned();
        let mut facts = vec![
            ("producer".to_owned(), report.producer.clone()),
            ("library".to_owned(), library.clone().unwrap_or_else(absent)),
            ("GPU".to_owned(), gpu.as_ref().map_or_else(absent, |gpu| gpu.name.clone())),
            ("driver".to_owned(), driver.clone().unwrap_or_else(absent)),
            ("system".to_owned(), os.clone()),
            ("CPU".to_owned(), cpu.clone()),
        ];
        facts.extend(report.options.fields());
        facts
    };
    let pairs = facts(old).into_iter().zip(facts(new));
    let mut notes: Vec<String> = pairs
        .filter(|((_, old), (_, new))| old != new)
        .map(|((name, old), (_, new))| format!("{name}: {old} before, {new} now"))
        .collect();
    for (which, report) in [("old", old), ("new", new)] {
        let missing = report.missing();
        if let (false, Some(shard)) = (missing.is_empty(), report.shards.first()) {
            notes.push(format!(
                "the {which} report lacks {} of {} shards",
                missing.len(),
                shard.count
            ));
        }
    }
    notes
}

#[cfg(test)]
mod tests {
    use super::*;

    fn model(status: Status, expected: Option<Status>) -> ModelReport {
        ModelReport::new("m", "m.onnx", status).expecting(expected)
    }

    #[test]
    fn a_status_turns_by_how_good_it_is_then_by_what_was_expected() {
        use Status::{Crashed, Differs, Evaluated, Skipped, Unsupported, Verified};
        let cases = [
            ((Verified, None), (Evaluated, None), Turn::Worse),
            ((Differs, None), (Evaluated, None), Turn::Better),
            ((Unsupported, None), (Crashed, None), Turn::Changed),
            ((Unsupported, Some(Unsupported)), (Crashed, Some(Unsupported)), Turn::Worse),
            ((Crashed, Some(Unsupported)), (Unsupported, Some(Unsupported)), Turn::Better),
            ((Skipped, None), (Differs, None), Turn::Worse),
            // An expectation that was lowered makes nothing better.
            ((Verified, None), (Differs, Some(Differs)), Turn::Worse),
        ];
        for (old, new, turn) in cases {
            assert_eq!(
                status(&model(old.0, old.1), &model(new.0, new.1)),
                turn,
                "{old:?} to {new:?}"
            );
        }
    }

    #[test]
    fn numbers_turn_beyond_a_factor_and_above_what_counts() {
        let turn = |old, new| number(Some(old), Some(new), 1.0, 2.0).map(|(turn, ..)| turn);
        assert_eq!([turn(2.0, 4.0), turn(4.0, 2.0), turn(0.0, 2.0), turn(0.1, 0.9)], [None; 4]);
        assert_eq!([turn(2.0, 4.1), turn(0.0, 2.1)], [Some(Turn::Worse); 2]);
        assert_eq!([turn(4.1, 2.0), turn(2.1, 0.0)], [Some(Turn::Better); 2]);
        assert_eq!(number(None, Some(1.0), 0.0, 2.0), None);
        // Whole numbers have no tolerance: the first error is infinitely worse than none.
        assert_eq!(
            number(Some(0.0), Some(1.0), 0.0, 2.0).map(|(turn, ..)| turn),
            Some(Turn::Worse)
        );
    }

    #[test]
    fn ratios_are_shown_where_there_are_any() {
        let texts = [
            times(1.0, 2.34),
            times(2.34, 1.0),
            times(1.0, 350.4),
            times(0.0, 1.0),
            times(1.0, 0.0),
        ];
        assert_eq!(texts, [" (×2.3)", " (÷2.3)", " (×350)", "", ""]);
    }
}
