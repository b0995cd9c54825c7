//! Fuel. What is left is a value of its own, which functions receive and return beside those of their types; the
//! store's counter has it where the runtime may look: at calls into the runtime, traps and exceptions. A signal that stops
//! a function finds what it was before: therefore functions in *signals* mode have no more than a part of the fuel, which
//! is then lost.
//!
//! What operators cost is known while they are translated, so the value need not change with every region: it is too
//! high by what is due, a number that belongs to the place in the code. Only where ways join with different numbers is
//! the value lowered, on all of them but one. Invariant: without what is due, the value is what the interpreter has.

use cranelift_codegen::ir::{
    Inst, InstBuilder, InstructionData, MemFlagsData, Opcode, TrapCode, Value, condcodes::IntCC,
    immediates::Imm64, types,
};
use cranelift_frontend::{FunctionBuilder, Variable};
use lithe_runtime::{Vm, abi};
use lithe_types::TrapKind;

use super::{Translator, context::Region};
use crate::env::{Env, Rare};

/// Where the store has what is left, and the part of it that no function has.
const FIELDS: [i32; 2] =
    [core::mem::offset_of!(Vm, fuel) as i32, core::mem::offset_of!(Vm, fuel_rest) as i32];

/// What a function knows of fuel.
pub(super) struct Fuel {
    left: Variable,
    /// What the value was too high by where the current region began.
    due: i64,
    /// What the current region costs, as far as it is known; charged where it begins.
    cost: i64,
    /// Whether nothing is due any more in this region, since the value came from a call.
    paid: bool,
    /// Constants that will be `due + cost`.
    open: Vec<Inst>,
}

