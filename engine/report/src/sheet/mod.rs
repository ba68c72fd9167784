//! A sheet: results that are no run, as headings, tables and pictures. One value, rendered as markdown, as one HTML
//! file and as CSV files.
//!
//! A sheet holds finished texts and pictures; it must not know what they are about.

mod csv;
mod html;
mod markdown;
mod value;

pub use csv::csv;
pub use html::html;
pub use markdown::markdown;
pub use value::value;

/// Results in the order in which they are read.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Sheet {
    /// The heading of the whole.
    pub title: String,
    /// What was looked at and how: pairs of name and value.
    pub facts: Vec<(String, String)>,
    /// One sentence that says what matters, with the tone of its frame.
    pub answer: Option<Remark>,
    /// Everything else.
    pub sections: Vec<Section>,
}

/// A part with a heading of its own.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Section {
    /// Stable kebab-case id, which names files and links.
    pub id: String,
    /// Its heading.
    pub title: String,
    /// Its content.
    pub blocks: Vec<Block>,
}

/// One thing of a section.
#[derive(Debug, Clone, PartialEq)]
pub enum Block {
    /// A paragraph; text between backticks is code.
    Text(String),
    /// Something to take note of.
    Remark(Remark),
    /// A table.
    Table(Table),
    /// A picture.
    Figure(Figure),
}

/// A sentence in a frame.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Remark {
    /// Its colour.
    pub tone: Tone,
    /// What it says; text between backticks is code.
    pub text: String,
    /// A way out or a next action.
    pub help: Option<String>,
}

/// What a remark means for the reader.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tone {
    /// A fact.
    Plain,
    /// All is well.
    Good,
    /// To be kept in mind.
    Warn,
    /// The rest must not be used.
    Bad,
}

/// A table.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Table {
    /// Stable kebab-case id within the sheet: the name of its CSV file.
    pub id: String,
    /// What it shows.
    pub caption: String,
    /// Its columns.
    pub columns: Vec<Column>,
    /// Its rows, each as long as `columns`.
    pub rows: Vec<Vec<Cell>>,
    /// What stands in its place when there is no row.
    pub empty: String,
}

/// A column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column {
    /// Key in CSV files, with the unit: `time_us`.
    pub key: &'static str,
    /// Heading for people.
    pub title: &'static str,
    /// Whether it holds numbers.
    pub numeric: bool,
    /// Whether markdown leaves it out: its readers asked for a fixed set of columns.
    pub wide: bool,
    /// Whether it holds names of code.
    pub code: bool,
}

impl Column {
    /// A column of text.
    pub const fn text(key: &'static str, title: &'static str) -> Self {
        Self { key, title, numeric: false, wide: false, code: false }
    }

    /// A column of names of code.
    pub const fn code(key: &'static str, title: &'static str) -> Self {
        Self { key, title, numeric: false, wide: false, code: true }
    }

    /// A column of numbers.
    pub const fn number(key: &'static str, title: &'static str) -> Self {
        Self { key, title, numeric: true, wide: false, code: false }
    }

    /// The same, left out of markdown.
    pub const fn wide(self) -> Self {
        Self { wide: true, ..self }
    }
}

/// One value of a table: exact for programs, short for people.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Cell {
    /// All of it.
    pub exact: String,
    /// What people read.
    pub shown: String,
}

impl Cell {
    /// The same for both.
    pub fn text(text: impl Into<String>) -> Self {
        let exact = text.into();
        Self { shown: exact.clone(), exact }
    }

    /// A long text, shortened in the middle for people.
    pub fn short(text: impl Into<String>, limit: usize) -> Self {
        let exact = text.into();
        Self { shown: crate::format::shorten(&exact, limit), exact }
    }

    /// A number with `decimals` digits behind the point for people.
    pub fn number(value: f64, decimals: usize) -> Self {
        Self { exact: format!("{value}"), shown: format!("{value:.decimals$}") }
    }

