//! Inputs that become constants, as users write them: `axes=[0,2]`, `k=5`, or `axes` with a value
//! from elsewhere.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// The most axes of a value that is written out: TensorRT's own limit.
const MOST_AXES: usize = 8;

/// An input that becomes a constant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(try_from = "String", into = "String")]
pub struct Frozen {
    /// Its name.
    pub name: String,
    /// Its value, where it is written out.
    pub literal: Option<Literal>,
}

/// A number, or a list of numbers or of lists in brackets. What type they have is the model's to
/// say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Literal {
    /// The shape.
    pub dims: Vec<usize>,
    /// The elements as they are written, row by row.
    pub numbers: Vec<String>,
}

impl FromStr for Frozen {
    type Err = String;

    /// Reads `axes=[0,2]`, `k=5` or `axes`. The name ends at the last `=`, so that one that has an
    /// `=` itself and no value ends with another: `a=b=`.
    fn from_str(text: &str) -> Result<Self, String> {
        let (name, value) = text.rsplit_once('=').unwrap_or((text, ""));
        let literal = if value.is_empty() { None } else { Some(value.parse()?) };
        Ok(Self { name: name.to_owned(), literal })
    }
}

impl FromStr for Literal {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut literal = Self { dims: Vec::new(), numbers: Vec::new() };
        literal.read(text.trim(), 0)?;
        Ok(literal)
    }
}

impl Literal {
    /// Reads what is inside `depth` pairs of brackets.
    fn read(&mut self, text: &str, depth: usize) -> Result<(), String> {
        let Some(list) = text.strip_prefix('[') else {
            if depth < self.dims.len() {
                return Err(format!("`{text}` stands where a list was expected"));
            }
            self.numbers.push(text.to_owned());
            return Ok(());
        };
        let list = list.strip_suffix(']').ok_or("a list ends with `]`")?.trim();
        let items = items(list)?;
        match self.dims.get(depth) {
            Some(&size) if size != items.len() => {
                return Err(format!("one list has {size} elements and another {}", items.len()));
            }
            Some(_) => {}
            None if !self.numbers.is_empty() => {
                return Err(format!("`{text}` stands where a number was expected"));
            }
            None if depth == MOST_AXES => {
                return Err(format!("lists are at most {MOST_AXES} deep"));
            }
            None => self.dims.push(items.len()),
        }
        items.into_iter().try_for_each(|item| self.read(item, depth + 1))
    }
}

/// The parts of a list, which commas outside brackets set apart.
fn items(list: &str) -> Result<Vec<&str>, String> {
    if list.is_empty() {
        return Ok(Vec::new());
    }
    let (mut items, mut start, mut depth) = (Vec::new(), 0, 0usize);
    for (at, byte) in list.bytes().enumerate() {
        match byte {
            b'[' => depth += 1,
            b']' => depth = depth.checked_sub(1).ok_or("a list begins with `[`")?,
            b',' if depth == 0 => {
                items.push(list.get(start..at).unwrap_or_default().trim());
                start = at + 1;
            }
            _ => {}
        }
    }
    items.push(list.get(start..).unwrap_or_default().trim());
    Ok(items)
}

impl fmt::Display for Frozen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.literal {
            Some(literal) => write!(f, "{}={literal}", self.name),
            None if self.name.contains('=') => write!(f, "{}=", self.name),
            None => f.write_str(&self.name),
        }
    }
}

impl fmt::Display for Literal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        /// Writes the lists of these axes, and their numbers.
        fn list(
            dims: &[usize],
            numbers: &mut std::slice::Iter<'_, String>,
            f: &mut fmt::Formatter<'_>,
        ) -> fmt::Result {
            let [size, inner @ ..] = dims else {
                return f.write_str(numbers.next().map_or("", String::as_str));
            };
            f.write_str("[")?;
            for at in 0..*size {
                f.write_str(if at == 0 { "" } else { "," })?;
                list(inner, numbers, f)?;
            }
            f.write_str("]")
        }
        list(&self.dims, &mut self.numbers.iter(), f)
    }
}

impl TryFrom<String> for Frozen {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<Frozen> for String {
    fn from(frozen: Frozen) -> Self {
        frozen.to_string()
    }
}
