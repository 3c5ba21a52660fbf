//! Ratios as bars that start at 1, and amounts as bars that start at 0, drawn as SVG that the page's style sheet colours.

use plotters::coord::ranged1d::{AsRangedCoord, ValueFormatter};
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};
use serde::Serialize;

use super::chart::{colour, hexadecimal, text};
use super::short_number;

const WIDTH: u32 = 860;
/// Pixels of a bar, and of the gap between two groups.
const BAR: u32 = 16;
const GAP: u32 = 10;
/// Pixels of the names at the left at least, of a letter of them at most, and of the axis at the foot.
const NAMES: u32 = 190;
const LETTER: u32 = 7;
const AXIS: u32 = 60;

/// What a bar shows.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bar {
    /// A positive number.
    pub(crate) value: f64,
    /// Half the length of its error bar, 0 for none.
    pub(crate) error: f64,
}

impl From<f64> for Bar {
    fn from(value: f64) -> Bar {
        Bar { value, error: 0.0 }
    }
}

/// Bars that belong together, one a series; none where there is no value.
#[derive(Clone, Debug)]
pub(crate) struct Group {
    /// What they are of.
    pub(crate) name: String,
    /// The values.
    pub(crate) values: Vec<Option<Bar>>,
}

/// What bars are of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Measure {
    /// Ratios: a logarithmic axis, on which bars start at 1.
    Ratio,
    /// Amounts: bars start at 0.
    Amount,
}

/// A drawn chart.
#[derive(Debug, Serialize)]
pub(crate) struct Bars {
    pub(crate) title: String,
    pub(crate) svg: String,
    /// Colour (as `#rrggbb`) and name of each series.
    pub(crate) legend: Vec<(String, String)>,
}

impl Bars {
    /// Draws the groups one below the other. Values that are not positive are left out, and so are groups without any;
    /// without groups there is no drawing.
    pub(crate) fn draw(
        measure: Measure,
        title: &str,
        label: &str,
        series: &[String],
        groups: &[Group],
    ) -> Result<Self, String> {
        let drawable = |bar: &Bar| bar.value.is_finite() && bar.value > 0.0 && bar.error.is_finite();
        let groups: Vec<(&str, Vec<(usize, Bar)>)> = groups
            .iter()
            .map(|group| {
                let values = group.values.iter().enumerate();
                let values = values.filter_map(|(at, value)| Some((at, value.filter(drawable)?)));
                (group.name.as_str(), values.collect::<Vec<_>>())
            })
            .filter(|(_, values)| !values.is_empty())
            .collect();
        let mut svg = String::new();
        if !groups.is_empty() {
            let values = || groups.iter().flat_map(|(_, values)| values.iter().map(|(_, bar)| *bar));
            let most = |start: f64| values().map(|bar| bar.value + bar.error).fold(start, f64::max);
            let least = values().fold(1.0f64, |least, bar| least.min(bar.value)) / 1.5;
            // With room for the number behind the longest bar.
            let done = match measure {
                Measure::Ratio => paint(&mut svg, label, (least..most(1.0) * 2.0).log_scale(), 1.0, &groups),
                Measure::Amount => paint(&mut svg, label, 0.0..most(0.0) * 1.1, 0.0, &groups),
            };
            done.map_err(|error| format!("chart '{title}': {error}"))?;
        }
        let legend = series.iter().enumerate();
        let legend = legend.map(|(at, name)| (hexadecimal(colour(at)), name.clone())).collect();
        Ok(Self { title: title.to_string(), svg, legend })
    }
}

