//! What the driver's own program (`nvidia-smi`) says of a device while it is measured: clocks, temperature, whether it holds itself
//! back. Reads only; nothing here sets a clock.

use crate::build::Toolkit;
use crate::worker::Launcher;
use assay_process::{Background, CaptureLimits, Io, Spawn};
use indexmap::IndexMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// What is asked for, in the order of the answer.
const QUERY: &str =
    "--query-gpu=driver_version,clocks.sm,clocks.mem,temperature.gpu,clocks_event_reasons.active";
/// Longest answer.
const LIMIT: Duration = Duration::from_secs(10);
/// Largest change of the clock of the multiprocessors within a process pair, as a share.
const CHANGE: f64 = 0.02;
/// The reason of a device that has nothing to do: it lets its clocks fall, however fast it works when it has.
const IDLE: u64 = 0x1;
/// Reasons for a lower clock (NVML, `nvmlClocksEventReasons`) that make times worthless: hardware slowdown, thermal slowdown by
/// software and by hardware, power brake. A power cap shows as a change of the clock.
const REASONS: [(u64, &str); 4] = [
    (0x8, "hardware slowdown"),
    (0x20, "thermal slowdown by the driver"),
    (0x40, "thermal slowdown by the hardware"),
    (0x80, "power brake"),
];

/// State of a device at one moment.
#[derive(Debug, Clone, PartialEq)]
pub struct State {
    /// Version of the driver.
    pub driver: String,
    /// Clock of the multiprocessors, in MHz.
    pub sm: f64,
    /// Clock of the memory, in MHz.
    pub memory: f64,
    /// Temperature, in degrees Celsius.
    pub celsius: f64,
    /// Why clocks are lower than they could be, one bit each.
    pub reasons: u64,
}

/// What was seen of a device over a judgement.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Gpu {
    /// Version of the driver; empty where nobody told.
    pub driver: String,
    /// States in their order.
    pub states: Vec<State>,
    /// Process pairs that were left out because of them.
    pub dropped: usize,
}

impl Gpu {
    /// Takes note of a state.
    pub fn saw(&mut self, state: State) {
        self.driver.clone_from(&state.driver);
        self.states.push(state);
    }

    /// Ranges by name, in MHz and degrees Celsius, for the row.
    pub fn clocks(&self) -> IndexMap<String, f64> {
        let mut clocks = IndexMap::new();
        type Figure = fn(&State) -> f64;
        let figures: [(&str, Figure); 3] =
            [("sm", |state| state.sm), ("memory", |state| state.memory), ("celsius", |state| state.celsius)];
        for (name, figure) in figures {
            let all = self.states.iter().map(figure);
            if let (Some(least), Some(most)) = (all.clone().reduce(f64::min), all.reduce(f64::max)) {
                clocks.insert(format!("{name}_min"), least);
                clocks.insert(format!("{name}_max"), most);
            }
        }
        clocks
    }
}

/// Asks for the state of one device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Smi {
    program: PathBuf,
    /// `--id=...`: what follows a long option behind a space is not its value.
    device: String,
    env: Vec<(OsString, OsString)>,
}

impl Smi {
    /// For a device; `None` where the program is not here. It loads a library of the driver, which lies where workers find theirs.
    pub fn find(toolkit: &Toolkit, launcher: &Launcher, uuid: &str) -> Option<Self> {
        let program = toolkit.program("nvidia-smi")?;
        let path = ("PATH".into(), "/usr/bin:/bin".into());
        let env = [path].into_iter().chain(launcher.searched()).collect();
        Some(Self { program, device: format!("--id={uuid}"), env })
    }

