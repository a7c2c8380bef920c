use serde_json::json;

use super::*;

fn decl(name: &str, sources: Vec<VarSource>) -> VarDecl {
    VarDecl { name: name.into(), sources, secret: false, choices: vec![], summary: None, shapes: None }
}

fn default(value: Json) -> VarSource {
    VarSource::Default(value)
}

fn run(words: &[&str]) -> VarSource {
    VarSource::Run(words.iter().map(|word| Template((*word).to_owned())).collect())
}

fn given(flags: &[(&str, &str)]) -> Given {
    Given {
        flags: flags.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
        folder: std::env::temp_dir(),
        ..Given::default()
    }
}

async fn value(decl: VarDecl, given: &Given) -> Result<Json, VarError> {
    match resolve(std::slice::from_ref(&decl), given).await {
        Ok(mut found) => Ok(found.remove(&decl.name).unwrap().json),
        Err(mut errors) => Err(errors.remove(0)),
    }
}

#[tokio::test(flavor = "current_thread")]
async fn the_command_line_comes_first_and_the_default_last() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("value"), "from file\n").unwrap();
    // PATH is the one variable that every environment has.
    let path = std::env::var("PATH").unwrap();
    let all = || {
        vec![
            VarSource::Env("PATH".into()),
            VarSource::File("value".into()),
            run(&["echo", "from run"]),
            default(json!("from default")),
        ]
    };
    let mut given = Given { folder: folder.path().into(), ..given(&[("x", "from flag")]) };
    given.file.insert("x".into(), json!("from vars file"));

    let mut seen = Vec::new();
    seen.push(value(decl("x", all()), &given).await.unwrap());
    given.flags.clear();
    seen.push(value(decl("x", all()), &given).await.unwrap());
    given.file.clear();
    for left_out in 0..4 {
        seen.push(value(decl("x", all().split_off(left_out)), &given).await.unwrap());
    }
    let wanted = ["from flag", "from vars file", &path, "from file", "from run", "from default"];
    assert_eq!(seen, wanted.map(Json::from));
}

#[tokio::test(flavor = "current_thread")]
async fn a_source_that_has_nothing_is_passed_over_and_nothing_left_is_an_error() {
    let sources = || vec![VarSource::Env("NO_SUCH_VARIABLE_HERE".into()), VarSource::File("no/such/file".into())];
    let mut with_default = sources();
    with_default.push(default(json!(1)));
    assert_eq!(value(decl("x", with_default), &given(&[])).await, Ok(json!(1)));
    let error = value(decl("x", sources()), &given(&[])).await.unwrap_err().to_string();
    assert!(error.contains("NO_SUCH_VARIABLE_HERE") && error.contains("no/such/file"), "{error}");
}

#[tokio::test(flavor = "current_thread")]
async fn all_errors_come_back_at_once() {
    let declared = [decl("one", vec![]), decl("two", vec![default(json!(2))]), decl("three", vec![])];
    let errors = resolve(&declared, &given(&[("tow", "2"), ("two", "many")])).await.unwrap_err();
    assert_eq!(errors.len(), 4, "{errors:?}");
    assert!(matches!(&errors[0], VarError::Unknown { nearest: Some(name), .. } if name == "two"));
}

#[tokio::test(flavor = "current_thread")]
async fn text_becomes_the_kind_of_the_default() {
    for (default_value, text, wanted) in [
        (json!(1), "20", json!(20)),
        (json!(true), "false", json!(false)),
        (json!([1]), "[1, 2]", json!([1, 2])),
        (json!("a"), "20", json!("20")),
    ] {
        let decl = decl("x", vec![default(default_value)]);
        assert_eq!(value(decl, &given(&[("x", text)])).await, Ok(wanted));
    }
    let mut given = given(&[]);
    given.file.insert("x".into(), json!([1]));
    assert!(value(decl("x", vec![default(json!(1))]), &given).await.is_err());
}

#[tokio::test(flavor = "current_thread")]
async fn a_secret_on_the_command_line_is_refused_with_the_remedy() {
    let secret = VarDecl { secret: true, ..decl("password", vec![VarSource::Env("PGPASSWORD_HERE".into())]) };
    let error = value(secret, &given(&[("password", "swordfish")])).await.unwrap_err().to_string();
    assert!(error.contains("set the environment variable `PGPASSWORD_HERE`"), "{error}");
    assert!(!error.contains("swordfish"));
}

