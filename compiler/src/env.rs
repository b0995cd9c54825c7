//! What is known of a module while its functions are translated. Made once, shared by the threads that compile.
//!
//! Functions of the text have numbers: the module's defined functions in order, then for each class of function
//! types one that is entered from the host and one that reaches functions without native code, then one for each
//! imported function, then those that make rare calls into the runtime.

use std::collections::HashMap;
use std::sync::LazyLock;

use cranelift_codegen::ir::{AbiParam, Signature, Type, types};
use cranelift_codegen::isa::CallConv;
use lithe_parser::{ConstOp, ElementItems, ExternKind, Module, Operator, SegmentMode};
use lithe_runtime::{
    Registry, Shape, Shared,
    abi::{self, Arch, Builtin, ContextLayout, Traps},
    artifact::Target,
};
use lithe_types::{FuncType, HeapType, MemoryType, RefType, TrapKind, ValType};
use lithe_validator::ValidModule;

/// A function in the text.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Function {
    /// A function that the module defines, counted among those.
    Defined(u32),
    /// Calls functions of a class of types from the host: `(context, code, slots)` with the system's convention.
    Enter(u32),
    /// Calls a function of a class of types that has no native code; the function is the first argument.
    Reach(u32),
    /// Calls the imported function with this index, which has no native code.
    Import(u32),
    /// Makes a call into the runtime that is rare, so that each place where it is made takes few bytes.
    Rare(Rare),
}

/// A rare call into the runtime. One that throws has the native convention, after which nothing survives.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Rare {
    /// Throws an exception.
    Throw,
    /// Throws a new exception: tag, and the address of its payload.
    ThrowNew,
    /// The store's signal is set.
    Interrupted,
    /// The part of the fuel that the function has ran out.
    Refuel,
    /// Makes room for an object of so many bytes.
    MakeRoom,
    /// Traps.
    Trap(TrapKind),
}

impl Rare {
    const FIRST: [Rare; 5] =
        [Rare::Throw, Rare::ThrowNew, Rare::Interrupted, Rare::Refuel, Rare::MakeRoom];

    fn from_number(number: u32) -> Option<Rare> {
        let number = number as usize;
        let trap = || TrapKind::ALL.get(number - Rare::FIRST.len()).map(|kind| Rare::Trap(*kind));
        Rare::FIRST.get(number).copied().or_else(trap)
    }

    fn number(self) -> u32 {
        let trap = |kind| TrapKind::ALL.iter().position(|other| *other == kind);
        let place = match self {
            Rare::Trap(kind) => trap(kind).map(|place| place + Rare::FIRST.len()),
            other => Rare::FIRST.iter().position(|first| *first == other),
        };
        place.unwrap_or_default() as u32
    }

    /// How many there are.
    fn count() -> u32 {
        (Rare::FIRST.len() + TrapKind::ALL.len()) as u32
    }

    /// The call that it makes.
    pub fn builtin(self) -> Builtin {
        match self {
            Rare::Throw => Builtin::throw,
            Rare::ThrowNew => Builtin::throw_new,
            Rare::Interrupted => Builtin::interrupted,
            Rare::Refuel => Builtin::refuel,
            Rare::MakeRoom => Builtin::make_room,
            Rare::Trap(_) => Builtin::trap,
        }
    }

    /// The types of its arguments.
    pub fn params(self) -> &'static [Type] {
        match self {
            Rare::Throw => &[types::I32],
            Rare::ThrowNew => &[types::I32, types::I64],
            Rare::MakeRoom => &[types::I64],
            _ => &[],
        }
    }
}

/// How code has its context.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Convention {
    /// In a register of its own, read once per block and again after each call: re-reading costs a move, keeping a
    /// spill.
    PinnedPerBlock,
    /// In a register of its own, read once per function: registers are many.
    Pinned,
    /// The first argument.
    Argument,
}

/// A table that never changes: `class` and function of each element.
pub struct StaticTable {
    /// The module's table.
    pub table: u32,
    /// Elements; `None` is null.
    pub elements: Vec<Option<(u32, u32)>>,
}

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
    /// How code has its context.
    pub convention: Convention,
    /// Class of each type index: equal for types that are the same. Types that are no functions have their own.
    pub classes: Vec<u32>,
    /// A type index of each class of function types.
    pub class_types: Vec<u32>,
    /// By type index, how objects lie and what their types are subtypes of; empty where there are no types of objects.
    /// The ids in it are no ids of a store.
    pub shapes: Vec<Shared<Shape>>,
    /// Tables that never change, in the order of their names in the text.
    pub static_tables: Vec<StaticTable>,
    /// By table, whether code looks at elements other than to call them with a type that has no subtypes.
    read_tables: Vec<bool>,
    /// Whether a function may return in the context of another instance: one that ends in a call of a function that
    /// another instance may own.
    pub foreign_returns: bool,
    /// What the bodies of the defined functions do.
    pub facts: Vec<Facts>,
}

