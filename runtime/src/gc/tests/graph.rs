//! What survives a collection, and with what contents.

use super::*;

/// What the model knows of an object.
struct Known {
    at: u32,
    /// Offsets of its fields with what they refer to.
    refs: Vec<(u32, Option<usize>)>,
    /// Bytes that nothing may change.
    plain: Option<(u32, u32, u8)>,
}

struct Model {
    guest: Guest,
    random: Random,
    objects: Vec<Known>,
    roots: Vec<usize>,
}

impl Model {
    fn new(limit: usize, seed: u64) -> Model {
        Model {
            guest: Guest::new(limit),
            random: Random(seed | 1),
            objects: Vec::new(),
            roots: Vec::new(),
        }
    }

    /// Allocates an object that refers to objects that are reachable, and maybe makes it a root.
    fn step(&mut self) -> Result<(), HeapError> {
        let ty = self.random.below(9);
        let len = match self.random.below(40) {
            0 => self.random.below(30_000),
            1..8 => self.random.below(600),
            _ => self.random.below(12),
        } as u32;
        let (at, refs, plain) = if self.random.below(20) == 0 {
            let at = self.guest.exception(&[7, 0, 1 << 40, 0])?;
            (at, vec![at + 24, at + 40], None)
        } else {
            let at = self.guest.object(ty, len)?;
            let shape = self.guest.shape(ty);
            match (shape.kind, shape.element()) {
                (ShapeKind::Array, Repr::Ref) => {
                    (at, (0..len).map(|i| at + 8 + 4 * i).collect(), None)
                }
                (ShapeKind::Array, repr) => {
                    (at, Vec::new(), Some((at + 8, len << repr.log2(), self.random.next() as u8)))
                }
                _ => (at, shape.refs.iter().map(|offset| at + offset).collect(), None),
            }
        };
        if let Some((at, bytes, byte)) = plain {
            self.guest.fill(at, u64::from(bytes), byte);
        }
        let object = self.objects.len();
        let refs = refs.into_iter().map(|place| {
            let target = match self.random.below(8) {
                0 => None,
                1 => Some(object),
                _ => self.walk(),
            };
            (place, target)
        });
        let refs = refs.collect();
        self.objects.push(Known { at, refs, plain });
        for (place, target) in &self.objects[object].refs {
            let i31 = self.random.next() as u32 | 1;
            self.guest.write(*place, target.map_or(i31, |target| self.objects[target].at));
        }
        self.roots.push(object);
        while self.roots.len() > 80 || self.random.below(3) == 0 && !self.roots.is_empty() {
            let gone = self.random.below(self.roots.len());
            self.roots.swap_remove(gone);
        }
        let slots = self.roots.iter().map(|root| u64::from(self.objects[*root].at));
        // Half of the roots are shown as slots that may hold anything, some by an address inside the object.
        let (mut exact, mut maybe) = (Vec::new(), Vec::new());
        for slot in slots {
            match self.random.below(3) {
                0 => exact.push(slot),
                1 => maybe.push(slot),
                _ => maybe.push(self.guest.view.base as u64 + slot + self.random.next() % 8),
            }
        }
        (self.guest.roots, self.guest.stack) = (exact, maybe);
        Ok(())
    }

    /// An object that a few steps from a root lead to.
    fn walk(&mut self) -> Option<usize> {
        let mut object = *self.roots.get(self.random.below(self.roots.len().max(1)))?;
        for _ in 0..self.random.below(6) {
            let refs = &self.objects[object].refs;
            if let Some((_, Some(next))) = refs.get(self.random.below(refs.len().max(1))) {
                object = *next;
            }
        }
        Some(object)
    }

    fn alive(&self) -> Vec<usize> {
        let mut seen = std::collections::BTreeSet::new();
        let mut list = self.roots.clone();
        while let Some(object) = list.pop() {
            if seen.insert(object) {
                list.extend(self.objects[object].refs.iter().filter_map(|(_, target)| *target));
            }
        }
        seen.into_iter().collect()
    }

