//! Exceptions and the host: what an embedder sees of one that no guest caught, host functions that throw or
//! let pass, and what is no exception. In every way to run a guest.

use std::time::Duration;

use lithe::{
    Caller, Config, Engine, Error, ErrorKind, ExnRef, Extern, Features, Func, FuncType, Instance,
    Linker, Module, Result, Store, StoreLimits, Tag, Trap, TrapKind, Val, ValType,
};

mod ways;

use ways::ways;

fn engines(fuel: bool) -> [Engine; 4] {
    ways(Config::new().fuel(fuel))
}

fn guest(engine: &Engine, wat: &str) -> (Store<()>, Instance) {
    let mut store = Store::new(engine, ());
    let module = Module::new(engine, wat).unwrap();
    let instance = Instance::new(&mut store, &module, &[]).unwrap();
    (store, instance)
}

#[track_caller]
fn fails_with<R>(result: Result<R>, kind: ErrorKind) -> Error {
    match result {
        Ok(_) => panic!("expected an error of kind {kind:?}"),
        Err(error) => {
            assert_eq!(error.kind(), kind, "{error}");
            error
        }
    }
}

#[track_caller]
fn traps_with<R>(result: Result<R>, kind: TrapKind) {
    let error = fails_with(result, ErrorKind::Trap);
    assert_eq!(error.trap().map(Trap::kind), Some(kind));
}

/// Names of the frames of an exception.
fn frames(error: &Error) -> Vec<String> {
    let frames = error.exception().unwrap().frames();
    frames.into_iter().map(|frame| frame.name.unwrap_or_default()).collect()
}

#[test]
fn an_uncaught_exception_is_an_error() {
    const GUEST: &str = r#"(module
      (tag $payload (export "shown") (param i32 v128 externref funcref))
      (tag (export "only-exported"))
      (tag)
      (func $throw (export "throw")
        (throw $payload (i32.const -5) (v128.const i64x2 1 2) (ref.null extern) (ref.func $throw)))
      (func $run (export "run") (param i32)
        (block $h (try_table (catch 1 $h) (call $throw))))
      (func (export "exported") (throw 1))
      (func (export "unnamed") (throw 2))
      (func (export "answer") (result i32) (i32.const 42)))"#;
    for engine in engines(false) {
        let (mut store, instance) = guest(&engine, GUEST);
        let run = instance.typed_func::<i32, ()>(&store, "run").unwrap();
        for _ in 0..3 {
            let error = fails_with(run.call(&mut store, 0), ErrorKind::Exception);
            assert_eq!(error.to_string(), "thrown Wasm exception with tag `payload`");
            assert!(error.trap().is_none() && error.exit_status().is_none());
            assert_eq!(frames(&error), ["throw", "run"]);
            let exception = error.exception().unwrap();
            assert!(exception.tag(&store).unwrap() == instance.tag(&store, "shown").unwrap());
            let fields = exception.fields(&store).unwrap();
            assert!(matches!(
                fields[..],
                [Val::I32(-5), Val::V128(bits), Val::ExternRef(None), Val::FuncRef(Some(_))]
                    if bits == 2 << 64 | 1
            ));
        }
        for (name, words) in [("exported", "tag `only-exported`"), ("unnamed", "a tag of func()")] {
            let func = instance.func(&store, name).unwrap();
            let error = fails_with(func.call(&mut store, &[], &mut []), ErrorKind::Exception);
            assert_eq!(error.to_string(), format!("thrown Wasm exception with {words}"));
        }
        let answer = instance.typed_func::<(), i32>(&store, "answer").unwrap();
        assert_eq!(answer.call(&mut store, ()).unwrap(), 42);
    }
}

