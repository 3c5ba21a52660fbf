//! Cases in a file, of which a part is in memory at a time.

use crate::{Binarize, CaseSource, Cases, Dataset, Device, Error, Key, checkpoint, dataset::shuffle};
use ndarray::{Array2, ArrayViewMut2, Axis, Slice};
use std::{
    fs::File,
    io::{Read, Seek, SeekFrom, Write},
    ops::Range,
    path::{Path, PathBuf},
};

/// The name of the only tensor of a file.
const NAME: &str = "cases";
/// The longest header that is read.
const LONGEST_HEADER: u64 = 1 << 20;
/// Values that are written together.
const AT_ONCE: usize = 1 << 20;

/// More cases than memory holds, as a source of minibatches for [`Fit::run_on`](crate::Fit::run_on): inputs without targets in
/// a safetensors file whose only tensor `cases` is F32, cases × values.
///
/// So many cases that lie one after the other are a part, and one part is in memory. An epoch goes through the parts in
/// random order, and through the cases of each in random order, so that a part is read once an epoch. What a minibatch mixes
/// are the cases of a part: write them in random order, as random patches are. With a single part all is as with a
/// [`Dataset`], bit by bit.
///
/// ```
/// use nn_core::{Device, StoredCases};
///
/// let folder = tempfile::tempdir()?;
/// let path = folder.path().join("patches.safetensors");
/// StoredCases::write(&path, [1000, 4], |cases, mut out| {
///     out.indexed_iter_mut().for_each(|((case, value), to)| *to = (cases.start + case + value) as f32);
///     Ok(())
/// })?;
/// let stored = StoredCases::open(&path, &Device::cpu(), 300)?;
/// assert_eq!((stored.len(), stored.columns(), stored.parts()), (1000, 4, 4));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct StoredCases {
    path: PathBuf,
    file: File,
    /// Where in the file the first value stands.
    start: u64,
    len: usize,
    /// Cases of a part; the last may have fewer.
    part: usize,
    /// Which part is in memory, and its cases.
    held: Option<(usize, Array2<f32>)>,
    /// The first case, which tells learners of the shape of all.
    example: Dataset,
}

/// What the header of a file says of its tensor.
#[derive(serde::Serialize, serde::Deserialize)]
struct Entry {
    dtype: String,
    shape: Vec<usize>,
    data_offsets: [u64; 2],
}

