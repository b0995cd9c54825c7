//! Loads that the code generator folds into the instructions of operators that use what they read, as x86_64 can. Such
//! an instruction is placed where the operator is, so that a fault would seem to be the operator's. The translation
//! numbers loads by their trap codes, and the tables of sites find the load by its number. Invariant: loads follow
//! each other in a module as in its code, and no instruction takes in a load that lies [`COUNT`] loads before it.

use cranelift_codegen::ir::{Function, Inst, InstructionData, TrapCode, Value};

/// The first of the codes that are numbers; smaller ones are kinds of traps.
const FIRST: u8 = 64;
/// How many numbers there are.
const COUNT: u8 = 187;

/// The trap code of the load after so many others.
pub(crate) fn numbered(load: u32) -> TrapCode {
    TrapCode::unwrap_user(FIRST + (load % u32::from(COUNT)) as u8)
}

/// Whether a trap code is the number of a load, and so an access beyond the end of a memory.
pub(crate) fn is_number(code: TrapCode) -> bool {
    (FIRST..FIRST + COUNT).contains(&code.as_raw().get())
}

/// The number of the load whose value an operator changed to make this value.
pub(crate) fn changed(func: &Function, value: Value) -> Option<TrapCode> {
    let code = |load: Inst| func.dfg.insts[load].memflags_trap_code(&func.dfg);
    operands(func, value).filter_map(code).find(|code| is_number(*code))
}

/// The instructions whose results are operands of the one that makes this value.
fn operands(func: &Function, value: Value) -> impl Iterator<Item = Inst> {
    let made = |value| func.dfg.value_def(func.dfg.resolve_aliases(value)).inst();
    let args = made(value).map(|inst| func.dfg.inst_args(inst));
    args.into_iter().flatten().filter_map(move |arg| made(*arg))
}

/// An instruction that makes a numbered access.
pub(crate) struct Access {
    /// Byte offset in the function's code.
    pub text: u32,
    pub number: TrapCode,
    /// Byte offset in the module of the operator that the instruction was made for. The optimizer's own instructions were
    /// made for none.
    pub operator: Option<u32>,
    /// That of the load.
    pub load: Option<u32>,
}

/// Finds the loads of all such instructions of a function, which was compiled.
pub(crate) fn find(func: &Function, accesses: &mut [Access]) {
    let mut loads = numbered_accesses(func);
    let mut folded = vec![true; loads.len()];
    let key = |access: &Access| (access.number.as_raw().get(), access.operator.unwrap_or(0));
    // Most loads have instructions of their own.
    for access in &mut *accesses {
        if let Ok(own) = loads.binary_search(&key(access)) {
            access.load = access.operator;
            folded[own] = false;
        }
    }
    retain(&mut loads, &folded);
    // The others come before the operators that they are folded into.
    folded = vec![true; loads.len()];
    for access in accesses.iter_mut().filter(|access| access.load.is_none()) {
        let after = loads.partition_point(|load| *load < key(access));
        if let Some(last) = after.checked_sub(1)
            && loads[last].0 == access.number.as_raw().get()
        {
            access.load = Some(loads[last].1);
            folded[last] = false;
        }
    }
    retain(&mut loads, &folded);
    // Only those of the optimizer's instructions are left.
    let mut next = [0; u8::MAX as usize + 1];
    for access in accesses.iter_mut().filter(|access| access.load.is_none()) {
        let number = access.number.as_raw().get();
        let first = loads.partition_point(|load| load.0 < number) + next[usize::from(number)];
        access.load = loads.get(first).filter(|load| load.0 == number).map(|load| load.1);
        next[usize::from(number)] += 1;
    }
}

fn retain(loads: &mut Vec<(u8, u32)>, which: &[bool]) {
    let mut which = which.iter();
    loads.retain(|_| which.next().is_some_and(|which| *which));
}

/// The numbered accesses that a function was translated to: number and byte offset in the module, in order.
fn numbered_accesses(func: &Function) -> Vec<(u8, u32)> {
    let mut accesses = Vec::new();
    for inst in func.layout.blocks().flat_map(|block| func.layout.block_insts(block)) {
        let data = &func.dfg.insts[inst];
        let code = data.memflags_trap_code(&func.dfg).filter(|code| is_number(*code));
        if let Some(code) = code
            && !stores_back(func, data)
        {
            accesses.push((code.as_raw().get(), func.srcloc(inst).bits()));
        }
    }
    accesses.sort_unstable();
    accesses.dedup();
    accesses
}

/// Whether a store goes where its value was loaded from. Then one instruction may do both, and only the load can trap.
fn stores_back(func: &Function, store: &InstructionData) -> bool {
    let InstructionData::Store { args: [value, to], offset, .. } = *store else { return false };
    let to = func.dfg.resolve_aliases(to);
    operands(func, value).any(|load| match func.dfg.insts[load] {
        InstructionData::Load { arg, offset: from, .. } => {
            func.dfg.resolve_aliases(arg) == to && from == offset
        }
        _ => false,
    })
}
