//! A validated body to CLIF in one forward pass. The driver calls it once per function. Invariant: where code is
//! reachable, `stack` has exactly the values of the specification's operand stack.
//!
//! ```text
//! context   the context pointer and what is loaded from below it
//! control   blocks, labels, branches        numeric  scalar arithmetic and conversions
//! calls     functions                       simd     vectors
//! locals    variables
//! tables    tables and references           atomic   atomic accesses
//! memory    linear memories                 exceptions       hoist
//! stubs    code that is no body: entries and exits          fuel
//! gc       structs, i31                     arrays
//! casts    tests of references              heap     where objects are, allocation
//! ```

mod arrays;
mod atomic;
mod bounds;
mod calls;
mod casts;
mod context;
mod control;
mod exceptions;
mod fuel;
mod gc;
mod heap;
mod hoist;
mod lanes;
mod locals;
mod memory;
mod nan;
mod numeric;
mod ops;
mod simd;
mod stubs;
mod tables;
#[cfg(test)]
mod tests;

use std::collections::{HashMap, HashSet};

use cranelift_codegen::ir::{
    self, AliasRegion, Block, FuncRef, GlobalValue, InstBuilder, SigRef, SourceLoc, TrapCode,
    UserExternalName, UserFuncName, Value,
};
use cranelift_codegen::isa::TargetFrontendConfig;
use cranelift_frontend::{FunctionBuilder, FunctionBuilderContext};
use lithe_parser::Operator;
use lithe_runtime::abi::Builtin;
use lithe_types::{FuncType, TrapKind, ValType, limits};
use lithe_validator::{Scratch, Sink};

use crate::env::{Convention, Env, Function, Rare};

use bounds::Bounds;
use context::Region;
use control::Frame;
use fuel::Fuel;
use hoist::Round;
use locals::Locals;

/// Why a function could not be translated.
#[derive(Debug)]
pub enum TranslateError {
    /// The operator at this byte offset belongs to a proposal that the compiler does not know.
    Unsupported(u32),
    /// There are more than so many of these.
    TooLarge(usize, &'static str),
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
pub struct Buffers {
    scratch: Scratch,
    context: FunctionBuilderContext,
}

/// Translates the function with this number into `out`, which is empty.
pub fn translate(
    env: &Env<'_>,
    number: u32,
    frontend: TargetFrontendConfig,
    buffers: &mut Buffers,
    out: &mut ir::Function,
) -> Result<(), TranslateError> {
    out.name = UserFuncName::User(UserExternalName::new(0, number));
    let Buffers { scratch, context } = buffers;
    match env.function(number) {
        Function::Defined(func) => {
            let ty = env.func_type(env.module.funcs[(env.module.imported_funcs + func) as usize]);
            out.signature = env.signature(ty);
            let mut translator = Translator::new(env, FunctionBuilder::new(out, context), ty, func);
            translator.begin();
            env.valid.walk(func, scratch, &mut translator)?;
            translator.b.seal_all_blocks();
            translator.hoist_checks();
            translator.b.finalize(frontend);
        }
        stub => stubs::translate(env, stub, FunctionBuilder::new(out, context), frontend),
    }
    Ok(())
}

/// A function under translation.
pub(crate) struct Translator<'a> {
    pub env: &'a Env<'a>,
    pub b: FunctionBuilder<'a>,
    /// The operand stack. References to functions are I64, other references I32, vectors I8X16.
    pub stack: Vec<Value>,
    ty: &'a FuncType,
    func: u32,
    locals: Locals,
    /// References that are not null, as the way to this place shows.
    never_null: HashSet<Value>,
    frames: Vec<Frame<'a>>,
    /// Which of the frames are try blocks.
    tries: Vec<usize>,
    /// Depth of blocks inside code that cannot be reached; 0 in reachable code.
    dead: u32,
    /// The context as an argument, or as read at the function's entry.
    entry_context: Option<Value>,
    /// The context as read in this block.
    block_context: Option<Value>,
    /// How many loops there were so far.
    loops: usize,
    /// How many loads there were so far.
    loads: u32,
    fuel: Option<Fuel>,
    bounds: Bounds,
    rounds: Vec<Round>,
    /// Counts towards [`limits::CARRIED_VALUES`].
    carried: usize,
    regions: HashMap<Region, AliasRegion>,
    signatures: HashMap<u32, SigRef>,
    builtins: HashMap<Builtin, SigRef>,
    callees: HashMap<u32, FuncRef>,
    tables: HashMap<usize, GlobalValue>,
    offset: u32,
}

impl<'a> Translator<'a> {
    pub(crate) fn new(
        env: &'a Env<'a>,
        mut b: FunctionBuilder<'a>,
        ty: &'a FuncType,
        func: u32,
    ) -> Translator<'a> {
        let entry = b.create_block();
        b.append_block_params_for_function_params(entry);
        b.switch_to_block(entry);
        b.seal_block(entry);
        Translator {
            env,
            b,
            stack: Vec::new(),
            ty,
            func,
            locals: Locals::default(),
            never_null: HashSet::new(),
            frames: Vec::new(),
            tries: Vec::new(),
            dead: 0,
            entry_context: None,
            block_context: None,
            loops: 0,
            loads: 0,
            fuel: None,
            bounds: Bounds::default(),
            rounds: Vec::new(),
            carried: 0,
            regions: HashMap::new(),
            signatures: HashMap::new(),
            builtins: HashMap::new(),
            callees: HashMap::new(),
            tables: HashMap::new(),
            offset: 0,
        }
    }

