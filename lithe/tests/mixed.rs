//! Two modules that call each other, each run by the interpreter or as native code: whichever does, calls, traps,
//! exceptions, memories, tables, references and fuel are the same.

use std::fmt::Write;

use lithe::{
    Compilation, Config, Engine, Error, ErrorKind, FuncType, Instance, Linker, Module, Store,
    Strategy, TrapKind, Traps, Val, ValType,
};

/// Whether the first module and the second one have native code.
const COMBINATIONS: [(bool, bool); 4] =
    [(false, false), (false, true), (true, false), (true, true)];

fn module(engine: &Engine, wat: &str, native: bool) -> Module {
    let module = Module::new(engine, wat).unwrap();
    if !native {
        return module;
    }
    let artifact = module.compile(&Compilation::new()).unwrap();
    // SAFETY: the artifact was made just now.
    unsafe { Module::from_artifact(engine, artifact, "").unwrap() }
}

/// Runs `test` with instances of two modules, the second of which imports the first one as `other`, in each combination;
/// its words must be the same in all.
fn same(
    config: &Config,
    first: &str,
    second: &str,
    test: impl Fn(&mut Store<Vec<i64>>, &Instance, &Instance, &mut String),
) {
    let mut expected: Option<String> = None;
    for traps in [Traps::Checks, Traps::Signals] {
        for combination in COMBINATIONS {
            let engine = Engine::new(&config.clone().strategy(Strategy::Auto).traps(traps));
            let mut store = Store::new(&engine, Vec::new());
            let mut linker = Linker::new(&engine);
            linker
                .func_wrap("host", "note", |mut caller: lithe::Caller<'_, Vec<i64>>, n: i64| {
                    caller.data_mut().push(n);
                })
                .unwrap();
            let ty = FuncType::new([ValType::I32], []);
            let fail = |_: lithe::Caller<'_, Vec<i64>>, args: &[Val], _: &mut [Val]| match args {
                [Val::I32(0)] => Err(Error::exit(7)),
                [Val::I32(1)] => panic!("the host's own"),
                _ => Err(Error::host("no such thing")),
            };
            linker.func_new("host", "fail", ty, fail).unwrap();
            let mut out = String::new();
            let one = module(&engine, first, combination.0);
            let one = linker.instantiate(&mut store, &one).unwrap();
            linker.instance(&mut store, "other", one).unwrap();
            let two = module(&engine, second, combination.1);
            let two = linker.instantiate(&mut store, &two).unwrap();
            test(&mut store, &one, &two, &mut out);
            writeln!(out, "{:?}", store.data()).unwrap();
            match &expected {
                None => expected = Some(out),
                Some(expected) => assert_eq!(expected, &out, "{traps:?} {combination:?}"),
            }
        }
    }
}

/// Calls an export, and writes its results or error with frames.
fn call(
    store: &mut Store<Vec<i64>>,
    instance: &Instance,
    name: &str,
    args: &[Val],
    out: &mut String,
) {
    let func = instance.func(&*store, name).unwrap();
    let mut results = vec![Val::I32(0); func.ty(&*store).unwrap().results.len()];
    match func.call(&mut *store, args, &mut results) {
        Ok(()) => writeln!(out, "{name} {}", shown(&results)).unwrap(),
        Err(error) => {
            let frames = match (error.trap(), error.exception()) {
                (Some(trap), _) => trap.frames(),
                (_, Some(exception)) => exception.frames(),
                _ => Vec::new(),
            };
            let frames: Vec<String> = frames
                .iter()
                .map(|frame| {
                    let (module, name) = (frame.module.as_deref(), frame.name.as_deref());
                    let (module, name) = (module.unwrap_or("?"), name.unwrap_or("?"));
                    format!("{module}.{name}@{:x}", frame.offset)
                })
                .collect();
            writeln!(out, "{name} {:?} {error} {frames:?}", error.kind()).unwrap();
        }
    }
}

fn shown(values: &[Val]) -> String {
    let one = |value: &Val| match value {
        Val::FuncRef(func) => format!("func {}", func.is_some()),
        Val::ExternRef(value) => format!("extern {}", value.is_some()),
        other => format!("{other:?}"),
    };
    values.iter().map(one).collect::<Vec<_>>().join(", ")
}

