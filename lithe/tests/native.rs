//! What must not differ between the ways to run a guest: where a trap was, what is left of a guest that was stopped at
//! any instruction, and what its stack comes to. Tests that run guests do so in every way that there is.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use lithe::{
    Caller, Config, Engine, Error, Features, Instance, Linker, Module, Store, StoreLimits,
    Strategy, TrapKind, Traps, Val,
};

mod ways;

use ways::ways;

/// Functions that trap, each called through another one, with the kind of their trap.
const TRAPS: &[(&str, TrapKind)] = &[
    ("(unreachable)", TrapKind::Unreachable),
    ("(i32.load (i32.const 65533))", TrapKind::MemoryOutOfBounds),
    ("(i32.load offset=4294967295 (i32.const -1))", TrapKind::MemoryOutOfBounds),
    ("(i32.load offset=2147483647 (i32.const -1))", TrapKind::MemoryOutOfBounds),
    ("(i32.load8_u offset=65535 (i32.const 1))", TrapKind::MemoryOutOfBounds),
    ("(i32.wrap_i64 (i64.load (i32.const 65529)))", TrapKind::MemoryOutOfBounds),
    ("(i64.store (i32.const 65529) (i64.const 1)) (i32.const 0)", TrapKind::MemoryOutOfBounds),
    (
        "(memory.fill (i32.const 65535) (i32.const 0) (i32.const 2)) (i32.const 0)",
        TrapKind::MemoryOutOfBounds,
    ),
    ("(i32.div_s (i32.const 1) (local.get 0))", TrapKind::IntegerDivideByZero),
    ("(i32.rem_u (i32.const 1) (local.get 0))", TrapKind::IntegerDivideByZero),
    (
        "(i32.div_s (i32.const -2147483648) (i32.sub (local.get 0) (i32.const 1)))",
        TrapKind::IntegerOverflow,
    ),
    ("(i32.trunc_f32_s (f32.const nan))", TrapKind::InvalidConversion),
    ("(i32.trunc_f64_u (f64.const -1))", TrapKind::IntegerOverflow),
    ("(call_indirect (type $t) (local.get 0) (i32.const 7))", TrapKind::UndefinedElement),
    ("(call_indirect (type $t) (local.get 0) (i32.const 1))", TrapKind::UninitializedElement),
    ("(call_indirect (type $t) (local.get 0) (i32.const 0))", TrapKind::IndirectCallTypeMismatch),
    ("(drop (table.get (i32.const 2))) (i32.const 0)", TrapKind::TableOutOfBounds),
    ("(call_ref $t (local.get 0) (ref.null $t))", TrapKind::NullFunction),
];

/// The functions and offsets of the frames of a trap.
fn frames(engine: &Engine, body: &str, kind: TrapKind) -> Vec<(u32, u32)> {
    let wat = format!(
        r#"(module
            (type $t (func (param i32) (result i32)))
            (memory 1)
            (table 2 funcref)
            (elem (i32.const 0) func $other)
            (func $other)
            (func $trap (type $t) {body})
            (func $middle (type $t)
              (local $i i32)
              (if (result i32) (i32.eqz (local.get 0))
                (then (call $trap (local.get 0)))
                (else (call $middle (i32.sub (local.get 0) (i32.const 1))))))
            (func (export "run") (type $t) (i32.add (call $middle (local.get 0)) (i32.const 1))))"#
    );
    let module = Module::new(engine, wat.as_str()).unwrap();
    let mut store = Store::new(engine, ());
    let instance = Instance::new(&mut store, &module, &[]).unwrap();
    let run = instance.typed_func::<i32, i32>(&store, "run").unwrap();
    let error = run.call(&mut store, 3).unwrap_err();
    let trap = error.trap().unwrap_or_else(|| panic!("{body}: {error}"));
    assert_eq!(trap.kind(), kind, "{body}");
    trap.frames().iter().map(|frame| (frame.func, frame.offset)).collect()
}

