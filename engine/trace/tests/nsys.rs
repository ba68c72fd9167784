//! Exports of Nsight Systems: real ones against plain SQL, made ones for what real ones do not show.

mod support;

use assay_trace::stage::Stage;
use assay_trace::{Analysis, Options, Trace, TraceError, read, view};
use rusqlite::Connection;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// A shared export.
fn export(name: &str) -> Option<PathBuf> {
    support::shared().map(|folder| folder.join(name))
}

/// Count, sum and maximum of each kernel name of each device.
type Facts = BTreeMap<(i64, String), (i64, i64, i64)>;

fn open(path: &Path) -> Connection {
    Connection::open_with_flags(
        format!("file:{}?mode=ro&immutable=1", path.display()),
        rusqlite::OpenFlags::SQLITE_OPEN_READ_ONLY | rusqlite::OpenFlags::SQLITE_OPEN_URI,
    )
    .expect("a database")
}

fn kernels_by_sql(path: &Path) -> Facts {
    let database = open(path);
    let query = "SELECT deviceId, value, count(*), sum(\"end\" - start), max(\"end\" - start) \
                 FROM CUPTI_ACTIVITY_KIND_KERNEL JOIN StringIds ON id = demangledName GROUP BY 1, 2";
    let mut statement = database.prepare(query).expect("a query");
    let rows = statement
        .query_map([], |row| Ok(((row.get(0)?, row.get(1)?), (row.get(2)?, row.get(3)?, row.get(4)?))));
    rows.expect("rows").map(|row| row.expect("a row")).collect()
}

fn kernels_by_reader(trace: &Trace) -> Facts {
    let mut facts = Facts::new();
    for (event, row) in trace.gpu.rows().enumerate() {
        if row.kind != assay_trace::name::EventKind::Kernel {
            continue;
        }
        let device = trace.devices[trace.device_of(event) as usize].index.expect("a number");
        let fact = facts.entry((i64::from(device), trace.text(row.name).to_owned())).or_default();
        *fact = (fact.0 + 1, fact.1 + row.dur, fact.2.max(row.dur));
    }
    facts
}

#[test]
fn real_exports_have_the_counts_and_sums_that_sql_finds() {
    for (name, kernels, devices) in [("h100_2gpu_1s.sqlite", 3442, 2), ("healthy_1pct.sqlite", 400, 1)] {
        let Some(path) = export(name) else { return };
        let before = std::fs::metadata(&path).expect("a file").modified().expect("a time");
        let trace = read::read(&path).expect("a trace");
        let wanted = kernels_by_sql(&path);
        assert_eq!(wanted.values().map(|fact| fact.0).sum::<i64>(), kernels, "{name}");
        assert_eq!(kernels_by_reader(&trace), wanted, "{name}");
        assert_eq!(trace.devices.len(), devices, "{name}");
        assert_eq!(std::fs::metadata(&path).expect("a file").modified().expect("a time"), before);
    }
}

