//! The types of component functions and values, with the shapes that they have in memory and as core values
//! (CanonicalABI.md, "Alignment", "Element Size" and "Flattening"). `build` makes them once for each component;
//! lifting and lowering read them. Invariant: sizes, offsets and flat forms are computed when a type is made.

use std::fmt;
use std::rc::Rc;
use std::sync::Arc;

use lithe::ValType;

use crate::shape::Shape;

/// Core values that parameters are passed as at most; more are passed in memory.
pub const MAX_FLAT_PARAMS: usize = 16;
/// Core values that a result is returned as at most; more are returned in memory.
pub const MAX_FLAT_RESULTS: usize = 1;
/// Bytes that a value takes in memory at most, without what its strings and lists point to.
pub const MAX_VALUE_BYTES: u32 = 1 << 28;

/// The type of a value.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Type {
    /// `bool`
    Bool,
    /// `s8`
    S8,
    /// `u8`
    U8,
    /// `s16`
    S16,
    /// `u16`
    U16,
    /// `s32`
    S32,
    /// `u32`
    U32,
    /// `s64`
    S64,
    /// `u64`
    U64,
    /// `f32`
    F32,
    /// `f64`
    F64,
    /// `char`
    Char,
    /// `string`
    String,
    /// `list<T>`
    List(Arc<Type>),
    /// `list<T, N>`
    FixedList(Arc<FixedList>),
    /// `map<K, V>`, in memory a list of pairs.
    Map(Arc<Record>),
    /// `record { ... }`
    Record(Arc<Record>),
    /// `tuple<...>`; the fields are called by their numbers.
    Tuple(Arc<Record>),
    /// `variant { ... }`
    Variant(Arc<Variant>),
    /// `enum { ... }`
    Enum(Arc<Variant>),
    /// `option<T>`, the cases `none` and `some`.
    Option(Arc<Variant>),
    /// `result<T, E>`, the cases `ok` and `error`.
    Result(Arc<Variant>),
    /// `flags { ... }`
    Flags(Arc<Flags>),
    /// `own<R>`
    Own(ResourceType),
    /// `borrow<R>`
    Borrow(ResourceType),
}

/// A resource type, by its number in its component.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct ResourceType(pub(crate) u32);

/// A list of so many elements.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct FixedList {
    /// The type of the elements.
    pub element: Type,
    /// How many there are.
    pub count: u32,
    pub(crate) abi: Abi,
}

/// A record or tuple.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Record {
    /// The fields in order.
    pub fields: Box<[Field]>,
    pub(crate) abi: Abi,
}

/// A field of a record.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Field {
    /// Its name.
    pub name: Arc<str>,
    /// Its type.
    pub ty: Type,
    pub(crate) offset: u32,
}

/// A variant, or what has the shape of one.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Variant {
    /// The cases in order.
    pub cases: Box<[Case]>,
    /// Bytes of the discriminant.
    pub(crate) tag_size: u32,
    /// Where payloads begin.
    pub(crate) payload: u32,
    pub(crate) abi: Abi,
}

/// A case of a variant.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Case {
    /// Its name.
    pub name: Arc<str>,
    /// The type of its payload.
    pub ty: Option<Type>,
}

/// Flags.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Flags {
    /// Their names, from the lowest bit on.
    pub names: Box<[Arc<str>]>,
}

/// How a type lies in memory, and how many core values it takes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Abi {
    pub size: u32,
    pub align: u32,
    /// Core values; [`MANY`] when there are more than fit anywhere.
    pub flat: u8,
}

/// More core values than parameters may be.
pub(crate) const MANY: u8 = MAX_FLAT_PARAMS as u8 + 1;

/// The type of a function.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct FuncType {
    /// The parameters.
    pub params: Box<[Field]>,
    /// The result.
    pub result: Option<Type>,
    /// The parameters as a tuple in memory.
    pub(crate) params_abi: Abi,
    borrows: bool,
    params_point: bool,
    result_points: bool,
    flat_params: Vec<ValType>,
    flat_result: Vec<ValType>,
}

