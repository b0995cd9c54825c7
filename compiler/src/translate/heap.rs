//! Objects of the heap (runtime, `shape` and `gc`): where their parts are, and allocation in line, by moving the
//! cursor of the free run. `gc`, `arrays` and `casts` build on it. Invariant: the bit that says where an object
//! starts is set after everything else of the object is written. So native code may be left at any instruction: of
//! an object half made nothing is seen, and the collector runs only inside of calls.

use cranelift_codegen::ir::{
    BlockArg, Endianness, InstBuilder, InstructionData, MemFlagsData, Opcode, TrapCode, Type,
    Value, condcodes::IntCC, types,
};
use lithe_runtime::{Repr, Vm, abi};
use lithe_types::{RefType, StorageType, TrapKind, ValType};

use super::{Translator, context::Region};
use crate::env::Rare;

/// How many regions the fields of all types share: each of them costs the compiler something at each access.
const BUCKETS: u32 = 16;
/// So many stores may stand in a row where the operator does not name as many values.
pub(super) const UNROLLED: u32 = 16;

const BASE: i32 = core::mem::offset_of!(Vm, heap.base) as i32;
const CURSOR: i32 = core::mem::offset_of!(Vm, heap.cursor) as i32;
const LIMIT: i32 = core::mem::offset_of!(Vm, heap.limit) as i32;

/// A field of a struct type, or the element of an array type.
#[derive(Clone, Copy)]
pub(super) struct Field {
    /// Bytes from where the object begins, of an element those of the first one.
    pub offset: i32,
    pub repr: Repr,
    /// Of values on the operand stack.
    pub ty: Type,
    /// Whether it never holds null.
    pub never_null: bool,
    region: Region,
}

/// An object that is being made.
#[derive(Clone, Copy)]
pub(super) struct New {
    pub reference: Value,
    pub address: Value,
}

