//! Exceptions (Core specification, section 4.4.10.12): try blocks of both encodings, and what throws. A call inside
//! of a try block lists where exceptions go; the runtime finds the list by the call's return address. Invariant: a
//! landing block receives the exception, and the context of its function is restored first.
//!
//! The clauses of a `try_table` are known before its body, so each of them is in the list. Those of the withdrawn
//! `try` come after it: its landing block takes every exception, compares tags, and throws on what it does not
//! handle.

use cranelift_codegen::ir::{
    Block, BlockArg, BlockCall, ExceptionTableData, ExceptionTableItem, ExceptionTag, FuncRef,
    Inst, InstBuilder, SigRef, StackSlotData, StackSlotKey, StackSlotKind, TrapCode, Value,
    condcodes::IntCC, types,
};
use lithe_parser::{BlockType, Catch, Operator, TryTable};
use lithe_runtime::{Vm, abi, layout::EXCEPTION_PAYLOAD, layout::EXCEPTION_TAG};
use lithe_types::{TrapKind, ValType, limits};

use super::{Translator, context::Region, control::Frame};
use crate::{
    env::{Convention, Rare},
    function::CONTEXT_SLOT,
};

/// What an open block knows when it is a try block.
pub(super) enum Try {
    /// A `try_table`: clauses, the frames that they branch to, and their landing blocks where calls use them.
    Table(Vec<(Catch, usize, Option<Block>)>),
    /// A `try`.
    Legacy {
        /// Where exceptions of the body go, when calls use it.
        landing: Option<Block>,
        /// Whether the body has ended.
        handling: bool,
        /// The exception, in a handler.
        exception: Option<Value>,
        /// Where tags that no handler so far has wanted go on.
        rest: Option<Block>,
        /// Inside of how many frames it throws on what it does not handle, when those are not all outer ones.
        delegate: Option<usize>,
    },
}

/// Something to call that may throw.
#[derive(Clone, Copy)]
pub(super) enum Target {
    /// A function of the text.
    Direct(FuncRef),
    /// An address.
    Indirect(SigRef, Value),
}

impl<'a> Translator<'a> {
    /// Operators of exceptions; `false` when the operator is none.
    pub(super) fn exception(&mut self, op: &Operator<'_>) -> bool {
        match op {
            Operator::TryTable { try_table } => self.try_table(try_table),
            Operator::Throw { tag_index } => self.throw(*tag_index),
            Operator::ThrowRef => {
                let exception = self.non_null(TrapKind::NullReference);
                self.throw_on(exception, self.frames.len());
            }
            Operator::Try { blockty } => self.try_(blockty),
            Operator::Catch { tag_index } => self.catch(Some(*tag_index)),
            Operator::CatchAll => self.catch(None),
            Operator::Rethrow { relative_depth } => {
                let index = self.frames.len().saturating_sub(1 + *relative_depth as usize);
                if let Some(Try::Legacy { exception: Some(exception), .. }) =
                    self.frames[index].try_
                {
                    self.throw_on(exception, self.frames.len());
                }
            }
            Operator::Delegate { relative_depth } => self.delegate(*relative_depth),
            _ => return false,
        }
        true
    }

    fn try_table(&mut self, table: &TryTable) {
        let depth = self.frames.len();
        let label = |catch: &Catch| match catch {
            Catch::One { label, .. }
            | Catch::OneRef { label, .. }
            | Catch::All { label }
            | Catch::AllRef { label } => depth.saturating_sub(1 + *label as usize),
        };
        let clauses = table.catches.iter().map(|catch| (*catch, label(catch), None));
        let clauses = clauses.collect();
        self.block(&table.ty);
        self.set_try(Try::Table(clauses));
    }

    fn try_(&mut self, ty: &BlockType) {
        self.block(ty);
        self.set_try(Try::Legacy {
            landing: None,
            handling: false,
            exception: None,
            rest: None,
            delegate: None,
        });
    }

    fn set_try(&mut self, try_: Try) {
        if let Some(frame) = self.frames.last_mut() {
            frame.try_ = Some(try_);
            self.tries.push(self.frames.len() - 1);
        }
    }

    /// Keeps the context where unwinding finds it: tags are those of the instance.
    pub(super) fn keep_context(&mut self) {
        let mut slot = StackSlotData::new(StackSlotKind::ExplicitSlot, 8, 3);
        slot.key = Some(StackSlotKey::new(CONTEXT_SLOT));
        let slot = self.b.create_sized_stack_slot(slot);
        let context = self.context();
        self.b.ins().stack_store(types::I64, context, slot, 0);
    }

    /// A block that receives an exception.
    fn landing(&mut self) -> Block {
        let block = self.b.create_block();
        self.b.append_block_param(block, types::I64);
        self.b.set_cold_block(block);
        block
    }

