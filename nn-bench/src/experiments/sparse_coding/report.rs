//! What a run says of its settings, and what it found.

use ndarray::{Array2, Axis, Slice};
use nn_core::Key;
use nn_sparse::{DictionaryLearner, Encoding, Status};

use super::Recipe;
use super::atoms::{Fits, GOOD, duplicates, fits, use_of};
use super::learning::Point;
use super::patches::{Images, Patches};
use crate::image_grid::{self, Scaling, TileAxis, TileLayout};
use crate::run::Run;
use crate::run_error::{RunError, WhileDoing};

/// Patches that are shown as sums.
const SUMS: usize = 5;
/// Atoms of such a patch.
const ATOMS_OF_A_SUM: [usize; 2] = [2, 6];
/// Patches that are shown as they are.
const SHOWN: usize = 64;

pub(super) fn describe(run: &mut Run, recipe: &Recipe) {
    run.report.reproduces(
        "Olshausen and Field, \"Emergence of simple-cell receptive field properties by learning a sparse code for natural \
         images\" (Nature, 1996): atoms of which patches of natural images are sums of few become localised, oriented and \
         band-pass, like the receptive fields of simple cells. Here codes are exact solutions of the lasso, as in Lee and \
         others, \"Efficient sparse coding algorithms\" (2007), and atoms are learned online by the method of Mairal and \
         others (2010).",
    );
    let images = match recipe.images {
        Images::DeadLeaves { count, side } => format!("{count} images of dead leaves, {side}×{side}"),
        Images::Natural => "natural photographs, logarithms of greys".to_string(),
    };
    run.report.setting("images", format!("{images}; a fifth of them held out"));
    run.report.setting("preparation", "filter f·exp(−(f/0.4)⁴), mean of each patch removed, variance 1");
    run.report.setting(
        "patches",
        format!("{0}×{0} pixels; {1} and {2} held out", recipe.side, recipe.cases[0], recipe.cases[1]),
    );
    run.report.setting("atoms", recipe.atoms);
    run.report.setting("λ", recipe.lambda);
    run.report.setting("minibatch", recipe.batch);
    run.report.setting("epochs", recipe.epochs);
    run.report.setting("computed", "on the host in double precision");
}

pub(super) fn report(
    run: &mut Run,
    recipe: &Recipe,
    patches: &Patches,
    learner: &DictionaryLearner,
    curve: &[Point],
    key: Key,
) -> Result<(), RunError> {
    let doing = "coding the held-out patches";
    let timer = run.phase(doing);
    let encoding = learner.encode(patches.held_out.view()).while_doing(doing)?;
    drop(timer);
    let timer = run.phase("fitting Gabor functions");
    let fits = fits(learner.dictionary(), recipe.side, key);
    drop(timer);
    let used = use_of(&encoding);
    metrics(run, learner, &encoding, curve, &used)?;
    gabor(run, &fits)?;
    let of = |value: fn(&Point) -> f64| {
        curve.iter().map(|point| (point.update as f64, value(point))).collect::<Vec<_>>()
    };
    run.report.curve(
        "Objective",
        "update",
        "½‖x − Σ α d‖² + λ‖α‖₁",
        &[("minibatch", of(|point| point.objective)), ("held out", of(|point| point.held_out))],
    )?;
    run.report.curve(
        "Atoms of a patch",
        "update",
        "non-zeros",
        &[("minibatch", of(|point| point.nonzeros))],
    )?;
    mosaic(run, recipe, learner, &used)?;
    sums(run, recipe, patches, learner, &encoding)?;
    let shown = patches.held_out.slice_axis(Axis(0), Slice::from(..SHOWN.min(patches.held_out.nrows())));
    let layout = TileLayout::new(recipe.side, recipe.side, 16).zoom(4);
    let picture = image_grid::filters(
        shown.mapv(|value| value as f32).view(),
        TileAxis::Rows,
        layout,
        Scaling::Shared,
    )?;
    run.report.picture("patches", "Held-out patches as the dictionary sees them; grey is 0.", &picture)?;
    Ok(())
}

fn metrics(
    run: &mut Run,
    learner: &DictionaryLearner,
    encoding: &Encoding,
    curve: &[Point],
    used: &[f64],
) -> Result<(), RunError> {
    let report = &mut run.report;
    if let (Some(first), Some(last)) = (curve.first(), curve.last()) {
        report.metric("first_minibatch_objective", first.objective)?;
        report.metric("last_minibatch_objective", last.objective)?;
    }
    let count = encoding.certificates.len().max(1) as f64;
    let worst = |value: fn(&nn_sparse::Certificate) -> f64| {
        encoding.certificates.iter().map(value).fold(0.0, f64::max)
    };
    report.metric("held_out_objective", encoding.mean_objective())?;
    report.metric("nonzeros_a_patch", encoding.codes.nonzeros() as f64 / count)?;
    report.metric("worst_relative_gap", encoding.worst_gap())?;
    report.metric("worst_violation", worst(|one| one.violation))?;
    report.metric("unconverged", encoding.count(Status::Unconverged) as f64)?;
    report.metric("dead_atoms", used.iter().filter(|&&mean| mean == 0.0).count() as f64)?;
    report.metric("duplicate_atoms", duplicates(learner.dictionary()) as f64)?;
    report.metric("replaced_atoms", learner.replaced() as f64)?;
    Ok(())
}

