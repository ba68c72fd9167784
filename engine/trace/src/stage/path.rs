//! The stage that a path claims, for callers who ask for it: capture tools write one file for each stage.

use super::Stage;
use std::path::Path;

/// The stage named by the last six components of `path`, if exactly one is.
pub fn of_path(path: &Path) -> Option<Stage> {
    let shown = path.to_string_lossy().to_lowercase();
    let components: Vec<&str> = shown.rsplit(['/', '\\']).take(6).collect();
    let says = |words: &[&str]| {
        components.iter().any(|part| {
            part.split(|letter: char| !letter.is_ascii_alphanumeric()).any(|word| words.contains(&word))
        })
    };
    match (says(&["extend", "prefill"]), says(&["decode"])) {
        (true, false) => Some(Stage::Prefill),
        (false, true) => Some(Stage::Decode),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::{Stage, of_path};
    use std::path::Path;

    #[test]
    fn one_stage_or_none() {
        for (path, stage) in [
            ("run/1759-TP-0-DECODE.trace.json.gz", Some(Stage::Decode)),
            ("prefill/trace.json", Some(Stage::Prefill)),
            ("a/x-TP-0-EXTEND.trace.json.gz", Some(Stage::Prefill)),
            ("vllm_prefilldecode_x.json.gz", None),
            ("prefill_decode.json", None),
            ("trace.json", None),
        ] {
            assert_eq!(of_path(Path::new(path)), stage, "{path}");
        }
    }
}
