//! What the clients of Leasehold are set up with. The configuration makes these settings of what people typed, and the
//! clients in `leasehold-vault` and `leasehold-stores` work by them. Nothing is reached from here, so that a
//! configuration can be read wherever there is no network, and no file.

pub mod login;
pub mod stores;
pub mod vault;
