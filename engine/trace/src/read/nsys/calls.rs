//! Calls into the CUDA runtime and driver. Today's nsys writes both into one table; a few versions had two.

use super::{Database, Import, id};
use crate::error::TraceError;
use crate::store::Call;

const TABLES: [&str; 2] = ["CUPTI_ACTIVITY_KIND_RUNTIME", "CUPTI_ACTIVITY_KIND_DRIVER"];
const COLUMNS: [&str; 5] = ["start", "end", "globalTid", "correlationId", "nameId"];

pub fn read(database: &Database, import: &mut Import) -> Result<(), TraceError> {
    for table in TABLES {
        database.scan(table, &COLUMNS, 2, |row| {
            let Some((start, dur)) = import.times(row) else { return };
            let (thread, process) = import.places.thread(row.int(2));
            let name = import.strings.name(database, &mut import.trace.names, row, &[4]);
            let name = match name {
                Some(name) => {
                    let text = import.trace.names.text(name);
                    // The versioned name stays in the table of names, where nothing points at it.
                    if plain(text).len() == text.len() { name } else { import.renamed(name) }
                }
                None => import.trace.names.intern("CUDA call without a name"),
            };
            let correlation = id(Some(process), row.int(3));
            import.trace.calls.push(Call { start, dur, name, thread, correlation, external: id(None, None) });
        })?;
        import.strings.check()?;
    }
    Ok(())
}

impl Import {
    fn renamed(&mut self, name: crate::intern::NameId) -> crate::intern::NameId {
        let plain = plain(self.trace.names.text(name)).to_owned();
        self.trace.names.intern(&plain)
    }
}

/// The function's own name: nsys appends the CUDA version of its signature (`cudaLaunchKernel_v7000`), and per-thread
/// streams another ending. Names of the driver (`cuMemcpyHtoDAsync_v2`) are the API's own.
fn plain(name: &str) -> &str {
    if !name.starts_with("cuda") {
        return name;
    }
    let versioned =
        |(_, version): &(&str, &str)| version.len() >= 4 && version.bytes().all(|byte| byte.is_ascii_digit());
    let name = name.rsplit_once("_v").filter(versioned).map_or(name, |(plain, _)| plain);
    ["_ptsz", "_ptds"].iter().find_map(|ending| name.strip_suffix(ending)).unwrap_or(name)
}

#[cfg(test)]
mod tests {
    use super::plain;

    #[test]
    fn versions_of_runtime_functions_go() {
        for (name, wanted) in [
            ("cudaLaunchKernel_v7000", "cudaLaunchKernel"),
            ("cudaLaunchKernelExC_v11060", "cudaLaunchKernelExC"),
            ("cudaLaunchKernel_ptsz_v7000", "cudaLaunchKernel"),
            ("cudaGraphLaunch_ptsz", "cudaGraphLaunch"),
            ("cuMemcpyHtoDAsync_v2", "cuMemcpyHtoDAsync_v2"),
            ("cudaGetDeviceProperties_v2", "cudaGetDeviceProperties_v2"),
            ("cudaMalloc", "cudaMalloc"),
        ] {
            assert_eq!(plain(name), wanted);
        }
    }
}
