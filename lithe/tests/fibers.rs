//! Calls of guests that are suspended within host functions and resumed later, in every way to run a guest: many on one
//! thread, with traps, interruptions, exceptions, panics and garbage collection while others are suspended.

use std::cell::{Cell, RefCell};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use lithe::fiber::{self, Fiber, FiberStack, Resumed, SuspendError};
use lithe::{
    Caller, Config, Engine, Error, ErrorKind, ExnRef, Extern, Instance, InterruptHandle, Linker,
    Module, Result, Store, TrapKind, TypedFunc, Val,
};

mod ways;

use ways::ways;

fn engines() -> [Engine; 4] {
    ways(Config::new())
}

fn stack() -> FiberStack {
    FiberStack::new(fiber::DEFAULT_BYTES).unwrap()
}

/// Is suspended, and gives what it was given, plus one.
fn wait(n: i32) -> Result<i32> {
    fiber::suspend().map_err(Error::host)?;
    Ok(n + 1)
}

type Guest = (Store<u32>, Instance);

/// Makes guests that may import `host.wait`, of one module.
fn guests(engine: &Engine, wat: &str) -> impl Fn() -> Guest + Send + Sync + 'static {
    let module = Module::new(engine, wat).unwrap();
    let mut linker = Linker::new(engine);
    linker.func_wrap("host", "wait", wait).unwrap();
    let engine = engine.clone();
    move || {
        let mut store = Store::new(&engine, 0);
        let instance = linker.instantiate(&mut store, &module).unwrap();
        (store, instance)
    }
}

type Call = Fiber<Result<i32>>;

/// A call of a guest's export on a fiber.
fn call(guest: Guest, name: &str, arg: i32) -> Call {
    let (mut store, instance) = guest;
    let func: TypedFunc<i32, i32> = instance.typed_func(&store, name).unwrap();
    Fiber::new(stack(), move || func.call(&mut store, arg))
}

#[track_caller]
fn suspended<R>(resumed: Resumed<R>) {
    assert!(matches!(resumed, Resumed::Suspended), "the fiber is done");
}

#[track_caller]
fn done<R>(resumed: Resumed<R>) -> R {
    match resumed {
        Resumed::Done(result) => result,
        Resumed::Suspended => panic!("the fiber is suspended"),
    }
}

#[track_caller]
fn trap<R>(result: Result<R>) -> (TrapKind, Vec<String>) {
    let Err(error) = result else { panic!("expected a trap") };
    let trap = error.trap().unwrap_or_else(|| panic!("no trap: {error}"));
    let frames = trap.frames().into_iter().map(|frame| frame.name.unwrap_or_default());
    (trap.kind(), frames.collect())
}

const GUEST: &str = r#"(module
  (import "host" "wait" (func $wait (param i32) (result i32)))
  (memory 1)
  (func (export "add") (param i32) (result i32)
    (i32.add (call $wait (local.get 0)) (i32.mul (call $wait (i32.const 10)) (i32.const 100))))
  (func $fail (param $how i32) (result i32)
    (drop (call $wait (i32.const 0)))
    (block $spin (block $deep (block $div (block $load (block $unreachable (block $none
      (br_table $none $unreachable $load $div $deep $spin (local.get $how)))
      (return (i32.const 7)))
      (unreachable))
      (return (i32.load (i32.const 0x7fff_fff0))))
      (return (i32.div_s (local.get $how) (i32.sub (local.get $how) (i32.const 3)))))
      (return (call $sink (local.get $how))))
    (loop $forever (br $forever))
    (unreachable))
  (func $sink (param i32) (result i32)
    (i32.add (call $sink (local.get 0)) (i32.const 1)))
  (func $middle (param i32) (result i32) (i32.add (call $fail (local.get 0)) (i32.const 1)))
  (func $run (export "run") (param i32) (result i32)
    (i32.add (call $middle (local.get 0)) (i32.const 1)))
  (func $busy (export "busy") (param $n i32) (result i32)
    (local $i i32)
    (loop $more
      (local.set $i (i32.add (local.get $i) (i32.const 1)))
      (br_if $more (i32.lt_u (local.get $i) (local.get $n))))
    (call $wait (local.get $i))))"#;

