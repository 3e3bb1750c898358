//! `eleven demo`: the whole system in one command, and what it is shown on.

pub(crate) mod upstream;
