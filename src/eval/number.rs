//! Arithmetic that is the same for `f32` and the whole-number types.

use std::cmp::Ordering;

use crate::tensor::Element;

/// A type that layers compute in. Whole numbers wrap around.
pub(super) trait Number: Element + PartialOrd {
    const ZERO: Self;
    const ONE: Self;
    /// Not above any other; −∞ where there is one.
    const LOWEST: Self;
    /// Not below any other; ∞ where there is one.
    const HIGHEST: Self;
    /// Whether division by 0 has no result.
    const WHOLE: bool;

    fn add(self, other: Self) -> Self;
    fn sub(self, other: Self) -> Self;
    fn mul(self, other: Self) -> Self;
    /// The quotient; whole numbers truncate it, and callers refuse 0 before.
    fn div(self, other: Self) -> Self;
    fn floor_div(self, other: Self) -> Self;
    /// The power; whole numbers truncate it, and take 0 to a negative power as 0.
    fn pow(self, exponent: Self) -> Self;
    /// The larger; a NaN yields to a number, as in TensorRT.
    fn larger(self, other: Self) -> Self;
    /// The smaller; a NaN yields to a number, as in TensorRT.
    fn smaller(self, other: Self) -> Self;
    fn abs(self) -> Self;
    fn neg(self) -> Self;
    /// −1, 0 or 1; 0 for a NaN.
    fn sign(self) -> Self;
}

impl Number for f32 {
    const ZERO: Self = 0.0;
    const ONE: Self = 1.0;
    const LOWEST: Self = f32::NEG_INFINITY;
    const HIGHEST: Self = f32::INFINITY;
    const WHOLE: bool = false;

    fn add(self, other: Self) -> Self {
        self + other
    }
    fn sub(self, other: Self) -> Self {
        self - other
    }
    fn mul(self, other: Self) -> Self {
        self * other
    }
    fn div(self, other: Self) -> Self {
        self / other
    }
    fn floor_div(self, other: Self) -> Self {
        (self / other).floor()
    }
    fn pow(self, exponent: Self) -> Self {
        self.powf(exponent)
    }
    fn larger(self, other: Self) -> Self {
        self.max(other)
    }
    fn smaller(self, other: Self) -> Self {
        self.min(other)
    }
    fn abs(self) -> Self {
        f32::abs(self)
    }
    fn neg(self) -> Self {
        -self
    }
    fn sign(self) -> Self {
        if self > 0.0 {
            1.0
        } else if self < 0.0 {
            -1.0
        } else {
            0.0
        }
    }
}

macro_rules! whole_numbers {
    ($($int:ty),*) => { $(
        impl Number for $int {
            const ZERO: Self = 0;
            const ONE: Self = 1;
            const LOWEST: Self = <$int>::MIN;
            const HIGHEST: Self = <$int>::MAX;
            const WHOLE: bool = true;

            fn add(self, other: Self) -> Self {
                self.wrapping_add(other)
            }
            fn sub(self, other: Self) -> Self {
                self.wrapping_sub(other)
            }
            fn mul(self, other: Self) -> Self {
                self.wrapping_mul(other)
            }
            fn div(self, other: Self) -> Self {
                if other == 0 { 0 } else { self.wrapping_div(other) }
            }
            fn floor_div(self, other: Self) -> Self {
                let inexact = other != 0 && self.wrapping_rem(other) != 0;
                let quotient = self.div(other);
                let rounded_up = inexact && (self < Self::ZERO) != (other < Self::ZERO);
                if rounded_up { quotient.wrapping_sub(1) } else { quotient }
            }
            fn pow(self, exponent: Self) -> Self {
                if exponent < Self::ZERO {
                    // 1 / self^n truncates to 0 but for ±1, whose power only depends on n being
                    // odd.
                    return match self.mul(self) {
                        1 if self == Self::ONE || exponent & 1 == 0 => 1,
                        1 => self,
                        _ => 0,
                    };
                }
                let (mut result, mut base, mut left) = (Self::ONE, self, exponent);
                while left > 0 {
                    if left & 1 == 1 {
                        result = result.wrapping_mul(base);
                    }
                    base = base.wrapping_mul(base);
                    left >>= 1;
                }
                result
            }
            fn larger(self, other: Self) -> Self {
                self.max(other)
            }
            fn smaller(self, other: Self) -> Self {
                self.min(other)
            }
            fn abs(self) -> Self {
                if self < Self::ZERO { self.neg() } else { self }
            }
            fn neg(self) -> Self {
                self.wrapping_neg()
            }
            fn sign(self) -> Self {
                match self.cmp(&Self::ZERO) {
                    Ordering::Less => Self::ZERO.wrapping_sub(1),
                    Ordering::Equal => 0,
                    Ordering::Greater => 1,
                }
            }
        }
    )* };
}
whole_numbers!(i8, u8, i32, i64);

/// Runs an expression with `$number` naming the Rust type of a whole-number `DType`; any other type
/// is an error.
macro_rules! with_whole_number {
    ($tensor:expr, $at:expr, $number:ident => $body:expr) => {
        match $tensor.dtype() {
            $crate::tensor::DType::I8 => {
                type $number = i8;
                $body
            }
            $crate::tensor::DType::U8 => {
                type $number = u8;
                $body
            }
            $crate::tensor::DType::I32 => {
                type $number = i32;
                $body
            }
            $crate::tensor::DType::I64 => {
                type $number = i64;
                $body
            }
            actual => Err($crate::eval::EvalError::Type {
                at: $at,
                actual,
                expected: "a number that layers compute in",
            }),
        }
    };
}
pub(super) use with_whole_number;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_numbers_divide_and_raise() {
        assert_eq!(
            (Number::div(-7i32, 2), Number::floor_div(-7i32, 2), Number::floor_div(7i32, -2)),
            (-3, -4, -4)
        );
        assert_eq!((Number::div(i32::MIN, -1), Number::floor_div(-6i64, 3)), (i32::MIN, -2));
        assert_eq!(
            (Number::pow(3i32, 4), Number::pow(-2i64, 3), Number::pow(2i8, 7)),
            (81, -8, -128)
        );
        assert_eq!(
            (Number::pow(-1i32, -3), Number::pow(-1i32, -2), Number::pow(2i32, -1)),
            (-1, 1, 0)
        );
        assert_eq!((Number::sign(-5i8), Number::abs(-5i64), Number::abs(200u8)), (-1, 5, 200));
    }

    #[test]
    fn a_nan_yields_to_a_number() {
        assert_eq!(
            (f32::NAN.larger(1.0), 1.0f32.smaller(f32::NAN), Number::sign(f32::NAN)),
            (1.0, 1.0, 0.0)
        );
    }
}
