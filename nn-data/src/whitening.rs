//! Whitening of patches: after it their values are uncorrelated and of variance 1.

mod file;

use ndarray::{Array1, Array2, ArrayView2, Axis, Slice};

use crate::DataError;
use crate::eigen::Eigen;

/// Into which coordinates patches are whitened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WhiteningKind {
    /// Those of the principal directions: one value for each that is kept.
    Pca,
    /// Those of the patch, by the symmetric map, which changes patches least: the result looks like one.
    Zca,
}

/// A basis in which patches are white, and how to get there.
///
/// With the mean μ, the eigenvalues d and the eigenvectors E (a column each) of the covariance of the patches it was made
/// from, and ε: y = diag(d + ε)^−½ Eᵀ (x − μ) for PCA, E times that for ZCA.
///
/// The basis is computed in double precision from patches in a fixed order by operations that IEEE 754 rounds in one way:
/// the same patches give the same bits on every machine. Eigenvalues fall, and the entry of largest magnitude of each
/// eigenvector is positive. Directions in which the patches do not vary (eigenvalues up to 10 · 2⁻⁵² · max(cases, values)
/// times the largest) are left out, whatever ε is.
///
/// ```
/// use nn_data::synthetic::dead_leaves;
/// use nn_data::{PatchDraw, Whitening, WhiteningKind, contrast};
/// use rand_core::SeedableRng;
///
/// # fn main() -> Result<(), nn_data::DataError> {
/// let mut generator = rand_pcg::Pcg64::seed_from_u64(1);
/// let image = dead_leaves::draw([64, 64], [1.0, 16.0], &mut generator)?;
/// let draw = PatchDraw { size: [6, 6], count: 500, border: 0, least_deviation: 0.01 };
/// let mut patches = draw.draw(&[image], &mut generator)?; // 500 × 36
/// contrast::remove_mean(patches.view_mut());
/// let whitening = Whitening::of(patches.view(), WhiteningKind::Zca, 0.01, None)?;
/// let white = whitening.apply(patches.view());
/// assert_eq!(white.dim(), (500, 36));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Whitening {
    kind: WhiteningKind,
    epsilon: f64,
    mean: Array1<f64>,
    /// By falling size, one for each direction that is kept.
    variances: Array1<f64>,
    /// Orthonormal, a row each.
    directions: Array2<f64>,
}

impl Whitening {
    /// Of these patches (cases × values), with all directions in which they vary, or the `components` of most variance.
    /// Costs cases · values² and about 60 · values³.
    ///
    /// # Errors
    ///
    /// [`DataError::Setting`] if ε is negative or not finite, there are fewer than two patches, more components are asked
    /// for than there are directions in which patches vary, or none; [`DataError::Malformed`] for a value that is not
    /// finite.
    pub fn of(
        patches: ArrayView2<'_, f32>,
        kind: WhiteningKind,
        epsilon: f64,
        components: Option<usize>,
    ) -> Result<Self, DataError> {
        let (cases, values) = patches.dim();
        if !(epsilon >= 0.0 && epsilon.is_finite()) {
            return Err(setting("the ε of whitening", epsilon, "give 0 or a positive number".into()));
        }
        if cases < 2 || values == 0 {
            let size = format!("{cases} × {values}");
            return Err(setting(
                "the size of the patches",
                size,
                "give at least two patches with values".into(),
            ));
        }
        if let Some(((row, column), value)) = patches.indexed_iter().find(|(_, value)| !value.is_finite()) {
            return Err(DataError::Malformed {
                origin: "patches to be whitened".into(),
                place: format!("row {row}, column {column}"),
                fault: format!("the value is {value}"),
                remedy: "leave that patch out",
            });
        }
        let mean = mean(patches);
        let Eigen { values: variances, vectors } = Eigen::of(covariance(patches, &mean));
        let threshold = 10.0 * f64::EPSILON * cases.max(values) as f64 * variances[0];
        let rank = variances.iter().take_while(|&&variance| variance > threshold.max(0.0)).count();
        let kept = components.unwrap_or(rank);
        if kept == 0 || kept > rank {
            let allowed =
                format!("the patches vary in {rank} directions; give patches that vary, and 1 to {rank}");
            return Err(setting("the number of components", kept, allowed));
        }
        let variances = variances.slice_axis(Axis(0), Slice::from(..kept)).to_owned();
        let directions = vectors.slice_axis(Axis(0), Slice::from(..kept)).to_owned();
        Ok(Self { kind, epsilon, mean, variances, directions })
    }

