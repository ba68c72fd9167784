//! What a verb answers, and how that reaches the user: text, or exactly one object with `--json`.

use crate::console::{Color, Console, Tone, paint};
use crate::context::Cx;
use crate::env::Env;
use crate::fail::Failure;
use assay_protocol::{Answer, ExitCode, Finding, NextCommand, Value};
use std::ffi::OsString;

/// What a verb answers.
#[derive(Debug)]
pub struct Reply {
    /// The exit code.
    pub exit: ExitCode,
    /// For machines.
    pub data: Value,
    /// For people, on standard output; ends with a newline unless it is empty.
    pub text: String,
    /// Remarks for people, on standard error.
    pub remarks: String,
    /// Diagnostics for machines.
    pub findings: Vec<Finding>,
    /// Commands that make sense next.
    pub next: Vec<NextCommand>,
    /// Everything has been said already, by the engine's process.
    pub said: bool,
}

impl Reply {
    /// A good answer.
    pub fn ok(data: Value, text: impl Into<String>) -> Self {
        Self::new(ExitCode::Ok, data, text)
    }

    /// An answer.
    pub fn new(exit: ExitCode, data: Value, text: impl Into<String>) -> Self {
        Self {
            exit,
            data,
            text: text.into(),
            remarks: String::new(),
            findings: Vec::new(),
            next: Vec::new(),
            said: false,
        }
    }

    /// Adds a command that makes sense next.
    #[must_use]
    pub fn next(mut self, command: impl Into<String>, why: impl Into<String>) -> Self {
        self.next.push(NextCommand { command: command.into(), why: why.into() });
        self
    }

    /// The answer of a process that has said everything and only hands on its exit code.
    pub fn said(exit: ExitCode) -> Self {
        Self { said: true, ..Self::new(exit, Value::Null, "") }
    }
}

/// Says the answer and gives the exit code.
pub fn finish(cx: &Cx, verb: &str, result: Result<Reply, Failure>) -> u8 {
    match result {
        Ok(reply) if reply.said => reply.exit.code(),
        Ok(reply) => say(&cx.console, verb, reply),
        Err(failure) => fail(&cx.console, verb, &failure),
    }
}

fn say(console: &Console, verb: &str, reply: Reply) -> u8 {
    let exit = reply.exit;
    if console.json {
        let mut answer = Answer::new(verb, exit, reply.data);
        answer.diagnostics = reply.findings;
        answer.next = reply.next;
        put(console, &answer);
    } else {
        console.err(&reply.remarks);
        console.out(&reply.text);
        console.err(&next_lines(console.color_err, &reply.next));
    }
    exit.code()
}

fn fail(console: &Console, verb: &str, failure: &Failure) -> u8 {
    if console.json {
        let mut answer = Answer::new(verb, failure.exit, Value::Null);
        answer.diagnostics = failure.all_findings();
        answer.next = failure.next.clone();
        put(console, &answer);
    } else {
        let mut text = failure.text(console.color_err);
        text.push_str(&next_lines(console.color_err, &failure.next));
        console.err(&text);
    }
    failure.exit.code()
}

fn put(console: &Console, answer: &Answer) {
    let mut text = serde_json::to_string_pretty(answer).unwrap_or_default();
    text.push('\n');
    console.out(&text);
}

fn next_lines(color: bool, next: &[NextCommand]) -> String {
    let line = |next: &NextCommand| {
        let why = paint(color, Tone::Quiet, &format!("  # {}", next.why));
        format!("next: {}{why}\n", next.command)
    };
    next.iter().map(line).collect()
}

/// Answers arguments that could not be understood, `--help` and `--version`.
pub fn usage(args: &[OsString], env: &Env, error: &clap::Error) -> u8 {
    let json = args.iter().take_while(|arg| *arg != "--").any(|arg| arg == "--json");
    let console = Console::new(env, json, Color::Auto);
    if !error.use_stderr() {
        let text = error.render();
        console.out(&if console.color_out { text.ansi().to_string() } else { text.to_string() });
        return ExitCode::Ok.code();
    }
    if json {
        let verb = args.get(1).map(|arg| arg.to_string_lossy().into_owned()).unwrap_or_default();
        let text = error.render().to_string();
        let message = text.lines().next().unwrap_or_default().trim_start_matches("error: ").to_owned();
        let help =
            text.lines().skip(1).filter(|line| !line.trim().is_empty()).map(|line| line.trim().to_owned());
        let mut failure = Failure::usage(message).next("assay help", "lists the verbs");
        failure.help = help.collect();
        return fail(&console, &verb, &failure);
    }
    let text = error.render();
    console.err(&if console.color_err { text.ansi().to_string() } else { text.to_string() });
    ExitCode::Usage.code()
}
