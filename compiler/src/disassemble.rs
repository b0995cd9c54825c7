//! A function's machine code as text, with the operators that it was made for beside it. `inspect` calls it. The text
//! comes from the code generator, which knows its instructions before they are bytes. Invariant: the code is what
//! [`crate::compile`] makes of the function.

use std::{collections::HashMap, fmt::Write};

use cranelift_codegen::{
    Context, MachDebugTagPos,
    ir::{self, DebugTag},
};
use cranelift_control::ControlPlane;
use lithe_parser::{BinaryReader, FunctionBody, Module, OperatorText};
use lithe_validator::ValidModule;

use crate::{
    Error, ErrorKind, Options,
    driver::Functions,
    env::Env,
    function::{internal, refused},
    target,
    translate::Buffers,
};

/// Where the operators begin in a line.
const COLUMN: usize = 56;

/// The machine code of the module's function with this index: a line for each instruction, with its offset in the
/// function where it is known, and the operator, with its offset in the module, where it begins to be another one.
pub fn disassemble(valid: &ValidModule, options: &Options<'_>, func: u32) -> Result<String, Error> {
    let module = valid.module();
    let defined = func.checked_sub(module.imported_funcs);
    let defined = defined.filter(|defined| module.body(*defined).is_some()).ok_or_else(|| {
        let message = format!("the module has no code for a function {func}");
        Error::new(ErrorKind::Unsupported, message)
    })?;
    let env = Env::new(valid, options.target);
    let (listing, code) =
        listing(&env, options, defined).map_err(|error| error.in_func(Some(func)))?;
    let operators = operators(module, defined);
    let mut out = format!("function {func}: {} bytes\n", code.len());
    let mut last = None;
    for line in listing {
        let operator = line.operator.filter(|operator| last != Some(*operator));
        last = line.operator.or(last);
        let offset = line.offset.map_or(String::new(), |offset| format!("{offset:#x}"));
        let text = format!("{offset:>8}  {}", line.text);
        // Writing to a string does not fail.
        let _ = match operator {
            Some(operator) => {
                let name = operators.get(&operator).map_or("", String::as_str);
                writeln!(out, "{text:COLUMN$} ; {operator:#x} {name}")
            }
            None => writeln!(out, "{}", text.trim_end()),
        };
    }
    Ok(out)
}

/// A line of the code generator's text.
struct Line {
    text: String,
    /// The offset in the function.
    offset: Option<u32>,
    /// The operator's offset in the module.
    operator: Option<u32>,
}

/// The lines, and the code.
fn listing(
    env: &Env<'_>,
    options: &Options<'_>,
    defined: u32,
) -> Result<(Vec<Line>, Vec<u8>), Error> {
    let isa = target::isa(options.target, options.regalloc)?;
    let mut context = Context::new();
    let mut buffers = Buffers::default();
    let frontend = isa.frontend_config();
    env.translate(defined as usize, frontend, &mut buffers, &mut context.func)?;
    let control = &mut ControlPlane::default();
    context.optimize(&*isa, control).map_err(refused)?;
    tag(&mut context.func);
    let code = isa.compile_function(
        &context.func,
        &context.domtree,
        &mut Default::default(),
        true,
        control,
    );
    let code = code.map_err(refused)?.apply_params(&context.func.params);
    let text = code.vcode.as_deref().ok_or_else(|| internal("it has no text"))?;
    let mut tags = code.buffer.debug_tags();
    let mut lines: Vec<Line> = Vec::new();
    for line in text.lines() {
        if !line.starts_with("  ; ^-- debug @") {
            lines.push(Line { text: line.into(), offset: None, operator: None });
            continue;
        }
        // Says of the instruction before it what the list says, too.
        if let (Some(tag), Some(line)) = (tags.next(), lines.last_mut()) {
            line.offset = (tag.pos == MachDebugTagPos::Pre).then_some(tag.offset);
            line.operator = tag.tags.iter().find_map(|tag| match tag {
                DebugTag::User(operator) => Some(*operator),
                DebugTag::StackSlot(_) => None,
            });
        }
    }
    Ok((lines, code.code_buffer().to_vec()))
}

/// Makes the code generator say of each instruction which operator it was made for.
fn tag(func: &mut ir::Function) {
    let blocks: Vec<_> = func.layout.blocks().collect();
    let insts: Vec<_> =
        blocks.into_iter().flat_map(|block| func.layout.block_insts(block)).collect();
    for inst in insts {
        let loc = func.srcloc(inst);
        // Of returns, which become epilogues, the text does not say it.
        if !loc.is_default() && !func.dfg.insts[inst].opcode().is_return() {
            func.debug_tags.set(inst, [DebugTag::User(loc.bits())]);
        }
    }
}

/// The text of a body's operators by their offsets in the module.
fn operators(module: &Module, defined: u32) -> HashMap<u32, String> {
    let (Some(body), Some(range)) = (module.body(defined), module.bodies.get(defined as usize))
    else {
        return HashMap::new();
    };
    let body = FunctionBody::new(BinaryReader::new(body, u64::from(range.start)));
    let Ok(reader) = body.get_operators_reader() else { return HashMap::new() };
    let operators = reader.into_iter_with_offsets().map_while(Result::ok);
    operators.map(|(op, offset)| (offset as u32, OperatorText(&op).to_string())).collect()
}

#[cfg(test)]
mod tests {
    use lithe_runtime::{
        abi::{Arch, Traps, cpu},
        artifact::Target,
    };
    use lithe_types::Features;

    use super::*;
    use crate::function;

    fn valid() -> ValidModule {
        let module = wat::parse_str(
            r#"(module
                (import "a" "b" (func $b (param i32)))
                (memory 1)
                (func (param i32 i64) (result i64) (local i64)
                    (loop
                        (call $b (local.get 0))
                        (i64.store offset=4 (local.get 0) (i64.div_s (local.get 1) (local.get 2)))
                        (local.set 2 (i64.add (local.get 2) (i64.const 1)))
                        (br_if 0 (i64.lt_s (local.get 2) (local.get 1))))
                    (i64.load (local.get 0))))"#,
        );
        let module = lithe_parser::parse(module.unwrap()).unwrap();
        lithe_validator::validate(module, Features::default()).unwrap()
    }

    #[test]
    fn operators_stand_beside_the_code_that_is_compiled() {
        let valid = valid();
        for arch in [Arch::X86_64, Arch::Aarch64, Arch::Riscv64] {
            let target = Target {
                arch,
                cpu: cpu::baseline(arch),
                traps: Traps::Signals,
                fuel: false,
                deterministic: false,
                below_memory: false,
            };
            let options = Options::new(target);
            let text = disassemble(&valid, &options, 1).unwrap();
            for operator in ["call 0", "i64.div_s", "i64.store offset=4", "i64.load"] {
                let lines = text.lines().filter(|line| line.ends_with(operator));
                assert!(lines.count() > 0, "{operator}: {text}");
            }
            let env = Env::new(&valid, target);
            let (_, code) = listing(&env, &options, 0).unwrap();
            let isa = target::isa(target, options.regalloc).unwrap();
            let mut context = Context::new();
            let frontend = isa.frontend_config();
            env.translate(0, frontend, &mut Buffers::default(), &mut context.func).unwrap();
            let compiled = function::compile(&mut context, &*isa).unwrap();
            assert_eq!(*code, *compiled.code);
            for func in [0, 2, u32::MAX] {
                assert!(disassemble(&valid, &options, func).is_err());
            }
        }
    }
}
