//! The validated plan: what a run is about to do, and in which order it may.

use std::collections::BTreeMap;

use petgraph::graph::{DiGraph, NodeIndex};

use super::{
    Action, Condition, ConditionId, Criterion, GuardId, Http, Output, PhaseId, ProbeId, Run, Span, Sql, StepId, VarDecl,
};

/// `[runbook]`: the document as a whole.
#[derive(Clone, Debug, PartialEq)]
pub struct About {
    /// Its name, and the name of its lock unless `lock` says otherwise.
    pub name: String,
    /// Its author's version.
    pub version: Option<String>,
    /// One line.
    pub summary: Option<String>,
    /// Who answers for it.
    pub owner: Option<String>,
    /// Where to read more.
    pub docs: Option<String>,
    /// Machine time of the whole way forward (R2a).
    pub timeout: Span,
    /// The promise: from anywhere back to safety (R2).
    pub rollback_timeout: Option<Span>,
    /// How long the way back stays open after success (R24).
    pub rollback_window: Span,
    /// How many steps may run at once.
    pub max_parallel: u32,
    /// One unfinished run per lock name (R22).
    pub lock: String,
    /// Measured when a rollback has gone back to the start (R11).
    pub restored: Vec<Criterion>,
    /// Added to the environment of every process.
    pub env: BTreeMap<String, super::Template>,
    /// Programs that must be on PATH.
    pub requires: Vec<String>,
    /// What INT and TERM do without a terminal.
    pub on_interrupt: OnInterrupt,
    /// How many bytes of a step's output are kept, head and tail.
    pub output_max: u64,
}

/// What INT and TERM do without a terminal (R18).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnInterrupt {
    /// Record and leave; resumable.
    Leave,
    /// Go back to the start.
    Rollback,
}

/// One direction of a step: an action with its conditions and bounds. The way forward is one, each undo action is one.
#[derive(Clone, Debug, PartialEq)]
pub struct Work {
    /// What is done.
    pub action: Action,
    /// Says no: skipped.
    pub when: Option<ConditionId>,
    /// Says yes: already true.
    pub done_when: Option<ConditionId>,
    /// Must hold before the action.
    pub require: Vec<Criterion>,
    /// Must be measured before it counts as done. `within` is always set.
    pub success: Vec<Criterion>,
    /// The bound of one attempt; of a wait or a manual, its own length.
    pub timeout: Span,
    /// How long between TERM and KILL.
    pub kill_after: Span,
    /// How failing attempts are repeated.
    pub retry: Retry,
    /// What becomes of daemons that it starts.
    pub survivors: Survivors,
    /// What later steps may read.
    pub outputs: Vec<Output>,
}

/// How failing attempts are repeated: the n-th pause is `delay * factor^(n-1)`, at most `max_delay`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Retry {
    /// Attempts in all, at least 1.
    pub attempts: u32,
    /// The first pause.
    pub delay: Span,
    /// How the pause grows.
    pub factor: f64,
    /// The longest pause.
    pub max_delay: Option<Span>,
    /// Whether a pause is shortened at random, by up to a half, from the run's recorded seed.
    pub jitter: bool,
}

impl Retry {
    /// One attempt.
    pub const ONCE: Self = Self { attempts: 1, delay: Span::ZERO, factor: 1.0, max_delay: None, jitter: false };

    /// The pause after `tries` failing attempts, without jitter.
    pub fn pause_after(&self, tries: u32) -> Span {
        let exponent = i32::try_from(tries.saturating_sub(1)).unwrap_or(i32::MAX);
        #[expect(
            clippy::cast_precision_loss,
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a pause is far below 2^52 ms, and a saturating cast is what is wanted above it"
        )]
        let grown = Span::from_millis((self.delay.millis() as f64 * self.factor.powi(exponent)) as u64);
        self.max_delay.map_or(grown, |most| grown.min(most))
    }

    /// All pauses together, at their longest.
    pub fn pauses(&self) -> Span {
        (1..self.attempts).fold(Span::ZERO, |sum, tries| sum.plus(self.pause_after(tries)))
    }
}

/// What becomes of processes with a session of their own that an attempt started (R4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Survivors {
    /// Left alone and named.
    Leave,
    /// Killed with the rest.
    Kill,
}

