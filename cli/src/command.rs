//! The parser of the command line, made from the table of flags. Called by `main`; `lithe completions` and
//! the documentation use the same commands. Invariant: parsing builds the commands of one verb only.

use std::ffi::OsString;

use clap::builder::ValueParser;
use clap::{Arg, ArgAction, ArgMatches, Command, ValueHint};

use crate::flags::{FLAGS, GROUPS, Group, TOPICS, Takes, VERBS, Verb, VerbRow};

/// The heading of the key groups in the help.
const KEYS: &str = "Keys, as in Wasmtime";

/// A text to print instead of doing anything, with the exit code.
#[derive(Debug)]
pub struct Early {
    pub text: String,
    pub code: u8,
}

impl Early {
    /// Something to read.
    pub fn print(text: String) -> Early {
        Early { text, code: 0 }
    }

    /// A usage error, as one sentence.
    pub fn usage(sentence: impl std::fmt::Display) -> Early {
        Early { text: format!("error: {sentence}\n"), code: crate::report::USAGE }
    }
}

/// Parses what follows the verb.
pub fn parse(verb: Verb, args: &[OsString]) -> Result<ArgMatches, Early> {
    let command = command(verb).no_binary_name(true);
    command.try_get_matches_from(args).map_err(|error| Early {
        text: error.to_string(),
        code: if error.use_stderr() { crate::report::USAGE } else { 0 },
    })
}

fn row(verb: Verb) -> &'static VerbRow {
    // Every verb has a row; the first one stands in for the compiler, which cannot know.
    VERBS.iter().find(|row| row.verb == verb).unwrap_or(&VERBS[0])
}

/// The command of one verb.
fn command(verb: Verb) -> Command {
    let row = row(verb);
    let (name, usage) = match verb {
        Verb::Run => ("lithe".into(), format!("lithe [run] {}", row.usage)),
        _ => (format!("lithe {}", row.name), format!("lithe {} {}", row.name, row.usage)),
    };
    let operand = Arg::new(row.operand)
        .required(true)
        .value_parser(ValueParser::os_string())
        .value_hint(hint(row.operand))
        .hide(true);
    let operand = match verb {
        // Everything after the file belongs to the guest.
        Verb::Run => operand.num_args(1..).trailing_var_arg(true),
        Verb::Validate | Verb::Wast => operand.num_args(1..),
        Verb::Inspect | Verb::Completions => operand,
    };
    let command = Command::new(row.name).bin_name(name).about(row.help).override_usage(usage);
    flags(command, verb).arg(operand)
}

/// The command with its verbs, for the help that `lithe --help` shows.
pub fn overview() -> Command {
    let verbs = VERBS.iter().map(|row| Command::new(row.name).about(row.help));
    Command::new("lithe")
        .version(env!("CARGO_PKG_VERSION"))
        .about("Run WebAssembly programs; they can do only what you grant")
        .override_usage(format!("lithe [run] {}\n       lithe VERB [flags] ...", VERBS[0].usage))
        .disable_help_subcommand(true)
        .subcommand_help_heading("Verbs")
        .subcommands(verbs)
        .after_help(
            "`lithe VERB --help` lists the flags of a verb, `lithe run --help` those for running.",
        )
}

/// The command with all verbs and flags, for completions.
pub fn complete() -> Command {
    let verbs = VERBS.iter().map(|row| command(row.verb));
    flags(overview(), Verb::Run).subcommands(verbs)
}

fn flags(mut command: Command, verb: Verb) -> Command {
    for flag in FLAGS.iter().filter(|flag| !flag.long.is_empty() && flag.verbs.contains(&verb)) {
        let topic = TOPICS.iter().find(|(topic, _)| *topic == flag.topic);
        let arg = Arg::new(flag.long).long(flag.long).help(flag.help);
        let arg = arg.help_heading(topic.map(|(_, heading)| *heading));
        command = command.arg(match flag.takes {
            Takes::Nothing => arg.action(ArgAction::SetTrue),
            Takes::One(value) => {
                valued(arg, value).action(ArgAction::Set).overrides_with(flag.long)
            }
            Takes::Many(value) => valued(arg, value).action(ArgAction::Append),
        });
    }
    for row in GROUPS.iter().filter(|row| row.verbs.contains(&verb)) {
        let arg = Arg::new(row.long).short(row.short).long(row.long).help(row.help);
        let arg = valued(arg, "KEY[=VALUE],...").help_heading(KEYS).action(ArgAction::Append);
        command = command.arg(arg);
    }
    command
}

fn valued(arg: Arg, value: &'static str) -> Arg {
    let arg = arg.value_name(value).value_parser(ValueParser::os_string());
    arg.value_hint(hint(value)).allow_hyphen_values(true)
}

fn hint(value: &str) -> ValueHint {
    match value {
        "FILE" | "NAME=FILE" => ValueHint::FilePath,
        "PATH" => ValueHint::AnyPath,
        _ if value.starts_with("HOST") => ValueHint::DirPath,
        _ => ValueHint::Other,
    }
}

/// The letter of a group.
pub fn letter(group: Group) -> char {
    GROUPS.iter().find(|row| row.group == group).map_or('?', |row| row.short)
}

/// The completion script of a shell.
pub fn completions(shell: &str) -> Result<String, Early> {
    let Ok(shell) = shell.parse::<clap_complete::Shell>() else {
        let shells = VERBS.iter().find(|row| row.verb == Verb::Completions);
        let shells = shells.map_or("", |row| row.usage);
        return Err(Early::usage(format_args!("completions: expected one of {shells}")));
    };
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut complete(), "lithe", &mut script);
    Ok(String::from_utf8_lossy(&script).into_owned())
}
