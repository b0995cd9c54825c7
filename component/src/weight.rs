//! How much work the definitions of a component are, in parts and in bytes of names. `build` counts with it. Invariant:
//! what is allocated for a definition is proportional to its weight.

use wasmparser::{
    ComponentDefinedType, ComponentInstance, ComponentType, Instance, InstanceTypeDeclaration,
};

use crate::decode::Definition;

/// A number of parts, and bytes of names.
type Weight = (usize, usize);

fn named<'n>(names: impl Iterator<Item = &'n str>) -> Weight {
    names.fold((1, 0), |(count, bytes), name| (count + 1, bytes + name.len()))
}

fn of_type(ty: &ComponentType<'_>) -> Weight {
    use ComponentDefinedType as D;
    match ty {
        ComponentType::Defined(D::Record(fields)) => named(fields.iter().map(|(name, _)| *name)),
        ComponentType::Defined(D::Variant(cases)) => named(cases.iter().map(|case| case.name)),
        ComponentType::Defined(D::Flags(names) | D::Enum(names)) => named(names.iter().copied()),
        ComponentType::Defined(D::Tuple(types)) => (1 + types.len(), 0),
        ComponentType::Func(ty) => named(ty.params.iter().map(|(name, _)| *name)),
        _ => (1, 0),
    }
}

/// The weight of a definition.
pub(crate) fn of(definition: &Definition<'_>) -> Weight {
    match definition {
        Definition::Type(ty) => of_type(ty),
        Definition::Import(import) => named([import.name.name].into_iter()),
        Definition::Export(export) => named([export.name.name].into_iter()),
        Definition::CoreInstance(Instance::FromExports(exports)) => {
            named(exports.iter().map(|export| export.name))
        }
        Definition::CoreInstance(Instance::Instantiate { args, .. }) => (1 + args.len(), 0),
        Definition::Instance(ComponentInstance::FromExports(exports)) => {
            named(exports.iter().map(|export| export.name.name))
        }
        Definition::Instance(ComponentInstance::Instantiate { args, .. }) => (1 + args.len(), 0),
        _ => (1, 0),
    }
}

/// The weight of a declaration of a type of instances.
pub(crate) fn of_declaration(declaration: &InstanceTypeDeclaration<'_>) -> Weight {
    match declaration {
        InstanceTypeDeclaration::Type(ty) => of_type(ty),
        InstanceTypeDeclaration::Export { name, .. } => named([name.name].into_iter()),
        _ => (1, 0),
    }
}
