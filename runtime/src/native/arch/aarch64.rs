//! aarch64. Guests have their context in x21 and their frame pointer in x29.

use core::arch::{asm, naked_asm};

use super::{
    super::entry::{Entry, LAND},
    offsets::*,
};

/// Clears registers that the host may have left references in, but those of the first three arguments, x4, and those
/// that `common` keeps.
macro_rules! clear {
    () => {
        concat!(
            clear!("mov x", ", xzr", 3 5 6 7 8 9 10 11 12 13 14 15 16 17),
            clear!("movi v", ".2d, #0", 0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15),
            clear!("movi v", ".2d, #0", 16 17 18 19 20 21 22 23 24 25 26 27 28 29 30 31),
        )
    };
    ($before:literal, $after:literal, $($number:literal)*) => {
        concat!($($before, $number, $after, "\n",)*)
    };
}

/// See [`super`].
///
/// # Safety
/// `stub` is an enter stub for the function at `code`, whose context is `context`. The entry is that of the innermost
/// activation, and its `guest_sp` a multiple of 16.
#[unsafe(naked)]
pub(crate) unsafe extern "C" fn enter(
    entry: *mut Entry,
    context: *mut u8,
    code: *const u8,
    slots: *mut u64,
    stub: *const u8,
) -> u32 {
    naked_asm!(
        "stp x29, x30, [sp, #-160]!",
        "mov x29, sp",
        "stp x19, x20, [sp, #16]",
        "stp x21, x22, [sp, #32]",
        "stp x23, x24, [sp, #48]",
        "stp x25, x26, [sp, #64]",
        "stp x27, x28, [sp, #80]",
        "stp d8, d9, [sp, #96]",
        "stp d10, d11, [sp, #112]",
        "stp d12, d13, [sp, #128]",
        "stp d14, d15, [sp, #144]",
        "mov x9, sp",
        "str x9, [x0, #{HOST_SP}]",
        "ldr x9, [x0, #{GUEST_SP}]",
        "mov sp, x9",
        "str x0, [sp, #-16]!",
        "mov w9, #1",
        "str w9, [x0, #{IN_GUEST}]",
        "ldr w9, [x0, #{PENDING}]",
        "cbnz w9, 2f",
        "ldr x9, [x0, #{ENTRY_VM}]",
        "mov x10, #{HEAP}",
        "ldr x9, [x9, x10]",
        "mov x21, x1",
        "mov x0, x1",
        "mov x1, x2",
        "mov x2, x3",
        // The chain of frame pointers ends here.
        "mov x29, xzr",
        // What the host had in registers is nothing that the collector should find in the guest's frames.
        "cbz x9, 3f",
        clear!(),
        clear!("mov x", ", xzr", 19 20 22 23 24 25 26 27 28),
        "3:",
        "blr x4",
        "ldr x0, [sp]",
        "str wzr, [x0, #{IN_GUEST}]",
        "ldr x9, [x0, #{HOST_SP}]",
        "mov sp, x9",
        "mov w0, wzr",
        "b {restore}",
        "2:",
        "b {leave}",
        HOST_SP = const HOST_SP,
        GUEST_SP = const GUEST_SP,
        ENTRY_VM = const ENTRY_VM,
        HEAP = const HEAP,
        IN_GUEST = const IN_GUEST,
        PENDING = const PENDING,
        leave = sym leave,
        restore = sym restore,
    )
}

/// Returns from `enter`.
#[unsafe(naked)]
unsafe extern "C" fn restore() {
    naked_asm!(
        "ldp x19, x20, [sp, #16]",
        "ldp x21, x22, [sp, #32]",
        "ldp x23, x24, [sp, #48]",
        "ldp x25, x26, [sp, #64]",
        "ldp x27, x28, [sp, #80]",
        "ldp d8, d9, [sp, #96]",
        "ldp d10, d11, [sp, #112]",
        "ldp d12, d13, [sp, #128]",
        "ldp d14, d15, [sp, #144]",
        "ldp x29, x30, [sp], #160",
        "ret",
    )
}

/// See [`super`].
#[unsafe(naked)]
pub(crate) unsafe extern "C" fn leave(entry: *mut Entry) {
    naked_asm!(
        "ldr w9, [x0, #{PENDING}]",
        "cmp w9, #{LAND}",
        "b.eq 2f",
        "str wzr, [x0, #{IN_GUEST}]",
        "ldr x9, [x0, #{HOST_SP}]",
        "mov sp, x9",
        "mov w0, #1",
        "b {restore}",
        "2:",
        "str wzr, [x0, #{PENDING}]",
        "ldr x29, [x0, #{LAND_FP}]",
        "ldr x21, [x0, #{LAND_CONTEXT}]",
        "ldr x9, [x0, #{LAND_SP}]",
        "mov sp, x9",
        "ldr x9, [x0, #{LAND_PC}]",
        "ldp x0, x1, [x0, #{LAND_PAYLOAD}]",
        "br x9",
        HOST_SP = const HOST_SP,
        IN_GUEST = const IN_GUEST,
        PENDING = const PENDING,
        LAND = const LAND,
        LAND_PC = const LAND_PC,
        LAND_SP = const LAND_SP,
        LAND_FP = const LAND_FP,
        LAND_CONTEXT = const LAND_CONTEXT,
        LAND_PAYLOAD = const LAND_PAYLOAD,
        restore = sym restore,
    )
}

