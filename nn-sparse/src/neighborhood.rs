//! Which simple units a complex unit pools.

use ndarray::{Array1, Array2, ArrayView2, Axis};
use nn_core::Error;

/// What lies beyond the edge of a map of units.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Edge {
    /// The opposite edge: every unit has as many neighbours.
    Torus,
    /// Nothing: units at the edge have fewer neighbours.
    Open,
}

/// The non-negative matrix H, pools × units, of the energies Σ_j H_ij y_j². Its rows have length 1, Σ_j H_ij² = 1: of n units
/// that are pooled equally each counts 1/√n.
///
/// ```
/// use nn_sparse::{Edge, Neighborhood};
/// let map = Neighborhood::grid([10, 10], 1, Edge::Torus)?; // 3 by 3 units around each of 100
/// assert_eq!((map.pools(), map.units()), (100, 100));
/// assert!((map.matrix()[(0, 99)] - 1.0 / 3.0).abs() < 1e-12);
/// # Ok::<(), nn_core::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Neighborhood {
    pub(crate) shape: Shape,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Shape {
    /// Groups of so many units that follow each other.
    Groups { units: usize, size: usize },
    /// H[(y, x), (v, u)] = rows[y, v] · columns[x, u].
    Grid { rows: Array2<f64>, columns: Array2<f64> },
    /// H itself.
    Matrix(Array2<f64>),
}

impl Neighborhood {
    /// A pool of its own for each unit: independent components.
    ///
    /// # Errors
    ///
    /// [`Error::Setting`] for no units.
    pub fn alone(units: usize) -> Result<Self, Error> {
        Self::subspaces(units, 1)
    }

    /// Units in groups of `size` that follow each other, a pool each: independent subspaces.
    ///
    /// # Errors
    ///
    /// [`Error::Setting`] unless the number of units is a positive multiple of the size.
    pub fn subspaces(units: usize, size: usize) -> Result<Self, Error> {
        if units == 0 || size == 0 || !units.is_multiple_of(size) {
            let allowed = format!("{units} units cannot be divided into groups of it");
            return Err(Error::setting("size of a subspace", size, &allowed));
        }
        Ok(Self { shape: Shape::Groups { units, size } })
    }

    /// Units on a grid of height × width, row after row: a pool around each, of the units at most `radius` rows and columns
    /// away.
    ///
    /// # Errors
    ///
    /// [`Error::Setting`] for a grid without units.
    pub fn grid([height, width]: [usize; 2], radius: usize, edge: Edge) -> Result<Self, Error> {
        if height == 0 || width == 0 {
            let given = format!("{height} by {width}");
            return Err(Error::setting("grid of units", given, "it needs at least one row and one column"));
        }
        let [mut rows, mut columns] = [height, width].map(|side| near(side, radius, edge));
        // Each row of an outer product has the product of the lengths as its length. On a torus all are equal: the factor
        // stands in one of both, so that the other one only adds up.
        let lengths = |matrix: &Array2<f64>| matrix.map_axis(Axis(1), |row| row.sum().sqrt());
        let (of_rows, of_columns) = (lengths(&rows), lengths(&columns));
        if edge == Edge::Torus {
            columns /= of_columns[0] * of_rows[0];
        } else {
            rows /= &of_rows.insert_axis(Axis(1));
            columns /= &of_columns.insert_axis(Axis(1));
        }
        Ok(Self { shape: Shape::Grid { rows, columns } })
    }

    /// Units on a ring.
    ///
    /// # Errors
    ///
    /// [`Error::Setting`] for no units.
    pub fn ring(units: usize, radius: usize) -> Result<Self, Error> {
        Self::grid([1, units], radius, Edge::Torus)
    }

