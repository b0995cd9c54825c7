//! `validate` and the proof it returns. The embedding API and the engines hold a [`ValidModule`]. Invariant:
//! none exists whose module breaks a rule of the specification under its features.

use alloc::vec;

use lithe_parser::Module;
use lithe_types::Features;
use wasmparser::{Parser, ValidPayload, Validator, ValidatorResources};

use crate::{Error, bodies, features};

/// A module that is proven valid, with what is needed to walk its bodies again.
pub struct ValidModule {
    module: Module,
    pub(crate) resources: Option<ValidatorResources>,
    features: Features,
}

/// Proves `module` valid under `features`.
pub fn validate(module: Module, features: Features) -> Result<ValidModule, Error> {
    let mut validator = Validator::new_with_features(features::to_wasmparser(features));
    let mut funcs = vec![];
    let mut resources = None;
    let mut parser = Parser::new(0);
    parser.set_features(features::to_wasmparser(features));
    for payload in parser.parse_all(&module.bytes) {
        let payload = payload.map_err(|error| Error::new(&error, None))?;
        let valid = validator.payload(&payload).map_err(|error| Error::new(&error, None))?;
        if let ValidPayload::Func(func, body) = valid {
            if resources.is_none() {
                resources = Some(func.resources.clone());
            }
            funcs.push((func, body));
        }
    }
    bodies::validate(funcs)?;
    Ok(ValidModule { module, resources, features })
}

impl ValidModule {
    /// The module's tables.
    pub fn module(&self) -> &Module {
        &self.module
    }

    /// The features that the module was validated with.
    pub fn features(&self) -> Features {
        self.features
    }
}