    /// Where exceptions go that are thrown inside the first `depth` frames, innermost first.
    fn handlers(&mut self, depth: usize) -> Vec<ExceptionTableItem> {
        let mut items = Vec::new();
        for at in (0..self.tries.len()).rev() {
            let index = self.tries[at];
            if self.carried > limits::CARRIED_VALUES {
                break;
            }
            if index >= depth {
                continue;
            }
            let Some(mut try_) = self.frames[index].try_.take() else { continue };
            self.carried += 1;
            let mut all = false;
            match &mut try_ {
                Try::Table(clauses) => {
                    for (catch, _, landing) in clauses {
                        let block = *landing.get_or_insert_with(|| self.landing());
                        let call = self.landing_call(block);
                        self.carried += 1;
                        items.push(match catch {
                            Catch::One { tag, .. } | Catch::OneRef { tag, .. } => {
                                ExceptionTableItem::Tag(ExceptionTag::from_u32(*tag), call)
                            }
                            Catch::All { .. } | Catch::AllRef { .. } => {
                                all = true;
                                ExceptionTableItem::Default(call)
                            }
                        });
                        if all {
                            break;
                        }
                    }
                }
                Try::Legacy { landing, handling: false, .. } => {
                    let block = *landing.get_or_insert_with(|| self.landing());
                    let call = self.landing_call(block);
                    self.carried += 1;
                    items.push(ExceptionTableItem::Default(call));
                    all = true;
                }
                Try::Legacy { .. } => {}
            }
            self.frames[index].try_ = Some(try_);
            if all {
                break;
            }
        }
        items
    }

    fn landing_call(&mut self, block: Block) -> BlockCall {
        let exception = [BlockArg::TryCallExn(0)];
        BlockCall::new(block, exception, &mut self.b.func.dfg.value_lists)
    }

    /// Calls what may throw, inside of the try blocks that are open; gives the results.
    pub(super) fn call_in_tries(&mut self, target: Target, args: &[Value]) -> Vec<Value> {
        let depth = self.frames.len();
        let (inst, next) = self.call_within(target, args, depth);
        match next {
            Some(next) => {
                self.continue_in(next);
                self.b.block_params(next).to_vec()
            }
            None => self.b.inst_results(inst).to_vec(),
        }
    }

    /// Calls what may throw inside of the first `depth` frames; gives the block to go on in, if that is another.
    pub(super) fn call_within(
        &mut self,
        target: Target,
        args: &[Value],
        depth: usize,
    ) -> (Inst, Option<Block>) {
        let items = self.handlers(depth);
        if items.is_empty() {
            let inst = match target {
                Target::Direct(func) => self.b.ins().call(func, args),
                Target::Indirect(signature, code) => {
                    self.b.ins().call_indirect(signature, code, args)
                }
            };
            return (inst, None);
        }
        let signature = match target {
            Target::Direct(func) => self.b.func.dfg.ext_funcs[func].signature,
            Target::Indirect(signature, _) => signature,
        };
        let next = self.b.create_block();
        let returns = self.b.func.dfg.signatures[signature].returns.clone();
        for result in &returns {
            self.b.append_block_param(next, result.value_type);
        }
        let results = (0..returns.len() as u32).map(BlockArg::TryCallRet);
        let normal = BlockCall::new(next, results, &mut self.b.func.dfg.value_lists);
        let table = ExceptionTableData::new(signature, normal, items);
        let table = self.b.func.dfg.exception_tables.push(table);
        let inst = match target {
            Target::Direct(func) => self.b.ins().try_call(func, args, table),
            Target::Indirect(_, code) => self.b.ins().try_call_indirect(code, args, table),
        };
        (inst, Some(next))
    }

    /// Calls the runtime, which throws. The block ends.
    fn throw_by(&mut self, rare: Rare, args: &[Value], depth: usize) {
        if let (_, Some(next)) = self.rare_within(rare, args, depth) {
            self.continue_in(next);
        }
        self.b.ins().trap(TrapCode::unwrap_user(TrapKind::Unreachable as u8));
    }

    /// Throws an exception on, inside of the first `depth` frames.
    fn throw_on(&mut self, exception: Value, depth: usize) {
        self.throw_by(Rare::Throw, &[exception], depth);
        self.unreachable();
    }

