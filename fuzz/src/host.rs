//! The embedder that fuzzed modules see: imports, host functions and values. Called by `compare`. Invariant: all it
//! does depends only on the module, the seed and what the guest did.

use lithe::{
    AnyRef, AsContextMut, Caller, Error, ExnRef, Extern, ExternRef, ExternType, Func, FuncType,
    Global, HeapType, Kind, Memory, RefType, Result, Store, Table, Tag, TrapKind, Val, ValType,
};

use crate::smith::splitmix;

/// Depth of guest calls that the host makes inside a host call.
const REENTRIES: u32 = 3;
/// Depth of exceptions that the host makes to be payloads of each other.
const NESTED: u32 = 2;
/// References that the host keeps to give them to guests later.
const KEPT: usize = 32;
/// Bytes at the start of a memory that the host writes to.
const WRITTEN: usize = 1 << 10;

/// What host functions know.
#[derive(Default)]
pub struct Host {
    /// Advances with every decision, so that equal engines see equal hosts.
    pub random: u64,
    /// Whether the heap had no room for a value of the host's.
    pub refused: bool,
    /// Whether a call of the host's exhausted a stack.
    pub overflowed: bool,
    depth: u32,
    memories: Vec<Memory>,
    funcs: Vec<Func>,
    /// The exported tags, in order.
    pub tags: Vec<Tag>,
    making: u32,
    kept: Vec<(RefType, Val)>,
}

/// A store with its host, from outside a call or from inside.
pub trait Context: AsContextMut<Data = Host> {
    /// The host.
    fn host(&mut self) -> &mut Host;
}

impl Context for Store<Host> {
    fn host(&mut self) -> &mut Host {
        self.data_mut()
    }
}

impl Context for Caller<'_, Host> {
    fn host(&mut self) -> &mut Host {
        self.data_mut()
    }
}

impl Host {
    /// A host whose decisions follow from `seed`.
    pub fn new(seed: u64) -> Host {
        Host { random: seed, ..Host::default() }
    }

    /// Takes note of an instance's exports.
    pub fn meet(&mut self, exports: &[Extern]) {
        self.funcs = exports.iter().filter_map(|entity| entity.func()).collect();
        self.memories = exports.iter().filter_map(|entity| entity.memory()).collect();
        self.tags = exports.iter().filter_map(|entity| entity.tag()).collect();
    }

    /// Keeps a reference for later calls. It was made at top level, so it stays valid.
    pub fn keep(&mut self, ty: ValType, value: Val) {
        if let ValType::Ref(ty) = ty
            && !value.is_null()
            && self.kept.len() < KEPT
        {
            self.kept.push((ty, value));
        }
    }

    /// The next decision.
    pub fn next(&mut self) -> u64 {
        splitmix(&mut self.random)
    }

    /// Bits that are often at the edge of something.
    fn bits(&mut self) -> u64 {
        const EDGES: [u64; 16] = [
            0,
            1,
            2,
            u64::MAX,
            i64::MIN as u64,
            i64::MAX as u64,
            0x8000_0000,
            0x7fff_ffff,
            0xffff,
            0x1_0000,
            0x7ff8_0000_0000_0000,
            0x7fc0_0000,
            0x3ff0_0000_0000_0000,
            0x3f80_0000,
            0x4330_0000_0000_0000,
            0x8000_0000_0000_0001,
        ];
        match self.next() % 4 {
            0 => self.next(),
            1 => self.next() % 0x1_0000,
            _ => EDGES[(self.next() % 16) as usize],
        }
    }
}

/// A value of type `ty`; `None` when the host has none.
pub fn value(context: &mut impl Context, ty: ValType) -> Option<Val> {
    let host = context.host();
    Some(match ty {
        ValType::I32 => Val::I32(host.bits() as i32),
        ValType::I64 => Val::I64(host.bits() as i64),
        ValType::F32 => Val::F32(host.bits() as u32),
        ValType::F64 => Val::F64(host.bits()),
        ValType::V128 => Val::V128(u128::from(host.bits()) << 64 | u128::from(host.bits())),
        ValType::Ref(ty) => {
            if ty.nullable && host.next().is_multiple_of(8) {
                return Val::default_of(ValType::Ref(ty));
            }
            let value = reference(context, ty);
            return value.or_else(|| Val::default_of(ValType::Ref(ty)));
        }
    })
}

