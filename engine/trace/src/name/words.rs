//! Names as sequences of words, and the search for a word or a phrase in them.
//!
//! Substring search is what made `quant` hit `unquant.py` and `gemm` hit `gemma`; nothing in this crate searches names
//! for raw substrings.

use std::ops::Range;

/// A squeezed phrase shorter than this only matches the words it is written with: `bn` must not hit `b` + `N`.
const SHORTEST_SQUEEZED: usize = 4;

/// The lower-case words of a text, split at every character that is neither letter nor digit, between letters and
/// digits, and at camel case. `FlashAttnFwdSm90` gives `flash`, `attn`, `fwd`, `sm`, `90`.
pub fn words(text: &str) -> impl Iterator<Item = String> + '_ {
    spans(text).into_iter().map(|span| text[span].to_lowercase())
}

/// A text cut into words once, to be searched many times.
#[derive(Debug, Clone, Default)]
pub struct Words {
    words: Vec<String>,
    spans: Vec<Range<usize>>,
}

impl Words {
    /// Cuts `text`.
    pub fn new(text: &str) -> Self {
        let spans = spans(text);
        let words = spans.iter().map(|span| text[span.clone()].to_lowercase()).collect();
        Self { words, spans }
    }

    /// The lower-case words, in order.
    pub fn as_slice(&self) -> &[String] {
        &self.words
    }

    /// Where `phrase` stands, as a byte range of the text that was cut: its words in a row, or, for phrases of four
    /// characters and more, any run of whole words that spells the same letters (`rmsnorm` finds `RMSNorm` and `rms_norm`).
    pub fn find(&self, phrase: &Words) -> Option<Range<usize>> {
        let squeezed = phrase.words.concat();
        if squeezed.is_empty() {
            return None;
        }
        let count = phrase.words.len();
        for start in 0..self.words.len() {
            let end = if squeezed.len() >= SHORTEST_SQUEEZED {
                self.run(start, &squeezed)
            } else {
                self.words[start..].starts_with(&phrase.words).then(|| start + count)
            };
            if let Some(end) = end {
                return Some(self.spans[start].start..self.spans[end - 1].end);
            }
        }
        None
    }

    /// The end of the run of whole words from `start` that spells `squeezed`.
    fn run(&self, start: usize, squeezed: &str) -> Option<usize> {
        let mut rest = squeezed;
        for (index, word) in self.words.iter().enumerate().skip(start) {
            rest = rest.strip_prefix(word.as_str())?;
            if rest.is_empty() {
                return Some(index + 1);
            }
        }
        None
    }

    /// Whether a pattern of the rule tables hits: `quant*` is the start of a word, `*gemm` the end of one, anything else
    /// a phrase.
    pub(crate) fn hits(&self, pattern: &str) -> bool {
        if let Some(head) = pattern.strip_suffix('*') {
            self.words.iter().any(|word| word.starts_with(head))
        } else if let Some(tail) = pattern.strip_prefix('*') {
            self.words.iter().any(|word| word.ends_with(tail))
        } else {
            self.find(&Words::new(pattern)).is_some()
        }
    }

    /// Whether any of the patterns hits.
    pub(crate) fn any(&self, patterns: &[&str]) -> bool {
        patterns.iter().any(|pattern| self.hits(pattern))
    }
}

/// What a character is to the splitter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Class {
    Lower,
    Upper,
    Digit,
    Gap,
}

fn class(character: char) -> Class {
    match character {
        c if c.is_ascii_digit() => Class::Digit,
        c if c.is_uppercase() => Class::Upper,
        c if c.is_alphabetic() => Class::Lower,
        _ => Class::Gap,
    }
}

/// The byte ranges of the words.
fn spans(text: &str) -> Vec<Range<usize>> {
    let characters: Vec<(usize, Class)> = text.char_indices().map(|(at, c)| (at, class(c))).collect();
    let mut spans = Vec::new();
    let mut start = None;
    for (index, &(at, this)) in characters.iter().enumerate() {
        if this == Class::Gap {
            spans.extend(start.take().map(|from| from..at));
            continue;
        }
        let before = index.checked_sub(1).map_or(Class::Gap, |before| characters[before].1);
        let after = characters.get(index + 1).map_or(Class::Gap, |next| next.1);
        let cut = match (before, this) {
            (Class::Gap, _) => false,
            (Class::Digit, Class::Digit) => false,
            (Class::Digit, _) | (_, Class::Digit) => true,
            (Class::Lower, Class::Upper) => true,
            (Class::Upper, Class::Upper) => after == Class::Lower,
            _ => false,
        };
        if cut {
            spans.extend(start.take().map(|from| from..at));
        }
        start.get_or_insert(at);
    }
    spans.extend(start.map(|from| from..text.len()));
    spans
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn splits_at_underscores_digits_and_camel_case() {
        for (text, expected) in [
            ("FlashAttnFwdSm90", "flash attn fwd sm 90"),
            ("fused_qknorm_warp", "fused qknorm warp"),
            ("BatchPrefillWithPagedKVCacheKernel", "batch prefill with paged kv cache kernel"),
            ("flashinfer::norm::FusedAddRMSNormKernel", "flashinfer norm fused add rms norm kernel"),
            ("splitKreduce_kernel", "split kreduce kernel"),
            ("layers/quantization/unquant.py", "layers quantization unquant py"),
            ("nvfp4", "nvfp 4"),
            ("", ""),
            ("___", ""),
            ("größeÄnderung", "größe änderung"),
        ] {
            assert_eq!(words(text).collect::<Vec<_>>().join(" "), expected, "{text}");
        }
    }

    #[test]
    fn a_phrase_matches_whole_words_only() {
        for (text, phrase, found) in [
            ("RMSNormKernel", "rmsnorm", Some("RMSNorm")),
            ("vllm::rms_norm_kernel", "rmsnorm", Some("rms_norm")),
            ("layers/quantization/unquant.py", "quant", None),
            ("gemma_rmsnorm", "gemm", None),
            ("bmm_biasM_bN_tma", "bn", None),
            ("per_token_group_quant_8bit", "group_quant", Some("group_quant")),
            ("scaled_fp8_quant", "fp8", Some("fp8")),
            ("kv_cache", "KVCache", Some("kv_cache")),
            ("anything", "", None),
        ] {
            let range = Words::new(text).find(&Words::new(phrase));
            assert_eq!(range.map(|range| &text[range]), found, "`{phrase}` in `{text}`");
        }
    }

    #[test]
    fn patterns_know_the_ends_of_words() {
        let words = Words::new("ampere_sgemm_64x64_quantize");
        assert!(words.hits("*gemm") && words.hits("quant*") && words.hits("sgemm"));
        assert!(!words.hits("gemm") && !words.hits("*quant"));
    }
}
