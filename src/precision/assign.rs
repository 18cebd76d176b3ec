//! The type of each value, from the type that each unit shall compute in.

use super::constants::is_exact;
use super::role::{Places, Role, decides, lacks, role};
use super::units::Units;
use crate::network::layer::{Cast, Loop, LoopOutput};
use crate::network::{Block, Layer, LayerId, LayerKind, Network, ValueId, sizing};
use crate::tensor::DType;
use std::collections::{BTreeSet, HashMap, HashSet};

/// How deep loops may lie in each other for their slices to be rounded in front of them.
const MOST_TRIED: usize = 3;

/// In which type each layer works, and in which types each value is wanted.
#[derive(Debug)]
pub(super) struct Plan {
    /// The data of each layer that works in a type of its own, and that type.
    layers: HashMap<LayerId, (Places, DType)>,
    /// The type in which each value is made, where that is another than the network's.
    made: HashMap<ValueId, DType>,
    /// The other types in which it is taken.
    wanted: HashMap<ValueId, BTreeSet<Order>>,
    /// Units with a layer that rounds, so that their type is a choice.
    pub(super) choices: BTreeSet<usize>,
    /// Why layers do not take part.
    pub(super) stays: HashMap<LayerId, &'static str>,
    /// The type of inputs and outputs that are `f32` in the model.
    pub(super) ends: DType,
}

/// A type, in an order: `DType` has none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Order {
    F32,
    F16,
    BF16,
}

impl Order {
    fn of(dtype: DType) -> Option<Self> {
        match dtype {
            DType::F32 => Some(Self::F32),
            DType::F16 => Some(Self::F16),
            DType::BF16 => Some(Self::BF16),
            _ => None,
        }
    }

    fn dtype(self) -> DType {
        match self {
            Self::F32 => DType::F32,
            Self::F16 => DType::F16,
            Self::BF16 => DType::BF16,
        }
    }
}

impl Plan {
    /// Plans a network whose units compute in these types; inputs and outputs that are `f32` get
    /// the type `ends`.
    pub(super) fn new(network: &Network, units: &Units, types: &[DType], ends: DType) -> Self {
        let plan = Self {
            layers: HashMap::new(),
            made: HashMap::new(),
            wanted: HashMap::new(),
            choices: BTreeSet::new(),
            stays: HashMap::new(),
            ends,
        };
        let sizes = sizing::values_holding_sizes(network);
        let moving = HashSet::new();
        let mut planner = Planner { network, units, types, plan, sizes, moving, depth: 0 };
        for &input in &network.inputs {
            if network.value(input).ty.dtype == DType::F32 {
                planner.plan.made.insert(input, ends);
            }
        }
        planner.block(&network.body);
        for output in &network.outputs {
            let declared = planner.declared(output.value);
            let wanted = if declared == DType::F32 { ends } else { declared };
            planner.want(output.value, wanted);
        }
        planner.plan
    }

    /// The type in which a value is made.
    pub(super) fn made(&self, network: &Network, value: ValueId) -> DType {
        self.made.get(&value).copied().unwrap_or_else(|| network.value(value).ty.dtype)
    }

    /// The data of a layer and the type that it works in, where it is not the network's.
    pub(super) fn layer(&self, layer: LayerId) -> Option<(&Places, DType)> {
        self.layers.get(&layer).map(|(places, dtype)| (places, *dtype))
    }

    /// The types in which a value is taken besides the one in which it is made.
    pub(super) fn wanted(&self, value: ValueId) -> impl Iterator<Item = DType> + '_ {
        self.wanted.get(&value).into_iter().flatten().map(|order| order.dtype())
    }
}

struct Planner<'n> {
    network: &'n Network,
    units: &'n Units,
    types: &'n [DType],
    plan: Plan,
    /// Values from whose elements sizes are computed.
    sizes: HashSet<ValueId>,
    /// Layers that only move their data.
    moving: HashSet<LayerId>,
    /// How many loops are around.
    depth: usize,
}

