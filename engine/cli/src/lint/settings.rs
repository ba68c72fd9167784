//! The configuration: `assay-lint.yaml` in the current folder or the nearest one above it, up to the repository's root.

use crate::context::Cx;
use crate::fail::Failure;
use crate::library::read_text;
use assay_diagnostics::{Sources, render};
use assay_lint::Config;
use assay_manifest::absolute;
use assay_protocol::ExitCode;
use std::path::{Path, PathBuf};

/// The name that is looked for.
pub const NAME: &str = "assay-lint.yaml";

/// A configuration and the folder that its paths start at.
#[derive(Debug)]
pub struct Settings {
    /// What was decided.
    pub config: Config,
    /// Where patterns and the baseline start.
    pub folder: PathBuf,
    /// The text that says so, for the cache.
    pub text: String,
}

impl Settings {
    /// The name of a file for patterns: relative to the configuration, else as it is.
    pub fn name_of(&self, file: &Path) -> String {
        file.strip_prefix(&self.folder).unwrap_or(file).to_string_lossy().into_owned()
    }
}

/// Reads the configuration that the caller names, or the one that is found; without one, the defaults.
pub fn settings(cx: &Cx, named: Option<&str>) -> Result<Settings, Failure> {
    let file = match named {
        Some(named) => Some(absolute(&cx.paths.cwd, named)),
        None => nearest(&cx.paths.cwd),
    };
    let Some(file) = file else {
        let folder = cx.paths.cwd.clone();
        return Ok(Settings { config: Config::default(), folder, text: String::new() });
    };
    let folder = file.parent().unwrap_or(Path::new("/")).to_owned();
    let text = read_text(&file).map_err(|why| Failure::new(ExitCode::Usage, "lint-config", why))?;
    let shown = cx.paths.shown(&file);
    let mut sources = Sources::new();
    let source = sources.add(shown.as_str(), text.as_str());
    match Config::parse(source, &text) {
        Ok(config) => Ok(Settings { config, folder, text }),
        Err(found) => Err(Failure {
            drawn: render::text(&found, &sources, cx.console.color_err),
            findings: render::json(&found, &sources),
            ..Failure::new(ExitCode::Usage, "lint-config", format!("`{shown}` cannot be used"))
        }),
    }
}

fn nearest(from: &Path) -> Option<PathBuf> {
    for folder in from.ancestors() {
        let file = folder.join(NAME);
        if file.is_file() {
            return Some(file);
        }
        if folder.join(".git").exists() {
            return None;
        }
    }
    None
}
