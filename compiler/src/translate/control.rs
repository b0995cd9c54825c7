//! Blocks, labels and branches, and interruption, which stands where control flow joins. A label is a block of
//! CLIF whose parameters are the values that branches carry.

use std::collections::BTreeMap;

use cranelift_codegen::ir::{
    Block, BlockArg, BlockCall, InstBuilder, JumpTableData, Value, condcodes::IntCC, types,
};
use lithe_parser::{BlockType, BrTable, val_type};
use lithe_runtime::abi;
use lithe_types::{TrapKind, ValType, limits};

use super::{Translator, context::Region, exceptions::Try};
use crate::env::{Convention, Rare};

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Function,
    Block,
    Loop,
    If,
}

/// The type of a block.
#[derive(Clone)]
enum Sig<'a> {
    One(Option<ValType>),
    Func(&'a lithe_types::FuncType),
}

impl Sig<'_> {
    fn params(&self) -> &[ValType] {
        match self {
            Sig::One(_) => &[],
            Sig::Func(ty) => &ty.params,
        }
    }

    fn results(&self) -> &[ValType] {
        match self {
            Sig::One(ty) => ty.as_slice(),
            Sig::Func(ty) => &ty.results,
        }
    }
}

/// An open block.
pub(super) struct Frame<'a> {
    kind: Kind,
    sig: Sig<'a>,
    /// Where execution goes on after it.
    next: Block,
    /// Of a loop: its first block.
    header: Option<Block>,
    /// Of an `if` that had no `else` so far: where it goes when the condition is zero.
    otherwise: Option<Block>,
    /// Values of the stack below its parameters.
    pub(super) height: usize,
    /// Whether something branches to `next`.
    joined: bool,
    /// The context that was known at the entry when the loop began.
    outer_context: Option<Value>,
    /// How much was known of addresses where it began.
    pub(super) bounds: usize,
    /// What fuel is due where branches to its label arrive.
    due: Option<i64>,
    /// Of an `if`: what is due where the condition is zero.
    due_otherwise: i64,
    /// Of a try block.
    pub(super) try_: Option<Try>,
}

impl Frame<'_> {
    /// How many values a branch to its label carries.
    fn carries(&self) -> usize {
        match self.header {
            Some(_) => self.sig.params().len(),
            None => self.sig.results().len(),
        }
    }

    /// Something branches to its label.
    pub(super) fn join(&mut self) {
        self.joined |= self.header.is_none();
    }
}

