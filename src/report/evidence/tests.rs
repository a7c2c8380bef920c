use super::*;
use crate::model::Time;
use crate::report::sample;
use crate::report::view::Reading;

fn view(notices: &[crate::report::Told]) -> (Plan, View) {
    let plan = sample::plan();
    let mut view = sample::view(&plan);
    for told in notices {
        view.take(&plan, told);
    }
    let now = view.now.after(Span::from_secs(60));
    view.look(&plan, now);
    view.probes[0].reading = Some(Reading {
        value: Some("0".into()),
        at: Time::from_millis(now.millis() - 400),
        good_since: Some(Time::from_millis(now.millis() - 48_000)),
    });
    (plan, view)
}

fn text(evidence: &GateEvidence) -> String {
    sample::text(&lines(evidence, 80))
}

#[test]
fn a_gate_shows_what_is_measured_what_go_starts_what_no_means_and_what_going_back_costs() {
    let (plan, view) = view(&sample::to_the_gate());
    let mut evidence = GateEvidence::of(&plan, &view, sample::step(sample::READY)).expect("it is a gate");
    evidence.head = Some("9c1f0a2b".into());
    insta::assert_snapshot!(text(&evidence), @r"
    Replica is warm. Cut over now?
      evidence  lag     0 bytes  (good for 48s, 0s old)
                errors  not asked yet
      go        starts fence_old, promote, switch_proxy
      no-go     the run stops where it is
      way back  open, 1 undo, at most 15s
      expires   in 29m, then that is a no-go
      head      9c1f0a2b
    ");
}

#[test]
fn a_gate_before_a_point_of_no_return_says_so() {
    let (plan, view) = view(&sample::succeeded()[..21]);
    let evidence = GateEvidence::of(&plan, &view, sample::step(sample::SIGN_OFF)).expect("it is a gate");
    insta::assert_snapshot!(text(&evidence), @r"
    Destroy the old primary?
      evidence  lag     0 bytes  (good for 48s, 0s old)
                errors  not asked yet
      go        starts drop_old; NO WAY BACK after drop_old
      no-go     back to the start
      way back  open, 4 undos, at most 1m
    ");
    assert_eq!(GateEvidence::of(&plan, &view, sample::step(sample::FENCE)), None);
}
