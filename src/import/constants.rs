//! The constants that inputs become, from what users write and from data.

use crate::error::{Error, Kind, Result};
use crate::onnx::{ElementType, Model, ValueType};
use crate::recipe::Frozen;
use crate::recipe::freeze::Literal;
use crate::tensor::{DType, Element, Tensor};
use half::{bf16, f16};
use std::collections::BTreeMap;
use std::str::FromStr;

/// The most elements of a value that is written out.
const MOST_WRITTEN: usize = 64;

/// A value as `--freeze` reads it: from that comes the same value, bit by bit.
/// `None` for more than 64 elements or lists, and where no text says the bits.
pub fn written(tensor: &Tensor) -> Option<Literal> {
    // Lists are written up to the first axis without elements, of which there may be any number.
    let filled = tensor.dims().iter().take_while(|&&size| size > 0);
    let lists = filled.fold(1usize, |lists, &size| lists.saturating_mul(size));
    if tensor.len() > MOST_WRITTEN || lists > MOST_WRITTEN {
        return None;
    }
    let numbers = match tensor.dtype() {
        DType::Bool => texts(tensor.bools()?.iter().map(|&value| value != 0)),
        DType::U64 => texts(tensor.values::<u64>()?.iter()),
        DType::F64 => texts(tensor.values::<f64>()?.iter()),
        dtype if dtype.is_int() => texts(tensor.to_i64s()?),
        _ => texts(tensor.to_f32s()?.iter()),
    };
    let literal = Literal { dims: tensor.dims().to_vec(), numbers };
    let ty = ValueType::Tensor { element: ElementType::Of(tensor.dtype()), shape: None };
    let again: Literal = literal.to_string().parse().ok()?;
    (again.tensor(&ty).as_ref() == Ok(tensor)).then_some(literal)
}

fn texts<T: ToString>(values: impl IntoIterator<Item = T>) -> Vec<String> {
    values.into_iter().map(|value| value.to_string()).collect()
}

/// The constants for a model's inputs. `given` holds values for those that are written without one.
///
/// # Errors
/// [`Kind::Usage`] for a name that is no input, a value that its type cannot hold, or a value that
/// is nowhere.
pub fn constants(
    frozen: &[Frozen],
    model: &Model,
    given: &BTreeMap<String, Tensor>,
) -> Result<BTreeMap<String, Tensor>> {
    let constant = |Frozen { name, literal }: &Frozen| {
        let usage =
            |why: String| Error::new(Kind::Usage, format!("cannot freeze input `{name}`: {why}"));
        let info = model.graph.inputs.iter().find(|info| *info.name == **name);
        let info = info.ok_or_else(|| usage("the model has no such input".into()))?;
        let tensor = match literal {
            Some(literal) => literal.tensor(&info.ty).map_err(usage)?,
            None => given.get(name).cloned().ok_or_else(|| {
                usage("no value is given".into()).with_hint(format!(
                    "write `{name}=VALUE`, or name a folder with its value with `--freeze-from`"
                ))
            })?,
        };
        Ok((name.clone(), tensor))
    };
    frozen.iter().map(constant).collect()
}

impl Literal {
    /// The numbers in the type that the model states for its input.
    fn tensor(&self, ty: &ValueType) -> Result<Tensor, String> {
        let dtype = match ty {
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
            Some(DType::I16) => self.of(|value: i16| value),
            Some(DType::I8) => self.of(|value: i8| value),
            Some(DType::U64) => self.of(|value: u64| value),
            Some(DType::U32) => self.of(|value: u32| value),
            Some(DType::U16) => self.of(|value: u16| value),
            Some(DType::U8) => self.of(|value: u8| value),
            Some(DType::Bool) => Tensor::of_bools(self.dims.clone(), self.numbers::<bool>()?)
                .map_err(|error| error.to_string()),
            _ => Err(format!("values of type {ty} cannot be written here")),
        }
    }

    fn of<N: FromStr, T: Element>(&self, convert: impl Fn(N) -> T) -> Result<Tensor, String> {
        let values = self.numbers::<N>()?.into_iter().map(convert).collect();
        Tensor::of(self.dims.clone(), values).map_err(|error| error.to_string())
    }

    fn numbers<T: FromStr>(&self) -> Result<Vec<T>, String> {
        let parse = |number: &String| {
            number.parse().map_err(|_| format!("`{number}` does not fit its type"))
        };
        self.numbers.iter().map(parse).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::onnx::DimSpec;

    fn tensor(text: &str, dtype: DType) -> Result<Tensor, String> {
        let shape = Some(vec![DimSpec::Unknown]);
        let ty = ValueType::Tensor { element: ElementType::Of(dtype), shape };
        let frozen: Frozen = text.parse()?;
        frozen.literal.ok_or("no value")?.tensor(&ty)
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
        assert_eq!("axes".parse(), Ok(Frozen { name: "axes".into(), literal: None }));
    }

    #[test]
    fn values_that_fit_no_type_are_refused() {
        let cases = [
            ("k=300", DType::U8, "`300` does not fit its type"),
            ("k=1.5", DType::I64, "`1.5` does not fit its type"),
            ("k=[1,2", DType::I64, "a list ends with `]`"),
            ("k=[1,,2]", DType::I64, "`` does not fit its type"),
            ("k=1", DType::F8E4M3, "values of type f8e4m3[?] cannot be written here"),
        ];
        for (text, dtype, why) in cases {
            assert_eq!(tensor(text, dtype), Err(why.into()), "{text}");
        }
    }

    #[test]
    fn what_is_written_says_every_bit() {
        let values = [
            (Tensor::of(vec![1, 2], vec![0.1f32, -0.0]).unwrap(), &["0.1", "-0"][..]),
            (Tensor::scalar(f32::INFINITY), &["inf"]),
            (Tensor::vector(&[0.1f64, 1e300]), &["0.1", &format!("1{}", "0".repeat(300))]),
            (Tensor::vector(&[f16::from_f32(0.1), f16::MAX]), &["0.099975586", "65504"]),
            (Tensor::vector(&[bf16::from_f32(1.5)]), &["1.5"]),
            (Tensor::vector(&[i64::MIN, 0]), &["-9223372036854775808", "0"]),
            (Tensor::scalar(u64::MAX), &["18446744073709551615"]),
            (Tensor::vector(&[-3i16]), &["-3"]),
            (Tensor::of_bools(vec![2], [true, false]).unwrap(), &["true", "false"]),
            (Tensor::vector::<i64>(&[]), &[]),
        ];
        for (tensor, expected) in values {
            let literal = written(&tensor).unwrap();
            assert_eq!(literal.numbers, expected, "{tensor:?}");
            assert_eq!(literal.dims, tensor.dims());
        }
    }

    #[test]
    fn what_no_text_says_is_not_written() {
        let bytes = |byte: &'static [u8]| bytes::Bytes::from_static(byte);
        let values = [
            Tensor::vector(&[0i64; 65]),
            Tensor::of(vec![1 << 40, 0], Vec::<f32>::new()).unwrap(),
            Tensor::of(vec![64, 64, 64, 0], Vec::<f32>::new()).unwrap(),
            Tensor::scalar(f32::from_bits(0x7fc0_0001)),
            Tensor::new(DType::Bool, vec![1], bytes(&[2])).unwrap(),
            Tensor::new(DType::F8E4M3, vec![1], bytes(&[2])).unwrap(),
        ];
        for tensor in values {
            assert_eq!(written(&tensor), None, "{tensor:?}");
        }
    }
}
