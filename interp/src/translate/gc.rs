//! Operators of garbage collection to operations. Called by `ops` for what belongs to no family.

use lithe_parser::{Operator as O, heap_type};
use lithe_runtime::{Repr, Shape, ShapeKind, arrays::ArrayType};
use lithe_types::{HeapType, StorageType, ValType};

use crate::{
    exec::{Kind, Test},
    op::{Class, FieldGet, FieldSet, GETS, Op, SETS},
};

use super::{
    TranslateError, Translator,
    control::Patch,
    ops::both,
    stack::{Place, Value},
};

type Result<T> = core::result::Result<T, TranslateError>;

/// The reads of a field, by how it is stored and whether a packed one is sign-extended.
fn getter(storage: StorageType, repr: Repr, signed: bool) -> &'static FieldGet {
    let row = match (storage, repr) {
        (StorageType::I8, _) => usize::from(!signed),
        (StorageType::I16, _) => 2 + usize::from(!signed),
        (StorageType::Val(ValType::F32), _) => 6,
        (StorageType::Val(ValType::F64), _) => 7,
        (_, Repr::W64) => 5,
        _ => 4,
    };
    &GETS[row]
}

/// The writes of a field.
fn setter(repr: Repr) -> &'static FieldSet {
    &SETS[repr.log2().min(3) as usize]
}

