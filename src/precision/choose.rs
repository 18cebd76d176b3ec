//! The choice of types by data, checked on other data.

use super::certify::{Checked, certificate};
use super::data::{Data, Inputs};
use super::quantize::{Calibrated, Narrowed, Quantizer};
use super::search::{Clock, Evaluate, Found, SHARE, SHARE_OF_TENSORRT_8, Search, Set, most, share};
use super::units::Units;
use super::{Policy, names, real};
use crate::error::{Error, Kind, Result};
use crate::network::{Caps, Network};
use crate::recipe::Recipe;
use crate::recipe::precision::{Eight, Kept, Precision, Quantized};
use crate::report::precision::Certificate;
use crate::site::Site;
use crate::tensor::{DType, Tensor};
use std::collections::HashSet;
use std::time::Duration;

/// Seconds that the choice may take where nobody says another number.
const BUDGET: u64 = 120;

/// How much more of the bound data which did not decide may come to.
const NEARLY: f64 = 0.1;

/// The share of what the search goes for that is left to half precision where products are in 8
/// bits.
const LEFT_TO_HALF: f64 = 0.2;

/// The hint where the search was cut short.
const MORE_TIME: &str = "`--budget` gives the choice more time";

/// The most nodes that a message names.
const MOST_NAMED: usize = 8;

/// The types that were chosen.
#[derive(Debug)]
pub struct Choice {
    /// The type of each unit that is not in the recipe's, to keep: with these the same network
    /// comes about again.
    pub keep: Vec<Kept>,
    /// The nodes whose products take operands of 8 bits.
    pub quantize: Vec<Quantized>,
    /// The proof.
    pub certificate: Certificate,
}

/// Chooses the types of a network as a recipe asks for, for a library of these abilities.
///
/// # Errors
/// [`Kind::Mismatch`] where no types hold the bound, [`Kind::Vacuous`] for data that say nothing of
/// the types; whatever stands in the way of computing the network.
pub fn choose(
    network: &Network,
    recipe: &Recipe,
    data: &Data,
    caps: Caps,
    evaluate: &mut Evaluate<'_>,
) -> Result<Choice> {
    let units = Units::new(network);
    let policy = Policy::new(recipe, &units, caps);
    let budget = recipe.budget.map_or(BUDGET, |seconds| u64::from(seconds.get()));
    let search = Search {
        network,
        units: &units,
        cheap: policy.cheap,
        ends: policy.ends,
        fixed: policy.fixed,
        given: &recipe.quantize,
        bound: recipe.bound().unwrap_or(1.0),
        share: if caps.strongly_typed { SHARE } else { SHARE_OF_TENSORRT_8 },
        evaluate,
        sets: Vec::new(),
        given_up: HashSet::new(),
        clock: Clock::new(Duration::from_secs(budget)),
    };
    let auto = recipe.precision == Precision::Auto;
    let eight = recipe.precision.eight();
    let quantizer = eight.map(|to| Quantizer { to, way: recipe.calibration });
    let mut chooser =
        Chooser { search, auto, bf16: caps.bf16, quantizer, calibrated: Calibrated::default() };
    let (found, checked) = match chooser.checked(data) {
        Err(error) if auto && error.kind() == Kind::Mismatch => chooser.in_f32(data)?,
        found => found?,
    };
    let Chooser { search, .. } = chooser;
    let keep = kept(&units, &found, recipe, caps);
    let narrowed = found.quantized.iter().flat_map(Narrowed::recipe);
    let quantize = recipe.quantize.iter().cloned().chain(narrowed).collect();
    let certificate = certificate(&search, &found, checked.as_ref());
    if let Some(eight) = eight {
        something_is_quantized(&certificate, &found, eight)?;
    } else if recipe.precision != Precision::Auto && policy.cheap != DType::F32 && found.had_choice
    {
        something_is_cheap(&certificate, policy.cheap)?;
    }
    Ok(Choice { keep, quantize, certificate })
}

struct Chooser<'a, 'e> {
    search: Search<'a, 'e>,
    auto: bool,
    bf16: bool,
    quantizer: Option<Quantizer>,
    calibrated: Calibrated,
}

