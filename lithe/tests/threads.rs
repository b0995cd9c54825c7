//! Shared memories and waiting from the embedder's side: what several stores see of one memory, what ends a
//! wait, and what the limits of a store mean for a memory that is not its own.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use lithe::{
    Caller, Config, Engine, ErrorKind, ExternType, Features, Instance, Limits, Linker, Memory,
    MemoryType, Module, SharedMemory, Store, StoreLimits, TrapKind,
};

mod ways;

use ways::ways;

fn engines() -> [Engine; 4] {
    let features = Features::default().union(Features::THREADS);
    ways(Config::new().features(features))
}

fn shared_type(min: u64, max: u64) -> MemoryType {
    let limits = Limits { min, max: Some(max) };
    MemoryType { limits, is64: false, shared: true, page_log2: 16 }
}

const GUEST: &str = r#"
    (module
      (import "env" "memory" (memory 1 4 shared))
      (export "memory" (memory 0))
      (func (export "count") (param $n i32)
        (loop $again
          (drop (i32.atomic.rmw.add (i32.const 0) (i32.const 1)))
          (local.set $n (i32.sub (local.get $n) (i32.const 1)))
          (br_if $again (local.get $n))))
      (func (export "load") (param i32) (result i32) (i32.load (local.get 0)))
      (func (export "store") (param i32 i32) (i32.store (local.get 0) (local.get 1)))
      (func (export "grow") (param i32) (result i32) (memory.grow (local.get 0)))
      (func (export "notify") (param i32 i32) (result i32)
        (memory.atomic.notify (local.get 0) (local.get 1)))
      (func (export "wait") (param i32 i32 i64) (result i32)
        (memory.atomic.wait32 (local.get 0) (local.get 1) (local.get 2))))
"#;

/// A store with an instance of the guest above.
fn guest(engine: &Engine, memory: &SharedMemory) -> (Store<()>, Instance) {
    let mut linker = Linker::new(engine);
    linker.define_shared("env", "memory", memory).unwrap();
    let mut store = Store::new(engine, ());
    let module = Module::new(engine, GUEST).unwrap();
    let instance = linker.instantiate(&mut store, &module).unwrap();
    (store, instance)
}

fn call(store: &mut Store<()>, instance: Instance, name: &str, arg: i32) -> lithe::Result<i32> {
    instance.typed_func::<i32, i32>(&*store, name)?.call(store, arg)
}

fn wait(store: &mut Store<()>, instance: Instance, args: (i32, i32, i64)) -> lithe::Result<i32> {
    instance.typed_func::<(i32, i32, i64), i32>(&*store, "wait")?.call(store, args)
}

#[test]
fn threads_count_together() {
    const EACH: i32 = 20_000;
    for engine in engines() {
        let memory = SharedMemory::new(&engine, shared_type(1, 4)).unwrap();
        thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    let (mut store, instance) = guest(&engine, &memory);
                    let count = instance.typed_func::<i32, ()>(&store, "count").unwrap();
                    count.call(&mut store, EACH).unwrap();
                });
            }
        });
        let mut count = [0; 4];
        memory.read(0, &mut count).unwrap();
        assert_eq!(i32::from_le_bytes(count), 4 * EACH);
    }
}

