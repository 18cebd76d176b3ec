//! Tables of how numbers compare, as the terminal shows them.

use crate::report::Verification;
use crate::report::verification::{Judgment, OutputComparison};
use crate::shown::name;
use crate::verify::by_layer::Compared;
use comfy_table::{Table, presets};

/// A table without borders, with nothing behind the last word of a line.
pub(super) fn lines(table: &Table) -> String {
    table.lines().map(|line| line.trim_end().to_owned()).collect::<Vec<_>>().join("\n")
}

/// One row for each node.
pub(super) fn by_layer(nodes: &[Compared]) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table.set_header(["", "node", "operator", "type", "differ", "max error", "relative", "cosine"]);
    for Compared { node, op, comparison } in nodes {
        let verdict = verdict(comparison);
        let [differ, absolute, relative, cosine] = statistics(comparison);
        table.add_row([
            verdict,
            &name(node),
            &name(op),
            &comparison.actual,
            &differ,
            &absolute,
            &relative,
            &cosine,
        ]);
    }
    format!("{}\n", lines(&table))
}

/// One row for each output of each data set.
pub(super) fn by_output(verifications: &[Verification], caveat: Option<&str>) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table.set_header(["", "output", "type", "differ", "max error", "relative", "cosine", "data"]);
    for verification in verifications {
        for output in &verification.outputs {
            let [differ, absolute, relative, cosine] = statistics(output);
            let (verdict, data) = (verdict(output), &name(&verification.reference));
            table.add_row([
                verdict,
                &name(&output.name),
                &output.actual,
                &differ,
                &absolute,
                &relative,
                &cosine,
                data,
            ]);
        }
    }
    let caveat = caveat.map_or_else(String::new, |caveat| format!("\n\n{caveat}"));
    let said = [rounding, measured, overruled].map(|say| say(verifications)).concat();
    format!("{}{said}{caveat}", lines(&table))
}

/// A line for each limit that the user set.
fn measured(verifications: &[Verification]) -> String {
    let mut said = Vec::new();
    for verification in verifications {
        for output in &verification.outputs {
            for measure in &output.metrics {
                let (output, data) = (name(&output.name), name(&verification.reference));
                let holds = if measure.holds { "" } else { "does not hold: " };
                said.push(format!("\n{holds}`{output}` is judged by {measure}: {data}"));
            }
        }
    }
    if said.is_empty() { String::new() } else { format!("\n{}", said.concat()) }
}

/// A line for each data set that does not count.
fn overruled(verifications: &[Verification]) -> String {
    let line = |data: &String| {
        let data = name(data);
        format!(
            "\nthe outputs in `{data}` do not count: ONNX Runtime, with exact sums of products of 8 \
             bits, gives others, with which these are compared"
        )
    };
    let lines: String =
        verifications.iter().filter_map(|found| found.overrules.as_ref().map(line)).collect();
    if lines.is_empty() { lines } else { format!("\n{lines}") }
}

/// A line for each output that was judged by what rounding can do.
fn rounding(verifications: &[Verification]) -> String {
    let mut said = Vec::new();
    for verification in verifications {
        for OutputComparison { name: output, rounding, .. } in &verification.outputs {
            let Some(rounding) = rounding else { continue };
            let (by, data) = (rounding.spread, name(&verification.reference));
            let output = name(output);
            said.push(format!(
                "\n`{output}` is judged by rounding, which moves it by {by:.1e}: {data}"
            ));
        }
    }
    if said.is_empty() { String::new() } else { format!("\n{}", said.concat()) }
}

fn verdict(compared: &OutputComparison) -> &'static str {
    match compared.verdict {
        Judgment::Agrees => "agrees",
        Judgment::Vacuous => "VACUOUS",
        Judgment::Undetermined => "UNDETERMINED",
        Judgment::Differs => "DIFFERS",
    }
}

/// Elements that differ, largest absolute and relative error, cosine.
fn statistics(compared: &OutputComparison) -> [String; 4] {
    match compared.statistics.as_ref().filter(|_| compared.incomparable.is_none()) {
        None => [
            compared.incomparable.clone().unwrap_or_default(),
            String::new(),
            String::new(),
            String::new(),
        ],
        Some(statistics) => [
            format!("{} of {}", statistics.mismatches, statistics.elements),
            format!("{:.2e}", statistics.max_absolute),
            format!("{:.2e}", statistics.max_relative),
            statistics.cosine.map_or_else(String::new, |cosine| format!("{cosine:.7}")),
        ],
    }
}
