//! How shapes, values and sizes are written: on the command line, in listings, in manifests.

use super::sizes::{End, Request, Said, Size, Sizes};
use serde::{Deserialize, Serialize};

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
    let wrong = || format!("`{text}` is not a shape: write NAME:1x3x224x224");
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
    let wrong = || format!("`{text}` is not a size: write NAME=MIN:OPT:MAX or NAME=SIZE");
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

/// Shapes and values of one end, each as a text of its own: `x:1x3`, `sizes=1,4`. One text with
/// commas between them is read as well, in which no name may have a comma.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(untagged, expecting = "a text like `x:1x3x224x224`")]
pub(super) enum Items {
    One(String),
    Each(Vec<String>),
}

impl TryFrom<Items> for End {
    type Error = String;

    fn try_from(items: Items) -> Result<Self, String> {
        let items = match items {
            Items::One(text) => return parse_end(&text),
            Items::Each(items) => items,
        };
        let mut end = End::default();
        for item in items {
            let (kind, name, numbers) = match parse_values(&item) {
                Some((name, values)) => (&mut end.values, name, values),
                None => {
                    let (name, sizes) = parse_shape(&item)?;
                    (&mut end.shapes, name, sizes)
                }
            };
            if kind.insert(name.clone(), numbers).is_some() {
                return Err(format!("`{name}` is given twice"));
            }
        }
        Ok(end)
    }
}

impl From<End> for Items {
    fn from(end: End) -> Self {
        let joined = |numbers: &[i64], by: &str| {
            numbers.iter().map(ToString::to_string).collect::<Vec<_>>().join(by)
        };
        let shapes = end.shapes.iter().map(|(name, dims)| format!("{name}:{}", joined(dims, "x")));
        let values = end.values.iter().map(|(name, of)| format!("{name}={}", joined(of, ",")));
        Items::Each(shapes.chain(values).collect())
    }
}

/// Reads `NAME=1,2,3`; nothing where the text is no such thing.
fn parse_values(item: &str) -> Option<(String, Vec<i64>)> {
    let (name, values) = item.rsplit_once('=')?;
    if values.is_empty() {
        return Some((name.to_owned(), Vec::new()));
    }
    let values = values.split(',').map(|value| value.parse().ok()).collect::<Option<_>>()?;
    Some((name.to_owned(), values))
}

impl TryFrom<String> for Size {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        parse_size(&text)
    }
}

impl From<Size> for String {
    fn from(Size { symbol, range: [min, opt, max] }: Size) -> Self {
        if min == max { format!("{symbol}={opt}") } else { format!("{symbol}={min}:{opt}:{max}") }
    }
}

/// The keys that speak of sizes.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(default)]
pub(super) struct Written {
    min: End,
    opt: End,
    max: End,
    dim: Vec<Size>,
    shape: End,
    profile: Vec<WrittenProfile>,
    strict_profiles: bool,
}

/// The keys of one of several profiles.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
struct WrittenProfile {
    min: End,
    opt: End,
    max: End,
    dim: Vec<Size>,
}

impl TryFrom<Written> for Sizes {
    type Error = String;

    fn try_from(written: Written) -> Result<Self, String> {
        let Written { min, opt, max, dim, shape, profile, strict_profiles } = written;
        let mut sizes = Sizes { shapes: shape, ..Sizes::default() };
        let common = WrittenProfile { min, opt, max, dim };
        common.said().try_for_each(|said| sizes.take(said))?;
        for each in profile {
            sizes.take(Said::Profile)?;
            each.said().try_for_each(|said| sizes.take(said))?;
        }
        sizes.common.strict = strict_profiles;
        Ok(sizes)
    }
}

impl WrittenProfile {
    /// What it says, one thing after the other.
    fn said(self) -> impl Iterator<Item = Said> {
        let ends = [Said::Min(self.min), Said::Opt(self.opt), Said::Max(self.max)];
        ends.into_iter().chain(self.dim.into_iter().map(Said::Size))
    }
}

impl From<Sizes> for Written {
    fn from(Sizes { common, profiles, shapes, fixed }: Sizes) -> Self {
        let strict_profiles = common.strict;
        let WrittenProfile { min, opt, max, dim } = common.into();
        let fixed = fixed.into_iter().map(|(symbol, size)| Size { symbol, range: [size; 3] });
        Written {
            min,
            opt,
            max,
            dim: fixed.chain(dim).collect(),
            shape: shapes,
            profile: profiles.into_iter().map(Into::into).collect(),
            strict_profiles,
        }
    }
}

impl From<Request> for WrittenProfile {
    fn from(Request { min, opt, max, sizes, strict: _ }: Request) -> Self {
        let dim = sizes.into_iter().map(|(symbol, range)| Size { symbol, range }).collect();
        Self { min, opt, max, dim }
    }
}

#[cfg(test)]
mod tests {
    use super::super::sizes::Lists;
    use super::*;

    #[test]
    fn shapes_are_written_as_for_trtexec() {
        let end = parse_end("input:0:1x3,s:").unwrap();
        assert_eq!(end.shapes["input:0"], [1, 3]);
        assert_eq!(end.shapes["s"], [0i64; 0]);
        assert_eq!(
            parse_end("x:1xa").unwrap_err(),
            "`x:1xa` is not a shape: write NAME:1x3x224x224"
        );
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
        let wrong = "`batch=1:2` is not a size: write NAME=MIN:OPT:MAX or NAME=SIZE";
        assert_eq!(parse_size("batch=1:2").unwrap_err(), wrong);
        assert_eq!(
            parse_size("n=4:2:8").unwrap_err(),
            "min, opt, max of `n` are [4, 2, 8], which do not rise"
        );
    }
}
