//! Types chosen by data keep the outputs within the bound, or the choice says what stands in the
//! way: networks that f16 breaks, each in its own way, and some that it does not.
//!
//! The right answers are computed here, in `f64`, by the formula that the network writes out.

mod answers;
mod choosing;
mod eight;
pub(crate) mod hostile;
mod plain;
mod refused;
mod said;
mod trained;
mod written;

use crate::support::Model;
use crate::tensorrt;
use onnx2plan::Kind;
use onnx2plan::convert::{Conversion, Source};
use onnx2plan::eval;
use onnx2plan::import::Fitted;
use onnx2plan::network::Caps;
use onnx2plan::profiles;
use onnx2plan::recipe::Part;
use onnx2plan::recipe::precision::Precision;
use onnx2plan::report::precision::Certificate;
use onnx2plan::tensor::Tensor;
use onnx2plan::verify::data::DataSet;
use onnx2plan::verify::random;
use std::sync::atomic::AtomicBool;

/// How far outputs may be off, as a share of the largest number.
const BOUND: f64 = 1e-2;

/// A network with data and its right answers.
pub(crate) struct Case {
    pub(crate) name: &'static str,
    pub(crate) model: Model,
    /// The inputs of a seed, by name.
    pub(crate) data: fn(u64) -> Vec<(&'static str, Tensor)>,
    /// What comes out, in `f64`.
    pub(crate) right: fn(&[Tensor]) -> Vec<f64>,
}

/// What came of a case.
pub(crate) enum Outcome {
    /// The types hold the bound; how far the outputs were off on fresh data, at worst. `None` where
    /// the formula is for none of the drawn inputs.
    Held(Certificate, Option<f64>),
    /// The choice said what stands in the way.
    Refused(String),
}

impl Case {
    /// Chooses types by two data sets of the user's, then judges by the formula on four others.
    /// Without data of the user's, drawn inputs decide and are judged.
    pub(crate) fn run(&self, precision: &str, drawn: bool) -> Outcome {
        self.run_for(Caps::modern(), precision, drawn)
    }

    fn run_for(&self, caps: Caps, precision: &str, drawn: bool) -> Outcome {
        let folder = tempfile::tempdir().unwrap();
        let source = Source::open(&self.model.write(folder.path()), &Part::default()).unwrap();
        let mut fitted = Fitted::standard(caps);
        let exact = Conversion::new(&source, fitted.clone(), caps).unwrap();
        fitted.recipe.precision = serde_json::from_value(precision.into()).unwrap();
        let mut conversion = Conversion::new(&source, fitted, caps)
            .unwrap_or_else(|error| panic!("{}: {error}", self.name));
        conversion.plan(&profiles::Data::default()).unwrap();
        let given = || [0, 1].map(|seed| DataSet::of_inputs(&self.named(seed))).into();
        let sets: Vec<DataSet> = if drawn { Vec::new() } else { given() };
        if let Err(error) = conversion.choose(&source, &sets, &AtomicBool::new(false)) {
            assert_eq!(error.kind(), Kind::Mismatch, "{}: {error}", self.name);
            return Outcome::Refused(error.to_string());
        }
        let off = |seed| {
            let data = (self.data)(seed).into_iter().map(|(_, tensor)| tensor);
            let mut data: Vec<Tensor> = data.collect();
            if drawn {
                let shapes: Vec<Vec<usize>> =
                    data.iter().map(|tensor| tensor.dims().to_vec()).collect();
                data = random::inputs(conversion.network(), &shapes, seed).unwrap();
            }
            // Drawn inputs may be none that the formula is for.
            let is_meant = !drawn || self.off(&exact, &data) < 1e-3;
            is_meant.then(|| self.off(&conversion, &data))
        };
        let off = (100..104).filter_map(off).reduce(f64::max);
        Outcome::Held(conversion.certificate.unwrap(), off)
    }

    fn named(&self, seed: u64) -> Vec<(String, Tensor)> {
        (self.data)(seed).into_iter().map(|(name, tensor)| (name.to_owned(), tensor)).collect()
    }

