//! Sums of products by Einstein's notation.

use super::attributes::{Attributes, Describe};
use std::collections::BTreeMap;
use std::fmt;

/// Sum of products by Einstein's notation: `nvinfer1::IEinsumLayer`.
#[derive(Debug, Clone, PartialEq)]
pub struct Einsum {
    /// One term per operand, at most two, no letter twice in a term. A letter that the result lacks
    /// is summed over.
    pub equation: Equation,
}

/// Which axes of the operands belong together, and which of them the result has. Written as
/// TensorRT takes it: `ab,bc->ac`.
#[derive(Clone, PartialEq, Eq)]
pub struct Equation {
    /// For each operand a letter per axis.
    pub terms: Vec<Vec<Letter>>,
    /// The letters of the result, in its order.
    pub result: Vec<Letter>,
}

/// What stands for an axis: one of `a` to `z`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Letter(u8);

/// Why a text is no equation for operands of given ranks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs, reason = "the messages say it")]
#[non_exhaustive]
pub enum EquationError {
    #[error("it has not one term per operand")]
    Terms,
    #[error("a term has more letters than its operand axes")]
    MoreLetters,
    #[error("a term has fewer letters than its operand axes")]
    FewerLetters,
    #[error("it has other characters than letters")]
    Characters,
    #[error("it has more than 26 letters")]
    TooManyLetters,
    #[error("the result has a letter that no operand has")]
    Unknown,
    #[error("the result has a letter twice")]
    Twice,
}

impl Equation {
    /// Reads an equation as ONNX writes it, with capitals, ellipses and an implied result, for
    /// operands of these ranks.
    ///
    /// Letters are renamed in the order in which they come; an ellipsis becomes one letter per axis
    /// that it stands for.
    ///
    /// # Errors
    /// What is wrong with the text.
    pub fn parse(text: &str, ranks: &[usize]) -> Result<Self, EquationError> {
        let text: String = text.chars().filter(|c| *c != ' ').collect();
        let (left, right) = match text.split_once("->") {
            Some((left, right)) => (left, Some(right)),
            None => (text.as_str(), None),
        };
        let texts: Vec<&str> = left.split(',').collect();
        if texts.len() != ranks.len() {
            return Err(EquationError::Terms);
        }
        let mut terms = Vec::with_capacity(texts.len());
        for (text, &rank) in texts.into_iter().zip(ranks) {
            let letters = text.chars().filter(|c| *c != '.').count();
            let ellipsis = rank.checked_sub(letters).ok_or(EquationError::MoreLetters)?;
            let term = labels(text, ellipsis)?;
            if term.len() != rank {
                return Err(EquationError::FewerLetters);
            }
            terms.push(term);
        }
        let width =
            terms.iter().flatten().filter_map(Label::position).max().map_or(0, |last| last + 1);
        let result = match right {
            Some(text) => labels(text, width)?,
            None => implicit(&terms, width),
        };
        lettered(&terms, &result)
    }
}

impl Letter {
    /// The first two places of a term that have the same letter.
    pub fn repeated(term: &[Self]) -> Option<(usize, usize)> {
        term.iter().enumerate().find_map(|(second, letter)| {
            let first = term.iter().take(second).position(|earlier| earlier == letter)?;
            Some((first, second))
        })
    }

    fn nth(at: usize) -> Option<Self> {
        u8::try_from(at).ok().filter(|at| *at < 26).map(Self)
    }
}

impl fmt::Display for Letter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", char::from(b'a' + self.0))
    }
}

impl fmt::Display for Equation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, term) in self.terms.iter().enumerate() {
            f.write_str(if at > 0 { "," } else { "" })?;
            term.iter().try_for_each(|letter| letter.fmt(f))?;
        }
        f.write_str("->")?;
        self.result.iter().try_for_each(|letter| letter.fmt(f))
    }
}

impl fmt::Debug for Equation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{self}\"")
    }
}

/// What stands for one axis in the text: a letter, or an axis of the ellipsis counted from its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Label {
    Ellipsis(usize),
    Letter(char),
}

