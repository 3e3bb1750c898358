//! Auditing a ledger: `ledger fsck` on its own files, `ledger follow` and `ledger compare` from anywhere.

use crate::cli::{Compare, Follow};
use crate::output::{Failure, Output, Paint, word};
use crate::progress::Shown;
use crate::{call, corner, keystore};
use eleven_api::client::CallError;
use eleven_api::edge::{Clock as _, SystemClock};
use eleven_core::encoding::{Object, Value};
use eleven_core::time::Time;
use eleven_ledger::follow::{self, Audited, FollowError, Follower, Remote};
use eleven_ledger::{Met, Progress, Sound};
use std::path::Path;
use std::time::{Duration, Instant};

/// A last head that is older than this is told of, in milliseconds: a ledger signs one every ten seconds, also with nothing new.
const OLD: i64 = 60_000;

/// `ledger fsck`.
///
/// # Errors
/// What is wrong with the ledger, or that it runs.
pub(crate) fn fsck(data: &Path, output: Output) -> Result<(), Failure> {
    let started = Instant::now();
    let mut shown = Shown::new(output);
    let sound = eleven_ledger::fsck(data, &mut |progress| shown.tell(|took| far(&progress, took)));
    drop(shown);
    let sound = sound?;
    let elapsed = started.elapsed();
    output.either(|| document(&sound, elapsed), || text(&sound, elapsed, output));
    Ok(())
}

fn document(sound: &Sound, elapsed: Duration) -> Value {
    let millis = u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX);
    Value::Object(
        Object::new()
            .with("ledger", &sound.ledger)
            .with("entries", sound.entries)
            .with("lineages", sound.lineages)
            .with("running", sound.running)
            .with("epoch", sound.epoch)
            .with("head", sound.head)
            .with("heads", sound.heads)
            .with("content", sound.met.content)
            .with("moved", sound.met.moved)
            .with("headers", sound.met.headers)
            .with("bytes", sound.met.bytes)
            .with("millis", millis),
    )
}

fn text(sound: &Sound, elapsed: Duration, output: Output) -> String {
    format!(
        "{} {}: {} entries, {} lineages ({} not closed), registry epoch {}\n\
         {} pieces of content{}, {} registry headers, {} signed heads, the last over {} entries\n\
         {:.1} s, {:.0} entries/s, everything computed again",
        output.paint(Paint::Good, "sound:"),
        sound.ledger,
        sound.entries,
        sound.lineages,
        sound.running,
        sound.epoch,
        sound.met.content,
        moved(&sound.met),
        sound.met.headers,
        sound.heads,
        sound.head,
        elapsed.as_secs_f64(),
        rate(sound.entries, elapsed),
    )
}

/// What was not checked, because it is elsewhere; nothing where all is here.
fn moved(met: &Met) -> String {
    match met.moved {
        0 => String::new(),
        moved => format!(" ({moved} of them moved to an archive, and not read)"),
    }
}

#[expect(clippy::cast_precision_loss, reason = "a rate for people")]
fn rate(entries: u64, elapsed: Duration) -> f64 {
    entries as f64 / elapsed.as_secs_f64().max(0.001)
}

/// How far a check is.
fn far(Progress { met, records }: &Progress, took: Duration) -> String {
    let done = met.records() * 100 / (*records).max(1);
    format!("{done:3} %  {} entries  {:.0}/s", met.entries, rate(met.entries, took))
}

/// `ledger follow`.
///
/// # Errors
/// What is wrong with the ledger, or where it was not reached and only one round was asked for.
pub(crate) fn follow(args: &Follow, output: Output) -> Result<(), Failure> {
    corner::log();
    let url = call::address(&args.url)?;
    let root = corner::read_root(&args.root)?;
    let source = Remote::new(url, secret(args.secret_file.as_deref())?.as_deref()).map_err(Failure::new)?;
    let follower = Follower::open(&args.data, root)?;
    let mut following = Following { follower, source, told: None, old: false, output };
    let every = Duration::from_millis(args.every.max(10));
    let ended = call::wait(async {
        if args.once {
            return following.round().await;
        }
        // From the first round on: a signal that comes while nobody waits for one is lost.
        tokio::select! {
            _ = corner::until_told() => Ok(()),
            error = following.go_on(every) => Err(error),
        }
    });
    following.follower.leave();
    ended?.map_err(|error| failed(error, args.secret_file.is_some()))
}

/// Why a ledger is not followed, or compared; where it refused whoever sent no secret, with how one is sent.
fn failed(error: FollowError, sent: bool) -> Failure {
    match error {
        FollowError::Call(error @ CallError::Refused(_)) => call::advised(error.into(), sent),
        error => Failure::new(error),
    }
}

/// A ledger that is followed, and what was said of it.
struct Following {
    follower: Follower,
    source: Remote,
    /// The size that was told last; none before anything was verified here.
    told: Option<u64>,
    /// Whether it was told that the last head is old.
    old: bool,
    output: Output,
}

