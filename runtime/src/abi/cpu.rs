//! The one table of processor features that native code may use, a bit each per machine. The compiler turns bits
//! into settings of its code generator, the loader compares those of an artifact with [`host`]. Invariant: bits
//! are stable, since artifacts carry them.

use super::Arch;

macro_rules! features {
    ($($arch:ident, $target_arch:literal, $detect:ident, $table:ident: [
        $($bit:literal $name:tt $base:ident;)*
    ])*) => {
        $(const $table: &[Feature] = &[
            $(Feature { bit: 1 << $bit, name: $name, baseline: features!(@$base) },)*
        ];)*

        /// The features that a machine may have, by bit.
        pub const fn features(arch: Arch) -> &'static [Feature] {
            match arch { $(Arch::$arch => $table,)* }
        }

        /// The features of the processor that this program runs on.
        #[cfg(feature = "std")]
        pub fn host() -> u64 {
            $(#[cfg(target_arch = $target_arch)]
            let bits: &[(u64, bool)] = &[$((1 << $bit, $detect!($name)),)*];)*
            #[cfg(not(any($(target_arch = $target_arch,)*)))]
            let bits: &[(u64, bool)] = &[];
            bits.iter().filter(|(_, has)| *has).map(|(bit, _)| bit).sum()
        }
    };
    (@baseline) => { true };
    (@optional) => { false };
}

#[cfg(all(feature = "std", target_arch = "x86_64"))]
use std::arch::is_x86_feature_detected;

#[cfg(all(feature = "std", target_arch = "aarch64"))]
use std::arch::is_aarch64_feature_detected;

/// The standard library tells of vectors only to unstable Rust. Linux has a bit for each extension of one letter.
#[cfg(all(feature = "std", target_arch = "riscv64"))]
macro_rules! is_riscv_feature {
    ("v") => {
        cfg!(target_os = "linux") && rustix::param::linux_hwcap().0 & 1 << (b'v' - b'a') != 0
    };
    ($name:tt) => {
        std::arch::is_riscv_feature_detected!($name)
    };
}

/// A feature of a machine's processors.
#[derive(Clone, Copy, Debug)]
pub struct Feature {
    /// Its bit.
    pub bit: u64,
    /// Its usual name.
    pub name: &'static str,
    /// Whether every processor has it that Lithe compiles for.
    pub baseline: bool,
}

features! {
    X86_64, "x86_64", is_x86_feature_detected, X86_64_FEATURES: [
        0 "sse3" baseline;
        1 "ssse3" baseline;
        2 "sse4.1" baseline;
        3 "sse4.2" baseline;
        4 "popcnt" baseline;
        5 "cmpxchg16b" baseline;
        6 "avx" optional;
        7 "avx2" optional;
        8 "fma" optional;
        9 "bmi1" optional;
        10 "bmi2" optional;
        11 "lzcnt" optional;
        12 "avxvnni" optional;
        13 "avx512f" optional;
        14 "avx512vl" optional;
        15 "avx512dq" optional;
        16 "avx512bitalg" optional;
        17 "avx512vbmi" optional;
        18 "avx512vnni" optional;
    ]
    Aarch64, "aarch64", is_aarch64_feature_detected, AARCH64_FEATURES: [
        0 "lse" optional;
        1 "dotprod" optional;
        2 "i8mm" optional;
    ]
    Riscv64, "riscv64", is_riscv_feature, RISCV64_FEATURES: [
        0 "c" baseline;
        1 "v" optional;
        2 "zba" optional;
        3 "zbb" optional;
        4 "zbs" optional;
        5 "zicond" optional;
        6 "zcb" optional;
        7 "zbkb" optional;
    ]
}

/// The features that every processor of a machine has.
pub fn baseline(arch: Arch) -> u64 {
    features(arch).iter().filter(|feature| feature.baseline).map(|feature| feature.bit).sum()
}

/// The names of the features whose bits are set.
pub fn names(arch: Arch, bits: u64) -> impl Iterator<Item = &'static str> {
    features(arch).iter().filter(move |feature| feature.bit & bits != 0).map(|feature| feature.name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bits_are_distinct() {
        for arch in [Arch::X86_64, Arch::Aarch64, Arch::Riscv64] {
            let all = features(arch).iter().fold(0, |all, feature| {
                assert_eq!(all & feature.bit, 0, "{}", feature.name);
                all | feature.bit
            });
            assert_eq!(names(arch, all).count(), features(arch).len());
        }
    }

    #[cfg(feature = "std")]
    #[test]
    fn host_has_the_baseline() {
        let Some(arch) = Arch::HOST else { return };
        assert_eq!(baseline(arch) & !host(), 0);
    }
}
