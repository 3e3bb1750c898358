//! What comes to an end is looked for again for as long as the corners run: at their start it may be months away.

use std::time::Duration;

/// How often it is looked.
pub(super) const EVERY: Duration = Duration::from_secs(24 * 3600);

/// Says what is found, at once and every so often.
pub(super) async fn remind(
    every: Duration,
    look: impl Fn() -> Option<String> + Clone + Send + 'static,
    say: impl Fn(&str),
) {
    loop {
        // It asks the corners: beside the loop that watches them.
        let found = tokio::task::spawn_blocking(look.clone()).await;
        if let Ok(Some(what)) = found {
            say(&what);
        }
        tokio::time::sleep(every).await;
    }
}

#[cfg(test)]
mod tests;
