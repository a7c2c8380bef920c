//! The middle of the block: phases and their steps, a window of them where there are too many.

use super::Page;
use crate::model::{Span, StepId, StepOutcome, Time};
use crate::report::Mark;
use crate::report::text::{Line, Role, count, ticking, ticking_text};
use crate::report::view::{Mode, Pace, PhaseState, PhaseView, RampStage, StepState, StepView, View, Way};

const NAME_MOST: usize = 28;
const BAR: usize = 10;
/// Below this width there is no room for a bar.
const BAR_FROM: usize = 66;

/// One line of the middle. There may be many thousands, of which a few are shown: only those become text.
#[derive(Clone, Copy)]
enum Row<'v> {
    /// A phase, and whether its steps follow as rows of their own.
    Phase(&'v PhaseView, bool),
    /// A step.
    Step(&'v StepView),
}

/// Where things stand on a row.
#[derive(Clone, Copy)]
struct Columns {
    /// Of a step's name.
    indent: usize,
    /// How wide step names are.
    names: usize,
    /// How wide phase names are.
    phases: usize,
}

/// At most `room` lines.
pub(super) fn lines(page: &Page<'_>, room: usize) -> Vec<Line> {
    let all = rows(page, true);
    let rows = if all.len() <= room { all } else { rows(page, false) };
    window(page, &rows, room)
}

/// A row per phase and per step; the steps of a phase that is not at work only where `all` says so.
fn rows<'v>(page: &Page<'v>, all: bool) -> Vec<Row<'v>> {
    let view = page.view;
    if view.phases.is_empty() {
        return view.steps.iter().map(Row::Step).collect();
    }
    let mut rows = Vec::new();
    for phase in &view.phases {
        let open = all || at_work(page, phase);
        rows.push(Row::Phase(phase, open));
        if open {
            rows.extend(phase.steps.iter().map(|&step| Row::Step(view.step(step))));
        }
    }
    rows
}

impl Row<'_> {
    fn is_active(self) -> bool {
        match self {
            Self::Phase(phase, open) => !open && matches!(phase.state, PhaseState::Running | PhaseState::Waiting),
            Self::Step(step) => step.state.is_active(),
        }
    }

    /// What to count the row as where it is not shown: the states of the steps that it stands for.
    fn states<'v>(self, view: &'v View) -> Vec<&'v StepState>
    where
        Self: 'v,
    {
        match self {
            Self::Phase(_, true) => Vec::new(),
            Self::Phase(phase, false) => phase.steps.iter().map(|&step| &view.step(step).state).collect(),
            Self::Step(step) => vec![&step.state],
        }
    }

    fn line(self, page: &Page<'_>, columns: Columns) -> Line {
        match self {
            Self::Phase(phase, _) => phase_line(page, phase, columns),
            Self::Step(step) => step_line(page, step, columns),
        }
    }
}

/// What phases and steps are at stands in one column.
fn columns(page: &Page<'_>) -> Columns {
    let view = page.view;
    let names = name_width(page, view.steps.iter());
    let phases = view.phases.iter().map(|phase| phase.name.len()).max().unwrap_or(0);
    let indent = if view.phases.is_empty() { 2 } else { 4 };
    Columns { indent, names, phases: phases.min(NAME_MOST).max(names + 2) }
}

fn name_width<'s>(page: &Page<'_>, steps: impl Iterator<Item = &'s StepView>) -> usize {
    steps.map(|step| step.name.len()).max().unwrap_or(0).min(NAME_MOST).min(page.width / 3)
}

fn at_work(page: &Page<'_>, phase: &PhaseView) -> bool {
    let view = page.view;
    let going_back = matches!(view.mode, Mode::RollingBack { .. } | Mode::Stuck { .. });
    let touched = |step: &StepId| {
        let step = view.step(*step);
        step.state.is_active() || going_back && (step.in_effect || step.state == StepState::Undone)
    };
    matches!(phase.state, PhaseState::Running | PhaseState::Measuring | PhaseState::Failed)
        || phase.steps.iter().any(touched)
}