    fn check(&self) {
        for object in self.alive() {
            let object = &self.objects[object];
            assert!(self.guest.is_start(object.at));
            for (place, target) in &object.refs {
                let reference: u32 = self.guest.read(*place);
                match target {
                    Some(target) => assert_eq!(reference, self.objects[*target].at),
                    None => assert_eq!(reference & 1, 1),
                }
            }
            if let Some((at, bytes, byte)) = object.plain {
                assert!((at..at + bytes).all(|at| self.guest.read::<u8>(at) == byte));
            }
        }
    }
}

#[test]
fn random_graphs_survive() {
    for seed in 1..12 {
        let mut model = Model::new(3 << 19, seed * 0x9e37_79b9);
        model.guest.heap.stack_part *= 1 << (seed % 2 * 20);
        let mut exhausted = 0;
        for step in 0..5000 {
            if model.step().is_err() {
                exhausted += 1;
                model.roots.clear();
                (model.guest.roots, model.guest.stack) = (Vec::new(), Vec::new());
            }
            if step % 50 == 0 {
                model.check();
            }
        }
        assert!(exhausted < 10);
        assert!(
            model.guest.stats().collections > 2,
            "{seed} {exhausted} {:?}",
            model.guest.stats()
        );
    }
}

#[test]
fn random_graphs_survive_under_stress() {
    for seed in 1..6 {
        let mut model = Model::new(4 << 20, seed * 0x1234_5677);
        model.guest.heap.set_stress(true);
        for step in 0..400 {
            if model.step().is_err() {
                model.roots.clear();
                (model.guest.roots, model.guest.stack) = (Vec::new(), Vec::new());
            }
            if step % 5 == 0 {
                model.check();
            }
        }
        assert_eq!(model.guest.rooms as u64, model.guest.stats().collections);
    }
}

#[test]
fn stress_overwrites_the_dead_beside_the_living() {
    let mut guest = Guest::new(1 << 20);
    guest.heap.set_stress(true);
    let kept = guest.object(PAIR, 0).unwrap();
    guest.roots.push(kept.into());
    let dead = guest.object(PAIR, 0).unwrap();
    assert_eq!(guest.view.cursor, guest.view.limit);
    guest.object(EMPTY, 0).unwrap();
    assert_eq!(guest.read::<u32>(dead + 8), 0xdbdb_dbdb);
    assert_eq!(guest.read::<u32>(kept), guest.ids[PAIR]);
}

#[test]
fn long_lists_and_deep_trees_need_no_stack() {
    let mut guest = Guest::new(64 << 20);
    let mut list = 0;
    guest.roots = vec![0, 0];
    for _ in 0..600_000 {
        let node = guest.object(PAIR, 0).unwrap();
        guest.write(node + 8, list);
        list = node;
        guest.roots[0] = u64::from(list);
    }
    let (before, mut count) = (guest.stats(), 0);
    guest.collect();
    assert_eq!(guest.stats().live, 16 * 600_000);
    assert_eq!(guest.stats().allocated, before.allocated);
    while list != 0 {
        assert!(guest.is_start(list));
        list = guest.read(list + 8);
        count += 1;
    }
    assert_eq!(count, 600_000);
    // A cycle of all of them dies when nothing else refers to it.
    guest.roots.clear();
    guest.collect();
    assert_eq!(guest.stats().live, 0);
    assert_eq!(guest.stats().used, u64::from(super::super::lines::LINE));
}

#[test]
fn a_full_stack_loses_nothing() {
    // Each node of a comb puts its tooth on the stack before the next node is visited.
    for part in [1 << 30, 3000, 500, 16] {
        let mut guest = Guest::new(64 << 20);
        guest.heap.stack_part = part;
        let array = guest.object(REFS, 5000).unwrap();
        guest.roots.push(array.into());
        for i in 0..5000 {
            let tooth = guest.object(PAIR, 0).unwrap();
            guest.write(array + 8 + 4 * i, tooth);
            let bytes = guest.object(BYTES, 20).unwrap();
            guest.write(tooth + 12, bytes);
            let node = guest.object(REFS, 200).unwrap();
            guest.write(tooth + 8, node);
            guest.write(node + 8 + 4 * 199, if i == 0 { array } else { tooth });
            guest.write(node + 8, bytes);
        }
        guest.collect();
        let live = 16 + 5000 * 4 - 8 + 5000 * (16 + 32 + 808);
        assert_eq!(guest.stats().live, live);
        guest.collect();
        assert_eq!(guest.stats().live, live);
    }
}

