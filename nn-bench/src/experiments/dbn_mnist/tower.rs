//! A network each machine of which begins as the one below it upside down: with the bound that was reached below.

use nn_core::Key;
use nn_rbm::dbn::Dbn;

use super::{PIXELS, Stage, WEIGHTS};
use crate::report::short_number;
use crate::run::Run;
use crate::run_error::{RunError, WhileDoing};

/// What a profile sets.
pub(super) struct Tower {
    /// Hidden units of the first and the third layer; the second has as many as there are pixels.
    pub hidden: usize,
    /// Of each machine.
    pub epochs: [u64; 3],
    /// At the start; they fall to 0. What begins with weights that know much already is to keep that.
    pub rates: [f32; 3],
}

impl Tower {
    fn sizes(&self) -> [usize; 3] {
        [self.hidden, PIXELS, self.hidden]
    }

    pub fn described(&self) -> String {
        let [first, second, third] = self.sizes();
        let Tower { epochs, rates, .. } = self;
        format!("{PIXELS}-{first}-{second}-{third}, {epochs:?} epochs, rates {rates:?} falling to 0")
    }
}

impl Stage<'_> {
    /// Trains a tower from this machine and reports the bound of each layer.
    pub(super) fn tower(&self, run: &mut Run, mut dbn: Dbn, key: Key) -> Result<(), RunError> {
        let tower = &self.recipe.tower;
        let mut rows = Vec::new();
        for (layer, &hidden) in tower.sizes().iter().enumerate() {
            if layer > 0 {
                let key = key.fold_in(WEIGHTS).fold_in(layer as u64);
                dbn = dbn.add_transposed(hidden, None, key).while_doing("adding a layer")?;
            }
            let stage = format!("tower{}", layer + 1);
            let mut learner =
                self.recipe.learner(dbn, tower.rates[layer], self.updates(tower.epochs[layer]), key)?;
            let watched: Vec<usize> = (0..1000.min(self.train.len())).collect();
            let watch = self.train.cases(&watched, key);
            let training = self.training(&stage, tower.epochs[layer], 20 + layer as u64);
            training.run(run, &mut learner, &self.train, watch)?;
            dbn = learner.into_dbn();
            let bound = self.bound(run, &dbn, &stage)?;
            rows.push(vec![
                (layer + 1).to_string(),
                short_number(bound.forward),
                short_number(bound.reverse),
            ]);
        }
        let title =
            "Lower bound on log p of the test digits, each machine begun as the one below upside down";
        run.report.table(title, &["layers", "with forward AIS", "with reverse AIS"], rows)?;
        Ok(())
    }
}
