//! The two sections of the file that describe the CPU thread: operators with step marks, and Python frames.
//!
//! Both are written in order of their starts, so each event waits until those around it have ended; at most one pass
//! is held.

use std::io;

use super::event::{Frame, Operator, Sink};
use super::json::{Cat, Json, Track, push_escaped};
use super::recipe::{Recipe, Schema};

/// Writes operators and step marks.
pub(super) struct Operators<'j, 'o> {
    json: &'j mut Json<'o>,
    track: Track,
    shapes: bool,
    old: bool,
    poison: &'static [u8],
    /// Operators with their ends, in order of their starts.
    held: Vec<(Operator, u64)>,
    open: usize,
    written: u64,
}

impl<'j, 'o> Operators<'j, 'o> {
    pub(super) fn new(json: &'j mut Json<'o>, recipe: &Recipe, poison: &'static [u8]) -> Self {
        let process = recipe.process();
        Self {
            json,
            track: Track::Thread { process, thread: process },
            shapes: recipe.shapes,
            old: recipe.schema == Schema::Y2021,
            poison,
            held: Vec::new(),
            open: 0,
            written: 0,
        }
    }

    fn write(&mut self, operator: &Operator, end: u64) {
        let cat = if operator.mark { Cat::Annotation } else { Cat::Operator };
        let poison = self.poison;
        let time = (operator.start, end - operator.start);
        self.json.span(cat, |buffer| push_escaped(buffer, &operator.name), self.track, time);
        self.json.arg("External id", operator.external);
        if self.old {
            self.json.arg_text("Trace name", "PyTorch Profiler");
            self.json.arg("Trace iteration", 0);
        } else {
            self.json.arg("Record function id", 0);
        }
        if self.shapes && !operator.mark {
            let dims = format!("[[{}, 2048], [2048, 768]]", operator.rows);
            if self.old {
                self.json.arg_raw("Input dims", &dims);
                self.json.arg_raw("Input type", "[\"c10::BFloat16\", \"c10::BFloat16\"]");
            } else {
                self.json.arg_poisoned("Concrete Inputs", poison);
                self.json.arg_raw("Input type", "[\"c10::BFloat16\", \"c10::BFloat16\"]");
                self.json.arg_raw("Input Strides", "[[2048, 1], [1, 2048]]");
                self.json.arg_raw("Input Dims", &dims);
            }
        }
        if !self.old {
            self.json.arg("Ev Idx", self.written);
        }
        self.json.end();
        self.written += 1;
    }
}

impl Sink for Operators<'_, '_> {
    fn open_operator(&mut self, operator: Operator) {
        self.held.push((operator, 0));
        self.open += 1;
    }

    fn close_operator(&mut self, external: u64, end: u64) {
        // It is nearly always among the last few, except the mark around a whole pass.
        if let Some((_, at)) = self.held.iter_mut().rev().find(|(operator, _)| operator.external == external)
        {
            *at = end;
        }
        self.open -= 1;
        if self.open == 0 {
            let mut held = std::mem::take(&mut self.held);
            for (operator, end) in &held {
                self.write(operator, *end);
            }
            held.clear();
            self.held = held;
        }
    }

    fn check(&mut self) -> io::Result<()> {
        self.json.check()
    }
}

/// Writes Python frames.
pub(super) struct Frames<'j, 'o> {
    json: &'j mut Json<'o>,
    track: Track,
    poison: &'static [u8],
    /// End of the recording, where the lasting frames end.
    end: u64,
    /// Frames with their ends; ids are consecutive.
    held: Vec<(Frame, u64)>,
    open: usize,
}

impl<'j, 'o> Frames<'j, 'o> {
    pub(super) fn new(json: &'j mut Json<'o>, recipe: &Recipe, poison: &'static [u8], end: u64) -> Self {
        let process = recipe.process();
        Self {
            json,
            track: Track::Thread { process, thread: process },
            poison,
            end,
            held: Vec::new(),
            open: 0,
        }
    }

    fn write(&mut self, frame: &Frame, end: u64) {
        let poison = self.poison;
        let time = (frame.start, end - frame.start);
        self.json.span(Cat::Frame, |buffer| frame.name.push(buffer, poison), self.track, time);
        match frame.parent {
            Some(parent) => self.json.arg("Python parent id", parent),
            None => self.json.arg_raw("Python parent id", "null"),
        }
        self.json.arg("Python id", frame.id);
        if let super::event::FrameName::Module(_, index) = frame.name {
            self.json.arg("Python module id", u64::from(index));
        }
        self.json.arg("Ev Idx", 1_000_000 + frame.id);
        self.json.end();
    }
}

impl Sink for Frames<'_, '_> {
    fn open_frame(&mut self, frame: Frame) {
        if frame.lasting {
            self.write(&frame, self.end);
        } else {
            self.held.push((frame, 0));
            self.open += 1;
        }
    }

    fn close_frame(&mut self, id: u64, end: u64) {
        let first = self.held.first().map_or(id, |(frame, _)| frame.id);
        if let Some((_, at)) = self.held.get_mut((id - first) as usize) {
            *at = end;
        }
        self.open -= 1;
        if self.open == 0 {
            let mut held = std::mem::take(&mut self.held);
            for (frame, end) in &held {
                self.write(frame, *end);
            }
            held.clear();
            self.held = held;
        }
    }

    fn check(&mut self) -> io::Result<()> {
        self.json.check()
    }
}
