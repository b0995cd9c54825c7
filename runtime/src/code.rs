//! A validated module with what engines need to run it: canonical types and the published translations.
//! Shared by every store of an engine. A module that comes with native code is read when it is first used, and was
//! validated when that code was compiled. Invariant: a translation lives as long as the module, and a slot
//! points to the engine's stub or to a complete translation.

use alloc::{boxed::Box, vec::Vec};
use core::sync::atomic::{AtomicPtr, Ordering};

use lithe_parser::{Bytes, Module};
use lithe_types::{Features, FuncType};
use lithe_validator::ValidModule;

use crate::{
    CodeHeader, CodeSlot, Registry, Shape, Shared,
    sync::{Lazy, Lock},
};

/// How a module's functions are translated.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct CodeConfig {
    /// Whether the code counts fuel.
    pub fuel: bool,
    /// Whether NaN results are canonical.
    pub deterministic: bool,
    /// Whether operations hold handler addresses (sibling-call dispatch) or numbers (loop dispatch).
    pub threaded: bool,
}

/// A module ready to be instantiated.
pub struct Code {
    contents: Lazy<Contents>,
    /// A module that came with its native code, with all of its bodies, read when somebody wants them.
    whole: Lazy<Option<Module>>,
    /// The proof of such a module.
    proof: Lazy<Option<ValidModule>>,
    registry: Shared<Registry>,
    config: CodeConfig,
    label: Box<str>,
    stub: &'static CodeHeader,
    translations: Lock<Vec<Box<[u64]>>>,
    #[cfg(feature = "std")]
    native: Option<crate::native::NativeCode>,
    #[cfg(feature = "std")]
    image: Shared<crate::image::Slot>,
}

/// What is read from a module.
struct Contents {
    module: Source,
    types: Box<[u32]>,
    shapes: Box<[Shared<Shape>]>,
    slots: Box<[CodeSlot]>,
    signatures: Box<[Shared<FuncType>]>,
    /// Why the module cannot be used; then it is an empty one.
    flaw: Option<&'static str>,
}

enum Source {
    Proven(ValidModule),
    /// From the artifact of its native code, whose maker proved it. The bodies are left out.
    Trusted(Module),
}

impl Source {
    fn module(&self) -> &Module {
        match self {
            Source::Proven(valid) => valid.module(),
            Source::Trusted(module) => module,
        }
    }
}

impl Contents {
    /// Registers the module's types. `None` when the engine's limit of types is reached.
    fn new(module: Source, registry: &Registry, stub: &'static CodeHeader) -> Option<Contents> {
        let tables = module.module();
        let types = registry.register(&tables.types, &tables.rec_groups)?.into_boxed_slice();
        let shapes = types.iter().map(|id| registry.shape(*id)).collect();
        let signatures = types.iter().map(|id| registry.signature(*id)).collect();
        let first = core::ptr::from_ref(stub).cast_mut();
        let own = tables.funcs.iter().skip(tables.imported_funcs as usize);
        let slots = own.map(|_| CodeSlot(AtomicPtr::new(first))).collect();
        Some(Contents { module, types, shapes, signatures, slots, flaw: None })
    }
}

impl Code {
    /// Registers the module's types. `label` names the module in backtraces when it does not name itself;
    /// `stub` is what every function starts with, it asks for translation. `None` when the engine's limit of
    /// types is reached.
    pub fn new(
        valid: ValidModule,
        registry: Shared<Registry>,
        config: CodeConfig,
        label: &str,
        stub: &'static CodeHeader,
    ) -> Option<Code> {
        let contents = Contents::new(Source::Proven(valid), &registry, stub)?;
        Some(Code {
            contents: contents.into(),
            whole: Lazy::default(),
            proof: Lazy::default(),
            registry,
            config,
            label: label.into(),
            stub,
            translations: Lock::default(),
            #[cfg(feature = "std")]
            native: None,
            #[cfg(feature = "std")]
            image: Shared::default(),
        })
    }

    /// The module that native code was compiled from and brings along, with the name that it was compiled with unless
    /// `label` is another one. It is read when somebody asks for something of
    /// it, so this costs the same for every module.
    #[cfg(feature = "std")]
    pub fn of_native(
        native: crate::native::NativeCode,
        registry: Shared<Registry>,
        config: CodeConfig,
        label: &str,
        stub: &'static CodeHeader,
    ) -> Code {
        let label = if label.is_empty() { native.artifact().label() } else { label };
        Code {
            contents: Lazy::default(),
            whole: Lazy::default(),
            proof: Lazy::default(),
            registry,
            config,
            label: label.into(),
            stub,
            translations: Lock::default(),
            native: Some(native),
            image: Shared::default(),
        }
    }

    fn contents(&self) -> &Contents {
        self.contents.get(|| {
            let flawed = |flaw| Contents {
                module: Source::Trusted(Module::default()),
                types: Box::default(),
                shapes: Box::default(),
                signatures: Box::default(),
                slots: Box::default(),
                flaw: Some(flaw),
            };
            match self.read(lithe_parser::parse_without_bodies) {
                None => flawed("the module beside the native code is damaged"),
                Some(module) => Contents::new(Source::Trusted(module), &self.registry, self.stub)
                    .unwrap_or_else(|| flawed("the engine's limit of types is reached")),
            }
        })
    }

    /// The module in the artifact.
    fn read(&self, parse: fn(Bytes) -> Result<Module, lithe_parser::Error>) -> Option<Module> {
        #[cfg(feature = "std")]
        if let Some(native) = &self.native {
            return parse(native.artifact().shared_module()).ok();
        }
        let _ = parse;
        None
    }

