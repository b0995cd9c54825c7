//! The heap driven as an engine drives it, next to a model that knows what must be alive and what it contains.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use lithe_types::{
    ArrayType, CompositeType, FieldType, HeapType, RefType, StorageType, StructType, SubType,
    ValType,
};

use super::*;
use crate::{Registry, Repr, Shape, ShapeKind};

mod graph;
mod policy;
mod timing;

const I32: StorageType = StorageType::Val(ValType::I32);
const I64: StorageType = StorageType::Val(ValType::I64);
const V128: StorageType = StorageType::Val(ValType::V128);
const ANY: StorageType =
    StorageType::Val(ValType::Ref(RefType { nullable: true, heap: HeapType::Any }));
const FUNC: StorageType =
    StorageType::Val(ValType::Ref(RefType { nullable: true, heap: HeapType::Func }));

/// Types by their place in [`types`]. There are more, for random graphs.
const PAIR: usize = 0;
const NODE: usize = 1;
const EMPTY: usize = 4;
const REFS: usize = 5;
const BYTES: usize = 6;
const LONGS: usize = 7;
const TRIO: usize = 9;

fn field(storage: StorageType) -> FieldType {
    FieldType { storage, mutable: true }
}

fn types() -> Vec<SubType> {
    let structure = |fields: &[StorageType]| {
        let fields = fields.iter().map(|storage| field(*storage)).collect();
        CompositeType::Struct(StructType { fields })
    };
    let array = |storage| CompositeType::Array(ArrayType(field(storage)));
    let mut wide = vec![I64; 40];
    wide[3] = ANY;
    wide.extend([ANY, I32, ANY]);
    let composites = [
        structure(&[ANY, ANY]),
        structure(&[ANY, I64, ANY]),
        structure(&[StorageType::I8, ANY, FUNC, V128, ANY, StorageType::I16]),
        structure(&wide),
        structure(&[]),
        array(ANY),
        array(StorageType::I8),
        array(I64),
        array(V128),
        structure(&[ANY, ANY, I64]),
    ];
    let ty = |composite| SubType { is_final: true, supertype: None, composite };
    composites.into_iter().map(ty).collect()
}

/// A heap with its types, and roots of both kinds.
struct Guest {
    _registry: Registry,
    shapes: Vec<*const Shape>,
    ids: Vec<u32>,
    heap: Heap,
    view: HeapView,
    limit: usize,
    /// Slots that hold references.
    roots: Vec<u64>,
    /// Slots that hold anything.
    stack: Vec<u64>,
    rooms: usize,
}

impl Guest {
    fn new(limit: usize) -> Guest {
        let registry = Registry::default();
        let types = types();
        let groups: Vec<_> = (0..types.len() as u32).map(|i| i..i + 1).collect();
        // Something else has the first ids.
        registry.register_func(&Default::default()).unwrap();
        let ids = registry.register(&types, &groups).unwrap();
        let mut shapes = Vec::new();
        registry.shapes(&mut shapes);
        Guest {
            _registry: registry,
            shapes,
            ids,
            heap: Heap::new(),
            view: HeapView::EMPTY,
            limit,
            roots: Vec::new(),
            stack: Vec::new(),
            rooms: 0,
        }
    }

    fn shape(&self, ty: usize) -> &Shape {
        // SAFETY: the registry lives as long as the guest.
        unsafe { &*self.shapes[self.ids[ty] as usize] }
    }

    /// What engines do: bump, or make room and bump. The contents are whatever was there.
    fn raw(&mut self, bytes: u64) -> Result<u32, HeapError> {
        let Guest { heap, view, limit, shapes, roots, stack, rooms, .. } = self;
        let small = u32::try_from(bytes).ok();
        // SAFETY: the view is that of the heap, and both are alive.
        if let Some(at) = small.and_then(|bytes| unsafe { view.bump(bytes) }) {
            return Ok(at);
        }
        *rooms += 1;
        let mut show = |marker: &mut Marker<'_>| {
            roots.iter().for_each(|slot| marker.reference(*slot));
            stack.iter().for_each(|slot| marker.maybe(*slot));
        };
        heap.make_room(view, bytes, *limit, shapes, &mut show)?;
        assert!(u64::from(view.limit - view.cursor) >= bytes);
        assert!(view.limit as usize <= *limit && view.cursor % 8 == 0 && view.cursor > 0);
        // SAFETY: as above.
        Ok(unsafe { view.bump(bytes as u32) }.unwrap())
    }

    fn collect(&mut self) {
        let Guest { heap, view, shapes, roots, stack, .. } = self;
        heap.collect(view, shapes, &mut |marker| {
            roots.iter().for_each(|slot| marker.reference(*slot));
            stack.iter().for_each(|slot| marker.maybe(*slot));
        });
    }

    /// A struct or array; references in it are null, everything else is garbage.
    fn object(&mut self, ty: usize, len: u32) -> Result<u32, HeapError> {
        let (shape, id) = (self.shape(ty), self.ids[ty]);
        let bytes = match shape.kind {
            ShapeKind::Array => shape.array_size(len),
            _ => u64::from(shape.size),
        };
        let at = self.raw(bytes)?;
        self.fill(at + 8, bytes - 8, 0);
        self.write(at, id);
        self.write(at + 4, len);
        Ok(at)
    }

    fn exception(&mut self, payload: &[u64]) -> Result<u32, HeapError> {
        let at = self.raw(16 + 8 * payload.len() as u64)?;
        self.write(at, EXN);
        self.write(at + 4, payload.len() as u32);
        self.write(at + 8, 0x1234_5678_9abc_def0u64);
        for (i, slot) in payload.iter().enumerate() {
            self.write(at + 16 + 8 * i as u32, *slot);
        }
        Ok(at)
    }

    /// A host value that counts its drops.
    fn external(&mut self, drops: &Arc<AtomicUsize>) -> (u32, u32) {
        struct Counts(Arc<AtomicUsize>);
        impl Drop for Counts {
            fn drop(&mut self) {
                self.0.fetch_add(1, Ordering::Relaxed);
            }
        }
        let number = self.heap.add_external(Box::new(Counts(drops.clone()))).unwrap();
        let at = self.raw(8).unwrap();
        self.write(at, EXTERN);
        self.write(at + 4, number);
        (at, number)
    }

    fn write<T>(&self, at: u32, value: T) {
        // SAFETY: tests write within objects only.
        unsafe { self.view.at::<T>(at).write_unaligned(value) }
    }

    fn read<T: Copy>(&self, at: u32) -> T {
        // SAFETY: tests read within objects only.
        unsafe { self.view.at::<T>(at).read_unaligned() }
    }

    fn fill(&self, at: u32, bytes: u64, byte: u8) {
        // SAFETY: tests write within objects only.
        unsafe { self.view.at::<u8>(at).write_bytes(byte, bytes as usize) }
    }

    /// Whether an object begins here, as far as the heap knows.
    fn is_start(&self, at: u32) -> bool {
        // SAFETY: the offset lies within the heap.
        unsafe { *self.view.starts.add(at as usize / 512) >> (at / 8 % 64) & 1 != 0 }
    }

    fn stats(&self) -> HeapStats {
        self.heap.stats(&self.view)
    }
}

/// Xorshift.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, end: usize) -> usize {
        (self.next() >> 16) as usize % end
    }
}