/// The ways in which `run` ends.
const FAILS: [Option<TrapKind>; 5] = [
    None,
    Some(TrapKind::Unreachable),
    Some(TrapKind::MemoryOutOfBounds),
    Some(TrapKind::IntegerDivideByZero),
    Some(TrapKind::StackExhausted),
];
/// The one in which it does not.
const SPIN: i32 = 5;

#[track_caller]
fn ended_so(how: i32, result: Result<i32>) {
    match FAILS[how as usize] {
        None => assert_eq!(result.unwrap(), 9),
        Some(TrapKind::StackExhausted) => {
            let (kind, frames) = trap(result);
            assert_eq!(kind, TrapKind::StackExhausted);
            assert!(frames.len() > 3 && frames.iter().all(|name| name == "sink"), "{frames:?}");
        }
        Some(kind) => {
            let frames = ["fail", "middle", "run"].map(String::from).to_vec();
            assert_eq!(trap(result), (kind, frames));
        }
    }
}

#[track_caller]
fn interrupted(result: Result<i32>) {
    let (kind, frames) = trap(result);
    assert_eq!(kind, TrapKind::Interrupt);
    assert_eq!(frames.last().map(String::as_str), Some("run"), "{frames:?}");
}

#[test]
fn a_call_goes_on_where_it_was_suspended() {
    for engine in engines() {
        let guest = guests(&engine, GUEST);
        let mut fiber = call(guest(), "add", 4);
        suspended(fiber.resume());
        assert!(!fiber::on_fiber());
        // Fibers may move while they are suspended.
        let mut fiber = Box::new(fiber);
        suspended(fiber.resume());
        assert!(!fiber.ended());
        assert_eq!(done(fiber.resume()).unwrap(), 1105);
        assert!(fiber.ended());
        let mut again = Fiber::new(fiber.into_stack().unwrap(), fiber::on_fiber);
        assert!(done(again.resume()));
    }
}

#[test]
fn only_fibers_are_suspended() {
    assert_eq!(fiber::suspend(), Err(SuspendError::NotOnFiber));
    for engine in engines() {
        let guest = guests(&engine, GUEST);
        let (mut store, instance) = guest();
        let run = instance.typed_func::<i32, i32>(&store, "run").unwrap();
        let error = run.call(&mut store, 0).unwrap_err();
        assert_eq!(error.to_string(), SuspendError::NotOnFiber.to_string());
    }
}

#[test]
fn two_fibers_interleave() {
    for engine in engines() {
        let guest = guests(&engine, GUEST);
        let mut fibers = [1, 2].map(|n| call(guest(), "add", n));
        for at in [0, 1, 1, 0] {
            suspended(fibers[at].resume());
        }
        assert_eq!(done(fibers[0].resume()).unwrap(), 1102);
        assert_eq!(done(fibers[1].resume()).unwrap(), 1103);
    }
}

#[test]
fn each_of_many_fibers_ends_in_its_own_way() {
    const FIBERS: usize = 100;
    for engine in engines() {
        let guest = guests(&engine, GUEST);
        let how = |at: usize| at % FAILS.len();
        let mut fibers: Vec<_> =
            (0..FIBERS).map(|at| call(guest(), "run", how(at) as i32)).collect();
        for fiber in &mut fibers {
            suspended(fiber.resume());
        }
        // In an order of no meaning, with stacks that others take over.
        for step in 0..FIBERS {
            let at = step * 37 % FIBERS;
            ended_so(how(at) as i32, done(fibers[at].resume()));
            let ended = fibers[at].ended();
            assert!(ended);
            let fresh = Fiber::new(stack(), || Ok(0));
            let stack = std::mem::replace(&mut fibers[at], fresh).into_stack().unwrap();
            assert_eq!(done(Fiber::new(stack, move || at).resume()), at);
        }
    }
}

/// The same store is called again after each trap, on one fiber while another one is suspended.
#[test]
fn stores_stay_consistent() {
    for engine in engines() {
        let guest = guests(&engine, GUEST);
        let mut other = call(guest(), "add", 0);
        suspended(other.resume());
        let (mut store, instance) = guest();
        let run = instance.typed_func::<i32, i32>(&store, "run").unwrap();
        let mut fiber = Fiber::new(stack(), move || {
            for _ in 0..3 {
                for how in 0..FAILS.len() as i32 {
                    ended_so(how, run.call(&mut store, how));
                }
            }
        });
        for step in 0..3 * FAILS.len() {
            suspended(fiber.resume());
            if step == 7 {
                suspended(other.resume());
            }
        }
        done(fiber.resume());
        assert_eq!(done(other.resume()).unwrap(), 1101);
    }
}

