use super::*;

#[test]
fn a_directory_does_what_the_trait_says() {
    let folder = tempfile::tempdir().expect("folder");
    let disk = Directory::open(folder.path()).expect("open");
    let file = disk.create("a").expect("create");
    write_all(&*file, 3, b"hello").expect("write");
    file.sync_data().expect("sync");
    assert_eq!(file.length().expect("length"), 8);

    disk.rename("a", "b").expect("rename");
    disk.sync_dir().expect("sync the folder");
    assert_eq!(disk.list().expect("list"), ["b"]);
    let mut bytes = [1; 8];
    read_exact(&*disk.open("b").expect("open"), 0, &mut bytes).expect("read");
    assert_eq!(&bytes, b"\0\0\0hello");
    let past = read_exact(&*file, 4, &mut bytes).expect_err("past the end");
    assert_eq!(past.kind(), io::ErrorKind::UnexpectedEof);

    disk.remove("b").expect("remove");
    assert_eq!(disk.open("b").err().map(|error| error.kind()), Some(io::ErrorKind::NotFound));
    read_exact(&*file, 0, &mut bytes).expect("still readable by who holds it");
    assert_ne!(disk.nonce(), disk.nonce());
}

#[test]
fn a_directory_that_was_opened_to_read_changes_nothing() {
    let folder = tempfile::tempdir().expect("folder");
    std::fs::write(folder.path().join("a"), "hello").expect("written");
    let disk = Directory::to_read(folder.path()).expect("open");
    let file = disk.open("a").expect("open");
    let mut bytes = [0; 5];
    read_exact(&*file, 0, &mut bytes).expect("read");
    assert_eq!((&bytes, file.length().expect("length")), (b"hello", 5));
    write_all(&*file, 0, b"other").expect_err("the file was opened to read");
    for refused in [disk.create("b").map(drop), disk.rename("a", "b"), disk.remove("a")] {
        assert_eq!(refused.expect_err("refused").kind(), io::ErrorKind::PermissionDenied);
    }
    assert_eq!(disk.list().expect("list"), ["a"]);
    assert_eq!(std::fs::read(folder.path().join("a")).expect("read"), b"hello");
}
