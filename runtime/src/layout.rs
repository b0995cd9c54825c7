//! The one description of what engines see: instances, functions, tables, memories, globals, code and the
//! state of execution. The interpreter dereferences these records, the compiler uses their offsets.
//!
//! Frames (both engines): a frame is an array of 64-bit slots on the value stack, a v128 takes two.
//!
//! ```text
//! lower addresses                                                              higher
//! [ params / results ][ code slot | caller instance | caller sp | return ip ][ locals ][ operands ... ]
//!   sp[-4 - params]     sp[-4]      sp[-3]            sp[-2]      sp[-1]       sp[0]
//! ```
//!
//! A caller writes the arguments at the end of its own operands; the callee's frame begins there, so nothing
//! is copied. Results replace the arguments.

use alloc::boxed::Box;
use core::{
    cell::UnsafeCell,
    sync::atomic::{AtomicPtr, AtomicU32},
};

use lithe_types::{GlobalType, MemoryType, TableType};

use crate::{
    Code, HeapView, Shape, Shared, Signal,
    funcs::{Records, Signature},
};

/// Slots between the parameters and the locals of a frame.
pub const HEADER_SLOTS: usize = 4;
/// The slot that holds the function's `*const CodeSlot`, counted from `sp`.
pub const HEADER_CODE: isize = -4;
/// The slot that holds the caller's `*mut Instance`, counted from `sp`.
pub const HEADER_INSTANCE: isize = -3;
/// The slot that holds the caller's `sp`, counted from `sp`; null in a frame entered from the host.
pub const HEADER_SP: isize = -2;
/// The slot that holds the caller's next instruction, counted from `sp`.
pub const HEADER_IP: isize = -1;

/// Where an exception's object has the address of its tag.
pub const EXCEPTION_TAG: u32 = 8;
/// Where an exception's object has its payload, as slots.
pub const EXCEPTION_PAYLOAD: u32 = crate::gc::EXN_PAYLOAD;

/// An instantiated module.
#[repr(C)]
pub struct Instance {
    /// Memory 0; null when the module has none.
    pub memory0: *mut Memory,
    /// The state of execution of the store.
    pub vm: *mut Vm,
    /// Interruption flag of the store, see [`Vm::signal`].
    pub signal: *const AtomicU32,
    /// Globals that this instance defines, one array.
    pub own_globals: *mut Global,
    /// All globals, imported ones first.
    pub globals: *const *mut Global,
    /// All functions, imported ones first; null for its own ones that nobody has asked [`Instance::func`] for.
    pub funcs: *mut *mut Func,
    /// All tables, imported ones first.
    pub tables: *const *mut Table,
    /// All memories, imported ones first.
    pub memories: *const *mut Memory,
    /// All tags, imported ones first.
    pub tags: *const *mut Tag,
    /// Translations of the defined functions.
    pub codes: *const CodeSlot,
    /// Canonical type ids by type index.
    pub types: *const u32,
    /// Element segments as slots; a dropped segment is empty.
    pub elements: Box<[Box<[u64]>]>,
    /// Whether each data segment was dropped.
    pub dropped_data: Box<[bool]>,
    /// The module.
    pub code: Shared<Code>,
    /// What native code of its functions is called with; null when there is none.
    pub context: *mut u8,
    /// The records of its own functions.
    pub made: UnsafeCell<Records>,
    /// How many globals, functions, tables, memories and tags the pointers above lead to.
    pub counts: Counts,
}

/// Lengths of the arrays of an instance.
#[derive(Clone, Copy, Default)]
pub struct Counts {
    /// Globals.
    pub globals: u32,
    /// Functions.
    pub funcs: u32,
    /// Tables.
    pub tables: u32,
    /// Memories.
    pub memories: u32,
    /// Tags.
    pub tags: u32,
}

/// A function: one of an instance, or one of the host. A `funcref` slot holds its address, 0 is null.
#[repr(C)]
pub struct Func {
    /// Where the translation is; null for a host function.
    pub code: *const CodeSlot,
    /// The instance it belongs to; null for a host function.
    pub instance: *mut Instance,
    /// Canonical type id.
    pub ty: u32,
    /// Slots that the parameters take.
    pub param_slots: u16,
    /// Slots that the results take.
    pub result_slots: u16,
    /// The host function's number in its store, or the function's index in its module.
    pub index: u32,
    /// The function type.
    pub signature: Signature,
    /// Native code, with the native convention; null when there is none.
    pub native: *const u8,
    /// The context that native code is called with.
    pub context: *mut u8,
    /// The native code that calls `native` for the host, with arguments and results as slots.
    pub enter: *const u8,
}

