//! How long readers waited for a new service that was cold, and for one that was warmed up, as an SVG.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use crate::Failure;

/// One point is the 99th percentile of so many ms.
const BIN: u64 = 500;
/// From the first answer of new.
const SHOWN: u64 = 8_000;
/// Of the plot, in pixels: where it begins, how large it is.
const LEFT: f64 = 70.0;
const TOP: f64 = 56.0;
const WIDTH: f64 = 600.0;
const HEIGHT: f64 = 260.0;
/// Milliseconds at the bottom and the top; both powers of ten.
const LOWEST: f64 = 1.0;
const HIGHEST: f64 = 10_000.0;

/// Prints it. Both files are lines of the readers: `<ms since 1970> <microseconds> <status> <who answered>`.
pub(crate) fn draw(cold: &Path, warmed: &Path) -> Result<(), Failure> {
    let cold = percentiles(&fs::read_to_string(cold)?)?;
    let warmed = percentiles(&fs::read_to_string(warmed)?)?;
    print!(
        "{}",
        svg(&[("cold: everybody at once", "#c2410c", &cold), ("warmed up, then admitted", "#0f766e", &warmed)])
    );
    Ok(())
}

/// By ms since new's first answer, in ms. What nobody answered counts with the time that was waited.
fn percentiles(reads: &str) -> Result<BTreeMap<u64, f64>, Failure> {
    let mut first = None;
    let mut bins: BTreeMap<u64, Vec<u64>> = BTreeMap::new();
    for line in reads.lines() {
        let [at, us, _, by] = line.split(' ').collect::<Vec<_>>()[..] else {
            return Err(format!("no line of a reader: {line}").into());
        };
        let at: u64 = at.parse()?;
        if first.is_none() && by == "new" {
            first = Some(at);
        }
        if let Some(first) = first
            && by != "old"
            && let Some(since) = at.checked_sub(first)
            && since < SHOWN
        {
            bins.entry(since / BIN * BIN).or_default().push(us.parse()?);
        }
    }
    if bins.is_empty() {
        return Err("new has answered nobody".into());
    }
    Ok(bins.into_iter().map(|(since, took)| (since, p99_ms(took))).collect())
}

fn p99_ms(mut took: Vec<u64>) -> f64 {
    took.sort_unstable();
    let rank = (took.len() * 99).div_ceil(100).max(1) - 1;
    as_f64(took[rank]) / 1000.0
}

fn svg(lines: &[(&str, &str, &BTreeMap<u64, f64>)]) -> String {
    let (right, bottom) = (LEFT + WIDTH, TOP + HEIGHT);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 700 370\" font-family=\"sans-serif\" font-size=\"13\">\n\
         <rect width=\"700\" height=\"370\" fill=\"#ffffff\"/>\n\
         <text x=\"{LEFT}\" y=\"24\" font-size=\"15\" font-weight=\"bold\">What 99 of 100 readers waited at most for the new service</text>\n"
    );
    for ms in [1.0, 10.0, 100.0, 1000.0, 10_000.0] {
        let y = height_of(ms);
        let label = if ms < 1000.0 { format!("{ms} ms") } else { format!("{} s", ms / 1000.0) };
        let _ = writeln!(svg, "<path d=\"M{LEFT} {y:.1}H{right}\" stroke=\"#e5e7eb\"/>");
        let _ = writeln!(
            svg,
            "<text x=\"{}\" y=\"{:.1}\" text-anchor=\"end\" fill=\"#4b5563\">{label}</text>",
            LEFT - 8.0,
            y + 4.0
        );
    }
    for second in 0..=SHOWN / 1000 {
        let x = place_of(second * 1000);
        let _ = writeln!(
            svg,
            "<text x=\"{x:.1}\" y=\"{}\" text-anchor=\"middle\" fill=\"#4b5563\">{second} s</text>",
            bottom + 20.0
        );
    }
    let _ = writeln!(
        svg,
        "<text x=\"{}\" y=\"{}\" text-anchor=\"middle\" fill=\"#4b5563\">since its first answer to a reader</text>",
        LEFT + WIDTH / 2.0,
        bottom + 40.0
    );
    for (nth, (name, colour, points)) in lines.iter().enumerate() {
        let path: Vec<String> = points
            .iter()
            .map(|(since, ms)| format!("{:.1} {:.1}", place_of(since + BIN / 2), height_of(*ms)))
            .collect();
        let _ =
            writeln!(svg, "<path d=\"M{}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"2.5\"/>", path.join("L"));
        let x = LEFT + 4.0 + [0.0, 220.0][nth.min(1)];
        let _ = writeln!(svg, "<path d=\"M{x} 42h22\" stroke=\"{colour}\" stroke-width=\"2.5\"/>");
        let _ = writeln!(svg, "<text x=\"{}\" y=\"46\" fill=\"{colour}\">{name}</text>", x + 28.0);
    }
    svg + "</svg>\n"
}

fn place_of(ms: u64) -> f64 {
    LEFT + WIDTH * as_f64(ms) / as_f64(SHOWN)
}

fn height_of(ms: f64) -> f64 {
    let share = (ms.clamp(LOWEST, HIGHEST) / LOWEST).log10() / (HIGHEST / LOWEST).log10();
    TOP + HEIGHT * (1.0 - share)
}

#[expect(clippy::cast_precision_loss, reason = "milliseconds and microseconds of seconds stay far below 2^52")]
fn as_f64(number: u64) -> f64 {
    number as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_begins_with_the_first_answer_of_new_and_what_old_answered_is_left_out() {
        let points =
            percentiles("90 7000 200 old\n100 5000 200 new\n120 9000 200 old\n700 2000000 0 nobody\n").expect("lines");
        assert_eq!(points, BTreeMap::from([(0, 5.0), (500, 2000.0)]));
    }
}
