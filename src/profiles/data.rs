//! What data says about sizes: the shapes it has, and the sizes it holds.

use crate::network::{MAX_TRACKED, Network, ValueId, sizing};
use crate::recipe::sizes::{End, Request};
use crate::tensor::Tensor;

/// Shapes and values of a model's test data.
#[derive(Debug, Clone, Default)]
pub struct Data {
    /// One entry for each data set. A guess covers them all and is optimized for the first.
    pub sets: Vec<End>,
    /// Whether what nobody says covers the data and no more.
    pub exactly: bool,
}

impl Data {
    /// Data sets that guesses should cover, but need not keep to.
    pub fn hints(sets: Vec<End>) -> Self {
        Self { sets, exactly: false }
    }
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
}

/// Shapes and values of one data set; what is no input of the network is left out.
pub fn of_data(network: &Network, data: &[(&str, &Tensor)]) -> End {
    End::of(data.iter().copied().filter(|(name, _)| has(network, &network.inputs, name)))
}

/// Nothing but the shapes of these inputs, and the values of those that hold sizes. What is no
/// input of the network is left out.
pub fn exactly(network: &Network, inputs: &[(String, Tensor)]) -> Request {
    let known = inputs.iter().filter(|(name, _)| has(network, &network.inputs, name));
    let mut end = End::of(known.map(|(name, tensor)| (name.as_str(), tensor)));
    let sizes = sizing::holding_sizes(network);
    end.values.retain(|name, _| has(network, &sizes, name));
    Request { min: end.clone(), opt: end.clone(), max: end, ..Request::default() }
}

fn has(network: &Network, inputs: &[ValueId], name: &str) -> bool {
    inputs.iter().any(|&input| *network.value(input).name == *name)
}
