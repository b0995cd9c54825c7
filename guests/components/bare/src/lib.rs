//! What a component without the standard library needs: an allocator, and a panic that traps. The libraries here link
//! it so that they import only the interfaces that they are about.
#![no_std]
#![cfg(target_family = "wasm")]

#[global_allocator]
static ALLOCATOR: dlmalloc::GlobalDlmalloc = dlmalloc::GlobalDlmalloc;

#[panic_handler]
fn panic(_: &core::panic::PanicInfo) -> ! {
    core::arch::wasm32::unreachable()
}
