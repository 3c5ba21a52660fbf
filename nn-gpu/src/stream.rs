//! Work for the device, recorded and handed over in batches.
//!
//! Everything that a kernel is started with beside tensors, and every small upload, is collected in one block of bytes
//! that goes to the device at the head of its batch. So uploads keep the order of the program, a start costs no buffer
//! and no submission, and the bind groups stay the same from step to step.

use crate::arguments::Arguments;
use crate::failure::{Failure, What};
use crate::memory::Memory;
use crate::pipelines::{Pipeline, Pipelines};
use crate::settings::Fault;
use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

/// Kernels that are recorded before they are handed over.
const BATCH: usize = 64;
/// Batches that may be under way; recording waits for the oldest of more.
const UNDER_WAY: usize = 3;
/// Bytes of uniform data and small uploads of one batch.
const DATA: u64 = 1 << 20;
/// Uploads above this many bytes do not pass through the data of a batch.
const SMALL: usize = 64 << 10;
/// Bytes of a large upload that are under way at once.
const CHUNK: usize = 16 << 20;
/// Multiply-adds after which a batch is handed over: drivers take a device for hung that works on one for seconds.
const WORK: f64 = 2e11;
/// Bind groups kept.
const BIND_GROUPS: usize = 4096;

/// What the host has asked of the device since it was opened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Kernels started.
    pub dispatches: u64,
    /// Batches of work handed over.
    pub submissions: u64,
    /// Buffers created, those for transfers among them.
    pub buffers: u64,
    /// Bind groups created.
    pub bind_groups: u64,
    /// Pipelines compiled.
    pub pipelines: u64,
    /// Reads that waited for the device.
    pub reads: u64,
}

enum Command {
    Dispatch { pipeline: Arc<Pipeline>, bind_group: wgpu::BindGroup, data: u32, groups: [u32; 3] },
    Copy { from: wgpu::Buffer, from_at: u64, to: wgpu::Buffer, to_at: u64, bytes: u64 },
    Clear(wgpu::Buffer),
}

/// The recorder of a device.
pub(crate) struct Stream {
    device: wgpu::Device,
    queue: wgpu::Queue,
    failure: Failure,
    commands: Vec<Command>,
    /// What goes into the buffer of the same name when the batch is handed over.
    bytes: Vec<u8>,
    data: wgpu::Buffer,
    alignment: usize,
    recorded: usize,
    work: f64,
    under_way: VecDeque<wgpu::SubmissionIndex>,
    bind_groups: HashMap<[u64; 9], wgpu::BindGroup>,
    staging: Vec<wgpu::Buffer>,
    fault: Option<Fault>,
    largest_binding: u64,
    pub(crate) counters: Counters,
}

impl std::fmt::Debug for Stream {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Stream({} commands recorded)", self.commands.len())
    }
}

/// What to start.
pub(crate) struct Start<'a> {
    pub(crate) pipeline: Arc<Pipeline>,
    pub(crate) out: &'a Memory,
    pub(crate) arguments: Arguments<'a>,
    pub(crate) groups: [u32; 3],
    /// Multiply-adds, roughly.
    pub(crate) work: f64,
}

impl Stream {
    pub(crate) fn new(
        device: wgpu::Device,
        queue: wgpu::Queue,
        failure: Failure,
        fault: Option<Fault>,
    ) -> Stream {
        let data = device.create_buffer(&wgpu::BufferDescriptor {
            label: Some("data of a batch"),
            size: DATA,
            usage: wgpu::BufferUsages::UNIFORM
                | wgpu::BufferUsages::STORAGE
                | wgpu::BufferUsages::COPY_SRC
                | wgpu::BufferUsages::COPY_DST,
            mapped_at_creation: false,
        });
        let limits = device.limits();
        Stream {
            alignment: limits.min_uniform_buffer_offset_alignment.max(16) as usize,
            largest_binding: limits.max_storage_buffer_binding_size,
            device,
            queue,
            failure,
            commands: Vec::with_capacity(BATCH * 2),
            bytes: Vec::with_capacity(DATA as usize),
            data,
            recorded: 0,
            work: 0.0,
            under_way: VecDeque::new(),
            bind_groups: HashMap::new(),
            staging: Vec::new(),
            fault,
            counters: Counters { buffers: 1, ..Counters::default() },
        }
    }