#[test]
fn a_real_export_is_linked_and_placed() {
    let Some(path) = export("h100_2gpu_1s.sqlite") else { return };
    let trace = read::read(&path).expect("a trace");
    let analysis = Analysis::new(&trace, Options::default());
    let integrity = view::integrity::build(&analysis);
    // 3,442 kernels, 904 copies and 22 fills. Both processes use the same correlation ids for different calls.
    assert_eq!((integrity.gpu_events, integrity.kernels), (3442 + 904 + 22, 3442));
    assert_eq!(trace.calls.len(), 2 * 2898);
    assert_eq!(trace.ops.len() + trace.annotations.len(), 16_782);
    for event in 0..analysis.len() {
        let Some(call) = analysis.links.call(event) else { continue };
        let thread = &trace.threads[trace.calls.thread[call] as usize];
        let device = trace.devices[trace.device_of(event) as usize].index;
        assert_eq!(device, Some(if thread.pid == "111" { 0 } else { 1 }), "{thread:?}");
    }
    let devices = view::devices::build(&analysis);
    assert_eq!(devices.iter().map(|device| device.kernels).collect::<Vec<_>>(), [1721, 1721]);
    // `emit_nvtx` wrote the operators. The export was cut to one second, so many launches lie outside.
    let count =
        |query: &str| open(&path).query_row(query, [], |row| row.get::<_, i64>(0)).expect("a count") as u64;
    let calls = "FROM (SELECT correlationId, globalPid FROM CUPTI_ACTIVITY_KIND_KERNEL \
          UNION ALL SELECT correlationId, globalPid FROM CUPTI_ACTIVITY_KIND_MEMCPY \
          UNION ALL SELECT correlationId, globalPid FROM CUPTI_ACTIVITY_KIND_MEMSET) g \
        JOIN CUPTI_ACTIVITY_KIND_RUNTIME r ON r.correlationId = g.correlationId \
          AND r.globalTid / 16777216 = g.globalPid / 16777216";
    let launched = (0..analysis.len()).filter(|&event| analysis.links.call(event).is_some()).count() as u64;
    assert_eq!(launched, count(&format!("SELECT count(*) {calls}")));
    let within = "SELECT 1 FROM NVTX_EVENTS n WHERE n.globalTid = r.globalTid AND n.start <= r.start \
        AND r.start < n.\"end\" AND n.text LIKE '%, op_id = %'";
    let with_op = (0..analysis.len()).filter(|&event| analysis.op_name(event).is_some()).count() as u64;
    assert_eq!(with_op, count(&format!("SELECT count(*) {calls} WHERE EXISTS ({within})")));
    assert!(with_op > 2000, "{with_op}");
    assert!(trace.ops.rows().any(|op| trace.text(op.name) == "aten::mul"));
    assert!(trace.calls.rows().any(|call| trace.text(call.name) == "cudaLaunchKernel"));
}

#[test]
fn a_real_export_names_its_gpu() {
    let Some(path) = export("healthy_1pct.sqlite") else { return };
    let trace = read::read(&path).expect("a trace");
    let devices = view::devices::build(&Analysis::new(&trace, Options::default()));
    assert_eq!(devices[0].name.as_deref(), Some("NVIDIA H100 80GB HBM3"));
    assert_eq!((devices[0].sum_ns, devices[0].window_ns), (400_000_000, 403_990_000));
}

const KERNEL: &str = "CREATE TABLE CUPTI_ACTIVITY_KIND_KERNEL (start INTEGER, \"end\" INTEGER, deviceId INTEGER, \
    contextId INTEGER, streamId INTEGER, correlationId INTEGER, globalPid INTEGER, demangledName INTEGER, \
    shortName INTEGER, gridX INTEGER, gridY INTEGER, gridZ INTEGER, blockX INTEGER, blockY INTEGER, blockZ INTEGER, \
    registersPerThread INTEGER, staticSharedMemory INTEGER, dynamicSharedMemory INTEGER, graphNodeId INTEGER);";
const RUNTIME: &str = "CREATE TABLE CUPTI_ACTIVITY_KIND_RUNTIME (start INTEGER, \"end\" INTEGER, globalTid INTEGER, \
    correlationId INTEGER, nameId INTEGER);";
const STRINGS: &str = "CREATE TABLE StringIds (id INTEGER PRIMARY KEY, value TEXT); \
    INSERT INTO StringIds VALUES (1, 'void gemm<float>(float*)'), (2, 'gemm'), (3, 'cudaLaunchKernel_v7000'), \
    (4, 'cudaGraphLaunch_v10000'), (5, 'step[EXTEND bs=1 toks=100]');";
const NVTX: &str = "CREATE TABLE NVTX_EVENTS (start INTEGER, \"end\" INTEGER, eventType INTEGER, text TEXT, \
    globalTid INTEGER, textId INTEGER);";

