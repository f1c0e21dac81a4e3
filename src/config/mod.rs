//! Configuration: everything of `leasehold-config`, which reads texts, and [`Sources`], which gets these texts from
//! files, standard input and the environment.

mod sources;

pub use leasehold_config::*;
pub(crate) use sources::read_file;
pub use sources::{Sources, folder, load};
