//! One file: resumed where an earlier attempt stopped, checked, and renamed when it is complete.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::PathBuf;

use ureq::http::{Response, header};
use ureq::{Agent, Body};

use super::Progress;
use crate::DataError;
use crate::checksum::sha256_of_unpacked;

/// Interruptions in succession without a single byte between them after which a download is given up.
const FRUITLESS_ATTEMPTS: u32 = 3;

/// A file on its way.
pub(super) struct Download<'a> {
    agent: &'a Agent,
    address: String,
    sha256: &'static str,
    target: PathBuf,
    part: PathBuf,
}

/// How an attempt ended short of the whole file.
enum Stopped {
    /// The connection broke after this many bytes; another attempt can go on from there.
    Interrupted { gained: u64, reason: String },
    /// Another attempt would end in the same way.
    Failed(DataError),
}

impl<'a> Download<'a> {
    /// A download of `address` to `target`, of which the unpacked content has to have the sum `sha256`.
    pub(super) fn new(agent: &'a Agent, address: String, sha256: &'static str, target: PathBuf) -> Self {
        let mut part = target.clone().into_os_string();
        part.push(".part");
        Self { agent, address, sha256, target, part: part.into() }
    }

    /// Downloads until the file is complete or no attempt gets any further.
    pub(super) fn run(&self, progress: &mut dyn FnMut(Progress<'_>)) -> Result<(), DataError> {
        let mut fruitless = 0;
        // Bytes of an earlier run can be from another version of the file; those of this run cannot.
        let mut suspect = fs::metadata(&self.part).is_ok_and(|part| part.len() > 0);
        loop {
            match self.receive(progress) {
                Ok(()) => match self.finish() {
                    Err(DataError::Download { .. }) if suspect => suspect = false,
                    Err(error) => return Err(error),
                    Ok(()) => {
                        progress(Progress::Finished { path: &self.target });
                        return Ok(());
                    }
                },
                Err(Stopped::Failed(error)) => return Err(error),
                Err(Stopped::Interrupted { gained, reason }) => {
                    fruitless = if gained > 0 { 0 } else { fruitless + 1 };
                    if fruitless == FRUITLESS_ATTEMPTS {
                        return Err(self.failure(reason));
                    }
                }
            }
        }
    }

    /// One request; returns when the `.part` file is as long as the server says.
    fn receive(&self, progress: &mut dyn FnMut(Progress<'_>)) -> Result<(), Stopped> {
        let mut part = File::options()
            .create(true)
            .append(true)
            .open(&self.part)
            .map_err(|reason| self.part_fault("write", reason))?;
        let mut bytes = part.metadata().map_err(|reason| self.part_fault("read", reason))?.len();
        let mut request = self.agent.get(&self.address);
        if bytes > 0 {
            request = request.header(header::RANGE, format!("bytes={bytes}-"));
        }
        let response = request.call().map_err(|error| self.stopped_by(error))?;
        let discard = |part: &File| part.set_len(0).map_err(|reason| self.part_fault("write", reason));
        match response.status().as_u16() {
            200 => {
                // The server sends the whole file, whether or not the rest was asked for.
                discard(&part)?;
                bytes = 0;
            }
            206 if content_range(&response).is_some_and(|range| range.0 == Some(bytes)) => {}
            206 | 416 => {
                if content_range(&response) == Some((None, Some(bytes))) {
                    return Ok(()); // nothing was missing but the check
                }
                discard(&part)?;
                let reason = "the server does not have the rest of what was received earlier".into();
                return Err(Stopped::Interrupted { gained: 0, reason });
            }
            status => {
                return Err(Stopped::Failed(
                    self.failure(format!("the server answers with status {status}")),
                ));
            }
        }
        let total = match content_range(&response) {
            Some((_, total)) => total,
            None => response.body().content_length(),
        };
        progress(Progress::Started { address: &self.address, resumed_from: bytes });
        self.store(response.into_body(), &mut part, bytes, total, progress)
    }

    /// Appends the body to the `.part` file, which holds `before` bytes.
    fn store(
        &self,
        body: Body,
        part: &mut File,
        before: u64,
        total: Option<u64>,
        progress: &mut dyn FnMut(Progress<'_>),
    ) -> Result<(), Stopped> {
        let mut bytes = before;
        let mut reader = body.into_reader();
        let mut buffer = vec![0; 1 << 16];
        let interrupted = |bytes, reason| Err(Stopped::Interrupted { gained: bytes - before, reason });
        loop {
            match reader.read(&mut buffer) {
                Ok(0) => break,
                Ok(got) => {
                    part.write_all(&buffer[..got]).map_err(|reason| self.part_fault("write", reason))?;
                    bytes += got as u64;
                    progress(Progress::Received { address: &self.address, bytes, total });
                }
                Err(reason) if reason.kind() == io::ErrorKind::Interrupted => {}
                Err(reason) => {
                    return interrupted(bytes, format!("interrupted after {bytes} bytes: {reason}"));
                }
            }
        }
        match total {
            Some(total) if bytes < total => {
                interrupted(bytes, format!("the connection ended after {bytes} of {total} bytes"))
            }
            _ => Ok(()),
        }
    }

    /// Checks the `.part` file and gives it its name; removes it if it is not what it should be.
    fn finish(&self) -> Result<(), DataError> {
        let reason = match sha256_of_unpacked(&self.part) {
            Ok(found) if found == self.sha256 => {
                let named = File::open(&self.part)
                    .and_then(|part| part.sync_all())
                    .and_then(|()| fs::rename(&self.part, &self.target));
                return named.map_err(|reason| DataError::from_io(&self.target, "write", reason));
            }
            Ok(found) => format!("the unpacked content that arrived has the SHA-256 {found}"),
            Err(DataError::TruncatedGzip { unpacked, .. }) => {
                format!("what arrived is gzip data that is cut off after {unpacked} unpacked bytes")
            }
            Err(DataError::DamagedGzip { reason, .. }) => {
                format!("what arrived is damaged gzip data: {reason}")
            }
            Err(other) => return Err(other),
        };
        fs::remove_file(&self.part).map_err(|reason| DataError::from_io(&self.part, "remove", reason))?;
        Err(self.failure(reason))
    }

    fn stopped_by(&self, error: ureq::Error) -> Stopped {
        let reason = error.to_string();
        match error {
            ureq::Error::Io(io)
                if matches!(
                    io.kind(),
                    io::ErrorKind::UnexpectedEof
                        | io::ErrorKind::ConnectionReset
                        | io::ErrorKind::ConnectionAborted
                        | io::ErrorKind::BrokenPipe
                ) =>
            {
                Stopped::Interrupted { gained: 0, reason }
            }
            _ => Stopped::Failed(self.failure(reason)),
        }
    }

    fn part_fault(&self, action: &'static str, reason: io::Error) -> Stopped {
        Stopped::Failed(DataError::from_io(&self.part, action, reason))
    }

    fn failure(&self, reason: String) -> DataError {
        DataError::Download {
            path: self.target.clone(),
            address: self.address.clone(),
            reason,
            sha256: self.sha256,
        }
    }
}

/// First byte and total length of a `Content-Range`: "bytes 5-9/10" or, with nothing sent, "bytes */10".
fn content_range(response: &Response<Body>) -> Option<(Option<u64>, Option<u64>)> {
    let text = response.headers().get(header::CONTENT_RANGE)?.to_str().ok()?;
    let (range, total) = text.strip_prefix("bytes ")?.split_once('/')?;
    let first = range.split_once('-').and_then(|(first, _)| first.parse().ok());
    Some((first, total.parse().ok()))
}
