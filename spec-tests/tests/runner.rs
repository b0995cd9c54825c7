//! The script runner itself: every directive tells right from wrong, one broken module is one failure, and
//! the command writes the lines that its users rely on.

use std::fs;
use std::path::{Path, PathBuf};

use lithe::Dispatch;
use lithe_spec_tests::{Known, Options, run_file, wast_command};

const MODULE: &str = r#"(module $m
  (memory 1)
  (global (export "g") i32 (i32.const 5))
  (func (export "i32") (result i32) (i32.const 7))
  (func (export "nan") (result f32) (f32.const -nan:0x400000))
  (func (export "nan1") (result f64) (f64.const nan:0x8000000000001))
  (func (export "signaling") (result f32) (f32.const nan:0x200000))
  (func (export "zero") (result f32) (f32.const -0))
  (func (export "v128") (result v128) (v128.const f32x4 1 nan -0 nan:0x400001))
  (func (export "two") (result i32 i64) (i32.const 1) (i64.const 2))
  (func (export "extern") (param externref) (result externref) (local.get 0))
  (func (export "func") (result funcref) (ref.func 0))
  (func (export "null") (result funcref) (ref.null func))
  (func $loop (export "endless") (call $loop))
  (func (export "spin") (loop (br 0)))
  (func (export "trap") (unreachable))
  (func (export "load") (result i32) (i32.load (i32.const -1))))
"#;

/// Directives that pass.
const RIGHT: &[&str] = &[
    r#"(assert_return (invoke "i32") (i32.const 7))"#,
    r#"(assert_return (invoke $m "i32") (either (i32.const 1) (i32.const 7)))"#,
    r#"(assert_return (invoke "nan") (f32.const nan:canonical))"#,
    r#"(assert_return (invoke "nan") (f32.const nan:arithmetic))"#,
    r#"(assert_return (invoke "nan1") (f64.const nan:arithmetic))"#,
    r#"(assert_return (invoke "signaling") (f32.const nan:0x200000))"#,
    r#"(assert_return (invoke "v128") (v128.const f32x4 1 nan:canonical -0 nan:arithmetic))"#,
    r#"(assert_return (invoke "two") (i32.const 1) (i64.const 2))"#,
    r#"(assert_return (invoke "extern" (ref.extern 3)) (ref.extern 3))"#,
    r#"(assert_return (invoke "extern" (ref.extern 3)) (ref.extern))"#,
    r#"(assert_return (invoke "extern" (ref.null extern)) (ref.null extern))"#,
    r#"(assert_return (invoke "extern" (ref.null extern)) (ref.null))"#,
    r#"(assert_return (invoke "func") (ref.func))"#,
    r#"(assert_return (invoke "null") (ref.null func))"#,
    r#"(assert_return (get "g") (i32.const 5))"#,
    r#"(assert_return (get $m "g") (i32.const 5))"#,
    r#"(assert_trap (invoke "trap") "unreachable")"#,
    r#"(assert_trap (invoke "load") "out of bounds")"#,
    r#"(assert_trap (module (func (unreachable)) (start 0)) "unreachable")"#,
    r#"(assert_exhaustion (invoke "endless") "call stack exhausted")"#,
    r#"(assert_invalid (module (func (result i32))) "type mismatch")"#,
    r#"(assert_malformed (module binary "") "unexpected end")"#,
    r#"(assert_malformed (module quote "(func (result i33))") "unknown type")"#,
    r#"(assert_unlinkable (module (import "no" "f" (func))) "unknown import")"#,
    r#"(invoke "i32")"#,
    r#"(module quote "(func)")"#,
    r#"(module binary "\00asm\01\00\00\00")"#,
    r#"(module definition $d (func)) (module instance $i $d)"#,
];

