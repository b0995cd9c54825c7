//! WebAssembly proposals by name, and presets of them. The validator accepts exactly what the chosen set
//! allows; the command's `-W` flags use the same names.

use core::fmt;

/// A set of enabled proposals.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Features(u64);

macro_rules! features {
    ($($(#[$doc:meta])* $konst:ident = $bit:literal, $name:literal;)*) => {
        impl Features {
            $($(#[$doc])* pub const $konst: Features = Features(1 << $bit);)*

            /// Every proposal with its name, in the order of standardisation.
            pub const ALL: &'static [(&'static str, Features)] = &[$(($name, Features::$konst),)*];
        }
    };
}

features! {
    /// Import and export of mutable globals.
    MUTABLE_GLOBAL = 0, "mutable-global";
    /// Saturating float to integer conversions.
    SATURATING_FLOAT_TO_INT = 1, "saturating-float-to-int";
    /// Sign extension operators.
    SIGN_EXTENSION = 2, "sign-extension";
    /// References to functions and host values; several tables.
    REFERENCE_TYPES = 3, "reference-types";
    /// Blocks and functions with several results.
    MULTI_VALUE = 4, "multi-value";
    /// `memory.copy`, `memory.fill`, passive segments.
    BULK_MEMORY = 5, "bulk-memory";
    /// 128-bit vectors.
    SIMD = 6, "simd";
    /// Vector operators with results chosen by the implementation.
    RELAXED_SIMD = 7, "relaxed-simd";
    /// `return_call` and its kin.
    TAIL_CALL = 8, "tail-call";
    /// Several memories.
    MULTI_MEMORY = 9, "multi-memory";
    /// 64-bit memories and tables.
    MEMORY64 = 10, "memory64";
    /// Arithmetic in constant expressions.
    EXTENDED_CONST = 11, "extended-const";
    /// Typed function references and `call_ref`.
    FUNCTION_REFERENCES = 12, "function-references";
    /// Garbage-collected structs and arrays.
    GC = 13, "gc";
    /// Exceptions with `try_table`.
    EXCEPTIONS = 14, "exceptions";
    /// Shared memories and atomic operators.
    THREADS = 15, "threads";
    /// Page sizes other than 64 KiB.
    CUSTOM_PAGE_SIZES = 16, "custom-page-sizes";
    /// 128-bit addition and multiplication.
    WIDE_ARITHMETIC = 17, "wide-arithmetic";
    /// The withdrawn exception encoding (`try`, `catch`).
    LEGACY_EXCEPTIONS = 18, "legacy-exceptions";
    /// Lists of fixed length in components.
    FIXED_LENGTH_LISTS = 19, "component-model-fixed-length-lists";
    /// Maps in components.
    MAP = 20, "component-model-map";
    /// Imports and exports of components that name the interface which they implement.
    IMPLEMENTS = 21, "component-model-implements";
}

impl Features {
    /// WebAssembly 1.0.
    pub const MVP: Features = Features::MUTABLE_GLOBAL;

    /// WebAssembly 2.0.
    pub const WASM2: Features = Features::MVP
        .union(Features::SATURATING_FLOAT_TO_INT)
        .union(Features::SIGN_EXTENSION)
        .union(Features::REFERENCE_TYPES)
        .union(Features::MULTI_VALUE)
        .union(Features::BULK_MEMORY)
        .union(Features::SIMD);

    /// WebAssembly 3.0, the default.
    pub const WASM3: Features = Features::WASM2
        .union(Features::RELAXED_SIMD)
        .union(Features::TAIL_CALL)
        .union(Features::MULTI_MEMORY)
        .union(Features::MEMORY64)
        .union(Features::EXTENDED_CONST)
        .union(Features::FUNCTION_REFERENCES)
        .union(Features::GC)
        .union(Features::EXCEPTIONS);

    /// What components may use beyond the types and names of WASI 0.2.
    pub const COMPONENT_EXTRAS: Features =
        Features::FIXED_LENGTH_LISTS.union(Features::MAP).union(Features::IMPLEMENTS);

    /// The presets with their names.
    pub const PRESETS: &'static [(&'static str, Features)] =
        &[("mvp", Features::MVP), ("wasm2", Features::WASM2), ("wasm3", Features::WASM3)];

    /// Both sets together.
    pub const fn union(self, other: Features) -> Features {
        Features(self.0 | other.0)
    }

    /// This set without the proposals of `other`.
    pub const fn difference(self, other: Features) -> Features {
        Features(self.0 & !other.0)
    }

    /// The proposals that are in both sets.
    pub const fn intersection(self, other: Features) -> Features {
        Features(self.0 & other.0)
    }

    /// Whether every proposal of `other` is in this set.
    pub const fn contains(self, other: Features) -> bool {
        self.0 & other.0 == other.0
    }

    /// The preset or proposal called `name`.
    pub fn by_name(name: &str) -> Result<Features, UnknownFeature> {
        let mut all = Features::PRESETS.iter().chain(Features::ALL);
        all.find(|(known, _)| *known == name).map(|(_, set)| *set).ok_or(UnknownFeature)
    }
}

impl Default for Features {
    fn default() -> Features {
        Features::WASM3
    }
}

/// The name of a preset or proposal is not known.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct UnknownFeature;

impl fmt::Display for UnknownFeature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("unknown feature; known are")?;
        for (name, _) in Features::PRESETS.iter().chain(Features::ALL) {
            write!(f, " {name}")?;
        }
        Ok(())
    }
}

impl core::error::Error for UnknownFeature {}
