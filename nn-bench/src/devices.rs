//! Opening the device of a backend.

use std::sync::atomic::AtomicBool;

use nn_core::Device;

use crate::backend::Backend;
use crate::environment::Environment;
use crate::progress::say;
use crate::run_error::{RunError, WhileDoing, one_line};
use crate::trial::Trial;

/// Opens devices as the environment wants them.
#[derive(Debug, Default)]
pub struct Devices {
    environment: Environment,
    /// A fault is provoked once: the device that is opened after it is to work.
    fault_provoked: AtomicBool,
}

/// A device, and what a report says about it.
#[derive(Debug)]
pub struct Opened {
    /// The device.
    pub device: Device,
    /// Its backend; of `auto`, the one that was chosen.
    pub backend: Backend,
    /// Names and values for the settings of the report.
    pub settings: Vec<(&'static str, String)>,
    /// Whether it is a software driver.
    software: bool,
}

impl Opened {
    fn plain(backend: Backend, device: Device) -> Self {
        Self { device, backend, settings: Vec::new(), software: false }
    }
}

impl Devices {
    /// Devices as this environment wants them.
    pub fn new(environment: Environment) -> Self {
        Self { environment, fault_provoked: AtomicBool::new(false) }
    }

    /// Says before anything is computed or written what would keep a backend from being opened, as far as that is known
    /// without looking for adapters.
    ///
    /// # Errors
    ///
    /// If the program was built without that backend, or a variable of the environment means nothing.
    pub fn check(&self, backend: Backend) -> Result<(), RunError> {
        match backend {
            Backend::Cpu | Backend::Reference => Ok(()),
            _ if !cfg!(feature = "gpu") => Err(RunError::BackendNotBuilt { backend: backend.name() }),
            _ => self.environment.gpu().map(drop),
        }
    }

    /// The device of a backend. `auto` builds the trial on the processor and on the best GPU, and takes the faster.
    ///
    /// # Errors
    ///
    /// If the program was built without that backend, the environment asks for the impossible, or there is no such
    /// adapter.
    pub fn open(
        &self,
        backend: Backend,
        trial: impl Fn(&Device) -> Result<Trial, RunError>,
    ) -> Result<Opened, RunError> {
        match backend {
            Backend::Cpu => Ok(Opened::plain(backend, Device::cpu())),
            Backend::Reference => Ok(Opened::plain(backend, Device::reference())),
            Backend::Auto => self.choose(trial),
            Backend::Gpu | Backend::Vulkan | Backend::Metal | Backend::Dx12 | Backend::Gl => {
                self.open_gpu(backend)
            }
        }
    }

    /// The faster of the processor and the best GPU.
    fn choose(&self, trial: impl Fn(&Device) -> Result<Trial, RunError>) -> Result<Opened, RunError> {
        let processor = |why: String| {
            say(&format!("auto: cpu, {why}"));
            let settings = vec![("chosen by auto", format!("cpu, {why}"))];
            Ok(Opened { settings, ..Opened::plain(Backend::Cpu, Device::cpu()) })
        };
        let gpu = match self.open_gpu(Backend::Auto) {
            Ok(opened) if opened.software => {
                return processor("as the only adapter is a software driver".into());
            }
            Ok(opened) => opened,
            // What the user can put right is said; that there is no GPU is what `auto` is for.
            Err(error @ RunError::Failed { .. }) => {
                return processor(format!("as no GPU could be opened ({})", one_line(&error)));
            }
            Err(error) => return Err(error),
        };
        let time = |device: &Device| trial(device)?.seconds().while_doing("timing an update");
        let processor_seconds = time(&Device::cpu())?;
        let gpu_seconds = match time(&gpu.device) {
            Ok(seconds) => seconds,
            Err(error) => return processor(format!("as the GPU failed ({})", one_line(&error))),
        };
        let times = format!(
            "an update takes {:.3} ms on cpu and {:.3} ms on gpu",
            1e3 * processor_seconds,
            1e3 * gpu_seconds
        );
        if processor_seconds <= gpu_seconds {
            return processor(times);
        }
        say(&format!("auto: gpu, {times}"));
        let mut settings = gpu.settings;
        settings.push(("chosen by auto", format!("gpu, {times}")));
        Ok(Opened { settings, ..Opened::plain(Backend::Gpu, gpu.device) })
    }

