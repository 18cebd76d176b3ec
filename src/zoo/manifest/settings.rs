//! The options of a model, from what its entry says in the words of the command line.

use super::file::{Entry, Profile, Text};
use super::mistakes::Mistakes;
use crate::import::freeze;
use crate::network::Caps;
use crate::pipeline;
use crate::pipeline::profile::asked::{Asked, Said};
use crate::pipeline::profile::syntax::{parse_end, parse_size};
use crate::pipeline::profile::{End, Request};
use crate::report::verification::Tolerance;
use crate::report::zoo::Status;
use crate::trt::options::parse_target;
use crate::zoo::job::Options;
use toml::Spanned;

/// The highest level of optimisation.
const HIGHEST_LEVEL: u8 = 5;

/// The options of an entry; `standard` holds where it says nothing.
pub(super) fn options(
    entry: &Entry,
    standard: &Options,
    caps: Caps,
    mistakes: &mut Mistakes<'_>,
) -> Options {
    check(entry, mistakes);
    let recurrent = entry.rnn.as_ref().and_then(|choice| {
        let wrong = |error: crate::Error| mistakes.add(choice.span().start, error.message());
        choice.get_ref().with(caps).map_err(wrong).ok()
    });
    let tolerance = entry.tolerance.as_ref().map(|allowed| {
        let allowed = allowed.get_ref();
        Tolerance { absolute: allowed.absolute, relative: allowed.relative }
    });
    Options {
        on: entry.on.unwrap_or(standard.on),
        targets: list(entry.targets.as_deref(), parse_target, mistakes)
            .unwrap_or_else(|| standard.targets.clone()),
        tf32: entry.tf32.unwrap_or(standard.tf32),
        optimization_level: entry
            .optimization_level
            .as_ref()
            .map(|level| *level.get_ref())
            .or(standard.optimization_level),
        recurrent: recurrent.unwrap_or(standard.recurrent),
        max_trip: entry.max_trip.or(standard.max_trip),
        freeze: list(entry.freeze.as_deref(), freeze::parse, mistakes).unwrap_or_default(),
        freeze_from_data: entry.freeze_from_data.unwrap_or(standard.freeze_from_data),
        without_passes: list(entry.without_passes.as_deref(), pipeline::parse_pass, mistakes)
            .unwrap_or_else(|| standard.without_passes.clone()),
        sizes: sizes(entry, mistakes),
        tolerance,
    }
}

/// What no type forbids.
fn check(entry: &Entry, mistakes: &mut Mistakes<'_>) {
    if let Some(level) =
        entry.optimization_level.as_ref().filter(|level| *level.get_ref() > HIGHEST_LEVEL)
    {
        mistakes.add(
            level.span().start,
            format!("levels are 0 to {HIGHEST_LEVEL}, not {}", level.get_ref()),
        );
    }
    if let Some(allowed) = &entry.tolerance {
        let numbers = [allowed.get_ref().absolute, allowed.get_ref().relative];
        if numbers.iter().any(|number| !(0.0..=f64::MAX).contains(number)) {
            mistakes.add(
                allowed.span().start,
                "a tolerance is two numbers from 0 on: `absolute` and `relative`",
            );
        }
    }
    if let Some(name) = entry.name.as_ref().filter(|name| name.get_ref().is_empty()) {
        mistakes.add(name.span().start, "a name has at least one character");
    }
    match (&entry.skip, &entry.expected) {
        (Some(skip), Some(_)) => {
            mistakes.add(
                skip.span().start,
                "a model that is skipped ends in no way that could be `expected`",
            );
        }
        (None, Some(expected)) if *expected.get_ref() == Status::Skipped => {
            mistakes.add(expected.span().start, "to skip a model write `skip` with the reason");
        }
        _ => {}
    }
}

/// What is said about sizes.
fn sizes(entry: &Entry, mistakes: &mut Mistakes<'_>) -> Asked {
    let mut asked = Asked::default();
    let ends: [Shapes<'_>; 4] = [
        (&entry.min, Said::Min),
        (&entry.opt, Said::Opt),
        (&entry.max, Said::Max),
        (&entry.shape, Said::Shape),
    ];
    take(&mut asked, &ends, entry.dim.as_deref(), mistakes);
    for Profile { min, opt, max, dim } in entry.profile.iter().flatten() {
        asked.profiles.push(Request::default());
        take(
            &mut asked,
            &[(min, Said::Min), (opt, Said::Opt), (max, Said::Max)],
            dim.as_deref(),
            mistakes,
        );
    }
    asked.common.strict = entry.strict_profiles.unwrap_or_default();
    asked
}

/// Shapes and values, and what they are said of.
type Shapes<'e> = (&'e Option<Text>, fn(End) -> Said);

/// Takes in shapes and values, and sizes by name.
fn take(
    asked: &mut Asked,
    ends: &[Shapes<'_>],
    dims: Option<&[Text]>,
    mistakes: &mut Mistakes<'_>,
) {
    for (text, said) in ends {
        let Some(text) = text else { continue };
        if let Some(Err(twice)) = parsed(text, parse_end, mistakes).map(|end| asked.take(said(end)))
        {
            mistakes.add(text.span().start, twice);
        }
    }
    for text in dims.into_iter().flatten() {
        if let Some(Err(twice)) =
            parsed(text, parse_size, mistakes).map(|size| asked.take(Said::Size(size)))
        {
            mistakes.add(text.span().start, twice);
        }
    }
}

/// The texts of a list, read; `None` where there is no list.
fn list<T>(
    texts: Option<&[Text]>,
    parse: fn(&str) -> Result<T, String>,
    mistakes: &mut Mistakes<'_>,
) -> Option<Vec<T>> {
    Some(texts?.iter().filter_map(|text| parsed(text, parse, mistakes)).collect())
}

fn parsed<T>(
    text: &Spanned<String>,
    parse: fn(&str) -> Result<T, String>,
    mistakes: &mut Mistakes<'_>,
) -> Option<T> {
    let wrong = |why| mistakes.add(text.span().start, why);
    parse(text.get_ref()).map_err(wrong).ok()
}