/// A step: a node of the plan.
#[derive(Clone, Debug, PartialEq)]
pub struct Step {
    /// Its name, unique in the runbook.
    pub name: String,
    /// The phase it belongs to; `None` only where the runbook has no phases.
    pub phase: Option<PhaseId>,
    /// Steps that must be settled before it.
    pub needs: Vec<StepId>,
    /// One line.
    pub summary: Option<String>,
    /// Who answers for it.
    pub owner: Option<String>,
    /// Where to read more.
    pub docs: Option<String>,
    /// What to try first when it fails.
    pub remedy: Option<String>,
    /// The way forward.
    pub forward: Work,
    /// How it is undone, if it is.
    pub way_home: WayHome,
    /// This undo waits for those (R8); turns the mirrored order round.
    pub undo_after: Vec<StepId>,
    /// May be repeated after an end that is not known.
    pub idempotent: bool,
    /// Whether a found step is ours to undo.
    pub undo_found: bool,
    /// What a rollback does with a running attempt.
    pub on_stop: OnStop,
    /// A bracket: undone when that ends, whichever way (R12a).
    pub held_for: Option<Bracket>,
    /// After its retries.
    pub on_failure: Policy,
    /// What cannot be known after a crash.
    pub on_doubt: OnDoubt,
}

impl Step {
    /// Whether carrying it out may change anything outside.
    pub fn has_effect(&self) -> bool {
        !matches!(self.way_home, WayHome::NoEffect)
    }

    /// The actions of its undo, in order; empty where it has none.
    pub fn undo(&self) -> &[Work] {
        match &self.way_home {
            WayHome::Undo(list) => list,
            WayHome::UndoneBy(_) | WayHome::NoEffect | WayHome::Kept { .. } | WayHome::Irreversible { .. } => &[],
        }
    }

    /// The work of one of its parts.
    ///
    /// # Panics
    /// Where the step has no such undo action.
    pub fn work(&self, part: super::Part) -> &Work {
        match part {
            super::Part::Forward => &self.forward,
            super::Part::Undo(n) => &self.undo()[n as usize],
        }
    }

    /// Whether nothing leads back behind it.
    pub fn is_irreversible(&self) -> bool {
        matches!(self.way_home, WayHome::Irreversible { .. })
    }
}

/// How a step is undone: it says so, or there is no plan.
#[derive(Clone, Debug, PartialEq)]
pub enum WayHome {
    /// By these actions, in order; each idempotent, and safe when the step never took effect.
    Undo(Vec<Work>),
    /// By that step's undo.
    UndoneBy(StepId),
    /// It changes nothing.
    NoEffect,
    /// Its effect stays on purpose.
    Kept {
        /// Why.
        why: String,
    },
    /// It cannot be undone.
    Irreversible {
        /// Why no gate stands before it, where none does.
        ungated: Option<String>,
    },
}

/// What a rollback does with a running attempt in its set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnStop {
    /// Stops it.
    Stop,
    /// Awaits its end.
    Finish,
}

/// How long a bracket is held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bracket {
    /// Until its phase ends.
    Phase,
    /// Until the run ends.
    Run,
}

/// What to do with what a crash left in doubt (R21).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnDoubt {
    /// Once more.
    Rerun,
    /// Go back to the start.
    Rollback,
    /// Ask an operator.
    Pause,
}

/// What follows from a failure (R7).
#[derive(Clone, Debug, PartialEq)]
pub enum Policy {
    /// Go back.
    Rollback(Rollback),
    /// Nothing new starts; an operator decides.
    Pause,
    /// Tolerated, named in the outcome.
    Continue,
    /// The same as a pause, then the run ends.
    Stop,
}

/// A rollback: where to, and what then.
#[derive(Clone, Debug, PartialEq)]
pub struct Rollback {
    /// The place the run returns to.
    pub target: Target,
    /// What happens there.
    pub then: Then,
}

impl Rollback {
    /// Back to the start, and end there.
    pub const TO_START: Self = Self { target: Target::Start, then: Then::Stop };
}

/// The place a run returns to: the moment that it was reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Target {
    /// The start of the run.
    Start,
    /// The moment that step was settled.
    Step(StepId),
    /// The moment that phase ended.
    Phase(PhaseId),
}

