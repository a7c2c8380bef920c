//! Which phases and steps there are, in which order, and what sequences say of them.
//!
//! The order of the tables in a file decides only what is shown and started first among equals; sequences decide more.

use std::collections::{HashMap, HashSet};

use super::include::Include;
use super::misfit::Misfit;
use super::names::{Named, unknown};
use super::nearest::did_you_mean;
use super::node::{Fields, Node};
use super::problem::Problem;
use super::site::Spot;
use crate::model::{PhaseId, StepId};

/// Phases and steps in the order of the plan.
#[derive(Default)]
pub(super) struct Order<'t> {
    /// By phase, then as in its sequence, then as in the file.
    pub(super) steps: Vec<Named<'t>>,
    /// As `phases` lists them, with their tables where they have one, and where they are listed.
    pub(super) phases: Vec<(&'t str, Option<Fields<'t>>, Spot)>,
    /// By step.
    pub(super) phase_of: Vec<Option<PhaseId>>,
    /// By step: what the sequence it stands in puts before it.
    pub(super) needs: Vec<Vec<StepId>>,
}

/// Where a step stands in a sequence.
#[derive(Clone, Copy)]
struct Seat {
    phase: usize,
    /// Which element of the sequence.
    element: usize,
    /// How many were seated before it.
    turn: usize,
    at: Spot,
}

impl<'t> Order<'t> {
    /// Reads `phases`, the sequences, and the `phase` of each step.
    pub(super) fn of(
        file: Fields<'t>,
        steps: &[Named<'t>],
        includes: &[Include<'t>],
        problems: &mut Vec<Problem>,
    ) -> Self {
        let phases = phases_of(file, problems);
        let phase_names: HashMap<&str, usize> = phases.iter().enumerate().map(|(n, (name, ..))| (*name, n)).collect();
        let mut seating = Seating::of(steps, includes, problems);
        let elements: Vec<Vec<Vec<usize>>> =
            phases.iter().enumerate().map(|(phase, (_, table, _))| seating.sequence(phase, *table)).collect();
        seating.mind_parts();
        let seats = seating.seats;

        let said: Vec<Option<usize>> = steps
            .iter()
            .zip(&seats)
            .map(|(step, seat)| phase_of(step, *seat, &phases, &phase_names, problems))
            .collect();
        unsaid_needs(steps, &seats, &said, &phases, problems);
        put_in_order(steps, phases, &seats, &said, &elements)
    }
}

/// Gives steps their seats, sequence by sequence.
struct Seating<'s, 't> {
    steps: &'s [Named<'t>],
    by_name: HashMap<&'t str, usize>,
    includes: &'s [Include<'t>],
    /// The first step of each part.
    first_of_part: Vec<usize>,
    seats: Vec<Option<Seat>>,
    /// Parts that stand where a part cannot stand.
    misplaced: HashSet<&'t str>,
    turn: usize,
    problems: &'s mut Vec<Problem>,
}

