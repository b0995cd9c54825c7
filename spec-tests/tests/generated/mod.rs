//! Scripts that are generated for the suite: what code generators of other runtimes got wrong, tried systematically.
//! Like all scripts they run in every mode and on every machine.
//!
//! ```text
//! edges    accesses at the ends of memories     confusion  calls of functions of other types
//! folding  loads as operands of operators       depth      stacks that are used up
//! bulk     operators on parts of memories and tables that do not exist
//! size     large functions and modules
//! ```

mod bulk;
mod confusion;
mod depth;
mod edges;
mod folding;
mod size;

/// The names and texts of all scripts.
pub fn scripts() -> Vec<(&'static str, String)> {
    vec![
        ("edges.wast", edges::script()),
        ("folding.wast", folding::script()),
        ("bulk.wast", bulk::script()),
        ("confusion.wast", confusion::script()),
        ("depth.wast", depth::script()),
        ("locals.wast", size::locals()),
        ("frames.wast", size::frames()),
        ("body.wast", size::body()),
        ("functions.wast", size::functions()),
    ]
}

/// `piece(0)` to `piece(count - 1)`, in a row.
fn repeat(count: usize, piece: impl FnMut(usize) -> String) -> String {
    (0..count).map(piece).collect()
}
