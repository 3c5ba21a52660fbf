//! Under what conditions workloads are made.

use nn_core::Device;

use super::described_device::DeviceDescription;
use super::inputs::Inputs;

/// Where workloads compute, on what, and how large they are.
#[derive(Clone, Copy, Debug)]
pub struct Conditions<'a> {
    /// Where ours computes.
    pub device: &'a Device,
    /// What it learns from.
    pub inputs: &'a Inputs,
    /// How large the workloads of the suite `device` are.
    pub sizes: Sizes,
}

/// How large the workloads of the suite `device` are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sizes {
    /// Rows and columns of square products.
    pub squares: &'static [usize],
    /// Cases of an update.
    pub batches: &'static [usize],
    /// Elements of what only moves memory, a multiple of [`Sizes::COLUMNS`].
    pub elements: usize,
}

impl Sizes {
    /// Columns of the matrices that elements are arranged in.
    pub const COLUMNS: usize = 1024;

    /// For a GPU: large enough that starting a kernel counts for nothing, and that no cache holds the operands.
    const GPU: Self = Self { squares: &[1024, 2048, 4096], batches: &[512, 4096], elements: 64 << 20 };

    /// For the processor: whatever a GPU or a software driver can be compared with, but for products of minutes.
    const CPU: Self = Self { squares: &[256, 1024], batches: &[64, 512, 4096], elements: 4 << 20 };

    /// For a software driver, which computes a hundred times more slowly than the processor that it runs on.
    const SOFTWARE: Self = Self { squares: &[256], batches: &[64], elements: 4 << 20 };

    /// What suits a device.
    pub fn of(device: &DeviceDescription) -> Self {
        match (device.is_gpu(), device.software) {
            (true, false) => Self::GPU,
            (true, true) => Self::SOFTWARE,
            (false, _) => Self::CPU,
        }
    }
}

#[cfg(test)]
impl Sizes {
    /// For tests of whether it works at all.
    pub const TINY: Self = Self { squares: &[8], batches: &[4], elements: 2 * Self::COLUMNS };
}

#[cfg(test)]
mod tests {
    use super::super::described_device::tests::gpu;
    use super::*;

    #[test]
    fn every_size_of_a_software_driver_is_measured_on_the_processor_too() {
        let processor = Sizes::of(&DeviceDescription::cpu());
        let software = Sizes::of(&DeviceDescription { software: true, ..gpu("llvmpipe", "vulkan") });
        assert!(software.squares.iter().all(|size| processor.squares.contains(size)));
        assert!(software.batches.iter().all(|size| processor.batches.contains(size)));
        let card = Sizes::of(&gpu("A card", "vulkan"));
        assert!(card.batches.iter().all(|size| processor.batches.contains(size)));
        assert_eq!((card.elements, processor.elements, software.elements), (64 << 20, 4 << 20, 4 << 20));
        for sizes in [processor, software, card] {
            assert_eq!(sizes.elements % Sizes::COLUMNS, 0);
        }
    }
}
