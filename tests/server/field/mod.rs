//! What people report of the peers, on real servers: what a start asks for, and leases of every kind.

mod beside;
mod ends;
mod roles;
mod starts;
mod tokens;