    /// How far the first output is off for some data. What the formula has no number for is not
    /// judged.
    fn off(&self, conversion: &Conversion, inputs: &[Tensor]) -> f64 {
        let computed = eval::run(conversion.network(), inputs).unwrap();
        let right = (self.right)(inputs);
        if right.iter().any(|number| !number.is_finite()) {
            return 0.0;
        }
        let actual = numbers(&computed[0]);
        assert_eq!(actual.len(), right.len(), "{}", self.name);
        let largest = right.iter().map(|number| number.abs()).fold(0.0, f64::max);
        let off = actual.iter().zip(&right).map(|(actual, right)| (actual - right).abs());
        let most =
            off.map(|off| if off.is_nan() { f64::INFINITY } else { off }).fold(0.0, f64::max);
        if most == 0.0 { 0.0 } else { most / largest }
    }
}

/// The elements of a tensor as `f64`.
pub(crate) fn numbers(tensor: &Tensor) -> Vec<f64> {
    match tensor.to_f32s() {
        Some(values) => values.iter().map(|&value| value.into()).collect(),
        None => tensor.to_i64s().unwrap().into_iter().map(|value| value as f64).collect(),
    }
}

/// The share of the layers that are in the cheap type.
fn cheap(certificate: &Certificate) -> f64 {
    let counts = certificate.layers;
    let all = counts.f32 + counts.f16 + counts.bf16;
    (counts.f16 + counts.bf16) as f64 / all.max(1) as f64
}

#[test]
fn the_types_that_were_chosen_come_about_again() {
    let chosen = ["RMS norm of 300", "GELU in its tails", "an index computed in floats"];
    let cases = hostile::cases();
    let cases = cases.iter().filter(|case| chosen.contains(&case.name));
    let types = [Precision::F16, Precision::Bf16, Precision::Auto];
    for (case, precision) in cases.flat_map(|case| types.map(|precision| (case, precision))) {
        let folder = tempfile::tempdir().unwrap();
        let source = Source::open(&case.model.write(folder.path()), &Part::default()).unwrap();
        let mut fitted = Fitted::standard(Caps::modern());
        fitted.recipe.precision = precision;
        let mut conversion = Conversion::new(&source, fitted, Caps::modern()).unwrap();
        conversion.plan(&profiles::Data::default()).unwrap();
        let sets = [DataSet::of_inputs(&case.named(0))];
        conversion.choose(&source, &sets, &AtomicBool::new(false)).unwrap();
        let mut again = Fitted::standard(Caps::modern());
        again.recipe = conversion.settled();
        let has_kept = !again.recipe.keep.is_empty();
        assert!(has_kept || precision != Precision::F16, "{}", case.name);
        let again = Conversion::new(&source, again, Caps::modern()).unwrap();
        let text = |of: &Conversion| of.network().to_string();
        assert_eq!(text(&again), text(&conversion), "{}", case.name);
    }
}

#[test]
fn what_stands_in_the_way_is_said() {
    let case = hostile::cases().into_iter().find(|case| case.name == "x · 1e-9 / 1e-9").unwrap();
    let folder = tempfile::tempdir().unwrap();
    let mut command = tensorrt::onnx2plan();
    let output = command.arg(case.model.write(folder.path())).args(["--precision", "f16", "-q"]);
    let output = output.output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8(output.stderr).unwrap();
    let model = folder.path().join("model.onnx");
    assert_eq!(
        said,
        format!(
            "error: no layer can compute in f16 and keep the outputs within 0.01\n  in {}\n  \
             `Mul_a` (Mul): its numbers are lost: too small, too near each other, or too many\n  \
             `Div_y` (Div): it overflows, or has no number where there is one\n\n\
             hint: `--precision auto` also tries bf16, and takes f32 where nothing holds\n",
            model.display()
        )
    );
    assert!(!folder.path().join("model.plan").exists());
}

#[test]
fn words_of_trtexec_point_to_precision() {
    let folder = tempfile::tempdir().unwrap();
    let model = hostile::cases().remove(0).model.write(folder.path());
    let output = tensorrt::onnx2plan().arg(model).arg("--fp16").arg("-q").output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert_eq!(
        String::from_utf8(output.stderr).unwrap(),
        "error: `--fp16` is a word of trtexec: say `--precision f16`, which also keeps the outputs \
         in a bound\n"
    );
}

/// Each case holds the bound, or is one of those that are refused and says what stands in the way.
fn nothing_is_wrong(precision: &str, drawn: bool, refused: &[&str]) {
    let (mut wrong, mut without, mut unjudged) = (Vec::new(), Vec::new(), Vec::new());
    for case in hostile::cases() {
        match case.run(precision, drawn) {
            Outcome::Held(found, off) => {
                let share = 100.0 * cheap(&found);
                eprintln!("{precision} {}: off by {off:?}, {share:.0} % cheap", case.name);
                match off {
                    Some(off) if off > BOUND => {
                        wrong.push(format!("{}: off by {off:.1e}", case.name));
                    }
                    Some(_) => {}
                    None => unjudged.push(case.name),
                }
            }
            Outcome::Refused(why) => {
                eprintln!("{precision} {}: {}", case.name, why.lines().next().unwrap());
                without.push(case.name);
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    without.sort_unstable();
    assert_eq!(without, refused);
    assert_eq!(unjudged, if drawn { refused::UNJUDGED } else { &[] });
}

#[test]
fn nothing_is_wrong_without_notice_in_f16() {
    nothing_is_wrong("f16", false, refused::F16);
}

#[test]
fn nothing_is_wrong_without_notice_in_bf16() {
    nothing_is_wrong("bf16", false, refused::BF16);
}

#[test]
fn nothing_is_wrong_where_the_type_is_left_open() {
    nothing_is_wrong("auto", false, &[]);
}

#[test]
fn nothing_is_wrong_without_notice_on_drawn_data() {
    nothing_is_wrong("f16", true, refused::DRAWN);
}

#[test]
fn most_layers_of_usual_networks_are_cheap() {
    let (modern, eight) = (Caps::modern(), Caps::eight());
    for (caps, precision) in [(modern, "f16"), (modern, "bf16"), (eight, "f16")] {
        for case in plain::cases() {
            match case.run_for(caps, precision, false) {
                Outcome::Held(found, off) => {
                    let share = cheap(&found);
                    let off = off.unwrap();
                    eprintln!("{precision} {}: off by {off:.1e}, {share:.2} cheap", case.name);
                    assert!(off <= BOUND, "{precision} {}: off by {off:.1e}", case.name);
                    assert!(share >= 0.75, "{precision} {}: {:#?}", case.name, found.nodes);
                }
                Outcome::Refused(why) => panic!("{precision} {}: {why}", case.name),
            }
        }
    }
}
