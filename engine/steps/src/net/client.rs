//! HTTP/1.1 to loopback over plain TCP. Must not follow redirects: a status is what the server said.

use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Bytes;
use hyper::client::conn::http1;
use hyper::{Method, Uri};
use hyper_util::rt::TokioIo;
use std::net::IpAddr;
use std::time::{Duration, Instant};
use tokio::net::TcpStream;

/// Largest body that is read.
const BODY_LIMIT: usize = 16 << 20;

/// Why there is no response.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NetError {
    /// Only plain HTTP to loopback exists in this build.
    #[error("`{url}` cannot be asked: {why}")]
    Unsupported {
        /// The URL as given.
        url: String,
        /// What is missing.
        why: &'static str,
    },
    /// The request makes no sense.
    #[error("{what}")]
    Malformed {
        /// What is wrong.
        what: String,
    },
    /// Nobody answers there.
    #[error("no connection to {address}: {source}")]
    Connect {
        /// Host and port.
        address: String,
        /// What the system says.
        source: std::io::Error,
    },
    /// The exchange broke.
    #[error("no answer from {address}: {what}")]
    Broken {
        /// Host and port.
        address: String,
        /// How.
        what: String,
    },
    /// It took too long.
    #[error("no answer from {address} within {seconds} s")]
    Timeout {
        /// Host and port.
        address: String,
        /// The limit.
        seconds: f64,
    },
    /// The body is larger than what is read.
    #[error("the answer from {address} is larger than {} MiB", BODY_LIMIT >> 20)]
    TooLarge {
        /// Host and port.
        address: String,
    },
}

/// What to send.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    /// `http://` and a loopback host.
    pub url: String,
    /// `GET` and so on.
    pub method: String,
    /// Headers beyond `host`.
    pub headers: Vec<(String, String)>,
    /// The body; empty for none.
    pub body: Vec<u8>,
    /// Longest time for everything.
    pub timeout: Duration,
}

impl Request {
    /// A plain `GET`.
    pub(crate) fn get(url: String, timeout: Duration) -> Self {
        Self { url, method: "GET".to_owned(), headers: Vec::new(), body: Vec::new(), timeout }
    }
}

/// What came back.
#[derive(Debug, Clone)]
pub(crate) struct Response {
    /// Status code.
    pub status: u16,
    /// Headers in order, names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
    /// Seconds from connecting to the last byte.
    pub latency_s: f64,
}

impl Response {
    /// The body as text; bytes that are none are replaced.
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body as JSON, if it is.
    pub(crate) fn json(&self) -> Option<serde_json::Value> {
        serde_json::from_slice(&self.body).ok()
    }
}

/// Where to connect.
struct Target {
    uri: Uri,
    hosts: Vec<IpAddr>,
    port: u16,
    address: String,
}

fn target(url: &str) -> Result<Target, NetError> {
    let uri: Uri = url
        .parse()
        .map_err(|error| NetError::Malformed { what: format!("`{url}` is not a URL: {error}") })?;
    let unsupported = |why| NetError::Unsupported { url: url.to_owned(), why };
    match uri.scheme_str() {
        Some("http") => {}
        Some("https") => {
            return Err(unsupported(
                "this build speaks plain `http` only; run a program such as `curl` with `command`",
            ));
        }
        _ => return Err(NetError::Malformed { what: format!("`{url}` does not begin with `http://`") }),
    }
    let host = uri.host().unwrap_or_default().trim_start_matches('[').trim_end_matches(']');
    let hosts: Vec<IpAddr> = match host {
        "localhost" => vec![[127, 0, 0, 1].into(), std::net::Ipv6Addr::LOCALHOST.into()],
        _ => host.parse().into_iter().collect(),
    };
    if hosts.is_empty() || !hosts.iter().all(IpAddr::is_loopback) {
        return Err(unsupported("only this host is asked: `localhost`, `127.0.0.1` or `[::1]`"));
    }
    let port = uri.port_u16().unwrap_or(80);
    let address = format!("{}:{port}", uri.host().unwrap_or_default());
    Ok(Target { uri, hosts, port, address })
}

/// Sends a request and reads the whole answer.
///
/// # Errors
/// Anything but a complete answer.
pub(crate) async fn send(request: &Request) -> Result<Response, NetError> {
    let target = target(&request.url)?;
    match tokio::time::timeout(request.timeout, exchange(request, &target)).await {
        Ok(done) => done,
        Err(_) => Err(NetError::Timeout { address: target.address, seconds: request.timeout.as_secs_f64() }),
    }
}

async fn exchange(request: &Request, target: &Target) -> Result<Response, NetError> {
    let begin = Instant::now();
    let stream = connect(target).await?;
    let broken = |what: String| NetError::Broken { address: target.address.clone(), what };
    let (mut sender, connection) =
        http1::handshake(TokioIo::new(stream)).await.map_err(|error| broken(error.to_string()))?;
    let message = message(request, target)?;
    let talk = async {
        let answer = sender.send_request(message).await.map_err(|error| broken(error_words(&error)))?;
        let (parts, body) = answer.into_parts();
        let body = Limited::new(body, BODY_LIMIT).collect().await.map_err(|error| {
            if error.is::<http_body_util::LengthLimitError>() {
                NetError::TooLarge { address: target.address.clone() }
            } else {
                broken(error.to_string())
            }
        })?;
        let text =
            |value: &hyper::header::HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
        Ok(Response {
            status: parts.status.as_u16(),
            headers: parts.headers.iter().map(|(name, value)| (name.to_string(), text(value))).collect(),
            body: body.to_bytes().to_vec(),
            latency_s: begin.elapsed().as_secs_f64(),
        })
    };
    // The connection is a future of its own that moves the bytes; when it is over, what it read is still to be taken.
    tokio::pin!(talk, connection);
    let mut open = true;
    loop {
        tokio::select! {
            biased;
            answer = &mut talk => return answer,
            _ = &mut connection, if open => open = false,
        }
    }
}

