//! Instances of a module with much data share its pages until they write them; nobody can tell.

mod ways;

use lithe::{Config, Engine, ErrorKind, Extern, Instance, Linker, Memory, Module, Store};

/// Segments that overlap, one whose place is no constant, and one that is copied later.
fn text(last: &str) -> String {
    let much = "a".repeat(70_000);
    format!(
        r#"(module
          (import "host" "at" (global $at i32))
          (memory (export "memory") 4)
          (data (i32.const 100) "{much}")
          (data (i32.const 200) "over")
          (data (i32.const 131000) "across a page")
          {last}
          (data (global.get $at) "elsewhere")
          (data $later "later")
          (func (export "again") (memory.init 0 (i32.const 0) (i32.const 0) (i32.const 1)))
          (func (export "later") (memory.init $later (i32.const 5) (i32.const 0) (i32.const 5))))"#
    )
}

fn instantiate(store: &mut Store<()>, module: &Module) -> lithe::Result<(Instance, Memory)> {
    let ty = lithe::GlobalType { value: lithe::ValType::I32, mutable: false };
    let at = lithe::Global::new(&mut *store, ty, lithe::Val::I32(50))?;
    let mut linker = Linker::new(module.engine());
    linker.define("host", "at", at)?;
    let instance = linker.instantiate(&mut *store, module)?;
    let Some(Extern::Memory(memory)) = instance.export(&*store, "memory") else { panic!() };
    Ok((instance, memory))
}

fn for_all(test: impl Fn(&Engine)) {
    for engine in ways::ways(Config::new()) {
        test(&engine);
    }
}

#[test]
fn instances_begin_alike_and_go_their_own_ways() {
    for_all(|engine| {
        let module = Module::new(engine, text("")).unwrap();
        let mut contents: Vec<Vec<u8>> = Vec::new();
        for round in 0..4 {
            let mut store = Store::new(engine, ());
            let (instance, memory) = instantiate(&mut store, &module).unwrap();
            contents.push(memory.data(&store).unwrap().to_vec());
            // What this instance writes, the next one does not see.
            memory.write(&mut store, 200, &[round; 80_000]).unwrap();
            instance.typed_func::<(), ()>(&store, "later").unwrap().call(&mut store, ()).unwrap();
            assert_eq!(&memory.data(&store).unwrap()[5..10], b"later");
            let again = instance.typed_func::<(), ()>(&store, "again").unwrap();
            assert!(again.call(&mut store, ()).is_err(), "an active segment is dropped");
            memory.grow(&mut store, 100).unwrap();
            let bytes = memory.data(&store).unwrap();
            assert_eq!(bytes[200 + 80_000 - 1], round);
            assert!(bytes[4 << 16..].iter().all(|byte| *byte == 0));
        }
        assert!(contents.iter().all(|bytes| *bytes == contents[0]));
        assert_eq!(&contents[0][50..59], b"elsewhere");
        assert_eq!(&contents[0][198..206], b"aaoveraa");
        assert_eq!(&contents[0][131_000..131_013], b"across a page");
    });
}

#[test]
fn a_segment_that_does_not_fit_traps_each_time() {
    for_all(|engine| {
        let module = Module::new(engine, text(r#"(data (i32.const 262140) "beyond")"#)).unwrap();
        for _ in 0..3 {
            let mut store = Store::new(engine, ());
            let error = instantiate(&mut store, &module).map(drop).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Trap);
        }
    });
}

/// Several instances of one store, and a configuration of limits that leaves no room.
#[test]
fn instances_of_one_store() {
    let engine = Engine::new(&Config::new());
    let module = Module::new(&engine, text("")).unwrap();
    let mut store = Store::new(&engine, ());
    let memories: Vec<Memory> =
        (0..3).map(|_| instantiate(&mut store, &module).unwrap().1).collect();
    memories[1].write(&mut store, 300, b"mine").unwrap();
    let read = |memory: &Memory| memory.data(&store).unwrap()[300..304].to_vec();
    assert_eq!(
        [read(&memories[0]), read(&memories[1]), read(&memories[2])],
        [b"aaaa", b"mine", b"aaaa"]
    );
}
