//! `onnx2plan ops`: the table of operators, from the registry; which of their sizes must be known
//! at build time; and what is not converted, with its cause.

use super::output::Output;
use crate::error::Result;
use crate::import::lacks::{LACKS, Lack};
use crate::import::registry::{self, NEWEST_OPSET, Op};
use crate::import::unknown::{Unknown, unknown};
use comfy_table::{Table, presets};
use serde::Serialize;

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Print the result as JSON
    #[arg(long, conflicts_with = "markdown")]
    json: bool,
    /// Print Markdown tables
    #[arg(long)]
    markdown: bool,
}

#[derive(Debug, Serialize)]
struct Row {
    domain: &'static str,
    operator: &'static str,
    family: &'static str,
    opsets: Vec<[i64; 2]>,
    inputs: &'static str,
    /// What becomes of it where sizes are known only at run time.
    unknown_sizes: Option<Unknown>,
    #[serde(skip)]
    label: String,
}

#[derive(Debug, Serialize)]
struct Operators {
    operators: Vec<Row>,
    unsupported: &'static [Lack],
}

pub(super) fn run(arguments: &Arguments, output: &mut Output) -> Result<()> {
    let operators = Operators { operators: rows(), unsupported: LACKS };
    if arguments.json {
        return output.json(&operators);
    }
    let (rows, markdown) = (operators.operators, arguments.markdown);
    let heading = |title: &str| if markdown { format!("## {title}") } else { title.to_lowercase() };
    output.data(&format!(
        "{}\n\n{}\n\n{}\n\n{}\n\n{}",
        table(&rows, markdown),
        heading("Sizes that only the run knows"),
        unknown_sizes(&rows, markdown),
        heading("Not converted"),
        lacking(markdown)
    ))
}

/// One row per operator, sorted by name.
fn rows() -> Vec<Row> {
    let mut rows: Vec<Row> = Vec::new();
    let mut all: Vec<(&'static str, &'static Op)> = registry::families().collect();
    all.sort_by_key(|(_, op)| (op.domain, op.name, op.since));
    for (family, op) in all {
        let range = [op.since, op.until.min(NEWEST_OPSET)];
        match rows.last_mut() {
            Some(row) if (row.domain, row.operator) == (op.domain, op.name) => {
                row.opsets.push(range);
                row.inputs = op.inputs;
            }
            _ => {
                let label = op.label();
                rows.push(Row {
                    domain: op.domain,
                    operator: op.name,
                    family,
                    opsets: vec![range],
                    inputs: op.inputs,
                    unknown_sizes: unknown().find(|unknown| unknown.operator == label),
                    label,
                });
            }
        }
    }
    rows
}

/// What operators say of sizes that are known only at run time, but for those that are converted
/// whatever is.
fn unknown_sizes(rows: &[Row], markdown: bool) -> String {
    let mut table = empty(markdown);
    table.set_header(["operator", "batch unknown", "last axis unknown", "all unknown"]);
    let told: Vec<Unknown> =
        rows.iter().filter_map(|row| row.unknown_sizes).filter(|one| !one.converts()).collect();
    for Unknown { operator, batch, inner, all } in &told {
        table.add_row([operator, batch, inner, all]);
    }
    let others = rows.len() - told.len();
    format!(
        "{others} operators are converted whatever sizes of their inputs are unknown. The others, \
         as their tests show (–: no \
         input of theirs has such a size, or constants fix it):\n\n{}",
        text(&table)
    )
}

/// What is not converted, operator by operator.
fn lacking(markdown: bool) -> String {
    let mut table = empty(markdown);
    table.set_header(["operator", "what of it", "cause"]);
    for lack in LACKS {
        let operators = if lack.operators.is_empty() { &["any"] } else { lack.operators };
        let part = if lack.part.is_empty() { "all" } else { lack.part };
        for &operator in operators {
            table.add_row([operator, part, lack.cause]);
        }
    }
    text(&table)
}

fn empty(markdown: bool) -> Table {
    let mut table = Table::new();
    table.load_style(if markdown { presets::ASCII_MARKDOWN } else { presets::NOTHING });
    table
}

fn text(table: &Table) -> String {
    super::table::lines(table)
}

fn table(rows: &[Row], markdown: bool) -> String {
    let mut table = empty(markdown);
    table.set_header(["operator", "opsets", "inputs", "family"]);
    for row in rows {
        let opsets: Vec<String> =
            row.opsets.iter().map(|[since, until]| format!("{since}-{until}")).collect();
        table.add_row([
            row.label.clone(),
            opsets.join(", "),
            row.inputs.to_owned(),
            row.family.to_owned(),
        ]);
    }
    format!("{}\n\n{} operators, up to opset {NEWEST_OPSET}", text(&table), rows.len())
}
