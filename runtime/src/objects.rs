//! Objects of a store's heap, as the embedding API, instantiation and engines off their fast paths use them:
//! making room, creating objects, reading and writing their fields. Invariant: a slot that comes from outside is
//! looked at only after a check that it refers to an object, or under a contract that says so.

use alloc::boxed::Box;
use core::any::Any;

use lithe_parser::ElementItems;
use lithe_types::TrapKind;

use crate::{
    HEADER_BYTES, HeapError, HeapStats, HeapView, Repr, Shape, ShapeKind, Store, Vm,
    gc::{EXN, EXTERN, Heap, Marker},
    handles::Rooted,
    layout::Instance,
};

#[cfg(feature = "std")]
use crate::LimitError;

/// The smallest type id of objects without a defined type.
pub const FIRST_SPECIAL: u32 = EXN;

/// The bits of an `i31` reference.
pub const I31_MASK: u64 = 0xffff_ffff;

impl From<HeapError> for TrapKind {
    fn from(error: HeapError) -> TrapKind {
        match error {
            HeapError::TooLarge => TrapKind::AllocationTooLarge,
            HeapError::Exhausted => TrapKind::HeapExhausted,
        }
    }
}

/// Shows a marker all references that keep objects alive.
type Roots<'a> = &'a mut dyn FnMut(&mut Marker<'_>);

/// What a reference to an object leads to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Object {
    /// An `i31`, sign-extended.
    I31(i32),
    /// A struct or array of the canonical type with this id.
    Defined(u32),
    /// A value of the host.
    External,
    /// An exception.
    Exception,
}

impl Vm {
    /// What the non-null reference in `slot` leads to.
    ///
    /// # Safety
    /// The slot holds a reference that is no null and refers to no function, of this state's store.
    pub unsafe fn object(&self, slot: u64) -> Object {
        if slot & 1 != 0 {
            return Object::I31(slot as i32 >> 1);
        }
        // SAFETY: as the caller promises, the slot is the offset of an object, which begins with its type id.
        match unsafe { *self.heap.at::<u32>(slot as u32) } {
            EXTERN => Object::External,
            EXN => Object::Exception,
            id => Object::Defined(id),
        }
    }

    /// The shape of a canonical type.
    ///
    /// # Safety
    /// `id` is the id of a struct or array type of one of the store's modules.
    pub unsafe fn shape(&self, id: u32) -> &Shape {
        // SAFETY: the store's list has the shapes of all its modules' types, which live as long as the registry.
        unsafe { &**self.shapes.add(id as usize) }
    }
}

impl Store {
    /// Learns the shapes of types that were registered since the last time.
    pub(crate) fn learn_shapes(&mut self) {
        let Store { registry, shapes, .. } = self;
        registry.shapes(shapes);
        self.vm_mut().shapes = self.shapes.as_ptr();
    }

    /// Gives the heap its place, which native code holds on to.
    #[cfg(feature = "std")]
    pub(crate) fn open_heap(&mut self) -> Result<(), LimitError> {
        let Store { vm, heap, limits, .. } = self;
        // SAFETY: the state of execution lives as long as the store, which is borrowed mutably.
        let view = unsafe { &mut vm.as_mut().heap };
        let opened = heap.open(view, limits.heap_bytes);
        opened.map_err(|_| LimitError::no_memory("the heap", limits.heap_bytes))
    }