fn phase_line(page: &Page<'_>, phase: &PhaseView, columns: Columns) -> Line {
    let settled = phase.steps.iter().filter(|&&step| page.view.step(step).state.satisfies_needs()).count();
    let steps = count(phase.steps.len(), "step");
    let (mark, role, text) = match phase.state {
        PhaseState::Pending => (Mark::Pending, Role::Dim, steps),
        PhaseState::Waiting => (Mark::Paused, Role::Warn, format!("{steps}, waits for its window")),
        PhaseState::Running => (Mark::Running, Role::Active, format!("{settled} of {steps}")),
        PhaseState::Measuring => (Mark::Measuring, Role::Active, format!("{steps} settled, measuring")),
        PhaseState::Done => (Mark::Done, Role::Good, steps),
        PhaseState::Failed => (Mark::Failed, Role::Bad, format!("failed, {settled} of {steps}")),
        PhaseState::Undone => (Mark::Undone, Role::Back, "gone back".into()),
    };
    let mut left = Line::of(role, format!("  {} ", page.theme.mark(mark)));
    left.push(if phase.state == PhaseState::Pending { Role::Dim } else { Role::Strong }, &phase.name);
    left.pad_to(4 + columns.phases + 2);
    left.push(Role::Dim, text);
    let right = match phase.state {
        PhaseState::Pending | PhaseState::Waiting | PhaseState::Undone => Line::new(),
        PhaseState::Done | PhaseState::Failed => Line::of(Role::Dim, phase.clock.spent(page.now()).to_string()),
        PhaseState::Running | PhaseState::Measuring => {
            let spent = phase.clock.spent(page.now());
            timed(page, spent, phase.clock.bound, Role::Active)
        }
    };
    page.spread(left, right)
}

fn step_line(page: &Page<'_>, step: &StepView, columns: Columns) -> Line {
    let Columns { indent, names, .. } = columns;
    let (mark, role, text) = if let StepState::Ramping { stage: RampStage::Holding { .. } } = &step.state {
        ramp_text(step, Mark::Measuring, Role::Active, "holding") // for how long, says the right edge
    } else {
        state_text(page.now(), step)
    };
    let mut left = Line::of(role, format!("{}{} ", " ".repeat(indent), page.theme.mark(mark)));
    let name_role = if step.state.is_active() { Role::Strong } else { name_role(&step.state) };
    let mut name = Line::of(name_role, &step.name).fit(names, page.theme.ellipsis());
    name.pad_to(names + 2);
    left.append(name);
    left.push(role, text);
    let right = right_of(page, step);
    page.spread(left, right)
}

fn name_role(state: &StepState) -> Role {
    match state {
        StepState::Pending => Role::Dim,
        _ => Role::Plain,
    }
}

/// The sign of a step, its role, and what it is at.
pub(in crate::report) fn state_text(now: Time, step: &StepView) -> (Mark, Role, String) {
    let undo = |way: Way| if way == Way::Back { "undo: " } else { "" };
    let going = |way: Way, mark| if way == Way::Back { (Mark::Undoing, Role::Back) } else { (mark, Role::Active) };
    match &step.state {
        StepState::Pending => (Mark::Pending, Role::Dim, String::new()),
        StepState::Checking { what, way, .. } => {
            let (mark, role) = going(*way, Mark::Checking);
            (mark, role, format!("{}checking {what}", undo(*way)))
        }
        StepState::Running { tries, way, .. } => {
            let (mark, role) = going(*way, Mark::Running);
            let verb = if *way == Way::Back { "undoing" } else { "running" };
            let pace = step.pace.as_ref().filter(|_| *way == Way::There);
            let role = if matches!(pace, Some(Pace::Still { .. })) { Role::Warn } else { role };
            let pace = pace.and_then(Pace::text).map(|pace| format!(", {pace}")).unwrap_or_default();
            (mark, role, format!("{verb}{}{pace}", try_text(*tries)))
        }
        StepState::Ramping { stage } => {
            let (mark, role, does) = stage_text(now, stage);
            ramp_text(step, mark, role, &does)
        }
        StepState::Stopping { .. } => (Mark::Undoing, Role::Warn, "being stopped".into()),
        StepState::Measuring { what, way, .. } => {
            let (mark, role) = going(*way, Mark::Measuring);
            (mark, role, format!("{}measuring {what}", undo(*way)).trim_end().to_owned())
        }
        StepState::Resting { until, tries: (next, most), way } => {
            let left = ticking_text(until.since(now));
            (Mark::Resting, Role::Warn, format!("{}failed, try {next} of {most} in {left}", undo(*way)))
        }
        StepState::Asking { question, .. } => (Mark::Asking, Role::Ask, question.clone()),
        StepState::Settled(outcome) => settled_text(*outcome, step),
        StepState::InDoubt => (Mark::Unknown, Role::Warn, "in doubt".into()),
        StepState::UndoFailed => (Mark::Failed, Role::Bad, "undo failed".into()),
        StepState::Undone => (Mark::Undone, Role::Back, "undone".into()),
    }
}

