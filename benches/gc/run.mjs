// Runs one of the GC programs in Node and prints its checksum and milliseconds; needs Node 22 or later (the V8 of
// Node 20 knows only an encoding of WebAssembly GC from before the standard).
//
//     node run.mjs trees DEPTH          node run.mjs alloc COUNT          node run.mjs live MEGABYTES COUNT
//
// REPEAT=n (default 3) runs trees and alloc n times in one instance; the first line includes V8's warming up. live also
// prints V8's pauses: full collections that are asked for (gc()), before and after the heap's lists are scattered, and
// the longest of those that V8 begins by itself, which do most of their marking on other threads.
import { readFileSync } from 'node:fs';
import { PerformanceObserver, constants } from 'node:perf_hooks';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

const [program, ...numbers] = process.argv.slice(2);
const usage = { trees: 1, alloc: 1, live: 2 };
if (usage[program] !== numbers.length) {
  console.error('usage: run.mjs trees DEPTH | alloc COUNT | live MEGABYTES COUNT');
  process.exit(2);
}
const args = numbers.map(Number);
const bytes = readFileSync(new URL(`${program}.wasm`, import.meta.url));
const { exports } = (await WebAssembly.instantiate(bytes)).instance;

function timed(work) {
  const start = process.hrtime.bigint();
  const result = work();
  return [result, Number(process.hrtime.bigint() - start) / 1e6];
}

function report(name, work) {
  const [result, ms] = timed(work);
  const checksum = result === undefined ? '' : ` checksum ${result}`;
  console.log(`${name}${checksum} ms ${ms.toFixed(1)}`);
}

if (program !== 'live') {
  for (let i = 0; i < Number(process.env.REPEAT ?? 3); i++) {
    report(`${program} ${args[0]}`, () => exports.run(args[0]));
  }
} else {
  const { MAJOR, MINOR } = { MAJOR: constants.NODE_PERFORMANCE_GC_MAJOR, MINOR: constants.NODE_PERFORMANCE_GC_MINOR };
  const longest = { [MAJOR]: 0, [MINOR]: 0 };
  const counts = { [MAJOR]: 0, [MINOR]: 0 };
  const note = (entry) => {
    const kind = entry.detail.kind;
    if (!(kind in longest)) return;
    longest[kind] = Math.max(longest[kind], entry.duration);
    counts[kind]++;
  };
  const observer = new PerformanceObserver((list) => list.getEntries().forEach(note));
  observer.observe({ entryTypes: ['gc'] });

  const [megabytes, count] = args;
  report(`live build ${megabytes}`, () => exports.build(megabytes));
  report(`live churn ${count}`, () => exports.churn(count));
  report('live sum', () => exports.sum());
  // Building it again while the old one is garbage makes V8 begin full collections of its own.
  for (let i = 0; i < 5; i++) exports.build(megabytes);
  // The observer's entries arrive in a later turn of the event loop.
  await new Promise((resolve) => setTimeout(resolve, 50));
  observer.takeRecords().forEach(note);
  observer.disconnect();
  console.log(`V8 by itself: ${counts[MAJOR]} full collections, longest pause ms ${longest[MAJOR].toFixed(1)}`);
  console.log(`V8 by itself: ${counts[MINOR]} young collections, longest pause ms ${longest[MINOR].toFixed(1)}`);

  setFlagsFromString('--expose-gc');
  const gc = runInNewContext('gc');
  const pauses = (when) => {
    const each = Array.from({ length: 7 }, () => timed(gc)[1]);
    const text = each.map((ms) => ms.toFixed(1)).join(' ');
    console.log(`V8 full collection, lists ${when}: longest pause ms ${Math.max(...each).toFixed(1)} (${text})`);
    console.log(`heap MB ${(process.memoryUsage().heapUsed / 1048576).toFixed(1)}`);
  };
  pauses('in order');
  report('live sum', () => exports.sum());
  exports.scatter();
  report('live sum again', () => exports.sum());
  pauses('scattered');
}
