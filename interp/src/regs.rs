//! The machine registers of the interpreter and how operations read their operands. Handlers of both dispatch
//! back ends take a [`Regs`], which the optimiser dissolves into real registers.
//!
//! An operation is a cell with its handler (an address or a number), a cell of four 16-bit fields whose upper
//! half may be one 32-bit immediate, and further cells for what is larger. Invariant of every unsafe function
//! here and in `exec`: `ip` points to an operation that the translator wrote for the running function, whose
//! frame of `frame_slots` slots begins at `sp`; so each slot number is within the frame.

use lithe_runtime::{Instance, layout};
use lithe_types::TrapKind;

use crate::simd::V128;

/// The registers.
pub(crate) struct Regs {
    /// The operation being executed.
    pub ip: *const u64,
    /// Slot 0 of the frame.
    pub sp: *mut u64,
    /// First byte of memory 0.
    pub mem: *mut u8,
    /// Size of memory 0 in bytes.
    pub len: usize,
    /// The running instance.
    pub inst: *mut Instance,
    /// The last integer result, which also stands in its slot.
    pub acc: u64,
    /// The last f64 result, likewise.
    pub facc: f64,
    /// The last f32 result, likewise.
    pub sacc: f32,
}

/// What an operation's body tells the dispatcher.
pub(crate) enum Flow {
    /// `ip` points to the next operation.
    Next,
    /// Execution leaves the interpreter; `ip` and `sp` say where.
    Leave(u32),
}

/// Why execution left the interpreter, when it was no trap. Traps use the numbers of [`TrapKind`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u32)]
pub(crate) enum Stop {
    /// The function called from the host returned.
    Done = 0x100,
    /// A host function is to be called, see `Vm::callee`.
    Host,
    /// The running function has no translation yet.
    Translate,
    /// The signal of the store is set.
    Signal,
    /// Fuel ran out.
    Fuel,
    /// An object needs `Vm::room` bytes.
    Room,
    /// An exception is thrown, see `Vm::exception`.
    Throw,
    /// As `Host`, and the running function is done but for returning the results.
    TailHost,
}

impl From<TrapKind> for Flow {
    #[inline(always)]
    fn from(kind: TrapKind) -> Flow {
        Flow::Leave(kind as u32)
    }
}

impl Regs {
    /// 16-bit field `k` of the operand cell.
    #[inline(always)]
    pub unsafe fn field(&self, k: usize) -> i16 {
        // SAFETY: the operand cell has four fields (module invariant).
        unsafe { *self.ip.add(1).cast::<i16>().add(k) }
    }

    /// The upper half of the operand cell.
    #[inline(always)]
    pub unsafe fn imm(&self) -> i32 {
        // SAFETY: the operand cell has two halves (module invariant).
        unsafe { *self.ip.add(1).cast::<i32>().add(1) }
    }

    /// Cell `k` of the operation.
    #[inline(always)]
    pub unsafe fn cell(&self, k: usize) -> u64 {
        // SAFETY: only called for cells that the operation's format has (module invariant).
        unsafe { *self.ip.add(k) }
    }

    /// The slot that field `k` names.
    #[inline(always)]
    pub unsafe fn slot(&self, k: usize) -> *mut u64 {
        // SAFETY: slot numbers are within the frame (module invariant).
        unsafe { self.sp.offset(self.field(k) as isize) }
    }

    /// The value of the slot that field `k` names.
    #[inline(always)]
    pub unsafe fn get(&self, k: usize) -> u64 {
        // SAFETY: as in `slot`.
        unsafe { *self.slot(k) }
    }

    /// Writes an integer result to the slot of field 0 and to the accumulator.
    #[inline(always)]
    pub unsafe fn set(&mut self, value: u64) {
        // SAFETY: as in `slot`.
        unsafe { *self.slot(0) = value };
        self.acc = value;
    }

    /// The vector in the two slots that field `k` names.
    #[inline(always)]
    pub unsafe fn get_v128(&self, k: usize) -> V128 {
        // SAFETY: a v128 operand has two slots within the frame. One copy of 16 bytes keeps it a vector.
        unsafe { self.slot(k).cast::<V128>().read() }
    }

    /// Writes a vector result to the two slots of field 0.
    #[inline(always)]
    pub unsafe fn set_v128(&mut self, value: V128) {
        // SAFETY: as in `get_v128`.
        unsafe { self.slot(0).cast::<V128>().write(value) };
    }

    /// Goes to the operation `cells` further on.
    #[inline(always)]
    pub unsafe fn next(&mut self, cells: usize) -> Flow {
        // SAFETY: a function ends with an operation that does not fall through, so another one follows.
        self.ip = unsafe { self.ip.add(cells) };
        Flow::Next
    }

