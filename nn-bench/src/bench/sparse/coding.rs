//! Codes of patches by the lasso, and an epoch of learning a dictionary.

use std::rc::Rc;

use ndarray::{Array2, ArrayView2, Axis, Slice};
use nn_core::{Error, Key};
use nn_sparse::{Dictionary, DictionaryLearner, Encoding, Lasso};

use super::patches;
use crate::bench::amount::Amount;
use crate::bench::bench_error::BenchError;
use crate::bench::conditions::Conditions;
use crate::bench::matrices::Matrices;
use crate::bench::workload::{Subject, Workload, product_flop};

// The script of the peers has the same numbers.
const SIDE: usize = 12;
const VALUES: usize = SIDE * SIDE;
const ATOMS: usize = 256;
const LAMBDAS: [f64; 2] = [1.0, 0.3];
const BATCH: usize = 100;
/// Patches that are coded and learned from. There are as many again, of which atoms are taken and on which a dictionary that
/// was learned is measured.
pub const SAMPLES: usize = 10_000;
/// Patches that a dictionary is measured on, at most.
const HELD_OUT: usize = 2000;
/// Above it, no code is as good as what peers are asked for.
const LARGEST_GAP: f64 = 1e-6;
const OBJECTIVE: &str = "mean objective, every gap at most 1e-6";

/// Codes at two λ, and learning; of so many samples.
///
/// # Errors
///
/// If patches cannot be made, or a matrix for the peers cannot be written.
pub fn workloads(
    conditions: &Conditions,
    matrices: &mut Matrices,
    samples: usize,
) -> Result<Vec<Workload>, BenchError> {
    let patches = patches::white(&conditions.inputs.photographs, SIDE, 2 * samples, Key::new(6))?;
    let (coded, others) = patches.view().split_at(Axis(0), samples);
    let long = |row: &usize| others.row(*row).dot(&others.row(*row)) > 1.0;
    let chosen: Vec<usize> = (0..samples).filter(long).take(ATOMS).collect();
    let atoms = Dictionary::normalized(double(others.select(Axis(0), &chosen).view()))?;
    // Both sides have to see the same numbers, which are in single precision on the way.
    let single = atoms.atoms().mapv(|value| value as f32);
    let dictionary = Dictionary::new(double(single.view()))?;
    let held_out = others.slice_axis(Axis(0), Slice::from(..HELD_OUT.min(samples)));
    matrices.hand_over("atoms", &conditions.device.tensor(&single))?;
    matrices.hand_over("samples", &conditions.device.tensor(&coded.to_owned()))?;
    matrices.hand_over("held-out", &conditions.device.tensor(&held_out.to_owned()))?;

    let (samples, held_out) = (Rc::new(double(coded)), double(held_out));
    let dictionary = Rc::new(dictionary);
    let products = product_flop(samples.nrows(), VALUES, ATOMS);
    let mut workloads = Vec::new();
    for lambda in LAMBDAS {
        let (dictionary, samples) = (Rc::clone(&dictionary), Rc::clone(&samples));
        workloads.push(Workload {
            name: format!("lasso-{lambda:.1}"),
            work: format!("{} codes of 12×12 patches of {ATOMS} atoms, λ {lambda:.1}", samples.nrows()),
            amount: Amount::Flop(products),
            yardstick: false,
            figure: OBJECTIVE,
            peers: if lambda == LAMBDAS[0] { &["spams", "scikit-learn"] } else { &["spams"] },
            ours: Box::new(Codes { lasso: Lasso::new(lambda)?, dictionary, samples, found: None }),
        });
    }
    let batches = samples.nrows().div_ceil(BATCH);
    let updates = batches as f64 * product_flop(ATOMS, ATOMS, VALUES);
    workloads.push(Workload {
        name: "dictionary".to_string(),
        work: format!("epoch of {batches} minibatches of {BATCH}, {ATOMS} atoms, λ {:.1}", LAMBDAS[0]),
        amount: Amount::Flop(products + updates),
        yardstick: false,
        figure: "held-out mean objective after it",
        peers: &["spams", "scikit-learn"],
        ours: Box::new(Learning {
            lasso: Lasso::new(LAMBDAS[0])?,
            dictionary,
            samples,
            held_out,
            learned: None,
        }),
    });
    Ok(workloads)
}

