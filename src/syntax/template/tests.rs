use std::collections::BTreeMap;
use std::process::Command;

use proptest::prelude::*;
use serde_json::{Value as Json, json};

use super::*;
use crate::model::Value;

struct Known(BTreeMap<String, Value>);

impl Values for Known {
    fn get(&self, path: &str) -> Option<Value> {
        self.0.get(path).cloned()
    }
}

fn known(values: &[(&str, Json)]) -> Known {
    let value = |json: &Json, secret| Value { json: json.clone(), secret };
    let pair = |(path, json): &(&str, Json)| match path.strip_prefix('!') {
        Some(path) => (path.to_owned(), value(json, true)),
        None => ((*path).to_owned(), value(json, false)),
    };
    Known(values.iter().map(pair).collect())
}

fn x(value: &str) -> Known {
    known(&[("vars.x", json!(value))])
}

fn names() -> TemplateNames<'static> {
    TemplateNames {
        vars: [("x", Sight::Open), ("old_host", Sight::Open), ("password", Sight::Secret)].into(),
        steps: [("copy", [("rows", Sight::Open), ("token", Sight::Secret)].into())].into(),
        value: false,
    }
}

fn refusals(text: &str, place: Place) -> Vec<String> {
    check(text, place, &names())
        .into_iter()
        .map(|e| {
            let help = e.help.map(|help| format!(" ({help})")).unwrap_or_default();
            format!("[{}] {}{help}", &text[e.range], e.message)
        })
        .collect()
}

/// What a shell prints for a script with `vars.x` filled in.
fn printed(shell: &str, template: &str, value: &str) -> Vec<u8> {
    let script = script(template, &x(value)).unwrap_or_else(|error| panic!("{template}: {error}"));
    let output =
        Command::new(shell).args(["-eu", "-c", &script.text]).envs(script.env).output().expect("a shell is there");
    assert!(output.status.success(), "{}: {}", script.text, String::from_utf8_lossy(&output.stderr));
    output.stdout
}

const NASTY: [&str; 20] = [
    "'; rm -rf / #",
    "\"; rm -rf / #",
    "two\nlines\n",
    "\n",
    "$(touch /tmp/pwned)",
    "`touch /tmp/pwned`",
    "${HOME}",
    "$HOME",
    "'\"'\"'",
    "\\",
    "\\\\' \\\"",
    "-rf",
    "--",
    "",
    " ",
    "* ? [a-z] ~",
    "a && b || c ; d | e > /tmp/pwned",
    "žluťoučký 🐎 \u{202e}",
    "{{vars.x}}",
    "#!",
];

