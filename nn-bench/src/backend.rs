//! What the numbers are computed with, by name.

/// What the numbers are computed with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Backend {
    /// Threads and vector instructions.
    Cpu,
    /// Plain loops on one thread in double precision, for comparison; slow.
    Reference,
    /// The faster of cpu and gpu, by timing some updates of the model at hand.
    Auto,
    /// The best GPU through any interface; no software driver.
    Gpu,
    /// The best adapter through Vulkan, software drivers included.
    Vulkan,
    /// The best adapter through Metal.
    Metal,
    /// The best adapter through Direct3D 12, software drivers included.
    Dx12,
    /// The best adapter through OpenGL, software drivers included.
    Gl,
}

impl Backend {
    /// The name on the command line and in the report.
    pub fn name(self) -> &'static str {
        match self {
            Self::Cpu => "cpu",
            Self::Reference => "reference",
            Self::Auto => "auto",
            Self::Gpu => "gpu",
            Self::Vulkan => "vulkan",
            Self::Metal => "metal",
            Self::Dx12 => "dx12",
            Self::Gl => "gl",
        }
    }

    /// What `auto` chose in an earlier part of a run, from the name that it left in the run's file.
    pub fn chosen_by_auto(name: &str) -> Option<Self> {
        [Self::Cpu, Self::Gpu].into_iter().find(|backend| backend.name() == name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::ValueEnum;

    #[test]
    fn names_are_those_of_the_command_line() {
        for backend in Backend::value_variants() {
            assert_eq!(backend.to_possible_value().unwrap().get_name(), backend.name());
        }
        assert_eq!(Backend::chosen_by_auto("gpu"), Some(Backend::Gpu));
        assert_eq!(Backend::chosen_by_auto("vulkan"), None);
    }
}
