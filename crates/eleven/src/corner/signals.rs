//! What a process is told by signals, and that it ends with whoever started it.

use super::names::Names;
use crate::output::{EXIT_DONE, EXIT_RESTART, Failure};
use rustix::process::Signal;
use std::future::{Future, pending};
use tokio::signal::unix::{self, SignalKind, signal};
use tokio::sync::watch;

/// What a process was told to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Told {
    /// To stop.
    Stop,
    /// To make place for another process of the same corner.
    Restart,
}

impl Told {
    /// The status with which a corner ends that was told.
    pub(super) const fn status(self) -> u8 {
        match self {
            Self::Stop => EXIT_DONE,
            Self::Restart => EXIT_RESTART,
        }
    }
}

/// The signals that tell a process something. From when this is made a SIGHUP is kept until somebody asks for it, so that a
/// corner that is still starting makes place like any other, instead of falling. A signal to stop ends one that starts at
/// once: what it has begun its next start recovers.
pub(crate) struct Signals {
    /// `None` where there is no handler: then the signal ends the process itself.
    hangup: Option<unix::Signal>,
    /// What has it make place, too.
    names: Names,
}

impl Signals {
    /// Must be called within a Tokio runtime.
    pub(crate) fn heard() -> Self {
        Self { hangup: signal(SignalKind::hangup()).ok(), names: Names::default() }
    }

    /// The same of a process that also makes place when one of these files was replaced.
    pub(crate) fn and_replaced(self, names: Names) -> Self {
        Self { names, ..self }
    }

    /// Until it is told to make place.
    pub(crate) async fn hangup(&mut self) {
        let heard = match &mut self.hangup {
            Some(hangup) => hangup.recv().await,
            None => None,
        };
        if heard.is_none() {
            pending::<()>().await;
        }
    }

    /// Until it is told to stop (SIGTERM, SIGINT) or to make place (SIGHUP).
    pub(crate) async fn told(mut self) -> Told {
        let handlers = (signal(SignalKind::terminate()), signal(SignalKind::interrupt()));
        let (Ok(mut terminate), Ok(mut interrupt)) = handlers else {
            // Without handlers the signals end the process themselves.
            return pending().await;
        };
        let names = std::mem::take(&mut self.names);
        tokio::select! {
            _ = terminate.recv() => Told::Stop,
            _ = interrupt.recv() => Told::Stop,
            () = self.hangup() => Told::Restart,
            () = names.replaced() => Told::Restart,
        }
    }
}

/// Until a signal says to stop or to make place.
pub(crate) async fn until_told() -> Told {
    Signals::heard().told().await
}

/// Runs what ends when told to, and tells it; gives the status to end with.
pub(crate) async fn until_stopped<F, E>(
    signals: Signals,
    serve: impl FnOnce(watch::Receiver<bool>) -> F,
) -> Result<u8, Failure>
where
    F: Future<Output = Result<(), E>>,
    E: Into<Failure>,
{
    let (stop, stopping) = watch::channel(false);
    let serving = serve(stopping);
    until_ended(signals, &stop, serving).await
}

/// The same with what `stop` tells to end.
pub(crate) async fn until_ended<E: Into<Failure>>(
    signals: Signals,
    stop: &watch::Sender<bool>,
    serving: impl Future<Output = Result<(), E>>,
) -> Result<u8, Failure> {
    tokio::pin!(serving);
    let told = tokio::select! {
        ended = &mut serving => return ended.map(|()| EXIT_DONE).map_err(Into::into),
        told = signals.told() => told,
    };
    stop.send_replace(true);
    serving.await.map_err(Into::<Failure>::into)?;
    Ok(told.status())
}

/// Who has started a process to end with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SupervisedBy {
    /// Nobody: it was started by hand, or by a unit.
    Nobody,
    /// This process, which runs.
    Process(u32),
    /// One that is gone: it ends in a moment.
    Gone,
    /// That is not seen: it ends this moment, or the kernel shows it to others alone.
    Unseen,
}

/// Who has started a process to end with it, by what the kernel says of that.
pub(crate) fn supervisor_of(pid: u32) -> SupervisedBy {
    let of = |name: &str| std::fs::read(format!("/proc/{pid}/{name}")).unwrap_or_default();
    supervised(&String::from_utf8_lossy(&of("cmdline")), &String::from_utf8_lossy(&of("stat")))
}

fn supervised(command: &str, stat: &str) -> SupervisedBy {
    // Of a process that ends there is no command line any more.
    let (false, Some(parent)) = (command.is_empty(), parent_in(stat)) else { return SupervisedBy::Unseen };
    match followed_in(command) {
        None => SupervisedBy::Nobody,
        Some(followed) if followed == parent => SupervisedBy::Process(followed),
        Some(_) => SupervisedBy::Gone,
    }
}

/// The process that a command line says is to be followed.
fn followed_in(command: &str) -> Option<u32> {
    command.split('\0').skip_while(|word| *word != "--parent").nth(1)?.parse().ok()
}

/// The parent in what the kernel says of a process: `4711 (eleven) S 4242 …`. The name may hold anything.
fn parent_in(stat: &str) -> Option<u32> {
    stat.rsplit_once(") ")?.1.split(' ').nth(1)?.parse().ok()
}

/// Has the kernel end this process when its parent ends, however that ends.
pub(crate) fn follow_parent(parent: Option<i32>) -> Result<(), Failure> {
    let Some(parent) = parent else { return Ok(()) };
    rustix::process::set_parent_process_death_signal(Some(Signal::TERM)).map_err(Failure::new)?;
    // It may have ended before the kernel was asked.
    let still = rustix::process::getppid().is_some_and(|pid| pid.as_raw_nonzero().get() == parent);
    if still { Ok(()) } else { Err(Failure::new("the process that started this one is gone")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_followed_is_read_of_what_the_kernel_says() {
        let command =
            ["/usr/bin/eleven", "ledger", "serve", "--parent", "4242", "--config", "d/eleven.toml", ""].join("\0");
        assert_eq!(followed_in(&command), Some(4242));
        assert_eq!(followed_in("/usr/bin/eleven\0ledger\0serve\0"), None, "it was started by itself");
        assert_eq!(parent_in("4711 (eleven) S 4242 4711 4711 0 -1"), Some(4242));
        assert_eq!(parent_in("4711 (a) S 1 (b) S 4242 4711 4711 0 -1"), Some(4242), "a name of its own choosing");
        let by_hand = SupervisedBy::Nobody;
        assert_eq!(supervisor_of(std::process::id()), by_hand, "nobody started these tests to end with them");
    }

    #[test]
    fn whose_supervisor_is_gone_is_told_from_who_never_had_one() {
        let command = ["eleven", "ledger", "serve", "--parent", "4242", ""].join("\0");
        let (command, alone) = (command.as_str(), "eleven\0ledger\0serve\0");
        let child_of = |parent: u32| format!("4711 (eleven) S {parent} 4711 4711 0 -1");
        assert_eq!(supervised(command, &child_of(4242)), SupervisedBy::Process(4242));
        assert_eq!(supervised(command, &child_of(1)), SupervisedBy::Gone);
        assert_eq!(supervised(alone, &child_of(1)), SupervisedBy::Nobody);
        for (command, stat) in [("", child_of(4242)), (command, String::new()), ("", String::new())] {
            assert_eq!(supervised(command, &stat), SupervisedBy::Unseen);
        }
    }
}
