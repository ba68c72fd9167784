//! `assay answer`: answer the question of a run that waits, and continue it.

use super::resume::{How, proceed};
use crate::context::Cx;
use crate::fail::Failure;
use crate::format::shell_word;
use crate::reply::Reply;
use crate::{answerer, engine, find, reports};
use assay_protocol::{Answered, Asked, ExitCode, RunState};
use assay_store::RunDir;
use clap::Args;
use serde_json::json;

/// Options of `answer`.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  assay status k3f                          shows the question\n  assay answer k3f sign_off approve\n  assay answer k3f sign_off reject --comment 'the p99 moved'\n\nUser, terminal, parent command and the digest of what was shown are recorded. An answer from a process that the run itself started does not count."
)]
pub struct Options {
    /// Run: unique prefix of its id, `latest`, or its folder
    pub run: String,
    /// The step that asks
    pub step: String,
    /// The answer, one of the choices shown
    pub choice: String,
    /// A remark for the record
    #[arg(long, default_value = "")]
    pub comment: String,
    /// Continue in the background
    #[arg(long)]
    pub detach: bool,
}

/// Runs the verb.
pub fn run(cx: &Cx, options: Options) -> Result<Reply, Failure> {
    let run = find::run(cx, &options.run)?;
    if find::worker(&run)?.is_some() {
        return to_live_engine(cx, &run, &options);
    }
    let lock = engine::lock(&run)?;
    let recorded = reports::read(cx, &run)?;
    let state = &recorded.journal.state;
    let (step, asked) = question(run.id(), state, &options.step)?;
    check_choice(asked, &options.choice)?;
    if let Some(why) = answerer::from_below(cx, run.id(), state) {
        return Err(refused(run.id(), &why));
    }
    let answer = Answered {
        step: step.to_owned(),
        choice: options.choice,
        comment: options.comment,
        by: answerer::who(cx),
        digest: asked.digest.clone(),
        refused: None,
    };
    let how = How {
        verb: "answer",
        options: engine::Options { answer: Some(answer), ..engine::Options::default() },
        detach: options.detach,
        report: true,
    };
    proceed(cx, run, lock, recorded, how)
}

/// Other steps still run: their engine takes the answer.
fn to_live_engine(cx: &Cx, run: &RunDir, options: &Options) -> Result<Reply, Failure> {
    let journal = find::journal(cx, run)?;
    let (step, asked) = question(run.id(), &journal.state, &options.step)?;
    check_choice(asked, &options.choice)?;
    let id = run.id();
    match engine::tell(cx, id, step, &options.choice, &options.comment) {
        Some(Ok(())) => Ok(Reply::ok(
            json!({"run": id, "step": step, "choice": options.choice, "state": "running"}),
            format!("{step} answered: {}\n", options.choice),
        )
        .next(format!("assay wait {id} --for 90s"), "waits for the end")),
        Some(Err(why)) => Err(refused(id, &why)),
        None => Err(find::locked(run, None)),
    }
}

fn refused(id: &str, why: &str) -> Failure {
    Failure::new(ExitCode::Waiting, "answer-refused", format!("the answer does not count: {why}"))
        .help("a person, or an agent outside the run, must answer")
        .next(format!("assay status {id}"), "shows the question")
}

fn question<'a>(id: &str, state: &'a RunState, wanted: &str) -> Result<(&'a str, &'a Asked), Failure> {
    let end = format!("/{wanted}");
    if let Some(exact) = state.waiting().find(|(path, _)| *path == wanted) {
        return Ok(exact);
    }
    let fits: Vec<_> = state.waiting().filter(|(path, _)| path.ends_with(&end)).collect();
    if let [one] = fits.as_slice() {
        return Ok(*one);
    }
    let failure = Failure::new(
        ExitCode::Nothing,
        "no-question",
        format!("no step `{wanted}` of run `{id}` waits for an answer"),
    );
    let open = state.waiting().map(|(path, asked)| {
        let choices: Vec<String> = asked.choices.iter().map(|choice| shell_word(choice)).collect();
        format!("waiting: `{path}` ({})", choices.join(" or "))
    });
    Err(open.fold(failure, Failure::help).next(format!("assay status {id}"), "shows where the run stands"))
}

fn check_choice(asked: &Asked, choice: &str) -> Result<(), Failure> {
    if asked.choices.iter().any(|known| known == choice) {
        return Ok(());
    }
    let failure = Failure::usage(format!("`{choice}` is not one of the choices of `{}`", asked.step))
        .help(format!("choices: `{}`", asked.choices.join("`, `")));
    Err(match assay_diagnostics::did_you_mean(choice, asked.choices.iter().map(String::as_str)) {
        Some(near) => failure.help(format!("did you mean `{near}`?")),
        None => failure,
    })
}
