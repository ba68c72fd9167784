//! The frames between engine and supervisor: a tag, a number, and byte strings with their lengths in front.
//!
//! Both ends are the same build, forked from one process, so the format has no version.

/// One message from the engine to the supervisor. Descriptors travel beside it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Frame {
    /// Keep the descriptor beside it until told otherwise. One descriptor.
    Hold { name: String },
    /// Close it again, then close the descriptor beside it as the sign that this is done.
    Release { name: String },
    /// Mask what comes through pipes. Descriptors: done pipe, then per channel the read end and the file.
    Relay { id: u64, secrets: Vec<Vec<u8>> },
    /// Drain what is in the pipes now, flush, and report on the done pipe.
    Finish { id: u64 },
    /// From now on spare this process and everything below it, then close the descriptor beside it as the sign that this
    /// is known. `id` is its start time.
    Spare { pid: u32, id: u64 },
    /// Spare nobody any more.
    SpareNone,
}

impl Frame {
    /// The frame as bytes.
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut out = Vec::new();
        match self {
            Self::Hold { name } => put(&mut out, 1, 0, &[name.as_bytes()]),
            Self::Release { name } => put(&mut out, 2, 0, &[name.as_bytes()]),
            Self::Relay { id, secrets } => {
                let secrets: Vec<&[u8]> = secrets.iter().map(Vec::as_slice).collect();
                put(&mut out, 3, *id, &secrets);
            }
            Self::Finish { id } => put(&mut out, 4, *id, &[]),
            Self::Spare { pid, id } => put(&mut out, 5, *id, &[&pid.to_le_bytes()]),
            Self::SpareNone => put(&mut out, 6, 0, &[]),
        }
        out
    }

    /// Reads a frame; `None` if it is not one.
    pub(crate) fn decode(bytes: &[u8]) -> Option<Self> {
        let (&tag, rest) = bytes.split_first()?;
        let (id, mut rest) = rest.split_first_chunk::<8>()?;
        let id = u64::from_le_bytes(*id);
        let mut parts = Vec::new();
        while !rest.is_empty() {
            let (length, tail) = rest.split_first_chunk::<4>()?;
            let (part, tail) = tail.split_at_checked(u32::from_le_bytes(*length) as usize)?;
            parts.push(part.to_vec());
            rest = tail;
        }
        let name = |parts: &[Vec<u8>]| String::from_utf8(parts.first()?.clone()).ok();
        Some(match tag {
            1 => Self::Hold { name: name(&parts)? },
            2 => Self::Release { name: name(&parts)? },
            3 => Self::Relay { id, secrets: parts },
            4 => Self::Finish { id },
            5 => Self::Spare { pid: u32::from_le_bytes(*parts.first()?.first_chunk()?), id },
            6 => Self::SpareNone,
            _ => return None,
        })
    }
}

fn put(out: &mut Vec<u8>, tag: u8, id: u64, parts: &[&[u8]]) {
    out.push(tag);
    out.extend_from_slice(&id.to_le_bytes());
    for part in parts {
        // Frames are limited to 128 KiB when sent, so a length always fits.
        out.extend_from_slice(&u32::try_from(part.len()).unwrap_or(u32::MAX).to_le_bytes());
        out.extend_from_slice(part);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn what_is_encoded_is_decoded(id: u64, name: String, secrets: Vec<Vec<u8>>) {
            let frames = [
                Frame::Hold { name: name.clone() },
                Frame::Release { name },
                Frame::Relay { id, secrets },
                Frame::Finish { id },
                Frame::Spare { pid: 7, id },
                Frame::SpareNone,
            ];
            for frame in frames {
                prop_assert_eq!(Frame::decode(&frame.encode()), Some(frame));
            }
        }

        #[test]
        fn anything_else_is_refused_without_panic(bytes: Vec<u8>) {
            if let Some(frame) = Frame::decode(&bytes) {
                prop_assert!(Frame::decode(&frame.encode()).is_some());
            }
        }
    }
}
