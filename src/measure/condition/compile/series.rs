//! What is asked of the history of probes: `series.lag.avg("30s")`, `judge(series.new, series.old, { over: "5m" })`.

use cel::common::ast::{CallExpr, EntryExpr, Expr, IdedExpr, LiteralValue};

use super::super::judged::Pair;
use super::super::names::Measured;
use super::super::node::Read;
use super::paths::Path;
use super::{Compiler, Kind, Node, nearest};
use crate::measure::comparison::{Answer, Terms};
use crate::measure::series::Fold;
use crate::model::Span;

/// The functions of a series.
const FUNCTIONS: [&str; 6] = ["avg", "min", "max", "rate", "p", "count"];
/// The options of `judge`.
const OPTIONS: [&str; 4] = ["confidence", "tolerance", "over", "points"];
/// What `judge` answers.
pub(super) const ANSWERS: [&str; 3] = [Answer::Pass.word(), Answer::High.word(), Answer::Low.word()];

/// Of `judge`, where nothing else is said. The first two are Kayenta's, the third is where R stops computing exactly.
const CONFIDENCE: f64 = 0.98;
const TOLERANCE: f64 = 0.25;
const POINTS: u32 = 50;
const OVER: Span = Span::from_secs(300);
/// More would keep a run from what else it has to do.
const POINTS_MAX: u64 = 10_000;

/// Why something cannot be compiled: what, where, and what to write instead.
struct Wrong {
    at: u64,
    message: String,
    help: Option<String>,
}

impl Wrong {
    fn new(at: u64, message: impl Into<String>, help: impl Into<String>) -> Self {
        Self { at, message: message.into(), help: Some(help.into()) }
    }
}

