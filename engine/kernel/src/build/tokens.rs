//! Tokens of a preprocessed text, as far as they tell attributes and assembler from everything else. No parser: whatever stands between
//! the parentheses of an attribute belongs to it.

/// What an attribute may not do.
const OPTIMIZES: &str = "an attribute sets optimisation flags; the task's flags are the same for both sides";
const UNWATCHED: &str = "an attribute keeps a sanitizer from looking";

/// Directives by which an assembler reads files, or puts together text that nobody has read.
const READS: [&str; 2] = [".incbin", ".include"];
const WRITES: [&str; 4] = [".macro", ".irp", ".altmacro", ".mri"];

/// What stands within a pair of parentheses or brackets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Group {
    Attribute,
    Assembler,
}

/// What was read so far, across lines.
#[derive(Debug, Default)]
pub(super) struct Tokens {
    /// Whether `R"x(...)x"` is one string, as in C++ and in GNU's C.
    raw_strings: bool,
    /// Groups that are open, each with how many signs it waits for.
    open: Vec<(Group, usize)>,
    /// What the next parenthesis opens.
    next: Option<Group>,
    /// Whether the token before was `[`.
    bracket: bool,
    /// Text of strings in a row.
    strings: String,
    /// Ends the raw string that is open: `)` and its delimiter.
    raw: Option<String>,
}

