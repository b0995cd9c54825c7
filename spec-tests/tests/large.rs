//! Functions at and beyond the sizes that ordinary scripts have: parameters, results, locals, operands,
//! branch tables, nesting, length. Scripts are generated and run like those in files.

use lithe::Dispatch;
use lithe_spec_tests::{Options, run_file};

/// Parameters and results that a function may have at most.
const MOST: usize = 1000;

fn check(script: &str) {
    for dispatch in [Dispatch::Auto, Dispatch::Loop] {
        let options = Options { dispatch, ..Options::default() };
        let report = run_file("generated.wast", script, &options);
        let failures: Vec<String> = report.failed.iter().map(ToString::to_string).collect();
        assert!(failures.is_empty(), "{dispatch:?}: {}", failures.join("\n"));
    }
}

fn repeat(count: usize, piece: impl Fn(usize) -> String) -> String {
    (0..count).map(piece).collect()
}

/// The type and the value of parameter `i`: every third one is a vector.
fn wide(i: usize) -> (&'static str, String) {
    match i % 3 {
        0 => ("i32", format!("(i32.const {i})")),
        1 => ("v128", format!("(v128.const i64x2 {i} {})", i + 1)),
        _ => ("i64", format!("(i64.const -{i})")),
    }
}

#[test]
fn a_thousand_parameters_and_results() {
    let (types, back) = (repeat(MOST, |i| wide(i).0.to_owned() + " "), |i| MOST - 1 - i);
    let reversed = repeat(MOST, |i| wide(back(i)).0.to_owned() + " ");
    let values = repeat(MOST, |i| wide(i).1);
    let results = repeat(MOST, |i| wide(back(i)).1);
    let forward = repeat(MOST, |i| format!("(local.get {i})"));
    let backward = repeat(MOST, |i| format!("(local.get {})", back(i)));
    check(&format!(
        "(module
           (type $t (func (param {types}) (result {reversed})))
           (table funcref (elem $reverse))
           (elem declare func $reverse)
           (func $reverse (export \"reverse\") (type $t) {backward})
           (func (export \"direct\") (type $t) {forward} (call $reverse))
           (func (export \"indirect\") (type $t) {forward} (i32.const 0) (call_indirect (type $t)))
           (func (export \"ref\") (type $t) {forward} (ref.func $reverse) (call_ref $t))
           (func (export \"tail\") (type $t) {forward} (return_call $reverse))
           (func (export \"tail-indirect\") (type $t)
             {forward} (i32.const 0) (return_call_indirect (type $t)))
           (func (export \"more\") (result {reversed}) {values} (return_call $reverse))
           (func (export \"constants\") (result {reversed}) {values} (call $reverse))
           (func (export \"block\") (type $t)
             {forward} (block (type $t) (call $reverse)))
           (func (export \"branch\") (type $t)
             (block (result {types}) (i32.const 1) (i64.const 1) {forward} (br 0)) (call $reverse))
           (func (export \"loop\") (type $t) (local $n i32)
             {forward}
             (loop $next (param {types}) (result {types})
               (br_if $next (i32.eqz (local.get $n) (local.set $n (i32.const 1)))))
             (call $reverse))
           (func (export \"fewer\") (type $t)
             (return_call $few (local.get 0) (i64.const 0)))
           (func $few (param i32 i64) (result {reversed}) {values} (return_call $reverse)))
         {}",
        ["reverse", "direct", "indirect", "ref", "tail", "tail-indirect", "block", "branch"]
            .iter()
            .chain(&["loop", "fewer"])
            .map(|name| format!("(assert_return (invoke \"{name}\" {values}) {results})\n"))
            .chain(
                ["more", "constants"]
                    .iter()
                    .map(|name| { format!("(assert_return (invoke \"{name}\") {results})\n") })
            )
            .collect::<String>()
    ));
}

#[test]
fn frames_have_a_limit() {
    let locals = |count: usize, ty: &str| format!("(local {})", format!("{ty} ").repeat(count));
    let operands = |count: usize| {
        let push = "(i32.const 1) ".repeat(count);
        push + &"(i32.add) ".repeat(count - 1)
    };
    // A slot of a frame is named by 16 bits; whatever needs more is refused when it is called, and only then.
    check(&format!(
        "(module
           (func (export \"many\") (param i32) (result i32) {}
             (local.set 25000 (local.get 0)) (i32.add (local.get 25000) (local.get 24999)))
           (func (export \"wide\") (param i32) (result i64) {}
             (local.set 12000 (i64x2.splat (i64.const 7)))
             (i64x2.extract_lane 1 (local.get 12000)))
           (func (export \"too-many\") {} (nop))
           (func (export \"too-wide\") {} (nop))
           (func (export \"operands\") (result i32) {})
           (func (export \"too-many-operands\") (result i32) {})
           (func (export \"dead\") (result i32) (unreachable) {})
           (func (export \"fine\") (result i32) (i32.const 1)))
         (assert_return (invoke \"many\" (i32.const 4)) (i32.const 4))
         (assert_return (invoke \"wide\" (i32.const 4)) (i64.const 7))
         (assert_exhaustion (invoke \"too-many\") \"call stack exhausted\")
         (assert_exhaustion (invoke \"too-wide\") \"call stack exhausted\")
         (assert_return (invoke \"operands\") (i32.const 25000))
         (assert_exhaustion (invoke \"too-many-operands\") \"call stack exhausted\")
         (assert_trap (invoke \"dead\") \"unreachable\")
         (assert_return (invoke \"fine\") (i32.const 1))",
        locals(25_000, "i32"),
        locals(12_001, "v128"),
        locals(49_000, "i64"),
        locals(20_000, "v128"),
        operands(25_000),
        operands(40_000),
        operands(40_000),
    ));
}

#[test]
fn big_frames_exhaust_the_stack_soon() {
    let locals = "i64 ".repeat(20_000);
    check(&format!(
        "(module
           (func $f (export \"f\") (param i32) (result i32) (local {locals})
             (if (result i32) (local.get 0)
               (then (i32.add (i32.const 1) (call $f (i32.sub (local.get 0) (i32.const 1)))))
               (else (i32.wrap_i64 (local.get 20000))))))
         (assert_return (invoke \"f\" (i32.const 3)) (i32.const 3))
         (assert_exhaustion (invoke \"f\" (i32.const 100)) \"call stack exhausted\")
         (assert_return (invoke \"f\" (i32.const 3)) (i32.const 3))"
    ));
}

#[test]
fn branch_tables_have_many_targets() {
    const TARGETS: usize = 20_000;
    const BLOCKS: usize = 100;
    // Target `i` leads out of `i * 7 % BLOCKS` blocks; each block's end adds one, so the result counts them.
    let targets = repeat(TARGETS, |i| format!("{} ", i * 7 % BLOCKS));
    let body = |carry: &str| {
        format!(
            "{} (i32.const 1000) {carry} (br_table {targets} {} (local.get 0)) {}",
            "block (result i32) ".repeat(BLOCKS),
            BLOCKS - 1,
            "end (i32.add (i32.const 1))".repeat(BLOCKS)
        )
    };
    let calls = ["f", "g"].map(|name| {
        let probes = [0, 1, 2, 99, 100, 14_285, TARGETS - 1, TARGETS, 1 << 31];
        let expected = |i: usize| {
            let depth = if i < TARGETS { i * 7 % BLOCKS } else { BLOCKS - 1 };
            let carried = if name == "f" { 1000 } else { 5 };
            carried + BLOCKS - depth
        };
        let line = |i: &usize| {
            let result = expected(*i);
            format!("(assert_return (invoke \"{name}\" (i32.const {i})) (i32.const {result}))\n")
        };
        probes.iter().map(line).collect::<String>()
    });
    check(&format!(
        "(module
           (func (export \"f\") (param i32) (result i32) {})
           (func (export \"g\") (param i32) (result i32) {}))
         {}",
        body(""),
        body("(i32.const 5)"),
        calls.concat()
    ));
}

#[test]
fn blocks_nest_deeply() {
    const DEPTH: usize = 5000;
    let opens = |kind: &str| format!("{kind} ").repeat(DEPTH);
    let ends = "end ".repeat(DEPTH);
    check(&format!(
        "(module
           (func (export \"out\") (param i32) (result i32)
             {} (br_if {} (local.get 0)) (br 0) {ends}
             (i32.const 7))
           (func (export \"value\") (param i32) (result i32)
             {} (i64.const 1) (local.get 0) (br_if {} (i32.const 1)) (br 0) {ends})
           (func (export \"loops\") (param i32) (result i32)
             {} (local.set 0 (i32.sub (local.get 0) (i32.const 1)))
             (br_if {} (i32.gt_s (local.get 0) (i32.const 0))) {ends}
             (local.get 0))
           (func (export \"ifs\") (param i32) (result i32)
             {} (local.set 0 (i32.const 9)) {ends}
             (local.get 0))
           (func (export \"dead\") (result i32) (return (i32.const 3)) {} {ends} (i32.const 4)))
         (assert_return (invoke \"out\" (i32.const 1)) (i32.const 7))
         (assert_return (invoke \"out\" (i32.const 0)) (i32.const 7))
         (assert_return (invoke \"value\" (i32.const 6)) (i32.const 6))
         (assert_return (invoke \"loops\" (i32.const 6)) (i32.const 0))
         (assert_return (invoke \"ifs\" (i32.const 6)) (i32.const 9))
         (assert_return (invoke \"ifs\" (i32.const 0)) (i32.const 0))
         (assert_return (invoke \"dead\") (i32.const 3))",
        opens("block"),
        DEPTH - 1,
        opens("block (result i32)"),
        DEPTH - 1,
        opens("loop"),
        DEPTH - 1,
        opens("(local.get 0) if"),
        opens("block"),
    ));
}

#[test]
fn jumps_go_far() {
    // Distances beyond 16 bits, forward and backward, and in a table.
    let long = "(local.set 1 (i32.xor (i32.mul (local.get 1) (i32.const 3)) (local.get 0)))\n";
    let long = long.repeat(30_000);
    check(&format!(
        "(module
           (func (export \"over\") (param i32) (result i32) (local i32)
             (block (br_if 0 (local.get 0)) {long} (return (i32.const 1))) (i32.const 2))
           (func (export \"back\") (param i32) (result i32) (local i32)
             (loop (local.set 0 (i32.sub (local.get 0) (i32.const 1))) {long}
               (br_if 0 (local.get 0)))
             (local.get 0))
           (func (export \"table\") (param i32) (result i32) (local i32)
             (block (block (br_table 0 1 (local.get 0))) {long} (return (i32.const 1)))
             (i32.const 2))
           (func (export \"if\") (param i32) (result i32) (local i32)
             (if (result i32) (local.get 0) (then {long} (i32.const 1)) (else {long} (i32.const 2)))))
         (assert_return (invoke \"over\" (i32.const 1)) (i32.const 2))
         (assert_return (invoke \"over\" (i32.const 0)) (i32.const 1))
         (assert_return (invoke \"back\" (i32.const 3)) (i32.const 0))
         (assert_return (invoke \"table\" (i32.const 0)) (i32.const 1))
         (assert_return (invoke \"table\" (i32.const 1)) (i32.const 2))
         (assert_return (invoke \"if\" (i32.const 1)) (i32.const 1))
         (assert_return (invoke \"if\" (i32.const 0)) (i32.const 2))"
    ));
}

#[test]
fn modules_have_many_parts() {
    const PARTS: usize = 5000;
    let funcs = repeat(PARTS, |i| {
        let next = i + 1;
        format!(
            "(func $f{i} (param i32) (result i32) (i32.add (call $f{next} (local.get 0)) (global.get $g{i})))\n"
        )
    });
    let globals = repeat(PARTS, |i| format!("(global $g{i} (mut i32) (i32.const {i}))\n"));
    let elements = repeat(PARTS, |i| format!("$f{i} "));
    let sum = PARTS * (PARTS - 1) / 2;
    check(&format!(
        "(module
           {globals} {funcs}
           (func $f{PARTS} (export \"last\") (param i32) (result i32) (local.get 0))
           (table funcref (elem {elements}))
           (func (export \"first\") (param i32) (result i32) (call $f0 (local.get 0)))
           (func (export \"nth\") (param i32) (result i32)
             (call_indirect (param i32) (result i32) (i32.const 0) (local.get 0))))
         (assert_return (invoke \"first\" (i32.const 1)) (i32.const {}))
         (assert_return (invoke \"nth\" (i32.const {})) (i32.const {}))",
        sum + 1,
        PARTS - 2,
        PARTS - 1 + PARTS - 2,
    ));
}
