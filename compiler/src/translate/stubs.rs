//! Code that is no body: how the host enters native code, and how native code reaches functions that have none.

use cranelift_codegen::ir::{
    AbiParam, Block, Endianness, Inst, InstBuilder, MemFlagsData, Signature, StackSlotData,
    StackSlotKind, Value, types,
};
use cranelift_codegen::isa::{CallConv, TargetFrontendConfig};
use cranelift_frontend::FunctionBuilder;
use lithe_runtime::abi::{self, Builtin};
use lithe_types::{FuncType, ValType};

use super::{Translator, exceptions::Target, fuel};
use crate::env::{Convention, Env, Function, Rare};

/// Makes the stub `function`.
pub(super) fn translate(
    env: &Env<'_>,
    function: Function,
    mut b: FunctionBuilder<'_>,
    frontend: TargetFrontendConfig,
) {
    match function {
        Function::Enter(class) => enter(env, env.class_type(class), &mut b),
        Function::Reach(class) => {
            let ty = env.class_type(class);
            let mut signature = env.signature(ty);
            let at = usize::from(env.convention == Convention::Argument);
            signature.params.insert(at, AbiParam::new(types::I64));
            b.func.signature = signature;
            reach(env, ty, b, frontend);
            return;
        }
        Function::Import(func) => {
            let ty = env.func_type(env.module.funcs[func as usize]);
            b.func.signature = env.signature(ty);
            import(env, func, ty, b, frontend);
            return;
        }
        Function::Rare(rare) => {
            b.func.signature = env.rare_signature(rare);
            return call_rare(env, rare, b, frontend);
        }
        Function::Defined(_) => {}
    }
    b.finalize(frontend);
}

fn slot_flags() -> MemFlagsData {
    MemFlagsData::new().with_notrap().with_endianness(Endianness::Little)
}

/// `(context, code, slots)`: calls `code` with arguments from the slots, which results replace.
fn enter(env: &Env<'_>, ty: &FuncType, b: &mut FunctionBuilder<'_>) {
    let mut signature = Signature::new(CallConv::SystemV);
    signature.params.extend([AbiParam::new(types::I64); 3]);
    b.func.signature = signature;
    let block = entry(b);
    let [context, code, slots] = [0, 1, 2].map(|i| b.block_params(block)[i]);
    let mut args = Vec::new();
    let vm = env.target.fuel.then(|| b.ins().load(types::I64, slot_flags(), context, abi::VM));
    match env.convention {
        Convention::Argument => args.push(context),
        _ => {
            b.ins().set_pinned_reg(context);
        }
    }
    args.extend(vm.map(|vm| fuel::take_part(env, b, slot_flags(), vm)));
    let mut at = 0;
    for param in &ty.params {
        args.push(b.ins().load(env.value_type(*param), slot_flags(), slots, at));
        at += 8 * param.slots() as i32;
    }
    let signature = b.import_signature(env.signature(ty));
    let call = b.ins().call_indirect(signature, code, &args);
    let mut results = b.inst_results(call).to_vec();
    if let Some(vm) = vm
        && let Some(left) = results.pop()
    {
        fuel::give_back(env, b, slot_flags(), vm, left);
    }
    store_all(b, &ty.results, &results, slots);
    b.ins().return_(&[]);
}

fn entry(b: &mut FunctionBuilder<'_>) -> Block {
    let block = b.create_block();
    b.append_block_params_for_function_params(block);
    b.switch_to_block(block);
    b.seal_block(block);
    block
}

/// Writes values as slots: whole ones, with zeros above.
pub(super) fn store_all(
    b: &mut FunctionBuilder<'_>,
    tys: &[ValType],
    values: &[Value],
    slots: Value,
) {
    let mut at = 0;
    for (ty, value) in tys.iter().zip(values) {
        let value = match b.func.dfg.value_type(*value) {
            types::I32 => b.ins().uextend(types::I64, *value),
            types::F32 => {
                let bits = b.ins().bitcast(types::I32, MemFlagsData::new(), *value);
                b.ins().uextend(types::I64, bits)
            }
            _ => *value,
        };
        b.ins().store(slot_flags(), value, slots, at);
        at += 8 * ty.slots() as i32;
    }
}

