//! Operators as text: the names of the specification and the immediates that fit a line. What shows code to people
//! calls it.

use core::fmt::{self, Formatter, Result};

use wasmparser::{
    BlockType, BrTable, Catch, HeapType, Ieee32, Ieee64, MemArg, MemArgTarget, Operator, Ordering,
    RefType, ResumeTable, TryTable, V128, ValType,
};

/// Shows an operator as in the text format, without the names that a module may give.
pub struct OperatorText<'a>(pub &'a Operator<'a>);

macro_rules! define {
    ($(@$proposal:ident $op:ident $({ $($arg:ident: $ty:ty),* })? => $visit:ident ($($ann:tt)*))*) => {
        impl fmt::Display for OperatorText<'_> {
            fn fmt(&self, f: &mut Formatter<'_>) -> Result {
                match self.0 {
                    $(Operator::$op $({ $($arg),* })? => {
                        name(stringify!($visit), f)?;
                        $($($arg.write(f)?;)*)?
                        Ok(())
                    })*
                    _ => f.write_str("unknown"),
                }
            }
        }
    };
}

wasmparser::for_each_operator!(define);

/// Writes the name of an operator from that of its visitor, which has underscores for dots.
fn name(visitor: &str, f: &mut Formatter<'_>) -> Result {
    const SPACES: &[&str] = &[
        "i32", "i64", "f32", "f64", "v128", "i8x16", "i16x8", "i32x4", "i64x2", "f32x4", "f64x2",
        "local", "global", "memory", "table", "ref", "struct", "array", "data", "elem", "any",
        "extern", "i31", "atomic",
    ];
    let name = visitor.strip_prefix("visit_").unwrap_or(visitor);
    let name = match name {
        "typed_select" | "typed_select_multi" => "select",
        "ref_test_non_null" | "ref_test_nullable" => "ref_test",
        "ref_cast_non_null" | "ref_cast_nullable" => "ref_cast",
        name => name,
    };
    let (space, rest) = match name.split_once('_') {
        Some((space, rest)) if SPACES.contains(&space) => (space, rest),
        _ => return f.write_str(name),
    };
    write!(f, "{space}.")?;
    let Some(rest) = rest.strip_prefix("atomic_") else { return f.write_str(rest) };
    match rest.split_once('_') {
        Some((width, rest)) if width.starts_with("rmw") => write!(f, "atomic.{width}.{rest}"),
        _ => write!(f, "atomic.{rest}"),
    }
}

/// What follows the name.
trait Immediate {
    fn write(&self, f: &mut Formatter<'_>) -> Result;
}

macro_rules! as_number {
    ($($ty:ty)*) => {
        $(impl Immediate for $ty {
            fn write(&self, f: &mut Formatter<'_>) -> Result {
                write!(f, " {self}")
            }
        })*
    };
}

as_number!(u8 u32 i32 i64 ValType RefType);

impl Immediate for Ieee32 {
    fn write(&self, f: &mut Formatter<'_>) -> Result {
        write!(f, " {:?}", f32::from_bits(self.bits()))
    }
}

impl Immediate for Ieee64 {
    fn write(&self, f: &mut Formatter<'_>) -> Result {
        write!(f, " {:?}", f64::from_bits(self.bits()))
    }
}

impl Immediate for V128 {
    fn write(&self, f: &mut Formatter<'_>) -> Result {
        write!(f, " {:#034x}", self.i128())
    }
}

impl Immediate for [u8; 16] {
    fn write(&self, f: &mut Formatter<'_>) -> Result {
        self.iter().try_for_each(|lane| write!(f, " {lane}"))
    }
}

impl Immediate for alloc::vec::Vec<ValType> {
    fn write(&self, f: &mut Formatter<'_>) -> Result {
        self.iter().try_for_each(|ty| write!(f, " {ty}"))
    }
}

impl Immediate for HeapType {
    fn write(&self, f: &mut Formatter<'_>) -> Result {
        match RefType::new(true, *self) {
            Some(ty) => write!(f, " {ty}"),
            None => Ok(()),
        }
    }
}

impl Immediate for Ordering {
    fn write(&self, f: &mut Formatter<'_>) -> Result {
        f.write_str(match self {
            Ordering::AcqRel => " acq_rel",
            Ordering::SeqCst => " seq_cst",
        })
    }
}

impl Immediate for MemArg {
    fn write(&self, f: &mut Formatter<'_>) -> Result {
        if let MemArgTarget::Memory(memory) = self.target
            && memory != 0
        {
            write!(f, " {memory}")?;
        }
        match self.offset {
            0 => Ok(()),
            offset => write!(f, " offset={offset}"),
        }
    }
}

impl Immediate for BlockType {
    fn write(&self, f: &mut Formatter<'_>) -> Result {
        match self {
            BlockType::Empty => Ok(()),
            BlockType::Type(ty) => write!(f, " (result {ty})"),
            BlockType::FuncType(ty) => write!(f, " (type {ty})"),
        }
    }
}

impl Immediate for BrTable<'_> {
    fn write(&self, f: &mut Formatter<'_>) -> Result {
        for target in self.targets().flatten() {
            write!(f, " {target}")?;
        }
        write!(f, " {}", self.default())
    }
}

