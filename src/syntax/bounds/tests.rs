//! The bounds of small plans, counted by hand and by the letter of the rule.

use proptest::prelude::*;

use petgraph::graph::NodeIndex;

use crate::model::{
    Action, Bounds, Bracket, Manual, Node, OnStop, Plan, Policy, RollbackEdge, Span, StepId, Target, Template, Trigger,
    WayBack,
};
use crate::syntax::sketch::{Sketch, undo};

fn secs(n: u64) -> Span {
    Span::from_secs(n)
}

#[test]
fn a_chain_goes_back_in_the_sum_of_its_undos_and_a_fan_on_its_slots() {
    let mut chain = Sketch::new();
    chain.step("a", &[]).undo(undo(secs(10))).step("b", &["a"]).undo(undo(secs(20))).step("c", &["b"]);
    let bounds = Bounds::of(&chain.plan());
    assert_eq!(bounds.steps[0].back, WayBack { undos: 1, bound: secs(10), closed_by: None });
    assert_eq!(bounds.steps[2].back, WayBack { undos: 2, bound: secs(30), closed_by: None });
    assert_eq!(bounds.worst.bound, secs(30));

    let mut fan = Sketch::new();
    fan.slots(2);
    for name in ["a", "b", "c", "d"] {
        fan.step(name, &[]).undo(undo(secs(10)));
    }
    // 40 s of work on two slots, and half of the longest.
    assert_eq!(Bounds::of(&fan.plan()).worst, WayBack { undos: 4, bound: secs(25), closed_by: None });
}

#[test]
fn an_undo_counts_its_attempts_pauses_kills_and_criteria() {
    let mut sketch = Sketch::new();
    let mut work = undo(secs(10));
    work.kill_after = secs(5);
    work.retry.attempts = 3;
    work.retry.delay = secs(1);
    work.retry.factor = 2.0;
    sketch.step("a", &[]).undo(work);
    let within = sketch.criterion("true", Some(secs(4)));
    sketch.edit_undo(|undo| undo.success = vec![within.clone()]);
    sketch.draft.about.restored = vec![within];
    // 3 x (10 + 5 + 4) + 1 + 2, then `restored`.
    assert_eq!(Bounds::of(&sketch.plan()).worst.bound, secs(57 + 3 + 4));
}

#[test]
fn what_finishes_before_a_rollback_counts_with_its_timeout() {
    let mut sketch = Sketch::new();
    sketch.step("a", &[]).undo(undo(secs(1))).edit(|step| {
        step.on_stop = OnStop::Finish;
        step.forward.timeout = secs(30);
        step.forward.kill_after = secs(2);
    });
    assert_eq!(Bounds::of(&sketch.plan()).steps[0].back.bound, secs(33));
}

#[test]
fn behind_an_irreversible_step_there_is_no_way_back() {
    let mut sketch = Sketch::new();
    sketch.step("a", &[]).undo(undo(secs(3))).step("drop", &["a"]).irreversible().step("b", &["drop"]);
    sketch.undo(undo(secs(50)));
    let bounds = Bounds::of(&sketch.plan());
    assert_eq!(bounds.steps[0].back.closed_by, None);
    assert_eq!(bounds.steps[2].back.closed_by, Some(StepId::at(1)));
    assert_eq!(bounds.no_return, [StepId::at(1)]);
    assert_eq!(bounds.worst, WayBack { undos: 1, bound: secs(3), closed_by: None }, "no legal rollback undoes b");
}

#[test]
fn a_person_whose_work_is_awaited_may_take_all_of_its_time() {
    let manual = Manual { instructions: Template("do it".into()), evidence: None, expires: secs(600) };
    let mut sketch = Sketch::new();
    sketch.step("a", &[]).undo(undo(secs(1))).edit(|step| {
        step.forward.action = Action::Manual(manual);
        step.forward.timeout = secs(600);
    });
    assert_eq!(Bounds::of(&sketch.plan()).steps[0].back.bound, secs(1), "the question is taken away");
    sketch.edit(|step| step.on_stop = OnStop::Finish);
    assert_eq!(Bounds::of(&sketch.plan()).steps[0].back.bound, secs(601));
}