#[tokio::test(flavor = "current_thread")]
async fn no_error_about_a_secret_holds_it() {
    let secret = |sources| VarDecl { secret: true, ..decl("x", sources) };
    let mut short = given(&[]);
    short.file.insert("x".into(), json!("abc"));
    let error = value(secret(vec![]), &short).await.unwrap_err().to_string();
    assert!(error.contains("shorter than 4") && !error.contains("abc"), "{error}");

    let prints = secret(vec![run(&["sh", "-c", "echo oops swordfish >&2; exit 1"])]);
    let error = value(prints, &given(&[])).await.unwrap_err().to_string();
    assert!(error.contains("exit status: 1") || error.contains("it ended with"), "{error}");
    assert!(!error.contains("swordfish"), "{error}");
}

#[tokio::test(flavor = "current_thread")]
async fn only_a_choice_is_taken() {
    let choice = || VarDecl { choices: vec![json!("eu"), json!("us")], ..decl("region", vec![]) };
    assert_eq!(value(choice(), &given(&[("region", "eu")])).await, Ok(json!("eu")));
    let error = value(choice(), &given(&[("region", "mars")])).await.unwrap_err().to_string();
    assert!(error.contains(r#"one of "eu", "us""#), "{error}");
}

#[tokio::test(flavor = "current_thread")]
async fn a_program_may_use_the_variables_before_it_and_none_is_run_where_none_may() {
    let declared = [decl("a", vec![default(json!("x y"))]), decl("b", vec![run(&["echo", "{{vars.a}}!"])])];
    let found = resolve(&declared, &given(&[])).await.unwrap();
    assert_eq!(found["b"].json, json!("x y!"));
    let still = Given { reach: Reach::NoPrograms, ..given(&[]) };
    assert!(matches!(resolve(&declared, &still).await.unwrap_err()[0], VarError::Nothing { .. }));
    let failing = decl("c", vec![run(&["sh", "-c", "echo why >&2; exit 3"]), default(json!("never"))]);
    assert!(value(failing, &given(&[])).await.unwrap_err().to_string().contains("why"));
}

#[test]
fn a_variables_file_is_toml_or_json() {
    let folder = tempfile::tempdir().unwrap();
    let toml = folder.path().join("vars.toml");
    std::fs::write(&toml, "a = 1\nb = [\"x\"]\nd = 2026-01-02\n").unwrap();
    assert_eq!(Json::Object(read_file(&toml).unwrap()), json!({"a": 1, "b": ["x"], "d": "2026-01-02"}));
    let file = folder.path().join("vars.json");
    std::fs::write(&file, r#"{"a": {"b": 1.5}}"#).unwrap();
    assert_eq!(Json::Object(read_file(&file).unwrap()), json!({"a": {"b": 1.5}}));
    std::fs::write(&file, "\"swordfish").unwrap();
    assert!(!read_file(&file).unwrap_err().to_string().contains("swordfish"));
    assert!(read_file(&folder.path().join("none")).is_err());
}

#[test]
fn what_is_given_by_hand_is_taken_and_nothing_is_looked_for() {
    let declared = [
        decl("flag", vec![default(json!(1))]),
        decl("file", vec![]),
        decl("left", vec![VarSource::Env("PATH".into()), default(json!("x"))]),
    ];
    let mut given = given(&[("flag", "1"), ("flag", "2")]);
    given.file.insert("file".into(), json!("text"));
    let found = by_hand(&declared, &given).unwrap();
    let found: Vec<(&str, &Json)> = found.iter().map(|(name, value)| (name.as_str(), &value.json)).collect();
    assert_eq!(found, [("file", &json!("text")), ("flag", &json!(2))]);
    given.flags.push(("other".into(), "1".into()));
    given.flags.push(("flag".into(), "many".into()));
    assert_eq!(by_hand(&declared, &given).unwrap_err().len(), 2);
}

#[tokio::test(flavor = "current_thread")]
async fn a_variable_that_is_taken_for_a_duration_is_one() {
    for (shapes, text, refused) in [
        (Shapes::Duration, "0s", None),
        (Shapes::Bound, "1h30m", None),
        (Shapes::Bound, "0s", Some("\"0s\" is no time at all")),
        (Shapes::Duration, "20", Some("\"20\" is no duration; write it as text with a unit")),
    ] {
        let decl = VarDecl { shapes: Some(shapes), ..decl("x", vec![default(json!("20s"))]) };
        let said = value(decl, &given(&[("x", text)])).await.err().map(|error| error.to_string()).unwrap_or_default();
        assert_eq!(said.is_empty(), refused.is_none(), "{text}: {said}");
        assert!(said.contains(refused.unwrap_or_default()), "{text}: {said}");
    }
}
