//! Exit codes: the one place where outcomes become numbers.

use std::process::ExitCode;

use crate::drive::live::Parting;
use crate::model::RunOutcome;

/// How the process ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Exit {
    /// Every criterion met; a check without errors; a dry run without findings.
    Good = 0,
    /// The tool could not work.
    Broken = 1,
    /// Wrong usage, or a runbook with errors.
    Wrong = 2,
    /// Nothing was started.
    Refused = 3,
    /// Back at the target, verified.
    RolledBack = 4,
    /// Ended on the way forward, or on a way back that was given up.
    Stopped = 5,
    /// A rollback could not be completed or verified.
    Stuck = 6,
    /// Ended resumably; nothing is measured from now on.
    Waiting = 7,
    /// Findings.
    Findings = 8,
    /// By a signal; resumable.
    Interrupted = 130,
}

impl Exit {
    /// What a process of this tool that ended with this code meant.
    pub(super) fn of(code: i32) -> Self {
        let known = [
            Self::Good,
            Self::Wrong,
            Self::Refused,
            Self::RolledBack,
            Self::Stopped,
            Self::Stuck,
            Self::Waiting,
            Self::Findings,
            Self::Interrupted,
        ];
        known.into_iter().find(|exit| *exit as i32 == code).unwrap_or(Self::Broken)
    }

    /// The one that says more: an error outweighs a finding, both outweigh good news.
    pub(super) fn worse(self, other: Self) -> Self {
        match (self, other) {
            (Self::Good, other) | (Self::Findings, other @ (Self::Wrong | Self::Broken)) => other,
            (one, _) => one,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

impl From<Parting> for Exit {
    fn from(parting: Parting) -> Self {
        match parting {
            Parting::Ended(RunOutcome::Succeeded) => Self::Good,
            Parting::Ended(RunOutcome::Refused) => Self::Refused,
            Parting::Ended(RunOutcome::RolledBack) => Self::RolledBack,
            Parting::Ended(RunOutcome::Stopped) => Self::Stopped,
            Parting::Stuck => Self::Stuck,
            Parting::Waiting => Self::Waiting,
            Parting::Left => Self::Interrupted,
        }
    }
}
