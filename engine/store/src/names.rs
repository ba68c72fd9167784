//! Names inside a run directory: which relative paths are safe, and how free text becomes a folder name.
//! Must not touch the disk.

use crate::StoreError;
use std::path::{Component, Path, PathBuf};

/// First names inside a run directory that belong to the engine; deliveries cannot take them.
pub const RESERVED: [&str; 10] = [
    "journal.jsonl",
    "plan.json",
    "steps",
    "artifacts",
    "report.md",
    "report.html",
    "live",
    "lock",
    "scratch",
    "control",
];

/// Beginning of the names of files that are being written.
pub(crate) const TEMPORARY: &str = ".assay-";

/// Longest name of one component, in bytes (`NAME_MAX` of Linux file systems).
const NAME_MAX: usize = 255;
/// Longest relative path, in bytes: leaves room for the run directory within `PATH_MAX` (4096).
const RELATIVE_MAX: usize = 2048;
/// Longest slug, in bytes.
const SLUG_MAX: usize = 64;

fn refused(path: &Path, why: impl Into<String>) -> StoreError {
    StoreError::UnsafePath { text: path.to_string_lossy().into_owned(), why: why.into() }
}

/// The path in its plain form, if it is one that a manifest may deliver to: relative, without `..` and control
/// characters, and not beginning with a name in [`RESERVED`].
pub fn safe_relative(path: impl AsRef<Path>) -> Result<PathBuf, StoreError> {
    let path = path.as_ref();
    let plain = plain_relative(path)?;
    let first = plain.iter().next().unwrap_or_default();
    if RESERVED.iter().any(|name| first == *name) {
        return Err(refused(path, format!("`{}` is reserved for the engine", first.display())));
    }
    if first.as_encoded_bytes().starts_with(TEMPORARY.as_bytes()) {
        return Err(refused(
            path,
            format!("names that begin with `{TEMPORARY}` are reserved for the engine"),
        ));
    }
    Ok(plain)
}

/// The same without the reserved names: for paths that the engine itself makes up.
pub(crate) fn plain_relative(path: &Path) -> Result<PathBuf, StoreError> {
    let mut plain = PathBuf::new();
    if path.as_os_str().len() > RELATIVE_MAX {
        return Err(refused(path, format!("it is longer than {RELATIVE_MAX} bytes")));
    }
    for component in path.components() {
        match component {
            Component::Normal(name) => {
                if name.len() > NAME_MAX {
                    return Err(refused(path, format!("a name in it is longer than {NAME_MAX} bytes")));
                }
                let Some(text) = name.to_str() else {
                    return Err(refused(path, "it is not valid UTF-8"));
                };
                if text.chars().any(char::is_control) {
                    return Err(refused(path, "it contains a control character"));
                }
                plain.push(name);
            }
            Component::CurDir => {}
            Component::ParentDir => return Err(refused(path, "it contains `..`")),
            Component::RootDir | Component::Prefix(_) => return Err(refused(path, "it is absolute")),
        }
    }
    if plain.as_os_str().is_empty() {
        return Err(refused(path, "it is empty"));
    }
    Ok(plain)
}

/// Free text as a name of `[A-Za-z0-9._-]`, at most 64 bytes, never empty, never beginning with a dot or a dash.
/// Different texts may give the same slug: whoever needs distinct names puts an index before it.
pub fn slug(text: &str) -> String {
    let mut slug = String::with_capacity(text.len().min(SLUG_MAX));
    for character in text.chars() {
        if slug.len() == SLUG_MAX {
            break;
        }
        match character {
            '.' | '-' if slug.is_empty() => {}
            'A'..='Z' | 'a'..='z' | '0'..='9' | '.' | '_' | '-' => slug.push(character),
            _ if slug.is_empty() || slug.ends_with('-') => {}
            _ => slug.push('-'),
        }
    }
    slug.truncate(slug.trim_end_matches(['-', '.']).len());
    if slug.is_empty() { "_".to_owned() } else { slug }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn refuses_what_leaves_or_is_reserved() {
        for bad in ["", ".", "..", "../../x", "a/../b", "/etc/passwd", "journal.jsonl", "steps/a", "./lock"] {
            assert!(safe_relative(bad).is_err(), "{bad:?} was accepted");
        }
        for bad in ["a\0b", "a\nb", "a/\u{7f}", ".assay-x", "report.md", "scratch/x"] {
            assert!(safe_relative(bad).is_err(), "{bad:?} was accepted");
        }
        assert!(safe_relative("x".repeat(256)).is_err());
        assert!(safe_relative("x/".repeat(1100)).is_err());
    }

    #[test]
    fn accepts_ordinary_and_foreign_names() {
        for good in ["results.md", "sub/journal.jsonl", "größe und 表.json", "a b/c d.csv", "...", "x"] {
            assert_eq!(safe_relative(good).unwrap(), Path::new(good));
        }
        assert_eq!(safe_relative("./a//b/").unwrap(), Path::new("a/b"));
    }

    #[test]
    fn slugs_are_plain() {
        assert_eq!(slug("Llama 3 / 70B (fp8)"), "Llama-3-70B-fp8");
        assert_eq!(slug("../../x"), "x");
        assert_eq!(slug("表"), "_");
        assert_eq!(slug(""), "_");
    }

    proptest! {
        #[test]
        fn an_accepted_path_stays_beneath(text in "(\\.\\.|\\.|/|[a-z\0 é表]{1,4}|steps|lock){0,8}") {
            if let Ok(path) = safe_relative(&text) {
                prop_assert!(path.is_relative());
                prop_assert!(path.components().all(|part| matches!(part, Component::Normal(_))));
                prop_assert!(path.components().count() > 0);
                let first = path.iter().next().unwrap().to_str().unwrap();
                prop_assert!(!RESERVED.contains(&first));
                prop_assert!(!text.contains('\0'));
                prop_assert_eq!(safe_relative(&path).unwrap(), path);
            }
        }

        #[test]
        fn a_path_without_tricks_is_accepted(parts in prop::collection::vec("[a-z]{3,9}[0-9]", 1..6)) {
            let text = parts.join("/");
            prop_assert_eq!(safe_relative(&text).unwrap(), PathBuf::from(text));
        }

        #[test]
        fn every_slug_is_one_safe_name(text in any::<String>()) {
            let slug = slug(&text);
            prop_assert!(!slug.is_empty() && slug.len() <= SLUG_MAX);
            prop_assert!(slug.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b)));
            prop_assert!(plain_relative(Path::new(&slug)).is_ok());
        }
    }
}
