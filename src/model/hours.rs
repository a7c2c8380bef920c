//! The text of opening hours: `Sat 01:00-05:00`, `Mon-Fri 22:00-02:00`, `daily 01:00-03:00`.
//!
//! It knows days and minutes, not what day it is.

use jiff::civil::Weekday;

/// Opening hours on some days of the week.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hours {
    /// Whether it opens on that day, Monday first.
    pub days: [bool; 7],
    /// Minutes after midnight at which it opens.
    pub from: u16,
    /// Minutes after midnight at which it closes: of the next day where that is not after `from`.
    pub to: u16,
}

impl std::str::FromStr for Hours {
    /// A fragment for people.
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        parse(text)
    }
}

impl Hours {
    /// Whether it opens on that day.
    pub fn opens_on(&self, day: Weekday) -> bool {
        usize::try_from(day.to_monday_zero_offset()).is_ok_and(|day| self.days[day])
    }
}

/// Reads opening hours; the error is a fragment for people.
fn parse(text: &str) -> Result<Hours, &'static str> {
    let (days, times) = text.split_once(' ').ok_or("days, a space, and from-to")?;
    let (from, to) = times.split_once('-').ok_or("the times are written from-to")?;
    let (from, to) = (minutes(from)?, minutes(to)?);
    if from == 24 * 60 {
        return Err("24:00 only closes");
    }
    if from == to {
        return Err("opens and closes at the same time");
    }
    Ok(Hours { days: days_of(days)?, from, to })
}

fn days_of(text: &str) -> Result<[bool; 7], &'static str> {
    let mut days = [false; 7];
    if text == "daily" {
        return Ok([true; 7]);
    }
    for part in text.split(',') {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let (mut at, last) = (day(first)?, day(last)?);
        days[at] = true;
        while at != last {
            at = (at + 1) % 7;
            days[at] = true;
        }
    }
    Ok(days)
}

fn day(text: &str) -> Result<usize, &'static str> {
    ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"]
        .iter()
        .position(|name| *name == text)
        .ok_or("days are Mon Tue Wed Thu Fri Sat Sun, or daily")
}

fn minutes(text: &str) -> Result<u16, &'static str> {
    let wrong = "a time is written 01:00, up to 24:00";
    let (hours, minutes) = text.split_once(':').ok_or(wrong)?;
    let two_digits = |text: &str| text.len() == 2 && text.bytes().all(|b| b.is_ascii_digit());
    if !two_digits(hours) || !two_digits(minutes) {
        return Err(wrong);
    }
    let (hours, minutes): (u16, u16) = (hours.parse().map_err(|_| wrong)?, minutes.parse().map_err(|_| wrong)?);
    let total = hours * 60 + minutes;
    if minutes < 60 && total <= 24 * 60 { Ok(total) } else { Err(wrong) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn opening_hours_may_name_a_day_a_range_a_list_or_every_day_and_may_pass_midnight() {
        let sat = parse("Sat 01:00-05:00").expect("good");
        assert_eq!((sat.from, sat.to), (60, 300));
        assert!(sat.opens_on(Weekday::Saturday) && !sat.opens_on(Weekday::Sunday));

        let week = parse("Mon-Fri 22:00-02:00").expect("good");
        assert_eq!(week.days, [true, true, true, true, true, false, false]);
        assert!(week.to < week.from);

        assert_eq!(parse("Sat-Mon 00:00-24:00").expect("good").days, [true, false, false, false, false, true, true]);
        assert_eq!(parse("Mon,Wed 01:00-02:00").expect("good").days.iter().filter(|open| **open).count(), 2);
        assert_eq!(parse("daily 01:00-03:00").expect("good").days, [true; 7]);
    }

    #[test]
    fn other_opening_hours_are_refused_with_a_reason() {
        for text in [
            "",
            "Sat",
            "Sat 1:00-2:00",
            "sat 01:00-02:00",
            "Sat 01:00",
            "Sat 25:00-26:00",
            "Sat 01:60-02:00",
            "Sat 01:00-01:00",
            "Sat  01:00-02:00",
            "Sat 01:00-24:01",
            "Sat 24:00-01:00",
            "Sat 01:00 - 02:00",
        ] {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
