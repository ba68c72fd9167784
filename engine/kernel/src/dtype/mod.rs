//! Element types: their bytes, their values as `f64`, their roundoff.

mod element;

use element::Flag;
use float8::{F8E4M3, F8E5M2};
use half::{bf16, f16};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Type of a tensor's elements.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum DType {
    /// IEEE 754 binary64.
    Fp64,
    /// IEEE 754 binary32.
    Fp32,
    /// IEEE 754 binary16.
    Fp16,
    /// Brain floating point: the upper half of binary32.
    Bf16,
    /// 8-bit float with 4 bits of exponent, no infinities (OCP OFP8 E4M3).
    E4m3,
    /// 8-bit float with 5 bits of exponent (OCP OFP8 E5M2).
    E5m2,
    /// Signed 64-bit integer.
    Int64,
    /// Signed 32-bit integer.
    Int32,
    /// Signed 8-bit integer.
    Int8,
    /// Unsigned 8-bit integer.
    Uint8,
    /// One byte, 0 or 1.
    Bool,
}

/// Calls a function of [`element`] for the type: what is done for each element does not ask for its type again.
macro_rules! of {
    ($dtype:expr, $function:ident($($argument:expr),*)) => {
        match $dtype {
            Self::Fp64 => element::$function::<f64>($($argument),*),
            Self::Fp32 => element::$function::<f32>($($argument),*),
            Self::Fp16 => element::$function::<f16>($($argument),*),
            Self::Bf16 => element::$function::<bf16>($($argument),*),
            Self::E4m3 => element::$function::<F8E4M3>($($argument),*),
            Self::E5m2 => element::$function::<F8E5M2>($($argument),*),
            Self::Int64 => element::$function::<i64>($($argument),*),
            Self::Int32 => element::$function::<i32>($($argument),*),
            Self::Int8 => element::$function::<i8>($($argument),*),
            Self::Uint8 => element::$function::<u8>($($argument),*),
            Self::Bool => element::$function::<Flag>($($argument),*),
        }
    };
}

impl DType {
    /// Bytes of an element.
    pub fn size(self) -> usize {
        match self {
            Self::Fp64 | Self::Int64 => 8,
            Self::Fp32 | Self::Int32 => 4,
            Self::Fp16 | Self::Bf16 => 2,
            Self::E4m3 | Self::E5m2 | Self::Int8 | Self::Uint8 | Self::Bool => 1,
        }
    }

    /// Unit roundoff `2^-p` of a float with `p` bits of significand; `None` for integers.
    pub fn unit_roundoff(self) -> Option<f64> {
        let bits = match self {
            Self::Fp64 => 53,
            Self::Fp32 => 24,
            Self::Fp16 => 11,
            Self::Bf16 => 8,
            Self::E4m3 => 4,
            Self::E5m2 => 3,
            _ => return None,
        };
        Some(2f64.powi(-bits))
    }

    /// Smallest positive normal value of a float; `None` for integers. Below it the error of a rounding is absolute.
    pub fn min_normal(self) -> Option<f64> {
        let exponent = match self {
            Self::Fp64 => -1022,
            Self::Fp32 | Self::Bf16 => -126,
            Self::Fp16 | Self::E5m2 => -14,
            Self::E4m3 => -6,
            _ => return None,
        };
        Some(2f64.powi(exponent))
    }

    /// Largest finite value of a float; `None` for integers.
    pub fn max_finite(self) -> Option<f64> {
        match self {
            Self::Fp64 => Some(f64::MAX),
            Self::Fp32 => Some(f32::MAX.into()),
            Self::Fp16 => Some(f16::MAX.to_f64()),
            Self::Bf16 => Some(bf16::MAX.to_f64()),
            Self::E4m3 => Some(448.0),
            Self::E5m2 => Some(57_344.0),
            _ => None,
        }
    }

    /// The element's value. `bytes` holds exactly one, in the machine's byte order.
    ///
    /// # Panics
    /// If `bytes` has another length than [`Self::size`].
    pub fn read(self, bytes: &[u8]) -> f64 {
        of!(self, get(bytes))
    }

    /// As [`Self::read`] for elements that lie behind one another; their values are appended.
    pub fn read_all(self, bytes: &[u8], values: &mut Vec<f64>) {
        of!(self, get_all(bytes, values));
    }

    /// Writes a value, rounded to the nearest (ties to even). Integers are cut off at the ends of their range, and so are finite
    /// values of 8-bit floats, as the conversions of hardware do.
    ///
    /// # Panics
    /// If `bytes` has another length than [`Self::size`].
    pub fn write(self, value: f64, bytes: &mut [u8]) {
        of!(self, put(value, bytes));
    }

    /// As [`Self::write`] for elements that lie behind one another, as many as there are values.
    pub fn write_all(self, values: &[f64], bytes: &mut [u8]) {
        of!(self, put_all(values, bytes));
    }

    /// The value after one correct rounding to this type.
    pub fn rounded(self, mut value: f64) -> f64 {
        self.round_all(std::slice::from_mut(&mut value));
        value
    }

    /// As [`Self::rounded`], in place.
    pub fn round_all(self, values: &mut [f64]) {
        of!(self, round_all(values));
    }

    /// Code and bits of a `DLDataType` (DLPack 1.1: int 0, uint 1, float 2, bfloat 4, bool 6, e4m3fn 10, e5m2 12).
    pub fn dlpack(self) -> (u8, u8) {
        let code = match self {
            Self::Int64 | Self::Int32 | Self::Int8 => 0,
            Self::Uint8 => 1,
            Self::Fp64 | Self::Fp32 | Self::Fp16 => 2,
            Self::Bf16 => 4,
            Self::Bool => 6,
            Self::E4m3 => 10,
            Self::E5m2 => 12,
        };
        (code, (self.size() * 8) as u8)
    }
}

#[cfg(test)]
mod tests {
    use super::DType::{Bf16, E4m3, E5m2, Fp16, Fp32, Fp64, Int8, Int32};

    #[test]
    fn one_rounding_is_within_one_roundoff() {
        for dtype in [Fp64, Fp32, Fp16, Bf16, E4m3, E5m2] {
            let u = dtype.unit_roundoff().expect("a float");
            for step in 0..1000 {
                let value = 1.0 + f64::from(step) * 0.011_37;
                let error = (dtype.rounded(value) - value).abs() / value;
                assert!(error <= u, "{dtype:?} {value}: {error} > {u}");
            }
            let least = dtype.min_normal().expect("a float");
            assert_eq!(dtype.rounded(least), least);
            let most = dtype.max_finite().expect("a float");
            assert_eq!(dtype.rounded(most), most);
        }
    }

    #[test]
    fn ties_go_to_even_and_integers_stay_in_range() {
        assert_eq!(Bf16.rounded(1.0 + 1.0 / 256.0), 1.0);
        assert_eq!(Bf16.rounded(1.0 + 3.0 / 256.0), 1.0 + 4.0 / 256.0);
        assert_eq!(Int8.rounded(1e9), 127.0);
        assert_eq!(Int32.rounded(-2.5), -2.0);
        assert!(Fp16.rounded(f64::NAN).is_nan() && E4m3.rounded(f64::NAN).is_nan());
        assert_eq!(Bf16.rounded(1e39), f64::INFINITY);
        assert_eq!(E5m2.rounded(f64::NEG_INFINITY), f64::NEG_INFINITY);
        assert_eq!((E5m2.rounded(1e9), E4m3.rounded(-1e9)), (57_344.0, -448.0));
    }
}
