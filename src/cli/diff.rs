//! `onnx2plan diff`: how two plans differ in what they were made of and in their layers, as their
//! manifests say. How fast they are tells `onnx2plan time`.

use super::output::{Output, counted};
use super::plan::{ranges, size, targets, verdict};
use crate::convert::replay;
use crate::error::Result;
use crate::recipe::line;
use crate::report::manifest::{Binding, Manifest};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::path::PathBuf;

#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  onnx2plan diff a.plan b.plan              what they were made of, and their layers
  onnx2plan time a.plan b.plan              which is faster on this GPU")]
pub(super) struct Arguments {
    /// A plan with its manifest next to it
    before: PathBuf,
    /// The plan to compare with it
    after: PathBuf,
    /// Print the result as JSON
    #[arg(long)]
    json: bool,
}

/// What differs.
#[derive(Debug, Default, PartialEq, Serialize)]
struct Difference {
    /// What is said of both, and differs.
    facts: Vec<Fact>,
    /// Layers of the nodes that only the first plan has, as often as it has them.
    only_before: Vec<String>,
    /// Those that only the second has.
    only_after: Vec<String>,
    layers_alike: usize,
}

#[derive(Debug, PartialEq, Serialize)]
struct Fact {
    what: String,
    before: String,
    after: String,
}

pub(super) fn run(arguments: &Arguments, output: &mut Output) -> Result<()> {
    let before = replay::manifest_of(&arguments.before)?;
    let after = replay::manifest_of(&arguments.after)?;
    let difference = difference(&before, &after);
    if arguments.json { output.json(&difference) } else { output.data(&text(&difference)) }
}

fn difference(before: &Manifest, after: &Manifest) -> Difference {
    let (facts, others) = (facts(before), facts(after));
    let names: BTreeSet<&String> = facts.keys().chain(others.keys()).collect();
    let absent = || "none".to_owned();
    let fact = |name: &String| Fact {
        what: name.clone(),
        before: facts.get(name).cloned().unwrap_or_else(absent),
        after: others.get(name).cloned().unwrap_or_else(absent),
    };
    let facts = names.into_iter().map(fact).filter(|fact| fact.before != fact.after).collect();
    let mut counts: BTreeMap<String, (usize, usize)> = BTreeMap::new();
    layers(before).for_each(|layer| counts.entry(layer).or_default().0 += 1);
    layers(after).for_each(|layer| counts.entry(layer).or_default().1 += 1);
    let mut difference = Difference { facts, ..Difference::default() };
    for (layer, (before, after)) in counts {
        let repeated = |times: usize| std::iter::repeat_n(layer.clone(), times);
        difference.only_before.extend(repeated(before.saturating_sub(after)));
        difference.only_after.extend(repeated(after.saturating_sub(before)));
        difference.layers_alike += before.min(after);
    }
    difference
}

/// What is known of a plan besides its layers.
fn facts(manifest: &Manifest) -> BTreeMap<String, String> {
    let mut facts = BTreeMap::from([
        ("built by".to_owned(), manifest.library.clone()),
        ("built for".to_owned(), targets(manifest)),
        ("made with".to_owned(), manifest.producer.clone()),
        ("model".to_owned(), manifest.model.sha256.clone()),
        ("numbers".to_owned(), verdict(manifest.verification).to_owned()),
        ("options".to_owned(), line::words(&manifest.options.recipe).join(" ")),
        ("size".to_owned(), size(manifest.plan.bytes)),
    ]);
    let binding = |what: &str, binding: &Binding| {
        let Binding { name, dtype, shape, .. } = binding;
        let ranges = ranges(binding).join("; ");
        (format!("{what} `{name}`"), format!("{dtype}[{}] {ranges}", shape.join(", ")))
    };
    facts.extend(manifest.inputs.iter().map(|input| binding("input", input)));
    facts.extend(manifest.outputs.iter().map(|output| binding("output", output)));
    facts
}

/// The layers by name, with the nodes behind them.
fn layers(manifest: &Manifest) -> impl Iterator<Item = String> {
    manifest.layers.iter().map(|layer| match layer.nodes.join(" ") {
        nodes if nodes.is_empty() || nodes == layer.name => layer.name.clone(),
        nodes => format!("{} ({nodes})", layer.name),
    })
}

fn text(difference: &Difference) -> String {
    let mut out = String::new();
    for Fact { what, before, after } in &difference.facts {
        let _ = writeln!(out, "{what}\n  - {}\n  + {}", before.trim_end(), after.trim_end());
    }
    let _ = writeln!(out, "{} alike", counted(difference.layers_alike, "layer"));
    for (sign, layers) in [('-', &difference.only_before), ('+', &difference.only_after)] {
        for layer in layers {
            let _ = writeln!(out, "  {sign} {layer}");
        }
    }
    out
}
