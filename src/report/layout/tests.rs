use proptest::prelude::*;

use super::*;
use crate::model::{Span, StepOutcome};
use crate::report::sample::{self, PROMOTE};
use crate::report::view::{Health, PhaseState, RampStage, RampView, Reading, StepState, Way};

/// The view after these notices, `later` milliseconds after the last of them.
fn view(notices: &[crate::report::Told], later: u64) -> View {
    let plan = sample::plan();
    let mut view = sample::view(&plan);
    for told in notices {
        view.take(&plan, told);
    }
    let now = view.now.after(Span::from_millis(later));
    view.look(&plan, now);
    view
}

fn with_measurements(mut view: View) -> View {
    let ago = |millis: u64| Time::from_millis(view.now.millis().saturating_sub(millis));
    let readings = [
        Reading { value: Some(0.into()), at: ago(400), good_since: Some(ago(14_000)) },
        Reading { value: Some(2.1.into()), at: ago(5_200), good_since: None },
        Reading { value: None, at: ago(700), good_since: None },
    ];
    for (probe, reading) in view.probes.iter_mut().zip(readings) {
        probe.polled = true;
        probe.reading = Some(reading);
    }
    view.guards[0].health = Health::Failing(1);
    view
}

fn screen(view: &View, width: usize, height: usize) -> String {
    sample::text(&lines(view, width, height, Theme::new(false, true)))
}