impl<'a> Translator<'a> {
    fn sig(&self, ty: &BlockType) -> Sig<'a> {
        match ty {
            BlockType::Empty => Sig::One(None),
            BlockType::Type(ty) => Sig::One(val_type(*ty, 0).ok()),
            BlockType::FuncType(index) => Sig::Func(self.env.func_type(*index)),
        }
    }

    /// A block with a parameter for each of `types`.
    fn block_for(&mut self, types: &[ValType]) -> Block {
        let block = self.b.create_block();
        self.carried += types.len();
        for ty in types {
            let ty = self.env.value_type(*ty);
            self.b.append_block_param(block, ty);
        }
        block
    }

    pub(super) fn push_function_frame(&mut self) {
        let sig = Sig::Func(self.ty);
        let next = self.block_for(sig.results());
        self.frames.push(Frame {
            kind: Kind::Function,
            sig,
            next,
            header: None,
            otherwise: None,
            height: 0,
            joined: false,
            outer_context: self.entry_context,
            bounds: self.bounds.mark(),
            due: None,
            due_otherwise: 0,
            try_: None,
        });
    }

    fn open(&mut self, kind: Kind, sig: Sig<'a>, header: Option<Block>, otherwise: Option<Block>) {
        let next = self.block_for(sig.results());
        let height = self.stack.len() - sig.params().len();
        self.frames.push(Frame {
            kind,
            sig,
            next,
            header,
            otherwise,
            height,
            joined: false,
            outer_context: self.entry_context,
            bounds: self.bounds.mark(),
            due: None,
            due_otherwise: 0,
            try_: None,
        });
    }

    fn args(values: &[Value]) -> Vec<BlockArg> {
        values.iter().map(|value| BlockArg::Value(*value)).collect()
    }

    /// The values that a branch to a label with `count` of them carries.
    pub(super) fn top(&mut self, count: usize) -> Vec<BlockArg> {
        self.carried += count;
        Translator::args(&self.stack[self.stack.len().saturating_sub(count)..])
    }

    pub(super) fn block(&mut self, ty: &BlockType) {
        let sig = self.sig(ty);
        self.open(Kind::Block, sig, None, None);
    }

    pub(super) fn loop_(&mut self, ty: &BlockType) {
        let sig = self.sig(ty);
        let header = self.block_for(sig.params());
        let args = self.top(sig.params().len());
        let calls = self.env.facts[self.func as usize].loops.get(self.loops).copied();
        self.loops += 1;
        // A loop without calls keeps the context in a register: it is read before the loop.
        let fixed = (self.env.convention == Convention::PinnedPerBlock && calls == Some(false))
            .then(|| self.context());
        let due = self.due();
        let end = self.end_for_loop();
        self.b.ins().jump(header, &args);
        let entry = self.b.current_block().and_then(|block| self.b.func.layout.last_inst(block));
        self.note_loop(header, entry, end);
        self.open(Kind::Loop, sig, Some(header), None);
        if let Some(frame) = self.frames.last_mut() {
            frame.due = Some(due);
        }
        self.entry_context = self.entry_context.or(fixed);
        self.switch_to(header);
        self.replace_top(header);
        if self.env.checks() {
            self.poll();
        }
        self.check_fuel();
    }

    /// The parameters of `block` take the place of the topmost values.
    fn replace_top(&mut self, block: Block) {
        let params = self.b.block_params(block).to_vec();
        let height = self.stack.len().saturating_sub(params.len());
        self.stack.truncate(height);
        self.stack.extend(params);
    }

    pub(super) fn if_(&mut self, ty: &BlockType) {
        let condition = self.pop();
        let sig = self.sig(ty);
        let (then, otherwise) = (self.b.create_block(), self.block_for(sig.params()));
        let args = self.top(sig.params().len());
        self.b.ins().brif(condition, then, &[], otherwise, &args);
        let due = self.due();
        self.open(Kind::If, sig, None, Some(otherwise));
        if let Some(frame) = self.frames.last_mut() {
            frame.due_otherwise = due;
        }
        self.b.seal_block(otherwise);
        self.b.seal_block(then);
        let known = (self.block_context, std::mem::take(&mut self.never_null));
        self.switch_to(then);
        (self.block_context, self.never_null) = known;
        self.end_region();
    }

    /// Ends one arm of the innermost block, of which another one follows.
    pub(super) fn end_arm(&mut self) {
        if self.dead == 0
            && let Some(mut frame) = self.frames.pop()
        {
            frame.joined = true;
            self.fuel_to(&mut frame.due);
            let args = self.top(frame.sig.results().len());
            self.b.ins().jump(frame.next, &args);
            self.frames.push(frame);
        }
        self.dead = 0;
    }

    pub(super) fn else_(&mut self) {
        self.end_arm();
        let Some(mut frame) = self.frames.pop() else { return };
        if let Some(otherwise) = frame.otherwise.take() {
            self.stack.truncate(frame.height);
            self.switch_to(otherwise);
            self.bounds.back_to(frame.bounds);
            self.stack.extend_from_slice(self.b.block_params(otherwise));
        }
        self.entry_context = frame.outer_context;
        self.set_due(frame.due_otherwise);
        self.frames.push(frame);
    }

    pub(super) fn end(&mut self) {
        let Some(mut frame) = self.frames.pop() else { return };
        let mut reachable = self.dead == 0;
        if frame.kind == Kind::Function {
            self.end_function(&frame, reachable);
            return;
        }
        self.entry_context = frame.outer_context;
        let results = frame.sig.results().len();
        // Fuel is counted by what the module says: clauses are ways out of a block even where nothing throws.
        let joined = frame.joined
            || frame.otherwise.is_some()
            || reachable && matches!(&frame.try_, Some(Try::Table(clauses)) if !clauses.is_empty());
        if frame.try_.is_some() {
            self.tries.pop();
            if reachable {
                if joined {
                    self.fuel_to(&mut frame.due);
                }
                let args = self.top(results);
                self.b.ins().jump(frame.next, &args);
                frame.joined = true;
                reachable = false;
            }
            let paid = self.fuel_is_paid();
            self.end_try(&mut frame);
            self.set_fuel_paid(paid);
        }
        // Where nothing else leads to the end, the code goes straight on.
        let straight = !frame.joined && frame.otherwise.is_none();
        if straight {
            if let Some(header) = frame.header {
                self.b.seal_block(header);
            }
            self.b.seal_block(frame.next);
            if reachable {
                let values = self.pop_many(results);
                self.stack.truncate(frame.height);
                self.stack.extend(values);
            } else {
                self.dead = 1;
                self.stack.truncate(frame.height);
            }
            if reachable && frame.kind == Kind::If {
                self.end_region();
            }
            return;
        }
        if frame.otherwise.is_some() {
            frame.due.get_or_insert(frame.due_otherwise);
        }
        if reachable {
            self.fuel_to(&mut frame.due);
            let args = self.top(results);
            self.b.ins().jump(frame.next, &args);
        }
        if let Some(otherwise) = frame.otherwise.take() {
            self.switch_to(otherwise);
            self.set_due(frame.due_otherwise);
            self.fuel_to(&mut frame.due);
            let args = Translator::args(self.b.block_params(otherwise));
            self.b.ins().jump(frame.next, &args);
        }
        if let Some(header) = frame.header {
            self.b.seal_block(header);
        }
        self.b.seal_block(frame.next);
        self.switch_to(frame.next);
        self.bounds.back_to(frame.bounds);
        self.stack.truncate(frame.height);
        self.stack.extend_from_slice(self.b.block_params(frame.next));
        self.dead = 0;
        if joined || frame.kind == Kind::If {
            self.set_due(frame.due.unwrap_or_default());
        }
    }

    fn end_function(&mut self, frame: &Frame<'a>, reachable: bool) {
        if reachable {
            self.return_();
        }
        self.b.seal_block(frame.next);
        if frame.joined {
            self.switch_to(frame.next);
            self.set_due(frame.due.unwrap_or_default());
            let values = self.b.block_params(frame.next).to_vec();
            self.return_values(values);
        }
        self.end_region();
    }

    pub(super) fn return_(&mut self) {
        let values = self.pop_many(self.ty.results.len());
        self.return_values(values);
    }

    fn return_values(&mut self, mut values: Vec<Value>) {
        values.extend(self.fuel_left());
        self.b.ins().return_(&values);
    }

    /// The current block runs once at most.
    pub(super) fn mark_cold(&mut self) {
        // The entry is the first block that was made. It is in no layout before it has an instruction.
        if let Some(block) = self.b.current_block()
            && block.as_u32() != 0
        {
            self.b.set_cold_block(block);
        }
    }

    /// The code that follows cannot be reached.
    pub(super) fn unreachable(&mut self) {
        self.dead = 1;
    }

    /// Where a branch to the label at `depth` goes, how many values it carries, and the fuel for another way, if that
    /// is another. What follows is another region.
    pub(super) fn label(&mut self, depth: u32) -> (Block, usize, Option<Value>) {
        let index = self.frames.len().saturating_sub(1 + depth as usize);
        let mut due = self.frames[index].due;
        let fuel = self.fuel_to(&mut due);
        let frame = &mut self.frames[index];
        frame.due = due;
        frame.join();
        (frame.header.unwrap_or(frame.next), frame.carries(), fuel)
    }

    pub(super) fn br(&mut self, depth: u32) {
        let (target, count, _) = self.label(depth);
        let args = self.top(count);
        self.b.ins().jump(target, &args);
        self.dead = 1;
    }

    pub(super) fn br_if(&mut self, depth: u32) {
        let condition = self.pop();
        self.branch_when(condition, depth, &[], true);
    }

    /// Goes to the label at `depth` when `condition` is not zero, or when it is, with `more` values above those of
    /// the stack.
    pub(super) fn branch_when(&mut self, condition: Value, depth: u32, more: &[Value], when: bool) {
        let (target, count, fuel) = self.label(depth);
        let mut args = self.top(count - more.len());
        args.extend(Translator::args(more));
        let next = self.b.create_block();
        match when {
            true => self.b.ins().brif(condition, target, &args, next, &[]),
            false => self.b.ins().brif(condition, next, &[], target, &args),
        };
        let known = self.block_context;
        self.continue_in(next);
        self.block_context = known;
        self.fuel_back(fuel);
    }

    pub(super) fn br_table(&mut self, table: &BrTable<'_>) {
        let index = self.pop();
        let mut depths: Vec<u32> = table.targets().map_while(Result::ok).collect();
        depths.push(table.default());
        // All labels take the same number of values.
        let frame = &self.frames[self.frames.len().saturating_sub(1 + table.default() as usize)];
        let count = frame.carries();
        if self.carried.saturating_add(count * depths.len()) > limits::CARRIED_VALUES {
            self.carried = usize::MAX;
            self.dead = 1;
            return;
        }
        let mut calls = Vec::with_capacity(depths.len());
        // Ways on which fuel changes, by depth.
        let mut ways: BTreeMap<u32, Block> = BTreeMap::new();
        for depth in depths {
            let call = match ways.get(&depth) {
                Some(way) => (*way, Vec::new()),
                None if self.changes_fuel(depth) => {
                    let way = self.b.create_block();
                    ways.insert(depth, way);
                    (way, Vec::new())
                }
                None => {
                    let (target, count, _) = self.label(depth);
                    (target, self.top(count))
                }
            };
            calls.push(BlockCall::new(call.0, call.1, &mut self.b.func.dfg.value_lists));
        }
        if let Some(default) = calls.pop() {
            let table = self.b.create_jump_table(JumpTableData::new(default, &calls));
            self.b.ins().br_table(index, table);
        }
        for (depth, way) in ways {
            self.continue_in(way);
            self.br(depth);
        }
        self.dead = 1;
    }

    /// Whether a branch to the label at `depth` changes what is known to be left of the fuel.
    fn changes_fuel(&mut self, depth: u32) -> bool {
        let here = self.due();
        let frame = &self.frames[self.frames.len().saturating_sub(1 + depth as usize)];
        self.fuel.is_some() && frame.due.is_some_and(|due| due != here)
    }

    /// Stops where the stack is used up.
    pub(super) fn check_stack(&mut self) {
        let limit = self.word(abi::STACK_LIMIT);
        let sp = self.b.ins().get_stack_pointer(types::I64);
        let full = self.b.ins().icmp(IntCC::UnsignedLessThan, sp, limit);
        self.trap_if(full, TrapKind::StackExhausted);
    }

    /// Stops when the store's signal is set.
    pub(super) fn poll(&mut self) {
        let signal = self.word(abi::SIGNAL);
        let flags = self.flags(Region::Vm);
        let set = self.b.ins().load(types::I32, flags, signal, 0);
        let (cold, next) = (self.b.create_block(), self.b.create_block());
        self.b.set_cold_block(cold);
        self.b.ins().brif(set, cold, &[], next, &[]);
        let known = self.block_context;
        self.continue_in(cold);
        self.rare(Rare::Interrupted, &[]);
        self.b.ins().jump(next, &[]);
        self.continue_in(next);
        self.block_context = known;
    }
}