#[test]
fn one_memory_in_two_stores_and_outside() {
    for engine in engines() {
        let memory = SharedMemory::new(&engine, shared_type(1, 4)).unwrap();
        let (mut a, in_a) = guest(&engine, &memory);
        let (mut b, in_b) = guest(&engine, &memory);
        memory.write(65533, &[1, 2, 3]).unwrap();
        assert_eq!(call(&mut a, in_a, "load", 65532).unwrap(), 0x0302_0100);
        let store = in_a.typed_func::<(i32, i32), ()>(&a, "store").unwrap();
        store.call(&mut a, (8, -5)).unwrap();
        assert_eq!(call(&mut b, in_b, "load", 8).unwrap(), -5);

        // Growth by either, or from outside, is everybody's.
        assert_eq!(call(&mut a, in_a, "grow", 1).unwrap(), 1);
        assert_eq!(memory.grow(1).unwrap(), 2);
        assert_eq!((memory.size(), memory.byte_size()), (3, 3 << 16));
        assert_eq!(call(&mut b, in_b, "load", (3 << 16) - 4).unwrap(), 0);
        assert_eq!(memory.grow(2).unwrap_err().kind(), ErrorKind::Limit);

        let in_store = in_b.memory(&b, "memory").unwrap();
        assert_eq!(in_store.size(&b).unwrap(), 3);
        assert_eq!(b.memory_bytes(), 3 << 16);
        assert!(in_store.shared(&b).unwrap().unwrap().same(&memory));
        // There are no slices of it, but copies.
        assert_eq!(in_store.data(&b).unwrap_err().kind(), ErrorKind::Usage);
        assert_eq!(in_store.data_mut(&mut b).unwrap_err().kind(), ErrorKind::Usage);
        in_store.write(&mut b, 9, b"shared").unwrap();
        let mut text = [0; 6];
        in_store.read(&b, 9, &mut text).unwrap();
        assert_eq!(&text, b"shared");
        for offset in [(3 << 16) - 5, usize::MAX] {
            assert!(in_store.write(&mut b, offset, b"shared").is_err());
            assert!(in_store.read(&b, offset, &mut text).is_err());
            assert!(memory.write(offset, b"shared").is_err());
            assert!(memory.read(offset, &mut text).is_err());
        }
        // The same memory twice is the same entity of a store.
        let again = Memory::from_shared(&mut b, &memory).unwrap();
        assert_eq!(again.size(&b).unwrap(), 3);
        assert_eq!(b.memory_bytes(), 3 << 16);
    }
}

#[test]
fn a_memory_outlives_its_stores() {
    for engine in engines() {
        let memory = {
            let (store, instance) =
                guest(&engine, &SharedMemory::new(&engine, shared_type(1, 1)).unwrap());
            instance.memory(&store, "memory").unwrap().shared(&store).unwrap().unwrap()
        };
        memory.write(7, b"still here").unwrap();
        let (mut store, instance) = guest(&engine, &memory);
        assert_eq!(call(&mut store, instance, "load", 7).unwrap(), 0x6c69_7473);
    }
}

#[test]
fn types_must_be_shared_with_a_maximum_and_the_feature_on() {
    let [engine, ..] = engines();
    let refused = |engine: &Engine, ty| SharedMemory::new(engine, ty).unwrap_err().to_string();
    let ty = shared_type(1, 2);
    assert!(refused(&Engine::default(), ty).contains("threads"));
    assert!(refused(&engine, MemoryType { shared: false, ..ty }).contains("shared"));
    let unlimited = MemoryType { limits: Limits { min: 1, max: None }, ..ty };
    assert!(refused(&engine, unlimited).contains("maximum"));
    assert!(refused(&engine, shared_type(3, 2)).contains("minimum"));
    let error = Module::new(&Engine::default(), GUEST).err().unwrap();
    assert!(error.to_string().contains("threads"), "{error}");
    // Far more address space than there is: the memory exists, but does not grow that far.
    let most = Limits { min: 1, max: Some(1 << 47) };
    let huge = MemoryType { limits: most, is64: true, shared: true, page_log2: 16 };
    let huge = SharedMemory::new(&engine, huge).unwrap();
    assert_eq!(huge.grow(1).unwrap(), 1);
    assert!(huge.grow(1 << 46).is_err());
    assert!(huge.grow(u64::MAX).is_err());
}

