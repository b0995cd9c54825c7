//! Components that try to use up the host's time, memory or stack, or to get at what is not theirs. What a guest must
//! not pass as a value is tried in `spec-tests/cases/component-*.wast`.

use std::fmt::Write;
use std::sync::mpsc::channel;
use std::thread;
use std::time::Duration;

use lithe::{Config, Engine, ErrorKind, Store, Strategy, TrapKind};
use lithe_component::{CallLimits, Component, Linker, Val, set_limits};

/// Far more than any of these tests takes on a slow and busy machine.
const TIME: Duration = Duration::from_secs(60);
/// Less than the stack of any thread that runs guests.
const STACK: usize = 1 << 20;

/// Runs something that must end soon, on a small stack.
fn soon<R: Send + 'static>(run: impl FnOnce() -> R + Send + 'static) -> R {
    let (sender, receiver) = channel();
    let spawned = thread::Builder::new().stack_size(STACK).spawn(move || {
        let _ = sender.send(run());
    });
    spawned.unwrap();
    receiver.recv_timeout(TIME).expect("it panicked or takes too long")
}

fn engines() -> Vec<Engine> {
    let strategies = [Strategy::Interpreter, Strategy::Native];
    strategies.map(|strategy| Engine::new(&Config::new().strategy(strategy))).into()
}

fn limited(text: String, words: &'static str) {
    let error = soon(move || Component::new(&Engine::default(), text).err());
    let error = error.expect("the component is too much");
    assert!(matches!(error.kind(), ErrorKind::Limit | ErrorKind::Invalid), "{error}");
    assert!(error.message().contains(words), "{error}");
}

/// A guest with a large memory of zeros, whose function gives the value at an address with a length.
fn reader(engine: &Engine, ty: &str) -> (Store<()>, lithe_component::Func) {
    let text = format!(
        r#"(component
          (core module $m
            (memory (export "memory") 4096)
            (func (export "f") (param i32 i32) (result i32)
              (i32.store (i32.const 8) (local.get 0))
              (i32.store (i32.const 12) (local.get 1))
              (i32.const 8)))
          (core instance $i (instantiate $m))
          (func (export "f") (param "at" u32) (param "len" u32) (result {ty})
            (canon lift (core func $i "f") (memory (core memory $i "memory")))))"#
    );
    let component = Component::new(engine, text).unwrap();
    let mut store = Store::new(engine, ());
    let instance = Linker::new(engine).instantiate(&mut store, &component).unwrap();
    let func = instance.func(&mut store, "f").unwrap();
    (store, func)
}

#[test]
fn values_that_take_more_of_the_host_than_allowed() {
    for engine in engines() {
        for (ty, len) in [
            ("string", 200 << 20),
            ("(list u8)", 200 << 20),
            ("(list bool)", 200 << 20),
            ("(list (list u8))", 30 << 20),
            ("(list string)", 30 << 20),
            ("(list (tuple u8 u8))", 100 << 20),
            ("(list (option (option (option u8))))", 60 << 20),
            ("(list (result))", 250 << 20),
        ] {
            let (mut store, func) = reader(&engine, ty);
            let args = [Val::U32(16), Val::U32(len)];
            let error = func.call(&mut store, &args).unwrap_err();
            let trap = error.trap().expect("a trap");
            assert_eq!(trap.kind(), TrapKind::CanonicalAbi, "{ty}: {error}");
            assert!(error.message().contains("more of the host's memory"), "{ty}: {error}");
        }
    }
}

#[test]
fn the_limit_of_a_call_can_be_set() {
    let (mut store, func) = reader(&Engine::default(), "string");
    let limits = CallLimits { call_bytes: 1000, ..CallLimits::default() };
    set_limits(&mut store, limits).unwrap();
    let args = |len| [Val::U32(16), Val::U32(len)];
    assert!(func.call(&mut store, &args(1000)).is_ok());
    assert!(func.call(&mut store, &args(1001)).is_err());
}

#[test]
fn handles_have_a_limit() {
    for engine in engines() {
        let text = r#"(component
          (type $r (resource (rep i32)))
          (core func $new (canon resource.new $r))
          (func (export "new") (param "rep" u32) (result u32) (canon lift (core func $new))))"#;
        let component = Component::new(&engine, text).unwrap();
        let mut store = Store::new(&engine, ());
        let limits = CallLimits { handles: 10, ..CallLimits::default() };
        set_limits(&mut store, limits).unwrap();
        let instance = Linker::new(&engine).instantiate(&mut store, &component).unwrap();
        let func = instance.func(&mut store, "new").unwrap();
        for index in 1..=10 {
            assert_eq!(func.call(&mut store, &[Val::U32(7)]).unwrap(), Some(Val::U32(index)));
        }
        let error = func.call(&mut store, &[Val::U32(7)]).unwrap_err();
        assert!(error.message().contains("has 10 handles, its limit"), "{error}");
    }
}

