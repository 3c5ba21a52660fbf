//! The report as a whole: what it takes, what it refuses and what it writes.

use super::*;
use crate::picture::GrayImage;
use std::{fs, io};

const PROFILE: ProfileInfo = ProfileInfo { name: "quick", what: "100 images", duration: "1 s" };

fn filled_in() -> Report {
    let mut report = Report::default();
    report.reproduces("A claim with <angle> brackets & an ampersand.");
    report.metric("test error", 0.0125).unwrap();
    report.metric("a later one", 3.0).unwrap();
    report.published("test error", 0.0120, "Author et al. 2006, table 1", true, Some(0.0125)).unwrap();
    report.published("log likelihood", -84.55, "quoted in a survey", false, None).unwrap();
    report.setting("learning rate", 0.1_f32);
    report.setting("hidden units", 500);
    report.curve("Error by epoch", "epoch", "error", &[("training", vec![(1.0, 0.5), (2.0, 0.25)])]).unwrap();
    let image = GrayImage::from_bytes(2, 1, vec![0, 255]).unwrap();
    report.picture("filters", "The first layer's filters.", &image).unwrap();
    report.table("By layer", &["layer", "error"], vec![vec!["1".into(), "0.3".into()]]).unwrap();
    report.note("A remark.");
    drop(report.phase("training"));
    report
}

fn written(report: &Report) -> (tempfile::TempDir, String, serde_json::Value) {
    let temporary = tempfile::tempdir().unwrap();
    let out = OutputFolder::open(temporary.path()).unwrap();
    let (experiment, profile, backend) = ("toy".to_string(), "quick".to_string(), "cpu".to_string());
    let identity = RunIdentity { experiment, profile, backend, seed: u64::MAX };
    let command = "cargo xtask reproduce-experiment toy";
    let heading = Heading { title: "A toy", profile: PROFILE, identity: &identity, command };
    let written = report.finish(&heading, &out).unwrap();
    let page = fs::read_to_string(written.html).unwrap();
    let numbers = serde_json::from_slice(&fs::read(written.metrics).unwrap()).unwrap();
    (temporary, page, numbers)
}

#[test]
fn the_numbers_have_the_agreed_shape_and_order() {
    let (folder, _, numbers) = written(&filled_in());
    let mut keys: Vec<_> = numbers.as_object().unwrap().keys().map(String::as_str).collect();
    keys.sort_unstable();
    let agreed = [
        "backend",
        "data",
        "durations_s",
        "experiment",
        "metrics",
        "profile",
        "published",
        "seed",
        "settings",
        "version",
    ];
    assert_eq!(keys, agreed);
    assert_eq!(numbers["seed"], u64::MAX);
    assert_eq!(numbers["metrics"]["test error"], 0.0125);
    let published = serde_json::json!([
        {"metric": "test error", "value": 0.012, "source": "Author et al. 2006, table 1", "verified": true, "ours": 0.0125},
        {"metric": "log likelihood", "value": -84.55, "source": "quoted in a survey", "verified": false, "ours": null},
    ]);
    assert_eq!(numbers["published"], published);
    assert_eq!(numbers["settings"]["learning rate"], "0.1");
    assert!(numbers["durations_s"]["training"].as_f64().unwrap() >= 0.0);
    let text = fs::read_to_string(folder.path().join("metrics.json")).unwrap();
    assert!(text.find("\"test error\"").unwrap() < text.find("\"a later one\"").unwrap());
}

#[test]
fn the_page_has_every_section_and_needs_no_other_file() {
    let (_folder, page, _) = written(&filled_in());
    let sections =
        ["reproduced", "figures", "curves", "pictures", "tables", "results", "notes", "settings", "repeat"];
    for section in sections {
        assert!(page.contains(&format!("id=\"{section}\"")), "no section {section}");
    }
    let contents = [
        "A claim with &lt;angle&gt; brackets &amp; an ampersand.",
        ">verified<",
        ">not verified<",
        "not measured",
        "-84.55",
        "<svg",
        "src=\"data:image/png;base64,iVBOR",
        "18446744073709551615",
        "learning rate",
        "cargo xtask reproduce-experiment toy",
        "prefers-color-scheme: dark",
    ];
    for content in contents {
        assert!(page.contains(content), "the page lacks {content}");
    }
    for outside in ["<script", "<link", "@import", "url(", "href=\"http", "src=\"http"] {
        assert!(!page.contains(outside), "the page refers to something outside: {outside}");
    }
}

#[test]
fn an_empty_report_is_a_page_too() {
    let (_folder, page, numbers) = written(&Report::default());
    assert!(page.contains("No published figure") && page.contains("No data file"));
    assert!(!page.contains("id=\"curves\""));
    assert_eq!(numbers["metrics"], serde_json::json!({}));
}

#[test]
fn the_picture_is_a_file_that_decodes_to_its_pixels() {
    let (folder, _, _) = written(&filled_in());
    let file = fs::File::open(folder.path().join("filters.png")).unwrap();
    let mut reader = png::Decoder::new(io::BufReader::new(file)).read_info().unwrap();
    let mut bytes = vec![0; reader.output_buffer_size().unwrap()];
    reader.next_frame(&mut bytes).unwrap();
    assert_eq!(bytes, [0, 255]);
}

#[test]
fn what_is_no_number_is_refused_by_name() {
    let mut report = Report::default();
    let message = report.metric("test error", f64::NAN).unwrap_err().to_string();
    assert!(message.starts_with("metric 'test error' is NaN"), "{message}");
    assert!(report.metric("x", f64::INFINITY).is_err());
    assert!(report.published("x", 1.0, "s", true, Some(f64::NAN)).is_err());
    assert!(report.published("x", f64::NAN, "s", true, None).is_err());
    assert!(report.metrics.is_empty() && report.published.is_empty());
}

#[test]
fn second_values_replace_the_first() {
    let mut report = Report::default();
    report.metric("a", 1.0).unwrap();
    report.metric("b", 2.0).unwrap();
    report.metric("a", 3.0).unwrap();
    assert_eq!(report.metrics, [("a".to_string(), 3.0), ("b".to_string(), 2.0)]);
    report.setting("rate", 1);
    report.setting("rate", 2);
    assert_eq!(report.settings, [("rate".to_string(), "2".to_string())]);
}

#[test]
fn names_and_tables_that_would_not_fit_are_refused() {
    let mut report = Report::default();
    let image = GrayImage::filled(1, 1, [0]).unwrap();
    for stem in ["", "../up", "a b", "a.png"] {
        assert!(report.picture(stem, "", &image).is_err(), "{stem}");
    }
    let message = report.table("t", &["a", "b"], vec![vec!["1".into()]]).unwrap_err().to_string();
    assert!(message.contains("row 0 has 1 cells and the header 2"), "{message}");
    assert!(report.data_file(Path::new("missing.gz")).unwrap_err().to_string().contains("missing.gz"));
}
