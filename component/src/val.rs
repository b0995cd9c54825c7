//! Values of components whose type is known at run time only, as embedders see them. Invariant: a value becomes a node
//! only of a type that it fits.

use lithe::Result;

use crate::Type;
use crate::abi::node::Node;
use crate::error::usage;
use crate::handles::ResourceId;
use crate::types::{Field, Variant};

/// A value.
#[derive(Clone, Debug)]
pub enum Val {
    /// `bool`
    Bool(bool),
    /// `s8`
    S8(i8),
    /// `u8`
    U8(u8),
    /// `s16`
    S16(i16),
    /// `u16`
    U16(u16),
    /// `s32`
    S32(i32),
    /// `u32`
    U32(u32),
    /// `s64`
    S64(i64),
    /// `u64`
    U64(u64),
    /// `f32`
    F32(f32),
    /// `f64`
    F64(f64),
    /// `char`
    Char(char),
    /// `string`
    String(String),
    /// `list<T>`, of fixed length or not.
    List(Vec<Val>),
    /// `map<K, V>`
    Map(Vec<(Val, Val)>),
    /// The fields of a record, in order.
    Record(Vec<(String, Val)>),
    /// `tuple<...>`
    Tuple(Vec<Val>),
    /// A case of a variant with its payload.
    Variant(String, Option<Box<Val>>),
    /// A case of an enum.
    Enum(String),
    /// `option<T>`
    Option(Option<Box<Val>>),
    /// `result<T, E>`
    Result(std::result::Result<Option<Box<Val>>, Option<Box<Val>>>),
    /// The flags that are set.
    Flags(Vec<String>),
    /// `own<R>` or `borrow<R>`
    Resource(ResourceAny),
}

/// A resource of any type.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ResourceAny {
    pub(crate) resource: ResourceId,
    pub(crate) rep: u32,
    /// Whether the host owns it, and not only borrows it for a call.
    pub(crate) owned: bool,
}

fn unfit(value: &Val, ty: &Type) -> lithe::Error {
    usage(format!("expected a value of type {ty}, found {}", value.sort()))
}

