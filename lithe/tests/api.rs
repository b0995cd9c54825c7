//! The embedding API from outside: what every embedder may rely on, and what misuse comes to. Tests that
//! run guests do so in every way that there is.

use std::error::Error as _;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Barrier, mpsc};
use std::time::{Duration, Instant};

use lithe::{
    Caller, Config, Engine, Error, ErrorKind, Extern, ExternRef, ExternType, Func, FuncType,
    Global, GlobalType, HeapType, Instance, InterruptHandle, Limits, Linker, Memory, MemoryType,
    Module, RefType, Result, Store, StoreLimits, Strategy, Table, TableType, Trap, TrapKind,
    TypedFunc, Val, ValType,
};

mod ways;

use ways::ways;

fn engines() -> [Engine; 4] {
    ways(Config::new())
}

fn fuel_engines() -> [Engine; 4] {
    ways(Config::new().fuel(true))
}

/// A store with an instance of a module without imports.
fn guest(engine: &Engine, wat: &str) -> (Store<()>, Instance) {
    let mut store = Store::new(engine, ());
    let instance = add_guest(&mut store, wat);
    (store, instance)
}

fn add_guest(store: &mut Store<()>, wat: &str) -> Instance {
    let module = Module::new(store.engine(), wat).unwrap();
    Instance::new(store, &module, &[]).unwrap()
}

#[track_caller]
fn fails_with<R>(result: Result<R>, kind: ErrorKind) -> Error {
    match result {
        Ok(_) => panic!("expected an error of kind {kind:?}"),
        Err(error) => {
            assert_eq!(error.kind(), kind, "{error}");
            assert!(!error.to_string().is_empty());
            error
        }
    }
}

#[track_caller]
fn traps_with<R>(result: Result<R>, kind: TrapKind) -> Error {
    let error = fails_with(result, ErrorKind::Trap);
    assert_eq!(error.trap().map(Trap::kind), Some(kind));
    error
}

fn memory_type(min: u64, max: Option<u64>) -> MemoryType {
    MemoryType { limits: Limits { min, max }, is64: false, shared: false, page_log2: 16 }
}

fn table_type(element: RefType, min: u64, max: Option<u64>) -> TableType {
    TableType { element, limits: Limits { min, max }, is64: false }
}

// What may be shared between threads.

const fn send<T: Send>() {}
const fn send_sync<T: Send + Sync>() {}
const _: () = {
    send::<Store<u32>>();
    send::<Store<std::cell::Cell<u32>>>();
    send_sync::<Engine>();
    send_sync::<Module>();
    send_sync::<Linker<std::cell::Cell<u32>>>();
    send_sync::<InterruptHandle>();
    send_sync::<Error>();
    send_sync::<Extern>();
    send_sync::<TypedFunc<i32, i32>>();
    assert!(size_of::<Error>() == size_of::<usize>());
};

// Calls.

const ADD: &str = r#"(module
  (func (export "add") (param i32 i64) (result i64)
    (i64.add (i64.extend_i32_s (local.get 0)) (local.get 1)))
  (func (export "nothing"))
  (memory (export "memory") 1))"#;

#[test]
fn typed_calls_need_the_exact_type() {
    for engine in engines() {
        let (mut store, instance) = guest(&engine, ADD);
        let add = instance.typed_func::<(i32, i64), i64>(&store, "add").unwrap();
        assert_eq!(add.call(&mut store, (-2, 44)).unwrap(), 42);
        // Unsigned types are the same WebAssembly types.
        let add = instance.typed_func::<(u32, u64), u64>(&store, "add").unwrap();
        assert_eq!(add.call(&mut store, (u32::MAX, 1)).unwrap(), 0);

        let error = fails_with(instance.typed_func::<(), ()>(&store, "add"), ErrorKind::Usage);
        assert_eq!(error.to_string(), "the function is a func(i32, i64) -> (i64), not a func()");
        fails_with(instance.typed_func::<(i32, i64), i32>(&store, "add"), ErrorKind::Usage);
        fails_with(instance.typed_func::<(i64, i32), i64>(&store, "add"), ErrorKind::Usage);
        fails_with(instance.typed_func::<i32, i64>(&store, "add"), ErrorKind::Usage);
        fails_with(instance.typed_func::<(), i32>(&store, "nothing"), ErrorKind::Usage);
        instance.typed_func::<(), ()>(&store, "nothing").unwrap().call(&mut store, ()).unwrap();

        let error = fails_with(instance.func(&store, "none"), ErrorKind::Usage);
        assert_eq!(error.to_string(), "the instance exports no function `none`");
        fails_with(instance.func(&store, "memory"), ErrorKind::Usage);
        fails_with(instance.memory(&store, "add"), ErrorKind::Usage);
        fails_with(instance.table(&store, "add"), ErrorKind::Usage);
        fails_with(instance.global(&store, "add"), ErrorKind::Usage);
    }
}

#[test]
fn untyped_calls_check_number_and_types() {
    for engine in engines() {
        let (mut store, instance) = guest(&engine, ADD);
        let add = instance.func(&store, "add").unwrap();
        let mut results = [Val::I32(7)];
        let (good, one) = ([Val::I32(1), Val::I64(2)], [Val::I32(1)]);
        add.call(&mut store, &good, &mut results).unwrap();
        assert!(matches!(results, [Val::I64(3)]));

        fails_with(add.call(&mut store, &one, &mut results), ErrorKind::Usage);
        fails_with(add.call(&mut store, &good, &mut []), ErrorKind::Usage);
        fails_with(add.call(&mut store, &good, &mut [Val::I32(0); 2]), ErrorKind::Usage);
        let wrong = [
            Val::I64(2),
            Val::F32(0),
            Val::F64(0),
            Val::V128(0),
            Val::FuncRef(None),
            Val::ExternRef(None),
        ];
        for wrong in wrong {
            let args = [wrong, Val::I64(2)];
            fails_with(add.call(&mut store, &args, &mut results), ErrorKind::Usage);
        }
        assert!(matches!(results, [Val::I64(3)]), "refused calls write no results");
    }
}

#[test]
fn values_of_every_type_pass_both_ways() {
    const ALL: &str = r#"(module
      (type $all (func (param i32 i64 f32 f64 v128 funcref externref)
                       (result externref funcref v128 f64 f32 i64 i32)))
      (import "host" "mirror" (func $mirror (type $all)))
      (func (export "guest") (type $all)
        local.get 6 local.get 5 local.get 4 local.get 3 local.get 2 local.get 1 local.get 0)
      (func (export "host") (type $all)
        local.get 0 local.get 1 local.get 2 local.get 3 local.get 4 local.get 5 local.get 6
        call $mirror)
      (func (export "tail") (type $all)
        local.get 0 local.get 1 local.get 2 local.get 3 local.get 4 local.get 5 local.get 6
        return_call $mirror))"#;
    for engine in engines() {
        let module = Module::new(&engine, ALL).unwrap();
        let ty = module.export_type("guest").unwrap();
        let ExternType::Func(ty) = ty else { panic!("a function") };
        let mut linker = Linker::new(&engine);
        linker
            .func_new("host", "mirror", ty, |_: Caller<'_, ()>, args, results| {
                for (result, arg) in results.iter_mut().zip(args.iter().rev()) {
                    *result = *arg;
                }
                Ok(())
            })
            .unwrap();
        let mut store = Store::new(&engine, ());
        let instance = linker.instantiate(&mut store, &module).unwrap();
        let wide = 0x0123_4567_89ab_cdef_0f1e_2d3c_4b5a_6978;
        let external = ExternRef::new(&mut store, "outside").unwrap();
        for name in ["guest", "host", "tail"] {
            let func = instance.func(&store, name).unwrap();
            let args = [
                Val::I32(-1),
                Val::I64(i64::MIN),
                // Signaling NaNs keep their payload.
                Val::F32(0x7fa0_0001),
                Val::F64(0xfff4_0000_0000_0001),
                Val::V128(wide),
                Val::FuncRef(Some(func)),
                Val::ExternRef(Some(external)),
            ];
            let mut results = [Val::I32(0); 7];
            func.call(&mut store, &args, &mut results).unwrap();
            let [Val::ExternRef(Some(e)), Val::FuncRef(Some(f)), Val::V128(v), rest @ ..] = results
            else {
                panic!("{name}: {results:?}")
            };
            assert!(e.same(&external, &store).unwrap() && v == wide, "{name}");
            assert_eq!(f.ty(&store).unwrap().params.len(), 7);
            assert!(
                matches!(
                    rest,
                    [
                        Val::F64(0xfff4_0000_0000_0001),
                        Val::F32(0x7fa0_0001),
                        Val::I64(i64::MIN),
                        Val::I32(-1)
                    ]
                ),
                "{name}: {rest:?}"
            );
        }
    }
}

