//! Calls (Core specification, section 4.4.10). Functions of the module are called directly; others through their
//! record, with their own context, after which the caller's is restored.

use cranelift_codegen::ir::{
    AbiParam, BlockArg, ExtFuncData, ExternalName, FuncRef, GlobalValueData, InstBuilder,
    MemFlagsData, SigRef, Signature, UserExternalName, Value, condcodes::IntCC, immediates::Imm64,
    types,
};
use cranelift_codegen::isa::CallConv;
use lithe_parser::Operator;
use lithe_runtime::{
    Func, Table,
    abi::{self, Builtin, Word},
};
use lithe_types::TrapKind;

use super::{Translator, context::Region, exceptions::Target};
use crate::env::{Convention, Function};

type O<'a> = Operator<'a>;

/// What is called.
#[derive(Clone, Copy)]
enum Callee {
    /// A function of this text.
    Own(FuncRef),
    /// Code with the context of this instance.
    Near(Value),
    /// Code with a context of its own.
    Far { code: Value, context: Value },
}

/// The name of a function of the text.
pub(super) const FUNCTIONS: u32 = 0;
/// The name of a table in the text.
pub(super) const TABLES: u32 = 1;

/// The signature of a call into the runtime.
pub(super) fn builtin_signature(builtin: Builtin) -> Signature {
    let (params, result) = builtin.signature();
    let word =
        |word: &Word| AbiParam::new(if *word == Word::I32 { types::I32 } else { types::I64 });
    let mut signature = Signature::new(CallConv::SystemV);
    signature.params.push(AbiParam::new(types::I64));
    signature.params.extend(params.iter().map(word));
    signature.returns.extend(result.iter().map(word));
    signature
}

impl<'a> Translator<'a> {
    pub(super) fn builtin_signature(&mut self, builtin: Builtin) -> SigRef {
        let Translator { b, builtins, .. } = self;
        *builtins.entry(builtin).or_insert_with(|| b.import_signature(builtin_signature(builtin)))
    }

    fn signature(&mut self, class: u32) -> SigRef {
        let Translator { b, signatures, env, .. } = self;
        *signatures
            .entry(class)
            .or_insert_with(|| b.import_signature(env.signature(env.class_type(class))))
    }

    /// A function of the text, as something to call.
    pub(super) fn own_function(&mut self, function: Function, signature: SigRef) -> FuncRef {
        let number = self.env.number(function);
        let Translator { b, callees, .. } = self;
        *callees.entry(number).or_insert_with(|| {
            let name = UserExternalName::new(FUNCTIONS, number);
            let name = b.func.declare_imported_user_function(name);
            b.import_function(ExtFuncData {
                name: ExternalName::user(name),
                signature,
                colocated: true,
                patchable: false,
            })
        })
    }

    /// Operators that call; `false` when the operator is none.
    pub(super) fn call_operator(&mut self, op: &O<'_>) -> bool {
        match *op {
            O::Call { function_index } => {
                let (callee, class) = self.static_callee(function_index);
                self.call(callee, class);
            }
            O::ReturnCall { function_index } => {
                let (callee, class) = self.static_callee(function_index);
                self.return_call(callee, class);
            }
            O::CallIndirect { type_index, table_index } => {
                let index = self.pop();
                let class = self.env.classes[type_index as usize];
                match self.static_element(table_index, type_index, index) {
                    Some(code) => self.call(Callee::Near(code), class),
                    None => {
                        let func = self.dynamic_element(table_index, type_index, index);
                        self.call_func(func, class);
                    }
                }
            }
            O::ReturnCallIndirect { type_index, table_index } => {
                let index = self.pop();
                let class = self.env.classes[type_index as usize];
                match self.static_element(table_index, type_index, index) {
                    Some(code) => self.return_call(Callee::Near(code), class),
                    None => {
                        let func = self.dynamic_element(table_index, type_index, index);
                        self.return_call_func(func, class);
                    }
                }
            }
            O::CallRef { type_index } => {
                let func = self.non_null(TrapKind::NullFunction);
                self.call_func(func, self.env.classes[type_index as usize]);
            }
            O::ReturnCallRef { type_index } => {
                let func = self.non_null(TrapKind::NullFunction);
                self.return_call_func(func, self.env.classes[type_index as usize]);
            }
            _ => return false,
        }
        true
    }

    /// A function by its index.
    fn static_callee(&mut self, func: u32) -> (Callee, u32) {
        let class = self.env.classes[self.env.module.funcs[func as usize] as usize];
        let callee = match func.checked_sub(self.env.module.imported_funcs) {
            Some(defined) => {
                let signature = self.signature(class);
                Callee::Own(self.own_function(Function::Defined(defined), signature))
            }
            None => {
                let record = self.env.context.import(func);
                let code = self.word(record + abi::IMPORT_CODE);
                Callee::Far { code, context: self.word(record + abi::IMPORT_CONTEXT) }
            }
        };
        (callee, class)
    }

