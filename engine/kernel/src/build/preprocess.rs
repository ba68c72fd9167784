//! The preprocessor, once for each source: the text that it gives is looked at, and exactly that text is compiled, for the plain
//! library and for the one that watches itself. A macro that only one of them defines can hide nothing from the other.

use super::bounds::Bounds;
use super::{BuildError, Compiler, Language, Objection, beside, directives, log, recipe, scan};
use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

/// A source that was preprocessed and found harmless.
#[derive(Debug)]
pub(super) struct Preprocessed {
    /// The text, in a file of its own.
    pub text: PathBuf,
    /// The source and the files in its folder that the preprocessor read.
    pub sources: BTreeSet<PathBuf>,
    /// What the preprocessor said; warnings, as a rule empty.
    pub log: String,
}

/// Where the text of a source stands in the folder of its build. The ending tells the compiler what it is.
pub(super) fn text_of(source: &Path, language: Language, out: &Path) -> PathBuf {
    let stem = source.file_stem().unwrap_or_default().to_string_lossy();
    out.join(format!("{stem}.{}", if language == Language::Cpp { "ii" } else { "i" }))
}

impl Compiler {
    /// Preprocesses a source with the flags of its build and looks at everything that it became. `source`, `include` (the folder
    /// of the project's header) and `out` are absolute, without links.
    pub(super) fn preprocess(
        &self,
        source: &Path,
        language: Language,
        flags: &[OsString],
        include: &Path,
        out: &Path,
    ) -> Result<Preprocessed, BuildError> {
        if let Some((path, reason)) = beside::unreadable(source) {
            if path == source {
                return Err(BuildError::File { path, source: reason });
            }
            return Err(forbidden(source, format!("it includes `{}`: {reason}", path.display())));
        }
        let text = text_of(source, language, out);
        let rule = text.with_extension("d");
        let mut arguments = flags.to_vec();
        arguments.extend(recipe::LIBRARY.iter().map(Into::into));
        arguments.extend(["-I".into(), include.as_os_str().to_owned()]);
        arguments.extend([
            "-MD".into(),
            "-MF".into(),
            rule.clone().into_os_string(),
            "-MT".into(),
            "it".into(),
        ]);
        arguments.extend(["-E".into(), source.as_os_str().to_owned()]);
        let bounds = Bounds::PREPROCESSOR;
        let ended = self.run_within(bounds, &arguments, out)?;
        let log = log(&ended);
        if !ended.exit.success() {
            return Err(BuildError::failed(bounds, self.command(&arguments), log));
        }
        if ended.truncated {
            let what = "it grows beyond what is read when everything is included".to_owned();
            return Err(forbidden(source, what));
        }
        let failed = |path: &Path| {
            let path = path.to_owned();
            move |source| BuildError::File { path, source }
        };
        let system = self.system_folders(language == Language::Cpp, out)?;
        let read = std::fs::read(&rule).map_err(failed(&rule))?;
        let files = Files::sorted(&dependencies(&read), source, include, &system, out)?;
        if let Some(objection) = files.own.iter().find_map(|file| directives::look(file)) {
            return Err(BuildError::Forbidden(objection));
        }
        let looked = String::from_utf8_lossy(&ended.stdout);
        scan::look(source, &looked, out, &files).map_err(BuildError::Forbidden)?;
        std::fs::write(&text, &ended.stdout).map_err(failed(&text))?;
        Ok(Preprocessed { text, sources: files.own, log })
    }
}

fn forbidden(source: &Path, what: String) -> BuildError {
    BuildError::Forbidden(Objection { file: source.to_owned(), line: 0, what, text: String::new() })
}

/// What the preprocessor read, without links.
#[derive(Debug, Default)]
pub(super) struct Files {
    /// The source and what lies in its folder.
    pub own: BTreeSet<PathBuf>,
    /// What belongs to the compiler and the system.
    pub system: BTreeSet<PathBuf>,
    /// What lies elsewhere: nothing of it may be there.
    pub strange: BTreeSet<PathBuf>,
}

impl Files {
    fn sorted(
        read: &[PathBuf],
        source: &Path,
        include: &Path,
        system: &[PathBuf],
        cwd: &Path,
    ) -> Result<Self, BuildError> {
        let folder = source.parent().unwrap_or(Path::new("/"));
        let mut files = Self::default();
        for path in read {
            let path = cwd.join(path);
            let Ok(real) = path.canonicalize() else {
                return Err(forbidden(
                    source,
                    format!("it includes `{}`, which is not there", path.display()),
                ));
            };
            if real.starts_with(include) {
                continue;
            } else if system.iter().any(|folder| real.starts_with(folder)) {
                files.system.insert(real);
            } else if real.starts_with(folder) {
                files.own.insert(real);
            } else {
                files.strange.insert(real);
            }
        }
        Ok(files)
    }
}

/// The files in a rule for `make`, as compilers write them: continued lines, `\ ` and `\#` for signs of a name, `$$` for `$`.
fn dependencies(rule: &[u8]) -> Vec<PathBuf> {
    let start = rule.windows(2).position(|two| two == b": ").map_or(rule.len(), |at| at + 2);
    let (mut found, mut name, mut at) = (Vec::new(), Vec::new(), start);
    while at < rule.len() {
        let run = rule[at..].iter().take_while(|byte| **byte == b'\\').count();
        let (behind, next) = (at + run, rule.get(at + run).copied());
        at = behind + 1;
        match next {
            // Before a blank each second backslash guards another; an odd one guards the blank.
            Some(blank @ (b' ' | b'\t' | b'#' | b':')) => {
                name.extend(std::iter::repeat_n(b'\\', run / 2));
                let ends = run % 2 == 0 && (blank == b' ' || blank == b'\t');
                if ends {
                    close(&mut name, &mut found);
                } else {
                    name.push(blank);
                }
            }
            Some(b'\n') => {
                name.extend(std::iter::repeat_n(b'\\', run.saturating_sub(1)));
                close(&mut name, &mut found);
            }
            other => {
                name.extend(std::iter::repeat_n(b'\\', run));
                name.extend(other);
                at += usize::from(other == Some(b'$') && rule.get(at) == Some(&b'$'));
            }
        }
    }
    close(&mut name, &mut found);
    found
}

fn close(name: &mut Vec<u8>, found: &mut Vec<PathBuf>) {
    if !name.is_empty() {
        found.push(OsStr::from_bytes(name).into());
        name.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::dependencies;
    use std::path::PathBuf;

    #[test]
    fn a_rule_tells_names_with_any_sign() {
        let rule = b"it: k.c /usr/include/math.h \\\n a\\ b.h c\\#d.h e$$f.h g\\h.h \\\n  i\\\\\\ j.h\n";
        let names = ["k.c", "/usr/include/math.h", "a b.h", "c#d.h", "e$f.h", "g\\h.h", "i\\ j.h"];
        assert_eq!(dependencies(rule), names.map(PathBuf::from));
        assert!(dependencies(b"").is_empty());
    }
}
