//! How long allocation and collections take. Ignored unless asked for by name, with `--release`.

use std::time::Instant;

use super::*;

const STRUCTS: usize = 50_000_000 / 28;

/// Half of 100 MB in structs of 24 and 32 bytes, the other half in arrays of up to 4 KB that some of them refer
/// to. `links` tells how struct `i` refers to others; structs lie in memory in the order of `place`.
fn build(
    references: bool,
    place: &dyn Fn(usize) -> usize,
    links: &dyn Fn(usize) -> [usize; 2],
) -> Guest {
    let mut random = Random(99);
    let mut guest = Guest::new(1 << 30);
    let list = guest.object(REFS, STRUCTS as u32).unwrap();
    guest.roots = vec![list.into()];
    let mut bytes = 0;
    for i in 0..STRUCTS {
        let node = guest.object(if i % 2 == 0 { TRIO } else { NODE }, 0).unwrap();
        guest.write(list + 8 + 4 * i as u32, node);
        if bytes < 28 * i {
            let len = random.below(4096) as u32;
            bytes += len as usize;
            let ty = if references { REFS } else { BYTES };
            let array = guest.object(ty, if references { len / 4 } else { len }).unwrap();
            guest.write(node + if i % 2 == 0 { 12 } else { 24 }, array);
        }
    }
    let at = |i: usize| guest.read::<u32>(list + 8 + 4 * place(i % STRUCTS) as u32);
    for i in 0..STRUCTS {
        let [a, b] = links(i);
        let second = if guest.read::<u32>(at(i)) == guest.ids[TRIO] { 12 } else { 24 };
        guest.write(at(i) + 8, at(a));
        if guest.read::<u32>(at(i) + second) == 0 {
            guest.write(at(i) + second, at(b));
        }
    }
    guest.roots = vec![at(0).into()];
    // Arrays do not hang on the list, all else does.
    guest
}

/// Nanoseconds that this thread ran.
fn processor_time() -> u64 {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    text.split(' ').next().and_then(|word| word.parse().ok()).unwrap_or_default()
}

fn permutation() -> Vec<usize> {
    let mut random = Random(5);
    let mut order: Vec<usize> = (0..STRUCTS).collect();
    for i in (1..STRUCTS).rev() {
        order.swap(i, random.below(i + 1));
    }
    order
}

#[test]
#[ignore = "a measurement, for benches/README.md"]
fn pauses() {
    let order = permutation();
    let shuffled = |i: usize| order[i];
    let next = |i: usize| [i + 1, i];
    let tree =
        |i: usize| [2 * i + 1, 2 * i + 2].map(|child| if child < STRUCTS { child } else { i });
    let graph = |i: usize| [2 * i + 1, 2 * i + 2];
    let near = |i: usize| [i + 1, i + order[i] % 1000];
    type Case<'a> = (&'a str, bool, &'a dyn Fn(usize) -> usize, &'a dyn Fn(usize) -> [usize; 2]);
    let cases: [Case<'_>; 7] = [
        ("list in order", false, &|i| i, &next),
        ("near in order", false, &|i| i, &near),
        ("tree in order", false, &|i| i, &tree),
        ("tree shuffled", false, &shuffled, &tree),
        ("graph shuffled", false, &shuffled, &graph),
        ("tree, null arrays", true, &shuffled, &tree),
        ("list shuffled", false, &shuffled, &next),
    ];
    for (name, references, place, links) in cases {
        let mut guest = build(references, place, links);
        let pauses: Vec<u64> = (0..7)
            .map(|_| {
                let before = processor_time();
                guest.collect();
                (processor_time() - before) / 10_000
            })
            .collect();
        let live = guest.stats().live >> 20;
        let best = *pauses.iter().min().unwrap() as f64 / 100.0;
        println!("{name}: {live} MB, {best} ms, all in 10 us: {pauses:?}");
    }
}

#[test]
#[ignore = "a measurement, for benches/README.md"]
fn allocation() {
    const COUNT: usize = 20_000_000;
    for (name, keep) in [("nothing alive", 0), ("one in each line", 1 << 20), ("fragmented", 1)] {
        let mut guest = Guest::new(1 << 30);
        guest.roots = vec![0; keep.max(1)];
        let mut random = Random(1);
        for i in 0..keep * 8 {
            let object = guest.object(PAIR, 0).unwrap();
            if i % 8 == 0 {
                guest.roots[i / 8] = object.into();
            }
        }
        if keep == 1 {
            guest.roots = (0..4_000_000)
                .filter_map(|_| {
                    let object = guest.object(PAIR, 0).unwrap();
                    (random.below(16) == 0).then_some(object.into())
                })
                .collect();
        }
        let (pause, start) = (guest.stats().pause, Instant::now());
        for _ in 0..COUNT {
            let at = guest.raw(16).unwrap();
            guest.write(at, [guest.ids[PAIR], 0, 0, 0]);
        }
        let all = start.elapsed().as_nanos() as f64 / COUNT as f64;
        let stats = guest.stats();
        let pause = (stats.pause - pause) as f64 / COUNT as f64;
        println!("{name}: {all:.1} ns an object, {pause:.1} ns of it collecting; {stats:?}");
    }
}
