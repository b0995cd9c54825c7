//! Names of interfaces with versions. The linker and exports use it. Invariant: two names have the same key when one
//! interface can stand for the other (Semantic Versioning, in both directions).

use semver::Version;

/// What names of compatible interfaces have in common: `wasi:io/streams@0.2` for `wasi:io/streams@0.2.3`.
pub(crate) fn key(name: &str) -> String {
    let Some((interface, version)) = split(name) else { return name.to_owned() };
    match version {
        v if !v.pre.is_empty() => name.to_owned(),
        Version { major: 0, minor: 0, patch, .. } => format!("{interface}@0.0.{patch}"),
        Version { major: 0, minor, .. } => format!("{interface}@0.{minor}"),
        Version { major, .. } => format!("{interface}@{major}"),
    }
}

/// A name without its version, and the version.
pub(crate) fn split(name: &str) -> Option<(&str, Version)> {
    let (interface, version) = name.split_once('@')?;
    Some((interface, Version::parse(version).ok()?))
}

/// Whether one name may stand for the other; a name without a version stands for all.
pub(crate) fn compatible(wanted: &str, found: &str) -> bool {
    if wanted == found || key(wanted) == key(found) {
        return true;
    }
    let bare = |name: &str| name.split_once('@').map_or(name.len(), |(bare, _)| bare.len());
    // `wasi:io/streams` and `wasi:io/streams@0.2` are no full versions.
    match wanted.len() == bare(wanted) {
        true => found[..bare(found)] == *wanted,
        false => key(found) == wanted,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys() {
        for (name, wanted) in [
            ("a:b/c@0.2.3", "a:b/c@0.2"),
            ("a:b/c@1.2.3", "a:b/c@1"),
            ("a:b/c@0.0.3", "a:b/c@0.0.3"),
            ("a:b/c@0.3.0-rc-1", "a:b/c@0.3.0-rc-1"),
            ("a:b/c", "a:b/c"),
            ("run", "run"),
        ] {
            assert_eq!(key(name), wanted);
        }
    }

    #[test]
    fn compatibility() {
        assert!(compatible("a:b/c@0.2.0", "a:b/c@0.2.12"));
        assert!(compatible("a:b/c@0.2.12", "a:b/c@0.2.0"));
        assert!(compatible("a:b/c", "a:b/c@0.2.0"));
        assert!(compatible("a:b/c@0.2", "a:b/c@0.2.7"));
        assert!(!compatible("a:b/c@0.2.0", "a:b/c@0.3.0"));
        assert!(!compatible("a:b/c@0.2.0", "a:b/d@0.2.0"));
    }
}
