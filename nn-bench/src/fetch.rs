//! Downloads official data files into the folder where experiments look for them.

use std::path::PathBuf;

use clap::Args;
use nn_data::fetch::{FetchOptions, Progress as Step, fetch_with};
use nn_data::{DataError, Dataset};

use crate::digits::cache_folder;
use crate::progress::{Progress, say};

/// Which data set, and from where to where.
#[derive(Debug, Clone, Args)]
pub struct Fetch {
    /// The data set: mnist or fashion-mnist
    #[arg(value_parser = dataset)]
    pub dataset: Dataset,

    /// The folder to put its folder into [default: the user's cache folder, where experiments look]
    #[arg(long, value_name = "DIR")]
    pub to: Option<PathBuf>,

    /// Address of a folder that holds the packed official files, instead of the official one
    #[arg(long, value_name = "ADDRESS")]
    pub mirror: Option<String>,

    /// Address of a proxy, such as http://proxy.example:3128
    #[arg(long, value_name = "ADDRESS")]
    pub proxy: Option<String>,
}

fn dataset(name: &str) -> Result<Dataset, String> {
    let known = Dataset::ALL.map(Dataset::folder);
    let found = Dataset::ALL.into_iter().find(|dataset| dataset.folder() == name);
    found.ok_or_else(|| format!("known data sets are {}", known.join(", ")))
}

impl Fetch {
    /// Downloads what is missing, checks everything, and shows how far it is.
    ///
    /// # Errors
    /// Offline, a wrong check sum, a full disk: see [`fetch_with`]. What has arrived is kept and resumed from.
    pub fn run(&self) -> Result<(), DataError> {
        let folder = self.to.clone().unwrap_or_else(cache_folder);
        let options = FetchOptions {
            address: self.mirror.clone(),
            proxy: self.proxy.clone(),
            ..FetchOptions::default()
        };
        let mut bar: Option<(String, Progress)> = None;
        fetch_with(self.dataset, &folder, &options, &mut |step| match step {
            Step::Present { path } => say(&format!("present: {}", path.display())),
            Step::Started { address, resumed_from: 0 } => say(&format!("fetching {address}")),
            Step::Started { address, resumed_from } => {
                say(&format!("resuming {address} at byte {resumed_from}"))
            }
            Step::Received { address, bytes, total } => {
                if bar.as_ref().is_none_or(|(other, _)| other != address) {
                    let name = address.rsplit('/').next().unwrap_or(address);
                    bar = Some((address.to_string(), Progress::new(name, total.unwrap_or(bytes))));
                }
                if let Some((_, bar)) = &bar {
                    bar.set(bytes);
                }
            }
            Step::Finished { path } => {
                bar = None;
                say(&format!("complete: {}", path.display()));
            }
        })?;
        Ok(())
    }
}
