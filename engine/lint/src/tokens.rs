//! Text that has the shape of a token or of a private key.

use assay_diagnostics::hidden;
use std::borrow::Cow;
use std::ops::Range;

/// What a kind of token is made of.
struct Shape {
    prefix: &'static str,
    what: &'static str,
    /// Least and greatest length behind the prefix.
    length: (usize, usize),
    /// Capitals and digits only.
    capitals: bool,
    /// `-` and `_` belong to it.
    marks: bool,
}

const fn shape(prefix: &'static str, what: &'static str, least: usize, most: usize, marks: bool) -> Shape {
    Shape { prefix, what, length: (least, most), capitals: false, marks }
}

/// From the issuers' documentation and the public rules of secret scanners. Lengths are lower bounds with some room, since
/// issuers lengthen their tokens.
const SHAPES: &[Shape] = &[
    shape("hf_", "a Hugging Face token", 30, 60, false),
    shape("sk-", "an API key of OpenAI or Anthropic", 32, 250, true),
    shape("ghp_", "a GitHub token", 36, 255, false),
    shape("gho_", "a GitHub token", 36, 255, false),
    shape("ghu_", "a GitHub token", 36, 255, false),
    shape("ghs_", "a GitHub token", 36, 255, false),
    shape("ghr_", "a GitHub token", 36, 255, false),
    shape("github_pat_", "a GitHub token", 60, 255, true),
    shape("glpat-", "a GitLab token", 20, 300, true),
    shape("nvapi-", "an NVIDIA API key", 40, 120, true),
    shape("npm_", "an npm token", 36, 36, false),
    shape("dckr_pat_", "a Docker token", 27, 40, true),
    shape("gsk_", "a Groq API key", 50, 60, false),
    shape("AIza", "a Google API key", 35, 35, true),
    shape("xoxb-", "a Slack token", 20, 255, true),
    shape("xoxp-", "a Slack token", 20, 255, true),
    shape("xoxa-", "a Slack token", 20, 255, true),
    shape("xoxs-", "a Slack token", 20, 255, true),
    Shape { prefix: "AKIA", what: "an AWS access key", length: (16, 16), capitals: true, marks: false },
    Shape { prefix: "ASIA", what: "an AWS access key", length: (16, 16), capitals: true, marks: false },
];

/// A text with stars instead of every such piece, and of every one of `also`; as long as before.
pub fn without_secrets<'t>(text: &'t str, also: &[&str]) -> Cow<'t, str> {
    let given = also.iter().filter(|secret| !secret.is_empty()).flat_map(|secret| {
        text.match_indices(secret).map(|(at, _)| at..at + secret.len()).collect::<Vec<_>>()
    });
    let mut ranges: Vec<Range<usize>> = find(text).into_iter().map(|(range, _)| range).chain(given).collect();
    if ranges.is_empty() {
        return Cow::Borrowed(text);
    }
    ranges.sort_by_key(|range| range.start);
    Cow::Owned(hidden(text, &ranges))
}

/// Every such piece of a text, with what it is.
pub(crate) fn find(text: &str) -> Vec<(Range<usize>, &'static str)> {
    let mut found = keys(text);
    let bytes = text.as_bytes();
    let of_word = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.');
    let mut at = 0;
    while at < bytes.len() {
        if !of_word(bytes[at]) {
            at += 1;
            continue;
        }
        let start = at;
        while at < bytes.len() && of_word(bytes[at]) {
            at += 1;
        }
        // A word is ASCII, so its ends are those of characters.
        let word = &text[start..at];
        if let Some((length, what)) = token(word).or_else(|| web_token(word)) {
            found.push((start..start + length, what));
        }
    }
    found.sort_by_key(|(range, _)| range.start);
    found
}

const BEGIN: &str = "-----BEGIN ";
/// A key of 16,384 bits has 13 KB.
const LONGEST_KEY: usize = 16 << 10;

