//! Each function called as if it had each type, through tables and references: it runs when the types are the same, and
//! the call traps otherwise. Types that look alike in groups of recursion that are not, and subtypes.

use std::fmt::Write;

use super::repeat;

/// Types with one function each: parameters, results, and the body.
const TYPES: &[(&str, &str, &str)] = &[
    ("", "", ""),
    ("i32", "", ""),
    ("i64", "", ""),
    ("f32", "", ""),
    ("f64", "", ""),
    ("v128", "", ""),
    ("funcref", "", ""),
    ("externref", "", ""),
    ("", "i32", "(i32.const 7)"),
    ("", "i64", "(i64.const 7)"),
    ("i32", "i32", "(local.get 0)"),
    ("i32 i32", "i32", "(local.get 1)"),
    ("i32 i64", "i32", "(local.get 0)"),
    ("i64 i32", "i32", "(local.get 1)"),
    ("i32", "i64", "(i64.const 7)"),
    ("i32", "i32 i32", "(local.get 0) (local.get 0)"),
    ("i32 i32 i32 i32 i32 i32 i32 i32 i32", "i32", "(local.get 8)"),
    ("i64 i64 i64 i64 i64 i64 i64 i64 i64", "i64", "(local.get 8)"),
    ("f64 f64 f64 f64 f64 f64 f64 f64 f64", "f64", "(local.get 8)"),
];

/// A value of a type, and a pattern that any has.
fn value(ty: &str) -> &'static str {
    match ty {
        "i32" => "(i32.const 7)",
        "i64" => "(i64.const 7)",
        "f32" => "(f32.const 7)",
        "f64" => "(f64.const 7)",
        "v128" => "(v128.const i64x2 7 7)",
        "funcref" => "(ref.null func)",
        _ => "(ref.null extern)",
    }
}

fn values(types: &str) -> String {
    types.split_whitespace().map(value).collect()
}

fn every_pair(out: &mut String, table: &str, writes: &str) {
    let types = repeat(TYPES.len(), |i| {
        let (params, results, _) = TYPES[i];
        format!("(type $t{i} (func (param {params}) (result {results})))\n")
    });
    let funcs = repeat(TYPES.len(), |i| format!("(func $f{i} (type $t{i}) {})\n", TYPES[i].2));
    let elements = repeat(TYPES.len(), |i| format!(" $f{i}"));
    let callers = repeat(TYPES.len(), |i| {
        let (params, results, _) = TYPES[i];
        let args = values(params);
        format!(
            "(func (export \"call{i}\") (param $n i32) (result {results})
               {args} (call_indirect (type $t{i}) (local.get $n)))
             (func (export \"tail{i}\") (param $n i32) (result {results})
               {args} (return_call_indirect (type $t{i}) (local.get $n)))
             (func (export \"ref{i}\") (param $n i32) (result {results})
               {args} (call_ref $t{i} (ref.cast (ref $t{i}) (table.get 0 (local.get $n)))))\n"
        )
    });
    let _ = writeln!(
        out,
        "(module {types} {table} (elem (i32.const 0) func {elements}) {funcs} {callers} {writes})"
    );
    for (caller, (_, results, _)) in TYPES.iter().enumerate() {
        let results = values(results);
        for callee in 0..=TYPES.len() + 1 {
            for way in ["call", "tail", "ref"] {
                let invoke = format!("(invoke \"{way}{caller}\" (i32.const {callee}))");
                let trap = match (callee, way) {
                    _ if callee == caller => {
                        let _ = writeln!(out, "(assert_return {invoke} {results})");
                        continue;
                    }
                    (n, "ref") if n > TYPES.len() => "out of bounds table access",
                    (_, "ref") => "cast failure",
                    (n, _) if n > TYPES.len() => "undefined element",
                    (n, _) if n == TYPES.len() => "uninitialized element",
                    _ => "indirect call type mismatch",
                };
                let _ = writeln!(out, "(assert_trap {invoke} \"{trap}\")");
            }
        }
    }
}

/// Types that are the same, that look the same, and that are subtypes.
const SUBTYPES: &str = r#"
(module
  (type $plain (func (param i32) (result i32)))
  (type $again (func (param i32) (result i32)))
  (rec (type $first (func (param i32) (result i32))) (type (struct)))
  (rec (type (struct)) (type $second (func (param i32) (result i32))))
  (type $open (sub (func (param i32) (result anyref))))
  (type $sub (sub $open (func (param i32) (result i31ref))))
  (type $final (sub final $sub (func (param i32) (result (ref i31)))))
  (table 6 funcref)
  (elem (i32.const 0) func $f0 $f1 $f2 $f3 $f4 $f5)
  (func $f0 (type $plain) (local.get 0))
  (func $f1 (type $first) (local.get 0))
  (func $f2 (type $second) (local.get 0))
  (func $f3 (type $open) (ref.null any))
  (func $f4 (type $sub) (ref.i31 (local.get 0)))
  (func $f5 (type $final) (ref.i31 (local.get 0)))
  (func (export "again") (param i32) (result i32)
    (call_indirect (type $again) (i32.const 5) (local.get 0)))
  (func (export "first") (param i32) (result i32)
    (call_indirect (type $first) (i32.const 5) (local.get 0)))
  (func (export "second") (param i32) (result i32)
    (call_indirect (type $second) (i32.const 5) (local.get 0)))
  (func (export "open") (param i32) (result i32)
    (ref.is_null (call_indirect (type $open) (i32.const 5) (local.get 0))))
  (func (export "sub") (param i32) (result i32)
    (i31.get_s (call_indirect (type $sub) (i32.const 5) (local.get 0))))
  (func (export "final") (param i32) (result i32)
    (i31.get_s (call_indirect (type $final) (i32.const 5) (local.get 0)))))
"#;

/// By caller, which of the six functions it may call.
const ALLOWED: &[(&str, [bool; 6])] = &[
    ("again", [true, false, false, false, false, false]),
    ("first", [false, true, false, false, false, false]),
    ("second", [false, false, true, false, false, false]),
    ("open", [false, false, false, true, true, true]),
    ("sub", [false, false, false, false, true, true]),
    ("final", [false, false, false, false, false, true]),
];

pub fn script() -> String {
    let mut out = String::new();
    let size = TYPES.len() + 1;
    // A table that never changes, one that may, and one that others see.
    every_pair(&mut out, &format!("(table {size} funcref)"), "");
    let write = "(func (export \"write\") (param i32) (table.set 0 (local.get 0) (ref.null func)))";
    every_pair(&mut out, &format!("(table {size} funcref)"), write);
    every_pair(&mut out, &format!("(table (export \"table\") {size} {size} funcref)"), "");
    out.push_str(SUBTYPES);
    for (name, allowed) in ALLOWED {
        for (index, allowed) in allowed.iter().enumerate() {
            let invoke = format!("(invoke \"{name}\" (i32.const {index}))");
            let _ = match allowed {
                true => {
                    let result = if *name == "open" { u32::from(index == 3) } else { 5 };
                    writeln!(out, "(assert_return {invoke} (i32.const {result}))")
                }
                false => writeln!(out, "(assert_trap {invoke} \"indirect call type mismatch\")"),
            };
        }
    }
    out
}
