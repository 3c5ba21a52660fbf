use super::transform::{Coefficients, LANES, Lanes, Pixels, ScaledSums, Sums, Transform, Values, scales};
use super::{scatters, takes_gradient, takes_maps};
use crate::conformance::noise;
use crate::cpu::microkernel::simd;
use crate::{ACC, Device, OLD, Operand, Window, x};
use ndarray::{Array2, Zip, s};

/// Windows, cases and maps: tiles that hang over, paddings, channels and maps that are no multiples of a vector.
fn shapes() -> Vec<(Window, usize, usize)> {
    let mut shapes = vec![
        (Window::new(12, 12, 20, 5).padding(2), 3, 50),
        (Window::new(8, 8, 50, 5).padding(4), 2, 20),
        (Window::new(16, 13, 17, 5).padding(1), 2, 33),
        (Window::new(7, 21, 8, 5).padding(3), 3, 8),
        (Window::new(4, 4, 9, 5).padding(9), 2, 11),
        (Window::new(12, 12, 8, 5), 33, 9),
        (Window::new(21, 21, 9, 3).padding(1), 2, 15),
        (Window::new(22, 21, 31, 3), 2, 70),
        (Window { padding: [0, 2], ..Window::new(22, 18, 16, 3) }, 2, 16),
        (Window::new(9, 11, 10, 5).padding(4), 3, 17),
        (Window::new(7, 8, 17, 3).padding(2), 128, 11),
    ];
    shapes.extend((0..=4).map(|padding| (Window::new(14, 15, 10, 5).padding(padding), 3, 12)));
    // The gradient decides for each of up to 16 parts of the cases.
    assert_eq!(shapes.iter().filter(|(window, ..)| scatters(window)).count(), 4);
    assert!(shapes.iter().all(|&(window, cases, maps)| {
        takes_maps(&window, maps) && takes_gradient(&window, (cases / 16).max(1), maps)
    }));
    shapes
}

/// Maps with a formula at the store, maps by transposed filters, and the gradient of the filters.
fn results(device: &Device, window: Window, cases: usize, maps: usize) -> [Array2<f64>; 3] {
    let (images, filters) =
        (noise(device, cases, window.image_len(), 1), noise(device, window.patch_len(), maps, 2));
    let deltas = noise(device, cases * window.count(), maps, 3);
    let transposed = device.tensor(&filters.to_array().unwrap().reversed_axes());
    let (patches, bias) = (Operand::patches(&images, &window), noise(device, 1, maps, 4));
    let mut fused = noise(device, cases * window.count(), maps, 5);
    fused.product(patches.dot(&filters) * -0.5, (ACC + &bias).max(0.0) - x(&deltas));
    let mut plain = device.zeros(cases * window.count(), maps);
    plain.product(patches.dot(transposed.t()), ACC);
    let mut gradient = device.zeros(window.patch_len(), maps);
    gradient.product(patches.t().dot(&deltas), ACC);
    [fused, plain, gradient].map(|tensor| tensor.to_array_f64().unwrap())
}

/// The largest product of the lengths of the two vectors that are multiplied, for maps and for the gradient.
fn lengths(window: Window, cases: usize, maps: usize) -> [f64; 2] {
    let device = Device::reference();
    let square = |rows, columns, seed| {
        let mut values = noise(&device, rows, columns, seed);
        values.assign(OLD.square());
        values
    };
    let (taps, positions) = (window.patch_len(), cases * window.count());
    let images = square(cases, window.image_len(), 1);
    let patches = Operand::patches(&images, &window);
    let [mut pixels, mut filters] = [device.zeros(positions, maps), device.zeros(positions, maps)];
    pixels.product(patches.dot(&device.full(taps, maps, 1.0)), ACC);
    filters.product(device.full(positions, taps, 1.0).view().dot(&square(taps, maps, 2)), ACC);
    pixels.assign((OLD * &filters).sqrt());
    let [mut by_filters, mut deltas] = [device.zeros(taps, maps), device.zeros(taps, maps)];
    by_filters.product(patches.t().dot(&device.full(positions, maps, 1.0)), ACC);
    deltas.product(device.full(taps, positions, 1.0).view().dot(&square(positions, maps, 3)), ACC);
    by_filters.assign((OLD * &deltas).sqrt());
    [pixels, by_filters].map(|tensor| tensor.to_array_f64().unwrap().fold(0.0, |a, b| f64::max(a, *b)))
}