#[test]
fn components_that_double() {
    let mut text = "(component (component $c0)".to_owned();
    for i in 1..40 {
        let last = i - 1;
        write!(
            text,
            "(component $c{i} (alias outer 1 $c{last} (component $c))
               (instance (instantiate $c)) (instance (instantiate $c)))"
        )
        .unwrap();
    }
    limited(text + "(instance (instantiate $c39)))", "instances");
}

#[test]
fn definitions_that_double() {
    let types = "(type (record (field \"a-rather-long-name-of-a-field\" u8)))".repeat(1000);
    let mut text = format!("(component (component $c0 {types})");
    for i in 1..13 {
        let last = i - 1;
        write!(
            text,
            "(component $c{i} (alias outer 1 $c{last} (component $c))
               (instance (instantiate $c)) (instance (instantiate $c)))"
        )
        .unwrap();
    }
    limited(text + "(instance (instantiate $c12)))", "steps");
}

#[test]
fn components_in_a_long_chain() {
    let mut text = "(component (component $c0)".to_owned();
    for i in 1..900 {
        let last = i - 1;
        write!(
            text,
            "(component $c{i} (alias outer 1 $c{last} (component $c)) (instance (instantiate $c)))"
        )
        .unwrap();
    }
    limited(text + "(instance (instantiate $c899)))", "within one another");
}

#[test]
fn instances_in_a_long_chain() {
    let mut text = "(component (instance $i0)".to_owned();
    for i in 1..2000 {
        write!(text, "(instance $i{i} (export \"a\" (instance $i{})))", i - 1).unwrap();
    }
    limited(text + "(export \"i\" (instance $i1999)))", "too deep");
}

#[test]
fn instances_that_double() {
    let mut text = "(component (instance $i0)".to_owned();
    for i in 1..17 {
        let last = i - 1;
        write!(
            text,
            "(instance $i{i} (export \"a\" (instance $i{last})) (export \"b\" (instance $i{last})))"
        )
        .unwrap();
    }
    text += "(export \"i\" (instance $i16)))";
    let loaded =
        soon(move || Component::new(&Engine::default(), text).map(|it| it.exports().len()));
    assert_eq!(loaded.unwrap(), 0);
}

#[test]
fn types_that_are_deep() {
    let text = |depth: usize| {
        let mut text = "(component (type $t0 (list u8))".to_owned();
        for i in 1..depth {
            write!(text, "(type $t{i} (list $t{}))", i - 1).unwrap();
        }
        text + ")"
    };
    assert!(Component::new(&Engine::default(), text(90)).is_ok());
    limited(text(5000), "too deep");
}

