//! The programming interfaces of drivers.

use std::{fmt, str::FromStr};

use nn_core::Error;

/// The programming interface of a driver.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Api {
    /// Vulkan: Linux, Windows, Android.
    Vulkan,
    /// Metal: macOS.
    Metal,
    /// Direct3D 12: Windows.
    Dx12,
    /// OpenGL; needs the feature `gl`.
    Gl,
    /// Nothing is computed; needs the feature `noop`.
    Noop,
}

impl Api {
    /// Those that compute, in the order in which equal adapters are preferred.
    pub const COMPUTING: [Api; 4] = [Api::Vulkan, Api::Metal, Api::Dx12, Api::Gl];

    pub(super) fn backends(self) -> wgpu::Backends {
        match self {
            Api::Vulkan => wgpu::Backends::VULKAN,
            Api::Metal => wgpu::Backends::METAL,
            Api::Dx12 => wgpu::Backends::DX12,
            Api::Gl => wgpu::Backends::GL,
            Api::Noop => wgpu::Backends::NOOP,
        }
    }

    pub(super) fn of(backend: wgpu::Backend) -> Option<Api> {
        match backend {
            wgpu::Backend::Vulkan => Some(Api::Vulkan),
            wgpu::Backend::Metal => Some(Api::Metal),
            wgpu::Backend::Dx12 => Some(Api::Dx12),
            wgpu::Backend::Gl => Some(Api::Gl),
            wgpu::Backend::Noop => Some(Api::Noop),
            wgpu::Backend::BrowserWebGpu => None,
        }
    }
}

impl fmt::Display for Api {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Api::Vulkan => "vulkan",
            Api::Metal => "metal",
            Api::Dx12 => "dx12",
            Api::Gl => "gl",
            Api::Noop => "noop",
        })
    }
}

impl FromStr for Api {
    type Err = Error;

    fn from_str(name: &str) -> Result<Api, Error> {
        let all = [Api::Vulkan, Api::Metal, Api::Dx12, Api::Gl, Api::Noop];
        let found = all.into_iter().find(|api| api.to_string() == name.to_lowercase());
        found.ok_or_else(|| Error::setting("api", name, "it must be vulkan, metal, dx12, gl or noop"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_as_they_are_written() {
        for api in Api::COMPUTING.into_iter().chain([Api::Noop]) {
            assert_eq!(api.to_string().parse::<Api>().unwrap(), api);
        }
        assert_eq!("Vulkan".parse::<Api>().unwrap(), Api::Vulkan);
        let message = "cuda".parse::<Api>().unwrap_err().to_string();
        assert!(message.contains("cuda") && message.contains("vulkan, metal"), "{message}");
    }
}