/// Expressions with `BAD`, a load beyond the end of memory, that a machine may fold into the instruction of another
/// operator. `P` is an address there that is not known to the compiler.
const FOLDED: &[&str] = &[
    "(i32.add (local.get 0) BAD)",
    "(i32.sub BAD (i32.const 5))",
    "(i32.sub (i32.const 5) BAD)",
    "(i32.and BAD (local.get 0))",
    "(i32.mul BAD (local.get 0))",
    "(i32.mul BAD (i32.const 24))",
    "(i32.xor BAD (i32.const -1))",
    "(i32.eq BAD (local.get 0))",
    "(i32.eqz BAD)",
    "(i32.popcnt BAD)",
    "(i32.clz BAD)",
    "(i32.shl BAD (local.get 0))",
    "(i32.shl (local.get 0) BAD)",
    "(i32.extend8_s BAD)",
    "(i32.div_u (i32.const 7) BAD)",
    "(i32.rem_s BAD (i32.const 7))",
    "(i32.add BAD (i32.load (i32.const 8)))",
    "(i32.add (i32.load (i32.const 8)) BAD)",
    "(i32.add (i32.load (i32.const 8)) (i32.xor (local.get 0) BAD))",
    "(i32.load BAD)",
    "(i32.load8_s offset=1 BAD)",
    "(i32.load offset=65533 (i32.load (i32.const 8)))",
    "(i32.wrap_i64 (i64.extend_i32_u BAD))",
    "(i32.wrap_i64 (i64.add (i64.extend_i32_s BAD) (i64.const 5)))",
    "(i32.wrap_i64 (i64.shr_u (i64.mul (i64.const 5) (i64.load P)) (i64.const 32)))",
    "(i32.trunc_sat_f32_s (f32.add (f32.const 1) (f32.load P)))",
    "(i32.trunc_f64_s (f64.mul (f64.load P) (f64.const 1)))",
    "(i32.trunc_sat_f64_s (f64.sqrt (f64.load P)))",
    "(i32.trunc_sat_f64_s (f64.promote_f32 (f32.load P)))",
    "(i32.trunc_sat_f64_s (f64.convert_i32_s BAD))",
    "(i32.reinterpret_f32 (f32.load P))",
    "(select BAD (i32.const 5) (local.get 0))",
    "(select (i32.const 3) (i32.const 5) BAD)",
    "(select (i32.const 3) (i32.const 5) (i32.lt_u BAD (i32.const 9)))",
    "(if (result i32) BAD (then (i32.const 1)) (else (i32.const 2)))",
    "(if (result i32) (i32.gt_s BAD (local.get 0)) (then (i32.const 1)) (else (i32.const 2)))",
    "(block (result i32) (block (block (br_table 0 1 BAD)) (unreachable)) (i32.const 1))",
    "(i32.wrap_i64 (i64.extend_i32_u (i32.atomic.load offset=3 P)))",
    "(i32.add (local.get 0) (i32.atomic.load offset=3 P))",
    "(i32.extend8_s (i32.atomic.load8_u offset=3 P))",
    "(call $middle BAD)",
    "(i32.store P (i32.add BAD (local.get 0))) (i32.const 0)",
    "(i32.store P (i32.sub BAD (local.get 0))) (i32.const 0)",
    "(i32.store P (i32.or (i32.const 77) BAD)) (i32.const 0)",
    "(i64.store P (i64.xor (i64.load P) (i64.const 77))) (i32.const 0)",
    "(i32.store8 P (i32.add BAD (local.get 0))) (i32.const 0)",
    "(i32.store (i32.const 8) (i32.add BAD (local.get 0))) (i32.const 0)",
    "(i32.store P (i32.add (i32.load (i32.const 8)) (local.get 0))) (i32.const 0)",
    "(i32.store P (i32.load (i32.const 8))) (i32.const 0)",
    "(i32.store P (local.get 0)) (i32.const 0)",
    "(i32x4.extract_lane 0 (i32x4.add (i32x4.splat (i32.const 5)) (v128.load P)))",
    "(i32x4.extract_lane 0 (f32x4.add (f32x4.splat (f32.const 5)) (v128.load P)))",
    "(i32x4.extract_lane 1 (i32x4.mul (v128.load P) (i32x4.splat (i32.const 5))))",
    "(i32x4.extract_lane 1 (i8x16.shuffle 0 1 2 3 4 5 6 7 16 17 18 19 20 21 22 23 (v128.load P)
        (v128.const i64x2 1 2)))",
    "(i32x4.extract_lane 1 (i32x4.splat BAD))",
    "(i32x4.extract_lane 1 (i32x4.replace_lane 1 (v128.const i64x2 1 2) BAD))",
    "(i32x4.extract_lane 1 (v128.load32_lane 1 P (v128.const i64x2 1 2)))",
    "(i32x4.extract_lane 1 (v128.load8x8_s P))",
    "(i32x4.extract_lane 1 (v128.load16_splat offset=2 P))",
];