#[test]
fn types_that_double() {
    // Each type of function is large when all its parts are counted, and there are many functions.
    let mut text = "(component (type $t0 (result u8 (error string)))".to_owned();
    for i in 1..11 {
        let last = i - 1;
        write!(text, "(type $t{i} (result (tuple $t{last} $t{last})))").unwrap();
    }
    text += "(core module $m (memory (export \"memory\") 1)
          (func (export \"r\") (param i32 i32 i32 i32) (result i32) (i32.const 0))
          (func (export \"f\") (param i32) (result i32) (local.get 0)))
        (core instance $i (instantiate $m))";
    for i in 0..50 {
        write!(
            text,
            "(func (export \"f{i}\") (param \"t\" $t10) (result $t10) (canon lift (core func $i \"f\")
               (memory (core memory $i \"memory\")) (realloc (core func $i \"r\"))))"
        )
        .unwrap();
    }
    let loaded =
        soon(move || Component::new(&Engine::default(), text + ")").map(|it| it.exports()));
    assert_eq!(loaded.unwrap().len(), 50);
}

#[test]
fn binary_components_in_one_another() {
    let soon = soon(|| {
        let mut bytes = b"\0asm\x0d\0\x01\0".to_vec();
        for _ in 0..2000 {
            let mut outer = b"\0asm\x0d\0\x01\0\x04".to_vec();
            let mut len = bytes.len();
            while len > 0x7f {
                outer.push(len as u8 | 0x80);
                len >>= 7;
            }
            outer.push(len as u8);
            outer.extend(bytes);
            bytes = outer;
        }
        Component::new(&Engine::default(), bytes).err()
    });
    let error = soon.unwrap();
    assert!(error.message().contains("nested"), "{error}");
}

#[test]
fn calls_through_many_components() {
    for engine in engines() {
        let text = |count: usize| {
            let mut text = r#"(component
              (component $first
                (core module $m (func (export "f") (param i32) (result i32) (local.get 0)))
                (core instance $i (instantiate $m))
                (func (export "f") (param "n" u32) (result u32) (canon lift (core func $i "f"))))
              (component $next
                (import "f" (func $f (param "n" u32) (result u32)))
                (core func $f (canon lower (func $f)))
                (core module $m
                  (import "" "f" (func $f (param i32) (result i32)))
                  (func (export "f") (param i32) (result i32)
                    (i32.add (call $f (local.get 0)) (i32.const 1))))
                (core instance $i (instantiate $m (with "" (instance (export "f" (func $f))))))
                (func (export "f") (param "n" u32) (result u32) (canon lift (core func $i "f"))))
              (instance $i0 (instantiate $first))"#
                .to_owned();
            for i in 1..=count {
                let last = i - 1;
                write!(
                    text,
                    "(instance $i{i} (instantiate $next (with \"f\" (func $i{last} \"f\"))))"
                )
                .unwrap();
            }
            text + &format!("(export \"f\" (func $i{count} \"f\")))")
        };
        let run = |count| {
            let component = Component::new(&engine, text(count)).unwrap();
            let mut store = Store::new(&engine, ());
            let instance = Linker::new(&engine).instantiate(&mut store, &component).unwrap();
            let func = instance.func(&mut store, "f").unwrap();
            func.call(&mut store, &[Val::U32(0)])
        };
        assert_eq!(run(50).unwrap(), Some(Val::U32(50)));
        let error = run(500).unwrap_err();
        assert_eq!(error.trap().unwrap().kind(), TrapKind::StackExhausted, "{error}");
    }
}

/// A component with an import that its export calls.
const CALLER: &str = r#"(component
  (import "host" (func $host (param "n" u32) (result u32)))
  (core func $host (canon lower (func $host)))
  (core module $m
    (import "" "host" (func $host (param i32) (result i32)))
    (func (export "f") (param i32) (result i32) (call $host (local.get 0))))
  (core instance $i (instantiate $m (with "" (instance (export "host" (func $host))))))
  (func (export "f") (param "n" u32) (result u32) (canon lift (core func $i "f"))))"#;

#[test]
fn the_host_cannot_call_a_component_that_calls_it() {
    for engine in engines() {
        let component = Component::new(&engine, CALLER).unwrap();
        let mut store: Store<Option<lithe_component::Func>> = Store::new(&engine, None);
        let mut linker = Linker::new(&engine);
        let again = |mut caller: lithe::Caller<'_, Option<lithe_component::Func>>, (n,): (u32,)| {
            let func = caller.data().unwrap();
            let error = func.call(&mut caller, &[Val::U32(n)]).unwrap_err();
            assert_eq!(error.trap().unwrap().kind(), TrapKind::CannotEnter);
            Ok(n + 1)
        };
        linker.root().func("host", again).unwrap();
        let instance = linker.instantiate(&mut store, &component).unwrap();
        let func = instance.func(&mut store, "f").unwrap();
        *store.data_mut() = Some(func);
        // The component did nothing wrong, so it can be called again.
        for n in [1, 5] {
            let result = func.call(&mut store, &[Val::U32(n)]).unwrap();
            assert_eq!(result, Some(Val::U32(n + 1)));
        }
    }
}

#[test]
fn what_a_host_function_gives_is_checked() {
    for given in [None, Some(Val::U8(1)), Some(Val::String("no".into()))] {
        let engine = Engine::default();
        let component = Component::new(&engine, CALLER).unwrap();
        let mut store = Store::new(&engine, ());
        let mut linker = Linker::new(&engine);
        linker.root().func_new("host", move |_, _, _| Ok(given.clone())).unwrap();
        let instance = linker.instantiate(&mut store, &component).unwrap();
        let func = instance.func(&mut store, "f").unwrap();
        let error = func.call(&mut store, &[Val::U32(1)]).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Usage, "{error}");
    }
}

#[test]
fn instances_of_other_stores() {
    let engine = Engine::default();
    let text = r#"(component
      (core module $m (func (export "f") (param i32) (result i32) (local.get 0)))
      (core instance $i (instantiate $m))
      (func (export "host") (param "n" u32) (result u32) (canon lift (core func $i "f"))))"#;
    let component = Component::new(&engine, text).unwrap();
    let user = text_user();
    let user = Component::new(&engine, user).unwrap();
    let (mut one, mut other) = (Store::new(&engine, ()), Store::new(&engine, ()));
    let mut linker = Linker::new(&engine);
    let instance = linker.instantiate(&mut one, &component).unwrap();
    linker.define_instance(&mut one, "api", &instance).unwrap();
    assert!(linker.instantiate(&mut one, &user).is_ok());
    assert_eq!(linker.instantiate(&mut other, &user).unwrap_err().kind(), ErrorKind::Usage);
    // A component of the other store at the same place is another one.
    linker.instantiate(&mut other, &component).unwrap();
    assert_eq!(linker.instantiate(&mut other, &user).unwrap_err().kind(), ErrorKind::Usage);
    let func = instance.func(&mut one, "host").unwrap();
    assert_eq!(func.call(&mut other, &[Val::U32(1)]).unwrap_err().kind(), ErrorKind::Usage);
    assert_eq!(instance.func(&mut other, "host").unwrap_err().kind(), ErrorKind::Usage);
}

fn text_user() -> &'static str {
    r#"(component
      (import "api" (instance $api (export "host" (func (param "n" u32) (result u32)))))
      (core func $host (canon lower (func $api "host")))
      (func (export "f") (param "n" u32) (result u32) (canon lift (core func $host))))"#
}
