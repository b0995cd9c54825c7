//! Validated modules. A module can be instantiated in any store of its engine, from any thread.

use std::sync::Arc;

use lithe_runtime::Code;
use lithe_types::{ExternType, Features, FuncType};

use crate::{Engine, Error, ErrorKind, Result, Strategy, native};

/// A validated module. Cheap to clone.
#[derive(Clone)]
pub struct Module {
    pub(crate) code: Arc<Code>,
    pub(crate) engine: Engine,
}

/// An import of a module.
#[derive(Clone, Debug)]
pub struct Import {
    /// The module name.
    pub module: String,
    /// The field name.
    pub name: String,
    /// The type that is wanted.
    pub ty: ExternType,
}

/// An export of a module.
#[derive(Clone, Debug)]
pub struct Export {
    /// The name.
    pub name: String,
    /// The type.
    pub ty: ExternType,
}

/// A part of a module's binary form.
#[derive(Clone, Debug)]
pub struct Section {
    /// What it holds.
    pub name: String,
    /// How many entries it has: functions that are named, branches with hints; `None` for other custom sections.
    pub entries: Option<usize>,
    /// Its size in bytes, where it is one range of them.
    pub bytes: usize,
}

impl Module {
    /// Loads a module from its binary form, or from its text with the `wat` feature. The module keeps a
    /// private copy of the bytes.
    pub fn new(engine: &Engine, bytes: impl AsRef<[u8]> + Into<Vec<u8>>) -> Result<Module> {
        Module::named(engine, bytes, "")
    }

    /// Like [`Module::new`]; `name` stands for the module in backtraces when it has no name of its own.
    pub fn named(
        engine: &Engine,
        bytes: impl AsRef<[u8]> + Into<Vec<u8>>,
        name: &str,
    ) -> Result<Module> {
        let module = lithe_parser::parse(binary(bytes)?)?;
        let features = engine.features().intersection(Engine::SUPPORTED);
        let valid = lithe_validator::validate(module, features)?;
        let registry = engine.registry().clone();
        let mut code = lithe_interp::new_code(valid, registry, engine.code_config(), name)
            .ok_or_else(|| {
                Error::new(ErrorKind::Limit, "the engine's limit of types is reached")
            })?;
        if engine.strategy() == Strategy::Native {
            native::compile(&mut code, engine)?;
        }
        Ok(Module { code: Arc::new(code), engine: engine.clone() })
    }

    /// Checks bytes or text without keeping a module, under any features, also such as the engine cannot
    /// execute.
    pub fn validate(bytes: impl AsRef<[u8]> + Into<Vec<u8>>, features: Features) -> Result<()> {
        lithe_validator::validate(lithe_parser::parse(binary(bytes)?)?, features)?;
        Ok(())
    }

    /// The name: the module's own, or the one it was loaded with.
    pub fn name(&self) -> Option<String> {
        crate::backtrace::module_name(&self.code)
    }

    /// The engine.
    pub fn engine(&self) -> &Engine {
        &self.engine
    }

    /// What the module imports, in order.
    pub fn imports(&self) -> Vec<Import> {
        let imports = self.code.module().imports.iter().enumerate();
        imports
            .map(|(i, import)| Import {
                module: import.module.clone(),
                name: import.name.clone(),
                ty: self.code.import_type(i),
            })
            .collect()
    }

    /// What the module exports, in order.
    pub fn exports(&self) -> Vec<Export> {
        let exports = self.code.module().exports.iter();
        exports
            .map(|export| Export {
                name: export.name.clone(),
                ty: self.entity_type(export.kind, export.index as usize),
            })
            .collect()
    }

    fn entity_type(&self, kind: lithe_parser::ExternKind, index: usize) -> ExternType {
        use lithe_parser::ExternKind;
        let module = self.code.module();
        match kind {
            ExternKind::Func => ExternType::Func((*self.code.signature(index as u32)).clone()),
            ExternKind::Table => ExternType::Table(module.tables[index].ty),
            ExternKind::Memory => ExternType::Memory(module.memories[index]),
            ExternKind::Global => ExternType::Global(module.globals[index].ty),
            ExternKind::Tag => {
                let ty = module.func_type(module.tags[index]).cloned();
                ExternType::Tag(ty.unwrap_or_default())
            }
        }
    }

    /// Whether instantiating the module runs a start function.
    pub fn has_start(&self) -> bool {
        self.code.module().start.is_some()
    }

