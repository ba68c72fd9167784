//! The one frame of a stack that a person would open: the place in the framework's or the user's own source, not
//! the machinery below it.
//!
//! Ranks of path families follow what triage scripts of the SGLang community agree on; the innermost frame of the
//! best family wins.

use super::{StackId, Stacks};
use crate::intern::{NameId, Names};

/// A place in a Python source.
#[derive(
    Debug,
    Clone,
    PartialEq,
    Eq,
    Hash,
    PartialOrd,
    Ord,
    serde::Serialize,
    serde::Deserialize,
    schemars::JsonSchema,
)]
pub struct Site {
    /// File, from the root of its project: `python/sglang/srt/layers/layernorm.py`.
    pub file: String,
    /// Line of the function's head, as the profiler writes it.
    pub line: u32,
    /// Function.
    pub function: String,
}

impl std::fmt::Display for Site {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{}:{} {}", self.file, self.line, self.function)
    }
}

/// Parts of a path that name a project, with their rank. The path is cut there.
const PROJECTS: [(&str, i32); 8] = [
    ("python/sglang/", 300),
    ("sglang/", 290),
    ("vllm/", 285),
    ("python/tokenspeed/", 283),
    ("tokenspeed/", 283),
    ("tensorrt_llm/", 280),
    ("sgl_kernel/", 260),
    ("triton_kernels/", 220),
];
const OWN: i32 = 100;
const INSTALLED: i32 = 45;
const OTHER: i32 = 35;
const LOW_LEVEL: i32 = 0;
/// Machinery between a place and its caller.
const LOW_SIGNAL: i32 = -80;

const NOISE: [&str; 11] = [
    "threading.py",
    "multiprocessing/",
    "contextlib.py",
    "torch/utils/_contextlib.py",
    "runpy.py",
    "asyncio/",
    "selectors.py",
    "queue.py",
    "socket.py",
    "tqdm/_monitor.py",
    "<",
];
const LOW_LEVEL_PATHS: [&str; 4] =
    ["triton/runtime/", "triton/backends/", "torch/_ops.py", "torch/nn/modules/module.py"];
const LOW_SIGNAL_FUNCTIONS: [&str; 5] =
    ["__torch_function__", "__torch_dispatch__", "__call__", "_call_impl", "_wrapped_call_impl"];
const LOW_SIGNAL_PATHS: [&str; 8] = [
    "model_executor/parameter.py",
    "model_executor/cuda_graph_runner.py",
    "model_executor/piecewise_cuda_graph_runner.py",
    "compilation/cuda_graph.py",
    "pyexecutor/cuda_graph_runner.py",
    "pyexecutor/py_executor.py",
    "_torch/utils.py",
    "torch/fx/graph_module.py",
];

/// The frame `file(line): function`, with its rank; `None` for other names.
fn parse(name: &str) -> Option<(i32, Site)> {
    let (place, function) = name.split_once("): ")?;
    let (file, line) = place.rsplit_once('(')?;
    let line = line.parse().ok()?;
    let (rank, file) = rank(file)?;
    let low =
        LOW_SIGNAL_FUNCTIONS.contains(&function) || LOW_SIGNAL_PATHS.iter().any(|path| file.ends_with(path));
    let rank = rank + if low { LOW_SIGNAL } else { 0 };
    Some((rank, Site { file: file.to_owned(), line, function: function.to_owned() }))
}

/// Rank of a file, and its path from its project's root.
fn rank(file: &str) -> Option<(i32, &str)> {
    if NOISE.iter().any(|noise| file.starts_with(noise)) {
        return None;
    }
    let installed = ["site-packages/", "dist-packages/"]
        .iter()
        .find_map(|root| file.split_once(root))
        .map(|(_, rest)| rest);
    let path = installed.unwrap_or(file);
    if LOW_LEVEL_PATHS.iter().any(|low| path.starts_with(low)) {
        return Some((LOW_LEVEL, path));
    }
    for (project, rank) in PROJECTS {
        if let Some(at) = at_folder(path, project) {
            return Some((rank, &path[at..]));
        }
    }
    let rank = if installed.is_some() || path.starts_with("torch/") {
        INSTALLED
    } else if path.starts_with('/') && !path.contains("/lib/python") {
        OWN
    } else {
        OTHER
    };
    path.ends_with(".py").then_some((rank, path))
}

