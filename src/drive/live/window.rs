//! Calendar windows: whether a phase may start now, until when it may run, and when it may start next (R26).

use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use jiff::{Span as Days, Timestamp, ToSpan as _};

use crate::journal::Wall;
use crate::model::{Hours, Span, Window};

/// A window ready to be asked.
pub struct Calendar {
    hours: Vec<Hours>,
    zone: TimeZone,
}

impl Calendar {
    /// Of a window that `check` has proved; `None` where this program cannot read it.
    pub fn of(window: &Window) -> Option<Self> {
        let hours = window.open.iter().map(|text| text.parse().ok()).collect::<Option<Vec<_>>>()?;
        let zone = TimeZone::get(&window.zone).ok()?;
        Some(Self { hours, zone })
    }

    /// Until when the window is open, if it is now.
    pub fn open_until(&self, now: Wall) -> Option<Wall> {
        self.openings(now).into_iter().find(|(from, to)| *from <= now && now < *to).map(|(_, to)| to)
    }

    /// Whether work that takes at most `needs` may start now and be over before the window closes.
    pub fn may_start(&self, now: Wall, needs: Span) -> bool {
        self.open_until(now).is_some_and(|until| now < latest_start(until, needs))
    }

    /// The next moment from now on at which such work may start; `None` where no opening is that long.
    pub fn next_start(&self, now: Wall, needs: Span) -> Option<Wall> {
        self.openings(now)
            .into_iter()
            .find(|(from, to)| *from < latest_start(*to, needs) && now < latest_start(*to, needs))
            .map(|(from, _)| from.max(now))
    }

    /// Openings from yesterday to a week and a day from now, in their order; those that overlap or touch are one.
    fn openings(&self, now: Wall) -> Vec<(Wall, Wall)> {
        let mut each: Vec<(Wall, Wall)> = self.openings_of_days(now).collect();
        each.sort_unstable();
        let mut joined: Vec<(Wall, Wall)> = Vec::new();
        for (from, to) in each {
            match joined.last_mut() {
                Some((_, end)) if from <= *end => *end = to.max(*end),
                Some(_) | None => joined.push((from, to)),
            }
        }
        joined
    }

    fn openings_of_days(&self, now: Wall) -> impl Iterator<Item = (Wall, Wall)> + '_ {
        let today = Timestamp::from_millisecond(now.millis())
            .unwrap_or(Timestamp::UNIX_EPOCH)
            .to_zoned(self.zone.clone())
            .date();
        (-1..=8).flat_map(move |offset: i64| {
            let day = today.checked_add(Days::new().days(offset)).unwrap_or(today);
            self.hours.iter().filter(move |hours| hours.opens_on(day.weekday())).filter_map(move |hours| {
                let midnight = day.to_datetime(jiff::civil::Time::midnight());
                let ends_next_day = hours.to <= hours.from;
                let to = i64::from(hours.to) + if ends_next_day { 24 * 60 } else { 0 };
                Some((self.at(midnight, i64::from(hours.from))?, self.at(midnight, to)?))
            })
        })
    }

    /// A time of a day in the window's zone. What a change of clocks leaves out is as much later as clocks are put forward;
    /// what comes twice is its first coming (jiff's "compatible" reading, RFC 5545).
    fn at(&self, midnight: DateTime, minutes: i64) -> Option<Wall> {
        let local = midnight.checked_add(minutes.minutes()).ok()?;
        let zoned = local.to_zoned(self.zone.clone()).ok()?;
        Some(Wall::from_millis(zoned.timestamp().as_millisecond()))
    }
}

