//! Every numeric operator with its operands in every place the translator knows (a local, the accumulator,
//! a constant), comparisons in every position where they fuse with what follows, loops whose back-edge adds
//! and compares, and memory accesses whose address is a sum. The reference is the plainest form of the same
//! operator, which the official suite covers, or a model in Rust.

use std::collections::BTreeMap;

use lithe::{Config, Dispatch, Engine, Func, Instance, Linker, Module, Store, Val, ValType};

const ENGINES: [Dispatch; 2] = [Dispatch::Auto, Dispatch::Loop];

const INT_OPS: &str = "add sub mul div_s div_u rem_s rem_u and or xor shl shr_s shr_u rotl rotr";
const FLOAT_OPS: &str = "add sub mul div min max copysign";
const INT_COMPARES: &str = "eq ne lt_s lt_u gt_s gt_u le_s le_u ge_s ge_u";
const FLOAT_COMPARES: &str = "eq ne lt gt le ge";

/// A numeric type.
struct Type {
    name: &'static str,
    ops: &'static str,
    compares: &'static str,
    /// Literals worth trying.
    values: &'static str,
    /// Fewer of them, for comparisons.
    few: &'static str,
    /// Gives `#` back bit by bit, through an operation that leaves it in the accumulator.
    same: &'static str,
}

const TYPES: [Type; 4] = [
    Type {
        name: "i32",
        ops: INT_OPS,
        compares: INT_COMPARES,
        values: "0 1 -1 2 31 32 33 -32 0x7fffffff 0x80000000 0xdeadbeef",
        few: "0 1 -1 0x7fffffff 0x80000000",
        same: "(i32.or # (i32.const 0))",
    },
    Type {
        name: "i64",
        ops: INT_OPS,
        compares: INT_COMPARES,
        values: "0 1 -1 33 64 0x7fffffff -0x80000000 0x80000000 0xffffffff 0x100000000 \
                 0x7fffffffffffffff 0x8000000000000000",
        few: "0 1 -1 0x80000000 0x8000000000000000",
        same: "(i64.or # (i64.const 0))",
    },
    Type {
        name: "f32",
        ops: FLOAT_OPS,
        compares: FLOAT_COMPARES,
        values: "0 -0 1 -1.5 inf -inf nan -nan:0x400001 0x1p-149",
        few: "0 -0 1 inf nan",
        same: "(f32.reinterpret_i32 (i32.reinterpret_f32 #))",
    },
    Type {
        name: "f64",
        ops: FLOAT_OPS,
        compares: FLOAT_COMPARES,
        values: "0 -0 1 -1.5 inf -inf nan -nan:0x8000000000001 0x1p-1074 1e9",
        few: "0 -0 1 inf nan",
        same: "(f64.reinterpret_i64 (i64.reinterpret_f64 #))",
    },
];

/// What a call gave: bits, or the words of the trap.
type Outcome = Result<u64, &'static str>;

/// Bodies with the arguments to call them with and what is expected.
type Cases = BTreeMap<String, Vec<([Val; 2], Outcome)>>;

struct Guest {
    store: Store<()>,
    instance: Instance,
}

impl Guest {
    fn new(dispatch: Dispatch, text: &str) -> Guest {
        let engine = Engine::new(&Config::new().dispatch(dispatch));
        let module = Module::new(&engine, text).unwrap_or_else(|error| panic!("{error}\n{text}"));
        let mut store = Store::new(&engine, ());
        let instance = Linker::new(&engine).instantiate(&mut store, &module).unwrap();
        Guest { store, instance }
    }

    fn func(&self, index: usize) -> Func {
        self.instance.func(&self.store, &index.to_string()).unwrap()
    }

    fn call(&mut self, func: Func, args: &[Val]) -> Outcome {
        let mut results = [Val::I32(0)];
        match func.call(&mut self.store, args, &mut results) {
            Ok(()) => Ok(match results[0] {
                Val::I32(x) => u64::from(x as u32),
                Val::I64(x) => x as u64,
                Val::F32(bits) => u64::from(bits),
                Val::F64(bits) => bits,
                other => panic!("{other:?} is not a number"),
            }),
            Err(error) => Err(error.trap().unwrap().kind().spec_text()),
        }
    }
}

