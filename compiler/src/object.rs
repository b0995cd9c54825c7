//! Native code as a relocatable ELF object, for programs that may make no code executable: they are linked with it.
//! `compile` calls it with an artifact whose text stands elsewhere. Invariant: the text is the only thing in the object
//! that a program can execute.
//!
//! ```text
//! .text.lithe.NAME         the text, a symbol for each function
//! .rodata.lithe.NAME       the artifact without its text
//! .data.rel.ro.lithe.NAME  lithe_NAME: address and length of the artifact, address and length of the text
//! ```

use lithe_runtime::abi::Arch;

/// What an object is made of.
pub(crate) struct Object<'a> {
    pub arch: Arch,
    /// Letters, digits and underscores.
    pub name: &'a str,
    pub text: Vec<u8>,
    pub artifact: Vec<u8>,
    /// Names, offsets and lengths in the text.
    pub functions: Vec<(String, u32, u32)>,
}

const PROGBITS: u32 = 1;
const SYMTAB: u32 = 2;
const STRTAB: u32 = 3;
const RELA: u32 = 4;
const WRITE: u64 = 1;
const ALLOC: u64 = 2;
const EXECUTE: u64 = 4;
const INFO_LINK: u64 = 0x40;

/// Numbers of sections.
const TEXT: u16 = 1;
const RODATA: u16 = 2;
const RECORD: u16 = 3;
const SYMBOLS: u32 = 5;
const STRINGS: u32 = 6;
const NAMES: u16 = 7;

/// Code may form addresses from pages of this size.
const TEXT_ALIGN: u64 = 4096;
const FILE_HEADER: usize = 64;

#[derive(Default)]
struct Section {
    name: String,
    kind: u32,
    flags: u64,
    bytes: Vec<u8>,
    link: u32,
    info: u32,
    align: u64,
    entry: u64,
}

/// Strings one after the other, found by offset.
struct Strings(Vec<u8>);

impl Strings {
    fn add(&mut self, text: &str) -> u32 {
        let at = self.0.len() as u32;
        self.0.extend(text.bytes().filter(|byte| *byte != 0));
        self.0.push(0);
        at
    }
}

fn symbol(out: &mut Vec<u8>, name: u32, info: u8, section: u16, value: u64, size: u64) {
    out.extend(name.to_le_bytes());
    out.extend([info, 0]);
    out.extend(section.to_le_bytes());
    out.extend(value.to_le_bytes());
    out.extend(size.to_le_bytes());
}

impl Object<'_> {
    /// The bytes of the object.
    pub(crate) fn write(self) -> Vec<u8> {
        const LOCAL_SECTION: u8 = 3;
        const LOCAL_FUNCTION: u8 = 2;
        const GLOBAL_OBJECT: u8 = 1 << 4 | 1;
        let (machine, flags, absolute) = match self.arch {
            Arch::X86_64 => (62u16, 0u32, 1u64),
            Arch::Aarch64 => (183, 0, 257),
            // Compressed instructions, and floats in registers.
            Arch::Riscv64 => (243, 5, 2),
        };
        let mut strings = Strings(vec![0]);
        let mut symbols = vec![0; 24];
        for section in [TEXT, RODATA] {
            symbol(&mut symbols, 0, LOCAL_SECTION, section, 0, 0);
        }
        for (name, start, len) in &self.functions {
            let name = strings.add(name);
            symbol(&mut symbols, name, LOCAL_FUNCTION, TEXT, (*start).into(), (*len).into());
        }
        let locals = (symbols.len() / 24) as u32;
        let mut record = Vec::new();
        let mut relocs = Vec::new();
        for (section, len) in [(RODATA, self.artifact.len()), (TEXT, self.text.len())] {
            // The symbols of sections come first, with the sections' numbers.
            relocs.extend((record.len() as u64).to_le_bytes());
            relocs.extend((u64::from(section) << 32 | absolute).to_le_bytes());
            relocs.extend(0u64.to_le_bytes());
            record.extend(0u64.to_le_bytes());
            record.extend((len as u64).to_le_bytes());
        }
        let name = strings.add(&format!("lithe_{}", self.name));
        symbol(&mut symbols, name, GLOBAL_OBJECT, RECORD, 0, record.len() as u64);

        let data = |kind: &str, flags, align, bytes| Section {
            name: format!("{kind}.lithe.{}", self.name),
            kind: PROGBITS,
            flags,
            bytes,
            align,
            ..Section::default()
        };
        let table = |name: &str, kind, bytes| Section {
            name: name.into(),
            kind,
            bytes,
            align: 1,
            ..Section::default()
        };
        let mut sections = vec![
            Section::default(),
            data(".text", ALLOC | EXECUTE, TEXT_ALIGN, self.text),
            data(".rodata", ALLOC, 16, self.artifact),
            data(".data.rel.ro", ALLOC | WRITE, 8, record),
            Section {
                kind: RELA,
                link: SYMBOLS,
                info: RECORD.into(),
                entry: 24,
                ..data(".rela.data.rel.ro", INFO_LINK, 8, relocs)
            },
            Section {
                link: STRINGS,
                info: locals,
                align: 8,
                entry: 24,
                ..table(".symtab", SYMTAB, symbols)
            },
            table(".strtab", STRTAB, strings.0),
            table(".shstrtab", STRTAB, Vec::new()),
            // Its presence says that no stack needs to be executable.
            table(".note.GNU-stack", PROGBITS, Vec::new()),
        ];
        let mut names = Strings(vec![0]);
        let named: Vec<u32> = sections.iter().map(|section| names.add(&section.name)).collect();
        sections[usize::from(NAMES)].bytes = names.0;

        let mut out = vec![0; FILE_HEADER];
        let mut table = Vec::new();
        for (section, name) in sections.iter().zip(named) {
            let start = out.len().next_multiple_of(section.align.max(1) as usize);
            if section.kind != 0 {
                out.resize(start, 0);
                out.extend_from_slice(&section.bytes);
            }
            let offset = if section.kind == 0 { 0 } else { start as u64 };
            table.extend(name.to_le_bytes());
            table.extend(section.kind.to_le_bytes());
            for word in [section.flags, 0, offset, section.bytes.len() as u64] {
                table.extend(word.to_le_bytes());
            }
            table.extend(section.link.to_le_bytes());
            table.extend(section.info.to_le_bytes());
            table.extend(section.align.to_le_bytes());
            table.extend(section.entry.to_le_bytes());
        }
        out.resize(out.len().next_multiple_of(8), 0);
        let header = header(machine, flags, out.len() as u64, sections.len() as u16);
        out[..FILE_HEADER].copy_from_slice(&header);
        out.extend(table);
        out
    }
}

/// The header of a relocatable file for Linux.
fn header(machine: u16, flags: u32, sections: u64, count: u16) -> [u8; FILE_HEADER] {
    let mut header = [0; FILE_HEADER];
    let mut put = |at: usize, bytes: &[u8]| header[at..][..bytes.len()].copy_from_slice(bytes);
    // 64 bits, little endian, version 1.
    put(0, b"\x7fELF\x02\x01\x01");
    put(16, &1u16.to_le_bytes());
    put(18, &machine.to_le_bytes());
    put(20, &1u32.to_le_bytes());
    put(40, &sections.to_le_bytes());
    put(48, &flags.to_le_bytes());
    put(52, &(FILE_HEADER as u16).to_le_bytes());
    put(58, &64u16.to_le_bytes());
    put(60, &count.to_le_bytes());
    put(62, &NAMES.to_le_bytes());
    header
}
