//! The SHA-256 of a data file: what a report says so that another can tell whether they have the same.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use sha2::{Digest, Sha256};

/// One data file as the report lists it.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct DataChecksum {
    /// The name of the file, without its folder.
    pub file: String,
    /// Its SHA-256 in 64 lower-case hexadecimal digits.
    pub sha256: String,
    /// Its size in bytes.
    pub bytes: u64,
}

impl DataChecksum {
    /// Reads the file to its end, a block at a time.
    ///
    /// # Errors
    ///
    /// Whatever the operating system says on opening or reading.
    pub fn of_file(path: &Path) -> io::Result<Self> {
        let mut file = File::open(path)?;
        let mut digest = Sha256::new();
        let mut block = vec![0; 1 << 16];
        let mut bytes = 0;
        loop {
            let read = file.read(&mut block)?;
            if read == 0 {
                break;
            }
            digest.update(&block[..read]);
            bytes += read as u64;
        }
        let name = path.file_name().unwrap_or(path.as_os_str());
        Ok(Self { file: name.to_string_lossy().into_owned(), sha256: hexadecimal(&digest.finalize()), bytes })
    }
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn agrees_with_the_standard_s_example() {
        // FIPS 180-4's example of one block.
        let temporary = tempfile::tempdir().unwrap();
        let path = temporary.path().join("abc.bin");
        std::fs::write(&path, b"abc").unwrap();
        let checksum = DataChecksum::of_file(&path).unwrap();
        assert_eq!(checksum.sha256, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
        assert_eq!((checksum.file.as_str(), checksum.bytes), ("abc.bin", 3));
    }
}
