//! What a health answer must look like: shared by servers, checks and requests.

use super::client::Response;
use crate::config::excerpt;
use crate::fields::Numbers;

/// Characters of a body that a message shows.
const SHOWN: usize = 200;

/// Status and content that an answer must have.
#[derive(Debug, Clone, Default)]
pub(crate) struct HttpExpect {
    /// Status codes; without them any of 200 to 299.
    pub status: Option<Numbers>,
    /// Text that the body must hold.
    pub contains: Option<String>,
}

impl HttpExpect {
    /// Whether the answer is as wanted.
    ///
    /// # Errors
    /// What came instead.
    pub(crate) fn check(&self, response: &Response) -> Result<(), String> {
        let status = i64::from(response.status);
        let (fits, wanted) = match &self.status {
            Some(codes) => (codes.0.contains(&status), codes.words()),
            None => ((200..300).contains(&status), "200 to 299".to_owned()),
        };
        let body = || excerpt(response.text().trim(), SHOWN);
        if !fits {
            return Err(format!("expected status {wanted}, got {status}: `{}`", body()));
        }
        match &self.contains {
            Some(wanted) if !response.text().contains(wanted) => {
                Err(format!("`{}` is not in the answer: `{}`", excerpt(wanted, SHOWN), body()))
            }
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{HttpExpect, Numbers, Response};

    #[test]
    fn status_and_content_are_wanted() {
        let answer =
            |status| Response { status, headers: Vec::new(), body: b"not ready".to_vec(), latency_s: 0.0 };
        let any = HttpExpect::default();
        assert!(any.check(&answer(204)).is_ok());
        assert!(any.check(&answer(503)).unwrap_err().contains("got 503: `not ready`"));
        let strict =
            HttpExpect { status: Some(Numbers(vec![200, 503])), contains: Some("\"up\"".to_owned()) };
        assert!(strict.check(&answer(503)).unwrap_err().contains("is not in the answer"));
        assert!(strict.check(&answer(204)).unwrap_err().contains("200 or 503"));
    }
}
