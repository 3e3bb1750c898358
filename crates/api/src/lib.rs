//! Eleven: api.
