//! Garbage collection through the embedding API: references in the host's hands, limits, and guests that try to
//! use up the machine.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use lithe::{
    AnyRef, Caller, Config, Engine, ErrorKind, ExternRef, Func, Instance, Kind, Linker, Module,
    Result, Store, StoreLimits, TrapKind, Val,
};

mod ways;

use ways::ways;

fn engines() -> [Engine; 4] {
    ways(Config::new())
}

fn guest(engine: &Engine, wat: &str) -> (Store<()>, Instance) {
    let mut store = Store::new(engine, ());
    let module = Module::new(engine, wat).unwrap();
    let instance = Instance::new(&mut store, &module, &[]).unwrap();
    (store, instance)
}

fn limited(engine: &Engine, wat: &str, heap_bytes: usize) -> (Store<()>, Instance) {
    let mut store = Store::new(engine, ());
    store.set_limits(StoreLimits { heap_bytes, ..StoreLimits::default() });
    let module = Module::new(engine, wat).unwrap();
    let instance = Instance::new(&mut store, &module, &[]).unwrap();
    (store, instance)
}

#[track_caller]
fn trap<R>(result: Result<R>) -> TrapKind {
    match result {
        Ok(_) => panic!("expected a trap"),
        Err(error) => error.trap().unwrap_or_else(|| panic!("no trap: {error}")).kind(),
    }
}

/// A host value that counts how many of its kind were dropped.
struct Counted(Arc<AtomicU32>);

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

const LISTS: &str = r#"(module
  (type $node (struct (field $value (mut i32)) (field $next (ref null $node)) (field $small (mut i8))))
  (type $bytes (array (mut i8)))
  (func (export "list") (param $n i32) (result (ref null $node))
    (local $list (ref null $node))
    (loop $more
      (local.set $list (struct.new $node (local.get $n) (local.get $list) (i32.const -1)))
      (br_if $more (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
    (local.get $list))
  (func (export "sum") (param $list (ref null $node)) (result i32)
    (local $sum i32)
    (block $end
      (loop $more
        (local.set $sum (i32.add
          (struct.get $node $value (br_on_null $end (local.get $list))) (local.get $sum)))
        (local.set $list (struct.get $node $next (local.get $list)))
        (br $more)))
    (local.get $sum))
  (func (export "churn") (param $n i32)
    (loop $more
      (drop (array.new_default $bytes (i32.const 4000)))
      (br_if $more (local.tee $n (i32.sub (local.get $n) (i32.const 1))))))
  (func (export "any") (param i32) (result anyref)
    (if (result anyref) (local.get 0)
      (then (array.new_fixed $bytes 3 (i32.const 1) (i32.const 2) (i32.const 0xff)))
      (else (ref.i31 (i32.const -5)))))
  (func (export "null") (result anyref) (ref.null any)))"#;

#[test]
fn the_host_keeps_what_it_holds_alive() {
    for engine in engines() {
        let (mut store, instance) = guest(&engine, LISTS);
        store.collect_always(true);
        let list = instance.func(&store, "list").unwrap();
        let sum = instance.func(&store, "sum").unwrap();
        let churn = instance.typed_func::<i32, ()>(&store, "churn").unwrap();
        let mut results = [Val::I32(0)];
        list.call(&mut store, &[Val::I32(100)], &mut results).unwrap();
        let kept = results[0];
        churn.call(&mut store, 50).unwrap();
        sum.call(&mut store, &[kept], &mut results).unwrap();
        assert!(matches!(results[0], Val::I32(5050)));
        assert!(store.heap_stats().collections >= 150);
        // A number or a function is no list.
        for wrong in [Val::I32(1), Val::FuncRef(Some(list)), Val::ExternRef(None)] {
            let error = sum.call(&mut store, &[wrong], &mut results);
            assert!(wrong.is_null() || error.unwrap_err().kind() == ErrorKind::Usage);
        }
        let i31 = AnyRef::from_i31(&mut store, 3);
        let error = sum.call(&mut store, &[Val::AnyRef(Some(i31))], &mut results).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Usage, "{error}");
        // A list of another store is none of this one.
        let (mut other, stranger) = guest(&engine, LISTS);
        let theirs = stranger.func(&other, "sum").unwrap();
        let error = theirs.call(&mut other, &[kept], &mut results).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Usage, "{error}");
    }
}