    fn payload(&self, tag: u32) -> &'a [ValType] {
        let ty = self.env.module.tags.get(tag as usize);
        ty.map_or(&[], |ty| &self.env.func_type(*ty).params)
    }

    fn throw(&mut self, tag: u32) {
        let types = self.payload(tag);
        let values = self.pop_many(types.len());
        let slots: u32 = types.iter().map(|ty| ty.slots()).sum();
        let slot = StackSlotData::new(StackSlotKind::ExplicitSlot, 8 * slots.max(1), 4);
        let slot = self.b.create_sized_stack_slot(slot);
        let address = self.b.ins().stack_addr(types::I64, slot, 0);
        super::stubs::store_all(&mut self.b, types, &values, address);
        let tag = self.number(tag);
        self.throw_by(Rare::ThrowNew, &[tag, address], self.frames.len());
        self.unreachable();
    }

    /// Begins a landing block; gives the exception.
    fn land(&mut self, block: Block) -> Value {
        self.b.seal_block(block);
        self.switch_to(block);
        if self.env.convention != Convention::Argument {
            let own = self.context();
            self.restore_context(own);
        }
        self.read_fuel();
        let exception = self.b.block_params(block)[0];
        self.b.ins().ireduce(types::I32, exception)
    }

    /// The address of an exception's object.
    fn exception_object(&mut self, exception: Value) -> Value {
        let vm = self.vm();
        let flags = self.flags(Region::Vm);
        let base = core::mem::offset_of!(Vm, heap.base) as i32;
        let base = self.b.ins().load(types::I64, flags, vm, base);
        let offset = self.b.ins().uextend(types::I64, exception);
        self.b.ins().iadd(base, offset)
    }

    /// Pushes the payload of an exception with this tag.
    fn push_payload(&mut self, exception: Value, tag: u32) {
        let object = self.exception_object(exception);
        let flags = self.flags(Region::Objects).with_readonly();
        let mut at = EXCEPTION_PAYLOAD as i32;
        for ty in self.payload(tag) {
            let value = self.b.ins().load(self.env.value_type(*ty), flags, object, at);
            self.push(value);
            at += 8 * ty.slots() as i32;
        }
    }

    /// After the body of a try block whose frame was taken off: the landing blocks that calls use.
    pub(super) fn end_try(&mut self, frame: &mut Frame<'a>) {
        match frame.try_.take() {
            Some(Try::Table(clauses)) => {
                for (catch, target, landing) in clauses {
                    let Some(landing) = landing else {
                        // Counts as a branch nevertheless: see `end`.
                        self.frames[target].join();
                        continue;
                    };
                    self.bounds.back_to(frame.bounds);
                    let exception = self.land(landing);
                    self.stack.truncate(frame.height);
                    let (tag, reference) = match catch {
                        Catch::One { tag, .. } => (Some(tag), false),
                        Catch::OneRef { tag, .. } => (Some(tag), true),
                        Catch::All { .. } => (None, false),
                        Catch::AllRef { .. } => (None, true),
                    };
                    if let Some(tag) = tag {
                        self.push_payload(exception, tag);
                    }
                    if reference {
                        self.push(exception);
                    }
                    self.br((self.frames.len() - 1 - target) as u32);
                }
            }
            Some(Try::Legacy { landing, handling, rest, delegate, .. }) => {
                let depth = delegate.unwrap_or(self.frames.len());
                self.throw_rest(landing.filter(|_| !handling), rest, depth);
            }
            None => {}
        }
    }

    /// Throws on what no handler of a `try` wanted.
    fn throw_rest(&mut self, landing: Option<Block>, rest: Option<Block>, depth: usize) {
        let exception = match (landing, rest) {
            (Some(landing), _) => self.land(landing),
            (None, Some(rest)) => {
                self.b.seal_block(rest);
                self.switch_to(rest);
                self.set_fuel_paid(true);
                self.b.block_params(rest)[0]
            }
            (None, None) => return,
        };
        self.throw_on(exception, depth);
    }

    /// Begins a handler of the innermost block, a `try`.
    fn catch(&mut self, tag: Option<u32>) {
        self.end_arm();
        self.end_region();
        let Some(mut frame) = self.frames.pop() else { return };
        self.stack.truncate(frame.height);
        self.bounds.back_to(frame.bounds);
        self.dead = 1;
        if let Some(Try::Legacy { landing, handling, exception, rest, .. }) = &mut frame.try_ {
            let found = match rest.take() {
                // Fuel is counted as if handlers were reached even where nothing throws.
                _ if !*handling => {
                    let block = landing.unwrap_or_else(|| self.landing());
                    Some(self.land(block))
                }
                Some(rest) => {
                    self.b.seal_block(rest);
                    self.switch_to(rest);
                    self.set_fuel_paid(true);
                    Some(self.b.block_params(rest)[0])
                }
                None => None,
            };
            *handling = true;
            *exception = found;
            if let Some(found) = found {
                self.dead = 0;
                if let Some(tag) = tag {
                    *rest = Some(self.compare_tag(found, tag));
                    self.push_payload(found, tag);
                }
            }
        }
        self.frames.push(frame);
        if self.dead == 0 {
            self.end_region();
        }
    }

    /// Goes on when an exception has this tag; gives the block for others.
    fn compare_tag(&mut self, exception: Value, tag: u32) -> Block {
        let object = self.exception_object(exception);
        let flags = self.flags(Region::Objects).with_readonly();
        let have = self.b.ins().load(types::I64, flags, object, EXCEPTION_TAG as i32);
        let tags = self.word(abi::TAGS);
        let want = self.constant(types::I64, tags, 8 * tag as i32);
        let same = self.b.ins().icmp(IntCC::Equal, have, want);
        let (next, rest) = (self.b.create_block(), self.b.create_block());
        self.b.append_block_param(rest, types::I32);
        self.b.ins().brif(same, next, &[], rest, &[exception.into()]);
        self.continue_in(next);
        rest
    }

    /// Ends the innermost block, whose exceptions go where one would that is thrown at label `depth`.
    fn delegate(&mut self, depth: u32) {
        let outer = self.frames.len().saturating_sub(1 + depth as usize);
        if let Some(Frame { try_: Some(Try::Legacy { delegate, .. }), .. }) = self.frames.last_mut()
        {
            *delegate = Some(outer);
        }
        self.end();
    }
}
