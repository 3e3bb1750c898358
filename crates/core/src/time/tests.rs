use super::*;

#[test]
fn written_forms_round_trip() {
    for text in [
        "0000-02-29T00:00:00Z",
        "1970-01-01T00:00:00Z",
        "2000-02-29T23:59:59Z",
        "2026-05-12T17:04:11Z",
        "2100-03-01T00:00:00Z",
    ] {
        assert_eq!(Time::parse_seconds(text).expect(text).seconds(), text);
    }
    let text = "2026-05-12T17:04:11.402Z";
    assert_eq!(Time::parse_millis(text).expect(text).millis(), text);
    assert_eq!(Time::parse_seconds("2026-05-12T17:04:11Z"), Some(Time(1_778_605_451_000)));
}

#[test]
fn other_forms_are_refused() {
    for text in [
        "2026-05-12T17:04:11.402Z",
        "2026-02-30T00:00:00Z",
        "2026-13-01T00:00:00Z",
        "2026-00-01T00:00:00Z",
        "2026-05-00T00:00:00Z",
        "2026-05-12T24:00:00Z",
        "2026-05-12T17:60:00Z",
        "2026-05-12T17:04:60Z",
        "2026-05-12 17:04:11Z",
        "2026-05-12T17:04:11+00:00",
        "2026-05-12T17:04:11",
        "+026-05-12T17:04:11Z",
        "",
    ] {
        assert_eq!(Time::parse_seconds(text), None, "{text}");
    }
    for text in ["2026-05-12T17:04:11Z", "2026-05-12T17:04:11.40Z", "2026-05-12T17:04:11.4020Z"] {
        assert_eq!(Time::parse_millis(text), None, "{text}");
    }
}

#[test]
fn every_day_of_four_centuries_has_its_date() {
    for day in -1..146_097 {
        let (year, month, date) = civil(day);
        assert_eq!(days(year, month, date), day);
    }
}

/// No member holds such a time, but what saturates comes to one, and is told.
#[test]
fn times_of_no_year_of_four_digits_are_written_with_those_that_it_has() {
    for (millis, text) in [
        (i64::MIN, "-292275055-05-16T16:47:04.192Z"),
        (-62_167_219_200_001, "-001-12-31T23:59:59.999Z"),
        (-62_167_219_200_000, "0000-01-01T00:00:00.000Z"),
        (-1, "1969-12-31T23:59:59.999Z"),
        (253_402_300_799_999, "9999-12-31T23:59:59.999Z"),
        (253_402_300_800_000, "10000-01-01T00:00:00.000Z"),
        (i64::MAX, "292278994-08-17T07:12:55.807Z"),
    ] {
        let time = Time(millis);
        assert_eq!(time.millis(), text);
        assert_eq!(time.seconds().strip_suffix('Z'), text.rsplit_once('.').map(|(whole, _)| whole));
    }
}
