//! Ports that a manifest fixes for its servers.

use crate::commands::{Command, Word};
use crate::context::Cx;
use crate::launched::launched;
use crate::programs::{is_elsewhere, server};
use assay_diagnostics::Span;
use assay_manifest::{Manifest, Step, Uses};
use std::collections::HashMap;

/// A number for a port in the command or the flags of a server.
pub(crate) struct Fixed<'c> {
    /// Whose it is.
    pub step: &'c Step,
    /// Where it stands.
    pub span: Span,
    /// The number.
    pub port: u64,
    /// The port for requests, not one beside it.
    pub main: bool,
    /// What tells the program.
    pub told: Told<'c>,
}

/// What tells a program its port.
pub(crate) enum Told<'c> {
    /// A word of a command.
    Word(&'c Command<'c>, &'c Word),
    /// A flag of the adapter that launches it.
    Flag(&'c str),
}

/// Steps that are servers.
pub(crate) fn servers(manifest: &Manifest) -> Vec<&Step> {
    let is = |step: &&Step| matches!(&step.uses.value, Uses::Kind(kind) if kind == "server");
    manifest.steps.iter().chain(&manifest.finally).filter(is).collect()
}

/// `port: 8000` with its place.
pub(crate) fn declared(step: &Step) -> Option<(u64, Span)> {
    let port = step.with.get("port")?;
    Some((port.literal()?.as_u64()?, port.span))
}

/// Servers whose every instance takes one port, with the place that says so.
pub(crate) fn fixed<'m>(cx: &Cx<'_>, manifest: &'m Manifest) -> Vec<(&'m Step, u64, Span)> {
    let servers = servers(manifest);
    if servers.is_empty() {
        return Vec::new();
    }
    let in_commands = in_commands(cx);
    let mut told = HashMap::new();
    for fixed in in_commands.iter().filter(|fixed| fixed.main) {
        told.entry(fixed.step.id.value.as_str()).or_insert((fixed.port, fixed.span));
    }
    let port = |step: &Step| match step.with.get("port") {
        Some(_) => declared(step),
        None => told.get(step.id.value.as_str()).copied(),
    };
    servers.into_iter().filter_map(|step| port(step).map(|(port, span)| (step, port, span))).collect()
}

/// Options for ports beside the one for requests.
const BESIDE: &[&str] = &["--nccl-port", "--master-port", "--master_port", "--metrics-port", "--grpc-port"];

/// Every number for a port in the commands of servers.
pub(crate) fn in_commands<'c>(cx: &'c Cx<'_>) -> Vec<Fixed<'c>> {
    let mut found = Vec::new();
    for command in cx.commands() {
        let Some(step) = command.owner.step() else { continue };
        // Inside a container a fixed port harms nobody.
        if !matches!(&step.uses.value, Uses::Kind(kind) if kind == "server") || is_elsewhere(command) {
            continue;
        }
        let words = command.effective();
        let mut add = |word: &'c Word, text: &str, main: bool| {
            let port = text.parse::<u64>().ok().filter(|port| (1..=65535).contains(port));
            let told = Told::Word(command, word);
            found.extend(port.map(|port| Fixed { step, span: word.span, port, main, told }));
        };
        for (at, word) in words.iter().enumerate() {
            let (name, value) =
                word.text.split_once('=').map_or((word.text.as_str(), None), |(n, v)| (n, Some(v)));
            let main = name == "--port";
            if main || BESIDE.contains(&name) {
                match (value, words.get(at + 1)) {
                    (Some(value), _) => add(word, value, main),
                    (None, Some(next)) => add(next, &next.text, main),
                    (None, None) => {}
                }
            }
        }
        // `python -m http.server 8000`
        if let Some(server) = server(command).filter(|server| server.word.text == "http.server") {
            let behind = words.iter().skip_while(|word| !std::ptr::eq(*word, server.word)).skip(1);
            let mut value = false;
            for word in behind {
                if std::mem::take(&mut value) {
                    continue;
                }
                value = matches!(
                    word.text.as_str(),
                    "--bind" | "-b" | "--directory" | "-d" | "--protocol" | "-p"
                );
                if !word.text.starts_with('-') {
                    add(word, &word.text, true);
                }
            }
        }
    }
    found
}

/// Every number for a port among the flags of adapters: that for requests, and all whose name says so.
pub(crate) fn in_flags<'a: 'c, 'c>(cx: &Cx<'a>, manifest: &'c Manifest) -> Vec<Fixed<'c>> {
    let mut found = Vec::new();
    for server in launched(cx, manifest) {
        for (key, value) in server.flags() {
            let main_name = server.adapter.flags.main_name(&key.name).unwrap_or(&key.name);
            let main = main_name == server.adapter.launch.roles.port;
            let port = value.as_int().filter(|port| (1..=65535).contains(port));
            if let Some(port) = port.filter(|_| main || main_name.ends_with("_port")) {
                let told = Told::Flag(&key.name);
                found.push(Fixed {
                    step: server.step,
                    span: value.span,
                    port: port.unsigned_abs(),
                    main,
                    told,
                });
            }
        }
    }
    found
}
