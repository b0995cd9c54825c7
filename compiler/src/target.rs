//! A machine as a code generator. The driver makes one for all of a module's functions. Invariant: settings depend on
//! nothing but the arguments, so that the same module gives the same code on every host.

use std::sync::Arc;

use cranelift_codegen::{
    isa::{self, TargetIsa},
    settings::{self, Configurable, SetError},
};
use lithe_runtime::{
    abi::{Arch, Traps, cpu},
    artifact::Target,
};

use crate::{Error, ErrorKind};

/// Frames that are larger touch the stack once per this many bytes, as a power of two, so that they cannot step over
/// the guard below it.
const PROBE_LOG2: &str = "16";

/// How registers are assigned.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Regalloc {
    /// For fast code.
    #[default]
    Backtracking,
    /// For fast compilation; code is about twice as large.
    SinglePass,
}

/// Reads a machine: `x86_64`, `aarch64` or `riscv64`, or a triple that begins with one of them and names Linux, with
/// the features that its processors have beyond the baseline, as in `riscv64+v`; or `host`.
pub fn parse_machine(text: &str) -> Result<(Arch, u64), Error> {
    let unknown = |message: String| Error::new(ErrorKind::UnknownMachine, message);
    let (machine, features) = text.split_once('+').unwrap_or((text, ""));
    if machine == "host" {
        let Some(arch) = Arch::HOST.filter(|_| features.is_empty()) else {
            return Err(unknown(format!("there is no native code for {text} here")));
        };
        return Ok((arch, cpu::host() | cpu::baseline(arch)));
    }
    let (name, rest) = machine.split_once('-').unwrap_or((machine, "linux"));
    let arch = match name {
        "x86_64" => Arch::X86_64,
        "aarch64" => Arch::Aarch64,
        "riscv64" | "riscv64gc" => Arch::Riscv64,
        _ => {
            return Err(unknown(format!(
                "there is no native code for {machine}, only for x86_64, aarch64 and riscv64"
            )));
        }
    };
    if !rest.split('-').any(|part| part == "linux") {
        return Err(unknown(format!("there is no native code for {machine}, only for Linux")));
    }
    let mut bits = cpu::baseline(arch);
    for name in features.split('+').filter(|name| !name.is_empty()) {
        let feature = cpu::features(arch).iter().find(|feature| feature.name == name);
        let feature = feature.ok_or_else(|| {
            let known: Vec<_> = cpu::names(arch, !cpu::baseline(arch)).collect();
            let known = known.join(", ");
            unknown(format!("processors of {machine} have no feature {name}, only {known}"))
        })?;
        bits |= feature.bit;
    }
    Ok((arch, bits))
}

/// The code generator for a machine.
pub(crate) fn isa(target: Target, regalloc: Regalloc) -> Result<Arc<dyn TargetIsa>, Error> {
    make(target, regalloc).map_err(|error| Error::new(ErrorKind::Internal, error))
}

fn make(target: Target, regalloc: Regalloc) -> Result<Arc<dyn TargetIsa>, String> {
    let setting = |error: SetError| format!("the code generator refuses a setting: {error}");
    let mut flags = settings::builder();
    let on = |on: bool| if on { "true" } else { "false" };
    let regalloc = match regalloc {
        Regalloc::Backtracking => "backtracking",
        Regalloc::SinglePass => "single_pass",
    };
    for (name, value) in [
        ("opt_level", "speed"),
        ("regalloc_algorithm", regalloc),
        // Names of the text are near each other; others, which a global offset table would hold, do not exist.
        ("is_pic", "false"),
        ("enable_pinned_reg", on(target.arch != Arch::Riscv64)),
        ("preserve_frame_pointers", "true"),
        ("enable_probestack", on(target.traps == Traps::Signals)),
        ("probestack_strategy", "inline"),
        ("probestack_size_log2", PROBE_LOG2),
        ("unwind_info", "false"),
        ("enable_verifier", on(cfg!(debug_assertions))),
        ("enable_multi_ret_implicit_sret", "true"),
    ] {
        flags.set(name, value).map_err(setting)?;
    }
    let name = match target.arch {
        Arch::X86_64 => "x86_64-unknown-linux-gnu",
        Arch::Aarch64 => "aarch64-unknown-linux-gnu",
        Arch::Riscv64 => "riscv64gc-unknown-linux-gnu",
    };
    let mut builder = isa::lookup_by_name(name)
        .map_err(|error| format!("the code generator does not know {name}: {error}"))?;
    for name in cpu::names(target.arch, target.cpu) {
        builder.enable(&flag(name)).map_err(setting)?;
    }
    builder
        .finish(settings::Flags::new(flags))
        .map_err(|error| format!("the code generator refuses {name}: {error}"))
}

/// The code generator's name of a processor's feature.
fn flag(feature: &str) -> String {
    match feature {
        "avxvnni" => "has_avx_vnni".into(),
        _ => format!("has_{}", feature.replace('.', "")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn machines_are_spelled() {
        assert_eq!(parse_machine("aarch64").unwrap(), (Arch::Aarch64, 0));
        assert_eq!(
            parse_machine("riscv64gc-unknown-linux-gnu+v+zba").unwrap(),
            (Arch::Riscv64, 0b111)
        );
        assert_eq!(parse_machine("host").is_ok(), Arch::HOST.is_some());
        for (wrong, part) in [
            ("mips", "only for x86_64, aarch64 and riscv64"),
            ("x86_64-pc-windows-msvc", "only for Linux"),
            ("riscv64+q", "no feature q, only v, zba"),
        ] {
            let error = parse_machine(wrong).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::UnknownMachine);
            assert!(error.to_string().contains(part), "{error}");
        }
    }

    #[test]
    fn every_feature_is_a_setting() {
        for arch in [Arch::X86_64, Arch::Aarch64, Arch::Riscv64] {
            for traps in [Traps::Checks, Traps::Signals] {
                let all = cpu::features(arch).iter().map(|feature| feature.bit).sum();
                let target = Target {
                    arch,
                    cpu: all,
                    traps,
                    fuel: false,
                    deterministic: true,
                    below_memory: false,
                };
                isa(target, Regalloc::SinglePass).unwrap();
            }
        }
    }
}
