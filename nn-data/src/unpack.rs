//! Reading of files that may or may not be packed with gzip, told apart by their first two bytes.

use std::fs::File;
use std::io::{self, BufReader, Cursor, Read};
use std::path::{Path, PathBuf};

use flate2::read::MultiGzDecoder;

use crate::DataError;

const GZIP_MAGIC: [u8; 2] = [0x1f, 0x8b];

/// The unpacked bytes of a file or of bytes in memory.
///
/// Errors name the file; a gzip stream that is cut off and one that is damaged are told apart. The check sum
/// at the end of a gzip stream is verified when the reader is read to its end.
pub(crate) struct Unpacked<'a> {
    reader: Box<dyn Read + 'a>,
    path: PathBuf,
    gzip: bool,
    delivered: u64,
}

/// The whole unpacked content of a file that has to be shorter than `limit` bytes.
pub(crate) fn read_whole(path: &Path, limit: usize) -> Result<Vec<u8>, DataError> {
    let mut bytes = Vec::new();
    if Unpacked::open(path)?.append(limit, &mut bytes)? < limit {
        return Ok(bytes);
    }
    let fault = format!("{limit} bytes or more, which is too long for a file of this kind");
    Err(DataError::malformed(path, "the whole file", fault, "divide it, or give the right file"))
}

impl Unpacked<'static> {
    /// Opens a file.
    pub(crate) fn open(path: &Path) -> Result<Self, DataError> {
        let file = File::open(path).map_err(|reason| DataError::from_io(path, "read", reason))?;
        Self::new(BufReader::with_capacity(1 << 16, file), path)
    }
}

impl<'a> Unpacked<'a> {
    /// Reads from `source`; `name` is only used in errors.
    pub(crate) fn new(mut source: impl Read + 'a, name: &Path) -> Result<Self, DataError> {
        let mut head = Vec::with_capacity(2);
        let failed = |reason| DataError::from_io(name, "read", reason);
        source.by_ref().take(2).read_to_end(&mut head).map_err(failed)?;
        let gzip = head == GZIP_MAGIC;
        let whole = Cursor::new(head).chain(source);
        let reader: Box<dyn Read + 'a> =
            if gzip { Box::new(MultiGzDecoder::new(whole)) } else { Box::new(whole) };
        Ok(Self { reader, path: name.into(), gzip, delivered: 0 })
    }

    /// Appends up to `limit` bytes to `bytes`; fewer only where the content ends. Returns how many.
    pub(crate) fn append(&mut self, limit: usize, bytes: &mut Vec<u8>) -> Result<usize, DataError> {
        let before = bytes.len();
        // A header can announce anything: what is set aside at once stays within 64 MiB.
        bytes.reserve_exact(limit.min(1 << 26));
        let outcome = self.reader.by_ref().take(limit as u64).read_to_end(bytes);
        let got = bytes.len() - before;
        self.delivered += got as u64;
        outcome.map_err(|reason| self.fault(reason))?;
        Ok(got)
    }

    /// Hands the rest to `receive` piece by piece and returns its length.
    pub(crate) fn drain(&mut self, mut receive: impl FnMut(&[u8])) -> Result<u64, DataError> {
        let mut buffer = vec![0; 1 << 16];
        let mut count = 0;
        loop {
            match self.reader.read(&mut buffer) {
                Ok(0) => return Ok(count),
                Ok(got) => {
                    receive(&buffer[..got]);
                    count += got as u64;
                    self.delivered += got as u64;
                }
                Err(reason) if reason.kind() == io::ErrorKind::Interrupted => {}
                Err(reason) => return Err(self.fault(reason)),
            }
        }
    }

    /// The error of this file that `reason`, met while reading, stands for.
    pub(crate) fn fault(&self, reason: io::Error) -> DataError {
        let path = self.path.clone();
        match reason.kind() {
            io::ErrorKind::UnexpectedEof if self.gzip => {
                DataError::TruncatedGzip { path, unpacked: self.delivered }
            }
            io::ErrorKind::InvalidInput | io::ErrorKind::InvalidData if self.gzip => {
                DataError::DamagedGzip { path, reason }
            }
            _ => DataError::from_io(&path, "read", reason),
        }
    }
}

/// For readers that take any stream; errors are turned into those of the file by [`Unpacked::fault`].
impl Read for Unpacked<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let got = self.reader.read(buffer)?;
        self.delivered += got as u64;
        Ok(got)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use flate2::{Compression, write::GzEncoder};
    use std::io::Write;

    fn packed(content: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(content).unwrap();
        encoder.finish().unwrap()
    }

    fn content(source: &[u8]) -> Result<Vec<u8>, DataError> {
        let mut bytes = Vec::new();
        let mut reader = Unpacked::new(source, Path::new("x.gz"))?;
        reader.append(usize::MAX, &mut bytes)?;
        Ok(bytes)
    }

    #[test]
    fn plain_gzip_and_several_gzip_members_are_read() {
        let text: Vec<u8> = (0..100_000u32).map(|i| (i.wrapping_mul(i) >> 7) as u8).collect();
        assert_eq!(content(&text).unwrap(), text);
        assert_eq!(content(&packed(&text)).unwrap(), text);
        let two = [packed(&text[..500]), packed(&text[500..])].concat();
        assert_eq!(content(&two).unwrap(), text);
        assert!(content(&[]).unwrap().is_empty());
        assert_eq!(content(&[0x1f]).unwrap(), [0x1f]);
    }

    #[test]
    fn gzip_cut_off_anywhere_is_reported_as_cut_off() {
        let whole = packed(&(0..5000u32).map(|i| ((i * i) >> 5) as u8).collect::<Vec<_>>());
        for length in 2..whole.len() {
            let error = content(&whole[..length]).unwrap_err();
            assert!(matches!(error, DataError::TruncatedGzip { .. }), "{length}: {error:?}");
        }
    }

    #[test]
    fn damaged_gzip_is_reported_as_damaged() {
        let whole = packed(b"some content that is long enough");
        let mut wrong_sum = whole.clone();
        let place = whole.len() - 8;
        wrong_sum[place] ^= 1;
        assert!(matches!(content(&wrong_sum).unwrap_err(), DataError::DamagedGzip { .. }));
        let foreign = [whole.as_slice(), b"this is no gzip member"].concat();
        assert!(matches!(content(&foreign).unwrap_err(), DataError::DamagedGzip { .. }));
    }
}
