//! The two dispatch back ends. Both run the same bodies on the same bytecode; they differ in what the first
//! cell of an operation holds and in how the next operation is reached.
//!
//! - `threaded`: the cell holds the handler's address, and every handler ends in a sibling call, which the
//!   optimiser turns into a jump. Built only where `build.rs` lists the target.
//! - `switch`: the cell holds the operation's number, and a loop matches on it. Built everywhere.

use lithe_runtime::{CodeHeader, Vm};

use crate::{
    exec::body,
    op::Op,
    regs::{Flow, Regs},
};

include!(concat!(env!("OUT_DIR"), "/each.rs"));

/// An operation that is not part of a function, in the encoding of one back end.
#[repr(C)]
pub(crate) struct Stub {
    header: CodeHeader,
    op: StubOp,
}

#[repr(C, align(8))]
union StubOp {
    #[cfg(threaded)]
    handler: threaded::Handler,
    number: u64,
}

// SAFETY: the contents never change.
unsafe impl Sync for Stub {}

impl Stub {
    /// The stub as a translation.
    pub(crate) fn header(&'static self) -> &'static CodeHeader {
        &self.header
    }

    /// The stub's operation.
    pub(crate) fn ops(&self) -> *const u64 {
        (&raw const self.op).cast()
    }
}

const HEADER: CodeHeader = CodeHeader { frame_slots: 0, zero_slots: 0, handlers: 0, ops: [] };

/// Asks for the translation of the running function.
pub(crate) fn translate_stub(threaded: bool) -> &'static Stub {
    static SWITCH: Stub = Stub { header: HEADER, op: StubOp { number: Op::Translate as u64 } };
    #[cfg(threaded)]
    if threaded {
        static THREADED: Stub = Stub {
            header: HEADER,
            op: StubOp { handler: threaded::HANDLERS[Op::Translate as usize] },
        };
        return &THREADED;
    }
    let _ = threaded;
    &SWITCH
}

/// Where a function called from the host returns to.
pub(crate) fn exit_stub(threaded: bool) -> &'static Stub {
    static SWITCH: Stub = Stub { header: HEADER, op: StubOp { number: Op::Exit as u64 } };
    #[cfg(threaded)]
    if threaded {
        static THREADED: Stub =
            Stub { header: HEADER, op: StubOp { handler: threaded::HANDLERS[Op::Exit as usize] } };
        return &THREADED;
    }
    let _ = threaded;
    &SWITCH
}

/// The first cell of an operation.
pub(crate) fn word(op: Op, threaded: bool) -> u64 {
    #[cfg(threaded)]
    if threaded {
        return threaded::HANDLERS[op as usize] as usize as u64;
    }
    let _ = threaded;
    op as u64
}

/// Whether this build has the threaded back end.
pub(crate) const THREADED: bool = cfg!(threaded);

/// Runs from where `vm` says until execution leaves the interpreter, and gives the reason.
///
/// # Safety
/// `vm` belongs to a live store and points to an operation of a translated function with its frame, in the
/// encoding that `threaded` says.
pub(crate) unsafe fn run(vm: *mut Vm, threaded: bool) -> u32 {
    // SAFETY: as the caller promises.
    unsafe {
        let mut regs = Regs {
            ip: (*vm).ip,
            sp: (*vm).sp,
            mem: core::ptr::null_mut(),
            len: 0,
            inst: (*vm).instance,
            acc: (*vm).accumulators.0,
            facc: (*vm).accumulators.1,
            sacc: (*vm).accumulators.2,
        };
        regs.reload_memory();
        #[cfg(threaded)]
        if threaded {
            return threaded::run(regs);
        }
        let _ = threaded;
        switch::run(regs)
    }
}

/// Leaves the state in the store.
#[inline(always)]
unsafe fn save(r: &Regs) {
    // SAFETY: the instance and the state of execution live as long as the store.
    unsafe {
        let vm = (*r.inst).vm;
        (*vm).ip = r.ip;
        (*vm).sp = r.sp;
        (*vm).instance = r.inst;
        (*vm).accumulators = (r.acc, r.facc, r.sacc);
    }
}

mod switch {
    use super::*;

