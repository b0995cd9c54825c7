//! What the translations of vector operators are made of. [`super::simd`] and the memory accesses call it. Invariant:
//! what is pushed is I8X16, whatever lanes it was computed in.

use cranelift_codegen::ir::{
    ConstantData, InstBuilder, InstructionData, Opcode, Type, Value, ValueDef,
    condcodes::{FloatCC, IntCC},
    types::{F64X2, I8, I16, I16X8, I32, I64X2},
};

use super::Translator;

impl Translator<'_> {
    /// Pops a value as this type, which for vectors is any of 128 bits.
    pub(super) fn pop_lanes(&mut self, ty: Type) -> Value {
        let value = self.pop();
        let dfg = &self.b.func.dfg;
        if dfg.value_type(value) == ty {
            return value;
        }
        // What was pushed with the same lanes needs no casts, which saves time of compilation.
        if let ValueDef::Result(inst, 0) = dfg.value_def(value)
            && let InstructionData::LoadNoOffset { opcode: Opcode::Bitcast, arg, .. } =
                dfg.insts[inst]
            && dfg.value_type(arg) == ty
        {
            return arg;
        }
        self.lanes(value, ty)
    }

    pub(super) fn pop2_lanes(&mut self, ty: Type) -> (Value, Value) {
        let b = self.pop_lanes(ty);
        (self.pop_lanes(ty), b)
    }

    /// A constant vector; the bytes in the order of memory.
    pub(super) fn vector_const(&mut self, ty: Type, bytes: [u8; 16]) -> Value {
        let bytes = self.b.func.dfg.constants.insert(ConstantData::from(&bytes[..]));
        self.b.ins().vconst(ty, bytes)
    }

    /// An operator of one vector, whose type is the controlling type.
    pub(super) fn lanes1(&mut self, ty: Type, opcode: Opcode) {
        let a = self.pop_lanes(ty);
        let value = self.ins1(opcode, ty, a);
        self.push_vector(value);
    }

    /// An operator of two vectors of the same type, which is the controlling type.
    pub(super) fn lanes2(&mut self, ty: Type, opcode: Opcode) {
        let (a, b) = self.pop2_lanes(ty);
        let value = self.ins2(opcode, a, b);
        self.push_vector(value);
    }

    /// A conversion of lanes of one width, whose controlling type is that of the result.
    pub(super) fn convert_lanes(&mut self, from: Type, opcode: Opcode, to: Type) {
        let a = self.pop_lanes(from);
        let value = self.ins1(opcode, to, a);
        self.push_vector(value);
    }

    pub(super) fn compare_lanes(&mut self, ty: Type, condition: IntCC) {
        let (a, b) = self.pop2_lanes(ty);
        let value = self.b.ins().icmp(condition, a, b);
        self.push_vector(value);
    }

    pub(super) fn compare_float_lanes(&mut self, ty: Type, condition: FloatCC) {
        let (a, b) = self.pop2_lanes(ty);
        let value = self.b.ins().fcmp(condition, a, b);
        self.push_vector(value);
    }

    /// A shift of all lanes; CLIF, too, takes the distance modulo their width.
    pub(super) fn shift(&mut self, ty: Type, opcode: Opcode) {
        let distance = self.pop();
        let a = self.pop_lanes(ty);
        let value = self.ins2(opcode, a, distance);
        self.push_vector(value);
    }

    /// Pops the scalar that a lane of `ty` is made of.
    fn pop_lane(&mut self, ty: Type) -> Value {
        let scalar = self.pop();
        match ty.lane_type() {
            lane @ (I8 | I16) => self.b.ins().ireduce(lane, scalar),
            _ => scalar,
        }
    }

    pub(super) fn splat(&mut self, ty: Type) {
        let lane = self.pop_lane(ty);
        let value = self.b.ins().splat(ty, lane);
        self.push_vector(value);
    }

    pub(super) fn extract(&mut self, ty: Type, lane: u8) {
        let a = self.pop_lanes(ty);
        let value = self.b.ins().extractlane(a, lane);
        self.push(value);
    }

    pub(super) fn extract_narrow(&mut self, ty: Type, lane: u8, extend: Opcode) {
        let a = self.pop_lanes(ty);
        let value = self.b.ins().extractlane(a, lane);
        let value = self.ins1(extend, I32, value);
        self.push(value);
    }

    pub(super) fn replace(&mut self, ty: Type, lane: u8) {
        let scalar = self.pop_lane(ty);
        let a = self.pop_lanes(ty);
        let value = self.b.ins().insertlane(a, scalar, lane);
        self.push_vector(value);
    }

    pub(super) fn test(&mut self, ty: Type, opcode: Opcode) {
        let a = self.pop_lanes(ty);
        let value = self.ins1(opcode, ty, a);
        self.push_bool(value);
    }

    pub(super) fn bitmask(&mut self, ty: Type) {
        let a = self.pop_lanes(ty);
        let value = self.b.ins().vhigh_bits(I32, a);
        self.push(value);
    }

    /// The second operand where it is less than the first one, else the first one. Machines with this very
    /// instruction find it in this form.
    pub(super) fn pseudo_min(&mut self, ty: Type) {
        let (a, b) = self.pop2_lanes(ty);
        let less = self.b.ins().fcmp(FloatCC::LessThan, b, a);
        self.push_choice(ty, less, b, a);
    }

    /// The second operand where the first one is less, else the first one.
    pub(super) fn pseudo_max(&mut self, ty: Type) {
        let (a, b) = self.pop2_lanes(ty);
        let less = self.b.ins().fcmp(FloatCC::LessThan, a, b);
        self.push_choice(ty, less, b, a);
    }

    fn push_choice(&mut self, ty: Type, condition: Value, a: Value, b: Value) {
        let condition = self.lanes(condition, ty);
        let value = self.b.ins().bitselect(condition, a, b);
        self.push_vector(value);
    }

    /// `a * b + c`, or with a negated `a`; each operation rounds.
    pub(super) fn multiply_add(&mut self, ty: Type, negate: bool) {
        let c = self.pop_lanes(ty);
        let (mut a, b) = self.pop2_lanes(ty);
        if negate {
            a = self.b.ins().fneg(a);
        }
        let product = self.b.ins().fmul(a, b);
        let value = self.b.ins().fadd(product, c);
        self.push_vector(value);
    }

    /// The product of lanes widened by `widen`.
    pub(super) fn product_of(&mut self, widen: Opcode, a: Value, b: Value) -> Value {
        let ty = self.type_of(a);
        let a = self.ins1(widen, ty, a);
        let b = self.ins1(widen, ty, b);
        self.b.ins().imul(a, b)
    }

    pub(super) fn wide_product(&mut self, ty: Type, widen: Opcode) {
        let (a, b) = self.pop2_lanes(ty);
        let value = self.product_of(widen, a, b);
        self.push_vector(value);
    }

    /// Pushes the sums of pairs of adjacent lanes, widened first.
    pub(super) fn pair_sums(&mut self, a: Value, low: Opcode, high: Opcode) {
        let ty = self.type_of(a);
        let low = self.ins1(low, ty, a);
        let high = self.ins1(high, ty, a);
        let value = self.b.ins().iadd_pairwise(low, high);
        self.push_vector(value);
    }

    /// The sums of the products of pairs of signed bytes, saturated to 16 bits. Each lane of 16 bits is a pair.
    pub(super) fn relaxed_dot(&mut self) -> Value {
        let (a, b) = self.pop2_lanes(I16X8);
        let low = |this: &mut Self, value| {
            let up = this.b.ins().ishl_imm_u(value, 8);
            this.b.ins().sshr_imm_u(up, 8)
        };
        let (low_a, low_b) = (low(self, a), low(self, b));
        let low = self.b.ins().imul(low_a, low_b);
        let high_a = self.b.ins().sshr_imm_u(a, 8);
        let high_b = self.b.ins().sshr_imm_u(b, 8);
        let high = self.b.ins().imul(high_a, high_b);
        self.b.ins().sadd_sat(low, high)
    }

    /// Two floats to two integers of 32 bits, saturated, and two zeros. Machines find this form.
    pub(super) fn truncate_doubles(&mut self, convert: Opcode, narrow: Opcode) {
        let a = self.pop_lanes(F64X2);
        let wide = self.ins1(convert, I64X2, a);
        let zero = self.vector_const(I64X2, [0; 16]);
        let value = self.ins2(narrow, wide, zero);
        self.push_vector(value);
    }
}