#[test]
fn a_store_limits_its_part_in_growth() {
    for engine in engines() {
        let memory = SharedMemory::new(&engine, shared_type(1, 4)).unwrap();
        let (mut store, _) = guest(&engine, &memory);
        let mut small = Store::new(&engine, ());
        small.set_limits(StoreLimits { memory_bytes: 2 << 16, ..StoreLimits::default() });
        let inside = Memory::from_shared(&mut small, &memory).unwrap();
        assert_eq!(inside.grow(&mut small, 1).unwrap(), 1);
        assert_eq!(inside.grow(&mut small, 1).unwrap_err().kind(), ErrorKind::Limit);
        let outside = Memory::from_shared(&mut store, &memory).unwrap();
        assert_eq!(outside.grow(&mut store, 1).unwrap(), 2);
        // It is too large for the small store now, which a `memory.grow` of nothing does not change.
        assert_eq!(inside.grow(&mut small, 0).unwrap(), 3);
        assert_eq!(inside.grow(&mut small, 1).unwrap_err().kind(), ErrorKind::Limit);
        let mut late = Store::new(&engine, ());
        late.set_limits(StoreLimits { memory_bytes: 2 << 16, ..StoreLimits::default() });
        let refused = Memory::from_shared(&mut late, &memory).err().unwrap();
        assert_eq!(refused.kind(), ErrorKind::Limit);
    }
}

#[test]
fn a_wait_can_be_interrupted() {
    for engine in engines() {
        let memory = SharedMemory::new(&engine, shared_type(1, 1)).unwrap();
        let (mut store, instance) = guest(&engine, &memory);
        let handle = store.interrupt_handle();
        let start = Instant::now();
        thread::scope(|scope| {
            scope.spawn(|| {
                thread::sleep(Duration::from_millis(30));
                handle.interrupt();
            });
            let error = wait(&mut store, instance, (0, 0, -1)).unwrap_err();
            assert_eq!(error.trap().unwrap().kind(), TrapKind::Interrupt);
            assert_eq!(error.trap().unwrap().frames().len(), 1);
        });
        assert!(start.elapsed() >= Duration::from_millis(30));
        // Nobody waits any more, and the store is usable.
        assert_eq!(call_two(&mut store, instance, 0, -1), 0);
        assert_eq!(wait(&mut store, instance, (0, 1, -1)).unwrap(), 1);
        assert_eq!(wait(&mut store, instance, (0, 0, 0)).unwrap(), 2);
        // A request made before the wait stops it as well.
        store.interrupt_handle().interrupt();
        let error = wait(&mut store, instance, (0, 0, -1)).unwrap_err();
        assert_eq!(error.trap().unwrap().kind(), TrapKind::Interrupt);
    }
}

fn call_two(store: &mut Store<()>, instance: Instance, address: i32, count: i32) -> i32 {
    let notify = instance.typed_func::<(i32, i32), i32>(&*store, "notify").unwrap();
    notify.call(store, (address, count)).unwrap()
}

#[test]
fn a_wait_ends_at_its_time_and_not_before() {
    for engine in engines() {
        let memory = SharedMemory::new(&engine, shared_type(1, 1)).unwrap();
        let (mut store, instance) = guest(&engine, &memory);
        let start = Instant::now();
        assert_eq!(wait(&mut store, instance, (0, 0, 40_000_000)).unwrap(), 2);
        let elapsed = start.elapsed();
        assert!(elapsed >= Duration::from_millis(40), "{elapsed:?}");
    }
}

