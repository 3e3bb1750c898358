//! Eleven: policy.
