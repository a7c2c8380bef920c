//! The last thing on the screen, and what `show` prints: how it ended, why, what it did, what is left to do.

use super::{Story, next_moves};
use crate::model::{Plan, Span, StepId, Time};
use crate::report::Theme;
use crate::report::layout;
use crate::report::text::{Line, Role, clock, count};
use crate::report::view::{Mode, StepView, WayBack};

const LABEL: usize = 15;

impl Story {
    /// The summary of a run, in lines no wider than `width`. Call [`crate::report::View::look`] before it.
    pub fn summary(&self, plan: &Plan, width: usize, theme: Theme) -> Vec<Line> {
        let page = Summary { story: self, plan, width, theme };
        let mut lines = page.headline();
        if !self.ended_well() {
            lines.extend(page.causes());
        }
        lines.extend(page.interruptions());
        lines.push(Line::new());
        lines.extend(page.phases());
        let facts = page.facts();
        if !facts.is_empty() {
            lines.push(Line::new());
            lines.extend(facts);
        }
        lines.extend(page.moves());
        lines
    }

    fn ended_well(&self) -> bool {
        matches!(self.view.mode, Mode::Finished { outcome: crate::model::RunOutcome::Succeeded })
    }
}

struct Summary<'s> {
    story: &'s Story,
    plan: &'s Plan,
    width: usize,
    theme: Theme,
}

