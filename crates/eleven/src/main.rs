//! Eleven: eleven.
fn main() {}
