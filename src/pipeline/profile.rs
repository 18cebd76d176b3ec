//! Profiles: what the user says about sizes known only at run time, and a guess for the rest.

use crate::error::{Error, Kind, Result};
use crate::network::profile::Range;
use crate::network::{Dim, Network, Profile, Shape};
use std::collections::BTreeMap;

/// Range of the first axis where nothing is said about it.
const BATCH: [i64; 3] = [1, 1, 8];
/// Range of other axes where nothing is said about them.
const OTHER: [i64; 3] = [1, 64, 256];

/// Shapes the user gave, by input.
pub type Shapes = BTreeMap<String, Vec<i64>>;

/// What the user said: `--min`, `--opt` and `--max`.
#[derive(Debug, Clone, Default)]
pub struct Request {
    /// Smallest shapes.
    pub min: Shapes,
    /// Likeliest shapes.
    pub opt: Shapes,
    /// Largest shapes.
    pub max: Shapes,
}

/// The profile of a network, and a line for each size that was guessed.
#[derive(Debug, Clone, Default)]
pub struct Planned {
    /// Ranges of all inputs with a size known only at run time.
    pub profile: Profile,
    /// What was guessed: `` input `x`, axis 0 (batch): 1 to 8, optimised for 1 ``.
    pub guesses: Vec<String>,
}