impl Translator<'_> {
    /// Where the object of a reference is, which is not null.
    pub(super) fn object(&mut self, reference: Value) -> Value {
        let heap = match self.env.shapes.is_empty() {
            false => self.word(abi::HEAP),
            // Where the module has no types of objects, the heap may get its place later.
            true => {
                let (vm, flags) = (self.vm(), self.flags(Region::Vm));
                self.b.ins().load(types::I64, flags, vm, BASE)
            }
        };
        let offset = self.b.ins().uextend(types::I64, reference);
        self.b.ins().iadd(heap, offset)
    }

    /// The id of a type in the store.
    pub(super) fn type_id(&mut self, ty: u32) -> Value {
        let ids = self.word(abi::TYPES);
        self.constant(types::I32, ids, 4 * ty as i32)
    }

    pub(super) fn field(&self, ty: u32, index: usize) -> Field {
        let field = self.env.shape(ty).fields[index];
        // Subtypes share the fields of their supertypes.
        let owner = self.env.field_owner(ty, index);
        let bucket = owner.wrapping_mul(7).wrapping_add(index as u32) % BUCKETS;
        let storage = field.ty.storage;
        Field {
            offset: field.offset as i32,
            repr: field.repr,
            ty: match (storage, field.repr) {
                (StorageType::Val(ValType::F32), _) => types::F32,
                (StorageType::Val(ValType::F64), _) => types::F64,
                (_, Repr::W64) => types::I64,
                (_, Repr::V128) => types::I8X16,
                _ => types::I32,
            },
            never_null: matches!(
                storage,
                StorageType::Val(ValType::Ref(RefType { nullable: false, .. }))
            ),
            region: Region::Fields(bucket as u8),
        }
    }

    fn field_flags(&mut self, field: Field) -> MemFlagsData {
        let flags = self.flags(field.region);
        match field.repr {
            // Vectors begin at multiples of 8.
            Repr::V128 => MemFlagsData::new()
                .with_notrap()
                .with_endianness(Endianness::Little)
                .with_alias_region(flags.alias_region()),
            _ => flags,
        }
    }

    /// Pushes the field of the object at `address`.
    pub(super) fn load_field(&mut self, field: Field, address: Value, signed: bool) {
        let flags = self.field_flags(field);
        let Field { offset, ty, .. } = field;
        let ins = self.b.ins();
        let value = match (field.repr, signed) {
            (Repr::I8, true) => ins.sload8(ty, flags, address, offset),
            (Repr::I8, false) => ins.uload8(ty, flags, address, offset),
            (Repr::I16, true) => ins.sload16(ty, flags, address, offset),
            (Repr::I16, false) => ins.uload16(ty, flags, address, offset),
            _ => ins.load(ty, flags, address, offset),
        };
        if field.never_null {
            self.never_null.insert(value);
        }
        self.push(value);
    }

    /// Writes the field of the object at `address`, `past` bytes behind its offset.
    pub(super) fn store_field(&mut self, field: Field, address: Value, past: i32, value: Value) {
        let flags = self.field_flags(field);
        let offset = field.offset + past;
        let ins = self.b.ins();
        match field.repr {
            Repr::I8 => ins.istore8(flags, value, address, offset),
            Repr::I16 => ins.istore16(flags, value, address, offset),
            _ => ins.store(flags, value, address, offset),
        };
    }

    /// The length of the array at `address`.
    pub(super) fn load_length(&mut self, address: Value) -> Value {
        let flags = self.flags(Region::Lengths);
        self.b.ins().load(types::I32, flags, address, 4)
    }

    /// The type id of the object at `address`.
    pub(super) fn load_id(&mut self, address: Value) -> Value {
        let flags = self.flags(Region::Headers);
        self.b.ins().load(types::I32, flags, address, 0)
    }

    /// The number that a value is known to be.
    pub(super) fn known(&self, value: Value) -> Option<u32> {
        let dfg = &self.b.func.dfg;
        let inst = dfg.value_def(dfg.resolve_aliases(value)).inst()?;
        match dfg.insts[inst] {
            InstructionData::UnaryImm { opcode: Opcode::Iconst, imm } => Some(imm.bits() as u32),
            _ => None,
        }
    }

    /// The cursor, and where an object of so many bytes would end that began there; whether that is too far.
    pub(super) fn try_bump(&mut self, vm: Value, bytes: Value) -> (Value, Value, Value) {
        let (flags, vm_flags) = (self.flags(Region::Cursor), self.flags(Region::Vm));
        let reference = self.b.ins().load(types::I32, flags, vm, CURSOR);
        let limit = self.b.ins().uload32(vm_flags, vm, LIMIT);
        // Cursor and size have less than 33 bits.
        let start = self.b.ins().uextend(types::I64, reference);
        let end = self.b.ins().iadd(start, bytes);
        (reference, end, self.b.ins().icmp(IntCC::UnsignedGreaterThan, end, limit))
    }

    /// Takes what lies before `end` from the free run.
    pub(super) fn take(&mut self, vm: Value, reference: Value, end: Value) -> New {
        let flags = self.flags(Region::Cursor);
        let cursor = self.b.ins().ireduce(types::I32, end);
        self.b.ins().store(flags, cursor, vm, CURSOR);
        New { reference, address: self.object(reference) }
    }

    /// Begins an object of so many bytes, a multiple of 8; makes room for it where there is none.
    pub(super) fn begin_object(&mut self, bytes: u64) -> New {
        let vm = self.vm();
        let size = self.b.ins().iconst(types::I64, bytes as i64);
        let (reference, _, full) = self.try_bump(vm, size);
        let (cold, next) = (self.b.create_block(), self.b.create_block());
        self.b.append_block_param(next, types::I32);
        self.b.set_cold_block(cold);
        self.b.ins().brif(full, cold, &[], next, &[reference.into()]);
        let known = self.block_context;
        self.continue_in(cold);
        self.rare(Rare::MakeRoom, &[size]);
        let flags = self.flags(Region::Cursor);
        let reference = self.b.ins().load(types::I32, flags, vm, CURSOR);
        self.b.ins().jump(next, &[reference.into()]);
        self.continue_in(next);
        self.block_context = known;
        let reference = self.b.block_params(next)[0];
        let start = self.b.ins().uextend(types::I64, reference);
        let end = self.b.ins().iadd(start, size);
        self.take(vm, reference, end)
    }

    /// Writes the header of a struct.
    pub(super) fn struct_header(&mut self, new: New, ty: u32) {
        let flags = self.flags(Region::Headers);
        let id = self.type_id(ty);
        let header = self.b.ins().uextend(types::I64, id);
        self.b.ins().store(flags, header, new.address, 0);
    }

    /// Writes the header of an array.
    pub(super) fn array_header(&mut self, new: New, ty: u32, len: Value) {
        let (headers, lengths) = (self.flags(Region::Headers), self.flags(Region::Lengths));
        let id = self.type_id(ty);
        self.b.ins().store(headers, id, new.address, 0);
        self.b.ins().store(lengths, len, new.address, 4);
    }

    /// Ends an object: lets it be seen, and pushes what refers to it.
    pub(super) fn end_object(&mut self, new: New) {
        self.publish(new);
        self.never_null.insert(new.reference);
        self.push(new.reference);
    }

    pub(super) fn publish(&mut self, new: New) {
        let starts = self.word(abi::STARTS);
        let offset = self.b.ins().uextend(types::I64, new.reference);
        let word = self.b.ins().ushr_imm_u(offset, 6);
        let word = self.b.ins().band_imm_s(word, -8);
        let place = self.b.ins().iadd(starts, word);
        let flags = self.flags(Region::Starts);
        let bits = self.b.ins().load(types::I64, flags, place, 0);
        let number = self.b.ins().ushr_imm_u(offset, 3);
        let one = self.b.ins().iconst(types::I64, 1);
        let bit = self.b.ins().ishl(one, number);
        let bits = self.b.ins().bor(bits, bit);
        // It never traps, but no store before it may be left out because of another one after it.
        let code = TrapCode::unwrap_user(TrapKind::HeapExhausted as u8);
        let flags = MemFlagsData::new()
            .with_aligned()
            .with_endianness(Endianness::Little)
            .with_alias_region(flags.alias_region())
            .with_trap_code(Some(code));
        self.b.ins().store(flags, bits, place, 0);
    }

    /// Writes a value of 8 or 16 bytes again and again, from one address to another.
    pub(super) fn fill(&mut self, field: Field, from: Value, to: Value, value: Value) {
        let flags = self.field_flags(field);
        let bytes = i64::from(self.b.func.dfg.value_type(value).bytes());
        let (head, body, next) =
            (self.b.create_block(), self.b.create_block(), self.b.create_block());
        self.b.append_block_param(head, types::I64);
        self.b.ins().jump(head, &[BlockArg::Value(from)]);
        self.b.switch_to_block(head);
        let at = self.b.block_params(head)[0];
        let more = self.b.ins().icmp(IntCC::UnsignedLessThan, at, to);
        self.b.ins().brif(more, body, &[], next, &[]);
        self.continue_in(body);
        self.b.ins().store(flags, value, at, 0);
        let after = self.b.ins().iadd_imm_u(at, bytes);
        self.b.ins().jump(head, &[BlockArg::Value(after)]);
        self.b.seal_block(head);
        self.continue_in(next);
    }
}
