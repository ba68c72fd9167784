//! Tokens of the registry and how a row is searched for them.
//!
//! Grammar: parts joined by ` & `, all of which must hold for the same row. A part is a phrase of whole words
//! (`fused_add_rmsnorm`) or, with `@`, the row's category (`@gemm`).

use super::format::Field;
use super::matching::{EvidenceField, Row};
use crate::name::{Category, Words, base};

/// One parsed token.
#[derive(Debug, Clone)]
pub struct Token {
    text: String,
    parts: Vec<Part>,
}

#[derive(Debug, Clone)]
enum Part {
    Phrase(Words),
    Category(Category),
}

impl Token {
    /// Parses a token; the error says what is wrong with it.
    pub fn parse(text: &str) -> Result<Self, String> {
        let parts = text.split('&').map(|part| Self::part(part.trim())).collect::<Result<Vec<_>, _>>();
        parts
            .map(|parts| Self { text: text.to_owned(), parts })
            .map_err(|problem| format!("token `{text}`: {problem}"))
    }

    fn part(text: &str) -> Result<Part, String> {
        if let Some(name) = text.strip_prefix('@') {
            let category = Category::ALL.into_iter().find(|category| category.as_str() == name);
            return category.map(Part::Category).ok_or_else(|| format!("there is no category `{name}`"));
        }
        let phrase = Words::new(text);
        if phrase.as_slice().is_empty() {
            return Err("a part has no letter or digit".to_owned());
        }
        Ok(Part::Phrase(phrase))
    }

    /// The token as it was written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether the token names a kernel by words, and not only by category.
    pub(super) fn has_phrase(&self) -> bool {
        self.parts.iter().any(|part| matches!(part, Part::Phrase(_)))
    }

    /// Where the token holds in a row: the field and text of its first part. All parts must hold.
    pub(super) fn find(&self, row: &Searched<'_>, fields: &[Field]) -> Option<(EvidenceField, String)> {
        let mut first = None;
        for part in &self.parts {
            let hit = match part {
                Part::Category(category) => (row.category == *category)
                    .then(|| (EvidenceField::Category, category.as_str().to_owned())),
                Part::Phrase(phrase) => {
                    row.texts.iter().filter(|text| fields.contains(&text.field)).find_map(|text| {
                        text.words
                            .find(phrase)
                            .map(|range| (EvidenceField::from(text.field), text.text[range].to_owned()))
                    })
                }
            }?;
            first.get_or_insert(hit);
        }
        first
    }
}

/// A row with its texts cut into words once.
pub(super) struct Searched<'a> {
    texts: Vec<SearchedText<'a>>,
    category: Category,
}

struct SearchedText<'a> {
    field: Field,
    text: std::borrow::Cow<'a, str>,
    words: Words,
}

impl<'a> Searched<'a> {
    pub(super) fn new(row: &Row<'a>) -> Self {
        let base = base(row.kernel);
        let mut kernel = base.namespaces.join("::");
        if !kernel.is_empty() {
            kernel.push_str("::");
        }
        kernel.push_str(&base.name);
        let mut texts = vec![text(Field::Kernel, kernel.into())];
        texts.extend(row.cpu_op.map(|op| text(Field::Op, op.into())));
        texts.extend(row.location.map(|path| text(Field::Path, path.into())));
        Self { texts, category: row.category }
    }
}

fn text(field: Field, text: std::borrow::Cow<'_, str>) -> SearchedText<'_> {
    let words = Words::new(&text);
    SearchedText { field, text, words }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn holds(token: &str, row: Row<'_>, fields: &[Field]) -> Option<(EvidenceField, String)> {
        Token::parse(token).expect("a token").find(&Searched::new(&row), fields)
    }

    fn row<'a>(kernel: &'a str, op: Option<&'a str>, path: Option<&'a str>, category: Category) -> Row<'a> {
        Row { kernel, location: path, cpu_op: op, time_ns: 1, category }
    }

    #[test]
    fn all_parts_must_hold_in_one_row() {
        let gemm = row(
            "nvjet_tst_8x64",
            Some("aten::mm"),
            Some("router/gate_linear.py(3): forward"),
            Category::Gemm,
        );
        let all = [Field::Kernel, Field::Op, Field::Path];
        assert_eq!(holds("router & @gemm", gemm, &all), Some((EvidenceField::Path, "router".to_owned())));
        assert_eq!(
            holds("router & @gemm", gemm, &[Field::Kernel, Field::Op]),
            None,
            "a path counts only where asked"
        );
        assert_eq!(holds("router & @quantize", gemm, &all), None);
        assert_eq!(holds("aten::mm", gemm, &all), Some((EvidenceField::Op, "aten::mm".to_owned())));
    }

    #[test]
    fn template_arguments_do_not_count() {
        let write = row(
            "void vllm::reshape_and_cache<X, (vllm::Fp8KVCacheDataType)1>(P)",
            None,
            None,
            Category::Memory,
        );
        assert_eq!(holds("fp8", write, &[Field::Kernel]), None);
        assert_eq!(
            holds("reshape_and_cache", write, &[Field::Kernel]).map(|hit| hit.1).as_deref(),
            Some("reshape_and_cache")
        );
    }

    #[test]
    fn bad_tokens_are_refused() {
        for (token, problem) in
            [("@gem", "no category"), ("", "no letter"), ("a & ", "no letter"), ("&", "no letter")]
        {
            let error = Token::parse(token).expect_err("refused");
            assert!(error.contains(problem), "{error}");
        }
    }
}
