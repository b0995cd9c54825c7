//! WAVE, the text form of component values: arguments of `--invoke`, and what is printed. Used by `program`. Invariant:
//! text becomes a value only of the type that the function wants.

use std::borrow::Cow;

use lithe_component::{FuncType, Type, Val};
use wasm_wave::untyped::UntypedFuncCall;
use wasm_wave::wasm::{WasmType, WasmTypeKind, WasmValue, WasmValueError};

/// A call in WAVE, such as `reverse("abc")`.
pub struct Call<'s>(UntypedFuncCall<'s>);

impl<'s> Call<'s> {
    /// Reads a call, or says why it is none.
    pub fn parse(text: &'s str) -> Result<Call<'s>, String> {
        UntypedFuncCall::parse(text).map(Call).map_err(|error| error.to_string())
    }

    /// What is called.
    pub fn name(&self) -> &str {
        self.0.name()
    }

    /// The arguments, of the types that a function wants.
    pub fn arguments(&self, ty: &FuncType) -> Result<Vec<Val>, String> {
        let types: Vec<Ty> = ty.params.iter().map(|param| Ty(param.ty.clone())).collect();
        let values = self.0.to_wasm_params::<Value>(types.iter());
        let values = values.map_err(|error| error.to_string())?;
        Ok(values.into_iter().map(|value| value.0).collect())
    }
}

/// Whether values of a type can be written.
pub fn has_text(ty: &Type) -> bool {
    match ty {
        Type::Own(_) | Type::Borrow(_) => false,
        Type::List(element) => has_text(element),
        Type::FixedList(list) => has_text(&list.element),
        Type::Map(record) | Type::Record(record) | Type::Tuple(record) => {
            record.fields.iter().all(|field| has_text(&field.ty))
        }
        Type::Variant(variant) | Type::Option(variant) | Type::Result(variant) => {
            variant.cases.iter().filter_map(|case| case.ty.as_ref()).all(has_text)
        }
        _ => true,
    }
}

/// A value as text; its type has one.
pub fn text(value: Val) -> Result<String, String> {
    wasm_wave::to_string(&Value(value)).map_err(|error| error.to_string())
}

#[derive(Clone)]
struct Ty(Type);

#[derive(Clone)]
struct Value(Val);

type Items<'v, T> = Box<dyn Iterator<Item = T> + 'v>;

impl WasmType for Ty {
    fn kind(&self) -> WasmTypeKind {
        match &self.0 {
            Type::Bool => WasmTypeKind::Bool,
            Type::S8 => WasmTypeKind::S8,
            Type::U8 => WasmTypeKind::U8,
            Type::S16 => WasmTypeKind::S16,
            Type::U16 => WasmTypeKind::U16,
            Type::S32 => WasmTypeKind::S32,
            Type::U32 => WasmTypeKind::U32,
            Type::S64 => WasmTypeKind::S64,
            Type::U64 => WasmTypeKind::U64,
            Type::F32 => WasmTypeKind::F32,
            Type::F64 => WasmTypeKind::F64,
            Type::Char => WasmTypeKind::Char,
            Type::String => WasmTypeKind::String,
            Type::List(_) => WasmTypeKind::List,
            Type::FixedList(_) => WasmTypeKind::FixedLengthList,
            Type::Map(_) => WasmTypeKind::Map,
            Type::Record(_) => WasmTypeKind::Record,
            Type::Tuple(_) => WasmTypeKind::Tuple,
            Type::Variant(_) => WasmTypeKind::Variant,
            Type::Enum(_) => WasmTypeKind::Enum,
            Type::Option(_) => WasmTypeKind::Option,
            Type::Result(_) => WasmTypeKind::Result,
            Type::Flags(_) => WasmTypeKind::Flags,
            Type::Own(_) | Type::Borrow(_) => WasmTypeKind::Unsupported,
        }
    }

    fn list_element_type(&self) -> Option<Ty> {
        match &self.0 {
            Type::List(element) => Some(Ty((**element).clone())),
            Type::FixedList(list) => Some(Ty(list.element.clone())),
            _ => None,
        }
    }

    fn record_fields(&self) -> Items<'_, (Cow<'_, str>, Ty)> {
        match &self.0 {
            Type::Record(record) => {
                Box::new(record.fields.iter().map(|f| (Cow::Borrowed(&*f.name), Ty(f.ty.clone()))))
            }
            _ => Box::new(std::iter::empty()),
        }
    }

