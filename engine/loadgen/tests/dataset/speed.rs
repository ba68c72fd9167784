//! How long the parts take that stand before a load's first request. Run with
//! `cargo test --release -p assay-loadgen --test dataset speed -- --ignored --nocapture`.

use crate::tokenizers::byte_level_of;
use assay_loadgen::dataset::{Dataset, Random, build};
use assay_loadgen::tokens::Tokenizer;
use rand::rngs::Xoshiro256PlusPlus;
use rand::{RngExt, SeedableRng};
use std::collections::HashMap;
use std::time::Instant;
use tokenizers::pre_tokenizers::byte_level::ByteLevel;

/// A byte-level BPE of `size` tokens: half of them words behind a blank, as in real vocabularies.
fn large(size: usize) -> tokenizers::Tokenizer {
    let mut rng = Xoshiro256PlusPlus::seed_from_u64(1);
    let mut letters: Vec<char> = ByteLevel::alphabet().into_iter().collect();
    letters.sort_unstable();
    let mut vocab: HashMap<String, u32> =
        letters.iter().zip(0..).map(|(letter, id)| (letter.to_string(), id)).collect();
    let mut inner: Vec<String> = ('a'..='z').map(String::from).collect();
    let mut outer: Vec<String> = vec!["\u{120}".into()];
    let mut merges = Vec::new();
    while vocab.len() < size {
        let side = if rng.random_bool(0.5) { &outer } else { &inner };
        let left = side[rng.random_range(0..side.len())].clone();
        let right = inner[rng.random_range(0..inner.len())].clone();
        let word = format!("{left}{right}");
        if word.len() > 14 || vocab.contains_key(&word) {
            continue;
        }
        vocab.insert(word.clone(), vocab.len() as u32);
        if word.starts_with('\u{120}') {
            outer.push(word)
        } else {
            inner.push(word)
        }
        merges.push((left, right));
    }
    byte_level_of(&vocab, &merges)
}

/// Milliseconds that the clock showed and that the processors worked.
fn timed<T>(work: impl FnOnce() -> T) -> (T, f64, f64) {
    let (clock, before) = (Instant::now(), worked_ms());
    let result = work();
    (result, clock.elapsed().as_secs_f64() * 1e3, worked_ms() - before)
}

fn worked_ms() -> f64 {
    let usage = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    usage.tv_sec as f64 * 1e3 + usage.tv_nsec as f64 / 1e6
}

#[test]
#[ignore = "measures; needs an optimised build and a quiet machine"]
fn loading_and_building() {
    let folder = tempfile::tempdir().expect("a folder");
    for size in [8_192, 131_072] {
        let file = folder.path().join(format!("{size}.json"));
        large(size).save(&file, false).expect("saved");
        let runs: Vec<_> = (0..7).map(|_| timed(|| Tokenizer::load(&file).expect("loaded"))).collect();
        let median = |mut values: Vec<f64>| {
            values.sort_by(f64::total_cmp);
            values[values.len() / 2]
        };
        let clock = median(runs.iter().map(|run| run.1).collect());
        let worked = median(runs.iter().map(|run| run.2).collect());
        println!("load {size} entries: {clock:.1} ms, {worked:.1} ms of work (medians of 7)");
        let tokenizer = &runs[0].0;
        assert_eq!(tokenizer.vocab_size() as usize, size);
        let workloads =
            [(1, 8, false), (80, 1000, false), (80, 8000, false), (1000, 1024, false), (1000, 1024, true)];
        for (num_prompts, input_len, as_ids) in workloads {
            let dataset = Dataset::Random(Random {
                num_prompts,
                input_len,
                output_len: 16,
                range_ratio: 1.0,
                vocab_size: None,
            });
            let (built, clock, worked) =
                timed(|| build(&dataset, 1, Some(tokenizer), as_ids).expect("built"));
            assert_eq!(built.requests.len(), num_prompts as usize);
            println!(
                "{size}: {num_prompts} prompts of {input_len} tokens, ids {as_ids}: {clock:.1} ms, {worked:.1} ms of work"
            );
        }
    }
}
