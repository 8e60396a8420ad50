//! Blocks of candidates: each is drawn from a stream of random numbers of its own, and is a job for one thread.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

/// An integer type that indices are stored in.
pub trait Index: Copy + Send + Sync + 'static {
    /// The index as this type; the caller knows that it fits.
    fn of(index: u32) -> Self;
}

macro_rules! indices {
    ($($integer:ty)*) => {$(
        impl Index for $integer {
            fn of(index: u32) -> Self {
                index as Self
            }
        }
    )*};
}

indices! { u8 u16 u32 }

/// A block of this many candidates is drawn from one stream of random numbers, whatever the number of threads.
pub(crate) const BLOCK: usize = 4096;

/// An unbiased number below `n` (Lemire, "Fast Random Integer Generation in an Interval", 2019).
pub(crate) fn below(rng: &mut ChaCha8Rng, n: u64) -> u64 {
    loop {
        let wide = u128::from(rng.next_u64()) * u128::from(n);
        if wide as u64 >= n.wrapping_neg() % n {
            return (wide >> 64) as u64;
        }
    }
}

/// The random numbers of one block of candidates.
pub(crate) fn stream(seed: u64, block: u64) -> ChaCha8Rng {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    rng.set_stream(block);
    rng
}

/// Blocks of rows, each with its part of every column.
pub(crate) fn blocks<T: Index>(n: usize, columns: &mut [T]) -> impl Iterator<Item = (usize, Vec<&mut [T]>)> + Send {
    let columns = columns.chunks_mut(n.max(1));
    let mut columns: Vec<_> = columns.map(|column| column.chunks_mut(BLOCK)).collect();
    (0..n.div_ceil(BLOCK)).map(move |block| (block, columns.iter_mut().filter_map(Iterator::next).collect()))
}
