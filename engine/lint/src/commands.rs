//! Every command that a manifest would run, as words with places: of steps, checks and sides of comparisons, written as
//! `argv` or as `shell`, and those inside `sh -c`.

use crate::context::Cx;
use crate::{shell, starters};
use assay_diagnostics::Span;
use assay_manifest::{At, Check, Config, ConfigKind, Manifest, Step};
use assay_protocol::Value;
use std::ops::Range;

/// Where a command stands.
#[derive(Debug, Clone, Copy)]
pub enum Owner<'a> {
    /// A step of `steps` or `finally`.
    Step(&'a Step),
    /// A preflight check.
    Check(&'a Check),
}

impl<'a> Owner<'a> {
    /// Its id.
    pub fn id(self) -> &'a At<String> {
        match self {
            Self::Step(step) => &step.id,
            Self::Check(check) => &check.id,
        }
    }

    /// As shown to users: ``step `build` ``.
    pub fn shown(self) -> String {
        match self {
            Self::Step(step) => format!("step `{}`", step.id.value),
            Self::Check(check) => format!("check `{}`", check.id.value),
        }
    }

    /// The step, if it is one.
    pub fn step(self) -> Option<&'a Step> {
        match self {
            Self::Step(step) => Some(step),
            Self::Check(_) => None,
        }
    }
}

/// A word of a command.
#[derive(Debug, Clone)]
pub struct Word {
    /// The text without quotes; templates as written.
    pub text: String,
    /// Where it stands.
    pub span: Span,
    /// Known only when it runs: a template, or an expansion by the shell.
    pub open: bool,
}

impl Word {
    /// The name without its folder; empty if it is not known.
    pub fn base(&self) -> &str {
        if self.open { "" } else { self.text.rsplit('/').next().unwrap_or_default() }
    }
}

/// Where the output of a command goes, or its input comes from.
#[derive(Debug, Clone)]
pub struct Redirect {
    /// As in the shell, without a descriptor number.
    pub operator: String,
    /// The file or descriptor.
    pub target: Word,
}

/// A program with its arguments.
#[derive(Debug, Clone)]
pub struct Command<'a> {
    /// Whose it is.
    pub owner: Owner<'a>,
    /// Fields below `with` that lead to it: `["argv"]`, `["baseline", "argv"]`.
    pub path: Vec<&'a str>,
    /// Program and arguments; may be empty behind assignments or redirections.
    pub words: Vec<Word>,
    /// `NAME=value` before it, in a shell.
    pub assigns: Vec<Word>,
    /// Redirections, in a shell.
    pub redirects: Vec<Redirect>,
    /// The operator that follows, in a shell: `|`, `||`, `&&`, `;`, `&`; else empty.
    pub then: String,
    /// Where that operator stands.
    pub then_span: Span,
    /// It is part of a line for a shell.
    pub in_shell: bool,
    /// Inside `$( )` of such a line.
    pub nested: bool,
    /// Its end decides about a branch: behind `if`, `while`, `!`.
    pub condition: bool,
    /// Number of the line or `argv` that it stands in.
    pub group: usize,
    /// Words that only start the rest.
    starters: usize,
}

impl Command<'_> {
    /// The program's name without its folder; empty if it is not known.
    pub fn program(&self) -> &str {
        match self.words.first() {
            Some(word) => word.base(),
            None => "",
        }
    }

    /// Program and arguments without what only starts them: `sudo`, `env A=b`, `nohup`, `timeout 5`, `exec`, ...
    pub fn effective(&self) -> &[Word] {
        &self.words[self.starters..]
    }

    /// The programs that [`Self::effective`] leaves out, outermost first.
    pub fn starters(&self) -> Vec<&Word> {
        if self.starters == 0 { Vec::new() } else { starters::of(&self.words) }
    }

    /// The name of the program that does the work, without its folder; empty if it is not known.
    pub fn worker(&self) -> &str {
        self.effective().first().map_or("", Word::base)
    }

    /// The value of an option, given as `--name value` or `--name=value`.
    pub fn option(&self, name: &str) -> Option<&Word> {
        self.words.iter().enumerate().find_map(|(at, word)| {
            if word.text == name {
                self.words.get(at + 1)
            } else {
                word.text.strip_prefix(name)?.starts_with('=').then_some(word)
            }
        })
    }
}