/// What a ramp is at: `holding 31s of 40s`
fn stage_text(now: Time, stage: &RampStage) -> (Mark, Role, String) {
    match stage {
        RampStage::Setting => (Mark::Running, Role::Active, "being set".to_owned()),
        RampStage::Confirming => (Mark::Measuring, Role::Active, "confirming".to_owned()),
        RampStage::Holding { since, hold } => {
            let held = ticking_text(now.since(*since).min(*hold));
            (Mark::Measuring, Role::Active, format!("holding {held} of {hold}"))
        }
        RampStage::Kept { why } => (Mark::Paused, Role::Warn, why.clone()),
        RampStage::Standing => (Mark::Paused, Role::Warn, "stands".to_owned()),
    }
}

/// `ramp at 25 (2 of 5), holding 31s of 40s, held by ana`
fn ramp_text(step: &StepView, mark: Mark, role: Role, does: &str) -> (Mark, Role, String) {
    let Some(ramp) = &step.ramp else { return (Mark::Running, Role::Active, String::new()) };
    let mut parts = vec![format!("ramp at {} ({} of {})", ramp.value, ramp.number, ramp.of)];
    parts.extend(Some(does.to_owned()).filter(|does| !does.is_empty()));
    parts.extend(ramp.held_by.as_ref().map(|who| format!("held by {who}")));
    let (mark, role) = if ramp.held_by.is_some() { (Mark::Paused, Role::Warn) } else { (mark, role) };
    (mark, role, parts.join(", "))
}

fn try_text((this, most): (u32, u32)) -> String {
    if most > 1 { format!(", try {this} of {most}") } else { String::new() }
}

fn settled_text(outcome: StepOutcome, step: &StepView) -> (Mark, Role, String) {
    let after = step.attempts_told().map(|attempts| format!(" after {attempts} attempts")).unwrap_or_default();
    match outcome {
        StepOutcome::Done if step.released => (Mark::Done, Role::Good, format!("done{after}, and released")),
        StepOutcome::Done => (Mark::Done, Role::Good, format!("done{after}")),
        StepOutcome::Found => (Mark::Found, Role::Good, "found: was already true".into()),
        StepOutcome::Skipped => (Mark::Skipped, Role::Dim, "skipped".into()),
        StepOutcome::Tolerated => (Mark::Tolerated, Role::Warn, format!("failed{after}, tolerated")),
        StepOutcome::Failed => (Mark::Failed, Role::Bad, format!("failed{after}")),
        StepOutcome::Unknown => (Mark::Unknown, Role::Warn, "not known whether it took effect".into()),
        StepOutcome::Undone => (Mark::Undone, Role::Back, "undone".into()),
        StepOutcome::Pending | StepOutcome::Running => (Mark::Pending, Role::Dim, outcome.word().into()),
    }
}

/// The right edge of a step's row: how long, against its bound.
fn right_of(page: &Page<'_>, step: &StepView) -> Line {
    let now = page.now();
    match &step.state {
        StepState::Running { since, bound, way, .. } => timed(page, now.since(*since), Some(*bound), way_role(*way)),
        StepState::Measuring { since, bound, way, .. } => timed(page, now.since(*since), *bound, way_role(*way)),
        StepState::Ramping { stage: RampStage::Holding { since, hold } } if *hold > Span::ZERO => {
            bar(page, now.since(*since).min(*hold), *hold, [Role::Active, Role::Plain])
        }
        StepState::Ramping { .. } => {
            let clock = step.ramp.as_ref().map(|ramp| ramp.clock);
            clock.map_or_else(Line::new, |clock| timed(page, clock.spent(now), clock.bound, Role::Active))
        }
        StepState::Checking { since, .. } | StepState::Stopping { since } => {
            Line::of(Role::Dim, ticking_text(now.since(*since)))
        }
        StepState::Asking { since, expires, .. } => {
            let open = format!("open {}", ticking_text(now.since(*since)));
            let left = expires.map(|at| format!(", {} left", ticking_text(at.since(now)))).unwrap_or_default();
            Line::of(Role::Ask, open + &left)
        }
        StepState::Settled(_) => step.took.map_or_else(Line::new, |took| Line::of(Role::Dim, took.to_string())),
        StepState::Pending
        | StepState::Resting { .. }
        | StepState::InDoubt
        | StepState::UndoFailed
        | StepState::Undone => Line::new(),
    }
}

