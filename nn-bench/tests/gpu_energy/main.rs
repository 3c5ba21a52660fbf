//! The tests of the energy models on a GPU: those of nn-rbm, whose single precision is here that of a driver.
//!
//! Conditionals, log Z, mean field, chains, draws and gradients, each against enumeration. A software driver will do.
//! `NN_GPU_TEST=require` fails where there is no driver; anything else says so and takes the processor.
#![allow(clippy::duplicate_mod, reason = "each file of tests brings along what it shares with others")]

mod precision;

#[path = "../../../nn-rbm/tests/ais.rs"]
mod ais;
#[path = "../../../nn-rbm/tests/backends.rs"]
mod backends;
#[path = "../../../nn-rbm/tests/convolutional.rs"]
mod convolutional;
#[path = "../../../nn-rbm/tests/convolutional_stack.rs"]
mod convolutional_stack;
#[path = "../../../nn-rbm/tests/dbm.rs"]
mod dbm;
#[path = "../../../nn-rbm/tests/dbm_learning.rs"]
mod dbm_learning;
#[path = "../../../nn-rbm/tests/dbn.rs"]
mod dbn;
#[path = "../../../nn-rbm/tests/enumeration.rs"]
mod enumeration;
#[path = "../../../nn-rbm/tests/estimators.rs"]
mod estimators;
#[path = "../../../nn-rbm/tests/gated.rs"]
mod gated;
#[path = "../../../nn-rbm/tests/no_drift.rs"]
mod no_drift;
#[path = "../../../nn-rbm/tests/shape.rs"]
mod shape;
#[path = "../../../nn-rbm/tests/shape_gradients.rs"]
mod shape_gradients;
#[path = "../../../nn-rbm/tests/shape_sampling.rs"]
mod shape_sampling;
#[path = "../../../nn-rbm/tests/tempering.rs"]
mod tempering;
#[path = "../../../nn-rbm/tests/up_down.rs"]
mod up_down;
