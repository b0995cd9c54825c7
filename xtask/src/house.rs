//! The one table of the workspace's crates and what each may do. Every check reads it. Invariant: a crate
//! uses only crates in rows above its own, so the arrows form no cycle.

/// Where a crate may have unsafe code.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Unsafe {
    /// Nowhere; the crate root says `#![forbid(unsafe_code)]`.
    Forbidden,
    /// In one file beneath `src`.
    Only(&'static str),
    /// Anywhere, counted.
    Counted,
}

/// A crate of the workspace.
pub struct Crate {
    /// The package name.
    pub name: &'static str,
    /// Crates of the workspace that it may use.
    pub uses: &'static [&'static str],
    /// Other packages that it may use, or `None` for any. Dev-dependencies are free.
    pub outside: Option<&'static [&'static str]>,
    /// Whether it builds without `std`.
    pub no_std: bool,
    /// Where it may have unsafe code.
    pub unsafe_code: Unsafe,
}

const CORE: &[&str] = &[
    "lithe-types",
    "lithe-parser",
    "lithe-validator",
    "lithe-runtime",
    "lithe-interp",
    "lithe-compiler",
];

/// The crates, lowest first.
pub const CRATES: &[Crate] = &[
    Crate {
        name: "lithe-types",
        uses: &[],
        outside: Some(&[]),
        no_std: true,
        unsafe_code: Unsafe::Forbidden,
    },
    Crate {
        name: "lithe-parser",
        uses: &["lithe-types"],
        outside: Some(&["wasmparser"]),
        no_std: true,
        unsafe_code: Unsafe::Forbidden,
    },
    Crate {
        name: "lithe-validator",
        uses: &["lithe-types", "lithe-parser"],
        outside: Some(&["wasmparser"]),
        no_std: true,
        unsafe_code: Unsafe::Forbidden,
    },
    Crate {
        name: "lithe-runtime",
        uses: &["lithe-types", "lithe-parser", "lithe-validator"],
        outside: Some(&["corosensei", "libc", "memmap2", "rustix"]),
        no_std: true,
        unsafe_code: Unsafe::Counted,
    },
    Crate {
        name: "lithe-interp",
        uses: &["lithe-types", "lithe-parser", "lithe-validator", "lithe-runtime"],
        outside: Some(&["libm"]),
        no_std: true,
        unsafe_code: Unsafe::Counted,
    },
    Crate {
        name: "lithe-compiler",
        uses: &["lithe-types", "lithe-parser", "lithe-validator", "lithe-runtime"],
        outside: Some(&[
            "cranelift-codegen",
            "cranelift-control",
            "cranelift-frontend",
            "cranelift-module",
            "cranelift-object",
            "wasmparser",
        ]),
        no_std: false,
        unsafe_code: Unsafe::Forbidden,
    },
    Crate {
        name: "lithe",
        uses: CORE,
        outside: Some(&["addr2line", "gimli", "rustc-demangle", "wat"]),
        no_std: false,
        unsafe_code: Unsafe::Only("raw.rs"),
    },
    Crate {
        name: "lithe-component",
        uses: &["lithe"],
        outside: Some(&["semver", "wasmparser", "wat"]),
        no_std: false,
        unsafe_code: Unsafe::Forbidden,
    },
    Crate {
        name: "lithe-wasi",
        uses: &["lithe", "lithe-component"],
        outside: Some(&["rustix"]),
        no_std: false,
        unsafe_code: Unsafe::Forbidden,
    },
    Crate {
        name: "lithe-http",
        uses: &["lithe", "lithe-component", "lithe-wasi"],
        outside: None,
        no_std: false,
        unsafe_code: Unsafe::Forbidden,
    },
    Crate {
        name: "lithe-spec-tests",
        uses: &["lithe", "lithe-component"],
        outside: Some(&["wast"]),
        no_std: false,
        unsafe_code: Unsafe::Forbidden,
    },
    Crate {
        name: "lithe-cli",
        uses: &["lithe", "lithe-component", "lithe-wasi", "lithe-http", "lithe-spec-tests"],
        outside: None,
        no_std: false,
        unsafe_code: Unsafe::Only("precompiled.rs"),
    },
    Crate {
        name: "lithe-benches",
        uses: &["lithe", "lithe-component", "lithe-wasi"],
        outside: Some(&["criterion"]),
        no_std: false,
        unsafe_code: Unsafe::Forbidden,
    },
    Crate {
        name: "xtask",
        uses: &[],
        outside: Some(&["serde_json"]),
        no_std: false,
        unsafe_code: Unsafe::Forbidden,
    },
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arrows_point_up_the_table() {
        for (row, krate) in CRATES.iter().enumerate() {
            for used in krate.uses {
                let above = CRATES[..row].iter().any(|other| other.name == *used);
                assert!(above, "{} uses {used}, which is not above it", krate.name);
            }
        }
    }

    #[test]
    fn crates_without_std_use_only_such() {
        for krate in CRATES.iter().filter(|krate| krate.no_std) {
            for used in krate.uses {
                let other = CRATES.iter().find(|other| other.name == *used);
                assert!(other.is_some_and(|other| other.no_std), "{} uses {used}", krate.name);
            }
        }
    }
}
