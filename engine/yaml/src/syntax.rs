//! Syntax errors in plain words, with the place an author must look at and a way out.
//!
//! The parser names what it missed where it noticed; this file turns that into what was probably done wrong.

use assay_diagnostics::{Diagnostic, Edit, Fix, SourceId, Span};

const CODE: &str = "yaml-syntax";

/// The place of an error and the text around it.
struct Place<'a> {
    source: SourceId,
    text: &'a str,
    /// Where the parser stopped.
    at: usize,
    /// The line of `at`, without its line break.
    line_start: usize,
    line_end: usize,
}

impl<'a> Place<'a> {
    fn new(source: SourceId, text: &'a str, at: usize) -> Self {
        let at = text.floor_char_boundary(at.min(text.len()));
        let line_start = text[..at].rfind('\n').map_or(0, |end| end + 1);
        let line_end = text[at..].find(['\n', '\r']).map_or(text.len(), |end| at + end);
        Self { source, text, at, line_start, line_end }
    }

    fn line(&self) -> &'a str {
        &self.text[self.line_start..self.line_end]
    }

    fn span(&self, start: usize, end: usize) -> Span {
        Span { source: self.source, start: start as u32, end: end.max(start) as u32 }
    }

    /// The character at the place, or the empty end of the file.
    fn here(&self) -> Span {
        let length = self.text[self.at..self.line_end].chars().next().map_or(0, char::len_utf8);
        self.span(self.at, self.at + length)
    }

    /// From the place to the end of its line, a comment left out.
    fn rest_of_line(&self) -> Span {
        let rest = &self.text[self.at..self.line_end];
        let rest = rest.split(" #").next().unwrap_or(rest).trim_end();
        self.span(self.at, self.at + rest.len())
    }

    /// The words that end at or above the place: the parser notices a missing `:` only behind the line.
    fn words_before(&self) -> Span {
        let end = self.text[..self.at].trim_end().len();
        if end >= self.line_start && self.line_end > self.at {
            return self.rest_of_line();
        }
        let before = Place::new(self.source, self.text, end).before();
        if before.start == before.end { self.here() } else { before }
    }

    /// The line up to the place, without its indentation.
    fn before(&self) -> Span {
        let before = &self.text[self.line_start..self.at];
        self.span(self.line_start + before.len() - before.trim_start().len(), self.at)
    }
}

/// A syntax error. `open` is where the innermost bracket that is still open stands.
pub(crate) fn explain(
    source: SourceId,
    text: &str,
    info: &str,
    at: usize,
    open: Option<usize>,
) -> Diagnostic {
    let place = Place::new(source, text, at);
    if info.contains("recursion limit") {
        return too_deep(place.here(), None);
    }
    let found = tab(&place, info)
        .or_else(|| open.and_then(|open| unclosed(&place, info, open)))
        .or_else(|| quoted(&place, info))
        .or_else(|| structure(&place, info))
        .or_else(|| word(&place, info))
        .unwrap_or_else(|| other(&place, info));
    match template_on_line(&place) {
        Some(template) if found.code == CODE => {
            found.also(template, "a template must be in quotes").help(QUOTE_TEMPLATE)
        }
        _ => found,
    }
}

/// Collections nest deeper than the limit (or than the parser's own, which lies higher).
pub(crate) fn too_deep(span: Span, limit: Option<usize>) -> Diagnostic {
    let message = match limit {
        Some(limit) => format!("lists and mappings nest more than {limit} levels"),
        None => "lists and mappings nest far too deep".to_owned(),
    };
    Diagnostic::error("yaml-too-deep", message)
        .at(span, "this is one too many")
        .help("use fewer levels, or put the inner part into a file of its own")
}

const QUOTE_TEMPLATE: &str = "put the whole value in quotes: `\"{{ ... }}\"`";

/// `key: {{ x }}`: YAML reads the braces as mappings. `in_list`: a bracket is open around it.
pub(crate) fn bare_template(source: SourceId, text: &str, at: usize, in_list: bool) -> Diagnostic {
    let place = Place::new(source, text, at);
    let line = place.rest_of_line();
    let rest = &text[line.range()];
    let close = if in_list { rest.find("}}") } else { rest.rfind("}}") };
    let end = at + close.map_or(rest.len(), |close| close + 2);
    let found = Diagnostic::error("yaml-key-not-text", "a template must be in quotes")
        .at(place.span(at, end), "YAML reads `{` as the start of a mapping")
        .help(QUOTE_TEMPLATE);
    let value = if in_list { place.span(at, end) } else { line };
    let alone = !in_list || text[end..].trim_start_matches(' ').starts_with([',', ']', '}']);
    match quote(text, value).filter(|_| alone && close.is_some()) {
        Some(edits) => found.fix(Fix { title: "quote the whole value".to_owned(), safe: true, edits }),
        None => found,
    }
}

