//! Fuel. What is left is a value of its own, which functions receive and return beside those of their types; the
//! store's counter has it where the runtime may look: at calls into the runtime, traps and exceptions. Invariant: an
//! instruction that may fault comes after the charge of its region was written to the counter.

use cranelift_codegen::ir::{
    Inst, InstBuilder, InstructionData, Opcode, TrapCode, Value, condcodes::IntCC,
    immediates::Imm64, types,
};
use cranelift_frontend::Variable;
use lithe_runtime::Vm;
use lithe_types::TrapKind;

use super::{Translator, context::Region};
use crate::env::Rare;

/// What a function knows of fuel.
pub(super) struct Fuel {
    left: Variable,
    /// Whether the counter is behind.
    pub(super) behind: bool,
    /// The instruction that holds the charge of the current region, and the charge.
    charge: Option<(Inst, i64)>,
}

impl Translator<'_> {
    /// The function has so much fuel.
    pub(super) fn take_fuel(&mut self, left: Value) {
        let variable = self.b.declare_var(types::I64);
        self.b.def_var(variable, left);
        self.fuel = Some(Fuel { left: variable, behind: true, charge: None });
    }

    /// What is left, where fuel is counted.
    pub(super) fn fuel(&mut self) -> Option<Value> {
        let left = self.fuel.as_ref()?.left;
        Some(self.b.use_var(left))
    }

    /// After a call: what it has left.
    pub(super) fn set_fuel(&mut self, value: Value) {
        if let Some(fuel) = &mut self.fuel {
            fuel.behind = true;
            self.b.def_var(fuel.left, value);
        }
    }

    /// Begins a stretch of operators that are charged together; `check` where fuel may run out.
    pub(super) fn begin_region(&mut self, check: bool) {
        self.settle_charge();
        let Some(left) = self.fuel() else { return };
        let cost = self.b.ins().iconst(types::I64, 0);
        if check {
            let out = self.b.ins().icmp(IntCC::SignedLessThan, left, cost);
            let (cold, next) = (self.b.create_block(), self.b.create_block());
            self.b.set_cold_block(cold);
            self.b.ins().brif(out, cold, &[], next, &[]);
            let known = self.block_context;
            self.continue_in(cold);
            self.rare(Rare::OutOfFuel, &[]);
            self.b.ins().trap(TrapCode::unwrap_user(TrapKind::OutOfFuel as u8));
            self.continue_in(next);
            self.block_context = known;
        }
        let left = self.b.ins().isub(left, cost);
        self.set_fuel(left);
        let charge = self.b.func.dfg.value_def(cost).inst().map(|inst| (inst, 0));
        if let Some(fuel) = &mut self.fuel {
            fuel.charge = charge;
        }
        if check && !self.env.checks() {
            // A signal finds what all rounds and calls before this one have cost.
            self.keep_fuel_for_good();
        }
    }

    /// Charges an operator.
    pub(super) fn charge(&mut self) {
        if let Some(Fuel { charge: Some((_, cost)), .. }) = &mut self.fuel {
            *cost += 1;
        }
    }

    /// Writes the charge of the current region where it began.
    pub(super) fn settle_charge(&mut self) {
        if let Some((inst, cost)) = self.fuel.as_mut().and_then(|fuel| fuel.charge.take()) {
            let imm = Imm64::new(cost);
            self.b.func.dfg.insts[inst] = InstructionData::UnaryImm { opcode: Opcode::Iconst, imm };
        }
    }

    /// Whether the counter is up to date.
    pub(super) fn fuel_is_kept(&self) -> bool {
        self.fuel.as_ref().is_none_or(|fuel| !fuel.behind)
    }

    /// Brings the counter up to date on this way.
    pub(super) fn keep_fuel(&mut self) {
        if !self.fuel_is_kept()
            && let Some(left) = self.fuel()
        {
            let vm = self.vm();
            let flags = self.flags(Region::Vm);
            self.b.ins().store(flags, left, vm, core::mem::offset_of!(Vm, fuel) as i32);
        }
    }

    /// Brings the counter up to date for all that follows in the region.
    pub(super) fn keep_fuel_for_good(&mut self) {
        self.keep_fuel();
        if let Some(fuel) = &mut self.fuel {
            fuel.behind = false;
        }
    }

    /// Reads the counter: where an exception arrives.
    pub(super) fn read_fuel(&mut self) {
        if self.fuel.is_some() {
            let vm = self.vm();
            let flags = self.flags(Region::Vm);
            let offset = core::mem::offset_of!(Vm, fuel) as i32;
            let left = self.b.ins().load(types::I64, flags, vm, offset);
            self.set_fuel(left);
        }
    }
}
