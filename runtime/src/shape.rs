//! How objects of a defined type lie in the heap, and what their type is a subtype of. The registry makes one
//! shape for each canonical type; both engines read fields and test types through it. Invariant: a subtype's
//! fields begin with those of its supertype, at the same offsets.
//!
//! ```text
//! struct  [ canonical type id : u32 | 0 : u32      ][ fields, naturally aligned (v128: 8), in order ]
//! array   [ canonical type id : u32 | length : u32 ][ elements ]
//! ```
//!
//! A reference is 32 bits: 0 is null, an odd number is an `i31`, any other number the offset of an object in
//! the store's heap. References to functions are 64-bit addresses, in fields as in slots.

use alloc::{boxed::Box, vec::Vec};

use lithe_types::{CompositeType, FieldType, HeapType, RefType, StorageType, SubType, ValType};

/// Bytes of an object's header.
pub const HEADER_BYTES: u32 = 8;

/// How many of its supertypes a shape has at hand for native code.
pub const DISPLAY: usize = 8;

/// What a defined type is. Native code reads the number.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u32)]
pub enum ShapeKind {
    /// A function type: it has no objects.
    Func,
    /// A struct type.
    Struct,
    /// An array type.
    Array,
}

/// The layout and the supertypes of a canonical type. Native code reads the first two fields, whose places are the
/// same on every machine.
#[derive(Debug)]
#[repr(C)]
pub struct Shape {
    /// The first of `supers`; what follows the last one is the id of no type.
    pub display: [u32; DISPLAY],
    /// What the type is.
    pub kind: ShapeKind,
    /// The canonical ids of the type and of all it is a subtype of, the topmost first.
    pub supers: Box<[u32]>,
    /// Of a struct: bytes of an object, header included, a multiple of 8.
    pub size: u32,
    /// The fields of a struct, or the element of an array with the offset of the first one.
    pub fields: Box<[Field]>,
    /// Of a struct: the offsets of the fields that refer to objects.
    pub refs: Box<[u32]>,
}

/// A field of a struct, or the element of an array.
#[derive(Clone, Copy, Debug)]
pub struct Field {
    /// Bytes from the start of the object.
    pub offset: u32,
    /// The type, with canonical type ids.
    pub ty: FieldType,
    /// How it is stored.
    pub repr: Repr,
}

/// How a field is stored.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Repr {
    /// One byte.
    I8,
    /// Two bytes.
    I16,
    /// Four bytes: an `i32` or `f32`.
    W32,
    /// Eight bytes: an `i64`, an `f64` or a reference to a function.
    W64,
    /// Sixteen bytes.
    V128,
    /// Four bytes: a reference that the collector follows.
    Ref,
}

impl Repr {
    /// Base-2 logarithm of the size in bytes.
    pub const fn log2(self) -> u32 {
        match self {
            Repr::I8 => 0,
            Repr::I16 => 1,
            Repr::W32 | Repr::Ref => 2,
            Repr::W64 => 3,
            Repr::V128 => 4,
        }
    }
}

impl Shape {
    /// The shape of `ty`, whose type indices are canonical. `kind` tells what other types are, `parent` is the
    /// shape of the declared supertype.
    pub(crate) fn new(
        id: u32,
        ty: &SubType,
        kind: &dyn Fn(u32) -> ShapeKind,
        parent: Option<&Shape>,
    ) -> Shape {
        let mut supers: Vec<u32> = parent.map_or(Vec::new(), |parent| parent.supers.to_vec());
        supers.push(id);
        let mut display = [u32::MAX; DISPLAY];
        display.iter_mut().zip(&supers).for_each(|(place, id)| *place = *id);
        let mut shape = Shape {
            display,
            kind: kind_of(&ty.composite),
            supers: supers.into(),
            size: 0,
            fields: Box::default(),
            refs: Box::default(),
        };
        match &ty.composite {
            CompositeType::Func(_) => {}
            CompositeType::Array(ty) => {
                let repr = repr(ty.0, kind);
                shape.fields = Box::new([Field { offset: HEADER_BYTES, ty: ty.0, repr }]);
            }
            CompositeType::Struct(ty) => {
                let mut end = HEADER_BYTES;
                let fields = ty.fields.iter().map(|ty| {
                    let repr = repr(*ty, kind);
                    let offset = end.next_multiple_of((1 << repr.log2()).min(8));
                    end = offset + (1 << repr.log2());
                    Field { offset, ty: *ty, repr }
                });
                shape.fields = fields.collect();
                shape.size = end.next_multiple_of(8);
                let refs = shape.fields.iter().filter(|field| field.repr == Repr::Ref);
                shape.refs = refs.map(|field| field.offset).collect();
            }
        }
        shape
    }

    /// How the elements of an array are stored.
    pub fn element(&self) -> Repr {
        self.fields.first().map_or(Repr::I8, |field| field.repr)
    }

    /// Bytes of an array of `len` elements, a multiple of 8.
    pub fn array_size(&self, len: u32) -> u64 {
        let elements = u64::from(len) << self.element().log2();
        (u64::from(HEADER_BYTES) + elements).next_multiple_of(8)
    }

    /// Whether the type is the one at depth `depth` of its own hierarchy with id `id`, or a subtype of it.
    pub fn declares(&self, id: u32, depth: usize) -> bool {
        self.supers.get(depth) == Some(&id)
    }
}

/// What a composite type is.
pub(crate) fn kind_of(ty: &CompositeType) -> ShapeKind {
    match ty {
        CompositeType::Func(_) => ShapeKind::Func,
        CompositeType::Struct(_) => ShapeKind::Struct,
        CompositeType::Array(_) => ShapeKind::Array,
    }
}

fn repr(ty: FieldType, kind: &dyn Fn(u32) -> ShapeKind) -> Repr {
    match ty.storage {
        StorageType::I8 => Repr::I8,
        StorageType::I16 => Repr::I16,
        StorageType::Val(ValType::I32 | ValType::F32) => Repr::W32,
        StorageType::Val(ValType::I64 | ValType::F64) => Repr::W64,
        StorageType::Val(ValType::V128) => Repr::V128,
        StorageType::Val(ValType::Ref(RefType { heap, .. })) => match heap {
            HeapType::Func | HeapType::NoFunc => Repr::W64,
            HeapType::Concrete(id) if kind(id) == ShapeKind::Func => Repr::W64,
            _ => Repr::Ref,
        },
    }
}
