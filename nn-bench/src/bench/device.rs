//! The suite `device`: what decides how fast a GPU is, on any device. Large products, memory, draws, and updates of a
//! 784–1024 machine at the batches of large machines.

use super::bench_error::BenchError;
use super::conditions::Conditions;
use super::matrices::Matrices;
use super::workload::Workload;
use super::{elements, product, updates};

/// Square products, updates by contrastive divergence, and passes through memory.
///
/// # Errors
///
/// If the device fails or a matrix for the peers cannot be written.
pub fn workloads(conditions: &Conditions, matrices: &mut Matrices) -> Result<Vec<Workload>, BenchError> {
    let mut all = Vec::new();
    for &size in conditions.sizes.squares {
        all.push(product::workload(format!("square-{size}"), [size; 3], conditions.device, matrices)?);
    }
    all.extend(updates::workloads(conditions, matrices)?);
    all.extend(elements::workloads(conditions, matrices)?);
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::conditions::Sizes;
    use crate::bench::inputs::Inputs;
    use ndarray::Array2;
    use nn_core::Device;

    #[test]
    fn every_workload_does_its_work() {
        let digits = Array2::from_shape_fn((10, 784), |(i, j)| f32::from(u8::from((i + j) % 3 == 0)));
        let inputs = Inputs { digits, ..Inputs::none() };
        let conditions = Conditions { device: &Device::cpu(), inputs: &inputs, sizes: Sizes::TINY };
        let temporary = tempfile::tempdir().unwrap();
        let mut matrices = Matrices::new(Some(temporary.path()));
        let mut workloads = workloads(&conditions, &mut matrices).unwrap();
        let names: Vec<_> = workloads.iter().map(|workload| workload.name.as_str()).collect();
        let memory = ["assign", "copy", "sum-rows", "sum-columns", "max-groups", "softmax", "uniform"];
        assert_eq!(names, [&["square-8", "cd1-4"][..], &memory[..]].concat());
        let yardsticks = workloads.iter().filter(|workload| workload.yardstick);
        let names: Vec<_> = yardsticks.map(|workload| workload.name.as_str()).collect();
        assert_eq!(names, ["square-8", "assign", "copy"]);
        for workload in &mut workloads {
            workload.ours.unit().unwrap();
            workload.ours.unit().unwrap();
            workload.ours.wait().unwrap();
            let figure = workload.ours.figure().unwrap();
            // Means of uniform numbers a and b: of a·b summed over 8, a + b, a, sums over 2 rows and 1,024 columns, the
            // largest of 16, a softmax over 16, and a.
            let (expected, width) = match workload.name.as_str() {
                "square-8" => (2.0, 1.0),
                "cd1-4" => (0.2, 0.2),
                "assign" | "sum-rows" => (1.0, 0.1),
                "sum-columns" => (512.0, 30.0),
                "max-groups" => (16.0 / 17.0, 0.05),
                "softmax" => (1.0 / 16.0, 1e-5),
                _ => (0.5, 0.05),
            };
            assert!((figure - expected).abs() < width, "{}: {figure}, not {expected}", workload.name);
        }
        let handed: Vec<_> = matrices.arguments().chunks(5).map(|words| words[1].clone()).collect();
        assert_eq!(
            handed,
            ["square-8/left", "square-8/right", "cd1/inputs", "cd1/weights", "elements/shape"]
        );
    }
}
