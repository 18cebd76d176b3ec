//! Where outputs differ: the first wrong node, for `verify`.

use super::environment::Environment;
use super::output::{Output, counted};
use crate::error::Result;
use crate::files::{self, place};
use crate::onnx::Model;
use crate::onnx::part::Whole;
use crate::report::verification::{Fault, Judgment, OutputComparison};
use crate::tensor::Tensor;
use crate::verify::data::DataSet;
use crate::verify::locate::{self, Candidate};
use crate::verify::reference;
use std::path::PathBuf;

#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Where numbers go wrong")]
pub(super) struct LocateArguments {
    /// If outputs differ, write the first wrong node to this folder, as a model with its inputs and
    /// outputs
    #[arg(long, value_name = "FOLDER")]
    reproducer: Option<PathBuf>,
}

/// What there is to say on outputs that differ.
pub(super) enum Found {
    /// The first wrong node.
    Fault(Fault),
    /// Why there is none.
    Nothing(String),
}

impl LocateArguments {
    /// The files that a reproducer would replace.
    pub(super) fn writes(&self) -> Vec<PathBuf> {
        let folders = self.reproducer.iter();
        let folders = folders.flat_map(|folder| [folder.clone(), folder.join("test_data_set_0")]);
        folders.flat_map(|folder| place::with_contents(&folder)).collect()
    }

    /// Looks for the first node of the model that is wrong, with ONNX Runtime as the reference of
    /// all that is inside the model.
    ///
    /// # Errors
    /// A reproducer that cannot be written. What else stands in the way is no error of its own: the
    /// numbers differ.
    pub(super) fn locate(
        &self,
        whole: impl FnOnce() -> Result<Whole>,
        environment: &Environment,
        set: &DataSet,
        outputs: &[OutputComparison],
        candidate: &mut dyn Candidate,
        output: &mut Output,
    ) -> Result<Found> {
        let unknown =
            |why: &str| Found::Nothing(format!("the first wrong node was not looked for: {why}"));
        let Ok(library) = environment.reference() else {
            return Ok(unknown(
                "that takes ONNX Runtime; `onnx2plan setup --reference` fetches it",
            ));
        };
        output.start("locate");
        let wrong: Vec<&str> = outputs
            .iter()
            .filter(|output| output.verdict == Judgment::Differs)
            .map(|output| output.name.as_str())
            .collect();
        let located = whole().and_then(|whole| {
            let inputs = named(set, &whole.part(&[], &wrong)?.model()?);
            let mut inner =
                |whole: &Whole, names: &[&str]| reference::inner(&library, whole, &inputs, names);
            locate::locate(&whole, (&wrong, set.within), &inputs, &mut inner, candidate)
        });
        let mut located = match located {
            Err(error) => return Ok(unknown(&error.to_string())),
            Ok(None) => {
                let why = "computed again, within the usual tolerance, the model agrees with ONNX \
                           Runtime: what differs is the data set, or a first plan from a second";
                return Ok(Found::Nothing(why.to_owned()));
            }
            Ok(Some(located)) => located,
        };
        if let Some(folder) = &self.reproducer {
            for (path, bytes) in located.files()? {
                files::write(&folder.join(path), &bytes)?;
            }
            located.fault.reproducer = Some(folder.display().to_string());
        }
        output.done(&format!("{} of the model computed", counted(located.fault.parts_run, "part")));
        Ok(Found::Fault(located.fault))
    }
}

impl Found {
    /// The lines that an error shows.
    pub(super) fn lines(&self) -> Vec<String> {
        match self {
            Found::Fault(fault) => locate::lines(fault),
            Found::Nothing(why) => vec![why.clone()],
        }
    }

    pub(super) fn fault(&self) -> Option<&Fault> {
        if let Found::Fault(fault) = self { Some(fault) } else { None }
    }
}

/// The data of a model's inputs.
pub(super) fn named(set: &DataSet, model: &Model) -> Vec<(String, Tensor)> {
    let names: Vec<&str> = model.graph.inputs.iter().map(|info| &*info.name).collect();
    let tensors = set.tensors(&names).into_iter();
    tensors.map(|(name, tensor)| (name.to_owned(), tensor.clone())).collect()
}
