//! Modules through the whole compiler, for every machine.

use std::{
    fmt::Write,
    io::Cursor,
    num::NonZero,
    sync::atomic::{AtomicUsize, Ordering},
};

use lithe_compiler::{Options, compile, compile_to, parse_machine};
use lithe_runtime::{
    abi::Traps,
    artifact::{Artifact, Target},
};
use lithe_types::Features;
use lithe_validator::ValidModule;

fn valid(text: &str) -> ValidModule {
    let module = lithe_parser::parse(wat::parse_str(text).unwrap()).unwrap();
    lithe_validator::validate(module, Features::default()).unwrap()
}

fn targets() -> impl Iterator<Item = Target> {
    ["x86_64", "aarch64", "riscv64"].into_iter().flat_map(|machine| {
        let (arch, cpu) = parse_machine(machine).unwrap();
        [Traps::Checks, Traps::Signals].map(|traps| Target {
            arch,
            cpu,
            traps,
            fuel: false,
            deterministic: false,
            below_memory: false,
        })
    })
}

/// A module of functions of very different sizes.
fn many() -> String {
    let mut text = String::from("(module (import \"a\" \"b\" (func (param i32))) (memory 1)");
    for func in 0..80 {
        text.push_str("(func (param i32) (result i32) (local i32)");
        for line in 0..func % 5 * func / 2 {
            let callee = (func * 7 + line) % 80 + 1;
            writeln!(text, "(local.set 1 (call {callee} (local.get {})))", line % 2).unwrap();
            writeln!(text, "(i32.store offset={line} (local.get 0) (local.get 1))").unwrap();
        }
        text.push_str("(local.get 1))");
    }
    text.push(')');
    text
}

#[test]
fn artifacts_do_not_depend_on_the_number_of_threads() {
    let valid = valid(&many());
    for target in targets() {
        let make = |threads| {
            let (steps, last) = (AtomicUsize::new(0), AtomicUsize::new(0));
            let progress = |done: usize, total: usize| {
                steps.fetch_add(1, Ordering::Relaxed);
                last.fetch_max(done, Ordering::Relaxed);
                assert!(done <= total);
            };
            let threads = NonZero::new(threads);
            let options = Options { threads, progress: Some(&progress), ..Options::new(target) };
            let bytes = compile(&valid, &options).unwrap();
            let bodies: usize = valid.module().bodies.iter().map(|body| body.len()).sum();
            assert_eq!(last.into_inner(), bodies);
            assert!(steps.into_inner() >= 80);
            bytes
        };
        let one = make(1);
        assert!(make(2) == one && make(5) == one, "{target:?}");
        let mut written = Cursor::new(b"before".to_vec());
        written.set_position(6);
        compile_to(&valid, &Options::new(target), &mut written).unwrap();
        assert!(written.position() as usize == written.get_ref().len());
        assert!(written.get_ref()[6..] == one);
        let artifact = Artifact::new(Box::new(one)).unwrap();
        artifact.verify().unwrap();
        assert_eq!(artifact.target(), target);
        assert_eq!(artifact.module(), &*valid.module().bytes);
        assert!(artifact.enter(0).is_some() && artifact.import(0).is_some());
        assert!((0..artifact.functions()).all(|index| {
            let function = artifact.function(index).unwrap();
            artifact.function_at(function.start) == Some(index)
        }));
    }
}

#[test]
fn functions_begin_where_options_say() {
    let valid = valid(&many());
    for target in targets() {
        let options = Options { function_align: 64, ..Options::new(target) };
        let artifact = Artifact::new(Box::new(compile(&valid, &options).unwrap())).unwrap();
        let starts = (0..artifact.functions()).map(|index| artifact.function(index).unwrap().start);
        assert!(starts.into_iter().all(|start| start % 64 == 0));
    }
}
