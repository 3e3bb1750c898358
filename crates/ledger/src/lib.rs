//! Eleven: the proving corner.

pub mod conformance;
pub mod rules;
