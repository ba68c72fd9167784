//! How the processor rounds, flushes and traps: read around calls, and put back to what a program starts with.

#![expect(unsafe_code, reason = "control registers are reached by instructions only")]

use serde::{Deserialize, Serialize};

/// Control of floating point, without the flags that arithmetic sets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mode {
    /// Control bits of MXCSR (x86-64) or FPCR (AArch64).
    pub vector: u64,
    /// The x87 control word; 0 on other processors.
    pub x87: u64,
}

#[cfg(target_arch = "x86_64")]
mod registers {
    use super::Mode;
    use std::arch::asm;

    /// Flags that arithmetic sets and that are no mode (Intel SDM volume 1, figure 10-3).
    const FLAGS: u32 = 0x3f;

    /// As a process starts (System V ABI for x86-64, 3.2.1 and 3.4.1).
    pub(super) const DEFAULT: Mode = Mode { vector: 0x1f80, x87: 0x37f };

    pub(super) fn read() -> Mode {
        let (mut vector, mut x87) = (0_u32, 0_u16);
        // SAFETY: each instruction stores a register into the variable it is given.
        unsafe {
            asm!("stmxcsr [{}]", in(reg) &raw mut vector, options(nostack, preserves_flags));
            asm!("fnstcw [{}]", in(reg) &raw mut x87, options(nostack, preserves_flags));
        }
        Mode { vector: (vector & !FLAGS).into(), x87: x87.into() }
    }

    pub(super) fn restore() {
        let (vector, x87) = (DEFAULT.vector as u32, DEFAULT.x87 as u16);
        // SAFETY: each instruction loads a register from the variable it is given; the values are those that compiled code
        // expects.
        unsafe {
            asm!("ldmxcsr [{}]", in(reg) &raw const vector, options(nostack, preserves_flags, readonly));
            asm!("fldcw [{}]", in(reg) &raw const x87, options(nostack, preserves_flags, readonly));
        }
    }
}

#[cfg(target_arch = "aarch64")]
mod registers {
    use super::Mode;
    use std::arch::asm;

    /// As a process starts (AAPCS64, 6.1.2).
    pub(super) const DEFAULT: Mode = Mode { vector: 0, x87: 0 };

    pub(super) fn read() -> Mode {
        let vector: u64;
        // SAFETY: reads a register.
        unsafe { asm!("mrs {}, fpcr", out(reg) vector, options(nomem, nostack, preserves_flags)) };
        Mode { vector, x87: 0 }
    }

    pub(super) fn restore() {
        // SAFETY: writes a register with the value that compiled code expects.
        unsafe { asm!("msr fpcr, {}", in(reg) DEFAULT.vector, options(nomem, nostack, preserves_flags)) };
    }
}

impl Mode {
    /// What a program starts with.
    pub const DEFAULT: Self = registers::DEFAULT;

    /// The mode now.
    pub(super) fn read() -> Self {
        registers::read()
    }

    /// Sets the mode that a program starts with.
    pub(super) fn restore() {
        registers::restore();
    }
}

#[cfg(test)]
mod tests {
    use super::Mode;

    #[test]
    fn a_test_runs_in_the_default_mode() {
        assert_eq!(Mode::read(), Mode::DEFAULT);
        let third = std::hint::black_box(1.0) / std::hint::black_box(3.0);
        assert!(third > 0.333);
        assert_eq!(Mode::read(), Mode::DEFAULT, "flags of arithmetic are no mode");
        Mode::restore();
        assert_eq!(Mode::read(), Mode::DEFAULT);
    }
}
