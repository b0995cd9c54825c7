//! Artifacts that are whole, damaged, foreign and old.

use lithe_runtime::{
    abi::{self, Arch, Traps},
    artifact::{
        Artifact, Function, HEADER, Handler, NONE, PAGE, Parts, Site, Target, Text, write_site,
    },
    hash::hash,
};
use lithe_types::TrapKind;

const MODULE: &[u8] = b"\0asm\x01\0\0\0 and more";
const TARGET: Target = Target {
    arch: Arch::Aarch64,
    cpu: 0x1234_5678_9abc_def0,
    traps: Traps::Signals,
    fuel: true,
    deterministic: false,
    below_memory: true,
};
const SITES: [Site; 4] = [
    Site { text: 4, module: 1000, trap: None },
    Site { text: 4, module: 1002, trap: Some(TrapKind::MemoryOutOfBounds) },
    Site { text: 200, module: 3, trap: Some(TrapKind::Unreachable) },
    Site { text: 250, module: u32::MAX, trap: None },
];

fn handler(call: u32, tag: u32) -> Handler {
    Handler { call, tag, target: call + 8, frame: 64, context: 16 }
}

/// Two functions with sites and handlers.
fn written() -> Vec<u8> {
    parts().write(MODULE)
}

fn parts() -> Parts {
    let mut sites = Vec::new();
    let mut last = Site { text: 0, module: 0, trap: None };
    SITES.iter().for_each(|site| write_site(&mut sites, &mut last, *site));
    let second = sites.len() as u32;
    let mut last = Site { text: 512, module: 0, trap: None };
    write_site(&mut sites, &mut last, Site { text: 600, module: 7, trap: None });
    Parts {
        target: TARGET,
        text: (0..700).map(|i| i as u8).collect(),
        functions: vec![
            Function { start: 0, end: 260, sites: 0 },
            Function { start: 512, end: 700, sites: second },
        ],
        enters: vec![1, NONE, 5],
        imports: vec![0],
        tables: vec![],
        handlers: vec![handler(4, 9), handler(4, NONE), handler(600, 1)],
        sites,
        label: "a label".into(),
    }
}

fn read(bytes: Vec<u8>) -> Result<Artifact, String> {
    Artifact::new(Box::new(bytes))
}

/// Asks an artifact everything.
fn use_all(artifact: &Artifact) {
    let _ = (artifact.target(), artifact.module(), artifact.label(), artifact.module_hash());
    assert_eq!(artifact.text().len(), artifact.text_range().len());
    for index in (0..artifact.functions() + 2).chain([usize::MAX]) {
        let _ = artifact.function(index);
        let _ = artifact.sites(index).count();
        for text in (0..800).step_by(50).chain([u32::MAX]) {
            let _ = (artifact.site(index, text), artifact.call_site(index, text));
        }
    }
    for text in (0..800).chain([u32::MAX]) {
        let _ = artifact.function_at(text);
        assert!(artifact.handlers(text).count() <= 3);
    }
    for index in [0, 1, 2, 3, u32::MAX] {
        let _ = (artifact.enter(index), artifact.import(index));
    }
}

#[test]
fn what_was_written_is_read() {
    let artifact = read(written()).unwrap();
    assert_eq!(artifact.target(), TARGET);
    assert_eq!((artifact.module(), artifact.label()), (MODULE, "a label"));
    assert_eq!(artifact.module_hash(), hash(MODULE));
    assert_eq!(artifact.text_range().start % PAGE, 0);
    assert_eq!(artifact.text()[699], 699u32 as u8);
    assert_eq!(artifact.functions(), 2);
    assert_eq!(artifact.enter(0).map(|function| function.start), Some(512));
    assert_eq!((artifact.enter(1), artifact.enter(2), artifact.enter(3)), (None, None, None));
    assert_eq!(artifact.import(0).map(|function| function.end), Some(260));
    assert_eq!(artifact.sites(0).collect::<Vec<_>>(), SITES);
    assert_eq!(artifact.sites(1).map(|site| site.text).collect::<Vec<_>>(), [600]);
    assert_eq!(artifact.site(0, 3), None);
    assert_eq!(artifact.site(0, 4), Some(SITES[1]));
    assert_eq!(artifact.site(0, 199), Some(SITES[1]));
    assert_eq!(artifact.call_site(0, 4), Some(SITES[0]));
    assert_eq!(artifact.call_site(0, 200), None);
    assert_eq!(artifact.call_site(0, 201), None);
    for (text, function) in [(0, Some(0)), (259, Some(0)), (260, None), (512, Some(1)), (700, None)]
    {
        assert_eq!(artifact.function_at(text), function);
    }
    assert_eq!(artifact.handlers(4).collect::<Vec<_>>(), [handler(4, 9), handler(4, NONE)]);
    assert_eq!(artifact.handlers(5).count(), 0);
    artifact.verify().unwrap();
    use_all(&artifact);
}

