//! The instruction sets of the machine, and loops that are compiled once for each of them.
#![allow(unsafe_code)] // The calls of what needs instructions that were found.

/// The instructions that the loops over candidates may use: those that this machine has, or fewer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Instructions(Set);

/// The sets that loops are compiled for, the least first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Set {
    /// What every machine of this architecture has.
    Baseline,
    #[cfg(target_arch = "x86_64")]
    Avx2,
    #[cfg(target_arch = "x86_64")]
    Avx512,
}

impl Set {
    const ALL: &[(Self, &str)] = &[
        (Self::Baseline, "baseline"),
        #[cfg(target_arch = "x86_64")]
        (Self::Avx2, "avx2"),
        #[cfg(target_arch = "x86_64")]
        (Self::Avx512, "avx512"),
    ];
}

impl Instructions {
    /// The variable of the environment that names the most that [`Self::best`] may take.
    pub const VARIABLE: &str = "ARCHBUDGET_INSTRUCTIONS";

    /// The best that this machine has; at most what [`Self::VARIABLE`] names, so that the other loops can be measured.
    pub fn best() -> Self {
        let most = std::env::var(Self::VARIABLE).ok();
        let most = most.and_then(|name| Set::ALL.iter().find(|(_, known)| *known == name));
        Self(most.map_or(detected(), |&(set, _)| set.min(detected())))
    }

    /// All that this machine has, the least first.
    pub fn all() -> impl Iterator<Item = Self> {
        let here = Set::ALL.iter().filter(|(set, _)| *set <= detected());
        here.map(|&(set, _)| Self(set))
    }

    /// Its name: `baseline` (which has NEON on 64-bit ARM), `avx2` or `avx512`.
    pub fn name(self) -> &'static str {
        let own = Set::ALL.iter().find(|(set, _)| *set == self.0);
        own.map_or("", |(_, name)| name)
    }

    #[cfg(target_arch = "x86_64")]
    pub(super) fn has_avx2(self) -> bool {
        self.0 >= Set::Avx2
    }

    #[cfg(target_arch = "x86_64")]
    pub(super) fn has_avx512(self) -> bool {
        self.0 >= Set::Avx512
    }
}

#[cfg(target_arch = "x86_64")]
fn detected() -> Set {
    if !(is_x86_feature_detected!("avx2") && is_x86_feature_detected!("bmi1") && is_x86_feature_detected!("bmi2")) {
        return Set::Baseline;
    }
    let avx512 = is_x86_feature_detected!("avx512f")
        && is_x86_feature_detected!("avx512bw")
        && is_x86_feature_detected!("avx512dq")
        && is_x86_feature_detected!("avx512vl");
    if avx512 { Set::Avx512 } else { Set::Avx2 }
}

#[cfg(not(target_arch = "x86_64"))]
fn detected() -> Set {
    Set::Baseline
}

/// Defines a function whose first argument are instructions, compiled once for each set of them.
macro_rules! compiled_for_each {
    ($(
        $(#[$meta:meta])*
        fn $name:ident $(<$($generic:ident: $bound:path),+>)? ($($arg:ident: $type:ty),+ $(,)?) $(-> $result:ty)? $body:block
    )*) => {$(
        $(#[$meta])*
        pub(super) fn $name $(<$($generic: $bound),+>)? (
            instructions: $crate::diagram::instructions::Instructions, $($arg: $type),+
        ) $(-> $result)? {
            #[allow(clippy::inline_always)] // It is compiled into the copy of each instruction set.
            #[inline(always)]
            fn plain $(<$($generic: $bound),+>)? ($($arg: $type),+) $(-> $result)? $body

            #[cfg(target_arch = "x86_64")]
            #[target_feature(enable = "avx2,bmi1,bmi2")]
            fn avx2 $(<$($generic: $bound),+>)? ($($arg: $type),+) $(-> $result)? {
                plain($($arg),+)
            }

            #[cfg(target_arch = "x86_64")]
            #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,bmi1,bmi2")]
            fn avx512 $(<$($generic: $bound),+>)? ($($arg: $type),+) $(-> $result)? {
                plain($($arg),+)
            }

            #[cfg(target_arch = "x86_64")]
            if instructions.has_avx512() {
                // SAFETY: they were found on this machine: an `Instructions` has no more than those.
                return unsafe { avx512($($arg),+) };
            }
            #[cfg(target_arch = "x86_64")]
            if instructions.has_avx2() {
                // SAFETY: as above.
                return unsafe { avx2($($arg),+) };
            }
            let _ = instructions;
            plain($($arg),+)
        }
    )*};
}
pub(super) use compiled_for_each;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_least_instructions_are_everywhere_and_the_best_are_among_those_that_are_here() {
        let all: Vec<_> = Instructions::all().collect();
        assert_eq!(all[0].name(), "baseline");
        assert!(all.contains(&Instructions::best()));
    }
}
