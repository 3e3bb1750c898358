//! What an operator asks of a ledger's folder.

use crate::config::Config;
use crate::output::{Failure, Output, Paint};
use eleven_core::encoding::{Object, Value};
use eleven_ledger::{Part, Size};

/// Days of a year, leap years among them.
const DAYS_OF_FOUR_YEARS: u64 = 1461;

/// `ledger size`.
///
/// # Errors
/// Where the ledger runs, or its folder can't be read.
pub(crate) fn size(config: &Config, calls_per_day: u64, years: u64, output: Output) -> Result<(), Failure> {
    let size = eleven_ledger::size(&config.ledger.data).map_err(Failure::new)?;
    let calls = (calls_per_day.checked_mul(DAYS_OF_FOUR_YEARS * years)).map(|calls| calls / 4);
    let then = calls.and_then(|calls| size.after(calls));
    let value = || {
        let forecast = Object::new().with("calls_per_day", calls_per_day).with("years", years);
        let forecast = forecast.with_some("bytes", then);
        let object = Object::new().with("packed", part(&size.packed)).with("open", part(&size.open));
        let object = object.with("heads", size.heads).with("calls", size.calls).with("denials", size.denials);
        Value::Object(object.with_some("bytes_per_call", size.per_call()).with("forecast", forecast))
    };
    output.either(value, || text(&size, calls_per_day, years, then, output));
    Ok(())
}

fn part(part: &Part) -> Object {
    Object::new().with("entries", part.entries).with("records", part.records).with("disk", part.disk)
}

fn text(size: &Size, calls_per_day: u64, years: u64, then: Option<u64>, output: Output) -> String {
    let row = |name: &str, part: &Part| {
        vec![name.to_owned(), part.entries.to_string(), bytes(part.records), bytes(part.disk)]
    };
    let heading = ["", "ENTRIES", "RECORDS", "ON DISK"].map(str::to_owned).to_vec();
    let rows = [heading, row("packed", &size.packed), row("open", &size.open)];
    let counted = format!("{} calls, {} denials, {} of heads", size.calls, size.denials, bytes(size.heads));
    let forecast = match (size.per_call(), then) {
        (Some(per_call), Some(then)) => {
            let kind =
                if size.packed.entries > 0 { "packed" } else { "not packed yet, about four times what it will be" };
            let line = format!("{calls_per_day} calls a day for {years} years: {}", bytes(then));
            format!("{per_call} bytes a call of seven events ({kind})\n{}", output.paint(Paint::Bold, &line))
        }
        _ => "no forecast: the ledger holds nothing to measure yet, or the number is beyond all bounds".to_owned(),
    };
    format!("{}\n{counted}\n{forecast}", output.table(&rows))
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
    fn the_forecast_says_what_it_rests_on() {
        let output = Output::new(false);
        let packed = Part { entries: 70, records: 200_000, disk: 50_000 };
        let size = Size { packed, ..Size::default() };
        let said = text(&size, 10, 2, size.after(7305), output);
        assert!(said.contains("5000 bytes a call of seven events (packed)"), "{said}");
        assert!(said.contains("10 calls a day for 2 years: 34.9 MiB"), "{said}");
        assert!(text(&Size::default(), 10, 2, None, output).contains("no forecast"));
    }
}
