use super::*;
use std::f64::consts::PI;

#[test]
fn derivatives_are_those_of_central_differences() {
    let wave = Wave { values: [5.2, 6.1, 0.7, 0.9, 0.6, 0.17, 0.8, -0.5] };
    for (y, x) in [(3, 4), (6, 5), (8, 2)] {
        let slopes = wave.at(y, x).1;
        for parameter in 0..8 {
            let moved = |by: f64| {
                let mut values = wave.values;
                values[parameter] += by;
                Wave { values }.at(y, x).0
            };
            let central = (moved(1e-6) - moved(-1e-6)) / 2e-6;
            assert!(
                (central - slopes[parameter]).abs() < 1e-8,
                "{parameter}: {central} {}",
                slopes[parameter]
            );
        }
    }
}

#[test]
fn a_gabor_function_is_found_again() {
    for at in 0..12 {
        let draw = |what: u64| f64::from(Key::new(at).uniform(what));
        let made = GaborFit {
            centre: [4.5 + 3.0 * draw(0), 4.5 + 3.0 * draw(1)],
            orientation: PI * draw(2),
            // Of several cycles: filters have no mean, and neither may this have much of one.
            frequency: 0.22 + 0.1 * draw(3),
            deviations: [1.8 + draw(4), 1.5 + 1.5 * draw(5)],
            phase: PI * (2.0 * draw(6) - 1.0),
            amplitude: 0.5 + draw(7),
            explained: 1.0,
        };
        let found = GaborFit::of(made.values([12, 12]).view());
        assert!(found.explained > 0.99, "{made:?} {found:?}");
        let turned = (found.orientation - made.orientation).abs();
        assert!(turned.min(PI - turned) < 0.1, "{made:?} {found:?}");
        assert!((found.frequency - made.frequency).abs() < 0.03, "{made:?} {found:?}");
        // What the fit describes is what it says it explains.
        let filter = made.values([12, 12]);
        let centred = &filter - filter.mean().unwrap();
        let rest = (&centred - &found.values([12, 12])).mapv(|value| value * value).sum();
        let total = centred.mapv(|value| value * value).sum();
        assert!((1.0 - rest / total - found.explained).abs() < 1e-9, "{found:?}");
    }
}

#[test]
fn noise_is_fitted_badly_and_smooth_noise_less_so() {
    let median = |smoothing: f64| {
        let fit = |at: u64| GaborFit::of(noise_filter([12, 12], smoothing, Key::new(at)).view()).explained;
        let mut explained: Vec<f64> = (0..15).map(fit).collect();
        explained.sort_by(f64::total_cmp);
        explained[7]
    };
    let (white, smooth) = (median(0.0), median(1.5));
    assert!(white < 0.35, "{white}");
    assert!(smooth > white + 0.2 && smooth < 0.9, "{white} {smooth}");
}

#[test]
fn flat_filters_explain_nothing() {
    let flat = GaborFit::of(Array2::from_elem((8, 9), 0.3).view());
    assert_eq!((flat.explained, flat.amplitude), (0.0, 0.0));
    assert!(flat.values([8, 9]).iter().all(|&value| value == 0.0));
}