/// Runs functions with these parameters, this result, and further locals.
fn run(params: &str, result: &str, locals: &str, rest: &str, cases: &Cases) {
    let mut text = format!("(module {rest}\n");
    for (i, body) in cases.keys().enumerate() {
        text += &format!(
            "(func (export \"{i}\") (param {params}) (result {result}) (local {locals}) {body})\n"
        );
    }
    text += ")";
    for dispatch in ENGINES {
        let mut guest = Guest::new(dispatch, &text);
        for (i, (body, calls)) in cases.iter().enumerate() {
            let func = guest.func(i);
            for (args, expected) in calls {
                let found = guest.call(func, args);
                // Which NaN an operator gives is not determined, so one NaN is as good as another.
                if nan(result, found) && nan(result, *expected) {
                    continue;
                }
                assert_eq!(found, *expected, "{dispatch:?} {body} of {args:?}");
            }
        }
    }
}

fn nan(ty: &str, outcome: Outcome) -> bool {
    outcome.is_ok_and(|bits| match ty {
        "f32" => f32::from_bits(bits as u32).is_nan(),
        "f64" => f64::from_bits(bits).is_nan(),
        _ => false,
    })
}

/// The values of literals, as the engine itself reads them.
fn values(ty: &str, literals: &str) -> Vec<Val> {
    let funcs = literals.split_whitespace().enumerate().map(|(i, literal)| {
        format!("(func (export \"{i}\") (result {ty}) ({ty}.const {literal}))")
    });
    let mut guest = Guest::new(Dispatch::Loop, &format!("(module {})", funcs.collect::<String>()));
    let value = |i| {
        let func = guest.func(i);
        let bits = guest.call(func, &[]).unwrap();
        match func.ty(&guest.store).unwrap().results[0] {
            ValType::I32 => Val::I32(bits as u32 as i32),
            ValType::I64 => Val::I64(bits as i64),
            ValType::F32 => Val::F32(bits as u32),
            _ => Val::F64(bits),
        }
    };
    (0..literals.split_whitespace().count()).map(value).collect()
}

/// Places for two operands: `a` and `b` are parameters, `A` and `B` the same as constants, `@` puts what
/// follows into the accumulator, `tee` keeps that in a local too, and `last` reads this local.
const PLACES: [[&str; 2]; 14] = [
    ["a", "b"],
    ["a", "B"],
    ["A", "b"],
    ["A", "B"],
    ["@a", "b"],
    ["a", "@b"],
    ["@a", "@b"],
    ["@a", "B"],
    ["A", "@b"],
    ["tee a", "b"],
    ["a", "tee b"],
    ["tee a", "B"],
    ["A", "tee b"],
    ["tee a", "last"],
];

fn operand(place: &str, ty: &Type, literals: [&str; 2]) -> String {
    let local = |name: &str| format!("(local.get {})", u8::from(name == "b"));
    match place {
        "A" => format!("({}.const {})", ty.name, literals[0]),
        "B" => format!("({}.const {})", ty.name, literals[1]),
        "@a" | "@b" => ty.same.replace('#', &local(&place[1..])),
        "tee a" | "tee b" => format!("(local.tee 2 {})", ty.same.replace('#', &local(&place[4..]))),
        "last" => "(local.get 2)".into(),
        name => local(name),
    }
}

