//! Certificates of the webhook's own: an authority, and a certificate of it, made and replaced without cert-manager.
//!
//! ```text
//! Secret (authority, certificate, keys) ─▶ material ─▶ next (pure: what is to be done) ─▶ make ─▶ Secret
//!                                              └▶ served          └▶ registration (caBundle)
//! ```
//!
//! The order keeps every pod admitted. A new authority is written and put into the `caBundle` first, the certificate of
//! it follows when all API servers have had time to see the bundle, and the old authority stays in the bundle until the
//! last certificate of it has ended. A write names the version of the Secret that it replaces, so of two replicas that
//! rotate at once one is refused, and takes what the other one wrote.

mod keeper;
mod make;
mod material;
mod next;
mod registration;
#[cfg(test)]
mod tests;

pub(crate) use keeper::{Keeper, Names, Report};
pub(crate) use make::server_config;
pub(crate) use next::Lives;
