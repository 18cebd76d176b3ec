//! What a user says about the sizes of one model, before the model is read.

use super::{End, Planned, Request, Size, ends, no_size, plan};
use crate::error::{Error, Kind, Result};
use crate::import::known_or_symbol;
use crate::network::Network;
use crate::onnx::{DimSpec, Model, ValueInfo, ValueType};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What the user said about sizes.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Asked {
    /// What holds for all profiles.
    pub common: Request,
    /// What holds for each, where there are several.
    pub profiles: Vec<Request>,
    /// Shapes that are fixed.
    pub shapes: End,
    /// Sizes that are fixed, by name.
    pub sizes: BTreeMap<String, i64>,
    /// The ranges that a plan's network was made for, where its manifest says them.
    #[serde(skip)]
    pub promised: Option<BTreeMap<String, [i64; 2]>>,
}

/// One thing that is said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Said {
    /// Smallest shapes and values.
    Min(End),
    /// Likeliest ones.
    Opt(End),
    /// Largest ones.
    Max(End),
    /// The range of a size, or the one that it has.
    Size(Size),
    /// Shapes that are fixed, in all profiles.
    Shape(End),
    /// What follows belongs to a profile of its own.
    Profile,
}

impl Asked {
    /// Whether nothing is said of sizes that the run decides on.
    pub fn leaves_all_open(&self) -> bool {
        self.common == Request::default() && self.profiles.is_empty()
    }

    /// Takes in what is said next.
    pub fn take(&mut self, said: Said) {
        let one = self.profiles.is_empty();
        let request = self.profiles.last_mut().unwrap_or(&mut self.common);
        match said {
            Said::Min(end) => request.min.extend(end),
            Said::Opt(end) => request.opt.extend(end),
            Said::Max(end) => request.max.extend(end),
            Said::Shape(end) => self.shapes.extend(end),
            Said::Profile => self.profiles.push(Request::default()),
            // Within one of several profiles a size is a range, if a narrow one: other profiles have others.
            Said::Size(Size { symbol, range: [size, _, max] }) if one && size == max => {
                self.sizes.insert(symbol, size);
            }
            Said::Size(Size { symbol, range }) => {
                request.sizes.insert(symbol, range);
            }
        }
    }

    /// The sizes that the user fixes, by name.
    ///
    /// # Errors
    /// [`Kind::Usage`] for a name that the model does not have, a shape that does not fit it, or two sizes of one name.
    pub fn fixed(&self, model: &Model) -> Result<BTreeMap<String, i64>> {
        let names: Vec<String> = model.graph.inputs.iter().flat_map(symbols).flatten().collect();
        if let Some(name) = self.sizes.keys().find(|name| !names.contains(name)) {
            return Err(no_size(name, &names));
        }
        let usage = |message: String| Error::new(Kind::Usage, message);
        if let Some(name) = self.shapes.values.keys().next() {
            let message = format!("`--shape` gives values for input `{name}`");
            return Err(usage(message).with_hint("a value is fixed with `--freeze`"));
        }
        let mut sizes = self.sizes.clone();
        for (name, shape) in &self.shapes.shapes {
            let info = model.graph.inputs.iter().find(|info| *info.name == **name);
            let info = info.ok_or_else(|| usage(format!("the model has no input `{name}`")))?;
            let symbols = symbols(info);
            let known = |axis: usize| match &info.ty {
                ValueType::Tensor { shape: Some(dims), .. } => match dims.get(axis) {
                    Some(DimSpec::Known(size)) => i64::try_from(*size).ok(),
                    _ => None,
                },
                _ => None,
            };
            if symbols.len() != shape.len()
                || shape.iter().enumerate().any(|(axis, &size)| known(axis).is_some_and(|known| known != size))
            {
                return Err(usage(format!("input `{name}` is {}, but {shape:?} was given for it", info.ty)));
            }
            for (symbol, &size) in symbols.into_iter().zip(shape) {
                let Some(symbol) = symbol else { continue };
                match sizes.insert(symbol.clone(), size) {
                    Some(other) if other != size => {
                        return Err(usage(format!("`{symbol}` is given as {other} and as {size}")));
                    }
                    _ => {}
                }
            }
        }
        Ok(sizes)
    }

    /// The smallest and the largest that sizes will be in any profile, by name.
    pub fn ranges(&self, model: &Model) -> BTreeMap<String, [i64; 2]> {
        if let Some(promised) = &self.promised {
            return promised.clone();
        }
        let mut ranges: BTreeMap<String, [i64; 2]> = BTreeMap::new();
        let requests = if self.profiles.is_empty() { std::slice::from_ref(&self.common) } else { &self.profiles[..] };
        let mut given: BTreeMap<String, usize> = BTreeMap::new();
        for request in requests {
            let said = [&self.common, request].into_iter().flat_map(|request| request.ranges(model));
            for (name, range) in said.collect::<BTreeMap<_, _>>() {
                *given.entry(name.clone()).or_default() += 1;
                let known = ranges.entry(name).or_insert(range);
                *known = [known[0].min(range[0]), known[1].max(range[1])];
            }
        }
        // A size that some profile leaves open may be anything.
        ranges.retain(|name, _| given.get(name) == Some(&requests.len()));
        ranges
    }

    /// The profiles of a network: one, or as many as `--profile` began. `data` is the model's test data.
    ///
    /// # Errors
    /// Those of [`plan`], with the number of the profile where there are several.
    pub fn plan(&self, network: &Network, data: &[End]) -> Result<Vec<Planned>> {
        let request = |own: &Request| {
            let mut request = Request { data: data.to_vec(), ..self.common.clone() };
            request.min.extend(own.min.clone());
            request.opt.extend(own.opt.clone());
            request.max.extend(own.max.clone());
            request.sizes.extend(own.sizes.clone());
            request
        };
        if self.profiles.is_empty() {
            return Ok(vec![plan(network, &request(&Request::default()))?]);
        }
        let numbered = |(at, own): (usize, &Request)| {
            plan(network, &request(own)).map_err(|error| error.with_note(format!("in profile {at}")))
        };
        self.profiles.iter().enumerate().map(numbered).collect()
    }
}

impl Request {
    /// The smallest and the largest that is said of sizes, by name.
    pub fn ranges(&self, model: &Model) -> BTreeMap<String, [i64; 2]> {
        let mut ranges: BTreeMap<String, [i64; 2]> =
            self.sizes.iter().map(|(name, [min, _, max])| (name.clone(), [*min, *max])).collect();
        for info in &model.graph.inputs {
            let Some([min, _, max]) = ends(self, |end| end.shapes.get(&*info.name)) else { continue };
            for (symbol, (&min, &max)) in symbols(info).into_iter().zip(min.iter().zip(max)) {
                ranges.extend(symbol.map(|symbol| (symbol, [min, max])));
            }
        }
        ranges
    }
}

/// The name of each size of an input that only the run knows; `None` for a fixed one.
fn symbols(info: &ValueInfo) -> Vec<Option<String>> {
    let ValueType::Tensor { shape: Some(shape), .. } = &info.ty else { return Vec::new() };
    let symbol = |(axis, dim)| known_or_symbol(dim, &info.name, axis).err().map(|symbol| symbol.to_string());
    shape.iter().enumerate().map(symbol).collect()
}
