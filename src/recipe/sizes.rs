//! What a user says about the sizes that only the run knows.

use super::syntax::Written;
use crate::error::{Error, Kind};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Lists of numbers by the name of an input.
pub type Lists = BTreeMap<String, Vec<i64>>;

/// What a user says about the sizes of one model, before the model is read.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(try_from = "Written", into = "Written")]
pub struct Sizes {
    /// What holds for all profiles.
    pub common: Request,
    /// What holds for each, where there are several.
    pub profiles: Vec<Request>,
    /// Shapes that are fixed.
    pub shapes: End,
    /// Sizes that are fixed, by name.
    pub fixed: BTreeMap<String, i64>,
}

/// What is said of one profile.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Request {
    /// Smallest shapes and values.
    pub min: End,
    /// Likeliest ones.
    pub opt: End,
    /// Largest ones.
    pub max: End,
    /// Ranges of sizes by name.
    pub sizes: BTreeMap<String, [i64; 3]>,
    /// Whether it is an error to have to guess.
    pub strict: bool,
}

impl Request {
    /// Min, opt and max of a list; what is left out follows from the others.
    pub fn ends<'r>(
        &'r self,
        pick: impl Fn(&'r End) -> Option<&'r Vec<i64>>,
    ) -> Option<[&'r Vec<i64>; 3]> {
        let [min, opt, max] = [&self.min, &self.opt, &self.max].map(pick);
        let any = opt.or(max).or(min)?;
        let (min, max) = (min.unwrap_or(any), max.unwrap_or(any));
        Some([min, opt.unwrap_or(max), max])
    }
}

/// What is said of one end of the ranges.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(try_from = "super::syntax::Items", into = "super::syntax::Items")]
pub struct End {
    /// Shapes of inputs.
    pub shapes: Lists,
    /// Values of inputs that hold sizes.
    pub values: Lists,
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

impl End {
    /// The first name of which both say something of one kind.
    pub fn shared(&self, other: &End) -> Option<String> {
        let shape = self.shapes.keys().find(|name| other.shapes.contains_key(*name));
        shape.or_else(|| self.values.keys().find(|name| other.values.contains_key(*name))).cloned()
    }

    /// Takes in what another one says; that counts where both say something.
    pub fn extend(&mut self, other: End) {
        self.shapes.extend(other.shapes);
        self.values.extend(other.values);
    }
}

/// A size by its name in the model, with its range.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(try_from = "String", into = "String")]
pub struct Size {
    /// The name: ONNX's `dim_param`, or `x.0` for an unnamed axis.
    pub symbol: String,
    /// Smallest, likeliest and largest.
    pub range: [i64; 3],
}

impl Sizes {
    /// Whether nothing is said of sizes that the run decides on.
    pub fn leaves_all_open(&self) -> bool {
        let nothing = Request { strict: self.common.strict, ..Request::default() };
        self.common == nothing && self.profiles.is_empty()
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
                    || one && self.fixed.contains_key(&symbol) =>
            {
                return Err(format!("`--dim` gives `{symbol}` twice"));
            }
            // Within one of several profiles a size is a range, if a narrow one: other profiles
            // have others.
            Said::Size(Size { symbol, range: [size, _, max] }) if one && size == max => {
                self.fixed.insert(symbol, size);
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
                        "input `{name}`: optimized for {largest:?}, its `--max`, as it has no \
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
    pub fn requests(&self) -> Vec<Request> {
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
}

/// Adds what an option says to what it has said before.
fn add(option: &str, end: &mut End, more: End) -> Result<(), String> {
    if let Some(name) = end.shared(&more) {
        return Err(format!("`{option}` gives `{name}` twice"));
    }
    end.extend(more);
    Ok(())
}

/// A size of a name that no input has.
pub(crate) fn no_size(name: &str, names: &[String]) -> Error {
    let mut known: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
    known.sort();
    known.dedup();
    let error = Error::new(Kind::Usage, format!("no input has a size called `{name}`"));
    error.with_note(if known.is_empty() {
        "all sizes of its inputs are fixed".to_owned()
    } else {
        format!("sizes known only at run time are {}", known.join(", "))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recipe::syntax::{parse_end, parse_size};

    fn end(text: &str) -> End {
        parse_end(text).unwrap()
    }

    #[test]
    fn nothing_is_said_twice() {
        let mut sizes = Sizes::default();
        sizes.take(Said::Min(end("x:1"))).unwrap();
        sizes.take(Said::Min(end("y:1,x=3"))).unwrap();
        assert_eq!(
            sizes.take(Said::Min(end("z:1,x=3"))),
            Err("`--min` gives `x` twice".to_owned())
        );
        sizes.take(Said::Size(parse_size("n=3").unwrap())).unwrap();
        let range = || Said::Size(parse_size("n=1:2:3").unwrap());
        assert_eq!(sizes.take(range()), Err("`--dim` gives `n` twice".to_owned()));
        // What belongs to another profile is said once there.
        sizes.take(Said::Profile).unwrap();
        sizes.take(Said::Min(end("x:2"))).unwrap();
        sizes.take(range()).unwrap();
        assert!(sizes.take(range()).is_err());
    }

    #[test]
    fn what_is_taken_for_opt_is_told() {
        let mut sizes = Sizes::default();
        for said in [
            Said::Min(end("x:1,y:1,z:2,k=0")),
            Said::Max(end("x:9,y:9,z:2,k=5")),
            Said::Opt(end("y:3")),
        ] {
            sizes.take(said).unwrap();
        }
        let expected = ["x", "k"].iter().zip([9, 5]);
        let expected = expected.map(|(name, n)| {
            format!("input `{name}`: optimized for [{n}], its `--max`, as it has no `--opt`")
        });
        assert_eq!(sizes.unsaid(), expected.collect::<Vec<_>>());
    }
}