/// Fires a handle when the time has come.
fn soon(handle: &InterruptHandle) -> thread::JoinHandle<()> {
    let handle = handle.clone();
    thread::spawn(move || {
        thread::sleep(Duration::from_millis(20));
        handle.interrupt();
    })
}

#[test]
fn an_interruption_of_a_suspended_guest_waits_for_it() {
    for engine in engines() {
        let guest = guests(&engine, GUEST);
        let (store, instance) = guest();
        let handle = store.interrupt_handle();
        let mut first = call((store, instance), "run", SPIN);
        let mut second = call(guest(), "add", 1);
        suspended(first.resume());
        suspended(second.resume());
        handle.interrupt();
        suspended(second.resume());
        assert_eq!(done(second.resume()).unwrap(), 1102);
        interrupted(done(first.resume()));
    }
}

/// A guest that is busy for about this time, and how long that takes.
fn busy(guest: &impl Fn() -> Guest, wanted: Duration) -> i32 {
    let mut rounds = 1 << 16;
    loop {
        let mut fiber = call(guest(), "busy", rounds);
        let start = Instant::now();
        suspended(fiber.resume());
        if start.elapsed() > wanted {
            return rounds;
        }
        rounds *= 2;
    }
}

#[test]
fn an_interruption_hits_no_other_guest() {
    for engine in engines() {
        let guest = guests(&engine, GUEST);
        let rounds = busy(&guest, Duration::from_millis(60));
        let (store, instance) = guest();
        let handle = store.interrupt_handle();
        let mut first = call((store, instance), "run", SPIN);
        suspended(first.resume());
        // It comes while another guest runs on this thread.
        let mut second = call(guest(), "busy", rounds);
        let fired = soon(&handle);
        suspended(second.resume());
        fired.join().unwrap();
        assert_eq!(done(second.resume()).unwrap(), rounds + 1);
        interrupted(done(first.resume()));
    }
}

#[test]
fn a_running_guest_is_interrupted() {
    for engine in engines() {
        let guest = guests(&engine, GUEST);
        let mut others = [1, 2].map(|n| call(guest(), "add", n));
        let (store, instance) = guest();
        let handle = store.interrupt_handle();
        let mut fiber = call((store, instance), "run", SPIN);
        suspended(others[0].resume());
        suspended(fiber.resume());
        suspended(others[1].resume());
        let fired = soon(&handle);
        interrupted(done(fiber.resume()));
        fired.join().unwrap();
        for (other, n) in others.iter_mut().zip([1, 2]) {
            suspended(other.resume());
            assert_eq!(done(other.resume()).unwrap(), 1101 + n);
        }
    }
}

const OUTER: &str = r#"(module
  (import "host" "inner" (func $inner (result i32)))
  (func (export "run") (result i32)
    (drop (call $inner))
    (loop $forever (br $forever))
    (unreachable)))"#;

/// A guest whose host function resumes a fiber is interrupted while the fiber runs, or while it is suspended itself.
#[test]
fn who_resumes_is_interrupted_afterwards() {
    for engine in engines() {
        let guest = guests(&engine, GUEST);
        let rounds = busy(&guest, Duration::from_millis(60));
        let module = Module::new(&engine, OUTER).unwrap();
        let mut linker = Linker::new(&engine);
        linker
            .func_wrap("host", "inner", move |caller: Caller<'_, Option<InterruptHandle>>| {
                let mut fiber = call(guest(), "busy", rounds);
                let fired = caller.data().as_ref().map(soon);
                suspended(fiber.resume());
                if let Some(fired) = fired {
                    fired.join().unwrap();
                }
                if fiber::on_fiber() {
                    fiber::suspend().map_err(Error::host)?;
                }
                done(fiber.resume())
            })
            .unwrap();
        for on_fiber in [false, true] {
            let mut store = Store::new(&engine, None);
            let handle = store.interrupt_handle();
            *store.data_mut() = Some(handle);
            let instance = linker.instantiate(&mut store, &module).unwrap();
            let run = instance.typed_func::<(), i32>(&store, "run").unwrap();
            let result = match on_fiber {
                false => run.call(&mut store, ()),
                true => {
                    let mut fiber = Fiber::new(stack(), move || run.call(&mut store, ()));
                    suspended(fiber.resume());
                    done(fiber.resume())
                }
            };
            assert_eq!(trap(result).0, TrapKind::Interrupt);
        }
    }
}

