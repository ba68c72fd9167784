//! Replaces secrets in a stream, and finds them in files.
//!
//! [`Masker`] is a pure function of the bytes: how they are cut into reads changes nothing. It knows neither files nor
//! processes.

use crate::forms::forms_of;
use aho_corasick::AhoCorasick;
use std::io::{self, Read};
use std::sync::Arc;

/// What stands in the place of a secret.
pub const MASK: &[u8] = b"***";

/// Secret values, prepared for the search. Clones share the tables.
#[derive(Clone)]
pub struct Secrets {
    search: Arc<AhoCorasick>,
    /// Sorted, to tell whether the end of a read may be the begin of a form.
    forms: Arc<Vec<Vec<u8>>>,
    longest: usize,
}

impl std::fmt::Debug for Secrets {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Secrets").field("forms", &self.forms.len()).finish_non_exhaustive()
    }
}

impl Secrets {
    /// Prepares all forms of these values; empty ones are left out. Fails only beyond the automaton's size (gigabytes).
    pub fn new<T: AsRef<[u8]>>(values: impl IntoIterator<Item = T>) -> io::Result<Self> {
        let mut forms: Vec<Vec<u8>> = values.into_iter().flat_map(|value| forms_of(value.as_ref())).collect();
        forms.sort();
        forms.dedup();
        let search = AhoCorasick::new(&forms).map_err(io::Error::other)?;
        let longest = forms.iter().map(Vec::len).max().unwrap_or(0);
        Ok(Self { search: Arc::new(search), forms: Arc::new(forms), longest })
    }

    /// A masker for one stream.
    pub fn masker(&self) -> Masker {
        Masker { secrets: self.clone(), pending: Vec::new(), covered: 0, in_mask: false, masked: 0 }
    }

    /// Whether any form of any secret stands in what the reader gives, for declared files.
    pub fn found_in(&self, reader: impl Read) -> io::Result<bool> {
        Ok(self.search.stream_find_iter(reader).next().transpose()?.is_some())
    }

    /// Where the last bytes of `text` may be the begin of a form; its length if nowhere.
    fn open_end(&self, text: &[u8]) -> usize {
        let first = (text.len() + 1).saturating_sub(self.longest);
        (first..text.len()).find(|at| self.begins_a_form(&text[*at..])).unwrap_or(text.len())
    }

    fn begins_a_form(&self, text: &[u8]) -> bool {
        let at = self.forms.partition_point(|form| form.as_slice() < text);
        self.forms.get(at).is_some_and(|form| form.starts_with(text))
    }
}

/// Masks one stream. Overlapping finds are covered together, so not even a part of a secret is left.
#[derive(Debug)]
pub struct Masker {
    secrets: Secrets,
    /// Bytes that a later find may still cover.
    pending: Vec<u8>,
    /// How many of them an earlier find covers already.
    covered: usize,
    /// Whether the last byte given out stood for a secret: finds that touch give one mask.
    in_mask: bool,
    masked: u64,
}

impl Masker {
    /// Takes the next bytes and appends to `out` what is certain by now.
    pub fn push(&mut self, chunk: &[u8], out: &mut Vec<u8>) {
        self.pending.extend_from_slice(chunk);
        let limit = self.secrets.open_end(&self.pending);
        self.give(limit, out);
    }

    /// Ends the stream: gives out what was kept back.
    pub fn finish(&mut self, out: &mut Vec<u8>) {
        self.give(self.pending.len(), out);
    }

    /// How many masks were written.
    pub fn masked(&self) -> u64 {
        self.masked
    }

    fn give(&mut self, limit: usize, out: &mut Vec<u8>) {
        if limit == 0 {
            return;
        }
        let finds = self.finds();
        let mut at = 0;
        let mut covered = 0;
        for (start, end) in finds {
            if start >= limit {
                break;
            }
            self.plain(at, start, out);
            if !self.in_mask {
                out.extend_from_slice(MASK);
                self.masked += 1;
                self.in_mask = true;
            }
            at = end.min(limit);
            covered = end - at;
        }
        self.plain(at, limit, out);
        self.pending.drain(..limit);
        self.covered = covered;
    }

    fn plain(&mut self, from: usize, to: usize, out: &mut Vec<u8>) {
        if from < to {
            out.extend_from_slice(&self.pending[from..to]);
            self.in_mask = false;
        }
    }

