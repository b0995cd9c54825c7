//! Functions made by hand, through Cranelift and the linker for every machine, and what the artifact then says.
//! Invariant: what a test finds in text it decodes by itself.

use std::num::NonZero;

use cranelift_codegen::{
    ir::{
        self, AbiParam, BlockArg, ExceptionTableData, ExceptionTableItem, ExceptionTag,
        ExtFuncData, ExternalName, FuncRef, GlobalValueData, InstBuilder, MemFlagsData, Signature,
        SourceLoc, TrapCode, UserExternalName, types::I64,
    },
    isa::{CallConv, TargetFrontendConfig},
};
use cranelift_frontend::{FunctionBuilder, FunctionBuilderContext};
use lithe_runtime::{
    abi::{Arch, Traps, cpu},
    artifact::{Artifact, Function, NONE, Parts, Site, Target},
};
use lithe_types::TrapKind;

use crate::{
    Error, ErrorKind, Regalloc,
    driver::{self, Functions},
    function::{CONTEXT_SLOT, FUNCTIONS, TABLES},
    link::{self, Linked},
    target,
};

const ARCHES: [Arch; 3] = [Arch::X86_64, Arch::Aarch64, Arch::Riscv64];

fn target(arch: Arch) -> Target {
    Target {
        arch,
        cpu: cpu::baseline(arch),
        traps: Traps::Signals,
        fuel: false,
        deterministic: false,
        below_memory: false,
    }
}

/// Functions by number; each gets `(i64) -> i64` with the native convention.
struct Made<'a>(&'a [&'a (dyn Fn(&mut Maker<'_>) + Sync)]);

struct Maker<'a> {
    b: FunctionBuilder<'a>,
    argument: ir::Value,
}

impl Maker<'_> {
    fn signature() -> Signature {
        let mut signature = Signature::new(CallConv::Tail);
        signature.params.push(AbiParam::new(I64));
        signature.returns.push(AbiParam::new(I64));
        signature
    }

    fn at(&mut self, offset: u32) {
        self.b.set_srcloc(SourceLoc::new(offset));
    }

    fn name(&mut self, namespace: u32, index: u32) -> ExternalName {
        let name = UserExternalName { namespace, index };
        ExternalName::User(self.b.func.declare_imported_user_function(name))
    }

    fn callee(&mut self, name: ExternalName) -> FuncRef {
        let signature = self.b.import_signature(Maker::signature());
        self.b.import_function(ExtFuncData { name, signature, colocated: true, patchable: false })
    }

    fn call(&mut self, number: u32, argument: ir::Value) -> ir::Value {
        let name = self.name(FUNCTIONS, number);
        let callee = self.callee(name);
        let call = self.b.ins().call(callee, &[argument]);
        self.b.inst_results(call)[0]
    }

    fn result(&mut self, value: ir::Value) {
        self.b.ins().return_(&[value]);
    }
}

impl Functions for Made<'_> {
    type Buffers = FunctionBuilderContext;

    fn count(&self) -> usize {
        self.0.len()
    }

    fn size(&self, number: usize) -> usize {
        100_000 * (number % 3) + number
    }

    fn index(&self, number: usize) -> Option<u32> {
        Some(number as u32 + 10)
    }

    fn translate(
        &self,
        number: usize,
        frontend: TargetFrontendConfig,
        context: &mut FunctionBuilderContext,
        out: &mut ir::Function,
    ) -> Result<(), Error> {
        out.signature = Maker::signature();
        let mut b = FunctionBuilder::new(out, context);
        let entry = b.create_block();
        b.append_block_params_for_function_params(entry);
        b.switch_to_block(entry);
        let argument = b.block_params(entry)[0];
        let mut maker = Maker { b, argument };
        (self.0[number])(&mut maker);
        maker.b.seal_all_blocks();
        maker.b.finalize(frontend);
        Ok(())
    }
}

fn linked(arch: Arch, made: &Made<'_>, tables: &[&link::Table]) -> Result<Linked, Error> {
    let isa = target::isa(target(arch), Regalloc::Backtracking)?;
    let functions = driver::compile_functions(made, &*isa, NonZero::new(2), None)?;
    link::link(arch, 16, functions, tables)
}

