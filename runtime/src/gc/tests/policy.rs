//! When the heap is collected, what it does at its limit, and what becomes of host values.

use super::*;
use crate::gc::lines::LINE;

#[test]
fn garbage_alone_keeps_the_heap_small() {
    let mut guest = Guest::new(1 << 30);
    for _ in 0..2_000_000 {
        guest.object(NODE, 0).unwrap();
    }
    let stats = guest.stats();
    assert_eq!(stats.allocated, 64_000_000);
    assert!((10..30).contains(&stats.collections), "{stats:?}");
    assert!(stats.used < 6 << 20 && stats.committed < 6 << 20, "{stats:?}");
    assert!(stats.longest_pause <= stats.pause);
}

#[test]
fn the_heap_grows_with_what_lives() {
    let mut guest = Guest::new(1 << 30);
    guest.roots.push(0);
    for _ in 0..1_000_000 {
        let node = guest.object(NODE, 0).unwrap();
        guest.write(node + 8, guest.roots[0] as u32);
        guest.roots[0] = node.into();
    }
    let stats = guest.stats();
    assert!(stats.collections < 8, "{stats:?}");
    assert!(stats.used < 33 << 20, "{stats:?}");
}

#[test]
fn one_object_at_the_end_does_not_make_collections_frequent() {
    let mut guest = Guest::new(1 << 30);
    guest.object(EMPTY, 0).unwrap();
    let at = guest.raw(400_000_008).unwrap();
    guest.write(at, [guest.ids[LONGS], 50_000_000]);
    let last = guest.object(PAIR, 0).unwrap();
    guest.roots.push(last.into());
    guest.collect();
    let before = guest.stats();
    assert!(before.used > 400_000_000 && before.live == 16, "{before:?}");
    for _ in 0..4_000_000 {
        guest.object(PAIR, 0).unwrap();
    }
    assert!(guest.stats().collections - before.collections <= 3);
}

#[test]
fn holes_are_filled() {
    let mut guest = Guest::new(1 << 30);
    // One of 32 objects lives: the holes between them take many objects again.
    for i in 0..800_000 {
        let object = guest.object(NODE, 0).unwrap();
        if i % 32 == 0 {
            guest.roots.push(object.into());
        }
    }
    let used = guest.stats().used;
    guest.collect();
    for i in 0..300_000 {
        let size = if i % 50 == 0 { 200 } else { 10 };
        guest.object(BYTES, size).unwrap();
    }
    let stats = guest.stats();
    assert!(stats.used <= used + (1 << 20), "{used} {stats:?}");
    assert_eq!(guest.roots.len(), 25_000);
}

#[test]
fn memory_goes_back_to_the_machine() {
    let mut guest = Guest::new(1 << 30);
    for _ in 0..100 {
        let object = guest.object(BYTES, 1 << 20).unwrap();
        guest.roots.push(object.into());
    }
    assert!(guest.stats().committed >= 100 << 20);
    guest.roots.drain(..99);
    guest.collect();
    let stats = guest.stats();
    assert!(stats.committed <= 85 << 20, "{stats:?}");
    let mut last = stats.committed;
    for _ in 0..10 {
        guest.collect();
        assert!(guest.stats().committed <= last && guest.stats().committed + (17 << 20) >= last);
        last = guest.stats().committed;
    }
    assert!(last <= 17 << 20, "{last}");
    for _ in 0..50 {
        let object = guest.object(BYTES, 1 << 20).unwrap();
        guest.fill(object + 8, 1 << 20, 1);
        guest.roots.push(object.into());
    }
}

#[test]
fn the_limit_is_kept_and_the_heap_usable_afterwards() {
    for limit in [4096, 64 << 10, 1 << 20, 20 << 20] {
        let mut guest = Guest::new(limit);
        for round in 0..3 {
            let mut allocated = 0;
            let error = loop {
                match guest.object(NODE, 0) {
                    Ok(object) => guest.roots.push(object.into()),
                    Err(error) => break error,
                }
                allocated += 32;
            };
            assert_eq!(error, HeapError::Exhausted);
            assert!(allocated + limit / 8 + 1024 >= limit, "{limit} {round} {allocated}");
            assert!(allocated <= limit);
            // Still full, still alive, and not collected more than a few times for it.
            let collections = guest.stats().collections;
            for _ in 0..10 {
                assert_eq!(guest.object(LONGS, 200).err(), Some(HeapError::Exhausted));
            }
            assert!(guest.stats().collections <= collections + 10);
            guest.roots.truncate(3);
            guest.object(NODE, 0).unwrap();
        }
    }
}

#[test]
fn a_nearly_full_heap_does_not_thrash() {
    let limit = 8 << 20;
    let mut guest = Guest::new(limit);
    let keep = limit / 100 * 97 / 32;
    let mut slot = 0;
    let failed = (0..10_000_000).find(|_| match guest.object(NODE, 0) {
        Ok(object) if guest.roots.len() < keep => {
            guest.roots.push(object.into());
            false
        }
        // Afterwards each new object replaces another one.
        Ok(object) => {
            slot = (slot + 7919) % keep;
            guest.roots[slot] = object.into();
            false
        }
        Err(_) => true,
    });
    assert!(failed.is_some());
    assert!(guest.stats().collections < 20, "{:?}", guest.stats());
}

