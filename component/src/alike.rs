//! Whether functions of two components have the same type. The linker asks. Invariant: what is the same was compared in
//! full, and no pair of types twice, since types of few bytes may be large when all their parts are counted.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::types::{Field, FuncType, ResourceType, Type, Variant};

/// A comparison: `resources` tells whether a wanted resource type is the one that is there.
pub(crate) struct Alike<'r> {
    resources: &'r dyn Fn(ResourceType, ResourceType) -> bool,
    /// Pairs of types that were compared and are the same, by where they are.
    known: BTreeSet<(usize, usize)>,
}

impl<'r> Alike<'r> {
    pub fn new(resources: &'r dyn Fn(ResourceType, ResourceType) -> bool) -> Alike<'r> {
        Alike { resources, known: BTreeSet::new() }
    }

    pub fn funcs(&mut self, wanted: &FuncType, found: &FuncType) -> bool {
        self.fields(&wanted.params, &found.params)
            && match (&wanted.result, &found.result) {
                (Some(wanted), Some(found)) => self.types(wanted, found),
                (wanted, found) => wanted.is_none() && found.is_none(),
            }
    }

    fn types(&mut self, wanted: &Type, found: &Type) -> bool {
        match (wanted, found) {
            (Type::Own(a), Type::Own(b)) | (Type::Borrow(a), Type::Borrow(b)) => {
                (self.resources)(*a, *b)
            }
            (Type::List(a), Type::List(b)) => self.once(a, b, |me| me.types(a, b)),
            (Type::FixedList(a), Type::FixedList(b)) => {
                a.count == b.count && self.once(a, b, |me| me.types(&a.element, &b.element))
            }
            (Type::Map(a), Type::Map(b))
            | (Type::Record(a), Type::Record(b))
            | (Type::Tuple(a), Type::Tuple(b)) => {
                self.once(a, b, |me| me.fields(&a.fields, &b.fields))
            }
            (Type::Variant(a), Type::Variant(b))
            | (Type::Enum(a), Type::Enum(b))
            | (Type::Option(a), Type::Option(b))
            | (Type::Result(a), Type::Result(b)) => self.once(a, b, |me| me.cases(a, b)),
            // Numbers, strings and flags have no parts with resource types.
            (wanted, found) => wanted == found,
        }
    }

    fn once<T>(
        &mut self,
        wanted: &Arc<T>,
        found: &Arc<T>,
        compare: impl FnOnce(&mut Self) -> bool,
    ) -> bool {
        let pair = (Arc::as_ptr(wanted).addr(), Arc::as_ptr(found).addr());
        if self.known.contains(&pair) {
            return true;
        }
        let same = compare(self);
        if same {
            self.known.insert(pair);
        }
        same
    }

    fn fields(&mut self, wanted: &[Field], found: &[Field]) -> bool {
        let mut pairs = wanted.iter().zip(found);
        wanted.len() == found.len()
            && pairs.all(|(a, b)| a.name == b.name && self.types(&a.ty, &b.ty))
    }

    fn cases(&mut self, wanted: &Variant, found: &Variant) -> bool {
        let mut pairs = wanted.cases.iter().zip(&found.cases);
        wanted.cases.len() == found.cases.len()
            && pairs.all(|(a, b)| {
                a.name == b.name
                    && match (&a.ty, &b.ty) {
                        (Some(a), Some(b)) => self.types(a, b),
                        (a, b) => a.is_none() && b.is_none(),
                    }
            })
    }
}
