//! One pass over the sections of a module. Invariant: what is allocated is in proportion to the bytes that
//! are really there, never to a count that the module claims.

use alloc::{boxed::Box, format, string::ToString, vec, vec::Vec};

use lithe_types::{TableType, limits};
use wasmparser::{
    Chunk, DataKind, ElementKind, Encoding, ExternalKind, Imports, Parser, Payload, TypeRef,
};

use crate::{
    Bytes, ConstExpr, ConstOp, Custom, Data, Element, ElementItems, Error, ErrorKind, Export,
    ExternKind, Global, Import, ImportType, Module, SegmentMode, Table, convert,
};

type Result<T> = core::result::Result<T, Error>;

/// What every module begins with.
const MAGIC: &[u8] = b"\0asm";

/// Decodes a module's bytes into tables.
pub fn parse(bytes: impl Into<Bytes>) -> Result<Module> {
    let bytes = bytes.into();
    let mut module = empty(&bytes)?;
    for payload in parser().parse_all(&bytes) {
        module.section(payload?)?;
    }
    module.bytes = bytes;
    Ok(module)
}

/// Like [`parse`], but leaves out the bodies: the code section is not looked at. For modules whose code is elsewhere.
pub fn parse_without_bodies(bytes: impl Into<Bytes>) -> Result<Module> {
    let bytes = bytes.into();
    let mut module = empty(&bytes)?;
    let mut parser = parser();
    let mut rest: &[u8] = &bytes;
    while let Chunk::Parsed { consumed, payload } = parser.parse(rest, true)? {
        rest = rest.get(consumed..).unwrap_or(&[]);
        match payload {
            Payload::CodeSectionStart { size, .. } => {
                parser.skip_section();
                rest = rest.get(size as usize..).unwrap_or(&[]);
                module.section(payload)?;
            }
            Payload::End(_) => break,
            payload => module.section(payload)?,
        }
    }
    module.bytes = bytes;
    Ok(module)
}

fn parser() -> Parser {
    let mut parser = Parser::new(0);
    parser.set_features(wasmparser::WasmFeatures::all());
    parser
}

/// A module to decode these bytes into, when they may be one.
fn empty(bytes: &Bytes) -> Result<Module> {
    if bytes.len() > limits::MODULE_BYTES {
        let message = format!("the module is larger than {} bytes", limits::MODULE_BYTES);
        return Err(Error::new(ErrorKind::TooLarge, 0, message));
    }
    if !bytes.starts_with(MAGIC) {
        let message = "magic header not detected: a module begins with the bytes 00 61 73 6d";
        return Err(Error::new(ErrorKind::Malformed, 0, message));
    }
    Ok(Module::default())
}

fn range32(range: core::ops::Range<u64>) -> core::ops::Range<u32> {
    // The module's length was checked against `limits::MODULE_BYTES`, which fits 32 bits.
    range.start as u32..range.end as u32
}

