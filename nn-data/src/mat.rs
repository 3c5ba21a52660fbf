//! MATLAB's MAT files of version 5 (to 7.2), as far as they hold arrays of real numbers.
//!
//! Variables of another kind (cells, structures, text, sparse and complex matrices) are passed over. Files of
//! version 7.3 are HDF5 and are refused: save them with `save('-v7', ...)`.

use std::io::Read;
use std::path::{Path, PathBuf};

use flate2::bufread::ZlibDecoder;

use crate::DataError;
use crate::number_array::{Encoding, NumberArray, NumberKind};
use crate::unpack::read_whole;

/// Bytes of a file and of its unpacked variables together, at most: 1 GiB.
pub const MAX_BYTES: usize = 1 << 30;

const HEADER: usize = 128;
const COMPRESSED: u32 = 15;
const MATRIX: u32 = 14;
const DAMAGED: &str = "the file is cut off or damaged; obtain it again";

/// The numeric variables of a MAT file.
#[derive(Debug)]
pub struct MatFile {
    path: PathBuf,
    variables: Vec<(String, NumberArray<'static>)>,
}

impl MatFile {
    /// Reads a file.
    ///
    /// # Errors
    ///
    /// An absent or unreadable file, and [`DataError::Malformed`] with the byte: another format, a file that
    /// is cut off or damaged, one that unpacks to more than [`MAX_BYTES`].
    pub fn read(path: &Path) -> Result<Self, DataError> {
        Self::decode(&read_whole(path, MAX_BYTES)?, path)
    }

    /// Reads a file from memory; errors call it `name`.
    ///
    /// # Errors
    ///
    /// Those of [`read`](Self::read).
    pub fn decode(bytes: &[u8], name: &Path) -> Result<Self, DataError> {
        let big_endian = match bytes.get(HEADER - 4..HEADER) {
            Some([0, 1, b'I', b'M']) => false,
            Some([1, 0, b'M', b'I']) => true,
            _ => {
                let fault = "no MAT file of version 5";
                return Err(DataError::malformed(name, "byte 124", fault, "save it with save('-v7', ...)"));
            }
        };
        let mut budget = MAX_BYTES;
        let mut variables = Vec::new();
        let mut reader = Elements { bytes, at: HEADER, big_endian };
        while reader.at < bytes.len() {
            let start = reader.at;
            let variable = reader.next().and_then(|(kind, content)| match kind {
                COMPRESSED => {
                    let inner = unpacked(content, &mut budget)?;
                    let (kind, content) = Elements { bytes: &inner, at: 0, big_endian }.next()?;
                    if kind == MATRIX { matrix(content, big_endian) } else { Ok(None) }
                }
                MATRIX => matrix(content, big_endian),
                _ => Ok(None),
            });
            match variable {
                Ok(variable) => variables.extend(variable),
                Err(fault) => {
                    return Err(DataError::malformed(name, format!("byte {start}"), fault, DAMAGED));
                }
            }
        }
        Ok(Self { path: name.into(), variables })
    }

    /// The variable of this name; its arrays are at least two-dimensional.
    ///
    /// # Errors
    ///
    /// [`DataError::Malformed`], which lists the names there are.
    pub fn variable(&self, name: &str) -> Result<&NumberArray<'static>, DataError> {
        let found = self.variables.iter().find(|(own, _)| own == name);
        found.map(|(_, array)| array).ok_or_else(|| {
            let names: Vec<&str> = self.variables.iter().map(|(own, _)| own.as_str()).collect();
            let fault = format!("no array of numbers '{name}'; there are: {}", names.join(", "));
            DataError::malformed(&self.path, "the variables", fault, "give a file of the right format")
        })
    }
}

/// The data elements that stand one after the other.
struct Elements<'a> {
    bytes: &'a [u8],
    at: usize,
    big_endian: bool,
}

