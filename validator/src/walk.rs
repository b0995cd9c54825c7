//! One walk over one body: every operator is validated, then handed to a sink. Engines call it when they
//! translate a function. Invariant: a sink only sees operators that are valid where they stand.

use lithe_parser::{BinaryReader, Operator, val_type};
use lithe_types::ValType;
use wasmparser::{FuncToValidate, FuncValidatorAllocations, FunctionBody, OperatorsReader};

use crate::{Error, ValidModule, features};

/// What receives the validated contents of a body.
pub trait Sink {
    /// Why the sink gives up.
    type Error: From<Error>;

    /// `count` more locals of type `ty`, after the parameters.
    fn locals(&mut self, count: u32, ty: ValType) -> Result<(), Self::Error>;

    /// The next operator, which starts at byte `offset` of the module.
    fn op(&mut self, op: &Operator<'_>, offset: u32) -> Result<(), Self::Error>;
}

/// Memory that walks use again, so that translating many functions allocates once.
#[derive(Default)]
pub struct Scratch(FuncValidatorAllocations);

impl ValidModule {
    /// Walks the body of the defined function `func`, counted among defined functions. An unknown function
    /// hands nothing to the sink.
    pub fn walk<S: Sink>(
        &self,
        func: u32,
        scratch: &mut Scratch,
        sink: &mut S,
    ) -> Result<(), S::Error> {
        let module = self.module();
        let index = module.imported_funcs + func;
        let (Some(bytes), Some(ty), Some(resources)) =
            (module.body(func), module.funcs.get(index as usize), &self.resources)
        else {
            return Ok(());
        };
        let fail = |error: wasmparser::Error| S::Error::from(Error::new(&error, Some(index)));

        let features = features::to_wasmparser(self.features());
        let func = FuncToValidate { resources: resources.clone(), index, ty: *ty, features };
        let mut validator = func.into_validator(core::mem::take(&mut scratch.0));
        let start = module.bodies[(index - module.imported_funcs) as usize].start;
        let reader = BinaryReader::new_features(bytes, u64::from(start), features);
        let body = FunctionBody::new(reader);

        let mut locals = body.get_locals_reader().map_err(fail)?;
        for _ in 0..locals.get_count() {
            let offset = locals.original_position();
            let (count, ty) = locals.read().map_err(fail)?;
            validator.define_locals(offset, count, ty).map_err(fail)?;
            // The types of locals were decoded when the module was validated.
            if let Ok(ty) = val_type(ty, offset) {
                sink.locals(count, ty)?;
            }
        }
        let mut ops = OperatorsReader::new(locals.get_binary_reader());
        while !ops.eof() {
            let (op, offset) = ops.read_with_offset().map_err(fail)?;
            validator.op(offset, &op).map_err(fail)?;
            sink.op(&op, offset as u32)?;
        }
        ops.finish().map_err(fail)?;
        scratch.0 = validator.into_allocations();
        Ok(())
    }
}
