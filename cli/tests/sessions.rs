//! Golden sessions: every `*.trycmd` in this folder is run against the command and compared with what it
//! shows. `TRYCMD=overwrite cargo test -p lithe-cli` blesses new output.

#[test]
fn sessions() {
    trycmd::TestCases::new().case("tests/*.trycmd");
}
