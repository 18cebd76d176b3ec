//! A plan's manifest says how the plan was made: with it comes the same network again.

use super::environment::Environment;
use super::output::Output;
use super::recipe::RecipeArguments;
use super::{Cli, convert};
use crate::convert::replay::PlanFile;
use crate::convert::{Conversion, Given, Source};
use crate::error::Result;
use crate::network::Profile;
use crate::onnx::tensor_bytes;
use crate::profiles::Data;
use crate::recipe::{ComputeCapability, Level, Recipe};
use crate::tensor::Tensor;
use crate::trt::Library;
use crate::trt::tests::library_path;
use clap::Parser;
use std::fs;
use std::path::{Path, PathBuf};

/// The options of a conversion that decide on the plan.
#[derive(clap::Parser)]
struct Line {
    #[command(flatten)]
    recipe: RecipeArguments,
}

/// All that a plan was made of.
#[derive(Debug, PartialEq)]
struct Made {
    network: String,
    profiles: Vec<Profile>,
    targets: Vec<ComputeCapability>,
    no_tf32: bool,
    optimization_level: Option<Level>,
}

fn made(model: &Path, recipe: &Recipe, given: &Given, data: bool) -> Result<Made> {
    let source = Source::open(model, &recipe.part)?;
    let caps = Library::open(&library_path())?.caps();
    let fitted = given.fit(recipe, &source.model, caps)?;
    let mut conversion = Conversion::new(&source, fitted, caps)?;
    let data = if data { convert::data_beside(&source, &conversion)? } else { Vec::new() };
    conversion.plan(&Data::hints(data))?;
    let profiles = conversion.profiles();
    let Recipe { targets, no_tf32, optimization_level, .. } = conversion.fitted.recipe;
    let network = conversion.prepared.network.to_string();
    Ok(Made { network, profiles, targets, no_tf32, optimization_level })
}

/// Converts a model in a folder of its own.
struct Converting {
    folder: tempfile::TempDir,
    options: Vec<String>,
}

impl Converting {
    fn new(model: &str, options: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let models = Path::new(env!("CARGO_MANIFEST_DIR")).join("models");
        fs::copy(models.join(model).join("model.onnx"), folder.path().join("model.onnx")).unwrap();
        // All tests of one process build for the same GPUs.
        let common = ["--target", "sm89,sm120"].into_iter();
        Self {
            folder,
            options: common.chain(options.split_whitespace()).map(str::to_owned).collect(),
        }
    }

    /// Data of an input, in a folder like test data, of which the output is of no interest here.
    fn data(&self, folder: &str, name: &str, tensor: &Tensor) -> PathBuf {
        let folder = self.folder.path().join(folder);
        fs::create_dir_all(&folder).unwrap();
        let output = tensor_bytes("", &Tensor::scalar(0f32));
        std::fs::write(folder.join("input_0.pb"), tensor_bytes(name, tensor)).unwrap();
        std::fs::write(folder.join("output_0.pb"), output).unwrap();
        folder
    }

    fn model(&self) -> PathBuf {
        self.folder.path().join("model.onnx")
    }

    fn freezing_from(mut self, folder: &Path) -> Self {
        self.options.extend(["--freeze-from".to_owned(), folder.display().to_string()]);
        self
    }

    /// Converts, and opens the plan.
    fn plan(&self) -> PlanFile {
        let mut line =
            vec!["onnx2plan".to_owned(), "--no-verify".to_owned(), "--tensorrt".to_owned()];
        line.extend([library_path(), self.model()].map(|path| path.display().to_string()));
        let cli = Cli::try_parse_from(line.iter().chain(&self.options)).unwrap();
        convert::run(&cli.convert, &Environment::read(), &mut Output::new(true, false)).unwrap();
        self.opened()
    }

    /// The plan of an earlier conversion.
    fn opened(&self) -> PlanFile {
        PlanFile::open(&self.folder.path().join("model.plan"), None).unwrap().unwrap()
    }

    /// What the options make, and what the manifest of the plan makes.
    fn both(&self, data: Option<&Path>) -> (Made, Result<Made>) {
        let line =
            Line::try_parse_from(["onnx2plan".to_owned()].iter().chain(&self.options)).unwrap();
        let RecipeArguments { recipe, freeze_from: folder, .. } = line.recipe;
        let given = Given { folder, ..Given::default() };
        let asked = made(&self.model(), &recipe, &given, true).unwrap();
        let replayed = self.plan().recipe(data);
        (asked, replayed.and_then(|(recipe, given)| made(&self.model(), &recipe, &given, false)))
    }

