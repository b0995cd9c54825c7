//! Expands the table of bytecode operations (`build/table.rs`, `build/simd.rs`) into Rust: numbers, bodies,
//! formats and the mapping from WebAssembly operators. Chooses the dispatch back ends of this build.

use std::{collections::BTreeMap, env, fmt::Write, fs, path::Path};

#[path = "build/atomic.rs"]
mod atomic;
#[path = "build/gc.rs"]
mod gc;
#[path = "build/simd.rs"]
mod simd;
#[path = "build/table.rs"]
mod table;

use table::Order;

/// The forms of a two-operand operator, in the order in which the translator numbers them.
const FORMS: [&str; 7] = ["SS", "SI", "IS", "AS", "SA", "AI", "IA"];

/// The forms of a load whose address is a sum: form, operands, cells.
const SUMS: [(&str, &str, usize); 4] =
    [("SS", "s1 s2 n3", 2), ("SI", "s1 i w", 3), ("AS", "a s1 n3", 2), ("AI", "a i w", 3)];

/// The forms of an access to any memory, and whether other threads may access that memory.
const ANY: [(&str, bool); 2] = [("At", false), ("Shared", true)];

#[derive(Default)]
struct Output {
    /// Name, shown name, format, cells, body.
    ops: Vec<(String, String, String, usize, String)>,
    /// Arms of the mapping from operators to families.
    families: String,
    /// Arms from a comparison to its fused branches: taken when true, taken when false.
    branches: String,
    /// Arms from an integer comparison to its negation.
    negations: String,
    /// Arms from an integer comparison with the accumulator to the back-edge that also adds.
    add_branches: String,
}

impl Output {
    /// Adds an operation. A bar in the name separates the operator from the form of its operands.
    fn op(&mut self, name: &str, format: &str, cells: usize, body: &str) {
        let (operator, form) = name.split_once('|').unwrap_or((name, ""));
        let dot = if form.is_empty() { "" } else { "." };
        let shown = format!("{}{dot}{}", snake(operator), form.to_lowercase());
        self.ops.push((name.replace('|', ""), shown, format.into(), cells, body.into()));
    }

    fn binary(&mut self, prefix: &str, ty: &str, signed: &str, rows: &[table::Binary]) {
        let float = ty.starts_with('f');
        let class = class(ty);
        let lower = prefix.to_lowercase();
        let wide = ty == "f64";
        for table::Binary(row, order, traps, body) in rows {
            let name = format!("{prefix}{row}");
            let body = body
                .replace("as S", &format!("as {signed}"))
                .replace("as U", &format!("as {ty}"))
                .replace("U::", &format!("{ty}::"))
                .replace("num::P_", &format!("num::{lower}_"));
            let generic = if *traps { "numeric::try_binary" } else { "numeric::binary" };
            let result = if matches!(order, Order::Compare(..)) { "bool" } else { ty };
            let own: &[&str] = match order {
                Order::Fixed => &FORMS,
                _ => &["SS", "SI", "AS", "AI"],
            };
            for form in own {
                let (format, cells) = format_of(form, wide);
                let call = format!("{generic}::<{ty}, {result}, {form}>(r, {body})");
                self.op(&format!("{name}|{form}"), &format, cells, &call);
            }
            let other = match order {
                Order::Compare(swapped, _) => format!("{prefix}{swapped}"),
                _ => name.clone(),
            };
            let forms = FORMS.map(|form| match (order, form) {
                (Order::Fixed, _) | (_, "SS" | "SI" | "AS" | "AI") => format!("Op::{name}{form}"),
                (_, "IS") => format!("Op::{other}SI"),
                (_, "SA") => format!("Op::{other}AS"),
                (_, _) => format!("Op::{other}AI"),
            });
            let result_class = if result == "bool" { "Int" } else { class };
            let imm = match ty {
                "f32" | "u32" => "Bits32",
                "f64" => "Bits64",
                _ => "Signed32",
            };
            writeln!(
                self.families,
                "O::{name} => Family::Binary(&Binary {{ forms: [{}], imm: Imm::{imm}, operand: Class::{class}, result: Class::{result_class} }}),",
                forms.join(", ")
            )
            .unwrap();
            if let Order::Compare(_, negated) = order {
                self.branch(&name, ty, &body, float);
                if !float {
                    self.add_branch(&name, ty, &body);
                    for form in ["SS", "SI", "AS", "AI"] {
                        writeln!(
                            self.negations,
                            "Op::{name}{form} => Op::{prefix}{negated}{form},"
                        )
                        .unwrap();
                    }
                }
            }
        }
    }

