//! What the environment says: the program reads it once and hands it down.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::PathBuf;

use crate::run_error::RunError;

const DATA: &str = "NN_DATA_DIR";
const ADAPTER: &str = "NN_GPU_ADAPTER";
const MEMORY: &str = "NN_GPU_MEMORY";
const CHECKED: &str = "NN_GPU_CHECKED";
const FAULT: &str = "NN_GPU_FAULT";

/// The variables that concern this program, as they were found. Those of the GPU are judged when one is opened: who
/// computes on the processor is not stopped by them.
#[derive(Clone, Debug, Default)]
pub struct Environment {
    variables: BTreeMap<&'static str, OsString>,
}

/// What the environment wants of a GPU.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GpuSettings {
    /// `NN_GPU_ADAPTER`: only adapters whose name contains this.
    pub adapter: Option<String>,
    /// `NN_GPU_MEMORY`, which is in MiB: most bytes of device memory to use.
    pub memory_cap: Option<u64>,
    /// `NN_GPU_CHECKED=1`: the bounds checks of shaders are kept in optimised builds.
    pub checked: bool,
    /// `NN_GPU_FAULT`: what is to go wrong, for testing what happens then.
    pub fault: Option<ProvokedFault>,
}

/// What goes wrong on purpose, on the first device that the process opens and on no later one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProvokedFault {
    /// `lost:N`: the device is lost after N dispatches.
    Lost(u64),
    /// `memory:N`: the device has no memory left after N buffer creations.
    OutOfMemory(u64),
}

impl Environment {
    /// Asks for each variable that concerns the program; an empty one is as good as none.
    pub fn read(variable: impl Fn(&str) -> Option<OsString>) -> Self {
        let found = [DATA, ADAPTER, MEMORY, CHECKED, FAULT].into_iter().filter_map(|name| {
            let value = variable(name).filter(|value| !value.is_empty())?;
            Some((name, value))
        });
        Self { variables: found.collect() }
    }

    /// `NN_DATA_DIR`: the folder of the data files.
    pub fn data(&self) -> Option<PathBuf> {
        self.variables.get(DATA).map(PathBuf::from)
    }

    /// The variables of the GPU.
    ///
    /// # Errors
    ///
    /// [`RunError::Environment`] with the first value that means nothing.
    pub fn gpu(&self) -> Result<GpuSettings, RunError> {
        Ok(GpuSettings {
            adapter: self.value(ADAPTER),
            memory_cap: self.parsed(MEMORY, "it must be a number of MiB above 0", |text| {
                text.parse::<u64>().ok().filter(|mebibytes| *mebibytes > 0)?.checked_mul(1 << 20)
            })?,
            checked: self
                .parsed(CHECKED, "it must be 0 or 1", |text| match text {
                    "0" => Some(false),
                    "1" => Some(true),
                    _ => None,
                })?
                .unwrap_or(false),
            fault: self.parsed(FAULT, "it must be lost:N or memory:N with a number N", fault)?,
        })
    }

    fn value(&self, name: &str) -> Option<String> {
        self.variables.get(name).map(|value| value.to_string_lossy().into_owned())
    }

    fn parsed<T>(
        &self,
        name: &'static str,
        allowed: &'static str,
        parse: impl Fn(&str) -> Option<T>,
    ) -> Result<Option<T>, RunError> {
        let Some(given) = self.value(name) else { return Ok(None) };
        let value = parse(given.trim());
        value.map(Some).ok_or(RunError::Environment { name, given, allowed })
    }
}

fn fault(text: &str) -> Option<ProvokedFault> {
    let (kind, after) = text.split_once(':')?;
    let after = after.parse().ok()?;
    match kind {
        "lost" => Some(ProvokedFault::Lost(after)),
        "memory" => Some(ProvokedFault::OutOfMemory(after)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(name: &'static str, value: &str) -> Environment {
        Environment::read(|asked| (asked == name).then(|| OsString::from(value)))
    }

    #[test]
    fn each_variable_is_read() {
        assert_eq!(with(DATA, "here").data(), Some(PathBuf::from("here")));
        assert_eq!(with(ADAPTER, "GeForce").gpu().unwrap().adapter.as_deref(), Some("GeForce"));
        assert_eq!(with(MEMORY, "512").gpu().unwrap().memory_cap, Some(512 << 20));
        assert!(with(CHECKED, "1").gpu().unwrap().checked && !with(CHECKED, "0").gpu().unwrap().checked);
        assert_eq!(with(FAULT, "lost:7").gpu().unwrap().fault, Some(ProvokedFault::Lost(7)));
        assert_eq!(with(FAULT, "memory:0").gpu().unwrap().fault, Some(ProvokedFault::OutOfMemory(0)));
        assert_eq!(with(MEMORY, "").gpu().unwrap(), GpuSettings::default());
        assert_eq!(with(DATA, "").data(), None);
    }

    #[test]
    fn what_means_nothing_is_refused_with_what_would() {
        let wrong = [(MEMORY, "much"), (MEMORY, "0"), (MEMORY, "99999999999999"), (CHECKED, "yes")];
        for (name, value) in wrong.into_iter().chain([(FAULT, "lost"), (FAULT, "fire:3"), (FAULT, "lost:-1")])
        {
            let message = with(name, value).gpu().unwrap_err().to_string();
            assert!(message.starts_with(&format!("{name} is '{value}', but it must be")), "{message}");
        }
    }
}
