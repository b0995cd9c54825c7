//! Memories that go back to their module when their store ends: an instance that gets one cannot tell, whatever the one
//! before it did.

mod ways;

use lithe::{Config, Engine, Extern, Instance, Memory, Module, Store, StoreLimits, TrapKind};

const PAGE: usize = 65536;

fn text(data: &str) -> String {
    format!(
        r#"(module
          (memory (export "memory") 4 2000)
          {data}
          (global $mine (mut i64) (i64.const 77))
          (table 4 funcref)
          (elem (i32.const 1) $read)
          (func $read (export "read") (param i32) (result i32) (i32.load8_u (local.get 0)))
          (func (export "write") (param i32 i32) (i32.store8 (local.get 0) (local.get 1)))
          (func (export "fill") (param i32 i32 i32)
            (global.set $mine (i64.const -1))
            (memory.fill (local.get 0) (local.get 1) (local.get 2)))
          (func (export "mine") (result i64) (global.get $mine))
          (func (export "grow") (param i32) (result i32) (memory.grow (local.get 0)))
          (func (export "deep") (param i32) (result i32)
            (if (result i32) (i32.eqz (local.get 0))
              (then (i32.const 0))
              (else (i32.add (i32.const 1) (call 5 (i32.sub (local.get 0) (i32.const 1))))))))"#
    )
}

