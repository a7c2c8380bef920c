//! `resume`: takes up a run whose process is gone, and goes on (R21a). Also what `rollback` and `stop` do with such a run.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use super::args::{self, Output};
use super::detach::Seat;
use super::exec::{gates, phase};
use super::exit::Exit;
use super::failure::Failure;
use super::order;
use super::past::is_unfinished;
use super::runs::State;
use super::stage::{self, Setting};
use crate::drive::live::Options;
use crate::drive::live::clock::Clock;
use crate::drive::live::start::{self, RunFolder, TakenUp};
use crate::drive::live::staying::{AfterSuccess, is_worth_watching};
use crate::drive::live::vars::{self, Given};
use crate::drive::{Fact, Heard, Session};
use crate::engine::{Act, Command, Deadline, Event, Standing};
use crate::journal::lock::{Lock, LockError};
use crate::journal::{Extension, Via, Who, Writer};
use crate::model::{AttemptId, Plan, RunId, Span, StepId, Value};
use crate::report::view::Window;

/// What is wanted of a run that is taken up.
#[derive(Clone, Debug, Default)]
pub(super) struct Wish {
    /// Which run.
    pub(super) run: Option<String>,
    /// Go on although what it works from has changed.
    pub(super) accept_changes: bool,
    /// `PHASE=TIME`.
    pub(super) extend: Vec<String>,
    /// Gates answered beforehand.
    pub(super) go: Vec<String>,
    /// End instead of waiting for people.
    pub(super) no_wait: bool,
    /// End after this phase.
    pub(super) until: Option<String>,
    /// What to do after success.
    pub(super) after_success: AfterSuccess,
    /// Where secrets are that were given by hand.
    pub(super) vars_file: Option<PathBuf>,
    /// How to tell.
    pub(super) output: Option<Output>,
    /// Where its process stands.
    pub(super) seat: Seat,
    /// Ordered at once.
    pub(super) act: Option<Act>,
    /// Why.
    pub(super) reason: Option<String>,
}

impl Wish {
    /// What `exec --or-resume` wants.
    pub(super) fn of_exec(args: &args::Exec) -> Self {
        Self {
            go: args.go.clone(),
            no_wait: args.no_wait,
            until: args.until.clone(),
            after_success: args.process.after_success(),
            vars_file: args.variables.vars_file.clone(),
            output: Some(args.output),
            ..Self::default()
        }
    }
}

/// Takes up a run, or lets one go on that another process drives.
pub(super) fn resume(args: &args::Resume, state: &State, seat: Seat) -> Result<Exit, Failure> {
    let run = state.find(args.run.as_deref(), is_unfinished)?;
    let is_driven = Lock::holder_of_run(state.folder(&run).path()).is_some();
    if is_driven
        && matches!(seat, Seat::Here)
        && !args.wants_a_process()
        && let Some(went) = order::go_on(&run, state)
    {
        return went;
    }
    let wish = Wish {
        run: Some(run.0),
        accept_changes: args.accept_changes,
        extend: args.extend.clone(),
        go: args.go.clone(),
        no_wait: args.no_wait,
        until: args.until.clone(),
        after_success: args.process.after_success(),
        vars_file: args.secrets.vars_file.clone(),
        output: Some(args.output),
        seat,
        act: None,
        reason: None,
    };
    resume_as(&wish, state)
}

