//! Whether a run on another backend found what the run on the CPU found.
//!
//! All backends draw the same uniform numbers, bit for bit, but round differently what they compare them with. Once in
//! many millions of draws a unit therefore falls on the other side. From there on that chain is another one, and by way
//! of the weights all chains are: after some hundred updates two runs are as far apart as two seeds, both equally right,
//! and so are the CPU and the double-precision oracle. What was found before that is compared sharply, and what comes
//! after it as closely as seeds agree.

use std::fs;
use std::path::Path;

use serde_json::Value;

/// How far a metric may be off, as a share of the CPU's, where nothing else is said below.
const RELATIVE: f64 = 1e-3;
/// What single precision leaves of a value that is zero: a divergence is a difference of log-probabilities near 10.
const ZERO: f64 = 1e-6;
/// How far the first line of a table of figures may be off: it is written before runs have drifted apart for long. The
/// CPU and the oracle differ there by less than a fifth of this in `rbm-mnist`, and by several times as much one line later.
const EARLY: f64 = 5e-3;

/// Metrics of quick profiles, by experiment and end of their name, with the absolute difference that is allowed.
///
/// For a run that drifts apart it is four times the standard deviation of the difference of two seeds, measured on the
/// CPU with seeds 1 to 9 of the quick profile.
const WIDER: &[(&str, &str, f64)] = &[
    // 800 updates of persistent chains, which carry every difference on, and errors are counted: one digit of the test
    // set is 0.1 already.
    ("rbm-digits-classify", "test_error_percent", 4.2),
    ("rbm-digits-classify", "train_error_percent", 2.6),
    // 120 updates hardly drift, and the log-probabilities of these machines are compared at the common share. But what
    // the weights of 100 AIS chains say of their own spread hangs on the two or three largest of them, ...
    ("rbm-estimators", "log_partition_standard_error", 0.3),
    ("rbm-estimators", "ais_effective_sample_size", 45.0),
    // ... and this is a difference of two log-probabilities near 175, each within the common share.
    ("rbm-estimators", "ais_sandwich", 2.0 * 175.0 * RELATIVE),
    // Nothing is drawn but shuffles, which are equal, and 40 steps hardly drift: the CPU and the oracle differ by 2e-4. But a z
    // near 0 has no share to be compared by.
    ("tica", "_z", 5e-3),
];

/// Compares two output folders of the quick profile of an experiment, and says on standard error where they differ too much.
pub(crate) fn agree(experiment: &str, cpu: &Path, other: &Path) -> bool {
    let differences = metrics(cpu).and_then(|ours| Ok(differing(experiment, &ours, &metrics(other)?)));
    let early = early_figures(cpu, other);
    match differences.and_then(|metrics| Ok([metrics, early?].concat())) {
        Ok(differences) => {
            differences.iter().for_each(|difference| eprintln!("{experiment}: {difference}"));
            differences.is_empty()
        }
        Err(error) => {
            eprintln!("error: {error}");
            false
        }
    }
}

type Numbers = Vec<(String, f64)>;

fn read(file: &Path) -> Result<String, String> {
    fs::read_to_string(file).map_err(|error| format!("reading {}: {error}", file.display()))
}

/// The metrics of a run, by name.
fn metrics(folder: &Path) -> Result<Numbers, String> {
    let file = folder.join("metrics.json");
    let run: Value =
        serde_json::from_str(&read(&file)?).map_err(|error| format!("{}: {error}", file.display()))?;
    let metrics = run["metrics"].as_object().ok_or_else(|| format!("{} has no metrics", file.display()))?;
    Ok(metrics.iter().map(|(name, value)| (name.clone(), value.as_f64().unwrap_or(f64::NAN))).collect())
}

fn differing(experiment: &str, cpu: &Numbers, other: &Numbers) -> Vec<String> {
    compare(cpu, other, |name, value| {
        let wider = WIDER.iter().find(|(of, end, _)| *of == experiment && name.ends_with(end));
        wider.map_or(RELATIVE * value.abs() + ZERO, |(_, _, allowed)| *allowed)
    })
}

