//! What stands around the events: the description of the machine, names of processes and threads, the window.

use super::device::stream_ids;
use super::json::{Cat, Json, Track};
use super::recipe::{Annotations, Recipe, Schema, Vendor};

/// The inside of the root object before the events.
pub(super) fn head(recipe: &Recipe) -> String {
    let nvidia = recipe.vendor == Vendor::Nvidia;
    let device = if nvidia { nvidia_device } else { amd_device };
    let devices: Vec<String> = (0..recipe.world.min(8)).map(device).collect();
    let ranks: Vec<String> = (0..recipe.world).map(|rank| rank.to_string()).collect();
    let versions = if nvidia {
        "\"cupti_version\": 24, \"cuda_runtime_version\": 12080, \"cuda_driver_version\": 12080"
    } else {
        "\"roctracer_version\": 4.1, \"hip_runtime_version\": 70253211, \"hip_driver_version\": 70253211"
    };
    let (rank, world, ranks) = (recipe.rank, recipe.world, ranks.join(", "));
    let group = format!(
        "{{\"pg_name\": \"0\", \"pg_desc\": \"default_pg\", \"backend_config\": \"cuda:nccl\", \"pg_size\": {world}, \"ranks\": [{ranks}]}}"
    );
    let mut parts =
        vec!["\"schemaVersion\": 1".to_owned(), format!("\"deviceProperties\": [{}]", devices.join(", "))];
    if recipe.schema == Schema::Current {
        parts.push(versions.to_owned());
        parts.push(format!(
            "\"record_shapes\": {}, \"with_stack\": {}",
            u8::from(recipe.shapes),
            u8::from(recipe.stacks)
        ));
        parts.push(format!(
            "\"distributedInfo\": {{\"backend\": \"nccl\", \"rank\": {rank}, \"world_size\": {world}, \"pg_count\": 1, \"pg_config\": [{group}]}}"
        ));
        parts.push(format!("\"trace_id\": \"{:032X}\"", u128::from(recipe.seed) << 32 | u128::from(rank)));
        parts.push("\"displayTimeUnit\": \"ms\", \"baseTimeNanoseconds\": 1759622400000000000".to_owned());
    } else {
        parts.push(format!(
            "\"distributedInfo\": {{\"backend\": \"nccl\", \"rank\": {rank}, \"world_size\": {world}}}"
        ));
    }
    parts.join(", ")
}

/// The inside of the root object after the events.
pub(super) const TAIL: &str = "\"traceName\": \"/tmp/profile/generated.pt.trace.json\"";

fn nvidia_device(id: u32) -> String {
    format!(
        "{{\"id\": {id}, \"name\": \"NVIDIA H200\", \"totalGlobalMem\": 150121545728, \"computeMajor\": 9, \"computeMinor\": 0, \"maxThreadsPerBlock\": 1024, \"maxThreadsPerMultiprocessor\": 2048, \"regsPerBlock\": 65536, \"warpSize\": 32, \"sharedMemPerBlock\": 49152, \"numSms\": 132, \"regsPerMultiprocessor\": 65536, \"sharedMemPerBlockOptin\": 232448, \"sharedMemPerMultiprocessor\": 233472}}"
    )
}

fn amd_device(id: u32) -> String {
    format!(
        "{{\"id\": {id}, \"name\": \"AMD Instinct MI300X\", \"totalGlobalMem\": 206141652992, \"computeMajor\": 9, \"computeMinor\": 4, \"maxThreadsPerBlock\": 1024, \"maxThreadsPerMultiprocessor\": 2048, \"regsPerBlock\": 65536, \"warpSize\": 64, \"sharedMemPerBlock\": 65536, \"numSms\": 304, \"maxSharedMemoryPerMultiProcessor\": 65536}}"
    )
}

/// The last events: names, and the window of the recording.
pub(super) fn closing_events(json: &mut Json<'_>, recipe: &Recipe, (start, end): (u64, u64), poison: &[u8]) {
    let (process, device) = (recipe.process(), recipe.device());
    let server =
        if recipe.annotations == Annotations::Vllm { "VLLM::Worker_TP" } else { "sglang::scheduler_TP" };
    let processes = [
        (process, format!("{server}{}", recipe.rank), "CPU".to_owned(), process),
        (device, "python3".to_owned(), format!("GPU {device}"), 5_000_000 + device),
    ];
    for (pid, name, label, order) in processes {
        let track = Track::Thread { process: pid, thread: 0 };
        json.metadata("process_name", track, start);
        if pid == process && !poison.is_empty() {
            json.arg_poisoned("name", poison);
        } else {
            json.arg_text("name", &name);
        }
        json.end();
        json.metadata("process_labels", track, start);
        json.arg_text("labels", &label);
        json.end();
        json.metadata("process_sort_index", track, start);
        json.arg("sort_index", u64::from(order));
        json.end();
    }
    json.metadata("thread_name", Track::Thread { process, thread: process }, start);
    json.arg_text("name", &format!("thread {process} (python3)"));
    json.end();
    for stream in stream_ids(recipe.vendor) {
        json.metadata("thread_name", Track::Stream { device, stream }, start);
        json.arg_text("name", &format!("stream {stream} "));
        json.end();
    }
    window(json, recipe, start, end);
}

fn window(json: &mut Json<'_>, recipe: &Recipe, start: u64, end: u64) {
    let time = |ns: u64| match recipe.schema {
        Schema::Y2021 => (ns / 1000).to_string(),
        Schema::Current => format!("{}.{:03}", ns / 1000, ns % 1000),
    };
    let span = format!(
        "\"ph\": \"X\", \"cat\": \"Trace\", \"ts\": {}, \"dur\": {}, \"pid\": \"Spans\", \"tid\": \"PyTorch Profiler\", \"name\": \"PyTorch Profiler (0)\", \"args\": {{\"Op count\": 0}}",
        time(start),
        time(end - start)
    );
    json.literal(Cat::Trace, &span);
    let first = format!(
        "\"name\": \"Iteration Start: PyTorch Profiler\", \"ph\": \"i\", \"s\": \"g\", \"pid\": \"Traces\", \"tid\": \"Trace PyTorch Profiler\", \"ts\": {}",
        time(start)
    );
    json.literal(Cat::Instant, &first);
    let last = format!(
        "\"name\": \"Record Window End\", \"ph\": \"i\", \"s\": \"g\", \"pid\": \"\", \"tid\": \"\", \"ts\": {}",
        time(end)
    );
    json.literal(Cat::Instant, &last);
}
