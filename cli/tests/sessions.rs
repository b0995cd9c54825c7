//! Golden sessions: every `*.trycmd` in this folder is run against the command and compared with what it
//! shows. `TRYCMD=overwrite cargo test -p lithe-cli` blesses new output.

use std::path::Path;

/// An empty cache.
fn cache(test: &str) -> String {
    let cache = Path::new(env!("CARGO_TARGET_TMPDIR")).join(test);
    let _ = std::fs::remove_dir_all(&cache);
    cache.to_string_lossy().into_owned()
}

#[test]
fn sessions() {
    let cases = trycmd::TestCases::new();
    cases.env("XDG_CACHE_HOME", cache("sessions")).case("tests/*.trycmd");
    cases.skip("tests/native.trycmd");
}

/// Sessions that show what is in the cache.
#[test]
fn native() {
    let cases = trycmd::TestCases::new();
    cases.env("XDG_CACHE_HOME", cache("native")).case("tests/native.trycmd");
}
