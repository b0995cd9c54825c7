//! Numeric operations (Core specification, sections 4.3 and 4.4.1): generic over the operator, the operand
//! types and where the operands stand. SAFETY of all functions: the module invariant of `regs`.

use lithe_types::TrapKind;

use crate::regs::{Flow, Regs, Scalar};

/// Where the two operands of an operation stand.
pub(crate) trait Form<T> {
    /// Cells of the operation.
    const CELLS: usize;
    /// Whether one operand is an immediate.
    const IMM: bool;
    /// The operands.
    unsafe fn operands(r: &Regs) -> (T, T);
}

macro_rules! forms {
    ($($(#[$doc:meta])* $name:ident $imm:literal $cells:expr, |$r:ident| $a:expr, $b:expr;)*) => {$(
        $(#[$doc])*
        pub(crate) struct $name;
        impl<T: Scalar> Form<T> for $name {
            const CELLS: usize = $cells;
            const IMM: bool = $imm;
            #[inline(always)]
            unsafe fn operands($r: &Regs) -> (T, T) {
                // SAFETY: module invariant of `regs`.
                unsafe { ($a, $b) }
            }
        }
    )*};
}

forms! {
    /// Two slots.
    SS false 2, |r| T::from_slot(r.get(1)), T::from_slot(r.get(2));
    /// A slot and an immediate.
    SI true T::IMM_CELLS, |r| T::from_slot(r.get(1)), T::imm(r);
    /// An immediate and a slot.
    IS true T::IMM_CELLS, |r| T::imm(r), T::from_slot(r.get(1));
    /// The accumulator and a slot.
    AS false 2, |r| T::acc(r), T::from_slot(r.get(1));
    /// A slot and the accumulator.
    SA false 2, |r| T::from_slot(r.get(1)), T::acc(r);
    /// The accumulator and an immediate.
    AI true T::IMM_CELLS, |r| T::acc(r), T::imm(r);
    /// An immediate and the accumulator.
    IA true T::IMM_CELLS, |r| T::imm(r), T::acc(r);
    /// Of a branch: two slots.
    BrSS false 2, |r| T::from_slot(r.get(0)), T::from_slot(r.get(1));
    /// Of a branch: a slot and an immediate in a cell of its own.
    BrSI true 3, |r| T::from_slot(r.get(0)), T::from_slot(r.cell(2));
    /// Of a branch: the accumulator and a slot.
    BrAS false 2, |r| T::acc(r), T::from_slot(r.get(0));
    /// Of a branch: the accumulator and an immediate in a cell of its own.
    BrAI true 3, |r| T::acc(r), T::from_slot(r.cell(2));
}

#[inline(always)]
pub(crate) unsafe fn binary<T: Scalar, U: Scalar, F: Form<T>>(
    r: &mut Regs,
    f: impl FnOnce(T, T) -> U,
) -> Flow {
    // SAFETY: module invariant of `regs`.
    unsafe {
        let (a, b) = F::operands(r);
        f(a, b).set(r);
        r.next(F::CELLS)
    }
}

#[inline(always)]
pub(crate) unsafe fn try_binary<T: Scalar, U: Scalar, F: Form<T>>(
    r: &mut Regs,
    f: impl FnOnce(T, T) -> Result<U, TrapKind>,
) -> Flow {
    // SAFETY: module invariant of `regs`.
    unsafe {
        let (a, b) = F::operands(r);
        match f(a, b) {
            Ok(value) => {
                value.set(r);
                r.next(F::CELLS)
            }
            Err(kind) => kind.into(),
        }
    }
}

#[inline(always)]
unsafe fn operand<T: Scalar, const ACC: bool>(r: &Regs) -> T {
    match ACC {
        true => T::acc(r),
        // SAFETY: module invariant of `regs`.
        false => unsafe { T::from_slot(r.get(1)) },
    }
}

#[inline(always)]
pub(crate) unsafe fn unary<T: Scalar, U: Scalar, const ACC: bool>(
    r: &mut Regs,
    f: impl FnOnce(T) -> U,
) -> Flow {
    // SAFETY: module invariant of `regs`.
    unsafe {
        f(operand::<T, ACC>(r)).set(r);
        r.next(2)
    }
}

#[inline(always)]
pub(crate) unsafe fn try_unary<T: Scalar, U: Scalar, const ACC: bool>(
    r: &mut Regs,
    f: impl FnOnce(T) -> Result<U, TrapKind>,
) -> Flow {
    // SAFETY: module invariant of `regs`.
    unsafe {
        match f(operand::<T, ACC>(r)) {
            Ok(value) => {
                value.set(r);
                r.next(2)
            }
            Err(kind) => kind.into(),
        }
    }
}

/// A comparison fused with a branch that is taken when it gives `WANTED`.
#[inline(always)]
pub(crate) unsafe fn br_if<T: Scalar, F: Form<T>, const WANTED: bool, const BACK: bool>(
    r: &mut Regs,
    f: impl FnOnce(T, T) -> bool,
) -> Flow {
    // SAFETY: module invariant of `regs`.
    unsafe {
        let (a, b) = F::operands(r);
        super::control::branch::<BACK>(r, f(a, b) == WANTED, F::CELLS)
    }
}

/// Adds the lower half of the cell to the slot of field 0, compares it with the slot of field 1 or with the
/// cell's upper half, and goes back when the comparison holds.
#[inline(always)]
pub(crate) unsafe fn add_br_if<T: Scalar + Wrapping, const IMM: bool>(
    r: &mut Regs,
    f: impl FnOnce(T, T) -> bool,
) -> Flow {
    // SAFETY: module invariant of `regs`.
    unsafe {
        let cell = r.cell(2);
        let sum = T::from_slot(r.get(0)).add(T::from_slot(cell as i32 as u64));
        sum.set(r);
        let other = if IMM { (cell >> 32) as i32 as u64 } else { r.get(1) };
        super::control::branch::<true>(r, f(sum, T::from_slot(other)), 3)
    }
}

/// Addition modulo the width of the type.
pub(crate) trait Wrapping {
    fn add(self, other: Self) -> Self;
}

impl Wrapping for u32 {
    #[inline(always)]
    fn add(self, other: u32) -> u32 {
        self.wrapping_add(other)
    }
}

impl Wrapping for u64 {
    #[inline(always)]
    fn add(self, other: u64) -> u64 {
        self.wrapping_add(other)
    }
}
