//! The GPUs of this machine, and the choice among them.

mod api;
mod report;

use nn_core::Error;

pub use api::Api;
pub use report::{AdapterReport, Kind};

/// Which adapter is wanted. Among those that fit, a card of its own comes before a chip beside the processor, then
/// virtual ones, then the rest.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Choice {
    /// Only adapters of this interface. [`Api::Noop`] is had by asking for it only.
    pub api: Option<Api>,
    /// Only adapters whose name contains this, in upper or lower case.
    pub name: Option<String>,
    /// Whether a software driver on the processor will do. One that is named is taken in any case.
    pub software: bool,
}

/// All adapters of this machine, the preferred ones first, software drivers and unsuitable ones included.
pub fn adapters() -> Vec<AdapterReport> {
    let all = Api::COMPUTING.map(Api::backends).into_iter().collect();
    enumerate(all).into_iter().map(|(_, report)| report).collect()
}

/// The interfaces that have no adapter here, each with the reason.
pub fn absent_apis() -> Vec<(Api, String)> {
    Api::COMPUTING.into_iter().filter_map(|api| Some((api, why_absent(api)?))).collect()
}

/// The best adapter that fits a choice.
///
/// # Errors
/// [`Error::Device`] with what was looked for, what is there but does not fit, and why each interface is out.
pub(crate) fn find(choice: &Choice) -> Result<(wgpu::Adapter, AdapterReport), Error> {
    let backends = match choice.api {
        Some(api) => api.backends(),
        None => Api::COMPUTING.map(Api::backends).into_iter().collect(),
    };
    let mut refused = Vec::new();
    for (adapter, report) in enumerate(backends) {
        match choice.refusal(&report) {
            None => return Ok((adapter, report)),
            Some(reason) => refused.push(format!("{}: {reason}", report.label())),
        }
    }
    let absent: Vec<String> = match choice.api {
        Some(api) => why_absent(api).map(|reason| format!("{api}: {reason}")).into_iter().collect(),
        None => absent_apis().into_iter().map(|(api, reason)| format!("{api}: {reason}")).collect(),
    };
    Err(Error::Device { device: "gpu".into(), problem: choice.nothing_found(&refused, &absent) })
}

impl Choice {
    /// Why an adapter does not fit, or `None` if it does.
    fn refusal(&self, report: &AdapterReport) -> Option<String> {
        let named = self.name.as_ref().map(|name| report.name.to_lowercase().contains(&name.to_lowercase()));
        if named == Some(false) {
            return Some("another name".into());
        }
        // The device that computes nothing counts as software, too; it is only ever found when asked for.
        let unasked = !self.software && named.is_none() && report.api != Api::Noop;
        if report.kind == Kind::Software && unasked {
            return Some("a software driver, which is used only where it is asked for".into());
        }
        report.unsuitable.clone()
    }

    /// The message for a choice that nothing fits.
    fn nothing_found(&self, refused: &[String], absent: &[String]) -> String {
        let mut looked_for = self.api.map_or("no adapter".to_string(), |api| format!("no {api} adapter"));
        if let Some(name) = &self.name {
            looked_for += &format!(" whose name contains '{name}'");
        } else if !self.software {
            looked_for += " that is no software driver";
        }
        let list = |words: &[String]| if words.is_empty() { "none".to_string() } else { words.join(", ") };
        let mut message = format!("{looked_for}; found but not taken: {}", list(refused));
        if !absent.is_empty() {
            message += &format!("; without adapters: {}", list(absent));
        }
        message + "; install a driver for the card, or compute on the processor"
    }
}

/// The adapters of these interfaces, the preferred ones first.
fn enumerate(backends: wgpu::Backends) -> Vec<(wgpu::Adapter, AdapterReport)> {
    let Some(instance) = instance(backends) else { return Vec::new() };
    let found = pollster::block_on(instance.enumerate_adapters(backends));
    let described = found.into_iter().filter_map(|adapter| {
        let report = AdapterReport::of(&adapter.get_info(), adapter.features(), &adapter.limits())?;
        Some((adapter, report))
    });
    let mut adapters: Vec<_> = described.collect();
    // Stable: what the driver names first stays first among its equals. What cannot be used stands behind its like.
    adapters.sort_by_key(|(_, report)| (report.kind, report.unsuitable.is_some(), preference(report.api)));
    adapters
}

/// An instance for these interfaces, or `None` where none of them was built for this system.
fn instance(backends: wgpu::Backends) -> Option<wgpu::Instance> {
    // wgpu panics if it was built without any interface of this system.
    if !wgpu::Instance::enabled_backend_features().intersects(backends) {
        return None;
    }
    let mut descriptor = wgpu::InstanceDescriptor::new_without_display_handle();
    descriptor.backends = backends;
    // There are no indirect dispatches to validate.
    descriptor.flags.remove(wgpu::InstanceFlags::VALIDATION_INDIRECT_CALL);
    descriptor.backend_options.noop.enable = backends.contains(wgpu::Backends::NOOP);
    Some(wgpu::Instance::new(descriptor))
}

/// Why an interface has no adapter here; `None` if it has one.
fn why_absent(api: Api) -> Option<String> {
    let Some(instance) = instance(api.backends()) else {
        let feature = match api {
            Api::Gl => "gl",
            Api::Noop => "noop",
            Api::Vulkan | Api::Metal | Api::Dx12 => return Some("not for this system".into()),
        };
        return Some(format!("not built in (feature {feature} is off)"));
    };
    if !pollster::block_on(instance.enumerate_adapters(api.backends())).is_empty() {
        return None;
    }
    let request = instance.request_adapter(&wgpu::RequestAdapterOptions::default());
    let said = pollster::block_on(request).err().map(|error| error.to_string());
    Some(said.as_deref().and_then(|said| reason_in(said, api)).unwrap_or_else(|| "no driver found".into()))
}

/// What wgpu says about one interface in a message about all: `...; vulkan found no adapters, gl not requested`.
fn reason_in(said: &str, api: Api) -> Option<String> {
    let (_, reasons) = said.split_once("; ")?;
    let reason = reasons.split(", ").find_map(|part| part.strip_prefix(&format!("{api} ")))?;
    Some(format!("no driver found ({reason})"))
}

fn preference(api: Api) -> usize {
    Api::COMPUTING.iter().position(|other| *other == api).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests;
