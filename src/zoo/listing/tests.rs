//! Listings that are right, and every way in which one is wrong.

use super::*;
use crate::convert::On;
use crate::recipe::{ComputeCapability, RnnForm};
use crate::report::verification::Tolerance;
use crate::report::zoo::Status;
use std::fs;
use tempfile::TempDir;

/// A folder with empty model files, and a listing.
fn folder(listing: &str) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for path in ["a/model.onnx", "b/model.onnx", "b/deep/c.onnx"] {
        let path = folder.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, "").unwrap();
    }
    fs::write(folder.path().join("zoo.toml"), listing).unwrap();
    folder
}

fn standard() -> Settings {
    crate::zoo::pool::tests::job("any").settings
}

fn of(listing: &str) -> Vec<Job> {
    let folder = folder(listing);
    read(&folder.path().join("zoo.toml"), &standard(), Caps::modern())
        .unwrap_or_else(|error| panic!("{error}"))
        .0
}

/// What is said of a listing, with the file as `zoo.toml`.
fn said(listing: &str) -> String {
    let folder = folder(listing);
    let error = read(&folder.path().join("zoo.toml"), &standard(), Caps::modern()).unwrap_err();
    assert_eq!(error.kind(), Kind::Usage);
    error.to_string().replace(&format!("{}/", folder.path().display()), "")
}

