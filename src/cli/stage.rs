//! What `exec` and `resume` have in common: reading a runbook, who is told, and the play itself.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, IsTerminal as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::args::{self, Output};
use super::detach::Seat;
use super::exec::Document;
use super::exit::Exit;
use super::failure::Failure;
use super::output::say;
use super::variables;
use crate::drive::live::desk::{Desk, Sitting};
use crate::drive::live::open::{Open, asking};
use crate::drive::live::start::{self, RunFolder, Started};
use crate::drive::live::{Driver, Options, Parts};
use crate::drive::{Fact, Heard, replay};
use crate::journal::record::digest;
use crate::journal::{Header, Pinned, Reader};
use crate::model::{Bounds, Plan, RunId, Time, Value};
use crate::report::{Json, Plain, Reporter, Story, Terminal, Theme, View};
use crate::syntax::{self, PartText, Texts};

/// Reads a runbook with what the command line gives its variables; prints every problem where it has errors.
pub(super) fn read(path: &Path, variables: &args::Variables) -> Result<Document, Failure> {
    let texts = super::check::texts(path)?;
    let given = variables::given(variables)?;
    let (mut reading, by_hand) = variables::read(&texts, &given)?;
    let Some(plan) = reading.plan.take() else { return Err(super::check::failure(path, &reading)) };
    let absolute =
        path.canonicalize().map_err(|error| Failure::could_not(format!("find `{}`: {error}", path.display())))?;
    let folder = absolute.parent().map_or_else(|| PathBuf::from("/"), Path::to_owned);
    Ok(Document { texts, folder, plan: Arc::new(plan), given, by_hand })
}

/// Reads it again for a run whose variables have these values: ramps and durations depend on them.
pub(super) fn given(path: &Path, document: Document, values: &BTreeMap<String, Value>) -> Result<Document, Failure> {
    if !variables::shapes_plan(document.plan.vars()) {
        return Ok(document);
    }
    let mut reading = syntax::read_given(&document.texts, values);
    let plan = reading.plan.take().ok_or_else(|| super::check::failure(path, &reading))?;
    Ok(Document { plan: Arc::new(plan), ..document })
}

/// The bytes of a run's journal.
pub(super) fn journal_of(folder: &RunFolder) -> Result<Vec<u8>, Failure> {
    let path = folder.journal();
    fs::read(&path).map_err(|error| Failure::could_not(format!("read `{}`: {error}", path.display())))
}

/// Reads the frozen runbook of a run, and proves that it is the one that its journal names.
pub(super) fn frozen(folder: &RunFolder, journal: &[u8]) -> Result<Arc<Plan>, Failure> {
    let (header, _) = Reader::new(journal).map_err(Failure::could_not)?;
    let mut texts = Texts::alone(frozen_text(&folder.document(), &header.document)?);
    for (n, (name, digest)) in header.parts.iter().enumerate() {
        texts.parts.insert(name.clone(), PartText::Found(frozen_text(&folder.part(n), digest)?));
    }
    // A run's plan is that of its variables; secrets have no part in it.
    let vars = header.vars.iter().filter_map(|(name, pinned)| match pinned {
        Pinned::Plain(json) => Some((name.clone(), Value { json: json.clone(), secret: false })),
        Pinned::Secret(_) => None,
    });
    let mut reading = syntax::read_given(&texts, &vars.collect());
    reading.plan.take().map(Arc::new).ok_or_else(|| super::check::failure(&folder.document(), &reading))
}

fn frozen_text(path: &Path, wanted: &str) -> Result<String, Failure> {
    let put_back = format!("a run works from its frozen copy; put back the file that it began with, SHA-256 {wanted}");
    let text = fs::read_to_string(path)
        .map_err(|error| Failure::could_not(format!("read `{}`: {error}", path.display())).hint(put_back.clone()))?;
    if digest(text.as_bytes()) != wanted {
        return Err(Failure::could_not(format!("use `{}`: it has been changed since the run began", path.display()))
            .hint(put_back));
    }
    Ok(text)
}

/// One thread: every wait is a future.
pub(super) fn runtime() -> Result<tokio::runtime::Runtime, Failure> {
    let built = tokio::runtime::Builder::new_current_thread().enable_all().build();
    built.map_err(|error| Failure::could_not(format!("begin to wait for anything: {error}")))
}

/// Who is at the keyboard, for the record.
pub(super) fn user() -> String {
    let named = ["SUDO_USER", "USER", "LOGNAME"].into_iter().find_map(|name| std::env::var(name).ok());
    named.filter(|name| !name.is_empty()).unwrap_or_else(|| format!("uid {}", rustix::process::getuid().as_raw()))
}

/// A program on PATH.
pub(super) fn find_program(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path)
        .map(|folder| folder.join(name))
        .find(|file| rustix::fs::access(file, rustix::fs::Access::EXEC_OK).is_ok() && file.is_file())
}

/// Everything around a run but the run itself.
pub(super) struct Setting {
    pub(super) run: RunId,
    pub(super) folder: RunFolder,
    pub(super) user: String,
    pub(super) output: Output,
    pub(super) options: Options,
    /// Where its process stands.
    pub(super) seat: Seat,
    /// What happened so far, of a run that is taken up.
    pub(super) story: Option<Story>,
}

