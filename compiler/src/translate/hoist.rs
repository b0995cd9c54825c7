//! Checks of 64-bit addresses that leave loops. A loop that walks over memory reads or writes through a pointer in every
//! round and then moves it on by little. When the first pointer lies below the end of what is reserved, so do all: that
//! an access did not fault says that its pointer was within the memory, and the guard behind the reservation is wider
//! than the step. Such a check moves to where the loop is entered.
//!
//! Invariant: a check moves only over what neither writes nor traps for another reason, so that a guest sees the same.

use cranelift_codegen::cursor::{Cursor, FuncCursor};
use cranelift_codegen::flowgraph::ControlFlowGraph;
use cranelift_codegen::ir::{
    Block, BlockArg, Function, Inst, InstBuilder, InstructionData, Opcode, TrapCode, Value,
    ValueDef, condcodes::IntCC,
};
use lithe_types::TrapKind;

use super::Translator;
use crate::folded;

/// How far beyond the end of what is reserved for a memory accesses still fault: a pointer, a step and a constant
/// offset together reach less far.
pub(super) const SLACK: u64 = 1 << 31;

/// A loop, and checks in its first block.
pub(super) struct Round {
    header: Block,
    /// The jump that enters it.
    entry: Inst,
    /// The end of what is reserved, as known there.
    end: Value,
    checks: Vec<Check>,
}

/// A trap unless a pointer lies below the end.
struct Check {
    trap: Inst,
    pointer: Value,
    /// The offset of the access from it.
    offset: u64,
}

impl Translator<'_> {
    /// Before a loop: the end of what is reserved for memories with 64-bit addresses, if there are such.
    pub(super) fn end_for_loop(&mut self) -> Option<Value> {
        let memories = &self.env.module.memories;
        let wide = memories.iter().any(|ty| ty.is64 && self.env.guarded(ty));
        (wide && !self.traps_by_calls()).then(|| self.word(lithe_runtime::abi::WIDE_END))
    }

    /// A loop begins, entered by the jump that was made last.
    pub(super) fn note_loop(&mut self, header: Block, entry: Option<Inst>, end: Option<Value>) {
        if let (Some(entry), Some(end)) = (entry, end) {
            self.rounds.push(Round { header, entry, end, checks: Vec::new() });
        }
    }

    /// The last instruction of the current block traps unless `pointer` lies below the end.
    pub(super) fn note_check(&mut self, pointer: Value, offset: u64) {
        let Some(round) = self.rounds.last_mut() else { return };
        if self.b.current_block() == Some(round.header)
            && let Some(trap) = self.b.func.layout.last_inst(round.header)
        {
            round.checks.push(Check { trap, pointer, offset });
        }
    }

    /// The pointer that `value` lies a constant above of, which is less than the slack.
    pub(super) fn pointer_below(&self, value: Value) -> Option<(Value, u64)> {
        let (a, b) = added(self.b.func, value)?;
        let step = |value| constant(self.b.func, value);
        step(b).map(|step| (a, step)).or_else(|| step(a).map(|step| (b, step)))
    }

    /// Moves the checks of all loops; the function is complete.
    pub(super) fn hoist_checks(&mut self) {
        if self.rounds.iter().all(|round| round.checks.is_empty()) {
            return;
        }
        let graph = ControlFlowGraph::with_function(self.b.func);
        for round in std::mem::take(&mut self.rounds) {
            round.hoist(self.b.func, &graph);
        }
    }
}

impl Round {
    fn hoist(self, func: &mut Function, graph: &ControlFlowGraph) {
        let free = movable(func, self.header);
        for Check { trap, pointer, offset } in &self.checks {
            if free.contains(trap)
                && let Some(first) = self.first_pointer(func, graph, *pointer, *offset)
            {
                let place = func.srcloc(*trap);
                let mut cursor = FuncCursor::new(func).at_inst(self.entry).with_srcloc(place);
                let (above, code) =
                    (IntCC::UnsignedGreaterThanOrEqual, TrapKind::MemoryOutOfBounds);
                let out = cursor.ins().icmp(above, first, self.end);
                cursor.ins().trapnz(out, TrapCode::unwrap_user(code as u8));
                func.layout.remove_inst(*trap);
            }
        }
    }

