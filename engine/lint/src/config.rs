//! The configuration of lint: which rules, how severe, where.

use crate::rule::Check;
use crate::rules;
use assay_diagnostics::{Diagnostic, Severity, SourceId, Span, did_you_mean};
use assay_yaml::{Key, Limits, Node};
use globset::{Glob, GlobSet, GlobSetBuilder};

/// How a rule is treated, and what makes lint fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Level {
    /// Not looked for; as `fail_on`: nothing fails.
    Off,
    /// At this severity.
    On(Severity),
}

/// What an author decided.
#[derive(Debug)]
pub struct Config {
    /// Severity by rule.
    rules: Vec<(&'static str, Level)>,
    /// The same for some files; a later one wins.
    overrides: Vec<(GlobSet, Vec<(&'static str, Level)>)>,
    /// Files that are left out.
    exclude: GlobSet,
    /// The least severity that fails.
    pub fail_on: Level,
    /// File of accepted findings, relative to the configuration.
    pub baseline: Option<String>,
    /// Keys, values and collections of one manifest that are read, aliases expanded.
    pub max_values: usize,
}

/// A manifest of tens of steps has a thousand values; so many are read and judged in about 50 ms (`tests/bench/LINT.md`).
pub(crate) const MOST_VALUES: usize = 20_000;

impl Default for Config {
    fn default() -> Self {
        Self {
            rules: Vec::new(),
            overrides: Vec::new(),
            exclude: GlobSet::empty(),
            fail_on: Level::On(Severity::Warning),
            baseline: None,
            max_values: MOST_VALUES,
        }
    }
}

const FIELDS: &[&str] = &["fail_on", "rules", "overrides", "exclude", "baseline", "max_values"];
const LEVELS: &[&str] = &["off", "note", "warning", "error"];

impl Config {
    /// How a rule is treated in a file; `file` is relative to the configuration, with `/`.
    pub fn level(&self, id: &str, severity: Severity, file: &str) -> Level {
        let of = |list: &[(&'static str, Level)]| {
            list.iter().rev().find(|(rule, _)| *rule == id).map(|(_, level)| *level)
        };
        let special = self.overrides.iter().rev().filter(|(files, _)| files.is_match(file));
        special
            .map(|(_, rules)| of(rules))
            .find_map(|level| level)
            .or_else(|| of(&self.rules))
            .unwrap_or(Level::On(severity))
    }

    /// How much of a manifest is read.
    pub fn limits(&self) -> Limits {
        Limits { nodes: self.max_values, expanded_nodes: self.max_values, ..Limits::default() }
    }

    /// Whether a file is left out.
    pub fn excludes(&self, file: &str) -> bool {
        self.exclude.is_match(file)
    }

    /// Sets a rule from the command line; it wins over everything else.
    ///
    /// # Errors
    /// An id that no rule has, or that cannot be set, with a way out.
    pub fn set(&mut self, id: &str, level: Level) -> Result<(), String> {
        let id = settable(id)?;
        self.rules.push((id, level));
        for (_, rules) in &mut self.overrides {
            rules.push((id, level));
        }
        Ok(())
    }

    /// Reads a configuration file.
    ///
    /// # Errors
    /// Everything that is wrong with it.
    pub fn parse(source: SourceId, text: &str) -> Result<Self, Vec<Diagnostic>> {
        let parsed = assay_yaml::parse(source, text, &Limits::default());
        let mut reader = Reader { found: parsed.diagnostics };
        // An empty file decides nothing.
        let only_comments =
            text.lines().all(|line| line.trim().is_empty() || line.trim_start().starts_with('#'));
        if only_comments {
            return Ok(Self::default());
        }
        let config = parsed.root.map(|root| reader.config(&root));
        if reader.found.is_empty() { Ok(config.unwrap_or_default()) } else { Err(reader.found) }
    }
}

/// The id, if it names a rule that can be set.
fn settable(id: &str) -> Result<&'static str, String> {
    match rules::find(id) {
        Some(rule) if matches!(rule.check, Check::FrontEnd) => {
            Err(format!("`{id}` makes a manifest unusable, so its severity cannot be changed"))
        }
        Some(rule) => Ok(rule.id),
        None => Err(match did_you_mean(id, rules::ALL.iter().map(|rule| rule.id)) {
            Some(near) => format!("there is no rule `{id}`; did you mean `{near}`?"),
            None => format!("there is no rule `{id}`; `assay list rules` shows them all"),
        }),
    }
}

impl Level {
    /// The level of a word.
    pub fn of_word(word: &str) -> Option<Self> {
        Some(match word {
            "off" => Self::Off,
            "note" => Self::On(Severity::Note),
            "warning" => Self::On(Severity::Warning),
            "error" => Self::On(Severity::Error),
            _ => return None,
        })
    }
}

struct Reader {
    found: Vec<Diagnostic>,
}

impl Reader {
    fn wrong(&mut self, span: Span, message: impl Into<String>, help: impl Into<String>) {
        self.found.push(Diagnostic::error("lint-config", message).at(span, "here").help(help));
    }

    fn config(&mut self, root: &Node) -> Config {
        let mut config = Config::default();
        for (key, value) in self.entries(root, "the configuration") {
            match &*key.name {
                "fail_on" => {
                    let level = value.as_str().filter(|word| *word != "off");
                    match level.and_then(|word| {
                        if word == "never" { Some(Level::Off) } else { Level::of_word(word) }
                    }) {
                        Some(level) => config.fail_on = level,
                        None => self.wrong(
                            value.span,
                            "`fail_on` cannot be this",
                            "write `error`, `warning`, `note` or `never`",
                        ),
                    }
                }
                "rules" => config.rules = self.rules(value),
                "overrides" => config.overrides = self.overrides(value),
                "exclude" => config.exclude = self.globs(value, "exclude"),
                "baseline" => match value.as_str() {
                    Some(file) => config.baseline = Some(file.to_owned()),
                    None => self.wrong(
                        value.span,
                        "`baseline` names a file",
                        "write `baseline: lint-baseline.json`",
                    ),
                },
                "max_values" => match value.as_int().and_then(|most| usize::try_from(most).ok()) {
                    Some(most) if (1..=Limits::default().nodes).contains(&most) => config.max_values = most,
                    _ => self.wrong(
                        value.span,
                        "`max_values` cannot be this",
                        format!(
                            "write a number from 1 to {}, the limit of the language",
                            Limits::default().nodes
                        ),
                    ),
                },
                _ => self.unknown(key, FIELDS),
            }
        }
        config
    }

    fn entries<'n>(&mut self, node: &'n Node, what: &str) -> &'n [(Key, Node)] {
        if node.as_mapping().is_none() {
            self.wrong(
                node.span,
                format!("{what} is a mapping, not {}", node.kind_name()),
                "write `key: value` lines",
            );
        }
        node.as_mapping().unwrap_or_default()
    }

    fn unknown(&mut self, key: &Key, known: &[&str]) {
        let help = match did_you_mean(&key.name, known.iter().copied()) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("fields here: `{}`", known.join("`, `")),
        };
        self.wrong(key.span, format!("there is no field `{}` here", key.name), help);
    }

