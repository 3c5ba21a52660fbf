//! Every shader that the conformance suite asks for, with each kernel of the ladder, is translated to what Vulkan, Metal
//! and Direct3D take, against what each of these is able to do. It needs no driver.
#![allow(clippy::unwrap_used, reason = "what fails in a test should end it")]

use naga::back::{hlsl, msl, spv};
use naga::valid::{Capabilities, ModuleInfo, ValidationFlags, Validator};
use nn_gpu::{Api, Choice, Gpu, Rung, Settings};
use std::collections::BTreeMap;
use std::process::{Command, Stdio};
use std::time::Instant;

/// Writes a module in the language of an interface and returns how many bytes that takes.
type Translate = fn(&naga::Module) -> Result<usize, String>;

/// The shaders of the suite, each text once, under names that are numbered where they repeat.
fn shaders() -> BTreeMap<String, String> {
    let rungs = Rung::ALL.map(|rung| Settings { product: Some(rung), ..Settings::default() });
    let subgroups = [false, true].map(|on| Settings { subgroups: Some(on), ..Settings::default() });
    let mut shaders = BTreeMap::new();
    for settings in rungs.into_iter().chain(subgroups) {
        let choice = Choice { api: Some(Api::Noop), ..Choice::default() };
        let gpu = Gpu::open(&choice, &settings).unwrap();
        nn_core::conformance::run(&gpu.device());
        for (name, text) in gpu.shaders() {
            shaders.entry(text).or_insert(name);
        }
    }
    let mut numbers = BTreeMap::new();
    let named = shaders.into_iter().map(|(text, name)| {
        let number = numbers.entry(name.clone()).and_modify(|number| *number += 1).or_insert(1);
        (format!("{name} #{number:03}"), text)
    });
    named.collect()
}

fn validated(module: &naga::Module, capabilities: Capabilities) -> Result<ModuleInfo, String> {
    let mut validator = Validator::new(ValidationFlags::all(), capabilities);
    let stages = validator
        .subgroup_stages(naga::valid::ShaderStages::COMPUTE)
        .subgroup_operations(naga::valid::SubgroupOperationSet::all());
    stages.validate(module).map_err(|error| error.emit_to_string(""))
}

fn to_spirv(module: &naga::Module) -> Result<usize, String> {
    let info = validated(module, spv::supported_capabilities())?;
    let words = spv::write_vec(module, &info, &spv::Options::default(), None).map_err(|e| e.to_string())?;
    Ok(4 * words.len())
}

fn to_msl(module: &naga::Module) -> Result<usize, String> {
    let info = validated(module, msl::supported_capabilities())?;
    let options = msl::Options { lang_version: (2, 4), fake_missing_bindings: true, ..Default::default() };
    let (text, _) = msl::write_string(module, &info, &options, &msl::PipelineOptions::default())
        .map_err(|e| e.to_string())?;
    Ok(text.len())
}

fn to_hlsl(module: &naga::Module) -> Result<usize, String> {
    let info = validated(module, hlsl::supported_capabilities())?;
    let model = if text_has_subgroups(module) { hlsl::ShaderModel::V6_2 } else { hlsl::ShaderModel::V5_1 };
    let options = hlsl::Options { shader_model: model, fake_missing_bindings: true, ..Default::default() };
    let mut text = String::new();
    let pipeline = hlsl::PipelineOptions::default();
    hlsl::Writer::new(&mut text, &options, &pipeline)
        .write(module, &info, None)
        .map_err(|e| e.to_string())?;
    Ok(text.len())
}

/// Wave operations came with shader model 6.
fn text_has_subgroups(module: &naga::Module) -> bool {
    module.entry_points.iter().any(|entry| {
        entry.function.arguments.iter().any(|argument| {
            matches!(
                argument.binding,
                Some(naga::Binding::BuiltIn(naga::BuiltIn::SubgroupId | naga::BuiltIn::NumSubgroups))
            )
        })
    })
}

#[test]
fn every_shader_for_every_api() {
    let shaders = shaders();
    let start = Instant::now();
    let back_ends: [(&str, Translate); 3] = [("SPIR-V", to_spirv), ("MSL", to_msl), ("HLSL", to_hlsl)];
    let mut failed = Vec::new();
    for (name, text) in &shaders {
        let module = match naga::front::wgsl::parse_str(text) {
            Ok(module) => module,
            Err(error) => {
                failed.push(format!("{name}: {}\n{text}", error.emit_to_string(text)));
                continue;
            }
        };
        let mut line = format!("{name:40}");
        for (back_end, translate) in back_ends {
            match translate(&module) {
                Ok(bytes) => line += &format!(" {back_end} {bytes:6}"),
                Err(error) => failed.push(format!("{name} to {back_end}: {error}\n{text}")),
            }
        }
        println!("{line}");
    }
    let seconds = start.elapsed().as_secs_f64();
    println!("{} shaders for {} back ends in {seconds:.1} s", shaders.len(), back_ends.len());
    assert!(failed.is_empty(), "{}", failed.join("\n"));
    assert!(shaders.len() > 150, "{}", shaders.len());
}

/// Barriers in control flow that differs between threads: naga does not look for them, tint does.
#[test]
fn barriers_stand_in_uniform_control_flow() {
    let present = Command::new("tint").arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
    if present.is_err() {
        println!("NOT RUN: tint is not on the PATH");
        return;
    }
    let folder = std::env::temp_dir().join(format!("nn-gpu-shaders-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    for (number, (name, text)) in shaders().iter().enumerate() {
        // tint wants to be told of what naga takes as given.
        let enable = if text.contains("subgroupAdd") { "enable subgroups;\n" } else { "" };
        let file = folder.join(format!("{number}.wgsl"));
        std::fs::write(&file, format!("{enable}{text}")).unwrap();
        let output = Command::new("tint").args(["--format", "wgsl"]).arg(&file).output().unwrap();
        assert!(output.status.success(), "{name}: {}", String::from_utf8_lossy(&output.stderr));
    }
    std::fs::remove_dir_all(folder).unwrap();
}
