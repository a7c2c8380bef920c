//! The validated plan: what a run is about to do, and in which order it may.

mod graph;
mod phase;
mod policy;
mod step;
mod watch;

use std::collections::BTreeMap;

use petgraph::graph::{DiGraph, NodeIndex};

pub use phase::{Interrupts, OnClose, Phase, Window};
pub use policy::{Policy, Rollback, Target, Then};
pub use step::{Bracket, OnDoubt, OnStop, Progress, Retry, Step, Survivors, WayHome, Work};
pub use watch::{Guard, NoData, OnBreach, Probe, ProbeAs, ProbeSource, Rule, Scope, Watched};

use super::{Condition, Criterion, PhaseId, Span, StepId, VarDecl};

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

impl About {
    /// What `runbook.<name>` is in a template.
    pub fn text(&self, name: &str) -> Option<&str> {
        match name {
            "name" => Some(&self.name),
            "version" => self.version.as_deref(),
            "summary" => self.summary.as_deref(),
            "owner" => self.owner.as_deref(),
            "docs" => self.docs.as_deref(),
            "lock" => Some(&self.lock),
            _ => None,
        }
    }
}

/// What INT and TERM do without a terminal (R18).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnInterrupt {
    /// Record and leave; resumable.
    Leave,
    /// Go back to the start.
    Rollback,
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
    /// `[baseline]`.
    pub baseline: Option<super::Baseline>,
    /// In the order of `phases`.
    pub phases: Vec<Phase>,
    /// In file order (the order of sequences within their phases).
    pub steps: Vec<Step>,
    /// `[part.x]`, in file order.
    pub parts: Vec<Included>,
}

/// A piece of the plan that stands in a file of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Included {
    /// What its names begin with.
    pub name: String,
    /// The file, as the runbook names it.
    pub file: String,
    /// One line.
    pub summary: Option<String>,
    /// Its steps, in the order of the plan.
    pub steps: Vec<StepId>,
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
