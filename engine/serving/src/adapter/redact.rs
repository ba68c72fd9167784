//! Takes secrets out of command lines and log lines before they are kept. Secrets belong into the environment; frameworks
//! echo their arguments all the same.

use super::flags::canonical;
use std::borrow::Cow;

/// What stands in place of a secret.
const MASK: &str = "***";

/// How tokens of known services begin.
const TOKEN_BEGINNINGS: [&str; 13] = [
    "hf_",
    "sk-",
    "ghp_",
    "gho_",
    "ghs_",
    "github_pat_",
    "glpat-",
    "nvapi-",
    "xoxb-",
    "xoxp-",
    "AKIA",
    "eyJ",
    "AIza",
];

/// Characters from which on a text that begins like a token is one.
const TOKEN_LENGTH: usize = 16;

/// Passes over a line until nothing is found; each takes something out, so a line of a log needs two.
const MOST_PASSES: usize = 8;

/// A command line without secrets: values of flags whose name says that they are secret, of environment variables with such
/// names, texts that look like tokens, passwords in addresses.
pub fn redact(argv: &[String]) -> Vec<String> {
    let mut hidden = Vec::with_capacity(argv.len());
    let mut secret_values = false;
    for argument in argv {
        if let Some(flag) = argument.strip_prefix("--") {
            let name = flag.split('=').next().unwrap_or(flag);
            let secret = is_secret_name(&canonical(name));
            secret_values = secret && !flag.contains('=');
            hidden.push(if secret && flag.contains('=') {
                format!("--{name}={MASK}")
            } else {
                text(argument)
            });
        } else if secret_values {
            hidden.push(MASK.to_owned());
        } else {
            hidden.push(text(argument));
        }
    }
    hidden
}

fn text(argument: &str) -> String {
    redact_text(argument).into_owned()
}

/// A line without secrets: values behind names that say that they are secret (`api_key='…'`, `HF_TOKEN=…`,
/// `"password": "…"`, `--api-key …`), what follows `Bearer`, texts that look like tokens, passwords in addresses.
pub fn redact_text(line: &str) -> Cow<'_, str> {
    let mut clean = pass(line);
    // What is taken out may have kept apart what together is an address with a password.
    for _ in 0..MOST_PASSES {
        let next = pass(&clean).into_owned();
        if next == clean {
            break;
        }
        clean = Cow::Owned(next);
    }
    clean
}

fn pass(line: &str) -> Cow<'_, str> {
    let mut out = String::new();
    let mut copied = 0;
    let mut at = 0;
    while let Some((start, end)) = next_word(line, at) {
        at = end;
        let word = &line[start..end];
        let hide = if looks_like_token(word) {
            Some((start, end))
        } else if let Some(authority) = line[..end].ends_with("://").then(|| password(line, end)).flatten() {
            Some(authority)
        } else {
            value_behind(line, word, end)
        };
        if let Some((from, to)) = hide {
            out.push_str(&line[copied..from]);
            out.push_str(MASK);
            copied = to;
            at = to.max(end);
        }
    }
    if copied == 0 {
        return Cow::Borrowed(line);
    }
    out.push_str(&line[copied..]);
    Cow::Owned(out)
}

/// The next run of characters that names and tokens are made of; `://` is a word too.
fn next_word(line: &str, at: usize) -> Option<(usize, usize)> {
    let start = at + line[at..].find(|character: char| is_word(character) || character == ':')?;
    if line[start..].starts_with("://") {
        return Some((start, start + 3));
    }
    if line[start..].starts_with(':') {
        return next_word(line, start + 1);
    }
    let length = line[start..].find(|character: char| !is_word(character)).unwrap_or(line.len() - start);
    Some((start, start + length))
}

fn is_word(character: char) -> bool {
    character.is_ascii_alphanumeric() || matches!(character, '_' | '-')
}

fn looks_like_token(word: &str) -> bool {
    word.len() >= TOKEN_LENGTH && TOKEN_BEGINNINGS.iter().any(|beginning| word.starts_with(beginning))
}

/// The range of `user:password` before `@` in an address.
fn password(line: &str, start: usize) -> Option<(usize, usize)> {
    let rest = &line[start..];
    let authority = &rest[..rest
        .find(|character: char| character.is_whitespace() || "/?#\"'".contains(character))
        .unwrap_or(rest.len())];
    let user = authority.rfind('@')?;
    authority[..user].contains(':').then_some((start, start + user))
}

/// The range of the value behind a secret's name.
fn value_behind(line: &str, word: &str, end: usize) -> Option<(usize, usize)> {
    let name = canonical(word);
    let scheme = word == "Bearer";
    if !scheme && !is_secret_name(&name) {
        return None;
    }
    let rest = &line[end..];
    let between = rest.len() - rest.trim_start_matches(['"', '\'']).trim_start_matches([' ', '=', ':']).len();
    let separator = &rest[..between];
    let by_space = scheme || word.starts_with("--");
    let separates = separator.contains(['=', ':']) || (by_space && separator.contains(' '));
    if !separates {
        return None;
    }
    let start = end + between;
    let value = &line[start..];
    let (skip, length) = match value.chars().next()? {
        quote @ ('"' | '\'') => (1, value[1..].find(quote).unwrap_or(value.len() - 1)),
        _ => (
            0,
            value
                .find(|character: char| character.is_whitespace() || ",;)}]&".contains(character))
                .unwrap_or(value.len()),
        ),
    };
    let shown = &value[skip..skip + length];
    // `token` alone is also a word of this field.
    let plain_word = matches!(name.as_str(), "token" | "key") && length < TOKEN_LENGTH;
    let nothing = shown.is_empty() || matches!(shown, "None" | "null" | "Bearer");
    (!plain_word && !nothing).then_some((start + skip, start + skip + length))
}

/// Whether a name, in lower case with underscores, says that its value is secret. `max_tokens` and `tokenizer` do not.
fn is_secret_name(name: &str) -> bool {
    let name = name.trim_matches('_').to_ascii_lowercase();
    let last = name.rsplit('_').next().unwrap_or(&name);
    matches!(
        last,
        "token"
            | "key"
            | "apikey"
            | "password"
            | "passwd"
            | "passphrase"
            | "secret"
            | "credentials"
            | "authorization"
    )
}
