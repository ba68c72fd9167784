//! Conversations of several turns, and the tokenizer's own answers.

use crate::tokenizers::{ALL, bpe};
use assay_loadgen::dataset::{Dataset, MultiTurn, build};
use assay_loadgen::tokens::Tokenizer;
use assay_loadgen::{LoadError, Prompt, Role};
use std::fs;

#[test]
fn turns_follow_each_other() {
    let dataset = Dataset::MultiTurn(MultiTurn {
        conversations: 5,
        turns: 3,
        first_len: 30,
        turn_len: 10,
        output_len: 7,
    });
    let built = build(&dataset, 1, Some(&bpe().ours), false).expect("built");
    assert_eq!(built.requests.len(), 15);
    for (index, request) in (0u32..).zip(&built.requests) {
        let Prompt::Messages(messages) = &request.prompt else { panic!("no messages") };
        assert_eq!((messages.len(), messages[0].role), (1, Role::User));
        let len = if index < 5 { 30 } else { 10 };
        assert_eq!(bpe().ids(&messages[0].content).len(), len);
        assert_eq!(request.follows, index.checked_sub(5));
        assert_eq!(request.keep_answer, index < 10);
        assert_eq!(request.input_len, (index < 5).then_some(30));
        assert_eq!(request.output_len, 7);
    }
    let input = built.lengths.input.expect("planned");
    assert_eq!((input.p50, input.max, input.total), (47.0, 64, 5 * (30 + 47 + 64)));
    let error = build(&dataset, 1, Some(&bpe().ours), true).expect_err("no ids");
    assert!(error.to_string().contains("cannot be token ids"), "{error}");
}

#[test]
fn the_digest_sees_turns_and_limits() {
    let dataset = MultiTurn { conversations: 4, turns: 2, first_len: 9, turn_len: 9, output_len: 7 };
    let digest = |dataset| build(&dataset, 1, Some(&bpe().ours), false).expect("built").digest;
    let one = digest(Dataset::MultiTurn(dataset.clone()));
    assert_eq!(one.len(), 64);
    assert_ne!(one, digest(Dataset::MultiTurn(MultiTurn { output_len: 8, ..dataset.clone() })));
    assert_ne!(one, digest(Dataset::MultiTurn(MultiTurn { conversations: 8, turns: 1, ..dataset })));
}

#[test]
fn counts_are_those_of_the_text_alone() {
    for case in ALL.iter() {
        let text = "kami ton reshi lo ban";
        let ids = case.ours.encode(text).expect("encoded");
        assert_eq!(ids, case.ids(text), "{}", case.name);
        assert_eq!(case.ours.count(text).expect("counted") as usize, ids.len());
        assert_eq!(case.ours.vocab_size() as usize, case.raw.get_vocab_size(true));
    }
    let long = "kami ".repeat(500);
    assert!(bpe().ours.count(&long).expect("counted") > 500, "its file cuts texts at 16 tokens");
    let round = bpe().ours.encode("ton ban, LO").and_then(|ids| bpe().ours.decode(&ids)).expect("decoded");
    assert_eq!(round, "ton ban, LO");
}

#[test]
fn a_tokenizer_is_a_file_or_a_folder() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("tokenizer.json");
    bpe().raw.save(&file, false).expect("saved");
    let (one, two) =
        (Tokenizer::load(&file).expect("loaded"), Tokenizer::load(folder.path()).expect("loaded"));
    assert_eq!(one.digest(), two.digest());
    assert_eq!(one.digest(), blake3::hash(&fs::read(&file).expect("read")).to_hex().as_str());
    assert_eq!(two.path(), file);
}

#[test]
fn a_tokenizer_that_cannot_be_used_says_why() {
    let folder = tempfile::tempdir().expect("a folder");
    let error = Tokenizer::load(folder.path()).expect_err("nothing there");
    assert!(error.to_string().contains("is a folder without a `tokenizer.json`"), "{error}");
    let error = Tokenizer::load(&folder.path().join("gone")).expect_err("nothing there");
    assert!(matches!(error, LoadError::Io { .. }), "{error}");
    let file = folder.path().join("tokenizer.json");
    for damaged in ["", "{", "[]", "{\"model\": 3}", "\u{feff}", &"[".repeat(1_000_000)] {
        fs::write(&file, damaged).expect("written");
        let error = Tokenizer::load(&file).expect_err("damaged");
        assert!(matches!(error, LoadError::Tokenizer { .. }), "{error}");
        assert!(error.to_string().contains("give the model's own `tokenizer.json`"), "{error}");
    }
    let whole = bpe().raw.to_string(false).expect("JSON");
    fs::write(&file, whole.replacen("\"dropout\":null", "\"dropout\":0.1", 1)).expect("written");
    let error = Tokenizer::load(&file).expect_err("random counts");
    assert!(error.to_string().contains("`dropout`"), "{error}");
}
