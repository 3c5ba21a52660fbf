//! `nn-bench adapters`: the GPUs of this machine, for reading.

use nn_gpu::{AdapterReport, Kind, absent_apis, adapters};

/// All adapters with what they have and lack, and the interfaces without any.
pub fn listing() -> String {
    let mut text = String::new();
    let found = adapters();
    for adapter in &found {
        text += &described(adapter);
        text.push('\n');
    }
    if found.is_empty() {
        text += "no adapters; experiments compute on the processor\n\n";
    }
    let absent = absent_apis();
    if !absent.is_empty() {
        text += "Interfaces without adapters\n";
    }
    for (api, reason) in absent {
        text += &format!("  {api}: {reason}\n");
    }
    text
}

fn described(adapter: &AdapterReport) -> String {
    let vendor = adapter.vendor.map_or_else(|| format!("vendor {:#06x}", adapter.vendor_id), str::to_string);
    let mebibytes = |bytes: u64| bytes >> 20;
    let mut lines = vec![
        adapter.name.clone(),
        format!("  {}, {}, {vendor}", adapter.api, adapter.kind),
        format!("  driver {} {}", adapter.driver, adapter.driver_info).trim_end().to_string(),
        format!(
            "  buffers of at most {} MiB, of which a kernel sees {} MiB at once",
            mebibytes(adapter.largest_buffer),
            mebibytes(adapter.largest_binding)
        ),
        format!(
            "  workgroups of at most {} threads with {} KiB of memory",
            adapter.workgroup_invocations,
            adapter.workgroup_memory >> 10
        ),
    ];
    match adapter.subgroup_sizes {
        Some((least, most)) if least == most => lines.push(format!("  subgroups of {least} threads")),
        Some((least, most)) => lines.push(format!("  subgroups of {least} to {most} threads")),
        None => {}
    }
    lines.extend(adapter.lacks.iter().map(|lack| format!("  lacks {lack}")));
    if let Some(reason) = &adapter.unsuitable {
        lines.push(format!("  cannot be used: {reason}"));
    }
    if adapter.kind == Kind::Software {
        lines.push(format!(
            "  computes on the processor; taken only by --backend {} or by its name",
            adapter.api
        ));
    }
    lines.join("\n") + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;
    use nn_gpu::Api;

    #[test]
    fn an_adapter_is_described() {
        let adapter = AdapterReport {
            name: "Card".into(),
            api: Api::Vulkan,
            kind: Kind::Software,
            vendor_id: 0x1234,
            vendor: None,
            driver: "driver".into(),
            driver_info: "1.2".into(),
            largest_buffer: 2 << 30,
            largest_binding: 128 << 20,
            workgroup_memory: 32 << 10,
            workgroup_invocations: 1024,
            subgroup_sizes: Some((8, 8)),
            lacks: vec!["f16: slow"],
            unsuitable: Some("it is small".into()),
        };
        let text = described(&adapter);
        for words in [
            "Card\n  vulkan, software, vendor 0x1234\n  driver driver 1.2\n",
            "2048 MiB, of which a kernel sees 128 MiB",
            "1024 threads with 32 KiB",
            "subgroups of 8 threads\n  lacks f16: slow\n  cannot be used: it is small\n",
            "--backend vulkan",
        ] {
            assert!(text.contains(words), "{words} in {text}");
        }
    }

    #[test]
    fn interfaces_of_other_systems_are_listed_with_the_reason() {
        assert!(listing().contains("not for this system"), "{}", listing());
    }
}
