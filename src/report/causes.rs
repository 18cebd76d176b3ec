//! What stands between a zoo and good numbers: each cause once, with the models that it blocks.

use super::zoo::{ModelReport, Status};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;

/// Something that is wrong with one model or several.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Cause {
    /// Its rule, the same in every report: a status, and the operator that is to blame if one is,
    /// as in `unsupported/NonMaxSuppression`.
    pub rule: String,
    /// What is wrong. Where it differs from model to model in names or numbers, `…` stands for
    /// those.
    pub text: String,
    /// The way out, where there is one.
    pub hint: Option<String>,
    /// Names of the models, in the report's order.
    pub models: Vec<String>,
}

/// Something wrong with a node, or with all of a model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wrong {
    /// As in [`Cause`].
    pub rule: String,
    /// What is wrong.
    pub text: String,
    /// The way out.
    pub hint: Option<String>,
    /// Name and graph of the node.
    pub node: Option<(String, String)>,
}

/// The causes of all that is wrong, those of most models first. `page` gives the report of a
/// model, if there is one.
pub fn of<'a>(
    models: &[ModelReport],
    page: impl Fn(&ModelReport) -> Option<&'a Value>,
) -> Vec<Cause> {
    let mut causes: BTreeMap<(String, String), Cause> = BTreeMap::new();
    for model in models.iter().filter(|model| model.exit_code != 0) {
        for wrong in wrongs(model, page(model)) {
            let key = (wrong.rule.clone(), general(&wrong.text));
            let cause = causes.entry(key).or_insert_with_key(|(rule, _)| Cause {
                rule: rule.clone(),
                text: wrong.text.clone(),
                hint: wrong.hint.clone(),
                models: Vec::new(),
            });
            if cause.text != wrong.text {
                cause.text = general(&wrong.text);
            }
            if cause.models.last() != Some(&model.name) {
                cause.models.push(model.name.clone());
            }
        }
    }
    let mut causes: Vec<Cause> = causes.into_values().collect();
    causes.sort_by_key(|cause| std::cmp::Reverse(cause.models.len()));
    causes
}

/// All that is wrong with a model: each problem, or the first wrong nodes, else one thing.
pub fn wrongs(model: &ModelReport, page: Option<&Value>) -> Vec<Wrong> {
    let list = |pointer: &str| {
        let list = page.and_then(|page| page.pointer(pointer)).and_then(Value::as_array);
        list.map_or(&[][..], Vec::as_slice)
    };
    let status = model.status;
    let (problems, culprits) = (list("/error/problems"), list("/culprit/nodes"));
    if !problems.is_empty() {
        return problems.iter().map(|problem| of_problem(problem, model)).collect();
    }
    let first = |node: &Value| {
        let node = node.as_str()?;
        let operator = list("/error_by_layer/layers")
            .iter()
            .find(|layer| layer["node"] == node)
            .and_then(|layer| layer["op"].as_str());
        Some(Wrong {
            rule: rule(status, operator),
            text: "the numbers go wrong here first".to_owned(),
            hint: model.hint.clone(),
            node: Some((node.to_owned(), "main".to_owned())),
        })
    };
    if !culprits.is_empty() {
        return culprits.iter().filter_map(first).collect();
    }
    let text = model.reason.clone().unwrap_or_default();
    vec![Wrong { rule: rule(status, None), text, hint: model.hint.clone(), node: None }]
}

fn of_problem(problem: &Value, model: &ModelReport) -> Wrong {
    let text = |pointer: &str| {
        problem.pointer(pointer).and_then(Value::as_str).filter(|text| !text.is_empty())
    };
    let operator = text("/site/op");
    let name = text("/site/name").or(text("/site/output")).unwrap_or_default();
    let message = text("/message").unwrap_or_default();
    Wrong {
        rule: rule(model.status, operator),
        text: operator.map_or_else(|| message.to_owned(), |op| format!("{op}: {message}")),
        hint: text("/hint").map(str::to_owned).or_else(|| model.hint.clone()),
        node: Some((name.to_owned(), text("/site/graph").unwrap_or_default().to_owned())),
    }
}

fn rule(status: Status, operator: Option<&str>) -> String {
    operator.map_or_else(|| status.to_string(), |operator| format!("{status}/{operator}"))
}

/// A message without what differs from model to model: names in backticks, lists, numbers.
fn general(text: &str) -> String {
    let mut general = String::with_capacity(text.len());
    let mut rest = text.chars().peekable();
    while let Some(c) = rest.next() {
        let end: &[char] = match c {
            '`' => &['`'],
            '[' => &[']'],
            _ => &[],
        };
        if let [end] = end {
            rest.by_ref().find(|c| c == end);
            general.extend([c, '…', *end]);
        } else if c.is_ascii_digit() {
            while rest.next_if(|c| c.is_ascii_digit() || *c == '.').is_some() {}
            general.push('…');
        } else {
            general.push(c);
        }
    }
    general
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn model(name: &str, status: Status, reason: &str) -> ModelReport {
        let reason = Some(reason.to_owned());
        ModelReport { reason, ..ModelReport::new(name, &format!("{name}.onnx"), status) }
    }

    fn problem(op: &str, message: &str, hint: Option<&str>) -> Value {
        let site = json!({"graph": "main", "name": "n", "op": op});
        json!({"site": site, "message": message, "hint": hint})
    }

    #[test]
    fn a_cause_counts_once_for_each_model() {
        let models = [
            model("a", Status::Unsupported, "Foo: …"),
            model("b", Status::Unsupported, "Foo: …"),
            model("c", Status::Crashed, "the worker died"),
            model("d", Status::Evaluated, "the plan was not run"),
        ];
        let foo =
            |size: usize| problem("Foo", &format!("axis {size} of `x` is [1, 2]"), Some("cut"));
        let pages = [
            json!({"error": {"problems": [foo(1), foo(2), problem("Bar", "no", None)]}}),
            json!({"error": {"problems": [foo(3)]}}),
        ];
        let page = |model: &ModelReport| match model.name.as_str() {
            "a" => pages.first(),
            "b" => pages.get(1),
            _ => None,
        };
        let causes = of(&models, page);
        let told: Vec<(&str, &str, Option<&str>, String)> = causes
            .iter()
            .map(|cause| {
                let hint = cause.hint.as_deref();
                (cause.rule.as_str(), cause.text.as_str(), hint, cause.models.join(" "))
            })
            .collect();
        assert_eq!(
            told,
            [
                ("unsupported/Foo", "Foo: axis … of `…` is […]", Some("cut"), "a b".to_owned()),
                ("crashed", "the worker died", None, "c".to_owned()),
                ("unsupported/Bar", "Bar: no", None, "a".to_owned()),
            ]
        );
    }
}
