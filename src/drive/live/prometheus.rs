//! Queries to Prometheus, and what their answers say: instant ones (`GET /api/v1/query`), and the same query at many
//! moments of the past (`/api/v1/query_range`).
//!
//! A sample is one number. An answer that is none, or several, is no data, with a reason that says what to write instead.

use serde::Deserialize;
use serde_json::Value as Json;

use super::http::{Answer, BODY_MAX, Request};
use super::reading::excerpt;
use super::render::Errand;
use crate::journal::Wall;
use crate::model::{Body, Http, Prometheus, Span};
use crate::syntax::template::{self, Place};

/// Moments of the past at which a query is asked, the first and the last one included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Moments {
    pub(super) first: Wall,
    pub(super) last: Wall,
    pub(super) step: Span,
}

/// The request that asks it now.
pub(super) fn request(errand: &Errand<'_>, asked: &Prometheus) -> Result<Request, String> {
    ask(errand, asked, "query", &[])
}

/// The request that asks it at these moments. Each answer is that of an instant query at its moment.
pub(super) fn request_over(errand: &Errand<'_>, asked: &Prometheus, moments: Moments) -> Result<Request, String> {
    let Moments { first, last, step } = moments;
    let step = i64::try_from(step.millis()).unwrap_or(i64::MAX);
    let times = [("start", seconds(first.millis())), ("end", seconds(last.millis())), ("step", seconds(step))];
    ask(errand, asked, "query_range", &times)
}

/// Milliseconds as the interface takes them.
fn seconds(millis: i64) -> String {
    format!("{}.{:03}", millis / 1000, millis % 1000)
}

fn ask(errand: &Errand<'_>, asked: &Prometheus, endpoint: &str, times: &[(&str, String)]) -> Result<Request, String> {
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
    let mut url = address(&request.url, endpoint, &query.map_err(|error| format!("could not {error}"))?)?;
    if !times.is_empty() {
        url.query_pairs_mut().extend_pairs(times);
    }
    request.url = url.into();
    Ok(request)
}

/// Where a query is asked: `/api/v1/query` behind whatever path and parameters the server's address has.
fn address(server: &str, endpoint: &str, query: &str) -> Result<reqwest::Url, String> {
    let mut url = reqwest::Url::parse(server).map_err(|error| format!("no address: {error}"))?;
    url.path_segments_mut().map_err(|()| "no address".to_owned())?.pop_if_empty().extend(["api", "v1", endpoint]);
    url.query_pairs_mut().append_pair("query", query);
    Ok(url)
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
    number(only(&data(answer)?)?)
}

/// What it said at each of these moments, in order: the value, or why there was none. `Err`: it has not answered the
/// question at all.
pub(super) fn said_over(answer: &Answer, moments: Moments) -> Result<Vec<Result<Json, String>>, String> {
    let data = data(answer)?;
    let series: Vec<Series> = match (data.result_type.as_str(), data.result) {
        ("matrix", result) => serde_json::from_value(result).map_err(|error| format!("no matrix: {error}"))?,
        (other, _) => return Err(format!("the query gives a {} over time", excerpt(other))),
    };
    let mut at_moments = vec![At::Nothing; moments.count()];
    for (sample, what) in series.iter().flat_map(Series::samples) {
        if let Some(at) = moments.place(sample).and_then(|place| at_moments.get_mut(place)) {
            at.add(what);
        }
    }
    Ok(at_moments.into_iter().map(At::value).collect())
}

impl Moments {
    fn count(&self) -> usize {
        let span = u64::try_from(self.last.millis() - self.first.millis()).unwrap_or(0);
        usize::try_from(span / self.step.millis().max(1)).unwrap_or(0) + 1
    }

    /// Which of them a sample is of.
    fn place(&self, sample: &Json) -> Option<usize> {
        let moment = sample.get(0)?.as_f64()? * 1000.0;
        #[expect(clippy::cast_possible_truncation, reason = "milliseconds since 1970")]
        let since = (moment.round() as i64).checked_sub(self.first.millis())?;
        let step = i64::try_from(self.step.millis().max(1)).ok()?;
        usize::try_from((since + step / 2).div_euclid(step)).ok()
    }
}

/// One series of a matrix.
#[derive(Deserialize)]
struct Series {
    #[serde(default)]
    values: Vec<Json>,
    #[serde(default)]
    histograms: Vec<Json>,
}

