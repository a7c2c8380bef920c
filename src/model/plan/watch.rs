//! What is measured and watched: probes and guards.

use super::Rollback;
use crate::model::{Budget, ConditionId, Http, HttpPart, PhaseId, Prometheus, Run, Span, Sql, StepId, Template};

/// Something watched all the time in its scope: a condition, or an error budget.
#[derive(Clone, Debug, PartialEq)]
pub struct Guard {
    /// Its name.
    pub name: String,
    /// Where it is awake.
    pub scope: Scope,
    /// What is watched.
    pub rule: Rule,
    /// What a sample without data counts for.
    pub no_data: NoData,
    /// What a breach does.
    pub on_breach: OnBreach,
    /// What to try first.
    pub remedy: Option<String>,
}

/// What a guard watches.
#[derive(Clone, Debug, PartialEq)]
pub enum Rule {
    /// `[guard.x]`.
    Condition(Watched),
    /// `[budget.x]`.
    Budget(Budget),
}

/// A condition that must hold in most of the last samples.
#[derive(Clone, Debug, PartialEq)]
pub struct Watched {
    /// How often one over several probes is judged.
    pub every: Span,
    /// What must hold.
    pub require: ConditionId,
    /// What must hold, or it is warned: counted as `require` is, and told alone.
    pub warn: Option<ConditionId>,
    /// So many failing samples...
    pub failures: u32,
    /// ...among the last so many are a breach.
    pub of: u32,
}

impl Guard {
    /// What it is called: `guard` or `budget`.
    pub const fn kind(&self) -> &'static str {
        match self.rule {
            Rule::Condition(_) => "guard",
            Rule::Budget(_) => "budget",
        }
    }
}

impl Rule {
    /// The condition, where it is one.
    pub fn condition(&self) -> Option<&Watched> {
        match self {
            Self::Condition(watched) => Some(watched),
            Self::Budget(_) => None,
        }
    }

    /// The budget, where it is one.
    pub fn budget(&self) -> Option<&Budget> {
        match self {
            Self::Condition(_) => None,
            Self::Budget(budget) => Some(budget),
        }
    }

    /// What must hold and what is warned of, where it is a condition.
    pub fn conditions(&self) -> impl Iterator<Item = ConditionId> {
        let watched = self.condition();
        watched.map(|it| it.require).into_iter().chain(watched.and_then(|it| it.warn))
    }
}

/// Where a guard is awake.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Scope {
    /// On the whole way forward.
    Everywhere,
    /// From the start to the end of these phases.
    Phases(Vec<PhaseId>),
    /// From the start to the settling of these steps; of a bracket, until it is closed (R12a).
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
    /// How much of its history is kept, where a condition reads it.
    pub keep: Span,
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
        part: HttpPart,
    },
    /// The first column of the first row.
    Sql(Sql),
    /// The only sample of an instant query.
    Prometheus(Prometheus),
    /// `host:port`: the milliseconds until a connection stands, or whether one does.
    Tcp(Template),
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
