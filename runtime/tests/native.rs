//! Native code without a compiler: a text written by hand runs in a store. Proves entering, leaving, calls into the
//! runtime and back, traps with their frames, exceptions, and nesting.
#![cfg(target_arch = "x86_64")]

use std::ptr::{self, NonNull};

use lithe_runtime::{
    Code, CodeHeader, Extern, Func, Instance, Registry, Shared, Store, StoreLimits,
    abi::{Arch, Traps},
    artifact::{self, Artifact, Function, Handler, Parts, Site, Target},
    native::{Cause, HostCallback, HostStatus, NativeCode, Stopped, call},
};
use lithe_types::{Features, TrapKind};

// Native functions have their arguments in edi and esi here; that is between them and the enter stub.
std::arch::global_asm!(
    ".globl lithe_test_text, lithe_test_text_end",
    ".globl lithe_test_host, lithe_test_host_back, lithe_test_trap, lithe_test_trap_back",
    ".globl lithe_test_throw, lithe_test_throw_back, lithe_test_catch, lithe_test_catch_back",
    ".globl lithe_test_landing, lithe_test_enter, lithe_test_import, lithe_test_import_back",
    "lithe_test_text:",
    // Adds.
    "push rbp",
    "mov rbp, rsp",
    "lea eax, [rdi + rsi]",
    "pop rbp",
    "ret",
    // Calls the import with the first argument and adds the second.
    "lithe_test_host:",
    "push rbp",
    "mov rbp, rsp",
    "push rsi",
    "push r15",
    "mov rax, [r15 - 152]",
    "mov r15, [r15 - 144]",
    "call rax",
    "lithe_test_host_back:",
    "pop r15",
    "pop rsi",
    "add eax, esi",
    "pop rbp",
    "ret",
    // Traps.
    "lithe_test_trap:",
    "push rbp",
    "mov rbp, rsp",
    "mov rax, [r15 - 24]",
    "mov esi, edi",
    "mov rdi, r15",
    "call [rax]",
    "lithe_test_trap_back:",
    "ud2",
    // Throws the exception whose reference is the first argument.
    "lithe_test_throw:",
    "push rbp",
    "mov rbp, rsp",
    "mov rax, [r15 - 24]",
    "mov esi, edi",
    "mov rdi, r15",
    "call [rax + 8]",
    "lithe_test_throw_back:",
    "ud2",
    // Calls the import with the first argument, and catches what it throws: gives the reference plus the second
    // argument, or else the result of the import.
    "lithe_test_catch:",
    "push rbp",
    "mov rbp, rsp",
    "push rsi",
    "push r15",
    "mov rax, [r15 - 152]",
    "mov r15, [r15 - 144]",
    "call rax",
    "lithe_test_catch_back:",
    "leave",
    "ret",
    "lithe_test_landing:",
    "cmp r15, [rsp]",
    "jne 2f",
    "cmp rdx, r15",
    "jne 2f",
    "add eax, [rbp - 8]",
    "leave",
    "ret",
    "2:",
    "ud2",
    "lithe_test_enter:",
    "push rbp",
    "mov rbp, rsp",
    "push rdx",
    "sub rsp, 8",
    "mov edi, [rdx]",
    "mov rax, rsi",
    "mov esi, [rdx + 8]",
    "call rax",
    "mov rdx, [rbp - 8]",
    "mov [rdx], rax",
    "leave",
    "ret",
    "lithe_test_import:",
    "push rbp",
    "mov rbp, rsp",
    "sub rsp, 16",
    "mov [rsp], rdi",
    "mov rsi, [r15 - 136]",
    "mov rdi, r15",
    "mov rdx, rsp",
    "mov rax, [r15 - 24]",
    "call [rax + 40]",
    "lithe_test_import_back:",
    "mov rax, [rsp]",
    "leave",
    "ret",
    "lithe_test_text_end:",
);