#[test]
fn models_take_what_they_do_not_say_from_the_defaults() {
    let jobs = of(r#"
        [defaults]
        on = "gpu"
        tf32 = false
        timeout = 60
        targets = ["sm89", "9.0"]
        without_passes = ["dedupe"]
        tags = ["all"]
        tolerance = { absolute = 0, relative = 1e-2 }
        metric = ['logits:top1=1', 'cosine=0.99']

        [[model]]
        path = "a/model.onnx"
        name = "first"
        on = "cpu"
        rnn = "loop"
        max_trip = 9
        optimization_level = 5
        freeze = ["k=5"]
        freeze_from_data = true
        tags = ["slow"]
        expected = "unsupported"
        memory = 2

        [[model]]
        path = "b/**/*.onnx"
        dim = ["batch=1:2:4", "n=3"]
        shape = "x:1x3"
        skip = "not today"
    "#);
    let names: Vec<&str> = jobs.iter().map(|job| job.name.as_str()).collect();
    assert_eq!(names, ["b", "b/deep/c", "first"]);
    let first = &jobs[2];
    assert_eq!(first.settings.recipe.max_trip.map(std::num::NonZeroU32::get), Some(9));
    assert_eq!(
        (first.settings.on, first.settings.recipe.no_tf32, first.settings.recipe.rnn),
        (On::Cpu, true, RnnForm::Loop)
    );
    assert_eq!(
        (&first.settings.recipe.targets[..], first.settings.recipe.optimization_level),
        (&[ComputeCapability::new(8, 9), ComputeCapability::new(9, 0)][..], 5u8.try_into().ok())
    );
    let metric: Vec<String> = first.settings.metric.iter().map(ToString::to_string).collect();
    assert_eq!(metric, ["logits:top1=1", "cosine=0.99"]);
    assert_eq!(first.settings.tolerance, Some(Tolerance { absolute: 0.0, relative: 0.01 }));
    assert_eq!((first.settings.recipe.freeze.len(), first.settings.freeze_from_data), (1, true));
    assert_eq!((first.timeout_seconds, first.memory_bytes), (Some(60), Some(2 << 20)));
    assert_eq!(first.tags, ["slow", "all"]);
    assert_eq!(
        (first.expected, first.expected_at.as_ref().unwrap().line),
        (Some(Status::Unsupported), 22)
    );
    let second = &jobs[0];
    assert_eq!((second.settings.on, second.skip.as_deref()), (On::Gpu, Some("not today")));
    assert_eq!(second.settings.recipe.sizes.common.sizes["batch"], [1, 2, 4]);
    assert_eq!(
        (
            second.settings.recipe.sizes.fixed["n"],
            &second.settings.recipe.sizes.shapes.shapes["x"][..]
        ),
        (3, &[1, 3][..])
    );
    assert_eq!((second.expected, second.expected_at.as_ref()), (None, None));
}

#[test]
fn profiles_follow_each_other() {
    let jobs = of(r#"
        [[model]]
        path = "a/model.onnx"
        max = "x:8x3"
        [[model.profile]]
        dim = ["batch=1"]
        [[model.profile]]
        min = "x:2x3"
        opt = "x:4x3"
    "#);
    let sizes = &jobs[0].settings.recipe.sizes;
    assert_eq!((sizes.profiles.len(), sizes.fixed.len()), (2, 0));
    assert_eq!(sizes.profiles[0].sizes["batch"], [1; 3]);
    assert_eq!(
        (&sizes.profiles[1].min.shapes["x"][..], &sizes.common.max.shapes["x"][..]),
        (&[2, 3][..], &[8, 3][..])
    );
}

#[test]
fn an_entry_for_a_file_goes_before_a_glob() {
    let jobs = of(r#"
        [[model]]
        path = "**/model.onnx"
        [[model]]
        path = "./b/model.onnx"
        expected = "differs"
    "#);
    let expected: Vec<_> = jobs.iter().map(|job| (job.name.as_str(), job.expected)).collect();
    assert_eq!(expected, [("a", None), ("b", Some(Status::Differs))]);
}

#[test]
fn mistakes_are_named_with_line_and_column() {
    const CASES: &[(&str, &str)] = &[
        (
            "[[model]]\npth = 1",
            "zoo.toml:2:1: unknown key `pth`: did you mean `path`?\n  2 | pth = 1",
        ),
        (
            "[[model]]\nsublime = 1",
            "zoo.toml:2:1: unknown key `sublime`, expected one of `budget`, `calibration`, ",
        ),
        ("[model", "zoo.toml:1:7: "),
        (
            "[[model]]\npath = \"a/model.onnx\"\n  on = 'gpuu'",
            "zoo.toml:3:8: unknown value `gpuu`, expected one of `gpu`, `cpu`, `auto`; did you mean `gpu`?\n  3 | on = \
             'gpuu'",
        ),
        (
            "[[model]]\npath = 'a/model.onnx'\ntf32 = 'no'",
            "zoo.toml:3:8: invalid type: string \"no\", expected a boolean\n  3 | tf32 = 'no'",
        ),
        (
            "[[model]]\npath = 'a/model.onnx'\ntimeout = 0",
            "zoo.toml:3:11: invalid value: integer `0`, expected a nonzero u64\n  3 | timeout = 0",
        ),
        (
            "[[model]]\npath = 'a/model.onnx'\ntolerance = { absolute = 1 }",
            "zoo.toml:3:13: missing key `relative`\n  3 | tolerance = { absolute = 1 }",
        ),
        (
            "[[model]]\npath = 'a/model.onnx'\ntolerance = { absolute = 1, relative = 'x' }",
            "zoo.toml:3:40: invalid type: string \"x\", expected f64\n  3 | tolerance = { absolute = \
             1, relative = 'x' }",
        ),
        (
            "[[model]]\npath = 'a/model.onnx'\ntolerance = { absolute = 1, relative = 1, more = 1 }",
            "zoo.toml:3:50: unknown key `more`, expected `absolute` or `relative`\n  3 | tolerance = \
             { absolute = 1, relative = 1, more = 1 }",
        ),
        (
            "[[model]]\npath = 'a/model.onnx'\n[[model.profile]]\ndim = ['n=1']\nmost = 'x:1'",
            "zoo.toml:5:8: unknown key `most`, expected one of `min`, `opt`, `max`, `dim`\n  5 | most \
             = 'x:1'",
        ),
        (
            "model = []",
            "zoo.toml:1:1: there is no model: write [[model]], and below it a `path`\n  1 | model = []",
        ),
        (
            "[[model]]\npath = 'a/model.onnx'\nmetric = ['cosin=1']",
            "zoo.toml:3:11: `cosin=1`: written like cosine=0.999 or OUTPUT:cosine=0.999; of atol, rtol, \
             max, cosine, snr, top1\n  3 | metric = ['cosin=1']",
        ),
        (
            "[[model]]\npath = 'a/model.onnx'\ntolerance = { absolute = -1, relative = 0 }",
            "zoo.toml:3:13: a tolerance is two numbers from 0 on: `absolute` and `relative`\n  3 \
             | tolerance = { absolute = -1, relative = 0 }",
        ),
        (
            "[[model]]\npath = 'a/model.onnx'\ndim = ['é', 'batch=1:2']",
            "2 things are wrong with `zoo.toml`\n  zoo.toml:3:8: `é` is not a size: write \
             NAME=MIN:OPT:MAX or NAME=SIZE\n  \
             zoo.toml:3:13: `batch=1:2` is not a size: write NAME=MIN:OPT:MAX or NAME=SIZE",
        ),
        (
            "[[model]]\npath = 'a/model.onnx'\nmin = 'x:1xa'",
            "zoo.toml:3:7: `x:1xa` is not a shape: write NAME:1x3x224x224\n  3 | min = 'x:1xa'",
        ),
        (
            "[[model]]\npath = 'a/model.onnx'\ntargets = ['ampere']",
            "zoo.toml:3:12: `ampere`: a compute capability is written like sm89\n  3 | targets = ['ampere']",
        ),
        (
            "[[model]]\npath = 'a/model.onnx'\nwithout_passes = ['luck']",
            "zoo.toml:3:19: unknown value `luck`, expected one of `dedupe`, ",
        ),
        (
            "[[model]]\npath = 'a/model.onnx'\nrnn = 'layer'",
            "zoo.toml:3:7: this library has no recurrent layer: only TensorRT 8.x has\n  3 | rnn \
             = 'layer'",
        ),
        (
            "[[model]]\npath = 'a/model.onnx'\noptimization_level = 6",
            "zoo.toml:3:22: levels are 0 to 5, not 6\n  3 | optimization_level = 6",
        ),
        (
            "[[model]]\npath = 'a/model.onnx'\nskip = 'x'\nexpected = 'failed'",
            "zoo.toml:3:8: a model that is skipped ends in no way that could be `expected`\n  3 | \
             skip = 'x'",
        ),
        (
            "[[model]]\npath = 'a/model.onnx'\nexpected = 'skipped'",
            "zoo.toml:3:12: to skip a model write `skip` with the reason\n  3 | expected = \
             'skipped'",
        ),
        (
            "[defaults]\npath = 'a/model.onnx'\n[[model]]\npath = 'a/model.onnx'",
            "zoo.toml:2:8: `path` belongs in a [[model]]; it cannot be a default\n  2 | path = \
             'a/model.onnx'",
        ),
        ("", "zoo.toml:1:1: there is no model: write [[model]], and below it a `path`"),
        (
            "[[model]]\nname = 'x'",
            "zoo.toml:1:1: a [[model]] needs a `path`: a file, or a glob\n  1 | [[model]]",
        ),
        (
            "[[model]]\npath = 'a/model.onnx'\n\n[[model]]\npath = 'a/model.onnx'",
            "zoo.toml:5:8: `a/model.onnx` is listed twice: line 2 has it too\n  5 | path = \
             'a/model.onnx'",
        ),
        (
            "[[model]]\npath = '*/model.onnx'\n[[model]]\npath = 'b/**'",
            "zoo.toml:4:8: `b/model.onnx` is listed twice: line 2 has it too\n  4 | path = 'b/**'",
        ),
        (
            "[[model]]\npath = 'a/model.onnx'\n[[model]]\npath = 'b/model.onnx'\nname = 'a'",
            "zoo.toml:5:8: the name `a` is taken: line 2 gives it too\n  5 | name = 'a'",
        ),
        (
            "[[model]]\npath = '*/model.onnx'\nname = 'x'",
            "zoo.toml:3:8: one name for 2 models: name files, not a glob, in `path`\n  3 | name = \
             'x'",
        ),
        (
            "[[model]]\npath = 'x/*.onnx'",
            "zoo.toml:2:8: `x/*.onnx` matches no file that ends in .onnx\n  2 | path = 'x/*.onnx'",
        ),
        (
            "[[model]]\npath = 'x.onnx'",
            "zoo.toml:2:8: there is no file `x.onnx` in the folder of the listing\n  2 | path = 'x.onnx'",
        ),
        (
            "[[model]]\npath = 'b'",
            "zoo.toml:2:8: `b` is a folder: for all models below it write `b/**/*.onnx`\n  2 | \
             path = 'b'",
        ),
        (
            "[[model]]\npath = '[*'",
            "zoo.toml:2:8: `[*` is no glob: unclosed character class; missing ']'\n  2 | path = \
             '[*'",
        ),
    ];
    for (listing, expected) in CASES {
        let found = said(listing);
        let same =
            if expected.ends_with(' ') { found.starts_with(expected) } else { found == *expected };
        assert!(same, "{listing}\n\ngives:\n{found}\n\nnot:\n{expected}");
    }
}

/// Neither takes long or panics, whatever a file says.
#[test]
fn many_mistakes_and_large_globs_are_told() {
    let many = format!("[[model]]\npath = 'a/model.onnx'\ntags = [{}]", "1,".repeat(100_000));
    let said = said(&many);
    assert!(said.starts_with("100000 things are wrong with `zoo.toml`\n"), "{said:.200}");
    assert!(said.ends_with("\n  and 99900 more"));
    let large = format!("[[model]]\npath = '{}'", "?".repeat(300_000));
    assert!(self::said(&large).contains(" is no glob: "));
}

#[test]
fn no_path_leaves_the_folder() {
    for (path, why) in [
        ("../a.onnx", "it has `..`"),
        ("a/../a/model.onnx", "it has `..`"),
        ("/etc/passwd", "it is no relative path"),
        ("../**/*.onnx", "it has `..`"),
    ] {
        let said = said(&format!("[[model]]\npath = '{path}'"));
        assert!(
            said.contains(&format!("`{path}` is outside the listing's folder: {why}")),
            "{said}"
        );
    }
}

#[cfg(unix)]
#[test]
fn no_link_leaves_the_folder() {
    let other = tempfile::tempdir().unwrap();
    fs::write(other.path().join("x.onnx"), "").unwrap();
    for pattern in ["link.onnx", "*.onnx"] {
        let folder = folder(&format!("[[model]]\npath = '{pattern}'"));
        std::os::unix::fs::symlink(other.path().join("x.onnx"), folder.path().join("link.onnx"))
            .unwrap();
        let error = read(&folder.path().join("zoo.toml"), &standard(), Caps::modern()).unwrap_err();
        assert!(
            error.message().ends_with("link.onnx` is outside the listing's folder: it is a link"),
            "{error}"
        );
    }
}
