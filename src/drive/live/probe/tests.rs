use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};

use serde_json::json;
use sqlx::{Connection as _, Executor as _};

use super::super::scope::tests::draft;
use super::*;
use crate::model::{Body, Http, Run, RunCommand, RunId, Span, Sql, Statements, Template};

const FIRST: fn() -> ProbeId = || ProbeId::at(0);

fn probe(source: ProbeSource, as_: ProbeAs) -> Probe {
    Probe {
        name: "p".into(),
        source,
        interval: Span::from_millis(10),
        timeout: Span::from_secs(20),
        as_,
        unit: None,
        covers: Span::ZERO,
        keep: Span::ZERO,
    }
}

fn script(text: &str) -> ProbeSource {
    let shell = ["sh", "-c"].map(String::from).to_vec();
    let command = RunCommand::Script { text: Template(text.into()), shell };
    ProbeSource::Run(Run { command, cwd: None, env: BTreeMap::new(), stdin: None, exit: vec![0], expect: None })
}

fn web(url: &str, part: HttpPart) -> ProbeSource {
    let request = Http {
        method: "GET".into(),
        url: Template(url.into()),
        headers: BTreeMap::new(),
        body: Body::Empty,
        status: (200, 299),
        expect: None,
        settle: None,
    };
    ProbeSource::Http { request, part }
}

fn sqlite(query: &str) -> ProbeSource {
    ProbeSource::Sql(Sql {
        url: Template("sqlite:x.db".into()),
        password: None,
        statements: Statements::Query(Template(query.into())),
        params: vec![],
        expect: None,
        rows: None,
    })
}

/// A poller of these probes in this folder. Its clock counts the times it is asked, so that every moment is another.
fn poller(probes: Vec<Probe>, folder: &Path) -> (Poller, mpsc::Receiver<Sample>) {
    let plan = Arc::new(Plan::new(crate::model::Draft { probes, ..draft() }).unwrap());
    let ticks = std::sync::atomic::AtomicU64::new(0);
    let now: Now = Arc::new(move || Time::from_millis(ticks.fetch_add(1, Ordering::Relaxed)));
    let scope = Arc::new(RunScope::new(Arc::clone(&plan), RunId("r".into()), folder.into(), BTreeMap::new()));
    let (samples, arriving) = mpsc::channel(16);
    (Poller::new(plan, now, Surroundings { scope, secrets: Secrets::default() }, samples), arriving)
}

async fn one(probe: Probe) -> Sample {
    let folder = tempfile::tempdir().unwrap();
    let (mut poller, mut samples) = poller(vec![probe], folder.path());
    poller.set_needed(&[FIRST()]);
    samples.recv().await.unwrap()
}

/// A server that answers every request on a connection with the text that `answer` gives, and counts connections.
fn serve(answer: impl Fn() -> String + Send + Sync + 'static) -> (String, Arc<AtomicU32>) {
    hear(move |_| answer())
}

/// The same, for an answer that depends on the request.
fn hear(answer: impl Fn(&str) -> String + Send + Sync + 'static) -> (String, Arc<AtomicU32>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let connections = Arc::new(AtomicU32::new(0));
    let (counted, answer) = (Arc::clone(&connections), Arc::new(answer));
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            counted.fetch_add(1, Ordering::Relaxed);
            let answer = Arc::clone(&answer);
            std::thread::spawn(move || {
                let mut asked = [0; 4096];
                while let Ok(length @ 1..) = stream.read(&mut asked) {
                    let body = answer(&String::from_utf8_lossy(&asked[..length]));
                    let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", body.len());
                    let _ = stream.write_all((head + &body).as_bytes());
                }
            });
        }
    });
    (url, connections)
}

#[test]
fn an_answer_is_what_the_probe_says_or_no_data() {
    use ProbeAs::{Bool, Json as AsJson, Number, Text};
    assert_eq!(taken_for(json!("12"), Number), Ok(json!(12)));
    assert_eq!(taken_for(json!(0.5), Number), Ok(json!(0.5)));
    assert_eq!(taken_for(json!(1), Bool), Ok(json!(true)));
    assert_eq!(taken_for(json!("f"), Bool), Ok(json!(false)));
    assert_eq!(taken_for(json!(12), Text), Ok(json!("12")));
    assert_eq!(taken_for(json!("[1]"), AsJson), Ok(json!([1])));
    for (answer, as_) in [(json!("NaN"), Number), (json!(true), Number), (json!(2), Bool), (json!("<"), AsJson)] {
        assert!(taken_for(answer, as_).is_err());
    }
}