/// A `globalTid`; with thread 0 a `globalPid`.
fn global(pid: i64, tid: i64) -> i64 {
    (1 << 56) | (pid << 24) | tid
}

struct Made {
    folder: tempfile::TempDir,
    path: PathBuf,
}

fn made(sql: &[&str]) -> Made {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("report 1?.sqlite");
    let database = Connection::open(&path).expect("a database");
    for part in sql {
        database.execute_batch(part).expect(part);
    }
    drop(database);
    Made { folder, path }
}

fn message(path: &Path) -> String {
    read::read(path).expect_err("an error").to_string()
}

#[test]
fn equal_correlation_ids_of_several_processes_stay_apart() {
    let (a, b) = (global(100, 0), global(200, 0));
    let rows = format!(
        "INSERT INTO CUPTI_ACTIVITY_KIND_KERNEL VALUES \
           (100, 150, 0, 1, 7, 1, {a}, 1, 2, 4, 2, 1, 128, 1, 1, 32, 16, 48, NULL), \
           (120, 180, 0, 1, 7, 1, {b}, 1, 2, 4, 2, 1, 128, 1, 1, 32, 16, 48, NULL); \
         INSERT INTO CUPTI_ACTIVITY_KIND_RUNTIME VALUES \
           (10, 20, {}, 1, 3), (30, 40, {}, 1, 3);",
        global(100, 5),
        global(200, 6)
    );
    let made = made(&[KERNEL, RUNTIME, STRINGS, &rows]);
    let trace = read::read(&made.path).expect("a trace");
    let analysis = Analysis::new(&trace, Options::default());
    let pids: Vec<&str> = (0..2)
        .map(|event| {
            trace.threads[trace.calls.thread[analysis.links.call(event).expect("a call")] as usize]
                .pid
                .as_str()
        })
        .collect();
    assert_eq!(pids, ["100", "200"]);
    let geometry = trace.geometries[trace.gpu.geometry[0] as usize];
    assert_eq!((geometry.grid, geometry.block), ([4, 2, 1], [128, 1, 1]));
    assert_eq!((geometry.registers, geometry.shared), (32, 64));
    // One device, two streams of the same number: they overlap for 30 ns.
    let devices = view::devices::build(&analysis);
    assert_eq!(devices[0].streams, ["7 of process 100", "7 of process 200"]);
    assert_eq!((devices[0].busy_ns, devices[0].overlap_ns), (80, 30));
}

#[test]
fn the_devices_of_processes_are_gpus() {
    let (a, b) = (global(100, 0), global(200, 0));
    let rows = format!(
        "INSERT INTO CUPTI_ACTIVITY_KIND_KERNEL VALUES \
           (100, 150, 0, 1, 7, 1, {a}, 1, 2, 1, 1, 1, 1, 1, 1, 0, 0, 0, NULL), \
           (100, 180, 0, 1, 7, 1, {b}, 1, 2, 1, 1, 1, 1, 1, 1, 0, 0, 0, NULL); \
         CREATE TABLE TARGET_INFO_GPU (id INTEGER, name TEXT, smCount INTEGER, totalMemory INTEGER); \
         INSERT INTO TARGET_INFO_GPU VALUES (0, 'GPU A', 132, 80), (1, 'GPU B', 108, 40); \
         CREATE TABLE TARGET_INFO_CUDA_DEVICE (gpuId INTEGER, cudaId INTEGER, pid INTEGER); \
         INSERT INTO TARGET_INFO_CUDA_DEVICE VALUES (1, 0, 100), (0, 0, 200);"
    );
    let made = made(&[KERNEL, STRINGS, &rows]);
    let trace = read::read(&made.path).expect("a trace");
    let devices = view::devices::build(&Analysis::new(&trace, Options::default()));
    let shown: Vec<_> = devices
        .iter()
        .map(|device| (device.device.as_str(), device.name.as_deref(), device.sum_ns))
        .collect();
    assert_eq!(shown, [("0", Some("GPU A"), 80), ("1", Some("GPU B"), 50)]);
    assert_eq!(trace.head.device_properties[1]["numSms"], 108);
}

