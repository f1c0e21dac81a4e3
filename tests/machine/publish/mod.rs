//! Publishing and the handoff on a real tmpfs: what readers find, what a hostile volume can do, what a
//! kill leaves.

mod fixture;
mod goes_on;
mod handoff;
mod hostile;
mod kill;
mod limits;
mod looks;
mod owners;
mod race;
mod readers;
mod scene;
mod set;
mod single;
