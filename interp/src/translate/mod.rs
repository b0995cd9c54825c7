//! A validated body to bytecode in one forward pass (design section 4). The driver calls it on a function's
//! first call. Invariant: where code is reachable, the symbolic stack has exactly the values that the
//! specification's operand stack has, and each value's own slot is its position.
//!
//! ```text
//! emit      cells, operands, the accumulator's contents, folding of destinations
//! stack     symbolic operand stack: values in their own slot, in a local, or constant
//! control   labels, branches, blocks
//! ops       operators to operations; those with more to it stand in calls, memory, gc, exceptions, wide, nan
//! ```

mod calls;
mod control;
mod emit;
mod exceptions;
mod gc;
mod memory;
mod nan;
mod ops;
mod stack;
mod wide;

use alloc::{boxed::Box, vec::Vec};

use lithe_parser::{Module, Operator};
use lithe_runtime::{Code, CodeConfig, CodeHeader, CodeSlot, layout::HEADER_SLOTS};
use lithe_types::{FuncType, ValType, limits};
use lithe_validator::{Scratch, Sink};

use crate::handlers::{self, Region};

use control::Control;
use emit::Last;
use stack::Value;

/// Why a body could not be translated.
#[derive(Debug)]
pub enum TranslateError {
    /// The frame exceeds [`limits::FRAME_SLOTS`], or the bytecode what [`limits::CELLS_PER_BYTE`] allows.
    TooLarge,
    /// The operator at this byte offset belongs to a proposal that this engine does not execute.
    Unsupported(u32),
    /// The body is invalid; cannot happen for a proven module.
    Invalid,
}

impl From<lithe_validator::Error> for TranslateError {
    fn from(_: lithe_validator::Error) -> TranslateError {
        TranslateError::Invalid
    }
}

/// Memory that translations use again.
#[derive(Default)]
pub(crate) struct Buffers {
    scratch: Scratch,
    cells: Vec<u64>,
    values: Vec<Value>,
    controls: Vec<Control>,
    locals: Vec<Local>,
    regions: Vec<Region>,
}

/// A local's place in the frame.
#[derive(Clone, Copy)]
struct Local {
    slot: i16,
    wide: bool,
    /// How many values of the symbolic stack stand in it.
    values: u32,
}

/// A translation and the positions of its operations.
pub(crate) struct Translation {
    /// Header and operations.
    pub cells: Box<[u64]>,
    /// Where each operation came from: cell, counted from the first operation, and byte offset in the module.
    /// Empty unless asked for.
    pub map: Vec<(u32, u32)>,
}

/// Translates defined function `func`, with the positions of its operations when `record` is set.
pub(crate) fn translate(
    code: &Code,
    func: u32,
    config: CodeConfig,
    record: bool,
    buffers: &mut Buffers,
) -> Result<Translation, TranslateError> {
    let module = code.module();
    let ty = code.signature(module.imported_funcs + func);
    let body = code.whole_module().body(func).map_or(0, <[u8]>::len);
    let mut scratch = core::mem::take(&mut buffers.scratch);
    let mut translator = Translator {
        module,
        code,
        slots: code.slots(),
        config,
        ty: &ty,
        cells: core::mem::take(&mut buffers.cells),
        values: core::mem::take(&mut buffers.values),
        controls: core::mem::take(&mut buffers.controls),
        locals: core::mem::take(&mut buffers.locals),
        regions: core::mem::take(&mut buffers.regions),
        tries: 0,
        local_slots: 0,
        height: 0,
        max_height: 0,
        max_cells: limits::CELLS_FREE + limits::CELLS_PER_BYTE * body,
        in_locals: 0,
        dead: 0,
        accs: [None; 3],
        last: None,
        previous: None,
        fuel_at: None,
        offset: 0,
        map: record.then(Vec::new),
    };
    translator.begin();
    let valid = code.valid().ok_or(TranslateError::Invalid);
    let result = valid.and_then(|valid| valid.walk(func, &mut scratch, &mut translator));
    let translation = result.and_then(|()| translator.finish());
    let Translator { mut cells, mut values, mut controls, mut locals, mut regions, .. } =
        translator;
    cells.clear();
    values.clear();
    controls.clear();
    locals.clear();
    regions.clear();
    *buffers = Buffers { scratch, cells, values, controls, locals, regions };
    translation
}