/// Catches what the host function throws, by the tag and by anything, and calls it in tail position.
const CATCHES_HOST: &str = r#"(module
  (tag $e (import "host" "e") (param i32 i64))
  (func $f (import "host" "f") (param i32) (result i32))
  (func $catch (export "catch") (param i32) (result i32 i64)
    (block $h (result i32 i64)
      (try_table (catch $e $h) (return (call $f (local.get 0)) (i64.const 0)))
      (unreachable)))
  (func $catch-all (export "catch-all") (param i32) (result i32)
    (block $h
      (try_table (catch_all $h) (return (call $f (local.get 0)))))
    (i32.const -9))
  (func $tail (export "tail") (param i32) (result i32)
    (block $h
      (try_table (catch_all $h) (return_call $f (local.get 0))))
    (i32.const -8))
  (type $t (func (param i32) (result i32)))
  (table funcref (elem $f))
  (func $tail-indirect (export "tail-indirect") (param i32) (result i32)
    (block $h
      (try_table (catch_all $h)
        (return_call_indirect (type $t) (local.get 0) (i32.const 0))))
    (i32.const -8))
  (elem declare func $f)
  (func $tail-ref (export "tail-ref") (param i32) (result i32)
    (block $h
      (try_table (catch_all $h) (return_call_ref $t (local.get 0) (ref.func $f))))
    (i32.const -8))
  (func $catch-tail (export "catch-tail") (param i32) (result i32)
    (block $h
      (try_table (catch_all $h) (return (call $tail (local.get 0)))))
    (i32.const -7))
  (func $pass (export "pass") (param i32) (result i32) (call $f (local.get 0)))
  (func (export "answer") (result i32) (i32.const 42)))"#;

fn payload() -> FuncType {
    FuncType::new([ValType::I32, ValType::I64], [])
}

#[test]
fn host_functions_throw() {
    for engine in engines(false) {
        let mut store = Store::new(&engine, ());
        let tag = Tag::new(&mut store, payload()).unwrap();
        let mut linker = Linker::new(&engine);
        linker.define("host", "e", tag).unwrap();
        let f = move |mut caller: Caller<'_, ()>, n: i32| -> Result<i32> {
            if n == 0 {
                return Ok(1);
            }
            let fields = [Val::I32(n), Val::I64(i64::from(n) * 2)];
            Err(Error::exception_of(ExnRef::new(&mut caller, tag, &fields)?))
        };
        linker.func_wrap("host", "f", f).unwrap();
        let module = Module::new(&engine, CATCHES_HOST).unwrap();
        let instance = linker.instantiate(&mut store, &module).unwrap();
        let catch = instance.typed_func::<i32, (i32, i64)>(&store, "catch").unwrap();
        let call = |store: &mut Store<()>, name: &str, n: i32| {
            let func = instance.typed_func::<i32, i32>(&*store, name).unwrap();
            func.call(store, n)
        };
        for n in 1..50 {
            assert_eq!(catch.call(&mut store, 0).unwrap(), (1, 0));
            assert_eq!(catch.call(&mut store, n).unwrap(), (n, i64::from(n) * 2));
            assert_eq!(call(&mut store, "catch-all", 0).unwrap(), 1);
            assert_eq!(call(&mut store, "catch-all", n).unwrap(), -9);
            // A frame that made a tail call catches nothing, whatever the call is.
            for name in ["tail", "tail-indirect", "tail-ref"] {
                assert_eq!(call(&mut store, name, 0).unwrap(), 1);
                fails_with(call(&mut store, name, n), ErrorKind::Exception);
            }
            assert_eq!(call(&mut store, "catch-tail", n).unwrap(), -7);
            let error = fails_with(call(&mut store, "pass", n), ErrorKind::Exception);
            assert_eq!(frames(&error), ["pass"]);
            let words = "thrown Wasm exception with a tag of func(i32, i64)";
            assert_eq!(error.to_string(), words);
            let exception = error.exception().unwrap();
            assert!(exception.tag(&store).unwrap() == tag);
            assert!(matches!(exception.fields(&store).unwrap()[..], [Val::I32(x), _] if x == n));
        }
        // Called by the host itself, the function only fails.
        let throw = Func::wrap(&mut store, f).unwrap().typed::<i32, i32>(&store).unwrap();
        let error = fails_with(throw.call(&mut store, 5), ErrorKind::Exception);
        assert_eq!(error.to_string(), "thrown Wasm exception");
        assert!(frames(&error).is_empty());
    }
}

