//! x86_64. Guests have their context in r15 and their frame pointer in rbp.

use core::arch::naked_asm;

use super::{
    super::entry::{Entry, LAND},
    offsets::*,
};

/// Clears registers that the host may have left references in, but those of the first three arguments, rax and r11.
macro_rules! clear {
    () => {
        concat!(
            "xor ecx, ecx\n",
            "xor r8d, r8d\n",
            "xor r9d, r9d\n",
            "xor r10d, r10d\n",
            clear!(0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15),
        )
    };
    ($($vector:literal)*) => {
        concat!($("pxor xmm", $vector, ", xmm", $vector, "\n",)*)
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
        "push rbp",
        "mov rbp, rsp",
        "push rbx",
        "push r12",
        "push r13",
        "push r14",
        "push r15",
        "sub rsp, 8",
        "mov [rdi + {HOST_SP}], rsp",
        "mov rsp, [rdi + {GUEST_SP}]",
        "push rdi",
        "push rdi",
        "mov dword ptr [rdi + {IN_GUEST}], 1",
        "cmp dword ptr [rdi + {PENDING}], 0",
        "jne 2f",
        "mov rax, r8",
        "mov r11, [rdi + {ENTRY_VM}]",
        "mov r11, [r11 + {HEAP}]",
        "mov r15, rsi",
        "mov rdi, rsi",
        "mov rsi, rdx",
        "mov rdx, rcx",
        // The chain of frame pointers ends here.
        "xor ebp, ebp",
        // What the host had in registers is nothing that the collector should find in the guest's frames.
        "test r11, r11",
        "jz 3f",
        clear!(),
        "3:",
        "xor ebx, ebx",
        "xor r12d, r12d",
        "xor r13d, r13d",
        "xor r14d, r14d",
        "call rax",
        "pop rdi",
        "mov dword ptr [rdi + {IN_GUEST}], 0",
        "mov rsp, [rdi + {HOST_SP}]",
        "xor eax, eax",
        "add rsp, 8",
        "pop r15",
        "pop r14",
        "pop r13",
        "pop r12",
        "pop rbx",
        "pop rbp",
        "ret",
        "2:",
        "jmp {leave}",
        HOST_SP = const HOST_SP,
        GUEST_SP = const GUEST_SP,
        ENTRY_VM = const ENTRY_VM,
        HEAP = const HEAP,
        IN_GUEST = const IN_GUEST,
        PENDING = const PENDING,
        leave = sym leave,
    )
}

/// See [`super`].
#[unsafe(naked)]
pub(crate) unsafe extern "C" fn leave(entry: *mut Entry) {
    naked_asm!(
        "cmp dword ptr [rdi + {PENDING}], {LAND}",
        "je 2f",
        "mov dword ptr [rdi + {IN_GUEST}], 0",
        "mov rsp, [rdi + {HOST_SP}]",
        "mov eax, 1",
        "add rsp, 8",
        "pop r15",
        "pop r14",
        "pop r13",
        "pop r12",
        "pop rbx",
        "pop rbp",
        "ret",
        "2:",
        "mov dword ptr [rdi + {PENDING}], 0",
        "mov rax, [rdi + {LAND_PAYLOAD}]",
        "mov rdx, [rdi + {LAND_PAYLOAD} + 8]",
        "mov r15, [rdi + {LAND_CONTEXT}]",
        "mov rbp, [rdi + {LAND_FP}]",
        "mov rsp, [rdi + {LAND_SP}]",
        "jmp [rdi + {LAND_PC}]",
        HOST_SP = const HOST_SP,
        IN_GUEST = const IN_GUEST,
        PENDING = const PENDING,
        LAND = const LAND,
        LAND_PC = const LAND_PC,
        LAND_SP = const LAND_SP,
        LAND_FP = const LAND_FP,
        LAND_CONTEXT = const LAND_CONTEXT,
        LAND_PAYLOAD = const LAND_PAYLOAD,
    )
}

/// See [`super`]. The builtin is in rax, its arguments in the registers of the system's convention.
#[unsafe(naked)]
pub(crate) unsafe extern "C" fn common() {
    naked_asm!(
        "mov r11, [rdi + {VM}]",
        "mov r11, [r11 + {ENTRY}]",
        "mov r10, [rsp]",
        "mov [r11 + {EXIT_FP}], rbp",
        "mov [r11 + {EXIT_PC}], r10",
        "push rbp",
        "push rbx",
        "push r12",
        "push r13",
        "push r14",
        "mov [r11 + {EXIT_SP}], rsp",
        "mov dword ptr [r11 + {IN_GUEST}], 0",
        "mov rsp, [r11 + {HOST_SP}]",
        "mov rbx, r11",
        "call rax",
        "mov dword ptr [rbx + {IN_GUEST}], 1",
        "cmp dword ptr [rbx + {PENDING}], 0",
        "jne 2f",
        "mov r11, [rbx + {ENTRY_VM}]",
        "cmp qword ptr [r11 + {HEAP}], 0",
        "je 3f",
        clear!(),
        "xor edx, edx",
        "xor esi, esi",
        "xor edi, edi",
        "3:",
        "mov rsp, [rbx + {EXIT_SP}]",
        "pop r14",
        "pop r13",
        "pop r12",
        "pop rbx",
        "pop rbp",
        "ret",
        "2:",
        "mov rdi, rbx",
        "jmp {leave}",
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
                "lea rax, [rip + {builtin}]",
                "jmp {common}",
                builtin = sym $builtin,
                common = sym $crate::native::arch::common,
            )
        }
    };
}
pub(crate) use shim;

/// See [`super`]. This machine needs nothing.
pub(crate) fn publish(_start: *mut u8, _len: usize) {}

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
        unsafe { (*self.0).uc_mcontext.gregs[libc::REG_RIP as usize] as usize }
    }

    /// The frame pointer.
    pub(crate) fn fp(&self) -> usize {
        // SAFETY: `new` got a live context.
        unsafe { (*self.0).uc_mcontext.gregs[libc::REG_RBP as usize] as usize }
    }

    /// The stack pointer.
    pub(crate) fn sp(&self) -> usize {
        // SAFETY: `new` got a live context.
        unsafe { (*self.0).uc_mcontext.gregs[libc::REG_RSP as usize] as usize }
    }

    /// Where a function returns to that is stopped so many bytes after its first one, when its frame is not in place
    /// yet.
    ///
    /// # Safety
    /// The stack pointer is that of compiled code.
    pub(crate) unsafe fn caller(&self, offset: usize, _first: *const u8) -> Option<usize> {
        // `push rbp` takes one byte, `mov rbp, rsp` follows.
        let words = match offset {
            0 => 0,
            1 => 1,
            _ => return None,
        };
        // SAFETY: as the caller promises, the return address is there.
        Some(unsafe { *(self.sp() as *const usize).add(words) })
    }

    /// Makes the thread go on in `leave` with this entry.
    pub(crate) fn leave(&mut self, entry: *mut Entry) {
        // SAFETY: `new` got a live context.
        unsafe {
            (*self.0).uc_mcontext.gregs[libc::REG_RIP as usize] = leave as *const () as usize as _;
            (*self.0).uc_mcontext.gregs[libc::REG_RDI as usize] = entry as usize as _;
        }
    }
}
