//! Artifacts: native code in a form that can be kept. Compiling modules to them, and looking at what they are;
//! loading one is in `raw`, since nothing can be proven of native code. Invariant: an artifact is made for the
//! configuration of an engine, and is refused by engines of another one.

use std::io::{Seek, Write};
use std::num::NonZero;

use lithe_runtime as rt;
use rt::{abi::Traps, hash::hash};

use crate::{Engine, Error, ErrorKind, Module, Result, Strategy};

/// What hears how far compilation is: bytes of bodies that are done, and of all. Several threads call it.
pub type Progress<'a> = &'a (dyn Fn(usize, usize) + Sync);

/// How a module is compiled by [`Module::compile`]. Whether code counts fuel, is deterministic and how it traps is the
/// engine's matter.
#[derive(Clone, Default)]
pub struct Compilation<'a> {
    machine: Option<String>,
    threads: Option<NonZero<usize>>,
    progress: Option<Progress<'a>>,
}

impl<'a> Compilation<'a> {
    /// For this machine, on as many threads as there are processors.
    pub fn new() -> Compilation<'a> {
        Compilation::default()
    }

    /// The machine: `x86_64`, `aarch64` or `riscv64`, or a triple that begins with one of them, with the features
    /// that its processors have beyond the baseline, as in `riscv64+v`. Default: `host`, this machine with all its
    /// features.
    pub fn machine(mut self, machine: impl Into<String>) -> Compilation<'a> {
        self.machine = Some(machine.into());
        self
    }

    /// The number of threads. The artifact does not depend on it.
    pub fn threads(mut self, threads: NonZero<usize>) -> Compilation<'a> {
        self.threads = Some(threads);
        self
    }

    /// What hears how far compilation is.
    pub fn progress(mut self, progress: Progress<'a>) -> Compilation<'a> {
        self.progress = Some(progress);
        self
    }
}

impl Module {
    /// Compiles the module to an artifact.
    #[cfg(feature = "native")]
    pub fn compile(&self, how: &Compilation<'_>) -> Result<Vec<u8>> {
        let (valid, options) = self.compilation(how)?;
        Ok(lithe_compiler::compile(valid, &options)?)
    }

    /// Compiles the module to an artifact that is written from where `out` stands. Needs less memory than
    /// [`Module::compile`]. What was written when this fails is no artifact.
    #[cfg(feature = "native")]
    pub fn compile_to(&self, how: &Compilation<'_>, out: &mut (impl Write + Seek)) -> Result<()> {
        let (valid, options) = self.compilation(how)?;
        Ok(lithe_compiler::compile_to(valid, &options, out)?)
    }

    /// Compiles the module to a relocatable ELF object for programs that may make no code executable. They are linked
    /// with it, declare its one symbol, `lithe_NAME`, as a [`crate::LinkedModule`], and need no compiler.
    #[cfg(feature = "native")]
    pub fn compile_object(&self, how: &Compilation<'_>, name: &str) -> Result<Vec<u8>> {
        let (valid, options) = self.compilation(how)?;
        Ok(lithe_compiler::compile_object(valid, &options, name)?)
    }

    /// The machine code that is made for the function with this index, as text, with operators beside it.
    #[cfg(feature = "native")]
    pub fn disassemble_native(&self, how: &Compilation<'_>, func: u32) -> Result<String> {
        let (valid, options) = self.compilation(how)?;
        Ok(lithe_compiler::disassemble(valid, &options, func)?)
    }

    #[cfg(feature = "native")]
    fn compilation<'a>(
        &'a self,
        how: &Compilation<'a>,
    ) -> Result<(&'a lithe_validator::ValidModule, lithe_compiler::Options<'a>)> {
        let machine = how.machine.as_deref().unwrap_or("host");
        let (arch, cpu) = lithe_compiler::parse_machine(machine)?;
        let flaw = || Error::new(ErrorKind::Artifact, "the module in the artifact is damaged");
        let valid = self.code.valid().ok_or_else(flaw)?;
        let target = self.engine.target(valid.module(), arch, cpu);
        let options = lithe_compiler::Options {
            label: self.code.label(),
            threads: how.threads,
            progress: how.progress,
            ..lithe_compiler::Options::new(target)
        };
        Ok((valid, options))
    }

    /// Compiles the module to an artifact.
    #[cfg(not(feature = "native"))]
    pub fn compile(&self, how: &Compilation<'_>) -> Result<Vec<u8>> {
        let Compilation { machine: _, threads: _, progress: _ } = how;
        Err(crate::native::no_compiler())
    }

    /// The machine code of a function as text.
    #[cfg(not(feature = "native"))]
    pub fn disassemble_native(&self, how: &Compilation<'_>, _func: u32) -> Result<String> {
        self.compile(how).map(|_| String::new())
    }

    /// Compiles the module to a relocatable object.
    #[cfg(not(feature = "native"))]
    pub fn compile_object(&self, how: &Compilation<'_>, _name: &str) -> Result<Vec<u8>> {
        self.compile(how)
    }

    /// Compiles the module to an artifact that is written from where `out` stands.
    #[cfg(not(feature = "native"))]
    pub fn compile_to(&self, how: &Compilation<'_>, _: &mut (impl Write + Seek)) -> Result<()> {
        self.compile(how).map(drop)
    }

    /// Whether the module has native code, and how many bytes of it.
    pub fn native_bytes(&self) -> Option<usize> {
        self.code.native().map(|native| native.artifact().text().len())
    }

    /// A hash (BLAKE2b, 256 bits) of the module's binary form, which names it in caches.
    pub fn hash(&self) -> [u8; 32] {
        match self.code.native() {
            Some(native) => native.artifact().module_hash(),
            None => hash(&self.code.module().bytes),
        }
    }
}