    /// A share, given in percent.
    pub fn percent(value: f64) -> Self {
        Self { exact: format!("{value}"), shown: format!("{value:.1} %") }
    }

    /// A count.
    pub fn count(value: u64) -> Self {
        Self { exact: value.to_string(), shown: value.to_string() }
    }

    /// Nanoseconds: microseconds with three digits for programs, milliseconds with two for people.
    pub fn ms(ns: i64) -> Self {
        Self { exact: microseconds(ns), shown: format!("{:.2} ms", ns as f64 / 1e6) }
    }

    /// Nanoseconds: milliseconds for both, all six digits for programs and three for people.
    pub fn exact_ms(ns: i64) -> Self {
        let sign = if ns < 0 { "-" } else { "" };
        let exact = format!("{sign}{}.{:06}", ns.unsigned_abs() / 1_000_000, ns.unsigned_abs() % 1_000_000);
        Self { exact, shown: format!("{:.3} ms", ns as f64 / 1e6) }
    }

    /// Nanoseconds: microseconds for both.
    pub fn us(ns: i64) -> Self {
        Self { exact: microseconds(ns), shown: format!("{:.2} us", ns as f64 / 1e3) }
    }

    /// Nothing.
    pub fn none() -> Self {
        Self { exact: String::new(), shown: "-".to_owned() }
    }
}

/// Exact decimal microseconds.
fn microseconds(ns: i64) -> String {
    let sign = if ns < 0 { "-" } else { "" };
    format!("{sign}{}.{:03}", ns.unsigned_abs() / 1000, ns.unsigned_abs() % 1000)
}

/// A picture: only HTML shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Figure {
    /// Stable kebab-case id: the name of its SVG file.
    pub id: String,
    /// What it shows, for those who do not see it too.
    pub caption: String,
    /// The SVG element.
    pub svg: String,
}

impl Sheet {
    /// All tables in order.
    pub fn tables(&self) -> impl Iterator<Item = &Table> {
        self.blocks().filter_map(|block| if let Block::Table(table) = block { Some(table) } else { None })
    }

    /// All pictures in order.
    pub fn figures(&self) -> impl Iterator<Item = &Figure> {
        self.blocks().filter_map(|block| if let Block::Figure(figure) = block { Some(figure) } else { None })
    }

    fn blocks(&self) -> impl Iterator<Item = &Block> {
        self.sections.iter().flat_map(|section| &section.blocks)
    }
}

/// A sheet with everything that the renderers must escape.
#[cfg(test)]
pub(crate) fn sample() -> Sheet {
    let table = Table {
        id: "kernels".into(),
        caption: "Stage `decode`".into(),
        columns: vec![
            Column::text("kernel", "Kernel"),
            Column::number("time_us", "GPU time"),
            Column::text("op", "Op").wide(),
        ],
        rows: vec![
            vec![Cell::text("void f<a|b>(\"x\")"), Cell::ms(1_234_567), Cell::text("aten::mm,2")],
            vec![Cell::text("g"), Cell::none(), Cell::text("")],
        ],
        empty: String::new(),
    };
    let empty = Table {
        id: "fuse".into(),
        caption: "Fusions".into(),
        empty: "no pattern matched".into(),
        ..Table::default()
    };
    Sheet {
        title: "Trace <a>".into(),
        facts: vec![("File".into(), "a & b".into())],
        answer: Some(Remark {
            tone: Tone::Good,
            text: "`g` dominates".into(),
            help: Some("try this".into()),
        }),
        sections: vec![Section {
            id: "tables".into(),
            title: "Tables".into(),
            blocks: vec![
                Block::Text("Some `code`.".into()),
                Block::Remark(Remark { tone: Tone::Warn, text: "Careful".into(), help: None }),
                Block::Table(table),
                Block::Table(empty),
                Block::Figure(Figure {
                    id: "pic".into(),
                    caption: "A picture".into(),
                    svg: "<svg></svg>".into(),
                }),
            ],
        }],
    }
}
