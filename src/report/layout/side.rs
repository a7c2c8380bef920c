//! The foot of the block: probes, guards, what comes next, the way back.

use super::Page;
use crate::model::{Span, Time};
use crate::report::text::{Line, Role, count, countdown, ticking_text, width};
use crate::report::view::{BaselineView, Compared, GuardView, Health, Next, ProbeView, Reading, Warning, WayBack};
use crate::report::{Mark, Theme};

const LABEL: usize = 12;
const VALUE_MOST: usize = 24;

/// Probes, guards and what comes next, in at most `room` lines; probes give way first, what comes next last.
pub(super) fn lines(page: &Page<'_>, room: usize) -> Vec<Line> {
    let mut groups = [
        flow(page, "next:", next(page.view.next.as_slice()), 1),
        flow(page, "guards:", guards(page.theme, &page.view.guards), 2),
        flow(page, "baseline:", baseline(page), 3),
        flow(page, "probes:", probes(page.now(), &page.view.probes), 3),
    ];
    let mut left = room;
    for group in &mut groups {
        group.truncate(left);
        left -= group.len();
    }
    groups.into_iter().rev().flatten().collect()
}

/// `way back: open, 3 undos, at most 2m 10s`, or why not.
pub(super) fn way_back(page: &Page<'_>) -> Line {
    Line::of(Role::Dim, "  way back: ").with(way_back_role(&page.view.way_back), way_back_text(&page.view.way_back))
}

fn way_back_role(way_back: &WayBack) -> Role {
    match way_back {
        WayBack::Nothing => Role::Dim,
        WayBack::Open { .. } => Role::Good,
        WayBack::Shut { .. } | WayBack::Stuck { .. } | WayBack::Gone { .. } => Role::Bad,
        WayBack::Going { .. } => Role::Back,
    }
}

/// What going back takes, in a sentence.
pub(in crate::report) fn way_back_text(way_back: &WayBack) -> String {
    match way_back {
        WayBack::Nothing => "open, nothing to undo".into(),
        WayBack::Open { undos, bound, left } => {
            let left = left.map(|left| format!(" for {} more", countdown(left))).unwrap_or_default();
            format!("open{left}, {}{}", count(*undos, "undo"), at_most(*bound, ""))
        }
        WayBack::Shut { at, undos } => {
            format!("SHUT at {}: going back ({}) would lose something", at.join(", "), count(*undos, "undo"))
        }
        WayBack::Going { undone, left, bound } => {
            format!("on it, {undone} of {} undone{}", count(undone + left, "step"), at_most(*bound, " more"))
        }
        WayBack::Stuck { undone, left } => format!("STUCK, {undone} of {} undone", count(undone + left, "step")),
        WayBack::Gone { why } => format!("GONE, {why}"),
    }
}

fn at_most(bound: Option<Span>, more: &str) -> String {
    bound.map(|bound| format!(", at most {bound}{more}")).unwrap_or_default()
}

/// Items behind a label, over at most `most` lines; the rest is counted.
fn flow(page: &Page<'_>, label: &str, items: Vec<Line>, most: usize) -> Vec<Line> {
    let dot = page.theme.dot();
    let mut lines: Vec<Line> = Vec::new();
    let mut line = Line::of(Role::Dim, format!("  {label}"));
    line.pad_to(LABEL);
    let total = items.len();
    for (index, item) in items.into_iter().enumerate() {
        let first = line.width() <= LABEL;
        let last_line = lines.len() + 1 == most;
        // On the last line, what is left over must still have room for its number.
        let reserve = if last_line && index + 1 < total { " and 99 more".len() } else { 0 };
        let needed = item.width() + if first { 0 } else { width(dot) };
        if !first && line.width() + needed + reserve > page.width {
            if last_line {
                line.push(Role::Dim, format!(" and {} more", total - index));
                break;
            }
            lines.push(std::mem::take(&mut line));
            line.pad_to(LABEL);
        } else if !first {
            line.push(Role::Dim, dot);
        }
        line.append(item);
    }
    if total > 0 {
        lines.push(line);
    }
    lines
}

fn next(next: &[Next]) -> Vec<Line> {
    next.iter()
        .map(|next| {
            let line = Line::of(Role::Plain, &next.name);
            match next.note {
                Some(note) => line.with(Role::Warn, format!(" ({note})")),
                None => line,
            }
        })
        .collect()
}

