//! Ratios as bars that start at 1, drawn as SVG that the page's style sheet colours.

use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};
use serde::Serialize;

use super::chart::{colour, hexadecimal, text};
use super::short_number;

const WIDTH: u32 = 860;
/// Pixels of a bar, and of the gap between two groups.
const BAR: u32 = 16;
const GAP: u32 = 10;
/// Pixels of the names at the left, and of the axis at the foot.
const NAMES: u32 = 190;
const AXIS: u32 = 60;

/// Bars that belong together, one a series; none where there is no value.
#[derive(Clone, Debug)]
pub(crate) struct Group {
    /// What they are of.
    pub(crate) name: String,
    /// The values, positive.
    pub(crate) values: Vec<Option<f64>>,
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
    /// Draws the groups one below the other, over a logarithmic axis. Values that are not positive are left out, and
    /// so are groups without any; without groups there is no drawing.
    pub(crate) fn draw(
        title: &str,
        label: &str,
        series: &[String],
        groups: &[Group],
    ) -> Result<Self, String> {
        let drawable = |value: f64| value.is_finite() && value > 0.0;
        let groups: Vec<(&str, Vec<(usize, f64)>)> = groups
            .iter()
            .map(|group| {
                let values = group.values.iter().enumerate();
                let values = values.filter_map(|(at, value)| Some((at, value.filter(|it| drawable(*it))?)));
                (group.name.as_str(), values.collect::<Vec<_>>())
            })
            .filter(|(_, values)| !values.is_empty())
            .collect();
        let mut svg = String::new();
        if !groups.is_empty() {
            paint(&mut svg, label, &groups).map_err(|error| format!("chart '{title}': {error}"))?;
        }
        let legend = series.iter().enumerate();
        let legend = legend.map(|(at, name)| (hexadecimal(colour(at)), name.clone())).collect();
        Ok(Self { title: title.to_string(), svg, legend })
    }
}

fn paint(svg: &mut String, label: &str, groups: &[(&str, Vec<(usize, f64)>)]) -> Result<(), String> {
    let bars: u32 = groups.iter().map(|(_, values)| values.len() as u32).sum();
    let height = bars * BAR + groups.len() as u32 * GAP;
    let values = || groups.iter().flat_map(|(_, values)| values.iter().map(|(_, value)| *value));
    // 1 is always in sight, with room for the number behind the longest bar.
    let least = values().fold(1.0f64, f64::min) / 1.5;
    let most = values().fold(1.0f64, f64::max) * 2.0;
    let root = SVGBackend::with_string(svg, (WIDTH, height + AXIS)).into_drawing_area();
    let mut chart = ChartBuilder::on(&root)
        .margin_right(30)
        .margin_top(4)
        .x_label_area_size(AXIS - 8)
        .y_label_area_size(NAMES)
        .build_cartesian_2d((least..most).log_scale(), 0.0..f64::from(height))
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
        let (_, y) = chart.backend_coord(&(1.0, middle));
        let name = Text::new(name.to_string(), (NAMES as i32 - 8, y), name_style.clone());
        root.draw(&name).map_err(text)?;
        for (series, value) in values {
            let bottom = top - f64::from(BAR);
            let bar = Rectangle::new([(1.0, top - 1.0), (*value, bottom + 1.0)], colour(*series).filled());
            let (x, y) = chart.backend_coord(&(value.max(1.0), (top + bottom) / 2.0));
            chart.draw_series([bar]).map_err(text)?;
            root.draw(&Text::new(short(*value), (x + 5, y), value_style.clone())).map_err(text)?;
            top = bottom;
        }
        top -= f64::from(GAP);
    }
    let one = LineSeries::new([(1.0, 0.0), (1.0, f64::from(height))], BLACK.stroke_width(1));
    chart.draw_series(one).map_err(text)?;
    root.present().map_err(text)
}

fn short(ratio: f64) -> String {
    let decimals = if ratio < 10.0 { 2 } else { 0 };
    format!("{ratio:.decimals$}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn draw(values: &[&[Option<f64>]]) -> Bars {
        let group = |(at, values): (usize, &&[Option<f64>])| Group {
            name: format!("work <{at}>"),
            values: values.to_vec(),
        };
        let groups: Vec<_> = values.iter().enumerate().map(group).collect();
        Bars::draw("title", "times", &["first".to_string(), "second".to_string()], &groups).unwrap()
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
}
