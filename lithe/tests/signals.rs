//! Handlers of signals beside those of a host that has its own: each gets what is its, and a fault of the host ends the
//! process as it would without Lithe. One test, since handlers are the whole process's.

use std::ffi::{c_int, c_void};
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};

use lithe::{Config, Engine, Instance, Module, Store, Strategy, TrapKind, Traps};

const PAGE: usize = 1 << 16;
static FAULTS: AtomicU32 = AtomicU32::new(0);
static URGENT: AtomicU32 = AtomicU32::new(0);
static PLACE: AtomicUsize = AtomicUsize::new(0);

/// Makes the page accessible that the host's own fault was about.
unsafe extern "C" fn on_fault(_: c_int, info: *mut libc::siginfo_t, _: *mut c_void) {
    // SAFETY: the page belongs to the test.
    unsafe {
        let place = PLACE.load(Ordering::Relaxed);
        if (*info).si_addr() as usize != place {
            libc::_exit(99);
        }
        FAULTS.fetch_add(1, Ordering::Relaxed);
        libc::mprotect(place as *mut c_void, PAGE, libc::PROT_READ | libc::PROT_WRITE);
    }
}

unsafe extern "C" fn on_urgent(_: c_int) {
    URGENT.fetch_add(1, Ordering::Relaxed);
}

fn handle(signal: c_int, handler: usize, flags: c_int) {
    // SAFETY: the handlers above keep to what handlers may do.
    unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        action.sa_sigaction = handler;
        action.sa_flags = flags;
        assert_eq!(libc::sigaction(signal, &raw const action, std::ptr::null_mut()), 0);
    }
}

/// A page that cannot be accessed.
fn page() -> *mut u8 {
    let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
    // SAFETY: a new mapping touches nothing.
    let page = unsafe { libc::mmap(std::ptr::null_mut(), PAGE, libc::PROT_NONE, flags, -1, 0) };
    PLACE.store(page as usize, Ordering::Relaxed);
    page.cast()
}

fn touch(page: *mut u8) {
    // SAFETY: the page belongs to the test; its handler makes it accessible, or the process ends.
    unsafe { page.write_volatile(1) };
}

fn trap(engine: &Engine) {
    const WAT: &str = r#"(module
      (memory 1)
      (func $f (export "load") (param i32) (result i32) (i32.load (local.get 0)))
      (func $deep (export "deep") (param i32) (result i32)
        (i32.add (call $deep (local.get 0)) (i32.const 1))))"#;
    let module = Module::new(engine, WAT).unwrap();
    let mut store = Store::new(engine, ());
    let instance = Instance::new(&mut store, &module, &[]).unwrap();
    for (name, kind) in [("load", TrapKind::MemoryOutOfBounds), ("deep", TrapKind::StackExhausted)]
    {
        let func = instance.typed_func::<i32, i32>(&store, name).unwrap();
        let error = func.call(&mut store, -1).unwrap_err();
        assert_eq!(error.trap().map(|trap| trap.kind()), Some(kind));
    }
}

/// Ends a process without handlers of the host: its fault does.
fn faults_alone(config: &Config) {
    // SAFETY: the child has this thread only, and what it uses of the parent's is not in use by others: the test harness
    // waits.
    unsafe {
        let child = libc::fork();
        assert!(child >= 0);
        if child == 0 {
            trap(&Engine::new(config));
            touch(page());
            libc::_exit(99);
        }
        let mut status = 0;
        assert_eq!(libc::waitpid(child, &raw mut status, 0), child);
        assert!(libc::WIFSIGNALED(status), "{status:x}");
        assert_eq!(libc::WTERMSIG(status), libc::SIGSEGV);
    }
}

#[test]
fn everybody_gets_their_own_signals() {
    let config = Config::new().strategy(Strategy::Native).traps(Traps::Signals);
    faults_alone(&config);
    handle(libc::SIGSEGV, on_fault as *const () as usize, libc::SA_SIGINFO | libc::SA_ONSTACK);
    handle(libc::SIGURG, on_urgent as *const () as usize, 0);
    let engine = Engine::new(&config);
    trap(&engine);
    touch(page());
    trap(&engine);
    assert_eq!(FAULTS.load(Ordering::Relaxed), 1);
    // SAFETY: the process has a handler.
    assert_eq!(unsafe { libc::kill(libc::getpid(), libc::SIGURG) }, 0);
    while URGENT.load(Ordering::Relaxed) == 0 {
        std::thread::yield_now();
    }
    // A thread whose guests ended is like any other.
    std::thread::scope(|scope| {
        scope.spawn(|| trap(&engine));
    });
    trap(&engine);
}
