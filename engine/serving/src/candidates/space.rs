//! What may vary: base flags and, per flag, the values to try.

use indexmap::IndexMap;
use serde_json::Value;

/// Flags of a server by name, in the author's order. `null` is the same as leaving the flag out.
pub type Flags = IndexMap<String, Value>;

/// Most flags that a space may vary. A server start takes minutes; more is a mistake.
const MOST_FLAGS: usize = 64;
/// Most values of all flags together; bounds the table of pairs.
const MOST_VALUES: usize = 1024;

/// Why a search space cannot be used.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum SpaceError {
    /// A flag without values.
    #[error("`{flag}` lists no values; give at least one, or move it to the base flags")]
    NoValues {
        /// The flag.
        flag: String,
    },
    /// More flags or values than any search can try.
    #[error(
        "the search space has {flags} flags with {values} values, more than {MOST_FLAGS} and {MOST_VALUES}"
    )]
    TooLarge {
        /// Flags that vary.
        flags: usize,
        /// Their values together.
        values: usize,
    },
}

/// The flags that vary, the most important first, each with its values, the most likely first.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Space {
    pub(super) axes: Vec<Axis>,
    /// Values that were listed twice, as `flag=value`.
    pub(super) repeated: Vec<String>,
}

/// One flag that varies.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Axis {
    pub flag: String,
    pub values: Vec<Value>,
}

/// One value per axis, as indices.
pub(super) type Row = Vec<usize>;

impl Space {
    /// Checks a space. A value that a flag lists twice counts once.
    ///
    /// # Errors
    /// [`SpaceError`] for a flag without values or a space beyond all use.
    pub fn new(space: &IndexMap<String, Vec<Value>>) -> Result<Self, SpaceError> {
        let values = space.values().map(Vec::len).sum();
        if space.len() > MOST_FLAGS || values > MOST_VALUES {
            return Err(SpaceError::TooLarge { flags: space.len(), values });
        }
        let mut made = Self::default();
        for (flag, values) in space {
            if values.is_empty() {
                return Err(SpaceError::NoValues { flag: flag.clone() });
            }
            let mut kept: Vec<Value> = Vec::with_capacity(values.len());
            for value in values {
                if kept.contains(value) {
                    made.repeated.push(format!("{flag}={value}"));
                } else {
                    kept.push(value.clone());
                }
            }
            made.axes.push(Axis { flag: flag.clone(), values: kept });
        }
        Ok(made)
    }

    /// How many combinations of values there are; the largest number if it does not fit.
    pub fn combinations(&self) -> u64 {
        self.axes.iter().fold(1_u64, |all, axis| all.saturating_mul(axis.values.len() as u64))
    }

    /// How many values all flags list together.
    pub fn values(&self) -> usize {
        self.axes.iter().map(|axis| axis.values.len()).sum()
    }

    /// How many candidates, the baseline included, one change at a time needs to try every value at least once.
    pub fn candidates_for_all_values(&self, base: &Flags) -> usize {
        let held = self.held(base);
        let later = |(axis, held): (&Axis, &Option<usize>)| {
            axis.values.len() - 1 - usize::from(held.is_some_and(|value| value > 0))
        };
        let changes: usize = self.axes.iter().zip(&held).map(later).sum();
        let first_values = usize::from(held.iter().any(|value| *value != Some(0)));
        1 + first_values + changes
    }

    /// Which listed value of each axis these flags hold.
    pub(super) fn held(&self, flags: &Flags) -> Vec<Option<usize>> {
        let of = |axis: &Axis| {
            let value = flags.get(&axis.flag).unwrap_or(&Value::Null);
            axis.values.iter().position(|listed| listed == value)
        };
        self.axes.iter().map(of).collect()
    }

    /// Axis and value of those of these flags that are listed, absent ones left out.
    pub(super) fn held_of(&self, flags: &Flags) -> Vec<(usize, usize)> {
        let of = |(index, axis): (usize, &Axis)| {
            let value = flags.get(&axis.flag)?;
            Some((index, axis.values.iter().position(|listed| listed == value)?))
        };
        self.axes.iter().enumerate().filter_map(of).collect()
    }

    /// Base flags with the row's values over them.
    pub(super) fn flags(&self, base: &Flags, row: &Row) -> Flags {
        let mut flags = base.clone();
        for (axis, value) in self.axes.iter().zip(row) {
            flags.insert(axis.flag.clone(), axis.values[*value].clone());
        }
        flags
    }
}