/// Double quotes around a value, where they do not change it otherwise.
fn quote(text: &str, value: Span) -> Option<Vec<Edit>> {
    let insert = |at| Edit { span: Span { start: at, end: at, ..value }, replacement: "\"".to_owned() };
    (!text[value.range()].contains(['"', '\\'])).then(|| vec![insert(value.start), insert(value.end)])
}

/// A template without quotes in a value on the line of the error.
fn template_on_line(place: &Place<'_>) -> Option<Span> {
    let line = place.line();
    let start = [": {{", "- {{", ", {{", "[{{"]
        .iter()
        .filter_map(|form| line.find(form).map(|at| at + form.len() - 2))
        .min()?;
    let end = line[start..].find("}}").map_or(line.len(), |end| start + end + 2);
    Some(place.span(place.line_start + start, place.line_start + end))
}

fn tab(place: &Place<'_>, info: &str) -> Option<Diagnostic> {
    let line = place.line();
    let indentation = &line[..line.len() - line.trim_start_matches([' ', '\t']).len()];
    let tab = indentation.find('\t')?;
    if !info.contains("tab") && place.at > place.line_start + indentation.len() {
        return None;
    }
    let (start, end) = (place.line_start + tab, place.line_start + indentation.len());
    let spaces =
        indentation[tab..].chars().map(|character| if character == '\t' { "  " } else { " " }).collect();
    Some(
        Diagnostic::error(CODE, "a tab cannot be used as indentation")
            .at(place.span(start, end), "a tab stands here")
            .help("indent with spaces; most editors can be told to insert them")
            .fix(Fix {
                title: "replace each tab by two spaces".to_owned(),
                safe: false,
                edits: vec![Edit { span: place.span(start, end), replacement: spaces }],
            }),
    )
}

/// A bracket that is never closed shows up as something else, often lines below.
fn unclosed(place: &Place<'_>, info: &str, open: usize) -> Option<Diagnostic> {
    let typical = [
        "while parsing a flow",
        "illegal placement of ':'",
        "invalid indentation in flow construct",
        "unexpected eof",
        "did not find expected node content",
        "simple key expect",
        "mapping values are not allowed",
        "mapping keys are not allowed",
        "misplaced bracket",
    ];
    if !typical.iter().any(|part| info.contains(part)) {
        return None;
    }
    let list = place.text[open..].starts_with('[');
    let (what, close) = if list { ("list", ']') } else { ("mapping", '}') };
    let here = if place.text[place.at..].starts_with(':') {
        place.span(place.before().start as usize, place.at + 1)
    } else {
        place.here()
    };
    let stop = if here.start == here.end { "the file ends here" } else { "this does not fit into it" };
    Some(
        Diagnostic::error(CODE, format!("the {what} in brackets is not closed, or a comma is missing"))
            .at(place.span(open, open + 1), "opened here")
            .also(here, stop)
            .help(format!(
                "write `{close}` where it ends; put text with `,` `:` `[` or `{{` in it in quotes"
            )),
    )
}

fn quoted(place: &Place<'_>, info: &str) -> Option<Diagnostic> {
    let quote = place.text[place.at..].chars().next().filter(|quote| matches!(quote, '"' | '\''));
    let starts = [
        "invalid indentation in quoted scalar",
        "found unexpected end of stream",
        "found unexpected document indicator",
    ];
    if starts.iter().any(|part| info.contains(part)) {
        let quote = quote.unwrap_or('"');
        return Some(
            Diagnostic::error(CODE, "the text in quotes is not closed")
                .at(place.rest_of_line(), "opened here")
                .help(format!(
                    "write `{quote}` where it ends; text over several lines is better written with `|`"
                )),
        );
    }
    if info.contains("escape") || info.contains("hexadecimal") {
        let escape = bad_escape(place).unwrap_or(place.here());
        let shown = &place.text[escape.range()];
        return Some(
            Diagnostic::error(CODE, format!("`{shown}` is no escape that YAML knows"))
                .at(escape, "in double quotes a backslash begins an escape")
                .help("use single quotes, where a backslash is itself, or write `\\\\`"),
        );
    }
    info.contains("trailing content").then(|| {
        Diagnostic::error(CODE, "something follows the text in quotes")
            .at(place.rest_of_line(), "this stands behind the closing quote")
            .help("put the whole value inside the quotes")
    })
}

