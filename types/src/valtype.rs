//! Types of WebAssembly entities (Core specification, section 2.3). The parser builds them, the runtime
//! compares them when it links. Invariant: a `HeapType::Concrete` index means a module's own type index
//! in parsed tables and an engine-wide canonical type id everywhere behind the runtime's registry.

use alloc::boxed::Box;
use core::fmt;

/// The type of a value on the operand stack, in a local or in a global.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum ValType {
    /// 32-bit integer.
    I32,
    /// 64-bit integer.
    I64,
    /// 32-bit IEEE 754 float.
    F32,
    /// 64-bit IEEE 754 float.
    F64,
    /// 128-bit vector.
    V128,
    /// A reference.
    Ref(RefType),
}

impl ValType {
    /// The nullable function reference type.
    pub const FUNCREF: ValType = ValType::Ref(RefType::FUNCREF);
    /// The nullable external reference type.
    pub const EXTERNREF: ValType = ValType::Ref(RefType::EXTERNREF);

    /// The nullable reference type of everything that is no function.
    pub const ANYREF: ValType = ValType::Ref(RefType { nullable: true, heap: HeapType::Any });

    /// How many 64-bit slots of a frame a value of this type takes.
    pub const fn slots(self) -> u32 {
        match self {
            ValType::V128 => 2,
            _ => 1,
        }
    }

    /// Whether this is a reference type.
    pub const fn is_ref(self) -> bool {
        matches!(self, ValType::Ref(_))
    }
}

impl fmt::Display for ValType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ValType::I32 => f.write_str("i32"),
            ValType::I64 => f.write_str("i64"),
            ValType::F32 => f.write_str("f32"),
            ValType::F64 => f.write_str("f64"),
            ValType::V128 => f.write_str("v128"),
            ValType::Ref(ty) => ty.fmt(f),
        }
    }
}

/// A reference type: what is referred to, and whether null is allowed.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct RefType {
    /// Whether the null reference belongs to the type.
    pub nullable: bool,
    /// What the reference points to.
    pub heap: HeapType,
}

impl RefType {
    /// `funcref`, the nullable reference to any function.
    pub const FUNCREF: RefType = RefType { nullable: true, heap: HeapType::Func };
    /// `externref`, the nullable reference to a host value.
    pub const EXTERNREF: RefType = RefType { nullable: true, heap: HeapType::Extern };
}

impl fmt::Display for RefType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.nullable, self.heap) {
            (true, HeapType::Func) => f.write_str("funcref"),
            (true, HeapType::Extern) => f.write_str("externref"),
            (true, heap) => write!(f, "(ref null {heap})"),
            (false, heap) => write!(f, "(ref {heap})"),
        }
    }
}

/// The heap type of a reference.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[allow(missing_docs, reason = "the variants are the specification's own words")]
pub enum HeapType {
    Func,
    Extern,
    Any,
    None,
    NoExtern,
    NoFunc,
    Eq,
    Struct,
    Array,
    I31,
    Exn,
    NoExn,
    /// A defined type, by index or canonical id (see the module's documentation).
    Concrete(u32),
}

impl fmt::Display for HeapType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            HeapType::Func => "func",
            HeapType::Extern => "extern",
            HeapType::Any => "any",
            HeapType::None => "none",
            HeapType::NoExtern => "noextern",
            HeapType::NoFunc => "nofunc",
            HeapType::Eq => "eq",
            HeapType::Struct => "struct",
            HeapType::Array => "array",
            HeapType::I31 => "i31",
            HeapType::Exn => "exn",
            HeapType::NoExn => "noexn",
            HeapType::Concrete(index) => return write!(f, "{index}"),
        })
    }
}

/// The parameters and results of a function.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct FuncType {
    /// Parameter types, first to last.
    pub params: Box<[ValType]>,
    /// Result types, first to last.
    pub results: Box<[ValType]>,
}

impl FuncType {
    /// A function type from its parameter and result types.
    pub fn new(
        params: impl IntoIterator<Item = ValType>,
        results: impl IntoIterator<Item = ValType>,
    ) -> FuncType {
        FuncType { params: params.into_iter().collect(), results: results.into_iter().collect() }
    }

    /// How many slots the parameters take.
    pub fn param_slots(&self) -> u32 {
        self.params.iter().map(|ty| ty.slots()).sum()
    }

    /// How many slots the results take.
    pub fn result_slots(&self) -> u32 {
        self.results.iter().map(|ty| ty.slots()).sum()
    }
}

