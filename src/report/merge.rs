//! Reports on the parts of a zoo, joined into the report that one run over all of it would have
//! written.

use super::pages::path;
use crate::error::{Error, Kind, Result};
use crate::report::environment::{self, Environment};
use crate::report::read::Saved;
use crate::report::zoo::{ModelReport, Options, Report, Shard};
use serde_json::Value;
use std::collections::HashMap;

/// Joins the reports; gives all models with their pages too, which the joined folder holds.
///
/// A model whose page is in no part has none in the joined report, and a note says so.
///
/// # Errors
/// [`Kind::Usage`] for parts that do not belong together: of another version, library or other
/// options, of shards of another number, or with the same shard or model.
pub fn merge(parts: &[Saved]) -> Result<(Report, Vec<(ModelReport, Value)>)> {
    let Some(first) = parts.first() else {
        return Err(Error::new(Kind::Usage, "there is no part to join"));
    };
    parts.iter().try_for_each(|part| alike(first, part))?;
    let shards = shards(parts)?;
    apart(parts)?;
    let mut pages = Vec::new();
    for part in parts {
        for model in &part.report.models {
            pages.push(paged(part, model)?);
        }
    }
    let environments: Vec<Environment> =
        parts.iter().map(|part| part.report.environment.clone()).collect();
    let (environment, mut notes) = environment::joined(&environments);
    for part in parts {
        // What a joined part lacked, another one may hold.
        let stale = lacks(&part.report.missing());
        let new = part.report.notes.iter().filter(|&note| *note != stale && !notes.contains(note));
        notes.extend(new.cloned().collect::<Vec<_>>());
    }
    let before = parts
        .iter()
        .flat_map(|part| &part.report.models)
        .filter(|model| model.page.is_some())
        .count();
    let lost = before - pages.iter().filter(|(model, _)| model.page.is_some()).count();
    if lost > 0 {
        notes.push(format!("models whose page is not in their part: {lost}"));
    }
    let jobs = parts.iter().map(|part| part.report.options.jobs).max().unwrap_or_default();
    let options = Options { jobs, ..first.report.options.clone() };
    let seconds = parts.iter().map(|part| part.report.seconds).fold(0.0, f64::max);
    let models = pages.iter().map(|(model, _)| model.clone()).collect();
    let by_name: HashMap<&str, &Value> =
        pages.iter().map(|(model, page)| (model.name.as_str(), page)).collect();
    let report = Report::new(environment, options, seconds, models)
        .explained(|model| by_name.get(model.name.as_str()).copied());
    let mut report = Report { shards, ..report };
    let missing = report.missing();
    if !missing.is_empty() {
        notes.push(lacks(&missing));
    }
    report.notes = notes;
    Ok((report, pages))
}

/// `shard 3/4 is missing`.
pub fn lacks(missing: &[Shard]) -> String {
    let names: Vec<String> = missing.iter().map(ToString::to_string).collect();
    let (which, are) = if names.len() == 1 { ("shard", "is") } else { ("shards", "are") };
    format!("{which} {} {are} missing", names.join(", "))
}

/// Whether two parts were made by the same program, with the same library and options.
fn alike(first: &Saved, part: &Saved) -> Result<()> {
    let describe = |saved: &Saved| {
        let Report { producer, environment, options, .. } = &saved.report;
        let library = environment.library.clone().unwrap_or_else(|| "none".to_owned());
        let mut fields =
            vec![("producer".to_owned(), producer.clone()), ("library".to_owned(), library)];
        fields.extend(options.fields());
        fields
    };
    let pairs = describe(first).into_iter().zip(describe(part));
    let other = |((name, one), (_, other)): ((String, String), (String, String))| {
        (one != other).then(|| format!("`{name}` is {one} in the first and {other} in the second"))
    };
    let differences: Vec<String> = pairs.filter_map(other).collect();
    if differences.is_empty() {
        return Ok(());
    }
    let error = Error::new(Kind::Usage, cannot_join(first, part));
    Err(differences
        .into_iter()
        .fold(error, Error::with_note)
        .with_hint("run all parts with the same program, library, options and listing"))
}

/// The shards that the parts hold, in order.
fn shards(parts: &[Saved]) -> Result<Vec<Shard>> {
    let mut held: Vec<(Shard, &Saved)> = Vec::new();
    for part in parts {
        held.extend(part.report.shards.iter().map(|&shard| (shard, part)));
    }
    let whole = parts.iter().find(|part| part.report.shards.is_empty());
    if let (Some(whole), Some((_, part))) = (whole, held.first()) {
        let message = format!("{}: the first is no shard, the second is", cannot_join(whole, part));
        return Err(Error::new(Kind::Usage, message));
    }
    held.sort_by_key(|(shard, _)| *shard);
    for pair in held.windows(2) {
        let [(one, first), (other, second)] = pair else { continue };
        if one == other {
            return Err(Error::new(
                Kind::Usage,
                format!("{}: both hold shard {one}", cannot_join(first, second)),
            ));
        }
        if one.count != other.count {
            let message =
                format!("{}: they hold shards {one} and {other}", cannot_join(first, second));
            return Err(Error::new(Kind::Usage, message));
        }
    }
    Ok(held.into_iter().map(|(shard, _)| shard).collect())
}

/// Whether no model is in two parts.
fn apart(parts: &[Saved]) -> Result<()> {
    let mut seen: HashMap<&str, &Saved> = HashMap::new();
    for part in parts {
        for model in &part.report.models {
            if let Some(other) = seen.insert(&model.name, part) {
                let message =
                    format!("{}: both hold model `{}`", cannot_join(other, part), model.name);
                return Err(Error::new(Kind::Usage, message).with_hint("name each part once"));
            }
        }
    }
    Ok(())
}