    fn tuple_element_types(&self) -> Items<'_, Ty> {
        match &self.0 {
            Type::Tuple(record) => Box::new(record.fields.iter().map(|f| Ty(f.ty.clone()))),
            _ => Box::new(std::iter::empty()),
        }
    }

    fn variant_cases(&self) -> Items<'_, (Cow<'_, str>, Option<Ty>)> {
        match &self.0 {
            Type::Variant(variant) => Box::new(
                variant.cases.iter().map(|c| (Cow::Borrowed(&*c.name), c.ty.clone().map(Ty))),
            ),
            _ => Box::new(std::iter::empty()),
        }
    }

    fn enum_cases(&self) -> Items<'_, Cow<'_, str>> {
        match &self.0 {
            Type::Enum(variant) => {
                Box::new(variant.cases.iter().map(|case| Cow::Borrowed(&*case.name)))
            }
            _ => Box::new(std::iter::empty()),
        }
    }

    fn option_some_type(&self) -> Option<Ty> {
        match &self.0 {
            Type::Option(variant) => variant.cases.get(1)?.ty.clone().map(Ty),
            _ => None,
        }
    }

    fn result_types(&self) -> Option<(Option<Ty>, Option<Ty>)> {
        match &self.0 {
            Type::Result(variant) => {
                let ty = |at: usize| variant.cases.get(at).and_then(|case| case.ty.clone()).map(Ty);
                Some((ty(0), ty(1)))
            }
            _ => None,
        }
    }

    fn flags_names(&self) -> Items<'_, Cow<'_, str>> {
        match &self.0 {
            Type::Flags(flags) => Box::new(flags.names.iter().map(|name| Cow::Borrowed(&**name))),
            _ => Box::new(std::iter::empty()),
        }
    }

    fn map_key_value_types(&self) -> Option<(Ty, Ty)> {
        match &self.0 {
            Type::Map(pair) => Some((Ty(pair.fields[0].ty.clone()), Ty(pair.fields[1].ty.clone()))),
            _ => None,
        }
    }
}

/// The functions of a value of one sort each; values of other sorts give the default, since the parser and the writer
/// ask for the kind first.
macro_rules! scalars {
    ($($kind:ident $ty:ty, $make:ident $unwrap:ident;)*) => {$(
        fn $make(value: $ty) -> Value {
            Value(Val::$kind(value))
        }
        fn $unwrap(&self) -> $ty {
            match self.0 {
                Val::$kind(value) => value,
                _ => Default::default(),
            }
        }
    )*};
}

impl WasmValue for Value {
    type Type = Ty;

    fn kind(&self) -> WasmTypeKind {
        match &self.0 {
            Val::Bool(_) => WasmTypeKind::Bool,
            Val::S8(_) => WasmTypeKind::S8,
            Val::U8(_) => WasmTypeKind::U8,
            Val::S16(_) => WasmTypeKind::S16,
            Val::U16(_) => WasmTypeKind::U16,
            Val::S32(_) => WasmTypeKind::S32,
            Val::U32(_) => WasmTypeKind::U32,
            Val::S64(_) => WasmTypeKind::S64,
            Val::U64(_) => WasmTypeKind::U64,
            Val::F32(_) => WasmTypeKind::F32,
            Val::F64(_) => WasmTypeKind::F64,
            Val::Char(_) => WasmTypeKind::Char,
            Val::String(_) => WasmTypeKind::String,
            Val::List(_) => WasmTypeKind::List,
            Val::Map(_) => WasmTypeKind::Map,
            Val::Record(_) => WasmTypeKind::Record,
            Val::Tuple(_) => WasmTypeKind::Tuple,
            Val::Variant(..) => WasmTypeKind::Variant,
            Val::Enum(_) => WasmTypeKind::Enum,
            Val::Option(_) => WasmTypeKind::Option,
            Val::Result(_) => WasmTypeKind::Result,
            Val::Flags(_) => WasmTypeKind::Flags,
            Val::Resource(_) => WasmTypeKind::Unsupported,
        }
    }

    scalars! {
        Bool bool, make_bool unwrap_bool;
        S8 i8, make_s8 unwrap_s8;
        U8 u8, make_u8 unwrap_u8;
        S16 i16, make_s16 unwrap_s16;
        U16 u16, make_u16 unwrap_u16;
        S32 i32, make_s32 unwrap_s32;
        U32 u32, make_u32 unwrap_u32;
        S64 i64, make_s64 unwrap_s64;
        U64 u64, make_u64 unwrap_u64;
        F32 f32, make_f32 unwrap_f32;
        F64 f64, make_f64 unwrap_f64;
        Char char, make_char unwrap_char;
    }

    fn make_string(value: Cow<'_, str>) -> Value {
        Value(Val::String(value.into_owned()))
    }

    fn make_list(_: &Ty, values: impl IntoIterator<Item = Value>) -> Result<Value, WasmValueError> {
        Ok(Value(Val::List(values.into_iter().map(|value| value.0).collect())))
    }

