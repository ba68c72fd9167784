//! The snapshot of the environment that everything below is handed. The only place that looks.

use std::collections::HashMap;
use std::io::IsTerminal as _;
use std::path::PathBuf;

/// The caller's environment at the start.
#[derive(Debug, Clone)]
pub struct Env {
    /// Variables whose name and value are valid UTF-8.
    pub vars: HashMap<String, String>,
    /// The current directory.
    pub cwd: PathBuf,
    /// Whether standard input, output and error are terminals.
    pub terminal: [bool; 3],
}

impl Env {
    /// Looks once.
    pub fn capture() -> Self {
        let vars = std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
            .collect();
        Self {
            vars,
            // Without a current directory relative paths mean nothing; the root makes that visible.
            cwd: std::env::current_dir().unwrap_or_else(|_| PathBuf::from("/")),
            terminal: [
                std::io::stdin().is_terminal(),
                std::io::stdout().is_terminal(),
                std::io::stderr().is_terminal(),
            ],
        }
    }

    /// A variable that is set and not empty.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.vars.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }
}

#[cfg(test)]
impl Env {
    /// An environment of nothing but a current directory.
    pub(crate) fn bare(cwd: &std::path::Path) -> Self {
        Self { vars: HashMap::new(), cwd: cwd.to_owned(), terminal: [false; 3] }
    }
}
