//! Ready-made observers: figures, the console, CSV files, checkpoints, early stops.

mod checkpoint;
mod console;
mod csv;
mod early_stop;
mod probe;

pub use checkpoint::SaveCheckpoint;
pub use console::Console;
pub use csv::CsvFile;
pub use early_stop::EarlyStop;
pub use probe::{History, Measure, Probe};
