use super::*;

#[test]
fn a_program_whose_file_was_replaced_is_the_new_file() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("eleven");
    let running = |name: String| next_of(Some(folder.path().join(name)));
    let gone = running("eleven (deleted)".to_owned());
    assert_eq!(gone.file, Path::new(RUNNING), "nothing lies there");
    assert!(gone.note.is_some_and(|note| note.contains("is gone")));
    std::fs::write(&file, "the new one").expect("written");
    assert_eq!(running("eleven".to_owned()), Next { file: file.clone(), note: None });
    let replaced = running("eleven (deleted)".to_owned());
    assert_eq!(replaced.file, file);
    assert!(replaced.note.is_some_and(|note| note.contains("the new file starts")));
    // A file may be called so.
    let odd = folder.path().join("eleven (deleted)");
    std::fs::write(&odd, "it").expect("written");
    assert_eq!(running("eleven (deleted)".to_owned()), Next { file: odd, note: None });
    assert_eq!(next_of(None).file, Path::new(RUNNING));
}