/// How well Gabor functions fit, beside both kinds of noise.
fn gabor(run: &mut Run, fits: &[Fits; 3]) -> Result<(), RunError> {
    for of in fits {
        run.report.metric(format!("{}_gabor_share", of.metric), of.share_above(GOOD))?;
        run.report.metric(format!("{}_gabor_median", of.metric), of.median())?;
    }
    let row = |of: &Fits| {
        let shares = [0.5, GOOD, 0.9].map(|explained| format!("{:.0} %", 100.0 * of.share_above(explained)));
        [vec![of.name.to_string(), format!("{:.3}", of.median())], shares.to_vec()].concat()
    };
    run.report.table(
        "Gabor functions fitted to filters: R²",
        &["filters", "median", "above 0.5", "above 0.8", "above 0.9"],
        fits.iter().map(row).collect(),
    )?;
    run.report.published(
        "share of atoms with R² above 0.8",
        0.99,
        "the same fit to the 144 functions of 12×12 pixels that come with the program of Olshausen and Field",
        false,
        Some(fits[0].share_above(GOOD)),
    )?;
    run.report.note(
        "R² above 0.5 proves nothing, as smooth noise reaches it: compare the share above 0.8 with that of both kinds of \
         noise.",
    );
    Ok(())
}

/// All atoms, those that are used most first.
fn mosaic(run: &mut Run, recipe: &Recipe, learner: &DictionaryLearner, used: &[f64]) -> Result<(), RunError> {
    let mut order: Vec<usize> = (0..used.len()).collect();
    order.sort_by(|&a, &b| used[b].total_cmp(&used[a]).then(a.cmp(&b)));
    let atoms = learner.dictionary().atoms().select(Axis(0), &order).mapv(|value| value as f32);
    let layout = TileLayout::new(recipe.side, recipe.side, 16).zoom(4);
    let picture = image_grid::filters(atoms.view(), TileAxis::Rows, layout, Scaling::PerTile)?;
    run.report.picture("atoms", "The atoms, those that are used most first; grey is 0.", &picture)?;
    Ok(())
}

/// Patches that few atoms explain best, each with its sum and the atoms in it.
fn sums(
    run: &mut Run,
    recipe: &Recipe,
    patches: &Patches,
    learner: &DictionaryLearner,
    encoding: &Encoding,
) -> Result<(), RunError> {
    let [least, most] = ATOMS_OF_A_SUM;
    let square = |sample: usize| patches.held_out.row(sample).dot(&patches.held_out.row(sample));
    let mut chosen: Vec<(f64, usize)> = (0..encoding.codes.len())
        .filter(|&sample| (least..=most).contains(&encoding.codes.of(sample).len()))
        .map(|sample| (encoding.certificates[sample].objective / square(sample), sample))
        .collect();
    chosen.sort_by(|a, b| a.0.total_cmp(&b.0));
    chosen.truncate(SUMS);
    if chosen.is_empty() {
        return Ok(());
    }
    let sums = encoding.codes.reconstruct(learner.dictionary());
    let mut tiles = Array2::<f64>::zeros((chosen.len() * (most + 2), patches.held_out.ncols()));
    let mut rows = Vec::new();
    for (place, &(_, sample)) in chosen.iter().enumerate() {
        let mut code: Vec<(usize, f64)> = encoding.codes.of(sample).collect();
        code.sort_by(|a, b| b.1.abs().total_cmp(&a.1.abs()));
        let first = place * (most + 2);
        tiles.row_mut(first).assign(&patches.held_out.row(sample));
        tiles.row_mut(first + 1).assign(&sums.row(sample));
        for (at, &(atom, _)) in code.iter().enumerate() {
            tiles.row_mut(first + 2 + at).assign(&learner.dictionary().atoms().row(atom));
        }
        let rest = &patches.held_out.row(sample) - &sums.row(sample);
        let length = square(sample).sqrt();
        code.iter_mut().for_each(|(_, share)| *share /= length);
        let explained = 1.0 - rest.dot(&rest) / square(sample);
        rows.push(vec![format!("{}", place + 1), in_words(&code), format!("{:.1} %", 100.0 * explained)]);
    }
    let layout = TileLayout::new(recipe.side, recipe.side, most + 2).zoom(6);
    let tiles = tiles.mapv(|value| value as f32);
    let picture = image_grid::filters(tiles.view(), TileAxis::Rows, layout, Scaling::PerTile)?;
    let caption = "In each row: a held-out patch, its sum, and the atoms of the sum, largest share first. The shares are \
                   in the table below.";
    run.report.picture("sums", caption, &picture)?;
    run.report.table(
        "Held-out patches as sums of few atoms",
        &["row", "the patch, of length 1, is about", "explained"],
        rows,
    )?;
    Ok(())
}

/// `0.84 · atom 36 − 0.30 · atom 42`.
fn in_words(code: &[(usize, f64)]) -> String {
    let mut words = String::new();
    for &(atom, share) in code {
        let sign = match (words.is_empty(), share < 0.0) {
            (true, false) => "",
            (true, true) => "−",
            (false, false) => " + ",
            (false, true) => " − ",
        };
        words.push_str(&format!("{sign}{:.2} · atom {atom}", share.abs()));
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sum_in_words() {
        assert_eq!(
            in_words(&[(36, 0.84), (42, -0.3), (7, 0.1)]),
            "0.84 · atom 36 − 0.30 · atom 42 + 0.10 · atom 7"
        );
        assert_eq!(in_words(&[(1, -2.0)]), "−2.00 · atom 1");
    }
}