const MANY: &str = "(param i32 i64 f32 f64 v128 funcref externref i64 i64 i64 i64 i64 i64 f64 f64 f64 f64 f64 f64 f64)
    (result v128 f32 i64 externref i32 f64 funcref i64 i64 i64)";

#[test]
fn values_pass_as_they_are() {
    let first = format!(
        r#"(module $first
          (func (export "many") {MANY}
            (local.get 4) (local.get 2) (i64.sub (local.get 12) (local.get 7)) (local.get 6)
            (local.get 0) (f64.sub (local.get 19) (local.get 3)) (local.get 5)
            (local.get 1) (local.get 8) (local.get 9)))"#
    );
    let second = format!(
        r#"(module $second
          (import "other" "many" (func $many {MANY}))
          (func $self (export "self"))
          (func (export "run") (param externref)
              (result v128 f32 i64 externref i32 f64 funcref i64 i64 i64)
            (call $many (i32.const -1) (i64.const -2) (f32.const -0) (f64.const 2.5)
              (v128.const i64x2 -1 7) (ref.func $self) (local.get 0) (i64.const 1) (i64.const 2)
              (i64.const 3) (i64.const 4) (i64.const 5) (i64.const 0x7fffffffffffffff)
              (f64.const 1) (f64.const 2) (f64.const 3) (f64.const 4) (f64.const 5) (f64.const 6)
              (f64.const 7))))"#
    );
    same(&Config::new(), &first, &second, |store, _, two, out| {
        let host = lithe::ExternRef::new(&mut *store, 5u32).unwrap();
        call(store, two, "run", &[Val::ExternRef(Some(host))], out);
        assert!(out.contains("extern true") && out.contains("func true"), "{out}");
    });
}

#[test]
fn calls_of_every_kind_reach_the_other_module() {
    const FIRST: &str = r#"(module $first
      (type $t (func (param i32) (result i32)))
      (type $back (func (param i32) (result i32)))
      (import "host" "note" (func $note (param i64)))
      (table $table (export "table") 4 funcref)
      (elem (i32.const 0) func $leaf)
      (global $call (export "call") (mut (ref null $back)) (ref.null $back))
      (func $leaf (export "leaf") (type $t)
        (call $note (i64.extend_i32_s (local.get 0)))
        (i32.add (local.get 0) (i32.const 1)))
      (func (export "down") (type $t)
        (if (result i32) (i32.eqz (local.get 0))
          (then (i32.const 0))
          (else
            (i32.add (i32.const 1)
              (call_ref $back (i32.sub (local.get 0) (i32.const 1)) (global.get $call))))))
      (func (export "tail-down") (type $t)
        (if (i32.eqz (local.get 0)) (then (return (i32.const 77))))
        (return_call_ref $back (i32.sub (local.get 0) (i32.const 1)) (global.get $call)))
      (func (export "twice") (type $t)
        (i32.mul (i32.const 2) (call_indirect $table (type $t) (local.get 0) (i32.const 1)))))"#;
    const SECOND: &str = r#"(module $second
      (type $t (func (param i32) (result i32)))
      (import "other" "leaf" (func $leaf (type $t)))
      (import "other" "down" (func $down (type $t)))
      (import "other" "tail-down" (func $tail-down (type $t)))
      (import "other" "twice" (func $twice (type $t)))
      (import "other" "table" (table $table 4 funcref))
      (import "other" "call" (global $call (mut (ref null $t))))
      (elem (i32.const 1) func $own)
      (elem declare func $up $tail-up $leaf)
      (func $own (type $t) (i32.sub (call $leaf (local.get 0)) (i32.const 100)))
      (func $up (type $t) (i32.add (i32.const 1) (call $down (local.get 0))))
      (func $tail-up (type $t) (return_call $tail-down (local.get 0)))
      (func (export "direct") (type $t) (call $leaf (local.get 0)))
      (func (export "indirect") (type $t)
        (call_indirect $table (type $t) (local.get 0) (i32.const 0)))
      (func (export "by-ref") (type $t) (call_ref $t (local.get 0) (ref.func $leaf)))
      (func (export "tail") (type $t) (return_call $leaf (local.get 0)))
      (func (export "tail-indirect") (type $t)
        (return_call_indirect $table (type $t) (local.get 0) (i32.const 0)))
      (func (export "tail-by-ref") (type $t)
        (return_call_ref $t (local.get 0) (ref.func $leaf)))
      (func (export "after-tail") (type $t)
        (i32.mul (i32.const 3) (call $through (local.get 0))))
      (func $through (type $t) (local i64 i64) (return_call $leaf (local.get 0)))
      (func (export "callback") (type $t) (call $twice (local.get 0)))
      (func (export "recursion") (type $t)
        (global.set $call (ref.func $up)) (call $up (local.get 0)))
      (func (export "tail-recursion") (type $t)
        (global.set $call (ref.func $tail-up)) (call $tail-up (local.get 0))))"#;
    same(&Config::new(), FIRST, SECOND, |store, one, two, out| {
        for name in [
            "direct",
            "indirect",
            "by-ref",
            "tail",
            "tail-indirect",
            "tail-by-ref",
            "after-tail",
            "callback",
            "recursion",
            "tail-recursion",
        ] {
            for n in [0, 5, 40] {
                call(store, two, name, &[Val::I32(n)], out);
            }
        }
        call(store, one, "leaf", &[Val::I32(9)], out);
        assert!(out.contains("recursion I32(81)"), "{out}");
    });
}

