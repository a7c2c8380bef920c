//! Requests over HTTP against a real server: what is known about their effect.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use runbook::drive::live::attempt::{Ended, Stop, stopper};
use runbook::drive::live::http::Request;
use runbook::drive::live::secret::Secrets;
use runbook::model::{AttemptEnd, Output, OutputAs, OutputFrom, Verdict};
use serde_json::json;

use crate::support::web::{nobody, serve};

fn request(method: &str, url: String) -> Request {
    Request {
        method: method.into(),
        url,
        headers: vec![],
        body: None,
        status: (200, 299),
        expect: None,
        settle: Duration::from_millis(50),
        bound: Duration::from_secs(20),
        outputs: vec![],
    }
}

fn never() -> Stop {
    stopper().1
}

async fn perform(request: Request) -> Ended {
    request.perform(Secrets::default(), never()).await
}

#[tokio::test(flavor = "current_thread")]
async fn an_accepted_answer_is_done_and_gives_outputs() {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let heard = Arc::clone(&seen);
    let url = serve(move |asked, open| {
        heard.lock().unwrap().push(asked);
        open.answer(201, "", r#"{"id": 7}"#);
    });
    let mut request = request("PUT", format!("{url}/x"));
    request.headers = vec![("x-run".into(), "r1".into())];
    request.body = Some(b"{}".to_vec());
    request.outputs =
        vec![Output { name: "id".into(), from: OutputFrom::Json("/id".into()), as_: OutputAs::Number, secret: false }];
    request.expect = Some(Arc::new(|locals| {
        assert_eq!(
            (&locals["status"], &locals["json"], &locals["body"]),
            (&json!(201), &json!({"id": 7}), &json!("{\"id\": 7}"))
        );
        assert_eq!(locals["headers"]["connection"], json!("close"));
        (Verdict::Holds, String::new())
    }));
    let ended = perform(request).await;
    assert_eq!(ended.end, AttemptEnd::Done, "{}", ended.evidence);
    assert_eq!(ended.outputs.open["id"], json!(7));
    let seen = seen.lock().unwrap();
    assert_eq!((seen.len(), seen[0].line.as_str(), seen[0].body.as_str()), (1, "PUT /x HTTP/1.1", "{}"));
    assert!(seen[0].headers.contains(&"x-run: r1".to_owned()), "{:?}", seen[0].headers);
}

#[tokio::test(flavor = "current_thread")]
async fn a_request_that_could_have_a_body_and_has_none_says_so() {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let heard = Arc::clone(&seen);
    let url = serve(move |asked, open| {
        heard.lock().unwrap().push(asked);
        open.answer(200, "", "");
    });
    for method in ["POST", "PUT", "PATCH", "GET", "DELETE"] {
        assert_eq!(perform(request(method, url.clone())).await.end, AttemptEnd::Done);
    }
    let mut by_hand = request("POST", url);
    by_hand.headers = vec![("Content-Length".into(), "0".into())];
    assert_eq!(perform(by_hand).await.end, AttemptEnd::Done);
    let lengths = |headers: &[String]| headers.iter().filter(|header| *header == "content-length: 0").count();
    let seen: Vec<usize> = seen.lock().unwrap().iter().map(|asked| lengths(&asked.headers)).collect();
    assert_eq!(seen, [1, 1, 1, 0, 0, 1]);
}

#[tokio::test(flavor = "current_thread")]
async fn a_refusal_and_an_unexpected_answer_are_failed() {
    let url = serve(|asked, open| {
        let status = if asked.line.contains("/no") { 409 } else { 200 };
        open.answer(status, "", "it is taken by swordfish");
    });
    let secrets = Secrets::new(&[json!("swordfish")]);
    let refused = request("PUT", format!("{url}/no")).perform(secrets, never()).await;
    assert_eq!(refused.end, AttemptEnd::Failed);
    assert!(
        refused.evidence.contains("409") && refused.evidence.contains("it is taken by [secret]"),
        "{}",
        refused.evidence
    );

    let mut unexpected = request("PUT", url);
    unexpected.expect = Some(Arc::new(|_| (Verdict::Fails, "json.ok is false".into())));
    let ended = perform(unexpected).await;
    assert_eq!(ended.end, AttemptEnd::Failed);
    assert!(ended.evidence.contains("json.ok is false"), "{}", ended.evidence);
}

#[tokio::test(flavor = "current_thread")]
async fn what_was_never_sent_is_failed() {
    for (method, url) in [("PUT", nobody()), ("PUT", "not an address".to_owned()), ("B AD", nobody())] {
        let ended = perform(request(method, url)).await;
        assert_eq!(ended.end, AttemptEnd::Failed, "{}", ended.evidence);
    }
}

#[tokio::test(flavor = "current_thread")]
async fn no_answer_in_time_is_unknown_once_it_has_settled() {
    let url = serve(|_, open| open.await_close());
    let mut request = request("PUT", url);
    request.bound = Duration::from_millis(100);
    request.settle = Duration::from_millis(200);
    let begun = Instant::now();
    let ended = perform(request).await;
    assert_eq!(ended.end, AttemptEnd::Unknown, "{}", ended.evidence);
    assert!(begun.elapsed() >= Duration::from_millis(300), "the end was reported before the request had settled");
}

#[tokio::test(flavor = "current_thread")]
async fn a_connection_that_is_cut_leaves_the_effect_unknown() {
    let before = serve(|_, open| drop(open));
    let within = serve(|_, mut open| open.send("HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf"));
    for url in [before, within] {
        let ended = perform(request("PUT", url)).await;
        assert_eq!(ended.end, AttemptEnd::Unknown, "{}", ended.evidence);
    }
}

#[tokio::test(flavor = "current_thread")]
async fn a_gateway_that_lost_its_server_does_not_know_the_effect() {
    let url = serve(|asked, open| open.answer(asked.line[asked.line.len() - 12..][..3].parse().unwrap(), "", ""));
    for (method, status, end) in [
        ("PUT", 504, AttemptEnd::Unknown),
        ("POST", 502, AttemptEnd::Unknown),
        ("GET", 504, AttemptEnd::Failed),
        ("PUT", 503, AttemptEnd::Failed),
    ] {
        let ended = perform(request(method, format!("{url}/{status}"))).await;
        assert_eq!(ended.end, end, "{}", ended.evidence);
    }
}

#[tokio::test(flavor = "current_thread")]
async fn a_stopped_request_is_over_with_its_answer_not_with_the_order() {
    let (arrived, mut at_server) = tokio::sync::mpsc::unbounded_channel();
    let (answer, answers) = std::sync::mpsc::channel::<()>();
    let answers = Mutex::new(answers);
    let url = serve(move |_, open| {
        arrived.send(()).unwrap();
        answers.lock().unwrap().recv().unwrap();
        open.answer(200, "", "");
    });
    let mut request = request("PUT", url);
    request.settle = Duration::from_mins(1);
    let (stopper, stop) = stopper();
    let performing = tokio::spawn(request.perform(Secrets::default(), stop));
    at_server.recv().await.unwrap();
    stopper.stop();
    tokio::task::yield_now().await;
    assert!(!performing.is_finished(), "the request is still under way");
    answer.send(()).unwrap();
    let ended = performing.await.unwrap();
    assert_eq!(ended.end, AttemptEnd::Stopped);
    assert!(ended.evidence.contains("answered 200 nevertheless"), "{}", ended.evidence);
}

#[tokio::test(flavor = "current_thread")]
async fn a_stopped_request_without_an_answer_is_over_once_it_has_settled() {
    let url = serve(|_, open| open.await_close());
    let (stopper, stop) = stopper();
    stopper.stop();
    let ended = request("PUT", url).perform(Secrets::default(), stop).await;
    assert_eq!(ended.end, AttemptEnd::Stopped, "{}", ended.evidence);
}

#[tokio::test(flavor = "current_thread")]
async fn only_a_get_follows_redirects() {
    let url = serve(|asked, open| {
        if asked.line.contains("/there") {
            open.answer(200, "", "");
        } else {
            open.answer(302, "location: /there\r\n", "");
        }
    });
    assert_eq!(perform(request("GET", url.clone())).await.end, AttemptEnd::Done);
    let put = perform(request("PUT", url)).await;
    assert_eq!(put.end, AttemptEnd::Failed);
    assert!(put.evidence.contains("302"), "{}", put.evidence);
}

#[tokio::test(flavor = "current_thread")]
async fn a_huge_body_is_read_no_further_than_the_cap() {
    let url = serve(|_, mut open| {
        open.send("HTTP/1.1 200 OK\r\n\r\n");
        let piece = "x".repeat(1 << 16);
        for _ in 0..1000 {
            open.send(&piece);
        }
    });
    let mut request = request("GET", url);
    request.expect = Some(Arc::new(|locals| {
        assert_eq!(locals["body"].as_str().unwrap().len(), runbook::drive::live::http::BODY_MAX);
        (Verdict::Holds, String::new())
    }));
    assert_eq!(perform(request).await.end, AttemptEnd::Done);
}
