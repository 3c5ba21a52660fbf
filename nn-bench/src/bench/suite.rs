//! The suites by name.

use super::bench_error::BenchError;
use super::conditions::Conditions;
use super::inputs::Source;
use super::matrices::Matrices;
use super::workload::Workload;
use super::{device, energy, networks, product, rbm, sparse};
use crate::nearest_name::nearest_name;

/// Workloads that belong together and whose peers are one script.
#[derive(Clone, Copy, Debug)]
pub struct Suite {
    /// The name on the command line.
    pub name: &'static str,
    /// The file name of the script of its peers.
    pub script_name: &'static str,
    /// The script.
    pub script: &'static str,
    /// What its workloads learn from.
    pub source: Source,
    /// Whether it is made for devices that compute slowly, too.
    pub any_speed: bool,
    /// Makes the workloads, and hands over the matrices that the peers get.
    pub workloads: fn(&Conditions, &mut Matrices) -> Result<Vec<Workload>, BenchError>,
}

/// All suites, in the order in which they are measured.
pub const SUITES: [Suite; 6] = [
    Suite {
        name: "product",
        script_name: "product.py",
        script: include_str!("../../peers/product.py"),
        source: Source::Numbers,
        any_speed: false,
        workloads: product::workloads,
    },
    Suite {
        name: "rbm",
        script_name: "rbm.py",
        script: include_str!("../../peers/rbm.py"),
        source: Source::Digits,
        any_speed: false,
        workloads: rbm::workloads,
    },
    Suite {
        name: "energy",
        script_name: "energy.py",
        script: include_str!("../../peers/energy.py"),
        source: Source::Digits,
        any_speed: false,
        workloads: energy::workloads,
    },
    Suite {
        name: "device",
        script_name: "device.py",
        script: include_str!("../../peers/device.py"),
        source: Source::Digits,
        any_speed: true,
        workloads: device::workloads,
    },
    Suite {
        name: "networks",
        script_name: "networks.py",
        script: include_str!("../../peers/networks.py"),
        source: Source::Digits,
        any_speed: false,
        workloads: networks::workloads,
    },
    Suite {
        name: "sparse",
        script_name: "sparse.py",
        script: include_str!("../../peers/sparse.py"),
        source: Source::Photographs,
        any_speed: false,
        workloads: sparse::workloads,
    },
];

/// The suite of this name, or all of them.
///
/// # Errors
///
/// [`BenchError::UnknownSuite`], with the nearest name if one is near.
pub fn find_suites(name: Option<&str>) -> Result<&'static [Suite], BenchError> {
    let Some(name) = name else { return Ok(&SUITES) };
    match SUITES.iter().position(|suite| suite.name == name) {
        Some(at) => Ok(&SUITES[at..=at]),
        None => Err(BenchError::UnknownSuite {
            name: name.to_string(),
            nearest: nearest_name(name, SUITES.iter().map(|suite| suite.name)),
            known: SUITES.map(|suite| suite.name).join(", "),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn suites_are_found_by_name_or_all_at_once() {
        assert_eq!(find_suites(None).unwrap().len(), SUITES.len());
        assert_eq!(find_suites(Some("rbm")).unwrap()[0].name, "rbm");
    }

    #[test]
    fn an_unknown_suite_is_answered_with_the_nearest() {
        let message = find_suites(Some("prodct")).unwrap_err().to_string();
        assert_eq!(
            message,
            "no suite is called 'prodct'; did you mean 'product'? the suites are: product, rbm, energy, device, networks, sparse"
        );
        let message = find_suites(Some("zzz")).unwrap_err().to_string();
        assert!(
            !message.contains("did you mean")
                && message.ends_with("product, rbm, energy, device, networks, sparse"),
            "{message}"
        );
    }
}
