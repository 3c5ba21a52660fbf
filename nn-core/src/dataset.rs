//! Cases on a device, gathered into shuffled minibatches there.

use crate::classification::check_labels;
use crate::{Augmentation, Cases, Device, Error, Expr, Key, Tensor, expr::x};
use ndarray::{Array2, ArrayView2};
use rand_core::RngCore;

/// How real-valued inputs in [0, 1] become what a model sees, batch by batch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub enum Binarize {
    /// They stay as they are.
    #[default]
    Never,
    /// Each value is the probability of a one, drawn anew whenever its case is used.
    EachTime,
}

/// Purpose of a key: that of augmentation. Pixels are drawn with the key itself.
const AUGMENTATION: u64 = 1;

/// Inputs, one case a row, and targets where there are any; uploaded once.
#[derive(Debug)]
pub struct Dataset {
    cases: Cases,
    augmentation: Option<Box<dyn Augmentation>>,
    /// How the inputs become those of minibatches, after they were altered if they are.
    pub binarize: Binarize,
}

impl Dataset {
    /// Copies the cases to the device.
    ///
    /// # Errors
    /// [`Error::Data`] without cases or with a value that is not finite, naming its row and column.
    pub fn new(device: &Device, inputs: ArrayView2<'_, f32>, binarize: Binarize) -> Result<Dataset, Error> {
        Ok(Dataset { cases: upload(device, inputs)?.into(), augmentation: None, binarize })
    }

    /// Cases with the class of each, 0 to `classes` − 1, as one-hot targets.
    ///
    /// # Errors
    /// As [`Dataset::new`], and [`Error::Data`] for another number of labels or one that is no class. A class without a
    /// case is allowed.
    pub fn labelled(
        device: &Device,
        inputs: ArrayView2<'_, f32>,
        labels: &[usize],
        classes: usize,
    ) -> Result<Dataset, Error> {
        check_labels(labels, classes)?;
        let mut targets = Array2::zeros((labels.len(), classes));
        for (case, &label) in labels.iter().enumerate() {
            targets[[case, label]] = 1.0;
        }
        Dataset::new(device, inputs, Binarize::Never)?.with_targets(targets.view())
    }

    /// The same cases with these targets, a row for each: what outputs are to become.
    ///
    /// # Errors
    /// [`Error::Data`] for another number of targets than of cases, or a value that is not finite.
    pub fn with_targets(self, targets: ArrayView2<'_, f32>) -> Result<Dataset, Error> {
        if targets.nrows() != self.len() {
            let problem = format!("{} targets for {} cases: each needs one", targets.nrows(), self.len());
            return Err(Error::Data(problem));
        }
        let targets = upload(self.device(), targets)?;
        Ok(Dataset { cases: Cases { targets: Some(targets), ..self.cases }, ..self })
    }

    /// The same cases, of which minibatches hold altered copies, drawn and uploaded whenever they are used. Everything else
    /// sees the inputs as they were given; for crops these are those at the centre.
    ///
    /// # Errors
    /// [`Error::Data`] if the copies are of another number of cases, or of another number of values.
    pub fn augmented(self, augmentation: Box<dyn Augmentation>) -> Result<Dataset, Error> {
        let (copies, cases) = ([augmentation.cases(), augmentation.columns()], [self.len(), self.columns()]);
        if copies != cases {
            let problem = format!(
                "altered copies of {} cases of {} values for {} cases of {}: both must be equal",
                copies[0], copies[1], cases[0], cases[1]
            );
            return Err(Error::Data(problem));
        }
        Ok(Dataset { augmentation: Some(augmentation), ..self })
    }

    /// Cases that are on their device already, such as codes.
    ///
    /// # Errors
    /// [`Error::Data`] without cases.
    pub fn on_device(cases: Cases, binarize: Binarize) -> Result<Dataset, Error> {
        if cases.inputs.is_empty() {
            return Err(Error::Data(format!(
                "{:?} is no data set: it needs at least one case",
                cases.inputs
            )));
        }
        Ok(Dataset { cases, augmentation: None, binarize })
    }

    /// The same targets with other inputs, as many as there are, which are not altered.
    pub(crate) fn replaced(&self, inputs: Tensor) -> Dataset {
        let targets = self.targets().map(Tensor::duplicate);
        Dataset { cases: Cases { inputs, targets }, augmentation: None, binarize: Binarize::Never }
    }

    /// Number of cases.
    pub fn len(&self) -> usize {
        self.cases.len()
    }
    /// Whether there are none; never so for a data set that was made.
    pub fn is_empty(&self) -> bool {
        self.cases.is_empty()
    }
    /// Values of a case.
    pub fn columns(&self) -> usize {
        self.cases.inputs.columns()
    }
    /// All cases as they were given.
    pub fn inputs(&self) -> &Tensor {
        &self.cases.inputs
    }
    /// The targets of all cases, if there are any.
    pub fn targets(&self) -> Option<&Tensor> {
        self.cases.targets.as_ref()
    }
    /// All cases as they were given, inputs and targets.
    pub fn all(&self) -> &Cases {
        &self.cases
    }
    /// The device of the cases.
    pub fn device(&self) -> &Device {
        self.cases.device()
    }

