//! A guest that passes calls on: `forward.wasm` imports the interfaces and exports each of their functions as its own, so
//! what a test calls goes through the linker and the canonical ABI both ways.
//!
//! `call("filesystem-types-descriptor-stat", &[of(file)])` calls `wasi:filesystem/types`'s `[method]descriptor.stat`.
//! Results are compared in the notation of WAVE, with resources as `#`.

#![allow(dead_code, reason = "every test crate uses its own part")]

use std::path::PathBuf;
use std::sync::OnceLock;

use lithe::{Engine, Error, Store};
use lithe_component::{Component, Instance, InstancePre, Linker, ResourceAny, Val};
use lithe_wasi::p2::{self, P2};
use lithe_wasi::{Ctx, Grants};

/// A compiled component of `guests/components/out`.
pub fn component(name: &str) -> Vec<u8> {
    let path =
        PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../guests/components/out").join(name);
    std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Something that is not there.
struct Missing;

/// Defines what else a component imports as functions that trap.
fn refuse(linker: &mut Linker<P2>, component: &Component) {
    for missing in linker.missing(component) {
        let interface = missing.interface.as_deref().unwrap();
        let (name, mut instance) = (missing.name.clone(), linker.instance(interface));
        match &*missing.wanted {
            "resource" => instance.resource::<Missing>(&name, |_, _| Ok(())).map(drop),
            _ => instance
                .func_new(&missing.name, move |_, _, _| Err(Error::host(format!("no {name}"))))
                .map(drop),
        }
        .unwrap();
    }
}

/// Links a component with all that WASI has.
pub fn link(bytes: &[u8]) -> (Engine, InstancePre<P2>) {
    let engine = Engine::default();
    let component = Component::new(&engine, bytes).unwrap();
    let mut linker = Linker::new(&engine);
    p2::add_to_linker(&mut linker).unwrap();
    refuse(&mut linker, &component);
    let pre = linker.link(&component).unwrap();
    (engine, pre)
}

pub struct Guest {
    pub store: Store<P2>,
    instance: Instance,
}

impl Guest {
    pub fn new(grants: Grants) -> Guest {
        Guest::of(Ctx::new(grants).unwrap())
    }

    pub fn of(ctx: Ctx) -> Guest {
        static FORWARD: OnceLock<(Engine, InstancePre<P2>)> = OnceLock::new();
        let (engine, pre) = FORWARD.get_or_init(|| link(&component("forward.wasm")));
        let mut store = Store::new(engine, P2::new(ctx));
        let instance = pre.instantiate(&mut store).unwrap();
        Guest { store, instance }
    }

    /// Calls a function, which may trap.
    pub fn try_call(&mut self, name: &str, args: &[Val]) -> Result<Option<Val>, Error> {
        let func = self.instance.func(&mut self.store, name)?;
        func.call(&mut self.store, args)
    }

    /// The value that a function gives.
    pub fn value(&mut self, name: &str, args: &[Val]) -> Val {
        match self.try_call(name, args) {
            Ok(Some(value)) => value,
            Ok(None) => panic!("{name} gives nothing"),
            Err(error) => panic!("{name}{args:?}: {error}"),
        }
    }

    /// What a function gives, as text.
    pub fn call(&mut self, name: &str, args: &[Val]) -> String {
        match self.try_call(name, args) {
            Ok(value) => value.as_ref().map_or_else(String::new, show),
            Err(error) => panic!("{name}{args:?}: {error}"),
        }
    }

    /// The words of the trap that a function ends in.
    pub fn trap(&mut self, name: &str, args: &[Val]) -> String {
        match self.try_call(name, args) {
            Ok(value) => panic!("{name} did not trap: {value:?}"),
            Err(error) => error.message().to_owned(),
        }
    }

    /// The resource that a function gives, alone or as `ok`.
    pub fn resource(&mut self, name: &str, args: &[Val]) -> ResourceAny {
        let value = self.value(name, args);
        inner(&value).unwrap_or_else(|| panic!("{name}: {}", show(&value)))
    }

    /// The granted directories.
    pub fn preopens(&mut self) -> Vec<(ResourceAny, String)> {
        let Val::List(dirs) = self.value("filesystem-preopens-get-directories", &[]) else {
            unreachable!()
        };
        let dir = |dir: Val| match dir {
            Val::Tuple(pair) => match &pair[..] {
                [Val::Resource(dir), Val::String(name)] => (*dir, name.clone()),
                _ => unreachable!(),
            },
            _ => unreachable!(),
        };
        dirs.into_iter().map(dir).collect()
    }

    /// The first granted directory.
    pub fn root(&mut self) -> ResourceAny {
        self.preopens()[0].0
    }

    pub fn drop(&mut self, resource: ResourceAny) {
        resource.drop(&mut self.store).unwrap();
    }

    /// Opens a file beneath a directory; `flags` are words of `open-flags` and `descriptor-flags`.
    pub fn open(
        &mut self,
        dir: ResourceAny,
        path: &str,
        words: &str,
    ) -> Result<ResourceAny, String> {
        let value = self.value("filesystem-types-descriptor-open-at", &open_args(dir, path, words));
        inner(&value).ok_or_else(|| show(&value))
    }

    /// Reads an input stream to its end.
    pub fn read_all(&mut self, stream: ResourceAny) -> Vec<u8> {
        let mut all = Vec::new();
        loop {
            let read =
                self.value("io-streams-input-stream-blocking-read", &[of(stream), u64(65536)]);
            match read {
                Val::Result(Ok(Some(list))) => all.extend(bytes_of(&list)),
                end if show(&end) == "err(closed)" => return all,
                other => panic!("{}", show(&other)),
            }
        }
    }

    /// Writes to an output stream as much as it takes at a time.
    pub fn write_all(&mut self, stream: ResourceAny, mut data: &[u8]) {
        while !data.is_empty() {
            let room = self.value("io-streams-output-stream-check-write", &[of(stream)]);
            let Val::Result(Ok(Some(room))) = room else { panic!("{}", show(&room)) };
            let Val::U64(room) = *room else { unreachable!() };
            let (piece, rest) = data.split_at(data.len().min(room as usize));
            let result = self.call("io-streams-output-stream-write", &[of(stream), bytes(piece)]);
            assert_eq!(result, "ok");
            data = rest;
        }
    }
}

const OPEN_FLAGS: [&str; 4] = ["create", "directory", "exclusive", "truncate"];

/// The arguments of `open-at`; `follow` is one more word.
pub fn open_args(dir: ResourceAny, path: &str, words: &str) -> Vec<Val> {
    let words: Vec<&str> = words.split_whitespace().filter(|word| *word != "nofollow").collect();
    let (how, rest): (Vec<_>, Vec<_>) = words.iter().partition(|word| OPEN_FLAGS.contains(word));
    let (follow, flags): (Vec<_>, Vec<_>) = rest.iter().partition(|word| **word == "follow");
    let names = |words: Vec<&str>| Val::Flags(words.iter().map(|w| w.to_string()).collect());
    vec![of(dir), path_flags(!follow.is_empty()), text(path), names(how), names(flags)]
}

pub fn path_flags(follow: bool) -> Val {
    Val::Flags(if follow { vec!["symlink-follow".into()] } else { vec![] })
}

/// A resource, given or lent.
pub fn of(resource: ResourceAny) -> Val {
    Val::Resource(resource)
}

pub fn text(text: &str) -> Val {
    Val::String(text.into())
}

pub fn u64(number: u64) -> Val {
    Val::U64(number)
}

pub fn bytes(bytes: &[u8]) -> Val {
    Val::List(bytes.iter().map(|byte| Val::U8(*byte)).collect())
}

/// The bytes of a list.
pub fn bytes_of(value: &Val) -> Vec<u8> {
    let Val::List(list) = value else { panic!("{}", show(value)) };
    list.iter().map(|byte| if let Val::U8(byte) = byte { *byte } else { unreachable!() }).collect()
}

pub fn datetime(seconds: u64, nanoseconds: u32) -> Val {
    Val::Record(vec![
        ("seconds".into(), Val::U64(seconds)),
        ("nanoseconds".into(), Val::U32(nanoseconds)),
    ])
}

/// `new-timestamp`
pub fn at(seconds: u64, nanoseconds: u32) -> Val {
    Val::Variant("timestamp".into(), Some(Box::new(datetime(seconds, nanoseconds))))
}

pub fn case(name: &str) -> Val {
    Val::Variant(name.into(), None)
}

fn inner(value: &Val) -> Option<ResourceAny> {
    match value {
        Val::Resource(resource) => Some(*resource),
        Val::Result(Ok(Some(value))) | Val::Option(Some(value)) => inner(value),
        _ => None,
    }
}

/// A field of a record, which may be in `ok`.
pub fn field(value: &Val, name: &str) -> Val {
    match value {
        Val::Result(Ok(Some(value))) => field(value, name),
        Val::Record(fields) => {
            let found = fields.iter().find(|(field, _)| field == name);
            found.unwrap_or_else(|| panic!("no field {name} in {}", show(value))).1.clone()
        }
        other => panic!("{}", show(other)),
    }
}

fn list<'v>(values: impl IntoIterator<Item = &'v Val>) -> String {
    values.into_iter().map(show).collect::<Vec<_>>().join(", ")
}

