//! Every way to run a guest, for tests that do so in all of them.

use lithe::{Config, Dispatch, Engine, Strategy, Traps};

/// An engine for each way, otherwise configured like this.
pub fn ways(config: Config) -> [Engine; 4] {
    let native = config.clone().strategy(Strategy::Native);
    let threaded = config.clone().dispatch(Dispatch::Threaded);
    let looping = config.dispatch(Dispatch::Loop);
    let signals = native.clone().traps(Traps::Signals);
    [threaded, looping, native, signals].map(|config| Engine::new(&config))
}
