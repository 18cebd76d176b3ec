//! The one error type of the library, what it says and the exit code it means.
//!
//! Leaf errors (`OpError`, `InferError`, …) know numbers and names but no place. The driver of each
//! stage wraps them once into an [`Error`] that knows the node. An error may hold many
//! [`Problem`]s, so that a model with ten unsupported nodes is reported once, whole.

pub(crate) mod alike;
pub(crate) mod bug;
pub mod said;

use crate::shown::{escaped, line, name};
use crate::site::Site;
use said::Said;
use std::fmt;
use std::path::{Path, PathBuf};

/// Result of the library's stages.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What went wrong, by who can mend it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Kind {
    /// The plan, or the evaluated network, computes other numbers than the reference.
    Mismatch,
    /// Rounding alone moves the numbers too far for a comparison to say anything.
    Undetermined,
    /// The numbers agree with the reference, but would if they were wrong.
    Vacuous,
    /// Options that do not fit together or do not fit the model.
    Usage,
    /// The model file is damaged or breaks ONNX's rules.
    Invalid,
    /// The model is fine, but we or this TensorRT cannot convert it.
    Unsupported,
    /// TensorRT refused the network or failed.
    TensorRt,
    /// Something is missing on this machine: a library, a GPU, a reference, disk space.
    Environment,
    /// The user stopped it.
    Cancelled,
    /// A bug in onnx2plan.
    Internal,
}

impl Kind {
    /// The process's exit code for an error of this kind.
    pub fn exit_code(self) -> u8 {
        match self {
            Kind::Mismatch => 1,
            Kind::Usage => 2,
            Kind::Invalid => 3,
            Kind::Unsupported => 4,
            Kind::TensorRt => 5,
            Kind::Environment => 6,
            Kind::Undetermined => 7,
            Kind::Vacuous => 8,
            Kind::Internal => 70,
            Kind::Cancelled => 130,
        }
    }
}

/// An error with everything its reader needs. One pointer wide.
pub struct Error(Box<Inner>);

struct Inner {
    kind: Kind,
    message: String,
    model: Option<PathBuf>,
    problems: Vec<Problem>,
    notes: Vec<String>,
    hint: Option<String>,
    said: Option<Said>,
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

/// One thing wrong with one place of the model.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Problem {
    /// Who can mend it; the gravest kind of all problems is the error's kind.
    pub kind: Kind,
    /// Where in the model.
    pub site: Site,
    /// What is wrong, with the values: lower case, no full stop, no node name.
    pub message: String,
    /// One line for each input and output of the node: role, name, type and shape, producer.
    pub operands: Vec<String>,
    /// Further facts, a line each.
    pub notes: Vec<String>,
    /// The way out.
    pub hint: Option<String>,
    /// Whether all that is wrong is an input that is not known at build time.
    #[serde(skip)]
    pub wants_constant: bool,
}

impl Problem {
    /// A problem without operands, notes or hint.
    pub fn new(kind: Kind, site: Site, message: impl Into<String>) -> Self {
        Self {
            kind,
            site,
            message: message.into(),
            operands: Vec::new(),
            notes: Vec::new(),
            hint: None,
            wants_constant: false,
        }
    }
}

/// How many problems are kept with all that is said of them.
pub(crate) const MOST_KEPT: usize = 300;

/// Adds a problem to others: of the first hundreds all that is said, of more only where they are.
pub(crate) fn keep(problems: &mut Vec<Problem>, mut problem: Problem) {
    if problems.len() >= MOST_KEPT {
        problem = Problem::new(problem.kind, problem.site, "");
    }
    problems.push(problem);
}

impl Error {
    /// An error that says `message`: lower case, no full stop.
    pub fn new(kind: Kind, message: impl Into<String>) -> Self {
        Self(Box::new(Inner {
            kind,
            message: message.into(),
            model: None,
            problems: Vec::new(),
            notes: Vec::new(),
            hint: None,
            said: None,
            source: None,
        }))
    }