/// A reference that is not null.
fn reference(context: &mut impl Context, ty: RefType) -> Option<Val> {
    let (choice, bits) = (context.host().next(), context.host().bits());
    let kept = kept(context, ty, choice >> 32);
    if choice.is_multiple_of(2) && kept.is_some() {
        return kept;
    }
    match ty.heap {
        HeapType::Any | HeapType::Eq | HeapType::I31 => {
            Some(Val::AnyRef(Some(AnyRef::from_i31(context, bits as i32))))
        }
        HeapType::Extern if choice % 4 == 1 => {
            Some(Val::ExternRef(Some(AnyRef::from_i31(context, bits as i32).to_extern())))
        }
        HeapType::Extern => match ExternRef::new(&mut *context, bits) {
            Ok(value) => Some(Val::ExternRef(Some(value))),
            Err(_) => {
                context.host().refused = true;
                None
            }
        },
        HeapType::Exn => exception(context).map(|exception| Val::ExnRef(Some(exception))),
        HeapType::Func => {
            let funcs = &context.host().funcs;
            let at = (choice >> 32) as usize % funcs.len().max(1);
            funcs.get(at).map(|func| Val::FuncRef(Some(*func)))
        }
        _ => kept,
    }
}

/// One of the kept references that fit type `ty`.
fn kept(context: &mut impl Context, ty: RefType, choice: u64) -> Option<Val> {
    let kept = context.host().kept.clone();
    let fit = kept.into_iter().filter_map(|(have, value)| {
        let fits = match (value, ty.heap) {
            _ if have.heap == ty.heap => true,
            (Val::AnyRef(Some(_)), HeapType::Any) => true,
            (Val::AnyRef(Some(any)), heap) => match any.kind(&*context).expect("own store") {
                Kind::I31(_) => matches!(heap, HeapType::I31 | HeapType::Eq),
                Kind::Struct(id) => {
                    matches!(heap, HeapType::Struct | HeapType::Eq)
                        || heap == HeapType::Concrete(id)
                }
                Kind::Array(id) => {
                    matches!(heap, HeapType::Array | HeapType::Eq) || heap == HeapType::Concrete(id)
                }
                _ => false,
            },
            (Val::FuncRef(_), heap) => heap == HeapType::Func,
            _ => false,
        };
        fits.then_some(value)
    });
    let fit: Vec<Val> = fit.collect();
    fit.get(choice as usize % fit.len().max(1)).copied()
}

/// An exception of one of the module's tags.
fn exception(context: &mut impl Context) -> Option<ExnRef> {
    let host = context.host();
    // A payload may be of exceptions again.
    if host.tags.is_empty() || host.making == NESTED {
        return None;
    }
    let choice = host.next() as usize;
    let tag = host.tags[choice % host.tags.len()];
    host.making += 1;
    let types = tag.ty(&*context).expect("own store").params;
    let fields: Option<Vec<Val>> = types.iter().map(|ty| value(context, *ty)).collect();
    context.host().making -= 1;
    let made = ExnRef::new(&mut *context, tag, &fields?);
    context.host().refused |= made.is_err();
    made.ok()
}

/// Something to import; `None` when the host cannot make it.
pub fn import_of(store: &mut Store<Host>, ty: ExternType) -> Option<Extern> {
    Some(match ty {
        ExternType::Func(ty) => {
            let own = ty.clone();
            let host = move |caller: Caller<'_, Host>, args: &[Val], out: &mut [Val]| {
                function(caller, &own, args, out)
            };
            Func::new(store, ty, host).ok()?.into()
        }
        ExternType::Memory(ty) => Memory::new(store, ty).ok()?.into(),
        ExternType::Table(ty) => {
            let init = value(store, ValType::Ref(ty.element))?;
            Table::new(store, ty, init).ok()?.into()
        }
        ExternType::Global(ty) => {
            let value = value(store, ty.value)?;
            Global::new(store, ty, value).ok()?.into()
        }
        ExternType::Tag(ty) => Tag::new(store, ty).ok()?.into(),
    })
}

