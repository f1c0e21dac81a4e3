//! The bad day on real servers: what Leasehold does when OpenBao is killed, sealed, fails over, revokes or
//! says no, with every kind of token and of secret, and with a PostgreSQL that really logs people in.

mod cluster;
mod database;
mod doubt;
mod farewell;
mod kinds;
mod leftovers;
mod limits;
mod outages;
mod pages;
mod tokens;
