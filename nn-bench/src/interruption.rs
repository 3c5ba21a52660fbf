//! Ctrl-C: the first asks the experiment to save and stop, the second stops at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::run_error::{RunError, WhileDoing};

/// The exit code of a run that was interrupted, as shells number it: 128 and the number of SIGINT.
pub const INTERRUPTED: u8 = 130;

/// Installs the handler for the process and returns the flag that the first Ctrl-C sets.
///
/// A request to terminate (SIGTERM) or a closed terminal (SIGHUP) is treated the same.
///
/// # Errors
///
/// [`RunError::Failed`] if the process already has a handler.
pub fn watch_ctrl_c() -> Result<Arc<AtomicBool>, RunError> {
    let flag = Arc::new(AtomicBool::new(false));
    let shared = Arc::clone(&flag);
    ctrlc::set_handler(move || {
        if shared.swap(true, Ordering::SeqCst) {
            std::process::exit(i32::from(INTERRUPTED));
        }
        crate::progress::say("stopping after this step and saving; press Ctrl-C again to stop at once");
    })
    .while_doing("watching for Ctrl-C")?;
    Ok(flag)
}
