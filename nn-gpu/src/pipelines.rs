//! Compiled kernels, one for each structure, kept as long as the device.
//!
//! A kernel is compiled when the batch that uses it first is handed over, all those of the batch at once, on several
//! threads: drivers take a tenth of a second each.

use crate::arguments::MOST_INPUTS;
use crate::failure::{Failure, What};
use crate::kernels::Structure;
use std::collections::HashMap;
use std::sync::{Arc, OnceLock};

/// The kernels of a device.
#[derive(Debug)]
pub(crate) struct Pipelines {
    /// By number of inputs.
    layouts: Vec<(wgpu::BindGroupLayout, wgpu::PipelineLayout)>,
    known: HashMap<Structure, Arc<Pipeline>>,
    trusted: bool,
}

/// A kernel, compiled or not yet.
#[derive(Debug)]
pub(crate) struct Pipeline {
    structure: Structure,
    layout: wgpu::PipelineLayout,
    trusted: bool,
    compiled: OnceLock<Option<wgpu::ComputePipeline>>,
}

impl Pipelines {
    /// With `trusted`, shaders go without bounds and loop checks.
    pub(crate) fn new(device: &wgpu::Device, trusted: bool) -> Pipelines {
        let layouts = (0..=MOST_INPUTS).map(|inputs| layouts(device, inputs)).collect();
        Pipelines { layouts, known: HashMap::new(), trusted }
    }

    pub(crate) fn layout(&self, inputs: usize) -> &wgpu::BindGroupLayout {
        &self.layouts[inputs].0
    }

    /// The kernel of a structure.
    pub(crate) fn get(&mut self, structure: Structure) -> Arc<Pipeline> {
        if let Some(pipeline) = self.known.get(&structure) {
            return Arc::clone(pipeline);
        }
        let pipeline = Arc::new(Pipeline {
            structure: structure.clone(),
            layout: self.layouts[structure.inputs.len()].1.clone(),
            trusted: self.trusted,
            compiled: OnceLock::new(),
        });
        self.known.insert(structure, Arc::clone(&pipeline));
        pipeline
    }

    /// The structures of all kernels so far.
    pub(crate) fn structures(&self) -> impl Iterator<Item = &Structure> {
        self.known.keys()
    }

    /// Compiles those that are not, in parallel, and returns how many these were.
    pub(crate) fn compile<'a>(
        device: &wgpu::Device,
        failure: &Failure,
        pipelines: impl Iterator<Item = &'a Arc<Pipeline>>,
    ) -> u64 {
        let mut missing: Vec<&Arc<Pipeline>> =
            pipelines.filter(|pipeline| pipeline.compiled.get().is_none()).collect();
        missing.sort_by_key(|pipeline| Arc::as_ptr(pipeline));
        missing.dedup_by_key(|pipeline| Arc::as_ptr(pipeline));
        let threads = std::thread::available_parallelism().map_or(1, usize::from).min(missing.len());
        if threads <= 1 {
            missing.iter().for_each(|pipeline| pipeline.compile(device, failure));
        } else {
            std::thread::scope(|scope| {
                for part in missing.chunks(missing.len().div_ceil(threads)) {
                    scope.spawn(|| part.iter().for_each(|pipeline| pipeline.compile(device, failure)));
                }
            });
        }
        missing.len() as u64
    }
}

impl Pipeline {
    /// Bytes of its uniform data.
    pub(crate) fn uniform_bytes(&self) -> usize {
        self.structure.uniform_bytes()
    }

    /// The compiled kernel; `None` if the device refused it.
    pub(crate) fn ready(&self) -> Option<&wgpu::ComputePipeline> {
        self.compiled.get()?.as_ref()
    }

    fn compile(&self, device: &wgpu::Device, failure: &Failure) {
        self.compiled.get_or_init(|| {
            // Error scopes belong to threads: pushed and popped on the one that compiles.
            let internal = device.push_error_scope(wgpu::ErrorFilter::Internal);
            let validation = device.push_error_scope(wgpu::ErrorFilter::Validation);
            let pipeline = self.create(device);
            let errors = [pollster::block_on(validation.pop()), pollster::block_on(internal.pop())];
            match errors.into_iter().flatten().next() {
                None => Some(pipeline),
                Some(error) => {
                    let text = error.to_string();
                    let said: Vec<_> = text.split_whitespace().collect();
                    let name = self.structure.name();
                    failure.note(What::Refused(format!(
                        "the driver refused the kernel {name}: {}",
                        said.join(" ")
                    )));
                    None
                }
            }
        });
    }

    fn create(&self, device: &wgpu::Device) -> wgpu::ComputePipeline {
        let (text, name) = (self.structure.shader(), self.structure.name());
        let descriptor = wgpu::ShaderModuleDescriptor {
            label: Some(&name),
            source: wgpu::ShaderSource::Wgsl(text.into()),
        };
        let module = if self.trusted {
            trusted_module(device, descriptor)
        } else {
            device.create_shader_module(descriptor)
        };
        device.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
            label: Some(&name),
            layout: Some(&self.layout),
            module: &module,
            entry_point: Some("main"),
            compilation_options: wgpu::PipelineCompilationOptions {
                // Every kernel writes workgroup memory before it reads it.
                zero_initialize_workgroup_memory: false,
                ..Default::default()
            },
            cache: None,
        })
    }
}

/// A shader without bounds and loop checks.
fn trusted_module(device: &wgpu::Device, descriptor: wgpu::ShaderModuleDescriptor<'_>) -> wgpu::ShaderModule {
    let mut checks = wgpu::ShaderRuntimeChecks::checked();
    checks.bounds_checks = false;
    checks.force_loop_bounding = false;
    // SAFETY: the text is this crate's own. Its indices are computed from shapes that `nn-core` has checked against the
    // tensors, its loops end at sizes, and the conformance suite runs every kernel with the checks on, at sizes around
    // every border.
    unsafe { device.create_shader_module_trusted(descriptor, checks) }
}

/// Uniform data, the buffer that is written, and those that are read.
fn layouts(device: &wgpu::Device, inputs: usize) -> (wgpu::BindGroupLayout, wgpu::PipelineLayout) {
    let entry = |binding: usize, ty, has_dynamic_offset| wgpu::BindGroupLayoutEntry {
        binding: binding as u32,
        visibility: wgpu::ShaderStages::COMPUTE,
        ty: wgpu::BindingType::Buffer { ty, has_dynamic_offset, min_binding_size: None },
        count: None,
    };
    let mut entries = vec![
        entry(0, wgpu::BufferBindingType::Uniform, true),
        entry(1, wgpu::BufferBindingType::Storage { read_only: false }, false),
    ];
    let read = wgpu::BufferBindingType::Storage { read_only: true };
    entries.extend((2..2 + inputs).map(|binding| entry(binding, read, false)));
    let group =
        device.create_bind_group_layout(&wgpu::BindGroupLayoutDescriptor { label: None, entries: &entries });
    let pipeline = device.create_pipeline_layout(&wgpu::PipelineLayoutDescriptor {
        label: None,
        bind_group_layouts: &[Some(&group)],
        immediate_size: 0,
    });
    (group, pipeline)
}
