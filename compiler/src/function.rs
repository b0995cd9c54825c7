//! One function through Cranelift, to what the linker needs of it. The threads of the driver call it, each with a
//! context of its own. Invariant: what is kept of a function is its code and tables, at their size.

use cranelift_codegen::{
    CodegenError, CompiledCode, Context, Final, FinalizedMachExceptionHandler, FinalizedMachReloc,
    FinalizedRelocTarget, MachSrcLoc, binemit,
    ir::{self, ExternalName, StackSlotKey, TrapCode},
    isa::TargetIsa,
};
use cranelift_control::ControlPlane;
use lithe_runtime::{
    abi::FRAME_BYTES,
    artifact::{self, Handler, Site, write_site},
};
use lithe_types::TrapKind;

use crate::{
    Error, ErrorKind,
    folded::{self, Access},
    reloc::{Form, Reloc, Symbol},
};

/// The namespace of functions in CLIF: names are function numbers.
pub(crate) const FUNCTIONS: u32 = 0;
/// The namespace of tables of indirect calls that never change: names are their places among those.
pub(crate) const TABLES: u32 = 1;

/// The key of the stack slot that holds the context, in functions that handle exceptions.
pub(crate) const CONTEXT_SLOT: u64 = 1;

/// What is kept of a compiled function. Offsets are relative to its first byte.
pub(crate) struct Compiled {
    pub code: Box<[u8]>,
    pub align: u32,
    pub relocs: Box<[Reloc]>,
    /// Encoded as in the artifact.
    pub sites: Box<[u8]>,
    pub handlers: Box<[Handler]>,
}

/// Compiles the function in `context`.
pub(crate) fn compile(context: &mut Context, isa: &dyn TargetIsa) -> Result<Compiled, Error> {
    if let Err(error) = context.compile(isa, &mut ControlPlane::default()) {
        return Err(refused(error.inner));
    }
    let code = context.compiled_code().ok_or_else(|| internal("it made no code"))?;
    let frame = code.buffer.frame_layout().map_or(u32::MAX, |frame| frame.frame_to_fp_offset);
    if frame > FRAME_BYTES {
        let message = format!("its frame of {frame} bytes is larger than {FRAME_BYTES} bytes");
        return Err(Error::new(ErrorKind::TooLarge, message));
    }
    Ok(Compiled {
        code: code.code_buffer().into(),
        align: code.buffer.alignment,
        relocs: relocs(code.buffer.relocs(), &context.func)?,
        sites: sites(code, &context.func)?,
        handlers: handlers(code)?,
    })
}

pub(crate) fn internal(what: impl std::fmt::Display) -> Error {
    Error::new(ErrorKind::Internal, format!("the code generator erred: {what}"))
}

pub(crate) fn refused(error: CodegenError) -> Error {
    match error {
        CodegenError::ImplLimitExceeded | CodegenError::CodeTooLarge => {
            Error::new(ErrorKind::TooLarge, "it is larger than the code generator supports")
        }
        CodegenError::Unsupported(what) => Error::new(
            ErrorKind::Unsupported,
            format!("the code generator does not support it: {what}"),
        ),
        CodegenError::Verifier(errors) => match errors.0.first() {
            Some(first) => internal(first),
            None => internal("the translation is invalid"),
        },
        other => internal(other),
    }
}

fn relocs(relocs: &[FinalizedMachReloc], func: &ir::Function) -> Result<Box<[Reloc]>, Error> {
    let mut out = Vec::with_capacity(relocs.len());
    for reloc in relocs {
        if reloc.kind == binemit::Reloc::RiscvPCRelLo12I {
            // The second half of a pair, whose first half stands before it and names the symbol.
            let first = reloc.offset.checked_sub(4);
            let pair = matches!(reloc.target, FinalizedRelocTarget::Func(at) if Some(at) == first);
            if !pair || out.last().is_none_or(|last: &Reloc| Some(last.at) != first) {
                return Err(internal("an address lacks its upper half"));
            }
            continue;
        }
        let symbol = match &reloc.target {
            FinalizedRelocTarget::ExternalName(ExternalName::User(name)) => {
                let name = &func.params.user_named_funcs()[*name];
                match name.namespace {
                    FUNCTIONS => Some(Symbol::Function(name.index)),
                    TABLES => Some(Symbol::Table(name.index)),
                    _ => None,
                }
            }
            FinalizedRelocTarget::ExternalName(ExternalName::LibCall(call)) => {
                return Err(Error::new(
                    ErrorKind::Unsupported,
                    format!("the machine has no instruction for {call}"),
                ));
            }
            _ => None,
        };
        let form = Form::of(reloc.kind, reloc.addend);
        let (Some(symbol), Some(form)) = (symbol, form) else {
            let what = reloc.target.display(Some(&func.params));
            return Err(internal(format_args!("it refers to {what} by {:?}", reloc.kind)));
        };
        out.push(Reloc { at: reloc.offset, symbol, form });
    }
    Ok(out.into())
}

