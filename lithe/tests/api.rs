//! The embedding API from outside: what every embedder may rely on, and what misuse comes to. Tests that
//! run guests do so on both dispatch back ends.

use std::error::Error as _;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Barrier, mpsc};
use std::time::{Duration, Instant};

use lithe::{
    AsContext, Caller, Config, Dispatch, Engine, Error, ErrorKind, Extern, ExternRef, ExternType,
    Func, FuncType, Global, GlobalType, HeapType, Instance, InterruptHandle, Limits, Linker,
    Memory, MemoryType, Module, RefType, Result, Store, StoreLimits, Table, TableType, Trap,
    TrapKind, TypedFunc, Val, ValType,
};

const BOTH: [Dispatch; 2] = [Dispatch::Threaded, Dispatch::Loop];

fn engines() -> [Engine; 2] {
    BOTH.map(|dispatch| Engine::new(&Config::new().dispatch(dispatch)))
}

fn fuel_engines() -> [Engine; 2] {
    BOTH.map(|dispatch| Engine::new(&Config::new().fuel(true).dispatch(dispatch)))
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
        let external = ExternRef::new(&mut store, "outside");
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
            assert!(e == external && v == wide, "{name}");
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
        let external = ExternRef::new(&mut other, 5);
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
    let [one, two] = engines();
    // Many types, so that ids of one engine mean nothing to the other.
    let types: String = (0..50).map(|i| format!("(type (func {}))", " (param i32)".repeat(i))).collect();
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
        let text = ExternRef::new(&mut store, String::from("text"));
        let number = ExternRef::new(&mut store, 17u64);
        assert!(text != number);
        keep.call(&mut store, (0, Some(text))).unwrap();
        keep.call(&mut store, (1, Some(number))).unwrap();
        assert_eq!(is_null.call(&mut store, Some(number)).unwrap(), 0);
        assert_eq!(is_null.call(&mut store, None).unwrap(), 1);
        let back = kept.call(&mut store, 0).unwrap().unwrap();
        assert!(back == text);
        assert_eq!(back.data(&store).unwrap().downcast_ref::<String>().unwrap(), "text");
        let back = kept.call(&mut store, 1).unwrap().unwrap();
        assert_eq!(back.data(&store).unwrap().downcast_ref(), Some(&17u64));
        assert!(back.data(&store).unwrap().downcast_ref::<String>().is_none());
        traps_with(keep.call(&mut store, (2, None)), TrapKind::TableOutOfBounds);

        let table = instance.table(&store, "table").unwrap();
        assert_eq!(table.grow(&mut store, 3, Val::ExternRef(Some(text))).unwrap(), 2);
        assert!(kept.call(&mut store, 4).unwrap() == Some(text));
        table.set(&mut store, 4, Val::ExternRef(None)).unwrap();
        assert!(kept.call(&mut store, 4).unwrap().is_none());
        let global = instance.global(&store, "global").unwrap();
        let set = instance.typed_func::<Option<ExternRef>, ()>(&store, "global_set").unwrap();
        set.call(&mut store, Some(number)).unwrap();
        assert!(matches!(global.get(&store).unwrap(), Val::ExternRef(Some(x)) if x == number));
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
