//! What native code and the runtime agree on: the context that native code runs with, the calls that it makes
//! into the runtime, and how functions are called. The compiler uses the offsets, [`crate::native`] makes the
//! records. Invariant: whatever changes here changes [`VERSION`].
//!
//! ```text
//!           lower addresses                                                          higher
//! [ tables ][ memories ][ imported globals ][ imports ][ globals ][ fixed words ] ^ [ memory 0 ]
//!                                                                        context -'   (form A only)
//! ```
//!
//! Native code has one pointer, the context. Everything of the instance lies below it, at offsets that are known
//! when a module is compiled. In form A the bytes of memory 0 begin there.

use lithe_parser::Module;
use lithe_types::{MemoryType, limits};

use crate::Global;

pub mod cpu;
mod identity;

pub use identity::IDENTITY;

/// Raised with every change of this file, of `layout` or of the artifact's format.
pub const VERSION: u32 = 3;

/// The `*mut Instance`.
pub const INSTANCE: i32 = -8;
/// The `*mut Vm`.
pub const VM: i32 = -16;
/// The `*const` array of calls into the runtime, in the order of [`Builtin`].
pub const BUILTINS: i32 = -24;
/// The address that the stack pointer must not fall below in code that checks for itself.
pub const STACK_LIMIT: i32 = -32;
/// The `*mut *mut Func` of all functions; entries are null until somebody asks for them.
pub const FUNCS: i32 = -40;
/// The `*const u32` of canonical type ids by type index.
pub const TYPES: i32 = -48;
/// The `*const *mut Tag` of all tags.
pub const TAGS: i32 = -56;
/// The `*const AtomicU32` that is nonzero when the guest shall stop.
pub const SIGNAL: i32 = -64;
/// Bytes that the frame of a function has at most. Code that checks for itself does so with its frame in place, so
/// this much lies below the limit.
pub const FRAME_BYTES: u32 = 1 << 20;

/// The `*mut u8` that references to objects are offsets from; of modules with types of objects only.
pub const HEAP: i32 = -72;
/// The `*mut u64` bitmap of object starts; of modules with types of objects only.
pub const STARTS: i32 = -80;
/// The number [`limits::GUARDED_WIDE_MEMORY_BYTES`]: a comparison with it keeps it in a register, or is one with
/// memory, where a constant of its size would be made each time.
pub const WIDE_END: i32 = -88;
/// Bytes of the fixed words, with room for more.
pub const FIXED: i32 = 128;

/// Native code takes fuel from the store in parts: what is left without its multiples of this. What a function has left
/// of its part when a signal stops it is lost.
pub const FUEL_PART: i64 = 1 << 17;

/// Bytes of the record of an imported function.
pub const IMPORT_BYTES: i32 = 24;
/// In the record of an imported function: the code to call, with the native convention.
pub const IMPORT_CODE: i32 = 0;
/// In the record of an imported function: the context to call it with.
pub const IMPORT_CONTEXT: i32 = 8;
/// In the record of an imported function: the `*mut Func`.
pub const IMPORT_FUNC: i32 = 16;

/// Whether memories of this type have guards, where native code relies on those: the end of a memory is then the end
/// of a page of every machine.
pub fn has_guard(ty: &MemoryType) -> bool {
    ty.page_log2 == 16
}

/// Addresses that native code forms without comparing them with a memory's size are below this.
pub fn address_space(ty: &MemoryType) -> u64 {
    match ty.is64 {
        true => limits::GUARDED_WIDE_MEMORY_BYTES,
        false => 1 << 32,
    }
}

/// Where the parts of a module's context lie.
#[derive(Clone, Copy, Debug)]
pub struct ContextLayout {
    own_globals: i32,
    imports: i32,
    imported_globals: i32,
    memories: i32,
    tables: i32,
    imported_global_count: u32,
}

