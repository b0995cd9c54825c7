//! What is known of a type without walking it: the core values that its values are passed as (CanonicalABI.md,
//! "Flattening"), whether there are borrowed handles in them, and how deep it is. `build` makes a shape with each type, out
//! of those of its parts, since a type of few bytes may be large when all its parts are counted. Invariant: the first
//! [`MANY`] core values are right, and there are no more.

use std::rc::Rc;

use lithe::ValType;

use crate::types::{MANY, TooLarge, Type};

/// Types within one another, so that walking one never uses up the host's stack.
pub(crate) const MAX_TYPE_DEPTH: u32 = 100;

/// The shape of a type.
#[derive(Clone, Default, Debug)]
pub(crate) struct Shape {
    pub flat: Vec<ValType>,
    pub borrows: bool,
    /// Whether there are strings or lists in values, which lie in memory wherever the values are.
    pub points: bool,
    pub depth: u32,
}

impl Shape {
    /// The shape of a type without parts.
    pub fn of(ty: &Type) -> Shape {
        let flat = match ty {
            Type::S64 | Type::U64 => vec![ValType::I64],
            Type::F32 => vec![ValType::F32],
            Type::F64 => vec![ValType::F64],
            Type::String => vec![ValType::I32; 2],
            _ => vec![ValType::I32],
        };
        let points = matches!(ty, Type::String);
        Shape { flat, borrows: matches!(ty, Type::Borrow(_)), points, depth: 1 }
    }

    fn around<'s>(
        parts: impl Iterator<Item = &'s Rc<Shape>>,
        mut join: impl FnMut(&mut Vec<ValType>, &[ValType]),
    ) -> Result<Shape, TooLarge> {
        let mut whole = Shape::default();
        for part in parts {
            whole.borrows |= part.borrows;
            whole.points |= part.points;
            whole.depth = whole.depth.max(part.depth);
            join(&mut whole.flat, &part.flat);
            whole.flat.truncate(MANY.into());
        }
        whole.depth += 1;
        match whole.depth > MAX_TYPE_DEPTH {
            true => Err(TooLarge),
            false => Ok(whole),
        }
    }

    /// The shape of a record or tuple.
    pub fn record(parts: &[Rc<Shape>]) -> Result<Shape, TooLarge> {
        Shape::around(parts.iter(), |whole, part| whole.extend_from_slice(part))
    }

    /// The shape of a list of fixed length.
    pub fn repeated(part: &Rc<Shape>, count: u32) -> Result<Shape, TooLarge> {
        let count = count.min(MANY.into()) as usize;
        Shape::around(std::iter::repeat_n(part, count), |whole, part| {
            whole.extend_from_slice(part);
        })
    }

    /// The shape of a list or map.
    pub fn list(part: &Rc<Shape>) -> Result<Shape, TooLarge> {
        let whole = Shape::around([part].into_iter(), |whole, _| *whole = vec![ValType::I32; 2])?;
        Ok(Shape { points: true, ..whole })
    }

    /// The shape of a variant with these payloads.
    pub fn variant(parts: &[Rc<Shape>]) -> Result<Shape, TooLarge> {
        let mut payload = Vec::new();
        let mut whole = Shape::around(parts.iter(), |_, part| {
            for (i, ty) in part.iter().enumerate() {
                match payload.get_mut(i) {
                    Some(have) => *have = join(*have, *ty),
                    None => payload.push(*ty),
                }
            }
        })?;
        whole.flat.push(ValType::I32);
        whole.flat.extend(payload);
        whole.flat.truncate(MANY.into());
        Ok(whole)
    }
}

/// The core type that holds values of both.
fn join(a: ValType, b: ValType) -> ValType {
    match (a, b) {
        (a, b) if a == b => a,
        (ValType::I32 | ValType::F32, ValType::I32 | ValType::F32) => ValType::I32,
        _ => ValType::I64,
    }
}