#[test]
fn a_text_may_stand_elsewhere() {
    let parts = parts();
    let mut bytes = vec![0; HEADER];
    let mut sink = |more: &[u8]| bytes.extend_from_slice(more);
    let header = parts.stream(MODULE, Text::Elsewhere(parts.text.len()), &mut sink);
    bytes[..HEADER].copy_from_slice(&header);
    let refused = read(bytes.clone()).err().unwrap();
    assert_eq!(refused, "its code is in the program that it was made for");
    let (bytes, text): (&[u8], &[u8]) = (bytes.leak(), parts.text.clone().leak());
    let refused = Artifact::linked(bytes, &text[1..]).err().unwrap();
    assert_eq!(refused, "it belongs to other code");
    let refused = Artifact::linked(written().leak(), text).err().unwrap();
    assert_eq!(refused, "it has its code with it and takes no other");
    let artifact = Artifact::linked(bytes, text).unwrap();
    artifact.verify().unwrap();
    assert_eq!((artifact.text(), artifact.text_range().len()), (text, 0));
    assert_eq!(artifact.linked_text(), Some(text));
    assert_eq!((artifact.module(), artifact.label()), (MODULE, "a label"));
    assert_eq!(artifact.function(1).map(|function| function.end), Some(700));
    assert_eq!(artifact.sites(0).collect::<Vec<_>>(), SITES);
}

#[test]
fn a_damaged_header_is_refused() {
    let whole = written();
    for bit in 0..8 * HEADER {
        let mut bytes = whole.clone();
        bytes[bit / 8] ^= 1 << (bit % 8);
        let refused = read(bytes).err();
        let refused = refused.unwrap_or_else(|| panic!("bit {bit} makes no difference"));
        assert!(refused.starts_with("it "), "{refused}");
    }
}

#[test]
fn damage_elsewhere_is_found_and_does_no_harm() {
    let whole = written();
    let parts = HEADER..PAGE.min(600);
    let rest = [PAGE, PAGE + 699, 2 * PAGE, whole.len() - 1];
    for byte in parts.chain(rest) {
        for bit in 0..8 {
            let mut bytes = whole.clone();
            bytes[byte] ^= 1 << bit;
            let artifact = read(bytes).unwrap();
            assert!(artifact.verify().is_err());
            if bit == byte % 8 || byte < 330 {
                use_all(&artifact);
            }
        }
    }
}

#[test]
fn noise_instead_of_parts_does_no_harm() {
    let whole = written();
    let mut seed = 1u64;
    for _ in 0..200 {
        let mut bytes = whole.clone();
        for byte in &mut bytes[HEADER..600] {
            seed = seed.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            *byte = (seed >> 56) as u8;
        }
        use_all(&read(bytes).unwrap());
    }
}

#[test]
fn truncated_and_extended_files_are_refused() {
    let whole = written();
    for len in (0..1000).chain((1000..whole.len()).step_by(997)) {
        let refused = read(whole[..len].to_vec()).err().unwrap();
        let reason =
            if len < HEADER { "it is no artifact of Lithe" } else { "it is damaged: it has" };
        assert!(refused.starts_with(reason), "{len}: {refused}");
    }
    let mut longer = whole.clone();
    longer.push(0);
    assert!(read(longer).err().unwrap().starts_with("it is damaged: it has"));
}

#[test]
fn parts_that_overlap_or_lie_outside_are_refused() {
    let whole = written();
    for part in 0..8 {
        for (field, value) in [(0, 0), (0, 1 << 40), (0, u64::MAX - 1), (8, u64::MAX), (8, 1 << 33)]
        {
            let mut bytes = whole.clone();
            bytes[112 + 16 * part + field..][..8].copy_from_slice(&u64::to_le_bytes(value));
            assert!(seal(bytes).err().unwrap().starts_with("it is damaged: it"));
        }
    }
    assert!(seal(whole).is_ok());
}

/// Reads an artifact after its header got the checksum that it should have.
fn seal(mut bytes: Vec<u8>) -> Result<Artifact, String> {
    bytes[40..48].fill(0);
    let checksum = hash(&bytes[..HEADER]);
    bytes[40..48].copy_from_slice(&checksum[..8]);
    read(bytes)
}

#[test]
fn foreign_and_old_artifacts_are_refused() {
    let whole = written();
    for (at, reason) in [
        (0, "it is no artifact of Lithe"),
        (8, "it was made by another version of Lithe; compile the module again"),
        (32, "it was made by another version of Lithe; compile the module again"),
        (12, "it is for a machine that this version of Lithe does not know"),
        (13, "it traps in a way that this version of Lithe does not know"),
    ] {
        let mut bytes = whole.clone();
        bytes[at] ^= 0x40;
        assert_eq!(seal(bytes).err().unwrap(), reason);
    }
    assert_eq!(read(MODULE.to_vec()).err().unwrap(), "it is no artifact of Lithe");
    assert_ne!(abi::IDENTITY, 0);
}