#[test]
fn a_bracket_that_is_being_closed_is_awaited_before_it_is_opened_again() {
    let mut sketch = Sketch::new();
    sketch.phase("one").step("silence", &[]).undo(undo(secs(20))).edit(|step| {
        step.held_for = Some(Bracket::Phase);
        step.on_stop = OnStop::Finish;
        step.forward.timeout = secs(7);
    });
    sketch.edit_undo(|undo| undo.kill_after = secs(3));
    sketch.edit_phase(|phase| phase.timeout = Some(secs(100)));
    let bounds = Bounds::of(&sketch.plan());
    // While the phase ends: its closing goes to its end, it is opened again, and undone.
    assert_eq!(bounds.phases[0].back.bound, secs((20 + 3) + 7 + (20 + 3)));
    assert_eq!(bounds.worst.bound, bounds.phases[0].back.bound);
}

#[test]
fn what_stands_behind_an_irreversible_step_that_may_be_passed_over_is_undone_too() {
    let mut sketch = Sketch::new();
    sketch.step("a", &[]).undo(undo(secs(3))).step("drop", &["a"]).irreversible();
    sketch.edit(|step| step.on_failure = Policy::Continue);
    sketch.step("b", &["drop"]).undo(undo(secs(50)));
    let bounds = Bounds::of(&sketch.plan());
    assert_eq!(bounds.steps[2].back, WayBack { undos: 2, bound: secs(53), closed_by: Some(StepId::at(1)) });
}

#[test]
fn a_closed_bracket_is_opened_again_before_it_is_undone_again() {
    let mut sketch = Sketch::new();
    sketch.phase("one").step("silence", &[]).undo(undo(secs(1))).edit(|step| {
        step.held_for = Some(Bracket::Phase);
        step.forward.timeout = secs(7);
    });
    sketch.phase("two").step("work", &[]).undo(undo(secs(2)));
    let bounds = Bounds::of(&sketch.plan());
    assert_eq!(bounds.steps[0].back.bound, secs(1), "it is open still");
    assert_eq!(bounds.steps[1].back.bound, secs(7 + 1 + 2));
}

#[test]
fn the_way_forward_counts_machine_time_alone() {
    let mut sketch = Sketch::new();
    sketch.step("a", &[]).step("ask", &["a"]).gate().step("b", &["ask"]).step("c", &["ask"]);
    sketch.edit(|step| step.forward.timeout = secs(30));
    let bounds = Bounds::of(&sketch.plan());
    assert_eq!(bounds.critical_path, [StepId::at(0), StepId::at(1), StepId::at(3)]);
    // Work 10 + 10 + 30 on 8 slots, longest path 40.
    assert_eq!(bounds.forward, Bounds::shared(8, secs(50), secs(40)));
}

#[test]
fn an_edge_costs_what_lies_behind_its_target() {
    let mut sketch = Sketch::new();
    sketch.step("a", &[]).undo(undo(secs(10))).step("b", &["a"]).undo(undo(secs(20)));
    sketch.step("c", &["b"]).undo(undo(secs(5))).fails_to(Target::Step(StepId::at(0)));
    let edges = Bounds::of(&sketch.plan()).edges;
    let back = WayBack { undos: 2, bound: secs(25), closed_by: None };
    assert_eq!(
        edges[0],
        RollbackEdge { trigger: Trigger::StepFailed(StepId::at(2)), target: Target::Step(StepId::at(0)), back }
    );
}

#[test]
fn a_long_chain_and_a_wide_fan_need_no_stack_and_no_square() {
    const MANY: usize = 100_000;
    for wide in [false, true] {
        let mut sketch = Sketch::new();
        for n in 0..MANY {
            let needs = if wide || n == 0 { vec![] } else { vec![StepId::at(n - 1)] };
            sketch.step_behind(&format!("s{n}"), needs).undo(undo(secs(1)));
        }
        let plan = sketch.plan();
        let bounds = Bounds::of(&plan);
        assert_eq!(bounds.worst.undos, MANY);
        assert_eq!(bounds.steps[9].back.undos, if wide { MANY } else { 10 });
    }
}

