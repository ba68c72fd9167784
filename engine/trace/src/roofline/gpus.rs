//! The table of GPUs: peaks and bandwidths with their sources, looked up by the name that a profiler shows.
//!
//! A name that is not in the table has no peak: nothing is taken from a similar one.

use super::Dtype;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::OnceLock;

const BUILT_IN: &str = include_str!("../../data/gpus.yaml");

/// One kind of GPU.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Gpu {
    /// Short name.
    pub id: String,
    /// Names under which a profiler may show it.
    pub names: Vec<String>,
    /// Peak of dense matrix products by type, in 10^12 operations a second.
    pub tflops: BTreeMap<Dtype, f64>,
    /// Bandwidth of its memory, in 10^9 bytes a second.
    pub gb_per_s: f64,
    /// Size of its memory, in 10^9 bytes.
    pub memory_gb: f64,
    /// Last-level cache, in 10^6 bytes.
    pub cache_mb: f64,
    /// Multiprocessors or compute units.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sms: Option<u32>,
    /// Where the numbers come from, and when.
    pub source: String,
    /// What to know about them, such as how the source states sparsity.
    pub note: String,
}

/// What a trace says of a device.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Seen<'a> {
    /// Product name.
    pub name: Option<&'a str>,
    /// Multiprocessors or compute units.
    pub sms: Option<u32>,
    /// Bytes of memory.
    pub memory: Option<u64>,
}

/// Why a device has no peaks.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum GpuError {
    /// The table cannot be read.
    #[error("the table of GPUs cannot be read: {reason}")]
    Table {
        /// What the YAML parser says.
        reason: String,
    },
    /// The trace does not say what the device is.
    #[error("the trace does not name its GPU; say it with `--gpu`")]
    Nameless,
    /// Not in the table.
    #[error("the GPU `{name}` is not in the table")]
    Unknown {
        /// The name.
        name: String,
    },
    /// Several kinds share the name.
    #[error("`{name}` may be {}; say which with `--gpu`", kinds.join(" or "))]
    Ambiguous {
        /// The name.
        name: String,
        /// Ids of the kinds.
        kinds: Vec<String>,
    },
    /// Part of a GPU, whose share of the peak nothing says.
    #[error("the device `{name}` has {sms} multiprocessors where a whole one has {whole}: it is a slice")]
    Slice {
        /// The name.
        name: String,
        /// What the trace says.
        sms: u32,
        /// What the table says.
        whole: u32,
    },
}

/// A table of GPUs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Gpus {
    v: u32,
    gpus: Vec<Gpu>,
}

impl Gpus {
    /// The table that comes with this crate.
    ///
    /// # Errors
    /// [`GpuError::Table`], which a test excludes.
    pub fn built_in() -> Result<&'static Self, GpuError> {
        static TABLE: OnceLock<Result<Gpus, GpuError>> = OnceLock::new();
        TABLE.get_or_init(|| Self::parse(BUILT_IN)).as_ref().map_err(Clone::clone)
    }

    /// Reads a table.
    ///
    /// # Errors
    /// [`GpuError::Table`] for what is no such table.
    pub fn parse(text: &str) -> Result<Self, GpuError> {
        serde_yaml::from_str(text).map_err(|error| GpuError::Table { reason: error.to_string() })
    }

    /// All kinds, in the order of the table.
    pub fn all(&self) -> &[Gpu] {
        &self.gpus
    }

    /// Ids of all kinds, for messages.
    pub fn ids(&self) -> Vec<String> {
        self.gpus.iter().map(|gpu| gpu.id.clone()).collect()
    }

    /// The kind of a device that a trace shows.
    ///
    /// # Errors
    /// A device without a name, with an unknown or ambiguous one, or a slice of a GPU.
    pub fn of_device(&self, seen: Seen<'_>) -> Result<&Gpu, GpuError> {
        let name = seen.name.ok_or(GpuError::Nameless)?;
        let gpu = self.named(name, seen)?;
        match (seen.sms, gpu.sms) {
            (Some(sms), Some(whole)) if sms != whole => {
                Err(GpuError::Slice { name: name.to_owned(), sms, whole })
            }
            _ => Ok(gpu),
        }
    }

    /// The kind with this id or name; `seen` decides among several of the same name.
    ///
    /// # Errors
    /// [`GpuError::Unknown`] and [`GpuError::Ambiguous`].
    pub fn named(&self, name: &str, seen: Seen<'_>) -> Result<&Gpu, GpuError> {
        let wanted = plain(name);
        let is =
            |gpu: &&Gpu| plain(&gpu.id) == wanted || gpu.names.iter().any(|known| plain(known) == wanted);
        let mut found: Vec<&Gpu> = self.gpus.iter().filter(is).collect();
        if found.len() > 1 {
            found.retain(|gpu| seen.sms.is_none() || gpu.sms.is_none() || gpu.sms == seen.sms);
        }
        if found.len() > 1
            && let Some(memory) = seen.memory
        {
            // Drivers show a few percent less or, in units of 2^30, more than is sold.
            found.retain(|gpu| (memory as f64 / 1e9 / gpu.memory_gb - 1.0).abs() < 0.15);
        }
        match found[..] {
            [gpu] => Ok(gpu),
            [] => Err(GpuError::Unknown { name: name.to_owned() }),
            _ => Err(GpuError::Ambiguous {
                name: name.to_owned(),
                kinds: found.iter().map(|gpu| format!("`{}`", gpu.id)).collect(),
            }),
        }
    }
}