#[test]
fn a_promotion_being_measured_is_read_at_a_glance() {
    let view = with_measurements(view(&sample::to_the_promotion(), 1_200));
    insta::assert_snapshot!(screen(&view, 80, 24), @r"
    ── promote_orders_db ─ FORWARD ─ 2m 8s of 1h 30m ─────────────────── run 7f3a ──
      ✓ warmup          2 steps                                               1m 20s
        ✓ basebackup    done after 2 attempts                                 1m 14s
        ✓ prewarm       done                                                    5.6s
      ▸ cutover         2 of 4 steps                    ━╌╌╌╌╌╌╌╌╌         47s of 8m
        ✓ ready         done                                                   44.7s
        ✓ fence_old     done                                                    1.2s
        ▹ promote       measuring probe.new_writable    ━╌╌╌╌╌╌╌╌╌         1s of 10s
        · switch_proxy
      · complete        2 steps
        · sign_off
        · drop_old
      probes:   lag 0 bytes (good for 14s) · errors 2.1 /s (5s old)
                new_writable no data
      guards:   ! errors FAILING 1 (breach at 2 of 3)
      next:     switch_proxy
      way back: open, 3 undos, at most 45s
    ");
}

#[test]
fn numbers_are_shown_to_six_digits_and_texts_as_they_are() {
    let mut view = with_measurements(view(&sample::to_the_promotion(), 1_200));
    let texts = [199.333_333_333_333_31.into(), 12_345_678.into(), "1.10000000001".into()];
    for (probe, value) in view.probes.iter_mut().zip(texts) {
        probe.reading.as_mut().expect("it was asked").value = Some(value);
    }
    let screen = screen(&view, 80, 24);
    for shown in ["lag 199.333 bytes (", "errors 12345678 /s (", "new_writable 1.10000000001\n"] {
        assert!(screen.contains(shown), "{shown}: {screen}");
    }
}

#[test]
fn while_a_value_of_a_ramp_is_held_the_bar_shows_the_hold_and_else_the_time_of_all_values() {
    let mut view = view(&sample::to_the_promotion(), 1_200);
    let mut clock = Stopwatch::new(Some(Span::from_secs(7200)));
    clock.start(Time::from_millis(view.now.millis() - 35_000));
    view.steps[PROMOTE].ramp = Some(RampView { value: "25".into(), number: 3, of: 5, held_by: None, clock });
    let held = RampStage::Holding { since: Time::from_millis(view.now.millis() - 31_000), hold: Span::from_secs(40) };
    let row = |view: &View| {
        let screen = screen(view, 80, 24);
        screen.lines().find(|line| line.contains("promote ")).expect("it has a row").to_owned()
    };
    view.steps[PROMOTE].state = StepState::Ramping { stage: held };
    assert_eq!(row(&view), "    ▹ promote       ramp at 25 (3 of 5), holding    ━━━━━━━━╌╌        31s of 40s");
    view.steps[PROMOTE].state = StepState::Ramping { stage: RampStage::Confirming };
    assert_eq!(row(&view), "    ▹ promote       ramp at 25 (3 of 5), confirming ╌╌╌╌╌╌╌╌╌╌         35s of 2h");
}

#[test]
fn one_attempt_for_each_value_of_a_ramp_is_nothing_to_tell() {
    let mut view = view(&sample::to_the_promotion(), 1_200);
    let clock = Stopwatch::new(None);
    view.steps[PROMOTE].ramp = Some(RampView { value: "100".into(), number: 5, of: 5, held_by: None, clock });
    for (attempts, told) in [(5, None), (6, Some(6))] {
        view.steps[PROMOTE].attempts = attempts;
        assert_eq!(view.steps[PROMOTE].attempts_told(), told);
    }
}

#[test]
fn an_open_gate_says_who_is_to_answer_and_how() {
    let view = with_measurements(view(&sample::to_the_gate(), 75_000));
    insta::assert_snapshot!(screen(&view, 80, 24), @r"
    ── promote_orders_db ─ FORWARD ─ 2m 35s of 1h 30m ────────────────── run 7f3a ──
      your move: runbook go 7f3a ready, or runbook no-go 7f3a ready
      ✓ warmup          2 steps                                               1m 20s
        ✓ basebackup    done after 2 attempts                                 1m 14s
        ✓ prewarm       done                                                    5.6s
      ▸ cutover         0 of 4 steps                    ━━╌╌╌╌╌╌╌╌      1m 15s of 8m
        ◆ ready         Replica is warm. Cut over now?     open 1m 15s, 28m 45s left
        · fence_old
        · promote
        · switch_proxy
      · complete        2 steps
        · sign_off
        · drop_old
      probes:   lag 0 bytes (good for 14s) · errors 2.1 /s (5s old)
                new_writable no data
      guards:   ! errors FAILING 1 (breach at 2 of 3)
      next:     fence_old
      way back: open, 1 undo, at most 15s
    ");
}

#[test]
fn a_rollback_shows_why_and_how_far_it_is() {
    let plan = sample::plan();
    let view = view(&sample::to_the_way_back(&plan), 3_000);
    insta::assert_snapshot!(screen(&view, 80, 24), @r"
    ── promote_orders_db ─ ROLLING BACK ─ 5s of 8m ───────────────────── run 7f3a ──
      back to the start: guard errors was breached
      ✓ warmup          2 steps                                               1m 20s
        ◂ basebackup    undoing                         ━━━╌╌╌╌╌╌╌         3s of 10s
        ✓ prewarm       done                                                    5.6s
      ↶ cutover         gone back
        ✓ ready         done                                                   44.7s
        ↶ fence_old     undone
        ↶ promote       undone
        · switch_proxy
      · complete        2 steps
        · sign_off
        · drop_old
      guards:   ✗ errors BREACHED
      way back: on it, 2 of 3 steps undone, at most 15s more
    ");
}

#[test]
fn a_stuck_run_says_what_a_person_can_do() {
    let plan = sample::plan();
    let view = view(&sample::stuck(&plan), 60_000);
    insta::assert_snapshot!(screen(&view, 80, 24), @r"
    ── promote_orders_db ─ STUCK ─ 1m 4s of 8m ───────────────────────── run 7f3a ──
      stuck: step basebackup could not be undone
      your move: runbook retry 7f3a basebackup, or runbook mark-done 7f3a basebackup
      ✓ warmup          2 steps                                               1m 20s
        ✗ basebackup    undo failed
        ✓ prewarm       done                                                    5.6s
      ↶ cutover         gone back
        ✓ ready         done                                                   44.7s
        ↶ fence_old     undone
        ↶ promote       undone
        · switch_proxy
      · complete        2 steps
        · sign_off
        · drop_old
      guards:   ✗ errors BREACHED
      way back: STUCK, 2 of 3 steps undone
    ");
}

#[test]
fn a_retry_shows_which_and_when() {
    let view = view(&sample::to_the_gate()[..4], 1_000);
    insta::assert_snapshot!(screen(&view, 80, 24), @r"
    ── promote_orders_db ─ FORWARD ─ 10s of 1h 30m ───────────────────── run 7f3a ──
      ▸ warmup          0 of 2 steps                    ╌╌╌╌╌╌╌╌╌╌         10s of 8m
        ↻ basebackup    failed, try 2 of 3 in 4s
        · prewarm
      · cutover         4 steps
        · ready
        · fence_old
        · promote
        · switch_proxy
      · complete        2 steps
        · sign_off
        · drop_old
      guards:   1 asleep
      next:     prewarm
      way back: open, 1 undo, at most 15s
    ");
}

#[test]
fn a_narrow_or_low_screen_keeps_the_state_and_the_way_back() {
    let view = with_measurements(view(&sample::to_the_promotion(), 1_200));
    insta::assert_snapshot!(screen(&view, 40, 12), @r"
    ── promote_orders_db ─ FORWARD ─ 2m 8s …
        … 4 steps above: 4 done
        ▹ promote       measuring… 1s of 10s
        · switch_proxy
      · complete        2 steps
      probes:   lag 0 bytes (good for 14s)
                errors 2.1 /s (5s old)
      guards:   ! errors FAILING 1 (breach …
      next:     switch_proxy
      way back: open, 3 undos, at most 45s
    ");
}

#[test]
fn without_utf_8_every_sign_is_ascii() {
    let plan = sample::plan();
    for notices in
        [sample::to_the_gate(), sample::to_the_promotion(), sample::to_the_way_back(&plan), sample::stuck(&plan)]
    {
        let view = with_measurements(view(&notices, 1_000));
        for line in lines(&view, 80, 24, Theme::BARE) {
            assert!(line.to_string().is_ascii(), "{line}");
        }
    }
}

fn many_steps(done: usize, active: usize, pending: usize) -> View {
    let mut draft = sample::draft();
    draft.phases.clear();
    draft.steps = (0..done + active + pending)
        .map(|n| {
            let mut step = sample::make_step(&format!("host_{n:03}"), 0, crate::model::WayHome::NoEffect);
            step.phase = None;
            step
        })
        .collect();
    let plan = crate::model::Plan::new(draft).expect("no cycle");
    let mut view = View::new(&plan, "7f3a");
    view.mode = Mode::Forward;
    for (n, step) in view.steps.iter_mut().enumerate() {
        if n < done {
            step.state = StepState::Settled(if n % 10 == 3 { StepOutcome::Skipped } else { StepOutcome::Done });
        } else if n < done + active {
            let bound = Span::from_secs(60);
            step.state = StepState::Running { since: Time::ZERO, bound, tries: (1, 1), way: Way::There };
        }
    }
    view.look(&plan, Time::from_millis(20_000));
    view
}

#[test]
fn many_steps_are_a_window_around_what_is_active_with_counts_for_the_rest() {
    insta::assert_snapshot!(screen(&many_steps(60, 3, 40), 80, 16), @r"
    ── promote_orders_db ─ FORWARD ─ 0s of 1h 30m ────────────────────── run 7f3a ──
        … 59 steps above: 53 done, 6 skipped
      ✓ host_059  done
      ▸ host_060  running                               ━━━╌╌╌╌╌╌╌         20s of 1m
      ▸ host_061  running                               ━━━╌╌╌╌╌╌╌         20s of 1m
      ▸ host_062  running                               ━━━╌╌╌╌╌╌╌         20s of 1m
      · host_063
      · host_064
      · host_065
        … 37 steps below: 37 pending
      guards:   1 asleep
      next:     host_063 · host_064 · host_065 · host_066 · host_067 and 35 more
      way back: open, nothing to undo
    ");
}

fn any_state() -> impl Strategy<Value = StepState> {
    let time = || (0_u64..10_000_000).prop_map(Time::from_millis);
    let span = || (0_u64..10_000_000).prop_map(Span::from_millis);
    let way = || prop_oneof![Just(Way::There), Just(Way::Back)];
    let tries = || (1_u32..200, 1_u32..200);
    prop_oneof![
        Just(StepState::Pending),
        Just(StepState::InDoubt),
        Just(StepState::UndoFailed),
        Just(StepState::Undone),
        Just(StepState::Settled(StepOutcome::Done)),
        Just(StepState::Settled(StepOutcome::Tolerated)),
        Just(StepState::Settled(StepOutcome::Failed)),
        ("\\PC{0,80}", time(), way()).prop_map(|(what, since, way)| StepState::Checking { what, since, way }),
        (time(), span(), tries(), way()).prop_map(|(since, bound, tries, way)| StepState::Running {
            since,
            bound,
            tries,
            way
        }),
        ("\\PC{0,80}", time(), proptest::option::of(span()), way())
            .prop_map(|(what, since, bound, way)| StepState::Measuring { since, bound, what, way }),
        (time(), tries(), way()).prop_map(|(until, tries, way)| StepState::Resting { until, tries, way }),
        (".{0,80}", time(), proptest::option::of(time())).prop_map(|(question, since, expires)| StepState::Asking {
            question,
            since,
            expires
        }),
    ]
}

fn any_mode() -> impl Strategy<Value = Mode> {
    let why = || ".{0,200}";
    prop_oneof![
        Just(Mode::Waiting),
        Just(Mode::Forward),
        why().prop_map(|why| Mode::Paused { why }),
        why().prop_map(|why| Mode::Stopping { why }),
        why().prop_map(|why| Mode::Stuck { why }),
        (why(), why()).prop_map(|(to, why)| Mode::RollingBack { to, why }),
    ]
}

fn any_view() -> impl Strategy<Value = View> {
    let states = proptest::collection::vec((any_state(), "[a-z][a-z0-9_]{0,40}"), 8);
    let readings = proptest::collection::vec((proptest::option::of(".{0,60}"), 0_u64..10_000_000), 3);
    let phases = proptest::collection::vec(
        prop_oneof![
            Just(PhaseState::Pending),
            Just(PhaseState::Running),
            Just(PhaseState::Done),
            Just(PhaseState::Failed),
            Just(PhaseState::Undone)
        ],
        3,
    );
    (states, any_mode(), readings, phases, 0_u64..10_000_000).prop_map(|(states, mode, readings, phases, now)| {
        let plan = sample::plan();
        let mut view = View::new(&plan, "0198-7f3a");
        view.mode = mode;
        for (step, (state, name)) in view.steps.iter_mut().zip(states) {
            step.state = state;
            step.name = name;
            step.in_effect = true;
        }
        for (probe, (value, at)) in view.probes.iter_mut().zip(readings) {
            probe.polled = true;
            probe.reading = Some(Reading { value: value.map(Into::into), at: Time::from_millis(at), good_since: None });
        }
        for (phase, state) in view.phases.iter_mut().zip(phases) {
            phase.state = state;
        }
        view.look(&plan, Time::from_millis(now));
        view
    })
}

proptest! {
    #[test]
    fn no_line_is_ever_wider_than_the_screen_and_the_block_is_always_lower(
        view in any_view(), width in 0_usize..220, height in 0_usize..60, unicode: bool
    ) {
        let lines = lines(&view, width, height, Theme::new(false, unicode));
        prop_assert!(lines.len() < height.max(1), "{} lines on {height} rows", lines.len());
        for line in &lines {
            prop_assert!(line.width() <= width, "{} columns of {width}: {line}", line.width());
            prop_assert!(console::measure_text_width(&line.to_string()) <= width, "{line}");
        }
        if height >= 4 && width >= 20 {
            let last = lines.last().expect("the way back is always there").to_string();
            prop_assert!(last.starts_with("  way back: "), "{last}");
        }
    }
}
