//! Servers that an adapter launches, as far as the text says with which flags.
//!
//! Must not judge: rules do. What is a template is known only when it runs, and left out.

use crate::context::Cx;
use crate::flow::is_kind;
use assay_manifest::{Manifest, Step};
use assay_serving::adapter::Adapter;
use assay_yaml::{Key, Node};

/// A server of a known framework.
pub(crate) struct Launched<'a, 'm> {
    /// The step.
    pub step: &'m Step,
    /// What is known of the framework.
    pub adapter: &'static Adapter,
    /// `with.adapter`.
    pub node: &'a Node,
}

impl<'a> Launched<'a, '_> {
    /// Its flags as they are written.
    pub(crate) fn flags(&self) -> &'a [(Key, Node)] {
        self.node.get("flags").and_then(Node::as_mapping).unwrap_or_default()
    }

    /// GPUs that its parallel sizes need at least, and the flags that say them.
    pub(crate) fn gpus_needed(&self) -> Option<(u64, Vec<&'a (Key, Node)>)> {
        let flags = self.flags();
        let values = flags.iter().map(|(key, value)| (key.name.to_string(), value.to_json())).collect();
        let (needed, told) = self.adapter.gpus_needed(&values)?;
        Some((needed, flags.iter().filter(|(key, _)| told.contains(&&*key.name)).collect()))
    }
}

/// Every such server, in the order of the text.
pub(crate) fn launched<'a, 'm>(cx: &Cx<'a>, manifest: &'m Manifest) -> Vec<Launched<'a, 'm>> {
    let of = |section: &'static str| {
        move |step: &'m Step| {
            let (_, node) = cx.entry(&[section, &step.id.value, "with", "adapter"])?;
            let adapter = Adapter::shared(node.get("name")?.as_str()?)?;
            Some(Launched { step, adapter, node })
        }
    };
    let servers = |steps: &'m [Step]| steps.iter().filter(|step| is_kind(step, "server"));
    let steps = servers(&manifest.steps).filter_map(of("steps"));
    steps.chain(servers(&manifest.finally).filter_map(of("finally"))).collect()
}