/// Bytes of one argument of a program: 32 pages of 4 KiB less the zero behind it (`MAX_ARG_STRLEN`, execve(2)).
pub(crate) const LONGEST_ARGUMENT: usize = (128 << 10) - 1;

/// Commands of all shell texts: at six bytes each as many as one argument holds.
const MOST_COMMANDS: usize = LONGEST_ARGUMENT / 6;

/// The commands of a manifest.
#[derive(Debug, Default)]
pub struct Commands<'a> {
    /// In the order of the manifest.
    list: Vec<Command<'a>>,
    /// Bytes of shell text that were read.
    read: usize,
    /// Signs in them that may end a command.
    ends: usize,
    /// The first shell text that was left out, because those before it and itself are longer than one argument can be,
    /// or hold too many commands.
    pub(crate) left_out: Option<Span>,
}

impl<'a> Commands<'a> {
    /// In the order of the manifest.
    pub fn list(&self) -> &[Command<'a>] {
        &self.list
    }
}

/// All commands of a manifest.
pub(crate) fn of<'a>(cx: &Cx<'a>, manifest: &'a Manifest) -> Commands<'a> {
    let mut out = Commands::default();
    for check in &manifest.preflight {
        collect(cx, Owner::Check(check), &check.with, &mut Vec::new(), &mut out);
    }
    for step in manifest.steps.iter().chain(&manifest.finally) {
        collect(cx, Owner::Step(step), &step.with, &mut Vec::new(), &mut out);
    }
    out
}

fn collect<'a>(
    cx: &Cx<'a>,
    owner: Owner<'a>,
    config: &'a Config,
    path: &mut Vec<&'a str>,
    out: &mut Commands<'a>,
) {
    match &config.kind {
        ConfigKind::Map(entries) => {
            for (key, value) in entries {
                path.push(key);
                match &**key {
                    "argv" => argv(cx, owner, value, path, out),
                    "shell" => {
                        if let Some(text) = text_of(value) {
                            scalar(cx, owner, text, value.span, path, out);
                        }
                    }
                    _ => collect(cx, owner, value, path, out),
                }
                path.pop();
            }
        }
        ConfigKind::List(items) => items.iter().for_each(|item| collect(cx, owner, item, path, out)),
        _ => {}
    }
}

fn argv<'a>(cx: &Cx<'a>, owner: Owner<'a>, value: &'a Config, path: &[&'a str], out: &mut Commands<'a>) {
    let words: Vec<Word> = match &value.kind {
        ConfigKind::List(items) => items.iter().map(word_of).collect(),
        // A list of literals is one literal; the tree knows where each stands.
        ConfigKind::Literal(Value::Array(items)) => {
            let nodes = cx.node_at(value.span).and_then(|node| node.as_sequence()).unwrap_or_default();
            let place = |at: usize| nodes.get(at).map_or(value.span, |node| node.span);
            let words = items.iter().enumerate();
            words.map(|(at, item)| Word { text: plain(item), span: place(at), open: false }).collect()
        }
        _ => return,
    };
    let starters = starters::count(&words);
    let script = script_of(&words[starters..]).cloned();
    out.list.push(Command {
        owner,
        path: path.to_vec(),
        words,
        assigns: Vec::new(),
        redirects: Vec::new(),
        then: String::new(),
        then_span: Span { end: value.span.start, ..value.span },
        in_shell: false,
        nested: false,
        condition: false,
        group: out.list.len(),
        starters,
    });
    if let Some(script) = script {
        scalar(cx, owner, &script.text, script.span, path, out);
    }
}