impl Compiler<'_> {
    /// `series.lag.avg("30s")`.
    pub(super) fn series(&mut self, at: u64, path: &Path<'_>, call: &CallExpr) -> (Node, Kind) {
        match self.fold(at, path, call) {
            Ok(read) => (Node::Read(read), Kind::Number),
            Err(wrong) if wrong.at == at => self.wrong_path(path.at, wrong.message, wrong.help),
            Err(wrong) => self.refused(wrong),
        }
    }

    /// `judge(series.new, series.old, { ... })`.
    pub(super) fn judgement(&mut self, at: u64, call: &CallExpr) -> (Node, Kind) {
        match self.comparison_of(at, call) {
            Ok(pair) => (Node::Read(Read::Judged(Box::new(pair))), Kind::Text),
            Err(wrong) => self.refused(wrong),
        }
    }

    fn refused(&mut self, wrong: Wrong) -> (Node, Kind) {
        self.wrong(wrong.at, wrong.message, wrong.help)
    }

    fn fold(&mut self, at: u64, path: &Path<'_>, call: &CallExpr) -> Result<Read, Wrong> {
        let (probe, measured) = self.history(at, path)?;
        let name = call.func_name.as_str();
        let arguments = call.args.as_slice();
        let fold = match (name, arguments) {
            ("avg", [_]) => Fold::Avg,
            ("min", [_]) => Fold::Min,
            ("max", [_]) => Fold::Max,
            ("rate", [_]) => Fold::Rate,
            ("count", [_]) => Fold::Count,
            ("p", [percent, _]) => Fold::Percentile(percentile(percent)?),
            ("p", _) => {
                let help = format!("write `series.{probe}.p(99, \"30s\")`");
                return Err(Wrong::new(at, "`p` needs a percentage and a length of time", help));
            }
            (known, _) if FUNCTIONS.contains(&known) => {
                let help = format!("write `series.{probe}.{known}(\"30s\")`");
                return Err(Wrong::new(at, format!("`{known}` of a series needs a length of time"), help));
            }
            (unknown, _) => {
                let help = nearest(unknown, FUNCTIONS).map_or_else(
                    || format!("a series has {}", FUNCTIONS.join(", ")),
                    |name| format!("did you mean `{name}`?"),
                );
                return Err(Wrong::new(at, format!("a series has no `{unknown}`"), help));
            }
        };
        let over = length(&probe, measured, arguments.last())?;
        // Samples are an interval apart: the stretch of one interval has one.
        let longest = measured.interval.times(u64::try_from(fold.samples_min().saturating_sub(1)).unwrap_or(u64::MAX));
        if over <= longest {
            let message = format!("`{name}` needs {} samples, and {over} has one", fold.samples_min());
            let help = format!("probe `{probe}` is measured every {}: take several times that", measured.interval);
            return Err(Wrong::new(at, message, help));
        }
        self.note_series(&probe, over);
        Ok(Read::Fold { probe, fold, over })
    }

    fn comparison_of(&mut self, at: u64, call: &CallExpr) -> Result<Pair, Wrong> {
        let usage = "write `judge(series.new, series.old, { over: \"5m\" })`";
        let (new, old, options) = match call.args.as_slice() {
            [new, old] if call.target.is_none() => (new, old, None),
            [new, old, options] if call.target.is_none() => (new, old, Some(options)),
            _ => return Err(Wrong::new(at, "`judge` compares two series", usage)),
        };
        let mut terms = Terms { confidence: CONFIDENCE, tolerance: TOLERANCE };
        let (mut over, mut points) = (OVER, POINTS);
        for (key, value) in options.map(entries).transpose()?.unwrap_or_default() {
            match key.name {
                "confidence" => {
                    terms.confidence = number(value, "`confidence` is above 0.5 and below 1", |n| n > 0.5 && n < 1.0)?;
                }
                "tolerance" => {
                    terms.tolerance =
                        number(value, "`tolerance` is at least 0 and below 1", |n| (0.0..1.0).contains(&n))?;
                }
                "over" => over = duration(value)?,
                "points" => points = number_of_points(value)?,
                unknown => {
                    let help = nearest(unknown, OPTIONS).map_or_else(
                        || format!("it has {}", OPTIONS.join(", ")),
                        |name| format!("did you mean `{name}`?"),
                    );
                    return Err(Wrong::new(key.at, format!("`judge` has no `{unknown}`"), help));
                }
            }
        }
        let mut side = |tree: &IdedExpr| -> Result<String, Wrong> {
            let path = Path::of(tree).filter(|path| path.begins_with("series"));
            let path = path.ok_or_else(|| Wrong::new(at, "`judge` compares two series", usage))?;
            let (probe, measured) = self.history(path.at, &path)?;
            check_length(&probe, measured, over, at)?;
            if over < measured.interval.times(points.into()) {
                let message = format!("{over} of `series.{probe}` are fewer than {points} points");
                let help = format!("probe `{probe}` is measured every {}", measured.interval);
                return Err(Wrong::new(at, message, help));
            }
            // Of a plan's texts, which have been compiled before, no interval is known.
            let most = measured.interval.times(POINTS_MAX);
            if most > Span::ZERO && over > most {
                let message = format!("{over} of `series.{probe}` are more than {POINTS_MAX} points");
                let help = format!("probe `{probe}` is measured every {}", measured.interval);
                return Err(Wrong::new(at, message, help));
            }
            self.note_series(&probe, over);
            Ok(probe)
        };
        let (new, old) = (side(new)?, side(old)?);
        Ok(Pair { new, old, terms, over, points: points as usize })
    }

    /// The probe of `series.<name>` and what is kept of it.
    fn history(&self, at: u64, path: &Path<'_>) -> Result<(String, Measured), Wrong> {
        if !self.locals.has_history() {
            let help = "an `expect` sees the answer of its action; measure in `success`";
            return Err(Wrong::new(at, "`series` has no place in an `expect`", help));
        }
        let [name] = path.fields() else {
            let help = "write `series.<probe>.avg(\"30s\")`";
            return Err(Wrong::new(at, "a series is that of a probe", help));
        };
        let Some(measured) = self.names.measured(name) else {
            let help = nearest(name, self.names.probes.keys().copied()).map(|name| format!("did you mean `{name}`?"));
            return Err(Wrong { at, message: format!("there is no probe `{name}`"), help });
        };
        match measured.kind {
            Kind::Number | Kind::Any => Ok(((*name).to_owned(), measured)),
            other => {
                let message = format!("a series is one of numbers, and `probe.{name}` is {other}");
                Err(Wrong { at, message, help: None })
            }
        }
    }

    /// Notes that a condition reads so much of a series; of several lengths the longest counts.
    fn note_series(&mut self, probe: &str, over: Span) {
        super::paths::note(&mut self.reads.probes, probe);
        match self.reads.series.iter_mut().find(|(known, _)| known == probe) {
            Some((_, longest)) => *longest = over.max(*longest),
            None => self.reads.series.push((probe.to_owned(), over)),
        }
    }
}

