//! A zoo's report as SARIF 2.1.0, which code scanners show: a result for each thing that is wrong
//! with a node.

use super::zoo::{ModelReport, Report, Status};
use serde_json::{Value, json};

/// `report.sarif`. `page` gives the report of a model, if there is one.
pub fn log<'a>(report: &Report, page: impl Fn(&ModelReport) -> Option<&'a Value>) -> Value {
    let rules: Vec<Value> = Status::ALL
        .into_iter()
        .filter(|status| status.exit_code() != 0)
        .map(|status| {
            json!({"id": status.to_string(), "shortDescription": {"text": meaning(status)}})
        })
        .collect();
    let driver = json!({"name": "onnx2plan", "version": env!("CARGO_PKG_VERSION"), "rules": rules});
    let wrong = report.models.iter().filter(|model| model.status.exit_code() != 0);
    let results: Vec<Value> = wrong.flat_map(|model| results(model, page(model))).collect();
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

/// One result for each problem, or for the first wrong nodes; else one for the model.
fn results(model: &ModelReport, page: Option<&Value>) -> Vec<Value> {
    let list =
        |pointer: &str| page.and_then(|page| page.pointer(pointer)).and_then(Value::as_array);
    let text = |value: &Value, key: &str| {
        value.get(key).and_then(Value::as_str).unwrap_or_default().to_owned()
    };
    let problems = list("/error/problems").map_or(&[][..], Vec::as_slice);
    if !problems.is_empty() {
        let of = |problem: &Value| {
            let site = problem.get("site").cloned().unwrap_or_default();
            let name = [text(&site, "name"), text(&site, "output")]
                .into_iter()
                .find(|name| !name.is_empty());
            let (name, graph, op) =
                (name.unwrap_or_default(), text(&site, "graph"), text(&site, "op"));
            let message = format!("{op}: {}", text(problem, "message"));
            result(model, &message, Some((&name, format!("{graph}/{name}"))))
        };
        return problems.iter().map(of).collect();
    }
    let culprit = list("/culprit/nodes").map_or(&[][..], Vec::as_slice);
    if !culprit.is_empty() {
        let nodes = culprit.iter().filter_map(Value::as_str);
        let message = "the numbers go wrong here first";
        return nodes
            .map(|node| result(model, message, Some((node, format!("main/{node}")))))
            .collect();
    }
    vec![result(model, model.reason.as_deref().unwrap_or_default(), None)]
}

fn result(model: &ModelReport, message: &str, node: Option<(&str, String)>) -> Value {
    let mut location = json!({"physicalLocation": {"artifactLocation": {"uri": uri(&model.path)}}});
    if let (Some((name, qualified)), Some(fields)) = (node, location.as_object_mut()) {
        let node = json!([{"name": name, "fullyQualifiedName": qualified, "kind": "ONNX node"}]);
        fields.insert("logicalLocations".to_owned(), node);
    }
    json!({
        "ruleId": model.status.to_string(),
        "level": if model.as_expected { "note" } else { "error" },
        "message": {"text": if message.is_empty() { meaning(model.status) } else { message }},
        "locations": [location],
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
