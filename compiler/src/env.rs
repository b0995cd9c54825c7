//! What is known of a module while its functions are translated. Made once, shared by the threads that compile.

use lithe_parser::Module;
use lithe_runtime::{abi::ContextLayout, artifact::Target};
use lithe_validator::ValidModule;

/// A module and what it is compiled for.
pub struct Env<'a> {
    /// The proven module.
    pub valid: &'a ValidModule,
    /// Its tables.
    pub module: &'a Module,
    /// What the code is for.
    pub target: Target,
    /// Where things lie below the context.
    pub context: ContextLayout,
}
