//! The machine itself: one entry, and what others may read of its state.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use super::state::{Asks, BaselineState, GuardState, Passes, Pause, PhaseState, RampState, Stage, StepState, WayBack};
use super::{Deadline, Direction, Event, Notice, Origin, Outbox, invariant};
use crate::model::{Attempt, FactId, GuardId, PhaseId, Plan, RunOutcome, Scope, StepId, StepOutcome};

/// The state of one run. The same facts in the same order always lead to the same decisions.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Engine {
    pub(crate) plan: PlanRef,
    pub(crate) fact: FactId,
    pub(crate) serial: u32,
    pub(crate) stage: Stage,
    pub(crate) pause: Option<Pause>,
    pub(crate) steps: Vec<StepState>,
    pub(crate) phases: Vec<PhaseState>,
    pub(crate) guards: Vec<GuardState>,
    pub(crate) baseline: BaselineState,
    /// By node: whether it is over.
    pub(crate) over: Vec<bool>,
    /// By node: how many others it still waits for.
    pub(crate) blocked: Vec<u32>,
    /// Nodes that are not over.
    pub(crate) left: u32,
    /// Steps that may begin.
    pub(crate) ready: BTreeSet<StepId>,
    /// Those of them that take no slot: waits, gates and manual ones.
    pub(crate) ready_slotless: BTreeSet<StepId>,
    /// Phases that may begin.
    pub(crate) ready_phases: BTreeSet<PhaseId>,
    /// Steps with a job.
    pub(crate) active: BTreeSet<StepId>,
    /// Steps that failed and whose fate an operator decides.
    pub(crate) failed: BTreeSet<StepId>,
    /// Brackets whose closing failed.
    pub(crate) unreleased: BTreeSet<StepId>,
    pub(crate) armed: BTreeSet<Deadline>,
    /// The deadlines of the run and its phases that stand still (R2a).
    pub(crate) held: BTreeSet<Deadline>,
    pub(crate) hold_after: Option<PhaseId>,
    pub(crate) passes: BTreeMap<Origin, Passes>,
    /// A step with an effect has been started.
    pub(crate) touched: bool,
    /// Nothing leads back any more.
    pub(crate) closed: bool,
    /// Back, where a rollback was given up and none has begun since.
    pub(crate) on: Direction,
}

/// The plan of an engine, and which guards name steps. Two engines are compared by what happened to them, not by their
/// plans.
#[derive(Clone, Debug)]
pub(crate) struct PlanRef(pub(crate) Arc<Plan>, pub(crate) Arc<Naming>);

/// The guards that name steps.
#[derive(Debug)]
pub(crate) struct Naming {
    /// By step, those that name it.
    pub(crate) of_step: Vec<Vec<GuardId>>,
    /// Those that name a bracket.
    pub(crate) of_brackets: Vec<GuardId>,
}

impl PlanRef {
    fn new(plan: Arc<Plan>) -> Self {
        let mut of_step = vec![Vec::new(); plan.steps().len()];
        let mut of_brackets = Vec::new();
        for guard in plan.guard_ids() {
            if let Scope::Steps(steps) = &plan.guard(guard).scope {
                for step in steps {
                    of_step[step.index()].push(guard);
                }
                if steps.iter().any(|step| plan.step(*step).held_for.is_some()) {
                    of_brackets.push(guard);
                }
            }
        }
        Self(plan, Arc::new(Naming { of_step, of_brackets }))
    }
}

