//! What the system's library resolves names by. A confined process may read the files that lay there when it was confined, and none
//! that took their place since: by then it would resolve nothing. Whoever renews a lease, or edits by hand, replaces them.

use http::Uri;
use std::fs::File;
use std::future::pending;
use std::io::ErrorKind;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Those that others replace as a whole.
const FILES: [&str; 4] = ["/etc/resolv.conf", "/etc/hosts", "/etc/nsswitch.conf", "/etc/gai.conf"];
/// How often it is looked.
const LOOK: Duration = Duration::from_secs(2);

/// The files that a process may read, as far as it is concerned.
#[derive(Debug, Default)]
pub(crate) struct Names {
    files: Vec<PathBuf>,
    /// Whether somebody keeps the listening socket, and starts the next process.
    kept: bool,
}

impl Names {
    /// Those of a process that asks at these URLs, as far as they are not closed to it anyway: none where it asks nobody by a name,
    /// since what it runs would be interrupted for nothing. Must be called before it is confined.
    pub(crate) fn seen<'a>(asked: impl IntoIterator<Item = &'a str>, kept: bool) -> Self {
        if asked.into_iter().any(is_named) { Self::of(FILES.map(PathBuf::from), kept) } else { Self::default() }
    }

    fn of(files: impl IntoIterator<Item = PathBuf>, kept: bool) -> Self {
        Self { files: files.into_iter().filter(|file| !is_closed(file)).collect(), kept }
    }

    /// Waits until one was replaced, and a next process is to take the place of this one.
    pub(super) async fn replaced(self) {
        while !self.files.is_empty() {
            tokio::time::sleep(LOOK).await;
            let Some(file) = self.closed() else { continue };
            let (file, what) = (file.display(), "another file lies there, which this process may not read");
            if self.kept {
                tracing::warn!(%file, "{what}: its next one takes its place");
                return;
            }
            tracing::warn!(%file, "{what}: restart it, or it resolves no names");
            break;
        }
        pending::<()>().await;
    }

    fn closed(&self) -> Option<&Path> {
        self.files.iter().map(PathBuf::as_path).find(|file| is_closed(file))
    }
}

/// Whether who answers at a URL is found by a name.
fn is_named(url: &str) -> bool {
    let uri = url.parse::<Uri>();
    let host = uri.as_ref().ok().and_then(Uri::host).unwrap_or_default();
    host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>().is_err()
}

/// Whether something is there that this process may not read.
fn is_closed(file: &Path) -> bool {
    File::open(file).is_err_and(|error| error.kind() == ErrorKind::PermissionDenied)
}

#[cfg(test)]
mod tests {
    use super::super::{supported, to_folder};
    use super::*;
    use std::io::{self, Write};
    use std::sync::mpsc::channel;
    use std::sync::{Arc, Mutex};

    #[test]
    fn who_asks_nobody_by_a_name_makes_place_for_no_file() {
        let numbers = ["http://127.0.0.1:1111", "https://[::1]:1112", "http://192.0.2.7/base"];
        assert!(Names::seen(numbers, true).files.is_empty() && Names::seen([], true).files.is_empty());
        for named in ["http://localhost:8000", "https://api.example", "https://ledger.example:1111/base"] {
            assert!(is_named(named), "{named}");
        }
        let names = Names::seen(numbers.into_iter().chain(["https://api.example"]), true);
        assert_eq!(names.files, Names::of(FILES.map(PathBuf::from), true).files);
    }

    /// Has this done on a thread that is confined, of which a file was replaced that it may read.
    fn where_one_was_replaced(kept: bool, work: impl FnOnce(Names) + Send + 'static) {
        let folder = tempfile::tempdir().expect("a folder");
        let [hosts, absent, own] = ["hosts", "absent", "own"].map(|name| folder.path().join(name));
        std::fs::write(&hosts, "127.0.0.1 here").expect("written");
        std::fs::create_dir(&own).expect("made");
        let ((say, said), (tell, told)) = (channel(), channel::<()>());
        let files = [hosts.clone(), absent];
        // Of this process that thread alone is confined.
        let confined = std::thread::spawn(move || {
            let names = Names::of(files, kept);
            to_folder(vec![hosts], &own).expect("confined");
            assert_eq!(names.closed(), None, "one lies there still, and one never did");
            say.send(()).expect("heard");
            told.recv().expect("told");
            work(names);
        });
        said.recv().expect("it is confined");
        let draft = folder.path().join("draft");
        std::fs::write(&draft, "127.0.0.1 here").expect("written");
        std::fs::rename(&draft, folder.path().join("hosts")).expect("replaced");
        tell.send(()).expect("heard");
        confined.join().expect("as it should be");
    }

    #[test]
    fn a_file_that_took_the_place_of_another_is_noticed_by_who_may_not_read_it() {
        if !supported() {
            return;
        }
        where_one_was_replaced(true, |names| {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
            let noticed = async { tokio::time::timeout(LOOK * 5, names.replaced()).await };
            assert!(runtime.block_on(noticed).is_ok(), "it is noticed");
        });
    }

    /// What was logged.
    #[derive(Clone, Default)]
    struct Logged(Arc<Mutex<Vec<u8>>>);

    impl Write for Logged {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().expect("whole").write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn who_has_nobody_that_keeps_its_socket_goes_on_and_says_once_what_to_do() {
        if !supported() {
            return;
        }
        where_one_was_replaced(false, |names| {
            let logged = Logged::default();
            let writes = logged.clone();
            let log = tracing_subscriber::fmt().with_ansi(false).with_writer(move || writes.clone()).finish();
            let mut runtime = tokio::runtime::Builder::new_current_thread();
            // Its clock goes on wherever all wait for that.
            let runtime = runtime.enable_all().start_paused(true).build().expect("a runtime");
            let waits = async { tokio::time::timeout(LOOK * 50, names.replaced()).await };
            let ended = tracing::subscriber::with_default(log, || runtime.block_on(waits));
            assert!(ended.is_err(), "nobody would take its place");
            let said = String::from_utf8(logged.0.lock().expect("whole").clone()).expect("text");
            assert_eq!(said.matches("restart it, or it resolves no names").count(), 1, "{said}");
            assert!(said.contains("hosts") && !said.contains("takes its place"), "{said}");
        });
    }
}
