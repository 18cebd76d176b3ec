//! Where TensorRT fails, when it fails inside and names no node: the smallest part of the network
//! at which it fails in the same way.

use super::Conversion;
use crate::error::said::{Fault, Said, plain};
use crate::error::{Error, Kind};
use crate::network::{Cut, Network, Profile};
use crate::profiles::part::Ends;
use crate::recipe::Level;
use crate::shrink::{Smallest, Tried, smallest};
use crate::site::Site;
use crate::trt::{self, BuildOptions, Library};
use crate::valid;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// How often it is looked whether there is time left.
const LOOK: Duration = Duration::from_millis(20);

/// How long it may take to look for what fails.
#[derive(Clone, Copy)]
pub struct Limit<'a> {
    /// When to stop.
    pub deadline: Instant,
    /// Set when the user wants to stop.
    pub cancel: &'a AtomicBool,
}

/// The share of the time in which the part is looked for; what is left is for mends.
const SHARE: f64 = 0.75;

impl Limit<'_> {
    /// The limit of looking for the part.
    fn of_search(self) -> Self {
        let now = Instant::now();
        let left = self.deadline.saturating_duration_since(now);
        Self { deadline: now + left.mul_f64(SHARE), ..self }
    }

    fn is_over(&self) -> bool {
        Instant::now() >= self.deadline || self.cancel.load(Ordering::Relaxed)
    }
}

/// The smallest part of a network at which TensorRT fails as it does at the whole.
#[derive(Debug)]
pub struct Failing {
    /// The part.
    pub smallest: Smallest,
    /// The nodes behind its layers, in order.
    pub nodes: Vec<Site>,
    /// What TensorRT says, in short.
    pub said: String,
    /// How many layers the whole network has, counted in the same way as [those](Self::layers) of
    /// the part.
    pub of: usize,
    /// How long it took to find.
    pub took: Duration,
    /// The level of optimization at which parts were built.
    pub level: Option<Level>,
}

/// How many nodes a message names.
const NAMED: usize = 10;

impl Failing {
    /// How many layers the part has, constants left out; those inside of loops and branches count.
    pub fn layers(&self) -> usize {
        counted(&self.smallest.part.network)
    }

    /// What an error says of it, a line each.
    pub fn lines(&self) -> Vec<String> {
        let Smallest { tried, complete, .. } = self.smallest;
        let (layers, of, seconds) = (self.layers(), self.of, self.took.as_secs_f64());
        if tried == 0 && !complete {
            // All layers would be named, as if that had been found.
            return vec![format!(
                "the time was up before a part was built, after {seconds:.1} s: a conversion with \
                 `--locate SECONDS` looks for longer"
            )];
        }
        let found = if complete { "fails at" } else { "fails at (time ran out; maybe fewer)" };
        let mut lines = vec![format!(
            "TensorRT {found} {layers} of {of} layers alone; {tried} parts built in {seconds:.1} s:"
        )];
        lines.extend(self.nodes.iter().take(NAMED).map(|site| format!("  {site}")));
        if self.nodes.len() > NAMED {
            lines.push(format!("  and {} more", self.nodes.len() - NAMED));
        }
        lines
    }
}

/// The layers of a network without constants.
fn counted(network: &Network) -> usize {
    let layers = network.live_layers().into_iter().map(|id| network.layer(id));
    layers.filter(|layer| layer.kind.name() != "Constant").count()
}

/// Whether to look for what fails: TensorRT had taken the network, and failed at it. What it cannot
/// build without a GPU it names.
pub fn is_wanted(error: &Error) -> bool {
    let inside = |said: &Said| said.is_of_build() && said.fault != Some(Fault::NoImplementation);
    error.kind() == Kind::TensorRt && error.said().is_some_and(inside)
}

impl Conversion {
    /// Looks for the smallest part that TensorRT fails to build as it failed to build the whole.
    /// `progress` is told the layers of each part that is tried. It may be
    /// the whole. `None` for another error than that of a [wanted](is_wanted) kind.
    pub fn failing(
        &self,
        library: &Library,
        error: &Error,
        limit: Limit<'_>,
        progress: &mut dyn FnMut(usize),
    ) -> Option<Failing> {
        let (start, limit) = (Instant::now(), limit.of_search());
        let said = error.said().filter(|_| is_wanted(error))?;
        let network: &Network = self.network();
        let ends = Ends::new(network, &self.profiles());
        let level = self.level_of_parts(library, said, limit);
        let found = smallest(network, &mut |part: &Cut| {
            progress(part.layers.len());
            let (network, profiles) = (part.network.clone(), ends.of(part));
            self.tried(library, network, (profiles, level), said, limit)
        })?;
        let mut nodes: Vec<Site> = Vec::new();
        let part = &found.part.network;
        for layer in part.live_layers().into_iter().map(|id| part.layer(id)) {
            let new = |site: &&Site| site.place().index.is_some() && !nodes.contains(site);
            let sites: Vec<Site> = layer.sites.iter().filter(new).cloned().collect();
            nodes.extend(sites.into_iter().filter(|_| layer.kind.name() != "Constant"));
        }
        let of = counted(network);
        let said = plain(&said.text);
        Some(Failing { smallest: found, nodes, said, of, took: start.elapsed(), level })
    }

    /// The level of optimization at which parts are built: 0, where a part takes TensorRT 8 a second
    /// in place of tens of them, if it fails at the whole there as well.
    fn level_of_parts(&self, library: &Library, said: &Said, limit: Limit<'_>) -> Option<Level> {
        let given = self.fitted.recipe.optimization_level;
        if self.caps.strongly_typed || given.is_some() {
            return given;
        }
        let least = Level::try_from(0).ok();
        let whole = self.network().clone().into_inner();
        let tried = self.tried(library, whole, (self.profiles(), least), said, limit);
        least.filter(|_| tried == Tried::Same)
    }

    fn tried(
        &self,
        library: &Library,
        network: Network,
        at: (Vec<Profile>, Option<Level>),
        said: &Said,
        limit: Limit<'_>,
    ) -> Tried {
        match self.attempt(library, network, at, limit) {
            Err(error) if error.kind() == Kind::Cancelled => Tried::Stopped,
            Err(error) if error.said().is_some_and(|other| said.is_like(other)) => Tried::Same,
            _ => Tried::Other,
        }
    }

    /// Builds a plan that nobody keeps, for these profiles at a level of optimization.
    ///
    /// # Errors
    /// Those of [`valid::check`] and [`trt::build`]; [`Kind::Cancelled`] where time is over.
    pub(super) fn attempt(
        &self,
        library: &Library,
        network: Network,
        (profiles, level): (Vec<Profile>, Option<Level>),
        limit: Limit<'_>,
    ) -> Result<(), Error> {
        let network = valid::check(network)?;
        // TensorRT's words are in its errors.
        let log: trt::LogSink = Arc::new(|_, _| ());
        let mut options = BuildOptions { profiles, ..self.options(log) };
        options.recipe.optimization_level = level;
        let (stop, done) = (AtomicBool::new(limit.is_over()), AtomicBool::new(false));
        std::thread::scope(|scope| {
            scope.spawn(|| {
                while !done.load(Ordering::Relaxed) {
                    stop.fetch_or(limit.is_over(), Ordering::Relaxed);
                    std::thread::sleep(LOOK);
                }
            });
            let built = if stop.load(Ordering::Relaxed) {
                Err(Error::new(Kind::Cancelled, "there is no time left"))
            } else {
                trt::build(library, &network, options, &mut io::sink(), &stop).map(|_| ())
            };
            done.store(true, Ordering::Relaxed);
            built
        })
    }
}