#[test]
fn a_value_in_a_shell_script_is_one_argument_whatever_it_is() {
    // Left: the script. Right: what it must print, with the value for @.
    #[rustfmt::skip]
    let table = [
        ("printf %s {{vars.x}}",                                     "@"),
        ("printf %s conf_{{vars.x}}.d",                              "conf_@.d"),
        ("printf %s -- {{vars.x}}{{vars.x}}",                        "--@@"),
        ("a={{vars.x}}; printf %s \"$a\"",                           "@"),
        ("printf %s \"$(printf %s {{vars.x}}; printf .)\"",          "@."),
        ("printf %s \"$(cat <<E | tr -d x\nx\nE\nprintf %s {{vars.x}}; printf .)\"", "\n@."),
        ("f() { printf %s \"$1\"; }; f {{vars.x}}",                  "@"),
        ("sh -c 'printf %s \"$1\"' _ {{vars.x}}",                    "@"),
        ("cat <<'E' >/dev/null\nit's \"\nE\nprintf %s {{vars.x}}",   "@"),
        ("cat <<-E >/dev/null\n\t$HOME 'it`echo` $(echo)\n\tE\nprintf %s {{vars.x}}", "@"),
        ("# it's a comment\nprintf %s {{vars.x}} # and 'another",    "@"),
        ("case {{vars.x}} in *) printf %s {{vars.x}};; esac",        "@"),
        ("(printf %s {{vars.x}}) 2>&1",                              "@"),
        ("n=$((1 + (2 * 3))); printf %s \"$n\" {{vars.x}}",          "7@"),
        ("printf %s ${NOT_SET:-y} {{vars.x}}",                       "y@"),
        ("printf %s $#{{vars.x}}",                                   "0@"),
        ("printf %s \\\n  {{vars.x}}",                               "@"),
        ("printf %s a\\ {{vars.x}}",                                 "a @"),
        ("printf %s a#{{vars.x}}",                                   "a#@"),
        ("if [ {{vars.x}} = {{vars.x}} ]; then printf %s {{ vars.x }}; fi", "@"),
        ("printf %s $'ab'{{vars.x}} | cat",                          ""),
    ];
    for (template, wanted) in table {
        for shell in ["sh", "bash"] {
            // `$'...'` is bash's alone.
            if template.contains("$'") && shell == "sh" {
                continue;
            }
            for value in NASTY {
                let wanted = if wanted.is_empty() { format!("ab{value}") } else { wanted.replace('@', value) };
                let got = printed(shell, template, value);
                assert_eq!(String::from_utf8_lossy(&got), wanted, "{shell}: {template} with {value:?}");
            }
        }
    }
    assert!(!std::path::Path::new("/tmp/pwned").exists());
}

#[test]
fn a_value_in_a_here_document_is_refused() {
    for text in [
        "cat <<EOF\n{{vars.x}}\nEOF",
        "cat <<'EOF'\n{{vars.x}}\nEOF",
        "cat <<-EOF\n\ta {{vars.x}}\n\tEOF\n",
        "cat <<A <<B\na\nA\n{{vars.x}}\nB\n",
        "cat <<{{vars.x}}\na\n",
        "cat << \"E O\"\nE\n{{vars.x}}\nE O\n",
        "x=$(cat <<EOF\n{{vars.x}}\nEOF\n)",
        "cat <<EOF && echo 'a\nb'\n{{vars.x}}\nEOF",
    ] {
        assert_eq!(refusals(text, Place::Script).len(), 1, "{text}");
        assert!(script(text, &x("a")).is_err(), "{text}");
    }
    assert_eq!(
        refusals("cat <<EOF\n{{vars.x}}\nEOF", Place::Script),
        ["[{{vars.x}}] `{{vars.x}}` cannot stand in a here-document (use `\"$RUNBOOK_VAR_X\"`)"]
    );
    assert_eq!(refusals("cat <<EOF\na\nEOF\necho {{vars.x}}", Place::Script), [""; 0]);
}

