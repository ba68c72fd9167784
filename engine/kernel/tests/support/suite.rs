//! The acceptance list and how its candidates are built. Must not judge.

use crate::tools::{folder, include, text, tool, words};
use assay_kernel::verdict::{Class, Code};
use serde::Deserialize;
use std::path::{Path, PathBuf};

/// `tests/candidates/list.yaml`; its head says what the fields mean.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct List {
    pub candidates: Vec<Entry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    pub id: String,
    pub file: PathBuf,
    #[serde(default)]
    pub only: Option<String>,
    #[serde(default)]
    pub prebuilt: Option<Prebuilt>,
    #[serde(default)]
    pub timed: bool,
    pub classes: Vec<Class>,
    pub codes: Vec<Code>,
    pub what: String,
    pub proof: Vec<Proof>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
#[derive(Default)]
pub struct Prebuilt {
    pub compile: Vec<String>,
    pub link: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Proof {
    #[serde(default)]
    pub probe: Vec<String>,
    #[serde(default)]
    pub imports: Vec<String>,
    #[serde(default)]
    pub exports: Vec<String>,
    #[serde(default)]
    pub init_array: usize,
    #[serde(default)]
    pub sanitizer: String,
    #[serde(default)]
    pub under: Option<String>,
}

/// The list, without what another processor is needed for.
pub fn list() -> Vec<Entry> {
    let text = std::fs::read_to_string(folder().join("list.yaml")).expect("the list");
    let list: List = serde_yaml::from_str(&text).expect("a list as its head says");
    list.candidates
        .into_iter()
        .filter(|entry| entry.only.as_deref().is_none_or(|cpu| cpu == std::env::consts::ARCH))
        .collect()
}

impl Entry {
    /// Its source.
    pub fn source(&self) -> PathBuf {
        folder().join(&self.file)
    }

    /// Whether the judgement is one that the list allows.
    pub fn allows(&self, code: Code) -> bool {
        self.codes.contains(&code) && self.classes.contains(&code.class())
    }

    /// Whether its times decide.
    pub fn is_timed(&self) -> bool {
        self.timed
            || self.codes.contains(&Code::RejectSlower)
            || self.classes.iter().any(|class| *class != Class::Reject)
    }

    /// Builds it as a library in `out`, with what `prebuilt` adds and with `more` for compiler and linker.
    pub fn library(&self, out: &Path, more: &[&str]) -> PathBuf {
        let (object, library) = (out.join(format!("{}.o", self.id)), out.join(format!("{}.so", self.id)));
        let none = Prebuilt::default();
        let extra = self.prebuilt.as_ref().unwrap_or(&none);
        let mut compile = words(&["-O3", "-std=c11", "-march=native", "-fPIC", "-c", "-I"]);
        compile.push(include());
        compile.extend(extra.compile.iter().map(|flag| filled(flag, out)));
        compile.extend(words(more));
        compile.extend([text(&self.source()), "-o".to_owned(), text(&object)]);
        tool("cc", compile, out);
        let mut link = words(&["-shared"]);
        link.extend(extra.link.iter().cloned().chain(words(more)));
        link.extend([text(&object), "-o".to_owned(), text(&library), "-lm".to_owned()]);
        tool("cc", link, out);
        library
    }
}

/// A flag with the place of `fork` in the C library of this machine.
fn filled(flag: &str, out: &Path) -> String {
    const MARK: &str = "{fork_from_malloc}";
    if !flag.contains(MARK) {
        return flag.to_owned();
    }
    let (source, program) = (out.join("offset.c"), out.join("offset"));
    let code = "#define _GNU_SOURCE\n#include <dlfcn.h>\n#include <stdio.h>\nint main(void) {\n\
                printf(\"%td\", (char *)dlsym(RTLD_NEXT, \"fork\") - (char *)dlsym(RTLD_NEXT, \"malloc\"));\n}\n";
    std::fs::write(&source, code).expect("a source");
    tool("cc", vec![text(&source), "-o".to_owned(), text(&program)], out);
    flag.replace(MARK, &tool(&text(&program), Vec::new(), out))
}