/// A type is larger than a value may be.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TooLarge;

pub(crate) fn align_to(at: u32, align: u32) -> Option<u32> {
    Some(at.checked_add(align - 1)? & !(align - 1))
}

impl Abi {
    const fn scalar(size: u32) -> Abi {
        Abi { size, align: size, flat: 1 }
    }

    const POINTER_PAIR: Abi = Abi { size: 8, align: 4, flat: 2 };
}

/// Gives fields their offsets.
pub(crate) fn lay_out(fields: &mut [Field]) -> Result<Abi, TooLarge> {
    let (mut size, mut align, mut flat) = (0, 1, 0u8);
    for field in fields {
        let abi = field.ty.abi();
        field.offset = align_to(size, abi.align).ok_or(TooLarge)?;
        size = field.offset.checked_add(abi.size).ok_or(TooLarge)?;
        align = align.max(abi.align);
        flat = flat.saturating_add(abi.flat).min(MANY);
    }
    let size = align_to(size, align).filter(|size| *size <= MAX_VALUE_BYTES).ok_or(TooLarge)?;
    Ok(Abi { size, align, flat })
}

impl Record {
    pub(crate) fn new(mut fields: Vec<Field>) -> Result<Arc<Record>, TooLarge> {
        let abi = lay_out(&mut fields)?;
        Ok(Arc::new(Record { fields: fields.into(), abi }))
    }

    pub(crate) fn tuple(types: impl IntoIterator<Item = Type>) -> Result<Arc<Record>, TooLarge> {
        let fields = types.into_iter().enumerate();
        Record::new(fields.map(|(i, ty)| Field::new(&i.to_string(), ty)).collect())
    }
}

impl Field {
    pub(crate) fn new(name: &str, ty: Type) -> Field {
        Field { name: name.into(), ty, offset: 0 }
    }
}

impl FixedList {
    pub(crate) fn new(element: Type, count: u32) -> Result<Arc<FixedList>, TooLarge> {
        let abi = element.abi();
        let size = abi.size.checked_mul(count).filter(|size| *size <= MAX_VALUE_BYTES);
        let flat = u32::from(abi.flat).saturating_mul(count).min(u32::from(MANY)) as u8;
        let abi = Abi { size: size.ok_or(TooLarge)?, align: abi.align, flat };
        Ok(Arc::new(FixedList { element, count, abi }))
    }
}

impl Variant {
    pub(crate) fn new(cases: Vec<Case>) -> Result<Arc<Variant>, TooLarge> {
        let tag_size = match cases.len() {
            0..=0x100 => 1,
            0x101..=0x1_0000 => 2,
            _ => 4,
        };
        let abis = || cases.iter().filter_map(|case| case.ty.as_ref()).map(Type::abi);
        let align = abis().map(|abi| abi.align).max().unwrap_or(1);
        let largest = abis().map(|abi| abi.size).max().unwrap_or(0);
        let flat = abis().map(|abi| abi.flat).max().unwrap_or(0).saturating_add(1).min(MANY);
        let payload = align_to(tag_size, align).ok_or(TooLarge)?;
        let align = align.max(tag_size);
        let size = payload.checked_add(largest).and_then(|size| align_to(size, align));
        let size = size.filter(|size| *size <= MAX_VALUE_BYTES).ok_or(TooLarge)?;
        let abi = Abi { size, align, flat };
        Ok(Arc::new(Variant { cases: cases.into(), tag_size, payload, abi }))
    }

    pub(crate) fn enumeration(
        names: impl IntoIterator<Item = Arc<str>>,
    ) -> Result<Arc<Variant>, TooLarge> {
        Variant::new(names.into_iter().map(|name| Case { name, ty: None }).collect())
    }

    pub(crate) fn option(some: Type) -> Result<Arc<Variant>, TooLarge> {
        let case = |name: &str, ty| Case { name: name.into(), ty };
        Variant::new(vec![case("none", None), case("some", Some(some))])
    }

