//! Bytes to the definitions of a component, in order, with those of the components within it (Binary.md of the component
//! model). `build` reads them. Invariant: what is returned is valid but for the bodies of core functions, which are
//! checked when the modules are loaded.

use std::ops::Range;

use lithe::{Error, ErrorKind, Features, Result};
use wasmparser::{
    CanonicalFunction, ComponentAlias, ComponentExport, ComponentImport, ComponentInstance,
    ComponentType, Encoding, Instance, Parser, Payload, Validator, WasmFeatures,
};

/// Components within one another, the outermost included.
const MAX_NESTING: usize = 64;

/// A component's definitions.
#[derive(Debug, Default)]
pub(crate) struct Definitions<'a> {
    pub list: Vec<Definition<'a>>,
}

/// A definition; each adds to an index space.
#[derive(Debug)]
pub(crate) enum Definition<'a> {
    /// Number of a core module, in the order in which they end.
    CoreModule(usize),
    CoreInstance(Instance<'a>),
    Component(Definitions<'a>),
    Instance(ComponentInstance<'a>),
    Alias(ComponentAlias<'a>),
    Type(ComponentType<'a>),
    Canonical(CanonicalFunction),
    Import(ComponentImport<'a>),
    Export(ComponentExport<'a>),
}

/// A component and the core modules within it, as ranges of its bytes.
pub(crate) struct Decoded<'a> {
    pub root: Definitions<'a>,
    pub modules: Vec<Range<usize>>,
}

/// Features of components that have names of their own.
const NAMED: [(Features, WasmFeatures); 3] = [
    (Features::FIXED_LENGTH_LISTS, WasmFeatures::CM_FIXED_LENGTH_LISTS),
    (Features::MAP, WasmFeatures::CM_MAP),
    (Features::IMPLEMENTS, WasmFeatures::CM_IMPLEMENTS),
];

/// What is accepted. Modules are checked again for what the engine executes, and what is there of async is refused by
/// name when a plan is made.
fn accepted(features: Features) -> WasmFeatures {
    let base = WasmFeatures::default()
        | WasmFeatures::CM_ASYNC
        | WasmFeatures::CM_ASYNC_STACKFUL
        | WasmFeatures::CM_MORE_ASYNC_BUILTINS
        | WasmFeatures::CM_THREADING
        | WasmFeatures::CM_ERROR_CONTEXT
        | WasmFeatures::WIDE_ARITHMETIC
        | WasmFeatures::CUSTOM_PAGE_SIZES;
    NAMED.iter().fold(base, |set, (ours, theirs)| match features.contains(*ours) {
        true => set | *theirs,
        false => set - *theirs,
    })
}

fn invalid(error: wasmparser::Error) -> Error {
    let missing = error.missing_wasm_feature().unwrap_or_else(WasmFeatures::empty);
    let named = NAMED.iter().find(|(_, theirs)| theirs.intersects(missing));
    let name = named.and_then(|(ours, _)| Features::ALL.iter().find(|(_, set)| set == ours));
    let mut words = error.message().to_owned();
    if let Some((name, _)) = name {
        words += &format!("; the feature {name} is not enabled");
    }
    Error::at(ErrorKind::Invalid, error.offset(), words)
}

fn unsupported(offset: usize, what: &str) -> Error {
    Error::at(ErrorKind::Invalid, offset as u64, format!("{what} in components are not supported"))
}

/// What encloses what is read.
enum Level<'a> {
    Component(Definitions<'a>),
    Module(Range<usize>),
}

/// Decodes and validates a component, which may use these features.
pub(crate) fn decode(bytes: &[u8], features: Features) -> Result<Decoded<'_>> {
    let features = accepted(features);
    let mut validator = Validator::new_with_features(features);
    let mut levels: Vec<Level<'_>> = Vec::new();
    let (mut modules, mut root) = (Vec::new(), None);
    let mut parser = Parser::new(0);
    parser.set_features(features);
    let mut starting = None;
    for payload in parser.parse_all(bytes) {
        let payload = payload.map_err(invalid)?;
        validator.payload(&payload).map_err(invalid)?;
        if let Payload::Version { encoding, range, .. } = &payload {
            let level = match (encoding, starting.take()) {
                (Encoding::Component, _) => Level::Component(Definitions::default()),
                (Encoding::Module, Some(range)) => Level::Module(range),
                (Encoding::Module, None) => {
                    let words = "the bytes are a core module, not a component";
                    return Err(Error::at(ErrorKind::Malformed, range.start, words));
                }
            };
            if levels.len() >= MAX_NESTING {
                let words = format!("components are nested more than {MAX_NESTING} deep");
                return Err(Error::at(ErrorKind::Limit, range.start, words));
            }
            levels.push(level);
            continue;
        }
        if let Payload::End(_) = payload {
            let (ended, outer) = (levels.pop(), levels.last_mut());
            match (ended, outer) {
                (Some(Level::Component(ended)), None) => root = Some(ended),
                (Some(Level::Component(ended)), Some(Level::Component(outer))) => {
                    outer.list.push(Definition::Component(ended));
                }
                (Some(Level::Module(range)), Some(Level::Component(outer))) => {
                    outer.list.push(Definition::CoreModule(modules.len()));
                    modules.push(range);
                }
                _ => {}
            }
            continue;
        }
        let Some(Level::Component(component)) = levels.last_mut() else { continue };
        let list = &mut component.list;
        macro_rules! items {
            ($reader:ident, $make:expr) => {
                for item in $reader {
                    list.push($make(item.map_err(invalid)?));
                }
            };
        }
        match payload {
            Payload::ModuleSection { unchecked_range, .. } => {
                let (start, end) = (unchecked_range.start as usize, unchecked_range.end as usize);
                starting = Some(start..end);
            }
            Payload::InstanceSection(reader) => items!(reader, Definition::CoreInstance),
            Payload::ComponentInstanceSection(reader) => items!(reader, Definition::Instance),
            Payload::ComponentAliasSection(reader) => items!(reader, Definition::Alias),
            Payload::ComponentTypeSection(reader) => items!(reader, Definition::Type),
            Payload::ComponentCanonicalSection(reader) => items!(reader, Definition::Canonical),
            Payload::ComponentImportSection(reader) => items!(reader, Definition::Import),
            Payload::ComponentExportSection(reader) => items!(reader, Definition::Export),
            Payload::ComponentStartSection { range, .. } => {
                return Err(unsupported(range.start as usize, "start functions"));
            }
            _ => {}
        }
    }
    let root =
        root.ok_or_else(|| Error::at(ErrorKind::Malformed, 0, "the component is cut off"))?;
    Ok(Decoded { root, modules })
}
