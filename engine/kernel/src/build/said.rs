//! What a compiler said, cut to what a judgement keeps: its first and its last lines.

/// Most bytes that are kept: some hundred messages, enough for a reader.
const MOST: usize = 64 << 10;
/// Bytes for the line that says what is left out.
const NOTE: usize = 100;
/// Most characters of the one line that names a failure.
const LONGEST: usize = 1000;

/// The log itself where it is short; otherwise its first and last lines with how much is left out between them, at most 64 KiB.
pub(crate) fn kept(log: &str) -> String {
    if log.len() <= MOST {
        return log.to_owned();
    }
    let half = (MOST - NOTE) / 2;
    let (first, last) = (log.floor_char_boundary(half), log.ceil_char_boundary(log.len() - half));
    // Whole lines, unless one alone is longer than what is kept.
    let first = log[..first].rfind('\n').map_or(first, |end| end + 1);
    let last = log[last..].find('\n').map_or(last, |end| last + end + 1).min(log.len());
    let left = &log[first..last];
    let (lines, bytes) = (left.lines().count(), left.len());
    let end = if log[..first].ends_with('\n') { "" } else { "\n" };
    format!("{}{end}... {lines} lines ({bytes} bytes) left out ...\n{}", &log[..first], &log[last..])
}

/// The line of a log that says what is wrong.
pub(crate) fn first_error(log: &str) -> &str {
    let mut lines = log.lines();
    let told = lines.clone().find(|line| line.contains("error") || line.contains("undefined reference"));
    let line = told.or_else(|| lines.next()).unwrap_or("it said nothing").trim();
    &line[..line.floor_char_boundary(LONGEST)]
}

#[cfg(test)]
mod tests {
    use super::{MOST, first_error, kept};

    #[test]
    fn short_logs_stay_and_long_ones_keep_both_ends() {
        assert_eq!(kept("a\nb\n"), "a\nb\n");
        let long: String = (0..20_000).map(|line| format!("k.c:{line}: warning: é\n")).collect();
        let cut = kept(&long);
        assert!(cut.len() <= MOST && cut.len() > MOST / 2, "{}", cut.len());
        assert!(cut.starts_with("k.c:0: warning") && cut.ends_with("k.c:19999: warning: é\n"));
        let note = cut.lines().find(|line| line.starts_with("...")).expect("a note");
        let lines: usize =
            note.split_whitespace().nth(1).and_then(|lines| lines.parse().ok()).expect("a number");
        assert_eq!(cut.lines().count() - 1 + lines, 20_000, "{note}");
        for one_line in ["é".repeat(MOST), format!("{}\n", "x".repeat(MOST * 2))] {
            assert!(kept(&one_line).len() <= MOST);
        }
    }

    #[test]
    fn the_failure_is_found_in_the_middle_and_is_no_page() {
        let log = format!("{}k.c:1: error: no\n{}", "warning\n".repeat(9), "warning\n".repeat(9));
        assert_eq!(first_error(&log), "k.c:1: error: no");
        assert_eq!(first_error(&"é".repeat(5000)).len(), 1000);
        assert_eq!(first_error(""), "it said nothing");
    }
}
