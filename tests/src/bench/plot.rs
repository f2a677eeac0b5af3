//! The results as a picture: bars for transactions, lines for many clients.

use std::fmt::Write;

use crate::numbers::shown;
use crate::report::Report;

const WIDTH: f64 = 760.0;
const LEFT: f64 = 220.0;
const RIGHT: f64 = 660.0;
const ROW: f64 = 22.0;

/// Draws it as SVG.
pub fn draw(report: &Report) -> String {
    let mut body = String::new();
    let bottom = bars(report, &mut body);
    let bottom = lines(report, &mut body, bottom + 50.0);
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {bottom:.0}\" font-family=\"sans-serif\" \
         font-size=\"12\">\n<rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n{body}</svg>\n"
    )
}

fn text(body: &mut String, x: f64, y: f64, anchor: &str, text: &str) {
    let _ = writeln!(body, "<text x=\"{x:.0}\" y=\"{y:.0}\" text-anchor=\"{anchor}\">{text}</text>");
}

/// Medians in one process on a logarithmic scale; returns where they end.
fn bars(report: &Report, body: &mut String) -> f64 {
    text(body, 10.0, 22.0, "start", "A PAM transaction in one process, median (logarithmic)");
    let medians: Vec<f64> = report.rivals.iter().map(|rival| rival.in_process.median()).collect();
    let largest = medians.iter().copied().fold(1.0, f64::max);
    let smallest = medians.iter().copied().fold(largest, f64::min) / 2.0;
    let mut top = 34.0;
    for (rival, median) in report.rivals.iter().zip(&medians) {
        let length = (median / smallest).ln() / (largest / smallest).ln() * (RIGHT - LEFT);
        let colour = if rival.name == "pam_oathgate" { "#2a7f62" } else { "#b8b8b8" };
        let height = ROW - 6.0;
        let _ = writeln!(
            body,
            "<rect x=\"{LEFT}\" y=\"{top:.0}\" width=\"{length:.0}\" height=\"{height}\" fill=\"{colour}\"/>"
        );
        text(body, LEFT - 8.0, top + 13.0, "end", &rival.title());
        text(body, LEFT + length + 6.0, top + 13.0, "start", &shown(*median));
        top += ROW;
    }
    top
}

/// A colour, and which half of a pair is drawn in it.
type Series = (&'static str, fn(&(f64, f64)) -> f64);

/// Verdicts a second over the number of clients; returns where they end.
fn lines(report: &Report, body: &mut String, top: f64) -> f64 {
    let height = 160.0;
    text(
        body,
        10.0,
        top - 16.0,
        "start",
        "Verdicts a second, by clients at once: commits shared (green), and not (grey)",
    );
    let rates = report.loads.iter().map(|pair| (pair.shared.a_second(), pair.alone.a_second()));
    let rates: Vec<(f64, f64)> = rates.collect();
    let largest = rates.iter().map(|(shared, alone)| shared.max(*alone)).fold(1.0, f64::max);
    #[allow(clippy::cast_precision_loss)] // a handful
    let step = (RIGHT - LEFT) / rates.len().max(2) as f64;
    let at = |index: usize, rate: f64| {
        #[allow(clippy::cast_precision_loss)] // a handful
        let x = LEFT + step * (index as f64 + 0.5);
        (x, top + height - rate / largest * height)
    };
    let series: [Series; 2] = [("#2a7f62", |pair| pair.0), ("#888888", |pair| pair.1)];
    for (colour, pick) in series {
        let points: Vec<(f64, f64)> = rates.iter().enumerate().map(|(index, pair)| at(index, pick(pair))).collect();
        let path: Vec<String> = points.iter().map(|(x, y)| format!("{x:.0},{y:.0}")).collect();
        let _ = writeln!(
            body,
            "<polyline points=\"{}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"2\"/>",
            path.join(" ")
        );
        for ((x, y), pair) in points.iter().zip(&rates) {
            text(body, *x, y - 6.0, "middle", &format!("{:.0}", pick(pair)));
        }
    }
    for (index, pair) in report.loads.iter().enumerate() {
        text(body, at(index, 0.0).0, top + height + 18.0, "middle", &pair.clients.to_string());
    }
    top + height + 34.0
}