/// More slots than any fixed buffer on the way has.
#[test]
fn calls_with_many_values() {
    const COUNT: usize = 60;
    for engine in engines() {
        let types = |ty: &str| format!("{ty} ").repeat(COUNT);
        let wat = format!(
            r#"(module
              (type $t (func (param {i} {v}) (result {v} {i})))
              (import "host" "swap" (func $swap (type $t)))
              (func (export "run") (type $t) {gets} (call $swap)))"#,
            i = types("i64"),
            v = types("v128"),
            gets = (0..2 * COUNT).map(|i| format!("(local.get {i})")).collect::<Vec<_>>().join(" "),
        );
        let module = Module::new(&engine, wat.as_str()).unwrap();
        let ExternType::Func(ty) = module.imports()[0].ty.clone() else { panic!("a function") };
        let mut linker = Linker::new(&engine);
        linker
            .func_new("host", "swap", ty, |_: Caller<'_, ()>, args, results| {
                results[..COUNT].copy_from_slice(&args[COUNT..]);
                results[COUNT..].copy_from_slice(&args[..COUNT]);
                Ok(())
            })
            .unwrap();
        let mut store = Store::new(&engine, ());
        let instance = linker.instantiate(&mut store, &module).unwrap();
        let args: Vec<Val> = (0..COUNT as i64)
            .map(Val::I64)
            .chain((0..COUNT as u128).map(|i| Val::V128(i << 64 | 7)))
            .collect();
        let mut results = vec![Val::I32(0); 2 * COUNT];
        let run = instance.func(&store, "run").unwrap();
        run.call(&mut store, &args, &mut results).unwrap();
        for i in 0..COUNT {
            assert!(matches!(results[i], Val::V128(x) if x == (i as u128) << 64 | 7));
            assert!(matches!(results[COUNT + i], Val::I64(x) if x == i as i64));
        }
    }
}

#[test]
fn twelve_typed_parameters() {
    for engine in engines() {
        let mut store = Store::new(&engine, ());
        let digits = |a: i32, b: i32, c: i32, d: i32, e: i32, f: i32, g: i32| {
            [a, b, c, d, e, f, g].iter().fold(0, |sum, x| sum * 10 + i64::from(*x))
        };
        let host = Func::wrap(
            &mut store,
            move |a: i32, b, c, d, e, f, g, h: i64, i: i64, j: f32, k: f64, l: u32| {
                (digits(a, b, c, d, e, f, g), h - i, j, k, l)
            },
        )
        .unwrap();
        let wat = r#"(module
          (type $t (func (param i32 i32 i32 i32 i32 i32 i32 i64 i64 f32 f64 i32)
                         (result i64 i64 f32 f64 i32)))
          (import "" "" (func $host (type $t)))
          (func (export "run") (type $t)
            local.get 0 local.get 1 local.get 2 local.get 3 local.get 4 local.get 5 local.get 6
            local.get 7 local.get 8 local.get 9 local.get 10 local.get 11 call $host))"#;
        let module = Module::new(&engine, wat).unwrap();
        let instance = Instance::new(&mut store, &module, &[host.into()]).unwrap();
        type Params = (i32, i32, i32, i32, i32, i32, i32, i64, i64, f32, f64, u32);
        type Results = (i64, i64, f32, f64, u32);
        let run = instance.typed_func::<Params, Results>(&store, "run").unwrap();
        let results = run.call(&mut store, (1, 2, 3, 4, 5, 6, 7, 8, 9, 0.5, -2.25, 12)).unwrap();
        assert_eq!(results, (1_234_567, -1, 0.5, -2.25, 12));
        // The host may call its own function, too.
        let host = host.typed::<Params, Results>(&store).unwrap();
        let results = host.call(&mut store, (0, 0, 0, 0, 0, 0, 1, 3, 1, 1.5, 2.5, 4)).unwrap();
        assert_eq!(results, (1, 2, 1.5, 2.5, 4));
    }
}

#[test]
fn raw_functions_cannot_break_slots() {
    for engine in engines() {
        let mut linker = Linker::<()>::new(&engine);
        let refs = FuncType::new([ValType::FUNCREF], []);
        fails_with(linker.func_raw("", "refs", refs, |_, _| Ok(())), ErrorKind::Usage);
        let refs = FuncType::new([], [ValType::EXTERNREF]);
        fails_with(linker.func_raw("", "refs", refs, |_, _| Ok(())), ErrorKind::Usage);

        let ty = FuncType::new([ValType::V128, ValType::I32], [ValType::I32, ValType::V128]);
        linker
            .func_raw("", "raw", ty, |_, slots| {
                // A host that forgets that an i32 is half a slot.
                let [low, high, narrow] = *slots else { return Err(Error::host("three slots")) };
                slots.copy_from_slice(&[u64::MAX << 32 | narrow, low, high]);
                Ok(())
            })
            .unwrap();
        let wat = r#"(module
          (import "" "raw" (func $raw (param v128 i32) (result i32 v128)))
          (func (export "run") (result i64 i64) (local i64)
            (call $raw (v128.const i64x2 5 6) (i32.const -2))
            i64x2.extract_lane 1
            local.set 0
            i64.extend_i32_u
            local.get 0))"#;
        let module = Module::new(&engine, wat).unwrap();
        let mut store = Store::new(&engine, ());
        let instance = linker.instantiate(&mut store, &module).unwrap();
        let run = instance.typed_func::<(), (u64, u64)>(&store, "run").unwrap();
        assert_eq!(run.call(&mut store, ()).unwrap(), (0xffff_fffe, 6));
    }
}

// Handles of another store.

/// Whatever is done with them is refused, with a sentence and without a change.
#[test]
fn handles_belong_to_their_store() {
    const ALL: &str = r#"(module
      (func (export "func") (param funcref externref))
      (func (export "takes") (param funcref))
      (memory (export "memory") 1)
      (table (export "table") 4 funcref)
      (table (export "externs") 4 externref)
      (global (export "global") (mut i32) (i32.const 3))
      (global (export "funcs") (mut funcref) (ref.null func)))"#;
    for engine in engines() {
        let (mut ours, mine) = guest(&engine, ALL);
        let (mut other, theirs) = guest(&engine, ALL);
        let usage = ErrorKind::Usage;

        assert!(theirs.export(&ours, "func").is_none());
        fails_with(theirs.exports(&ours), usage);
        let func = theirs.func(&other, "func").unwrap();
        let nulls = [Val::FuncRef(None), Val::ExternRef(None)];
        let error = fails_with(func.call(&mut ours, &nulls, &mut []), usage);
        assert_eq!(error.to_string(), "the handle belongs to another store");
        fails_with(func.ty(&ours), usage);
        fails_with(func.typed::<(), ()>(&ours), usage);
        let takes = theirs.typed_func::<Option<Func>, ()>(&other, "takes").unwrap();
        fails_with(takes.call(&mut ours, None), usage);
        fails_with(Extern::from(func).ty(&ours), usage);

        // As arguments, in every way that a value enters a store.
        let external = ExternRef::new(&mut other, 5).unwrap();
        fails_with(external.data(&ours).map(|_| ()), usage);
        let ours_func = mine.func(&ours, "func").unwrap();
        let (f, e) = (Val::FuncRef(Some(func)), Val::ExternRef(Some(external)));
        fails_with(ours_func.call(&mut ours, &[f, Val::ExternRef(None)], &mut []), usage);
        fails_with(ours_func.call(&mut ours, &[Val::FuncRef(None), e], &mut []), usage);
        let takes = mine.typed_func::<Option<Func>, ()>(&ours, "takes").unwrap();
        fails_with(takes.call(&mut ours, Some(func)), usage);
        let table = mine.table(&ours, "table").unwrap();
        fails_with(table.set(&mut ours, 0, f), usage);
        fails_with(table.grow(&mut ours, 1, f), usage);
        fails_with(mine.table(&ours, "externs").unwrap().set(&mut ours, 0, e), usage);
        fails_with(mine.global(&ours, "funcs").unwrap().set(&mut ours, f), usage);
        fails_with(Table::new(&mut ours, table_type(RefType::FUNCREF, 1, None), f), usage);
        let ty = GlobalType { value: ValType::EXTERNREF, mutable: false };
        fails_with(Global::new(&mut ours, ty, e), usage);
        assert_eq!(table.size(&ours).unwrap(), 4);

        // As results of host functions.
        let host = Func::wrap(&mut ours, move || Some(func)).unwrap();
        fails_with(host.call(&mut ours, &[], &mut [Val::I32(0)]), usage);
        let host = Func::new(&mut ours, FuncType::new([], [ValType::EXTERNREF]), move |_, _, r| {
            r[0] = e;
            Ok(())
        });
        fails_with(host.unwrap().call(&mut ours, &[], &mut [Val::I32(0)]), usage);

        let memory = theirs.memory(&other, "memory").unwrap();
        fails_with(memory.data(&ours).map(|_| ()), usage);
        fails_with(memory.data_mut(&mut ours).map(|_| ()), usage);
        fails_with(memory.read(&ours, 0, &mut [0]), usage);
        fails_with(memory.write(&mut ours, 0, &[0]), usage);
        fails_with(memory.size(&ours), usage);
        fails_with(memory.ty(&ours), usage);
        fails_with(memory.grow(&mut ours, 1), usage);

        let table = theirs.table(&other, "table").unwrap();
        fails_with(table.ty(&ours), usage);
        fails_with(table.size(&ours), usage);
        fails_with(table.get(&ours, 0), usage);
        fails_with(table.set(&mut ours, 0, Val::FuncRef(None)), usage);
        fails_with(table.grow(&mut ours, 1, Val::FuncRef(None)), usage);

        let global = theirs.global(&other, "global").unwrap();
        fails_with(global.ty(&ours), usage);
        fails_with(global.get(&ours), usage);
        fails_with(global.set(&mut ours, Val::I32(4)), usage);

        // As imports.
        let imports = r#"(module (import "m" "memory" (memory 1)))"#;
        let module = Module::new(&engine, imports).unwrap();
        fails_with(Instance::new(&mut ours, &module, &[memory.into()]), usage);
        let mut linker = Linker::new(&engine);
        linker.define("m", "memory", memory).unwrap();
        fails_with(linker.instantiate(&mut ours, &module), usage);
        fails_with(linker.instance(&mut ours, "n", theirs).map(|_| ()), usage);

        assert_eq!(memory.size(&other).unwrap(), 1);
        assert!(matches!(global.get(&other).unwrap(), Val::I32(3)));
        func.call(&mut other, &nulls, &mut []).unwrap();
    }
}

