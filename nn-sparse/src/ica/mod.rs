//! Independent components and what grew out of them: FastICA, independent subspaces, topographic maps, and the forms with
//! reconstruction, which need no orthonormal filters.

pub mod fast_ica;
pub mod orthonormal;
pub mod orthonormal_descent;
pub mod reconstruction;
pub mod topographic;
