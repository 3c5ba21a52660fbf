//! Arrays of numbers as they lie in files of other programs: any size of number, byte order and array order.

use std::borrow::Cow;

use ndarray::{ArrayD, IxDyn, ShapeBuilder};

/// The type of the numbers in a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NumberKind {
    /// Unsigned, 8 bits.
    U8,
    /// Unsigned, 16 bits.
    U16,
    /// Unsigned, 32 bits.
    U32,
    /// Unsigned, 64 bits.
    U64,
    /// Signed, 8 bits.
    I8,
    /// Signed, 16 bits.
    I16,
    /// Signed, 32 bits.
    I32,
    /// Signed, 64 bits.
    I64,
    /// Floating point, single precision.
    F32,
    /// Floating point, double precision.
    F64,
}

impl NumberKind {
    /// Bytes a number.
    pub fn size(self) -> usize {
        match self {
            Self::U8 | Self::I8 => 1,
            Self::U16 | Self::I16 => 2,
            Self::U32 | Self::I32 | Self::F32 => 4,
            Self::U64 | Self::I64 | Self::F64 => 8,
        }
    }
}

/// In which order the numbers of a file stand and how each is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Encoding {
    pub kind: NumberKind,
    pub big_endian: bool,
    /// The first index varies fastest, as in Fortran and MATLAB.
    pub column_major: bool,
}

/// An array of numbers, not converted yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NumberArray<'a> {
    shape: Vec<usize>,
    encoding: Encoding,
    bytes: Cow<'a, [u8]>,
}

/// The number in `$bytes`, which are as many as its type has.
macro_rules! number {
    ($type:ty, $bytes:expr, $big_endian:expr) => {{
        let bytes = $bytes.try_into().expect("the length of the array was checked");
        if $big_endian { <$type>::from_be_bytes(bytes) } else { <$type>::from_le_bytes(bytes) }
    }};
}

impl<'a> NumberArray<'a> {
    /// An array over `bytes`, which has to be as long as shape and kind ask for; otherwise what is wrong.
    pub(crate) fn new(
        shape: Vec<usize>,
        encoding: Encoding,
        bytes: impl Into<Cow<'a, [u8]>>,
    ) -> Result<Self, String> {
        let bytes = bytes.into();
        match byte_count(&shape, encoding.kind) {
            Some(wanted) if wanted == bytes.len() => Ok(Self { shape, encoding, bytes }),
            wanted => {
                let wanted = wanted.map_or("more than any memory has".into(), |count| count.to_string());
                let kind = encoding.kind;
                Err(format!("{} bytes, but shape {shape:?} of {kind:?} asks for {wanted}", bytes.len()))
            }
        }
    }

    /// Length along each axis; nothing for a single number.
    pub fn shape(&self) -> &[usize] {
        &self.shape
    }

    /// The type of the numbers.
    pub fn kind(&self) -> NumberKind {
        self.encoding.kind
    }

    /// The numbers in row-major order if they are unsigned bytes, otherwise nothing.
    pub fn to_u8(&self) -> Option<ArrayD<u8>> {
        (self.kind() == NumberKind::U8).then(|| self.decoded(|bytes| bytes[0]))
    }

    /// The numbers in row-major order, each rounded to the nearest single-precision one.
    pub fn to_f32(&self) -> ArrayD<f32> {
        let big = self.encoding.big_endian;
        match self.kind() {
            NumberKind::U8 => self.decoded(|bytes| f32::from(bytes[0])),
            NumberKind::I8 => self.decoded(|bytes| f32::from(bytes[0] as i8)),
            NumberKind::U16 => self.decoded(|bytes| f32::from(number!(u16, bytes, big))),
            NumberKind::I16 => self.decoded(|bytes| f32::from(number!(i16, bytes, big))),
            NumberKind::U32 => self.decoded(|bytes| number!(u32, bytes, big) as f32),
            NumberKind::I32 => self.decoded(|bytes| number!(i32, bytes, big) as f32),
            NumberKind::U64 => self.decoded(|bytes| number!(u64, bytes, big) as f32),
            NumberKind::I64 => self.decoded(|bytes| number!(i64, bytes, big) as f32),
            NumberKind::F32 => self.decoded(|bytes| number!(f32, bytes, big)),
            NumberKind::F64 => self.decoded(|bytes| number!(f64, bytes, big) as f32),
        }
    }

