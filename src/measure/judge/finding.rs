//! What the samples say, for whoever asked.

use crate::model::{AttemptId, GuardId, Spend, Summaries, Verdict};

/// Something that the samples say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Finding<K> {
    /// The first fresh verdict on a question, or another than before.
    Judged {
        /// The question.
        key: K,
        /// What the samples say.
        verdict: Verdict,
        /// By which values, for people.
        evidence: String,
    },
    /// A guard held for the first time since its watch began; or was asked, and ignores that there was no data.
    GuardHeld {
        /// Which.
        guard: GuardId,
        /// By which values.
        evidence: String,
    },
    /// So many of its samples failed, and did not before.
    GuardBreached {
        /// Which.
        guard: GuardId,
        /// By which values.
        evidence: String,
    },
    /// So many of the samples of a guard with `no_data = "pause"` had no data, and did not before.
    GuardBlind {
        /// Which.
        guard: GuardId,
        /// By which values.
        evidence: String,
    },
    /// What a budget has spent is worth writing down: it was opened, has grown, or is breached.
    SpendNoted {
        /// Which.
        guard: GuardId,
        /// What it has spent.
        spend: Spend,
        /// The same in words.
        evidence: String,
    },
    /// So many of its samples failed what it warns of, and did not before.
    GuardWarned {
        /// Which.
        guard: GuardId,
        /// By which values.
        evidence: String,
    },
    /// So many no longer do.
    GuardEased {
        /// Which.
        guard: GuardId,
        /// By which values.
        evidence: String,
    },
    /// The probe of a watched attempt has not moved for its `stall`.
    ProgressStalled {
        /// Which attempt.
        attempt: AttemptId,
        /// By which value.
        evidence: String,
    },
    /// The baseline has been sampled, and every probe of it gave data.
    BaselineTaken {
        /// What the samples come to.
        summaries: Summaries,
        /// The same in words.
        evidence: String,
    },
    /// The baseline has been sampled, and a probe of it gave no data at all.
    BaselineBlind {
        /// What the samples of the others come to.
        summaries: Summaries,
        /// Which probes gave none.
        evidence: String,
    },
}
