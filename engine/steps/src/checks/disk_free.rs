//! `disk_free`: there is room below a path.

use super::{cannot, kind, settled, size_words};
use crate::config::{self, schema_of};
use crate::fields::{FilePath, Size};
use assay_manifest::Kind;
use assay_run::{Check, CheckResult, LocalFuture, StepCtx};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;
use std::path::Path;

/// Looks at a file system.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Config {
    /// A path on the file system; the nearest folder above it that exists counts. Default: the run directory.
    #[serde(default)]
    path: Option<FilePath>,
    /// Least free space, such as `20GiB`.
    min: Size,
}

/// The check type.
#[derive(Debug)]
pub(crate) struct DiskFree;

impl Check for DiskFree {
    fn kind(&self) -> Kind {
        kind(
            "disk_free",
            "There is room on a file system",
            "Compares the space that this user may still write on the file system of a path.",
            "check: disk_free\nwith: {path: /tmp, min: 20GiB}\n",
            schema_of::<Config>,
        )
    }

    fn run<'a>(&'a self, cx: &'a StepCtx) -> LocalFuture<'a, CheckResult> {
        Box::pin(async move {
            settled(
                config::read(&cx.config)
                    .map_err(cannot)
                    .and_then(|config| look(&config, cx.run_dir().path())),
            )
        })
    }
}

fn look(config: &Config, run_dir: &Path) -> Result<CheckResult, CheckResult> {
    let wanted = config.path.as_ref().map_or(run_dir, |path| path.0.as_path());
    let path = wanted.ancestors().find(|path| path.exists()).unwrap_or(Path::new("/"));
    let stat = rustix::fs::statvfs(path).map_err(|error| {
        cannot(format!("cannot look at the file system of `{}`: {error}", path.display()))
    })?;
    let free = stat.f_bavail.saturating_mul(stat.f_frsize);
    let evidence = json!({"path": path, "free_bytes": free, "min_bytes": config.min.bytes()});
    let found = format!("{} free at `{}`", size_words(free), path.display());
    if free < config.min.bytes() {
        return Err(CheckResult::fails(
            format!("{found}, expected at least {}", size_words(config.min.bytes())),
            evidence,
        ));
    }
    Ok(CheckResult::holds(found, evidence))
}

#[cfg(test)]
mod tests {
    use super::{Config, look, settled};
    use crate::config::read;
    use serde_json::json;

    #[test]
    fn room_is_compared_even_below_a_path_that_is_not_there_yet() {
        let dir = tempfile::tempdir().unwrap();
        let config: Config = read(&json!({"path": dir.path().join("not/yet"), "min": "1B"})).unwrap();
        let found = settled(look(&config, dir.path()));
        assert!(found.holds && found.evidence["free_bytes"].as_u64().unwrap() > 0);
        let config: Config = read(&json!({"min": "1000000TiB"})).unwrap();
        assert!(settled(look(&config, dir.path())).found.contains("expected at least"));
    }
}
