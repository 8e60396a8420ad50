//! Numbers of candidates: as narrow as they can be, and never wrapped.

use num_bigint::BigUint;
use num_traits::{ToPrimitive, Zero};

/// A number of candidates. The caller of an addition or multiplication knows that the result fits.
pub(super) trait Number: Clone + Default + Ord + Send + Sync + std::fmt::Debug + 'static {
    fn of(ways: u64) -> Self;
    fn add(&mut self, other: &Self);
    fn subtract(&mut self, other: &Self);
    /// Adds, on the way to a number that fits although what lies between may not.
    fn wrapping_add(&mut self, other: &Self);
    /// Subtracts, in the same way.
    fn wrapping_subtract(&mut self, other: &Self);
    /// Adds the product.
    fn add_product(&mut self, other: &Self, ways: &Self);
    fn is_nothing(&self) -> bool;
    fn big(&self) -> BigUint;
    fn from_big(big: &BigUint) -> Self;
    fn from_small(small: u128) -> Self;
    /// As a length, or `most` where it is larger.
    fn at_most(&self, most: usize) -> usize;
    /// The quotient and the remainder.
    fn divide(&self, divisor: u64) -> (Self, u64);

    /// Adds each item of a slice, times `ways`, to that of another.
    fn add_all(target: &mut [Self], source: &[Self], ways: u64) {
        if ways == 1 {
            for (target, source) in target.iter_mut().zip(source) {
                target.add(source);
            }
        } else {
            let ways = Self::of(ways);
            for (target, source) in target.iter_mut().zip(source) {
                target.add_product(source, &ways);
            }
        }
    }
}

macro_rules! machine_numbers {
    ($($kind:ty),*) => {$(
        impl Number for $kind {
            fn of(ways: u64) -> Self {
                Self::from(ways)
            }

            #[inline]
            fn add(&mut self, other: &Self) {
                *self += other;
            }

            #[inline]
            fn subtract(&mut self, other: &Self) {
                *self -= other;
            }

            #[inline]
            fn wrapping_add(&mut self, other: &Self) {
                *self = <$kind>::wrapping_add(*self, *other);
            }

            #[inline]
            fn wrapping_subtract(&mut self, other: &Self) {
                *self = <$kind>::wrapping_sub(*self, *other);
            }

            #[inline]
            fn add_product(&mut self, other: &Self, ways: &Self) {
                *self += other * ways;
            }

            #[inline]
            fn is_nothing(&self) -> bool {
                *self == 0
            }

            fn big(&self) -> BigUint {
                BigUint::from(*self)
            }

            fn from_big(big: &BigUint) -> Self {
                Self::from_small(big.to_u128().unwrap_or(u128::MAX))
            }

            #[inline]
            fn from_small(small: u128) -> Self {
                Self::try_from(small).unwrap_or(Self::MAX)
            }

            #[inline]
            fn at_most(&self, most: usize) -> usize {
                usize::try_from(*self).map_or(most, |number| number.min(most))
            }

            #[inline]
            fn divide(&self, divisor: u64) -> (Self, u64) {
                let divisor = Self::from(divisor);
                (self / divisor, (self % divisor) as u64)
            }
        }
    )*};
}

machine_numbers! { u64, u128 }

impl Number for BigUint {
    fn of(ways: u64) -> Self {
        Self::from(ways)
    }

    fn add(&mut self, other: &Self) {
        *self += other;
    }

    fn subtract(&mut self, other: &Self) {
        *self -= other;
    }

    fn wrapping_add(&mut self, other: &Self) {
        *self += other;
    }

    /// Big numbers cannot go below zero on the way either.
    fn wrapping_subtract(&mut self, other: &Self) {
        *self -= other;
    }

    fn add_product(&mut self, other: &Self, ways: &Self) {
        *self += other * ways;
    }

    fn is_nothing(&self) -> bool {
        self.is_zero()
    }

    fn big(&self) -> BigUint {
        self.clone()
    }

    fn from_big(big: &BigUint) -> Self {
        big.clone()
    }

    fn from_small(small: u128) -> Self {
        Self::from(small)
    }

    fn at_most(&self, most: usize) -> usize {
        self.to_usize().map_or(most, |number| number.min(most))
    }

    fn divide(&self, divisor: u64) -> (Self, u64) {
        (self / divisor, (self % divisor).to_u64().unwrap_or(0))
    }
}