/// Counts the values of its kind that were dropped.
struct Counted(Rc<Cell<u32>>);

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.set(self.0.get() + 1);
    }
}

#[test]
fn a_cancelled_call_ends() {
    for engine in engines() {
        let guest = guests(&engine, GUEST);
        let dropped = Rc::new(Cell::new(0));
        let fiber = |guest: Guest| {
            let counted = Counted(dropped.clone());
            let (mut store, instance) = guest;
            let func = instance.typed_func::<i32, i32>(&store, "add").unwrap();
            Fiber::new(stack(), move || {
                let _counted = counted;
                func.call(&mut store, 0)
            })
        };
        // Before it begins.
        let mut first = fiber(guest());
        assert!(first.cancel().is_none());
        assert!(first.ended() && first.into_stack().is_some());
        assert_eq!(dropped.get(), 1);
        drop(fiber(guest()));
        assert_eq!(dropped.get(), 2);
        // In the middle.
        let mut second = fiber(guest());
        suspended(second.resume());
        let error = second.cancel().unwrap().unwrap_err();
        assert_eq!(
            (error.kind(), error.to_string()),
            (ErrorKind::Host, SuspendError::Cancelled.to_string())
        );
        assert!(second.ended() && second.cancel().is_none());
        assert_eq!(dropped.get(), 3);
        let mut third = fiber(guest());
        suspended(third.resume());
        drop(third);
        assert_eq!(dropped.get(), 4);
        // What has ended is not cancelled.
        let mut last = fiber(guest());
        suspended(last.resume());
        suspended(last.resume());
        assert_eq!(done(last.resume()).unwrap(), 1101);
        assert!(last.cancel().is_none());
    }
}

/// A host function that hides from its guest that the call is cancelled, and a guest that calls it for ever.
#[test]
fn what_does_not_end_is_given_up() {
    const STUBBORN: &str = r#"(module
      (import "host" "poll" (func $poll))
      (func (export "run") (loop $forever (call $poll) (br $forever))))"#;
    for engine in engines() {
        let guest = guests(&engine, GUEST);
        let polls = Arc::new(AtomicU32::new(0));
        let module = Module::new(&engine, STUBBORN).unwrap();
        let mut linker = Linker::new(&engine);
        let counter = polls.clone();
        linker
            .func_wrap("host", "poll", move || {
                counter.fetch_add(1, Ordering::Relaxed);
                let _ = fiber::suspend();
            })
            .unwrap();
        let dropped = Rc::new(Cell::new(0));
        let counted = Counted(dropped.clone());
        let mut store = Store::new(&engine, ());
        let instance = linker.instantiate(&mut store, &module).unwrap();
        let run = instance.typed_func::<(), ()>(&store, "run").unwrap();
        let mut fiber = Fiber::new(stack(), move || {
            let _counted = counted;
            run.call(&mut store, ())
        });
        suspended(fiber.resume());
        assert!(fiber.cancel().is_none() && !fiber.ended());
        let polled = polls.load(Ordering::Relaxed);
        assert!((100..10_000).contains(&polled), "{polled}");
        let panics = || {
            let _fiber = fiber;
            std::panic::resume_unwind(Box::new(()));
        };
        let panic: std::thread::Result<()> = catch_unwind(AssertUnwindSafe(panics));
        assert!(panic.is_err() && !thread::panicking());
        assert!(polls.load(Ordering::Relaxed) > polled);
        assert_eq!(dropped.get(), 0);
        // Nothing of it is in the way of others.
        let mut other = call(guest(), "run", 2);
        suspended(other.resume());
        ended_so(2, done(other.resume()));
    }
}

