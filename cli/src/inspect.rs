//! `lithe inspect`: what is in a module. Called by `main`. Invariant: names that the module chose are made
//! visible before they reach the terminal.

use std::fmt::{self, Write};
use std::path::Path;

use lithe::{Artifact, Config, Engine, Error, Import, Module, Traps};
use lithe_component::{Component, Item};
use serde_json::{Value, json};

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
    if Component::is(&bytes) {
        return component(options, &Engine::new(&config), file, &bytes);
    }
    let artifact = Artifact::is(&bytes).then(|| Artifact::new(&*bytes)).transpose();
    let artifact = artifact.map_err(|error| report::load(file, &error))?;
    let binary = artifact.as_ref().map_or(&*bytes, Artifact::module);
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
        (None, None, Format::Text) => text(&module, artifact.as_ref(), file),
        (None, None, Format::Json) => format!("{}\n", machine(&module, artifact.as_ref(), file)),
    };
    print(&text).map_err(|error| report::failed(&error))?;
    Ok(0)
}

/// Prints what a component imports and exports, as WIT.
fn component(options: &Options, engine: &Engine, file: &Path, bytes: &[u8]) -> Result<i32, Report> {
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
            format!("// {shown}: a component of {size} bytes with {modules} core modules\n{wit}")
        }
        Format::Json => {
            let item = |item: &Item| {
                let ty = item.func.as_ref().map(|ty| ty.to_string());
                json!({ "interface": item.interface, "name": item.name, "type": ty })
            };
            let list = |items: Vec<Item>| items.iter().map(item).collect::<Vec<Value>>();
            let modules = component.modules().iter();
            let object = json!({
                "file": file.display().to_string(),
                "kind": "component",
                "bytes": binary.len(),
                "modules": modules.map(|module| module.size()).collect::<Vec<usize>>(),
                "imports": list(component.imports()),
                "exports": list(component.exports()),
            });
            format!("{object}\n")
        }
    };
    print(&text).map_err(|error| report::failed(&error))?;
    Ok(0)
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

fn text(module: &Module, artifact: Option<&Artifact>, file: &Path) -> String {
    let (file, size) = (file.display(), module.size());
    let mut text = match artifact {
        Some(artifact) => {
            let (kind, code) = (Native::of(artifact), artifact.code_bytes());
            format!(
                "{file}: {code} bytes of native code {kind}, of a core module of {size} bytes\n"
            )
        }
        None => format!("{file}: a core module of {size} bytes\n"),
    };
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

fn machine(module: &Module, artifact: Option<&Artifact>, file: &Path) -> Value {
    let native = artifact.map(|artifact| {
        json!({
            "machine": artifact.machine(),
            "features": artifact.processor_features(),
            "traps": traps(artifact),
            "counts_fuel": artifact.counts_fuel(),
            "deterministic": artifact.is_deterministic(),
            "bytes": artifact.code_bytes(),
            "intact": artifact.verify().is_ok(),
        })
    });
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
    if let (Value::Object(object), Some(native)) = (&mut object, native) {
        object.insert("native".into(), native);
    }
    object
}

/// What native code is for.
struct Native {
    machine: String,
    properties: Vec<&'static str>,
}

impl Native {
    fn of(artifact: &Artifact) -> Native {
        let features = artifact.processor_features();
        let machine: Vec<&str> = [artifact.machine()].into_iter().chain(features).collect();
        let fuel = artifact.counts_fuel().then_some("counts fuel");
        let deterministic = artifact.is_deterministic().then_some("is deterministic");
        let damaged = artifact.verify().is_err().then_some("is damaged");
        let traps = match artifact.traps() {
            Traps::Signals => "traps by signals",
            Traps::Checks => "traps by checks",
        };
        let properties = [Some(traps), fuel, deterministic, damaged];
        Native {
            machine: machine.join("+"),
            properties: properties.into_iter().flatten().collect(),
        }
    }
}

impl fmt::Display for Native {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "for {} that {}", self.machine, self.properties.join(", "))
    }
}

fn traps(artifact: &Artifact) -> &'static str {
    match artifact.traps() {
        Traps::Signals => "signals",
        Traps::Checks => "checks",
    }
}
