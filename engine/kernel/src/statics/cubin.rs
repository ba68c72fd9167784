//! Machine code of a device: for which architecture it is, and which kernels it holds. Must not load it.
//!
//! The architecture stands in `e_flags`: in the lowest byte up to version 7 of the ABI, in the next one from version 8 on (LLVM's
//! `ELF.h`: `EF_CUDA_SM`, `EF_CUDA_SM_MASK`; agrees with what ptxas 13.0 writes for sm_75 to sm_120).

use super::StaticsError;
use object::LittleEndian as LE;
use object::elf::{FileHeader64, SHT_SYMTAB, STT_FUNC};
use object::read::elf::{FileHeader as _, Sym as _};

/// `EM_CUDA`.
const MACHINE: u16 = 190;
/// The mark of a kernel in a symbol's `st_other` (`STO_CUDA_ENTRY`).
const ENTRY: u8 = 0x10;
/// The first four bytes of a fat binary, which holds code for several architectures.
const FATBIN: [u8; 4] = [0x50, 0xed, 0x55, 0xba];

/// Machine code of a device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cubin {
    /// Its architecture, such as 90 for `sm_90`.
    pub sm: u32,
    /// Names of its kernels.
    pub kernels: Vec<String>,
}

/// Whether it is a fat binary. The driver picks what fits the device; nothing of it is read here.
pub fn is_fatbin(bytes: &[u8]) -> bool {
    bytes.starts_with(&FATBIN)
}

impl Cubin {
    /// Reads it.
    ///
    /// # Errors
    /// It is no machine code of a device.
    pub fn parse(bytes: &[u8]) -> Result<Self, StaticsError> {
        let malformed = |what| StaticsError::Malformed { what };
        let header =
            FileHeader64::<LE>::parse(bytes).map_err(|_| malformed("it is no ELF file of 64 bits"))?;
        if header.e_machine.get(LE).0 != MACHINE {
            return Err(malformed("it is no machine code of an NVIDIA device"));
        }
        let flags = header.e_flags.get(LE).0;
        let sm = if header.e_ident.abi_version >= 8 { flags >> 8 & 0xff } else { flags & 0xff };
        let sections = header.sections(LE, bytes).map_err(|_| malformed("its sections cannot be read"))?;
        let symbols =
            sections.symbols(LE, bytes, SHT_SYMTAB).map_err(|_| malformed("its symbols cannot be read"))?;
        let mut kernels = Vec::new();
        for symbol in
            symbols.iter().filter(|symbol| symbol.st_type() == STT_FUNC && symbol.st_other.0 & ENTRY != 0)
        {
            let name = symbol.name(LE, symbols.strings()).map_err(|_| malformed("a symbol has no name"))?;
            kernels.push(String::from_utf8_lossy(name).into_owned());
        }
        Ok(Self { sm, kernels })
    }

    /// Whether a device of this compute capability runs it: the same major number and at least the minor one.
    pub fn runs_on(&self, capability: (u32, u32)) -> bool {
        self.sm / 10 == capability.0 && self.sm % 10 <= capability.1
    }
}

#[cfg(test)]
mod tests {
    use super::{Cubin, is_fatbin};

    /// An ELF header and nothing else.
    fn header(machine: u16, abi: u8, flags: u32) -> Vec<u8> {
        let mut bytes = vec![0; 64];
        bytes[..9].copy_from_slice(&[0x7f, b'E', b'L', b'F', 2, 1, 1, 41, abi]);
        bytes[16] = 2;
        bytes[18..20].copy_from_slice(&machine.to_le_bytes());
        bytes[20] = 1;
        bytes[48..52].copy_from_slice(&flags.to_le_bytes());
        bytes[52] = 64;
        bytes
    }

    #[test]
    fn the_architecture_is_where_each_version_keeps_it() {
        for (abi, flags, sm) in [(8, 0x0600_5a04, 90), (8, 0x0600_7802, 120), (7, 0x0050_0550, 80)] {
            let cubin = Cubin::parse(&header(190, abi, flags)).expect("a cubin");
            assert_eq!((cubin.sm, cubin.kernels.len()), (sm, 0));
        }
        let hopper = Cubin { sm: 90, kernels: Vec::new() };
        assert!(hopper.runs_on((9, 0)) && !hopper.runs_on((8, 9)) && !hopper.runs_on((10, 0)));
        let ada = Cubin { sm: 89, kernels: Vec::new() };
        assert!(ada.runs_on((8, 9)) && !ada.runs_on((8, 6)));
    }

    #[test]
    fn other_files_are_none() {
        for bytes in [&header(62, 0, 0)[..], &header(190, 8, 0)[..40], b".version 9.0", b""] {
            assert!(Cubin::parse(bytes).is_err());
        }
        assert!(is_fatbin(&[0x50, 0xed, 0x55, 0xba, 1]) && !is_fatbin(b".version"));
    }
}