#[test]
fn a_panic_of_a_host_function_reaches_who_resumes() {
    const PANICS: &str = r#"(module
      (import "host" "wait" (func $wait (param i32) (result i32)))
      (import "host" "panic" (func $panic))
      (func $inner (export "inner") (param i32) (result i32)
        (drop (call $wait (i32.const 0)))
        (if (local.get 0) (then (call $panic)))
        (i32.const 3))
      (func (export "run") (param i32) (result i32) (call $inner (local.get 0))))"#;
    for engine in engines() {
        let guest = guests(&engine, GUEST);
        let module = Module::new(&engine, PANICS).unwrap();
        let mut linker = Linker::new(&engine);
        linker.func_wrap("host", "wait", wait).unwrap();
        linker
            .func_wrap("host", "panic", || -> () { std::panic::resume_unwind(Box::new(17)) })
            .unwrap();
        let mut store = Store::new(&engine, 0);
        let instance = linker.instantiate(&mut store, &module).unwrap();
        let run = instance.typed_func::<i32, i32>(&store, "run").unwrap();
        let store = Rc::new(RefCell::new(store));
        let fiber = |arg: i32| {
            let store = store.clone();
            Fiber::new(stack(), move || run.call(&mut *store.borrow_mut(), arg))
        };
        let mut other = call(guest(), "run", 3);
        suspended(other.resume());
        for _ in 0..2 {
            let mut panics = fiber(1);
            suspended(panics.resume());
            let panic = catch_unwind(AssertUnwindSafe(|| panics.resume())).unwrap_err();
            assert_eq!(panic.downcast_ref(), Some(&17));
            assert!(panics.ended() && panics.into_stack().is_some());
            let mut fine = fiber(0);
            suspended(fine.resume());
            assert_eq!(done(fine.resume()).unwrap(), 3);
        }
        ended_so(3, done(other.resume()));
    }
}

/// A destructor that a panic runs cannot be suspended; a body that panics while it is dropped does no harm.
#[test]
fn panics_are_not_suspended() {
    struct Waits(Rc<Cell<Option<SuspendError>>>);
    impl Drop for Waits {
        fn drop(&mut self) {
            self.0.set(fiber::suspend().err());
        }
    }
    let seen = Rc::new(Cell::new(None));
    let waits = Waits(seen.clone());
    let mut fiber = Fiber::new(stack(), move || {
        let _waits = waits;
        std::panic::resume_unwind(Box::new(()));
    });
    assert!(catch_unwind(AssertUnwindSafe(|| fiber.resume())).is_err());
    assert_eq!(seen.get(), Some(SuspendError::Panicking));
    assert!(!thread::panicking());
    let mut fiber = Fiber::new(stack(), || {
        if fiber::suspend().is_err() {
            std::panic::resume_unwind(Box::new(()));
        }
    });
    suspended(fiber.resume());
    drop(fiber);
    assert!(!thread::panicking() && !fiber::on_fiber());
}

/// Guest, host, guest, host; the innermost one is suspended, and traps afterwards.
#[test]
fn nested_calls_are_suspended() {
    const NESTED: &str = r#"(module
      (import "host" "again" (func $again (param i32) (result i32)))
      (memory (export "memory") 1)
      (func $run (export "run") (param $depth i32) (result i32)
        (if (result i32) (local.get $depth)
          (then (i32.add (call $again (i32.sub (local.get $depth) (i32.const 1))) (i32.const 1)))
          (else (i32.add (call $again (i32.const -1)) (i32.load (i32.const 0x7fff_fff0)))))))"#;
    for engine in engines() {
        let module = Module::new(&engine, NESTED).unwrap();
        let mut linker = Linker::new(&engine);
        linker
            .func_wrap("host", "again", |mut caller: Caller<'_, u32>, depth: i32| {
                if depth < 0 {
                    return wait(0);
                }
                let run = caller.export("run").and_then(Extern::func).unwrap();
                let mut results = [Val::I32(0)];
                wait(0)?;
                run.call(&mut caller, &[Val::I32(depth)], &mut results)?;
                Ok(match results[0] {
                    Val::I32(n) => n,
                    _ => -1,
                })
            })
            .unwrap();
        let new = || {
            let mut store = Store::new(&engine, 0);
            let instance = linker.instantiate(&mut store, &module).unwrap();
            (store, instance)
        };
        let mut fibers: Vec<_> = (0..5).map(|depth| call(new(), "run", depth)).collect();
        for round in 0..5 {
            for (depth, fiber) in fibers.iter_mut().enumerate() {
                if round <= depth {
                    suspended(fiber.resume());
                }
            }
        }
        for (depth, fiber) in fibers.iter_mut().enumerate() {
            let (kind, frames) = trap(done(fiber.resume()));
            assert_eq!(kind, TrapKind::MemoryOutOfBounds);
            assert_eq!(frames, vec!["run"; depth + 1]);
        }
    }
}

