//! Whether flags exist and have values that they can have.

use super::{
    Adapter, HelpSnapshot,
    flags::{canonical, head},
    limits::shown,
};
use indexmap::IndexMap;
use serde::Serialize;
use serde_json::Value;

/// Below this likeness (Jaro-Winkler, 0 to 1) a name is no suggestion.
const LIKE: f64 = 0.84;

/// Something that is wrong with a flag.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FlagProblem {
    /// The flag as it was written; for a missing one its main name.
    pub flag: String,
    /// What kind of problem it is.
    pub kind: FlagProblemKind,
    /// What is wrong.
    pub message: String,
    /// A flag or value that may have been meant.
    pub suggestion: Option<String>,
}

/// Kinds of problems with flags.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum FlagProblemKind {
    /// No such flag.
    Unknown,
    /// The adapter knows it, but the help of this version does not.
    NotInThisVersion,
    /// It may not be given.
    Refused,
    /// It has to be given, or to have another value.
    Required,
    /// It is given twice, under two names.
    Duplicate,
    /// Its value is none that it can have.
    Value,
    /// Its value is a secret, which has no place on a command line.
    Secret,
}

/// The name that is most like another, if any is like it.
pub(crate) fn nearest<'a>(name: &str, candidates: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    // Two letters in the wrong order are a third of a short name, and still one slip.
    let likeness = |candidate: &str| match strsim::osa_distance(name, candidate) {
        0 | 1 => 1.0,
        _ => strsim::jaro_winkler(name, candidate),
    };
    let scored = candidates.map(|candidate| (likeness(candidate), candidate));
    let best = scored.max_by(|one, other| one.0.total_cmp(&other.0))?;
    (best.0 >= LIKE).then_some(best.1)
}

impl Adapter {
    /// Everything that is wrong with flags, in their order. Where the help of the installed version is at hand, it decides
    /// which flags exist and which values they take; else the adapter's list does.
    pub fn check_flags(
        &self,
        flags: &IndexMap<String, Value>,
        help: Option<&HelpSnapshot>,
    ) -> Vec<FlagProblem> {
        let mut problems = Vec::new();
        if let Some((first, second)) = self.first_duplicate(flags) {
            let message = format!("`{first}` and `{second}` are the same flag");
            problems.push(problem(second, FlagProblemKind::Duplicate, message, None));
        }
        for (name, value) in flags {
            problems.extend(self.existence(name, help));
            problems.extend(self.value_problem(name, value, help));
        }
        for required in &self.flags.required {
            // What the launch adds by itself has to exist as well.
            if let (Some(value), None) = (&required.value, self.given(flags, &required.flag)) {
                problems.extend(self.existence(&required.flag, help));
                problems.extend(self.value_problem(&required.flag, value, help));
            }
            if !self.contradicts(required, flags) {
                continue;
            }
            let message = match &required.value {
                Some(value) => format!("has to be `{}`: {}", shown(value), required.why),
                None => format!("has to be given: {}", required.why),
            };
            problems.push(problem(&required.flag, FlagProblemKind::Required, message, None));
        }
        problems
    }

    /// Whether there is such a flag, and whether it may be given.
    fn existence(&self, name: &str, help: Option<&HelpSnapshot>) -> Option<FlagProblem> {
        if let Some(refused) = self.flags.refused.iter().find(|refused| self.flags.same(&refused.flag, name))
        {
            return Some(problem(name, FlagProblemKind::Refused, refused.why.clone(), None));
        }
        let canonical = canonical(name);
        // Help does not always show the opposite of a flag (`--no-x`).
        let shows = |help: &HelpSnapshot| {
            help.has(&canonical) || canonical.strip_prefix("no_").is_some_and(|on| help.has(on))
        };
        let listed = self.flags.main_name(name).is_some();
        let retired = self.flags.retired.get(head(&canonical));
        match help {
            Some(help) if shows(help) => None,
            Some(help) if listed => {
                let message = retired.cloned().unwrap_or_else(|| {
                    format!("the help of this version of {} does not have it", self.title)
                });
                let near = self.other_name_in(name, help).or_else(|| suggestion(&canonical, help.names()));
                Some(problem(name, FlagProblemKind::NotInThisVersion, message, near))
            }
            None if listed => None,
            Some(_) | None => {
                let message = retired.cloned().unwrap_or_else(|| format!("{} has no such flag", self.title));
                let near = match help {
                    Some(help) => suggestion(&canonical, help.names()),
                    None => suggestion(&canonical, self.flags.all_names()),
                };
                Some(problem(name, FlagProblemKind::Unknown, message, near))
            }
        }
    }

    /// Another name of the same flag that this help has.
    fn other_name_in(&self, name: &str, help: &HelpSnapshot) -> Option<String> {
        let main = self.flags.main_name(name)?;
        let aliases = self.flags.known.get(main).map(|flag| flag.aliases.as_slice()).unwrap_or_default();
        let mut names = std::iter::once(main).chain(aliases.iter().map(String::as_str));
        names.find(|other| help.has(other)).map(str::to_owned)
    }

    fn value_problem(&self, name: &str, value: &Value, help: Option<&HelpSnapshot>) -> Option<FlagProblem> {
        let entry = self.flags.entry(name);
        if entry.is_some_and(|entry| entry.secret) && !value.is_null() {
            let message = "a secret on a command line stands in process lists and logs; \
                           give it by an environment variable that the server reads"
                .to_owned();
            return Some(problem(name, FlagProblemKind::Secret, message, None));
        }
        if let Err(error) = self.argument(name, value) {
            return Some(problem(name, FlagProblemKind::Value, error.to_string(), None));
        }
        let shown_choices = help.and_then(|help| help.flag(name)).map(|flag| flag.choices.as_slice());
        let choices = shown_choices
            .filter(|choices| !choices.is_empty())
            .or_else(|| entry.map(|entry| entry.choices.as_slice()))
            .filter(|choices| !choices.is_empty())?;
        // JSON and dotted names have values of their own.
        if value.is_object() || value.is_null() || value.is_boolean() || canonical(name).contains('.') {
            return None;
        }
        let values = value.as_array().map_or(std::slice::from_ref(value), Vec::as_slice);
        let wrong = values.iter().map(shown).find(|value| !choices.contains(value))?;
        let message = format!("`{wrong}` is none of {}", listed(choices));
        let near = suggestion(&wrong, choices.iter().map(String::as_str));
        Some(problem(name, FlagProblemKind::Value, message, near))
    }
}

fn problem(flag: &str, kind: FlagProblemKind, message: String, suggestion: Option<String>) -> FlagProblem {
    FlagProblem { flag: flag.to_owned(), kind, message, suggestion }
}

fn suggestion<'a>(name: &str, candidates: impl Iterator<Item = &'a str>) -> Option<String> {
    nearest(name, candidates).map(str::to_owned)
}

fn listed(choices: &[String]) -> String {
    choices.iter().map(|choice| format!("`{choice}`")).collect::<Vec<_>>().join(", ")
}