impl Chooser<'_, '_> {
    /// Types that hold the bound on data that did not decide, and how far the outputs are off
    /// there.
    fn checked(&mut self, data: &Data) -> Result<(Found, Option<Checked>)> {
        for inputs in &data.chosen {
            let set = self.referred(inputs)?;
            self.search.sets.push(set);
        }
        something_is_computed(&self.search.sets)?;
        let mut found = self.found(data)?;
        let mut pool = Vec::new();
        for inputs in &data.fresh {
            if !pool.is_empty() && !self.search.clock.has_time(1) {
                break;
            }
            match self.referred(inputs) {
                Ok(set) => pool.push(set),
                Err(error) if error.kind() == Kind::Cancelled => return Err(error),
                // The network need not take what is like its data.
                Err(_) => {}
            }
        }
        while !pool.is_empty() {
            let (off, far) = self.check(&found, &pool)?;
            let Some(worst) = far else {
                let on = pool.into_iter().map(|set| set.label).collect();
                return Ok((found, Some(Checked { on, off })));
            };
            if pool.len() == 1 {
                if most(&off) > self.search.bound {
                    return Err(self.unchecked(&off));
                }
                // Nearly is too far only as long as other data are left to check.
                let on = pool.into_iter().map(|set| set.label).collect();
                return Ok((found, Some(Checked { on, off })));
            }
            // It has shown more than those before: now it decides too. What is learned from it
            // mostly holds for the others that are far off, which stay to check.
            self.search.sets.push(pool.remove(worst));
            found = self.found(data)?;
        }
        Ok((found, None))
    }

    /// Inputs with the outputs of the network as it is.
    fn referred(&mut self, Inputs { label, tensors }: &Inputs) -> Result<Set> {
        let expected = self.search.reference(tensors)?;
        Ok(Set { label: label.clone(), inputs: tensors.clone(), expected })
    }

    /// How far the outputs are off on the data of a pool, at worst; and the place of the set on
    /// which that is beyond the bound, or nearly so, by most: on others like it it may be beyond.
    fn check(&mut self, found: &Found, pool: &[Set]) -> Result<(Vec<f64>, Option<usize>)> {
        let mut worst = vec![0f64; self.search.network.outputs.len()];
        let mut far: Option<(f64, usize)> = None;
        let nearly = self.search.share + NEARLY;
        let network = self.search.built(found)?;
        for (at, set) in pool.iter().enumerate() {
            let off = self.search.errors(network.clone(), set)?;
            let by = most(&off);
            if by > nearly * self.search.bound && far.is_none_or(|(most, _)| by > most) {
                far = Some((by, at));
            }
            worst.iter_mut().zip(off).for_each(|(worst, off)| *worst = worst.max(off));
        }
        Ok((worst, far.map(|(_, at)| at)))
    }

    /// All that is free in `f32`, which is what is left where nothing holds.
    fn in_f32(&mut self, data: &Data) -> Result<(Found, Option<Checked>)> {
        for (at, fixed) in self.search.fixed.iter_mut().enumerate() {
            if fixed.is_none() {
                *fixed = Some(DType::F32);
                self.search.given_up.insert(at);
            }
        }
        self.auto = false;
        self.search.sets.clear();
        self.checked(data)
    }

    fn found(&mut self, data: &Data) -> Result<Found> {
        let share = self.search.share;
        if self.quantizer.is_some() {
            // The other types come first, and leave most of the bound to 8 bits.
            self.search.share *= LEFT_TO_HALF;
        }
        let found = self.search.run();
        self.search.share = share;
        let mut found = found?;
        if self.auto && self.bf16 {
            self.search.widen(&mut found, DType::BF16)?;
        }
        if let Some(quantizer) = self.quantizer {
            let (search, calibrated) = (&mut self.search, &mut self.calibrated);
            let narrowed = quantizer.narrow(search, &found, &data.calibrating, calibrated)?;
            (found.quantized, found.errors) = (Some(narrowed.0), narrowed.1);
        }
        Ok(found)
    }

