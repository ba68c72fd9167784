//! The file as a stream of blocks, decompressed by a thread of its own while another parses.

use std::io::{self, Read};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

/// Bytes of a block: large enough that handing it over costs nothing, small enough to stay in the cache.
const BLOCK: usize = 256 * 1024;
/// Room before a block for what is left of the one before it: longer than nearly every event.
const ROOM: usize = 64 * 1024;
/// Blocks under way. With the one in work they bound the memory.
const AHEAD: usize = 4;

/// A block: `ROOM` free bytes, then the data.
type Block = Vec<u8>;

/// The reading end.
pub struct Chunks {
    blocks: Receiver<io::Result<Block>>,
    used: SyncSender<Block>,
    window: Block,
    start: usize,
    /// Bytes that came so far.
    pub bytes: u64,
}

/// Runs `consume` on the blocks of `source`, which another thread reads.
pub fn with_chunks<T>(source: impl Read + Send, consume: impl FnOnce(&mut Chunks) -> T) -> T {
    let (send, blocks) = sync_channel(AHEAD);
    let (used, recycled) = sync_channel(AHEAD + 2);
    std::thread::scope(|scope| {
        scope.spawn(move || produce(source, &send, &recycled));
        let mut chunks = Chunks { blocks, used, window: Vec::new(), start: 0, bytes: 0 };
        // Dropping `chunks` at the end lets the other thread end too, wherever it is.
        consume(&mut chunks)
    })
}

fn produce(mut source: impl Read, send: &SyncSender<io::Result<Block>>, recycled: &Receiver<Block>) {
    loop {
        let mut block = recycled.try_recv().unwrap_or_default();
        block.resize(ROOM + BLOCK, 0);
        let result = fill(&mut source, &mut block[ROOM..]);
        let (len, error) = match result {
            Ok(len) => (len, None),
            Err((len, error)) => (len, Some(error)),
        };
        block.truncate(ROOM + len);
        let ended = len < BLOCK;
        if (len > 0 && send.send(Ok(block)).is_err())
            || error.is_some_and(|error| send.send(Err(error)).is_err())
            || ended
        {
            return;
        }
    }
}

/// Fills `into` as far as the source reaches. What came before an error counts.
fn fill(source: &mut impl Read, into: &mut [u8]) -> Result<usize, (usize, io::Error)> {
    let mut len = 0;
    while len < into.len() {
        match source.read(&mut into[len..]) {
            Ok(0) => break,
            Ok(more) => len += more,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err((len, error)),
        }
    }
    Ok(len)
}

impl Chunks {
    /// The bytes at hand.
    pub fn window(&self) -> &[u8] {
        &self.window[self.start..]
    }

    /// Where the window begins in the text.
    pub fn offset(&self) -> u64 {
        self.bytes - self.window().len() as u64
    }

    /// Gives up the first `len` bytes of the window.
    pub fn consume(&mut self, len: usize) {
        self.start += len;
    }

    /// Reads to the end without keeping anything.
    pub fn drain(&mut self) -> io::Result<()> {
        loop {
            self.start = self.window.len();
            if !self.more()? {
                return Ok(());
            }
        }
    }

    /// Adds the next block to the window; `false` at the end of the text.
    pub fn more(&mut self) -> io::Result<bool> {
        let Ok(block) = self.blocks.recv() else { return Ok(false) };
        let mut block = block?;
        self.bytes += (block.len() - ROOM) as u64;
        let left = self.window.len() - self.start;
        if left <= ROOM {
            block[ROOM - left..ROOM].copy_from_slice(&self.window[self.start..]);
            let used = std::mem::replace(&mut self.window, block);
            self.start = ROOM - left;
            // A full queue or a thread that has ended needs no block back.
            let _ = self.used.try_send(used);
        } else {
            self.window.drain(..self.start);
            self.start = 0;
            self.window.extend_from_slice(&block[ROOM..]);
        }
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use super::{BLOCK, with_chunks};

    #[test]
    fn every_byte_comes_once_whatever_is_left_each_time() {
        let data: Vec<u8> = (0..3 * BLOCK + 17).map(|index| (index % 251) as u8).collect();
        for step in [1000, 70_000, BLOCK - 1] {
            let copy = with_chunks(&data[..], |chunks| {
                let mut copy = Vec::new();
                while chunks.more().expect("memory") {
                    let keep = step.min(chunks.window().len());
                    let take = chunks.window().len() - keep;
                    copy.extend_from_slice(&chunks.window()[..take]);
                    assert_eq!(chunks.offset() as usize + take, copy.len());
                    chunks.consume(take);
                }
                copy.extend_from_slice(chunks.window());
                copy
            });
            assert!(copy == data, "step {step}");
        }
    }

    #[test]
    fn stopping_early_ends_the_reader() {
        let first = with_chunks(std::io::repeat(7), |chunks| {
            assert!(chunks.more().expect("endless"));
            chunks.window()[0]
        });
        assert_eq!(first, 7);
    }
}