#[test]
fn a_large_array_of_references() {
    let mut guest = Guest::new(64 << 20);
    let array = guest.object(REFS, 1_000_000).unwrap();
    guest.stack.push(array.into());
    for i in 0..1_000_000 {
        let object = guest.object(EMPTY, 0).unwrap();
        guest.write(array + 8 + 4 * i, object);
    }
    guest.collect();
    assert_eq!(guest.stats().live, 8 + 4_000_000 + 8_000_000);
}

#[test]
fn candidates_that_are_references_and_others() {
    let mut guest = Guest::new(16 << 20);
    let a = guest.object(NODE, 0).unwrap();
    let large = guest.object(BYTES, 3 << 20).unwrap();
    let b = guest.object(PAIR, 0).unwrap();
    let base = guest.view.base as u64;
    let survives = |guest: &mut Guest, slot: u64, objects: &[u32]| {
        // Both stay allocated whatever the outcome, since another root holds them until it is known.
        guest.stack = vec![slot];
        guest.roots.clear();
        let mut scratch = Vec::new();
        let Guest { heap, view, shapes, .. } = guest;
        heap.collect(view, shapes, &mut |marker| {
            marker.maybe(slot);
            marker.finish();
            scratch = [a, large, b]
                .into_iter()
                .filter(|at| marker.marks[*at as usize / 512] >> (at / 8 % 64) & 1 != 0)
                .collect();
            [a, large, b].iter().for_each(|at| marker.reference(u64::from(*at)));
        });
        assert_eq!(scratch, objects, "{slot:#x}");
    };
    for (slot, objects) in [
        (0, &[][..]),
        (1, &[]),
        (u64::from(a), &[a]),
        (u64::from(a) + 1, &[]),
        (u64::from(a) + 8, &[]),
        (u64::from(a) | 1 << 32, &[]),
        (u64::from(large), &[large]),
        (u64::from(large) + (1 << 20), &[]),
        (u64::from(u32::MAX), &[]),
        (0xffff_fff8, &[]),
        (u64::MAX, &[]),
        (base, &[]),
        (base + 64, &[]),
        (base + u64::from(a) - 1, &[]),
        (base + u64::from(a), &[a]),
        (base + u64::from(a) + 31, &[a]),
        (base + u64::from(large), &[large]),
        (base + u64::from(large) + (3 << 20) + 7, &[large]),
        (base + u64::from(large) + (2 << 20) + 3, &[large]),
        (base + u64::from(b) + 15, &[b]),
        (base + u64::from(b) + 16, &[]),
        (base + (8 << 20), &[]),
        (base - 8, &[]),
    ] {
        survives(&mut guest, slot, objects);
    }
    // The offset of an object that died is none.
    guest.stack.clear();
    guest.roots = vec![a.into(), b.into()];
    guest.collect();
    assert!(guest.is_start(a) && !guest.is_start(large));
    survives_not(&mut guest, large);
}

fn survives_not(guest: &mut Guest, at: u32) {
    let base = guest.view.base as u64;
    guest.stack = vec![at.into(), base + u64::from(at) + 9];
    let live = guest.stats().live;
    guest.collect();
    assert_eq!(guest.stats().live, live);
}

#[test]
fn exceptions_hold_what_their_payload_may_refer_to() {
    let mut guest = Guest::new(1 << 20);
    let a = guest.object(PAIR, 0).unwrap();
    let dead = guest.object(PAIR, 0).unwrap();
    let exception = guest.exception(&[u64::from(a), u64::from(dead) | 1 << 33, 5]).unwrap();
    guest.roots.push(exception.into());
    guest.collect();
    assert_eq!(guest.stats().live, 16 + 24 + 16);
    assert!(guest.is_start(a) && !guest.is_start(dead));
}
