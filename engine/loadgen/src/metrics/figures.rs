//! Latencies of one request, in milliseconds. Only for records without an inconsistency: times are taken as ordered.

use crate::Record;

/// Latencies of one completed request, in milliseconds.
pub trait Figures {
    /// Start to the first piece with text.
    fn ttft_ms(&self) -> Option<f64>;
    /// Intended start to the first piece with text.
    fn ttft_intended_ms(&self) -> Option<f64>;
    /// Start to end.
    fn e2e_ms(&self) -> f64;
    /// Intended start to end.
    fn e2e_intended_ms(&self) -> f64;
    /// (Last piece - first piece) / (tokens - 1); `None` below 2 tokens, below 2 pieces or without the server's count.
    fn tpot_ms(&self) -> Option<f64>;
    /// (End - first piece) / (tokens - 1), for the same requests.
    fn tpot_to_end_ms(&self) -> Option<f64>;
    /// Gaps between successive pieces.
    fn gaps_ms(&self) -> impl Iterator<Item = f64>;
    /// Mean of the gaps.
    fn mean_gap_ms(&self) -> Option<f64>;
    /// Longest of the gaps.
    fn longest_gap_ms(&self) -> Option<f64>;
    /// Intended start to start.
    fn queue_ms(&self) -> f64;
    /// Start to the first byte handed to the socket.
    fn connect_ms(&self) -> Option<f64>;
}

impl Figures for Record {
    fn ttft_ms(&self) -> Option<f64> {
        Some(ms(self.start_ns, self.first_ns()?))
    }

    fn ttft_intended_ms(&self) -> Option<f64> {
        Some(ms(self.intended_ns, self.first_ns()?))
    }

    fn e2e_ms(&self) -> f64 {
        ms(self.start_ns, self.end_ns)
    }

    fn e2e_intended_ms(&self) -> f64 {
        ms(self.intended_ns, self.end_ns)
    }

    fn tpot_ms(&self) -> Option<f64> {
        Some(ms(self.first_ns()?, *self.chunk_ns.last()?) / steps(self)?)
    }

    fn tpot_to_end_ms(&self) -> Option<f64> {
        Some(ms(self.first_ns()?, self.end_ns) / steps(self)?)
    }

    fn gaps_ms(&self) -> impl Iterator<Item = f64> {
        self.chunk_ns.windows(2).map(|pair| ms(pair[0], pair[1]))
    }

    fn mean_gap_ms(&self) -> Option<f64> {
        let gaps = self.chunk_ns.len().checked_sub(1).filter(|gaps| *gaps > 0)?;
        Some(ms(self.first_ns()?, *self.chunk_ns.last()?) / gaps as f64)
    }

    fn longest_gap_ms(&self) -> Option<f64> {
        self.gaps_ms().max_by(f64::total_cmp)
    }

    fn queue_ms(&self) -> f64 {
        ms(self.intended_ns, self.start_ns)
    }

    fn connect_ms(&self) -> Option<f64> {
        Some(ms(self.start_ns, self.sent_ns?))
    }
}

/// Steps from token to token. With fewer than two pieces the steps were not seen: their time would come out as 0.
fn steps(record: &Record) -> Option<f64> {
    let tokens = record.completion_tokens().filter(|tokens| *tokens >= 2)?;
    (record.chunk_ns.len() >= 2).then(|| f64::from(tokens - 1))
}

fn ms(from_ns: u64, to_ns: u64) -> f64 {
    (to_ns as f64 - from_ns as f64) / 1e6
}
