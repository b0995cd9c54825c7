//! The operations of the bytecode, generated from `build/table.rs`, and how WebAssembly operators map to
//! groups of them. The translator and the disassembler use it.

use lithe_parser::{MemArg, Operator as O};

/// The accumulator that a value stands in.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Class {
    Int,
    F32,
    F64,
}

/// The immediate that an operator's forms take.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Imm {
    /// Any value of 32 bits, in the operand cell.
    Bits32,
    /// Any value of 64 bits, in a cell of its own.
    Bits64,
    /// A 64-bit value that is the sign extension of 32 bits, in the operand cell.
    Signed32,
}

/// A two-operand operator: its forms slot-slot, slot-immediate, immediate-slot, accumulator-slot,
/// slot-accumulator, accumulator-immediate, immediate-accumulator.
pub(crate) struct Binary {
    pub forms: [Op; 7],
    pub imm: Imm,
    pub operand: Class,
    pub result: Class,
}

/// A one-operand operator: slot and accumulator form.
pub(crate) struct Unary {
    pub forms: [Op; 2],
    pub operand: Class,
    pub result: Class,
}

/// A scalar load: address in a slot, in the accumulator, and the forms for any memory and any shared one.
pub(crate) struct Load {
    pub forms: [Op; 4],
    /// The address a 32-bit sum: of slots, slot and immediate, accumulator and slot, accumulator and immediate.
    pub sums: [Op; 4],
    pub result: Class,
}

/// A scalar store: slots, value in the accumulator, address in the accumulator, value immediate, address in
/// the accumulator and value immediate, any memory, any shared memory.
pub(crate) struct Store {
    pub forms: [Op; 7],
    /// The address a 32-bit sum of slots, with the value in a slot or immediate, or of accumulator and slot.
    pub sums: [Op; 4],
}

/// The operation group of an operator.
pub(crate) enum Family {
    Binary(&'static Binary),
    Unary(&'static Unary),
    Load(&'static Load, MemArg),
    Store(&'static Store, MemArg),
    /// One to three vectors to a vector.
    Vector(u8, Op),
    VectorShift(Op),
    VectorTest(Op),
    VectorSplat(Op),
    VectorExtract(u8, Op, Class),
    VectorReplace(u8, Op),
    VectorShuffle([u8; 16], Op),
    /// With the operations for memories that are not shared and for shared ones, here and below.
    VectorLoad(MemArg, [Op; 2]),
    VectorLoadLane(MemArg, u8, [Op; 2]),
    VectorStoreLane(MemArg, u8, [Op; 2]),
    /// One to three operands, of which the first one is the address, to a result.
    Atomic(u8, MemArg, Op),
    AtomicStore(MemArg, Op),
}

/// The reads of a field: in a struct, with the reference in a slot and in the accumulator; in an array, with the
/// index in a slot, in the accumulator and immediate, and immediate with the array in the accumulator.
pub(crate) struct FieldGet {
    pub field: [Op; 2],
    pub element: [Op; 4],
    pub result: Class,
}

/// The writes of a field: in a struct, with the value in a slot and in the accumulator; in an array.
pub(crate) struct FieldSet {
    pub field: [Op; 2],
    pub array: Op,
}

/// Branches fused with a comparison, each forward and backward.
pub(crate) struct Branches {
    /// Taken when the comparison holds.
    pub when: [Op; 2],
    /// Taken when it does not.
    pub unless: [Op; 2],
}

include!(concat!(env!("OUT_DIR"), "/ops.rs"));

impl Op {
    /// Name, operand format and size in cells.
    pub(crate) fn format(self) -> (&'static str, &'static str, usize) {
        let (name, format, cells) = FORMATS[self as usize];
        (name, format, cells as usize)
    }
}