#[test]
fn traps_of_folded_loads_are_those_of_the_loads() {
    // So many loads come before that numbers of loads come again.
    let many =
        "(i32.store (i32.const 4) (i32.add (i32.load (i32.const 4)) (i32.load (local.get 0))))";
    for before in [0, 400] {
        for case in FOLDED {
            let body = case.replace("BAD", "(i32.load P)");
            let body = body.replace('P', "(i32.sub (i32.const 65533) (local.get 0))");
            let body = format!("{} {body}", many.repeat(before));
            let features = Features::default().union(Features::THREADS);
            let [first, others @ ..] = ways(Config::new().features(features))
                .map(|engine| frames(&engine, &body, TrapKind::MemoryOutOfBounds));
            for other in others {
                assert_eq!(other, first, "after {before}: {case}");
            }
        }
    }
}

#[test]
fn traps_are_at_the_same_place() {
    for (body, kind) in TRAPS {
        let [first, others @ ..] = ways(Config::new()).map(|engine| frames(&engine, body, *kind));
        assert_eq!(first.len(), 6, "{body}");
        for (way, other) in others.iter().enumerate() {
            assert_eq!(&first, other, "{body} in way {}", way + 1);
        }
    }
}

/// A tail call replaces the frame of its function, whatever it calls.
#[test]
fn frames_that_tail_calls_replaced_are_not_shown() {
    const WAT: &str = r#"(module
      (type $t (func (param i32) (result i32)))
      (import "host" "fail" (func $fail (param i32) (result i32)))
      (table 2 funcref)
      (elem (i32.const 0) func $fail $trap)
      (func $trap (type $t) (unreachable))
      (func $call (type $t) (return_call $fail (local.get 0)))
      (func $indirect (type $t) (return_call_indirect (type $t) (local.get 0) (local.get 0)))
      (func $ref (type $t) (return_call_ref $t (local.get 0) (ref.func $fail)))
      (func (export "call") (type $t) (i32.add (call $call (local.get 0)) (i32.const 1)))
      (func (export "indirect") (type $t) (i32.add (call $indirect (local.get 0)) (i32.const 1)))
      (func (export "ref") (type $t) (i32.add (call $ref (local.get 0)) (i32.const 1)))
      (func (export "bare") (type $t) (return_call $fail (local.get 0))))"#;
    for engine in ways(Config::new()) {
        let module = Module::new(&engine, WAT).unwrap();
        let mut linker = Linker::new(&engine);
        let fail = |n: i32| match n {
            0 => Err(Error::trap_of(TrapKind::IntegerOverflow)),
            n => Ok(n),
        };
        linker.func_wrap("host", "fail", fail).unwrap();
        let mut store = Store::new(&engine, ());
        let instance = linker.instantiate(&mut store, &module).unwrap();
        for (name, funcs) in [("call", &[5][..]), ("indirect", &[6]), ("ref", &[7]), ("bare", &[])]
        {
            let func = instance.typed_func::<i32, i32>(&store, name).unwrap();
            let error = func.call(&mut store, 0).unwrap_err();
            let frames: Vec<_> = error.trap().unwrap().frames().iter().map(|f| f.func).collect();
            assert_eq!(frames, funcs, "{name}, {:?} {:?}", engine.strategy(), engine.traps());
        }
        let func = instance.typed_func::<i32, i32>(&store, "indirect").unwrap();
        let error = func.call(&mut store, 1).unwrap_err();
        let frames: Vec<_> = error.trap().unwrap().frames().iter().map(|f| f.func).collect();
        assert_eq!(frames, [1, 6], "{:?} {:?}", engine.strategy(), engine.traps());
        let func = instance.typed_func::<i32, i32>(&store, "call").unwrap();
        assert_eq!(func.call(&mut store, 7).unwrap(), 8);
    }
}