#[test]
fn modules_and_stores_belong_to_their_engine() {
    let [one, two, ..] = engines();
    // Many types, so that ids of one engine mean nothing to the other.
    let types: String =
        (0..50).map(|i| format!("(type (func {}))", " (param i32)".repeat(i))).collect();
    Module::new(&two, format!("(module {types})")).unwrap();
    let wat = r#"(module (import "" "f" (func (param i64 i64))))"#;
    let module = Module::new(&one, wat).unwrap();
    let mut store = Store::new(&two, ());
    let func = Func::wrap(&mut store, |_: i64, _: i64| ()).unwrap();
    fails_with(Instance::new(&mut store, &module, &[func.into()]), ErrorKind::Usage);
    for engine in [&one, &two] {
        let mut linker = Linker::new(engine);
        linker.func_wrap("", "f", |_: i64, _: i64| ()).unwrap();
        fails_with(linker.instantiate(&mut store, &module), ErrorKind::Usage);
    }
}

// References.

#[test]
fn external_references_pass_through_guests() {
    const WAT: &str = r#"(module
      (table $t (export "table") 2 10 externref)
      (global $g (export "global") (mut externref) (ref.null extern))
      (func (export "keep") (param i32 externref) (table.set $t (local.get 0) (local.get 1)))
      (func (export "kept") (param i32) (result externref) (table.get $t (local.get 0)))
      (func (export "is_null") (param externref) (result i32) (ref.is_null (local.get 0)))
      (func (export "global_set") (param externref) (global.set $g (local.get 0))))"#;
    for engine in engines() {
        let (mut store, instance) = guest(&engine, WAT);
        let keep = instance.typed_func::<(i32, Option<ExternRef>), ()>(&store, "keep").unwrap();
        let kept = instance.typed_func::<i32, Option<ExternRef>>(&store, "kept").unwrap();
        let is_null = instance.typed_func::<Option<ExternRef>, i32>(&store, "is_null").unwrap();
        let text = ExternRef::new(&mut store, String::from("text")).unwrap();
        let number = ExternRef::new(&mut store, 17u64).unwrap();
        assert!(!text.same(&number, &store).unwrap());
        keep.call(&mut store, (0, Some(text))).unwrap();
        keep.call(&mut store, (1, Some(number))).unwrap();
        assert_eq!(is_null.call(&mut store, Some(number)).unwrap(), 0);
        assert_eq!(is_null.call(&mut store, None).unwrap(), 1);
        let back = kept.call(&mut store, 0).unwrap().unwrap();
        assert!(back.same(&text, &store).unwrap());
        assert_eq!(back.data(&store).unwrap().downcast_ref::<String>().unwrap(), "text");
        let back = kept.call(&mut store, 1).unwrap().unwrap();
        assert_eq!(back.data(&store).unwrap().downcast_ref(), Some(&17u64));
        assert!(back.data(&store).unwrap().downcast_ref::<String>().is_none());
        traps_with(keep.call(&mut store, (2, None)), TrapKind::TableOutOfBounds);

        let table = instance.table(&store, "table").unwrap();
        assert_eq!(table.grow(&mut store, 3, Val::ExternRef(Some(text))).unwrap(), 2);
        let again = kept.call(&mut store, 4).unwrap().unwrap();
        assert!(again.same(&text, &store).unwrap());
        table.set(&mut store, 4, Val::ExternRef(None)).unwrap();
        assert!(kept.call(&mut store, 4).unwrap().is_none());
        let global = instance.global(&store, "global").unwrap();
        let set = instance.typed_func::<Option<ExternRef>, ()>(&store, "global_set").unwrap();
        set.call(&mut store, Some(number)).unwrap();
        assert!(
            matches!(global.get(&store).unwrap(), Val::ExternRef(Some(x)) if x.same(&number, &store).unwrap())
        );
    }
}

#[test]
fn function_references_pass_through_guests() {
    const WAT: &str = r#"(module
      (type $i (func (result i32)))
      (type $wide (func (param i64)))
      (table $t 2 funcref)
      (func $seven (export "seven") (type $i) (i32.const 7))
      (func (export "wide") (type $wide))
      (func (export "give") (result funcref) (ref.func $seven))
      (func (export "call") (param funcref) (result i32)
        (table.set $t (i32.const 1) (local.get 0))
        (call_indirect $t (type $i) (i32.const 1)))
      (func (export "call_ref") (param (ref null $i)) (result i32) (call_ref $i (local.get 0)))
      (func (export "non_null") (param (ref $i)) (result i32) (call_ref $i (local.get 0))))"#;
    for engine in engines() {
        let (mut store, instance) = guest(&engine, WAT);
        let give = instance.typed_func::<(), Option<Func>>(&store, "give").unwrap();
        let call = instance.typed_func::<Option<Func>, i32>(&store, "call").unwrap();
        let seven = give.call(&mut store, ()).unwrap().unwrap();
        assert_eq!(seven.typed::<(), i32>(&store).unwrap().call(&mut store, ()).unwrap(), 7);
        assert_eq!(call.call(&mut store, Some(seven)).unwrap(), 7);
        let host = Func::wrap(&mut store, || 35).unwrap();
        assert_eq!(call.call(&mut store, Some(host)).unwrap(), 35);
        traps_with(call.call(&mut store, None), TrapKind::UninitializedElement);
        let wide = instance.func(&store, "wide").unwrap();
        traps_with(call.call(&mut store, Some(wide)), TrapKind::IndirectCallTypeMismatch);

        // A function of another instance, whose memory must not be mixed up with the caller's.
        let other = add_guest(
            &mut store,
            r#"(module (memory 1) (data (i32.const 0) "\2a")
                 (func (export "read") (result i32) (i32.load8_u (i32.const 0))))"#,
        );
        let read = other.func(&store, "read").unwrap();
        assert_eq!(call.call(&mut store, Some(read)).unwrap(), 42);

        // Typed references: only functions of the type.
        let mut result = [Val::I32(0)];
        for name in ["call_ref", "non_null"] {
            let func = instance.func(&store, name).unwrap();
            func.call(&mut store, &[Val::FuncRef(Some(host))], &mut result).unwrap();
            assert!(matches!(result, [Val::I32(35)]));
            let args = [Val::FuncRef(Some(wide))];
            fails_with(func.call(&mut store, &args, &mut result), ErrorKind::Usage);
        }
        let null = [Val::FuncRef(None)];
        let call_ref = instance.func(&store, "call_ref").unwrap();
        traps_with(call_ref.call(&mut store, &null, &mut result), TrapKind::NullFunction);
        let non_null = instance.func(&store, "non_null").unwrap();
        fails_with(non_null.call(&mut store, &null, &mut result), ErrorKind::Usage);
    }
}

#[test]
fn host_functions_must_give_what_they_promise() {
    for engine in engines() {
        let mut store = Store::new(&engine, ());
        let wat = r#"(module (import "" "" (func $f (result i32)))
          (func (export "run") (result i32) (call $f)))"#;
        let module = Module::new(&engine, wat).unwrap();
        let ty = FuncType::new([], [ValType::I32]);
        let lying = Func::new(&mut store, ty, |_, _, results| {
            results[0] = Val::I64(1);
            Ok(())
        });
        let instance = Instance::new(&mut store, &module, &[lying.unwrap().into()]).unwrap();
        let run = instance.typed_func::<(), i32>(&store, "run").unwrap();
        let error = fails_with(run.call(&mut store, ()), ErrorKind::Usage);
        assert_eq!(error.to_string(), "expected a value of type i32, found I64(1)");

        // A reference that cannot be null has no default: a host that sets none gives none.
        let heap = HeapType::Func;
        let value = ValType::Ref(RefType { nullable: false, heap });
        let lazy = Func::new(&mut store, FuncType::new([], [value]), |_, _, _| Ok(())).unwrap();
        fails_with(lazy.call(&mut store, &[], &mut [Val::I32(0)]), ErrorKind::Usage);
    }
}

// Host functions.

/// A guest that calls `host.f` and has memory and a way to be entered again.
const CALLS_HOST: &str = r#"(module
  (import "host" "f" (func $f (param i32) (result i32)))
  (memory (export "memory") 1)
  (func $inner (export "run") (param i32) (result i32)
    (i32.add (call $f (local.get 0)) (i32.const 1)))
  (func (export "double") (param i32) (result i32) (i32.mul (local.get 0) (i32.const 2))))"#;

