//! Canonical types of an engine (Core specification, section 3.3 "Type equivalence"): two recursion groups
//! with the same structure get the same ids, so that a signature check is a comparison of numbers. Invariant:
//! an id is never reused, and every id in a registered type is canonical.

use alloc::{boxed::Box, collections::BTreeMap, vec::Vec};

use lithe_types::{
    CompositeType, FieldType, FuncType, HeapType, RefType, StorageType, SubType, ValType, limits,
};

use crate::{
    Shape, Shared,
    shape::{ShapeKind, kind_of},
    sync::Lock,
};

/// Marks an index as relative to the recursion group it stands in, in the keys of the table below.
const RELATIVE: u32 = 1 << 31;

/// The canonical types of an engine.
#[derive(Default)]
pub struct Registry(Lock<Types>);

#[derive(Default)]
struct Types {
    groups: BTreeMap<Box<[SubType]>, u32>,
    types: Vec<Entry>,
}

struct Entry {
    ty: SubType,
    signature: Shared<FuncType>,
    shape: Shared<Shape>,
}

impl Registry {
    /// Registers a module's types and gives their canonical ids, or `None` when the engine's limit of types
    /// is reached.
    pub fn register(
        &self,
        types: &[SubType],
        groups: &[core::ops::Range<u32>],
    ) -> Option<Vec<u32>> {
        let mut ids: Vec<u32> = Vec::with_capacity(types.len());
        self.0.with(|registry| {
            for group in groups {
                let start = group.start;
                let relative = |index: u32| match index.checked_sub(start) {
                    Some(offset) => RELATIVE | offset,
                    None => ids[index as usize],
                };
                let members = &types[group.start as usize..group.end as usize];
                let key: Box<[SubType]> = members.iter().map(|ty| map(ty, &relative)).collect();
                let first = registry.intern(key)?;
                ids.extend(first..first + members.len() as u32);
            }
            Some(())
        })?;
        Some(ids)
    }

    /// The canonical id of a function type that stands by itself. Concrete references in it are canonical.
    pub fn register_func(&self, ty: &FuncType) -> Option<u32> {
        let key = Box::new([SubType::func(ty.clone())]);
        self.0.with(|registry| registry.intern(key))
    }

    /// Whether every reference in `ty` is to a registered type.
    pub fn knows(&self, ty: ValType) -> bool {
        match ty {
            ValType::Ref(RefType { heap: HeapType::Concrete(id), .. }) => {
                self.0.with(|registry| (id as usize) < registry.types.len())
            }
            _ => true,
        }
    }

    /// The function type with this id; empty when it is not a function type.
    pub fn signature(&self, id: u32) -> Shared<FuncType> {
        self.0.with(|registry| registry.types[id as usize].signature.clone())
    }

    /// The shape of the type with this id.
    pub fn shape(&self, id: u32) -> Shared<Shape> {
        self.0.with(|registry| registry.types[id as usize].shape.clone())
    }

    /// Appends the shapes of the types that `shapes` does not have yet, so that it can be indexed by id. They
    /// are valid as long as the registry.
    pub(crate) fn shapes(&self, shapes: &mut Vec<*const Shape>) {
        self.0.with(|registry| {
            let new = registry.types.iter().skip(shapes.len());
            shapes.extend(new.map(|entry| Shared::as_ptr(&entry.shape)));
        });
    }

    /// The defined type with this id; its type indices are canonical.
    pub fn ty(&self, id: u32) -> SubType {
        self.0.with(|registry| registry.types[id as usize].ty.clone())
    }

    /// Whether values of a canonical reference type are references to heap objects, not to functions.
    pub fn refers_to_objects(&self, ty: RefType) -> bool {
        match ty.heap {
            HeapType::Func | HeapType::NoFunc => false,
            HeapType::Concrete(id) => self.0.with(|types| types.kind(id) != ShapeKind::Func),
            _ => true,
        }
    }

    /// Whether the type `sub` is `sup` or declares it among its supertypes.
    pub fn is_subtype(&self, sub: u32, sup: u32) -> bool {
        sub == sup || self.0.with(|registry| registry.declares(sub, sup))
    }

    /// Whether values of canonical type `a` may stand where `b` is wanted (section 3.3.3).
    pub fn matches(&self, a: ValType, b: ValType) -> bool {
        match (a, b) {
            (ValType::Ref(a), ValType::Ref(b)) => self.ref_matches(a, b),
            _ => a == b,
        }
    }