/// Modules whose memory begins with zeros, with a little data, and with an image.
fn modules(engine: &Engine) -> Vec<Module> {
    let much = "a".repeat(70_000);
    let image = format!(r#"(data (i32.const 70000) "{much}") (data (i32.const 200) "over")"#);
    let texts = ["".to_owned(), r#"(data (i32.const 65530) "across a page")"#.into(), image];
    texts.iter().map(|data| Module::new(engine, text(data)).unwrap()).collect()
}

fn store(engine: &Engine, spares: usize) -> Store<()> {
    let mut store = Store::new(engine, ());
    store.set_limits(StoreLimits { spares, ..StoreLimits::default() });
    store
}

fn instantiate(store: &mut Store<()>, module: &Module) -> (Instance, Memory) {
    let instance = Instance::new(&mut *store, module, &[]).unwrap();
    let Some(Extern::Memory(memory)) = instance.export(&*store, "memory") else { panic!() };
    (instance, memory)
}

fn call(store: &mut Store<()>, instance: Instance, name: &str, args: (i32, i32, i32)) {
    let func = instance.typed_func::<(i32, i32, i32), ()>(&*store, name).unwrap();
    func.call(store, args).unwrap();
}

fn grow(store: &mut Store<()>, instance: Instance, pages: i32) -> i32 {
    let func = instance.typed_func::<i32, i32>(&*store, "grow").unwrap();
    func.call(store, pages).unwrap()
}

/// The trap of reading one byte.
fn read(store: &mut Store<()>, instance: Instance, at: i32) -> Result<i32, Option<TrapKind>> {
    let func = instance.typed_func::<i32, i32>(&*store, "read").unwrap();
    func.call(store, at).map_err(|error| error.trap().map(|trap| trap.kind()))
}

/// Nothing tells this instance from the first one of its module.
fn is_fresh(store: &mut Store<()>, instance: Instance, memory: Memory, first: &[u8]) {
    assert!(memory.data(&*store).unwrap() == first);
    let mine = instance.typed_func::<(), i64>(&*store, "mine").unwrap();
    assert_eq!(mine.call(&mut *store, ()).unwrap(), 77);
    for at in [first.len(), first.len() + PAGE, 300 * PAGE, 0x7fff_ffff, 0xffff_ffff] {
        let trap = read(&mut *store, instance, at as i32).unwrap_err();
        assert_eq!(trap, Some(TrapKind::MemoryOutOfBounds), "{at:#x}");
    }
    assert_eq!(grow(store, instance, 10), 4);
    let bytes = memory.data(&*store).unwrap();
    assert_eq!(bytes.len(), first.len() + 10 * PAGE);
    assert!(bytes[first.len()..].iter().all(|byte| *byte == 0));
}

type Deed = fn(&mut Store<()>, Instance, Memory);

/// What an instance may do to its memory.
const DEEDS: &[Deed] = &[
    |_, _, _| {},
    // Everything, grown as well.
    |store, instance, memory| {
        grow(store, instance, 3);
        let len = memory.data(&*store).unwrap().len() as i32;
        call(store, instance, "fill", (0, 0xaa, len));
    },
    // More than is kept in memory, and its last byte.
    |store, instance, memory| {
        grow(store, instance, 500);
        call(store, instance, "fill", (3 * PAGE as i32, 0xbb, 200 * PAGE as i32));
        memory.write(&mut *store, 504 * PAGE - 1, &[1]).unwrap();
    },
    // A byte here and there, on both sides of what the module put there.
    |store, instance, _| {
        let write = instance.typed_func::<(i32, i32), ()>(&*store, "write").unwrap();
        for page in (0..64).step_by(3) {
            write.call(&mut *store, (page * 4096 + 4095, 0xcc)).unwrap();
        }
    },
    // Many stretches of pages: more than one question to the kernel.
    |store, instance, memory| {
        grow(store, instance, 60);
        for page in (0..1024).step_by(2) {
            memory.write(&mut *store, page * 4096, &[0xdd]).unwrap();
        }
    },
    // A trap in the middle.
    |store, instance, memory| {
        let end = memory.data(&*store).unwrap().len() as i32;
        let fill = instance.typed_func::<(i32, i32, i32), ()>(&*store, "fill").unwrap();
        assert!(fill.call(&mut *store, (end - 5, 0xee, 6)).is_err());
        assert!(read(store, instance, end).is_err());
        memory.write(&mut *store, 0, &vec![0xff; end as usize]).unwrap();
    },
    // Deep in the stack.
    |store, instance, _| {
        let deep = instance.typed_func::<i32, i32>(&*store, "deep").unwrap();
        assert_eq!(deep.call(&mut *store, 3000).unwrap(), 3000);
        assert!(deep.call(&mut *store, i32::MAX).is_err());
    },
];

#[test]
fn who_comes_next_sees_nothing() {
    for engine in ways::ways(Config::new()) {
        for module in modules(&engine) {
            let mut store = Store::new(&engine, ());
            let first = instantiate(&mut store, &module).1.data(&store).unwrap().to_vec();
            drop(store);
            for deed in DEEDS.iter().chain(DEEDS) {
                let mut store = self::store(&engine, 1);
                let (instance, memory) = instantiate(&mut store, &module);
                is_fresh(&mut store, instance, memory, &first);
                drop(store);
                let mut store = self::store(&engine, 1);
                let (instance, memory) = instantiate(&mut store, &module);
                deed(&mut store, instance, memory);
            }
        }
    }
}

/// Where a memory is, which tells whether it is the one of before.
fn place(store: &Store<()>, memory: Memory) -> *const u8 {
    memory.data(store).unwrap().as_ptr()
}

#[test]
fn as_many_are_kept_as_the_limits_say() {
    for engine in ways::ways(Config::new()) {
        let [_, _, module] = &modules(&engine)[..] else { panic!() };
        let mut stores: Vec<_> = (0..3).map(|_| self::store(&engine, 2)).collect();
        let places = stores.iter_mut().map(|store| {
            let memory = instantiate(store, module).1;
            place(store, memory)
        });
        let mut places: Vec<_> = places.collect();
        places.sort();
        places.dedup();
        assert_eq!(places.len(), 3, "stores that live have memories of their own");
        drop(stores);
        // Two of them, the last one first, and never one that is in use.
        let mut stores: Vec<_> = (0..2).map(|_| self::store(&engine, 0)).collect();
        let again = stores.iter_mut().map(|store| {
            let memory = instantiate(store, module).1;
            place(store, memory)
        });
        let again: Vec<_> = again.collect();
        assert_ne!(again[0], again[1]);
        assert!(again.iter().all(|place| places.contains(place)), "spares are used again");
    }
}

/// A smaller limit of a later store holds in a memory that was larger.
#[test]
fn limits_are_those_of_the_store() {
    for engine in ways::ways(Config::new()) {
        let [module, ..] = &modules(&engine)[..] else { panic!() };
        let mut before = store(&engine, 1);
        let (instance, _) = instantiate(&mut before, module);
        assert_eq!(grow(&mut before, instance, 100), 4);
        drop(before);
        let mut store = Store::new(&engine, ());
        store.set_limits(StoreLimits { memory_bytes: 6 * PAGE, ..StoreLimits::default() });
        let (instance, _) = instantiate(&mut store, module);
        assert_eq!(grow(&mut store, instance, 3), -1);
        assert_eq!(grow(&mut store, instance, 2), 4);
        assert!(read(&mut store, instance, 6 * PAGE as i32).is_err());
    }
}
