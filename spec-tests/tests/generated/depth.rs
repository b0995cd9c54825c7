//! Stacks that are used up, by every kind of call and from frames of every kind: a trap each time, after which the
//! instance works as before.

use std::fmt::Write;

/// Names and bodies of functions of type `(param i32) (result i32)` that call themselves without end.
const ENDLESS: &[(&str, &str)] = &[
    ("direct", "(i32.add (i32.const 1) (call $direct (local.get 0)))"),
    ("static", "(i32.add (i32.const 1) (call_indirect $fixed (type $t) (local.get 0) (i32.const 0)))"),
    ("table", "(i32.add (i32.const 1) (call_indirect $changed (type $t) (local.get 0) (i32.const 0)))"),
    ("ref", "(i32.add (i32.const 1) (call_ref $t (local.get 0) (ref.func $ref)))"),
    ("global", "(i32.add (i32.const 1) (call_ref $t (local.get 0) (global.get $g)))"),
    ("mutual", "(i32.add (i32.const 1) (call $other (local.get 0)))"),
    ("other", "(i32.mul (i32.const 3) (call $mutual (local.get 0)))"),
    ("host", "(call $print) (i32.add (i32.const 1) (call $host (local.get 0)))"),
    (
        "tries",
        "(block $h (result i32)
           (try_table (result i32) (catch $e $h) (i32.add (i32.const 1) (call $tries (local.get 0)))))",
    ),
    (
        "catches-all",
        "(block $h
           (try_table (catch_all $h) (return (i32.add (i32.const 1) (call $catches-all (local.get 0))))))
         (i32.const 5)",
    ),
    (
        "throws",
        "(block $h (result i32)
           (try_table (result i32) (catch $e $h) (throw $e (call $throws (local.get 0)))))",
    ),
    (
        "looping",
        "(local $i i32)
         (loop $more (result i32)
           (local.set $i (i32.add (local.get $i) (i32.const 1)))
           (i32.add (call $looping (local.get 0)) (local.get $i)))",
    ),
    (
        "locals",
        "(local $a i64) (local $b f64) (local $c v128)
         (local.set $a (i64.extend_i32_s (local.get 0))) (local.set $b (f64.convert_i64_s (local.get $a)))
         (local.set $c (f64x2.splat (local.get $b)))
         (local.set 0 (call $locals (local.get 0)))
         (i32.add (local.get 0)
           (i32.add (i32.wrap_i64 (local.get $a))
             (i32.add (i32.trunc_f64_s (local.get $b)) (i32x4.extract_lane 1 (local.get $c)))))",
    ),
    (
        "grows",
        "(drop (memory.grow (i32.const 0))) (i32.add (i32.load (i32.const 0)) (call $grows (local.get 0)))",
    ),
    (
        "allocates",
        "(struct.get $s 0 (struct.new $s (i32.add (i32.const 1) (call $allocates (local.get 0)))))",
    ),
    (
        "tails",
        "(i32.add (i32.const 1) (call $tails-on (local.get 0)))",
    ),
    ("tails-on", "(return_call $tails (local.get 0))"),
    (
        "many",
        "(i32.add (i32.const 1)
           (call $wide (local.get 0) (i64.const 1) (i64.const 2) (i64.const 3) (i64.const 4) (i64.const 5)
             (i64.const 6) (i64.const 7) (i64.const 8) (f64.const 1) (f64.const 2) (f64.const 3) (f64.const 4)
             (f64.const 5) (f64.const 6) (f64.const 7) (f64.const 8) (f64.const 9)))",
    ),
];

pub fn script() -> String {
    let funcs: String = ENDLESS
        .iter()
        .map(|(name, body)| format!("(func ${name} (export \"{name}\") (type $t) {body})\n"))
        .collect();
    let mut out = format!(
        "(module
           (type $t (func (param i32) (result i32)))
           (type $s (struct (field i32)))
           (import \"spectest\" \"print\" (func $print))
           (tag $e (param i32))
           (memory 1 2)
           (table $fixed funcref (elem $static))
           (table $changed 1 funcref)
           (elem declare func $table $ref $global)
           (global $g (mut (ref null $t)) (ref.null $t))
           (func (export \"prepare\")
             (global.set $g (ref.func $global)) (table.set $changed (i32.const 0) (ref.func $table)))
           (func $wide (param i32 i64 i64 i64 i64 i64 i64 i64 i64 f64 f64 f64 f64 f64 f64 f64 f64 f64)
               (result i32)
             (i32.add (i32.wrap_i64 (local.get 8)) (call $many (local.get 0))))
           {funcs}
           (func (export \"fine\") (type $t) (i32.add (local.get 0) (i32.const 1))))
         (invoke \"prepare\")\n"
    );
    for _ in 0..2 {
        for (name, _) in ENDLESS {
            let _ = writeln!(
                out,
                "(assert_exhaustion (invoke \"{name}\" (i32.const 1)) \"call stack exhausted\")
                 (assert_return (invoke \"fine\" (i32.const 41)) (i32.const 42))"
            );
        }
    }
    // Between two instances, and where a module starts.
    out.push_str(
        "(module $one
           (type $t (func (param i32) (result i32)))
           (table (export \"table\") 1 funcref)
           (func (export \"down\") (type $t)
             (i32.add (i32.const 1) (call_indirect (type $t) (local.get 0) (i32.const 0)))))
         (register \"one\" $one)
         (module $two
           (type $t (func (param i32) (result i32)))
           (import \"one\" \"table\" (table 1 funcref))
           (import \"one\" \"down\" (func $down (type $t)))
           (elem (i32.const 0) func $up)
           (func $up (export \"up\") (type $t) (i32.add (i32.const 1) (call $down (local.get 0))))
           (func (export \"fine\") (result i32) (i32.const 1)))
         (assert_exhaustion (invoke $two \"up\" (i32.const 1)) \"call stack exhausted\")
         (assert_exhaustion (invoke $one \"down\" (i32.const 1)) \"call stack exhausted\")
         (assert_return (invoke $two \"fine\") (i32.const 1))
         (assert_trap (module (func $f (call $f)) (start $f)) \"call stack exhausted\")\n",
    );
    out
}
