//! How long a source file may be: past 500 lines, tests apart, it needs a reason in this list.

use crate::{File, Finding, is_test};

/// The most lines of a source file.
const MOST: usize = 500;

/// Files that are longer, each with its reason. An entry that is no longer needed is a finding too.
const LONGER: &[(&str, &str)] = &[];

/// Every file that is too long without a reason, and every reason without a file that needs it.
#[must_use]
pub fn check(files: &[File<'_>]) -> Vec<Finding> {
    against(files, LONGER)
}

fn against(files: &[File<'_>], longer: &[(&str, &str)]) -> Vec<Finding> {
    let sources = || files.iter().filter(|file| file.path.ends_with(".rs") && !is_test(file.path));
    let listed = |path: &str| longer.iter().any(|(known, reason)| *known == path && !reason.is_empty());
    let too_long = sources().filter(|file| file.text.lines().count() > MOST && !listed(file.path));
    let needless =
        longer.iter().filter(|(path, _)| !sources().any(|file| file.path == *path && file.text.lines().count() > MOST));
    too_long
        .map(|file| {
            Finding::new(
                file.path,
                format!("is over {MOST} lines; split it by room, or give its reason in xtask/src/size.rs"),
            )
        })
        .chain(
            needless
                .map(|(path, _)| Finding::new(*path, "stands in the list of longer files and is none; take it out")),
        )
        .collect()
}

#[cfg(test)]
mod tests;
