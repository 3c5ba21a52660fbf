//! What needs a driver: a GPU or a software one. One program, so that a device is opened once.
//!
//! The environment variable `NN_GPU_TEST` says what to do without one: `require` fails, `off` skips in any case, and
//! anything else skips and says so. In `require`, the software driver of the floor (Mesa 22.3) must skip nothing.
#![allow(clippy::unwrap_used, reason = "what fails in a test should end it")]

mod adapter;
mod arithmetic;
mod conformance;
mod transfers;