/// A value in the notation of WAVE; lists of bytes as text.
pub fn show(value: &Val) -> String {
    let payload = |name: &str, value: &Option<Box<Val>>| match value {
        Some(value) => format!("{name}({})", show(value)),
        None => name.to_owned(),
    };
    match value {
        Val::Bool(value) => value.to_string(),
        Val::U8(value) => value.to_string(),
        Val::U32(value) => value.to_string(),
        Val::S32(value) => value.to_string(),
        Val::U64(value) => value.to_string(),
        Val::String(text) => format!("{text:?}"),
        Val::List(values) if matches!(values.first(), Some(Val::U8(_))) => {
            format!("b\"{}\"", bytes_of(value).escape_ascii())
        }
        Val::List(values) => format!("[{}]", list(values)),
        Val::Tuple(values) => format!("({})", list(values)),
        Val::Record(fields) => {
            let fields: Vec<_> =
                fields.iter().map(|(name, value)| format!("{name}: {}", show(value))).collect();
            format!("{{{}}}", fields.join(", "))
        }
        Val::Variant(name, value) => payload(name, value),
        Val::Enum(name) => name.clone(),
        Val::Option(value) => match value {
            Some(value) => format!("some({})", show(value)),
            None => "none".into(),
        },
        Val::Result(Ok(value)) => payload("ok", value),
        Val::Result(Err(value)) => payload("err", value),
        Val::Flags(names) => format!("{{{}}}", names.join(", ")),
        Val::Resource(_) => "#".into(),
        other => format!("{other:?}"),
    }
}
