//! What a run says of its settings, and what it found.

use nn_core::Error;

use super::Recipe;
use super::repetition::{CONTROLS, Outcome};
use super::selectivity::mean;
use crate::report::{Bar, Group, short_number};
use crate::run::Run;
use crate::run_error::RunError;

pub(super) fn describe(run: &mut Run, recipe: &Recipe) -> Result<(), Error> {
    let report = &mut run.report;
    report.reproduces(
        "Le, Ranzato, Monga, Devin, Chen, Corrado, Dean and Ng (Building high-level features using large scale unsupervised \
         learning, 2012) trained three stages of local filters that are not shared, pools and local contrast normalisation \
         on ten million images without labels, by reconstruction topographic ICA on a thousand machines, and found units \
         at the top that answer to faces, bodies and cats. Here such a stack is trained on one machine, on small scenes \
         in some of which an object of one class lies on clutter; objects of both signs, at changing places and contrasts.",
    );
    report.reproduces(
        "Two stages, not three: scenes of 32 × 32 pixels, where the paper's have 200 × 200, leave a third one 3 × 3 positions to \
         look at, and in trials its units told clothes apart less well. The top stage has a single position and is not normalised. The weights of \
         the sparsity, which grow from stage to stage, are ours: with small ones the units at the top are mixtures that answer \
         to no class. So do longer runs have it: with five times the scenes and updates, units answered to digits less well.",
    );
    report.reproduces(
        "The paper takes the unit and, of 20 thresholds, the one that do best on the test images themselves. Here both are \
         chosen on one half of the labelled scenes and judged on the other, and so are all controls: labels in another \
         order, the same stack with random filters, the best of many linear filters, the first stage alone, the stack \
         trained without normalisation. Everything is repeated, scenes, filters and controls, with other random numbers. \
         Figures are means over the repetitions; a standard error is what these show, or what follows from the number of scenes \
         judged on (for differences, scene by scene), whichever is larger.",
    );
    let (stacking, composition) = (&recipe.stacking, recipe.composition);
    let shapes = stacking.shapes(composition.side)?;
    for (number, (stage, [down, across, maps])) in stacking.stages.iter().zip(shapes).enumerate() {
        let surround = match stage.surround {
            Some(size) => format!("surround of {size} × {size}"),
            None => "no normalisation".to_string(),
        };
        let words = format!(
            "fields of {0} × {0} at steps of {1}, {2} maps, pools of {3} × {3} at steps of {4}, {surround}: \
             {down} × {across} × {maps}",
            stage.field, stage.stride, stage.maps, stage.pool, stage.pool_stride
        );
        report.setting(format!("stage {}", number + 1), words);
        let words = format!("λ {}, {} epochs, rate {}", stage.sparsity_weight, stage.epochs, stage.rate);
        report.setting(format!("learning of stage {}", number + 1), words);
    }
    let [class, others] = recipe.objects.words();
    let percent = |share: f32| short_number(f64::from(share) * 100.0);
    let shares = |shares: super::Shares| {
        format!("{} % with the class, {} % with another", percent(shares.class), percent(shares.other))
    };
    for (name, value) in [
        ("class", class.to_string()),
        ("objects that are not of the class", others.to_string()),
        ("repetitions", recipe.repetitions.to_string()),
        ("scenes for training", format!("{}, {}", recipe.training, shares(recipe.learned_shares))),
        ("scenes for testing", format!("{}, {}", recipe.tests, shares(recipe.tested_shares))),
        ("objects are moved by at most (pixels)", composition.moves.translation.to_string()),
        ("deviation of the clutter", composition.clutter.to_string()),
        ("objects are lighter or darker by", composition.amplitude.to_string()),
        ("highest contrast over lowest", composition.contrasts.to_string()),
        ("ε under the roots", stacking.epsilon.to_string()),
        ("minibatch", stacking.batch.to_string()),
        ("optimiser", "Adam, rates fall linearly to 0".to_string()),
        ("scenes tried as linear filters", recipe.templates.to_string()),
    ] {
        report.setting(name, value);
    }
    Ok(())
}

