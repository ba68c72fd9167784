//! Facts of the device.

use super::driver::{self, Told};
use crate::worker::About;
use cudarc::driver::sys::{CUdevice, CUdevice_attribute as Fact};
use std::fmt::Write as _;

/// Where the kernel module tells its version.
const VERSION: &str = "/proc/driver/nvidia/version";

/// Facts of a device. `cuda` is the newest CUDA that the driver serves.
pub(super) fn of(device: CUdevice, cuda: String) -> Told<About> {
    let fact = |of| driver::attribute(device, of).map(|value| u32::try_from(value).unwrap_or(0));
    Ok(About {
        name: driver::name(device)?,
        uuid: uuid(driver::uuid(device)?),
        driver: std::fs::read_to_string(VERSION).ok().and_then(|text| version(&text)).unwrap_or_default(),
        cuda,
        capability: (
            fact(Fact::CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR)?,
            fact(Fact::CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR)?,
        ),
        l2_bytes: fact(Fact::CU_DEVICE_ATTRIBUTE_L2_CACHE_SIZE)?.into(),
        multiprocessors: fact(Fact::CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT)?,
        ..About::default()
    })
}

/// As the driver's tools write it.
fn uuid(bytes: [u8; 16]) -> String {
    let mut text = "GPU".to_owned();
    for (at, byte) in bytes.iter().enumerate() {
        let dash = if matches!(at, 0 | 4 | 6 | 8 | 10) { "-" } else { "" };
        // Writing to a string does not fail.
        let _ = write!(text, "{dash}{byte:02x}");
    }
    text
}

/// The first word that is a version: digits with a dot, such as `580.65.06`.
fn version(text: &str) -> Option<String> {
    let is_version = |word: &&str| {
        word.contains('.')
            && word.split('.').all(|part| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit()))
    };
    text.split_whitespace().find(is_version).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::{uuid, version};

    #[test]
    fn facts_are_written_as_tools_write_them() {
        let bytes = std::array::from_fn(|at| at as u8 * 17);
        assert_eq!(uuid(bytes), "GPU-00112233-4455-6677-8899-aabbccddeeff");
        let text = "NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  580.65.06  Release Build  (x)";
        assert_eq!(version(text).as_deref(), Some("580.65.06"));
        let older =
            "NVRM version: NVIDIA UNIX x86_64 Kernel Module  535.104.05  Sat Aug 19 01:15:15 UTC 2023\nGCC";
        assert_eq!(version(older).as_deref(), Some("535.104.05"));
        assert_eq!(version("none"), None);
    }
}
