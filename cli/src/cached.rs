//! `lithe cache`: what is in the cache of native code, and `lithe cache clear`. Called by `main`.

use serde_json::json;

use crate::cache::Cache;
use crate::options::{Format, Options};
use crate::output::print;
use crate::report::{self, FAILED, Report, USAGE};

/// Shows or clears the cache; gives the exit status.
pub fn cache(options: &Options) -> Result<i32, Report> {
    let cache = Cache::open(options.max_cache)
        .map_err(|why| Report::new(FAILED, "cache", format!("there is no cache: {why}")))?;
    match options.operands.first() {
        None => {}
        Some(action) if action == "clear" => cache.clear(),
        Some(action) => {
            let sentence = format!("`{}`: expected `clear`, or nothing", action.display());
            return Err(Report::new(USAGE, "usage", sentence));
        }
    }
    let contents = cache.contents();
    let text = match options.format {
        Format::Text => {
            let (path, artifacts, bytes) =
                (contents.path.display(), contents.artifacts, contents.bytes);
            format!(
                "{path}: {artifacts} artifacts, {bytes} bytes of at most {}\n",
                options.max_cache
            )
        }
        Format::Json => {
            let object = json!({
                "path": contents.path.display().to_string(),
                "artifacts": contents.artifacts,
                "bytes": contents.bytes,
                "max_bytes": options.max_cache,
            });
            format!("{object}\n")
        }
    };
    print(&text).map_err(|error| report::failed(&error))?;
    Ok(0)
}
