//! Vectors in registers, of guests and of the host, while signals come and guests are stopped. A signal that stops
//! nobody returns to the guest with all registers as they were, which the system sees to. One that stops a guest leads
//! out of it for good: nothing of the guest's registers is ever used again, and what the host had is restored.

use std::hint::black_box;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use lithe::{Config, Engine, Instance, Module, Store, TrapKind};

mod ways;

use ways::ways;

/// A loop over more vectors than machines have registers to spare, all of whose lanes the result depends on.
fn guest() -> String {
    const VECTORS: usize = 14;
    let mut step = String::new();
    for at in 1..=VECTORS {
        let next = at % VECTORS + 1;
        step += &format!(
            "(local.set {at} (i64x2.add (i32x4.mul (local.get {at}) (v128.const i32x4 5 9 13 17))
               (i8x16.shuffle 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20
                 (local.get {next}) (f64x2.convert_low_i32x4_s (local.get {at})))))"
        );
    }
    let all = (2..=VECTORS).fold("(local.get 1)".to_string(), |all, at| {
        format!("(i64x2.add (i64x2.mul {all} (v128.const i64x2 3 7)) (local.get {at}))")
    });
    format!(
        r#"(module
          (func $run (export "run") (param i32) (result i64) (local {locals}) (local $all v128)
            (local.set 1 (v128.const i32x4 1 2 3 4))
            (loop $more
              {step}
              (br_if $more (local.tee 0 (i32.sub (local.get 0) (i32.const 1)))))
            (local.set $all {all})
            (i64.xor (i64x2.extract_lane 0 (local.get $all))
                     (i64.rotl (i64x2.extract_lane 1 (local.get $all)) (i64.const 23))))
          (func (export "endless") (loop $more (drop (call $run (i32.const 50))) (br $more))))"#,
        locals = "v128 ".repeat(VECTORS),
    )
}

fn instance(engine: &Engine) -> (Store<()>, Instance) {
    let module = Module::new(engine, guest().as_str()).unwrap();
    let mut store = Store::new(engine, ());
    let instance = Instance::new(&mut store, &module, &[]).unwrap();
    (store, instance)
}

/// Runs `f` while another thread sends this one the signal that stops guests, as fast as it can.
fn in_a_storm<R>(f: impl FnOnce() -> R) -> R {
    let done = AtomicBool::new(false);
    // SAFETY: the call has no conditions.
    let own = unsafe { libc::pthread_self() };
    thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                // SAFETY: the thread lives until the scope ends, and ignores the signal or has a handler for it.
                unsafe { libc::pthread_kill(own, libc::SIGURG) };
            }
        });
        let result = f();
        done.store(true, Ordering::Relaxed);
        result
    })
}

#[test]
fn signals_that_stop_nobody_change_no_register() {
    const ROUNDS: i32 = 200_000;
    let mut expected = None;
    for engine in ways(Config::new()) {
        let (mut store, instance) = instance(&engine);
        let run = instance.typed_func::<i32, i64>(&store, "run").unwrap();
        let calm = run.call(&mut store, ROUNDS).unwrap();
        assert_eq!(calm, *expected.get_or_insert(calm));
        for _ in 0..3 {
            assert_eq!(in_a_storm(|| run.call(&mut store, ROUNDS)).unwrap(), calm);
        }
    }
}

#[test]
fn a_host_keeps_its_registers_when_a_guest_is_stopped() {
    const STOPS: u32 = 200;
    for engine in ways(Config::new()) {
        let (mut store, instance) = instance(&engine);
        let endless = instance.typed_func::<(), ()>(&store, "endless").unwrap();
        let handle = store.interrupt_handle();
        let done = AtomicBool::new(false);
        thread::scope(|scope| {
            scope.spawn(|| {
                while !done.load(Ordering::Relaxed) {
                    handle.interrupt();
                    thread::sleep(Duration::from_micros(200));
                }
            });
            // More than fit into those registers that a call keeps, and enough that all of them are used.
            let mut sums: [f64; 10] = std::array::from_fn(|i| black_box(i as f64));
            for _ in 0..STOPS {
                let error = endless.call(&mut store, ()).unwrap_err();
                assert_eq!(error.trap().unwrap().kind(), TrapKind::Interrupt);
                for (i, sum) in sums.iter_mut().enumerate() {
                    *sum += 0.5 + i as f64;
                }
            }
            done.store(true, Ordering::Relaxed);
            for (i, sum) in black_box(sums).into_iter().enumerate() {
                assert_eq!(sum, i as f64 + f64::from(STOPS) * (0.5 + i as f64));
            }
        });
    }
}
