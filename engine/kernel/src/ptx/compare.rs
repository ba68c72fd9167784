//! Whether a kernel's mathematics is looser than it may be.

use super::{Function, Kind, MARKS, Marks};
use crate::verdict::{Code, Finding, Gate};
use serde::{Deserialize, Serialize};
use serde_json::json;

/// A count that differs to the worse.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Difference {
    /// The function.
    pub function: String,
    /// The mark.
    pub mark: String,
    /// Its count in the candidate.
    pub found: u64,
    /// Its count in what it is compared with.
    pub expected: u64,
}

/// Compares a candidate with the same source, built with the locked flags, function by function. More flushing, approximation
/// or narrower types, or fewer exact divisions and roots, are differences; other counts are not.
pub fn loosened(candidate: &[Function], locked: &[Function]) -> Vec<Difference> {
    let mut differences = Vec::new();
    for function in candidate {
        let same = locked.iter().find(|other| other.name == function.name);
        let (found, expected) = (all(function), same.map(all).unwrap_or_default());
        compare(&function.name, &found, &expected, same.is_some(), &mut differences);
    }
    differences
}

/// Compares what a candidate wrote as inline assembler with what the baseline wrote, over all functions: flags do not show it.
pub fn written(candidate: &[Function], baseline: &[Function]) -> Vec<Difference> {
    let mut expected = Marks::default();
    baseline.iter().for_each(|function| expected.add(&function.written));
    let mut total = Marks::default();
    candidate.iter().for_each(|function| total.add(&function.written));
    let mut differences = Vec::new();
    compare("inline assembler", &total, &expected, false, &mut differences);
    differences
}

/// Kinds of looseness in a candidate of which the baseline has none, over all functions. Of a source that was compiled here
/// (`compiled`) flushing and approximation do not count beside what it wrote as assembler: the standard functions are made of
/// them, and how often a loop is unrolled is the candidate's business.
pub fn novel(candidate: &[Function], baseline: &[Function], compiled: bool) -> Vec<Difference> {
    let total = |functions: &[Function]| {
        let mut marks = Marks::default();
        functions.iter().for_each(|function| marks.add(&all(function)));
        marks
    };
    let (found, expected) = (total(candidate), total(baseline));
    let standard = |mark: &str| compiled && matches!(mark, ".ftz" | ".approx");
    let loose = MARKS.iter().filter(|(mark, kind, _)| *kind == Kind::Loose && !standard(mark));
    let new = loose.filter(|(mark, ..)| found.count(mark) > 0 && expected.count(mark) == 0);
    new.map(|(mark, ..)| Difference {
        function: "it".to_owned(),
        mark: (*mark).to_owned(),
        found: found.count(mark),
        expected: 0,
    })
    .collect()
}

fn all(function: &Function) -> Marks {
    let mut marks = function.compiled.clone();
    marks.add(&function.written);
    marks
}

fn compare(function: &str, found: &Marks, expected: &Marks, strict: bool, differences: &mut Vec<Difference>) {
    for (mark, kind, _) in MARKS {
        let (found, expected) = (found.count(mark), expected.count(mark));
        let worse = match kind {
            Kind::Loose => found > expected,
            Kind::Strict => strict && found < expected,
            Kind::Plain => false,
        };
        if worse {
            let (function, mark) = (function.to_owned(), (*mark).to_owned());
            differences.push(Difference { function, mark, found, expected });
        }
    }
}

/// The finding for differences to the same source with the locked flags; none without differences.
pub fn refusal(differences: &[Difference]) -> Option<Finding> {
    finding(differences, "the locked flags give", "build it with the task's flags")
}

/// The finding for differences to the baseline's inline assembler; none without differences.
pub fn written_refusal(differences: &[Difference]) -> Option<Finding> {
    finding(differences, "the baseline has", "use what the compiler offers with the task's flags")
}

fn finding(differences: &[Difference], compared: &str, way_out: &str) -> Option<Finding> {
    let first = differences.first()?;
    let told = |difference: &Difference| {
        let Difference { mark, found, expected, .. } = difference;
        format!("{found} `{mark}` where {compared} {expected}")
    };
    let same: Vec<_> =
        differences.iter().filter(|other| other.function == first.function).map(told).collect();
    let message = format!("`{}` has {}; {way_out}", first.function, same.join(", "));
    Some(Finding::new(Gate::Static, Code::MathModeChanged, message, json!({ "differences": differences })))
}
