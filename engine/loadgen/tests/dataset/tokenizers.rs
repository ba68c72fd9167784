//! Tokenizers of the kinds that models use, made here: trained on invented words, saved, and loaded as a user's would be.

use assay_loadgen::tokens::Tokenizer;
use rand::rngs::Xoshiro256PlusPlus;
use rand::{RngExt, SeedableRng};
use serde_json::json;
use std::collections::HashMap;
use std::sync::LazyLock;
use tokenizers::decoders::DecoderWrapper;
use tokenizers::models::TrainerWrapper;
use tokenizers::models::bpe::{BPE, BpeTrainer};
use tokenizers::models::wordlevel::{WordLevel, WordLevelTrainer};
use tokenizers::models::wordpiece::{WordPiece, WordPieceTrainer};
use tokenizers::normalizers::{BertNormalizer, NormalizerWrapper, Prepend, Replace, Sequence};
use tokenizers::pre_tokenizers::bert::BertPreTokenizer;
use tokenizers::pre_tokenizers::byte_level::ByteLevel;
use tokenizers::pre_tokenizers::metaspace::{Metaspace, PrependScheme};
use tokenizers::pre_tokenizers::whitespace::Whitespace;
use tokenizers::processors::template::TemplateProcessing;
use tokenizers::{AddedToken, TruncationParams};

type Raw = tokenizers::Tokenizer;

/// A tokenizer as the crate under test sees it, and as the library does (without the cutting that its file asks for).
pub struct Case {
    pub name: &'static str,
    pub ours: Tokenizer,
    pub raw: Raw,
}

impl Case {
    fn new(name: &'static str, mut raw: Raw) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        raw.save(folder.path().join("tokenizer.json"), false).expect("saved");
        let ours = Tokenizer::load(folder.path()).expect("loaded");
        raw.with_truncation(None).expect("set");
        Self { name, ours, raw }
    }

    /// Token ids by the library itself.
    pub fn ids(&self, text: &str) -> Vec<u32> {
        self.raw.encode(text, false).expect("encoded").get_ids().to_vec()
    }
}

/// One of each kind.
pub static ALL: LazyLock<Vec<Case>> = LazyLock::new(|| {
    vec![
        Case::new("byte-level BPE", byte_level(2000)),
        Case::new("word level", word_level()),
        Case::new("word piece", word_piece()),
        Case::new("BPE with metaspace", metaspace()),
        Case::new("BPE without pre-tokenizer", prepended()),
        Case::new("bytes alone", bytes_alone()),
    ]
});

/// The one that most models use.
pub fn bpe() -> &'static Case {
    &ALL[0]
}

/// Lines of invented words, some frequent, some rare, some with capitals and commas.
fn corpus() -> Vec<String> {
    let mut rng = Xoshiro256PlusPlus::seed_from_u64(7);
    let syllables =
        ["ka", "mi", "ton", "re", "shi", "lo", "ban", "du", "ne", "fer", "qui", "o", "a", "pa", "gl", "st"];
    let words: Vec<String> = (0..1500)
        .map(|_| {
            (0..rng.random_range(1..4)).map(|_| syllables[rng.random_range(0..syllables.len())]).collect()
        })
        .collect();
    (0..1500)
        .map(|_| {
            let line: Vec<String> = (0..12)
                .map(|_| {
                    let most = rng.random_range(1..words.len());
                    let word = &words[rng.random_range(0..most)];
                    match rng.random_range(0..12) {
                        0 => format!("{word},"),
                        1 => word.to_uppercase(),
                        _ => word.clone(),
                    }
                })
                .collect();
            line.join(" ")
        })
        .collect()
}

fn train(raw: &mut Raw, trainer: impl Into<TrainerWrapper>) {
    raw.train(&mut trainer.into(), corpus().into_iter()).expect("trained");
}

fn special(words: &[&str]) -> Vec<AddedToken> {
    words.iter().map(|word| AddedToken::from(*word, true)).collect()
}