#[test]
fn only_exceptions_are_caught() {
    for engine in engines(false) {
        let mut store = Store::new(&engine, ());
        let mut others = Store::new(&engine, ());
        let tag = Tag::new(&mut store, payload()).unwrap();
        let foreign = Tag::new(&mut others, payload()).unwrap();
        let foreign = ExnRef::new(&mut others, foreign, &[Val::I32(1), Val::I64(1)]).unwrap();
        let mut linker = Linker::new(&engine);
        linker.define("host", "e", tag).unwrap();
        let f = move |n: i32| -> Result<i32> {
            Err(match n {
                0 => Error::trap_of(TrapKind::CastFailure),
                1 => Error::exit(3),
                2 => Error::host("no"),
                _ => Error::exception_of(foreign),
            })
        };
        linker.func_wrap("host", "f", f).unwrap();
        let module = Module::new(&engine, CATCHES_HOST).unwrap();
        let instance = linker.instantiate(&mut store, &module).unwrap();
        let func = instance.typed_func::<i32, i32>(&store, "catch-all").unwrap();
        traps_with(func.call(&mut store, 0), TrapKind::CastFailure);
        fails_with(func.call(&mut store, 1), ErrorKind::Exit(3));
        fails_with(func.call(&mut store, 2), ErrorKind::Host);
        let error = fails_with(func.call(&mut store, 3), ErrorKind::Exception);
        fails_with(error.exception().unwrap().fields(&store), ErrorKind::Usage);
        assert_eq!(error.exception().unwrap().fields(&others).unwrap().len(), 2);
        let answer = instance.typed_func::<(), i32>(&store, "answer").unwrap();
        assert_eq!(answer.call(&mut store, ()).unwrap(), 42);
    }
}

/// `run` calls the host with one less until 0, then throws; `catch` catches what comes back.
const NESTED: &str = r#"(module
  (tag $e (export "e") (param i32))
  (func $f (import "host" "f") (param i32))
  (func $run (export "run") (param i32)
    (if (i32.eqz (local.get 0)) (then (throw $e (i32.const 77))))
    (call $f (i32.sub (local.get 0) (i32.const 1))))
  (func $catch (export "catch") (param i32) (result i32)
    (block $h (result i32)
      (try_table (catch $e $h) (call $run (local.get 0)))
      (i32.const -1))))"#;

#[test]
fn exceptions_pass_through_host_functions() {
    for engine in engines(false) {
        let module = Module::new(&engine, NESTED).unwrap();
        let mut store = Store::new(&engine, 0);
        let mut linker = Linker::new(&engine);
        let f = |mut caller: Caller<'_, i32>, n: i32| -> Result<()> {
            let run = caller.export("run").and_then(Extern::func).unwrap();
            let result = run.typed::<i32, ()>(&caller)?.call(&mut caller, n);
            *caller.data_mut() += 1;
            result
        };
        linker.func_wrap("host", "f", f).unwrap();
        let instance = linker.instantiate(&mut store, &module).unwrap();
        let catch = instance.typed_func::<i32, i32>(&store, "catch").unwrap();
        let run = instance.typed_func::<i32, ()>(&store, "run").unwrap();
        for depth in [0, 1, 2, 50] {
            for _ in 0..20 {
                assert_eq!(catch.call(&mut store, depth).unwrap(), 77);
            }
            let error = fails_with(run.call(&mut store, depth), ErrorKind::Exception);
            assert_eq!(error.to_string(), "thrown Wasm exception with tag `e`");
            assert_eq!(frames(&error), vec!["run"; depth as usize + 1]);
        }
        assert_eq!(store.into_data(), 21 * 53);
    }
}