    #[cfg(not(feature = "gpu"))]
    fn open_gpu(&self, backend: Backend) -> Result<Opened, RunError> {
        let _ = (&self.environment, &self.fault_provoked);
        Err(RunError::BackendNotBuilt { backend: backend.name() })
    }

    #[cfg(feature = "gpu")]
    fn open_gpu(&self, backend: Backend) -> Result<Opened, RunError> {
        use std::sync::atomic::Ordering;

        use crate::environment::ProvokedFault;
        use nn_gpu::{Api, Choice, Fault, Kind, Settings};

        let api = match backend {
            Backend::Vulkan => Some(Api::Vulkan),
            Backend::Metal => Some(Api::Metal),
            Backend::Dx12 => Some(Api::Dx12),
            Backend::Gl => Some(Api::Gl),
            Backend::Cpu | Backend::Reference | Backend::Auto | Backend::Gpu => None,
        };
        let wanted = self.environment.gpu()?;
        // Who names an interface gets what speaks it; who wants any GPU wants a real one.
        let choice = Choice { api, name: wanted.adapter, software: api.is_some() };
        let fault = wanted.fault.filter(|_| !self.fault_provoked.swap(true, Ordering::SeqCst));
        let settings = Settings {
            memory_cap: wanted.memory_cap,
            checked: wanted.checked,
            fault: fault.map(|fault| match fault {
                ProvokedFault::Lost(after) => Fault::Lost { after },
                ProvokedFault::OutOfMemory(after) => Fault::OutOfMemory { after },
            }),
            ..Settings::default()
        };
        let gpu = crate::tuned_gpu::open(&choice, &settings).while_doing("opening the GPU")?;
        let adapter = gpu.adapter();
        let driver = format!("{} {}", adapter.driver, adapter.driver_info);
        let settings = vec![
            ("adapter", format!("{} ({}, {})", adapter.name, adapter.api, adapter.kind)),
            ("driver", driver.trim().to_string()),
        ];
        Ok(Opened { device: gpu.device(), backend, settings, software: adapter.kind == Kind::Software })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn no_trial(_: &Device) -> Result<Trial, RunError> {
        panic!("only auto needs a trial")
    }

    #[test]
    fn the_processor_needs_nothing() {
        let devices = Devices::default();
        assert_eq!(devices.open(Backend::Cpu, no_trial).unwrap().device.name(), "cpu");
        assert_eq!(devices.open(Backend::Reference, no_trial).unwrap().device.name(), "reference");
    }

    #[cfg(not(feature = "gpu"))]
    #[test]
    fn a_program_without_gpu_says_how_to_get_one() {
        for backend in [Backend::Auto, Backend::Gpu, Backend::Vulkan, Backend::Gl] {
            let message = Devices::default().open(backend, no_trial).unwrap_err().to_string();
            assert!(message.contains(&format!("the backend '{}'", backend.name())), "{message}");
            assert!(message.contains("build nn-bench with --features g"), "{message}");
        }
    }

    #[cfg(feature = "gpu")]
    #[test]
    fn what_the_environment_wants_in_vain_is_refused() {
        use std::ffi::OsString;

        let with = |name: &'static str, value: &'static str| {
            Devices::new(Environment::read(|asked| (asked == name).then(|| OsString::from(value))))
        };
        let nobody = with("NN_GPU_ADAPTER", "no card has such a name");
        let message = one_line(&nobody.open(Backend::Vulkan, no_trial).unwrap_err());
        assert!(
            message.contains("no vulkan adapter whose name contains 'no card has such a name'"),
            "{message}"
        );
        // `auto` computes on the processor then, and says why.
        let opened = nobody.open(Backend::Auto, no_trial).unwrap();
        assert_eq!((opened.backend, opened.settings[0].0), (Backend::Cpu, "chosen by auto"));
        let message = with("NN_GPU_MEMORY", "x").open(Backend::Auto, no_trial).unwrap_err().to_string();
        assert!(message.starts_with("NN_GPU_MEMORY is 'x'"), "{message}");
    }
}