impl StoredCases {
    /// Writes a file of [cases, values]: first to a temporary file beside it, which then takes its name. `fill` writes the
    /// cases of these numbers, some at a time and in their order.
    ///
    /// # Errors
    /// [`Error::Setting`] without cases or values, [`Error::Data`] for a value that is not finite, the errors of `fill`, and
    /// [`Error::File`]; an older file of that name is then still whole.
    pub fn write(
        path: &Path,
        [cases, columns]: [usize; 2],
        mut fill: impl FnMut(Range<usize>, ArrayViewMut2<'_, f32>) -> Result<(), Error>,
    ) -> Result<(), Error> {
        if cases == 0 || columns == 0 {
            let given = format!("{cases} cases of {columns} values");
            return Err(Error::setting("the data to be stored", given, "there must be at least one of each"));
        }
        let bytes = 4 * cases as u64 * columns as u64;
        let entry = Entry { dtype: "F32".into(), shape: vec![cases, columns], data_offsets: [0, bytes] };
        let mut header = serde_json::json!({ NAME: entry }).to_string().into_bytes();
        header.resize(header.len().next_multiple_of(8), b' ');
        checkpoint::write_parts_atomically(path, |out| {
            let failed = |error| Error::file("writing", path, error);
            out.write_all(&(header.len() as u64).to_le_bytes()).map_err(failed)?;
            out.write_all(&header).map_err(failed)?;
            let at_once = (AT_ONCE / columns).clamp(1, cases);
            let mut values = Array2::zeros((at_once, columns));
            for first in (0..cases).step_by(at_once) {
                let numbers = first..cases.min(first + at_once);
                let used = Slice::from(..numbers.len());
                fill(numbers, values.slice_axis_mut(Axis(0), used))?;
                let values = values.slice_axis(Axis(0), used);
                check_finite(path, first, &values)?;
                let bytes: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
                out.write_all(&bytes).map_err(failed)?;
            }
            Ok(())
        })
    }

    /// The cases of a file, of which `part` are in memory at a time, and minibatches for this device.
    ///
    /// # Errors
    /// [`Error::File`] if it cannot be read, [`Error::Checkpoint`] if it is not such a file or is cut off,
    /// [`Error::Data`] for a first case that is not finite, [`Error::Setting`] for parts without cases.
    pub fn open(path: &Path, device: &Device, part: usize) -> Result<StoredCases, Error> {
        if part == 0 {
            return Err(Error::setting("cases in memory", 0, "at least one is needed"));
        }
        let failed = |error| Error::file("reading", path, error);
        let problem = |problem: &str| Error::checkpoint(path, problem);
        let mut file = File::open(path).map_err(failed)?;
        let length = file.metadata().map_err(failed)?.len();
        let mut bytes = [0; 8];
        file.read_exact(&mut bytes).map_err(|_| problem("is too short for a file of cases"))?;
        let header = u64::from_le_bytes(bytes);
        let no_cases = "holds no cases (a safetensors file whose only tensor is `cases`); write it anew";
        if header > LONGEST_HEADER.min(length - 8) {
            return Err(problem(no_cases));
        }
        let mut text = vec![0; header as usize];
        file.read_exact(&mut text).map_err(failed)?;
        let entries: serde_json::Value = serde_json::from_slice(&text).map_err(|_| problem(no_cases))?;
        let entry = entries.get(NAME).cloned().and_then(|entry| serde_json::from_value::<Entry>(entry).ok());
        let (start, (len, columns)) = match entry {
            Some(Entry { dtype, shape, data_offsets }) if dtype == "F32" => match shape[..] {
                [len, columns] if len > 0 && columns > 0 => {
                    // What is too large for a file is not its length either.
                    ((8 + header).saturating_add(data_offsets[0]), (len, columns))
                }
                _ => return Err(problem(no_cases)),
            },
            _ => return Err(problem(no_cases)),
        };
        let bytes = 4u64.checked_mul(len as u64).and_then(|bytes| bytes.checked_mul(columns as u64));
        let wanted = bytes.and_then(|bytes| bytes.checked_add(start));
        if wanted != Some(length) {
            let text =
                format!("is {length} bytes long, but {len} cases of {columns} values need another length");
            return Err(problem(&format!("{text}: it is cut off or damaged; write it anew")));
        }
        let first = read(path, &mut file, start, 0..1, columns)?;
        let example = Dataset::new(device, first.view(), Binarize::Never)?;
        Ok(StoredCases { path: path.into(), file, start, len, part, held: None, example })
    }

    /// Number of cases.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there are none, which cannot be.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Values of a case.
    pub fn columns(&self) -> usize {
        self.example.columns()
    }

    /// Parts that are read one after the other in an epoch.
    pub fn parts(&self) -> usize {
        self.len.div_ceil(self.part)
    }

    fn cases_of(&self, part: usize) -> Range<usize> {
        part * self.part..self.len.min((part + 1) * self.part)
    }
}

impl CaseSource for StoredCases {
    fn len(&self) -> usize {
        self.len
    }

    fn example(&self) -> &Dataset {
        &self.example
    }

    /// Part by part, both parts and cases of a part in random order.
    fn order(&self, key: Key) -> Vec<usize> {
        let mut generator = key.generator();
        let mut parts: Vec<usize> = (0..self.parts()).collect();
        shuffle(&mut parts, &mut generator);
        let mut order = Vec::with_capacity(self.len);
        for part in parts {
            let first = order.len();
            order.extend(self.cases_of(part));
            shuffle(&mut order[first..], &mut generator);
        }
        order
    }

