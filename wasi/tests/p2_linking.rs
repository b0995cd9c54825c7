//! `wasi:sockets` as components see it: the types of all functions, and the rules about resources.

use lithe::{Engine, Store};
use lithe_component::{Component, Linker};
use lithe_wasi::p2::{self, P2};
use lithe_wasi::{Ctx, Grants};

const COMPONENT: &str = include_str!("p2/sockets.wat");

fn linker(engine: &Engine) -> Linker<P2> {
    let mut linker = Linker::new(engine);
    p2::add_to_linker(&mut linker).unwrap();
    linker
}

#[test]
fn every_function_has_its_type() {
    let engine = Engine::default();
    let component = Component::new(&engine, COMPONENT).unwrap();
    assert_eq!(linker(&engine).missing(&component), []);
    let functions = COMPONENT.lines().filter(|line| {
        line.contains("(func (param \"") || line.contains("(func (result (own $network)")
    });
    assert_eq!(functions.count(), 53);
}

#[test]
fn rules_about_resources() {
    let engine = Engine::default();
    let component = Component::new(&engine, COMPONENT).unwrap();
    let pre = linker(&engine).link(&component).unwrap();
    for (name, trap) in [
        ("in-order", None),
        ("socket-before-streams", Some("children")),
        ("stream-twice", Some("datagram streams")),
        ("send-unpermitted", Some("check-send")),
        ("socket-before-pollable", Some("children")),
    ] {
        let grants = Grants::new().net("listen:127.0.0.1:*".parse().unwrap());
        let mut store = Store::new(&engine, P2::new(Ctx::new(grants).unwrap()));
        let instance = pre.instantiate(&mut store).unwrap();
        let func = instance.func(&mut store, name).unwrap().typed::<(), ()>(&mut store).unwrap();
        match (func.call(&mut store, ()), trap) {
            (Ok(()), None) => {
                // What is left are the networks that the guest did not drop.
                assert_eq!((store.data().table.len(), store.data().sockets.open()), (1, 0));
            }
            (Err(error), Some(words)) => assert!(error.to_string().contains(words), "{error}"),
            (result, _) => panic!("{name}: {result:?}"),
        }
    }
}