/// What happens at the target of a rollback.
#[derive(Clone, Debug, PartialEq)]
pub enum Then {
    /// The run ends, rolled back.
    Stop,
    /// An operator decides.
    Pause,
    /// The way forward is tried again.
    Retry {
        /// Further passes, at least 1.
        passes: u32,
        /// Before each.
        delay: Span,
        /// All of them together, from the end of the first rollback.
        within: Option<Span>,
        /// After the last.
        otherwise: Box<Policy>,
    },
}

/// A phase: an ordered group of steps with bounds and criteria of its own.
#[derive(Clone, Debug, PartialEq)]
pub struct Phase {
    /// Its name.
    pub name: String,
    /// One line.
    pub summary: Option<String>,
    /// Phases that must have ended before it: the one before it unless it says otherwise.
    pub needs: Vec<PhaseId>,
    /// Machine time from its first step to its criteria (R2a).
    pub timeout: Option<Span>,
    /// When it may run.
    pub window: Option<Window>,
    /// Before its first step.
    pub require: Vec<Criterion>,
    /// After its last step. `within` is always set.
    pub success: Vec<Criterion>,
    /// For its criteria, its timeout, and its steps that do not say.
    pub on_failure: Policy,
    /// A measured interruption.
    pub interrupts: Option<Interrupts>,
    /// Its steps, in file order.
    pub steps: Vec<StepId>,
}

/// From the first attempt of one step to the end of the criteria of another, something is interrupted: measured in ms.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Interrupts {
    /// What: `writes`.
    pub what: String,
    /// From this step's first attempt.
    pub from: StepId,
    /// To the end of this step's criteria.
    pub to: StepId,
}

/// Calendar time in which a phase may run (R26).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Window {
    /// `Sat 01:00-05:00`, `Mon-Fri 22:00-02:00`, `daily 01:00-03:00`; proved at `check`.
    pub open: Vec<String>,
    /// IANA name of the time zone.
    pub zone: String,
    /// What happens when it closes while the phase runs.
    pub on_close: OnClose,
}

/// What happens when a window closes while its phase runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnClose {
    /// The phase goes on, loudly.
    Finish,
    /// The run pauses.
    Pause,
    /// The run goes back to the start.
    Rollback,
}

/// A condition watched all the time in its scope.
#[derive(Clone, Debug, PartialEq)]
pub struct Guard {
    /// Its name.
    pub name: String,
    /// Where it is awake.
    pub scope: Scope,
    /// How often a guard over several probes is judged.
    pub every: Span,
    /// What must hold.
    pub require: ConditionId,
    /// So many failing samples...
    pub failures: u32,
    /// ...among the last so many are a breach.
    pub of: u32,
    /// What a sample without data counts for.
    pub no_data: NoData,
    /// What a breach does.
    pub on_breach: OnBreach,
    /// What to try first.
    pub remedy: Option<String>,
}

/// Where a guard is awake.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Scope {
    /// On the whole way forward.
    Everywhere,
    /// From the start to the end of these phases.
    Phases(Vec<PhaseId>),
    /// From the start to the settling of these steps.
    Steps(Vec<StepId>),
}

/// What a sample without data counts for in a guard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoData {
    /// A failing one.
    Fail,
    /// Nothing.
    Ignore,
    /// So many of them pause the run.
    Pause,
}

/// What a breach does.
#[derive(Clone, Debug, PartialEq)]
pub enum OnBreach {
    /// Goes back.
    Rollback(Rollback),
    /// Pauses the run.
    Pause,
    /// Is told, and nothing else.
    Warn,
}

/// A read-only measurement.
#[derive(Clone, Debug, PartialEq)]
pub struct Probe {
    /// Read as `probe.<name>`.
    pub name: String,
    /// How a sample is taken.
    pub source: ProbeSource,
    /// How often.
    pub interval: Span,
    /// The bound of one sample; beyond it there is no data.
    pub timeout: Span,
    /// What the answer is taken for.
    pub as_: ProbeAs,
    /// For people.
    pub unit: Option<String>,
    /// It summarises that much of the past: fresh only that much later (R13).
    pub covers: Span,
}

