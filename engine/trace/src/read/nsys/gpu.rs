//! What ran on GPUs: kernels, copies, fills, and graph replays that were recorded as one block.

use super::places::Stream;
use super::{Database, Import, Row, id};
use crate::error::TraceError;
use crate::intern::NameId;
use crate::name::EventKind;
use crate::store::{EventId, Geometry, GpuEvent};
use std::collections::HashMap;

/// What every GPU table has, in front of its own columns.
const COMMON: [&str; 8] =
    ["start", "end", "deviceId", "contextId", "streamId", "correlationId", "globalPid", "graphNodeId"];
const OWN: usize = COMMON.len();
const KERNEL: [&str; 12] = [
    "demangledName",
    "shortName",
    "mangledName",
    "name",
    "gridX",
    "gridY",
    "gridZ",
    "blockX",
    "blockY",
    "blockZ",
    "registersPerThread",
    "staticSharedMemory",
];

/// Nodes of graphs that are copies of a node: instantiating a graph copies all of it, and a graph that is
/// instantiated again keeps its positions only through the originals.
type Originals = HashMap<(u16, i64), i64>;
/// A copy of a copy of a copy is what real graphs reach; more is a circle.
const COPIES: usize = 16;

pub fn read(database: &Database, import: &mut Import) -> Result<(), TraceError> {
    let mut gpu = Gpu { originals: originals(database, import)?, ..Gpu::default() };
    for table in ["CUPTI_ACTIVITY_KIND_KERNEL", "CUPTI_ACTIVITY_KIND_CONCURRENT_KERNEL"] {
        database.scan(table, &columns(&[&KERNEL[..], &["dynamicSharedMemory"]].concat()), 2, |row| {
            let name = import.strings.name(
                database,
                &mut import.trace.names,
                row,
                &[OWN, OWN + 1, OWN + 2, OWN + 3],
            );
            let name = name.unwrap_or_else(|| import.trace.names.intern("kernel without a name"));
            gpu.push(import, row, EventKind::Kernel, name, geometry(row), 0);
        })?;
        import.strings.check()?;
    }
    let kinds = memory_kinds(database)?;
    database.scan(
        "CUPTI_ACTIVITY_KIND_MEMCPY",
        &columns(&["bytes", "copyKind", "srcKind", "dstKind"]),
        2,
        |row| {
            let name =
                copy_name(row.int(OWN + 1), [OWN + 2, OWN + 3].map(|column| kinds.get(&row.int(column)?)));
            let name = import.trace.names.intern(&name);
            gpu.push(import, row, EventKind::Memcpy, name, Geometry::default(), bytes(row));
        },
    )?;
    database.scan("CUPTI_ACTIVITY_KIND_MEMSET", &columns(&["bytes", "memKind"]), 2, |row| {
        let kind = row.int(OWN + 1).and_then(|kind| kinds.get(&kind));
        let name = kind.map_or_else(|| "Memset".to_owned(), |kind| format!("Memset ({kind})"));
        let name = import.trace.names.intern(&name);
        gpu.push(import, row, EventKind::Memset, name, Geometry::default(), bytes(row));
    })?;
    database.scan("CUPTI_ACTIVITY_KIND_GRAPH_TRACE", &columns(&["graphId"]), 2, |row| {
        let graph = row.int(OWN).map_or_else(String::new, |graph| format!("{graph} "));
        let name = import.trace.names.intern(&format!("CUDA graph {graph}(whole replay)"));
        if let Some(dur) = gpu.push(import, row, EventKind::Other, name, Geometry::default(), 0) {
            import.trace.reading.whole_graphs += 1;
            import.trace.reading.whole_graphs_ns += dur;
        }
    })
}

fn columns<'c>(own: &[&'c str]) -> Vec<&'c str> {
    [&COMMON[..], own].concat()
}

#[derive(Default)]
struct Gpu {
    originals: Originals,
    geometries: HashMap<Geometry, u32>,
}

