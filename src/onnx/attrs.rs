//! A node's attributes, with getters that check the type and remember what was read.

use super::constant::Constant;
use super::model::{Graph, ValueType};
use bytes::Bytes;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// The value of an attribute.
#[derive(Debug, Clone)]
#[allow(missing_docs, reason = "the names are ONNX's attribute types")]
#[non_exhaustive]
pub enum Attr {
    Int(i64),
    Float(f32),
    /// Bytes that need not be UTF-8.
    String(Bytes),
    /// Dense, or sparse made dense.
    Tensor(Constant),
    Graph(Arc<Graph>),
    Type(ValueType),
    Ints(Vec<i64>),
    Floats(Vec<f32>),
    Strings(Vec<Bytes>),
    Tensors(Vec<Constant>),
    Graphs(Vec<Arc<Graph>>),
    Types(Vec<ValueType>),
}

impl Attr {
    /// The type as messages name it.
    fn kind(&self) -> &'static str {
        match self {
            Attr::Int(_) => "an int",
            Attr::Float(_) => "a float",
            Attr::String(_) => "a string",
            Attr::Tensor(_) => "a tensor",
            Attr::Graph(_) => "a graph",
            Attr::Type(_) => "a type",
            Attr::Ints(_) => "a list of ints",
            Attr::Floats(_) => "a list of floats",
            Attr::Strings(_) => "a list of strings",
            Attr::Tensors(_) => "a list of tensors",
            Attr::Graphs(_) => "a list of graphs",
            Attr::Types(_) => "a list of types",
        }
    }
}

/// Why an attribute cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AttrError {
    /// It has another type.
    #[error("attribute `{name}` must be {expected}, but is {found}")]
    Type {
        /// Name of the attribute.
        name: String,
        /// Type asked for.
        expected: &'static str,
        /// Type in the file.
        found: &'static str,
    },
    /// A string holds other bytes than text.
    #[error("attribute `{0}` is not UTF-8 text")]
    NotText(String),
}

/// The attributes of a node.
///
/// Every getter answers `None` for an absent attribute and an error for one of another type, and
/// remembers that the attribute was asked for; [`unread`](Attrs::unread) says which never were.
#[derive(Debug, Clone, Default)]
pub struct Attrs(Vec<Entry>);

#[derive(Debug)]
struct Entry {
    name: String,
    value: Attr,
    // Atomic only so that a model can be shared between threads.
    read: AtomicBool,
}

impl Attrs {
    /// Attributes by name. Names must differ; of equal ones the first counts.
    pub fn new(entries: impl IntoIterator<Item = (String, Attr)>) -> Self {
        Self(
            entries
                .into_iter()
                .map(|(name, value)| Entry { name, value, read: AtomicBool::new(false) })
                .collect(),
        )
    }

    /// Whether the attribute is there. Does not count as reading it.
    pub fn has(&self, name: &str) -> bool {
        self.0.iter().any(|entry| entry.name == name)
    }

    /// The attribute, whatever its type.
    pub fn get(&self, name: &str) -> Option<&Attr> {
        let entry = self.0.iter().find(|entry| entry.name == name)?;
        entry.read.store(true, Ordering::Relaxed);
        Some(&entry.value)
    }

