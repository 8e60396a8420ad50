//! Sets of values of a decision.

use crate::{Error, Result};
use std::fmt;
use std::ops::{Index, Range};
use std::sync::Arc;

/// A range of indices: the first, and the one behind the last.
type Indices = (u32, u32);

/// Some values of a decision, by their indices: ranges in ascending order, with a gap before each. So a condition such
/// as "at least 3" takes as much memory and time whether a decision has two values or a million.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Values {
    size: u32,
    /// From the start of the first range to the end of the last; both 0 where there is none.
    span: Indices,
    /// The ranges, if there are several: most sets have one.
    ranges: Option<Arc<[Indices]>>,
}

impl Values {
    /// The values of these ranges, of a decision that has `size`.
    ///
    /// # Errors
    /// `Argument` where a range is empty, begins before the end of the one before it, or goes beyond `size`.
    pub fn new(size: usize, ranges: impl IntoIterator<Item = Range<usize>>) -> Result<Self> {
        let mut joined: Vec<Indices> = Vec::new();
        for range in ranges {
            let before = joined.last().map_or(0, |&(_, end)| end as usize);
            if range.start < before || range.start >= range.end || range.end > size || u32::try_from(size).is_err() {
                return Err(Error::argument(format!(
                    "{range:?} is not a range of the {size} values of a decision behind the one before it"
                )));
            }
            push(&mut joined, (range.start as u32, range.end as u32));
        }
        Ok(Self::with(size as u32, &joined))
    }

    /// These values, ascending, of a decision that has `size`.
    pub(crate) fn of(size: usize, values: &[u32]) -> Self {
        let mut ranges = Vec::new();
        for &value in values {
            push(&mut ranges, (value, value + 1));
        }
        Self::with(size as u32, &ranges)
    }

    /// All values of a decision that has `size`.
    #[must_use]
    pub fn all(size: usize) -> Self {
        Self::with(size as u32, &[(0, size as u32)])
    }

    /// The set of ranges that are in order.
    fn with(size: u32, ranges: &[Indices]) -> Self {
        Self {
            size,
            span: match *ranges {
                [] => (0, 0),
                [only] => only,
                [(start, _), .., (_, end)] => (start, end),
            },
            ranges: (ranges.len() > 1).then(|| ranges.into()),
        }
    }

    /// How many values the decision has, in the set or not.
    pub fn size(&self) -> usize {
        self.size as usize
    }

    /// Whether the value is in the set.
    #[inline]
    pub fn contains(&self, value: u32) -> bool {
        let (start, end) = self.span;
        let within = start <= value && value < end;
        within && self.ranges.as_deref().is_none_or(|ranges| among(ranges, value))
    }

    /// For each value of the decision, whether it is in the set.
    pub fn iter(&self) -> impl Iterator<Item = bool> + '_ {
        (0..self.size).map(|value| self.contains(value))
    }

    /// The first value in the set, and the one behind the last.
    pub(crate) fn span(&self) -> (u32, u32) {
        self.span
    }

    fn ranges(&self) -> &[Indices] {
        match &self.ranges {
            Some(ranges) => ranges,
            None if self.is_empty() => &[],
            None => std::slice::from_ref(&self.span),
        }
    }

    /// The values in the set, ascending.
    pub(crate) fn indices(&self) -> impl Iterator<Item = u32> + '_ {
        self.ranges().iter().flat_map(|&(start, end)| start..end)
    }

    /// The least value in the set.
    pub(crate) fn first(&self) -> Option<u32> {
        (!self.is_empty()).then_some(self.span.0)
    }

    /// How many values are in the set.
    pub(crate) fn count(&self) -> usize {
        self.ranges().iter().map(|&(start, end)| (end - start) as usize).sum()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.span == (0, 0)
    }

    pub(crate) fn is_all(&self) -> bool {
        self.span == (0, self.size) && self.ranges.is_none()
    }

    /// Whether no value of the other set is missing.
    pub(crate) fn covers(&self, other: &Self) -> bool {
        let mut own = self.ranges().iter().peekable();
        other.ranges().iter().all(|&(start, end)| {
            while own.next_if(|&&(_, known)| known < end).is_some() {}
            own.peek().is_some_and(|&&(known, _)| known <= start)
        })
    }

    /// Whether some value is in both sets.
    pub(crate) fn meets(&self, other: &Self) -> bool {
        let mut own = self.ranges().iter().peekable();
        other.ranges().iter().any(|&(start, end)| {
            while own.next_if(|&&(_, known)| known <= start).is_some() {}
            own.peek().is_some_and(|&&(known, _)| known < end)
        })
    }

    /// What is known of a value of another set: whether it is in this one, or nothing.
    pub(crate) fn tell(&self, other: &Self) -> Option<bool> {
        match self.covers(other) {
            true => Some(true),
            false if self.meets(other) => None,
            false => Some(false),
        }
    }

    /// The values that are in both sets.
    pub(crate) fn and(&self, other: &Self) -> Self {
        let mut both = Vec::new();
        let (mut own, mut others) = (self.ranges().iter().peekable(), other.ranges().iter().peekable());
        while let (Some(&&(a, b)), Some(&&(c, d))) = (own.peek(), others.peek()) {
            if a.max(c) < b.min(d) {
                both.push((a.max(c), b.min(d)));
            }
            if b <= d {
                own.next()
            } else {
                others.next()
            };
        }
        Self::with(self.size, &both)
    }

    /// The values that are in one of the sets at least.
    pub(crate) fn or(&self, other: &Self) -> Self {
        let mut either = Vec::with_capacity(self.ranges().len() + other.ranges().len());
        let (mut own, mut others) = (self.ranges().iter().peekable(), other.ranges().iter().peekable());
        while let Some(&range) = match (own.peek(), others.peek()) {
            (Some(a), Some(b)) if a <= b => own.next(),
            (Some(_), None) => own.next(),
            _ => others.next(),
        } {
            push(&mut either, range);
        }
        Self::with(self.size, &either)
    }

    /// The values that are not in the other set.
    pub(crate) fn without(&self, other: &Self) -> Self {
        let ends = other.ranges().iter().map(|&(_, end)| end);
        let starts = other.ranges().iter().map(|&(start, _)| start);
        let gaps = std::iter::once(0).chain(ends).zip(starts.chain([self.size]));
        let gaps: Vec<_> = gaps.filter(|(start, end)| start < end).collect();
        self.and(&Self::with(self.size, &gaps))
    }

    /// A set that has all values of this one, and at most this many ranges.
    pub(crate) fn within(mut self, ranges: usize) -> Self {
        if self.ranges().len() > ranges {
            self.ranges = None;
        }
        self
    }
}

