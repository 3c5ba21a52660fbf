//! What a run says of its settings, and what it found.

use ndarray::{Axis, concatenate};
use nn_core::{Device, Key, Network, Tensor};

use super::square_pooling::Architecture;
use super::{Errors, PREPARATION, Recipe, SHOWN};
use crate::image_grid::{self, Scaling, TileAxis, TileLayout};
use crate::network_weights;
use crate::rank_correlation::RankCorrelation;
use crate::report::{Dot, short_number};
use crate::run::Run;
use crate::run_error::{RunError, WhileDoing};
use crate::seed_mean::SeedMean;

/// A picture of the best inputs of random and of trained units, and how near to them sinusoids come.
pub(super) fn best_inputs(
    run: &mut Run,
    device: &Device,
    architecture: Architecture,
    [random, trained]: [&Network; 2],
    key: Key,
) -> Result<(), RunError> {
    let doing = "looking for best inputs";
    let timer = run.phase(doing);
    let of = |network: &Network| {
        let units = architecture.units(network).while_doing(doing)?;
        let found = architecture.optimal_inputs(device, &units, SHOWN, key).while_doing(doing)?;
        Ok::<_, RunError>((units, found))
    };
    let ((units, by_ascent), (_, of_trained)) = (of(random)?, of(trained)?);
    let Some(filters) = network_weights::find(random, "filters.weights")? else { return Ok(()) };
    let sinusoids = architecture.sinusoids(&filters.mapv(f64::from), SHOWN).while_doing(doing)?;
    let sinusoids = device.tensor_f64(&sinusoids);
    let responses = |images: &Tensor| {
        let responses = units.predict(images.view()).to_array().while_doing(doing)?;
        Ok::<_, RunError>(responses.diag().mapv(f64::from))
    };
    let share = (responses(&sinusoids)? / responses(&by_ascent)?).mean().unwrap_or_default();
    drop(timer);
    run.report.metric("sinusoid_share_of_largest_response", share)?;
    run.report.note(
        "sinusoid_share_of_largest_response is what pools of random filters make of the best sinusoid, as a share of what \
         they make of the image found by ascent, a mean over the units shown. Where patches went around the edges of the \
         image it would be 1; they end there, and the best image fades towards them.",
    );
    let rows = [&by_ascent, &sinusoids, &of_trained].into_iter().map(|images| images.to_array());
    let rows = rows.collect::<Result<Vec<_>, _>>().while_doing(doing)?;
    let all =
        concatenate(Axis(0), &rows.iter().map(|row| row.view()).collect::<Vec<_>>()).while_doing(doing)?;
    let layout = TileLayout::new(architecture.seen(), architecture.seen(), rows[0].nrows()).zoom(4);
    let picture = image_grid::filters(all.view(), TileAxis::Rows, layout, Scaling::PerTile)?;
    let caption = "Images of norm 1 that pools respond to most. First row: pools of random filters, by gradient ascent. \
                   Second row: the same by the spectrum of the filter, as if patches went around the edges. Third row: the \
                   same pools after training, by gradient ascent.";
    run.report.picture("best-inputs", caption, &picture)?;
    Ok(())
}

pub(super) fn describe(run: &mut Run, recipe: &Recipe, classes: usize) {
    let report = &mut run.report;
    report.reproduces(
        "Saxe, Koh, Chen, Bhand, Suresh and Ng (On random weights and unsupervised feature learning, 2011) showed that a \
         convolution with pools of squares is selective for frequencies and indifferent to shifts whatever its weights, \
         and that architectures which do well with random weights do well after training: they can be searched without \
         training any. Networks here are a convolution, squares, square roots of sums over pools, and a softmax.",
    );
    report.reproduces(
        "With random weights a softmax learns from the features alone; trained weights start from the same ones and learn \
         with the softmax by backpropagation, for as many updates. The paper trained its filters without labels first and \
         had a support vector machine on top. Both errors are means over seeds on the same images; the interval is a \
         bootstrap over architectures, 95 % wide, and with so few of them rough.",
    );
    for (name, value) in [
        ("classes", classes.to_string()),
        ("labelled images of each class", recipe.amounts.of_each_class.to_string()),
        ("seeds (labelled images, filters, order)", recipe.seeds.to_string()),
        ("images", format!("grey, local contrast normalisation over {0} × {0}", PREPARATION.surround)),
        ("random weights", "normal, variance 1 / weights of a filter".to_string()),
    ] {
        report.setting(name, value);
    }
    recipe.learning.describe(report);
}

pub(super) fn report(run: &mut Run, recipe: &Recipe, found: &[Errors], key: Key) -> Result<(), RunError> {
    let (mut dots, mut rows, mut pairs) = (Vec::new(), Vec::new(), Vec::new());
    for (at, (architecture, errors)) in recipe.architectures.iter().zip(found).enumerate() {
        let [random, trained] = [&errors.random, &errors.trained]
            .map(|outcomes| SeedMean::of(&outcomes.iter().map(|outcome| outcome.test).collect::<Vec<_>>()));
        let name = (at + 1).to_string();
        for (word, error) in [("random", random), ("trained", trained)] {
            let metric = format!("architecture_{name}_{word}_error_percent");
            run.report.metric(metric.as_str(), error.mean)?;
            run.report.metric(format!("{metric}_standard_error"), error.standard_error)?;
        }
        let Architecture { filter, maps, pool, stride } = *architecture;
        let sizes = [
            format!("{filter} × {filter}"),
            maps.to_string(),
            format!("{pool} × {pool}"),
            stride.to_string(),
        ];
        rows.push(
            [vec![name.clone()], sizes.to_vec(), vec![random.to_string(), trained.to_string()]].concat(),
        );
        pairs.push((random.mean, trained.mean));
        dots.push(Dot {
            name,
            x: random.mean,
            x_error: random.standard_error,
            y: trained.mean,
            y_error: trained.standard_error,
        });
    }
    let words = match RankCorrelation::of(&pairs, key) {
        Some(RankCorrelation { value, low, high }) => {
            run.report.metric("rank_correlation", value)?;
            run.report.metric("rank_correlation_low", low)?;
            run.report.metric("rank_correlation_high", high)?;
            let [value, low, high] = [value, low, high].map(short_number);
            format!("rank correlation {value}, interval of 95 % from {low} to {high}")
        }
        None => "no rank correlation, as all errors are equal".to_string(),
    };
    run.report.scatter(
        &format!("Errors of the architectures: {words}"),
        "test error with random weights (%)",
        "test error after training (%)",
        &dots,
    )?;
    let headers = ["architecture", "filters", "maps", "pools", "stride", "random weights", "trained"];
    let title = format!("Test error in %, mean of {} seeds ± its standard error", recipe.seeds);
    run.report.table(title, &headers, rows)?;
    let source = "Saxe and others, 2011, quoting Jarrett and others, 2009";
    for (word, right) in [("random", 53.0), ("trained", 54.2)] {
        let metric = format!("right on Caltech-101, one stage of {word} filters (%)");
        run.report.published(metric, right, source, true, None)?;
    }
    Ok(())
}