    /// Whether references of canonical type `a` may stand where `b` is wanted.
    pub fn ref_matches(&self, a: RefType, b: RefType) -> bool {
        (b.nullable || !a.nullable) && self.heap_matches(a.heap, b.heap)
    }

    fn heap_matches(&self, a: HeapType, b: HeapType) -> bool {
        use HeapType::*;
        let kind = |id| match self.0.with(|registry| registry.kind(id)) {
            ShapeKind::Func => Func,
            ShapeKind::Struct => Struct,
            ShapeKind::Array => Array,
        };
        match (a, b) {
            _ if a == b => true,
            (Concrete(a), Concrete(b)) => self.is_subtype(a, b),
            (Concrete(id), Func) => kind(id) == Func,
            (Concrete(id), Struct | Array) => kind(id) == b,
            (Concrete(id), Eq | Any) => kind(id) != Func,
            (NoFunc, Concrete(id)) => kind(id) == Func,
            (None, Concrete(id)) => kind(id) != Func,
            (NoFunc, Func) | (NoExtern, Extern) | (NoExn, Exn) => true,
            (None, I31 | Struct | Array | Eq | Any) => true,
            (I31 | Struct | Array, Eq | Any) | (Eq, Any) => true,
            _ => false,
        }
    }

    /// A type of a module with its indices replaced by canonical ids.
    pub fn canonical(ty: ValType, ids: &[u32]) -> ValType {
        match ty {
            ValType::Ref(ty) => ValType::Ref(Registry::canonical_ref(ty, ids)),
            other => other,
        }
    }

    /// A reference type of a module with its index replaced by a canonical id.
    pub fn canonical_ref(ty: RefType, ids: &[u32]) -> RefType {
        match ty.heap {
            HeapType::Concrete(index) => {
                RefType { heap: HeapType::Concrete(ids[index as usize]), ..ty }
            }
            _ => ty,
        }
    }
}

impl Types {
    fn intern(&mut self, key: Box<[SubType]>) -> Option<u32> {
        if let Some(first) = self.groups.get(&key) {
            return Some(*first);
        }
        let first = self.types.len() as u32;
        if first + key.len() as u32 > limits::CANONICAL_TYPES {
            return None;
        }
        let absolute = |index: u32| match index & RELATIVE {
            0 => index,
            _ => first + (index & !RELATIVE),
        };
        let members: Vec<SubType> = key.iter().map(|ty| map(ty, &absolute)).collect();
        for (id, ty) in (first..).zip(&members) {
            let signature = Shared::new(ty.as_func().cloned().unwrap_or_default());
            let kind = |id: u32| match id.checked_sub(first) {
                Some(member) => kind_of(&members[member as usize].composite),
                None => self.kind(id),
            };
            let parent = ty.supertype.map(|parent| &*self.types[parent as usize].shape);
            let shape = Shared::new(Shape::new(id, ty, &kind, parent));
            self.types.push(Entry { ty: ty.clone(), signature, shape });
        }
        self.groups.insert(key, first);
        Some(first)
    }

    fn declares(&self, sub: u32, sup: u32) -> bool {
        let depth = self.types[sup as usize].shape.supers.len() - 1;
        self.types[sub as usize].shape.declares(sup, depth)
    }

    fn kind(&self, id: u32) -> ShapeKind {
        self.types[id as usize].shape.kind
    }
}

/// `ty` with every type index replaced.
fn map(ty: &SubType, index: &dyn Fn(u32) -> u32) -> SubType {
    let val = |ty: &ValType| match ty {
        ValType::Ref(RefType { nullable, heap: HeapType::Concrete(at) }) => {
            ValType::Ref(RefType { nullable: *nullable, heap: HeapType::Concrete(index(*at)) })
        }
        other => *other,
    };
    let field = |field: &FieldType| match field.storage {
        StorageType::Val(ty) => FieldType { storage: StorageType::Val(val(&ty)), ..*field },
        _ => *field,
    };
    let composite = match &ty.composite {
        CompositeType::Func(ty) => CompositeType::Func(FuncType {
            params: ty.params.iter().map(val).collect(),
            results: ty.results.iter().map(val).collect(),
        }),
        CompositeType::Struct(ty) => CompositeType::Struct(lithe_types::StructType {
            fields: ty.fields.iter().map(field).collect(),
        }),
        CompositeType::Array(ty) => CompositeType::Array(lithe_types::ArrayType(field(&ty.0))),
    };
    SubType { is_final: ty.is_final, supertype: ty.supertype.map(index), composite }
}
