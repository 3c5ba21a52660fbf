//! Parallel tempering: chains at several inverse temperatures that exchange states.

use super::{GradientEstimator, keep_or_make};
use crate::{Path, PathPoint, Phase, Phases, Rbm};
use nn_core::{ACC, Error, Expr, Key, OLD, Parameters, Tensor, x};

/// PT (Desjardins et al. 2010, Cho et al. 2010): each of n chains has a replica at every inverse temperature of a path from
/// independent units (0) to the model (1). After a Gibbs sweep neighbouring replicas r, s change places with probability
/// min(1, p_r(v_s)·p_s(v_r) / (p_r(v_r)·p_s(v_s))), even pairs at even updates and odd pairs at odd ones; the replicas at
/// β = 1 are the model phase. [`ParallelTempering::swap_rates`] tells how often each pair did.
#[derive(Debug)]
pub struct ParallelTempering {
    path: Path,
    betas: Vec<f64>,
    points: Vec<PathPoint>,
    /// Visible states at each temperature, chains × visible.
    replicas: Vec<Tensor>,
    /// Swaps accepted and offered for each pair, 1 × pairs.
    accepted: Tensor,
    offered: Tensor,
    work: [Option<Tensor>; 4],
    /// S(v)·W of both sides of a swap.
    inputs: [Tensor; 2],
    energies: Vec<Tensor>,
}

impl ParallelTempering {
    /// Chains at `temperatures` equally spaced inverse temperatures from 0 to 1.
    ///
    /// # Errors
    /// If there is no chain or are fewer than two temperatures.
    pub fn new(rbm: &Rbm, path: Path, chains: usize, temperatures: usize, key: Key) -> Result<Self, Error> {
        if chains == 0 || temperatures < 2 {
            let given = format!("{chains} chains at {temperatures} temperatures");
            return Err(Error::setting(
                "parallel tempering",
                given,
                "it needs a chain and at least two temperatures",
            ));
        }
        let last = (temperatures - 1) as f64;
        let betas: Vec<f64> = (0..temperatures).map(|r| r as f64 / last).collect();
        let device = rbm.device();
        let points: Vec<PathPoint> = betas.iter().map(|_| path.start()).collect();
        let no_hidden = device.zeros(chains, rbm.hidden.len());
        let start = |r: usize| {
            let mut replica = device.zeros(chains, rbm.visible.len());
            points[0].distribution(&rbm.weights).sample_visible(
                &no_hidden,
                key.fold_in(r as u64),
                &mut replica,
            );
            replica
        };
        let replicas = (0..temperatures).map(start).collect();
        let energies = (0..4).map(|_| device.zeros(chains, 1)).collect();
        let (accepted, offered) = (device.zeros(1, temperatures - 1), device.zeros(1, temperatures - 1));
        Ok(ParallelTempering {
            path,
            betas,
            points,
            replicas,
            accepted,
            offered,
            work: Default::default(),
            inputs: [0, 1].map(|_| device.zeros(chains, rbm.hidden.len())),
            energies,
        })
    }

    /// Visible states of the chains at β = 1.
    pub fn chains(&self) -> &Tensor {
        &self.replicas[self.replicas.len() - 1]
    }

    /// Share of offered swaps that were accepted, for each pair from β = 0 up; NaN where none was offered. Low rates
    /// call for more temperatures. Waits for the device.
    ///
    /// # Errors
    /// If the device failed.
    pub fn swap_rates(&self) -> Result<Vec<f64>, Error> {
        let (accepted, offered) = (self.accepted.to_array_f64()?, self.offered.to_array_f64()?);
        Ok(accepted.iter().zip(&offered).map(|(accepted, offered)| accepted / offered).collect())
    }

    /// One sweep of every replica and one round of swaps.
    pub fn sweep(&mut self, rbm: &Rbm, update: u64, key: Key) {
        let chains = self.replicas[0].rows();
        for (r, (point, replica)) in self.points.iter_mut().zip(&mut self.replicas).enumerate() {
            self.path.go(point, rbm, self.betas[r]);
            let hidden = keep_or_make(&mut self.work[0], rbm, chains, rbm.hidden.len());
            point.distribution(&rbm.weights).sweep(replica, hidden, key.fold_in(r as u64));
        }
        let swaps = key.fold_in(self.replicas.len() as u64);
        for lower in ((update % 2) as usize..self.replicas.len() - 1).step_by(2) {
            self.swap(rbm, lower, swaps.fold_in(lower as u64));
        }
    }

