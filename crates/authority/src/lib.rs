//! Eleven: authority.
