//! Types of the network as types of the bridge.

use super::ffi;
use crate::emit::Refused;
use crate::network::layer;
use crate::tensor::DType;

/// Enumerations that have the same variants on both sides. A variant too many on our side does not
/// compile.
macro_rules! same {
    ($($ours:ty => $theirs:ident: $($variant:ident)*;)*) => {
        $(impl From<$ours> for ffi::$theirs {
            fn from(value: $ours) -> Self {
                match value { $(<$ours>::$variant => Self::$variant,)* }
            }
        })*
    };
}

same! {
    layer::ActivationType => ActivationType: Relu Sigmoid Tanh LeakyRelu Elu Selu Softsign Softplus
        Clip HardSigmoid ScaledTanh ThresholdedRelu GeluErf GeluTanh;
    layer::ElementWiseOperation => ElementWiseOperation: Sum Prod Max Min Sub Div Pow FloorDiv And
        Or Xor Equal Greater Less;
    layer::UnaryOperation => UnaryOperation: Exp Log Sqrt Recip Abs Neg Sin Cos Tan Sinh Cosh Asin
        Acos Atan Asinh Acosh Atanh Ceil Floor Erf Not Sign Round IsInf IsNan;
    layer::ReduceOperation => ReduceOperation: Sum Prod Max Min Avg;
    layer::MatrixOperation => MatrixOperation: None Transpose Vector;
    layer::PoolingType => PoolingType: Max Average MaxAverageBlend;
    layer::PaddingMode => PaddingMode: ExplicitRoundDown ExplicitRoundUp SameUpper
        SameLower CaffeRoundDown CaffeRoundUp;
    layer::ScaleMode => ScaleMode: Uniform Channel ElementWise;
    layer::GatherMode => GatherMode: Default Element Nd;
    layer::ScatterMode => ScatterMode: Element Nd;
    layer::FillOperation => FillOperation: Linspace RandomUniform RandomNormal;
    layer::TopKOperation => TopKOperation: Max Min;
    layer::SampleMode => SampleMode: StrictBounds Wrap Clamp Fill Reflect;
    layer::InterpolationMode => InterpolationMode: Nearest Linear Cubic;
    layer::CoordinateTransformation => CoordinateTransformation: AlignCorners Asymmetric
        HalfPixel;
    layer::ResizeSelector => ResizeSelector: Formula Upper;
    layer::ResizeRoundMode => ResizeRoundMode: HalfUp HalfDown Floor Ceil;
    layer::RnnOperation => RnnOperation: Relu Tanh Lstm Gru;
    layer::RnnGateType => RnnGateType: Input Output Forget Update Reset Cell Hidden;
    layer::BoundingBoxFormat => BoundingBoxFormat: CornerPairs CenterSizes;
}

/// Types that a TensorRT network can hold, on both sides.
const TYPES: [(DType, ffi::DType); 12] = [
    (DType::F32, ffi::DType::F32),
    (DType::F16, ffi::DType::F16),
    (DType::BF16, ffi::DType::BF16),
    (DType::I8, ffi::DType::I8),
    (DType::U8, ffi::DType::U8),
    (DType::I32, ffi::DType::I32),
    (DType::I64, ffi::DType::I64),
    (DType::Bool, ffi::DType::Bool),
    (DType::F8E4M3, ffi::DType::F8E4M3),
    (DType::I4, ffi::DType::I4),
    (DType::F4E2M1, ffi::DType::F4E2M1),
    (DType::F8E8M0, ffi::DType::F8E8M0),
];

/// A type for TensorRT.
pub(super) fn to_ffi(dtype: DType) -> Result<ffi::DType, Refused> {
    let found = TYPES.iter().find(|(ours, _)| *ours == dtype);
    found.map(|(_, theirs)| *theirs).ok_or_else(|| refused(format!("TensorRT has no type {dtype}")))
}

/// A type from TensorRT; `None` for one that we do not know.
pub(super) fn from_ffi(dtype: ffi::DType) -> Option<DType> {
    TYPES.iter().find(|(_, theirs)| *theirs == dtype).map(|(ours, _)| *ours)
}

/// A size, count or axis in the width that TensorRT takes.
pub(super) fn int<T: TryFrom<usize>>(value: usize) -> Result<T, Refused> {
    T::try_from(value).map_err(|_| refused(format!("{value} is too large for TensorRT")))
}

/// Sizes or axes.
pub(super) fn ints(values: &[usize]) -> Result<Vec<i64>, Refused> {
    values.iter().map(|&value| int(value)).collect()
}

/// Axes as bits.
pub(super) fn mask(axes: &[usize]) -> Result<u32, Refused> {
    axes.iter().try_fold(0, |mask, &axis| {
        let bit = u32::try_from(axis).ok().and_then(|axis| 1u32.checked_shl(axis));
        bit.map(|bit| mask | bit)
            .ok_or_else(|| refused(format!("axis {axis} is too large for TensorRT")))
    })
}

/// A refusal of our own, before TensorRT was asked.
pub(super) fn refused(message: impl Into<String>) -> Refused {
    Refused { message: message.into() }
}
