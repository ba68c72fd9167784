//! The lane of every GPU event, worked out once per kind, name and category, since classifying reads text.

use crate::analysis::Analysis;
use crate::name::Lane;
use hashbrown::HashMap;

/// Lanes as long as the table of GPU events.
pub(super) fn lanes(analysis: &Analysis<'_>) -> Vec<Lane> {
    let gpu = &analysis.trace.gpu;
    let mut known = HashMap::new();
    let lane = |event: usize| {
        let key = (gpu.kind[event], gpu.name[event], analysis.category(event));
        *known.entry(key).or_insert_with(|| analysis.lane(event))
    };
    (0..analysis.len()).map(lane).collect()
}

/// Which lane wins where several are at work at once.
pub(super) fn rank(lane: Lane) -> u8 {
    match lane {
        Lane::Compute => 4,
        Lane::Communication => 3,
        Lane::Memory => 2,
        Lane::Elementwise => 1,
        Lane::Other => 0,
    }
}
