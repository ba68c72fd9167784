//! The chain: every line ends with the digest of the line before it and with its own.
//!
//! Digests are over the bytes of the line, not over a form that is printed again, so no reader's view of numbers matters.

use sha2::{Digest, Sha256};

/// What stands for the digest before the first row.
pub const FIRST: &str = "0000000000000000000000000000000000000000000000000000000000000000";

const PREV: &str = ",\"prev_hash\":\"";
const HASH: &str = ",\"hash\":\"";
const END: &str = "\"}";

/// Hexadecimal SHA-256.
fn digest(text: &str) -> String {
    Sha256::digest(text.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The line of a row: its JSON object (as text, `{...}`) with `prev_hash` and `hash` behind its fields.
pub fn seal(object: &str, prev_hash: &str) -> String {
    let body = object.strip_suffix('}').unwrap_or(object);
    let chained = format!("{body}{PREV}{prev_hash}{END}");
    let hash = digest(&chained);
    format!("{}{HASH}{hash}{END}", &chained[..chained.len() - 1])
}

/// A line taken apart: the row's own object, the digest that it claims for the line before, its own digest. `None` if the line is not
/// what [`seal`] makes or its digest does not match.
pub fn sealed_hash(line: &str) -> Option<(String, &str, &str)> {
    let (chained, hash) = split(line.strip_suffix('}')?, HASH)?;
    if digest(&format!("{chained}}}")) != hash {
        return None;
    }
    let (body, prev) = split(chained, PREV)?;
    Some((format!("{body}}}"), prev, hash))
}

/// Splits `...<key><64 digits>"` before the key.
fn split<'a>(text: &'a str, key: &str) -> Option<(&'a str, &'a str)> {
    let text = text.strip_suffix('"')?;
    let at = text.len().checked_sub(64)?;
    let (head, value) = (text.get(..at)?, text.get(at..)?);
    let body = head.strip_suffix(key)?;
    value.bytes().all(|byte| byte.is_ascii_hexdigit()).then_some((body, value))
}

#[cfg(test)]
mod tests {
    use super::{FIRST, seal, sealed_hash};

    #[test]
    fn a_sealed_line_opens_and_a_changed_one_does_not() {
        let object = r#"{"v":1,"message":"ratio 1.1 of `y`","list":["a\"}"]}"#;
        let first = seal(object, FIRST);
        let (inside, prev, hash) = sealed_hash(&first).expect("a sealed line");
        assert_eq!((inside.as_str(), prev), (object, FIRST));
        let second = seal(object, hash);
        assert_eq!(sealed_hash(&second).expect("a sealed line").1, hash);
        serde_json::from_str::<serde_json::Value>(&second).expect("still JSON");
        for at in 0..first.len() {
            let mut bytes = first.clone().into_bytes();
            bytes[at] ^= 1;
            if let Ok(changed) = String::from_utf8(bytes) {
                assert_eq!(sealed_hash(&changed), None, "byte {at}");
            }
        }
        for end in 0..first.len() {
            assert_eq!(first.get(..end).and_then(sealed_hash), None);
        }
    }
}