fn run_of<T>(store: &mut Store<T>, instance: Instance) -> TypedFunc<i32, i32> {
    instance.typed_func(&*store, "run").unwrap()
}

#[test]
fn a_panic_passes_through_the_guest_and_the_store_lives() {
    for engine in engines() {
        let module = Module::new(&engine, CALLS_HOST).unwrap();
        let mut linker = Linker::new(&engine);
        let f = |mut caller: Caller<'_, ()>, n: i32| -> Result<i32> {
            if n == 0 {
                panic!("seventeen");
            }
            // Enters the guest again, whose host call panics in the end.
            let Some(Extern::Func(run)) = caller.export("run") else { panic!("an export") };
            run.typed::<i32, i32>(&caller)?.call(&mut caller, n - 1)
        };
        linker.func_wrap("host", "f", f).unwrap();
        let mut store = Store::new(&engine, ());
        let instance = linker.instantiate(&mut store, &module).unwrap();
        let run = run_of(&mut store, instance);
        let double = instance.typed_func::<i32, i32>(&store, "double").unwrap();
        // Often enough to meet the limit of nested entries if one leaked.
        for depth in (0..4).cycle().take(400) {
            let panic = catch_unwind(AssertUnwindSafe(|| run.call(&mut store, depth)));
            let payload = panic.expect_err("the panic of the host function");
            assert_eq!(payload.downcast_ref::<&str>(), Some(&"seventeen"));
            assert_eq!(double.call(&mut store, 21).unwrap(), 42);
        }
    }
}

#[test]
fn a_host_function_may_catch_the_panic_of_another() {
    for engine in engines() {
        let module = Module::new(&engine, CALLS_HOST).unwrap();
        let mut linker = Linker::new(&engine);
        let f = |mut caller: Caller<'_, ()>, n: i32| -> i32 {
            assert!(n > 0, "the innermost host function");
            let run = caller.export("run").and_then(Extern::func).unwrap();
            let run = run.typed::<i32, i32>(&caller).unwrap();
            let inner = catch_unwind(AssertUnwindSafe(|| run.call(&mut caller, n - 1)));
            inner.map_or(100, |inner| inner.unwrap())
        };
        linker.func_wrap("host", "f", f).unwrap();
        let mut store = Store::new(&engine, ());
        let instance = linker.instantiate(&mut store, &module).unwrap();
        let run = run_of(&mut store, instance);
        assert_eq!(run.call(&mut store, 1).unwrap(), 101);
        assert_eq!(run.call(&mut store, 3).unwrap(), 103);
    }
}

#[test]
fn host_and_guest_call_each_other_to_a_limit() {
    for engine in engines() {
        let module = Module::new(&engine, CALLS_HOST).unwrap();
        let mut linker = Linker::new(&engine);
        let f = |mut caller: Caller<'_, u32>, n: i32| -> Result<i32> {
            *caller.data_mut() += 1;
            match n {
                0 => Ok(0),
                n => {
                    let run = caller.export("run").and_then(Extern::func).unwrap();
                    run.typed::<i32, i32>(&caller)?.call(&mut caller, n - 1)
                }
            }
        };
        linker.func_wrap("host", "f", f).unwrap();
        let mut store = Store::new(&engine, 0);
        let instance = linker.instantiate(&mut store, &module).unwrap();
        let run = run_of(&mut store, instance);
        for _ in 0..3 {
            assert_eq!(run.call(&mut store, 50).unwrap(), 51);
            *store.data_mut() = 0;
            let error = traps_with(run.call(&mut store, i32::MAX), TrapKind::StackExhausted);
            assert!(error.trap().unwrap().frames().len() > 1);
            assert!((100..1000).contains(store.data()), "{} entries", store.data());
        }
    }
}

/// Arguments and results of an outer call survive what inner calls do to the value stack.
#[test]
fn inner_calls_leave_outer_frames_alone() {
    const WAT: &str = r#"(module
      (import "host" "f" (func $f (param i64 i64) (result i64 i64)))
      (func $deep (export "deep") (param i64 i64) (result i64)
        (if (result i64) (i64.eqz (local.get 0))
          (then (local.get 1))
          (else (call $deep (i64.sub (local.get 0) (i64.const 1))
                            (i64.mul (local.get 1) (i64.const 3))))))
      (func (export "run") (param i64) (result i64 i64 i64)
        (local i64)
        (local.set 1 (i64.const 1000))
        (i64.const 5)
        (call $f (local.get 0) (i64.const 9))
        (local.set 0)
        (i64.add (local.get 1))
        (local.get 0)))"#;
    for engine in engines() {
        let module = Module::new(&engine, WAT).unwrap();
        let mut linker = Linker::new(&engine);
        let f = |mut caller: Caller<'_, ()>, a: i64, b: i64| -> Result<(i64, i64)> {
            let deep = caller.export("deep").and_then(Extern::func).unwrap();
            let deep = deep.typed::<(i64, i64), i64>(&caller)?;
            assert_eq!(deep.call(&mut caller, (20, 1))?, 3i64.pow(20));
            let run = caller.export("run").and_then(Extern::func).unwrap();
            if a > 0 {
                let inner = run.typed::<i64, (i64, i64, i64)>(&caller)?.call(&mut caller, a - 1)?;
                assert_eq!(inner, (5, 1000 + a - 1, 9));
            }
            Ok((a, b))
        };
        linker.func_wrap("host", "f", f).unwrap();
        let mut store = Store::new(&engine, ());
        let instance = linker.instantiate(&mut store, &module).unwrap();
        let run = instance.typed_func::<i64, (i64, i64, i64)>(&store, "run").unwrap();
        assert_eq!(run.call(&mut store, 10).unwrap(), (5, 1010, 9));
    }
}

#[test]
fn errors_and_exits_pass_through_guests() {
    #[derive(Debug)]
    struct Broken;
    impl std::fmt::Display for Broken {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("the printer is on fire")
        }
    }
    impl std::error::Error for Broken {}

    for engine in engines() {
        let module = Module::new(&engine, CALLS_HOST).unwrap();
        let mut linker = Linker::new(&engine);
        let f = |mut caller: Caller<'_, ()>, n: i32| -> Result<i32> {
            match n {
                0 => Err(Error::exit(3)),
                1 => Err(Error::host(Broken)),
                2 => Err(Error::trap_of(TrapKind::CastFailure)),
                3 => Err(Error::host("plain words")),
                n => {
                    let run = caller.export("run").and_then(Extern::func).unwrap();
                    run.typed::<i32, i32>(&caller)?.call(&mut caller, n - 4)
                }
            }
        };
        linker.func_wrap("host", "f", f).unwrap();
        let mut store = Store::new(&engine, ());
        let instance = linker.instantiate(&mut store, &module).unwrap();
        let run = run_of(&mut store, instance);
        for nested in [0, 4, 8] {
            let error = fails_with(run.call(&mut store, nested), ErrorKind::Exit(3));
            assert_eq!(error.exit_status(), Some(3));
            assert!(error.trap().is_none());

            let error = fails_with(run.call(&mut store, nested + 1), ErrorKind::Host);
            assert_eq!(error.to_string(), "the printer is on fire");
            assert!(error.source().is_some_and(|source| source.is::<Broken>()));
            assert_eq!(error.exit_status(), None);

            let error = traps_with(run.call(&mut store, nested + 2), TrapKind::CastFailure);
            assert_eq!(error.to_string(), "wasm trap: cast failure");
            let frames = error.trap().unwrap().frames();
            assert_eq!(frames.len(), 1 + nested as usize / 4);
            assert!(frames.iter().all(|f| f.name.as_deref() == Some("inner")), "{frames:?}");

            let error = fails_with(run.call(&mut store, nested + 3), ErrorKind::Host);
            assert_eq!(error.to_string(), "plain words");
        }
    }
}

#[test]
fn closures_of_every_result_type() {
    for engine in engines() {
        let mut store = Store::new(&engine, 5);
        let unit = Func::wrap(&mut store, || ()).unwrap();
        assert_eq!(unit.ty(&store).unwrap(), FuncType::default());
        let fails = Func::wrap(&mut store, || -> Result<()> { Err(Error::host("no")) }).unwrap();
        fails_with(fails.call(&mut store, &[], &mut []), ErrorKind::Host);
        let state = Func::wrap(&mut store, |mut caller: Caller<'_, i32>| {
            *caller.data_mut() += 1;
            assert!(caller.export("anything").is_none(), "the host called");
            assert!(caller.memory_and_data("anything").is_none());
            f64::from(*caller.data())
        });
        let state = state.unwrap().typed::<(), f64>(&store).unwrap();
        assert_eq!(state.call(&mut store, ()).unwrap(), 6.0);
        assert_eq!(*store.data(), 6);
        assert_eq!(store.into_data(), 6);
    }
}

// Stopping.

const SPIN: &str = r#"(module
  (func (export "spin") (loop (br 0)))
  (func $f (export "tail") (return_call $g))
  (func $g (return_call $f))
  (func (export "answer") (result i32) (i32.const 42)))"#;

