//! Blocks of candidates: each is drawn from a stream of random numbers of its own, and is a job for one thread.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

/// An integer type that indices are stored in.
pub trait Index: Copy + Send + Sync + 'static {
    /// The index as this type; the caller knows that it fits.
    fn of(index: u32) -> Self;

    /// The index as a number.
    fn number(self) -> usize;
}

macro_rules! indices {
    ($($integer:ty)*) => {$(
        impl Index for $integer {
            fn of(index: u32) -> Self {
                index as Self
            }

            fn number(self) -> usize {
                self as usize
            }
        }
    )*};
}

indices! { u8 u16 u32 }

/// A block of this many candidates is drawn from one stream of random numbers, whatever the number of threads.
pub(crate) const BLOCK: usize = 4096;

/// An unbiased number below `n` (Lemire, "Fast Random Integer Generation in an Interval", 2019).
#[inline]
pub(crate) fn below(rng: &mut impl Words, n: u64) -> u64 {
    loop {
        let wide = u128::from(rng.word()) * u128::from(n);
        // The remainder is below `n`: where that says enough, it is not needed.
        if wide as u64 >= n || wide as u64 >= n.wrapping_neg() % n {
            return (wide >> 64) as u64;
        }
    }
}

/// Random words of 64 bits.
pub(crate) trait Words {
    /// The next one.
    fn word(&mut self) -> u64;
}

impl Words for ChaCha8Rng {
    #[inline]
    fn word(&mut self) -> u64 {
        self.next_u64()
    }
}

/// The random words of one block, made many at a time: the same as those of [`stream`] one by one.
pub(crate) struct Ahead {
    rng: ChaCha8Rng,
    words: [u64; Self::WORDS],
    next: usize,
}

impl Ahead {
    const WORDS: usize = 256;

    /// Those of a block.
    pub(crate) fn of(seed: u64, block: u64) -> Self {
        Self {
            rng: stream(seed, block),
            words: [0; Self::WORDS],
            next: Self::WORDS,
        }
    }

    /// Random bytes, which are not among the words.
    pub(crate) fn fill(&mut self, bytes: &mut [u8]) {
        self.rng.fill_bytes(bytes);
    }

    #[cold]
    fn refill(&mut self) {
        let mut bytes = [0; 8 * Self::WORDS];
        self.rng.fill_bytes(&mut bytes);
        for (word, bytes) in self.words.iter_mut().zip(bytes.as_chunks().0) {
            *word = u64::from_le_bytes(*bytes);
        }
        self.next = 0;
    }
}

impl Words for Ahead {
    #[inline]
    fn word(&mut self) -> u64 {
        if self.next == Self::WORDS {
            self.refill();
        }
        self.next += 1;
        self.words[self.next - 1]
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_made_ahead_are_those_of_the_stream() {
        let (mut ahead, mut stream) = (Ahead::of(7, 3), stream(7, 3));
        assert!((0..1000).all(|_| ahead.word() == stream.next_u64()));
    }
}
