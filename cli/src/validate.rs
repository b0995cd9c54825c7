//! `lithe validate`: checks files against the specification, quiet when all is well. Called by `main`.
//! Invariant: every file is checked, also after one that fails.

use std::path::Path;

use lithe::Module;
use serde_json::json;

use crate::load::{MAX_MODULE_BYTES, read};
use crate::options::{Format, Options};
use crate::output::print;
use crate::report::{self, FAILED, Report};

/// Checks the files; gives the exit status.
pub fn validate(options: &Options) -> Result<i32, Report> {
    let mut status = 0;
    for file in &options.operands {
        let file = Path::new(file);
        let checked = read(file, MAX_MODULE_BYTES).map_err(|error| report::failed(&error));
        let checked = checked.and_then(|bytes| {
            Module::validate(bytes, options.features).map_err(|error| report::load(file, &error))
        });
        match checked {
            Ok(()) if options.format == Format::Json => {
                let line = json!({ "file": file.display().to_string(), "valid": true });
                print(&format!("{line}\n")).map_err(|error| report::failed(&error))?;
            }
            Ok(()) => {}
            Err(report) => {
                report.show(options.format);
                status = FAILED.into();
            }
        }
    }
    Ok(status)
}