/// Where `folder` begins in `path`, at the beginning of a component. The last one counts: a checkout may lie in a
/// folder of the same name.
fn at_folder(path: &str, folder: &str) -> Option<usize> {
    path.rmatch_indices(folder).map(|(at, _)| at).find(|&at| at == 0 || path[..at].ends_with('/'))
}

/// Places of stacks, each looked for once.
#[derive(Debug, Clone, Default)]
pub struct Sites {
    frames: Vec<Option<Option<(i32, Site)>>>,
    stacks: Vec<Option<Option<StackId>>>,
}

impl Sites {
    /// The place of `stack`, or `None` where no frame is a place in a source.
    pub fn of(&mut self, stack: StackId, stacks: &Stacks, names: &Names) -> Option<&Site> {
        if self.stacks.len() < stacks.len() {
            self.stacks.resize(stacks.len(), None);
            self.frames.resize(names.len(), None);
        }
        let best = match self.stacks[stack.index()] {
            Some(known) => known,
            None => {
                let mut best: Option<(i32, StackId)> = None;
                for node in stacks.ancestors(stack) {
                    let Some(frame) = stacks.frame(node) else { continue };
                    let rank = self.frame(frame, names).map(|(rank, _)| *rank);
                    if let Some(rank) = rank.filter(|&rank| best.is_none_or(|(known, _)| rank > known)) {
                        best = Some((rank, node));
                    }
                }
                let best = best.map(|(_, node)| node);
                self.stacks[stack.index()] = Some(best);
                best
            }
        };
        let frame = stacks.frame(best?)?;
        self.frames[frame.0 as usize].as_ref()?.as_ref().map(|(_, site)| site)
    }

    fn frame(&mut self, frame: NameId, names: &Names) -> Option<&(i32, Site)> {
        self.frames[frame.0 as usize].get_or_insert_with(|| parse(names.text(frame))).as_ref()
    }
}

#[cfg(test)]
mod tests {
    use super::Sites;
    use crate::intern::Names;
    use crate::link::{StackId, Stacks};

    fn place(frames: &[&str]) -> Option<String> {
        let (mut names, mut stacks) = (Names::default(), Stacks::default());
        let stack =
            frames.iter().fold(StackId::EMPTY, |stack, frame| stacks.child(stack, names.intern(frame)));
        Sites::default().of(stack, &stacks, &names).map(ToString::to_string)
    }

    #[test]
    fn the_innermost_frame_of_the_best_family_is_the_place() {
        let sglang = "/sgl-workspace/sglang/python/sglang/srt/layers/layernorm.py(143): forward_cuda";
        let shown = Some("python/sglang/srt/layers/layernorm.py:143 forward_cuda".to_owned());
        assert_eq!(place(&["<string>(1): <module>", sglang]), shown);
        assert_eq!(place(&[sglang, "torch/_ops.py(1244): __call__"]), shown);
        assert_eq!(
            place(&[sglang, "nn.Module: RMSNorm_0", "torch/nn/modules/module.py(1779): _call_impl"]),
            shown
        );
        assert_eq!(
            place(&[
                "/usr/lib/python3.12/site-packages/vllm/model_executor/layers/linear.py(5): forward",
                "torch/x.py(1): f"
            ]),
            Some("vllm/model_executor/layers/linear.py:5 forward".into())
        );
        assert_eq!(
            place(&["/home/me/train.py(7): step", "torch/optim/sgd.py(3): step"]),
            Some("/home/me/train.py:7 step".into())
        );
        assert_eq!(place(&["threading.py(1): run"]), None);
        assert_eq!(place(&[]), None);
    }

    #[test]
    fn machinery_loses_to_the_place_around_it() {
        let forward = "/w/python/sglang/srt/models/qwen3.py(9): forward";
        assert_eq!(
            place(&[forward, "/w/python/sglang/srt/model_executor/cuda_graph_runner.py(841): replay"]),
            Some("python/sglang/srt/models/qwen3.py:9 forward".into())
        );
    }
}