    /// The registers after an operation, and what it told the dispatcher.
    struct Step {
        regs: Regs,
        flow: Flow,
    }

    macro_rules! arms {
        ([$($name:ident)*] [$($rare:ident)*]) => {
            /// Runs until an operation leaves.
            pub(super) unsafe fn run(start: Regs) -> u32 {
                // Copied field by field: the optimizer keeps a local value in machine registers, but not an
                // argument that is passed in memory.
                let Regs { ip, sp, mem, len, inst, acc, facc, sacc } = start;
                let mut r = Regs { ip, sp, mem, len, inst, acc, facc, sacc };
                loop {
                    // SAFETY: `ip` points to an operation in this encoding, so its number is one of `Op`.
                    let flow = unsafe {
                        match core::mem::transmute::<u16, Op>(*r.ip as u16) {
                            $(Op::$name => body::$name(&mut r),)*
                            $(Op::$rare)|* => {
                                let Regs { ip, sp, mem, len, inst, acc, facc, sacc } = r;
                                let regs = Regs { ip, sp, mem, len, inst, acc, facc, sacc };
                                let step = rare(regs);
                                r = step.regs;
                                step.flow
                            }
                        }
                    };
                    if let Flow::Leave(reason) = flow {
                        // SAFETY: `r` holds the registers of a running instance.
                        unsafe { save(&r) };
                        return reason;
                    }
                }
            }

            /// Executes one of the operations that are not worth machine registers of the loop.
            #[inline(never)]
            unsafe fn rare(mut regs: Regs) -> Step {
                // SAFETY: as in `run`, which saw that the operation is one of these.
                let flow = unsafe {
                    match core::mem::transmute::<u16, Op>(*regs.ip as u16) {
                        $(Op::$rare => body::$rare(&mut regs),)*
                        _ => Flow::Leave(lithe_types::TrapKind::Unreachable as u32),
                    }
                };
                Step { regs, flow }
            }
        };
    }
    for_common_and_rare_ops!(arms);
}

#[cfg(threaded)]
mod threaded {
    use super::*;
    use lithe_runtime::Instance;

    macro_rules! handlers {
        ($abi:literal, $($name:ident)*) => {
            /// The code of an operation: the registers of the interpreter are its arguments.
            pub(super) type Handler = unsafe extern $abi fn(
                *const u64, *mut u64, *mut u8, usize, *mut Instance, u64, f64, f32,
            ) -> u32;

            #[allow(non_snake_case, reason = "handlers carry the names of their operations")]
            mod handler {
                use super::*;
                $(
                    pub(super) unsafe extern $abi fn $name(
                        ip: *const u64, sp: *mut u64, mem: *mut u8, len: usize, inst: *mut Instance,
                        acc: u64, facc: f64, sacc: f32,
                    ) -> u32 {
                        let mut r = Regs { ip, sp, mem, len, inst, acc, facc, sacc };
                        // SAFETY: `ip` points to this operation in a translated function.
                        unsafe {
                            match body::$name(&mut r) {
                                Flow::Next => {
                                    let next = *r.ip.cast::<Handler>();
                                    next(r.ip, r.sp, r.mem, r.len, r.inst, r.acc, r.facc, r.sacc)
                                }
                                Flow::Leave(reason) => {
                                    save(&r);
                                    reason
                                }
                            }
                        }
                    }
                )*
            }

            /// The handlers by operation number.
            pub(super) static HANDLERS: &[Handler] = &[$(handler::$name,)*];
        };
    }

    macro_rules! with_abi {
        ($($name:ident)*) => {
            #[cfg(target_arch = "x86_64")]
            handlers! { "sysv64", $($name)* }
            #[cfg(not(target_arch = "x86_64"))]
            handlers! { "C", $($name)* }
        };
    }
    for_each_op!(with_abi);

    /// Runs until an operation leaves.
    pub(super) unsafe fn run(r: Regs) -> u32 {
        // SAFETY: as the caller of `dispatch::run` promises.
        unsafe {
            let first = *r.ip.cast::<Handler>();
            first(r.ip, r.sp, r.mem, r.len, r.inst, r.acc, r.facc, r.sacc)
        }
    }
}
