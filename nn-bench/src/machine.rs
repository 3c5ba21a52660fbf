//! The machine a run took place on, as its report names it.

use std::fs;
use std::thread;

/// What a reader needs to judge durations. A value that this system does not tell is `unknown`.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Machine {
    /// The processor's model name.
    pub processor: String,
    /// Threads that this process may run at once.
    pub cores: usize,
    /// Memory of the machine.
    pub memory: String,
    /// Operating system, version and architecture.
    pub system: String,
}

impl Machine {
    /// Asks the operating system.
    pub fn here() -> Self {
        let read = |path| fs::read_to_string(path).unwrap_or_default();
        let unknown = || "unknown".to_string();
        let release = value_of(&read("/etc/os-release"), "PRETTY_NAME", '=');
        let kernel = read("/proc/sys/kernel/osrelease");
        let parts = [
            release.unwrap_or_else(|| std::env::consts::OS.to_string()),
            kernel.trim().to_string(),
            std::env::consts::ARCH.to_string(),
        ];
        Self {
            processor: value_of(&read("/proc/cpuinfo"), "model name", ':').unwrap_or_else(unknown),
            cores: thread::available_parallelism().map_or(1, usize::from),
            memory: value_of(&read("/proc/meminfo"), "MemTotal", ':')
                .and_then(|value| value.trim_end_matches(" kB").parse::<u64>().ok())
                .map_or_else(unknown, |kibibytes| {
                    format!("{:.1} GiB", kibibytes as f64 / f64::from(1 << 20))
                }),
            system: parts.iter().filter(|part| !part.is_empty()).cloned().collect::<Vec<_>>().join(", "),
        }
    }
}

/// The value of the first line `key<separator>value`, without quotes.
fn value_of(text: &str, key: &str, separator: char) -> Option<String> {
    text.lines()
        .filter_map(|line| line.split_once(separator))
        .find(|(name, _)| name.trim() == key)
        .map(|(_, value)| value.trim().trim_matches('"').to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_tables_of_the_system() {
        let table = "processor\t: 0\nmodel name\t: A Chip @ 2 GHz\nmodel name\t: Another";
        assert_eq!(value_of(table, "model name", ':').as_deref(), Some("A Chip @ 2 GHz"));
        assert_eq!(
            value_of("PRETTY_NAME=\"Some Linux 12\"", "PRETTY_NAME", '=').as_deref(),
            Some("Some Linux 12")
        );
        assert_eq!(value_of("", "x", ':'), None);
    }

    #[test]
    fn says_something_everywhere() {
        let machine = Machine::here();
        assert!(machine.cores >= 1 && !machine.system.is_empty() && !machine.processor.is_empty());
    }
}
