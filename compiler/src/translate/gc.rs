//! Structs and `i31` (Core specification, section 4.4.5). References to objects are 32-bit values: 0 is null, an odd
//! number an `i31`, any other the offset of an object in the heap. What comes from outside and anything else are
//! represented alike.

use cranelift_codegen::ir::{InstBuilder, types};
use lithe_parser::Operator;
use lithe_runtime::HEADER_BYTES;
use lithe_types::TrapKind;

use super::{Translator, heap::UNROLLED};

type O<'a> = Operator<'a>;

impl Translator<'_> {
    /// Operators of garbage collection; `false` when the operator is none.
    pub(super) fn gc(&mut self, op: &O<'_>) -> bool {
        match *op {
            O::AnyConvertExtern | O::ExternConvertAny => {}
            O::RefI31 => {
                let value = self.pop();
                let value = self.b.ins().ishl_imm_u(value, 1);
                let value = self.b.ins().bor_imm_u(value, 1);
                self.never_null.insert(value);
                self.push(value);
            }
            O::I31GetS => {
                let value = self.non_null(TrapKind::NullI31);
                let value = self.b.ins().sshr_imm_u(value, 1);
                self.push(value);
            }
            O::I31GetU => {
                let value = self.non_null(TrapKind::NullI31);
                let value = self.b.ins().ushr_imm_u(value, 1);
                self.push(value);
            }
            O::StructNew { struct_type_index } => self.struct_new(struct_type_index),
            O::StructNewDefault { struct_type_index } => self.struct_new_default(struct_type_index),
            O::StructGet { struct_type_index, field_index }
            | O::StructGetU { struct_type_index, field_index } => {
                self.struct_get(struct_type_index, field_index, false);
            }
            O::StructGetS { struct_type_index, field_index } => {
                self.struct_get(struct_type_index, field_index, true);
            }
            O::StructSet { struct_type_index, field_index } => {
                let value = self.pop();
                let object = self.non_null(TrapKind::NullStruct);
                let address = self.object(object);
                let field = self.field(struct_type_index, field_index as usize);
                self.store_field(field, address, 0, value);
            }
            _ => return self.array(op) || self.cast(op),
        }
        true
    }

    fn struct_new(&mut self, ty: u32) {
        let shape = self.env.shape(ty);
        let values = self.pop_many(shape.fields.len());
        let new = self.begin_object(u64::from(shape.size));
        self.struct_header(new, ty);
        for (index, value) in values.into_iter().enumerate() {
            self.store_field(self.field(ty, index), new.address, 0, value);
        }
        self.end_object(new);
    }

    fn struct_new_default(&mut self, ty: u32) {
        let shape = self.env.shape(ty);
        let new = self.begin_object(u64::from(shape.size));
        self.struct_header(new, ty);
        if shape.fields.len() as u32 <= UNROLLED {
            for index in 0..shape.fields.len() {
                let field = self.field(ty, index);
                let zero = self.zero_of(field.ty);
                self.store_field(field, new.address, 0, zero);
            }
        } else {
            let field = self.field(ty, 0);
            let from = self.b.ins().iadd_imm_u(new.address, i64::from(HEADER_BYTES));
            let to = self.b.ins().iadd_imm_u(new.address, i64::from(shape.size));
            let zero = self.zero_of(types::I64);
            self.fill(field, from, to, zero);
        }
        self.end_object(new);
    }

    fn struct_get(&mut self, ty: u32, index: u32, signed: bool) {
        let object = self.non_null(TrapKind::NullStruct);
        let address = self.object(object);
        let field = self.field(ty, index as usize);
        self.load_field(field, address, signed);
    }
}
