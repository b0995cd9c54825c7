//! Tests and casts of references (Core specification, section 4.4.5). A test of a reference to an object looks at the
//! type id in the object's header, and where that is another one, at the supertypes that the shape has at hand.

use cranelift_codegen::ir::{Block, InstBuilder, MemFlagsData, Value, condcodes::IntCC, types};
use lithe_parser::{Operator, WasmHeapType, heap_type};
use lithe_runtime::{DISPLAY, Func, Shape, ShapeKind, Vm, abi::Builtin, objects};
use lithe_types::{HeapType, TrapKind};

use super::{Translator, context::Region};

type O<'a> = Operator<'a>;

/// What a reference is tested for.
#[derive(Clone, Copy)]
struct Test {
    heap: HeapType,
    nullable: bool,
}

impl Test {
    fn new(ty: WasmHeapType, nullable: bool) -> Test {
        // Validation proves that the type is one of WebAssembly 3.0.
        Test { heap: heap_type(ty, 0).unwrap_or(HeapType::None), nullable }
    }
}

impl Translator<'_> {
    /// Tests and casts; `false` when the operator is none.
    pub(super) fn cast(&mut self, op: &O<'_>) -> bool {
        match *op {
            O::RefTestNonNull { hty } => self.ref_test(Test::new(hty, false)),
            O::RefTestNullable { hty } => self.ref_test(Test::new(hty, true)),
            O::RefCastNonNull { hty } => self.ref_cast(Test::new(hty, false)),
            O::RefCastNullable { hty } => self.ref_cast(Test::new(hty, true)),
            O::BrOnCast { relative_depth, to_ref_type: to, .. } => {
                let test = Test::new(to.heap_type(), to.is_nullable());
                self.br_on_cast(relative_depth, test, true);
            }
            O::BrOnCastFail { relative_depth, to_ref_type: to, .. } => {
                let test = Test::new(to.heap_type(), to.is_nullable());
                self.br_on_cast(relative_depth, test, false);
            }
            _ => return false,
        }
        true
    }

    fn ref_test(&mut self, test: Test) {
        let value = self.pop();
        let (yes, no, next) = (self.b.create_block(), self.b.create_block(), self.b.create_block());
        self.b.append_block_param(next, types::I32);
        let known = self.block_context;
        self.branch_on(value, test, yes, no);
        for (block, result) in [(yes, 1), (no, 0)] {
            self.continue_in(block);
            let result = self.number(result);
            self.b.ins().jump(next, &[result.into()]);
        }
        self.continue_in(next);
        self.block_context = known;
        let result = self.b.block_params(next)[0];
        self.push(result);
    }

    fn ref_cast(&mut self, test: Test) {
        let value = self.pop();
        let (yes, no) = (self.b.create_block(), self.b.create_block());
        self.b.set_cold_block(no);
        let known = self.block_context;
        self.branch_on(value, test, yes, no);
        self.continue_in(no);
        self.block_context = known;
        self.trap(TrapKind::CastFailure);
        self.continue_in(yes);
        self.block_context = known;
        if !test.nullable {
            self.never_null.insert(value);
        }
        self.push(value);
    }

    fn br_on_cast(&mut self, depth: u32, test: Test, wanted: bool) {
        let Some(value) = self.stack.last().copied() else { return };
        let (yes, no) = (self.b.create_block(), self.b.create_block());
        let (taken, next) = if wanted { (yes, no) } else { (no, yes) };
        let known = self.block_context;
        self.branch_on(value, test, yes, no);
        self.continue_in(taken);
        let (target, count, _) = self.label(depth);
        let args = self.top(count);
        self.b.ins().jump(target, &args);
        self.continue_in(next);
        self.block_context = known;
        // Null is on the side that the test says.
        if test.nullable == wanted {
            self.never_null.insert(value);
        }
        self.end_region();
    }

    /// Goes to `yes` when a reference passes a test, else to `no`. The block ends.
    fn branch_on(&mut self, value: Value, test: Test, yes: Block, no: Block) {
        if !self.never_null.contains(&value) {
            let null = if test.nullable { yes } else { no };
            let next = self.b.create_block();
            self.b.ins().brif(value, next, &[], null, &[]);
            self.continue_in(next);
        }
        match test.heap {
            HeapType::Any | HeapType::Func | HeapType::Extern | HeapType::Exn => {
                self.always(yes, no);
            }
            HeapType::None | HeapType::NoFunc | HeapType::NoExtern | HeapType::NoExn => {
                self.always(no, yes);
            }
            HeapType::I31 => {
                let number = self.b.ins().band_imm_u(value, 1);
                self.b.ins().brif(number, yes, &[], no, &[]);
            }
            HeapType::Eq => {
                let id = self.id_or(value, yes);
                let defined = self.is_defined(id);
                self.b.ins().brif(defined, yes, &[], no, &[]);
            }
            HeapType::Struct => self.branch_on_kind(value, ShapeKind::Struct, yes, no),
            HeapType::Array => self.branch_on_kind(value, ShapeKind::Array, yes, no),
            HeapType::Concrete(ty) => self.branch_on_type(value, ty, yes, no),
        }
    }

    /// Goes to `target`; nothing leads to `other`.
    fn always(&mut self, target: Block, other: Block) {
        let never = self.b.ins().iconst(types::I8, 0);
        self.b.ins().brif(never, other, &[], target, &[]);
    }

    /// The type id of the object that a reference refers to, which is not null; goes to `number` when it is an `i31`.
    fn id_or(&mut self, value: Value, number: Block) -> Value {
        let next = self.b.create_block();
        let low = self.b.ins().band_imm_u(value, 1);
        self.b.ins().brif(low, number, &[], next, &[]);
        self.continue_in(next);
        let address = self.object(value);
        self.load_id(address)
    }

    /// Whether objects with this id have a defined type.
    fn is_defined(&mut self, id: Value) -> Value {
        let special = i64::from(objects::FIRST_SPECIAL);
        self.b.ins().icmp_imm_u(IntCC::UnsignedLessThan, id, special)
    }

    /// A word of the shape of the type with this id; goes to `special` when it is not that of a defined type.
    fn shape_word(&mut self, id: Value, offset: usize, special: Block) -> Value {
        let defined = self.is_defined(id);
        let next = self.b.create_block();
        self.b.ins().brif(defined, next, &[], special, &[]);
        self.continue_in(next);
        let vm = self.vm();
        let flags = self.flags(Region::Vm);
        let shapes = core::mem::offset_of!(Vm, shapes) as i32;
        let shapes = self.b.ins().load(types::I64, flags, vm, shapes);
        let id = self.b.ins().uextend(types::I64, id);
        let place = self.b.ins().ishl_imm_u(id, 3);
        let place = self.b.ins().iadd(shapes, place);
        let flags = MemFlagsData::trusted().with_readonly();
        let shape = self.b.ins().load(types::I64, flags, place, 0);
        self.b.ins().load(types::I32, flags, shape, offset as i32)
    }

    fn branch_on_kind(&mut self, value: Value, kind: ShapeKind, yes: Block, no: Block) {
        let id = self.id_or(value, no);
        let found = self.shape_word(id, core::mem::offset_of!(Shape, kind), no);
        let same = self.b.ins().icmp_imm_u(IntCC::Equal, found, i64::from(kind as u32));
        self.b.ins().brif(same, yes, &[], no, &[]);
    }

    /// Goes to `yes` when what a reference refers to is of type `ty` or of a subtype.
    fn branch_on_type(&mut self, value: Value, ty: u32, yes: Block, no: Block) {
        let is_func = self.env.module.func_type(ty).is_some();
        let have = if is_func {
            let flags = MemFlagsData::trusted().with_readonly();
            let offset = core::mem::offset_of!(Func, ty) as i32;
            self.b.ins().load(types::I32, flags, value, offset)
        } else {
            self.id_or(value, no)
        };
        let want = self.type_id(ty);
        let same = self.b.ins().icmp(IntCC::Equal, have, want);
        if self.env.module.types[ty as usize].is_final {
            self.b.ins().brif(same, yes, &[], no, &[]);
            return;
        }
        let next = self.b.create_block();
        self.b.ins().brif(same, yes, &[], next, &[]);
        self.continue_in(next);
        let depth = if is_func { DISPLAY } else { self.env.shape(ty).supers.len() - 1 };
        let sub = if depth < DISPLAY {
            let offset = core::mem::offset_of!(Shape, display) + 4 * depth;
            let found = self.shape_word(have, offset, no);
            self.b.ins().icmp(IntCC::Equal, found, want)
        } else {
            if !is_func {
                let defined = self.is_defined(have);
                let next = self.b.create_block();
                self.b.ins().brif(defined, next, &[], no, &[]);
                self.continue_in(next);
            }
            self.builtin(Builtin::is_subtype, &[have, want]).unwrap_or(same)
        };
        self.b.ins().brif(sub, yes, &[], no, &[]);
    }
}
