use super::*;

/// Values between −1 and 1, of which about this share is not zero.
fn values(count: usize, seed: u32, density: f32) -> Vec<f32> {
    let mut state = seed.wrapping_mul(0x9e37_79b9) | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        (state >> 8) as f32 / 16_777_216.0
    };
    (0..count).map(|_| if next() < density { 2.0 * next() - 1.0 } else { 0.0 }).collect()
}

fn operand(data: &[f32], rows: usize, cols: usize, transposed: bool) -> Operand<'_> {
    let (row_stride, col_stride) = if transposed { (1, rows) } else { (cols, 1) };
    Operand::Strided(Strided { data, offset: 0, row_stride, col_stride })
}

fn element(matrix: &Operand, i: usize, j: usize) -> f64 {
    let Operand::Strided(matrix) = matrix;
    f64::from(matrix.data[matrix.index(i, j)])
}

fn exact(terms: &[Term], i: usize, j: usize) -> f64 {
    let product =
        |term: &Term| (0..term.k).map(|k| element(&term.a, i, k) * element(&term.b, k, j)).sum::<f64>();
    terms.iter().map(|term| f64::from(term.scale) * product(term)).sum()
}

fn pool(threads: usize) -> rayon::ThreadPool {
    rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("a pool of threads")
}

/// The sums by both entry points, which must agree in every bit.
fn sums(m: usize, n: usize, terms: &[Term]) -> Vec<f32> {
    let row_stride = n + 3;
    let mut out = vec![f32::NAN; m * row_stride];
    product_into(m, n, terms, &mut out, row_stride);
    let finished = std::sync::Mutex::new(vec![f32::NAN; m * n]);
    product(m, n, terms, &|block: Block| {
        let mut finished = finished.lock().expect("no panic elsewhere");
        for r in 0..block.rows {
            for c in 0..block.cols {
                let to = &mut finished[(block.row0 + r) * n + block.col0 + c];
                assert!(to.is_nan(), "an element finished twice");
                *to = block.acc[r * block.stride + c];
            }
        }
    });
    let finished = finished.into_inner().expect("no panic elsewhere");
    for i in 0..m {
        assert!(
            out[i * row_stride..][..n]
                .iter()
                .zip(&finished[i * n..])
                .all(|(a, b)| a.to_bits() == b.to_bits())
        );
        assert!(
            i + 1 == m || out[i * row_stride + n..][..3].iter().all(|x| x.is_nan()),
            "padding overwritten"
        );
    }
    finished
}

fn close(found: &[f32], n: usize, terms: &[Term]) {
    for (q, &value) in found.iter().enumerate() {
        let exact = exact(terms, q / n, q % n);
        assert!((f64::from(value) - exact).abs() < 1e-4, "element {q}: {value} instead of {exact}");
    }
}

const SIZES: [usize; 12] = [1, 3, 5, 6, 7, 15, 16, 17, 63, 64, 65, 130];

#[test]
fn all_sizes_and_transposes() {
    for (i, &m) in SIZES.iter().enumerate() {
        for (j, &n) in SIZES.iter().enumerate() {
            // Every third size of k, in turn, keeps the test short.
            for &k in SIZES.iter().skip((i + j) % 3).step_by(3) {
                for density in [1.0, 0.2] {
                    let a = values(m * k, 1, density);
                    let b = values(k * n, 2, 1.0);
                    for (ta, tb) in [(false, false), (false, true), (true, false), (true, true)] {
                        let (a, b) = (operand(&a, m, k, ta), operand(&b, k, n, tb));
                        let terms = [Term { a, b, packed: None, k, scale: 1.0 }];
                        close(&sums(m, n, &terms), n, &terms);
                    }
                }
            }
        }
    }
}

/// A left side whose few zeros decide the kernel but whose dense copy with tiny numbers instead of zeros
/// cannot change a sum.
#[test]
fn sparse_equals_dense_in_bits() {
    for simd in Simd::available() {
        sparse_equals_dense(simd);
    }
}

fn sparse_equals_dense(simd: Simd) {
    for (m, k, n) in [(100, 784, 500), (130, 300, 97), (7, 1200, 64), (784, 100, 200)] {
        for ta in [false, true] {
            for scale in [1.0, -1.0, 0.3] {
                let a = values(m * k, 5, 0.3);
                let b = values(k * n, 6, 1.0);
                let (a, b) = (operand(&a, m, k, ta), operand(&b, k, n, false));
                let terms = [Term { a, b, packed: None, k, scale }];
                let run = |sparse: u64| {
                    let mut out = vec![0.0; m * n];
                    let sink = Sink::Store(Shared::new(&mut out), n);
                    run_with(simd, m, n, &terms, sparse, sink);
                    out
                };
                let (sparse, dense) = (run(1), run(0));
                assert!(sparse.iter().zip(&dense).all(|(x, y)| x == y), "{m} {k} {n} {ta} {scale}");
            }
        }
    }
}

