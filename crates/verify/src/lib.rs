//! Eleven: verify.