impl PartialEq for PlanRef {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for PlanRef {}

impl Hash for PlanRef {
    fn hash<H: Hasher>(&self, _: &mut H) {}
}

impl Engine {
    /// A run of this plan in which nothing has happened.
    pub fn new(plan: Arc<Plan>) -> Self {
        let nodes = plan.graph().node_count();
        let step = StepState {
            last: None,
            in_effect: false,
            was_done: false,
            released: false,
            left_out: false,
            outcome: StepOutcome::Pending,
            job: None,
            way_back: WayBack::Unwatched,
            ramp: RampState::default(),
        };
        let blocked = plan
            .graph()
            .node_indices()
            .map(|node| to_u32(plan.graph().neighbors_directed(node, petgraph::Incoming).count()))
            .collect();
        Self {
            fact: FactId(0),
            serial: 0,
            stage: Stage::Unborn,
            pause: None,
            steps: vec![step; plan.steps().len()],
            phases: vec![PhaseState::Waiting; plan.phases().len()],
            guards: vec![GuardState::Asleep; plan.guards().len()],
            baseline: BaselineState::Untaken,
            over: vec![false; nodes],
            blocked,
            left: to_u32(nodes),
            ready: BTreeSet::new(),
            ready_slotless: BTreeSet::new(),
            ready_phases: BTreeSet::new(),
            active: BTreeSet::new(),
            failed: BTreeSet::new(),
            unreleased: BTreeSet::new(),
            armed: BTreeSet::new(),
            held: BTreeSet::new(),
            hold_after: None,
            passes: BTreeMap::new(),
            touched: false,
            closed: false,
            on: Direction::Forward,
            plan: PlanRef::new(plan),
        }
    }

    /// Takes in one fact and returns what follows from it, in order.
    ///
    /// Every event is allowed in every state: the world does not keep our order. A late, repeated or unknown one changes
    /// nothing.
    pub fn apply(&mut self, event: &Event) -> Outbox {
        let mut out = Outbox::default();
        self.fact = FactId(self.fact.0 + 1);
        match event {
            Event::RunBegan => self.begin_run(&mut out),
            Event::RunResumed => self.resume_run(&mut out),
            Event::AttemptEnded { attempt, end } => self.end_attempt(*attempt, *end, &mut out),
            Event::Judged { question, verdict } => self.take_verdict(*question, *verdict, &mut out),
            Event::GuardHeld { guard } => self.note_guard_held(*guard),
            Event::GuardAwaited { guard } => self.tell_of_awaited(*guard, &mut out),
            Event::AnswerAwaited { question } => self.tell_of_open(*question, &mut out),
            Event::GuardBreached { guard } => self.take_breach(*guard, &mut out),
            Event::GuardBlind { guard } => self.take_blindness(*guard, &mut out),
            Event::GuardWarned { guard } => self.tell_of_guard(*guard, Notice::GuardWarned { guard: *guard }, &mut out),
            Event::GuardEased { guard } => self.tell_of_guard(*guard, Notice::GuardEased { guard: *guard }, &mut out),
            Event::SpendNoted { .. } => {}
            Event::WayBackJudged { step, verdict } => self.note_way_back(*step, *verdict, &mut out),
            Event::ProgressStalled { attempt } => self.stall(*attempt, &mut out),
            Event::GateAnswered { gate, answer } => self.pass_gate(*gate, *answer, &mut out),
            Event::WindowJudged { phase, open } => self.take_window(*phase, *open, &mut out),
            Event::WindowClosed { phase } => self.close_window(*phase, &mut out),
            Event::BaselineTaken => self.take_baseline(&mut out),
            Event::BaselineBlind => self.miss_baseline(&mut out),
            Event::DeadlineReached { deadline } => self.fire(*deadline, &mut out),
            Event::OperatorAsked { act } => self.obey(act, &mut out),
        }
        self.go_on(&mut out);
        self.mind_guards_of_brackets(&mut out);
        self.mind_ramps(&mut out);
        self.mind_clocks(&mut out);
        debug_assert_eq!(invariant::first_broken(self), None, "after {event:?}");
        out
    }

    /// The plan that is carried out.
    pub fn plan(&self) -> &Arc<Plan> {
        &self.plan.0
    }

    /// The number of the last fact taken in.
    pub fn fact(&self) -> FactId {
        self.fact
    }

    /// How the run ended, once it has.
    pub fn outcome(&self) -> Option<RunOutcome> {
        match self.stage {
            Stage::Ended(outcome) => Some(outcome),
            _ => None,
        }
    }