    fn make_record<'a>(
        ty: &Ty,
        fields: impl IntoIterator<Item = (&'a str, Value)>,
    ) -> Result<Value, WasmValueError> {
        let mut fields: Vec<(String, Val)> =
            fields.into_iter().map(|(name, value)| (name.to_owned(), value.0)).collect();
        if let Type::Record(record) = &ty.0 {
            let place = |name: &str| record.fields.iter().position(|field| *field.name == *name);
            fields.sort_by_key(|(name, _)| place(name));
        }
        Ok(Value(Val::Record(fields)))
    }

    fn make_tuple(
        _: &Ty,
        values: impl IntoIterator<Item = Value>,
    ) -> Result<Value, WasmValueError> {
        Ok(Value(Val::Tuple(values.into_iter().map(|value| value.0).collect())))
    }

    fn make_variant(_: &Ty, case: &str, value: Option<Value>) -> Result<Value, WasmValueError> {
        Ok(Value(Val::Variant(case.into(), value.map(|value| Box::new(value.0)))))
    }

    fn make_enum(_: &Ty, case: &str) -> Result<Value, WasmValueError> {
        Ok(Value(Val::Enum(case.into())))
    }

    fn make_option(_: &Ty, value: Option<Value>) -> Result<Value, WasmValueError> {
        Ok(Value(Val::Option(value.map(|value| Box::new(value.0)))))
    }

    fn make_result(
        _: &Ty,
        value: Result<Option<Value>, Option<Value>>,
    ) -> Result<Value, WasmValueError> {
        let own = |value: Option<Value>| value.map(|value| Box::new(value.0));
        Ok(Value(Val::Result(value.map(own).map_err(own))))
    }

    fn make_flags<'a>(
        _: &Ty,
        names: impl IntoIterator<Item = &'a str>,
    ) -> Result<Value, WasmValueError> {
        Ok(Value(Val::Flags(names.into_iter().map(str::to_owned).collect())))
    }

    fn make_map(
        _: &Ty,
        entries: impl IntoIterator<Item = (Value, Value)>,
    ) -> Result<Value, WasmValueError> {
        let entries = entries.into_iter().map(|(key, value)| (key.0, value.0));
        Ok(Value(Val::Map(entries.collect())))
    }

    fn unwrap_string(&self) -> Cow<'_, str> {
        match &self.0 {
            Val::String(text) => Cow::Borrowed(text),
            _ => Cow::Borrowed(""),
        }
    }

    fn unwrap_list(&self) -> Items<'_, Cow<'_, Value>> {
        match &self.0 {
            Val::List(values) => Box::new(values.iter().map(owned)),
            _ => Box::new(std::iter::empty()),
        }
    }

    fn unwrap_record(&self) -> Items<'_, (Cow<'_, str>, Cow<'_, Value>)> {
        match &self.0 {
            Val::Record(fields) => Box::new(
                fields.iter().map(|(name, value)| (Cow::Borrowed(name.as_str()), owned(value))),
            ),
            _ => Box::new(std::iter::empty()),
        }
    }

    fn unwrap_tuple(&self) -> Items<'_, Cow<'_, Value>> {
        match &self.0 {
            Val::Tuple(values) => Box::new(values.iter().map(owned)),
            _ => Box::new(std::iter::empty()),
        }
    }

    fn unwrap_variant(&self) -> (Cow<'_, str>, Option<Cow<'_, Value>>) {
        match &self.0 {
            Val::Variant(case, value) => (Cow::Borrowed(case), value.as_deref().map(owned)),
            _ => (Cow::Borrowed(""), None),
        }
    }

    fn unwrap_enum(&self) -> Cow<'_, str> {
        match &self.0 {
            Val::Enum(case) => Cow::Borrowed(case),
            _ => Cow::Borrowed(""),
        }
    }

    fn unwrap_option(&self) -> Option<Cow<'_, Value>> {
        match &self.0 {
            Val::Option(value) => value.as_deref().map(owned),
            _ => None,
        }
    }

    fn unwrap_result(&self) -> Result<Option<Cow<'_, Value>>, Option<Cow<'_, Value>>> {
        match &self.0 {
            Val::Result(Ok(value)) => Ok(value.as_deref().map(owned)),
            Val::Result(Err(value)) => Err(value.as_deref().map(owned)),
            _ => Ok(None),
        }
    }

    fn unwrap_flags(&self) -> Items<'_, Cow<'_, str>> {
        match &self.0 {
            Val::Flags(names) => Box::new(names.iter().map(|name| Cow::Borrowed(name.as_str()))),
            _ => Box::new(std::iter::empty()),
        }
    }

    fn unwrap_map(&self) -> Items<'_, (Cow<'_, Value>, Cow<'_, Value>)> {
        match &self.0 {
            Val::Map(pairs) => {
                Box::new(pairs.iter().map(|(key, value)| (owned(key), owned(value))))
            }
            _ => Box::new(std::iter::empty()),
        }
    }
}

fn owned(value: &Val) -> Cow<'_, Value> {
    Cow::Owned(Value(value.clone()))
}