/// An artifact, to look at. Nothing of it runs.
pub struct Artifact(rt::artifact::Artifact);

impl Artifact {
    /// Whether bytes begin like an artifact.
    pub fn is(bytes: &[u8]) -> bool {
        bytes.starts_with(&rt::artifact::MAGIC)
    }

    /// The artifact in these bytes, which may be for any machine and configuration.
    pub fn new(bytes: impl Into<Vec<u8>>) -> Result<Artifact> {
        let artifact = rt::artifact::Artifact::new(Box::new(bytes.into()));
        artifact.map(Artifact).map_err(unusable)
    }

    /// Reads everything, and fails when it is not what was written. Says nothing about who wrote it.
    pub fn verify(&self) -> Result<()> {
        self.0.verify().map_err(unusable)
    }

    /// Names this version of Lithe, for forms that hold artifacts: those of another version are refused.
    pub fn version() -> u64 {
        rt::abi::IDENTITY
    }

    /// The machine that the code is for.
    pub fn machine(&self) -> &'static str {
        self.0.target().arch.name()
    }

    /// The features that processors need beyond the baseline of the machine.
    pub fn processor_features(&self) -> Vec<&'static str> {
        let rt::artifact::Target { arch, cpu, .. } = self.0.target();
        rt::abi::cpu::names(arch, cpu & !rt::abi::cpu::baseline(arch)).collect()
    }

    /// How the code notices what it must not do.
    pub fn traps(&self) -> Traps {
        self.0.target().traps
    }

    /// Whether the code counts fuel.
    pub fn counts_fuel(&self) -> bool {
        self.0.target().fuel
    }

    /// Whether NaN results are canonical.
    pub fn is_deterministic(&self) -> bool {
        self.0.target().deterministic
    }

    /// Bytes of code.
    pub fn code_bytes(&self) -> usize {
        self.0.text().len()
    }

    /// The binary form of the module that the code was compiled from.
    pub fn module(&self) -> &[u8] {
        self.0.module()
    }

    /// [`Module::hash`] of the module with this binary form.
    pub fn hash(module: &[u8]) -> [u8; 32] {
        hash(module)
    }
}

impl Engine {
    /// Names the configuration, as far as native code for this machine depends on it: engines with the same key, of
    /// the same version of Lithe, use each other's artifacts and accept the same modules.
    pub fn artifact_key(&self) -> [u8; 32] {
        let config = self.code_config();
        let mut hasher = rt::hash::Hasher::default();
        hasher.update(&rt::abi::VERSION.to_le_bytes());
        hasher.update(&rt::abi::IDENTITY.to_le_bytes());
        hasher.update(rt::abi::Arch::HOST.map_or("", rt::abi::Arch::name).as_bytes());
        hasher.update(&rt::abi::cpu::host().to_le_bytes());
        hasher.update(&[self.traps() as u8, config.fuel.into(), config.deterministic.into()]);
        for (name, feature) in lithe_types::Features::ALL {
            let on = self.features().contains(*feature);
            hasher.update(if on { name.as_bytes() } else { &[] });
            hasher.update(&[0]);
        }
        hasher.finish()
    }

    /// What code of a module is for.
    #[cfg(feature = "native")]
    pub(crate) fn target(
        &self,
        module: &lithe_parser::Module,
        arch: rt::abi::Arch,
        cpu: u64,
    ) -> rt::artifact::Target {
        let config = self.code_config();
        // Where it can, a context ends at the base of a memory that nobody else brings along and that never moves.
        // With 64-bit addresses that takes a guard, since without one its maximum would have to be reserved.
        let signals = self.traps() == rt::abi::Traps::Signals;
        let stays = |ty: &lithe_types::MemoryType| !ty.is64 || signals && rt::abi::has_guard(ty);
        let below_memory = module.imported_memories == 0
            && module.memories.first().is_some_and(|ty| !ty.shared && stays(ty));
        rt::artifact::Target {
            arch,
            cpu,
            traps: self.traps(),
            fuel: config.fuel,
            deterministic: config.deterministic,
            below_memory,
        }
    }

    /// Refuses code that behaves in another way than this engine's.
    pub(crate) fn accept(&self, target: rt::artifact::Target) -> Result<()> {
        if self.strategy() == Strategy::Interpreter {
            return Err(Error::usage(
                "the engine runs modules in the interpreter: set Config::strategy to run native code",
            ));
        }
        let config = self.code_config();
        let refuse = |sentence: &str| Err(unusable(sentence.into()));
        match (target.fuel, config.fuel) {
            (true, false) => return refuse("it counts fuel, and the engine does not"),
            (false, true) => return refuse("it does not count fuel, and the engine does"),
            _ => {}
        }
        match (target.deterministic, config.deterministic) {
            (true, false) => return refuse("it is deterministic, and the engine is not"),
            (false, true) => return refuse("it is not deterministic, and the engine is"),
            _ => {}
        }
        match (target.traps, self.traps()) {
            (Traps::Checks, Traps::Signals) => {
                refuse("it traps by checks, and the engine by signals")
            }
            (Traps::Signals, Traps::Checks) => {
                refuse("it traps by signals, and the engine by checks")
            }
            _ => Ok(()),
        }
    }
}

/// The error of an artifact that cannot be used, for a reason that is a sentence about "it".
pub(crate) fn unusable(reason: String) -> Error {
    Error::new(ErrorKind::Artifact, format!("the native code cannot be used: {reason}"))
}
