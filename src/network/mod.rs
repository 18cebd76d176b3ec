//! The intermediate representation: a network of TensorRT layers as plain data.
//!
//! # Rules
//!
//! - Layer kinds mirror TensorRT's, with TensorRT's names and attributes; what an ONNX operator
//!   means ends in `import`.
//! - A [`Value`] is what TensorRT calls a tensor: it has one type and a shape of known rank, and is
//!   made by one layer, or is an input of the network, or a parameter of a block.
//! - A [`Block`] lists its layers in an order in which every layer comes after the makers of its
//!   inputs. The layers of a nested block (the body of a [`Loop`](layer::Loop), the branches of a
//!   [`Conditional`](layer::Conditional)) may also use the values of the blocks around it, never
//!   the other way round.
//! - Every layer has at least one [`Site`]: fusing layers joins their sites, folding moves them.
//! - Names are labels, never keys. Entries of the arenas that no block lists are dead.
//!
//! After `import` only [`edit::Editor`] writes a network. `valid` checks all of this once and hands
//! on a proof.

pub mod arena;
pub mod caps;
pub mod cut;
pub mod dim;
pub mod edit;
pub mod facts;
pub mod layer;
pub mod profile;
pub mod sizing;
pub mod text;

pub use arena::{Arena, Id};
pub use caps::Caps;
pub use cut::Cut;
pub use dim::{Dim, Shape, Symbol};
pub use facts::{Demand, Facts};
pub use layer::{Layer, LayerKind};
pub use profile::Profile;

use crate::site::Site;
use crate::tensor::DType;
use smallvec::SmallVec;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Names a [`Value`].
pub type ValueId = Id<Value>;
/// Names a [`Layer`].
pub type LayerId = Id<Layer>;

/// A network of layers with its inputs and outputs.
#[derive(Debug, Clone, Default)]
pub struct Network {
    /// The model's graph name.
    pub name: String,
    /// Every value, dead ones included.
    pub values: Arena<Value>,
    /// Every layer of every block, dead ones included.
    pub layers: Arena<Layer>,
    /// The inputs, in the model's order.
    pub inputs: Vec<ValueId>,
    /// The outputs, in the model's order.
    pub outputs: Vec<Output>,
    /// The outermost layers.
    pub body: Block,
    /// What the layers demand of sizes.
    pub facts: Facts,
    /// The smallest and the largest that sizes are promised to be, where that is more than 0 and no
    /// limit. Tests of sizes that a promise decides are decided at build time.
    pub ranges: BTreeMap<Symbol, [i64; 2]>,
    /// The number of the next size that is [made up](Network::make_up). It only rises, so that no
    /// two sizes share one, however layers are renumbered.
    pub(crate) next_made_up: u64,
}

/// An output of the network.
#[derive(Debug, Clone, PartialEq)]
pub struct Output {
    /// The model's name for it.
    pub name: Arc<str>,
    /// What it gives.
    pub value: ValueId,
    /// The model's type for it, where the library lacks that and the value has another.
    pub declared: Option<DType>,
    /// Where the model declares it.
    pub site: Site,
}

/// A list of layers, with what enters and what leaves it where it is nested.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Block {
    /// Values that the enclosing layer hands in. Empty for the outermost block.
    pub params: Vec<ValueId>,
    /// The layers, makers before users.
    pub layers: Vec<LayerId>,
    /// Values that the enclosing layer takes out. Empty for the outermost block.
    pub results: Vec<ValueId>,
}

/// What TensorRT calls a tensor.
#[derive(Debug, Clone)]
pub struct Value {
    /// The ONNX name, or one derived from it. A label: it need not be unique.
    pub name: Arc<str>,
    /// Type and shape.
    pub ty: ValueType,
    /// Who makes it.
    pub maker: Maker,
}

/// Type and shape of a value, and for small whole-number values what is known of each element.
#[derive(Debug, Clone, PartialEq)]
pub struct ValueType {
    /// Type of the elements.
    pub dtype: DType,
    /// Size of each axis.
    pub shape: Shape,
    /// For a whole-number scalar or vector of at most [`MAX_TRACKED`] elements: each element as a
    /// number or an expression over the network's symbols. This is how a shape computed in the
    /// model stays known.
    pub elements: Option<Arc<[Dim]>>,
}