    pub(crate) fn push(&mut self, value: Value) {
        self.stack.push(value);
    }

    /// The top of the stack; validation proves that there is one.
    pub(crate) fn pop(&mut self) -> Value {
        self.stack.pop().unwrap_or(Value::from_u32(0))
    }

    /// The two topmost values, the lower one first.
    pub(crate) fn pop2(&mut self) -> (Value, Value) {
        let b = self.pop();
        (self.pop(), b)
    }

    /// The topmost `count` values, which leave the stack.
    fn pop_many(&mut self, count: usize) -> Vec<Value> {
        self.stack.split_off(self.stack.len().saturating_sub(count))
    }

    /// Goes on in `block`, where nothing is known of the context or of references.
    fn switch_to(&mut self, block: Block) {
        self.b.switch_to_block(block);
        self.block_context = None;
        self.never_null.clear();
    }

    /// Goes on in a block that only the current one leads to.
    fn continue_in(&mut self, block: Block) {
        self.b.seal_block(block);
        self.b.switch_to_block(block);
    }

    /// Whether code that finds a reason to trap calls the runtime: it tells what fuel is left.
    fn traps_by_calls(&self) -> bool {
        self.env.checks() || self.fuel.is_some()
    }

    /// Traps when `condition` is not zero.
    pub(crate) fn trap_if(&mut self, condition: Value, kind: TrapKind) {
        if !self.traps_by_calls() {
            self.b.ins().trapnz(condition, TrapCode::unwrap_user(kind as u8));
            return;
        }
        let (cold, next) = (self.b.create_block(), self.b.create_block());
        self.b.set_cold_block(cold);
        self.b.ins().brif(condition, cold, &[], next, &[]);
        let known = self.block_context;
        self.continue_in(cold);
        self.trap(kind);
        self.continue_in(next);
        self.block_context = known;
    }

    /// Traps. The block ends.
    fn trap(&mut self, kind: TrapKind) {
        if self.traps_by_calls() {
            self.rare(Rare::Trap(kind), &[]);
        } else {
            // Of a block that has nothing else, Cranelift makes a trap of the branch, at the branch's place.
            self.b.ins().nop();
        }
        self.b.ins().trap(TrapCode::unwrap_user(kind as u8));
    }

    /// Parameters become locals; what every function does first.
    fn begin(&mut self) {
        let entry = self.b.current_block().unwrap_or(Block::from_u32(0));
        let mut params = self.b.block_params(entry).to_vec();
        match self.env.convention {
            Convention::Argument => self.entry_context = Some(params.remove(0)),
            Convention::Pinned => self.read_entry_context(),
            Convention::PinnedPerBlock => {
                let facts = &self.env.facts[self.func as usize];
                if facts.tries || !facts.calls {
                    self.read_entry_context();
                }
            }
        }
        if self.env.facts[self.func as usize].tries {
            self.keep_context();
        }
        if self.env.target.fuel {
            self.take_fuel(params.remove(0));
        }
        for (value, ty) in params.into_iter().zip(&self.ty.params) {
            self.declare_local(*ty, value);
        }
    }

    /// All locals are known.
    fn begin_body(&mut self) {
        if self.env.checks() {
            self.check_stack();
            self.poll();
        }
        self.check_fuel();
        self.push_function_frame();
    }
}

impl Sink for Translator<'_> {
    type Error = TranslateError;

    fn locals(&mut self, count: u32, ty: ValType) -> Result<(), TranslateError> {
        let zero = self.zero(ty);
        for _ in 0..count {
            self.declare_local(ty, zero);
        }
        Ok(())
    }

    fn op(&mut self, op: &Operator<'_>, offset: u32) -> Result<(), TranslateError> {
        self.offset = offset;
        self.b.set_srcloc(SourceLoc::new(offset));
        if self.frames.is_empty() {
            self.begin_body();
        }
        if self.stack.len() > limits::OPERANDS {
            let what = "operands are on its stack at once";
            return Err(TranslateError::TooLarge(limits::OPERANDS, what));
        }
        if self.carried > limits::CARRIED_VALUES {
            let what = "values are carried by its blocks, branches and calls";
            return Err(TranslateError::TooLarge(limits::CARRIED_VALUES, what));
        }
        self.operator(op)
    }
}