fn artifact(arch: Arch, mut linked: Linked) -> Artifact {
    let mut text = Vec::with_capacity(linked.text.len());
    linked.text.write(&mut |bytes| text.extend_from_slice(bytes));
    let parts = Parts {
        target: target(arch),
        text,
        functions: linked.functions,
        enters: vec![],
        imports: vec![],
        tables: vec![],
        handlers: linked.handlers,
        sites: linked.sites,
        label: String::new(),
    };
    Artifact::new(Box::new(parts.write(&[]))).unwrap()
}

fn word(text: &[u8], at: u32) -> u32 {
    u32::from_le_bytes(text[at as usize..][..4].try_into().unwrap())
}

/// The target of the direct call that returns to `after`.
fn call_target(arch: Arch, text: &[u8], after: u32) -> u32 {
    match arch {
        Arch::X86_64 => {
            assert_eq!(text[after as usize - 5], 0xe8);
            after.wrapping_add(word(text, after - 4))
        }
        Arch::Aarch64 => {
            let bl = word(text, after - 4);
            assert_eq!(bl >> 26, 0b10_0101);
            (after - 4).wrapping_add_signed((bl << 6) as i32 >> 4)
        }
        Arch::Riscv64 => {
            let (auipc, jalr) = (word(text, after - 8), word(text, after - 4));
            assert_eq!((auipc & 0x7f, jalr & 0x707f), (0x17, 0x67));
            let low = jalr as i32 >> 20;
            (after - 8).wrapping_add(auipc & 0xffff_f000).wrapping_add_signed(low)
        }
    }
}

/// All sites of a function that [`Artifact::site`] finds.
fn sites(artifact: &Artifact, function: usize) -> Vec<Site> {
    let Function { start, end, .. } = artifact.function(function).unwrap();
    let mut sites: Vec<Site> =
        (start..=end).filter_map(|text| artifact.site(function, text)).collect();
    sites.dedup();
    sites
}

#[test]
fn calls_reach_their_functions() {
    let forward = |m: &mut Maker<'_>| {
        m.at(7);
        let one = m.call(1, m.argument);
        m.at(9);
        let two = m.call(2, one);
        m.result(two);
    };
    let leaf = |m: &mut Maker<'_>| m.result(m.argument);
    let back = |m: &mut Maker<'_>| {
        m.at(20);
        let value = m.call(0, m.argument);
        let value = m.b.ins().iadd(value, value);
        m.result(value);
    };
    for arch in ARCHES {
        let made = Made(&[&forward, &leaf, &back]);
        let artifact = artifact(arch, linked(arch, &made, &[]).unwrap());
        let start = |function| artifact.function(function).unwrap().start;
        assert!((0..3).all(|function| start(function) % 16 == 0));
        for (function, calls) in [(0, &[(7, 1), (9, 2)][..]), (1, &[]), (2, &[(20, 0)])] {
            let sites = sites(&artifact, function);
            assert_eq!(sites.len(), calls.len(), "{arch:?} {function}");
            for (site, (module, callee)) in sites.iter().zip(calls) {
                assert_eq!((site.module, site.trap), (*module, None));
                assert_eq!(call_target(arch, artifact.text(), site.text), start(*callee));
                assert_eq!(artifact.function_at(site.text), Some(function));
            }
        }
    }
}

#[test]
fn traps_are_found_where_they_happen() {
    let kinds = |m: &mut Maker<'_>| {
        m.at(100);
        let one = m.b.ins().iconst(I64, 1);
        let value = m.b.ins().udiv(one, m.argument);
        m.at(105);
        let value = m.b.ins().load(I64, MemFlagsData::new(), value, 8);
        m.at(103);
        m.b.ins().trapz(value, TrapCode::unwrap_user(TrapKind::NullStruct as u8));
        m.result(value);
    };
    for arch in ARCHES {
        let artifact = artifact(arch, linked(arch, &Made(&[&kinds]), &[]).unwrap());
        let mut found: Vec<_> =
            sites(&artifact, 0).iter().map(|site| (site.module, site.trap)).collect();
        found.sort_by_key(|(module, _)| *module);
        assert_eq!(
            found,
            [
                (100, Some(TrapKind::IntegerDivideByZero)),
                (103, Some(TrapKind::NullStruct)),
                (105, Some(TrapKind::MemoryOutOfBounds)),
            ],
            "{arch:?}"
        );
    }
}