impl Summary<'_> {
    /// `name SUCCEEDED after 4m 12s` and when.
    fn headline(&self) -> Vec<Line> {
        let story = self.story;
        let (role, word) = layout::mode_word(&story.view.mode);
        let took = story.view.length();
        let so_far = if matches!(story.view.mode, Mode::Finished { .. }) { "" } else { ", not ended" };
        let line = Line::of(Role::Strong, &story.view.name)
            .with(role, format!(" {word}"))
            .with(Role::Plain, format!(" after {took}{so_far}"));
        let began =
            story.began.map(|at| format!(", began {}", at.strftime("%Y-%m-%d %H:%M:%S UTC"))).unwrap_or_default();
        let second = Line::of(Role::Dim, format!("run {}{began}", story.view.run));
        line.wrap(self.width, 2).into_iter().chain(second.wrap(self.width, 2)).collect()
    }

    /// The cause first: what happened, in order, and not more than a screen of it.
    fn causes(&self) -> Vec<Line> {
        let most = 6;
        let causes = &self.story.causes;
        let mut lines: Vec<Line> = causes
            .iter()
            .take(most)
            .enumerate()
            .flat_map(|(index, it)| self.dated(if index == 0 { "because" } else { "" }, it))
            .collect();
        if causes.len() > most {
            lines.extend(self.fact("", Role::Dim, &format!("and {} more, see runbook show", causes.len() - most)));
        }
        lines
    }

    fn interruptions(&self) -> Vec<Line> {
        self.story
            .interruptions
            .iter()
            .flat_map(|it| {
                let (role, text) = match it.length() {
                    Some(length) if it.ended_by_undo => {
                        (Role::Strong, format!("{} for {} ms, ended by going back", it.what, length.millis()))
                    }
                    Some(length) => (Role::Strong, format!("{} for {} ms", it.what, length.millis())),
                    None => (Role::Bad, format!("{} since {}, and still", it.what, clock(it.from))),
                };
                self.fact("interrupted", role, &text)
            })
            .collect()
    }

    /// Every phase and step with how long it took, all in one column.
    fn phases(&self) -> Vec<Line> {
        let view = &self.story.view;
        let longest = view
            .steps
            .iter()
            .map(|step| step.name.len() + 6)
            .chain(view.phases.iter().map(|phase| phase.name.len() + 2));
        let column = longest.max().unwrap_or(0).min(36) + 2;
        if view.phases.is_empty() {
            return view.steps.iter().map(|step| self.step(step, column)).collect();
        }
        let mut lines = Vec::new();
        for phase in &view.phases {
            let spent = phase.clock.spent(view.now);
            let name = Line::of(Role::Strong, format!("  {}", phase.name));
            lines.push(timed(name, column, (spent != Span::ZERO).then_some(spent)));
            lines.extend(phase.steps.iter().map(|&step: &StepId| self.step(view.step(step), column)));
        }
        lines.into_iter().map(|line| line.fit(self.width, self.theme.ellipsis())).collect()
    }

    fn step(&self, step: &StepView, column: usize) -> Line {
        let (mark, role, text) = layout::state_text(self.story.view.now, step);
        let text = if text.is_empty() { "not begun".to_owned() } else { text };
        let mut line = Line::of(role, format!("    {} ", self.theme.mark(mark)));
        line.append(Line::of(Role::Plain, &step.name).fit(column.saturating_sub(8), self.theme.ellipsis()));
        timed(line, column, step.took).with(role, format!("  {text}"))
    }

    /// What else is worth knowing; nothing that did not happen is mentioned.
    fn facts(&self) -> Vec<Line> {
        let story = self.story;
        let mut lines = Vec::new();
        for it in &story.answers {
            lines.extend(self.dated("answered", it));
        }
        for it in &story.warnings {
            lines.extend(self.dated("warned", it));
        }
        if self.story.ended_well() {
            for it in &story.breaches {
                lines.extend(self.dated("breached", it));
            }
        }
        if story.retries > 0 {
            lines.extend(self.fact(
                "retries",
                Role::Plain,
                &count(story.retries as usize, "attempt").replace("attempt", "failed attempt"),
            ));
        }
        if story.pass > 1 {
            lines.extend(self.fact("passes", Role::Plain, &story.pass.to_string()));
        }
        if story.resumed > 0 {
            lines.extend(self.fact("resumed", Role::Plain, &count(story.resumed as usize, "time")));
        }
        if let Some((from, Some(to))) = story.rollback {
            lines.extend(self.fact("rollback", Role::Back, &format!("took {}", to.since(from))));
        }
        for (label, role, names) in [
            ("undone", Role::Back, story.undone()),
            ("tolerated", Role::Warn, story.tolerated()),
            ("still held", Role::Warn, story.held(self.plan)),
        ] {
            if !names.is_empty() {
                lines.extend(self.fact(label, role, &names.join(", ")));
            }
        }
        for (index, probe) in story.view.compared().iter().enumerate() {
            let now = match &probe.now {
                Some(Some(now)) => format!("; at the end {now}"),
                Some(None) => "; at the end no data".to_owned(),
                None => String::new(),
            };
            let text = format!("{}: {} before{now}", probe.probe, probe.before_in_short());
            lines.extend(self.fact(if index == 0 { "baseline" } else { "" }, Role::Plain, &text));
        }
        for guard in &story.view.guards {
            if let Some(spend) = &guard.spend {
                lines.extend(self.fact("budget", Role::Plain, &format!("{}: {spend}", guard.name)));
            }
        }
        if story.view.way_back != WayBack::Nothing {
            lines.extend(self.fact("way back", Role::Plain, &layout::way_back_text(&story.view.way_back)));
        }
        if let Some(head) = &story.head {
            lines.extend(self.fact("journal head", Role::Dim, head));
        }
        lines
    }

    fn moves(&self) -> Vec<Line> {
        let moves = next_moves(&self.story.view);
        let names = moves.iter().map(|(command, _)| command.len()).max().unwrap_or(0);
        moves
            .into_iter()
            .enumerate()
            .flat_map(|(index, (command, reason))| {
                let label = if index == 0 { "next" } else { "" };
                let mut line = Line::of(Role::Strong, command);
                line.pad_to(names + 2);
                self.row(label, line.with(Role::Dim, reason))
            })
            .collect()
    }

    fn dated(&self, label: &str, (at, sentence): &(Time, String)) -> Vec<Line> {
        let line = Line::of(Role::Dim, format!("{}  ", clock(*at))).with(Role::Plain, sentence);
        self.row(label, line)
    }

    fn fact(&self, label: &str, role: Role, text: &str) -> Vec<Line> {
        self.row(label, Line::of(role, text))
    }

    fn row(&self, label: &str, line: Line) -> Vec<Line> {
        let mut whole = Line::of(Role::Dim, format!("  {label}"));
        whole.pad_to(LABEL);
        whole.append(line);
        whole.wrap(self.width.max(1), LABEL)
    }
}

/// `line` with a length of time right-aligned behind `column`.
fn timed(mut line: Line, column: usize, took: Option<Span>) -> Line {
    line.pad_to(column);
    line.with(Role::Dim, format!("{:>7}", took.map(|took| took.to_string()).unwrap_or_default()))
}
