//! Prints a component that imports interfaces and exports each of their functions again, as a function of its own that
//! passes its arguments and its result on: `wasi:io/poll`'s `[method]pollable.ready` as `io-poll-pollable-ready`. So a
//! host can call what it gives to guests, through the canonical ABI both ways.
//!
//!     forward FOLDER-OF-WIT PACKAGE...
//!
//! FOLDER-OF-WIT holds WASI 0.2, as the crate `wasip2` does; packages are such as `wasi:io`.

use std::collections::HashMap;
use std::fmt::Write as _;

use anyhow::{Context as _, Result};
use wit_component::{ComponentEncoder, StringEncoding};
use wit_parser::abi::{AbiVariant, WasmType};
use wit_parser::{
    Function, FunctionKind, Handle, Resolve, Type, TypeDefKind, TypeId, WorldItem, WorldKey,
};

/// Interfaces that `wasip2` does not have: `wasi:config` 0.2.0-rc.1 and the draft of `wasi:logging`.
const MORE: [(&str, &str); 2] = [
    (
        "config.wit",
        "package wasi:config@0.2.0-rc.1;
         interface store {
             variant error { upstream(string), io(string) }
             get: func(key: string) -> result<option<string>, error>;
             get-all: func() -> result<list<tuple<string, string>>, error>;
         }",
    ),
    (
        "logging.wit",
        "package wasi:logging;
         interface logging {
             enum level { trace, debug, info, warn, error, critical }
             log: func(level: level, context: string, message: string);
         }",
    ),
];

/// Where results go that do not fit a value; the heap is behind.
const RESULT: u32 = 1024;

/// Allocation for arguments and results, which all ends with a call.
const HEAP: &str = r#"
  (memory (export "memory") 16)
  (global $heap (mut i32) (i32.const 65536))
  (func (export "cabi_realloc") (param $old i32) (param $had i32) (param $align i32) (param $size i32) (result i32)
    (local $at i32) (local $pages i32)
    (local.set $at (i32.and (i32.add (global.get $heap) (i32.sub (local.get $align) (i32.const 1)))
      (i32.sub (i32.const 0) (local.get $align))))
    (global.set $heap (i32.add (local.get $at) (local.get $size)))
    (local.set $pages (i32.sub (i32.shr_u (i32.add (global.get $heap) (i32.const 65535)) (i32.const 16)) (memory.size)))
    (if (i32.gt_s (local.get $pages) (i32.const 0)) (then
      (if (i32.lt_s (memory.grow (local.get $pages)) (i32.const 0)) (then unreachable))))
    (if (local.get $old) (then (memory.copy (local.get $at) (local.get $old)
      (select (local.get $had) (local.get $size) (i32.lt_u (local.get $had) (local.get $size))))))
    (local.get $at))
  (func $done (global.set $heap (i32.const 65536)))
"#;

fn main() -> Result<()> {
    let mut args = std::env::args().skip(1);
    let folder = args.next().context("forward FOLDER-OF-WIT PACKAGE...")?;
    let packages: Vec<String> = args.collect();
    let component = forward(&folder, &packages)?;
    std::io::Write::write_all(&mut std::io::stdout(), &component)?;
    Ok(())
}

fn forward(folder: &str, packages: &[String]) -> Result<Vec<u8>> {
    let mut resolve = Resolve { all_features: true, ..Resolve::default() };
    resolve.push_dir(folder)?;
    for (name, text) in MORE {
        resolve.push_str(name, text)?;
    }
    let mut text = "package lithe:forward;\nworld forward {\n".to_owned();
    for (_, interface) in &resolve.interfaces {
        let Some((package, name)) = interface.package.zip(interface.name.as_ref()) else { continue };
        let package = &resolve.packages[package].name;
        let chosen = packages.contains(&format!("{}:{}", package.namespace, package.name));
        // What guests export to the host.
        if chosen && name != "run" && name != "incoming-handler" {
            let id = package.interface_id(name);
            writeln!(text, "  import {id};")?;
            for ty in interface.types.keys() {
                writeln!(text, "  use {id}.{{{ty} as {}-{name}-{ty}}};", package.name)?;
            }
        }
    }
    text.push('}');
    let package = resolve.push_str("forward.wit", &text)?;
    let world = resolve.packages[package].worlds["forward"];

    let mut names = HashMap::new();
    for item in resolve.worlds[world].imports.values() {
        if let WorldItem::Type { id, .. } = item
            && let TypeDefKind::Type(Type::Id(of)) = resolve.types[*id].kind
        {
            names.insert(of, *id);
        }
    }

    let (mut imports, mut funcs, mut exports) = (String::new(), String::new(), Vec::new());
    for (key, item) in &resolve.worlds[world].imports {
        let WorldItem::Interface { id, .. } = item else { continue };
        let (id, module) = (&resolve.interfaces[*id], resolve.name_world_key(key));
        let package = &resolve.packages[id.package.context("an interface without package")?].name;
        if !packages.contains(&format!("{}:{}", package.namespace, package.name)) {
            continue;
        }
        for func in id.functions.values() {
            let bare = func.name.split(']').next_back().unwrap_or_default().replace('.', "-");
            let constructor = matches!(func.kind, FunctionKind::Constructor(_));
            let bare = if constructor { format!("new-{bare}") } else { bare };
            let interface = id.name.as_deref().unwrap_or_default();
            let name = format!("{}-{interface}-{bare}", package.name);
            let mut export = func.clone();
            (export.name, export.kind) = (name.clone(), FunctionKind::Freestanding);
            push(&resolve, &module, func, &export, &mut imports, &mut funcs)?;
            exports.push((name, export));
        }
    }
    for (name, mut export) in exports {
        for param in &mut export.params {
            param.ty = named(&mut resolve, &names, param.ty);
        }
        export.result = export.result.map(|ty| named(&mut resolve, &names, ty));
        let (key, item) = (WorldKey::Name(name), WorldItem::Function(export));
        resolve.worlds[world].exports.insert(key, item);
    }
    let mut module = wat::parse_str(format!("(module\n{imports}{HEAP}{funcs})"))?;
    wit_component::embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8, false)?;
    ComponentEncoder::default().module(&module)?.validate(true).encode()
}