    /// Room for so many bytes in the data of the batch, which is handed over first where they do not fit.
    fn room(&mut self, bytes: usize) -> usize {
        if self.bytes.len().next_multiple_of(self.alignment) + bytes + self.alignment > DATA as usize {
            self.flush();
        }
        self.bytes.resize(self.bytes.len().next_multiple_of(self.alignment), 0);
        self.bytes.len()
    }

    /// Records the start of a kernel.
    pub(crate) fn dispatch(&mut self, pipelines: &Pipelines, mut start: Start<'_>) {
        if self.failure.happened() {
            return;
        }
        let mut data_slot = None;
        if let Some(rows) = start.arguments.rows {
            let at = self.room(4 * rows.len() + start.pipeline.uniform_bytes());
            self.bytes.extend(rows.iter().flat_map(|row| (*row as u32).to_ne_bytes()));
            // The last word of a gather is where its indices begin.
            start.arguments.word(at / 4);
            data_slot = Some(self.data.clone());
        }
        let bytes = start.pipeline.uniform_bytes();
        let Some(bind_group) = self.bind_group(pipelines, &start, data_slot) else { return };
        // Not in between: what flushes here would part the indices from their gather.
        let at = if start.arguments.rows.is_some() {
            let aligned = self.bytes.len().next_multiple_of(self.alignment);
            self.bytes.resize(aligned, 0);
            aligned
        } else {
            self.room(bytes)
        };
        start.arguments.words[3] = start.groups[0];
        self.bytes.extend_from_slice(bytemuck::cast_slice(&start.arguments.words));
        self.bytes.resize(at + bytes, 0);
        self.commands.push(Command::Dispatch {
            pipeline: start.pipeline,
            bind_group,
            data: at as u32,
            groups: start.groups,
        });
        self.counters.dispatches += 1;
        if let Some(Fault::Lost { after }) = self.fault
            && self.counters.dispatches > after
        {
            self.device.destroy();
            // wgpu says so at the next poll only.
            self.failure.note(What::Lost("lost on purpose".into()));
        }
        self.recorded += 1;
        self.work += start.work;
        if self.recorded >= BATCH || self.work >= WORK {
            self.flush();
        }
    }

    fn bind_group(
        &mut self,
        pipelines: &Pipelines,
        start: &Start<'_>,
        indices: Option<wgpu::Buffer>,
    ) -> Option<wgpu::BindGroup> {
        let out = start.out.block.as_ref()?;
        let quads = start.pipeline.uniform_bytes() as u64;
        let inputs = start.arguments.inputs.len() + usize::from(indices.is_some());
        let mut key = [0; 9];
        key[0] = quads | (inputs as u64) << 32;
        key[1] = out.id;
        let mut buffers = Vec::with_capacity(inputs);
        for (bound, key) in start.arguments.inputs.iter().zip(&mut key[2..]) {
            let block = bound.memory.block.as_ref()?;
            *key = block.id;
            buffers.push(&block.buffer);
        }
        if let Some(indices) = &indices {
            key[2 + start.arguments.inputs.len()] = u64::MAX;
            buffers.push(indices);
        }
        if let Some(group) = self.bind_groups.get(&key) {
            return Some(group.clone());
        }
        let too_large = std::iter::once(&out.buffer).chain(buffers.iter().copied());
        if let Some(buffer) = too_large.into_iter().find(|buffer| buffer.size() > self.largest_binding) {
            self.failure.note(What::Refused(format!(
                "a tensor of {} MiB is larger than the {} MiB that a kernel can see on this device; use smaller \
                 batches, or the CPU",
                buffer.size() >> 20,
                self.largest_binding >> 20
            )));
            return None;
        }
        if self.bind_groups.len() >= BIND_GROUPS {
            self.bind_groups.clear();
        }
        let uniform = wgpu::BindGroupEntry {
            binding: 0,
            resource: wgpu::BindingResource::Buffer(wgpu::BufferBinding {
                buffer: &self.data,
                offset: 0,
                size: std::num::NonZeroU64::new(quads),
            }),
        };
        let all = std::iter::once(&out.buffer).chain(buffers);
        let storage = all
            .zip(1..)
            .map(|(buffer, binding)| wgpu::BindGroupEntry { binding, resource: buffer.as_entire_binding() });
        let entries: Vec<_> = std::iter::once(uniform).chain(storage).collect();
        let group = self.device.create_bind_group(&wgpu::BindGroupDescriptor {
            label: None,
            layout: pipelines.layout(inputs),
            entries: &entries,
        });
        self.counters.bind_groups += 1;
        self.bind_groups.insert(key, group.clone());
        Some(group)
    }

