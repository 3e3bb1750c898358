//! Time as the protocol writes it (PROTOCOL 1): UTC, to the second in `nbf`, `exp`, `until`, to the millisecond elsewhere.
//!
//! A [`Time`] is a value that somebody at the edge read off a clock. Nothing in this crate reads one.

use crate::encoding::Value;
use alloc::format;
use alloc::string::String;
use core::fmt;

/// A moment: milliseconds since 1970-01-01T00:00:00Z.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Time(pub i64);

impl Time {
    /// Reads `YYYY-MM-DDTHH:MM:SSZ`, exactly.
    #[must_use]
    pub fn parse_seconds(text: &str) -> Option<Self> {
        let (head, tail) = text.as_bytes().split_at_checked(19)?;
        (tail == b"Z").then_some(())?;
        parse_whole(head).map(Self)
    }

    /// Reads `YYYY-MM-DDTHH:MM:SS.mmmZ`, exactly.
    #[must_use]
    pub fn parse_millis(text: &str) -> Option<Self> {
        let (head, tail) = text.as_bytes().split_at_checked(19)?;
        let [b'.', a, b, c, b'Z'] = tail else { return None };
        let millis = number(&[*a, *b, *c])?;
        Some(Self(parse_whole(head)?.checked_add(millis)?))
    }

    /// The written form to the second; the milliseconds are cut off.
    #[must_use]
    pub fn seconds(self) -> String {
        let mut text = self.to_the_second();
        text.push('Z');
        text
    }

    /// The written form to the millisecond.
    #[must_use]
    pub fn millis(self) -> String {
        let mut text = self.to_the_second();
        text.push('.');
        push_digits(&mut text, self.0.rem_euclid(1000), 3);
        text.push('Z');
        text
    }

    /// What both forms begin with. Digit by digit, for each entry of a ledger has its time.
    fn to_the_second(self) -> String {
        let (day, rest) = (self.0.div_euclid(86_400_000), self.0.rem_euclid(86_400_000));
        let (year, month, date) = civil(day);
        let mut text = String::with_capacity(24);
        if (0..10_000).contains(&year) {
            push_digits(&mut text, year, 4);
        } else {
            text.push_str(&format!("{year:04}"));
        }
        let (h, m, s) = (rest / 3_600_000, rest / 60_000 % 60, rest / 1000 % 60);
        for (before, digits) in [('-', month), ('-', date), ('T', h), (':', m), (':', s)] {
            text.push(before);
            push_digits(&mut text, digits, 2);
        }
        text
    }

    /// The moment `seconds` later (or earlier, where negative); saturates.
    #[must_use]
    pub const fn plus_seconds(self, seconds: i64) -> Self {
        Self(self.0.saturating_add(seconds.saturating_mul(1000)))
    }

    /// The moment `millis` later; saturates.
    #[must_use]
    pub const fn plus_millis(self, millis: i64) -> Self {
        Self(self.0.saturating_add(millis))
    }

    /// Milliseconds from `earlier` to this moment; negative where `earlier` is later.
    #[must_use]
    pub const fn since(self, earlier: Self) -> i64 {
        self.0.saturating_sub(earlier.0)
    }

    /// The same moment without its milliseconds.
    #[must_use]
    pub const fn whole_seconds(self) -> Self {
        Self(self.0 - self.0.rem_euclid(1000))
    }

    /// The value of a member written to the millisecond.
    #[must_use]
    pub fn to_millis_value(self) -> Value {
        Value::Str(self.millis())
    }

    /// The value of a member written to the second.
    #[must_use]
    pub fn to_seconds_value(self) -> Value {
        Value::Str(self.seconds())
    }
}

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.millis())
    }
}

fn parse_whole(text: &[u8]) -> Option<i64> {
    let [y1, y2, y3, y4, b'-', m1, m2, b'-', d1, d2, b'T', h1, h2, b':', i1, i2, b':', s1, s2] = text else {
        return None;
    };
    let (year, month, date) = (number(&[*y1, *y2, *y3, *y4])?, number(&[*m1, *m2])?, number(&[*d1, *d2])?);
    let (hour, minute, second) = (number(&[*h1, *h2])?, number(&[*i1, *i2])?, number(&[*s1, *s2])?);
    let in_range = (1..=12).contains(&month) && date >= 1 && hour < 24 && minute < 60 && second < 60;
    let day = days(year, month, date);
    // A date that the calendar does not have (30 February) comes back as another one.
    (in_range && civil(day) == (year, month, date))
        .then_some((day * 86_400 + hour * 3600 + minute * 60 + second) * 1000)
}

fn number(digits: &[u8]) -> Option<i64> {
    digits.iter().try_fold(0, |n, d| d.is_ascii_digit().then(|| n * 10 + i64::from(d - b'0')))
}

/// Days since 1970-01-01 of a date in the proleptic Gregorian calendar, years counted from March so that the leap day
/// comes last.
fn days(year: i64, month: i64, date: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + date - 1;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
}

/// The last `width` digits of a number that is not negative.
fn push_digits(text: &mut String, number: i64, width: u32) {
    let digit = |place| u8::try_from(number / 10_i64.pow(place) % 10).unwrap_or_default();
    text.extend((0..width).rev().map(|place| char::from(b'0' + digit(place))));
}

/// The date of a day since 1970-01-01: the inverse of [`days`].
fn civil(day: i64) -> (i64, i64, i64) {
    let day = day + 719_468;
    let (era, day_of_era) = (day.div_euclid(146_097), day.rem_euclid(146_097));
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    (year, month, day_of_year - (153 * shifted + 2) / 5 + 1)
}

#[cfg(test)]
mod tests;