    /// The order of the cases in an epoch: a uniformly random permutation, a function of the key alone.
    pub fn order(&self, key: Key) -> Vec<usize> {
        let mut order: Vec<usize> = (0..self.len()).collect();
        shuffle(&mut order, &mut key.generator());
        order
    }

    /// Room for so many cases.
    pub fn room(&self, cases: usize) -> Cases {
        let targets = self.targets().map(|targets| self.device().zeros(cases, targets.columns()));
        Cases { inputs: self.device().zeros(cases, self.columns()), targets }
    }

    /// Fills `batch` with the cases of these numbers as minibatches have them: altered copies if the data set is
    /// [`augmented`](Dataset::augmented), then pixels if they are to be binarised, both drawn with `key`.
    pub fn fill(&self, batch: &mut Cases, cases: &[usize], key: Key) {
        match &self.augmentation {
            None => batch.inputs.view_mut().gather(self.inputs(), cases),
            Some(augmentation) => {
                let mut copies = Array2::zeros((cases.len(), self.columns()));
                augmentation.draw(cases, key.fold_in(AUGMENTATION), copies.view_mut());
                batch.inputs.write(copies.view());
            }
        }
        if self.binarize == Binarize::EachTime {
            let binary = Expr::Uniform(key).less(crate::OLD);
            batch.inputs.assign(binary);
        }
        if let (Some(into), Some(targets)) = (&mut batch.targets, self.targets()) {
            into.view_mut().gather(targets, cases);
        }
    }

    /// The cases of these numbers as minibatches have them, in memory of their own.
    pub fn cases(&self, cases: &[usize], key: Key) -> Cases {
        let mut batch = self.room(cases.len());
        self.fill(&mut batch, cases, key);
        batch
    }

    /// The first cases as they were given, at most so many, in memory of their own: what a measurement looks at.
    pub fn first(&self, cases: usize) -> Cases {
        let cases: Vec<usize> = (0..self.len().min(cases)).collect();
        let mut first = self.room(cases.len());
        first.inputs.view_mut().gather(self.inputs(), &cases);
        if let (Some(into), Some(targets)) = (&mut first.targets, self.targets()) {
            into.view_mut().gather(targets, &cases);
        }
        first
    }

    /// All cases with pixels drawn once: a fixed binarisation.
    pub fn binarized(&self, key: Key) -> Tensor {
        let mut all = self.device().zeros(self.len(), self.columns());
        all.assign(Expr::Uniform(key).less(x(self.inputs())));
        all
    }
}

/// Every order is equally likely.
pub(crate) fn shuffle(cases: &mut [usize], generator: &mut impl RngCore) {
    for last in (1..cases.len()).rev() {
        cases.swap(last, below(generator, last as u64 + 1) as usize);
    }
}

/// Copies finite values.
fn upload(device: &Device, values: ArrayView2<'_, f32>) -> Result<Tensor, Error> {
    if values.is_empty() {
        return Err(Error::Data(format!("{:?} is no data set: it needs at least one case", values.dim())));
    }
    if let Some(((row, column), value)) = values.indexed_iter().find(|(_, value)| !value.is_finite()) {
        let remedy = "remove the case or mend the value";
        return Err(Error::Data(format!("value {value} in case {row}, column {column}; {remedy}")));
    }
    Ok(device.tensor(values))
}

