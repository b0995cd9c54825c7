//! The context pointer, and loads of what lies below it. Invariant: the value of the context is the same throughout
//! a function; only how it is kept differs.

use cranelift_codegen::ir::{
    AliasRegion, AliasRegionData, Endianness, InstBuilder, MemFlagsData, TrapCode, Type, Value,
    types,
};
use lithe_runtime::abi;
use lithe_types::TrapKind;

use super::Translator;
use crate::env::Convention;

/// Memory that no other region's accesses touch.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(super) enum Region {
    /// Bytes of linear memories.
    Memory,
    /// A global that the module defines.
    OwnGlobal(u32),
    /// Globals that are imported, which may be the same.
    ImportedGlobals,
    /// Elements of tables.
    Elements,
    /// Sizes and bases in records of tables and memories.
    Records,
    /// Objects of the heap.
    Objects,
    /// The state of execution.
    Vm,
    /// Type ids of objects.
    Headers,
    /// Lengths of arrays.
    Lengths,
    /// Some of the fields and elements of objects: those of one bucket.
    Fields(u8),
    /// The end of what is allocated of the free run.
    Cursor,
    /// The bitmap of object starts.
    Starts,
    /// Locals that lie in the frame.
    Locals,
}

impl Region {
    fn id(self) -> u32 {
        match self {
            Region::Memory => 0,
            Region::ImportedGlobals => 1,
            Region::Elements => 2,
            Region::Records => 3,
            Region::Vm => 4,
            Region::Objects => 6,
            Region::Headers => 7,
            Region::Lengths => 8,
            Region::Cursor => 9,
            Region::Starts => 10,
            Region::Locals => 11,
            Region::Fields(bucket) => 16 + u32::from(bucket),
            Region::OwnGlobal(global) => 512 + global,
        }
    }
}

impl Translator<'_> {
    /// Reads the context where the function begins.
    pub(super) fn read_entry_context(&mut self) {
        self.entry_context = Some(self.b.ins().get_pinned_reg(types::I64));
    }

    /// The context.
    pub(super) fn context(&mut self) -> Value {
        if let Some(context) = self.entry_context.or(self.block_context) {
            return context;
        }
        let context = self.b.ins().get_pinned_reg(types::I64);
        self.block_context = Some(context);
        context
    }

    /// After a call: the register is read again rather than its value kept.
    pub(super) fn forget_context(&mut self) {
        self.block_context = None;
    }

    /// After a call that may have returned in another instance's context.
    pub(super) fn restore_context(&mut self, own: Value) {
        if self.env.convention != Convention::Argument {
            self.b.ins().set_pinned_reg(own);
        }
    }

    pub(super) fn region(&mut self, region: Region) -> AliasRegion {
        let Translator { b, regions, .. } = self;
        *regions.entry(region).or_insert_with(|| {
            let data = AliasRegionData { user_id: region.id(), description: "".into() };
            b.func.dfg.alias_regions.insert(data)
        })
    }

    /// Flags of accesses that cannot trap.
    pub(super) fn flags(&mut self, region: Region) -> MemFlagsData {
        let region = self.region(region);
        MemFlagsData::trusted().with_endianness(Endianness::Little).with_alias_region(Some(region))
    }

    /// Flags of accesses to linear memory.
    pub(super) fn memory_flags(&mut self) -> MemFlagsData {
        let region = self.region(Region::Memory);
        let code = TrapCode::unwrap_user(TrapKind::MemoryOutOfBounds as u8);
        MemFlagsData::new()
            .with_endianness(Endianness::Little)
            .with_alias_region(Some(region))
            .with_trap_code(Some(code))
    }

    /// Loads what never changes while the instance lives.
    pub(super) fn constant(&mut self, ty: Type, base: Value, offset: i32) -> Value {
        let flags = MemFlagsData::trusted().with_readonly().with_can_move();
        self.b.ins().load(ty, flags, base, offset)
    }

    /// A word below the context that never changes.
    pub(super) fn word(&mut self, offset: i32) -> Value {
        let context = self.context();
        self.constant(types::I64, context, offset)
    }

    /// The state of execution.
    pub(super) fn vm(&mut self) -> Value {
        self.word(abi::VM)
    }
}
