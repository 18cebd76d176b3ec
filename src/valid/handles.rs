//! Ids, order and scopes. What is wrong here is a bug of the stage that made or changed the
//! network.

use super::fault;
use crate::error::{Error, Kind, Result};
use crate::network::{Arena, Block, Id, Layer, LayerId, Maker, Network, ValueId};
use crate::site::Site;

/// Blocks nested deeper than any model nests them.
const MAX_DEPTH: usize = 64;

/// Checks that every id is in its arena, every value is made once and by who it says, every layer
/// comes after the makers of its inputs and sees them, and every layer has a site.
pub(super) fn check(network: &Network) -> Result<()> {
    let mut walk = Walk {
        network,
        listed: vec![false; network.layers.len()],
        made: vec![false; network.values.len()],
        visible: vec![false; network.values.len()],
    };
    for &input in &network.inputs {
        walk.make(input, Maker::Input)
            .map_err(|message| Error::new(Kind::Internal, format!("input {message}")))?;
    }
    let Block { params, layers: _, results } = &network.body;
    if !params.is_empty() || !results.is_empty() {
        return Err(Error::new(Kind::Internal, "the outermost block has parameters or results"));
    }
    walk.layers(&network.body, 0)?;
    for output in &network.outputs {
        walk.see(output.value)
            .map_err(|message| fault(Kind::Internal, output.site.clone(), message))?;
    }
    Ok(())
}

struct Walk<'n> {
    network: &'n Network,
    /// Layers that some block lists.
    listed: Vec<bool>,
    /// Values that something walked so far makes.
    made: Vec<bool>,
    /// Those of them that the block at hand may use.
    visible: Vec<bool>,
}

/// What is wrong, without the place.
type Outcome<T = ()> = std::result::Result<T, String>;

impl<'n> Walk<'n> {
    /// Walks the layers of a block; gives the values they make.
    fn layers(&mut self, block: &'n Block, depth: usize) -> Result<Vec<ValueId>> {
        let mut made = Vec::new();
        for &id in &block.layers {
            let layer = self.list(id).map_err(|message| Error::new(Kind::Internal, message))?;
            let site = layer.sites.first().ok_or_else(|| {
                Error::new(
                    Kind::Internal,
                    format!("layer {id:?}, a {}, has no site", layer.kind.name()),
                )
            })?;
            let internal = |message| fault(Kind::Internal, site.clone(), message);
            layer.inputs.iter().try_for_each(|&input| self.see(input)).map_err(internal)?;
            for nested in layer.kind.blocks() {
                self.nested(nested, site, depth + 1)?;
            }
            for &output in &layer.outputs {
                self.make(output, Maker::Layer(id)).map_err(internal)?;
                made.push(output);
            }
        }
        Ok(made)
    }

    /// Walks a nested block, whose values are out of sight afterwards.
    fn nested(&mut self, block: &'n Block, site: &Site, depth: usize) -> Result<()> {
        if depth > MAX_DEPTH {
            let message = format!("blocks are nested more than {MAX_DEPTH} deep");
            return Err(fault(Kind::Unsupported, site.clone(), message));
        }
        let internal = |message| fault(Kind::Internal, site.clone(), message);
        block
            .params
            .iter()
            .try_for_each(|&param| self.make(param, Maker::Param))
            .map_err(internal)?;
        let made = self.layers(block, depth)?;
        block.results.iter().try_for_each(|&result| self.see(result)).map_err(internal)?;
        for &value in block.params.iter().chain(&made) {
            set(&mut self.visible, value, false);
        }
        Ok(())
    }

    /// A layer that no block has listed before.
    fn list(&mut self, id: LayerId) -> Outcome<&'n Layer> {
        let layer = get(&self.network.layers, id, "layer")?;
        match set(&mut self.listed, id, true) {
            Some(false) => Ok(layer),
            _ => Err(format!("layer {id:?}, a {}, is listed twice", layer.kind.name())),
        }
    }

    /// A value comes into being.
    fn make(&mut self, id: ValueId, by: Maker) -> Outcome {
        let value = get(&self.network.values, id, "value")?;
        if value.maker != by {
            return Err(format!(
                "value {id:?} says it is made by {:?}, but it is made by {by:?}",
                value.maker
            ));
        }
        set(&mut self.visible, id, true);
        match set(&mut self.made, id, true) {
            Some(false) => Ok(()),
            _ => Err(format!("value {id:?} is made twice")),
        }
    }

    /// A value is used.
    fn see(&self, id: ValueId) -> Outcome {
        get(&self.network.values, id, "value")?;
        match (self.visible.get(id.index()), self.made.get(id.index())) {
            (Some(true), _) => Ok(()),
            (_, Some(true)) => Err(format!("value {id:?} is used outside the block that makes it")),
            _ => Err(format!("value {id:?} is used before it is made")),
        }
    }
}

fn get<'n, T>(arena: &'n Arena<T>, id: Id<T>, what: &str) -> Outcome<&'n T> {
    arena.get(id).ok_or_else(|| format!("{what} {id:?} is not among the network's {}", arena.len()))
}

/// Sets a flag; gives what it was.
fn set<T>(flags: &mut [bool], id: Id<T>, to: bool) -> Option<bool> {
    flags.get_mut(id.index()).map(|flag| std::mem::replace(flag, to))
}
