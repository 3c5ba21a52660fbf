//! Suites measured on one device.

use super::THREADS;
use super::bench_error::BenchError;
use super::candidates::{Candidate, Skipped};
use super::conditions::{Conditions, Sizes};
use super::described_device::DeviceDescription;
use super::inputs::Inputs;
use super::matrices::Matrices;
use super::peers::Peers;
use super::product;
use super::results::{Bandwidth, Limit, SuiteResult, WorkloadResult};
use super::rounds::Rounds;
use super::selection::Selection;
use super::suite::{SUITES, Suite};
use super::table;
use crate::command_line::BenchOptions;
use crate::machine::Machine;
use crate::progress::say;

/// What came of measuring a device.
#[derive(Debug)]
pub struct Measurement {
    /// The device.
    pub device: DeviceDescription,
    /// Each suite with the workloads that were measured, those before a failure included.
    pub suites: Vec<SuiteResult>,
    /// Suites that are not for this device.
    pub skipped: Vec<Skipped>,
    /// What went wrong: in which suite, or on opening the device, and how.
    pub failures: Vec<(String, BenchError)>,
}

impl Measurement {
    /// Opens the device and measures these suites. A suite that fails does not keep the others from being measured.
    pub fn of(candidate: &Candidate, suites: &[Suite], options: &BenchOptions, inputs: &Inputs) -> Self {
        let device = candidate.description.clone();
        let (suites, skipped) = suites_for(&device, suites, options);
        let mut measurement = Self { device, suites: Vec::new(), skipped, failures: Vec::new() };
        let opened = match (candidate.open)() {
            Ok(opened) => opened,
            Err(error) => {
                measurement.failures.push(("opening it".to_string(), error.into()));
                return measurement;
            }
        };
        let sizes = Sizes::of(&measurement.device);
        let conditions = Conditions { device: &opened, inputs, sizes };
        for suite in &suites {
            let result = measurement.measure(suite, options, &conditions);
            measurement.suites.push(result);
        }
        measurement.share(options, &conditions);
        measurement
    }

    /// Only whole results.
    ///
    /// # Errors
    ///
    /// What went wrong first.
    pub fn whole(self) -> Result<Vec<SuiteResult>, BenchError> {
        self.failures.into_iter().next().map_or(Ok(self.suites), |(_, error)| Err(error))
    }

    /// The best products and the best passes through memory that were measured here become the limits.
    fn share(&mut self, options: &BenchOptions, conditions: &Conditions) {
        let mut limit = Limit::of(&self.suites);
        if limit.is_none() && !self.suites.is_empty() {
            say("measuring a product, for the limit");
            // The product that is measured only for the limit is no result.
            let alone = Suite { workloads: product::for_the_limit, ..SUITES[0] };
            limit = Limit::of(&[self.measure(&alone, options, conditions)]);
        }
        let bandwidth = Bandwidth::of(&self.suites);
        for suite in &mut self.suites {
            for workload in &mut suite.workloads {
                workload.compare_with(limit.as_ref(), bandwidth.as_ref());
            }
            suite.limit = limit.clone().unwrap_or_else(|| suite.limit.clone());
            // Where nothing but products was measured, memory is no concern.
            let memory = suite.workloads.iter().any(|workload| workload.bytes > 0.0);
            suite.bandwidth = bandwidth.clone().filter(|_| memory);
        }
    }

    fn measure(&mut self, suite: &Suite, options: &BenchOptions, conditions: &Conditions) -> SuiteResult {
        let mut result = SuiteResult {
            suite: suite.name,
            command: repeat_command(options, Some(suite.name)),
            machine: Machine::here(),
            device: self.device.clone(),
            peers_card: None,
            threads: THREADS,
            rounds: options.rounds,
            data: conditions.inputs.describe(suite.source).to_string(),
            versions: Default::default(),
            limit: Limit { gflop_per_s: f64::NAN, workload: String::new(), by: String::new() },
            bandwidth: None,
            workloads: Vec::new(),
        };
        if let Err(error) = self.measure_into(&mut result, suite, options, conditions) {
            self.failures.push((format!("suite {}", suite.name), error));
        }
        result
    }

    fn measure_into(
        &self,
        result: &mut SuiteResult,
        suite: &Suite,
        options: &BenchOptions,
        conditions: &Conditions,
    ) -> Result<(), BenchError> {
        // Nobody computes on a software driver by choice: there is nothing to compare it with.
        let python = options.peers.as_deref().filter(|_| !self.device.software);
        let temporary = tempfile::tempdir().map_err(BenchError::file("making", std::env::temp_dir()))?;
        let mut matrices = Matrices::new(python.is_some().then_some(temporary.path()));
        let mut workloads = (suite.workloads)(conditions, &mut matrices)?;
        let mut peers = match python {
            Some(python) => Peers::start(python, suite, temporary.path(), &matrices, self.device.card())?,
            None => Peers::NotAsked,
        };
        (result.versions, result.peers_card) = (peers.versions(), peers.card());
        for workload in &mut workloads {
            let measured = Rounds::new(options.rounds).measure(workload, &mut peers)?;
            say(&in_one_line(&self.device, &measured));
            result.workloads.push(measured);
        }
        Ok(())
    }
}