/// Fibers whose bodies resume others, each in the middle of a guest's call.
#[test]
fn fibers_nest() {
    const NESTED: &str = r#"(module
      (import "host" "step" (func $step (result i32)))
      (func (export "run") (param $n i32) (result i32)
        (local $sum i32)
        (loop $more
          (local.set $sum (i32.add (local.get $sum) (call $step)))
          (br_if $more (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
        (i32.div_s (local.get $sum) (i32.const 0))))"#;
    for engine in engines() {
        let guest = guests(&engine, GUEST);
        let module = Module::new(&engine, NESTED).unwrap();
        let mut linker = Linker::new(&engine);
        linker
            .func_wrap("host", "step", move || {
                let mut inner = call(guest(), "run", 2);
                suspended(inner.resume());
                fiber::suspend().map_err(Error::host)?;
                ended_so(2, done(inner.resume()));
                Ok::<i32, Error>(1)
            })
            .unwrap();
        let mut fibers = [3, 4].map(|n| {
            let mut store = Store::new(&engine, 0);
            let instance = linker.instantiate(&mut store, &module).unwrap();
            call((store, instance), "run", n)
        });
        for _ in 0..3 {
            fibers.iter_mut().for_each(|fiber| suspended(fiber.resume()));
        }
        assert_eq!(trap(done(fibers[0].resume())).0, TrapKind::IntegerDivideByZero);
        suspended(fibers[1].resume());
        // An inner fiber is cancelled with its outer one.
        let error = fibers[1].cancel().unwrap().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Host);
    }
}

#[test]
fn exceptions_cross_suspended_calls() {
    const THROWS: &str = r#"(module
      (import "host" "wait" (func $wait (param i32) (result i32)))
      (import "host" "fail" (func $fail (param i32)))
      (tag $t (export "t") (param i32))
      (func $guest (param i32) (result i32)
        (throw $t (call $wait (local.get 0))))
      (func $host (param i32) (result i32)
        (call $fail (local.get 0)) (i32.const 0))
      (func (export "run") (param $by_host i32) (result i32)
        (block $caught (result i32)
          (try_table (result i32) (catch $t $caught)
            (if (result i32) (local.get $by_host)
              (then (call $host (i32.const 20)))
              (else (call $guest (i32.const 30)))))
          (drop (i32.const 0)) (unreachable))
        (i32.mul (call $wait (i32.const 0)) (i32.const 1000))
        (i32.add)))"#;
    for engine in engines() {
        let module = Module::new(&engine, THROWS).unwrap();
        let mut linker = Linker::new(&engine);
        linker.func_wrap("host", "wait", wait).unwrap();
        linker
            .func_wrap("host", "fail", |mut caller: Caller<'_, u32>, n: i32| -> Result<()> {
                let Some(Extern::Tag(tag)) = caller.export("t") else { panic!("no tag") };
                let exception = ExnRef::new(&mut caller, tag, &[Val::I32(n)])?;
                wait(0)?;
                Err(Error::exception_of(exception))
            })
            .unwrap();
        let mut fibers = [0, 1].map(|by_host| {
            let mut store = Store::new(&engine, 0);
            store.collect_always(true);
            let instance = linker.instantiate(&mut store, &module).unwrap();
            call((store, instance), "run", by_host)
        });
        for _ in 0..2 {
            fibers.iter_mut().for_each(|fiber| suspended(fiber.resume()));
        }
        assert_eq!(done(fibers[0].resume()).unwrap(), 1031);
        assert_eq!(done(fibers[1].resume()).unwrap(), 1020);
    }
}

