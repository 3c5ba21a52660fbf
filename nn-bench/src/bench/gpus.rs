//! The adapters that nn-gpu finds, as candidates.

use nn_core::{Device, Error};
use nn_gpu::{AdapterReport, Api, Choice, Kind, Settings};

use super::candidates::Candidate;
use super::described_device::DeviceDescription;
use super::selection::Selection;
use crate::tuned_gpu;

/// All adapters, each with the reason why it cannot be used, if so.
pub fn found() -> Vec<(Candidate, Option<String>)> {
    nn_gpu::adapters().into_iter().map(|report| (candidate(&report), report.unsuitable)).collect()
}

/// The interfaces that have no adapter here, each with the reason.
pub fn absent() -> Vec<(String, String)> {
    nn_gpu::absent_apis().into_iter().map(|(api, reason)| (api.to_string(), reason)).collect()
}

/// The adapter that is best for a selection of one. A software driver is taken where its interface is named.
///
/// # Errors
///
/// What was looked for, and why it is not there.
pub fn best(selection: Selection) -> Result<Candidate, Error> {
    let api = match selection {
        Selection::Vulkan => Some(Api::Vulkan),
        Selection::Metal => Some(Api::Metal),
        Selection::Dx12 => Some(Api::Dx12),
        Selection::Gl => Some(Api::Gl),
        Selection::Cpu | Selection::Gpu | Selection::All => None,
    };
    let gpu = tuned_gpu::open(&Choice { api, name: None, software: api.is_some() }, &Settings::default())?;
    let description = describe(gpu.adapter());
    Ok(Candidate { description, open: Box::new(move || Ok(gpu.device())) })
}

fn candidate(report: &AdapterReport) -> Candidate {
    let choice = Choice {
        api: Some(report.api),
        name: Some(report.name.clone()),
        software: report.kind == Kind::Software,
    };
    let open =
        move || -> Result<Device, Error> { Ok(tuned_gpu::open(&choice, &Settings::default())?.device()) };
    Candidate { description: describe(report), open: Box::new(open) }
}

fn describe(report: &AdapterReport) -> DeviceDescription {
    DeviceDescription {
        label: report.api.to_string(),
        name: report.name.clone(),
        api: Some(report.api.to_string()),
        kind: report.kind.to_string(),
        driver: format!("{} {}", report.driver, report.driver_info).trim().to_string(),
        software: report.kind == Kind::Software,
    }
}