fn cannot_join(first: &Saved, second: &Saved) -> String {
    format!("cannot join `{}` and `{}`", first.path.display(), second.path.display())
}

/// A model with its page, if the part has it.
fn paged(part: &Saved, model: &ModelReport) -> Result<(ModelReport, Value)> {
    let page = model.page.as_ref().map(|page| part.page(page)).transpose()?.flatten();
    let model = ModelReport { page: page.is_some().then(|| path(&model.name)), ..model.clone() };
    Ok((model, page.unwrap_or_default()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recipe::Recipe;
    use crate::report::zoo::{Effort, Status};
    use std::path::PathBuf;

    /// A part with these models, whose pages are nowhere.
    fn part(path: &str, shards: &[(usize, usize)], models: &[&str]) -> Saved {
        let environment = Environment::here(Some("TensorRT".to_owned()));
        let options = Options {
            recipe: Recipe::default(),
            on: "cpu".to_owned(),
            freeze_from_data: false,
            verify: Effort::Full,
            tolerance: None,
            metric: Vec::new(),
            jobs: 2,
            timeout_seconds: Some(600),
            memory_bytes: None,
            include: Vec::new(),
            exclude: Vec::new(),
            tags: Vec::new(),
            listing: None,
        };
        let models = models
            .iter()
            .map(|name| ModelReport::new(name, &format!("{name}.onnx"), Status::Evaluated));
        let mut report = Report::new(environment, options, 1.0, models.collect());
        report.shards = shards.iter().map(|&(index, count)| Shard { index, count }).collect();
        Saved { path: path.into(), folder: PathBuf::new(), report }
    }

    fn refusal(parts: &[Saved]) -> String {
        let error = merge(parts).unwrap_err();
        assert_eq!(error.kind(), Kind::Usage);
        error.to_string()
    }

    #[test]
    fn shards_become_a_whole() {
        let mut parts = [part("1", &[(2, 2)], &["a", "c"]), part("2", &[(1, 2)], &["b"])];
        parts[1].report.options.jobs = 7;
        parts[1].report.seconds = 9.0;
        parts[1].report.notes = vec!["x".to_owned()];
        let (report, pages) = merge(&parts).unwrap();
        let names: Vec<&str> = report.models.iter().map(|model| model.name.as_str()).collect();
        assert_eq!(names, ["a", "b", "c"]);
        assert_eq!(
            (report.options.jobs, report.seconds, report.counts[&Status::Evaluated]),
            (7, 9.0, 3)
        );
        assert_eq!(report.shards, [Shard { index: 1, count: 2 }, Shard { index: 2, count: 2 }]);
        assert_eq!((report.notes, pages.len()), (vec!["x".to_owned()], 3));
    }

    #[test]
    fn what_is_missing_is_said() {
        let (report, _) =
            merge(&[part("1", &[(1, 4), (2, 4)], &["a"]), part("2", &[(4, 4)], &["b"])]).unwrap();
        assert_eq!(report.notes, ["shard 3/4 is missing"]);
        let (report, _) = merge(&[part("1", &[(2, 3)], &["a"])]).unwrap();
        assert_eq!(report.notes, ["shards 1/3, 3/3 are missing"]);
        assert!(merge(&[part("1", &[], &["a"])]).unwrap().0.notes.is_empty());
    }

    #[test]
    fn pages_that_a_part_lacks_are_counted() {
        let mut lacking = part("1", &[], &["a"]);
        lacking.report.models[0].page = Some("models/a/report.html".to_owned());
        let (report, _) = merge(&[lacking.clone()]).unwrap();
        assert_eq!(report.models[0].page, None);
        assert_eq!(report.notes, ["models whose page is not in their part: 1"]);
        lacking.report.models[0].page = Some("../a/report.html".to_owned());
        assert_eq!(refusal(&[lacking]), "`1` has a page outside its folder: `../a/report.html`");
    }

    #[test]
    fn parts_that_do_not_belong_together_are_refused() {
        let (a, b) = (part("1", &[(1, 2)], &["a"]), part("2", &[(2, 2)], &["b"]));
        let texts = [
            (part("2", &[(2, 2)], &["a"]), "both hold model `a`\n\nhint: name each part once"),
            (part("2", &[(1, 2)], &["b"]), "both hold shard 1/2"),
            (part("2", &[(1, 3)], &["b"]), "they hold shards 1/2 and 1/3"),
        ];

        for (other, text) in texts {
            assert_eq!(refusal(&[a.clone(), other]), format!("cannot join `1` and `2`: {text}"));
        }
        let whole = part("3", &[], &["b"]);
        assert_eq!(
            refusal(&[a.clone(), whole]),
            "cannot join `3` and `1`: the first is no shard, the second is"
        );
        let mut other = b;
        other.report.options.recipe.no_tf32 = true;
        other.report.environment.library = None;
        other.report.options.include = vec!["a*".to_owned()];
        assert_eq!(
            refusal(&[a, other]),
            "cannot join `1` and `2`\n  `library` is TensorRT in the first and none in the \
             second\n  \
             `include` is [] in the first and [\"a*\"] in the second\n  \
             `tf32` is true in the first and false in the second\n\n\
             hint: run all parts with the same program, library, options and listing"
        );
        assert_eq!(refusal(&[]), "there is no part to join");
    }
}
