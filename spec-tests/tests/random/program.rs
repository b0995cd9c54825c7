//! Programs as trees, and their text form.

use std::fmt::Write;

use crate::ops::{LOADS, OPS, STORES};

/// The types that programs use; the number of a type is the index of its global.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Ty {
    I32,
    I64,
    F64,
    V128,
}

impl Ty {
    pub const ALL: [Ty; 4] = [Ty::I32, Ty::I64, Ty::F64, Ty::V128];

    pub fn name(self) -> &'static str {
        match self {
            Ty::I32 => "i32",
            Ty::I64 => "i64",
            Ty::F64 => "f64",
            Ty::V128 => "v128",
        }
    }
}

/// A program: functions over a memory of one page and a global of each type.
pub struct Program {
    pub funcs: Vec<Func>,
}

pub struct Func {
    pub params: Vec<Ty>,
    pub results: Vec<Ty>,
    /// All locals, parameters first.
    pub locals: Vec<Ty>,
    pub body: Vec<Node>,
}

/// Parameters and results of a block.
#[derive(Clone)]
pub struct Sig(pub Vec<Ty>, pub Vec<Ty>);

pub enum Node {
    Const(Ty, u128),
    LocalGet(usize),
    LocalSet(usize),
    LocalTee(usize),
    GlobalGet(usize),
    GlobalSet(usize),
    Drop,
    Select,
    /// By index in the table of operators.
    Op(usize),
    Load(usize, u32),
    Store(usize, u32),
    Block(Sig, Vec<Node>),
    Loop(Sig, Vec<Node>),
    If(Sig, Vec<Node>, Option<Vec<Node>>),
    Br(usize),
    BrIf(usize),
    /// The last one is the default.
    BrTable(Vec<usize>),
    Return,
    Unreachable,
    Nop,
    Call(usize),
    /// The index is on the stack.
    CallIndirect(usize),
    ReturnCall(usize),
    ReturnCallIndirect(usize),
}

fn types(keyword: &str, types: &[Ty]) -> String {
    match types {
        [] => String::new(),
        _ => types.iter().fold(format!(" ({keyword}"), |text, ty| text + " " + ty.name()) + ")",
    }
}

fn signature(params: &[Ty], results: &[Ty]) -> String {
    types("param", params) + &types("result", results)
}

impl Program {
    /// The module in text form: functions `f0`, `f1`, ..., globals `g0` to `g3`, and `memory`.
    pub fn text(&self) -> String {
        let mut text = String::from("(module\n(memory (export \"memory\") 1)\n");
        for (i, ty) in Ty::ALL.iter().enumerate() {
            let zero = constant(*ty, 0);
            let _ = writeln!(text, "(global (export \"g{i}\") (mut {}) ({zero}))", ty.name());
        }
        let _ = writeln!(text, "(table funcref (elem");
        for i in 0..self.funcs.len() {
            let _ = write!(text, " {i}");
        }
        text += "))\n";
        for (i, func) in self.funcs.iter().enumerate() {
            let signature = signature(&func.params, &func.results);
            let locals = types("local", &func.locals[func.params.len()..]);
            let _ = writeln!(text, "(func (export \"f{i}\"){signature}{locals}");
            self.nodes(&func.body, 1, &mut text);
            text += ")\n";
        }
        text + ")\n"
    }

    fn nodes(&self, nodes: &[Node], depth: usize, text: &mut String) {
        for node in nodes {
            let indent = "  ".repeat(depth);
            let _ = writeln!(text, "{indent}{}", self.head(node));
            match node {
                Node::Block(_, body) | Node::Loop(_, body) => self.nodes(body, depth + 1, text),
                Node::If(_, then, otherwise) => {
                    self.nodes(then, depth + 1, text);
                    if let Some(otherwise) = otherwise {
                        let _ = writeln!(text, "{indent}else");
                        self.nodes(otherwise, depth + 1, text);
                    }
                }
                _ => continue,
            }
            let _ = writeln!(text, "{indent}end");
        }
    }

    fn head(&self, node: &Node) -> String {
        let indirect = |func: &usize| {
            let func = &self.funcs[*func];
            signature(&func.params, &func.results)
        };
        match node {
            Node::Const(ty, bits) => constant(*ty, *bits),
            Node::LocalGet(i) => format!("local.get {i}"),
            Node::LocalSet(i) => format!("local.set {i}"),
            Node::LocalTee(i) => format!("local.tee {i}"),
            Node::GlobalGet(i) => format!("global.get {i}"),
            Node::GlobalSet(i) => format!("global.set {i}"),
            Node::Drop => "drop".into(),
            Node::Select => "select".into(),
            Node::Op(i) => OPS[*i].name.into(),
            Node::Load(i, offset) => format!("{} offset={offset}", LOADS[*i].0),
            Node::Store(i, offset) => format!("{} offset={offset}", STORES[*i].0),
            Node::Block(sig, _) => format!("block{}", signature(&sig.0, &sig.1)),
            Node::Loop(sig, _) => format!("loop{}", signature(&sig.0, &sig.1)),
            Node::If(sig, ..) => format!("if{}", signature(&sig.0, &sig.1)),
            Node::Br(depth) => format!("br {depth}"),
            Node::BrIf(depth) => format!("br_if {depth}"),
            Node::BrTable(depths) => {
                depths.iter().fold("br_table".into(), |text, depth| format!("{text} {depth}"))
            }
            Node::Return => "return".into(),
            Node::Unreachable => "unreachable".into(),
            Node::Nop => "nop".into(),
            Node::Call(func) => format!("call {func}"),
            Node::CallIndirect(func) => format!("call_indirect{}", indirect(func)),
            Node::ReturnCall(func) => format!("return_call {func}"),
            Node::ReturnCallIndirect(func) => format!("return_call_indirect{}", indirect(func)),
        }
    }
}

fn constant(ty: Ty, bits: u128) -> String {
    match ty {
        Ty::I32 => format!("i32.const {:#x}", bits as u32),
        Ty::I64 => format!("i64.const {:#x}", bits as u64),
        Ty::F64 => format!("f64.const {:?}", f64::from_bits(bits as u64)),
        Ty::V128 => format!("v128.const i64x2 {:#x} {:#x}", bits as u64, (bits >> 64) as u64),
    }
}