unsafe extern "C" {
    static lithe_test_text: u8;
    static lithe_test_text_end: u8;
    static lithe_test_host: u8;
    static lithe_test_host_back: u8;
    static lithe_test_trap: u8;
    static lithe_test_trap_back: u8;
    static lithe_test_throw: u8;
    static lithe_test_throw_back: u8;
    static lithe_test_catch: u8;
    static lithe_test_catch_back: u8;
    static lithe_test_landing: u8;
    static lithe_test_enter: u8;
    static lithe_test_import: u8;
    static lithe_test_import_back: u8;
}

macro_rules! at {
    ($label:ident) => {
        (&raw const $label as usize - &raw const lithe_test_text as usize) as u32
    };
}

/// The module of the text; its functions only have to be valid.
const MODULE: &str = r#"(module
    (import "host" "f" (func (param i32 i32) (result i32)))
    (tag $t)
    (func (export "add") (param i32 i32) (result i32) (i32.const 0))
    (func (export "host") (param i32 i32) (result i32) (i32.const 0))
    (func (export "trap") (param i32 i32) (result i32) (i32.const 0))
    (func (export "throw") (param i32 i32) (result i32) (i32.const 0))
    (func (export "catch") (param i32 i32) (result i32) (i32.const 0))
    (export "t" (tag $t)))"#;

fn parts() -> Parts {
    let mut sites = Vec::new();
    let mut functions = Vec::new();
    let mut function = |start: u32, end: u32, site: u32| {
        functions.push(Function { start, end, sites: sites.len() as u32 });
        let mut last = Site { text: start, module: 0, trap: None };
        artifact::write_site(
            &mut sites,
            &mut last,
            Site { text: site, module: site * 2, trap: None },
        );
    };
    function(0, at!(lithe_test_host), 0);
    function(at!(lithe_test_host), at!(lithe_test_trap), at!(lithe_test_host_back));
    function(at!(lithe_test_trap), at!(lithe_test_throw), at!(lithe_test_trap_back));
    function(at!(lithe_test_throw), at!(lithe_test_catch), at!(lithe_test_throw_back));
    function(at!(lithe_test_catch), at!(lithe_test_enter), at!(lithe_test_catch_back));
    function(at!(lithe_test_enter), at!(lithe_test_import), at!(lithe_test_enter));
    function(at!(lithe_test_import), at!(lithe_test_text_end), at!(lithe_test_import_back));
    let len = at!(lithe_test_text_end) as usize;
    // SAFETY: the text stands between the two labels.
    let text = unsafe { std::slice::from_raw_parts(&raw const lithe_test_text, len) };
    let (call, target) = (at!(lithe_test_catch_back), at!(lithe_test_landing));
    Parts {
        target: Target {
            arch: Arch::X86_64,
            cpu: 0,
            traps: Traps::Checks,
            fuel: false,
            deterministic: false,
            below_memory: false,
        },
        text: text.to_vec(),
        functions,
        enters: vec![5; 2],
        imports: vec![6],
        tables: vec![],
        handlers: vec![Handler { call, tag: 0, target, frame: 16, context: 0 }],
        sites,
        label: "by hand".into(),
    }
}

fn code() -> Shared<Code> {
    static STUB: CodeHeader = CodeHeader { frame_slots: 0, zero_slots: 0, handlers: 0, ops: [] };
    let binary = wat::parse_str(MODULE).unwrap();
    let module = lithe_parser::parse(binary.clone()).unwrap();
    let valid = lithe_validator::validate(module, Features::WASM3).unwrap();
    let registry = Shared::new(Registry::default());
    let mut code = Code::new(valid, registry, Default::default(), "", &STUB).unwrap();
    let artifact = Artifact::new(Box::new(parts().write(&binary))).unwrap();
    // SAFETY: the text above keeps to the conventions.
    unsafe { code.attach(NativeCode::load(artifact).unwrap()) };
    Shared::new(code)
}

type Serve<'a> = &'a mut dyn FnMut(&mut Guest<'_>, u32) -> HostStatus;

/// A store with an instance of the module, and what its import does.
struct Guest<'a> {
    store: *mut Store,
    instance: NonNull<Instance>,
    serve: Option<Serve<'a>>,
}

