//! Evaluation of constant expressions (Core specification, section 4.6.3). Called at instantiation. Operands
//! stand in the store's list of pending values, two words each, where a collection finds them.

use lithe_parser::{ConstExpr, ConstOp};
use lithe_types::TrapKind;

use crate::{
    Code, Global, Instance, InstantiateError, Repr, Shape, Store,
    objects::{self, I31_MASK},
};

/// What a constant expression may refer to: globals and functions created so far, and the module's types.
#[derive(Clone, Copy)]
pub(crate) struct Env<'a> {
    pub(crate) globals: &'a [*mut Global],
    pub(crate) instance: *const Instance,
    pub(crate) code: &'a Code,
}

type Result<T> = core::result::Result<T, InstantiateError>;

const MALFORMED: InstantiateError =
    InstantiateError::Unsupported("a malformed constant expression");

impl Store {
    /// The value of an expression as slots.
    pub(crate) fn evaluate(&mut self, env: Env<'_>, expr: &ConstExpr) -> Result<[u64; 2]> {
        let base = self.pending.len();
        let result = expr
            .ops()
            .iter()
            .try_for_each(|op| self.const_op(env, op, base))
            .and_then(|()| self.operand(base));
        self.pending.truncate(base);
        result
    }

    fn operand(&mut self, base: usize) -> Result<[u64; 2]> {
        match self.pending.len() >= base + 2 {
            true => {
                let high = self.pending.pop().unwrap_or_default();
                Ok([self.pending.pop().unwrap_or_default(), high])
            }
            false => Err(MALFORMED),
        }
    }

    fn const_op(&mut self, env: Env<'_>, op: &ConstOp, base: usize) -> Result<()> {
        let mut binary = |f: &dyn Fn(u64, u64) -> u64| -> Result<[u64; 2]> {
            let ([b, _], [a, _]) = (self.operand(base)?, self.operand(base)?);
            Ok([f(a, b), 0])
        };
        let narrow = |value: u32| u64::from(value);
        let value = match *op {
            ConstOp::I32Const(value) => [narrow(value as u32), 0],
            ConstOp::I64Const(value) => [value as u64, 0],
            ConstOp::F32Const(bits) => [narrow(bits), 0],
            ConstOp::F64Const(bits) => [bits, 0],
            ConstOp::V128Const(bits) => bits,
            ConstOp::RefNull => [0, 0],
            ConstOp::GlobalGet(index) => {
                let global = *env.globals.get(index as usize).ok_or(MALFORMED)?;
                // SAFETY: globals live as long as the store.
                unsafe { (*global).value }
            }
            ConstOp::RefFunc(index) => {
                // SAFETY: the instance lives as long as the store, and the index is less than the number of functions.
                let func = unsafe {
                    let instance = &*env.instance;
                    (index < instance.counts.funcs).then(|| instance.func(index))
                };
                [func.ok_or(MALFORMED)? as usize as u64, 0]
            }
            ConstOp::I32Add => binary(&|a, b| narrow((a as u32).wrapping_add(b as u32)))?,
            ConstOp::I32Sub => binary(&|a, b| narrow((a as u32).wrapping_sub(b as u32)))?,
            ConstOp::I32Mul => binary(&|a, b| narrow((a as u32).wrapping_mul(b as u32)))?,
            ConstOp::I64Add => binary(&|a, b| a.wrapping_add(b))?,
            ConstOp::I64Sub => binary(&|a, b| a.wrapping_sub(b))?,
            ConstOp::I64Mul => binary(&|a, b| a.wrapping_mul(b))?,
            ConstOp::RefI31 => {
                let [value, _] = self.operand(base)?;
                [value << 1 & I31_MASK | 1, 0]
            }
            ConstOp::StructNew(ty) => {
                let count = self.shape_of(env, ty)?.fields.len();
                let object = self.struct_new(env, ty)?;
                let values = self.operands(base, count)?;
                for (i, value) in self.pending[values..].as_chunks::<2>().0.iter().enumerate() {
                    let field = self.shape_of(env, ty)?.fields[i];
                    // SAFETY: the object was just made with this shape; validation proves the values' types.
                    unsafe {
                        let place = self.vm().heap.at(object as u32 + field.offset);
                        objects::store(place, field.repr, *value);
                    }
                }
                self.pending.truncate(values);
                [object, 0]
            }
            ConstOp::StructNewDefault(ty) => [self.struct_new(env, ty)?, 0],
            ConstOp::ArrayNew(ty) => {
                let [len, _] = self.operand(base)?;
                let value = self.pending.len();
                let array = self.array_new(env, ty, len as u32)?;
                let value = value.checked_sub(2).ok_or(MALFORMED)?;
                let value = [self.pending[value], self.pending[value + 1]];
                self.operand(base)?;
                let log2 = self.shape_of(env, ty)?.element().log2();
                // SAFETY: the array was just made with this many elements.
                unsafe {
                    let place = self.vm().heap.at(array as u32 + crate::HEADER_BYTES);
                    objects::fill(place, log2, value.as_ptr(), len as u32 as usize);
                }
                [array, 0]
            }
            ConstOp::ArrayNewDefault(ty) => {
                let [len, _] = self.operand(base)?;
                let array = self.array_new(env, ty, len as u32)?;
                let bytes = (len as u32 as usize) << self.shape_of(env, ty)?.element().log2();
                // SAFETY: the array was just made with this many elements.
                unsafe {
                    let place: *mut u8 = self.vm().heap.at(array as u32 + crate::HEADER_BYTES);
                    place.write_bytes(0, bytes);
                }
                [array, 0]
            }
            ConstOp::ArrayNewFixed(ty, len) => {
                let array = self.array_new(env, ty, len)?;
                let values = self.operands(base, len as usize)?;
                let list = self.pending.split_off(values);
                // SAFETY: the array was just made with this many elements; nothing is allocated meanwhile.
                unsafe {
                    self.array_elements(env, ty, array, list.as_chunks::<2>().0.iter().copied())?;
                }
                [array, 0]
            }
            ConstOp::Other(name) => return Err(InstantiateError::Unsupported(name)),
        };
        self.pending.extend(value);
        Ok(())
    }

