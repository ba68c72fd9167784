//! The CPU thread's Python frames and operators: opening and closing them, and the frames of helpers between.

use super::super::event::{Frame, FrameName, Operator, Sink};
use super::super::model::{self, Both, Site};
use super::super::recipe::Vendor;
use super::{Open, Simulation};

impl<S: Sink> Simulation<'_, S> {
    pub(super) fn push(&mut self, name: FrameName) {
        self.push_frame(name, false);
    }

    pub(super) fn push_frame(&mut self, name: FrameName, lasting: bool) {
        self.frames += 1;
        let site = if let FrameName::Framework(_, site) = name { Some(site) } else { None };
        let parent = self.stack.last().map(|open| open.id);
        self.sink.open_frame(Frame { id: self.frames, parent, name, start: self.now(), lasting });
        self.stack.push(Open { id: self.frames, site });
        self.advance(150, 450);
    }

    pub(super) fn push_site(&mut self, site: &'static Both<Site>) {
        self.push_one(&site[self.framework]);
    }

    pub(super) fn push_one(&mut self, site: &'static Site) {
        self.push(FrameName::Framework(self.folder(), site));
    }

    /// Where the framework is installed; PyTorch cuts off the folders that Python searches, but not in every image.
    fn folder(&self) -> &'static str {
        match (self.framework, self.recipe.vendor) {
            (0, _) => "/sgl-workspace/sglang/",
            (_, Vendor::Amd) => "/usr/local/lib/python3.12/dist-packages/",
            (_, Vendor::Nvidia) => "",
        }
    }

    pub(super) fn push_module(&mut self, class: &'static str, index: u32) {
        let class = if self.framework == 1 && class == "RadixAttention" { "Attention" } else { class };
        self.push(FrameName::Module(class, index));
        self.push(FrameName::Plain("torch/nn/modules/module.py(1779): _call_impl"));
    }

    pub(super) fn pop_to(&mut self, depth: usize) {
        while self.stack.len() > depth {
            self.advance(100, 300);
            if let Some(open) = self.stack.pop() {
                self.sink.close_frame(open.id, self.now());
            }
        }
    }

    /// Short calls of helpers, one after the other.
    pub(super) fn noise(&mut self, count: u32) {
        for _ in 0..count {
            let address = 0x7ed7_a000_0000 + u64::from(self.random.below(4000)) * 16;
            let name = match self.random.below(14) {
                0 => FrameName::Plain("<built-in function isinstance>"),
                1 => FrameName::Plain("<built-in function getattr>"),
                2 => FrameName::Plain("<built-in function hasattr>"),
                3 => FrameName::BuiltIn("size", "Tensor", address),
                4 => FrameName::BuiltIn("view", "Tensor", address),
                5 => FrameName::Plain("torch/nn/modules/module.py(1951): __getattr__"),
                6 => FrameName::BuiltIn("dim", "Tensor", address),
                7 => FrameName::Plain("torch/_ops.py(1244): __call__"),
                8 => FrameName::BuiltIn("append", "list", address),
                9 => FrameName::BuiltIn("get", "dict", address),
                10 => FrameName::Plain("<built-in function len>"),
                11 => FrameName::Plain("inspect.py(2699): kind"),
                12 => FrameName::Plain("torch/utils/_device.py(99): __torch_function__"),
                _ => FrameName::Plain("<built-in function next>"),
            };
            self.push(name);
            self.pop_to(self.stack.len() - 1);
        }
    }

    pub(super) fn process_frames(&mut self) {
        let outer = ["<string>(1): <module>", "multiprocessing/spawn.py(122): spawn_main"];
        for name in outer.into_iter().chain(["multiprocessing/process.py(314): _bootstrap"]) {
            self.push_frame(FrameName::Plain(name), true);
        }
        let folder = self.folder();
        for site in &model::PROCESS[self.framework] {
            self.push_frame(FrameName::Framework(folder, site), true);
        }
    }

    pub(super) fn open_operator(&mut self, name: &'static str, rows: u32) {
        self.external += 1;
        let operator =
            Operator { external: self.external, name: name.into(), mark: false, rows, start: self.now() };
        self.sink.open_operator(operator);
        self.operators.push((self.external, name));
    }

    pub(super) fn close_operator(&mut self) {
        if let Some((external, _)) = self.operators.pop() {
            self.sink.close_operator(external, self.now());
        }
    }
}
