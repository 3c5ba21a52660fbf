//! The registry: one file or folder an experiment in this folder, one line an experiment in [`experiments`].

mod cdbn;
mod cdbn_digits;
mod cifar10;
mod dbm_mnist;
mod dbn_mnist;
mod deep_autoencoder;
mod depth_difficulty;
mod dropout_mnist;
mod gated_shift;
mod lcn;
mod lenet_mnist;
mod mlp_backprop;
mod multi_column;
mod pretraining;
mod psd_topographic;
mod random_filters;
mod rbm_digits_classify;
mod rbm_estimators;
mod rbm_mnist;
mod reconstruction_tica_deep;
mod saxe_architectures;
mod self_taught;
mod shape_bm_horses;
mod single_layer;
mod sparse_autoencoder;
mod sparse_coding;
mod tica;
mod tiled_cnn;
mod v1;
mod v2;

use crate::experiment::Experiment;

/// Every experiment that `nn-bench experiment` can run, in the order in which they are listed.
pub fn experiments() -> Vec<Box<dyn Experiment>> {
    vec![
        Box::new(rbm_mnist::RbmMnist),
        Box::new(rbm_estimators::RbmEstimators),
        Box::new(rbm_digits_classify::RbmDigitsClassify),
        Box::new(dbn_mnist::DbnMnist),
        Box::new(dbm_mnist::DbmMnist { layers: 2 }),
        Box::new(dbm_mnist::DbmMnist { layers: 3 }),
        Box::new(shape_bm_horses::ShapeBmHorses),
        Box::new(cdbn::Cdbn),
        Box::new(cdbn_digits::CdbnDigits),
        Box::new(gated_shift::GatedShift),
        Box::new(v1::V1),
        Box::new(v2::V2),
        Box::new(lenet_mnist::LenetMnist),
        Box::new(cifar10::Cifar10),
        Box::new(random_filters::RandomFilters),
        Box::new(saxe_architectures::SaxeArchitectures),
        Box::new(tiled_cnn::TiledCnn),
        Box::new(multi_column::MultiColumn),
        Box::new(mlp_backprop::MlpBackprop),
        Box::new(depth_difficulty::DepthDifficulty),
        Box::new(pretraining::Pretraining),
        Box::new(deep_autoencoder::DeepAutoencoder),
        Box::new(dropout_mnist::DropoutMnist),
        Box::new(tica::Tica),
        Box::new(psd_topographic::PsdTopographic),
        Box::new(reconstruction_tica_deep::ReconstructionTicaDeep),
        Box::new(sparse_autoencoder::SparseAutoencoder),
        Box::new(lcn::Lcn),
        Box::new(sparse_coding::SparseCoding),
        Box::new(self_taught::SelfTaught),
        Box::new(single_layer::SingleLayer),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn every_experiment_is_fit_to_be_listed_and_run() {
        let mut names = HashSet::new();
        for experiment in experiments() {
            let name = experiment.name();
            assert!(names.insert(name), "two experiments are called {name}");
            let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
            assert!(!name.is_empty() && name.chars().all(plain), "{name}: a name is lower case with hyphens");
            assert!(
                !experiment.title().is_empty() && !experiment.summary().is_empty(),
                "{name}: says nothing"
            );
            let profiles: Vec<_> = experiment.profiles().iter().map(|profile| profile.name).collect();
            for needed in ["quick", "default"] {
                assert!(profiles.contains(&needed), "{name} has no profile '{needed}'");
            }
        }
    }
}