    /// Reads base and size of memory 0 again, after anything that may have grown it.
    #[inline(always)]
    pub unsafe fn reload_memory(&mut self) {
        // SAFETY: `inst` is a live instance, and its memory 0 is null or live.
        unsafe {
            let memory = (*self.inst).memory0;
            if memory.is_null() {
                self.mem = core::ptr::dangling_mut();
                self.len = 0;
            } else {
                self.mem = (*memory).base;
                self.len = (*memory).len;
            }
        }
    }

    /// A word of the frame's header.
    #[inline(always)]
    pub unsafe fn header(&self, at: isize) -> *mut u64 {
        const { assert!(layout::HEADER_SLOTS == 4) };
        // SAFETY: a header precedes every frame.
        unsafe { self.sp.offset(at) }
    }

    /// Whether the store's signal is set.
    #[inline(always)]
    pub unsafe fn signaled(&self) -> bool {
        // SAFETY: the signal lives as long as the store.
        unsafe { (*(*self.inst).signal).load(core::sync::atomic::Ordering::Relaxed) != 0 }
    }
}

/// A type whose values stand in one slot.
pub(crate) trait Scalar: Copy {
    /// Cells of an operation with an immediate of this type.
    const IMM_CELLS: usize;
    /// The value of a slot.
    fn from_slot(slot: u64) -> Self;
    /// The value of the accumulator of this type.
    fn acc(r: &Regs) -> Self;
    /// The immediate of the operation.
    unsafe fn imm(r: &Regs) -> Self;
    /// Writes a result to the slot of field 0 and to the accumulator.
    unsafe fn set(self, r: &mut Regs);
}

macro_rules! integer {
    ($($ty:ident)*) => {$(
        impl Scalar for $ty {
            const IMM_CELLS: usize = 2;
            #[inline(always)]
            fn from_slot(slot: u64) -> $ty {
                slot as $ty
            }
            #[inline(always)]
            fn acc(r: &Regs) -> $ty {
                r.acc as $ty
            }
            #[inline(always)]
            unsafe fn imm(r: &Regs) -> $ty {
                // SAFETY: module invariant.
                unsafe { r.imm() as $ty }
            }
            #[inline(always)]
            unsafe fn set(self, r: &mut Regs) {
                // SAFETY: module invariant.
                unsafe { r.set(u64::from(self)) }
            }
        }
    )*};
}

integer! { u32 u64 }

impl Scalar for bool {
    const IMM_CELLS: usize = 2;
    #[inline(always)]
    fn from_slot(slot: u64) -> bool {
        slot as u32 != 0
    }
    #[inline(always)]
    fn acc(r: &Regs) -> bool {
        r.acc as u32 != 0
    }
    #[inline(always)]
    unsafe fn imm(r: &Regs) -> bool {
        // SAFETY: module invariant.
        unsafe { r.imm() != 0 }
    }
    #[inline(always)]
    unsafe fn set(self, r: &mut Regs) {
        // SAFETY: module invariant.
        unsafe { r.set(u64::from(self)) }
    }
}

impl Scalar for f32 {
    const IMM_CELLS: usize = 2;
    #[inline(always)]
    fn from_slot(slot: u64) -> f32 {
        f32::from_bits(slot as u32)
    }
    #[inline(always)]
    fn acc(r: &Regs) -> f32 {
        r.sacc
    }
    #[inline(always)]
    unsafe fn imm(r: &Regs) -> f32 {
        // SAFETY: module invariant.
        unsafe { f32::from_bits(r.imm() as u32) }
    }
    #[inline(always)]
    unsafe fn set(self, r: &mut Regs) {
        // SAFETY: module invariant.
        unsafe { *r.slot(0) = u64::from(self.to_bits()) };
        r.sacc = self;
    }
}

impl Scalar for f64 {
    const IMM_CELLS: usize = 3;
    #[inline(always)]
    fn from_slot(slot: u64) -> f64 {
        f64::from_bits(slot)
    }
    #[inline(always)]
    fn acc(r: &Regs) -> f64 {
        r.facc
    }
    #[inline(always)]
    unsafe fn imm(r: &Regs) -> f64 {
        // SAFETY: an f64 immediate has a cell of its own (module invariant).
        unsafe { f64::from_bits(r.cell(2)) }
    }
    #[inline(always)]
    unsafe fn set(self, r: &mut Regs) {
        // SAFETY: module invariant.
        unsafe { *r.slot(0) = self.to_bits() };
        r.facc = self;
    }
}
