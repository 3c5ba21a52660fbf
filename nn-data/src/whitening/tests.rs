use super::*;
use crate::augment::normal;
use rand_core::SeedableRng;
use rand_pcg::Pcg64;

/// Patches whose neighbouring values are alike, around a mean of 3.
fn patches(cases: usize, values: usize) -> Array2<f32> {
    let mut generator = Pcg64::seed_from_u64(1);
    let mut patches = Array2::<f32>::zeros((cases, values));
    for mut patch in patches.rows_mut() {
        let mut value = 0.0;
        for out in &mut patch {
            value = 0.8 * value + normal(&mut generator);
            *out = value as f32 + 3.0;
        }
    }
    patches
}

fn largest(values: &Array2<f64>) -> f64 {
    values.iter().fold(0.0, |largest, value| value.abs().max(largest))
}

#[test]
fn whitened_patches_are_white() {
    let patches = patches(500, 12);
    for kind in [WhiteningKind::Pca, WhiteningKind::Zca] {
        let whitening = Whitening::of(patches.view(), kind, 0.0, None).unwrap();
        assert_eq!(whitening.outputs(), 12);
        let white = whitening.apply(patches.view());
        let again = Whitening::of(white.view(), kind, 0.0, None).unwrap();
        assert!(largest(&(covariance(white.view(), again.mean()) - Array2::<f64>::eye(12))) < 1e-6);
        assert!(again.mean().iter().all(|mean| mean.abs() < 1e-6));
        let back = whitening.invert(white.view());
        assert!((&back - &patches).iter().all(|off| off.abs() < 1e-5));
    }
}

#[test]
fn zca_is_symmetric_and_pca_keeps_the_largest_variances() {
    let patches = patches(300, 8);
    let zca = Whitening::of(patches.view(), WhiteningKind::Zca, 0.1, None).unwrap().matrix();
    assert!(largest(&(&zca - &zca.t())) < 1e-12);
    let pca = Whitening::of(patches.view(), WhiteningKind::Pca, 0.1, Some(3)).unwrap();
    assert_eq!((pca.outputs(), pca.matrix().dim()), (3, (3, 8)));
    let white = pca.apply(patches.view());
    let mean = mean(white.view());
    let variances = covariance(white.view(), &mean).diag().to_owned();
    for (variance, whitened) in pca.variances().iter().zip(variances) {
        assert!((whitened - variance / (variance + 0.1)).abs() < 1e-6);
    }
}

#[test]
fn directions_without_variance_are_left_out() {
    // The mean of each patch is gone, and so is one direction; of four patches three remain.
    let mut flat = patches(100, 6);
    crate::contrast::remove_mean(flat.view_mut());
    let doubled = flat.mapv(|value| (value * 64.0).round() / 64.0);
    let exact = Array2::from_shape_fn((100, 6), |(row, column)| match column {
        5 => -doubled.row(row).iter().take(5).sum::<f32>(),
        _ => doubled[(row, column)],
    });
    let whitening = Whitening::of(exact.view(), WhiteningKind::Zca, 0.0, None).unwrap();
    assert_eq!(whitening.variances().len(), 5);
    assert!(whitening.apply(exact.view()).iter().all(|value| value.abs() < 10.0));
    let few = Whitening::of(patches(4, 6).view(), WhiteningKind::Pca, 0.0, None).unwrap();
    assert_eq!(few.outputs(), 3);
}

const FIRST_BITS: [u64; 9] = [
    4605486376885286109,
    13826176705946366102,
    13822041581807078812,
    13814713835901268975,
    13826792326064517293,
    4605449984475128551,
    4603369441230892138,
    4603848585347659441,
    4602861648886217860,
];

#[test]
fn the_basis_is_fixed_to_the_bit() {
    // Exact in single precision, so that nothing but the basis is tested. Whoever changes these bits changes every model
    // that was learned on whitened patches.
    let patches = Array2::from_shape_fn((9, 3), |(row, column)| ((row * 5 + column * column * 3) % 7) as f32);
    let whitening = Whitening::of(patches.view(), WhiteningKind::Pca, 0.0, None).unwrap();
    let bits: Vec<u64> = whitening.directions().iter().map(|value| value.to_bits()).collect();
    let turned = Whitening::of(patches.t().as_standard_layout().t(), WhiteningKind::Pca, 0.0, None).unwrap();
    assert_eq!(bits, turned.directions().iter().map(|value| value.to_bits()).collect::<Vec<_>>());
    for row in whitening.directions().rows() {
        let extreme = row.iter().fold(0.0f64, |found, &v| if v.abs() > found.abs() { v } else { found });
        assert!(extreme > 0.0);
    }
    assert_eq!(bits, FIRST_BITS);
}

#[test]
fn a_file_holds_the_same_bits() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("basis.safetensors");
    let whitening = Whitening::of(patches(50, 5).view(), WhiteningKind::Zca, 0.1, Some(4)).unwrap();
    whitening.save(&path).unwrap();
    assert_eq!(Whitening::load(&path).unwrap(), whitening);
    let mut bytes = std::fs::read(&path).unwrap();
    bytes.truncate(bytes.len() - 8);
    std::fs::write(&path, &bytes).unwrap();
    let message = Whitening::load(&path).unwrap_err().to_string();
    assert!(message.contains("basis.safetensors") && message.contains("make the basis anew"), "{message}");
    std::fs::write(
        &path,
        safetensors::serialize(Vec::<(&str, safetensors::tensor::TensorView)>::new(), None).unwrap(),
    )
    .unwrap();
    assert!(Whitening::load(&path).unwrap_err().to_string().contains("the format is ''"));
    assert!(matches!(Whitening::load(&folder.path().join("none")), Err(DataError::Absent { .. })));
}

#[test]
fn what_cannot_be_whitened_is_refused() {
    let of = |patches: &Array2<f32>, epsilon, components| {
        Whitening::of(patches.view(), WhiteningKind::Pca, epsilon, components).unwrap_err().to_string()
    };
    assert!(of(&Array2::from_elem((5, 3), 0.5), 0.0, None).contains("vary in 0 directions"));
    assert!(of(&patches(50, 4), 0.0, Some(5)).contains("vary in 4 directions"));
    assert!(of(&patches(50, 4), -0.1, None).contains("ε"));
    assert!(of(&patches(1, 4), 0.0, None).contains("1 × 4"));
    let mut holes = patches(50, 4);
    holes[(7, 2)] = f32::NAN;
    assert!(of(&holes, 0.0, None).contains("row 7, column 2"));
}
