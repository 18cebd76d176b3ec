//! The activation functions of recurrent operators.

use crate::import::build::ctx::Ctx;
use crate::import::error::OpError;
use crate::network::ValueId;
use crate::network::layer::{ActivationType, ElementWiseOperation as Ew};
use crate::onnx::Node;

/// A function of each element with its parameters.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Function {
    name: Name,
    alpha: f32,
    beta: f32,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Name {
    /// α·x + β
    Affine,
    /// x where x ≥ α, else 0; unlike the operator of that name and TensorRT's function, which say x
    /// > α.
    ThresholdedRelu,
    Plain(ActivationType),
}

/// Where a parameter of a function comes from.
#[derive(Debug, Clone, Copy)]
enum Parameter {
    Fixed(f32),
    /// From the attribute, or this where the list is at its end.
    Default(f32),
}

impl Function {
    /// A function without parameters.
    pub(super) const fn plain(name: ActivationType) -> Self {
        Self { name: Name::Plain(name), alpha: 0.0, beta: 0.0 }
    }

    /// Applies the function.
    pub(super) fn apply(self, ctx: &mut Ctx<'_>, x: ValueId) -> Result<ValueId, OpError> {
        let Self { name, alpha, beta } = self;
        match name {
            Name::Plain(kind) => ctx.activation(kind, alpha, beta, x),
            Name::Affine => {
                let scaled = ctx.binary_scalar(Ew::Prod, x, alpha.into())?;
                ctx.binary_scalar(Ew::Sum, scaled, beta.into())
            }
            Name::ThresholdedRelu => {
                let below = ctx.binary_scalar(Ew::Less, x, alpha.into())?;
                let zero = ctx.scalar(ctx.dtype(x), 0.0)?;
                ctx.select(below, zero, x)
            }
        }
    }
}

/// What a name in the list of activations stands for, with its α and β. Names match in any case.
///
/// ONNX names no defaults for `Affine` and `ScaledTanh`; those are ONNX Runtime's.
fn find(name: &str) -> Option<(Name, Parameter, Parameter)> {
    use ActivationType as A;
    use Parameter::{Default, Fixed};
    const NONE: Parameter = Fixed(0.0);
    Some(match name.to_ascii_lowercase().as_str() {
        "affine" => (Name::Affine, Default(0.0), Default(0.0)),
        "elu" => (Name::Plain(A::Elu), Default(1.0), NONE),
        "hardsigmoid" => (Name::Plain(A::HardSigmoid), Default(0.2), Default(0.5)),
        "leakyrelu" => (Name::Plain(A::LeakyRelu), Default(0.01), NONE),
        "relu" => (Name::Plain(A::Relu), NONE, NONE),
        "scaledtanh" => (Name::Plain(A::ScaledTanh), Default(0.0), Default(0.0)),
        "sigmoid" => (Name::Plain(A::Sigmoid), NONE, NONE),
        "softplus" => (Name::Plain(A::Softplus), Fixed(1.0), Fixed(1.0)),
        "softsign" => (Name::Plain(A::Softsign), NONE, NONE),
        "tanh" => (Name::Plain(A::Tanh), NONE, NONE),
        "thresholdedrelu" => (Name::ThresholdedRelu, Default(1.0), NONE),
        _ => return None,
    })
}

/// The functions of all directions: for each direction as many as `defaults` has.
///
/// `activation_alpha` and `activation_beta` are used up in the order of the functions that have an
/// α or β.
pub(super) fn functions(
    node: &Node,
    defaults: &[&str],
    directions: usize,
) -> Result<Vec<Vec<Function>>, OpError> {
    let given = node.attrs.strings("activations")?;
    let names = given.unwrap_or_else(|| defaults.repeat(directions));
    let wanted = defaults.len() * directions;
    if names.len() < wanted {
        let has = names.len();
        return Err(OpError::invalid(format!(
            "attribute `activations` has {has} entries, but {wanted} are needed"
        )));
    }
    let mut alphas = node.attrs.floats("activation_alpha")?.unwrap_or_default().iter().copied();
    let mut betas = node.attrs.floats("activation_beta")?.unwrap_or_default().iter().copied();
    let mut functions = Vec::with_capacity(wanted);
    for activation in names.iter().take(wanted) {
        let (name, alpha, beta) = find(activation).ok_or_else(|| OpError::Value {
            what: "an entry of attribute `activations`",
            value: format!("`{activation}`"),
            supported: "the functions that ONNX names for recurrent operators",
        })?;
        let (alpha, beta) = (parameter(alpha, &mut alphas), parameter(beta, &mut betas));
        functions.push(Function { name, alpha, beta });
    }
    Ok(functions.chunks(defaults.len().max(1)).map(<[_]>::to_vec).collect())
}