fn check_length(probe: &str, measured: Measured, over: Span, at: u64) -> Result<(), Wrong> {
    if over <= measured.keep {
        return Ok(());
    }
    let message = format!("this reads {over} of `series.{probe}`, and {} are kept", measured.keep);
    Err(Wrong::new(at, message, format!("write `keep = \"{}\"` into [probe.{probe}]", over.written())))
}

fn length(probe: &str, measured: Measured, argument: Option<&IdedExpr>) -> Result<Span, Wrong> {
    let Some(argument) = argument else { return Ok(Span::ZERO) };
    let over = duration(argument)?;
    check_length(probe, measured, over, argument.id)?;
    Ok(over)
}

fn percentile(tree: &IdedExpr) -> Result<f64, Wrong> {
    number(tree, "the first argument of `p` is a percentage, 0 to 100", |n| (0.0..=100.0).contains(&n))
}

fn number_of_points(tree: &IdedExpr) -> Result<u32, Wrong> {
    let most = f64::from(u32::MAX);
    let message = format!("`points` is a whole number of at least {POINTS}");
    let points = number(tree, &message, |n| n.fract() == 0.0 && (f64::from(POINTS)..=most).contains(&n))?;
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it was checked just above")]
    Ok(points as u32)
}

/// A number that is written out.
fn number(tree: &IdedExpr, message: &str, fits: impl Fn(f64) -> bool) -> Result<f64, Wrong> {
    #[expect(clippy::cast_precision_loss, reason = "no number so large fits anywhere here")]
    let number = match &tree.expr {
        Expr::Literal(LiteralValue::Int(whole)) => Some(**whole as f64),
        Expr::Literal(LiteralValue::Double(decimal)) => Some(**decimal),
        _ => None,
    };
    number.filter(|number| fits(*number)).ok_or_else(|| Wrong {
        at: tree.id,
        message: message.to_owned(),
        help: Some("a number that is written out".to_owned()).filter(|_| number.is_none()),
    })
}

/// A length of time that is written out, and is one.
fn duration(tree: &IdedExpr) -> Result<Span, Wrong> {
    let span = match &tree.expr {
        Expr::Literal(LiteralValue::String(text)) => Span::parse(text.inner()).filter(|span| *span > Span::ZERO),
        _ => None,
    };
    span.ok_or_else(|| Wrong::new(tree.id, "this is no length of time", "write one out, such as \"30s\" or \"5m\""))
}

/// The name of an option, and where it stands.
struct OptionName<'t> {
    name: &'t str,
    at: u64,
}

/// `{ confidence: 0.98 }`: names may stand in quotes.
fn entries(tree: &IdedExpr) -> Result<Vec<(OptionName<'_>, &IdedExpr)>, Wrong> {
    let usage = "write `{ over: \"5m\", points: 50 }`";
    let wrong = |at: u64| Wrong::new(at, "the options of `judge` are names and values", usage);
    let Expr::Map(map) = &tree.expr else { return Err(wrong(tree.id)) };
    let mut entries = Vec::new();
    for entry in &map.entries {
        let EntryExpr::MapEntry(entry) = &entry.expr else { return Err(wrong(entry.id)) };
        let name = match &entry.key.expr {
            Expr::Ident(name) => name.as_str(),
            Expr::Literal(LiteralValue::String(name)) => name.inner(),
            _ => return Err(wrong(entry.key.id)),
        };
        entries.push((OptionName { name, at: entry.key.id }, &entry.value));
    }
    Ok(entries)
}
