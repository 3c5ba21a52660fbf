//! Which devices are measured, as it is said on the command line.

/// The value of `--backend`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Selection {
    /// The processor.
    #[default]
    Cpu,
    /// The best GPU, whatever reaches it.
    Gpu,
    /// The best adapter of Vulkan.
    Vulkan,
    /// The best adapter of Metal.
    Metal,
    /// The best adapter of Direct3D 12.
    Dx12,
    /// The best adapter of OpenGL.
    Gl,
    /// The processor and every adapter, in one table.
    All,
}

impl Selection {
    /// The name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Cpu => "cpu",
            Self::Gpu => "gpu",
            Self::Vulkan => "vulkan",
            Self::Metal => "metal",
            Self::Dx12 => "dx12",
            Self::Gl => "gl",
            Self::All => "all",
        }
    }
}