/// Reads trtexec's syntax for shapes: `x:1x3x224x224,y:1`.
pub fn parse_shapes(text: &str) -> Result<Shapes, String> {
    text.split(',').map(parse_shape).collect()
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

/// Fits the request to a network and guesses what it leaves open.
///
/// # Errors
/// [`Kind::Usage`] for a shape that names no input, has another rank, contradicts a known size, or gives a symbol two
/// values, and for min ≤ opt ≤ max not holding.
pub fn plan(network: &Network, request: &Request) -> Result<Planned> {
    for name in request.min.keys().chain(request.opt.keys()).chain(request.max.keys()) {
        if !network.inputs.iter().any(|&input| *network.value(input).name == **name) {
            let inputs: Vec<_> =
                network.inputs.iter().map(|&input| format!("`{}`", network.value(input).name)).collect();
            return Err(Error::new(Kind::Usage, format!("the model has no input `{name}`"))
                .with_note(format!("its inputs are {}", inputs.join(", "))));
        }
    }
    let mut planned = Planned::default();
    let mut symbols = BTreeMap::<String, [i64; 3]>::new();
    for &input in &network.inputs {
        let value = network.value(input);
        let given = given(request, &value.name, &value.ty.shape)?;
        if value.ty.shape.known().is_some() {
            continue;
        }
        let mut range = Range { input: value.name.to_string(), min: Vec::new(), opt: Vec::new(), max: Vec::new() };
        for (axis, dim) in value.ty.shape.iter().enumerate() {
            let [min, opt, max] = match (dim.known(), given.as_ref().and_then(|given| given.get(axis))) {
                (Some(size), _) => [size; 3],
                (None, Some(&sizes)) => sizes,
                (None, None) => guess(&mut planned, &symbols, &value.name, axis, dim),
            };
            agree(&mut symbols, dim, [min, opt, max])?;
            range.min.push(min);
            range.opt.push(opt);
            range.max.push(max);
        }
        planned.profile.inputs.push(range);
    }
    Ok(planned)
}

/// Per axis the three sizes that the user gave for an input; what is left out follows from the others.
fn given(request: &Request, name: &str, shape: &Shape) -> Result<Option<Vec<[i64; 3]>>> {
    let [min, opt, max] = [&request.min, &request.opt, &request.max].map(|shapes| shapes.get(name));
    let Some(any) = opt.or(max).or(min) else { return Ok(None) };
    let (min, max) = (min.unwrap_or(any), max.unwrap_or(any));
    let opt = opt.unwrap_or(max);
    let usage = |message: String| Error::new(Kind::Usage, message);
    for sizes in [min, opt, max] {
        if sizes.len() != shape.rank() {
            return Err(usage(format!("input `{name}` has shape {shape}, but {sizes:?} was given for it")));
        }
    }
    let mut axes = Vec::with_capacity(shape.rank());
    for (axis, dim) in shape.iter().enumerate() {
        let sizes = [min, opt, max].map(|sizes| sizes.get(axis).copied().unwrap_or_default());
        if let Some(known) = dim.known()
            && sizes != [known; 3]
        {
            return Err(usage(format!(
                "axis {axis} of input `{name}` has size {known}, but {sizes:?} was given for it"
            )));
        }
        if !sizes.is_sorted() {
            return Err(usage(format!(
                "axis {axis} of input `{name}`: min, opt, max are {sizes:?}, which do not rise"
            )));
        }
        axes.push(sizes);
    }
    Ok(Some(axes))
}

fn guess(planned: &mut Planned, symbols: &BTreeMap<String, [i64; 3]>, name: &str, axis: usize, dim: &Dim) -> [i64; 3] {
    if let Some(&known) = symbols.get(&dim.to_string()) {
        return known;
    }
    let sizes = if axis == 0 { BATCH } else { OTHER };
    let [min, opt, max] = sizes;
    planned.guesses.push(format!("input `{name}`, axis {axis} ({dim}): {min} to {max}, optimised for {opt}"));
    sizes
}

/// One symbol has one value everywhere.
fn agree(symbols: &mut BTreeMap<String, [i64; 3]>, dim: &Dim, sizes: [i64; 3]) -> Result<()> {
    if dim.known().is_some() {
        return Ok(());
    }
    match symbols.insert(dim.to_string(), sizes) {
        Some(other) if other != sizes => {
            let message = format!("`{dim}` is {other:?} for one input and {sizes:?} for another (min, opt, max)");
            Err(Error::new(Kind::Usage, message).with_hint("give all inputs that share it the same sizes"))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::network::ValueType;
    use crate::tensor::DType;

    fn network() -> Network {
        let mut network = Network::default();
        let shape = |dims: &[Dim]| ValueType::new(DType::F32, dims.iter().cloned().collect());
        let (n, w) = (Dim::symbol("N"), Dim::symbol("W"));
        network.add_input("x", shape(&[n.clone(), Dim::Known(3), w]));
        network.add_input("y", shape(&[n]));
        network.add_input("z", shape(&[Dim::Known(2)]));
        network
    }

    fn request(min: &str, opt: &str, max: &str) -> Request {
        let shapes = |text: &str| if text.is_empty() { Shapes::new() } else { parse_shapes(text).unwrap() };
        Request { min: shapes(min), opt: shapes(opt), max: shapes(max) }
    }

    #[test]
    fn shapes_are_written_as_for_trtexec() {
        let shapes = parse_shapes("input:0:1x3,s:").unwrap();
        assert_eq!(shapes["input:0"], [1, 3]);
        assert_eq!(shapes["s"], [0i64; 0]);
        assert_eq!(parse_shapes("x:1xa").unwrap_err(), "`x:1xa` is no shape: write NAME:1x3x224x224");
    }

    #[test]
    fn what_is_not_given_is_guessed_once_per_symbol() {
        let planned = plan(&network(), &Request::default()).unwrap();
        assert_eq!(
            planned.guesses,
            ["input `x`, axis 0 (N): 1 to 8, optimised for 1", "input `x`, axis 2 (W): 1 to 256, optimised for 64"]
        );
        let names: Vec<_> = planned.profile.inputs.iter().map(|range| range.input.as_str()).collect();
        assert_eq!(names, ["x", "y"]);
        assert_eq!(planned.profile.inputs[1].max, [8]);
    }

    #[test]
    fn contradictions_are_usage_errors() {
        let cases = [
            (request("w:1", "", ""), "the model has no input `w`\n  its inputs are `x`, `y`, `z`"),
            (request("", "x:1x3", ""), "input `x` has shape [N, 3, W], but [1, 3] was given for it"),
            (request("", "x:1x4x9", ""), "axis 1 of input `x` has size 3, but [4, 4, 4] was given for it"),
            (request("x:2x3x9", "x:1x3x9", ""), "axis 0 of input `x`: min, opt, max are [2, 1, 1], which do not rise"),
            (
                request("", "x:4x3x9,y:5", ""),
                "`N` is [4, 4, 4] for one input and [5, 5, 5] for another (min, opt, max)\n\nhint: give all inputs that share it the same sizes",
            ),
        ];
        for (request, text) in cases {
            let error = plan(&network(), &request).unwrap_err();
            assert_eq!((error.to_string().as_str(), error.kind()), (text, Kind::Usage));
        }
    }
}