    /// The branches fused with a comparison. An integer comparison is negated by its opposite; for floats
    /// both senses exist, since NaN makes every ordering false.
    fn branch(&mut self, name: &str, ty: &str, body: &str, float: bool) {
        let forms: &[&str] = if float { &["SS", "AS"] } else { &["SS", "SI", "AS", "AI"] };
        for form in forms {
            let (format, cells) = match *form {
                "SS" => ("s0 s1 j", 2),
                "SI" => ("s0 j i2", 3),
                "AS" => ("a s0 j", 2),
                _ => ("a j i2", 3),
            };
            let senses: &[(&str, bool)] =
                if float { &[("If", true), ("Unless", false)] } else { &[("If", true)] };
            for (sense, wanted) in senses {
                for (suffix, back) in [("", false), ("Back", true)] {
                    let call =
                        format!("numeric::br_if::<{ty}, Br{form}, {wanted}, {back}>(r, {body})");
                    self.op(&format!("Br{sense}{name}|{form}{suffix}"), format, cells, &call);
                }
            }
            if float {
                writeln!(
                    self.branches,
                    "Op::{name}{form} => Branches {{ when: [Op::BrIf{name}{form}, Op::BrIf{name}{form}Back], unless: [Op::BrUnless{name}{form}, Op::BrUnless{name}{form}Back] }},"
                )
                .unwrap();
            } else {
                let prefix = &name[..3];
                let negated = table::INT_BINARY
                    .iter()
                    .find_map(|row| match row.1 {
                        Order::Compare(_, negated) if row.0 == &name[3..] => Some(negated),
                        _ => None,
                    })
                    .unwrap();
                writeln!(
                    self.branches,
                    "Op::{name}{form} => Branches {{ when: [Op::BrIf{name}{form}, Op::BrIf{name}{form}Back], unless: [Op::BrIf{prefix}{negated}{form}, Op::BrIf{prefix}{negated}{form}Back] }},"
                )
                .unwrap();
            }
        }
    }

    /// The usual end of a loop: a constant is added to a local, which is then compared.
    fn add_branch(&mut self, name: &str, ty: &str, body: &str) {
        for (compared, suffix, format, imm) in
            [("AS", "S", "s0 s1 j x", false), ("AI", "I", "s0 j x", true)]
        {
            let call = format!("numeric::add_br_if::<{ty}, {imm}>(r, {body})");
            self.op(&format!("AddBrIf{name}|{suffix}"), format, 3, &call);
            writeln!(self.add_branches, "Op::{name}{compared} => Op::AddBrIf{name}{suffix},")
                .unwrap();
        }
    }

    fn unary(&mut self) {
        for (name, from, to, traps, body) in table::UNARY {
            let generic = if *traps { "numeric::try_unary" } else { "numeric::unary" };
            self.op(
                &format!("{name}|S"),
                "d0 s1",
                2,
                &format!("{generic}::<{from}, {to}, false>(r, {body})"),
            );
            self.op(
                &format!("{name}|A"),
                "d0 a",
                2,
                &format!("{generic}::<{from}, {to}, true>(r, {body})"),
            );
            writeln!(
                self.families,
                "O::{name} => Family::Unary(&Unary {{ forms: [Op::{name}S, Op::{name}A], operand: Class::{}, result: Class::{} }}),",
                class(from),
                class(to)
            )
            .unwrap();
        }
    }

