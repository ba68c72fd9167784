//! A line for `sh`, taken apart as far as rules need it: simple commands, their words and redirections, and what joins
//! them. It does not run, expand or judge anything; what it cannot take apart becomes one word.

use std::ops::Range;

/// Nesting of `$( )` that is followed.
const DEEPEST: usize = 8;

/// A word with its quotes taken off. `{{ }}` stays as written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Word {
    /// The text.
    pub text: String,
    /// Bytes in the line, quotes included.
    pub range: Range<usize>,
    /// Some of it stood in quotes.
    pub quoted: bool,
    /// Holds `$`, a backquote or `{{`: known only when it runs.
    pub open: bool,
}

/// `> file`, `2>> file`, `< file`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Redirect {
    /// The operator without a descriptor number: `>`, `>>`, `<`, `>&`, `&>`, `<<`, `<<<`, `>|`, `<>`, `<&`.
    pub operator: String,
    /// Where it leads.
    pub target: Word,
}

/// One command with what follows it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Simple {
    /// `NAME=value` before the command.
    pub assigns: Vec<Word>,
    /// Program and arguments.
    pub words: Vec<Word>,
    /// Redirections.
    pub redirects: Vec<Redirect>,
    /// The operator behind it: `|`, `|&`, `||`, `&&`, `;`, `&`; empty at the end.
    pub then: String,
    /// Bytes of the operator.
    pub then_range: Range<usize>,
    /// Stands inside `$( )` or backquotes.
    pub nested: bool,
    /// Its end decides about a branch: behind `if`, `elif`, `while`, `until` or `!`.
    pub condition: bool,
}

/// Words that introduce a command and are none.
const INTRODUCTIONS: &[&str] = &["if", "then", "else", "elif", "while", "until", "do", "!", "time", "{"];

/// Takes a line apart. Commands inside `$( )` and backquotes come behind the one that holds them.
pub fn commands(line: &str) -> Vec<Simple> {
    let mut out = Vec::new();
    Lexer { line, at: 0, end: line.len(), bodies: Vec::new() }.read(false, 0, &mut out);
    out
}

struct Lexer<'a> {
    line: &'a str,
    at: usize,
    end: usize,
    /// Last lines of the texts (`<<`) that begin on the next line; `true`: tabs before it do not count.
    bodies: Vec<(String, bool)>,
}

/// Words behind which a command only decides.
const CONDITIONS: &[&str] = &["if", "elif", "while", "until", "!"];

const OPERATORS: &[&str] = &["&&", "||", "|&", ";;", "|", ";", "(", ")"];
const REDIRECTS: &[&str] = &["<<<", "<<-", "&>>", "<<", "<&", "<>", ">>", ">&", ">|", "&>", "<", ">"];