/// The first line of each table of figures.
fn early_figures(cpu: &Path, other: &Path) -> Result<Vec<String>, String> {
    let mut differences = Vec::new();
    let entries = fs::read_dir(cpu).map_err(|error| format!("reading {}: {error}", cpu.display()))?;
    for table in entries.flatten().map(|entry| entry.path()) {
        if table.extension().is_none_or(|extension| extension != "csv") {
            continue;
        }
        let name = table.file_name().unwrap_or_default();
        let (ours, theirs) = (read(&table)?, read(&other.join(name))?);
        let found = compare(&first_line(&ours), &first_line(&theirs), |_, value| EARLY * value.abs() + ZERO);
        differences.extend(found.into_iter().map(|found| format!("{}, first line: {found}", name.display())));
    }
    Ok(differences)
}

fn first_line(table: &str) -> Numbers {
    let mut lines = table.lines();
    let (names, values) = (lines.next().unwrap_or_default(), lines.next().unwrap_or_default());
    let number = |cell: &str| cell.parse().unwrap_or(f64::NAN);
    names.split(',').map(str::to_string).zip(values.split(',').map(number)).collect()
}

fn compare(cpu: &Numbers, other: &Numbers, allowed: impl Fn(&str, f64) -> f64) -> Vec<String> {
    let mut differences = Vec::new();
    for (name, ours) in cpu {
        let Some((_, theirs)) = other.iter().find(|(found, _)| found == name) else {
            differences.push(format!("{name} is missing"));
            continue;
        };
        let allowed = allowed(name, *ours);
        let agrees = (ours - theirs).abs() <= allowed; // a NaN does not
        if !agrees {
            differences.push(format!("{name} is {theirs}, on the CPU {ours}; {allowed:.2e} is allowed"));
        }
    }
    differences
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers(pairs: &[(&str, f64)]) -> Numbers {
        pairs.iter().map(|(name, value)| (name.to_string(), *value)).collect()
    }

    #[test]
    fn what_is_off_missing_or_no_number_is_found() {
        let cpu = numbers(&[("a", 100.0), ("zero", 0.0), ("gone", 1.0), ("nan", 1.0)]);
        let close = numbers(&[("a", 100.09), ("zero", 9e-7), ("gone", 1.0), ("nan", 1.0)]);
        assert!(differing("toy", &cpu, &close).is_empty());
        let far = numbers(&[("a", 100.2), ("zero", 2e-6), ("nan", f64::NAN)]);
        let found = differing("toy", &cpu, &far);
        assert_eq!(found.len(), 4, "{found:?}");
        assert!(found[0].starts_with("a is 100.2, on the CPU 100;") && found[2] == "gone is missing");
    }

    #[test]
    fn the_list_is_for_its_experiment_and_for_the_ends_of_names() {
        let cpu = numbers(&[("cd1_ais_sandwich", 0.1), ("exact_cd1_log_likelihood", -5.0)]);
        let other = numbers(&[("cd1_ais_sandwich", 0.3), ("exact_cd1_log_likelihood", -5.004)]);
        assert!(differing("rbm-estimators", &cpu, &other).is_empty());
        assert_eq!(differing("toy", &cpu, &other).len(), 1);
    }

    #[test]
    fn folders_are_compared() {
        let temporary = tempfile::tempdir().unwrap();
        let run = |name: &str, metric: f64, figure: f64| {
            let folder = temporary.path().join(name);
            fs::create_dir_all(&folder).unwrap();
            fs::write(folder.join("metrics.json"), format!("{{\"metrics\": {{\"m\": {metric}}}}}")).unwrap();
            // Only the first line counts.
            fs::write(folder.join("rbm.csv"), format!("update,error\n80,{figure}\n160,{}\n", figure * 2.0))
                .unwrap();
            folder
        };
        let cpu = run("cpu", 1.0, 0.5);
        assert!(agree("toy", &cpu, &run("same", 1.0001, 0.501)));
        assert!(!agree("toy", &cpu, &run("metric", 1.01, 0.5)));
        assert!(!agree("toy", &cpu, &run("figure", 1.0, 0.52)));
        assert!(!agree("toy", &cpu, &temporary.path().join("absent")));
    }
}
