//! Which values of a decision the rest of a program can tell apart.

use super::shapes::{Beside, looks};
use super::step::Step;
use super::values::Values;
use rustc_hash::FxHashSet;

/// The values of a decision, in classes that no step from one on can tell apart.
///
/// Told from the last step to the first, classes only break up: a class is what is left of its parent when a condition
/// told them apart. Of the two parts the one with fewer values is the new class, so that no value has more than
/// log2(values) of them, and all steps together are kept in as much memory as the values take.
#[derive(Debug, Clone)]
pub(super) struct Classes {
    /// Up to this step the value itself is read: each value is its own class.
    read: Option<usize>,
    /// For each value its class where all steps behind that are still to come.
    class: Vec<u32>,
    parts: Vec<Part>,
}

/// A class.
#[derive(Debug, Clone, Copy)]
struct Part {
    /// The class of which it is a part.
    parent: u32,
    /// The last step that can tell it from its parent; later steps cannot.
    told: usize,
    /// One of its values, which stands for all of them.
    value: u32,
}

impl Classes {
    /// The classes of a decision of this many values, by the steps that mention it.
    pub(super) fn of(decision: usize, size: usize, mentions: &[usize], steps: &[Step], beside: &[Beside]) -> Self {
        let last_read = mentions
            .iter()
            .rposition(|&step| steps[step].reads_values().contains(&decision));
        let mut partition = Partition::of(size);
        let mut before = FxHashSet::default();
        let mut last = Values::all(size);
        for &step in mentions[last_read.map_or(0, |position| position + 1)..].iter().rev() {
            let guard = steps[step].guard.iter();
            for atom in guard.chain(looks(beside, step).flatten()) {
                if atom.decision != decision || !before.insert(&atom.allowed) {
                    continue;
                }
                // A condition tells the same as where it differs from one that was told before, and as the opposite.
                let allowed = &atom.allowed;
                let differs = allowed.without(&last).or(&last.without(allowed));
                let opposites = [Values::all(size).without(allowed), Values::all(size).without(&differs)];
                let same = [allowed, &differs, &opposites[0], &opposites[1]];
                if let Some(least) = same.into_iter().min_by_key(|set| set.count()) {
                    partition.tell(least.indices(), step);
                }
                last = allowed.clone();
            }
        }
        Self {
            read: last_read.map(|position| mentions[position]),
            class: partition.class,
            parts: partition.parts,
        }
    }

    /// The value that stands for all that no step from `step` on can tell from this one.
    pub(super) fn representative(&self, value: u32, step: usize) -> u32 {
        if self.read.is_some_and(|read| step <= read) {
            return value;
        }
        let mut part = self.parts[self.class[value as usize] as usize];
        while part.told < step {
            part = self.parts[part.parent as usize];
        }
        part.value
    }
}

/// Values in the order of their classes.
struct Partition {
    class: Vec<u32>,
    parts: Vec<Part>,
    /// The values, class by class.
    values: Vec<u32>,
    /// For each value its place among them.
    place: Vec<u32>,
    /// For each class its first place, and the one behind its last.
    places: Vec<(u32, u32)>,
    /// For each class how many of its values were moved to its front, while some values are told from all others.
    moved: Vec<u32>,
}

impl Partition {
    fn of(size: usize) -> Self {
        Self {
            class: vec![0; size],
            parts: vec![Part {
                parent: 0,
                told: usize::MAX,
                value: 0,
            }],
            values: (0..size as u32).collect(),
            place: (0..size as u32).collect(),
            places: vec![(0, size as u32)],
            moved: vec![0],
        }
    }

    /// Tells some values from all others.
    fn tell(&mut self, some: impl Iterator<Item = u32>, step: usize) {
        let mut met: Vec<u32> = Vec::new();
        for value in some {
            let class = self.class[value as usize];
            let count = &mut self.moved[class as usize];
            if *count == 0 {
                met.push(class);
            }
            let (from, to) = (self.place[value as usize], self.places[class as usize].0 + *count);
            *count += 1;
            self.values.swap(from as usize, to as usize);
            self.place[self.values[from as usize] as usize] = from;
            self.place[self.values[to as usize] as usize] = to;
        }
        for class in met {
            let (start, end) = self.places[class as usize];
            let middle = start + std::mem::take(&mut self.moved[class as usize]);
            if middle == end {
                continue;
            }
            let (own, new) = if middle - start < end - middle {
                ((middle, end), (start, middle))
            } else {
                ((start, middle), (middle, end))
            };
            let number = self.parts.len() as u32;
            self.places[class as usize] = own;
            self.parts[class as usize].value = self.values[own.0 as usize];
            self.places.push(new);
            self.moved.push(0);
            self.parts.push(Part {
                parent: class,
                told: step,
                value: self.values[new.0 as usize],
            });
            for &value in &self.values[new.0 as usize..new.1 as usize] {
                self.class[value as usize] = number;
            }
        }
    }
}