fn way_role(way: Way) -> Role {
    match way {
        Way::There => Role::Active,
        Way::Back => Role::Back,
    }
}

/// `━━━━╌╌╌╌╌╌  12s of 1m`; the bar turns to a warning at four fifths.
fn timed(page: &Page<'_>, spent: Span, bound: Option<Span>, role: Role) -> Line {
    let spent_text = ticking_text(spent);
    let Some(bound) = bound else { return Line::of(Role::Dim, spent_text) };
    let late = spent.millis() > bound.millis() / 5 * 4;
    bar(page, spent, bound, if late { [Role::Warn; 2] } else { [role, Role::Plain] })
}

/// `━━━━╌╌╌╌╌╌  12s of 1m` in the first role; where there is no room for a bar the text alone, in the second.
fn bar(page: &Page<'_>, spent: Span, whole: Span, [role, alone]: [Role; 2]) -> Line {
    let text = format!("{} of {whole}", ticking_text(spent));
    if page.width < BAR_FROM {
        return Line::of(alone, text);
    }
    let (full, empty) = page.theme.bar(ticking(spent).millis(), whole.millis(), BAR);
    Line::of(role, full).with(Role::Dim, empty).with(Role::Plain, format!("{text:>18}"))
}

/// What a step is counted as.
fn word(state: &StepState) -> &'static str {
    match state {
        StepState::Pending => "pending",
        StepState::Checking { .. }
        | StepState::Running { .. }
        | StepState::Ramping { .. }
        | StepState::Stopping { .. }
        | StepState::Measuring { .. }
        | StepState::Resting { .. } => "at work",
        StepState::Asking { .. } => "asking",
        StepState::Settled(outcome) => outcome.word(),
        StepState::InDoubt => "in doubt",
        StepState::UndoFailed => "not undone",
        StepState::Undone => "undone",
    }
}

/// All rows where they fit; else those around what is active, and counts of what is above and below.
fn window(page: &Page<'_>, rows: &[Row<'_>], room: usize) -> Vec<Line> {
    let columns = columns(page);
    let (start, end) = if rows.len() <= room { (0, rows.len()) } else { cut(page, rows, room) };
    let above = summary(page, &rows[..start], "above");
    let below = summary(page, &rows[end..], "below");
    let middle = rows[start..end].iter().map(|row| row.line(page, columns));
    above.into_iter().chain(middle).chain(below).take(room).collect()
}

/// The first row to show and the one behind the last, leaving lines for the counts.
fn cut(page: &Page<'_>, rows: &[Row<'_>], room: usize) -> (usize, usize) {
    let total = rows.len();
    let is_pending = |row: &Row<'_>| row.states(page.view).contains(&&StepState::Pending);
    let pending = || rows.iter().position(is_pending);
    let first = rows.iter().position(|row| row.is_active()).or_else(pending).unwrap_or(total - 1);
    let last = rows.iter().rposition(|row| row.is_active()).unwrap_or(first);
    let size = room.saturating_sub(2).max(1);
    let spare = size.saturating_sub(last + 1 - first);
    // A third of what is left over shows what came before, the rest what comes.
    let start = first.saturating_sub(spare / 3);
    if start <= 1 {
        return (0, room.saturating_sub(1));
    }
    if start + size + 1 >= total {
        return (total + 1 - room.max(1), total);
    }
    (start, start + size)
}

/// `… 12 steps above: 10 done, 2 skipped`
fn summary(page: &Page<'_>, rows: &[Row<'_>], place: &str) -> Option<Line> {
    if rows.is_empty() {
        return None;
    }
    let mut counts: Vec<(&str, usize)> = Vec::new();
    for state in rows.iter().flat_map(|row| row.states(page.view)) {
        let word = word(state);
        match counts.iter_mut().find(|(known, _)| *known == word) {
            Some((_, number)) => *number += 1,
            None => counts.push((word, 1)),
        }
    }
    let steps = counts.iter().map(|(_, number)| number).sum();
    let counts: Vec<String> = counts.iter().map(|(word, number)| format!("{number} {word}")).collect();
    let text = format!("{} {} {place}: {}", page.theme.ellipsis(), count(steps, "step"), counts.join(", "));
    Some(Line::of(Role::Dim, format!("    {text}")))
}