    /// Covered ranges of the pending bytes, in order, apart from each other.
    fn finds(&self) -> Vec<(usize, usize)> {
        let mut ranges: Vec<(usize, usize)> = Vec::new();
        if self.covered > 0 {
            ranges.push((0, self.covered));
        }
        // They come by their ends, so only the last ranges can meet a new one.
        for find in self.secrets.search.find_overlapping_iter(&self.pending) {
            let (mut start, mut end) = (find.start(), find.end());
            while let Some((last_start, last_end)) = ranges.pop_if(|last| last.1 >= start) {
                start = start.min(last_start);
                end = end.max(last_end);
            }
            ranges.push((start, end));
        }
        ranges
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn mask_in(secrets: &Secrets, text: &[u8], cuts: &[usize]) -> Vec<u8> {
        let (mut masker, mut out, mut rest) = (secrets.masker(), Vec::new(), text);
        for cut in cuts {
            let (chunk, tail) = rest.split_at((*cut).min(rest.len()));
            masker.push(chunk, &mut out);
            rest = tail;
        }
        masker.push(rest, &mut out);
        masker.finish(&mut out);
        out
    }

    #[test]
    fn every_form_is_masked_at_every_cut() {
        let values = [
            "s3cr3t \"pass'word\\/ü",
            "-----BEGIN-----\nMIIEvQIBADANBgkq\nhkiG9w0BAQEFAASC\n-----END-----\n",
        ];
        let secrets = Secrets::new(values).unwrap();
        for form in secrets.forms.iter() {
            let text = [b"<<", form.as_slice(), b">>"].concat();
            for cut in 0..=text.len() {
                let shown = String::from_utf8_lossy(form).into_owned();
                assert_eq!(mask_in(&secrets, &text, &[cut]), b"<<***>>", "{shown} cut at {cut}");
            }
        }
    }

    #[test]
    fn nothing_is_kept_back_that_cannot_become_a_secret() {
        let secrets = Secrets::new(["hunter2-hunter2"]).unwrap();
        let (mut masker, mut out) = (secrets.masker(), Vec::new());
        masker.push(b"ready\nhunt", &mut out);
        assert_eq!(out, b"ready\n");
        masker.push(b"ing\n", &mut out);
        assert_eq!(out, b"ready\nhunting\n");
    }

    #[test]
    fn overlapping_secrets_leave_no_rest() {
        let secrets = Secrets::new(["abcdefgh1234", "1234ijklmnop"]).unwrap();
        assert_eq!(mask_in(&secrets, b"x abcdefgh1234ijklmnop y", &[5, 6, 7]), b"x *** y");
        assert_eq!(mask_in(&secrets, b"x abcdefgh1234abcdefgh1234 y", &[]), b"x *** y");
    }

    #[test]
    fn files_are_searched_across_buffers() {
        let secrets = Secrets::new(["s3cr3t-T0ken"]).unwrap();
        let mut text = vec![b'.'; 200_000];
        assert!(!secrets.found_in(text.as_slice()).unwrap());
        for at in [0, 65_530, 131_066, 199_988] {
            text.fill(b'.');
            text[at..at + 12].copy_from_slice(b"s3cr3t-T0ken");
            assert!(secrets.found_in(text.as_slice()).unwrap(), "at {at}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(200))]

        #[test]
        fn cuts_change_nothing_and_no_form_survives(
            values in prop::collection::vec("[abA1 '\"\\\\/%\n]{8,12}", 1..3),
            picks in prop::collection::vec((0..10_000_usize, "[abA1 ]{0,3}"), 0..6),
            cuts in prop::collection::vec(0..40_usize, 0..12),
        ) {
            let secrets = Secrets::new(&values).unwrap();
            let mut text = Vec::new();
            for (pick, filler) in &picks {
                text.extend_from_slice(filler.as_bytes());
                text.extend_from_slice(&secrets.forms[pick % secrets.forms.len()]);
            }
            let whole = mask_in(&secrets, &text, &[]);
            prop_assert_eq!(&mask_in(&secrets, &text, &cuts), &whole);
            prop_assert!(!secrets.search.is_match(&whole), "{:?} survived", String::from_utf8_lossy(&whole));
            prop_assert!(picks.is_empty() || whole.windows(3).any(|part| part == MASK));
        }
    }
}
