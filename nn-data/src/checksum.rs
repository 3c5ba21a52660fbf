//! SHA-256 check sums of streams and files, as 64 lower-case hexadecimal digits.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use sha2::{Digest, Sha256};

use crate::DataError;
use crate::unpack::Unpacked;

/// SHA-256 of everything that `source` delivers.
///
/// # Errors
///
/// Those of `source`.
pub fn sha256(mut source: impl Read) -> io::Result<String> {
    let mut state = Sha256::new();
    let mut buffer = vec![0; 1 << 16];
    loop {
        match source.read(&mut buffer) {
            Ok(0) => return Ok(hexadecimal(&state.finalize())),
            Ok(got) => state.update(&buffer[..got]),
            Err(reason) if reason.kind() == io::ErrorKind::Interrupted => {}
            Err(reason) => return Err(reason),
        }
    }
}

/// SHA-256 of a file as it lies on the disk.
///
/// # Errors
///
/// [`DataError::Absent`] or [`DataError::Io`].
pub fn sha256_of_file(path: &Path) -> Result<String, DataError> {
    let failed = |reason| DataError::from_io(path, "read", reason);
    sha256(File::open(path).map_err(failed)?).map_err(failed)
}

/// SHA-256 of the content of a file: of the unpacked bytes if it is packed with gzip, of its bytes if not.
///
/// The same content packed by different programs has different bytes, but one sum by this function.
///
/// # Errors
///
/// [`DataError::Absent`], [`DataError::Io`], [`DataError::TruncatedGzip`] or [`DataError::DamagedGzip`].
pub fn sha256_of_unpacked(path: &Path) -> Result<String, DataError> {
    let mut state = Sha256::new();
    Unpacked::open(path)?.drain(|piece| state.update(piece))?;
    Ok(hexadecimal(&state.finalize()))
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use flate2::{Compression, write::GzEncoder};
    use std::io::Write;

    // The examples of FIPS 180-2, appendix B.
    const OF_ABC: &str = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
    const OF_MILLION_A: &str = "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0";

    #[test]
    fn published_examples_are_met() {
        assert_eq!(sha256(&b"abc"[..]).unwrap(), OF_ABC);
        assert_eq!(sha256(io::repeat(b'a').take(1_000_000)).unwrap(), OF_MILLION_A);
    }

    #[test]
    fn a_packed_file_has_the_sum_of_its_content() {
        let folder = tempfile::tempdir().unwrap();
        let (plain, packed) = (folder.path().join("plain"), folder.path().join("packed"));
        std::fs::write(&plain, "abc").unwrap();
        let mut encoder = GzEncoder::new(File::create(&packed).unwrap(), Compression::fast());
        encoder.write_all(b"abc").unwrap();
        encoder.finish().unwrap();
        assert_eq!(sha256_of_file(&plain).unwrap(), OF_ABC);
        assert_eq!(sha256_of_unpacked(&plain).unwrap(), OF_ABC);
        assert_eq!(sha256_of_unpacked(&packed).unwrap(), OF_ABC);
        assert_ne!(sha256_of_file(&packed).unwrap(), OF_ABC);
    }

    #[test]
    fn an_absent_file_is_named() {
        let error = sha256_of_file(Path::new("no/such/file")).unwrap_err();
        assert!(matches!(&error, DataError::Absent { .. }) && error.to_string().contains("no/such/file"));
        assert!(matches!(sha256_of_unpacked(Path::new("no/such")), Err(DataError::Absent { .. })));
    }
}