    /// The numbers in row-major order if all are integers of at most 64 bits with sign, otherwise nothing.
    /// Floating-point numbers without a fraction are integers.
    pub fn to_i64(&self) -> Option<ArrayD<i64>> {
        let big = self.encoding.big_endian;
        let whole =
            |value: f64| (value.trunc() == value && value.abs() < 2f64.powi(53)).then_some(value as i64);
        let numbers = match self.kind() {
            NumberKind::U8 => self.decoded(|bytes| Some(i64::from(bytes[0]))),
            NumberKind::I8 => self.decoded(|bytes| Some(i64::from(bytes[0] as i8))),
            NumberKind::U16 => self.decoded(|bytes| Some(i64::from(number!(u16, bytes, big)))),
            NumberKind::I16 => self.decoded(|bytes| Some(i64::from(number!(i16, bytes, big)))),
            NumberKind::U32 => self.decoded(|bytes| Some(i64::from(number!(u32, bytes, big)))),
            NumberKind::I32 => self.decoded(|bytes| Some(i64::from(number!(i32, bytes, big)))),
            NumberKind::U64 => self.decoded(|bytes| i64::try_from(number!(u64, bytes, big)).ok()),
            NumberKind::I64 => self.decoded(|bytes| Some(number!(i64, bytes, big))),
            NumberKind::F32 => self.decoded(|bytes| whole(f64::from(number!(f32, bytes, big)))),
            NumberKind::F64 => self.decoded(|bytes| whole(number!(f64, bytes, big))),
        };
        numbers.iter().all(Option::is_some).then(|| numbers.mapv(Option::unwrap_or_default))
    }

    fn decoded<T: Clone>(&self, decode: impl FnMut(&[u8]) -> T) -> ArrayD<T> {
        let numbers: Vec<T> = self.bytes.chunks_exact(self.kind().size()).map(decode).collect();
        let shape = IxDyn(&self.shape).set_f(self.encoding.column_major);
        let array = ArrayD::from_shape_vec(shape, numbers).expect("the length of the array was checked");
        if array.is_standard_layout() { array } else { array.as_standard_layout().into_owned() }
    }
}

/// Bytes of an array, if any memory can hold as many. Axes of length 0 count as 1, so that the product of the
/// others is bounded, too.
pub(crate) fn byte_count(shape: &[usize], kind: NumberKind) -> Option<usize> {
    let bound = shape.iter().try_fold(kind.size(), |product, &length| product.checked_mul(length.max(1)))?;
    let empty = shape.contains(&0);
    isize::try_from(bound).is_ok().then_some(if empty { 0 } else { bound })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn encoding(kind: NumberKind, big_endian: bool, column_major: bool) -> Encoding {
        Encoding { kind, big_endian, column_major }
    }

    #[test]
    fn both_array_orders_give_the_same_array() {
        let rows =
            NumberArray::new(vec![2, 3], encoding(NumberKind::U8, false, false), &[1, 2, 3, 4, 5, 6][..]);
        let columns =
            NumberArray::new(vec![2, 3], encoding(NumberKind::U8, false, true), &[1, 4, 2, 5, 3, 6][..]);
        let expected = ndarray::array![[1, 2, 3], [4, 5, 6]].into_dyn();
        assert_eq!(rows.unwrap().to_u8().unwrap(), expected);
        let columns = columns.unwrap().to_u8().unwrap();
        assert!(columns == expected && columns.is_standard_layout());
    }

    #[test]
    fn both_byte_orders_and_all_kinds_are_read() {
        use NumberKind::*;
        for (kind, little) in [
            (U8, vec![3]),
            (I8, vec![3]),
            (U16, vec![3, 0]),
            (I16, vec![3, 0]),
            (U32, vec![3, 0, 0, 0]),
            (I32, vec![3, 0, 0, 0]),
            (U64, vec![3, 0, 0, 0, 0, 0, 0, 0]),
            (I64, vec![3, 0, 0, 0, 0, 0, 0, 0]),
            (F32, 3f32.to_le_bytes().to_vec()),
            (F64, 3f64.to_le_bytes().to_vec()),
        ] {
            let big: Vec<u8> = little.iter().rev().copied().collect();
            for (big_endian, bytes) in [(false, little), (true, big)] {
                let array = NumberArray::new(vec![1], encoding(kind, big_endian, false), bytes).unwrap();
                assert_eq!(array.to_f32()[0], 3.0, "{kind:?}");
                assert_eq!(array.to_i64().unwrap()[0], 3, "{kind:?}");
                assert_eq!(array.to_u8().is_some(), kind == U8);
            }
        }
        let half =
            NumberArray::new(vec![], encoding(F32, false, false), 0.5f32.to_le_bytes().to_vec()).unwrap();
        assert!(half.to_i64().is_none() && half.to_f32().ndim() == 0);
    }

    #[test]
    fn lengths_that_do_not_fit_are_named_and_never_overflow() {
        let bytes = encoding(NumberKind::F64, false, false);
        let fault = NumberArray::new(vec![2, 3], bytes, vec![0; 47]).unwrap_err();
        assert_eq!(fault, "47 bytes, but shape [2, 3] of F64 asks for 48");
        for shape in [vec![usize::MAX, 2], vec![1 << 61], vec![0, usize::MAX, usize::MAX]] {
            assert!(NumberArray::new(shape, bytes, vec![]).unwrap_err().contains("more than any memory"));
        }
        assert_eq!(NumberArray::new(vec![0, 7], bytes, vec![]).unwrap().to_f32().shape(), [0, 7]);
    }
}