#[tokio::test(flavor = "current_thread")]
async fn an_answer_that_contains_a_secret_is_no_data_and_no_reason_shows_it() {
    let long = format!("echo {}swordfish", "x".repeat(75));
    for (text, as_) in [("echo swordfish", ProbeAs::Text), (&long, ProbeAs::Number)] {
        let (mut poller, mut samples) = poller(vec![probe(script(text), as_)], Path::new("/"));
        let scope = Arc::clone(&poller.surroundings.borrow().scope);
        poller.set_surroundings(Surroundings { scope, secrets: Secrets::new(&[json!("swordfish")]) });
        poller.set_needed(&[FIRST()]);
        let sample = samples.recv().await.unwrap();
        let why = sample.why_none.unwrap();
        assert!(sample.value.is_none() && !why.contains("sword"), "{why}");
    }
}

#[tokio::test(flavor = "current_thread")]
async fn a_process_answers_by_its_output_or_by_its_exit_code() {
    let sample = one(probe(script("echo 17"), ProbeAs::Number)).await;
    assert_eq!((sample.value, sample.why_none), (Some(json!(17)), None));
    assert!(sample.asked < sample.arrived);
    for (exit, value) in [(0, Some(json!(true))), (1, Some(json!(false))), (2, None)] {
        assert_eq!(one(probe(script(&format!("exit {exit}")), ProbeAs::ExitCode)).await.value, value);
    }
    let failed = one(probe(script("echo 17; echo oops >&2; exit 3"), ProbeAs::Number)).await;
    assert_eq!(failed.value, None);
    assert!(failed.why_none.unwrap().contains("oops"));
}

#[tokio::test(flavor = "current_thread")]
async fn a_late_answer_is_one_sample_without_data() {
    let slow = Probe { timeout: Span::from_millis(50), ..probe(script("sleep 600"), ProbeAs::Number) };
    let sample = one(slow).await;
    assert_eq!((sample.value, sample.why_none.as_deref()), (None, Some("no answer within 50ms")));
}

