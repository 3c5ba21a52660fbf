use super::*;

fn report(name: &str, kind: Kind) -> AdapterReport {
    let info = wgpu::AdapterInfo::new(wgpu::DeviceType::Other, wgpu::Backend::Vulkan);
    let found = AdapterReport::of(&info, wgpu::Features::empty(), &wgpu::Limits::default()).unwrap();
    AdapterReport { name: name.into(), kind, ..found }
}

#[test]
fn a_software_driver_is_taken_only_where_it_is_asked_for() {
    let driver = report("llvmpipe (LLVM)", Kind::Software);
    assert!(Choice::default().refusal(&driver).unwrap().contains("software driver"));
    assert_eq!(Choice { software: true, ..Choice::default() }.refusal(&driver), None);
    assert_eq!(Choice { name: Some("LLVMpipe".into()), ..Choice::default() }.refusal(&driver), None);
}

#[test]
fn names_and_limits_decide() {
    let card = report("GeForce 1", Kind::Discrete);
    let by_name = |name: &str| Choice { name: Some(name.into()), ..Choice::default() };
    assert_eq!(by_name("geforce").refusal(&card), None);
    assert_eq!(by_name("radeon").refusal(&card).unwrap(), "another name");
    let small = AdapterReport { unsuitable: Some("it allows 4".into()), ..card };
    assert_eq!(Choice::default().refusal(&small).unwrap(), "it allows 4");
}

#[test]
fn nothing_found_says_what_was_looked_for_and_why_not() {
    let choice = Choice { api: Some(Api::Vulkan), name: Some("radeon".into()), software: false };
    let message = choice.nothing_found(&["GeForce 1 (vulkan, discrete): another name".into()], &[]);
    assert!(
        message.starts_with("no vulkan adapter whose name contains 'radeon'; found but not taken: GeForce 1")
    );
    let message = Choice::default().nothing_found(&[], &["metal: not for this system".into()]);
    assert!(
        message.starts_with("no adapter that is no software driver; found but not taken: none; "),
        "{message}"
    );
    assert!(message.contains("without adapters: metal: not for this system; install"), "{message}");
    assert!(!message.contains('\n'));
}

#[test]
fn wgpu_s_reasons_are_passed_on() {
    let said = "No suitable graphics adapter found; noop not requested, vulkan drivers/libraries could not be \
                loaded, gl not requested";
    let reason = reason_in(said, Api::Vulkan).unwrap();
    assert_eq!(reason, "no driver found (drivers/libraries could not be loaded)");
    assert_eq!(reason_in("something else", Api::Vulkan), None);
}

#[test]
fn no_machine_has_all_interfaces_and_the_search_never_panics() {
    let absent = absent_apis();
    let has = |api: Api| absent.iter().any(|(other, _)| *other == api);
    assert!(has(Api::Metal) || has(Api::Dx12), "{absent:?}");
    let impossible = Choice { name: Some("no card has such a name".into()), ..Choice::default() };
    let message = find(&impossible).map(|(_, report)| report).unwrap_err().to_string();
    assert!(message.starts_with("device gpu: no adapter whose name contains 'no card"), "{message}");
    assert!(!message.contains('\n'), "{message}");
}

#[test]
fn the_device_that_computes_nothing_is_had_by_asking_only() {
    assert!(adapters().iter().all(|report| report.api != Api::Noop));
    let asked = find(&Choice { api: Some(Api::Noop), ..Choice::default() });
    if cfg!(feature = "noop") {
        assert_eq!(asked.unwrap().1.api, Api::Noop);
    } else {
        assert!(asked.unwrap_err().to_string().contains("feature noop is off"));
    }
}

#[test]
fn a_driver_that_is_there_is_found() {
    let choice = Choice { software: true, ..Choice::default() };
    match find(&choice) {
        Ok((_, report)) => {
            eprintln!("found {}", report.label());
            assert!(report.unsuitable.is_none() && adapters().contains(&report), "{report:?}");
            // One that is named is the one that is found.
            let named = Choice { name: Some(report.name.clone()), api: Some(report.api), software: false };
            assert_eq!(find(&named).unwrap().1.name, report.name);
        }
        Err(error) if std::env::var("NN_GPU_TEST").is_ok_and(|value| value == "require") => panic!("{error}"),
        Err(error) => eprintln!("SKIPPED: no adapter ({error})"),
    }
}
