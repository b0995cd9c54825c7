//! `lithe inspect`: what is in a module. Called by `main`. Invariant: names that the module chose are made
//! visible before they reach the terminal.

use std::fmt::{self, Write};
use std::path::Path;

use lithe::{Artifact, Config, Engine, Error, Import, Module, Traps};
use lithe_component::{Component, Item};
use serde_json::{Value, json};

use crate::bundle::{self, Entry, Layout};
use crate::engines::with_progress;
use crate::load::{self, MAX_MODULE_BYTES};
use crate::options::{Format, Options};
use crate::output::{print, table, visible};
use crate::report::{self, FAILED, Report};

/// Prints what is in a module; gives the exit status.
pub fn inspect(options: &Options) -> Result<i32, Report> {
    let file = Path::new(options.operands.first().map_or("-".as_ref(), |file| file.as_os_str()));
    let config = Config::new().features(options.features).dispatch(options.dispatch);
    let traps = options.traps.unwrap_or_else(crate::engines::traps);
    let config = config.fuel(options.count_fuel).traps(traps);
    let bytes = load::read(file, MAX_MODULE_BYTES).map_err(|error| load::unread(file, &error))?;
    if bundle::is(&bytes) {
        let (binary, artifacts) = bundled(&bytes).map_err(|error| report::load(file, &error))?;
        return component(options, &Engine::new(&config), file, &binary, Native::of(&artifacts));
    }
    if Component::is(&bytes) {
        return component(options, &Engine::new(&config), file, &bytes, None);
    }
    let artifact = Artifact::is(&bytes).then(|| Artifact::new(&*bytes)).transpose();
    let artifact = artifact.map_err(|error| report::load(file, &error))?;
    let binary = artifact.as_ref().map_or(&*bytes, Artifact::module);
    let native = Native::of(artifact.as_slice());
    let module = Module::named(&Engine::new(&config), binary, &load::name(file));
    let module = module.map_err(|error| report::load(file, &error))?;
    let text = match (&options.bytecode, &options.native, options.format) {
        (Some(name), _, format) => {
            let function = Function::new(&module, file, name)?;
            function.shown("bytecode", module.disassemble(function.index), format)?
        }
        (None, Some(name), format) => {
            let function = Function::new(&module, file, name)?;
            let code =
                with_progress(options, file, |how| module.disassemble_native(how, function.index));
            function.shown("native", code, format)?
        }
        (None, None, Format::Text) => text(&module, native.as_ref(), file),
        (None, None, Format::Json) => format!("{}\n", machine(&module, native.as_ref(), file)),
    };
    print(&text).map_err(|error| report::failed(&error))?;
    Ok(0)
}

/// Prints what a component imports and exports, as WIT.
fn component(
    options: &Options,
    engine: &Engine,
    file: &Path,
    bytes: &[u8],
    native: Option<Native<'_>>,
) -> Result<i32, Report> {
    if options.bytecode.is_some() || options.native.is_some() {
        let headline =
            format!("`{}` is a component; code is shown of core modules", file.display());
        return Err(Report::new(FAILED, "component", headline));
    }
    let binary = Component::binary(bytes).map_err(|error| report::load(file, &error))?;
    let component = Component::new(engine, &*binary).map_err(|error| report::load(file, &error))?;
    let text = match options.format {
        Format::Text => {
            let (shown, size, modules) = (file.display(), binary.len(), component.modules().len());
            let wit = wit(&binary).map_err(|error| {
                let headline = format!("`{shown}`: its WIT cannot be printed: {}", visible(&error));
                Report::new(FAILED, "wit", headline)
            })?;
            let native = native.map(|native| format!("{native}, of ")).unwrap_or_default();
            format!(
                "// {shown}: {native}a component of {size} bytes with {modules} core modules\n{wit}"
            )
        }
        Format::Json => {
            let item = |item: &Item| {
                let ty = item.func.as_ref().map(|ty| ty.to_string());
                json!({ "interface": item.interface, "name": item.name, "type": ty })
            };
            let list = |items: Vec<Item>| items.iter().map(item).collect::<Vec<Value>>();
            let modules = component.modules().iter();
            let mut object = json!({
                "file": file.display().to_string(),
                "kind": "component",
                "bytes": binary.len(),
                "modules": modules.map(|module| module.size()).collect::<Vec<usize>>(),
                "imports": list(component.imports()),
                "exports": list(component.exports()),
            });
            if let Some(native) = native {
                object["native"] = native.json();
            }
            format!("{object}\n")
        }
    };
    print(&text).map_err(|error| report::failed(&error))?;
    Ok(0)
}