    /// The arguments of a call, with the context where that is one.
    fn arguments(&mut self, class: u32, context: Option<Value>) -> Vec<Value> {
        let ty = self.env.class_type(class);
        self.carried += ty.params.len() + ty.results.len();
        let mut args = self.pop_many(ty.params.len());
        if self.env.convention == Convention::Argument {
            let context = context.unwrap_or_else(|| self.context());
            args.insert(0, context);
        }
        if let Some(left) = self.fuel_left() {
            args.insert(usize::from(self.env.convention == Convention::Argument), left);
        }
        args
    }

    fn call(&mut self, callee: Callee, class: u32) {
        let results = self.call_with(callee, class, None);
        self.stack.extend(results);
    }

    /// Calls with the arguments on the stack, after `first` where there is one.
    fn call_with(
        &mut self,
        callee: Callee,
        class: u32,
        first: Option<(SigRef, Value)>,
    ) -> Vec<Value> {
        let far = match callee {
            Callee::Far { context, .. } => Some(context),
            _ => None,
        };
        let mut args = self.arguments(class, far);
        let mut signature = self.signature(class);
        if let Some((other, value)) = first {
            args.insert(usize::from(self.env.convention == Convention::Argument), value);
            signature = other;
        }
        let restore = (far.is_some() || self.env.foreign_returns).then(|| self.context());
        if let Some(context) = far {
            self.restore_context(context);
        }
        let target = match callee {
            Callee::Own(func) => Target::Direct(func),
            Callee::Near(code) | Callee::Far { code, .. } => Target::Indirect(signature, code),
        };
        let mut results = self.call_in_tries(target, &args);
        if self.fuel.is_some()
            && let Some(left) = results.pop()
        {
            self.set_fuel(left);
        }
        if let Some(own) = restore {
            self.restore_context(own);
        }
        self.forget_context();
        results
    }

    fn return_call(&mut self, callee: Callee, class: u32) {
        let far = match callee {
            Callee::Far { context, .. } => Some(context),
            _ => None,
        };
        let args = self.arguments(class, far);
        if let Some(context) = far {
            self.restore_context(context);
        }
        match callee {
            Callee::Own(func) => {
                self.b.ins().return_call(func, &args);
            }
            Callee::Near(code) | Callee::Far { code, .. } => {
                let signature = self.signature(class);
                self.b.ins().return_call_indirect(signature, code, &args);
            }
        }
        self.unreachable();
    }

    /// The field of a function's record, which never changes.
    fn func_field(&mut self, func: Value, offset: usize) -> Value {
        let flags = MemFlagsData::trusted().with_readonly();
        self.b.ins().load(types::I64, flags, func, offset as i32)
    }

    /// The way to call functions of a class that have no native code.
    pub(super) fn reach(&mut self, class: u32) -> (FuncRef, SigRef) {
        let mut signature = self.env.signature(self.env.class_type(class));
        let at = usize::from(self.env.convention == Convention::Argument);
        signature.params.insert(at, AbiParam::new(types::I64));
        let signature = self.b.import_signature(signature);
        (self.own_function(Function::Reach(class), signature), signature)
    }

    /// Calls the function whose record is at `func`.
    fn call_func(&mut self, func: Value, class: u32) {
        let code = self.func_field(func, core::mem::offset_of!(Func, native));
        let results = self.env.class_type(class).results.clone();
        let (near, far, next) =
            (self.b.create_block(), self.b.create_block(), self.b.create_block());
        for ty in &results {
            let ty = self.env.value_type(*ty);
            self.b.append_block_param(next, ty);
        }
        self.b.set_cold_block(near);
        self.b.ins().brif(code, far, &[], near, &[]);
        let stack = self.stack.clone();
        let paid = self.fuel_is_paid();

        self.continue_in(near);
        self.forget_context();
        let (reach, signature) = self.reach(class);
        let results = self.call_with(Callee::Own(reach), class, Some((signature, func)));
        let values: Vec<_> = results.into_iter().map(BlockArg::Value).collect();
        self.b.ins().jump(next, &values);

        self.stack = stack;
        self.set_fuel_paid(paid);
        self.continue_in(far);
        self.forget_context();
        let context = self.func_field(func, core::mem::offset_of!(Func, context));
        let results = self.call_with(Callee::Far { code, context }, class, None);
        let values: Vec<_> = results.into_iter().map(BlockArg::Value).collect();
        self.b.ins().jump(next, &values);

        self.continue_in(next);
        self.forget_context();
        let params = self.b.block_params(next).to_vec();
        self.stack.extend(params);
    }

    fn return_call_func(&mut self, func: Value, class: u32) {
        let code = self.func_field(func, core::mem::offset_of!(Func, native));
        let (near, far) = (self.b.create_block(), self.b.create_block());
        self.b.set_cold_block(near);
        self.b.ins().brif(code, far, &[], near, &[]);
        let stack = self.stack.clone();
        self.continue_in(near);
        self.forget_context();
        let (reach, _) = self.reach(class);
        let mut args = self.arguments(class, None);
        args.insert(usize::from(self.env.convention == Convention::Argument), func);
        self.b.ins().return_call(reach, &args);
        self.stack = stack;
        self.continue_in(far);
        self.forget_context();
        let context = self.func_field(func, core::mem::offset_of!(Func, context));
        self.return_call(Callee::Far { code, context }, class);
    }