impl<'a> Elements<'a> {
    fn word(&mut self) -> Result<u32, String> {
        let four = self.take(4)?.try_into().expect("four bytes were taken");
        Ok(if self.big_endian { u32::from_be_bytes(four) } else { u32::from_le_bytes(four) })
    }

    fn take(&mut self, count: usize) -> Result<&'a [u8], String> {
        let rest = &self.bytes[self.at..];
        let taken = rest.get(..count);
        self.at += count.min(rest.len());
        taken.ok_or_else(|| format!("{count} bytes should follow, but {} do", rest.len()))
    }

    /// The next element: its type and its content.
    fn next(&mut self) -> Result<(u32, &'a [u8]), String> {
        let kind = self.word()?;
        // A small element has its length in the upper half of the first word and its content in the second.
        if kind >> 16 != 0 {
            let length = (kind >> 16) as usize;
            let content = self.take(4)?;
            let fault = || format!("a small element of {length} bytes");
            return Ok((kind & 0xffff, content.get(..length).ok_or_else(fault)?));
        }
        let length = self.word()? as usize;
        let content = self.take(length)?;
        if kind != COMPRESSED {
            let padding = (length.next_multiple_of(8) - length).min(self.bytes.len() - self.at);
            self.at += padding;
        }
        Ok((kind, content))
    }
}

fn unpacked(content: &[u8], budget: &mut usize) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    let got = ZlibDecoder::new(content).take(*budget as u64).read_to_end(&mut bytes);
    let got = got.map_err(|reason| format!("a variable that cannot be unpacked ({reason})"))?;
    *budget -= got;
    match *budget {
        0 => Err(format!("variables that unpack to {MAX_BYTES} bytes or more")),
        _ => Ok(bytes),
    }
}