fn paint<X>(
    svg: &mut String,
    label: &str,
    x: X,
    start: f64,
    groups: &[(&str, Vec<(usize, Bar)>)],
) -> Result<(), String>
where
    X: AsRangedCoord<Value = f64>,
    X::CoordDescType: ValueFormatter<f64>,
{
    let bars: u32 = groups.iter().map(|(_, values)| values.len() as u32).sum();
    let height = bars * BAR + groups.len() as u32 * GAP;
    let letters = groups.iter().map(|(name, _)| name.chars().count() as u32).max().unwrap_or(0);
    let names = (LETTER * letters + 8).clamp(NAMES, WIDTH / 2);
    let root = SVGBackend::with_string(svg, (WIDTH, height + AXIS)).into_drawing_area();
    let mut chart = ChartBuilder::on(&root)
        .margin_right(30)
        .margin_top(4)
        .x_label_area_size(AXIS - 8)
        .y_label_area_size(names)
        .build_cartesian_2d(x, 0.0..f64::from(height))
        .map_err(text)?;
    chart
        .configure_mesh()
        .disable_y_mesh()
        .disable_y_axis()
        .y_labels(0)
        .x_labels(8)
        .x_desc(label)
        .x_label_formatter(&|x| short_number(*x))
        .label_style(("sans-serif", 15))
        .axis_desc_style(("sans-serif", 16))
        .light_line_style(TRANSPARENT)
        .bold_line_style(BLACK.mix(0.12))
        .draw()
        .map_err(text)?;
    let name_style = ("sans-serif", 15).into_text_style(&root).pos(Pos::new(HPos::Right, VPos::Center));
    let value_style = ("sans-serif", 13).into_text_style(&root).pos(Pos::new(HPos::Left, VPos::Center));
    let mut top = f64::from(height) - f64::from(GAP) / 2.0;
    for (name, values) in groups {
        let middle = top - values.len() as f64 * f64::from(BAR) / 2.0;
        let (_, y) = chart.backend_coord(&(start, middle));
        let name = Text::new(name.to_string(), (names as i32 - 8, y), name_style.clone());
        root.draw(&name).map_err(text)?;
        for (series, Bar { value, error }) in values {
            let bottom = top - f64::from(BAR);
            let middle = (top + bottom) / 2.0;
            let bar = Rectangle::new([(start, top - 1.0), (*value, bottom + 1.0)], colour(*series).filled());
            chart.draw_series([bar]).map_err(text)?;
            if *error > 0.0 {
                let ends = [((value - error).max(start), middle), (value + error, middle)];
                chart.draw_series(LineSeries::new(ends, BLACK.stroke_width(2))).map_err(text)?;
            }
            let (x, y) = chart.backend_coord(&((value + error).max(start), middle));
            root.draw(&Text::new(short(*value), (x + 5, y), value_style.clone())).map_err(text)?;
            top = bottom;
        }
        top -= f64::from(GAP);
    }
    let foot = LineSeries::new([(start, 0.0), (start, f64::from(height))], BLACK.stroke_width(1));
    chart.draw_series(foot).map_err(text)?;
    root.present().map_err(text)
}

fn short(value: f64) -> String {
    let decimals = if value < 10.0 { 2 } else { 0 };
    format!("{value:.decimals$}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn draw(values: &[&[Option<f64>]]) -> Bars {
        let group = |(at, values): (usize, &&[Option<f64>])| Group {
            name: format!("work <{at}>"),
            values: values.iter().map(|value| value.map(Bar::from)).collect(),
        };
        let groups: Vec<_> = values.iter().enumerate().map(group).collect();
        let series = ["first".to_string(), "second".to_string()];
        Bars::draw(Measure::Ratio, "title", "times", &series, &groups).unwrap()
    }

    #[test]
    fn a_bar_a_value_in_the_colour_of_its_series() {
        let bars = draw(&[&[Some(4.0), Some(0.25)], &[None, Some(123.4)]]);
        for needed in ["<svg", "work &lt;0&gt;", "work &lt;1&gt;", "4.00", "0.25", "123", "times", "</svg>"] {
            assert!(bars.svg.contains(needed), "{needed} is missing in {}", bars.svg);
        }
        assert_eq!(bars.svg.matches("fill=\"#0072B2\"").count(), 1);
        assert_eq!(bars.svg.matches("fill=\"#D55E00\"").count(), 2);
        assert_eq!(bars.legend[1], ("#D55E00".to_string(), "second".to_string()));
    }

    #[test]
    fn what_has_no_place_on_the_axis_is_left_out() {
        assert!(draw(&[]).svg.is_empty());
        assert!(draw(&[&[None], &[Some(0.0)], &[Some(f64::NAN)]]).svg.is_empty());
        assert!(!draw(&[&[None], &[Some(1.0)]]).svg.contains("work &lt;0&gt;"));
        assert!(draw(&[&[Some(1e-9), Some(1e12)]]).svg.contains("</svg>"));
    }
    #[test]
    fn amounts_start_at_zero_and_have_error_bars() {
        let draw = |error: f64| {
            let values = vec![Some(Bar { value: 40.0, error })];
            let groups = [Group { name: "work".to_string(), values }];
            Bars::draw(Measure::Amount, "title", "%", &["first".to_string()], &groups).unwrap().svg
        };
        let (without, with) = (draw(0.0), draw(5.0));
        // The line at the foot, and the error bar.
        let lines = |svg: &str| svg.matches("<polyline").count();
        assert_eq!(lines(&with), lines(&without) + 1);
        assert!(with.contains(">0<") || with.contains("\n0\n"), "{with}");
        assert!(draw(f64::NAN).is_empty());
    }
}