/// Adds `body` with `#` standing for the operator over operands in every place; `expect` turns the plain
/// operator's outcome into the body's.
fn add_cases(
    cases: &mut Cases,
    (ty, op, result): (&Type, &str, &str),
    literals: &str,
    body: &str,
    expect: impl Fn(u64) -> u64,
) {
    let vals = values(ty.name, literals);
    let name = ty.name;
    let plain = format!(
        "(module (func (export \"0\") (param {name} {name}) (result {result})
            ({name}.{op} (local.get 0) (local.get 1))))"
    );
    let mut guest = Guest::new(Dispatch::Loop, &plain);
    let func = guest.func(0);
    for (a, first) in literals.split_whitespace().zip(&vals) {
        for (b, second) in literals.split_whitespace().zip(&vals) {
            let args = [*first, *second];
            let expected = guest.call(func, &args).map(&expect);
            for places in PLACES.iter().filter(|places| places[1] != "last" || a == b) {
                let [x, y] = places.map(|place| operand(place, ty, [a, b]));
                let body = body.replace('#', &format!("({name}.{op} {x} {y})"));
                cases.entry(body).or_default().push((args, expected));
            }
        }
    }
}

#[test]
fn operators_take_operands_from_every_place() {
    for ty in &TYPES {
        let name = ty.name;
        for op in ty.ops.split(' ') {
            let mut cases = Cases::new();
            add_cases(&mut cases, (ty, op, name), ty.values, "#", |x| x);
            add_cases(&mut cases, (ty, op, name), ty.few, "(local.set 1 #) (local.get 1)", |x| x);
            run(&format!("{name} {name}"), name, name, "", &cases);
        }
    }
}

