//! Writes trace events as JSON text, in the profiler's own layout or in one line.
//!
//! Knows the format and nothing of models. It keeps the first failure of the output and reports it on demand, so
//! that the simulation stays free of error handling at every number.

use std::collections::BTreeMap;
use std::io::{self, Write};

use super::recipe::{Recipe, Root, Schema};

/// Bytes collected before they are handed to the output.
const BUFFER: usize = 1 << 18;

/// The category of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cat {
    Operator,
    Annotation,
    Frame,
    Runtime,
    Driver,
    Flow,
    Kernel,
    Copy,
    Fill,
    GpuAnnotation,
    Metadata,
    Instant,
    Trace,
}

const CATS: usize = Cat::Trace as usize + 1;

impl Cat {
    /// The word in `cat`; for events without one, the word under which they are counted.
    pub(super) fn word(self, schema: Schema) -> &'static str {
        let old = schema == Schema::Y2021;
        match self {
            Self::Operator | Self::Annotation if old => "Operator",
            Self::Runtime | Self::Driver if old => "Runtime",
            Self::Operator => "cpu_op",
            Self::Annotation => "user_annotation",
            Self::Frame => "python_function",
            Self::Runtime => "cuda_runtime",
            Self::Driver => "cuda_driver",
            Self::Flow => ["ac2g", "async"][usize::from(old)],
            Self::Kernel => ["kernel", "Kernel"][usize::from(old)],
            Self::Copy => ["gpu_memcpy", "Memcpy"][usize::from(old)],
            Self::Fill => ["gpu_memset", "Memset"][usize::from(old)],
            Self::GpuAnnotation => "gpu_user_annotation",
            Self::Metadata => "metadata",
            Self::Instant => "instant",
            Self::Trace => "Trace",
        }
    }

    const ALL: [Self; CATS] = [
        Self::Operator,
        Self::Annotation,
        Self::Frame,
        Self::Runtime,
        Self::Driver,
        Self::Flow,
        Self::Kernel,
        Self::Copy,
        Self::Fill,
        Self::GpuAnnotation,
        Self::Metadata,
        Self::Instant,
        Self::Trace,
    ];
}

/// The line of the timeline an event lies on.
#[derive(Debug, Clone, Copy)]
pub(super) enum Track {
    Thread { process: u32, thread: u32 },
    Stream { device: u32, stream: u32 },
}

/// White space at the places where the two layouts differ.
#[derive(Debug, Clone, Copy)]
struct Layout {
    between_events: &'static str,
    event_open: &'static str,
    event_line: &'static str,
    event_close: &'static str,
    args_open: &'static str,
    args_close: &'static str,
}

const LINES: Layout = Layout {
    between_events: ",\n  ",
    event_open: "{\n    ",
    event_line: ",\n    ",
    event_close: "\n  }",
    args_open: "\"args\": {\n      ",
    args_close: "\n    }",
};

const ONE_LINE: Layout = Layout {
    between_events: ", ",
    event_open: "{",
    event_line: ", ",
    event_close: "}",
    args_open: "\"args\": {",
    args_close: "}",
};

/// The document under construction.
pub(super) struct Json<'a> {
    out: &'a mut dyn Write,
    buffer: Vec<u8>,
    counts: [u64; CATS],
    layout: Layout,
    schema: Schema,
    root: Root,
    quoted_ids: bool,
    first_event: bool,
    first_arg: bool,
    failure: Option<io::Error>,
}

impl<'a> Json<'a> {
    pub(super) fn new(out: &'a mut dyn Write, recipe: &Recipe, quoted_ids: bool) -> Self {
        Self {
            out,
            buffer: Vec::with_capacity(BUFFER + 4096),
            counts: [0; CATS],
            layout: if recipe.compact { ONE_LINE } else { LINES },
            schema: recipe.schema,
            root: recipe.root,
            quoted_ids,
            first_event: true,
            first_arg: true,
            failure: None,
        }
    }