#[test]
fn a_value_is_refused_where_it_could_become_code() {
    #[rustfmt::skip]
    let table = [
        ("echo '{{vars.x}}'",                        "inside quotes"),
        ("echo \"{{vars.x}}\"",                      "inside quotes"),
        ("echo \"a 'b' {{vars.x}}\"",                "inside quotes"),
        ("echo \"$(echo \"{{vars.x}}\")\"",          "inside quotes"),
        ("echo it's {{vars.x}}",                     "inside quotes"),
        ("echo `cat {{vars.x}}`",                    "inside backticks"),
        ("echo \"`cat {{vars.x}}`\"",                "inside backticks"),
        ("echo $(( {{vars.x}} + 1 ))",               "in arithmetic"),
        ("echo \"$((1+{{vars.x}}))\"",               "in arithmetic"),
        ("echo a # {{vars.x}}",                      "in a comment"),
        ("#{{vars.x}}",                              "in a comment"),
        ("echo $(ls # {{vars.x}}\n)",                "in a comment"),
        ("echo ${HOME:-{{vars.x}} }",                "inside `${...}`"),
        ("echo ${{vars.x}}",                         "directly behind a `$`"),
        ("echo \"${{vars.x}}\"",                     "directly behind a `$`"),
        (r"echo \\{{vars.x}}",                       "directly behind a backslash"),
        ("eval echo {{vars.x}}",                     "behind a command that reads"),
        ("command eval {{vars.x}}",                  "behind a command that reads"),
        ("e'va'l {{vars.x}}",                        "behind a command that reads"),
        ("eval 2>&1 {{vars.x}}",                     "behind a command that reads"),
        ("eval \\\n{{vars.x}}",                      "behind a command that reads"),
        ("ls >&{{vars.x}}",                           "behind `>&`"),
        ("ls >& a{{vars.x}}",                         "behind `>&`"),
        ("eval >|f {{vars.x}}",                      "behind a command that reads"),
        ("eval &>f {{vars.x}}",                      "behind a command that reads"),
        ("then eval a{{vars.x}}",                    "behind a command that reads"),
        ("trap {{vars.x}} EXIT",                     "behind a command that reads"),
        ("let {{vars.x}}",                           "behind a command that reads"),
        ("sh -c {{vars.x}}",                         "as the code of `sh -c`"),
        ("sudo -u a /bin/bash -euc -x {{vars.x}}",   "as the code of `sh -c`"),
        ("su - postgres -c {{vars.x}}",              "as the code of `sh -c`"),
        ("sh -c a_{{vars.x}}",                       "as the code of `sh -c`"),
        ("[[ {{vars.x}} -eq 1 ]]",                   "inside `[[ ]]`"),
        ("a[{{vars.x}}]=1",                          "in a subscript"),
        ("((a = {{vars.x}}))",                       "behind `((`"),
        ("echo $[ {{vars.x}} ]",                     "behind `$[`"),
        ("alias q='; echo'; q {{vars.x}}",           "behind `alias`"),
        ("echo $'it\\'s' {{vars.x}}",                "behind `$'...'` with a backslash"),
        ("echo \"${a:-'}\" {{vars.x}}'",             "behind a `${...}` with quotes"),
        ("x=$(case a in a) echo \"'\";; esac) {{vars.x}}", "behind a `case` in `$(...)`"),
        ("echo $((echo a) | cat) {{vars.x}}",        "behind `$((`, which may be a command"),
        ("echo $((a) + b) {{vars.x}}",               "behind `$((`, which may be a command"),
        ("cat <<E\na\\\nE\n{{vars.x}}\nE",           "behind a here-document with a command or a broken line"),
        ("cat <<E\n$(\nE\n{{vars.x}}",               "behind a here-document with a command or a broken line"),
        ("cat <$'E'\n{{vars.x}}",                    ""),
        ("cat <<$E\n{{vars.x}}",                     "behind a here-document whose end"),
        ("cat <<E $(echo\n{{vars.x}}\nE\n)",         "behind a here-document around"),
        ("cat <\\\n<E\n{{vars.x}}\nE",               "behind an operator that is broken"),
        ("echo $(cat <<E) {{vars.x}}\nE",            "behind a here-document whose body"),
    ];
    for (text, why) in table {
        let refused = refusals(text, Place::Script);
        if why.is_empty() {
            assert_eq!(refused, [""; 0], "{text}");
            continue;
        }
        let expected = format!("cannot stand {why}");
        assert!(refused.len() == 1 && refused[0].contains(&expected), "{text}: {refused:?}");
        assert!(script(text, &x("a")).is_err(), "{text}");
    }
}