/// What is refused, and where in the line it begins.
pub(super) type Refused = (&'static str, usize);

impl Tokens {
    pub fn new(raw_strings: bool) -> Self {
        Self { raw_strings, ..Self::default() }
    }

    /// Whether the line that comes next begins inside a string.
    pub fn in_string(&self) -> bool {
        self.raw.is_some()
    }

    /// Reads a line and gives everything in it that is refused.
    pub fn take(&mut self, line: &str) -> Vec<Refused> {
        let (bytes, mut at, mut found) = (line.as_bytes(), 0, Vec::new());
        while at < bytes.len() {
            let start = at;
            if let Some(end) = self.raw.take() {
                let Some(length) = line[at..].find(&end) else {
                    self.push(&line[at..]);
                    self.raw = Some(end);
                    break;
                };
                self.push(&line[at..at + length]);
                at += length + end.len();
            } else if bytes[at].is_ascii_whitespace() {
                at += 1;
                continue;
            } else if matches!(bytes[at], b'"' | b'\'') {
                at = literal(bytes, at);
                if bytes[start] == b'"' {
                    let inside = line.get(start + 1..at - 1).unwrap_or_default();
                    self.push(&resolved(inside));
                }
                self.bracket = false;
            } else if is_word(bytes[at]) {
                at = self.word_end(line, at);
                if self.raw.is_none() {
                    found.extend(self.word(&line[start..at]).map(|what| (what, start)));
                }
                continue;
            } else {
                at += self.sign(&bytes[at..]);
                continue;
            }
            found.extend(self.assembles().map(|what| (what, start)));
        }
        if self.raw.is_some() {
            self.push("\n");
        }
        found
    }

    fn inside(&self, group: Group) -> bool {
        self.open.iter().any(|(open, _)| *open == group)
    }

    fn push(&mut self, text: &str) {
        if self.inside(Group::Assembler) {
            self.strings.push_str(text);
        }
    }

    fn assembles(&self) -> Option<&'static str> {
        let text = self.strings.to_ascii_lowercase();
        let says = |words: &[&str]| words.iter().any(|word| text.contains(word));
        if says(&READS) {
            Some("its assembler reads a file")
        } else {
            says(&WRITES).then_some("its assembler puts text together by macros")
        }
    }

    /// The end of a word, or of what begins a raw string.
    fn word_end(&mut self, line: &str, start: usize) -> usize {
        let bytes = line.as_bytes();
        // `1'000` is one number.
        let number = bytes[start].is_ascii_digit();
        let inside = |byte: u8| is_word(byte) || (number && byte == b'\'');
        let end = start + bytes[start..].iter().take_while(|byte| inside(**byte)).count();
        let prefix = ["R", "LR", "uR", "UR", "u8R"].contains(&&line[start..end]);
        if !(self.raw_strings && prefix && bytes.get(end) == Some(&b'"')) {
            return end;
        }
        let delimiter = line[end + 1..].split('(').next().unwrap_or_default();
        self.raw = Some(format!("){delimiter}\""));
        (end + delimiter.len() + 2).min(bytes.len())
    }

    fn word(&mut self, word: &str) -> Option<&'static str> {
        self.strings.clear();
        self.bracket = false;
        let bare = word.trim_matches('_');
        match word {
            "__attribute__" | "__attribute" => self.next = Some(Group::Attribute),
            "asm" | "__asm" | "__asm__" => self.next = Some(Group::Assembler),
            // `asm volatile (`, `asm goto (`
            _ if self.next == Some(Group::Assembler) => {}
            _ => self.next = None,
        }
        if !self.inside(Group::Attribute) {
            return None;
        }
        let unwatched = bare.starts_with("no_sanitize")
            || ["no_address_safety_analysis", "disable_sanitizer_instrumentation"].contains(&bare);
        if bare == "optimize" { Some(OPTIMIZES) } else { unwatched.then_some(UNWATCHED) }
    }

    /// A sign; gives its length.
    fn sign(&mut self, rest: &[u8]) -> usize {
        self.strings.clear();
        let next = self.next.take();
        let before = std::mem::take(&mut self.bracket);
        // `<::` is `<` and `::` unless `:` or `>` follows, and two signs for a bracket otherwise.
        let scope = rest.starts_with(b"<::") && !matches!(rest.get(3), Some(b':' | b'>'));
        let (sign, length) = match rest {
            [b'<', b':', ..] if !scope => (b'[', 2),
            [b':', b'>', ..] => (b']', 2),
            [sign, ..] => (*sign, 1),
            [] => return 1,
        };
        match sign {
            b'(' | b'[' => {
                if let (b'(', Some(group)) = (sign, next) {
                    self.open.push((group, 1));
                } else if sign == b'[' && before {
                    // The bracket before counts for what it stands in.
                    if let Some((_, depth)) = self.open.last_mut() {
                        *depth -= 1;
                    }
                    self.open.push((Group::Attribute, 2));
                } else if let Some((_, depth)) = self.open.last_mut() {
                    *depth += 1;
                }
                self.bracket = sign == b'[';
            }
            b')' | b']' => {
                if let Some((_, depth)) = self.open.last_mut() {
                    *depth -= 1;
                    if *depth == 0 {
                        self.open.pop();
                    }
                }
            }
            _ => {}
        }
        length
    }
}

fn is_word(sign: u8) -> bool {
    sign.is_ascii_alphanumeric() || sign == b'_' || sign == b'$' || sign >= 0x80
}

/// The end of a string or character literal that begins at `at`.
fn literal(bytes: &[u8], at: usize) -> usize {
    let quote = bytes[at];
    let mut end = at + 1;
    while end < bytes.len() && bytes[end] != quote {
        end += 1 + usize::from(bytes[end] == b'\\');
    }
    (end + 1).min(bytes.len())
}

