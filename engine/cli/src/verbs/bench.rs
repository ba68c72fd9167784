//! `assay bench`: load a server and say how it served.

use crate::bench::{options, output, screen};
use crate::context::Cx;
use crate::fail::Failure;
use crate::reply::Reply;
use assay_loadgen::LoadError;
use assay_loadgen::bench::{Bench, run as measure, write};
use assay_loadgen::row::Status;
use assay_manifest::absolute;
use assay_process::Stop;
use assay_protocol::ExitCode;
use assay_serving::adapter::redact_text;

pub use crate::bench::options::Options;

/// Runs the verb.
pub fn run(cx: &Cx, options: Options) -> Result<Reply, Failure> {
    let bench: Bench = options::bench(cx, &options)?;
    let folder = options.out.as_deref().map(|folder| absolute(&cx.paths.cwd, folder));
    if let Some(folder) = &folder {
        std::fs::create_dir_all(folder).map_err(|error| {
            Failure::usage(format!("cannot make the folder `{}`: {error}", folder.display()))
        })?;
    }
    let stop = Stop::listen(|_| {})
        .map_err(|error| Failure::internal(format!("cannot watch for signals: {error}")))?;
    let mut screen = screen::Screen::new(cx);
    let outcomes = measure(&bench, stop.flag(), &mut |standing| screen.show(standing), &|line| {
        redact_text(line).into_owned()
    })
    .map_err(refused)?;
    drop(screen);
    if let Some(folder) = &folder {
        write(&bench, &outcomes, folder).map_err(refused)?;
        output::write_report(&bench, &outcomes, folder)?;
    }
    let text = output::text(&bench, &outcomes, folder.as_deref().map(|folder| cx.paths.shown(folder)));
    let exit = match (outcomes.stopped, outcomes.row.status()) {
        (true, _) => stop.code().and_then(ExitCode::from_code).unwrap_or(ExitCode::Interrupted),
        (false, Status::Ok) if outcomes.row.verdict().passed == Some(false) => ExitCode::GateFailed,
        (false, Status::Ok) => ExitCode::Ok,
        (false, Status::Invalid) => ExitCode::Inconclusive,
        (false, _) => ExitCode::StepFailed,
    };
    Ok(Reply::new(exit, output::data(&outcomes), text))
}

fn refused(error: LoadError) -> Failure {
    match error {
        LoadError::System { .. } => Failure::new(ExitCode::Internal, "system", error.to_string()),
        _ => Failure::usage(error.to_string()),
    }
}
