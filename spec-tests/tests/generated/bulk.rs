//! Operators on ranges of memories, tables, segments and arrays that reach beyond an end: they trap, and change nothing.
//! Memories and tables that grow between the parts of an access.

use std::fmt::Write;

/// Starts and lengths of ranges in something of so many elements: those within, and those beyond.
fn ranges(len: u64, most: u64) -> [Vec<(u64, u64)>; 2] {
    let within = vec![(0, 0), (len, 0), (0, len), (len - 1, 1), (1, len - 1)];
    let beyond = vec![
        (len + 1, 0),
        (len, 1),
        (len - 1, 2),
        (0, len + 1),
        (most, 0),
        (most, 1),
        (most, 2),
        (1, most),
        (most, most),
        (most / 2 + 1, most / 2 + 1),
    ];
    [within, beyond]
}

fn memories(out: &mut String) {
    for (ty, at, most) in [("1 2", "i32", u64::from(u32::MAX)), ("i64 1 2", "i64", u64::MAX)] {
        let len_type = at;
        let _ = writeln!(
            out,
            "(module
               (memory {ty})
               (memory $other {ty})
               (data $passive \"\\01\\02\\03\\04\\05\\06\\07\\08\")
               (func (export \"fill\") (param {at} {at})
                 (memory.fill (local.get 0) (i32.const 7) (local.get 1)))
               (func (export \"copy-to\") (param {at} {at})
                 (memory.copy (local.get 0) ({at}.const 0) (local.get 1)))
               (func (export \"copy-from\") (param {at} {at})
                 (memory.copy ({at}.const 0) (local.get 0) (local.get 1)))
               (func (export \"across\") (param {at} {at})
                 (memory.copy $other 0 (local.get 0) ({at}.const 0) (local.get 1)))
               (func (export \"back\") (param {at} {at})
                 (memory.copy 0 $other ({at}.const 0) (local.get 0) (local.get 1)))
               (func (export \"init\") (param {at} i32)
                 (memory.init $passive (local.get 0) (i32.const 0) (local.get 1)))
               (func (export \"init-from\") (param i32 i32)
                 (memory.init $passive ({at}.const 0) (local.get 0) (local.get 1)))
               (func (export \"drop\") (data.drop $passive))
               (func (export \"clear\")
                 (memory.fill ({at}.const 0) (i32.const 0) ({len_type}.const 0x10000)))
               (func (export \"sum\") (result i64) (local $i {at}) (local $sum i64)
                 (loop $more
                   (local.set $sum (i64.add (local.get $sum) (i64.load8_u (local.get $i))))
                   (local.set $sum (i64.add (local.get $sum) (i64.load8_u $other (local.get $i))))
                   (local.set $i ({at}.add (local.get $i) ({at}.const 1)))
                   (br_if $more ({at}.lt_u (local.get $i) ({at}.const 0x10000))))
                 (local.get $sum)))"
        );
        let [within, beyond] = ranges(0x10000, most);
        for name in ["copy-to", "copy-from", "across", "back", "fill"] {
            for (start, len) in &beyond {
                let _ = writeln!(
                    out,
                    "(assert_trap (invoke \"{name}\" ({at}.const {start}) ({at}.const {len})) \
                     \"out of bounds memory access\")"
                );
            }
            out.push_str("(assert_return (invoke \"sum\") (i64.const 0))\n");
            for (start, len) in &within {
                let _ = writeln!(
                    out,
                    "(assert_return (invoke \"{name}\" ({at}.const {start}) ({at}.const {len})))"
                );
            }
            out.push_str("(assert_return (invoke \"clear\"))\n");
        }
        let [_, beyond] = ranges(8, u32::MAX.into());
        for (start, len) in beyond {
            let _ = writeln!(
                out,
                "(assert_trap (invoke \"init-from\" (i32.const {start}) (i32.const {len})) \
                 \"out of bounds memory access\")"
            );
        }
        let _ = writeln!(
            out,
            "(assert_trap (invoke \"init\" ({at}.const 0xfff9) (i32.const 8)) \"out of bounds memory access\")
             (assert_trap (invoke \"init\" ({at}.const -1) (i32.const 1)) \"out of bounds memory access\")
             (assert_return (invoke \"sum\") (i64.const 0))
             (assert_return (invoke \"init\" ({at}.const 0xfff8) (i32.const 8)))
             (assert_return (invoke \"sum\") (i64.const 36))
             (assert_return (invoke \"drop\"))
             (assert_trap (invoke \"init\" ({at}.const 0) (i32.const 1)) \"out of bounds memory access\")
             (assert_return (invoke \"init\" ({at}.const 0x10000) (i32.const 0)))
             (assert_trap (invoke \"init\" ({at}.const 0x10001) (i32.const 0)) \"out of bounds memory access\")"
        );
    }
}

fn tables(out: &mut String) {
    for (ty, at, most) in [("5 8", "i32", u64::from(u32::MAX)), ("i64 5 8", "i64", u64::MAX)] {
        let _ = writeln!(
            out,
            "(module
               (table $t {ty} funcref)
               (elem $e func $f $f $f)
               (func $f)
               (func (export \"fill\") (param {at} {at})
                 (table.fill $t (local.get 0) (ref.func $f) (local.get 1)))
               (func (export \"copy-to\") (param {at} {at})
                 (table.copy $t $t (local.get 0) ({at}.const 0) (local.get 1)))
               (func (export \"copy-from\") (param {at} {at})
                 (table.copy $t $t ({at}.const 0) (local.get 0) (local.get 1)))
               (func (export \"init\") (param {at} i32)
                 (table.init $t $e (local.get 0) (i32.const 0) (local.get 1)))
               (func (export \"get\") (param {at}) (result i32)
                 (ref.is_null (table.get $t (local.get 0))))
               (func (export \"set\") (param {at}) (table.set $t (local.get 0) (ref.func $f)))
               (func (export \"call\") (param {at}) (call_indirect $t (local.get 0)))
               (func (export \"grow\") (param {at}) (result {at})
                 (table.grow $t (ref.func $f) (local.get 0)))
               (func (export \"set-after-growing\") (param {at})
                 (local.get 0) (drop (table.grow $t (ref.null func) ({at}.const 1))) (ref.func $f) (table.set $t)))"
        );
        let [_, beyond] = ranges(5, most);
        for name in ["fill", "copy-to", "copy-from"] {
            for (start, len) in &beyond {
                let _ = writeln!(
                    out,
                    "(assert_trap (invoke \"{name}\" ({at}.const {start}) ({at}.const {len})) \
                     \"out of bounds table access\")"
                );
            }
        }
        for place in [5, 6, most, most / 2 + 1, 1 << 31] {
            let _ = writeln!(
                out,
                "(assert_trap (invoke \"get\" ({at}.const {place})) \"out of bounds table access\")
                 (assert_trap (invoke \"set\" ({at}.const {place})) \"out of bounds table access\")
                 (assert_trap (invoke \"call\" ({at}.const {place})) \"undefined element\")
                 (assert_trap (invoke \"init\" ({at}.const {place}) (i32.const 1)) \"out of bounds table access\")"
            );
        }
        for place in 0..5 {
            let _ = writeln!(
                out,
                "(assert_return (invoke \"get\" ({at}.const {place})) (i32.const 1))
                 (assert_trap (invoke \"call\" ({at}.const {place})) \"uninitialized element\")"
            );
        }
        let _ = writeln!(
            out,
            "(assert_trap (invoke \"init\" ({at}.const 3) (i32.const 3)) \"out of bounds table access\")
             (assert_trap (invoke \"init\" ({at}.const 0) (i32.const 4)) \"out of bounds table access\")
             (assert_return (invoke \"get\" ({at}.const 3)) (i32.const 1))
             (assert_return (invoke \"init\" ({at}.const 2) (i32.const 3)))
             (assert_return (invoke \"call\" ({at}.const 4)))
             (assert_return (invoke \"set-after-growing\" ({at}.const 5)))
             (assert_return (invoke \"call\" ({at}.const 5)))
             (assert_return (invoke \"grow\" ({at}.const 2)) ({at}.const 6))
             (assert_return (invoke \"grow\" ({at}.const 1)) ({at}.const -1))
             (assert_return (invoke \"call\" ({at}.const 7)))
             (assert_trap (invoke \"call\" ({at}.const 8)) \"undefined element\")"
        );
    }
}

fn arrays(out: &mut String) {
    out.push_str(
        "(module
           (type $bytes (array (mut i8)))
           (type $wide (array (mut v128)))
           (type $refs (array (mut anyref)))
           (data $d \"\\01\\02\\03\\04\\05\\06\\07\\08\")
           (elem $e anyref (ref.i31 (i32.const 1)) (ref.i31 (i32.const 2)))
           (func $make (result (ref $bytes)) (array.new $bytes (i32.const 1) (i32.const 10)))
           (func (export \"get\") (param i32) (result i32) (array.get_u $bytes (call $make) (local.get 0)))
           (func (export \"set\") (param i32) (array.set $bytes (call $make) (local.get 0) (i32.const 3)))
           (func (export \"fill\") (param i32 i32)
             (array.fill $bytes (call $make) (local.get 0) (i32.const 3) (local.get 1)))
           (func (export \"copy\") (param i32 i32)
             (array.copy $bytes $bytes (call $make) (i32.const 0) (call $make) (local.get 0) (local.get 1)))
           (func (export \"copy-to\") (param i32 i32)
             (array.copy $bytes $bytes (call $make) (local.get 0) (call $make) (i32.const 0) (local.get 1)))
           (func (export \"init\") (param i32 i32)
             (array.init_data $bytes $d (call $make) (local.get 0) (i32.const 0) (local.get 1)))
           (func (export \"from-data\") (param i32 i32) (result i32)
             (array.len (array.new_data $bytes $d (local.get 0) (local.get 1))))
           (func (export \"from-elem\") (param i32 i32) (result i32)
             (array.len (array.new_elem $refs $e (local.get 0) (local.get 1))))
           (func (export \"new\") (param i32) (result i32)
             (array.len (array.new_default $bytes (local.get 0))))
           (func (export \"new-wide\") (param i32) (result i32)
             (array.len (array.new $wide (v128.const i64x2 1 2) (local.get 0)))))\n",
    );
    let [within, beyond] = ranges(10, u32::MAX.into());
    for name in ["fill", "copy", "copy-to"] {
        for (start, len) in &beyond {
            let _ = writeln!(
                out,
                "(assert_trap (invoke \"{name}\" (i32.const {start}) (i32.const {len})) \
                 \"out of bounds array access\")"
            );
        }
        for (start, len) in &within {
            let _ = writeln!(
                out,
                "(assert_return (invoke \"{name}\" (i32.const {start}) (i32.const {len})))"
            );
        }
    }
    for place in ["10", "11", "-1", "0x7fffffff", "0x80000000"] {
        let _ = writeln!(
            out,
            "(assert_trap (invoke \"get\" (i32.const {place})) \"out of bounds array access\")
             (assert_trap (invoke \"set\" (i32.const {place})) \"out of bounds array access\")"
        );
    }
    for (start, len) in &ranges(8, u32::MAX.into())[1] {
        let _ = writeln!(
            out,
            "(assert_trap (invoke \"from-data\" (i32.const {start}) (i32.const {len})) \
             \"out of bounds memory access\")"
        );
    }
    for (start, len) in &ranges(2, u32::MAX.into())[1] {
        let _ = writeln!(
            out,
            "(assert_trap (invoke \"from-elem\" (i32.const {start}) (i32.const {len})) \
             \"out of bounds table access\")"
        );
    }
    // Sizes that wrap when they are multiplied, and those that are larger than any heap.
    for len in ["-1", "0xfffffff8", "0x80000000", "0x10000000", "0x10000001", "0x0fffffff"] {
        let _ = writeln!(
            out,
            "(assert_trap (invoke \"new-wide\" (i32.const {len})) \"allocation size too large\")"
        );
    }
    out.push_str(
        "(assert_trap (invoke \"new\" (i32.const -1)) \"allocation size too large\")
         (assert_return (invoke \"new\" (i32.const 100)) (i32.const 100))
         (assert_trap (invoke \"init\" (i32.const 0) (i32.const 9)) \"out of bounds memory access\")
         (assert_trap (invoke \"init\" (i32.const 3) (i32.const 8)) \"out of bounds array access\")
         (assert_return (invoke \"init\" (i32.const 2) (i32.const 8)))\n",
    );
    // Arrays that a constant expression makes.
    for len in ["-1", "0x10000000"] {
        let _ = writeln!(
            out,
            "(assert_trap
               (module
                 (type $wide (array v128))
                 (global (ref $wide) (array.new_default $wide (i32.const {len}))))
               \"allocation size too large\")"
        );
    }
}

fn growth(out: &mut String) {
    // Accesses around a growth, in one function: what is known of a memory's size or place holds no longer.
    out.push_str(
        "(module
           (memory 1 10)
           (func (export \"run\") (result i32) (local $end i32)
             (local.set $end (i32.const 0x10000))
             (i32.store (i32.sub (local.get $end) (i32.const 4)) (i32.const 1))
             (drop (memory.grow (i32.const 1)))
             (i32.store (local.get $end) (i32.const 2))
             (i32.add
               (i32.load (i32.sub (local.get $end) (i32.const 4)))
               (block (result i32) (drop (memory.grow (i32.const 2))) (i32.load (local.get $end)))))
           (func (export \"loop\") (param $pages i32) (result i32) (local $at i32) (local $sum i32)
             (loop $more
               (local.set $at (i32.sub (i32.mul (memory.size) (i32.const 0x10000)) (i32.const 4)))
               (i32.store (local.get $at) (i32.const 3))
               (local.set $sum (i32.add (local.get $sum) (i32.load (local.get $at))))
               (drop (memory.grow (i32.const 1)))
               (local.set $sum (i32.add (local.get $sum) (i32.load (local.get $at))))
               (br_if $more (local.tee $pages (i32.sub (local.get $pages) (i32.const 1)))))
             (local.get $sum))
           (func (export \"beyond\") (result i32)
             (drop (i32.load (i32.const 0)))
             (i32.load (i32.mul (memory.size) (i32.const 0x10000)))))
         (assert_return (invoke \"run\") (i32.const 3))
         (assert_trap (invoke \"beyond\") \"out of bounds memory access\")
         (assert_return (invoke \"loop\" (i32.const 5)) (i32.const 30))
         (assert_trap (invoke \"beyond\") \"out of bounds memory access\")
         (assert_return (invoke \"loop\" (i32.const 5)) (i32.const 30))
         (assert_trap (invoke \"beyond\") \"out of bounds memory access\")\n",
    );
    // Another instance reads zeros where one before it wrote.
    let module = "(module
           (memory 3)
           (func (export \"fill\") (memory.fill (i32.const 0) (i32.const 255) (i32.const 0x30000)))
           (func (export \"any\") (result i64) (local $i i32) (local $any i64)
             (loop $more
               (local.set $any (i64.or (local.get $any) (i64.load (local.get $i))))
               (local.set $i (i32.add (local.get $i) (i32.const 8)))
               (br_if $more (i32.lt_u (local.get $i) (i32.const 0x30000))))
             (local.get $any)))\n";
    for _ in 0..3 {
        out.push_str(module);
        out.push_str("(assert_return (invoke \"any\") (i64.const 0)) (invoke \"fill\")\n");
    }
}

pub fn script() -> String {
    let mut out = String::new();
    memories(&mut out);
    tables(&mut out);
    arrays(&mut out);
    growth(&mut out);
    out
}
