//! Fields of a `config.json`, checked for what they must be.
//!
//! A name may have several spellings; the first one that is there and not null counts, and messages name the first.

use serde_json::Value;

/// What is wrong with a field, to follow the name of the file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FieldError {
    /// No JSON object.
    #[error("it is no JSON object")]
    NoObject,
    /// A field that is needed.
    #[error("there is no `{field}`")]
    Missing {
        /// The field.
        field: &'static str,
    },
    /// A field that holds something else.
    #[error("`{field}` must be {wanted}, and it is `{found}`")]
    Invalid {
        /// The field.
        field: &'static str,
        /// What it should be.
        wanted: &'static str,
        /// What it is, shortened.
        found: String,
    },
    /// A list that does not fit the number of layers.
    #[error("`{field}` has {found} entries, and `num_hidden_layers` allows {wanted}")]
    Length {
        /// The field.
        field: &'static str,
        /// Its entries.
        found: usize,
        /// What fits.
        wanted: String,
    },
    /// A kind of layer whose work is not known.
    #[error("layer {layer} is `{kind}`, which has no formulas")]
    NoFormulas {
        /// The layer, from 0.
        layer: usize,
        /// Its kind.
        kind: String,
    },
}

/// Largest size that is taken for one: products of two stay within what can be counted.
const LARGEST: u64 = 1 << 24;
/// Longest text of a value within a message, in characters.
const SHOWN: usize = 60;

/// A configuration, or the text part of one.
#[derive(Debug, Clone, Copy)]
pub struct Fields<'v>(pub &'v Value);

impl<'v> Fields<'v> {
    fn any(&self, names: &[&str]) -> Option<&'v Value> {
        names.iter().filter_map(|name| self.0.get(name)).find(|value| !value.is_null())
    }

    /// A whole number up to 2^24; `None` where it is absent.
    ///
    /// # Errors
    /// [`FieldError::Invalid`] for anything else.
    pub fn number(&self, names: &[&'static str]) -> Result<Option<u64>, FieldError> {
        let Some(value) = self.any(names) else { return Ok(None) };
        size(value).map(Some).ok_or_else(|| invalid(names[0], "a whole number up to 2^24", value))
    }

    /// A number above 0 that must be there.
    ///
    /// # Errors
    /// [`FieldError`] where it is not.
    pub fn needed(&self, names: &[&'static str]) -> Result<u64, FieldError> {
        let number = self.number(names)?.ok_or(FieldError::Missing { field: names[0] })?;
        if number == 0 {
            return Err(FieldError::Invalid { field: names[0], wanted: "above 0", found: "0".into() });
        }
        Ok(number)
    }

    /// A number, or `other` where it is absent.
    ///
    /// # Errors
    /// As [`Self::number`].
    pub fn or(&self, names: &[&'static str], other: u64) -> Result<u64, FieldError> {
        Ok(self.number(names)?.unwrap_or(other))
    }

    /// A list of sizes; empty where it is absent.
    ///
    /// # Errors
    /// [`FieldError::Invalid`] for anything else.
    pub fn numbers(&self, name: &'static str) -> Result<Vec<u32>, FieldError> {
        let item = |value: &Value| size(value).and_then(|number| u32::try_from(number).ok());
        self.list(name, "a list of whole numbers", item)
    }

    /// A list of names; empty where it is absent.
    ///
    /// # Errors
    /// [`FieldError::Invalid`] for anything else.
    pub fn names(&self, name: &'static str) -> Result<Vec<String>, FieldError> {
        self.list(name, "a list of names", |value| value.as_str().map(str::to_owned))
    }

    /// Whether a field holds a list.
    pub fn is_list(&self, name: &str) -> bool {
        self.any(&[name]).is_some_and(Value::is_array)
    }

    /// Whether a switch is on; absent means off.
    pub fn flag(&self, name: &str) -> bool {
        self.any(&[name]).and_then(Value::as_bool).unwrap_or(false)
    }

    /// A text, where it is one.
    pub fn text(&self, name: &str) -> Option<String> {
        self.any(&[name])?.as_str().map(str::to_owned)
    }

    fn list<T>(
        &self,
        field: &'static str,
        wanted: &'static str,
        item: impl Fn(&Value) -> Option<T>,
    ) -> Result<Vec<T>, FieldError> {
        let Some(value) = self.any(&[field]) else { return Ok(Vec::new()) };
        let items = value.as_array().and_then(|items| items.iter().map(item).collect());
        items.ok_or_else(|| invalid(field, wanted, value))
    }
}

fn size(value: &Value) -> Option<u64> {
    value.as_u64().filter(|&number| number <= LARGEST)
}

fn invalid(field: &'static str, wanted: &'static str, value: &Value) -> FieldError {
    let mut found = value.to_string();
    if let Some((cut, _)) = found.char_indices().nth(SHOWN) {
        found.truncate(cut);
        found.push('…');
    }
    FieldError::Invalid { field, wanted, found }
}
