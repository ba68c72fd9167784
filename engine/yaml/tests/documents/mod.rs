//! Random documents in every style an author may choose, with comments that say where they belong.

/// Comments: `# over k7` stands above the entry `k7`, `# at k7` in its line, `# end` behind the last entry of a block.
pub struct Writer<'a> {
    choices: &'a [u8],
    next_key: usize,
    /// The anchors of finished values, and how many there are in all.
    anchors: (Vec<usize>, usize),
    comments: bool,
    aliases: bool,
    out: String,
}

const WORDS: [&str; 30] = [
    "a",
    "text",
    "no",
    "yes",
    "12",
    "1.50",
    "0755",
    "2026-11-22",
    "12:30",
    "~",
    "null",
    "true",
    "-O2",
    "2m",
    "1%",
    "it's",
    "a b",
    "x#y",
    "http://x/y",
    "é漢🙂",
    "a\\b",
    "say \"hi\"",
    "[x",
    "a, b",
    "a: b",
    "a #b",
    "{{ a }}",
    "{% if a %}",
    "- x",
    "*star",
];
const PLAIN: [&str; 16] = [
    "a",
    "text",
    "no",
    "12",
    "1.50",
    "0755",
    "2026-11-22",
    "12:30",
    "~",
    "null",
    "true",
    "-O2",
    "2m",
    "a b c",
    "x#y",
    "1.0e-6",
];
const LINES: [&str; 9] =
    ["one", "two words", "", "  deeper", "# no comment", "- x: [", "\ttab", "é  ", "k: v"];

/// A document whose every choice comes from `choices`; without any it is the simplest one.
pub fn document(choices: &[u8], comments: bool, aliases: bool) -> String {
    let mut writer =
        Writer { choices, next_key: 0, anchors: (Vec::new(), 0), comments, aliases, out: String::new() };
    let shape = writer.choose(12);
    if comments && writer.chance(4) {
        writer.out.push_str("#header\n\n");
    }
    match shape {
        10 => {
            writer.flow(3);
            writer.out.push('\n');
        }
        11 => writer.sequence(0, 0),
        _ => writer.mapping(0, 0),
    }
    if comments && writer.chance(4) {
        writer.out.push_str("# last\n");
    }
    match writer.choose(8) {
        7 => writer.out.replace('\n', "\r\n"),
        6 => format!("\u{feff}{}", writer.out),
        _ => writer.out,
    }
}

