//! Mends for what TensorRT fails to build: tried on the part that fails, kept in the whole.

use super::Conversion;
use super::failing::{self, Failing, Limit};
use crate::error::{Error, Result};
use crate::mend::{ALL, Mend};
use crate::network::Network;
use crate::pipeline;
use crate::profiles::part::Ends;
use crate::report::manifest::Mended;
use crate::site::Site;
use crate::trt::Library;
use crate::valid::Checked;
use std::collections::BTreeSet;

/// No network is mended in more places one after the other.
const MOST_MENDS: usize = 16;

impl Conversion {
    /// Looks for what TensorRT failed at when it failed to build the network, and mends that, so
    /// that building again is worth it.
    ///
    /// # Errors
    /// The error of the build, with what was found, where nothing helps.
    pub fn mend_after(&mut self, library: &Library, error: Error, limit: Limit<'_>) -> Result<()> {
        if !failing::is_wanted(&error) {
            return Err(error);
        }
        let Some(found) = self.failing(library, &error, limit, &mut |_| ()) else {
            return Err(error);
        };
        match self.mend(library, &found, limit) {
            Some(_) => Ok(()),
            None => Err(found.lines().into_iter().fold(error, Error::with_note)),
        }
    }

    /// Changes the network at what TensorRT fails to build, by the cheapest mend with which it
    /// builds that; `None` where none helps, or too many were needed. From here on the network is
    /// the mended one.
    pub fn mend(
        &mut self,
        library: &Library,
        failing: &Failing,
        limit: Limit<'_>,
    ) -> Option<Mended> {
        if self.mends.len() >= MOST_MENDS {
            return None;
        }
        let (mend, network) = ALL.iter().find_map(|mend| {
            let network = self.with(mend, failing)?;
            self.builds(library, mend, failing, limit).then_some((mend, network))
        })?;
        self.prepared.network = network;
        let mended = Mended {
            name: mend.name.to_owned(),
            nodes: failing.nodes.iter().map(Site::label).collect(),
            does: mend.does.to_owned(),
            reason: failing.said.clone(),
            costs: mend.costs.to_owned(),
        };
        self.prepared.notes.push(mended.line());
        self.mends.push(mended.clone());
        Some(mended)
    }

    /// The whole network with a mend where it fails.
    fn with(&self, mend: &Mend, failing: &Failing) -> Option<Checked> {
        let part = &failing.smallest.part;
        let layers = part.layers.union(&part.inside).copied().collect();
        self.legal(mend.apply(self.network(), &layers).ok()??)
    }

    /// Whether TensorRT builds the part with a mend in it.
    fn builds(&self, library: &Library, mend: &Mend, failing: &Failing, limit: Limit<'_>) -> bool {
        let part = &failing.smallest.part;
        let layers: BTreeSet<_> = part.network.live_layers().into_iter().collect();
        let mended = mend.apply(&part.network, &layers).ok().flatten();
        let Some(network) = mended.and_then(|mended| self.legal(mended)) else { return false };
        let profiles = Ends::new(self.network(), &self.profiles()).of(part);
        self.attempt(library, network.into_inner(), (profiles, failing.level), limit).is_ok()
    }

    /// A mended network as the library can build it.
    fn legal(&self, network: Network) -> Option<Checked> {
        pipeline::legal(network, self.caps).ok()
    }
}