impl Gpu {
    /// Adds a row; its duration, or `None` where it has none.
    fn push(
        &mut self,
        import: &mut Import,
        row: &Row<'_>,
        kind: EventKind,
        name: NameId,
        geometry: Geometry,
        bytes: u64,
    ) -> Option<i64> {
        let (start, dur) = import.times(row)?;
        if dur == 0 {
            import.trace.reading.empty_gpu_events += 1;
            return None;
        }
        let process = import.places.process_of_gpu(row.int(6));
        let gpu = row.int(2).map(|device| import.places.gpu(process, device));
        let stream = Stream { process, context: row.int(3).unwrap_or_default(), gpu, stream: row.int(4) };
        let track = import.places.track(stream);
        let all = &mut import.trace.geometries;
        let geometry = *self.geometries.entry(geometry).or_insert_with(|| {
            all.push(geometry);
            all.len() as u32 - 1
        });
        import.trace.gpu.push(GpuEvent {
            start,
            dur,
            name,
            track,
            kind,
            correlation: id(process, row.int(5)),
            external: EventId::NONE,
            graph_node: id(process, row.int(7).map(|node| self.original(process, node))),
            geometry,
            bytes,
        });
        Some(dur)
    }

    fn original(&self, process: Option<u16>, node: i64) -> i64 {
        let Some(process) = process else { return node };
        let step = |node: &i64| self.originals.get(&(process, *node)).copied();
        std::iter::successors(Some(node), step).take(COPIES).last().unwrap_or(node)
    }
}

fn originals(database: &Database, import: &mut Import) -> Result<Originals, TraceError> {
    let mut originals = Originals::new();
    let columns = ["graphNodeId", "originalGraphNodeId", "globalTid"];
    database.scan("CUDA_GRAPH_NODE_EVENTS", &columns, 1, |row| {
        if let (Some(node), Some(original), Some(thread)) = (row.int(0), row.int(1), row.int(2))
            && original != 0
            && original != node
        {
            let process = import.places.process(thread);
            originals.insert((process, node), original);
        }
    })?;
    Ok(originals)
}

fn geometry(row: &Row<'_>) -> Geometry {
    let at = |column: usize| row.small(OWN + column);
    Geometry {
        grid: [at(4), at(5), at(6)],
        block: [at(7), at(8), at(9)],
        registers: at(10),
        shared: at(11).saturating_add(at(12)),
    }
}

fn bytes(row: &Row<'_>) -> u64 {
    row.int(OWN).and_then(|bytes| u64::try_from(bytes).ok()).unwrap_or_default()
}

/// Kinds of memory: the numbers differ between versions, so without the report's own table none is named.
fn memory_kinds(database: &Database) -> Result<HashMap<i64, String>, TraceError> {
    let mut kinds = HashMap::new();
    database.scan("ENUM_CUDA_MEM_KIND", &["id", "label"], 2, |row| {
        if let (Some(id), Some(label)) = (row.int(0), row.text(1)) {
            kinds.insert(id, label.into_owned());
        }
    })?;
    Ok(kinds)
}

/// As `torch.profiler` writes it, so that traces of both tools can be compared. The numbers are CUPTI's
/// `CUpti_ActivityMemcpyKind`, which nsys continues with those of unified memory.
fn copy_name(kind: Option<i64>, memory: [Option<&String>; 2]) -> String {
    let direction = match kind {
        Some(1) => "HtoD",
        Some(2) => "DtoH",
        Some(3) => "HtoA",
        Some(4) => "AtoH",
        Some(5) => "AtoA",
        Some(6) => "AtoD",
        Some(7) => "DtoA",
        Some(8) => "DtoD",
        Some(9) => "HtoH",
        Some(10) => "PtoP",
        Some(11) => "unified HtoD",
        Some(12) => "unified DtoH",
        Some(13) => "unified DtoD",
        _ => "of an unknown kind",
    };
    match memory {
        [Some(from), Some(to)] => format!("Memcpy {direction} ({from} -> {to})"),
        _ => format!("Memcpy {direction}"),
    }
}