    /// Why the module cannot be used, when it cannot: then it seems to be empty.
    pub(crate) fn flaw(&self) -> Option<&'static str> {
        self.contents().flaw
    }

    /// Gives the module native code, which its instances will run.
    ///
    /// # Safety
    /// The code was compiled from this module.
    #[cfg(feature = "std")]
    pub unsafe fn attach(&mut self, native: crate::native::NativeCode) {
        self.native = Some(native);
    }

    /// What the first memory of instances begins with.
    #[cfg(feature = "std")]
    pub(crate) fn image(&self) -> &Shared<crate::image::Slot> {
        &self.image
    }

    /// Whether instances need not fill a table: their code has the elements with it.
    pub(crate) fn has_elements(&self, table: u32) -> bool {
        #[cfg(feature = "std")]
        if let Some(native) = &self.native {
            return native.artifact().has_elements(table);
        }
        let _ = table;
        false
    }

    /// The native code of a defined function, and that which calls functions of its type from the host; null where there
    /// is none.
    pub(crate) fn entries(&self, defined: usize, ty: u32) -> (*const u8, *const u8) {
        #[cfg(feature = "std")]
        if let Some(native) = &self.native {
            return (native.function(defined), native.enter(ty));
        }
        let _ = (defined, ty);
        (core::ptr::null(), core::ptr::null())
    }

    /// The native code.
    #[cfg(feature = "std")]
    pub fn native(&self) -> Option<&crate::native::NativeCode> {
        self.native.as_ref()
    }

    /// The proven module. One that came with its native code is proven now; `None` when that fails.
    pub fn valid(&self) -> Option<&ValidModule> {
        if let Source::Proven(valid) = &self.contents().module {
            return Some(valid);
        }
        let proof = self.proof.get(|| {
            let all = Features::ALL.iter().fold(Features::MVP, |all, (_, one)| all.union(*one));
            lithe_validator::validate(self.read(lithe_parser::parse)?, all).ok()
        });
        proof.as_ref()
    }

    /// The module's tables. Those of a module that came with its native code lack the bodies.
    pub fn module(&self) -> &Module {
        self.contents().module.module()
    }

    /// The module's tables with the bodies.
    pub fn whole_module(&self) -> &Module {
        match &self.contents().module {
            Source::Proven(valid) => valid.module(),
            Source::Trusted(module) => {
                let whole = self.whole.get(|| self.read(lithe_parser::parse));
                whole.as_ref().unwrap_or(module)
            }
        }
    }

    /// The canonical types of the engine.
    pub fn registry(&self) -> &Shared<Registry> {
        &self.registry
    }

    /// How functions are translated.
    pub fn config(&self) -> CodeConfig {
        self.config
    }

    /// Bytes of an instance that its native code wants below its memory 0.
    pub(crate) fn bytes_below_memory(&self) -> usize {
        #[cfg(feature = "std")]
        if self.native.as_ref().is_some_and(|native| native.artifact().target().below_memory)
            && self.module().imported_memories == 0
            && !self.module().memories.is_empty()
        {
            return crate::abi::ContextLayout::of(self.module()).size();
        }
        0
    }

    /// Whether native code relies on the guards of memories.
    pub(crate) fn needs_guards(&self) -> bool {
        #[cfg(feature = "std")]
        if let Some(native) = &self.native {
            return native.artifact().target().traps == crate::abi::Traps::Signals;
        }
        false
    }

    /// The name given to the module by whoever loaded it.
    pub fn label(&self) -> &str {
        &self.label
    }

    /// Canonical type ids by type index.
    pub fn types(&self) -> &[u32] {
        &self.contents().types
    }

    /// The shape of a type by type index.
    pub fn shape(&self, ty: u32) -> &Shape {
        &self.contents().shapes[ty as usize]
    }

    /// Where translations are published, by defined function.
    pub fn slots(&self) -> &[CodeSlot] {
        &self.contents().slots
    }

    /// The defined function whose slot this is.
    pub fn func_of_slot(&self, slot: *const CodeSlot) -> Option<u32> {
        let offset = (slot as usize).checked_sub(self.slots().as_ptr() as usize)?;
        let index = offset / size_of::<CodeSlot>();
        (index < self.slots().len()).then_some(index as u32)
    }

    /// A function type by type index; an empty one when the type is no function type.
    pub(crate) fn type_signature(&self, ty: u32) -> &Shared<FuncType> {
        &self.contents().signatures[ty as usize]
    }

    /// The signature of a function by its index among all functions.
    pub fn signature(&self, func: u32) -> Shared<FuncType> {
        self.type_signature(self.module().funcs[func as usize]).clone()
    }

    /// Publishes the translation of defined function `func`: a [`CodeHeader`] in the first cell, operations
    /// in the others. Another thread's earlier translation stays, since frames may run in it: what a frame's
    /// code slot leads to is always what the frame runs. Gives the published one.
    pub fn publish(&self, func: u32, translation: Box<[u64]>) -> *const CodeHeader {
        let slot = &self.slots()[func as usize].0;
        self.translations.with(|all| {
            let published = slot.load(Ordering::Acquire);
            if !core::ptr::eq(published, self.stub) {
                return published.cast_const();
            }
            let pointer = translation.as_ptr().cast::<CodeHeader>();
            all.push(translation);
            slot.store(pointer.cast_mut(), Ordering::Release);
            pointer
        })
    }

    /// Bytes of published translations.
    pub fn translated_bytes(&self) -> usize {
        self.translations.with(|all| all.iter().map(|code| code.len() * 8).sum())
    }
}