impl Translator<'_> {
    /// The function begins with so much fuel.
    pub(super) fn take_fuel(&mut self, left: Value) {
        let variable = self.b.declare_var(types::I64);
        self.b.def_var(variable, left);
        let open = Vec::new();
        self.fuel = Some(Fuel { left: variable, due: 0, cost: 0, paid: false, open });
    }

    /// What is left, where fuel is counted.
    pub(super) fn fuel_left(&mut self) -> Option<Value> {
        let Translator { b, fuel, .. } = self;
        let fuel = fuel.as_mut()?;
        let left = b.use_var(fuel.left);
        if fuel.paid {
            return Some(left);
        }
        let due = b.ins().iconst(types::I64, 0);
        fuel.open.extend(b.func.dfg.value_def(due).inst());
        Some(b.ins().isub(left, due))
    }

    /// After a call: what it has left.
    pub(super) fn set_fuel(&mut self, value: Value) {
        if let Some(fuel) = &mut self.fuel {
            fuel.paid = true;
            self.b.def_var(fuel.left, value);
        }
    }

    /// Whether nothing is due any more in this region.
    pub(super) fn fuel_is_paid(&self) -> bool {
        self.fuel.as_ref().is_some_and(|fuel| fuel.paid)
    }

    /// Goes on in code of the same region that another way leads to.
    pub(super) fn set_fuel_paid(&mut self, paid: bool) {
        if let Some(fuel) = &mut self.fuel {
            fuel.paid = paid;
        }
    }

    /// Reads the counter: where the runtime has changed it.
    pub(super) fn read_fuel(&mut self) {
        if self.fuel.is_some() {
            let vm = self.vm();
            let flags = self.flags(Region::Vm);
            let left = take_part(self.env, &mut self.b, flags, vm);
            self.set_fuel(left);
        }
    }

    /// Writes the counter, on this way.
    pub(super) fn keep_fuel(&mut self) {
        if let Some(left) = self.fuel_left() {
            let vm = self.vm();
            let flags = self.flags(Region::Vm);
            give_back(self.env, &mut self.b, flags, vm, left);
        }
    }

    /// Charges an operator.
    pub(super) fn charge(&mut self) {
        if let Some(fuel) = &mut self.fuel {
            fuel.cost += 1;
        }
    }

    /// Begins a region where fuel may run out. Where a region ends, the next one begins.
    pub(super) fn check_fuel(&mut self) {
        self.end_region();
        let Translator { b, fuel: Some(fuel), .. } = self else { return };
        let variable = fuel.left;
        let left = b.use_var(variable);
        let due = b.ins().iconst(types::I64, 0);
        fuel.open.extend(b.func.dfg.value_def(due).inst());
        let out = b.ins().icmp(IntCC::SignedLessThan, left, due);
        let (cold, next) = (b.create_block(), b.create_block());
        b.set_cold_block(cold);
        b.ins().brif(out, cold, &[], next, &[]);
        let known = self.block_context;
        self.continue_in(cold);
        self.rare(Rare::Refuel, &[]);
        if self.env.checks() {
            self.b.ins().trap(TrapCode::unwrap_user(TrapKind::OutOfFuel as u8));
            self.continue_in(next);
            self.block_context = known;
            return;
        }
        let vm = self.vm();
        let flags = self.flags(Region::Vm);
        let [fuel, rest] = FIELDS.map(|at| self.b.ins().load(types::I64, flags, vm, at));
        let part = self.b.ins().isub(fuel, rest);
        let part = self.b.ins().iadd(part, due);
        self.b.def_var(variable, part);
        self.b.ins().jump(next, &[]);
        self.continue_in(next);
        self.block_context = known;
    }

    /// What the current region costs is known.
    pub(super) fn end_region(&mut self) {
        let Translator { b, fuel: Some(fuel), .. } = self else { return };
        let due = fuel.due + fuel.cost;
        for inst in fuel.open.drain(..) {
            let imm = Imm64::new(due);
            b.func.dfg.insts[inst] = InstructionData::UnaryImm { opcode: Opcode::Iconst, imm };
        }
        fuel.due = if fuel.paid { 0 } else { due };
        fuel.cost = 0;
        fuel.paid = false;
    }

    /// What is due here, where a region has ended.
    pub(super) fn due(&mut self) -> i64 {
        self.end_region();
        self.fuel.as_ref().map_or(0, |fuel| fuel.due)
    }

    /// Goes on where so much is due.
    pub(super) fn set_due(&mut self, due: i64) {
        self.end_region();
        if let Some(fuel) = &mut self.fuel {
            fuel.due = due;
        }
    }

    /// On the way to a place where `there` is due, or whatever is due here. Gives the value as it was, if it changed.
    pub(super) fn fuel_to(&mut self, there: &mut Option<i64>) -> Option<Value> {
        let here = self.due();
        let more = here - *there.get_or_insert(here);
        let left = self.fuel.as_ref()?.left;
        (more != 0).then(|| {
            let old = self.b.use_var(left);
            let more = self.b.ins().iconst(types::I64, more);
            let new = self.b.ins().isub(old, more);
            self.b.def_var(left, new);
            old
        })
    }

    /// Not on that way: the value as it was.
    pub(super) fn fuel_back(&mut self, old: Option<Value>) {
        if let (Some(fuel), Some(old)) = (&self.fuel, old) {
            self.b.def_var(fuel.left, old);
        }
    }
}

/// Takes a part of the store's fuel; all of it where no signal stops a function.
pub(super) fn take_part(
    env: &Env<'_>,
    b: &mut FunctionBuilder<'_>,
    flags: MemFlagsData,
    vm: Value,
) -> Value {
    let fuel = b.ins().load(types::I64, flags, vm, FIELDS[0]);
    if env.checks() {
        return fuel;
    }
    // Below zero there is one part only.
    let zero = b.ins().iconst(types::I64, 0);
    let rest = b.ins().smax(fuel, zero);
    let rest = b.ins().band_imm_s(rest, -abi::FUEL_PART);
    b.ins().store(flags, rest, vm, FIELDS[1]);
    b.ins().isub(fuel, rest)
}

/// Tells the store what is left of the part.
pub(super) fn give_back(
    env: &Env<'_>,
    b: &mut FunctionBuilder<'_>,
    flags: MemFlagsData,
    vm: Value,
    mut left: Value,
) {
    if !env.checks() {
        let rest = b.ins().load(types::I64, flags, vm, FIELDS[1]);
        left = b.ins().iadd(rest, left);
    }
    b.ins().store(flags, left, vm, FIELDS[0]);
}
