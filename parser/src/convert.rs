//! Types of `wasmparser` to the types of Lithe. Called while sections are decoded and while bodies are
//! walked. Invariant: an encoding of a proposal that Lithe does not know gives an error, never another type.

use alloc::format;

use lithe_types::{
    ArrayType, CompositeType, FieldType, FuncType, GlobalType, HeapType, Limits, MemoryType,
    RefType, StorageType, StructType, SubType, TableType, ValType,
};
use wasmparser::{AbstractHeapType, CompositeInnerType, UnpackedIndex};

use crate::Error;

type Result<T> = core::result::Result<T, Error>;

/// A heap type as an operator or a type section spells it.
pub fn heap_type(ty: wasmparser::HeapType, offset: u64) -> Result<HeapType> {
    Ok(match ty {
        wasmparser::HeapType::Abstract { shared: false, ty } => match ty {
            AbstractHeapType::Func => HeapType::Func,
            AbstractHeapType::Extern => HeapType::Extern,
            AbstractHeapType::Any => HeapType::Any,
            AbstractHeapType::None => HeapType::None,
            AbstractHeapType::NoExtern => HeapType::NoExtern,
            AbstractHeapType::NoFunc => HeapType::NoFunc,
            AbstractHeapType::Eq => HeapType::Eq,
            AbstractHeapType::Struct => HeapType::Struct,
            AbstractHeapType::Array => HeapType::Array,
            AbstractHeapType::I31 => HeapType::I31,
            AbstractHeapType::Exn => HeapType::Exn,
            AbstractHeapType::NoExn => HeapType::NoExn,
            other => return Err(Error::unsupported(offset, format!("heap type {other:?}"))),
        },
        wasmparser::HeapType::Concrete(UnpackedIndex::Module(index)) => HeapType::Concrete(index),
        other => return Err(Error::unsupported(offset, format!("heap type {other:?}"))),
    })
}

/// A reference type.
pub fn ref_type(ty: wasmparser::RefType, offset: u64) -> Result<RefType> {
    Ok(RefType { nullable: ty.is_nullable(), heap: heap_type(ty.heap_type(), offset)? })
}

/// A value type.
pub fn val_type(ty: wasmparser::ValType, offset: u64) -> Result<ValType> {
    Ok(match ty {
        wasmparser::ValType::I32 => ValType::I32,
        wasmparser::ValType::I64 => ValType::I64,
        wasmparser::ValType::F32 => ValType::F32,
        wasmparser::ValType::F64 => ValType::F64,
        wasmparser::ValType::V128 => ValType::V128,
        wasmparser::ValType::Ref(ty) => ValType::Ref(ref_type(ty, offset)?),
    })
}

fn field_type(ty: wasmparser::FieldType, offset: u64) -> Result<FieldType> {
    let storage = match ty.element_type {
        wasmparser::StorageType::I8 => StorageType::I8,
        wasmparser::StorageType::I16 => StorageType::I16,
        wasmparser::StorageType::Val(ty) => StorageType::Val(val_type(ty, offset)?),
    };
    Ok(FieldType { storage, mutable: ty.mutable })
}

pub(crate) fn sub_type(ty: &wasmparser::SubType, offset: u64) -> Result<SubType> {
    let composite = match &ty.composite_type.inner {
        CompositeInnerType::Func(func) => {
            let list = |types: &[wasmparser::ValType]| -> Result<_> {
                types.iter().map(|ty| val_type(*ty, offset)).collect()
            };
            CompositeType::Func(FuncType {
                params: list(func.params())?,
                results: list(func.results())?,
            })
        }
        CompositeInnerType::Struct(ty) => {
            let fields = ty.fields.iter().map(|field| field_type(*field, offset));
            CompositeType::Struct(StructType { fields: fields.collect::<Result<_>>()? })
        }
        CompositeInnerType::Array(ty) => CompositeType::Array(ArrayType(field_type(ty.0, offset)?)),
        CompositeInnerType::Cont(_) => {
            return Err(Error::unsupported(offset, "a continuation type"));
        }
    };
    let supertype = match ty.supertype_idxs.first().map(|index| index.unpack()) {
        None => None,
        Some(UnpackedIndex::Module(index)) => Some(index),
        Some(other) => return Err(Error::unsupported(offset, format!("supertype {other:?}"))),
    };
    Ok(SubType { is_final: ty.is_final, supertype, composite })
}

pub(crate) fn table_type(ty: wasmparser::TableType, offset: u64) -> Result<TableType> {
    Ok(TableType {
        element: ref_type(ty.element_type, offset)?,
        limits: Limits { min: ty.initial, max: ty.maximum },
        is64: ty.table64,
    })
}

pub(crate) fn memory_type(ty: wasmparser::MemoryType, offset: u64) -> Result<MemoryType> {
    let page_log2 = ty.page_size_log2.unwrap_or(16);
    if page_log2 != 0 && page_log2 != 16 {
        return Err(Error::unsupported(offset, format!("page size 2^{page_log2}")));
    }
    Ok(MemoryType {
        limits: Limits { min: ty.initial, max: ty.maximum },
        is64: ty.memory64,
        shared: ty.shared,
        page_log2: page_log2 as u8,
    })
}

pub(crate) fn global_type(ty: wasmparser::GlobalType, offset: u64) -> Result<GlobalType> {
    Ok(GlobalType { value: val_type(ty.content_type, offset)?, mutable: ty.mutable })
}
