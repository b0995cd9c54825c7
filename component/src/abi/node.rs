//! Values whose type is known at run time only, in the form in which they pass from one guest to another. Used by calls
//! between components, and by [`Val`](crate::Val). Invariant: a node fits the type that it was lifted with.

use lithe::Result;

use super::lift::character;
use super::{LiftCx, LowerCx, SlotReader, SlotWriter};
use crate::Type;
use crate::error::{usage, violation};
use crate::handles::ResourceId;
use crate::types::{Field, Variant};

/// A value.
#[derive(Clone, Debug)]
pub(crate) enum Node {
    /// A number, character, bool or set of flags, by its bits.
    Scalar(u64),
    String(String),
    /// A list of numbers, as it lies in memory.
    Plain(Vec<u8>),
    /// Other lists, and the pairs of maps.
    List(Vec<Node>),
    /// Records and tuples.
    Fields(Vec<Node>),
    /// A case of a variant by its number.
    Case(u32, Option<Box<Node>>),
    Handle(ResourceId, u32),
}

/// Bytes of the host that a node takes at least.
const NODE_BYTES: usize = size_of::<Node>();

fn mismatch() -> lithe::Error {
    usage("a value does not fit its type")
}

pub(crate) fn tag(variant: &Variant, tag: u32) -> Result<Option<&Type>> {
    match variant.cases.get(tag as usize) {
        Some(case) => Ok(case.ty.as_ref()),
        None => Err(violation("invalid variant discriminant")),
    }
}

/// A scalar of a type from bits of which only the lowest count.
fn scalar(ty: &Type, bits: u64) -> Result<u64> {
    Ok(match ty {
        Type::Bool => u64::from(bits as u32 != 0),
        Type::S8 | Type::U8 => bits & 0xff,
        Type::S16 | Type::U16 => bits & 0xffff,
        Type::S32 | Type::U32 | Type::F32 => bits & 0xffff_ffff,
        Type::Char => u64::from(u32::from(character(bits as u32)?)),
        Type::Flags(flags) => bits & u64::from(flags.mask()),
        _ => bits,
    })
}

/// The slot that a scalar is passed in.
fn widen(ty: &Type, bits: u64) -> u64 {
    match ty {
        Type::S8 => u64::from(bits as i8 as u32),
        Type::S16 => u64::from(bits as i16 as u32),
        _ => bits,
    }
}

impl Node {
    /// Lifts a value from slots.
    pub fn lift(cx: &mut LiftCx<'_>, ty: &Type, slots: &mut SlotReader<'_>) -> Result<Node> {
        match ty {
            Type::String => {
                let (at, len) = (slots.read_u32(), slots.read_u32());
                cx.string(at, len).map(Node::String)
            }
            Type::List(element) => {
                let (at, len) = (slots.read_u32(), slots.read_u32());
                Node::load_list(cx, element, at, len)
            }
            Type::Map(pair) => {
                let (at, len) = (slots.read_u32(), slots.read_u32());
                Node::load_list(cx, &Type::Record(pair.clone()), at, len)
            }
            Type::FixedList(list) => {
                cx.charge((list.count as usize).saturating_mul(NODE_BYTES))?;
                let nodes = (0..list.count).map(|_| Node::lift(cx, &list.element, slots));
                nodes.collect::<Result<_>>().map(Node::List)
            }
            Type::Record(record) | Type::Tuple(record) => {
                Node::lift_fields(cx, &record.fields, slots).map(Node::Fields)
            }
            Type::Variant(variant)
            | Type::Enum(variant)
            | Type::Option(variant)
            | Type::Result(variant) => {
                let end = slots.position() + usize::from(variant.abi.flat);
                let case = slots.read_u32();
                let node = match tag(variant, case)? {
                    Some(ty) => {
                        cx.charge(NODE_BYTES)?;
                        Some(Box::new(Node::lift(cx, ty, slots)?))
                    }
                    None => None,
                };
                slots.skip_to(end);
                Ok(Node::Case(case, node))
            }
            Type::Own(ty) => {
                let (resource, rep) = cx.own(slots.read_u32(), *ty)?;
                Ok(Node::Handle(resource, rep))
            }
            Type::Borrow(ty) => {
                let (resource, rep) = cx.borrow(slots.read_u32(), *ty)?;
                Ok(Node::Handle(resource, rep))
            }
            _ => scalar(ty, slots.read()).map(Node::Scalar),
        }
    }

    /// Lifts fields from slots.
    pub fn lift_fields(
        cx: &mut LiftCx<'_>,
        fields: &[Field],
        slots: &mut SlotReader<'_>,
    ) -> Result<Vec<Node>> {
        cx.charge(fields.len() * NODE_BYTES)?;
        fields.iter().map(|field| Node::lift(cx, &field.ty, slots)).collect()
    }

