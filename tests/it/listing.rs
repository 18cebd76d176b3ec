//! `zoo.toml` as users write it.

use crate::support::Model;
use crate::tensorrt::onnx2plan;
use serde_json::Value;
use std::fs;
use std::path::Path;
use std::process::Output;

/// Runs a zoo in a folder; gives what it ends with and its report.
fn zoo(folder: &Path, arguments: &[&str]) -> (Output, Value) {
    let mut command = onnx2plan();
    command.current_dir(folder).args(["zoo", "--no-cache", "--report", "out"]).args(arguments);
    let output = command.output().unwrap();
    let report =
        fs::read(folder.join("out/report.json")).unwrap_or_else(|_| panic!("{}", said(&output)));
    (output, serde_json::from_slice(&report).unwrap())
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn model<'r>(report: &'r Value, name: &str) -> &'r Value {
    let models = report["models"].as_array().unwrap();
    models
        .iter()
        .find(|model| model["name"] == name)
        .unwrap_or_else(|| panic!("{name} is not in {report:#}"))
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let to = to.join(path.file_name().unwrap());
        if path.is_dir() {
            copy(&path, &to);
        } else {
            fs::copy(&path, &to).unwrap();
        }
    }
}

/// A folder with two models, one of them unsupported, and this listing.
fn folder(listing: &str) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    copy(&Path::new(env!("CARGO_MANIFEST_DIR")).join("models/digits"), &dir.path().join("digits"));
    let fancy = Model::new(17).input("x", "f32[3]").node("Fancy", "x", "y").output("y", "f32[3]");
    fs::create_dir(dir.path().join("fancy")).unwrap();
    fancy.write(&dir.path().join("fancy"));
    copy(&dir.path().join("digits/test_data_set_0"), &dir.path().join("fancy/test_data_set_0"));
    fs::write(dir.path().join("zoo.toml"), listing).unwrap();
    dir
}

/// The document's example is our own listing, and does what it says.
#[test]
fn the_documented_example_runs() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let document = fs::read_to_string(root.join("docs/zoo-listing.md")).unwrap();
    let example = document.split_once("```toml\n").unwrap().1.split_once("```").unwrap().0;
    let listing = root.join("models/zoo.toml");
    assert_eq!(example, fs::read_to_string(&listing).unwrap());

    let dir = tempfile::tempdir().unwrap();
    let zoo = |tag: &[&str]| {
        zoo(dir.path(), &[&[listing.to_str().unwrap(), "--quiet", "--on", "auto"], tag].concat())
    };
    let (output, report) = zoo(&["--tag", "quick"]);
    assert!(output.status.success(), "{}", said(&output));
    assert_eq!(report["models"].as_array().unwrap().len(), 19, "{report:#}");
    let digits = model(&report, "digits");
    assert_eq!(
        (&digits["status"], &digits["expected"]),
        (&"evaluated".into(), &"evaluated".into())
    );
    assert_eq!(digits["expected_at"]["line"], 13);
    assert_eq!(digits["tags"], serde_json::json!(["quick", "ours"]));
    let tolerance = &model(&report, "text recognition")["outputs"][0]["tolerance"];
    assert_eq!((&tolerance["absolute"], &tolerance["relative"]), (&1e-4.into(), &1e-2.into()));
    let page = fs::read(dir.path().join("out/models/digits/report.json")).unwrap();
    let page: Value = serde_json::from_slice(&page).unwrap();
    assert_eq!(
        page["inputs"][0]["profile"],
        serde_json::json!([[1, 1, 8, 8], [4, 1, 8, 8], [32, 1, 8, 8]])
    );

    let (output, report) = zoo(&["--include", "dynamic/*"]);
    assert!(output.status.success(), "{}", said(&output));
    assert_eq!(model(&report, "dynamic/cnn-traced")["reason"], "as the others");
    assert_eq!(report["counts"]["skipped"], report["models"].as_array().unwrap().len());
}