/// Takes up a run as wished.
pub(super) fn resume_as(wish: &Wish, state: &State) -> Result<Exit, Failure> {
    let run = state.find(wish.run.as_deref(), is_unfinished)?;
    let folder = state.folder(&run);
    let user = stage::user();
    let _lock = lock(&folder, &run, &user)?;
    let opened = Writer::open(&folder.journal()).map_err(Failure::could_not)?;
    let plan = stage::frozen(&folder, &opened.bytes)?;

    let runtime = stage::runtime()?;
    let secrets = runtime.block_on(secrets(&plan, &opened.bytes, wish.vars_file.as_deref()))?;
    let mut story = stage::new_story(&plan, &run);
    let mut openings: BTreeMap<StepId, u32> = BTreeMap::new();
    let taken = start::take_up(&folder, &plan, opened, &secrets, |header, heard| {
        if let Heard::Order(_, Command::OpenGate { gate }) = &heard {
            *openings.entry(*gate).or_default() += 1;
        }
        stage::hear(&mut story, &plan, header, heard);
    });
    let taken = taken.map_err(Failure::could_not)?;
    let engine = taken.started.session.engine();
    let watches = wish.after_success == AfterSuccess::Stay && is_worth_watching(engine);
    if engine.outcome().is_some() && wish.act.is_none() && !watches {
        let left = if wish.after_success == AfterSuccess::Stay { ", and left nothing to watch" } else { "" };
        return Err(
            Failure::refused(format!("run {run} has ended{left}")).hint(format!("`runbook show {run}` tells how"))
        );
    }
    story.view.look(&plan, taken.started.clock.time());
    if let Window::Closed { ago } = story.view.window() {
        return Err(Failure::refused(format!(
            "the way back of run {run} closed {ago} ago: its rollback window has passed"
        )));
    }
    if !taken.changes.is_empty() && !wish.accept_changes {
        return Err(Failure::refused(format!("since the run began these have changed: {}", taken.changes.join(", ")))
            .hint("put them back, or go on all the same with --accept-changes"));
    }
    let output = wish.output.unwrap_or(Output::Auto);
    if output != Output::Json {
        for line in speak(&plan, &run, &taken, &wish.go) {
            super::output::say(&line);
        }
    }
    let facts = facts(&plan, wish, &taken, &user)?;
    let after_success = wish.after_success;
    let mut go = decided_before(&taken.started.session, &openings);
    go.extend(gates(&plan, &wish.go)?);
    let options = Options { go, no_wait: wish.no_wait, after_success };
    let setting = Setting { run, folder, user, output, options, seat: wish.seat.clone(), story: Some(story) };
    runtime.block_on(stage::play(taken.started, setting, facts))
}

fn lock(folder: &RunFolder, run: &RunId, user: &str) -> Result<Lock, Failure> {
    start::lock(folder, run, user).map_err(|error| match error {
        LockError::Held { holder, .. } => {
            let who = holder.map_or(String::new(), |holder| format!(": process {} of {}", holder.pid, holder.user));
            Failure::refused(format!("run {run} is being driven already{who}")).hint(format!(
                "`runbook resume {run}` alone lets it go on after a pause; `runbook attach {run}` watches it"
            ))
        }
        LockError::File { .. } => Failure::could_not(error),
    })
}

/// The values of secret variables, which are not kept, from where they came from; `file`: where `exec` was given them.
pub(super) async fn secrets(
    plan: &Plan,
    history: &[u8],
    file: Option<&Path>,
) -> Result<BTreeMap<String, Value>, Failure> {
    let secret: Vec<_> = plan.vars().iter().filter(|var| var.secret).cloned().collect();
    if secret.is_empty() {
        return Ok(BTreeMap::new());
    }
    let (header, _) = crate::journal::Reader::new(history).map_err(Failure::could_not)?;
    let mut file = file
        .map(vars::read_file)
        .transpose()
        .map_err(|error| Failure::wrong(format!("could not {error}")))?
        .unwrap_or_default();
    // All else that it says was taken when the run began.
    file.retain(|name, _| secret.iter().any(|var| var.name == *name));
    let given = Given { folder: header.base.into(), file, ..Given::default() };
    vars::resolve(&secret, &given).await.map_err(|errors| super::variables::unresolved(&errors))
}

fn facts(plan: &Plan, wish: &Wish, taken: &TakenUp, user: &str) -> Result<Vec<Fact>, Failure> {
    let who = Who { user: user.to_owned(), via: Via::CommandLine, reason: wish.reason.clone() };
    let mut resumed = Fact::new(Event::RunResumed).by(who.clone());
    resumed.clock = Some(Clock::stamp());
    resumed.extend = wish.extend.iter().map(|text| extension(plan, text)).collect::<Result<_, _>>()?;
    let mut facts = Vec::new();
    if taken.started.session.is_unborn() {
        // It was killed between the header of its journal and its first record.
        facts.push(Fact::new(Event::RunBegan).by(who.clone()));
    }
    facts.push(resumed);
    // The order of the first record may never have been written.
    let pinned = taken.started.session.header().beforehand.until.filter(|_| taken.started.session.is_unborn());
    let until = wish.until.as_deref().map(|name| phase(plan, name)).transpose()?.or(pinned);
    if let Some(phase) = until {
        let act = Act::HoldAfter { phase: Some(phase) };
        facts.push(Fact::new(Event::OperatorAsked { act }).by(who.clone()));
    }
    if let Some(act) = &wish.act {
        facts.push(Fact::new(Event::OperatorAsked { act: act.clone() }).by(who));
    } else if let Standing::Paused { .. } = taken.started.session.engine().standing()
        && taken.started.session.engine().failed_steps().is_empty()
    {
        // `resume` goes on after a pause, too; a failed step still waits for its own decision.
        facts.push(Fact::new(Event::OperatorAsked { act: Act::Resume }).by(who));
    }
    Ok(facts)
}