/// The sites of traps and of calls, in order.
fn sites(code: &CompiledCode, func: &ir::Function) -> Result<Box<[u8]>, Error> {
    let ranges = code.buffer.get_srclocs_sorted();
    let mut places: Vec<(u32, Option<TrapKind>)> = Vec::new();
    places.extend(code.buffer.call_sites().map(|call| (call.ret_addr, None)));
    let mut accesses = Vec::new();
    for trap in code.buffer.traps() {
        places.push((trap.offset, Some(trap_kind(trap.code)?)));
        if folded::is_number(trap.code) {
            let operator = operator(ranges, trap.offset);
            accesses.push(Access { text: trap.offset, number: trap.code, operator, load: None });
        }
    }
    if !accesses.is_empty() {
        folded::find(func, &mut accesses);
    }
    // Where an instruction that may trap follows a call, the call's site comes first.
    places.sort_by_key(|(offset, _)| *offset);
    accesses.sort_by_key(|access| access.text);
    let mut accesses = accesses.into_iter().peekable();
    let mut out = Vec::with_capacity(4 * places.len());
    let mut last = Site { text: 0, module: 0, trap: None };
    let base = func.params.base_srcloc();
    for (text, trap) in places {
        let within = if trap.is_some() { text } else { text.saturating_sub(1) };
        let access = accesses.next_if(|access| trap.is_some() && access.text == text);
        let load = access.and_then(|access| access.load);
        let module = load.or_else(|| operator(ranges, within));
        // What belongs to no operator, as the prologue, is at the function's first one.
        let module = module.or_else(|| (!base.is_default()).then_some(base.bits()));
        match (module, trap) {
            // Stubs are nowhere in the module, and no frames of backtraces.
            (None, None) => {}
            (module, trap) => {
                let module = module.unwrap_or(0);
                write_site(&mut out, &mut last, Site { text, module, trap });
            }
        }
    }
    Ok(out.into())
}

/// The byte offset in the module of the operator that an instruction was made for.
fn operator(ranges: &[MachSrcLoc<Final>], offset: u32) -> Option<u32> {
    let after = ranges.partition_point(|range| range.start <= offset);
    let last = after.checked_sub(1).map(|last| &ranges[last]);
    let own = last.filter(|range| offset < range.end && !range.loc.is_default());
    own.map(|range| range.loc.bits())
}

fn trap_kind(code: TrapCode) -> Result<TrapKind, Error> {
    Ok(match code {
        TrapCode::STACK_OVERFLOW => TrapKind::StackExhausted,
        TrapCode::INTEGER_OVERFLOW => TrapKind::IntegerOverflow,
        TrapCode::HEAP_OUT_OF_BOUNDS => TrapKind::MemoryOutOfBounds,
        TrapCode::INTEGER_DIVISION_BY_ZERO => TrapKind::IntegerDivideByZero,
        TrapCode::BAD_CONVERSION_TO_INTEGER => TrapKind::InvalidConversion,
        number if folded::is_number(number) => TrapKind::MemoryOutOfBounds,
        user => TrapKind::from_code(user.as_raw().get())
            .ok_or_else(|| internal(format_args!("there is no trap {user}")))?,
    })
}

fn handlers(code: &CompiledCode) -> Result<Box<[Handler]>, Error> {
    let mut out = Vec::new();
    let slots = code.buffer.frame_layout().map(|layout| &layout.stackslots);
    let context = slots
        .and_then(|slots| {
            slots.values().find(|slot| slot.key == Some(StackSlotKey::new(CONTEXT_SLOT)))
        })
        .map(|slot| slot.offset);
    for call in code.buffer.call_sites() {
        for handler in call.exception_handlers {
            let (tag, target) = match handler {
                FinalizedMachExceptionHandler::Tag(tag, target) => (tag.as_u32(), *target),
                FinalizedMachExceptionHandler::Default(target) => (artifact::NONE, *target),
                FinalizedMachExceptionHandler::Context(_) => {
                    return Err(internal("a handler changes the context of tags"));
                }
            };
            let frame = call.frame_offset.ok_or_else(|| internal("a handler has no frame"))?;
            let context = context.ok_or_else(|| internal("a handler has no context"))?;
            out.push(Handler { call: call.ret_addr, tag, target, frame, context });
        }
    }
    out.sort_by_key(|handler| handler.call);
    Ok(out.into())
}
