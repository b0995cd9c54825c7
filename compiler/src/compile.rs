//! A proven module to an artifact: the crate's way in, called by whoever wants native code. Invariant: the artifact
//! depends on the module and the options that say what code is for, not on the host or the number of threads.

use std::{
    io::{self, BufWriter, Seek, SeekFrom, Write},
    num::NonZero,
};

use cranelift_codegen::{ir, isa::TargetFrontendConfig};
use lithe_runtime::artifact::{
    Function as Stretch, HEADER, Parts, Target, Text::Elsewhere, Text::Here,
};
use lithe_validator::ValidModule;

use crate::{
    Error, ErrorKind, Progress, Regalloc,
    driver::{self, Functions},
    env::{Env, Function},
    link::{self, Text},
    object::Object,
    target,
    translate::{self, Buffers, TranslateError},
};

/// How a module is compiled.
#[derive(Clone)]
pub struct Options<'a> {
    /// What the code is for.
    pub target: Target,
    /// How registers are assigned.
    pub regalloc: Regalloc,
    /// Functions begin at multiples of this many bytes.
    pub function_align: u32,
    /// How many threads compile; as many as there are processors when not given.
    pub threads: Option<NonZero<usize>>,
    /// What hears how far compilation is.
    pub progress: Option<Progress<'a>>,
    /// The module's name in backtraces when it has none of its own.
    pub label: &'a str,
}

impl Options<'_> {
    /// The usual options for a target.
    pub fn new(target: Target) -> Self {
        Options {
            target,
            regalloc: Regalloc::default(),
            function_align: 16,
            threads: None,
            progress: None,
            label: "",
        }
    }
}

/// Compiles a module to the bytes of an [artifact](lithe_runtime::artifact::Artifact).
pub fn compile(valid: &ValidModule, options: &Options<'_>) -> Result<Vec<u8>, Error> {
    let (parts, mut text) = parts(valid, options)?;
    let module = &*valid.module().bytes;
    let mut out = Vec::with_capacity(parts.size(text.len(), module.len()));
    out.resize(HEADER, 0);
    let mut sink = |bytes: &[u8]| out.extend_from_slice(bytes);
    let header = parts.stream(module, Here(text.len(), &mut |sink| text.write(sink)), &mut sink);
    out[..HEADER].copy_from_slice(&header);
    Ok(out)
}

/// Compiles a module to an [artifact](lithe_runtime::artifact::Artifact) that is written as it is made, from where
/// `out` stands. Needs less memory than [`compile`]. What was written when there is an error is no artifact.
pub fn compile_to(
    valid: &ValidModule,
    options: &Options<'_>,
    out: &mut (impl Write + Seek),
) -> Result<(), Error> {
    let (parts, mut text) = parts(valid, options)?;
    let module = &*valid.module().bytes;
    let mut write = || {
        let start = out.stream_position()?;
        let mut out = BufWriter::new(&mut *out);
        let mut done = out.write_all(&[0; HEADER]);
        let mut sink = |bytes: &[u8]| {
            if done.is_ok() {
                done = out.write_all(bytes);
            }
        };
        let text = Here(text.len(), &mut |sink| text.write(sink));
        let header = parts.stream(module, text, &mut sink);
        done?;
        out.seek(SeekFrom::Start(start))?;
        out.write_all(&header)?;
        out.seek(SeekFrom::End(0))?;
        out.flush()
    };
    write().map_err(|error: io::Error| {
        Error::new(ErrorKind::Output, format!("the artifact cannot be written: {error}"))
    })
}

