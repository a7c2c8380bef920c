//! Asks a person for the values of a pattern's variables, one after the other, at the terminal.

use std::collections::BTreeMap;
use std::io::{self, IsTerminal as _};

use serde_json::Value as Json;

use super::{shown, worth};
use crate::cli::failure::Failure;
use crate::cli::output::{print, say};
use crate::cli::read::size;
use crate::cli::stage::{self, theme};
use crate::drive::live::prompt::{self, How, Prompt, Question, Reply};
use crate::drive::live::vars;
use crate::model::VarDecl;
use crate::report::Theme;
use crate::report::text::{Line, Role};

/// How it went.
pub(super) enum Asked {
    /// Everything has an answer.
    All,
    /// Ctrl-C, or the terminal went away.
    Interrupted,
}

/// Whether somebody is there.
pub(super) fn may_ask() -> bool {
    io::stdin().is_terminal() && io::stdout().is_terminal() && prompt::may_ask()
}

/// Asks for every variable that has no value yet. Nothing typed leaves it as it is, where it is anything. Secrets are not
/// asked for: they are written into no file.
pub(super) fn ask(own: &[&VarDecl], values: &mut BTreeMap<String, Json>) -> Result<Asked, Failure> {
    let runtime = stage::runtime()?;
    let open: Vec<&VarDecl> =
        own.iter().copied().filter(|var| !var.secret && !values.contains_key(&var.name)).collect();
    for (n, var) in open.iter().enumerate() {
        let mut wrong: Option<String> = None;
        loop {
            let answer = match runtime.block_on(one(var, (n + 1, open.len()), wrong.as_deref()))? {
                Reply::Chosen(n) => var.choices.get(n).cloned().map(Ok),
                Reply::Typed(text) if text.is_empty() => None,
                Reply::Typed(text) => Some(vars::typed(var, &text)),
                Reply::Interrupted | Reply::Gone => {
                    say("nothing was written");
                    return Ok(Asked::Interrupted);
                }
            };
            match answer {
                Some(Ok(value)) => {
                    kept(&var.name, &format!("`{}`", shown(&value)));
                    values.insert(var.name.clone(), value);
                    break;
                }
                None if var.sources.is_empty() => wrong = Some("it has no default: something must be typed".to_owned()),
                None => {
                    kept(&var.name, &worth(var));
                    break;
                }
                Some(Err(error)) => wrong = Some(format!("could not {error}")),
            }
        }
    }
    Ok(Asked::All)
}

async fn one(var: &VarDecl, (n, of): (usize, usize), wrong: Option<&str>) -> Result<Reply, Failure> {
    let theme = theme(true);
    let summary = var.summary.as_deref().unwrap_or("");
    let mut block = vec![Line::of(Role::Dim, format!("{n} of {of}  ")).with(Role::Plain, summary)];
    if !var.sources.is_empty() {
        block.push(Line::of(Role::Dim, "Enter leaves  ").with(Role::Plain, worth(var)));
    }
    block.extend(vars::typed_as(var).filter(|_| var.choices.is_empty()).map(|how| Line::of(Role::Dim, how)));
    block.extend(wrong.map(|wrong| Line::of(Role::Bad, wrong)));
    let how = if var.choices.is_empty() { How::Type } else { How::Choose(var.choices.iter().map(shown).collect()) };
    let question = Question { prompt: var.name.clone(), how, plain: theme != Theme::FULL };
    let width = usize::from(console::Term::stdout().size().1);
    let block = block.into_iter().flat_map(|line| line.wrap(width, 2)).collect();
    let mut asked = Prompt::open(&question, block, theme)
        .map_err(|error| Failure::could_not(format!("ask at the terminal: {error}")))?;
    Ok(asked.reply().await)
}

/// What a variable is from now on.
fn kept(name: &str, value: &str) {
    print(&Line::of(Role::Dim, format!("  {name} = {value}")).wrap(size().0, 4));
}