impl Val {
    /// What sort of value it is.
    fn sort(&self) -> &'static str {
        match self {
            Val::Bool(_) => "a bool",
            Val::S8(_) => "an s8",
            Val::U8(_) => "a u8",
            Val::S16(_) => "an s16",
            Val::U16(_) => "a u16",
            Val::S32(_) => "an s32",
            Val::U32(_) => "a u32",
            Val::S64(_) => "an s64",
            Val::U64(_) => "a u64",
            Val::F32(_) => "an f32",
            Val::F64(_) => "an f64",
            Val::Char(_) => "a char",
            Val::String(_) => "a string",
            Val::List(_) => "a list",
            Val::Map(_) => "a map",
            Val::Record(_) => "a record",
            Val::Tuple(_) => "a tuple",
            Val::Variant(..) => "a variant",
            Val::Enum(_) => "an enum",
            Val::Option(_) => "an option",
            Val::Result(_) => "a result",
            Val::Flags(_) => "flags",
            Val::Resource(_) => "a resource",
        }
    }

    pub(crate) fn into_node(self, ty: &Type) -> Result<Node> {
        let scalar = |bits: u64| Ok(Node::Scalar(bits));
        match (self, ty) {
            (Val::Bool(value), Type::Bool) => scalar(value.into()),
            (Val::S8(value), Type::S8) => scalar((value as u8).into()),
            (Val::U8(value), Type::U8) => scalar(value.into()),
            (Val::S16(value), Type::S16) => scalar((value as u16).into()),
            (Val::U16(value), Type::U16) => scalar(value.into()),
            (Val::S32(value), Type::S32) => scalar((value as u32).into()),
            (Val::U32(value), Type::U32) => scalar(value.into()),
            (Val::S64(value), Type::S64) => scalar(value as u64),
            (Val::U64(value), Type::U64) => scalar(value),
            (Val::F32(value), Type::F32) => scalar(value.to_bits().into()),
            (Val::F64(value), Type::F64) => scalar(value.to_bits()),
            (Val::Char(value), Type::Char) => scalar(u32::from(value).into()),
            (Val::String(value), Type::String) => Ok(Node::String(value)),
            (Val::List(values), Type::List(element)) => match element.plain() {
                Some(size) => {
                    let mut bytes = Vec::with_capacity(values.len() * size as usize);
                    for value in values {
                        let Node::Scalar(bits) = value.into_node(element)? else { continue };
                        bytes.extend_from_slice(&bits.to_le_bytes()[..size as usize]);
                    }
                    Ok(Node::Plain(bytes))
                }
                None => nodes(values, element).map(Node::List),
            },
            (Val::List(values), Type::FixedList(list)) if values.len() == list.count as usize => {
                nodes(values, &list.element).map(Node::List)
            }
            (Val::Map(pairs), Type::Map(pair)) => {
                let node = |(key, value): (Val, Val)| {
                    let key = key.into_node(&pair.fields[0].ty)?;
                    Ok(Node::Fields(vec![key, value.into_node(&pair.fields[1].ty)?]))
                };
                pairs.into_iter().map(node).collect::<Result<_>>().map(Node::List)
            }
            (Val::Record(values), Type::Record(record)) if values.len() == record.fields.len() => {
                let pairs = values.into_iter().zip(&record.fields);
                let node = |((name, value), field): ((String, Val), &Field)| match *name
                    == *field.name
                {
                    true => value.into_node(&field.ty),
                    false => Err(usage(format!("expected the field {}, found {name}", field.name))),
                };
                pairs.map(node).collect::<Result<_>>().map(Node::Fields)
            }
            (Val::Tuple(values), Type::Tuple(record)) if values.len() == record.fields.len() => {
                let pairs = values.into_iter().zip(&record.fields);
                let fields = pairs.map(|(value, field)| value.into_node(&field.ty));
                fields.collect::<Result<_>>().map(Node::Fields)
            }
            (Val::Variant(name, value), Type::Variant(variant)) => case(variant, &name, value),
            (Val::Enum(name), Type::Enum(variant)) => case(variant, &name, None),
            (Val::Option(None), Type::Option(_)) => Ok(Node::Case(0, None)),
            (Val::Option(value), Type::Option(variant)) => payload(variant, 1, value),
            (Val::Result(Ok(value)), Type::Result(variant)) => payload(variant, 0, value),
            (Val::Result(Err(value)), Type::Result(variant)) => payload(variant, 1, value),
            (Val::Flags(names), Type::Flags(flags)) => {
                let mut bits = 0;
                for name in names {
                    let bit = flags.names.iter().position(|known| **known == *name);
                    let bit =
                        bit.ok_or_else(|| usage(format!("there is no flag {name} in {ty}")))?;
                    bits |= 1 << bit;
                }
                scalar(bits)
            }
            (Val::Resource(value), Type::Own(_)) if !value.owned => {
                Err(usage("a resource that is only borrowed cannot be given away"))
            }
            (Val::Resource(value), Type::Own(_) | Type::Borrow(_)) => {
                Ok(Node::Handle(value.resource, value.rep))
            }
            (value, ty) => Err(unfit(&value, ty)),
        }
    }

    pub(crate) fn from_node(node: Node, ty: &Type) -> Result<Val> {
        Ok(match (node, ty) {
            (Node::Scalar(bits), ty) => match ty {
                Type::Bool => Val::Bool(bits != 0),
                Type::S8 => Val::S8(bits as i8),
                Type::U8 => Val::U8(bits as u8),
                Type::S16 => Val::S16(bits as i16),
                Type::U16 => Val::U16(bits as u16),
                Type::S32 => Val::S32(bits as i32),
                Type::U32 => Val::U32(bits as u32),
                Type::S64 => Val::S64(bits as i64),
                Type::U64 => Val::U64(bits),
                Type::F32 => Val::F32(f32::from_bits(bits as u32)),
                Type::F64 => Val::F64(f64::from_bits(bits)),
                Type::Char => Val::Char(char::from_u32(bits as u32).ok_or_else(unknown)?),
                Type::Flags(flags) => {
                    let names = flags.names.iter().enumerate();
                    let set = names.filter(|(bit, _)| bits >> bit & 1 != 0);
                    Val::Flags(set.map(|(_, name)| name.to_string()).collect())
                }
                _ => return Err(unknown()),
            },
            (Node::String(text), _) => Val::String(text),
            (Node::Plain(bytes), Type::List(element)) => {
                let size = element.plain().ok_or_else(unknown)? as usize;
                let value = |bytes: &[u8]| {
                    let mut bits = [0; 8];
                    bits[..size].copy_from_slice(bytes);
                    Val::from_node(Node::Scalar(u64::from_le_bytes(bits)), element)
                };
                Val::List(bytes.chunks_exact(size).map(value).collect::<Result<_>>()?)
            }
            (Node::List(nodes), Type::List(element)) => Val::List(values(nodes, element)?),
            (Node::List(nodes), Type::FixedList(list)) => Val::List(values(nodes, &list.element)?),
            (Node::List(nodes), Type::Map(pair)) => {
                let value = |node: Node| {
                    let Node::Fields(fields) = node else { return Err(unknown()) };
                    let [key, value] = <[Node; 2]>::try_from(fields).map_err(|_| unknown())?;
                    let key = Val::from_node(key, &pair.fields[0].ty)?;
                    Ok((key, Val::from_node(value, &pair.fields[1].ty)?))
                };
                Val::Map(nodes.into_iter().map(value).collect::<Result<_>>()?)
            }
            (Node::Fields(nodes), Type::Record(record)) => {
                let pairs = nodes.into_iter().zip(&record.fields);
                let field = |(node, field): (Node, &Field)| {
                    Ok((field.name.to_string(), Val::from_node(node, &field.ty)?))
                };
                Val::Record(pairs.map(field).collect::<Result<_>>()?)
            }
            (Node::Fields(nodes), Type::Tuple(record)) => {
                let pairs = nodes.into_iter().zip(&record.fields);
                let fields = pairs.map(|(node, field)| Val::from_node(node, &field.ty));
                Val::Tuple(fields.collect::<Result<_>>()?)
            }
            (Node::Case(number, node), ty) => {
                let (Type::Variant(variant)
                | Type::Enum(variant)
                | Type::Option(variant)
                | Type::Result(variant)) = ty
                else {
                    return Err(unknown());
                };
                let case = variant.cases.get(number as usize).ok_or_else(unknown)?;
                let value = match (node, &case.ty) {
                    (Some(node), Some(ty)) => Some(Box::new(Val::from_node(*node, ty)?)),
                    _ => None,
                };
                match (ty, number) {
                    (Type::Variant(_), _) => Val::Variant(case.name.to_string(), value),
                    (Type::Enum(_), _) => Val::Enum(case.name.to_string()),
                    (Type::Option(_), _) => Val::Option(value),
                    (_, 0) => Val::Result(Ok(value)),
                    _ => Val::Result(Err(value)),
                }
            }
            (Node::Handle(resource, rep), ty) => {
                let owned = matches!(ty, Type::Own(_));
                Val::Resource(ResourceAny { resource, rep, owned })
            }
            _ => return Err(unknown()),
        })
    }
}