    /// Where the run stands, in the words of `status`.
    pub fn standing(&self) -> Standing {
        match &self.stage {
            Stage::Unborn | Stage::Preflight(_) => Standing::Preflight,
            Stage::Forward => self.pause.map_or(Standing::Forward, |pause| Standing::Paused {
                origin: pause.origin,
                behind: pause.behind,
                shut: pause.shut,
            }),
            Stage::Weighing(..) => Standing::Weighing,
            Stage::Rolling(rolling) if rolling.is_stuck() => Standing::Stuck,
            Stage::Rolling(_) => Standing::RollingBack,
            Stage::Ending(_) if self.pause.is_some() => Standing::Paused {
                origin: self.pause.map_or(Origin::Operator, |pause| pause.origin),
                behind: None,
                shut: None,
            },
            Stage::Ending(_) => Standing::Ending,
            Stage::Ended(outcome) => Standing::Ended(*outcome),
        }
    }

    /// How a step stands.
    pub fn step_outcome(&self, step: StepId) -> StepOutcome {
        self.steps[step.index()].outcome
    }

    /// Attempts of a step so far, over both directions.
    pub fn attempts(&self, step: StepId) -> u32 {
        self.steps[step.index()].last.map_or(0, Attempt::number)
    }

    /// The steps that a rollback to the start would undo now.
    pub fn in_effect(&self) -> impl Iterator<Item = StepId> + '_ {
        self.plan.0.step_ids().filter(|step| self.steps[step.index()].in_effect)
    }