    /// Starts the document: `head` is the inside of the root object up to the events, without a final comma.
    pub(super) fn open(&mut self, head: &str) {
        match self.root {
            Root::List => self.raw("["),
            Root::Object => {
                self.raw("{");
                self.raw(head);
                self.raw(", \"traceEvents\": [");
            }
        }
        self.raw(self.layout.between_events.trim_start_matches(','));
    }

    /// Ends the document: `tail` is the inside of the root object after the events.
    pub(super) fn close(&mut self, tail: &str) {
        self.raw("]");
        if self.root == Root::Object {
            self.raw(", ");
            self.raw(tail);
            self.raw("}");
        }
        self.raw("\n");
    }

    /// Hands everything over, and says what went wrong so far.
    pub(super) fn finish(&mut self) -> io::Result<()> {
        self.hand_over();
        match self.failure.take() {
            Some(failure) => Err(failure),
            None => self.out.flush(),
        }
    }

    /// The first failure of the output, once.
    pub(super) fn check(&mut self) -> io::Result<()> {
        self.failure.take().map_or(Ok(()), Err)
    }

    /// Events written so far, by category as written.
    pub(super) fn counts(&self) -> BTreeMap<String, u64> {
        let mut counts = BTreeMap::new();
        for (cat, &count) in Cat::ALL.iter().zip(&self.counts) {
            if count > 0 {
                *counts.entry(cat.word(self.schema).to_owned()).or_default() += count;
            }
        }
        counts
    }

    /// An event with a duration, up to its arguments. The closure writes the inside of the name's string.
    pub(super) fn span(
        &mut self,
        cat: Cat,
        name: impl FnOnce(&mut Vec<u8>),
        track: Track,
        (start, duration): (u64, u64),
    ) {
        self.begin(cat);
        self.raw("\"ph\": \"X\", \"cat\": \"");
        self.raw(cat.word(self.schema));
        self.raw("\", \"name\": \"");
        name(&mut self.buffer);
        self.raw("\", ");
        self.track(track);
        self.raw(self.layout.event_line);
        self.raw("\"ts\": ");
        self.time(start);
        self.raw(", \"dur\": ");
        self.time(duration);
        self.args();
    }

    /// One end of the arrow from a launch to what it started.
    pub(super) fn flow(&mut self, start: bool, id: u64, track: Track, at: u64) {
        self.begin(Cat::Flow);
        self.raw(if start { "\"ph\": \"s\", \"id\": " } else { "\"ph\": \"f\", \"id\": " });
        self.number(id);
        self.raw(", ");
        self.track(track);
        self.raw(", \"ts\": ");
        self.time(at);
        self.raw(self.layout.event_line);
        self.raw(if self.schema == Schema::Y2021 {
            "\"cat\": \"async\", \"name\": \"launch\""
        } else {
            "\"cat\": \"ac2g\", \"name\": \"ac2g\""
        });
        if !start {
            self.raw(", \"bp\": \"e\"");
        }
        self.raw(self.layout.event_close);
    }

    /// A naming event (`ph` M) up to its arguments.
    pub(super) fn metadata(&mut self, name: &str, track: Track, at: u64) {
        self.begin(Cat::Metadata);
        self.raw("\"name\": ");
        self.text(name);
        self.raw(", \"ph\": \"M\", \"ts\": ");
        self.time(at);
        self.raw(", ");
        self.track(track);
        self.args();
    }

    /// An event given as the inside of its object.
    pub(super) fn literal(&mut self, cat: Cat, body: &str) {
        self.begin(cat);
        self.raw(body);
        self.raw(self.layout.event_close);
    }

    /// Ends an event that has arguments.
    pub(super) fn end(&mut self) {
        self.raw(self.layout.args_close);
        self.raw(self.layout.event_close);
        if self.buffer.len() >= BUFFER {
            self.hand_over();
        }
    }

    pub(super) fn arg(&mut self, key: &str, value: u64) {
        self.key(key);
        self.number(value);
    }