    /// Loads a value from memory.
    pub fn load(cx: &mut LiftCx<'_>, ty: &Type, at: u32) -> Result<Node> {
        match ty {
            Type::String => {
                let (at, len) = (cx.u32(at)?, cx.u32(at + 4)?);
                cx.string(at, len).map(Node::String)
            }
            Type::List(element) => {
                let (at, len) = (cx.u32(at)?, cx.u32(at + 4)?);
                Node::load_list(cx, element, at, len)
            }
            Type::Map(pair) => {
                let (at, len) = (cx.u32(at)?, cx.u32(at + 4)?);
                Node::load_list(cx, &Type::Record(pair.clone()), at, len)
            }
            Type::FixedList(list) => Node::load_elements(cx, &list.element, at, list.count),
            Type::Record(record) | Type::Tuple(record) => {
                Node::load_fields(cx, &record.fields, at).map(Node::Fields)
            }
            Type::Variant(variant)
            | Type::Enum(variant)
            | Type::Option(variant)
            | Type::Result(variant) => {
                let case = cx.unsigned(at, variant.tag_size)?;
                let node = match tag(variant, case)? {
                    Some(ty) => {
                        cx.charge(NODE_BYTES)?;
                        Some(Box::new(Node::load(cx, ty, at + variant.payload)?))
                    }
                    None => None,
                };
                Ok(Node::Case(case, node))
            }
            Type::Own(ty) => {
                let index = cx.u32(at)?;
                cx.own(index, *ty).map(|(resource, rep)| Node::Handle(resource, rep))
            }
            Type::Borrow(ty) => {
                let index = cx.u32(at)?;
                cx.borrow(index, *ty).map(|(resource, rep)| Node::Handle(resource, rep))
            }
            _ => {
                let bits = match ty.abi().size {
                    8 => cx.u64(at)?,
                    size => u64::from(cx.unsigned(at, size)?),
                };
                scalar(ty, bits).map(Node::Scalar)
            }
        }
    }

    /// Loads fields from memory.
    pub fn load_fields(cx: &mut LiftCx<'_>, fields: &[Field], at: u32) -> Result<Vec<Node>> {
        cx.charge(fields.len() * NODE_BYTES)?;
        fields.iter().map(|field| Node::load(cx, &field.ty, at + field.offset)).collect()
    }

    fn load_list(cx: &mut LiftCx<'_>, element: &Type, at: u32, count: u32) -> Result<Node> {
        cx.list(at, count, element)?;
        if let Some(size) = element.plain() {
            cx.charge(size as usize * count as usize)?;
            return Ok(Node::Plain(cx.bytes(at, size * count)?.to_vec()));
        }
        Node::load_elements(cx, element, at, count)
    }

    fn load_elements(cx: &mut LiftCx<'_>, element: &Type, at: u32, count: u32) -> Result<Node> {
        cx.charge((count as usize).saturating_mul(NODE_BYTES))?;
        let size = element.abi().size;
        let nodes = (0..count).map(|i| Node::load(cx, element, at + i * size));
        nodes.collect::<Result<_>>().map(Node::List)
    }

    /// Lowers a value to slots.
    pub fn lower(&self, cx: &mut LowerCx<'_>, ty: &Type, out: &mut SlotWriter<'_>) -> Result<()> {
        match (ty, self) {
            (Type::String, Node::String(text)) => {
                let (at, len) = cx.string(text)?;
                out.push(at.into());
                out.push(len.into());
            }
            (Type::List(element), _) => {
                let (at, len) = self.store_list(cx, element)?;
                out.push(at.into());
                out.push(len.into());
            }
            (Type::Map(pair), _) => {
                let (at, len) = self.store_list(cx, &Type::Record(pair.clone()))?;
                out.push(at.into());
                out.push(len.into());
            }
            (Type::FixedList(list), Node::List(nodes)) if nodes.len() == list.count as usize => {
                for node in nodes {
                    node.lower(cx, &list.element, out)?;
                }
            }
            (Type::Record(record) | Type::Tuple(record), Node::Fields(nodes)) => {
                Node::lower_fields(nodes, cx, &record.fields, out)?;
            }
            (
                Type::Variant(variant)
                | Type::Enum(variant)
                | Type::Option(variant)
                | Type::Result(variant),
                Node::Case(case, node),
            ) => {
                let end = out.position() + usize::from(variant.abi.flat);
                out.push((*case).into());
                match (tag(variant, *case)?, node) {
                    (Some(ty), Some(node)) => node.lower(cx, ty, out)?,
                    (None, None) => {}
                    _ => return Err(mismatch()),
                }
                out.skip_to(end);
            }
            (Type::Own(ty), Node::Handle(resource, rep)) => {
                out.push(cx.own(*resource, *rep, *ty)?.into());
            }
            (Type::Borrow(ty), Node::Handle(resource, rep)) => {
                out.push(cx.borrow(*resource, *rep, *ty)?.into());
            }
            (ty, Node::Scalar(bits)) => out.push(widen(ty, *bits)),
            _ => return Err(mismatch()),
        }
        Ok(())
    }

