//! A recipe fitted to a model: the sizes and constants that its words mean there.

use super::constants::constants;
use super::known_or_symbol;
use crate::error::{Error, Kind, Result};
use crate::network::Caps;
use crate::onnx::{DimSpec, Model, ValueInfo, ValueType};
use crate::recipe::sizes::{Request, Sizes, no_size};
use crate::recipe::{Recipe, RnnForm};
use crate::tensor::Tensor;
use std::collections::BTreeMap;

/// A recipe fitted to a model.
#[derive(Debug, Clone, Default)]
pub struct Fitted {
    /// The recipe; what it leaves to the library is decided.
    pub recipe: Recipe,
    /// Inputs that become constants, by name.
    pub constants: BTreeMap<String, Tensor>,
    /// Sizes that become fixed, by ONNX's name for them; `x.0` is the first of input `x`, where it
    /// has none.
    pub sizes: BTreeMap<String, i64>,
    /// The smallest and the largest that sizes will be, by the same names; what is converted need
    /// hold nowhere else.
    pub ranges: BTreeMap<String, [i64; 2]>,
}

impl Fitted {
    /// Fits a recipe to a model and a library. `given` holds values of inputs that the recipe
    /// makes constants without saying their values.
    ///
    /// # Errors
    /// [`Kind::Usage`] for names and values that do not fit the model, and for a recurrent layer
    /// that the library lacks.
    pub fn new(
        recipe: &Recipe,
        model: &Model,
        given: &BTreeMap<String, Tensor>,
        caps: Caps,
    ) -> Result<Self> {
        Ok(Self {
            recipe: Recipe { rnn: recipe.rnn.with(caps)?, ..recipe.clone() },
            constants: constants(&recipe.freeze, model, given)?,
            sizes: recipe.sizes.fitted(model)?,
            ranges: recipe.sizes.ranges(model),
        })
    }

    /// The standard recipe for a library.
    pub fn standard(caps: Caps) -> Self {
        let rnn = RnnForm::Auto.with(caps).unwrap_or(RnnForm::Loop);
        Self { recipe: Recipe { rnn, ..Recipe::default() }, ..Self::default() }
    }

    /// The same with inputs made constants.
    #[must_use]
    pub fn freezing(mut self, inputs: BTreeMap<String, Tensor>) -> Self {
        self.constants = inputs;
        self
    }
}

impl RnnForm {
    /// What this choice comes to with a library.
    ///
    /// # Errors
    /// [`Kind::Usage`] for a layer that the library lacks.
    pub fn with(self, caps: Caps) -> Result<Self> {
        match (self, caps.rnn) {
            (Self::Layer, false) => Err(Error::new(
                Kind::Usage,
                "this library has no recurrent layer: only TensorRT 8.x has",
            )
            .with_hint("leave `--rnn` out, and loops take its place")),
            (Self::Auto, false) => Ok(Self::Loop),
            (choice, _) => Ok(choice),
        }
    }
}

impl Sizes {
    /// The sizes that the user fixes, by name.
    ///
    /// # Errors
    /// [`Kind::Usage`] for a name that the model does not have, a shape that does not fit it, or
    /// two sizes of one name.
    pub fn fitted(&self, model: &Model) -> Result<BTreeMap<String, i64>> {
        let names: Vec<String> = model.graph.inputs.iter().flat_map(symbols).flatten().collect();
        if let Some(name) = self.fixed.keys().find(|name| !names.contains(name)) {
            return Err(no_size(name, &names));
        }
        let usage = |message: String| Error::new(Kind::Usage, message);
        if let Some(name) = self.shapes.values.keys().next() {
            let message = format!("`--shape` gives values for input `{name}`");
            return Err(usage(message).with_hint("a value is fixed with `--freeze`"));
        }
        let mut sizes = self.fixed.clone();
        for (name, shape) in &self.shapes.shapes {
            let info = model.graph.inputs.iter().find(|info| *info.name == **name);
            let info = info.ok_or_else(|| usage(format!("the model has no input `{name}`")))?;
            let symbols = symbols(info);
            let known = |axis: usize| match &info.ty {
                ValueType::Tensor { shape: Some(dims), .. } => match dims.get(axis) {
                    Some(DimSpec::Known(size)) => i64::try_from(*size).ok(),
                    _ => None,
                },
                _ => None,
            };
            if symbols.len() != shape.len()
                || shape
                    .iter()
                    .enumerate()
                    .any(|(axis, &size)| known(axis).is_some_and(|known| known != size))
            {
                return Err(usage(format!(
                    "input `{name}` is {}, but {shape:?} was given for it",
                    info.ty
                )));
            }
            for (symbol, &size) in symbols.into_iter().zip(shape) {
                let Some(symbol) = symbol else { continue };
                match sizes.insert(symbol.clone(), size) {
                    Some(other) if other != size => {
                        return Err(usage(format!("`{symbol}` is given as {other} and as {size}")));
                    }
                    _ => {}
                }
            }
        }
        Ok(sizes)
    }

    /// The smallest and the largest that sizes will be in any profile, by name.
    pub fn ranges(&self, model: &Model) -> BTreeMap<String, [i64; 2]> {
        let mut ranges: BTreeMap<String, [i64; 2]> = BTreeMap::new();
        let mut given: BTreeMap<String, usize> = BTreeMap::new();
        let requests = self.requests();
        for (name, range) in requests.iter().flat_map(|request| request.ranges(model)) {
            *given.entry(name.clone()).or_default() += 1;
            let known = ranges.entry(name).or_insert(range);
            *known = [known[0].min(range[0]), known[1].max(range[1])];
        }
        // A size that some profile leaves open may be anything.
        ranges.retain(|name, _| given.get(name) == Some(&requests.len()));
        ranges
    }
}

impl Request {
    /// The smallest and the largest that is said of sizes, by name.
    pub fn ranges(&self, model: &Model) -> BTreeMap<String, [i64; 2]> {
        let mut ranges: BTreeMap<String, [i64; 2]> =
            self.sizes.iter().map(|(name, [min, _, max])| (name.clone(), [*min, *max])).collect();
        for info in &model.graph.inputs {
            let Some([min, _, max]) = self.ends(|end| end.shapes.get(&*info.name)) else {
                continue;
            };
            for (symbol, (&min, &max)) in symbols(info).into_iter().zip(min.iter().zip(max)) {
                ranges.extend(symbol.map(|symbol| (symbol, [min, max])));
            }
        }
        ranges
    }
}

/// The name of each size of an input that only the run knows; `None` for a fixed one.
fn symbols(info: &ValueInfo) -> Vec<Option<String>> {
    let ValueType::Tensor { shape: Some(shape), .. } = &info.ty else { return Vec::new() };
    let symbol =
        |(axis, dim)| known_or_symbol(dim, &info.name, axis).err().map(|symbol| symbol.to_string());
    shape.iter().enumerate().map(symbol).collect()
}
