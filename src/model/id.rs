//! Names for the things of a plan and of a run. An id is a newtype; a number of one kind never passes for another.

use std::fmt;
use std::num::NonZeroU32;

use serde::{Deserialize, Serialize};

macro_rules! place_in_plan {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(u32);

        impl $name {
            /// The id of the thing at `index` of its list in a plan.
            ///
            /// # Panics
            /// Where a list has more than `u32::MAX` entries.
            pub fn at(index: usize) -> Self {
                Self(u32::try_from(index).expect("a plan has fewer than 2^32 things of a kind"))
            }

            /// Where in its list the thing stands.
            pub fn index(self) -> usize {
                self.0 as usize
            }
        }
    };
}

place_in_plan!(
    /// A step's place in its plan; the order of steps is the order of the file.
    StepId
);
place_in_plan!(
    /// A phase's place in its plan, in the order of `phases`.
    PhaseId
);
place_in_plan!(
    /// A guard's place in its plan.
    GuardId
);
place_in_plan!(
    /// A probe's place in its plan.
    ProbeId
);
place_in_plan!(
    /// An expression's place in its plan.
    ConditionId
);

/// Which try of a step this is, from 1, over both directions. Numbers never restart in a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Attempt(NonZeroU32);

impl Attempt {
    /// The first try.
    pub const FIRST: Self = Self(NonZeroU32::MIN);

    /// The next number.
    #[must_use]
    pub fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }

    /// The number as people count, from 1.
    pub fn number(self) -> u32 {
        self.0.get()
    }
}

impl fmt::Display for Attempt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Which of a step's actions: the way forward, or the n-th action of its undo (from 0).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Part {
    /// The step's own action.
    Forward,
    /// The n-th action of its undo list.
    Undo(u16),
}

/// One try of one action: the key under which the keeper, the journal and the screen know it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct AttemptId {
    /// The step.
    pub step: StepId,
    /// The direction, and which action of an undo list.
    pub part: Part,
    /// The number, unique within the step.
    pub number: Attempt,
}

/// The number of an event in a run, from 1: the moment that a question is about.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct FactId(pub u64);

/// The name of a run: also the name of its folder.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RunId(pub String);

impl fmt::Display for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
