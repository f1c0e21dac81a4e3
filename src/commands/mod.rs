//! What the command line runs: thin, the work is done in the other rooms.

pub mod check;
pub mod status;