/// The component of an artifact, and its native code.
fn bundled(bytes: &[u8]) -> Result<(Vec<u8>, Vec<Artifact>), Error> {
    let layout = Layout::read(&bytes).map_err(bundle::unusable)?;
    let component = layout.component(&bytes).map_err(bundle::unusable)?;
    layout.verify(&component).map_err(bundle::unusable)?;
    let artifact = |entry: &Entry| {
        let bytes = bundle::read(&bytes, &entry.part).map_err(bundle::unusable)?;
        let artifact = Artifact::new(bytes)?;
        match Artifact::hash(artifact.module()) == entry.hash {
            true => Ok(artifact),
            false => Err(bundle::unusable("it is damaged: it has code of another module")),
        }
    };
    let artifacts = layout.entries.iter().map(artifact).collect::<Result<_, Error>>()?;
    Ok((component, artifacts))
}

/// The WIT of a component.
#[cfg(feature = "wit")]
fn wit(binary: &[u8]) -> Result<String, String> {
    let decoded = wit_parser::decoding::decode(binary).map_err(|error| format!("{error:#}"))?;
    let resolve = decoded.resolve();
    let main = decoded.package();
    let others: Vec<_> =
        resolve.packages.iter().map(|(id, _)| id).filter(|id| *id != main).collect();
    let mut printer = wit_component::WitPrinter::default();
    printer.print(resolve, main, &others).map_err(|error| format!("{error:#}"))?;
    Ok(printer.output.to_string())
}

/// Says why there is no WIT.
#[cfg(not(feature = "wit"))]
fn wit(_: &[u8]) -> Result<String, String> {
    Err(crate::built::WIT.absence.into())
}

/// A function that is shown.
struct Function<'a> {
    module: &'a Module,
    file: &'a Path,
    index: u32,
}

impl<'a> Function<'a> {
    /// The function that `name` means.
    fn new(module: &'a Module, file: &'a Path, name: &str) -> Result<Function<'a>, Report> {
        let index = module.function_by_name(name).ok_or_else(|| {
            let (shown, count) = (file.display(), module.functions());
            let headline = format!(
                "`{shown}` has no function `{name}`; give an index below {count}, an exported name, or a name \
                 of the name section"
            );
            Report::new(FAILED, "entry", headline)
        })?;
        Ok(Function { module, file, index })
    }

    /// The function with its code, which machines find under the name of its kind.
    fn shown(
        &self,
        kind: &str,
        code: Result<String, Error>,
        format: Format,
    ) -> Result<String, Report> {
        let Function { module, file, index } = *self;
        let code = code.map_err(|error| {
            let headline = format!("`{}`: {}", file.display(), visible(&error.to_string()));
            Report::new(FAILED, "entry", headline)
        })?;
        Ok(match format {
            Format::Json => {
                let lines: Vec<&str> = code.lines().collect();
                let name = module.function_name(index);
                format!("{}\n", json!({ "function": index, "name": name, kind: lines }))
            }
            Format::Text => {
                let name = module.function_name(index);
                let name = name.map(|name| format!(" `{}`", visible(&name)));
                let ty = module.function_type(index).map(|ty| format!(": {ty}"));
                let (name, ty) = (name.unwrap_or_default(), ty.unwrap_or_default());
                format!("function {index}{name}{ty}\n{}\n", code.trim_end())
            }
        })
    }
}