#[test]
fn tables_follow_the_functions() {
    let through = |m: &mut Maker<'_>| {
        let name = m.name(TABLES, 1);
        let table = m.b.func.create_global_value(GlobalValueData::Symbol {
            name,
            offset: 0.into(),
            colocated: true,
            tls: false,
        });
        let base = m.b.ins().symbol_value(I64, table);
        let offset = m.b.ins().sload32(MemFlagsData::trusted(), base, 12);
        let code = m.b.ins().iadd(base, offset);
        let signature = m.b.import_signature(Maker::signature());
        let call = m.b.ins().call_indirect(signature, code, &[m.argument]);
        let value = m.b.inst_results(call)[0];
        m.result(value);
    };
    for arch in ARCHES {
        let tables: &[&link::Table] = &[&[None; 3], &[None, Some((5, 0)), Some((6, 1))]];
        let artifact = artifact(arch, linked(arch, &Made(&[&through, &through]), tables).unwrap());
        let (text, last) = (artifact.text(), artifact.function(1).unwrap());
        let (first, second) = (last.end.next_multiple_of(16), last.end.next_multiple_of(16) + 32);
        assert_eq!(text.len() as u32, second + 24);
        assert!((0..3).all(|i| word(text, first + 8 * i) == NONE));
        for (element, class, function) in [(1, 5, 0), (2, 6, 1)] {
            assert_eq!(word(text, second + 8 * element), class);
            let offset = word(text, second + 8 * element + 4);
            let start = artifact.function(function).unwrap().start;
            assert_eq!(second.wrapping_add(offset), start);
        }
        assert_eq!(artifact.function_at(first), None);
        let Function { start, end, .. } = artifact.function(1).unwrap();
        assert_eq!(address(arch, text, start..end), second, "{arch:?}");
    }
}

/// The address that the first instruction in a range forms that forms one.
fn address(arch: Arch, text: &[u8], mut range: std::ops::Range<u32>) -> u32 {
    let formed = |at: u32| match arch {
        Arch::X86_64 => {
            let lea = &text[at as usize..][..3];
            let rip = lea[0] & 0xf8 == 0x48 && lea[1] == 0x8d && lea[2] & 0xc7 == 5;
            rip.then(|| (at + 7).wrapping_add(word(text, at + 3)))
        }
        Arch::Aarch64 => {
            let (adrp, add) = (word(text, at), word(text, at + 4));
            let pages = (adrp >> 5 & 0x7_ffff) << 2 | adrp >> 29 & 3;
            let pages = (pages << 11) as i32 >> 11;
            let page = (at & !0xfff).wrapping_add_signed(pages << 12);
            (adrp & 0x9f00_0000 == 0x9000_0000).then(|| page + (add >> 10 & 0xfff))
        }
        Arch::Riscv64 => {
            let (auipc, addi) = (word(text, at), word(text, at + 4));
            let address = at.wrapping_add(auipc & 0xffff_f000);
            (auipc & 0x7f == 0x17).then(|| address.wrapping_add_signed(addi as i32 >> 20))
        }
    };
    range.find_map(|at| formed(at).filter(|_| arch != Arch::Aarch64 || at % 4 == 0)).unwrap()
}