#[test]
fn ranges_by_text_and_by_id_name_the_steps() {
    let thread = global(100, 5);
    let rows = format!(
        "INSERT INTO NVTX_EVENTS VALUES (0, 100, 59, 'step[DECODE bs=32]', {thread}, NULL), \
           (10, 90, 59, 'layer', {thread}, NULL), (100, 200, 60, NULL, {thread}, 5), \
           (100, NULL, 59, 'open', {thread}, NULL), (5, NULL, 34, 'a mark', {thread}, NULL), \
           (101, 110, 59, 'aten::mm, seq = 1, op_id = 7, sizes = [[2, 3]]', {thread}, NULL); \
         INSERT INTO CUPTI_ACTIVITY_KIND_RUNTIME VALUES (20, 25, {thread}, 1, 3), (102, 105, {thread}, 2, 3); \
         INSERT INTO CUPTI_ACTIVITY_KIND_KERNEL VALUES \
           (150, 160, 0, 1, 7, 1, {0}, 1, 2, 1, 1, 1, 1, 1, 1, 0, 0, 0, NULL), \
           (170, 190, 0, 1, 7, 2, {0}, 1, 2, 1, 1, 1, 1, 1, 1, 0, 0, 0, NULL);",
        global(100, 0)
    );
    let made = made(&[KERNEL, RUNTIME, STRINGS, NVTX, &rows]);
    let trace = read::read(&made.path).expect("a trace");
    let analysis = Analysis::new(&trace, Options::default());
    assert_eq!([analysis.stage(0), analysis.stage(1)], [Stage::Decode, Stage::Prefill]);
    assert_eq!((trace.annotations.len(), trace.ops.len(), trace.reading.without_time), (3, 1, 1));
    assert_eq!([analysis.op_name(0), analysis.op_name(1)], [None, Some("aten::mm")]);
    assert_eq!(trace.text(trace.ops.dims[0]), "[[2, 3]]");
}

#[test]
fn old_exports_lack_processes_and_long_names() {
    let made = made(&[
        "CREATE TABLE StringIds (id INTEGER PRIMARY KEY, value TEXT); \
         INSERT INTO StringIds VALUES (1, 'gemm'), (2, 'cudaLaunchKernel'); \
         CREATE TABLE CUPTI_ACTIVITY_KIND_KERNEL (start INTEGER, \"end\" INTEGER, deviceId INTEGER, streamId INTEGER, \
           correlationId INTEGER, shortName INTEGER); \
         INSERT INTO CUPTI_ACTIVITY_KIND_KERNEL VALUES (100, 150, 0, 7, 9, 1), (160, 160, 0, 7, 10, 1), \
           (NULL, 170, 0, 7, 11, 1), (180, 181, 0, 7, 12, 99);",
        RUNTIME,
        "INSERT INTO CUPTI_ACTIVITY_KIND_RUNTIME VALUES (10, 20, 16777221, 9, 2);",
    ]);
    let trace = read::read(&made.path).expect("a trace");
    let analysis = Analysis::new(&trace, Options::default());
    assert_eq!([analysis.raw_name(0), analysis.raw_name(1)], ["gemm", "kernel without a name"]);
    assert_eq!(analysis.links.call(0), Some(0));
    assert_eq!((trace.reading.empty_gpu_events, trace.reading.without_time), (1, 1));
}