#[tokio::test(flavor = "current_thread")]
async fn each_part_of_an_http_answer_can_be_read_over_one_connection() {
    let (url, _) = serve(|| r#"{"weight": 20}"#.to_owned());
    let parts = [
        (HttpPart::Body, ProbeAs::Json, json!({"weight": 20})),
        (HttpPart::Json("/weight".into()), ProbeAs::Number, json!(20)),
        (HttpPart::Regex("weight\": (\\d)".into()), ProbeAs::Number, json!(2)),
        (HttpPart::Status, ProbeAs::Number, json!(200)),
    ];
    for (part, as_, value) in parts {
        assert_eq!(one(probe(web(&url, part), as_)).await.value, Some(value));
    }
    assert!(one(probe(web(&url, HttpPart::Latency), ProbeAs::Number)).await.value.unwrap().as_f64().unwrap() > 0.0);
    let missing = one(probe(web(&url, HttpPart::Json("/x".into())), ProbeAs::Number)).await;
    assert!(missing.why_none.unwrap().contains("nothing at `/x`"));

    let (url, connections) = serve(|| "1".to_owned());
    let (mut poller, mut samples) = poller(vec![probe(web(&url, HttpPart::Body), ProbeAs::Number)], Path::new("/"));
    poller.set_needed(&[FIRST()]);
    for _ in 0..5 {
        assert_eq!(samples.recv().await.unwrap().value, Some(json!(1)));
    }
    assert_eq!(connections.load(Ordering::Relaxed), 1, "a connection is kept between polls");
}

/// What a probe with that body and a secret in its headers says, asked by POST.
async fn posted(url: &str, body: Body, part: HttpPart, as_: ProbeAs) -> Sample {
    let ProbeSource::Http { mut request, part } = web(url, part) else { panic!("it is a request") };
    request.method = "POST".to_owned();
    request.headers = BTreeMap::from([("Authorization".into(), Template("ApiKey {{vars.token}}".into()))]);
    request.body = body;
    let (mut poller, mut samples) = poller(vec![probe(ProbeSource::Http { request, part }, as_)], Path::new("/"));
    let values = [("token", json!("swordfish"), true), ("least", json!(500), false), ("shop", json!("a\"b"), false)];
    poller.set_surroundings(Surroundings {
        scope: Arc::new(super::super::scope::tests::scope(&values)),
        secrets: Secrets::new(&[json!("swordfish")]),
    });
    poller.set_needed(&[FIRST()]);
    samples.recv().await.unwrap()
}

#[tokio::test(flavor = "current_thread")]
async fn a_query_by_post_sends_its_body_filled_in_and_never_shows_a_secret_of_it() {
    let (heard, hearing) = std::sync::mpsc::channel();
    let heard = Mutex::new(heard);
    let (url, _) = hear(move |request| {
        heard.lock().unwrap().send(request.to_owned()).unwrap();
        r#"{"hits": {"total": 3}}"#.to_owned()
    });
    let query = Body::Json(json!({"query": {"range": {"status": {"gte": "{{vars.least}}"}}}, "shop": "{{vars.shop}}"}));
    let sample = posted(&url, query, HttpPart::Json("/hits/total".into()), ProbeAs::Number).await;
    assert_eq!((sample.value, sample.why_none), (Some(json!(3)), None));
    let request = hearing.recv().unwrap();
    assert!(request.starts_with("POST / "), "{request}");
    let lines = request.to_lowercase();
    assert!(lines.contains("authorization: apikey swordfish") && lines.contains("content-type: application/json"));
    let (_, body) = request.split_once("\r\n\r\n").unwrap();
    let said: Json = serde_json::from_str(body).unwrap();
    assert_eq!(said, json!({"query": {"range": {"status": {"gte": 500}}}, "shop": "a\"b"}), "values keep their kind");

    // A server that repeats what it was sent tells nobody but us.
    let (url, _) = hear(|request| request.split_once("\r\n\r\n").map_or_else(String::new, |(_, body)| body.to_owned()));
    for (body, as_) in [
        (Body::Text(Template("count of {{vars.token}}".into())), ProbeAs::Text),
        (Body::Text(Template("count of {{vars.token}}".into())), ProbeAs::Number),
        (Body::Json(json!({"key": "{{vars.token}}"})), ProbeAs::Json),
    ] {
        let sample = posted(&url, body, HttpPart::Body, as_).await;
        let why = sample.why_none.expect("no data");
        assert!(sample.value.is_none() && why.contains("secret") && !why.contains("sword"), "{why}");
    }
}

#[tokio::test(flavor = "current_thread")]
async fn a_secret_that_a_server_repeats_in_escapes_is_shown_no_more_than_as_it_is() {
    let far = "0".repeat(72);
    let (url, _) = hear(move |_| format!(r#"{{"key": "s\u0077ordfish", "far": "{far} s\u0077ordfish"}}"#));
    for (part, as_) in [
        (HttpPart::Json("/key".into()), ProbeAs::Text),
        (HttpPart::Json("/key".into()), ProbeAs::Bool),
        (HttpPart::Json("/far".into()), ProbeAs::Number),
        (HttpPart::Json(String::new()), ProbeAs::Json),
        (HttpPart::Json(String::new()), ProbeAs::Text),
        (HttpPart::Body, ProbeAs::Json),
    ] {
        let sample = posted(&url, Body::Empty, part.clone(), as_).await;
        let why = sample.why_none.expect("no data");
        assert!(sample.value.is_none() && why.contains("secret") && !why.contains("sword"), "{part:?} {as_:?}: {why}");
    }
}

#[tokio::test(flavor = "current_thread")]
async fn of_an_answer_to_head_the_status_can_be_read() {
    let (heard, hearing) = std::sync::mpsc::channel();
    let heard = Mutex::new(heard);
    let (url, _) = hear(move |request| {
        heard.lock().unwrap().send(request.to_owned()).unwrap();
        String::new()
    });
    let ProbeSource::Http { mut request, part } = web(&url, HttpPart::Status) else { panic!("it is a request") };
    request.method = "HEAD".to_owned();
    let sample = one(probe(ProbeSource::Http { request, part }, ProbeAs::Number)).await;
    assert_eq!(sample.value, Some(json!(200)));
    assert!(hearing.recv().unwrap().starts_with("HEAD / "));
}

#[tokio::test(flavor = "current_thread")]
async fn a_query_answers_by_the_first_column_of_its_first_row_and_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let file = format!("sqlite:{}?mode=rwc", folder.path().join("x.db").display());
    let mut writer = sqlx::SqliteConnection::connect(&file).await.unwrap();
    writer.execute("create table t (z integer, a integer)").await.unwrap();
    writer.execute("insert into t values (1, 2)").await.unwrap();
    let queries =
        ["select z, a from t", "select null", "select z from t where z > 1", "delete from t", "select nothing"];
    let probes = queries.map(|query| Probe { name: query.into(), ..probe(sqlite(query), ProbeAs::Number) });
    let (mut poller, mut samples) = poller(probes.to_vec(), folder.path());
    poller.set_needed(&(0..5).map(ProbeId::at).collect::<Vec<_>>());
    let mut seen = BTreeMap::new();
    while seen.len() < 5 {
        let sample = samples.recv().await.unwrap();
        seen.insert(sample.probe.index(), sample.value.ok_or(sample.why_none.unwrap_or_default()));
    }
    assert_eq!(seen[&0], Ok(json!(1)));
    for (index, why) in [(1, "null"), (2, "no row"), (3, "readonly"), (4, "nothing")] {
        assert!(seen[&index].as_ref().unwrap_err().contains(why), "{seen:?}");
    }

    // The connection is good again once the file is.
    writer.execute("update t set z = 5").await.unwrap();
    loop {
        let sample = samples.recv().await.unwrap();
        if sample.probe == FIRST() && sample.value == Some(json!(5)) {
            break;
        }
    }
}

#[tokio::test(flavor = "current_thread")]
async fn a_probe_is_polled_only_while_it_is_needed() {
    let (url, _) = serve(|| "1".to_owned());
    let probes = vec![probe(web(&url, HttpPart::Body), ProbeAs::Number); 2];
    let (mut poller, mut samples) = poller(probes, Path::new("/"));
    poller.set_needed(&[FIRST()]);
    for _ in 0..3 {
        assert_eq!(samples.recv().await.unwrap().probe, FIRST());
    }
    poller.set_needed(&[ProbeId::at(1)]);
    // What was on its way may still arrive; after that only the other one does.
    while samples.recv().await.unwrap().probe == FIRST() {}
    for _ in 0..5 {
        assert_eq!(samples.recv().await.unwrap().probe, ProbeId::at(1));
    }
    drop(poller);
    while samples.recv().await.is_some() {}
}

#[tokio::test(flavor = "current_thread")]
async fn a_nudged_probe_is_asked_at_once_and_a_running_poll_is_no_answer_to_the_nudge() {
    // Answers one request for every permit.
    let (permit, permits) = std::sync::mpsc::channel::<()>();
    let (asked, mut asking) = mpsc::unbounded_channel();
    let permits = Mutex::new(permits);
    let under_way = AtomicU32::new(0);
    let (url, _) = serve(move || {
        assert_eq!(under_way.fetch_add(1, Ordering::SeqCst), 0, "two polls of one probe under way");
        asked.send(()).unwrap();
        let _ = permits.lock().unwrap().recv();
        under_way.fetch_sub(1, Ordering::SeqCst);
        "1".to_owned()
    });
    let rarely = Probe { interval: Span::from_secs(3600), ..probe(web(&url, HttpPart::Body), ProbeAs::Number) };
    let (mut poller, mut samples) = poller(vec![rarely], Path::new("/"));
    poller.set_needed(&[FIRST()]);
    poller.set_needed(&[FIRST()]);
    asking.recv().await.unwrap();
    // Under way: the nudge must lead to another poll. Two nudges are one.
    poller.ask_now(FIRST());
    poller.ask_now(FIRST());
    permit.send(()).unwrap();
    let first = samples.recv().await.unwrap();
    asking.recv().await.unwrap();
    permit.send(()).unwrap();
    let second = samples.recv().await.unwrap();
    assert!(second.asked > first.arrived);
    // Idle: it is asked although its turn is an hour away.
    poller.ask_now(FIRST());
    asking.recv().await.unwrap();
    permit.send(()).unwrap();
    assert_eq!(samples.recv().await.unwrap().value, Some(json!(1)));
}

#[tokio::test(flavor = "current_thread")]
async fn turns_come_without_drift_and_a_late_answer_skips_turns() {
    const INTERVAL: u128 = 20;
    let mut turns = turns(Duration::from_millis(20));
    let first = turns.tick().await;
    let mut at = Vec::new();
    for late in [70, 5, 70, 5] {
        tokio::time::sleep(Duration::from_millis(late)).await;
        at.push((turns.tick().await - first).as_millis());
    }
    assert!(at.iter().all(|millis| millis % INTERVAL == 0), "each on the grid of the first: {at:?}");
    assert!(at.is_sorted_by(|a, b| a < b), "no turn twice: {at:?}");
    assert!(at[3] > 3 * INTERVAL, "turns that were missed are not made up for: {at:?}");
}

#[tokio::test(flavor = "current_thread")]
async fn a_query_to_prometheus_carries_its_headers_and_a_value_in_it_stays_a_text() {
    let (heard, hearing) = std::sync::mpsc::channel();
    let heard = Mutex::new(heard);
    let (url, _) = hear(move |request| {
        heard.lock().unwrap().send(request.to_owned()).unwrap();
        r#"{"status":"success","data":{"resultType":"vector","result":[{"metric":{},"value":[1,"0.5"]}]}}"#.to_owned()
    });
    let query = crate::model::Prometheus {
        url: Template(url),
        headers: BTreeMap::from([("Authorization".into(), Template("Bearer {{vars.token}}".into()))]),
        query: Template(r#"sum(rate(errors{job="{{vars.job}}"}[30s]))"#.into()),
    };
    let (mut poller, mut samples) =
        poller(vec![probe(ProbeSource::Prometheus(query), ProbeAs::Number)], Path::new("/"));
    let values = [("token", json!("swordfish"), true), ("job", json!("a\"}) or vector(1) #"), false)];
    let surroundings = Surroundings {
        scope: Arc::new(super::super::scope::tests::scope(&values)),
        secrets: Secrets::new(&[json!("swordfish")]),
    };
    poller.set_surroundings(surroundings);
    poller.set_needed(&[FIRST()]);
    let sample = samples.recv().await.unwrap();
    assert_eq!((sample.value, sample.why_none), (Some(json!(0.5)), None));
    let request = hearing.recv().unwrap();
    assert!(request.starts_with("GET /api/v1/query?query="), "{request}");
    assert!(request.to_lowercase().contains("authorization: bearer swordfish"), "{request}");
    // `"` is `\x22` between the quotes of the query.
    assert!(request.contains("job%3D%22a%5Cx22%7D%29+or+vector%281%29+%23%22%7D"), "{request}");
}

#[tokio::test(flavor = "current_thread")]
async fn a_connection_is_a_sample_in_milliseconds_and_a_refused_one_is_false_or_no_data() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let open = listener.local_addr().unwrap().to_string();
    let tcp = |address: &str| ProbeSource::Tcp(Template(address.to_owned()));
    let took = one(probe(tcp(&open), ProbeAs::Number)).await.value.unwrap().as_f64().unwrap();
    assert!((0.0..20_000.0).contains(&took), "{took}");
    assert_eq!(one(probe(tcp(&open), ProbeAs::Bool)).await.value, Some(json!(true)));

    // A port that is taken and not listened at: nobody else can take it and answer.
    let silent = tokio::net::TcpSocket::new_v4().unwrap();
    silent.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let shut = silent.local_addr().unwrap().to_string();
    let refused = one(probe(tcp(&shut), ProbeAs::Number)).await;
    assert_eq!((refused.value, refused.why_none.as_deref()), (None, Some("the connection was refused")));
    assert_eq!(one(probe(tcp(&shut), ProbeAs::Bool)).await.value, Some(json!(false)));

    // Whether it can be connected to is not known where nothing is known of the host.
    let lost = one(probe(tcp("nobody.invalid:5432"), ProbeAs::Bool)).await;
    assert!(lost.value.is_none() && lost.why_none.unwrap().contains("was not found"));
    assert!(one(probe(tcp("no port"), ProbeAs::Bool)).await.value.is_none());
}