/// Whether a value is in one of several ranges.
fn among(ranges: &[Indices], value: u32) -> bool {
    let position = ranges.partition_point(|&(_, end)| end <= value);
    ranges.get(position).is_some_and(|&(start, _)| start <= value)
}

/// Adds a range that does not begin before the last one.
fn push(ranges: &mut Vec<Indices>, (start, end): Indices) {
    match ranges.last_mut() {
        Some((_, known)) if start <= *known => *known = end.max(*known),
        _ => ranges.push((start, end)),
    }
}

/// For each value of a decision, whether it is in the set.
impl FromIterator<bool> for Values {
    fn from_iter<I: IntoIterator<Item = bool>>(values: I) -> Self {
        let mut ranges = Vec::new();
        let mut size = 0;
        for contained in values {
            if contained {
                push(&mut ranges, (size, size + 1));
            }
            size += 1;
        }
        Self::with(size, &ranges)
    }
}

impl From<Vec<bool>> for Values {
    fn from(values: Vec<bool>) -> Self {
        values.into_iter().collect()
    }
}

impl Index<usize> for Values {
    type Output = bool;

    fn index(&self, value: usize) -> &bool {
        assert!(value < self.size(), "value {value} of {}", self.size);
        if self.contains(value as u32) { &true } else { &false }
    }
}

impl fmt::Debug for Values {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ranges = self.ranges().iter().map(|&(start, end)| start..end);
        write!(f, "{:?} of {}", ranges.collect::<Vec<_>>(), self.size)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// All sets of values of a decision that has this many.
    fn sets(size: u32) -> impl Iterator<Item = (u32, Values)> {
        (0..1 << size).map(move |bits| (bits, (0..size).map(|value| bits >> value & 1 == 1).collect()))
    }

    #[test]
    fn sets_are_joined_as_their_values_are() {
        let of = |bits: u32| (0..5).map(|value| bits >> value & 1 == 1).collect::<Values>();
        for (a, one) in sets(5) {
            assert_eq!(one.count(), a.count_ones() as usize);
            assert_eq!(one.is_empty(), a == 0);
            assert_eq!(one.is_all(), a == 31);
            assert_eq!(one.first(), (a != 0).then(|| a.trailing_zeros()));
            assert_eq!(one.indices().map(|value| 1 << value).sum::<u32>(), a);
            assert_eq!(
                Values::new(5, one.ranges().iter().map(|&(a, b)| a as usize..b as usize)),
                Ok(one.clone())
            );
            for (b, other) in sets(5) {
                assert_eq!(one.and(&other), of(a & b));
                assert_eq!(one.or(&other), of(a | b));
                assert_eq!(one.without(&other), of(a & !b));
                assert_eq!(one.covers(&other), a & b == b, "{one:?} {other:?}");
                assert_eq!(one.meets(&other), a & b != 0, "{one:?} {other:?}");
            }
            for ranges in 1..4 {
                let wider = one.clone().within(ranges);
                assert!(wider.covers(&one) && wider.ranges().len() <= ranges);
            }
        }
    }

    #[test]
    fn what_is_no_set_of_values_is_refused() {
        for ranges in [
            vec![(2, 2)],
            vec![(3, 2)],
            vec![(0, 6)],
            vec![(0, 2), (1, 3)],
            vec![(2, 3), (0, 1)],
        ] {
            let error = Values::new(5, ranges.into_iter().map(|(start, end)| start..end)).unwrap_err();
            assert!(error.message.contains("is not a range of the 5 values"), "{error}");
        }
        assert_eq!(Values::new(5, [0..2, 2..3]), Values::new(5, std::iter::once(0..3)));
    }
}