/// `-----BEGIN ... PRIVATE KEY-----` and the key below it.
fn keys(text: &str) -> Vec<(Range<usize>, &'static str)> {
    let mut found: Vec<(Range<usize>, &'static str)> = Vec::new();
    for (at, _) in text.match_indices(BEGIN) {
        if found.last().is_some_and(|(range, _)| at < range.end) {
            continue;
        }
        // The longest kind in use is `OPENSSH PRIVATE KEY`.
        let behind: String = text[at + BEGIN.len()..].chars().take(40).collect();
        if let Some(end) = behind
            .find("PRIVATE KEY-----")
            .filter(|end| behind[..*end].bytes().all(|b| b.is_ascii_uppercase() || b == b' '))
        {
            let body = at + BEGIN.len() + end + "PRIVATE KEY-----".len();
            found.push((at..body + body_of_key(&text[body..]), "a private key"));
        }
    }
    found
}

/// Bytes of a key behind its first line, up to its last one or to what cannot belong to it. A key may stand in one line with
/// escapes, in a block of text, or in comments.
fn body_of_key(text: &str) -> usize {
    const END: &str = "PRIVATE KEY-----";
    let part = |byte: u8| byte.is_ascii_alphanumeric() || b"+/=\\ \t\r\"'#,-:".contains(&byte);
    let next = text.find(BEGIN).unwrap_or(text.len());
    let text = &text[..text.floor_char_boundary(next.min(LONGEST_KEY))];
    let mut length = 0;
    for line in text.split_inclusive('\n') {
        if let Some(at) = line.find("-----END ") {
            let end = line[at..].find(END).map_or(line.trim_end().len(), |end| at + end + END.len());
            return length + end;
        }
        let words = line.split_ascii_whitespace().filter(|word| !matches!(*word, "#" | "-")).count();
        // A line of a key is one word, of its head (`Proc-Type: 4,ENCRYPTED`) two.
        if !line.trim_end().bytes().all(part) || words > 2 {
            break;
        }
        length += line.len();
    }
    text[..length].trim_end().len()
}

fn token(word: &str) -> Option<(usize, &'static str)> {
    let shape = SHAPES.iter().find(|shape| word.starts_with(shape.prefix))?;
    let belongs = |c: char| match shape.capitals {
        true => c.is_ascii_uppercase() || c.is_ascii_digit(),
        false => c.is_ascii_alphanumeric() || (shape.marks && matches!(c, '-' | '_')),
    };
    let rest = &word[shape.prefix.len()..];
    let body = &rest[..rest.find(|c: char| !belongs(c)).unwrap_or(rest.len())];
    // What goes on behind it is not a token but a longer name.
    let ends = rest[body.len()..].trim_start_matches('.').is_empty() || rest[body.len()..].starts_with('.');
    let (least, most) = shape.length;
    (ends && (least..=most).contains(&body.len()) && is_random(body))
        .then_some((shape.prefix.len() + body.len(), shape.what))
}

/// A JSON web token: three parts, of which the first two are JSON objects in base64 (`eyJ` is `{"`).
fn web_token(word: &str) -> Option<(usize, &'static str)> {
    let mut parts = word.split('.');
    let (head, claims, signature) = (parts.next()?, parts.next()?, parts.next()?);
    let shaped = head.starts_with("eyJ") && claims.starts_with("eyJ") && head.len() > 15 && claims.len() > 15;
    (shaped && signature.len() >= 20 && is_random(signature))
        .then_some((head.len() + claims.len() + signature.len() + 2, "a JSON web token"))
}

/// Words that stand in examples.
const EXAMPLES: &[&str] = &[
    "example",
    "xxx",
    "your",
    "placeholder",
    "dummy",
    "changeme",
    "sample",
    "redacted",
    "fake",
    "insert",
    "token",
];

/// Least bits per character of what was drawn by chance. 16 random capitals and digits have 3.4 to 4, 34 of base62 about
/// 4.6; words repeat letters.
const LEAST_BITS: f64 = 3.0;

/// Whether a text looks drawn by chance.
fn is_random(body: &str) -> bool {
    let lower = body.to_ascii_lowercase();
    let digits = body.bytes().filter(u8::is_ascii_digit).count();
    let letters = body.bytes().filter(u8::is_ascii_alphabetic).count();
    let mixed = body.bytes().any(|b| b.is_ascii_uppercase()) && body.bytes().any(|b| b.is_ascii_lowercase());
    // Names have words; random text of this length has digits, or capitals among small letters.
    letters > 0
        && (digits * 16 >= body.len() || mixed && !body.contains(['-', '_']))
        && !EXAMPLES.iter().any(|word| lower.contains(word))
        && longest_row(lower.as_bytes()) < 6
        && bits(body.as_bytes()) >= LEAST_BITS
}

/// The longest row of neighbours in the alphabet, or of one character.
fn longest_row(bytes: &[u8]) -> usize {
    let (mut longest, mut up, mut same) = (1, 1, 1);
    for pair in bytes.windows(2) {
        up = if pair[1] == pair[0].wrapping_add(1) { up + 1 } else { 1 };
        same = if pair[1] == pair[0] { same + 1 } else { 1 };
        longest = longest.max(up).max(same);
    }
    longest
}

/// Shannon entropy of the characters, in bits.
fn bits(bytes: &[u8]) -> f64 {
    let mut counts = [0_u32; 256];
    bytes.iter().for_each(|byte| counts[*byte as usize] += 1);
    let total = bytes.len() as f64;
    counts
        .iter()
        .filter(|count| **count > 0)
        .map(|count| f64::from(*count) / total)
        .map(|p| -p * p.log2())
        .sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Made by chance here, so that no scanner takes this file for a leak.
    fn drawn(length: usize, letters: &str) -> String {
        let letters: Vec<char> = letters.chars().collect();
        let mut state = 0x2545_f491_4f6c_dd1d_u64;
        let next = |_| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            letters[(state % letters.len() as u64) as usize]
        };
        (0..length).map(next).collect()
    }

    const BASE62: &str = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";

    #[test]
    fn tokens_are_found_where_they_stand() {
        for (prefix, length, letters) in [
            ("hf_", 34, BASE62),
            ("hf_", 34, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"),
            ("sk-proj-", 48, BASE62),
            ("ghp_", 36, BASE62),
            ("glpat-", 20, BASE62),
            ("AKIA", 16, "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"),
            ("nvapi-", 64, BASE62),
        ] {
            let token = format!("{prefix}{}", drawn(length, letters));
            let text = format!("é: \"{token}\" # {token}.\n");
            let places: Vec<&str> = find(&text).into_iter().map(|(range, _)| &text[range]).collect();
            assert_eq!(places, [token.as_str(), token.as_str()]);
        }
        let web = format!("eyJ{}.eyJ{}.{}", drawn(20, BASE62), drawn(40, BASE62), drawn(43, BASE62));
        assert_eq!(find(&web), [(0..web.len(), "a JSON web token")]);
    }

    #[test]
    fn a_private_key_goes_to_its_end() {
        let line = "MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQC7";
        let begin = "-----BEGIN RSA PRIVATE KEY-----";
        let end = "-----END RSA PRIVATE KEY-----";
        for (text, wanted) in [
            (
                format!("{begin}\n  {line}\n  {line}\n  {end}\nb: 1\n"),
                format!("{begin}\n  {line}\n  {line}\n  {end}"),
            ),
            (format!("# {begin}\n# {line}\n# {end}\n"), format!("{begin}\n# {line}\n# {end}")),
            (format!("a: \"{begin}\\n{line}\\n{end}\\n\"\n"), format!("{begin}\\n{line}\\n{end}")),
            (format!("{begin}\n{line}\nb: three words here\n"), format!("{begin}\n{line}")),
            (format!("{begin}\n{begin}\n"), begin.to_owned()),
        ] {
            let found = find(&text);
            assert_eq!(&text[found[0].0.clone()], wanted, "{text}");
            let stars = without_secrets(&text, &[]);
            assert!(stars.len() == text.len() && !stars.contains("MIIE"), "{stars}");
        }
        assert_eq!(without_secrets("a: secret1", &["secret1"]), "a: *******");
    }

    #[test]
    fn names_and_examples_are_no_tokens() {
        for text in [
            "hf_transfer_enable_for_all_downloads_of_models",
            "sk-learn-and-other-libraries-of-python-with-long-names",
            "hf_xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
            "ghp_000000000000000000000000000000000000",
            "hf_token",
            "",
            "-----BEGIN CERTIFICATE-----",
            "-----BEGIN ",
        ] {
            assert_eq!(find(text), [], "{text}");
        }
    }

    proptest::proptest! {
        #[test]
        fn any_text_has_places_in_bounds(text in "\\PC{0,200}") {
            for (range, _) in find(&text) {
                proptest::prop_assert!(text.get(range).is_some());
            }
        }
    }
}
