//! Blocks, labels and branches. A label's values stand in consecutive slots from the block's base on, so
//! every branch to it moves its values there. Invariant: a label is bound once, and everything the
//! translator knows about accumulators is forgotten there.

use alloc::vec::Vec;

use lithe_parser::{BlockType, BrTable, val_type};
use lithe_runtime::layout::HEADER_SLOTS;
use lithe_types::ValType;

use crate::op::{Class, Op, add_branch, branches};

use super::{
    TranslateError, Translator,
    exceptions::Try,
    stack::{Place, Value},
};

/// The type of a block.
#[derive(Clone, Copy)]
pub(super) enum Sig {
    Empty,
    One {
        wide: bool,
    },
    /// By type index.
    Func(u32),
    /// The type of the function itself.
    Body,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Block,
    Loop,
    If,
    Function,
}

/// A jump whose distance is not known yet.
#[derive(Clone, Copy)]
pub(super) struct Patch {
    /// The operation that distances count from.
    origin: usize,
    /// The cell that holds the distance.
    cell: usize,
    /// Whether it is the cell's upper half.
    upper: bool,
}

impl Patch {
    /// The patch of a jump at `origin`.
    pub(super) fn at(origin: usize) -> Patch {
        Patch { origin, cell: origin + 1, upper: true }
    }
}

/// An open block.
pub(super) struct Control {
    kind: Kind,
    sig: Sig,
    /// The slot of its first parameter or result.
    pub base: u32,
    /// Values on the stack below its parameters.
    pub values: usize,
    /// Of a loop: its first operation.
    header: usize,
    /// Jumps to its end.
    patches: Vec<Patch>,
    /// Of an `if` without `else` so far: the jump over the first arm.
    otherwise: Option<Patch>,
    /// Of a try block.
    pub try_: Option<Try>,
}

const NARROW: &[ValType] = &[ValType::I64];
const WIDE: &[ValType] = &[ValType::V128];

impl<'a> Translator<'a> {
    pub(super) fn sig(ty: &BlockType) -> Sig {
        match ty {
            BlockType::Empty => Sig::Empty,
            BlockType::Type(ty) => {
                Sig::One { wide: val_type(*ty, 0).is_ok_and(|ty| ty == ValType::V128) }
            }
            BlockType::FuncType(index) => Sig::Func(*index),
        }
    }

