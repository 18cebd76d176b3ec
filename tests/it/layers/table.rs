//! `docs/layers.md`: the sections with their nodes, their layers, and what became of them on each
//! back end.

use onnx2plan::network::{LayerKind, Network};
use onnx2plan::onnx::Model;
use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs;
use std::path::Path;

/// A section and what became of it.
pub(super) struct Row {
    pub(super) section: String,
    pub(super) form: String,
    pub(super) layers: Vec<String>,
    pub(super) evaluator: String,
    pub(super) rtx: String,
    pub(super) trt8: String,
}

/// Verdicts of a run on a machine with a GPU: `tests/layers-8.6.txt`, `section: verdict` in each
/// line.
pub(super) struct Recorded(BTreeMap<String, String>);

impl Recorded {
    pub(super) fn read() -> Self {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/layers-8.6.txt");
        let text = fs::read_to_string(path).unwrap_or_default();
        let lines = text.lines().filter_map(|line| line.split_once(": "));
        Self(lines.map(|(section, verdict)| (section.to_owned(), verdict.to_owned())).collect())
    }

    pub(super) fn of(&self, section: &str) -> String {
        self.0.get(section).cloned().unwrap_or_else(|| "not run".to_owned())
    }
}

const HEADER: &str = "# The five layers

The test `every_section_gives_its_numbers` writes this file. Each row is a model of `models/layers`
with the numbers that the section's rule gives. `models/layers/generate.py` computes them from that
rule in double precision and checks them against printed numbers where there are any.

- **nodes**: the nodes in the ONNX file; `TRT_…` are [native nodes](native-nodes.md).
- **layers**: what they become after optimization, with all attributes that are not the default.
  Constants are left out.
- **evaluator**: whether the layers, computed on the CPU, give the section's numbers.
- **TensorRT-RTX**: whether it builds a plan, which needs no GPU.
- **TensorRT 8.6**: the result on a machine with a GPU, recorded in `tests/layers-8.6.txt`.
";

/// The whole document.
pub(super) fn document(rows: &[Row]) -> String {
    let mut out = HEADER.to_owned();
    let mut chapter = "";
    for row in rows {
        let (of, section) = row.section.split_once('-').unwrap_or((&row.section, ""));
        if of != chapter {
            chapter = of;
            let mut letters = of.chars();
            let title: String =
                letters.next().into_iter().flat_map(char::to_uppercase).chain(letters).collect();
            let _ = write!(
                out,
                "\n## {title}\n\n| section | nodes | layers | evaluator | TensorRT-RTX | TensorRT \
                 8.6 |\n\
                 |---|---|---|---|---|---|\n"
            );
        }
        let layers = counted(row.layers.iter().cloned()).join("<br>");
        let Row { form, evaluator, rtx, trt8, .. } = row;
        let _ = writeln!(out, "| {section} | {form} | {layers} | {evaluator} | {rtx} | {trt8} |");
    }
    out
}

/// The operators of the nodes, in order.
pub(super) fn form(model: &Model) -> String {
    let operators = model.graph.nodes.iter().map(|node| node.op.clone());
    counted(operators).join(", ")
}

/// Equal texts once, with their number, in the order of their first.
fn counted(texts: impl Iterator<Item = String>) -> Vec<String> {
    let mut counts: Vec<(String, usize)> = Vec::new();
    for text in texts {
        match counts.iter_mut().find(|(known, _)| *known == text) {
            Some((_, count)) => *count += 1,
            None => counts.push((text, 1)),
        }
    }
    counts
        .into_iter()
        .map(|(text, count)| if count > 1 { format!("{text} ×{count}") } else { text })
        .collect()
}

/// The layers of a network with their attributes, those of nested blocks included, constants not.
pub(super) fn layers(network: &Network) -> Vec<String> {
    let kinds = network.live_layers().into_iter().map(|id| &network.layer(id).kind);
    kinds.filter(|kind| !matches!(kind, LayerKind::Constant(_))).map(layer).collect()
}

fn layer(kind: &LayerKind) -> String {
    format!("{} {:#}", kind.name(), kind.attributes()).trim_end().to_owned()
}