    fn rules(&mut self, node: &Node) -> Vec<(&'static str, Level)> {
        let mut rules = Vec::new();
        for (key, value) in self.entries(node, "`rules`") {
            let level = value.as_str().and_then(Level::of_word);
            match (settable(&key.name), level) {
                (Ok(id), Some(level)) => rules.push((id, level)),
                (Err(why), _) => {
                    self.wrong(key.span, why, "remove the line, or name a rule of `assay list rules`")
                }
                (_, None) => {
                    let quoted = format!("write one of `{}`", LEVELS.join("`, `"));
                    self.wrong(value.span, format!("`{}` cannot be set to this", key.name), quoted);
                }
            }
        }
        rules
    }

    fn overrides(&mut self, node: &Node) -> Vec<(GlobSet, Vec<(&'static str, Level)>)> {
        let Some(items) = node.as_sequence() else {
            self.wrong(
                node.span,
                "`overrides` is a list",
                "write `- files: [\"examples/**\"]` and `rules:` below it",
            );
            return Vec::new();
        };
        let mut overrides = Vec::new();
        for item in items {
            let (mut files, mut rules) = (GlobSet::empty(), Vec::new());
            for (key, value) in self.entries(item, "an override") {
                match &*key.name {
                    "files" => files = self.globs(value, "files"),
                    "rules" => rules = self.rules(value),
                    _ => self.unknown(key, &["files", "rules"]),
                }
            }
            overrides.push((files, rules));
        }
        overrides
    }

    fn globs(&mut self, node: &Node, field: &str) -> GlobSet {
        let Some(items) = node.as_sequence() else {
            self.wrong(
                node.span,
                format!("`{field}` is a list of patterns"),
                format!("write `{field}: [\"third_party/**\"]`"),
            );
            return GlobSet::empty();
        };
        let mut set = GlobSetBuilder::new();
        for item in items {
            match item.as_str().map(Glob::new) {
                Some(Ok(glob)) => {
                    set.add(glob);
                }
                Some(Err(error)) => self.wrong(
                    item.span,
                    format!("this is no pattern: {}", error.kind()),
                    "`*` is anything in a name, `**` any folders",
                ),
                None => self.wrong(item.span, "a pattern is text", "put it in quotes"),
            }
        }
        set.build().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Config, Vec<String>> {
        Config::parse(SourceId(0), text).map_err(|found| found.into_iter().map(|one| one.message).collect())
    }

    #[test]
    fn later_and_narrower_decisions_win() {
        let text = "rules: {missing-timeout: error}\noverrides:\n  - files: [\"examples/**\"]\n    rules: {missing-timeout: off}\nexclude: [\"old/*\"]\nfail_on: note\n";
        let mut config = parse(text).expect("a configuration");
        let level = |config: &Config, file| config.level("missing-timeout", Severity::Warning, file);
        assert_eq!(level(&config, "a.yaml"), Level::On(Severity::Error));
        assert_eq!(level(&config, "examples/x/a.yaml"), Level::Off);
        assert!(config.excludes("old/x.yaml") && !config.excludes("new/x.yaml"));
        config.set("missing-timeout", Level::On(Severity::Note)).expect("a rule");
        assert_eq!(level(&config, "examples/x/a.yaml"), Level::On(Severity::Note));
    }

    #[test]
    fn every_fault_is_reported() {
        let text = "rules: {missing-timout: off, cycle: off, missing-timeout: sometimes}\nfail_on: off\nrule: {}\nexclude: x\n";
        let found = parse(text).expect_err("faults");
        assert_eq!(found.len(), 6, "{found:#?}");
        assert!(found[0].contains("did you mean `missing-timeout`?"), "{found:#?}");
    }

    #[test]
    fn more_can_be_read_up_to_the_limit_of_the_language() {
        assert_eq!(Config::default().limits().nodes, MOST_VALUES);
        assert_eq!(parse("max_values: 1000000\n").expect("a configuration").limits().nodes, 1_000_000);
        for wrong in ["0", "1000001", "-1", "all"] {
            assert_eq!(parse(&format!("max_values: {wrong}\n")).expect_err("a fault").len(), 1, "{wrong}");
        }
    }

    #[test]
    fn an_empty_file_decides_nothing() {
        assert!(parse("# nothing\n").is_ok());
    }
}
