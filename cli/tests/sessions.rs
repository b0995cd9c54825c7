//! Golden sessions: every `*.trycmd` in this folder is run against the command and compared with what it
//! shows. `TRYCMD=overwrite cargo test -p lithe-cli` blesses new output.

#[test]
fn sessions() {
    let cache = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("sessions-cache");
    let _ = std::fs::remove_dir_all(&cache);
    let cache = cache.to_string_lossy().into_owned();
    trycmd::TestCases::new().env("XDG_CACHE_HOME", cache).case("tests/*.trycmd");
}