/// What a body does, as far as translation asks before it begins.
#[derive(Clone, Default)]
pub struct Facts {
    /// Whether it calls anything, the runtime included.
    pub calls: bool,
    /// Whether it has try blocks.
    pub tries: bool,
    /// For each loop, in order: whether it calls anything.
    pub loops: Vec<bool>,
}

impl<'a> Env<'a> {
    /// Looks at all bodies once.
    pub fn new(valid: &'a ValidModule, target: Target) -> Env<'a> {
        let module = valid.module();
        let convention = match target.arch {
            Arch::X86_64 => Convention::PinnedPerBlock,
            Arch::Aarch64 => Convention::Pinned,
            Arch::Riscv64 => Convention::Argument,
        };
        let registry = Registry::default();
        let ids = registry.register(&module.types, &module.rec_groups).unwrap_or_default();
        let (classes, class_types) = classes(module, &ids);
        let objects = module.types.iter().any(|ty| ty.as_func().is_none());
        let shapes = ids.iter().filter(|_| objects).map(|id| registry.shape(*id)).collect();
        let context = ContextLayout::of(module);
        let mut env = Env {
            valid,
            module,
            target,
            context,
            convention,
            classes,
            class_types,
            shapes,
            static_tables: Vec::new(),
            read_tables: vec![false; module.tables.len()],
            foreign_returns: false,
            facts: Vec::new(),
        };
        let mut written = vec![false; module.tables.len()];
        let mut tail_tables = vec![false; module.tables.len()];
        for func in 0..module.bodies.len() as u32 {
            let facts = env.scan(func, &mut written, &mut tail_tables);
            env.facts.push(facts);
        }
        for export in &module.exports {
            if export.kind == ExternKind::Table {
                written[export.index as usize] = true;
            }
        }
        for table in module.imported_tables..module.tables.len() as u32 {
            if !written[table as usize]
                && let Some(elements) = env.static_elements(table)
            {
                env.static_tables.push(StaticTable { table, elements });
            }
        }
        env.foreign_returns |= tail_tables
            .iter()
            .enumerate()
            .any(|(table, tail)| *tail && env.static_table(table as u32).is_none());
        env
    }

    /// How many functions the text has.
    pub fn functions(&self) -> u32 {
        let classes = self.class_types.len() as u32;
        let module = self.module;
        module.bodies.len() as u32 + 2 * classes + module.imported_funcs + Rare::count()
    }

    /// The function with this number.
    pub fn function(&self, number: u32) -> Function {
        let (defined, classes) = (self.module.bodies.len() as u32, self.class_types.len() as u32);
        match number.checked_sub(defined) {
            None => Function::Defined(number),
            Some(stub) if stub < classes => Function::Enter(stub),
            Some(stub) if stub < 2 * classes => Function::Reach(stub - classes),
            Some(stub) => {
                let stub = stub - 2 * classes;
                match stub.checked_sub(self.module.imported_funcs).and_then(Rare::from_number) {
                    Some(rare) => Function::Rare(rare),
                    None => Function::Import(stub),
                }
            }
        }
    }

    /// The number of a function.
    pub fn number(&self, function: Function) -> u32 {
        let (defined, classes) = (self.module.bodies.len() as u32, self.class_types.len() as u32);
        match function {
            Function::Defined(func) => func,
            Function::Enter(class) => defined + class,
            Function::Reach(class) => defined + classes + class,
            Function::Import(func) => defined + 2 * classes + func,
            Function::Rare(rare) => {
                defined + 2 * classes + self.module.imported_funcs + rare.number()
            }
        }
    }

    /// By type index, the number of the function that calls functions of the type from the host.
    pub fn enters(&self) -> Vec<u32> {
        let enter = |class: &u32| match self.class_types.get(*class as usize) {
            Some(_) => self.number(Function::Enter(*class)),
            None => lithe_runtime::artifact::NONE,
        };
        self.classes.iter().map(enter).collect()
    }

    /// By imported function, the number of the function that calls it when it has no native code.
    pub fn imports(&self) -> Vec<u32> {
        (0..self.module.imported_funcs).map(|func| self.number(Function::Import(func))).collect()
    }

    /// The function type of a class.
    pub fn class_type(&self, class: u32) -> &'a FuncType {
        self.func_type(self.class_types[class as usize])
    }