#[test]
fn a_host_function_can_look_and_throw_something_else() {
    for engine in engines(false) {
        let module = Module::new(&engine, NESTED).unwrap();
        let mut store = Store::new(&engine, ());
        let mut linker = Linker::new(&engine);
        let f = |mut caller: Caller<'_, ()>, n: i32| -> Result<()> {
            let run = caller.export("run").and_then(Extern::func).unwrap();
            let tag = caller.export("e").and_then(Extern::tag).unwrap();
            let Err(error) = run.typed::<i32, ()>(&caller)?.call(&mut caller, n) else {
                return Ok(());
            };
            let [Val::I32(found)] = error.exception().unwrap().fields(&caller)?[..] else {
                return Err(Error::host("another payload"));
            };
            let thrown = ExnRef::new(&mut caller, tag, &[Val::I32(found + 1)])?;
            Err(Error::exception_of(thrown))
        };
        linker.func_wrap("host", "f", f).unwrap();
        let instance = linker.instantiate(&mut store, &module).unwrap();
        let catch = instance.typed_func::<i32, i32>(&store, "catch").unwrap();
        for depth in 0..30 {
            assert_eq!(catch.call(&mut store, depth).unwrap(), 77 + depth);
        }
    }
}

#[test]
fn exceptions_are_values() {
    const GUEST: &str = r#"(module
      (tag $e (export "e") (param i64))
      (func (export "make") (param i64) (result exnref) (local exnref)
        (block $h (result i64 exnref)
          (try_table (catch_ref $e $h) (throw $e (local.get 0)))
          (unreachable))
        (local.set 1) (drop) (local.get 1))
      (func (export "throw") (param exnref) (throw_ref (local.get 0)))
      (func (export "same") (param exnref) (result exnref) (local.get 0))
      (global (export "global") (mut exnref) (ref.null exn))
      (table (export "table") 2 exnref))"#;
    for engine in engines(false) {
        let (mut store, instance) = guest(&engine, GUEST);
        let call = |store: &mut Store<()>, name: &str, arg: Val| {
            let func = instance.func(&*store, name).unwrap();
            let count = func.ty(&*store).unwrap().results.len();
            let mut results = vec![Val::I32(0); count];
            func.call(store, &[arg], &mut results).map(|()| results.pop())
        };
        let Some(Val::ExnRef(Some(made))) = call(&mut store, "make", Val::I64(9)).unwrap() else {
            panic!("an exception");
        };
        assert!(matches!(made.fields(&store).unwrap()[..], [Val::I64(9)]));
        assert!(made.tag(&store).unwrap() == instance.tag(&store, "e").unwrap());
        let same = call(&mut store, "same", Val::ExnRef(Some(made))).unwrap();
        assert!(matches!(same, Some(Val::ExnRef(Some(same))) if same.same(&made, &store).unwrap()));
        let null = call(&mut store, "same", Val::ExnRef(None)).unwrap();
        assert!(matches!(null, Some(Val::ExnRef(None))));
        let thrown = call(&mut store, "throw", Val::ExnRef(Some(made)));
        let error = fails_with(thrown, ErrorKind::Exception);
        assert!(error.exception().unwrap().reference().same(&made, &store).unwrap());
        traps_with(call(&mut store, "throw", Val::ExnRef(None)), TrapKind::NullReference);

        let global = instance.global(&store, "global").unwrap();
        global.set(&mut store, Val::ExnRef(Some(made))).unwrap();
        assert!(
            matches!(global.get(&store).unwrap(), Val::ExnRef(Some(kept)) if kept.same(&made, &store).unwrap())
        );
        fails_with(global.set(&mut store, Val::ExternRef(None)), ErrorKind::Usage);
        let table = instance.table(&store, "table").unwrap();
        table.set(&mut store, 1, Val::ExnRef(Some(made))).unwrap();
        assert!(matches!(table.get(&store, 0).unwrap(), Some(Val::ExnRef(None))));
        assert!(matches!(table.get(&store, 1).unwrap(), Some(Val::ExnRef(Some(_)))));

        // Of another store.
        let (mut other, _) = guest(&engine, GUEST);
        fails_with(made.fields(&other), ErrorKind::Usage);
        let tag = Tag::new(&mut other, FuncType::new([ValType::I64], [])).unwrap();
        fails_with(ExnRef::new(&mut store, tag, &[Val::I64(1)]), ErrorKind::Usage);
        let theirs = ExnRef::new(&mut other, tag, &[Val::I64(1)]).unwrap();
        fails_with(call(&mut store, "same", Val::ExnRef(Some(theirs))), ErrorKind::Usage);
        fails_with(global.set(&mut store, Val::ExnRef(Some(theirs))), ErrorKind::Usage);
    }
}