    pub(crate) fn result(ok: Option<Type>, error: Option<Type>) -> Result<Arc<Variant>, TooLarge> {
        let case = |name: &str, ty| Case { name: name.into(), ty };
        Variant::new(vec![case("ok", ok), case("error", error)])
    }

    /// The number of the case of this name.
    pub fn case(&self, name: &str) -> Option<usize> {
        self.cases.iter().position(|case| &*case.name == name)
    }
}

impl Flags {
    /// Bytes that they take. The validator admits 32 at most.
    pub(crate) fn size(&self) -> u32 {
        match self.names.len() {
            0..=8 => 1,
            9..=16 => 2,
            _ => 4,
        }
    }

    /// The bits that have names.
    pub(crate) fn mask(&self) -> u32 {
        u32::MAX.checked_shr(32 - self.names.len().min(32) as u32).unwrap_or(0)
    }
}

impl Type {
    pub(crate) fn abi(&self) -> Abi {
        match self {
            Type::Bool | Type::S8 | Type::U8 => Abi::scalar(1),
            Type::S16 | Type::U16 => Abi::scalar(2),
            Type::S32 | Type::U32 | Type::F32 | Type::Char | Type::Own(_) | Type::Borrow(_) => {
                Abi::scalar(4)
            }
            Type::S64 | Type::U64 | Type::F64 => Abi::scalar(8),
            Type::String | Type::List(_) | Type::Map(_) => Abi::POINTER_PAIR,
            Type::FixedList(list) => list.abi,
            Type::Record(record) | Type::Tuple(record) => record.abi,
            Type::Variant(variant)
            | Type::Enum(variant)
            | Type::Option(variant)
            | Type::Result(variant) => variant.abi,
            Type::Flags(flags) => Abi::scalar(flags.size()),
        }
    }

    /// Whether values of this type are numbers of this size and nothing else, so that a list of them is plain bytes.
    pub(crate) fn plain(&self) -> Option<u32> {
        match self {
            Type::U8 | Type::S8 => Some(1),
            Type::U16 | Type::S16 => Some(2),
            Type::U32 | Type::S32 | Type::F32 => Some(4),
            Type::U64 | Type::S64 | Type::F64 => Some(8),
            _ => None,
        }
    }
}

impl FuncType {
    /// A type of these parameters, whose shapes are those of a record, and this result.
    pub(crate) fn new(
        mut params: Vec<Field>,
        shape: &Shape,
        result: Option<(Type, Rc<Shape>)>,
    ) -> Result<FuncType, TooLarge> {
        let params_abi = lay_out(&mut params)?;
        let (result, result_shape) = result.unzip();
        Ok(FuncType {
            params: params.into(),
            params_abi,
            borrows: shape.borrows,
            params_point: shape.points,
            result_points: result_shape.as_ref().is_some_and(|shape| shape.points),
            flat_params: shape.flat.clone(),
            flat_result: result_shape.map_or_else(Vec::new, |shape| shape.flat.clone()),
            result,
        })
    }

    /// Whether parameters are passed in memory.
    pub(crate) fn params_in_memory(&self) -> bool {
        usize::from(self.params_abi.flat) > MAX_FLAT_PARAMS
    }

    /// Whether the result is returned in memory.
    pub(crate) fn result_in_memory(&self) -> bool {
        self.flat_result.len() > MAX_FLAT_RESULTS
    }

    /// Whether something of the parameters lies in memory.
    pub(crate) fn params_need_memory(&self) -> bool {
        self.params_point || self.params_in_memory()
    }

    /// Whether something of the result lies in memory.
    pub(crate) fn result_needs_memory(&self) -> bool {
        self.result_points || self.result_in_memory()
    }

    /// The core values that parameters are passed as, but for the place of a result in memory.
    fn core_params(&self) -> Vec<ValType> {
        match self.params_in_memory() {
            true => vec![ValType::I32],
            false => self.flat_params.clone(),
        }
    }