/// See [`super`]. The builtin is in x9, its arguments in the registers of the system's convention.
#[unsafe(naked)]
pub(crate) unsafe extern "C" fn common() {
    naked_asm!(
        "ldur x10, [x0, #{VM}]",
        "mov x11, #{ENTRY}",
        "ldr x10, [x10, x11]",
        "str x29, [x10, #{EXIT_FP}]",
        "str x30, [x10, #{EXIT_PC}]",
        "stp x29, x30, [sp, #-96]!",
        "stp x19, x20, [sp, #16]",
        "stp x21, x22, [sp, #32]",
        "stp x23, x24, [sp, #48]",
        "stp x25, x26, [sp, #64]",
        "stp x27, x28, [sp, #80]",
        "mov x11, sp",
        "str x11, [x10, #{EXIT_SP}]",
        "str wzr, [x10, #{IN_GUEST}]",
        "ldr x11, [x10, #{HOST_SP}]",
        "mov sp, x11",
        "mov x19, x10",
        "blr x9",
        "mov w11, #1",
        "str w11, [x19, #{IN_GUEST}]",
        "ldr w11, [x19, #{PENDING}]",
        "cbnz w11, 2f",
        "ldr x10, [x19, #{ENTRY_VM}]",
        "mov x11, #{HEAP}",
        "ldr x10, [x10, x11]",
        "ldr x11, [x19, #{EXIT_SP}]",
        "mov sp, x11",
        "cbz x10, 3f",
        clear!(),
        clear!("mov x", ", xzr", 1 2 4),
        "3:",
        "ldp x19, x20, [sp, #16]",
        "ldp x21, x22, [sp, #32]",
        "ldp x23, x24, [sp, #48]",
        "ldp x25, x26, [sp, #64]",
        "ldp x27, x28, [sp, #80]",
        "ldp x29, x30, [sp], #96",
        "ret",
        "2:",
        "mov x0, x19",
        "b {leave}",
        VM = const VM,
        ENTRY = const ENTRY,
        ENTRY_VM = const ENTRY_VM,
        HEAP = const HEAP,
        HOST_SP = const HOST_SP,
        EXIT_SP = const EXIT_SP,
        EXIT_FP = const EXIT_FP,
        EXIT_PC = const EXIT_PC,
        IN_GUEST = const IN_GUEST,
        PENDING = const PENDING,
        leave = sym leave,
    )
}

/// A shim: what native code calls to call a builtin.
macro_rules! shim {
    ($name:ident, $builtin:path) => {
        #[unsafe(naked)]
        unsafe extern "C" fn $name() {
            core::arch::naked_asm!(
                "adrp x9, {builtin}",
                "add x9, x9, :lo12:{builtin}",
                "b {common}",
                builtin = sym $builtin,
                common = sym $crate::native::arch::common,
            )
        }
    };
}
pub(crate) use shim;

/// See [`super`].
pub(crate) fn publish(start: *mut u8, len: usize) {
    const LINE: usize = 16;
    let lines = (start as usize..start as usize + len).step_by(LINE);
    // SAFETY: the instructions change no memory; they make the range's bytes visible to instruction fetches.
    unsafe {
        for line in lines.clone() {
            asm!("dc cvau, {}", in(reg) line, options(nostack, preserves_flags));
        }
        asm!("dsb ish", options(nostack, preserves_flags));
        for line in lines {
            asm!("ic ivau, {}", in(reg) line, options(nostack, preserves_flags));
        }
        asm!("dsb ish", "isb", options(nostack, preserves_flags));
    }
}

/// The registers of a thread that a signal stopped.
pub(crate) struct Registers(*mut libc::ucontext_t);

impl Registers {
    /// # Safety
    /// The pointer is what a signal handler was given, which has not returned.
    pub(crate) unsafe fn new(context: *mut libc::c_void) -> Registers {
        Registers(context.cast())
    }

    /// The instruction that was stopped.
    pub(crate) fn pc(&self) -> usize {
        // SAFETY: `new` got a live context.
        unsafe { (*self.0).uc_mcontext.pc as usize }
    }

    /// The frame pointer.
    pub(crate) fn fp(&self) -> usize {
        // SAFETY: `new` got a live context.
        unsafe { (*self.0).uc_mcontext.regs[29] as usize }
    }

    /// The stack pointer.
    pub(crate) fn sp(&self) -> usize {
        // SAFETY: `new` got a live context.
        unsafe { (*self.0).uc_mcontext.sp as usize }
    }

    /// Where a function returns to that is stopped so many bytes after its first one, when its frame is not in place
    /// yet.
    ///
    /// # Safety
    /// The stack pointer is that of compiled code.
    pub(crate) unsafe fn caller(&self, offset: usize, _first: *const u8) -> Option<usize> {
        // `stp x29, x30, [sp, #-16]!` and `mov x29, sp` come first.
        // SAFETY: `new` got a live context.
        (offset < 8).then(|| unsafe { (*self.0).uc_mcontext.regs[30] as usize })
    }

    /// Makes the thread go on in `leave` with this entry.
    pub(crate) fn leave(&mut self, entry: *mut Entry) {
        // SAFETY: `new` got a live context.
        unsafe {
            (*self.0).uc_mcontext.pc = leave as *const () as usize as _;
            (*self.0).uc_mcontext.regs[0] = entry as usize as _;
        }
    }
}
