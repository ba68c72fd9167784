//! What a file's name says: rank, time, and what is left when both are taken out.

/// A name taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Label {
    /// `rank3`, `rank_3`, `TP-3`, `tp3` or `worker3`, in this order of trust.
    pub rank: Option<u32>,
    /// A Unix time in the name, in nanoseconds.
    pub time: Option<i64>,
    /// The name without ranks and stages: the same for all files of one capture of most tools.
    pub common: String,
    /// The same without any number: tools that write the process or the moment into each file's name.
    pub loose: String,
}

/// Words that number a file within its capture.
const RANKS: [&str; 8] = ["rank", "tp", "worker", "dp", "pp", "ep", "cp", "pcp"];
/// Those of them that are a rank. `dp`, `pp` and `ep` number groups of ranks.
const TRUSTED: usize = 3;
const STAGES: [&str; 3] = ["decode", "extend", "prefill"];
const ENDINGS: [&str; 6] = [".gz", ".json", ".sqlite", ".trace", ".pt", ".nsys-rep"];

/// Takes a name apart.
pub fn read(name: &str) -> Label {
    let mut rest = name.to_lowercase();
    while let Some(shorter) = ENDINGS.iter().find_map(|ending| rest.strip_suffix(ending)) {
        rest = shorter.to_owned();
    }
    let mut best: Option<(usize, u32)> = None;
    let mut common: Vec<String> = Vec::new();
    let parts: Vec<&str> = rest.split(['-', '_', '.', ' ']).filter(|part| !part.is_empty()).collect();
    let mut index = 0;
    while index < parts.len() {
        let part = parts[index];
        index += 1;
        if STAGES.contains(&part) {
            continue;
        }
        let word = part.trim_end_matches(|letter: char| letter.is_ascii_digit());
        let Some(trust) = RANKS.iter().position(|rank| *rank == word) else {
            common.push(part.to_owned());
            continue;
        };
        // `tp3`, or `tp-3` in two parts.
        let mut digits = &part[word.len()..];
        if digits.is_empty()
            && parts.get(index).is_some_and(|next| next.bytes().all(|byte| byte.is_ascii_digit()))
        {
            digits = parts[index];
            index += 1;
        }
        match digits.parse() {
            Ok(number) if trust < TRUSTED && best.is_none_or(|(known, _)| trust < known) => {
                best = Some((trust, number))
            }
            Ok(_) => {}
            Err(_) => common.push(part.to_owned()),
        }
    }
    let time = common.iter().filter_map(|part| unix_time(part)).max();
    let loose = common.iter().filter(|part| !part.bytes().all(|byte| byte.is_ascii_digit()));
    let loose = loose.cloned().collect::<Vec<_>>().join("-");
    Label { rank: best.map(|(_, rank)| rank), time, common: common.join("-"), loose }
}

/// Seconds, milli-, micro- or nanoseconds since 1970 by their count of digits, for years from 2001 to 2286.
fn unix_time(part: &str) -> Option<i64> {
    if !part.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let factor = match part.len() {
        10 => 1_000_000_000,
        13 => 1_000_000,
        16 => 1000,
        19 => 1,
        _ => return None,
    };
    part.parse::<i64>().ok()?.checked_mul(factor)
}

#[cfg(test)]
mod tests {
    use super::read;

    #[test]
    fn ranks_of_every_tool() {
        for (name, rank) in [
            ("1759300000.12-TP-3-DECODE.trace.json.gz", Some(3)),
            ("1759300000.12-TP-0-DP-2-EXTEND.trace.json.gz", Some(0)),
            ("trace_tp3.json", Some(3)),
            ("rank3.json", Some(3)),
            ("rank_12.pt.trace.json.gz", Some(12)),
            ("dp0_pp0_tp1_rank5.1759300000000000000.pt.trace.json.gz", Some(5)),
            ("worker3.1759.json", Some(3)),
            ("rank-0.Apr_03_18_51_38.1102.pt.trace.json.gz", Some(0)),
            ("http3-frank2.json", None),
            ("rank.json", None),
            ("host_1234.1759300000000.pt.trace.json", None),
        ] {
            assert_eq!(read(name).rank, rank, "{name}");
        }
    }

    #[test]
    fn files_of_a_capture_have_a_name_in_common() {
        let common = |name: &str| read(name).common;
        assert_eq!(common("1759.5-TP-0-DECODE.trace.json.gz"), common("1759.5-TP-11-EXTEND.trace.json.gz"));
        assert_ne!(common("1759.5-TP-0-DECODE.trace.json.gz"), common("1760.5-TP-0-DECODE.trace.json.gz"));
        assert_eq!(
            read("node_rank0.1759300000000.pt.trace.json.gz").loose,
            read("node_rank1.1759300000417.pt.trace.json.gz").loose
        );
        assert_eq!(read("a.1759300000417.json").time, Some(1_759_300_000_417_000_000));
        assert_eq!(read("a.1102.json").time, None);
    }
}