/// Name and content of a matrix, if it is one of real numbers.
fn matrix(content: &[u8], big_endian: bool) -> Result<Option<(String, NumberArray<'static>)>, String> {
    let mut parts = Elements { bytes: content, at: 0, big_endian };
    if content.is_empty() {
        return Ok(None);
    }
    let (_, flags) = parts.next()?;
    let flags = Elements { bytes: flags, at: 0, big_endian }.word()?;
    let (class, complex) = (flags & 0xff, flags & 0x0800 != 0);
    if !(6..=15).contains(&class) || complex {
        return Ok(None);
    }
    let (_, dimensions) = parts.next()?;
    let mut words = Elements { bytes: dimensions, at: 0, big_endian };
    let mut shape = Vec::new();
    while words.at < dimensions.len() && shape.len() <= 32 {
        shape.push(words.word()? as i32);
    }
    let shape: Option<Vec<usize>> = shape.into_iter().map(|length| usize::try_from(length).ok()).collect();
    let shape = shape.filter(|shape| shape.len() <= 32).ok_or("a matrix with impossible dimensions")?;
    let (_, name) = parts.next()?;
    let name = String::from_utf8_lossy(name).into_owned();
    let (kind, numbers) = parts.next()?;
    let kind = match kind {
        1 => NumberKind::I8,
        2 => NumberKind::U8,
        3 => NumberKind::I16,
        4 => NumberKind::U16,
        5 => NumberKind::I32,
        6 => NumberKind::U32,
        7 => NumberKind::F32,
        9 => NumberKind::F64,
        12 => NumberKind::I64,
        13 => NumberKind::U64,
        other => return Err(format!("variable '{name}' has numbers of the unknown type {other}")),
    };
    let encoding = Encoding { kind, big_endian, column_major: true };
    let array = NumberArray::new(shape, encoding, numbers.to_vec());
    array.map(|array| Some((name.clone(), array))).map_err(|fault| format!("variable '{name}' has {fault}"))
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use flate2::{Compression, write::ZlibEncoder};
    use std::io::Write;

    fn element(kind: u32, content: &[u8]) -> Vec<u8> {
        let mut bytes = [kind.to_le_bytes(), (content.len() as u32).to_le_bytes()].concat();
        bytes.extend(content);
        bytes.resize(bytes.len().next_multiple_of(8), 0);
        bytes
    }

    /// A variable of unsigned bytes; `values` are in MATLAB's order, column after column.
    fn variable(name: &str, shape: [i32; 2], values: &[u8]) -> Vec<u8> {
        let flags = element(6, &[9, 0, 0, 0, 0, 0, 0, 0]);
        let shape = element(5, &[shape[0].to_le_bytes(), shape[1].to_le_bytes()].concat());
        let numbers = element(2, values);
        element(MATRIX, &[flags, shape, element(1, name.as_bytes()), numbers].concat())
    }

    /// A file of such variables, each compressed, as MATLAB writes it.
    pub(crate) fn file(variables: &[(&str, [i32; 2], &[u8])]) -> Vec<u8> {
        let mut bytes = vec![b' '; HEADER - 4];
        bytes.extend([0, 1, b'I', b'M']);
        for &(name, shape, values) in variables {
            let mut encoder = ZlibEncoder::new(Vec::new(), Compression::best());
            encoder.write_all(&variable(name, shape, values)).unwrap();
            let packed = encoder.finish().unwrap();
            bytes.extend([COMPRESSED.to_le_bytes(), (packed.len() as u32).to_le_bytes()].concat());
            bytes.extend(packed);
        }
        bytes
    }

    fn read(bytes: &[u8]) -> Result<MatFile, DataError> {
        MatFile::decode(bytes, Path::new("some.mat"))
    }

    #[test]
    fn packed_and_plain_variables_are_read_column_by_column() {
        let packed = file(&[("data", [2, 3], &[1, 4, 2, 5, 3, 6]), ("labels", [2, 1], &[7, 8])]);
        let mut plain = packed[..HEADER].to_vec();
        plain.extend(variable("data", [2, 3], &[1, 4, 2, 5, 3, 6]));
        // A small element: the two labels within the tag.
        let mut small = variable("labels", [2, 1], &[]);
        let numbers = small.len() - 8;
        small[numbers..].copy_from_slice(&[2, 0, 2, 0, 7, 8, 0, 0]);
        plain.extend(small);
        for bytes in [packed, plain] {
            let file = read(&bytes).unwrap();
            let data = file.variable("data").unwrap().to_u8().unwrap();
            assert_eq!(data, ndarray::array![[1, 2, 3], [4, 5, 6]].into_dyn());
            assert_eq!(
                file.variable("labels").unwrap().to_u8().unwrap(),
                ndarray::array![[7], [8]].into_dyn()
            );
            let error = file.variable("fine").unwrap_err().to_string();
            assert!(error.contains("no array of numbers 'fine'; there are: data, labels"), "{error}");
        }
    }

    #[test]
    fn other_formats_and_damage_are_named() {
        let whole = file(&[("data", [2, 3], &[1, 4, 2, 5, 3, 6])]);
        for length in (0..whole.len()).filter(|&length| length != HEADER) {
            let error = read(&whole[..length]).unwrap_err().to_string();
            assert!(error.starts_with("some.mat: byte 12"), "{length}: {error}");
        }
        assert!(read(b"\x89HDF").unwrap_err().to_string().contains("no MAT file of version 5"));
        let wrong = file(&[("data", [2, 4], &[1, 4, 2, 5, 3, 6])]);
        let error = read(&wrong).unwrap_err().to_string();
        assert!(error.contains("variable 'data' has 6 bytes, but shape [2, 4] of U8 asks for 8"), "{error}");
        let huge = file(&[("data", [i32::MAX, i32::MAX], &[1])]);
        assert!(read(&huge).unwrap_err().to_string().contains("asks for 4611686014132420609"));
        assert!(read(&file(&[("data", [-1, 1], &[1])])).unwrap_err().to_string().contains("impossible"));
        for at in HEADER..whole.len() {
            let mut bytes = whole.clone();
            bytes[at] ^= 0x41;
            let _ = read(&bytes);
        }
    }
}