    /// One error for all `problems`. Its kind is `Invalid` if any problem is, else the first
    /// problem's.
    ///
    /// `message` leads on to the only problem: `cannot import`. Where there are several, it says
    /// how many.
    pub fn of_problems(message: &str, problems: Vec<Problem>) -> Self {
        let kind = if problems.iter().any(|p| p.kind == Kind::Invalid) {
            Kind::Invalid
        } else {
            problems.first().map_or(Kind::Internal, |p| p.kind)
        };
        let mut error = match problems.len() {
            0 | 1 => Self::new(kind, message),
            count => Self::new(kind, format!("{message}: {count} problems")),
        };
        error.0.problems = problems;
        error
    }

    /// Adds a fact, shown on a line of its own.
    #[must_use]
    pub fn with_note(mut self, note: impl Into<String>) -> Self {
        self.0.notes.push(note.into());
        self
    }

    /// Adds what a library said, as a fact and for who wants to know what it means.
    #[must_use]
    pub fn with_said(mut self, said: Said) -> Self {
        if said.is_told {
            self.0.notes.push(format!("TensorRT said: {}", said.text));
        }
        self.0.said = Some(said);
        self
    }

    /// Says that what a library said, it said while it built a plan.
    #[must_use]
    pub fn while_building(mut self) -> Self {
        if let Some(said) = &mut self.0.said {
            said.is_of_build = true;
        }
        self
    }

    /// Adds the way out.
    #[must_use]
    pub fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.0.hint = Some(hint.into());
        self
    }

    /// Adds the error that caused this one.
    #[must_use]
    pub fn with_source(
        mut self,
        source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Self {
        self.0.source = Some(source.into());
        self
    }

    /// Says which model file this is about, unless something nearer to it already did.
    #[must_use]
    pub fn in_model(mut self, path: &Path) -> Self {
        self.0.model.get_or_insert_with(|| path.to_owned());
        self
    }

    /// What went wrong, by who can mend it.
    pub fn kind(&self) -> Kind {
        self.0.kind
    }

    /// The message alone, without places, notes or hint.
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// What is wrong with which node; empty where no single node is at fault.
    pub fn problems(&self) -> &[Problem] {
        &self.0.problems
    }

    /// Facts, a line each.
    pub fn notes(&self) -> &[String] {
        &self.0.notes
    }

    /// What a library said, where it is a library's error.
    pub fn said(&self) -> Option<&Said> {
        self.0.said.as_ref()
    }

    /// The way out, where there is one.
    pub fn hint(&self) -> Option<&str> {
        self.0.hint.as_deref()
    }

    /// The model file this is about.
    pub fn model(&self) -> Option<&Path> {
        self.0.model.as_deref()
    }

    /// The messages of what caused it, in one line, if anything did.
    pub(crate) fn causes_text(&self) -> Option<String> {
        let causes = causes(self).collect::<Vec<_>>().join(": ");
        Some(causes).filter(|causes| !causes.is_empty())
    }

    /// The fields as JSON, for `--error-format json` and reports.
    pub fn to_json(&self) -> serde_json::Value {
        serde_json::json!({
            "kind": self.0.kind,
            "exit_code": self.0.kind.exit_code(),
            "message": self.0.message,
            "model": self.0.model.as_ref().map(|model| model.display().to_string()),
            "problems": self.0.problems.get(..MOST_KEPT).unwrap_or(&self.0.problems),
            "more_problems": self.0.problems.len().saturating_sub(MOST_KEPT),
            "notes": self.0.notes,
            "hint": self.0.hint,
            "causes": causes(self).collect::<Vec<_>>(),
        })
    }
}

/// How many problems are shown in full before the table of the rest.
const SHOWN: usize = 10;

/// The whole report, as a terminal shows it after `error: `.
impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let inner = &self.0;
        if let [only] = inner.problems.as_slice() {
            let (message, what) = (line(&inner.message), line(&only.message));
            write!(f, "{message} {}: {what}", only.site)?;
            only.details(f, inner.model.as_deref())?;
        } else {
            f.write_str(&line(&inner.message))?;
            if inner.problems.is_empty()
                && let Some(model) = &inner.model
            {
                write!(f, "\n  in {}", path(model))?;
            }
            for problem in inner.problems.iter().take(SHOWN) {
                write!(f, "\n\n{}: {}", problem.site, line(&problem.message))?;
                problem.details(f, inner.model.as_deref())?;
            }
            self.rest(f)?;
        }
        for cause in causes(self) {
            write!(f, "\n  cause: {}", line(&cause))?;
        }
        for note in &inner.notes {
            write!(f, "\n  {}", line(note))?;
        }
        if let Some(hint) = &inner.hint {
            write!(f, "\n\nhint: {}", line(hint))?;
        }
        Ok(())
    }
}

