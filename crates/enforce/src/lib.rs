//! Eleven: enforce.
