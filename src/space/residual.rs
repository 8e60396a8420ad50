//! What is left of a condition where some of its decisions are taken; see `condition`.

/// What is known of a part of a condition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tag {
    /// Nothing, or what follows.
    Open = 0,
    /// Its value, which follows.
    Known = 1,
    /// That it is part of the number of the parts that are known.
    Folded = 2,
}

const TAGS: usize = 31;

/// What is left of a condition: which of its decisions are taken, what is known of its parts, and the values of those.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Residual {
    pub(super) taken: Vec<bool>,
    pub(super) tags: Vec<u8>,
    pub(super) values: Vec<i64>,
}

impl Residual {
    /// Whether a decision, by its place among those of the condition, is taken.
    pub(super) fn has(&self, slot: usize) -> bool {
        self.taken[slot]
    }

    /// Counts all decisions as taken.
    pub(super) fn take_all(&mut self) {
        self.taken.fill(true);
    }

    pub(super) fn taken(&self) -> impl Iterator<Item = bool> + '_ {
        self.taken.iter().copied()
    }

    /// Its value, where nothing that is open can change it.
    pub(super) fn value(&self) -> Option<i64> {
        (self.tags[0] == Tag::Known as u8).then(|| self.values[0])
    }

    /// Adds it to a key.
    pub(super) fn encode(&self, key: &mut Vec<i64>) {
        let start = key.len();
        key.push(0);
        key.push(self.tags.len() as i64);
        for bits in self.taken.chunks(2 * TAGS) {
            key.push(bits.iter().rev().fold(0, |word, &bit| word << 1 | i64::from(bit)));
        }
        for tags in self.tags.chunks(TAGS) {
            key.push(tags.iter().rev().fold(0, |word, &tag| word << 2 | i64::from(tag)));
        }
        key.extend_from_slice(&self.values);
        key[start] = (key.len() - start - 1) as i64;
    }

    /// What [`Self::encode`] wrote behind its length, of a condition over this many decisions.
    pub(super) fn decode(key: &[i64], decisions: usize) -> Self {
        let (tags, rest) = (key[0] as usize, &key[1..]);
        let (bits, rest) = rest.split_at(decisions.div_ceil(2 * TAGS));
        let (packed, values) = rest.split_at(tags.div_ceil(TAGS));
        Self {
            taken: (0..decisions)
                .map(|slot| bits[slot / (2 * TAGS)] >> (slot % (2 * TAGS)) & 1 == 1)
                .collect(),
            tags: (0..tags)
                .map(|at| (packed[at / TAGS] >> (2 * (at % TAGS)) & 3) as u8)
                .collect(),
            values: values.to_vec(),
        }
    }
}