#[test]
fn handlers_belong_to_their_calls() {
    let catch = |m: &mut Maker<'_>| {
        m.at(50);
        let name = m.name(FUNCTIONS, 1);
        let callee = m.callee(name);
        let signature = m.b.func.dfg.ext_funcs[callee].signature;
        let [normal, tagged, any] = [(); 3].map(|()| m.b.create_block());
        let value = m.b.append_block_param(normal, I64);
        let payload = m.b.append_block_param(tagged, I64);
        m.b.append_block_param(any, I64);
        let mut block = |block, args: &[BlockArg]| {
            ir::BlockCall::new(block, args.iter().copied(), &mut m.b.func.dfg.value_lists)
        };
        let exception = [BlockArg::TryCallExn(0)];
        let items = [
            ExceptionTableItem::Tag(
                ExceptionTag::with_number(7).unwrap(),
                block(tagged, &exception),
            ),
            ExceptionTableItem::Default(block(any, &exception)),
        ];
        let normal_call = block(normal, &[BlockArg::TryCallRet(0)]);
        let table = ExceptionTableData::new(signature, normal_call, items);
        let table = m.b.func.dfg.exception_tables.push(table);
        let kind = ir::StackSlotKind::ExplicitSlot;
        let key = Some(ir::StackSlotKey::new(CONTEXT_SLOT));
        let slot = ir::StackSlotData { key, ..ir::StackSlotData::new(kind, 8, 3) };
        let slot = m.b.create_sized_stack_slot(slot);
        m.b.ins().stack_store(I64, m.argument, slot, 0);
        m.b.ins().try_call(callee, &[m.argument], table);
        m.b.switch_to_block(normal);
        m.result(value);
        m.b.switch_to_block(tagged);
        m.result(payload);
        m.b.switch_to_block(any);
        m.result(m.argument);
    };
    let leaf = |m: &mut Maker<'_>| m.result(m.argument);
    for arch in ARCHES {
        // The second function's handlers are those of the first, elsewhere.
        let artifact = artifact(arch, linked(arch, &Made(&[&catch, &leaf, &catch]), &[]).unwrap());
        for function in [0, 2] {
            let Function { start, end, .. } = artifact.function(function).unwrap();
            let [call] = sites(&artifact, function)[..] else { panic!() };
            assert_eq!(call.module, 50);
            let handlers: Vec<_> = artifact.handlers(call.text).collect();
            assert_eq!(handlers.iter().map(|h| h.tag).collect::<Vec<_>>(), [7, NONE]);
            for handler in handlers {
                assert!((start..end).contains(&handler.target), "{arch:?}");
                assert!(handler.frame > 0 && handler.frame % 8 == 0);
                assert!(handler.context < handler.frame && handler.context % 8 == 0);
            }
        }
        assert_eq!(artifact.handlers(0).count(), 0);
    }
}

#[test]
fn what_the_machine_cannot_do_is_named() {
    let fused = |m: &mut Maker<'_>| {
        let float = m.b.ins().bitcast(ir::types::F64, MemFlagsData::new(), m.argument);
        let float = m.b.ins().fma(float, float, float);
        let value = m.b.ins().bitcast(I64, MemFlagsData::new(), float);
        m.result(value);
    };
    let error = linked(Arch::X86_64, &Made(&[&fused]), &[]).err().unwrap();
    assert_eq!((error.kind(), error.func()), (ErrorKind::Unsupported, Some(10)));
    assert_eq!(error.to_string(), "function 10: the machine has no instruction for FmaF64");
}

#[test]
fn a_bug_of_the_code_generator_is_an_error() {
    let leaf = |m: &mut Maker<'_>| m.result(m.argument);
    let bug = |_: &mut Maker<'_>| panic!("a bug");
    let unknown = |m: &mut Maker<'_>| {
        let value = m.call(99, m.argument);
        m.result(value);
    };
    let error = linked(Arch::X86_64, &Made(&[&leaf, &bug]), &[]).err().unwrap();
    assert_eq!(error.to_string(), "function 11: the code generator stopped: a bug");
    let error = linked(Arch::X86_64, &Made(&[&unknown]), &[]).err().unwrap();
    assert_eq!(error.kind(), ErrorKind::Internal);
}

#[test]
fn large_frames_touch_the_stack_on_the_way() {
    let large = |m: &mut Maker<'_>| {
        let kind = ir::StackSlotKind::ExplicitSlot;
        let slot = m.b.create_sized_stack_slot(ir::StackSlotData::new(kind, 1 << 19, 4));
        let address = m.b.ins().stack_addr(I64, slot, 0);
        let value = m.call(0, address);
        m.result(value);
    };
    for arch in ARCHES {
        // Without an error for a call of the code generator's own.
        assert!(linked(arch, &Made(&[&large]), &[]).is_ok());
    }
}
