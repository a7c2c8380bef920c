//! What the past says of guards: a table of all of them, then of each one when and by what it would have breached.

use jiff::Timestamp;
use serde_json::{Value as Json, json};

use super::text::{Line, Role};
use crate::journal::Wall;
use crate::model::{Guard, GuardId, Hindsight, NoData, Plan, Span, Spell, Tested, Time};

/// So many breaches of a guard are told to people; a machine hears of all.
const TOLD_MOST: usize = 10;

/// The columns behind the name, and how wide each is.
const COLUMNS: [(&str, usize); 5] =
    [("breached", 10), ("in all", 10), ("longest", 10), ("not met", 10), ("no data", 9)];

/// What was tested, and when that was.
pub struct Tests<'a> {
    /// The runbook.
    pub plan: &'a Plan,
    /// The beginning of the stretch.
    pub from: Wall,
    /// Its end.
    pub to: Wall,
    /// What became of each guard.
    pub tested: &'a [(GuardId, Tested)],
}

impl Tests<'_> {
    /// For people, in lines no wider than `width`.
    pub fn lines(&self, width: usize) -> Vec<Line> {
        let about = &self.plan.about().name;
        let (from, to, span) = (moment(self.from), moment(self.to), self.end().since(Time::ZERO));
        let head = Line::of(Role::Strong, about).with(Role::Plain, format!(" from {from} to {to} UTC ({span})"));
        let mut lines = head.wrap(width, 2);
        lines.push(Line::new());
        lines.extend(self.table(width));
        for (guard, tested) in self.tested {
            if let Tested::Seen(seen) = tested {
                lines.extend(self.story(*guard, seen, width));
            }
        }
        lines.push(Line::new());
        let note = "Every guard was judged all the time, whatever phases or steps it belongs to, and by samples at the \
                    interval of its probes.";
        lines.extend(Line::of(Role::Dim, note).wrap(width, 0));
        lines
    }

    fn end(&self) -> Time {
        Time::from_millis(u64::try_from(self.to.millis() - self.from.millis()).unwrap_or(0))
    }

    fn table(&self, width: usize) -> Vec<Line> {
        let behind: usize = COLUMNS.iter().map(|(_, width)| width).sum();
        let names = self.tested.iter().map(|(guard, _)| self.plan.guard(*guard).name.len());
        let name = names.max().unwrap_or(0).clamp("guard".len(), width.saturating_sub(behind).max("guard".len()));
        let mut head = Line::of(Role::Dim, "guard");
        head.pad_to(name);
        for (title, column) in COLUMNS {
            head.push(Role::Dim, format!("{title:>column$}"));
        }
        let rows = self.tested.iter().flat_map(|(guard, tested)| {
            let mut row = Line::of(Role::Strong, &self.plan.guard(*guard).name).fit(name, "...");
            row.pad_to(name);
            match tested {
                Tested::Seen(seen) => vec![self.figures(row, seen)],
                Tested::Never(why) => row.with(Role::Warn, format!("  cannot be tested: {why}")).wrap(width, name + 2),
                Tested::Failed(why) => {
                    row.with(Role::Bad, format!("  could not be tested: {why}")).wrap(width, name + 2)
                }
            }
        });
        std::iter::once(head).chain(rows).collect()
    }

    fn figures(&self, mut row: Line, seen: &Hindsight) -> Line {
        let spans = || seen.breaches.iter().map(|breach| breach.span(self.end()));
        let none_or = |span: Span| if seen.breaches.is_empty() { "-".to_owned() } else { span.to_string() };
        let (role, times) = match (seen.breaches.len(), seen.blind.len()) {
            _ if seen.judged == 0 => (Role::Plain, "-".to_owned()),
            (0, 0) => (Role::Good, "0".to_owned()),
            (0, blind) => (Role::Warn, format!("{blind} blind")),
            (breached, _) => (Role::Bad, breached.to_string()),
        };
        let figures = [
            times,
            none_or(spans().fold(Span::ZERO, Span::plus)),
            none_or(spans().max().unwrap_or_default()),
            if seen.failed == Span::ZERO { "-".to_owned() } else { seen.failed.to_string() },
            share(seen.no_data, seen.span()),
        ];
        let roles = [role, Role::Plain, Role::Plain, Role::Plain, Role::Plain];
        for ((role, figure), (_, column)) in roles.into_iter().zip(figures).zip(COLUMNS) {
            row.push(role, format!("{figure:>column$}"));
        }
        row
    }

    /// When it would have breached, and why there was no data.
    fn story(&self, id: GuardId, seen: &Hindsight, width: usize) -> Vec<Line> {
        let guard = self.plan.guard(id);
        let mut lines = Vec::new();
        let kinds = [
            (&seen.breaches, Role::Bad, ""),
            (&seen.blind, Role::Warn, "blind "),
            (&seen.warned, Role::Warn, "warned "),
        ];
        for (spells, role, word) in kinds {
            let untold = spells.len().saturating_sub(TOLD_MOST);
            if untold > 0 {
                let text = format!("  the last {TOLD_MOST} of {}; --output json has all", spells.len());
                lines.push(Line::of(Role::Dim, text));
            }
            lines.extend(spells[untold..].iter().flat_map(|spell| self.spell(spell, role, word, width)));
        }
        if let (Some(why), true) = (&seen.why_none, seen.no_data > Span::ZERO) {
            let text = format!("  no data for {}, the last time because {why}", seen.no_data);
            lines.extend(Line::of(Role::Warn, text).wrap(width, 4));
        }
        if let Some(why) = &seen.why_unwarned {
            let text = format!("  its warning is not tested: {why}");
            lines.extend(Line::of(Role::Warn, text).wrap(width, 4));
        }
        if !lines.is_empty() {
            let head = Line::of(Role::Strong, &guard.name).with(Role::Plain, self.rule(guard));
            let head = std::iter::once(Line::new()).chain(head.wrap(width, 2));
            lines.splice(0..0, head);
        }
        lines
    }

    /// What it asks for.
    fn rule(&self, guard: &Guard) -> String {
        let Some(watched) = guard.rule.condition() else { return String::new() };
        let no_data = match guard.no_data {
            NoData::Fail => "",
            NoData::Ignore => ", no data ignored",
            NoData::Pause => ", no data pauses",
        };
        let require = &self.plan.condition(watched.require).text;
        format!(": {require} (breached at {} of {}{no_data})", watched.failures, watched.of)
    }

    fn spell(&self, spell: &Spell, role: Role, word: &str, width: usize) -> Vec<Line> {
        let at = Wall::from_millis(self.from.millis() + i64::try_from(spell.from.millis()).unwrap_or(0));
        let goes_on = if spell.to.is_none() { ", and goes on" } else { "" };
        Line::of(Role::Plain, format!("  {}  ", moment(at)))
            .with(role, format!("{word}for {}{goes_on}", spell.span(self.end())))
            .with(Role::Plain, format!(": {}", spell.evidence))
            .wrap(width, 4)
    }

    /// For a machine: one object for each guard.
    pub fn as_json(&self) -> impl Iterator<Item = Json> + '_ {
        self.tested.iter().map(|(id, tested)| {
            let guard = self.plan.guard(*id);
            let mut object = json!({ "guard": guard.name, "from": self.from.to_string(), "to": self.to.to_string() });
            if let Some(watched) = guard.rule.condition() {
                object["require"] = self.plan.condition(watched.require).text.as_str().into();
                object["failures"] = watched.failures.into();
                object["of"] = watched.of.into();
            }
            let more = match tested {
                Tested::Seen(seen) => self.figures_json(seen),
                Tested::Never(why) => json!({ "result": "cannot be tested", "why": why }),
                Tested::Failed(why) => json!({ "result": "failed", "why": why }),
            };
            if let (Json::Object(object), Json::Object(more)) = (&mut object, more) {
                object.extend(more);
            }
            object
        })
    }

    fn figures_json(&self, seen: &Hindsight) -> Json {
        let spells = |spells: &[Spell]| spells.iter().map(|spell| self.spell_json(spell)).collect::<Vec<_>>();
        json!({
            "result": "tested",
            "judged": seen.judged,
            "held_ms": seen.held.millis(),
            "not_met_ms": seen.failed.millis(),
            "no_data_ms": seen.no_data.millis(),
            "why_no_data": seen.why_none,
            "breaches": spells(&seen.breaches),
            "blind": spells(&seen.blind),
            "warned": spells(&seen.warned),
            "why_not_warned": seen.why_unwarned,
        })
    }

    fn spell_json(&self, spell: &Spell) -> Json {
        let wall =
            |at: Time| Wall::from_millis(self.from.millis() + i64::try_from(at.millis()).unwrap_or(0)).to_string();
        json!({
            "at": wall(spell.from), "until": spell.to.map(wall),
            "ms": spell.span(self.end()).millis(), "evidence": spell.evidence,
        })
    }
}

/// To the second: the rest is for machines.
fn moment(at: Wall) -> String {
    let stamp = Timestamp::from_millisecond(at.millis()).unwrap_or_default();
    stamp.strftime("%Y-%m-%d %H:%M:%S").to_string()
}

/// In percent, to a tenth.
fn share(part: Span, whole: Span) -> String {
    match (part.millis().saturating_mul(1000)).checked_div(whole.millis()) {
        None => "-".to_owned(),
        Some(0) if part > Span::ZERO => "<0.1%".to_owned(),
        Some(tenths) => format!("{}.{}%", tenths / 10, tenths % 10),
    }
}
