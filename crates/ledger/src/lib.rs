//! Eleven: ledger.