impl Following {
    /// Verifies what is new, and tells it.
    async fn round(&mut self) -> Result<(), FollowError> {
        let mut shown = Shown::new(self.output);
        let before = self.follower.audited().met.entries;
        let far = |met: &Met, took| format!("{} entries  {:.0}/s", met.entries, rate(met.entries - before, took));
        let outcome = self.follower.round(&self.source, &mut |met| shown.tell(|took| far(met, took))).await;
        drop(shown);
        let audited = outcome?;
        self.look_at_age(&audited);
        if self.told.replace(audited.size) != Some(audited.size) {
            self.output.either(|| verified(&audited), || verified_text(&audited, self.output));
        }
        Ok(())
    }

    /// Says once that no new head is shown, and once that one is again: what was verified is right, and may be long over.
    fn look_at_age(&mut self, audited: &Audited) {
        let Some(at) = audited.at else { return };
        let old = is_old(at, SystemClock.now());
        if old && !self.old {
            tracing::warn!(
                at = at.millis(),
                "the last head that is shown is old: the ledger signs none any more, what answers keeps what was before, or the clock \
                 here is ahead"
            );
        } else if !old && self.old {
            tracing::info!(at = at.millis(), "new heads are shown again");
        }
        self.old = old;
    }

    /// Round after round, until something is wrong that asking again does not mend.
    async fn go_on(&mut self, every: Duration) -> FollowError {
        let mut warned = String::new();
        loop {
            match self.round().await {
                Ok(()) => warned.clear(),
                Err(error) if error.is_passing() && !self.is_unknown(&error) => {
                    let why = error.to_string();
                    if warned != why {
                        tracing::warn!(why, "nothing new is verified, and the ledger is asked again");
                        warned = why;
                    }
                }
                Err(error) => return error,
            }
            tokio::time::sleep(every).await;
        }
    }

    /// Whether it is no ledger that answers, or one that does not show its entries to whoever asks here: it never did, also to a
    /// process before this one, so waiting does not help.
    fn is_unknown(&self, error: &FollowError) -> bool {
        match error {
            FollowError::Call(CallError::Refused(problem)) => {
                self.told.is_none() && self.follower.audited().size == 0 && matches!(problem.status, 401 | 403)
            }
            FollowError::Malformed(_) => self.follower.audited().met.entries == 0,
            _ => false,
        }
    }
}

/// Whether a ledger that runs would have signed another head since.
fn is_old(at: Time, now: Time) -> bool {
    now.since(at) > OLD
}

fn verified(audited: &Audited) -> Value {
    let object = Object::new().with("ledger", &audited.ledger).with("size", audited.size);
    Value::Object(
        object
            .with_some("root", audited.root)
            .with_some("at", audited.at.map(Time::to_millis_value))
            .with("content", audited.met.content)
            .with("moved", audited.met.moved),
    )
}

fn verified_text(audited: &Audited, output: Output) -> String {
    let root = audited.root.map_or_else(String::new, |root| root.to_string());
    let at = audited.at.map_or_else(String::new, |at| format!(" by the head of {at}"));
    let (good, content) = (output.paint(Paint::Good, "verified:"), audited.met.content);
    let Audited { ledger, size, met, .. } = audited;
    format!("{good} {ledger} of {size} entries{at}, {root}, with {content} pieces of content{}", moved(met))
}

/// `ledger compare`.
///
/// # Errors
/// Where the two differ, or one was not reached.
pub(crate) fn compare(args: &Compare, output: Output) -> Result<(), Failure> {
    let (one, two) = (call::address(&args.one)?, call::address(&args.two)?);
    let root = corner::read_root(&args.root)?;
    let secret = secret(args.secret_file.as_deref())?;
    let remote = |url: &str| Remote::new(url, secret.as_deref()).map_err(Failure::new);
    let (one, two) = (remote(one)?, remote(two)?);
    let found = call::wait(async { follow::compare(&one, &two, &root).await })?;
    let found = found.map_err(|error| failed(error, secret.is_some()))?;
    let Some(evidence) = found else {
        output.either(|| Value::Object(Object::new().with("agree", true)), || "both show one history".to_owned());
        return Ok(());
    };
    keystore::write_public(&args.out, &evidence.canonical())?;
    let out = args.out.display();
    Err(Failure::new(format!(
        "the ledger signed two histories: {out}; check it anywhere: eleven verify {} --root ROOT",
        word(&out)
    )))
}

/// An auditor's secret, where its file is named.
///
/// # Errors
/// As [`call::secret`].
pub(crate) fn secret(file: Option<&Path>) -> Result<Option<String>, Failure> {
    Ok(file.map(call::secret).transpose()?.map(|secret| secret.as_str().to_owned()))
}

#[cfg(test)]
mod tests;