#[test]
fn without_a_process_nothing_is_linked_among_several() {
    let made = made(&[
        "CREATE TABLE CUPTI_ACTIVITY_KIND_KERNEL (start INTEGER, \"end\" INTEGER, deviceId INTEGER, streamId INTEGER, \
           correlationId INTEGER, shortName TEXT); \
         INSERT INTO CUPTI_ACTIVITY_KIND_KERNEL VALUES (100, 150, 0, 7, 9, 'gemm');",
        RUNTIME,
        &format!(
            "INSERT INTO CUPTI_ACTIVITY_KIND_RUNTIME VALUES (10, 20, {}, 9, 2), (11, 20, {}, 9, 2);",
            global(1, 1),
            global(2, 2)
        ),
    ]);
    let trace = read::read(&made.path).expect("a trace");
    let analysis = Analysis::new(&trace, Options::default());
    assert_eq!((analysis.links.call(0), analysis.raw_name(0)), (None, "gemm"));
}

#[test]
fn nodes_of_a_graph_keep_their_place_when_it_is_instantiated_again() {
    let (pid, tid) = (global(100, 0), global(100, 5));
    let rows = format!(
        "CREATE TABLE CUDA_GRAPH_NODE_EVENTS (start INTEGER, \"end\" INTEGER, globalTid INTEGER, nameId INTEGER, \
           graphNodeId INTEGER, originalGraphNodeId INTEGER); \
         INSERT INTO CUDA_GRAPH_NODE_EVENTS VALUES (1, 2, {tid}, 1, 40, NULL), (2, 3, {tid}, 1, 50, 40), \
           (3, 4, {tid}, 1, 60, 40), (3, 4, {tid}, 1, 70, 80), (3, 4, {tid}, 1, 80, 70); \
         INSERT INTO CUPTI_ACTIVITY_KIND_RUNTIME VALUES (10, 20, {tid}, 1, 4), (30, 40, {tid}, 2, 4); \
         INSERT INTO CUPTI_ACTIVITY_KIND_KERNEL VALUES \
           (100, 110, 0, 1, 7, 1, {pid}, 1, 2, 1, 1, 1, 1, 1, 1, 0, 0, 0, 50), \
           (200, 210, 0, 1, 7, 2, {pid}, 1, 2, 1, 1, 1, 1, 1, 1, 0, 0, 0, 60), \
           (220, 230, 0, 1, 7, 2, {pid}, 1, 2, 1, 1, 1, 1, 1, 1, 0, 0, 0, 70);"
    );
    let made = made(&[KERNEL, RUNTIME, STRINGS, &rows]);
    let trace = read::read(&made.path).expect("a trace");
    let analysis = Analysis::new(&trace, Options::default());
    assert!((0..3).all(|event| analysis.links.in_graph(event)));
    let nodes = &trace.gpu.graph_node;
    assert!(nodes[0].is_some() && nodes[0] == nodes[1] && nodes[1] != nodes[2]);
    let integrity = view::integrity::build(&analysis);
    assert!(!integrity.concerns.iter().any(|concern| concern.id == "whole-graphs"));
}