    /// Into which coordinates.
    pub fn kind(&self) -> WhiteningKind {
        self.kind
    }

    /// What is added to the variances.
    pub fn epsilon(&self) -> f64 {
        self.epsilon
    }

    /// The mean of the patches.
    pub fn mean(&self) -> &Array1<f64> {
        &self.mean
    }

    /// The variances along the directions, by falling size.
    pub fn variances(&self) -> &Array1<f64> {
        &self.variances
    }

    /// The directions that are kept, orthonormal, a row each.
    pub fn directions(&self) -> &Array2<f64> {
        &self.directions
    }

    /// Values of a whitened patch: the number of directions for PCA, the values of a patch for ZCA.
    pub fn outputs(&self) -> usize {
        match self.kind {
            WhiteningKind::Pca => self.variances.len(),
            WhiteningKind::Zca => self.mean.len(),
        }
    }

    /// The map from x − μ to y, outputs × values.
    pub fn matrix(&self) -> Array2<f64> {
        self.scaled(|variance| 1.0 / (variance + self.epsilon).sqrt())
    }

    /// Whitened patches: cases × [`outputs`](Self::outputs).
    ///
    /// # Panics
    ///
    /// If the patches have another number of values.
    #[track_caller]
    pub fn apply(&self, patches: ArrayView2<'_, f32>) -> Array2<f32> {
        assert_eq!(
            patches.ncols(),
            self.mean.len(),
            "patches and the basis that whitens them differ in values"
        );
        let centred = patches.mapv(f64::from) - &self.mean;
        centred.dot(&self.matrix().t()).mapv(|value| value as f32)
    }

    /// Patches from whitened ones: what whitening kept of them, exactly.
    ///
    /// # Panics
    ///
    /// If the whitened patches have another number of values.
    #[track_caller]
    pub fn invert(&self, whitened: ArrayView2<'_, f32>) -> Array2<f32> {
        assert_eq!(whitened.ncols(), self.outputs(), "whitened patches and their basis differ in values");
        let back = self.scaled(|variance| (variance + self.epsilon).sqrt());
        (whitened.mapv(f64::from).dot(&back) + &self.mean).mapv(|value| value as f32)
    }

    /// diag(f(d)) Eᵀ, for ZCA with E before it.
    fn scaled(&self, factor: impl Fn(f64) -> f64) -> Array2<f64> {
        let scaled = &self.directions * &self.variances.mapv(factor).insert_axis(Axis(1));
        match self.kind {
            WhiteningKind::Pca => scaled,
            WhiteningKind::Zca => self.directions.t().dot(&scaled),
        }
    }
}

fn mean(patches: ArrayView2<'_, f32>) -> Array1<f64> {
    let mut sums = Array1::<f64>::zeros(patches.ncols());
    for patch in patches.rows() {
        sums.zip_mut_with(&patch, |sum, &value| *sum += f64::from(value));
    }
    sums / patches.nrows() as f64
}

/// Sums over the cases in their order: the product of a library of linear algebra would depend on the processor.
fn covariance(patches: ArrayView2<'_, f32>, mean: &Array1<f64>) -> Array2<f64> {
    let values = patches.ncols();
    let mut sums = vec![0.0; values * values];
    let mut centred = vec![0.0; values];
    for patch in patches.rows() {
        for (out, (&value, mean)) in centred.iter_mut().zip(patch.iter().zip(mean)) {
            *out = f64::from(value) - mean;
        }
        for (at, row) in sums.chunks_exact_mut(values).enumerate() {
            let factor = centred[at];
            row[at..].iter_mut().zip(&centred[at..]).for_each(|(sum, &value)| *sum += factor * value);
        }
    }
    let at = |(row, column): (usize, usize)| sums[row.min(column) * values + row.max(column)];
    Array2::from_shape_fn((values, values), |place| at(place) / patches.nrows() as f64)
}

fn setting(name: &'static str, value: impl ToString, allowed: String) -> DataError {
    DataError::Setting { name, value: value.to_string(), allowed }
}

#[cfg(test)]
mod tests;