    /// The type of the core function that this becomes when it is lowered.
    pub(crate) fn lowered(&self) -> lithe::FuncType {
        let mut params = self.core_params();
        match self.result_in_memory() {
            true => {
                params.push(ValType::I32);
                lithe::FuncType::new(params, [])
            }
            false => lithe::FuncType::new(params, self.flat_result.iter().copied()),
        }
    }

    /// The slots that a call of the lifted core function takes.
    pub(crate) fn lifted_slots(&self) -> usize {
        self.core_params().len().max(self.flat_result.len().min(MAX_FLAT_RESULTS))
    }

    /// Whether there are borrowed handles among the parameters.
    pub(crate) fn has_borrow(&self) -> bool {
        self.borrows
    }
}

fn list<T: fmt::Display>(
    f: &mut fmt::Formatter<'_>,
    items: impl Iterator<Item = T>,
) -> fmt::Result {
    for (i, item) in items.enumerate() {
        let comma = if i > 0 { ", " } else { "" };
        write!(f, "{comma}{item}")?;
    }
    Ok(())
}

/// The type as WIT writes it, records and their like in full.
impl fmt::Display for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names =
            |f: &mut fmt::Formatter<'_>, word: &str, names: &mut dyn Iterator<Item = &Arc<str>>| {
                write!(f, "{word} {{ ")?;
                list(f, names)?;
                f.write_str(" }")
            };
        match self {
            Type::Bool => f.write_str("bool"),
            Type::S8 => f.write_str("s8"),
            Type::U8 => f.write_str("u8"),
            Type::S16 => f.write_str("s16"),
            Type::U16 => f.write_str("u16"),
            Type::S32 => f.write_str("s32"),
            Type::U32 => f.write_str("u32"),
            Type::S64 => f.write_str("s64"),
            Type::U64 => f.write_str("u64"),
            Type::F32 => f.write_str("f32"),
            Type::F64 => f.write_str("f64"),
            Type::Char => f.write_str("char"),
            Type::String => f.write_str("string"),
            Type::List(element) => write!(f, "list<{element}>"),
            Type::FixedList(list) => write!(f, "list<{}, {}>", list.element, list.count),
            Type::Map(pair) => {
                f.write_str("map<")?;
                list(f, pair.fields.iter().map(|field| &field.ty))?;
                f.write_str(">")
            }
            Type::Record(record) => {
                f.write_str("record { ")?;
                list(f, record.fields.iter())?;
                f.write_str(" }")
            }
            Type::Tuple(record) => {
                f.write_str("tuple<")?;
                list(f, record.fields.iter().map(|field| &field.ty))?;
                f.write_str(">")
            }
            Type::Variant(variant) => {
                f.write_str("variant { ")?;
                list(f, variant.cases.iter())?;
                f.write_str(" }")
            }
            Type::Enum(variant) => {
                names(f, "enum", &mut variant.cases.iter().map(|case| &case.name))
            }
            Type::Flags(flags) => names(f, "flags", &mut flags.names.iter()),
            Type::Option(variant) => match variant.cases.last().and_then(|case| case.ty.as_ref()) {
                Some(some) => write!(f, "option<{some}>"),
                None => f.write_str("option"),
            },
            Type::Result(variant) => match (&variant.cases[0].ty, &variant.cases[1].ty) {
                (None, None) => f.write_str("result"),
                (Some(ok), None) => write!(f, "result<{ok}>"),
                (None, Some(error)) => write!(f, "result<_, {error}>"),
                (Some(ok), Some(error)) => write!(f, "result<{ok}, {error}>"),
            },
            Type::Own(_) => f.write_str("own resource"),
            Type::Borrow(_) => f.write_str("borrow resource"),
        }
    }
}

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.name, self.ty)
    }
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.ty {
            Some(ty) => write!(f, "{}({ty})", self.name),
            None => f.write_str(&self.name),
        }
    }
}

impl fmt::Display for FuncType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("func(")?;
        list(f, self.params.iter())?;
        f.write_str(")")?;
        match &self.result {
            Some(result) => write!(f, " -> {result}"),
            None => Ok(()),
        }
    }
}
