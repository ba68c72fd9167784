//! Lengths are exact, beginnings differ, everything repeats.

use crate::tokenizers::{ALL, Case, bpe};
use assay_loadgen::dataset::{Built, Dataset, Random, SharedPrefix, build};
use assay_loadgen::{LoadError, Prompt};
use proptest::prelude::*;
use std::collections::HashSet;

fn random(num_prompts: u32, input_len: u32) -> Random {
    Random { num_prompts, input_len, output_len: 8, range_ratio: 1.0, vocab_size: None }
}

fn built(dataset: Random, seed: u64, case: &Case) -> Built {
    build(&Dataset::Random(dataset), seed, Some(&case.ours), false).expect("built")
}

fn text(prompt: &Prompt) -> &str {
    match prompt {
        Prompt::Text(text) => text,
        other => panic!("{other:?} is not a text"),
    }
}

/// The prompts as ids, by the library's own encoding.
fn encoded(built: &Built, case: &Case) -> Vec<Vec<u32>> {
    built.requests.iter().map(|request| case.ids(text(&request.prompt))).collect()
}

/// The longest beginning that two of them share, in tokens.
fn longest_common(mut prompts: Vec<Vec<u32>>) -> usize {
    prompts.sort_unstable();
    let common = |pair: &[Vec<u32>]| pair[0].iter().zip(&pair[1]).take_while(|(a, b)| a == b).count();
    prompts.windows(2).map(common).max().unwrap_or(0)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_prompt_has_exactly_its_tokens(len in 1u32..=4096, seed: u64) {
        for case in ALL.iter() {
            let built = built(random(2, len), seed, case);
            for (request, ids) in built.requests.iter().zip(encoded(&built, case)) {
                prop_assert_eq!(ids.len(), len as usize, "{}", case.name);
                prop_assert_eq!(request.input_len, Some(len));
            }
        }
    }
}

#[test]
fn short_prompts_are_exact_too() {
    for case in ALL.iter() {
        for len in 1..=40 {
            let lengths: Vec<usize> =
                encoded(&built(random(3, len), 1, case), case).iter().map(Vec::len).collect();
            assert_eq!(lengths, [len as usize; 3], "{}", case.name);
        }
    }
}

#[test]
fn no_page_of_a_prefix_cache_is_hit() {
    for case in ALL.iter() {
        let built = built(random(1500, 24), 3, case);
        let common = longest_common(encoded(&built, case));
        assert!(common < 4, "{}: two prompts share {common} tokens", case.name);
        let used: HashSet<u32> = encoded(&built, case).concat().into_iter().collect();
        assert!(used.len() >= 20, "{}: only {} different tokens", case.name, used.len());
    }
}

#[test]
fn another_seed_asks_something_else() {
    for case in ALL.iter() {
        let (one, two) = (built(random(200, 24), 1, case), built(random(200, 24), 2, case));
        assert_ne!(one.digest, two.digest);
        let both = [encoded(&one, case), encoded(&two, case)].concat();
        assert!(longest_common(both) < 16, "{}", case.name);
    }
}

#[test]
fn the_same_seed_asks_the_same() {
    for case in ALL.iter() {
        assert_eq!(built(random(50, 100), 9, case), built(random(50, 100), 9, case), "{}", case.name);
    }
}

#[test]
fn a_longer_workload_begins_like_a_shorter_one() {
    let first = &built(random(20, 50), 4, bpe()).requests[..];
    assert_eq!(&built(random(40, 50), 4, bpe()).requests[..20], first);
}

#[test]
fn lengths_spread_between_the_ratio_and_one() {
    let dataset = Random { range_ratio: 0.5, output_len: 20, ..random(2000, 10) };
    let built = built(dataset, 1, bpe());
    let inputs: HashSet<u32> = built.requests.iter().filter_map(|request| request.input_len).collect();
    let outputs: HashSet<u32> = built.requests.iter().map(|request| request.output_len).collect();
    assert_eq!(inputs, (5..=10).collect());
    assert_eq!(outputs, (10..=20).collect());
    let input = built.lengths.input.expect("counted");
    assert!((7.0..=8.0).contains(&input.p50), "{}", input.p50);
    assert_eq!((input.p95, input.max), (10.0, 10));
    assert_eq!(input.total, built.requests.iter().filter_map(|r| r.input_len).map(u64::from).sum::<u64>());
    for (request, ids) in built.requests.iter().zip(encoded(&built, bpe())) {
        assert_eq!(request.input_len, Some(ids.len() as u32));
    }
}