#[test]
fn wider_vectors_do_not_change_bits() {
    for (m, k, n, density) in [(100, 784, 500, 1.0), (131, 75, 41, 1.0), (37, 400, 203, 0.3)] {
        let (a, b) = (values(m * k, 15, density), values(k * n, 16, 1.0));
        let (a, b) = (operand(&a, m, k, false), operand(&b, k, n, false));
        let terms = [Term { a, b, packed: None, k, scale: 1.0 }];
        let run = |simd: Simd| {
            let mut out = vec![0.0; m * n];
            run_with(simd, m, n, &terms, u64::from(density < 1.0), Sink::Store(Shared::new(&mut out), n));
            out
        };
        let with_avx2: Vec<Simd> = Simd::available().into_iter().filter(|simd| simd.has_avx2()).collect();
        for pair in with_avx2.windows(2) {
            assert!(run(pair[0]).iter().zip(run(pair[1])).all(|(x, y)| x.to_bits() == y.to_bits()));
        }
    }
}

#[test]
fn threads_do_not_change_bits() {
    for (m, k, n) in [(100, 784, 500), (784, 100, 500), (2000, 75, 32), (300, 513, 130), (75, 3000, 32)] {
        for density in [1.0, 0.2] {
            let a = values(m * k, 3, density);
            let b = values(k * n, 4, 1.0);
            let terms = [Term {
                a: operand(&a, m, k, false),
                b: operand(&b, k, n, true),
                packed: None,
                k,
                scale: 1.0,
            }];
            let one = pool(1).install(|| sums(m, n, &terms));
            for threads in [2, 5] {
                let many = pool(threads).install(|| sums(m, n, &terms));
                assert!(one.iter().zip(&many).all(|(x, y)| x.to_bits() == y.to_bits()));
            }
        }
    }
}

#[test]
fn terms_add_up() {
    for (m, n, k) in [(6, 16, 8), (65, 130, 63), (130, 96, 300)] {
        for (first, second) in [(1.0, 1.0), (0.1, 1.0), (1.0, 0.1), (0.1, 0.1)] {
            let (a, b) = (values(m * k, 7, first), values(k * n, 8, 1.0));
            let (c, d) = (values(m * 50, 9, second), values(50 * n, 10, 1.0));
            let terms = [
                Term { a: operand(&a, m, k, true), b: operand(&b, k, n, false), packed: None, k, scale: 0.5 },
                Term {
                    a: operand(&c, m, 50, false),
                    b: operand(&d, 50, n, true),
                    packed: None,
                    k: 50,
                    scale: -1.0,
                },
            ];
            close(&sums(m, n, &terms), n, &terms);
            // The same product added and subtracted leaves next to nothing.
            let same = [terms[0], Term { scale: -0.5, ..terms[0] }];
            assert!(sums(m, n, &same).iter().all(|x| x.abs() < 1e-4));
        }
    }
}

#[test]
fn empty_products() {
    let data = values(100, 11, 1.0);
    let empty = |k| Term {
        a: operand(&data, 3, k, false),
        b: operand(&data, k, 20, false),
        packed: None,
        k,
        scale: 1.0,
    };
    assert_eq!(sums(3, 20, &[empty(0)]), [0.0; 60]);
    assert_eq!(sums(3, 20, &[]), [0.0; 60]);
    product(0, 20, &[empty(2)], &|_| panic!("no block"));
    product(3, 0, &[empty(2)], &|_| panic!("no block"));
    product_into(0, 5, &[], &mut [], 5);
}

#[test]
fn a_finish_may_multiply_again() {
    let data = values(64 * 64, 12, 1.0);
    let terms = [Term {
        a: operand(&data, 64, 64, false),
        b: operand(&data, 64, 64, true),
        packed: None,
        k: 64,
        scale: 1.0,
    }];
    let plain = sums(64, 64, &terms);
    product(64, 64, &terms, &|_| assert_eq!(sums(64, 64, &terms), plain));
}

#[test]
fn kernels_of_all_instructions() {
    for (simd, sparse) in Simd::available().into_iter().flat_map(|simd| [(simd, 0), (simd, 1)]) {
        for (m, n, k) in [(1, 1, 1), (7, 9, 33), (13, 100, 70)] {
            let (a, b) = (values(m * k, 13, 0.4), values(k * n, 14, 1.0));
            for (ta, tb) in [(false, false), (true, true)] {
                let terms = [Term {
                    a: operand(&a, m, k, ta),
                    b: operand(&b, k, n, tb),
                    packed: None,
                    k,
                    scale: -2.0,
                }];
                let mut out = vec![0.0; m * n];
                run_with(simd, m, n, &terms, sparse, Sink::Store(Shared::new(&mut out), n));
                close(&out, n, &terms);
            }
        }
    }
}

#[test]
#[should_panic(expected = "beyond its data")]
fn operands_are_checked() {
    let data = [0.0; 10];
    let terms = [Term {
        a: operand(&data, 2, 5, false),
        b: operand(&data, 5, 3, false),
        packed: None,
        k: 5,
        scale: 1.0,
    }];
    product(2, 3, &terms, &|_| ());
}
