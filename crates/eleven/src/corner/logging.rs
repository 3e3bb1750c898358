//! What a process logs: to standard error, as much as `ELEVEN_LOG` asks for.

use crate::output::coloured;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::{Directive, LevelFilter};

/// The level of all that `ELEVEN_LOG` gives none.
const PRESET: &str = "info";

/// Sends what is logged to standard error, as `ELEVEN_LOG` asks.
pub(crate) fn log() {
    let asked = std::env::var_os("ELEVEN_LOG").unwrap_or_default();
    let asked = asked.to_string_lossy();
    let (filter, unknown) = filter(&asked);
    let subscriber = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(coloured(&std::io::stderr()))
        .with_target(false)
        // It would say there, too, that a line could not be written, and panic where that can't be.
        .log_internal_errors(false);
    // Where somebody has set one already, that one stays.
    if subscriber.try_init().is_ok() && !unknown.is_empty() {
        let unknown = unknown.join(",");
        tracing::warn!(
            unknown,
            "ELEVEN_LOG: this is no level (error, warn, info, debug) and no part with one (eleven_ledger=debug)"
        );
    }
}

/// What is logged, and what of the text is neither a level nor a part of the program with one. A word that is no level would be a
/// part of which alone something is logged, and nothing of all else, not even an error: it counts for nothing.
fn filter(asked: &str) -> (EnvFilter, Vec<&str>) {
    let is_level = |part: &str| part.parse::<LevelFilter>().is_ok();
    let is_part = |part: &str| part.contains(['=', '[']) && part.parse::<Directive>().is_ok();
    let words = asked.split(',').map(str::trim).filter(|word| !word.is_empty());
    let (known, unknown): (Vec<&str>, Vec<&str>) = words.partition(|word| is_level(word) || is_part(word));
    let preset = (!known.iter().any(|word| is_level(word))).then_some(PRESET);
    let directives: Vec<&str> = preset.into_iter().chain(known).collect();
    (EnvFilter::new(directives.join(",")), unknown)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_that_is_no_level_silences_nothing() {
        for (asked, level, unknown) in [
            ("", LevelFilter::INFO, None),
            (" , ", LevelFilter::INFO, None),
            ("WARN", LevelFilter::WARN, None),
            ("off", LevelFilter::OFF, None),
            ("warning", LevelFilter::INFO, Some("warning")),
            ("error,eleven_ledger", LevelFilter::ERROR, Some("eleven_ledger")),
            ("eleven_ledger=verbose", LevelFilter::INFO, Some("eleven_ledger=verbose")),
            (" warn , eleven_ledger=debug", LevelFilter::DEBUG, None),
        ] {
            let (filter, told) = filter(asked);
            assert_eq!(filter.max_level_hint(), Some(level), "{asked}");
            assert_eq!(told, unknown.into_iter().collect::<Vec<_>>(), "{asked}");
        }
        // Of one part more is logged, and of all else what always is.
        let (filter, _) = filter("eleven_ledger=debug");
        assert_eq!(filter.to_string(), "eleven_ledger=debug,info");
    }
}