/// A guest that uses up its stack in each kind of call, and at different depths of its frames.
#[test]
fn a_stack_that_is_used_up_is_a_trap() {
    const WAT: &str = r#"(module
      (type $t (func (param i32) (result i32)))
      (import "host" "same" (func $same (param i32) (result i32)))
      (table 1 funcref)
      (elem (i32.const 0) func $indirect)
      (elem declare func $ref)
      (func $direct (export "direct") (type $t)
        (i32.add (call $direct (local.get 0)) (i32.const 1)))
      (func $indirect (export "indirect") (type $t)
        (i32.add (call_indirect (type $t) (local.get 0) (i32.const 0)) (i32.const 1)))
      (func $ref (export "ref") (type $t)
        (i32.add (call_ref $t (local.get 0) (ref.func $ref)) (i32.const 1)))
      (func $host (export "host") (type $t)
        (i32.add (call $host (call $same (local.get 0))) (i32.const 1)))
      (func $wide (export "wide") (type $t) (local i64 i64 i64 i64 i64 i64 i64 i64 i64)
        (local.set 5 (i64.extend_i32_s (local.get 0)))
        (local.set 0 (call $wide (local.get 0)))
        (i32.add (local.get 0) (i32.wrap_i64 (local.get 5))))
      (func (export "one") (type $t) (i32.add (local.get 0) (i32.const 1))))"#;
    let mut sites = HashMap::new();
    for engine in ways(Config::new()) {
        let module = Module::new(&engine, WAT).unwrap();
        let mut linker = Linker::new(&engine);
        linker.func_wrap("host", "same", |n: i32| n).unwrap();
        for stack_bytes in (16 << 10..17 << 10).step_by(112) {
            let mut store = Store::new(&engine, ());
            store.set_limits(StoreLimits { stack_bytes, ..StoreLimits::default() });
            let instance = linker.instantiate(&mut store, &module).unwrap();
            for name in ["direct", "indirect", "ref", "host", "wide"] {
                let func = instance.typed_func::<i32, i32>(&store, name).unwrap();
                let error = func.call(&mut store, 1).unwrap_err();
                let trap = error.trap().unwrap_or_else(|| panic!("{name}: {error}"));
                assert_eq!(trap.kind(), TrapKind::StackExhausted, "{name}");
                // Whatever function did not fit, those that called it are all the same.
                let frames = trap.frames();
                assert!(frames.len() > 20, "{name} of {stack_bytes}: {}", frames.len());
                let frames: Vec<_> =
                    frames.iter().map(|frame| (frame.func, frame.offset)).collect();
                let mut calls = frames[usize::from(name == "host")..].iter();
                assert!(
                    calls.all(|call| *call == frames[2]),
                    "{name} of {stack_bytes}, {:?}: {frames:x?}",
                    engine.traps()
                );
                assert_eq!(frames[0].0, frames[2].0);
                assert_eq!(frames[2].1, *sites.entry(name).or_insert(frames[2].1), "{name}");
                let one = instance.typed_func::<i32, i32>(&store, "one").unwrap();
                assert_eq!(one.call(&mut store, 41).unwrap(), 42);
            }
        }
    }
}

/// Guests are stopped at whatever instruction they are at, in text and in calls of the host, again and again. What
/// they computed up to there is consistent, and calls afterwards work.
#[test]
fn interruptions_at_any_instruction_leave_a_store_whole() {
    const ROUNDS: u64 = 300;
    const WAT: &str = r#"(module
      (import "host" "add" (func $add (param i32 i32) (result i32)))
      (memory 1)
      (global $count (export "count") (mut i64) (i64.const 0))
      (func $fib (param i32) (result i32)
        (if (result i32) (i32.lt_s (local.get 0) (i32.const 2))
          (then (local.get 0))
          (else (i32.add (call $fib (i32.sub (local.get 0) (i32.const 1)))
                         (call $fib (i32.sub (local.get 0) (i32.const 2)))))))
      (func (export "run") (local $i i32)
        (loop $more
          (if (i32.ne (call $fib (i32.const 12)) (i32.const 144)) (then (unreachable)))
          (local.set $i (call $add (local.get $i) (i32.const 1)))
          (memory.fill (i32.const 0) (local.get $i) (i32.const 4096))
          (if (i32.ne (i32.load8_u (i32.const 4095)) (i32.and (local.get $i) (i32.const 255)))
            (then (unreachable)))
          (global.set $count (i64.add (global.get $count) (i64.const 1)))
          (br $more))))"#;
    for engine in ways(Config::new()) {
        let module = Module::new(&engine, WAT).unwrap();
        let mut linker = Linker::new(&engine);
        let add = |mut caller: Caller<'_, u64>, a: i32, b: i32| {
            *caller.data_mut() += 1;
            a + b
        };
        linker.func_wrap("host", "add", add).unwrap();
        let mut store = Store::new(&engine, 0);
        let instance = linker.instantiate(&mut store, &module).unwrap();
        let run = instance.typed_func::<(), ()>(&store, "run").unwrap();
        let count = instance.global(&store, "count").unwrap();
        let handle = store.interrupt_handle();
        let stops = AtomicU64::new(0);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                let mut pause = 1;
                for round in 0..ROUNDS {
                    pause = pause * 48271 % 0x7fff_ffff;
                    let until = Instant::now() + Duration::from_nanos(pause % 60_000);
                    while Instant::now() < until {
                        std::hint::spin_loop();
                    }
                    handle.interrupt();
                    // No request is lost.
                    let late = Instant::now() + Duration::from_secs(60);
                    while stops.load(Ordering::Relaxed) == round {
                        assert!(Instant::now() < late, "the guest goes on after {round} stops");
                        std::thread::yield_now();
                    }
                }
            });
            for round in 1..=ROUNDS {
                let error = run.call(&mut store, ()).unwrap_err();
                let trap = error.trap().unwrap_or_else(|| panic!("{error}"));
                assert_eq!(trap.kind(), TrapKind::Interrupt);
                assert!(trap.frames().len() < 20);
                let Val::I64(count) = count.get(&store).unwrap() else { panic!("an i64") };
                // One more call of the host may have ended than what follows it.
                assert!((count as u64..=count as u64 + round).contains(store.data()));
                stops.store(round, Ordering::Relaxed);
            }
        });
        assert!(*store.data() > 0);
    }
}

