//! What the tests of Leasehold stand on: the simulator of everything around the engine, and the table of
//! faults that a run of the tests shows.

pub mod faults;
pub mod sim;
