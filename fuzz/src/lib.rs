//! What every guided fuzz target does: it begins with the target's own corpus and runs the target's function.

use std::fs;
use std::path::Path;

pub use eleven_fuzz_targets::find;
pub use libfuzzer_sys::fuzz_target;

/// Writes the corpus of a target where the fuzzer is about to look for it. What it found there before stays.
///
/// # Panics
/// Where the folder can't be written.
pub fn seed(name: &str) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(name);
    fs::create_dir_all(&folder).expect("the folder of the corpus");
    let target = find(name).expect("a target of that name");
    for (i, input) in (target.corpus)().iter().enumerate() {
        fs::write(folder.join(format!("vector-{i:04}")), input).expect("a file of the corpus");
    }
}

/// The fuzz target of that name.
#[macro_export]
macro_rules! guided {
    ($name:literal) => {
        $crate::fuzz_target!(init: $crate::seed($name), |input: &[u8]| {
            static RUN: std::sync::OnceLock<fn(&[u8])> = std::sync::OnceLock::new();
            RUN.get_or_init(|| $crate::find($name).expect("a target of that name").run)(input);
        });
    };
}