/// The unit against its controls, over all repetitions.
pub(super) fn accuracies(run: &mut Run, outcomes: &[Outcome]) -> Result<(), RunError> {
    let figure = |of: &dyn Fn(&Outcome) -> [f64; 2]| mean(&outcomes.iter().map(of).collect::<Vec<_>>());
    let accuracy = figure(&|outcome| outcome.found.accuracy());
    let never = figure(&|outcome| outcome.never);
    let above_never = figure(&|outcome| {
        let [accuracy, error] = outcome.found.accuracy();
        [accuracy - outcome.never[0], error]
    });
    run.report.metric("accuracy_percent", accuracy[0])?;
    run.report.metric("accuracy_standard_error", accuracy[1])?;
    run.report.metric("never_accuracy_percent", never[0])?;
    let words = |[value, error]: [f64; 2]| format!("{} ± {}", short_number(value), short_number(error));
    let list = |of: &dyn Fn(&Outcome) -> f64| {
        outcomes.iter().map(|outcome| format!("{:.1}", of(outcome))).collect::<Vec<_>>().join(", ")
    };
    let group = |name: &str, [value, error]: [f64; 2]| Group {
        name: name.to_string(),
        values: vec![Some(Bar { value, error })],
    };
    let (name, never_name) = ("best unit of the deep stack", "never of the class");
    let mut groups = vec![group(name, accuracy)];
    let mut rows = vec![vec![
        name.to_string(),
        words(accuracy),
        list(&|outcome| outcome.found.accuracy()[0]),
        list(&|outcome| outcome.found.chosen_accuracy),
        String::new(),
    ]];
    for (number, (metric, name)) in CONTROLS.into_iter().enumerate() {
        let of_control = figure(&|outcome| outcome.controls[number].accuracy());
        let margin = figure(&|outcome| outcome.found.margin(&outcome.controls[number]));
        run.report.metric(format!("{metric}_accuracy_percent"), of_control[0])?;
        run.report.metric(format!("{metric}_margin_points"), margin[0])?;
        run.report.metric(format!("{metric}_margin_standard_error"), margin[1])?;
        groups.push(group(name, of_control));
        rows.push(vec![
            name.to_string(),
            words(of_control),
            list(&|outcome| outcome.controls[number].accuracy()[0]),
            list(&|outcome| outcome.controls[number].chosen_accuracy),
            words(margin),
        ]);
    }
    groups.push(group(never_name, never));
    rows.push(vec![
        never_name.to_string(),
        words(never),
        list(&|outcome| outcome.never[0]),
        String::new(),
        words(above_never),
    ]);
    let series = ["right on scenes that had no part in the choice".to_string()];
    run.report.bars(
        "Is an object of the class there? One unit, one threshold",
        "% right",
        &series,
        &groups,
    )?;
    let headers = [
        "who answers",
        "right (%)",
        "each repetition (%)",
        "right where chosen (%)",
        "the deep stack is better by (points)",
    ];
    let title =
        "Right answers on the judging half ± standard error; the choosing half flatters, as the best of many";
    run.report.table(title, &headers, rows)?;
    run.report.note(
        "The sizes of the stages, λ and the class were chosen by such accuracies on scenes drawn with other random numbers, but \
         of the same objects and photographs; unit and threshold are chosen on the choosing half of each repetition alone.",
    );
    let source = "Le and others, 2012: faces among 37,000 images, unit and threshold chosen on them";
    for (metric, value, verified) in [
        ("best unit for faces (%)", 81.7, true),
        ("never a face (%)", 64.8, false),
        ("best unit of random filters (%)", 67.0, false),
        ("best linear filter (%)", 74.0, false),
        ("best unit of one stage (%)", 71.0, false),
        ("best unit without normalisation (%)", 78.5, false),
    ] {
        run.report.published(metric, value, source, verified, None)?;
    }
    Ok(())
}
