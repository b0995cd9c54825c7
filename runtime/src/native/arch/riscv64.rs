//! riscv64. Guests have their context in the first argument and their frame pointer in s0.

use core::arch::naked_asm;

use super::{
    super::entry::{Entry, LAND},
    offsets::*,
};

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
        "addi sp, sp, -208",
        "sd ra, 200(sp)",
        "sd s0, 192(sp)",
        "sd s1, 184(sp)",
        "sd s2, 176(sp)",
        "sd s3, 168(sp)",
        "sd s4, 160(sp)",
        "sd s5, 152(sp)",
        "sd s6, 144(sp)",
        "sd s7, 136(sp)",
        "sd s8, 128(sp)",
        "sd s9, 120(sp)",
        "sd s10, 112(sp)",
        "sd s11, 104(sp)",
        // What the target has is not known to the assembler here.
        ".option push",
        ".option arch, +d",
        // The assembler does not take the target's extensions for functions of assembly.
        ".option push",
        ".option arch, +d",
        "fsd fs0, 96(sp)",
        "fsd fs1, 88(sp)",
        "fsd fs2, 80(sp)",
        "fsd fs3, 72(sp)",
        "fsd fs4, 64(sp)",
        "fsd fs5, 56(sp)",
        "fsd fs6, 48(sp)",
        "fsd fs7, 40(sp)",
        "fsd fs8, 32(sp)",
        "fsd fs9, 24(sp)",
        "fsd fs10, 16(sp)",
        "fsd fs11, 8(sp)",
        ".option pop",
        ".option pop",
        "sd sp, {HOST_SP}(a0)",
        "ld sp, {GUEST_SP}(a0)",
        "addi sp, sp, -16",
        "sd a0, 0(sp)",
        "li t0, 1",
        "sw t0, {IN_GUEST}(a0)",
        "lw t0, {PENDING}(a0)",
        "bnez t0, 2f",
        "mv a0, a1",
        "mv a1, a2",
        "mv a2, a3",
        // The chain of frame pointers ends here.
        "li s0, 0",
        // What the host had in registers is nothing that the collector should find in the guest's frames.
        "li s1, 0",
        "li s2, 0",
        "li s3, 0",
        "li s4, 0",
        "li s5, 0",
        "li s6, 0",
        "li s7, 0",
        "li s8, 0",
        "li s9, 0",
        "li s10, 0",
        "li s11, 0",
        "jalr a4",
        "ld a0, 0(sp)",
        "sw zero, {IN_GUEST}(a0)",
        "ld sp, {HOST_SP}(a0)",
        "li a0, 0",
        "tail {restore}",
        "2:",
        "tail {leave}",
        HOST_SP = const HOST_SP,
        GUEST_SP = const GUEST_SP,
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
        "ld ra, 200(sp)",
        "ld s0, 192(sp)",
        "ld s1, 184(sp)",
        "ld s2, 176(sp)",
        "ld s3, 168(sp)",
        "ld s4, 160(sp)",
        "ld s5, 152(sp)",
        "ld s6, 144(sp)",
        "ld s7, 136(sp)",
        "ld s8, 128(sp)",
        "ld s9, 120(sp)",
        "ld s10, 112(sp)",
        "ld s11, 104(sp)",
        ".option push",
        ".option arch, +d",
        ".option push",
        ".option arch, +d",
        "fld fs0, 96(sp)",
        "fld fs1, 88(sp)",
        "fld fs2, 80(sp)",
        "fld fs3, 72(sp)",
        "fld fs4, 64(sp)",
        "fld fs5, 56(sp)",
        "fld fs6, 48(sp)",
        "fld fs7, 40(sp)",
        "fld fs8, 32(sp)",
        "fld fs9, 24(sp)",
        "fld fs10, 16(sp)",
        "fld fs11, 8(sp)",
        ".option pop",
        ".option pop",
        "addi sp, sp, 208",
        "ret",
    )
}

/// See [`super`].
#[unsafe(naked)]
pub(crate) unsafe extern "C" fn leave(entry: *mut Entry) {
    naked_asm!(
        "lw t0, {PENDING}(a0)",
        "li t1, {LAND}",
        "beq t0, t1, 2f",
        "sw zero, {IN_GUEST}(a0)",
        "ld sp, {HOST_SP}(a0)",
        "li a0, 1",
        "tail {restore}",
        "2:",
        "sw zero, {PENDING}(a0)",
        "ld s0, {LAND_FP}(a0)",
        "ld sp, {LAND_SP}(a0)",
        "ld t0, {LAND_PC}(a0)",
        "ld a1, {LAND_PAYLOAD} + 8(a0)",
        "ld a0, {LAND_PAYLOAD}(a0)",
        "jr t0",
        HOST_SP = const HOST_SP,
        IN_GUEST = const IN_GUEST,
        PENDING = const PENDING,
        LAND = const LAND,
        LAND_PC = const LAND_PC,
        LAND_SP = const LAND_SP,
        LAND_FP = const LAND_FP,
        LAND_PAYLOAD = const LAND_PAYLOAD,
        restore = sym restore,
    )
}

