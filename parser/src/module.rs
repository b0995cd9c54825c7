//! The owned tables of a decoded module. Invariant: every range lies within `bytes`; indices are as the
//! module wrote them and are only proven by the validator.

use alloc::{boxed::Box, string::String, vec::Vec};
use core::ops::Range;

use lithe_types::{FuncType, GlobalType, MemoryType, RefType, SubType, TableType};

use crate::Bytes;

/// A decoded module.
#[derive(Default)]
pub struct Module {
    /// The module's bytes.
    pub bytes: Bytes,
    /// Defined types, all recursion groups in order.
    pub types: Vec<SubType>,
    /// The recursion groups, as ranges of `types`.
    pub rec_groups: Vec<Range<u32>>,
    /// Imports in order.
    pub imports: Vec<Import>,
    /// Type index of each function, imported ones first.
    pub funcs: Vec<u32>,
    /// Tables, imported ones first.
    pub tables: Vec<Table>,
    /// Memories, imported ones first.
    pub memories: Vec<MemoryType>,
    /// Globals, imported ones first.
    pub globals: Vec<Global>,
    /// Type index of each tag, imported ones first.
    pub tags: Vec<u32>,
    /// Exports in order.
    pub exports: Vec<Export>,
    /// The start function.
    pub start: Option<u32>,
    /// Element segments.
    pub elements: Vec<Element>,
    /// Data segments.
    pub data: Vec<Data>,
    /// Bodies of the defined functions, as ranges of `bytes`: locals and operators, without the size.
    pub bodies: Vec<Range<u32>>,
    /// Custom sections in order.
    pub customs: Vec<Custom>,
    /// How many functions are imported.
    pub imported_funcs: u32,
    /// How many tables are imported.
    pub imported_tables: u32,
    /// How many memories are imported.
    pub imported_memories: u32,
    /// How many globals are imported.
    pub imported_globals: u32,
    /// How many tags are imported.
    pub imported_tags: u32,
    /// Offset of the code section's contents; DWARF addresses count from here.
    pub code_start: u32,
}

impl Module {
    /// The function type with type index `index`, when it is one.
    pub fn func_type(&self, index: u32) -> Option<&FuncType> {
        self.types.get(index as usize)?.as_func()
    }

    /// The type of function `func`.
    pub fn type_of_func(&self, func: u32) -> Option<&FuncType> {
        self.func_type(*self.funcs.get(func as usize)?)
    }

    /// The body of the defined function `func`, counted among defined functions.
    pub fn body(&self, func: u32) -> Option<&[u8]> {
        let range = self.bodies.get(func as usize)?;
        self.bytes.get(range.start as usize..range.end as usize)
    }

    /// The contents of the first custom section called `name`.
    pub fn custom(&self, name: &str) -> Option<&[u8]> {
        let custom = self.customs.iter().find(|custom| custom.name == name)?;
        self.bytes.get(custom.range.start as usize..custom.range.end as usize)
    }
}

/// An import.
pub struct Import {
    /// The module name.
    pub module: String,
    /// The field name.
    pub name: String,
    /// What is wanted.
    pub ty: ImportType,
}

/// The wanted type of an import, as the module wrote it.
#[derive(Clone, Copy)]
pub enum ImportType {
    /// A function, by type index.
    Func(u32),
    /// A table.
    Table(TableType),
    /// A memory.
    Memory(MemoryType),
    /// A global.
    Global(GlobalType),
    /// A tag, by type index.
    Tag(u32),
}

/// An export.
pub struct Export {
    /// The name.
    pub name: String,
    /// The kind of entity.
    pub kind: ExternKind,
    /// Its index.
    pub index: u32,
}

/// The kinds of entities that can be imported and exported.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[allow(missing_docs, reason = "the variants are the specification's own words")]
pub enum ExternKind {
    Func,
    Table,
    Memory,
    Global,
    Tag,
}

/// A table with the expression that fills it; null elements when there is none.
pub struct Table {
    /// The type.
    pub ty: TableType,
    /// The initial value of every element.
    pub init: Option<ConstExpr>,
}

/// A global; imported ones have no expression.
pub struct Global {
    /// The type.
    pub ty: GlobalType,
    /// The initial value.
    pub init: Option<ConstExpr>,
}

/// When and where a segment is copied.
pub enum SegmentMode {
    /// By `memory.init` or `table.init`.
    Passive,
    /// At instantiation.
    Active {
        /// The memory or table.
        index: u32,
        /// The position in it.
        offset: ConstExpr,
    },
    /// Never: it only declares functions for `ref.func`.
    Declared,
}

/// An element segment.
pub struct Element {
    /// When it is copied.
    pub mode: SegmentMode,
    /// The type of the elements.
    pub ty: RefType,
    /// The elements.
    pub items: ElementItems,
}

/// The elements of a segment.
pub enum ElementItems {
    /// Function indices.
    Funcs(Box<[u32]>),
    /// Constant expressions.
    Exprs(Box<[ConstExpr]>),
}

impl ElementItems {
    /// How many elements there are.
    pub fn len(&self) -> usize {
        match self {
            ElementItems::Funcs(items) => items.len(),
            ElementItems::Exprs(items) => items.len(),
        }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// A data segment.
pub struct Data {
    /// When it is copied.
    pub mode: SegmentMode,
    /// Its contents, as a range of the module's bytes.
    pub range: Range<u32>,
}

/// A custom section.
pub struct Custom {
    /// The name.
    pub name: String,
    /// The contents without the name.
    pub range: Range<u32>,
}

/// A constant expression (Core specification, section 3.4.16). The one-operator forms stand by themselves,
/// since a module may have a hundred thousand of them.
pub enum ConstExpr {
    /// One operator.
    One(ConstOp),
    /// Several operators in postfix order.
    Many(Box<[ConstOp]>),
}

impl ConstExpr {
    /// The operators in postfix order.
    pub fn ops(&self) -> &[ConstOp] {
        match self {
            ConstExpr::One(op) => core::slice::from_ref(op),
            ConstExpr::Many(ops) => ops,
        }
    }
}

/// An operator of a constant expression.
#[derive(Clone, Copy, Debug)]
#[allow(missing_docs, reason = "the variants are the specification's own operators")]
pub enum ConstOp {
    I32Const(i32),
    I64Const(i64),
    F32Const(u32),
    F64Const(u64),
    V128Const([u64; 2]),
    GlobalGet(u32),
    RefNull,
    RefFunc(u32),
    I32Add,
    I32Sub,
    I32Mul,
    I64Add,
    I64Sub,
    I64Mul,
    RefI31,
    /// By type index, as are the following.
    StructNew(u32),
    StructNewDefault(u32),
    ArrayNew(u32),
    ArrayNewDefault(u32),
    /// Type index and length.
    ArrayNewFixed(u32, u32),
    /// An operator that only the validator knows; evaluating it is refused by name.
    Other(&'static str),
}