#[test]
fn another_thread_interrupts_a_guest() {
    for engine in engines() {
        for name in ["spin", "tail"] {
            let (mut store, instance) = guest(&engine, SPIN);
            let handle = store.interrupt_handle();
            let func = instance.typed_func::<(), ()>(&store, name).unwrap();
            let (started, start) = mpsc::channel();
            let thread = std::thread::spawn(move || {
                start.recv().unwrap();
                std::thread::sleep(Duration::from_millis(20));
                handle.interrupt();
                Instant::now()
            });
            started.send(()).unwrap();
            let result = func.call(&mut store, ());
            let ended = Instant::now();
            let asked = thread.join().unwrap();
            let error = traps_with(result, TrapKind::Interrupt);
            assert_eq!(error.trap().unwrap().frames().len(), 1);
            assert!(ended.saturating_duration_since(asked) < Duration::from_secs(5));
        }
    }
}

#[test]
fn an_interrupt_stops_the_next_call_once() {
    for engine in engines() {
        let (mut store, instance) = guest(&engine, SPIN);
        let answer = instance.typed_func::<(), i32>(&store, "answer").unwrap();
        store.interrupt_handle().clone().interrupt();
        traps_with(answer.call(&mut store, ()), TrapKind::Interrupt);
        assert_eq!(answer.call(&mut store, ()).unwrap(), 42);
    }
}

#[test]
fn a_host_function_interrupts_its_own_guest() {
    for engine in engines() {
        let wat = r#"(module (import "" "stop" (func $stop))
          (func (export "run") (loop (call $stop) (br 0))))"#;
        let module = Module::new(&engine, wat).unwrap();
        let mut linker = Linker::new(&engine);
        linker
            .func_wrap("", "stop", |caller: Caller<'_, (u32, Option<InterruptHandle>)>| {
                if let (_, Some(handle)) = caller.data() {
                    handle.interrupt();
                }
            })
            .unwrap();
        let mut store = Store::new(&engine, (0, None));
        store.data_mut().1 = Some(store.interrupt_handle());
        let instance = linker.instantiate(&mut store, &module).unwrap();
        let run = instance.typed_func::<(), ()>(&store, "run").unwrap();
        traps_with(run.call(&mut store, ()), TrapKind::Interrupt);
    }
}

const COUNT: &str = r#"(module
  (global $done (export "done") (mut i32) (i32.const 0))
  (func (export "count") (param i32)
    (loop
      (global.set $done (i32.add (global.get $done) (i32.const 1)))
      (br_if 0 (local.tee 0 (i32.sub (local.get 0) (i32.const 1)))))))"#;

#[test]
fn fuel_runs_out_and_is_given_again() {
    /// Operators of one iteration, and of the function around the loop.
    const EACH: u64 = 9;
    for engine in fuel_engines() {
        let (mut store, instance) = guest(&engine, COUNT);
        let count = instance.typed_func::<i32, ()>(&store, "count").unwrap();
        let done = instance.global(&store, "done").unwrap();
        assert_eq!(store.fuel(), Some(0));
        traps_with(count.call(&mut store, 1), TrapKind::OutOfFuel);

        store.set_fuel(10_000).unwrap();
        count.call(&mut store, 100).unwrap();
        assert_eq!(store.fuel(), Some(10_000 - 100 * EACH));
        // Fuel is not renewed by a call.
        let error = traps_with(count.call(&mut store, i32::MAX), TrapKind::OutOfFuel);
        assert_eq!(error.trap().unwrap().frames().len(), 1);
        assert_eq!(store.fuel(), Some(0));
        let Val::I32(before) = done.get(&store).unwrap() else { panic!("an i32") };
        assert!((1000..=1112).contains(&before), "{before}");

        // The store is as good as new, and exactly enough is enough.
        store.set_fuel(7 * EACH).unwrap();
        count.call(&mut store, 7).unwrap();
        assert_eq!(store.fuel(), Some(0));
        assert!(matches!(done.get(&store).unwrap(), Val::I32(after) if after == before + 7));
        store.set_fuel(7 * EACH - 1).unwrap();
        traps_with(count.call(&mut store, 7), TrapKind::OutOfFuel);
        store.set_fuel(u64::MAX).unwrap();
        count.call(&mut store, 7).unwrap();
    }
}

#[test]
fn an_engine_without_fuel_says_so() {
    for engine in engines() {
        let (mut store, instance) = guest(&engine, COUNT);
        assert!(!engine.counts_fuel());
        assert_eq!(store.fuel(), None);
        fails_with(store.set_fuel(1), ErrorKind::Usage);
        instance.typed_func::<i32, ()>(&store, "count").unwrap().call(&mut store, 1000).unwrap();
    }
}

#[test]
fn the_stack_is_as_deep_as_its_limit() {
    const WAT: &str = r#"(module
      (global $deep (export "deep") (mut i32) (i32.const 0))
      (func $f (export "f") (param i32)
        (global.set $deep (i32.add (global.get $deep) (i32.const 1)))
        (call $f (local.get 0)))
      (func (export "deepest") (param i32) (result i32)
        (if (result i32) (local.get 0)
          (then (call 1 (i32.sub (local.get 0) (i32.const 1))))
          (else (i32.const 42)))))"#;
    for engine in engines() {
        let module = Module::new(&engine, WAT).unwrap();
        let mut depths = Vec::new();
        for stack_bytes in [0, 1 << 14, 1 << 18, 1 << 22] {
            let mut store = Store::new(&engine, ());
            store.set_limits(StoreLimits { stack_bytes, ..StoreLimits::default() });
            let instance = Instance::new(&mut store, &module, &[]).unwrap();
            let f = instance.typed_func::<i32, ()>(&store, "f").unwrap();
            let global = instance.global(&store, "deep").unwrap();
            for _ in 0..2 {
                global.set(&mut store, Val::I32(0)).unwrap();
                let error = traps_with(f.call(&mut store, 1), TrapKind::StackExhausted);
                assert_eq!(error.to_string(), "wasm trap: call stack exhausted");
                assert!(error.trap().unwrap().frames().len() <= 64);
            }
            let Val::I32(depth) = global.get(&store).unwrap() else { panic!("an i32") };
            depths.push(depth);
            // A frame costs at most 16 slots here.
            assert!(depth as usize <= stack_bytes.max(512) / 8, "{depth} in {stack_bytes}");
            assert!(depth as usize >= stack_bytes / 128, "{depth} in {stack_bytes}");
        }
        assert!(depths.is_sorted());
    }
}

// Limits.

fn limited(engine: &Engine, limits: StoreLimits) -> Store<()> {
    let mut store = Store::new(engine, ());
    store.set_limits(limits);
    store
}

#[test]
fn memories_stay_below_their_limit() {
    const WAT: &str = r#"(module
      (memory (export "memory") 2)
      (func (export "grow") (param i32) (result i32) (memory.grow (local.get 0)))
      (func (export "touch") (param i32) (i32.store8 (local.get 0) (i32.const 1))))"#;
    const PAGE: usize = 1 << 16;
    for engine in engines() {
        let module = Module::new(&engine, WAT).unwrap();
        let limits = StoreLimits { memory_bytes: 3 * PAGE + 5, ..StoreLimits::default() };
        let mut store = limited(&engine, limits);
        let instance = Instance::new(&mut store, &module, &[]).unwrap();
        let grow = instance.typed_func::<i32, i32>(&store, "grow").unwrap();
        let touch = instance.typed_func::<i32, ()>(&store, "touch").unwrap();
        assert_eq!(grow.call(&mut store, 2).unwrap(), -1);
        assert_eq!(grow.call(&mut store, -1).unwrap(), -1);
        assert_eq!(store.refused_grows(), 2);
        assert_eq!(grow.call(&mut store, 1).unwrap(), 2);
        assert_eq!(grow.call(&mut store, 1).unwrap(), -1);
        assert_eq!(grow.call(&mut store, 0).unwrap(), 3);
        touch.call(&mut store, 3 * PAGE as i32 - 1).unwrap();
        traps_with(touch.call(&mut store, 3 * PAGE as i32), TrapKind::MemoryOutOfBounds);
        let memory = instance.memory(&store, "memory").unwrap();
        let error = fails_with(memory.grow(&mut store, 1), ErrorKind::Limit);
        assert_eq!(error.to_string(), "the memory cannot grow by 1 pages");
        fails_with(memory.grow(&mut store, u64::MAX), ErrorKind::Limit);
        assert_eq!(store.memory_bytes(), 3 * PAGE);

        let mut store = limited(&engine, StoreLimits { memory_bytes: PAGE, ..limits });
        fails_with(Instance::new(&mut store, &module, &[]), ErrorKind::Limit);
        fails_with(Memory::new(&mut store, memory_type(2, None)), ErrorKind::Limit);
        // A small memory is fine, and the failure left nothing behind that counts.
        let memory = Memory::new(&mut store, memory_type(1, Some(9))).unwrap();
        assert_eq!(store.memory_bytes(), PAGE);
        fails_with(memory.grow(&mut store, 1), ErrorKind::Limit);
    }
}

