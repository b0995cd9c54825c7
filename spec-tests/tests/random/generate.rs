//! Random valid programs that mostly end. The shape of the operand stack is as random as everything else:
//! values wait there while locals are written, blocks open and branches leave.

use crate::ops::{LOADS, OPS, Op, STORES};
use crate::program::{Func, Node, Program, Sig, Ty};

/// Functions of a program. Each calls only those before it.
const FUNCS: usize = 5;
/// Blocks inside one another.
const DEPTH: usize = 4;
/// Values that a block takes or gives at most.
const ARITY: u64 = 3;

/// Numbers from a seed (the generator SplitMix64).
pub struct Random(u64);

impl Random {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut x = self.0;
        x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        x ^ (x >> 31)
    }

    fn below(&mut self, end: u64) -> usize {
        (self.next() % end) as usize
    }

    /// True once in `n` times.
    fn one_in(&mut self, n: u64) -> bool {
        self.next().is_multiple_of(n)
    }

    fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len() as u64)]
    }

    fn ty(&mut self) -> Ty {
        self.pick(&[Ty::I32, Ty::I32, Ty::I32, Ty::I64, Ty::I64, Ty::F64, Ty::V128])
    }

    fn types(&mut self) -> Vec<Ty> {
        (0..self.below(ARITY + 1)).map(|_| self.ty()).collect()
    }

    /// A value that is likely to matter.
    pub fn value(&mut self, ty: Ty) -> u128 {
        let int = match self.below(4) {
            0 => self.next() % 4,
            1 => (self.next() % 4).wrapping_neg(),
            2 => self.pick(&[0x7fff_ffff, 0x8000_0000, 0xffff_ffff, 1 << 32, 1 << 63, 0xffff, 31]),
            _ => self.next(),
        };
        match ty {
            Ty::I32 => u128::from(int as u32),
            Ty::I64 => u128::from(int),
            Ty::F64 => {
                let x = (int as i32 as f64) / 4.0;
                u128::from(if self.one_in(8) { -0.0 } else { x }.to_bits())
            }
            Ty::V128 => u128::from(int) | u128::from(self.next() % 3) << 64,
        }
    }
}

/// The program of a seed, and the generator for what follows.
pub fn program(seed: u64) -> (Program, Random) {
    let mut random = Random(seed);
    let mut program = Program { funcs: Vec::new() };
    for _ in 0..FUNCS {
        let params = random.types();
        let results = random.types();
        let mut locals = params.clone();
        locals.extend(Ty::ALL.iter().chain(&Ty::ALL));
        let open = locals.len();
        // Each loop counts down in a local of its own, by its depth and width.
        for _ in 0..=DEPTH {
            locals.extend([Ty::I32, Ty::I64]);
        }
        let mut function = Function {
            random: &mut random,
            funcs: &program.funcs,
            locals: &locals[..open],
            labels: vec![Label { types: results.clone(), is_loop: false }],
            results: results.clone(),
            hot: [0; 4],
        };
        let size = 8 + function.random.below(40);
        let body = function.body(Vec::new(), &results, size);
        program.funcs.push(Func { params, results, locals, body });
    }
    (program, random)
}

struct Label {
    types: Vec<Ty>,
    is_loop: bool,
}

struct Function<'a> {
    random: &'a mut Random,
    /// The functions that can be called.
    funcs: &'a [Func],
    /// The locals that can be written; counters follow them.
    locals: &'a [Ty],
    labels: Vec<Label>,
    results: Vec<Ty>,
    /// By type, the local used last.
    hot: [usize; 4],
}

/// A sequence under construction, with the types on the stack since its block began.
struct Sequence {
    nodes: Vec<Node>,
    stack: Vec<Ty>,
}

impl Sequence {
    fn push(&mut self, node: Node, ty: Ty) {
        self.nodes.push(node);
        self.stack.push(ty);
    }
}

