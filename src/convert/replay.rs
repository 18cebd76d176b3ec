//! A plan file with the manifest beside it, which says how the plan was made.

use super::Given;
use crate::error::{Error, Kind, Result};
use crate::files;
use crate::mapped;
use crate::recipe::Recipe;
use crate::report::manifest::{File, Made, Manifest, SCHEMA};
use crate::trt::{Device, Library};
use crate::verify::data;
use bytes::Bytes;
use std::path::{Component, Path, PathBuf};

/// The way out where a plan and what is beside it do not fit.
const AGAIN: &str = "build the plan again";

/// The most that a manifest takes: far more than one of a million layers.
const MOST_BYTES: u64 = 1 << 30;

/// Whether a file is a plan by its name; others are models.
pub fn is_plan(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "plan")
}

/// A plan that is what its manifest says.
pub struct PlanFile {
    path: PathBuf,
    manifest: Manifest,
    /// The plan.
    pub bytes: Bytes,
    /// The model it was built from.
    pub model: PathBuf,
}

impl PlanFile {
    /// Opens a file whose name ends in `.plan`; `None` for others, which are models. Its model is
    /// `model`, else it lies beside the plan.
    ///
    /// # Errors
    /// [`Kind::Usage`] where the plan, its manifest or its model is missing, or is another than the
    /// manifest says; for a model of a model.
    pub fn open(path: &Path, model: Option<&Path>) -> Result<Option<Self>> {
        let unusable = |message: String| Error::new(Kind::Usage, message);
        if !is_plan(path) {
            let given = |_| {
                unusable(format!(
                    "`--model` is for the model of a plan, which `{}` is not",
                    path.display()
                ))
            };
            return model.map(given).map_or(Ok(None), Err);
        }
        let manifest = manifest_of(path)?;
        let name = Path::new(&manifest.model.name);
        if name.file_name() != Some(name.as_os_str()) {
            let message =
                format!("the manifest names `{}`, which is no file beside it", manifest.model.name);
            return Err(unusable(message).with_hint(AGAIN));
        }
        let model = model.map_or_else(|| path.with_file_name(name), Path::to_owned);
        let hint = "name the model with `--model`, or build the plan again";
        is_described(&model, &manifest.model, "model", hint)?;
        for external in &manifest.external {
            let name = Path::new(&external.name);
            if !name.components().all(|part| matches!(part, Component::Normal(_))) {
                let message = format!(
                    "the manifest names `{}`, which is no file below its folder",
                    external.name
                );
                return Err(unusable(message).with_hint(AGAIN));
            }
            is_described(&model.with_file_name(name), external, "external data", AGAIN)?;
        }
        let bytes = std::fs::File::open(path).and_then(|file| mapped::map(&file));
        let bytes = bytes.map_err(|error| {
            unusable(format!("cannot read `{}`", path.display())).with_source(error)
        })?;
        Ok(Some(Self { path: path.to_owned(), manifest, bytes, model }))
    }

    /// The recipe that the plan was made with. Values of constants that the manifest does not hold
    /// are in the folder `data`, or in the first test data beside the model.
    ///
    /// # Errors
    /// [`Kind::Usage`] for a folder from which nothing is wanted.
    pub fn recipe(&self, data: Option<&Path>) -> Result<(Recipe, Given)> {
        let Made { recipe, ranges, frozen } = self.manifest.options.clone();
        let wanted = recipe.freeze.iter().any(|frozen| frozen.literal.is_none());
        if let (Some(folder), false) = (data, wanted) {
            let message = format!(
                "nothing is wanted from `{}`: the manifest holds every constant",
                folder.display()
            );
            return Err(Error::new(Kind::Usage, message).with_hint("leave out `--freeze-from`"));
        }
        let beside = || data::beside(&self.model).into_iter().next();
        let folder = data.map(Path::to_owned).or_else(beside).filter(|_| wanted);
        Ok((recipe, Given { folder, recorded: frozen, ranges: Some(ranges) }))
    }

    /// The model and the plan, as the manifest describes them.
    pub fn files(&self) -> (File, File) {
        (self.manifest.model.clone(), self.manifest.plan.clone())
    }

    /// Whether a library on a GPU can run the plan, asked before anything is called that might
    /// crash.
    ///
    /// # Errors
    /// [`Kind::Environment`] for a plan of another version, or for other GPUs.
    pub fn fits(&self, library: &Library, device: &Device) -> Result<()> {
        let (built_by, version) = (&self.manifest.library, library.version().to_string());
        if *built_by != version {
            let message = format!(
                "`{}` was built by {built_by}, which {version} cannot run",
                self.path.display()
            );
            return Err(Error::new(Kind::Environment, message).with_hint(
                "name the library that built it with `--tensorrt`, or build the plan again",
            ));
        }
        let info = device.info()?;
        let (targets, here) = (&self.manifest.targets, info.compute_capability.to_string());
        if !targets.is_empty() && !targets.contains(&here) {
            let message = format!(
                "`{}` was built for {}, not for {} ({here})",
                self.path.display(),
                targets.join(", "),
                info.name
            );
            return Err(Error::new(Kind::Environment, message)
                .with_hint(format!("build it with `--target {here}`")));
        }
        Ok(())
    }
}

/// The manifest of a plan, which is the plan that it describes.
///
/// # Errors
/// [`Kind::Usage`] where the plan or its manifest is missing, or the plan is another.
pub fn manifest_of(plan: &Path) -> Result<Manifest> {
    if !plan.is_file() {
        let message = format!("there is no plan `{}`", plan.display());
        return Err(Error::new(Kind::Usage, message));
    }
    let manifest = manifest(&files::with_suffix(plan, ".json"))?;
    is_described(plan, &manifest.plan, "plan", AGAIN)?;
    Ok(manifest)
}

/// Reads the manifest of a plan.
fn manifest(path: &Path) -> Result<Manifest> {
    /// What every schema has.
    #[derive(serde::Deserialize)]
    struct Any {
        schema: u32,
    }
    let unusable = |message: String| Error::new(Kind::Usage, message).with_hint(AGAIN);
    let none = || unusable(format!("`{}` is no manifest of a plan", path.display()));
    let found = std::fs::metadata(path).and_then(|found| {
        // Nothing else ends for certain.
        if found.is_file() && found.len() <= MOST_BYTES {
            std::fs::read(path).map(Some)
        } else {
            Ok(None)
        }
    });
    let found = found.map_err(|error| {
        unusable(format!("cannot read `{}`, the manifest of the plan", path.display()))
            .with_source(error)
    })?;
    let text = found.ok_or_else(none)?;
    let Any { schema } =
        serde_json::from_slice(&text).map_err(|error| none().with_source(error))?;
    if schema != SCHEMA {
        let message =
            format!("`{}` has schema {schema}; this program reads schema {SCHEMA}", path.display());
        return Err(unusable(message));
    }
    serde_json::from_slice(&text)
        .map_err(|error| unusable(format!("`{}` says what cannot be: {error}", path.display())))
}

/// Checks that a file is the one that a manifest describes; only one of that size is read.
fn is_described(path: &Path, described: &File, what: &str, hint: &str) -> Result<()> {
    let refused = |message: String| Err(Error::new(Kind::Usage, message).with_hint(hint));
    let Ok(found) = std::fs::metadata(path) else {
        return refused(format!("the {what} of this plan is missing: `{}`", path.display()));
    };
    if found.is_file()
        && found.len() == described.bytes
        && files::describe(path)?.sha256 == described.sha256
    {
        return Ok(());
    }
    refused(format!("`{}` is not the {what} that the manifest describes", path.display()))
}
