//! The state of our own certificates, for status and metrics.

/// A certificate, as status and metrics show it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertificateView {
    /// The key of the configuration that names it.
    pub key: &'static str,
    /// The path of its file.
    pub file: String,
    /// The seconds until its end; negative if that is past.
    pub left: i64,
    /// The problem, if the certificate is about to end or has ended.
    pub error: Option<String>,
}
