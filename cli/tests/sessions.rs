//! Golden sessions: every `*.trycmd` in this folder is run against the command and compared with what it
//! shows. `TRYCMD=overwrite cargo test -p lithe-cli` blesses new output. With `LITHE_SMALLEST` they are run against the
//! command that it names, which was built without features.

use std::ffi::OsString;
use std::path::Path;

use trycmd::TestCases;
use trycmd::schema::Bin;

type Condition = fn() -> bool;

/// Sessions that need something of the command.
const CONDITIONS: &[(&str, Condition)] = &[
    ("tests/http.trycmd", || cfg!(feature = "http") && smallest().is_none()),
    ("tests/wit.trycmd", || cfg!(feature = "wit") && smallest().is_none()),
    ("tests/stats.trycmd", native_code),
    ("tests/native.trycmd", || false),
    ("tests/without.trycmd", || {
        let all = cfg!(any(feature = "http", feature = "native", feature = "wit"));
        !all || smallest().is_some()
    }),
];

/// The command without features, when that is looked at.
fn smallest() -> Option<OsString> {
    std::env::var_os("LITHE_SMALLEST")
}

fn native_code() -> bool {
    cfg!(feature = "native") && smallest().is_none()
}

/// Cases with an empty cache.
fn cases(test: &str) -> TestCases {
    let cache = Path::new(env!("CARGO_TARGET_TMPDIR")).join(test);
    let _ = std::fs::remove_dir_all(&cache);
    let cases = TestCases::new();
    cases.env("XDG_CACHE_HOME", cache.to_string_lossy());
    if let Some(command) = smallest() {
        cases.register_bin("lithe", Bin::Path(command.into()));
    }
    cases
}

#[test]
fn sessions() {
    let cases = cases("sessions");
    cases.case("tests/*.trycmd");
    for (session, _) in CONDITIONS.iter().filter(|(_, met)| !met()) {
        cases.skip(session);
    }
}

/// Sessions that show what is in the cache.
#[test]
fn native() {
    if native_code() {
        cases("native").case("tests/native.trycmd");
    }
}
