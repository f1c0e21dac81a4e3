//! Configuration: as typed (`file`), checked with every problem and its place (`check`), and as
//! the rest of the house sees it (`plan`): valid and immutable.

pub mod plan;
