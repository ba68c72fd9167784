//! `assay report`: write the reports of a run again from its records.

use crate::context::Cx;
use crate::fail::Failure;
use crate::reply::Reply;
use crate::{find, reports};
use clap::Args;
use serde_json::json;

/// Options of `report`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  assay report latest\n  assay report k3f --json")]
pub struct Options {
    /// Run: unique prefix of its id, `latest`, or its folder
    #[arg(default_value = "latest")]
    pub run: String,
}

/// Runs the verb.
pub fn run(cx: &Cx, options: Options) -> Result<Reply, Failure> {
    let run = find::run(cx, &options.run)?;
    let recorded = reports::read(cx, &run)?;
    let written = reports::write(&run, &recorded)?;
    let (markdown, html) = (cx.paths.shown(&written.markdown), cx.paths.shown(&written.html));
    let data = json!({"run": run.id(), "report_md": written.markdown, "report_html": written.html});
    Ok(Reply::ok(data, format!("{markdown}\n{html}\n")))
}