#[test]
fn tags_are_checked() {
    let engine = Engine::default();
    let mut store = Store::new(&engine, ());
    let ty = FuncType::new([], [ValType::I32]);
    fails_with(Tag::new(&mut store, ty), ErrorKind::Usage);
    let tag = Tag::new(&mut store, payload()).unwrap();
    assert_eq!(tag.ty(&store).unwrap(), payload());
    assert_eq!(Extern::from(tag).ty(&store).unwrap().to_string(), "tag of func(i32, i64)");
    fails_with(ExnRef::new(&mut store, tag, &[]), ErrorKind::Usage);
    let wrong = [Val::I64(1), Val::I64(1)];
    fails_with(ExnRef::new(&mut store, tag, &wrong), ErrorKind::Usage);

    let module = |text: &str| Module::new(&engine, text).unwrap();
    let fits = module(r#"(module (tag (export "t") (import "" "t") (param i32 i64)))"#);
    let instance = Instance::new(&mut store, &fits, &[tag.into()]).unwrap();
    assert!(instance.tag(&store, "t").unwrap() == tag);
    fails_with(instance.func(&store, "t"), ErrorKind::Usage);
    let narrow = module(r#"(module (tag (import "" "t") (param i32)))"#);
    let error = fails_with(Instance::new(&mut store, &narrow, &[tag.into()]), ErrorKind::Link);
    let import = &error.missing_imports()[0];
    assert_eq!(import.expected.to_string(), "tag of func(i32)");
    assert_eq!(import.found.as_ref().unwrap().to_string(), "tag of func(i32, i64)");
    let mut other = Store::new(&engine, ());
    fails_with(Instance::new(&mut other, &fits, &[tag.into()]), ErrorKind::Usage);
    fails_with(tag.ty(&other), ErrorKind::Usage);
}

#[test]
fn a_start_function_throws() {
    const GUEST: &str = "(module (tag $e) (func $start (throw $e)) (start $start))";
    for engine in engines(false) {
        let module = Module::new(&engine, GUEST).unwrap();
        let mut store = Store::new(&engine, ());
        for _ in 0..300 {
            let result = Instance::new(&mut store, &module, &[]);
            let error = fails_with(result, ErrorKind::Exception);
            assert_eq!(frames(&error), ["start"]);
        }
    }
}

const LOOPS: &str = r#"(module
  (tag $e (param i64))
  (func $throw (param i64) (throw $e (local.get 0)))
  (func (export "forever") (param $sum i64)
    (loop $again (param)
      (block $h (result i64)
        (try_table (catch $e $h) (call $throw (local.get $sum)))
        (unreachable))
      (local.set $sum (i64.add (i64.const 1)))
      (br $again)))
  (func (export "to-loop") (param i64)
    (local.get 0)
    (loop $again (param i64)
      (local.set 0)
      (try_table (catch $e $again) (throw $e (local.get 0)))))
  (func $recursive (export "recursive") (param i64)
    (block $h (result i64)
      (try_table (catch $e $h) (throw $e (local.get 0)))
      (unreachable))
    (return_call $recursive))
  (func (export "with-references") (param $count i64)
    (loop $again
      (block $h (result i64 exnref)
        (try_table (catch_ref $e $h) (call $throw (local.get $count)))
        (unreachable))
      (drop) (drop)
      (local.set $count (i64.sub (local.get $count) (i64.const 1)))
      (br_if $again (i64.ne (local.get $count) (i64.const 0))))))"#;

#[test]
fn throwing_in_a_loop_ends_with_the_fuel() {
    let mut left = Vec::new();
    for engine in engines(true) {
        let (mut store, instance) = guest(&engine, LOOPS);
        for name in ["forever", "to-loop", "recursive"] {
            let func = instance.typed_func::<i64, ()>(&store, name).unwrap();
            store.set_fuel(5_000_000).unwrap();
            traps_with(func.call(&mut store, 1), TrapKind::OutOfFuel);
        }
        let func = instance.typed_func::<i64, ()>(&store, "with-references").unwrap();
        for _ in 0..3 {
            store.set_fuel(10_000_000).unwrap();
            func.call(&mut store, 50_000).unwrap();
            left.push(store.fuel());
        }
    }
    left.dedup();
    assert_eq!(left.len(), 1, "fuel does not depend on the dispatch: {left:?}");
}

#[test]
fn throwing_in_a_loop_is_interrupted() {
    for engine in engines(false) {
        for name in ["forever", "to-loop", "recursive"] {
            let (mut store, instance) = guest(&engine, LOOPS);
            let func = instance.typed_func::<i64, ()>(&store, name).unwrap();
            let handle = store.interrupt_handle();
            let thread = std::thread::spawn(move || {
                std::thread::sleep(Duration::from_millis(30));
                handle.interrupt();
            });
            traps_with(func.call(&mut store, 1), TrapKind::Interrupt);
            thread.join().unwrap();
        }
    }
}

#[test]
fn exceptions_leave_deep_recursion() {
    const GUEST: &str = r#"(module
      (tag $e (param i32))
      (tag $other)
      (func $down (param i32)
        (if (i32.eqz (local.get 0)) (then (throw $e (i32.const 6))))
        (block $h
          (try_table (catch $other $h)
            (call $down (i32.sub (local.get 0) (i32.const 1))))))
      (func (export "run") (param i32) (result i32)
        (block $h (result i32)
          (try_table (catch $e $h) (call $down (local.get 0)))
          (i32.const -1)))
      (func (export "uncaught") (param i32) (call $down (local.get 0))))"#;
    const DEPTH: i32 = 100_000;
    for engine in engines(false) {
        let mut store = Store::new(&engine, ());
        store.set_limits(StoreLimits { stack_bytes: 64 << 20, ..StoreLimits::default() });
        let module = Module::new(&engine, GUEST).unwrap();
        let instance = Instance::new(&mut store, &module, &[]).unwrap();
        let run = instance.typed_func::<i32, i32>(&store, "run").unwrap();
        let uncaught = instance.typed_func::<i32, ()>(&store, "uncaught").unwrap();
        for _ in 0..3 {
            assert_eq!(run.call(&mut store, DEPTH).unwrap(), 6);
            let error = fails_with(uncaught.call(&mut store, DEPTH), ErrorKind::Exception);
            assert_eq!(error.exception().unwrap().frames().len(), 64);
        }
        traps_with(run.call(&mut store, i32::MAX), TrapKind::StackExhausted);
        assert_eq!(run.call(&mut store, 5).unwrap(), 6);
    }
}

