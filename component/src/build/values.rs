//! Types of values, out of definitions. `build` calls it. Invariant: each type comes with the shape that it has.

use std::rc::Rc;
use std::sync::Arc;

use lithe::Result;
use wasmparser::{ComponentDefinedType, ComponentValType, PrimitiveValType};

use super::{Builder, Scope, TypeItem, at, lacking, too_large};
use crate::shape::Shape;
use crate::types::{Case, Field, FixedList, Flags, Record, Type, Variant};

/// What is known of a type, or what about it this version does not have.
type Known<T> = std::result::Result<T, &'static str>;

fn shaped(ty: Type) -> (Type, Rc<Shape>) {
    let shape = Rc::new(Shape::of(&ty));
    (ty, shape)
}

impl TypeItem<'_> {
    fn simple(ty: Type) -> Self {
        let (ty, shape) = shaped(ty);
        TypeItem::Value(ty, shape)
    }
}

fn primitive(ty: PrimitiveValType) -> Known<Type> {
    Ok(match ty {
        PrimitiveValType::Bool => Type::Bool,
        PrimitiveValType::S8 => Type::S8,
        PrimitiveValType::U8 => Type::U8,
        PrimitiveValType::S16 => Type::S16,
        PrimitiveValType::U16 => Type::U16,
        PrimitiveValType::S32 => Type::S32,
        PrimitiveValType::U32 => Type::U32,
        PrimitiveValType::S64 => Type::S64,
        PrimitiveValType::U64 => Type::U64,
        PrimitiveValType::F32 => Type::F32,
        PrimitiveValType::F64 => Type::F64,
        PrimitiveValType::Char => Type::Char,
        PrimitiveValType::String => Type::String,
        PrimitiveValType::ErrorContext => return Err("error-context"),
    })
}

/// Fields, and the shapes of their types.
type Fields = (Vec<Field>, Vec<Rc<Shape>>);

impl<'a> Builder<'a, '_> {
    /// The type of a value, or what about it is missing in this version.
    pub(super) fn value(
        &self,
        scope: Scope,
        ty: ComponentValType,
    ) -> Result<Known<(Type, Rc<Shape>)>> {
        match ty {
            ComponentValType::Primitive(ty) => Ok(primitive(ty).map(shaped)),
            ComponentValType::Type(index) => match at(&self.frames[scope].types, index)? {
                TypeItem::Value(ty, shape) => Ok(Ok((ty, shape))),
                TypeItem::Missing(what) => Ok(Err(what)),
                _ => Err(lacking()),
            },
        }
    }

    fn optional(
        &self,
        scope: Scope,
        ty: Option<ComponentValType>,
        shapes: &mut Vec<Rc<Shape>>,
    ) -> Result<Known<Option<Type>>> {
        let Some(ty) = ty else { return Ok(Ok(None)) };
        Ok(self.value(scope, ty)?.map(|(ty, shape)| {
            shapes.push(shape);
            Some(ty)
        }))
    }

    /// A list of fields with the shapes of their types.
    pub(super) fn fields<'n>(
        &self,
        scope: Scope,
        fields: impl Iterator<Item = (&'n str, ComponentValType)>,
    ) -> Result<Known<Fields>> {
        let (mut list, mut shapes) = (Vec::new(), Vec::new());
        for (name, ty) in fields {
            match self.value(scope, ty)? {
                Ok((ty, shape)) => {
                    list.push(Field::new(name, ty));
                    shapes.push(shape);
                }
                Err(what) => return Ok(Err(what)),
            }
        }
        Ok(Ok((list, shapes)))
    }

    pub(super) fn defined(
        &self,
        scope: Scope,
        ty: &ComponentDefinedType<'a>,
    ) -> Result<TypeItem<'a>> {
        use ComponentDefinedType as D;
        macro_rules! known {
            ($value:expr) => {
                match $value {
                    Ok(value) => value,
                    Err(what) => return Ok(TypeItem::Missing(what)),
                }
            };
        }
        let resource = |index: u32| match at(&self.frames[scope].types, index)? {
            TypeItem::Resource(ty) => Ok(ty),
            _ => Err(lacking()),
        };
        let names =
            |names: &[&str]| names.iter().map(|name| Arc::from(*name)).collect::<Vec<Arc<str>>>();
        let mut shapes = Vec::new();
        let (ty, shape) = match ty {
            D::Primitive(ty) => return Ok(TypeItem::simple(known!(primitive(*ty)))),
            D::Flags(flags) => {
                return Ok(TypeItem::simple(Type::Flags(Arc::new(Flags {
                    names: names(flags).into(),
                }))));
            }
            D::Own(index) => return Ok(TypeItem::simple(Type::Own(resource(*index)?))),
            D::Borrow(index) => return Ok(TypeItem::simple(Type::Borrow(resource(*index)?))),
            D::Future(_) => return Ok(TypeItem::Missing("future")),
            D::Stream(_) => return Ok(TypeItem::Missing("stream")),
            D::Record(fields) => {
                let (fields, shapes) = known!(self.fields(scope, fields.iter().copied())?);
                (Record::new(fields).map(Type::Record), Shape::record(&shapes))
            }
            D::Tuple(types) => {
                let fields = types.iter().map(|ty| ("", *ty));
                let (fields, shapes) = known!(self.fields(scope, fields)?);
                let types = fields.into_iter().map(|field| field.ty);
                (Record::tuple(types).map(Type::Tuple), Shape::record(&shapes))
            }
            D::Variant(cases) => {
                let mut list = Vec::new();
                for case in cases {
                    let ty = known!(self.optional(scope, case.ty, &mut shapes)?);
                    list.push(Case { name: case.name.into(), ty });
                }
                (Variant::new(list).map(Type::Variant), Shape::variant(&shapes))
            }
            D::List(ty) => {
                let (ty, shape) = known!(self.value(scope, *ty)?);
                (Ok(Type::List(Arc::new(ty))), Shape::list(&shape))
            }
            D::Map(key, of) => {
                let pair = [("", *key), ("", *of)].into_iter();
                let (fields, shapes) = known!(self.fields(scope, pair)?);
                let types = fields.into_iter().map(|field| field.ty);
                let pair = Rc::new(Shape::record(&shapes).map_err(too_large)?);
                (Record::tuple(types).map(Type::Map), Shape::list(&pair))
            }
            D::FixedLengthList(ty, count) => {
                let (ty, shape) = known!(self.value(scope, *ty)?);
                let list = FixedList::new(ty, *count).map(Type::FixedList);
                (list, Shape::repeated(&shape, *count))
            }
            D::Enum(cases) => {
                (Variant::enumeration(names(cases)).map(Type::Enum), Shape::variant(&shapes))
            }
            D::Option(ty) => {
                let (ty, shape) = known!(self.value(scope, *ty)?);
                (Variant::option(ty).map(Type::Option), Shape::variant(&[shape]))
            }
            D::Result { ok, err } => {
                let ok = known!(self.optional(scope, *ok, &mut shapes)?);
                let err = known!(self.optional(scope, *err, &mut shapes)?);
                (Variant::result(ok, err).map(Type::Result), Shape::variant(&shapes))
            }
        };
        Ok(TypeItem::Value(ty.map_err(too_large)?, Rc::new(shape.map_err(too_large)?)))
    }
}