impl ContextLayout {
    /// The layout of contexts of `module`. Counts are limited by validation, so offsets fit 32 bits.
    pub fn of(module: &Module) -> ContextLayout {
        let own = (module.globals.len() as u32 - module.imported_globals) as i32;
        let own_globals = -FIXED - own * size_of::<Global>() as i32;
        let imports = own_globals - module.imported_funcs as i32 * IMPORT_BYTES;
        let imported_globals = imports - module.imported_globals as i32 * 8;
        let memories = imported_globals - module.memories.len() as i32 * 8;
        let tables = memories - module.tables.len() as i32 * 8;
        let imported_global_count = module.imported_globals;
        ContextLayout {
            own_globals,
            imports,
            imported_globals,
            memories,
            tables,
            imported_global_count,
        }
    }

    /// Bytes below the context, a multiple of 16.
    pub fn size(&self) -> usize {
        (self.tables.unsigned_abs() as usize).next_multiple_of(16)
    }

    /// The record of a global that the module defines, or `None` when it is imported.
    pub fn own_global(&self, global: u32) -> Option<i32> {
        let own = global.checked_sub(self.imported_global_count)?;
        Some(self.own_globals + own as i32 * size_of::<Global>() as i32)
    }

    /// The first record of the globals that the module defines.
    pub fn own_globals(&self) -> i32 {
        self.own_globals
    }

    /// The word that holds the `*mut Global` of an imported global.
    pub fn imported_global(&self, global: u32) -> i32 {
        self.imported_globals + global as i32 * 8
    }

    /// The record of an imported function.
    pub fn import(&self, func: u32) -> i32 {
        self.imports + func as i32 * IMPORT_BYTES
    }

    /// The word that holds the `*mut Memory`.
    pub fn memory(&self, memory: u32) -> i32 {
        self.memories + memory as i32 * 8
    }

    /// The word that holds the `*mut Table`.
    pub fn table(&self, table: u32) -> i32 {
        self.tables + table as i32 * 8
    }
}

/// A parameter or result of a call into the runtime.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Word {
    /// 32 bits; the upper half of the register is undefined.
    I32,
    /// 64 bits.
    I64,
}

/// Calls the given macro with the table of calls into the runtime. Every call takes the context first, and at most
/// five words more, which the system's convention passes in registers. A call that traps does not return.
#[macro_export]
macro_rules! for_each_builtin {
    ($macro:ident) => {
        $macro! {
            /// Stops with the trap of this number. Never returns.
            trap(I32);
            /// Throws the exception that the reference leads to. Never returns.
            throw(I32);
            /// Throws a new exception with tag 1 and the payload in the slots at address 2. Never returns.
            throw_new(I32, I64);
            /// The store's signal is set: stops, or returns when there was nothing to do.
            interrupted();
            /// Takes the next part of the fuel, or stops when none is left.
            refuel();
            /// Calls a function that has no native code: its address, and its arguments as slots, which its results
            /// replace.
            call(I64, I64);
            /// The `*mut Func` of a function.
            func(I32) -> I64;
            /// Whether the first canonical function type is a subtype of the second.
            is_subtype(I32, I32) -> I32;
            /// The size in bytes of memory 1 as it is now.
            memory_len(I32) -> I64;
            /// Grows memory 1 by 2 pages; the old size in pages, or all ones.
            memory_grow(I32, I64) -> I64;
            /// Memory 1, from 2 on, value 3, length 4.
            memory_fill(I32, I64, I32, I64);
            /// To memory 1 from memory 2: to 3, from 4, length 5.
            memory_copy(I32, I32, I64, I64, I64);
            /// To memory 1 from data segment 2: to 3, from 4, length 5.
            memory_init(I32, I32, I64, I32, I32);
            /// Drops a data segment.
            data_drop(I32);
            /// Grows table 1 with value 2 by 3 elements; the old size, or all ones.
            table_grow(I32, I64, I64) -> I64;
            /// Table 1, from 2 on, value 3, length 4.
            table_fill(I32, I64, I64, I64);
            /// To table 1 from table 2: to 3, from 4, length 5.
            table_copy(I32, I32, I64, I64, I64);
            /// To table 1 from element segment 2: to 3, from 4, length 5.
            table_init(I32, I32, I64, I32, I32);
            /// Drops an element segment.
            elem_drop(I32);
            /// Waits on 32 bits of memory 1 at address 2 that hold 3, for 4 nanoseconds.
            wait32(I32, I64, I32, I64) -> I32;
            /// Waits on 64 bits of memory 1 at address 2 that hold 3, for 4 nanoseconds.
            wait64(I32, I64, I64, I64) -> I32;
            /// Notifies waiters on memory 1 at address 2, at most 3; gives how many.
            notify(I32, I64, I32) -> I32;
            /// Makes room for an object of so many bytes, a multiple of 8.
            make_room(I64);
            /// A new array of canonical type 1. The lower half of 2 is its length, the upper one the logarithm of
            /// an element's size; 3 and 4 are the slots of the value that its elements have.
            array_new(I32, I64, I64, I64) -> I32;
            /// A new array of canonical type 1. The lower half of 2 is a data segment, the upper one the logarithm of
            /// an element's size; from 3 on, length 4.
            array_new_data(I32, I64, I32, I32) -> I32;
            /// As before, from an element segment.
            array_new_elem(I32, I64, I32, I32) -> I32;
            /// The lower half of 1 is an array, the upper one where to begin; the lower half of 2 is the number of
            /// elements, the upper one the logarithm of their size; 3 and 4 are the slots of their value.
            array_fill(I64, I64, I64, I64);
            /// To the array and start in 1, from those in 2, length 3; 4 is the logarithm of an element's size.
            array_copy(I64, I64, I32, I32);
            /// To the array and start in 1, from the data segment in the lower half of 2, whose upper one is the
            /// logarithm of an element's size; from 3 on, length 4.
            array_init_data(I64, I64, I32, I32);
            /// As before, from an element segment.
            array_init_elem(I64, I64, I32, I32);
        }
    };
}

