//! `foreach`: from lists to instances with their keys.

use crate::scope::View;
use crate::world::Instance;
use assay_manifest::{Foreach, RenderError, instance_key};
use assay_protocol::{Instance as InstanceRecord, Value, ValueMap};
use std::collections::HashSet;

/// Instances as far as the lists are known now, for a dry run.
pub(crate) fn expanded(foreach: &Foreach, view: &View<'_>) -> Result<Vec<Instance>, String> {
    let records = expand(foreach, view).map_err(|problem| match problem {
        Problem::Render(error) => error.error.to_string(),
        Problem::Words(words) => words,
    })?;
    Ok(records.into_iter().map(instance_of).collect())
}

pub(crate) fn instance_of(record: InstanceRecord) -> Instance {
    Instance { key: Some(record.key.into()), each: record.each, ..Instance::default() }
}

pub(crate) enum Problem {
    Render(RenderError),
    Words(String),
}

/// Aligned tuples, or the product, with their keys.
pub(crate) fn expand(foreach: &Foreach, view: &View<'_>) -> Result<Vec<InstanceRecord>, Problem> {
    let mut lists: Vec<(&str, Vec<Value>)> = Vec::new();
    for (name, config) in &foreach.lists {
        match config.render(view).map_err(Problem::Render)? {
            Value::Array(items) => lists.push((&name.value, items)),
            other => {
                let kind = assay_manifest::expr::describe(&other);
                return Err(Problem::Words(format!("`foreach.{}` must be a list, not {kind}", name.value)));
            }
        }
    }
    let tuples = if foreach.product { product(&lists) } else { aligned(&lists)? };
    let single = lists.len() == 1;
    let mut seen = HashSet::new();
    let mut records = Vec::with_capacity(tuples.len());
    for (index, each) in tuples.into_iter().enumerate() {
        let key = match each.values().next() {
            Some(value) if single => instance_key(value, index),
            _ => index.to_string(),
        };
        if !seen.insert(key.clone()) {
            return Err(Problem::Words(format!("`foreach` has the value `{key}` twice")));
        }
        records.push(InstanceRecord { key, each });
    }
    Ok(records)
}

fn aligned(lists: &[(&str, Vec<Value>)]) -> Result<Vec<ValueMap>, Problem> {
    let length = lists.first().map_or(0, |(_, items)| items.len());
    if let Some((name, items)) = lists.iter().find(|(_, items)| items.len() != length) {
        return Err(Problem::Words(format!(
            "the lists of `foreach` are aligned, but `{}` has {length} values and `{name}` has {}; \
             for all combinations write `product: true`",
            lists[0].0,
            items.len()
        )));
    }
    let tuple = |index: usize| -> ValueMap {
        lists.iter().map(|(name, items)| ((*name).to_owned(), items[index].clone())).collect()
    };
    Ok((0..length).map(tuple).collect())
}

fn product(lists: &[(&str, Vec<Value>)]) -> Vec<ValueMap> {
    let mut tuples = vec![ValueMap::new()];
    for (name, items) in lists {
        tuples = tuples
            .into_iter()
            .flat_map(|tuple| {
                items.iter().map(move |item| {
                    let mut longer = tuple.clone();
                    longer.insert((*name).to_owned(), item.clone());
                    longer
                })
            })
            .collect();
    }
    tuples
}
