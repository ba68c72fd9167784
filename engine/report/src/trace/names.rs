//! Names of kernels within one table: short, and longer where two of them would look alike.

use crate::format::shorten;
use crate::sheet::Cell;
use assay_trace::name::{canonical, display_within};
use std::collections::{HashMap, HashSet};

/// Lengths of canonical names that are tried, in characters, before the whole is shown.
const LONGER: [usize; 2] = [120, 240];

/// The names of the kernels of one table.
pub struct Names<'k> {
    /// Those that are not shown by their short name.
    long: HashMap<&'k str, String>,
    limit: usize,
}

impl<'k> Names<'k> {
    /// Names for all `kernels` of a table; short ones have at most `limit` characters. A kernel may occur in several rows.
    pub fn of(kernels: impl IntoIterator<Item = &'k str>, limit: usize) -> Self {
        let mut alike: HashMap<String, HashSet<&str>> = HashMap::new();
        for kernel in kernels {
            alike.entry(display_within(kernel, limit)).or_default().insert(kernel);
        }
        let alike = alike.into_values().filter(|kernels| kernels.len() > 1);
        let long = alike.flat_map(|kernels| {
            let length = LONGER.into_iter().find(|&length| differ(&kernels, length));
            kernels.into_iter().map(move |kernel| (kernel, longer(kernel, length)))
        });
        Self { long: long.collect(), limit }
    }

    /// The cell of a kernel.
    pub fn cell(&self, kernel: &str) -> Cell {
        let shown = self.long.get(kernel).cloned().unwrap_or_else(|| display_within(kernel, self.limit));
        Cell { exact: kernel.to_owned(), shown }
    }
}

fn longer(kernel: &str, length: Option<usize>) -> String {
    let name = canonical(kernel).into_owned();
    length.map_or(name.clone(), |length| shorten(&name, length))
}

fn differ(kernels: &HashSet<&str>, length: usize) -> bool {
    let shown: HashSet<String> = kernels.iter().map(|kernel| longer(kernel, Some(length))).collect();
    shown.len() == kernels.len()
}

#[cfg(test)]
mod tests {
    use super::Names;

    #[test]
    fn names_that_look_alike_are_longer() {
        let padded = |before: usize, tile: u32| format!("void gemm{before}<{}, {tile}>", "x".repeat(before));
        let (a, b) = (padded(300, 64), padded(300, 128));
        let (c, d) = (padded(150, 64), padded(150, 128));
        let all =
            ["void norm<float>", "void norm<half>", "void rope<half>", "void rope<half>", &a, &b, &c, &d];
        let names = Names::of(all, 72);
        let shown = |kernel: &str| names.cell(kernel).shown;
        assert_eq!(shown("void norm<float>"), "void norm<float>");
        assert_eq!(shown("void norm<half>"), "void norm<half>");
        // One kernel in two rows is no question.
        assert_eq!(shown("void rope<half>"), "rope");
        // As long as it takes to differ.
        assert_eq!((shown(&c), shown(&d)), (c.clone(), d.clone()));
        assert_eq!((shown(&a), shown(&b)), (a.clone(), b.clone()));
        assert_eq!(names.cell(&a).exact, a);
    }
}
