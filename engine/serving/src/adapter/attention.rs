//! Which attention backends fit which GPU.

use super::{Adapter, limits::shown};
use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeMap;

/// Compute capability of a GPU, such as 9.0 (Hopper: H100, H200) or 12.0 (RTX 5090).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Capability {
    /// The generation.
    pub major: u32,
    /// The variant.
    pub minor: u32,
}

/// Words of GPU names with the capability of that GPU, by NVIDIA's list (developer.nvidia.com/cuda-gpus, November 2026).
const BY_WORD: [(&str, u32, u32); 32] = [
    ("V100", 7, 0),
    ("T4", 7, 5),
    ("A30", 8, 0),
    ("A100", 8, 0),
    ("A800", 8, 0),
    ("A2", 8, 6),
    ("A10", 8, 6),
    ("A10G", 8, 6),
    ("A16", 8, 6),
    ("A40", 8, 6),
    ("A4000", 8, 6),
    ("A4500", 8, 6),
    ("A5000", 8, 6),
    ("A5500", 8, 6),
    ("A6000", 8, 6),
    ("L4", 8, 9),
    ("L20", 8, 9),
    ("L40", 8, 9),
    ("L40S", 8, 9),
    ("ADA", 8, 9),
    ("H20", 9, 0),
    ("H100", 9, 0),
    ("H200", 9, 0),
    ("H800", 9, 0),
    ("GH200", 9, 0),
    ("B100", 10, 0),
    ("B200", 10, 0),
    ("GB200", 10, 0),
    ("B300", 10, 3),
    ("GB300", 10, 3),
    ("GB10", 12, 1),
    ("BLACKWELL", 12, 0),
];

/// Generations of GeForce RTX by the first two digits of their number, from the same list.
const BY_NUMBER: [(&str, u32, u32); 4] = [("20", 7, 5), ("30", 8, 6), ("40", 8, 9), ("50", 12, 0)];

impl Capability {
    /// The capability that a text says: `9.0`, `sm_90a`, or the name of a GPU such as `NVIDIA H200`. `None` for what is not
    /// known.
    pub fn read(text: &str) -> Option<Self> {
        let text = text.trim();
        let of =
            |major: &str, minor: &str| Some(Self { major: major.parse().ok()?, minor: minor.parse().ok()? });
        if let Some(digits) = text.strip_prefix("sm_").map(|rest| rest.trim_end_matches(char::is_alphabetic))
        {
            let (major, minor) = digits.split_at_checked(digits.len().checked_sub(1)?)?;
            return of(major, minor);
        }
        let written = text.split_once('.').and_then(|(major, minor)| of(major, minor));
        written.or_else(|| Self::of_model(text))
    }

    fn of_model(name: &str) -> Option<Self> {
        let upper = name.to_ascii_uppercase();
        let words: Vec<&str> = upper.split(|c: char| !c.is_ascii_alphanumeric()).collect();
        let known = BY_WORD.iter().find(|(word, ..)| words.contains(word));
        let numbered = || {
            let is_number = |word: &&&str| word.len() == 4 && word.bytes().all(|byte| byte.is_ascii_digit());
            let number = words
                .iter()
                .find(is_number)
                .filter(|_| words.contains(&"RTX") && !words.contains(&"QUADRO"))?;
            BY_NUMBER.iter().find(|(digits, ..)| number.starts_with(digits))
        };
        known.or_else(numbered).map(|(_, major, minor)| Self { major: *major, minor: *minor })
    }
}

/// Which attention backends fit which GPU.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Attention {
    /// The flags that choose a backend.
    #[serde(default)]
    pub flags: Vec<String>,
    /// What backends need, by name as flags spell it. Those without an entry are taken to run everywhere.
    #[serde(default)]
    #[schemars(with = "BTreeMap<String, BackendNeeds>")]
    pub backends: IndexMap<String, BackendNeeds>,
}

/// What a backend needs.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct BackendNeeds {
    /// Generations of compute capability (the part before the point) on which it is worth a try.
    pub majors: Vec<u32>,
    /// Why, and what to take instead.
    pub why: String,
}

/// A backend that does not fit a GPU.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BackendMisfit {
    /// The flag as it was written.
    pub flag: String,
    /// The backend.
    pub backend: String,
    /// Why, and what to take instead.
    pub why: String,
}

impl Adapter {
    /// The attention backends among these flags that do not fit a GPU. A list (a search over backends) is looked through.
    pub fn attention_backend_fits(
        &self,
        flags: &IndexMap<String, Value>,
        gpu: Capability,
    ) -> Vec<BackendMisfit> {
        let mut misfits = Vec::new();
        for flag in &self.attention.flags {
            let Some((name, value)) = self.given(flags, flag) else { continue };
            let values = value.as_array().map_or(std::slice::from_ref(value), Vec::as_slice);
            for backend in values.iter().map(shown) {
                if let Some(needs) = self.attention.backends.get(&backend.to_lowercase())
                    && !needs.majors.contains(&gpu.major)
                {
                    misfits.push(BackendMisfit { flag: name.clone(), backend, why: needs.why.clone() });
                }
            }
        }
        misfits
    }
}

#[cfg(test)]
mod tests {
    use super::Capability;

    #[test]
    fn gpus_are_known_by_capability_and_by_name() {
        for (text, major, minor) in [
            ("9.0", 9, 0),
            ("sm_90a", 9, 0),
            ("sm_120", 12, 0),
            ("NVIDIA H200", 9, 0),
            ("NVIDIA H100 80GB HBM3", 9, 0),
            ("NVIDIA A100-SXM4-80GB", 8, 0),
            ("NVIDIA B200", 10, 0),
            ("NVIDIA L40S", 8, 9),
            ("NVIDIA GeForce RTX 5090", 12, 0),
            ("rtx-4090", 8, 9),
            ("NVIDIA RTX 5000 Ada Generation", 8, 9),
            ("NVIDIA RTX PRO 6000 Blackwell Server Edition", 12, 0),
        ] {
            assert_eq!(Capability::read(text), Some(Capability { major, minor }), "{text}");
        }
        for text in ["sm_", "", "Arc 7.x", "AMD Instinct MI300X", "GPU 4090", "Quadro RTX 4000"] {
            assert_eq!(Capability::read(text), None, "{text}");
        }
    }
}
