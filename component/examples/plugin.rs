//! A host that gives a plugin an interface of its own: a store of keys and values. The plugin is a component of Rust,
//! with its source in `guests/components/kv-plugin`.
//!
//! ```sh
//! cargo run -p lithe-component --example plugin -- guests/components/out/kv-plugin.wasm 'a b a'
//! ```

use std::collections::BTreeMap;

use lithe::{Engine, Store};
use lithe_component::{Component, Linker};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut args = std::env::args().skip(1);
    let (Some(file), Some(input)) = (args.next(), args.next()) else {
        return Err("expected the plugin's file and a text".into());
    };
    let engine = Engine::default();
    let plugin = Component::new(&engine, std::fs::read(file)?)?;

    // What the plugin may call: the types of the closures are checked against the plugin's when it is linked.
    let mut linker = Linker::<BTreeMap<String, String>>::new(&engine);
    let mut store = linker.instance("example:kv/store");
    store.func("get", |caller, (key,): (String,)| Ok(caller.data().get(&key).cloned()))?;
    store.func("set", |mut caller, (key, value): (String, String)| {
        caller.data_mut().insert(key, value);
        Ok(())
    })?;

    let mut store = Store::new(&engine, BTreeMap::new());
    let instance = linker.instantiate(&mut store, &plugin)?;
    let run = instance.func(&mut store, "run")?.typed::<(String,), String>(&mut store)?;
    println!("the plugin says {:?}", run.call(&mut store, (input,))?);
    for (key, value) in store.data() {
        println!("{key} = {value}");
    }
    Ok(())
}
