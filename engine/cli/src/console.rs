//! Where output goes: data to standard output, everything else to standard error. Must not decide what is said.

use crate::env::Env;
use clap::ValueEnum;
use std::io::Write as _;

/// When to use colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum Color {
    /// On a terminal, unless `NO_COLOR` is set.
    #[default]
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// The two streams.
#[derive(Debug, Clone, Copy)]
pub struct Console {
    /// One object on standard output instead of text.
    pub json: bool,
    /// Colour on standard output.
    pub color_out: bool,
    /// Colour on standard error.
    pub color_err: bool,
    /// Standard error is a terminal that can be painted over.
    pub live: bool,
    /// Standard output is a terminal.
    pub terminal_out: bool,
}

/// Colours by what they mean; every text also says it in words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tone {
    /// It went well.
    Good,
    /// It did not.
    Bad,
    /// It deserves a look.
    Warn,
    /// Less important.
    Quiet,
    /// A heading.
    Strong,
}

impl Console {
    /// Reads what the environment says about terminals.
    pub fn new(env: &Env, json: bool, color: Color) -> Self {
        let dumb = env.get("TERM").is_none_or(|term| term == "dumb");
        let wanted = |terminal: bool| match color {
            Color::Always => true,
            Color::Never => false,
            Color::Auto => terminal && !dumb && env.get("NO_COLOR").is_none(),
        };
        Self {
            json,
            color_out: !json && wanted(env.terminal[1]),
            color_err: wanted(env.terminal[2]),
            live: !json && env.terminal[2] && !dumb,
            terminal_out: env.terminal[1],
        }
    }

    /// Writes to standard output; `false` once nobody reads it any more.
    pub fn out(&self, text: &str) -> bool {
        let mut stream = std::io::stdout().lock();
        stream.write_all(text.as_bytes()).and_then(|()| stream.flush()).is_ok()
    }

    /// Writes bytes as they are to standard output; `false` once nobody reads it any more.
    pub fn out_bytes(&self, bytes: &[u8]) -> bool {
        let mut stream = std::io::stdout().lock();
        stream.write_all(bytes).and_then(|()| stream.flush()).is_ok()
    }

    /// Writes to standard error.
    pub fn err(&self, text: &str) {
        // When nobody reads it there is nobody to tell.
        let _ = std::io::stderr().lock().write_all(text.as_bytes());
    }

    /// The width of the terminal on standard output in cells, if it is one.
    pub fn width(&self) -> Option<u16> {
        let size = rustix::termios::tcgetwinsize(std::io::stdout()).ok()?;
        (self.terminal_out && size.ws_col >= 20).then_some(size.ws_col)
    }
}

/// `text` in the colour of `tone`, if colours are on.
pub fn paint(color: bool, tone: Tone, text: &str) -> String {
    let code = match tone {
        Tone::Good => "32",
        Tone::Bad => "31;1",
        Tone::Warn => "33",
        Tone::Quiet => "2",
        Tone::Strong => "1",
    };
    if color { format!("\u{1b}[{code}m{text}\u{1b}[0m") } else { text.to_owned() }
}

/// Text from elsewhere (logs, reasons) without control characters, so that it cannot repaint the terminal.
pub fn clean(text: &str) -> String {
    text.chars().map(|c| if c.is_control() && c != '\n' && c != '\t' { '\u{fffd}' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::{Color, Console, clean};
    use crate::env::Env;

    #[test]
    fn colour_only_on_a_terminal_and_not_against_no_color() {
        let mut env = Env::bare(std::path::Path::new("/"));
        env.vars.insert("TERM".to_owned(), "xterm".to_owned());
        assert!(!Console::new(&env, false, Color::Auto).color_out);
        env.terminal = [true; 3];
        assert!(Console::new(&env, false, Color::Auto).color_out);
        assert!(!Console::new(&env, true, Color::Always).color_out, "JSON is never coloured");
        env.vars.insert("NO_COLOR".to_owned(), "1".to_owned());
        assert!(!Console::new(&env, false, Color::Auto).color_out);
        assert!(Console::new(&env, false, Color::Always).color_out);
    }

    #[test]
    fn control_characters_of_others_do_not_reach_the_terminal() {
        assert_eq!(clean("a\u{1b}[2Jb\nc"), "a\u{fffd}[2Jb\nc");
    }
}
