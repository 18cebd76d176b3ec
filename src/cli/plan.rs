//! `onnx2plan inspect x.plan`: what a plan holds, as the manifest beside it says.

use super::output::{Output, counted};
use super::table;
use crate::convert::replay;
use crate::error::Result;
use crate::recipe::line;
use crate::report::filters;
use crate::report::manifest::{Binding, Manifest, Verdict};
use comfy_table::{Table, presets};
use std::fmt::Write;
use std::path::Path;

/// Shows the manifest of a plan that is the one that the manifest describes.
///
/// # Errors
/// [`Kind::Usage`](crate::Kind::Usage) for a plan without its manifest, or with another's.
pub(super) fn inspect(path: &Path, as_json: bool, output: &mut Output) -> Result<()> {
    let manifest = replay::manifest_of(path)?;
    if as_json { output.json(&manifest) } else { output.data(&text(path, &manifest)) }
}

fn text(path: &Path, manifest: &Manifest) -> String {
    let mut out = format!("{}\n", path.display());
    let mut line = |key: &str, value: &str| {
        let _ = writeln!(out, "{key:>12}  {value}");
    };
    line("built by", &format!("{}, {}", manifest.library, manifest.producer));
    line("built for", &targets(manifest));
    line("built from", &format!("{}, SHA-256 {}", manifest.model.name, manifest.model.sha256));
    line("size", &size(manifest.plan.bytes));
    let options = line::words(&manifest.options.recipe).join(" ");
    line("options", if options.is_empty() { "none" } else { &options });
    line("numbers", verdict(manifest.verification));
    if let Some(found) = &manifest.precision {
        line("types", &format!("{}; outputs within {}", found.layers, found.within));
    }
    let bindings = [("input", &manifest.inputs), ("output", &manifest.outputs)];
    for (what, binding) in
        bindings.iter().flat_map(|(what, all)| all.iter().map(move |b| (what, b)))
    {
        line(what, &format!("{}  {}[{}]", binding.name, binding.dtype, binding.shape.join(", ")));
        for range in ranges(binding) {
            line("", &range);
        }
    }
    let mut layers = Table::new();
    layers.load_style(presets::NOTHING);
    layers.set_header(["layer", "nodes"]);
    for layer in &manifest.layers {
        layers.add_row([layer.name.clone(), layer.nodes.join(" ")]);
    }
    let _ = write!(out, "\n{}", counted(manifest.layers.len(), "layer"));
    let _ = write!(out, "\n{}\n", table::lines(&layers));
    for note in &manifest.notes {
        let _ = write!(out, "\nnote: {note}");
    }
    out
}

/// The ranges of an input, one profile a line.
pub(super) fn ranges(binding: &Binding) -> Vec<String> {
    let list = |list: &[i64]| list.iter().map(ToString::to_string).collect::<Vec<_>>().join("x");
    let range = |[min, opt, max]: &[Vec<i64>; 3]| {
        format!("from {} to {}, optimized for {}", list(min), list(max), list(opt))
    };
    binding.profiles.iter().chain(&binding.values).map(range).collect()
}

/// The GPUs that a plan was built for.
pub(super) fn targets(manifest: &Manifest) -> String {
    match &manifest.targets[..] {
        [] => "the library's default".to_owned(),
        targets => targets.join(", "),
    }
}

/// What is known of a plan's numbers.
pub(super) fn verdict(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Verified => "right: the plan was run, and agrees with the reference",
        Verdict::Undetermined => "undetermined: rounding moves them too far",
        Verdict::Vacuous => "untested: the data test nothing",
        Verdict::Differs => "wrong: the plan was run, and differs from the reference",
        Verdict::NotRun => "unknown: the plan was not run",
    }
}

/// A size for people.
pub(super) fn size(bytes: u64) -> String {
    #[expect(clippy::cast_precision_loss, reason = "shown with one digit after the point")]
    filters::bytes(bytes as f64)
}
