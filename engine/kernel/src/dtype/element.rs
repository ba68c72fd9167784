//! How each element type lies in bytes, one implementation for each; loops over them are compiled once for each type.

use float8::{F8E4M3, F8E5M2};
use half::{bf16, f16};

/// An element type. Slices hold exactly one element, in the machine's byte order.
pub(super) trait Element {
    /// Bytes of an element.
    const SIZE: usize;

    /// The value.
    fn get(bytes: &[u8]) -> f64;

    /// Writes a value, rounded as [`super::DType::write`] tells.
    fn put(value: f64, bytes: &mut [u8]);
}

/// A byte that is 0 or 1.
pub(super) struct Flag;

macro_rules! element {
    ($element:ty, $bytes:expr, |$one:ident| $get:expr, |$value:ident| $put:expr) => {
        impl Element for $element {
            const SIZE: usize = $bytes;

            #[inline]
            fn get(bytes: &[u8]) -> f64 {
                let mut $one = [0; $bytes];
                $one.copy_from_slice(bytes);
                $get
            }

            #[inline]
            fn put($value: f64, bytes: &mut [u8]) {
                bytes.copy_from_slice(&$put);
            }
        }
    };
}

element!(f64, 8, |one| Self::from_ne_bytes(one), |value| value.to_ne_bytes());
element!(f32, 4, |one| Self::from_ne_bytes(one).into(), |value| (value as Self).to_ne_bytes());
element!(f16, 2, |one| Self::from_ne_bytes(one).to_f64(), |value| Self::from_f64(value).to_ne_bytes());
element!(bf16, 2, |one| Self::from_ne_bytes(one).to_f64(), |value| Self::from_f64(value).to_ne_bytes());
element!(F8E4M3, 1, |one| Self::from_bits(one[0]).to_f64(), |value| [Self::from_f64(value).to_bits()]);
element!(F8E5M2, 1, |one| Self::from_bits(one[0]).to_f64(), |value| [e5m2(value)]);
element!(i64, 8, |one| Self::from_ne_bytes(one) as f64, |value| (value.round_ties_even() as Self)
    .to_ne_bytes());
element!(i32, 4, |one| Self::from_ne_bytes(one).into(), |value| (value.round_ties_even() as Self)
    .to_ne_bytes());
element!(i8, 1, |one| Self::from_ne_bytes(one).into(), |value| (value.round_ties_even() as Self)
    .to_ne_bytes());
element!(u8, 1, |one| one[0].into(), |value| [value.round_ties_even() as Self]);
element!(Flag, 1, |one| one[0].into(), |value| [u8::from(value != 0.0)]);

/// The conversion cuts infinities off, which this type has.
fn e5m2(value: f64) -> u8 {
    match value {
        f64::INFINITY => 0x7c,
        f64::NEG_INFINITY => 0xfc,
        value => F8E5M2::from_f64(value).to_bits(),
    }
}

pub(super) fn get<T: Element>(bytes: &[u8]) -> f64 {
    T::get(bytes)
}

pub(super) fn put<T: Element>(value: f64, bytes: &mut [u8]) {
    T::put(value, bytes);
}

pub(super) fn get_all<T: Element>(bytes: &[u8], values: &mut Vec<f64>) {
    values.extend(bytes.chunks_exact(T::SIZE).map(T::get));
}

pub(super) fn put_all<T: Element>(values: &[f64], bytes: &mut [u8]) {
    for (value, bytes) in values.iter().zip(bytes.chunks_exact_mut(T::SIZE)) {
        T::put(*value, bytes);
    }
}

pub(super) fn round_all<T: Element>(values: &mut [f64]) {
    let mut bytes = [0; 8];
    let bytes = &mut bytes[..T::SIZE];
    for value in values {
        T::put(*value, bytes);
        *value = T::get(bytes);
    }
}
