//! Downloading of the official files (feature `fetch`).
//!
//! Files arrive packed in `cache_dir/mnist` or `cache_dir/fashion-mnist`. While one arrives, its name ends in
//! `.part`; a download that was interrupted, in this run or an earlier one, is resumed where it stopped. A
//! file gets its name only after its unpacked content was found to have the official SHA-256. One process at
//! a time downloads into a folder.
//!
//! Neither the environment nor any configuration of the system is consulted: a proxy is used if
//! [`FetchOptions::proxy`] names one.

mod download;
#[cfg(test)]
mod test_server;

use std::fs::{self, File, TryLockError};
use std::path::Path;
use std::time::Duration;

use ureq::{Agent, Proxy};

use crate::checksum::sha256_of_unpacked;
use crate::dataset::{OfficialFile, present};
use crate::{DataError, Dataset, DatasetFiles, locate};
use download::Download;

/// What a download is doing; given to the caller's function as it happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress<'a> {
    /// The file is there already and its check sum is right.
    Present {
        /// The file.
        path: &'a Path,
    },
    /// The server answered, and data follows. Occurs again when an interrupted download is resumed.
    Started {
        /// The address.
        address: &'a str,
        /// Bytes that were there already.
        resumed_from: u64,
    },
    /// A piece arrived.
    Received {
        /// The address.
        address: &'a str,
        /// Bytes that are there by now.
        bytes: u64,
        /// Bytes of the whole file, if the server told.
        total: Option<u64>,
    },
    /// The file is complete, has the right check sum and its final name.
    Finished {
        /// The file.
        path: &'a Path,
    },
}

/// How to download; the default is the official address without a proxy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FetchOptions {
    /// Address of the folder of the packed files, if not the official one: a mirror. `http` or `https`.
    pub address: Option<String>,
    /// Address of a proxy, for example `http://proxy.example:3128`.
    pub proxy: Option<String>,
    /// How long a connection may deliver nothing before it counts as interrupted.
    pub patience: Duration,
}

impl Default for FetchOptions {
    fn default() -> Self {
        Self { address: None, proxy: None, patience: Duration::from_secs(60) }
    }
}

/// Downloads what is missing of a data set in `cache_dir`, from the official address.
///
/// Files that are there, packed or not, are checked and kept.
///
/// # Errors
///
/// [`DataError::Download`] with the file, its address, its check sum and the folder to put it into by other
/// means; what has arrived is kept for the next time. [`DataError::SumMismatch`] for a file that was there
/// and is not the official one; [`DataError::Busy`]; [`DataError::Io`].
pub fn fetch(
    dataset: Dataset,
    cache_dir: &Path,
    progress: &mut dyn FnMut(Progress<'_>),
) -> Result<DatasetFiles, DataError> {
    fetch_with(dataset, cache_dir, &FetchOptions::default(), progress)
}

/// As [`fetch`], with options.
///
/// # Errors
///
/// Those of [`fetch`], and [`DataError::Setting`] for a proxy whose address cannot be understood.
pub fn fetch_with(
    dataset: Dataset,
    cache_dir: &Path,
    options: &FetchOptions,
    progress: &mut dyn FnMut(Progress<'_>),
) -> Result<DatasetFiles, DataError> {
    let base = options.address.as_deref().unwrap_or(dataset.address());
    fetch_files(dataset.files(), &cache_dir.join(dataset.folder()), base, options, progress)?;
    dataset.find(cache_dir)
}

/// Finds a data set as [`locate`] does, and downloads it into `cache_dir` where that folder lacks it and no
/// folder of data was given.
///
/// # Errors
///
/// [`DataError::DatasetAbsent`] if `data_dir` is given and not complete: nothing is downloaded then.
/// Otherwise those of [`fetch`].
pub fn locate_or_fetch(
    dataset: Dataset,
    data_dir: Option<&Path>,
    cache_dir: &Path,
    options: &FetchOptions,
    progress: &mut dyn FnMut(Progress<'_>),
) -> Result<DatasetFiles, DataError> {
    match locate(dataset, data_dir, cache_dir) {
        Err(DataError::DatasetAbsent { .. }) if data_dir.is_none() => {
            fetch_with(dataset, cache_dir, options, progress)
        }
        found => found,
    }
}

fn fetch_files(
    files: &[OfficialFile],
    folder: &Path,
    base: &str,
    options: &FetchOptions,
    progress: &mut dyn FnMut(Progress<'_>),
) -> Result<(), DataError> {
    let agent = agent(options)?;
    fs::create_dir_all(folder).map_err(|reason| DataError::from_io(folder, "create", reason))?;
    let _lock = lock(folder)?;
    for file in files {
        if let Some(path) = present(folder, file) {
            let found = sha256_of_unpacked(&path)?;
            if found != file.sha256 {
                return Err(DataError::SumMismatch { path, found, wanted: file.sha256.into() });
            }
            progress(Progress::Present { path: &path });
            continue;
        }
        let address = format!("{}/{}", base.trim_end_matches('/'), file.packed_name());
        Download::new(&agent, address, file.sha256, folder.join(file.packed_name())).run(progress)?;
    }
    Ok(())
}

fn agent(options: &FetchOptions) -> Result<Agent, DataError> {
    let proxy =
        options.proxy.as_deref().map(Proxy::new).transpose().map_err(|reason| DataError::Setting {
            name: "the address of the proxy",
            value: options.proxy.clone().unwrap_or_default(),
            allowed: format!(
                "it cannot be understood ({reason}); give one such as http://proxy.example:3128"
            ),
        })?;
    let config = Agent::config_builder()
        // Without this the proxy would be taken from the environment.
        .proxy(proxy)
        // Statuses such as 206 and 416 have a meaning here.
        .http_status_as_error(false)
        // The files are wanted as they are, packed.
        .accept_encoding("identity")
        .user_agent(concat!("nn-data/", env!("CARGO_PKG_VERSION")))
        .timeout_connect(Some(options.patience))
        .timeout_recv_response(Some(options.patience))
        .timeout_per_read(Some(options.patience))
        .build();
    Ok(config.new_agent())
}

/// Keeps other processes from downloading into the folder as long as the file is open.
fn lock(folder: &Path) -> Result<File, DataError> {
    let path = folder.join(".download-lock");
    let file = File::options().create(true).append(true).open(&path);
    let file = file.map_err(|reason| DataError::from_io(&path, "write", reason))?;
    match file.try_lock() {
        Err(TryLockError::WouldBlock) => Err(DataError::Busy { folder: folder.into() }),
        // Some network file systems know no locks; downloading alone is safe there too.
        Ok(()) | Err(TryLockError::Error(_)) => Ok(file),
    }
}

#[cfg(test)]
mod tests;
