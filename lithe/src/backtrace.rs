//! Frames with names and source positions. Resolved when somebody looks, never on the path of a call.

use std::fmt;
use std::sync::Arc;

use addr2line::gimli;
use lithe_runtime::Code;

/// A frame as an engine gives it.
pub(crate) enum RawFrame {
    /// By the interpreter.
    Interpreted(lithe_interp::Frame),
    /// Of native code.
    Native(lithe_runtime::native::Frame),
}

impl RawFrame {
    fn code(&self) -> &Arc<Code> {
        match self {
            RawFrame::Interpreted(frame) => &frame.code,
            RawFrame::Native(frame) => &frame.code,
        }
    }

    fn func(&self) -> u32 {
        match self {
            RawFrame::Interpreted(frame) => frame.func,
            RawFrame::Native(frame) => frame.func,
        }
    }
}

impl fmt::Debug for RawFrame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "function {}", self.func())
    }
}

/// A frame of a backtrace.
#[derive(Clone, Debug)]
pub struct Frame {
    /// The module's name, when it is known.
    pub module: Option<String>,
    /// The function's index in its module.
    pub func: u32,
    /// The function's name as the module gives it, demangled.
    pub name: Option<String>,
    /// The byte offset of the operator in the module.
    pub offset: u32,
    /// Where the operator came from, innermost inlined function first. Needs DWARF in the module.
    pub locations: Vec<Location>,
}

/// A place in the source of a guest.
#[derive(Clone, Debug)]
pub struct Location {
    /// The function inlined here, when the position is inside one.
    pub function: Option<String>,
    /// The file.
    pub file: String,
    /// The line, from 1 on.
    pub line: Option<u32>,
    /// The column, from 1 on.
    pub column: Option<u32>,
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.file)?;
        if let Some(line) = self.line {
            write!(f, ":{line}")?;
        }
        if let (Some(_), Some(column)) = (self.line, self.column) {
            write!(f, ":{column}")?;
        }
        Ok(())
    }
}

/// The module's own name, or the one it was loaded with.
pub(crate) fn module_name(code: &Code) -> Option<String> {
    let label = (!code.label().is_empty()).then(|| code.label().into());
    code.module().name().or(label)
}

/// Names and positions of frames. Each module's sections are read once.
pub(crate) fn resolve(frames: &[RawFrame]) -> Vec<Frame> {
    let interpreted = frames.iter().filter_map(|frame| match frame {
        RawFrame::Interpreted(frame) => Some(frame),
        RawFrame::Native(_) => None,
    });
    let mut interpreted = lithe_interp::offsets(interpreted).into_iter();
    let offset = |frame: &RawFrame| match frame {
        RawFrame::Interpreted(_) => interpreted.next().unwrap_or_default(),
        RawFrame::Native(frame) => frame.offset,
    };
    let offsets: Vec<u32> = frames.iter().map(offset).collect();
    let mut resolved: Vec<Option<Frame>> = frames.iter().map(|_| None).collect();
    for first in 0..frames.len() {
        if resolved[first].is_some() {
            continue;
        }
        let code = frames[first].code();
        let names = code.module().names();
        let module = module_name(code);
        let dwarf = dwarf(code);
        let context = dwarf.and_then(|dwarf| addr2line::Context::from_dwarf(dwarf).ok());
        for ((frame, offset), slot) in frames.iter().zip(&offsets).zip(&mut resolved) {
            if !Arc::ptr_eq(frame.code(), code) {
                continue;
            }
            let address = offset.saturating_sub(code.module().code_start);
            let locations = context.as_ref().map(|context| locations(context, address));
            *slot = Some(Frame {
                module: module.clone(),
                func: frame.func(),
                name: names.funcs.get(&frame.func()).map(|name| demangle(name)),
                offset: *offset,
                locations: locations.unwrap_or_default(),
            });
        }
    }
    resolved.into_iter().flatten().collect()
}

fn demangle(name: &str) -> String {
    format!("{:#}", rustc_demangle::demangle(name))
}

type Reader<'a> = gimli::EndianSlice<'a, gimli::LittleEndian>;

fn dwarf(code: &Code) -> Option<gimli::Dwarf<Reader<'_>>> {
    code.module().custom(".debug_info")?;
    let load = |id: gimli::SectionId| -> Result<Reader<'_>, gimli::Error> {
        let bytes = code.module().custom(id.name()).unwrap_or(&[]);
        Ok(gimli::EndianSlice::new(bytes, gimli::LittleEndian))
    };
    gimli::Dwarf::load(load).ok()
}

fn locations(context: &addr2line::Context<Reader<'_>>, address: u32) -> Vec<Location> {
    let mut locations = Vec::new();
    let Ok(mut frames) = context.find_frames(u64::from(address)).skip_all_loads() else {
        return locations;
    };
    while let Ok(Some(frame)) = frames.next() {
        let Some(place) = frame.location else { continue };
        let function = frame.function.and_then(|name| name.demangle().ok().map(String::from));
        locations.push(Location {
            function,
            file: place.file.unwrap_or("<unknown>").into(),
            line: place.line,
            column: place.column.filter(|column| *column > 0),
        });
    }
    locations
}
