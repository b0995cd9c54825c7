//! Linear memories: addresses, loads and stores, and operators on whole memories (Core specification, section
//! 4.4.7). Invariant: an access that is not within the memory's size traps before anything is read or written, by
//! a comparison or by the pages behind the memory.

use cranelift_codegen::ir::{
    Endianness, InstBuilder, MemFlagsData, Type, Value, condcodes::IntCC, types,
};
use lithe_parser::{MemArg, MemArgTarget, Operator};
use lithe_runtime::{Memory, abi, abi::Builtin};
use lithe_types::{MemoryType, TrapKind};

use super::{Translator, context::Region, hoist::SLACK};
use crate::folded;

type O<'a> = Operator<'a>;

/// Where an access goes: a pointer and a constant offset from it.
#[derive(Clone, Copy)]
struct Place {
    pointer: Value,
    offset: i32,
    flags: MemFlagsData,
}

/// How a scalar load extends what it reads.
#[derive(Clone, Copy)]
enum Extension {
    Full,
    Signed(u8),
    Unsigned(u8),
}

impl Translator<'_> {
    pub(super) fn memory_type(&self, memory: u32) -> MemoryType {
        self.env.module.memories[memory as usize]
    }

    /// The record of a memory.
    fn memory_record(&mut self, memory: u32) -> Value {
        self.word(self.env.context.memory(memory))
    }

    /// The first byte of a memory.
    fn memory_base(&mut self, memory: u32) -> Value {
        if memory == 0 && self.env.below_memory() {
            return self.context();
        }
        let record = self.memory_record(memory);
        let offset = core::mem::offset_of!(Memory, base) as i32;
        let ty = self.memory_type(memory);
        // Only memories whose guard the code relies on never move.
        if self.env.guarded(&ty) || ty.shared {
            return self.constant(types::I64, record, offset);
        }
        let flags = self.flags(Region::Records);
        self.b.ins().load(types::I64, flags, record, offset)
    }

    fn memory_len(&mut self, memory: u32) -> Value {
        let record = self.memory_record(memory);
        let flags = self.flags(Region::Records);
        self.b.ins().load(types::I64, flags, record, core::mem::offset_of!(Memory, len) as i32)
    }

    pub(super) fn memory_of(memarg: &MemArg) -> u32 {
        match memarg.target {
            MemArgTarget::Memory(index) => index,
            // Access to arrays is a proposal that no feature of Lithe enables.
            MemArgTarget::Array(_) => 0,
        }
    }

    /// Pops an address; the place of an access of `bytes` bytes there, checked.
    fn place(&mut self, memarg: &MemArg, bytes: u32) -> Place {
        let index = self.pop();
        self.place_at(index, memarg, bytes)
    }

    /// As [`Translator::place`], for a load.
    fn load_place(&mut self, memarg: &MemArg, bytes: u32) -> Place {
        let place = self.place(memarg, bytes);
        if !self.env.folds_loads() {
            return place;
        }
        self.loads += 1;
        let number = folded::numbered(self.loads);
        Place { flags: place.flags.with_trap_code(Some(number)), ..place }
    }

    fn place_at(&mut self, index: Value, memarg: &MemArg, bytes: u32) -> Place {
        let memory = Translator::memory_of(memarg);
        let ty = self.memory_type(memory);
        let flags = self.memory_flags();
        let wide = match ty.is64 {
            true => index,
            false => self.b.ins().uextend(types::I64, index),
        };
        if self.env.guarded(&ty)
            && let Ok(offset) = i32::try_from(memarg.offset)
        {
            if ty.is64 {
                self.check_address(memory, index, memarg.offset);
            }
            let base = self.memory_base(memory);
            let pointer = self.b.ins().iadd(base, wide);
            return Place { pointer, offset, flags };
        }
        self.check(memory, index, wide, memarg.offset, bytes);
        let base = self.memory_base(memory);
        let mut pointer = self.b.ins().iadd(base, wide);
        let offset = i32::try_from(memarg.offset).unwrap_or_else(|_| {
            pointer = self.b.ins().iadd_imm_u(pointer, memarg.offset as i64);
            0
        });
        Place { pointer, offset, flags }
    }

    /// Traps unless `index` is below the end of what is reserved for a memory with 64-bit addresses.
    fn check_address(&mut self, memory: u32, index: Value, offset: u64) {
        if self.bounds.proves(memory, index, 0) {
            return;
        }
        if let Some((pointer, step)) = self.pointer_below(index)
            && step + offset <= SLACK
            && self.bounds.proves(memory, pointer, 0)
        {
            return;
        }
        let end = self.word(abi::WIDE_END);
        let out = self.b.ins().icmp(IntCC::UnsignedGreaterThanOrEqual, index, end);
        self.trap_if(out, TrapKind::MemoryOutOfBounds);
        self.note_check(index, offset);
        self.bounds.note(memory, index, 0);
    }

    /// Traps unless `index + offset + bytes` is within the memory; `wide` is `index` with 64 bits.
    fn check(&mut self, memory: u32, index: Value, wide: Value, offset: u64, bytes: u32) {
        let ty = self.memory_type(memory);
        // A fault that the fuzzer must find: the last byte of an access may be one too far.
        let bytes = if cfg!(lithe_fault_native) { bytes - 1 } else { bytes };
        let Some(reach) = offset.checked_add(u64::from(bytes)) else {
            let always = self.b.ins().iconst(types::I8, 1);
            return self.trap_if(always, TrapKind::MemoryOutOfBounds);
        };
        if self.bounds.proves(memory, index, reach) {
            return;
        }
        let len = self.memory_len(memory);
        let out = self.outside(&ty, wide, reach, len);
        if ty.shared {
            // Another thread may have grown it since its size was read.
            let (cold, next) = (self.b.create_block(), self.b.create_block());
            self.b.set_cold_block(cold);
            self.b.ins().brif(out, cold, &[], next, &[]);
            self.continue_in(cold);
            self.forget_context();
            let len = self.shared_len(memory);
            let out = self.outside(&ty, wide, reach, len);
            self.trap_if(out, TrapKind::MemoryOutOfBounds);
            self.b.ins().jump(next, &[]);
            self.continue_in(next);
            self.forget_context();
        } else {
            self.trap_if(out, TrapKind::MemoryOutOfBounds);
        }
        self.bounds.note(memory, index, reach);
    }

    /// Whether `index + reach` is beyond `len`.
    fn outside(&mut self, ty: &MemoryType, index: Value, reach: u64, len: Value) -> Value {
        let reach_value = self.b.ins().iconst(types::I64, reach as i64);
        if !ty.is64 {
            let end = self.b.ins().iadd(index, reach_value);
            return self.b.ins().icmp(IntCC::UnsignedGreaterThan, end, len);
        }
        // Where the memory may be smaller than the reach, the difference may wrap.
        let last = self.b.ins().isub(len, reach_value);
        let out = self.b.ins().icmp(IntCC::UnsignedGreaterThan, index, last);
        if reach <= ty.limits.min.checked_shl(u32::from(ty.page_log2)).unwrap_or(0) {
            return out;
        }
        let small = self.b.ins().icmp(IntCC::UnsignedLessThan, len, reach_value);
        self.b.ins().bor(small, out)
    }

    /// The size in bytes of a shared memory as it is now.
    fn shared_len(&mut self, memory: u32) -> Value {
        let number = self.b.ins().iconst(types::I32, i64::from(memory));
        self.builtin(Builtin::memory_len, &[number]).unwrap_or(number)
    }

    /// Pops an address; where an atomic access of `bytes` bytes goes, checked and aligned.
    pub(super) fn address(&mut self, memarg: &MemArg, bytes: u32) -> (Value, MemFlagsData) {
        let index = self.pop();
        if bytes > 1 {
            let is64 = self.memory_type(Translator::memory_of(memarg)).is64;
            let wide = match is64 {
                true => index,
                false => self.b.ins().uextend(types::I64, index),
            };
            let effective = self.b.ins().iadd_imm_u(wide, memarg.offset as i64);
            if is64 && memarg.offset != 0 {
                // An address that wraps is out of bounds before it is unaligned.
                let wraps = self.b.ins().icmp(IntCC::UnsignedLessThan, effective, index);
                self.trap_if(wraps, TrapKind::MemoryOutOfBounds);
            }
            let low = self.b.ins().band_imm_u(effective, i64::from(bytes - 1));
            self.trap_if(low, TrapKind::UnalignedAtomic);
        }
        let place = self.place_at(index, memarg, bytes);
        let pointer = match place.offset {
            0 => place.pointer,
            offset => self.b.ins().iadd_imm_u(place.pointer, i64::from(offset)),
        };
        (pointer, place.flags)
    }

    fn load(&mut self, memarg: &MemArg, ty: Type, extend: Extension) {
        let bytes = match extend {
            Extension::Full => ty.bytes(),
            Extension::Signed(bytes) | Extension::Unsigned(bytes) => u32::from(bytes),
        };
        let Place { pointer, offset, flags } = self.load_place(memarg, bytes);
        let ins = self.b.ins();
        let value = match extend {
            Extension::Full => ins.load(ty, flags, pointer, offset),
            Extension::Signed(1) => ins.sload8(ty, flags, pointer, offset),
            Extension::Signed(2) => ins.sload16(ty, flags, pointer, offset),
            Extension::Signed(_) => ins.sload32(flags, pointer, offset),
            Extension::Unsigned(1) => ins.uload8(ty, flags, pointer, offset),
            Extension::Unsigned(2) => ins.uload16(ty, flags, pointer, offset),
            Extension::Unsigned(_) => ins.uload32(flags, pointer, offset),
        };
        self.push(value);
    }

    fn store(&mut self, memarg: &MemArg, bytes: u32) {
        let value = self.pop();
        let whole = self.b.func.dfg.value_type(value).bytes() == bytes;
        let place = self.place(memarg, bytes);
        self.probe(memarg, place, bytes);
        let Place { pointer, offset, mut flags } = place;
        if let Some(number) = folded::changed(self.b.func, value) {
            // Only accesses that trap alike become one instruction.
            flags = flags.with_trap_code(Some(number));
        }
        let ins = self.b.ins();
        match bytes {
            1 => ins.istore8(flags, value, pointer, offset),
            2 => ins.istore16(flags, value, pointer, offset),
            4 if !whole => ins.istore32(flags, value, pointer, offset),
            _ => ins.store(flags, value, pointer, offset),
        };
    }

    /// Loads and stores; `false` when the operator is none.
    pub(super) fn access(&mut self, op: &O<'_>) -> bool {
        use Extension::{Full, Signed, Unsigned};
        use types::{F32, F64, I32, I64};
        match op {
            O::I32Load { memarg } => self.load(memarg, I32, Full),
            O::I64Load { memarg } => self.load(memarg, I64, Full),
            O::F32Load { memarg } => self.load(memarg, F32, Full),
            O::F64Load { memarg } => self.load(memarg, F64, Full),
            O::I32Load8S { memarg } => self.load(memarg, I32, Signed(1)),
            O::I32Load8U { memarg } => self.load(memarg, I32, Unsigned(1)),
            O::I32Load16S { memarg } => self.load(memarg, I32, Signed(2)),
            O::I32Load16U { memarg } => self.load(memarg, I32, Unsigned(2)),
            O::I64Load8S { memarg } => self.load(memarg, I64, Signed(1)),
            O::I64Load8U { memarg } => self.load(memarg, I64, Unsigned(1)),
            O::I64Load16S { memarg } => self.load(memarg, I64, Signed(2)),
            O::I64Load16U { memarg } => self.load(memarg, I64, Unsigned(2)),
            O::I64Load32S { memarg } => self.load(memarg, I64, Signed(4)),
            O::I64Load32U { memarg } => self.load(memarg, I64, Unsigned(4)),
            O::I32Store { memarg } | O::F32Store { memarg } | O::I64Store32 { memarg } => {
                self.store(memarg, 4);
            }
            O::I64Store { memarg } | O::F64Store { memarg } => self.store(memarg, 8),
            O::I32Store8 { memarg } | O::I64Store8 { memarg } => self.store(memarg, 1),
            O::I32Store16 { memarg } | O::I64Store16 { memarg } => self.store(memarg, 2),
            O::V128Load { memarg } => self.load(memarg, types::I8X16, Full),
            O::V128Store { memarg } => self.store(memarg, 16),
            _ => return self.vector_access(op),
        }
        true
    }

    fn vector_access(&mut self, op: &O<'_>) -> bool {
        use types::{I8, I8X8, I8X16, I16, I16X4, I16X8, I32, I32X2, I32X4, I64, I64X2};
        match op {
            O::V128Load8x8S { memarg } => self.load_extend(memarg, I8X8, true),
            O::V128Load8x8U { memarg } => self.load_extend(memarg, I8X8, false),
            O::V128Load16x4S { memarg } => self.load_extend(memarg, I16X4, true),
            O::V128Load16x4U { memarg } => self.load_extend(memarg, I16X4, false),
            O::V128Load32x2S { memarg } => self.load_extend(memarg, I32X2, true),
            O::V128Load32x2U { memarg } => self.load_extend(memarg, I32X2, false),
            O::V128Load8Splat { memarg } => self.load_splat(memarg, I8, I8X16),
            O::V128Load16Splat { memarg } => self.load_splat(memarg, I16, I16X8),
            O::V128Load32Splat { memarg } => self.load_splat(memarg, I32, I32X4),
            O::V128Load64Splat { memarg } => self.load_splat(memarg, I64, I64X2),
            O::V128Load32Zero { memarg } => self.load_zero(memarg, I32, I32X4),
            O::V128Load64Zero { memarg } => self.load_zero(memarg, I64, I64X2),
            O::V128Load8Lane { memarg, lane } => self.load_lane(memarg, *lane, I8, I8X16),
            O::V128Load16Lane { memarg, lane } => self.load_lane(memarg, *lane, I16, I16X8),
            O::V128Load32Lane { memarg, lane } => self.load_lane(memarg, *lane, I32, I32X4),
            O::V128Load64Lane { memarg, lane } => self.load_lane(memarg, *lane, I64, I64X2),
            O::V128Store8Lane { memarg, lane } => self.store_lane(memarg, *lane, I8X16),
            O::V128Store16Lane { memarg, lane } => self.store_lane(memarg, *lane, I16X8),
            O::V128Store32Lane { memarg, lane } => self.store_lane(memarg, *lane, I32X4),
            O::V128Store64Lane { memarg, lane } => self.store_lane(memarg, *lane, I64X2),
            _ => return false,
        }
        true
    }

    /// A vector as lanes of another type.
    pub(super) fn lanes(&mut self, value: Value, ty: Type) -> Value {
        if self.b.func.dfg.value_type(value) == ty {
            return value;
        }
        let flags = MemFlagsData::new().with_endianness(Endianness::Little);
        self.b.ins().bitcast(ty, flags, value)
    }

    pub(super) fn push_vector(&mut self, value: Value) {
        let value = self.lanes(value, types::I8X16);
        self.push(value);
    }

    fn load_extend(&mut self, memarg: &MemArg, narrow: Type, signed: bool) {
        let Place { pointer, offset, flags } = self.load_place(memarg, 8);
        let ins = self.b.ins();
        let value = match (narrow.lane_bits(), signed) {
            (8, true) => ins.sload8x8(flags, pointer, offset),
            (8, false) => ins.uload8x8(flags, pointer, offset),
            (16, true) => ins.sload16x4(flags, pointer, offset),
            (16, false) => ins.uload16x4(flags, pointer, offset),
            (_, true) => ins.sload32x2(flags, pointer, offset),
            (_, false) => ins.uload32x2(flags, pointer, offset),
        };
        self.push_vector(value);
    }

    fn load_splat(&mut self, memarg: &MemArg, lane: Type, ty: Type) {
        let Place { pointer, offset, flags } = self.load_place(memarg, lane.bytes());
        let value = self.b.ins().load(lane, flags, pointer, offset);
        let value = self.b.ins().splat(ty, value);
        self.push_vector(value);
    }

    fn load_zero(&mut self, memarg: &MemArg, lane: Type, ty: Type) {
        let Place { pointer, offset, flags } = self.load_place(memarg, lane.bytes());
        let value = self.b.ins().load(lane, flags, pointer, offset);
        let value = self.b.ins().scalar_to_vector(ty, value);
        self.push_vector(value);
    }

    fn load_lane(&mut self, memarg: &MemArg, number: u8, lane: Type, ty: Type) {
        let vector = self.pop();
        let vector = self.lanes(vector, ty);
        let Place { pointer, offset, flags } = self.load_place(memarg, lane.bytes());
        let value = self.b.ins().load(lane, flags, pointer, offset);
        let value = self.b.ins().insertlane(vector, value, number);
        self.push_vector(value);
    }

    fn store_lane(&mut self, memarg: &MemArg, number: u8, ty: Type) {
        let vector = self.pop();
        let vector = self.lanes(vector, ty);
        let value = self.b.ins().extractlane(vector, number);
        let place = self.place(memarg, ty.lane_type().bytes());
        self.probe(memarg, place, ty.lane_type().bytes());
        let Place { pointer, offset, flags } = place;
        self.b.ins().store(flags, value, pointer, offset);
    }

    /// Reads the last byte of what a store is about to write, where the store of a processor that meets the end of the
    /// memory may have written what lies before it. A store that traps writes nothing.
    fn probe(&mut self, memarg: &MemArg, place: Place, bytes: u32) {
        let ty = self.memory_type(Translator::memory_of(memarg));
        let Place { mut pointer, offset, flags } = place;
        if bytes == 1 || !self.env.guarded(&ty) || !self.env.tears_stores() {
            return;
        }
        let last = bytes as i32 - 1;
        let offset = offset.checked_add(last).unwrap_or_else(|| {
            pointer = self.b.ins().iadd_imm_s(pointer, i64::from(offset));
            last
        });
        self.b.ins().load(types::I8, flags, pointer, offset);
    }

    /// A length or address of a memory or table, as 64 bits.
    pub(super) fn widen(&mut self, value: Value) -> Value {
        match self.b.func.dfg.value_type(value) == types::I32 {
            true => self.b.ins().uextend(types::I64, value),
            false => value,
        }
    }

    /// A size as values of the memory's or table's address type.
    pub(super) fn narrow(&mut self, value: Value, is64: bool) -> Value {
        match is64 {
            true => value,
            false => self.b.ins().ireduce(types::I32, value),
        }
    }

    pub(super) fn number(&mut self, value: u32) -> Value {
        self.b.ins().iconst(types::I32, i64::from(value))
    }

    /// Operators on whole memories; `false` when the operator is none.
    pub(super) fn whole_memory(&mut self, op: &O<'_>) -> bool {
        match *op {
            O::MemorySize { mem } => {
                let ty = self.memory_type(mem);
                let len = match ty.shared {
                    true => self.shared_len(mem),
                    false => self.memory_len(mem),
                };
                let pages = self.b.ins().ushr_imm_u(len, i64::from(ty.page_log2));
                let pages = self.narrow(pages, ty.is64);
                self.push(pages);
            }
            O::MemoryGrow { mem } => {
                let delta = self.pop();
                let (delta, number) = (self.widen(delta), self.number(mem));
                let is64 = self.memory_type(mem).is64;
                if let Some(old) = self.builtin(Builtin::memory_grow, &[number, delta]) {
                    let old = self.narrow(old, is64);
                    self.push(old);
                }
            }
            O::MemoryFill { mem } => {
                let (len, value, to) = (self.pop(), self.pop(), self.pop());
                let (len, to, number) = (self.widen(len), self.widen(to), self.number(mem));
                self.builtin(Builtin::memory_fill, &[number, to, value, len]);
            }
            O::MemoryCopy { dst_mem, src_mem } => {
                let (len, from, to) = (self.pop(), self.pop(), self.pop());
                let (len, from, to) = (self.widen(len), self.widen(from), self.widen(to));
                let (target, source) = (self.number(dst_mem), self.number(src_mem));
                self.builtin(Builtin::memory_copy, &[target, source, to, from, len]);
            }
            O::MemoryInit { data_index, mem } => {
                let (len, from, to) = (self.pop(), self.pop(), self.pop());
                let to = self.widen(to);
                let (number, segment) = (self.number(mem), self.number(data_index));
                self.builtin(Builtin::memory_init, &[number, segment, to, from, len]);
            }
            O::DataDrop { data_index } => {
                let segment = self.number(data_index);
                self.builtin(Builtin::data_drop, &[segment]);
            }
            _ => return false,
        }
        true
    }

    /// Calls the runtime; gives the result where there is one.
    pub(super) fn builtin(&mut self, builtin: Builtin, args: &[Value]) -> Option<Value> {
        self.keep_fuel();
        let signature = self.builtin_signature(builtin);
        let context = self.context();
        let vector = self.word(abi::BUILTINS);
        let code = self.constant(types::I64, vector, 8 * i32::from(builtin as u8));
        let mut all = vec![context];
        all.extend_from_slice(args);
        let call = self.b.ins().call_indirect(signature, code, &all);
        self.forget_context();
        self.b.inst_results(call).first().copied()
    }
}
