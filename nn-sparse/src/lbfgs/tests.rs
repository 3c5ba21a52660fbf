use super::*;

/// Rosenbrock's valley of any even dimension, whose minimum is 0 at (1, 1, …).
fn valley(x: &[f64], gradient: &mut [f64]) -> Result<f64, Error> {
    let mut value = 0.0;
    for at in (0..x.len()).step_by(2) {
        let (a, b) = (1.0 - x[at], x[at + 1] - x[at] * x[at]);
        value += a * a + 100.0 * b * b;
        gradient[at] = -2.0 * a - 400.0 * x[at] * b;
        gradient[at + 1] = 200.0 * b;
    }
    Ok(value)
}

#[test]
fn the_valley_is_walked_to_its_end() {
    let mut lbfgs = Lbfgs::new([-1.2, 1.0].repeat(5), 6).unwrap();
    lbfgs.tolerance = 1e-10;
    let (mut steps, mut evaluations, mut last) = (0, 0, f64::INFINITY);
    let mut counted = |x: &[f64], gradient: &mut [f64]| {
        evaluations += 1;
        valley(x, gradient)
    };
    while lbfgs.step(&mut counted).unwrap() == Descent::Moved {
        assert!(lbfgs.value() < last);
        (steps, last) = (steps + 1, lbfgs.value());
        assert!(steps < 100);
    }
    assert!(lbfgs.point().iter().all(|x| (x - 1.0).abs() < 1e-8), "{:?}", lbfgs.point());
    // Most steps take one evaluation.
    assert!(evaluations < steps + steps, "{evaluations} evaluations in {steps} steps");
}

/// ½xᵀAx − bᵀx with A = diag(1 … 1000): the minimum is at b/A, and n steps of the full history find it.
#[test]
fn a_badly_scaled_quadratic() {
    let curvature = |at: usize| 1000f64.powf(at as f64 / 9.0);
    let mut quadratic = |x: &[f64], gradient: &mut [f64]| {
        let terms = x.iter().enumerate().map(|(at, x)| {
            gradient[at] = curvature(at) * x - 1.0;
            0.5 * curvature(at) * x * x - x
        });
        Ok(terms.sum())
    };
    let mut lbfgs = Lbfgs::new(vec![1.0; 10], 20).unwrap();
    lbfgs.tolerance = 1e-9;
    let mut steps = 0;
    while lbfgs.step(&mut quadratic).unwrap() == Descent::Moved {
        steps += 1;
    }
    assert!(steps < 60, "{steps} steps");
    for (at, x) in lbfgs.point().iter().enumerate() {
        assert!((x * curvature(at) - 1.0).abs() < 1e-6, "{at}: {x}");
    }
}

/// Steps fulfil the conditions of Wolfe.
#[test]
fn every_step_decreases_and_flattens() {
    let mut lbfgs = Lbfgs::new([-1.2, 1.0, 0.3, -2.0].to_vec(), 4).unwrap();
    for _ in 0..20 {
        let before = lbfgs.clone();
        if lbfgs.step(&mut valley).unwrap() != Descent::Moved || !before.evaluated {
            continue;
        }
        let step: Vec<f64> = lbfgs.point.iter().zip(&before.point).map(|(to, from)| to - from).collect();
        let (slope, after) = (dot(&step, &before.gradient), dot(&step, &lbfgs.gradient));
        assert!(lbfgs.value <= before.value + 1e-4 * slope && after.abs() <= 0.9 * slope.abs());
    }
}

/// log x is no number below 0: a step that goes there is too long.
#[test]
fn what_is_no_number_is_too_far() {
    let mut function = |x: &[f64], gradient: &mut [f64]| {
        gradient[0] = 1.0 - 0.01 / x[0];
        Ok(x[0] - 0.01 * x[0].ln())
    };
    let mut lbfgs = Lbfgs::new(vec![0.5], 3).unwrap();
    while lbfgs.step(&mut function).unwrap() == Descent::Moved {}
    assert!((lbfgs.point()[0] - 0.01).abs() < 1e-6, "{:?}", lbfgs.point());
    let message = Lbfgs::new(vec![-1.0], 3).unwrap().step(&mut function).unwrap_err().to_string();
    assert!(message.contains("the objective"), "{message}");
}

#[test]
fn a_function_without_slope_has_converged_and_one_that_lies_stalls() {
    let flat = &mut |_: &[f64], gradient: &mut [f64]| {
        gradient[0] = 0.0;
        Ok(1.0)
    };
    assert_eq!(Lbfgs::new(vec![0.0], 3).unwrap().step(flat).unwrap(), Descent::Converged);
    let liar = &mut |x: &[f64], gradient: &mut [f64]| {
        gradient[0] = -1.0;
        Ok(x[0])
    };
    assert_eq!(Lbfgs::new(vec![0.0], 3).unwrap().step(liar).unwrap(), Descent::Stalled);
}

#[test]
fn a_resumed_run_goes_where_the_other_went() {
    let start = || Lbfgs::new([-1.2, 1.0].repeat(3), 4).unwrap();
    let (mut through, mut stopped) = (start(), start());
    for _ in 0..25 {
        through.step(&mut valley).unwrap();
    }
    for _ in 0..11 {
        stopped.step(&mut valley).unwrap();
    }
    let mut resumed = start();
    resumed.restore(&stopped.snapshot(&Device::reference())).unwrap();
    for _ in 0..14 {
        resumed.step(&mut valley).unwrap();
    }
    assert_eq!(through.point(), resumed.point());
    assert_eq!(through.value().to_bits(), resumed.value().to_bits());
    let other = Lbfgs::new(vec![0.0; 2], 4).unwrap().restore(&stopped.snapshot(&Device::reference()));
    assert!(other.unwrap_err().to_string().contains("6 values in the place of 2"));
}

#[test]
fn no_numbers_and_no_history_are_refused() {
    assert!(Lbfgs::new(vec![], 3).unwrap_err().to_string().contains("numbers to be found is 0"));
    assert!(Lbfgs::new(vec![1.0], 0).unwrap_err().to_string().contains("steps of the history is 0"));
}
