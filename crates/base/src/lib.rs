#![doc = include_str!("../README.md")]

#[cfg(feature = "clock")]
pub mod clock;
pub mod exit;
pub mod failure;
pub mod gather;
pub mod given;
pub mod held;
pub mod property;
pub mod rate;
pub mod request;
pub mod response;
pub mod secret;
pub mod time;
pub mod tree;
