//! Values to and from the device, memory that is used again, several threads.

use crate::adapter::{open, shared};
use ndarray::Array2;
use nn_core::{Expr, Key, OLD, x};
use nn_gpu::Settings;

#[test]
fn uploads_keep_the_order_of_the_program() {
    let Some((_, device)) = shared() else { return };
    // Small ones pass through the data of a batch, large ones through the queue.
    for columns in [100, 100_000] {
        let mut tensor = device.zeros(1, columns);
        let mut copies = Vec::new();
        for value in 0..50 {
            tensor.write(Array2::from_elem((1, columns), value as f32).view());
            copies.push(tensor.duplicate());
            tensor.assign(OLD * 0.0 - 1.0);
        }
        for (value, copy) in copies.iter().enumerate() {
            let last = copy.view().column_range(columns - 1..columns).to_array().unwrap();
            assert_eq!(last[[0, 0]], value as f32);
        }
    }
}

#[test]
fn large_transfers_are_whole() {
    let Some((_, device)) = shared() else { return };
    let values = Array2::from_shape_fn((4200, 4100), |(i, j)| ((i * 7 + j * 13) % 1000) as f32);
    let tensor = device.tensor(&values);
    assert_eq!(tensor.to_array().unwrap(), values);
    let part = tensor.view().row_range(5..4000).column_range(3..4001);
    assert_eq!(part.to_array().unwrap(), values.slice(ndarray::s![5..4000, 3..4001]));
}

#[test]
fn memory_that_was_used_before_is_zero_again() {
    let Some((_, device)) = shared() else { return };
    for _ in 0..5 {
        let mut tensor = device.full(33, 44, 7.0);
        tensor.assign(OLD + 1.0);
        drop(tensor);
        let mut tensor = device.zeros(33, 44);
        // A part alone is written: the rest must be zero.
        tensor.row_range_mut(3..4).assign(1.0f32);
        let sum = tensor.to_array().unwrap().sum();
        assert_eq!(sum, 44.0);
        let mut tensor = device.zeros(33, 44);
        tensor.assign(OLD + 1.0);
        assert_eq!(tensor.to_array().unwrap().sum(), 33.0 * 44.0);
    }
}

#[test]
fn many_rows_are_gathered() {
    let Some((_, device)) = shared() else { return };
    let source = device.tensor(&Array2::from_shape_fn((1000, 3), |(i, j)| (i * 3 + j) as f32));
    let indices: Vec<usize> = (0..250_000).map(|at| at * 7 % 1000).collect();
    let mut out = device.zeros(indices.len(), 3);
    out.view_mut().gather(&source, &indices);
    let out = out.to_array().unwrap();
    for (row, index) in indices.iter().enumerate().step_by(997) {
        assert_eq!(out[[row, 2]], (index * 3 + 2) as f32);
    }
}

#[test]
fn threads_share_a_device() {
    let Some((_, device)) = shared() else { return };
    let work = |seed: u64| {
        let mut tensor = device.zeros(50, 60);
        for step in 0..20 {
            tensor.assign(OLD + Expr::Uniform(Key::new(seed).fold_in(step)));
        }
        tensor.to_array().unwrap()
    };
    let alone: Vec<_> = (0..4).map(work).collect();
    let together: Vec<_> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..4).map(|seed| scope.spawn(move || work(seed))).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert_eq!(alone, together);
}

#[test]
fn a_reading_shows_what_was_there_when_it_began() {
    let Some((gpu, device)) = shared() else { return };
    let mut tensor = device.full(40, 50, 3.0);
    let whole = gpu.start_reading(tensor.view()).unwrap();
    let part = gpu.start_reading(tensor.view().row_range(2..5).column_range(1..3)).unwrap();
    tensor.assign(OLD + 1.0);
    assert_eq!(whole.wait().unwrap(), Array2::from_elem((40, 50), 3.0));
    assert_eq!(part.wait().unwrap(), Array2::from_elem((3, 2), 3.0));
    assert_eq!(tensor.to_array().unwrap()[[39, 49]], 4.0);
}

#[test]
fn a_data_set_larger_than_a_kernel_can_see() {
    // A device of its own: what is refused ends its use.
    let Some(gpu) = open(Settings::default()) else { return };
    let (device, limit) = (gpu.device(), gpu.adapter().largest_binding);
    if limit > 256 << 20 {
        return println!("SKIPPED: a kernel sees {} MiB at once", limit >> 20);
    }
    let rows = (limit / 4000) as usize + 100;
    let mut data = device.zeros(rows, 1000);
    for row in [3, rows - 1] {
        data.row_range_mut(row..row + 1).write(Array2::from_elem((1, 1000), row as f32).view());
    }
    let mut batch = device.zeros(3, 1000);
    batch.view_mut().gather(&data, &[rows - 1, 0, 3]);
    let found = batch.to_array().unwrap();
    assert_eq!([found[[0, 999]], found[[1, 0]], found[[2, 500]]], [(rows - 1) as f32, 0.0, 3.0]);
    data.assign(OLD * 2.0);
    let error = batch.to_array().unwrap_err().to_string();
    assert!(error.contains("larger than the") && error.contains("use smaller batches"), "{error}");
}

#[test]
fn a_cap_is_kept_and_memory_given_back() {
    let Some(gpu) = open(Settings { memory_cap: Some(8 << 20), ..Settings::default() }) else { return };
    let device = gpu.device();
    // Different sizes: the pool fills with buffers that do not fit, and is emptied instead of failing.
    for size in 1..40 {
        let mut tensor = device.zeros(size, 20_000);
        tensor.assign(1.0f32);
        let sum = x(&tensor);
        let mut copy = device.zeros(size, 20_000);
        copy.assign(sum);
        assert_eq!(copy.view().row_range(0..1).column_range(0..1).to_array().unwrap()[[0, 0]], 1.0);
        assert!(gpu.memory().live + gpu.memory().pooled <= 8 << 20);
    }
    let big = device.zeros(3000, 1000);
    let error = big.to_array().unwrap_err().to_string();
    assert!(error.contains("out of memory") && error.contains("8"), "{error}");
}
