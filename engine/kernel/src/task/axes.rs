//! Sizes as expressions over axes: `2 * C`, `(R + 7) // 8`. Whole numbers only: no fractions, no functions, no text.
//!
//! The grammar is minijinja's, cut down to names, numbers, `+ - * // % **` and parentheses, so that a size cannot grow into a
//! program. Overflow is an error.

use assay_diagnostics::did_you_mean;
use indexmap::IndexMap;
use minijinja::Environment;

/// Longest expression, in bytes; it bounds the depth of parentheses too.
const LONGEST: usize = 200;

/// Why a size has no value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SizeError {
    /// Nothing is there, or too much.
    #[error("a size has 1 to {LONGEST} characters, not {length}")]
    Length {
        /// Its length in bytes.
        length: usize,
    },
    /// A character that no size has.
    #[error("`{text}` holds `{found}`; a size has whole numbers, axes, `+ - * // % **` and parentheses")]
    Character {
        /// The expression.
        text: String,
        /// The character.
        found: char,
    },
    /// A name that is no axis.
    #[error("`{text}` names `{name}`, which is no axis{}", meant(.near))]
    Axis {
        /// The expression.
        text: String,
        /// The name.
        name: String,
        /// The axis that is perhaps meant.
        near: Option<String>,
    },
    /// It cannot be computed.
    #[error("`{text}` cannot be computed: {cause}")]
    Compute {
        /// The expression.
        text: String,
        /// Why.
        cause: String,
    },
    /// Its value is no whole number from 0.
    #[error("`{text}` is {value}, no whole number from 0; divide with `//`")]
    Value {
        /// The expression.
        text: String,
        /// Its value.
        value: String,
    },
}

impl SizeError {
    fn compute(text: &str, error: &minijinja::Error) -> Self {
        let cause = error.detail().map_or_else(|| error.kind().to_string(), str::to_owned);
        Self::Compute { text: text.to_owned(), cause }
    }
}

fn meant(near: &Option<String>) -> String {
    near.as_ref().map(|near| format!("; did you mean `{near}`?")).unwrap_or_default()
}

/// Checks that an expression is made of the axes and of what a size may hold, and that it can be read.
pub fn check<'a>(text: &str, axes: impl Iterator<Item = &'a str> + Clone) -> Result<(), SizeError> {
    words(text, axes)?;
    let environment = Environment::empty();
    environment.compile_expression(text).map(drop).map_err(|error| SizeError::compute(text, &error))
}

/// Checks the characters and the names.
fn words<'a>(text: &str, axes: impl Iterator<Item = &'a str> + Clone) -> Result<(), SizeError> {
    if text.trim().is_empty() || text.len() > LONGEST {
        return Err(SizeError::Length { length: text.len() });
    }
    let allowed = |char: char| char.is_ascii_alphanumeric() || "_ +-*/%()".contains(char);
    if let Some(found) = text.chars().find(|char| !allowed(*char)) {
        return Err(SizeError::Character { text: text.to_owned(), found });
    }
    let words = text.split(|char: char| !char.is_ascii_alphanumeric() && char != '_');
    for name in
        words.filter(|word| word.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_'))
    {
        if !axes.clone().any(|axis| axis == name) {
            let near = did_you_mean(name, axes).map(str::to_owned);
            return Err(SizeError::Axis { text: text.to_owned(), name: name.to_owned(), near });
        }
    }
    Ok(())
}

/// The value of an expression at these sizes.
pub fn size(text: &str, axes: &IndexMap<String, u64>) -> Result<u64, SizeError> {
    // Most sizes are an axis or a number.
    if let Some(size) = axes.get(text.trim()) {
        return Ok(*size);
    }
    if let Ok(number) = text.trim().parse() {
        return Ok(number);
    }
    words(text, axes.keys().map(String::as_str))?;
    let environment = Environment::empty();
    let value = environment
        .compile_expression(text)
        .and_then(|expression| {
            expression
                .eval(minijinja::Value::from_pairs(axes.iter().map(|(axis, size)| (axis.as_str(), *size))))
        })
        .map_err(|error| SizeError::compute(text, &error))?;
    let whole = value.is_integer().then(|| i128::try_from(value.clone()).ok()).flatten();
    match whole.map(u64::try_from) {
        Some(Ok(whole)) => Ok(whole),
        _ if whole.is_some_and(|whole| whole > 0) => Err(SizeError::Compute {
            text: text.to_owned(),
            cause: "it is larger than any memory".to_owned(),
        }),
        _ => Err(SizeError::Value { text: text.to_owned(), value: value.to_string() }),
    }
}

#[cfg(test)]
mod tests {
    use super::{check, size};
    use indexmap::IndexMap;

    fn axes() -> IndexMap<String, u64> {
        IndexMap::from([("R".to_owned(), 7), ("Cols".to_owned(), 64)])
    }

    #[test]
    fn whole_numbers_are_computed() {
        for (text, value) in [
            ("R", 7),
            ("128", 128),
            ("2 * Cols", 128),
            ("(R + 7) // 8", 1),
            ("Cols % 10", 4),
            ("2**10", 1024),
        ] {
            assert_eq!(size(text, &axes()), Ok(value), "{text}");
        }
    }

    #[test]
    fn everything_else_says_why_not() {
        for (text, message) in [
            ("", "a size has 1 to 200 characters, not 0"),
            (
                "R * 1.5",
                "`R * 1.5` holds `.`; a size has whole numbers, axes, `+ - * // % **` and parentheses",
            ),
            ("R / 2", "`R / 2` is 3.5, no whole number from 0; divide with `//`"),
            ("Cols / 2", "`Cols / 2` is 32.0, no whole number from 0; divide with `//`"),
            ("R - 8", "`R - 8` is -1, no whole number from 0; divide with `//`"),
            ("2 * Colz", "`2 * Colz` names `Colz`, which is no axis; did you mean `Cols`?"),
            ("range(R)", "`range(R)` names `range`, which is no axis"),
            ("true", "`true` names `true`, which is no axis"),
        ] {
            assert_eq!(size(text, &axes()).expect_err(text).to_string(), message);
        }
        for text in ["R +", "R(2)", "R // 0", "9 ** 999 * Cols", "2R"] {
            let error = size(text, &axes()).expect_err(text).to_string();
            assert!(error.starts_with(&format!("`{text}` ")), "{error}");
        }
        for text in ["R +", "R(2", "Cols +* 2", "2R", "(R", "R Cols"] {
            let error = check(text, ["R", "Cols"].into_iter()).expect_err(text).to_string();
            assert!(error.starts_with(&format!("`{text}` cannot be computed: ")), "{error}");
        }
        assert!(check(&"(".repeat(201), std::iter::empty()).is_err());
    }
}
