//! Words that other tools use for what is called differently here.

use assay_diagnostics::did_you_mean;

/// Their word, ours. Taken from GitHub Actions, Snakemake, Argo, Make, Python and JSON.
const SYNONYMS: &[(&str, &str)] = &[
    ("depends_on", "needs"),
    ("requires", "needs"),
    ("after", "needs"),
    ("if", "when"),
    ("condition", "when"),
    ("type", "uses"),
    ("matrix", "foreach"),
    ("loop", "foreach"),
    ("environment", "env"),
    ("workdir", "cwd"),
    ("working_directory", "cwd"),
    ("retries", "retry"),
    ("args", "argv"),
    ("cmd", "argv"),
    ("command", "argv"),
    ("run", "shell"),
    ("script", "shell"),
    ("text", "string"),
    ("str", "string"),
    ("int", "integer"),
    ("float", "number"),
    ("double", "number"),
    ("bool", "boolean"),
    ("list", "array"),
    ("map", "object"),
    ("dict", "object"),
    ("fail", "failed"),
    ("pass", "passed"),
    ("ok", "passed"),
    ("timeout", "timed_out"),
    ("ignore", "warn"),
    ("continue", "warn"),
    ("faster", "better"),
    ("slower", "worse"),
];

/// The known word that is meant by `wrong`: a slip of the fingers, or what another tool calls it.
pub(crate) fn meant<'a>(wrong: &str, known: &[&'a str]) -> Option<&'a str> {
    did_you_mean(wrong, known.iter().copied()).or_else(|| {
        let ours = |(theirs, ours): &(&str, &str)| {
            (*theirs == wrong).then(|| known.iter().copied().find(|word| word == ours)).flatten()
        };
        SYNONYMS.iter().find_map(ours)
    })
}

#[cfg(test)]
mod tests {
    use super::meant;

    #[test]
    fn words_of_other_tools_lead_to_ours_only_where_ours_exist() {
        assert_eq!(meant("depends_on", &["uses", "needs"]), Some("needs"));
        assert_eq!(meant("int", &["string", "integer"]), Some("integer"));
        assert_eq!(meant("int", &["path", "size"]), None);
        assert_eq!(meant("need", &["uses", "needs"]), Some("needs"));
    }
}