impl fmt::Display for FuncType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let list = |f: &mut fmt::Formatter<'_>, types: &[ValType]| {
            f.write_str("(")?;
            for (i, ty) in types.iter().enumerate() {
                if i > 0 {
                    f.write_str(", ")?;
                }
                ty.fmt(f)?;
            }
            f.write_str(")")
        };
        f.write_str("func")?;
        list(f, &self.params)?;
        if !self.results.is_empty() {
            f.write_str(" -> ")?;
            list(f, &self.results)?;
        }
        Ok(())
    }
}

/// What a field of a struct or an element of an array stores.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum StorageType {
    /// A packed 8-bit integer.
    I8,
    /// A packed 16-bit integer.
    I16,
    /// A full value.
    Val(ValType),
}

/// A field of a struct or the element of an array.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct FieldType {
    /// What is stored.
    pub storage: StorageType,
    /// Whether it can be written after creation.
    pub mutable: bool,
}

/// The fields of a struct type.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct StructType {
    /// The fields, first to last.
    pub fields: Box<[FieldType]>,
}

/// The element of an array type.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct ArrayType(pub FieldType);

/// The structure of a defined type.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum CompositeType {
    /// A function type.
    Func(FuncType),
    /// A struct type.
    Struct(StructType),
    /// An array type.
    Array(ArrayType),
}

/// A defined type with its place in the subtype hierarchy.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct SubType {
    /// Whether no type may declare this one as its supertype.
    pub is_final: bool,
    /// The declared supertype.
    pub supertype: Option<u32>,
    /// The structure.
    pub composite: CompositeType,
}

impl SubType {
    /// A final function type without a supertype, the form that MVP modules define.
    pub fn func(ty: FuncType) -> SubType {
        SubType { is_final: true, supertype: None, composite: CompositeType::Func(ty) }
    }

    /// The function type, when this defines one.
    pub fn as_func(&self) -> Option<&FuncType> {
        match &self.composite {
            CompositeType::Func(ty) => Some(ty),
            _ => None,
        }
    }
}

/// Bounds of a table (in elements) or memory (in pages).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Limits {
    /// Size at creation.
    pub min: u64,
    /// Size that growing never exceeds; `None` when undeclared.
    pub max: Option<u64>,
}

impl Limits {
    /// Whether an entity of size `actual` declared with `self` satisfies the import bounds `wanted`.
    pub fn satisfy(self, actual: u64, wanted: Limits) -> bool {
        actual >= wanted.min
            && match (self.max, wanted.max) {
                (_, None) => true,
                (Some(have), Some(want)) => have <= want,
                (None, Some(_)) => false,
            }
    }
}

impl fmt::Display for Limits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.max {
            Some(max) => write!(f, "{} {max}", self.min),
            None => write!(f, "{}", self.min),
        }
    }
}

/// The type of a table.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct TableType {
    /// The element type.
    pub element: RefType,
    /// Bounds, in elements.
    pub limits: Limits,
    /// Whether indices are 64-bit.
    pub is64: bool,
}

impl fmt::Display for TableType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let width = if self.is64 { "i64 " } else { "" };
        write!(f, "table {width}{} {}", self.limits, self.element)
    }
}

/// The type of a linear memory.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct MemoryType {
    /// Bounds, in pages.
    pub limits: Limits,
    /// Whether addresses are 64-bit.
    pub is64: bool,
    /// Whether threads may share the memory.
    pub shared: bool,
    /// Base-2 logarithm of the page size in bytes: 16, or 0 with custom page sizes.
    pub page_log2: u8,
}

impl fmt::Display for MemoryType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let width = if self.is64 { "i64 " } else { "" };
        write!(f, "memory {width}{}", self.limits)?;
        if self.shared {
            f.write_str(" shared")?;
        }
        if self.page_log2 != 16 {
            write!(f, " (pagesize {})", 1u64 << self.page_log2)?;
        }
        Ok(())
    }
}

/// The type of a global.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct GlobalType {
    /// The type of the value.
    pub value: ValType,
    /// Whether it can be written.
    pub mutable: bool,
}

impl fmt::Display for GlobalType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.mutable {
            true => write!(f, "global (mut {})", self.value),
            false => write!(f, "global {}", self.value),
        }
    }
}

/// The type of something that can be imported or exported.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum ExternType {
    /// A function.
    Func(FuncType),
    /// A table.
    Table(TableType),
    /// A memory.
    Memory(MemoryType),
    /// A global.
    Global(GlobalType),
    /// An exception tag, by the type of its payload.
    Tag(FuncType),
}

impl fmt::Display for ExternType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ExternType::Func(ty) => ty.fmt(f),
            ExternType::Table(ty) => ty.fmt(f),
            ExternType::Memory(ty) => ty.fmt(f),
            ExternType::Global(ty) => ty.fmt(f),
            ExternType::Tag(ty) => write!(f, "tag of {ty}"),
        }
    }
}