    /// The code of the element at `index` of a table that never changes; `None` when the table may change.
    fn static_element(&mut self, table: u32, ty: u32, index: Value) -> Option<Value> {
        // Subtypes of an open type are in other classes.
        if !self.env.module.types[ty as usize].is_final {
            return None;
        }
        let place = self.env.static_table(table)?;
        let len = self.env.static_tables[place].elements.len();
        let out = self.b.ins().icmp_imm_u(IntCC::UnsignedGreaterThanOrEqual, index, len as i64);
        self.trap_if(out, TrapKind::UndefinedElement);
        let Translator { b, tables, .. } = self;
        let global = *tables.entry(place).or_insert_with(|| {
            let name = UserExternalName::new(TABLES, place as u32);
            let name = b.func.declare_imported_user_function(name);
            b.create_global_value(GlobalValueData::Symbol {
                name: ExternalName::user(name),
                offset: Imm64::new(0),
                colocated: true,
                tls: false,
            })
        });
        let base = self.b.ins().symbol_value(types::I64, global);
        let index = self.b.ins().uextend(types::I64, index);
        let at = self.b.ins().ishl_imm_u(index, 3);
        let at = self.b.ins().iadd(base, at);
        let flags = MemFlagsData::trusted().with_readonly();
        let found = self.b.ins().load(types::I32, flags, at, 0);
        let class = self.env.classes[ty as usize];
        let other = self.b.ins().icmp_imm_u(IntCC::NotEqual, found, i64::from(class));
        self.mismatch(other, |this| this.b.ins().icmp_imm_s(IntCC::Equal, found, -1));
        let offset = self.b.ins().sload32(flags, at, 4);
        Some(self.b.ins().iadd(base, offset))
    }

    /// Traps when `other` is not zero: because the element is null when `null` says so.
    fn mismatch(&mut self, other: Value, null: impl FnOnce(&mut Self) -> Value) {
        let (cold, next) = (self.b.create_block(), self.b.create_block());
        self.b.set_cold_block(cold);
        self.b.ins().brif(other, cold, &[], next, &[]);
        let known = self.block_context;
        self.continue_in(cold);
        let null = null(self);
        self.trap_if(null, TrapKind::UninitializedElement);
        self.trap(TrapKind::IndirectCallTypeMismatch);
        self.continue_in(next);
        self.block_context = known;
    }

    /// The function at `index` of a table, when its type is or declares `ty`.
    fn dynamic_element(&mut self, table: u32, ty: u32, index: Value) -> Value {
        let index = self.widen(index);
        let record = self.word(self.env.context.table(table));
        let flags = self.flags(Region::Records);
        let len = core::mem::offset_of!(Table, len) as i32;
        let len = self.b.ins().load(types::I64, flags, record, len);
        let out = self.b.ins().icmp(IntCC::UnsignedGreaterThanOrEqual, index, len);
        self.trap_if(out, TrapKind::UndefinedElement);
        let base = core::mem::offset_of!(Table, base) as i32;
        let base = self.b.ins().load(types::I64, flags, record, base);
        let at = self.b.ins().ishl_imm_u(index, 3);
        let at = self.b.ins().iadd(base, at);
        let flags = self.flags(Region::Elements);
        let func = self.b.ins().load(types::I64, flags, at, 0);
        let null = self.b.ins().icmp_imm_u(IntCC::Equal, func, 0);
        self.trap_if(null, TrapKind::UninitializedElement);
        let flags = MemFlagsData::trusted().with_readonly();
        let have = core::mem::offset_of!(Func, ty) as i32;
        let have = self.b.ins().load(types::I32, flags, func, have);
        let types = self.word(abi::TYPES);
        let want = self.constant(types::I32, types, 4 * ty as i32);
        let other = self.b.ins().icmp(IntCC::NotEqual, have, want);
        if self.env.module.types[ty as usize].is_final {
            self.trap_if(other, TrapKind::IndirectCallTypeMismatch);
            return func;
        }
        let (cold, next) = (self.b.create_block(), self.b.create_block());
        self.b.set_cold_block(cold);
        self.b.ins().brif(other, cold, &[], next, &[]);
        self.continue_in(cold);
        self.forget_context();
        let sub = self.builtin(Builtin::is_subtype, &[have, want]).unwrap_or(have);
        let wrong = self.b.ins().icmp_imm_u(IntCC::Equal, sub, 0);
        self.trap_if(wrong, TrapKind::IndirectCallTypeMismatch);
        self.b.ins().jump(next, &[]);
        self.continue_in(next);
        self.forget_context();
        func
    }
}