/// How a sample is taken.
#[derive(Clone, Debug, PartialEq)]
pub enum ProbeSource {
    /// Standard output of a process (or its exit code, with [`ProbeAs::ExitCode`]).
    Run(Run),
    /// A request's answer.
    Http {
        /// The request.
        request: Http,
        /// The part of the answer.
        part: super::HttpPart,
    },
    /// The first column of the first row.
    Sql(Sql),
}

/// What a probe's answer is taken for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProbeAs {
    /// A whole or decimal number.
    Number,
    /// Text.
    Text,
    /// `true` or `false`, also `t`, `f`, `1`, `0`.
    Bool,
    /// `bool = "exit"`: exit code 0 is true, 1 false, anything else no data.
    ExitCode,
    /// Any JSON.
    Json,
}

/// A node of the plan's graph.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Node {
    /// Before the first step of a phase.
    PhaseStart(PhaseId),
    /// A step.
    Step(StepId),
    /// Behind the last step of a phase.
    PhaseEnd(PhaseId),
}

/// Everything that `syntax` has read and proved, from which a plan is built.
#[derive(Clone, Debug)]
pub struct Draft {
    /// `[runbook]`.
    pub about: About,
    /// `[vars]`, in file order.
    pub vars: Vec<VarDecl>,
    /// `[[preflight]]`, in file order.
    pub preflight: Vec<Criterion>,
    /// `[probe.x]`, in file order.
    pub probes: Vec<Probe>,
    /// Every expression.
    pub conditions: Vec<Condition>,
    /// `[guard.x]`, in file order.
    pub guards: Vec<Guard>,
    /// In the order of `phases`.
    pub phases: Vec<Phase>,
    /// In file order (the order of sequences within their phases).
    pub steps: Vec<Step>,
}

/// Why a draft is no plan. `syntax` finds the same first and says where; this is the last line of defence.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PlanError {
    /// The steps named need each other.
    #[error("these need each other: {}", .0.join(" -> "))]
    Cycle(Vec<String>),
    /// The undos named wait for each other.
    #[error("these undos wait for each other: {}", .0.join(" -> "))]
    UndoCycle(Vec<String>),
}

/// The validated plan. Cannot be wrong; never changes.
#[derive(Clone, Debug)]
pub struct Plan {
    draft: Draft,
    graph: DiGraph<Node, ()>,
    step_nodes: Vec<NodeIndex>,
    phase_nodes: Vec<(NodeIndex, NodeIndex)>,
    /// Nodes such that each stands behind all it waits for.
    order: Vec<NodeIndex>,
    /// For every node, those whose undoing must be over before its own begins.
    undo_waits: Vec<Vec<NodeIndex>>,
    /// The same, read from the other end.
    undo_waiters: Vec<Vec<NodeIndex>>,
}

impl Plan {
    /// Builds the graph (R1) and the order of undos (R8) of a proved draft.
    pub fn new(draft: Draft) -> Result<Self, PlanError> {
        let mut graph = DiGraph::with_capacity(draft.steps.len() + 2 * draft.phases.len(), draft.steps.len() * 2);
        let phase_starts: Vec<_> =
            (0..draft.phases.len()).map(|p| graph.add_node(Node::PhaseStart(PhaseId::at(p)))).collect();
        let step_nodes: Vec<_> = (0..draft.steps.len()).map(|s| graph.add_node(Node::Step(StepId::at(s)))).collect();
        let phase_nodes: Vec<_> = phase_starts
            .into_iter()
            .enumerate()
            .map(|(p, start)| (start, graph.add_node(Node::PhaseEnd(PhaseId::at(p)))))
            .collect();

        for (step, &node) in draft.steps.iter().zip(&step_nodes) {
            for need in once_each(&step.needs) {
                graph.add_edge(step_nodes[need.index()], node, ());
            }
            if let Some(phase) = step.phase {
                let (start, end) = phase_nodes[phase.index()];
                graph.add_edge(start, node, ());
                graph.add_edge(node, end, ());
            }
        }
        for (phase, &(start, end)) in draft.phases.iter().zip(&phase_nodes) {
            graph.add_edge(start, end, ());
            for need in once_each(&phase.needs) {
                graph.add_edge(phase_nodes[need.index()].1, start, ());
            }
        }

        let undo_waits = undo_waits(&draft, &graph, &step_nodes);
        let mut undo_waiters = vec![Vec::new(); graph.node_count()];
        for node in graph.node_indices() {
            for other in &undo_waits[node.index()] {
                undo_waiters[other.index()].push(node);
            }
        }
        let mut plan = Self { draft, graph, step_nodes, phase_nodes, order: Vec::new(), undo_waits, undo_waiters };
        plan.order = plan
            .sorted(|plan, node| plan.graph.neighbors_directed(node, petgraph::Incoming).collect())
            .map_err(PlanError::Cycle)?;
        plan.sorted(|plan, node| plan.undo_waits[node.index()].clone()).map_err(PlanError::UndoCycle)?;
        Ok(plan)
    }