#[test]
fn a_path_without_a_variable_of_its_own_gets_one() {
    let values =
        known(&[("steps.copy.outputs.rows", json!(12)), ("vars.x", json!({"a": ["b c"]})), ("run.id", json!("r1"))]);
    let rendered = script(
        "echo {{steps.copy.outputs.rows}} {{vars.x.a.[0]}} {{run.id}} {{urlencode vars.x.a.[0]}} {{vars.x}} {{vars.x}}",
        &values,
    );
    let pairs = |pairs: &[(&str, &str)]| pairs.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect();
    assert_eq!(
        rendered.unwrap(),
        Script {
            text: "echo \"${RUNBOOK_VALUE_1}\" \"${RUNBOOK_VALUE_2}\" \"${RUNBOOK_RUN_ID}\" \"${RUNBOOK_VALUE_4}\" \
                   \"${RUNBOOK_VAR_X}\" \"${RUNBOOK_VAR_X}\""
                .to_owned(),
            env: pairs(&[
                ("RUNBOOK_VALUE_1", "12"),
                ("RUNBOOK_VALUE_2", "b c"),
                ("RUNBOOK_RUN_ID", "r1"),
                ("RUNBOOK_VALUE_4", "b%20c"),
                ("RUNBOOK_VAR_X", r#"{"a":["b c"]}"#),
            ]),
        }
    );
}

#[test]
fn names_that_do_not_exist_are_refused_with_the_nearest() {
    assert_eq!(
        refusals("é {{vars.old_hots}} {{steps.cpoy.outputs.rows}}", Place::Open),
        [
            "[{{vars.old_hots}}] there is no variable `old_hots` (did you mean `old_host`?)",
            "[{{steps.cpoy.outputs.rows}}] there is no step `cpoy` (did you mean `copy`?)"
        ]
    );
    #[rustfmt::skip]
    let table = [
        ("{{x}}",               "there is no `x`"),
        ("{{var.x}}",           "did you mean `vars`?"),
        ("{{steps.copy}}",      "`steps.copy` is no output"),
        ("{{run.di}}",          "there is no `run.di`"),
        ("{{runbook.nmae}}",    "there is no `runbook.nmae`"),
        ("{{item}}",            "`item` is not supported yet"),
        ("{{value}}",           "there is no `value` here"),
        ("{{event.sentence}}",  "`event` is not supported yet"),
        ("{{#if vars.x}}a{{/if}}", "blocks, partials and decorators are not supported"),
        ("{{> part}}",          "blocks, partials and decorators are not supported"),
        ("{{{vars.x}}}",        "three braces are not supported"),
        ("{{! a }}",            "comments in a template are not supported"),
        ("{{lookup vars x}}",   "a helper takes one path"),
        ("{{upper vars.x}}",    "there is no helper `upper`"),
        ("{{urlencode \"a\"}}", "only a path can be filled in"),
        ("{{../vars.x}}",       "is no path"),
        ("{{vars/x}}",          "is no path"),
        ("{{this.vars.x}}",     "is no path"),
        ("{{@root.vars.x}}",    "is no path"),
        ("{{vars.x",            "`{{` has no `}}`"),
        ("{{}}",                "cannot be read"),
        ("{{vars.x y=1}}",      "cannot be read"),
        ("{{urlencode vars.x y=1}}", "named parameters are not supported"),
        ("{{ident vars.x}}",    "`ident` is for identifiers"),
    ];
    for (text, why) in table {
        let refused = refusals(text, Place::Open);
        assert!(refused.len() == 1 && refused[0].contains(why), "{text}: {refused:?}");
    }
}

#[test]
fn a_secret_goes_only_where_nobody_sees_it() {
    #[rustfmt::skip]
    let table = [
        (Place::Script, false), (Place::Argument, false), (Place::Open, false),
        (Place::Private, true), (Place::Data, true),
    ];
    let values = known(&[("!vars.password", json!("hunter2"))]);
    for (place, takes) in table {
        assert_eq!(refusals("{{vars.password}}", place).is_empty(), takes, "{place:?}");
        assert_eq!(refusals("{{steps.copy.outputs.token}}", place).is_empty(), takes, "{place:?}");
        // An output may turn out to be secret only as the run goes on.
        if place != Place::Script {
            assert_eq!(text("{{vars.password}}", place, &values).is_ok(), takes, "{place:?}");
        }
    }
    let error = script("echo {{vars.password}}", &values).unwrap_err();
    assert_eq!(error, RenderError::Secret { path: "vars.password".to_owned() });
    assert!(!error.to_string().contains("hunter2"));
}

#[test]
fn a_missing_value_is_an_error_and_not_an_empty_text() {
    let missing = |path: &str| Err(RenderError::Missing { path: path.to_owned() });
    let values = known(&[("vars.x", json!({"a": null}))]);
    assert_eq!(text("{{vars.y}}", Place::Open, &values), missing("vars.y"));
    assert_eq!(text("{{vars.x.b}}", Place::Open, &values), missing("vars.x.b"));
    assert_eq!(text("{{vars.x.a}}", Place::Open, &values), Err(RenderError::Null { path: "vars.x.a".to_owned() }));
    assert_eq!(json(&json!(["{{vars.x.a}}"]), &values), Ok(json!([null])));
}

#[test]
fn text_is_filled_in_as_it_is() {
    let values = known(&[("vars.x", json!("<a & b>/ü")), ("vars.n", json!(5)), ("vars.f", json!(0.5))]);
    assert_eq!(
        text(r"{{vars.x}} {{vars.n}} {{vars.f}} \{{vars.x}}", Place::Open, &values).unwrap(),
        "<a & b>/ü 5 0.5 {{vars.x}}"
    );
    assert_eq!(
        text("http://h/{{urlencode vars.x}}?n={{vars.n}}", Place::Open, &values).unwrap(),
        "http://h/%3Ca%20%26%20b%3E%2F%C3%BC?n=5"
    );
    assert_eq!(text("a  {{~ vars.n ~}}  b\n", Place::Open, &values).unwrap(), "a5b\n");
    assert_eq!(text("", Place::Open, &values).unwrap(), "");
}

#[test]
fn a_leaf_of_json_that_is_only_a_path_keeps_its_type() {
    let values = known(&[("vars.n", json!(5)), ("vars.l", json!([1, {"a": true}])), ("vars.q", json!("\"},{"))]);
    let rendered =
        json(&json!({"n": "{{vars.n}}", "t": "n={{vars.n}}", "l": ["{{ vars.l }}", 1], "q": "{{vars.q}}"}), &values);
    assert_eq!(rendered.unwrap(), json!({"n": 5, "t": "n=5", "l": [[1, {"a": true}], 1], "q": "\"},{"}));
}

#[test]
fn a_nul_byte_is_refused_where_none_can_be_passed_on() {
    let values = x("a\0b");
    let nul = RenderError::Nul { path: "vars.x".to_owned() };
    assert_eq!(script("echo {{vars.x}}", &values), Err(nul.clone()));
    for place in [Place::Argument, Place::Open, Place::Private] {
        assert_eq!(text("{{vars.x}}", place, &values), Err(nul.clone()), "{place:?}");
    }
    assert_eq!(text("{{vars.x}}", Place::Data, &values).unwrap(), "a\0b");
}

#[test]
fn a_statement_takes_identifiers_only_and_only_outside_quotes() {
    assert_eq!(
        sql_text("select * from {{ident vars.x}} -- it's", &x("a\"b; drop")).unwrap(),
        "select * from \"a\"\"b; drop\" -- it's"
    );
    assert!(sql_text("select {{ident vars.x}}", &x("")).is_err());
    #[rustfmt::skip]
    let table = [
        ("select {{vars.x}}",                 "a value cannot be put into a statement"),
        ("select {{urlencode vars.x}}",       "a value cannot be put into a statement"),
        ("select '{{ident vars.x}}'",         "inside quotes"),
        ("select 'it''s {{ident vars.x}}'",   "inside quotes"),
        ("select \"{{ident vars.x}}\"",       "inside quotes"),
        ("select 1 -- {{ident vars.x}}",      "in a comment"),
        ("select 1 /* {{ident vars.x}} */",   "in a comment"),
        ("select $$ {{ident vars.x}} $$",     "depends on the server"),
        ("select $a$ {{ident vars.x}} $a$",   "depends on the server"),
        ("select E'\\'' || {{ident vars.x}}", "depends on the server"),
        ("select a_{{ident vars.x}}",         "glued"),
        ("select U&{{ident vars.x}}",         "glued"),
    ];
    for (text, why) in table {
        let refused = refusals(text, Place::Sql);
        assert!(refused.len() == 1 && refused[0].contains(why), "{text}: {refused:?}");
        assert!(sql_text(text, &x("a")).is_err(), "{text}");
    }
    for text in [
        "select 'it''s' from {{ident vars.x}}",
        "/* ' */ {{ident vars.x}}.{{ident vars.x}}",
        "a --'\n {{ident vars.x}} where b = $1",
    ] {
        assert_eq!(refusals(text, Place::Sql), [""; 0], "{text}");
    }
}

#[test]
fn a_script_for_another_language_takes_no_templates() {
    let shell = |words: &[&str]| Place::of_script(&words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>());
    assert_eq!(shell(&["sh", "-eu", "-c"]), Place::Script);
    assert_eq!(shell(&["/usr/bin/env", "bash", "-c"]), Place::Script);
    assert_eq!(shell(&["python3", "-c"]), Place::ForeignScript);
    assert_eq!(
        refusals("print('{{vars.x}}')", Place::ForeignScript),
        ["[{{vars.x}}] a script for a shell that is no POSIX shell takes no templates (read the environment variable \
          `RUNBOOK_VAR_X`)"]
    );
    assert_eq!(refusals("print(1)", Place::ForeignScript), [""; 0]);
}

/// More of them for a long night: `PROPTEST_CASES`.
fn cases(few: u32) -> ProptestConfig {
    let many = std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok());
    ProptestConfig::with_cases(many.unwrap_or(few))
}