/// The gates that were decided when the run began (`--go`) and whose first opening is still to come, or is not answered.
fn decided_before(session: &Session, openings: &BTreeMap<StepId, u32>) -> BTreeSet<StepId> {
    let mut decided = session.header().beforehand.go.clone();
    decided.retain(|gate| match openings.get(gate) {
        None => true,
        Some(1) => session.outstanding().gates.contains(gate),
        Some(_) => false,
    });
    decided
}

fn extension(plan: &Plan, text: &str) -> Result<Extension, Failure> {
    let parsed = text.split_once('=').and_then(|(name, time)| Some((name, Span::parse(time)?)));
    let Some((name, by)) = parsed else {
        return Err(Failure::wrong(format!("`--extend {text}` moves nothing")).hint("write it as --extend phase=5m"));
    };
    Ok(Extension { deadline: Deadline::Phase(phase(plan, name)?), by })
}

/// What is true, what is not known, and what will be done, before anything is done (R21a).
fn speak(plan: &Plan, run: &RunId, taken: &TakenUp, answered: &[String]) -> Vec<String> {
    let session = &taken.started.session;
    let engine = session.engine();
    let mut lines = vec![format!("run {run}: nobody has driven it for {}", taken.down)];
    if let Some(torn) = &taken.torn {
        let aside = torn.aside.as_ref().map_or(String::new(), |path| format!(", kept as {}", path.display()));
        lines.push(format!("its last write was torn by the crash and is cut off{aside}; nothing had been done of it"));
    }
    let done = plan.step_ids().filter(|step| engine.step_outcome(*step).is_settled()).count();
    lines.push(format!("true: {done} of {} steps are settled, and none of them runs again", plan.steps().len()));
    for attempt in session.outstanding().attempts.keys() {
        lines.push(format!("not known yet: {}; {}", name(plan, *attempt), settled_how(plan, *attempt)));
    }
    let gates = engine.open_gates().map(|gate| &plan.step(gate).name);
    for gate in gates.filter(|gate| !answered.contains(gate)) {
        lines.push(format!("awaited: the answer to gate `{gate}`; `runbook go {run} {gate}` or `no-go` gives it"));
    }
    let now = taken.started.clock.time();
    for (deadline, at) in session.overdue(now) {
        lines.push(format!("passed meanwhile, {} ago: {}", now.since(at), deadline_name(plan, deadline)));
    }
    for change in &taken.changes {
        lines.push(format!("changed since it began, and accepted: {change}"));
    }
    lines
}

fn name(plan: &Plan, attempt: AttemptId) -> String {
    let way = if attempt.part == crate::model::Part::Forward { "" } else { "the undo of " };
    format!("what became of {way}`{}`, attempt {}", plan.step(attempt.step).name, attempt.number)
}

fn settled_how(plan: &Plan, attempt: AttemptId) -> &'static str {
    let work = plan.step(attempt.step).work(attempt.part);
    match work.attempted().action {
        crate::model::Action::Run(_) => "its keeper will tell",
        crate::model::Action::Manual(_) => "it will be asked again",
        _ if work.done_when.is_some() => "its `done_when` will tell",
        _ => "its `on_doubt` decides",
    }
}

fn deadline_name(plan: &Plan, deadline: Deadline) -> String {
    match deadline {
        Deadline::Run => "the timeout of the run; it will be taken back".to_owned(),
        Deadline::Phase(phase) => format!("the timeout of phase `{}`; its policy follows", plan.phase(phase).name),
        Deadline::GateExpiry(step) => format!("the time to answer gate `{}`", plan.step(step).name),
        Deadline::RollbackAlarm => "the promise of the rollback; it goes on".to_owned(),
        Deadline::Ramp(step) => {
            format!("the timeout of `{}`, which bounds all its values", plan.step(step).name)
        }
        Deadline::RampHold(step, _) => format!("the hold of a value of `{}`; it begins anew", plan.step(step).name),
        Deadline::Within(_) => "the time for a criterion to come true".to_owned(),
        Deadline::HoldFor(_) => "the time for a criterion to hold; it begins anew".to_owned(),
        Deadline::Retry { step, .. } => format!("the pause before the next try of `{}`", plan.step(step).name),
        Deadline::Wait(step, _) => format!("the wait of `{}`", plan.step(step).name),
        Deadline::PassDelay(_) | Deadline::PassWithin(_) => "the pause before the next pass".to_owned(),
    }
}