#[test]
fn sums_are_those_of_the_oracle() {
    for (window, cases, maps) in shapes() {
        let [by_maps, by_filters] = lengths(window, cases, maps);
        let [expected, given] =
            [Device::reference(), Device::cpu()].map(|device| results(&device, window, cases, maps));
        for (at, length) in [by_maps, by_maps, by_filters].into_iter().enumerate() {
            Zip::from(&expected[at]).and(&given[at]).for_each(|expected, given| {
                let close = (expected - given).abs() <= 4e-6 * length;
                assert!(close, "{given} instead of {expected}, result {at}: {window:?}, {maps} maps");
            });
        }
    }
}

#[test]
fn a_case_has_the_same_bits_in_any_batch() {
    let maps = |cases: usize| {
        let (device, window) = (Device::cpu(), Window::new(9, 10, 10, 5).padding(2));
        let images = noise(&device, 5, window.image_len(), 6);
        let (mut some, filters) = (device.zeros(cases, window.image_len()), noise(&device, 250, 12, 7));
        some.view_mut().gather(&images, &(0..cases).collect::<Vec<_>>());
        let mut out = device.zeros(cases * window.count(), 12);
        out.product(Operand::patches(&some, &window).dot(&filters), ACC);
        out.to_array().unwrap()
    };
    let (alone, together) = (maps(1), maps(5));
    assert_eq!(alone, together.slice(s![..alone.nrows(), ..]));
}

#[test]
fn threads_do_not_change_bits() {
    let run = |threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| {
            let each = |(window, cases, maps)| results(&Device::cpu(), window, cases, maps);
            shapes().into_iter().map(each).collect::<Vec<_>>()
        })
    };
    let one = run(1);
    for threads in [2, 5] {
        assert!(one == run(threads), "{threads} threads");
    }
}

/// A transform of eight vectors at once.
fn transformed<T: Transform<N, P>, const N: usize, const P: usize>(
    from: [[f32; LANES]; N],
) -> [[f32; LANES]; P] {
    let mut to = [[0.0; LANES]; P];
    // SAFETY: the callers have looked for AVX2; arrays of as many floats as a vector.
    unsafe {
        let values = T::of(from.map(|values| Lanes::load(values.as_ptr())));
        values.into_iter().zip(&mut to).for_each(|(value, to)| value.store(to.as_mut_ptr()));
    }
    to
}

#[test]
fn matrices_are_those_published() {
    if !simd().has_avx2() {
        return;
    }
    // F(4, 3) of Lavin and Gray, a column a lane; 0, 1, −1, 2, −2, ∞ are the points of both.
    let identity = |row: usize| std::array::from_fn(|lane| f32::from(u8::from(row == lane)));
    let pixels: [[f32; LANES]; 6] = transformed::<Pixels, 6, 6>(std::array::from_fn(identity));
    assert_eq!(
        pixels.map(|row| [row[0], row[1], row[2], row[3], row[4], row[5]]),
        [
            [4.0, 0.0, -5.0, 0.0, 1.0, 0.0],
            [0.0, -4.0, -4.0, 1.0, 1.0, 0.0],
            [0.0, 4.0, -4.0, -1.0, 1.0, 0.0],
            [0.0, -2.0, -1.0, 2.0, 1.0, 0.0],
            [0.0, 2.0, -1.0, -2.0, 1.0, 0.0],
            [0.0, 4.0, 0.0, -5.0, 0.0, 1.0],
        ]
    );
    let filters = transformed::<Values, 3, 6>(std::array::from_fn(identity));
    let scaled: [[f32; 3]; 6] =
        std::array::from_fn(|i| std::array::from_fn(|j| filters[i][j] * scales::<6>()[i]));
    let (sixth, twelfth, twenty_fourth) = (1.0 / 6.0, 1.0 / 12.0, 1.0 / 24.0);
    assert_eq!(
        scaled,
        [
            [0.25, 0.0, 0.0],
            [-sixth, -sixth, -sixth],
            [-sixth, sixth, -sixth],
            [twenty_fourth, twelfth, sixth],
            [twenty_fourth, -twelfth, sixth],
            [0.0, 0.0, 1.0],
        ]
    );
}