#[test]
fn claimed_sizes_cost_nothing() {
    for engine in engines() {
        for wat in [
            "(module (memory i64 0xffff_ffff_ffff))",
            "(module (table 0xffff_ffff funcref))",
            "(module (table i64 0xffff_ffff_ffff_ffff funcref))",
            "(module (memory i64 0xffff_ffff_ffff_ffff (pagesize 1)))",
        ] {
            let module = Module::new(&engine, wat).unwrap();
            let mut store = Store::new(&engine, ());
            fails_with(Instance::new(&mut store, &module, &[]), ErrorKind::Limit);
        }
    }
}

#[test]
fn tables_stay_below_their_limit() {
    const WAT: &str = r#"(module
      (table $t (export "table") 5 funcref)
      (func (export "grow") (param i32) (result i32)
        (table.grow $t (ref.null func) (local.get 0))))"#;
    for engine in engines() {
        let module = Module::new(&engine, WAT).unwrap();
        let limits = StoreLimits { table_elements: 10, ..StoreLimits::default() };
        let mut store = limited(&engine, limits);
        let instance = Instance::new(&mut store, &module, &[]).unwrap();
        let grow = instance.typed_func::<i32, i32>(&store, "grow").unwrap();
        assert_eq!(grow.call(&mut store, 6).unwrap(), -1);
        assert_eq!(grow.call(&mut store, -1).unwrap(), -1);
        assert_eq!(grow.call(&mut store, 5).unwrap(), 5);
        let table = instance.table(&store, "table").unwrap();
        fails_with(table.grow(&mut store, 1, Val::FuncRef(None)), ErrorKind::Limit);
        fails_with(table.grow(&mut store, u64::MAX, Val::FuncRef(None)), ErrorKind::Limit);
        assert_eq!(table.size(&store).unwrap(), 10);
        let mut store = limited(&engine, StoreLimits { table_elements: 4, ..limits });
        fails_with(Instance::new(&mut store, &module, &[]), ErrorKind::Limit);
        // Ten million elements by default, whatever a module declares.
        let mut store = Store::new(&engine, ());
        let instance = Instance::new(&mut store, &module, &[]).unwrap();
        let grow = instance.typed_func::<i32, i32>(&store, "grow").unwrap();
        assert_eq!(grow.call(&mut store, 10_000_000).unwrap(), -1);
    }
}

#[test]
fn counts_of_entities_are_limited() {
    for engine in engines() {
        let empty = Module::new(&engine, "(module)").unwrap();
        let memories = Module::new(&engine, "(module (memory 0) (memory 0))").unwrap();
        let tables = Module::new(&engine, "(module (table 0 funcref) (table 0 funcref))").unwrap();
        let mut store = limited(
            &engine,
            StoreLimits { instances: 3, memories: 3, tables: 3, ..StoreLimits::default() },
        );
        Instance::new(&mut store, &memories, &[]).unwrap();
        Instance::new(&mut store, &tables, &[]).unwrap();
        let error = fails_with(Instance::new(&mut store, &memories, &[]), ErrorKind::Limit);
        assert_eq!(error.to_string(), "the store's limit of 3 memories is reached");
        fails_with(Memory::new(&mut store, memory_type(0, None)), ErrorKind::Limit);
        fails_with(Instance::new(&mut store, &tables, &[]), ErrorKind::Limit);
        let null = Val::FuncRef(None);
        let ty = table_type(RefType::FUNCREF, 0, None);
        fails_with(Table::new(&mut store, ty, null), ErrorKind::Limit);
        Instance::new(&mut store, &empty, &[]).unwrap();
        let error = fails_with(Instance::new(&mut store, &empty, &[]), ErrorKind::Limit);
        assert_eq!(error.to_string(), "the store's limit of 3 instances is reached");
    }
}

// Threads.

/// All threads run the same functions at the same moment, each for the first time.
#[test]
fn threads_share_a_module_while_it_is_translated() {
    const THREADS: usize = 8;
    const FUNCS: usize = 200;
    let body = |i: usize| {
        format!(
            r#"(func (export "f{i}") (param i32) (result i32) (local i32)
                 (loop
                   (local.set 1 (i32.add (local.get 1) (i32.const {i})))
                   (br_if 0 (local.tee 0 (i32.sub (local.get 0) (i32.const 1)))))
                 (if (result i32) (i32.eq (local.get 1) (i32.const -1))
                   (then (call {next} (i32.const 1)))
                   (else (local.get 1))))"#,
            next = (i + 1) % FUNCS
        )
    };
    let wat = format!("(module {})", (0..FUNCS).map(body).collect::<String>());
    for engine in engines() {
        for round in 0..5 {
            let module = Module::new(&engine, wat.as_str()).unwrap();
            let barrier = Arc::new(Barrier::new(THREADS));
            std::thread::scope(|scope| {
                for thread in 0..THREADS {
                    let (engine, module, barrier) = (&engine, &module, barrier.clone());
                    scope.spawn(move || {
                        barrier.wait();
                        let mut store = Store::new(engine, ());
                        let instance = Instance::new(&mut store, module, &[]).unwrap();
                        for i in 0..FUNCS {
                            let i = if thread % 2 == 0 { i } else { FUNCS - 1 - i };
                            let func = instance.typed_func::<i32, i32>(&store, &format!("f{i}"));
                            let result = func.unwrap().call(&mut store, 10).unwrap();
                            assert_eq!(result, 10 * i as i32, "round {round}");
                        }
                    });
                }
            });
            let interpreted = engine.strategy() == Strategy::Interpreter;
            assert_eq!(module.translated_bytes() > 0, interpreted);
        }
    }
}

#[test]
fn a_store_moves_between_threads() {
    for engine in engines() {
        let (mut store, instance) = guest(&engine, COUNT);
        let count = instance.typed_func::<i32, ()>(&store, "count").unwrap();
        for _ in 0..3 {
            store = std::thread::spawn(move || {
                count.call(&mut store, 5).unwrap();
                store
            })
            .join()
            .unwrap();
        }
        let done = instance.global(&store, "done").unwrap();
        assert!(matches!(done.get(&store).unwrap(), Val::I32(15)));
    }
}

#[test]
fn threads_define_types_in_one_engine() {
    for engine in engines() {
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for i in 0..100 {
                        let params = "i64 ".repeat(i % 20);
                        let wat = format!(
                            r#"(module (import "" "" (func (param {params})))
                                 (func (export "f") (param {params})))"#
                        );
                        let module = Module::new(&engine, wat).unwrap();
                        let mut store = Store::new(&engine, ());
                        let ty = FuncType::new(vec![ValType::I64; i % 20], []);
                        let host = Func::new(&mut store, ty, |_, _, _| Ok(())).unwrap();
                        Instance::new(&mut store, &module, &[host.into()]).unwrap();
                    }
                });
            }
        });
    }
}

// Linking.

#[test]
fn a_link_error_lists_every_import() {
    const WAT: &str = r#"(module
      (import "a" "missing" (func (param i32) (result i64)))
      (import "a" "good" (func))
      (import "a" "wrong" (func (param i32)))
      (import "b" "memory" (memory 2 4))
      (import "b" "table" (table 10 funcref))
      (import "b" "global" (global (mut i64)))
      (import "b" "kind" (memory 1))
      (import "c" "nothing" (global i32)))"#;
    for engine in engines() {
        let module = Module::new(&engine, WAT).unwrap();
        let mut store = Store::new(&engine, ());
        let mut linker = Linker::new(&engine);
        linker.func_wrap("a", "good", || ()).unwrap();
        linker.func_wrap("a", "wrong", |_: i64| ()).unwrap();
        let memory = Memory::new(&mut store, memory_type(1, Some(4))).unwrap();
        let ty = table_type(RefType::EXTERNREF, 10, None);
        let table = Table::new(&mut store, ty, Val::ExternRef(None)).unwrap();
        let ty = GlobalType { value: ValType::I64, mutable: false };
        let global = Global::new(&mut store, ty, Val::I64(0)).unwrap();
        linker.define("b", "memory", memory).unwrap();
        linker.define("b", "table", table).unwrap();
        linker.define("b", "global", global).unwrap();
        linker.define("b", "kind", global).unwrap();
        let error = fails_with(linker.instantiate(&mut store, &module), ErrorKind::Link);
        let lines: Vec<String> = error
            .missing_imports()
            .iter()
            .map(|import| {
                let found = import.found.as_ref().map_or("nothing".into(), ToString::to_string);
                format!("{}.{}: {}, found {found}", import.module, import.name, import.expected)
            })
            .collect();
        assert_eq!(
            lines,
            [
                "a.missing: func(i32) -> (i64), found nothing",
                "a.wrong: func(i32), found func(i64)",
                "b.memory: memory 2 4, found memory 1 4",
                "b.table: table 10 funcref, found table 10 externref",
                "b.global: global (mut i64), found global i64",
                "b.kind: memory 1, found global i64",
                "c.nothing: global i32, found nothing",
            ]
        );
        let text = error.to_string();
        assert!(text.starts_with("7 imports cannot be satisfied: a.missing, a.wrong,"), "{text}");

        // The same without a linker: too few, and of wrong types.
        let good = Func::wrap(&mut store, || ()).unwrap();
        let imports = [good.into(), good.into(), memory.into()];
        let error = fails_with(Instance::new(&mut store, &module, &imports), ErrorKind::Link);
        assert_eq!(error.missing_imports().len(), 7);
    }
}