#[test]
fn recursion_without_end_is_a_trap() {
    const FIRST: &str = r#"(module
      (type $t (func))
      (global $call (export "call") (mut (ref null $t)) (ref.null $t))
      (func (export "down") (call_ref $t (global.get $call))))"#;
    const SECOND: &str = r#"(module
      (type $t (func))
      (import "other" "call" (global $call (mut (ref null $t))))
      (import "other" "down" (func $down))
      (func $up (export "up") (global.set $call (ref.func $up)) (call $down))
      (func (export "one") (result i32) (i32.const 1)))"#;
    same(&Config::new(), FIRST, SECOND, |store, _, two, out| {
        for _ in 0..3 {
            let up = two.typed_func::<(), ()>(&*store, "up").unwrap();
            let error = up.call(&mut *store, ()).unwrap_err();
            assert_eq!(error.trap().map(|trap| trap.kind()), Some(TrapKind::StackExhausted));
            call(store, two, "one", &[], out);
        }
    });
}

#[test]
fn traps_and_errors_pass_with_the_frames_of_both() {
    const FIRST: &str = r#"(module $first
      (type $t (func (param i32)))
      (import "host" "fail" (func $fail (param i32)))
      (memory (export "memory") 1)
      (table (export "table") 1 funcref)
      (func $inner (param i32)
        (if (i32.eq (local.get 0) (i32.const 0)) (then (unreachable)))
        (if (i32.eq (local.get 0) (i32.const 1))
          (then (drop (i32.load offset=65533 (i32.const 0)))))
        (if (i32.eq (local.get 0) (i32.const 2))
          (then (drop (i32.div_u (i32.const 1) (i32.const 0)))))
        (if (i32.ge_s (local.get 0) (i32.const 3))
          (then (call $fail (i32.sub (local.get 0) (i32.const 3)))))
        (call_indirect (type $t) (local.get 0) (i32.const 0)))
      (func $outer (export "run") (param i32) (call $inner (local.get 0)) (call $fail (i32.const 9))))"#;
    const SECOND: &str = r#"(module $second
      (import "other" "run" (func $run (param i32)))
      (import "other" "table" (table 1 funcref))
      (elem (i32.const 0) func $deep)
      (func $deep (param i32) (local f64) (call $run (i32.sub (local.get 0) (i32.const 1))))
      (func $middle (param i32) (call $run (local.get 0)))
      (func $start (export "start") (param i32) (local i64) (call $middle (local.get 0)))
      (func (export "deep") (param i32) (call $deep (local.get 0))))"#;
    same(&Config::new(), FIRST, SECOND, |store, one, two, out| {
        for n in [0, 1, 2, 3, 5] {
            call(store, two, "start", &[Val::I32(n)], out);
            call(store, one, "run", &[Val::I32(n)], out);
        }
        call(store, two, "deep", &[Val::I32(3)], out);
        let start = two.typed_func::<i32, ()>(&*store, "start").unwrap();
        let panic = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            start.call(&mut *store, 4).map_err(|error| error.to_string())
        }));
        let words = panic.unwrap_err().downcast_ref::<&str>().map(|words| (*words).to_owned());
        assert_eq!(words.as_deref(), Some("the host's own"));
        call(store, two, "start", &[Val::I32(0)], out);
        for (module, func) in [("first", "inner"), ("first", "outer"), ("second", "middle")] {
            assert!(out.contains(&format!("{module}.{func}@")), "{out}");
        }
    });
}

