//! Memory of the device: whole buffers in size classes, reused as soon as they are free.
//!
//! A buffer is never shared by two tensors: one kernel could not read one and write the other. Reuse needs no waiting,
//! because work is carried out in the order in which it was recorded.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard};

/// Memory of the device, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MemoryUse {
    /// Held by tensors.
    pub live: u64,
    /// Free, kept for the next tensors.
    pub pooled: u64,
    /// Most that was held at once, live and pooled.
    pub peak: u64,
    /// Buffers created so far.
    pub created: u64,
    /// Buffers that were reused instead of created.
    pub reused: u64,
}

/// Why there is no buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NoMemory {
    pub(crate) wanted: u64,
    pub(crate) used: u64,
    pub(crate) cap: Option<u64>,
}

/// The buffers of a device.
#[derive(Debug)]
pub(crate) struct Pool {
    device: wgpu::Device,
    cap: Option<u64>,
    /// Largest buffer that can be made, in bytes.
    largest: u64,
    /// Buffers after which creation fails, for tests.
    fails_after: Option<u64>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    free: BTreeMap<u64, Vec<(wgpu::Buffer, u64)>>,
    used: MemoryUse,
}

/// What a tensor keeps: a buffer, or nothing where there was no memory for one.
#[derive(Debug)]
pub(crate) struct Memory {
    pub(crate) block: Option<Block>,
    /// Whether all its elements have been written or cleared since it was taken from the pool.
    pub(crate) defined: AtomicBool,
}

/// A buffer that goes back to its pool when dropped.
#[derive(Debug)]
pub(crate) struct Block {
    pub(crate) buffer: wgpu::Buffer,
    /// Never used again for another buffer.
    pub(crate) id: u64,
    pub(crate) bytes: u64,
    pool: Arc<Pool>,
}

impl Memory {
    /// Whether it is defined, which it is from now on.
    pub(crate) fn define(&self) -> bool {
        self.defined.swap(true, Relaxed)
    }
}

impl Drop for Block {
    fn drop(&mut self) {
        let mut state = self.pool.state();
        state.used.live -= self.bytes;
        state.used.pooled += self.bytes;
        state.free.entry(self.bytes).or_default().push((self.buffer.clone(), self.id));
    }
}

/// The size of the buffer for so many bytes: four classes for each power of two.
pub(crate) fn size_class(bytes: u64) -> u64 {
    let bytes = bytes.max(256);
    let step = (bytes.next_power_of_two() / 8).max(64);
    bytes.next_multiple_of(step)
}

impl Pool {
    pub(crate) fn new(
        device: wgpu::Device,
        cap: Option<u64>,
        largest: u64,
        fails_after: Option<u64>,
    ) -> Arc<Pool> {
        Arc::new(Pool { device, cap, largest: largest & !3, fails_after, state: Mutex::default() })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // The state is consistent between statements, whatever a thread that held it did.
        self.state.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    pub(crate) fn used(&self) -> MemoryUse {
        self.state().used
    }

    /// Gives the free buffers back to the driver.
    pub(crate) fn trim(&self) {
        let mut state = self.state();
        state.free.clear();
        state.used.pooled = 0;
    }

    /// A buffer of at least so many bytes. Its contents are what they are if `reused`, else zeros.
    ///
    /// # Errors
    /// If there is no memory even after a trim. `before_retry` runs in between: what it waits for frees memory.
    pub(crate) fn take(
        self: &Arc<Pool>,
        bytes: u64,
        before_retry: impl FnOnce(),
    ) -> Result<(Block, bool), NoMemory> {
        let class = size_class(bytes);
        let size = if class > self.largest { bytes.next_multiple_of(4) } else { class };
        if let Some((buffer, id)) = self.reuse(size) {
            return Ok((Block { buffer, id, bytes: size, pool: Arc::clone(self) }, true));
        }
        let created = self.create(size, bytes).or_else(|_| {
            before_retry();
            self.trim();
            self.create(size, bytes)
        });
        let (buffer, id) = created?;
        Ok((Block { buffer, id, bytes: size, pool: Arc::clone(self) }, false))
    }

    fn reuse(&self, size: u64) -> Option<(wgpu::Buffer, u64)> {
        let mut state = self.state();
        let free = state.free.get_mut(&size)?;
        let buffer = free.pop()?;
        state.used.live += size;
        state.used.pooled -= size;
        state.used.reused += 1;
        Some(buffer)
    }

    fn create(&self, size: u64, wanted: u64) -> Result<(wgpu::Buffer, u64), NoMemory> {
        let used = self.used();
        let refused = NoMemory { wanted, used: used.live, cap: self.cap };
        let over_cap = self.cap.is_some_and(|cap| used.live + used.pooled + size > cap);
        let faulty = self.fails_after.is_some_and(|after| used.created >= after);
        if over_cap || faulty || size > self.largest {
            return Err(refused);
        }
        let scope = self.device.push_error_scope(wgpu::ErrorFilter::OutOfMemory);
        let buffer = self.device.create_buffer(&wgpu::BufferDescriptor {
            label: None,
            size,
            usage: wgpu::BufferUsages::STORAGE | wgpu::BufferUsages::COPY_SRC | wgpu::BufferUsages::COPY_DST,
            mapped_at_creation: false,
        });
        if pollster::block_on(scope.pop()).is_some() {
            return Err(refused);
        }
        let mut state = self.state();
        state.used.live += size;
        state.used.created += 1;
        state.used.peak = state.used.peak.max(state.used.live + state.used.pooled);
        let id = state.used.created;
        Ok((buffer, id))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_waste_at_most_a_quarter() {
        for bytes in [1, 256, 257, 1000, 4096, 5000, 1 << 20, (1 << 20) + 1, 999_999_999] {
            let class = size_class(bytes);
            assert!(class >= bytes && class.is_multiple_of(4), "{bytes}: {class}");
            assert!(class <= (bytes + bytes / 4).max(320), "{bytes}: {class}");
            assert_eq!(size_class(class), class);
        }
    }
}
