//! What can be observed of a run, comparable between stores. Called by `compare`.

use lithe::{Error, ErrorKind, ExnRef, FuncType, Kind, Store, TrapKind, Val};

use crate::host::{Host, is_full};

/// References that are followed from a value on.
const DEPTH: u32 = 3;
/// Elements that are looked at, at each end of an array.
const ELEMENTS: u32 = 4;

/// What a call or an instantiation came to.
#[derive(PartialEq, Debug)]
pub enum End {
    /// It returned.
    Values(Vec<Seen>),
    /// Kind and frames (function and byte offset).
    Trap(TrapKind, Vec<(u32, u32)>),
    /// What it is, the exception and the frames, likewise.
    Exception(String, Seen, Vec<(u32, u32)>),
    /// A limit of the store's.
    Limit(String),
}

impl End {
    /// How a call ended that did not return.
    pub fn of(store: &mut Store<Host>, error: &Error) -> End {
        if let Some(trap) = error.trap() {
            let frames = trap.frames();
            let mut frames: Vec<(u32, u32)> = frames.iter().map(|f| (f.func, f.offset)).collect();
            // A frame that did not fit stands before its first operation, which fuel is one of.
            if let (TrapKind::StackExhausted, [(_, offset), ..]) = (trap.kind(), &mut frames[..]) {
                *offset = 0;
            }
            return End::Trap(trap.kind(), frames);
        }
        if let Some(exception) = error.exception() {
            let seen = Seen::new(store, &Val::ExnRef(Some(exception.reference())));
            let frames = exception.frames();
            let frames = frames.iter().map(|f| (f.func, f.offset)).collect();
            return End::Exception(error.to_string(), seen, frames);
        }
        match error.kind() {
            ErrorKind::Limit => End::Limit(error.to_string()),
            _ => panic!("a valid module with fitting imports: {error}"),
        }
    }

    /// Whether an engine with more room in its heap might not have ended like this.
    pub fn is_full(&self) -> bool {
        match self {
            End::Trap(kind, _) => is_full(*kind),
            End::Limit(_) => true,
            _ => false,
        }
    }

    /// Whether a stack was exhausted.
    pub fn is_deep(&self) -> bool {
        matches!(self, End::Trap(TrapKind::StackExhausted, _))
    }

    /// A word for statistics.
    pub fn name(&self) -> String {
        match self {
            End::Values(_) => "returned".into(),
            End::Trap(kind, _) => format!("trap {kind:?}"),
            End::Exception(..) => "uncaught exception".into(),
            End::Limit(_) => "limit".into(),
        }
    }
}

/// A value, and what it leads to.
#[derive(PartialEq, Debug)]
pub enum Seen {
    /// An integer or a vector.
    Bits(u128),
    /// A float.
    F32(u32),
    /// A float.
    F64(u64),
    /// A function.
    Func(FuncType),
    /// A null reference of any type.
    Null,
    /// A small integer.
    I31(i32),
    /// A struct: its type and fields.
    Struct(u32, Vec<Seen>),
    /// An array: its type, length and some elements.
    Array(u32, u32, Vec<Seen>),
    /// A value of the host.
    Host(Option<u64>),
    /// An exception: the place of its tag among the module's, the type of the tag, the payload.
    Exception(Option<usize>, FuncType, Vec<Seen>),
    /// A reference that is not followed.
    Deep,
}

impl Seen {
    /// A value of `store`.
    pub fn new(store: &mut Store<Host>, value: &Val) -> Seen {
        store.scope(|store| Seen::at(store, value, DEPTH))
    }

    fn at(store: &Store<Host>, value: &Val, depth: u32) -> Seen {
        let any = match value {
            Val::I32(x) => return Seen::Bits(u128::from(*x as u32)),
            Val::I64(x) => return Seen::Bits(u128::from(*x as u64)),
            Val::F32(bits) => return Seen::F32(*bits),
            Val::F64(bits) => return Seen::F64(*bits),
            Val::V128(bits) => return Seen::Bits(*bits),
            Val::FuncRef(Some(func)) => return Seen::Func(func.ty(store).expect("own store")),
            Val::ExnRef(Some(exception)) => return Seen::exception(store, exception, depth),
            Val::AnyRef(Some(any)) => *any,
            Val::ExternRef(Some(external)) => external.to_any(),
            Val::FuncRef(None) | Val::AnyRef(None) | Val::ExternRef(None) | Val::ExnRef(None) => {
                return Seen::Null;
            }
        };
        let len = any.len(store).expect("own store").unwrap_or(0);
        let fields = |at_each_end: u32| -> Vec<Seen> {
            let head = len.min(at_each_end);
            let tail = head.max(len.saturating_sub(at_each_end));
            let field = |i| any.get(store, i).expect("there is such a field");
            (0..head).chain(tail..len).map(|i| Seen::at(store, &field(i), depth - 1)).collect()
        };
        match any.kind(store).expect("own store") {
            Kind::I31(value) => Seen::I31(value),
            Kind::Struct(_) | Kind::Array(_) if depth == 0 => Seen::Deep,
            Kind::Struct(id) => Seen::Struct(id, fields(u32::MAX)),
            Kind::Array(id) => Seen::Array(id, len, fields(ELEMENTS)),
            _ => {
                let external = any.to_extern();
                Seen::Host(external.data(&store).ok().and_then(|data| data.downcast_ref().copied()))
            }
        }
    }

    fn exception(store: &Store<Host>, exception: &ExnRef, depth: u32) -> Seen {
        if depth == 0 {
            return Seen::Deep;
        }
        let tag = exception.tag(store).expect("own store");
        let place = store.data().tags.iter().position(|known| *known == tag);
        let fields = exception.fields(store).expect("own store");
        let fields = fields.iter().map(|field| Seen::at(store, field, depth - 1)).collect();
        Seen::Exception(place, tag.ty(store).expect("own store"), fields)
    }
}
