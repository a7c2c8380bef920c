//! What the engine's orders add to the notices: what is asked, which guards are awake, which clocks stand still. A view
//! without them is right, only less precise.

use super::{BaselineView, Health, StepState, Stopwatch, View, Warning, Way};
use crate::engine::{Asked, Command, Deadline};
use crate::model::{Part, Plan, StepId, Time};
use crate::report::words;

impl View {
    /// Takes in one order of the engine.
    pub fn order(&mut self, plan: &Plan, at: Time, command: &Command) {
        self.order_ramp(plan, at, command);
        match *command {
            Command::Ask { question, .. } => self.ask(plan, question.asked, at),
            Command::StopAttempt { attempt } => self.set_step(attempt.step, StepState::Stopping { since: at }),
            Command::WatchGuard { guard } => self.wake(guard.index(), at),
            Command::UnwatchGuard { guard } => self.unwatch(guard.index()),
            Command::Arm { deadline } | Command::Release { deadline } => {
                if let Some(clock) = self.clock_of(deadline) {
                    clock.start(at);
                }
            }
            Command::Disarm { deadline } | Command::Hold { deadline } => {
                if let Some(clock) = self.clock_of(deadline) {
                    clock.stop(at);
                }
            }
            Command::UnwatchProgress { attempt } => self.steps[attempt.step.index()].pace = None,
            Command::DropBaseline => self.baseline = BaselineView::Untaken,
            Command::TakeBaseline => self.baseline = BaselineView::Sampling { since: at },
            Command::StartAttempt { .. }
            | Command::TakeValue { .. }
            | Command::Withdraw { .. }
            | Command::WatchProgress { .. }
            | Command::WatchWayBack { .. }
            | Command::UnwatchWayBack { .. }
            | Command::OpenGate { .. }
            | Command::CloseGate { .. }
            | Command::CheckWindow { .. }
            | Command::WatchWindow { .. }
            | Command::ForgetWindow { .. }
            | Command::Forget { .. } => {}
        }
    }

    fn wake(&mut self, guard: usize, at: Time) {
        self.guards[guard].health = Health::Waking;
        self.guards[guard].warning = Warning::None;
        self.guards[guard].awake_since = at;
    }

    /// A breach stays on the screen when its guard is put to sleep: it is why things go as they go.
    fn unwatch(&mut self, guard: usize) {
        self.guards[guard].warning = Warning::None;
        let health = &mut self.guards[guard].health;
        if !matches!(health, Health::Breached | Health::Blind) {
            *health = Health::Asleep;
        }
    }

    fn ask(&mut self, plan: &Plan, asked: Asked, at: Time) {
        let (step, part) = match asked {
            Asked::When(step, part) | Asked::DoneWhen(step, part) | Asked::Require(step, part, _) => (step, part),
            Asked::Preflight(_)
            | Asked::PhaseRequire(..)
            | Asked::PhaseSuccess(..)
            | Asked::Success(..)
            | Asked::WaitUntil(..)
            | Asked::Confirm(..)
            | Asked::Advance(..)
            | Asked::HoldWhile(..)
            | Asked::BaselineRequire(_)
            | Asked::Restored(_) => return,
        };
        if self.may_check(step, part) {
            let way = if part == Part::Forward { Way::There } else { Way::Back };
            self.set_step(step, StepState::Checking { what: words::asked(plan, asked), since: at, way });
        }
    }

    /// A `done_when` is also asked after an attempt whose end is not known; that keeps its own line.
    fn may_check(&self, step: StepId, part: Part) -> bool {
        match &self.step(step).state {
            StepState::Pending | StepState::Checking { .. } => true,
            StepState::Settled(_) | StepState::Stopping { .. } | StepState::InDoubt => part != Part::Forward,
            StepState::Running { .. }
            | StepState::Ramping { .. }
            | StepState::Measuring { .. }
            | StepState::Resting { .. }
            | StepState::Asking { .. }
            | StepState::UndoFailed
            | StepState::Undone => false,
        }
    }

    /// The clock that shows this deadline, where one does.
    fn clock_of(&mut self, deadline: Deadline) -> Option<&mut Stopwatch> {
        match deadline {
            Deadline::Run => Some(&mut self.clock),
            Deadline::Phase(phase) => Some(&mut self.phases[phase.index()].clock),
            // The clocks of a ramp are apart.
            Deadline::Ramp(_)
            | Deadline::RampHold(..)
            | Deadline::Within(_)
            | Deadline::HoldFor(_)
            | Deadline::Retry { .. }
            | Deadline::Wait(..)
            | Deadline::GateExpiry(_)
            | Deadline::RollbackAlarm
            | Deadline::PassDelay(_)
            | Deadline::PassWithin(_) => None,
        }
    }
}
