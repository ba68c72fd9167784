//! Fingerprints: what a step's result depends on, as one hash.

use assay_protocol::{Value, ValueMap};

/// Stands in a configuration for what differs from run to run by nature.
pub const VOLATILE: &str = "\u{0}volatile";

/// Collects what a step's result depends on.
#[derive(Debug, Clone)]
pub struct Fingerprint {
    hasher: blake3::Hasher,
}

impl Fingerprint {
    /// Begins with the step's type.
    pub fn new(uses: &str) -> Self {
        let mut fingerprint = Self { hasher: blake3::Hasher::new() };
        fingerprint.part("uses", uses.as_bytes());
        fingerprint
    }

    /// Adds a named part. Name and length keep parts apart.
    pub fn part(&mut self, name: &str, bytes: &[u8]) {
        self.hasher.update(&(name.len() as u64).to_le_bytes()).update(name.as_bytes());
        self.hasher.update(&(bytes.len() as u64).to_le_bytes()).update(bytes);
    }

    /// Adds a value in a form that does not depend on the order of keys.
    pub fn value(&mut self, name: &str, value: &Value) {
        let mut bytes = Vec::new();
        canonical(value, &mut bytes);
        self.part(name, &bytes);
    }

    /// The fingerprint: 32 hex characters.
    pub fn finish(&self) -> String {
        self.hasher.finalize().to_hex().as_str()[..32].to_owned()
    }
}

/// Hash of a step's outputs without the volatile ones.
pub fn of_outputs(outputs: &ValueMap, is_volatile: impl Fn(&str) -> bool) -> String {
    let mut kept = ValueMap::new();
    for (name, value) in outputs.iter().filter(|(name, _)| !is_volatile(name)) {
        kept.insert(name.clone(), if name == "files" { digests_only(value) } else { value.clone() });
    }
    let mut fingerprint = Fingerprint::new("outputs");
    fingerprint.value("outputs", &Value::Object(kept));
    fingerprint.finish()
}

/// Files count by content: their paths lie in the run directory and differ from run to run.
fn digests_only(files: &Value) -> Value {
    match files {
        Value::Object(map) => Value::Object(
            map.iter()
                .map(|(name, file)| (name.clone(), file.get("sha256").cloned().unwrap_or(Value::Null)))
                .collect(),
        ),
        other => other.clone(),
    }
}

fn canonical(value: &Value, out: &mut Vec<u8>) {
    match value {
        Value::Object(map) => {
            let mut keys: Vec<&String> = map.keys().collect();
            keys.sort_unstable();
            out.push(b'{');
            for key in keys {
                out.extend_from_slice(Value::from(key.as_str()).to_string().as_bytes());
                out.push(b':');
                canonical(&map[key], out);
                out.push(b',');
            }
            out.push(b'}');
        }
        Value::Array(items) => {
            out.push(b'[');
            for item in items {
                canonical(item, out);
                out.push(b',');
            }
            out.push(b']');
        }
        scalar => out.extend_from_slice(scalar.to_string().as_bytes()),
    }
}

#[cfg(test)]
mod tests {
    use super::{Fingerprint, of_outputs};
    use serde_json::json;

    #[test]
    fn order_of_keys_does_not_matter_and_values_do() {
        let of = |value| {
            let mut fingerprint = Fingerprint::new("command");
            fingerprint.value("with", &value);
            fingerprint.finish()
        };
        assert_eq!(of(json!({"a": 1, "b": [2, 3]})), of(json!({"b": [2, 3], "a": 1})));
        assert_ne!(of(json!({"a": 1})), of(json!({"a": 2})));
        assert_ne!(of(json!(["ab", "c"])), of(json!(["a", "bc"])));
    }

    #[test]
    fn volatile_outputs_and_paths_do_not_count() {
        let outputs = |url: &str, path: &str, sha: &str| {
            let value = json!({"url": url, "files": {"lib": {"path": path, "sha256": sha}}});
            of_outputs(value.as_object().unwrap(), |name| name == "url")
        };
        assert_eq!(outputs("http://a", "/r1/lib", "x"), outputs("http://b", "/r2/lib", "x"));
        assert_ne!(outputs("http://a", "/r1/lib", "x"), outputs("http://a", "/r1/lib", "y"));
    }
}
