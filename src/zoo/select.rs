//! Which of the models that were found are worked on: by name, by tag, and by part of the whole.

use super::job::Job;
use crate::error::{Error, Kind, Result};
use crate::report::zoo::Shard;
use globset::{Glob, GlobSet, GlobSetBuilder};
use std::collections::BTreeSet;
use std::str::FromStr;

/// Globs over the names of models, and tags.
#[derive(Debug)]
pub struct Filter {
    include: Option<GlobSet>,
    exclude: GlobSet,
    tags: Vec<String>,
}

impl Filter {
    /// Models that match one of `include`, or any if there is none, and none of `exclude`, and that
    /// have one of `tags`, if there are any.
    ///
    /// # Errors
    /// [`Kind::Usage`] for a text that is no glob.
    pub fn new(include: &[String], exclude: &[String], tags: &[String]) -> Result<Self> {
        let include = (!include.is_empty()).then(|| set(include)).transpose()?;
        Ok(Self { include, exclude: set(exclude)?, tags: tags.to_vec() })
    }

    /// Whether a model is worked on.
    pub fn takes(&self, job: &Job) -> bool {
        self.include.as_ref().is_none_or(|include| include.is_match(&job.name))
            && !self.exclude.is_match(&job.name)
            && (self.tags.is_empty() || self.tags.iter().any(|tag| job.tags.contains(tag)))
    }

    /// Whether some model has each of the tags.
    ///
    /// # Errors
    /// [`Kind::Usage`] for a tag that none has.
    pub fn check_tags(&self, jobs: &[Job]) -> Result<()> {
        let known: BTreeSet<&str> =
            jobs.iter().flat_map(|job| &job.tags).map(String::as_str).collect();
        let Some(tag) = self.tags.iter().find(|tag| !known.contains(tag.as_str())) else {
            return Ok(());
        };
        let error = Error::new(Kind::Usage, format!("no model has the tag `{tag}`"));
        Err(if known.is_empty() {
            error.with_hint("a listing gives tags to models, as in zoo.toml")
        } else {
            error.with_note(format!(
                "the tags are {}",
                known.into_iter().collect::<Vec<_>>().join(", ")
            ))
        })
    }
}

fn set(globs: &[String]) -> Result<GlobSet> {
    let broken = |error: globset::Error| {
        Error::new(Kind::Usage, "a glob over the names of models is broken").with_source(error)
    };
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
        let numbers = text
            .split_once('/')
            .and_then(|(index, count)| Some((index.parse().ok()?, count.parse().ok()?)));
        match numbers {
            Some((index, count)) if (1..=count).contains(&index) => Ok(Self { index, count }),
            _ => Err("a shard is written K/N, with K from 1 to N".to_owned()),
        }
    }
}

/// Whether a model belongs to a shard. Its name alone decides, so a model that comes or goes moves
/// no other.
pub fn is_in(shard: Shard, name: &str) -> bool {
    let hash = crate::hash::sha256(name);
    let number =
        hash.get(..15).and_then(|digits| usize::from_str_radix(digits, 16).ok()).unwrap_or(0);
    number % shard.count.max(1) + 1 == shard.index
}

#[cfg(test)]
mod tests {
    use super::*;

    fn job(name: &str, tags: &[&str]) -> Job {
        let tags = tags.iter().map(|&tag| tag.to_owned()).collect();
        Job { name: name.to_owned(), tags, ..crate::zoo::pool::tests::job(name) }
    }

    #[test]
    fn globs_pick_by_name() {
        let filter = Filter::new(&["light/*".into()], &["*vgg*".into()], &[]).unwrap();
        let taken =
            ["light/resnet50", "light/vgg19", "simple/x"].map(|name| filter.takes(&job(name, &[])));
        assert_eq!(taken, [true, false, false]);
        assert!(Filter::new(&[], &[], &[]).unwrap().takes(&job("anything", &[])));
        assert_eq!(Filter::new(&["[".into()], &[], &[]).unwrap_err().kind(), Kind::Usage);
    }

    #[test]
    fn tags_pick_where_some_model_has_them() {
        let jobs = [job("a", &["slow", "big"]), job("b", &["big"]), job("c", &[])];
        let filter = |tags: &[&str]| {
            Filter::new(&[], &[], &tags.iter().map(|&tag| tag.to_owned()).collect::<Vec<_>>())
                .unwrap()
        };
        let taken = |tags| jobs.each_ref().map(|job| filter(tags).takes(job));
        assert_eq!(
            (taken(&["slow"]), taken(&["slow", "big"])),
            ([true, false, false], [true, true, false])
        );
        assert!(filter(&["big"]).check_tags(&jobs).is_ok());
        let said =
            |jobs: &[Job]| filter(&["big", "tiny"]).check_tags(jobs).unwrap_err().to_string();
        assert_eq!(said(&jobs), "no model has the tag `tiny`\n  the tags are big, slow");
        assert!(
            said(&jobs[2..])
                .starts_with("no model has the tag `big`\n\nhint: a listing gives tags")
        );
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