/// Positions of a comparison `#`, each giving 1 when it holds and 0 when not; `!` marks the opposite.
const POSITIONS: &[&str] = &[
    "#",
    "!(i32.eqz #)",
    "(i32.eqz (i32.eqz #))",
    "!(i32.eqz (i32.eqz (i32.eqz #)))",
    "(i32.ne # (i32.const 0))",
    "(local.set 3 #) (local.get 3)",
    "(drop (local.tee 3 #)) (i32.eqz (i32.eqz (local.get 3)))",
    "(block (br_if 0 #) (return (i32.const 0))) (i32.const 1)",
    "!(block (br_if 0 (i32.eqz #)) (return (i32.const 0))) (i32.const 1)",
    "(block (br_if 0 (i32.eqz (i32.eqz #))) (return (i32.const 0))) (i32.const 1)",
    "(block (br_if 0 (local.tee 3 #)) (return (i32.const 0))) (i32.const 1)",
    "(if # (then (return (i32.const 1)))) (i32.const 0)",
    "!(if (i32.eqz #) (then (return (i32.const 1)))) (i32.const 0)",
    "(if (result i32) # (then (i32.const 1)) (else (i32.const 0)))",
    "!(if (result i32) (i32.eqz #) (then (i32.const 1)) (else (i32.const 0)))",
    "(if (result i32) (local.tee 3 #) (then (local.get 3)) (else (i32.const 0)))",
    // Values that must move before the branch.
    "(local.get 3) # (if (result i32) (then (i32.const 1)) (else (i32.const 0))) (i32.or)",
    "(local.get 3) # (if (param i32) (result i32) (then (drop) (i32.const 1)) (else))",
    "(i32.const 0) # (if (param i32) (result i32) (then (drop) (i32.const 1)))",
    "(i32.const 7) (local.get 3) # (if (result i32) (then (i32.const 1)) (else (local.get 3)))
        (return)",
    // Branches with values, to a block and out of the function.
    "(block (result i32) (i32.const 1) (br_if 0 #) (drop) (i32.const 0))",
    "(i32.const 1) (br_if 0 #) (drop) (i32.const 0)",
    "!(i32.const 1) (br_if 0 (i32.eqz #)) (drop) (i32.const 0)",
    "(block (result i32) (i64.const 5) (i32.const 1) (br_if 0 #) (drop) (drop) (i32.const 0))",
    "(block (result i32)
        (i32.add (local.get 3) (i32.const 1)) (br_if 0 #) (drop) (i32.const 0))",
    // Back-edges, taken at most once.
    "(block $out (loop $next
        (br_if $out (local.get 3)) (local.set 3 (i32.const 1))
        (br_if $next #)) (return (i32.const 0))) (i32.const 1)",
    "!(block $out (loop $next
        (br_if $out (local.get 3)) (local.set 3 (i32.const 1))
        (br_if $next (i32.eqz #))) (return (i32.const 0))) (i32.const 1)",
    "(block $out (loop $next
        (br_if $out (local.get 3)) (local.set 3 (i32.add (local.get 3) (i32.const 1)))
        (br_if $next #)) (return (i32.const 0))) (i32.const 1)",
    "(i32.const 0) (loop $next (param i32) (result i32)
        (if (then (return (i32.const 1))))
        (i32.const 1) (br_if $next #) (drop) (i32.const 0))",
    "(select (i32.const 1) (i32.const 0) #)",
    "!(select (i32.const 1) (local.get 3) (i32.eqz #))",
    "(select (i32.or (local.get 3) (i32.const 1)) (local.get 3) #)",
    "(block (block (br_table 1 0 #)) (return (i32.const 1))) (i32.const 0)",
];

#[test]
fn comparisons_fuse_with_what_follows() {
    for ty in &TYPES {
        let name = ty.name;
        for op in ty.compares.split(' ') {
            let mut cases = Cases::new();
            for position in POSITIONS {
                let (body, inverted) = match position.strip_prefix('!') {
                    Some(body) => (body, 1),
                    None => (*position, 0),
                };
                add_cases(&mut cases, (ty, op, "i32"), ty.few, body, |holds| holds ^ inverted);
            }
            run(&format!("{name} {name}"), "i32", &format!("{name} i32"), "", &cases);
        }
    }
}

/// Loops that count until a comparison fails: the step, the comparison, and what it compares with, in every
/// order. Returns the last value of the counter.
#[test]
fn back_edges_add_and_compare() {
    const STEPS: [i64; 5] = [1, -1, 3, 0x4000_0000, -0x8000_0000];
    const STARTS: [i64; 4] = [0, 5, -4, 0x7fff_fff0];
    const LIMITS: [i64; 5] = [0, 6, -7, 0x7fff_ffff, -0x8000_0000];
    const MOST: usize = 50;
    for (ty, bits) in [("i32", 32), ("i64", 64)] {
        let wrap = |x: i64| if bits == 32 { i64::from(x as i32) } else { x };
        let unsigned = |x: i64| if bits == 32 { u64::from(x as u32) } else { x as u64 };
        let val = |x: i64| if bits == 32 { Val::I32(x as i32) } else { Val::I64(x) };
        let holds = |op: &str, a: i64, b: i64| match op {
            "eq" => a == b,
            "ne" => a != b,
            "lt_s" => a < b,
            "gt_s" => a > b,
            "le_s" => a <= b,
            "ge_s" => a >= b,
            "lt_u" => unsigned(a) < unsigned(b),
            "gt_u" => unsigned(a) > unsigned(b),
            "le_u" => unsigned(a) <= unsigned(b),
            _ => unsigned(a) >= unsigned(b),
        };
        let mut cases = Cases::new();
        let all = STEPS.iter().flat_map(|step| {
            STARTS
                .iter()
                .flat_map(move |start| LIMITS.iter().map(move |limit| (step, start, limit)))
        });
        for (step, start, limit) in all {
            for op in INT_COMPARES.split(' ') {
                let end = |swapped: bool, inverted: bool| {
                    let mut counter = *start;
                    for _ in 0..MOST {
                        counter = wrap(counter.wrapping_add(*step));
                        let (a, b) = if swapped { (*limit, counter) } else { (counter, *limit) };
                        if holds(op, a, b) == inverted {
                            return Some(unsigned(counter));
                        }
                    }
                    None
                };
                let next = format!("(local.tee 0 ({ty}.add (local.get 0) ({ty}.const {step})))");
                let set = format!("(local.set 0 ({ty}.add (local.get 0) ({ty}.const {step})))");
                let (get, one) = ("(local.get 0)", "(local.get 1)");
                let constant = format!("({ty}.const {limit})");
                for limit_at in [one, &constant] {
                    let bodies = [
                        (format!("{set} (br_if 0 ({ty}.{op} {get} {limit_at}))"), false, false),
                        (format!("{set} (br_if 0 ({ty}.{op} {limit_at} {get}))"), true, false),
                        (format!("(br_if 0 ({ty}.{op} {next} {limit_at}))"), false, false),
                        (format!("(br_if 0 ({ty}.{op} {limit_at} {next}))"), true, false),
                        (
                            format!("{set} (br_if 0 (i32.eqz ({ty}.{op} {get} {limit_at})))"),
                            false,
                            true,
                        ),
                    ];
                    for (body, swapped, inverted) in bodies {
                        let Some(end) = end(swapped, inverted) else { continue };
                        let body = format!("(loop {body}) (local.get 0)");
                        let args = [val(*start), val(*limit)];
                        cases.entry(body).or_default().push((args, Ok(end)));
                    }
                }
            }
        }
        run(&format!("{ty} {ty}"), ty, ty, "", &cases);
    }
    // Counting down to zero needs no comparison; the counter may also be on the stack only.
    let down = [
        "(loop (br_if 0 (local.tee 0 (i32.add (local.get 0) (i32.const -1))))) (local.get 0)",
        "(loop (local.set 0 (i32.add (local.get 0) (i32.const -1))) (br_if 0 (local.get 0)))
            (local.get 0)",
        "(loop (br_if 0 (local.tee 0 (i32.sub (local.get 0) (i32.const 1))))) (local.get 0)",
        "(local.get 0) (loop (param i32) (i32.add (i32.const -1)) (local.tee 0) (local.get 0)
            (br_if 0) (drop)) (local.get 0)",
    ];
    let calls = [1, 2, 1000].map(|start| ([Val::I32(start), Val::I32(9)], Ok(0)));
    let cases = down.map(|body| (body.into(), calls.to_vec())).into();
    run("i32 i32", "i32", "i32", "", &cases);
}

/// Bytes of the memory of one page that accesses try.
const PAGE: u64 = 0x10000;

/// Sums of addresses, whole or one part of them a constant or in the accumulator, with offsets.
#[test]
fn addresses_are_sums() {
    const ADDRESSES: [u32; 9] =
        [0, 1, 0x7fff, 0xfff8, 0xfffc, 0xffff, 0x1_0000, 0x8000_0000, 0xffff_fff0];
    const OFFSETS: [u32; 7] = [0, 4, 0xfff0, 0xffff, 0x1_0000, 0x8000_0000, 0xffff_ffff];
    const LOADS: [(&str, &str, u32); 14] = [
        ("i32.load", "i32", 32),
        ("i32.load8_s", "i32", 8),
        ("i32.load8_u", "i32", 8),
        ("i32.load16_s", "i32", 16),
        ("i32.load16_u", "i32", 16),
        ("f32.load", "f32", 32),
        ("i64.load", "i64", 64),
        ("i64.load8_s", "i64", 8),
        ("i64.load8_u", "i64", 8),
        ("i64.load16_s", "i64", 16),
        ("i64.load16_u", "i64", 16),
        ("i64.load32_s", "i64", 32),
        ("i64.load32_u", "i64", 32),
        ("f64.load", "f64", 64),
    ];
    let byte = |at: u64| (at.wrapping_mul(167) >> 1) as u8 ^ 0x80;
    let data: String = (0..PAGE).map(|at| format!("\\{:02x}", byte(at))).collect();
    let memory = format!("(memory 1) (data (i32.const 0) \"{data}\")");
    let sums = |a: u32, b: u32| {
        let (x, y) = ("(local.get 0)", "(local.get 1)");
        let same = TYPES[0].same.replace('#', x);
        [
            format!("(i32.add {x} {y})"),
            format!("(i32.add {x} (i32.const {b}))"),
            format!("(i32.add (i32.const {a}) {y})"),
            format!("(i32.add {same} {y})"),
            format!("(i32.add {y} {same})"),
            format!("(i32.add {same} (i32.const {b}))"),
            format!("(local.tee 2 (i32.add {x} {y}))"),
            format!("(i32.add (i32.add {x} (i32.const 0)) {y})"),
        ]
    };
    for (load, ty, width) in LOADS {
        let mut cases = Cases::new();
        for (a, b, offset) in triples(&ADDRESSES, &OFFSETS) {
            let at = u64::from(a.wrapping_add(b)) + u64::from(offset);
            let end = at + u64::from(width / 8);
            let expected = if end > PAGE {
                Err("out of bounds memory access")
            } else {
                let bits = (at..end).rev().fold(0, |bits, at| bits << 8 | u64::from(byte(at)));
                let shift = 64 - width;
                let signed = (bits << shift) as i64 >> shift;
                let bits = if load.ends_with("_s") { signed as u64 } else { bits };
                Ok(if ty == "i32" { u64::from(bits as u32) } else { bits })
            };
            for sum in sums(a, b) {
                let body = format!("({load} offset={offset} {sum})");
                let args = [Val::I32(a as i32), Val::I32(b as i32)];
                cases.entry(body).or_default().push((args, expected));
            }
        }
        run("i32 i32", ty, "i32", &memory, &cases);
    }
    // Each store is read back by a load of a byte range around it, which proves its place and its width.
    const STORES: [(&str, &str, u32); 9] = [
        ("i32.store", "i32", 32),
        ("i32.store8", "i32", 8),
        ("i32.store16", "i32", 16),
        ("f32.store", "f32", 32),
        ("i64.store", "i64", 64),
        ("i64.store8", "i64", 8),
        ("i64.store16", "i64", 16),
        ("i64.store32", "i64", 32),
        ("f64.store", "f64", 64),
    ];
    const VALUE: u64 = 0x4142_4344_4546_4748;
    for (store, ty, width) in STORES {
        let (literal, local) = match ty {
            "i32" => (format!("{}", VALUE as u32), 3),
            "i64" => (format!("{VALUE}"), 4),
            "f32" => (format!("{:?}", f32::from_bits(VALUE as u32)), 5),
            _ => (format!("{:?}", f64::from_bits(VALUE)), 6),
        };
        let literal = format!("({ty}.const {literal})");
        let mut cases = Cases::new();
        for (a, b, offset) in triples(&ADDRESSES, &OFFSETS) {
            let at = u64::from(a.wrapping_add(b)) + u64::from(offset);
            let end = at + u64::from(width / 8);
            let before = at.saturating_sub(4).min(PAGE - 8);
            let expected = if end > PAGE {
                Err("out of bounds memory access")
            } else {
                let read = |i: u64| match (at..end).contains(&i) {
                    true => (VALUE >> (8 * (i - at))) as u8,
                    false => byte(i),
                };
                Ok((before..before + 8).rev().fold(0, |bits, i| bits << 8 | u64::from(read(i))))
            };
            let after = format!("(i64.load (i32.const {before}))");
            for sum in sums(a, b) {
                let args = [Val::I32(a as i32), Val::I32(b as i32)];
                let prepare = format!("(local.set {local} {literal})");
                let fresh = "(memory.init 0 (i32.const 0) (i32.const 0) (i32.const 0x10000))";
                for body in [
                    format!("{fresh} ({store} offset={offset} {sum} {literal}) {after}"),
                    format!(
                        "{fresh} {prepare} ({store} offset={offset} {sum} (local.get {local})) {after}"
                    ),
                ] {
                    cases.entry(body).or_default().push((args, expected));
                }
            }
        }
        let memory = format!("(memory 1) (data \"{data}\")");
        run("i32 i32", "i64", "i32 i32 i64 f32 f64", &memory, &cases);
    }
}

/// All pairs of addresses with all offsets.
fn triples(addresses: &[u32], offsets: &[u32]) -> Vec<(u32, u32, u32)> {
    let mut all = Vec::new();
    for a in addresses {
        for b in addresses {
            all.extend(offsets.iter().map(|offset| (*a, *b, *offset)));
        }
    }
    all
}
