use super::*;
use crate::model::Span;
use crate::report::{Theme, sample};

fn story(notices: &[Told]) -> (Plan, Story) {
    let plan = sample::plan();
    let mut story = Story::new(&plan, "7f3a");
    for told in notices {
        story.take(&plan, told);
    }
    story.view.bounded_by(sample::bounds(&plan));
    let now = story.view.now;
    story.view.look(&plan, now);
    story.head = Some("9c1f0a2b".into());
    (plan, story)
}

fn text(plan: &Plan, story: &Story) -> String {
    sample::text(&story.summary(plan, 80, Theme::new(false, true)))
}

#[test]
fn the_summary_of_a_success_counts_what_was_interrupted_in_milliseconds() {
    let (plan, story) = story(&sample::succeeded());
    insta::assert_snapshot!(text(&plan, &story), @r"
    promote_orders_db SUCCEEDED after 3m 11s
    run 7f3a, began 2026-11-20 12:00:00 UTC
      interrupted  writes for 2050 ms

      warmup             1m 20s
        ✓ basebackup     1m 14s  done after 2 attempts
        ✓ prewarm          5.6s  done
      cutover             47.8s
        ✓ ready           44.7s  done
        ✓ fence_old        1.2s  done
        ✓ promote         840ms  done
        ✓ switch_proxy    940ms  done
      complete            1m 2s
        ✓ sign_off        1m 1s  done
        ✓ drop_old        990ms  done

      answered     2:05.0  gate ready: go, by alice
      answered     3:10.0  gate sign_off: go, by bob: burn-in was clean
      retries      1 failed attempt
      way back     GONE, step drop_old cannot be undone
      journal head 9c1f0a2b
    ");
}

#[test]
fn the_summary_of_a_rollback_tells_the_cause_first() {
    let (plan, story) = story(&sample::rolled_back(&sample::plan()));
    insta::assert_snapshot!(text(&plan, &story), @r"
    promote_orders_db ROLLED BACK after 2m 14s
    run 7f3a, began 2026-11-20 12:00:00 UTC
      because      2:08.4  guard errors breached (`probe.errors < 5`); the run goes
                   back: probe.errors = 112 /s
      interrupted  writes for 5900 ms, ended by going back

      warmup             1m 20s
        ↶ basebackup     1m 14s  undone
        ✓ prewarm          5.6s  done
      cutover             48.1s
        ✓ ready           44.7s  done
        ↶ fence_old        1.2s  undone
        ↶ promote                undone
        · switch_proxy           not begun
      complete
        · sign_off               not begun
        · drop_old               not begun

      answered     2:05.0  gate ready: go, by alice
      retries      1 failed attempt
      rollback     took 5.6s
      undone       basebackup, fence_old, promote
      journal head 9c1f0a2b
    ");
}

#[test]
fn the_summary_of_a_stuck_run_tells_the_cause_first_and_what_to_do() {
    let (plan, story) = story(&sample::stuck(&sample::plan()));
    insta::assert_snapshot!(text(&plan, &story), @r"
    promote_orders_db STUCK after 2m 13s, not ended
    run 7f3a, began 2026-11-20 12:00:00 UTC
      because      2:08.4  guard errors breached (`probe.errors < 5`); the run goes
                   back: probe.errors = 112 /s
                   2:13.0  undo of basebackup failed: its action failed: exit code
                   1: rm: cannot remove /srv/pg-new: busy
                   2:13.0  run stuck: step basebackup could not be undone; a human
                   is needed
      interrupted  writes for 5900 ms, ended by going back

      warmup             1m 20s
        ✗ basebackup     1m 14s  undo failed
        ✓ prewarm          5.6s  done
      cutover             48.1s
        ✓ ready           44.7s  done
        ↶ fence_old        1.2s  undone
        ↶ promote                undone
        · switch_proxy           not begun
      complete
        · sign_off               not begun
        · drop_old               not begun

      answered     2:05.0  gate ready: go, by alice
      retries      1 failed attempt
      undone       fence_old, promote
      way back     STUCK, 2 of 3 steps undone
      journal head 9c1f0a2b
      next         runbook resume 7f3a  tries the way back again
    ");
}

#[test]
fn the_summary_of_a_run_that_was_left_names_the_commands() {
    let (plan, story) = story(&sample::to_the_promotion());
    insta::assert_snapshot!(text(&plan, &story), @r"
    promote_orders_db FORWARD after 2m 7s, not ended
    run 7f3a, began 2026-11-20 12:00:00 UTC
      interrupted  writes since 2:05.0, and still

      warmup             1m 20s
        ✓ basebackup     1m 14s  done after 2 attempts
        ✓ prewarm          5.6s  done
      cutover             46.7s
        ✓ ready           44.7s  done
        ✓ fence_old        1.2s  done
        ▹ promote                measuring probe.new_writable
        · switch_proxy           not begun
      complete
        · sign_off               not begun
        · drop_old               not begun

      answered     2:05.0  gate ready: go, by alice
      retries      1 failed attempt
      way back     open, 3 undos, at most 45s
      journal head 9c1f0a2b
      next         runbook resume 7f3a    goes on from here
                   runbook rollback 7f3a  goes back
    ");
}

#[test]
fn why_answers_with_what_it_waits_for_or_what_it_came_to() {
    let (plan, story) = story(&sample::to_the_promotion());
    let why: Vec<String> = plan.step_ids().map(|step| story.why(&plan, step)).collect();
    insta::assert_snapshot!(why.join("\n"), @r"
    step basebackup is done (at 1:14.5)
    step prewarm is done (at 1:20.1)
    step ready is done, by alice (at 2:05.0)
    step fence_old is done (at 2:06.2)
    step promote: the action ended, now its criteria are measured (at 2:07.0)
    step switch_proxy has not begun: it needs promote
    step sign_off has not begun: phase complete has not begun
    step drop_old has not begun: it needs sign_off
    ");
}

#[test]
fn a_list_shows_which_runs_nobody_drives() {
    let row = |run: &str, mode, alive| ListRow {
        run: run.into(),
        name: "promote_orders_db".into(),
        mode,
        alive,
        began: Some("2026-11-20T12:00:00Z".parse().expect("a time stamp")),
        took: Span::from_secs(190),
    };
    let finished = Mode::Finished { outcome: RunOutcome::Succeeded };
    let rows = [row("7f3a", Mode::Forward, true), row("11", Mode::Forward, false), row("c0ffee", finished, false)];
    let text = sample::text(&list(&rows, 80, Theme::BARE));
    insta::assert_snapshot!(text, @r"
    RUN     RUNBOOK            BEGAN (UTC)        STATE
    7f3a    promote_orders_db  2026-11-20 12:00   forward after 3m 10s
    11      promote_orders_db  2026-11-20 12:00   forward after 3m 10s, nobody dr...
    c0ffee  promote_orders_db  2026-11-20 12:00   succeeded after 3m 10s
    ");
}