#[test]
fn objects_live_across_suspension() {
    const LISTS: &str = r#"(module
      (import "host" "wait" (func $wait (param i32) (result i32)))
      (type $node (struct (field i32) (field (ref null $node))))
      (func (export "run") (param $n i32) (result i32)
        (local $list (ref null $node)) (local $sum i32)
        (loop $more
          ;; The new node waits on the operand stack.
          (struct.new $node (local.get $n) (local.get $list))
          (drop (call $wait (i32.const 0)))
          (local.set $list)
          (br_if $more (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
        (block $end
          (loop $next
            (local.set $sum
              (i32.add (local.get $sum) (struct.get $node 0 (br_on_null $end (local.get $list)))))
            (local.set $list (struct.get $node 1 (local.get $list)))
            (br $next)))
        (local.get $sum)))"#;
    for engine in engines() {
        let guest = guests(&engine, LISTS);
        let mut fibers = [5, 6, 7].map(|n| {
            let (mut store, instance) = guest();
            store.collect_always(true);
            call((store, instance), "run", n)
        });
        for _ in 0..5 {
            fibers.iter_mut().for_each(|fiber| suspended(fiber.resume()));
        }
        assert_eq!(done(fibers[0].resume()).unwrap(), 15);
        suspended(fibers[2].resume());
        suspended(fibers[1].resume());
        suspended(fibers[2].resume());
        assert_eq!(done(fibers[1].resume()).unwrap(), 21);
        assert_eq!(done(fibers[2].resume()).unwrap(), 28);
    }
}

/// A guest that has its host call it back for ever does not use up the smallest stack.
#[test]
fn guests_do_not_use_up_the_stack() {
    const RECURSES: &str = r#"(module
      (import "host" "again" (func $again (param i32) (result i32)))
      (func (export "run") (param i32) (result i32) (call $again (local.get 0))))"#;
    for engine in engines() {
        let module = Module::new(&engine, RECURSES).unwrap();
        let mut linker = Linker::new(&engine);
        linker
            .func_wrap("host", "again", |mut caller: Caller<'_, u32>, n: i32| {
                let taken = std::hint::black_box([n; 4 << 10]);
                *caller.data_mut() += 1;
                let run = caller.export("run").and_then(Extern::func).unwrap();
                run.typed::<i32, i32>(&caller)?.call(&mut caller, taken[0])
            })
            .unwrap();
        let mut store = Store::new(&engine, 0);
        let instance = linker.instantiate(&mut store, &module).unwrap();
        let run = instance.typed_func::<i32, i32>(&store, "run").unwrap();
        let small = FiberStack::new(0).unwrap();
        let mut fiber = Fiber::new(small, move || (run.call(&mut store, 1), store.into_data()));
        let (result, depth) = done(fiber.resume());
        let (kind, frames) = trap(result);
        assert_eq!(kind, TrapKind::StackExhausted);
        assert!((1..20).contains(&depth), "{depth}");
        assert_eq!(frames.len(), depth as usize);
    }
}

/// What fibers cost, in nanoseconds. Run with `--release`.
#[test]
#[ignore = "prints figures"]
fn costs() {
    const ROUNDS: u32 = 1_000_000;
    let each = |start: Instant| start.elapsed().as_nanos() as f64 / f64::from(ROUNDS);
    let start = Instant::now();
    let mut fiber = Fiber::new(stack(), || {
        for _ in 0..ROUNDS {
            fiber::suspend().unwrap();
        }
    });
    while let Resumed::Suspended = fiber.resume() {}
    println!("resume and suspend: {:.1} ns", each(start));
    let mut stack = fiber.into_stack().unwrap();
    let start = Instant::now();
    for n in 0..ROUNDS {
        let mut fiber = Fiber::new(stack, move || n);
        assert_eq!(done(fiber.resume()), n);
        stack = fiber.into_stack().unwrap();
    }
    println!("a fiber on a used stack: {:.1} ns", each(start));
    let start = Instant::now();
    for n in 0..ROUNDS / 100 {
        let stack = FiberStack::new(fiber::DEFAULT_BYTES).unwrap();
        assert_eq!(done(Fiber::new(stack, move || n).resume()), n);
    }
    println!("a fiber on a new stack: {:.1} ns", each(start) * 100.0);
    const CALLS: &str = r#"(module
      (import "host" "wait" (func $wait (param i32) (result i32)))
      (func (export "run") (param $n i32) (result i32)
        (loop $more
          (drop (call $wait (local.get $n)))
          (br_if $more (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
        (i32.const 0)))"#;
    for (engine, way) in engines().iter().zip(["threaded", "loop", "checks", "signals"]) {
        let guest = guests(engine, CALLS);
        let mut fiber = call(guest(), "run", ROUNDS as i32);
        let start = Instant::now();
        while let Resumed::Suspended = fiber.resume() {}
        println!("a suspended call of the host, {way}: {:.1} ns", each(start));
    }
}
