//! Where GPU time comes from, as a flame graph.

use crate::sheet::{Block, Figure, Section};
use crate::svg::flame::{self, Flame};
use assay_trace::view::flame::{Flame as View, FlameNode};

/// The picture; markdown says where it is.
pub fn section(view: &View) -> Section {
    let svg = flame::picture("GPU time by program path", &node(&view.root));
    let caption = format!(
        "GPU time by stage, Python stack of the launch, CPU op and kernel; callers stand above what they call. {:.2} ms in all.",
        view.total_ns as f64 / 1e6
    );
    let figure = Figure { id: "flame".to_owned(), caption, svg };
    let text = "The picture is in the HTML page and in `flame.svg`; `flame.folded` holds the stacks for other tools.";
    Section {
        id: "flame".to_owned(),
        title: "Flame graph".to_owned(),
        blocks: vec![Block::Text(text.to_owned()), Block::Figure(figure)],
    }
}

fn node(view: &FlameNode) -> Flame<'_> {
    Flame { name: &view.name, ns: view.time_ns, children: view.children.iter().map(node).collect() }
}
