//! One digest over everything that a workload asks.

use crate::{Prompt, Request, Role};
use blake3::Hasher;

/// Blake3 in hexadecimal over each request in order. Every part carries its length, so no two workloads share their bytes.
pub(super) fn of(requests: &[Request]) -> String {
    let mut hasher = Hasher::new();
    hasher.update(b"assay-workload-1");
    for request in requests {
        prompt(&mut hasher, &request.prompt);
        hasher.update(&request.output_len.to_le_bytes());
        hasher.update(&request.follows.map_or(u64::MAX, u64::from).to_le_bytes());
        bytes(&mut hasher, serde_json::Value::Object(request.extra_body.clone()).to_string().as_bytes());
    }
    hasher.finalize().to_hex().to_string()
}

fn prompt(hasher: &mut Hasher, prompt: &Prompt) {
    match prompt {
        Prompt::Text(text) => {
            hasher.update(b"t");
            bytes(hasher, text.as_bytes());
        }
        Prompt::Ids(ids) => {
            hasher.update(b"i");
            hasher.update(&(ids.len() as u64).to_le_bytes());
            for id in ids {
                hasher.update(&id.to_le_bytes());
            }
        }
        Prompt::Messages(messages) => {
            hasher.update(b"m");
            hasher.update(&(messages.len() as u64).to_le_bytes());
            for message in messages {
                hasher.update(match message.role {
                    Role::System => b"s",
                    Role::User => b"u",
                    Role::Assistant => b"a",
                });
                bytes(hasher, message.content.as_bytes());
            }
        }
    }
}

fn bytes(hasher: &mut Hasher, part: &[u8]) {
    hasher.update(&(part.len() as u64).to_le_bytes());
    hasher.update(part);
}