/// Those that deserve a look first; those asleep are only counted.
fn guards(theme: Theme, guards: &[GuardView]) -> Vec<Line> {
    let asleep = guards.iter().filter(|guard| guard.health == Health::Asleep).count();
    let mut awake: Vec<&GuardView> = guards.iter().filter(|guard| guard.health != Health::Asleep).collect();
    awake.sort_by_key(|guard| urgency(guard));
    let mut lines: Vec<Line> = awake.into_iter().map(|guard| guard_line(theme, guard)).collect();
    if asleep > 0 {
        lines.push(Line::of(Role::Dim, format!("{asleep} asleep")));
    }
    lines
}

const fn urgency(guard: &GuardView) -> u8 {
    match guard.health {
        Health::Breached => 0,
        Health::Blind => 1,
        Health::Failing(_) => 2,
        Health::Waking | Health::NoData => 4,
        Health::Healthy => match guard.warning {
            Warning::Given => 3,
            Warning::None => 5,
        },
        Health::Asleep => 6,
    }
}

fn guard_line(theme: Theme, guard: &GuardView) -> Line {
    let (mark, role, text) = match guard.health {
        Health::Asleep => (Mark::Pending, Role::Dim, "asleep".into()),
        Health::Waking => (Mark::Pending, Role::Dim, "first sample".into()),
        Health::NoData => (Mark::Pending, Role::Warn, "no data".into()),
        Health::Healthy => match guard.warning {
            Warning::Given => (Mark::Tolerated, Role::Warn, "WARNS".into()),
            Warning::None => (Mark::Done, Role::Good, "healthy".into()),
        },
        Health::Failing(samples) => {
            let text = format!("FAILING {samples} (breach at {} of {})", guard.failures, guard.of);
            (Mark::Tolerated, Role::Warn, text)
        }
        Health::Breached => (Mark::Failed, Role::Bad, "BREACHED".into()),
        Health::Blind => (Mark::Unknown, Role::Bad, "NO DATA".into()),
    };
    let line =
        Line::of(role, format!("{} ", theme.mark(mark))).with(Role::Plain, &guard.name).with(role, format!(" {text}"));
    match &guard.spend {
        Some(spend) if guard.health != Health::Asleep => line.with(Role::Dim, format!(", {spend}")),
        Some(_) | None => line,
    }
}

/// Those that are asked at present, with what they say.
fn probes(now: Time, probes: &[ProbeView]) -> Vec<Line> {
    probes
        .iter()
        .filter(|probe| probe.polled)
        .map(|probe| match &probe.reading {
            Some(reading) => probe_line(now, probe, reading),
            None => Line::of(Role::Plain, &probe.name).with(Role::Dim, " asked"),
        })
        .collect()
}

/// Before and after, side by side.
fn baseline(page: &Page<'_>) -> Vec<Line> {
    match page.view.baseline {
        BaselineView::Untaken => Vec::new(),
        BaselineView::Sampling { since } => {
            let over = page.view.baseline_over.map(|over| format!(" of {over}")).unwrap_or_default();
            let spent = ticking_text(page.now().since(since));
            vec![Line::of(Role::Active, format!("being taken, {spent}{over}"))]
        }
        BaselineView::Rejected => vec![Line::of(Role::Bad, "not healthy")],
        BaselineView::Taken => page.view.compared().iter().map(compared).collect(),
    }
}

fn compared(probe: &Compared<'_>) -> Line {
    let line = Line::of(Role::Plain, format!("{} ", probe.probe)).with(Role::Dim, probe.before_in_short());
    match &probe.now {
        Some(Some(now)) => line.with(Role::Dim, "; now ").with(Role::Strong, now),
        Some(None) => line.with(Role::Dim, "; now ").with(Role::Bad, "no data"),
        None => line,
    }
}

fn probe_line(now: Time, probe: &ProbeView, reading: &Reading) -> Line {
    let mut line = Line::of(Role::Plain, format!("{} ", probe.name));
    match reading.shown() {
        Some(value) => {
            let role = if reading.good_since.is_some() { Role::Good } else { Role::Strong };
            let unit = probe.unit.as_deref().map(|unit| format!(" {unit}")).unwrap_or_default();
            line.append(Line::of(role, format!("{value}{unit}")).fit(VALUE_MOST, "..."));
        }
        None => line.push(Role::Bad, "no data"),
    }
    let age = now.since(reading.at);
    let mut notes = Vec::new();
    if let Some(since) = reading.good_since {
        notes.push(format!("good for {}", ticking_text(now.since(since))));
    }
    if age.millis() >= 3000 {
        notes.push(format!("{} old", ticking_text(age)));
    }
    if !notes.is_empty() {
        line.push(Role::Dim, format!(" ({})", notes.join(", ")));
    }
    line
}