#[test]
fn fields_and_elements_are_read_and_written_by_type() {
    for engine in engines() {
        let (mut store, instance) = guest(&engine, LISTS);
        let mut results = [Val::I32(0)];
        let list = instance.func(&store, "list").unwrap();
        list.call(&mut store, &[Val::I32(2)], &mut results).unwrap();
        let Val::AnyRef(Some(node)) = results[0] else { panic!("{results:?}") };
        assert!(matches!(node.kind(&store).unwrap(), Kind::Struct(_)));
        assert_eq!(node.len(&store).unwrap(), Some(3));
        assert!(matches!(node.get(&store, 0).unwrap(), Val::I32(1)));
        assert!(matches!(node.get(&store, 2).unwrap(), Val::I32(0xff)));
        let Val::AnyRef(Some(next)) = node.get(&store, 1).unwrap() else { panic!() };
        assert!(!next.same(&node, &store).unwrap());
        assert!(matches!(next.get(&store, 1).unwrap(), Val::AnyRef(None)));
        node.set(&mut store, 0, Val::I32(40)).unwrap();
        node.set(&mut store, 2, Val::I32(0x1234)).unwrap();
        assert!(matches!(node.get(&store, 2).unwrap(), Val::I32(0x34)));
        for (field, value) in [(0, Val::I64(1)), (1, Val::AnyRef(Some(next))), (3, Val::I32(0))] {
            let error = node.set(&mut store, field, value).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Usage, "{error}");
        }
        assert!(node.get(&store, u32::MAX).is_err());
        let sum = instance.func(&store, "sum").unwrap();
        sum.call(&mut store, &[Val::AnyRef(Some(node))], &mut results).unwrap();
        assert!(matches!(results[0], Val::I32(42)));

        let any = instance.typed_func::<i32, Option<AnyRef>>(&store, "any").unwrap();
        let array = any.call(&mut store, 1).unwrap().unwrap();
        assert!(matches!(array.kind(&store).unwrap(), Kind::Array(_)));
        assert_eq!(array.len(&store).unwrap(), Some(3));
        assert!(matches!(array.get(&store, 2).unwrap(), Val::I32(0xff)));
        assert!(array.get(&store, 3).is_err());
        let small = any.call(&mut store, 0).unwrap().unwrap();
        assert_eq!(small.kind(&store).unwrap(), Kind::I31(-5));
        assert_eq!(small.len(&store).unwrap(), None);
        assert!(small.same(&AnyRef::from_i31(&mut store, -5), &store).unwrap());
        let null = instance.typed_func::<(), Option<AnyRef>>(&store, "null").unwrap();
        assert!(null.call(&mut store, ()).unwrap().is_none());
    }
}

#[test]
fn a_reference_ends_with_its_scope() {
    for engine in engines() {
        let (mut store, instance) = guest(&engine, LISTS);
        let any = instance.typed_func::<i32, Option<AnyRef>>(&store, "any").unwrap();
        let outer = any.call(&mut store, 1).unwrap().unwrap();
        let inner = store.scope(|store| {
            let inner = any.call(&mut *store, 1).unwrap().unwrap();
            assert_eq!(inner.len(&*store).unwrap(), Some(3));
            inner
        });
        assert_eq!(outer.len(&store).unwrap(), Some(3));
        assert_eq!(inner.len(&store).unwrap_err().kind(), ErrorKind::Usage);
        let again = any.call(&mut store, 0).unwrap().unwrap();
        assert_eq!(inner.kind(&store).unwrap_err().kind(), ErrorKind::Usage);
        assert_eq!(again.kind(&store).unwrap(), Kind::I31(-5));
    }
}

