//! The live terminal: news scrolls by above, a block below is redrawn in place. Only the drawing is here; what is drawn
//! is [`layout`]'s.
//!
//! The cursor is never hidden and no mode of the terminal is changed: a process that is killed at any moment leaves a
//! terminal behind that works. The cursor rests at the beginning of the line below the block.

use std::fmt::Write as _;
use std::io::Write;
use std::sync::Arc;

use super::news::NewsLines;
use super::text::{Line, clock};
use super::{Reporter, Role, Theme, Told, View, layout, words};
use crate::model::Plan;

/// Columns and rows of a screen; asked before each drawing, so that a resized one is filled.
pub type Size = Box<dyn FnMut() -> (usize, usize)>;

/// So much news is kept back for the next drawing, and not more.
const PENDING_MOST: usize = 100;

/// Begins and ends a drawing that the terminal shows at once, where it knows how to; others ignore it.
/// (<https://gist.github.com/christianparpart/d8a62cc1ab659194337d73e399004036>)
const BEGIN: &str = "\x1b[?2026h";
const END: &str = "\x1b[?2026l";
const CLEAR_TO_END_OF_LINE: &str = "\x1b[K";
const CLEAR_BELOW: &str = "\x1b[J";

/// Draws.
pub struct Terminal<W: Write> {
    to: W,
    size: Size,
    news: NewsLines,
    theme: Theme,
    /// News that has not been shown yet.
    pending: Vec<Line>,
    /// The block as it stands on the screen.
    drawn: Vec<Line>,
    suspended: bool,
    /// The terminal went away.
    lost: bool,
}

impl<W: Write> Terminal<W> {
    /// Tells of a run of `plan` on a terminal of that size.
    pub fn new(plan: Arc<Plan>, to: W, size: Size, theme: Theme) -> Self {
        Self {
            to,
            size,
            news: NewsLines::new(plan),
            theme,
            pending: Vec::new(),
            drawn: Vec::new(),
            suspended: false,
            lost: false,
        }
    }

    /// Puts the pending news where the block was, and `block` below it, in one write.
    fn draw(&mut self, block: Vec<Line>, columns: usize) {
        let mut out = String::from(BEGIN);
        let up = rows_taken(&self.drawn, columns);
        if up > 0 {
            let _ = write!(out, "\x1b[{up}A");
        }
        out.push('\r');
        for line in self.pending.drain(..) {
            for line in line.wrap(columns.saturating_sub(1).max(1), NEWS_INDENT) {
                self.theme.draw_line(&mut out, &line);
            }
        }
        for line in &block {
            self.theme.draw_line(&mut out, line);
        }
        out.push_str(CLEAR_BELOW);
        out.push_str(END);
        self.drawn = block;
        self.write(&out);
    }

    fn write(&mut self, text: &str) {
        if !self.lost {
            // A terminal that went away must not take the operation with it.
            self.lost = self.to.write_all(text.as_bytes()).and_then(|()| self.to.flush()).is_err();
        }
    }

    /// Shows the news, and no block.
    fn clear(&mut self) {
        if self.drawn.is_empty() && self.pending.is_empty() {
            return;
        }
        let (columns, _) = (self.size)();
        self.draw(Vec::new(), columns);
    }
}

impl Theme {
    fn draw_line(self, out: &mut String, line: &Line) {
        out.push_str(&self.paint(line));
        out.push_str(CLEAR_TO_END_OF_LINE);
        out.push('\n');
    }
}

/// How many rows the block takes on a screen of that width. A terminal that has become narrower has broken its lines.
fn rows_taken(drawn: &[Line], columns: usize) -> usize {
    drawn.iter().map(|line| line.width().div_ceil(columns.max(1)).max(1)).sum()
}

/// Columns of the clock and the sign before the words of a line of news.
const NEWS_INDENT: usize = 12;

impl<W: Write> Reporter for Terminal<W> {
    fn tell(&mut self, told: &Told) {
        let (role, line) = self.news.line(told);
        if self.news.is_passing(&told.notice) {
            return;
        }
        let mut news = Line::of(Role::Dim, format!("{:>8}  ", clock(told.at)));
        news.push(role, self.theme.mark(words::mark(role)));
        news.push(Role::Plain, " ");
        news.append(line);
        self.pending.push(news);
        if self.suspended {
            return;
        }
        if self.pending.len() >= PENDING_MOST {
            let (columns, _) = (self.size)();
            let block = self.drawn.clone();
            self.draw(block, columns);
        }
    }

    fn refresh(&mut self, view: &View) {
        if self.suspended {
            return;
        }
        let (columns, rows) = (self.size)();
        // The last column stays free: a terminal that has filled it is about to break the line.
        let block = layout::lines(view, columns.saturating_sub(1), rows, self.theme);
        if block != self.drawn || !self.pending.is_empty() {
            self.draw(block, columns);
        }
    }

    fn suspend(&mut self) {
        self.clear();
        self.suspended = true;
    }

    fn resume(&mut self) {
        self.suspended = false;
    }

    fn finish(&mut self) {
        self.suspended = false;
        self.clear();
    }
}

/// However the process ends in order, the screen is left clean.
impl<W: Write> Drop for Terminal<W> {
    fn drop(&mut self) {
        self.finish();
    }
}

#[cfg(test)]
mod tests;