/// y\[k\] = Σ d\[k + j\]·g\[j\], along one axis.
fn filtering<const R: usize, const M: usize, const S: usize>() {
    let number = |seed: usize| {
        move |row: usize| std::array::from_fn(|lane| ((row * 7 + lane * 5 + seed) % 11) as f32 - 5.0)
    };
    let (d, g): ([[f32; LANES]; S], [[f32; LANES]; R]) =
        (std::array::from_fn(number(1)), std::array::from_fn(number(4)));
    let (pixels, filters) = (transformed::<Pixels, S, S>(d), transformed::<Values, R, S>(g));
    let products: [[f32; LANES]; S] =
        std::array::from_fn(|i| std::array::from_fn(|lane| pixels[i][lane] * filters[i][lane]));
    let sums = transformed::<ScaledSums, S, M>(products);
    let scaled: [[f32; LANES]; S] =
        std::array::from_fn(|i| products[i].map(|product| product * scales::<S>()[i]));
    assert_eq!(sums, transformed::<Sums, S, M>(scaled));
    for k in 0..M {
        for lane in 0..LANES {
            let exact: f32 = (0..R).map(|j| d[k + j][lane] * g[j][lane]).sum();
            assert!((sums[k][lane] - exact).abs() < 1e-3, "{} instead of {exact}, {R} of {S}", sums[k][lane]);
        }
    }
}

/// y\[k\] = Σ d\[j\]·g\[k − j\], along one axis.
fn multiplying<const R: usize, const M: usize, const S: usize>() {
    let number = |seed: usize| {
        move |row: usize| std::array::from_fn(|lane| ((row * 7 + lane * 5 + seed) % 11) as f32 - 5.0)
    };
    let (d, g): ([[f32; LANES]; M], [[f32; LANES]; R]) =
        (std::array::from_fn(number(1)), std::array::from_fn(number(4)));
    let (pixels, filters) = (transformed::<Values, M, S>(d), transformed::<Values, R, S>(g));
    let products: [[f32; LANES]; S] = std::array::from_fn(|i| {
        std::array::from_fn(|lane| pixels[i][lane] * filters[i][lane] * scales::<S>()[i])
    });
    let sums = transformed::<Coefficients, S, S>(products);
    for k in 0..S {
        for lane in 0..LANES {
            let taps = (0..M).filter_map(|j| Some(d[j][lane] * g.get(k.checked_sub(j)?)?[lane]));
            let exact: f32 = taps.sum();
            assert!((sums[k][lane] - exact).abs() < 2e-3, "{} instead of {exact}, {R} of {S}", sums[k][lane]);
        }
    }
}

#[test]
fn one_axis_is_filtered() {
    if simd().has_avx2() {
        filtering::<5, 4, 8>();
        filtering::<4, 5, 8>();
        filtering::<3, 4, 6>();
        filtering::<4, 3, 6>();
        multiplying::<5, 4, 8>();
        multiplying::<3, 4, 6>();
    }
}

#[test]
fn small_or_other_windows_are_left_alone() {
    let window = Window::new(16, 16, 32, 5);
    assert!(takes_maps(&window, 32) && takes_gradient(&window, 1, 32));
    for other in [
        window.stride(2),
        Window { channels: 3, ..window },
        Window { kernel: [3, 5], ..window },
        Window::new(16, 16, 32, 4),
        // Whole tiles for single positions.
        Window::new(5, 5, 32, 5),
    ] {
        assert!(!takes_maps(&other, 32) && !takes_gradient(&other, 100, 32), "{other:?}");
    }
    assert!(!takes_maps(&window, 4) && !takes_gradient(&window, 100, 4));
    // A gradient transformed for a few positions.
    let small = Window::new(8, 8, 32, 5);
    assert!(takes_maps(&small, 32) && !takes_gradient(&small, 1, 32) && takes_gradient(&small, 5, 32));
}