impl Guest<'_> {
    fn call(&mut self, name: &str, args: [u32; 2]) -> Result<u32, Stopped> {
        unsafe fn served(
            data: *mut (),
            func: NonNull<Func>,
            caller: NonNull<Instance>,
            slots: *mut u64,
        ) -> HostStatus {
            // SAFETY: the guest's `call` is what passes the data, and waits.
            let guest = unsafe { &mut *data.cast::<Guest<'_>>() };
            assert_eq!(caller, guest.instance);
            // SAFETY: the function is one of the store, and its arguments are in the slots.
            let (func, arg) = unsafe { (func.as_ref(), *slots as u32) };
            assert!(func.instance.is_null());
            let serve = guest.serve.take().unwrap();
            let status = serve(guest, arg);
            // SAFETY: as above.
            unsafe { *slots = u64::from(arg * 10) };
            status
        }
        // SAFETY: instances live as long as the store.
        let Some(Extern::Func(func)) = unsafe { self.instance.as_ref() }.export(name) else {
            panic!("no function {name}");
        };
        let mut slots = args.map(u64::from);
        let host = HostCallback { data: ptr::from_mut(self).cast(), call: served };
        // SAFETY: the function is one of the store.
        unsafe { call(self.store, func, &mut slots, host)? };
        Ok(slots[0] as u32)
    }

    fn exception(&mut self) -> u64 {
        // SAFETY: the tag is one of the store.
        unsafe {
            let Some(Extern::Tag(tag)) = self.instance.as_ref().export("t") else { panic!() };
            let rooted = (*self.store).new_exception(tag, &[]).unwrap();
            (*self.store).rooted(rooted).unwrap()
        }
    }
}

/// Runs `f` with a guest whose import is `serve`.
fn with_guest<R>(limits: StoreLimits, serve: Serve<'_>, f: impl FnOnce(&mut Guest<'_>) -> R) -> R {
    let code = code();
    let mut store = Store::new(code.registry().clone());
    store.limits = limits;
    let ty = code.types()[code.module().funcs[0] as usize];
    let host = store.add_host_func(ty, 0);
    // SAFETY: the function is one of the store.
    let instance = unsafe { store.instantiate(&code, &[Extern::Func(host)]) }.unwrap();
    f(&mut Guest { store: &raw mut store, instance, serve: Some(serve) })
}

fn never(_: &mut Guest<'_>, _: u32) -> HostStatus {
    unreachable!()
}

fn offsets(stopped: &Stopped) -> Vec<(u32, u32)> {
    stopped.frames.iter().map(|frame| (frame.func, frame.offset)).collect()
}

#[test]
fn calls_and_returns() {
    with_guest(StoreLimits::default(), &mut never, |guest| {
        for i in 0..1000 {
            assert_eq!(guest.call("add", [i, 2]).ok(), Some(i + 2));
        }
    });
}

#[test]
fn calls_the_host() {
    let mut serve = |guest: &mut Guest<'_>, arg| {
        assert_eq!(guest.call("add", [arg, 1]).ok(), Some(arg + 1));
        HostStatus::Done
    };
    with_guest(StoreLimits::default(), &mut serve, |guest| {
        assert_eq!(guest.call("host", [3, 4]).ok(), Some(34));
        assert_eq!(guest.call("add", [3, 4]).ok(), Some(7));
    });
}

#[test]
fn traps_with_frames() {
    let mut serve = |guest: &mut Guest<'_>, _| {
        let stopped = guest.call("trap", [7, 0]).unwrap_err();
        assert!(matches!(stopped.cause, Cause::Trap(TrapKind::IntegerOverflow)));
        assert_eq!(offsets(&stopped), [(3, at!(lithe_test_trap_back) * 2)]);
        HostStatus::Failed
    };
    with_guest(StoreLimits::default(), &mut serve, |guest| {
        let stopped = guest.call("host", [3, 4]).unwrap_err();
        assert!(matches!(stopped.cause, Cause::Host));
        assert_eq!(offsets(&stopped), [(2, at!(lithe_test_host_back) * 2)]);
        assert_eq!(guest.call("add", [3, 4]).ok(), Some(7));
    });
}

