//! Values of random types come back as they went: from the host to a guest and from there to the host, as core values and
//! in memory, in each encoding of strings and on each engine. A failure names its seed.

use std::fmt::Write;
use std::sync::{Arc, Mutex};

use lithe::{Config, Engine, Features, Store, Strategy};
use lithe_component::{Component, Linker, Val};

/// Types that are tried.
const SEEDS: u64 = 120;
/// Values of each type.
const VALUES: usize = 4;

/// Numbers that look random (SplitMix64).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let x = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        x ^ (x >> 31)
    }

    fn below(&mut self, end: usize) -> usize {
        (self.next() % end as u64) as usize
    }

    /// A number that is often at an edge.
    fn bits(&mut self) -> u64 {
        match self.below(4) {
            0 => 0,
            1 => u64::MAX,
            2 => 1 << self.below(64),
            _ => self.next(),
        }
    }
}

enum Ty {
    Simple(&'static str),
    List(Box<Ty>),
    Fixed(Box<Ty>, usize),
    Map(&'static str, Box<Ty>),
    Option(Box<Ty>),
    Result(Option<Box<Ty>>, Option<Box<Ty>>),
    Tuple(Vec<Ty>),
    Record(Vec<Ty>),
    Variant(Vec<Option<Ty>>),
    Enum(usize),
    Flags(usize),
}

const SIMPLE: [&str; 13] =
    ["bool", "s8", "u8", "s16", "u16", "s32", "u32", "s64", "u64", "f32", "f64", "char", "string"];

fn ty(random: &mut Random, depth: usize) -> Ty {
    let simple = |random: &mut Random| Ty::Simple(SIMPLE[random.below(SIMPLE.len())]);
    if depth == 0 {
        return simple(random);
    }
    let boxed = |random: &mut Random| Box::new(ty(random, depth - 1));
    let maybe = |random: &mut Random| match random.below(3) {
        0 => None,
        _ => Some(Box::new(ty(random, depth - 1))),
    };
    let many = |random: &mut Random| {
        let count = 1 + random.below(5);
        (0..count).map(|_| ty(random, depth - 1)).collect::<Vec<_>>()
    };
    match random.below(12) {
        0 => Ty::List(boxed(random)),
        1 => Ty::Fixed(boxed(random), 1 + random.below(4)),
        2 => Ty::Map(["u8", "string", "char", "s64"][random.below(4)], boxed(random)),
        3 => Ty::Option(boxed(random)),
        4 => Ty::Result(maybe(random), maybe(random)),
        5 => Ty::Tuple(many(random)),
        6 => Ty::Record(many(random)),
        7 | 8 => {
            let count = 1 + random.below(5);
            Ty::Variant((0..count).map(|_| maybe(random).map(|ty| *ty)).collect())
        }
        9 => Ty::Enum([1, 3, 256, 257][random.below(4)]),
        10 => Ty::Flags([1, 8, 9, 16, 17, 32][random.below(6)]),
        _ => simple(random),
    }
}

impl Ty {
    /// The type in the text form; types that need names go to `named`.
    fn text(&self, named: &mut Vec<String>) -> String {
        let name = |named: &mut Vec<String>, text: String| {
            named.push(text);
            format!("$t{}", named.len() - 1)
        };
        let numbered = |word: &str, count: usize| {
            let names: Vec<String> = (0..count).map(|i| format!("\"n{i}\"")).collect();
            format!("({word} {})", names.join(" "))
        };
        match self {
            Ty::Simple(ty) => (*ty).into(),
            Ty::List(ty) => format!("(list {})", ty.text(named)),
            Ty::Fixed(ty, count) => format!("(list {} {count})", ty.text(named)),
            Ty::Map(key, ty) => format!("(map {key} {})", ty.text(named)),
            Ty::Option(ty) => format!("(option {})", ty.text(named)),
            Ty::Result(ok, error) => {
                let ok = ok.as_ref().map_or(String::new(), |ty| ty.text(named));
                let error = error
                    .as_ref()
                    .map_or(String::new(), |ty| format!("(error {})", ty.text(named)));
                format!("(result {ok} {error})")
            }
            Ty::Tuple(types) => {
                let types: Vec<String> = types.iter().map(|ty| ty.text(named)).collect();
                format!("(tuple {})", types.join(" "))
            }
            Ty::Record(types) => {
                let mut text = "(record".to_owned();
                for (i, ty) in types.iter().enumerate() {
                    write!(text, " (field \"n{i}\" {})", ty.text(named)).unwrap();
                }
                name(named, text + ")")
            }
            Ty::Variant(cases) => {
                let mut text = "(variant".to_owned();
                for (i, ty) in cases.iter().enumerate() {
                    let ty = ty.as_ref().map_or(String::new(), |ty| ty.text(named));
                    write!(text, " (case \"n{i}\" {ty})").unwrap();
                }
                name(named, text + ")")
            }
            Ty::Enum(count) => name(named, numbered("enum", *count)),
            Ty::Flags(count) => name(named, numbered("flags", *count)),
        }
    }

    fn value(&self, random: &mut Random) -> Val {
        let boxed = |ty: &Option<Box<Ty>>, random: &mut Random| {
            ty.as_ref().map(|ty| Box::new(ty.value(random)))
        };
        match self {
            Ty::Simple(ty) => simple(ty, random),
            Ty::List(ty) => {
                let count = random.below(4);
                Val::List((0..count).map(|_| ty.value(random)).collect())
            }
            Ty::Fixed(ty, count) => Val::List((0..*count).map(|_| ty.value(random)).collect()),
            Ty::Map(key, ty) => {
                let count = random.below(4);
                Val::Map((0..count).map(|_| (simple(key, random), ty.value(random))).collect())
            }
            Ty::Option(ty) => match random.below(3) {
                0 => Val::Option(None),
                _ => Val::Option(Some(Box::new(ty.value(random)))),
            },
            Ty::Result(ok, error) => match random.below(2) {
                0 => Val::Result(Ok(boxed(ok, random))),
                _ => Val::Result(Err(boxed(error, random))),
            },
            Ty::Tuple(types) => Val::Tuple(types.iter().map(|ty| ty.value(random)).collect()),
            Ty::Record(types) => {
                let fields = types.iter().enumerate();
                Val::Record(fields.map(|(i, ty)| (format!("n{i}"), ty.value(random))).collect())
            }
            Ty::Variant(cases) => {
                let case = random.below(cases.len());
                let value = cases[case].as_ref().map(|ty| Box::new(ty.value(random)));
                Val::Variant(format!("n{case}"), value)
            }
            Ty::Enum(count) => Val::Enum(format!("n{}", random.below(*count))),
            Ty::Flags(count) => {
                let bits = random.bits();
                let set = (0..*count).filter(|bit| bits >> bit & 1 != 0);
                Val::Flags(set.map(|bit| format!("n{bit}")).collect())
            }
        }
    }
}

fn simple(ty: &str, random: &mut Random) -> Val {
    let bits = random.bits();
    let character = |random: &mut Random| match random.below(4) {
        0 => 'a',
        1 => char::from(random.next() as u8),
        2 => char::from_u32(random.next() as u32 % 0xd800).unwrap(),
        _ => char::from_u32(0xe000 + random.next() as u32 % (0x11_0000 - 0xe000)).unwrap(),
    };
    match ty {
        "bool" => Val::Bool(bits & 1 != 0),
        "s8" => Val::S8(bits as i8),
        "u8" => Val::U8(bits as u8),
        "s16" => Val::S16(bits as i16),
        "u16" => Val::U16(bits as u16),
        "s32" => Val::S32(bits as i32),
        "u32" => Val::U32(bits as u32),
        "s64" => Val::S64(bits as i64),
        "u64" => Val::U64(bits),
        "f32" => Val::F32(f32::from_bits(bits as u32)),
        "f64" => Val::F64(f64::from_bits(bits)),
        "char" => Val::Char(character(random)),
        _ => {
            // Often text that is Latin-1.
            let (count, latin) = (random.below(9), random.below(2) == 0);
            let mut one = || match latin {
                true => char::from(random.next() as u8),
                false => character(random),
            };
            Val::String((0..count).map(|_| one()).collect())
        }
    }
}

/// A guest that hands a value to the host as it gets it, and one that gives back a list.
fn guest(ty: &Ty, encoding: &str) -> String {
    let mut named = Vec::new();
    let ty = ty.text(&mut named);
    let mut types = String::new();
    for (i, text) in named.iter().enumerate() {
        write!(types, "(type $d{i} {text}) (import \"t{i}\" (type $t{i} (eq $d{i})))").unwrap();
    }
    format!(
        r#"(component {types}
          (import "sink" (func $sink (param "v" {ty})))
          (core module $m
            (memory (export "memory") 16)
            (global $next (mut i32) (i32.const 64))
            (func (export "realloc") (param i32 i32 i32 i32) (result i32) (local $at i32)
              (local.set $at (i32.and
                (i32.add (global.get $next) (i32.sub (local.get 2) (i32.const 1)))
                (i32.sub (i32.const 0) (local.get 2))))
              (global.set $next (i32.add (local.get $at) (local.get 3)))
              (local.get $at))
            (func (export "echo") (param i32 i32) (result i32)
              (i32.store (i32.const 0) (local.get 0))
              (i32.store (i32.const 4) (local.get 1))
              (i32.const 0))
            (func (export "reset") (param i32) (global.set $next (i32.const 64))))
          (core instance $i (instantiate $m))
          (alias core export $i "memory" (core memory $memory))
          (alias core export $i "realloc" (core func $realloc))
          (core func $sink' (canon lower (func $sink) (memory $memory) string-encoding={encoding}))
          (func (export "hand-on") (param "v" {ty})
            (canon lift (core func $sink') (memory $memory) (realloc (core func $realloc))
              string-encoding={encoding}))
          (func (export "echo") (param "v" (list {ty})) (result (list {ty}))
            (canon lift (core func $i "echo") (memory $memory) (realloc (core func $realloc))
              (post-return (core func $i "reset")) string-encoding={encoding})))"#
    )
}

fn run(engine: &Engine, seed: u64, encoding: &str) {
    let mut random = Random(seed);
    let ty = ty(&mut random, 3);
    let text = guest(&ty, encoding);
    let component = Component::new(engine, &text)
        .unwrap_or_else(|error| panic!("seed {seed}, {encoding}: {error}\n{text}"));
    let seen = Arc::new(Mutex::new(None));
    let mut linker = Linker::new(engine);
    let sink = seen.clone();
    let keep = move |_: lithe::Caller<'_, ()>, _: &_, args: &[Val]| {
        *sink.lock().unwrap() = args.first().cloned();
        Ok(None)
    };
    linker.root().func_new("sink", keep).unwrap();
    let mut store = Store::new(engine, ());
    let instance = linker.instantiate(&mut store, &component).unwrap();
    let hand_on = instance.func(&mut store, "hand-on").unwrap();
    let echo = instance.func(&mut store, "echo").unwrap();
    for _ in 0..VALUES {
        let value = ty.value(&mut random);
        hand_on
            .call(&mut store, std::slice::from_ref(&value))
            .unwrap_or_else(|error| panic!("seed {seed}, {encoding}: {error}\n{text}\n{value:?}"));
        let found = seen.lock().unwrap().take();
        assert_eq!(found.as_ref(), Some(&value), "seed {seed}, {encoding}\n{text}");
        let list = Val::List(vec![value.clone(), ty.value(&mut random), value]);
        let found = echo
            .call(&mut store, std::slice::from_ref(&list))
            .unwrap_or_else(|error| panic!("seed {seed}, {encoding}: {error}\n{text}\n{list:?}"));
        assert_eq!(found, Some(list), "seed {seed}, {encoding}\n{text}");
    }
}

#[test]
fn values_come_back() {
    let features = Engine::DEFAULT.union(Features::COMPONENT_EXTRAS);
    for strategy in [Strategy::Interpreter, Strategy::Native] {
        let engine = Engine::new(&Config::new().strategy(strategy).features(features));
        for seed in 0..SEEDS {
            let encoding = ["utf8", "utf16", "latin1+utf16"][(seed % 3) as usize];
            run(&engine, seed, encoding);
        }
    }
}