#[test]
fn references_of_a_host_function_end_when_it_returns() {
    const WAT: &str = r#"(module
      (import "host" "take" (func $take (param externref) (result externref)))
      (type $box (struct (field externref)))
      (func (export "run") (param $n i32) (param $given externref) (result externref)
        (local $box (ref null $box))
        (loop $more
          (local.set $box (struct.new $box (call $take (local.get $given))))
          (br_if $more (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
        (struct.get $box 0 (local.get $box))))"#;
    for engine in engines() {
        let dropped = Arc::new(AtomicU32::new(0));
        let count = dropped.clone();
        let mut linker = Linker::new(&engine);
        linker
            .func_wrap(
                "host",
                "take",
                move |mut caller: Caller<'_, Vec<ExternRef>>, given: Option<ExternRef>| {
                    let given = given.unwrap();
                    assert_eq!(given.data(&caller)?.downcast_ref(), Some(&"given"));
                    caller.data_mut().push(given);
                    ExternRef::new(&mut caller, Counted(count.clone())).map(Some)
                },
            )
            .unwrap();
        let module = Module::new(&engine, WAT).unwrap();
        let mut store = Store::new(&engine, Vec::new());
        let instance = linker.instantiate(&mut store, &module).unwrap();
        let run = instance
            .typed_func::<(i32, Option<ExternRef>), Option<ExternRef>>(&store, "run")
            .unwrap();
        let given = ExternRef::new(&mut store, "given").unwrap();
        let last = run.call(&mut store, (1000, Some(given))).unwrap().unwrap();
        store.collect_garbage();
        assert_eq!(dropped.load(Ordering::Relaxed), 999);
        assert!(last.data(&store).unwrap().is::<Counted>());
        // What host functions kept is no reference any more.
        let kept = store.data()[0];
        assert_eq!(kept.data(&store).unwrap_err().kind(), ErrorKind::Usage);
        drop(store);
        assert_eq!(dropped.load(Ordering::Relaxed), 1000);
    }
}

#[test]
fn the_types_of_functions_made_later_can_be_tested() {
    const WAT: &str = r#"(module
      (type $open (sub (func (param f32 f32 f32))))
      (table (export "table") 1 funcref)
      (func (export "test") (result i32) (ref.test (ref $open) (table.get (i32.const 0))))
      (func (export "call") (call_indirect (type $open)
        (f32.const 0) (f32.const 0) (f32.const 0) (i32.const 0))))"#;
    for engine in engines() {
        let (mut store, instance) = guest(&engine, WAT);
        let test = instance.typed_func::<(), i32>(&store, "test").unwrap();
        let call = instance.typed_func::<(), ()>(&store, "call").unwrap();
        let table = instance.table(&store, "table").unwrap();
        for _ in 0..3 {
            // A type that no module of this store has.
            let func = Func::wrap(&mut store, |_: f64, _: f32, _: i64| 0.5f64).unwrap();
            table.set(&mut store, 0, Val::FuncRef(Some(func))).unwrap();
            assert_eq!(test.call(&mut store, ()).unwrap(), 0);
            assert_eq!(trap(call.call(&mut store, ())), TrapKind::IndirectCallTypeMismatch);
        }
    }
}

#[test]
fn a_host_value_that_panics_when_it_is_dropped_harms_nothing() {
    /// Panics while its number is 1.
    struct Angry(Arc<AtomicU32>);
    impl Drop for Angry {
        fn drop(&mut self) {
            if self.0.load(Ordering::Relaxed) == 1 && !std::thread::panicking() {
                panic!("dropped");
            }
        }
    }
    let angry = Arc::new(AtomicU32::new(0));
    for engine in engines() {
        let (mut store, instance) = guest(&engine, LISTS);
        let list = instance.func(&store, "list").unwrap();
        let mut panics = 0;
        for _ in 0..400 {
            store.scope(|store| ExternRef::new(store, Angry(angry.clone())).map(drop)).unwrap();
            store.collect_always(true);
            angry.store(1, Ordering::Relaxed);
            let call = || list.call(&mut store, &[Val::I32(10)], &mut [Val::I32(0)]);
            panics += u32::from(catch_unwind(AssertUnwindSafe(call)).is_err());
            angry.store(0, Ordering::Relaxed);
            store.collect_always(false);
        }
        // More often than calls from the host may nest. A word of the stack may keep one value alive for a while.
        assert!(panics > 150, "{panics}");
        let mut results = [Val::I32(0)];
        list.call(&mut store, &[Val::I32(3)], &mut results).unwrap();
        let sum = instance.func(&store, "sum").unwrap();
        let list = results[0];
        sum.call(&mut store, &[list], &mut results).unwrap();
        assert!(matches!(results[0], Val::I32(6)));
    }
}

#[test]
fn host_values_beyond_their_limit_make_room_for_each_other() {
    let mut store = Store::new(&engines()[0], ());
    for i in 0..3u32 << 20 {
        store.scope(|store| ExternRef::new(store, i).map(drop)).unwrap();
    }
    let error = (0..2u32 << 20).try_for_each(|i| ExternRef::new(&mut store, i).map(drop));
    assert_eq!(error.unwrap_err().kind(), ErrorKind::Limit);
}

