//! Which phases and steps there are, in which order, and what sequences say of them.
//!
//! The order of the tables in a file decides only what is shown and started first among equals; sequences decide more.

use std::collections::{HashMap, HashSet};

use super::names::unknown;
use super::nearest::did_you_mean;
use super::node::{Fields, Node};
use super::problem::Problem;
use super::site::Spot;
use crate::model::{PhaseId, StepId};

/// Phases and steps in the order of the plan.
#[derive(Default)]
pub(super) struct Order<'t> {
    /// By phase, then as in its sequence, then as in the file.
    pub(super) steps: Vec<(&'t str, Fields<'t>)>,
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
    at: Spot,
}

impl<'t> Order<'t> {
    /// Reads `phases`, the sequences, and the `phase` of each step.
    pub(super) fn of(file: Fields<'t>, problems: &mut Vec<Problem>) -> Self {
        let steps = tables_of(file, "step");
        let by_name: HashMap<&str, usize> = steps.iter().enumerate().map(|(n, (name, _))| (*name, n)).collect();
        let phases = phases_of(file, problems);
        let phase_names: HashMap<&str, usize> = phases.iter().enumerate().map(|(n, (name, ..))| (*name, n)).collect();

        let mut seats: Vec<Option<Seat>> = vec![None; steps.len()];
        let mut elements: Vec<Vec<Vec<usize>>> = Vec::with_capacity(phases.len());
        for (phase, (_, table, _)) in phases.iter().enumerate() {
            let mut sequence = Vec::new();
            for (element, entry) in table.iter().flat_map(|table| table.list("sequence")).enumerate() {
                let names: Vec<Node<'_>> = entry.list().map_or_else(|| vec![entry], Iterator::collect);
                let mut members = Vec::with_capacity(names.len());
                for node in names {
                    let Some(name) = node.text() else { continue };
                    let Some(&step) = by_name.get(name) else {
                        let help = did_you_mean(name, steps.iter().map(|(name, _)| *name));
                        problems.push(unknown("step", name, help, node.at()));
                        continue;
                    };
                    if let Some(seat) = seats[step] {
                        let (at, also) = (node.at(), seat.at.span());
                        problems.push(Problem::SequencedTwice { step: name.to_owned(), at, also });
                        continue;
                    }
                    seats[step] = Some(Seat { phase, element, at: Spot::new(&node.value.span()) });
                    members.push(step);
                }
                sequence.push(members);
            }
            elements.push(sequence);
        }

        let said: Vec<Option<usize>> = steps
            .iter()
            .zip(&seats)
            .map(|((name, table), seat)| phase_of(name, *table, *seat, &phases, &phase_names, problems))
            .collect();
        unsaid_needs(&steps, &seats, &said, &phases, problems);
        put_in_order(&steps, phases, &seats, &said, &elements)
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
    step: &str,
    table: Fields<'_>,
    seat: Option<Seat>,
    phases: &[(&str, Option<Fields<'_>>, Spot)],
    by_name: &HashMap<&str, usize>,
    problems: &mut Vec<Problem>,
) -> Option<usize> {
    let Some(says) = table.text("phase") else {
        if seat.is_none() && !phases.is_empty() {
            problems.push(Problem::NoPhase { step: step.to_owned(), at: table.at() });
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
            let (step, says, phase) = (step.to_owned(), says.to_owned(), phases[seat.phase].0.to_owned());
            problems.push(Problem::OtherPhase { step, says, phase, at });
            Some(seat.phase)
        }
        _ => Some(said),
    }
}

/// With phases, only the first step of a phase without a sequence may leave `needs` out.
fn unsaid_needs(
    steps: &[(&str, Fields<'_>)],
    seats: &[Option<Seat>],
    said: &[Option<usize>],
    phases: &[(&str, Option<Fields<'_>>, Spot)],
    problems: &mut Vec<Problem>,
) {
    let mut taken: Vec<bool> =
        phases.iter().map(|(_, table, _)| table.is_some_and(|table| table.has("sequence"))).collect();
    for (n, (name, table)) in steps.iter().enumerate() {
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
    steps: &[(&'t str, Fields<'t>)],
    phases: Vec<(&'t str, Option<Fields<'t>>, Spot)>,
    seats: &[Option<Seat>],
    said: &[Option<usize>],
    elements: &[Vec<Vec<usize>>],
) -> Order<'t> {
    let mut order: Vec<usize> = (0..steps.len()).collect();
    let rank = |n: usize| {
        let seat = seats[n].map_or((usize::MAX, 0), |seat| (seat.element, seat.at.start() as usize));
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