fn error_words(error: &hyper::Error) -> String {
    match std::error::Error::source(error) {
        Some(cause) => format!("{error}: {cause}"),
        None => error.to_string(),
    }
}

async fn connect(target: &Target) -> Result<TcpStream, NetError> {
    let mut failed = std::io::Error::from(std::io::ErrorKind::AddrNotAvailable);
    for host in &target.hosts {
        match TcpStream::connect((*host, target.port)).await {
            Ok(stream) => return Ok(stream),
            Err(error) => failed = error,
        }
    }
    Err(NetError::Connect { address: target.address.clone(), source: failed })
}

fn message(request: &Request, target: &Target) -> Result<hyper::Request<Full<Bytes>>, NetError> {
    let malformed = |what: String| NetError::Malformed { what };
    let method = Method::from_bytes(request.method.as_bytes())
        .map_err(|_| malformed(format!("`{}` is not an HTTP method", request.method)))?;
    let path = target.uri.path_and_query().map_or("/", |path| path.as_str());
    let mut builder = hyper::Request::builder().method(method).uri(path);
    if !request.headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("host")) {
        let host = target.uri.authority().map(|authority| authority.as_str()).unwrap_or(&target.address);
        builder = builder.header("host", host);
    }
    for (name, value) in &request.headers {
        builder = builder.header(name.as_str(), value.as_str());
    }
    builder
        .body(Full::new(Bytes::from(request.body.clone())))
        .map_err(|error| malformed(format!("the request cannot be made: {error}")))
}

#[cfg(test)]
mod tests {
    use super::{NetError, Request, send};
    use std::time::Duration;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    /// Answers one connection with `answer` and gives back what was asked.
    async fn once(answer: Vec<u8>) -> (u16, tokio::task::JoinHandle<String>) {
        let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let task = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut asked = vec![0; 4096];
            let read = stream.read(&mut asked).await.unwrap();
            // The client may leave in the middle of a body that is too large.
            let _ = stream.write_all(&answer).await;
            String::from_utf8_lossy(&asked[..read]).into_owned()
        });
        (port, task)
    }

    fn get(url: String) -> Request {
        Request::get(url, Duration::from_secs(5))
    }

    #[tokio::test]
    async fn an_answer_comes_with_status_headers_and_body() {
        let (port, task) =
            once(b"HTTP/1.1 503 Busy\r\nX-A: b\r\nContent-Length: 7\r\n\r\n{\"a\":1}".to_vec()).await;
        let mut request = get(format!("http://localhost:{port}/v1/x?q=1"));
        request.headers.push(("X-Try".to_owned(), "2".to_owned()));
        let response = send(&request).await.unwrap();
        assert_eq!((response.status, response.json().unwrap()["a"].as_i64()), (503, Some(1)));
        assert!(response.headers.contains(&("x-a".to_owned(), "b".to_owned())) && response.latency_s > 0.0);
        let asked = task.await.unwrap();
        assert!(asked.starts_with("GET /v1/x?q=1 HTTP/1.1\r\n"), "{asked}");
        assert!(asked.contains("x-try: 2") && asked.contains(&format!("host: localhost:{port}")), "{asked}");
    }

    #[tokio::test]
    async fn a_server_that_closes_ends_the_body() {
        let (port, task) = once(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nhello".to_vec()).await;
        assert_eq!(send(&get(format!("http://127.0.0.1:{port}"))).await.unwrap().text(), "hello");
        task.await.unwrap();
    }

    #[tokio::test]
    async fn what_is_no_answer_is_an_error() {
        let (port, task) = once(b"220 mail.example ESMTP\r\n".to_vec()).await;
        assert!(matches!(send(&get(format!("http://127.0.0.1:{port}"))).await, Err(NetError::Broken { .. })));
        task.await.unwrap();
        assert!(matches!(
            send(&get(format!("http://127.0.0.1:{port}"))).await,
            Err(NetError::Connect { .. })
        ));
        let (port, task) = once([b"HTTP/1.1 200 OK\r\n\r\n".to_vec(), vec![b'x'; 17 << 20]].concat()).await;
        assert!(matches!(
            send(&get(format!("http://127.0.0.1:{port}"))).await,
            Err(NetError::TooLarge { .. })
        ));
        task.await.unwrap();
        let silent = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let url = format!("http://{}", silent.local_addr().unwrap());
        let request = Request::get(url, Duration::from_millis(50));
        assert!(matches!(send(&request).await, Err(NetError::Timeout { .. })));
    }

    #[tokio::test]
    async fn other_hosts_and_tls_are_unsupported() {
        for url in
            ["https://localhost/", "http://example.com/", "http://10.0.0.1/", "http://localhost.example/"]
        {
            assert!(matches!(send(&get(url.to_owned())).await, Err(NetError::Unsupported { .. })), "{url}");
        }
        for url in ["localhost:80", "ftp://localhost/", ""] {
            assert!(matches!(send(&get(url.to_owned())).await, Err(NetError::Malformed { .. })), "{url}");
        }
    }
}
