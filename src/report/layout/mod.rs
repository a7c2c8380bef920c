//! The live block: what a person reads at a glance. A pure function from a view and the size of a screen to lines.
//!
//! From top to bottom: what run this is and what it is at; what needs a person; phases and steps; probes; guards; what
//! comes next; the way back. Where the screen is too low, the steps become a window around what is active, with counts
//! for the rest, then probes and guards shrink; the first and the last line always stay.

mod rows;
mod side;

pub(super) use rows::state_text;
pub(super) use side::way_back_text;

use super::text::{Line, Role, ticking_text};
use super::view::{Afterwards, Mode, Stopwatch, View};
use super::{Theme, story};
use crate::model::{RunOutcome, Time};

/// Lines for a screen of that size: none wider than `width`, together lower than `height`.
pub fn lines(view: &View, width: usize, height: usize, theme: Theme) -> Vec<Line> {
    let page = Page { view, width, theme };
    // One line for the cursor below, and some for news above.
    let most = height.saturating_sub(1).min(height - height / 5);
    let head = page.header();
    let foot = side::way_back(&page);
    if most < 3 {
        return [foot, head].into_iter().take(most).map(|line| page.fit(line)).collect();
    }
    let mut room = most - 2;
    let alerts = take(page.alerts(), &mut room, 4);
    // The steps get at least half of what is left, and all that probes and guards do not need.
    let side = side::lines(&page, room / 2);
    let body = rows::lines(&page, room - side.len());

    std::iter::once(head).chain(alerts).chain(body).chain(side).chain([foot]).map(|line| page.fit(line)).collect()
}

fn take(mut lines: Vec<Line>, room: &mut usize, most: usize) -> Vec<Line> {
    lines.truncate((*room).min(most));
    *room -= lines.len();
    lines
}

/// What all parts of the block need to know.
struct Page<'v> {
    view: &'v View,
    width: usize,
    theme: Theme,
}

impl Page<'_> {
    fn fit(&self, line: Line) -> Line {
        line.fit(self.width, self.theme.ellipsis())
    }

    /// `left`, and `right` at the right edge; `left` gives way.
    fn spread(&self, left: Line, right: Line) -> Line {
        let right_width = right.width();
        if right_width == 0 || right_width + 12 > self.width {
            return left;
        }
        let mut line = left.fit(self.width - right_width - 1, self.theme.ellipsis());
        line.pad_to(self.width - right_width);
        line.append(right);
        line
    }

    /// `── name ─ FORWARD ─ 4m 12s of 1h 30m ─────── run 7f3a ──`
    fn header(&self) -> Line {
        let dash = self.theme.rule();
        let (role, word) = mode_word(&self.view.mode);
        let mut left = Line::of(Role::Dim, dash.repeat(2)).with(Role::Strong, format!(" {} ", self.view.name));
        left.push(Role::Dim, dash);
        left.push(role, format!(" {word} "));
        left.push(Role::Dim, dash);
        let clock = match self.view.mode {
            Mode::RollingBack { .. } | Mode::Stuck { .. } => &self.view.going_back,
            _ => &self.view.clock,
        };
        left.push(Role::Plain, format!(" {} ", self.spent(clock)));
        let right = Line::of(Role::Dim, format!(" run {} {}", self.view.run, dash.repeat(2)));
        if left.width() + right.width() > self.width {
            return left;
        }
        left.push(Role::Dim, dash.repeat(self.width - left.width() - right.width()));
        left.append(right);
        left
    }

    /// What needs a person, or explains why things do not go forward.
    fn alerts(&self) -> Vec<Line> {
        let view = self.view;
        let mut lines = Vec::new();
        let say = |role, word: &str, why: &str| {
            Line::of(role, format!("  {word}: ")).with(Role::Plain, why).wrap(self.width.max(1), 4)
        };
        match &view.mode {
            Mode::Paused { why } => lines.extend(say(Role::Bad, "paused", why).into_iter().take(2)),
            Mode::Stopping { why } => lines.extend(say(Role::Warn, "stopping", why).into_iter().take(2)),
            Mode::Stuck { why } => lines.extend(say(Role::Bad, "stuck", why).into_iter().take(2)),
            Mode::RollingBack { to, why } => {
                lines.extend(say(Role::Back, &format!("back to {to}"), why).into_iter().take(2));
            }
            Mode::Finished { .. } if view.afterwards == Afterwards::Watches => {
                let why = "the ways back, until they close; Ctrl-C or TERM ends the watching";
                lines.extend(say(Role::Active, "watching", why).into_iter().take(2));
            }
            Mode::Waiting | Mode::Forward | Mode::Finished { .. } => {}
        }
        if let Some(hint) = story::hint(view) {
            let hint = Line::of(Role::Dim, "  your move: ").with(Role::Plain, hint);
            lines.extend(hint.wrap(self.width.max(1), "  your move: ".len()).into_iter().take(2));
        }
        lines
    }

    fn now(&self) -> Time {
        self.view.now
    }

    /// `12s of 1m`, or `12s` where nothing bounds it.
    fn spent(&self, clock: &Stopwatch) -> String {
        let spent = ticking_text(clock.spent(self.now()));
        clock.bound.map_or_else(|| spent.clone(), |bound| format!("{spent} of {bound}"))
    }
}

/// What a run is at, in a word.
pub(super) fn mode_word(mode: &Mode) -> (Role, &'static str) {
    match mode {
        Mode::Waiting => (Role::Dim, "NOT STARTED"),
        Mode::Forward => (Role::Active, "FORWARD"),
        Mode::Paused { .. } => (Role::Ask, "PAUSED"),
        Mode::Stopping { .. } => (Role::Warn, "STOPPING"),
        Mode::RollingBack { .. } => (Role::Back, "ROLLING BACK"),
        Mode::Stuck { .. } => (Role::Bad, "STUCK"),
        Mode::Finished { outcome } => outcome_word(*outcome),
    }
}

pub(super) fn outcome_word(outcome: RunOutcome) -> (Role, &'static str) {
    match outcome {
        RunOutcome::Succeeded => (Role::Good, "SUCCEEDED"),
        RunOutcome::Refused => (Role::Bad, "REFUSED"),
        RunOutcome::RolledBack => (Role::Back, "ROLLED BACK"),
        RunOutcome::Stopped => (Role::Warn, "STOPPED"),
    }
}

#[cfg(test)]
mod tests;