/// Two threads wake each other in turn: a wake-up that was lost would hang, one that took a time slice would be
/// far slower than the limit.
#[test]
fn notifications_arrive_at_once() {
    const ROUNDS: u32 = 2000;
    const PING: &str = r#"
        (module
          (import "env" "memory" (memory 1 1 shared))
          (func (export "run") (param $own i32) (param $rounds i32)
            (loop $again
              (block $turn
                (loop $wait
                  (br_if $turn (i32.eq (i32.atomic.load (i32.const 0)) (local.get $own)))
                  (drop (memory.atomic.wait32 (i32.const 0) (i32.sub (i32.const 1) (local.get $own))
                    (i64.const -1)))
                  (br $wait)))
              (i32.atomic.store (i32.const 0) (i32.sub (i32.const 1) (local.get $own)))
              (drop (memory.atomic.notify (i32.const 0) (i32.const 1)))
              (local.set $rounds (i32.sub (local.get $rounds) (i32.const 1)))
              (br_if $again (local.get $rounds)))))
    "#;
    for engine in engines() {
        let memory = SharedMemory::new(&engine, shared_type(1, 1)).unwrap();
        let module = Module::new(&engine, PING).unwrap();
        let mut linker = Linker::new(&engine);
        linker.define_shared("env", "memory", &memory).unwrap();
        let start = Instant::now();
        thread::scope(|scope| {
            for own in 0..2 {
                let (linker, module, engine) = (&linker, &module, &engine);
                scope.spawn(move || {
                    let mut store = Store::new(engine, ());
                    let instance = linker.instantiate(&mut store, module).unwrap();
                    let run = instance.typed_func::<(i32, i32), ()>(&store, "run").unwrap();
                    run.call(&mut store, (own, ROUNDS as i32)).unwrap();
                });
            }
        });
        let each = start.elapsed() / (2 * ROUNDS);
        println!("{each:?} for each of {} notifications", 2 * ROUNDS);
        assert!(each < Duration::from_millis(2), "{each:?}");
    }
}

/// A host function sees the caller's memory as shared, and can start threads on it.
#[test]
fn a_host_function_starts_threads() {
    const PROGRAM: &str = r#"
        (module
          (import "env" "memory" (memory 1 1 shared))
          (import "host" "spawn" (func $spawn (param i32)))
          (export "memory" (memory 0))
          (func (export "thread") (param $n i32)
            (drop (i32.atomic.rmw.add (i32.const 0) (local.get $n)))
            (drop (i32.atomic.rmw.add (i32.const 4) (i32.const 1)))
            (drop (memory.atomic.notify (i32.const 4) (i32.const 1))))
          (func (export "run") (result i32) (local $n i32)
            (loop $more
              (call $spawn (local.tee $n (i32.add (local.get $n) (i32.const 1))))
              (br_if $more (i32.lt_s (local.get $n) (i32.const 10))))
            (block $done
              (loop $wait
                (br_if $done (i32.eq (local.tee $n (i32.atomic.load (i32.const 4))) (i32.const 10)))
                (drop (memory.atomic.wait32 (i32.const 4) (local.get $n) (i64.const -1)))
                (br $wait)))
            (i32.load (i32.const 0))))
    "#;
    static STARTED: AtomicUsize = AtomicUsize::new(0);
    for engine in engines() {
        let memory = SharedMemory::new(&engine, shared_type(1, 1)).unwrap();
        let module = Module::new(&engine, PROGRAM).unwrap();
        let mut linker = Linker::new(&engine);
        linker.define_shared("env", "memory", &memory).unwrap();
        let (shared, program, of) = (memory.clone(), module.clone(), engine.clone());
        let spawn = move |mut caller: Caller<'_, ()>, n: i32| {
            assert!(caller.memory_and_data("memory").is_none());
            assert!(caller.shared_memory("memory").unwrap().same(&shared));
            assert!(caller.shared_memory("run").is_none());
            let (memory, module, engine) = (shared.clone(), program.clone(), of.clone());
            thread::spawn(move || {
                STARTED.fetch_add(1, Ordering::Relaxed);
                let mut linker = Linker::new(&engine);
                linker.define_shared("env", "memory", &memory).unwrap();
                linker.func_wrap("host", "spawn", |_: i32| {}).unwrap();
                let mut store = Store::new(&engine, ());
                let instance = linker.instantiate(&mut store, &module).unwrap();
                let run = instance.typed_func::<i32, ()>(&store, "thread").unwrap();
                run.call(&mut store, n).unwrap();
            });
        };
        linker.func_wrap("host", "spawn", spawn).unwrap();
        let mut store = Store::new(&engine, ());
        let instance = linker.instantiate(&mut store, &module).unwrap();
        let run = instance.typed_func::<(), i32>(&store, "run").unwrap();
        assert_eq!(run.call(&mut store, ()).unwrap(), 55);
    }
    assert_eq!(STARTED.load(Ordering::Relaxed), 40);
}