    /// All attributes in the file's order. Does not count as reading them.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Attr)> {
        self.0.iter().map(|entry| (entry.name.as_str(), &entry.value))
    }

    /// Names of the attributes that no getter was asked for, in the file's order.
    pub fn unread(&self) -> Vec<&str> {
        self.0
            .iter()
            .filter(|entry| !entry.read.load(Ordering::Relaxed))
            .map(|entry| entry.name.as_str())
            .collect()
    }

    /// A whole number.
    pub fn int(&self, name: &str) -> Result<Option<i64>, AttrError> {
        self.typed(
            name,
            "an int",
            |attr| if let Attr::Int(value) = attr { Some(*value) } else { None },
        )
    }

    /// A whole number, or `default` where it is absent.
    pub fn int_or(&self, name: &str, default: i64) -> Result<i64, AttrError> {
        Ok(self.int(name)?.unwrap_or(default))
    }

    /// A number.
    pub fn float(&self, name: &str) -> Result<Option<f32>, AttrError> {
        self.typed(
            name,
            "a float",
            |attr| if let Attr::Float(value) = attr { Some(*value) } else { None },
        )
    }

    /// A number, or `default` where it is absent.
    pub fn float_or(&self, name: &str, default: f32) -> Result<f32, AttrError> {
        Ok(self.float(name)?.unwrap_or(default))
    }

    /// A text.
    pub fn string(&self, name: &str) -> Result<Option<&str>, AttrError> {
        let bytes = self.typed(name, "a string", |attr| {
            if let Attr::String(bytes) = attr { Some(bytes) } else { None }
        })?;
        bytes.map(|bytes| text(name, bytes)).transpose()
    }

    /// A text, or `default` where it is absent.
    pub fn string_or<'a>(&'a self, name: &str, default: &'a str) -> Result<&'a str, AttrError> {
        Ok(self.string(name)?.unwrap_or(default))
    }

    /// A list of whole numbers.
    pub fn ints(&self, name: &str) -> Result<Option<&[i64]>, AttrError> {
        self.typed(name, "a list of ints", |attr| {
            if let Attr::Ints(list) = attr { Some(&list[..]) } else { None }
        })
    }

    /// A list of numbers.
    pub fn floats(&self, name: &str) -> Result<Option<&[f32]>, AttrError> {
        self.typed(name, "a list of floats", |attr| {
            if let Attr::Floats(list) = attr { Some(&list[..]) } else { None }
        })
    }

    /// A list of texts.
    pub fn strings(&self, name: &str) -> Result<Option<Vec<&str>>, AttrError> {
        let list = self.typed(name, "a list of strings", |attr| {
            if let Attr::Strings(list) = attr { Some(list) } else { None }
        })?;
        list.map(|list| list.iter().map(|bytes| text(name, bytes)).collect()).transpose()
    }

    /// A tensor; sparse ones have been made dense.
    pub fn tensor(&self, name: &str) -> Result<Option<&Constant>, AttrError> {
        self.typed(name, "a tensor", |attr| {
            if let Attr::Tensor(value) = attr { Some(value) } else { None }
        })
    }

    /// A graph.
    pub fn graph(&self, name: &str) -> Result<Option<&Graph>, AttrError> {
        self.typed(name, "a graph", |attr| {
            if let Attr::Graph(value) = attr { Some(&**value) } else { None }
        })
    }

    /// The subgraphs among the attributes, alone or in lists. Does not count as reading them.
    pub fn graphs(&self) -> impl Iterator<Item = &Graph> {
        self.0
            .iter()
            .flat_map(|entry| match &entry.value {
                Attr::Graph(graph) => std::slice::from_ref(graph),
                Attr::Graphs(graphs) => graphs,
                _ => &[],
            })
            .map(|graph| &**graph)
    }

    /// What `pick` makes of the attribute, which answers `None` for types other than `expected`.
    fn typed<'a, T>(
        &'a self,
        name: &str,
        expected: &'static str,
        pick: fn(&'a Attr) -> Option<T>,
    ) -> Result<Option<T>, AttrError> {
        let Some(attr) = self.get(name) else { return Ok(None) };
        match pick(attr) {
            Some(value) => Ok(Some(value)),
            None => Err(AttrError::Type { name: name.to_owned(), expected, found: attr.kind() }),
        }
    }
}

/// The copy knows what was read from the original.
impl Clone for Entry {
    fn clone(&self) -> Self {
        let read = AtomicBool::new(self.read.load(Ordering::Relaxed));
        Self { name: self.name.clone(), value: self.value.clone(), read }
    }
}

fn text<'a>(name: &str, bytes: &'a [u8]) -> Result<&'a str, AttrError> {
    std::str::from_utf8(bytes).map_err(|_| AttrError::NotText(name.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn attrs() -> Attrs {
        let text = |bytes: &'static [u8]| Attr::String(Bytes::from_static(bytes));
        Attrs::new([
            ("axis".to_owned(), Attr::Int(-1)),
            ("alpha".to_owned(), Attr::Float(0.5)),
            ("mode".to_owned(), text(b"linear")),
            ("binary".to_owned(), text(b"\xff")),
            ("pads".to_owned(), Attr::Ints(vec![1, 2])),
            ("scales".to_owned(), Attr::Floats(vec![2.0])),
            (
                "names".to_owned(),
                Attr::Strings(vec![Bytes::from_static(b"a"), Bytes::from_static(b"b")]),
            ),
        ])
    }

    #[test]
    fn getters_check_the_type() {
        let attrs = attrs();
        assert_eq!(
            (attrs.int("axis"), attrs.int("none"), attrs.int_or("none", 3)),
            (Ok(Some(-1)), Ok(None), Ok(3))
        );
        assert_eq!((attrs.float("alpha"), attrs.float_or("none", 1.0)), (Ok(Some(0.5)), Ok(1.0)));
        assert_eq!(
            (attrs.string("mode"), attrs.string_or("none", "x")),
            (Ok(Some("linear")), Ok("x"))
        );
        assert_eq!(attrs.ints("pads"), Ok(Some(&[1, 2][..])));
        assert_eq!(attrs.floats("scales"), Ok(Some(&[2.0][..])));
        assert_eq!(attrs.strings("names"), Ok(Some(vec!["a", "b"])));
        let texts = [
            attrs.int("pads").unwrap_err(),
            attrs.float("axis").unwrap_err(),
            attrs.strings("mode").unwrap_err(),
            attrs.tensor("scales").unwrap_err(),
            attrs.graph("alpha").unwrap_err(),
            attrs.string("binary").unwrap_err(),
        ]
        .map(|error| error.to_string());
        assert_eq!(
            texts,
            [
                "attribute `pads` must be an int, but is a list of ints",
                "attribute `axis` must be a float, but is an int",
                "attribute `mode` must be a list of strings, but is a string",
                "attribute `scales` must be a tensor, but is a list of floats",
                "attribute `alpha` must be a graph, but is a float",
                "attribute `binary` is not UTF-8 text",
            ]
        );
    }

    #[test]
    fn what_was_read_is_remembered() {
        let attrs = attrs();
        let _ = (attrs.int("axis"), attrs.int("pads"), attrs.has("alpha"), attrs.string("mode"));
        assert_eq!(attrs.unread(), ["alpha", "binary", "scales", "names"]);
        assert_eq!(attrs.clone().unread(), attrs.unread());
    }
}