#[test]
fn whole_graphs_and_losses_are_concerns() {
    let (pid, tid) = (global(100, 0), global(100, 5));
    let rows = format!(
        "CREATE TABLE CUPTI_ACTIVITY_KIND_GRAPH_TRACE (start INTEGER, \"end\" INTEGER, deviceId INTEGER, \
           graphId INTEGER, contextId INTEGER, streamId INTEGER, correlationId INTEGER, globalPid INTEGER); \
         INSERT INTO CUPTI_ACTIVITY_KIND_GRAPH_TRACE VALUES (100, 175, 0, 3, 1, 7, 1, {pid}); \
         INSERT INTO CUPTI_ACTIVITY_KIND_RUNTIME VALUES (10, 20, {tid}, 1, 4), (30, 40, {tid}, 2, 3); \
         INSERT INTO CUPTI_ACTIVITY_KIND_KERNEL VALUES \
           (200, 225, 0, 1, 7, 2, {pid}, 1, 2, 1, 1, 1, 1, 1, 1, 0, 0, 0, NULL); \
         CREATE TABLE DIAGNOSTIC_EVENT (timestamp INTEGER, severity INTEGER, text TEXT); \
         INSERT INTO DIAGNOSTIC_EVENT VALUES (1, 2, 'Number of CUPTI events dropped: 12'), \
           (1, 2, 'Not all CUDA events might have been collected.'), \
           (2, 2, 'Not all CUDA events might have been collected.');"
    );
    let made = made(&[KERNEL, RUNTIME, STRINGS, &rows]);
    let trace = read::read(&made.path).expect("a trace");
    let analysis = Analysis::new(&trace, Options::default());
    assert_eq!(analysis.raw_name(0), "CUDA graph 3 (whole replay)");
    assert!(analysis.links.in_graph(0));
    let integrity = view::integrity::build(&analysis);
    let concern = |id: &str| {
        integrity.concerns.iter().find(|concern| concern.id == id).unwrap_or_else(|| panic!("no {id}"))
    };
    assert!(concern("whole-graphs").message.contains("1 graph replays (75.0 % of the GPU time)"));
    assert!(concern("whole-graphs").help.contains("--cuda-graph-trace=node"));
    assert!(concern("lost-events").message.contains("lost 12 events"));
    assert_eq!(trace.reading.warnings.len(), 1);
    assert!(!concern("profiler-warnings").fatal);
    assert!(integrity.withheld.iter().any(|withheld| withheld.verdict == "kernels within graph replays"));
}

#[test]
fn copies_are_named_as_in_other_traces() {
    let made = made(&["CREATE TABLE ENUM_CUDA_MEM_KIND (id INTEGER, name TEXT, label TEXT); \
         INSERT INTO ENUM_CUDA_MEM_KIND VALUES (1, 'X', 'Pinned'), (2, 'Y', 'Device'); \
         CREATE TABLE CUPTI_ACTIVITY_KIND_MEMCPY (start INTEGER, \"end\" INTEGER, deviceId INTEGER, streamId INTEGER, \
           bytes INTEGER, copyKind INTEGER, srcKind INTEGER, dstKind INTEGER); \
         INSERT INTO CUPTI_ACTIVITY_KIND_MEMCPY VALUES (0, 5, 0, 7, 64, 1, 1, 2), (6, 9, 0, 7, 32, 8, NULL, 2); \
         CREATE TABLE CUPTI_ACTIVITY_KIND_MEMSET (start INTEGER, \"end\" INTEGER, deviceId INTEGER, streamId INTEGER, \
           bytes INTEGER, memKind INTEGER); \
         INSERT INTO CUPTI_ACTIVITY_KIND_MEMSET VALUES (10, 12, 0, 7, 16, 2);"]);
    let trace = read::read(&made.path).expect("a trace");
    let names: Vec<&str> = trace.gpu.name.iter().map(|&name| trace.text(name)).collect();
    assert_eq!(names, ["Memcpy HtoD (Pinned -> Device)", "Memcpy DtoD", "Memset (Device)"]);
    assert_eq!(trace.gpu.bytes, [64, 32, 16]);
}

#[test]
fn an_export_without_kernels_is_a_trace_that_says_so() {
    let made = made(&[STRINGS, "CREATE TABLE META_DATA_EXPORT (name TEXT, value TEXT);"]);
    let trace = read::read(&made.path).expect("a trace");
    let integrity = view::integrity::build(&Analysis::new(&trace, Options::default()));
    assert!(!integrity.sound && integrity.concerns[0].id == "no-gpu-events");
}

#[test]
fn other_databases_are_no_traces() {
    let other = made(&["CREATE TABLE users (id INTEGER); CREATE TABLE orders (id INTEGER);"]);
    let error = read::read(&other.path).expect_err("no trace");
    assert!(matches!(error, TraceError::NotATrace { .. }));
    assert!(
        error.to_string().contains("no export of Nsight Systems: it has the tables `users`, `orders`"),
        "{error}"
    );
    let column = made(&["CREATE TABLE CUPTI_ACTIVITY_KIND_KERNEL (start INTEGER, name TEXT);"]);
    assert!(message(&column.path).contains("its table `CUPTI_ACTIVITY_KIND_KERNEL` has no column `end`"));
}

