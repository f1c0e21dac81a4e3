//! The template language beside Go's own: a recorded corpus, Go's test tables, and generated cases.

mod bombs;
mod case;
mod corpus;
mod functions;
mod generated;
mod held;
mod limits;
mod oracle;
mod soup;
mod structs;
mod tables;
