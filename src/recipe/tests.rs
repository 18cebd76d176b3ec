//! What is written is what is read.

use super::*;
use serde_json::{Value, json};

/// A recipe of these keys, and the keys again.
fn again(keys: Value) -> Value {
    let recipe: Recipe = serde_json::from_value(keys).unwrap();
    let written = serde_json::to_value(&recipe).unwrap();
    assert_eq!(serde_json::from_value::<Recipe>(written.clone()).unwrap(), recipe);
    written
}

#[test]
fn every_key_has_a_standard() {
    let standard = again(json!({}));
    let keys = [
        "outputs",
        "from",
        "to",
        "min",
        "opt",
        "max",
        "dim",
        "shape",
        "profile",
        "strict_profiles",
        "freeze",
        "nms_fixed",
        "max_trip",
        "rnn",
        "without_passes",
        "targets",
        "tf32",
        "optimization_level",
        "workspace",
        "precision",
        "keep",
        "quantize",
        "calibration",
        "io_precision",
        "within",
        "budget",
    ];
    let written: Vec<&String> = standard.as_object().unwrap().keys().collect();
    let mut keys = keys.to_vec();
    keys.sort_unstable();
    assert_eq!(written, keys);
    assert_eq!((&standard["tf32"], &standard["rnn"]), (&json!(true), &json!("auto")));
}

#[test]
fn keys_come_back_as_they_were_written() {
    let keys = json!({
        "outputs": ["y", "z=new"],
        "from": ["a"],
        "min": ["x:1x3", "k=0"],
        "dim": ["n=3", "batch=1:2:4"],
        "profile": [{ "min": [], "opt": ["x:2x3"], "max": [], "dim": ["m=1"] }],
        "freeze": ["axes=[0,2]", "w=[[1,2],[3,4]]", "k=5", "rest"],
        "nms_fixed": 7,
        "rnn": "loop",
        "without_passes": ["matmul-transpose"],
        "targets": ["sm89", "sm120"],
        "tf32": false,
        "optimization_level": 5,
        "precision": "auto",
        "keep": ["a=b=f32", "Softmax=bf16"],
        "quantize": ["a=b=int8:0.5,0.001", "c=fp8:1"],
        "calibration": "entropy",
        "io_precision": "f16",
        "within": 0.001,
        "budget": 7,
    });
    let written = again(keys.clone());
    for (key, value) in keys.as_object().unwrap() {
        assert_eq!(written[key], *value, "{key}");
    }
}

#[test]
fn names_may_have_what_separates_shapes() {
    let written = again(json!({ "opt": ["a,b:1x3", "n=5:", "c:0=1,2", "none="] }));
    assert_eq!(written["opt"], json!(["a,b:1x3", "n=5:", "c:0=1,2", "none="]));
    let names = json!({ "freeze": ["a=b=", "a=b=[1]"], "to": ["a=b=", "a=b=c"] });
    let written = again(names.clone());
    assert_eq!((&written["freeze"], &written["to"]), (&names["freeze"], &names["to"]));
    assert_eq!("a=b=".parse::<Frozen>().unwrap().name, "a=b");
    assert_eq!(Wanted::from("a=b=".to_owned()).tensor, "a=b");
    let written = again(json!({ "opt": "x:1x3,k=1,2" }));
    assert_eq!(written["opt"], json!(["x:1x3", "k=1,2"]));
}

#[test]
fn values_that_cannot_be_are_refused() {
    let cases = [
        (json!({ "optimization_level": 6 }), "levels are 0 to 5, not 6"),
        (json!({ "targets": ["new"] }), "`new`: a compute capability is written like sm89"),
        (json!({ "freeze": ["k=[1"] }), "a list ends with `]`"),
        (json!({ "freeze": ["k=[[1],2]"] }), "`2` stands where a list was expected"),
        (json!({ "freeze": ["k=[1,[2]]"] }), "`[2]` stands where a number was expected"),
        (json!({ "freeze": ["k=[[1],[2,3]]"] }), "one list has 1 elements and another 2"),
        (json!({ "min": ["x:1", "x:2"] }), "`x` is given twice"),
        (
            json!({ "outputs": ["y"], "to": ["z"] }),
            "`outputs` and `to` both say what the outputs are: give one of them",
        ),
        (json!({ "dim": ["n=1", "n=1:2:3"] }), "`--dim` gives `n` twice"),
        (json!({ "keep": ["x"] }), "`x`: written like NODE=f32, with f32, f16 or bf16"),
        (json!({ "keep": ["x=i8"] }), "`x=i8`: written like NODE=f32, with f32, f16 or bf16"),
        (
            json!({ "quantize": ["x=int4:1"] }),
            "`x=int4:1`: written like NODE=int8:0.02, with int8 or fp8 and scales above 0",
        ),
        (
            json!({ "quantize": ["x=int8:1,-2"] }),
            "`x=int8:1,-2`: written like NODE=int8:0.02, with int8 or fp8 and scales above 0",
        ),
        (json!({ "within": 2.0 }), "a bound is above 0 and at most 1, not 2"),
    ];
    for (keys, why) in cases {
        let error = serde_json::from_value::<Recipe>(keys).unwrap_err();
        assert_eq!(error.to_string(), why);
    }
}

#[test]
fn targets_are_compute_capabilities() {
    for text in ["sm89", "89", "8.9", "sm_89"] {
        assert_eq!(text.parse(), Ok(ComputeCapability::new(8, 9)));
    }
    for text in ["", "sm", "ampere", "8.9.1.2"] {
        let wrong = Err("a compute capability is written like sm89".to_owned());
        assert_eq!(text.parse::<ComputeCapability>(), wrong);
    }
}