impl<'a> Lexer<'a> {
    fn rest(&self) -> &'a str {
        &self.line[self.at..self.end]
    }

    fn read(&mut self, nested: bool, depth: usize, out: &mut Vec<Simple>) {
        let fresh = || Simple { nested, ..Simple::default() };
        let mut current = fresh();
        let mut inner = Vec::new();
        loop {
            self.skip_blanks();
            let rest = self.rest();
            let Some(first) = rest.chars().next() else { break };
            if first == '\n' {
                self.finish(&mut current, ";", 1, out, &mut inner, fresh());
                self.skip_bodies();
            } else if rest.starts_with("<(") || rest.starts_with(">(") {
                current.words.push(self.process(depth, &mut inner));
            } else if let Some(operator) = self.redirect() {
                self.skip_blanks();
                let target = self.word(depth, &mut inner);
                if matches!(operator.as_str(), "<<" | "<<-") {
                    self.bodies.push((target.text.clone(), operator == "<<-"));
                }
                current.redirects.push(Redirect { operator, target });
            } else if let Some(operator) = OPERATORS.iter().find(|operator| rest.starts_with(**operator)) {
                let shown = if matches!(*operator, "(" | ")" | ";;") { ";" } else { operator };
                self.finish(&mut current, shown, operator.len(), out, &mut inner, fresh());
            } else if first == '&' {
                self.finish(&mut current, "&", 1, out, &mut inner, fresh());
            } else {
                let word = self.word(depth, &mut inner);
                if current.words.is_empty() && !word.quoted && INTRODUCTIONS.contains(&word.text.as_str()) {
                    current.condition |= CONDITIONS.contains(&word.text.as_str());
                    continue;
                }
                let assigns = current.words.is_empty() && is_assignment(&self.line[word.range.clone()]);
                if assigns { &mut current.assigns } else { &mut current.words }.push(word);
            }
        }
        self.finish(&mut current, "", 0, out, &mut inner, fresh());
    }

    fn finish(
        &mut self,
        current: &mut Simple,
        operator: &str,
        length: usize,
        out: &mut Vec<Simple>,
        inner: &mut Vec<Simple>,
        fresh: Simple,
    ) {
        let mut done = std::mem::replace(current, fresh);
        done.then = operator.to_owned();
        done.then_range = self.at..self.at + length;
        self.at += length;
        if !(done.words.is_empty() && done.assigns.is_empty() && done.redirects.is_empty()) {
            out.push(done);
        }
        out.append(inner);
    }

    fn skip_blanks(&mut self) {
        loop {
            let rest = self.rest();
            if rest.starts_with("\\\n") {
                self.at += 2;
            } else if rest.starts_with([' ', '\t', '\r']) {
                self.at += 1;
            } else if rest.starts_with('#') {
                self.at += rest.find('\n').unwrap_or(rest.len());
            } else {
                return;
            }
        }
    }

    /// Passes over the texts of `<<`: they are input, no commands.
    fn skip_bodies(&mut self) {
        for (last, tabs) in std::mem::take(&mut self.bodies) {
            while self.at < self.end {
                let rest = self.rest();
                let length = rest.find('\n').map_or(rest.len(), |at| at + 1);
                let line = rest[..length].trim_end_matches(['\n', '\r']);
                self.at += length;
                if (if tabs { line.trim_start_matches('\t') } else { line }) == last {
                    break;
                }
            }
        }
    }

    /// `<( )` or `>( )` as one word.
    fn process(&mut self, depth: usize, inner: &mut Vec<Simple>) -> Word {
        let start = self.at;
        let rest = self.rest();
        let length = matching(rest);
        let text = rest[..length].to_owned();
        self.inside(start + 2, start + open_length(&text, ')').max(2), depth, inner);
        self.at += length;
        Word { text, range: start..self.at, quoted: false, open: true }
    }

    /// A redirection's operator, with a descriptor number before it skipped.
    fn redirect(&mut self) -> Option<String> {
        let rest = self.rest();
        let digits = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        let operator = REDIRECTS.iter().find(|operator| rest[digits..].starts_with(**operator))?;
        self.at += digits + operator.len();
        Some((*operator).to_owned())
    }

    fn word(&mut self, depth: usize, inner: &mut Vec<Simple>) -> Word {
        let start = self.at;
        let mut word = Word { text: String::new(), range: start..start, quoted: false, open: false };
        while let Some(c) = self.rest().chars().next() {
            let rest = self.rest();
            match c {
                ' ' | '\t' | '\r' | '\n' | ';' | '|' | '&' | '<' | '>' | '(' | ')' => break,
                '\\' => {
                    self.at += 1;
                    let next = self.rest().chars().next();
                    self.at += next.map_or(0, char::len_utf8);
                    word.text.extend(next.filter(|next| *next != '\n'));
                    word.quoted = true;
                }
                '\'' => {
                    let inside = &rest[1..];
                    let length = inside.find('\'').unwrap_or(inside.len());
                    word.text.push_str(&inside[..length]);
                    word.open |= inside[..length].contains("{{");
                    word.quoted = true;
                    self.at = (self.at + length + 2).min(self.end);
                }
                '"' => self.double_quoted(&mut word, depth, inner),
                _ => self.piece(&mut word, depth, inner),
            }
        }
        // Whatever cannot begin a word is one of its own, so that reading always goes on.
        if self.at == start
            && let Some(c) = self.rest().chars().next()
        {
            self.at += c.len_utf8();
            word.text.push(c);
        }
        word.range = start..self.at;
        word
    }

    fn double_quoted(&mut self, word: &mut Word, depth: usize, inner: &mut Vec<Simple>) {
        self.at += 1;
        word.quoted = true;
        while let Some(c) = self.rest().chars().next() {
            match c {
                '"' => {
                    self.at += 1;
                    return;
                }
                '\\' => {
                    self.at += 1;
                    let next = self.rest().chars().next();
                    self.at += next.map_or(0, char::len_utf8);
                    word.text.extend(next);
                }
                _ => self.piece(word, depth, inner),
            }
        }
    }

    /// One character, one `{{ }}`, or one expansion, in or outside of double quotes.
    fn piece(&mut self, word: &mut Word, depth: usize, inner: &mut Vec<Simple>) {
        let rest = self.rest();
        let closed = |open: usize, close: &str| rest[open..].find(close).map(|at| open + at + close.len());
        let length = if rest.starts_with("{{") {
            closed(2, "}}")
        } else if rest.starts_with("{%") {
            closed(2, "%}")
        } else if rest.starts_with("$((") {
            Some(matching(rest))
        } else if rest.starts_with("$(") {
            let length = matching(rest);
            self.inside(self.at + 2, self.at + open_length(&rest[..length], ')').max(2), depth, inner);
            Some(length)
        } else if rest.starts_with('`') {
            let length = closed(1, "`").unwrap_or(rest.len());
            self.inside(self.at + 1, self.at + open_length(&rest[..length], '`').max(1), depth, inner);
            Some(length)
        } else if rest.starts_with("${") {
            closed(2, "}")
        } else {
            word.open |= rest.starts_with('$');
            let c = rest.chars().next().unwrap_or(' ');
            word.text.push(c);
            self.at += c.len_utf8();
            return;
        };
        let length = length.unwrap_or(rest.len());
        word.open = true;
        word.text.push_str(&rest[..length]);
        self.at += length;
    }

    fn inside(&self, from: usize, to: usize, depth: usize, inner: &mut Vec<Simple>) {
        if depth < DEEPEST && from <= to {
            Lexer { line: self.line, at: from, end: to, bodies: Vec::new() }.read(true, depth + 1, inner);
        }
    }
}