/// The error of a node that is not of its type.
fn unknown() -> lithe::Error {
    usage("a value does not fit its type")
}

fn nodes(values: Vec<Val>, element: &Type) -> Result<Vec<Node>> {
    values.into_iter().map(|value| value.into_node(element)).collect()
}

fn values(nodes: Vec<Node>, element: &Type) -> Result<Vec<Val>> {
    nodes.into_iter().map(|node| Val::from_node(node, element)).collect()
}

fn case(variant: &Variant, name: &str, value: Option<Box<Val>>) -> Result<Node> {
    let number = variant.case(name).ok_or_else(|| usage(format!("there is no case {name}")))?;
    payload(variant, number, value)
}

fn payload(variant: &Variant, number: usize, value: Option<Box<Val>>) -> Result<Node> {
    let case = &variant.cases[number];
    let node = match (&case.ty, value) {
        (Some(ty), Some(value)) => Some(Box::new(value.into_node(ty)?)),
        (None, None) => None,
        (Some(_), None) => return Err(usage(format!("the case {} lacks its payload", case.name))),
        (None, Some(_)) => return Err(usage(format!("the case {} has no payload", case.name))),
    };
    Ok(Node::Case(number as u32, node))
}

/// Equal values; floats are equal when their bits are.
impl PartialEq for Val {
    fn eq(&self, other: &Val) -> bool {
        match (self, other) {
            (Val::Bool(a), Val::Bool(b)) => a == b,
            (Val::S8(a), Val::S8(b)) => a == b,
            (Val::U8(a), Val::U8(b)) => a == b,
            (Val::S16(a), Val::S16(b)) => a == b,
            (Val::U16(a), Val::U16(b)) => a == b,
            (Val::S32(a), Val::S32(b)) => a == b,
            (Val::U32(a), Val::U32(b)) => a == b,
            (Val::S64(a), Val::S64(b)) => a == b,
            (Val::U64(a), Val::U64(b)) => a == b,
            (Val::F32(a), Val::F32(b)) => a.to_bits() == b.to_bits(),
            (Val::F64(a), Val::F64(b)) => a.to_bits() == b.to_bits(),
            (Val::Char(a), Val::Char(b)) => a == b,
            (Val::String(a), Val::String(b)) | (Val::Enum(a), Val::Enum(b)) => a == b,
            (Val::List(a), Val::List(b)) | (Val::Tuple(a), Val::Tuple(b)) => a == b,
            (Val::Map(a), Val::Map(b)) => a == b,
            (Val::Record(a), Val::Record(b)) => a == b,
            (Val::Variant(a, x), Val::Variant(b, y)) => a == b && x == y,
            (Val::Option(a), Val::Option(b)) => a == b,
            (Val::Result(a), Val::Result(b)) => a == b,
            (Val::Flags(a), Val::Flags(b)) => a == b,
            (Val::Resource(a), Val::Resource(b)) => a == b,
            _ => false,
        }
    }
}
