//! Python pickles, as far as data sets need them, without executing anything.
//!
//! A pickle is a program for a small machine with a stack, and Python runs whatever function it names. The
//! reader here knows numbers, strings, bytes, lists, tuples, dictionaries and the arrays of numpy, in the
//! protocols 0 to 5; a function other than those by which numpy writes its arrays, or an instruction that
//! would create an object, is an error that names it.
//!
//! The objects of a pickle can refer to each other in cycles and share parts. They are kept as a graph, and
//! only what is asked for is converted, so that a small file cannot unfold into a large value: memory stays
//! proportional to the length of the file, which is at most [`MAX_BYTES`]. Nothing here recurses.
//!
//! (There is a crate for pickles, serde-pickle; it builds trees and does not read arrays of numpy.)
//!
//! ```no_run
//! # fn main() -> Result<(), nn_data::DataError> {
//! let pickle = nn_data::pickle::Pickle::read("cifar-10-batches-py/data_batch_1".as_ref())?;
//! let images = pickle.root().entry("data")?.array()?; // 10000 × 3072 bytes
//! let labels = pickle.root().entry("labels")?.integers()?;
//! # Ok(())
//! # }
//! ```

mod machine;
mod numpy;

use std::path::{Path, PathBuf};

use crate::DataError;
use crate::number_array::NumberArray;
use crate::unpack::read_whole;

use machine::Machine;
use numpy::{Dtype, Function};

/// Length of the longest file that is read, unpacked: 2 GiB.
pub const MAX_BYTES: usize = 1 << 31;

/// The position of an object among those of its pickle.
type Id = u32;

/// An object of a pickle; others are referred to by their position.
#[derive(Debug)]
enum Object {
    None,
    Bool(bool),
    Integer(i64),
    Float(f64),
    /// `bytes`, and `str` of Python 2.
    Bytes(Vec<u8>),
    Text(String),
    List(Vec<Id>),
    Tuple(Vec<Id>),
    /// In the order of insertion; of equal keys the last counts.
    Dict(Vec<(Id, Id)>),
    Function(Function),
    /// An array of numpy that has not been filled yet.
    BlankArray,
    Dtype(Dtype),
    Array {
        dtype: Dtype,
        shape: Vec<usize>,
        column_major: bool,
        /// The object that holds the numbers.
        bytes: Id,
    },
}

/// The objects of a pickle.
#[derive(Debug)]
pub struct Pickle {
    path: PathBuf,
    objects: Vec<Object>,
    root: Id,
}

impl Pickle {
    /// Reads a file, plain or packed with gzip.
    ///
    /// # Errors
    ///
    /// An absent or unreadable file, and [`DataError::Malformed`] with the byte: a file that is cut off or too
    /// long, an instruction or a function that is not allowed, an array whose size contradicts its content.
    pub fn read(path: &Path) -> Result<Self, DataError> {
        Self::decode(&read_whole(path, MAX_BYTES)?, path)
    }

    /// Reads a pickle from memory; errors call it `name`. What follows its end is not looked at.
    ///
    /// # Errors
    ///
    /// Those of [`read`](Self::read).
    pub fn decode(bytes: &[u8], name: &Path) -> Result<Self, DataError> {
        let (objects, root) = Machine::new(bytes).run(name)?;
        Ok(Self { path: name.into(), objects, root })
    }

    /// The object that was pickled.
    pub fn root(&self) -> Item<'_> {
        Item { pickle: self, id: self.root, place: "the pickled object".into() }
    }
}

/// An object in a pickle, with the way that led to it, for errors.
#[derive(Clone, Debug)]
pub struct Item<'a> {
    pickle: &'a Pickle,
    id: Id,
    place: String,
}

