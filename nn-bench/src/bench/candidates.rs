//! The devices that could be measured, and those that cannot, with the reason.

use std::fmt;

use nn_core::{Device, Error};
use serde::Serialize;

use super::bench_error::BenchError;
use super::described_device::DeviceDescription;
use super::selection::Selection;

/// A device that has not been opened yet.
pub struct Candidate {
    /// What it is.
    pub description: DeviceDescription,
    /// Opens it.
    pub open: Box<dyn Fn() -> Result<Device, Error> + Send + Sync>,
}

impl fmt::Debug for Candidate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Candidate({})", self.description.in_words())
    }
}

/// What is not measured.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Skipped {
    /// A device, an interface or a suite on a device.
    pub what: String,
    /// Why not.
    pub why: String,
}

/// What there is to measure, in the order of measuring.
#[derive(Debug, Default)]
pub struct Candidates {
    /// What can be tried.
    pub devices: Vec<Candidate>,
    /// What cannot.
    pub skipped: Vec<Skipped>,
}

impl Candidates {
    /// What a selection names.
    ///
    /// # Errors
    ///
    /// If this program was built without GPUs and one is asked for, or if the one that is asked for is not there.
    pub fn of(selection: Selection) -> Result<Self, BenchError> {
        match selection {
            Selection::Cpu => Ok(Self { devices: vec![cpu()], skipped: Vec::new() }),
            gpus => Self::of_gpus(gpus),
        }
    }

    #[cfg(feature = "gpu")]
    fn of_gpus(selection: Selection) -> Result<Self, BenchError> {
        use super::gpus;
        Ok(match selection {
            Selection::All => Self::sorted_out(gpus::found(), gpus::absent()),
            one => Self { devices: vec![gpus::best(one)?], skipped: Vec::new() },
        })
    }

    #[cfg(not(feature = "gpu"))]
    fn of_gpus(selection: Selection) -> Result<Self, BenchError> {
        Err(BenchError::WithoutGpus { backend: selection.name() })
    }

    /// The processor and the adapters that were found, each with the reason why it cannot be used, if so; and the
    /// interfaces that have none. Adapters of one interface are numbered from the second on.
    pub fn sorted_out(
        found: Vec<(Candidate, Option<String>)>,
        absent: impl IntoIterator<Item = (String, String)>,
    ) -> Self {
        let (mut devices, mut skipped): (Vec<Candidate>, Vec<Skipped>) = (vec![cpu()], Vec::new());
        for (mut candidate, unsuitable) in found {
            if let Some(why) = unsuitable {
                skipped.push(Skipped { what: candidate.description.in_words(), why });
                continue;
            }
            let api = candidate.description.api.clone();
            let before = devices.iter().filter(|device| device.description.api == api).count();
            if before > 0 {
                candidate.description.label.push_str(&format!("-{}", before + 1));
            }
            devices.push(candidate);
        }
        skipped.extend(absent.into_iter().map(|(what, why)| Skipped { what, why }));
        Self { devices, skipped }
    }
}

fn cpu() -> Candidate {
    Candidate { description: DeviceDescription::cpu(), open: Box::new(|| Ok(Device::cpu())) }
}

#[cfg(test)]
pub(super) mod tests {
    use super::super::described_device::tests::gpu;
    use super::*;

    /// A candidate that opens as the processor.
    pub(in crate::bench) fn candidate(description: DeviceDescription) -> Candidate {
        Candidate { description, ..cpu() }
    }

    #[test]
    fn the_processor_comes_first_and_whatever_is_left_out_has_its_reason() {
        let found = vec![
            (candidate(gpu("First", "vulkan")), None),
            (candidate(gpu("Old", "vulkan")), Some("it allows 4 storage buffers".to_string())),
            (candidate(gpu("Second", "vulkan")), None),
            (candidate(gpu("First", "gl")), None),
        ];
        let absent = [("metal".to_string(), "not for this system".to_string())];
        let candidates = Candidates::sorted_out(found, absent);
        let labels: Vec<_> =
            candidates.devices.iter().map(|device| device.description.label.as_str()).collect();
        assert_eq!(labels, ["cpu", "vulkan", "vulkan-2", "gl"]);
        let skipped: Vec<_> =
            candidates.skipped.iter().map(|one| (one.what.as_str(), one.why.as_str())).collect();
        assert_eq!(
            skipped,
            [
                ("Old (vulkan, discrete), driver A driver 1.2", "it allows 4 storage buffers"),
                ("metal", "not for this system")
            ]
        );
    }

    #[test]
    fn the_processor_is_always_there() {
        let candidates = Candidates::of(Selection::Cpu).unwrap();
        assert_eq!(candidates.devices.len(), 1);
        assert_eq!((candidates.devices[0].open)().unwrap().name(), "cpu");
    }

    #[cfg(not(feature = "gpu"))]
    #[test]
    fn without_gpus_built_in_the_message_says_how_to_have_them() {
        for selection in [Selection::Gpu, Selection::All] {
            let message = Candidates::of(selection).unwrap_err().to_string();
            assert!(
                message.contains(&format!("cargo xtask bench --backend {}", selection.name())),
                "{message}"
            );
        }
    }
}
