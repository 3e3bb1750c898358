//! `eleven ledger size`: what the ledger's folder takes, and what it will take.

use crate::config::Config;
use crate::disk;
use crate::output::{Failure, Output, Paint};
use eleven_core::encoding::{Object, Value};
use eleven_ledger::{Part, Size};

/// Days of a year, leap years among them.
const DAYS_OF_FOUR_YEARS: u64 = 1461;

/// What is left on the ledger's disk.
#[derive(Clone, Copy, Debug, Default)]
struct Room {
    /// Bytes that are free.
    free: Option<u64>,
    /// For how many days that will do.
    days: Option<u64>,
}

impl Room {
    fn of(config: &Config, size: &Size, calls_per_day: u64) -> Self {
        let free = disk::free(&config.ledger.data);
        let a_day = size.after(calls_per_day).map(|tomorrow| tomorrow.saturating_sub(size.disk()));
        Self { free, days: free.zip(a_day).and_then(|(free, a_day)| free.checked_div(a_day)) }
    }

    /// In words, where it is known.
    fn told(self) -> Option<String> {
        let days = |days| format!(", {} at that rate", counted(days, "day"));
        self.free.map(|free| format!("free: {}{}", bytes(free), self.days.map(days).unwrap_or_default()))
    }
}

/// `ledger size`.
///
/// # Errors
/// Where the ledger's folder can't be read.
pub(crate) fn size(config: &Config, calls_per_day: u64, years: u64, output: Output) -> Result<(), Failure> {
    let size = eleven_ledger::size(&config.ledger.data).map_err(Failure::new)?;
    let calls = (calls_per_day.checked_mul(DAYS_OF_FOUR_YEARS * years)).map(|calls| calls / 4);
    let then = calls.and_then(|calls| size.after(calls));
    let room = Room::of(config, &size, calls_per_day);
    let value = || {
        let forecast = Object::new().with("calls_per_day", calls_per_day).with("years", years);
        let forecast = forecast.with_some("bytes", then);
        let object = Object::new().with("packed", part(&size.packed)).with("open", part(&size.open));
        let object = object
            .with("heads", size.heads)
            .with("search", size.search)
            .with("calls", size.calls)
            .with("denials", size.denials)
            .with("seals", size.seals);
        let object = object.with_some("bytes_per_call", size.per_call()).with("forecast", forecast);
        Value::Object(object.with_some("free", room.free).with_some("days", room.days))
    };
    output.either(value, || text(&size, (calls_per_day, years), then, room, output));
    Ok(())
}

fn part(part: &Part) -> Object {
    Object::new().with("entries", part.entries).with("records", part.records).with("disk", part.disk)
}

fn text(size: &Size, (calls_per_day, years): (u64, u64), then: Option<u64>, room: Room, output: Output) -> String {
    let row = |name: &str, part: &Part| {
        vec![name.to_owned(), part.entries.to_string(), bytes(part.records), bytes(part.disk)]
    };
    let rows = [row("packed", &size.packed), row("open", &size.open)];
    let table = output.table_of(["", "ENTRIES", "RECORDS", "ON DISK"], rows);
    let (heads, search) = (bytes(size.heads), bytes(size.search));
    let Size { calls, denials, seals, .. } = size;
    let measured = format!(
        "{calls} calls, {denials} denials and {seals} seals of them, {heads} of heads, {search} of search index"
    );
    let forecast = match (size.per_call(), then) {
        (Some(per_call), Some(then)) => {
            let kind =
                if size.packed.entries > 0 { "packed" } else { "not packed yet, about four times what it will be" };
            let line =
                format!("{} a day for {}: {}", counted(calls_per_day, "call"), counted(years, "year"), bytes(then));
            format!("{per_call} bytes a call of seven events ({kind})\n{}", output.paint(Paint::Bold, &line))
        }
        _ => "no forecast: the ledger holds nothing to measure yet, or the number is beyond all bounds".to_owned(),
    };
    let room = room.told().map(|told| format!("\n{told}")).unwrap_or_default();
    format!("{table}\n{measured}\n{forecast}{room}")
}

/// So many of something.
fn counted(many: u64, what: &str) -> String {
    if many == 1 { format!("1 {what}") } else { format!("{many} {what}s") }
}

/// A number of bytes in the unit that leaves one to four digits before the point.
fn bytes(bytes: u64) -> String {
    let units = [("TiB", 40), ("GiB", 30), ("MiB", 20), ("KiB", 10)];
    let unit = units.into_iter().find(|(_, bits)| bytes >= 1 << bits);
    unit.map_or_else(
        || format!("{bytes} B"),
        |(name, bits)| format!("{:.1} {name}", bytes as f64 / (1u64 << bits) as f64),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_said_in_a_unit_that_one_can_read() {
        assert_eq!([0, 1023, 1024, 3 << 30].map(bytes), ["0 B", "1023 B", "1.0 KiB", "3.0 GiB"]);
        assert_eq!(bytes(u64::MAX), "16777216.0 TiB");
    }

    #[test]
    fn what_is_free_does_for_as_many_days_as_it_holds_what_comes_in_one() {
        let folder = tempfile::tempdir().expect("a folder");
        let text = format!(
            "[domain]\nname = \"d1\"\n[ledger]\ndata = \"{}\"\n[runtime]\npoint = \"host://here/gateway#gw-0\"\n\
             [runtime.gateway]\nupstream = \"http://127.0.0.1:8000\"\n",
            folder.path().join("ledger").display()
        );
        std::fs::create_dir(folder.path().join("ledger")).expect("made");
        let config = Config::read(&folder.path().join("eleven.toml"), &text).expect("a configuration");
        let packed = Part { entries: 7, records: 10_000, disk: 1000 };
        let size = Size { packed, ..Size::default() };
        let room = Room::of(&config, &size, 10);
        let free = room.free.expect("it lies on a disk");
        assert_eq!(room.days, Some(free / 10_000));
        assert_eq!(Room::of(&config, &size, 0).days, None, "it does for ever");
        assert_eq!(Room::of(&config, &Size::default(), 10).days, None, "nothing was measured");
    }

    #[test]
    fn the_forecast_says_what_it_rests_on() {
        let output = Output::new(false);
        let packed = Part { entries: 70, records: 200_000, disk: 50_000 };
        let size = Size { packed, ..Size::default() };
        let room = Room { free: Some(3 << 30), days: Some(64_424) };
        let said = text(&size, (10, 2), size.after(7305), room, output);
        assert!(said.contains("5000 bytes a call of seven events (packed)"), "{said}");
        assert!(said.contains("10 calls a day for 2 years: 34.9 MiB"), "{said}");
        assert!(said.contains("0 calls, 0 denials and 0 seals of them, 0 B of heads, 0 B of search index"), "{said}");
        assert!(said.ends_with("\nfree: 3.0 GiB, 64424 days at that rate"), "{said}");
        let said = text(&size, (1, 1), size.after(365), Room { free: Some(6000), days: Some(1) }, output);
        assert!(said.contains("1 call a day for 1 year: "), "{said}");
        assert!(said.ends_with("\nfree: 5.9 KiB, 1 day at that rate"), "{said}");
        let said = text(&Size::default(), (10, 2), None, Room { free: Some(0), days: None }, output);
        assert!(
            said.ends_with(
                "no forecast: the ledger holds nothing to measure yet, or the number is beyond all bounds\nfree: 0 B"
            ),
            "{said}"
        );
    }
}
