//! Native code of the suite's modules in a folder, for machines that would take long to compile it: the suite runs once
//! where it is compiled and fills the folder, and then on the machine, which only runs it. Invariant: a module that is
//! missing in the folder is a failure, and so is one whose code does not come from its bytes.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, Seek, SeekFrom, Write};
use std::num::NonZero;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

use lithe::{Artifact, Compilation, Config, Engine, ErrorKind, Module};
use lithe_spec_tests::Loader;

/// Names the folder.
const FOLDER: &str = "LITHE_ARTIFACTS";

/// Names the machine that the folder is filled for; without it, modules are loaded from there.
const MACHINE: &str = "LITHE_ARTIFACTS_FOR";

/// What a file holds instead of an artifact when the machine interprets the module.
const INTERPRETED: &[u8] = b"interpreted";

/// The folder, and what is done with it.
#[derive(Clone)]
pub struct Artifacts {
    folder: PathBuf,
    machine: Option<String>,
}

impl Artifacts {
    /// What the environment asks for.
    pub fn asked() -> Result<Option<Artifacts>, String> {
        let machine = std::env::var_os(MACHINE).map(OsString::into_string).transpose();
        let machine = machine.map_err(|_| format!("{MACHINE} names no machine"))?;
        match (std::env::var_os(FOLDER), machine) {
            (None, None) => Ok(None),
            (None, Some(_)) => Err(format!("{MACHINE} needs a folder in {FOLDER}")),
            (Some(folder), machine) => {
                fs::create_dir_all(&folder)
                    .map_err(|error| format!("{FOLDER} cannot be made: {error}"))?;
                Ok(Some(Artifacts { folder: folder.into(), machine }))
            }
        }
    }

    /// Whether the folder is being filled: scripts are run to see what they load, by the interpreter.
    pub fn fills(&self) -> bool {
        self.machine.is_some()
    }

    /// Loads the modules of engines with this configuration.
    pub fn loader(&self, config: Config) -> Loader {
        let Artifacts { folder, machine } = self.clone();
        match machine {
            None => Loader::new(move |engine, bytes| load(&folder, engine, bytes)),
            Some(machine) => Loader::new(move |engine, bytes| {
                let module = Module::new(engine, &bytes[..]).map_err(|error| error.to_string())?;
                compile(&folder, &config, &machine, bytes)?;
                Ok(module)
            }),
        }
    }
}

/// The file of a module for an engine.
fn path(folder: &Path, engine: &Engine, bytes: &[u8]) -> PathBuf {
    let hash: String = Artifact::hash(bytes).iter().map(|byte| format!("{byte:02x}")).collect();
    folder.join(format!("{:?}-{hash}", engine.traps()).to_lowercase())
}

fn load(folder: &Path, engine: &Engine, bytes: Vec<u8>) -> Result<Module, String> {
    let path = path(folder, engine, &bytes);
    let artifact =
        fs::read(&path).map_err(|error| format!("{} cannot be read: {error}", path.display()))?;
    if artifact == INTERPRETED {
        return Module::new(engine, bytes).map_err(|error| error.to_string());
    }
    // SAFETY: the folder belongs to whoever runs the suite, who filled it with artifacts of this version.
    let module = unsafe { Module::from_artifact(engine, artifact, "") };
    module.map_err(|error| error.to_string())
}

fn compile(folder: &Path, config: &Config, machine: &str, bytes: Vec<u8>) -> Result<(), String> {
    let engine = Engine::new(config);
    let path = path(folder, &engine, &bytes);
    if path.exists() {
        return Ok(());
    }
    let how = Compilation::new().machine(machine).threads(NonZero::<usize>::MIN);
    let artifact = match Module::new(&engine, bytes).and_then(|module| module.compile(&how)) {
        Err(error) if error.kind() == ErrorKind::Machine => INTERPRETED.to_vec(),
        other => other.map_err(|error| format!("it cannot be compiled for {machine}: {error}"))?,
    };
    write(&path, &artifact)
        .map_err(|error| format!("{} cannot be written: {error}", path.display()))
}

/// Writes a file that is complete when it has its name. Zeros, of which artifacts have many, take no room on the disk.
fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    const BLOCK: usize = 4096;
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let unfinished = path.with_extension(format!("{}-{number}", std::process::id()));
    let mut file = File::create(&unfinished)?;
    file.set_len(bytes.len() as u64)?;
    for (i, block) in bytes.chunks(BLOCK).enumerate() {
        if block.iter().any(|byte| *byte != 0) {
            file.seek(SeekFrom::Start((i * BLOCK) as u64))?;
            file.write_all(block)?;
        }
    }
    fs::rename(unfinished, path)
}