/// The first escape in the double-quoted text at the place that YAML 1.2 (section 5.7) does not list.
fn bad_escape(place: &Place<'_>) -> Option<Span> {
    let text = &place.text[place.at..];
    let mut characters = text.char_indices().skip(1);
    while let Some((at, character)) = characters.next() {
        if character == '"' {
            return None;
        }
        if character != '\\' {
            continue;
        }
        let (next_at, next) = characters.next()?;
        let digits = match next {
            'x' => 2,
            'u' => 4,
            'U' => 8,
            '0' | 'a' | 'b' | 't' | '\t' | 'n' | 'v' | 'f' | 'r' | 'e' | ' ' | '"' | '/' | '\\' | 'N'
            | '_' | 'L' | 'P' | '\n' | '\r' => continue,
            _ => 0,
        };
        let rest = &text[next_at + next.len_utf8()..];
        let hex = rest.chars().take(digits).take_while(char::is_ascii_hexdigit).count();
        let valid = u32::from_str_radix(&rest[..hex], 16).ok().and_then(char::from_u32).is_some();
        if digits == 0 || hex < digits || !valid {
            let end = next_at + next.len_utf8() + hex;
            return Some(place.span(place.at + at, place.at + end));
        }
    }
    None
}

/// Indentation and the mix of lists, keys and text.
fn structure(place: &Place<'_>, info: &str) -> Option<Diagnostic> {
    let found = if info.contains("mapping values are not allowed") {
        value_not_allowed(place)
    } else if info.contains("did not find expected key") {
        Diagnostic::error(CODE, "this line does not line up with the keys around it")
            .at(place.rest_of_line(), "unexpected here")
            .help("keys of one mapping begin in the same column; a list item begins with `- `")
    } else if info.contains("did not find expected '-'") {
        Diagnostic::error(CODE, "expected the next `- ` of the list")
            .at(place.rest_of_line(), "this is no list item")
            .help("a list and keys cannot stand in the same column; indent what belongs to the item, or end the list")
    } else if info.contains("block sequence entries are not allowed") {
        Diagnostic::error(CODE, "a list cannot begin on the line of its key")
            .at(place.here(), "`- ` is not allowed here")
            .help("begin the list on the next line, or write `[a, b]`")
    } else if info.contains("simple key expect") {
        Diagnostic::error(CODE, "expected a `:` after this key")
            .at(place.words_before(), "a key without a value")
            .help("write `key: value`; a space must follow the colon")
    } else if info.contains("misplaced bracket") {
        Diagnostic::error(CODE, "this bracket closes nothing")
            .at(place.here(), "no bracket is open")
            .help("remove it, or put the value in quotes if the bracket belongs to the text")
    } else if info.contains("block scalar, did not find expected comment") {
        Diagnostic::error(CODE, "the text of a `|` or `>` block begins on the next line")
            .at(place.rest_of_line(), "only a comment may stand on this line")
            .help("move the text to the next line, indented deeper than its key")
    } else if info.contains("block scalar") {
        Diagnostic::error(CODE, "a line of the text block is indented wrongly")
            .at(place.rest_of_line(), "here")
            .help("indent every line of the block by the same number of spaces")
    } else {
        return None;
    };
    Some(found)
}

