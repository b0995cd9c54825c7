//! Text about flags made from their table: `-W help` and docs/cli.md, which `lithe --help-markdown` prints.

use std::fmt::Write;

use lithe::Features;

use crate::flags::{self, FLAGS, Flag, GROUPS, Group, Id, TOPICS, VERBS, Verb};

/// The keys of a group, one a line.
pub fn keys_as_text(group: Group) -> String {
    let mut text = String::new();
    for (key, flag) in flags::keys(group).filter(|(_, flag)| flag.id != Id::Accepted) {
        let word = format!("-{} {}", group.row().short, spelled(key, flag));
        let long = if flag.long.is_empty() { String::new() } else { format!(" (--{})", flag.long) };
        // Writing to a string does not fail, here and below.
        let _ = writeln!(text, "{word:<38} {}{long}", flag.help);
    }
    let accepted = accepted(group);
    if !accepted.is_empty() {
        let _ = writeln!(text, "Accepted without effect: {}", accepted.join(", "));
    }
    if group == Group::Wasm {
        let _ = writeln!(text, "Features, each with `=y` or `=n`: {}", features().join(", "));
    }
    text
}

fn spelled(key: &str, flag: &Flag) -> String {
    match flag.value_name() {
        Some(value) => format!("{key}={value}"),
        None => format!("{key}[=y|n]"),
    }
}

fn accepted(group: Group) -> Vec<&'static str> {
    let keys = flags::keys(group).filter(|(_, flag)| flag.id == Id::Accepted);
    keys.map(|(key, _)| key).collect()
}

fn features() -> Vec<&'static str> {
    Features::PRESETS.iter().chain(Features::ALL).map(|(name, _)| *name).collect()
}

/// The reference of the command line as Markdown.
pub fn markdown() -> String {
    let mut text = String::from(
        "# The command line\n\n\
         Made by `lithe --help-markdown` from the table of flags; a test keeps it up to date.\n\n\
         Flags come before the file, everything after the file belongs to the guest.\n\n\
         | command | what it does |\n|---|---|\n",
    );
    for row in VERBS {
        let name = if row.verb == Verb::Run { "[run]" } else { row.name };
        let usage = row.usage.replace('|', "\\|");
        let _ = writeln!(text, "| `lithe {name} {usage}` | {} |", row.help);
    }
    for (topic, heading) in TOPICS {
        let _ =
            write!(text, "\n## {heading}\n\n| flag | key | verbs | meaning |\n|---|---|---|---|\n");
        let hidden = |flag: &&Flag| !matches!(flag.id, Id::Accepted | Id::Later);
        for flag in FLAGS.iter().filter(|flag| flag.topic == *topic).filter(hidden) {
            let value = flag.value_name().map(|value| format!(" {value}")).unwrap_or_default();
            let long = match flag.long {
                "" => String::new(),
                long => match flag.short {
                    Some(short) => format!("`-{short}`, `--{long}{value}`"),
                    None => format!("`--{long}{value}`"),
                },
            };
            let key = match flag.key {
                Some((group, key)) => format!("`-{} {}`", group.row().short, spelled(key, flag)),
                None => String::new(),
            };
            let verbs = VERBS.iter().filter(|row| flag.verbs.contains(&row.verb));
            let verbs: Vec<&str> = verbs.map(|row| row.name).collect();
            let (long, key) = (long.replace('|', "\\|"), key.replace('|', "\\|"));
            let _ = writeln!(text, "| {long} | {key} | {} | {} |", verbs.join(", "), flag.help);
        }
    }
    text += "\n## Features\n\n";
    let _ = writeln!(
        text,
        "`-W NAME=y` and `-W NAME=n` switch a feature, a preset replaces the whole set: {}.\n",
        quoted(&features())
    );
    text += "## Keys accepted without effect\n\n\
             Keys of Wasmtime's that ask for nothing this engine would do otherwise:\n\n";
    for row in GROUPS {
        let keys = accepted(row.group);
        if !keys.is_empty() {
            let _ = writeln!(text, "- `-{}`: {}", row.short, quoted(&keys));
        }
    }
    let later = FLAGS.iter().filter(|flag| flag.id == Id::Later);
    let later: Vec<&str> = later.filter_map(|flag| flag.key).map(|(_, key)| key).collect();
    let _ = writeln!(text, "\nRefused until a later release brings them: `-S` {}.", quoted(&later));
    text += NETWORK;
    text += NATIVE;
    text += BUILDS;
    text += "\n## Configuration file\n\n\
             `--config FILE` reads TOML: long flags without their dashes at the top, and the keys of `-O`, `-C`, \
             `-D`, `-W`, `-S`\nin the tables `optimize`, `codegen`, `debug`, `wasm` and `wasi`. Flags given on the \
             command line count more.\n\n\
             ```toml\n\
             dir = [\".::/\", \"data::/data::ro\"]\n\
             timeout = \"5s\"\n\n\
             [wasm]\n\
             max-memory-size = \"64M\"\n\
             ```\n\n\
             `--grants FILE` reads such a file that has grants alone, so that it can be looked at and passed on: the \
             flags of the section\n\"Grants\" above, and their keys in the table `wasi`. Directories in it are \
             relative to the file.\n\n\
             ```toml\n\
             dir = [\"data::/data\", \"assets::/assets::ro\"]\n\
             env = [\"LANG=C\"]\n\
             net = [\"tcp:db.example.com:5432\", \"lookup:*.internal.example.com\"]\n\
             http = [\"api.example.com\"]\n\
             var = [\"mode=production\"]\n\
             ```\n\n\
             ## Exit codes\n\n\
             | code | meaning |\n|---|---|\n\
             | the guest's own | the guest ended, 0 when it returned |\n\
             | 1 | a file could not be loaded or linked, or a check failed |\n\
             | 2 | the command line is wrong |\n\
             | 70 | a bug in Lithe |\n\
             | 134 | the guest trapped, or used up its fuel or time |\n";
    text
}

