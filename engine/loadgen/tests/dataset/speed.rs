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

#[test]
#[ignore = "measures; needs an optimised build and a quiet machine"]
fn loading_and_building() {
    let folder = tempfile::tempdir().expect("a folder");
    for size in [8_192, 131_072] {
        let file = folder.path().join(format!("{size}.json"));
        large(size).save(&file, false).expect("saved");
        let mut times: Vec<f64> = Vec::new();
        for _ in 0..7 {
            let start = Instant::now();
            let tokenizer = Tokenizer::load(&file).expect("loaded");
            times.push(start.elapsed().as_secs_f64() * 1e3);
            assert_eq!(tokenizer.vocab_size() as usize, size);
        }
        times.sort_by(f64::total_cmp);
        println!("load {size} entries: {:.1} ms (median of 7; {:.1} to {:.1})", times[3], times[0], times[6]);
        let tokenizer = Tokenizer::load(&file).expect("loaded");
        for (num_prompts, input_len, as_ids) in
            [(1, 8, false), (80, 1000, false), (80, 8000, false), (1000, 1024, false), (1000, 1024, true)]
        {
            let dataset = Dataset::Random(Random {
                num_prompts,
                input_len,
                output_len: 16,
                range_ratio: 1.0,
                vocab_size: None,
            });
            let start = Instant::now();
            let built = build(&dataset, 1, Some(&tokenizer), as_ids).expect("built");
            let time = start.elapsed().as_secs_f64() * 1e3;
            assert_eq!(built.requests.len(), num_prompts as usize);
            println!("{size}: {num_prompts} prompts of {input_len} tokens, ids {as_ids}: {time:.1} ms");
        }
    }
}
