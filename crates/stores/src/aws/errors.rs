//! What AWS' refusals mean.

use http::header::DATE;
use leasehold_base::clock;
use leasehold_base::failure::{Failure, FailureKind};
use std::time::{Duration, UNIX_EPOCH};

use crate::http::{Answer, retry_after, said};

/// AWS accepts a signature that is at most five minutes old, so a clock that is off by this much, in seconds, is the
/// reason for a refusal.
const SKEW: i64 = 240;

/// A refusal.
#[derive(Debug)]
pub(super) struct Complaint {
    pub(super) code: String,
    /// What AWS says, as a part of a message. It is empty for a refused signature, which AWS quotes with the
    /// session's token.
    message: String,
    status: u16,
    /// How far our clock is ahead of AWS', in seconds.
    ahead: i64,
    retry_after: Option<Duration>,
}

impl Complaint {
    pub(super) fn of(answer: &Answer, code: String, message: &str) -> Self {
        let header =
            |name| answer.headers.get(name).and_then(|value: &http::HeaderValue| value.to_str().ok());
        let date = header(DATE).and_then(|date| httpdate::parse_http_date(date).ok());
        let date = date.and_then(|date| date.duration_since(UNIX_EPOCH).ok());
        let ahead = date.and_then(|date| Some(clock::now().wall - i64::try_from(date.as_secs()).ok()?));
        Self {
            message: if is_of_signature(&code) { String::new() } else { answer.said(message) },
            code,
            status: answer.status.as_u16(),
            ahead: ahead.unwrap_or(0),
            retry_after: retry_after(&answer.headers),
        }
    }

    /// Makes the refusal of one secret out of several.
    pub(super) fn of_one(code: &str, message: &str) -> Self {
        Self { code: said(code), message: said(message), status: 400, ahead: 0, retry_after: None }
    }

    /// Returns what AWS says, in brackets.
    pub(super) fn words(&self) -> String {
        if self.message.is_empty() { String::new() } else { format!(" ({})", self.message) }
    }

    pub(super) fn says(&self, words: &str) -> bool {
        self.message.contains(words)
    }
}

fn is_of_signature(code: &str) -> bool {
    matches!(
        code,
        "SignatureDoesNotMatch"
            | "InvalidSignatureException"
            | "IncompleteSignature"
            | "IncompleteSignatureException"
            | "RequestExpired"
            | "RequestTimeTooSkewed"
    )
}

/// Returns whether the keys have ended, so that others may work.
pub(super) fn has_ended(code: &str) -> bool {
    matches!(code, "ExpiredTokenException" | "ExpiredToken")
}

/// Returns whether the keys are not known, or not any more, so that others may be in their file by now.
pub(super) fn is_unknown(code: &str) -> bool {
    matches!(
        code,
        "UnrecognizedClientException"
            | "InvalidClientTokenId"
            | "InvalidAccessKeyId"
            | "SignatureDoesNotMatch"
            | "InvalidSignatureException"
    )
}

/// Returns whether what is asked does not know the action, as an endpoint of another make.
pub(super) fn is_of_action(code: &str) -> bool {
    matches!(code, "UnknownOperationException" | "UnknownOperation" | "InvalidAction" | "NotImplemented")
}

/// Explains the refusals that all services of AWS share.
pub(super) fn common(complaint: &Complaint, service: &str) -> Failure {
    let (kind, why) = match complaint.code.as_str() {
        code if is_of_signature(code) => return unsigned(complaint, service),
        code if has_ended(code) => {
            (FailureKind::Refused, "the credentials have ended; give the process others".to_owned())
        }
        "UnrecognizedClientException"
        | "InvalidClientTokenId"
        | "InvalidAccessKeyId"
        | "MissingAuthenticationToken" => {
            (FailureKind::Refused, "it does not know the access key; give the process another".to_owned())
        }
        "OptInRequired" | "SubscriptionRequiredException" => {
            (FailureKind::Refused, "the account may not use it".to_owned())
        }
        "ThrottlingException"
        | "Throttling"
        | "TooManyRequestsException"
        | "RequestLimitExceeded"
        | "LimitExceededException" => return throttled(complaint, service),
        _ if complaint.status == 429 => return throttled(complaint, service),
        code if complaint.status >= 500 => (
            FailureKind::Unavailable,
            format!("a fault of its own, {} {code}{}", complaint.status, complaint.words()),
        ),
        "" => {
            let why = format!(
                "{service}: an answer ({}) that is none of AWS'; check what is on the way to it",
                complaint.status
            );
            return Failure::advised(FailureKind::Intercepted, why);
        }
        "AccessDeniedException" | "AccessDenied" => {
            (FailureKind::Denied, format!("access denied{}", complaint.words()))
        }
        code => (FailureKind::Rejected, format!("{}{}", said(code), complaint.words())),
    };
    Failure::new(kind, format!("{service}: {}", why.trim_end()))
}

fn throttled(complaint: &Complaint, service: &str) -> Failure {
    let why = format!("{service}: too many requests ({})", said(&complaint.code));
    Failure::new(FailureKind::Overloaded(complaint.retry_after), why)
}

fn unsigned(complaint: &Complaint, service: &str) -> Failure {
    let ahead = complaint.ahead;
    let why = if ahead.abs() >= SKEW {
        let way = if ahead > 0 { "ahead of" } else { "behind" };
        format!(
            "{service}: the signature is refused, because this machine's clock is {} s {way} AWS'; set the clock",
            ahead.abs()
        )
    } else {
        format!(
            "{service}: the signature is refused; check AWS_SECRET_ACCESS_KEY, and what changes requests on the way"
        )
    };
    Failure::advised(FailureKind::Refused, why)
}

/// Returns the text of the first element with this name. Keys have no characters that XML would escape.
pub(super) fn element<'x>(xml: &'x str, name: &str) -> Option<&'x str> {
    let (_, rest) = xml.split_once(&format!("<{name}>"))?;
    Some(rest.split_once(&format!("</{name}>"))?.0.trim())
}