#[test]
fn the_screen_adds_up_the_same_way_back() {
    let mut sketch = Sketch::new();
    sketch.step("a", &[]).undo(undo(secs(10))).step("b", &["a"]).undo(undo(secs(20))).step("c", &["b"]);
    sketch.undo(undo(secs(40))).edit(|step| step.forward.kill_after = secs(2));
    let bounds = Bounds::of(&sketch.plan());
    let [a, b, c] = [0, 1, 2].map(StepId::at);
    assert_eq!(bounds.way_back(&[], &[], &[]), WayBack::default());
    assert_eq!(bounds.way_back(&[a, b], &[], &[]).bound, secs(30));
    assert_eq!(bounds.way_back(&[a, b], &[c], &[]), WayBack { undos: 3, bound: secs(72), closed_by: None });
    assert_eq!(bounds.way_back(&[a, b], &[c], &[]), bounds.steps[2].back);
}

/// The same by the letter of R8, for one step, recursive and slow.
fn naive(plan: &Plan, bounds: &Bounds, from: StepId) -> WayBack {
    fn reaches(plan: &Plan, from: NodeIndex, to: NodeIndex) -> bool {
        plan.graph().neighbors(from).any(|next| next == to || reaches(plan, next, to))
    }
    fn chain(plan: &Plan, node: NodeIndex, own: &dyn Fn(NodeIndex) -> Span) -> Span {
        let waited = plan.undo_waits(node).iter().map(|&waited_for| chain(plan, waited_for, own)).max();
        own(node).plus(waited.unwrap_or_default())
    }
    let node = |step| plan.step_node(step);
    let set: Vec<StepId> = plan.step_ids().filter(|&id| !reaches(plan, node(from), node(id))).collect();
    let legal = |id: StepId| {
        let no_return = |i: StepId| plan.step(i).is_irreversible() && (i == id || reaches(plan, node(i), node(id)));
        set.contains(&id) && !plan.step_ids().any(no_return)
    };
    let own = |at: NodeIndex| match plan.graph()[at] {
        Node::Step(id) if legal(id) => bounds.steps[id.index()].undo,
        Node::Step(_) | Node::PhaseStart(_) | Node::PhaseEnd(_) => Span::ZERO,
    };
    let undone: Vec<StepId> = set.iter().copied().filter(|&id| legal(id)).collect();
    let work = undone.iter().fold(Span::ZERO, |sum, &id| sum.plus(own(node(id))));
    let path = plan.graph().node_indices().map(|at| chain(plan, at, &own)).max().unwrap_or_default();
    let running = undone.iter().filter(|&&id| !reaches(plan, node(id), node(from)));
    let stop = running.map(|id| bounds.steps[id.index()].stop).max().unwrap_or_default();
    WayBack {
        undos: undone.iter().filter(|&&id| bounds.steps[id.index()].has_undo).count(),
        bound: stop.plus(Bounds::shared(bounds.slots, work, path)).plus(bounds.restored),
        closed_by: set.iter().copied().find(|&id| plan.step(id).is_irreversible()),
    }
}

prop_compose! {
    /// Up to ten steps in up to three phases.
    fn plans()(
        steps in prop::collection::vec((0_u16..1024, 0_u64..4, 0_u64..3, 0_u8..12), 1..10),
        phases in 1_usize..4,
        slots in 1_u32..4,
    ) -> Plan {
        let mut sketch = Sketch::new();
        sketch.slots(slots);
        let per_phase = steps.len().div_ceil(phases);
        for (n, &(needs, undo_secs, stop_secs, kind)) in steps.iter().enumerate() {
            if phases > 1 && n % per_phase == 0 {
                sketch.phase(&format!("p{n}"));
            }
            let needs = (0..n).filter(|before| needs & (1 << before) != 0 && (needs >> before) & 6 != 6);
            sketch.step_behind(&format!("s{n}"), needs.map(StepId::at).collect());
            match kind {
                0 => sketch.irreversible(),
                1..3 => &mut sketch,
                _ => sketch.undo(undo(secs(undo_secs))),
            };
            sketch.edit(|step| step.forward.kill_after = secs(stop_secs));
        }
        sketch.plan()
    }
}

proptest! {
    #[test]
    fn the_way_back_is_what_the_rule_says_for_each_step_alone(plan in plans()) {
        let bounds = Bounds::of(&plan);
        for id in plan.step_ids() {
            prop_assert_eq!(bounds.steps[id.index()].back, naive(&plan, &bounds, id), "{}", plan.step(id).name);
        }
        let longest = bounds.steps.iter().map(|step| step.back.bound).max();
        prop_assert_eq!(Some(bounds.worst.bound), longest);
    }
}