#[test]
fn host_values_are_freed_when_nothing_leads_to_them() {
    for engine in engines() {
        let dropped = Arc::new(AtomicU32::new(0));
        let mut store = Store::new(&engine, ());
        for _ in 0..10_000 {
            store.scope(|store| ExternRef::new(store, Counted(dropped.clone())).map(drop)).unwrap();
        }
        store.collect_garbage();
        assert_eq!(dropped.load(Ordering::Relaxed), 10_000);
    }
}

const BOMBS: &str = r#"(module
  (type $node (struct (field (mut (ref null $node)))))
  (type $refs (array (mut (ref null $node))))
  (type $longs (array (mut i64)))
  (type $bytes (array (mut i8)))
  (global $kept (mut (ref null $node)) (ref.null $node))
  (global $many (mut (ref null $refs)) (ref.null $refs))
  (func (export "longs") (param i32) (result i32)
    (array.len (array.new $longs (i64.const 1) (local.get 0))))
  (func (export "bytes") (param i32) (result i32)
    (array.len (array.new_default $bytes (local.get 0))))
  (func (export "keep")
    (loop $more
      (global.set $kept (struct.new $node (global.get $kept)))
      (br $more)))
  (func (export "drop") (global.set $kept (ref.null $node)) (global.set $many (ref.null $refs)))
  (func (export "cycle") (param $n i32)
    (local $first (ref $node)) (local $at (ref $node))
    (local.set $at (local.tee $first (struct.new $node (ref.null $node))))
    (loop $more
      (local.set $at (struct.new $node (local.get $at)))
      (br_if $more (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
    (struct.set $node 0 (local.get $first) (local.get $at))
    (global.set $kept (local.get $at)))
  (func (export "small") (result i32)
    (struct.get $node 0 (struct.new $node (global.get $kept)))
    (ref.is_null)))"#;

#[test]
fn objects_larger_than_the_heap_are_refused() {
    for engine in engines() {
        let (mut store, instance) = limited(&engine, BOMBS, 8 << 20);
        let longs = instance.typed_func::<i32, i32>(&store, "longs").unwrap();
        let bytes = instance.typed_func::<i32, i32>(&store, "bytes").unwrap();
        for len in [i32::MIN, -1, i32::MAX, 1 << 29, 1 << 20] {
            assert_eq!(trap(longs.call(&mut store, len)), TrapKind::AllocationTooLarge, "{len}");
        }
        for len in [i32::MIN, -1, -8, -9, i32::MAX, 8 << 20] {
            assert_eq!(trap(bytes.call(&mut store, len)), TrapKind::AllocationTooLarge, "{len}");
        }
        for _ in 0..20 {
            assert_eq!(bytes.call(&mut store, 7 << 20).unwrap(), 7 << 20);
        }
        assert_eq!(longs.call(&mut store, 1000).unwrap(), 1000);
    }
}

#[test]
fn a_full_heap_traps_and_the_store_goes_on() {
    for engine in engines() {
        let (mut store, instance) = limited(&engine, BOMBS, 4 << 20);
        let [keep, clear] =
            ["keep", "drop"].map(|name| instance.typed_func::<(), ()>(&store, name).unwrap());
        let small = instance.typed_func::<(), i32>(&store, "small").unwrap();
        for _ in 0..3 {
            assert_eq!(trap(keep.call(&mut store, ())), TrapKind::HeapExhausted);
            assert!(store.heap_stats().used <= 4 << 20);
            clear.call(&mut store, ()).unwrap();
            let way = (engine.strategy(), engine.traps());
            assert_eq!(small.call(&mut store, ()).unwrap_or(0), 1, "{way:?}");
        }
    }
}

#[test]
fn a_dropped_cycle_of_a_million_objects_is_freed() {
    for engine in engines() {
        let (mut store, instance) = limited(&engine, BOMBS, 64 << 20);
        let cycle = instance.typed_func::<i32, ()>(&store, "cycle").unwrap();
        let clear = instance.typed_func::<(), ()>(&store, "drop").unwrap();
        for _ in 0..3 {
            cycle.call(&mut store, 1_000_000).unwrap();
            store.collect_garbage();
            assert!(store.heap_stats().live >= 16_000_000);
            clear.call(&mut store, ()).unwrap();
            store.collect_garbage();
            assert!(store.heap_stats().live < 1000, "{:?}", store.heap_stats());
        }
    }
}

#[test]
fn types_are_the_same_between_modules_and_stores() {
    const MAKER: &str = r#"(module
      (rec (type $pair (struct (field i32) (field (ref null $link)))) (type $link (struct (field (ref null $pair)))))
      (func (export "make") (result (ref $pair)) (struct.new $pair (i32.const 7) (ref.null $link))))"#;
    const USER: &str = r#"(module
      (type $unrelated (func))
      (rec (type $a (struct (field i32) (field (ref null $b)))) (type $b (struct (field (ref null $a)))))
      (import "maker" "make" (func $make (result (ref $a))))
      (func (export "use") (result i32) (struct.get $a 0 (call $make))))"#;
    const OTHER: &str = r#"(module
      (rec (type $b (struct (field (ref null $a)))) (type $a (struct (field i32) (field (ref null $b)))))
      (import "maker" "make" (func $make (result (ref $a)))))"#;
    for engine in engines() {
        let [maker, user, other] =
            [MAKER, USER, OTHER].map(|wat| Module::new(&engine, wat).unwrap());
        for _ in 0..2 {
            let mut store = Store::new(&engine, ());
            let mut linker = Linker::new(&engine);
            let made = linker.instantiate(&mut store, &maker).unwrap();
            linker.instance(&mut store, "maker", made).unwrap();
            let instance = linker.instantiate(&mut store, &user).unwrap();
            let call = instance.typed_func::<(), i32>(&store, "use").unwrap();
            assert_eq!(call.call(&mut store, ()).unwrap(), 7);
            let error = linker.instantiate(&mut store, &other).map(drop).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Link, "{error}");
        }
    }
}