fn latest_start(until: Wall, needs: Span) -> Wall {
    Wall::from_millis(until.millis().saturating_sub(i64::try_from(needs.millis()).unwrap_or(i64::MAX)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::OnClose;

    fn calendar(open: &[&str], zone: &str) -> Calendar {
        let open = open.iter().map(|text| (*text).to_owned()).collect();
        Calendar::of(&Window { open, zone: zone.to_owned(), on_close: OnClose::Finish }).expect("a good window")
    }

    fn at(text: &str) -> Wall {
        Wall::from_millis(text.parse::<Timestamp>().expect("a moment").as_millisecond())
    }

    #[test]
    fn a_window_is_open_in_its_own_time_zone() {
        let window = calendar(&["Sat 01:00-05:00"], "Europe/Berlin");
        assert_eq!(window.open_until(at("2026-11-21T00:30:00Z")), Some(at("2026-11-21T04:00:00Z")));
        assert_eq!(window.open_until(at("2026-11-20T23:30:00Z")), None);
        assert_eq!(window.next_start(at("2026-11-20T12:00:00Z"), Span::ZERO), Some(at("2026-11-21T00:00:00Z")));
    }

    #[test]
    fn a_window_over_midnight_belongs_to_the_day_it_opens() {
        let window = calendar(&["Fri 22:00-02:00"], "UTC");
        assert!(window.may_start(at("2026-11-21T01:00:00Z"), Span::ZERO));
        assert!(!window.may_start(at("2026-11-20T01:00:00Z"), Span::ZERO));
    }

    #[test]
    fn the_latest_safe_start_leaves_time_for_the_way_forward_and_back() {
        let window = calendar(&["daily 01:00-02:00"], "UTC");
        let needs = Span::from_secs(1800);
        assert!(window.may_start(at("2026-11-20T01:29:00Z"), needs));
        assert!(!window.may_start(at("2026-11-20T01:31:00Z"), needs));
        assert_eq!(window.next_start(at("2026-11-20T01:31:00Z"), needs), Some(at("2026-11-21T01:00:00Z")));
        assert_eq!(window.next_start(at("2026-11-20T01:31:00Z"), Span::from_secs(7200)), None);
    }

    #[test]
    fn a_change_of_clocks_moves_the_window_with_the_people() {
        // Berlin leaves summer time on 25 October 2026: 01:00-05:00 lasts five hours that night...
        let window = calendar(&["Sun 01:00-05:00"], "Europe/Berlin");
        assert_eq!(window.open_until(at("2026-10-24T23:00:00Z")), Some(at("2026-10-25T04:00:00Z")));
        // ...and begins it on 28 March 2027: it lasts three. What needs three and a half may not start.
        assert_eq!(window.open_until(at("2027-03-28T00:00:00Z")), Some(at("2027-03-28T03:00:00Z")));
        let needs = Span::from_secs(3 * 3600 + 1800);
        assert!(window.may_start(at("2026-10-24T23:00:00Z"), needs));
        assert!(!window.may_start(at("2027-03-28T00:00:00Z"), needs));
        assert_eq!(window.next_start(at("2027-03-28T00:00:00Z"), needs), Some(at("2027-04-03T23:00:00Z")));
        // The hour from 02:00 to 03:00 is left out that night: who opens then opens a week later.
        let gap = calendar(&["Sun 02:00-03:00"], "Europe/Berlin");
        assert_eq!(gap.next_start(at("2027-03-28T00:00:00Z"), Span::ZERO), Some(at("2027-04-04T00:00:00Z")));
    }

    #[test]
    fn openings_that_touch_or_overlap_are_one() {
        let needs = Span::from_secs(7200);
        for open in [&["daily 00:00-24:00"][..], &["daily 00:00-13:00", "daily 12:00-24:00"]] {
            let always = calendar(open, "Europe/Berlin");
            assert!(always.may_start(at("2026-11-20T22:30:00Z"), needs), "shortly before midnight");
        }
        let night = calendar(&["Fri 20:00-24:00", "Sat 00:00-02:00"], "UTC");
        assert_eq!(night.open_until(at("2026-11-20T23:00:00Z")), Some(at("2026-11-21T02:00:00Z")));
        assert!(!night.may_start(at("2026-11-21T00:30:00Z"), needs));
    }
}
