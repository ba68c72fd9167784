//! One table of a sheet as CSV, with exact values and every column.

use super::Table;
use crate::table::TableError;

/// The table with a line of keys first.
///
/// # Errors
/// [`TableError::Csv`] if the writer fails.
pub fn csv(table: &Table) -> Result<String, TableError> {
    let failed = |reason: String| TableError::Csv { reason };
    let mut writer = csv::Writer::from_writer(Vec::new());
    let keys = table.columns.iter().map(|column| column.key);
    writer.write_record(keys).map_err(|error| failed(error.to_string()))?;
    for row in &table.rows {
        writer.write_record(row.iter().map(|cell| &cell.exact)).map_err(|error| failed(error.to_string()))?;
    }
    let bytes = writer.into_inner().map_err(|error| failed(error.to_string()))?;
    String::from_utf8(bytes).map_err(|error| failed(error.to_string()))
}

#[cfg(test)]
mod tests {
    #[test]
    fn values_are_exact_and_quoted() {
        let sheet = super::super::sample();
        let table = sheet.tables().next().expect("a table");
        assert_eq!(
            super::csv(table).expect("CSV"),
            "kernel,time_us,op\n\"void f<a|b>(\"\"x\"\")\",1234.567,\"aten::mm,2\"\ng,,\n"
        );
    }
}