/// Pieces of scripts that a reader of shells could trip over.
#[rustfmt::skip]
const FRAGMENTS: &[&str] = &[
    "'", "\"", "`", "$(", ")", "(", "${a", "}", "$", "\\", "\n", " ", "#", "<<E", "<<-'E'", "<<\"E\"", "E",
    "\nE\n", ";", "&", "|", ">", "<", "a", "=", "{", "[", "]", "case x in", "esac", "x)", ";;", "$((1+", "))",
    "\\\n", "$'", "\\'", ":", "e ", "\t", "~", "!", "e a", "\ncat ", "[[", "]]", " eval ", ">&", "<(",
];

fn fragment() -> impl Strategy<Value = &'static str> {
    prop::sample::select(FRAGMENTS)
}

proptest! {
    #![proptest_config(cases(64))]

    #[test]
    fn any_value_comes_back_from_a_shell_byte_for_byte(value in "[^\\x00]{0,60}") {
        prop_assert_eq!(printed("sh", "printf %s {{vars.x}}", &value), value.clone().into_bytes());
        prop_assert_eq!(printed("sh", "printf %s \"$(printf %s conf_{{vars.x}}.d)\"", &value), format!("conf_{value}.d").into_bytes());
    }

    #[test]
    fn any_value_of_quotes_and_signs_comes_back_from_a_shell_byte_for_byte(value in "['\"`$(){};&|<>\\\\\n #*?~!a-]{0,30}") {
        prop_assert_eq!(printed("bash", "printf %s {{vars.x}}", &value), value.clone().into_bytes());
    }
}

