//! Operators of the threads proposal to CLIF. Called for each operator. Accesses are sequentially consistent, whether
//! the memory is shared or not. Invariant: what is accessed is aligned and within the memory.

use cranelift_codegen::ir::{
    AtomicRmwOp, InstBuilder, MemFlagsData, Type, Value,
    condcodes::IntCC,
    types::{I8, I16, I32, I64},
};
use lithe_parser::{MemArg, Operator as O};
use lithe_runtime::abi::{Arch, Builtin};
use lithe_types::TrapKind;

use super::Translator;

impl Translator<'_> {
    /// Translates an operator, or returns false when it is none of these.
    pub(super) fn atomic(&mut self, op: &O<'_>) -> bool {
        use AtomicRmwOp::{Add, And, Or, Sub, Xchg, Xor};
        match op {
            O::MemoryAtomicNotify { memarg } => self.notify(memarg),
            O::MemoryAtomicWait32 { memarg } => self.wait(memarg, Builtin::wait32),
            O::MemoryAtomicWait64 { memarg } => self.wait(memarg, Builtin::wait64),
            O::AtomicFence { .. } => {
                self.b.ins().fence();
            }

            O::I32AtomicLoad { memarg } => self.atomic_load(memarg, I32, I32),
            O::I32AtomicLoad8U { memarg } => self.atomic_load(memarg, I8, I32),
            O::I32AtomicLoad16U { memarg } => self.atomic_load(memarg, I16, I32),
            O::I64AtomicLoad { memarg } => self.atomic_load(memarg, I64, I64),
            O::I64AtomicLoad8U { memarg } => self.atomic_load(memarg, I8, I64),
            O::I64AtomicLoad16U { memarg } => self.atomic_load(memarg, I16, I64),
            O::I64AtomicLoad32U { memarg } => self.atomic_load(memarg, I32, I64),

            O::I32AtomicStore8 { memarg } | O::I64AtomicStore8 { memarg } => {
                self.atomic_store(memarg, I8);
            }
            O::I32AtomicStore16 { memarg } | O::I64AtomicStore16 { memarg } => {
                self.atomic_store(memarg, I16);
            }
            O::I32AtomicStore { memarg } | O::I64AtomicStore32 { memarg } => {
                self.atomic_store(memarg, I32);
            }
            O::I64AtomicStore { memarg } => self.atomic_store(memarg, I64),

            O::I32AtomicRmwAdd { memarg } => self.rmw(memarg, I32, Add),
            O::I32AtomicRmwSub { memarg } => self.rmw(memarg, I32, Sub),
            O::I32AtomicRmwAnd { memarg } => self.rmw(memarg, I32, And),
            O::I32AtomicRmwOr { memarg } => self.rmw(memarg, I32, Or),
            O::I32AtomicRmwXor { memarg } => self.rmw(memarg, I32, Xor),
            O::I32AtomicRmwXchg { memarg } => self.rmw(memarg, I32, Xchg),
            O::I32AtomicRmwCmpxchg { memarg } => self.cmpxchg(memarg, I32),
            O::I64AtomicRmwAdd { memarg } => self.rmw(memarg, I64, Add),
            O::I64AtomicRmwSub { memarg } => self.rmw(memarg, I64, Sub),
            O::I64AtomicRmwAnd { memarg } => self.rmw(memarg, I64, And),
            O::I64AtomicRmwOr { memarg } => self.rmw(memarg, I64, Or),
            O::I64AtomicRmwXor { memarg } => self.rmw(memarg, I64, Xor),
            O::I64AtomicRmwXchg { memarg } => self.rmw(memarg, I64, Xchg),
            O::I64AtomicRmwCmpxchg { memarg } => self.cmpxchg(memarg, I64),

            O::I32AtomicRmw8AddU { memarg } | O::I64AtomicRmw8AddU { memarg } => {
                self.rmw(memarg, I8, Add);
            }
            O::I32AtomicRmw8SubU { memarg } | O::I64AtomicRmw8SubU { memarg } => {
                self.rmw(memarg, I8, Sub);
            }
            O::I32AtomicRmw8AndU { memarg } | O::I64AtomicRmw8AndU { memarg } => {
                self.rmw(memarg, I8, And);
            }
            O::I32AtomicRmw8OrU { memarg } | O::I64AtomicRmw8OrU { memarg } => {
                self.rmw(memarg, I8, Or);
            }
            O::I32AtomicRmw8XorU { memarg } | O::I64AtomicRmw8XorU { memarg } => {
                self.rmw(memarg, I8, Xor);
            }
            O::I32AtomicRmw8XchgU { memarg } | O::I64AtomicRmw8XchgU { memarg } => {
                self.rmw(memarg, I8, Xchg);
            }
            O::I32AtomicRmw8CmpxchgU { memarg } | O::I64AtomicRmw8CmpxchgU { memarg } => {
                self.cmpxchg(memarg, I8);
            }
            O::I32AtomicRmw16AddU { memarg } | O::I64AtomicRmw16AddU { memarg } => {
                self.rmw(memarg, I16, Add);
            }
            O::I32AtomicRmw16SubU { memarg } | O::I64AtomicRmw16SubU { memarg } => {
                self.rmw(memarg, I16, Sub);
            }
            O::I32AtomicRmw16AndU { memarg } | O::I64AtomicRmw16AndU { memarg } => {
                self.rmw(memarg, I16, And);
            }
            O::I32AtomicRmw16OrU { memarg } | O::I64AtomicRmw16OrU { memarg } => {
                self.rmw(memarg, I16, Or);
            }
            O::I32AtomicRmw16XorU { memarg } | O::I64AtomicRmw16XorU { memarg } => {
                self.rmw(memarg, I16, Xor);
            }
            O::I32AtomicRmw16XchgU { memarg } | O::I64AtomicRmw16XchgU { memarg } => {
                self.rmw(memarg, I16, Xchg);
            }
            O::I32AtomicRmw16CmpxchgU { memarg } | O::I64AtomicRmw16CmpxchgU { memarg } => {
                self.cmpxchg(memarg, I16);
            }
            O::I64AtomicRmw32AddU { memarg } => self.rmw(memarg, I32, Add),
            O::I64AtomicRmw32SubU { memarg } => self.rmw(memarg, I32, Sub),
            O::I64AtomicRmw32AndU { memarg } => self.rmw(memarg, I32, And),
            O::I64AtomicRmw32OrU { memarg } => self.rmw(memarg, I32, Or),
            O::I64AtomicRmw32XorU { memarg } => self.rmw(memarg, I32, Xor),
            O::I64AtomicRmw32XchgU { memarg } => self.rmw(memarg, I32, Xchg),
            O::I64AtomicRmw32CmpxchgU { memarg } => self.cmpxchg(memarg, I32),
            _ => return false,
        }
        true
    }

    /// The lower bits of an operand, as many as are accessed.
    fn pop_low(&mut self, access: Type) -> Value {
        let value = self.pop();
        match self.type_of(value) == access {
            true => value,
            false => self.b.ins().ireduce(access, value),
        }
    }

    /// Pushes what was read, extended with zeros.
    fn push_extended(&mut self, value: Value, ty: Type) {
        let value = match self.type_of(value) == ty {
            true => value,
            false => self.b.ins().uextend(ty, value),
        };
        self.push(value);
    }

    fn atomic_load(&mut self, memarg: &MemArg, access: Type, ty: Type) {
        let (address, flags) = self.address(memarg, access.bytes());
        let flags = self.load_flags(flags);
        let value = self.b.ins().atomic_load(access, flags, address);
        self.push_extended(value, ty);
    }

    fn atomic_store(&mut self, memarg: &MemArg, access: Type) {
        let value = self.pop_low(access);
        let (address, flags) = self.address(memarg, access.bytes());
        self.b.ins().atomic_store(flags, value, address);
    }

    /// The result has the type of the operand.
    fn rmw(&mut self, memarg: &MemArg, access: Type, op: AtomicRmwOp) {
        let ty = self.top_type();
        let value = self.pop_low(access);
        let (address, flags) = self.address(memarg, access.bytes());
        let old = self.b.ins().atomic_rmw(access, flags, op, address, value);
        self.push_extended(old, ty);
    }

    /// Only the lower bits of what is expected count.
    fn cmpxchg(&mut self, memarg: &MemArg, access: Type) {
        let ty = self.top_type();
        let value = self.pop_low(access);
        let expected = self.pop_low(access);
        let (address, flags) = self.address(memarg, access.bytes());
        let old = match self.env.target.arch {
            Arch::Riscv64 if access.bytes() < 4 => {
                self.cmpxchg_in_word(address, flags, expected, value)
            }
            // The code generator's sequence compares 64 bits of which it clears the upper half on one side only.
            // The machine's instructions of 32 bits clear it; the bits that are added here are zeros, which the
            // optimizer cannot know.
            Arch::Aarch64 if access == I32 => {
                let low = self.b.ins().ireduce(I32, address);
                let zeros = self.b.ins().band_imm_u(low, 3);
                let expected = self.b.ins().bor(expected, zeros);
                self.b.ins().atomic_cas(flags, address, expected, value)
            }
            _ => self.b.ins().atomic_cas(flags, address, expected, value),
        };
        self.push_extended(old, ty);
    }

    /// Compares and exchanges a part of an aligned word; gives the old part with zeros above. Where machines have no
    /// narrow instruction, the code generator's sequence reads the word twice, and what another thread writes in
    /// between is lost.
    fn cmpxchg_in_word(
        &mut self,
        address: Value,
        flags: MemFlagsData,
        expected: Value,
        value: Value,
    ) -> Value {
        let ones = (1 << self.type_of(value).bits()) - 1;
        let word = self.b.ins().band_imm_s(address, -4);
        let shift = self.b.ins().ishl_imm_u(address, 3);
        let shift = self.b.ins().ireduce(I32, shift);
        let ones = self.b.ins().iconst(I32, ones);
        let mask = self.b.ins().ishl(ones, shift);
        let [expected, value] = [expected, value].map(|part| {
            let part = self.b.ins().uextend(I32, part);
            self.b.ins().ishl(part, shift)
        });

        let [head, swap, done] = [(); 3].map(|()| self.b.create_block());
        let result = self.b.append_block_param(done, I32);
        self.b.ins().jump(head, &[]);

        self.switch_to(head);
        let old = self.b.ins().atomic_load(I32, flags, word);
        let part = self.b.ins().band(old, mask);
        let same = self.b.ins().icmp(IntCC::Equal, part, expected);
        self.b.ins().brif(same, swap, &[], done, &[part.into()]);

        self.b.seal_block(swap);
        self.switch_to(swap);
        let rest = self.b.ins().band_not(old, mask);
        let new = self.b.ins().bor(rest, value);
        let seen = self.b.ins().atomic_cas(flags, word, old, new);
        let same = self.b.ins().icmp(IntCC::Equal, seen, old);
        self.b.ins().brif(same, done, &[part.into()], head, &[]);

        self.b.seal_block(head);
        self.b.seal_block(done);
        self.switch_to(done);
        self.b.ins().ushr(result, shift)
    }

    fn top_type(&self) -> Type {
        self.stack.last().map_or(I32, |value| self.type_of(*value))
    }

    /// Pops an address; gives it within the memory, with the offset added. The runtime checks the rest.
    fn effective(&mut self, memarg: &MemArg) -> Value {
        let index = self.pop();
        let index = self.widen(index);
        if memarg.offset == 0 {
            return index;
        }
        let offset = self.b.ins().iconst(I64, memarg.offset.cast_signed());
        let sum = self.b.ins().iadd(index, offset);
        if self.memory_type(Translator::memory_of(memarg)).is64 {
            let wraps = self.b.ins().icmp(IntCC::UnsignedLessThan, sum, offset);
            self.trap_if(wraps, TrapKind::MemoryOutOfBounds);
        }
        sum
    }

    fn notify(&mut self, memarg: &MemArg) {
        let count = self.pop();
        let address = self.effective(memarg);
        let memory = self.number(Translator::memory_of(memarg));
        if let Some(woken) = self.builtin(Builtin::notify, &[memory, address, count]) {
            self.push(woken);
        }
    }

    fn wait(&mut self, memarg: &MemArg, builtin: Builtin) {
        let time = self.pop();
        let expected = self.pop();
        let address = self.effective(memarg);
        let memory = self.number(Translator::memory_of(memarg));
        if let Some(end) = self.builtin(builtin, &[memory, address, expected, time]) {
            self.push(end);
        }
    }
}
