//! A device as results name it.

use serde::Serialize;

use crate::machine::Machine;

/// What a reader needs to know of the device that something was measured on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct DeviceDescription {
    /// A word for the head of a column: `cpu`, `vulkan`, `vulkan-2`.
    pub label: String,
    /// The card or the processor.
    pub name: String,
    /// The interface of the driver; none for our kernels on the processor.
    pub api: Option<String>,
    /// `discrete`, `integrated`, `software`, ...
    pub kind: String,
    /// Name and version of the driver.
    pub driver: String,
    /// Whether a driver computes on the processor in place of a card.
    pub software: bool,
}

impl DeviceDescription {
    /// The processor of this machine.
    pub fn cpu() -> Self {
        Self {
            label: "cpu".to_string(),
            name: Machine::here().processor,
            api: None,
            kind: "processor".to_string(),
            driver: String::new(),
            software: false,
        }
    }

    /// Whether it is reached through the driver of a GPU, also one that computes on the processor.
    pub fn is_gpu(&self) -> bool {
        self.api.is_some()
    }

    /// The card's name, where there is a card.
    pub fn card(&self) -> Option<&str> {
        (self.is_gpu() && !self.software).then_some(self.name.as_str())
    }

    /// All in one line: `A card (vulkan, discrete), driver A 1.2`.
    pub fn in_words(&self) -> String {
        let mut words: Vec<&str> = self.api.iter().map(String::as_str).collect();
        words.push(&self.kind);
        let mut text = format!("{} ({})", self.name, words.join(", "));
        if !self.driver.is_empty() {
            text.push_str(&format!(", driver {}", self.driver));
        }
        text
    }

    /// Whether a library that computes on a card of this name computes on this very device. Drivers give the same
    /// card longer and shorter names.
    pub fn is_card(&self, name: &str) -> bool {
        let (ours, theirs) = (self.name.to_lowercase(), name.to_lowercase());
        self.card().is_some() && !theirs.is_empty() && (ours.contains(&theirs) || theirs.contains(&ours))
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// A card found through this interface.
    pub(in crate::bench) fn gpu(name: &str, api: &str) -> DeviceDescription {
        DeviceDescription {
            label: api.to_string(),
            name: name.to_string(),
            api: Some(api.to_string()),
            kind: "discrete".to_string(),
            driver: "A driver 1.2".to_string(),
            software: false,
        }
    }

    #[test]
    fn a_device_is_told_in_one_line() {
        assert_eq!(gpu("A card", "vulkan").in_words(), "A card (vulkan, discrete), driver A driver 1.2");
        assert!(DeviceDescription::cpu().in_words().ends_with(" (processor)"));
    }

    #[test]
    fn only_a_real_card_is_a_card() {
        let card = gpu("NVIDIA H100 80GB HBM3", "vulkan");
        assert!(card.is_card("nvidia h100 80gb hbm3") && card.is_card("H100"));
        assert!(!card.is_card("Radeon") && !card.is_card(""));
        assert_eq!(DeviceDescription { software: true, ..card }.card(), None);
        assert_eq!(DeviceDescription::cpu().card(), None);
    }
}