proptest! {
    #![proptest_config(cases(100))]

    /// Whatever the script: a value is not read as code, not split, and its reference is not taken for text.
    #[test]
    fn in_a_script_that_is_accepted_a_value_stays_one_argument(
        before in prop::collection::vec(fragment(), 0..10),
        after in prop::collection::vec(fragment(), 0..4),
    ) {
        let template = format!("e() {{ printf '<%s>' \"$@\" >&2; }}\n{}{{{{vars.x}}}}{}", before.concat(), after.concat());
        let dir = tempfile::tempdir().expect("a folder can be made");
        let mark = dir.path().join("ran");
        let touch = format!("touch {}", mark.display());
        let values = ["p q".to_owned(), format!("$({touch})`{touch}`\n{touch};\nE\n'\"))}} ;{touch}; #")];
        for value in values {
            let Ok(rendered) = script(&template, &x(&value)) else { continue };
            for shell in ["sh", "bash"] {
                let output = Command::new("timeout")
                    .args(["5", shell, "-c", &rendered.text])
                    .envs(rendered.env.clone())
                    .current_dir(dir.path())
                    .stdin(std::process::Stdio::null())
                    .output()
                    .expect("a shell is there");
                let printed = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
                prop_assert!(!mark.exists(), "{shell} ran the value of {template:?}: {value:?}");
                prop_assert!(!printed.contains("p>") , "{shell} split the value of {template:?}: {printed}");
                // A message of the shell about its syntax may quote the script.
                let as_text = printed.contains("<${RUNBOOK") || printed.contains("<\"${RUNBOOK");
                prop_assert!(!(output.status.success() && as_text), "{shell} took for text: {template:?}: {printed}");
            }
        }
    }

    #[test]
    fn any_text_is_read_or_refused_with_a_place_in_it(text in "(\\PC|\\{\\{|\\}\\}|vars\\.x|\\\\|~| ){0,12}") {
        for place in [Place::Script, Place::Open, Place::Sql, Place::Promql, Place::Data] {
            for error in check(&text, place, &names()) {
                prop_assert!(text.get(error.range.clone()).is_some(), "{error:?} in {text:?}");
            }
        }
    }
}

