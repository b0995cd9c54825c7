//! Implementation limits that do not depend on an embedder's choice, one constant each. Choosable limits
//! (memory, stack, fuel, tables) live in the store.

/// Slots of 64 bits that one frame may have: operands of the bytecode are signed 16-bit slot numbers.
pub const FRAME_SLOTS: u32 = 30_000;

/// Cells of 8 bytes that the bytecode of one function may take for each byte of its body. Ordinary code
/// takes one to two; only branches that carry hundreds of values take more.
pub const CELLS_PER_BYTE: usize = 16;

/// Cells of bytecode that a function may take whatever its size.
pub const CELLS_FREE: usize = 1 << 16;

/// Locals times bytes of the body, up to which native code keeps locals as values: the code generator takes some bytes
/// for each local in each block. Further locals lie in the frame.
pub const VARIABLE_BYTES: usize = 1 << 28;

/// Operands that may be on the stack of a function at once in native code: the time to compile it grows with the square.
pub const OPERANDS: usize = 10_000;

/// Values that the blocks, branches, calls and lists of handlers of a function carry in all, in native code. Ordinary code
/// carries few with each; a body of the greatest size may carry a thousand with every third byte.
pub const CARRIED_VALUES: usize = 1 << 22;

/// Bytes of a module that are accepted: positions are kept as 32-bit offsets.
pub const MODULE_BYTES: usize = 1 << 30;

/// Canonical types that one engine keeps.
pub const CANONICAL_TYPES: u32 = 10_000_000;

/// Nested entries from the host into WebAssembly code of one store.
pub const HOST_ENTRIES: u32 = 128;

/// Bytes of a fiber's stack that are left, at least, when a guest is entered: for whatever the host does for it.
pub const FIBER_HEADROOM: usize = 128 << 10;

/// Attempts of a cancelled fiber to be suspended that are refused before its frames are given up.
pub const FIBER_REFUSALS: u32 = 1000;

/// Frames that a backtrace reports.
pub const BACKTRACE_FRAMES: usize = 64;

/// Elements of a table when its type declares no smaller maximum.
pub const TABLE_ELEMENTS: u64 = 10_000_000;

/// Bytes that a memory with 64-bit addresses has at most where native code relies on guard pages: that much address
/// space is reserved. A power of two, so that one shift tells addresses beyond it.
pub const GUARDED_WIDE_MEMORY_BYTES: u64 = 1 << 34;

/// Bytes of the garbage-collected heap of a store: 32-bit references, and sizes that are a multiple of 64 KiB.
pub const HEAP_BYTES: u32 = u32::MAX - 0xffff;
/// Bytes of the value stack of a store unless the embedder chooses otherwise.
pub const DEFAULT_STACK_BYTES: usize = 1 << 20;
/// Bytes of a fiber's stack unless the embedder chooses otherwise.
pub const DEFAULT_FIBER_BYTES: usize = 1 << 20;
