//! The one table of trap kinds. Engines return them, the embedding API and the command print them.
//! Invariant: the numbers are stable, since native code and bytecode carry them.

use core::fmt;

macro_rules! traps {
    ($($(#[$doc:meta])* $name:ident = $code:literal, $spec:literal, $message:literal;)*) => {
        /// Why a computation was stopped (Core specification, appendix "Implementation limitations" and
        /// the traps of section 4).
        #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
        #[repr(u8)]
        #[non_exhaustive]
        pub enum TrapKind {
            $($(#[$doc])* $name = $code,)*
        }

        impl TrapKind {
            /// Every kind, in the order of its number.
            pub const ALL: &'static [TrapKind] = &[$(TrapKind::$name,)*];

            /// The words that the official testsuite expects.
            pub const fn spec_text(self) -> &'static str {
                match self { $(TrapKind::$name => $spec,)* }
            }

            /// The words shown to users, the same as those of other common runtimes.
            pub const fn message(self) -> &'static str {
                match self { $(TrapKind::$name => $message,)* }
            }

            /// The kind with this number, if there is one.
            pub const fn from_code(code: u8) -> Option<TrapKind> {
                match code { $($code => Some(TrapKind::$name),)* _ => None }
            }
        }
    };
}

traps! {
    /// `unreachable` was executed.
    Unreachable = 1, "unreachable", "wasm `unreachable` instruction executed";
    /// A memory access beyond the memory's size.
    MemoryOutOfBounds = 2, "out of bounds memory access", "out of bounds memory access";
    /// A table access beyond the table's size.
    TableOutOfBounds = 3, "out of bounds table access", "out of bounds table access";
    /// An indirect call beyond the table's size.
    UndefinedElement = 4, "undefined element", "undefined element: out of bounds table access";
    /// An indirect call through a null element.
    UninitializedElement = 5, "uninitialized element", "uninitialized element";
    /// An indirect call to a function of another type.
    IndirectCallTypeMismatch = 6, "indirect call type mismatch", "indirect call type mismatch";
    /// Signed division overflow, or a float outside the range of the integer.
    IntegerOverflow = 7, "integer overflow", "integer overflow";
    /// Integer division by zero.
    IntegerDivideByZero = 8, "integer divide by zero", "integer divide by zero";
    /// Conversion of NaN to an integer.
    InvalidConversion = 9, "invalid conversion to integer", "invalid conversion to integer";
    /// The value stack, or the nesting of host calls, is used up.
    StackExhausted = 10, "call stack exhausted", "call stack exhausted";
    /// The fuel given to the store is used up.
    OutOfFuel = 11, "all fuel consumed by WebAssembly", "all fuel consumed by WebAssembly";
    /// The store was interrupted, or its deadline passed.
    Interrupt = 12, "interrupt", "interrupt";
    /// A null reference was used as a function.
    NullFunction = 13, "null function reference", "null reference";
    /// A null reference was used where a value is needed.
    NullReference = 14, "null reference", "null reference";
    /// An atomic access that is not naturally aligned.
    UnalignedAtomic = 15, "unaligned atomic", "unaligned atomic";
    /// A reference cast failed.
    CastFailure = 16, "cast failure", "cast failure";
    /// An array access beyond the array's length.
    ArrayOutOfBounds = 17, "out of bounds array access", "out of bounds array access";
    /// An atomic wait on a memory that is not shared.
    ExpectedShared = 18, "expected shared memory", "atomic wait on non-shared memory";
    /// A function exceeds `limits::FRAME_SLOTS` or `limits::CELLS_PER_BYTE` of the interpreter.
    FunctionTooLarge = 19, "call stack exhausted", "the function is larger than the interpreter supports";
    /// An object is larger than the store's heap may be.
    AllocationTooLarge = 20, "allocation size too large", "allocation size too large";
    /// The store's heap is full of objects that can be reached.
    HeapExhausted = 21, "GC heap out of memory", "GC heap out of memory";
    /// A null reference was used as a struct.
    NullStruct = 22, "null structure reference", "null reference";
    /// A null reference was used as an array.
    NullArray = 23, "null array reference", "null reference";
    /// A null reference was used as an `i31`.
    NullI31 = 24, "null i31 reference", "null reference";
    /// A component instance was called that is being called, or that trapped before.
    CannotEnter = 25, "cannot enter component instance", "cannot enter component instance";
    /// A component instance made a call where it may not, such as from its allocation function.
    CannotLeave = 26, "cannot leave component instance", "cannot leave component instance";
    /// A rule of the canonical ABI was broken; the error says which.
    CanonicalAbi = 27, "canonical ABI violation", "canonical ABI violation";
}

impl fmt::Display for TrapKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.message())
    }
}