    fn memory(&mut self) {
        for (name, raw, to, body) in table::LOADS {
            let call = |acc: bool| format!("memory::load::<{raw}, {to}, {acc}>(r, {body})");
            self.op(&format!("{name}|S"), "d0 s1 o", 2, &call(false));
            self.op(&format!("{name}|A"), "d0 a o", 2, &call(true));
            for (form, shared) in ANY {
                let at = format!("memory::load_at::<{raw}, {to}, {shared}>(r, {body})");
                self.op(&format!("{name}|{form}"), "d0 s1 n2 w", 3, &at);
            }
            for (form, format, cells) in SUMS {
                let call = format!("memory::load_sum::<{raw}, {to}, {form}>(r, {body})");
                self.op(&format!("{name}|Sum{form}"), &format!("d0 {format}"), cells, &call);
            }
            writeln!(
                self.families,
                "O::{name} {{ memarg }} => Family::Load(&Load {{ forms: [Op::{name}S, Op::{name}A, Op::{name}At, Op::{name}Shared], sums: [Op::{name}SumSS, Op::{name}SumSI, Op::{name}SumAS, Op::{name}SumAI], result: Class::{} }}, *memarg),",
                class(to)
            )
            .unwrap();
        }
        for (name, ty, operators) in table::STORES {
            self.op(
                &format!("{name}|SS"),
                "s0 s1 o",
                2,
                &format!("memory::store::<{ty}, Slots>(r)"),
            );
            self.op(
                &format!("{name}|SA"),
                "s0 a o",
                2,
                &format!("memory::store::<{ty}, SlotAcc>(r)"),
            );
            self.op(
                &format!("{name}|AS"),
                "a s1 o",
                2,
                &format!("memory::store::<{ty}, AccSlot>(r)"),
            );
            self.op(
                &format!("{name}|SI"),
                "s0 o w",
                3,
                &format!("memory::store::<{ty}, SlotImm>(r)"),
            );
            self.op(
                &format!("{name}|AI"),
                "a o w",
                3,
                &format!("memory::store::<{ty}, AccImm>(r)"),
            );
            for (form, shared) in ANY {
                let at = format!("memory::store_at::<{ty}, {shared}>(r)");
                self.op(&format!("{name}|{form}"), "s0 s1 n2 w", 3, &at);
            }
            for (form, address) in [("SS", "s0 s1"), ("AS", "a s0")] {
                let call = |imm| format!("memory::store_sum::<{ty}, Br{form}, {imm}>(r)");
                let slot = format!("{address} s2 n3");
                self.op(&format!("{name}|Sum{form}"), &slot, 2, &call(false));
                let imm = format!("{address} n3 w");
                self.op(&format!("{name}|Sum{form}I"), &imm, 3, &call(true));
            }
            for operator in *operators {
                writeln!(
                    self.families,
                    "O::{operator} {{ memarg }} => Family::Store(&Store {{ forms: [Op::{name}SS, Op::{name}SA, Op::{name}AS, Op::{name}SI, Op::{name}AI, Op::{name}At, Op::{name}Shared], sums: [Op::{name}SumSS, Op::{name}SumSSI, Op::{name}SumAS, Op::{name}SumASI] }}, *memarg),"
                )
                .unwrap();
            }
        }
    }

    /// Fields of structs, elements of arrays; gives the tables that the translator chooses from.
    fn gc(&mut self) -> String {
        let mut gets = String::from(
            "/// Reads of fields and elements, in the order of `build/gc.rs`.\npub(crate) static GETS: &[FieldGet] = &[\n",
        );
        for (name, raw, to, body) in gc::GETS {
            for (form, acc) in [("S", false), ("A", true)] {
                let operand = if acc { "a" } else { "s1" };
                let call = format!("gc::struct_get::<{raw}, {to}, {acc}>(r, {body})");
                self.op(&format!("StructGet{name}|{form}"), &format!("d0 {operand} o"), 2, &call);
            }
            for (form, format) in
                [("SS", "d0 s1 s2"), ("SA", "d0 s1 a"), ("SI", "d0 s1 i"), ("AI", "d0 a i")]
            {
                let call = format!("array::array_get::<{raw}, {to}, Elt{form}>(r, {body})");
                self.op(&format!("ArrayGet{name}|{form}"), format, 2, &call);
            }
            let class = class(to);
            writeln!(
                gets,
                "FieldGet {{ field: [Op::StructGet{name}S, Op::StructGet{name}A], element: [Op::ArrayGet{name}SS, Op::ArrayGet{name}SA, Op::ArrayGet{name}SI, Op::ArrayGet{name}AI], result: Class::{class} }},"
            )
            .unwrap();
        }
        gets.push_str("];\n/// Writes of fields and elements, by size.\npub(crate) static SETS: &[FieldSet] = &[\n");
        for (name, ty) in gc::SETS {
            for (form, acc) in [("SS", false), ("SA", true)] {
                let operand = if acc { "a" } else { "s1" };
                let call = format!("gc::struct_set::<{ty}, {acc}>(r)");
                self.op(&format!("StructSet{name}|{form}"), &format!("s0 {operand} o"), 2, &call);
            }
            self.op(
                &format!("ArraySet{name}|S"),
                "s0 s1 s2",
                2,
                &format!("array::array_set::<{ty}>(r)"),
            );
            writeln!(
                gets,
                "FieldSet {{ field: [Op::StructSet{name}SS, Op::StructSet{name}SA], array: Op::ArraySet{name}S }},"
            )
            .unwrap();
        }
        gets.push_str("];\n");
        for (name, format, cells, body) in gc::OTHERS {
            self.op(name, format, *cells, body);
        }
        gets
    }

