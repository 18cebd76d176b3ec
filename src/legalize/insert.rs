//! Adding layers that stand for others.

use crate::error::{Error, Kind, Problem, Result};
use crate::infer;
use crate::network::edit::Editor;
use crate::network::layer::{Constant, ElementWise, ElementWiseOperation};
use crate::network::{Layer, LayerId, LayerKind, ValueId, Values};
use crate::site::Site;
use crate::tensor::{DType, Tensor};
use half::{bf16, f16};

/// Adds layers in front of one, under its sites.
pub(super) struct Insert<'e, 'n> {
    pub(super) editor: &'e mut Editor<'n>,
    anchor: LayerId,
    layer: Layer,
}

impl<'e, 'n> Insert<'e, 'n> {
    /// Adds in front of `anchor`.
    pub(super) fn before(editor: &'e mut Editor<'n>, anchor: LayerId) -> Self {
        let layer = editor.network().layer(anchor).clone();
        Self { editor, anchor, layer }
    }

    /// The layer in front of which is added.
    pub(super) fn layer(&self) -> &Layer {
        &self.layer
    }

    /// Adds a layer of one output.
    pub(super) fn add(
        &mut self,
        kind: impl Into<LayerKind>,
        inputs: &[ValueId],
    ) -> Result<ValueId> {
        let outputs = self.add_all(kind, inputs)?;
        outputs.first().copied().ok_or_else(|| internal(&self.layer, &"a layer without output"))
    }

    /// Adds a layer of any number of outputs.
    pub(super) fn add_all(
        &mut self,
        kind: impl Into<LayerKind>,
        inputs: &[ValueId],
    ) -> Result<Values> {
        let kind = kind.into();
        let types = infer::outputs(self.editor.network(), &kind, inputs);
        let types = types.map_err(|error| internal(&self.layer, &error))?;
        Ok(self.editor.add_before(self.anchor, kind, inputs, &self.layer.sites, types))
    }

    /// Adds a number of the type and rank of a value, so that it broadcasts to it: `f32`, `f16`,
    /// `bf16`, `i32` or `i64`.
    pub(super) fn number(&mut self, like: ValueId, value: f32) -> Result<ValueId> {
        let ty = &self.editor.network().value(like).ty;
        let rank = ty.shape.rank();
        #[allow(
            clippy::cast_possible_truncation,
            clippy::as_conversions,
            reason = "callers ask for small whole numbers"
        )]
        let scalar = match ty.dtype {
            DType::F16 => Tensor::scalar(f16::from_f32(value)),
            DType::BF16 => Tensor::scalar(bf16::from_f32(value)),
            DType::I32 => Tensor::scalar(value as i32),
            DType::I64 => Tensor::scalar(value as i64),
            _ => Tensor::scalar(value),
        };
        let weights =
            scalar.reshaped(vec![1; rank]).map_err(|error| internal(&self.layer, &error))?;
        self.add(Constant { weights }, &[])
    }

    /// Makes everything take these values instead of the layer's outputs, and removes the layer.
    pub(super) fn replace_layer(self, values: &[ValueId]) {
        for (&output, &value) in self.layer.outputs.iter().zip(values) {
            self.editor.replace(output, value);
        }
        self.editor.remove(self.anchor);
    }
}

/// A function of two values of one type and rank.
pub(super) fn binary(
    insert: &mut Insert<'_, '_>,
    operation: ElementWiseOperation,
    a: ValueId,
    b: ValueId,
) -> Result<ValueId> {
    insert.add(ElementWise { operation }, &[a, b])
}

/// The error for a rewrite that does not hold together.
pub(super) fn internal(layer: &Layer, error: &dyn std::fmt::Display) -> Error {
    let problem = |site: &Site| Problem::new(Kind::Internal, site.clone(), error.to_string());
    Error::of_problems("cannot legalize", layer.sites.first().map(problem).into_iter().collect())
}
