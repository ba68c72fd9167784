//! `assay new`: a first skill or workflow that runs as it is and shows where to go on.

use crate::context::Cx;
use crate::fail::Failure;
use crate::reply::Reply;
use assay_protocol::ExitCode;
use clap::Args;
use serde_json::json;
use std::io::Write as _;
use std::path::Path;

const SKILL: &str = include_str!("../templates/skill.yaml");
const WORKFLOW: &str = include_str!("../templates/workflow.yaml");
/// Where a project keeps the schema of its manifests, if it does.
const SCHEMA: &str = "schemas/manifest.schema.json";

/// Options of `new`.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  assay new my-check              writes skills/my-check/skill.yaml\n  assay new nightly --workflow    writes workflows/nightly.yaml"
)]
pub struct Options {
    /// Its name: lower case letters, digits and single dashes
    pub name: String,
    /// A workflow, which calls skills and is run by name
    #[arg(long)]
    pub workflow: bool,
}

/// Runs the verb.
pub fn run(cx: &Cx, options: Options) -> Result<Reply, Failure> {
    let name = options.name;
    if !is_name(&name) {
        return Err(Failure::usage(format!("`{name}` cannot be the name of a skill")).help(
            "use lower case letters, digits and single dashes, such as `my-check`; at most 64 characters",
        ));
    }
    let (relative, template) = match options.workflow {
        true => (format!("workflows/{name}.yaml"), WORKFLOW),
        false => (format!("skills/{name}/skill.yaml"), SKILL),
    };
    let file = cx.paths.cwd.join(&relative);
    let fail = |error: std::io::Error| match error.kind() {
        std::io::ErrorKind::AlreadyExists => {
            Failure::new(ExitCode::Usage, "exists", format!("`{relative}` exists already"))
                .help("choose another name, or edit the file")
                .next(format!("assay plan {name}"), "shows what it would do")
        }
        _ => Failure::internal(format!("cannot write `{relative}`: {error}")),
    };
    if let Some(folder) = file.parent() {
        std::fs::create_dir_all(folder).map_err(fail)?;
    }
    let mut written = std::fs::File::create_new(&file).map_err(fail)?;
    let text = header(&cx.paths.cwd, &relative) + &template.replace("@NAME@", &name);
    written.write_all(text.as_bytes()).map_err(fail)?;
    Ok(Reply::ok(json!({"name": name, "file": relative}), format!("{relative}\n"))
        .next(format!("assay plan {name}"), "checks it and shows what would run")
        .next(format!("assay run {name}"), "runs it")
        .next(
            "assay explain command",
            "shows what a `command` step can do; `assay list steps` lists the others",
        ))
}

/// The line by which an editor finds the schema, where the project has one. A line that leads nowhere would only
/// make the editor complain.
fn header(project: &Path, manifest: &str) -> String {
    if !project.join(SCHEMA).is_file() {
        return String::new();
    }
    let up = "../".repeat(manifest.matches('/').count());
    format!("# yaml-language-server: $schema={up}{SCHEMA}\n")
}

fn is_name(name: &str) -> bool {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    name.len() <= 64
        && name.starts_with(|c: char| c.is_ascii_lowercase())
        && name.chars().all(plain)
        && !name.ends_with('-')
        && !name.contains("--")
}

#[cfg(test)]
mod tests {
    use super::{SKILL, WORKFLOW, is_name};
    use assay_diagnostics::{Sources, render};
    use assay_manifest::{Origin, lower};

    #[test]
    fn names_are_names_of_folders() {
        assert!(is_name("my-check2"));
        for bad in ["", "My", "2x", "a--b", "a-", "-a", "a/b", "../x", "a_b"] {
            assert!(!is_name(bad), "{bad}");
        }
    }

    #[test]
    fn both_templates_are_valid() {
        for template in [SKILL, WORKFLOW] {
            let text = template.replace("@NAME@", "probe");
            let mut sources = Sources::new();
            let source = sources.add("probe.yaml", text.as_str());
            let origin = Origin { file: "/p/probe.yaml".to_owned(), dir: "/p".into() };
            let lowered = lower(source, &text, origin, &assay_steps::registry().catalog());
            assert!(!lowered.has_errors(), "{}", render::text(&lowered.diagnostics, &sources, false));
        }
    }
}
