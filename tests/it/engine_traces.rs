//! The rules of a run (R3 to R16), one trace each.

use insta::assert_snapshot;

use super::trace::trace;

#[test]
fn a_chain_runs_in_order_and_succeeds() {
    assert_snapshot!(trace("a -> b; undo a, b", &["begin", "done a", "done b"]), @r"
    begin  | start a#1
    done a | a done; start b#1
    done b | b done; way back closed; ended succeeded
    ");
}

#[test]
fn a_breached_guard_stops_the_step_and_undoes_the_earlier_ones() {
    let events =
        ["begin", "held errors", "done drain", "held errors", "breach errors", "stopped cut", "done cut", "done drain"];
    assert_snapshot!(trace("drain -> cut; undo drain, cut; guard errors", &events), @r"
    begin         | watch errors
    held errors   | start drain#1
    done drain    | drain done; start cut#1
    held errors   | 
    breach errors | errors breached; back; stop cut#1; hold run
    stopped cut   | start undo cut#2
    done cut      | cut undone; start undo drain#2
    done drain    | drain undone; unwatch errors; ended rolled_back
    ");
}

#[test]
fn the_failing_step_is_undone_too_for_it_may_have_taken_effect() {
    assert_snapshot!(trace("a -> b; undo a, b", &["begin", "done a", "fails b", "done b", "done a"]), @r"
    begin   | start a#1
    done a  | a done; start b#1
    fails b | b failed; back; start undo b#2; hold run
    done b  | b undone; start undo a#2
    done a  | a undone; ended rolled_back
    ");
}

#[test]
fn a_parallel_branch_outside_the_target_is_left_alone() {
    let plan = "a -> b -> c; x -> y; undo a, b, c, x, y; fail c to a";
    assert_snapshot!(trace(plan, &["begin", "done a", "done b", "fails c", "done c", "done b", "done x"]), @r"
    begin   | start a#1; start x#1
    done a  | a done; start b#1
    done b  | b done; start c#1
    fails c | c failed; back; start undo c#2; hold run
    done c  | c undone; start undo b#2
    done b  | b undone; release run
    done x  | x done; ended rolled_back
    ");
}

#[test]
fn a_widened_rollback_undoes_nothing_twice() {
    let plan = "a -> b -> c; a -> x; undo a, b, c, x; fail c to b; fail x to start";
    let events = ["begin", "done a", "done b", "fails c", "fails x", "done c", "done b", "done x", "done a"];
    assert_snapshot!(trace(plan, &events), @r"
    begin   | start a#1
    done a  | a done; start b#1; start x#1
    done b  | b done; start c#1
    fails c | c failed; back; start undo c#2; hold run
    fails x | x failed; widened; start undo x#2
    done c  | c undone; start undo b#2
    done b  | b undone
    done x  | x undone; start undo a#2
    done a  | a undone; ended rolled_back
    ");
}

#[test]
fn a_guard_is_not_judged_during_a_rollback() {
    let events = ["begin", "held g", "done a", "fails b", "breach g", "done b", "breach g", "done a"];
    assert_snapshot!(trace("a -> b; undo a, b; guard g", &events), @r"
    begin    | watch g
    held g   | start a#1
    done a   | a done; start b#1
    fails b  | b failed; back; start undo b#2; hold run
    breach g | 
    done b   | b undone; start undo a#2
    breach g | 
    done a   | a undone; unwatch g; ended rolled_back
    ");
}

#[test]
fn an_expired_sign_off_does_not_undo_a_finished_migration() {
    let plan = "a -> sign -> wipe; undo a; gate sign; drop wipe; fail wipe pause";
    assert_snapshot!(trace(plan, &["begin", "done a", "due gate sign"]), @r"
    begin         | start a#1
    done a        | a done; open gate sign; hold run
    due gate sign | close gate sign; sign failed; stopping; ended stopped
    ");
}

#[test]
fn a_phase_clock_stands_still_while_a_gate_is_open() {
    let plan = "a -> g -> b; undo a, b; gate g; phase p = a g b";
    assert_snapshot!(trace(plan, &["begin", "done a", "go g", "done b"]), @r"
    begin  | start a#1
    done a | a done; open gate g; hold run; hold phase p
    go g   | close gate g; g done; start b#1; release run; release phase p
    done b | b done; p over; way back closed; ended succeeded
    ");
}

#[test]
fn an_unknown_attempt_is_not_retried_blindly() {
    assert_snapshot!(trace("a; undo a; retry a 3", &["begin", "unknown a", "done a"]), @r"
    begin     | start a#1
    unknown a | a failed; back; start undo a#2; hold run
    done a    | a undone; ended rolled_back
    ");
}

#[test]
fn an_unknown_attempt_is_retried_where_a_fresh_done_when_says_no() {
    let plan = "a; undo a; retry a 3; done_when a";
    assert_snapshot!(trace(plan, &["begin", "no done_when a", "unknown a", "no done_when a", "due retry a", "done a"]), @r"
    begin          | ask done_when a
    no done_when a | start a#1
    unknown a      | ask done_when a
    no done_when a | a will be retried
    due retry a    | start a#2
    done a         | a done; way back closed; ended succeeded
    ");
}

#[test]
fn an_unknown_attempt_that_took_effect_is_done() {
    let plan = "a; undo a; done_when a; success a";
    assert_snapshot!(trace(plan, &["begin", "no done_when a", "unknown a", "yes done_when a", "yes success a"]), @r"
    begin           | ask done_when a
    no done_when a  | start a#1
    unknown a       | ask done_when a
    yes done_when a | ask success a
    yes success a   | a done; way back closed; ended succeeded
    ");
}

#[test]
fn a_late_criterion_does_not_repeat_the_action() {
    let plan = "a; undo a; success a; retry a 3";
    assert_snapshot!(trace(plan, &["begin", "done a", "due within success a", "done a"]), @r"
    begin                | start a#1
    done a               | ask success a
    due within success a | a failed; back; start undo a#2; hold run
    done a               | a undone; ended rolled_back
    ");
}

#[test]
fn a_late_criterion_of_an_idempotent_step_repeats_the_action() {
    let plan = "a; undo a; success a; retry a 2; idempotent a";
    let events = ["begin", "done a", "due within success a", "due retry a", "done a", "no success a", "yes success a"];
    assert_snapshot!(trace(plan, &events), @r"
    begin                | start a#1
    done a               | ask success a
    due within success a | a will be retried
    due retry a          | start a#2
    done a               | ask success a
    no success a         | 
    yes success a        | a done; way back closed; ended succeeded
    ");
}

#[test]
fn the_second_pass_starts_what_the_first_pass_ended() {
    let plan = "a -> b; undo a, b; fail b to start retry 1";
    let events =
        ["begin", "done a", "fails b", "done b", "done a", "due pass delay", "done a", "fails b", "done b", "done a"];
    assert_snapshot!(trace(plan, &events), @r"
    begin          | start a#1
    done a         | a done; start b#1
    fails b        | b failed; back; start undo b#2; hold run
    done b         | b undone; start undo a#2
    done a         | a undone
    due pass delay | pass 2; start a#3; release run
    done a         | a done; start b#3
    fails b        | b failed; back; start undo b#4; hold run
    done b         | b undone; start undo a#4
    done a         | a undone; ended rolled_back
    ");
}

#[test]
fn what_was_found_is_not_undone() {
    let plan = "a -> b; undo a, b; done_when a";
    assert_snapshot!(trace(plan, &["begin", "yes done_when a", "fails b", "done b"]), @r"
    begin           | ask done_when a
    yes done_when a | a found; start b#1
    fails b         | b failed; back; start undo b#2; hold run
    done b          | b undone; ended rolled_back
    ");
}

#[test]
fn a_breach_behind_the_drop_pauses() {
    let plan = "a -> sign -> wipe -> c; undo a, c; gate sign; drop wipe; guard g; fail c pause";
    assert_snapshot!(trace(plan, &["begin", "held g", "done a", "go sign", "done wipe", "breach g"]), @r"
    begin     | watch g
    held g    | start a#1
    done a    | a done; open gate sign; hold run
    go sign   | close gate sign; sign done; start wipe#1; release run
    done wipe | wipe done; start c#1
    breach g  | g breached; refused; paused behind wipe
    ");
}

#[test]
fn an_undo_turned_round_by_after_waits_for_the_other() {
    let plan = "conf -> stop_old; undo conf, stop_old; after stop_old conf";
    assert_snapshot!(trace(plan, &["begin", "done conf", "fails stop_old", "done conf", "done stop_old"]), @r"
    begin          | start conf#1
    done conf      | conf done; start stop_old#1
    fails stop_old | stop_old failed; back; start undo conf#2; hold run
    done conf      | conf undone; start undo stop_old#2
    done stop_old  | stop_old undone; ended rolled_back
    ");
}

#[test]
fn what_lies_upstream_of_two_undos_turned_round_waits_for_both() {
    let plan = "promote -> open -> follow -> soak; undo promote, open, follow; after follow open";
    let way =
        ["begin", "done promote", "done open", "done follow", "fails soak", "done open", "done follow", "done promote"];
    assert_snapshot!(trace(plan, &way), @r"
    begin        | start promote#1
    done promote | promote done; start open#1
    done open    | open done; start follow#1
    done follow  | follow done; start soak#1
    fails soak   | soak failed; back; start undo open#2; hold run
    done open    | open undone; start undo follow#2
    done follow  | follow undone; start undo promote#2
    done promote | promote undone; ended rolled_back
    ");
}

#[test]
fn a_rollback_that_needs_a_shut_undo_pauses() {
    let plan = "a -> b; undo a, b; undo_require a";
    assert_snapshot!(trace(plan, &["begin", "done a", "shut a", "fails b", "force start", "done b", "done a"]), @r"
    begin       | start a#1
    done a      | a done; watch way back a; start b#1
    shut a      | way back shut at a
    fails b     | b failed; refused; paused, a shut; hold run
    force start | back; start undo b#2
    done b      | b undone; start undo a#2
    done a      | a undone; ended rolled_back
    ");
}

#[test]
fn a_rollback_waits_for_the_first_verdict_on_its_way_back() {
    let plan = "a -> b; undo a, b; undo_require a";
    assert_snapshot!(trace(plan, &["begin", "done a", "fails b", "open a", "done b", "yes undo require a", "done a"]), @r"
    begin              | start a#1
    done a             | a done; watch way back a; start b#1
    fails b            | b failed; hold run
    open a             | back; start undo b#2
    done b             | b undone; ask undo require a
    yes undo require a | start undo a#2
    done a             | a undone; ended rolled_back
    ");
}

#[test]
fn a_failed_undo_halts_its_branch_and_the_operator_decides() {
    let plan = "a -> b; a -> c; undo a, b, c";
    let events = ["begin", "done a", "done b", "fails c", "fails b", "done c", "retry b", "done b", "done a"];
    assert_snapshot!(trace(plan, &events), @r"
    begin   | start a#1
    done a  | a done; start b#1; start c#1
    done b  | b done
    fails c | c failed; back; start undo b#2; start undo c#2; hold run
    fails b | undo b failed
    done c  | c undone; stuck
    retry b | start undo b#3
    done b  | b undone; start undo a#2
    done a  | a undone; ended rolled_back
    ");
}

#[test]
fn a_bracket_is_closed_when_its_phase_ends_and_opened_again_for_a_rollback() {
    let plan = "quiet -> a -> b; undo quiet, a, b; hold quiet phase; phase p = quiet a; phase q = b";
    let events =
        ["begin", "done quiet", "done a", "done quiet", "fails b", "done quiet", "done b", "done a", "done quiet"];
    assert_snapshot!(trace(plan, &events), @r"
    begin      | start quiet#1
    done quiet | quiet done; start a#1
    done a     | a done; start undo quiet#2
    done quiet | quiet undone; p over; start b#1
    fails b    | b failed; back; start quiet#3; hold run; hold phase q
    done quiet | start undo b#2
    done b     | b undone; start undo a#2
    done a     | a undone; start undo quiet#4
    done quiet | quiet undone; ended rolled_back
    ");
}

#[test]
fn a_criterion_must_hold_for_a_while_without_a_break() {
    let plan = "a; undo a; success a for";
    let events =
        ["begin", "done a", "yes success a", "no success a", "yes success a", "due for success a", "yes success a"];
    assert_snapshot!(trace(plan, &events), @r"
    begin             | start a#1
    done a            | ask success a
    yes success a     | 
    no success a      | 
    yes success a     | 
    due for success a | ask success a
    yes success a     | a done; way back closed; ended succeeded
    ");
}

#[test]
fn a_pause_lets_running_attempts_end_and_starts_nothing() {
    assert_snapshot!(trace("a -> b; undo a, b", &["begin", "pause", "done a", "resume", "done b"]), @r"
    begin  | start a#1
    pause  | paused
    done a | a done; hold run
    resume | continued; start b#1; release run
    done b | b done; way back closed; ended succeeded
    ");
}

#[test]
fn a_stop_ends_where_it_is_and_can_be_rolled_back_later() {
    assert_snapshot!(trace("a -> b; undo a, b", &["begin", "stop", "done a", "back start", "done a"]), @r"
    begin      | start a#1
    stop       | stopping
    done a     | a done; ended stopped
    back start | back; start undo a#2
    done a     | a undone; ended rolled_back
    ");
}

#[test]
fn a_step_that_failed_waits_for_an_operator_where_its_policy_is_pause() {
    let plan = "a -> b; undo a, b; fail a pause; done_when a";
    let events = ["begin", "no done_when a", "fails a", "resume", "retry a", "no done_when a", "done a", "done b"];
    assert_snapshot!(trace(plan, &events), @r"
    begin          | ask done_when a
    no done_when a | start a#1
    fails a        | a failed; paused; hold run
    resume         | ignored
    retry a        | continued; ask done_when a; release run
    no done_when a | start a#2
    done a         | a done; start b#1
    done b         | b done; way back closed; ended succeeded
    ");
}

#[test]
fn what_a_crash_left_in_doubt_waits_for_an_operator_unless_done_when_tells() {
    assert_snapshot!(trace("a; undo a", &["begin", "resumed", "doubt a", "mark a"]), @r"
    begin   | start a#1
    resumed | 
    doubt a | a failed; paused; hold run
    mark a  | continued; a done; way back closed; ended succeeded
    ");
    assert_snapshot!(trace("a; undo a; done_when a", &["begin", "no done_when a", "resumed", "doubt a", "no done_when a", "done a"]), @r"
    begin          | ask done_when a
    no done_when a | start a#1
    resumed        | 
    doubt a        | ask done_when a
    no done_when a | start a#2
    done a         | a done; way back closed; ended succeeded
    ");
    assert_snapshot!(trace("a; undo a; idempotent a; doubt a rollback", &["begin", "resumed", "doubt a", "done a"]), @r"
    begin   | start a#1
    resumed | 
    doubt a | a failed; back; start undo a#2; hold run
    done a  | a undone; ended rolled_back
    ");
}

#[test]
fn an_undo_that_a_crash_kept_from_starting_is_started_again() {
    assert_snapshot!(trace("a; undo a", &["begin", "fails a", "resumed", "never a", "done a"]), @r"
    begin   | start a#1
    fails a | a failed; back; start undo a#2; hold run
    resumed | 
    never a | start undo a#3
    done a  | a undone; ended rolled_back
    ");
}

#[test]
fn a_guard_that_breaches_before_the_first_effect_refuses_the_run() {
    assert_snapshot!(trace("a -> b; undo b; guard g", &["begin", "breach g", "done a"]), @r"
    begin    | watch g; start a#1
    breach g | g breached; unwatch g
    done a   | a done; way back closed; ended refused
    ");
}

#[test]
fn a_warning_of_a_guard_is_told_and_nothing_follows_from_it() {
    let events = ["begin", "warned g", "held g", "warned g", "eased g", "done a", "warned g"];
    assert_snapshot!(trace("a; undo a; guard g", &events), @r"
    begin    | watch g
    warned g | g warns
    held g   | start a#1
    warned g | g warns
    eased g  | g warns no longer
    done a   | a done; unwatch g; way back closed; ended succeeded
    warned g |
    ");
}

#[test]
fn a_step_that_waits_for_its_guard_to_hold_is_named_when_that_lasts() {
    assert_snapshot!(trace("look; a; undo a; guard g", &["begin", "awaited g", "held g", "awaited g"]), @r"
    begin     | watch g; start look#1
    awaited g | a waits for g
    held g    | start a#1
    awaited g |
    ");
    // People keep it back then.
    assert_snapshot!(trace("look; a; undo a; guard g", &["begin", "pause", "awaited g"]), @r"
    begin     | watch g; start look#1
    pause     | paused
    awaited g |
    ");
}

#[test]
fn an_answer_that_is_slow_in_coming_is_told_and_nothing_follows_from_it() {
    let events = ["begin", "unanswered require a", "yes require a", "done a", "unanswered success a", "yes success a"];
    assert_snapshot!(trace("a; undo a; require a; success a", &events), @r"
    begin                | ask require a
    unanswered require a | waits for require a
    yes require a        | start a#1
    done a               | ask success a
    unanswered success a | waits for success a
    yes success a        | a done; way back closed; ended succeeded
    ");
}

#[test]
fn no_step_with_an_effect_starts_before_its_guards_have_held() {
    assert_snapshot!(trace("look; a; undo a; guard g", &["begin", "held g"]), @r"
    begin  | watch g; start look#1
    held g | start a#1
    ");
}

#[test]
fn a_gate_is_taken_away_by_a_breach() {
    let plan = "a -> g -> b; undo a, b; gate g; guard errors";
    assert_snapshot!(trace(plan, &["begin", "held errors", "done a", "breach errors", "go g", "done a"]), @r"
    begin         | watch errors
    held errors   | start a#1
    done a        | a done; open gate g; hold run
    breach errors | errors breached; back; close gate g; start undo a#2
    go g          | 
    done a        | a undone; unwatch errors; ended rolled_back
    ");
}

#[test]
fn an_irreversible_step_whose_gate_was_skipped_does_not_start() {
    let plan = "sign -> wipe; gate sign; drop wipe; fail wipe pause; when sign";
    assert_snapshot!(trace(plan, &["begin", "no when sign"]), @r"
    begin        | ask when sign
    no when sign | sign skipped; wipe failed; paused; hold run
    ");
}

#[test]
fn a_failed_preflight_refuses_the_run() {
    assert_snapshot!(trace("a; undo a; preflight", &["begin", "nodata preflight"]), @r"
    begin            | ask preflight
    nodata preflight | way back closed; ended refused
    ");
}

#[test]
fn what_is_restored_is_measured_and_if_it_is_not_the_run_is_stuck() {
    let plan = "a; undo a; restored";
    assert_snapshot!(trace(plan, &["begin", "fails a", "done a", "due within restored", "resume", "yes restored"]), @r"
    begin               | start a#1
    fails a             | a failed; back; start undo a#2; hold run
    done a              | a undone; ask restored
    due within restored | stuck
    resume              | ask restored
    yes restored        | ended rolled_back
    ");
}

#[test]
fn slots_bound_what_runs_at_once_in_both_directions() {
    let plan = "a, b, c -> d; undo a, b, c, d; slots 2";
    let events = ["begin", "done a", "done b", "done c", "fails d", "done d", "done a", "done b", "done c"];
    assert_snapshot!(trace(plan, &events), @r"
    begin   | start a#1; start b#1
    done a  | a done; start c#1
    done b  | b done
    done c  | c done; start d#1
    fails d | d failed; back; start undo d#2; hold run
    done d  | d undone; start undo a#2; start undo b#2
    done a  | a undone; start undo c#2
    done b  | b undone
    done c  | c undone; ended rolled_back
    ");
}

#[test]
fn an_attempt_that_must_finish_is_awaited_and_then_undone() {
    let plan = "a, b; undo a, b; finish a";
    assert_snapshot!(trace(plan, &["begin", "fails b", "done b", "done a", "done a"]), @r"
    begin   | start a#1; start b#1
    fails b | b failed; back; start undo b#2; hold run
    done b  | b undone
    done a  | start undo a#2
    done a  | a undone; ended rolled_back
    ");
}

#[test]
fn a_closed_window_is_waited_for_and_judged_again_after_a_gate() {
    let plan = "g -> a; gate g; undo a; phase p = g a; window p";
    let events = ["begin", "no_window p", "window p", "go g", "no_window p", "window p", "done a"];
    assert_snapshot!(trace(plan, &events), @r"
    begin       | check window p; hold run
    no_window p | 
    window p    | open gate g; hold phase p
    go g        | close gate g; g done; check window p
    no_window p | 
    window p    | start a#1; release run; release phase p
    done a      | a done; p over; way back closed; ended succeeded
    ");
}

#[test]
fn the_run_holds_after_the_phase_that_was_named() {
    let plan = "a -> b; undo a, b; phase p = a; phase q = b";
    assert_snapshot!(trace(plan, &["until p", "begin", "done a", "resumed", "done b"]), @r"
    until p | 
    begin   | start a#1
    done a  | a done; p over; paused; hold run
    resumed | continued; start b#1; release run
    done b  | b done; q over; way back closed; ended succeeded
    ");
}

#[test]
fn a_succeeded_run_can_be_rolled_back_while_its_way_back_is_open() {
    assert_snapshot!(trace("a; undo a; open", &["begin", "done a", "back start", "done a"]), @r"
    begin      | start a#1
    done a     | a done; ended succeeded
    back start | back; start undo a#2
    done a     | a undone; ended rolled_back
    ");
    assert_snapshot!(trace("a; undo a; open", &["begin", "done a", "close", "back start"]), @r"
    begin      | start a#1
    done a     | a done; ended succeeded
    close      | way back closed
    back start | refused
    ");
}

#[test]
fn what_a_branch_outside_the_target_ends_during_a_rollback_starts_nothing_early() {
    let plan = "a -> b -> z; b -> c; x -> z; undo a, b, c, x, z; fail c to a retry 1";
    let events = ["begin", "done a", "done b", "fails c", "done x", "done c", "done b", "due pass delay", "done b"];
    assert_snapshot!(trace(plan, &events), @r"
    begin          | start a#1; start x#1
    done a         | a done; start b#1
    done b         | b done; start c#1
    fails c        | c failed; back; start undo c#2; hold run
    done x         | x done
    done c         | c undone; start undo b#2
    done b         | b undone
    due pass delay | pass 2; start b#3; release run
    done b         | b done; start z#1; start c#3
    ");
}

#[test]
fn after_the_last_pass_another_rollback_further_up_has_passes_of_its_own() {
    let plan = "a -> b -> c; undo a, b, c; fail c to b retry 1 else to a retry 1 else pause";
    let pass = ["due pass delay", "fails c", "done c"];
    let mut events = vec!["begin", "done a", "done b", "fails c", "done c"];
    events.extend(pass);
    events.extend(["done b", "due pass delay", "done b", "fails c", "done c", "done b"]);
    assert_snapshot!(trace(plan, &events), @r"
    begin          | start a#1
    done a         | a done; start b#1
    done b         | b done; start c#1
    fails c        | c failed; back; start undo c#2; hold run
    done c         | c undone
    due pass delay | pass 2; start c#3; release run
    fails c        | c failed; back; start undo c#4; hold run
    done c         | c undone; back; start undo b#2
    done b         | b undone
    due pass delay | pass 3; start b#3; release run
    done b         | b done; start c#5
    fails c        | c failed; back; start undo c#6; hold run
    done c         | c undone; start undo b#4
    done b         | b undone; paused
    ");
}

#[test]
fn an_else_to_the_same_place_goes_on_from_there_and_may_pause() {
    let again = "a -> b; undo a, b; fail b to a retry 1 else to a retry 1";
    let twice = ["due pass delay", "fails b", "done b", "due pass delay", "fails b", "done b"];
    let events: Vec<&str> = ["begin", "done a", "fails b", "done b"].into_iter().chain(twice).collect();
    assert_snapshot!(trace(again, &events), @r"
    begin          | start a#1
    done a         | a done; start b#1
    fails b        | b failed; back; start undo b#2; hold run
    done b         | b undone
    due pass delay | pass 2; start b#3; release run
    fails b        | b failed; back; start undo b#4; hold run
    done b         | b undone
    due pass delay | pass 3; start b#5; release run
    fails b        | b failed; back; start undo b#6; hold run
    done b         | b undone; ended rolled_back
    ");
    let pause = "a -> b; undo a, b; fail b to a retry 1 else to a pause";
    let events = ["begin", "done a", "fails b", "done b", "due pass delay", "fails b", "done b", "resume"];
    assert_snapshot!(trace(pause, &events), @r"
    begin          | start a#1
    done a         | a done; start b#1
    fails b        | b failed; back; start undo b#2; hold run
    done b         | b undone
    due pass delay | pass 2; start b#3; release run
    fails b        | b failed; back; start undo b#4; hold run
    done b         | b undone; paused
    resume         | continued; start b#5; release run
    ");
}

#[test]
fn a_run_that_ends_measures_no_phase_again() {
    let plan = "b; sign -> wipe; gate sign; drop wipe; phase p = b; phase q = sign wipe; beside q; \
                phase_require p; phase_fail p stop";
    let events = ["begin", "go sign", "no require p", "due run", "done wipe", "resume"];
    assert_snapshot!(trace(plan, &events), @r"
    begin        | ask require p; open gate sign; hold phase q
    go sign      | close gate sign; sign done; start wipe#1; release phase q
    no require p | p failed; stopping
    due run      | refused; paused behind wipe
    done wipe    | wipe done; hold phase p; hold phase q
    resume       | continued; ended stopped
    ");
}

#[test]
fn what_goes_on_outside_of_a_rollback_takes_no_place_of_its_undos() {
    let plan = "a -> b, c; x; undo a, b, c, x; fail c to a; slots 2";
    assert_snapshot!(trace(plan, &["begin", "done a", "done b", "fails c"]), @r"
    begin   | start a#1; start x#1
    done a  | a done; start b#1
    done b  | b done; start c#1
    fails c | c failed; back; start undo b#2; start undo c#2; hold run
    ");
}

#[test]
fn a_bracket_that_was_being_closed_is_opened_again_before_what_is_inside_is_undone() {
    let plan = "quiet -> a -> b; x; undo quiet, a, b; hold quiet phase; phase p = quiet a b; phase q = x; beside q";
    let events = ["begin", "done quiet", "done a", "done b", "back a", "stopped quiet", "done quiet", "done b"];
    assert_snapshot!(trace(plan, &events), @r"
    begin         | start quiet#1; start x#1
    done quiet    | quiet done; start a#1
    done a        | a done; start b#1
    done b        | b done; start undo quiet#2
    back a        | back; stop undo quiet#2; hold run; hold phase p; hold phase q
    stopped quiet | start quiet#3
    done quiet    | start undo b#2
    done b        | b undone; release run; release phase p; release phase q
    ");
}

#[test]
fn a_run_that_ends_does_not_go_on_where_going_back_is_refused() {
    let plan = "a -> b; w; x; undo a, b, x; undo_require a; retry w 2; fail x stop";
    let events = ["begin", "done a", "shut a", "fails w", "fails x", "fails b", "resume", "stop"];
    assert_snapshot!(trace(plan, &events), @r"
    begin   | start a#1; start w#1; start x#1
    done a  | a done; watch way back a; start b#1
    shut a  | way back shut at a
    fails w | w will be retried
    fails x | x failed; stopping
    fails b | b failed; refused; paused, a shut; hold run
    resume  | ignored
    stop    | ended stopped
    ");
}

#[test]
fn a_run_that_is_to_end_is_not_tried_again_after_its_rollback() {
    let plan = "a -> b; x; undo a, b, x; fail x stop; fail b to a retry 2";
    assert_snapshot!(trace(plan, &["begin", "done a", "fails x", "fails b", "done b"]), @r"
    begin   | start a#1; start x#1
    done a  | a done; start b#1
    fails x | x failed; stopping
    fails b | b failed; back; start undo b#2; hold run
    done b  | b undone; ended rolled_back
    ");
}

#[test]
fn a_breach_while_a_way_back_is_weighed_is_not_lost() {
    let plan = "a -> b; a -> c; undo a, b, c; undo_require b; fail c to a; guard g to start";
    let events = ["begin", "held g", "done a", "done b", "fails c", "breach g", "open b", "done c"];
    assert_snapshot!(trace(plan, &events), @r"
    begin    | watch g
    held g   | start a#1
    done a   | a done; start b#1; start c#1
    done b   | b done; watch way back b
    fails c  | c failed; hold run
    breach g | g breached
    open b   | back; ask undo require b; start undo c#2
    done c   | c undone
    ");
}

#[test]
fn a_rollback_elsewhere_does_not_lift_a_pause() {
    let plan = "a -> b; x -> y; undo a, b, x, y; fail x pause; fail b to a retry 1";
    let events = ["begin", "done a", "fails x", "fails b", "done b", "due pass delay", "retry x", "resume"];
    assert_snapshot!(trace(plan, &events[..5]), @r"
    begin   | start a#1; start x#1
    done a  | a done; start b#1
    fails x | x failed; paused
    fails b | b failed; back; start undo b#2; hold run
    done b  | b undone; paused
    ");
    assert_snapshot!(trace(plan, &[&events[..5], &events[6..]].concat()), @r"
    begin   | start a#1; start x#1
    done a  | a done; start b#1
    fails x | x failed; paused
    fails b | b failed; back; start undo b#2; hold run
    done b  | b undone; paused
    retry x | 
    resume  | continued; start x#2; start b#3; release run
    ");
}

#[test]
fn a_phase_outside_the_target_goes_on_being_judged_while_another_goes_back() {
    let plan = "a -> b; a -> y; undo a, b, y; phase p = a b; phase q = y; phase_require q; beside q; fail b to a";
    let events = ["begin", "done a", "fails b", "yes require q", "done b"];
    assert_snapshot!(trace(plan, &events), @r"
    begin         | ask require q; start a#1
    done a        | a done; start b#1
    fails b       | b failed; back; start undo b#2; hold run; hold phase p; hold phase q
    yes require q | 
    done b        | b undone; ended rolled_back
    ");
}

#[test]
fn a_window_that_opens_while_the_run_is_paused_is_judged_again_when_it_goes_on() {
    let plan = "a; undo a; phase p = a; window p";
    assert_snapshot!(trace(plan, &["begin", "pause", "window p", "resume", "window p"]), @r"
    begin    | check window p; hold run
    pause    | paused
    window p | 
    resume   | continued; check window p
    window p | start a#1; release run
    ");
}

#[test]
fn downtime_breaks_what_was_about_to_be_confirmed() {
    let plan = "a; undo a; success a for";
    let events = [
        "begin",
        "done a",
        "yes success a",
        "due for success a",
        "resumed",
        "yes success a",
        "due for success a",
        "yes success a",
    ];
    assert_snapshot!(trace(plan, &events), @r"
    begin             | start a#1
    done a            | ask success a
    yes success a     | 
    due for success a | ask success a
    resumed           | ask success a
    yes success a     | 
    due for success a | ask success a
    yes success a     | a done; way back closed; ended succeeded
    ");
}

#[test]
fn only_a_place_that_was_reached_can_be_returned_to() {
    assert_snapshot!(trace("a -> b; undo a, b", &["begin", "back a", "done a", "back a", "done b"]), @r"
    begin  | start a#1
    back a | ignored
    done a | a done; start b#1
    back a | back; stop b#1; hold run
    done b | start undo b#2
    ");
}

#[test]
fn a_target_that_was_left_out_is_not_measured() {
    let plan = "a -> b; undo a, b; when a; success a; fail b to a";
    assert_snapshot!(trace(plan, &["begin", "no when a", "fails b", "done b"]), @r"
    begin     | ask when a
    no when a | a skipped; start b#1
    fails b   | b failed; back; start undo b#2; hold run
    done b    | b undone; ended rolled_back
    ");
}

#[test]
fn nothing_is_measured_any_more_when_the_run_ends() {
    let plan = "a, b; undo a, b; phase p = a b; phase_success p";
    assert_snapshot!(trace(plan, &["begin", "done a", "stop", "done b"]), @r"
    begin  | start a#1; start b#1
    done a | a done
    stop   | stopping
    done b | b done; ended stopped
    ");
}

#[test]
fn a_step_whose_conditions_held_waits_for_its_guards_after_a_pause() {
    let plan = "a; undo a; require a; guard g";
    assert_snapshot!(trace(plan, &["begin", "held g", "pause", "yes require a", "resume", "held g"]), @r"
    begin         | watch g
    held g        | ask require a
    pause         | paused
    yes require a | hold run
    resume        | continued; watch g; release run
    held g        | start a#1
    ");
}

#[test]
fn a_bracket_that_could_not_be_opened_again_may_be_left_out_and_keeps_the_order_of_undos() {
    let plan =
        "u -> quiet -> a -> b -> c; undo u, quiet, a, b, c; hold quiet phase; phase p = u quiet a; phase q = b c";
    let events = [
        "begin",
        "done u",
        "done quiet",
        "done a",
        "done quiet",
        "done b",
        "fails c",
        "fails quiet",
        "skip quiet",
        "done c",
        "done b",
        "done a",
    ];
    assert_snapshot!(trace(plan, &events), @r"
    begin       | start u#1
    done u      | u done; start quiet#1
    done quiet  | quiet done; start a#1
    done a      | a done; start undo quiet#2
    done quiet  | quiet undone; p over; start b#1
    done b      | b done; start c#1
    fails c     | c failed; back; start quiet#3; hold run; hold phase q
    fails quiet | undo quiet failed; stuck
    skip quiet  | start undo c#2
    done c      | c undone; start undo b#2
    done b      | b undone; start undo a#2
    done a      | a undone; start undo quiet#4
    ");
}

#[test]
fn a_bracket_that_did_not_close_has_another_chance_when_the_run_ends() {
    let plan = "quiet -> a; w -> x; undo quiet, a, w, x; hold quiet phase; phase p = quiet a; phase q = w x; beside q";
    let events =
        ["begin", "done quiet", "done w", "done a", "fails quiet", "back w", "stopped x", "done x", "done quiet"];
    assert_snapshot!(trace(plan, &events), @r"
    begin       | start quiet#1; start w#1
    done quiet  | quiet done; start a#1
    done w      | w done; start x#1
    done a      | a done; start undo quiet#2
    fails quiet | undo quiet failed; paused
    back w      | back; stop x#1; hold run; hold phase p; hold phase q
    stopped x   | start undo x#2
    done x      | x undone; start undo quiet#3; release run; release phase p; release phase q
    done quiet  | quiet undone; p over; ended rolled_back
    ");
}

#[test]
fn a_run_that_was_refused_stays_refused_whatever_else_fails() {
    assert_snapshot!(trace("look -> a; undo a; guard g", &["begin", "breach g", "fails look"]), @r"
    begin      | watch g; start look#1
    breach g   | g breached; unwatch g
    fails look | look failed; refused; way back closed; ended refused
    ");
}

#[test]
fn a_run_can_be_stopped_before_it_has_begun() {
    assert_snapshot!(trace("a; undo a; preflight", &["begin", "stop", "back start"]), @r"
    begin      | ask preflight
    stop       | ended stopped
    back start | back; ended rolled_back
    ");
}

#[test]
fn a_phase_clock_stands_still_while_a_person_works_or_the_window_is_closed() {
    let plan = "m -> a; manual m; undo a; phase p = m a; window p";
    let events = ["begin", "window p", "done m", "no_window p", "window p", "done a"];
    assert_snapshot!(trace(plan, &events), @r"
    begin       | check window p; hold run
    window p    | start m#1; hold phase p
    done m      | m done; check window p
    no_window p | 
    window p    | start a#1; release run; release phase p
    done a      | a done; p over; way back closed; ended succeeded
    ");
}

#[test]
fn what_fails_before_a_further_pass_is_not_forgotten_by_it() {
    let plan = "a -> b; x; undo a, b, x; fail b to a retry 1; fail x pause";
    assert_snapshot!(trace(plan, &["begin", "done a", "fails b", "done b", "fails x", "retry x", "resume"]), @r"
    begin   | start a#1; start x#1
    done a  | a done; start b#1
    fails b | b failed; back; start undo b#2; hold run
    done b  | b undone
    fails x | x failed; paused
    retry x | 
    resume  | continued; start x#2; start b#3; release run
    ");
}

#[test]
fn a_decision_about_a_step_does_not_lift_a_pause_that_is_for_more() {
    let plan = "a; x; undo a, x; fail x pause; phase p = a; phase q = x; beside q; phase_success p; phase_fail p pause";
    let events = ["begin", "fails x", "done a", "due within success p", "retry x", "resume"];
    assert_snapshot!(trace(plan, &events), @r"
    begin                | start a#1; start x#1
    fails x              | x failed; paused
    done a               | a done; ask success p
    due within success p | p failed; paused; hold run; hold phase p; hold phase q
    retry x              | 
    resume               | continued; ask success p; start x#2; release run; release phase p; release phase q
    ");
}

#[test]
fn a_pause_for_two_failed_steps_ends_when_both_are_decided() {
    let plan = "a; b; c; undo a, b, c; fail a pause; fail b pause";
    assert_snapshot!(trace(plan, &["begin", "fails a", "fails b", "skip a", "retry b"]), @r"
    begin   | start a#1; start b#1; start c#1
    fails a | a failed; paused
    fails b | b failed
    skip a  | a skipped
    retry b | continued; start b#2
    ");
}

// R7: the policies of a step, and second failures.

#[test]
fn a_tolerated_failure_satisfies_what_needs_it_and_stays_in_the_set() {
    let plan = "a -> b -> c; undo a, b, c; fail a continue";
    assert_snapshot!(trace(plan, &["begin", "fails a", "done b", "fails c", "done c", "done b", "done a"]), @r"
    begin   | start a#1
    fails a | a failed; a tolerated; start b#1
    done b  | b done; start c#1
    fails c | c failed; back; start undo c#2; hold run
    done c  | c undone; start undo b#2
    done b  | b undone; start undo a#2
    done a  | a undone; ended rolled_back
    ");
}

#[test]
fn a_stop_after_a_failure_awaits_what_runs_and_starts_nothing() {
    let plan = "a; b -> c; w; undo a, b, c; wait w; fail a stop";
    assert_snapshot!(trace(plan, &["begin", "fails a", "done b"]), @r"
    begin   | start a#1; start b#1
    fails a | a failed; stopping
    done b  | b done; ended stopped
    ");
}

#[test]
fn a_second_failure_that_says_stop_ends_the_run_at_the_target() {
    let plan = "a -> b; x; undo a, b, x; fail b to a retry 1; fail x stop";
    assert_snapshot!(trace(plan, &["begin", "done a", "fails b", "fails x", "done b"]), @r"
    begin   | start a#1; start x#1
    done a  | a done; start b#1
    fails b | b failed; back; start undo b#2; hold run
    fails x | x failed
    done b  | b undone; ended rolled_back
    ");
}

#[test]
fn a_second_failure_that_says_pause_pauses_at_the_target() {
    let plan = "a -> b; x; undo a, b, x; fail b to a retry 1; fail x pause";
    assert_snapshot!(trace(plan, &["begin", "done a", "fails b", "fails x", "done b"]), @r"
    begin   | start a#1; start x#1
    done a  | a done; start b#1
    fails b | b failed; back; start undo b#2; hold run
    fails x | x failed
    done b  | b undone; paused
    ");
}

// R8a: the order of an undo.

#[test]
fn an_undo_without_data_for_its_conditions_acts() {
    let plan = "a; undo a; undo_when a; undo_done_when a";
    assert_snapshot!(trace(plan, &["begin", "fails a", "nodata undo when a", "nodata undo done_when a", "done a"]), @r"
    begin                   | start a#1
    fails a                 | a failed; back; ask undo when a; hold run
    nodata undo when a      | ask undo done_when a
    nodata undo done_when a | start undo a#2
    done a                  | a undone; ended rolled_back
    ");
}

#[test]
fn an_undo_whose_when_says_no_is_skipped_and_one_that_is_true_already_is_found() {
    let plan = "a; undo a; undo_when a; undo_done_when a";
    assert_snapshot!(trace(plan, &["begin", "fails a", "no undo when a"]), @r"
    begin          | start a#1
    fails a        | a failed; back; ask undo when a; hold run
    no undo when a | a undone; ended rolled_back
    ");
    assert_snapshot!(trace(plan, &["begin", "fails a", "yes undo when a", "yes undo done_when a"]), @r"
    begin                | start a#1
    fails a              | a failed; back; ask undo when a; hold run
    yes undo when a      | ask undo done_when a
    yes undo done_when a | a undone; ended rolled_back
    ");
}

#[test]
fn the_require_of_an_undo_counts_only_where_its_step_was_done() {
    let plan = "a; undo a; undo_require a";
    assert_snapshot!(trace(plan, &["begin", "fails a", "done a"]), @r"
    begin   | start a#1
    fails a | a failed; back; start undo a#2; hold run
    done a  | a undone; ended rolled_back
    ");
}

#[test]
fn the_actions_of_an_undo_are_done_in_order() {
    assert_snapshot!(trace("a; undo2 a", &["begin", "fails a", "done a", "done a"]), @r"
    begin   | start a#1
    fails a | a failed; back; start undo a#2; hold run
    done a  | start undo' a#3
    done a  | a undone; ended rolled_back
    ");
}

// R9, R10: an undo that fails.

#[test]
fn an_undo_is_retried_by_its_own_bounds() {
    let plan = "a; undo a; retry_undo a 2";
    assert_snapshot!(trace(plan, &["begin", "fails a", "fails a", "due retry a", "fails a"]), @r"
    begin       | start a#1
    fails a     | a failed; back; start undo a#2; hold run
    fails a     | a will be retried
    due retry a | start undo a#3
    fails a     | undo a failed; stuck
    ");
}

#[test]
fn an_undo_that_ended_unknown_is_settled_by_its_criteria() {
    let plan = "a; undo a; undo_success a";
    assert_snapshot!(trace(plan, &["begin", "fails a", "unknown a", "yes undo success a"]), @r"
    begin              | start a#1
    fails a            | a failed; back; start undo a#2; hold run
    unknown a          | ask undo success a
    yes undo success a | a undone; ended rolled_back
    ");
}

#[test]
fn an_undo_that_a_person_has_done_is_still_measured() {
    let plan = "a; undo a; undo_success a";
    let events = ["begin", "fails a", "fails a", "mark a", "due within undo success a", "mark a", "yes undo success a"];
    assert_snapshot!(trace(plan, &events), @r"
    begin                     | start a#1
    fails a                   | a failed; back; start undo a#2; hold run
    fails a                   | undo a failed; stuck
    mark a                    | ask undo success a
    due within undo success a | undo a failed; stuck
    mark a                    | ask undo success a
    yes undo success a        | a undone; ended rolled_back
    ");
}

#[test]
fn a_way_back_that_is_given_up_ends_there_until_another_begins() {
    let plan = "a -> b; undo a, b";
    let events = ["begin", "done a", "fails b", "fails b", "stop", "back start", "done b", "done a"];
    assert_snapshot!(trace(plan, &events), @r"
    begin      | start a#1
    done a     | a done; start b#1
    fails b    | b failed; back; start undo b#2; hold run
    fails b    | undo b failed; stuck
    stop       | stopping on the way back; ended stopped on the way back
    back start | back; start undo b#3
    done b     | b undone; start undo a#2
    done a     | a undone; ended rolled_back
    ");
}

#[test]
fn a_failed_undo_that_is_left_out_lets_its_branch_go_on() {
    let plan = "a -> b; undo a, b";
    assert_snapshot!(trace(plan, &["begin", "done a", "fails b", "fails b", "skip b", "done a"]), @r"
    begin   | start a#1
    done a  | a done; start b#1
    fails b | b failed; back; start undo b#2; hold run
    fails b | undo b failed; stuck
    skip b  | b undone; start undo a#2
    done a  | a undone; ended rolled_back
    ");
}

// R11: what happens at the target.

#[test]
fn the_target_is_verified_by_its_own_criteria_and_then_an_operator_decides() {
    let plan = "a -> b; undo a, b; success a; fail b to a pause";
    let events = ["begin", "done a", "yes success a", "fails b", "done b", "yes success a", "resume", "done b"];
    assert_snapshot!(trace(plan, &events), @r"
    begin         | start a#1
    done a        | ask success a
    yes success a | a done; start b#1
    fails b       | b failed; back; start undo b#2; hold run
    done b        | b undone; ask success a
    yes success a | paused
    resume        | continued; start b#3; release run
    done b        | b done; way back closed; ended succeeded
    ");
}

#[test]
fn after_the_last_pass_the_run_ends_at_the_target() {
    let plan = "a -> b; undo a, b; fail b to a retry 1";
    let events = ["begin", "done a", "fails b", "done b", "due pass delay", "fails b", "done b"];
    assert_snapshot!(trace(plan, &events), @r"
    begin          | start a#1
    done a         | a done; start b#1
    fails b        | b failed; back; start undo b#2; hold run
    done b         | b undone
    due pass delay | pass 2; start b#3; release run
    fails b        | b failed; back; start undo b#4; hold run
    done b         | b undone; ended rolled_back
    ");
}

// R12: who asks does not matter.

#[test]
fn neither_an_operator_nor_a_timeout_goes_back_behind_the_drop() {
    let plan = "sign -> wipe -> c; gate sign; drop wipe; undo c; fail wipe pause";
    assert_snapshot!(trace(plan, &["begin", "go sign", "back start", "done wipe", "resume", "due run"]), @r"
    begin      | open gate sign; hold run
    go sign    | close gate sign; sign done; start wipe#1; release run
    back start | refused; paused behind wipe
    done wipe  | wipe done; hold run
    resume     | continued; start c#1; release run
    due run    | refused; paused behind wipe
    ");
}

// R12a: a bracket of the run.

#[test]
fn a_bracket_of_the_run_is_closed_at_its_end_and_stays_held_after_a_stop() {
    let plan = "quiet -> a; undo quiet, a; hold quiet run";
    assert_snapshot!(trace(plan, &["begin", "done quiet", "done a", "done quiet"]), @r"
    begin      | start quiet#1
    done quiet | quiet done; start a#1
    done a     | a done; start undo quiet#2
    done quiet | quiet undone; way back closed; ended succeeded
    ");
    assert_snapshot!(trace(plan, &["begin", "done quiet", "stop", "done a"]), @r"
    begin      | start quiet#1
    done quiet | quiet done; start a#1
    stop       | stopping
    done a     | a done; ended stopped
    ");
}

// R14: scopes and counts.

#[test]
fn a_guard_sleeps_outside_of_its_scope() {
    let plan = "a -> b -> c; undo a, b, c; guard g during b";
    assert_snapshot!(trace(plan, &["begin", "done a", "held g", "done b", "done c"]), @r"
    begin  | start a#1
    done a | a done; watch g
    held g | start b#1
    done b | b done; unwatch g; start c#1
    done c | c done; way back closed; ended succeeded
    ");
}

const HELD: &str = "quiet -> a -> b; undo quiet, a, b; hold quiet phase; phase p = quiet a b; guard g during quiet";

#[test]
fn a_guard_over_a_bracket_watches_until_its_undo_begins() {
    let events = ["begin", "held g", "done quiet", "done a", "done b", "breach g", "done quiet"];
    assert_snapshot!(trace(HELD, &events), @r"
    begin      | watch g
    held g     | start quiet#1
    done quiet | quiet done; start a#1
    done a     | a done; start b#1
    done b     | b done; start undo quiet#2; unwatch g
    breach g   | 
    done quiet | quiet undone; p over; way back closed; ended succeeded
    ");
}

#[test]
fn a_breach_while_a_bracket_is_held_takes_the_run_back_and_is_judged_no_more() {
    let events = ["begin", "held g", "done quiet", "breach g", "breach g", "stopped a", "done a", "done quiet"];
    assert_snapshot!(trace(HELD, &events), @r"
    begin      | watch g
    held g     | start quiet#1
    done quiet | quiet done; start a#1
    breach g   | g breached; back; stop a#1; hold run; hold phase p
    breach g   | 
    stopped a  | start undo a#2
    done a     | a undone; start undo quiet#2
    done quiet | quiet undone; unwatch g; ended rolled_back
    ");
}

#[test]
fn a_guard_over_a_bracket_keeps_back_what_would_begin_in_it_after_a_pause_and_a_crash() {
    let plan = "quiet -> a -> b; x -> y; undo quiet, a, b, x, y; hold quiet phase; phase p = quiet a b; phase q = x y; \
                beside q; guard g during quiet";
    let events =
        ["begin", "held g", "done quiet", "resumed", "done x", "held g", "pause", "done a", "resume", "held g"];
    assert_snapshot!(trace(plan, &events), @r"
    begin      | watch g; start x#1
    held g     | start quiet#1
    done quiet | quiet done; start a#1
    resumed    | watch g
    done x     | x done; start y#1
    held g     | 
    pause      | paused
    done a     | a done
    resume     | continued; watch g
    held g     | start b#1
    ");
}

#[test]
fn a_guard_over_a_bracket_of_the_run_watches_in_later_phases_and_keeps_them_back() {
    let plan = "quiet; a; undo quiet, a; hold quiet run; phase p = quiet; phase q = a; guard g during quiet";
    let events =
        ["begin", "held g", "resumed", "done quiet", "held g", "breach g", "stopped a", "done a", "done quiet"];
    assert_snapshot!(trace(plan, &events), @r"
    begin      | watch g
    held g     | start quiet#1
    resumed    | watch g
    done quiet | quiet done; p over
    held g     | start a#1
    breach g   | g breached; back; stop a#1; hold run; hold phase q
    stopped a  | start undo a#2
    done a     | a undone; start undo quiet#2
    done quiet | quiet undone; unwatch g; ended rolled_back
    ");
}

#[test]
fn a_guard_over_a_bracket_takes_away_a_question_that_is_open_while_it_is_held() {
    let plan =
        "quiet -> ask -> a; undo quiet, a; gate ask; hold quiet phase; phase p = quiet ask a; guard g during quiet";
    assert_snapshot!(trace(plan, &["begin", "held g", "done quiet", "breach g"]), @r"
    begin      | watch g
    held g     | start quiet#1
    done quiet | quiet done; open gate ask; hold run; hold phase p
    breach g   | g breached; back; close gate ask; start undo quiet#2
    ");
}

#[test]
fn a_guard_over_a_bracket_watches_on_while_a_pause_keeps_it_from_being_closed() {
    let events = ["begin", "held g", "done quiet", "done a", "pause", "done b", "breach g"];
    assert_snapshot!(trace(HELD, &events), @r"
    begin      | watch g
    held g     | start quiet#1
    done quiet | quiet done; start a#1
    done a     | a done; start b#1
    pause      | paused
    done b     | b done; hold run; hold phase p
    breach g   | g breached; back; start undo b#2
    ");
    let events = ["begin", "held g", "done quiet", "done a", "pause", "done b", "resume", "fails quiet", "breach g"];
    assert_snapshot!(trace(HELD, &events), @r"
    begin       | watch g
    held g      | start quiet#1
    done quiet  | quiet done; start a#1
    done a      | a done; start b#1
    pause       | paused
    done b      | b done; hold run; hold phase p
    resume      | continued; watch g; start undo quiet#2; unwatch g; release run; release phase p
    fails quiet | undo quiet failed; paused; hold run; hold phase p
    breach g    |
    ");
}

#[test]
fn a_guard_over_a_bracket_watches_on_when_a_rollback_inside_it_is_over() {
    let plan = "quiet -> a -> b; undo quiet, a, b; hold quiet phase; phase p = quiet a b; guard g during quiet; \
                fail b to a retry 1";
    let events =
        ["begin", "held g", "done quiet", "done a", "fails b", "breach g", "done b", "due pass delay", "held g"];
    assert_snapshot!(trace(plan, &events), @r"
    begin          | watch g
    held g         | start quiet#1
    done quiet     | quiet done; start a#1
    done a         | a done; start b#1
    fails b        | b failed; back; start undo b#2; hold run; hold phase p
    breach g       | 
    done b         | b undone
    due pass delay | watch g; pass 2; release run; release phase p
    held g         | start b#3
    ");
}

#[test]
fn nothing_is_held_that_was_found_or_left_out() {
    let plan = "quiet -> a; undo quiet, a; done_when quiet; hold quiet phase; phase p = quiet a; guard g during quiet";
    assert_snapshot!(trace(plan, &["begin", "held g", "yes done_when quiet"]), @r"
    begin               | watch g
    held g              | ask done_when quiet
    yes done_when quiet | quiet found; unwatch g; start a#1
    ");
    assert_snapshot!(trace(plan, &["begin", "skip quiet", "held g"]), @r"
    begin      | watch g
    skip quiet | 
    held g     | quiet skipped; unwatch g; start a#1
    ");
}

#[test]
fn the_counts_of_a_guard_begin_anew_after_a_pause_and_after_a_rollback() {
    let plan = "a -> b; undo a, b; fail b to a retry 1; guard g";
    let events =
        ["begin", "held g", "pause", "resume", "done a", "held g", "fails b", "done b", "due pass delay", "held g"];
    assert_snapshot!(trace(plan, &events), @r"
    begin          | watch g
    held g         | start a#1
    pause          | paused
    resume         | continued; watch g
    done a         | a done
    held g         | start b#1
    fails b        | b failed; back; start undo b#2; hold run
    done b         | b undone
    due pass delay | watch g; pass 2; release run
    held g         | start b#3
    ");
}

// R16: an answer is void after a rollback past its gate.

#[test]
fn a_gate_is_asked_again_after_a_rollback_past_it() {
    let plan = "a -> sign -> b; undo a, b; gate sign; fail b to a retry 1";
    let events = ["begin", "done a", "go sign", "fails b", "done b", "due pass delay"];
    assert_snapshot!(trace(plan, &events), @r"
    begin          | start a#1
    done a         | a done; open gate sign; hold run
    go sign        | close gate sign; sign done; start b#1; release run
    fails b        | b failed; back; start undo b#2; hold run
    done b         | b undone
    due pass delay | pass 2; open gate sign
    ");
}

// R3: the order of a step.

#[test]
fn a_step_is_asked_when_and_whether_it_is_done_and_what_it_requires_before_it_acts() {
    let plan = "a; undo a; when a; done_when a; require a; success a";
    let events = ["begin", "yes when a", "no done_when a", "yes require a", "done a", "yes success a"];
    assert_snapshot!(trace(plan, &events), @r"
    begin          | ask when a
    yes when a     | ask done_when a
    no done_when a | ask require a
    yes require a  | start a#1
    done a         | ask success a
    yes success a  | a done; way back closed; ended succeeded
    ");
    assert_snapshot!(trace(plan, &["begin", "nodata when a"]), @r"
    begin         | ask when a
    nodata when a | a failed; back; ended rolled_back
    ");
    assert_snapshot!(trace(plan, &["begin", "yes when a", "nodata done_when a"]), @r"
    begin              | ask when a
    yes when a         | ask done_when a
    nodata done_when a | a failed; back; ended rolled_back
    ");
    assert_snapshot!(trace(plan, &["begin", "yes when a", "no done_when a", "nodata require a"]), @r"
    begin            | ask when a
    yes when a       | ask done_when a
    no done_when a   | ask require a
    nodata require a | a failed; back; ended rolled_back
    ");
}

#[test]
fn the_baseline_is_taken_before_the_first_step_with_an_effect_and_what_has_none_does_not_wait() {
    let plan = "look -> a -> b; undo a, b; baseline";
    assert_snapshot!(trace(plan, &["begin", "done look", "baseline", "done a", "done b"]), @r"
    begin     | start look#1
    done look | look done; take baseline
    baseline  | baseline taken; start a#1
    done a    | a done; start b#1
    done b    | b done; way back closed; ended succeeded
    ");
}

#[test]
fn the_baseline_of_a_phase_comes_after_its_window_and_before_its_require() {
    let plan = "a -> b; undo a, b; phase p = a; phase q = b; phase_require q; window q; baseline q; baseline_require";
    let events = ["begin", "done a", "window q", "baseline", "yes baseline", "yes require q", "done b"];
    assert_snapshot!(trace(plan, &events), @r"
    begin         | start a#1
    done a        | a done; p over; check window q; hold run
    window q      | take baseline; release run
    baseline      | baseline taken; ask baseline
    yes baseline  | ask require q
    yes require q | start b#1
    done b        | b done; q over; way back closed; ended succeeded
    ");
}

#[test]
fn a_run_whose_baseline_is_not_healthy_is_refused_where_nothing_was_changed() {
    let plan = "look -> a; undo a; baseline; baseline_require";
    assert_snapshot!(trace(plan, &["begin", "done look", "baseline", "no baseline"]), @r"
    begin       | start look#1
    done look   | look done; take baseline
    baseline    | baseline taken; ask baseline
    no baseline | baseline rejected; way back closed; ended refused
    ");
    assert_snapshot!(trace(plan, &["begin", "done look", "no_baseline"]), @r"
    begin       | start look#1
    done look   | look done; take baseline
    no_baseline | baseline rejected; way back closed; ended refused
    ");
    let before_a_phase = "look -> a; undo a; phase p = look; phase q = a; baseline q";
    assert_snapshot!(trace(before_a_phase, &["begin", "done look", "no_baseline"]), @r"
    begin       | start look#1
    done look   | look done; p over; take baseline
    no_baseline | baseline rejected; way back closed; ended refused
    ");
}

#[test]
fn a_phase_whose_baseline_is_not_healthy_fails_where_something_was_changed() {
    let plan = "a -> b; undo a, b; phase p = a; phase q = b; baseline q; baseline_require";
    assert_snapshot!(trace(plan, &["begin", "done a", "baseline", "no baseline", "done a"]), @r"
    begin       | start a#1
    done a      | a done; p over; take baseline
    baseline    | baseline taken; ask baseline
    no baseline | baseline rejected; q failed; back; start undo a#2; hold run
    done a      | a undone; ended rolled_back
    ");
    let pauses = format!("{plan}; phase_fail q pause");
    let events = ["begin", "done a", "no_baseline", "resume", "baseline", "yes baseline", "done b"];
    assert_snapshot!(trace(&pauses, &events), @r"
    begin        | start a#1
    done a       | a done; p over; take baseline
    no_baseline  | baseline rejected; q failed; paused; hold run; hold phase q
    resume       | continued; take baseline; release run; release phase q
    baseline     | baseline taken; ask baseline
    yes baseline | start b#1
    done b       | b done; q over; way back closed; ended succeeded
    ");
    let goes_on = format!("{plan}; phase_fail q continue; phase_require q");
    assert_snapshot!(trace(&goes_on, &["begin", "done a", "no_baseline", "yes require q", "done b"]), @r"
    begin         | start a#1
    done a        | a done; p over; take baseline
    no_baseline   | baseline rejected; q failed; ask require q
    yes require q | start b#1
    done b        | b done; q over; way back closed; ended succeeded
    ");
}

#[test]
fn a_further_pass_keeps_the_baseline() {
    let plan = "a -> b; undo a, b; phase p = a; phase q = b; baseline q; fail b to a retry 1";
    let events = ["begin", "done a", "baseline", "fails b", "done b", "due pass delay", "done b"];
    assert_snapshot!(trace(plan, &events), @r"
    begin          | start a#1
    done a         | a done; p over; take baseline
    baseline       | baseline taken; start b#1
    fails b        | b failed; back; start undo b#2; hold run; hold phase q
    done b         | b undone
    due pass delay | p over; pass 2; start b#3; release run
    done b         | b done; q over; way back closed; ended succeeded
    ");
}

#[test]
fn a_rollback_or_a_stop_while_the_baseline_is_taken_breaks_it_off() {
    let plan = "a -> b; undo a, b; phase p = a; phase q = b; baseline q";
    assert_snapshot!(trace(plan, &["begin", "done a", "back start", "baseline", "done a"]), @r"
    begin      | start a#1
    done a     | a done; p over; take baseline
    back start | back; drop baseline; start undo a#2; hold run
    baseline   | 
    done a     | a undone; ended rolled_back
    ");
    assert_snapshot!(trace(plan, &["begin", "done a", "stop", "baseline"]), @r"
    begin    | start a#1
    done a   | a done; p over; take baseline
    stop     | stopping; drop baseline; ended stopped
    baseline |
    ");
}

#[test]
fn a_guard_that_compares_with_the_baseline_sleeps_until_it_is_taken_and_keeps_nothing_back_before() {
    let plan = "a -> b; undo a, b; phase p = a; phase q = b; baseline q; guard g; baseline_guard g";
    let events = ["begin", "breach g", "done a", "baseline", "held g", "breach g", "stopped b", "done b", "done a"];
    assert_snapshot!(trace(plan, &events), @r"
    begin     | start a#1
    breach g  | 
    done a    | a done; p over; take baseline
    baseline  | baseline taken; watch g
    held g    | start b#1
    breach g  | g breached; back; stop b#1; hold run; hold phase q
    stopped b | start undo b#2
    done b    | b undone; start undo a#2
    done a    | a undone; unwatch g; ended rolled_back
    ");
}

#[test]
fn a_pause_keeps_what_waited_for_the_baseline_waiting() {
    let plan = "a; undo a; baseline";
    assert_snapshot!(trace(plan, &["begin", "pause", "baseline", "resume", "done a"]), @r"
    begin    | take baseline
    pause    | paused
    baseline | baseline taken; hold run
    resume   | continued; start a#1; release run
    done a   | a done; way back closed; ended succeeded
    ");
}

#[test]
fn a_crash_while_the_baseline_is_taken_changes_nothing_for_the_engine() {
    let plan = "a; undo a; baseline; baseline_require";
    assert_snapshot!(trace(plan, &["begin", "resumed", "baseline", "yes baseline", "done a"]), @r"
    begin        | take baseline
    resumed      | 
    baseline     | baseline taken; ask baseline
    yes baseline | start a#1
    done a       | a done; way back closed; ended succeeded
    ");
}

#[test]
fn an_attempt_that_makes_no_progress_is_stopped_and_tried_again_where_that_is_safe() {
    let plan = "a; undo a; retry a 2; idempotent a; progress a";
    let events = ["begin", "stalls a", "stopped a", "due retry a", "stalls a", "unknown a", "done a"];
    assert_snapshot!(trace(plan, &events), @r"
    begin       | start a#1; watch progress a#1
    stalls a    | a stalled; unwatch progress a#1; stop a#1
    stopped a   | a will be retried
    due retry a | start a#2; watch progress a#2
    stalls a    | a stalled; unwatch progress a#2; stop a#2
    unknown a   | a failed; back; start undo a#3; hold run
    done a      | a undone; ended rolled_back
    ");
    let once = "a; undo a; retry a 2; progress a";
    assert_snapshot!(trace(once, &["begin", "stalls a", "stopped a", "done a"]), @r"
    begin     | start a#1; watch progress a#1
    stalls a  | a stalled; unwatch progress a#1; stop a#1
    stopped a | a failed; back; start undo a#2; hold run
    done a    | a undone; ended rolled_back
    ");
}

#[test]
fn what_a_stalled_attempt_came_to_is_asked_and_one_that_ended_well_after_all_is_done() {
    let plan = "a; undo a; retry a 2; done_when a; progress a";
    let events = ["begin", "no done_when a", "stalls a", "stopped a", "no done_when a", "due retry a", "done a"];
    assert_snapshot!(trace(plan, &events), @r"
    begin          | ask done_when a
    no done_when a | start a#1; watch progress a#1
    stalls a       | a stalled; unwatch progress a#1; stop a#1
    stopped a      | ask done_when a
    no done_when a | a will be retried
    due retry a    | start a#2; watch progress a#2
    done a         | unwatch progress a#2; a done; way back closed; ended succeeded
    ");
    assert_snapshot!(trace("a; undo a; progress a", &["begin", "stalls a", "done a"]), @r"
    begin    | start a#1; watch progress a#1
    stalls a | a stalled; unwatch progress a#1; stop a#1
    done a   | a done; way back closed; ended succeeded
    ");
}

#[test]
fn a_stalled_attempt_that_a_rollback_awaits_is_not_told_to_stop_twice() {
    let plan = "a; undo a; progress a";
    assert_snapshot!(trace(plan, &["begin", "stalls a", "stalls a", "back start", "stopped a", "done a"]), @r"
    begin      | start a#1; watch progress a#1
    stalls a   | a stalled; unwatch progress a#1; stop a#1
    stalls a   | 
    back start | back; hold run
    stopped a  | start undo a#2
    done a     | a undone; ended rolled_back
    ");
    assert_snapshot!(trace(plan, &["begin", "back start", "stalls a", "stopped a", "done a"]), @r"
    begin      | start a#1; watch progress a#1
    back start | back; unwatch progress a#1; stop a#1; hold run
    stalls a   | 
    stopped a  | start undo a#2
    done a     | a undone; ended rolled_back
    ");
}
