//! What each operation does. The bodies are written once, as inlined functions over [`Regs`], and expanded
//! from the table in `build/table.rs` into the handlers of both dispatch back ends.

mod array;
mod atomic;
mod call;
mod control;
mod exception;
mod gc;
mod memory;
mod numeric;
mod table;
mod vector;
mod wide;

pub(crate) use gc::{Kind, Test};

/// One function per operation, named like it.
#[allow(
    non_snake_case,
    clippy::unnecessary_cast,
    clippy::redundant_closure,
    reason = "generated: named like their operations, one text for both widths"
)]
pub(crate) mod body {
    use lithe_runtime::racy::Word as _;
    use lithe_types::TrapKind;

    use super::{
        array::{self, EltAI, EltSA, EltSI, EltSS},
        atomic, call,
        control::{self, AccCond, SlotCond},
        exception, gc,
        memory::{self, AccImm, AccSlot, SlotAcc, SlotImm, Slots},
        numeric::{self, AI, AS, BrAI, BrAS, BrSI, BrSS, IA, IS, SA, SI, SS},
        table, vector, wide,
    };
    use crate::{
        num,
        regs::{Flow, Regs, Stop},
        simd,
    };

    include!(concat!(env!("OUT_DIR"), "/bodies.rs"));
}
