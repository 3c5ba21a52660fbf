//! The functions by which numpy rebuilds its arrays, carried out by hand.

use crate::number_array::{Encoding, NumberArray, NumberKind};

use super::machine::Machine;
use super::{Id, Object};

/// A function that a pickle may name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Function {
    /// `numpy.core.multiarray._reconstruct(ndarray, (0,), b'b')`: an array to be filled.
    Reconstruct,
    /// `numpy.ndarray`, as an argument of the former.
    NdArray,
    /// `numpy.dtype('u1', ...)`.
    Dtype,
    /// `numpy.core.multiarray.scalar(dtype, bytes)`.
    Scalar,
    /// `numpy.core.numeric._frombuffer(bytes, dtype, shape, order)`: arrays of protocol 5.
    FromBuffer,
    /// `_codecs.encode(text, 'latin1')`: bytes of Python 3 in protocols 0 to 2.
    Encode,
    /// `bytes()`: no bytes, in protocols 0 to 2.
    Bytes,
}

impl Function {
    pub(super) fn named(module: &str, name: &str) -> Option<Self> {
        match (module, name) {
            ("numpy.core.multiarray" | "numpy._core.multiarray", "_reconstruct") => Some(Self::Reconstruct),
            ("numpy.core.multiarray" | "numpy._core.multiarray", "scalar") => Some(Self::Scalar),
            ("numpy.core.numeric" | "numpy._core.numeric", "_frombuffer") => Some(Self::FromBuffer),
            ("numpy", "ndarray") => Some(Self::NdArray),
            ("numpy", "dtype") => Some(Self::Dtype),
            ("_codecs", "encode") => Some(Self::Encode),
            ("__builtin__" | "builtins", "bytes") => Some(Self::Bytes),
            _ => None,
        }
    }
}

/// The type of the numbers of an array.
#[derive(Clone, Copy, Debug)]
pub(super) struct Dtype {
    kind: NumberKind,
    big_endian: bool,
}

impl Dtype {
    /// From a name such as "u1" or ">f4".
    fn named(name: &str) -> Option<Self> {
        let (big_endian, name) = match name.strip_prefix('>') {
            Some(name) => (true, name),
            None => (false, name.trim_start_matches(['<', '|'])),
        };
        let kind = match name {
            "u1" | "b1" => NumberKind::U8,
            "u2" => NumberKind::U16,
            "u4" => NumberKind::U32,
            "u8" => NumberKind::U64,
            "i1" => NumberKind::I8,
            "i2" => NumberKind::I16,
            "i4" => NumberKind::I32,
            "i8" => NumberKind::I64,
            "f4" => NumberKind::F32,
            "f8" => NumberKind::F64,
            _ => return None,
        };
        Some(Self { kind, big_endian })
    }

    pub(super) fn encoding(self, column_major: bool) -> Encoding {
        Encoding { kind: self.kind, big_endian: self.big_endian, column_major }
    }
}

impl Machine<'_> {
    /// What `function` gives for `arguments`, or what is wrong.
    pub(super) fn call(&mut self, function: Function, arguments: &[Id]) -> Result<Object, String> {
        let refused = || Err(format!("unusual arguments of {function:?}"));
        match (function, arguments) {
            (Function::Reconstruct, &[class, ..]) => match self.object(class) {
                Object::Function(Function::NdArray) => Ok(Object::BlankArray),
                _ => Err("an array of another class than numpy.ndarray".into()),
            },
            (Function::Dtype, &[name, ..]) => {
                let name = self.string(name).ok_or("a type of numbers without a name")?;
                let unknown =
                    || format!("an array of the type '{name}', which is none of integers or numbers");
                Dtype::named(&name).map(Object::Dtype).ok_or_else(unknown)
            }
            (Function::Scalar, &[dtype, bytes]) => self.array(dtype, Vec::new(), false, bytes),
            (Function::FromBuffer, &[bytes, dtype, shape, order]) => {
                let shape = self.shape(shape)?;
                let column_major = self.string(order).as_deref() == Some("F");
                self.array(dtype, shape, column_major, bytes)
            }
            (Function::Encode, &[text, encoding]) => {
                let latin = matches!(self.string(encoding).as_deref(), Some("latin1" | "latin-1"));
                match self.object(text) {
                    Object::Text(text) if latin => {
                        let bytes: Option<Vec<u8>> =
                            text.chars().map(|c| u8::try_from(u32::from(c)).ok()).collect();
                        let bytes = bytes.ok_or("bytes written as text beyond Latin-1")?;
                        self.spend(bytes.len())?;
                        Ok(Object::Bytes(bytes))
                    }
                    _ => refused(),
                }
            }
            (Function::Bytes, []) => Ok(Object::Bytes(Vec::new())),
            _ => refused(),
        }
    }

    /// What an unfinished object becomes when `state` is given to it.
    pub(super) fn build(&mut self, object: Id, state: Id) -> Result<Object, String> {
        let members = match self.object(state) {
            Object::Tuple(members) if members.len() <= 16 => members.clone(),
            _ => Vec::new(),
        };
        match (self.object(object), members.as_slice()) {
            (&Object::Dtype(dtype), &[_, order, ..]) => match self.string(order).as_deref() {
                Some("<" | "|") => Ok(Object::Dtype(Dtype { big_endian: false, ..dtype })),
                Some(">") => Ok(Object::Dtype(Dtype { big_endian: true, ..dtype })),
                _ => Err("a type of numbers of unknown byte order".into()),
            },
            (Object::BlankArray, &[_, shape, dtype, column_major, bytes]) => {
                let shape = self.shape(shape)?;
                let column_major = match self.object(column_major) {
                    Object::Bool(value) => *value,
                    Object::Integer(value) => *value != 0,
                    _ => return Err("an array without its order".into()),
                };
                self.array(dtype, shape, column_major, bytes)
            }
            _ => Err("the state of an object of Python, which is not rebuilt here".into()),
        }
    }

    fn array(
        &mut self,
        dtype: Id,
        shape: Vec<usize>,
        column_major: bool,
        bytes: Id,
    ) -> Result<Object, String> {
        let &Object::Dtype(dtype) = self.object(dtype) else {
            return Err("an array without a type of numbers".into());
        };
        let Object::Bytes(content) = self.object(bytes) else {
            return Err("an array whose content is no string of bytes".into());
        };
        NumberArray::new(shape.clone(), dtype.encoding(column_major), content.as_slice())
            .map_err(|fault| format!("an array with {fault}"))?;
        self.spend(shape.len() * size_of::<usize>())?;
        Ok(Object::Array { dtype, shape, column_major, bytes })
    }

    fn shape(&self, shape: Id) -> Result<Vec<usize>, String> {
        let Object::Tuple(lengths) = self.object(shape) else {
            return Err("an array without a shape".into());
        };
        if lengths.len() > 32 {
            return Err(format!("an array of {} dimensions", lengths.len()));
        }
        let length = |&id: &Id| match self.object(id) {
            Object::Integer(length) => usize::try_from(*length).ok(),
            _ => None,
        };
        lengths.iter().map(length).collect::<Option<_>>().ok_or("an array of a negative length".into())
    }

    /// A short string, of either kind.
    fn string(&self, id: Id) -> Option<String> {
        match self.object(id) {
            Object::Bytes(bytes) if bytes.len() <= 64 => Some(String::from_utf8_lossy(bytes).into_owned()),
            Object::Text(text) if text.len() <= 64 => Some(text.clone()),
            _ => None,
        }
    }
}