    /// Units on a grid of height × width on a torus, row after row, and square windows of this side whose first units are
    /// `stride` rows or columns apart: they overlap where the stride is smaller than the side. Within a window weights follow a
    /// Gaussian of this deviation, in units, around its middle.
    ///
    /// # Errors
    ///
    /// [`Error::Setting`] for a grid without units, a window that is empty or larger than the grid, a stride that does not
    /// divide the sides of the grid or leaves units out, and a deviation that is not a positive number.
    pub fn windows(
        [height, width]: [usize; 2],
        side: usize,
        stride: usize,
        deviation: f64,
    ) -> Result<Self, Error> {
        if side == 0 || side > height.min(width) {
            let allowed = format!("it must lie between 1 and the sides of a grid of {height} by {width}");
            return Err(Error::setting("side of a window", side, &allowed));
        }
        if stride == 0 || stride > side || height % stride + width % stride > 0 {
            let allowed =
                format!("it must divide {height} and {width} and be at most the side of a window, {side}");
            return Err(Error::setting("stride of windows", stride, &allowed));
        }
        if !(deviation > 0.0 && deviation.is_finite()) {
            return Err(Error::setting("deviation of a window", deviation, "it must be a positive number"));
        }
        let middle = 0.5 * (side as f64 - 1.0);
        let along = |length: usize| {
            Array2::from_shape_fn((length / stride, length), |(window, unit)| {
                let place = (unit + length - window * stride) % length;
                let apart = place as f64 - middle;
                if place < side { (-0.5 * (apart / deviation).powi(2)).exp() } else { 0.0 }
            })
        };
        let (rows, columns) = (along(height), along(width));
        let across = width / stride;
        let weights = Array2::from_shape_fn((rows.nrows() * across, height * width), |(pool, unit)| {
            rows[(pool / across, unit / width)] * columns[(pool % across, unit % width)]
        });
        Self::any(weights.view())
    }

    /// Any neighbourhoods: weights of units (columns) in pools (rows), whose rows are brought to length 1.
    ///
    /// # Errors
    ///
    /// [`Error::Setting`] for no pools, a weight that is negative or not finite, a pool without units.
    pub fn any(weights: ArrayView2<'_, f64>) -> Result<Self, Error> {
        if weights.is_empty() {
            let given = format!("{} by {}", weights.nrows(), weights.ncols());
            return Err(Error::setting("matrix of neighbourhoods", given, "it needs pools and units"));
        }
        if let Some(weight) = weights.iter().find(|weight| !(weight.is_finite() && **weight >= 0.0)) {
            return Err(Error::setting("weight in a pool", weight, "it must be 0 or a positive number"));
        }
        let lengths: Array1<f64> = weights.map_axis(Axis(1), |row| row.dot(&row).sqrt());
        if let Some(empty) = lengths.iter().position(|length| *length == 0.0) {
            return Err(Error::setting("pool without units", empty, "each needs a unit of positive weight"));
        }
        Ok(Self { shape: Shape::Matrix(&weights / &lengths.insert_axis(Axis(1))) })
    }

    /// The number of pools.
    pub fn pools(&self) -> usize {
        match &self.shape {
            Shape::Groups { units, size } => units / size,
            Shape::Grid { rows, columns } => rows.nrows() * columns.nrows(),
            Shape::Matrix(weights) => weights.nrows(),
        }
    }

    /// The number of units.
    pub fn units(&self) -> usize {
        match &self.shape {
            Shape::Groups { units, .. } => *units,
            Shape::Grid { rows, columns } => rows.nrows() * columns.nrows(),
            Shape::Matrix(weights) => weights.ncols(),
        }
    }

    /// H, pools × units.
    pub fn matrix(&self) -> Array2<f64> {
        let at = |pool: usize, unit: usize| match &self.shape {
            Shape::Groups { size, .. } if unit / size == pool => 1.0 / (*size as f64).sqrt(),
            Shape::Groups { .. } => 0.0,
            Shape::Grid { rows, columns } => {
                let width = columns.nrows();
                rows[(pool / width, unit / width)] * columns[(pool % width, unit % width)]
            }
            Shape::Matrix(weights) => weights[(pool, unit)],
        };
        Array2::from_shape_fn((self.pools(), self.units()), |(pool, unit)| at(pool, unit))
    }

    /// The pairs of units, each once, that are neighbours: that some pool has both of.
    pub fn pairs(&self) -> Vec<[usize; 2]> {
        let matrix = self.matrix();
        let shared = matrix.t().dot(&matrix);
        let units = self.units();
        (0..units)
            .flat_map(|a| (a + 1..units).map(move |b| [a, b]))
            .filter(|&[a, b]| shared[(a, b)] > 0.0)
            .collect()
    }
}

