//! `--min`, `--opt`, `--max`, `--dim`, `--shape`, `--profile`: what the user says about sizes.

use crate::error::{Error, Kind, Result};
use crate::network::Network;
use crate::onnx::{DimSpec, Model, ValueInfo, ValueType};
use crate::pipeline::profile::syntax::{parse_end, parse_size};
use crate::pipeline::profile::{self, End, Planned, Request, Size};
use clap::{ArgMatches, Args, Command, FromArgMatches};
use std::any::Any;
use std::collections::BTreeMap;

/// The options as clap reads them. [`ProfileArguments`] knows which of them follow which `--profile`.
#[derive(Debug, Clone, clap::Args)]
struct Written {
    /// Smallest input shapes, as in x:1x3x224x224,y:1; values of inputs that hold sizes as in sizes=1,1,64
    #[arg(long, value_name = "SHAPES", value_parser = parse_end)]
    min: Vec<End>,
    /// Likeliest input shapes
    #[arg(long, value_name = "SHAPES", value_parser = parse_end)]
    opt: Vec<End>,
    /// Largest input shapes
    #[arg(long, value_name = "SHAPES", value_parser = parse_end)]
    max: Vec<End>,
    /// Range of a size by its name in the model, as in batch=1:8:32; with one number, as in batch=4, the size is fixed
    #[arg(long, value_name = "NAME=MIN:OPT:MAX", value_parser = parse_size)]
    dim: Vec<Size>,
    /// Fix the shapes of inputs, as in x:1x3x224x224
    #[arg(long, value_name = "SHAPES", value_parser = parse_end)]
    shape: Vec<End>,
    /// Begin a profile, to which --min, --opt, --max and --dim behind it belong; those in front of it belong to all
    #[arg(long, num_args = 0, default_missing_value = "begin")]
    profile: Vec<String>,
    /// Refuse to guess sizes that are not given
    #[arg(long)]
    strict_profiles: bool,
}

/// What the user said about sizes.
#[derive(Debug, Clone, Default)]
pub(super) struct ProfileArguments {
    /// What holds for all profiles.
    common: Request,
    /// What holds for each, where there are several.
    profiles: Vec<Request>,
    /// Shapes that are fixed.
    shapes: End,
    /// Sizes that are fixed, by name.
    sizes: BTreeMap<String, i64>,
}

impl Args for ProfileArguments {
    fn augment_args(command: Command) -> Command {
        Written::augment_args(command)
    }

    fn augment_args_for_update(command: Command) -> Command {
        Written::augment_args_for_update(command)
    }
}

impl FromArgMatches for ProfileArguments {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let mut arguments = Self::default();
        let mut said: Vec<(usize, Said)> = Vec::new();
        said.extend(indexed(matches, "min").map(|(at, end)| (at, Said::Min(end))));
        said.extend(indexed(matches, "opt").map(|(at, end)| (at, Said::Opt(end))));
        said.extend(indexed(matches, "max").map(|(at, end)| (at, Said::Max(end))));
        said.extend(indexed(matches, "dim").map(|(at, size)| (at, Said::Size(size))));
        said.extend(indexed::<String>(matches, "profile").map(|(at, _)| (at, Said::Profile)));
        said.sort_by_key(|(at, _)| *at);
        for (_, said) in said {
            arguments.take(said);
        }
        indexed(matches, "shape").for_each(|(_, end)| arguments.shapes.extend(end));
        arguments.common.strict = matches.get_flag("strict_profiles");
        Ok(arguments)
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

/// The values of an option, each with its place on the command line.
fn indexed<'m, T: Any + Clone + Send + Sync>(
    matches: &'m ArgMatches,
    name: &'static str,
) -> impl Iterator<Item = (usize, T)> + 'm {
    let places = matches.indices_of(name).into_iter().flatten();
    places.zip(matches.get_many::<T>(name).into_iter().flatten().cloned())
}

/// One option.
enum Said {
    Min(End),
    Opt(End),
    Max(End),
    Size(Size),
    Profile,
}

impl ProfileArguments {
    fn take(&mut self, said: Said) {
        let one = self.profiles.is_empty();
        let request = self.profiles.last_mut().unwrap_or(&mut self.common);
        match said {
            Said::Min(end) => request.min.extend(end),
            Said::Opt(end) => request.opt.extend(end),
            Said::Max(end) => request.max.extend(end),
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
    pub(super) fn fixed(&self, model: &Model) -> Result<BTreeMap<String, i64>> {
        let names: Vec<String> = model.graph.inputs.iter().flat_map(symbols).flatten().collect();
        if let Some(name) = self.sizes.keys().find(|name| !names.contains(name)) {
            return Err(profile::no_size(name, &names));
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

    /// The profiles of a network: one, or as many as `--profile` began. `likely` is the model's test data.
    ///
    /// # Errors
    /// Those of [`profile::plan`], with the number of the profile where there are several.
    pub(super) fn plan(&self, network: &Network, likely: &End) -> Result<Vec<Planned>> {
        let request = |own: &Request| {
            let mut request = Request { likely: likely.clone(), ..self.common.clone() };
            request.min.extend(own.min.clone());
            request.opt.extend(own.opt.clone());
            request.max.extend(own.max.clone());
            request.sizes.extend(own.sizes.clone());
            request
        };
        if self.profiles.is_empty() {
            return Ok(vec![profile::plan(network, &request(&Request::default()))?]);
        }
        let numbered = |(at, own): (usize, &Request)| {
            profile::plan(network, &request(own)).map_err(|error| error.with_note(format!("in profile {at}")))
        };
        self.profiles.iter().enumerate().map(numbered).collect()
    }
}

/// The name of each size of an input that only the run knows; `None` for a fixed one.
fn symbols(info: &ValueInfo) -> Vec<Option<String>> {
    let ValueType::Tensor { shape: Some(shape), .. } = &info.ty else { return Vec::new() };
    let symbol = |(axis, dim): (usize, &DimSpec)| dim.symbol(&info.name, axis).map(|symbol| symbol.to_string());
    shape.iter().enumerate().map(symbol).collect()
}
