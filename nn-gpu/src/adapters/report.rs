//! What an adapter is, has and lacks.

use std::fmt;

use super::Api;

/// What kind of device an adapter is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// A card with memory of its own.
    Discrete,
    /// Shares the processor's memory.
    Integrated,
    /// A part of a card, given to a virtual machine.
    Virtual,
    /// The driver does not say.
    Other,
    /// A driver that computes on the processor.
    Software,
}

impl From<wgpu::DeviceType> for Kind {
    fn from(kind: wgpu::DeviceType) -> Kind {
        match kind {
            wgpu::DeviceType::DiscreteGpu => Kind::Discrete,
            wgpu::DeviceType::IntegratedGpu => Kind::Integrated,
            wgpu::DeviceType::VirtualGpu => Kind::Virtual,
            wgpu::DeviceType::Other => Kind::Other,
            wgpu::DeviceType::Cpu => Kind::Software,
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Kind::Discrete => "discrete",
            Kind::Integrated => "integrated",
            Kind::Virtual => "virtual",
            Kind::Other => "other",
            Kind::Software => "software",
        })
    }
}

/// What an adapter is, has and lacks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AdapterReport {
    /// Its name.
    pub name: String,
    /// The interface it was found through; one card may be found through several.
    pub api: Api,
    /// What kind of device it is.
    pub kind: Kind,
    /// The number of its vendor, that of PCI where there is one.
    pub vendor_id: u32,
    /// The vendor's name, where it is known.
    pub vendor: Option<&'static str>,
    /// Name of the driver.
    pub driver: String,
    /// Version of the driver and whatever else it says.
    pub driver_info: String,
    /// Bytes of the largest buffer.
    pub largest_buffer: u64,
    /// Bytes of the largest part of a buffer that a kernel sees at once.
    pub largest_binding: u64,
    /// Bytes of memory that the threads of a workgroup share.
    pub workgroup_memory: u32,
    /// Most threads of a workgroup.
    pub workgroup_invocations: u32,
    /// Least and most threads of a subgroup, where it has subgroup operations.
    pub subgroup_sizes: Option<(u32, u32)>,
    /// Optional features that it lacks, each with what that costs.
    pub lacks: Vec<&'static str>,
    /// Why it cannot be used at all, if so.
    pub unsuitable: Option<String>,
}

/// Features that make a difference, now or once they are used, and which.
const OPTIONAL: [(wgpu::Features, &str); 3] = [
    (wgpu::Features::SUBGROUP, "subgroups: sums go through workgroup memory and are slower"),
    (wgpu::Features::SHADER_F16, "f16: no arithmetic in half precision (not used yet)"),
    (
        wgpu::Features::EXPERIMENTAL_COOPERATIVE_MATRIX,
        "cooperative matrices: no products on matrix units (not used yet)",
    ),
];

impl AdapterReport {
    pub(super) fn of(
        info: &wgpu::AdapterInfo,
        features: wgpu::Features,
        limits: &wgpu::Limits,
    ) -> Option<AdapterReport> {
        let subgroups = features.contains(wgpu::Features::SUBGROUP);
        Some(AdapterReport {
            name: info.name.clone(),
            api: Api::of(info.backend)?,
            kind: info.device_type.into(),
            vendor_id: info.vendor,
            vendor: vendor_name(info.vendor),
            driver: info.driver.clone(),
            driver_info: info.driver_info.clone(),
            // Some drivers name a number that is no multiple of a value's size.
            largest_buffer: limits.max_buffer_size & !3,
            largest_binding: limits.max_storage_buffer_binding_size & !3,
            workgroup_memory: limits.max_compute_workgroup_storage_size,
            workgroup_invocations: limits.max_compute_invocations_per_workgroup,
            subgroup_sizes: subgroups.then_some((info.subgroup_min_size, info.subgroup_max_size)),
            lacks: OPTIONAL
                .into_iter()
                .filter_map(|(feature, cost)| (!features.contains(feature)).then_some(cost))
                .collect(),
            unsuitable: unsuitable(limits),
        })
    }

    /// Name and interface: how one adapter is told from another.
    pub(super) fn label(&self) -> String {
        format!("{} ({}, {})", self.name, self.api, self.kind)
    }
}