/// 1 for places on a line of so many that are at most `radius` apart.
fn near(side: usize, radius: usize, edge: Edge) -> Array2<f64> {
    Array2::from_shape_fn((side, side), |(a, b)| {
        let apart = a.abs_diff(b);
        let apart = if edge == Edge::Torus { apart.min(side - apart) } else { apart };
        f64::from(u8::from(apart <= radius))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_have_length_one_whatever_the_edge() {
        let any = Array2::from_shape_fn((3, 5), |(i, j)| ((i * 5 + j * 3) % 4) as f64);
        for map in [
            Neighborhood::alone(4).unwrap(),
            Neighborhood::subspaces(6, 3).unwrap(),
            Neighborhood::grid([4, 5], 1, Edge::Torus).unwrap(),
            Neighborhood::grid([4, 5], 2, Edge::Open).unwrap(),
            Neighborhood::grid([2, 3], 7, Edge::Torus).unwrap(),
            Neighborhood::ring(7, 2).unwrap(),
            Neighborhood::windows([4, 6], 3, 2, 1.0).unwrap(),
            Neighborhood::any(any.view()).unwrap(),
        ] {
            let matrix = map.matrix();
            assert_eq!(matrix.dim(), (map.pools(), map.units()));
            for row in matrix.rows() {
                assert!((row.dot(&row) - 1.0).abs() < 1e-12, "{map:?}");
            }
        }
    }

    #[test]
    fn a_corner_of_a_torus_and_of_an_open_grid() {
        let inside = |edge| {
            let matrix = Neighborhood::grid([4, 5], 1, edge).unwrap().matrix();
            (0..20).filter(|&unit| matrix[(0, unit)] > 0.0).collect::<Vec<_>>()
        };
        assert_eq!(inside(Edge::Torus), [0, 1, 4, 5, 6, 9, 15, 16, 19]);
        assert_eq!(inside(Edge::Open), [0, 1, 5, 6]);
        let matrix = Neighborhood::grid([4, 5], 1, Edge::Open).unwrap().matrix();
        assert!((matrix[(0, 6)] - 0.5).abs() < 1e-12 && (matrix[(1, 6)] - 6f64.sqrt().recip()).abs() < 1e-12);
    }

    #[test]
    fn windows_overlap_around_the_torus() {
        let matrix = Neighborhood::windows([4, 6], 3, 2, 1.5).unwrap().matrix();
        assert_eq!(matrix.dim(), (2 * 3, 24));
        let inside = |pool: usize| (0..24).filter(|&unit| matrix[(pool, unit)] > 0.0).collect::<Vec<_>>();
        assert_eq!(inside(0), [0, 1, 2, 6, 7, 8, 12, 13, 14]);
        assert_eq!(inside(5), [0, 4, 5, 12, 16, 17, 18, 22, 23]);
        // A corner of a window is √2 from its middle, a side 1.
        let ratio = |distance: f64| (-0.5 * distance / 2.25).exp();
        assert!((matrix[(0, 0)] / matrix[(0, 7)] - ratio(2.0)).abs() < 1e-12);
        assert!((matrix[(0, 1)] / matrix[(0, 7)] - ratio(1.0)).abs() < 1e-12);
        let alone = Neighborhood::windows([2, 3], 1, 1, 1.0).unwrap();
        assert_eq!(alone.matrix(), Neighborhood::alone(6).unwrap().matrix());
    }

    #[test]
    fn pairs_share_a_pool() {
        assert_eq!(Neighborhood::subspaces(4, 2).unwrap().pairs(), [[0, 1], [2, 3]]);
        assert!(Neighborhood::alone(3).unwrap().pairs().is_empty());
        // Two of three pools around them overlap: up to two places apart.
        assert_eq!(Neighborhood::ring(9, 1).unwrap().pairs().len(), 18);
    }

    #[test]
    fn grids_and_matrices_that_make_no_sense_are_refused_in_one_line() {
        let message = |result: Result<Neighborhood, Error>| result.unwrap_err().to_string();
        assert_eq!(
            message(Neighborhood::subspaces(10, 4)),
            "size of a subspace is 4, but 10 units cannot be divided into groups of it"
        );
        assert!(message(Neighborhood::grid([0, 3], 1, Edge::Open)).contains("grid of units is 0 by 3"));
        let windows =
            |side, stride, deviation| message(Neighborhood::windows([4, 6], side, stride, deviation));
        assert!(windows(5, 2, 1.0).contains("side of a window is 5"));
        assert!(windows(4, 3, 1.0).contains("stride of windows is 3"));
        assert!(windows(1, 2, 1.0).contains("stride of windows is 2"));
        assert!(windows(3, 2, 0.0).contains("deviation of a window is 0"));
        assert!(message(Neighborhood::any(Array2::from_elem((2, 2), -1.0).view())).contains("-1"));
        assert!(message(Neighborhood::any(Array2::zeros((2, 2)).view())).contains("pool without units is 0"));
        assert!(message(Neighborhood::any(Array2::zeros((0, 2)).view())).contains("0 by 2"));
    }
}