impl<'s, 't> Seating<'s, 't> {
    fn of(steps: &'s [Named<'t>], includes: &'s [Include<'t>], problems: &'s mut Vec<Problem>) -> Self {
        let first = |part| steps.iter().position(|step| step.scope == part + 1).unwrap_or(steps.len());
        Self {
            steps,
            by_name: steps.iter().enumerate().map(|(n, step)| (step.name, n)).collect(),
            includes,
            first_of_part: (0..includes.len()).map(first).collect(),
            seats: vec![None; steps.len()],
            misplaced: HashSet::new(),
            turn: 0,
            problems,
        }
    }

    /// The elements of a phase's sequence; the name of a part stands for those of its own.
    fn sequence(&mut self, phase: usize, table: Option<Fields<'t>>) -> Vec<Vec<usize>> {
        let mut sequence: Vec<Vec<usize>> = Vec::new();
        for entry in table.iter().flat_map(|table| table.list("sequence")) {
            if let Some(part) = self.part(entry) {
                let (includes, first) = (self.includes, self.first_of_part[part]);
                for members in &includes[part].sequence {
                    let element = sequence.len();
                    let steps = members.iter().map(|step| first + step);
                    sequence.push(steps.filter(|step| self.seat(*step, phase, element, entry)).collect());
                }
                continue;
            }
            let nodes: Vec<Node<'_>> = entry.list().map_or_else(|| vec![entry], Iterator::collect);
            let element = sequence.len();
            let steps = nodes.into_iter().filter_map(|node| Some((self.step(node)?, node)));
            let steps: Vec<_> = steps.collect();
            sequence.push(
                steps
                    .into_iter()
                    .filter(|(step, node)| self.seat(*step, phase, element, *node))
                    .map(|it| it.0)
                    .collect(),
            );
        }
        sequence
    }

    fn part(&self, node: Node<'_>) -> Option<usize> {
        let name = node.text()?;
        self.includes.iter().position(|include| include.name == name)
    }

    fn step(&mut self, node: Node<'_>) -> Option<usize> {
        let name = node.text()?;
        if let Some(part) = self.part(node) {
            self.misplaced.insert(self.includes[part].name);
            let what = "a whole part beside other steps".to_owned();
            self.problems.push(Misfit::NotYet { what, at: node.at() }.into());
            return None;
        }
        let step = self.by_name.get(name).copied();
        if step.is_none() {
            let names = self.steps.iter().map(|step| step.name).chain(self.includes.iter().map(|part| part.name));
            self.problems.push(unknown("step", name, did_you_mean(name, names), node.at()));
        }
        step
    }

    /// Whether the step had no seat before.
    fn seat(&mut self, step: usize, phase: usize, element: usize, node: Node<'_>) -> bool {
        if let Some(seat) = self.seats[step] {
            let (at, also) = (node.at(), seat.at.span());
            self.problems.push(Problem::SequencedTwice { step: self.steps[step].name.to_owned(), at, also });
            return false;
        }
        self.seats[step] = Some(Seat { phase, element, turn: self.turn, at: Spot::new(&node.value.span()) });
        self.turn += 1;
        true
    }

    /// Steps of parts that would never run.
    fn mind_parts(&mut self) {
        for (n, include) in self.includes.iter().enumerate() {
            let of_part = self.steps.iter().zip(&self.seats).filter(|(step, _)| step.scope == n + 1);
            let (seated, left): (Vec<_>, Vec<_>) = of_part.partition(|(_, seat)| seat.is_some());
            // Of one that says nothing of its steps, or stands in a wrong place, that has been told.
            if include.sequence.is_empty() || self.misplaced.contains(include.name) {
                continue;
            }
            let (part, at) = (include.name.to_owned(), include.of.at());
            if seated.is_empty() {
                self.problems.push(Problem::PartUnused { part, at });
                continue;
            }
            // What its own sequence does not have is the part's mistake, and told there.
            let listed: Vec<usize> = include.sequence.iter().flatten().copied().collect();
            let listed = |name: &str| listed.iter().any(|step| include.steps[*step].written == name);
            for (step, _) in left.iter().filter(|(step, _)| listed(step.written)) {
                let (part, step, name) = (part.clone(), step.written.to_owned(), step.name.to_owned());
                self.problems.push(Problem::PartStepUnused { part, step, name, at });
            }
        }
    }
}

/// The tables behind a top-level key, in file order.
pub(super) fn tables_of<'t>(file: Fields<'t>, key: &str) -> Vec<(&'t str, Fields<'t>)> {
    let Some(all) = file.fields(key) else { return Vec::new() };
    all.in_file_order().into_iter().filter_map(|(name, node)| Some((name, node.fields()?))).collect()
}

fn phases_of<'t>(file: Fields<'t>, problems: &mut Vec<Problem>) -> Vec<(&'t str, Option<Fields<'t>>, Spot)> {
    let mut tables: HashMap<&str, Fields<'t>> = HashMap::new();
    let in_order = tables_of(file, "phase");
    tables.extend(in_order.iter().copied());
    let mut phases: Vec<(&'t str, Option<Fields<'t>>, Spot)> = Vec::new();
    let mut listed: HashSet<&str> = HashSet::new();
    for node in file.fields("runbook").iter().flat_map(|runbook| runbook.list("phases")) {
        let Some(name) = node.text() else { continue };
        if !listed.insert(name) {
            problems.push(Problem::NamedTwice { name: name.to_owned(), key: "phases", at: node.at() });
            continue;
        }
        phases.push((name, tables.get(name).copied(), Spot::new(&node.value.span())));
    }
    // One that is not listed is read like the others, so that what it says is checked too.
    for (name, table) in in_order {
        if !listed.contains(name) {
            problems.push(Problem::UnlistedPhase { phase: name.to_owned(), at: table.at() });
            phases.push((name, Some(table), table.named_at));
        }
    }
    phases
}

