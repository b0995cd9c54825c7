//! Tail calls between two instances, each of a function of the other: as many as one likes take no stack, each function
//! runs with the memory of its own instance, and so does the caller of the first one afterwards.

use lithe::{Config, Linker, Module, Store, StoreLimits};

mod ways;

use ways::ways;

/// What both instances share.
const TABLES: &str = r#"(module
  (type $t (func (param i32 i64 f64) (result i64)))
  (table (export "funcs") 2 funcref)
  (table (export "refs") 2 (ref null $t)))"#;

/// Adds what its memory has for each call, and goes on with the other instance's function.
const WAT: &str = r#"(module
  (type $t (func (param i32 i64 f64) (result i64)))
  (import "tables" "funcs" (table $funcs 2 funcref))
  (import "tables" "refs" (table $refs 2 (ref null $t)))
  (memory 1)
  (global $other (mut i32) (i32.const 0))
  (elem declare func $indirect $ref)
  (func (export "init") (param $number i32) (param $own i64)
    (i64.store (i32.const 0) (local.get $own))
    (global.set $other (i32.sub (i32.const 1) (local.get $number)))
    (table.set $funcs (local.get $number) (ref.func $indirect))
    (table.set $refs (local.get $number) (ref.func $ref)))
  (func $indirect (type $t)
    (if (i32.eqz (local.get 0)) (then (return (local.get 1))))
    (return_call_indirect $funcs (type $t)
      (i32.sub (local.get 0) (i32.const 1))
      (i64.add (local.get 1) (i64.load (i32.const 0)))
      (local.get 2)
      (global.get $other)))
  (func $ref (type $t)
    (if (i32.eqz (local.get 0)) (then (return (local.get 1))))
    (return_call_ref $t
      (i32.sub (local.get 0) (i32.const 1))
      (i64.add (local.get 1) (i64.load (i32.const 0)))
      (local.get 2)
      (table.get $refs (global.get $other))))
  (func (export "indirect") (param i32) (result i64)
    (i64.add (call $indirect (local.get 0) (i64.const 0) (f64.const 1))
             (i64.mul (i64.load (i32.const 0)) (i64.const 1000000000))))
  (func (export "ref") (param i32) (result i64)
    (i64.add (call $ref (local.get 0) (i64.const 0) (f64.const 1))
             (i64.mul (i64.load (i32.const 0)) (i64.const 1000000000)))))"#;

/// Goes on with an import.
const IMPORTER: &str = r#"(module
  (type $t (func (param i32 i64 f64) (result i64)))
  (import "tables" "funcs" (table $funcs 2 funcref))
  (import "other" "next" (func $next (type $t)))
  (memory 1)
  (data (i32.const 0) "\07")
  (elem declare func $back)
  (func $back (type $t)
    (return_call $next (local.get 0) (i64.add (local.get 1) (i64.load (i32.const 0))) (local.get 2)))
  (func (export "run") (param i32) (result i64)
    (table.set $funcs (i32.const 1) (ref.func $back))
    (i64.add (call $next (local.get 0) (i64.const 0) (f64.const 1))
             (i64.mul (i64.load (i32.const 0)) (i64.const 1000000000)))))"#;

/// Its function is what the importer imports.
const EXPORTER: &str = r#"(module
  (type $t (func (param i32 i64 f64) (result i64)))
  (import "tables" "funcs" (table $funcs 2 funcref))
  (memory 1)
  (data (i32.const 0) "\05")
  (func (export "next") (type $t)
    (if (i32.eqz (local.get 0)) (then (return (local.get 1))))
    (return_call_indirect $funcs (type $t)
      (i32.sub (local.get 0) (i32.const 1))
      (i64.add (local.get 1) (i64.load (i32.const 0)))
      (local.get 2)
      (i32.const 1))))"#;

const CALLS: i32 = 10_000_000;

#[test]
fn two_instances_call_each_other_without_end() {
    for engine in ways(Config::new()) {
        let mut store = Store::new(&engine, ());
        store.set_limits(StoreLimits { stack_bytes: 64 << 10, ..StoreLimits::default() });
        let mut linker = Linker::new(&engine);
        let tables = Module::new(&engine, TABLES).unwrap();
        let tables = linker.instantiate(&mut store, &tables).unwrap();
        linker.instance(&mut store, "tables", tables).unwrap();
        let module = Module::new(&engine, WAT).unwrap();
        let instances = [0, 1].map(|number| {
            let instance = linker.instantiate(&mut store, &module).unwrap();
            let init = instance.typed_func::<(i32, i64), ()>(&store, "init").unwrap();
            init.call(&mut store, (number, [3, 100][number as usize])).unwrap();
            instance
        });
        let half = i64::from(CALLS / 2);
        for (instance, own) in instances.iter().zip([3, 100]) {
            for name in ["indirect", "ref"] {
                let run = instance.typed_func::<i32, i64>(&store, name).unwrap();
                let sum = run.call(&mut store, CALLS).unwrap();
                assert_eq!(sum, 103 * half + own * 1_000_000_000, "{name}");
            }
        }

        let exporter = Module::new(&engine, EXPORTER).unwrap();
        let exporter = linker.instantiate(&mut store, &exporter).unwrap();
        linker.instance(&mut store, "other", exporter).unwrap();
        let importer = Module::new(&engine, IMPORTER).unwrap();
        let importer = linker.instantiate(&mut store, &importer).unwrap();
        let run = importer.typed_func::<i32, i64>(&store, "run").unwrap();
        let sum = run.call(&mut store, CALLS / 2).unwrap();
        assert_eq!(sum, 12 * half + 7_000_000_000);
    }
}
