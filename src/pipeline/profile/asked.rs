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
    ///
    /// # Errors
    /// What is said twice.
    pub fn take(&mut self, said: Said) -> Result<(), String> {
        let one = self.profiles.is_empty();
        let request = self.profiles.last_mut().unwrap_or(&mut self.common);
        match said {
            Said::Min(end) => add("--min", &mut request.min, end)?,
            Said::Opt(end) => add("--opt", &mut request.opt, end)?,
            Said::Max(end) => add("--max", &mut request.max, end)?,
            Said::Shape(end) => add("--shape", &mut self.shapes, end)?,
            Said::Profile => self.profiles.push(Request::default()),
            Said::Size(Size { symbol, .. })
                if request.sizes.contains_key(&symbol)
                    || one && self.sizes.contains_key(&symbol) =>
            {
                return Err(format!("`--dim` gives `{symbol}` twice"));
            }
            // Within one of several profiles a size is a range, if a narrow one: other profiles
            // have others.
            Said::Size(Size { symbol, range: [size, _, max] }) if one && size == max => {
                self.sizes.insert(symbol, size);
            }
            Said::Size(Size { symbol, range }) => {
                request.sizes.insert(symbol, range);
            }
        }
        Ok(())
    }

    /// A line for each input that has a smallest and a largest shape, or such values, but no
    /// likeliest: it says what is taken for that.
    pub fn unsaid(&self) -> Vec<String> {
        let mut lines = Vec::new();
        for request in self.requests() {
            let Request { min, opt, max, .. } = request;
            let kinds =
                [(min.shapes, opt.shapes, max.shapes), (min.values, opt.values, max.values)];
            for (min, opt, max) in kinds {
                for (name, largest) in max {
                    let open = min.get(&name).is_some_and(|smallest| *smallest != largest)
                        && !opt.contains_key(&name);
                    let line = format!(
                        "input `{name}`: optimised for {largest:?}, its `--max`, as it has no \
                         `--opt`"
                    );
                    if open && !lines.contains(&line) {
                        lines.push(line);
                    }
                }
            }
        }
        lines
    }

    /// What is asked of each profile, with what holds for all.
    fn requests(&self) -> Vec<Request> {
        let merged = |own: &Request| {
            let mut request = self.common.clone();
            request.min.extend(own.min.clone());
            request.opt.extend(own.opt.clone());
            request.max.extend(own.max.clone());
            request.sizes.extend(own.sizes.clone());
            request
        };
        if self.profiles.is_empty() {
            return vec![self.common.clone()];
        }
        self.profiles.iter().map(merged).collect()
    }

    /// The sizes that the user fixes, by name.
    ///
    /// # Errors
    /// [`Kind::Usage`] for a name that the model does not have, a shape that does not fit it, or
    /// two sizes of one name.
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
                || shape
                    .iter()
                    .enumerate()
                    .any(|(axis, &size)| known(axis).is_some_and(|known| known != size))
            {
                return Err(usage(format!(
                    "input `{name}` is {}, but {shape:?} was given for it",
                    info.ty
                )));
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
        let mut given: BTreeMap<String, usize> = BTreeMap::new();
        let requests = self.requests();
        for (name, range) in requests.iter().flat_map(|request| request.ranges(model)) {
            *given.entry(name.clone()).or_default() += 1;
            let known = ranges.entry(name).or_insert(range);
            *known = [known[0].min(range[0]), known[1].max(range[1])];
        }
        // A size that some profile leaves open may be anything.
        ranges.retain(|name, _| given.get(name) == Some(&requests.len()));
        ranges
    }

    /// The profiles of a network: one, or as many as `--profile` began. `data` is the model's test
    /// data.
    ///
    /// # Errors
    /// Those of [`plan`], with the number of the profile where there are several.
    pub fn plan(&self, network: &Network, data: &[End]) -> Result<Vec<Planned>> {
        let several = !self.profiles.is_empty();
        let numbered = |(at, request): (usize, Request)| {
            let planned = plan(network, &Request { data: data.to_vec(), ..request });
            planned.map_err(|error| {
                if several { error.with_note(format!("in profile {at}")) } else { error }
            })
        };
        self.requests().into_iter().enumerate().map(numbered).collect()
    }
}

impl Request {
    /// The smallest and the largest that is said of sizes, by name.
    pub fn ranges(&self, model: &Model) -> BTreeMap<String, [i64; 2]> {
        let mut ranges: BTreeMap<String, [i64; 2]> =
            self.sizes.iter().map(|(name, [min, _, max])| (name.clone(), [*min, *max])).collect();
        for info in &model.graph.inputs {
            let Some([min, _, max]) = ends(self, |end| end.shapes.get(&*info.name)) else {
                continue;
            };
            for (symbol, (&min, &max)) in symbols(info).into_iter().zip(min.iter().zip(max)) {
                ranges.extend(symbol.map(|symbol| (symbol, [min, max])));
            }
        }
        ranges
    }
}

/// Adds what an option says to what it has said before.
fn add(option: &str, end: &mut End, more: End) -> Result<(), String> {
    if let Some(name) = end.shared(&more) {
        return Err(format!("`{option}` gives `{name}` twice"));
    }
    end.extend(more);
    Ok(())
}

/// The name of each size of an input that only the run knows; `None` for a fixed one.
fn symbols(info: &ValueInfo) -> Vec<Option<String>> {
    let ValueType::Tensor { shape: Some(shape), .. } = &info.ty else { return Vec::new() };
    let symbol =
        |(axis, dim)| known_or_symbol(dim, &info.name, axis).err().map(|symbol| symbol.to_string());
    shape.iter().enumerate().map(symbol).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pipeline::profile::syntax::{parse_end, parse_size};

    fn end(text: &str) -> End {
        parse_end(text).unwrap()
    }

    #[test]
    fn nothing_is_said_twice() {
        let mut asked = Asked::default();
        asked.take(Said::Min(end("x:1"))).unwrap();
        asked.take(Said::Min(end("y:1,x=3"))).unwrap();
        assert_eq!(
            asked.take(Said::Min(end("z:1,x=3"))),
            Err("`--min` gives `x` twice".to_owned())
        );
        asked.take(Said::Size(parse_size("n=3").unwrap())).unwrap();
        let range = || Said::Size(parse_size("n=1:2:3").unwrap());
        assert_eq!(asked.take(range()), Err("`--dim` gives `n` twice".to_owned()));
        // What belongs to another profile is said once there.
        asked.take(Said::Profile).unwrap();
        asked.take(Said::Min(end("x:2"))).unwrap();
        asked.take(range()).unwrap();
        assert!(asked.take(range()).is_err());
    }

    #[test]
    fn what_is_taken_for_opt_is_told() {
        let mut asked = Asked::default();
        for said in [
            Said::Min(end("x:1,y:1,z:2,k=0")),
            Said::Max(end("x:9,y:9,z:2,k=5")),
            Said::Opt(end("y:3")),
        ] {
            asked.take(said).unwrap();
        }
        let expected = ["x", "k"].iter().zip([9, 5]);
        let expected = expected.map(|(name, n)| {
            format!("input `{name}`: optimised for [{n}], its `--max`, as it has no `--opt`")
        });
        assert_eq!(asked.unsaid(), expected.collect::<Vec<_>>());
    }
}
