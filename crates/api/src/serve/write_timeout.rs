//! A stream that fails where the other side does not take what is written to it, or takes it too slowly.
//!
//! It stands right on the connection, below TLS. Time counts only while there are bytes to write and the other side takes none.
//! A quiet stream of events, a long poll and a model that thinks use up none of it.

use super::activity::Activity;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep_until};

/// How long what is written may wait until the other side takes any of it, and all in all beyond what [`MIN_RATE`] gives.
pub(super) const WRITE_TIMEOUT: Duration = Duration::from_secs(30);
/// Bytes that the other side has to take for each second in which something waits for it. Who takes a little before every
/// timeout would keep its connection for ever.
const MIN_RATE: u64 = 4 * 1024;
/// What is written after a pause of so long is another answer, and is judged by itself.
const PAUSE: Duration = Duration::from_secs(1);
/// How long what is written may wait, all in all, once the corner is told to stop.
pub(super) const LAST: Duration = Duration::from_secs(1);

/// The stream, and how long it has waited.
pub(super) struct WriteTimeout<S> {
    stream: S,
    activity: Arc<Activity>,
    /// Since when the other side takes nothing.
    blocked_since: Option<Instant>,
    /// How long it took nothing before that, and how much was written; both of this answer.
    blocked: Duration,
    written: u64,
    /// When it took something last.
    took: Instant,
    /// Whether it is judged as the corner's last seconds are.
    is_last: bool,
    alarm: Option<Pin<Box<Sleep>>>,
}

impl<S> WriteTimeout<S> {
    pub(super) fn new(stream: S, activity: Arc<Activity>) -> Self {
        let took = Instant::now();
        let (blocked_since, blocked, written) = (None, Duration::ZERO, 0);
        Self { stream, activity, blocked_since, blocked, written, took, is_last: false, alarm: None }
    }

    fn judge(&mut self, cx: &mut Context<'_>, wrote: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        match wrote {
            Poll::Pending => self.wait(cx),
            Poll::Ready(Ok(bytes)) => {
                self.taken(bytes);
                Poll::Ready(Ok(bytes))
            }
            Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
        }
    }

    fn taken(&mut self, bytes: usize) {
        let now = Instant::now();
        match self.blocked_since.take() {
            Some(since) => {
                self.blocked += now.saturating_duration_since(since);
                self.activity.set_blocked(false);
            }
            None if !self.is_last && now.saturating_duration_since(self.took) > PAUSE => {
                (self.blocked, self.written) = (Duration::ZERO, 0);
            }
            None => {}
        }
        self.written = self.written.saturating_add(u64::try_from(bytes).unwrap_or(u64::MAX));
        self.took = now;
    }

    fn wait(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let now = Instant::now();
        if !self.is_last && self.activity.is_told() {
            (self.is_last, self.blocked, self.blocked_since) = (true, Duration::ZERO, None);
        }
        let since = *self.blocked_since.get_or_insert(now);
        self.activity.set_blocked(true);
        let until = since + self.patience();
        let alarm = self.alarm.get_or_insert_with(|| Box::pin(sleep_until(until)));
        if alarm.deadline() != until {
            alarm.as_mut().reset(until);
        }
        alarm.as_mut().poll(cx).map(|()| Err(io::Error::new(io::ErrorKind::TimedOut, "what was written was not taken")))
    }

    /// How long what is written now may wait.
    fn patience(&self) -> Duration {
        if self.is_last {
            return LAST.saturating_sub(self.blocked);
        }
        let earned = Duration::from_millis(self.written.saturating_mul(1000) / MIN_RATE);
        WRITE_TIMEOUT.min(WRITE_TIMEOUT.saturating_add(earned).saturating_sub(self.blocked))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for WriteTimeout<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for WriteTimeout<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let wrote = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.judge(cx, wrote)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let wrote = Pin::new(&mut self.stream).poll_write_vectored(cx, parts);
        self.judge(cx, wrote)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