    /// Makes room for an object of `bytes` bytes. Collects when it is time to. `top` is one past the last slot
    /// of the value stack that is in use.
    ///
    /// # Safety
    /// `top` is null or lies within the value stack.
    pub unsafe fn make_room(&mut self, bytes: u64, top: *const u64) -> Result<(), HeapError> {
        let limit = self.limits.heap_bytes;
        let make =
            |heap: &mut Heap, view: &mut HeapView, shapes: &[*const Shape], roots: Roots<'_>| {
                heap.make_room(view, bytes, limit, shapes, roots)
            };
        // SAFETY: as the caller promises.
        unsafe { self.with_roots(top, make) }
    }

    /// Collects now what nothing refers to.
    pub fn collect(&mut self) {
        let top = self.vm().sp;
        // SAFETY: between activations and at host calls `sp` is the first free slot of the value stack.
        unsafe { self.with_roots(top, Heap::collect) }
    }

    /// Whether every allocation collects, and what is dead is overwritten. For tests.
    pub fn set_stress(&mut self, stress: bool) {
        self.heap.set_stress(stress);
    }

    /// Figures about the heap.
    pub fn heap_stats(&self) -> HeapStats {
        self.heap.stats(&self.vm().heap)
    }

    /// Runs `f` on the heap with a function that shows all roots.
    ///
    /// # Safety
    /// `top` is null or lies within the value stack.
    unsafe fn with_roots<R>(
        &mut self,
        top: *const u64,
        f: impl FnOnce(&mut Heap, &mut HeapView, &[*const Shape], Roots<'_>) -> R,
    ) -> R {
        let Store { vm, heap, shapes, instances, globals, tables, handles, pending, .. } = self;
        #[cfg(feature = "std")]
        let contexts = self.contexts.iter().map(|context| context.globals());
        #[cfg(not(feature = "std"))]
        let contexts = core::iter::empty();
        // SAFETY: the state of execution lives as long as the store, which is borrowed mutably.
        let vm = unsafe { vm.as_mut() };
        let (base, view) = (vm.stack_base.cast_const(), &mut vm.heap);
        #[cfg(feature = "std")]
        let frames = vm.native.frames();
        let mut roots = |marker: &mut Marker<'_>| {
            #[cfg(feature = "std")]
            for at in frames.clone().step_by(8) {
                // SAFETY: the frames lie on the guest's stack, a mapping whose words hold whatever was written.
                let word = unsafe { *(at as *const u64) };
                marker.maybe(word);
                // References take four bytes, and two of them may stand in a word.
                marker.maybe(word & 0xffff_ffff);
                marker.maybe(word >> 32);
            }
            // SAFETY: records live as long as the store and nothing else refers to them now; the stack is
            // initialized memory up to its end.
            unsafe {
                let count = (top as usize).saturating_sub(base as usize) / 8;
                for slot in 0..count {
                    marker.maybe(*base.add(slot));
                }
                for list in globals.iter().chain(contexts.clone()) {
                    let list = list.as_ref().iter();
                    for global in list.filter(|global| global.ty.value.is_ref()) {
                        marker.maybe(global.value[0]);
                    }
                }
                for table in tables.iter() {
                    if table.as_ref().holds_objects {
                        let slots = table.as_ref().elements().iter();
                        slots.for_each(|slot| marker.reference(*slot));
                    }
                }
                for instance in instances.iter() {
                    let instance: &Instance = instance.as_ref();
                    let segments = instance.elements.iter().zip(&instance.code.module().elements);
                    for (slots, segment) in segments {
                        if let ElementItems::Exprs(_) = segment.items {
                            slots.iter().for_each(|slot| marker.maybe(*slot));
                        }
                    }
                }
            }
            handles.get_mut().slots().for_each(|slot| marker.reference(slot));
            pending.iter().for_each(|slot| marker.maybe(*slot));
        };
        f(heap, view, shapes, &mut roots)
    }

    /// Allocates an object of `bytes` bytes (a multiple of 8) with this header. The caller writes the rest before
    /// anything else is allocated.
    pub(crate) fn allocate(&mut self, bytes: u64, header: [u32; 2]) -> Result<u64, HeapError> {
        let top = self.vm().sp;
        let room = u32::try_from(bytes).map_err(|_| HeapError::TooLarge)?;
        // SAFETY: between activations and at host calls `sp` is the first free slot of the value stack. The header
        // lies within the object just made.
        unsafe {
            let at = match self.vm_mut().heap.bump(room) {
                Some(at) => at,
                None => {
                    self.make_room(bytes, top)?;
                    self.vm_mut().heap.bump(room).ok_or(HeapError::Exhausted)?
                }
            };
            *self.vm().heap.at(at) = header;
            Ok(u64::from(at))
        }
    }

    /// An object that stands for a host value, which the store keeps until the object cannot be reached any more.
    pub fn add_external(&mut self, value: Box<dyn Any + Send + Sync>) -> Result<Rooted, HeapError> {
        if self.heap.externals_are_full() {
            self.collect();
        }
        let number = self.heap.add_external(value).ok_or(HeapError::Exhausted)?;
        let slot = self.allocate(u64::from(HEADER_BYTES), [EXTERN, number])?;
        Ok(self.handles.get_mut().add(slot))
    }

    /// The host value that a handle leads to, when it leads to one.
    pub fn external(&self, handle: Rooted) -> Option<&(dyn Any + Send + Sync)> {
        let slot = self.rooted(handle)?;
        // SAFETY: a handle that is not null refers to an object of this store.
        if slot == 0 || unsafe { self.vm().object(slot) } != Object::External {
            return None;
        }
        // SAFETY: the object's header has two words.
        let number = unsafe { *self.vm().heap.at::<u32>(slot as u32 + 4) };
        self.heap.external(number)
    }

    /// Keeps what a slot refers to alive for the host.
    ///
    /// # Safety
    /// The slot holds null, an `i31` or a reference to an object of this store.
    pub unsafe fn root(&self, slot: u64) -> Rooted {
        self.handles.with(|handles| handles.add(slot))
    }

    /// The slot of a reference that the host holds; `None` when its scope ended.
    pub fn rooted(&self, handle: Rooted) -> Option<u64> {
        self.handles.with(|handles| handles.slot(handle))
    }

    /// Begins a scope of references in the host's hands.
    pub fn enter_scope(&mut self) -> usize {
        self.handles.get_mut().enter()
    }

    /// Ends the scope that [`Store::enter_scope`] began: references made since are gone.
    pub fn leave_scope(&mut self, mark: usize) {
        self.handles.get_mut().leave(mark);
    }

    /// What the reference of a handle leads to; `None` for null and for handles whose scope ended.
    pub fn object(&self, handle: Rooted) -> Option<Object> {
        let slot = self.rooted(handle).filter(|slot| *slot != 0)?;
        // SAFETY: a handle that is not null refers to an object of this store.
        Some(unsafe { self.vm().object(slot) })
    }

    /// The number of fields of a struct or of elements of an array.
    pub fn object_len(&self, handle: Rooted) -> Option<u32> {
        let (slot, shape) = self.defined(handle)?;
        Some(match shape.kind {
            // SAFETY: an array's header has two words, the second is its length.
            ShapeKind::Array => unsafe { *self.vm().heap.at::<u32>(slot + 4) },
            _ => shape.fields.len() as u32,
        })
    }

    fn defined(&self, handle: Rooted) -> Option<(u32, &Shape)> {
        let Some(Object::Defined(id)) = self.object(handle) else { return None };
        let slot = self.rooted(handle)? as u32;
        // SAFETY: the id stands in the header of an object of this store.
        Some((slot, unsafe { self.vm().shape(id) }))
    }

    /// The place of field or element `index` of the object of a handle.
    fn place(&self, handle: Rooted, index: u32) -> Option<(*mut u8, crate::Field)> {
        let (slot, shape) = self.defined(handle)?;
        if index >= self.object_len(handle)? {
            return None;
        }
        let field = *match shape.kind {
            ShapeKind::Array => shape.fields.first()?,
            _ => shape.fields.get(index as usize)?,
        };
        let step = match shape.kind {
            ShapeKind::Array => index << field.repr.log2(),
            _ => 0,
        };
        // SAFETY: the index is smaller than the number of fields or elements, so the place is within the object.
        Some((unsafe { self.vm().heap.at(slot + field.offset + step) }, field))
    }

    /// Field or element `index` of the object of a handle, as slots and with its type; packed integers are
    /// zero-extended.
    pub fn object_field(&self, handle: Rooted, index: u32) -> Option<([u64; 2], crate::Field)> {
        let (place, field) = self.place(handle, index)?;
        // SAFETY: the place is that of a field stored like this.
        Some((unsafe { load(place, field.repr) }, field))
    }

    /// Writes field or element `index` of the object of a handle; gives whether there is one.
    ///
    /// # Safety
    /// The slots hold a value of the field's type, of this store.
    pub unsafe fn set_object_field(&mut self, handle: Rooted, index: u32, value: [u64; 2]) -> bool {
        let Some((place, field)) = self.place(handle, index) else { return false };
        // SAFETY: the place is that of a field stored like this.
        unsafe { store(place, field.repr, value) };
        true
    }
}