    /// The state now; `None` where the program does not tell it.
    pub fn state(&self) -> Option<State> {
        let words = [QUERY, "--format=csv,noheader,nounits", &self.device];
        let argv = std::iter::once(self.program.clone().into_os_string());
        let spawn = Spawn {
            program: self.program.clone(),
            argv: argv.chain(words.iter().map(Into::into)).collect(),
            env: self.env.clone(),
            cwd: Path::new("/").to_owned(),
            stdin: Io::Null,
            ..Spawn::default()
        };
        let limits = CaptureLimits { timeout: LIMIT, bytes: 1 << 16 };
        let ended = Background::shared().ok()?.output(spawn, limits).ok()?;
        if !ended.exit.success() {
            return None;
        }
        parse(&String::from_utf8_lossy(&ended.stdout))
    }
}

/// `580.65.06, 1980, 2619, 41, 0x0000000000000000`.
fn parse(text: &str) -> Option<State> {
    let fields: Vec<&str> = text.lines().next()?.split(',').map(str::trim).collect();
    let [driver, sm, memory, celsius, reasons] = fields[..] else { return None };
    let number = |text: &str| text.parse::<f64>().ok();
    let reasons = u64::from_str_radix(reasons.strip_prefix("0x")?, 16).ok()?;
    Some(State {
        driver: driver.to_owned(),
        sm: number(sm)?,
        memory: number(memory)?,
        celsius: number(celsius)?,
        reasons,
    })
}

/// Why a process pair between two states cannot be counted.
pub fn disturbed(before: &State, after: &State) -> Option<String> {
    let reasons = before.reasons | after.reasons;
    if let Some((_, name)) = REASONS.iter().find(|(bit, _)| reasons & bit != 0) {
        return Some(format!("the device held itself back: {name}, at {:.0} degrees", after.celsius));
    }
    // The program is asked between blocks: what an idle clock has come down to by then says nothing about them.
    if reasons & IDLE != 0 {
        return None;
    }
    let change = (after.sm - before.sm).abs() / before.sm.max(1.0);
    (change > CHANGE).then(|| format!("its clock went from {:.0} to {:.0} MHz", before.sm, after.sm))
}

#[cfg(test)]
mod tests {
    use super::{Gpu, State, disturbed, parse};

    fn state(sm: f64, reasons: u64) -> State {
        State { driver: "580.65.06".to_owned(), sm, memory: 2619.0, celsius: 41.0, reasons }
    }

    #[test]
    fn the_program_s_line_is_read_or_refused() {
        let read = parse("580.65.06, 1980, 2619, 41, 0x0000000000000004\n");
        assert_eq!(read, Some(state(1980.0, 4)));
        for wrong in ["", "580, 1, 2, 3", "580, [N/A], 2, 3, 0x0", "580, 1, 2, 3, 0", "No devices were found"]
        {
            assert_eq!(parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn two_percent_or_a_throttle_bit_disturb() {
        assert_eq!(disturbed(&state(1980.0, 0), &state(1950.0, 0)), None);
        assert!(disturbed(&state(1980.0, 0), &state(1935.0, 0)).is_some_and(|why| why.contains("1935")));
        assert!(
            disturbed(&state(1980.0, 0x40), &state(1980.0, 0)).is_some_and(|why| why.contains("thermal"))
        );
        // Nor an idle device that has let its clock fall, unless it was too hot before.
        assert_eq!(disturbed(&state(1980.0, 0), &state(345.0, 1)), None);
        assert!(disturbed(&state(1980.0, 0x40), &state(345.0, 1)).is_some());
        // A power cap alone is none.
        assert_eq!(disturbed(&state(1980.0, 4), &state(1980.0, 4)), None);
    }

    #[test]
    fn a_row_tells_ranges() {
        let mut gpu = Gpu::default();
        assert!(gpu.clocks().is_empty());
        gpu.saw(state(1980.0, 0));
        gpu.saw(state(1965.0, 0));
        assert_eq!(
            (gpu.clocks()["sm_min"], gpu.clocks()["sm_max"], gpu.clocks()["celsius_max"]),
            (1965.0, 1980.0, 41.0)
        );
        assert_eq!(gpu.driver, "580.65.06");
    }
}
