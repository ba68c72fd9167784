//! The plan as data: `plan.json`.

use crate::node::{ManifestPlan, NodeId, What};
use assay_manifest::{Demand, ManifestKind, OutputKind, Uses};
use assay_protocol::{FORMAT_VERSION, PlanDoc, PlanEdge, PlanNode, PlanNodeKind, Value, ValueMap};
use serde_json::json;

/// The plan of a manifest with the inputs known so far.
pub fn plan_doc(plan: &ManifestPlan, digest: &str, inputs: &ValueMap) -> PlanDoc {
    let manifest = &plan.manifest;
    let checks = manifest.preflight.iter().map(|check| PlanNode {
        id: check.id.value.clone(),
        kind: PlanNodeKind::Check,
        uses: check.check.value.clone(),
        needs: Vec::new(),
        when: check.when.as_ref().map(|when| when.expr.source().to_owned()),
        foreach: Vec::new(),
        wanted: None,
        call: None,
    });
    let nodes = (0..plan.nodes.len() as NodeId)
        .filter(|node| !matches!(plan.nodes[*node as usize].what, What::Deliver(_)))
        .map(|node| node_doc(plan, digest, node));
    PlanDoc {
        v: FORMAT_VERSION,
        name: manifest.name.value.clone(),
        kind: match manifest.kind {
            ManifestKind::Skill => "Skill".to_owned(),
            ManifestKind::Workflow => "Workflow".to_owned(),
        },
        version: manifest.version.value.clone(),
        description: manifest.description.clone(),
        file: manifest.origin.file.clone(),
        digest: digest.to_owned(),
        inputs: inputs.clone(),
        rehearsal: false,
        nodes: checks.chain(nodes).collect(),
        outputs: outputs_doc(plan),
    }
}

fn node_doc(plan: &ManifestPlan, digest: &str, node: NodeId) -> PlanNode {
    let edges = plan.nodes[node as usize]
        .deps
        .iter()
        .map(|dep| PlanEdge { from: plan.id(dep.node).to_owned(), requires_success: dep.requires_success });
    let mut doc = PlanNode {
        id: plan.id(node).to_owned(),
        kind: PlanNodeKind::Step,
        uses: String::new(),
        needs: edges.collect(),
        when: None,
        foreach: Vec::new(),
        wanted: None,
        call: None,
    };
    if let Some(step) = plan.step(node) {
        if matches!(plan.nodes[node as usize].what, What::Finally(_)) {
            doc.kind = PlanNodeKind::Finally;
        }
        doc.uses = step.uses.value.word();
        doc.when = step.when.as_ref().map(|when| when.expr.source().to_owned());
        doc.foreach = step
            .foreach
            .iter()
            .flat_map(|foreach| foreach.lists.iter().map(|(name, _)| name.value.clone()))
            .collect();
        if let Uses::Call(name) = &step.uses.value
            && let Some(callee) = plan.callees.get(name)
        {
            doc.call = Some(Box::new(plan_doc(callee, digest, &ValueMap::new())));
        }
    } else if let Some(gate) = plan.gate(node) {
        doc.kind = PlanNodeKind::Gate;
        doc.when = gate.when.as_ref().map(|when| when.expr.source().to_owned());
        match &gate.demand {
            Demand::Assert(expr) => {
                doc.uses = "assert".to_owned();
                doc.wanted = Some(expr.expr.source().to_owned());
            }
            Demand::Compare { step, want, .. } => {
                doc.uses = "compare".to_owned();
                let want: Vec<&str> = want.iter().map(|word| word.value.as_str()).collect();
                doc.wanted = Some(format!("{} is {}", step.expr.source(), want.join(" or ")));
            }
        }
    }
    doc
}

fn outputs_doc(plan: &ManifestPlan) -> Value {
    let mut outputs = ValueMap::new();
    for output in &plan.manifest.outputs {
        let mut doc = match &output.kind {
            OutputKind::Value { schema, unit, .. } => {
                let mut doc = ValueMap::new();
                doc.insert("type".to_owned(), schema.get("type").cloned().unwrap_or(Value::Null));
                if let Some(unit) = unit {
                    doc.insert("unit".to_owned(), Value::from(unit.as_str()));
                }
                doc
            }
            OutputKind::Table { columns, .. } => {
                let columns: ValueMap =
                    columns.iter().map(|(key, title)| (key.clone(), Value::from(title.as_str()))).collect();
                let mut doc = ValueMap::new();
                doc.insert("type".to_owned(), json!("table"));
                doc.insert("columns".to_owned(), Value::Object(columns));
                doc
            }
        };
        if let Some(description) = &output.description {
            doc.insert("description".to_owned(), Value::from(description.as_str()));
        }
        outputs.insert(output.name.value.clone(), Value::Object(doc));
    }
    Value::Object(outputs)
}