    /// The brackets that are still held, those included that are being closed.
    pub fn brackets_held(&self) -> impl Iterator<Item = StepId> + '_ {
        self.in_effect().filter(|step| self.plan.0.step(*step).held_for.is_some())
    }

    /// The steps whose undo is known to be shut, or not known to be open.
    pub fn ways_back_shut(&self) -> impl Iterator<Item = StepId> + '_ {
        self.plan.0.step_ids().filter(|step| self.steps[step.index()].way_back.is_shut())
    }

    /// The steps whose undo says what it requires, and whose way back is watched for that.
    pub fn ways_back_watched(&self) -> impl Iterator<Item = StepId> + '_ {
        self.plan.0.step_ids().filter(|step| self.steps[step.index()].way_back != WayBack::Unwatched)
    }

    /// Whether nothing leads back any more: closed, or behind an irreversible step.
    pub fn is_way_back_closed(&self) -> bool {
        self.closed
    }

    /// The irreversible step that has started, if one has.
    pub fn point_of_no_return(&self) -> Option<StepId> {
        self.in_effect().find(|step| self.plan.0.step(*step).is_irreversible())
    }

    /// Whether the baseline is there to be compared with.
    pub fn has_baseline(&self) -> bool {
        matches!(self.baseline, BaselineState::Requiring(_) | BaselineState::Healthy | BaselineState::Taken)
    }

    /// The gates that are open.
    pub fn open_gates(&self) -> impl Iterator<Item = StepId> + '_ {
        self.active.iter().copied().filter(|step| self.is_at_gate(*step))
    }

    /// The steps that failed and wait for an operator; in a rollback, those whose undo failed.
    pub fn failed_steps(&self) -> Vec<StepId> {
        match &self.stage {
            Stage::Rolling(rolling) => rolling.failed.iter().copied().collect(),
            _ => self.failed.iter().chain(&self.unreleased).copied().collect(),
        }
    }

    /// The steps that are being carried out, in either direction.
    pub fn active_steps(&self) -> impl Iterator<Item = StepId> + '_ {
        self.active.iter().copied()
    }

    /// Whether nothing can happen before a person does something.
    pub fn awaits_people(&self) -> bool {
        match &self.stage {
            Stage::Forward | Stage::Ending(_) => !self.has_machine_work(None) && !self.may_go_on_alone(),
            Stage::Rolling(rolling) => rolling.is_stuck() && !self.has_machine_work(None),
            Stage::Unborn | Stage::Preflight(_) | Stage::Weighing(..) | Stage::Ended(_) => false,
        }
    }

    fn begin_run(&mut self, out: &mut Outbox) {
        if self.stage != Stage::Unborn {
            return;
        }
        out.tell(Notice::RunStarted);
        let count = self.plan.0.preflight().len();
        let asks = self.ask_all(count, super::Asked::Preflight, out);
        self.stage = Stage::Preflight(asks);
        self.mind_preflight(super::state::Judgement::Open, out);
    }

    /// Preflight is over when nothing is open; the way forward begins.
    pub(crate) fn mind_preflight(&mut self, judgement: super::state::Judgement, out: &mut Outbox) {
        use super::state::Judgement;
        let Stage::Preflight(asks) = &mut self.stage else { return };
        match judgement {
            Judgement::Fail(_) | Judgement::NoData(_) | Judgement::Late(_) => {
                let open = std::mem::take(asks);
                self.drop_asks(open, out);
                self.end(RunOutcome::Refused, out);
            }
            Judgement::Open if !asks.open.is_empty() => {}
            Judgement::Open | Judgement::Hold => self.begin_forward(out),
        }
    }

    fn begin_forward(&mut self, out: &mut Outbox) {
        self.stage = Stage::Forward;
        self.arm(Deadline::Run, out);
        let plan = Arc::clone(&self.plan.0);
        self.mind_guards(out);
        for node in plan.order() {
            if self.blocked[node.index()] == 0 {
                self.node_ready(plan.graph()[*node], out);
            }
        }
    }

    /// An earlier process ended. Whatever needs an unbroken row of samples begins anew.
    fn resume_run(&mut self, out: &mut Outbox) {
        out.tell(Notice::RunResumed);
        self.break_what_was_holding(out);
        self.hold_values_anew(out);
        self.watch_anew(out);
        if matches!(self.pause, Some(Pause { origin: Origin::Until(_), .. })) {
            self.pause = None;
            self.hold_after = None;
            out.tell(Notice::RunContinued);
        }
    }

    /// The next number for a question.
    pub(crate) fn next_serial(&mut self) -> u32 {
        self.serial = self.serial.saturating_add(1);
        self.serial
    }

    pub(crate) fn arm(&mut self, deadline: Deadline, out: &mut Outbox) {
        if deadline.span(&self.plan.0).is_some() && self.armed.insert(deadline) {
            out.order(super::Command::Arm { deadline });
        }
    }

    pub(crate) fn disarm(&mut self, deadline: Deadline, out: &mut Outbox) {
        self.held.remove(&deadline);
        if self.armed.remove(&deadline) {
            out.order(super::Command::Disarm { deadline });
        }
    }
}

/// Where a run stands, in the words of `status`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Before anything was started.
    Preflight,
    /// On the way forward.
    Forward,
    /// Nothing new starts until an operator decides.
    Paused {
        /// Why.
        origin: Origin,
        /// The irreversible step that forbids going back.
        behind: Option<StepId>,
        /// The step whose undo is shut.
        shut: Option<StepId>,
    },
    /// A rollback waits for the first verdict on a way back.
    Weighing,
    /// On the way back.
    RollingBack,
    /// A rollback could not be completed or verified.
    Stuck,
    /// Nothing new starts; the run is about to end.
    Ending,
    /// It has ended.
    Ended(RunOutcome),
}

impl WayBack {
    /// Known to be shut, or watched and not known to be open.
    pub(crate) fn is_shut(self) -> bool {
        match self {
            Self::Unwatched => false,
            Self::Watched(verdict) => verdict != Some(crate::model::Verdict::Holds),
        }
    }
}

impl Asks {
    /// The questions, in order.
    pub(crate) fn questions(&self) -> impl Iterator<Item = super::Question> + '_ {
        self.open.iter().map(|ask| ask.question)
    }
}

pub(crate) fn to_u32(count: usize) -> u32 {
    u32::try_from(count).expect("a plan has fewer than 2^32 nodes")
}
