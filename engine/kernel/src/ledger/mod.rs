//! The ledger: every judgement as one line of `kernel-ledger.jsonl`, append-only, chained by digests, and the signatures under those
//! that a person must read.
//!
//! A row holds what is needed to judge again: digests of task, candidate and baseline, the seeds, the figures. It is as good as the
//! task and the baseline that it names; [`Row::standing`] tells whether they are still those of today. Must not judge anything.

mod chain;
mod export;
mod file;
mod line;
mod row;
mod signature;
mod standing;

pub use chain::{FIRST, seal, sealed_hash};
pub use export::traces;
pub use file::{Appended, Broken, Ledger, LedgerError, Read, Torn, Verified};
pub use line::{Entry, Line};
pub use row::{
    CaseCounts, Current, DeviceFacts, EndToEnd, ErrorFacts, FunctionFacts, LaneFacts, RooflineFacts, Row,
    SanitizerFacts, Seeds, Standing, TimingFacts, TimingRow, VERSION,
};
pub use signature::{Signature, SignatureKind, Signer, Unsignable};
pub use standing::standings;
