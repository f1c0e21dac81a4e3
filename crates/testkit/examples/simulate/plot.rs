//! A load as a drawing. The SVG text is our own, because one curve needs no library.

use std::fmt::Write;
use std::time::Duration;

/// Where the axes are, in pixels.
const LEFT: f64 = 64.0;
const RIGHT: f64 = 940.0;
const TOP: f64 = 48.0;
const BOTTOM: f64 = 330.0;

/// Colours that can be read on white and on black, whichever the reader's page is.
const STYLE: &str = "\
text { font: 13px system-ui, sans-serif; fill: #333 } .title { font-size: 15px; font-weight: 600 }
.grid { stroke: #999; stroke-opacity: .35 } .mark { stroke: #b4530a; stroke-dasharray: 4 3 }
.peak { fill: none; stroke: #8fb4e3 } .mean { fill: none; stroke: #0b4fa8; stroke-width: 1.5 }
.paper { fill: #fff }
@media (prefers-color-scheme: dark) {
text { fill: #ddd } .paper { fill: #14171a } .peak { stroke: #3d6a9e } .mean { stroke: #9cc7ff }
.mark { stroke: #f0a35e }
}";

/// Draws the seconds of `load`, a minute at a time: the mean and the busiest second of each minute. The axis is
/// logarithmic, because the end of an outage is far above an ordinary minute. `marks` are named moments.
pub(crate) fn draw(title: &str, load: &[u32], marks: &[(Duration, &str)]) -> String {
    let minutes: Vec<&[u32]> = load.chunks_exact(60).collect();
    let mean = |minute: &&[u32]| f64::from(minute.iter().sum::<u32>()) / 60.0;
    let peak = |minute: &&[u32]| f64::from(minute.iter().copied().max().unwrap_or(0));
    let most = minutes.iter().map(peak).fold(10.0, f64::max);
    let decades = most.log10().ceil();
    let x = |minute: f64| LEFT + (RIGHT - LEFT) * minute / minutes.len() as f64;
    // What is under one a second lies on the axis.
    let y = |rate: f64| BOTTOM - (BOTTOM - TOP) * rate.max(1.0).log10() / decades;

    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 960 400\" role=\"img\" aria-label=\"{title}\">\n\
         <style>\n{STYLE}\n</style>\n<rect class=\"paper\" width=\"960\" height=\"400\"/>\n\
         <text class=\"title\" x=\"{LEFT}\" y=\"24\">{title}</text>\n"
    );
    let mut rate = 1.0;
    while rate <= 10_f64.powf(decades) {
        line(&mut svg, "grid", (LEFT, y(rate)), (RIGHT, y(rate)));
        text(&mut svg, "end", (LEFT - 8.0, y(rate) + 4.0), &rate.to_string());
        rate *= 10.0;
    }
    let hours = minutes.len() / 60;
    for hour in (0..=hours).step_by(hours.div_ceil(12).max(1)) {
        let at = x((hour * 60) as f64);
        line(&mut svg, "grid", (at, TOP), (at, BOTTOM));
        text(&mut svg, "middle", (at, BOTTOM + 18.0), &hour.to_string());
    }
    curve(&mut svg, "peak", minutes.iter().map(peak).enumerate().map(|(at, rate)| (x(at as f64), y(rate))));
    curve(&mut svg, "mean", minutes.iter().map(mean).enumerate().map(|(at, rate)| (x(at as f64), y(rate))));
    for (moment, name) in marks {
        let at = x(moment.as_secs_f64() / 60.0);
        line(&mut svg, "mark", (at, TOP), (at, BOTTOM));
        text(&mut svg, "start", (at + 6.0, TOP + 14.0), name);
    }
    text(&mut svg, "middle", (f64::midpoint(LEFT, RIGHT), BOTTOM + 38.0), "hours");
    key(&mut svg);
    svg + "</svg>\n"
}

fn key(svg: &mut String) {
    let y = BOTTOM + 56.0;
    line(svg, "mean", (LEFT, y), (LEFT + 24.0, y));
    text(svg, "start", (LEFT + 30.0, y + 4.0), "requests a second, mean of each minute");
    line(svg, "peak", (LEFT + 330.0, y), (LEFT + 354.0, y));
    text(svg, "start", (LEFT + 360.0, y + 4.0), "busiest second of each minute");
}

fn line(svg: &mut String, class: &str, from: (f64, f64), to: (f64, f64)) {
    curve(svg, class, [from, to].into_iter());
}

fn curve(svg: &mut String, class: &str, points: impl Iterator<Item = (f64, f64)>) {
    let points: Vec<String> = points.map(|(x, y)| format!("{x:.1},{y:.1}")).collect();
    put(svg, format_args!("<polyline class=\"{class}\" points=\"{}\"/>", points.join(" ")));
}

fn text(svg: &mut String, anchor: &str, (x, y): (f64, f64), what: &str) {
    put(svg, format_args!("<text text-anchor=\"{anchor}\" x=\"{x:.1}\" y=\"{y:.1}\">{what}</text>"));
}

fn put(svg: &mut String, line: std::fmt::Arguments<'_>) {
    writeln!(svg, "{line}").expect("a string takes everything");
}