impl Error {
    /// What follows the problems shown in full: how many more, and how many of each operator.
    fn rest(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rest = self.0.problems.len().saturating_sub(SHOWN);
        if rest == 0 {
            return Ok(());
        }
        write!(f, "\n\nand {rest} more; all of them by operator:")?;
        let mut counts = std::collections::BTreeMap::<&str, usize>::new();
        for problem in &self.0.problems {
            *counts.entry(&problem.site.place().op).or_default() += 1;
        }
        for (op, count) in counts {
            write!(f, "\n  {count:>6}  {}", name(op))?;
        }
        Ok(())
    }
}

impl Problem {
    /// The indented lines below a problem's message.
    fn details(&self, f: &mut fmt::Formatter<'_>, model: Option<&Path>) -> fmt::Result {
        let place = self.site.place();
        f.write_str("\n  at ")?;
        if let Some(model) = model {
            write!(f, "{}, ", path(model))?;
        }
        write!(f, "graph `{}`", name(&place.graph))?;
        if let Some(index) = place.index {
            write!(f, ", node {index}")?;
        }
        for fact in self.operands.iter().chain(&self.notes) {
            write!(f, "\n  {}", line(fact))?;
        }
        if let Some(hint) = &self.hint {
            write!(f, "\n  hint: {}", line(hint))?;
        }
        Ok(())
    }
}

/// A path as it is shown, whole.
fn path(path: &Path) -> String {
    escaped(&path.display().to_string())
}

/// The messages of the chain of sources, nearest first.
fn causes(error: &Error) -> impl Iterator<Item = String> {
    let mut next = std::error::Error::source(error);
    std::iter::from_fn(move || {
        let cause = next?;
        next = cause.source();
        Some(cause.to_string())
    })
}

/// Its kind and the report: what a `main` that returns the error shows.
impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: {self}", self.0.kind)
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        let source = self.0.source.as_deref()?;
        Some(source)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_one_pointer_wide() {
        assert_eq!(size_of::<Error>(), 8);
    }

    #[test]
    fn one_problem_leads_with_its_node() {
        let mut problem = Problem::new(
            Kind::Invalid,
            Site::node("main", 57, "Conv_12", "Conv", 17, "conv_12_out"),
            "input has 64 channels but the weights take 32",
        );
        problem.operands.push("in  0 X  `relu_11`   f32[N, 64, 56, 56]    from `Relu_11`".into());
        problem.hint = Some("weights of this shape fit `group` 2".into());
        let error = Error::of_problems("cannot import", vec![problem])
            .in_model(Path::new("models/net.onnx"));
        assert_eq!(
            error.to_string(),
            "cannot import `Conv_12` (Conv, opset 17): input has 64 channels but the weights take \
             32\n  \
             at models/net.onnx, graph `main`, node 57\n  \
             in  0 X  `relu_11`   f32[N, 64, 56, 56]    from `Relu_11`\n  \
             hint: weights of this shape fit `group` 2"
        );
        assert_eq!(error.kind().exit_code(), 3);
    }

    #[test]
    fn many_problems_end_in_a_count_by_operator() {
        let problems = (0..12)
            .map(|i| {
                Problem::new(
                    Kind::Unsupported,
                    Site::node("main", i, "", "Foo", 17, "o"),
                    "no importer",
                )
            })
            .collect();
        let text = Error::of_problems("cannot import", problems).to_string();
        assert!(text.starts_with(
            "cannot import: 12 problems\n\nnode 0 -> \"o\" (Foo, opset 17): no importer"
        ));
        assert!(text.ends_with("and 2 more; all of them by operator:\n      12  Foo"), "{text}");
    }
}
