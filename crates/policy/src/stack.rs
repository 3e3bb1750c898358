//! The stack that Cedar works on.
//!
//! Cedar's evaluator and validator fail where little is left of the thread's stack, and its parser overflows it. With what
//! they need always there, a verdict is the bundle's and the input's, not the thread's. What they need grows with the signs of
//! the largest rule, which are bounded ([`crate::bounds`]); it is taken from the thread where it has that much left, and else
//! from the heap, for as long as the work takes.

/// For parsing, with what does not depend on the rules: a schema's hierarchy, entities, types.
const COMPILE: usize = 4 * 1024 * 1024;
/// For parsing and validating, for each sign. Optimised, a bracket takes the parser 20 KiB.
const COMPILE_SIGN: usize = 64 * 1024;
/// For a decision, with the request and the 100 KiB that Cedar keeps free.
const DECIDE: usize = 512 * 1024;
/// For a decision, for each sign. Optimised, it takes the evaluator 4 to 8 KiB.
const DECIDE_SIGN: usize = 16 * 1024;

/// Compiles rules of so many signs.
pub(crate) fn compiling<T>(signs: usize, work: impl FnOnce() -> T) -> T {
    with(COMPILE.saturating_add(signs.saturating_mul(COMPILE_SIGN)), work)
}

/// Decides by rules of so many signs.
pub(crate) fn deciding<T>(signs: usize, work: impl FnOnce() -> T) -> T {
    with(DECIDE.saturating_add(signs.saturating_mul(DECIDE_SIGN)), work)
}

fn with<T>(bytes: usize, work: impl FnOnce() -> T) -> T {
    stacker::maybe_grow(bytes, bytes, work)
}

#[cfg(test)]
mod tests;
