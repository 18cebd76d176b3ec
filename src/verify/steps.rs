//! Models that generate, step by step: what one run gives goes into the next.
//!
//! The reference runs the steps, each on what it gave in the step before; every step is then a data
//! set like any other. A network that is right at each of them is right when it feeds itself.

use super::compare::numbers;
use super::data::{self, DataSet, Entry};
use super::reference::Reference;
use crate::error::{Error, Kind, Result};
use crate::onnx::Constant;
use crate::tensor::{DType, Tensor};
use std::collections::HashMap;

/// What becomes of an input from step to step.
#[derive(Debug, Clone, PartialEq)]
enum Role {
    /// It takes this output of the step before.
    State(usize),
    /// The likeliest next token.
    Tokens,
    /// It says which places hold tokens.
    Mask,
    /// Where the tokens stand.
    Position,
    /// A truth that says whether there was a step before.
    Later,
    /// It stays as it is.
    Kept,
}

/// The steps that follow a data set: as many as are asked for, each with what the reference gives.
/// `inputs` are the model's, in its order.
///
/// # Errors
/// [`Kind::Usage`] for a model of which no output continues an input; whatever the reference says.
pub fn following(
    reference: &mut Reference,
    first: &DataSet,
    inputs: &[&str],
    steps: usize,
) -> Result<Vec<DataSet>> {
    let given = data::in_order(&first.inputs, inputs).into_iter();
    let given = inputs.iter().zip(given).map(|(name, data)| {
        let tensor = data.and_then(|data| data.tensor().ok()).cloned();
        tensor.map(|tensor| ((*name).to_owned(), tensor)).ok_or_else(|| {
            let message = format!("`{}` has no data for input `{name}`", first.path.display());
            Error::new(Kind::Usage, message)
        })
    });
    let mut fed: Vec<(String, Tensor)> = given.collect::<Result<_>>()?;
    let mut made = reference.run(&fed)?;
    let roles = roles(&fed, &made)?;
    let mut sets = Vec::with_capacity(steps);
    for step in 1..=steps {
        fed = next(&fed, &made, &roles)?;
        made = reference.run(&fed)?;
        let label = format!("{}, step {step}", first.label);
        sets.push(DataSet {
            path: format!("{}, step {step}", first.path.display()).into(),
            label,
            source: "ONNX Runtime".to_owned(),
            outputs: entries(&made),
            inputs: entries(&fed),
            ..first.clone()
        });
    }
    Ok(sets)
}

fn entries(tensors: &[(String, Tensor)]) -> Vec<Entry> {
    let entry = |(name, tensor): &(String, Tensor)| Entry {
        name: name.clone(),
        data: Constant::Tensor(tensor.clone()),
    };
    tensors.iter().map(entry).collect()
}

/// What each input is.
fn roles(inputs: &[(String, Tensor)], outputs: &[(String, Tensor)]) -> Result<Vec<Role>> {
    let states = states(inputs, outputs);
    if states.is_empty() {
        let names: Vec<&str> = outputs.iter().map(|(name, _)| name.as_str()).collect();
        let message = format!("no output continues an input: {}", names.join(", "));
        return Err(Error::new(Kind::Usage, message).with_hint(
            "`--steps` is for models that take `past…` and give `present…`, or as many real \
             inputs as outputs after the first",
        ));
    }
    let role = |(at, (name, tensor)): (usize, &(String, Tensor))| match states.get(&at) {
        Some(output) => Role::State(*output),
        None if name.contains("encoder") => Role::Kept,
        None if name.contains("mask") => Role::Mask,
        None if name.contains("position") => Role::Position,
        None if tensor.dtype() == DType::Bool && tensor.len() == 1 => Role::Later,
        None if !tensor.dtype().is_float() && tensor.dims().len() == 2 => Role::Tokens,
        None => Role::Kept,
    };
    Ok(inputs.iter().enumerate().map(role).collect())
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
        (Some((_, a)), Some((_, b))) => a.dtype() == b.dtype() && a.dims().len() == b.dims().len(),
        _ => false,
    };
    if into.len() != from.len() || !into.iter().zip(&from).all(alike) {
        return HashMap::new();
    }
    into.into_iter().zip(from).collect()
}