#[test]
fn ids_are_plain_tokens_and_differ_at_once() {
    let built = build(&Dataset::Random(random(1500, 32)), 1, Some(&bpe().ours), true).expect("built");
    let ids: Vec<Vec<u32>> = built
        .requests
        .iter()
        .map(|request| match &request.prompt {
            Prompt::Ids(ids) => ids.clone(),
            other => panic!("{other:?} are not ids"),
        })
        .collect();
    assert!(ids.iter().all(|ids| ids.len() == 32));
    assert!(ids.iter().flatten().all(|id| (3..bpe().ours.vocab_size()).contains(id)), "a special token");
    assert_eq!(longest_common(ids), 0);
}

#[test]
fn ids_without_a_tokenizer_stay_away_from_the_ends_of_the_vocabulary() {
    let dataset = Random { vocab_size: Some(1600), ..random(50, 200) };
    let built = build(&Dataset::Random(dataset), 1, None, true).expect("built");
    for request in &built.requests {
        let Prompt::Ids(ids) = &request.prompt else { panic!("no ids") };
        assert!(ids.len() == 200 && ids.iter().all(|id| (100..1500).contains(id)));
    }
}

#[test]
fn what_is_missing_is_said() {
    let message = |dataset, as_ids| {
        let error = build(&Dataset::Random(dataset), 1, None, as_ids).expect_err("refused");
        assert!(matches!(error, LoadError::Config(_)));
        error.to_string()
    };
    assert!(
        message(random(1, 8), false)
            .contains("give its `tokenizer.json`, or send token ids with `vocab_size`")
    );
    assert!(message(random(1, 8), true).contains("`tokenizer.json` or `vocab_size`"));
    assert!(message(random(0, 8), true).contains("`num_prompts` is 0; it must be from 1"));
    assert!(message(random(1, 0), true).contains("`input_len` is 0"));
    assert!(message(Random { output_len: 0, ..random(1, 8) }, true).contains("`output_len` is 0"));
    assert!(message(Random { range_ratio: 1.5, ..random(1, 8) }, true).contains("`range_ratio` is 1.5"));
    assert!(message(Random { range_ratio: f64::NAN, ..random(1, 8) }, true).contains("`range_ratio` is NaN"));
    assert!(message(Random { vocab_size: Some(1), ..random(1, 8) }, true).contains("larger `vocab_size`"));
    assert!(message(random(1_000_000, 100_000_000), true).contains("send fewer or shorter"));
}

#[test]
fn groups_share_their_beginning_and_nothing_else() {
    let dataset = SharedPrefix {
        groups: 6,
        prompts_per_group: 40,
        prefix_len: 50,
        question_len: 20,
        output_len: 4,
        vocab_size: None,
    };
    for case in ALL.iter() {
        let dataset = Dataset::SharedPrefix(dataset.clone());
        let built = build(&dataset, 5, Some(&case.ours), false).expect("built");
        let prompts = encoded(&built, case);
        assert!(prompts.iter().all(|ids| ids.len() == 70), "{}", case.name);
        let prefixes: HashSet<&[u32]> = prompts.iter().map(|ids| &ids[..50]).collect();
        assert_eq!(prefixes.len(), 6, "{}", case.name);
        assert!(longest_common(prefixes.iter().map(|ids| ids.to_vec()).collect()) < 4, "{}", case.name);
        for prefix in &prefixes {
            let questions: Vec<Vec<u32>> =
                prompts.iter().filter(|ids| ids.starts_with(prefix)).map(|ids| ids[50..].to_vec()).collect();
            assert_eq!(questions.len(), 40, "{}", case.name);
            assert!(longest_common(questions) < 4, "{}", case.name);
        }
        let order: Vec<&[u32]> = prompts.iter().map(|ids| &ids[..50]).collect();
        assert!(order.windows(2).filter(|pair| pair[0] != pair[1]).count() > 100, "groups are not mixed");
    }
}
