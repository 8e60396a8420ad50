//! The sizes of the caches of this machine.

/// Bytes of caches that a core has for itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Caches {
    /// The first level, for data.
    pub(super) first: usize,
    /// The second level.
    pub(super) second: usize,
}

impl Caches {
    /// What is assumed where a machine does not say: the least that usual ones have.
    const USUAL: Self = Self {
        first: 32 << 10,
        second: 512 << 10,
    };

    /// Those of this machine.
    pub(super) fn here() -> Self {
        let (first, second) = asked();
        Self {
            first: first.unwrap_or(Self::USUAL.first),
            second: second.unwrap_or(Self::USUAL.second),
        }
    }
}

impl Caches {
    /// How long a gather takes from tables of so many bytes together, relative to one in the first level.
    pub(super) fn gather(self, bytes: usize) -> f64 {
        // Keys, totals and columns of a block take a part of the first level.
        if bytes <= self.first * 5 / 8 {
            1.0
        } else if bytes <= self.second * 3 / 4 {
            1.0 + 2.4 * (1.0 - self.first as f64 * 0.5 / bytes as f64)
        } else {
            4.0
        }
    }
}

/// What the processor says of its caches for data, of the first and of the second level.
#[cfg(target_arch = "x86_64")]
fn asked() -> (Option<usize>, Option<usize>) {
    use std::arch::x86_64::{__cpuid, __cpuid_count};
    /// The leaf in which Intel describes caches, and that of AMD, with the leaf that says how many leaves there are.
    const LEAVES: [(u32, u32); 2] = [(4, 0), (0x8000_001D, 0x8000_0000)];
    let mut found = (None, None);
    for (leaf, group) in LEAVES {
        if __cpuid(group).eax < leaf {
            continue;
        }
        for number in 0..8 {
            let cache = __cpuid_count(leaf, number);
            let (kind, level) = (cache.eax & 31, cache.eax >> 5 & 7);
            if kind == 0 {
                break;
            }
            let (ways, parts, line) = (
                (cache.ebx >> 22) + 1,
                (cache.ebx >> 12 & 1023) + 1,
                (cache.ebx & 4095) + 1,
            );
            let bytes = [ways, parts, line, cache.ecx.wrapping_add(1)];
            let bytes = bytes
                .iter()
                .try_fold(1_usize, |product, &factor| product.checked_mul(factor as usize));
            // 2 is a cache of instructions.
            match (level, kind) {
                (1, 1 | 3) => found.0 = found.0.or(bytes),
                (2, 1 | 3) => found.1 = found.1.or(bytes),
                _ => {}
            }
        }
    }
    // Emulators say odd things.
    let sane = |bytes: &usize| (1 << 13..1 << 28).contains(bytes);
    (found.0.filter(sane), found.1.filter(sane))
}

#[cfg(not(target_arch = "x86_64"))]
fn asked() -> (Option<usize>, Option<usize>) {
    (None, None)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn caches_have_a_size() {
        let caches = Caches::here();
        assert!(caches.first >= 8 << 10 && caches.first <= caches.second);
    }
}