#[test]
fn an_expected_status_is_green_everywhere() {
    let dir = folder("[[model]]\npath = 'fancy/model.onnx'\nexpected = 'unsupported'\n");
    let (output, report) = zoo(dir.path(), &["zoo.toml", "--on", "cpu", "--github"]);
    assert_eq!(
        (output.status.code(), said(&output).as_str().contains("expected")),
        (Some(0), false),
        "{}",
        said(&output)
    );
    assert_eq!(String::from_utf8_lossy(&output.stdout), "");
    assert_eq!(
        (&report["models"][0]["as_expected"], &report["models"][0]["improved"]),
        (&true.into(), &false.into())
    );
    let text = |file: &str| fs::read_to_string(dir.path().join("out").join(file)).unwrap();
    assert!(text("junit.xml").contains("failures=\"0\" errors=\"0\""), "{}", text("junit.xml"));
    assert!(
        text("junit.xml").contains("unsupported, expected unsupported (zoo.toml:3): "),
        "{}",
        text("junit.xml")
    );
    let sarif: Value = serde_json::from_str(&text("report.sarif")).unwrap();
    assert_eq!(sarif["runs"][0]["results"][0]["level"], "note");
    assert!(
        text("report.md").starts_with("## 1 model, all as expected\n"),
        "{}",
        text("report.md")
    );
    assert!(text("report.html").contains("data-verdict=\"expected\""));
}

#[test]
fn an_improvement_is_reported_with_the_line_to_change() {
    let listing = "[[model]]\npath = 'digits/model.onnx'\n\nexpected = 'unsupported'\n";
    let dir = folder(listing);
    let (output, report) = zoo(dir.path(), &["zoo.toml", "--on", "cpu", "--github"]);
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    let line = "evaluated   digits  (better than unsupported: zoo.toml:4 can say evaluated)\n";
    assert!(said(&output).starts_with(line), "{}", said(&output));
    let annotation = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(
        annotation.starts_with("::notice file=zoo.toml,line=4,title=digits%3A evaluated::"),
        "{annotation}"
    );
    assert_eq!(
        (&report["models"][0]["as_expected"], &report["models"][0]["improved"]),
        (&true.into(), &true.into())
    );
    let markdown = fs::read_to_string(dir.path().join("out/report.md")).unwrap();
    assert!(markdown.contains("### Better than expected\n"), "{markdown}");
    assert!(markdown.contains("| evaluated | unsupported (zoo.toml:4) |"), "{markdown}");

    let (output, _) =
        zoo(dir.path(), &["zoo.toml", "--on", "cpu", "--quiet", "--fail-on", "improved"]);
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(
        said(&output),
        "error: 1 of 1 model is not as expected: 1 evaluated\n  `digits` got better: zoo.toml:4 \
         can say evaluated\n"
    );
}

#[test]
fn models_are_judged_as_the_listing_says() {
    let data = "[[model]]\npath = 'digits/model.onnx'\n";
    let run = |keys: &str| {
        let dir = folder(&format!("{data}{keys}"));
        let (output, report) = zoo(dir.path(), &["zoo.toml", "--on", "cpu", "--quiet"]);
        (output.status.code().unwrap(), report["models"][0].clone())
    };
    let (code, model) = run("tolerance = { absolute = 0, relative = 0 }");
    assert_eq!((code, &model["status"]), (1, &"differs".into()), "{model:#}");
    let (code, model) = run("dim = ['batch=8:16:32']");
    assert_eq!((code, &model["status"]), (2, &"failed".into()), "{model:#}");
    assert_eq!(
        model["reason"],
        "no profile allows the shapes of `test_data_set_0`: image: [4, 1, 8, 8]"
    );
    let (code, model) =
        run("[[model.profile]]\ndim = ['batch=1']\n[[model.profile]]\ndim = ['batch=2:4:8']");
    assert_eq!((code, &model["status"]), (0, &"evaluated".into()), "{model:#}");
    let (_, model) = run("freeze = ['image']");
    assert_eq!(model["frozen"], serde_json::json!(["image (f32[4, 1, 8, 8])"]), "{model:#}");
    let (code, model) = run("freeze = ['picture=1']");
    assert_eq!(
        (code, &model["reason"]),
        (2, &"cannot freeze input `picture`: the model has no such input".into())
    );
    let (code, model) = run("shape = 'image:4x1x8x8'");
    assert_eq!((code, &model["status"]), (0, &"evaluated".into()), "{model:#}");
}