/// A name without vendor, case and punctuation.
fn plain(name: &str) -> String {
    let lower = name.to_lowercase();
    let words = lower.split(|letter: char| !letter.is_alphanumeric());
    words.filter(|word| !["nvidia", "amd", "instinct", "tesla", "geforce"].contains(word)).collect()
}

#[cfg(test)]
mod tests {
    use super::{GpuError, Gpus, Seen};
    use crate::roofline::Dtype;

    fn table() -> &'static Gpus {
        Gpus::built_in().unwrap()
    }

    fn id(name: &str, sms: Option<u32>, memory: Option<u64>) -> Result<&'static str, GpuError> {
        table().of_device(Seen { name: Some(name), sms, memory }).map(|gpu| gpu.id.as_str())
    }

    #[test]
    fn devices_of_public_traces_are_found() {
        assert_eq!(id("NVIDIA H200", Some(132), None), Ok("H200"));
        assert_eq!(id("NVIDIA H100 80GB HBM3", Some(132), Some(85_018_279_936)), Ok("H100-SXM"));
        assert_eq!(id("NVIDIA B200", Some(148), Some(191_503_138_816)), Ok("B200"));
        assert_eq!(id("AMD Instinct MI300X", Some(304), Some(206_141_652_992)), Ok("MI300X"));
        assert_eq!(id("AMD Instinct MI210", Some(104), None), Ok("MI210"));
        assert_eq!(id("NVIDIA A100-PG509-200", Some(108), Some(42_297_524_224)), Ok("A100-40GB"));
        assert_eq!(id("Tesla V100-SXM2-32GB", Some(80), None), Ok("V100-SXM2"));
        assert_eq!(id("NVIDIA A100 80GB PCIe", Some(108), None), Ok("A100-80GB-PCIe"));
        assert_eq!(id("AMD Instinct MI250X/MI250", Some(110), None), Ok("MI250X-GCD"));
    }

    #[test]
    fn nothing_is_taken_from_a_similar_name() {
        assert!(matches!(id("NVIDIA H100 96GB HBM3", None, None), Err(GpuError::Unknown { .. })));
        assert!(matches!(id("NVIDIA B300", None, None), Err(GpuError::Unknown { .. })));
        assert!(matches!(id("", None, None), Err(GpuError::Unknown { .. })));
        assert_eq!(table().of_device(Seen::default()), Err(GpuError::Nameless));
        let slice = id("AMD Instinct MI300X", Some(38), None).unwrap_err();
        assert_eq!(slice, GpuError::Slice { name: "AMD Instinct MI300X".into(), sms: 38, whole: 304 });
    }

    #[test]
    fn memory_tells_kinds_of_one_name_apart() {
        assert_eq!(id("A100", Some(108), Some(42_297_524_224)), Ok("A100-40GB"));
        assert_eq!(id("A100", Some(108), Some(85_031_714_816)), Ok("A100-80GB"));
        let kinds = vec!["`A100-40GB`".to_owned(), "`A100-80GB`".to_owned()];
        assert_eq!(id("A100", None, None), Err(GpuError::Ambiguous { name: "A100".into(), kinds }));
    }

    #[test]
    fn every_row_is_plausible() {
        let mut ids: Vec<String> = table().ids();
        assert!(ids.len() >= 20);
        for gpu in table().all() {
            assert!(gpu.gb_per_s > 100.0 && gpu.gb_per_s < 20_000.0, "{}", gpu.id);
            assert!(gpu.source.contains("20"), "{} has no dated source", gpu.id);
            let rate = |dtype| gpu.tflops.get(&dtype).copied();
            if let (Some(half), Some(fp8)) = (rate(Dtype::Bf16), rate(Dtype::Fp8)) {
                // Dense 8-bit runs at twice the 16-bit rate on every chip; a sparse number would make it four times.
                assert!((1.9..2.1).contains(&(fp8 / half)), "{}", gpu.id);
            }
            if let (Some(single), Some(half)) = (rate(Dtype::Fp32), rate(Dtype::Fp16)) {
                assert!(half > single, "{}", gpu.id);
            }
        }
        ids.sort();
        ids.dedup();
        assert_eq!(ids.len(), table().all().len());
        assert!(Gpus::parse("v: 1\ngpus: [{id: X}]").is_err());
    }
}
