//! Models that generate, step by step: what one run gives goes into the next.
//!
//! The reference runs the steps, each on what it gave in the step before; every step is then a data
//! set like any other. A network that is right at each of them is right when it feeds itself.

mod roles;
mod values;

use super::data::{self, DataSet, Entry};
use super::reference::Reference;
use crate::error::{Error, Kind, Result};
use crate::onnx::Constant;
use crate::tensor::Tensor;
use roles::Role;

/// The steps that follow a data set: as many as are asked for, each with what the reference gives.
/// `inputs` are the model's, in its order.
///
/// # Errors
/// [`Kind::Usage`] for a model of which no output continues an input, or several inputs could take
/// the next token; whatever the reference says.
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
    let roles = roles::roles(&fed, &made)?;
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

/// The inputs of the next step.
///
/// # Errors
/// [`Kind::Unsupported`] for an input whose next value cannot be told from what there is.
fn next(
    inputs: &[(String, Tensor)],
    outputs: &[(String, Tensor)],
    roles: &[Role],
) -> Result<Vec<(String, Tensor)>> {
    let made = |output: &usize| outputs.get(*output).map(|(_, tensor)| tensor);
    let grows = inputs.iter().zip(roles).any(|((_, before), role)| match role {
        Role::State(output) => {
            made(output).is_some_and(|after| roles::grown(before, after) == Some(true))
        }
        _ => false,
    });
    let next = |((name, tensor), role): (&(String, Tensor), &Role)| -> Result<(String, Tensor)> {
        let value = match role {
            Role::State(output) => made(output).map(|after| {
                // A decoder leaves out what its encoder said before, and goes on with it.
                if after.is_empty() && !tensor.is_empty() { tensor } else { after }.clone()
            }),
            Role::Tokens(output) => {
                made(output).and_then(|logits| values::tokens(logits, tensor.dtype()))
            }
            Role::Last => values::last(tensor),
            Role::Mask => values::mask(tensor, grows),
            Role::Position => values::position(tensor),
            Role::Later => Tensor::of_bools(tensor.dims().to_vec(), [true]).ok(),
            Role::Kept => Some(tensor.clone()),
        };
        let wrong = || {
            let (dtype, dims) = (tensor.dtype(), tensor.dims());
            let message = format!("input `{name}`, {dtype}{dims:?}, cannot go on by a step");
            Error::new(Kind::Unsupported, message)
        };
        Ok((name.clone(), value.ok_or_else(wrong)?))
    };
    inputs.iter().zip(roles).map(next).collect()
}

#[cfg(test)]
mod tests {
    use super::roles::roles;
    use super::*;

    fn named(name: &str, tensor: Tensor) -> (String, Tensor) {
        (name.to_owned(), tensor)
    }

    fn zeros(dims: &[usize]) -> Tensor {
        Tensor::of(dims.to_vec(), vec![0f32; dims.iter().product()]).unwrap()
    }

    fn whole(dims: &[usize], values: &[i64]) -> Tensor {
        Tensor::of(dims.to_vec(), values.to_vec()).unwrap()
    }

    #[test]
    fn states_are_found_by_name_and_else_in_order() {
        let of = |inputs: &[&str], outputs: &[&str]| {
            let all = |names: &[&str]| -> Vec<_> {
                names.iter().map(|name| named(name, zeros(&[1, 2]))).collect()
            };
            roles(&all(inputs), &all(outputs))
        };
        let (past, present) = (
            ["past_key_values.0.key", "past_key_values.0.value"],
            ["logits", "present.0.value", "present.0.key"],
        );
        assert_eq!(of(&past, &present).unwrap(), [Role::State(2), Role::State(1)]);
        assert_eq!(of(&["past_0"], &["y", "present_0"]).unwrap(), [Role::State(1)]);
        let in_order = of(&["key", "value"], &["y", "cat_5", "cat_6"]).unwrap();
        assert_eq!(in_order, [Role::State(1), Role::State(2)]);
        assert!(of(&["key", "value"], &["y", "cat_5"]).is_err());

        // Where no names say so, a state is as it was, or longer.
        let in_order = |before: &[usize], after: &[usize]| {
            let outputs = [named("y", zeros(&[1])), named("cat", zeros(after))];
            roles(&[named("key", zeros(before))], &outputs).is_ok()
        };
        assert!(in_order(&[2, 3, 4], &[2, 4, 4]));
        assert!(!in_order(&[2, 3, 4], &[2, 4, 5]));
        assert!(!in_order(&[2, 3, 4], &[2, 2, 4]));
    }

