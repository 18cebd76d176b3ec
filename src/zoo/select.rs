//! Which of the models that were found are worked on: by name, and by part of the whole.

use crate::error::{Error, Kind, Result};
use crate::report::zoo::Shard;
use globset::{Glob, GlobSet, GlobSetBuilder};
use std::str::FromStr;

/// Globs over the names of models.
#[derive(Debug)]
pub struct Filter {
    include: Option<GlobSet>,
    exclude: GlobSet,
}

impl Filter {
    /// Models that match one of `include`, or any if there is none, and none of `exclude`.
    ///
    /// # Errors
    /// [`Kind::Usage`] for a text that is no glob.
    pub fn new(include: &[String], exclude: &[String]) -> Result<Self> {
        Ok(Self { include: (!include.is_empty()).then(|| set(include)).transpose()?, exclude: set(exclude)? })
    }

    /// Whether a model is worked on.
    pub fn takes(&self, name: &str) -> bool {
        self.include.as_ref().is_none_or(|include| include.is_match(name)) && !self.exclude.is_match(name)
    }
}

fn set(globs: &[String]) -> Result<GlobSet> {
    let broken =
        |error: globset::Error| Error::new(Kind::Usage, "a glob over the names of models is broken").with_source(error);
    let mut builder = GlobSetBuilder::new();
    for glob in globs {
        builder.add(Glob::new(glob).map_err(broken)?);
    }
    builder.build().map_err(broken)
}

impl FromStr for Shard {
    type Err = String;

    /// `K/N`, with K from 1.
    fn from_str(text: &str) -> std::result::Result<Self, String> {
        let numbers = text.split_once('/').and_then(|(index, count)| Some((index.parse().ok()?, count.parse().ok()?)));
        match numbers {
            Some((index, count)) if (1..=count).contains(&index) => Ok(Self { index, count }),
            _ => Err("a shard is written K/N, with K from 1 to N".to_owned()),
        }
    }
}

/// Whether a model belongs to a shard. Its name alone decides, so a model that comes or goes moves no other.
pub fn is_in(shard: Shard, name: &str) -> bool {
    let hash = crate::hash::sha256(name);
    let number = hash.get(..15).and_then(|digits| usize::from_str_radix(digits, 16).ok()).unwrap_or(0);
    number % shard.count.max(1) + 1 == shard.index
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn globs_pick_by_name() {
        let filter = Filter::new(&["light/*".into()], &["*vgg*".into()]).unwrap();
        let taken = ["light/resnet50", "light/vgg19", "simple/x"].map(|name| filter.takes(name));
        assert_eq!(taken, [true, false, false]);
        assert!(Filter::new(&[], &[]).unwrap().takes("anything"));
        assert_eq!(Filter::new(&["[".into()], &[]).unwrap_err().kind(), Kind::Usage);
    }

    #[test]
    fn every_model_is_in_one_shard() {
        for text in ["0/4", "5/4", "1", "a/b", "1/0"] {
            assert!(text.parse::<Shard>().is_err(), "{text}");
        }
        let shards: Vec<Shard> = (1..=4).map(|index| Shard { index, count: 4 }).collect();
        let mut sizes = [0; 4];
        for model in 0..400 {
            let name = format!("model{model}");
            let of: Vec<_> = shards.iter().filter(|shard| is_in(**shard, &name)).collect();
            assert_eq!(of.len(), 1);
            sizes[of[0].index - 1] += 1;
        }
        assert!(sizes.iter().all(|size| (70..130).contains(size)), "{sizes:?}");
    }
}
