//! The three corners together, in one process, over real sockets, folders and clocks: one governed call from its bytes to
//! its proof, and every way in which it is refused.

mod bodies;
mod calls;
mod clocks;
mod denials;
mod evidence;
mod evidence_answers;
mod examined;
mod export;
mod harness;
mod mutated;
mod outages;
#[path = "../../src/demo/port.rs"]
mod port;
mod renewed;
mod streaming;
mod witnessed;
mod workloads;