/// See [`super`]. The builtin is in t0, its arguments in the registers of the system's convention.
#[unsafe(naked)]
pub(crate) unsafe extern "C" fn common() {
    naked_asm!(
        "ld t1, {VM}(a0)",
        "ld t1, {ENTRY}(t1)",
        "sd s0, {EXIT_FP}(t1)",
        "sd ra, {EXIT_PC}(t1)",
        "addi sp, sp, -112",
        "sd ra, 104(sp)",
        "sd s0, 96(sp)",
        "sd s1, 88(sp)",
        "sd s2, 80(sp)",
        "sd s3, 72(sp)",
        "sd s4, 64(sp)",
        "sd s5, 56(sp)",
        "sd s6, 48(sp)",
        "sd s7, 40(sp)",
        "sd s8, 32(sp)",
        "sd s9, 24(sp)",
        "sd s10, 16(sp)",
        "sd s11, 8(sp)",
        "sd sp, {EXIT_SP}(t1)",
        "sw zero, {IN_GUEST}(t1)",
        "ld sp, {HOST_SP}(t1)",
        "mv s1, t1",
        "jalr t0",
        "li t0, 1",
        "sw t0, {IN_GUEST}(s1)",
        "lw t0, {PENDING}(s1)",
        "bnez t0, 2f",
        "ld sp, {EXIT_SP}(s1)",
        "ld ra, 104(sp)",
        "ld s0, 96(sp)",
        "ld s1, 88(sp)",
        "ld s2, 80(sp)",
        "ld s3, 72(sp)",
        "ld s4, 64(sp)",
        "ld s5, 56(sp)",
        "ld s6, 48(sp)",
        "ld s7, 40(sp)",
        "ld s8, 32(sp)",
        "ld s9, 24(sp)",
        "ld s10, 16(sp)",
        "ld s11, 8(sp)",
        "addi sp, sp, 112",
        "ret",
        "2:",
        "mv a0, s1",
        "tail {leave}",
        VM = const VM,
        ENTRY = const ENTRY,
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
                "lla t0, {builtin}",
                "tail {common}",
                builtin = sym $builtin,
                common = sym $crate::native::arch::common,
            )
        }
    };
}
pub(crate) use shim;

/// See [`super`]. Every processor that a thread of this process may run on has to look again, which the kernel does.
pub(crate) fn publish(start: *mut u8, len: usize) {
    const RISCV_FLUSH_ICACHE: libc::c_long = 259;
    // SAFETY: the call changes no memory.
    unsafe { libc::syscall(RISCV_FLUSH_ICACHE, start, start.wrapping_add(len), 0) };
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
        unsafe { (*self.0).uc_mcontext.__gregs[0] as usize }
    }

    /// The frame pointer.
    pub(crate) fn fp(&self) -> usize {
        // SAFETY: `new` got a live context.
        unsafe { (*self.0).uc_mcontext.__gregs[8] as usize }
    }

    /// The stack pointer.
    pub(crate) fn sp(&self) -> usize {
        // SAFETY: `new` got a live context.
        unsafe { (*self.0).uc_mcontext.__gregs[2] as usize }
    }

    /// Where a function returns to that is stopped so many bytes after its first one, when its frame is not in place
    /// yet.
    ///
    /// # Safety
    /// `first` is the function's first byte.
    pub(crate) unsafe fn caller(&self, offset: usize, first: *const u8) -> Option<usize> {
        // Four instructions make the frame; they have two bytes each, or four.
        // SAFETY: as the caller promises; `new` got a live context.
        unsafe {
            let len = if *first & 3 == 3 { 16 } else { 8 };
            (offset < len).then(|| (*self.0).uc_mcontext.__gregs[1] as usize)
        }
    }

    /// Makes the thread go on in `leave` with this entry.
    pub(crate) fn leave(&mut self, entry: *mut Entry) {
        // SAFETY: `new` got a live context.
        unsafe {
            (*self.0).uc_mcontext.__gregs[0] = leave as *const () as usize as _;
            (*self.0).uc_mcontext.__gregs[10] = entry as usize as _;
        }
    }
}