/// As GPT-2, Llama 3 and Qwen do it. Its file asks for texts to be cut, which must not happen to prompts.
pub fn byte_level(vocab_size: usize) -> Raw {
    let mut raw = Raw::new(BPE::default());
    raw.with_pre_tokenizer(Some(ByteLevel::default().add_prefix_space(false)));
    raw.with_decoder(Some(ByteLevel::default()));
    let trainer = BpeTrainer::builder()
        .show_progress(false)
        .vocab_size(vocab_size)
        .special_tokens(special(&["<s>", "</s>", "<pad>"]))
        .initial_alphabet(ByteLevel::alphabet().into_iter().collect())
        .build();
    train(&mut raw, trainer);
    raw.with_truncation(Some(TruncationParams { max_length: 16, ..TruncationParams::default() }))
        .expect("set");
    raw
}

fn word_level() -> Raw {
    let mut raw = Raw::new(WordLevel::builder().unk_token("<unk>".into()).build().expect("a model"));
    raw.with_pre_tokenizer(Some(Whitespace {}));
    let trainer = WordLevelTrainer::builder()
        .show_progress(false)
        .special_tokens(special(&["<unk>"]))
        .build()
        .expect("a trainer");
    train(&mut raw, trainer);
    raw
}

/// As BERT does it: lower case, pieces, and a token put before every text, which is not the prompt's.
fn word_piece() -> Raw {
    let model = WordPiece::builder().unk_token("[UNK]".into()).build().expect("a model");
    let mut raw = Raw::new(model);
    raw.with_normalizer(Some(BertNormalizer::default())).expect("set");
    raw.with_pre_tokenizer(Some(BertPreTokenizer));
    raw.with_decoder(Some(tokenizers::decoders::wordpiece::WordPiece::default()));
    let trainer = WordPieceTrainer::builder()
        .show_progress(false)
        .vocab_size(600)
        .special_tokens(special(&["[UNK]", "[CLS]"]))
        .build();
    train(&mut raw, trainer);
    let template = TemplateProcessing::builder()
        .try_single("[CLS] $A")
        .expect("a template")
        .special_tokens(vec![("[CLS]", raw.token_to_id("[CLS]").expect("an id"))])
        .build()
        .expect("a template");
    raw.with_post_processor(Some(template));
    raw
}

fn metaspace() -> Raw {
    let mut raw = Raw::new(BPE::default());
    let space = || Metaspace::new('\u{2581}', PrependScheme::Always, true);
    raw.with_pre_tokenizer(Some(space()));
    raw.with_decoder(Some(DecoderWrapper::Metaspace(space())));
    let trainer =
        BpeTrainer::builder().show_progress(false).vocab_size(900).special_tokens(special(&["<s>"])).build();
    train(&mut raw, trainer);
    raw
}

/// As Llama 2 does it: words are not split before merging.
fn prepended() -> Raw {
    let mut raw = metaspace();
    raw.with_pre_tokenizer(None::<Metaspace>);
    let steps = vec![
        NormalizerWrapper::Prepend(Prepend::new("\u{2581}".into())),
        NormalizerWrapper::Replace(Replace::new(" ", "\u{2581}").expect("a pattern")),
    ];
    raw.with_normalizer(Some(Sequence::new(steps))).expect("set");
    raw
}

/// One token per byte: a blank costs a token of its own.
fn bytes_alone() -> Raw {
    let mut alphabet: Vec<char> = ByteLevel::alphabet().into_iter().collect();
    alphabet.sort_unstable();
    let vocab = alphabet.iter().zip(0..).map(|(letter, id)| (letter.to_string(), id)).collect();
    byte_level_of(&vocab, &[])
}

/// A byte-level BPE of given tokens and merges.
pub fn byte_level_of(vocab: &HashMap<String, u32>, merges: &[(String, String)]) -> Raw {
    let model = json!({"type": "BPE", "vocab": vocab, "merges": merges});
    let model: BPE = serde_json::from_str(&model.to_string()).expect("a model");
    let mut raw = Raw::new(model);
    raw.with_pre_tokenizer(Some(ByteLevel::default().add_prefix_space(false)));
    raw.with_decoder(Some(ByteLevel::default()));
    raw
}
