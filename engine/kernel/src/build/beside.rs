//! What belongs to a source: files beside it that it includes. A kernel is what all of them say, not what one of them says.

use super::regular;
use sha2::{Digest, Sha256};
use std::collections::BTreeSet;
use std::io;
use std::path::{Component, Path, PathBuf};

/// Endings of files that may include others.
const SOURCES: [&str; 11] = ["c", "cc", "cpp", "cxx", "cu", "cuh", "h", "hh", "hpp", "hxx", "inc"];

/// Most files that are followed; sources of a kernel are few.
const MOST: usize = 1_000;

/// The source and the files in its folder that it includes, directly or not, in the order of their paths. What an include in a
/// condition names counts too; a name that a macro makes is not seen here, only by the compiler.
///
/// # Errors
/// The source itself is no file that can be read. Files that are not there, or lie elsewhere, are left to the compiler.
pub fn closure(source: &Path) -> io::Result<BTreeSet<PathBuf>> {
    walk(source, &mut |_, _| ())
}

/// A file that a source includes by name, wherever it lies, and that nobody should open: a pipe, a device, one that is too large.
/// What a macro names is not seen here.
pub(super) fn unreadable(source: &Path) -> Option<(PathBuf, io::Error)> {
    let mut first = None;
    let seen = walk(source, &mut |path, error| {
        first.get_or_insert((path, error));
    });
    seen.map_or_else(|error| Some((source.to_owned(), error)), |_| first)
}

/// Follows includes, and hands out what is there and is no file that is read.
fn walk(source: &Path, odd: &mut dyn FnMut(PathBuf, io::Error)) -> io::Result<BTreeSet<PathBuf>> {
    regular(source)?;
    let folder = source.parent().unwrap_or(Path::new(""));
    let (mut found, mut open) = (BTreeSet::new(), vec![source.to_owned()]);
    while let Some(file) = open.pop() {
        if found.len() == MOST || !found.insert(file.clone()) || !may_include(&file) {
            continue;
        }
        let text = match std::fs::read(&file) {
            Ok(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
            Err(error) if file == source => return Err(error),
            Err(_) => continue,
        };
        let own = file.parent().unwrap_or(folder);
        for path in text.lines().filter_map(included).filter_map(|name| plain(&own.join(name))) {
            match regular(&path) {
                Ok(()) if path.starts_with(folder) => open.push(path),
                // Compilers look past folders of that name.
                Err(error) if path.exists() && !path.is_dir() => odd(path, error),
                _ => {}
            }
        }
    }
    Ok(found)
}

/// Digest of a candidate, in hexadecimal: of the file's bytes where it stands alone, otherwise over the digest and the name of each
/// file in the order of the names.
///
/// # Errors
/// A file cannot be read.
pub fn digest(source: &Path, files: &BTreeSet<PathBuf>) -> io::Result<String> {
    let of = |path: &Path| std::fs::read(path).map(|bytes| hex(&Sha256::digest(bytes)));
    if files.iter().all(|file| file == source) {
        return of(source);
    }
    let folder = source.parent().unwrap_or(Path::new(""));
    let mut all = Sha256::new();
    for file in files {
        let name = file.strip_prefix(folder).unwrap_or(file);
        all.update(format!("{} {}\n", of(file)?, name.display()));
    }
    Ok(hex(&all.finalize()))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn may_include(file: &Path) -> bool {
    file.extension().and_then(|ending| ending.to_str()).is_some_and(|ending| SOURCES.contains(&ending))
}

/// The name in `#include "name"`, and in `#include </name>`.
fn included(line: &str) -> Option<&str> {
    let rest = line.trim_start().strip_prefix('#')?.trim_start().strip_prefix("include")?;
    let rest = rest.strip_prefix("_next").unwrap_or(rest).trim_start();
    let system = || rest.strip_prefix('<')?.split_once('>').map(|(name, _)| name);
    let own = rest.strip_prefix('"').and_then(|rest| rest.split_once('"')).map(|(name, _)| name);
    own.or_else(|| system().filter(|name| name.starts_with('/')))
}

/// A path without `.` and `..`, so that it is the same however it is written; nothing where it climbs above its start.
fn plain(path: &Path) -> Option<PathBuf> {
    let mut out = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir => {
                if !out.pop() {
                    return None;
                }
            }
            other => out.push(other),
        }
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::{closure, digest};

    #[test]
    fn files_that_are_included_belong_to_the_source() {
        let folder = tempfile::tempdir().expect("a folder");
        let at = |name: &str| folder.path().join(name);
        std::fs::create_dir(at("parts")).expect("a folder");
        for (name, text) in [
            ("k.c", "#include <math.h>\n#include \"a.h\"\n#include \"absent.h\"\n"),
            ("a.h", " # include \"parts/b.h\"\n#include \"../outside.h\"\n"),
            ("parts/b.h", "#include \"../a.h\"\nint b;\n"),
            ("other.h", "int other;\n"),
        ] {
            std::fs::write(at(name), text).expect("a file");
        }
        let found = closure(&at("k.c")).expect("a source");
        assert_eq!(found.iter().collect::<Vec<_>>(), [&at("a.h"), &at("k.c"), &at("parts/b.h")]);
        let before = digest(&at("k.c"), &found).expect("a digest");
        std::fs::write(at("parts/b.h"), "int c;\n").expect("a file");
        assert_ne!(digest(&at("k.c"), &found).expect("a digest"), before);
        // A file alone has the digest of its bytes.
        let alone = closure(&at("other.h")).expect("a file");
        let sum = "f9a9c131242c51711612c1b54e005c0379954dc8ae3b6f07d25488314f94551f";
        assert_eq!(digest(&at("other.h"), &alone).expect("a digest"), sum);
        assert!(closure(&at("none.c")).is_err());
    }
}
