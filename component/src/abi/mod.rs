//! Values between guests and the host (CanonicalABI.md, "Loading", "Storing", "Lifting and Lowering").
//!
//! ```text
//! slots, memory --LiftCx--> Rust values (typed.rs), Node (node.rs) --LowerCx--> slots, memory
//! ```
//!
//! Invariant: every address, length, discriminant, character and handle of a guest is checked before it is used, and what
//! is allocated for a call on the host is limited by [`CallLimits`].

mod lift;
mod lower;
pub(crate) mod node;
mod text;

pub(crate) use lift::character;
pub use lift::{LiftCx, SlotReader};
pub(crate) use lower::GuestOf;
pub use lower::{LowerCx, SlotWriter};

/// How strings lie in a memory.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) enum Encoding {
    #[default]
    Utf8,
    Utf16,
    /// Latin-1 or UTF-16, by the highest bit of the length.
    Latin1OrUtf16,
}

/// Bytes of the host that the arguments or the result of one call may take, unless the store's limits say otherwise.
pub const DEFAULT_MAX_CALL_BYTES: usize = 128 << 20;

/// Bytes that a string may have in memory.
pub(crate) const MAX_STRING_BYTES: u32 = (1 << 28) - 1;
/// Bytes that a list may have in memory.
pub(crate) const MAX_LIST_BYTES: u32 = (1 << 28) - 1;
