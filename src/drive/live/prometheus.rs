//! Instant queries to Prometheus (`GET /api/v1/query`), and what their answers say.
//!
//! A sample is one number. An answer that is none, or several, is no data, with a reason that says what to write instead.

use serde::Deserialize;
use serde_json::Value as Json;

use super::http::{Answer, BODY_MAX, Request};
use super::reading::excerpt;
use super::render::Errand;
use crate::model::{Body, Http, Prometheus};
use crate::syntax::template::{self, Place};

/// The request that asks it.
pub(super) fn request(errand: &Errand<'_>, asked: &Prometheus) -> Result<Request, String> {
    let http = Http {
        method: "GET".to_owned(),
        url: asked.url.clone(),
        headers: asked.headers.clone(),
        body: Body::Empty,
        status: (200, 299),
        expect: None,
        settle: None,
    };
    let mut request = errand.request(&http, &[]).map_err(|error| format!("could not {error}"))?;
    let query = template::text(&asked.query.0, Place::Promql, errand.scope);
    request.url = address(&request.url, &query.map_err(|error| format!("could not {error}"))?)?;
    Ok(request)
}

/// Where a query is asked: `/api/v1/query` behind whatever path and parameters the server's address has.
fn address(server: &str, query: &str) -> Result<String, String> {
    let mut url = reqwest::Url::parse(server).map_err(|error| format!("no address: {error}"))?;
    url.path_segments_mut().map_err(|()| "no address".to_owned())?.pop_if_empty().extend(["api", "v1", "query"]);
    url.query_pairs_mut().append_pair("query", query);
    Ok(url.into())
}

/// What the server answers, of that what is read.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Said {
    status: String,
    data: Option<Data>,
    error_type: Option<String>,
    error: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Data {
    result_type: String,
    result: Json,
}

/// The only value of an answer, as Prometheus writes it: a text that is a finite number. `Err` says why there is none.
pub(super) fn said(answer: &Answer) -> Result<Json, String> {
    if answer.cut {
        return Err(format!("the answer is longer than {} KiB; {AGGREGATE}", BODY_MAX / 1024));
    }
    let said: Said = serde_json::from_str(&answer.body).map_err(|_| {
        let body = excerpt(&answer.body);
        format!("status {}, and no answer of Prometheus: `{body}`", answer.status)
    })?;
    match said.data {
        Some(data) if said.status == "success" => number(only(&data)?),
        _ => {
            let status = format!("status {}", answer.status);
            let words: Vec<String> = [Some(status), said.error_type, said.error].into_iter().flatten().collect();
            Err(excerpt(&words.join(": ")))
        }
    }
}

const AGGREGATE: &str = "make it one with `sum(...)`, `max(...)` or the like";

/// The time and the value of the only sample.
fn only(data: &Data) -> Result<&Json, String> {
    match (data.result_type.as_str(), &data.result) {
        ("scalar", sample) => Ok(sample),
        ("vector", Json::Array(series)) => match series.as_slice() {
            [] => Err("nothing matches the query: its answer is empty".to_owned()),
            [one] => one.get("value").ok_or_else(|| {
                "the query gives a histogram; make it a number with `histogram_quantile(...)` or the like".to_owned()
            }),
            several => Err(format!("the query gives {} series; {AGGREGATE}", several.len())),
        },
        ("matrix", _) => Err("the query gives a range of samples; make it one with `rate(...)` or the like".to_owned()),
        (other, _) => Err(format!("the query gives a {}, and no number", excerpt(other))),
    }
}

fn number(sample: &Json) -> Result<Json, String> {
    let text = sample.get(1).and_then(Json::as_str).ok_or("the sample has no value")?;
    match text.parse::<f64>() {
        Ok(number) if number.is_finite() => Ok(Json::from(text)),
        Ok(_) => Err(format!("the answer is {}", excerpt(text))),
        Err(_) => Err(format!("`{}` is not a number", excerpt(text))),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn answer(status: u16, body: &str) -> Result<Json, String> {
        let took = Duration::ZERO;
        said(&Answer { status, headers: Vec::new(), body: body.to_owned(), cut: false, took })
    }

    fn of(kind: &str, result: &str) -> Result<Json, String> {
        answer(200, &format!(r#"{{"status":"success","data":{{"resultType":"{kind}","result":{result}}}}}"#))
    }

    #[test]
    fn one_series_or_a_scalar_is_a_sample() {
        assert_eq!(of("vector", r#"[{"metric":{"job":"a"},"value":[1.5,"0.25"]}]"#), Ok(Json::from("0.25")));
        assert_eq!(of("scalar", r#"[1.5,"3"]"#), Ok(Json::from("3")));
    }

    #[test]
    fn anything_else_is_no_data_and_says_what_to_write_instead() {
        let why = |said: Result<Json, String>| said.unwrap_err();
        let two = r#"[{"metric":{},"value":[1,"1"]},{"metric":{},"value":[1,"2"]}]"#;
        let lines = [
            why(of("vector", "[]")),
            why(of("vector", two)),
            why(of("vector", r#"[{"metric":{},"histogram":[1,{}]}]"#)),
            why(of("matrix", "[]")),
            why(of("string", r#"[1,"x"]"#)),
            why(of("scalar", r#"[1,"NaN"]"#)),
            why(of("scalar", r#"[1,"+Inf"]"#)),
            why(of("scalar", "[1]")),
            why(answer(400, r#"{"status":"error","errorType":"bad_data","error":"invalid parameter"}"#)),
            why(answer(503, r#"{"status":"error"}"#)),
            why(answer(502, "<html>bad gateway")),
        ];
        insta::assert_snapshot!(lines.join("\n"), @r"
        nothing matches the query: its answer is empty
        the query gives 2 series; make it one with `sum(...)`, `max(...)` or the like
        the query gives a histogram; make it a number with `histogram_quantile(...)` or the like
        the query gives a range of samples; make it one with `rate(...)` or the like
        the query gives a string, and no number
        the answer is NaN
        the answer is +Inf
        the sample has no value
        status 400: bad_data: invalid parameter
        status 503
        status 502, and no answer of Prometheus: `<html>bad gateway`
        ");
    }

    #[test]
    fn the_query_comes_behind_the_path_and_the_parameters_of_the_server() {
        for (server, wanted) in [
            ("http://p:9090", "http://p:9090/api/v1/query?query=a%7Bb%3D%22c%22%7D"),
            ("http://p/prom/", "http://p/prom/api/v1/query?query=a%7Bb%3D%22c%22%7D"),
            ("http://p/x?tenant=1", "http://p/x/api/v1/query?tenant=1&query=a%7Bb%3D%22c%22%7D"),
        ] {
            assert_eq!(address(server, r#"a{b="c"}"#).as_deref(), Ok(wanted));
        }
        assert!(address("p:9090", "up").is_err(), "no address");
    }
}
