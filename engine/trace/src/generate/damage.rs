//! Defects that recordings in the field have, applied on purpose.

use std::io::{self, Write};

use serde::{Deserialize, Serialize};

use super::device::Left;
use super::simulate::Oddities;

/// A defect. The truth describes what was written, before bytes are cut off or made unreadable.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Damage {
    /// Unescaped control characters inside strings.
    RawControlChars,
    /// Bytes that are not UTF-8 inside strings.
    InvalidUtf8,
    /// Process and thread ids as strings.
    StringPids,
    /// The document ends after this share of its bytes (0 to 1). The truth is that of the whole document.
    TruncateAt(f64),
    /// Correlation numbers come round again after 61 launches; external ids stay unique. Delays in
    /// the truth are those from the true launches.
    DuplicateCorrelation,
    /// Times with 12 digits before the point instead of 13.
    TwelveDigitTs,
    /// No events at all.
    EmptyEvents,
    /// Launches, but nothing that they started.
    NoKernels,
    /// Only operators, marks and frames: neither calls nor activities.
    CpuOnly,
    /// The first kernels were launched before the recording and run into it: no launch, no operator.
    KernelsBeforeWindow,
}

/// What a defect means for the parts of the writer.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Effects {
    pub(super) oddities: Oddities,
    pub(super) left: Left,
    pub(super) poison: &'static [u8],
    pub(super) quoted_ids: bool,
    pub(super) empty: bool,
}

impl Effects {
    pub(super) fn of(damage: Option<Damage>) -> Self {
        let mut effects = Self::default();
        match damage {
            None | Some(Damage::TruncateAt(_)) => {}
            Some(Damage::RawControlChars) => effects.poison = b"a\x01b\tc\nd\x1f",
            Some(Damage::InvalidUtf8) => effects.poison = b"a\xff\xfeb\xc3(",
            Some(Damage::StringPids) => effects.quoted_ids = true,
            Some(Damage::DuplicateCorrelation) => effects.oddities.repeated_correlations = true,
            Some(Damage::TwelveDigitTs) => effects.oddities.short_clock = true,
            Some(Damage::EmptyEvents) => effects.empty = true,
            Some(Damage::NoKernels) => effects.left.activities = true,
            Some(Damage::CpuOnly) => effects.left = Left { calls: true, activities: true },
            Some(Damage::KernelsBeforeWindow) => effects.oddities.earlier_kernels = true,
        }
        effects
    }
}

/// Counts bytes and keeps none.
#[derive(Debug, Default)]
pub(super) struct Counter {
    pub(super) bytes: u64,
}

impl Write for Counter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.bytes += bytes.len() as u64;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Passes on the first bytes and drops the rest.
pub(super) struct Cut<'a> {
    pub(super) out: &'a mut dyn Write,
    pub(super) left: u64,
}

impl Write for Cut<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let kept = bytes.len().min(usize::try_from(self.left).unwrap_or(usize::MAX));
        self.out.write_all(&bytes[..kept])?;
        self.left -= kept as u64;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}