    pub(super) fn arg_text(&mut self, key: &str, value: &str) {
        self.key(key);
        self.text(value);
    }

    /// An argument whose value is JSON text already.
    pub(super) fn arg_raw(&mut self, key: &str, value: &str) {
        self.key(key);
        self.raw(value);
    }

    /// A list of two strings, the first of which holds bytes that no JSON string may hold, if there are any.
    pub(super) fn arg_poisoned(&mut self, key: &str, poison: &[u8]) {
        self.key(key);
        self.raw("[\"");
        self.buffer.extend_from_slice(poison);
        self.raw("\", \"\"]");
    }

    fn begin(&mut self, cat: Cat) {
        self.counts[cat as usize] += 1;
        if !std::mem::take(&mut self.first_event) {
            self.raw(self.layout.between_events);
        }
        self.raw(self.layout.event_open);
    }

    fn args(&mut self) {
        self.raw(self.layout.event_line);
        self.raw(self.layout.args_open);
        self.first_arg = true;
    }

    fn key(&mut self, key: &str) {
        if !std::mem::take(&mut self.first_arg) {
            self.raw(", ");
        }
        self.raw("\"");
        self.raw(key);
        self.raw("\": ");
    }

    fn track(&mut self, track: Track) {
        let old = self.schema == Schema::Y2021;
        let (process, line, stream) = match track {
            Track::Thread { process, thread } => (process, thread, false),
            Track::Stream { device, stream } => (device, stream, true),
        };
        self.raw("\"pid\": ");
        self.id(process, self.quoted_ids, "");
        self.raw(", \"tid\": ");
        self.id(line, self.quoted_ids || old, if old && stream { "stream " } else { "" });
    }

    fn id(&mut self, id: u32, quoted: bool, prefix: &str) {
        if quoted {
            self.raw("\"");
        }
        self.raw(prefix);
        self.number(u64::from(id));
        if quoted {
            self.raw("\"");
        }
    }

    /// Nanoseconds as microseconds, with three decimals where the schema has them.
    pub(super) fn time(&mut self, ns: u64) {
        self.number(ns / 1000);
        if self.schema == Schema::Current {
            let rest = ns % 1000;
            self.buffer.push(b'.');
            self.buffer.push(b'0' + (rest / 100) as u8);
            self.buffer.push(b'0' + (rest / 10 % 10) as u8);
            self.buffer.push(b'0' + (rest % 10) as u8);
        }
    }

    fn number(&mut self, value: u64) {
        push_number(&mut self.buffer, value);
    }

    fn text(&mut self, value: &str) {
        self.raw("\"");
        push_escaped(&mut self.buffer, value);
        self.raw("\"");
    }

    fn raw(&mut self, text: &str) {
        self.buffer.extend_from_slice(text.as_bytes());
    }

    fn hand_over(&mut self) {
        if self.failure.is_none()
            && let Err(failure) = self.out.write_all(&self.buffer)
        {
            self.failure = Some(failure);
        }
        self.buffer.clear();
    }
}

/// Decimal digits.
pub(super) fn push_number(buffer: &mut Vec<u8>, mut value: u64) {
    let mut digits = [0u8; 20];
    let mut at = digits.len();
    loop {
        at -= 1;
        digits[at] = b'0' + (value % 10) as u8;
        value /= 10;
        if value == 0 {
            break;
        }
    }
    buffer.extend_from_slice(&digits[at..]);
}

/// The inside of a JSON string.
pub(super) fn push_escaped(buffer: &mut Vec<u8>, text: &str) {
    for piece in text.split_inclusive(['"', '\\']) {
        match piece.as_bytes().split_last() {
            Some((&special @ (b'"' | b'\\'), plain)) => {
                buffer.extend_from_slice(plain);
                buffer.extend_from_slice(&[b'\\', special]);
            }
            _ => buffer.extend_from_slice(piece.as_bytes()),
        }
    }
}