/// A string's text with its numbers for signs resolved; other escapes stay as they are written.
fn resolved(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('\\') {
        out.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        let (radix, digits, most) = match rest.chars().next() {
            Some('x') => (16, &rest[1..], usize::MAX),
            Some('u') => (16, &rest[1..], 4),
            Some('U') => (16, &rest[1..], 8),
            Some('o') => (8, &rest[1..], usize::MAX),
            Some('0'..='7') => (8, rest, 3),
            Some(other) => {
                out.extend(['\\', other]);
                rest = &rest[other.len_utf8()..];
                continue;
            }
            None => break,
        };
        let braces = digits.strip_prefix('{');
        let most = if braces.is_some() { usize::MAX } else { most };
        let digits = braces.unwrap_or(digits);
        let length = digits.bytes().take(most).take_while(|digit| char::from(*digit).is_digit(radix)).count();
        let number = digits[..length].bytes().fold(0_u32, |number, digit| {
            number.wrapping_mul(radix).wrapping_add(char::from(digit).to_digit(radix).unwrap_or(0))
        });
        // Of more than a byte only the last counts.
        out.push(char::from_u32(number & 0xff).unwrap_or('?'));
        rest = digits[length..].strip_prefix('}').filter(|_| braces.is_some()).unwrap_or(&digits[length..]);
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::{Tokens, resolved};

    fn refused(text: &str) -> bool {
        let look = |raw| {
            let mut tokens = Tokens::new(raw);
            text.lines().any(|line| !tokens.take(line).is_empty())
        };
        look(true) || look(false)
    }

    #[test]
    fn attributes_with_flags_are_refused_however_they_are_written() {
        for text in [
            r#"__attribute__((optimize("fast-math"))) int f(void);"#,
            r#"__attribute__((noinline, optimize(("fast-math")))) int f(void);"#,
            r#"__attribute__((optimize(0 ? "" : "fast-math"))) int f(void);"#,
            "__attribute__ (( noinline , __optimize__ ( 3 ) ))",
            "__attribute((optimize\n  (\"O1\")))",
            r#"[[gnu::optimize("O1")]] int f();"#,
            r#"[ [using gnu: optimize("O1")]] int f();"#,
            r#"<:<:gnu::optimize("O1"):>:> int f();"#,
            r#"int a[[gnu::aligned(8), gnu::__optimize__("O1")]];"#,
            r#"int x = 1'000; [[gnu::optimize("O1")]] int f();"#,
            "asm(\"\" : : \"r\"(({ __attribute__((optimize(3))) int g(void); 0; })));",
            "__attribute__((no_sanitize(\"undefined\"))) int f(void);",
            "__attribute__((__no_sanitize_address__)) int f(void);",
        ] {
            assert!(refused(text), "{text}");
        }
    }

    #[test]
    fn names_and_strings_are_no_attributes() {
        for text in [
            "int optimize(int x); int y = optimize(3) + a[b[optimize(1)]];",
            r#"const char *a = "optimize(\"O1\") .incbin"; char b = '"'; __attribute__((noinline)) int optimize(int);"#,
            "double \u{e9}t\u{e9} = '\u{e9}';",
            "std::vector<::optimize> a; int no_sanitize;",
            "asm volatile(\"nop\" ::: \"memory\"); int optimize(int);",
            "[[nodiscard]] int f(); int optimize(int);",
        ] {
            assert!(!refused(text), "{text}");
        }
    }

    #[test]
    fn assembler_that_reads_files_is_refused() {
        for text in [
            r#"asm(".inc" "bin \"/etc/passwd\"");"#,
            r#"__asm__ volatile(".inc\x62in \"/etc/passwd\"");"#,
            r#"__asm(".INC\142in \"/etc/passwd\"");"#,
            r#"asm goto(".in" "cl\u{75}de \"/etc/passwd\"" : : : : l);"#,
            "asm(R\"x(\n.incbin \"/etc/passwd\"\n)x\");",
            r#"asm(".macro m a\n.inc\\a \"/etc/passwd\"\n.endm");"#,
        ] {
            assert!(refused(text), "{text}");
        }
        assert_eq!(resolved(r#"a\x62\143\n\"\u0064\u{65}\\x"#), r#"abc\n\"de\\x"#);
    }

    #[test]
    fn raw_strings_hide_nothing_behind_them() {
        assert!(refused("auto a = R\"x(optimize(\"O1\") \" \nend)x\"; [[gnu::optimize(\"O1\")]] int f();"));
        assert!(!refused("R\""));
    }
}