/// Stores on many threads trap and are interrupted at the same time.
#[test]
fn threads_trap_by_themselves() {
    const WAT: &str = r#"(module
      (memory 1)
      (func (export "load") (param i32) (result i32) (i32.load (local.get 0)))
      (func (export "spin") (loop (br 0))))"#;
    for engine in ways(Config::new()) {
        let module = Module::new(&engine, WAT).unwrap();
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    let mut store = Store::new(&engine, ());
                    let instance = Instance::new(&mut store, &module, &[]).unwrap();
                    let load = instance.typed_func::<i32, i32>(&store, "load").unwrap();
                    let spin = instance.typed_func::<(), ()>(&store, "spin").unwrap();
                    for i in 0..200 {
                        assert_eq!(load.call(&mut store, i * 4).unwrap(), 0);
                        let error = load.call(&mut store, 65533 + i * 1_000_000).unwrap_err();
                        assert_eq!(error.trap().unwrap().kind(), TrapKind::MemoryOutOfBounds);
                    }
                    for _ in 0..20 {
                        let handle = store.interrupt_handle();
                        let stop = std::thread::spawn(move || {
                            std::thread::sleep(Duration::from_millis(1));
                            handle.interrupt();
                        });
                        let error = spin.call(&mut store, ()).unwrap_err();
                        assert_eq!(error.trap().unwrap().kind(), TrapKind::Interrupt);
                        stop.join().unwrap();
                    }
                });
            }
        });
    }
}

/// Native code has a limit of operands, which the interpreter does not share.
#[test]
fn too_many_operands_are_refused() {
    let held = |count: usize| {
        let operands = "(i32.load (local.get 0))".repeat(count);
        let rest = "(i32.add)".repeat(count - 1);
        format!("(module (memory 1) (func (param i32) (result i32) {operands} {rest}))")
    };
    for traps in [Traps::Checks, Traps::Signals] {
        let native = Config::new().strategy(Strategy::Native).traps(traps);
        Module::new(&Engine::new(&native), held(2_000).as_str()).unwrap();
        let error = Module::new(&Engine::new(&native), held(10_001).as_str()).err().unwrap();
        let message = error.to_string();
        assert!(message.contains("more than 10000 operands are on its stack at once"), "{message}");
    }
}

#[test]
fn too_many_carried_values_are_refused() {
    let many = "i32 ".repeat(1000);
    let types = format!(
        "(type $t (func (param i32) (result {many}))) (type $u (func (param {many}) (result {many})))"
    );
    let values = "(local.get 0)".repeat(1000);
    let function = |body: &str| {
        format!("(module {types} (func $f (type $u) unreachable) (func (type $t) {values} {body}))")
    };
    let of = |count: usize| {
        let labels = "0 ".repeat(count);
        [
            format!("(block (type $u) {})", "(br_if 0 (local.get 0))".repeat(count)),
            "(block (type $u))".repeat(count),
            "(call $f)".repeat(count),
            format!("(block (type $u) (br_table {labels} 0 (local.get 0)))"),
        ]
    };
    for traps in [Traps::Checks, Traps::Signals] {
        let native = Engine::new(&Config::new().strategy(Strategy::Native).traps(traps));
        for body in of(20) {
            Module::new(&native, function(&body).as_str()).unwrap();
        }
        for body in of(5000) {
            let message = Module::new(&native, function(&body).as_str()).err().unwrap().to_string();
            assert!(message.contains("values are carried by its blocks"), "{message}");
        }
    }
}