impl<'a> Item<'a> {
    fn object(&self) -> &'a Object {
        self.at(self.id)
    }

    fn at(&self, id: Id) -> &'a Object {
        &self.pickle.objects[id as usize]
    }

    fn inner(&self, id: Id, place: String) -> Self {
        Self { pickle: self.pickle, id, place }
    }

    /// An error about this object.
    pub(crate) fn fault(&self, fault: impl Into<String>, remedy: &'static str) -> DataError {
        DataError::malformed(&self.pickle.path, self.place.as_str(), fault, remedy)
    }

    fn is_not(&self, wanted: &str) -> DataError {
        self.fault(format!("{} instead of {wanted}", self.what()), "give a file of the right format")
    }

    /// The kind of the object, in words.
    fn what(&self) -> &'static str {
        match self.object() {
            Object::None => "None",
            Object::Bool(_) => "a truth value",
            Object::Integer(_) => "an integer",
            Object::Float(_) => "a number",
            Object::Bytes(_) | Object::Text(_) => "a string",
            Object::List(_) => "a list",
            Object::Tuple(_) => "a tuple",
            Object::Dict(_) => "a dictionary",
            Object::Function(_) => "a function",
            Object::BlankArray => "an array without content",
            Object::Dtype(_) => "a type of numbers",
            Object::Array { .. } => "an array",
        }
    }

    /// The value of a dictionary for a key that is a string (of either kind), or nothing.
    ///
    /// # Errors
    ///
    /// [`DataError::Malformed`] if this is no dictionary.
    pub fn find(&self, key: &str) -> Result<Option<Self>, DataError> {
        let Object::Dict(entries) = self.object() else { return Err(self.is_not("a dictionary")) };
        let has_key = |&&(id, _): &&(Id, Id)| self.string_of(id) == Some(key.as_bytes());
        let found = entries.iter().rev().find(has_key);
        Ok(found.map(|&(_, value)| self.inner(value, format!("entry '{key}'"))))
    }

    /// As [`find`](Self::find), where the key has to be there.
    ///
    /// # Errors
    ///
    /// [`DataError::Malformed`], which lists the keys there are.
    pub fn entry(&self, key: &str) -> Result<Self, DataError> {
        if let Some(found) = self.find(key)? {
            return Ok(found);
        }
        let Object::Dict(entries) = self.object() else { return Err(self.is_not("a dictionary")) };
        let name = |id| String::from_utf8_lossy(self.string_of(id).unwrap_or(b"no string")).into_owned();
        let mut keys: Vec<String> =
            entries.iter().take(20).map(|&(id, _)| format!("'{}'", name(id))).collect();
        if keys.is_empty() {
            keys.push("none".into());
        }
        let fault = format!("no entry '{key}'; the keys are {}", keys.join(", "));
        Err(self.fault(fault, "give a file of the right format"))
    }

    fn string_of(&self, id: Id) -> Option<&'a [u8]> {
        match self.at(id) {
            Object::Bytes(bytes) => Some(bytes),
            Object::Text(text) => Some(text.as_bytes()),
            _ => None,
        }
    }

    /// The members of a list or a tuple.
    ///
    /// # Errors
    ///
    /// [`DataError::Malformed`] if it is neither.
    pub fn members(&self) -> Result<impl ExactSizeIterator<Item = Self> + use<'a>, DataError> {
        let (Object::List(members) | Object::Tuple(members)) = self.object() else {
            return Err(self.is_not("a list"));
        };
        let (pickle, place) = (self.pickle, self.place.clone());
        let member = move |(at, &id)| Item { pickle, id, place: format!("{place}, member {at}") };
        Ok(members.iter().enumerate().map(member))
    }

    /// An integer; a number of numpy or a truth value (0 and 1) also is one.
    ///
    /// # Errors
    ///
    /// [`DataError::Malformed`] if it is none.
    pub fn integer(&self) -> Result<i64, DataError> {
        match self.object() {
            Object::Integer(value) => Ok(*value),
            Object::Bool(value) => Ok((*value).into()),
            Object::Array { .. } => {
                let numbers = self.array()?.to_i64().filter(|numbers| numbers.len() == 1);
                numbers.and_then(|numbers| numbers.first().copied()).ok_or_else(|| self.is_not("an integer"))
            }
            _ => Err(self.is_not("an integer")),
        }
    }

    /// The integers of a list, a tuple or an array of any shape, in row-major order.
    ///
    /// # Errors
    ///
    /// [`DataError::Malformed`] for what is no integer.
    pub fn integers(&self) -> Result<Vec<i64>, DataError> {
        match self.object() {
            Object::Array { .. } => {
                let numbers = self.array()?.to_i64();
                Ok(numbers.ok_or_else(|| self.is_not("an array of integers"))?.into_iter().collect())
            }
            _ => self.members()?.map(|member| member.integer()).collect(),
        }
    }

    /// A number.
    ///
    /// # Errors
    ///
    /// [`DataError::Malformed`] if it is none.
    pub fn number(&self) -> Result<f64, DataError> {
        match self.object() {
            Object::Float(value) => Ok(*value),
            _ => self.integer().map(|value| value as f64),
        }
    }

    /// A string; one of bytes has to be UTF-8.
    ///
    /// # Errors
    ///
    /// [`DataError::Malformed`] if it is none.
    pub fn text(&self) -> Result<&'a str, DataError> {
        let bytes = self.string_of(self.id).ok_or_else(|| self.is_not("a string"))?;
        std::str::from_utf8(bytes).map_err(|_| self.is_not("a string of UTF-8"))
    }

    /// An array of numbers, not copied.
    ///
    /// # Errors
    ///
    /// [`DataError::Malformed`] if it is none.
    pub fn array(&self) -> Result<NumberArray<'a>, DataError> {
        let Object::Array { dtype, shape, column_major, bytes } = self.object() else {
            return Err(self.is_not("an array"));
        };
        let Object::Bytes(bytes) = self.at(*bytes) else { return Err(self.is_not("an array of numbers")) };
        NumberArray::new(shape.clone(), dtype.encoding(*column_major), bytes.as_slice())
            .map_err(|fault| self.fault(fault, "write the file again with numpy"))
    }
}

#[cfg(test)]
mod tests;
