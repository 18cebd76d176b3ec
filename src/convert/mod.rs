//! One model and a recipe: from file to plan, with proof, manifest and report.
//!
//! [`Source`] is the model as it was read, [`Conversion`] the network that it became and the
//! shapes that the network is for, [`Built`] the plan. [`Machine`] is what there is to build, run
//! and compare with. Whoever calls decides what is printed in between and where files go: the
//! command line does that for one model, a zoo's worker for many.

mod candidate;
mod choice;
mod explain;
pub mod failing;
pub mod freezing;
mod given;
mod machine;
mod manifest;
mod mending;
mod page;
mod plan;
mod proof;
pub mod reason;
pub mod replay;
pub mod reproducer;
mod source;
mod witness;

pub use given::Given;
pub use machine::{Machine, On, with_gpu};
pub use manifest::bindings;
pub use page::{Ending, Findings, describe};
pub use plan::{Built, Loaded};
pub use proof::Proof;
pub use source::{ModelFiles, Source, files_of};

use crate::error::Result;
use crate::import::Fitted;
use crate::import::constants::written;
use crate::network::profile::Range;
use crate::network::{Caps, Profile};
use crate::pipeline::{self, Prepared};
use crate::profiles::{self, Data, Planned};
use crate::recipe::sizes::{Request, Sizes};
use crate::recipe::{Frozen, Recipe};
use crate::report::manifest::Mended;
use crate::report::precision::Certificate;
use crate::timings::stage;
use crate::valid::Checked;
use crate::verify::data::DataSet;
use crate::verify::draw::{self, Extent, Shapes};
use crate::verify::reference::Reference;

/// A model that became a network.
#[derive(Debug)]
pub struct Conversion {
    /// What made the network.
    pub fitted: Fitted,
    /// What a library may build.
    pub caps: Caps,
    /// The network, and how it came about.
    pub prepared: Prepared,
    /// The shapes it is for: as many as the recipe asks for.
    pub planned: Vec<Planned>,
    /// What says that the types which layers compute in are good enough, where they were chosen.
    pub certificate: Option<Certificate>,
    /// What was changed because TensorRT failed to build the network.
    pub mends: Vec<Mended>,
}

impl Conversion {
    /// Makes the network of a model. No shapes are planned yet.
    ///
    /// # Errors
    /// Those of [`pipeline::prepare`].
    pub fn new(source: &Source, mut fitted: Fitted, caps: Caps) -> Result<Self> {
        fitted.recipe.part = source.wanted.clone();
        let prepared = pipeline::prepare(&source.model, &fitted, caps)?;
        Ok(Self {
            fitted,
            caps,
            prepared,
            planned: Vec::new(),
            certificate: None,
            mends: Vec::new(),
        })
    }

    /// Plans the shapes that the recipe asks for; `data` helps to guess the rest.
    ///
    /// # Errors
    /// Those of [`profiles::all`].
    pub fn plan(&mut self, data: &Data) -> Result<()> {
        let all = || profiles::all(self.network(), &self.fitted.recipe.sizes, data);
        self.planned = stage("plan sizes", all)?;
        Ok(())
    }

    /// The network.
    pub fn network(&self) -> &Checked {
        &self.prepared.network
    }

    /// The profiles for TensorRT; none where no size is left to the run.
    pub fn profiles(&self) -> Vec<Profile> {
        self.planned.iter().flat_map(Planned::profiles).collect()
    }

    /// What the user should know, guessed sizes included.
    pub fn notes(&self) -> Vec<String> {
        let guessed = profiles::guesses(&self.planned).into_iter();
        let guessed = guessed.map(|guess| format!("guessed: {guess}"));
        self.prepared.notes.iter().cloned().chain(guessed).collect()
    }

    /// Inputs drawn at the ends of the planned shapes, with the reference's outputs. They have the
    /// model's types, for the reference computes the model, whatever types the recipe asks for.
    ///
    /// # Errors
    /// Those of [`draw::all`].
    pub fn drawn(&self, extent: Extent<'_>, reference: &mut Reference) -> Result<Vec<DataSet>> {
        let mut samples = profiles::samples(&self.planned, self.network());
        samples.retain(|sample| !extent.likeliest || sample.likeliest);
        let shapes = samples.iter().map(|sample| {
            let profiles::Sample { what, shapes, others, values, .. } = sample;
            Shapes { what, shapes, others, values }
        });
        let network = self.prepared.optimized.as_ref().unwrap_or_else(|| self.network());
        draw::all(network, &shapes.collect::<Vec<_>>(), extent.seeds, reference)
    }

    /// The recipe with which the same plan comes about again, with nothing left to be guessed, for
    /// the [ranges](Fitted::ranges) that the network was made for: of guessed sizes nothing was
    /// promised. Constants that no text can say are named only.
    pub fn settled(&self) -> Recipe {
        let constants = self.fitted.constants.iter();
        let freeze = constants
            .map(|(name, tensor)| Frozen { name: name.clone(), literal: written(tensor) })
            .collect();
        let strict = Request { strict: true, ..Request::default() };
        let sizes = Sizes { fixed: self.fitted.sizes.clone(), ..Sizes::default() };
        let mut requests: Vec<Request> = self.profiles().iter().map(request).collect();
        let sizes = match requests.len() {
            1 => Sizes { common: Request { strict: true, ..requests.swap_remove(0) }, ..sizes },
            _ => Sizes { common: strict, profiles: requests, ..sizes },
        };
        Recipe { sizes, freeze, ..self.fitted.recipe.clone() }
    }
}

/// A profile as it would be asked for.
fn request(profile: &Profile) -> Request {
    let mut request = Request::default();
    let Request { min, opt, max, .. } = &mut request;
    for Range { input, min: smallest, opt: likeliest, max: largest } in &profile.inputs {
        for (end, shape) in [(&mut *min, smallest), (&mut *opt, likeliest), (&mut *max, largest)] {
            end.shapes.insert(input.clone(), shape.clone());
        }
    }
    for Range { input, min: smallest, opt: likeliest, max: largest } in &profile.values {
        for (end, of) in [(&mut *min, smallest), (&mut *opt, likeliest), (&mut *max, largest)] {
            end.values.insert(input.clone(), of.clone());
        }
    }
    request
}