    fn swap(&mut self, rbm: &Rbm, lower: usize, key: Key) {
        let chains = self.replicas[0].rows();
        let (below, above) = self.replicas.split_at_mut(lower + 1);
        let (cold, warm) = (&mut above[0], &mut below[lower]);
        let sides = [&*warm, &*cold];
        // Where the statistic depends on no parameter, one product serves both temperatures.
        let known = rbm.visible.plain_statistic();
        for (input, states) in self.inputs.iter_mut().zip(sides).filter(|_| known) {
            input.product(states.dot(&rbm.weights), ACC);
        }
        for (at, (point, side)) in [(0, 0), (0, 1), (1, 0), (1, 1)].into_iter().enumerate() {
            let (point, out) =
                (self.points[lower + point].distribution(&rbm.weights), &mut self.energies[at]);
            if known {
                point.free_energy_of_input(sides[side], &self.inputs[side], out);
            } else {
                point.free_energy(sides[side], out);
            }
        }
        let [warm_warm, warm_cold, cold_warm, cold_cold] = [0, 1, 2, 3].map(|at| &self.energies[at]);
        // log of p_w(v_c)·p_c(v_w) / (p_w(v_w)·p_c(v_c)), energies being minus log p
        let log_ratio = x(warm_warm) + cold_cold - warm_cold - cold_warm;
        let [_, accept, keep, _] = &mut self.work;
        let accept = keep_or_make(accept, rbm, chains, 1);
        accept.assign((1.0f64 - Expr::Uniform(key)).log().less(log_ratio));
        let keep = keep_or_make(keep, rbm, chains, rbm.visible.len());
        keep.assign(&*warm);
        warm.assign(OLD * (1.0 - x(&*accept)) + x(&*cold) * &*accept);
        cold.assign(OLD * (1.0 - x(&*accept)) + x(&*keep) * &*accept);
        let mut count = self.accepted.column_range_mut(lower..lower + 1);
        let (grid, over) = ([chains, 1], nn_core::Over::Rows);
        count.reborrow().reduce(grid, over, nn_core::Reduction::Sum, &*accept, OLD + ACC);
        self.offered.column_range_mut(lower..lower + 1).assign(OLD + chains as f32);
    }
}

impl GradientEstimator for ParallelTempering {
    fn phases<'a>(&'a mut self, rbm: &Rbm, batch: &'a Tensor, update: u64, key: Key) -> Phases<'a> {
        self.sweep(rbm, update, key);
        let [_, _, _, data_hidden] = &mut self.work;
        let data_hidden = keep_or_make(data_hidden, rbm, batch.rows(), rbm.hidden.len());
        rbm.distribution().mean_hidden(batch, data_hidden);
        let last = self.replicas.len() - 1;
        let model_hidden = keep_or_make(&mut self.work[0], rbm, self.replicas[last].rows(), rbm.hidden.len());
        rbm.distribution().mean_hidden(&self.replicas[last], model_hidden);
        let this: &'a Self = self;
        let of = |at: usize| this.work[at].as_ref().expect("was just filled");
        Phases {
            data: Phase { visible: batch, hidden: of(3), weights: None },
            model: Phase { visible: &this.replicas[last], hidden: of(0), weights: None },
        }
    }
}

impl Parameters for ParallelTempering {
    fn visit<'a>(&'a self, see: &mut dyn FnMut(&str, &'a Tensor)) {
        for (r, replica) in self.replicas.iter().enumerate() {
            see(&format!("replica_{r}"), replica);
        }
        see("swaps_accepted", &self.accepted);
        see("swaps_offered", &self.offered);
    }
    fn visit_mut(&mut self, see: &mut dyn FnMut(&str, &mut Tensor)) {
        for (r, replica) in self.replicas.iter_mut().enumerate() {
            see(&format!("replica_{r}"), replica);
        }
        see("swaps_accepted", &mut self.accepted);
        see("swaps_offered", &mut self.offered);
    }
}
