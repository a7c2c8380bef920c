use std::cell::RefCell;
use std::collections::BTreeMap;

use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::model::Time;

/// Values by the name that stands in the text; secret where the name has a `!` in front.
#[derive(Default)]
struct Values {
    named: BTreeMap<String, Json>,
    asked: RefCell<u32>,
    history: BTreeMap<&'static str, Series>,
}

impl Values {
    fn of(values: &[(&str, Json)]) -> Self {
        let values = values.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
        Self { named: values, ..Self::default() }
    }

    /// Histories with a sample every second.
    fn with_history(history: &[(&'static str, &[f64])]) -> Self {
        let series = |values: &[f64]| {
            let mut series = Series::new(Span::from_secs(600));
            for (second, value) in (1..).zip(values) {
                series.take(Time::from_millis(second * 1000), Some(&json!(value)));
            }
            series
        };
        Self { history: history.iter().map(|(name, values)| (*name, series(values))).collect(), ..Self::default() }
    }

    fn get(&self, name: &str) -> Option<Json> {
        *self.asked.borrow_mut() += 1;
        self.named.get(name).cloned()
    }

    fn value(&self, name: &str) -> Option<Value> {
        let secret = self.named.get(&format!("!{name}")).cloned().map(|json| Value { json, secret: true });
        secret.or_else(|| self.get(name).map(|json| Value { json, secret: false }))
    }
}

impl Scope for Values {
    fn var(&self, name: &str) -> Option<Value> {
        self.value(&format!("vars.{name}"))
    }
    fn probe(&self, name: &str) -> Option<Json> {
        self.get(&format!("probe.{name}"))
    }
    fn series(&self, probe: &str) -> Option<&Series> {
        self.history.get(probe)
    }
    fn baseline(&self, name: &str, figure: Figure) -> Option<Json> {
        self.get(&format!("baseline.{name}.{}", figure.word()))
    }
    fn step_outcome(&self, step: &str) -> Option<StepOutcome> {
        self.get(&format!("steps.{step}.outcome")).map(|_| StepOutcome::Done)
    }
    fn step_attempts(&self, step: &str) -> Option<u32> {
        self.get(&format!("steps.{step}.attempts")).and_then(|n| u32::try_from(n.as_u64()?).ok())
    }
    fn step_output(&self, step: &str, output: &str) -> Option<Value> {
        self.value(&format!("steps.{step}.outputs.{output}"))
    }
    fn local(&self, name: &str) -> Option<Json> {
        self.get(name)
    }
}

fn names() -> Names<'static> {
    let kinds =
        [("lag", Kind::Number), ("other", Kind::Number), ("up", Kind::Bool), ("name", Kind::Text), ("any", Kind::Any)];
    let (interval, keep) = (Span::from_secs(1), Span::from_secs(600));
    let probes = kinds.map(|(name, kind)| (name, Measured { kind, interval, keep }));
    let mut names = Names::new(["limit", "list", "password", "map"].into(), probes.into(), ["copy", "drop_old"].into());
    names.baseline = Some(["lag"].into());
    names
}

fn compiled(text: &str) -> Program {
    compile(text, Locals::All, &names()).unwrap_or_else(|errors| panic!("{text}: {errors:?}")).program
}

fn judge(text: &str, values: &[(&str, Json)]) -> Verdict {
    compiled(text).judge(&Values::of(values))
}

fn refusal(text: &str) -> String {
    let errors = compile(text, Locals::None, &names()).map(|c| c.program).expect_err(text);
    let shown: Vec<_> = errors
        .iter()
        .map(|e| {
            let help = e.help.as_ref().map(|help| format!(" ({help})")).unwrap_or_default();
            format!("[{}] {}{help}", &text[e.range.clone()], e.message)
        })
        .collect();
    shown.join("; ")
}

use Verdict::{Fails, Holds, NoData};

#[test]
fn whole_and_decimal_numbers_mix() {
    for text in [
        "3 * 2.0 == 6.0",
        "3 * 2.0 == 6",
        "1 + 0.5 == 1.5",
        "7 / 2 == 3",
        "7 / 2.0 == 3.5",
        "-7 / 2 == -3",
        "-7 % 3 == -1",
        "5.5 % 2 == 1.5",
        "10 - 0.5 > 9",
        "1u + 1 == 2",
        "9007199254740993 > 9007199254740992.0",
        "!(9007199254740993 == 9007199254740992.0)",
        "9223372036854775807 + 1 == 9223372036854775808.0",
        "1e18 == 1000000000000000000",
        "1e300 > 9223372036854775807",
        "-1e300 < -9223372036854775808",
        "max(1, 2.5, 2) == 2.5",
        "min(3, 1.0, 2) == 1",
        "max([1, 5, 3]) == 5",
        "abs(-3) == 3 && abs(-0.5) == 0.5",
        "round(2.5) == 3 && round(-2.5) == -3 && round(7) == 7",
        "int(2.9) == 2 && int('12') == 12 && double('1.5') == 1.5 && string(3) == '3'",
        "[{'n': 'a', 'v': 1}, {'n': 'b', 'v': 3.5}, {'n': 'c', 'v': 2}].max_by(x, x.v).n == 'b'",
        "min_by([3, -4, 2], x, abs(x)) == 2",
    ] {
        assert_eq!(judge(text, &[]), Holds, "{text}");
    }
}

#[test]
fn what_has_no_number_for_an_answer_is_no_data() {
    for text in ["1 / 0 > 0", "1 % 0 == 0", "0.0 / 0.0 < 1.0", "!(0.0 / 0.0 < 1.0)", "max([]) > 0", "int('x') == 1"] {
        assert_eq!(judge(text, &[]), NoData, "{text}");
    }
    assert_eq!(judge("1.0 / 0.0 > 1e308", &[]), Holds);
}

#[test]
fn a_condition_that_meets_missing_data_is_no_data_unless_the_rest_decides() {
    #[rustfmt::skip]
    let table = [
        ("probe.lag < 10",                        NoData),
        ("!(probe.lag < 10)",                     NoData),
        ("true || probe.lag < 10",                Holds),
        ("probe.lag < 10 || true",                Holds),
        ("false && probe.lag < 10",               Fails),
        ("probe.lag < 10 && false",               Fails),
        ("true && probe.lag < 10",                NoData),
        ("false || probe.lag < 10",               NoData),
        ("probe.lag < 10 && probe.other < 10",    NoData),
        ("max(1, probe.lag) > 0",                 NoData),
        ("has(probe.lag)",                        Fails),
        ("has(probe.lag) ? probe.lag < 10 : true", Holds),
        ("[1, 2].exists(x, x == 2 || probe.lag < x)", Holds),
        ("[1, 2].all(x, probe.lag < x && x == 1)", Fails),
        ("[1, 2].all(x, probe.lag < x)",          NoData),
        ("steps.copy.outcome == 'done'",          NoData),
        ("vars.limit == 1",                       NoData),
    ];
    for (text, verdict) in table {
        assert_eq!(judge(text, &[]), verdict, "{text}");
    }
}

#[test]
fn names_read_what_the_scope_says() {
    let values = [
        ("probe.lag", json!(5)),
        ("probe.up", json!(true)),
        ("probe.any", json!({"a": {"b-c": [1, 2.5, "x"]}, "n": null})),
        ("vars.list", json!([3, 1, 2])),
        ("vars.limit", json!(10)),
        ("steps.copy.outcome", json!(1)),
        ("steps.copy.attempts", json!(2)),
        ("steps.copy.outputs.rows", json!(12)),
        ("exit", json!(0)),
        ("row", json!({"ok": true})),
    ];
    for text in [
        "probe.lag < vars.limit",
        "probe.up",
        "probe['lag'] == 5",
        "probe.any.a['b-c'][1] == 2.5",
        "probe.any.n == null",
        "'b-c' in probe.any.a && 'x' in probe.any.a['b-c']",
        "has(probe.any.a) && !has(probe.any.z)",
        "vars.list.all(x, x > 0) && vars.list.exists_one(x, x == 2)",
        "vars.list.map(x, x * 2) == [6, 2, 4] && vars.list.filter(x, x > 1) == [3, 2]",
        "vars.list.map(x, vars.list.filter(y, y < x).size()) == [2, 0, 1]",
        "vars.list.all(x, [x].all(y, y + 0 == x && y == x))",
        "size(vars.list) == 3",
        "steps.copy.outcome == 'done' && steps.copy.attempts == 2 && steps.copy.outputs.rows == 12.0",
        "exit == 0 && row.ok",
        "'abc'.contains('b') && 'abc'.startsWith('a') && 'abc'.endsWith('c') && 'abc'.matches('^a.c$')",
        "'ä'.size() == 1",
    ] {
        assert_eq!(judge(text, &values), Holds, "{text}");
    }
    assert_eq!(judge("probe.any.z == 1", &values), NoData);
    assert_eq!(judge("probe.any < 1", &values), NoData);
    assert_eq!(judge("probe.any.a", &values), NoData);
}

#[test]
fn every_wrong_name_is_said_with_its_place_and_the_nearest_one() {
    assert_eq!(
        refusal("probe.lga < 1 && vras.limit == 2 || steps.cpy.outcome == 'done'"),
        "[probe.lga] there is no probe `lga` (did you mean `lag`?); [vras.limit] there is no `vras` here (did you mean \
         `vars`?); [steps.cpy.outcome] there is no step `cpy` (did you mean `copy`?)"
    );
    assert_eq!(refusal("lag < 1"), "[lag] there is no `lag` here (write `probe.lag`)");
    assert_eq!(refusal("'ä' == 'ä' && probe.lga < 1"), "[probe.lga] there is no probe `lga` (did you mean `lag`?)");
    for name in ["state.x", "item == 1"] {
        assert!(refusal(name).contains("is not supported yet"), "{name}");
    }
    assert_eq!(
        refusal("value == 1"),
        "[value] there is no `value` here (the present value of a ramp is known in its `confirm`, `advance` and \
         `hold_while`)"
    );
    assert_eq!(refusal("steps.copy.outcome == 'doen'"), "[==] there is no outcome `doen` (did you mean `done`?)");
    assert_eq!(refusal("stdout == 'x'"), "[stdout] there is no `stdout` here");
    assert_eq!(refusal("foo(1) == 2"), "[(] there is no function `foo`");
}

#[test]
fn what_cannot_be_true_or_false_is_refused() {
    assert_eq!(
        refusal("probe.lag"),
        "[probe.lag] a condition must be true or false, and this is a number (compare it with something: `... < 10`)"
    );
    assert_eq!(refusal("probe.name == 3"), "[==] text is never equal to a number");
    assert_eq!(refusal("probe.up < 3"), "[<] `<` cannot compare true or false with a number");
    assert_eq!(refusal("probe.lag && true"), "[probe.lag] `&&` needs true or false, and this is a number");
    assert_eq!(refusal("1 + 'a' == 2"), "[+] `+` does not take a number and text");
}

#[test]
fn a_syntax_error_says_where_and_what_to_write() {
    assert_eq!(refusal("probe.lag = 1"), "[=] `=` does not belong here (write `==` to compare)");
    assert_eq!(refusal("probe.up and probe.up"), "[and] `and` does not belong here (write `&&`)");
    assert_eq!(refusal(""), "[] the condition is empty");
    assert_eq!(refusal("probe.lag <"), "[] the condition ends too early");
    assert!(refusal("(probe.lag < 1").contains("ends too early"), "{}", refusal("(probe.lag < 1"));
    for text in ["'ä", "ä < 1", "probe.lag < 1 'ä'", "1 +* 2", "[1, 2", "a.b.", "\u{1F600}", "\"\\q\" == 'x'"] {
        assert!(!refusal(text).is_empty(), "{text}");
    }
}

#[test]
fn a_condition_too_deep_or_too_long_is_refused_and_not_followed() {
    let deep = format!("{}1{} == 1", "(1 + ".repeat(150), ")".repeat(150));
    assert!(!refusal(&deep).is_empty());
    let long = format!("1{} == 1", " + 1".repeat(1500));
    assert!(refusal(&long).contains("nested too deeply"));
    assert!(refusal(&format!("1{} == 1", " + 1".repeat(100_000))).contains("longer than"));
}

#[test]
fn reads_are_said_once_each_in_the_order_of_the_text() {
    let text = "probe.lag < vars.limit && probe.up && probe.lag > 0 && steps.copy.outputs.rows == steps.copy.attempts
        && probe.lag < baseline.lag.p99 && baseline.lag.count > 1";
    let reads = compile(text, Locals::None, &names()).unwrap().reads;
    assert_eq!(
        reads,
        Reads {
            probes: vec!["lag".into(), "up".into()],
            series: vec![],
            vars: vec!["limit".into()],
            steps: vec!["copy".into()],
            outputs: vec![("copy".into(), "rows".into())],
            baseline: vec!["lag".into()],
        }
    );
}

#[test]
fn evidence_shows_what_decided_and_never_a_secret() {
    let values = Values::of(&[
        ("probe.lag", json!(1204)),
        ("probe.up", json!(false)),
        ("probe.name", json!("x".repeat(200))),
        ("vars.limit", json!(1000)),
        ("!vars.password", json!("hunter2")),
        ("probe.any", json!(0.123_456_789)),
    ]);
    #[rustfmt::skip]
    let table = [
        ("probe.lag < 1000",                  "probe.lag = 1,204 (must be < 1,000)"),
        ("1000 > probe.lag",                  "probe.lag = 1,204 (must be < 1,000)"),
        ("probe.lag < vars.limit",            "probe.lag = 1,204 (must be < 1,000), vars.limit = 1,000"),
        ("probe.lag == 1204 && probe.up",     "probe.up = false (must be true)"),
        ("probe.lag == 1204 && !probe.up",    "probe.lag = 1,204 (must be 1,204), probe.up = false (must be false)"),
        ("probe.other < 5 && probe.lag > 0",  "probe.other = no data (must be < 5)"),
        ("vars.password == 'x'",              "vars.password = (secret) (must be \"x\")"),
        ("probe.name == vars.password",       "probe.name = (text of 200 bytes) (must be a secret), vars.password = (secret)"),
        ("max(probe.lag, 3) < vars.limit * 1", "probe.lag = 1,204, vars.limit = 1,000"),
        ("probe.any < 0.1",                   "probe.any = 0.123457 (must be < 0.1)"),
        ("1 == 2",                            "1 == 2"),
    ];
    for (text, evidence) in table {
        assert_eq!(compiled(text).evidence(&values), evidence, "{text}");
    }
}

#[test]
fn every_local_name_is_there_in_its_place_only() {
    let table = [
        (Locals::Run, "exit == 0 && stdout == '' && stderr == ''"),
        (Locals::Http, "status == 200 && body == '' && json.x == 1 && headers.etag == ''"),
        (Locals::Sql, "row.ok && rows == 1"),
    ];
    for (place, text) in table {
        for (other, _) in table {
            assert_eq!(compile(text, other, &names()).is_ok(), place == other, "{text} in {other:?}");
        }
        assert!(compile(text, Locals::All, &names()).is_ok());
    }
}

/// As a literal of CEL.
fn literal(number: f64) -> String {
    format!("double('{number:e}')")
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn whole_numbers_compare_exactly_with_decimal_ones(
        whole in prop_oneof![any::<i64>(), -1000i64..1000, (0u32..62).prop_map(|bit| 1i64 << bit)],
        offset in -3i64..=3,
    ) {
        #[expect(clippy::cast_precision_loss, reason = "the nearest decimal number is what is compared with")]
        let near = whole.saturating_add(offset) as f64;
        // What the decimal number really is, exactly.
        #[expect(clippy::cast_possible_truncation, reason = "it came from 64 bits and has no fraction")]
        let exact = near as i128;
        let text = format!("{whole} < {d} == {} && {whole} == {d} == {} && ({whole} > {d}) == {}",
            i128::from(whole) < exact, i128::from(whole) == exact, i128::from(whole) > exact, d = literal(near));
        let text = text.replacen(&format!("{whole} < {}", literal(near)), &format!("({whole} < {})", literal(near)), 1)
            .replacen(&format!("{whole} == {}", literal(near)), &format!("({whole} == {})", literal(near)), 1);
        prop_assert_eq!(judge(&text, &[]), Holds, "{}", text);
    }

    #[test]
    fn operations_on_whole_numbers_are_those_of_wide_integers(a in any::<i64>(), b in any::<i64>()) {
        let (wide_a, wide_b) = (i128::from(a), i128::from(b));
        let values = [("probe.lag", json!(a)), ("probe.other", json!(b))];
        let same = |text: &str, answer: i128| {
            let program = compiled(&format!("{text} == int('{answer}')"));
            program.judge(&Values::of(&values))
        };
        prop_assert_eq!(same("probe.lag + probe.other", wide_a + wide_b), Holds);
        prop_assert_eq!(same("probe.lag - probe.other", wide_a - wide_b), Holds);
        prop_assert_eq!(same("probe.lag * probe.other", wide_a * wide_b), Holds);
        if b != 0 {
            prop_assert_eq!(same("probe.lag / probe.other", wide_a / wide_b), Holds);
            prop_assert_eq!(same("probe.lag % probe.other", wide_a % wide_b), Holds);
        }
    }

    #[test]
    fn any_text_is_compiled_or_refused_and_never_a_panic(text in "\\PC{0,40}") {
        let _ = compile(&text, Locals::All, &names());
    }

    #[test]
    fn texts_like_conditions_are_compiled_or_refused_with_a_place_in_them(
        parts in proptest::collection::vec(prop_oneof![
            Just("probe.lag"), Just("probe.up"), Just("probe.x"), Just("vars.limit"), Just("steps.copy"), Just(".outcome"),
            Just("1"), Just("2.5"), Just("'ä'"), Just("("), Just(")"), Just("["), Just("]"), Just("{"), Just("}"), Just(","),
            Just("&&"), Just("||"), Just("!"), Just("-"), Just("<"), Just("=="), Just("="), Just("?"), Just(":"), Just("has"),
            Just(".all(x, "), Just("max("), Just(".max_by(x, "), Just("in"), Just("+"), Just("/"), Just("."), Just("\n"),
        ], 0..12),
    ) {
        let text = parts.join(" ");
        match compile(&text, Locals::All, &names()) {
            Ok(compiled) => {
                let _ = compiled.program.judge(&Values::default());
                let _ = compiled.program.evidence(&Values::default());
            }
            Err(errors) => {
                prop_assert!(!errors.is_empty());
                for error in errors {
                    prop_assert!(text.get(error.range.clone()).is_some(), "{:?} in {:?}", error, text);
                    prop_assert!(!error.message.is_empty());
                }
            }
        }
    }
}

#[test]
fn the_history_of_a_probe_comes_to_numbers() {
    let values = Values::with_history(&[("lag", &[10.0, 20.0, 30.0, 40.0]), ("other", &[5.0])]);
    for text in [
        "series.lag.avg('4s') == 25",
        "series.lag.min('2s') == 30 && series.lag.max('1m') == 40",
        "series.lag.p(50, '4s') == 25 && series.lag.p(99.5, '4s') > 39",
        "series.lag.count('3s') == 3 && series.lag.rate('4s') == 10",
        "max(series.lag.avg('2s'), 5) * 2 == 70",
    ] {
        assert_eq!(compiled(text).judge(&values), Holds, "{text}");
    }
    for text in ["series.any.avg('4s') < 100", "series.other.rate('4s') < 100", "series.any.count('4s') == 0"] {
        assert_eq!(compiled(text).judge(&values), NoData, "{text}");
        assert_eq!(compiled(&format!("{text} || true")).judge(&values), Holds, "{text}");
    }
    let evidence = |text: &str| compiled(text).evidence(&values);
    assert_eq!(evidence("series.lag.p(50, '4s') < 20"), "series.lag.p(50, \"4s\") = 25 (must be < 20)");
    let few = "series.other.rate(\"4s\") = no data (1 of 2 samples in 4s) (must be < 9)";
    assert_eq!(evidence("series.other.rate('4s') < 9"), few);
}

#[test]
fn what_a_condition_reads_of_a_series_is_the_longest_stretch() {
    let text =
        "series.lag.avg('30s') < probe.other && series.lag.max('1m') < 9 && judge(series.other, series.lag) == 'pass'";
    let reads = compile(text, Locals::None, &names()).unwrap().reads;
    assert_eq!(reads.probes, ["lag", "other"]);
    assert_eq!(reads.series, [("lag".to_owned(), Span::from_secs(300)), ("other".to_owned(), Span::from_secs(300))]);
}

#[test]
fn two_series_are_judged_by_enough_points_or_not_at_all() {
    let old: Vec<f64> = (0..60).map(|n| f64::from(n % 7)).collect();
    let new: Vec<f64> = old.iter().map(|value| value + 3.0).collect();
    let few = &new[..49];
    let text = "judge(series.lag, series.other, { over: '1m', points: 50 }) == 'pass'";
    let judged = |new: &[f64], old: &[f64]| {
        let values = Values::with_history(&[("lag", new), ("other", old)]);
        (compiled(text).judge(&values), compiled(text).evidence(&values))
    };
    assert_eq!(judged(&old, &old).0, Holds);
    insta::assert_snapshot!(judged(&new, &old).1, @r#"judge(series.lag, series.other) = "high" (60 points against 60, shift 3 between 2 and 4 at 98%, p < 0.0001, larger in 83.9% of pairs) (must be "pass")"#);
    assert_eq!(judged(&new, &old).0, Fails);
    // Missing data never passes, on either side.
    assert_eq!(judged(few, &old).0, NoData);
    assert_eq!(judged(&old, few).0, NoData);
    insta::assert_snapshot!(judged(&old, few).1, @r#"judge(series.lag, series.other) = no data (49 of 50 points of series.other in 1m) (must be "pass")"#);
    let high = compiled("judge(series.lag, series.other, { over: '1m' }) == 'high'");
    assert_eq!(high.judge(&Values::with_history(&[("lag", &new), ("other", &old)])), Holds);
    let low = compiled("judge(series.lag, series.other, { 'over': '1m', confidence: 0.9, tolerance: 0 }) == 'low'");
    assert_eq!(low.judge(&Values::with_history(&[("lag", &old), ("other", &new)])), Holds);
}

#[test]
fn a_series_that_cannot_be_read_is_refused_with_its_place() {
    let texts = [
        "series.lag < 1",
        "has(series.lag)",
        "series.lga.avg('30s') < 1",
        "series.name.avg('30s') < 1",
        "series.lag.mean('30s') < 1",
        "series.lag.rat('30s') < 1",
        "series.lag.avg() < 1",
        "series.lag.avg(30) < 1",
        "series.lag.avg('soon') < 1",
        "series.lag.avg('0s') < 1",
        "series.lag.p('30s') < 1",
        "series.lag.p(101, '30s') < 1",
        "series.lag.avg('11m') < 1",
        "series.lag.rate('1s') < 1",
        "series.lag.avg('30s') == 'high'",
        "judge(series.lag) == 'pass'",
        "judge(series.lag, probe.other) == 'pass'",
        "judge(series.lag, series.up) == 'pass'",
        "judge(series.lag, series.other, { ovr: '5m' }) == 'pass'",
        "judge(series.lag, series.other, { confidence: 98 }) == 'pass'",
        "judge(series.lag, series.other, { tolerance: 1.0 }) == 'pass'",
        "judge(series.lag, series.other, { points: 20 }) == 'pass'",
        "judge(series.lag, series.other, { over: '30s' }) == 'pass'",
        "judge(series.lag, series.other) == 'passed'",
        "judge(series.lag, series.other)",
    ];
    let refused: Vec<String> = texts.iter().map(|text| format!("{text}\n    {}", refusal(text))).collect();
    insta::assert_snapshot!(refused.join("\n"), @r#"
    series.lag < 1
        [series.lag] `series.lag` alone has no value (write `series.<probe>.avg("30s")`, or min, max, rate, p, count)
    has(series.lag)
        [series.lag] `series.lag` alone has no value (write `series.<probe>.avg("30s")`, or min, max, rate, p, count)
    series.lga.avg('30s') < 1
        [series.lga.avg] there is no probe `lga` (did you mean `lag`?)
    series.name.avg('30s') < 1
        [series.name.avg] a series is one of numbers, and `probe.name` is text
    series.lag.mean('30s') < 1
        [series.lag.mean] a series has no `mean` (a series has avg, min, max, rate, p, count)
    series.lag.rat('30s') < 1
        [series.lag.rat] a series has no `rat` (did you mean `rate`?)
    series.lag.avg() < 1
        [series.lag.avg] `avg` of a series needs a length of time (write `series.lag.avg("30s")`)
    series.lag.avg(30) < 1
        [30] this is no length of time (write one out, such as "30s" or "5m")
    series.lag.avg('soon') < 1
        ['soon'] this is no length of time (write one out, such as "30s" or "5m")
    series.lag.avg('0s') < 1
        ['0s'] this is no length of time (write one out, such as "30s" or "5m")
    series.lag.p('30s') < 1
        [series.lag.p] `p` needs a percentage and a length of time (write `series.lag.p(99, "30s")`)
    series.lag.p(101, '30s') < 1
        [101] the first argument of `p` is a percentage, 0 to 100
    series.lag.avg('11m') < 1
        ['11m'] this reads 11m of `series.lag`, and 10m are kept (write `keep = "11m"` into [probe.lag])
    series.lag.rate('1s') < 1
        [series.lag.rate] `rate` needs 2 samples, and 1s has one (probe `lag` is measured every 1s: take several times that)
    series.lag.avg('30s') == 'high'
        [==] a number is never equal to text
    judge(series.lag) == 'pass'
        [(] `judge` compares two series (write `judge(series.new, series.old, { over: "5m" })`)
    judge(series.lag, probe.other) == 'pass'
        [(] `judge` compares two series (write `judge(series.new, series.old, { over: "5m" })`)
    judge(series.lag, series.up) == 'pass'
        [series] a series is one of numbers, and `probe.up` is true or false
    judge(series.lag, series.other, { ovr: '5m' }) == 'pass'
        [ovr] `judge` has no `ovr` (did you mean `over`?)
    judge(series.lag, series.other, { confidence: 98 }) == 'pass'
        [98] `confidence` is above 0.5 and below 1
    judge(series.lag, series.other, { tolerance: 1.0 }) == 'pass'
        [1.0] `tolerance` is at least 0 and below 1
    judge(series.lag, series.other, { points: 20 }) == 'pass'
        [20] `points` is a whole number of at least 50
    judge(series.lag, series.other, { over: '30s' }) == 'pass'
        [(] 30s of `series.lag` are fewer than 50 points (probe `lag` is measured every 1s)
    judge(series.lag, series.other) == 'passed'
        [==] there is no answer of `judge` `passed` (did you mean `pass`?)
    judge(series.lag, series.other)
        [judge(series.lag, series.other)] a condition must be true or false, and this is text (compare it with something: `... == "ready"`)
    "#);
    let fast = Measured { kind: Kind::Number, interval: Span::from_millis(10), keep: Span::from_secs(600) };
    let names_of_fast = Names::new([].into(), [("a", fast), ("b", fast)].into(), [].into());
    let many = compile("judge(series.a, series.b) == 'pass'", Locals::None, &names_of_fast).map(|_| ()).unwrap_err();
    assert_eq!(many[0].message, "5m of `series.a` are more than 10000 points");
    let in_expect = compile("series.lag.avg('30s') < 1", Locals::Run, &names()).map(|_| ()).unwrap_err();
    assert_eq!(in_expect[0].message, "`series` has no place in an `expect`");
}

#[test]
fn a_figure_of_the_baseline_is_a_number_and_no_data_before_it_is_taken() {
    let text = "probe.lag <= max(10, baseline.lag.p99 * 2.0)";
    let lag = ("probe.lag", json!(30));
    assert_eq!(judge(text, std::slice::from_ref(&lag)), NoData);
    assert_eq!(judge(text, &[lag.clone(), ("baseline.lag.p99", json!(15.5))]), Holds);
    assert_eq!(judge(text, &[lag.clone(), ("baseline.lag.p99", json!(12))]), Fails);
    assert_eq!(judge("!has(baseline.lag.avg) || probe.lag < 10", &[lag]), Holds);
    let values = Values::of(&[("probe.lag", json!(30)), ("baseline.lag.p99", json!(12))]);
    let evidence = compiled("probe.lag <= baseline.lag.p99 * 2").evidence(&values);
    assert_eq!(evidence, "probe.lag = 30 (must be <= 24), baseline.lag.p99 = 12");
}

#[test]
fn a_name_of_the_baseline_that_does_not_exist_is_said_with_the_nearest() {
    let said = |text: &str| {
        let errors = compile(text, Locals::None, &names()).expect_err(text);
        let error = &errors[0];
        format!("{} ({})", error.message, error.help.as_deref().unwrap_or_default())
    };
    let figures = "its figures are avg, min, max, p50, p99, last and count";
    #[rustfmt::skip]
    let table = [
        ("baseline.lagg.avg > 1",   "the baseline has no probe `lagg` (did you mean `lag`?)".to_owned()),
        ("baseline.other.avg > 1",  "the baseline has no probe `other` (add \"other\" to the `probes` of [baseline])".to_owned()),
        ("baseline.lag.p98 > 1",    "a baseline has no `p98` (did you mean `p99`?)".to_owned()),
        ("baseline.lag.median > 1", format!("a baseline has no `median` ({figures})")),
        ("baseline.lag > 1",        format!("`baseline.lag` alone has no value (write `baseline.lag.avg`; {figures})")),
        ("baseline.lag.avg.x > 1",  "`baseline.lag.avg` is a number and has nothing below it ()".to_owned()),
        ("baseline.lag.avg",        "a condition must be true or false, and this is a number (compare it with something: `... < 10`)".to_owned()),
    ];
    for (text, want) in table {
        assert_eq!(said(text), want, "{text}");
    }
    let mut without = names();
    without.baseline = None;
    let errors = compile("baseline.lag.avg > 1", Locals::None, &without).expect_err("there is none");
    assert_eq!(errors[0].message, "this runbook has no baseline");
}
