//! A header that holds a credential.

use bytes::Bytes;
use http::HeaderValue;

use leasehold_base::secret::Secret;

/// A credential for a header to point into instead of copying it.
struct Held(Secret);

impl AsRef<[u8]> for Held {
    fn as_ref(&self) -> &[u8] {
        self.0.expose()
    }
}

/// Returns the header's value, which no log shows; `None` if it has a character that no header takes.
#[must_use]
pub fn sensitive(secret: &Secret) -> Option<HeaderValue> {
    let mut value = HeaderValue::from_maybe_shared(Bytes::from_owner(Held(secret.clone()))).ok()?;
    value.set_sensitive(true);
    Some(value)
}
