//! Skills, workflows and the quickstart example inside the binary. They are written to the cache folder when a run needs
//! their files, so that `skill.dir` is a real folder.

use crate::fail::Failure;
use std::path::{Path, PathBuf};

include!(concat!(env!("OUT_DIR"), "/builtin.rs"));

/// Prefix of a built-in manifest's file.
pub const PREFIX: &str = "builtin:";

/// A built-in manifest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Builtin {
    /// Its name.
    pub name: &'static str,
    /// Its text.
    pub text: &'static str,
    /// Its folder in the tree.
    folder: &'static str,
}

/// Every built-in manifest.
pub fn all() -> impl Iterator<Item = Builtin> {
    FILES.iter().filter_map(|(path, content)| manifest(path, content))
}

/// The built-in manifest called `name`.
pub fn get(name: &str) -> Option<Builtin> {
    all().find(|builtin| builtin.name == name)
}

fn manifest(path: &'static str, content: &'static [u8]) -> Option<Builtin> {
    let (folder, file) = path.rsplit_once('/')?;
    let name = match folder {
        "workflows" => file.strip_suffix(".yaml")?,
        _ => folder.strip_prefix("skills/").filter(|name| !name.contains('/') && file == "skill.yaml")?,
    };
    Some(Builtin { name, text: std::str::from_utf8(content).ok()?, folder })
}

impl Builtin {
    /// Its folder on disk; the whole tree is written below `cache` if it is not there as it should be.
    pub fn dir(&self, cache: &Path) -> Result<PathBuf, Failure> {
        Ok(extract(cache)?.join(self.folder))
    }
}

/// Writes the tree to `<cache>/builtin-<digest>` unless it is there, whole and unchanged.
fn extract(cache: &Path) -> Result<PathBuf, Failure> {
    let root = cache.join(format!("builtin-{DIGEST}"));
    if is_intact(&root) {
        return Ok(root);
    }
    let fail = |what: &str, path: &Path, error: std::io::Error| {
        Failure::internal(format!("cannot {what} `{}`: {error}", path.display()))
            .help("the built-in skills are written there; choose another folder with `ASSAY_CACHE`")
    };
    let temporary = cache.join(format!(".builtin-{DIGEST}-{}", std::process::id()));
    for (path, content) in FILES {
        let file = temporary.join(path);
        let folder = file.parent().unwrap_or(&temporary);
        std::fs::create_dir_all(folder).map_err(|error| fail("make", folder, error))?;
        std::fs::write(&file, content).map_err(|error| fail("write", &file, error))?;
    }
    if std::fs::rename(&temporary, &root).is_err() {
        // Either another process was faster, or what is there was changed and has to make way.
        if !is_intact(&root) {
            let aside = cache.join(format!(".changed-{DIGEST}-{}", std::process::id()));
            std::fs::rename(&root, &aside).map_err(|error| fail("replace", &root, error))?;
            std::fs::rename(&temporary, &root).map_err(|error| fail("write", &root, error))?;
            // Left behind it does no harm.
            let _ = std::fs::remove_dir_all(&aside);
        }
        let _ = std::fs::remove_dir_all(&temporary);
    }
    Ok(root)
}

fn is_intact(root: &Path) -> bool {
    FILES.iter().all(|(path, content)| std::fs::read(root.join(path)).is_ok_and(|found| found == *content))
}

#[cfg(test)]
mod tests {
    use super::{all, get};

    #[test]
    fn the_quickstart_is_built_in_with_its_example() {
        assert!(
            get("quickstart").is_some() && get("paired-kernel-check").is_some() && get("nothing").is_none()
        );
        let names: Vec<&str> = all().map(|builtin| builtin.name).collect();
        assert!(names.len() >= 2, "{names:?}");
        let cache = tempfile::tempdir().unwrap();
        let dir = get("quickstart").unwrap().dir(cache.path()).unwrap();
        assert!(dir.join("../examples/quickstart/oracle.c").is_file());
    }

    #[test]
    fn a_changed_copy_is_replaced() {
        let cache = tempfile::tempdir().unwrap();
        let builtin = get("quickstart").unwrap();
        let file = builtin.dir(cache.path()).unwrap().join("quickstart.yaml");
        std::fs::write(&file, "changed").unwrap();
        builtin.dir(cache.path()).unwrap();
        assert_eq!(std::fs::read_to_string(&file).unwrap(), builtin.text);
        let left: Vec<_> = std::fs::read_dir(cache.path()).unwrap().collect();
        assert_eq!(left.len(), 1, "{left:?}");
    }
}
