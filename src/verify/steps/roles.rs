//! What the inputs of a model that generates are for, by their names, types and shapes.

use crate::error::{Error, Kind, Result};
use crate::tensor::{DType, Tensor};
use std::collections::HashMap;

/// What becomes of an input from step to step.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Role {
    /// It takes this output of the step before.
    State(usize),
    /// The likeliest next token by the logits of this output.
    Tokens(usize),
    /// What it said of the last token holds for the next one as well.
    Last,
    /// It says which places hold tokens.
    Mask,
    /// Where the tokens stand.
    Position,
    /// A truth that says whether there was a step before.
    Later,
    /// It stays as it is.
    Kept,
}

/// What each input is.
///
/// # Errors
/// [`Kind::Usage`] for a model of which no output continues an input, or several inputs could take
/// the next token.
pub(super) fn roles(
    inputs: &[(String, Tensor)],
    outputs: &[(String, Tensor)],
) -> Result<Vec<Role>> {
    let states = states(inputs, outputs);
    if states.is_empty() {
        let names: Vec<&str> = outputs.iter().map(|(name, _)| name.as_str()).collect();
        let message = format!("no output continues an input: {}", names.join(", "));
        return Err(Error::new(Kind::Usage, message).with_hint(
            "`--steps` is for models that take `past…` and give `present…`, or as many real \
             inputs as outputs after the first",
        ));
    }
    let is_logits = |(at, (_, tensor)): &(usize, &(String, Tensor))| {
        tensor.dtype().is_float() && !states.values().any(|state| state == at)
    };
    let logits = outputs.iter().enumerate().find(is_logits).map(|(at, _)| at);
    let role = |(at, (name, tensor)): (usize, &(String, Tensor))| match states.get(&at) {
        Some(output) => Role::State(*output),
        None if name.contains("encoder") && !name.contains("decoder") => Role::Kept,
        None if name.contains("mask") => Role::Mask,
        None if name.contains("position") => Role::Position,
        None if tensor.dtype() == DType::Bool && tensor.len() == 1 => Role::Later,
        None if !tensor.dtype().is_float() && tensor.dims().len() == 2 => Role::Last,
        None => Role::Kept,
    };
    let mut roles: Vec<Role> = inputs.iter().enumerate().map(role).collect();
    if let Some(logits) = logits
        && let Some(at) = takes_tokens(inputs, &roles)?
        && let Some(role) = roles.get_mut(at)
    {
        *role = Role::Tokens(logits);
    }
    Ok(roles)
}

/// The input that takes the tokens: the one of whole numbers for each place, and of several the one
/// that is named so.
fn takes_tokens(inputs: &[(String, Tensor)], roles: &[Role]) -> Result<Option<usize>> {
    let each = inputs.iter().zip(roles).enumerate();
    let able: Vec<(usize, &str)> = each
        .filter(|(_, (_, role))| **role == Role::Last)
        .map(|(at, ((name, _), _))| (at, name.as_str()))
        .collect();
    if let [(only, _)] = able[..] {
        return Ok(Some(only));
    }
    let of_tokens = |name: &str| name.contains("input_ids") || name == "tokens" || name == "ids";
    let mut named = able.iter().filter(|(_, name)| of_tokens(name));
    match (named.next(), named.next()) {
        (Some((at, _)), None) => Ok(Some(*at)),
        _ if able.is_empty() => Ok(None),
        _ => {
            let names: Vec<String> = able.iter().map(|(_, name)| format!("`{name}`")).collect();
            let message = format!("{} could each take the next token", names.join(" and "));
            let hint = "`--steps` knows the input of the tokens by the name `input_ids`";
            Err(Error::new(Kind::Usage, message).with_hint(hint))
        }
    }
}

/// The output that each input continues: `past_key_values.0.key` takes `present.0.key`. Where no
/// names say so, real inputs take the real outputs after the first in order.
fn states(inputs: &[(String, Tensor)], outputs: &[(String, Tensor)]) -> HashMap<usize, usize> {
    let plain = |name: &str| {
        let name = name.replace("past_key_values", "state").replace("present_key_values", "state");
        name.replace("past", "state").replace("present", "state")
    };
    let named = inputs.iter().enumerate().filter(|(_, (name, _))| name.contains("past"));
    let named = named.filter_map(|(at, (name, _))| {
        let is_next = |(output, _): &(String, Tensor)| {
            output.contains("present") && plain(output) == plain(name)
        };
        Some((at, outputs.iter().position(is_next)?))
    });
    let named: HashMap<usize, usize> = named.collect();
    if !named.is_empty() {
        return named;
    }
    let reals = |tensors: &[(String, Tensor)], from: usize| -> Vec<usize> {
        let real = |(_, (_, tensor)): &(usize, &(String, Tensor))| tensor.dtype().is_float();
        tensors.iter().enumerate().skip(from).filter(real).map(|(at, _)| at).collect()
    };
    let (into, from) = (reals(inputs, 0), reals(outputs, 1));
    let alike = |(&a, &b): (&usize, &usize)| match (inputs.get(a), outputs.get(b)) {
        (Some((_, a)), Some((_, b))) => a.dtype() == b.dtype() && grown(a, b).is_some(),
        _ => false,
    };
    if into.len() != from.len() || !into.iter().zip(&from).all(alike) {
        return HashMap::new();
    }
    into.into_iter().zip(from).collect()
}

/// Whether a state got longer, along one axis; `None` where it became something else.
pub(super) fn grown(before: &Tensor, after: &Tensor) -> Option<bool> {
    if before.dims().len() != after.dims().len() {
        return None;
    }
    let mut others =
        before.dims().iter().zip(after.dims()).filter(|(before, after)| before != after);
    match (others.next(), others.next()) {
        (None, _) => Some(false),
        (Some((before, after)), None) if before < after => Some(true),
        _ => None,
    }
}