/// What the threads of the program below share: its memory and how they are linked.
struct Program {
    engine: Engine,
    module: Module,
    memory: SharedMemory,
    tids: AtomicUsize,
    threads: Mutex<Vec<thread::JoinHandle<lithe::Result<()>>>>,
    output: Mutex<Vec<u8>>,
}

impl Program {
    fn linker(self: &Arc<Program>) -> Linker<()> {
        let mut linker = Linker::new(&self.engine);
        linker.define_shared("env", "memory", &self.memory).unwrap();
        let program = self.clone();
        let spawn = move |_: Caller<'_, ()>, argument: i32| {
            let tid = program.tids.fetch_add(1, Ordering::Relaxed) as i32 + 1;
            let own = program.clone();
            let thread = thread::spawn(move || {
                let mut store = Store::new(&own.engine, ());
                let instance = own.linker().instantiate(&mut store, &own.module)?;
                let start = instance.typed_func::<(i32, i32), ()>(&store, "wasi_thread_start")?;
                start.call(&mut store, (tid, argument))
            });
            program.threads.lock().unwrap().push(thread);
            tid
        };
        linker.func_wrap("wasi", "thread-spawn", spawn).unwrap();
        let program = self.clone();
        let write = move |_: Caller<'_, ()>, _: i32, iovec: i32, _: i32, _: i32| {
            let mut words = [0; 8];
            program.memory.read(iovec as usize, &mut words).unwrap();
            let [at, len] = [&words[..4], &words[4..]]
                .map(|word| u32::from_le_bytes(word.try_into().unwrap()) as usize);
            let mut text = vec![0; len];
            program.memory.read(at, &mut text).unwrap();
            program.output.lock().unwrap().extend(text);
            0
        };
        const WASI: &str = "wasi_snapshot_preview1";
        linker.func_wrap(WASI, "fd_write", write).unwrap();
        let exit = |_: Caller<'_, ()>, status: i32| Err::<(), _>(lithe::Error::exit(status));
        linker.func_wrap(WASI, "proc_exit", exit).unwrap();
        linker
    }
}

/// The threads program of `guests`, again and again: locks, queues and barriers never lose anything.
#[test]
fn a_program_with_threads_is_right_200_times() {
    const PROGRAM: &[u8] = include_bytes!("../../guests/threads/threads.wasm");
    for engine in engines() {
        let module = Module::new(&engine, PROGRAM).unwrap();
        for run in 0..100 {
            let imports = module.imports();
            let memory = imports.iter().find_map(|import| match import.ty {
                ExternType::Memory(ty) => Some(ty),
                _ => None,
            });
            let program = Arc::new(Program {
                engine: engine.clone(),
                module: module.clone(),
                memory: SharedMemory::new(&engine, memory.unwrap()).unwrap(),
                tids: AtomicUsize::new(0),
                threads: Mutex::default(),
                output: Mutex::default(),
            });
            let mut store = Store::new(&engine, ());
            let instance = program.linker().instantiate(&mut store, &module).unwrap();
            let start = instance.typed_func::<(), ()>(&store, "_start").unwrap();
            start.call(&mut store, ()).unwrap();
            let threads = std::mem::take(&mut *program.threads.lock().unwrap());
            assert_eq!(threads.len(), 4);
            for thread in threads {
                thread.join().unwrap().unwrap();
            }
            let output = std::mem::take(&mut *program.output.lock().unwrap());
            let line = String::from_utf8(output).unwrap();
            const RIGHT: &str =
                "counts 64424509455000 locked 4497000 queue 170346800 ring 725978176 right\n";
            assert_eq!(line, RIGHT, "run {run}");
        }
    }
}
