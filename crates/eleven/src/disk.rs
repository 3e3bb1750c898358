//! What the system tells of the disk that a folder lies on.

use rustix::fs::{StatVfsMountFlags, statvfs};
use std::path::Path;

/// Bytes that are free where a folder lies, where that can be told.
pub(crate) fn free(folder: &Path) -> Option<u64> {
    let stat = statvfs(folder).ok()?;
    Some(stat.f_bavail.saturating_mul(stat.f_frsize))
}

/// How the file system is mounted that a folder lies on, where that can be told.
pub(crate) fn flags(folder: &Path) -> Option<StatVfsMountFlags> {
    Some(statvfs(folder).ok()?.f_flag)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_there_has_a_disk_and_what_is_not_has_none() {
        let folder = tempfile::tempdir().expect("a folder");
        assert!(free(folder.path()).is_some());
        assert!(!flags(folder.path()).expect("it is mounted").contains(StatVfsMountFlags::RDONLY), "it was written to");
        let absent = folder.path().join("absent");
        assert!(free(&absent).is_none() && flags(&absent).is_none());
    }
}