impl Module {
    fn section(&mut self, payload: Payload<'_>) -> Result<()> {
        match payload {
            Payload::Version { encoding: Encoding::Component, .. } => {
                let message = "this is a component, not a core module";
                return Err(Error::new(ErrorKind::Component, 0, message));
            }
            Payload::Version { .. } | Payload::DataCountSection { .. } | Payload::End(_) => {}
            Payload::TypeSection(reader) => {
                for group in reader.into_iter_with_offsets() {
                    let (offset, group) = group?;
                    let first = self.types.len() as u32;
                    for ty in group.types() {
                        self.types.push(convert::sub_type(ty, offset)?);
                    }
                    self.rec_groups.push(first..self.types.len() as u32);
                }
            }
            Payload::ImportSection(reader) => {
                for imports in reader.into_iter_with_offsets() {
                    let (offset, imports) = imports?;
                    self.imports(imports, offset)?;
                }
            }
            Payload::FunctionSection(reader) => {
                for ty in reader {
                    self.funcs.push(ty?);
                }
            }
            Payload::TableSection(reader) => {
                for table in reader.into_iter_with_offsets() {
                    let (offset, table) = table?;
                    let init = match table.init {
                        wasmparser::TableInit::RefNull => None,
                        wasmparser::TableInit::Expr(expr) => Some(const_expr(&expr)?),
                    };
                    let ty = convert::table_type(table.ty, offset)?;
                    self.tables.push(Table { ty, init });
                }
            }
            Payload::MemorySection(reader) => {
                for memory in reader.into_iter_with_offsets() {
                    let (offset, ty) = memory?;
                    self.memories.push(convert::memory_type(ty, offset)?);
                }
            }
            Payload::TagSection(reader) => {
                for tag in reader {
                    self.tags.push(tag?.func_type_idx);
                }
            }
            Payload::GlobalSection(reader) => {
                for global in reader.into_iter_with_offsets() {
                    let (offset, global) = global?;
                    let ty = convert::global_type(global.ty, offset)?;
                    self.globals.push(Global { ty, init: Some(const_expr(&global.init_expr)?) });
                }
            }
            Payload::ExportSection(reader) => {
                for export in reader {
                    let export = export?;
                    let kind = match export.kind {
                        ExternalKind::Func | ExternalKind::FuncExact => ExternKind::Func,
                        ExternalKind::Table => ExternKind::Table,
                        ExternalKind::Memory => ExternKind::Memory,
                        ExternalKind::Global => ExternKind::Global,
                        ExternalKind::Tag => ExternKind::Tag,
                    };
                    let name = export.name.to_string();
                    self.exports.push(Export { name, kind, index: export.index });
                }
            }
            Payload::StartSection { func, .. } => self.start = Some(func),
            Payload::ElementSection(reader) => {
                for element in reader {
                    self.elements.push(element_segment(element?)?);
                }
            }
            Payload::DataSection(reader) => {
                for data in reader {
                    let data = data?;
                    let mode = match data.kind {
                        DataKind::Passive => SegmentMode::Passive,
                        DataKind::Active { memory_index, offset_expr } => SegmentMode::Active {
                            index: memory_index,
                            offset: const_expr(&offset_expr)?,
                        },
                    };
                    let end = data.range.end as u32;
                    self.data.push(Data { mode, range: end - data.data.len() as u32..end });
                }
            }
            Payload::CodeSectionStart { unchecked_range, .. } => {
                self.code_start = unchecked_range.start as u32;
            }
            Payload::CodeSectionEntry(body) => self.bodies.push(range32(body.range())),
            Payload::CustomSection(reader) => {
                let end = reader.range().end as u32;
                let range = end - reader.data().len() as u32..end;
                self.customs.push(Custom { name: reader.name().to_string(), range });
            }
            Payload::UnknownSection { id, range, .. } => {
                let message = format!("malformed section id: {id}");
                return Err(Error::new(ErrorKind::Malformed, range.start, message));
            }
            _ => {
                let message = "a module holds a section that only components have";
                return Err(Error::new(ErrorKind::Malformed, 0, message));
            }
        }
        Ok(())
    }

    fn imports(&mut self, imports: Imports<'_>, offset: u64) -> Result<()> {
        match imports {
            Imports::Single(_, import) => {
                self.import(import.module, import.name, import.ty, offset)
            }
            Imports::Compact1 { module, items } => {
                for item in items {
                    let item = item?;
                    self.import(module, item.name, item.ty, offset)?;
                }
                Ok(())
            }
            Imports::Compact2 { module, ty, names } => {
                for name in names {
                    self.import(module, name?, ty, offset)?;
                }
                Ok(())
            }
        }
    }

    fn import(&mut self, module: &str, name: &str, ty: TypeRef, offset: u64) -> Result<()> {
        let ty = match ty {
            TypeRef::Func(index) => {
                self.funcs.push(index);
                self.imported_funcs += 1;
                ImportType::Func(index)
            }
            TypeRef::Table(ty) => {
                let ty: TableType = convert::table_type(ty, offset)?;
                self.tables.push(Table { ty, init: None });
                self.imported_tables += 1;
                ImportType::Table(ty)
            }
            TypeRef::Memory(ty) => {
                let ty = convert::memory_type(ty, offset)?;
                self.memories.push(ty);
                self.imported_memories += 1;
                ImportType::Memory(ty)
            }
            TypeRef::Global(ty) => {
                let ty = convert::global_type(ty, offset)?;
                self.globals.push(Global { ty, init: None });
                self.imported_globals += 1;
                ImportType::Global(ty)
            }
            TypeRef::Tag(tag) => {
                self.tags.push(tag.func_type_idx);
                self.imported_tags += 1;
                ImportType::Tag(tag.func_type_idx)
            }
            TypeRef::FuncExact(_) => return Err(Error::unsupported(offset, "an exact import")),
        };
        self.imports.push(Import { module: module.to_string(), name: name.to_string(), ty });
        Ok(())
    }
}

