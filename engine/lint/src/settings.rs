//! The settings of a command: options with their values, variables before it, and the words that are neither.

use crate::commands::{Command, Word};
use assay_diagnostics::Span;

/// An option or a variable with its value.
#[derive(Debug, Clone)]
pub(crate) struct Setting {
    /// As written, without `=`: `--seq-len`, `-n`, `OMP_NUM_THREADS`.
    pub name: String,
    /// The value; empty for an option without one.
    pub value: String,
    /// The value, or the option where it has none.
    pub span: Span,
    /// Known only when it runs.
    pub open: bool,
    /// A variable of the environment.
    pub variable: bool,
}

/// A command taken apart.
#[derive(Debug, Clone, Default)]
pub(crate) struct Settings<'c> {
    /// Options and variables in the order of the text.
    pub list: Vec<Setting>,
    /// The program and what is no option.
    pub plain: Vec<&'c Word>,
}

impl<'c> Settings<'c> {
    /// Takes a command apart. Whether a word belongs to the option before it is a guess.
    pub fn of(command: &'c Command<'_>) -> Self {
        let mut out = Self::default();
        out.list.extend(command.assigns.iter().filter_map(variable));
        let mut words = command.words.iter().peekable();
        while let Some(word) = words.next() {
            if out.plain.iter().all(|before| before.text == "env")
                && variable(word).is_some()
                && !word.text.starts_with('-')
            {
                out.list.extend(variable(word));
            } else if !is_option(&word.text) {
                out.plain.push(word);
            } else if let Some((name, value)) = word.text.split_once('=') {
                out.list.push(setting(name, value, word, word.open));
            } else if let Some(value) = words.next_if(|next| !is_option(&next.text)) {
                out.list.push(Setting {
                    span: value.span,
                    ..setting(&word.text, &value.text, value, value.open)
                });
            } else {
                out.list.push(setting(&word.text, "", word, word.open));
            }
        }
        out
    }
}

fn setting(name: &str, value: &str, word: &Word, open: bool) -> Setting {
    Setting { name: name.to_owned(), value: value.to_owned(), span: word.span, open, variable: false }
}

fn variable(word: &Word) -> Option<Setting> {
    let (name, value) = word.text.split_once('=')?;
    let good = !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
    good.then(|| Setting { variable: true, ..setting(name, value, word, word.open) })
}

/// `-x`, `--name`; not `-` and not a negative number.
fn is_option(text: &str) -> bool {
    text.strip_prefix('-')
        .is_some_and(|rest| rest.starts_with(|c: char| c == '-' || c.is_ascii_alphabetic()) && rest != "-")
}

/// The number of a value, if it is one.
pub(crate) fn number(text: &str) -> Option<f64> {
    text.parse::<f64>().ok().filter(|number| number.is_finite())
}

/// Whether `after` is less of the same than `before`: a smaller number, or a list with some of the same elements.
pub(crate) fn is_less(before: &str, after: &str) -> bool {
    if let (Some(before), Some(after)) = (number(before), number(after)) {
        return after < before;
    }
    let parts = |text: &str| -> std::collections::BTreeSet<String> {
        text.split([',', ';', ' '])
            .map(str::trim)
            .filter(|part| !part.is_empty())
            .map(str::to_owned)
            .collect()
    };
    let (before, after) = (parts(before), parts(after));
    !after.is_empty() && after.len() < before.len() && after.is_subset(&before)
}

/// Flags, options and variables that let a compiler or a library compute less exactly, with what they do.
pub(crate) fn math_mode(setting: &Setting) -> Option<&'static str> {
    let name = setting.name.trim_start_matches('-').replace('_', "-").to_ascii_lowercase();
    let value = setting.value.to_ascii_lowercase();
    let on = |value: &str| matches!(value, "" | "1" | "true" | "on" | "yes");
    Some(match name.as_str() {
        "ffast-math" | "ofast" | "use-fast-math" | "funsafe-math-optimizations" | "fassociative-math" => {
            "lets the compiler reorder and approximate"
        }
        "ffp-contract" if value == "fast" => "lets the compiler fuse multiplications and additions",
        "fmad" if on(&value) => "fuses multiplications and additions",
        "ftz" if value == "true" => "rounds the smallest numbers to zero",
        "prec-div" | "prec-sqrt" if value == "false" => "takes approximate instructions",
        "nvidia-tf32-override" | "torch-allow-tf32-cublas-override" | "allow-tf32" | "enable-tf32"
            if on(&value) =>
        {
            "rounds inputs of multiplications to 10 bits"
        }
        "dtype" | "quantization" | "kv-cache-dtype" | "precision"
            if value.contains("fp8") || value.contains("tf32") =>
        {
            "computes or stores with less precision"
        }
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn less_is_a_smaller_number_or_a_part_of_a_list() {
        assert!(is_less("80", "20") && !is_less("20", "80") && !is_less("20", "20"));
        assert!(is_less("1x128,4x512", "1x128") && !is_less("1x128", "4x512") && !is_less("a", ""));
    }

    #[test]
    fn only_options_are_options() {
        assert!(is_option("-n") && is_option("--len"));
        assert!(!is_option("-") && !is_option("-1") && !is_option("x") && !is_option("--"));
    }
}
