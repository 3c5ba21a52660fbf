//! Points over common axes, each with its name and the bars of its errors.

use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use super::chart::{Chart, SIZE, axes, colour, extent, text, widened};

/// A point, and half the length of its error bars.
#[derive(Clone, Debug)]
pub struct Dot {
    /// A word or a number beside it.
    pub name: String,
    /// To the right.
    pub x: f64,
    /// Half of the bar along x, 0 for none.
    pub x_error: f64,
    /// Upwards.
    pub y: f64,
    /// Half of the bar along y, 0 for none.
    pub y_error: f64,
}

/// Draws the points; those with a number that is not finite are left out and counted.
pub(super) fn draw(title: &str, labels: (&str, &str), dots: &[Dot]) -> Result<Chart, String> {
    let fits = |dot: &&Dot| [dot.x, dot.x_error, dot.y, dot.y_error].iter().all(|number| number.is_finite());
    let drawn: Vec<&Dot> = dots.iter().filter(fits).collect();
    let mut svg = String::new();
    if !drawn.is_empty() {
        paint(&mut svg, labels, &drawn).map_err(|error| format!("chart '{title}': {error}"))?;
    }
    Ok(Chart { title: title.to_string(), svg, legend: Vec::new(), left_out: dots.len() - drawn.len() })
}

fn paint(svg: &mut String, labels: (&str, &str), dots: &[&Dot]) -> Result<(), String> {
    let range = |ends: &dyn Fn(&Dot) -> [f64; 2]| {
        extent(dots.iter().flat_map(|dot| ends(dot))).map_or(0.0..1.0, |range| widened(range, 0.08))
    };
    let x = range(&|dot| [dot.x - dot.x_error, dot.x + dot.x_error]);
    let y = range(&|dot| [dot.y - dot.y_error, dot.y + dot.y_error]);
    let root = SVGBackend::with_string(svg, SIZE).into_drawing_area();
    let mut chart = ChartBuilder::on(&root)
        .margin(12)
        .margin_right(40)
        .x_label_area_size(46)
        .y_label_area_size(72)
        .build_cartesian_2d(x, y)
        .map_err(text)?;
    axes(&mut chart, labels)?;
    let style = ("sans-serif", 15).into_text_style(&root).pos(Pos::new(HPos::Left, VPos::Bottom));
    for Dot { name, x, x_error, y, y_error } in dots {
        let bars = [[(x - x_error, *y), (x + x_error, *y)], [(*x, y - y_error), (*x, y + y_error)]];
        for bar in bars {
            chart.draw_series(LineSeries::new(bar, BLACK.mix(0.4).stroke_width(1))).map_err(text)?;
        }
        chart.draw_series([Circle::new((*x, *y), 4, colour(0).filled())]).map_err(text)?;
        let (right, down) = chart.backend_coord(&(*x, *y));
        root.draw(&Text::new(name.clone(), (right + 6, down - 3), style.clone())).map_err(text)?;
    }
    root.present().map_err(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dot(name: &str, x: f64) -> Dot {
        Dot { name: name.to_string(), x, x_error: 0.5, y: 3.0, y_error: 0.0 }
    }

    #[test]
    fn every_point_has_its_name() {
        let chart = draw("title", ("across <b>", "upwards"), &[dot("one", 1.0), dot("<two>", 2.0)]).unwrap();
        for needed in ["<svg", "across &lt;b&gt;", "upwards", "one", "&lt;two&gt;", "</svg>"] {
            assert!(chart.svg.contains(needed), "{needed} is missing in {}", chart.svg);
        }
        assert_eq!((chart.svg.matches("<circle").count(), chart.left_out), (2, 0));
    }

    #[test]
    fn what_is_not_finite_is_left_out() {
        let chart = draw("title", ("x", "y"), &[dot("one", 1.0), dot("two", f64::NAN)]).unwrap();
        assert_eq!((chart.svg.matches("<circle").count(), chart.left_out), (1, 1));
        assert!(draw("title", ("x", "y"), &[]).unwrap().svg.is_empty());
    }
}