#[test]
fn objects_larger_than_the_heap() {
    let mut guest = Guest::new(1 << 20);
    assert_eq!(guest.raw(1 << 20), Err(HeapError::TooLarge));
    assert_eq!(guest.raw(1 << 40), Err(HeapError::TooLarge));
    assert_eq!(guest.raw(!7), Err(HeapError::TooLarge));
    assert!(guest.view.base.is_null());
    let all = (1 << 20) - u64::from(LINE);
    let at = guest.raw(all).unwrap();
    guest.write(at, [guest.ids[BYTES], all as u32 - 8]);
    guest.roots.push(at.into());
    assert_eq!(guest.raw(8), Err(HeapError::Exhausted));
    guest.roots.clear();
    guest.raw(8).unwrap();
    let mut guest = Guest::new(usize::MAX);
    assert_eq!(guest.raw(1 << 32), Err(HeapError::TooLarge));
    let mut guest = Guest::new(0);
    assert_eq!(guest.raw(8), Err(HeapError::TooLarge));
}

#[test]
fn large_objects_reuse_their_space() {
    let mut guest = Guest::new(64 << 20);
    let mut random = Random(77);
    let mut sizes = vec![0; 40];
    guest.roots = vec![0; 40];
    for _ in 0..20_000 {
        let slot = random.below(40);
        let log2 = random.below(20);
        let len = random.below(1 << log2) as u32;
        let at = guest.object(LONGS, len / 8).unwrap();
        guest.write(at + 8 * (len / 8), guest.read::<[u32; 2]>(at));
        if len >= 8 {
            guest.write(at + 8, u64::from(len));
        }
        (guest.roots[slot], sizes[slot]) = (at.into(), len);
        guest.object(PAIR, 0).unwrap();
    }
    for (root, len) in guest.roots.iter().zip(&sizes).filter(|(root, _)| **root != 0) {
        assert_eq!(guest.read::<u32>(*root as u32 + 4), len / 8);
        if *len >= 16 {
            assert_eq!(guest.read::<u64>(*root as u32 + 8), u64::from(*len));
        }
    }
    assert!(guest.stats().used < 40 << 20, "{:?}", guest.stats());
}

#[test]
fn mixed_sizes_do_not_make_searching_quadratic() {
    // Many free runs just too short for what is asked for, again and again.
    let mut guest = Guest::new(512 << 20);
    for i in 0..6000 {
        let object = guest.object(LONGS, 2000).unwrap();
        guest.roots.push(object.into());
        guest.object(LONGS, 2000 + i % 3).unwrap();
    }
    guest.collect();
    let start = std::time::Instant::now();
    for _ in 0..6000 {
        guest.object(LONGS, 2047).unwrap();
        guest.object(BYTES, 7000).unwrap();
        guest.object(PAIR, 0).unwrap();
    }
    assert!(start.elapsed().as_millis() < 2000);
}

#[test]
fn host_values_die_with_their_objects() {
    let drops = Arc::new(AtomicUsize::new(0));
    let dropped = || drops.load(Ordering::Relaxed);
    let mut guest = Guest::new(1 << 20);
    let (kept, number) = guest.external(&drops);
    guest.roots.push(kept.into());
    for _ in 0..200 {
        guest.external(&drops);
    }
    guest.collect();
    assert_eq!(dropped(), 200);
    assert!(guest.heap.external(number).is_some() && guest.heap.external(number + 1).is_none());
    // Numbers are used again.
    for _ in 0..200 {
        assert!(guest.external(&drops).1 <= 200);
    }
    // Marked through an array and an exception.
    let (a, _) = guest.external(&drops);
    let (b, _) = guest.external(&drops);
    let array = guest.object(REFS, 1).unwrap();
    guest.write(array + 8, a);
    guest.roots.push(array.into());
    let exception = guest.exception(&[b.into()]).unwrap();
    guest.roots.push(exception.into());
    guest.collect();
    assert_eq!(dropped(), 400);
    guest.roots.clear();
    guest.collect();
    assert_eq!(dropped(), 403);
    guest.external(&drops);
    drop(guest);
    assert_eq!(dropped(), 404);
}

#[test]
fn host_values_alone_make_the_heap_collect() {
    let drops = Arc::new(AtomicUsize::new(0));
    let mut guest = Guest::new(1 << 30);
    for _ in 0..200_000 {
        guest.external(&drops);
    }
    assert!(drops.load(Ordering::Relaxed) > 100_000);
}

#[test]
fn a_host_value_outlives_the_room_made_for_its_object() {
    let drops = Arc::new(AtomicUsize::new(0));
    let mut guest = Guest::new(1 << 20);
    guest.heap.set_stress(true);
    for i in 0..10 {
        let (at, number) = guest.external(&drops);
        assert!(guest.heap.external(number).is_some());
        guest.roots = vec![at.into()];
        assert_eq!(drops.load(Ordering::Relaxed), i.max(1) - 1);
    }
    // Without an object it dies one collection later.
    guest.roots.clear();
    guest.heap.add_external(Box::new(5)).unwrap();
    guest.object(PAIR, 0).unwrap();
    assert!((0..12).any(|number| guest.heap.external(number).is_some()));
    guest.object(PAIR, 0).unwrap();
    assert!((0..12).all(|number| guest.heap.external(number).is_none()));
}

#[test]
fn heaps_move_between_threads() {
    fn is_send<T: Send>(_: &T) {}
    is_send(&Heap::new());
    // Nothing to collect.
    let mut guest = Guest::new(1 << 20);
    guest.collect();
    assert_eq!(guest.stats(), HeapStats::ZERO);
}