fn double(matrix: ArrayView2<'_, f32>) -> Array2<f64> {
    matrix.mapv(f64::from)
}

struct Codes {
    lasso: Lasso,
    dictionary: Rc<Dictionary>,
    samples: Rc<Array2<f64>>,
    found: Option<Encoding>,
}

impl Subject for Codes {
    fn unit(&mut self) -> Result<(), Error> {
        self.found = Some(self.lasso.encode(&self.dictionary, self.samples.view())?);
        Ok(())
    }

    fn figure(&mut self) -> Result<f64, Error> {
        if self.found.is_none() {
            self.unit()?;
        }
        let found = self.found.as_ref().map(|found| (found.mean_objective(), found.worst_gap()));
        let (objective, gap) = found.unwrap_or((f64::NAN, f64::NAN));
        if gap <= LARGEST_GAP {
            return Ok(objective);
        }
        Err(Error::Data(format!(
            "the worst gap of the codes is {gap:e}, but at most {LARGEST_GAP:e} was asked for"
        )))
    }
}

/// Each unit begins with the same atoms.
struct Learning {
    lasso: Lasso,
    dictionary: Rc<Dictionary>,
    samples: Rc<Array2<f64>>,
    held_out: Array2<f64>,
    learned: Option<DictionaryLearner>,
}

impl Subject for Learning {
    fn unit(&mut self) -> Result<(), Error> {
        let mut learner = DictionaryLearner::new(&self.dictionary, self.lasso)?;
        for batch in self.samples.axis_chunks_iter(Axis(0), BATCH) {
            learner.update(batch)?;
        }
        self.learned = Some(learner);
        Ok(())
    }

    fn figure(&mut self) -> Result<f64, Error> {
        if self.learned.is_none() {
            self.unit()?;
        }
        let learned = self.learned.as_ref().map_or(&*self.dictionary, DictionaryLearner::dictionary);
        Ok(self.lasso.encode(learned, self.held_out.view())?.mean_objective())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::conditions::Sizes;
    use crate::bench::inputs::{Inputs, Source};
    use nn_core::Device;

    #[test]
    fn every_workload_does_its_work() {
        let inputs = Inputs::load(None, &[Source::Photographs]).unwrap();
        let conditions = Conditions { device: &Device::cpu(), inputs: &inputs, sizes: Sizes::TINY };
        let temporary = tempfile::tempdir().unwrap();
        let mut matrices = Matrices::new(Some(temporary.path()));
        let mut workloads = workloads(&conditions, &mut matrices, 400).unwrap();
        let names: Vec<_> = workloads.iter().map(|workload| workload.name.clone()).collect();
        assert_eq!(names, ["lasso-1.0", "lasso-0.3", "dictionary"]);
        assert_eq!(workloads[0].amount, Amount::Flop(400.0 * 2.0 * 144.0 * 256.0));
        let figures: Vec<f64> =
            workloads.iter_mut().map(|workload| workload.ours.figure().unwrap()).collect();
        // White patches have 144 values of variance 1, and codes of 0 the objective 72.
        assert!(figures[1] < figures[0] && figures[0] < 72.0 && figures[2] < 72.0, "{figures:?}");
        for workload in &mut workloads {
            let before = workload.ours.figure().unwrap();
            workload.ours.unit().unwrap();
            assert_eq!(workload.ours.figure().unwrap(), before, "{}", workload.name);
        }
        let handed: Vec<_> = matrices.arguments().chunks(5).map(|words| words[1].clone()).collect();
        assert_eq!(handed, ["atoms", "samples", "held-out"]);
    }
}
