//! Converts a model: writes a plan, and the manifest that says what it was made of.
//!
//! ```text
//! cargo run --example convert models/digits/model.onnx digits.plan
//! ```
//!
//! Takes the library that `ONNX2PLAN_TENSORRT` names, one of the system, or the TensorRT-RTX that
//! `onnx2plan setup` fetched.

#![allow(clippy::print_stdout, reason = "the example says what it did")]

use onnx2plan::convert::{Conversion, Given, Source};
use onnx2plan::profiles::Data;
use onnx2plan::provision::{self, TENSORRT_RTX};
use onnx2plan::recipe::Recipe;
use onnx2plan::trt::{FindOptions, Library, LogSink, find};
use onnx2plan::{Error, Kind};
use std::fs::{self, File};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args_os().skip(1).map(PathBuf::from);
    let (Some(model), Some(plan)) = (arguments.next(), arguments.next()) else {
        return Err(Error::new(Kind::Usage, "name a model and the plan to write").into());
    };
    let library = library()?;

    // The recipe holds every option of the command line; this is the standard one.
    let recipe = Recipe::default();
    let source = Source::open(&model, &recipe.part)?;
    let fitted = Given::default().fit(&recipe, &source.model, library.caps())?;
    let mut conversion = Conversion::new(&source, fitted, library.caps())?;
    // Ranges for sizes that only the run knows: all guessed, as neither the recipe nor data says.
    conversion.plan(&Data::default())?;
    for note in conversion.notes() {
        println!("note: {note}");
    }

    let name = plan.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let log: LogSink = Arc::new(|_, _| {});
    let to = (name, File::create(&plan)?);
    let built = conversion.build(&library, to, log, &AtomicBool::new(false))?;
    let manifest = conversion.manifest(&library, source.files()?, &built);
    let beside = plan.with_added_extension("json");
    fs::write(&beside, serde_json::to_string_pretty(&manifest)?)?;
    println!("{} ({} bytes), {}", plan.display(), built.file.bytes, beside.display());
    Ok(())
}

/// A library to build with, in the places where the command looks, but for Python's packages.
fn library() -> onnx2plan::Result<Library> {
    let variable = |name: &str| std::env::var_os(name);
    let options = FindOptions {
        cache: provision::installed(&TENSORRT_RTX, &provision::cache_dir(variable)?),
        ..FindOptions::from_env(variable)
    };
    let (library, _) = find::find(&options, Vec::new);
    library.ok_or_else(|| {
        Error::new(Kind::Environment, "no usable TensorRT library")
            .with_hint("run `onnx2plan setup`, or name a library in ONNX2PLAN_TENSORRT")
    })
}