#[test]
fn damaged_databases_are_told_apart() {
    let whole = made(&[
        KERNEL,
        STRINGS,
        "CREATE TABLE filler (x TEXT); INSERT INTO filler VALUES (zeroblob(60000));",
    ]);
    let bytes = std::fs::read(&whole.path).expect("bytes");
    let cut = whole.folder.path().join("cut.sqlite");
    for len in [16, 99, 100, 4096, bytes.len() / 2, bytes.len() - 1] {
        std::fs::write(&cut, &bytes[..len]).expect("a file");
        assert!(message(&cut).contains("it is cut off"), "{len}: {}", message(&cut));
    }
    // The list of tables is overwritten, the length is right.
    let mut garbage = bytes.clone();
    garbage[100..4096].fill(0xa5);
    std::fs::write(&cut, &garbage).expect("a file");
    assert!(matches!(read::read(&cut), Err(TraceError::Database { .. })));
}

#[test]
fn damage_anywhere_is_an_error_or_a_trace() {
    let rows = format!(
        "INSERT INTO CUPTI_ACTIVITY_KIND_KERNEL VALUES (100, 150, 0, 1, 7, 1, {}, 1, 2, 1, 1, 1, 1, 1, 1, 0, 0, 0, 5), \
           (0, 9223372036854775807, 0, 1, 7, 1, 0, 1, 2, 1, 1, 1, 1, 1, 1, 0, 0, 0, 5); \
         INSERT INTO NVTX_EVENTS VALUES (0, 100, 59, 'step[DECODE bs=32]', {}, NULL);",
        global(1, 0),
        global(1, 1)
    );
    let made = made(&["PRAGMA page_size = 512;", KERNEL, RUNTIME, STRINGS, NVTX, &rows]);
    let bytes = std::fs::read(&made.path).expect("bytes");
    let damaged = made.folder.path().join("damaged.sqlite");
    let (mut errors, mut traces) = (0, 0);
    for place in (16..bytes.len()).step_by(11) {
        let mut copy = bytes.clone();
        copy[place] = copy[place].wrapping_add(97);
        std::fs::write(&damaged, &copy).expect("a file");
        match read::read(&damaged) {
            Ok(trace) => {
                view::integrity::build(&Analysis::new(&trace, Options::default()));
                traces += 1;
            }
            Err(error) => {
                assert!(error.to_string().contains("damaged.sqlite"), "{error}");
                errors += 1;
            }
        }
    }
    assert!(errors > 0 && traces > 0, "{errors} errors, {traces} traces");
}

#[test]
fn a_database_at_work_is_not_read() {
    let made = made(&[KERNEL, STRINGS]);
    let writer = Connection::open(&made.path).expect("a database");
    writer.execute_batch("BEGIN EXCLUSIVE").expect("a lock");
    assert!(message(&made.path).contains("another program has locked it"), "{}", message(&made.path));
    writer.execute_batch("ROLLBACK").expect("an end");
    drop(writer);
    assert!(read::read(&made.path).is_ok());
    let mut beside = made.path.clone().into_os_string();
    beside.push("-wal");
    std::fs::write(&beside, "a log").expect("a file");
    assert!(message(&made.path).contains("lies beside it"));
}

#[test]
fn reading_leaves_nothing_behind() {
    let made = made(&["PRAGMA journal_mode = WAL;", KERNEL, STRINGS]);
    read::read(&made.path).expect("a trace");
    let names: Vec<_> = std::fs::read_dir(made.folder.path()).expect("a folder").collect();
    assert_eq!(names.len(), 1, "{names:?}");
}