    /// Forgets the bind groups, which keep their buffers alive.
    pub(crate) fn forget_bind_groups(&mut self) {
        self.bind_groups.clear();
    }

    /// Records that a buffer becomes all zeros.
    pub(crate) fn clear(&mut self, memory: &Memory) {
        if let Some(block) = &memory.block
            && !self.failure.happened()
        {
            self.commands.push(Command::Clear(block.buffer.clone()));
        }
    }

    /// Records a copy of elements between tensors.
    pub(crate) fn copy(&mut self, from: &Memory, from_at: usize, to: &Memory, to_at: usize, elements: usize) {
        let (Some(from), Some(to)) = (&from.block, &to.block) else { return };
        if self.failure.happened() {
            return;
        }
        self.commands.push(Command::Copy {
            from: from.buffer.clone(),
            from_at: 4 * from_at as u64,
            to: to.buffer.clone(),
            to_at: 4 * to_at as u64,
            bytes: 4 * elements as u64,
        });
    }

    /// Records an upload of consecutive elements.
    pub(crate) fn upload(&mut self, to: &Memory, at: usize, values: &[f32]) {
        let Some(block) = &to.block else { return };
        if self.failure.happened() {
            return;
        }
        let bytes: &[u8] = bytemuck::cast_slice(values);
        if bytes.len() <= SMALL {
            let from_at = self.room(bytes.len());
            self.bytes.extend_from_slice(bytes);
            self.commands.push(Command::Copy {
                from: self.data.clone(),
                from_at: from_at as u64,
                to: block.buffer.clone(),
                to_at: 4 * at as u64,
                bytes: bytes.len() as u64,
            });
            return;
        }
        // A write through the queue goes before whatever is recorded but not handed over.
        self.flush();
        for (chunk, offset) in bytes.chunks(CHUNK).zip((0..).step_by(CHUNK)) {
            self.queue.write_buffer(&block.buffer, 4 * at as u64 + offset, chunk);
            self.submit(None);
        }
    }

    /// Whether a kernel can see the whole of a tensor.
    pub(crate) fn can_bind(&self, memory: &Memory) -> bool {
        memory.block.as_ref().is_none_or(|block| block.buffer.size() <= self.largest_binding)
    }

    /// Hands over what is recorded.
    pub(crate) fn flush(&mut self) {
        if self.commands.is_empty() {
            return;
        }
        let commands = std::mem::take(&mut self.commands);
        self.recorded = 0;
        self.work = 0.0;
        if self.failure.happened() {
            self.bytes.clear();
            return;
        }
        if !self.bytes.is_empty() {
            self.bytes.resize(self.bytes.len().next_multiple_of(4), 0);
            self.queue.write_buffer(&self.data, 0, &self.bytes);
            self.bytes.clear();
        }
        let pipelines = commands.iter().filter_map(|command| match command {
            Command::Dispatch { pipeline, .. } => Some(pipeline),
            _ => None,
        });
        self.counters.pipelines += Pipelines::compile(&self.device, &self.failure, pipelines);
        let mut encoder = self.device.create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
        let mut pass: Option<wgpu::ComputePass<'static>> = None;
        for command in &commands {
            match command {
                Command::Dispatch { pipeline, bind_group, data, groups } => {
                    // Refused: the failure is kept, and nothing of this batch can be right.
                    let Some(pipeline) = pipeline.ready() else { return };
                    let pass = pass.get_or_insert_with(|| {
                        encoder.begin_compute_pass(&wgpu::ComputePassDescriptor::default()).forget_lifetime()
                    });
                    pass.set_pipeline(pipeline);
                    pass.set_bind_group(0, bind_group, &[*data]);
                    pass.dispatch_workgroups(groups[0], groups[1], groups[2]);
                }
                Command::Copy { from, from_at, to, to_at, bytes } => {
                    pass = None;
                    encoder.copy_buffer_to_buffer(from, *from_at, to, *to_at, *bytes);
                }
                Command::Clear(buffer) => {
                    pass = None;
                    encoder.clear_buffer(buffer, 0, None);
                }
            }
        }
        drop(pass);
        self.commands = commands;
        self.commands.clear();
        self.submit(Some(encoder.finish()));
    }

