//! `watch`: patterns that must or must not appear in a program's logs, looked for while it runs.
//!
//! Reads each byte once and keeps at most one line, so an endless log costs no memory.

use crate::config::excerpt;
use crate::fields::Pattern;
use assay_run::{StepCtx, Stream};
use regex::bytes::Regex;
use schemars::JsonSchema;
use serde::Deserialize;
use std::time::Duration;

/// How often a running program's logs are looked at.
pub(crate) const INTERVAL: Duration = Duration::from_millis(100);
/// Bytes read at a time; other steps get their turn in between.
const CHUNK: usize = 1 << 20;
/// A line longer than this is looked at in pieces, which a match across two pieces escapes.
const LINE_MAX: usize = 64 << 10;
/// Characters of a line that a message shows.
const SHOWN: usize = 200;

/// One pattern.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct WatchPattern {
    /// Regular expression, looked for in each line by itself.
    pub regex: Pattern,
    /// What a match means, for messages; the expression itself if absent.
    #[serde(default)]
    pub name: Option<String>,
}

/// Patterns that must or must not appear in standard output or standard error.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct WatchConfig {
    /// Each must match some line by the time the program has ended.
    #[serde(default)]
    pub must: Vec<WatchPattern>,
    /// None may match any line; the first match stops the program at once and fails the step.
    #[serde(default)]
    pub must_not: Vec<WatchPattern>,
}

struct Rule {
    name: String,
    regex: Regex,
    seen: bool,
}

impl WatchPattern {
    fn rule(&self) -> Result<Rule, String> {
        let name = match &self.name {
            Some(name) => format!("`{name}` (`{}`)", self.regex.0),
            None => format!("`{}`", self.regex.0),
        };
        match Regex::new(&self.regex.0) {
            Ok(regex) => Ok(Rule { name, regex, seen: false }),
            Err(error) => Err(format!("`watch` holds {name}, which is not a regular expression: {error}")),
        }
    }
}

/// How far one log was read.
struct Cursor {
    stream: Stream,
    word: &'static str,
    offset: u64,
    line: u64,
    carry: Vec<u8>,
}

impl Cursor {
    fn new(stream: Stream, word: &'static str, offset: u64) -> Self {
        Self { stream, word, offset, line: 1, carry: Vec::new() }
    }
}

/// Looks through both logs as they grow.
pub(crate) struct Watcher {
    must: Vec<Rule>,
    must_not: Vec<Rule>,
    cursors: Vec<Cursor>,
}

impl Watcher {
    /// Watches what comes from now on.
    ///
    /// # Errors
    /// A pattern is no regular expression.
    pub(crate) fn new(config: &WatchConfig, cx: &StepCtx) -> Result<Self, String> {
        Self::at(config, cx.output_len(Stream::Stdout), cx.output_len(Stream::Stderr))
    }

    fn at(config: &WatchConfig, stdout: u64, stderr: u64) -> Result<Self, String> {
        let rules =
            |patterns: &[WatchPattern]| patterns.iter().map(WatchPattern::rule).collect::<Result<_, _>>();
        Ok(Self {
            must: rules(&config.must)?,
            must_not: rules(&config.must_not)?,
            cursors: vec![
                Cursor::new(Stream::Stdout, "stdout", stdout),
                Cursor::new(Stream::Stderr, "stderr", stderr),
            ],
        })
    }

    /// Returns when a forbidden pattern appears, with what was found; never otherwise.
    pub(crate) async fn forbidden(&mut self, cx: &StepCtx) -> String {
        loop {
            if let Err(found) = self.catch_up(cx).await {
                return found;
            }
            tokio::time::sleep(INTERVAL).await;
        }
    }

    /// Reads what the logs hold after the end.
    ///
    /// # Errors
    /// A forbidden pattern appeared, or a required one did not.
    pub(crate) async fn finish(&mut self, cx: &StepCtx) -> Result<(), String> {
        self.catch_up(cx).await?;
        for index in 0..self.cursors.len() {
            let rest = std::mem::take(&mut self.cursors[index].carry);
            if !rest.is_empty() {
                self.line(index, &rest)?;
            }
        }
        self.missing()
    }

    fn missing(&self) -> Result<(), String> {
        let missing: Vec<&str> =
            self.must.iter().filter(|rule| !rule.seen).map(|rule| rule.name.as_str()).collect();
        if missing.is_empty() {
            return Ok(());
        }
        Err(format!("{} must appear in the log and did not", missing.join(" and ")))
    }

    async fn catch_up(&mut self, cx: &StepCtx) -> Result<(), String> {
        for index in 0..self.cursors.len() {
            loop {
                let cursor = &self.cursors[index];
                let bytes = cx
                    .read_output(cursor.stream, cursor.offset, CHUNK)
                    .map_err(|error| format!("cannot read {}: {error}", cursor.word))?;
                if bytes.is_empty() {
                    break;
                }
                self.feed(index, &bytes)?;
                tokio::task::yield_now().await;
            }
        }
        Ok(())
    }

