//! The GPU's time, accounted for to the nanosecond.

use crate::sheet::{Block, Cell, Column, Figure, Remark, Section, Table, Tone};
use crate::svg::shares::{self, Bar};
use assay_trace::view::account::{DeviceAccount, GpuAccount, Part, Parts, WindowAccount};

/// Steps that people read.
const SHOWN: usize = 20;

/// All devices.
pub fn section(account: &GpuAccount) -> Section {
    let mut blocks = Vec::new();
    if let Some(reason) = &account.idle_causes_withheld {
        let text = format!("Withheld: causes of idle time, because {reason}.");
        blocks.push(Block::Remark(Remark { tone: Tone::Plain, text, help: None }));
    }
    for device in &account.devices {
        if let Some(waits) = &device.long_waits {
            let text = format!(
                "{} idle stretches on device {} are far longer than the others: {:.2} ms together, {:.1} % of the window, the longest {:.2} ms.",
                waits.count,
                device.device,
                waits.time_ns as f64 / 1e6,
                waits.share,
                waits.longest_ns as f64 / 1e6
            );
            blocks.push(Block::Remark(Remark { tone: Tone::Plain, text, help: None }));
        }
        blocks.push(Block::Table(rows(device)));
        blocks.push(Block::Figure(picture(device)));
        blocks.push(Block::Table(steps(device)));
    }
    Section { id: "account".to_owned(), title: "GPU time account".to_owned(), blocks }
}

/// Name of each part and its value; together they are the window, hidden time excepted.
fn parts(parts: &Parts) -> Vec<(&'static str, &'static str, Option<Part>)> {
    let causes = parts.idle_causes.as_ref();
    let idle = if causes.is_some() { None } else { Some(parts.idle) };
    vec![
        ("compute_us", "Compute", Some(parts.compute)),
        ("elementwise_us", "Elementwise", Some(parts.elementwise)),
        ("memory_us", "Memory kernels", Some(parts.memory_kernels)),
        ("other_us", "Other", Some(parts.other)),
        ("communication_exposed_us", "Communication exposed", Some(parts.communication_exposed)),
        ("copies_exposed_us", "Copies exposed", Some(parts.copies_exposed)),
        ("idle_host_us", "Idle: host-bound", causes.map(|causes| causes.host_bound)),
        ("idle_launch_us", "Idle: launch or queue", causes.map(|causes| causes.launch)),
        ("idle_sync_us", "Idle: synchronisation", causes.map(|causes| causes.sync)),
        ("idle_graph_us", "Idle: within graphs", causes.map(|causes| causes.graph)),
        ("idle_unknown_us", "Idle: cause unknown", causes.map(|causes| causes.unknown)),
        ("idle_us", "Idle", idle),
    ]
}

/// Every account of a device with its label.
fn accounts(device: &DeviceAccount) -> Vec<(String, &Parts)> {
    let mut all = vec![(format!("Device {}, whole window", device.device), &device.total)];
    for stage in &device.stages {
        let steps = crate::format::count(stage.steps as usize, "step");
        all.push((format!("{} ({steps})", stage.stage.title()), &stage.parts));
    }
    all.extend(device.between_steps.iter().map(|parts| ("between steps".to_owned(), parts)));
    all
}

fn rows(device: &DeviceAccount) -> Table {
    let mut columns = vec![
        Column::text("what", "What"),
        Column::number("window_us", "Window"),
        Column::number("busy_us", "Busy"),
    ];
    columns.extend(parts(&device.total).into_iter().map(|(key, title, _)| Column::number(key, title)));
    columns.push(Column::number("communication_hidden_us", "Communication hidden"));
    columns.push(Column::number("copies_hidden_us", "Copies hidden"));
    let share = |part: &Part| Cell { exact: Cell::us(part.ns).exact, shown: format!("{:.1} %", part.share) };
    let row = |(label, all): (String, &Parts)| {
        let mut row = vec![Cell::text(label), Cell::ms(all.window_ns), share(&all.busy)];
        row.extend(parts(all).into_iter().map(|(_, _, part)| part.as_ref().map_or_else(Cell::none, share)));
        row.extend([share(&all.communication_hidden), share(&all.copies_hidden)]);
        row
    };
    Table {
        id: format!("account-{}", file_name(&device.device)),
        caption: format!(
            "Device {}: shares of the window; busy parts and idle parts sum to it exactly",
            device.device
        ),
        columns,
        rows: accounts(device).into_iter().map(row).collect(),
        empty: String::new(),
    }
}

/// A device's label in the name of a file.
fn file_name(label: &str) -> String {
    label.chars().map(|letter| if letter.is_ascii_alphanumeric() { letter } else { '-' }).collect()
}

fn picture(device: &DeviceAccount) -> Figure {
    let bar = |(label, all): (String, &Parts)| Bar {
        label,
        parts: parts(all)
            .into_iter()
            .filter_map(|(_, title, part)| Some((title.to_owned(), part?.ns as f64)))
            .filter(|(_, ns)| *ns > 0.0)
            .collect(),
        whole: format!("{:.2} ms", all.window_ns as f64 / 1e6),
    };
    let bars: Vec<Bar> = accounts(device).into_iter().map(bar).collect();
    let caption = format!("Where the time of device {} went.", device.device);
    Figure {
        id: format!("account-{}", file_name(&device.device)),
        svg: shares::picture(&caption, &bars),
        caption,
    }
}

fn steps(device: &DeviceAccount) -> Table {
    let row = |window: &WindowAccount| {
        let (index, what) = match &window.step {
            Some(step) => (Cell::count(step.index), Cell::text(step.stage.title())),
            None => (Cell::none(), Cell::text("between steps")),
        };
        let share =
            |part: &Part| Cell { exact: Cell::us(part.ns).exact, shown: format!("{:.1} %", part.share) };
        vec![
            index,
            what,
            Cell::ms(window.parts.window_ns),
            share(&window.parts.busy),
            share(&window.parts.communication_exposed),
            share(&window.parts.communication_hidden),
            share(&window.parts.idle),
        ]
    };
    let left_out = device.windows.len().saturating_sub(SHOWN);
    let more = if left_out == 0 {
        String::new()
    } else {
        format!("; the first {SHOWN} of {} are shown", device.windows.len())
    };
    Table {
        id: format!("account-steps-{}", file_name(&device.device)),
        caption: format!("Device {} step by step{more}", device.device),
        columns: vec![
            Column::number("step", "#"),
            Column::text("what", "What"),
            Column::number("window_us", "Window"),
            Column::number("busy_us", "Busy"),
            Column::number("communication_exposed_us", "Communication exposed"),
            Column::number("communication_hidden_us", "Communication hidden"),
            Column::number("idle_us", "Idle"),
        ],
        rows: device.windows.iter().take(SHOWN).map(row).collect(),
        empty: "No step is known.".to_owned(),
    }
}
