//! GPUs as `nvidia-smi` tells of them. Must not change them.

use assay_run::{CommandLine, Exit, StepCtx};
use std::time::Duration;

/// `nvidia-smi` takes seconds where it has to wake the driver.
const TIMEOUT: Duration = Duration::from_secs(30);
/// Time between two looks at memory that is to become free.
const INTERVAL: Duration = Duration::from_millis(500);
/// Memory above the level before that counts as back at it, in MiB: what the driver itself may take and give.
const SLACK_MIB: u64 = 32;

/// One GPU.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Gpu {
    /// Physical id.
    pub id: u32,
    /// What processes name it by.
    pub uuid: String,
    /// Memory in use.
    pub memory_mib: u64,
    /// In percent. Some devices do not tell (`[N/A]`), such as one split into instances.
    pub utilisation: Option<u64>,
}

impl Gpu {
    /// From a line of [`FIELDS`].
    pub(crate) fn read(line: &str) -> Option<Self> {
        let mut fields = line.split(',').map(str::trim);
        Some(Self {
            id: fields.next()?.parse().ok()?,
            uuid: fields.next()?.to_owned(),
            memory_mib: fields.next()?.parse().ok()?,
            utilisation: fields.next()?.parse().ok(),
        })
    }
}

/// The fields of a [`Gpu`].
pub(crate) const FIELDS: &str = "--query-gpu=index,uuid,memory.used,utilization.gpu";
/// The fields of a process on a GPU.
pub(crate) const APPS: &str = "--query-compute-apps=gpu_uuid,pid,process_name";

/// Asks `nvidia-smi`.
///
/// # Errors
/// It is not there or does not answer, in words.
pub(crate) async fn query(cx: &StepCtx, what: &str) -> Result<String, String> {
    let argv = ["nvidia-smi", what, "--format=csv,noheader,nounits"].map(str::to_owned);
    let said = cx
        .capture(&CommandLine::new(argv.into()), TIMEOUT)
        .await
        .map_err(|error| format!("no GPU can be looked at: {error}"))?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
    match said.exit {
        Exit::Code(0) => Ok(text(&said.stdout)),
        _ if said.timed_out => Err(format!("`nvidia-smi` said nothing within {} s", TIMEOUT.as_secs())),
        exit => {
            let words = [text(&said.stdout), text(&said.stderr)];
            let words = words.iter().find(|words| !words.is_empty()).map_or("", String::as_str);
            let how = match exit {
                Exit::Code(code) => format!("exit {code}"),
                Exit::Signal(signal) => format!("signal {signal}"),
            };
            Err(format!("`nvidia-smi` ended with {how}: {}", crate::config::excerpt(words, 300)))
        }
    }
}

/// Who uses a GPU, of the lines of [`APPS`]: `pid, name`.
pub(crate) fn users<'t>(gpu: &Gpu, apps: &'t str) -> Vec<&'t str> {
    let lines = apps.lines().filter_map(|line| line.split_once(','));
    lines.filter(|(uuid, _)| uuid.trim() == gpu.uuid).map(|(_, user)| user.trim()).collect()
}

/// The leased GPUs as they are now; `None` without a lease, or where nobody tells.
pub(crate) async fn leased(cx: &StepCtx) -> Option<Vec<Gpu>> {
    if cx.gpus.is_empty() {
        return None;
    }
    let text = query(cx, FIELDS).await.ok()?;
    let gpus: Option<Vec<Gpu>> = text.lines().filter(|line| !line.trim().is_empty()).map(Gpu::read).collect();
    Some(gpus?.into_iter().filter(|gpu| cx.gpus.contains(&gpu.id)).collect())
}

/// Waits until the leased GPUs hold no more memory than before.
///
/// # Errors
/// What is left after `limit`.
pub(crate) async fn given_back(cx: &StepCtx, before: &[Gpu], limit: Duration) -> Result<(), String> {
    let end = tokio::time::Instant::now() + limit;
    loop {
        let Some(now) = leased(cx).await else { return Ok(()) };
        let Some(left) = still_held(before, &now) else { return Ok(()) };
        if tokio::time::Instant::now() >= end {
            let apps = query(cx, APPS).await.unwrap_or_default();
            let users: Vec<&str> = now.iter().flat_map(|gpu| users(gpu, &apps)).collect();
            let by =
                if users.is_empty() { String::new() } else { format!(", used by {}", users.join(" and ")) };
            let waited = limit.as_secs_f64();
            return Err(format!("{left} {waited} s after the last process of the server had ended{by}"));
        }
        tokio::time::sleep(INTERVAL).await;
    }
}

/// The GPUs that hold more than before, in words.
fn still_held(before: &[Gpu], now: &[Gpu]) -> Option<String> {
    let level = |id: u32| before.iter().find(|gpu| gpu.id == id).map_or(0, |gpu| gpu.memory_mib);
    let more = now.iter().filter(|gpu| gpu.memory_mib > level(gpu.id) + SLACK_MIB);
    let words: Vec<String> = more
        .map(|gpu| {
            format!(
                "GPU {} still held {} MiB, {} MiB before the launch,",
                gpu.id,
                gpu.memory_mib,
                level(gpu.id)
            )
        })
        .collect();
    (!words.is_empty()).then(|| words.join(" "))
}

#[cfg(test)]
mod tests {
    use super::{Gpu, still_held, users};

    fn gpus(text: &str) -> Vec<Gpu> {
        text.lines().map(|line| Gpu::read(line).unwrap()).collect()
    }

    #[test]
    fn memory_is_back_at_the_level_before_and_not_at_zero() {
        let before = gpus("0, GPU-aa, 900, 0\n1, GPU-bb, 4, [N/A]\n");
        assert_eq!(still_held(&before, &gpus("0, GPU-aa, 910, 0\n1, GPU-bb, 30, 0\n")), None);
        let left = still_held(&before, &gpus("0, GPU-aa, 900, 0\n1, GPU-bb, 70000, 0\n")).unwrap();
        assert!(
            left.contains("GPU 1 still held 70000 MiB, 4 MiB before") && !left.contains("GPU 0"),
            "{left}"
        );
    }

    #[test]
    fn users_are_those_of_the_gpu() {
        let gpu = Gpu::read("1, GPU-bb, 3, [N/A]").unwrap();
        assert_eq!(users(&gpu, "GPU-aa, 1, a\nGPU-bb, 4711, python3\n"), ["4711, python3"]);
        assert!(Gpu::read("No devices were found").is_none());
    }
}