/// The first limit that is smaller than our kernels need.
fn unsuitable(limits: &wgpu::Limits) -> Option<String> {
    let needed: [(&str, u64, u64); 5] = [
        ("storage buffers of a kernel", limits.max_storage_buffers_per_shader_stage.into(), 8),
        ("threads of a workgroup", limits.max_compute_invocations_per_workgroup.into(), 256),
        ("bytes of workgroup memory", limits.max_compute_workgroup_storage_size.into(), 16 << 10),
        ("bytes that a kernel sees of a buffer", limits.max_storage_buffer_binding_size, 128 << 20),
        ("bytes of a uniform buffer", limits.max_uniform_buffer_binding_size, 64 << 10),
    ];
    let (what, has, needs) = needed.into_iter().find(|(_, has, needs)| has < needs)?;
    Some(format!("it allows {has} {what}, and {needs} are needed"))
}

/// Vendors by their number: that of PCI, or the one that Khronos gave out.
fn vendor_name(id: u32) -> Option<&'static str> {
    Some(match id {
        0x1002 | 0x1022 => "AMD",
        0x10de => "NVIDIA",
        0x8086 => "Intel",
        0x106b => "Apple",
        0x13b5 => "Arm",
        0x5143 | 0x4d4f_4351 => "Qualcomm",
        0x1010 => "Imagination",
        0x1414 => "Microsoft",
        0x15ad => "VMware",
        0x1af4 => "virtio",
        0x10005 => "Mesa",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(features: wgpu::Features, limits: &wgpu::Limits) -> AdapterReport {
        let mut info = wgpu::AdapterInfo::new(wgpu::DeviceType::DiscreteGpu, wgpu::Backend::Vulkan);
        info.name = "Card".into();
        info.vendor = 0x10de;
        AdapterReport::of(&info, features, limits).unwrap()
    }

    #[test]
    fn the_floor_of_webgpu_is_enough() {
        let report = report(wgpu::Features::empty(), &wgpu::Limits::default());
        assert_eq!(report.unsuitable, None);
        assert_eq!(
            (report.vendor, report.kind, report.subgroup_sizes),
            (Some("NVIDIA"), Kind::Discrete, None)
        );
        assert_eq!(report.lacks.len(), OPTIONAL.len());
        assert!(report.lacks[0].starts_with("subgroups: "), "{:?}", report.lacks);
        assert_eq!(report.label(), "Card (vulkan, discrete)");
    }

    #[test]
    fn what_is_there_is_not_lacking() {
        let limits = wgpu::Limits { max_buffer_size: (1 << 31) - 1, ..Default::default() };
        let report = report(wgpu::Features::SUBGROUP, &limits);
        assert!(report.subgroup_sizes.is_some());
        assert!(!report.lacks.iter().any(|lack| lack.starts_with("subgroups")), "{:?}", report.lacks);
        assert_eq!(report.largest_buffer, (1 << 31) - 4);
    }

    #[test]
    fn each_limit_that_is_too_small_is_named() {
        type Change = fn(&mut wgpu::Limits);
        let small: [(&str, Change); 5] = [
            ("4 storage buffers", |limits| limits.max_storage_buffers_per_shader_stage = 4),
            ("128 threads", |limits| limits.max_compute_invocations_per_workgroup = 128),
            ("8192 bytes of workgroup", |limits| limits.max_compute_workgroup_storage_size = 8192),
            ("1024 bytes that", |limits| limits.max_storage_buffer_binding_size = 1024),
            ("16384 bytes of a uniform", |limits| limits.max_uniform_buffer_binding_size = 16384),
        ];
        for (words, change) in small {
            let mut limits = wgpu::Limits::default();
            change(&mut limits);
            let reason = report(wgpu::Features::empty(), &limits).unsuitable.unwrap();
            assert!(reason.contains(words) && reason.contains("needed"), "{reason}");
        }
    }

    #[test]
    fn kinds_are_in_the_order_of_preference() {
        let mut kinds = [Kind::Software, Kind::Other, Kind::Virtual, Kind::Integrated, Kind::Discrete];
        kinds.sort();
        assert_eq!(
            kinds.map(|kind| kind.to_string()),
            ["discrete", "integrated", "virtual", "other", "software"]
        );
    }
}
