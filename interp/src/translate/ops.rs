//! Operators to operations, in the order of the specification's section 4.4. Code that cannot be reached is
//! skipped but for its block structure.

use lithe_parser::Operator as O;
use lithe_validator::costs_nothing;

use crate::op::{Binary, Class, Family, Imm, Op, Unary, family, negation};

use super::{
    TranslateError, Translator,
    memory::memory_of,
    stack::{Place, Value},
};

type Result = core::result::Result<(), TranslateError>;

/// Two 32-bit indices in one cell.
pub(super) fn both(lower: u32, upper: u32) -> u64 {
    u64::from(lower) | u64::from(upper) << 32
}

impl Translator<'_> {
    pub(super) fn operator(&mut self, op: &O<'_>) -> Result {
        if self.dead > 0 {
            match op {
                O::Block { .. }
                | O::Loop { .. }
                | O::If { .. }
                | O::TryTable { .. }
                | O::Try { .. } => self.dead += 1,
                O::Else if self.dead == 1 => self.else_(),
                O::End if self.dead == 1 => self.end()?,
                O::Catch { .. } | O::CatchAll | O::Delegate { .. } if self.dead == 1 => {
                    self.other(op)?;
                }
                O::End | O::Delegate { .. } => self.dead -= 1,
                _ => {}
            }
            return Ok(());
        }
        if !costs_nothing(op) {
            self.charge();
        }
        match family(op) {
            Some(family) => {
                self.family(family);
                if self.config.deterministic {
                    self.canonicalize(op);
                }
            }
            None => self.other(op)?,
        }
        Ok(())
    }

    fn family(&mut self, family: Family) {
        match family {
            Family::Binary(op) => self.binary(op),
            Family::Unary(op) => self.unary(op),
            Family::Load(op, memarg) => self.load(op, memarg),
            Family::Store(op, memarg) => self.store(op, memarg),
            Family::Vector(count, op) => {
                let mut operands = [0; 4];
                for k in (1..=usize::from(count)).rev() {
                    operands[k] = self.pop_slot();
                }
                self.result(op, operands, true, None);
            }
            Family::VectorShift(op) => {
                let (n, vector) = (self.pop_slot(), self.pop_slot());
                self.result(op, [0, vector, n, 0], true, None);
            }
            Family::VectorTest(op) => {
                let vector = self.pop_slot();
                self.result(op, [0, vector, 0, 0], false, Some(Class::Int));
            }
            Family::VectorSplat(op) => {
                let scalar = self.pop_slot();
                self.result(op, [0, scalar, 0, 0], true, None);
            }
            Family::VectorExtract(lane, op, class) => {
                let vector = self.pop_slot();
                self.result(op, [0, vector, i16::from(lane), 0], false, Some(class));
            }
            Family::VectorReplace(lane, op) => {
                let (scalar, vector) = (self.pop_slot(), self.pop_slot());
                self.result(op, [0, vector, scalar, i16::from(lane)], true, None);
            }
            Family::VectorShuffle(lanes, op) => {
                let (b, a) = (self.pop_slot(), self.pop_slot());
                self.result(op, [0, a, b, 0], true, None);
                let (halves, _) = lanes.as_chunks::<8>();
                self.cells.extend(halves.iter().map(|half| u64::from_le_bytes(*half)));
            }
            Family::VectorLoad(memarg, op) => {
                let address = self.pop_slot();
                let op = op[usize::from(self.shared(&memarg))];
                self.result(op, [0, address, memory_of(&memarg) as i16, 0], true, None);
                self.cells.push(memarg.offset);
            }
            Family::VectorLoadLane(memarg, lane, op) => {
                let (vector, address) = (self.pop_slot(), self.pop_slot());
                let both = memory_of(&memarg) as i16 * 16 + i16::from(lane);
                let op = op[usize::from(self.shared(&memarg))];
                self.result(op, [0, address, vector, both], true, None);
                self.cells.push(memarg.offset);
            }
            Family::VectorStoreLane(memarg, lane, op) => {
                let (vector, address) = (self.pop_slot(), self.pop_slot());
                let op = op[usize::from(self.shared(&memarg))];
                self.emit(op, [address, vector, memory_of(&memarg) as i16, i16::from(lane)]);
                self.cells.push(memarg.offset);
            }
            Family::Atomic(count, memarg, op) => {
                let (count, mut operands) = (usize::from(count), [0; 5]);
                operands[count + 1] = memory_of(&memarg) as i16;
                for k in (1..=count).rev() {
                    operands[k] = self.pop_slot();
                }
                let [_, a, b, c, d] = operands;
                self.result(op, [0, a, b, c], false, Some(Class::Int));
                if count == 3 {
                    self.cells.push(u64::from(d as u16));
                }
                self.cells.push(memarg.offset);
            }
            Family::AtomicStore(memarg, op) => {
                let (value, address) = (self.pop_slot(), self.pop_slot());
                self.emit(op, [address, value, memory_of(&memarg) as i16, 0]);
                self.cells.push(memarg.offset);
            }
        }
    }

    /// Pops a value and gives the slot to read it from.
    pub(super) fn pop_slot(&mut self) -> i16 {
        let value = self.pop();
        self.slot_of(value)
    }

    /// Writes an operation whose result is pushed; field 0 becomes the destination.
    pub(super) fn result(
        &mut self,
        op: Op,
        mut operands: [i16; 4],
        wide: bool,
        class: Option<Class>,
    ) {
        let dst = self.push(wide);
        operands[0] = dst;
        let at = self.emit(op, operands);
        if wide {
            self.clobber(dst + 1);
        }
        self.wrote(at, op, dst, class);
    }

    pub(super) fn result_imm(&mut self, op: Op, operand: i16, imm: i32, class: Option<Class>) {
        let dst = self.push(false);
        let at = self.emit_imm(op, dst, operand, imm);
        self.wrote(at, op, dst, class);
    }

    fn binary(&mut self, op: &Binary) {
        let fits = |value: &Value| match (value.place, op.imm) {
            (Place::Const(bits), Imm::Signed32) => (bits as i32 as u64 == bits).then_some(bits),
            (Place::Const(bits), _) => Some(bits),
            _ => None,
        };
        let (b, a) = (self.pop(), self.pop());
        let (imm, operand, reversed) = match (fits(&a), fits(&b)) {
            (_, Some(imm)) => (imm, a, false),
            (Some(imm), None) => (imm, b, true),
            (None, None) => {
                let (a, b) = (self.slot_of(a), self.slot_of(b));
                let (form, operands) = if self.in_acc(op.operand, a) {
                    (3, [0, b, 0, 0])
                } else if self.in_acc(op.operand, b) {
                    (4, [0, a, 0, 0])
                } else {
                    (0, [0, a, b, 0])
                };
                return self.result(op.forms[form], operands, false, Some(op.result));
            }
        };
        let slot = self.slot_of(operand);
        let acc = self.in_acc(op.operand, slot);
        let form = match (acc, reversed) {
            (false, false) => 1,
            (false, true) => 2,
            (true, false) => 5,
            (true, true) => 6,
        };
        self.result_imm(op.forms[form], slot, imm as i32, Some(op.result));
        if op.imm == Imm::Bits64 {
            self.cells.push(imm);
        }
    }

    fn unary(&mut self, op: &Unary) {
        let value = self.pop();
        if let (Place::Const(bits), Op::RefI31S) = (value.place, op.forms[0]) {
            return self.push_const(u64::from((bits as u32) << 1 | 1));
        }
        let slot = self.slot_of(value);
        let form = usize::from(self.in_acc(op.operand, slot));
        self.result(op.forms[form], [0, slot, 0, 0], false, Some(op.result));
    }

    fn other(&mut self, op: &O<'_>) -> Result {
        match op {
            O::Nop => {}
            O::Unreachable => {
                self.emit(Op::Unreachable, [0; 4]);
                self.unreachable();
            }
            O::Block { blockty } => self.block(blockty),
            O::Loop { blockty } => self.loop_(blockty),
            O::If { blockty } => self.if_(blockty),
            O::Else => self.else_(),
            O::End => self.end()?,
            O::Br { relative_depth } => self.br(*relative_depth),
            O::BrIf { relative_depth } => self.br_if(*relative_depth),
            O::BrTable { targets } => self.br_table(targets)?,
            O::Return => {
                self.return_();
                self.unreachable();
            }
            O::BrOnNull { relative_depth } => {
                let value = self.pop();
                let value = self.readable(value);
                let slot = self.slot_of(value);
                self.branch_when(*relative_depth, |this, when, back| {
                    this.branch_on_null(slot, when, back)
                });
                self.push_again(value);
            }
            O::BrOnNonNull { relative_depth } => {
                let value = self.pop();
                let value = self.readable(value);
                let slot = self.slot_of(value);
                self.push_again(value);
                self.branch_when(*relative_depth, |this, when, back| {
                    this.branch_on_null(slot, !when, back)
                });
                self.pop();
            }

            O::TryTable { try_table } => self.try_table(try_table),
            O::Throw { tag_index } => self.throw(*tag_index),
            O::ThrowRef => self.throw_ref(),
            O::Try { blockty } => self.try_(blockty),
            O::Catch { tag_index } => self.catch(Some(*tag_index)),
            O::CatchAll => self.catch(None),
            O::Rethrow { relative_depth } => self.rethrow(*relative_depth),
            O::Delegate { relative_depth } => self.delegate(*relative_depth)?,

            O::Drop => {
                self.pop();
            }
            O::Select | O::TypedSelect { .. } => self.select(),

            O::LocalGet { local_index } => self.push_local(*local_index),
            O::LocalSet { local_index } => {
                let value = self.pop();
                self.set_local(*local_index, value);
            }
            O::LocalTee { local_index } => {
                let value = self.pop();
                self.set_local(*local_index, value);
                match value.place {
                    Place::Const(_) => self.push_again(value),
                    _ => self.push_local(*local_index),
                }
            }
            O::GlobalGet { global_index } => {
                let wide = self.module.globals[*global_index as usize].ty.value.slots() == 2;
                if wide {
                    let dst = self.push(true);
                    let at = self.emit_imm(Op::GlobalGetV, dst, 0, *global_index as i32);
                    self.clobber(dst + 1);
                    self.wrote(at, Op::GlobalGetV, dst, None);
                } else {
                    let (op, index) =
                        self.global(*global_index, Op::GlobalGet, Op::GlobalGetImported);
                    self.result_imm(op, 0, index, Some(Class::Int));
                }
            }
            O::GlobalSet { global_index } => {
                let value = self.pop();
                let slot = self.slot_of(value);
                let (op, index) = match value.wide {
                    true => (Op::GlobalSetV, *global_index as i32),
                    false => self.global(*global_index, Op::GlobalSet, Op::GlobalSetImported),
                };
                self.emit_imm(op, slot, 0, index);
            }

            O::TableGet { table } => {
                let index = self.pop_slot();
                self.result_imm(Op::TableGet, index, *table as i32, Some(Class::Int));
            }
            O::TableSet { table } => {
                let (value, index) = (self.pop_slot(), self.pop_slot());
                self.emit_imm(Op::TableSet, index, value, *table as i32);
            }
            O::TableSize { table } => {
                self.result_imm(Op::TableSize, 0, *table as i32, Some(Class::Int));
            }
            O::TableGrow { table } => {
                let (delta, init) = (self.pop_slot(), self.pop_slot());
                self.result(Op::TableGrow, [0, init, delta, 0], false, Some(Class::Int));
                self.cells.push(u64::from(*table));
            }
            O::TableFill { table } => self.bulk(Op::TableFill, u64::from(*table)),
            O::TableCopy { dst_table, src_table } => {
                self.bulk(Op::TableCopy, both(*dst_table, *src_table));
            }
            O::TableInit { elem_index, table } => {
                self.bulk(Op::TableInit, both(*table, *elem_index));
            }
            O::ElemDrop { elem_index } => {
                self.emit_imm(Op::ElemDrop, 0, 0, *elem_index as i32);
            }

            O::MemorySize { mem } => {
                self.result_imm(Op::MemorySize, 0, *mem as i32, Some(Class::Int));
            }
            O::MemoryGrow { mem } => {
                let delta = self.pop_slot();
                self.result_imm(Op::MemoryGrow, delta, *mem as i32, Some(Class::Int));
            }
            O::MemoryFill { mem } => self.bulk(Op::MemoryFill, u64::from(*mem)),
            O::MemoryCopy { dst_mem, src_mem } => {
                self.bulk(Op::MemoryCopy, both(*dst_mem, *src_mem));
            }
            O::MemoryInit { data_index, mem } => {
                self.bulk(Op::MemoryInit, both(*mem, *data_index));
            }
            O::DataDrop { data_index } => {
                self.emit_imm(Op::DataDrop, 0, 0, *data_index as i32);
            }

            O::I32Const { value } => self.push_const(u64::from(*value as u32)),
            O::I64Const { value } => self.push_const(*value as u64),
            O::F32Const { value } => self.push_const(u64::from(value.bits())),
            O::F64Const { value } => self.push_const(value.bits()),
            O::I32Eqz => self.is_zero(&O::I32Eq),
            O::I64Eqz => self.is_zero(&O::I64Eq),
            O::RefIsNull => self.is_zero(&O::I64Eq),
            O::RefNull { .. } => self.push_const(0),
            O::RefFunc { function_index } => {
                self.result_imm(Op::RefFunc, 0, *function_index as i32, Some(Class::Int));
            }
            O::RefAsNonNull => {
                let value = self.pop();
                let value = self.readable(value);
                let slot = self.slot_of(value);
                self.emit(Op::RefAsNonNull, [slot, 0, 0, 0]);
                self.push_again(value);
            }

            O::V128Const { value } => {
                self.result(Op::ConstV, [0; 4], true, None);
                let bits = value.i128() as u128;
                self.cells.extend([bits as u64, (bits >> 64) as u64]);
            }
            O::V128Load { memarg } => {
                let address = self.pop_slot();
                let dst = self.push(true);
                let (op, at) = if self.near(memarg) {
                    let offset = memarg.offset as i32;
                    (Op::V128Load, self.emit_imm(Op::V128Load, dst, address, offset))
                } else {
                    let operands = [dst, address, memory_of(memarg) as i16, 0];
                    let op = match self.shared(memarg) {
                        true => Op::V128LoadShared,
                        false => Op::V128LoadAt,
                    };
                    let at = self.emit(op, operands);
                    self.cells.push(memarg.offset);
                    (op, at)
                };
                self.clobber(dst + 1);
                self.wrote(at, op, dst, None);
            }
            O::V128Store { memarg } => {
                let (value, address) = (self.pop_slot(), self.pop_slot());
                if self.near(memarg) {
                    self.emit_imm(Op::V128Store, address, value, memarg.offset as i32);
                } else {
                    let op = match self.shared(memarg) {
                        true => Op::V128StoreShared,
                        false => Op::V128StoreAt,
                    };
                    self.emit(op, [address, value, memory_of(memarg) as i16, 0]);
                    self.cells.push(memarg.offset);
                }
            }
            O::I64Add128 => self.wide(Op::I64Add128, 4),
            O::I64Sub128 => self.wide(Op::I64Sub128, 4),
            O::I64MulWideS => self.wide(Op::I64MulWideS, 2),
            O::I64MulWideU => self.wide(Op::I64MulWideU, 2),
            O::AtomicFence { .. } => {
                self.emit(Op::AtomicFence, [0; 4]);
            }
            _ if self.calls(op) || self.gc(op)? => {}
            _ => return Err(TranslateError::Unsupported(self.offset)),
        }
        Ok(())
    }

    /// `x == 0`; the result of an integer comparison is negated in place.
    fn is_zero(&mut self, equal: &O<'_>) {
        if let Some(Value { place: Place::Own, slot, .. }) = self.values.last()
            && let Some(last) = &self.last
            && last.dst == *slot
            && let Some(negated) = negation(last.op)
        {
            return self.replace_last(negated);
        }
        self.push_const(0);
        if let Some(Family::Binary(op)) = family(equal) {
            self.binary(op);
        }
    }

    /// Whether two references are the same.
    pub(super) fn equal(&mut self) {
        if let Some(Family::Binary(op)) = family(&O::I64Eq) {
            self.binary(op);
        }
    }

    fn select(&mut self) {
        let (condition, b, a) = (self.pop(), self.pop(), self.pop());
        let wide = a.wide;
        // Constants move first: they use the accumulator.
        let (a, b) = (self.slot_of(a), self.slot_of(b));
        let condition = self.slot_of(condition);
        if wide {
            return self.result(Op::SelectV, [0, a, b, condition], true, None);
        }
        let op = match self.in_acc(Class::Int, condition) {
            true => Op::SelectA,
            false => Op::Select,
        };
        self.result(op, [0, a, b, condition], false, Some(Class::Int));
    }

    fn bulk(&mut self, op: Op, cell: u64) {
        let (c, b, a) = (self.pop(), self.pop(), self.pop());
        let operands = [self.slot_of(a), self.slot_of(b), self.slot_of(c), 0];
        self.emit(op, operands);
        self.cells.push(cell);
    }

    /// The operation for a global and its index there.
    fn global(&self, index: u32, own: Op, imported: Op) -> (Op, i32) {
        match index.checked_sub(self.module.imported_globals) {
            Some(index) => (own, index as i32),
            None => (imported, index as i32),
        }
    }
}