/// Calls the function that is the first argument through the runtime.
fn reach(env: &Env<'_>, ty: &FuncType, b: FunctionBuilder<'_>, frontend: TargetFrontendConfig) {
    let mut t = Translator::new(env, b, ty, u32::MAX);
    let mut params = t.parameters();
    let func = params.remove(0);
    if env.target.fuel {
        t.take_fuel(params.remove(0));
    }
    let count = ty.param_slots().max(ty.result_slots()).max(1);
    let slot = StackSlotData::new(StackSlotKind::ExplicitSlot, 8 * count, 4);
    let slot = t.b.create_sized_stack_slot(slot);
    let slots = t.b.ins().stack_addr(types::I64, slot, 0);
    store_all(&mut t.b, &ty.params, &params, slots);
    t.builtin(Builtin::call, &[func, slots]);
    t.read_fuel();
    let mut results = Vec::new();
    let mut at = 0;
    for ty in &ty.results {
        results.push(t.b.ins().load(env.value_type(*ty), slot_flags(), slots, at));
        at += 8 * ty.slots() as i32;
    }
    results.extend(t.fuel_left());
    t.b.ins().return_(&results);
    t.b.finalize(frontend);
}

/// Calls an imported function that has no native code.
fn import(
    env: &Env<'_>,
    func: u32,
    ty: &FuncType,
    b: FunctionBuilder<'_>,
    frontend: TargetFrontendConfig,
) {
    let mut t = Translator::new(env, b, ty, u32::MAX);
    let params = t.parameters();
    let class = env.classes[env.module.funcs[func as usize] as usize];
    let record = t.word(env.context.import(func) + abi::IMPORT_FUNC);
    let (reach, _) = t.reach(class);
    let mut args = vec![record];
    args.extend(params);
    if env.convention == Convention::Argument {
        let context = t.context();
        args.insert(0, context);
    }
    t.b.ins().return_call(reach, &args);
    t.b.finalize(frontend);
}

/// Makes a rare call into the runtime.
fn call_rare(env: &Env<'_>, rare: Rare, b: FunctionBuilder<'_>, frontend: TargetFrontendConfig) {
    let ty = FuncType::default();
    let mut t = Translator::new(env, b, &ty, u32::MAX);
    let mut args = t.parameters();
    if let Rare::Trap(kind) = rare {
        args.push(t.number(kind as u32));
    }
    t.builtin(rare.builtin(), &args);
    t.b.ins().return_(&[]);
    t.b.finalize(frontend);
}

impl Translator<'_> {
    /// Makes a rare call into the runtime, through its stub.
    pub(super) fn rare(&mut self, rare: Rare, args: &[Value]) {
        let depth = self.frames.len();
        if let (_, Some(next)) = self.rare_within(rare, args, depth) {
            self.continue_in(next);
        }
        self.forget_context();
    }

    /// As [`Translator::rare`], inside of the first `depth` frames; gives the block to go on in, if that is another.
    pub(super) fn rare_within(
        &mut self,
        rare: Rare,
        args: &[Value],
        depth: usize,
    ) -> (Inst, Option<Block>) {
        self.keep_fuel();
        let signature = self.env.rare_signature(rare);
        let signature = self.b.import_signature(signature);
        let func = self.own_function(Function::Rare(rare), signature);
        let mut all = Vec::new();
        if self.env.convention == Convention::Argument {
            all.push(self.context());
        }
        all.extend_from_slice(args);
        let depth = if matches!(rare, Rare::Throw | Rare::ThrowNew) { depth } else { 0 };
        self.call_within(Target::Direct(func), &all, depth)
    }

    /// The parameters without the context.
    fn parameters(&mut self) -> Vec<Value> {
        let entry = self.b.current_block().unwrap_or(Block::from_u32(0));
        let mut params = self.b.block_params(entry).to_vec();
        match self.env.convention {
            Convention::Argument => self.entry_context = Some(params.remove(0)),
            _ => self.read_entry_context(),
        }
        params
    }
}
