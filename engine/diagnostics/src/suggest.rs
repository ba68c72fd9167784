//! Did you mean: the nearest known name to one that is not known.

/// Longer names are no typing errors, and the distance takes time in the square of the length.
const LONGEST: usize = 80;

/// Findings with suggestions of other names: nobody reads them by the hundred.
const MOST_SUGGESTED: usize = 200;
/// Names compared for all findings before; a comparison takes about half a microsecond.
const MOST_COMPARED: usize = 20_000;

/// Whether another name is still looked for after so many findings, each of which was compared with so many candidates.
pub fn is_worth_suggesting(findings: usize, candidates: usize) -> bool {
    findings < MOST_SUGGESTED && findings.saturating_mul(candidates) < MOST_COMPARED
}

/// The candidate nearest to `wrong`, if it is near enough to be meant.
///
/// Near means a Damerau-Levenshtein distance, upper and lower case taken as equal, of at most a third of the
/// length of `wrong` (at least 1), and less than its whole length; the bound is the one rustc uses for names.
pub fn did_you_mean<'a>(wrong: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let wrong = wrong.to_lowercase();
    let length = wrong.chars().count();
    if length > LONGEST {
        return None;
    }
    let bound = (length / 3).max(1);
    candidates
        .into_iter()
        .filter(|candidate| candidate.chars().count().abs_diff(length) <= bound)
        .map(|candidate| (strsim::damerau_levenshtein(&wrong, &candidate.to_lowercase()), candidate))
        .filter(|(distance, _)| *distance <= bound && *distance < length)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use super::{did_you_mean, is_worth_suggesting};

    const FIELDS: [&str; 6] = ["uses", "with", "needs", "timeout", "foreach", "on_fail"];

    #[test]
    fn near_names_are_found() {
        assert_eq!(did_you_mean("timeot", FIELDS), Some("timeout"));
        assert_eq!(did_you_mean("tiemout", FIELDS), Some("timeout"), "a swap is one error");
        assert_eq!(did_you_mean("Needs", FIELDS), Some("needs"));
        assert_eq!(did_you_mean("for_each", FIELDS), Some("foreach"));
    }

    #[test]
    fn thousands_of_names_are_not_compared_with_each_other() {
        assert!(is_worth_suggesting(0, 1_000_000) && is_worth_suggesting(199, 100));
        assert!(!is_worth_suggesting(200, 1) && !is_worth_suggesting(10, 10_000));
    }

    #[test]
    fn far_names_are_not() {
        assert_eq!(did_you_mean("resources", FIELDS), None);
        assert_eq!(did_you_mean("x", ["y"]), None, "one letter has nothing in common with another");
        assert_eq!(did_you_mean("", FIELDS), None);
        assert_eq!(did_you_mean(&"timeout".repeat(100_000), FIELDS), None);
    }
}
