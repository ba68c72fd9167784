//! `file`: a file or folder is there, as wanted.

use super::{cannot, kind, settled, size_words};
use crate::config::{self, schema_of};
use crate::fields::{FilePath, Size};
use assay_manifest::Kind;
use assay_run::{Check, CheckResult, LocalFuture, StepCtx};
use assay_store::sha256_file;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;

/// Looks at a path.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Config {
    /// The file or folder.
    path: FilePath,
    /// `false`: nothing may be there. Default: `true`.
    #[serde(default = "yes")]
    exists: bool,
    /// What it must be: `file` or `folder`. Default: either.
    #[serde(default)]
    kind: Option<Sort>,
    /// Least size, such as `1GiB`; for a folder the sum of its files.
    #[serde(default)]
    min_bytes: Option<Size>,
    /// SHA-256 that it must have, 64 hex digits.
    #[serde(default)]
    sha256: Option<String>,
}

fn yes() -> bool {
    true
}

/// What a path is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum Sort {
    /// A regular file.
    File,
    /// A folder.
    Folder,
}

/// The check type.
#[derive(Debug)]
pub(crate) struct File;

impl Check for File {
    fn kind(&self) -> Kind {
        kind(
            "file",
            "A file or folder is there, as wanted",
            "Looks at a path: whether it exists, what it is, how large it is, and its SHA-256. Links are followed.",
            "check: file\nwith: {path: data/prompts.jsonl, kind: file, min_bytes: 1KiB}\n",
            schema_of::<Config>,
        )
    }

    fn run<'a>(&'a self, cx: &'a StepCtx) -> LocalFuture<'a, CheckResult> {
        Box::pin(
            async move { settled(config::read(&cx.config).map_err(cannot).and_then(|config| look(&config))) },
        )
    }
}

fn look(config: &Config) -> Result<CheckResult, CheckResult> {
    let path = config.path.0.as_path();
    let shown = path.display();
    let metadata = match std::fs::metadata(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound && !config.exists => {
            return Ok(CheckResult::holds(format!("nothing is at `{shown}`"), json!({"exists": false})));
        }
        Err(error) => return Err(cannot(format!("`{shown}` cannot be read: {error}"))),
        Ok(_) if !config.exists => {
            return Err(CheckResult::fails(format!("`{shown}` exists"), json!({"exists": true})));
        }
        Ok(metadata) => metadata,
    };
    let is = if metadata.is_dir() { "folder" } else { "file" };
    let wrong = match config.kind {
        Some(Sort::File) => !metadata.is_file(),
        Some(Sort::Folder) => !metadata.is_dir(),
        None => false,
    };
    if wrong {
        let wanted = if config.kind == Some(Sort::File) { "file" } else { "folder" };
        return Err(cannot(format!("`{shown}` is no {wanted}")));
    }
    if config.sha256.is_none() && (config.min_bytes.is_none() || metadata.is_file()) {
        return sized(
            config,
            metadata.len(),
            is,
            json!({"exists": true, "kind": is, "bytes": metadata.len()}),
        );
    }
    let digest = sha256_file(path).map_err(|error| cannot(format!("cannot hash `{shown}`: {error}")))?;
    let evidence = json!({"exists": true, "kind": is, "bytes": digest.bytes, "sha256": digest.sha256});
    match &config.sha256 {
        Some(wanted) if !wanted.eq_ignore_ascii_case(&digest.sha256) => Err(CheckResult::fails(
            format!("`{shown}` has SHA-256 {}, expected {wanted}", digest.sha256),
            evidence,
        )),
        _ => sized(config, digest.bytes, is, evidence),
    }
}

fn sized(
    config: &Config,
    bytes: u64,
    is: &str,
    evidence: serde_json::Value,
) -> Result<CheckResult, CheckResult> {
    let shown = config.path.0.display();
    match config.min_bytes {
        Some(least) if bytes < least.bytes() => {
            let found = format!(
                "`{shown}` has {}, expected at least {}",
                size_words(bytes),
                size_words(least.bytes())
            );
            Err(CheckResult::fails(found, evidence))
        }
        _ => Ok(CheckResult::holds(format!("`{shown}` is a {is}"), evidence)),
    }
}

#[cfg(test)]
mod tests {
    use super::{Config, look, settled};
    use crate::config::read;
    use assay_store::sha256_hex;
    use serde_json::{Value, json};

    fn holds(config: Value) -> (bool, String) {
        let config: Config = read(&config).unwrap();
        let result = settled(look(&config));
        (result.holds, result.found)
    }

    #[test]
    fn paths_are_looked_at() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a b");
        std::fs::write(&path, "hello").unwrap();
        assert!(holds(json!({"path": path})).0);
        assert!(
            holds(json!({"path": path, "kind": "file", "min_bytes": "5B", "sha256": sha256_hex(b"hello")})).0
        );
        assert!(holds(json!({"path": dir.path(), "kind": "folder", "min_bytes": 5})).0);
        for (config, word) in [
            (json!({"path": path, "kind": "folder"}), "no folder"),
            (json!({"path": path, "min_bytes": "6B"}), "5 B, expected at least 6 B"),
            (json!({"path": dir.path(), "min_bytes": "6B"}), "at least"),
            (json!({"path": path, "sha256": "00"}), "expected 00"),
            (json!({"path": path, "exists": false}), "exists"),
            (json!({"path": dir.path().join("none")}), "cannot be read"),
        ] {
            let (held, found) = holds(config);
            assert!(!held && found.contains(word), "{found}");
        }
        assert!(holds(json!({"path": dir.path().join("none"), "exists": false})).0);
    }
}
