//! How far to go in a direction.

use nn_core::Error;

use super::dot;

/// c₁ of [`Lbfgs`](super::Lbfgs).
const DECREASE: f64 = 1e-4;
/// c₂.
const CURVATURE: f64 = 0.9;
/// Evaluations, at most.
const TRIES: usize = 30;
/// How far from the ends of an interval the next point lies, as a share of it.
const MARGIN: f64 = 0.1;

/// A point on the line, and the gradient there.
#[derive(Clone, Debug)]
pub(super) struct Along {
    pub point: Vec<f64>,
    pub gradient: Vec<f64>,
}

/// A distance α with φ(α) = f(x + αd) and φ′(α).
#[derive(Clone, Copy, Debug)]
struct Place {
    distance: f64,
    value: f64,
    slope: f64,
}

/// Finds a distance that fulfils the strong conditions of Wolfe, from (x, d, f(x), dᵀg < 0), and leaves point and gradient in
/// `trial`: Nocedal and Wright's algorithms 3.5 and 3.6 with cubic interpolation. What is not finite counts as too far.
///
/// If rounding hides the decrease that is asked for, a point whose value is not above the first one's and whose slope is
/// flatter is taken. None: there is none.
pub(super) fn search<F>(
    (point, direction, value, slope): (&[f64], &[f64], f64, f64),
    first: f64,
    trial: &mut Along,
    function: &mut F,
) -> Result<Option<f64>, Error>
where
    F: FnMut(&[f64], &mut [f64]) -> Result<f64, Error>,
{
    let start = Place { distance: 0.0, value, slope };
    // The interval: its better end, and the other one once there is one.
    let (mut best, mut other): (Place, Option<Place>) = (start, None);
    let mut distance = first;
    for _ in 0..TRIES {
        let steps = trial.point.iter_mut().zip(point).zip(direction);
        steps.for_each(|((to, from), by)| *to = from + distance * by);
        let value = function(&trial.point, &mut trial.gradient)?;
        let found = Place { distance, value, slope: dot(&trial.gradient, direction) };
        let finite = found.value.is_finite() && found.slope.is_finite();
        let low = finite && found.value <= start.value + DECREASE * distance * start.slope;
        if low && found.slope.abs() <= CURVATURE * start.slope.abs() {
            return Ok(Some(found.value));
        }
        let noise = f64::EPSILON.sqrt() * start.value.abs();
        let hidden = finite && (distance * start.slope).abs() < noise;
        if hidden && found.value <= start.value && found.slope.abs() <= CURVATURE * start.slope.abs() {
            return Ok(Some(found.value));
        }
        if !low || found.value >= best.value && best.distance > 0.0 {
            other = Some(found);
        } else {
            // Towards where it falls from here: the other end lies there, or is still to be found.
            let onwards = if other.is_some_and(|other| other.distance < best.distance) { -1.0 } else { 1.0 };
            if found.slope * onwards >= 0.0 {
                other = Some(best);
            }
            best = found;
        }
        distance = match other {
            None => best.distance * 4.0,
            Some(other) => between(best, other),
        };
        if distance == best.distance || distance < f64::MIN_POSITIVE {
            break;
        }
    }
    Ok(None)
}

/// The minimum of the cubic through both ends, kept away from them; the middle, if it has none.
fn between(a: Place, b: Place) -> f64 {
    let width = b.distance - a.distance;
    let middle = a.distance + 0.5 * width;
    if !(b.value.is_finite() && b.slope.is_finite()) {
        return a.distance + MARGIN * width;
    }
    let d1 = a.slope + b.slope - 3.0 * (a.value - b.value) / (a.distance - b.distance);
    let inside = d1 * d1 - a.slope * b.slope;
    if inside < 0.0 {
        return middle;
    }
    let d2 = width.signum() * inside.sqrt();
    let share = 1.0 - (b.slope + d2 - d1) / (b.slope - a.slope + 2.0 * d2);
    if !share.is_finite() {
        return middle;
    }
    a.distance + share.clamp(MARGIN, 1.0 - MARGIN) * width
}
