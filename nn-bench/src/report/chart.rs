//! Curves over common axes, drawn as SVG that the page's style sheet colours.

use std::fmt::Display;
use std::ops::Range;

use plotters::coord::ranged1d::{AsRangedCoord, Ranged, ValueFormatter};
use plotters::prelude::*;

use super::short_number;

pub(super) const SIZE: (u32, u32) = (860, 440);

/// Colours that the colour-blind tell apart, on white and on black (Okabe and Ito).
const PALETTE: [RGBColor; 7] = [
    RGBColor(0, 114, 178),
    RGBColor(213, 94, 0),
    RGBColor(0, 158, 115),
    RGBColor(204, 121, 167),
    RGBColor(230, 159, 0),
    RGBColor(86, 180, 233),
    RGBColor(128, 128, 128),
];

/// Up to so many points in a series are also marked one by one.
const MARKED: usize = 30;

pub(super) fn colour(series: usize) -> RGBColor {
    PALETTE[series % PALETTE.len()]
}

/// As style sheets write it.
pub(super) fn hexadecimal(RGBColor(red, green, blue): RGBColor) -> String {
    format!("#{red:02X}{green:02X}{blue:02X}")
}

/// How the axes of a chart are divided.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Axes {
    /// Each step to the right multiplies x.
    pub log_x: bool,
}

/// A drawn chart.
#[derive(Debug)]
pub(super) struct Chart {
    pub(super) title: String,
    pub(super) svg: String,
    /// Colour (as `#rrggbb`) and name of each series: beside the chart, where they cover no curve.
    pub(super) legend: Vec<(String, String)>,
    /// Points that were not finite, or not positive on a logarithmic axis.
    pub(super) left_out: usize,
}

type Points = Vec<(f64, f64)>;

impl Chart {
    pub(super) fn draw(
        axes: Axes,
        title: &str,
        x_label: &str,
        y_label: &str,
        series: &[(&str, Points)],
    ) -> Result<Self, String> {
        let fits = |&(x, y): &(f64, f64)| x.is_finite() && y.is_finite() && (!axes.log_x || x > 0.0);
        let drawn: Vec<(&str, Points)> = series
            .iter()
            .map(|(name, points)| (*name, points.iter().copied().filter(fits).collect()))
            .collect();
        let count = |series: &[(&str, Points)]| series.iter().map(|(_, points)| points.len()).sum::<usize>();
        let left_out = count(series) - count(&drawn);
        let all = || drawn.iter().flat_map(|(_, points)| points.iter());
        let mut svg = String::new();
        if let Some(x) = extent(all().map(|point| point.0)) {
            let y = extent(all().map(|point| point.1)).map_or(0.0..1.0, |y| widened(y, 0.05));
            let labels = (x_label, y_label);
            let backend = SVGBackend::with_string(&mut svg, SIZE);
            let done = if axes.log_x {
                let x = if x.start == x.end { x.start / 2.0..x.end * 2.0 } else { x };
                paint(backend, x.log_scale(), y, labels, &drawn)
            } else {
                paint(backend, widened(x, 0.0), y, labels, &drawn)
            };
            done.map_err(|error| format!("chart '{title}': {error}"))?;
        }
        let entry =
            |(index, (name, _)): (usize, &(&str, Points))| (hexadecimal(colour(index)), (*name).to_string());
        let legend = drawn.iter().enumerate().map(entry).filter(|(_, name)| !name.is_empty()).collect();
        Ok(Self { title: title.to_string(), svg, legend, left_out })
    }
}

pub(super) fn extent(values: impl Iterator<Item = f64>) -> Option<Range<f64>> {
    values.fold(None, |extent, value| {
        let extent = extent.unwrap_or(value..value);
        Some(extent.start.min(value)..extent.end.max(value))
    })
}

/// The range with a margin of a part of its length, and never empty.
pub(super) fn widened(range: Range<f64>, part: f64) -> Range<f64> {
    let length = range.end - range.start;
    let margin = if length > 0.0 { length * part } else { (range.start.abs() * 0.1).max(0.5) };
    range.start - margin..range.end + margin
}