    /// The type of the export called `name`.
    pub fn export_type(&self, name: &str) -> Option<ExternType> {
        let export = self.code.module().exports.iter().find(|export| export.name == name)?;
        Some(self.entity_type(export.kind, export.index as usize))
    }

    /// How many functions there are, imported ones included.
    pub fn functions(&self) -> usize {
        self.code.module().funcs.len()
    }

    /// The type of the function with this index.
    pub fn function_type(&self, func: u32) -> Option<FuncType> {
        self.code.module().type_of_func(func).cloned()
    }

    /// The name that the module or its exports give the function with this index.
    pub fn function_name(&self, func: u32) -> Option<String> {
        self.code.module().names().funcs.remove(&func)
    }

    /// The index of the function that `name` means: a number, an export, or a name of the name section.
    pub fn function_by_name(&self, name: &str) -> Option<u32> {
        let module = self.code.module();
        let count = module.funcs.len() as u32;
        let number = name.parse().ok().filter(|func| *func < count);
        let export = || {
            let exports = module.exports.iter();
            let mut funcs = exports.filter(|e| e.kind == lithe_parser::ExternKind::Func);
            funcs.find(|export| export.name == name).map(|export| export.index)
        };
        let named = || {
            let names = module.names().funcs;
            names.into_iter().find(|(_, known)| known == name).map(|(func, _)| func)
        };
        number.or_else(export).or_else(named)
    }

    /// The interpreter's bytecode of the function with this index, as text.
    pub fn disassemble(&self, func: u32) -> Result<String> {
        let defined = func
            .checked_sub(self.code.module().imported_funcs)
            .filter(|defined| (*defined as usize) < self.code.whole_module().bodies.len())
            .ok_or_else(|| Error::usage(format!("function {func} has no body in this module")))?;
        lithe_interp::disassemble(&self.code, defined)
            .map_err(|error| lithe_interp::Error::Translate(error).into())
    }

    /// The parts of the binary form, for people to look at.
    pub fn sections(&self) -> Vec<Section> {
        let module = self.code.whole_module();
        let code: usize = module.bodies.iter().map(|body| body.len()).sum();
        let data: usize = module.data.iter().map(|data| data.range.len()).sum();
        let counted = [
            ("types", module.types.len(), 0),
            ("imports", module.imports.len(), 0),
            ("functions", module.bodies.len(), code),
            ("tables", module.tables.len(), 0),
            ("memories", module.memories.len(), 0),
            ("globals", module.globals.len(), 0),
            ("tags", module.tags.len(), 0),
            ("exports", module.exports.len(), 0),
            ("elements", module.elements.len(), 0),
            ("data", module.data.len(), data),
        ];
        let counted = counted.into_iter().filter(|(_, entries, _)| *entries > 0);
        let counted = counted.map(|(name, entries, bytes)| Section {
            name: name.into(),
            entries: Some(entries),
            bytes,
        });
        let entries = |name: &str| match name {
            "name" => Some(module.names().funcs.len()),
            "metadata.code.branch_hint" => Some(module.branch_hints().len()),
            _ => None,
        };
        let customs = module.customs.iter().map(|custom| Section {
            name: format!("custom {:?}", custom.name),
            entries: entries(&custom.name),
            bytes: custom.range.len(),
        });
        counted.chain(customs).collect()
    }

    /// The size of the module in bytes.
    pub fn size(&self) -> usize {
        self.code.module().bytes.len()
    }

    /// Bytes of all function bodies.
    pub fn body_bytes(&self) -> usize {
        self.code.whole_module().bodies.iter().map(|body| body.len()).sum()
    }

    /// Bytes of bytecode translated so far.
    pub fn translated_bytes(&self) -> usize {
        self.code.translated_bytes()
    }
}

/// The binary form of a module that may be text.
fn binary(bytes: impl AsRef<[u8]> + Into<Vec<u8>>) -> Result<Vec<u8>> {
    #[cfg(feature = "wat")]
    if !bytes.as_ref().starts_with(b"\0asm") && looks_like_text(bytes.as_ref()) {
        return match wat::parse_bytes(bytes.as_ref()) {
            Ok(binary) => Ok(binary.into_owned()),
            Err(error) => Err(Error::new(ErrorKind::Malformed, error.to_string())),
        };
    }
    Ok(bytes.into())
}

/// Whether the first visible character begins a text module or a comment.
#[cfg(feature = "wat")]
fn looks_like_text(bytes: &[u8]) -> bool {
    bytes
        .iter()
        .find(|byte| !byte.is_ascii_whitespace())
        .is_some_and(|byte| matches!(byte, b'(' | b';'))
}