#[test]
fn names_are_defined_once_unless_shadowing_is_allowed() {
    let wat = r#"(module (import "m" "f" (func $f (result i32)))
      (func (export "run") (result i32) (call $f)))"#;
    for engine in engines() {
        let module = Module::new(&engine, wat).unwrap();
        let call = |linker: &Linker<()>| {
            let mut store = Store::new(&engine, ());
            let instance = linker.instantiate(&mut store, &module).unwrap();
            instance.typed_func::<(), i32>(&store, "run").unwrap().call(&mut store, ()).unwrap()
        };
        let mut linker = Linker::new(&engine);
        linker.func_wrap("m", "f", || 1).unwrap();
        let error = fails_with(linker.func_wrap("m", "f", || 2).map(|_| ()), ErrorKind::Usage);
        assert_eq!(error.to_string(), "m.f is defined twice");
        assert_eq!(call(&linker), 1, "what is refused does not replace");
        linker.allow_shadowing(true).func_wrap("m", "f", || 3).unwrap();
        assert_eq!(call(&linker), 3);

        linker.func_wrap("other", "g", || 4).unwrap().alias("other", "alias").unwrap();
        assert!(linker.has_module("alias") && !linker.has_module("none"));
        assert_eq!(linker.names("alias"), ["g"]);
        assert!(linker.names("none").is_empty());
    }
}

#[test]
fn instances_are_linked_by_name() {
    let provider = r#"(module
      (memory (export "memory") 1) (table (export "table") 1 funcref)
      (global (export "global") (mut i32) (i32.const 5))
      (func (export "read") (result i32) (i32.load (i32.const 8))))"#;
    let user = r#"(module
      (import "lib" "memory" (memory 1)) (import "lib" "table" (table 1 funcref))
      (import "lib" "global" (global $g (mut i32)))
      (import "lib" "read" (func $read (result i32)))
      (func (export "run") (param i32) (result i32)
        (i32.store (i32.const 8) (local.get 0))
        (global.set $g (local.get 0))
        (call $read)))"#;
    for engine in engines() {
        let mut store = Store::new(&engine, ());
        let lib = add_guest(&mut store, provider);
        let mut linker = Linker::new(&engine);
        linker.instance(&mut store, "lib", lib).unwrap();
        assert_eq!(linker.names("lib"), ["global", "memory", "read", "table"]);
        let module = Module::new(&engine, user).unwrap();
        let instance = linker.instantiate(&mut store, &module).unwrap();
        let run = instance.typed_func::<i32, i32>(&store, "run").unwrap();
        assert_eq!(run.call(&mut store, 77).unwrap(), 77);
        let global = lib.global(&store, "global").unwrap();
        assert!(matches!(global.get(&store).unwrap(), Val::I32(77)));
        assert_eq!(lib.memory(&store, "memory").unwrap().data(&store).unwrap()[8], 77);
        // The entities belong to that store only.
        let mut other = Store::new(&engine, ());
        fails_with(linker.instantiate(&mut other, &module), ErrorKind::Usage);
    }
}

#[test]
fn a_linker_of_host_functions_serves_many_stores() {
    for engine in engines() {
        let module = Module::new(&engine, CALLS_HOST).unwrap();
        let mut linker = Linker::new(&engine);
        linker.func_wrap("host", "f", |caller: Caller<'_, i32>, n: i32| n + caller.data()).unwrap();
        for data in 0..10 {
            let mut store = Store::new(&engine, data);
            let instance = linker.instantiate(&mut store, &module).unwrap();
            assert_eq!(run_of(&mut store, instance).call(&mut store, 5).unwrap(), 6 + data);
        }
    }
}

// Instantiation.

#[test]
fn a_start_function_may_trap() {
    const WAT: &str = r#"(module
      (import "" "global" (global $g (mut i32)))
      (import "" "table" (table 2 funcref))
      (elem (i32.const 1) $kept)
      (func $kept (result i32) (i32.const 9))
      (func $start (global.set $g (i32.const 1)) (unreachable))
      (start $start))"#;
    for engine in engines() {
        let module = Module::new(&engine, WAT).unwrap();
        let mut store = Store::new(&engine, ());
        let ty = GlobalType { value: ValType::I32, mutable: true };
        let global = Global::new(&mut store, ty, Val::I32(0)).unwrap();
        let ty = table_type(RefType::FUNCREF, 2, None);
        let table = Table::new(&mut store, ty, Val::FuncRef(None)).unwrap();
        let imports = [global.into(), table.into()];
        let error = traps_with(Instance::new(&mut store, &module, &imports), TrapKind::Unreachable);
        let frames = error.trap().unwrap().frames();
        assert_eq!(frames.len(), 1);
        assert_eq!(frames[0].name.as_deref(), Some("start"));
        // What happened before stays, and functions of the failed instance can be called.
        assert!(matches!(global.get(&store).unwrap(), Val::I32(1)));
        let Some(Val::FuncRef(Some(kept))) = table.get(&store, 1).unwrap() else {
            panic!("the segment was copied")
        };
        assert_eq!(kept.typed::<(), i32>(&store).unwrap().call(&mut store, ()).unwrap(), 9);
    }
}

#[test]
fn a_start_function_may_be_the_hosts() {
    for engine in engines() {
        let wat = r#"(module (import "" "start" (func $start)) (start $start))"#;
        let module = Module::new(&engine, wat).unwrap();
        let mut linker = Linker::new(&engine);
        linker
            .func_wrap("", "start", |mut caller: Caller<'_, u32>| *caller.data_mut() += 1)
            .unwrap();
        let mut store = Store::new(&engine, 0);
        linker.instantiate(&mut store, &module).unwrap();
        linker.instantiate(&mut store, &module).unwrap();
        assert_eq!(*store.data(), 2);
    }
}

#[test]
fn segments_out_of_bounds_trap() {
    for engine in engines() {
        let mut store = Store::new(&engine, ());
        for (wat, kind) in [
            (r#"(module (memory 1) (data (i32.const 65535) "ab"))"#, TrapKind::MemoryOutOfBounds),
            (r#"(module (memory 1) (data (i32.const -1) ""))"#, TrapKind::MemoryOutOfBounds),
            (
                "(module (table 1 funcref) (elem (i32.const 1) $f) (func $f))",
                TrapKind::TableOutOfBounds,
            ),
        ] {
            let module = Module::new(&engine, wat).unwrap();
            traps_with(Instance::new(&mut store, &module, &[]), kind);
        }
        // At the very end is within bounds.
        add_guest(&mut store, r#"(module (memory 1) (data (i32.const 65536) ""))"#);
    }
}

#[test]
fn what_is_no_module_is_refused_with_a_place() {
    for engine in engines() {
        for (bytes, kind) in [
            (&b""[..], ErrorKind::Malformed),
            (b"\0as", ErrorKind::Malformed),
            (b"\0asm\x02\0\0\0", ErrorKind::Malformed),
            (b"\0asm\x0d\0\x01\0", ErrorKind::Component),
            (b"\0asm\x01\0\0\0\x01", ErrorKind::Malformed),
            (b"\0asm\x01\0\0\0\x0e\x00", ErrorKind::Malformed),
            (b"#!/bin/sh", ErrorKind::Malformed),
            (b"(module", ErrorKind::Malformed),
            (b"(module (func (result i32)))", ErrorKind::Invalid),
            (b"(module (func try catch_all end))", ErrorKind::Invalid),
        ] {
            let error = fails_with(Module::new(&engine, bytes).map(|_| ()), kind);
            let binary = bytes.starts_with(b"\0asm") && kind != ErrorKind::Component;
            assert!(!binary || error.offset().is_some(), "{error}");
        }
    }
}

// Memories, tables, globals.

#[test]
fn guest_and_host_grow_the_same_memory() {
    const WAT: &str = r#"(module
      (import "host" "f" (func $f))
      (memory (export "memory") 1 5)
      (func (export "size") (result i32) (memory.size))
      (func (export "store") (param i32 i32) (i32.store (local.get 0) (local.get 1)))
      (func (export "around") (param i32) (result i32)
        (i32.store (local.get 0) (i32.const 11))
        (call $f)
        ;; Beyond what the memory was before the call.
        (i32.store (i32.const 70000) (i32.const 31))
        (i32.add (i32.load (local.get 0)) (i32.load (i32.const 70000)))))"#;
    for engine in engines() {
        let module = Module::new(&engine, WAT).unwrap();
        let mut linker = Linker::new(&engine);
        linker
            .func_wrap("host", "f", |mut caller: Caller<'_, ()>| -> Result<()> {
                let memory = caller.export("memory").and_then(Extern::memory);
                memory.unwrap().grow(&mut caller, 1).map(|_| ())
            })
            .unwrap();
        let mut store = Store::new(&engine, ());
        let instance = linker.instantiate(&mut store, &module).unwrap();
        let size = instance.typed_func::<(), i32>(&store, "size").unwrap();
        let put = instance.typed_func::<(i32, i32), ()>(&store, "store").unwrap();
        let around = instance.typed_func::<i32, i32>(&store, "around").unwrap();
        let memory = instance.memory(&store, "memory").unwrap();
        assert_eq!(around.call(&mut store, 16).unwrap(), 42);
        assert_eq!(memory.size(&store).unwrap(), 2);
        assert_eq!(memory.grow(&mut store, 1).unwrap(), 2);
        assert_eq!(size.call(&mut store, ()).unwrap(), 3);
        put.call(&mut store, (3 * 65536 - 4, -1)).unwrap();
        assert_eq!(memory.data(&store).unwrap().last(), Some(&0xff));
        traps_with(put.call(&mut store, (3 * 65536 - 3, -1)), TrapKind::MemoryOutOfBounds);
        traps_with(put.call(&mut store, (-1, -1)), TrapKind::MemoryOutOfBounds);
        fails_with(memory.grow(&mut store, 3), ErrorKind::Limit);
        assert_eq!(memory.grow(&mut store, 2).unwrap(), 3);
        assert_eq!(memory.ty(&store).unwrap(), memory_type(1, Some(5)));
        let ty = Extern::from(memory).ty(&store).unwrap();
        assert_eq!(ty, ExternType::Memory(memory_type(5, Some(5))));
    }
}

#[test]
fn memory_access_from_the_host_is_checked() {
    for engine in engines() {
        let mut store = Store::new(&engine, ());
        let memory = Memory::new(&mut store, memory_type(1, None)).unwrap();
        memory.write(&mut store, 65532, &[1, 2, 3, 4]).unwrap();
        let mut four = [0; 4];
        memory.read(&store, 65532, &mut four).unwrap();
        assert_eq!(four, [1, 2, 3, 4]);
        memory.read(&store, 65536, &mut []).unwrap();
        for offset in [65533, 65536, usize::MAX - 3, usize::MAX] {
            fails_with(memory.read(&store, offset, &mut four), ErrorKind::Usage);
            fails_with(memory.write(&mut store, offset, &four), ErrorKind::Usage);
        }
        fails_with(memory.read(&store, 65537, &mut []), ErrorKind::Usage);
        memory.data_mut(&mut store).unwrap()[0] = 9;
        assert_eq!(memory.data(&store).unwrap().len(), 65536);
        let empty = Memory::new(&mut store, memory_type(0, Some(0))).unwrap();
        assert!(empty.data(&store).unwrap().is_empty());
        assert!(empty.data_mut(&mut store).unwrap().is_empty());
        fails_with(empty.grow(&mut store, 1), ErrorKind::Limit);
        assert_eq!(empty.grow(&mut store, 0).unwrap(), 0);
    }
}

#[test]
fn a_caller_lends_memory_and_data_together() {
    const WAT: &str = r#"(module
      (import "host" "f" (func $f (param i32 i32)))
      (memory (export "memory") 1) (data (i32.const 3) "abc")
      (func (export "run") (call $f (i32.const 3) (i32.const 3))))"#;
    for engine in engines() {
        let module = Module::new(&engine, WAT).unwrap();
        let mut linker = Linker::new(&engine);
        let f = |mut caller: Caller<'_, Vec<u8>>, at: u32, len: u32| {
            assert!(caller.memory_and_data("run").is_none());
            let (memory, data) = caller.memory_and_data("memory").unwrap();
            data.extend_from_slice(&memory[at as usize..][..len as usize]);
            memory[0] = 1;
        };
        linker.func_wrap("host", "f", f).unwrap();
        let mut store = Store::new(&engine, Vec::new());
        let instance = linker.instantiate(&mut store, &module).unwrap();
        instance.typed_func::<(), ()>(&store, "run").unwrap().call(&mut store, ()).unwrap();
        assert_eq!(store.data(), b"abc");
        let memory = instance.memory(&store, "memory").unwrap();
        assert_eq!(memory.data(&store).unwrap()[0], 1);
    }
}