impl Function<'_> {
    /// A sequence from `stack` to `want`.
    fn body(&mut self, stack: Vec<Ty>, want: &[Ty], size: usize) -> Vec<Node> {
        let mut out = Sequence { nodes: Vec::new(), stack };
        for _ in 0..size {
            if self.step(&mut out, size) {
                // What follows cannot be reached. It must be valid all the same.
                if self.random.one_in(2) && size > 2 {
                    out.nodes.extend(self.body(Vec::new(), want, size / 4));
                }
                return out.nodes;
            }
        }
        while !want.starts_with(&out.stack) {
            self.consume(&mut out);
        }
        for ty in &want[out.stack.len()..] {
            self.supply(&mut out, *ty);
        }
        out.nodes
    }

    /// Takes the top value away.
    fn consume(&mut self, out: &mut Sequence) {
        let Some(ty) = out.stack.pop() else { return };
        out.nodes.push(match self.random.below(4) {
            0 => Node::Drop,
            1 => Node::GlobalSet(ty as usize),
            _ => Node::LocalSet(self.local(ty)),
        });
    }

    /// A local of this type, often the same one as last time: what is known about a local is wrong only
    /// where it was used a moment ago.
    fn local(&mut self, ty: Ty) -> usize {
        let locals = self.locals;
        let hot = self.hot[ty as usize];
        if locals[hot] == ty && !self.random.one_in(3) {
            return hot;
        }
        let fits: Vec<usize> = (0..locals.len()).filter(|i| locals[*i] == ty).collect();
        self.hot[ty as usize] = self.random.pick(&fits);
        self.hot[ty as usize]
    }

    /// An operator that fits. Those that may trap are rare, so that most calls return.
    fn operator(&mut self, fits: impl Fn(&Op) -> bool) -> usize {
        let traps = self.random.one_in(100);
        let all: Vec<usize> =
            (0..OPS.len()).filter(|i| fits(&OPS[*i]) && (traps || !OPS[*i].divides())).collect();
        self.random.pick(&all)
    }

    /// Pushes a value of this type.
    fn supply(&mut self, out: &mut Sequence, ty: Ty) {
        let node = match self.random.below(8) {
            0 | 1 => Node::Const(ty, self.random.value(ty)),
            2 => Node::GlobalGet(ty as usize),
            3 => {
                let op = self.operator(|op| op.result == ty);
                // Operands of one place only, so that this ends.
                for param in OPS[op].params {
                    let local = self.local(*param);
                    out.push(Node::LocalGet(local), *param);
                }
                out.stack.truncate(out.stack.len() - OPS[op].params.len());
                Node::Op(op)
            }
            _ => Node::LocalGet(self.local(ty)),
        };
        out.push(node, ty);
        if self.random.one_in(6) {
            out.nodes.push(Node::LocalTee(self.local(ty)));
        }
    }

    /// Sees to it that values of these types are on top; what is there is used when it fits.
    fn need(&mut self, out: &mut Sequence, types: &[Ty]) {
        let most = types.len().min(out.stack.len());
        let fits = |n: &usize| out.stack.ends_with(&types[..*n]);
        let have = (0..=most).rev().find(fits).unwrap_or(0);
        let have = if self.random.one_in(4) { 0 } else { have };
        for ty in &types[have..] {
            self.supply(out, *ty);
        }
    }

    /// Like `need`, and takes the values off the types' stack, since a node follows that consumes them.
    fn take(&mut self, out: &mut Sequence, types: &[Ty]) {
        self.need(out, types);
        out.stack.truncate(out.stack.len() - types.len());
    }

    /// A condition, often a comparison, with operands of its own.
    fn condition(&mut self, out: &mut Sequence) {
        if self.random.one_in(3) {
            self.supply(out, Ty::I32);
        } else {
            let op = self.operator(Op::is_comparison);
            for ty in OPS[op].params {
                self.supply(out, *ty);
            }
            out.stack.truncate(out.stack.len() - OPS[op].params.len());
            out.push(Node::Op(op), Ty::I32);
        }
        if self.random.one_in(4) {
            out.nodes.push(op("i32.eqz"));
        }
        out.stack.pop();
    }

    /// Adds something; whether what follows cannot be reached.
    fn step(&mut self, out: &mut Sequence, size: usize) -> bool {
        let nested = self.labels.len() <= DEPTH && size > 3;
        match self.random.below(36) {
            0..=4 => {
                let ty = self.random.ty();
                self.supply(out, ty);
            }
            5..=8 if !out.stack.is_empty() => self.consume(out),
            9..=15 => {
                let op = self.operator(|_| true);
                self.take(out, OPS[op].params);
                out.push(Node::Op(op), OPS[op].result);
            }
            16 => {
                if let Some(ty) = out.stack.last().copied() {
                    out.nodes.push(Node::LocalTee(self.local(ty)));
                }
            }
            17 => {
                let ty = self.random.ty();
                self.need(out, &[ty, ty]);
                self.condition(out);
                out.stack.pop();
                out.nodes.push(Node::Select);
            }
            18 => {
                let load = self.random.below(LOADS.len() as u64);
                self.address(out);
                out.stack.pop();
                let offset = self.offset();
                out.push(Node::Load(load, offset), LOADS[load].1);
            }
            19 => {
                let store = self.random.below(STORES.len() as u64);
                self.address(out);
                self.supply(out, STORES[store].1);
                out.stack.truncate(out.stack.len() - 2);
                let offset = self.offset();
                out.nodes.push(Node::Store(store, offset));
            }
            20 if nested => self.block(out, size),
            21 if nested => self.counted_loop(out, size),
            22 if nested => self.if_(out, size),
            23 | 24 => self.br_if(out),
            25 => {
                if self.random.one_in(3) {
                    return self.leave(out);
                }
            }
            26 | 27 => self.call(out),
            28 => {
                self.update(out);
                out.nodes.push(Node::Nop);
            }
            29 | 30 => self.update(out),
            31 => {
                let local = self.pending(out);
                let ty = self.locals[local];
                self.supply(out, ty);
                out.stack.pop();
                out.nodes.push(Node::LocalSet(local));
            }
            _ => {
                let ty = self.random.ty();
                self.supply(out, ty);
                self.supply(out, ty);
            }
        }
        false
    }

    /// Pushes the value of a local and gives the local.
    fn pending(&mut self, out: &mut Sequence) -> usize {
        let ty = self.random.ty();
        let local = self.local(ty);
        out.push(Node::LocalGet(local), ty);
        local
    }

    /// Computes a new value of a local, from itself or another one, and perhaps uses it at once.
    fn update(&mut self, out: &mut Sequence) {
        let ty = self.random.pick(&[Ty::I32, Ty::I32, Ty::I64, Ty::F64]);
        let op = self.operator(|op| op.result == ty && op.params == [ty, ty]);
        let (source, other) = (self.local(ty), self.local(ty));
        let second = match self.random.one_in(2) {
            true => Node::LocalGet(other),
            false => Node::Const(ty, self.random.value(ty)),
        };
        let target = self.local(ty);
        out.nodes.extend([Node::LocalGet(source), second, Node::Op(op), Node::LocalSet(target)]);
        if self.random.one_in(2) {
            out.push(Node::LocalGet(target), ty);
        }
    }

    /// An address, mostly within the memory; often a sum.
    fn address(&mut self, out: &mut Sequence) {
        self.supply(out, Ty::I32);
        if !self.random.one_in(60) {
            out.nodes.push(Node::Const(Ty::I32, 0xfff));
            out.nodes.push(op("i32.and"));
        }
        if self.random.one_in(2) {
            let small = u128::from(self.random.next() % 0x2000);
            let summand = match self.random.below(24) {
                0 => Node::LocalGet(self.local(Ty::I32)),
                1..=9 => {
                    // A counter is small.
                    Node::LocalGet(self.locals.len() + 2 * self.random.below(DEPTH as u64))
                }
                _ => Node::Const(Ty::I32, small),
            };
            out.nodes.push(summand);
            out.nodes.push(op("i32.add"));
        }
    }

    fn offset(&mut self) -> u32 {
        match self.random.one_in(40) {
            true => self.random.pick(&[0xffff, 0x1_0000, 0x8000_0000, 0xffff_ffff]),
            false => self.random.pick(&[0, 1, 8, 0x7ff0]),
        }
    }

    fn signature(&mut self, out: &mut Sequence) -> Sig {
        if self.random.one_in(2) {
            self.pending(out);
        }
        let params = match self.random.below(3) {
            0 => self.random.types(),
            _ => {
                let most = out.stack.len().min(self.random.below(ARITY + 1));
                let from = out.stack.len() - most;
                out.stack[from..].to_vec()
            }
        };
        Sig(params, self.random.types())
    }

    fn inside(&mut self, label: Label, stack: Vec<Ty>, want: &[Ty], size: usize) -> Vec<Node> {
        self.labels.push(label);
        let body = self.body(stack, want, size);
        self.labels.pop();
        body
    }

    fn block(&mut self, out: &mut Sequence, size: usize) {
        let sig = self.signature(&mut *out);
        self.take(out, &sig.0);
        let label = Label { types: sig.1.clone(), is_loop: false };
        let body = self.inside(label, sig.0.clone(), &sig.1, size / 2);
        out.stack.extend(&sig.1);
        out.nodes.push(Node::Block(sig, body));
    }

    fn if_(&mut self, out: &mut Sequence, size: usize) {
        let mut sig = self.signature(out);
        let without = self.random.one_in(3);
        if without {
            sig.1.clone_from(&sig.0);
        }
        self.need(out, &sig.0);
        self.condition(out);
        out.stack.truncate(out.stack.len() - sig.0.len());
        let label = || Label { types: sig.1.clone(), is_loop: false };
        let then = self.inside(label(), sig.0.clone(), &sig.1, size / 2);
        let otherwise = (!without).then(|| self.inside(label(), sig.0.clone(), &sig.1, size / 2));
        out.stack.extend(&sig.1);
        out.nodes.push(Node::If(sig, then, otherwise));
    }

    /// A loop that ends after some turns, unless something in it leads astray.
    fn counted_loop(&mut self, out: &mut Sequence, size: usize) {
        let sig = self.signature(&mut *out);
        self.take(out, &sig.0);
        let turns = 1 + self.random.next() % 6;
        let counter = self.locals.len() + 2 * (self.labels.len() - 1);
        for (local, ty) in [(counter, Ty::I32), (counter + 1, Ty::I64)] {
            out.nodes.push(Node::Const(ty, u128::from(turns)));
            out.nodes.push(Node::LocalSet(local));
        }
        self.labels.push(Label { types: sig.0.clone(), is_loop: true });
        let mut body = self.body(sig.0.clone(), &sig.0, size / 2);
        if !self.random.one_in(6) {
            let index = self.labels.len() - 1;
            self.count_down(index, &mut body);
            body.push(Node::BrIf(0));
        }
        body.extend(self.body(sig.0.clone(), &sig.1, size / 4));
        self.labels.pop();
        out.stack.extend(&sig.1);
        out.nodes.push(Node::Loop(sig, body));
    }

    /// The condition of a back-edge: counts the loop of label `index` down, in one of many ways.
    fn count_down(&mut self, index: usize, nodes: &mut Vec<Node>) {
        use Node::{LocalGet as Get, LocalSet as Set, LocalTee as Tee};
        let narrow = self.locals.len() + 2 * (index - 1);
        let wide = narrow + 1;
        let i32 = |x: i32| Node::Const(Ty::I32, u128::from(x as u32));
        let i64 = |x: i64| Node::Const(Ty::I64, u128::from(x as u64));
        let (add, sub, add64) = (|| op("i32.add"), || op("i32.sub"), || op("i64.add"));
        // A local that gets the counter's value, or one more.
        let other = self.local(Ty::I32);
        let way = self.random.below(12);
        if matches!(way, 8..=10) {
            nodes.extend([Get(narrow), i32(-1), add()]);
        }
        nodes.extend(match way {
            0 => vec![Get(narrow), i32(1), sub(), Tee(narrow)],
            1 => vec![Get(narrow), i32(-1), add(), Tee(narrow)],
            2 => vec![Get(narrow), i32(-1), add(), Set(narrow), Get(narrow)],
            3 => vec![Get(narrow), i32(-1), add(), Tee(narrow), i32(0), op("i32.gt_s")],
            4 => vec![i32(0), Get(narrow), i32(-1), add(), Tee(narrow), op("i32.lt_s")],
            5 => vec![Get(narrow), i32(1), sub(), Set(narrow), Get(narrow), i32(0), op("i32.ne")],
            6 => vec![Get(wide), i64(-1), add64(), Tee(wide), i64(1), op("i64.ge_s")],
            7 => vec![i64(0), Get(wide), i64(-1), add64(), Tee(wide), op("i64.lt_s")],
            8 => vec![Set(narrow), Get(narrow), i32(1), add(), Tee(other), i32(1), op("i32.gt_s")],
            9 => {
                vec![
                    Set(narrow),
                    Get(narrow),
                    i32(1),
                    add(),
                    Set(other),
                    Get(other),
                    i32(1),
                    op("i32.ne"),
                ]
            }
            10 => vec![Set(narrow), Get(narrow), i32(0), add(), Set(other), Get(other)],
            _ => vec![
                Get(wide),
                i64(-1),
                add64(),
                Set(wide),
                Get(wide),
                op("i64.eqz"),
                op("i32.eqz"),
            ],
        });
    }

    /// The label `index` as a depth.
    fn depth(&self, index: usize) -> usize {
        self.labels.len() - 1 - index
    }

    fn br_if(&mut self, out: &mut Sequence) {
        let index = self.random.below(self.labels.len() as u64);
        let types = self.labels[index].types.clone();
        self.need(out, &types);
        if self.labels[index].is_loop {
            self.count_down(index, &mut out.nodes);
        } else {
            self.condition(out);
        }
        out.nodes.push(Node::BrIf(self.depth(index)));
    }

    /// Leaves the sequence for good.
    fn leave(&mut self, out: &mut Sequence) -> bool {
        let forward: Vec<usize> =
            (0..self.labels.len()).filter(|index| !self.labels[*index].is_loop).collect();
        let index = self.random.pick(&forward);
        let types = self.labels[index].types.clone();
        match self.random.below(8) {
            0..=2 => {
                self.need(out, &types);
                out.nodes.push(Node::Br(self.depth(index)));
            }
            3..=5 => {
                self.need(out, &types);
                self.supply(out, Ty::I32);
                if !self.random.one_in(4) {
                    out.nodes.extend([Node::Const(Ty::I32, 3), op("i32.and")]);
                }
                let alike: Vec<usize> =
                    forward.into_iter().filter(|i| self.labels[*i].types == types).collect();
                let count = 1 + self.random.below(4);
                let innermost = self.labels.len() - 1;
                let target = |_| innermost - self.random.pick(&alike);
                let targets = (0..count).map(target).collect();
                out.nodes.push(Node::BrTable(targets));
            }
            6 => {
                let alike: Vec<usize> = (0..self.funcs.len())
                    .filter(|f| self.funcs[*f].results == self.results)
                    .collect();
                if alike.is_empty() {
                    let results = self.results.clone();
                    self.need(out, &results);
                    out.nodes.push(Node::Return);
                } else {
                    let func = self.random.pick(&alike);
                    self.need(out, &self.funcs[func].params);
                    out.nodes.extend(match self.random.one_in(2) {
                        true => vec![Node::ReturnCall(func)],
                        false => vec![self.index(func), Node::ReturnCallIndirect(func)],
                    });
                }
            }
            _ if self.random.one_in(4) => out.nodes.push(Node::Unreachable),
            _ => return false,
        }
        true
    }

    /// The index of a function in the table, rarely a wrong one.
    fn index(&mut self, func: usize) -> Node {
        let wrong = self.random.below(func as u64 + 1);
        let index = if self.random.one_in(12) { self.random.pick(&[wrong, 1000]) } else { func };
        Node::Const(Ty::I32, index as u128)
    }

    fn call(&mut self, out: &mut Sequence) {
        if self.funcs.is_empty() {
            return;
        }
        let func = self.random.below(self.funcs.len() as u64);
        self.take(out, &self.funcs[func].params);
        if self.random.one_in(3) {
            let index = self.index(func);
            out.nodes.extend([index, Node::CallIndirect(func)]);
        } else {
            out.nodes.push(Node::Call(func));
        }
        out.stack.extend(&self.funcs[func].results);
    }
}

/// The node of the operator with this name.
fn op(name: &str) -> Node {
    Node::Op(OPS.iter().position(|op| op.name == name).expect("the operator is in the table"))
}