impl<'a> Translator<'a> {
    fn shape(&self, ty: u32) -> &'a Shape {
        self.code.shape(ty)
    }

    fn id(&self, ty: u32) -> u32 {
        self.code.types()[ty as usize]
    }

    /// The cell that a test is encoded in.
    fn test(&self, ty: lithe_parser::WasmHeapType, nullable: bool) -> Result<u64> {
        let heap = heap_type(ty, 0).map_err(|_| TranslateError::Unsupported(self.offset))?;
        let simple = |kind| Test::new(kind, nullable, 0, 0);
        let test = match heap {
            HeapType::Concrete(ty) => {
                let shape = self.shape(ty);
                let kind = match shape.kind {
                    ShapeKind::Func => Kind::Func,
                    _ => Kind::Defined,
                };
                Test::new(kind, nullable, self.id(ty), shape.supers.len() - 1)
            }
            HeapType::Any | HeapType::Func | HeapType::Extern | HeapType::Exn => simple(Kind::Any),
            HeapType::Eq => simple(Kind::Eq),
            HeapType::I31 => simple(Kind::I31),
            HeapType::Struct => simple(Kind::Struct),
            HeapType::Array => simple(Kind::Array),
            HeapType::None | HeapType::NoFunc | HeapType::NoExtern | HeapType::NoExn => {
                simple(Kind::None)
            }
        };
        Ok(test.0)
    }

    /// Translates an operator of garbage collection; `false` when it is none.
    pub(super) fn gc(&mut self, op: &O<'_>) -> Result<bool> {
        match *op {
            O::RefEq => self.equal(),
            O::RefTestNonNull { hty } => self.ref_test(self.test(hty, false)?),
            O::RefTestNullable { hty } => self.ref_test(self.test(hty, true)?),
            O::RefCastNonNull { hty } => self.ref_cast(self.test(hty, false)?),
            O::RefCastNullable { hty } => self.ref_cast(self.test(hty, true)?),
            O::BrOnCast { relative_depth, to_ref_type, .. } => {
                let test = self.test(to_ref_type.heap_type(), to_ref_type.is_nullable())?;
                self.br_on_cast(relative_depth, test, true);
            }
            O::BrOnCastFail { relative_depth, to_ref_type, .. } => {
                let test = self.test(to_ref_type.heap_type(), to_ref_type.is_nullable())?;
                self.br_on_cast(relative_depth, test, false);
            }
            // References to the outside and to anything have one representation.
            O::AnyConvertExtern | O::ExternConvertAny => {}

            O::StructNew { struct_type_index } => self.struct_new(struct_type_index),
            O::StructNewDefault { struct_type_index } => {
                let size = self.shape(struct_type_index).size;
                self.result(Op::StructNewDefault, [0; 4], false, Some(Class::Int));
                self.cells.push(both(self.id(struct_type_index), size));
            }
            O::StructGet { struct_type_index, field_index }
            | O::StructGetU { struct_type_index, field_index } => {
                self.struct_get(struct_type_index, field_index, false);
            }
            O::StructGetS { struct_type_index, field_index } => {
                self.struct_get(struct_type_index, field_index, true);
            }
            O::StructSet { struct_type_index, field_index } => {
                self.struct_set(struct_type_index, field_index);
            }
            _ => return self.array(op),
        }
        Ok(true)
    }

    fn array(&mut self, op: &O<'_>) -> Result<bool> {
        match *op {
            O::ArrayNew { array_type_index } => {
                let (len, value) = (self.pop_slot(), self.pop_slot());
                self.result(Op::ArrayNew, [0, value, len, 0], false, Some(Class::Int));
                self.cells.push(self.array_type(array_type_index).0);
            }
            O::ArrayNewDefault { array_type_index } => {
                let len = self.pop_slot();
                self.result(Op::ArrayNewDefault, [0, len, 0, 0], false, Some(Class::Int));
                self.cells.push(self.array_type(array_type_index).0);
            }
            O::ArrayNewFixed { array_type_index, array_size } => {
                self.own_top(array_size as usize);
                for _ in 0..array_size {
                    self.pop();
                }
                let first = self.height as i16;
                self.result_imm(Op::ArrayNewFixed, first, array_size as i32, Some(Class::Int));
                self.cells.push(self.array_type(array_type_index).0);
            }
            O::ArrayNewData { array_type_index, array_data_index: segment } => {
                self.new_from(Op::ArrayNewData, array_type_index, segment);
            }
            O::ArrayNewElem { array_type_index, array_elem_index: segment } => {
                self.new_from(Op::ArrayNewElem, array_type_index, segment);
            }
            O::ArrayGet { array_type_index } | O::ArrayGetU { array_type_index } => {
                self.array_get(array_type_index, false);
            }
            O::ArrayGetS { array_type_index } => self.array_get(array_type_index, true),
            O::ArraySet { array_type_index } => {
                let (value, index, array) = (self.pop_slot(), self.pop_slot(), self.pop_slot());
                let op = match self.shape(array_type_index).element() {
                    Repr::V128 => Op::ArraySetV,
                    repr => setter(repr).array,
                };
                self.emit(op, [array, index, value, 0]);
            }
            O::ArrayLen => self.unary_int(Op::ArrayLen),
            O::ArrayFill { array_type_index } => {
                let log2 = self.shape(array_type_index).element().log2();
                self.bulk_4(Op::ArrayFill, u64::from(log2));
            }
            O::ArrayCopy { array_type_index_dst, .. } => {
                let log2 = self.shape(array_type_index_dst).element().log2();
                self.own_top(5);
                for _ in 0..5 {
                    self.pop();
                }
                let first = self.height as i16;
                self.emit_imm(Op::ArrayCopy, first, 0, log2 as i32);
            }
            O::ArrayInitData { array_type_index, array_data_index: segment } => {
                let log2 = self.shape(array_type_index).element().log2();
                self.bulk_4(Op::ArrayInitData, both(segment, log2));
            }
            O::ArrayInitElem { array_type_index, array_elem_index: segment } => {
                let log2 = self.shape(array_type_index).element().log2();
                self.bulk_4(Op::ArrayInitElem, both(segment, log2));
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn array_type(&self, ty: u32) -> ArrayType {
        ArrayType::new(self.id(ty), self.shape(ty).element())
    }

    fn new_from(&mut self, op: Op, ty: u32, segment: u32) {
        let (len, start) = (self.pop_slot(), self.pop_slot());
        self.result(op, [0, start, len, 0], false, Some(Class::Int));
        self.cells.push(self.array_type(ty).0);
        self.cells.push(u64::from(segment));
    }

    fn bulk_4(&mut self, op: Op, cell: u64) {
        let (d, c, b, a) = (self.pop(), self.pop(), self.pop(), self.pop());
        let operands = [self.slot_of(a), self.slot_of(b), self.slot_of(c), self.slot_of(d)];
        self.emit(op, operands);
        self.cells.push(cell);
    }

    fn unary_int(&mut self, op: Op) {
        let slot = self.pop_slot();
        self.result(op, [0, slot, 0, 0], false, Some(Class::Int));
    }

    fn ref_test(&mut self, test: u64) {
        self.unary_int(Op::RefTest);
        self.cells.push(test);
    }

    /// A cast leaves its operand where it is.
    fn ref_cast(&mut self, test: u64) {
        let value = self.pop();
        let value = self.readable(value);
        let slot = self.slot_of(value);
        let op = match self.in_acc(Class::Int, slot) {
            true => Op::RefCastA,
            false => Op::RefCastS,
        };
        self.emit(op, [slot, 0, 0, 0]);
        self.cells.push(test);
        self.push_again(value);
    }

    fn br_on_cast(&mut self, depth: u32, test: u64, wanted: bool) {
        let value = self.pop();
        let value = self.readable(value);
        let slot = self.slot_of(value);
        self.push_again(value);
        self.branch_when(depth, |this, when, back| {
            let op = match (when == wanted, back) {
                (true, false) => Op::BrOnCast,
                (true, true) => Op::BrOnCastBack,
                (false, false) => Op::BrOnCastFail,
                (false, true) => Op::BrOnCastFailBack,
            };
            let origin = this.emit_imm(op, slot, 0, 0);
            this.cells.push(test);
            Patch::at(origin)
        });
    }

    fn struct_new(&mut self, ty: u32) {
        let shape = self.shape(ty);
        let count = shape.fields.len();
        self.own_top(count);
        for _ in 0..count {
            self.pop();
        }
        let first = self.height as i16;
        let cell = both(self.id(ty), shape.size);
        if shape.fields.iter().all(|field| matches!(field.repr, Repr::Ref | Repr::W32)) {
            self.result_imm(Op::StructNewWords, first, count as i32, Some(Class::Int));
        } else {
            self.result(Op::StructNew, [0, first, 0, 0], false, Some(Class::Int));
            self.cells.push(core::ptr::from_ref(shape) as usize as u64);
        }
        self.cells.push(cell);
    }

    fn struct_get(&mut self, ty: u32, index: u32, signed: bool) {
        let field = self.shape(ty).fields[index as usize];
        let slot = self.pop_slot();
        let offset = field.offset as i32;
        if field.repr == Repr::V128 {
            let dst = self.push(true);
            let at = self.emit_imm(Op::StructGetV, dst, slot, offset);
            self.clobber(dst + 1);
            return self.wrote(at, Op::StructGetV, dst, None);
        }
        let get = getter(field.ty.storage, field.repr, signed);
        let op = get.field[usize::from(self.in_acc(Class::Int, slot))];
        self.result_imm(op, slot, offset, Some(get.result));
    }

    fn struct_set(&mut self, ty: u32, index: u32) {
        let field = self.shape(ty).fields[index as usize];
        let (value, object) = (self.pop_slot(), self.pop_slot());
        let op = match field.repr {
            Repr::V128 => Op::StructSetV,
            repr => setter(repr).field[usize::from(self.in_acc(Class::Int, value))],
        };
        self.emit_imm(op, object, value, field.offset as i32);
    }

    fn array_get(&mut self, ty: u32, signed: bool) {
        let field = self.shape(ty).fields[0];
        let (index, array) = (self.pop(), self.pop());
        if field.repr == Repr::V128 {
            let (array, index) = (self.slot_of(array), self.slot_of(index));
            return self.result(Op::ArrayGetV, [0, array, index, 0], true, None);
        }
        let get = getter(field.ty.storage, field.repr, signed);
        if let Value { place: Place::Const(index), .. } = index {
            let array = self.slot_of(array);
            let op = get.element[if self.in_acc(Class::Int, array) { 3 } else { 2 }];
            return self.result_imm(op, array, index as i32, Some(get.result));
        }
        let (array, index) = (self.slot_of(array), self.slot_of(index));
        let op = get.element[usize::from(self.in_acc(Class::Int, index))];
        self.result(op, [0, array, index, 0], false, Some(get.result));
    }
}
