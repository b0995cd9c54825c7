//! The report of what a guest tried and was not granted. Printed last by whoever ends the process: `run`, a thread, or
//! the watchdog. Invariant: a program that succeeds says nothing of it unless `--show-grants` asks.

use lithe_wasi::Denials;
use serde_json::{Value, json};

use crate::options::{Format, Options};
use crate::output::{complain, visible};

/// Prints what was denied, if somebody should know.
pub fn show(options: &Options, denials: &Denials, status: i32) {
    let list = denials.list();
    if list.is_empty() || (status == 0 && !options.show_grants) {
        return;
    }
    let others = denials.others();
    complain(&match options.format {
        Format::Text => {
            let mut text = String::from("not granted\n");
            for denial in &list {
                text += &format!("  {}\n", visible(&denial.to_string()));
            }
            match others {
                0 => {}
                1 => text += "  and something else once\n",
                _ => text += &format!("  and something else {others} times\n"),
            }
            text
        }
        Format::Json => {
            let list: Vec<Value> = list
                .iter()
                .map(|denial| {
                    json!({
                        "attempt": denial.attempt,
                        "grant": denial.grant,
                        "times": denial.times,
                    })
                })
                .collect();
            format!("{}\n", json!({ "denied": list, "others": others }))
        }
    });
}
