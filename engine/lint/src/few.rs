//! Findings, the first of each code only: what has more is not read to its end by anybody.

use assay_diagnostics::Diagnostic;
use std::collections::HashMap;

/// Findings of one code in one file that are shown.
const MOST: usize = 200;

/// A list that keeps the first findings of each code, and says how many more there were.
#[derive(Debug, Default)]
pub(crate) struct Few {
    kept: Vec<Diagnostic>,
    counts: HashMap<&'static str, Count>,
}

#[derive(Debug, Default)]
struct Count {
    kept: usize,
    more: usize,
    /// The first that was left out.
    first: Option<Diagnostic>,
}

impl Few {
    pub(crate) fn push(&mut self, finding: Diagnostic) {
        let count = self.counts.entry(finding.code).or_default();
        if count.kept < MOST {
            count.kept += 1;
            self.kept.push(finding);
            return;
        }
        count.more += 1;
        if count.first.is_none() {
            count.first = Some(finding);
        }
    }

    /// What was kept, each code with more followed by one that counts them.
    pub(crate) fn finish(self) -> Vec<Diagnostic> {
        let mut kept = self.kept;
        let mut more: Vec<Diagnostic> = self.counts.into_values().filter_map(Count::summary).collect();
        more.sort_by_key(|finding| (finding.primary().map(|span| (span.source, span.start)), finding.code));
        kept.append(&mut more);
        kept
    }
}

impl Count {
    fn summary(self) -> Option<Diagnostic> {
        let mut finding = self.first?;
        finding.message = format!("{} more of these are not shown", self.more);
        finding.labels.truncate(1);
        for label in &mut finding.labels {
            label.text = "the first of them".to_owned();
        }
        finding.help = vec!["mend those that are shown first".to_owned()];
        finding.fix = None;
        Some(finding)
    }
}

impl Extend<Diagnostic> for Few {
    fn extend<T: IntoIterator<Item = Diagnostic>>(&mut self, findings: T) {
        findings.into_iter().for_each(|finding| self.push(finding));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use assay_diagnostics::{SourceId, Span};

    #[test]
    fn what_is_left_out_is_counted() {
        let mut few = Few::default();
        let at = |start| Span { source: SourceId(0), start, end: start + 1 };
        few.extend((0..1_000).map(|start| Diagnostic::error("many", "one of many").at(at(start), "here")));
        few.push(Diagnostic::warning("one", "alone").at(at(7), "here"));
        let found = few.finish();
        assert_eq!(found.len(), MOST + 2);
        let last = &found[MOST + 1];
        assert_eq!((last.code, last.message.as_str()), ("many", "800 more of these are not shown"));
        assert_eq!(last.primary(), Some(at(MOST as u32)));
    }
}
