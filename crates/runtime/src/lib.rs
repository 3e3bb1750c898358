//! Eleven: runtime.