    /// The error for types that hold where they were chosen, and nowhere else.
    fn unchecked(&self, off: &[f64]) -> Error {
        let within = self.search.bound;
        let message =
            format!("the types that keep the outputs within {within} do not on other data");
        let cut_short = self.search.clock.cut_short;
        let why = if cut_short { ", and the time to look for others was up" } else { "" };
        let mut error = Error::new(Kind::Mismatch, message + why);
        for (name, off) in names(self.search.network).zip(off) {
            if *off > self.search.bound {
                error = error.with_note(format!("output `{name}` is off by {}", share(*off)));
            }
        }
        error.with_hint(if cut_short {
            MORE_TIME
        } else {
            "name data that are like those of use with `--calibrate`"
        })
    }
}

/// Refuses data for which no output has a number to choose by: whatever the types, it would not
/// change.
fn something_is_computed(sets: &[Set]) -> Result<()> {
    let number = |value: &f32| value.is_finite() && *value != 0.0;
    let says = |output: &Tensor| {
        !output.dtype().is_float() || output.to_f32s().is_none_or(|v| v.iter().any(number))
    };
    let outputs: Vec<&Tensor> = sets.iter().flat_map(|set| &set.expected).collect();
    if outputs.iter().all(|output| output.is_empty()) || outputs.iter().any(|output| says(output)) {
        return Ok(());
    }
    let message = "the outputs say nothing of the types: each number is 0, infinite or NaN";
    let hint = "name data that are like those of use with `--calibrate`";
    Err(Error::new(Kind::Vacuous, message).with_hint(hint))
}

/// What to keep, so that the same types come about again.
fn kept(units: &Units, found: &Found, recipe: &Recipe, caps: Caps) -> Vec<Kept> {
    let Policy { cheap, fixed, .. } = Policy::new(recipe, units, caps);
    let mut keep = recipe.keep.clone();
    for ((sites, fixed), chosen) in units.all.iter().zip(fixed).zip(&found.types) {
        if fixed.unwrap_or(cheap) != *chosen
            && let (Some(dtype), Some(site)) = (real(*chosen), sites.first())
        {
            keep.push(Kept { name: Site::label(site), dtype });
        }
    }
    keep
}

/// Refuses a choice that leaves nothing to the type that was asked for.
fn something_is_cheap(certificate: &Certificate, cheap: DType) -> Result<()> {
    let counts = certificate.layers;
    let wanted = if cheap == DType::BF16 { counts.bf16 } else { counts.f16 };
    if wanted > 0 || counts.f32 == 0 {
        return Ok(());
    }
    let within = certificate.within;
    let message = if certificate.cut_short {
        format!(
            "the time was up before a layer was found that can compute in {cheap} and keep the \
             outputs within {within}"
        )
    } else {
        format!("no layer can compute in {cheap} and keep the outputs within {within}")
    };
    let mut error = Error::new(Kind::Mismatch, message);
    for node in certificate.nodes.iter().take(MOST_NAMED) {
        let (name, op) = (&node.node, &node.op);
        let reason = node.reason.as_deref().unwrap_or("its rounding moves the outputs too far");
        error = error.with_note(format!("`{name}` ({op}): {reason}"));
    }
    Err(error.with_hint(if certificate.cut_short {
        MORE_TIME
    } else {
        "`--precision auto` also tries bf16, and takes f32 where nothing holds"
    }))
}

/// Refuses a choice that leaves no product to the type of 8 bits that was asked for.
fn something_is_quantized(certificate: &Certificate, found: &Found, eight: Eight) -> Result<()> {
    if certificate.layers.int8 + certificate.layers.fp8 > 0 {
        return Ok(());
    }
    let within = certificate.within;
    let message = if certificate.cut_short {
        format!(
            "the time was up before a product was found that can take {eight} and keep the outputs \
             within {within}"
        )
    } else {
        format!("no product can take {eight} and keep the outputs within {within}")
    };
    let mut error = Error::new(Kind::Mismatch, message);
    let why_not = |name: &str| found.quantized.as_ref().and_then(|of| of.why_not(name));
    let nodes = certificate.nodes.iter().filter_map(|node| Some((node, why_not(&node.node)?)));
    for (node, reason) in nodes.take(MOST_NAMED) {
        error = error.with_note(format!("`{}` ({}): {reason}", node.node, node.op));
    }
    Err(error.with_hint(if certificate.cut_short {
        MORE_TIME
    } else {
        "another bound with `--within`, or `--precision f16`"
    }))
}
