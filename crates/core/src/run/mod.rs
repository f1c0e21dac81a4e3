//! How a run begins and ends, what it leaves for the next one, and what it shows.

pub(crate) mod adopt;
pub(crate) mod changes;
pub(crate) mod farewell;
pub(crate) mod first;
pub(crate) mod handoff;
pub(crate) mod health;
pub(crate) mod init;
pub(crate) mod show;