#[test]
fn tables_check_index_and_type() {
    for engine in engines() {
        let mut store = Store::new(&engine, ());
        let func = Func::wrap(&mut store, || ()).unwrap();
        let (null, one) = (Val::FuncRef(None), Val::FuncRef(Some(func)));
        let ty = table_type(RefType::FUNCREF, 2, Some(4));
        let table = Table::new(&mut store, ty, one).unwrap();
        assert!(matches!(table.get(&store, 1).unwrap(), Some(Val::FuncRef(Some(_)))));
        assert!(table.get(&store, 2).unwrap().is_none());
        assert!(table.get(&store, u64::MAX).unwrap().is_none());
        table.set(&mut store, 1, null).unwrap();
        assert!(matches!(table.get(&store, 1).unwrap(), Some(Val::FuncRef(None))));
        fails_with(table.set(&mut store, 2, null), ErrorKind::Usage);
        fails_with(table.set(&mut store, u64::MAX, null), ErrorKind::Usage);
        fails_with(table.set(&mut store, 0, Val::ExternRef(None)), ErrorKind::Usage);
        fails_with(table.set(&mut store, 0, Val::I32(0)), ErrorKind::Usage);
        fails_with(table.grow(&mut store, 1, Val::ExternRef(None)), ErrorKind::Usage);
        fails_with(table.grow(&mut store, 3, null), ErrorKind::Limit);
        assert_eq!(table.grow(&mut store, 2, null).unwrap(), 2);
        assert_eq!(table.ty(&store).unwrap(), ty);
        let ty = Extern::from(table).ty(&store).unwrap();
        assert_eq!(ty, ExternType::Table(table_type(RefType::FUNCREF, 4, Some(4))));
        let ty = table_type(RefType::FUNCREF, 1, None);
        fails_with(Table::new(&mut store, ty, Val::I64(0)), ErrorKind::Usage);
        let element = RefType { nullable: false, heap: HeapType::Func };
        fails_with(Table::new(&mut store, table_type(element, 1, None), null), ErrorKind::Usage);
        Table::new(&mut store, table_type(element, 1, None), one).unwrap();
    }
}

#[test]
fn globals_check_mutability_and_type() {
    const WAT: &str = r#"(module
      (import "" "wide" (global $wide (mut v128)))
      (global (export "fixed") i64 (i64.const 5))
      (global $f (export "f") (mut f32) (f32.const 1))
      (func (export "bump") (global.set $wide (i64x2.add (global.get $wide) (global.get $wide)))))"#;
    for engine in engines() {
        let mut store = Store::new(&engine, ());
        let ty = GlobalType { value: ValType::V128, mutable: true };
        let wide = Global::new(&mut store, ty, Val::V128(1 << 64 | 3)).unwrap();
        assert_eq!(wide.ty(&store).unwrap(), ty);
        let module = Module::new(&engine, WAT).unwrap();
        let instance = Instance::new(&mut store, &module, &[wide.into()]).unwrap();
        instance.func(&store, "bump").unwrap().call(&mut store, &[], &mut []).unwrap();
        assert!(matches!(wide.get(&store).unwrap(), Val::V128(x) if x == 2 << 64 | 6));

        let fixed = instance.global(&store, "fixed").unwrap();
        let error = fails_with(fixed.set(&mut store, Val::I64(6)), ErrorKind::Usage);
        assert_eq!(error.to_string(), "the global is immutable");
        assert!(matches!(fixed.get(&store).unwrap(), Val::I64(5)));
        let f = instance.global(&store, "f").unwrap();
        f.set(&mut store, Val::F32(0x7fa0_0000)).unwrap();
        assert!(matches!(f.get(&store).unwrap(), Val::F32(0x7fa0_0000)));
        for wrong in [Val::I32(0), Val::F64(0), Val::ExternRef(None), Val::V128(0)] {
            fails_with(f.set(&mut store, wrong), ErrorKind::Usage);
        }
        let ty = GlobalType { value: ValType::I32, mutable: false };
        fails_with(Global::new(&mut store, ty, Val::I64(0)), ErrorKind::Usage);
    }
}

/// The host can describe types that no module could declare.
#[test]
fn impossible_types_of_the_host_are_refused() {
    let engine = Engine::default();
    let mut store = Store::new(&engine, ());
    for page_log2 in [1, 15, 17, 63, 64, 128, 255] {
        let ty = MemoryType { page_log2, ..memory_type(1, None) };
        assert!(Memory::new(&mut store, ty).is_err(), "page size 2^{page_log2}");
    }
    for limits in [
        Limits { min: 2, max: Some(1) },
        Limits { min: 65537, max: None },
        Limits { min: 0, max: Some(65537) },
    ] {
        let ty = MemoryType { limits, ..memory_type(0, None) };
        assert!(Memory::new(&mut store, ty).is_err(), "{limits:?}");
    }
    assert!(
        Memory::new(&mut store, MemoryType { shared: true, ..memory_type(1, Some(1)) }).is_err()
    );
    let ty = table_type(RefType::FUNCREF, 2, Some(1));
    assert!(Table::new(&mut store, ty, Val::FuncRef(None)).is_err());
    // An id that the engine never gave.
    let heap = HeapType::Concrete(123_456);
    let value = ValType::Ref(RefType { nullable: true, heap });
    assert!(Func::new(&mut store, FuncType::new([value], []), |_, _, _| Ok(())).is_err());
    let ty = GlobalType { value, mutable: false };
    assert!(Global::new(&mut store, ty, Val::FuncRef(None)).is_err());
}
