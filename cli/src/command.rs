//! The parser of the command line, made from the table of flags. Called by `main`; `lithe completions` and
//! the documentation use the same commands. Invariant: parsing builds the commands of one verb only.

use std::ffi::OsString;

use clap::builder::ValueParser;
use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Arg, ArgAction, ArgMatches, Command, ValueHint};

use crate::flags::{self, GROUPS, Takes, VERBS, Verb};

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
    command.try_get_matches_from(args).map_err(|error| refusal(verb, &error))
}

/// What the parser says, in our words where they say more.
fn refusal(verb: Verb, error: &clap::Error) -> Early {
    let word = |kind| match error.get(kind) {
        Some(ContextValue::String(word)) => Some(word),
        _ => None,
    };
    if let (ErrorKind::UnknownArgument, Some(flag)) = (error.kind(), word(ContextKind::InvalidArg))
    {
        let similar = word(ContextKind::SuggestedArg);
        let similar =
            similar.map(|flag| format!("; a similar one is `{flag}`")).unwrap_or_default();
        let name = verb.row().name;
        let guest = if verb == Verb::Run { ", and flags of the guest follow the file" } else { "" };
        return Early::usage(format_args!(
            "`{flag}` is not a flag of `lithe {name}`{similar}; `lithe {name} --help` lists them{guest}"
        ));
    }
    let code = if error.use_stderr() { crate::report::USAGE } else { 0 };
    Early { text: error.to_string(), code }
}

/// The command of one verb.
fn command(verb: Verb) -> Command {
    let row = verb.row();
    let name = if verb == Verb::Run { "[run]" } else { row.name };
    let usage = format!("lithe {name} {}", row.usage);
    let operand = Arg::new(row.operand)
        .value_parser(ValueParser::os_string())
        .value_hint(hint(row.operand))
        .hide(true);
    let operand = match verb {
        // Everything after the file belongs to the guest.
        Verb::Run => operand.num_args(0..).trailing_var_arg(true),
        Verb::Validate | Verb::Wast => operand.num_args(0..),
        Verb::Serve | Verb::Compile | Verb::Inspect | Verb::Cache | Verb::Completions => operand,
    };
    let command = Command::new(row.name).about(row.help).override_usage(usage);
    with_flags(command, verb).arg(operand)
}

/// The command without its flags, for the help that `lithe --help` shows.
pub fn overview() -> Command {
    top().subcommands(VERBS.iter().map(|row| Command::new(row.name).about(row.help)))
}

/// The command with all verbs and flags, for completions.
fn complete() -> Command {
    with_flags(top(), Verb::Run).subcommands(VERBS.iter().map(|row| command(row.verb)))
}

fn top() -> Command {
    Command::new("lithe")
        .version(env!("CARGO_PKG_VERSION"))
        .about("Run WebAssembly programs; they can do only what you grant")
        .override_usage(format!(
            "lithe [run] {}\n       lithe VERB [flags] ...",
            Verb::Run.row().usage
        ))
        .disable_help_subcommand(true)
        .subcommand_help_heading("Verbs")
        .after_help(
            "`lithe VERB --help` lists the flags of a verb, `lithe run --help` those for running.",
        )
}

fn with_flags(mut command: Command, verb: Verb) -> Command {
    for flag in flags::long(verb) {
        let arg = Arg::new(flag.long).long(flag.long).help(flag.help);
        let arg = arg.help_heading(flag.topic.heading());
        let arg = match flag.short {
            Some(short) => arg.short(short),
            None => arg,
        };
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
        "HOST[:PORT]" => ValueHint::Hostname,
        _ if value.starts_with("HOST") => ValueHint::DirPath,
        _ => ValueHint::Other,
    }
}

/// The completion script of a shell.
pub fn completions(shell: &str) -> Result<String, Early> {
    let Ok(shell) = shell.parse::<clap_complete::Shell>() else {
        let shells = Verb::Completions.row().usage;
        return Err(Early::usage(format_args!("completions: expected one of {shells}")));
    };
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut complete(), "lithe", &mut script);
    Ok(String::from_utf8_lossy(&script).into_owned())
}