/// Directives that fail, with what is said.
const WRONG: &[(&str, &str)] = &[
    (r#"(assert_return (invoke "i32") (i32.const 8))"#, "expected i32 8, found i32 7"),
    (
        r#"(assert_return (invoke "i32") (either (i32.const 8) (i32.const 9)))"#,
        "expected i32 8 or i32 9, found i32 7",
    ),
    (r#"(assert_return (invoke "i32"))"#, "expected 0 results, found 1: i32 7"),
    (r#"(assert_return (invoke "i32") (i64.const 7))"#, "expected i64 7, found i32 7"),
    (
        r#"(assert_return (invoke "nan1") (f64.const nan:canonical))"#,
        "expected a canonical NaN, found f64 NaN (0x7ff8000000000001)",
    ),
    (
        r#"(assert_return (invoke "signaling") (f32.const nan:arithmetic))"#,
        "expected an arithmetic NaN, found f32 NaN (0x7fa00000)",
    ),
    (
        r#"(assert_return (invoke "zero") (f32.const 0))"#,
        "expected f32 0.0 (0x00000000), found f32 -0.0 (0x80000000)",
    ),
    (
        r#"(assert_return (invoke "v128") (v128.const f32x4 1 nan:canonical -0 nan:canonical))"#,
        "expected v128 0xa canonical NaN_80000000_a canonical NaN_3f800000, \
         found v128 0x7fc00001800000007fc000003f800000",
    ),
    (
        r#"(assert_return (invoke "two") (i32.const 1) (i64.const 3))"#,
        "result 1: expected i64 3, found i64 2",
    ),
    (
        r#"(assert_return (invoke "extern" (ref.extern 3)) (ref.extern 4))"#,
        "expected the external reference 4, found the external reference 3",
    ),
    (
        r#"(assert_return (invoke "extern" (ref.null extern)) (ref.extern))"#,
        "expected an external reference, found a null external reference",
    ),
    (
        r#"(assert_return (invoke "func") (ref.null func))"#,
        "expected a null reference, found a function",
    ),
    (
        r#"(assert_return (invoke "null") (ref.null extern))"#,
        "expected a null reference, found a null function reference",
    ),
    (
        r#"(assert_return (invoke "trap"))"#,
        "expected results, but the call failed: wasm trap: wasm `unreachable` instruction executed",
    ),
    (r#"(assert_return (invoke "no"))"#, "the instance exports no function `no`"),
    (r#"(assert_return (invoke $no "f"))"#, "there is no instance $no"),
    (r#"(assert_return (get "i32") (i32.const 1))"#, "the instance exports no global `i32`"),
    (
        r#"(assert_trap (invoke "load") "unreachable")"#,
        "expected the trap `unreachable`, found the trap `out of bounds memory access`",
    ),
    (
        r#"(assert_trap (invoke "two") "unreachable")"#,
        "expected the trap `unreachable`, but i32 1, i64 2 was returned",
    ),
    (
        r#"(assert_exhaustion (invoke "trap") "call stack exhausted")"#,
        "expected the trap `call stack exhausted`, found the trap `unreachable`",
    ),
    (
        r#"(assert_invalid (module (func)) "type mismatch")"#,
        "expected that the module is refused (`type mismatch`), but it is valid",
    ),
    (
        r#"(assert_malformed (module quote "(func)") "unexpected token")"#,
        "expected that the module is refused (`unexpected token`), but it is valid",
    ),
    (
        r#"(assert_unlinkable (module (func)) "unknown import")"#,
        "expected a link error (`unknown import`), but it was instantiated",
    ),
    (
        r#"(assert_unlinkable (module (func (unreachable)) (start 0)) "unknown import")"#,
        "expected a link error (`unknown import`), found: \
         wasm trap: wasm `unreachable` instruction executed",
    ),
    (
        r#"(module (import "no" "f" (func)))"#,
        "the module cannot be instantiated: the import no.f cannot be satisfied",
    ),
    (r#"(module instance $i $no)"#, "there is no definition $no"),
    (r#"(invoke "spin")"#, "the call failed: wasm trap: interrupt"),
];

fn options() -> Options {
    Options { time: std::time::Duration::from_millis(200), ..Options::default() }
}

#[test]
fn right_directives_pass() {
    for directive in RIGHT {
        let report = run_file("right.wast", &format!("{MODULE}{directive}"), &options());
        assert!(report.failed.is_empty(), "{directive}: {}", report.failed[0]);
        assert!(report.passed >= 2, "{directive}");
    }
}

#[test]
fn wrong_directives_fail() {
    let line = MODULE.lines().count() + 1;
    for (directive, sentence) in WRONG {
        let report = run_file("wrong.wast", &format!("{MODULE}{directive}"), &options());
        let found: Vec<String> = report.failed.iter().map(ToString::to_string).collect();
        assert_eq!(found, [format!("wrong.wast:{line}: {sentence}")], "{directive}");
    }
}

/// A component whose functions directives call; `bad` gives what is no character.
const COMPONENT: &str = r#"(component
  (core module $m
    (func (export "id") (param i32) (result i32) (local.get 0))
    (func (export "bad") (result i32) (i32.const 0xd800))
    (func (export "trap") unreachable))
  (core instance $i (instantiate $m))
  (func (export "u32") (param "n" u32) (result u32) (canon lift (core func $i "id")))
  (func (export "bad") (result char) (canon lift (core func $i "bad")))
  (func (export "trap") (canon lift (core func $i "trap"))))
"#;

/// Directives about the component that must fail, with what is said about it.
const WRONG_OF_COMPONENTS: &[(&str, &str)] = &[
    (
        r#"(assert_return (invoke "u32" (u32.const 1)) (u32.const 2))"#,
        "expected U32(2), found U32(1)",
    ),
    (r#"(assert_return (invoke "u32" (u32.const 1)))"#, "expected nothing, found U32(1)"),
    (
        r#"(assert_return (invoke "u32" (u32.const 1)) (i32.const 1))"#,
        "a component function returns component values",
    ),
    (
        r#"(assert_return (invoke "u32" (i32.const 1)) (u32.const 1))"#,
        "a component function takes component values",
    ),
    (
        r#"(assert_return (invoke "u32" (u64.const 1)) (u32.const 1))"#,
        "expected results, but the call failed: expected a value of type u32, found a u64",
    ),
    (r#"(assert_return (invoke "no"))"#, "the component exports no function `no`"),
    (
        r#"(assert_trap (invoke "trap") "cannot enter component instance")"#,
        "expected the trap `cannot enter component instance`, \
         found the trap `wasm `unreachable` instruction executed`",
    ),
    (
        r#"(assert_trap (invoke "bad") "unreachable")"#,
        "expected the trap `unreachable`, \
         found the trap `converted integer out of range for `char``",
    ),
    (
        r#"(assert_trap (invoke "trap") "invalid utf-8")"#,
        "expected the trap `invalid utf-8`, \
         found the trap `wasm `unreachable` instruction executed`",
    ),
    (
        r#"(assert_trap (invoke "u32" (u32.const 3)) "unreachable")"#,
        "expected the trap `unreachable`, but U32(3) was returned",
    ),
    (
        r#"(assert_invalid (component) "no")"#,
        "expected that the module is refused (`no`), but it is valid",
    ),
    (
        r#"(component (import "no" (func)))"#,
        "the component cannot be instantiated: an import of the component is missing: no: func()",
    ),
    (
        r#"(component (type $s (stream u8)) (import "s" (func (param "s" $s))))"#,
        "the component cannot be instantiated: an import of the component is missing: s: stream",
    ),
];

#[test]
fn wrong_directives_about_components_fail() {
    let line = COMPONENT.lines().count() + 1;
    for (directive, sentence) in WRONG_OF_COMPONENTS {
        let report = run_file("wrong.wast", &format!("{COMPONENT}{directive}"), &options());
        let found: Vec<String> = report.failed.iter().map(ToString::to_string).collect();
        assert_eq!(found, [format!("wrong.wast:{line}: {sentence}")], "{directive}");
    }
}

#[test]
fn a_broken_module_is_one_failure() {
    let script = r#"
        (module $ok (func (export "f")))
        (module $bad (func (export "f") (result i32)))
        (invoke "f")
        (invoke $bad "f")
        (register "bad")
        (module (import "bad" "f" (func)) (func (export "g")))
        (assert_return (invoke "g"))
        (invoke $ok "f")
        (assert_unlinkable (module (import "other" "f" (func))) "unknown import")
    "#;
    let report = run_file("broken.wast", script, &options());
    assert_eq!((report.passed, report.failed.len(), report.failed_count()), (3, 1, 6));
    let failure = report.failed[0].to_string();
    assert!(
        failure.starts_with("broken.wast:3: the module was refused: function 0: "),
        "{failure}"
    );
    assert!(failure.ends_with("; 5 later directives need it"), "{failure}");
}

#[test]
fn a_malformed_script_is_one_failure() {
    let report = run_file("bad.wast", "(module)\n(assert_nothing)", &options());
    let failures: Vec<String> = report.failed.iter().map(ToString::to_string).collect();
    assert_eq!(failures.len(), 1);
    assert!(failures[0].starts_with("bad.wast:2: the script is malformed: "), "{failures:?}");
}

#[test]
fn custom_sections_are_skipped() {
    let script = r#"(assert_malformed_custom (module quote "(@name)") "no")"#;
    let report = run_file("custom.wast", script, &options());
    assert_eq!((report.skipped.len(), report.failed.len()), (1, 0));
}

#[test]
fn known_failures_are_counted_apart_until_they_are_stale() {
    let script = "(module)\n(invoke \"f\")";
    let with = |list: &str| Options { known: Known::parse("k", list).unwrap(), ..options() };
    let report = run_file("a/b.wast", script, &with("b.wast:2  it is not there"));
    assert_eq!(report.to_string(), "1 passed, 0 failed, 0 skipped, 1 known");
    let report = run_file("a/b.wast", script, &with("b.wast:1  it is not there"));
    assert_eq!(report.to_string(), "1 passed, 2 failed, 0 skipped, 0 known");
    let stale = "k:1: b.wast:1 is stale, since a/b.wast does not fail there";
    assert_eq!(report.failed[1].to_string(), stale);
}

fn command(known: Option<&Path>, paths: &[&Path]) -> (bool, String) {
    let paths: Vec<PathBuf> = paths.iter().map(PathBuf::from).collect();
    let mut out = Vec::new();
    let engines =
        [Dispatch::Auto, Dispatch::Loop].map(|dispatch| Options { dispatch, ..Options::default() });
    let passed = wast_command(&engines, &paths, known, &mut out);
    (passed, String::from_utf8(out).unwrap())
}

#[test]
fn the_command_walks_directories_and_counts() {
    let root = Path::new(env!("CARGO_TARGET_TMPDIR")).join("wast-command");
    fs::create_dir_all(root.join("b")).unwrap();
    fs::create_dir_all(root.join("empty")).unwrap();
    fs::write(root.join("b/good.wast"), "(module)(module)").unwrap();
    fs::write(root.join("a.wast"), "(module)\n(invoke \"f\")").unwrap();
    fs::write(root.join("a.wat"), "not a script").unwrap();
    fs::write(root.join("known"), "a.wast  it is known\n").unwrap();
    let at = |name: &str| root.join(name).display().to_string();

    let sentence = "the instance exports no function `f`";
    let file = at("a.wast");
    let expected = format!(
        "{file}:2: {sentence} (Interpreter, Auto)\n{file}:2: {sentence} (Interpreter, Loop)\n\
         6 passed, 2 failed, 0 skipped, 0 known\n"
    );
    assert_eq!(command(None, &[&root]), (false, expected));
    let (known, good) = (root.join("known"), root.join("b/good.wast"));
    let expected = "6 passed, 0 failed, 0 skipped, 2 known\n".into();
    assert_eq!(command(Some(&known), &[&root]), (true, expected));
    let expected = "4 passed, 0 failed, 0 skipped, 0 known\n".into();
    assert_eq!(command(Some(&known), &[&good]), (true, expected));

    let (passed, text) = command(None, &[&root.join("no"), &root.join("empty"), &good]);
    let empty = format!("{}: the directory has no file *.wast\n", at("empty"));
    assert!(!passed);
    assert!(text.starts_with(&format!("{}: it cannot be read: ", at("no"))), "{text}");
    let end = format!("{empty}4 passed, 2 failed, 0 skipped, 0 known\n");
    assert!(text.ends_with(&end), "{text}");
    let (passed, text) = command(Some(&root.join("no")), &[&good]);
    assert!(!passed && text.ends_with("0 passed, 1 failed, 0 skipped, 0 known\n"), "{text}");
}
