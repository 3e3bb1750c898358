//! Eleven: eleven.
mod config;
fn main() {}
