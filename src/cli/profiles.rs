//! `--min`, `--opt`, `--max`, `--dim`, `--shape`, `--profile`: what the user says about sizes.

use crate::pipeline::profile::asked::{Asked, Said};
use crate::pipeline::profile::syntax::{parse_end, parse_size};
use crate::pipeline::profile::{End, Lists, Request, Size};
use crate::report::manifest::{Binding, Import};
use clap::error::ErrorKind;
use clap::{ArgMatches, Args, Command, FromArgMatches};
use std::any::Any;
use std::ops::Deref;

/// The options as clap reads them. Their order says which of them belong to which `--profile`.
#[derive(Debug, Clone, clap::Args)]
struct Written {
    /// Smallest input shapes, as in x:1x3x224x224,y:1; values of inputs that hold sizes as in
    /// sizes=1,1,64
    #[arg(long, value_name = "SHAPES", value_parser = parse_end)]
    min: Vec<End>,
    /// Likeliest input shapes
    #[arg(long, value_name = "SHAPES", value_parser = parse_end)]
    opt: Vec<End>,
    /// Largest input shapes
    #[arg(long, value_name = "SHAPES", value_parser = parse_end)]
    max: Vec<End>,
    /// Range of a size by its name in the model, as in batch=1:8:32; with one number, as in
    /// batch=4, the size is fixed
    #[arg(long, value_name = "NAME=MIN:OPT:MAX", value_parser = parse_size)]
    dim: Vec<Size>,
    /// Fix the shapes of inputs, as in x:1x3x224x224
    #[arg(long, value_name = "SHAPES", value_parser = parse_end)]
    shape: Vec<End>,
    /// Begin a profile, to which --min, --opt, --max and --dim behind it belong; those in front of
    /// it belong to all
    #[arg(long, num_args = 0, default_missing_value = "begin")]
    profile: Vec<String>,
    /// Refuse to guess sizes that are not given
    #[arg(long)]
    strict_profiles: bool,
}

/// What the user said about sizes.
#[derive(Debug, Clone, Default)]
pub(super) struct ProfileArguments(Asked);

impl ProfileArguments {
    /// Those of a plan, by its manifest: nothing is left to be guessed.
    pub(super) fn recorded(import: &Import, inputs: &[Binding]) -> Self {
        let count = inputs
            .iter()
            .map(|input| input.profiles.len().max(input.values.len()))
            .max()
            .unwrap_or(0);
        let request = |at: usize| {
            let lists = |of: fn(&Binding) -> &Vec<[Vec<i64>; 3]>, end: usize| -> Lists {
                let ranges = inputs
                    .iter()
                    .filter_map(|input| Some((input.name.clone(), of(input).get(at)?)));
                ranges.filter_map(|(name, range)| Some((name, range.get(end)?.clone()))).collect()
            };
            let [min, opt, max] = [0, 1, 2].map(|end| End {
                shapes: lists(|input| &input.profiles, end),
                values: lists(|input| &input.values, end),
            });
            Request { min, opt, max, ..Request::default() }
        };
        Self(Asked {
            common: Request { strict: true, ..Request::default() },
            profiles: (0..count).map(request).collect(),
            sizes: import.sizes.clone(),
            promised: Some(import.ranges.clone()),
            ..Asked::default()
        })
    }
}

impl Deref for ProfileArguments {
    type Target = Asked;

    fn deref(&self) -> &Asked {
        &self.0
    }
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
        let mut said: Vec<(usize, Said)> = Vec::new();
        said.extend(indexed(matches, "min").map(|(at, end)| (at, Said::Min(end))));
        said.extend(indexed(matches, "opt").map(|(at, end)| (at, Said::Opt(end))));
        said.extend(indexed(matches, "max").map(|(at, end)| (at, Said::Max(end))));
        said.extend(indexed(matches, "dim").map(|(at, size)| (at, Said::Size(size))));
        said.extend(indexed(matches, "shape").map(|(at, end)| (at, Said::Shape(end))));
        said.extend(indexed::<String>(matches, "profile").map(|(at, _)| (at, Said::Profile)));
        said.sort_by_key(|(at, _)| *at);
        let mut asked = Asked::default();
        for (_, said) in said {
            asked.take(said).map_err(|twice| {
                clap::Error::raw(ErrorKind::ArgumentConflict, format!("{twice}\n"))
            })?;
        }
        asked.common.strict = matches.get_flag("strict_profiles");
        Ok(Self(asked))
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