impl Writer<'_> {
    fn choose(&mut self, count: usize) -> usize {
        let Some((first, rest)) = self.choices.split_first() else { return 0 };
        self.choices = rest;
        usize::from(*first) % count
    }

    fn chance(&mut self, of: usize) -> bool {
        self.choose(of) == of - 1
    }

    fn indent(&mut self, indent: usize) {
        self.out.push_str(&" ".repeat(indent));
    }

    fn line(&mut self, indent: usize) {
        self.out.push('\n');
        self.indent(indent);
    }

    fn above(&mut self, indent: usize, what: &str) {
        for _ in 0..self.choose(6).saturating_sub(3) {
            self.out.push('\n');
        }
        if self.comments && self.chance(4) {
            self.indent(indent);
            let sign = ["#", "# "][self.choose(2)];
            self.out.push_str(&format!("{sign}over {what}\n"));
            if self.chance(4) {
                self.out.push('\n');
            }
        }
    }

    /// Ends the line of an entry.
    fn end(&mut self, what: &str) {
        if self.comments && self.chance(3) {
            self.out.push_str(&format!(" # at {what}"));
        } else if self.chance(5) {
            self.out.push(' ');
        }
        self.out.push('\n');
    }

    fn key(&mut self) -> String {
        self.next_key += 1;
        format!("k{}", self.next_key)
    }

    fn mapping(&mut self, indent: usize, depth: usize) {
        for index in 0..self.choose(4) + 1 {
            let key = self.key();
            if index > 0 || indent == 0 {
                self.above(indent, &key);
            }
            if index > 0 || self.out.ends_with('\n') || self.out.is_empty() {
                self.indent(indent);
            }
            match self.choose(8) {
                5 => self.out.push_str(&format!("'{key}'")),
                6 => self.out.push_str(&format!("\"{key}\"")),
                7 => self.out.push_str(&format!("{key} ")),
                _ => self.out.push_str(&key),
            }
            self.out.push(':');
            self.value(indent, depth, &key, true);
        }
        self.end_of_block(indent);
    }

    fn sequence(&mut self, indent: usize, depth: usize) {
        for index in 0..self.choose(4) + 1 {
            let name = self.key();
            if index > 0 || self.out.ends_with('\n') {
                self.above(indent, &name);
            }
            if index > 0 || self.out.ends_with('\n') || self.out.is_empty() {
                self.indent(indent);
            }
            self.out.push('-');
            self.value(indent, depth, &name, false);
        }
        self.end_of_block(indent);
    }

    fn end_of_block(&mut self, indent: usize) {
        if self.comments && indent > 0 && self.chance(6) {
            self.indent(indent);
            self.out.push_str("# end\n");
        }
    }

    /// What stands behind `key:` or `-`, with the end of the line.
    fn value(&mut self, indent: usize, depth: usize, name: &str, mapping: bool) {
        let mut choice = self.choose(14);
        if depth > 3 && choice > 8 {
            choice -= 6;
        }
        if self.chance(6)
            && let Some(alias) = self.alias()
        {
            self.out.push_str(&format!(" {alias}"));
            return self.end(name);
        }
        let anchor = self.aliases && self.chance(5);
        self.anchors.1 += usize::from(anchor);
        let number = self.anchors.1;
        if anchor {
            self.out.push_str(&format!(" &a{number}"));
        }
        match choice {
            0..=2 => {
                let spaces = 1 + self.choose(2);
                self.indent(spaces);
                self.scalar(false);
                self.end(name);
            }
            3 => self.end(name),
            4 => self.several_lines(indent, name),
            5 => self.block(indent),
            6 | 7 => {
                self.out.push(' ');
                self.flow(depth + 1);
                self.end(name);
            }
            8 => {
                self.out.push_str("\n\n");
                self.indent(indent + 1);
                self.scalar(false);
                self.end(name);
            }
            9 if !mapping && !anchor => {
                let spaces = 1 + self.choose(3);
                self.indent(spaces);
                match self.chance(3) {
                    true => self.sequence(indent + 1 + spaces, depth + 1),
                    false => self.mapping(indent + 1 + spaces, depth + 1),
                }
            }
            9 | 10 => {
                self.end(name);
                let deeper = 1 + self.choose(4);
                self.mapping(indent + deeper, depth + 1);
            }
            11 | 12 => {
                self.end(name);
                let deeper = self.choose(4).max(usize::from(!mapping));
                self.sequence(indent + deeper, depth + 1);
            }
            _ => {
                self.end(name);
                self.mapping(indent + 2, depth + 1);
            }
        }
        if anchor {
            self.anchors.0.push(number);
        }
    }

    fn alias(&mut self) -> Option<String> {
        let index = self.choose(self.anchors.0.len().max(1));
        self.anchors.0.get(index).map(|anchor| format!("*a{anchor}"))
    }

    fn scalar(&mut self, flow: bool) {
        match self.choose(4) {
            0 | 1 => {
                let word = PLAIN[self.choose(PLAIN.len())];
                self.out.push_str(word);
            }
            2 => {
                let word = WORDS[self.choose(WORDS.len())].replace('\'', "''");
                self.out.push_str(&format!("'{word}'"));
            }
            _ => {
                let word = WORDS[self.choose(WORDS.len())];
                let ending = if flow { "" } else { ["", "\\n", " ", "\t"][self.choose(4)] };
                self.out.push_str(&format!("{:?}", format!("{word}{ending}")));
            }
        }
    }

    fn several_lines(&mut self, indent: usize, name: &str) {
        let quote = ["", "'", "\""][self.choose(3)];
        self.out.push_str(&format!(" {quote}first"));
        for _ in 0..self.choose(4) + 1 {
            let breaks = ["\n", "\n\n", "  \n", "\n \n\n"][self.choose(4)];
            let escaped = quote == "\"" && self.chance(4);
            self.out.push_str(if escaped { "\\\n" } else { breaks });
            let deeper = 1 + self.choose(3);
            self.indent(indent + deeper);
            let more = ["more", "- x", "it", "x y", "x:v"][self.choose(5)];
            self.out.push_str(more);
            if quote == "\"" && self.chance(5) {
                self.out.push_str("\\ ");
            }
        }
        self.out.push_str(quote);
        self.end(name);
    }

    fn block(&mut self, indent: usize) {
        let deeper = 1 + self.choose(4);
        let lines: Vec<&str> = (0..self.choose(6)).map(|_| LINES[self.choose(LINES.len())]).collect();
        let style = ["|", ">"][self.choose(2)];
        let chomping = ["", "-", "+"][self.choose(3)];
        let leads = lines.iter().find(|line| !line.is_empty()).is_none_or(|line| line.starts_with(' '));
        let digit = if leads || self.chance(4) { deeper.to_string() } else { String::new() };
        self.out.push_str(&format!(" {style}{digit}{chomping}"));
        if self.comments && self.chance(4) {
            self.out.push_str(" #head");
        }
        self.out.push('\n');
        for line in lines {
            if !line.is_empty() || self.chance(3) {
                self.indent(deeper + indent);
            }
            self.out.push_str(line);
            self.out.push('\n');
        }
    }

    /// A place between the tokens of a flow collection.
    fn gap(&mut self) {
        match self.choose(10) {
            0..=5 => self.out.push(' '),
            6 => {}
            7 => self.line(40),
            8 if self.comments => {
                self.out.push_str(" # in");
                self.line(40);
            }
            _ => {
                self.out.push('\n');
                self.line(50);
            }
        }
    }

    fn flow(&mut self, depth: usize) {
        let mapping = self.chance(2);
        self.out.push(if mapping { '{' } else { '[' });
        self.gap();
        let count = self.choose(5);
        for index in 0..count {
            if mapping {
                let key = self.key();
                let quote = ["", "\"", "'"][self.choose(3)];
                self.out.push_str(&format!("{quote}{key}{quote}"));
                if self.chance(6) {
                    self.flow_separator(index + 1 == count);
                    continue;
                }
                self.out.push_str(": ");
            } else if self.chance(8) {
                let key = self.key();
                self.out.push_str(&format!("{key}: "));
            }
            match (self.choose(6), self.alias()) {
                (3 | 4, _) if depth < 5 => self.flow(depth + 1),
                (5, Some(alias)) => self.out.push_str(&alias),
                _ => self.scalar(true),
            }
            self.flow_separator(index + 1 == count);
        }
        self.out.push(if mapping { '}' } else { ']' });
    }

    fn flow_separator(&mut self, last: bool) {
        self.gap();
        if !last || self.chance(3) {
            self.out.push(',');
            self.out.push(' ');
            self.gap();
        }
    }
}