#[test]
fn exceptions_are_caught_on_the_other_side() {
    const FIRST: &str = r#"(module $first
      (tag $e (export "e") (param i32 i64))
      (tag $hidden (param i32))
      (func $throw (export "throw") (param i32)
        (if (local.get 0) (then (throw $e (local.get 0) (i64.const -3))))
        (throw $hidden (i32.const 5)))
      (func $catch (export "catch-own") (param i32) (result i32)
        (block $h (result i32)
          (try_table (catch $hidden $h) (call $throw (local.get 0)))
          (i32.const -1))))"#;
    const SECOND: &str = r#"(module $second
      (tag $e (import "other" "e") (param i32 i64))
      (import "other" "throw" (func $throw (param i32)))
      (import "other" "catch-own" (func $catch-own (param i32) (result i32)))
      (func (export "catch") (param i32) (result i32 i64)
        (block $h (result i32 i64)
          (try_table (catch $e $h) (call $throw (local.get 0)))
          (i32.const -1) (i64.const -1)))
      (func $pass (param i32) (result i32) (local i64)
        (try_table (result i32) (call $throw (local.get 0)) (i32.const 8)))
      (func (export "catch-all") (param i32) (result i32)
        (block $h (try_table (catch_all $h) (drop (call $pass (local.get 0)))) (return (i32.const 1)))
        (i32.const 2))
      (func (export "again") (param i32) (result i32)
        (block $h (result i32 i64)
          (try_table (result i32) (catch $e $h)
            (block $all (result exnref)
              (try_table (catch_all_ref $all) (call $throw (local.get 0)))
              (return (i32.const 0)))
            (throw_ref))
          (return))
        (drop))
      (func (export "through") (param i32) (result i32) (call $catch-own (local.get 0)))
      (func (export "uncaught") (param i32) (drop (call $pass (local.get 0)))))"#;
    same(&Config::new(), FIRST, SECOND, |store, _, two, out| {
        for name in ["catch", "catch-all", "again", "through", "uncaught"] {
            for n in [0, 11] {
                call(store, two, name, &[Val::I32(n)], out);
            }
        }
        for line in
            ["catch I32(11), I64(-3)", "catch-all I32(2)", "again I32(11)", "through I32(5)"]
        {
            assert!(out.contains(line), "{out}");
        }
        let uncaught = two.func(&*store, "uncaught").unwrap();
        let error = uncaught.call(&mut *store, &[Val::I32(6)], &mut []).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Exception);
        let fields = error.exception().unwrap().fields(&*store).unwrap();
        assert!(matches!(fields[..], [Val::I32(6), Val::I64(-3)]), "{fields:?}");
    });
}

#[test]
fn memories_and_globals_are_shared() {
    const FIRST: &str = r#"(module
      (memory (export "memory") 1 4)
      (global (export "count") (mut i64) (i64.const 0))
      (table (export "table") 1 10 externref)
      (func (export "grow") (param i32) (result i32)
        (global.set 0 (i64.add (global.get 0) (i64.const 1)))
        (i32.store (i32.const 16) (i32.const 99))
        (memory.grow (local.get 0)))
      (func (export "last") (result i32)
        (i32.load8_u (i32.sub (i32.mul (memory.size) (i32.const 65536)) (i32.const 1)))))"#;
    const SECOND: &str = r#"(module
      (import "other" "memory" (memory 1 4))
      (import "other" "count" (global $count (mut i64)))
      (import "other" "grow" (func $grow (param i32) (result i32)))
      (import "other" "last" (func $last (result i32)))
      (func (export "run") (param i32) (result i32 i32 i32 i64)
        (local $old i32)
        (i32.store (i32.const 16) (i32.const 5))
        (local.set $old (call $grow (local.get 0)))
        (i32.store8 (i32.sub (i32.mul (memory.size) (i32.const 65536)) (i32.const 1)) (i32.const 42))
        (local.get $old) (i32.load (i32.const 16)) (call $last) (global.get $count))
      (func (export "beyond") (result i32)
        (i32.load (i32.mul (memory.size) (i32.const 65536)))))"#;
    same(&Config::new(), FIRST, SECOND, |store, _, two, out| {
        for n in [0, 1, 2, 1] {
            call(store, two, "run", &[Val::I32(n)], out);
            call(store, two, "beyond", &[], out);
        }
        assert!(out.contains("run I32(2), I32(99), I32(42), I64(3)"), "{out}");
    });
}

