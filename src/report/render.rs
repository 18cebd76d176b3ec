//! The pages of a report, from its JSON and the templates beside this file.

use super::diff::Diff;
use super::filters;
use crate::error::{Error, Kind, Result};
use crate::shown;
use minijinja::syntax::SyntaxConfig;
use minijinja::value::Serde;
use minijinja::{AutoEscape, Environment, UndefinedBehavior, context};
use serde::Serialize;
use std::sync::LazyLock;

/// A template file by its name, compiled in.
macro_rules! templates {
    ($($name:literal),* $(,)?) => { &[$(($name, include_str!(concat!("templates/", $name)))),*] };
}

const TEMPLATES: &[(&str, &str)] = templates![
    "base.css",
    "charts.html.j2",
    "diff.md.j2",
    "page.html.j2",
    "report.js",
    "verification.html.j2",
    "verification.md.j2",
    "words.html.j2",
    "zoo.html.j2",
    "zoo.md.j2",
];

/// What a report is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum About {
    /// One model.
    Model,
    /// Many.
    Zoo,
}

/// The files of a report: `report.json`, `report.md` and `report.html`, each with its contents.
///
/// # Errors
/// [`Kind::Internal`] where a template wants what the report lacks.
pub fn files(about: About, original: &impl Serialize) -> Result<[(&'static str, String); 3]> {
    let broken = |what: &str, cause: String| {
        Error::new(Kind::Internal, format!("cannot write {what}")).with_note(cause)
    };
    let mut report =
        serde_json::to_value(original).map_err(|error| broken("a report", error.to_string()))?;
    shown::value(&mut report);
    let (markdown, html) = match about {
        About::Model => ("verification.md.j2", "verification.html.j2"),
        About::Zoo => ("zoo.md.j2", "zoo.html.j2"),
    };
    let environment =
        ENVIRONMENT.as_ref().map_err(|error| broken("a report", format!("{error:#}")))?;
    let render = |name: &str| {
        let template = environment.get_template(name);
        let rendered =
            template.and_then(|template| template.render(context! { report => Serde(&report) }));
        rendered.map_err(|error| broken(name, format!("{error:#}")))
    };
    let json = serde_json::to_string_pretty(original)
        .map_err(|error| broken("a report", error.to_string()))?;
    Ok([
        ("report.json", json + "\n"),
        ("report.md", render(markdown)?),
        ("report.html", render(html)?),
    ])
}

/// A difference as Markdown, for pull requests.
///
/// # Errors
/// [`Kind::Internal`] where the template is broken.
pub fn diff(diff: &Diff) -> Result<String> {
    let broken =
        |cause: String| Error::new(Kind::Internal, "cannot write a difference").with_note(cause);
    let environment = ENVIRONMENT.as_ref().map_err(|error| broken(format!("{error:#}")))?;
    let context =
        context! { diff => Serde(diff), summary => diff.summary(), rows => Serde(diff.rows()) };
    let rendered =
        environment.get_template("diff.md.j2").and_then(|template| template.render(context));
    rendered.map_err(|error| broken(format!("{error:#}")))
}

/// The templates, read once.
static ENVIRONMENT: LazyLock<std::result::Result<Environment<'static>, minijinja::Error>> =
    LazyLock::new(environment);

fn environment() -> std::result::Result<Environment<'static>, minijinja::Error> {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.set_syntax(SyntaxConfig::builder().keep_trailing_newline(true).build()?);
    environment.set_auto_escape_callback(|name| {
        if name.ends_with(".html.j2") { AutoEscape::Html } else { AutoEscape::None }
    });
    filters::register(&mut environment);
    for (name, source) in TEMPLATES {
        environment.add_template(name, source)?;
    }
    Ok(environment)
}
