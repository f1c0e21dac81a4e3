//! YAML 1.1 as the Go library yaml.v2 writes and reads it.
//!
//! `write` walks a value and says what comes; `emitter` knows columns and indentation; `scalar`
//! chooses and writes the style of a text; `sort` is the library's own order of keys; `resolve`
//! says what a plain text means, which decides about quotes when writing and about types when
//! reading; `read` makes values of a text.

mod emitter;
mod read;
mod resolve;
mod scalar;
mod sort;
mod write;

pub(super) use read::read;
pub(super) use write::write;