    pub(super) fn params(&self, sig: Sig) -> &'a [ValType] {
        match sig {
            Sig::Func(index) => self.module.func_type(index).map_or(&[], |ty| &ty.params),
            _ => &[],
        }
    }

    fn results(&self, sig: Sig) -> &'a [ValType] {
        match sig {
            Sig::Empty => &[],
            Sig::One { wide: false } => NARROW,
            Sig::One { wide: true } => WIDE,
            Sig::Func(index) => self.module.func_type(index).map_or(&[], |ty| &ty.results),
            Sig::Body => &self.ty.results,
        }
    }

    /// The types of the values that a branch to `control` carries.
    fn label(&self, control: usize) -> &'a [ValType] {
        let control = &self.controls[control];
        match control.kind {
            Kind::Loop => self.params(control.sig),
            _ => self.results(control.sig),
        }
    }

    pub(super) fn index(&self, depth: u32) -> usize {
        self.controls.len().saturating_sub(1 + depth as usize)
    }

    pub(super) fn push_function_label(&mut self) {
        self.controls.push(Control {
            kind: Kind::Function,
            sig: Sig::Body,
            base: self.height,
            values: 0,
            header: 0,
            patches: Vec::new(),
            otherwise: None,
            try_: None,
        });
    }

    pub(super) fn open(&mut self, kind: Kind, ty: &BlockType, otherwise: Option<Patch>) {
        let sig = Translator::sig(ty);
        let params = self.params(sig);
        let slots: u32 = params.iter().map(|ty| ty.slots()).sum();
        self.controls.push(Control {
            kind,
            sig,
            base: self.height - slots,
            values: self.values.len() - params.len(),
            header: self.cells.len(),
            patches: Vec::new(),
            otherwise,
            try_: None,
        });
    }

    pub(super) fn block(&mut self, ty: &BlockType) {
        self.own_locals();
        self.own_top(self.params(Translator::sig(ty)).len());
        self.open(Kind::Block, ty, None);
    }

    pub(super) fn loop_(&mut self, ty: &BlockType) {
        self.own_locals();
        self.own_top(self.params(Translator::sig(ty)).len());
        self.forget();
        self.open(Kind::Loop, ty, None);
        self.begin_region(true);
    }

    pub(super) fn if_(&mut self, ty: &BlockType) {
        let condition = self.pop();
        let params = self.params(Translator::sig(ty)).len();
        // Values that must move do so before the condition is tested; a condition that is fused with its
        // comparison must be the last operation.
        let settled = self.in_locals == 0
            && self.values[self.values.len() - params..].iter().all(|v| v.place == Place::Own);
        let condition = if settled { condition } else { self.keep(condition) };
        self.own_locals();
        self.own_top(params);
        let otherwise = self.branch_on(condition, false, false);
        self.open(Kind::If, ty, Some(otherwise));
        self.begin_region(false);
    }

    /// A popped value in a slot that later copies do not touch.
    fn keep(&mut self, value: Value) -> Value {
        let value = self.readable(value);
        (self.last, self.previous) = (None, None);
        value
    }

    /// Ends one arm of the innermost block, of which another one follows.
    pub(super) fn end_arm(&mut self) {
        let index = self.controls.len() - 1;
        if self.dead == 0 {
            self.settle(index, self.results(self.controls[index].sig));
            let jump = self.jump(Op::Br);
            self.controls[index].patches.push(jump);
        }
        self.dead = 0;
    }

    pub(super) fn else_(&mut self) {
        self.end_arm();
        let index = self.controls.len() - 1;
        let otherwise = self.controls[index].otherwise.take();
        self.bind(otherwise.into_iter());
        let control = self.controls.pop();
        if let Some(control) = control {
            self.truncate(&control);
            for ty in self.params(control.sig) {
                self.push(ty.slots() == 2);
            }
            self.controls.push(control);
        }
        self.begin_region(false);
    }

    pub(super) fn end(&mut self) -> Result<(), TranslateError> {
        let index = self.controls.len() - 1;
        let mut reachable = self.dead == 0;
        if self.controls[index].kind == Kind::Function {
            if reachable {
                self.return_();
            }
            self.controls.pop();
            return Ok(());
        }
        if reachable {
            self.settle(index, self.results(self.controls[index].sig));
        }
        if self.has_pads(index) && reachable {
            let jump = self.jump(Op::Br);
            self.controls[index].patches.push(jump);
        }
        let Some(mut control) = self.controls.pop() else { return Ok(()) };
        self.end_try(&mut control)?;
        reachable |= !control.patches.is_empty() || control.otherwise.is_some();
        let joined = !control.patches.is_empty() || control.otherwise.is_some();
        let patches = core::mem::take(&mut control.patches);
        if joined {
            self.bind(patches.into_iter().chain(control.otherwise));
        }
        self.truncate(&control);
        for ty in self.results(control.sig) {
            self.push(ty.slots() == 2);
        }
        self.dead = if reachable { 0 } else { 1 };
        if reachable && (joined || control.kind == Kind::If) {
            self.begin_region(false);
        }
        Ok(())
    }

    /// Makes the end of the code the target of `patches`.
    fn bind(&mut self, patches: impl Iterator<Item = Patch>) {
        let target = self.cells.len();
        for patch in patches {
            self.set_distance(patch, target);
        }
        self.forget();
    }

    fn set_distance(&mut self, patch: Patch, target: usize) {
        let distance = (target as i64 - patch.origin as i64) as i32 as u32;
        let cell = &mut self.cells[patch.cell];
        let (lower, upper) = (*cell as u32, (*cell >> 32) as u32);
        let (lower, upper) = if patch.upper { (lower, distance) } else { (distance, upper) };
        *cell = u64::from(lower) | u64::from(upper) << 32;
    }

    /// Writes a jump and gives its patch.
    fn jump(&mut self, op: Op) -> Patch {
        let origin = self.emit_imm(op, 0, 0, 0);
        Patch { origin, cell: origin + 1, upper: true }
    }

    /// Whether a branch to `control` finds its values in place.
    fn settled(&self, control: usize) -> bool {
        let types = self.label(control);
        let mut slot = self.controls[control].base as i16;
        self.values[self.values.len() - types.len()..].iter().all(|value| {
            let at = slot;
            slot += if value.wide { 2 } else { 1 };
            value.place == Place::Own && value.slot == at
        })
    }

    /// Moves the top values, of these types, to where `control` begins: the values of a branch to it, or its
    /// results. Ascending order never overwrites a value that is still to move, since every value's own slot
    /// is at or above its place.
    fn settle(&mut self, control: usize, types: &[ValType]) {
        let count = types.len();
        let mut slot = self.controls[control].base as i16;
        for index in self.values.len() - count..self.values.len() {
            let value = self.values[index];
            if value.place != Place::Own || value.slot != slot {
                let sole = count == 1 && value.place == Place::Own;
                if !(sole && !value.wide && self.redirect(value.slot, slot)) {
                    self.copy(slot, value);
                }
            }
            slot += if value.wide { 2 } else { 1 };
        }
    }

    /// A branch to `control` whose values are in place.
    fn go(&mut self, control: usize) {
        match self.controls[control].kind {
            Kind::Function => self.return_(),
            Kind::Loop => {
                let patch = self.jump(Op::BrBack);
                let header = self.controls[control].header;
                self.set_distance(patch, header);
            }
            _ => {
                let patch = self.jump(Op::Br);
                self.controls[control].patches.push(patch);
            }
        }
    }

    pub(super) fn br(&mut self, depth: u32) {
        let control = self.index(depth);
        if self.controls[control].kind != Kind::Function {
            self.settle(control, self.label(control));
        }
        self.go(control);
        self.dead = 1;
    }

    pub(super) fn br_if(&mut self, depth: u32) {
        let condition = self.pop();
        self.branch_when(depth, |this, when, back| this.branch_on(condition, when, back));
    }

    /// A conditional branch; `test` writes the test and gives its jump.
    pub(super) fn branch_when(
        &mut self,
        depth: u32,
        test: impl FnOnce(&mut Self, bool, bool) -> Patch,
    ) {
        let control = self.index(depth);
        let kind = self.controls[control].kind;
        if kind != Kind::Function && self.settled(control) {
            let patch = test(self, true, kind == Kind::Loop);
            match kind {
                Kind::Loop => {
                    let header = self.controls[control].header;
                    self.set_distance(patch, header);
                }
                _ => self.controls[control].patches.push(patch),
            }
        } else {
            let skip = test(self, false, false);
            if kind != Kind::Function {
                self.settle(control, self.label(control));
            }
            self.go(control);
            self.bind(core::iter::once(skip));
        }
        self.begin_region(false);
    }

    /// Writes a branch that is taken when the condition holds, or when it does not.
    fn branch_on(&mut self, condition: Value, when: bool, back: bool) -> Patch {
        if condition.place == Place::Own
            && self
                .last
                .as_ref()
                .is_some_and(|last| last.dst == condition.slot && branches(last.op).is_some())
            && let Some((last, operands)) = self.take_last(condition.slot)
            && let Some(fused) = branches(last.op)
        {
            let field = |k: u32| (operands >> (16 * k)) as i16;
            if back
                && when
                && let Some(op) = add_branch(last.op)
                && let Some((slot, step)) =
                    self.take_step(last.op, last.before[Class::Int as usize])
            {
                let limit = (operands >> 32) as u32;
                return self.add_branch(op, slot, field(1), step, limit);
            }
            let senses = if when { fused.when } else { fused.unless };
            let op = senses[usize::from(back)];
            let (fields, imm) = match last.op.format().1 {
                "d0 s1 s2" => ([field(1), field(2)], None),
                "d0 s1 i" => ([field(1), 0], Some((operands >> 32) as i32)),
                "d0 a s1" => ([field(1), 0], None),
                _ => ([0, 0], Some((operands >> 32) as i32)),
            };
            let origin = self.emit_imm(op, fields[0], fields[1], 0);
            if let Some(imm) = imm {
                self.cells.push(imm as u64);
            }
            return Patch { origin, cell: origin + 1, upper: true };
        }
        let slot = self.slot_of(condition);
        if back
            && when
            && let Some((slot, step)) = self.take_step(Op::I32NeAI, Some(slot))
        {
            return self.add_branch(Op::AddBrIfI32NeI, slot, 0, step, 0);
        }
        let acc = self.in_acc(Class::Int, slot);
        let op = match (acc, when, back) {
            (false, true, false) => Op::BrIfS,
            (false, true, true) => Op::BrIfSBack,
            (false, false, false) => Op::BrUnlessS,
            (false, false, true) => Op::BrUnlessSBack,
            (true, true, false) => Op::BrIfA,
            (true, true, true) => Op::BrIfABack,
            (true, false, false) => Op::BrUnlessA,
            (true, false, true) => Op::BrUnlessABack,
        };
        let origin = self.emit_imm(op, slot, 0, 0);
        Patch { origin, cell: origin + 1, upper: true }
    }

    /// Takes the last operation back when it added a constant to a slot in place and `compared` is of the same
    /// width; gives the slot and the constant.
    fn take_step(&mut self, compared: Op, slot: Option<i16>) -> Option<(i16, u32)> {
        let slot = slot?;
        let last = self.last.as_ref()?;
        let wide = compared.format().0.starts_with("i64");
        let op = if wide { Op::I64AddSI } else { Op::I32AddSI };
        let source = (self.cells[last.at + 1] >> 16) as i16;
        if last.op != op || last.dst != slot || source != slot {
            return None;
        }
        let (_, operands) = self.take_last(slot)?;
        Some((slot, (operands >> 32) as u32))
    }

    /// Writes a back-edge that adds `step` to a slot and compares it with another slot or with `limit`.
    fn add_branch(&mut self, op: Op, slot: i16, other: i16, step: u32, limit: u32) -> Patch {
        let origin = self.emit_imm(op, slot, other, 0);
        self.cells.push(u64::from(step) | u64::from(limit) << 32);
        self.clobber(slot);
        self.accs[Class::Int as usize] = Some(slot);
        Patch { origin, cell: origin + 1, upper: true }
    }

    /// Writes a branch that is taken when the reference in `slot` is null, or when it is not.
    pub(super) fn branch_on_null(&mut self, slot: i16, null: bool, back: bool) -> Patch {
        let op = match (null, back) {
            (true, false) => Op::BrIfI64EqSI,
            (true, true) => Op::BrIfI64EqSIBack,
            (false, false) => Op::BrIfI64NeSI,
            (false, true) => Op::BrIfI64NeSIBack,
        };
        let origin = self.emit_imm(op, slot, 0, 0);
        self.cells.push(0);
        Patch { origin, cell: origin + 1, upper: true }
    }

    pub(super) fn br_table(&mut self, table: &BrTable<'_>) -> Result<(), TranslateError> {
        let index = self.pop();
        let index = self.slot_of(index);
        let count = table.len();
        let mut depths: Vec<u32> = table.targets().map_while(Result::ok).collect();
        depths.push(table.default());
        let origin = self.emit_imm(Op::BrTable, index, 0, count as i32);
        let first = self.cells.len();
        self.cells.resize(first + depths.len().div_ceil(2), 0);
        // What each depth leads to: its label, or a trampoline where values move, where the function returns,
        // and at a back-edge.
        let mut known: Vec<(u32, Option<usize>)> = Vec::new();
        for (i, depth) in depths.iter().enumerate() {
            let patch = Patch { origin, cell: first + i / 2, upper: i % 2 == 1 };
            let control = self.index(*depth);
            let trampoline = match known.binary_search_by_key(depth, |(depth, _)| *depth) {
                Ok(at) => known[at].1,
                Err(at) => {
                    let forward = matches!(self.controls[control].kind, Kind::Block | Kind::If);
                    let direct = forward && self.settled(control);
                    let trampoline = (!direct).then(|| self.trampoline(control));
                    known.insert(at, (*depth, trampoline));
                    self.check_size()?;
                    trampoline
                }
            };
            match trampoline {
                Some(target) => self.set_distance(patch, target),
                None => self.controls[control].patches.push(patch),
            }
        }
        self.dead = 1;
        Ok(())
    }

    /// Code that moves the values of a branch in place and goes on; gives its position.
    fn trampoline(&mut self, control: usize) -> usize {
        self.forget();
        let target = self.cells.len();
        if self.controls[control].kind != Kind::Function {
            self.settle(control, self.label(control));
        }
        self.go(control);
        self.forget();
        target
    }

    /// Returns the top values of the stack, which stay where they are for a path that does not return.
    pub(super) fn return_(&mut self) {
        let results = &self.ty.results;
        let place = -((HEADER_SLOTS as u32 + self.ty.param_slots()) as i32);
        match &results[..] {
            [] => {
                self.emit(Op::Return0, [0; 4]);
            }
            [ty] if ty.slots() == 1 => {
                let Some(value) = self.values.last().copied() else { return };
                let slot = self.slot_of(value);
                let op = if self.in_acc(Class::Int, slot) { Op::Return1A } else { Op::Return1S };
                self.emit_imm(op, slot, 0, place);
            }
            _ => {
                let first = self.values.len() - results.len();
                for index in first..self.values.len() {
                    let value = self.values[index];
                    if value.place != Place::Own {
                        self.copy(value.slot, value);
                    }
                }
                let slot = self.values[first].slot;
                self.emit_imm(Op::ReturnN, slot, self.ty.result_slots() as i16, place);
            }
        }
    }

    /// The code that follows cannot be reached.
    pub(super) fn unreachable(&mut self) {
        self.dead = 1;
    }
}
