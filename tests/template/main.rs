//! The template language beside Go's own: a recorded corpus, Go's test tables, and generated cases.

mod bombs;
mod case;
mod corpus;
mod functions;
mod generated;
mod limits;
#[path = "../support/need.rs"]
#[allow(dead_code, unreachable_pub, reason = "shared with other tests, which use more of it")]
mod need;

mod oracle;
mod soup;
mod structs;
mod tables;