impl Planner<'_> {
    fn block(&mut self, block: &Block) {
        for &id in &block.layers {
            let layer = self.network.layer(id);
            match &layer.kind {
                LayerKind::Loop(_) => self.repeat(id, layer),
                LayerKind::Conditional(_) => self.conditional(layer),
                LayerKind::Cast(_) | LayerKind::Shape | LayerKind::Constant(_) => {}
                _ => self.layer(id, layer),
            }
        }
    }

    /// The network's type of a value.
    fn declared(&self, value: ValueId) -> DType {
        self.network.value(value).ty.dtype
    }

    fn made(&self, value: ValueId) -> DType {
        self.plan.made(self.network, value)
    }

    fn want(&mut self, value: ValueId, dtype: DType) {
        if self.made(value) != dtype
            && let Some(order) = Order::of(dtype)
        {
            self.plan.wanted.entry(value).or_default().insert(order);
        }
    }

    fn layer(&mut self, id: LayerId, layer: &Layer) {
        let unit = self.units.of(id);
        let own = unit.and_then(|at| self.types.get(at).copied()).unwrap_or(DType::F32);
        let role = if self.computes_size(layer) {
            Role::Stays(Some("it computes a size"))
        } else {
            role(self.network, layer, self.units.is_fused(id))
        };
        let (data, dtype) = match role {
            Role::Computes(data) => {
                if let Some(why) = lacks(&layer.kind, own) {
                    self.plan.stays.insert(id, why);
                    (data, DType::F32)
                } else {
                    self.plan.choices.extend(unit);
                    (data, own)
                }
            }
            Role::Moves(data) => {
                let (dtype, rounds) = self.widest(layer, &data, own);
                self.moving.insert(id);
                self.plan.choices.extend(unit.filter(|_| rounds));
                (data, dtype)
            }
            Role::Stays(why) => {
                if let Some(why) = why {
                    self.plan.stays.insert(id, why);
                }
                return layer
                    .inputs
                    .iter()
                    .for_each(|&input| self.want(input, self.declared(input)));
            }
        };
        for (at, &input) in layer.inputs.iter().enumerate() {
            let wanted = if data.contains(&at) { dtype } else { self.declared(input) };
            self.want(input, wanted);
        }
        for &output in &layer.outputs {
            if self.declared(output) == DType::F32 {
                self.plan.made.insert(output, dtype);
            }
        }
        if dtype == DType::F32 {
            self.plan.layers.remove(&id);
        } else {
            self.plan.layers.insert(id, (data, dtype));
        }
    }

    /// Whether TensorRT computes the layer while it plans sizes, which it does with numbers and
    /// vectors: it takes no other type there than the sizes came in, and `f16` would round sizes
    /// above 2048.
    fn computes_size(&self, layer: &Layer) -> bool {
        let planned = |&value: &ValueId| {
            self.sizes.contains(&value) && self.network.value(value).ty.shape.rank() <= 1
        };
        layer.outputs.iter().any(planned)
    }

    /// The type that holds all data of a layer which moves them, and whether constants among them
    /// are rounded for it, which only its unit's type `own` can say.
    fn widest(&self, layer: &Layer, data: &Places, own: DType) -> (DType, bool) {
        let inputs = || data.iter().filter_map(|&at| layer.inputs.get(at).copied());
        let mut made: Vec<DType> = inputs()
            .filter(|&value| self.network.constant(value).is_none())
            .map(|value| self.made(value))
            .collect();
        made.dedup();
        let dtype = match made[..] {
            [] => own,
            [only] => only,
            _ => DType::F32,
        };
        let constants = || inputs().filter_map(|value| self.network.constant(value));
        if made.is_empty() {
            let other = if own == DType::F32 { DType::F16 } else { own };
            return (own, constants().any(|data| !is_exact(data, other)));
        }
        if dtype == DType::F32 || constants().all(|data| is_exact(data, dtype)) {
            (dtype, false)
        } else if decides(&layer.kind) {
            (DType::F32, false)
        } else {
            (if own == dtype { dtype } else { DType::F32 }, true)
        }
    }

    /// States keep their type, so that what goes around is not rounded each time; what is cut into
    /// slices or collected is in the type that it has. Slices are rounded before the loop where all
    /// of it takes them so.
    fn repeat(&mut self, id: LayerId, layer: &Layer) {
        let LayerKind::Loop(of) = &layer.kind else { return };
        let (first, slices) = self.body(id, layer, of);
        for (at, &input) in layer.inputs.iter().enumerate() {
            let slice = slices
                .iter()
                .find(|(value, _)| *value == input && (first..first + slices.len()).contains(&at));
            let wanted = slice.map_or(self.declared(input), |(_, param)| self.made(*param));
            self.want(input, wanted);
        }
        let states = usize::from(of.while_result) + of.recurrences;
        for &result in of.body.results.iter().take(states) {
            self.want(result, self.declared(result));
        }
        let mut collected = of.body.results.iter().skip(states);
        for (output, &value) in of.outputs.iter().zip(&layer.outputs) {
            if !matches!(output, LoopOutput::LastValue(_))
                && let Some(&result) = collected.next()
            {
                let dtype = self.made(result);
                self.plan.made.insert(value, dtype);
            }
        }
    }

    /// Plans the body of a loop. Gives the values that are cut into slices, with their parameters,
    /// and the place of the first among the loop's inputs.
    fn body(&mut self, id: LayerId, layer: &Layer, of: &Loop) -> (usize, Vec<(ValueId, ValueId)>) {
        let first = usize::from(of.counted);
        let iterated = layer.inputs.iter().skip(first).take(of.iterators.len());
        let slices: Vec<(ValueId, ValueId)> =
            iterated.copied().zip(of.body.params.iter().copied()).collect();
        let own = self.units.of(id).and_then(|at| self.types.get(at)).copied();
        // Each try plans the loop once more, those inside it as well.
        let cheap = own.filter(|own| *own != DType::F32 && self.depth < MOST_TRIED);
        let mut tried = Vec::new();
        for &(input, param) in &slices {
            let made = self.made(input);
            let slice = cheap.filter(|_| made == DType::F32);
            tried.extend(slice.map(|_| param));
            self.plan.made.insert(param, slice.unwrap_or(made));
        }
        self.depth += 1;
        self.block(&of.body);
        if self.is_taken_in_f32(&of.body, tried) {
            for &(input, param) in &slices {
                let made = self.made(input);
                self.plan.made.insert(param, made);
            }
            self.block(&of.body);
        }
        self.depth -= 1;
        (first, slices)
    }

    /// Whether any of these values, or what only moves them, is taken in `f32` although it is not
    /// made so.
    fn is_taken_in_f32(&self, block: &Block, values: Vec<ValueId>) -> bool {
        if values.is_empty() {
            return false;
        }
        let mut moved: HashSet<ValueId> = values.into_iter().collect();
        for layer in block.layers.iter().filter(|id| self.moving.contains(id)) {
            let layer = self.network.layer(*layer);
            if layer.inputs.iter().any(|input| moved.contains(input)) {
                moved.extend(&layer.outputs);
            }
        }
        let taken = block.results.iter().any(|result| moved.contains(result));
        taken
            || moved.iter().any(|value| {
                self.made(*value) != DType::F32
                    && self.plan.wanted(*value).any(|to| to == DType::F32)
            })
    }

    /// Both branches give the network's types.
    fn conditional(&mut self, layer: &Layer) {
        for block in layer.kind.blocks() {
            self.block(block);
            for &result in &block.results {
                self.want(result, self.declared(result));
            }
        }
    }
}

/// What a cast from a type gives back exactly, if that is what makes this value.
pub(super) fn widened(network: &Network, value: ValueId) -> Option<(ValueId, DType)> {
    let layer = network.layer(network.maker(value)?);
    let LayerKind::Cast(Cast { to: DType::F32 }) = layer.kind else { return None };
    let &source = layer.inputs.first()?;
    let dtype = network.value(source).ty.dtype;
    matches!(dtype, DType::F16 | DType::BF16).then_some((source, dtype))
}
