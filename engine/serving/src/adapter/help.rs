//! The flags that a program's own help shows. They outrank any list of ours: flags come and go within weeks.

use super::flags::{canonical, head};
use indexmap::IndexMap;

/// Bytes of a line that are looked at. Lists of choices make lines of some thousand bytes.
const LOOKED_AT: usize = 64 * 1024;

/// What a help text says about flags.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HelpSnapshot {
    flags: IndexMap<String, HelpFlag>,
}

/// One flag of a help text.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct HelpFlag {
    /// The values that it may have, where the text lists them.
    pub choices: Vec<String>,
}

impl HelpSnapshot {
    /// Reads the help of argparse, click, typer (plain or in boxes) and clap. Only lines that define a flag count: help also
    /// speaks of flags in its prose, and of flags of other programs.
    ///
    /// `None` if the text defines no flag beside `--help` and `--version`: then nothing can be concluded from it.
    pub fn parse(text: &str) -> Option<Self> {
        let mut flags: IndexMap<String, HelpFlag> = IndexMap::new();
        for line in text.lines() {
            let line = &line[..line.floor_char_boundary(LOOKED_AT)];
            let line = line.trim_start_matches([' ', '\t', '│', '|', '*', '┃']);
            if line.starts_with('-') {
                definition(line, &mut flags);
            } else if line.starts_with("[-") || line.starts_with("usage:") || line.starts_with("Usage:") {
                for part in line.split('[').filter(|part| part.starts_with("--")) {
                    add(part, Vec::new(), &mut flags);
                }
            }
        }
        let tells = flags.keys().any(|name| name != "help" && name != "version");
        tells.then_some(Self { flags })
    }

    /// The flag, under any spelling; of a dotted name, the flag before the dot.
    pub fn flag(&self, name: &str) -> Option<&HelpFlag> {
        let name = canonical(name);
        self.flags.get(&name).or_else(|| self.flags.get(head(&name)))
    }

    /// Whether there is such a flag.
    pub fn has(&self, name: &str) -> bool {
        self.flag(name).is_some()
    }

    /// All names, with underscores, in the order of the text.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.flags.keys().map(String::as_str)
    }

    /// How many names there are.
    pub fn len(&self) -> usize {
        self.flags.len()
    }

    /// Never: a text without a flag is no snapshot.
    pub fn is_empty(&self) -> bool {
        self.flags.is_empty()
    }
}

/// Reads `-t, --tp-size N, --tensor-parallel-size N   text`: what stands before the text, which two spaces set off. In the
/// boxes of typer the values stand in a column of their own.
fn definition(line: &str, flags: &mut IndexMap<String, HelpFlag>) {
    let mut columns = line.split("  ").map(str::trim).filter(|column| !column.is_empty());
    let Some(first) = columns.next() else { return };
    let next = columns.find(|column| !column.starts_with('-'));
    let values = choices(first).or_else(|| next.filter(|column| is_enclosed(column)).and_then(choices));
    let values = values.unwrap_or_default();
    let mut depth = 0_usize;
    let mut names = Vec::new();
    for (index, byte) in first.bytes().enumerate() {
        match byte {
            b'{' | b'(' => depth += 1,
            b'}' | b')' => depth = depth.saturating_sub(1),
            b'-' if depth == 0 && first[index..].starts_with("--") && begins_a_word(first, index) => {
                names.push(&first[index..]);
            }
            _ => {}
        }
    }
    for name in names {
        add(name, values.clone(), flags);
    }
}

fn begins_a_word(text: &str, index: usize) -> bool {
    text[..index]
        .chars()
        .next_back()
        .is_none_or(|before| before.is_whitespace() || matches!(before, ',' | '/' | '|' | '['))
}

/// Adds the flag that a text begins with. `--[no-]x` are two.
fn add(text: &str, choices: Vec<String>, flags: &mut IndexMap<String, HelpFlag>) {
    let text = text.trim_start_matches('-');
    let (optional_no, text) = match text.strip_prefix("[no-]") {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    let end = text
        .find(|character: char| !character.is_ascii_alphanumeric() && !matches!(character, '-' | '_' | '.'));
    let name = canonical(text[..end.unwrap_or(text.len())].trim_end_matches(['.', '-']));
    if name.is_empty() {
        return;
    }
    if optional_no {
        flags.entry(format!("no_{name}")).or_default();
    }
    let flag = flags.entry(name).or_default();
    if flag.choices.is_empty() {
        flag.choices = choices;
    }
}

/// `{a,b}` of argparse, `[a|b]` of click. `{a,b} [{a,b} ...]` are the same choices.
fn choices(text: &str) -> Option<Vec<String>> {
    if let Some((_, rest)) = text.split_once('{') {
        let (inside, _) = rest.split_once('}')?;
        return Some(
            inside
                .split(',')
                .map(|choice| choice.trim().to_owned())
                .filter(|choice| !choice.is_empty())
                .collect(),
        );
    }
    // A single choice (`[pytorch]`) is told from a value that may be left out (`[TOKEN]`) by its small letters.
    let (before, rest) = text.split_once('[')?;
    let (inside, _) = rest.split_once(']')?;
    let single =
        |text: &str| !text.is_empty() && text.chars().all(|one| one.is_ascii_lowercase() || one == '_');
    let is_choice = inside.contains('|') || (single(inside) && (before.is_empty() || before.ends_with(' ')));
    is_choice.then(|| inside.split('|').map(|choice| choice.trim().to_owned()).collect())
}

fn is_enclosed(column: &str) -> bool {
    column.starts_with(['[', '{'])
}
