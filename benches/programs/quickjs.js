// The QuickJS program: the value of the script is a function of the repeat count; each part returns something that
// depends on everything it computed. No clock, no Math.random, no hash order.
(function (repeats) {
  "use strict";
  let seed = 42;
  const random = (n) => ((seed = (Math.imul(seed, 1103515245) + 12345) & 0x7fffffff) >> 8) % n;

  const hash = (text) => {
    let h = 5381;
    for (let i = 0; i < text.length; i++) h = (Math.imul(h, 33) ^ text.charCodeAt(i)) >>> 0;
    return h;
  };

  // A queue of tasks that send each other messages: objects, methods, inheritance.
  class Task {
    constructor(id) { this.id = id; this.inbox = []; this.done = 0; }
    step() { throw new Error("abstract"); }
  }
  class Relay extends Task {
    constructor(id, next) { super(id); this.next = next; }
    step(tasks) {
      const m = this.inbox.shift();
      m.hops++;
      m.sum = (m.sum + this.id) & 0xffff;
      this.done++;
      if (m.hops < 40) tasks[(this.next + m.sum) % tasks.length].inbox.push(m);
    }
  }
  class Counter extends Task {
    constructor(id) { super(id); this.seen = new Map(); }
    step(tasks) {
      const m = this.inbox.shift();
      this.seen.set(m.id, (this.seen.get(m.id) ?? 0) + 1);
      this.done++;
      if (++m.hops < 40) tasks[(this.id + 1) % tasks.length].inbox.push(m);
    }
  }
  const schedule = (count) => {
    const tasks = [];
    for (let i = 0; i < 20; i++) tasks.push(i % 4 === 3 ? new Counter(i) : new Relay(i, i * 7 % 20));
    for (let i = 0; i < count; i++) tasks[random(20)].inbox.push({ id: i % 50, hops: 0, sum: i });
    let busy = true;
    while (busy) {
      busy = false;
      for (const t of tasks) if (t.inbox.length > 0) { t.step(tasks); busy = true; }
    }
    return tasks.map((t) => t.done + (t.seen ? t.seen.size : 0)).join();
  };

  const trees = (depth) => {
    const make = (d) => d === 0 ? { left: null, right: null } : { left: make(d - 1), right: make(d - 1) };
    const count = (t) => t.left === null ? 1 : 1 + count(t.left) + count(t.right);
    let total = 0;
    for (let d = 4; d <= depth; d += 3) for (let i = 0; i < 1 << (depth - d); i++) total += count(make(d));
    return total;
  };

  // Typed arrays: SHA-1 of a growing message.
  const sha1 = (bytes) => {
    const padded = new Uint8Array((bytes.length + 72) >> 6 << 6), view = new DataView(padded.buffer);
    padded.set(bytes);
    padded[bytes.length] = 0x80;
    view.setUint32(padded.length - 4, bytes.length * 8);
    const w = new Int32Array(80);
    let h0 = 0x67452301, h1 = 0xefcdab89 | 0, h2 = 0x98badcfe | 0, h3 = 0x10325476, h4 = 0xc3d2e1f0 | 0;
    for (let block = 0; block < padded.length; block += 64) {
      for (let t = 0; t < 16; t++) w[t] = view.getInt32(block + t * 4);
      for (let t = 16; t < 80; t++) { const x = w[t - 3] ^ w[t - 8] ^ w[t - 14] ^ w[t - 16]; w[t] = x << 1 | x >>> 31; }
      let a = h0, b = h1, c = h2, d = h3, e = h4;
      for (let t = 0; t < 80; t++) {
        const f = t < 20 ? ((b & c | ~b & d) + 0x5a827999) : t < 40 ? ((b ^ c ^ d) + 0x6ed9eba1)
          : t < 60 ? ((b & c | b & d | c & d) + 0x8f1bbcdc) : ((b ^ c ^ d) + 0xca62c1d6);
        const next = (a << 5 | a >>> 27) + f + e + w[t] | 0;
        e = d; d = c; c = b << 30 | b >>> 2; b = a; a = next;
      }
      h0 = h0 + a | 0; h1 = h1 + b | 0; h2 = h2 + c | 0; h3 = h3 + d | 0; h4 = h4 + e | 0;
    }
    return [h0, h1, h2, h3, h4].map((x) => (x >>> 0).toString(16).padStart(8, "0")).join("");
  };

  const text = (count) => {
    const words = [];
    for (let i = 0; i < count; i++) {
      let word = "";
      for (let k = random(4); k >= 0; k--) word += "kalomiturasenobi".substr(2 * random(8), 2);
      words.push(word);
    }
    const all = words.join(" ");
    const counts = new Map();
    for (const [word] of all.matchAll(/[a-z]+/g)) counts.set(word, (counts.get(word) ?? 0) + 1);
    const order = [...counts].sort((a, b) => b[1] - a[1] || (a[0] < b[0] ? -1 : 1));
    const changed = all.replace(/\b([a-z])([a-z]*)/g, (_, first, rest) => first.toUpperCase() + rest);
    const pairs = all.match(/(ka|lo)(mi|tu)+(?=\s)/g);
    return order.length + order[0].join() + hash(changed) + hash(pairs.join());
  };

  const json = (count) => {
    const rows = [];
    for (let i = 0; i < count; i++)
      rows.push({
        id: i, name: `row ${random(1000)}`, tags: ["a", "b", String(random(9))], ratio: random(1000) / 8, ok: i % 3 === 0,
      });
    const packed = JSON.stringify(rows);
    const back = JSON.parse(packed);
    const grouped = Object.groupBy(back, (r) => r.tags[2]);
    const sums = Object.keys(grouped).sort().map((k) => grouped[k].reduce((sum, r) => sum + r.ratio, 0));
    return hash(packed) + sums.join();
  };

  const generators = (limit) => {
    function* range(n) { for (let i = 0; i < n; i++) yield i; }
    function* map(source, f) { for (const x of source) yield f(x); }
    let sum = 0;
    for (const x of map(map(range(limit), (x) => x * 3), (x) => x % 1001)) sum += x;
    const [first, ...rest] = [...range(200)].map((x) => ({ x, y: -x }));
    const { x, ...others } = rest.reduce((a, b) => ({ ...a, [`k${b.x % 9}`]: b.y }), first);
    return sum + Object.entries(others).flat().join() + x;
  };

  const floats = (steps) => {
    const bodies = Array.from({ length: 5 }, (_, i) => (
      { p: [i, i * i % 3, 2 - i], v: [0.1 * i, 0, -0.05 * i], mass: 1 + i / 4 }));
    for (let s = 0; s < steps; s++) {
      for (const a of bodies)
        for (const b of bodies) {
          if (a === b) continue;
          const d = [b.p[0] - a.p[0], b.p[1] - a.p[1], b.p[2] - a.p[2]];
          const square = d[0] * d[0] + d[1] * d[1] + d[2] * d[2] + 0.01;
          const pull = 0.001 * b.mass / (square * Math.sqrt(square));
          for (let k = 0; k < 3; k++) a.v[k] += d[k] * pull;
        }
      for (const a of bodies) for (let k = 0; k < 3; k++) a.p[k] += 0.001 * a.v[k];
    }
    return bodies.map((b) => b.p.map((x) => x.toFixed(9)).join()).join(";");
  };

  const bigint = (digits) => {
    let q = 1n, r = 0n, t = 1n, k = 1n, n = 3n, l = 3n, out = "";
    while (out.length < digits) {
      if (4n * q + r - t < n * t) {
        out += n;
        [q, r, n] = [10n * q, 10n * (r - n * t), 10n * (3n * q + r) / t - 10n * n];
      } else {
        [q, r, t, k, n, l] = [q * k, (2n * q + r) * l, t * l, k + 1n, (q * (7n * k + 2n) + r * l) / (t * l), l + 2n];
      }
    }
    return out;
  };

  const errors = (count) => {
    let caught = 0;
    for (let i = 0; i < count; i++) {
      try {
        if (i % 3 === 0) throw new RangeError(`no ${i}`);
        if (i % 5 === 0) null.field;
      } catch (e) {
        caught += e instanceof RangeError ? e.message.length : 1;
      } finally {
        caught++;
      }
    }
    return caught;
  };

  const results = [];
  for (let i = 0; i < repeats; i++) {
    const bytes = Uint8Array.from({ length: 20000 }, () => random(256));
    results.push([
      schedule(1500), trees(11), sha1(bytes), text(4000), json(1500), generators(40000), floats(500), bigint(120),
      errors(8000),
    ].join(" "));
  }
  return results.join("\n");
})
