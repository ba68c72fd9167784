//! Tables of a sheet as one value `{columns, rows}`, the form that manifests deliver. Numbers are numbers.

use super::{Cell, Table};
use serde_json::{Map, Value, json};

/// Tables of the same columns as one, with a column in front that says which one a row is from.
pub fn value(first: (&str, &str), tables: &[(&str, &Table)]) -> Value {
    let mut columns = Map::new();
    let mut rows = Vec::new();
    columns.insert(first.0.to_owned(), json!(first.1));
    for (name, table) in tables {
        for column in &table.columns {
            columns.insert(column.key.to_owned(), json!(column.title));
            if column.code {
                columns.insert(short(column.key), json!(column.title));
            }
        }
        for cells in &table.rows {
            let mut row = Map::new();
            row.insert(first.0.to_owned(), json!(name));
            for (column, cell) in table.columns.iter().zip(cells) {
                row.insert(column.key.to_owned(), of_cell(cell, column.numeric));
                if column.code {
                    row.insert(short(column.key), json!(cell.shown));
                }
            }
            rows.push(Value::Object(row));
        }
    }
    json!({"columns": columns, "rows": rows})
}

/// Key of the form that people read.
fn short(key: &str) -> String {
    format!("{key}_short")
}

fn of_cell(cell: &Cell, numeric: bool) -> Value {
    if cell.exact.is_empty() {
        return Value::Null;
    }
    let number = numeric.then(|| cell.exact.parse::<f64>().ok()).flatten();
    match number {
        // Counts stay whole numbers.
        Some(number) if number.fract() == 0.0 && number.abs() < 9.0e15 && !cell.exact.contains('.') => {
            json!(number as i64)
        }
        Some(number) => json!(number),
        None => json!(cell.exact),
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Cell, Column, Table};

    #[test]
    fn rows_keep_their_table_and_numbers_are_numbers() {
        let sheet = super::super::sample();
        let table = sheet.tables().next().expect("a table");
        let value = super::value(("stage", "Stage"), &[("decode", table)]);
        assert_eq!(value["rows"][0]["time_us"], 1234.567);
        assert_eq!(value["rows"][1]["time_us"], serde_json::Value::Null);
        assert_eq!((&value["rows"][0]["stage"], &value["columns"]["op"]), (&"decode".into(), &"Op".into()));
    }

    #[test]
    fn names_of_code_come_whole_and_as_people_read_them() {
        let name = Cell { exact: "void ns::kernel<int>".to_owned(), shown: "kernel".to_owned() };
        let columns = vec![Column::code("kernel", "Kernel"), Column::text("op", "Op")];
        let rows = vec![vec![name, Cell::text("aten::mm")]];
        let table = Table { columns, rows, ..Table::default() };
        let value = super::value(("stage", "Stage"), &[("decode", &table)]);
        let row = serde_json::json!({
            "stage": "decode", "kernel": "void ns::kernel<int>", "kernel_short": "kernel", "op": "aten::mm",
        });
        assert_eq!(value["rows"][0], row);
        assert_eq!(value["columns"]["kernel_short"], "Kernel");
    }
}
