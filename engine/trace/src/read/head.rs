//! The fields beside the events: what the trace says about itself and the machine.

use crate::store::Trace;
use serde_json::Value;

/// Longest field that is looked into; tools put whole job descriptions there.
const LONGEST: usize = 1 << 20;

/// Fields read so far.
#[derive(Default)]
pub struct Heading {
    fields: Vec<(String, Value)>,
}

impl Heading {
    /// Takes a field. What is no JSON or unknown is left out: nothing depends on it.
    pub fn field(&mut self, key: &[u8], text: &[u8]) {
        const KNOWN: [&str; 6] = [
            "schemaVersion",
            "deviceProperties",
            "distributedInfo",
            "record_shapes",
            "with_stack",
            "baseTimeNanoseconds",
        ];
        let Some(key) = KNOWN.into_iter().find(|known| known.as_bytes() == key) else { return };
        if text.len() <= LONGEST
            && let Ok(value) = serde_json::from_slice(text)
        {
            self.fields.push((key.to_owned(), value));
        }
    }

    /// Writes them into the head of the trace.
    pub fn hand_over(self, trace: &mut Trace) {
        let head = &mut trace.head;
        for (key, value) in self.fields {
            match key.as_str() {
                "schemaVersion" => head.schema_version = value.as_u64(),
                "record_shapes" => head.record_shapes = flag(&value),
                "with_stack" => head.with_stack = flag(&value),
                "baseTimeNanoseconds" => head.base_time = value.as_i64(),
                "distributedInfo" => {
                    head.rank = small(&value["rank"]);
                    head.world_size = small(&value["world_size"]);
                }
                _ => head.device_properties = value.as_array().cloned().unwrap_or_default(),
            }
        }
    }
}

fn flag(value: &Value) -> Option<bool> {
    value.as_bool().or_else(|| value.as_u64().map(|number| number != 0))
}

fn small(value: &Value) -> Option<u32> {
    value.as_u64().and_then(|number| u32::try_from(number).ok())
}
