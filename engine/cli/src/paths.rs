//! Where Assay keeps things, by the XDG base directory specification and Assay's own variables.

use crate::env::Env;
use assay_manifest::absolute;
use std::path::{Path, PathBuf};

/// Folders, all absolute.
#[derive(Debug, Clone)]
pub struct Paths {
    /// The caller's directory.
    pub cwd: PathBuf,
    /// Runs: `--runs-dir`, else `ASSAY_RUNS`, else `./runs`.
    pub runs: PathBuf,
    /// Stored heads of journals: `$XDG_STATE_HOME/assay`, else `~/.local/state/assay`.
    pub state: PathBuf,
    /// The user's skills and workflows: `$XDG_CONFIG_HOME/assay`, else `~/.config/assay`.
    pub config: PathBuf,
    /// Extracted built-ins, and what is remembered: `ASSAY_CACHE`, else `$XDG_CACHE_HOME/assay`, else `~/.cache/assay`.
    pub cache: PathBuf,
    /// Locks that hold for all users of the host: `ASSAY_LOCKS`, else `/tmp/assay-locks`.
    pub locks: PathBuf,
}

impl Paths {
    /// Reads the snapshot; `runs` is the value of `--runs-dir`.
    pub fn new(env: &Env, runs: Option<&str>) -> Self {
        let cwd = env.cwd.clone();
        let home = match env.get("HOME") {
            Some(home) => absolute(&cwd, home),
            None => PathBuf::from(format!("/tmp/assay-home-{}", rustix::process::getuid().as_raw())),
        };
        // The specification ignores relative values.
        let xdg = |name: &str, otherwise: &str| {
            let base = env.get(name).map(PathBuf::from).filter(|path| path.is_absolute());
            base.unwrap_or_else(|| home.join(otherwise)).join("assay")
        };
        let own = |name: &str| env.get(name).map(|path| absolute(&cwd, path));
        Self {
            runs: absolute(&cwd, runs.or(env.get("ASSAY_RUNS")).unwrap_or("runs")),
            state: xdg("XDG_STATE_HOME", ".local/state"),
            config: xdg("XDG_CONFIG_HOME", ".config"),
            cache: own("ASSAY_CACHE").unwrap_or_else(|| xdg("XDG_CACHE_HOME", ".cache")),
            locks: own("ASSAY_LOCKS").unwrap_or_else(|| PathBuf::from("/tmp/assay-locks")),
            cwd,
        }
    }

    /// A path as users like to see it: relative where it lies below the current directory.
    pub fn shown(&self, path: &Path) -> String {
        match path.strip_prefix(&self.cwd) {
            Ok(relative) if relative.as_os_str().is_empty() => ".".to_owned(),
            Ok(relative) => relative.display().to_string(),
            Err(_) => path.display().to_string(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Paths;
    use crate::env::Env;
    use std::path::Path;

    #[test]
    fn flag_beats_variable_beats_default() {
        let mut env = Env::bare(Path::new("/srv"));
        env.vars.insert("HOME".to_owned(), "/home/a".to_owned());
        let paths = Paths::new(&env, None);
        assert_eq!(paths.runs, Path::new("/srv/runs"));
        assert_eq!(paths.state, Path::new("/home/a/.local/state/assay"));
        assert_eq!(paths.cache, Path::new("/home/a/.cache/assay"));
        env.vars.insert("ASSAY_RUNS".to_owned(), "/data".to_owned());
        env.vars.insert("XDG_STATE_HOME".to_owned(), "relative".to_owned());
        assert_eq!(Paths::new(&env, None).runs, Path::new("/data"));
        assert_eq!(Paths::new(&env, Some("../r")).runs, Path::new("/r"));
        assert_eq!(Paths::new(&env, None).state, Path::new("/home/a/.local/state/assay"));
    }

    #[test]
    fn paths_below_the_current_directory_are_shown_short() {
        let paths = Paths::new(&Env::bare(Path::new("/srv")), None);
        assert_eq!(paths.shown(Path::new("/srv/runs/a")), "runs/a");
        assert_eq!(paths.shown(Path::new("/else/a")), "/else/a");
    }
}