/// On a software driver only what is made for it, unless its user names the suite and the driver: the others would
/// take hours.
fn suites_for(
    device: &DeviceDescription,
    suites: &[Suite],
    options: &BenchOptions,
) -> (Vec<Suite>, Vec<Skipped>) {
    let insists = options.suite.is_some() && options.backend != Selection::All;
    let (chosen, left): (Vec<Suite>, Vec<Suite>) =
        suites.iter().partition(|suite| !device.software || suite.any_speed || insists);
    let skipped = left.iter().map(|suite| Skipped {
        what: format!("suite {} on {}", suite.name, device.in_words()),
        why: format!(
            "it would take hours on a software driver; `bench {} --backend {}` does it nevertheless",
            suite.name,
            device.api.as_deref().unwrap_or("gpu")
        ),
    });
    (chosen, skipped.collect())
}

fn in_one_line(device: &DeviceDescription, result: &WorkloadResult) -> String {
    let on = if device.is_gpu() { format!(" on {}", device.label) } else { String::new() };
    let mut line = format!("{}{on}: ours {}", result.name, table::duration(result.ours.median_s));
    for peer in &result.peers {
        line.push_str(&match &peer.ratio {
            Some(ratio) => format!(", {} {:.2} times that", peer.library, ratio.of_medians),
            None => format!(", {} skipped", peer.library),
        });
    }
    line
}

/// The command for the record, without the paths of this machine.
pub fn repeat_command(options: &BenchOptions, suite: Option<&str>) -> String {
    let mut command = "cargo xtask bench".to_string();
    if let Some(suite) = suite {
        command.push_str(&format!(" {suite}"));
    }
    if options.backend != Selection::Cpu {
        command.push_str(&format!(" --backend {}", options.backend.name()));
    }
    if let Some(python) = &options.peers {
        let name = std::path::Path::new(python).file_name().unwrap_or(python);
        command.push_str(&format!(" --peers {}", name.to_string_lossy()));
    }
    command.push_str(&format!(" --rounds {}", options.rounds));
    if options.data.is_some() {
        command.push_str(" --data DIR");
    }
    command
}

#[cfg(test)]
pub(super) mod tests {
    use super::super::candidates::tests::candidate;
    use super::super::described_device::tests::gpu;
    use super::*;
    use crate::bench::amount::Amount;
    use crate::bench::inputs::Source;
    use crate::bench::workload::{Subject, Workload};
    use nn_core::Error;
    use std::path::PathBuf;

    /// Options without any choice but this one.
    pub(in crate::bench) fn options(peers: Option<&str>) -> BenchOptions {
        BenchOptions {
            suite: None,
            backend: Selection::Cpu,
            peers: peers.map(Into::into),
            json: false,
            data: None,
            rounds: 1,
        }
    }

    /// Takes a tenth of a second, or fails.
    struct Nap(bool);

    impl Subject for Nap {
        fn unit(&mut self) -> Result<(), Error> {
            if self.0 {
                std::thread::sleep(std::time::Duration::from_millis(100));
                return Ok(());
            }
            Err(Error::Device { device: "toy".into(), problem: "it was lost".into() })
        }
        fn figure(&mut self) -> Result<f64, Error> {
            Ok(1.0)
        }
    }

    fn nap(name: &str, works: bool) -> Workload {
        Workload {
            name: name.to_string(),
            work: "a nap".to_string(),
            amount: Amount::Flop(1e9),
            yardstick: true,
            figure: "one",
            peers: &["torch", "scikit-learn"],
            ours: Box::new(Nap(works)),
        }
    }

    fn naps(_: &Conditions, matrices: &mut Matrices) -> Result<Vec<Workload>, BenchError> {
        matrices.hand_over("a", &nn_core::Device::cpu().zeros(2, 2))?;
        Ok(vec![nap("nothing", true)])
    }

    fn broken(_: &Conditions, _: &mut Matrices) -> Result<Vec<Workload>, BenchError> {
        Ok(vec![nap("good", true), nap("bad", false), nap("never", true)])
    }