/// Where the translation of a function is published. Starts with a stub that asks for translation.
#[repr(transparent)]
pub struct CodeSlot(pub AtomicPtr<CodeHeader>);

/// What precedes the operations of a translated function.
#[repr(C)]
pub struct CodeHeader {
    /// Slots that must be free from `sp` on, including outgoing arguments.
    pub frame_slots: u16,
    /// Slots from `sp` on that are zero when the function starts.
    pub zero_slots: u16,
    /// Where the function's table of exception handlers begins, in cells from the first operation; 0 when it has
    /// none. The table is in the engine's encoding.
    pub handlers: u32,
    /// The operations, in the engine's encoding.
    pub ops: [u64; 0],
}

/// A linear memory.
#[repr(C)]
pub struct Memory {
    /// First byte. Dangling when `len` is 0.
    pub base: *mut u8,
    /// Size in bytes; of a shared memory a size that it once had, see [`Memory::refresh`].
    pub len: usize,
    /// The type, with the minimum as declared.
    pub ty: MemoryType,
    /// Bytes that growing never exceeds.
    pub max_len: usize,
    /// Whether every access of native code beyond the size faults, and the memory never moves.
    pub(crate) guarded: bool,
    pub(crate) backing: crate::memory::Backing,
}

/// A table. Elements are slots: addresses of [`Func`] or references to heap objects, 0 is null.
#[repr(C)]
pub struct Table {
    /// First element. Dangling when `len` is 0.
    pub base: *mut u64,
    /// Number of elements.
    pub len: usize,
    /// The type, with the minimum as declared.
    pub ty: TableType,
    /// Elements that growing never exceeds.
    pub max_len: usize,
    /// Whether elements refer to heap objects, which a collection follows.
    pub(crate) holds_objects: bool,
    pub(crate) elements: alloc::vec::Vec<u64>,
}

/// A global.
#[repr(C)]
pub struct Global {
    /// The value; the second slot is used by v128 only.
    pub value: [u64; 2],
    /// The type, with canonical type ids.
    pub ty: GlobalType,
}

/// A tag: what an exception is thrown with and caught by. Two tags are the same when their addresses are.
#[repr(C)]
pub struct Tag {
    /// The instance that defines it; null for a tag of the host.
    pub instance: *mut Instance,
    /// The tag's index in its module.
    pub index: u32,
    /// Canonical type id.
    pub ty: u32,
    /// The types of the payload are the parameters of this type, which has no results.
    pub signature: Signature,
}

/// The state of execution of a store. An engine that stops leaves everything here that continuing needs.
#[repr(C)]
pub struct Vm {
    /// First slot of the value stack; null until the first call.
    pub stack_base: *mut u64,
    /// One past the last slot of the value stack.
    pub stack_end: *mut u64,
    /// The frame that execution stopped in, or the first free slot between calls.
    pub sp: *mut u64,
    /// The operation to continue at.
    pub ip: *const u64,
    /// The instance that execution stopped in.
    pub instance: *mut Instance,
    /// Fuel left; counted only by code translated with fuel, checked at function entries and loop headers.
    pub fuel: i64,
    /// The part of the fuel that native code, which has the other part in a register, has not begun.
    pub fuel_rest: i64,
    /// The function that a stopped engine wants called: host functions, and other instances' functions.
    pub callee: *mut Func,
    /// The callee's first argument.
    pub args: *mut u64,
    /// Nonzero when execution shall stop at the next function entry or back-edge.
    pub signal: Shared<Signal>,
    /// The heap, as engines see it.
    pub heap: HeapView,
    /// The shapes of all types that objects of the store have, by canonical id.
    pub shapes: *const *const Shape,
    /// Bytes that an engine which stopped for an allocation needs.
    pub room: u64,
    /// What a stopped engine's accumulators held: integer, f64, f32.
    pub accumulators: (u64, f64, f32),
    /// Nested entries from the host.
    pub entries: u32,
    /// How often `memory.grow` was refused by the store's limit.
    pub refused_grows: u32,
    /// The exception that a stopped engine is throwing, as a slot.
    pub exception: u64,
    /// Activations of native code.
    #[cfg(feature = "std")]
    pub native: crate::native::State,
}
