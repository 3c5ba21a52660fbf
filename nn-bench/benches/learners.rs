//! Updates of a 784–500 RBM at batch 100, and steps of annealed importance sampling.

use std::error::Error;
use std::time::Duration;

use criterion::{Criterion, Throughput};
use nn_core::{Cases, Device, Key, Learner, Penalty, Sgd};
use nn_rbm::ais::{Ais, Betas};
use nn_rbm::estimator::{ContrastiveDivergence, GradientEstimator, Persistent};
use nn_rbm::{Path, Rbm, RbmLearner};

const CASES: usize = 100;
const VISIBLE: usize = 784;
const HIDDEN: usize = 500;
/// Temperatures of one measured run of annealed importance sampling.
const STEPS: usize = 10;

fn main() -> Result<(), Box<dyn Error>> {
    let mut criterion = Criterion::default()
        .sample_size(10)
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_secs(1))
        .configure_from_args();
    updates(&mut criterion)?;
    annealing(&mut criterion)?;
    criterion.final_summary();
    Ok(())
}

fn machine(device: &Device) -> Result<Rbm, Box<dyn Error>> {
    Ok(Rbm::bernoulli(device, VISIBLE, HIDDEN, Key::new(1))?)
}

fn updates(criterion: &mut Criterion) -> Result<(), Box<dyn Error>> {
    let device = Device::cpu();
    let (digits, _) = nn_data::mnist::embedded()?;
    let first: Vec<usize> = (0..CASES).collect();
    let batch = device.tensor(&digits.rows(&first)?.to_f32()).into();
    let rbm = machine(&device)?;
    let persistent = Persistent::new(&rbm, CASES, 1, Key::new(2))?;
    update(criterion, "CD-1", machine(&device)?, ContrastiveDivergence::new(1)?, &batch)?;
    update(criterion, "CD-10", machine(&device)?, ContrastiveDivergence::new(10)?, &batch)?;
    update(criterion, "PCD-1", rbm, persistent, &batch)
}

fn update(
    criterion: &mut Criterion,
    name: &str,
    rbm: Rbm,
    estimator: impl GradientEstimator + 'static,
    batch: &Cases,
) -> Result<(), Box<dyn Error>> {
    let sgd = Sgd::new(&rbm, 0.05, 0.9, Penalty::l2(2e-4))?;
    let mut learner = RbmLearner::new(rbm, estimator, sgd);
    let mut updates = 0;
    criterion.benchmark_group("update").throughput(Throughput::Elements(CASES as u64)).bench_function(
        name,
        |b| {
            b.iter(|| {
                learner.update(batch, updates, Key::new(updates));
                updates += 1;
            });
        },
    );
    Ok(())
}

fn annealing(criterion: &mut Criterion) -> Result<(), Box<dyn Error>> {
    let rbm = machine(&Device::cpu())?;
    let ais = Ais::new(Path::from_model(&rbm), Betas::uniform(STEPS)?);
    let mut group = criterion.benchmark_group("annealed importance sampling");
    group.throughput(Throughput::Elements(STEPS as u64));
    group.bench_function("steps", |b| b.iter(|| ais.forward(&rbm, CASES, Key::new(3))));
    group.finish();
    Ok(())
}