/// The inputs of the next step.
fn next(
    inputs: &[(String, Tensor)],
    outputs: &[(String, Tensor)],
    roles: &[Role],
) -> Result<Vec<(String, Tensor)>> {
    let state = inputs.iter().zip(roles).find_map(|((_, tensor), role)| match role {
        Role::State(output) => Some((tensor, &outputs.get(*output)?.1)),
        _ => None,
    });
    let grows = state.is_some_and(|(before, after)| before.dims() != after.dims());
    let next = |((name, tensor), role): (&(String, Tensor), &Role)| -> Result<(String, Tensor)> {
        let made = match role {
            Role::State(output) => outputs.get(*output).map(|(_, tensor)| tensor.clone()),
            Role::Tokens => outputs.first().and_then(|(_, logits)| tokens(logits, tensor.dtype())),
            Role::Mask => mask(tensor, grows),
            Role::Position => position(tensor),
            Role::Later => Tensor::of_bools(tensor.dims().to_vec(), [true]).ok(),
            Role::Kept => Some(tensor.clone()),
        };
        let wrong = || {
            let (dtype, dims) = (tensor.dtype(), tensor.dims());
            let message = format!("input `{name}`, {dtype}{dims:?}, cannot go on by a step");
            Error::new(Kind::Unsupported, message)
        };
        Ok((name.clone(), made.ok_or_else(wrong)?))
    };
    inputs.iter().zip(roles).map(next).collect()
}

/// The likeliest token at the last place of each row of `[batch, length, tokens]` or
/// `[batch, tokens]`.
fn tokens(logits: &Tensor, dtype: DType) -> Option<Tensor> {
    let (&count, rows) = logits.dims().split_last()?;
    let (&batch, lengths) = rows.split_first()?;
    let length: usize = lengths.iter().product();
    let logits = numbers(logits);
    let likeliest = |row: usize| {
        let last = row.checked_mul(length)?.checked_add(length.checked_sub(1)?)?;
        let start = last.checked_mul(count)?;
        let row = logits.get(start..start.checked_add(count)?)?;
        let best = row.iter().enumerate().max_by(|a, b| a.1.total_cmp(b.1))?;
        i64::try_from(best.0).ok()
    };
    whole(dtype, vec![batch, 1], (0..batch).map(likeliest).collect::<Option<_>>()?)
}

/// One more place that holds a token: behind the others, or the first that held none.
fn mask(mask: &Tensor, grows: bool) -> Option<Tensor> {
    let &[batch, length] = mask.dims() else { return None };
    let values = numbers(mask);
    let mut longer = Vec::with_capacity(values.len().saturating_add(batch));
    for row in 0..batch {
        let mut row = values.get(row.checked_mul(length)?..)?.get(..length)?.to_vec();
        if grows {
            row.push(1.0);
        } else if let Some(free) = row.iter_mut().find(|place| **place == 0.0) {
            *free = 1.0;
        }
        longer.extend(row);
    }
    let dims = vec![batch, if grows { length.checked_add(1)? } else { length }];
    match mask.dtype() {
        DType::Bool => Tensor::of_bools(dims, longer.iter().map(|&place| place != 0.0)).ok(),
        #[allow(clippy::cast_possible_truncation, reason = "masks hold small numbers")]
        dtype if dtype.is_float() => {
            Tensor::of_reals(dtype, dims, longer.iter().map(|&place| place as f32).collect()).ok()
        }
        #[allow(clippy::cast_possible_truncation, reason = "masks hold small numbers")]
        dtype => whole(dtype, dims, longer.iter().map(|&place| place as i64).collect()),
    }
}