/// The script of `sh -c script`.
fn script_of(words: &[Word]) -> Option<&Word> {
    let [shell, rest @ ..] = words else { return None };
    if !matches!(shell.base(), "sh" | "bash" | "dash" | "zsh" | "ash" | "ksh") {
        return None;
    }
    // Options may come in several words, some with a value: `bash -eu -o pipefail -c script`.
    let mut words = rest.iter();
    while let Some(word) = words.next() {
        match word.text.as_str() {
            "-o" | "+o" | "-O" | "+O" => _ = words.next(),
            text if text.starts_with('-') && !text.starts_with("--") && text.ends_with('c') => {
                return words.next();
            }
            text if text.starts_with('-') && text.len() > 1 => {}
            _ => return None,
        }
    }
    None
}

/// A line that is a whole value.
fn scalar<'a>(
    cx: &Cx<'a>,
    owner: Owner<'a>,
    text: &str,
    span: Span,
    path: &[&'a str],
    out: &mut Commands<'a>,
) {
    out.read += text.len();
    out.ends += text.bytes().filter(|byte| b";|&\n()`".contains(byte)).count();
    if out.read > LONGEST_ARGUMENT || out.ends > MOST_COMMANDS {
        out.left_out = out.left_out.or(Some(span));
        return;
    }
    let places = cx.node_at(span).map(|node| node.places(cx.text));
    let place = |range: Range<usize>| places.as_ref().map_or(span, |places| places.span(range));
    line(&Line { owner, path, depth: 0 }, text, &place, out);
}

/// Where a line stands.
struct Line<'a, 'p> {
    owner: Owner<'a>,
    path: &'p [&'a str],
    depth: usize,
}

/// Shells inside shells that are followed.
const DEEPEST: usize = 4;

fn line<'a>(at: &Line<'a, '_>, text: &str, place: &dyn Fn(Range<usize>) -> Span, out: &mut Commands<'a>) {
    let word = |word: &shell::Word| Word {
        span: place(word.range.clone()),
        text: word.text.clone(),
        open: word.open,
    };
    let group = out.list.len();
    let mut scripts = Vec::new();
    for simple in shell::commands(text) {
        let words: Vec<Word> = simple.words.iter().map(word).collect();
        let starters = starters::count(&words);
        if at.depth < DEEPEST
            && let Some(script) = script_of(&words[starters..])
            && let Some(index) = words.iter().position(|word| std::ptr::eq(word, script))
        {
            scripts.push(simple.words[index].clone());
        }
        out.list.push(Command {
            owner: at.owner,
            path: at.path.to_vec(),
            words,
            assigns: simple.assigns.iter().map(word).collect(),
            redirects: simple
                .redirects
                .iter()
                .map(|redirect| Redirect {
                    operator: redirect.operator.clone(),
                    target: word(&redirect.target),
                })
                .collect(),
            then_span: place(simple.then_range.clone()),
            then: simple.then,
            in_shell: true,
            nested: simple.nested,
            condition: simple.condition,
            group,
            starters,
        });
    }
    for script in scripts {
        // In one pair of quotes without escapes a piece of the script is a piece of the line.
        let exact = script.quoted && script.range.len() == script.text.len() + 2;
        let inner = |range: Range<usize>| match exact {
            true => place(script.range.start + 1 + range.start..script.range.start + 1 + range.end),
            false => place(script.range.clone()),
        };
        line(&Line { depth: at.depth + 1, ..*at }, &script.text, &inner, out);
    }
}

/// The text of a value as written, templates included.
pub(crate) fn text_of(config: &Config) -> Option<&str> {
    match &config.kind {
        ConfigKind::Literal(value) => value.as_str(),
        ConfigKind::Template(template) | ConfigKind::Path(template) => Some(template.source()),
        _ => None,
    }
}

fn word_of(config: &Config) -> Word {
    let open = matches!(&config.kind, ConfigKind::Template(_))
        || matches!(&config.kind, ConfigKind::Path(template) if !template.is_literal());
    let text = match (text_of(config), config.literal()) {
        (Some(text), _) => text.to_owned(),
        (None, Some(value)) => plain(value),
        (None, None) => String::new(),
    };
    Word { text, span: config.span, open }
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}
