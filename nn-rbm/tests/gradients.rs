//! Every gradient against central differences, in double precision.
//!
//! `check_gradient` moves each parameter by h = 10⁻⁵; the differences are good to about 10⁻⁹, and factors such as
//! 1/cases pass through single precision (6·10⁻⁸). So 10⁻⁶ is tight, and any wrong term exceeds it by orders of
//! magnitude.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod machines;

use machines::{Machine, Part, enumerable, tensor};
use nn_core::{Device, Error, Key, Parameters, Sum, Tensor, check_gradient};
use nn_rbm::{
    GradientAssembly, GradientEstimator, Phase, Phases, Rbm, estimator::Exact, partition::log_partition,
};

const TIGHT: f64 = 1e-6;

/// The parameters of a machine that have a gradient: all but variances and precisions that stay as they are.
struct Learnable(Machine);

fn learnable(visible: &[Part], name: &str) -> bool {
    let fixed = matches!(visible[0], Part::Fixed(_));
    !(name.ends_with("log_variances") && fixed || name.ends_with("precision"))
}

impl Learnable {
    fn is(&self, name: &str) -> bool {
        learnable(self.0.visible, name)
    }
    /// Those of the gradients, in visiting order, that belong to learnable parameters.
    fn gradients(&self, sums: &[Sum<'_>]) -> Vec<Tensor> {
        let mut kept = Vec::new();
        let mut sums = sums.iter();
        self.0.rbm.visit(&mut |name, tensor| {
            let sum = sums.next().unwrap();
            let mut out = tensor.device().zeros(tensor.rows(), tensor.columns());
            sum.store(out.view_mut(), nn_core::ACC);
            if self.is(name) {
                kept.push(out);
            } else {
                assert_eq!(out.to_array_f64().unwrap().sum(), 0.0, "what stays has no gradient");
            }
        });
        kept
    }
}

impl Parameters for Learnable {
    fn visit<'a>(&'a self, see: &mut dyn FnMut(&str, &'a Tensor)) {
        self.0.rbm.visit(&mut |name, tensor| {
            if self.is(name) {
                see(name, tensor)
            }
        });
    }
    fn visit_mut(&mut self, see: &mut dyn FnMut(&str, &mut Tensor)) {
        let visible = self.0.visible;
        self.0.rbm.visit_mut(&mut |name, tensor| {
            if learnable(visible, name) {
                see(name, tensor);
            }
        });
    }
}

fn check(learnable: &mut Learnable, gradients: &[Tensor], value: impl Fn(&Rbm) -> Result<f64, Error>) {
    let worst = check_gradient(learnable, gradients, |learnable| value(&learnable.0.rbm)).unwrap();
    println!("{}: {:.1e} at {}", learnable.0.name, worst.relative, worst.place);
    assert!(worst.relative < TIGHT, "{}: {worst:?}", learnable.0.name);
}

/// ∂(mean −log p(v)) = ∂(mean F) + ∂log Z for every kind of unit, the model phase summed exactly: over all visible
/// states where they are finitely many, by quadrature on a grid where they are real.
#[test]
fn of_the_likelihood() {
    for machine in enumerable(&Device::reference()) {
        let batch = machine.cases(5, Key::new(3));
        let mut assembly = GradientAssembly::default();
        let gradients;
        let mut learnable = Learnable(machine);
        if learnable.0.rbm.visible.states().is_some() {
            let mut exact = Exact::new(&learnable.0.rbm).unwrap();
            let phases = exact.phases(&learnable.0.rbm, &batch, 0, Key::new(0));
            gradients = learnable.gradients(&assembly.gradients(&learnable.0.rbm, &phases, None, None));
        } else {
            let rbm = &learnable.0.rbm;
            let points = learnable.0.definition().visible_points();
            let states: Vec<Vec<f64>> = points.iter().map(|point| point.0.clone()).collect();
            let states = tensor(rbm.device(), &states);
            let (energies, log_z) =
                (rbm.free_energy(&states).to_array_f64().unwrap(), log_partition(rbm).unwrap());
            let weigh =
                |(k, (_, measure)): (usize, &(_, f64))| vec![measure * (-energies[[k, 0]] - log_z).exp()];
            let weights: Vec<Vec<f64>> = points.iter().enumerate().map(weigh).collect();
            let total: f64 = weights.iter().flatten().sum();
            assert!((total - 1.0).abs() < 1e-10, "{}: the grid holds {total}", learnable.0.name);
            let (weights, hidden) = (tensor(rbm.device(), &weights), rbm.mean_hidden(&states));
            let data_hidden = rbm.mean_hidden(&batch);
            let phases = Phases {
                data: Phase { visible: &batch, hidden: &data_hidden, weights: None },
                model: Phase { visible: &states, hidden: &hidden, weights: Some(&weights) },
            };
            gradients = learnable.gradients(&assembly.gradients(rbm, &phases, None, None));
        }
        check(&mut learnable, &gradients, |rbm| Ok(rbm.mean_free_energy(&batch)? + log_partition(rbm)?));
    }
}

/// ∂(mean F over some cases − mean F over others): what both phases are made of, also for real visible under rectified
/// hidden units, whose log Z cannot be enumerated.
#[test]
fn of_free_energies() {
    let device = Device::reference();
    let mut all = enumerable(&device);
    let (real, half) = (&[Part::Learned(3)], &[Part::Rectified(2)]);
    all.push(Machine::new(&device, "Gaussian and hidden rectified", real, half, 1.0));
    for machine in all {
        let (some, others) = (machine.cases(4, Key::new(5)), machine.cases(3, Key::new(6)));
        let rbm = &machine.rbm;
        let (some_hidden, other_hidden) = (rbm.mean_hidden(&some), rbm.mean_hidden(&others));
        let phases = Phases {
            data: Phase { visible: &some, hidden: &some_hidden, weights: None },
            model: Phase { visible: &others, hidden: &other_hidden, weights: None },
        };
        let mut assembly = GradientAssembly::default();
        let mut learnable = Learnable(machine);
        let gradients = learnable.gradients(&assembly.gradients(&learnable.0.rbm, &phases, None, None));
        check(&mut learnable, &gradients, |rbm| {
            Ok(rbm.mean_free_energy(&some)? - rbm.mean_free_energy(&others)?)
        });
    }
}
