//! Eleven: eleven.
mod config;
mod keystore;
fn main() {}