/// A `:` where no key can stand: a second one on the line, or a key under a value that is already text.
fn value_not_allowed(place: &Place<'_>) -> Diagnostic {
    let before = place.before();
    if let Some(first) = place.text[before.range()].find(": ") {
        let start = before.start as usize + first + 1;
        let spaces = place.text[start..].len() - place.text[start..].trim_start_matches(' ').len();
        let value = place.span(start + spaces, place.rest_of_line().end as usize);
        let found = Diagnostic::error(CODE, "a second `: ` on one line")
            .at(place.here(), "this colon reads as another key")
            .help("put the value in quotes if the colon belongs to the text");
        return match quote(place.text, value) {
            Some(edits) => found.fix(Fix { title: "quote the value".to_owned(), safe: false, edits }),
            None => found,
        };
    }
    if let Some(colon) = glued_colon(place) {
        return Diagnostic::error(CODE, "a space must follow the `:` of a key")
            .at(colon, "without a space this is text, not a key")
            .also(before, "so this key cannot follow")
            .help("write `key: value`");
    }
    Diagnostic::error(CODE, "a key cannot stand here")
        .at(before, "the lines above end in a value that is text")
        .help("align it with the keys it belongs to, or give the key above no value of its own")
}

/// `name:value` on the line above.
fn glued_colon(place: &Place<'_>) -> Option<Span> {
    let above = Place::new(place.source, place.text, place.line_start.checked_sub(1)?);
    let line = above.line();
    let name = line.trim_start();
    let colon = name.find(':')?;
    let is_name =
        colon > 0 && name[..colon].chars().all(|part| part.is_alphanumeric() || "_-".contains(part));
    let glued = !name[colon + 1..].starts_with([' ', '/']) && name.len() > colon + 1;
    let start = above.line_start + line.len() - name.len();
    (is_name && glued).then(|| place.span(start, start + name.trim_end().len()))
}

/// A single word or sign that is wrong.
fn word(place: &Place<'_>, info: &str) -> Option<Diagnostic> {
    let here = place.here();
    let shown = &place.text[here.range()];
    let found = if info.contains("unexpected character") || info.contains("plain scalar cannot start") {
        let shown = if shown == "`" { "a backtick".to_owned() } else { format!("`{shown}`") };
        Diagnostic::error(CODE, format!("text without quotes cannot begin with {shown}"))
            .at(here, "reserved by YAML")
            .help("put the value in quotes")
    } else if info.contains("unknown anchor") {
        let rest = &place.text[place.at..place.line_end];
        let length = rest.find([' ', ',', ']', '}', '\t']).unwrap_or(rest.len());
        let name = rest[..length].trim_start_matches('*');
        Diagnostic::error(CODE, format!("no anchor `&{name}` stands above this alias"))
            .at(place.span(place.at, place.at + length), "unknown alias")
            .help("put the value in quotes if the `*` belongs to the text")
    } else if info.contains("anchor") || info.contains("alias") {
        Diagnostic::error(CODE, format!("`{shown}` begins an anchor or alias, but no valid name follows"))
            .at(here, "here")
            .help("put the value in quotes if the sign belongs to the text")
    } else if info.contains("handle") || info.contains("tag") || info.contains("TAG") {
        Diagnostic::error("yaml-tag", "tags (`!name`) are not supported")
            .at(place.rest_of_line(), "here")
            .help("put the value in quotes if the `!` belongs to the text")
    } else {
        return None;
    };
    Some(found)
}

/// The first character that YAML 1.2 (section 5.1) allows in no document; the parser lets some of them pass. `base`:
/// bytes of the text before the body, which may also end before the text does.
pub(crate) fn unprintable(source: SourceId, text: &str, base: usize, body: &str) -> Option<Diagnostic> {
    let bad = |character: char| match character {
        '\t' | '\n' | '\r' | '\u{85}' => false,
        '\0'..='\u{1f}' | '\u{7f}'..='\u{9f}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}' => true,
        _ => false,
    };
    let at = base + body.find(bad)?;
    let place = Place::new(source, text, at);
    let code = text[at..].chars().next().map_or(0, u32::from);
    let (what, help) = match code {
        0xfeff => {
            ("a byte order mark stands inside the text", "remove it; only the start of a file may hold one")
        }
        _ => {
            ("a control character stands in the text", "remove it, or write it as an escape in double quotes")
        }
    };
    let escape = if code < 0x100 { format!("`\\x{code:02x}`") } else { format!("`\\u{code:04x}`") };
    Some(Diagnostic::error(CODE, what).at(place.here(), format!("{escape} stands here")).help(help))
}

fn other(place: &Place<'_>, info: &str) -> Diagnostic {
    let message = match info.split_once(", ") {
        Some((context, rest)) if context.starts_with("while ") => rest,
        _ => info,
    };
    Diagnostic::error(CODE, format!("not valid YAML: {message}"))
        .at(place.here(), "noticed here")
        .help("put text with special characters in quotes")
}
