//! `--min`, `--opt`, `--max`, `--dim`, `--shape`, `--profile`: sizes as clap reads them.
//!
//! Their order says which of them belong to which `--profile`, so clap's own derivation, which
//! loses it, is not enough.

use super::sizes::{End, Said, Size, Sizes};
use super::syntax::{parse_end, parse_size};
use clap::error::ErrorKind;
use clap::{ArgMatches, Args, Command, FromArgMatches};
use std::any::Any;

#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Sizes known only at run time")]
struct Written {
    /// Smallest input shapes, such as x:1x3x224x224,y:1, or values of inputs that contain sizes,
    /// such as sizes=1,1,64
    #[arg(long, value_name = "SHAPES", value_parser = parse_end)]
    min: Vec<End>,
    /// Typical input shapes, for which the plan is optimized
    #[arg(long, value_name = "SHAPES", value_parser = parse_end)]
    opt: Vec<End>,
    /// Largest input shapes
    #[arg(long, value_name = "SHAPES", value_parser = parse_end)]
    max: Vec<End>,
    /// Range of a size, by its name in the model, such as batch=1:8:32; batch=4 fixes it
    #[arg(long, value_name = "NAME=MIN:OPT:MAX", value_parser = parse_size)]
    dim: Vec<Size>,
    /// Fix input shapes, such as x:1x3x224x224
    #[arg(long, value_name = "SHAPES", value_parser = parse_end)]
    shape: Vec<End>,
    /// Start a profile: --min, --opt, --max and --dim after it apply to it, those before the first
    /// one to all
    #[arg(long, num_args = 0, default_missing_value = "begin")]
    profile: Vec<String>,
    /// Fail instead of guessing sizes that are not given
    #[arg(long)]
    strict_profiles: bool,
}

impl Args for Sizes {
    fn augment_args(command: Command) -> Command {
        Written::augment_args(command)
    }

    fn augment_args_for_update(command: Command) -> Command {
        Written::augment_args_for_update(command)
    }
}

impl FromArgMatches for Sizes {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let mut said: Vec<(usize, Said)> = Vec::new();
        said.extend(indexed(matches, "min").map(|(at, end)| (at, Said::Min(end))));
        said.extend(indexed(matches, "opt").map(|(at, end)| (at, Said::Opt(end))));
        said.extend(indexed(matches, "max").map(|(at, end)| (at, Said::Max(end))));
        said.extend(indexed(matches, "dim").map(|(at, size)| (at, Said::Size(size))));
        said.extend(indexed(matches, "shape").map(|(at, end)| (at, Said::Shape(end))));
        said.extend(indexed::<String>(matches, "profile").map(|(at, _)| (at, Said::Profile)));
        said.sort_by_key(|(at, _)| *at);
        let mut sizes = Sizes::default();
        for (_, said) in said {
            sizes.take(said).map_err(|twice| {
                clap::Error::raw(ErrorKind::ArgumentConflict, format!("{twice}\n"))
            })?;
        }
        sizes.common.strict = matches.get_flag("strict_profiles");
        Ok(sizes)
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
