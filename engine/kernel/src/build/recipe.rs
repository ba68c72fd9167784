//! What a library is built with beside the task's own flags, for both sides alike.

use super::Language;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// What every library is built with.
pub(super) const LIBRARY: &[&str] = &["-fPIC", "-shared"];

/// For the linker: libraries that are not used leave no trace.
const LINK: &[&str] = &["-Wl,--as-needed", "-Wl,-z,separate-code"];

/// What nobody defines is told at the link. Sanitizers find their own functions at run time, and drivers theirs.
const WHOLE: &str = "-Wl,-z,defs";

/// What makes a build watch itself.
const WATCHED: &[&str] =
    &["-g", "-fno-omit-frame-pointer", "-fsanitize=address,undefined", "-fno-sanitize-recover=all"];

/// What a library is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// A worker on this machine's processor.
    Plain,
    /// A worker that is thrown away: it watches its memory and arithmetic.
    Watched,
    /// A worker with a device, whose driver brings functions of its own.
    Device,
}

/// The standard of C++ where a task names none; that of C says nothing about it.
const CPP: &str = "-std=gnu++17";

/// No product and sum become one operation unless the task's flags say so: whether they do depends on the compiler, on the standard,
/// and on the language, so that the same text would be faster in another.
const UNCONTRACTED: &str = "-ffp-contract=off";

/// The task's flags for a source in a language.
pub(super) fn flags(task: &[String], language: Language) -> Vec<OsString> {
    let mut flags = Vec::new();
    if !task.iter().any(|flag| flag.starts_with("-ffp-contract")) {
        flags.push(UNCONTRACTED.into());
    }
    flags.extend(task.iter().filter(|flag| !is_of_other(flag, language)).map(Into::into));
    if language == Language::Cpp && !task.iter().any(|flag| names_cpp(flag)) {
        flags.push(CPP.into());
    }
    flags
}

fn names_cpp(flag: &str) -> bool {
    flag.strip_prefix("-std=").is_some_and(|name| name.contains("++")) || flag == "-ansi"
}

/// Whether a flag names a standard of the other language.
fn is_of_other(flag: &str, language: Language) -> bool {
    flag.starts_with("-std=") && names_cpp(flag) != (language == Language::Cpp)
}

/// Where the library of a source comes to lie.
pub(super) fn library_of(source: &Path, kind: Kind, out: &Path) -> PathBuf {
    let stem = source.file_stem().unwrap_or_default().to_string_lossy();
    out.join(format!("{stem}{}.so", if kind == Kind::Watched { ".watched" } else { "" }))
}

/// What makes a library of a text that was preprocessed or compiled.
pub(super) fn arguments(
    text: &Path,
    language: Language,
    flags: &[OsString],
    kind: Kind,
    library: &Path,
) -> Vec<OsString> {
    let mut arguments = flags.to_vec();
    arguments.extend(LIBRARY.iter().map(Into::into));
    arguments.extend(["-o".into(), library.as_os_str().to_owned(), text.as_os_str().to_owned()]);
    arguments.extend(LINK.iter().map(Into::into));
    let more: &[&str] = match kind {
        Kind::Plain => &[WHOLE],
        Kind::Watched => WATCHED,
        Kind::Device => &[],
    };
    arguments.extend(more.iter().map(Into::into));
    if language == Language::Cpp {
        arguments.push("-lstdc++".into());
    }
    arguments.push("-lm".into());
    arguments
}

#[cfg(test)]
mod tests {
    use super::{Language, flags};

    fn told(task: &[&str], language: Language) -> Vec<String> {
        let task: Vec<String> = task.iter().map(|flag| (*flag).to_owned()).collect();
        flags(&task, language).into_iter().map(|flag| flag.to_string_lossy().into_owned()).collect()
    }

    #[test]
    fn both_languages_compute_alike() {
        let task = ["-O3", "-std=c11"];
        assert_eq!(told(&task, Language::C), ["-ffp-contract=off", "-O3", "-std=c11"]);
        assert_eq!(told(&task, Language::Cpp), ["-ffp-contract=off", "-O3", "-std=gnu++17"]);
        let task = ["-std=c11", "-std=c++20", "-ffp-contract=fast"];
        assert_eq!(told(&task, Language::Cpp), ["-std=c++20", "-ffp-contract=fast"]);
        assert_eq!(told(&task, Language::C), ["-std=c11", "-ffp-contract=fast"]);
    }
}
