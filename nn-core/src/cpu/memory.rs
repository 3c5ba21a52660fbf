//! Memory of tensors, kept for the next of about the same size: the system takes large pieces back at once, and clears each
//! page anew when it is touched again.

use std::ops::{Deref, DerefMut};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::packings::Packings;

/// Values of one tensor.
#[derive(Debug)]
pub(super) struct Memory {
    values: Vec<f32>,
    /// Copies of the values as products read them.
    packings: Packings,
}

/// Pieces below this are left to the allocator.
const LEAST: usize = 1 << 14;
/// Values kept at most in all: 128 MiB.
const MOST: usize = 1 << 25;

/// Pieces that no tensor uses, the last returned last.
static FREE: Mutex<Vec<Vec<f32>>> = Mutex::new(Vec::new());

fn free() -> MutexGuard<'static, Vec<Vec<f32>>> {
    FREE.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Memory {
    /// What is packed of the values as they are.
    pub(super) fn packings(&self) -> &Packings {
        &self.packings
    }

    /// So many zeros.
    pub(super) fn zeros(len: usize) -> Memory {
        let Some(mut piece) = kept(len) else { return vec![0.0; len].into() };
        piece.clear();
        piece.resize(len, 0.0);
        piece.into()
    }

    /// So many values that are to be written before they are read.
    pub(super) fn unwritten(len: usize) -> Memory {
        let Some(mut piece) = kept(len) else { return vec![0.0; len].into() };
        piece.resize(len, 0.0);
        piece.into()
    }
}

impl From<Vec<f32>> for Memory {
    fn from(values: Vec<f32>) -> Self {
        Memory { values, packings: Packings::default() }
    }
}

/// A piece for so many values that no tensor uses, if there is one.
fn kept(len: usize) -> Option<Vec<f32>> {
    if len < LEAST {
        return None;
    }
    let mut pieces = free();
    let fits = |piece: &Vec<f32>| (len..=len + len / 4).contains(&piece.capacity());
    pieces.iter().rposition(fits).map(|at| pieces.remove(at))
}

impl Drop for Memory {
    fn drop(&mut self) {
        let piece = std::mem::take(&mut self.values);
        if piece.capacity() < LEAST || piece.capacity() > MOST {
            return;
        }
        let mut pieces = free();
        pieces.push(piece);
        let mut kept: usize = pieces.iter().map(Vec::capacity).sum();
        // The oldest go first.
        let mut gone = 0;
        while kept > MOST {
            kept -= pieces[gone].capacity();
            gone += 1;
        }
        let gone: Vec<_> = pieces.drain(..gone).collect();
        drop(pieces);
        drop(gone);
    }
}

impl Deref for Memory {
    type Target = [f32];
    fn deref(&self) -> &[f32] {
        &self.values
    }
}

impl DerefMut for Memory {
    fn deref_mut(&mut self) -> &mut [f32] {
        self.packings.forget();
        &mut self.values
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_that_comes_back_is_zero_again() {
        for _ in 0..3 {
            let mut memory = Memory::zeros(LEAST + 3);
            assert!(memory.len() == LEAST + 3 && memory.iter().all(|value| *value == 0.0));
            memory.fill(1.0);
        }
    }

    #[test]
    fn memory_to_be_written_has_its_length_whatever_came_back() {
        drop(Memory::zeros(LEAST + 9));
        assert_eq!(Memory::unwritten(LEAST + 3).len(), LEAST + 3);
        assert_eq!(Memory::unwritten(LEAST + 9).len(), LEAST + 9);
        assert!(Memory::unwritten(5).iter().all(|value| *value == 0.0));
    }

    #[test]
    fn what_is_kept_is_bounded() {
        let pieces: Vec<Memory> = (0..6).map(|_| Memory::zeros(MOST / 4)).collect();
        drop(pieces);
        assert!(free().iter().map(Vec::capacity).sum::<usize>() <= MOST);
        drop(Memory::zeros(MOST + 1));
        assert!(free().iter().all(|piece| piece.capacity() <= MOST));
    }
}