    /// A suite of one nap, whose peer knows one of two libraries, and gives the matrices it got as its figure.
    const TOY: Suite = Suite {
        name: "toy",
        script_name: "toy.py",
        script: r#"
given=0
for argument in "$@"; do [ "$argument" = --matrix ] && given=$((given + 1)); done
echo '{"python": "sh", "versions": {"torch": "0.1"}, "missing": {"scikit-learn": "No module named sklearn"}}'
while read -r verb library workload units; do
    if [ "$verb" = run ]; then echo "{\"seconds\": $units}"; else echo "{\"figure\": $given}"; fi
done
"#,
        source: Source::Numbers,
        any_speed: false,
        workloads: naps,
    };

    fn measured(device: DeviceDescription, suites: &[Suite], peers: Option<&str>) -> Measurement {
        Measurement::of(&candidate(device), suites, &options(peers), &Inputs::none())
    }

    #[cfg(unix)]
    #[test]
    fn both_sides_are_measured_and_a_missing_library_is_skipped() {
        let measurement = measured(DeviceDescription::cpu(), &[TOY], Some("sh"));
        let result = &measurement.suites[0];
        let [torch, scikit_learn] = &result.workloads[0].peers[..] else { panic!("{result:?}") };
        assert_eq!((torch.timings.as_ref().unwrap().median_s, torch.figure), (1.0, Some(1.0)));
        let ratio = torch.ratio.unwrap().of_medians;
        assert!((5.0..=10.0).contains(&ratio) || result.workloads[0].ours.median_s > 0.2, "{ratio}");
        assert_eq!(scikit_learn.skipped.as_deref(), Some("No module named sklearn"));
        assert_eq!(result.versions["torch"], "0.1");
        assert!(table::render(result).contains("skipped: No module named sklearn"));
        assert_eq!(result.workloads[0].share_of_limit, Some(1.0));
    }

    #[test]
    fn without_a_python_ours_is_measured_alone() {
        let result = |peers| measured(DeviceDescription::cpu(), &[TOY], peers).whole().unwrap().remove(0);
        let table = table::render(&result(Some("no-such-python")));
        assert_eq!(table.matches("skipped: cannot start no-such-python").count(), 2, "{table}");
        assert!(result(None).workloads[0].peers.is_empty());
    }

    #[test]
    fn what_fails_is_told_and_ends_neither_the_other_suites_nor_what_was_measured_before() {
        let failing = Suite { name: "failing", workloads: broken, ..TOY };
        let measurement = measured(gpu("A card", "vulkan"), &[failing, TOY], None);
        let names: Vec<Vec<_>> = measurement
            .suites
            .iter()
            .map(|suite| suite.workloads.iter().map(|workload| workload.name.as_str()).collect())
            .collect();
        assert_eq!(names, [["good"], ["nothing"]]);
        assert_eq!(measurement.failures.len(), 1);
        assert_eq!(measurement.failures[0].0, "suite failing");
        let message = measurement.whole().unwrap_err().to_string();
        assert_eq!(message, "measuring: device toy: it was lost");
    }

    #[test]
    fn a_device_that_does_not_open_is_told() {
        let problem = || Error::Device { device: "gpu".into(), problem: "no such card".into() };
        let closed = Candidate { open: Box::new(move || Err(problem())), ..candidate(gpu("A card", "gl")) };
        let measurement = Measurement::of(&closed, &[TOY], &options(None), &Inputs::none());
        assert!(measurement.suites.is_empty());
        assert!(measurement.failures[0].1.to_string().contains("no such card"));
    }

    #[test]
    fn a_software_driver_gets_only_what_is_made_for_it_unless_its_user_insists() {
        let software = DeviceDescription { software: true, ..gpu("llvmpipe", "vulkan") };
        let names = |device: &DeviceDescription, options: &BenchOptions| {
            let (chosen, skipped) = suites_for(device, &SUITES, options);
            assert_eq!(chosen.len() + skipped.len(), SUITES.len());
            chosen.iter().map(|suite| suite.name).collect::<Vec<_>>()
        };
        let mut options = BenchOptions { backend: Selection::Vulkan, ..options(None) };
        assert_eq!(names(&software, &options), ["device"]);
        assert_eq!(names(&gpu("A card", "vulkan"), &options).len(), SUITES.len());
        options.suite = Some("rbm".to_string());
        assert_eq!(names(&software, &options).len(), SUITES.len());
        options.backend = Selection::All;
        let why = &suites_for(&software, &SUITES, &options).1[0];
        assert!(why.why.contains("bench product --backend vulkan"), "{why:?}");
    }

    #[test]
    fn the_command_of_a_record_names_no_folder() {
        let mut options = options(Some("some/where/python3"));
        options.data = Some(PathBuf::from("some/data"));
        let command = repeat_command(&options, Some("rbm"));
        assert_eq!(command, "cargo xtask bench rbm --peers python3 --rounds 1 --data DIR");
        let options = BenchOptions { backend: Selection::All, data: None, ..options };
        assert_eq!(
            repeat_command(&options, None),
            "cargo xtask bench --backend all --peers python3 --rounds 1"
        );
    }
}
