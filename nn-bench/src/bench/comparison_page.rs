//! `devices.html`: all devices for people, in one file that refers to nothing outside.

use minijinja::{AutoEscape, Environment, context};

use super::bench_error::BenchError;
use super::comparison::{Cell, Comparison};
use super::comparison_table::{heading, notes, rows};
use crate::report::{Bar, Bars, Group, Measure, STYLE};

const TEMPLATE: &str = include_str!("devices.html");

/// The page.
///
/// # Errors
///
/// If a chart cannot be drawn.
pub fn render(comparison: &Comparison) -> Result<String, BenchError> {
    let mut charts = Vec::new();
    // The processor is not compared with itself.
    let gpus = columns(comparison, |column| comparison.devices[column].device.is_gpu());
    charts.extend(chart(
        comparison,
        &gpus,
        "Times as fast as our kernels on the processor",
        "rate by that on the processor",
        |cell| cell.times_cpu,
    )?);
    let all = columns(comparison, |_| true);
    charts.extend(chart(
        comparison,
        &all,
        "Times as long as ours that the fastest peer took",
        "above 1 ours is faster",
        |cell| cell.peer_ratio,
    )?);
    let mut environment = Environment::new();
    environment.set_auto_escape_callback(|_| AutoEscape::Html);
    let rows = rows(comparison);
    let (head, body) = rows.split_first().map_or((&[][..], &[][..]), |(head, body)| (&head[..], body));
    let values = context! {
        style => STYLE,
        charts,
        head,
        body,
        devices => comparison.devices,
        skipped => comparison.skipped,
        notes => notes(comparison),
        machine => comparison.machine,
        command => comparison.command,
        version => env!("CARGO_PKG_VERSION"),
    };
    environment.render_str(TEMPLATE, values).map_err(|error| BenchError::Page(format!("{error:#}")))
}

fn columns(comparison: &Comparison, wanted: impl Fn(usize) -> bool) -> Vec<usize> {
    (0..comparison.devices.len()).filter(|column| wanted(*column)).collect()
}

/// Bars of one value of these columns, if any cell has it.
fn chart(
    comparison: &Comparison,
    columns: &[usize],
    title: &str,
    label: &str,
    value: fn(&Cell) -> Option<f64>,
) -> Result<Option<Bars>, BenchError> {
    let series: Vec<_> = columns.iter().map(|column| heading(&comparison.devices[*column].device)).collect();
    let groups: Vec<_> = comparison
        .rows
        .iter()
        .map(|row| Group {
            name: row.workload.clone(),
            values: columns
                .iter()
                .map(|column| row.cells[*column].as_ref().and_then(value).map(Bar::from))
                .collect(),
        })
        .collect();
    let bars = Bars::draw(Measure::Ratio, title, label, &series, &groups).map_err(BenchError::Page)?;
    Ok(Some(bars).filter(|bars| !bars.svg.is_empty()))
}

#[cfg(test)]
mod tests {
    use super::super::comparison::tests::example;
    use super::*;

    #[test]
    fn the_page_holds_everything_and_refers_to_nothing() {
        let page = render(&example()).unwrap();
        for needed in [
            "A card &lt;1&gt;",
            "A driver 1.2",
            "product-b",
            "llvmpipe",
            "not for this system",
            "cargo xtask bench --backend all",
            "4.00",
            "software",
        ] {
            assert!(page.contains(needed), "{needed} is missing");
        }
        assert_eq!(page.matches("<svg").count(), 2);
        for outside in ["href=\"http", "src=", "url(", "@import"] {
            assert!(!page.contains(outside), "{outside}");
        }
    }

    #[test]
    fn the_processor_alone_has_a_page_too() {
        let comparison = Comparison::of("command".to_string(), 1, Vec::new(), Vec::new());
        let page = render(&comparison).unwrap();
        assert!(page.contains("command") && !page.contains("<svg"), "{page}");
    }
}