    fn fill(&mut self, batch: &mut Cases, cases: &[usize], _: Key) -> Result<(), Error> {
        let columns = self.columns();
        let mut values = Array2::zeros((cases.len(), columns));
        for (&case, mut row) in cases.iter().zip(values.rows_mut()) {
            let part = case / self.part;
            if self.held.as_ref().is_none_or(|(held, _)| *held != part) {
                // The memory of the old part goes before that of the new one comes.
                self.held = None;
                let numbers = self.cases_of(part);
                let read = read(&self.path, &mut self.file, self.start, numbers, columns)?;
                self.held = Some((part, read));
            }
            if let Some((_, held)) = &self.held {
                row.assign(&held.row(case - part * self.part));
            }
        }
        batch.inputs.write(values.view());
        Ok(())
    }
}

fn read(
    path: &Path,
    file: &mut File,
    start: u64,
    cases: Range<usize>,
    columns: usize,
) -> Result<Array2<f32>, Error> {
    let failed = |error| Error::file("reading", path, error);
    file.seek(SeekFrom::Start(start + 4 * cases.start as u64 * columns as u64)).map_err(failed)?;
    let mut values = Array2::zeros((cases.len(), columns));
    let mut bytes = vec![0; 4 * columns];
    let mut reader = std::io::BufReader::with_capacity(1 << 20, file);
    for mut row in values.rows_mut() {
        reader.read_exact(&mut bytes).map_err(failed)?;
        let values = bytes.chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]]));
        row.iter_mut().zip(values).for_each(|(to, value)| *to = value);
    }
    check_finite(path, cases.start, &values.view())?;
    Ok(values)
}

