//! The tables and patterns; what whole schemas take and refuse is tested against the binary.

use super::names;
use crate::fields::Unit;

#[test]
fn names_are_those_of_the_table() {
    assert_eq!(names(&super::VERIFIED), ["against", "date", "stale_after"]);
    assert!(crate::lower::STEP_FIELDS.contains(&"pass_env"));
}

#[test]
fn the_pattern_of_a_quantity_takes_what_the_reader_takes() {
    let texts = [
        "90s",
        "1h30m",
        " 1 h 30 m ",
        "1.5s",
        "1.s",
        ".5s",
        ".s",
        "1.2.3s",
        "90",
        "",
        "s",
        "-1s",
        "1e3s",
        "2 weeks",
        "250ms",
        "3us",
        "16GiB",
        "16 GiB",
        "16GiB 2B",
        "1KB",
        "1kb",
        "5B",
        "1%",
        "0.5 %",
        "1%%",
        "%",
        "1% 2%",
        "١s",
    ];
    for unit in [Unit::Duration, Unit::Size, Unit::Percent] {
        let pattern = regex::Regex::new(&unit.pattern()).unwrap();
        for text in texts {
            assert_eq!(pattern.is_match(text), unit.parse(text).is_ok(), "{} `{text}`", unit.word());
        }
    }
}
