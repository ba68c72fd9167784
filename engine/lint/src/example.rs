//! The examples in rules are pieces; a manifest is made of one by adding what it leaves out.

/// Begins each file of an example that is about several, or about a file's name.
const FILE: &str = "# file: ";

/// A manifest around a piece of one: head, and a step if it has none. A `SKILL.md` (it begins with `---`) stays as it is, except
/// that `<!-- <n> times the line above -->` is followed.
/// A piece with lines `# file: <path>` is several, and each of them is made whole.
pub fn whole(piece: &str) -> String {
    if piece.starts_with(FILE) {
        let files = piece.split_inclusive('\n').fold(Vec::<(&str, String)>::new(), |mut files, line| {
            match (line.starts_with(FILE), files.last_mut()) {
                (false, Some((_, text))) => text.push_str(line),
                _ => files.push((line, String::new())),
            }
            files
        });
        return files.into_iter().map(|(head, text)| head.to_owned() + &whole(&text)).collect();
    }
    if piece.starts_with("---") {
        return repeated(piece);
    }
    let has = |key: &str| piece.lines().any(|line| line.starts_with(&format!("{key}:")));
    let mut out = String::new();
    for (key, line) in [
        ("apiVersion", "apiVersion: assay/v1"),
        ("kind", "kind: Skill"),
        ("name", "name: example"),
        ("version", "version: 1.0.0"),
        ("description", "description: Shows what a rule finds. Use it to read about that rule."),
        ("verified", "verified: {against: \"gcc 12.2\", date: 2026-01-31, stale_after: 3650d}"),
    ] {
        // An example may be about a head that is missing; it then says so by a comment with the key.
        if !has(key) && !piece.contains(&format!("# no {key}")) {
            out.push_str(line);
            out.push('\n');
        }
    }
    out.push_str(piece);
    if !piece.ends_with('\n') {
        out.push('\n');
    }
    if !has("steps") && !piece.contains("# no steps") {
        out.push_str(
            "steps:\n  hello:\n    uses: command\n    with: {argv: [echo, hello]}\n    timeout: 1m\n",
        );
    }
    out
}

/// `<!-- 500 times the line above -->` stands for as many lines, so that an example of length can be read.
fn repeated(piece: &str) -> String {
    let mut out = String::new();
    let mut above = "";
    for line in piece.split_inclusive('\n') {
        let times = line
            .trim_end()
            .strip_prefix("<!-- ")
            .and_then(|rest| rest.strip_suffix(" times the line above -->"));
        match times.and_then(|times| times.parse::<usize>().ok()) {
            Some(times) => out.push_str(&above.repeat(times)),
            None => out.push_str(line),
        }
        above = line;
    }
    out
}

#[cfg(test)]
mod tests {
    use super::whole;

    #[test]
    fn only_what_is_missing_is_added() {
        let text = whole("version: 2.0.0\ninputs: {n: {type: integer}}\n");
        assert_eq!(text.matches("version:").count(), 1, "{text}");
        assert!(text.starts_with("apiVersion: assay/v1\n") && text.contains("\nsteps:\n"), "{text}");
        assert_eq!(whole("---\nname: x\n---\n"), "---\nname: x\n---\n");
        let long = whole("---\nname: x\n---\nstep\n<!-- 3 times the line above -->\n");
        assert_eq!(long, "---\nname: x\n---\nstep\nstep\nstep\nstep\n");
    }

    #[test]
    fn several_files_are_made_whole_each() {
        let text = whole("# file: x/skill.yaml\nname: x\n# file: x/SKILL.md\n---\nname: x\n---\n");
        assert!(text.starts_with("# file: x/skill.yaml\napiVersion: assay/v1\n"), "{text}");
        assert!(text.ends_with("# file: x/SKILL.md\n---\nname: x\n---\n"), "{text}");
    }
}
