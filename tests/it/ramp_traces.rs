//! The rules of a ramp, one trace each.

use insta::assert_snapshot;

use super::trace::trace;

const TWO: &str = "a; undo a; ramp a 2 confirm advance pressure; idempotent a";

/// From the beginning to the hold of the first value.
const HOLDING: [&str; 3] = ["begin", "done a", "yes confirm a"];

/// The trace of the events behind those that come to the hold of the first value.
fn holding(plan: &str, events: &[&str]) -> String {
    let all: Vec<&str> = HOLDING.iter().chain(events).copied().collect();
    let told = trace(plan, &all);
    let lines = told.lines().skip(HOLDING.len()).map(str::trim_end);
    lines.collect::<Vec<_>>().join("\n")
}

#[test]
fn each_value_is_set_confirmed_and_held_and_the_last_ends_the_step() {
    let events = [
        "begin",
        "done a",
        "yes confirm a",
        "yes advance a",
        "due hold a",
        "no pressure a",
        "done a",
        "yes confirm a",
        "no pressure a",
        "yes advance a",
        "due hold a",
    ];
    assert_snapshot!(trace("a; undo a; ramp a 2 confirm advance pressure", &events), @r"
    begin         | take a 10; start a#1
    done a        | a 10 set; ask confirm a; ask advance a; ask pressure a
    yes confirm a | a 10 confirmed; begin hold a
    yes advance a | 
    due hold a    | 
    no pressure a | a 10 over; take a 20; start a#2
    done a        | a 20 set; ask confirm a; ask advance a; ask pressure a
    yes confirm a | a 20 confirmed; begin hold a
    no pressure a | 
    yes advance a | 
    due hold a    | a 20 over; a done; way back closed; ended succeeded
    ");
}

#[test]
fn a_value_is_held_from_the_moment_that_it_is_confirmed() {
    assert_snapshot!(trace("a; undo a; ramp a 1 confirm", &["begin", "done a", "yes confirm a", "due hold a"]), @r"
    begin         | take a 10; start a#1
    done a        | a 10 set; ask confirm a
    yes confirm a | a 10 confirmed; begin hold a
    due hold a    | a 10 over; a done; way back closed; ended succeeded
    ");
}

#[test]
fn without_confirm_a_value_is_held_from_the_end_of_its_set() {
    assert_snapshot!(trace("a; undo a; ramp a 1", &["begin", "done a", "due hold a"]), @r"
    begin      | take a 10; start a#1
    done a     | a 10 set; begin hold a
    due hold a | a 10 over; a done; way back closed; ended succeeded
    ");
}

#[test]
fn one_failing_sample_of_advance_ends_the_attempt_and_the_undo_starts_in_the_same_event() {
    assert_snapshot!(holding(TWO, &["yes advance a", "no advance a"]), @r"
    yes advance a |
    no advance a  | end hold a; a failed; back; start undo a#2; hold run
    ");
}

#[test]
fn advance_counts_from_the_set_on_before_the_value_is_confirmed() {
    assert_snapshot!(trace(TWO, &["begin", "done a", "no advance a"]), @r"
    begin        | take a 10; start a#1
    done a       | a 10 set; ask confirm a; ask advance a; ask pressure a
    no advance a | a failed; back; start undo a#2; hold run
    ");
}

#[test]
fn a_retry_repeats_the_present_value() {
    let plan = "a; undo a; ramp a 2 advance; retry a 2; idempotent a";
    let events = [
        "begin",
        "done a",
        "yes advance a",
        "due hold a",
        "done a",
        "no advance a",
        "due retry a",
        "done a",
        "no advance a",
    ];
    assert_snapshot!(trace(plan, &events), @r"
    begin         | take a 10; start a#1
    done a        | a 10 set; ask advance a; begin hold a
    yes advance a | 
    due hold a    | a 10 over; take a 20; start a#2
    done a        | a 20 set; ask advance a; begin hold a
    no advance a  | end hold a; a will be retried
    due retry a   | take a 20; start a#3
    done a        | a 20 set; ask advance a; begin hold a
    no advance a  | end hold a; a failed; back; start undo a#4; hold run
    ");
}

#[test]
fn the_tries_of_a_ramp_count_for_each_value() {
    let plan = "a; undo a; ramp a 2; retry a 2; idempotent a";
    let events = ["begin", "fails a", "due retry a", "done a", "due hold a", "fails a", "due retry a", "done a"];
    assert_snapshot!(trace(plan, &events), @r"
    begin       | take a 10; start a#1
    fails a     | a will be retried
    due retry a | take a 10; start a#2
    done a      | a 10 set; begin hold a
    due hold a  | a 10 over; take a 20; start a#3
    fails a     | a will be retried
    due retry a | take a 20; start a#4
    done a      | a 20 set; begin hold a
    ");
}

#[test]
fn a_value_that_was_set_is_not_set_again_where_doing_it_twice_is_not_safe() {
    let plan = "a; undo a; ramp a 2 advance; retry a 2";
    assert_snapshot!(trace(plan, &["begin", "done a", "no advance a"]), @r"
    begin        | take a 10; start a#1
    done a       | a 10 set; ask advance a; begin hold a
    no advance a | end hold a; a failed; back; start undo a#2; hold run
    ");
}

#[test]
fn a_set_that_is_not_confirmed_in_time_is_tried_again() {
    let plan = "a; undo a; ramp a 2 confirm; retry a 2; idempotent a";
    assert_snapshot!(trace(plan, &["begin", "done a", "no confirm a", "due within confirm a", "due retry a"]), @r"
    begin                | take a 10; start a#1
    done a               | a 10 set; ask confirm a
    no confirm a         | 
    due within confirm a | a will be retried
    due retry a          | take a 10; start a#2
    ");
}

#[test]
fn no_data_of_advance_neither_fails_nor_goes_on() {
    let events = ["no pressure a", "nodata advance a", "due hold a", "yes advance a"];
    assert_snapshot!(holding(TWO, &events), @r"
    no pressure a    |
    nodata advance a |
    due hold a       | a 10 kept by no data
    yes advance a    | a 10 over; take a 20; start a#2
    ");
}

#[test]
fn without_one_fresh_sample_of_advance_it_does_not_go_on() {
    assert_snapshot!(holding(TWO, &["no pressure a", "due hold a", "yes advance a"]), @r"
    no pressure a |
    due hold a    |
    yes advance a | a 10 over; take a 20; start a#2
    ");
}

#[test]
fn back_pressure_keeps_a_ramp_until_it_is_over() {
    let events = ["yes advance a", "yes pressure a", "due hold a", "nodata pressure a", "no pressure a"];
    assert_snapshot!(holding(TWO, &events), @r"
    yes advance a     |
    yes pressure a    |
    due hold a        | a 10 kept by pressure
    nodata pressure a | a 10 kept by no data
    no pressure a     | a 10 over; take a 20; start a#2
    ");
}

#[test]
fn back_pressure_is_bounded_by_the_timeout_of_the_step() {
    assert_snapshot!(holding(TWO, &["yes advance a", "yes pressure a", "due hold a", "due ramp a", "done a"]), @r"
    yes advance a  |
    yes pressure a |
    due hold a     | a 10 kept by pressure
    due ramp a     | a failed; back; start undo a#2; hold run
    done a         | a undone; ended rolled_back
    ");
}

#[test]
fn the_timeout_bounds_all_values_together_and_leaves_no_further_try() {
    let plan = "a; undo a; ramp a 2; retry a 3; idempotent a";
    let events = ["begin", "done a", "due hold a", "due ramp a", "stopped a", "done a"];
    assert_snapshot!(trace(plan, &events), @r"
    begin      | take a 10; start a#1
    done a     | a 10 set; begin hold a
    due hold a | a 10 over; take a 20; start a#2
    due ramp a | stop a#2
    stopped a  | a failed; back; start undo a#3; hold run
    done a     | a undone; ended rolled_back
    ");
}

#[test]
fn a_set_that_ends_just_in_spite_of_the_timeout_is_late_all_the_same() {
    assert_snapshot!(trace("a; undo a; ramp a 2", &["begin", "due ramp a", "done a"]), @r"
    begin      | take a 10; start a#1
    due ramp a | stop a#1
    done a     | a failed; back; start undo a#2; hold run
    ");
}

#[test]
fn a_breach_starts_the_undo_of_a_ramp_in_the_same_event() {
    let plan = "a; undo a; ramp a 2 confirm advance; guard g";
    assert_snapshot!(trace(plan, &["begin", "held g", "done a", "yes confirm a", "breach g"]), @r"
    begin         | watch g
    held g        | take a 10; start a#1
    done a        | a 10 set; ask confirm a; ask advance a
    yes confirm a | a 10 confirmed; begin hold a
    breach g      | g breached; back; end hold a; start undo a#2; hold run
    ");
}

#[test]
fn a_breach_while_a_value_is_being_set_stops_the_set_first() {
    let plan = "a; undo a; ramp a 2; guard g";
    assert_snapshot!(trace(plan, &["begin", "held g", "done a", "due hold a", "breach g", "stopped a"]), @r"
    begin      | watch g
    held g     | take a 10; start a#1
    done a     | a 10 set; begin hold a
    due hold a | a 10 over; take a 20; start a#2
    breach g   | g breached; back; stop a#2; hold run
    stopped a  | start undo a#3
    ");
}

#[test]
fn a_crash_in_a_hold_confirms_and_holds_that_value_anew_and_sets_nothing() {
    let events =
        ["no pressure a", "yes advance a", "due hold a", "done a", "yes confirm a", "resumed", "yes confirm a"];
    assert_snapshot!(holding(TWO, &events), @r"
    no pressure a |
    yes advance a |
    due hold a    | a 10 over; take a 20; start a#2
    done a        | a 20 set; ask confirm a; ask advance a; ask pressure a
    yes confirm a | a 20 confirmed; begin hold a
    resumed       | end hold a; ask confirm a; ask advance a; ask pressure a
    yes confirm a | a 20 confirmed; begin hold a
    ");
}

#[test]
fn what_was_measured_before_a_crash_does_not_count() {
    let events =
        ["no pressure a", "yes advance a", "resumed", "yes confirm a", "due hold a", "no pressure a", "yes advance a"];
    assert_snapshot!(holding(TWO, &events), @r"
    no pressure a |
    yes advance a |
    resumed       | end hold a; ask confirm a; ask advance a; ask pressure a
    yes confirm a | a 10 confirmed; begin hold a
    due hold a    |
    no pressure a |
    yes advance a | a 10 over; take a 20; start a#2
    ");
}

#[test]
fn a_value_that_was_moved_during_a_crash_is_set_again() {
    assert_snapshot!(holding(TWO, &["resumed", "no confirm a", "due within confirm a", "done a"]), @r"
    resumed              | end hold a; ask confirm a; ask advance a; ask pressure a
    no confirm a         |
    due within confirm a | take a 10; start a#2
    done a               | a 10 set; ask confirm a; ask advance a; ask pressure a
    ");
}

#[test]
fn a_set_in_doubt_repeats_the_value_that_it_was_to_set() {
    let plan = "a; undo a; ramp a 3 confirm; idempotent a; rerun a";
    let events = ["begin", "done a", "yes confirm a", "due hold a", "resumed", "doubt a", "done a"];
    assert_snapshot!(trace(plan, &events), @r"
    begin         | take a 10; start a#1
    done a        | a 10 set; ask confirm a
    yes confirm a | a 10 confirmed; begin hold a
    due hold a    | a 10 over; take a 20; start a#2
    resumed       | 
    doubt a       | take a 20; start a#3
    done a        | a 20 set; ask confirm a
    ");
}

#[test]
fn a_set_in_doubt_pauses_where_repeating_it_is_not_known_to_be_safe() {
    let plan = "a; undo a; ramp a 3 confirm";
    let events = ["begin", "done a", "yes confirm a", "due hold a", "resumed", "doubt a", "retry a"];
    assert_snapshot!(trace(plan, &events), @r"
    begin         | take a 10; start a#1
    done a        | a 10 set; ask confirm a
    yes confirm a | a 10 confirmed; begin hold a
    due hold a    | a 10 over; take a 20; start a#2
    resumed       | 
    doubt a       | a failed; paused; hold run
    retry a       | continued; take a 20; start a#3; release run
    ");
}

#[test]
fn a_pause_ends_a_ramp_at_its_value_and_going_on_continues_there() {
    let events = ["yes advance a", "no pressure a", "pause", "resume", "yes confirm a"];
    assert_snapshot!(holding(TWO, &events), @r"
    yes advance a |
    no pressure a |
    pause         | paused; end hold a; hold run; hold ramp a
    resume        | continued; ask confirm a; ask advance a; ask pressure a; release run; release ramp a
    yes confirm a | a 10 confirmed; begin hold a
    ");
}

#[test]
fn a_set_that_runs_when_the_run_pauses_goes_to_its_end() {
    let plan = "a; undo a; ramp a 2 confirm advance";
    assert_snapshot!(trace(plan, &["begin", "pause", "done a", "resume"]), @r"
    begin  | take a 10; start a#1
    pause  | paused
    done a | a 10 set; hold run; hold ramp a
    resume | continued; ask confirm a; ask advance a; release run; release ramp a
    ");
}

#[test]
fn a_stop_ends_a_ramp_at_its_value_and_the_run_can_still_go_back() {
    assert_snapshot!(holding(TWO, &["stop", "back start", "done a"]), @r"
    stop          | stopping; end hold a; ended stopped
    back start    | back; start undo a#2
    done a        | a undone; ended rolled_back
    ");
}

#[test]
fn a_ramp_outside_of_a_rollback_stands_until_it_has_ended() {
    let plan = "w -> x; a; undo a, x; ramp a 2 confirm; fail x to w retry 1";
    let events = ["begin", "done w", "done a", "yes confirm a", "fails x", "done x", "due pass delay", "yes confirm a"];
    assert_snapshot!(trace(plan, &events), @r"
    begin          | start w#1; take a 10; start a#1
    done w         | w done; start x#1
    done a         | a 10 set; ask confirm a
    yes confirm a  | a 10 confirmed; begin hold a
    fails x        | x failed; back; start undo x#2; end hold a; hold run; hold ramp a
    done x         | x undone
    due pass delay | pass 2; ask confirm a; start x#3; release run; release ramp a
    yes confirm a  | a 10 confirmed; begin hold a
    ");
}

#[test]
fn an_operator_holds_a_ramp_and_lets_it_go_on() {
    let events = ["hold a", "hold a", "no pressure a", "yes advance a", "due hold a", "advance a", "advance a"];
    assert_snapshot!(holding(TWO, &events), @r"
    hold a        | a 10 kept by an operator
    hold a        | ignored
    no pressure a |
    yes advance a |
    due hold a    | hold run; hold ramp a
    advance a     | a 10 released; a 10 over; take a 20; start a#2; release run; release ramp a
    advance a     | ignored
    ");
}

#[test]
fn letting_a_ramp_go_on_overrides_nothing_that_is_measured() {
    let events = ["hold a", "yes advance a", "yes pressure a", "due hold a", "advance a", "no pressure a"];
    assert_snapshot!(holding(TWO, &events), @r"
    hold a         | a 10 kept by an operator
    yes advance a  |
    yes pressure a |
    due hold a     | a 10 kept by pressure
    advance a      | a 10 released
    no pressure a  | a 10 over; take a 20; start a#2
    ");
}

#[test]
fn while_only_an_operator_holds_a_ramp_the_clocks_stand_still_and_advance_counts_on() {
    let events = ["hold a", "yes advance a", "no pressure a", "due hold a", "no advance a"];
    assert_snapshot!(holding(TWO, &events), @r"
    hold a        | a 10 kept by an operator
    yes advance a |
    no pressure a |
    due hold a    | hold run; hold ramp a
    no advance a  | a failed; back; start undo a#2
    ");
}

#[test]
fn a_step_that_ramps_and_has_criteria_is_measured_behind_its_last_value() {
    let plan = "a; undo a; ramp a 1; success a; retry a 2; idempotent a";
    let events = [
        "begin",
        "done a",
        "due hold a",
        "due within success a",
        "due retry a",
        "done a",
        "due hold a",
        "yes success a",
    ];
    assert_snapshot!(trace(plan, &events), @r"
    begin                | take a 10; start a#1
    done a               | a 10 set; begin hold a
    due hold a           | a 10 over; ask success a
    due within success a | a will be retried
    due retry a          | take a 10; start a#2
    done a               | a 10 set; begin hold a
    due hold a           | a 10 over; ask success a
    yes success a        | a done; way back closed; ended succeeded
    ");
}

#[test]
fn a_further_pass_begins_at_the_first_value() {
    let plan = "a -> b; undo a; ramp a 2; fail b to start retry 1";
    let events =
        ["begin", "done a", "due hold a", "done a", "due hold a", "fails b", "done a", "due pass delay", "done a"];
    assert_snapshot!(trace(plan, &events), @r"
    begin          | take a 10; start a#1
    done a         | a 10 set; begin hold a
    due hold a     | a 10 over; take a 20; start a#2
    done a         | a 20 set; begin hold a
    due hold a     | a 20 over; a done; start b#1
    fails b        | b failed; back; start undo a#3; hold run
    done a         | a undone
    due pass delay | pass 2; take a 10; start a#4; release run
    done a         | a 10 set; begin hold a
    ");
}

#[test]
fn an_operator_who_tries_a_failed_ramp_again_tries_its_present_value() {
    let plan = "a; undo a; ramp a 2 advance; fail a pause; idempotent a";
    let events = ["begin", "done a", "yes advance a", "due hold a", "done a", "no advance a", "retry a", "done a"];
    assert_snapshot!(trace(plan, &events), @r"
    begin         | take a 10; start a#1
    done a        | a 10 set; ask advance a; begin hold a
    yes advance a | 
    due hold a    | a 10 over; take a 20; start a#2
    done a        | a 20 set; ask advance a; begin hold a
    no advance a  | end hold a; a failed; paused; hold run
    retry a       | continued; take a 20; start a#3; release run
    done a        | a 20 set; ask advance a; begin hold a
    ");
}

#[test]
fn what_a_ramp_would_lose_halfway_is_watched_at_the_step_before_it() {
    let plan = "f -> a; undo f, a; undo_require f; ramp a 2 confirm; idempotent a";
    assert_snapshot!(trace(plan, &["begin", "done f", "done a", "yes confirm a", "shut f", "due hold a", "fails a"]), @r"
    begin         | start f#1
    done f        | f done; watch way back f; take a 10; start a#1
    done a        | a 10 set; ask confirm a
    yes confirm a | a 10 confirmed; begin hold a
    shut f        | way back shut at f
    due hold a    | a 10 over; take a 20; start a#2
    fails a       | a failed; refused; paused, f shut; hold run
    ");
    // The undo of the ramp itself is not asked: nobody knows how far it came.
    let plan = "f -> a; undo f, a; undo_require a; ramp a 2 confirm; idempotent a";
    assert_snapshot!(trace(plan, &["begin", "done f", "done a", "yes confirm a", "due hold a", "fails a"]), @r"
    begin         | start f#1
    done f        | f done; take a 10; start a#1
    done a        | a 10 set; ask confirm a
    yes confirm a | a 10 confirmed; begin hold a
    due hold a    | a 10 over; take a 20; start a#2
    fails a       | a failed; back; start undo a#3; hold run
    ");
}