    /// Atomic operators, one operation for each width.
    fn atomics(&mut self) {
        for (ty, operators) in atomic::WIDTHS {
            let bits = &ty[1..];
            let truncate = format!("|x| x as {ty}");
            // Name, shape, operands, body.
            let mut rows = vec![
                ("Load", "", 1, format!("atomic::load::<{ty}>(r)")),
                ("Store", "", 0, format!("atomic::store::<{ty}>(r, {truncate})")),
                ("Cmpxchg", "Rmw", 3, format!("atomic::cmpxchg::<{ty}>(r, {truncate})")),
            ];
            for (name, function, plain) in atomic::RMW {
                let call = format!("atomic::rmw::<{ty}>(r, {truncate}, {ty}::{function}, {plain})");
                rows.push((name, "Rmw", 2, call));
            }
            for (name, shape, count, body) in rows {
                let op = format!("Atomic{name}{bits}");
                let (format, cells) = match count {
                    0 => ("s0 s1 n2 w", 3),
                    1 => ("d0 s1 n2 w", 3),
                    2 => ("d0 s1 s2 n3 w", 3),
                    _ => ("d0 s1 s2 s3 n4 w", 4),
                };
                self.op(&op, format, cells, &body);
                for operator in *operators {
                    // `I32AtomicLoad8U`, `I32AtomicStore8`, `I32AtomicRmw8AddU`.
                    let (ty, width) = operator.split_once("Atomic*").unwrap();
                    let (width, sign) = match width.strip_suffix('U') {
                        Some(width) => (width, "U"),
                        None => ("", ""),
                    };
                    let operator = match (shape, name) {
                        ("Rmw", _) => format!("{ty}AtomicRmw{width}{name}{sign}"),
                        (_, "Store") => format!("{ty}AtomicStore{width}"),
                        _ => format!("{ty}Atomic{name}{width}{sign}"),
                    };
                    self.atomic_family(&operator, count, &op);
                }
            }
        }
        self.op("AtomicNotify", "d0 s1 s2 n3 w", 3, "atomic::notify(r)");
        self.atomic_family("MemoryAtomicNotify", 2, "AtomicNotify");
        for bits in ["32", "64"] {
            let (op, operator) = (format!("AtomicWait{bits}"), format!("MemoryAtomicWait{bits}"));
            let body = format!("atomic::wait::<u{bits}>(r, |x| x as u{bits})");
            self.op(&op, "d0 s1 s2 s3 n4 w", 4, &body);
            self.atomic_family(&operator, 3, &op);
        }
        self.op("AtomicFence", "", 1, "atomic::fence(r)");
    }

    fn atomic_family(&mut self, operator: &str, count: usize, op: &str) {
        let family = if count == 0 { "AtomicStore(" } else { &format!("Atomic({count}, ") };
        writeln!(
            self.families,
            "O::{operator} {{ memarg }} => Family::{family}*memarg, Op::{op}),"
        )
        .unwrap();
    }

