//! Components, ready to be linked. Invariant: all that can be known of a component without its imports was computed when
//! it was made.

use std::borrow::Cow;
use std::ops::Range;
use std::sync::Arc;

use lithe::{Engine, Error, ErrorKind, Features, Module, Result};

use crate::plan::{Export, Exports, FuncItem, ImportKind, Plan};
use crate::types::FuncType;
use crate::{build, decode};

/// A validated component. Cheap to clone.
#[derive(Clone)]
pub struct Component {
    pub(crate) plan: Arc<Plan>,
    pub(crate) engine: Engine,
}

/// Something that a component imports or exports, by the names that lead to it.
#[derive(Clone, Debug)]
pub struct Item {
    /// The interface, or nothing for what belongs to the component directly.
    pub interface: Option<String>,
    /// The name.
    pub name: String,
    /// The type, where it is a function.
    pub func: Option<Arc<FuncType>>,
}

fn core_module(bytes: &[u8], range: Range<usize>) -> Result<&[u8]> {
    bytes.get(range).ok_or_else(|| Error::new(ErrorKind::Malformed, "a core module is cut off"))
}

/// The error of a core module within a component.
fn of_module(number: usize, error: Error) -> Error {
    let words = format!("core module {number}: {}", error.message());
    match error.offset() {
        Some(offset) => Error::at(error.kind(), offset, words),
        None => Error::new(error.kind(), words),
    }
}

impl Component {
    /// Loads a component from its binary form, or from its text with the `wat` feature.
    pub fn new(engine: &Engine, bytes: impl AsRef<[u8]>) -> Result<Component> {
        Component::with_modules(engine, bytes, |module| Module::new(engine, module))
    }

    /// Like [`Component::new`], with the core modules of the component made by `load` of their binary form.
    pub fn with_modules(
        engine: &Engine,
        bytes: impl AsRef<[u8]>,
        mut load: impl FnMut(&[u8]) -> Result<Module>,
    ) -> Result<Component> {
        let bytes = &*Component::binary(bytes.as_ref())?;
        let decoded = decode::decode(bytes, engine.features())?;
        let plan = build::build(&decoded, &mut |number, range| {
            load(core_module(bytes, range)?).map_err(|error| of_module(number, error))
        })?;
        Ok(Component { plan: Arc::new(plan), engine: engine.clone() })
    }

    /// The binary form of a component in binary form, or in text form with the `wat` feature.
    pub fn binary(bytes: &[u8]) -> Result<Cow<'_, [u8]>> {
        #[cfg(feature = "wat")]
        let bytes = wat::parse_bytes(bytes)
            .map_err(|error| Error::new(lithe::ErrorKind::Malformed, error.to_string()))?;
        #[cfg(not(feature = "wat"))]
        let bytes = Cow::Borrowed(bytes);
        Ok(bytes)
    }

    /// Checks that the bytes are a valid component which uses no other features than these. One that uses what this
    /// version does not run may be valid.
    pub fn validate(bytes: impl AsRef<[u8]>, features: Features) -> Result<()> {
        let bytes = &*Component::binary(bytes.as_ref())?;
        for (number, range) in decode::decode(bytes, features)?.modules.into_iter().enumerate() {
            Module::validate(core_module(bytes, range)?, features)
                .map_err(|error| of_module(number, error))?;
        }
        Ok(())
    }

    /// Whether bytes begin like a component: its binary form, or its text.
    pub fn is(bytes: &[u8]) -> bool {
        bytes.starts_with(b"\0asm\x0d\0\x01\0") || begins_text(bytes)
    }

    /// The engine.
    pub fn engine(&self) -> &Engine {
        &self.engine
    }

    /// Its core modules.
    pub fn modules(&self) -> &[Module] {
        &self.plan.modules
    }

    /// What it imports.
    pub fn imports(&self) -> Vec<Item> {
        let item = |import: &crate::plan::Import| {
            let (name, interface) = import.path.split_last()?;
            let func = match &import.kind {
                ImportKind::Func(ty) => Some(ty.clone()),
                _ => None,
            };
            let interface = (!interface.is_empty()).then(|| interface.join("/"));
            Some(Item { interface, name: name.clone(), func })
        };
        self.plan.imports.iter().filter_map(item).collect()
    }

    /// The functions that it exports directly and in interfaces.
    pub fn exports(&self) -> Vec<Item> {
        let mut items = Vec::new();
        self.list(&self.plan.exports, None, &mut items);
        items
    }

    fn list(&self, exports: &Exports, interface: Option<&str>, items: &mut Vec<Item>) {
        for (name, export) in exports {
            match export {
                Export::Func(func) => {
                    let func = match func {
                        FuncItem::Lift(lift) => Some(self.plan.lifts[*lift].ty.clone()),
                        FuncItem::Import(import) => match &self.plan.imports[*import].kind {
                            ImportKind::Func(ty) => Some(ty.clone()),
                            _ => None,
                        },
                    };
                    let interface = interface.map(str::to_owned);
                    items.push(Item { interface, name: name.clone(), func });
                }
                Export::Instance(exports) if interface.is_none() => {
                    self.list(exports, Some(name), items);
                }
                _ => {}
            }
        }
    }
}

/// Whether the first word of a text, after comments, is `(component`.
fn begins_text(mut bytes: &[u8]) -> bool {
    loop {
        bytes = bytes.trim_ascii_start();
        if let Some(comment) = bytes.strip_prefix(b";;") {
            let Some(end) = comment.iter().position(|byte| *byte == b'\n') else { return false };
            bytes = &comment[end..];
        } else if let Some(comment) = bytes.strip_prefix(b"(;") {
            let (mut depth, mut at) = (1, 0);
            while depth > 0 {
                match comment.get(at..at + 2) {
                    Some(b"(;") => (depth, at) = (depth + 1, at + 2),
                    Some(b";)") => (depth, at) = (depth - 1, at + 2),
                    Some(_) => at += 1,
                    None => return false,
                }
            }
            bytes = &comment[at..];
        } else {
            let word = bytes.strip_prefix(b"(").map(<[u8]>::trim_ascii_start);
            return word.is_some_and(|word| word.starts_with(b"component"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn beginnings() {
        assert!(Component::is(b"\0asm\x0d\0\x01\0..."));
        assert!(Component::is(b";; a\n (; b (; c ;) ;)\n( component)"));
        for other in
            [&b"\0asm\x01\0\0\0"[..], b"(module)", b"", b";; (component)", b"(; (component)"]
        {
            assert!(!Component::is(other));
        }
    }
}