#[test]
fn deep_and_many_types_are_bounded() {
    for engine in engines() {
        let mut wide = String::from("(module (rec");
        for i in 0..10_000 {
            wide += &format!("(type (struct (field (ref null {}))))", (i + 1) % 10_000);
        }
        wide += ") (func (export \"make\") (result anyref) (struct.new_default 9999)))";
        let (mut store, instance) = guest(&engine, &wide);
        let make = instance.typed_func::<(), Option<AnyRef>>(&store, "make").unwrap();
        let made = make.call(&mut store, ()).unwrap().unwrap();
        assert!(matches!(made.kind(&store).unwrap(), Kind::Struct(_)));
        // 63 levels of subtypes are allowed; one more is refused.
        for (levels, valid) in [(63, true), (64, false)] {
            let mut deep = String::from("(module (type (sub (struct)))");
            for i in 0..levels {
                deep += &format!("(type (sub {i} (struct)))");
            }
            assert_eq!(Module::new(&engine, deep + ")").is_ok(), valid, "{levels}");
        }
    }
}

#[test]
fn a_trap_and_an_allocation_in_a_host_call_leave_a_store_that_works() {
    const WAT: &str = r#"(module
      (import "host" "collect" (func $collect))
      (type $node (struct (field i32) (field (ref null $node))))
      (func $deep (export "deep") (param $n i32) (param $list (ref null $node)) (result i32)
        (if (i32.eqz (local.get $n))
          (then (call $collect) (return (struct.get $node 0 (local.get $list)))))
        (i32.add
          (struct.get $node 0 (struct.new $node (i32.const 1) (local.get $list)))
          (call $deep (i32.sub (local.get $n) (i32.const 1))
            (struct.new $node (local.get $n) (local.get $list)))))
      (func (export "run") (param i32) (result i32) (call $deep (local.get 0) (ref.null $node))))"#;
    for engine in engines() {
        let mut linker = Linker::new(&engine);
        linker
            .func_wrap("host", "collect", |mut caller: Caller<'_, ()>| {
                ExternRef::new(&mut caller, 5).map(drop)
            })
            .unwrap();
        let module = Module::new(&engine, WAT).unwrap();
        let mut store = Store::new(&engine, ());
        store.collect_always(true);
        let instance = linker.instantiate(&mut store, &module).unwrap();
        let run = instance.typed_func::<i32, i32>(&store, "run").unwrap();
        assert_eq!(run.call(&mut store, 100).unwrap(), 101);
        assert_eq!(trap(run.call(&mut store, 0)), TrapKind::NullStruct);
        store.collect_always(false);
        assert_eq!(trap(run.call(&mut store, 100_000_000)), TrapKind::StackExhausted);
        assert_eq!(run.call(&mut store, 10).unwrap(), 11);
    }
}
