//! A zoo's report as SARIF 2.1.0, which code scanners show: a result for each thing that is wrong
//! with a node.

use super::causes::{self, Wrong};
use super::zoo::{ModelReport, Report, Status};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// `report.sarif`. `page` gives the report of a model, if there is one.
pub fn log<'a>(report: &Report, page: impl Fn(&ModelReport) -> Option<&'a Value>) -> Value {
    let mut rules = BTreeMap::new();
    let mut results = Vec::new();
    for model in report.models.iter().filter(|model| model.exit_code != 0) {
        for wrong in causes::wrongs(model, page(model)) {
            results.push(result(model, &wrong));
            rules.entry(wrong.rule).or_insert(model.status);
        }
    }
    let rules: Vec<Value> = rules.iter().map(|(id, status)| rule(id, *status)).collect();
    let driver = json!({"name": "onnx2plan", "version": env!("CARGO_PKG_VERSION"), "rules": rules});
    json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": {"driver": driver},
            "results": results,
        }],
    })
}

fn meaning(status: Status) -> &'static str {
    match status {
        Status::Unjudged => "The plan was built, and its numbers were not compared",
        Status::Undetermined => "Rounding alone moves the numbers too far to say if they are right",
        Status::Vacuous => "The numbers agree with the reference, but would if they were wrong",
        Status::Differs => "The numbers differ from the reference",
        Status::Unsupported => "The model holds what cannot be converted",
        Status::Invalid => "The model breaks ONNX's rules",
        Status::Failed => "TensorRT refused the model, or something on the machine is missing",
        Status::Crashed => "The worker died",
        Status::Timeout => "The worker took too long",
        Status::Verified | Status::Evaluated | Status::Skipped => "Nothing is wrong",
    }
}

/// A rule: what a status means, and of which operator.
fn rule(id: &str, status: Status) -> Value {
    let text = match id.split_once('/') {
        Some((_, operator)) => format!("{}: {operator}", meaning(status)),
        None => meaning(status).to_owned(),
    };
    json!({"id": id, "shortDescription": {"text": text}})
}

fn result(model: &ModelReport, wrong: &Wrong) -> Value {
    let mut location = json!({"physicalLocation": {"artifactLocation": {"uri": uri(&model.path)}}});
    if let (Some((name, graph)), Some(fields)) = (&wrong.node, location.as_object_mut()) {
        let qualified = format!("{graph}/{name}");
        let node = json!([{"name": name, "fullyQualifiedName": qualified, "kind": "ONNX node"}]);
        fields.insert("logicalLocations".to_owned(), node);
    }
    let text = if wrong.text.is_empty() { meaning(model.status) } else { &wrong.text };
    let hint = wrong.hint.as_ref().map_or_else(String::new, |hint| format!("\nWay out: {hint}"));
    json!({
        "ruleId": wrong.rule,
        "level": if model.as_expected { "note" } else { "error" },
        "message": {"text": format!("{text}{hint}")},
        "locations": [location],
        "properties": {"model": model.name, "command": model.command},
    })
}

/// A path as a URI: everything that a path segment may not hold is written in hexadecimal.
fn uri(path: &str) -> String {
    use std::fmt::Write;
    path.bytes().fold(String::new(), |mut out, byte| {
        if byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte) {
            out.push(byte.into());
        } else {
            let _ = write!(out, "%{byte:02X}");
        }
        out
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_become_uris() {
        assert_eq!(uri("a b/<x>.onnx"), "a%20b/%3Cx%3E.onnx");
    }
}