    /// The network of the model alone.
    fn bare(&self) -> String {
        made(&self.model(), &Recipe::default(), &Given::default(), false).unwrap().network
    }
}

#[test]
fn a_manifest_gives_the_network_and_the_profiles_again() {
    let cases = [
        ("dynamic/cnn-traced", "--dim batch=4 --no-tf32 --optimization-level 1"),
        (
            "dynamic/cnn-traced",
            "--shape image:2x3x12x12 --outputs classes=kinds --without-pass scale",
        ),
        ("dynamic/detector", "--nms-fixed 5 --dim height=32:32:64 --dim width=32 --outputs boxes"),
        (
            "dynamic/crnn-captured",
            "--rnn loop --from max_pool2d_1 --dim batch=2 --dim width=32 --dim (width//2)=16",
        ),
        ("dynamic/crnn-captured", "--to max_pool2d_1=features"),
        (
            "dynamic/unet-traced",
            "--dim height=32 --profile --dim batch=1 --dim width=16:32:64 --profile --dim \
             batch=2:4:8 --dim width=32",
        ),
    ];
    for (model, options) in cases {
        let conversion = Converting::new(model, options);
        let (asked, replayed) = conversion.both(None);
        assert_eq!(asked, replayed.unwrap(), "{model} {options}");
        assert_ne!(
            asked.network,
            conversion.bare(),
            "{model} {options}: the options change nothing"
        );
    }
}

#[test]
fn what_was_guessed_from_test_data_is_not_guessed_again() {
    let conversion = Converting::new("dynamic/cnn-traced", "");
    conversion.data(
        "test_data_set_0",
        "image",
        &Tensor::of(vec![20, 3, 12, 12], vec![0f32; 8640]).unwrap(),
    );
    let (asked, replayed) = conversion.both(None);
    assert_eq!(asked, replayed.unwrap());
    assert_eq!(asked.profiles[0].inputs[0].max[0], 20);
}

#[test]
fn small_constants_are_in_the_manifest() {
    let conversion = Converting::new("dynamic/decoder-captured", "--freeze ids --dim batch=2");
    let ids = Tensor::of(vec![2, 3], vec![7i64, 0, 49, 1, 2, 3]).unwrap();
    let folder = conversion.data("given", "ids", &ids);
    let conversion = conversion.freezing_from(&folder);
    let (asked, _) = conversion.both(None);
    fs::remove_dir_all(folder).unwrap();
    let (recipe, given) = conversion.opened().recipe(None).unwrap();
    assert_eq!(made(&conversion.model(), &recipe, &given, false).unwrap(), asked);
}

#[test]
fn large_constants_are_found_by_their_hash() {
    let key = |value| Tensor::of(vec![2, 4, 5, 8], vec![value; 320]).unwrap();
    let conversion =
        Converting::new("dynamic/decoder-captured", "--freeze past_key --dim batch=2 --dim past=5");
    let folder = conversion.data("given", "past_key", &key(0.5f32));
    let conversion = conversion.freezing_from(&folder);
    let (asked, replayed) = conversion.both(Some(&folder));
    assert_eq!(replayed.unwrap(), asked);

    let refusal = |data: Option<&Path>| {
        let (recipe, given) = conversion.opened().recipe(data).unwrap();
        made(&conversion.model(), &recipe, &given, false).unwrap_err().to_string()
    };
    let hint = "\n\nhint: name the folder with the data it was made with: `--freeze-from FOLDER`";
    let what = "input `past_key` (f32[2, 4, 5, 8]), which is constant in the plan";
    assert_eq!(refusal(None), format!("the manifest does not hold the value of {what}{hint}"));
    conversion.data("test_data_set_0", "past_key", &key(0.25));
    assert_eq!(refusal(None), format!("the plan was made with another value of {what}{hint}"));
    conversion.data(
        "test_data_set_0",
        "past_key",
        &Tensor::of(vec![2, 4, 8, 5], vec![0.5f32; 320]).unwrap(),
    );
    assert_eq!(
        refusal(None),
        format!("the plan was made with another value of {what}{hint}"),
        "the same bytes"
    );
    conversion.data("test_data_set_0", "past_key", &key(0.5));
    let (recipe, given) = conversion.opened().recipe(None).unwrap();
    assert_eq!(
        made(&conversion.model(), &recipe, &given, false).unwrap(),
        asked,
        "found beside the model"
    );
}
