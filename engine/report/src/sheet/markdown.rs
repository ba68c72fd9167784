//! A sheet as markdown: for terminals, pull requests and language models. Pictures are left out.

use super::{Block, Cell, Column, Remark, Sheet, Table, Tone};
use crate::escape;
use std::fmt::Write;

/// The whole sheet; ends with a newline.
pub fn markdown(sheet: &Sheet) -> String {
    let mut out = format!("# {}\n", escape::cell(&sheet.title));
    if !sheet.facts.is_empty() {
        out.push('\n');
    }
    for (name, value) in &sheet.facts {
        let _ = writeln!(out, "- {}: {}", escape::cell(name), prose(value));
    }
    if let Some(answer) = &sheet.answer {
        let _ = writeln!(out, "\n**{}**", prose(&answer.text));
        if let Some(help) = &answer.help {
            let _ = writeln!(out, "\n{}", prose(help));
        }
    }
    for section in &sheet.sections {
        let _ = writeln!(out, "\n## {}", escape::cell(&section.title));
        for block in &section.blocks {
            match block {
                Block::Text(text) => drop(writeln!(out, "\n{}", prose(text))),
                Block::Remark(remark) => self::remark(&mut out, remark),
                Block::Table(table) => self::table(&mut out, table),
                Block::Figure(_) => {}
            }
        }
    }
    out
}

/// Text whose code spans stay code.
fn prose(text: &str) -> String {
    let parts: Vec<&str> = text.split('`').collect();
    let paired = parts.len() % 2 == 1;
    let show = |(index, part): (usize, &&str)| {
        if index % 2 == 1 && paired { escape::code(part) } else { escape::cell(part) }
    };
    let shown = parts.iter().enumerate().map(show);
    if paired { shown.collect() } else { shown.collect::<Vec<String>>().join("`") }
}

fn remark(out: &mut String, remark: &Remark) {
    let word = match remark.tone {
        Tone::Plain => "Note",
        Tone::Good => "Good",
        Tone::Warn => "Warning",
        Tone::Bad => "Problem",
    };
    let _ = writeln!(out, "\n> {word}: {}", prose(&remark.text));
    if let Some(help) = &remark.help {
        let _ = writeln!(out, "> {}", prose(help));
    }
}

fn table(out: &mut String, table: &Table) {
    if !table.caption.is_empty() {
        let _ = writeln!(out, "\n{}", prose(&table.caption));
    }
    let shown: Vec<usize> = (0..table.columns.len()).filter(|&column| !table.columns[column].wide).collect();
    if table.rows.is_empty() && table.columns.is_empty() {
        let _ = writeln!(out, "\n_{}_", prose(&table.empty));
        return;
    }
    let line = |cells: Vec<String>| format!("| {} |\n", cells.join(" | "));
    out.push('\n');
    out.push_str(&line(shown.iter().map(|&column| escape::cell(table.columns[column].title)).collect()));
    let rule = |&column: &usize| if table.columns[column].numeric { "---:" } else { "---" };
    out.push_str(&line(shown.iter().map(|column| rule(column).to_owned()).collect()));
    for row in &table.rows {
        out.push_str(&line(shown.iter().map(|&column| cell(&row[column], &table.columns[column])).collect()));
    }
    if table.rows.is_empty() {
        let mut cells = vec![String::new(); shown.len()];
        cells[0] = prose(&table.empty);
        out.push_str(&line(cells));
    }
}

fn cell(cell: &Cell, column: &Column) -> String {
    if column.code && !cell.exact.is_empty() { escape::code(&cell.shown) } else { escape::cell(&cell.shown) }
}

#[cfg(test)]
mod tests {
    #[test]
    fn everything_is_in_it_and_pipes_stay_within_cells() {
        insta::assert_snapshot!(super::markdown(&super::super::sample()));
    }
}
