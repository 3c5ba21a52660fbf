//! Eigenvalues and eigenvectors of symmetric matrices, the same on every machine.

use ndarray::{Array1, Array2, Axis};

/// Eigenvalues by falling size, and their eigenvectors.
#[derive(Clone, Debug)]
pub(crate) struct Eigen {
    pub values: Array1<f64>,
    /// A row each, of length 1, the entry of largest magnitude positive: the first of them if several are.
    pub vectors: Array2<f64>,
}

/// More sweeps than any matrix needs: they converge quadratically.
const SWEEPS: usize = 50;
/// What an element off the diagonal may be, as a share of the largest on it.
const NOTHING: f64 = 1e-18;

impl Eigen {
    /// Of a symmetric matrix, by Jacobi's rotations in cyclic order. Only additions, multiplications, divisions and
    /// square roots, in a fixed order, all of which IEEE 754 rounds in one way. Costs about 60 · size³.
    pub(crate) fn of(matrix: Array2<f64>) -> Eigen {
        let size = matrix.nrows();
        assert_eq!(size, matrix.ncols(), "eigenvectors of a matrix that is not square");
        let mut matrix: Vec<Vec<f64>> = matrix.rows().into_iter().map(|row| row.to_vec()).collect();
        let mut vectors: Vec<Vec<f64>> =
            Array2::eye(size).rows().into_iter().map(|row| row.to_vec()).collect();
        for _ in 0..SWEEPS {
            let largest = (0..size).fold(0.0f64, |largest, at| largest.max(matrix[at][at].abs()));
            let (nothing, mut turned) = (largest * NOTHING, false);
            for first in 0..size {
                for second in first + 1..size {
                    turned |= turn(&mut matrix, &mut vectors, [first, second], nothing);
                }
            }
            if !turned {
                break;
            }
        }
        let mut order: Vec<usize> = (0..size).collect();
        order.sort_by(|&a, &b| matrix[b][b].total_cmp(&matrix[a][a]));
        let values = order.iter().map(|&at| matrix[at][at]).collect();
        let mut sorted = Array2::zeros((size, size));
        for (mut row, &at) in sorted.axis_iter_mut(Axis(0)).zip(&order) {
            let vector = &vectors[at];
            let largest =
                vector.iter().fold(0.0f64, |largest, &v| if v.abs() > largest.abs() { v } else { largest });
            let sign = if largest < 0.0 { -1.0 } else { 1.0 };
            row.iter_mut().zip(vector).for_each(|(out, &value)| *out = sign * value);
        }
        Eigen { values, vectors: sorted }
    }
}

/// Makes the element (first, second) 0 by a rotation, unless its magnitude is at most `nothing`; whether it did.
fn turn(
    matrix: &mut [Vec<f64>],
    vectors: &mut [Vec<f64>],
    [first, second]: [usize; 2],
    nothing: f64,
) -> bool {
    let (off, low, high) = (matrix[first][second], matrix[first][first], matrix[second][second]);
    if off.abs() <= nothing {
        return false;
    }
    let ratio = (high - low) / (2.0 * off);
    let tangent = ratio.signum() / (ratio.abs() + (1.0 + ratio * ratio).sqrt());
    let cosine = 1.0 / (1.0 + tangent * tangent).sqrt();
    let sine = tangent * cosine;
    for rows in [&mut *matrix, vectors] {
        let (above, below) = rows.split_at_mut(second);
        for (a, b) in above[first].iter_mut().zip(&mut below[0]) {
            (*a, *b) = (cosine * *a - sine * *b, sine * *a + cosine * *b);
        }
    }
    // The rotation from the other side changes the columns as the rows were, but for the four where they cross.
    matrix[first][first] = low - tangent * off;
    matrix[second][second] = high + tangent * off;
    (matrix[first][second], matrix[second][first]) = (0.0, 0.0);
    for at in 0..matrix.len() {
        if at != first && at != second {
            (matrix[at][first], matrix[at][second]) = (matrix[first][at], matrix[second][at]);
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;

    #[test]
    fn a_matrix_by_hand() {
        let Eigen { values, vectors } = Eigen::of(array![[2.0, -1.0], [-1.0, 2.0]]);
        let half = 0.5f64.sqrt();
        assert!((&values - &array![3.0, 1.0]).iter().all(|off| off.abs() < 1e-12), "{values}");
        // Both entries of the first are as large: the first one is positive.
        assert!(
            (&vectors - &array![[half, -half], [half, half]]).iter().all(|off| off.abs() < 1e-12),
            "{vectors}"
        );
    }

    #[test]
    fn vectors_are_orthonormal_and_rebuild_the_matrix() {
        // Rank 10 of 30: most eigenvalues are 0, and many equal.
        let factor =
            Array2::from_shape_fn((10, 30), |(i, j)| ((i * 31 + j * 17 + i * j * 7) % 23) as f64 - 11.0);
        let matrix = factor.t().dot(&factor);
        let Eigen { values, vectors } = Eigen::of(matrix.clone());
        let close =
            |a: &Array2<f64>, b: &Array2<f64>, bound: f64| (a - b).iter().all(|off| off.abs() < bound);
        assert!(close(&vectors.dot(&vectors.t()), &Array2::eye(30), 1e-12));
        let rebuilt = vectors.t().dot(&(&vectors * &values.view().insert_axis(Axis(1))));
        assert!(close(&rebuilt, &matrix, 1e-9 * values[0]));
        assert!(values.windows(2).into_iter().all(|pair| pair[0] >= pair[1]));
        assert!(values.iter().skip(10).all(|value| value.abs() < 1e-10 * values[0]), "{values}");
    }
}