#[test]
fn a_value_stands_in_a_query_of_prometheus_inside_quotes_only() {
    let names = TemplateNames { vars: BTreeMap::from([("x", Sight::Open)]), ..TemplateNames::default() };
    let refused = |query: &str| !check(query, Place::Promql, &names).is_empty();
    for query in [
        r#"up{job="{{vars.x}}"}"#,
        "up{job='a{{vars.x}}b'} # it's",
        "up # \"comment\n{job=\"{{vars.x}}\"}",
        r#"up{a="\"{{vars.x}}"}"#,
    ] {
        assert!(!refused(query), "{query}");
    }
    for query in [
        "up > {{vars.x}}",
        "up{job=`{{vars.x}}`}",
        r#"up{job="a"} # {{vars.x}}"#,
        r#"up{job="\\{{vars.x}}"}"#,
        r#"up{job="{{ident vars.x}}"}"#,
    ] {
        assert!(refused(query), "{query}");
    }
    let value = "a\"b'c\\d\ne";
    assert_eq!(text(r#"x{a="{{vars.x}}"}"#, Place::Promql, &x(value)).unwrap(), r#"x{a="a\x22b\x27c\\d\ne"}"#);
    assert!(text("x > {{vars.x}}", Place::Promql, &x("1")).is_err(), "what check refuses is not rendered");
}

#[test]
fn what_is_known_is_shown_and_the_rest_stays_as_it_is_written() {
    let values = known(&[("vars.x", json!("db1")), ("vars.list", json!([1, 2])), ("!vars.token", json!("hush-hush"))]);
    for (text, wanted) in [
        ("{{vars.x}} and {{ vars.x }}: {{vars.list}}, {{vars.list.1}}", "db1 and db1: [1,2], 2"),
        ("{{steps.a.outputs.b}} of {{vars.x}} for {{vars.other}}", "{{steps.a.outputs.b}} of db1 for {{vars.other}}"),
        ("{{vars.token}} {{run.id}} {{value}}", "{{vars.token}} {{run.id}} {{value}}"),
        ("{{vars.x}} and {{broken", "{{vars.x}} and {{broken"),
    ] {
        assert_eq!(super::known(text, &values), wanted);
    }
}
