//! One request outside of the load: flush a cache, ask for models. Blocking, with a time limit.

use super::Target;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

/// The longest answer that is read.
const LONGEST: u64 = 16 << 20;

/// Status and body of an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// HTTP status.
    pub status: u16,
    /// Body as text; what is no UTF-8 is replaced.
    pub body: String,
}

/// Sends one request with an optional JSON body and reads the whole answer. `path` is below the server's root.
///
/// # Errors
/// Says what is wrong with the connection or the answer, in a fragment.
pub fn ask(
    target: &Target,
    method: &str,
    path: &str,
    body: Option<&str>,
    limit: Duration,
) -> Result<Reply, String> {
    let text = |error: std::io::Error| error.to_string();
    let mut stream = TcpStream::connect_timeout(&target.addr, limit).map_err(text)?;
    stream.set_read_timeout(Some(limit)).map_err(text)?;
    stream.set_write_timeout(Some(limit)).map_err(text)?;
    let body = body.unwrap_or_default();
    let headers: String = target.headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    let head = format!(
        "{method} {path} HTTP/1.1\r\nhost: {}\r\ncontent-type: application/json\r\n{headers}connection: close\r\ncontent-length: {}\r\n\r\n",
        target.authority,
        body.len()
    );
    stream.write_all(head.as_bytes()).map_err(text)?;
    stream.write_all(body.as_bytes()).map_err(text)?;
    let mut bytes = Vec::new();
    stream.take(LONGEST).read_to_end(&mut bytes).map_err(text)?;
    super::answer::whole(&bytes).map(|(status, body)| Reply { status, body })
}
