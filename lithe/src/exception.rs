//! Tags, exceptions as values, and exceptions that no guest caught. Invariant: a handle of an exception is of a
//! reference that the store keeps.

use std::fmt;
use std::ptr::NonNull;

use lithe_runtime as rt;
use lithe_types::FuncType;

use crate::{
    AsContext, AsContextMut, Error, Frame, Result, Val,
    backtrace::{self, RawFrame},
    check,
    raw::{self, Handle},
    refs::Ref,
    store::StoreInner,
};

/// A tag: what exceptions are thrown with and caught by.
#[derive(Clone, Copy, PartialEq)]
pub struct Tag {
    pub(crate) handle: Handle<rt::Tag>,
}

impl fmt::Debug for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Tag")
    }
}

impl Tag {
    /// A new tag, which differs from every other one. The parameters of `ty` are the types of the payload; it has
    /// no results.
    pub fn new(mut store: impl AsContextMut, ty: FuncType) -> Result<Tag> {
        let store = store.store_mut();
        check::func_type(&ty, store)?;
        if !ty.results.is_empty() {
            return Err(Error::usage("the type of a tag has no results"));
        }
        let id = store.rt.register_func(&ty)?;
        Ok(Tag { handle: Handle::new(store.id, store.rt.add_tag(id)) })
    }

    /// The type: its parameters are the types of the payload.
    pub fn ty(&self, store: impl AsContext) -> Result<FuncType> {
        let store = store.store();
        Ok((*self.handle.get(store.id, &store.rt)?.signature).clone())
    }
}

/// A reference to an exception, which guests can pass around and throw again.
#[derive(Clone, Copy, Debug)]
pub struct ExnRef(pub(crate) Ref);

impl ExnRef {
    /// A new exception. A host function throws it with [`Error::exception_of`].
    pub fn new(mut store: impl AsContextMut, tag: Tag, fields: &[Val]) -> Result<ExnRef> {
        let store = store.store_mut();
        let ty = tag.handle.get(store.id, &store.rt)?.signature.share();
        if fields.len() != ty.params.len() {
            let (want, have) = (ty.params.len(), fields.len());
            let message = format!("an exception of this tag has {want} fields; {have} were given");
            return Err(Error::usage(message));
        }
        let mut slots = Vec::new();
        for (value, ty) in fields.iter().zip(&ty.params) {
            let pair = value.to_slots(*ty, store)?;
            slots.extend_from_slice(&pair[..ty.slots() as usize]);
        }
        let rooted = raw::new_exception(store.id, &mut store.rt, tag.handle, &slots)??;
        Ok(ExnRef(Ref { store: store.id, rooted }))
    }

    /// Whether both refer to the same exception.
    pub fn same(&self, other: &ExnRef, store: impl AsContext) -> Result<bool> {
        self.0.same(&other.0, store)
    }

    /// The tag.
    pub fn tag(&self, store: impl AsContext) -> Result<Tag> {
        let store = store.store();
        self.0.slot(store.id, &store.rt)?;
        let found = store.rt.exception(self.0.rooted);
        let (tag, _) = found.ok_or_else(|| Error::usage("the exception does not exist"))?;
        Ok(Tag { handle: Handle::new(store.id, tag) })
    }

    /// The payload.
    pub fn fields(&self, store: impl AsContext) -> Result<Vec<Val>> {
        let ty = self.tag(&store)?.ty(&store)?;
        let store = store.store();
        let slots = store.rt.exception(self.0.rooted).map_or(&[][..], |(_, payload)| payload);
        let mut at = 0;
        let fields = ty.params.iter().map(|ty| {
            let value = Val::from_slots(*ty, &slots[at..], store.id, &store.rt);
            at += ty.slots() as usize;
            value
        });
        Ok(fields.collect())
    }

    /// The tag for people: by its name, or by its type.
    pub(crate) fn describe<T>(&self, store: &StoreInner<T>) -> Result<String> {
        use lithe_parser::ExternKind;
        let tag = self.tag(store)?;
        let record = tag.handle.get(store.id, &store.rt)?;
        let unnamed = || format!("a tag of {}", record.signature);
        let Some(instance) = NonNull::new(record.instance) else { return Ok(unnamed()) };
        let instance = Handle::new(store.id, instance);
        let module = instance.get(store.id, &store.rt)?.code.module();
        let export = || {
            let mut exports = module.exports.iter();
            let found = exports.find(|e| e.kind == ExternKind::Tag && e.index == record.index);
            found.map(|export| export.name.clone())
        };
        let name = module.tag_name(record.index).or_else(export);
        Ok(name.map_or_else(unnamed, |name| format!("tag `{name}`")))
    }
}

/// An exception that left the guest, with its backtrace.
#[derive(Debug)]
pub struct Exception {
    pub(crate) reference: ExnRef,
    pub(crate) frames: Vec<RawFrame>,
}

impl Exception {
    pub(crate) fn new(reference: ExnRef) -> Exception {
        Exception { reference, frames: Vec::new() }
    }

    /// The exception as a value.
    pub fn reference(&self) -> ExnRef {
        self.reference
    }

    /// The tag.
    pub fn tag(&self, store: impl AsContext) -> Result<Tag> {
        self.reference.tag(store)
    }

    /// The payload.
    pub fn fields(&self, store: impl AsContext) -> Result<Vec<Val>> {
        self.reference.fields(store)
    }

    /// The frames that the exception left since it was thrown last, innermost first.
    pub fn frames(&self) -> Vec<Frame> {
        backtrace::resolve(&self.frames)
    }
}
