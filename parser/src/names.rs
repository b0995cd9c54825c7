//! The name section (Core specification, appendix "Custom Sections"). Read on demand: only backtraces and
//! `inspect` want it. Invariant: a damaged section gives fewer names, never an error.

use alloc::{collections::BTreeMap, string::String, string::ToString};

use wasmparser::Name;

use crate::Module;

/// Names that a module's producer left for its readers.
#[derive(Default)]
pub struct Names {
    /// The name of the module.
    pub module: Option<String>,
    /// Names of functions by index.
    pub funcs: BTreeMap<u32, String>,
}

impl Module {
    /// The module's name alone; cheap when there is none.
    pub fn name(&self) -> Option<String> {
        self.read_names(false).module
    }

    /// The name of the tag with this index.
    pub fn tag_name(&self, index: u32) -> Option<String> {
        let data = self.custom("name")?;
        let reader = wasmparser::NameSectionReader::new(wasmparser::BinaryReader::new(data, 0));
        for name in reader.into_iter().map_while(Result::ok) {
            if let Name::Tag(map) = name {
                let mut names = map.into_iter().map_while(Result::ok);
                return Some(names.find(|naming| naming.index == index)?.name.to_string());
            }
        }
        None
    }

    /// Every name that the name section gives.
    pub fn names(&self) -> Names {
        self.read_names(true)
    }

    fn read_names(&self, funcs: bool) -> Names {
        let mut names = Names::default();
        let Some(data) = self.custom("name") else { return names };
        let reader = wasmparser::NameSectionReader::new(wasmparser::BinaryReader::new(data, 0));
        for name in reader.into_iter().map_while(Result::ok) {
            match name {
                Name::Module { name, .. } => {
                    names.module = Some(name.to_string()).filter(|name| !name.is_empty());
                }
                Name::Function(map) if funcs => {
                    for naming in map.into_iter().map_while(Result::ok) {
                        names.funcs.insert(naming.index, naming.name.to_string());
                    }
                }
                _ => {}
            }
        }
        names
    }
}