/// What every imported function does: something to the guest's state, then results.
fn function(
    mut caller: Caller<'_, Host>,
    ty: &FuncType,
    args: &[Val],
    out: &mut [Val],
) -> Result<()> {
    let choice = caller.host().next();
    let memories = caller.data().memories.len();
    match choice % 16 {
        0 => return Err(Error::trap_of(TrapKind::Unreachable)),
        1..=2 if memories > 0 => {
            let memory = caller.data().memories[(choice >> 8) as usize % memories];
            // The memory may be at its limit.
            let _ = memory.grow(&mut caller, 1);
        }
        3..=5 if memories > 0 => {
            let memory = caller.data().memories[(choice >> 8) as usize % memories];
            let mut byte = [0];
            let at = (choice >> 16) as usize % WRITTEN;
            if memory.read(&caller, at, &mut byte).is_ok() {
                memory.write(&mut caller, at, &[byte[0] ^ choice as u8])?;
            }
        }
        6..=9 if caller.data().depth < REENTRIES => reenter(&mut caller, choice)?,
        10..=11 => {
            if let Some(exception) = exception(&mut caller) {
                return Err(Error::exception_of(exception));
            }
        }
        12 => alter(&mut caller, args, choice),
        _ => {}
    }
    for (slot, want) in out.iter_mut().zip(&ty.results) {
        let echoed = args.iter().zip(&ty.params).find(|(_, have)| *have == want);
        *slot = match echoed {
            Some((value, _)) if caller.host().next().is_multiple_of(2) => *value,
            _ => match value(&mut caller, *want) {
                Some(value) => value,
                None => return Err(Error::trap_of(TrapKind::Unreachable)),
            },
        };
    }
    Ok(())
}

/// Writes one field of an object over another.
fn alter(caller: &mut Caller<'_, Host>, args: &[Val], choice: u64) {
    let mut objects = args.iter().filter_map(|value| match value {
        Val::AnyRef(Some(any)) => Some(any),
        _ => None,
    });
    let Some(object) = objects.next() else { return };
    let len = object.len(&*caller).expect("own store").unwrap_or(0);
    if len > 0 {
        let (from, to) = ((choice >> 8) as u32 % len, (choice >> 32) as u32 % len);
        let value = object.get(&*caller, from).expect("there is such a field");
        // The field may be immutable, or of another type.
        let _ = object.set(caller, to, value);
    }
}

/// Whether a trap depends on the room in the heap.
pub fn is_full(kind: TrapKind) -> bool {
    matches!(kind, TrapKind::HeapExhausted | TrapKind::AllocationTooLarge)
}

/// Calls the guest from within a host call. Half of the traps and exceptions inside stop the outer guest too; all
/// do that another engine might not have.
fn reenter(caller: &mut Caller<'_, Host>, choice: u64) -> Result<()> {
    let funcs = caller.data().funcs.len();
    if funcs == 0 {
        return Ok(());
    }
    let func = caller.data().funcs[(choice >> 8) as usize % funcs];
    let ty = func.ty(&*caller)?;
    let args = ty.params.iter().map(|ty| value(caller, *ty));
    let Some(args) = args.collect::<Option<Vec<Val>>>() else { return Ok(()) };
    let mut results = vec![Val::I32(0); ty.results.len()];
    caller.host().depth += 1;
    let result = func.call(&mut *caller, &args, &mut results);
    caller.host().depth -= 1;
    let Err(error) = result else { return Ok(()) };
    let overflowed = error.trap().is_some_and(|trap| trap.kind() == TrapKind::StackExhausted);
    caller.host().overflowed |= overflowed;
    let scarce = match (error.trap(), error.exception()) {
        (Some(trap), _) => trap.kind() == TrapKind::OutOfFuel || is_full(trap.kind()),
        (None, exception) => exception.is_none(),
    };
    if scarce || choice & 1 << 40 == 0 { Err(error) } else { Ok(()) }
}
