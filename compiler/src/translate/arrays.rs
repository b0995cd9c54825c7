//! Arrays (Core specification, section 4.4.5). Elements are reached in line, and short arrays made so; what is long,
//! or of many elements, is the runtime's. Invariant: an element is reached only after its index was compared with
//! the length.

use cranelift_codegen::ir::{InstBuilder, MemFlagsData, Value, condcodes::IntCC, types};
use lithe_parser::Operator;
use lithe_runtime::{HEADER_BYTES, Repr, abi::Builtin};
use lithe_types::TrapKind;

use super::{
    Translator,
    heap::{Field, UNROLLED},
};

type O<'a> = Operator<'a>;

/// Arrays whose elements take more bytes are made by the runtime.
const INLINE_BYTES: u32 = 512;
const HEADER: i64 = HEADER_BYTES as i64;

impl Translator<'_> {
    /// Operators on arrays; `false` when the operator is none.
    pub(super) fn array(&mut self, op: &O<'_>) -> bool {
        match *op {
            O::ArrayNew { array_type_index } => {
                let (value, len) = self.pop2();
                self.array_new(array_type_index, len, Some(value));
            }
            O::ArrayNewDefault { array_type_index } => {
                let len = self.pop();
                self.array_new(array_type_index, len, None);
            }
            O::ArrayNewFixed { array_type_index, array_size } => {
                let values = self.pop_many(array_size as usize);
                self.array_of(array_type_index, &values);
            }
            O::ArrayNewData { array_type_index, array_data_index } => {
                self.array_new_from(Builtin::array_new_data, array_type_index, array_data_index);
            }
            O::ArrayNewElem { array_type_index, array_elem_index } => {
                self.array_new_from(Builtin::array_new_elem, array_type_index, array_elem_index);
            }
            O::ArrayGet { array_type_index } | O::ArrayGetU { array_type_index } => {
                self.array_get(array_type_index, false);
            }
            O::ArrayGetS { array_type_index } => self.array_get(array_type_index, true),
            O::ArraySet { array_type_index } => {
                let value = self.pop();
                let field = self.field(array_type_index, 0);
                let place = self.element_place(field);
                self.store_field(field, place, 0, value);
            }
            O::ArrayLen => {
                let array = self.non_null(TrapKind::NullArray);
                let address = self.object(array);
                let len = self.load_length(address);
                self.push(len);
            }
            O::ArrayFill { array_type_index } => {
                let (value, len) = self.pop2();
                let (array, start) = self.pop2();
                let field = self.field(array_type_index, 0);
                let (array, len) = (self.pair(array, start), self.with_size(len, field));
                let [low, high] = self.slots(field, value);
                self.builtin(Builtin::array_fill, &[array, len, low, high]);
            }
            O::ArrayCopy { array_type_index_dst, .. } => {
                let len = self.pop();
                let (from, from_start) = self.pop2();
                let (to, to_start) = self.pop2();
                let (to, from) = (self.pair(to, to_start), self.pair(from, from_start));
                let log2 = self.number(self.field(array_type_index_dst, 0).repr.log2());
                self.builtin(Builtin::array_copy, &[to, from, len, log2]);
            }
            O::ArrayInitData { array_type_index, array_data_index } => {
                self.array_init(Builtin::array_init_data, array_type_index, array_data_index);
            }
            O::ArrayInitElem { array_type_index, array_elem_index } => {
                self.array_init(Builtin::array_init_elem, array_type_index, array_elem_index);
            }
            _ => return false,
        }
        true
    }

    /// Two numbers of 32 bits in one of 64, the first one in the lower half.
    fn pair(&mut self, low: Value, high: Value) -> Value {
        let low = self.b.ins().uextend(types::I64, low);
        let high = self.b.ins().uextend(types::I64, high);
        let high = self.b.ins().ishl_imm_u(high, 32);
        self.b.ins().bor(low, high)
    }

    /// A number with the size of elements, as the runtime wants them.
    fn with_size(&mut self, low: Value, field: Field) -> Value {
        let low = self.b.ins().uextend(types::I64, low);
        self.b.ins().bor_imm_u(low, i64::from(field.repr.log2()) << 32)
    }

    fn segment(&mut self, segment: u32, field: Field) -> Value {
        let word = i64::from(segment) | i64::from(field.repr.log2()) << 32;
        self.b.ins().iconst(types::I64, word)
    }

    fn array_new_from(&mut self, builtin: Builtin, ty: u32, segment: u32) {
        let (start, len) = self.pop2();
        let (id, segment) = (self.type_id(ty), self.segment(segment, self.field(ty, 0)));
        if let Some(array) = self.builtin(builtin, &[id, segment, start, len]) {
            self.never_null.insert(array);
            self.push(array);
        }
    }

    fn array_init(&mut self, builtin: Builtin, ty: u32, segment: u32) {
        let (from, len) = self.pop2();
        let (to, to_start) = self.pop2();
        let to = self.pair(to, to_start);
        let segment = self.segment(segment, self.field(ty, 0));
        self.builtin(builtin, &[to, segment, from, len]);
    }

    /// Pops an index and an array; gives the place before which the element lies as the field says.
    fn element_place(&mut self, field: Field) -> Value {
        let (array, index) = self.pop2();
        let address = self.object(array);
        let len = self.load_length(address);
        let out = self.b.ins().icmp(IntCC::UnsignedGreaterThanOrEqual, index, len);
        // No object begins where the heap does, and the word where the length of one would be is zero: so null has no
        // elements.
        match self.never_null.insert(array) {
            true => {
                self.fail_if(out, TrapKind::ArrayOutOfBounds, |this| {
                    let null = this.b.ins().icmp_imm_u(IntCC::Equal, array, 0);
                    this.trap_if(null, TrapKind::NullArray);
                });
            }
            false => self.trap_if(out, TrapKind::ArrayOutOfBounds),
        }
        let index = self.b.ins().uextend(types::I64, index);
        let bytes = self.b.ins().ishl_imm_u(index, i64::from(field.repr.log2()));
        self.b.ins().iadd(address, bytes)
    }

    /// Traps when `condition` is not zero, after what `first` traps on.
    fn fail_if(&mut self, condition: Value, kind: TrapKind, first: impl FnOnce(&mut Self)) {
        let (cold, next) = (self.b.create_block(), self.b.create_block());
        self.b.set_cold_block(cold);
        self.b.ins().brif(condition, cold, &[], next, &[]);
        let known = self.block_context;
        self.continue_in(cold);
        first(self);
        self.trap(kind);
        self.continue_in(next);
        self.block_context = known;
    }

    fn array_get(&mut self, ty: u32, signed: bool) {
        let field = self.field(ty, 0);
        let place = self.element_place(field);
        self.load_field(field, place, signed);
    }

    /// A value in elements of 8 or 16 bytes, as often as it fits.
    fn pattern(&mut self, field: Field, value: Value) -> Value {
        let bits = match field.ty {
            types::F32 => self.b.ins().bitcast(types::I32, MemFlagsData::new(), value),
            types::F64 => self.b.ins().bitcast(types::I64, MemFlagsData::new(), value),
            _ => value,
        };
        let narrow = match field.repr {
            Repr::I8 => self.b.ins().band_imm_u(bits, 0xff),
            Repr::I16 => self.b.ins().band_imm_u(bits, 0xffff),
            Repr::W32 | Repr::Ref => bits,
            Repr::W64 | Repr::V128 => return bits,
        };
        let wide = self.b.ins().uextend(types::I64, narrow);
        match field.repr {
            Repr::I8 => self.b.ins().imul_imm_s(wide, 0x0101_0101_0101_0101),
            Repr::I16 => self.b.ins().imul_imm_s(wide, 0x0001_0001_0001_0001),
            _ => {
                let upper = self.b.ins().ishl_imm_u(wide, 32);
                self.b.ins().bor(wide, upper)
            }
        }
    }

    /// A value as two slots.
    fn slots(&mut self, field: Field, value: Value) -> [Value; 2] {
        match field.repr {
            Repr::V128 => {
                let halves = self.lanes(value, types::I64X2);
                [0, 1].map(|lane| self.b.ins().extractlane(halves, lane))
            }
            _ => {
                let zero = self.zero_of(types::I64);
                [self.pattern(field, value), zero]
            }
        }
    }

    /// An array of these elements.
    fn array_of(&mut self, ty: u32, values: &[Value]) {
        let field = self.field(ty, 0);
        let new = self.begin_object(self.env.shape(ty).array_size(values.len() as u32));
        let len = self.number(values.len() as u32);
        self.array_header(new, ty, len);
        for (index, value) in (0..).zip(values) {
            self.store_field(field, new.address, index << field.repr.log2(), *value);
        }
        self.end_object(new);
    }

    /// An array of `len` times the same value, or zeros.
    fn array_new(&mut self, ty: u32, len: Value, value: Option<Value>) {
        let field = self.field(ty, 0);
        let value = value.unwrap_or_else(|| self.zero_of(field.ty));
        let most = INLINE_BYTES >> field.repr.log2();
        match self.known(len) {
            Some(len) if len <= UNROLLED => self.array_of(ty, &vec![value; len as usize]),
            Some(known) if known <= most => {
                let pattern = self.pattern(field, value);
                let bytes = self.env.shape(ty).array_size(known);
                let new = self.begin_object(bytes);
                self.array_header(new, ty, len);
                let bytes = self.b.ins().iconst(types::I64, bytes as i64);
                self.fill_elements(field, new.address, bytes, pattern);
                self.end_object(new);
            }
            Some(_) => {
                let array = self.long_array(ty, field, len, value);
                self.never_null.insert(array);
                self.push(array);
            }
            None => self.array_new_of(ty, field, len, value),
        }
    }

    /// Writes the elements of an array whose object has so many bytes.
    fn fill_elements(&mut self, field: Field, address: Value, bytes: Value, pattern: Value) {
        let from = self.b.ins().iadd_imm_u(address, HEADER);
        let to = self.b.ins().iadd(address, bytes);
        self.fill(field, from, to, pattern);
    }

    /// An array that the runtime makes.
    fn long_array(&mut self, ty: u32, field: Field, len: Value, value: Value) -> Value {
        let id = self.type_id(ty);
        let sized = self.with_size(len, field);
        let [low, high] = self.slots(field, value);
        self.builtin(Builtin::array_new, &[id, sized, low, high]).unwrap_or(len)
    }

    /// An array whose length is not known: in line when it is short and there is room.
    fn array_new_of(&mut self, ty: u32, field: Field, len: Value, value: Value) {
        let (short, fits, cold, next) = (
            self.b.create_block(),
            self.b.create_block(),
            self.b.create_block(),
            self.b.create_block(),
        );
        self.b.append_block_param(next, types::I32);
        self.b.set_cold_block(cold);
        let known = self.block_context;
        let most = i64::from(INLINE_BYTES >> field.repr.log2());
        let long = self.b.ins().icmp_imm_u(IntCC::UnsignedGreaterThan, len, most);
        self.b.ins().brif(long, cold, &[], short, &[]);

        self.continue_in(short);
        let vm = self.vm();
        let count = self.b.ins().uextend(types::I64, len);
        let bytes = self.b.ins().ishl_imm_u(count, i64::from(field.repr.log2()));
        let bytes = self.b.ins().iadd_imm_u(bytes, HEADER + 7);
        let bytes = self.b.ins().band_imm_s(bytes, -8);
        let (reference, end, full) = self.try_bump(vm, bytes);
        self.b.ins().brif(full, cold, &[], fits, &[]);

        self.continue_in(fits);
        let new = self.take(vm, reference, end);
        self.array_header(new, ty, len);
        let pattern = self.pattern(field, value);
        self.fill_elements(field, new.address, bytes, pattern);
        self.publish(new);
        self.b.ins().jump(next, &[new.reference.into()]);

        self.continue_in(cold);
        self.block_context = known;
        let array = self.long_array(ty, field, len, value);
        self.b.ins().jump(next, &[array.into()]);

        self.continue_in(next);
        self.block_context = known;
        let array = self.b.block_params(next)[0];
        self.never_null.insert(array);
        self.push(array);
    }
}