#[test]
fn panics_of_the_host_pass_through() {
    let mut serve = |_: &mut Guest<'_>, _| std::panic::resume_unwind(Box::new("ouch"));
    with_guest(StoreLimits::default(), &mut serve, |guest| {
        let Err(Stopped { cause: Cause::Panicked(panic), .. }) = guest.call("host", [3, 4]) else {
            panic!("the host's panic is lost");
        };
        assert_eq!(panic.downcast_ref(), Some(&"ouch"));
        assert_eq!(guest.call("add", [3, 4]).ok(), Some(7));
    });
}

#[test]
fn exceptions_of_the_host_are_caught() {
    let mut serve = |guest: &mut Guest<'_>, _| HostStatus::Thrown(guest.exception());
    with_guest(StoreLimits::default(), &mut serve, |guest| {
        let exception = guest.exception() as u32;
        // The next exception lies 16 bytes further.
        assert_eq!(guest.call("catch", [3, 4]).ok(), Some(exception + 16 + 4));
    });
    let mut serve = |guest: &mut Guest<'_>, _| HostStatus::Thrown(guest.exception());
    with_guest(StoreLimits::default(), &mut serve, |guest| {
        let stopped = guest.call("host", [3, 4]).unwrap_err();
        assert!(matches!(stopped.cause, Cause::Host));
    });
}

#[test]
fn exceptions_leave() {
    with_guest(StoreLimits::default(), &mut never, |guest| {
        let exception = guest.exception();
        let stopped = guest.call("throw", [exception as u32, 0]).unwrap_err();
        assert!(matches!(stopped.cause, Cause::Thrown(thrown) if thrown == exception));
        assert_eq!(offsets(&stopped), [(4, at!(lithe_test_throw_back) * 2)]);
    });
}

/// Nests until there is no room, then comes all the way back.
#[test]
fn nesting_has_a_limit() {
    fn nest(guest: &mut Guest<'_>, depth: u32) -> u32 {
        let mut deepest = depth;
        let mut serve = |guest: &mut Guest<'_>, arg| {
            deepest = nest(guest, arg + 1);
            HostStatus::Done
        };
        let mut inner = Guest { store: guest.store, instance: guest.instance, serve: None };
        inner.serve = Some(&mut serve);
        match inner.call("host", [depth, 4]) {
            Ok(result) => assert_eq!(result, depth * 10 + 4),
            Err(stopped) => {
                assert!(matches!(stopped.cause, Cause::Trap(TrapKind::StackExhausted)));
            }
        }
        deepest
    }
    with_guest(StoreLimits::default(), &mut never, |guest| assert_eq!(nest(guest, 0), 128));
    let small = StoreLimits { stack_bytes: 16 << 10, ..StoreLimits::default() };
    with_guest(small, &mut never, |guest| assert!((5..100).contains(&nest(guest, 0))));
}

#[test]
fn code_for_another_machine_is_refused() {
    let load = |target| {
        let parts = Parts { target, ..parts() };
        let artifact = Artifact::new(Box::new(parts.write(&[]))).unwrap();
        // SAFETY: it is refused.
        unsafe { NativeCode::load(artifact) }.err().unwrap()
    };
    let target = parts().target;
    let message = load(Target { arch: Arch::Riscv64, ..target });
    assert!(message.contains("riscv64"), "{message}");
    let message = load(Target { cpu: 1 << 63, ..target });
    assert!(message.contains("processor feature"), "{message}");
}

/// Texts come and go while other threads run theirs.
#[test]
fn texts_on_many_threads() {
    let run = || {
        for _ in 0..50 {
            let mut serve = |_: &mut Guest<'_>, _| HostStatus::Done;
            with_guest(StoreLimits::default(), &mut serve, |guest| {
                let stopped = guest.call("trap", [1, 0]).unwrap_err();
                assert_eq!(stopped.frames.len(), 1);
                assert_eq!(guest.call("host", [1, 1]).ok(), Some(11));
            });
        }
    };
    std::thread::scope(|scope| (0..4).for_each(|_| drop(scope.spawn(run))));
}
