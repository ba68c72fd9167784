//! `assay doctor`: what this machine has for judging kernels, what is missing, and how to get it.

use crate::console::{Tone, paint};
use crate::context::Cx;
use crate::fail::Failure;
use crate::reply::Reply;
use assay_kernel::doctor::{Fact, Need, facts};
use assay_manifest::absolute;
use assay_protocol::ExitCode;
use clap::Args;
use serde_json::json;
use std::ffi::OsStr;

/// Options of `doctor`.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  assay doctor\n  assay doctor --json\n  ASSAY_NVRTC=~/nvrtc assay doctor      where NVRTC lies in a folder of its own\n\nExit codes: 0 C and C++ kernels can be judged here, 40 something that they need is missing."
)]
pub struct Options {}

/// Runs the verb.
pub fn run(cx: &Cx, _: Options) -> Result<Reply, Failure> {
    let path = cx.env.get("PATH").unwrap_or("/usr/local/bin:/usr/bin:/bin");
    let nvrtc = cx.env.get("ASSAY_NVRTC").map(|folder| absolute(&cx.paths.cwd, folder));
    let facts = facts(OsStr::new(path), nvrtc.as_deref());
    let lacks = |need: Need| facts.iter().any(|fact| fact.need == need && !fact.ok);
    let (cpu, gpu) = (!lacks(Need::Required), !lacks(Need::Gpu));
    let exit = if cpu { ExitCode::Ok } else { ExitCode::Unsupported };
    let mut text: String = facts.iter().map(|fact| line(cx, fact)).collect();
    text.push('\n');
    text.push_str(match cpu {
        true => "C and C++ kernels can be judged here.\n",
        false => "No kernel can be judged here: see what is missing above.\n",
    });
    if !gpu {
        text.push_str("Kernels for GPUs cannot be judged here in full.\n");
    }
    Ok(Reply::new(exit, json!({"cpu": cpu, "gpu": gpu, "facts": facts}), text))
}

fn line(cx: &Cx, fact: &Fact) -> String {
    let (tone, word) = match (fact.ok, fact.need) {
        (true, _) => (Tone::Good, "ok"),
        (false, Need::Required) => (Tone::Bad, "missing"),
        (false, Need::Gpu) => (Tone::Quiet, "no"),
        (false, Need::Helpful) => (Tone::Warn, "poor"),
    };
    let name = if fact.need == Need::Gpu { format!("{} (GPU)", fact.name) } else { fact.name.to_owned() };
    let word = paint(cx.console.color_out, tone, &format!("{word:<7}"));
    let mut line = format!("{word} {name:<24} {}\n", fact.found);
    if !fact.way_out.is_empty() {
        line.push_str(&format!("{:32} {}\n", "", fact.way_out));
    }
    line
}