impl Immediate for TryTable {
    fn write(&self, f: &mut Formatter<'_>) -> Result {
        self.ty.write(f)?;
        self.catches.iter().try_for_each(|catch| match catch {
            Catch::One { tag, label } => write!(f, " (catch {tag} {label})"),
            Catch::OneRef { tag, label } => write!(f, " (catch_ref {tag} {label})"),
            Catch::All { label } => write!(f, " (catch_all {label})"),
            Catch::AllRef { label } => write!(f, " (catch_all_ref {label})"),
        })
    }
}

impl Immediate for ResumeTable {
    fn write(&self, _: &mut Formatter<'_>) -> Result {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use alloc::string::ToString;

    use wasmparser::AbstractHeapType;

    use super::*;

    const EQ: HeapType = HeapType::Abstract { shared: false, ty: AbstractHeapType::Eq };

    #[test]
    fn names_are_those_of_the_specification() {
        let memarg = MemArg {
            align: 0,
            max_align: 0,
            offset: 8,
            target: MemArgTarget::Memory(2),
            ordering: None,
        };
        for (op, text) in [
            (Operator::I32Add, "i32.add"),
            (Operator::LocalGet { local_index: 3 }, "local.get 3"),
            (Operator::I32Load8S { memarg }, "i32.load8_s 2 offset=8"),
            (Operator::I64AtomicRmw16AddU { memarg }, "i64.atomic.rmw16.add_u 2 offset=8"),
            (Operator::MemoryAtomicWait32 { memarg }, "memory.atomic.wait32 2 offset=8"),
            (Operator::AtomicFence { ordering: Ordering::SeqCst }, "atomic.fence seq_cst"),
            (Operator::BrIf { relative_depth: 1 }, "br_if 1"),
            (Operator::CallIndirect { type_index: 1, table_index: 0 }, "call_indirect 1 0"),
            (Operator::RefAsNonNull, "ref.as_non_null"),
            (Operator::RefCastNonNull { hty: EQ }, "ref.cast eqref"),
            (Operator::BrOnNonNull { relative_depth: 0 }, "br_on_non_null 0"),
            (Operator::I31GetS, "i31.get_s"),
            (Operator::AnyConvertExtern, "any.convert_extern"),
            (Operator::F32Const { value: 1.5f32.into() }, "f32.const 1.5"),
            (Operator::I8x16RelaxedSwizzle, "i8x16.relaxed_swizzle"),
            (Operator::Block { blockty: BlockType::Type(ValType::I32) }, "block (result i32)"),
            (Operator::TypedSelect { ty: ValType::F64 }, "select f64"),
        ] {
            assert_eq!(OperatorText(&op).to_string(), text);
        }
    }
}
