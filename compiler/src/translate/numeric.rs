//! Numeric operators (Core specification, section 4.3) and wide arithmetic to CLIF. Called for each operator; the
//! vector operators share the helpers. Invariant: with [`Traps::Checks`] nothing that is executed faults, and no
//! trap instruction is reached.

use cranelift_codegen::ir::{
    InstBuilder, InstructionData, Opcode, Type, Value, ValueDef,
    condcodes::{FloatCC, IntCC},
    immediates::{Ieee32, Ieee64},
    types::{F32, F64, I8, I16, I32, I64, I128},
};
use lithe_parser::Operator as O;
use lithe_runtime::abi::Traps;
use lithe_types::TrapKind;

use super::Translator;

impl Translator<'_> {
    /// Translates an operator, or returns false when it is none of these.
    pub(super) fn numeric(&mut self, op: &O<'_>) -> bool {
        match *op {
            O::I32Const { value } => self.int_const(I32, i64::from(value.cast_unsigned())),
            O::I64Const { value } => self.int_const(I64, value),
            O::F32Const { value } => {
                let value = self.b.ins().f32const(Ieee32::with_bits(value.bits()));
                self.push(value);
            }
            O::F64Const { value } => {
                let value = self.b.ins().f64const(Ieee64::with_bits(value.bits()));
                self.push(value);
            }

            O::I32Clz | O::I64Clz => self.unary(Opcode::Clz),
            O::I32Ctz | O::I64Ctz => self.unary(Opcode::Ctz),
            O::I32Popcnt | O::I64Popcnt => self.unary(Opcode::Popcnt),
            O::I32Add | O::I64Add => self.binary(Opcode::Iadd),
            O::I32Sub | O::I64Sub => self.binary(Opcode::Isub),
            O::I32Mul | O::I64Mul => self.binary(Opcode::Imul),
            O::I32DivS | O::I64DivS => self.divide(Opcode::Sdiv),
            O::I32DivU | O::I64DivU => self.divide(Opcode::Udiv),
            O::I32RemS | O::I64RemS => self.divide(Opcode::Srem),
            O::I32RemU | O::I64RemU => self.divide(Opcode::Urem),
            O::I32And | O::I64And => self.binary(Opcode::Band),
            O::I32Or | O::I64Or => self.binary(Opcode::Bor),
            O::I32Xor | O::I64Xor => self.binary(Opcode::Bxor),
            O::I32Shl | O::I64Shl => self.binary(Opcode::Ishl),
            O::I32ShrS | O::I64ShrS => self.binary(Opcode::Sshr),
            O::I32ShrU | O::I64ShrU => self.binary(Opcode::Ushr),
            O::I32Rotl | O::I64Rotl => self.binary(Opcode::Rotl),
            O::I32Rotr | O::I64Rotr => self.binary(Opcode::Rotr),

            O::I32Eqz | O::I64Eqz => {
                let value = self.pop();
                let zero = self.b.ins().icmp_imm_u(IntCC::Equal, value, 0);
                self.push_bool(zero);
            }
            O::I32Eq | O::I64Eq => self.compare(IntCC::Equal),
            O::I32Ne | O::I64Ne => self.compare(IntCC::NotEqual),
            O::I32LtS | O::I64LtS => self.compare(IntCC::SignedLessThan),
            O::I32LtU | O::I64LtU => self.compare(IntCC::UnsignedLessThan),
            O::I32GtS | O::I64GtS => self.compare(IntCC::SignedGreaterThan),
            O::I32GtU | O::I64GtU => self.compare(IntCC::UnsignedGreaterThan),
            O::I32LeS | O::I64LeS => self.compare(IntCC::SignedLessThanOrEqual),
            O::I32LeU | O::I64LeU => self.compare(IntCC::UnsignedLessThanOrEqual),
            O::I32GeS | O::I64GeS => self.compare(IntCC::SignedGreaterThanOrEqual),
            O::I32GeU | O::I64GeU => self.compare(IntCC::UnsignedGreaterThanOrEqual),
            O::F32Eq | O::F64Eq => self.compare_floats(FloatCC::Equal),
            O::F32Ne | O::F64Ne => self.compare_floats(FloatCC::NotEqual),
            O::F32Lt | O::F64Lt => self.compare_floats(FloatCC::LessThan),
            O::F32Gt | O::F64Gt => self.compare_floats(FloatCC::GreaterThan),
            O::F32Le | O::F64Le => self.compare_floats(FloatCC::LessThanOrEqual),
            O::F32Ge | O::F64Ge => self.compare_floats(FloatCC::GreaterThanOrEqual),

            O::F32Abs | O::F64Abs => self.unary(Opcode::Fabs),
            O::F32Neg | O::F64Neg => self.unary(Opcode::Fneg),
            O::F32Ceil | O::F64Ceil => self.unary(Opcode::Ceil),
            O::F32Floor | O::F64Floor => self.unary(Opcode::Floor),
            O::F32Trunc | O::F64Trunc => self.unary(Opcode::Trunc),
            O::F32Nearest | O::F64Nearest => self.unary(Opcode::Nearest),
            O::F32Sqrt | O::F64Sqrt => self.unary(Opcode::Sqrt),
            O::F32Add | O::F64Add => self.binary(Opcode::Fadd),
            O::F32Sub | O::F64Sub => self.binary(Opcode::Fsub),
            O::F32Mul | O::F64Mul => self.binary(Opcode::Fmul),
            O::F32Div | O::F64Div => self.binary(Opcode::Fdiv),
            O::F32Min | O::F64Min => self.binary(Opcode::Fmin),
            O::F32Max | O::F64Max => self.binary(Opcode::Fmax),
            O::F32Copysign | O::F64Copysign => self.binary(Opcode::Fcopysign),

            O::I32WrapI64 => self.convert(Opcode::Ireduce, I32),
            O::I64ExtendI32S => self.convert(Opcode::Sextend, I64),
            O::I64ExtendI32U => self.convert(Opcode::Uextend, I64),
            O::I32Extend8S | O::I64Extend8S => self.sign_extend(I8),
            O::I32Extend16S | O::I64Extend16S => self.sign_extend(I16),
            O::I64Extend32S => self.sign_extend(I32),
            O::F32ConvertI32S | O::F32ConvertI64S => self.convert(Opcode::FcvtFromSint, F32),
            O::F32ConvertI32U | O::F32ConvertI64U => self.convert(Opcode::FcvtFromUint, F32),
            O::F64ConvertI32S | O::F64ConvertI64S => self.convert(Opcode::FcvtFromSint, F64),
            O::F64ConvertI32U | O::F64ConvertI64U => self.convert(Opcode::FcvtFromUint, F64),
            O::F32DemoteF64 => self.convert(Opcode::Fdemote, F32),
            O::F64PromoteF32 => self.convert(Opcode::Fpromote, F64),
            O::I32ReinterpretF32 => self.reinterpret(I32),
            O::I64ReinterpretF64 => self.reinterpret(I64),
            O::F32ReinterpretI32 => self.reinterpret(F32),
            O::F64ReinterpretI64 => self.reinterpret(F64),
            O::I32TruncSatF32S | O::I32TruncSatF64S => self.convert(Opcode::FcvtToSintSat, I32),
            O::I32TruncSatF32U | O::I32TruncSatF64U => self.convert(Opcode::FcvtToUintSat, I32),
            O::I64TruncSatF32S | O::I64TruncSatF64S => self.convert(Opcode::FcvtToSintSat, I64),
            O::I64TruncSatF32U | O::I64TruncSatF64U => self.convert(Opcode::FcvtToUintSat, I64),
            O::I32TruncF32S => self.truncate(I32, true, -2147483904.0, 2147483648.0),
            O::I32TruncF32U => self.truncate(I32, false, -1.0, 4294967296.0),
            O::I32TruncF64S => self.truncate(I32, true, -2147483649.0, 2147483648.0),
            O::I32TruncF64U => self.truncate(I32, false, -1.0, 4294967296.0),
            O::I64TruncF32S => {
                self.truncate(I64, true, -9223373136366403584.0, 9223372036854775808.0);
            }
            O::I64TruncF32U => self.truncate(I64, false, -1.0, 18446744073709551616.0),
            O::I64TruncF64S => {
                self.truncate(I64, true, -9223372036854777856.0, 9223372036854775808.0);
            }
            O::I64TruncF64U => self.truncate(I64, false, -1.0, 18446744073709551616.0),

            O::I64Add128 => self.wide(Opcode::Iadd),
            O::I64Sub128 => self.wide(Opcode::Isub),
            O::I64MulWideS => self.wide_multiply(Opcode::Sextend),
            O::I64MulWideU => self.wide_multiply(Opcode::Uextend),
            _ => return false,
        }
        self.canonicalize(op);
        true
    }

    /// An instruction of one operand; `ty` is its controlling type.
    pub(super) fn ins1(&mut self, opcode: Opcode, ty: Type, a: Value) -> Value {
        let (inst, dfg) = self.b.ins().Unary(opcode, ty, a);
        dfg.first_result(inst)
    }

    /// An instruction of two operands, the first of which has the controlling type.
    pub(super) fn ins2(&mut self, opcode: Opcode, a: Value, b: Value) -> Value {
        let ty = self.type_of(a);
        let (inst, dfg) = self.b.ins().Binary(opcode, ty, a, b);
        dfg.first_result(inst)
    }

    pub(super) fn type_of(&self, value: Value) -> Type {
        self.b.func.dfg.value_type(value)
    }

    /// Pushes a truth value of CLIF as an `i32`.
    pub(super) fn push_bool(&mut self, value: Value) {
        let value = self.b.ins().uextend(I32, value);
        self.push(value);
    }

    fn int_const(&mut self, ty: Type, value: i64) {
        let value = self.b.ins().iconst(ty, value);
        self.push(value);
    }

    fn unary(&mut self, opcode: Opcode) {
        let a = self.pop();
        let ty = self.type_of(a);
        let value = self.ins1(opcode, ty, a);
        self.push(value);
    }

    fn binary(&mut self, opcode: Opcode) {
        let (a, b) = self.pop2();
        let value = self.ins2(opcode, a, b);
        self.push(value);
    }

    /// A conversion, whose controlling type is that of the result.
    fn convert(&mut self, opcode: Opcode, ty: Type) {
        let a = self.pop();
        let value = self.ins1(opcode, ty, a);
        self.push(value);
    }

    fn compare(&mut self, condition: IntCC) {
        let (a, b) = self.pop2();
        let value = self.b.ins().icmp(condition, a, b);
        self.push_bool(value);
    }

    fn compare_floats(&mut self, condition: FloatCC) {
        let (a, b) = self.pop2();
        let value = self.b.ins().fcmp(condition, a, b);
        self.push_bool(value);
    }

    /// Extends the lower bits, those of `from`, to the whole value.
    fn sign_extend(&mut self, from: Type) {
        let a = self.pop();
        let ty = self.type_of(a);
        let low = self.b.ins().ireduce(from, a);
        let value = self.b.ins().sextend(ty, low);
        self.push(value);
    }

    fn reinterpret(&mut self, ty: Type) {
        let a = self.pop();
        let value = self.lanes(a, ty);
        self.push(value);
    }

    fn divide(&mut self, opcode: Opcode) {
        let (a, b) = self.pop2();
        if self.env.target.traps == Traps::Checks {
            self.check_division(opcode, a, b);
        }
        let value = self.ins2(opcode, a, b);
        self.push(value);
    }

    /// Traps where a division does; what a constant divisor excludes is not checked.
    fn check_division(&mut self, opcode: Opcode, a: Value, b: Value) {
        let divisor = self.int_constant(b);
        if divisor.is_none_or(|divisor| divisor == 0) {
            let zero = self.b.ins().icmp_imm_u(IntCC::Equal, b, 0);
            self.trap_if(zero, TrapKind::IntegerDivideByZero);
        }
        if opcode == Opcode::Sdiv && divisor.is_none_or(|divisor| divisor == -1) {
            let ty = self.type_of(a);
            let least = self.b.ins().iconst(ty, 1 << (ty.bits() - 1));
            // Zero when the dividend is the least number and the divisor is -1.
            let dividend = self.b.ins().bxor(a, least);
            let divisor = self.b.ins().bnot(b);
            let both = self.b.ins().bor(dividend, divisor);
            let overflow = self.b.ins().icmp_imm_u(IntCC::Equal, both, 0);
            self.trap_if(overflow, TrapKind::IntegerOverflow);
        }
    }

    /// The number, sign-extended, when the value is an integer constant.
    fn int_constant(&self, value: Value) -> Option<i64> {
        let dfg = &self.b.func.dfg;
        let ValueDef::Result(inst, 0) = dfg.value_def(value) else { return None };
        match dfg.insts[inst] {
            InstructionData::UnaryImm { opcode: Opcode::Iconst, imm } => {
                let unused = 64 - dfg.value_type(value).bits();
                Some(imm.bits() << unused >> unused)
            }
            _ => None,
        }
    }

    /// A conversion that traps unless the float lies strictly between the bounds, which are exact in its type.
    fn truncate(&mut self, ty: Type, signed: bool, low: f64, high: f64) {
        let a = self.pop();
        let checks = self.env.target.traps == Traps::Checks;
        if checks {
            let nan = self.b.ins().fcmp(FloatCC::Unordered, a, a);
            self.trap_if(nan, TrapKind::InvalidConversion);
            let outside = [(FloatCC::LessThanOrEqual, low), (FloatCC::GreaterThanOrEqual, high)];
            for (condition, bound) in outside {
                let bound = match self.type_of(a) {
                    F32 => self.b.ins().f32const(bound as f32),
                    _ => self.b.ins().f64const(bound),
                };
                let overflow = self.b.ins().fcmp(condition, a, bound);
                self.trap_if(overflow, TrapKind::IntegerOverflow);
            }
        }
        let opcode = match (signed, checks) {
            (true, false) => Opcode::FcvtToSint,
            (false, false) => Opcode::FcvtToUint,
            (true, true) => Opcode::FcvtToSintSat,
            (false, true) => Opcode::FcvtToUintSat,
        };
        let value = self.ins1(opcode, ty, a);
        self.push(value);
    }

    /// An operator of two 128-bit numbers, each in two halves, the lower one first.
    fn wide(&mut self, opcode: Opcode) {
        let (low, high) = self.pop2();
        let b = self.b.ins().iconcat(low, high);
        let (low, high) = self.pop2();
        let a = self.b.ins().iconcat(low, high);
        let value = self.ins2(opcode, a, b);
        self.push_wide(value);
    }

    fn wide_multiply(&mut self, extend: Opcode) {
        let (a, b) = self.pop2();
        let a = self.ins1(extend, I128, a);
        let b = self.ins1(extend, I128, b);
        let value = self.b.ins().imul(a, b);
        self.push_wide(value);
    }

    fn push_wide(&mut self, value: Value) {
        let (low, high) = self.b.ins().isplit(value);
        self.push(low);
        self.push(high);
    }
}