/// The place after the last of each row.
fn position(position: &Tensor) -> Option<Tensor> {
    let places = position.to_i64s()?;
    let (&length, rows) = position.dims().split_last()?;
    if length == 0 {
        return None;
    }
    let last = places.chunks(length).map(|row| row.last()?.checked_add(1));
    let dims = rows.iter().copied().chain([1]).collect();
    whole(position.dtype(), dims, last.collect::<Option<_>>()?)
}

/// A tensor of whole numbers.
fn whole(dtype: DType, dims: Vec<usize>, values: Vec<i64>) -> Option<Tensor> {
    match dtype {
        DType::I64 => Tensor::of(dims, values).ok(),
        DType::I32 => {
            let narrow = values.into_iter().map(|value| i32::try_from(value).ok());
            Tensor::of(dims, narrow.collect::<Option<Vec<_>>>()?).ok()
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(name: &str, tensor: Tensor) -> (String, Tensor) {
        (name.to_owned(), tensor)
    }

    fn zeros(dims: &[usize]) -> Tensor {
        Tensor::of(dims.to_vec(), vec![0f32; dims.iter().product()]).unwrap()
    }

    #[test]
    fn states_are_found_by_name_and_else_in_order() {
        let of = |inputs: &[&str], outputs: &[&str]| {
            let all = |names: &[&str]| -> Vec<_> {
                names.iter().map(|name| named(name, zeros(&[1, 2]))).collect()
            };
            let mut found: Vec<_> = states(&all(inputs), &all(outputs)).into_iter().collect();
            found.sort_unstable();
            found
        };
        let (past, present) = (
            ["past_key_values.0.key", "past_key_values.0.value"],
            ["logits", "present.0.value", "present.0.key"],
        );
        assert_eq!(of(&past, &present), [(0, 2), (1, 1)]);
        assert_eq!(of(&["past_0"], &["y", "present_0"]), [(0, 1)]);
        assert_eq!(of(&["key", "value"], &["y", "cat_5", "cat_6"]), [(0, 1), (1, 2)]);
        assert_eq!(of(&["key", "value"], &["y", "cat_5"]), []);
    }

    #[test]
    fn a_step_takes_what_the_one_before_gave() {
        let logits = vec![0.0f32, 1.0, 0.0, 5.0, 2.0, 3.0, 9.0, 0.0, 0.0, 0.0, 0.0, 1.0];
        let outputs = [
            named("logits", Tensor::of(vec![2, 2, 3], logits).unwrap()),
            named("present.0", zeros(&[2, 3])),
        ];
        let inputs = [
            named("input_ids", Tensor::of(vec![2, 2], vec![7i64; 4]).unwrap()),
            named("attention_mask", Tensor::of(vec![2, 3], vec![0i64, 1, 1, 1, 1, 1]).unwrap()),
            named("position_ids", Tensor::of(vec![2, 2], vec![0i64, 1, 1, 2]).unwrap()),
            named("past.0", zeros(&[2, 1])),
            named("use_cache_branch", Tensor::of_bools(vec![1], [false]).unwrap()),
        ];
        let roles = roles(&inputs, &outputs).unwrap();
        let next = next(&inputs, &outputs, &roles).unwrap();
        let whole = |at: usize| (next[at].1.dims().to_vec(), next[at].1.to_i64s().unwrap());
        assert_eq!(whole(0), (vec![2, 1], vec![0, 2]));
        assert_eq!(whole(1), (vec![2, 4], vec![0, 1, 1, 1, 1, 1, 1, 1]));
        assert_eq!(whole(2), (vec![2, 1], vec![2, 3]));
        assert_eq!(next[3].1.dims(), [2, 3]);
        assert_eq!(next[4].1.bools().unwrap(), [1]);

        // A cache of fixed size fills up.
        let kept = mask(&Tensor::of(vec![1, 3], vec![1i64, 0, 0]).unwrap(), false).unwrap();
        assert_eq!(kept.to_i64s().unwrap(), [1, 1, 0]);
    }
}