macro_rules! define {
    ($($(#[$doc:meta])* $name:ident($($arg:ident),*) $(-> $result:ident)?;)*) => {
        /// A call from native code into the runtime.
        #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
        #[repr(u8)]
        #[expect(non_camel_case_types, reason = "the names of the functions that serve the calls")]
        pub enum Builtin {
            $($(#[$doc])* $name,)*
        }

        impl Builtin {
            /// Every call, in the order of the array.
            pub const ALL: &'static [Builtin] = &[$(Builtin::$name,)*];

            /// The parameters after the context, and the result.
            pub const fn signature(self) -> (&'static [Word], Option<Word>) {
                match self {
                    $(Builtin::$name => (&[$(Word::$arg,)*], define!(@result $($result)?)),)*
                }
            }
        }
    };
    (@result) => { None };
    (@result $result:ident) => { Some(Word::$result) };
}

for_each_builtin!(define);

/// Where code does what it cannot do without help: memory accesses out of bounds, stack overflow, interruption.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
#[repr(u8)]
pub enum Traps {
    /// Code checks for itself, and needs no signal.
    #[default]
    Checks = 0,
    /// Guard pages and signals, which is faster. Loading the first such code installs handlers of `SIGSEGV`, `SIGBUS`,
    /// `SIGILL`, `SIGFPE` and `SIGURG` for the process, which pass on what is not about a guest; each memory takes at
    /// least 6 GiB of address space.
    Signals = 1,
}

/// What native code is compiled for.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[repr(u8)]
pub enum Arch {
    /// x86-64-v2 and later.
    X86_64 = 1,
    /// armv8-a and later.
    Aarch64 = 2,
    /// rv64gc and later.
    Riscv64 = 3,
}

impl Arch {
    /// The machine that this program runs on, when there is native code for it.
    pub const HOST: Option<Arch> = if cfg!(target_arch = "x86_64") {
        Some(Arch::X86_64)
    } else if cfg!(target_arch = "aarch64") {
        Some(Arch::Aarch64)
    } else if cfg!(target_arch = "riscv64") {
        Some(Arch::Riscv64)
    } else {
        None
    };

    /// The machine's usual name.
    pub const fn name(self) -> &'static str {
        match self {
            Arch::X86_64 => "x86_64",
            Arch::Aarch64 => "aarch64",
            Arch::Riscv64 => "riscv64",
        }
    }
}