fn parameter(parameter: Parameter, given: &mut impl Iterator<Item = f32>) -> f32 {
    match parameter {
        Parameter::Fixed(value) => value,
        Parameter::Default(value) => given.next().unwrap_or(value),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::onnx::{Attr, Attrs};
    use crate::site::Site;

    fn parse(attrs: Vec<(&str, Attr)>) -> Result<Vec<Vec<Function>>, OpError> {
        let node = Node {
            site: Site::node("main", 0, "", "GRU", 14, "y"),
            domain: String::new(),
            op: "GRU".into(),
            opset: 14,
            inputs: Vec::new(),
            outputs: Vec::new(),
            attrs: Attrs::new(attrs.into_iter().map(|(name, value)| (name.to_owned(), value))),
        };
        functions(&node, &["Sigmoid", "Tanh"], 2)
    }

    fn names(names: [&'static str; 4]) -> (&'static str, Attr) {
        ("activations", Attr::Strings(names.iter().map(|name| name.as_bytes().into()).collect()))
    }

    #[test]
    fn parameters_go_to_the_functions_that_have_them() {
        let alphas = ("activation_alpha", Attr::Floats(vec![0.5, 3.0, 2.0]));
        let betas = ("activation_beta", Attr::Floats(vec![7.0]));
        let parsed =
            parse(vec![names(["RELU", "leakyrelu", "Affine", "Elu"]), alphas, betas]).unwrap();
        let flat: Vec<_> = parsed.iter().flatten().map(|f| (f.alpha, f.beta)).collect();
        assert_eq!(flat, [(0.0, 0.0), (0.5, 0.0), (3.0, 7.0), (2.0, 0.0)]);
        assert_eq!(parsed.iter().map(Vec::len).collect::<Vec<_>>(), [2, 2]);
    }

    #[test]
    fn defaults_are_those_of_the_operators() {
        let parsed =
            parse(vec![names(["HardSigmoid", "Softplus", "LeakyRelu", "ThresholdedRelu"])])
                .unwrap();
        let flat: Vec<_> = parsed.iter().flatten().map(|f| (f.alpha, f.beta)).collect();
        assert_eq!(flat, [(0.2, 0.5), (1.0, 1.0), (0.01, 0.0), (1.0, 0.0)]);
        let parsed = parse(vec![names(["Affine", "ScaledTanh", "Elu", "Tanh"])]).unwrap();
        let flat: Vec<_> = parsed.iter().flatten().map(|f| (f.alpha, f.beta)).collect();
        assert_eq!(flat, [(0.0, 0.0), (0.0, 0.0), (1.0, 0.0), (0.0, 0.0)]);
        let plain = parse(Vec::new()).unwrap();
        assert_eq!(plain[0][0].name, Name::Plain(ActivationType::Sigmoid));
        assert_eq!(plain[1][1].name, Name::Plain(ActivationType::Tanh));
    }

    #[test]
    fn what_is_too_few_or_unknown_is_an_error() {
        let text = |attrs| parse(attrs).unwrap_err().to_string();
        assert_eq!(
            text(vec![names(["Tanh", "Tanh", "Tanh", "Gelu"])]),
            "an entry of attribute `activations` is `Gelu`; supported: the functions that ONNX \
             names for recurrent operators"
        );
        let few = ("activations", Attr::Strings(vec!["Tanh".into()]));
        assert_eq!(text(vec![few]), "attribute `activations` has 1 entries, but 4 are needed");
    }
}
