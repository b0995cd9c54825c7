//! Proves on the machine code that the threaded dispatch back end is what `interp/src/dispatch.rs` claims:
//! each handler reaches the next one by an indirect jump, so the native stack never grows with the guest's
//! run. The release command is linked once more with its symbols and disassembled.

use std::{collections::BTreeMap, process::Command};

use crate::{
    Outcome,
    workspace::{Workspace, cargo, run},
};

/// What stands before a handler's name in its demangled symbol.
const MODULE: &str = "lithe_interp::dispatch::threaded::handler::";

/// Operations that always leave the interpreter.
const LEAVING: &[&str] = &["Exit", "Translate", "Unreachable", "Throw", "ThrowRef"];

/// Fewer handlers than this mean that symbols have other names now and nothing was proven.
const FEWEST: usize = 500;

pub fn check(workspace: &Workspace) -> Outcome {
    if !cfg!(target_arch = "x86_64") {
        println!("handlers: skipped, this check reads x86-64 code only");
        return Ok(Vec::new());
    }
    let command = ["--release", "-p", "lithe-cli", "--bin", "lithe"];
    run(cargo().arg("rustc").args(command).args(["--", "-C", "strip=none"]))?;
    let path = workspace.target.join("release/lithe");
    let disassembly =
        run(Command::new("objdump").args(["-d", "--no-show-raw-insn", "-C"]).arg(path))?;
    // Puts the stripped command back in its place.
    run(cargo().arg("build").args(command))?;
    let handlers = parse(&disassembly);
    println!("{} handlers", handlers.len());
    let mut problems: Vec<String> =
        handlers.iter().filter_map(|(name, code)| problem(name, code)).collect();
    if handlers.len() < FEWEST {
        problems.push(format!(
            "found {} functions named {MODULE}*, expected at least {FEWEST}",
            handlers.len()
        ));
    }
    Ok(problems)
}

/// The instructions of each handler, by its name.
fn parse(disassembly: &str) -> BTreeMap<&str, Vec<&str>> {
    let mut handlers: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    let mut current = None;
    for line in disassembly.lines() {
        if let Some(symbol) = line.strip_suffix(">:") {
            let name = symbol.split_once('<').and_then(|(_, name)| name.strip_prefix(MODULE));
            if let Some(name) = name {
                handlers.entry(name).or_default();
            }
            current = name;
        } else if let Some(code) = current.and_then(|name| handlers.get_mut(name))
            && let Some((_, instruction)) = line.split_once(":\t")
        {
            code.push(instruction.trim());
        }
    }
    handlers
}

/// What is wrong with a handler.
fn problem(name: &str, code: &[&str]) -> Option<String> {
    if let Some(call) = code.iter().find(|instruction| calls_register(instruction)) {
        return Some(format!("{name} calls through a register ({call}), so the stack may grow"));
    }
    let jumps = code.iter().any(|instruction| jumps_indirectly(instruction));
    // Another handler's code may be shared by a jump to it.
    let shares = code.iter().any(|instruction| {
        instruction.starts_with("jmp")
            && instruction.contains(&format!("<{MODULE}"))
            && !instruction.contains(&format!("<{MODULE}{name}+"))
    });
    (!jumps && !shares && !LEAVING.contains(&name))
        .then(|| format!("{name} does not end in an indirect jump"))
}

/// Whether an instruction calls an address that was computed. A call through a fixed cell of memory, which
/// is how functions of other objects are reached, is none.
fn calls_register(instruction: &str) -> bool {
    let mut words = instruction.split_whitespace().skip_while(|word| PREFIXES.contains(word));
    words.next().is_some_and(|word| word.starts_with("call"))
        && words.next().is_some_and(|target| target.starts_with('*') && !target.contains("(%rip)"))
}

fn jumps_indirectly(instruction: &str) -> bool {
    let mut words = instruction.split_whitespace().skip_while(|word| PREFIXES.contains(word));
    words.next().is_some_and(|word| word.starts_with("jmp"))
        && words.next().is_some_and(|target| target.starts_with('*'))
}

/// Prefixes that objdump prints as words of their own.
const PREFIXES: &[&str] = &["notrack", "bnd", "addr32", "data16", "rex.W"];

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "
lithe:     file format elf64-x86-64

0000000000001000 <lithe_interp::dispatch::threaded::handler::I32AddSS>:
    1000:\tadd    (%rsi,%rax,8),%r9d
    1004:\tmov    0x10(%rdi),%rax
    1008:\tjmp    *%rax

0000000000001010 <lithe_interp::dispatch::threaded::handler::MemoryGrow>:
    1010:\tcall   2000 <lithe_interp::exec::memory::grow>
    1015:\tcall   *0x100(%rip)        # 3000 <memcpy>
    101b:\tnotrack jmp *(%rax)

0000000000002000 <lithe_interp::exec::memory::grow>:
    2000:\tcall   *%rax
    2002:\tret
";

    #[test]
    fn handlers_are_found_among_other_functions() {
        let handlers = parse(TEXT);
        assert_eq!(handlers.keys().copied().collect::<Vec<_>>(), ["I32AddSS", "MemoryGrow"]);
        assert_eq!(handlers["I32AddSS"].len(), 3);
        assert_eq!(handlers["MemoryGrow"].len(), 3);
        for (name, code) in &handlers {
            assert_eq!(problem(name, code), None);
        }
    }

    #[test]
    fn a_dispatching_call_is_found() {
        for call in ["call   *%rax", "call   *0x10(%rdi)", "notrack call *%rax"] {
            assert!(problem("A", &[call, "ret"]).is_some(), "{call}");
        }
    }

    #[test]
    fn a_handler_that_does_not_jump_is_found() {
        assert!(problem("A", &["xor    %eax,%eax", "ret"]).is_some());
        assert!(problem("A", &["jmp    1000 <lithe_interp::exec::f>"]).is_some());
        assert_eq!(problem("Exit", &["mov    $0x100,%eax", "ret"]), None);
        let other = format!("jmp    1000 <{MODULE}B>");
        assert_eq!(problem("A", &[&other]), None);
        let own = format!("jmp    1000 <{MODULE}A+0x10>");
        assert!(problem("A", &[&own]).is_some());
    }
}