/// Uniform in 0..bound, without the bias of a plain remainder.
fn below(generator: &mut impl RngCore, bound: u64) -> u64 {
    loop {
        let word = generator.next_u64();
        // The last, incomplete run of `bound` values is refused.
        if word < u64::MAX - u64::MAX % bound {
            return word % bound;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::{Array2, ArrayViewMut2, arr2};

    #[test]
    fn an_order_is_a_permutation_and_depends_on_the_key_alone() {
        let data = Dataset::new(&Device::cpu(), Array2::zeros((50, 1)).view(), Binarize::Never).unwrap();
        let (first, again, other) =
            (data.order(Key::new(1)), data.order(Key::new(1)), data.order(Key::new(2)));
        assert_eq!(first, again);
        assert_ne!(first, other);
        let mut sorted = first;
        sorted.sort_unstable();
        assert_eq!(sorted, (0..50).collect::<Vec<_>>());
    }

    #[test]
    fn nan_is_refused_with_its_place() {
        let error =
            Dataset::new(&Device::cpu(), arr2(&[[0.0, f32::NAN]]).view(), Binarize::Never).unwrap_err();
        assert!(error.to_string().contains("case 0, column 1"), "{error}");
    }

    #[test]
    fn targets_go_with_their_cases() {
        let device = Device::cpu();
        let inputs = Array2::from_shape_fn((6, 2), |(i, _)| i as f32);
        let labels = [0, 2, 1, 2, 0, 2];
        let data = Dataset::labelled(&device, inputs.view(), &labels, 4).unwrap();
        let batch = data.cases(&[3, 0, 2], Key::new(1));
        assert_eq!(batch.inputs.to_array().unwrap().column(0).to_vec(), [3.0, 0.0, 2.0]);
        let targets = batch.targets.unwrap().to_array().unwrap();
        assert_eq!(targets, arr2(&[[0.0, 0.0, 1.0, 0.0], [1.0, 0.0, 0.0, 0.0], [0.0, 1.0, 0.0, 0.0]]));
    }

    #[test]
    fn targets_that_do_not_fit_are_refused() {
        let (device, inputs) = (Device::cpu(), Array2::zeros((2, 3)));
        let message =
            |labels: &[usize]| Dataset::labelled(&device, inputs.view(), labels, 3).unwrap_err().to_string();
        assert_eq!(message(&[0, 3]), "label 3 of case 1 is no class: the 3 classes are numbered from 0");
        assert_eq!(message(&[0]), "1 targets for 2 cases: each needs one");
    }

    /// 100 · case + column, and a share below 1/2 drawn with the key.
    #[derive(Debug)]
    struct Numbered {
        cases: usize,
        columns: usize,
    }

    impl Augmentation for Numbered {
        fn cases(&self) -> usize {
            self.cases
        }
        fn columns(&self) -> usize {
            self.columns
        }
        fn draw(&self, cases: &[usize], key: Key, mut out: ArrayViewMut2<'_, f32>) {
            for ((row, column), value) in out.indexed_iter_mut() {
                *value = (100 * cases[row] + column) as f32 + 0.5 * key.uniform((row * 2 + column) as u64);
            }
        }
    }

    #[test]
    fn minibatches_of_augmented_data_are_drawn_and_everything_else_is_plain() {
        let plain = Array2::from_shape_fn((3, 2), |(i, j)| (i + j) as f32);
        let data = Dataset::labelled(&Device::cpu(), plain.view(), &[2, 0, 1], 3).unwrap();
        let data = data.augmented(Box::new(Numbered { cases: 3, columns: 2 })).unwrap();
        let drawn = |key: u64| data.cases(&[2, 0], Key::new(key)).inputs.to_array().unwrap();
        assert_eq!(drawn(1).mapv(f32::floor), arr2(&[[200.0, 201.0], [0.0, 1.0]]));
        assert_eq!(drawn(1), drawn(1));
        assert_ne!(drawn(1), drawn(2));
        let targets = data.cases(&[2, 0], Key::new(1)).targets.unwrap().to_array().unwrap();
        assert_eq!(targets, arr2(&[[0.0, 1.0, 0.0], [0.0, 0.0, 1.0]]));
        assert_eq!(data.inputs().to_array().unwrap(), plain);
        assert_eq!(data.all().inputs.to_array().unwrap(), plain);
        let first = data.first(2);
        assert_eq!(first.inputs.to_array().unwrap(), plain.slice_axis(ndarray::Axis(0), (..2).into()));
        assert_eq!(first.targets.unwrap().to_array().unwrap(), arr2(&[[0.0, 0.0, 1.0], [1.0, 0.0, 0.0]]));
        assert_eq!(data.first(9).len(), 3);
    }

    #[test]
    fn pixels_of_augmented_data_are_drawn_from_the_altered_values() {
        // Plain pixels are never one, the altered ones of case 1 always, those of case 0 in part.
        let data = Dataset::new(&Device::cpu(), Array2::zeros((2, 2)).view(), Binarize::EachTime).unwrap();
        let data = data.augmented(Box::new(Numbered { cases: 2, columns: 2 })).unwrap();
        let batches: Vec<_> =
            (0..100).map(|key| data.cases(&[1, 0], Key::new(key)).inputs.to_array().unwrap()).collect();
        assert!(batches.iter().all(|batch| batch.row(0) == ndarray::arr1(&[1.0, 1.0])));
        // Uniform below 1/2, then below that: 1/4 of 100, whose standard deviation is 4.3.
        let ones = batches.iter().filter(|batch| batch[[1, 0]] == 1.0).count();
        assert!(ones.abs_diff(25) < 18, "{ones}");
    }

    #[test]
    fn augmentations_that_do_not_fit_are_refused() {
        for (cases, columns) in [(3, 3), (2, 2)] {
            let data = Dataset::new(&Device::cpu(), Array2::zeros((3, 2)).view(), Binarize::Never).unwrap();
            let message = data.augmented(Box::new(Numbered { cases, columns })).unwrap_err().to_string();
            assert!(
                message.contains(&format!("{cases} cases of {columns} values for 3 cases of 2")),
                "{message}"
            );
        }
    }

    #[test]
    fn binarised_cases_have_the_mean_of_their_probability() {
        let inputs = Array2::from_elem((200, 100), 0.3f32);
        let data = Dataset::new(&Device::cpu(), inputs.view(), Binarize::EachTime).unwrap();
        let all: Vec<usize> = (0..200).collect();
        let batch = data.cases(&all, Key::new(5)).inputs.to_array().unwrap();
        assert!(batch.iter().all(|v| *v == 0.0 || *v == 1.0));
        let deviation = (0.3f64 * 0.7 / 20_000.0).sqrt();
        let mean = f64::from(batch.mean().unwrap());
        assert!((mean - 0.3).abs() < 4.0 * deviation, "{mean}");
    }
}