    fn feed(&mut self, index: usize, bytes: &[u8]) -> Result<(), String> {
        self.cursors[index].offset += bytes.len() as u64;
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            let mut line = std::mem::take(&mut self.cursors[index].carry);
            line.extend_from_slice(piece);
            if line.last() == Some(&b'\n') {
                line.pop();
                self.pieces(index, &line)?;
                self.cursors[index].line += 1;
            } else if line.len() >= LINE_MAX {
                self.pieces(index, &line)?;
            } else {
                self.cursors[index].carry = line;
            }
        }
        Ok(())
    }

    fn pieces(&mut self, index: usize, line: &[u8]) -> Result<(), String> {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if line.len() <= LINE_MAX {
            return self.line(index, line);
        }
        line.chunks(LINE_MAX).try_for_each(|piece| self.line(index, piece))
    }

    fn line(&mut self, index: usize, line: &[u8]) -> Result<(), String> {
        for rule in self.must.iter_mut().filter(|rule| !rule.seen) {
            rule.seen = rule.regex.is_match(line);
        }
        match self.must_not.iter().find(|rule| rule.regex.is_match(line)) {
            None => Ok(()),
            Some(rule) => {
                let cursor = &self.cursors[index];
                let text = String::from_utf8_lossy(line);
                Err(format!(
                    "{} must not appear in the log, but line {} of {} is `{}`",
                    rule.name,
                    cursor.line,
                    cursor.word,
                    excerpt(text.trim(), SHOWN)
                ))
            }
        }
    }
}

/// Waits for one pattern in either log: readiness of servers.
pub(crate) struct LogLine(Watcher);

impl LogLine {
    /// Watches what comes from now on.
    ///
    /// # Errors
    /// The pattern is no regular expression.
    pub(crate) fn new(pattern: &Pattern, cx: &StepCtx) -> Result<Self, String> {
        Watcher::new(&Self::config(pattern), cx).map(Self)
    }

    /// Watches the logs from their beginning: what was written to them before counts.
    ///
    /// # Errors
    /// The pattern is no regular expression.
    pub(crate) fn from_start(pattern: &Pattern) -> Result<Self, String> {
        Watcher::at(&Self::config(pattern), 0, 0).map(Self)
    }

    fn config(pattern: &Pattern) -> WatchConfig {
        let must = vec![WatchPattern { regex: pattern.clone(), name: None }];
        WatchConfig { must, must_not: Vec::new() }
    }

    /// Whether a complete line has matched by now.
    pub(crate) async fn seen(&mut self, cx: &StepCtx) -> Result<bool, String> {
        if !self.0.must.iter().all(|rule| rule.seen) {
            self.0.catch_up(cx).await?;
        }
        Ok(self.0.must.iter().all(|rule| rule.seen))
    }
}

#[cfg(test)]
mod tests {
    use super::{LINE_MAX, WatchConfig, Watcher};
    use serde_json::{from_value, json};

    fn watcher(config: serde_json::Value) -> Watcher {
        let config: WatchConfig = from_value(config).unwrap();
        Watcher::at(&config, 0, 0).unwrap()
    }

    #[test]
    fn a_forbidden_line_is_named_with_its_number_even_when_it_comes_in_parts() {
        let mut watcher = watcher(json!({"must_not": [{"regex": "CUDA error", "name": "gpu fault"}]}));
        assert!(watcher.feed(0, b"one\ntwo CU").is_ok());
        assert!(watcher.feed(1, b"CUDA err\n").is_ok());
        let found = watcher.feed(0, b"DA error 700\nthree\n").unwrap_err();
        assert!(found.contains("line 2 of stdout") && found.contains("`two CUDA error 700`"), "{found}");
        assert!(found.contains("`gpu fault`"), "{found}");
    }

    #[test]
    fn required_patterns_are_missing_until_seen() {
        let mut watcher = watcher(json!({"must": [{"regex": "^done$"}, {"regex": "ok=\\d"}]}));
        assert!(watcher.feed(0, b"not done\r\n").is_ok());
        assert!(watcher.missing().unwrap_err().contains("`^done$` and `ok="));
        assert!(watcher.feed(1, b"done\r\nok=3\n").is_ok());
        assert!(watcher.missing().is_ok());
    }

    #[test]
    fn a_log_without_newlines_is_kept_in_bounds_and_still_looked_at() {
        let mut watcher = watcher(json!({"must_not": [{"regex": "bad"}]}));
        for _ in 0..64 {
            assert!(watcher.feed(0, &[b'x'; 50_000]).is_ok());
            assert!(watcher.cursors[0].carry.len() < LINE_MAX);
        }
        assert!(watcher.feed(0, b" bad\n").unwrap_err().contains("line 1 of"));
    }

    #[test]
    fn bytes_that_are_no_text_do_not_hide_a_match() {
        let mut watcher = watcher(json!({"must_not": [{"regex": "bad"}]}));
        assert!(watcher.feed(1, b"\xff\xfe bad \xff\n").unwrap_err().contains("stderr"));
    }
}
