//! The library as a worker gets it: a copy in memory that nobody can change any more.

use super::end::End;
use crate::statics::CPP;
use crate::task::Form;
use object::elf;
use rustix::fs::{MemfdFlags, SealFlags};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

/// Bytes of an ELF header up to the machine.
const HEADER: usize = 20;

/// The machine for which libraries must be.
#[cfg(target_arch = "x86_64")]
const OWN: elf::Machine = elf::EM_X86_64;
/// The machine for which libraries must be.
#[cfg(target_arch = "aarch64")]
const OWN: elf::Machine = elf::EM_AARCH64;

/// Copies a library. The loader reports one for another machine as a missing file, so that is looked at here. What an image of a
/// kernel is for, its driver says.
pub(super) fn private_copy(library: &Path, form: Form) -> Result<OwnedFd, End> {
    let refuse = |message: String| End::LoadFailed { message };
    let bytes =
        std::fs::read(library).map_err(|error| refuse(format!("`{}`: {error}", library.display())))?;
    if form == Form::CudaKernel {
        return copy(&bytes).map_err(|error| End::system("the kernel cannot be copied", error));
    }
    let header = bytes.get(..HEADER).filter(|header| header.starts_with(&elf::ELFMAG));
    let header = header.ok_or_else(|| refuse(format!("`{}` is no ELF file", library.display())))?;
    let machine = elf::Machine(u16::from_le_bytes([header[18], header[19]]));
    let kind = (elf::FileClass(header[4]), elf::DataEncoding(header[5]));
    if kind != (elf::ELFCLASS64, elf::ELFDATA2LSB) || machine != OWN {
        let (name, own) = (machine_name(machine), machine_name(OWN));
        return Err(refuse(format!("`{}` is for {name}, this machine is {own}", library.display())));
    }
    copy(&bytes).map_err(|error| End::system("the library cannot be copied", error))
}

/// The run-time library of C++, if this library needs it: a sanitizer looks for the functions of exceptions when the process starts, before
/// anything is loaded.
pub(super) fn of_exceptions(library: &Path) -> Option<PathBuf> {
    let name = CPP[0];
    let bytes = std::fs::read(library).ok()?;
    let needs = bytes.windows(name.len()).any(|window| window == name.as_bytes());
    needs.then(|| name.into())
}

fn copy(bytes: &[u8]) -> std::io::Result<OwnedFd> {
    let file = rustix::fs::memfd_create("library", MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING)?;
    let mut rest = bytes;
    while !rest.is_empty() {
        rest = &rest[rustix::io::write(&file, rest)?..];
    }
    rustix::fs::fcntl_add_seals(
        &file,
        SealFlags::SHRINK | SealFlags::GROW | SealFlags::WRITE | SealFlags::SEAL,
    )?;
    Ok(file)
}

fn machine_name(machine: elf::Machine) -> String {
    match machine {
        elf::EM_X86_64 => "x86-64".to_owned(),
        elf::EM_AARCH64 => "AArch64".to_owned(),
        elf::EM_386 => "32-bit x86".to_owned(),
        elf::EM_CUDA => "a CUDA device".to_owned(),
        other => format!("machine {} of ELF", other.0),
    }
}