    fn simd(&mut self) {
        for (name, shape, function) in simd::SIMD {
            let f = format!("simd::{function}");
            let at = "d0 s1 n2 w";
            let (pattern, family, format, cells, body) = match *shape {
                "unary" => ("", "Vector(1, ", "d0 s1", 2, format!("vector::unary(r, {f})")),
                "binary" => ("", "Vector(2, ", "d0 s1 s2", 2, format!("vector::binary(r, {f})")),
                "ternary" => {
                    ("", "Vector(3, ", "d0 s1 s2 s3", 2, format!("vector::ternary(r, {f})"))
                }
                "shift" => ("", "VectorShift(", "d0 s1 s2", 2, format!("vector::shift(r, {f})")),
                "test" => ("", "VectorTest(", "d0 s1", 2, format!("vector::test(r, {f})")),
                "splat_i32" | "splat_i64" | "splat_f32" | "splat_f64" => {
                    ("", "VectorSplat(", "d0 s1", 2, format!("vector::splat(r, {f})"))
                }
                "extract_i32" | "extract_i64" | "extract_f32" | "extract_f64" => (
                    " { lane }",
                    "VectorExtract(*lane, ",
                    "d0 s1 n2",
                    2,
                    format!("vector::extract(r, {f})"),
                ),
                "replace_i32" | "replace_i64" | "replace_f32" | "replace_f64" => (
                    " { lane }",
                    "VectorReplace(*lane, ",
                    "d0 s1 s2 n3",
                    2,
                    format!("vector::replace(r, {f})"),
                ),
                "shuffle" => (
                    " { lanes }",
                    "VectorShuffle(*lanes, ",
                    "d0 s1 s2 w w",
                    4,
                    format!("vector::shuffle(r, {f})"),
                ),
                "load_extend" | "load_zero32" | "load_zero64" | "load_splat8" | "load_splat16"
                | "load_splat32" | "load_splat64" => {
                    let body = format!("vector::load::<_, SHARED>(r, {f})");
                    (" { memarg }", "VectorLoad(*memarg, ", at, 3, body)
                }
                "load_lane8" | "load_lane16" | "load_lane32" | "load_lane64" => {
                    let ty = format!("u{}", shape.trim_start_matches("load_lane"));
                    (
                        " { memarg, lane }",
                        "VectorLoadLane(*memarg, *lane, ",
                        "d0 s1 s2 n3 w",
                        3,
                        format!("vector::load_lane::<{ty}, _, SHARED>(r, {f})"),
                    )
                }
                "store_lane8" | "store_lane16" | "store_lane32" | "store_lane64" => {
                    let ty = format!("u{}", shape.trim_start_matches("store_lane"));
                    (
                        " { memarg, lane }",
                        "VectorStoreLane(*memarg, *lane, ",
                        "s0 s1 n2 n3 w",
                        3,
                        format!("vector::store_lane::<{ty}, _, SHARED>(r, {f})"),
                    )
                }
                other => panic!("unknown shape {other}"),
            };
            if body.contains("SHARED") {
                for (form, shared) in ANY {
                    let body = body.replace("SHARED", if shared { "true" } else { "false" });
                    self.op(&format!("{name}|{form}"), format, cells, &body);
                }
                writeln!(
                    self.families,
                    "O::{name}{pattern} => Family::{family}[Op::{name}At, Op::{name}Shared]),"
                )
                .unwrap();
                continue;
            }
            self.op(name, format, cells, &body);
            let class = match *shape {
                "extract_f32" => ", Class::F32",
                "extract_f64" => ", Class::F64",
                "extract_i32" | "extract_i64" => ", Class::Int",
                _ => "",
            };
            writeln!(self.families, "O::{name}{pattern} => Family::{family}Op::{name}{class}),")
                .unwrap();
        }
    }
}

fn class(ty: &str) -> &'static str {
    match ty {
        "f32" => "F32",
        "f64" => "F64",
        _ => "Int",
    }
}