impl Label {
    /// The position in the ellipsis, from its end.
    fn position(&self) -> Option<usize> {
        match self {
            Label::Ellipsis(at) => Some(*at),
            Label::Letter(_) => None,
        }
    }
}

/// One term; its ellipsis stands for `width` axes.
fn labels(text: &str, width: usize) -> Result<Vec<Label>, EquationError> {
    let (before, behind) = match text.split_once("...") {
        Some((before, behind)) => (before, Some(behind)),
        None => (text, None),
    };
    let mut out: Vec<_> = before.chars().map(Label::Letter).collect();
    if let Some(behind) = behind {
        out.extend((0..width).rev().map(Label::Ellipsis));
        out.extend(behind.chars().map(Label::Letter));
    }
    let letter = |label: &Label| !matches!(label, Label::Letter(c) if !c.is_ascii_alphabetic());
    if out.iter().all(letter) { Ok(out) } else { Err(EquationError::Characters) }
}

/// The result where the equation names none: the ellipsis, then the letters that occur once,
/// capitals first.
fn implicit(terms: &[Vec<Label>], width: usize) -> Vec<Label> {
    let mut counts = BTreeMap::<Label, usize>::new();
    for label in terms.iter().flatten().filter(|label| label.position().is_none()) {
        *counts.entry(*label).or_default() += 1;
    }
    let once = counts.into_iter().filter(|&(_, count)| count == 1).map(|(label, _)| label);
    (0..width).rev().map(Label::Ellipsis).chain(once).collect()
}

fn lettered(terms: &[Vec<Label>], result: &[Label]) -> Result<Equation, EquationError> {
    let mut letters = BTreeMap::<Label, Letter>::new();
    for label in terms.iter().flatten() {
        if !letters.contains_key(label) {
            let next = Letter::nth(letters.len()).ok_or(EquationError::TooManyLetters)?;
            letters.insert(*label, next);
        }
    }
    let all = |labels: &[Label]| {
        labels.iter().map(|label| letters.get(label).copied()).collect::<Option<Vec<_>>>()
    };
    let result = all(result).ok_or(EquationError::Unknown)?;
    if Letter::repeated(&result).is_some() {
        return Err(EquationError::Twice);
    }
    Ok(Equation { terms: terms.iter().filter_map(|term| all(term)).collect(), result })
}

impl Describe for Einsum {
    fn describe(&self, to: &mut Attributes) {
        let Self { equation } = self;
        to.text(equation);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equations_are_read_as_onnx_writes_them() {
        for (text, ranks, read) in [
            ("ij,jk->ik", &[2, 2][..], "ab,bc->ac"),
            (" i j , i j -> i j ", &[2, 2], "ab,ab->ab"),
            ("ii->i", &[2], "aa->a"),
            ("ij->", &[2], "ab->"),
            ("zA", &[2], "ab->ba"),
            ("ij,jk", &[2, 2], "ab,bc->ac"),
            ("...i,...i->...", &[3, 2], "abc,bc->ab"),
            ("...ij", &[4], "abcd->abcd"),
            (",i->i", &[0, 1], ",a->a"),
        ] {
            let equation = Equation::parse(text, ranks).unwrap();
            assert_eq!(equation.to_string(), read, "{text}");
        }
    }

    #[test]
    fn texts_that_are_no_equation_say_why() {
        let many: String = ('a'..='z').chain('A'..='B').collect();
        for (text, ranks, why) in [
            ("i,i->i", &[1][..], EquationError::Terms),
            ("ij->i", &[1], EquationError::MoreLetters),
            ("i->i", &[2], EquationError::FewerLetters),
            ("i.->i", &[2], EquationError::Characters),
            ("i1->i", &[2], EquationError::Characters),
            (&many, &[28], EquationError::TooManyLetters),
            ("i->j", &[1], EquationError::Unknown),
            ("ij->ii", &[2], EquationError::Twice),
        ] {
            assert_eq!(Equation::parse(text, ranks), Err(why), "{text}");
        }
    }
}
