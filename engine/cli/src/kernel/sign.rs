//! `assay ledger sign`: that somebody read the source of a candidate that is too fast to be believed unseen.

use crate::answerer;
use crate::context::Cx;
use crate::fail::Failure;
use crate::format::shell_word;
use crate::kernel::{ledger, refused};
use crate::reply::Reply;
use assay_kernel::ledger::{Ledger, Signer};
use assay_manifest::absolute;
use assay_protocol::ExitCode;
use clap::Args;
use serde_json::json;

/// Where a system lists its users.
const USERS: &str = "/etc/passwd";

/// Options of `ledger sign`.
#[derive(Debug, Args)]
pub struct Sign {
    /// The ledger
    pub ledger: String,
    /// Number of the row, as `assay ledger show` tells it
    #[arg(long, value_name = "N")]
    pub row: usize,
    /// What was read, and why the gain is believed
    #[arg(long, value_name = "TEXT")]
    pub comment: String,
}

/// Adds the signature.
pub fn sign(cx: &Cx, options: &Sign) -> Result<Reply, Failure> {
    let comment = options.comment.trim();
    if comment.is_empty() {
        return Err(Failure::usage("a signature needs a comment")
            .help("say what was read, and why the gain is believed: `--comment \"read fast.c: one pass instead of three\"`"));
    }
    if let Some(run) = answerer::run_above(cx) {
        return Err(Failure::new(
            ExitCode::Waiting,
            "signature-refused",
            format!("the signature does not count: it comes from a process that run `{run}` started"),
        )
        .help("a person, or an agent outside of runs, must read the source and sign"));
    }
    // A ledger that is not there is not begun by a signature.
    let (shown, _) = ledger::read(cx, &options.ledger)?;
    let path = absolute(&cx.paths.cwd, &options.ledger);
    let who = answerer::who(cx);
    let user = std::fs::read_to_string(USERS).ok().and_then(|users| name(&users, who.uid));
    let by = Signer {
        user: user.unwrap_or_else(|| format!("uid {}", who.uid)),
        uid: who.uid,
        pid: who.pid,
        terminal: who.terminal,
        parent: who.parent,
    };
    let user = by.user.clone();
    let added = Ledger::new(path).sign(options.row, by, comment).map_err(|error| {
        refused::ledger(cx, &error).next(
            format!("assay ledger show {}", shell_word(&options.ledger)),
            "shows the rows and what they wait for",
        )
    })?;
    let data =
        json!({"ledger": shown, "signed": options.row, "by": user, "row": added.row, "hash": added.hash});
    let text = format!("{shown}: row {} is signed by {user}, in row {}\n", options.row, added.row);
    Ok(Reply::ok(data, text)
        .next(format!("assay ledger show {}", shell_word(&options.ledger)), "shows it beside the judgement"))
}

/// The name of a user in a list of users, `name:password:uid:...` each.
fn name(users: &str, uid: u32) -> Option<String> {
    let of = |line: &str| {
        let mut fields = line.split(':');
        let name = fields.next().filter(|name| !name.is_empty())?;
        (fields.nth(1)?.parse::<u32>().ok()? == uid).then(|| name.to_owned())
    };
    users.lines().find_map(of)
}

#[cfg(test)]
mod tests {
    use super::name;

    #[test]
    fn users_are_found_by_their_number() {
        let users = "root:x:0:0:root:/root:/bin/sh\n# a remark\n:x:7:7\nada:x:1000:1000::/home/ada:/bin/sh\n";
        assert_eq!(name(users, 1000).as_deref(), Some("ada"));
        assert_eq!(name(users, 0).as_deref(), Some("root"));
        assert_eq!((name(users, 7), name(users, 100)), (None, None));
    }
}