/// The phase of a step: of the sequence it stands in, or that it says.
fn phase_of(
    step: &Named<'_>,
    seat: Option<Seat>,
    phases: &[(&str, Option<Fields<'_>>, Spot)],
    by_name: &HashMap<&str, usize>,
    problems: &mut Vec<Problem>,
) -> Option<usize> {
    let Named { name, of: table, scope, .. } = *step;
    // Where the steps of a part run is said in sequences, and nowhere else.
    let Some(says) = table.text("phase").filter(|_| scope == 0) else {
        if seat.is_none() && !phases.is_empty() && scope == 0 {
            problems.push(Problem::NoPhase { step: name.to_owned(), at: table.at() });
        }
        return seat.map(|seat| seat.phase);
    };
    let at = table.at_key("phase");
    let Some(&said) = by_name.get(says) else {
        let help = did_you_mean(says, phases.iter().map(|(name, ..)| *name))
            .or_else(|| Some(format!("list it in [runbook]: phases = [..., \"{says}\"]")));
        problems.push(unknown("phase", says, help, at));
        return seat.map(|seat| seat.phase);
    };
    match seat {
        Some(seat) if seat.phase != said => {
            let (step, says, phase) = (name.to_owned(), says.to_owned(), phases[seat.phase].0.to_owned());
            problems.push(Problem::OtherPhase { step, says, phase, at });
            Some(seat.phase)
        }
        _ => Some(said),
    }
}

/// With phases, only the first step of a phase without a sequence may leave `needs` out.
fn unsaid_needs(
    steps: &[Named<'_>],
    seats: &[Option<Seat>],
    said: &[Option<usize>],
    phases: &[(&str, Option<Fields<'_>>, Spot)],
    problems: &mut Vec<Problem>,
) {
    let mut taken: Vec<bool> =
        phases.iter().map(|(_, table, _)| table.is_some_and(|table| table.has("sequence"))).collect();
    for (n, Named { name, of: table, .. }) in steps.iter().enumerate() {
        let Some(phase) = said[n] else { continue };
        if seats[n].is_some() || table.has("needs") {
            continue;
        }
        if std::mem::replace(&mut taken[phase], true) {
            let (step, phase) = ((*name).to_owned(), phases[phase].0.to_owned());
            problems.push(Problem::NoNeeds { step, phase, at: table.at() });
        }
    }
}

fn put_in_order<'t>(
    steps: &[Named<'t>],
    phases: Vec<(&'t str, Option<Fields<'t>>, Spot)>,
    seats: &[Option<Seat>],
    said: &[Option<usize>],
    elements: &[Vec<Vec<usize>>],
) -> Order<'t> {
    let mut order: Vec<usize> = (0..steps.len()).collect();
    let rank = |n: usize| {
        let seat = seats[n].map_or((usize::MAX, 0), |seat| (seat.element, seat.turn));
        (said[n].unwrap_or(usize::MAX), seat)
    };
    order.sort_by_key(|n| rank(*n));
    let mut id_of = vec![StepId::at(0); steps.len()];
    for (id, &n) in order.iter().enumerate() {
        id_of[n] = StepId::at(id);
    }
    let needs = |n: usize| match seats[n] {
        Some(Seat { phase, element, .. }) => {
            // An element of which nothing could be read stands between nothing.
            let before = elements[phase][..element].iter().rev().find(|members| !members.is_empty());
            before.into_iter().flatten().map(|member| id_of[*member]).collect()
        }
        None => Vec::new(),
    };
    Order {
        phase_of: order.iter().map(|n| said[*n].map(PhaseId::at)).collect(),
        needs: order.iter().map(|n| needs(*n)).collect(),
        steps: order.iter().map(|n| steps[*n]).collect(),
        phases,
    }
}
