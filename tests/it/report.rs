//! The views of reports: samples as goldens, and what the program itself writes.

use crate::tensorrt;
use onnx2plan::report::render::{self, About};
use onnx2plan::report::{junit, sarif, zoo};
use serde_json::Value;
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

fn sample(name: &str) -> Value {
    serde_json::from_slice(&fs::read(folder().join(name)).unwrap()).unwrap()
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/report")
}

/// Compares with the file of that name, or writes it.
fn golden(name: &str, text: &str) {
    let path = folder().join(name);
    if std::env::var_os("ONNX2PLAN_BLESS").is_some() {
        fs::write(&path, text).unwrap();
    }
    let expected = fs::read_to_string(&path).unwrap_or_default();
    let differs = text.lines().zip(expected.lines()).find(|(text, expected)| text != expected);
    assert!(text == expected, "{name} is not as recorded; first difference: {differs:#?}");
}

#[test]
fn samples_become_the_recorded_pages() {
    let samples = [
        ("verified", About::Model),
        ("differs", About::Model),
        ("unsupported", About::Model),
        ("zoo", About::Zoo),
    ];
    for (name, about) in samples {
        let [json, markdown, html] =
            render::files(about, &sample(&format!("{name}.json"))).unwrap();
        assert_eq!(
            serde_json::from_str::<Value>(&json.1).unwrap(),
            sample(&format!("{name}.json"))
        );
        golden(&format!("{name}.md"), &markdown.1);
        golden(&format!("{name}.html"), &html.1);
    }
}

/// Reports of versions that gave the first profile only are joined as well.
#[test]
fn an_older_report_becomes_the_same_page() {
    let mut report = sample("verified.json");
    for binding in
        ["inputs", "outputs"].into_iter().flat_map(|of| report[of].as_array().unwrap().clone())
    {
        assert!(
            binding["profiles"].is_array() && binding["values"] == serde_json::json!([]),
            "{binding}"
        );
    }
    let page = |report: &Value| {
        let [_, _, (_, html)] = render::files(About::Model, report).unwrap();
        html.lines().filter(|line| !line.contains("report-json")).collect::<Vec<_>>().join("\n")
    };
    let expected = page(&report);
    for of in ["inputs", "outputs"] {
        for binding in report[of].as_array_mut().unwrap() {
            binding
                .as_object_mut()
                .unwrap()
                .retain(|field, _| !["profiles", "values"].contains(&field.as_str()));
        }
    }
    assert_eq!(page(&report), expected);
}

#[test]
fn a_zoo_becomes_junit_and_sarif() {
    let report: zoo::Report = serde_json::from_value(sample("zoo.json")).unwrap();
    golden("junit.xml", &junit::text(&report).unwrap());
    let page = sample("unsupported.json");
    let log = sarif::log(&report, |model| (model.name == "detector").then_some(&page));
    golden("report.sarif", &format!("{log:#}\n"));
}

/// Every field of the schema is there, and no other.
#[test]
fn a_zoo_read_back_is_the_zoo() {
    let report: zoo::Report = serde_json::from_value(sample("zoo.json")).unwrap();
    assert_eq!(serde_json::to_value(report).unwrap(), sample("zoo.json"));
}

#[test]
fn a_verification_writes_a_report_whatever_it_ends_in() {
    let dir = tempfile::tempdir().unwrap();
    let verify = |model: &Path, folder: &str| {
        let mut command = tensorrt::onnx2plan();
        command
            .args(["verify", "--on", "cpu", "--quiet"])
            .arg(model)
            .arg("--report")
            .arg(dir.path().join(folder));
        let status = command.output().unwrap().status.code();
        let json: Value =
            serde_json::from_slice(&fs::read(dir.path().join(folder).join("report.json")).unwrap())
                .unwrap();
        (status, json)
    };
    let models = Path::new(env!("CARGO_MANIFEST_DIR")).join("models");
    let (status, report) = verify(&models.join("digits/model.onnx"), "good");
    assert_eq!(
        (status, report["verdict"].as_str(), report["candidate"].as_str()),
        (Some(0), Some("evaluated"), Some("cpu"))
    );
    assert_eq!(report["runs"][0]["label"], "test_data_set_0");
    assert!(report["runs"][0]["outputs"][0]["histogram"]["counts"].is_array(), "{report:#}");

    let broken = dir.path().join("broken.onnx");
    fs::write(&broken, "no model").unwrap();
    let (status, report) = verify(&broken, "broken");
    assert_eq!(
        (status, report["verdict"].as_str(), report["error"]["kind"].as_str()),
        (Some(3), Some("invalid"), Some("invalid"))
    );
}

/// The names of the fields, at every depth, of all objects in a list together.
fn fields(value: &Value, path: &str, out: &mut BTreeSet<String>) {
    match value {
        Value::Object(fields_of) => {
            for (name, value) in fields_of {
                let path = format!("{path}/{name}");
                fields(value, &path, out);
                out.insert(path);
            }
        }
        Value::Array(list) => list.iter().for_each(|value| fields(value, path, out)),
        _ => {}
    }
}

#[test]
fn a_zoo_writes_a_folder_of_reports() {
    let dir = tempfile::tempdir().unwrap();
    let models = Path::new(env!("CARGO_MANIFEST_DIR")).join("models");
    let mut command = tensorrt::onnx2plan();
    command.current_dir(models.parent().unwrap()).args(["zoo", "models", "--on", "cpu", "--quiet"]);
    let output =
        command.args(["--include", "digits"]).arg("--report").arg(dir.path()).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let json = |path: &str| -> Value {
        serde_json::from_slice(&fs::read(dir.path().join(path)).unwrap()).unwrap()
    };
    let report: zoo::Report = serde_json::from_value(json("report.json")).unwrap();
    let model = &report.models[0];
    assert_eq!((model.name.as_str(), model.path.as_str()), ("digits", "models/digits/model.onnx"));
    assert_eq!((model.status, model.as_expected), (zoo::Status::Evaluated, true));
    for file in
        ["report.html", "report.md", "junit.xml", "report.sarif", "models/digits/report.html"]
    {
        assert!(fs::metadata(dir.path().join(file)).is_ok_and(|file| file.len() > 100), "{file}");
    }
    let (mut found, mut wanted) = (BTreeSet::new(), BTreeSet::new());
    fields(&json("models/digits/report.json"), "", &mut found);
    fields(&sample("verified.json"), "", &mut wanted);
    // What only a GPU measures, and what a traced run or a choice of types adds.
    wanted.retain(|field| {
        !["/environment/gpu/", "/latency/", "/error_by_layer/", "/precision/"]
            .iter()
            .any(|part| field.contains(part))
    });
    assert_eq!(found, wanted);
    assert_eq!(json("models/digits/report.json")["verdict"], "evaluated");
}
