//! Why a verb did not do what was asked: exit code, message, ways out. Must not print.

use crate::console::{Tone, paint};
use assay_protocol::{ExitCode, Finding, NextCommand};

/// The failure of a verb.
#[derive(Debug)]
pub struct Failure {
    /// The exit code.
    pub exit: ExitCode,
    /// Stable kebab-case code for machines.
    pub code: &'static str,
    /// A lowercase fragment without a final period.
    pub message: String,
    /// Ways out, one sentence each.
    pub help: Vec<String>,
    /// Diagnostics drawn for people, shown before the message.
    pub drawn: String,
    /// The same diagnostics for machines.
    pub findings: Vec<Finding>,
    /// Commands that make sense next.
    pub next: Vec<NextCommand>,
}

impl Failure {
    /// A failure without a way out yet.
    pub fn new(exit: ExitCode, code: &'static str, message: impl Into<String>) -> Self {
        Self {
            exit,
            code,
            message: message.into(),
            help: Vec::new(),
            drawn: String::new(),
            findings: Vec::new(),
            next: Vec::new(),
        }
    }

    /// A mistake in the arguments.
    pub fn usage(message: impl Into<String>) -> Self {
        Self::new(ExitCode::Usage, "usage", message)
    }

    /// An error of the engine or of the disk.
    pub fn internal(message: impl Into<String>) -> Self {
        Self::new(ExitCode::Internal, "internal", message)
    }

    /// Adds a way out.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help.push(help.into());
        self
    }

    /// Adds a command that makes sense next.
    #[must_use]
    pub fn next(mut self, command: impl Into<String>, why: impl Into<String>) -> Self {
        self.next.push(NextCommand { command: command.into(), why: why.into() });
        self
    }

    /// For people: what was drawn, then the error with its ways out.
    pub fn text(&self, color: bool) -> String {
        let mut text = self.drawn.clone();
        text.push_str(&paint(color, Tone::Bad, "error"));
        text.push_str(&format!(": {}\n", self.message));
        for help in &self.help {
            text.push_str(&format!("  {help}\n"));
        }
        text
    }

    /// As one finding, behind those of a manifest.
    pub fn all_findings(&self) -> Vec<Finding> {
        let own = Finding {
            code: self.code.to_owned(),
            severity: "error".to_owned(),
            message: self.message.clone(),
            help: self.help.clone(),
            ..Finding::default()
        };
        self.findings.iter().cloned().chain([own]).collect()
    }
}

impl From<assay_store::StoreError> for Failure {
    fn from(error: assay_store::StoreError) -> Self {
        let exit = match error {
            assay_store::StoreError::Tampered { .. } => ExitCode::Unfair,
            _ => ExitCode::Internal,
        };
        let failure = Self::new(exit, "store", error.to_string());
        match error.hint() {
            Some(hint) => failure.help(hint),
            None => failure,
        }
    }
}
