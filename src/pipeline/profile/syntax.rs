//! How shapes, values and sizes are written on the command line.

use crate::network::MAX_TRACKED;
use crate::tensor::Tensor;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Lists of numbers by the name of an input.
pub type Lists = BTreeMap<String, Vec<i64>>;

/// What the user gave for one end of the ranges.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct End {
    /// Shapes of inputs.
    pub shapes: Lists,
    /// Values of inputs that hold sizes.
    pub values: Lists,
}

impl End {
    /// Shapes of named data, and the elements of what may hold sizes: lists of whole numbers.
    pub fn of<'t>(data: impl IntoIterator<Item = (&'t str, &'t Tensor)>) -> Self {
        let mut end = Self::default();
        for (name, tensor) in data {
            let dims =
                tensor.dims().iter().map(|&size| i64::try_from(size).unwrap_or(i64::MAX)).collect();
            end.shapes.insert(name.to_owned(), dims);
            let values = tensor
                .to_i64s()
                .filter(|values| tensor.dims().len() <= 1 && values.len() <= MAX_TRACKED);
            if let Some(values) = values {
                end.values.insert(name.to_owned(), values);
            }
        }
        end
    }

    /// The first name of which both say something of one kind.
    pub fn shared(&self, other: &End) -> Option<String> {
        let shape = self.shapes.keys().find(|name| other.shapes.contains_key(*name));
        shape.or_else(|| self.values.keys().find(|name| other.values.contains_key(*name))).cloned()
    }

    /// Takes in what another one says; that counts where both say something.
    pub fn extend(&mut self, other: End) {
        self.shapes.extend(other.shapes);
        self.values.extend(other.values);
    }
}

/// A size by its name in the model, with its range.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Size {
    /// The name: ONNX's `dim_param`, or `x.0` for an unnamed axis.
    pub symbol: String,
    /// Smallest, likeliest and largest.
    pub range: [i64; 3],
}

/// Reads trtexec's syntax for shapes, and values after an equals sign:
/// `x:1x3x224x224,y:1,sizes=1,1,4,4`.
///
/// # Errors
/// A text that is neither; it says how they are written.
pub fn parse_end(text: &str) -> Result<End, String> {
    let mut end = End::default();
    let mut values: Option<&mut Vec<i64>> = None;
    for part in text.split(',') {
        if let (Some(values), Ok(value)) = (&mut values, part.parse::<i64>()) {
            values.push(value);
        } else if let Some((name, first)) = part.rsplit_once('=') {
            let wrong = || format!("`{part}` holds no whole number: write NAME=1,2,3");
            let first = if first.is_empty() {
                Vec::new()
            } else {
                vec![first.parse().map_err(|_| wrong())?]
            };
            if end.values.contains_key(name) {
                return Err(format!("the values of `{name}` are given twice"));
            }
            values = Some(end.values.entry(name.to_owned()).or_insert(first));
        } else {
            let (name, sizes) = parse_shape(part)?;
            if end.shapes.contains_key(&name) {
                return Err(format!("the shape of `{name}` is given twice"));
            }
            end.shapes.insert(name, sizes);
            values = None;
        }
    }
    Ok(end)
}

fn parse_shape(text: &str) -> Result<(String, Vec<i64>), String> {
    let wrong = || format!("`{text}` is no shape: write NAME:1x3x224x224");
    // Tensor names may hold colons themselves (`input:0`): the last one counts.
    let (name, sizes) = text.rsplit_once(':').ok_or_else(wrong)?;
    let sizes = if sizes.is_empty() {
        Vec::new()
    } else {
        sizes
            .split('x')
            .map(|size| size.parse().ok().filter(|&size| size >= 0))
            .collect::<Option<_>>()
            .ok_or_else(wrong)?
    };
    Ok((name.to_owned(), sizes))
}

/// Reads `batch=1:8:32`, or `batch=4` for one size only.
///
/// # Errors
/// A text that is neither, or sizes that do not rise.
pub fn parse_size(text: &str) -> Result<Size, String> {
    let wrong = || format!("`{text}` is no size: write NAME=MIN:OPT:MAX or NAME=SIZE");
    let (symbol, sizes) =
        text.rsplit_once('=').filter(|(symbol, _)| !symbol.is_empty()).ok_or_else(wrong)?;
    let sizes = sizes
        .split(':')
        .map(|size| size.parse().ok().filter(|&size| size >= 0))
        .collect::<Option<Vec<i64>>>();
    let range = match sizes.ok_or_else(wrong)?[..] {
        [size] => [size; 3],
        [min, opt, max] => [min, opt, max],
        _ => return Err(wrong()),
    };
    if !range.is_sorted() {
        return Err(format!("min, opt, max of `{symbol}` are {range:?}, which do not rise"));
    }
    Ok(Size { symbol: symbol.to_owned(), range })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shapes_are_written_as_for_trtexec() {
        let end = parse_end("input:0:1x3,s:").unwrap();
        assert_eq!(end.shapes["input:0"], [1, 3]);
        assert_eq!(end.shapes["s"], [0i64; 0]);
        assert_eq!(parse_end("x:1xa").unwrap_err(), "`x:1xa` is no shape: write NAME:1x3x224x224");
    }

    #[test]
    fn values_follow_an_equals_sign() {
        let end = parse_end("x:1x3,sizes=1,-1,4,y:2,none=,k=5").unwrap();
        assert_eq!(
            end.shapes,
            Lists::from([("x".to_owned(), vec![1, 3]), ("y".to_owned(), vec![2])])
        );
        assert_eq!(
            (&end.values["sizes"][..], &end.values["none"][..], &end.values["k"][..]),
            (&[1, -1, 4][..], &[][..], &[5][..])
        );
        assert_eq!(parse_end("k=a").unwrap_err(), "`k=a` holds no whole number: write NAME=1,2,3");
        assert_eq!(parse_end("k=1,x:2,k=3").unwrap_err(), "the values of `k` are given twice");
        assert_eq!(parse_end("x:1,k=2,x:1").unwrap_err(), "the shape of `x` is given twice");
    }

    #[test]
    fn sizes_have_a_range_or_one_size() {
        assert_eq!(
            parse_size("batch=1:8:32").unwrap(),
            Size { symbol: "batch".into(), range: [1, 8, 32] }
        );
        assert_eq!(parse_size("x.0=4").unwrap().range, [4; 3]);
        let wrong = "`batch=1:2` is no size: write NAME=MIN:OPT:MAX or NAME=SIZE";
        assert_eq!(parse_size("batch=1:2").unwrap_err(), wrong);
        assert_eq!(
            parse_size("n=4:2:8").unwrap_err(),
            "min, opt, max of `n` are [4, 2, 8], which do not rise"
        );
    }
}
