//! A process of the demo's or a measurement's own, which says where it listens.

use eleven_api::serve::Listener;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};

/// Listens, and tells whoever started this process where.
///
/// # Errors
/// Where nothing can listen there, or nobody is told.
pub(crate) async fn listen(at: SocketAddr) -> Result<Listener, String> {
    let listener = Listener::bind(at, None).await.map_err(|error| error.to_string())?;
    let bound = listener.local_addr().map_err(|error| error.to_string())?;
    let said = writeln!(std::io::stdout(), "listening http://{bound}").and_then(|()| std::io::stdout().flush());
    said.map_err(|error| error.to_string())?;
    Ok(listener)
}

/// A process that listens, and ends with this value.
pub(crate) struct Listening {
    child: Child,
    /// Where.
    pub(crate) url: String,
}

impl Listening {
    /// Starts this program with these arguments and waits until it says where it listens.
    ///
    /// # Errors
    /// Where it can't be started, or ends without a word.
    pub(crate) fn start(args: &[&str]) -> Result<Self, String> {
        let program = std::env::current_exe().map_err(|error| error.to_string())?;
        let mut command = Command::new(program);
        command.args(args).args(["--parent", &std::process::id().to_string()]);
        let mut child = command.stdout(Stdio::piped()).spawn().map_err(|error| error.to_string())?;
        let mut line = String::new();
        let read = child.stdout.take().map(|out| BufReader::new(out).read_line(&mut line));
        // From here on the process ends with this value.
        let started = Self { child, url: line.trim().trim_start_matches("listening ").to_owned() };
        match read {
            Some(Ok(_)) if started.url.starts_with("http://") => Ok(started),
            _ => Err(format!("`eleven {}` did not start", args.join(" "))),
        }
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Listening {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_that_ends_without_a_word_did_not_start() {
        // This is the tests' own binary, which knows no such option.
        let error = Listening::start(&["--no-such-option"]).err().expect("it does not listen");
        assert!(error.contains("--no-such-option` did not start"), "{error}");
    }
}