/// Compiles a module to a relocatable ELF object that programs for Linux are linked with. It has one global symbol,
/// `lithe_NAME`, which is a record of four words: address and length of the artifact, address and length of its text.
pub fn compile_object(
    valid: &ValidModule,
    options: &Options<'_>,
    name: &str,
) -> Result<Vec<u8>, Error> {
    if name.is_empty() || !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_') {
        let message = "the name of an object consists of letters, digits and underscores";
        return Err(Error::new(ErrorKind::Unsupported, message));
    }
    let (parts, mut pieces) = parts(valid, options)?;
    let mut text = Vec::with_capacity(pieces.len());
    pieces.write(&mut |bytes| text.extend_from_slice(bytes));
    let mut artifact = vec![0; HEADER];
    let mut sink = |bytes: &[u8]| artifact.extend_from_slice(bytes);
    let header = parts.stream(&valid.module().bytes, Elsewhere(text.len()), &mut sink);
    artifact[..HEADER].copy_from_slice(&header);
    let functions = symbols(valid, name, &parts.functions);
    Ok(Object { arch: options.target.arch, name, text, artifact, functions }.write())
}

/// Names of functions for debuggers and profilers.
fn symbols(valid: &ValidModule, name: &str, functions: &[Stretch]) -> Vec<(String, u32, u32)> {
    let module = valid.module();
    let mut names = module.names().funcs;
    let symbol = |(number, stretch): (usize, &Stretch)| {
        let defined = number < module.bodies.len();
        let func = module.imported_funcs + number as u32;
        let symbol = match names.remove(&func).filter(|_| defined) {
            Some(func) => format!("{name}!{func}"),
            None if defined => format!("{name}!<wasm function {func}>"),
            None => format!("{name}!<stub {}>", number - module.bodies.len()),
        };
        (symbol, stretch.start, stretch.end - stretch.start)
    };
    functions.iter().enumerate().map(symbol).collect()
}

/// All of the artifact but its text, and the text.
fn parts(valid: &ValidModule, options: &Options<'_>) -> Result<(Parts, Text), Error> {
    let env = Env::new(valid, options.target);
    let isa = target::isa(options.target, options.regalloc)?;
    let functions = driver::compile_functions(&env, &*isa, options.threads, options.progress)?;
    let tables: Vec<&link::Table> =
        env.static_tables.iter().map(|table| &*table.elements).collect();
    let linked =
        link::link(options.target.arch, options.function_align.max(1), functions, &tables)?;
    let parts = Parts {
        target: options.target,
        text: Vec::new(),
        functions: linked.functions,
        enters: env.enters(),
        imports: env.imports(),
        tables: env.unread_tables(),
        handlers: linked.handlers,
        sites: linked.sites,
        label: options.label.into(),
    };
    Ok((parts, linked.text))
}

impl Functions for Env<'_> {
    type Buffers = Buffers;

    fn count(&self) -> usize {
        self.functions() as usize
    }

    fn size(&self, number: usize) -> usize {
        self.module.bodies.get(number).map_or(0, |body| body.len())
    }

    fn index(&self, number: usize) -> Option<u32> {
        match self.function(number as u32) {
            Function::Defined(func) => Some(self.module.imported_funcs + func),
            _ => None,
        }
    }

    fn translate(
        &self,
        number: usize,
        frontend: TargetFrontendConfig,
        buffers: &mut Buffers,
        out: &mut ir::Function,
    ) -> Result<(), Error> {
        let result = translate::translate(self, number as u32, frontend, buffers, out);
        result.map_err(|error| match error {
            TranslateError::Unsupported(offset) => Error::new(
                ErrorKind::Unsupported,
                format!("the native compiler does not know the operator at offset {offset:#x}"),
            ),
            TranslateError::TooLarge(most, what) => {
                Error::new(ErrorKind::TooLarge, format!("more than {most} {what}"))
            }
            TranslateError::Invalid => Error::new(ErrorKind::Internal, "the body is invalid"),
        })?;
        let is_vector = |value| out.dfg.value_type(value).is_vector();
        if !self.has_vectors() && out.dfg.values().any(is_vector) {
            let message = "it has vectors, and the machine has no vector instructions";
            return Err(Error::new(ErrorKind::NoVectors, message));
        }
        Ok(())
    }
}
