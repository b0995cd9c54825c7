//! Every operator of garbage collection is translated, verified and compiled for every machine, in every mode, for
//! every way in which a field is stored. What the code computes is shown by the official suite.

use lithe_compiler::{Options, compile, parse_machine};
use lithe_runtime::{abi::Traps, artifact::Target};
use lithe_types::Features;

/// Storage type, type of its values, and what extends it.
const STORAGES: &[(&str, &str, &[&str])] = &[
    ("i8", "i32", &["_s", "_u"]),
    ("i16", "i32", &["_s", "_u"]),
    ("i32", "i32", &[""]),
    ("i64", "i64", &[""]),
    ("f32", "f32", &[""]),
    ("f64", "f64", &[""]),
    ("v128", "v128", &[""]),
    ("anyref", "anyref", &[""]),
    ("(ref null $f)", "(ref null $f)", &[""]),
];

fn fields(text: &mut String) {
    for (index, (storage, value, extensions)) in STORAGES.iter().enumerate() {
        let (s, a) = (format!("$s{index}"), format!("$a{index}"));
        text.push_str(&format!(
            "(type {s} (sub (struct (field (mut {storage})) (field i8) (field (mut {storage})))))
             (type {a} (array (mut {storage})))
             (func (param {value}) (result (ref {s}))
               (struct.new {s} (local.get 0) (i32.const 1) (local.get 0)))
             (func (result (ref {s})) (struct.new_default {s}))
             (func (param (ref null {s}) {value}) (struct.set {s} 2 (local.get 0) (local.get 1)))
             (func (param {value} i32) (result (ref {a}))
               (array.new {a} (local.get 0) (local.get 1)))
             (func (param i32) (result (ref {a})) (array.new_default {a} (local.get 0)))
             (func (param {value}) (result (ref {a}))
               (array.new_fixed {a} 2 (local.get 0) (local.get 0)))
             (func (param (ref null {a}) i32 {value})
               (array.set {a} (local.get 0) (local.get 1) (local.get 2)))
             (func (param (ref null {a}) i32 {value} i32)
               (array.fill {a} (local.get 0) (local.get 1) (local.get 2) (local.get 3)))
             (func (param (ref null {a}) i32 i32)
               (array.copy {a} {a} (local.get 0) (local.get 1) (local.get 0) (local.get 2)
                 (local.get 2)))\n"
        ));
        for len in [0, 3, 16, 17, 100, 10000, -1] {
            text.push_str(&format!(
                "(func (param {value}) (result (ref {a}))
                   (array.new {a} (local.get 0) (i32.const {len})))
                 (func (result (ref {a})) (array.new_default {a} (i32.const {len})))\n"
            ));
        }
        for extension in *extensions {
            text.push_str(&format!(
                "(func (param (ref null {s})) (result {value})
                   (struct.get{extension} {s} 0 (local.get 0)))
                 (func (param (ref null {a}) i32) (result {value})
                   (array.get{extension} {a} (local.get 0) (local.get 1)))
                 (func (param (ref {a})) (result {value})
                   (array.get{extension} {a} (local.get 0) (i32.const 3)))\n"
            ));
        }
        if *storage != *value || matches!(*value, "i32" | "i64" | "f32" | "f64" | "v128") {
            text.push_str(&format!(
                "(func (param i32 i32) (result (ref {a}))
                   (array.new_data {a} $data (local.get 0) (local.get 1)))
                 (func (param (ref null {a}) i32 i32 i32)
                   (array.init_data {a} $data (local.get 0) (local.get 1) (local.get 2)
                     (local.get 3)))\n"
            ));
        }
    }
}

/// Types to test for, and the tops of their hierarchies.
const TESTS: &[(&str, &str)] = &[
    ("any", "any"),
    ("eq", "any"),
    ("i31", "any"),
    ("struct", "any"),
    ("array", "any"),
    ("none", "any"),
    ("$s0", "any"),
    ("$a0", "any"),
    ("$t10", "any"),
    ("func", "func"),
    ("nofunc", "func"),
    ("$f", "func"),
    ("$final", "func"),
    ("extern", "extern"),
    ("noextern", "extern"),
];

fn tests(text: &mut String) {
    for (ty, top) in TESTS {
        for null in ["", "null "] {
            let (from, to) = (format!("(ref null {top})"), format!("(ref {null}{ty})"));
            text.push_str(&format!(
                "(func (param {from}) (result i32) (ref.test {to} (local.get 0)))
                 (func (param {from}) (result {to}) (ref.cast {to} (local.get 0)))
                 (func (param {from} i64) (result i64 {to})
                   (block (result i64 {to})
                     (br_on_cast 0 {from} {to} (local.get 1) (local.get 0))
                     unreachable))
                 (func (param {from} i64) (result i64 {from})
                   (block (result i64 {from})
                     (br_on_cast_fail 0 {from} {to} (local.get 1) (local.get 0))))\n"
            ));
        }
    }
}

/// A module with all operators.
fn module() -> lithe_validator::ValidModule {
    let mut text = String::from(
        "(module (type $f (sub (func))) (type $final (func (param i32)))
           (data $data \"0123456789\") (elem $elem anyref (ref.null any) (ref.i31 (i32.const 1)))
           (type $refs (array (mut anyref)))
           (func (param i32 i32) (result (ref $refs))
             (array.new_elem $refs $elem (local.get 0) (local.get 1)))
           (func (param (ref null $refs) i32 i32 i32)
             (array.init_elem $refs $elem (local.get 0) (local.get 1) (local.get 2) (local.get 3)))
           (func (param i32) (result i31ref) (ref.i31 (local.get 0)))
           (func (param i31ref) (result i32) (i31.get_s (local.get 0)))
           (func (param i31ref) (result i32) (i31.get_u (local.get 0)))
           (func (param anyref) (result externref) (extern.convert_any (local.get 0)))
           (func (param externref) (result anyref) (any.convert_extern (local.get 0)))
           (func (param arrayref) (result i32) (array.len (local.get 0)))
           (type $t0 (sub (struct)))\n",
    );
    for depth in 1..=10 {
        text.push_str(&format!("(type $t{depth} (sub $t{} (struct)))\n", depth - 1));
    }
    let many = "(field i64 i8)".repeat(20);
    text.push_str(&format!(
        "(type $many (struct {many})) (func (result (ref $many)) (struct.new_default $many))\n"
    ));
    fields(&mut text);
    tests(&mut text);
    text.push(')');
    let bytes = wat::parse_str(&text).unwrap();
    lithe_validator::validate(lithe_parser::parse(bytes).unwrap(), Features::WASM3).unwrap()
}

#[test]
fn operators_compile() {
    let module = module();
    for machine in ["x86_64", "aarch64", "riscv64+v"] {
        for (traps, fuel) in
            [(Traps::Checks, false), (Traps::Checks, true), (Traps::Signals, false)]
        {
            let (arch, cpu) = parse_machine(machine).unwrap();
            let target =
                Target { arch, cpu, traps, fuel, deterministic: false, below_memory: false };
            compile(&module, &Options::new(target)).unwrap();
        }
    }
}
