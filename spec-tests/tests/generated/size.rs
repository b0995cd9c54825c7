//! Functions and modules of sizes that no person writes: as many locals as there may be, a body of megabytes, tens of
//! thousands of functions.

use super::repeat;

/// As many locals as a function may have (the limit of implementations that the JavaScript API names).
const LOCALS: usize = 50_000;
/// Functions of one module.
const FUNCTIONS: usize = 50_000;
/// How often the long body repeats operators that take 28 bytes.
const REPEATS: usize = 180_000;

/// More locals than there may be, and many.
pub fn locals() -> String {
    format!(
        "(assert_invalid (module (func (local {}))) \"too many locals\")
         (module
           (func (export \"many\") (param i32) (result i32) (local {})
             (local.set 20000 (local.get 0))
             (local.set 14999 (i32.add (local.get 20000) (local.get 100)))
             (local.get 14999)))
         (assert_return (invoke \"many\" (i32.const 42)) (i32.const 42))",
        "i64 ".repeat(2 * LOCALS),
        "i32 ".repeat(20_000)
    )
}

/// A body of 5 MB.
pub fn body() -> String {
    const A: i64 = 0x7123_4567_89ab_cdef;
    const B: i64 = 0x6fed_cba9_8765_4321;
    // A chain, so that nothing of it can be left out.
    let step = format!(
        "(local.set 0 (i64.add (i64.xor (local.get 0) (i64.const {A})) (i64.const {B})))\n"
    );
    let result = (0..REPEATS).fold(5_i64, |x, _| (x ^ A).wrapping_add(B));
    format!(
        "(module (func (export \"long\") (param i64) (result i64) {} (local.get 0)))
         (assert_return (invoke \"long\" (i64.const 5)) (i64.const {result}))",
        step.repeat(REPEATS)
    )
}

/// A module of 50,000 functions, all of them called.
pub fn functions() -> String {
    let funcs = repeat(FUNCTIONS, |i| {
        format!("(func $f{i} (param i32) (result i32) (i32.add (local.get 0) (i32.const {i})))\n")
    });
    let elements = repeat(FUNCTIONS, |i| format!(" $f{i}"));
    format!(
        "(module
           (table funcref (elem {elements}))
           {funcs}
           (func (export \"nth\") (param i32) (result i32)
             (call_indirect (param i32) (result i32) (i32.const 1) (local.get 0)))
           (func (export \"all\") (result i64) (local $i i32) (local $sum i64)
             (loop $more
               (local.set $sum
                 (i64.add (local.get $sum)
                   (i64.extend_i32_u
                     (call_indirect (param i32) (result i32) (i32.const 0) (local.get $i)))))
               (local.set $i (i32.add (local.get $i) (i32.const 1)))
               (br_if $more (i32.lt_u (local.get $i) (i32.const {FUNCTIONS}))))
             (local.get $sum)))
         (assert_return (invoke \"nth\" (i32.const {})) (i32.const {FUNCTIONS}))
         (assert_trap (invoke \"nth\" (i32.const {FUNCTIONS})) \"undefined element\")
         (assert_return (invoke \"all\") (i64.const {}))",
        FUNCTIONS - 1,
        FUNCTIONS * (FUNCTIONS - 1) / 2
    )
}