/// An error as text: the library's own error types carry a lifetime of the drawing.
pub(super) fn text(error: impl Display) -> String {
    error.to_string()
}

/// Axes with their names, and a grid.
pub(super) fn axes<X, Y>(
    chart: &mut ChartContext<'_, SVGBackend<'_>, Cartesian2d<X, Y>>,
    (x_label, y_label): (&str, &str),
) -> Result<(), String>
where
    X: Ranged<ValueType = f64> + ValueFormatter<f64>,
    Y: Ranged<ValueType = f64> + ValueFormatter<f64>,
{
    chart
        .configure_mesh()
        .x_labels(8)
        .y_labels(7)
        .x_desc(x_label)
        .y_desc(y_label)
        .x_label_formatter(&|x| short_number(*x))
        .y_label_formatter(&|y| short_number(*y))
        .label_style(("sans-serif", 15))
        .axis_desc_style(("sans-serif", 16))
        .light_line_style(TRANSPARENT)
        .bold_line_style(BLACK.mix(0.12))
        .draw()
        .map_err(text)
}

fn paint<X>(
    backend: SVGBackend<'_>,
    x: X,
    y: Range<f64>,
    (x_label, y_label): (&str, &str),
    series: &[(&str, Points)],
) -> Result<(), String>
where
    X: AsRangedCoord<Value = f64>,
    X::CoordDescType: ValueFormatter<f64>,
{
    let root = backend.into_drawing_area();
    let mut chart = ChartBuilder::on(&root)
        .margin(12)
        .margin_right(40)
        .x_label_area_size(46)
        .y_label_area_size(72)
        .build_cartesian_2d(x, y)
        .map_err(text)?;
    axes(&mut chart, (x_label, y_label))?;
    for (index, (_, points)) in series.iter().enumerate() {
        let colour = colour(index);
        let line = LineSeries::new(points.iter().copied(), colour.stroke_width(2));
        chart.draw_series(line).map_err(text)?;
        if points.len() <= MARKED {
            let marks = points.iter().map(|point| Circle::new(*point, 3, colour.filled()));
            chart.draw_series(marks).map_err(text)?;
        }
    }
    root.present().map_err(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn draw(axes: Axes, points: Points) -> Chart {
        Chart::draw(axes, "title", "epoch", "error <b>", &[("training", points)]).unwrap()
    }

    #[test]
    fn a_chart_names_its_axes_and_its_series() {
        let chart = draw(Axes::default(), vec![(0.0, 1.0), (1.0, 0.5), (2.0, 0.25)]);
        for needed in ["<svg", "epoch", "error &lt;b&gt;", "#0072B2", "</svg>"] {
            assert!(chart.svg.contains(needed), "{needed} is missing in {}", chart.svg);
        }
        assert_eq!(chart.legend, [("#0072B2".to_string(), "training".to_string())]);
        assert_eq!(chart.left_out, 0);
    }

    #[test]
    fn what_cannot_be_drawn_is_counted() {
        let points = vec![(0.0, 1.0), (1.0, f64::NAN), (10.0, 2.0)];
        assert_eq!(draw(Axes::default(), points.clone()).left_out, 1);
        assert_eq!(draw(Axes { log_x: true }, points).left_out, 2);
        let nothing = draw(Axes::default(), vec![(1.0, f64::INFINITY)]);
        assert!(nothing.svg.is_empty() && nothing.left_out == 1);
    }

    #[test]
    fn single_points_flat_lines_and_huge_values_have_axes_too() {
        let shapes = [
            vec![(3.0, 3.0)],
            vec![(1.0, 0.0), (2.0, 0.0)],
            vec![(1.0, 1e300), (2.0, -1e300)],
            vec![(5.0, 1e-12)],
        ];
        for points in shapes {
            assert!(draw(Axes::default(), points.clone()).svg.contains("</svg>"));
            assert!(draw(Axes { log_x: true }, points).svg.contains("</svg>"));
        }
    }
}
