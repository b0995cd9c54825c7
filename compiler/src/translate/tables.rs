//! Globals, tables and references (Core specification, sections 4.4.2, 4.4.5 and 4.4.6). Elements of tables are
//! 64-bit slots: addresses of functions, or references zero-extended.

use cranelift_codegen::ir::{InstBuilder, Value, condcodes::IntCC, types};
use lithe_parser::Operator;
use lithe_runtime::{Global, Table, abi, abi::Builtin};
use lithe_types::{TableType, TrapKind, ValType};

use super::{Translator, context::Region};

type O<'a> = Operator<'a>;

impl Translator<'_> {
    /// The zero of a type, null for references.
    pub(super) fn zero(&mut self, ty: ValType) -> Value {
        let ty = self.env.value_type(ty);
        self.zero_of(ty)
    }

    pub(super) fn zero_of(&mut self, ty: cranelift_codegen::ir::Type) -> Value {
        match ty {
            types::F32 => self.b.ins().f32const(0.0),
            types::F64 => self.b.ins().f64const(0.0),
            types::I8X16 => {
                let zero = self.b.func.dfg.constants.insert(vec![0; 16].into());
                self.b.ins().vconst(types::I8X16, zero)
            }
            ty => self.b.ins().iconst(ty, 0),
        }
    }

    /// Pops a reference, which traps when it is null; gives it.
    pub(super) fn non_null(&mut self, kind: TrapKind) -> Value {
        let value = self.pop();
        if self.never_null.insert(value) {
            let null = self.b.ins().icmp_imm_u(IntCC::Equal, value, 0);
            self.trap_if(null, kind);
        }
        value
    }

    /// Where a global's value is: a pointer, an offset, and what else may be there.
    fn global(&mut self, global: u32) -> (Value, i32, Region) {
        let value = core::mem::offset_of!(Global, value) as i32;
        match self.env.context.own_global(global) {
            Some(offset) => (self.context(), offset + value, Region::OwnGlobal(global)),
            None => {
                let record = self.word(self.env.context.imported_global(global));
                (record, value, Region::ImportedGlobals)
            }
        }
    }

    /// The record of a function that the module defines, which is made when nobody has asked for it before.
    fn own_func(&mut self, func: u32) -> Value {
        let (cold, next) = (self.b.create_block(), self.b.create_block());
        self.b.set_cold_block(cold);
        let result = self.b.append_block_param(next, types::I64);
        let list = self.word(abi::FUNCS);
        let flags = self.flags(Region::Records);
        let known = self.b.ins().load(types::I64, flags, list, 8 * func as i32);
        self.b.ins().brif(known, next, &[known.into()], cold, &[]);
        self.continue_in(cold);
        let index = self.number(func);
        let made = self.builtin(Builtin::func, &[index]).unwrap_or(known);
        self.b.ins().jump(next, &[made.into()]);
        self.continue_in(next);
        self.forget_context();
        result
    }

    fn global_get(&mut self, global: u32) {
        let ty = self.env.module.globals[global as usize].ty;
        let (pointer, offset, region) = self.global(global);
        let mut flags = self.flags(region);
        if !ty.mutable {
            flags = flags.with_readonly().with_can_move().with_alias_region(None);
        }
        let ty = self.env.value_type(ty.value);
        let value = self.b.ins().load(ty, flags, pointer, offset);
        self.push(value);
    }

    fn global_set(&mut self, global: u32) {
        let value = self.pop();
        let (pointer, offset, region) = self.global(global);
        let flags = self.flags(region);
        // The upper half of a slot with 32 bits is zero already.
        self.b.ins().store(flags, value, pointer, offset);
    }

    fn table_type(&self, table: u32) -> TableType {
        self.env.module.tables[table as usize].ty
    }

    /// Where the element at `index` is.
    fn element(&mut self, table: u32, index: Value) -> Value {
        let index = self.widen(index);
        let len = self.table_len(table);
        let out = self.b.ins().icmp(IntCC::UnsignedGreaterThanOrEqual, index, len);
        self.trap_if(out, TrapKind::TableOutOfBounds);
        let record = self.word(self.env.context.table(table));
        let flags = self.flags(Region::Records);
        let base = core::mem::offset_of!(Table, base) as i32;
        let base = self.b.ins().load(types::I64, flags, record, base);
        let at = self.b.ins().ishl_imm_u(index, 3);
        self.b.ins().iadd(base, at)
    }

    fn table_len(&mut self, table: u32) -> Value {
        let record = self.word(self.env.context.table(table));
        let flags = self.flags(Region::Records);
        self.b.ins().load(types::I64, flags, record, core::mem::offset_of!(Table, len) as i32)
    }

    /// Operators on globals, tables and references; `false` when the operator is none.
    pub(super) fn entity(&mut self, op: &O<'_>) -> bool {
        match *op {
            O::GlobalGet { global_index } => self.global_get(global_index),
            O::GlobalSet { global_index } => self.global_set(global_index),
            O::TableGet { table } => {
                let index = self.pop();
                let at = self.element(table, index);
                let flags = self.flags(Region::Elements);
                let ty = self.env.ref_type(self.table_type(table).element);
                let value = self.b.ins().load(ty, flags, at, 0);
                self.push(value);
            }
            O::TableSet { table } => {
                let (index, value) = self.pop2();
                let at = self.element(table, index);
                let flags = self.flags(Region::Elements);
                let value = self.widen(value);
                self.b.ins().store(flags, value, at, 0);
            }
            O::TableSize { table } => {
                let len = self.table_len(table);
                let len = self.narrow(len, self.table_type(table).is64);
                self.push(len);
            }
            O::TableGrow { table } => {
                let (init, delta) = self.pop2();
                let (init, delta, number) =
                    (self.widen(init), self.widen(delta), self.number(table));
                if let Some(old) = self.builtin(Builtin::table_grow, &[number, init, delta]) {
                    let old = self.narrow(old, self.table_type(table).is64);
                    self.push(old);
                }
            }
            O::TableFill { table } => {
                let (len, value, to) = (self.pop(), self.pop(), self.pop());
                let (len, value, to) = (self.widen(len), self.widen(value), self.widen(to));
                let number = self.number(table);
                self.builtin(Builtin::table_fill, &[number, to, value, len]);
            }
            O::TableCopy { dst_table, src_table } => {
                let (len, from, to) = (self.pop(), self.pop(), self.pop());
                let (len, from, to) = (self.widen(len), self.widen(from), self.widen(to));
                let (target, source) = (self.number(dst_table), self.number(src_table));
                self.builtin(Builtin::table_copy, &[target, source, to, from, len]);
            }
            O::TableInit { elem_index, table } => {
                let (len, from, to) = (self.pop(), self.pop(), self.pop());
                let to = self.widen(to);
                let (number, segment) = (self.number(table), self.number(elem_index));
                self.builtin(Builtin::table_init, &[number, segment, to, from, len]);
            }
            O::ElemDrop { elem_index } => {
                let segment = self.number(elem_index);
                self.builtin(Builtin::elem_drop, &[segment]);
            }
            O::RefNull { hty } => {
                let ty = lithe_parser::heap_type(hty, 0)
                    .map(|heap| lithe_types::RefType { nullable: true, heap });
                let ty = ty.map_or(types::I32, |ty| self.env.ref_type(ty));
                let null = self.b.ins().iconst(ty, 0);
                self.push(null);
            }
            O::RefIsNull => {
                let value = self.pop();
                let null = self.b.ins().icmp_imm_u(IntCC::Equal, value, 0);
                let null = self.b.ins().uextend(types::I32, null);
                self.push(null);
            }
            O::RefFunc { function_index } => {
                let func = match function_index.checked_sub(self.env.module.imported_funcs) {
                    Some(_) => self.own_func(function_index),
                    None => {
                        let record = self.env.context.import(function_index);
                        self.word(record + abi::IMPORT_FUNC)
                    }
                };
                self.push(func);
            }
            O::RefAsNonNull => {
                let value = self.non_null(TrapKind::NullReference);
                self.push(value);
            }
            O::RefEq => {
                let (a, b) = self.pop2();
                let same = self.b.ins().icmp(IntCC::Equal, a, b);
                let same = self.b.ins().uextend(types::I32, same);
                self.push(same);
            }
            O::BrOnNull { relative_depth } => {
                let value = self.pop();
                self.branch_when(value, relative_depth, &[], false);
                self.never_null.insert(value);
                self.push(value);
            }
            O::BrOnNonNull { relative_depth } => {
                let value = self.pop();
                self.branch_when(value, relative_depth, &[value], true);
            }
            _ => return false,
        }
        true
    }
}