#[test]
fn the_withdrawn_encoding_needs_its_feature() {
    const GUEST: &str = r#"(module (tag $e)
      (func (export "run") (result i32)
        try (result i32) throw $e catch $e i32.const 5 end))"#;
    let error = fails_with(Module::new(&Engine::default(), GUEST), ErrorKind::Invalid);
    assert!(error.to_string().contains("legacy-exceptions is not enabled"), "{error}");
    let features = Features::WASM3.union(Features::LEGACY_EXCEPTIONS);
    for engine in ways(Config::new().features(features)) {
        let (mut store, instance) = guest(&engine, GUEST);
        let run = instance.typed_func::<(), i32>(&store, "run").unwrap();
        assert_eq!(run.call(&mut store, ()).unwrap(), 5);
    }
}

#[test]
fn a_backtrace_of_a_trap_in_a_handler_is_exact() {
    const GUEST: &str = r#"(module
      (tag $e (param i32))
      (func $throw (param i32) (throw $e (local.get 0)))
      (func $run (export "run") (param i32) (result i32)
        (block $h (result i32)
          (try_table (catch $e $h) (call $throw (local.get 0)))
          (return (i32.const 0)))
        (drop) (i32.div_u (i32.const 1) (local.get 0))))"#;
    for engine in engines(false) {
        let module = Module::new(&engine, GUEST).unwrap();
        let code = module.disassemble(1).unwrap();
        let line = code.lines().find(|line| line.contains("i32_div_u")).unwrap();
        let offset = line.split_whitespace().nth(1).unwrap();
        let mut store = Store::new(&engine, ());
        let instance = Instance::new(&mut store, &module, &[]).unwrap();
        let run = instance.typed_func::<i32, i32>(&store, "run").unwrap();
        let error = fails_with(run.call(&mut store, 0), ErrorKind::Trap);
        let frames = error.trap().unwrap().frames();
        assert_eq!(frames.len(), 1);
        assert_eq!(frames[0].name.as_deref(), Some("run"));
        assert_eq!(format!("{:#08x}", frames[0].offset), offset);
    }
}