struct Translator<'a> {
    module: &'a Module,
    code: &'a Code,
    slots: &'a [CodeSlot],
    config: CodeConfig,
    ty: &'a FuncType,
    cells: Vec<u64>,
    values: Vec<Value>,
    controls: Vec<Control>,
    locals: Vec<Local>,
    /// Try blocks that have ended.
    regions: Vec<Region>,
    /// How many try blocks there were so far; their numbers begin with 1.
    tries: u32,
    /// Slots of the locals that are no parameters.
    local_slots: u32,
    /// The next free slot.
    height: u32,
    max_height: u32,
    /// Cells that the translation never exceeds.
    max_cells: usize,
    /// How many values of the symbolic stack stand in locals.
    in_locals: u32,
    /// Depth of blocks inside code that cannot be reached; 0 in reachable code.
    dead: u32,
    /// The slot whose value each accumulator holds.
    accs: [Option<i16>; 3],
    last: Option<Last>,
    /// The operation before `last`, while nothing stands between them.
    previous: Option<Last>,
    /// The charge of the current region, which grows with its operators.
    fuel_at: Option<usize>,
    offset: u32,
    map: Option<Vec<(u32, u32)>>,
}

impl Sink for Translator<'_> {
    type Error = TranslateError;

    fn locals(&mut self, count: u32, ty: ValType) -> Result<(), TranslateError> {
        let wide = ty.slots() == 2;
        for _ in 0..count {
            self.locals.push(Local { slot: self.local_slots as i16, wide, values: 0 });
            self.local_slots += ty.slots();
            if self.local_slots > limits::FRAME_SLOTS {
                return Err(TranslateError::TooLarge);
            }
        }
        Ok(())
    }

    fn op(&mut self, op: &Operator<'_>, offset: u32) -> Result<(), TranslateError> {
        self.offset = offset;
        if self.controls.is_empty() {
            self.begin_body();
        }
        self.check_size()?;
        self.operator(op)
    }
}

impl Translator<'_> {
    /// Parameters stand below the header, at negative slots.
    fn begin(&mut self) {
        self.cells.clear();
        let mut slot = -((HEADER_SLOTS as u32 + self.ty.param_slots()) as i32);
        for ty in &self.ty.params {
            self.locals.push(Local { slot: slot as i16, wide: ty.slots() == 2, values: 0 });
            slot += ty.slots() as i32;
        }
        // The header's cell; filled in at the end.
        self.cells.push(0);
    }

    /// All locals are known: operands follow them.
    fn begin_body(&mut self) {
        self.height = self.local_slots;
        self.max_height = self.height;
        self.begin_region(true);
        self.push_function_label();
    }

    /// Refuses code that would take far more memory than its source: branches that carry many values.
    fn check_size(&self) -> Result<(), TranslateError> {
        let frame = self.max_height + HEADER_SLOTS as u32;
        match frame > limits::FRAME_SLOTS || self.cells.len() > self.max_cells {
            true => Err(TranslateError::TooLarge),
            false => Ok(()),
        }
    }

    fn finish(&mut self) -> Result<Translation, TranslateError> {
        self.check_size()?;
        let frame_slots = self.max_height + HEADER_SLOTS as u32;
        const { assert!(size_of::<CodeHeader>() == 8) };
        const { assert!(limits::FRAME_SLOTS <= u16::MAX as u32) };
        let handlers = match self.regions.is_empty() {
            true => 0,
            false => self.cells.len() as u32 - 1,
        };
        handlers::write(&self.regions, &mut self.cells);
        self.check_size()?;
        let (frame, zero) = (frame_slots as u16, self.local_slots as u16);
        self.cells[0] = u64::from(frame) | u64::from(zero) << 16 | u64::from(handlers) << 32;
        let map = self.map.take().unwrap_or_default();
        Ok(Translation { cells: self.cells.as_slice().into(), map })
    }
}
