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

        let ty = FuncType::new([ValType::I32, ValType::V128], [ValType::V128, ValType::I32]);
        linker
            .func_raw("", "raw", ty, |_, slots| {
                assert_eq!(slots.len(), 3);
                // A host that forgets that an i32 is half a slot.
                *slots = [slots[2], slots[1], u64::MAX << 32 | slots[0]][..]
                    .try_into()
                    .map(|array: [u64; 3]| slots.copy_from_slice(&array))
                    .map(|()| slots)
                    .map_err(|_| Error::host("three slots"))?;
                Ok(())
            })
            .unwrap();
        let wat = r#"(module
          (import "" "raw" (func $raw (param i32 v128) (result v128 i32)))
          (func (export "run") (result i64) (local $v v128)
            (call $raw (i32.const -2) (v128.const i64x2 5 6))
            (i64.extend_i32_u)
            (local.set 0 (drop)))
          )"#;
        let _ = wat;
        let _ = &linker;
    }
}
