//! The device.

mod reading;
mod verbs;

pub use reading::Reading;

use crate::adapters::{self, AdapterReport, Choice};
use crate::arguments::Arguments;
use crate::failure::Failure;
use crate::kernels::{Kernel, Seen, Structure};
use crate::memory::{Memory, MemoryUse, Pool};
use crate::pipelines::Pipelines;
use crate::settings::{Fault, Settings};
use crate::stream::{Counters, Start, Stream};
use nn_core::{Device, Error, Tensor, ViewMut};
use std::sync::{Arc, Mutex, MutexGuard, Weak};

/// An opened device, the backend of the tensors that are made on it.
#[derive(Debug)]
pub struct Gpu {
    me: Weak<Gpu>,
    adapter: AdapterReport,
    name: String,
    settings: Settings,
    subgroups: bool,
    failure: Failure,
    pool: Arc<Pool>,
    recorder: Arc<Mutex<Recorder>>,
}

#[derive(Debug)]
struct Recorder {
    stream: Stream,
    pipelines: Pipelines,
}

impl Gpu {
    /// Opens the adapter that `choice` names.
    ///
    /// # Errors
    /// [`Error::Device`] with what was looked for and why each interface is out, or if the driver refuses.
    pub fn open(choice: &Choice, settings: &Settings) -> Result<Arc<Gpu>, Error> {
        let (adapter, report) = adapters::find(choice)?;
        let info = adapter.get_info();
        let name = format!("{} ({})", info.name, info.backend);
        let subgroups = wgpu::Features::SUBGROUP;
        let descriptor = wgpu::DeviceDescriptor {
            label: Some("nn-gpu"),
            required_features: adapter.features() & subgroups,
            // All that there is: the defaults are what the smallest devices have.
            required_limits: adapter.limits(),
            ..Default::default()
        };
        let (device, queue) = pollster::block_on(adapter.request_device(&descriptor))
            .map_err(|error| Error::Device { device: name.clone(), problem: error.to_string() })?;
        let failure = Failure::watch(&device);
        let limits = device.limits();
        let fails_after = match settings.fault {
            Some(Fault::OutOfMemory { after }) => Some(after),
            _ => None,
        };
        let pool = Pool::new(device.clone(), settings.memory_cap, limits.max_buffer_size, fails_after);
        let trusted = !settings.checked && !cfg!(debug_assertions);
        let software = info.device_type == wgpu::DeviceType::Cpu;
        let recorder = Recorder {
            pipelines: Pipelines::new(&device, trusted),
            stream: Stream::new(device.clone(), queue, failure.clone(), settings.fault),
        };
        Ok(Arc::new_cyclic(|me| Gpu {
            me: me.clone(),
            adapter: report,
            name,
            settings: settings.clone(),
            subgroups: device.features().contains(subgroups) && settings.subgroups.unwrap_or(!software),
            failure,
            pool,
            recorder: Arc::new(Mutex::new(recorder)),
        }))
    }

    /// The device to make tensors on.
    pub fn device(self: &Arc<Self>) -> Device {
        Device::new(self.clone())
    }

    /// The same device with other settings for what it is asked from here on. A fault or a cap stays as it was.
    pub fn with(&self, settings: Settings) -> Arc<Gpu> {
        Arc::new_cyclic(|me| Gpu {
            me: me.clone(),
            adapter: self.adapter.clone(),
            name: self.name.clone(),
            settings,
            subgroups: self.subgroups,
            failure: self.failure.clone(),
            pool: Arc::clone(&self.pool),
            recorder: Arc::clone(&self.recorder),
        })
    }

    /// What it was opened with.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Which adapter it is.
    pub fn adapter(&self) -> &AdapterReport {
        &self.adapter
    }

    /// What was asked of it so far.
    pub fn counters(&self) -> Counters {
        let mut counters = self.recorder().stream.counters;
        counters.buffers += self.pool.used().created;
        counters
    }

    /// Its memory.
    pub fn memory(&self) -> MemoryUse {
        self.pool.used()
    }

    /// Gives memory that no tensor holds back to the driver.
    pub fn trim(&self) {
        let recorder = &mut *self.recorder();
        recorder.stream.finish();
        recorder.stream.forget_bind_groups();
        self.pool.trim();
    }

    /// Waits until all work is done.
    ///
    /// # Errors
    /// Whatever went wrong on the device.
    pub fn synchronize(&self) -> Result<(), Error> {
        self.recorder().stream.finish();
        self.failure.check(&self.name)
    }

    /// The shaders in use, by name, in WGSL.
    pub fn shaders(&self) -> Vec<(String, String)> {
        let recorder = self.recorder();
        recorder.pipelines.structures().map(|structure| (structure.name(), structure.shader())).collect()
    }

    fn recorder(&self) -> MutexGuard<'_, Recorder> {
        // A panic while recording is a bug that has been reported; what was recorded before is still right.
        self.recorder.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    /// A tensor for a moment.
    fn temporary(&self, rows: usize, columns: usize) -> Tensor {
        let me = self.me.upgrade().expect("whoever calls a verb holds the device");
        Device::new(me).zeros(rows, columns)
    }

    /// Makes sure that a tensor that is read has values.
    fn define(&self, memory: &Memory) {
        if !memory.define() {
            self.recorder().stream.clear(memory);
        }
    }

    /// Starts a kernel that stores into `out`; `work` are its multiply-adds, roughly.
    fn start(
        &self,
        out: &ViewMut<'_>,
        kernel: Kernel,
        arguments: Arguments<'_>,
        groups: [u32; 3],
        work: f64,
    ) {
        let memory: &Memory = out.tensor().storage();
        let overwrites = out.len() == out.tensor().len() && !kernel.store().uses_old();
        arguments.inputs.iter().for_each(|bound| self.define(bound.memory));
        if !memory.define() && !overwrites {
            self.recorder().stream.clear(memory);
        }
        let mut inputs: Vec<Seen> = arguments
            .inputs
            .iter()
            .map(|bound| if bound.quads { Seen::Quads } else { Seen::Floats })
            .collect();
        inputs.extend(arguments.rows.map(|_| Seen::Indices));
        // The word of a gather that says where its indices begin comes last.
        let words = arguments.words.len() + usize::from(arguments.rows.is_some());
        let structure = Structure { kernel, words: words as u16, inputs };
        let Recorder { stream, pipelines } = &mut *self.recorder();
        let pipeline = pipelines.get(structure);
        stream.dispatch(pipelines, Start { pipeline, out: memory, arguments, groups, work });
    }
}