#[test]
fn references_in_frames_of_both_are_kept() {
    const FIRST: &str = r#"(module
      (type $box (struct (field (mut i64))))
      (import "host" "note" (func $note (param i64)))
      (func $make (export "make") (param i64) (result (ref $box)) (struct.new $box (local.get 0)))
      (func (export "swap") (param (ref $box) i64) (result (ref $box))
        (local $new (ref $box))
        (local.set $new (call $make (local.get 1)))
        (call $note (struct.get $box 0 (local.get 0)))
        (drop (call $make (i64.const 0)))
        (struct.set $box 0 (local.get $new)
          (i64.add (struct.get $box 0 (local.get $new)) (struct.get $box 0 (local.get 0))))
        (local.get $new)))"#;
    const SECOND: &str = r#"(module
      (type $box (struct (field (mut i64))))
      (import "other" "make" (func $make (param i64) (result (ref $box))))
      (import "other" "swap" (func $swap (param (ref $box) i64) (result (ref $box))))
      (func (export "run") (param i64) (result i64)
        (local $a (ref $box)) (local $b (ref $box))
        (local.set $a (struct.new $box (local.get 0)))
        (local.set $b (call $swap (local.get $a) (i64.const 100)))
        (drop (call $swap (call $make (i64.const 1)) (i64.const 2)))
        (i64.add (struct.get $box 0 (local.get $a)) (struct.get $box 0 (local.get $b)))))"#;
    same(&Config::new(), FIRST, SECOND, |store, _, two, out| {
        store.collect_always(true);
        for n in 0..5 {
            call(store, two, "run", &[Val::I64(n)], out);
        }
        assert!(out.contains("run I64(108)"), "{out}");
    });
}

#[test]
fn fuel_is_one_account() {
    const FIRST: &str = r#"(module
      (func (export "spin") (param i32)
        (loop $more
          (local.set 0 (i32.sub (local.get 0) (i32.const 1)))
          (br_if $more (local.get 0)))))"#;
    const SECOND: &str = r#"(module
      (import "other" "spin" (func $spin (param i32)))
      (func (export "run") (param i32)
        (call $spin (local.get 0)) (call $spin (local.get 0))))"#;
    same(&Config::new().fuel(true), FIRST, SECOND, |store, _, two, out| {
        store.set_fuel(1000).unwrap();
        call(store, two, "run", &[Val::I32(20)], out);
        writeln!(out, "{:?}", store.fuel()).unwrap();
        let run = two.typed_func::<i32, ()>(&*store, "run").unwrap();
        let error = run.call(&mut *store, 2000).unwrap_err();
        assert_eq!(error.trap().map(|trap| trap.kind()), Some(TrapKind::OutOfFuel));
        writeln!(out, "{:?}", store.fuel()).unwrap();
    });
}

#[test]
fn an_interrupt_stops_both() {
    const FIRST: &str = r#"(module (func (export "spin") (loop $more (br $more))))"#;
    const SECOND: &str = r#"(module
      (import "other" "spin" (func $spin))
      (func (export "run") (call $spin)))"#;
    same(&Config::new(), FIRST, SECOND, |store, _, two, _| {
        let handle = store.interrupt_handle();
        let run = two.typed_func::<(), ()>(&*store, "run").unwrap();
        std::thread::scope(|scope| {
            scope.spawn(|| {
                std::thread::sleep(std::time::Duration::from_millis(20));
                handle.interrupt();
            });
            let error = run.call(&mut *store, ()).unwrap_err();
            assert_eq!(error.trap().map(|trap| trap.kind()), Some(TrapKind::Interrupt));
        });
    });
}