    /// Lowers fields to slots.
    pub fn lower_fields(
        nodes: &[Node],
        cx: &mut LowerCx<'_>,
        fields: &[Field],
        out: &mut SlotWriter<'_>,
    ) -> Result<()> {
        if nodes.len() != fields.len() {
            return Err(mismatch());
        }
        for (node, field) in nodes.iter().zip(fields) {
            node.lower(cx, &field.ty, out)?;
        }
        Ok(())
    }

    /// Stores a value to memory.
    pub fn store(&self, cx: &mut LowerCx<'_>, ty: &Type, at: u32) -> Result<()> {
        match (ty, self) {
            (Type::String, Node::String(text)) => {
                let (to, len) = cx.string(text)?;
                cx.write(at, &to.to_le_bytes())?;
                cx.write(at + 4, &len.to_le_bytes())
            }
            (Type::List(element), _) => {
                let (to, len) = self.store_list(cx, element)?;
                cx.write(at, &to.to_le_bytes())?;
                cx.write(at + 4, &len.to_le_bytes())
            }
            (Type::Map(pair), _) => {
                let (to, len) = self.store_list(cx, &Type::Record(pair.clone()))?;
                cx.write(at, &to.to_le_bytes())?;
                cx.write(at + 4, &len.to_le_bytes())
            }
            (Type::FixedList(list), Node::List(nodes)) if nodes.len() == list.count as usize => {
                Node::store_elements(nodes, cx, &list.element, at)
            }
            (Type::Record(record) | Type::Tuple(record), Node::Fields(nodes)) => {
                Node::store_fields(nodes, cx, &record.fields, at)
            }
            (
                Type::Variant(variant)
                | Type::Enum(variant)
                | Type::Option(variant)
                | Type::Result(variant),
                Node::Case(case, node),
            ) => {
                cx.write_unsigned(at, variant.tag_size, *case)?;
                match (tag(variant, *case)?, node) {
                    (Some(ty), Some(node)) => node.store(cx, ty, at + variant.payload),
                    (None, None) => Ok(()),
                    _ => Err(mismatch()),
                }
            }
            (Type::Own(ty), Node::Handle(resource, rep)) => {
                let index = cx.own(*resource, *rep, *ty)?;
                cx.write(at, &index.to_le_bytes())
            }
            (Type::Borrow(ty), Node::Handle(resource, rep)) => {
                let index = cx.borrow(*resource, *rep, *ty)?;
                cx.write(at, &index.to_le_bytes())
            }
            (ty, Node::Scalar(bits)) => cx.write(at, &bits.to_le_bytes()[..ty.abi().size as usize]),
            _ => Err(mismatch()),
        }
    }

    /// Stores fields to memory.
    pub fn store_fields(
        nodes: &[Node],
        cx: &mut LowerCx<'_>,
        fields: &[Field],
        at: u32,
    ) -> Result<()> {
        if nodes.len() != fields.len() {
            return Err(mismatch());
        }
        for (node, field) in nodes.iter().zip(fields) {
            node.store(cx, &field.ty, at + field.offset)?;
        }
        Ok(())
    }

    fn store_list(&self, cx: &mut LowerCx<'_>, element: &Type) -> Result<(u32, u32)> {
        let abi = element.abi();
        match (self, element.plain()) {
            (Node::Plain(bytes), Some(size)) => {
                let count = bytes.len() / size as usize;
                let at = cx.allocate_list(size, size, count)?;
                cx.write(at, bytes)?;
                Ok((at, count as u32))
            }
            (Node::List(nodes), _) => {
                let at = cx.allocate_list(abi.align, abi.size, nodes.len())?;
                Node::store_elements(nodes, cx, element, at)?;
                Ok((at, nodes.len() as u32))
            }
            _ => Err(mismatch()),
        }
    }

    fn store_elements(nodes: &[Node], cx: &mut LowerCx<'_>, element: &Type, at: u32) -> Result<()> {
        let size = element.abi().size;
        for (node, i) in nodes.iter().zip(0..) {
            node.store(cx, element, at + i * size)?;
        }
        Ok(())
    }
}
