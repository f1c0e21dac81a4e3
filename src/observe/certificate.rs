//! Our own certificates, for those who look at us.

/// One of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertificateView {
    /// The key of the configuration that names it.
    pub key: &'static str,
    /// Its file.
    pub file: String,
    /// Until its end, in seconds; negative where that is past.
    pub left: i64,
    /// What is wrong, where it is about to end or has ended.
    pub error: Option<String>,
}
