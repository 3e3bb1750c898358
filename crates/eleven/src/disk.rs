//! What the system tells of the disk that a folder lies on, and of what lies there.

use rustix::fs::{Mode, OFlags, StatVfsMountFlags, statvfs};
use std::fs::File;
use std::io;
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

/// Opens a file to be read. What is none is refused: whoever opens a pipe waits until somebody writes into it.
///
/// # Errors
/// Where it can't be opened, or is no file.
pub(crate) fn open_file(path: &Path) -> io::Result<File> {
    let opened = rustix::fs::open(path, OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC, Mode::empty())?;
    let file = File::from(opened);
    if file.metadata()?.is_file() { Ok(file) } else { Err(io::Error::other("it is no file")) }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use rustix::fs::{CWD, FileType, mknodat};

    /// Makes a pipe into which nobody writes.
    pub(crate) fn make_pipe(path: &Path) {
        mknodat(CWD, path, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).expect("a pipe");
    }

    #[test]
    fn only_a_file_is_opened_and_no_pipe_is_waited_for() {
        let folder = tempfile::tempdir().expect("a folder");
        let (file, link, pipe) = (folder.path().join("file"), folder.path().join("link"), folder.path().join("pipe"));
        std::fs::write(&file, "text").expect("written");
        std::os::unix::fs::symlink(&file, &link).expect("linked");
        make_pipe(&pipe);
        for path in [&file, &link] {
            assert_eq!(io::read_to_string(open_file(path).expect("a file")).expect("read"), "text");
        }
        for path in [pipe.as_path(), folder.path()] {
            let refused = open_file(path).expect_err("it is none");
            assert_eq!(refused.to_string(), "it is no file", "{}", path.display());
        }
        let absent = open_file(&folder.path().join("absent")).expect_err("it is not there");
        assert_eq!(absent.kind(), io::ErrorKind::NotFound);
    }

    #[test]
    fn what_is_there_has_a_disk_and_what_is_not_has_none() {
        let folder = tempfile::tempdir().expect("a folder");
        assert!(free(folder.path()).is_some());
        assert!(!flags(folder.path()).expect("it is mounted").contains(StatVfsMountFlags::RDONLY), "it was written to");
        let absent = folder.path().join("absent");
        assert!(free(&absent).is_none() && flags(&absent).is_none());
    }
}