#[test]
fn plans_say_how_they_were_made_and_pages_show_every_profile() {
    let made = |keys: &str| {
        let dir = folder(&format!("[[model]]\npath = 'digits/model.onnx'\n{keys}"));
        let (output, _) =
            zoo(dir.path(), &["zoo.toml", "--on", "cpu", "--quiet", "--output", "plans"]);
        assert!(output.status.success(), "{}", said(&output));
        let json = |path: &str| -> Value {
            serde_json::from_slice(&fs::read(dir.path().join(path)).unwrap()).unwrap()
        };
        (json("plans/digits.plan.json"), json("out/models/digits/report.json"))
    };
    let (manifest, page) = made("shape = 'image:4x1x8x8'");
    assert_eq!(manifest["options"]["dim"], serde_json::json!(["batch=4"]));
    assert_eq!(page["inputs"][0]["profiles"], serde_json::json!([]));
    let (manifest, page) =
        made("[[model.profile]]\ndim = ['batch=1']\n[[model.profile]]\ndim = ['batch=2:4:8']");
    let batch = |size: i64| [size, 1, 8, 8];
    let profiles =
        serde_json::json!([[batch(1), batch(1), batch(1)], [batch(2), batch(4), batch(8)]]);
    assert_eq!(
        (&page["inputs"][0]["profiles"], &manifest["inputs"][0]["profiles"]),
        (&profiles, &profiles)
    );
}

/// Every option that shapes a plan is a key, and an option of `zoo` that holds for all models.
#[test]
fn what_shapes_a_plan_reaches_every_model() {
    let dir = folder("[[model]]\npath = 'digits/model.onnx'\noutputs = ['probabilities=p']\n");
    let made = |arguments: &[&str]| {
        let (output, _) = zoo(
            dir.path(),
            &[&["--on", "cpu", "--quiet", "--output", "plans"], arguments].concat(),
        );
        assert!(output.status.success(), "{}", said(&output));
        let plan = fs::read(dir.path().join("plans/digits.plan.json")).unwrap();
        let page = fs::read(dir.path().join("out/models/digits/report.json")).unwrap();
        let json = |text: &[u8]| -> Value { serde_json::from_slice(text).unwrap() };
        (json(&plan), json(&page))
    };
    let (manifest, page) = made(&["zoo.toml", "--workspace", "64"]);
    assert_eq!(manifest["options"]["outputs"], serde_json::json!(["probabilities=p"]));
    assert_eq!(
        (&manifest["options"]["workspace"], &page["options"]["workspace"]),
        (&64.into(), &64.into())
    );
    assert_eq!(
        (&manifest["outputs"][0]["name"], &page["outputs"][0]["name"]),
        (&"p".into(), &"p".into())
    );
    let (manifest, _) = made(&["digits", "--to", "probabilities=q", "--no-tf32"]);
    assert_eq!(
        (&manifest["options"]["tf32"], &manifest["outputs"][0]["name"]),
        (&false.into(), &"q".into())
    );
}

#[test]
fn models_have_the_same_names_wherever_the_listing_is_called_from() {
    let dir = folder("[[model]]\npath = '**/model.onnx'\nskip = 'only their names count'\n");
    let outside = dir.path().join("fancy");
    for (place, listing) in
        [(dir.path(), "zoo.toml"), (dir.path(), "./zoo.toml"), (&outside, "../zoo.toml")]
    {
        let (output, report) = zoo(place, &[listing, "--quiet", "--on", "cpu"]);
        assert!(output.status.success(), "{}", said(&output));
        let names: Vec<_> =
            report["models"].as_array().unwrap().iter().map(|model| &model["name"]).collect();
        assert_eq!(names, ["digits", "fancy"], "{listing}");
    }
}

#[test]
fn a_listing_stands_alone_and_its_mistakes_are_shown() {
    let dir = folder("[[model]]\npath = 'digits/*.onnx'\ntfx = 1\n");
    let fails = |arguments: &[&str]| {
        let output =
            onnx2plan().current_dir(dir.path()).arg("zoo").args(arguments).output().unwrap();
        (output.status.code().unwrap(), said(&output))
    };
    let (code, text) = fails(&["zoo.toml"]);
    assert_eq!(code, 2);
    assert!(
        text.starts_with(
            "error: zoo.toml:3:1: unknown key `tfx`, expected one of `budget`, `calibration`, "
        ),
        "{text}"
    );
    let (code, text) = fails(&["zoo.toml", "digits"]);
    assert_eq!(
        (code, text.as_str()),
        (2, "error: a listing must be the only path\n\nhint: list the other models in it\n")
    );
    let (code, text) = fails(&["digits", "--tag", "x"]);
    assert_eq!(
        (code, text.as_str()),
        (
            2,
            "error: no model has the tag `x`\n\nhint: a listing gives tags to models, as in \
             zoo.toml\n"
        )
    );
    let (code, text) = fails(&["missing.toml"]);
    assert_eq!((code, text.lines().next().unwrap()), (2, "error: cannot read `missing.toml`"));
}
