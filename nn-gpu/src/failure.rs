//! What went wrong on the device, kept until it is read: nothing that wgpu reports may end the process.

use crate::memory::NoMemory;
use nn_core::Error;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::sync::{Arc, Mutex};

/// The first failure of a device. After it nothing more is asked of the device: what it holds is not what was meant.
#[derive(Clone, Debug, Default)]
pub(crate) struct Failure(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    failed: AtomicBool,
    what: Mutex<Option<What>>,
}

#[derive(Clone, Debug)]
pub(crate) enum What {
    Lost(String),
    NoMemory(NoMemory),
    Refused(String),
}

impl Failure {
    /// Listens to a device.
    pub(crate) fn watch(device: &wgpu::Device) -> Failure {
        let failure = Failure::default();
        let seen = failure.clone();
        device.on_uncaptured_error(Arc::new(move |error| seen.note_error(&error)));
        let seen = failure.clone();
        device.set_device_lost_callback(move |reason, message| {
            // Dropping the last handle of a device reports it as destroyed, too; nobody is left to read that.
            let message = if message.is_empty() { format!("{reason:?}") } else { message };
            seen.note(What::Lost(message));
        });
        failure
    }

    pub(crate) fn note_error(&self, error: &wgpu::Error) {
        let text = || error.to_string().split_whitespace().collect::<Vec<_>>().join(" ");
        self.note(match error {
            wgpu::Error::OutOfMemory { .. } => What::NoMemory(NoMemory { wanted: 0, used: 0, cap: None }),
            _ => What::Refused(text()),
        });
    }

    /// Keeps the first; a lost device explains everything else.
    pub(crate) fn note(&self, what: What) {
        let mut first = self.0.what.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        if first.is_none() || matches!(what, What::Lost(_)) && !matches!(*first, Some(What::Lost(_))) {
            *first = Some(what);
        }
        self.0.failed.store(true, SeqCst);
    }

    pub(crate) fn happened(&self) -> bool {
        self.0.failed.load(SeqCst)
    }

    /// # Errors
    /// If anything failed.
    pub(crate) fn check(&self, device: &str) -> Result<(), Error> {
        if !self.happened() {
            return Ok(());
        }
        let device = device.to_string();
        let what = self.0.what.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        Err(match what.clone() {
            Some(What::Lost(reason)) => Error::DeviceLost { device, reason },
            Some(What::NoMemory(NoMemory { wanted, used, cap })) => {
                Error::OutOfMemory { device, wanted, used, cap }
            }
            Some(What::Refused(problem)) => Error::Device { device, problem },
            None => return Ok(()),
        })
    }
}