const NETWORK: &str = "
## Network

A guest reaches nothing that no rule names. `--net` takes one rule, and may be given often:

| rule | grants |
|---|---|
| `tcp:HOST:PORT` | connections |
| `udp:HOST:PORT` | datagrams to the host |
| `listen:HOST:PORT` | TCP and UDP sockets that are bound to the address; port 0 is one that the system chooses |
| `lookup:NAME` | asking for the addresses of a name |

A host is an address (`10.0.0.1`, `[2001:db8::1]`), a network (`10.0.0.0/8`, `[fd00::/8]`), `localhost` (127.0.0.1 and
::1), a name, all names beneath one (`*.example.com`), or `*`, which is every address, those of private networks and of
this machine included. A port is a number, a range (`8000-8010`), or `*`.

What is checked is the address that is used, and an IPv4 address in the form of an IPv6 one is the IPv4 address. A rule
with a name grants looking up that name, and the addresses that the guest is given for it; an address that was never
the answer to a lookup needs a rule of its own. `*.example.com` grants public addresses only, because the guest chooses
the name.

`--http HOST` grants outgoing requests on the ports 80 and 443, `--http HOST:PORT` on that port, `--http 'HOST:*'` on all.
Lithe looks the name up itself, so this needs no `lookup`, and it grants no connections besides. A host that is named
may have any address. What `--http '*'` and `--http '*.example.com'` grant must have a public one: loopback, private,
link-local and other special addresses are refused, however they are written and whatever a name leads to, unless
another `--http` names the host or the address. Each request is checked, also one that follows a redirect.

Keys of Wasmtime's grant the same things: `-S inherit-network` is `tcp:*:*`, `udp:*:*` and `listen:*:*`;
`-S allow-ip-name-lookup` is `lookup:*`; `-S http` grants requests to everywhere, as Wasmtime's does, to private networks
and this machine too; `-S config-var` is `--var`. `-S tcp` and `-S udp` grant nothing, `-S tcp=n` and `-S udp=n` take away
what rules grant.

## Denials

When a program fails and was denied something that a flag grants, the last lines on standard error say what, how often,
and which flag it is: uses of the network, changes beneath a read-only directory, and paths that lead out of a granted
one. With `--show-grants` they do so for programs that succeed too, with `--format json` as one object.

```text
not granted
  tcp connection to 10.0.0.7:5432 (db.example.com), denied 3 times; grant it with --net tcp:db.example.com:5432
```
";

const NATIVE: &str = "
## Native code

`--engine auto`, the default, runs a module natively when its code is in the cache, or when it is soon compiled: that is
done at once, and the code kept, when all function bodies together have at most 64 KiB. Larger modules run in the
interpreter. `--engine native` compiles them too, which `lithe compile --cache FILE` does without running them;
`--engine interp` never compiles. `--stats` tells how a module ran.

The cache is the folder `lithe` in `$XDG_CACHE_HOME`, or in `~/.cache`. A file that has not changed is found by its
identity (device, number, size, times), any other by its contents; flags that change code or what is accepted are part of
the question. A folder that belongs to another user or that others may write is not used. `lithe cache` shows what there
is, `lithe cache clear` removes it.

`lithe compile FILE` writes an artifact, which starts without compiling on any machine of the kind that `--target` names
(without it: machines like this one). That of a component holds it with the code of its core modules. Native code cannot
be verified, so `lithe run` and `lithe serve` refuse artifacts without `--allow-precompiled`. It runs only with the version of Lithe that made it, and with the same `--traps`, fuel
(`--count-fuel`) and `--deterministic`.

`--traps signals`, the default where address space is not limited, makes the fastest code; `--traps checks` needs neither
handlers of signals nor reservations of address space.
";

const BUILDS: &str = "
## Smaller commands

What the command has is chosen when it is built, by features of the crate `lithe-cli`. All are on by default;
`cargo build --release --no-default-features` leaves them out, and `--features` with it names those to keep.

| feature | brings |
|---|---|
| `http` | `lithe serve`, and `wasi:http` for programs |
| `native` | native code: `--engine native`, `lithe compile`, and compiling what is not in the cache |
| `wit` | the WIT that `lithe inspect` prints of components, and `--invoke` for their functions, which takes and prints WAVE |

A command that lacks something says so when it is needed. Without `native` it still runs artifacts.
";

fn quoted(words: &[&str]) -> String {
    let words: Vec<String> = words.iter().map(|word| format!("`{word}`")).collect();
    words.join(", ")
}
