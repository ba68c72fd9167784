//! What judge and worker say to each other: one request, one reply, each of a fixed size, in the machine's byte order.
//!
//! A reply repeats the number of its request, drawn at random, so that what foreign code writes into the socket by
//! chance is no answer.

/// Bytes of text in a message: a symbol, or the reason why a library does not load.
pub(super) const TEXT: usize = 256;

/// Words of a message; what they mean depends on its kind.
pub(super) const WORDS: usize = 8;

/// Bytes of a message.
pub(super) const SIZE: usize = 8 + 8 + WORDS * 8 + TEXT;

/// What a message is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u64)]
pub(super) enum Kind {
    /// Request: load the library (or the source, with settings) that comes with it. Words: form (see `entry::code`), bytes of memory, whether a sanitizer
    /// watches, whether its tensors lie on a device. Text: the symbol. On a device the reply brings an `About`.
    Load = 1,
    /// Request: map the memory that comes with it. Words: bytes of the plan.
    Map,
    /// Request: one call. Words: set.
    Call,
    /// Request: a block. Words: calls, snapshot's call (or `u64::MAX`), snapshot's tensor, whether the cache is overwritten; the last
    /// one says which part of it, to a worker that makes it in parts.
    Block,
    /// Reply: done. Words depend on the request. Text: what the kernel said beside its return code, if it can speak.
    Done,
    /// Reply: the library does not load. Text: why.
    LoadFailed,
    /// Reply: no such entry.
    SymbolMissing,
    /// Reply: a signal came. Words: signal, address, whether the address is known, whether it was a write, whether memory
    /// has run out.
    Fault,
    /// Reply: the system refused. Words: error number. Text: what.
    System,
    /// Request: one call on a device, looked at from all sides. Words: set. The reply brings a `Probed`.
    Probe,
    /// Request: open the device and no more, with nothing loaded.
    Open,
    /// Reply: the machine lacks what is needed. Text: what, with a way out.
    Unsupported,
    /// Reply: a launch failed, or the device reports an error. Text: the driver's name of it.
    Launch,
    /// Reply: something was written between tensors on a device. Words: set, tensor, offset from the tensor's first byte, whether it
    /// lies in front of it.
    Guard,
}

impl Kind {
    const ALL: [Self; 14] = [
        Self::Load,
        Self::Map,
        Self::Call,
        Self::Block,
        Self::Done,
        Self::LoadFailed,
        Self::SymbolMissing,
        Self::Fault,
        Self::System,
        Self::Probe,
        Self::Open,
        Self::Unsupported,
        Self::Launch,
        Self::Guard,
    ];
}

/// A message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Message {
    pub(super) nonce: u64,
    pub(super) kind: Kind,
    pub(super) words: [u64; WORDS],
    pub(super) text: [u8; TEXT],
}

impl Message {
    /// A message without text; words that are left out are 0.
    pub(super) fn new(nonce: u64, kind: Kind, given: &[u64]) -> Self {
        let mut words = [0; WORDS];
        words.iter_mut().zip(given).for_each(|(word, given)| *word = *given);
        Self { nonce, kind, words, text: [0; TEXT] }
    }

    /// With a text, cut to what fits.
    pub(super) fn with_text(mut self, text: &str) -> Self {
        let bytes = text.as_bytes();
        let len = bytes.len().min(TEXT);
        self.text[..len].copy_from_slice(&bytes[..len]);
        self
    }

    /// The text.
    pub(super) fn text(&self) -> String {
        let len = self.text.iter().position(|byte| *byte == 0).unwrap_or(TEXT);
        String::from_utf8_lossy(&self.text[..len]).into_owned()
    }

    /// Its bytes. Allocates nothing: a signal handler sends one.
    pub(super) fn encode(&self) -> [u8; SIZE] {
        let mut bytes = [0; SIZE];
        bytes[..8].copy_from_slice(&self.nonce.to_ne_bytes());
        bytes[8..16].copy_from_slice(&(self.kind as u64).to_ne_bytes());
        for (at, word) in self.words.iter().enumerate() {
            bytes[16 + at * 8..24 + at * 8].copy_from_slice(&word.to_ne_bytes());
        }
        bytes[SIZE - TEXT..].copy_from_slice(&self.text);
        bytes
    }

    /// The message in these bytes; `None` if they are none.
    pub(super) fn decode(bytes: &[u8]) -> Option<Self> {
        let bytes: &[u8; SIZE] = bytes.try_into().ok()?;
        let word = |at: usize| {
            let mut word = [0; 8];
            word.copy_from_slice(&bytes[at * 8..at * 8 + 8]);
            u64::from_ne_bytes(word)
        };
        let kind = Kind::ALL.into_iter().find(|kind| *kind as u64 == word(1))?;
        let mut message = Self::new(word(0), kind, &[]);
        message.words.iter_mut().enumerate().for_each(|(at, value)| *value = word(at + 2));
        message.text.copy_from_slice(&bytes[SIZE - TEXT..]);
        Some(message)
    }
}

#[cfg(test)]
mod tests {
    use super::{Kind, Message};

    #[test]
    fn what_is_sent_is_received() {
        for kind in Kind::ALL {
            let message = Message::new(7, kind, &[1, u64::MAX]).with_text("kv_entry");
            assert_eq!(Message::decode(&message.encode()), Some(message));
            assert_eq!(message.text(), "kv_entry");
            assert_eq!(Message::decode(&message.encode()[1..]), None);
        }
        let mut bytes = Message::new(7, Kind::Done, &[]).encode();
        bytes[8] = 200;
        assert_eq!(Message::decode(&bytes), None);
    }
}
