//! From the preprocessed text to the library, by way of the assembler's text: there alternatives, operands and escapes of inline assembler
//! are resolved, so nothing is put together behind the reader's back.

use super::preprocess::Preprocessed;
use super::recipe::{self, Kind};
use super::{BuildError, Compiler, Language, Objection, log};
use regex::Regex;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

/// Directives that read files or make further directives. The name of one in a string counts as well; no kernel needs it.
const DIRECTIVES: &str = r"(?i)\.(?:incbin|include|macro|irpc?|altmacro|mri)\b";

/// A library and how it was made.
pub(super) struct Assembled {
    pub library: PathBuf,
    /// What turned the text into machine code.
    pub command: Vec<String>,
    pub log: String,
}

impl Compiler {
    /// Makes a library of a text that was looked at; what it is linked with for a
    /// device stands behind everything else.
    pub(super) fn assemble(
        &self,
        source: &Path,
        text: &Preprocessed,
        language: Language,
        flags: &[OsString],
        linked: Option<&[OsString]>,
        out: &Path,
    ) -> Result<Assembled, BuildError> {
        let kind = if linked.is_some() { Kind::Device } else { Kind::Plain };
        let library = recipe::library_of(source, kind, out);
        let command = recipe::arguments(&text.text, language, flags, kind, &library);
        let mut said = text.log.clone();
        // What is optimised at the link has no assembler's text before.
        let whole = flags.iter().any(|flag| flag.to_string_lossy().starts_with("-flto"));
        let mut from = text.text.clone();
        if !whole {
            from = text.text.with_extension("s");
            let mut arguments = flags.to_vec();
            arguments.extend(recipe::LIBRARY.iter().map(Into::into));
            arguments.extend(["-S".into(), "-o".into(), from.clone().into_os_string()]);
            arguments.push(text.text.clone().into_os_string());
            said.push_str(&self.finished(&arguments, out)?);
            harmless(source, &from)?;
        }
        let mut arguments = recipe::arguments(&from, language, flags, kind, &library);
        arguments.extend_from_slice(linked.unwrap_or_default());
        said.push_str(&self.finished(&arguments, out)?);
        Ok(Assembled { library, command: self.command(&command), log: said })
    }

    /// Runs it, and gives what it said.
    pub(super) fn finished(&self, arguments: &[OsString], cwd: &Path) -> Result<String, BuildError> {
        let ended = self.run(arguments, cwd)?;
        let log = log(&ended);
        if ended.exit.success() { Ok(log) } else { Err(self.refused(arguments, log)) }
    }
}

/// Looks at the assembler's text.
fn harmless(source: &Path, assembly: &Path) -> Result<(), BuildError> {
    static READY: OnceLock<Option<Regex>> = OnceLock::new();
    let failed = |source| BuildError::File { path: assembly.to_owned(), source };
    let bytes = std::fs::read(assembly).map_err(failed)?;
    let text = String::from_utf8_lossy(&bytes);
    let Some(pattern) = READY.get_or_init(|| Regex::new(DIRECTIVES).ok()) else { return Ok(()) };
    let Some(found) = pattern.find(&text) else { return Ok(()) };
    let line = text[found.end()..].lines().next().unwrap_or_default();
    let what = format!("its assembler reads a file or makes text by macros: `{}`", found.as_str());
    let text = format!("{}{line}", found.as_str());
    Err(BuildError::Forbidden(Objection { file: source.to_owned(), line: 0, what, text }))
}
