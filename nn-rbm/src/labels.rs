//! Labels inside the machine: a joint model of data and classes, which classifies by free energy.
//!
//! The visible layer is [`Joined`](crate::units::Joined): data first, then one softmax group for the label. Then
//! p(y | v) = e^(−F(v, y)) / Σ e^(−F(v, y')), where all classes share the product of the data with the weights
//! (Larochelle and Bengio, 2008).

use crate::Rbm;
use ndarray::{Array2, ArrayView2};
use nn_core::{ACC, Dataset, Error, OLD, Over, Reduction, Sum, Tensor, x};

/// Data and one-hot labels side by side, cases × (data + classes): what a machine with labels is trained on.
///
/// # Errors
/// If there are not as many labels as cases, or a label is not below the number of classes.
pub fn join(data: ArrayView2<'_, f32>, labels: &[u8], classes: usize) -> Result<Array2<f32>, Error> {
    if labels.len() != data.nrows() {
        let allowed = format!("there are {} cases", data.nrows());
        return Err(Error::setting("number of labels", labels.len(), &allowed));
    }
    if let Some(label) = labels.iter().find(|label| usize::from(**label) >= classes) {
        return Err(Error::setting("label", label, &format!("there are {classes} classes")));
    }
    let width = data.ncols();
    Ok(Array2::from_shape_fn((data.nrows(), width + classes), |(case, column)| {
        if column < width {
            data[[case, column]]
        } else {
            f32::from(u8::from(usize::from(labels[case]) == column - width))
        }
    }))
}

/// F(v, y) of every case and class less E(v), which is the same for all classes; cases × classes.
///
/// # Errors
/// If the last `classes` visible units do not leave as many columns as the data have.
pub fn free_energies(rbm: &Rbm, data: &Tensor, classes: usize) -> Result<Tensor, Error> {
    let width = data.columns();
    if width + classes != rbm.visible.len() {
        let given = format!("{width} columns and {classes} classes");
        let allowed = format!("the machine has {} visible units", rbm.visible.len());
        return Err(Error::setting("data and classes", given, &allowed));
    }
    let device = rbm.device();
    let (cases, hidden) = (data.rows(), rbm.hidden.len());
    let (mut shared, mut with_label) = (device.zeros(cases, hidden), device.zeros(cases, hidden));
    {
        // Data without a label, which is a state like any other to the statistic.
        let (mut unlabelled, mut statistic) = (device.zeros(cases, rbm.visible.len()), None);
        unlabelled.column_range_mut(0..width).assign(data);
        if !rbm.visible.plain_statistic() {
            let out = statistic.insert(device.zeros(cases, rbm.visible.len()));
            rbm.visible.statistic(unlabelled.view(), out.view_mut());
        }
        shared.product(statistic.as_ref().unwrap_or(&unlabelled).dot(&rbm.weights), ACC);
    }
    let energy = |label: Option<usize>| {
        let mut state = Array2::<f32>::zeros((1, rbm.visible.len()));
        if let Some(class) = label {
            state[[0, width + class]] = 1.0;
        }
        let mut energy = device.zeros(1, 1);
        rbm.visible.energy(device.tensor(&state).view(), 1.0, 0.0, energy.view_mut());
        energy
    };
    let of_no_label = energy(None);
    let mut out = device.zeros(cases, classes);
    for class in 0..classes {
        // The label enters the hidden units as one more row of weights, and has the energy −b_y.
        let row = rbm.weights.row_range(width + class..width + class + 1);
        with_label.assign(x(&shared) + row);
        let mut column = out.column_range_mut(class..class + 1);
        rbm.hidden.cumulant(&Sum::from(&with_label), -1.0, 0.0, column.reborrow());
        column.assign(OLD + &energy(Some(class)) - &of_no_label);
    }
    Ok(out)
}

/// F of data whose label is summed out, −log Σ over y of e^(−F(v, y)), cases × 1: p(v) = e^(−F) / Z.
///
/// # Errors
/// As [`free_energies`].
pub fn free_energy(rbm: &Rbm, data: &Tensor, classes: usize) -> Result<Tensor, Error> {
    let energies = free_energies(rbm, data, classes)?;
    let (device, cases) = (rbm.device(), data.rows());
    let mut unlabelled = device.zeros(cases, rbm.visible.len());
    unlabelled.column_range_mut(0..data.columns()).assign(data);
    let (mut largest, mut out) = (device.zeros(cases, 1), device.zeros(cases, 1));
    let grid = [cases, classes];
    largest.reduce(grid, Over::Columns, Reduction::Max, -x(&energies), ACC);
    let shifted = (-x(&energies) - &largest).exp();
    out.reduce(grid, Over::Columns, Reduction::Sum, shifted, -(ACC.log() + &largest));
    // E(v): a label of zeros adds nothing to it.
    rbm.visible.energy(unlabelled.view(), 1.0, 1.0, out.view_mut());
    Ok(out)
}

/// The class of least free energy of every case.
///
/// # Errors
/// As [`free_energies`], or if the device failed.
pub fn classify(rbm: &Rbm, data: &Tensor, classes: usize) -> Result<Vec<u8>, Error> {
    let energies = free_energies(rbm, data, classes)?.to_array_f64()?;
    let least = |row: ndarray::ArrayView1<'_, f64>| {
        let best = row.iter().enumerate().fold((0, f64::INFINITY), |best, (class, energy)| {
            if *energy < best.1 { (class, *energy) } else { best }
        });
        best.0 as u8
    };
    Ok(energies.rows().into_iter().map(least).collect())
}

/// Share of the cases whose class is not the given one, in [0, 1].
///
/// # Errors
/// As [`classify`], or if there are not as many labels as cases.
pub fn classification_error(rbm: &Rbm, data: &Tensor, labels: &[u8], classes: usize) -> Result<f64, Error> {
    let found = classify(rbm, data, classes)?;
    if found.len() != labels.len() {
        let allowed = format!("there are {} cases", found.len());
        return Err(Error::setting("number of labels", labels.len(), &allowed));
    }
    let wrong = found.iter().zip(labels).filter(|(found, label)| found != label).count();
    Ok(wrong as f64 / labels.len() as f64)
}

/// Refuses data without the columns or labels of the model.
pub(crate) fn check(data: &Dataset, inputs: usize, classes: Option<usize>) -> Result<(), Error> {
    if data.columns() != inputs {
        let problem = format!("cases of {} values for a network of {inputs} inputs", data.columns());
        return Err(Error::Data(problem));
    }
    let given = data.targets().map(Tensor::columns);
    match classes {
        Some(classes) if given != Some(classes) => Err(Error::Data(format!(
            "the network has a label of {classes} classes, the data have {}; make them with labels",
            given.map_or("none".to_string(), |given| format!("targets of {given} values"))
        ))),
        _ => Ok(()),
    }
}