impl Series {
    fn samples(&self) -> impl Iterator<Item = (&Json, Result<Json, String>)> {
        let values = self.values.iter().map(|sample| (sample, number(sample)));
        values.chain(self.histograms.iter().map(|sample| (sample, Err(HISTOGRAM.to_owned()))))
    }
}

/// What a matrix has at one moment.
#[derive(Clone)]
enum At {
    Nothing,
    One(Result<Json, String>),
    Several(usize),
}

impl At {
    fn add(&mut self, what: Result<Json, String>) {
        *self = match self {
            Self::Nothing => Self::One(what),
            Self::One(_) => Self::Several(2),
            Self::Several(count) => Self::Several(*count + 1),
        };
    }

    fn value(self) -> Result<Json, String> {
        match self {
            Self::Nothing => Err(NOTHING.to_owned()),
            Self::One(what) => what,
            Self::Several(count) => Err(several(count)),
        }
    }
}

fn data(answer: &Answer) -> Result<Data, String> {
    if answer.cut {
        return Err(format!("the answer is longer than {} KiB; {AGGREGATE}", BODY_MAX / 1024));
    }
    let said: Said = serde_json::from_str(&answer.body).map_err(|_| {
        let body = excerpt(&answer.body);
        format!("status {}, and no answer of Prometheus: `{body}`", answer.status)
    })?;
    match said.data {
        Some(data) if said.status == "success" => Ok(data),
        _ => {
            let status = format!("status {}", answer.status);
            let words: Vec<String> = [Some(status), said.error_type, said.error].into_iter().flatten().collect();
            Err(excerpt(&words.join(": ")))
        }
    }
}

const AGGREGATE: &str = "make it one with `sum(...)`, `max(...)` or the like";
const NOTHING: &str = "nothing matches the query: its answer is empty";
const HISTOGRAM: &str = "the query gives a histogram; make it a number with `histogram_quantile(...)` or the like";

fn several(series: usize) -> String {
    format!("the query gives {series} series; {AGGREGATE}")
}

/// The time and the value of the only sample.
fn only(data: &Data) -> Result<&Json, String> {
    match (data.result_type.as_str(), &data.result) {
        ("scalar", sample) => Ok(sample),
        ("vector", Json::Array(series)) => match series.as_slice() {
            [] => Err(NOTHING.to_owned()),
            [one] => one.get("value").ok_or_else(|| HISTOGRAM.to_owned()),
            many => Err(several(many.len())),
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
            assert_eq!(address(server, "query", r#"a{b="c"}"#).map(String::from).as_deref(), Ok(wanted));
        }
        assert!(address("p:9090", "query", "up").is_err(), "no address");
    }

    fn over(kind: &str, result: &str) -> Result<Vec<Result<Json, String>>, String> {
        let body = format!(r#"{{"status":"success","data":{{"resultType":"{kind}","result":{result}}}}}"#);
        let answer = Answer { status: 200, headers: Vec::new(), body, cut: false, took: Duration::ZERO };
        let moments =
            Moments { first: Wall::from_millis(1_000), last: Wall::from_millis(2_499), step: Span::from_millis(500) };
        said_over(&answer, moments)
    }

    #[test]
    fn an_answer_over_time_says_for_each_moment_what_an_instant_one_would_have_said() {
        let of = |result: &str| {
            let said = over("matrix", result).expect("it is a matrix").into_iter();
            said.map(|at| at.map_or_else(|why| why, |value| value.to_string())).collect::<Vec<_>>().join("\n")
        };
        // Another target from the second moment on: the same number, another series.
        let one = r#"{"metric":{"pod":"a"},"values":[[1,"1"],[1.5,"NaN"]]}"#;
        let other = r#"{"metric":{"pod":"b"},"values":[[2,"3"]]}"#;
        insta::assert_snapshot!(of(&format!("[{one},{other}]")), @r#"
        "1"
        the answer is NaN
        "3"
        "#);
        let both = r#"{"metric":{"pod":"b"},"values":[[1,"3"]],"histograms":[[2,{}]]}"#;
        insta::assert_snapshot!(of(&format!("[{one},{both}]")), @r"
        the query gives 2 series; make it one with `sum(...)`, `max(...)` or the like
        the answer is NaN
        the query gives a histogram; make it a number with `histogram_quantile(...)` or the like
        ");
        insta::assert_snapshot!(of("[]").lines().next().unwrap(), @"nothing matches the query: its answer is empty");
        assert!(over("vector", "[]").is_err());
    }
}
