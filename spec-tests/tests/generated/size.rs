//! Functions and modules of sizes that no person writes: as many locals as there may be, a body of megabytes, tens of
//! thousands of functions.

use super::repeat;

/// As many locals as a function may have (the limit of implementations that the JavaScript API names).
const LOCALS: usize = 50_000;
/// Functions of one module.
const FUNCTIONS: usize = 50_000;
/// Locals that a function uses all.
const LIVE: usize = 8_000;
/// Operands that a function holds while it calls another one.
const HELD: usize = 4_000;
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

/// Many locals and operands at once, in use while another function runs, and references behind them.
pub fn frames() -> String {
    let loads =
        repeat(LIVE, |i| format!("(local.set {} (i64.load8_u offset={i} (local.get 0)))\n", i + 2));
    let sum = repeat(LIVE - 1, |i| format!("(local.get {}) (i64.add)\n", i + 3));
    let held = repeat(HELD, |i| format!("(i64.load8_u offset={i} (local.get 0))\n"));
    let (l1, l2) = (LIVE + 2, LIVE + 3);
    format!(
        "(module
           (type $s (struct (field (mut i32))))
           (memory 1)
           (func (export \"fill\") (param i32)
             (memory.fill (i32.const 0) (local.get 0) (i32.const {LIVE})))
           (func $other (memory.fill (i32.const 0) (i32.const 7) (i32.const {LIVE})))
           (func $make (param i32) (result (ref $s)) (struct.new $s (local.get 0)))
           (func (export \"locals\") (param i32 i32) (result i64 i32 f32)
             (local {}) (local (ref $s)) (local f32)
             (local.set {l1} (call $make (local.get 1)))
             {loads}
             (local.set {l2} (f32.convert_i32_s (local.get 1)))
             (call $other) (drop (call $make (i32.const 0)))
             (local.get 2) {sum}
             (struct.get $s 0 (local.get {l1})) (local.get {l2}))
           (func $held (export \"held\") (param i32 i32) (result i64)
             {held}
             (if (i32.eqz (local.get 1))
               (then (call $other))
               (else (drop (call $held (local.get 0) (i32.sub (local.get 1) (i32.const 1))))))
             {}))
         (invoke \"fill\" (i32.const 3))
         (assert_return (invoke \"locals\" (i32.const 0) (i32.const 42))
           (i64.const {}) (i32.const 42) (f32.const 42))
         (assert_return (invoke \"locals\" (i32.const 5) (i32.const 43))
           (i64.const {}) (i32.const 43) (f32.const 43))
         (invoke \"fill\" (i32.const 2))
         (assert_return (invoke \"held\" (i32.const 0) (i32.const 2)) (i64.const {}))
         (assert_exhaustion (invoke \"held\" (i32.const 0) (i32.const -1)) \"call stack exhausted\")
         (assert_return (invoke \"locals\" (i32.const 0) (i32.const 1))
           (i64.const {}) (i32.const 1) (f32.const 1))
         (assert_trap (invoke \"held\" (i32.const {}) (i32.const 0)) \"out of bounds memory access\")",
        "i64 ".repeat(LIVE),
        "(i64.add)\n".repeat(HELD - 1),
        3 * LIVE,
        // What is read from address 5 on is filled with 7, but for the last bytes.
        7 * (LIVE - 5),
        2 * HELD,
        7 * LIVE,
        65536 - HELD + 1,
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
