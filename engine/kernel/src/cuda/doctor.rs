//! What of CUDA is on this machine, for people who wonder why something is not supported. Never fails.
#![expect(unsafe_code, reason = "the driver is a C library")]

use super::device::failed;
use super::{CudaError, library, nvrtc};
use cudarc::driver::{result, sys};
use serde::{Deserialize, Serialize};

/// A library of CUDA.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Library {
    /// It is here and has everything that is needed.
    pub usable: bool,
    /// Its version, such as `13.0`; for the driver, the newest CUDA that it serves.
    pub version: Option<String>,
    /// Why it is not usable, with a way out.
    pub problem: Option<String>,
}

impl Library {
    fn of(version: Result<String, CudaError>) -> Self {
        match version {
            Ok(version) => Self { usable: true, version: Some(version), problem: None },
            Err(error) => Self { usable: false, version: None, problem: Some(error.to_string()) },
        }
    }
}

/// A device.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Device {
    /// Its place, from 0.
    pub ordinal: i32,
    /// Its name.
    pub name: String,
    /// Its memory, bytes.
    pub memory_bytes: u64,
}

/// What was found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Facts {
    /// The driver's library, `libcuda`.
    pub libcuda: Library,
    /// The compiler's, `libnvrtc`.
    pub libnvrtc: Library,
    /// Devices that the driver shows.
    pub devices: Vec<Device>,
    /// Why there is none.
    pub no_device: Option<String>,
}

/// Looks. The driver is initialised where there is one, which takes up to a second.
pub fn facts() -> Facts {
    let (devices, no_device) = match devices() {
        Ok(devices) if devices.is_empty() => (devices, Some("there is no NVIDIA device".to_owned())),
        Ok(devices) => (devices, None),
        Err(error) => (Vec::new(), Some(error.to_string())),
    };
    Facts {
        libcuda: Library::of(driver_version()),
        libnvrtc: Library::of(nvrtc::version()),
        devices,
        no_device,
    }
}

/// The newest CUDA that the driver serves; everything that is called of it is there.
pub(crate) fn driver_version() -> Result<String, CudaError> {
    library::driver()?;
    let mut version = 0;
    // SAFETY: the pointer is to an integer that lives here; the call may come before `cuInit`.
    let told = unsafe { sys::cuDriverGetVersion(&raw mut version) };
    told.result().map_err(failed("cuDriverGetVersion"))?;
    // 13020 is CUDA 13.2 (CUDA driver API, cuDriverGetVersion).
    let text = format!("{}.{}", version / 1000, version % 1000 / 10);
    if version < 13_000 {
        let what = format!("the driver serves CUDA {text}, and 13.0 is needed; install a newer driver");
        return Err(CudaError::Unsupported { what });
    }
    Ok(text)
}

fn devices() -> Result<Vec<Device>, CudaError> {
    library::driver()?;
    result::init().map_err(failed("cuInit"))?;
    let count = result::device::get_count().map_err(failed("cuDeviceGetCount"))?;
    let mut devices = Vec::new();
    for ordinal in 0..count {
        let device = result::device::get(ordinal).map_err(failed("cuDeviceGet"))?;
        let name = result::device::get_name(device).map_err(failed("cuDeviceGetName"))?;
        // SAFETY: the device was given by the driver just now.
        let memory = unsafe { result::device::total_mem(device) }.map_err(failed("cuDeviceTotalMem_v2"))?;
        devices.push(Device { ordinal, name, memory_bytes: memory as u64 });
    }
    Ok(devices)
}
