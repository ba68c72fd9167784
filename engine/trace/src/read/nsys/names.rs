//! `StringIds`: names of kernels, calls and ranges, fetched when the first row needs them. The table also holds
//! every path and message of the report, most of which no event of ours bears.

use super::database::{Database, Row};
use crate::error::TraceError;
use crate::intern::{NameId, Names};
use std::collections::HashMap;

/// Texts fetched so far.
#[derive(Default)]
pub struct Strings {
    known: HashMap<i64, Option<NameId>>,
    failed: Option<TraceError>,
}

impl Strings {
    /// The name in the first of `columns` that has one: an id of `StringIds`, or a text as old and foreign
    /// exporters write it.
    pub fn name(
        &mut self,
        database: &Database,
        names: &mut Names,
        row: &Row<'_>,
        columns: &[usize],
    ) -> Option<NameId> {
        columns.iter().find_map(|&column| match row.text(column) {
            Some(text) => Some(names.intern(&text)),
            None => self.of_id(database, names, row.int(column)?),
        })
    }

    fn of_id(&mut self, database: &Database, names: &mut Names, id: i64) -> Option<NameId> {
        if let Some(&known) = self.known.get(&id) {
            return known;
        }
        let text = match database.string(id) {
            Ok(text) => text,
            Err(error) => {
                self.failed.get_or_insert(error);
                None
            }
        };
        let name = text.filter(|text| !text.is_empty()).map(|text| names.intern(&text));
        self.known.insert(id, name);
        name
    }

    /// The first error of a look-up; rows are read by callbacks that cannot fail.
    pub fn check(&mut self) -> Result<(), TraceError> {
        self.failed.take().map_or(Ok(()), Err)
    }
}