/// A type in terms of the names that the world has for those of interfaces.
fn named(resolve: &mut Resolve, names: &HashMap<TypeId, TypeId>, ty: Type) -> Type {
    let Type::Id(id) = ty else { return ty };
    if let Some(id) = names.get(&id) {
        return Type::Id(*id);
    }
    let mut def = resolve.types[id].clone();
    let mut inner = |ty: &mut Type| *ty = named(resolve, names, *ty);
    match &mut def.kind {
        TypeDefKind::Handle(Handle::Own(id) | Handle::Borrow(id)) => {
            *id = names.get(id).copied().unwrap_or(*id);
        }
        TypeDefKind::List(ty) | TypeDefKind::Option(ty) => inner(ty),
        TypeDefKind::Result(result) => {
            result.ok.as_mut().map(&mut inner);
            result.err.as_mut().map(&mut inner);
        }
        TypeDefKind::Tuple(tuple) => tuple.types.iter_mut().for_each(inner),
        _ => return ty,
    }
    Type::Id(resolve.types.alloc(def))
}

fn types(types: &[WasmType]) -> String {
    let name = |ty: &WasmType| match ty {
        WasmType::I32 | WasmType::Pointer | WasmType::Length => " i32",
        WasmType::I64 | WasmType::PointerOrI64 => " i64",
        WasmType::F32 => " f32",
        WasmType::F64 => " f64",
    };
    types.iter().map(name).collect()
}

/// The resource that a type borrows.
fn borrowed(resolve: &Resolve, ty: &Type) -> Option<TypeId> {
    let Type::Id(id) = ty else { return None };
    match &resolve.types[*id].kind {
        TypeDefKind::Handle(Handle::Borrow(resource)) => Some(original(resolve, *resource)),
        TypeDefKind::Type(ty) => borrowed(resolve, ty),
        _ => None,
    }
}

/// The resource type behind names that other interfaces give it.
fn original(resolve: &Resolve, id: TypeId) -> TypeId {
    match &resolve.types[id].kind {
        TypeDefKind::Type(Type::Id(id)) => original(resolve, *id),
        _ => id,
    }
}

/// An import of the function that drops a handle of a resource; its name in the module.
fn dropper(resolve: &Resolve, resource: TypeId, imports: &mut String) -> Result<String> {
    let ty = &resolve.types[resource];
    let name = ty.name.as_deref().context("a resource without name")?;
    let wit_parser::TypeOwner::Interface(owner) = ty.owner else {
        anyhow::bail!("the resource {name} belongs to no interface");
    };
    let module = resolve.id_of(owner).context("an interface without name")?;
    let known = format!("$drop-{module}-{name}").replace(['@', '/', ':'], "-");
    if !imports.contains(&format!("{known} ")) {
        writeln!(imports, "  (import {module:?} \"[resource-drop]{name}\" (func {known} (param i32)))")?;
    }
    Ok(known)
}

/// Writes the import and the export of a function.
fn push(
    resolve: &Resolve,
    module: &str,
    func: &Function,
    export: &Function,
    imports: &mut String,
    funcs: &mut String,
) -> Result<()> {
    let inner = resolve.wasm_signature(AbiVariant::GuestImport, func);
    let outer = resolve.wasm_signature(AbiVariant::GuestExport, export);
    let (params, results) = (types(&inner.params), types(&inner.results));
    let name = &export.name;
    writeln!(
        imports,
        "  (import {module:?} {:?} (func $in-{name} (param{params}) (result{results})))",
        func.name
    )?;
    let (params, results) = (types(&outer.params), types(&outer.results));
    writeln!(funcs, "  (func (export {name:?}) (param{params}) (result{results}) (local $i i32)")?;
    for i in 0..outer.params.len() {
        write!(funcs, " (local.get {i})")?;
    }
    if inner.retptr {
        write!(funcs, " (i32.const {RESULT})")?;
    }
    writeln!(funcs, " (call $in-{name})")?;
    let mut at = 0;
    for param in &func.params {
        if inner.indirect_params {
            break;
        }
        if let Some(resource) = borrowed(resolve, &param.ty) {
            let drop = dropper(resolve, resource, imports)?;
            writeln!(funcs, "    (call {drop} (local.get {at}))")?;
        }
        if let Type::Id(id) = param.ty
            && let TypeDefKind::List(element) = &resolve.types[id].kind
            && let Some(resource) = borrowed(resolve, element)
        {
            let drop = dropper(resolve, resource, imports)?;
            writeln!(
                funcs,
                "    (block $end (loop $next
      (br_if $end (i32.ge_u (local.get $i) (local.get {})))
      (call {drop} (i32.load (i32.add (local.get {at}) (i32.shl (local.get $i) (i32.const 2)))))
      (local.set $i (i32.add (local.get $i) (i32.const 1))) (br $next)))",
                at + 1
            )?;
        }
        let one = Function { params: vec![param.clone()], result: None, ..export.clone() };
        at += resolve.wasm_signature(AbiVariant::GuestImport, &one).params.len();
    }
    if outer.retptr {
        write!(funcs, "    (i32.const {RESULT})")?;
    }
    writeln!(funcs, ")\n  (func (export \"cabi_post_{name}\") (param{results}) (call $done))")?;
    Ok(())
}
