//! Inputs that become constants, as users write them: `axes=[0,2]`, `k=5`, or `axes` with a value from elsewhere.

use crate::error::{Error, Kind, Result};
use crate::onnx::{Model, ValueInfo, ValueType};
use crate::tensor::{DType, Element, Tensor};
use half::{bf16, f16};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::str::FromStr;

/// An input that becomes a constant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Frozen {
    name: String,
    literal: Option<Literal>,
}

/// A number, or a list of numbers in brackets. What type they have is the model's to say.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Literal {
    dims: Vec<usize>,
    numbers: Vec<String>,
}

/// The constants for a model's inputs. `given` holds values for those that are written without one.
///
/// # Errors
/// [`Kind::Usage`] for a name that is no input, a value that its type cannot hold, or a value that is nowhere.
pub fn constants(
    frozen: &[Frozen],
    model: &Model,
    given: &BTreeMap<String, Tensor>,
) -> Result<BTreeMap<String, Tensor>> {
    let constant = |Frozen { name, literal }: &Frozen| {
        let usage = |why: String| Error::new(Kind::Usage, format!("cannot freeze input `{name}`: {why}"));
        let info = model.graph.inputs.iter().find(|info| *info.name == **name);
        let info = info.ok_or_else(|| usage("the model has no such input".into()))?;
        let tensor = match literal {
            Some(literal) => literal.tensor(info).map_err(usage)?,
            None => given.get(name).cloned().ok_or_else(|| usage("no value is given".into()))?,
        };
        Ok((name.clone(), tensor))
    };
    frozen.iter().map(constant).collect()
}

/// Reads `axes=[0,2]`, `k=5` or `axes`.
///
/// # Errors
/// A list that does not end.
pub fn parse(text: &str) -> Result<Frozen, String> {
    let Some((name, value)) = text.split_once('=') else {
        return Ok(Frozen { name: text.to_owned(), literal: None });
    };
    let list = value.trim().strip_prefix('[');
    let (dims, numbers) = match list {
        None => (vec![], vec![value.trim().to_owned()]),
        Some(list) => {
            let list = list.strip_suffix(']').ok_or("a list ends with `]`")?.trim();
            let numbers: Vec<String> = list.split(',').map(|number| number.trim().to_owned()).collect();
            let numbers = if list.is_empty() { Vec::new() } else { numbers };
            (vec![numbers.len()], numbers)
        }
    };
    Ok(Frozen { name: name.to_owned(), literal: Some(Literal { dims, numbers }) })
}

impl Literal {
    /// The numbers in the type that the model states for its input.
    fn tensor(&self, info: &ValueInfo) -> Result<Tensor, String> {
        let dtype = match &info.ty {
            ValueType::Tensor { element, .. } => element.dtype(),
            _ => None,
        };
        match dtype {
            Some(DType::F32) => self.of(|value: f32| value),
            Some(DType::F64) => self.of(|value: f64| value),
            Some(DType::F16) => self.of(f16::from_f32),
            Some(DType::BF16) => self.of(bf16::from_f32),
            Some(DType::I64) => self.of(|value: i64| value),
            Some(DType::I32) => self.of(|value: i32| value),
            Some(DType::I8) => self.of(|value: i8| value),
            Some(DType::U8) => self.of(|value: u8| value),
            Some(DType::Bool) => {
                Tensor::of_bools(self.dims.clone(), self.numbers::<bool>()?).map_err(|error| error.to_string())
            }
            _ => Err(format!("values of type {} cannot be written here", info.ty)),
        }
    }

    fn of<N: FromStr, T: Element>(&self, convert: impl Fn(N) -> T) -> Result<Tensor, String> {
        let values = self.numbers::<N>()?.into_iter().map(convert).collect();
        Tensor::of(self.dims.clone(), values).map_err(|error| error.to_string())
    }

    fn numbers<T: FromStr>(&self) -> Result<Vec<T>, String> {
        let parse = |number: &String| number.parse().map_err(|_| format!("`{number}` does not fit its type"));
        self.numbers.iter().map(parse).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::onnx::{DimSpec, ElementType};

    fn tensor(text: &str, dtype: DType) -> Result<Tensor, String> {
        let shape = Some(vec![DimSpec::Unknown]);
        let ty = ValueType::Tensor { element: ElementType::Of(dtype), shape };
        let frozen = parse(text)?;
        frozen.literal.ok_or("no value")?.tensor(&ValueInfo { name: frozen.name.as_str().into(), ty })
    }

    #[test]
    fn values_take_the_type_of_their_input() {
        let cases = [
            ("k=5", DType::I64, Tensor::scalar(5i64)),
            ("axes=[0, -2]", DType::I32, Tensor::vector(&[0i32, -2])),
            ("none=[]", DType::I64, Tensor::vector::<i64>(&[])),
            ("scales=[1,1.5]", DType::F32, Tensor::vector(&[1f32, 1.5])),
            ("half=1.5", DType::F16, Tensor::scalar(f16::from_f32(1.5))),
            ("flag=true", DType::Bool, Tensor::of_bools(vec![], [true]).unwrap()),
        ];
        for (text, dtype, expected) in cases {
            assert_eq!(tensor(text, dtype), Ok(expected), "{text}");
        }
        assert_eq!(parse("axes"), Ok(Frozen { name: "axes".into(), literal: None }));
    }

    #[test]
    fn values_that_fit_no_type_are_refused() {
        let cases = [
            ("k=300", DType::U8, "`300` does not fit its type"),
            ("k=1.5", DType::I64, "`1.5` does not fit its type"),
            ("k=[1,2", DType::I64, "a list ends with `]`"),
            ("k=[1,,2]", DType::I64, "`` does not fit its type"),
            ("k=1", DType::U64, "values of type u64[?] cannot be written here"),
        ];
        for (text, dtype, why) in cases {
            assert_eq!(tensor(text, dtype), Err(why.into()), "{text}");
        }
    }
}
