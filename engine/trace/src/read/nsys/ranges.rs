//! NVTX ranges. What PyTorch's `emit_nvtx` writes for its operators (`aten::mul, seq = 7, op_id = 322567`) becomes
//! CPU operators, since that is what they are; every other range is an annotation, and steps are found in them.

use super::{Database, Import, id};
use crate::error::TraceError;
use crate::store::{Annotation, EventId, Op};

const COLUMNS: [&str; 6] = ["start", "end", "eventType", "globalTid", "text", "textId"];
/// Ranges by push and pop, by start and end, and the same from nvtxt files (`ENUM_NSYS_EVENT_TYPE`).
const RANGES: [i64; 4] = [59, 60, 70, 71];

pub fn read(database: &Database, import: &mut Import) -> Result<(), TraceError> {
    database.scan("NVTX_EVENTS", &COLUMNS, 2, |row| {
        // Marks, names of categories and domains have no duration. Tables without the column hold ranges only.
        if row.int(2).is_some_and(|kind| !RANGES.contains(&kind)) {
            return;
        }
        let Some((start, dur)) = import.times(row) else { return };
        let (thread, _) = import.places.thread(row.int(3));
        let names = &mut import.trace.names;
        if let Some((name, dims)) = row.text(4).as_deref().and_then(operator) {
            // The counter in each name would make every name a new one.
            let (name, dims, nothing) = (names.intern(name), names.intern(dims), names.intern(""));
            let (external, types, values) = (EventId::NONE, nothing, nothing);
            import.trace.ops.push(Op { start, dur, name, thread, external, dims, types, values });
            return;
        }
        let name = import.strings.name(database, names, row, &[4, 5]);
        let name = name.unwrap_or_else(|| names.intern("range without a name"));
        let external = id(None, None);
        import.trace.annotations.push(Annotation {
            start,
            dur,
            name,
            place: thread,
            on_gpu: false,
            external,
        });
    })?;
    import.strings.check()
}

/// Name and shapes of an operator of `emit_nvtx`; `None` for other ranges.
fn operator(text: &str) -> Option<(&str, &str)> {
    let counter = |key: &str| {
        let at = text.find(key)?;
        text[at + key.len()..].starts_with(|digit: char| digit.is_ascii_digit()).then_some(at)
    };
    let end = [", seq = ", ", op_id = "].into_iter().filter_map(counter).min()?;
    let sizes = text
        .split_once(", sizes = ")
        .map_or("", |(_, rest)| rest.split_once(", input_op_ids").map_or(rest, |(sizes, _)| sizes));
    Some((&text[..end], sizes))
}

#[cfg(test)]
mod tests {
    use super::operator;

    #[test]
    fn operators_lose_their_counters() {
        assert_eq!(operator("aten::to, op_id = 317177"), Some(("aten::to", "")));
        assert_eq!(
            operator("aten::mm, seq = 12, op_id = 9, sizes = [[2, 3], [3, 4]], input_op_ids = [(1,0)]"),
            Some(("aten::mm", "[[2, 3], [3, 4]]"))
        );
        assert_eq!(operator("aten::mm, seq = 12, sizes = [[2]]"), Some(("aten::mm", "[[2]]")));
        for other in ["step[DECODE bs=32]", "my range, seq = first", "", "nccl, op_id = "] {
            assert_eq!(operator(other), None, "{other}");
        }
    }
}