/// The most elements of a value that [`ValueType::elements`] tracks.
pub const MAX_TRACKED: usize = 64;

impl ValueType {
    /// A value of which no elements are known.
    pub fn new(dtype: DType, shape: Shape) -> Self {
        Self { dtype, shape, elements: None }
    }
}

/// Where a value comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Maker {
    /// An input of the network.
    Input,
    /// A parameter of the nested block of some layer.
    Param,
    /// An output of this layer.
    Layer(LayerId),
}

/// Operands of a layer: nearly always a handful.
pub type Values = SmallVec<[ValueId; 4]>;

impl Network {
    /// The value with this id.
    pub fn value(&self, id: ValueId) -> &Value {
        &self.values[id]
    }

    /// The layer with this id.
    pub fn layer(&self, id: LayerId) -> &Layer {
        &self.layers[id]
    }

    /// The layer that makes this value; `None` for inputs and block parameters.
    pub fn maker(&self, value: ValueId) -> Option<LayerId> {
        match self.values[value].maker {
            Maker::Layer(layer) => Some(layer),
            Maker::Input | Maker::Param => None,
        }
    }

    /// The data of a value that a Constant layer makes.
    pub fn constant(&self, value: ValueId) -> Option<&crate::tensor::Tensor> {
        match &self.layers[self.maker(value)?].kind {
            LayerKind::Constant(constant) => Some(&constant.weights),
            _ => None,
        }
    }

    /// A size of which nothing is known but what kind of layer it comes from.
    pub fn make_up(&mut self, from: &'static str) -> Symbol {
        let number = self.next_made_up;
        self.next_made_up += 1;
        Symbol::MadeUp { number, from }
    }

    /// Adds an input.
    pub fn add_input(&mut self, name: &str, ty: ValueType) -> ValueId {
        let value = self.values.add(Value { name: name.into(), ty, maker: Maker::Input });
        self.inputs.push(value);
        value
    }

    /// Adds a value that the owner of a nested block hands in; the caller lists it in
    /// [`Block::params`].
    pub fn add_param(&mut self, name: &str, ty: ValueType) -> ValueId {
        self.values.add(Value { name: name.into(), ty, maker: Maker::Param })
    }

    /// Adds a layer whose outputs have these types; the caller lists it in a block.
    ///
    /// Types come from `infer`; outputs are named after the layer's first site. Sizes that `infer`
    /// made up for them are taken: it makes up others for the next layer.
    pub fn add_layer(
        &mut self,
        kind: LayerKind,
        inputs: &[ValueId],
        sites: &[Site],
        outputs: impl IntoIterator<Item = ValueType>,
    ) -> LayerId {
        let name: Arc<str> = sites
            .first()
            .map_or_else(|| kind.name().into(), |site| site.place().output.as_str().into());
        let layer = self.layers.add(Layer {
            kind,
            inputs: inputs.into(),
            outputs: Values::new(),
            sites: sites.into(),
        });
        let outputs = outputs
            .into_iter()
            .map(|ty| {
                self.take_made_up(&ty);
                self.values.add(Value { name: name.clone(), ty, maker: Maker::Layer(layer) })
            })
            .collect();
        self.layers[layer].outputs = outputs;
        layer
    }

    fn take_made_up(&mut self, ty: &ValueType) {
        for dim in ty.shape.iter().chain(ty.elements.as_deref().unwrap_or_default()) {
            if let Some(number) = dim.newest() {
                self.next_made_up = self.next_made_up.max(number.saturating_add(1));
            }
        }
    }

    /// Every live layer: those of the outermost block and, after each layer that has them, those of
    /// its nested blocks.
    pub fn live_layers(&self) -> Vec<LayerId> {
        fn visit(network: &Network, block: &Block, out: &mut Vec<LayerId>) {
            for &layer in &block.layers {
                out.push(layer);
                for nested in network.layers[layer].kind.blocks() {
                    visit(network, nested, out);
                }
            }
        }
        let mut out = Vec::with_capacity(self.layers.len());
        visit(self, &self.body, &mut out);
        out
    }
}