    fn submit(&mut self, commands: Option<wgpu::CommandBuffer>) {
        self.counters.submissions += 1;
        let index = self.queue.submit(commands);
        self.under_way.push_back(index);
        while self.under_way.len() > UNDER_WAY {
            let oldest = self.under_way.pop_front();
            self.wait(oldest);
        }
    }

    fn wait(&self, submission: Option<wgpu::SubmissionIndex>) {
        let wait = wgpu::PollType::Wait { submission_index: submission, timeout: None };
        if let Err(error) = self.device.poll(wait) {
            self.failure.note(What::Lost(format!("waiting for it failed: {error}")));
        }
    }

    /// Waits for everything that was asked for.
    pub(crate) fn finish(&mut self) {
        self.flush();
        self.under_way.clear();
        if !self.failure.happened() {
            self.wait(None);
        }
    }

    /// Records a transfer of consecutive elements to the host and hands it over.
    pub(crate) fn download(&mut self, from: &Memory, at: usize, elements: usize) -> Option<Download> {
        let block = from.block.as_ref()?;
        if self.failure.happened() {
            return None;
        }
        let bytes = 4 * elements as u64;
        let fitting =
            self.staging.iter().position(|buffer| (bytes..=4 * bytes.max(4096)).contains(&buffer.size()));
        let staging = match fitting {
            Some(at) => self.staging.swap_remove(at),
            None => {
                self.counters.buffers += 1;
                self.device.create_buffer(&wgpu::BufferDescriptor {
                    label: Some("download"),
                    size: crate::memory::size_class(bytes),
                    usage: wgpu::BufferUsages::MAP_READ | wgpu::BufferUsages::COPY_DST,
                    mapped_at_creation: false,
                })
            }
        };
        self.commands.push(Command::Copy {
            from: block.buffer.clone(),
            from_at: 4 * at as u64,
            to: staging.clone(),
            to_at: 0,
            bytes,
        });
        self.flush();
        let failure = self.failure.clone();
        staging.map_async(wgpu::MapMode::Read, ..bytes, move |mapped| {
            if let Err(error) = mapped {
                failure.note(What::Lost(format!("its memory cannot be read: {error}")));
            }
        });
        Some(Download { staging, bytes, submission: self.under_way.back().cloned() })
    }

    /// Waits for a transfer, but for nothing that was recorded after it, and shows its elements.
    pub(crate) fn collect(&mut self, download: Download, mut each: impl FnMut(&[f32])) {
        self.counters.reads += 1;
        self.wait(download.submission);
        if self.failure.happened() {
            return;
        }
        match download.staging.get_mapped_range(..download.bytes) {
            Ok(mapped) => each(bytemuck::cast_slice(&mapped)),
            Err(error) => {
                self.failure.note(What::Lost(format!("its memory cannot be read: {error}")));
                return;
            }
        }
        download.staging.unmap();
        // A few are kept: figures are read again and again.
        if self.staging.len() < 8 {
            self.staging.push(download.staging);
        }
    }
}

/// A transfer to the host that is under way.
#[derive(Debug)]
pub(crate) struct Download {
    staging: wgpu::Buffer,
    bytes: u64,
    submission: Option<wgpu::SubmissionIndex>,
}