    /// Every node behind all that `waits` names for it (Kahn's algorithm); or the names along one cycle.
    fn sorted(&self, waits: impl Fn(&Self, NodeIndex) -> Vec<NodeIndex>) -> Result<Vec<NodeIndex>, Vec<String>> {
        let count = self.graph.node_count();
        let mut open: Vec<usize> = vec![0; count];
        let mut behind: Vec<Vec<NodeIndex>> = vec![Vec::new(); count];
        for node in self.graph.node_indices() {
            let before = waits(self, node);
            open[node.index()] = before.len();
            for other in before {
                behind[other.index()].push(node);
            }
        }
        let mut order: Vec<NodeIndex> = self.graph.node_indices().filter(|n| open[n.index()] == 0).collect();
        let mut next = 0;
        while let Some(&node) = order.get(next) {
            next += 1;
            for &other in &behind[node.index()] {
                open[other.index()] -= 1;
                if open[other.index()] == 0 {
                    order.push(other);
                }
            }
        }
        if order.len() == count {
            return Ok(order);
        }
        // Every node left over waits for one that is left over too: walk back until a node comes again.
        let mut path: Vec<NodeIndex> = Vec::new();
        let mut seen = vec![usize::MAX; count];
        let mut at = self.graph.node_indices().find(|n| open[n.index()] > 0).expect("a node is left over");
        while seen[at.index()] == usize::MAX {
            seen[at.index()] = path.len();
            path.push(at);
            at = waits(self, at).into_iter().find(|n| open[n.index()] > 0).expect("it waits for a node left over");
        }
        let mut cycle: Vec<String> =
            path[seen[at.index()]..].iter().map(|&n| self.node_name(self.graph[n]).to_owned()).collect();
        cycle.reverse();
        cycle.dedup();
        cycle.push(cycle[0].clone());
        Err(cycle)
    }

    /// The name that stands in the file for a node.
    pub fn node_name(&self, node: Node) -> &str {
        match node {
            Node::Step(step) => &self.step(step).name,
            Node::PhaseStart(phase) | Node::PhaseEnd(phase) => &self.phase(phase).name,
        }
    }

    /// `[runbook]`.
    pub fn about(&self) -> &About {
        &self.draft.about
    }

    /// `[vars]`, in file order.
    pub fn vars(&self) -> &[VarDecl] {
        &self.draft.vars
    }

    /// `[[preflight]]`, in file order.
    pub fn preflight(&self) -> &[Criterion] {
        &self.draft.preflight
    }

    /// The probes, by id.
    pub fn probes(&self) -> &[Probe] {
        &self.draft.probes
    }

    /// One probe.
    pub fn probe(&self, id: ProbeId) -> &Probe {
        &self.draft.probes[id.index()]
    }

    /// The expressions, by id.
    pub fn conditions(&self) -> &[Condition] {
        &self.draft.conditions
    }

    /// One expression.
    pub fn condition(&self, id: ConditionId) -> &Condition {
        &self.draft.conditions[id.index()]
    }

    /// The guards, by id.
    pub fn guards(&self) -> &[Guard] {
        &self.draft.guards
    }

    /// One guard.
    pub fn guard(&self, id: GuardId) -> &Guard {
        &self.draft.guards[id.index()]
    }

    /// The phases, by id.
    pub fn phases(&self) -> &[Phase] {
        &self.draft.phases
    }

    /// One phase.
    pub fn phase(&self, id: PhaseId) -> &Phase {
        &self.draft.phases[id.index()]
    }

    /// The steps, by id.
    pub fn steps(&self) -> &[Step] {
        &self.draft.steps
    }

    /// One step.
    pub fn step(&self, id: StepId) -> &Step {
        &self.draft.steps[id.index()]
    }

