//! Where requests go.

use super::Api;
use crate::LoadError;
use std::net::{SocketAddr, ToSocketAddrs as _};

/// A server: address, and what every request says in its head.
#[derive(Debug, Clone)]
pub struct Target {
    /// Where it listens.
    pub addr: SocketAddr,
    /// Host and port as the URL wrote them.
    pub authority: String,
    /// Path before the API's own, without a slash at its end.
    pub base: String,
    /// Header lines beside our own, such as `authorization`.
    pub headers: Vec<(String, String)>,
}

impl Target {
    /// From a URL such as `http://127.0.0.1:8000`. A path at its end goes before the API's; `/v1` there is the API's own.
    ///
    /// # Errors
    /// No plain HTTP URL, a host that is not found, or a header line that is none.
    pub fn parse(url: &str, headers: &[(String, String)]) -> Result<Self, LoadError> {
        let wrong = |why: &str| LoadError::Config(format!("`{url}` {why}, such as `http://127.0.0.1:8000`"));
        if url.starts_with("https://") {
            return Err(wrong(
                "is encrypted, and encryption costs the client more than the answer; write a plain URL",
            ));
        }
        let rest = url
            .strip_prefix("http://")
            .ok_or_else(|| wrong("is no URL; write one that begins with `http://`"))?;
        let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        if authority.is_empty() || authority.contains(['@', '?', '#']) {
            return Err(wrong("names no host; write a URL with host and port"));
        }
        let with_port = if authority.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok()) {
            authority.to_owned()
        } else {
            format!("{authority}:80")
        };
        let addr = with_port
            .to_socket_addrs()
            .ok()
            // Servers here listen on IPv4; `localhost` gives both.
            .and_then(|found| found.min_by_key(SocketAddr::is_ipv6))
            .ok_or_else(|| wrong("names a host that is not known; write one that is"))?;
        let odd = |text: &str| text.chars().any(char::is_control);
        for (name, value) in headers {
            if name.is_empty() || name.contains([':', ' ']) || odd(name) || odd(value) {
                return Err(LoadError::Config(format!(
                    "`{name}` is no name of a header with a value in one line"
                )));
            }
        }
        let base = path.trim_end_matches('/');
        let base = base.strip_suffix("/v1").unwrap_or(base).to_owned();
        Ok(Self { addr, authority: authority.to_owned(), base, headers: headers.to_vec() })
    }

    /// Path of an API on this server.
    pub fn path(&self, api: Api) -> String {
        format!("{}{}", self.base, api.path())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_read() {
        let target = Target::parse("http://127.0.0.1:8000/v1/", &[]).unwrap();
        assert_eq!((target.addr.port(), target.path(Api::Chat).as_str()), (8000, "/v1/chat/completions"));
        assert_eq!(Target::parse("http://127.0.0.1", &[]).unwrap().addr.port(), 80);
        for (bad, word) in [
            ("https://a:1", "encrypted"),
            ("127.0.0.1:8000", "http://"),
            ("http://", "host"),
            ("http://nobody.invalid:1", "not known"),
        ] {
            let error = Target::parse(bad, &[]).unwrap_err().to_string();
            assert!(error.contains(word), "{error}");
        }
        let header = |name: &str, value: &str| [(name.to_owned(), value.to_owned())];
        assert!(Target::parse("http://127.0.0.1:1", &header("a b", "c")).is_err());
        assert!(Target::parse("http://127.0.0.1:1", &header("a", "c\r\nd: e")).is_err());
    }
}