/// Carries a run on until it ends or this process has no more part in it; tells how it went.
pub(super) async fn play(started: Started, mut setting: Setting, facts: Vec<Fact>) -> Result<Exit, Failure> {
    let plan = Arc::clone(started.session.plan());
    let here = matches!(setting.seat, Seat::Here);
    let at_terminal = here && setting.output == Output::Auto && io::stdout().is_terminal();
    let past = setting.story.take();
    let taken_up = past.is_some();
    let view = past.unwrap_or_else(|| new_story(&plan, &setting.run)).view;
    let asks = at_terminal && io::stdin().is_terminal() && !setting.options.no_wait;
    let desk = Desk::new(Sitting {
        user: setting.user.clone(),
        run: &setting.run,
        folder: setting.folder.path(),
        on_interrupt: plan.about().on_interrupt,
        watched: at_terminal,
        terminal: asks.then(|| theme(true)),
        over: started.session.outcome().is_some(),
    });
    let desk = desk.map_err(|error| Failure::could_not(format!("listen to orders: {error}")))?;
    let clock = started.clock.clone();
    let mut driver = Driver::new(Parts {
        session: started.session,
        clock: started.clock,
        folder: setting.folder.path().to_owned(),
        key: started.key,
        scope: started.scope,
        desk,
        reporter: setting.seat.announcing(reporter(&plan, &setting, at_terminal), &setting),
        view,
        options: setting.options.clone(),
    });
    if taken_up {
        driver.take_up().await.map_err(Failure::could_not)?;
    }
    let parting = driver.run(facts).await;
    let hint = format!("`runbook resume {}` takes it up", setting.run);
    let parting = parting.map_err(|error| Failure::could_not(error).hint(hint))?;
    if setting.output != Output::Json {
        let story = story_of(&plan, &setting, clock.time())?;
        let width = if at_terminal { usize::from(console::Term::stdout().size().1) } else { 100 };
        let theme = theme(at_terminal);
        for line in story.summary(&plan, width, theme) {
            say(&theme.paint(&line));
        }
    }
    Ok(parting.into())
}

/// The story of a run in which nothing has happened; it knows how long the way back takes at most.
pub(super) fn new_story(plan: &Arc<Plan>, run: &RunId) -> Story {
    let mut story = Story::new(plan, run.0.clone());
    story.view.bounded_by(Arc::new(Bounds::of(plan)));
    story
}

/// Takes what a journal tells into the story of its run.
pub(super) fn hear(story: &mut Story, plan: &Plan, header: &Header, heard: &Heard<'_>) {
    match heard {
        Heard::Record(record) => story.view.read(record),
        Heard::Order(record, command) => story.view.order(plan, record.at, command),
        Heard::News(news) => story.take(plan, &crate::drive::live::telling::told(news, header)),
    }
}

/// The story of a run as its journal tells it, looked at when its process leaves it.
fn story_of(plan: &Arc<Plan>, setting: &Setting, left: Time) -> Result<Story, Failure> {
    let bytes = journal_of(&setting.folder)?;
    let (header, _) = Reader::new(&bytes).map_err(Failure::could_not)?;
    let mut story = new_story(plan, &setting.run);
    let replayed = replay(plan, &bytes, |heard| hear(&mut story, plan, &header, heard)).map_err(Failure::could_not)?;
    story.view.look(plan, left);
    story.head = Some(replayed.head.to_string());
    word_questions(&mut story.view, plan, &setting.folder, &bytes);
    Ok(story)
}

/// Puts the questions of open gates into a view as they read. A run that is only looked at is shown even where its folder
/// does not tell what it works from: they stand there as they are written then.
pub(super) fn word_questions(view: &mut View, plan: &Arc<Plan>, folder: &RunFolder, journal: &[u8]) {
    if asking(view).is_empty() {
        return;
    }
    // Secrets stand in no question.
    if let Ok(recalled) = start::recall(folder, plan, journal, &BTreeMap::new()) {
        Open::word_questions(plan, view, &recalled.scope);
    }
}

/// The look that the environment asks for.
pub(super) fn theme(at_terminal: bool) -> Theme {
    Theme::from_env(at_terminal, |name| std::env::var(name).ok())
}

fn reporter(plan: &Arc<Plan>, setting: &Setting, at_terminal: bool) -> Box<dyn Reporter> {
    match setting.output {
        Output::Json => Box::new(Json::new(Arc::clone(plan), setting.run.0.clone(), io::stdout())),
        Output::Auto => reporter_at(plan, at_terminal),
        Output::Plain => reporter_at(plan, false),
    }
}

/// A live view at a terminal, else lines.
pub(super) fn reporter_at(plan: &Arc<Plan>, at_terminal: bool) -> Box<dyn Reporter> {
    if !at_terminal {
        return Box::new(Plain::new(Arc::clone(plan), io::stdout(), theme(io::stdout().is_terminal())));
    }
    let size = Box::new(|| {
        let (rows, columns) = console::Term::stdout().size();
        (usize::from(columns), usize::from(rows))
    });
    Box::new(Terminal::new(Arc::clone(plan), io::stdout(), size, theme(true)))
}
