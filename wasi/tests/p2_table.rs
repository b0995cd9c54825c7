//! The table of functions of WASI 0.2 in the documentation names every function and a test that exists.

mod linked;

use std::collections::BTreeSet;
use std::path::Path;

use lithe::Engine;
use lithe_component::Component;

/// What `forward.wasm` calls a function.
fn forwarded(package: &str, interface: &str, function: &str) -> String {
    let bare = function.rsplit(']').next().unwrap().replace('.', "-");
    format!("{}-{interface}-{bare}", package.strip_prefix("wasi:").unwrap())
}

#[test]
fn every_function_has_a_row_and_a_test() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let table = std::fs::read_to_string(root.join("../docs/wasi.md")).unwrap();
    let component = Component::new(&Engine::default(), linked::component("forward.wasm")).unwrap();
    let exports: BTreeSet<String> =
        component.exports().into_iter().map(|export| export.name).collect();
    let mut rows = BTreeSet::new();
    for row in table.lines().filter(|line| line.starts_with("| `wasi:")) {
        let cells: Vec<&str> = row.split('|').map(|cell| cell.trim().trim_matches('`')).collect();
        let [_, package, interface, function, test, _] = cells[..] else { continue };
        let (file, name) = test.split_once("::").unwrap();
        let tests = std::fs::read_to_string(root.join(format!("tests/{file}.rs"))).unwrap();
        assert!(tests.contains(&format!("fn {name}()")), "{row}");
        let name = forwarded(package, interface, function);
        // Other packages have components of their own.
        if exports.iter().any(|export| export.split('-').next() == package.split(':').nth(1)) {
            assert!(rows.insert(name), "twice: {row}");
        }
    }
    assert_eq!(rows, exports);
}