    /// Where the last `count` operands begin.
    fn operands(&self, base: usize, count: usize) -> Result<usize> {
        let first = self.pending.len().checked_sub(2 * count);
        first.filter(|first| *first >= base).ok_or(MALFORMED)
    }

    fn shape_of(&self, env: Env<'_>, ty: u32) -> Result<&Shape> {
        let id = *env.code.types().get(ty as usize).ok_or(MALFORMED)?;
        // SAFETY: the store learned the shapes of the module's types before it evaluates anything.
        Ok(unsafe { self.vm().shape(id) })
    }

    /// A new struct whose fields are zero and null.
    fn struct_new(&mut self, env: Env<'_>, ty: u32) -> Result<u64> {
        let size = self.shape_of(env, ty)?.size;
        let id = env.code.types()[ty as usize];
        let object = self.allocate(u64::from(size), [id, 0]).map_err(TrapKind::from)?;
        let fields = size - crate::HEADER_BYTES;
        // SAFETY: the fields follow the header of the object just made.
        unsafe {
            let place: *mut u8 = self.vm().heap.at(object as u32 + crate::HEADER_BYTES);
            place.write_bytes(0, fields as usize);
        }
        Ok(object)
    }

    /// A new array whose elements the caller writes before anything else is allocated.
    fn array_new(&mut self, env: Env<'_>, ty: u32, len: u32) -> Result<u64> {
        let size = self.shape_of(env, ty)?.array_size(len);
        let id = env.code.types()[ty as usize];
        Ok(self.allocate(size, [id, len]).map_err(TrapKind::from)?)
    }

    /// Writes the elements of an array.
    ///
    /// # Safety
    /// `array` is an array of type `ty` with as many elements as there are values of its type.
    unsafe fn array_elements(
        &mut self,
        env: Env<'_>,
        ty: u32,
        array: u64,
        values: impl Iterator<Item = [u64; 2]>,
    ) -> Result<()> {
        let repr: Repr = self.shape_of(env, ty)?.element();
        for (i, value) in values.enumerate() {
            let offset = crate::HEADER_BYTES + ((i as u32) << repr.log2());
            // SAFETY: as the caller promises.
            unsafe { objects::store(self.vm().heap.at(array as u32 + offset), repr, value) };
        }
        Ok(())
    }
}
