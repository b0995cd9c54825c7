//! Locals: variables, of which the first ones are values and the others lie in the frame. The walk of a body declares and
//! uses them. Invariant: how many are values falls with the size of the body, since Cranelift takes memory for each
//! variable in each block.

use cranelift_codegen::ir::{
    InstBuilder, StackSlot, StackSlotData, StackSlotKind, Type, Value, types,
};
use cranelift_frontend::Variable;
use lithe_types::{RefType, ValType, limits};

use super::{Translator, context::Region};

/// Where a local is.
#[derive(Clone, Copy)]
enum Place {
    Value(Variable),
    /// At this offset of the slot of locals.
    Frame(i32, Type),
}

/// The locals of a function.
#[derive(Default)]
pub(super) struct Locals {
    all: Vec<(Place, bool)>,
    /// Those that lie in the frame, and their address: one value, since a value for each place would live as long as the
    /// local.
    slot: Option<(StackSlot, Value)>,
}

impl Translator<'_> {
    /// The next local, with its first value.
    pub(super) fn declare_local(&mut self, ty: ValType, value: Value) {
        let never_null = matches!(ty, ValType::Ref(RefType { nullable: false, .. }));
        let ty = self.env.value_type(ty);
        let body = self.env.module.bodies.get(self.func as usize).map_or(0, |body| body.len());
        let place = match self.locals.all.len().saturating_mul(body) < limits::VARIABLE_BYTES {
            true => Place::Value(self.b.declare_var(ty)),
            false => self.in_frame(ty),
        };
        self.write(place, value);
        self.locals.all.push((place, never_null));
    }

    fn in_frame(&mut self, ty: Type) -> Place {
        let Translator { locals, b, .. } = self;
        let (slot, _) = *locals.slot.get_or_insert_with(|| {
            let data = StackSlotData::new(StackSlotKind::ExplicitSlot, 0, 4);
            let slot = b.create_sized_stack_slot(data);
            (slot, b.ins().stack_addr(types::I64, slot, 0))
        });
        // Each at a multiple of its size.
        let size = &mut b.func.sized_stack_slots[slot].size;
        let at = size.next_multiple_of(ty.bytes());
        *size = at + ty.bytes();
        Place::Frame(at as i32, ty)
    }

    /// The value of a local.
    pub(super) fn local(&mut self, local: u32) -> Value {
        let (place, never_null) = self.locals.all[local as usize];
        let value = match (place, self.locals.slot) {
            (Place::Frame(at, ty), Some((_, base))) => {
                let flags = self.flags(Region::Locals);
                self.b.ins().load(ty, flags, base, at)
            }
            (Place::Value(variable), _) => self.b.use_var(variable),
            (Place::Frame(_, ty), None) => self.zero_of(ty),
        };
        if never_null {
            self.never_null.insert(value);
        }
        value
    }

    /// Changes a local.
    pub(super) fn set_local(&mut self, local: u32, value: Value) {
        self.write(self.locals.all[local as usize].0, value);
    }

    fn write(&mut self, place: Place, value: Value) {
        match (place, self.locals.slot) {
            (Place::Frame(at, _), Some((_, base))) => {
                let flags = self.flags(Region::Locals);
                self.b.ins().store(flags, value, base, at);
            }
            (Place::Value(variable), _) => self.b.def_var(variable, value),
            (Place::Frame(..), None) => {}
        }
    }
}