/// Reads what is stored like this, as slots.
///
/// # Safety
/// `place` is the place of a field or element stored like this.
pub unsafe fn load(place: *const u8, repr: Repr) -> [u64; 2] {
    // SAFETY: as the caller promises. Sixteen-byte fields are aligned to 8 bytes.
    unsafe {
        match repr {
            Repr::I8 => [u64::from(*place), 0],
            Repr::I16 => [u64::from(*place.cast::<u16>()), 0],
            Repr::W32 | Repr::Ref => [u64::from(*place.cast::<u32>()), 0],
            Repr::W64 => [*place.cast::<u64>(), 0],
            Repr::V128 => *place.cast::<[u64; 2]>(),
        }
    }
}

/// Writes slots to where something is stored like this.
///
/// # Safety
/// As for [`load`].
pub unsafe fn store(place: *mut u8, repr: Repr, value: [u64; 2]) {
    // SAFETY: as the caller promises.
    unsafe {
        match repr {
            Repr::I8 => *place = value[0] as u8,
            Repr::I16 => *place.cast() = value[0] as u16,
            Repr::W32 | Repr::Ref => *place.cast() = value[0] as u32,
            Repr::W64 => *place.cast() = value[0],
            Repr::V128 => *place.cast() = value,
        }
    }
}

/// Writes `len` elements of 2^`log2` bytes, each the value in the one or two slots at `value`.
///
/// # Safety
/// So many elements are at `place`, and the slots are initialized.
#[inline(never)]
pub unsafe fn fill(place: *mut u8, log2: u32, value: *const u64, len: usize) {
    // SAFETY: as the caller promises; wide elements are aligned to 8 bytes.
    unsafe {
        match log2 {
            0 => place.write_bytes(*value as u8, len),
            1 => core::slice::from_raw_parts_mut(place.cast(), len).fill(*value as u16),
            2 => core::slice::from_raw_parts_mut(place.cast(), len).fill(*value as u32),
            3 => core::slice::from_raw_parts_mut(place.cast(), len).fill(*value),
            _ => {
                let value = [*value, *value.add(1)];
                core::slice::from_raw_parts_mut(place.cast::<[u64; 2]>(), len).fill(value);
            }
        }
    }
}
