//! `wasi:config/store`: the variables of `--var`. Invariant: a guest sees its own variables, and never those of the
//! environment.

use lithe::Result;
use lithe_component::{Linker, variant};

use crate::p2::View;

/// The versions whose `store` is this one.
const VERSIONS: [&str; 2] = ["0.2.0-rc.1", "0.2.0-draft"];

variant! {
    /// `wasi:config/store.error`
    enum ConfigError { "upstream" Upstream(String), "io" Io(String) }
}

type Answer<T> = std::result::Result<T, ConfigError>;

/// Defines `wasi:config/store`.
pub fn add_to_linker<T: View>(linker: &mut Linker<T>) -> Result<()> {
    for version in VERSIONS {
        let mut store = linker.instance(&format!("wasi:config/store@{version}"));
        store.func("get", |mut cx, (key,): (String,)| {
            let config = cx.data_mut().p2().ctx.config();
            let found = config.iter().find(|(known, _)| *known == key);
            Ok::<Answer<Option<String>>, _>(Ok(found.map(|(_, value)| value.clone())))
        })?;
        store.func("get-all", |mut cx, (): ()| {
            let config = cx.data_mut().p2().ctx.config();
            Ok::<Answer<Vec<(String, String)>>, _>(Ok(config.to_vec()))
        })?;
    }
    Ok(())
}