    /// The function type with this index, which validation proved to be one.
    pub fn func_type(&self, ty: u32) -> &'a FuncType {
        static EMPTY: LazyLock<FuncType> = LazyLock::new(FuncType::default);
        self.module.func_type(ty).unwrap_or(&EMPTY)
    }

    /// How the objects of a type lie; the type is one of objects.
    pub fn shape(&self, ty: u32) -> &Shape {
        &self.shapes[ty as usize]
    }

    /// The type that declares field `field` of type `ty` and its subtypes first.
    pub fn field_owner(&self, ty: u32, field: usize) -> u32 {
        let mut owner = ty;
        while let Some(parent) = self.module.types[owner as usize].supertype
            && self.shape(parent).fields.len() > field
        {
            owner = parent;
        }
        self.shape(owner).supers.last().copied().unwrap_or(owner)
    }

    /// Tables whose elements no code reads but from the text.
    pub fn unread_tables(&self) -> Vec<u32> {
        let read = |table: &StaticTable| self.read_tables[table.table as usize];
        self.static_tables.iter().filter(|table| !read(table)).map(|table| table.table).collect()
    }

    /// The place of a table among those that never change.
    pub fn static_table(&self, table: u32) -> Option<usize> {
        self.static_tables.iter().position(|known| known.table == table)
    }

    /// Whether code checks for itself what signals would tell.
    pub fn checks(&self) -> bool {
        self.target.traps == Traps::Checks
    }

    /// Whether a store that faults at its last bytes may have written its first ones: the manuals of Arm and RISC-V allow
    /// that.
    pub fn tears_stores(&self) -> bool {
        self.target.arch != Arch::X86_64
    }

    /// Whether a load that may fault becomes part of another operator's instruction.
    pub fn folds_loads(&self) -> bool {
        self.target.arch != Arch::Riscv64 && !self.checks()
    }

    /// Whether the machine has instructions for vectors.
    pub fn has_vectors(&self) -> bool {
        let Target { arch, cpu, .. } = self.target;
        arch != Arch::Riscv64 || lithe_runtime::abi::cpu::names(arch, cpu).any(|name| name == "v")
    }

    /// Whether the context of instances is the base of memory 0.
    pub fn below_memory(&self) -> bool {
        self.target.below_memory
    }

    /// Whether accesses to a memory beyond its size meet pages that cannot be accessed.
    pub fn guarded(&self, ty: &MemoryType) -> bool {
        !self.checks() && abi::has_guard(ty)
    }

    /// The type of values on the operand stack.
    pub fn value_type(&self, ty: ValType) -> Type {
        match ty {
            ValType::I32 => types::I32,
            ValType::I64 => types::I64,
            ValType::F32 => types::F32,
            ValType::F64 => types::F64,
            ValType::V128 => types::I8X16,
            ValType::Ref(ty) => self.ref_type(ty),
        }
    }

    /// References to functions are addresses, others offsets into the heap.
    pub fn ref_type(&self, ty: RefType) -> Type {
        match ty.heap {
            HeapType::Func | HeapType::NoFunc => types::I64,
            HeapType::Concrete(ty) if self.module.func_type(ty).is_some() => types::I64,
            _ => types::I32,
        }
    }

    /// The native convention for a function type. Where fuel is counted, what is left is one more argument, before the
    /// others, and one more result, after them.
    pub fn signature(&self, ty: &FuncType) -> Signature {
        let mut signature = Signature::new(CallConv::Tail);
        if self.convention == Convention::Argument {
            signature.params.push(AbiParam::new(types::I64));
        }
        let fuel = self.target.fuel.then(|| AbiParam::new(types::I64));
        let value = |ty: &ValType| AbiParam::new(self.value_type(*ty));
        signature.params.extend(fuel);
        signature.params.extend(ty.params.iter().map(value));
        signature.returns.extend(ty.results.iter().map(value));
        signature.returns.extend(fuel);
        signature
    }

    /// The convention for a rare call into the runtime. After one that returns, all registers are as they were, so that
    /// what the usual path has in registers stays there.
    pub fn rare_signature(&self, rare: Rare) -> Signature {
        // On riscv64 saving all registers takes vector instructions, which the machine may not have.
        let convention = match rare {
            Rare::Interrupted | Rare::Refuel | Rare::MakeRoom
                if self.target.arch != Arch::Riscv64 =>
            {
                CallConv::PreserveAll
            }
            _ => CallConv::Tail,
        };
        let mut signature = Signature::new(convention);
        if self.convention == Convention::Argument {
            signature.params.push(AbiParam::new(types::I64));
        }
        signature.params.extend(rare.params().iter().map(|ty| AbiParam::new(*ty)));
        signature
    }

    /// The elements of a table, when they are known: filled by segments at constant places with functions of the
    /// module.
    fn static_elements(&self, table: u32) -> Option<Vec<Option<(u32, u32)>>> {
        const MOST: u64 = 1 << 20;
        let declared = &self.module.tables[table as usize];
        let null = match &declared.init {
            None => true,
            Some(init) => matches!(init.ops(), [ConstOp::RefNull]),
        };
        if !null || declared.ty.is64 || declared.ty.limits.min > MOST {
            return None;
        }
        let mut elements = vec![None; declared.ty.limits.min as usize];
        for segment in &self.module.elements {
            let SegmentMode::Active { index, offset } = &segment.mode else { continue };
            if *index != table {
                continue;
            }
            let ([ConstOp::I32Const(offset)], ElementItems::Funcs(funcs)) =
                (offset.ops(), &segment.items)
            else {
                return None;
            };
            let place =
                (*offset as u32 as usize)..(*offset as u32 as usize).checked_add(funcs.len())?;
            for (element, func) in elements.get_mut(place)?.iter_mut().zip(funcs.iter()) {
                let defined = func.checked_sub(self.module.imported_funcs)?;
                let ty = self.module.funcs[*func as usize];
                // Where a type may have subtypes, equal classes are not all that a call accepts.
                if !self.module.types[ty as usize].is_final {
                    return None;
                }
                *element = Some((self.classes[ty as usize], defined));
            }
        }
        Some(elements)
    }

    fn scan(&mut self, func: u32, written: &mut [bool], tails: &mut [bool]) -> Facts {
        let mut facts = Facts::default();
        let Some(body) = self.module.body(func) else { return facts };
        let reader = lithe_parser::BinaryReader::new(body, 0);
        let Ok(ops) = lithe_parser::FunctionBody::new(reader).get_operators_reader() else {
            return facts;
        };
        // Loops that are open, as places in `facts.loops`; `None` for other blocks.
        let mut open: Vec<Option<usize>> = Vec::new();
        for op in ops {
            let Ok(op) = op else { break };
            let mut calls = false;
            if let Operator::CallIndirect { type_index, table_index }
            | Operator::ReturnCallIndirect { type_index, table_index } = op
            {
                self.read_tables[table_index as usize] |=
                    !self.module.types[type_index as usize].is_final;
            }
            match op {
                Operator::Loop { .. } => {
                    open.push(Some(facts.loops.len()));
                    facts.loops.push(false);
                }
                Operator::Block { .. } | Operator::If { .. } => open.push(None),
                Operator::TryTable { .. } | Operator::Try { .. } => {
                    facts.tries = true;
                    open.push(None);
                }
                Operator::End | Operator::Delegate { .. } => {
                    open.pop();
                }
                Operator::Call { .. }
                | Operator::CallIndirect { .. }
                | Operator::CallRef { .. }
                | Operator::Throw { .. }
                | Operator::ThrowRef
                | Operator::Rethrow { .. } => calls = true,
                Operator::ReturnCall { function_index } => {
                    calls = true;
                    self.foreign_returns |= function_index < self.module.imported_funcs;
                }
                Operator::ReturnCallRef { .. } => {
                    calls = true;
                    self.foreign_returns = true;
                }
                Operator::ReturnCallIndirect { table_index, .. } => {
                    calls = true;
                    tails[table_index as usize] = true;
                }
                Operator::TableGet { table } => self.read_tables[table as usize] = true,
                Operator::TableSet { table }
                | Operator::TableGrow { table }
                | Operator::TableFill { table }
                | Operator::TableInit { table, .. } => {
                    calls = true;
                    written[table as usize] = true;
                }
                Operator::TableCopy { dst_table, src_table } => {
                    calls = true;
                    self.read_tables[src_table as usize] = true;
                    written[dst_table as usize] = true;
                }
                Operator::MemoryGrow { .. }
                | Operator::MemoryCopy { .. }
                | Operator::MemoryFill { .. }
                | Operator::MemoryInit { .. }
                | Operator::ArrayNewData { .. }
                | Operator::ArrayNewElem { .. }
                | Operator::ArrayFill { .. }
                | Operator::ArrayCopy { .. }
                | Operator::ArrayInitData { .. }
                | Operator::ArrayInitElem { .. } => calls = true,
                _ => {}
            }
            if calls {
                facts.calls = true;
                open.iter().flatten().for_each(|at| facts.loops[*at] = true);
            }
        }
        facts
    }
}

/// Classes of type indices, and a type index for each class of function types. Types are in one class when they are
/// the same type.
fn classes(module: &Module, ids: &[u32]) -> (Vec<u32>, Vec<u32>) {
    let mut known = HashMap::new();
    let mut class_types = Vec::new();
    let mut classes = vec![u32::MAX; module.types.len()];
    for (index, id) in ids.iter().enumerate() {
        if module.types[index].as_func().is_some() {
            let fresh = class_types.len() as u32;
            let class = *known.entry(*id).or_insert(fresh);
            if class == fresh {
                class_types.push(index as u32);
            }
            classes[index] = class;
        }
    }
    (classes, class_types)
}
