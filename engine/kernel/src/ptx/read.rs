//! Reads PTX text as far as marks need: functions, statements, opcodes, and where inline assembler stands.

use super::{Function, Marks, Module, Opcode};

/// Why a text is no PTX.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PtxError {
    /// It does not say its version.
    #[error("it is no PTX: there is no `.version`")]
    NoVersion,
    /// A brace is missing.
    #[error("line {line}: a brace is missing or one too many")]
    Braces {
        /// The line, from 1.
        line: usize,
    },
    /// A function is there twice: which of both runs nobody can tell.
    #[error("line {line}: the function `{name}` is defined twice")]
    Twice {
        /// Its name.
        name: String,
        /// The line of the second, from 1.
        line: usize,
    },
    /// A function has no name.
    #[error("line {line}: a function without a name")]
    NoName {
        /// The line, from 1.
        line: usize,
    },
}

/// Registers that tell the time (PTX ISA, special registers).
const CLOCKS: [&str; 3] = ["%clock", "%globaltimer", "%pm"];

/// The functions of a module, in its order.
///
/// # Errors
/// See [`PtxError`].
pub fn functions(ptx: &str) -> Result<Vec<Function>, PtxError> {
    module(ptx).map(|module| module.functions)
}

/// What a module defines, calls of others, and reads.
///
/// # Errors
/// See [`PtxError`].
pub fn module(ptx: &str) -> Result<Module, PtxError> {
    let mut reader = Reader {
        version: false,
        depth: 0,
        statement: String::new(),
        inside: None,
        written: false,
        module: Module::default(),
    };
    let (mut comment, mut last) = (false, 0);
    for (at, line) in ptx.lines().enumerate() {
        last = at + 1;
        reader.line(line, &mut comment, last)?;
    }
    match (reader.version, reader.depth) {
        (false, _) => Err(PtxError::NoVersion),
        (true, 0) => Ok(reader.module),
        _ => Err(PtxError::Braces { line: last }),
    }
}

struct Reader {
    version: bool,
    depth: usize,
    statement: String,
    /// The function whose body it is in.
    inside: Option<usize>,
    /// Within inline assembler.
    written: bool,
    module: Module,
}

impl Reader {
    fn line(&mut self, line: &str, comment: &mut bool, number: usize) -> Result<(), PtxError> {
        let mut rest = line;
        loop {
            if *comment {
                let Some((_, after)) = rest.split_once("*/") else { return Ok(()) };
                (rest, *comment) = (after, false);
            }
            let Some(at) = next_sign(rest) else { break };
            let (before, from) = rest.split_at(at);
            self.statement.push_str(before);
            if let Some(text) = from.strip_prefix("//") {
                self.marker(text.trim());
                rest = "";
                break;
            }
            if let Some(after) = from.strip_prefix("/*") {
                (rest, *comment) = (after, true);
                continue;
            }
            if let Some(after) = from.strip_prefix('"') {
                // Names of files and pragmas: nothing that is counted.
                rest = after.split_once('"').map_or("", |(_, after)| after);
                continue;
            }
            match &from[..1] {
                "{" => self.open(number)?,
                "}" => self.close(number)?,
                _ => self.end(),
            }
            rest = &from[1..];
        }
        self.statement.push_str(rest);
        self.statement.push(' ');
        // These directives end with their line.
        let head = self.statement.trim_start();
        let in_module =
            [".version", ".target", ".address_size"].iter().any(|directive| head.starts_with(directive));
        if (self.depth == 0 && in_module) || head.starts_with(".loc") || head.starts_with(".file") {
            self.version |= head.starts_with(".version");
            self.statement.clear();
        }
        Ok(())
    }

    /// NVRTC and nvcc put these comments around what a source wrote.
    fn marker(&mut self, comment: &str) {
        match comment {
            "begin inline asm" => self.written = true,
            "end inline asm" => self.written = false,
            _ => {}
        }
    }

    fn open(&mut self, line: usize) -> Result<(), PtxError> {
        if self.depth == 0 {
            self.inside = None;
            let kernel = self.statement.split_whitespace().any(|word| word == ".entry");
            if kernel || self.statement.split_whitespace().any(|word| word == ".func") {
                let name = name(&self.statement).ok_or(PtxError::NoName { line })?;
                if self.module.functions.iter().any(|known| known.name == name) {
                    return Err(PtxError::Twice { name, line });
                }
                self.inside = Some(self.module.functions.len());
                let (compiled, written) = (Marks::default(), Marks::default());
                self.module.functions.push(Function { name, kernel, compiled, written });
            }
            self.statement.clear();
            self.written = false;
        } else {
            // A block inside: what stands before it is a statement of its own, such as a label.
            self.end();
        }
        self.depth += 1;
        Ok(())
    }

    fn close(&mut self, line: usize) -> Result<(), PtxError> {
        self.end();
        self.depth = self.depth.checked_sub(1).ok_or(PtxError::Braces { line })?;
        Ok(())
    }

    fn end(&mut self) {
        if self.depth == 0 && self.statement.split_whitespace().next() == Some(".extern") {
            let is_function = self.statement.split_whitespace().any(|word| word == ".func");
            self.module.externs.extend(name(&self.statement).filter(|_| is_function));
        }
        if let Some(clock) = self.inside.and_then(|_| clock(&self.statement)) {
            self.module.clocks.push(clock);
        }
        if let (Some(opcode), Some(at)) = (opcode(&self.statement), self.inside.filter(|_| self.depth > 0)) {
            let function = &mut self.module.functions[at];
            let marks = if self.written { &mut function.written } else { &mut function.compiled };
            marks.take(&opcode);
        }
        self.statement.clear();
    }
}

/// A clock that a statement reads.
fn clock(statement: &str) -> Option<String> {
    let at = CLOCKS.iter().find_map(|clock| statement.find(clock))?;
    let word = &statement[at..];
    let end = word[1..]
        .find(|sign: char| !sign.is_ascii_alphanumeric() && sign != '_')
        .map_or(word.len(), |end| end + 1);
    Some(word[..end].to_owned())
}

/// The next sign that means something: a comment, a string, a brace, the end of a statement.
fn next_sign(text: &str) -> Option<usize> {
    let bytes = text.as_bytes();
    (0..bytes.len()).find(|at| match bytes[*at] {
        b'{' | b'}' | b';' | b'"' => true,
        b'/' => matches!(bytes.get(at + 1), Some(b'/' | b'*')),
        _ => false,
    })
}

/// `.visible .entry name(...)`, `.func (.param .b32 r) name(...)`.
fn name(header: &str) -> Option<String> {
    let at = header.find(".entry").map(|at| at + 6).or_else(|| header.find(".func").map(|at| at + 5))?;
    let mut rest = header[at..].trim_start();
    if rest.starts_with('(') {
        rest = rest.split_once(')')?.1.trim_start();
    }
    let end = rest.find(|sign: char| sign == '(' || sign.is_whitespace()).unwrap_or(rest.len());
    Some(rest[..end].to_owned()).filter(|name| !name.is_empty())
}

fn opcode(statement: &str) -> Option<Opcode<'_>> {
    let mut words = statement.split_whitespace();
    // Labels and guards stand before it.
    let word = words.find(|word| !word.ends_with(':') && !word.starts_with('@'))?;
    word.starts_with(|sign: char| sign.is_ascii_lowercase()).then(|| Opcode(word.split('.').collect()))
}