/// What guests have caught is garbage, whoever threw it.
#[test]
fn caught_exceptions_of_host_functions_are_freed() {
    const GUEST: &str = r#"(module
      (import "host" "tag" (tag $tag (param i64)))
      (import "host" "throw" (func $throw))
      (import "host" "pass" (func $pass))
      (func (export "guest-throws") (throw $tag (i64.const 1)))
      (func (export "run") (param $n i32)
        (loop $more
          (block $caught (result i64)
            (try_table (catch $tag $caught) (call $throw))
            (i64.const 0))
          (drop)
          (block $caught (result i64 exnref)
            (try_table (catch_ref $tag $caught) (call $pass))
            (unreachable))
          (drop) (drop)
          (br_if $more (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))))"#;
    for engine in engines(false) {
        let mut store = Store::new(&engine, ());
        let tag = Tag::new(&mut store, FuncType::new([ValType::I64], [])).unwrap();
        let mut linker = Linker::new(&engine);
        linker.define("host", "tag", tag).unwrap();
        linker
            .func_wrap("host", "throw", move |mut caller: Caller<'_, ()>| -> Result<()> {
                Err(Error::exception_of(ExnRef::new(&mut caller, tag, &[Val::I64(1)])?))
            })
            .unwrap();
        linker
            .func_wrap("host", "pass", |mut caller: Caller<'_, ()>| -> Result<()> {
                let throws = caller.export("guest-throws").and_then(Extern::func).unwrap();
                throws.call(&mut caller, &[], &mut [])
            })
            .unwrap();
        let module = Module::new(&engine, GUEST).unwrap();
        let instance = linker.instantiate(&mut store, &module).unwrap();
        let run = instance.typed_func::<i32, ()>(&store, "run").unwrap();
        run.call(&mut store, 20_000).unwrap();
        store.collect_garbage();
        assert!(store.heap_stats().live < 1000, "{:?}", store.heap_stats());
    }
}