    /// The ids of all steps, in file order.
    pub fn step_ids(&self) -> impl Iterator<Item = StepId> + use<> {
        (0..self.draft.steps.len()).map(StepId::at)
    }

    /// The ids of all phases, in order.
    pub fn phase_ids(&self) -> impl Iterator<Item = PhaseId> + use<> {
        (0..self.draft.phases.len()).map(PhaseId::at)
    }

    /// The ids of all guards, in file order.
    pub fn guard_ids(&self) -> impl Iterator<Item = GuardId> + use<> {
        (0..self.draft.guards.len()).map(GuardId::at)
    }

    /// The step of that name.
    pub fn step_named(&self, name: &str) -> Option<StepId> {
        self.draft.steps.iter().position(|s| s.name == name).map(StepId::at)
    }

    /// The phase of that name.
    pub fn phase_named(&self, name: &str) -> Option<PhaseId> {
        self.draft.phases.iter().position(|p| p.name == name).map(PhaseId::at)
    }

    /// The graph (R1): an edge leads from what must be settled to what waits for it.
    pub fn graph(&self) -> &DiGraph<Node, ()> {
        &self.graph
    }

    /// A step's node.
    pub fn step_node(&self, id: StepId) -> NodeIndex {
        self.step_nodes[id.index()]
    }

    /// The nodes of a phase's start and end.
    pub fn phase_nodes(&self, id: PhaseId) -> (NodeIndex, NodeIndex) {
        self.phase_nodes[id.index()]
    }

    /// All nodes, each behind all it waits for.
    pub fn order(&self) -> &[NodeIndex] {
        &self.order
    }

    /// The nodes whose undoing must be over before this one's begins (R8): the mirror of the way forward, with the pairs
    /// that `undo.after` turns round.
    pub fn undo_waits(&self, node: NodeIndex) -> &[NodeIndex] {
        &self.undo_waits[node.index()]
    }

    /// The nodes whose undoing waits for this one's.
    pub fn undo_waiters(&self, node: NodeIndex) -> &[NodeIndex] {
        &self.undo_waiters[node.index()]
    }

    /// The nodes downstream of a rollback's target, in the order of the plan; all of them from the start.
    pub fn downstream(&self, target: Target) -> Vec<NodeIndex> {
        let from = match target {
            Target::Start => return self.order.clone(),
            Target::Step(step) => self.step_node(step),
            Target::Phase(phase) => self.phase_nodes(phase).1,
        };
        let mut reached = vec![false; self.graph.node_count()];
        reached[from.index()] = true;
        let mut behind = Vec::new();
        for &node in &self.order {
            if node != from
                && self.graph.neighbors_directed(node, petgraph::Incoming).any(|before| reached[before.index()])
            {
                reached[node.index()] = true;
                behind.push(node);
            }
        }
        behind
    }
}

/// The mirror of the graph, with the pairs of `undo.after` turned round (R8). Whatever lies upstream of such a pair waits
/// for both: it waited for the later one through the earlier one, and that is no longer so.
/// The ids of a list, each once. Not asked of the graph: that looks through every edge of a node with many.
fn once_each<T: Copy + Ord>(ids: &[T]) -> std::collections::BTreeSet<T> {
    ids.iter().copied().collect()
}

fn undo_waits(draft: &Draft, graph: &DiGraph<Node, ()>, step_nodes: &[NodeIndex]) -> Vec<Vec<NodeIndex>> {
    let mut waits: Vec<Vec<NodeIndex>> = graph.node_indices().map(|node| graph.neighbors(node).collect()).collect();
    for (step, &node) in draft.steps.iter().zip(step_nodes) {
        let turned: Vec<NodeIndex> = step.undo_after.iter().map(|other| step_nodes[other.index()]).collect();
        for &other in &turned {
            waits[other.index()].retain(|&waited_for| waited_for != node);
            add(&mut waits[node.index()], other);
            for upstream in graph.neighbors_directed(other, petgraph::Incoming) {
                if upstream != node && !turned.contains(&upstream) {
                    add(&mut waits[upstream.index()], node);
                }
            }
        }
    }
    waits
}

fn add(waits: &mut Vec<NodeIndex>, node: NodeIndex) {
    if !waits.contains(&node) {
        waits.push(node);
    }
}