/// Length without the bracket that closes it, which may be missing.
fn open_length(text: &str, close: char) -> usize {
    text.strip_suffix(close).unwrap_or(text).len()
}

/// Length of a `$( )` with what it holds; to the end if it is not closed. Brackets in quotes do not count.
fn matching(text: &str) -> usize {
    let mut open = 0_usize;
    let mut quote = None;
    let mut escaped = false;
    for (at, byte) in text.bytes().enumerate() {
        if std::mem::take(&mut escaped) {
            continue;
        }
        match (byte, quote) {
            (b'\\', None | Some(b'"')) => escaped = true,
            (b'\'' | b'"', None) => quote = Some(byte),
            (_, Some(open)) if byte == open => quote = None,
            (b'(', None) => open += 1,
            (b')', None) => {
                open -= 1;
                if open == 0 {
                    return at + 1;
                }
            }
            _ => {}
        }
    }
    text.len()
}

/// `NAME=...` as written, quotes and all.
fn is_assignment(written: &str) -> bool {
    written.split_once('=').is_some_and(|(name, _)| {
        !name.is_empty()
            && !name.starts_with(|c: char| c.is_ascii_digit())
            && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(line: &str) -> Vec<String> {
        let text = |words: &[Word]| words.iter().map(|w| w.text.clone()).collect::<Vec<_>>().join(" ");
        commands(line)
            .iter()
            .map(|simple| {
                let redirects: String = simple
                    .redirects
                    .iter()
                    .map(|redirect| format!(" {}[{}]", redirect.operator, redirect.target.text))
                    .collect();
                let assigns = if simple.assigns.is_empty() {
                    String::new()
                } else {
                    format!("({}) ", text(&simple.assigns))
                };
                format!("{assigns}{}{redirects} {}", text(&simple.words), simple.then).trim().to_owned()
            })
            .collect()
    }

    #[test]
    fn lines_are_taken_apart() {
        assert_eq!(
            shown("make -j2 && ./run 'a b' \"c d\" | tee out.log"),
            ["make -j2 &&", "./run a b c d |", "tee out.log"]
        );
        assert_eq!(
            shown("A=1 B='x y' python3 bench.py > r.json 2>&1 &"),
            ["(A=1 B=x y) python3 bench.py >[r.json] >&[1] &"]
        );
        assert_eq!(shown("if pgrep x; then killall x; fi # note"), ["pgrep x ;", "killall x ;", "fi"]);
        assert_eq!(shown("kill $(pidof server)"), ["kill $(pidof server)", "pidof server"]);
        assert_eq!(
            shown("echo {{ inputs.name | q }} >> log\necho two"),
            ["echo {{ inputs.name | q }} >>[log] ;", "echo two"]
        );
    }

    #[test]
    fn ranges_point_at_what_was_written() {
        let line = "cp 'a b' /tmp/x";
        let words = &commands(line)[0].words;
        assert_eq!(&line[words[1].range.clone()], "'a b'");
        assert_eq!(&line[words[2].range.clone()], "/tmp/x");
        assert!(words[1].quoted && !words[2].quoted);
    }

    #[test]
    fn texts_for_a_command_are_no_commands() {
        assert_eq!(
            shown("cat > x.sh <<'EOF'\nsudo reboot\nEOF\necho done"),
            ["cat >[x.sh] <<[EOF] ;", "echo done"]
        );
        assert_eq!(shown("cat <<-A <<B\n\tx\n\tA\ny\nB\nls"), ["cat <<-[A] <<[B] ;", "ls"]);
    }

    #[test]
    fn processes_and_sums_are_words() {
        assert_eq!(shown("bash <(curl x) y"), ["bash <(curl x) y", "curl x"]);
        assert_eq!(shown("echo $((1 + 2)) $(echo ')')"), ["echo $((1 + 2)) $(echo ')')", "echo )"]);
        assert!(commands("echo '{{ inputs.a }}'")[0].words[1].open);
    }

    #[test]
    fn conditions_are_told_apart() {
        let found = commands("if a | b; then c; fi; ! d; while e; do f; done");
        let conditions: Vec<&str> =
            found.iter().filter(|one| one.condition).map(|one| one.words[0].text.as_str()).collect();
        assert_eq!(conditions, ["a", "d", "e"]);
    }

    proptest::proptest! {
        #[test]
        fn any_line_ends_with_ranges_in_bounds(
            pieces in proptest::collection::vec(proptest::sample::select(PIECES.to_vec()), 0..40)
        ) {
            let line = pieces.concat();
            let mut last = 0;
            for simple in commands(&line) {
                let redirects = simple.redirects.iter().map(|redirect| &redirect.target);
                for word in simple.words.iter().chain(&simple.assigns).chain(redirects) {
                    proptest::prop_assert!(line.get(word.range.clone()).is_some(), "{:?}", word);
                }
                proptest::prop_assert!(line.get(simple.then_range.clone()).is_some());
                if !simple.nested {
                    proptest::prop_assert!(simple.then_range.start >= last, "commands keep their order");
                    last = simple.then_range.end;
                }
            }
        }

        #[test]
        fn any_text_ends(line in "\\PC{0,80}") {
            commands(&line);
        }
    }

    const PIECES: &[&str] = &[
        "a", " ", "é", "'", "\"", "`", "$(", "$((", ")", "(", "<(", ">", ">&", "2>", "<<", "<<-", "EOF",
        "\n", "\t", "\\", "|", "||", "&", "&&", ";", "{{", "}}", "{%", "${", "}", "#", "if ", "! ", "A=1 ",
        "\r",
    ];

    #[test]
    fn broken_lines_end() {
        for line in ["'open", "\"open $(", "$(", "((", "\\", "<", "a >", "`x", "${", "{{", "&&&&", ")) é"] {
            commands(line);
        }
        let deep = "$(".repeat(5000);
        commands(&deep);
    }
}