fn element_segment(element: wasmparser::Element<'_>) -> Result<Element> {
    let offset = element.range.start;
    let mode = match element.kind {
        ElementKind::Passive => SegmentMode::Passive,
        ElementKind::Declared => SegmentMode::Declared,
        ElementKind::Active { table_index, offset_expr } => SegmentMode::Active {
            index: table_index.unwrap_or(0),
            offset: const_expr(&offset_expr)?,
        },
    };
    let (ty, items) = match element.items {
        wasmparser::ElementItems::Functions(reader) => {
            let funcs = reader.into_iter().collect::<core::result::Result<Vec<_>, _>>()?;
            let ty = lithe_types::RefType { nullable: false, heap: lithe_types::HeapType::Func };
            (ty, ElementItems::Funcs(funcs.into_boxed_slice()))
        }
        wasmparser::ElementItems::Expressions(ty, reader) => {
            let exprs = reader.into_iter().map(|expr| const_expr(&expr?));
            let exprs = exprs.collect::<Result<Box<[_]>>>()?;
            (convert::ref_type(ty, offset)?, ElementItems::Exprs(exprs))
        }
    };
    Ok(Element { mode, ty, items })
}

fn const_expr(expr: &wasmparser::ConstExpr<'_>) -> Result<ConstExpr> {
    let mut reader = expr.get_operators_reader();
    let first = const_op(&reader.read()?);
    if reader.is_end_then_eof() {
        return Ok(ConstExpr::One(first));
    }
    let mut ops = vec![first];
    while !reader.is_end_then_eof() {
        let op = reader.read()?;
        // References to the outside and to anything have one representation.
        if !matches!(
            op,
            wasmparser::Operator::AnyConvertExtern | wasmparser::Operator::ExternConvertAny
        ) {
            ops.push(const_op(&op));
        }
    }
    Ok(ConstExpr::Many(ops.into_boxed_slice()))
}

fn const_op(op: &wasmparser::Operator<'_>) -> ConstOp {
    use wasmparser::Operator as O;
    match op {
        O::I32Const { value } => ConstOp::I32Const(*value),
        O::I64Const { value } => ConstOp::I64Const(*value),
        O::F32Const { value } => ConstOp::F32Const(value.bits()),
        O::F64Const { value } => ConstOp::F64Const(value.bits()),
        O::V128Const { value } => {
            let bits = value.i128() as u128;
            ConstOp::V128Const([bits as u64, (bits >> 64) as u64])
        }
        O::GlobalGet { global_index } => ConstOp::GlobalGet(*global_index),
        O::RefNull { .. } => ConstOp::RefNull,
        O::RefFunc { function_index } => ConstOp::RefFunc(*function_index),
        O::I32Add => ConstOp::I32Add,
        O::I32Sub => ConstOp::I32Sub,
        O::I32Mul => ConstOp::I32Mul,
        O::I64Add => ConstOp::I64Add,
        O::I64Sub => ConstOp::I64Sub,
        O::I64Mul => ConstOp::I64Mul,
        O::RefI31 => ConstOp::RefI31,
        O::StructNew { struct_type_index } => ConstOp::StructNew(*struct_type_index),
        O::StructNewDefault { struct_type_index } => ConstOp::StructNewDefault(*struct_type_index),
        O::ArrayNew { array_type_index } => ConstOp::ArrayNew(*array_type_index),
        O::ArrayNewDefault { array_type_index } => ConstOp::ArrayNewDefault(*array_type_index),
        O::ArrayNewFixed { array_type_index, array_size } => {
            ConstOp::ArrayNewFixed(*array_type_index, *array_size)
        }
        _ => ConstOp::Other("a constant operator of a proposal that is not enabled"),
    }
}