fn text(module: &Module, native: Option<&Native<'_>>, file: &Path) -> String {
    let (file, size) = (file.display(), module.size());
    let native = native.map(|native| format!("{native}, of ")).unwrap_or_default();
    let mut text = format!("{file}: {native}a core module of {size} bytes\n");
    let sections = module.sections();
    if !sections.is_empty() {
        text += "sections\n";
    }
    for section in sections {
        let entries = section.entries.map(|count| count.to_string()).unwrap_or_default();
        let bytes =
            if section.bytes > 0 { format!("{} bytes", section.bytes) } else { String::new() };
        let line = format!("  {:<28} {entries:>7} {bytes:>15}", visible(&section.name));
        // Writing to a string does not fail, here and below.
        let _ = writeln!(text, "{}", line.trim_end());
    }
    let name = |import: &Import| visible(&format!("{}.{}", import.module, import.name));
    let imports = module.imports().into_iter().map(|import| (name(&import), import.ty.to_string()));
    let exports = module.exports().into_iter();
    let exports = exports.map(|export| (visible(&export.name), export.ty.to_string()));
    let tables: [(&str, Vec<(String, String)>); 2] =
        [("imports", imports.collect()), ("exports", exports.collect())];
    for (heading, rows) in tables.iter().filter(|(_, rows)| !rows.is_empty()) {
        let _ = write!(text, "{heading}\n{}", table(rows));
    }
    text
}

fn machine(module: &Module, native: Option<&Native<'_>>, file: &Path) -> Value {
    let sections = module.sections().into_iter().map(|section| {
        json!({ "name": section.name, "entries": section.entries, "bytes": section.bytes })
    });
    let imports = module.imports().into_iter().map(|import| {
        json!({ "module": import.module, "name": import.name, "type": import.ty.to_string() })
    });
    let exports = module
        .exports()
        .into_iter()
        .map(|export| json!({ "name": export.name, "type": export.ty.to_string() }));
    let mut object = json!({
        "file": file.display().to_string(),
        "name": module.name(),
        "bytes": module.size(),
        "sections": sections.collect::<Vec<Value>>(),
        "imports": imports.collect::<Vec<Value>>(),
        "exports": exports.collect::<Vec<Value>>(),
    });
    if let Some(native) = native {
        object["native"] = native.json();
    }
    object
}

/// Native code of a module, or of the modules of a component. That runs only when all is for the same, so the first
/// artifact says for what.
struct Native<'a> {
    first: &'a Artifact,
    bytes: usize,
    intact: bool,
}

impl<'a> Native<'a> {
    /// When there is any.
    fn of(artifacts: &'a [Artifact]) -> Option<Native<'a>> {
        Some(Native {
            first: artifacts.first()?,
            bytes: artifacts.iter().map(Artifact::code_bytes).sum(),
            intact: artifacts.iter().all(|artifact| artifact.verify().is_ok()),
        })
    }

    fn json(&self) -> Value {
        json!({
            "machine": self.first.machine(),
            "features": self.first.processor_features(),
            "traps": match self.first.traps() {
                Traps::Signals => "signals",
                Traps::Checks => "checks",
            },
            "counts_fuel": self.first.counts_fuel(),
            "deterministic": self.first.is_deterministic(),
            "bytes": self.bytes,
            "intact": self.intact,
        })
    }
}

impl fmt::Display for Native<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Native { first, bytes, intact } = *self;
        let machine: Vec<&str> =
            [first.machine()].into_iter().chain(first.processor_features()).collect();
        let traps = match first.traps() {
            Traps::Signals => "traps by signals",
            Traps::Checks => "traps by checks",
        };
        let properties = [
            Some(traps),
            first.counts_fuel().then_some("counts fuel"),
            first.is_deterministic().then_some("is deterministic"),
            (!intact).then_some("is damaged"),
        ];
        let properties: Vec<&str> = properties.into_iter().flatten().collect();
        let (machine, properties) = (machine.join("+"), properties.join(", "));
        write!(f, "{bytes} bytes of native code for {machine} that {properties}")
    }
}
