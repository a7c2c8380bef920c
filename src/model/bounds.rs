//! How long things take at most, both ways: plain data beside a plan, computed before the start (R2).

use super::{GuardId, PhaseId, Plan, Span, StepId, Target};

/// The bounds of a plan. Every one of them is an upper bound; people's time is in none of the way forward.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// How many steps run at once.
    pub slots: u32,
    /// By step.
    pub steps: Vec<StepBounds>,
    /// By phase.
    pub phases: Vec<PhaseBounds>,
    /// Machine time of the whole way forward.
    pub forward: Span,
    /// The steps of the longest path, in order.
    pub critical_path: Vec<StepId>,
    /// The longest legal way back to the start, from wherever it begins.
    pub worst: WayBack,
    /// Every place where the plan itself says to go back, but for the plain way to the start from each step.
    pub edges: Vec<RollbackEdge>,
    /// Irreversible steps, in file order: behind each only the way forward is left.
    pub no_return: Vec<StepId>,
    /// Measuring `restored`.
    pub restored: Span,
}

/// The bounds of one step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StepBounds {
    /// One attempt of its action; a wait's length; zero where only people are awaited.
    pub attempt: Span,
    /// All attempts with pauses, conditions and criteria.
    pub forward: Span,
    /// Until a running attempt has stopped, if a rollback wants it stopped.
    pub stop: Span,
    /// Its undo, all actions of it; zero where it has none.
    pub undo: Span,
    /// If it is a bracket that has been closed: opening it again, people's time included (R12a).
    pub reopen: Span,
    /// Whether it has an undo of its own.
    pub has_undo: bool,
    /// The longest chain of undos that begins with this one and ends at the start.
    pub chain: Span,
    /// The way back to the start from the moment it runs, fails or ends, all that may have started by then included.
    pub back: WayBack,
}

/// The bounds of one phase.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PhaseBounds {
    /// Machine time from its first step to its criteria, at most; not cut off at its timeout.
    pub forward: Span,
    /// The longest way back to the start while it runs.
    pub back: WayBack,
    /// The latest safe start is this long before its window closes (R26): worst forward plus worst back.
    pub before_close: Span,
}

/// A way back: what is to be undone, and for how long at most.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct WayBack {
    /// Steps to undo, at most.
    pub undos: usize,
    /// From the decision to the last criterion, at most.
    pub bound: Span,
    /// An irreversible step that may have started by then; if it has, there is no way back (R12).
    pub closed_by: Option<StepId>,
}

/// What a way back is made of, as sums and maxima over its set.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Efforts {
    /// Until what runs has stopped.
    pub stop: Span,
    /// Closed brackets, opened again one behind the other at worst (R12a).
    pub reopen: Span,
    /// All undos.
    pub work: Span,
    /// The longest chain of undos.
    pub path: Span,
    /// Measuring where it ends.
    pub measure: Span,
}

impl Efforts {
    /// How long they take at most, one kind after the other, the undos on so many slots. What goes on outside of the set
    /// takes none of these.
    #[must_use]
    pub fn bound(self, slots: u32) -> Span {
        let undoing = Bounds::shared(slots, self.work, self.path);
        self.stop.plus(self.reopen).plus(undoing).plus(self.measure)
    }
}

/// One place where the plan says to go back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RollbackEdge {
    /// What makes it go back.
    pub trigger: Trigger,
    /// Where to.
    pub target: Target,
    /// At what cost.
    pub back: WayBack,
}

/// What begins a rollback without anybody ordering it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Trigger {
    /// A step failed: `on_failure`.
    StepFailed(StepId),
    /// A crash left a step in doubt: `on_doubt`.
    StepInDoubt(StepId),
    /// A gate's answer was no, or it expired: `on_no_go`.
    NoGo(StepId),
    /// A phase's criteria, `require` or timeout: `on_failure`.
    PhaseFailed(PhaseId),
    /// A phase's window closed while it ran: `on_close`.
    WindowClosed(PhaseId),
    /// A guard was breached: `on_breach`.
    GuardBreached(GuardId),
    /// The run's `timeout` passed.
    RunTimeout,
}

impl Trigger {
    /// The clause behind *when*.
    pub fn clause(self, plan: &Plan) -> String {
        match self {
            Self::StepFailed(step) => format!("`{}` fails", plan.step(step).name),
            Self::StepInDoubt(step) => format!("a crash leaves `{}` in doubt", plan.step(step).name),
            Self::NoGo(gate) => format!("`{}` is answered no", plan.step(gate).name),
            Self::PhaseFailed(phase) => format!("phase `{}` fails", plan.phase(phase).name),
            Self::WindowClosed(phase) => format!("the window of phase `{}` closes", plan.phase(phase).name),
            Self::GuardBreached(guard) => {
                format!("{} `{}` is breached", plan.guard(guard).kind(), plan.guard(guard).name)
            }
            Self::RunTimeout => "the run's timeout passes".to_owned(),
        }
    }
}

impl Bounds {
    /// The bound of a set of work on this plan's slots: work/m + (1 - 1/m) x longest path (R. L. Graham, 1966).
    #[must_use]
    pub fn shared(slots: u32, work: Span, path: Span) -> Span {
        let slots = u128::from(slots.max(1));
        let sum = u128::from(work.millis()) + (slots - 1) * u128::from(path.millis());
        Span::from_millis(u64::try_from(sum.div_ceil(slots)).unwrap_or(u64::MAX))
    }

    /// The way back to the start while exactly these steps are in effect, for the screen; costs what it is given.
    ///
    /// `settled` are done, `running` are to be stopped first, `closed` are brackets that have ended and would be opened
    /// again first (R12a). It may be longer than needed where something upstream of them is not in effect.
    #[must_use]
    pub fn way_back(&self, settled: &[StepId], running: &[StepId], closed: &[StepId]) -> WayBack {
        let of = |step: &StepId| &self.steps[step.index()];
        let all = || settled.iter().chain(running).chain(closed);
        let work = all().fold(Span::ZERO, |sum, step| sum.plus(of(step).undo));
        let efforts = Efforts {
            stop: running.iter().map(|step| of(step).stop).max().unwrap_or_default(),
            reopen: closed.iter().fold(Span::ZERO, |sum, step| sum.plus(of(step).reopen)),
            work,
            path: all().map(|step| of(step).chain).max().unwrap_or_default().min(work),
            measure: self.restored,
        };
        WayBack {
            undos: all().filter(|step| of(step).has_undo).count(),
            bound: efforts.bound(self.slots),
            closed_by: all().copied().filter(|step| self.no_return.binary_search(step).is_ok()).min(),
        }
    }
}
