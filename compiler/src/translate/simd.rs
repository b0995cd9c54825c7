//! Vector operators (Core specification, section 4.3.5) to CLIF, all but memory accesses. Called for each operator.
//! Relaxed operators have the one result that the interpreter gives. Invariant: vectors on the stack are I8X16.

use cranelift_codegen::ir::{
    ConstantData, InstBuilder, Opcode,
    condcodes::{FloatCC, IntCC},
    types::{F32X4, F64X2, I8X16, I16X8, I32X4, I64X2},
};
use lithe_parser::Operator as O;

use super::Translator;

impl Translator<'_> {
    /// Translates an operator, or returns false when it is none of these.
    pub(super) fn simd(&mut self, op: &O<'_>) -> bool {
        match *op {
            O::V128Const { value } => {
                let value = self.vector_const(I8X16, *value.bytes());
                self.push(value);
            }
            O::I8x16Shuffle { lanes } => {
                let (a, b) = self.pop2();
                let lanes = self.b.func.dfg.immediates.push(ConstantData::from(&lanes[..]));
                let value = self.b.ins().shuffle(a, b, lanes);
                self.push(value);
            }
            O::I8x16Swizzle | O::I8x16RelaxedSwizzle => self.lanes2(I8X16, Opcode::Swizzle),

            O::I8x16Splat => self.splat(I8X16),
            O::I16x8Splat => self.splat(I16X8),
            O::I32x4Splat => self.splat(I32X4),
            O::I64x2Splat => self.splat(I64X2),
            O::F32x4Splat => self.splat(F32X4),
            O::F64x2Splat => self.splat(F64X2),
            O::I8x16ExtractLaneS { lane } => self.extract_narrow(I8X16, lane, Opcode::Sextend),
            O::I8x16ExtractLaneU { lane } => self.extract_narrow(I8X16, lane, Opcode::Uextend),
            O::I16x8ExtractLaneS { lane } => self.extract_narrow(I16X8, lane, Opcode::Sextend),
            O::I16x8ExtractLaneU { lane } => self.extract_narrow(I16X8, lane, Opcode::Uextend),
            O::I32x4ExtractLane { lane } => self.extract(I32X4, lane),
            O::I64x2ExtractLane { lane } => self.extract(I64X2, lane),
            O::F32x4ExtractLane { lane } => self.extract(F32X4, lane),
            O::F64x2ExtractLane { lane } => self.extract(F64X2, lane),
            O::I8x16ReplaceLane { lane } => self.replace(I8X16, lane),
            O::I16x8ReplaceLane { lane } => self.replace(I16X8, lane),
            O::I32x4ReplaceLane { lane } => self.replace(I32X4, lane),
            O::I64x2ReplaceLane { lane } => self.replace(I64X2, lane),
            O::F32x4ReplaceLane { lane } => self.replace(F32X4, lane),
            O::F64x2ReplaceLane { lane } => self.replace(F64X2, lane),

            O::I8x16Eq => self.compare_lanes(I8X16, IntCC::Equal),
            O::I8x16Ne => self.compare_lanes(I8X16, IntCC::NotEqual),
            O::I8x16LtS => self.compare_lanes(I8X16, IntCC::SignedLessThan),
            O::I8x16LtU => self.compare_lanes(I8X16, IntCC::UnsignedLessThan),
            O::I8x16GtS => self.compare_lanes(I8X16, IntCC::SignedGreaterThan),
            O::I8x16GtU => self.compare_lanes(I8X16, IntCC::UnsignedGreaterThan),
            O::I8x16LeS => self.compare_lanes(I8X16, IntCC::SignedLessThanOrEqual),
            O::I8x16LeU => self.compare_lanes(I8X16, IntCC::UnsignedLessThanOrEqual),
            O::I8x16GeS => self.compare_lanes(I8X16, IntCC::SignedGreaterThanOrEqual),
            O::I8x16GeU => self.compare_lanes(I8X16, IntCC::UnsignedGreaterThanOrEqual),
            O::I16x8Eq => self.compare_lanes(I16X8, IntCC::Equal),
            O::I16x8Ne => self.compare_lanes(I16X8, IntCC::NotEqual),
            O::I16x8LtS => self.compare_lanes(I16X8, IntCC::SignedLessThan),
            O::I16x8LtU => self.compare_lanes(I16X8, IntCC::UnsignedLessThan),
            O::I16x8GtS => self.compare_lanes(I16X8, IntCC::SignedGreaterThan),
            O::I16x8GtU => self.compare_lanes(I16X8, IntCC::UnsignedGreaterThan),
            O::I16x8LeS => self.compare_lanes(I16X8, IntCC::SignedLessThanOrEqual),
            O::I16x8LeU => self.compare_lanes(I16X8, IntCC::UnsignedLessThanOrEqual),
            O::I16x8GeS => self.compare_lanes(I16X8, IntCC::SignedGreaterThanOrEqual),
            O::I16x8GeU => self.compare_lanes(I16X8, IntCC::UnsignedGreaterThanOrEqual),
            O::I32x4Eq => self.compare_lanes(I32X4, IntCC::Equal),
            O::I32x4Ne => self.compare_lanes(I32X4, IntCC::NotEqual),
            O::I32x4LtS => self.compare_lanes(I32X4, IntCC::SignedLessThan),
            O::I32x4LtU => self.compare_lanes(I32X4, IntCC::UnsignedLessThan),
            O::I32x4GtS => self.compare_lanes(I32X4, IntCC::SignedGreaterThan),
            O::I32x4GtU => self.compare_lanes(I32X4, IntCC::UnsignedGreaterThan),
            O::I32x4LeS => self.compare_lanes(I32X4, IntCC::SignedLessThanOrEqual),
            O::I32x4LeU => self.compare_lanes(I32X4, IntCC::UnsignedLessThanOrEqual),
            O::I32x4GeS => self.compare_lanes(I32X4, IntCC::SignedGreaterThanOrEqual),
            O::I32x4GeU => self.compare_lanes(I32X4, IntCC::UnsignedGreaterThanOrEqual),
            O::I64x2Eq => self.compare_lanes(I64X2, IntCC::Equal),
            O::I64x2Ne => self.compare_lanes(I64X2, IntCC::NotEqual),
            O::I64x2LtS => self.compare_lanes(I64X2, IntCC::SignedLessThan),
            O::I64x2GtS => self.compare_lanes(I64X2, IntCC::SignedGreaterThan),
            O::I64x2LeS => self.compare_lanes(I64X2, IntCC::SignedLessThanOrEqual),
            O::I64x2GeS => self.compare_lanes(I64X2, IntCC::SignedGreaterThanOrEqual),
            O::F32x4Eq => self.compare_float_lanes(F32X4, FloatCC::Equal),
            O::F32x4Ne => self.compare_float_lanes(F32X4, FloatCC::NotEqual),
            O::F32x4Lt => self.compare_float_lanes(F32X4, FloatCC::LessThan),
            O::F32x4Gt => self.compare_float_lanes(F32X4, FloatCC::GreaterThan),
            O::F32x4Le => self.compare_float_lanes(F32X4, FloatCC::LessThanOrEqual),
            O::F32x4Ge => self.compare_float_lanes(F32X4, FloatCC::GreaterThanOrEqual),
            O::F64x2Eq => self.compare_float_lanes(F64X2, FloatCC::Equal),
            O::F64x2Ne => self.compare_float_lanes(F64X2, FloatCC::NotEqual),
            O::F64x2Lt => self.compare_float_lanes(F64X2, FloatCC::LessThan),
            O::F64x2Gt => self.compare_float_lanes(F64X2, FloatCC::GreaterThan),
            O::F64x2Le => self.compare_float_lanes(F64X2, FloatCC::LessThanOrEqual),
            O::F64x2Ge => self.compare_float_lanes(F64X2, FloatCC::GreaterThanOrEqual),

            O::V128Not => self.lanes1(I8X16, Opcode::Bnot),
            O::V128And => self.lanes2(I8X16, Opcode::Band),
            O::V128AndNot => {
                let (a, b) = self.pop2();
                let value = self.b.ins().band_not(a, b);
                self.push(value);
            }
            O::V128Or => self.lanes2(I8X16, Opcode::Bor),
            O::V128Xor => self.lanes2(I8X16, Opcode::Bxor),
            O::V128Bitselect
            | O::I8x16RelaxedLaneselect
            | O::I16x8RelaxedLaneselect
            | O::I32x4RelaxedLaneselect
            | O::I64x2RelaxedLaneselect => {
                let mask = self.pop();
                let (a, b) = self.pop2();
                let value = self.b.ins().bitselect(mask, a, b);
                self.push(value);
            }
            O::V128AnyTrue => self.test(I8X16, Opcode::VanyTrue),
            O::I8x16AllTrue => self.test(I8X16, Opcode::VallTrue),
            O::I16x8AllTrue => self.test(I16X8, Opcode::VallTrue),
            O::I32x4AllTrue => self.test(I32X4, Opcode::VallTrue),
            O::I64x2AllTrue => self.test(I64X2, Opcode::VallTrue),
            O::I8x16Bitmask => self.bitmask(I8X16),
            O::I16x8Bitmask => self.bitmask(I16X8),
            O::I32x4Bitmask => self.bitmask(I32X4),
            O::I64x2Bitmask => self.bitmask(I64X2),

            O::I8x16Abs => self.lanes1(I8X16, Opcode::Iabs),
            O::I16x8Abs => self.lanes1(I16X8, Opcode::Iabs),
            O::I32x4Abs => self.lanes1(I32X4, Opcode::Iabs),
            O::I64x2Abs => self.lanes1(I64X2, Opcode::Iabs),
            O::I8x16Neg => self.lanes1(I8X16, Opcode::Ineg),
            O::I16x8Neg => self.lanes1(I16X8, Opcode::Ineg),
            O::I32x4Neg => self.lanes1(I32X4, Opcode::Ineg),
            O::I64x2Neg => self.lanes1(I64X2, Opcode::Ineg),
            O::I8x16Popcnt => self.lanes1(I8X16, Opcode::Popcnt),
            O::I8x16Shl => self.shift(I8X16, Opcode::Ishl),
            O::I16x8Shl => self.shift(I16X8, Opcode::Ishl),
            O::I32x4Shl => self.shift(I32X4, Opcode::Ishl),
            O::I64x2Shl => self.shift(I64X2, Opcode::Ishl),
            O::I8x16ShrS => self.shift(I8X16, Opcode::Sshr),
            O::I16x8ShrS => self.shift(I16X8, Opcode::Sshr),
            O::I32x4ShrS => self.shift(I32X4, Opcode::Sshr),
            O::I64x2ShrS => self.shift(I64X2, Opcode::Sshr),
            O::I8x16ShrU => self.shift(I8X16, Opcode::Ushr),
            O::I16x8ShrU => self.shift(I16X8, Opcode::Ushr),
            O::I32x4ShrU => self.shift(I32X4, Opcode::Ushr),
            O::I64x2ShrU => self.shift(I64X2, Opcode::Ushr),
            O::I8x16Add => self.lanes2(I8X16, Opcode::Iadd),
            O::I16x8Add => self.lanes2(I16X8, Opcode::Iadd),
            O::I32x4Add => self.lanes2(I32X4, Opcode::Iadd),
            O::I64x2Add => self.lanes2(I64X2, Opcode::Iadd),
            O::I8x16Sub => self.lanes2(I8X16, Opcode::Isub),
            O::I16x8Sub => self.lanes2(I16X8, Opcode::Isub),
            O::I32x4Sub => self.lanes2(I32X4, Opcode::Isub),
            O::I64x2Sub => self.lanes2(I64X2, Opcode::Isub),
            O::I16x8Mul => self.lanes2(I16X8, Opcode::Imul),
            O::I32x4Mul => self.lanes2(I32X4, Opcode::Imul),
            O::I64x2Mul => self.lanes2(I64X2, Opcode::Imul),
            O::I8x16AddSatS => self.lanes2(I8X16, Opcode::SaddSat),
            O::I16x8AddSatS => self.lanes2(I16X8, Opcode::SaddSat),
            O::I8x16AddSatU => self.lanes2(I8X16, Opcode::UaddSat),
            O::I16x8AddSatU => self.lanes2(I16X8, Opcode::UaddSat),
            O::I8x16SubSatS => self.lanes2(I8X16, Opcode::SsubSat),
            O::I16x8SubSatS => self.lanes2(I16X8, Opcode::SsubSat),
            O::I8x16SubSatU => self.lanes2(I8X16, Opcode::UsubSat),
            O::I16x8SubSatU => self.lanes2(I16X8, Opcode::UsubSat),
            O::I8x16MinS => self.lanes2(I8X16, Opcode::Smin),
            O::I16x8MinS => self.lanes2(I16X8, Opcode::Smin),
            O::I32x4MinS => self.lanes2(I32X4, Opcode::Smin),
            O::I8x16MinU => self.lanes2(I8X16, Opcode::Umin),
            O::I16x8MinU => self.lanes2(I16X8, Opcode::Umin),
            O::I32x4MinU => self.lanes2(I32X4, Opcode::Umin),
            O::I8x16MaxS => self.lanes2(I8X16, Opcode::Smax),
            O::I16x8MaxS => self.lanes2(I16X8, Opcode::Smax),
            O::I32x4MaxS => self.lanes2(I32X4, Opcode::Smax),
            O::I8x16MaxU => self.lanes2(I8X16, Opcode::Umax),
            O::I16x8MaxU => self.lanes2(I16X8, Opcode::Umax),
            O::I32x4MaxU => self.lanes2(I32X4, Opcode::Umax),
            O::I8x16AvgrU => self.lanes2(I8X16, Opcode::AvgRound),
            O::I16x8AvgrU => self.lanes2(I16X8, Opcode::AvgRound),
            O::I16x8Q15MulrSatS | O::I16x8RelaxedQ15mulrS => {
                self.lanes2(I16X8, Opcode::SqmulRoundSat);
            }

            O::I8x16NarrowI16x8S => self.lanes2(I16X8, Opcode::Snarrow),
            O::I8x16NarrowI16x8U => self.lanes2(I16X8, Opcode::Unarrow),
            O::I16x8NarrowI32x4S => self.lanes2(I32X4, Opcode::Snarrow),
            O::I16x8NarrowI32x4U => self.lanes2(I32X4, Opcode::Unarrow),
            O::I16x8ExtendLowI8x16S => self.lanes1(I8X16, Opcode::SwidenLow),
            O::I16x8ExtendHighI8x16S => self.lanes1(I8X16, Opcode::SwidenHigh),
            O::I16x8ExtendLowI8x16U => self.lanes1(I8X16, Opcode::UwidenLow),
            O::I16x8ExtendHighI8x16U => self.lanes1(I8X16, Opcode::UwidenHigh),
            O::I32x4ExtendLowI16x8S => self.lanes1(I16X8, Opcode::SwidenLow),
            O::I32x4ExtendHighI16x8S => self.lanes1(I16X8, Opcode::SwidenHigh),
            O::I32x4ExtendLowI16x8U => self.lanes1(I16X8, Opcode::UwidenLow),
            O::I32x4ExtendHighI16x8U => self.lanes1(I16X8, Opcode::UwidenHigh),
            O::I64x2ExtendLowI32x4S => self.lanes1(I32X4, Opcode::SwidenLow),
            O::I64x2ExtendHighI32x4S => self.lanes1(I32X4, Opcode::SwidenHigh),
            O::I64x2ExtendLowI32x4U => self.lanes1(I32X4, Opcode::UwidenLow),
            O::I64x2ExtendHighI32x4U => self.lanes1(I32X4, Opcode::UwidenHigh),
            O::I16x8ExtMulLowI8x16S => self.wide_product(I8X16, Opcode::SwidenLow),
            O::I16x8ExtMulHighI8x16S => self.wide_product(I8X16, Opcode::SwidenHigh),
            O::I16x8ExtMulLowI8x16U => self.wide_product(I8X16, Opcode::UwidenLow),
            O::I16x8ExtMulHighI8x16U => self.wide_product(I8X16, Opcode::UwidenHigh),
            O::I32x4ExtMulLowI16x8S => self.wide_product(I16X8, Opcode::SwidenLow),
            O::I32x4ExtMulHighI16x8S => self.wide_product(I16X8, Opcode::SwidenHigh),
            O::I32x4ExtMulLowI16x8U => self.wide_product(I16X8, Opcode::UwidenLow),
            O::I32x4ExtMulHighI16x8U => self.wide_product(I16X8, Opcode::UwidenHigh),
            O::I64x2ExtMulLowI32x4S => self.wide_product(I32X4, Opcode::SwidenLow),
            O::I64x2ExtMulHighI32x4S => self.wide_product(I32X4, Opcode::SwidenHigh),
            O::I64x2ExtMulLowI32x4U => self.wide_product(I32X4, Opcode::UwidenLow),
            O::I64x2ExtMulHighI32x4U => self.wide_product(I32X4, Opcode::UwidenHigh),
            O::I16x8ExtAddPairwiseI8x16S => {
                let a = self.pop_lanes(I8X16);
                self.pair_sums(a, Opcode::SwidenLow, Opcode::SwidenHigh);
            }
            O::I16x8ExtAddPairwiseI8x16U => {
                let a = self.pop_lanes(I8X16);
                self.pair_sums(a, Opcode::UwidenLow, Opcode::UwidenHigh);
            }
            O::I32x4ExtAddPairwiseI16x8S => {
                let a = self.pop_lanes(I16X8);
                self.pair_sums(a, Opcode::SwidenLow, Opcode::SwidenHigh);
            }
            O::I32x4ExtAddPairwiseI16x8U => {
                let a = self.pop_lanes(I16X8);
                self.pair_sums(a, Opcode::UwidenLow, Opcode::UwidenHigh);
            }
            O::I32x4DotI16x8S => {
                let (a, b) = self.pop2_lanes(I16X8);
                let low = self.product_of(Opcode::SwidenLow, a, b);
                let high = self.product_of(Opcode::SwidenHigh, a, b);
                let value = self.b.ins().iadd_pairwise(low, high);
                self.push_vector(value);
            }
            O::I16x8RelaxedDotI8x16I7x16S => {
                let value = self.relaxed_dot();
                self.push_vector(value);
            }
            O::I32x4RelaxedDotI8x16I7x16AddS => {
                let c = self.pop_lanes(I32X4);
                let products = self.relaxed_dot();
                self.pair_sums(products, Opcode::SwidenLow, Opcode::SwidenHigh);
                let sums = self.pop_lanes(I32X4);
                let value = self.b.ins().iadd(sums, c);
                self.push_vector(value);
            }

            O::F32x4Ceil => self.lanes1(F32X4, Opcode::Ceil),
            O::F32x4Floor => self.lanes1(F32X4, Opcode::Floor),
            O::F32x4Trunc => self.lanes1(F32X4, Opcode::Trunc),
            O::F32x4Nearest => self.lanes1(F32X4, Opcode::Nearest),
            O::F32x4Abs => self.lanes1(F32X4, Opcode::Fabs),
            O::F32x4Neg => self.lanes1(F32X4, Opcode::Fneg),
            O::F32x4Sqrt => self.lanes1(F32X4, Opcode::Sqrt),
            O::F32x4Add => self.lanes2(F32X4, Opcode::Fadd),
            O::F32x4Sub => self.lanes2(F32X4, Opcode::Fsub),
            O::F32x4Mul => self.lanes2(F32X4, Opcode::Fmul),
            O::F32x4Div => self.lanes2(F32X4, Opcode::Fdiv),
            O::F32x4Min | O::F32x4RelaxedMin => self.lanes2(F32X4, Opcode::Fmin),
            O::F32x4Max | O::F32x4RelaxedMax => self.lanes2(F32X4, Opcode::Fmax),
            O::F32x4PMin => self.pseudo_min(F32X4),
            O::F32x4PMax => self.pseudo_max(F32X4),
            O::F32x4RelaxedMadd => self.multiply_add(F32X4, false),
            O::F32x4RelaxedNmadd => self.multiply_add(F32X4, true),
            O::F64x2Ceil => self.lanes1(F64X2, Opcode::Ceil),
            O::F64x2Floor => self.lanes1(F64X2, Opcode::Floor),
            O::F64x2Trunc => self.lanes1(F64X2, Opcode::Trunc),
            O::F64x2Nearest => self.lanes1(F64X2, Opcode::Nearest),
            O::F64x2Abs => self.lanes1(F64X2, Opcode::Fabs),
            O::F64x2Neg => self.lanes1(F64X2, Opcode::Fneg),
            O::F64x2Sqrt => self.lanes1(F64X2, Opcode::Sqrt),
            O::F64x2Add => self.lanes2(F64X2, Opcode::Fadd),
            O::F64x2Sub => self.lanes2(F64X2, Opcode::Fsub),
            O::F64x2Mul => self.lanes2(F64X2, Opcode::Fmul),
            O::F64x2Div => self.lanes2(F64X2, Opcode::Fdiv),
            O::F64x2Min | O::F64x2RelaxedMin => self.lanes2(F64X2, Opcode::Fmin),
            O::F64x2Max | O::F64x2RelaxedMax => self.lanes2(F64X2, Opcode::Fmax),
            O::F64x2PMin => self.pseudo_min(F64X2),
            O::F64x2PMax => self.pseudo_max(F64X2),
            O::F64x2RelaxedMadd => self.multiply_add(F64X2, false),
            O::F64x2RelaxedNmadd => self.multiply_add(F64X2, true),

            O::I32x4TruncSatF32x4S | O::I32x4RelaxedTruncF32x4S => {
                self.convert_lanes(F32X4, Opcode::FcvtToSintSat, I32X4);
            }
            O::I32x4TruncSatF32x4U | O::I32x4RelaxedTruncF32x4U => {
                self.convert_lanes(F32X4, Opcode::FcvtToUintSat, I32X4);
            }
            O::I32x4TruncSatF64x2SZero | O::I32x4RelaxedTruncF64x2SZero => {
                self.truncate_doubles(Opcode::FcvtToSintSat, Opcode::Snarrow);
            }
            O::I32x4TruncSatF64x2UZero | O::I32x4RelaxedTruncF64x2UZero => {
                self.truncate_doubles(Opcode::FcvtToUintSat, Opcode::Uunarrow);
            }
            O::F32x4ConvertI32x4S => self.convert_lanes(I32X4, Opcode::FcvtFromSint, F32X4),
            O::F32x4ConvertI32x4U => self.convert_lanes(I32X4, Opcode::FcvtFromUint, F32X4),
            O::F64x2ConvertLowI32x4S => {
                self.lanes1(I32X4, Opcode::SwidenLow);
                self.convert_lanes(I64X2, Opcode::FcvtFromSint, F64X2);
            }
            O::F64x2ConvertLowI32x4U => {
                self.lanes1(I32X4, Opcode::UwidenLow);
                self.convert_lanes(I64X2, Opcode::FcvtFromUint, F64X2);
            }
            O::F32x4DemoteF64x2Zero => {
                let a = self.pop_lanes(F64X2);
                let value = self.b.ins().fvdemote(a);
                self.push_vector(value);
            }
            O::F64x2PromoteLowF32x4 => {
                let a = self.pop_lanes(F32X4);
                let value = self.b.ins().fvpromote_low(a);
                self.push_vector(value);
            }
            _ => return false,
        }
        self.canonicalize(op);
        true
    }
}