    /// What the pointer is when the loop is entered, when in later rounds it is at most little above one that was used.
    fn first_pointer(
        &self,
        func: &Function,
        graph: &ControlFlowGraph,
        pointer: Value,
        offset: u64,
    ) -> Option<Value> {
        let pointer = func.dfg.resolve_aliases(pointer);
        let place = match func.dfg.value_def(pointer) {
            ValueDef::Param(block, place) if block == self.header => place,
            ValueDef::Param(..) => return Some(pointer),
            ValueDef::Result(inst, _) => {
                return (func.layout.inst_block(inst) != Some(self.header)).then_some(pointer);
            }
            ValueDef::Union(..) => return None,
        };
        let mut first = None;
        for pred in graph.pred_iter(self.header) {
            let dfg = &func.dfg;
            let calls = dfg.insts[pred.inst]
                .branch_destination(&dfg.jump_tables, &dfg.exception_tables)
                .iter()
                .filter(|call| call.block(&dfg.value_lists) == self.header);
            for call in calls {
                let Some(BlockArg::Value(next)) = call.args(&dfg.value_lists).nth(place) else {
                    return None;
                };
                match pred.inst == self.entry {
                    true => first = Some(next),
                    false if steps(func, next, pointer, 3)? + offset <= SLACK => {}
                    false => return None,
                }
            }
        }
        first
    }
}

/// The checks of a block that come before anything which a guest could tell them from.
fn movable(func: &Function, block: Block) -> Vec<Inst> {
    let memory = TrapCode::unwrap_user(TrapKind::MemoryOutOfBounds as u8);
    let mut found = Vec::new();
    for inst in func.layout.block_insts(block) {
        let data = &func.dfg.insts[inst];
        let opcode = data.opcode();
        match data {
            InstructionData::CondTrap { code, .. } if *code == memory => found.push(inst),
            InstructionData::Load { .. } => {
                let flags = data.memflags().map(|flags| func.dfg.mem_flags[flags]);
                let code = flags.and_then(|flags| flags.trap_code());
                if code.is_some_and(|code| code != memory && !folded::is_number(code)) {
                    break;
                }
            }
            _ if matches!(opcode, Opcode::GetPinnedReg | Opcode::Nop) => {}
            _ if opcode.can_trap()
                || opcode.can_store()
                || opcode.is_call()
                || opcode.is_terminator()
                || opcode.other_side_effects() =>
            {
                break;
            }
            _ => {}
        }
    }
    found
}

/// The terms of a sum.
fn added(func: &Function, value: Value) -> Option<(Value, Value)> {
    let value = func.dfg.resolve_aliases(value);
    let inst = func.dfg.value_def(value).inst()?;
    match func.dfg.insts[inst] {
        InstructionData::Binary { opcode: Opcode::Iadd, args: [a, b] } => Some((a, b)),
        _ => None,
    }
}

/// A constant that is less than the slack.
fn constant(func: &Function, value: Value) -> Option<u64> {
    let inst = func.dfg.value_def(func.dfg.resolve_aliases(value)).inst()?;
    match func.dfg.insts[inst] {
        InstructionData::UnaryImm { opcode: Opcode::Iconst, imm } => {
            u64::try_from(imm.bits()).ok().filter(|step| *step <= SLACK)
        }
        _ => None,
    }
}

/// How far `next` lies above `pointer` at most.
fn steps(func: &Function, next: Value, pointer: Value, depth: u32) -> Option<u64> {
    let next = func.dfg.resolve_aliases(next);
    if next == pointer {
        return Some(0);
    }
    let depth = depth.checked_sub(1)?;
    if let Some((a, b)) = added(func, next) {
        let either = |a, b| Some(steps(func, a, pointer, depth)? + most(func, b, 4)?);
        return either(a, b).or_else(|| either(b, a)).filter(|step| *step <= SLACK);
    }
    let inst = func.dfg.value_def(next).inst()?;
    match func.dfg.insts[inst] {
        InstructionData::Ternary { opcode: Opcode::Select, args: [_, a, b] } => {
            Some(steps(func, a, pointer, depth)?.max(steps(func, b, pointer, depth)?))
        }
        _ => None,
    }
}

/// The most that a value can be, when that is little.
fn most(func: &Function, value: Value, depth: u32) -> Option<u64> {
    let depth = depth.checked_sub(1)?;
    if let Some(known) = constant(func, value) {
        return Some(known);
    }
    let value = func.dfg.resolve_aliases(value);
    let inst = func.dfg.value_def(value).inst()?;
    match func.dfg.insts[inst] {
        InstructionData::IntCompare { .. } => Some(1),
        InstructionData::Unary { opcode: Opcode::Uextend, arg } => most(func, arg, depth),
        InstructionData::Binary { opcode: Opcode::Ishl, args: [a, b] } => {
            let by = u32::try_from(constant(func, b)?).ok().filter(|by| *by < 31)?;
            Some(most(func, a, depth)? << by).filter(|most| *most <= SLACK)
        }
        _ => None,
    }
}