fn check_finite(path: &Path, first: usize, values: &ndarray::ArrayView2<'_, f32>) -> Result<(), Error> {
    let bad = values.indexed_iter().find(|(_, value)| !value.is_finite());
    bad.map_or(Ok(()), |((case, column), value)| {
        let place = format!("{}: value {column} of case {}", path.display(), first + case);
        Err(Error::Data(format!("{place} is {value}; give finite numbers")))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Autoencoder, AutoencoderLearner, AutoencoderSettings, Fit, Parameters, Penalty, Sgd};
    use std::fs;

    fn value(case: usize, column: usize) -> f32 {
        Key::new(5).uniform((case * 10 + column) as u64)
    }

    fn stored(path: &Path, cases: usize) {
        let fill = |numbers: Range<usize>, mut out: ArrayViewMut2<'_, f32>| {
            out.indexed_iter_mut().for_each(|((case, at), to)| *to = value(numbers.start + case, at));
            Ok(())
        };
        StoredCases::write(path, [cases, 6], fill).unwrap();
    }

    fn learner(device: &Device) -> AutoencoderLearner<Sgd> {
        let model = Autoencoder::new(device, 6, 4, AutoencoderSettings::default(), Key::new(1)).unwrap();
        let sgd = Sgd::new(&model, 0.1, 0.5, Penalty::default()).unwrap();
        AutoencoderLearner::new(model, sgd)
    }

    fn values(learner: &AutoencoderLearner<Sgd>) -> Vec<Array2<f64>> {
        let mut all = Vec::new();
        learner.visit(&mut |_, tensor| all.push(tensor.to_array_f64().unwrap()));
        all
    }

    /// With one part training ends in the bits of training in memory; with several a run that stops inside of a part and goes
    /// on ends in those of one that does not.
    #[test]
    fn training_from_a_file_is_that_of_memory_and_goes_on_where_it_stopped() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("cases");
        stored(&path, 230);
        let (device, fit, never) = (Device::cpu(), Fit::new(3, 20, Key::new(2)), false.into());
        let memory = Array2::from_shape_fn((230, 6), |(case, column)| value(case, column));
        let memory = Dataset::new(&device, memory.view(), Binarize::Never).unwrap();
        let mut expected = learner(&device);
        fit.run(&mut expected, &memory, &mut [], &never).unwrap();
        let from_file = |fit: &Fit, part: usize, learner: &mut AutoencoderLearner<Sgd>| {
            let mut source = StoredCases::open(&path, &device, part).unwrap();
            fit.run_on(learner, &mut source, &mut [], &never).unwrap();
        };
        let mut found = learner(&device);
        from_file(&fit, 230, &mut found);
        assert_eq!(values(&found), values(&expected));

        let mut whole = learner(&device);
        from_file(&fit, 70, &mut whole);
        assert_ne!(values(&whole), values(&expected));
        let mut resumed = learner(&device);
        from_file(&Fit { epochs: 1, ..fit.clone() }, 70, &mut resumed);
        from_file(&Fit { from: 11, ..fit }, 70, &mut resumed);
        assert_eq!(values(&resumed), values(&whole));
    }

    #[test]
    fn an_epoch_sees_each_case_once_and_part_after_part() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("cases");
        stored(&path, 25);
        let device = Device::cpu();
        let mut source = StoredCases::open(&path, &device, 10).unwrap();
        assert_eq!((source.len(), source.columns(), source.parts()), (25, 6, 3));
        let order = source.order(Key::new(3));
        let mut sorted = order.clone();
        sorted.sort_unstable();
        assert_eq!(sorted, (0..25).collect::<Vec<_>>());
        let mut parts: Vec<usize> = order.iter().map(|case| case / 10).collect();
        parts.dedup();
        assert_eq!(parts.len(), 3);
        assert_ne!(order, source.order(Key::new(4)));
        let mut batch = source.room(4);
        source.fill(&mut batch, &[3, 24, 17, 0], Key::new(1)).unwrap();
        let found = batch.inputs.to_array().unwrap();
        for (row, case) in [3, 24, 17, 0].into_iter().enumerate() {
            assert!((0..6).all(|column| found[[row, column]] == value(case, column)));
        }
    }

    #[test]
    fn bad_files_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("cases");
        let open = |part: usize| StoredCases::open(&path, &Device::cpu(), part).unwrap_err().to_string();
        assert!(open(3).contains("reading"));
        stored(&path, 25);
        assert!(open(0).contains("at least one is needed"));
        let bytes = fs::read(&path).unwrap();
        fs::write(&path, &bytes[..bytes.len() - 4]).unwrap();
        assert!(open(3).contains("cut off or damaged"));
        fs::write(&path, &bytes[..5]).unwrap();
        assert!(open(3).contains("too short"));
        fs::write(&path, b"not a file of any such kind").unwrap();
        assert!(open(3).contains("holds no cases"));
        // A shape or an offset whose product or sum no number holds.
        for entry in [
            r#"{"cases":{"dtype":"F32","shape":[2,9223372036854775807],"data_offsets":[0,8]}}"#,
            r#"{"cases":{"dtype":"F32","shape":[1,2],"data_offsets":[18446744073709551615,8]}}"#,
        ] {
            let length = (entry.len() as u64).to_le_bytes();
            fs::write(&path, [&length, entry.as_bytes(), &[0; 8]].concat()).unwrap();
            assert!(open(3).contains("cut off or damaged"));
        }
        let mut nan = bytes.clone();
        let last = nan.len() - 4;
        nan[last..].copy_from_slice(&f32::NAN.to_le_bytes());
        fs::write(&path, &nan).unwrap();
        let mut source = StoredCases::open(&path, &Device::cpu(), 30).unwrap();
        let mut batch = source.room(1);
        let message = source.fill(&mut batch, &[2], Key::new(1)).unwrap_err().to_string();
        assert!(message.contains("value 5 of case 24 is NaN"), "{message}");

        fs::write(&path, &bytes).unwrap();
        let bad = StoredCases::write(&path, [3, 2], |_, mut out| {
            out.fill(f32::INFINITY);
            Ok(())
        });
        assert!(bad.unwrap_err().to_string().contains("value 0 of case 0 is inf"));
        assert_eq!(fs::read(&path).unwrap(), bytes);
        let none = StoredCases::write(&path, [0, 2], |_, _| Ok(()));
        assert!(none.unwrap_err().to_string().contains("0 cases of 2 values"));
    }
}