    #[test]
    fn a_step_takes_what_the_one_before_gave() {
        let logits = vec![0.0f32, 1.0, 0.0, 5.0, 2.0, 3.0, 9.0, 0.0, 0.0, 0.0, 0.0, 1.0];
        let outputs = [
            named("length", whole(&[1], &[3])),
            named("present.0", zeros(&[2, 3])),
            named("logits", Tensor::of(vec![2, 2, 3], logits).unwrap()),
        ];
        let inputs = [
            named("input_ids", whole(&[2, 2], &[7; 4])),
            named("attention_mask", whole(&[2, 3], &[0, 1, 1, 1, 1, 1])),
            named("position_ids", whole(&[2, 2], &[0, 1, 1, 2])),
            named("token_type_ids", whole(&[2, 2], &[0, 1, 0, 0])),
            named("past.0", zeros(&[2, 1])),
            named("use_cache_branch", Tensor::of_bools(vec![1], [false]).unwrap()),
        ];
        let roles = roles(&inputs, &outputs).unwrap();
        let next = next(&inputs, &outputs, &roles).unwrap();
        let whole = |at: usize| (next[at].1.dims().to_vec(), next[at].1.to_i64s().unwrap());
        assert_eq!(whole(0), (vec![2, 1], vec![0, 2]));
        assert_eq!(whole(1), (vec![2, 4], vec![0, 1, 1, 1, 1, 1, 1, 1]));
        assert_eq!(whole(2), (vec![2, 1], vec![2, 3]));
        assert_eq!(whole(3), (vec![2, 1], vec![1, 0]));
        assert_eq!(next[4].1.dims(), [2, 3]);
        assert_eq!(next[5].1.bools().unwrap(), [1]);
    }

    #[test]
    fn tokens_go_to_one_input() {
        let outputs = [named("logits", zeros(&[1, 2, 5])), named("present.0", zeros(&[1, 3]))];
        let two = |first: &str, second: &str| {
            let inputs = [first, second].map(|name| named(name, whole(&[1, 2], &[0, 1])));
            let past = named("past.0", zeros(&[1, 1]));
            roles(&[&inputs[..], &[past]].concat(), &outputs)
        };
        let found = two("segment", "decoder_input_ids").unwrap();
        assert_eq!(found, [Role::Last, Role::Tokens(0), Role::State(1)]);
        assert_eq!(
            two("a", "b").unwrap_err().to_string(),
            "`a` and `b` could each take the next token\n\n\
             hint: `--steps` knows the input of the tokens by the name `input_ids`"
        );
    }

    #[test]
    fn masks_get_one_more_token() {
        let grown = |mask: &Tensor, grows: bool| values::mask(mask, grows).unwrap();
        // A cache of fixed size fills up.
        let kept = grown(&whole(&[1, 3], &[1, 0, 0]), false);
        assert_eq!(kept.to_i64s().unwrap(), [1, 1, 0]);
        // Real masks are added or multiplied.
        let added = Tensor::of(vec![1, 2], vec![f32::MIN, 0.0]).unwrap();
        assert_eq!(*grown(&added, true).to_f32s().unwrap(), [f32::MIN, 0.0, 0.0]);
        assert_eq!(*grown(&added, false).to_f32s().unwrap(), [0.0, 0.0]);
        let factors = Tensor::of(vec![1, 2], vec![0.0f32, 1.0]).unwrap();
        assert_eq!(*grown(&factors, true).to_f32s().unwrap(), [0.0, 1.0, 1.0]);
    }

    #[test]
    fn what_an_encoder_said_stays() {
        let inputs = [
            named("past_key_values.0.decoder.key", zeros(&[1, 1, 4])),
            named("past_key_values.0.encoder.key", zeros(&[1, 6, 4])),
        ];
        let outputs = [
            named("present.0.decoder.key", zeros(&[1, 2, 4])),
            named("present.0.encoder.key", zeros(&[0, 1, 4])),
        ];
        let next = next(&inputs, &outputs, &roles(&inputs, &outputs).unwrap()).unwrap();
        assert_eq!([next[0].1.dims(), next[1].1.dims()], [[1, 2, 4], [1, 6, 4]]);
    }
}
