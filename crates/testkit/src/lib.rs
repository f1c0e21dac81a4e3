//! What the tests of Leasehold share: the simulator of everything around the engine, and the table of the faults that
//! the tests show.

pub mod faults;
pub mod sim;
