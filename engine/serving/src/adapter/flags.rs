//! The flags of a launch command as an adapter lists them. Names are compared without telling `-` from `_`, since every
//! framework means the same flag by both.

use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeMap;

/// The flags of a launch command.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Flags {
    /// How names are written on the command line.
    pub style: FlagStyle,
    /// The flags that matter for performance work, by name with underscores.
    #[schemars(with = "BTreeMap<String, Flag>")]
    pub known: IndexMap<String, Flag>,
    /// The other flags that the framework takes, by kind: names with underscores.
    #[serde(default)]
    #[schemars(with = "BTreeMap<FlagKind, Vec<String>>")]
    pub others: IndexMap<FlagKind, Vec<String>>,
    /// Flags that earlier versions took, with what became of them.
    #[serde(default)]
    #[schemars(with = "BTreeMap<String, String>")]
    pub retired: IndexMap<String, String>,
    /// Flags that every launch has.
    #[serde(default)]
    pub required: Vec<RequiredFlag>,
    /// Flags that no launch has.
    #[serde(default)]
    pub refused: Vec<RefusedFlag>,
    /// Whether the program takes flags that it does not know without failing, so that only this list finds a wrong name.
    #[serde(default)]
    pub unknown_pass: bool,
    /// Where the list comes from.
    pub source: String,
}

/// How names of flags are written on a command line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum FlagStyle {
    /// `--tp-size`
    Dashes,
    /// `--tp_size`
    Underscores,
}

/// One flag.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Flag {
    /// What follows the name on the command line.
    pub kind: FlagKind,
    /// What it does, with its unit.
    pub meaning: String,
    /// Other names of the same flag, with underscores.
    #[serde(default)]
    pub aliases: Vec<String>,
    /// The only values that it may have, where these are few and stable.
    #[serde(default)]
    pub choices: Vec<String>,
    /// How several values are written.
    #[serde(default)]
    pub list: ListStyle,
    /// Whether its value is a secret, which has no place on a command line.
    #[serde(default)]
    pub secret: bool,
}

/// What follows the name of a flag on a command line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum FlagKind {
    /// Nothing: it is there or not. `true` gives `--x`, `false` gives nothing.
    Switch,
    /// Nothing, and there is an opposite: `true` gives `--x`, `false` gives `--no-x`.
    OnOff,
    /// The word `true` or `false`.
    Boolean,
    /// A whole number.
    Int,
    /// A number.
    Float,
    /// A text.
    Text,
    /// JSON: a mapping or list in the manifest is written as compact JSON, a text as it is.
    Json,
    /// Several values.
    List,
}

/// How several values are written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ListStyle {
    /// `--x a b`
    #[default]
    Spaces,
    /// `--x a,b`
    Commas,
    /// `--x a --x b`
    Repeat,
}

/// A flag that every launch has.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RequiredFlag {
    /// Its name.
    pub flag: String,
    /// The only value that it may have; a launch without the flag gets it. Without one, the author of the launch has to
    /// give the flag.
    #[serde(default)]
    pub value: Option<Value>,
    /// Why.
    pub why: String,
}

/// A flag that no launch has.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RefusedFlag {
    /// Its name.
    pub flag: String,
    /// Why, with a way out.
    pub why: String,
}

/// The one spelling by which names are compared: underscores, no leading dashes.
pub(crate) fn canonical(name: &str) -> String {
    name.trim_start_matches('-').replace('-', "_")
}

/// The part of a dotted name (`compilation_config.mode`) that is the flag.
pub(crate) fn head(name: &str) -> &str {
    name.split_once('.').map_or(name, |(head, _)| head)
}

impl Flags {
    /// The main name of a flag under any of its spellings, if the list has it.
    pub fn main_name(&self, name: &str) -> Option<&str> {
        let name = canonical(name);
        self.exact(&name).or_else(|| self.exact(head(&name)))
    }

    fn exact(&self, name: &str) -> Option<&str> {
        let has = |main: &str, flag: &Flag| main == name || flag.aliases.iter().any(|alias| alias == name);
        if let Some((main, _)) = self.known.iter().find(|(main, flag)| has(main, flag)) {
            return Some(main);
        }
        let other = self.others.values().flatten().find(|other| *other == name);
        other.map(String::as_str).or_else(|| self.opposite(name))
    }

    /// The flag whose opposite this is: `no_x` of `x`, and `disable_x` of `enable_x` or the other way round.
    fn opposite(&self, name: &str) -> Option<&str> {
        let plain =
            match (name.strip_prefix("no_"), name.strip_prefix("disable_"), name.strip_prefix("enable_")) {
                (Some(rest), ..) => rest.to_owned(),
                (_, Some(rest), _) => format!("enable_{rest}"),
                (.., Some(rest)) => format!("disable_{rest}"),
                _ => return None,
            };
        let known = self.known.get_key_value(&plain).filter(|(_, flag)| flag.kind == FlagKind::OnOff);
        let others = self.others.get(&FlagKind::OnOff).into_iter().flatten();
        known
            .map(|(main, _)| main)
            .or_else(|| others.into_iter().find(|other| **other == plain))
            .map(String::as_str)
    }

    /// What follows the flag's name, if the list has it.
    pub fn kind(&self, name: &str) -> Option<FlagKind> {
        let main = self.main_name(name)?;
        if let Some(flag) = self.known.get(main) {
            return Some(flag.kind);
        }
        self.others.iter().find(|(_, names)| names.iter().any(|other| other == main)).map(|(kind, _)| *kind)
    }

    /// The full entry of a flag, for those that have one.
    pub fn entry(&self, name: &str) -> Option<&Flag> {
        self.main_name(name).and_then(|main| self.known.get(main))
    }

    /// Every name of every flag, with underscores.
    pub fn all_names(&self) -> impl Iterator<Item = &str> {
        let known = self
            .known
            .iter()
            .flat_map(|(name, flag)| std::iter::once(name).chain(&flag.aliases))
            .map(String::as_str);
        known.chain(self.others.values().flatten().map(String::as_str))
    }

    /// Whether two names mean one flag.
    pub(crate) fn same(&self, one: &str, other: &str) -> bool {
        self.identity(one) == self.identity(other)
    }

    /// What tells flags apart: the main name where the list has it, else the spelling, with what follows a dot.
    pub(crate) fn identity(&self, name: &str) -> String {
        let name = canonical(name);
        if let Some(main) = self.exact(&name) {
            return main.to_owned();
        }
        match (name.split_once('.'), self.exact(head(&name))) {
            (Some((_, rest)), Some(main)) => format!("{main}.{rest}"),
            _ => name,
        }
    }

    /// A flag as it stands on the command line.
    pub fn spelled(&self, name: &str) -> String {
        let name = name.trim_start_matches('-');
        // What follows a dot is a key of JSON, whose underscores mean something.
        let (flag, rest) = match name.split_once('.') {
            Some((flag, rest)) => (flag, format!(".{rest}")),
            None => (name, String::new()),
        };
        match self.style {
            FlagStyle::Dashes => format!("--{}{rest}", flag.replace('_', "-")),
            FlagStyle::Underscores => format!("--{}{rest}", flag.replace('-', "_")),
        }
    }
}