fn format_of(form: &str, wide: bool) -> (String, usize) {
    let (imm, cells) = if wide { ("w", 3) } else { ("i", 2) };
    match form {
        "SS" => ("d0 s1 s2".into(), 2),
        "SI" => (format!("d0 s1 {imm}"), cells),
        "IS" => (format!("d0 {imm} s1"), cells),
        "AS" => ("d0 a s1".into(), 2),
        "SA" => ("d0 s1 a".into(), 2),
        "AI" => (format!("d0 a {imm}"), cells),
        _ => (format!("d0 {imm} a"), cells),
    }
}

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-changed=build");
    let mut out = Output::default();
    for (name, format, cells, body) in table::OTHERS {
        out.op(name, format, *cells, body);
    }
    out.binary("I32", "u32", "i32", table::INT_BINARY);
    out.binary("I64", "u64", "i64", table::INT_BINARY);
    out.binary("F32", "f32", "f32", table::FLOAT_BINARY);
    out.binary("F64", "f64", "f64", table::FLOAT_BINARY);
    out.unary();
    out.memory();
    out.simd();
    let fields = out.gc();
    out.atomics();

    let mut seen = BTreeMap::new();
    for (name, ..) in &out.ops {
        assert!(seen.insert(name, ()).is_none(), "operation {name} twice");
    }

    let mut ops = String::new();
    ops.push_str("/// The operations of the bytecode.\n#[derive(Clone, Copy, PartialEq, Eq, Debug)]\n#[repr(u16)]\npub(crate) enum Op {\n");
    for (name, ..) in &out.ops {
        writeln!(ops, "{name},").unwrap();
    }
    ops.push_str("}\n\n/// Name, operand format and size in cells of each operation.\npub(crate) static FORMATS: &[(&str, &str, u8)] = &[\n");
    for (_, shown, format, cells, _) in &out.ops {
        writeln!(ops, "(\"{shown}\", \"{format}\", {cells}),").unwrap();
    }
    ops.push_str("];\n\n");
    writeln!(ops, "pub(crate) const ALL: [Op; {}] = [", out.ops.len()).unwrap();
    for (name, ..) in &out.ops {
        writeln!(ops, "Op::{name},").unwrap();
    }
    ops.push_str("];\n");
    ops.push_str(&fields);
    writeln!(
        ops,
        "/// The operation group of a numeric, memory-access or vector operator.\npub(crate) fn family(op: &O<'_>) -> Option<Family> {{ Some(match op {{\n{}_ => return None }}) }}\n",
        out.families
    )
    .unwrap();
    writeln!(
        ops,
        "/// The branches that a comparison fuses with.\npub(crate) fn branches(op: Op) -> Option<Branches> {{ Some(match op {{\n{}_ => return None }}) }}\n",
        out.branches
    )
    .unwrap();
    writeln!(
        ops,
        "/// The opposite of an integer comparison.\npub(crate) fn negation(op: Op) -> Option<Op> {{ Some(match op {{\n{}_ => return None }}) }}",
        out.negations
    )
    .unwrap();

    writeln!(
        ops,
        "/// The back-edge that adds and compares, for a comparison with the accumulator.\npub(crate) fn add_branch(op: Op) -> Option<Op> {{ Some(match op {{\n{}_ => return None }}) }}",
        out.add_branches
    )
    .unwrap();

    let mut bodies = String::new();
    for (name, _, _, _, body) in &out.ops {
        writeln!(
            bodies,
            "#[inline(always)]\npub(crate) unsafe fn {name}(r: &mut Regs) -> Flow {{\n// SAFETY: the contract of this function is that of the body.\nunsafe {{ {body} }} }}"
        )
        .unwrap();
    }
    let names: Vec<&str> = out.ops.iter().map(|(name, ..)| name.as_str()).collect();
    // Bodies that are long or call others take machine registers from the loop that all bodies share in the
    // portable back end. Those of proposals that few programs use stand in a function of their own there.
    let rare = |(name, _, _, _, body): &&(String, String, String, usize, String)| {
        let modules = ["atomic::", "wide::", "exception::", "array::", "gc::", "vector::"];
        let plain = ["gc::struct_get::", "gc::struct_set::", "array::array_get::"];
        name.contains("Shared")
            || modules.iter().any(|module| body.starts_with(module))
                && !plain.iter().any(|function| body.starts_with(function))
    };
    let list = |ops: Vec<&(String, String, String, usize, String)>| -> String {
        ops.iter().map(|(name, ..)| name.as_str()).collect::<Vec<_>>().join(" ")
    };
    let (rare, common): (Vec<_>, Vec<_>) = out.ops.iter().partition(rare);
    let each = format!(
        "#[cfg(threaded)]\nmacro_rules! for_each_op {{ ($expand:ident) => {{ $expand! {{ {} }} }}; }}\n\
         macro_rules! for_common_and_rare_ops {{ ($expand:ident) => {{ $expand! {{ [{}] [{}] }} }}; }}",
        names.join(" "),
        list(common),
        list(rare)
    );

    let dir = env::var("OUT_DIR").unwrap();
    let write = |file: &str, text: &str| fs::write(Path::new(&dir).join(file), text).unwrap();
    write("ops.rs", &ops);
    write("bodies.rs", &bodies);
    write("each.rs", &each);

    // Sibling calls are only guaranteed to become jumps when the code generator optimises, and only on
    // targets whose calling convention passes every register argument of a handler (CI disassembles them).
    println!("cargo:rustc-check-cfg=cfg(threaded, lithe_fault, lithe_fault_gc)");
    let arch = env::var("CARGO_CFG_TARGET_ARCH").unwrap();
    let optimised = env::var("OPT_LEVEL").is_ok_and(|level| level != "0");
    let listed = matches!(arch.as_str(), "x86_64" | "aarch64" | "riscv64");
    if optimised && listed && env::var_os("CARGO_FEATURE_STD").is_some() {
        println!("cargo:rustc-cfg=threaded");
    }
}

/// `I32TruncSatF32S` as `i32_trunc_sat_f32_s`.
fn snake(name: &str) -> String {
    let mut out = String::new();
    for (i, c) in name.chars().enumerate() {
        if c.is_uppercase() && i > 0 {
            out.push('_');
        }
        out.extend(c.to_lowercase());
    }
    out
}
