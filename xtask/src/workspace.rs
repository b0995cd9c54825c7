//! What cargo and the file system say about the workspace. The checks ask here and nowhere else, so that
//! they can be tested on values made by hand.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use serde_json::Value;

/// The workspace on disk.
pub struct Workspace {
    /// Its root.
    pub root: PathBuf,
    /// Where builds put their output.
    pub target: PathBuf,
    /// Its packages.
    pub packages: Vec<Package>,
}

/// A package of the workspace.
pub struct Package {
    /// The name.
    pub name: String,
    /// The folder.
    pub folder: PathBuf,
    /// The names of its features.
    pub features: Vec<String>,
    /// What it depends on.
    pub dependencies: Vec<Dependency>,
}

/// A dependency of a package.
pub struct Dependency {
    /// The package's name.
    pub name: String,
    /// Whether only tests, examples and benchmarks use it.
    pub dev: bool,
    /// Whether a feature enables it.
    pub optional: bool,
    /// Whether its default features are on.
    pub default_features: bool,
}

/// A source file.
pub struct Source {
    /// Its path from the workspace's root.
    pub path: String,
    /// Its text.
    pub text: String,
}

impl Workspace {
    /// Asks cargo about the workspace that this program belongs to.
    pub fn load() -> Result<Workspace, String> {
        let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml");
        let output = run(cargo()
            .args(["metadata", "--format-version=1", "--no-deps", "--manifest-path"])
            .arg(&manifest))?;
        let value: Value = serde_json::from_str(&output)
            .map_err(|error| format!("cargo metadata printed no JSON: {error}"))?;
        Workspace::from_metadata(&value)
            .ok_or_else(|| String::from("cargo metadata printed JSON of an unknown shape"))
    }

    fn from_metadata(value: &Value) -> Option<Workspace> {
        let packages = value["packages"].as_array()?.iter().map(package).collect::<Option<_>>()?;
        Some(Workspace {
            root: value["workspace_root"].as_str()?.into(),
            target: value["target_directory"].as_str()?.into(),
            packages,
        })
    }

    /// The Rust files beneath `folder`, sorted by path. Folders that hold build output or begin with a dot
    /// are left out.
    pub fn sources(&self, folder: &Path) -> Result<Vec<Source>, String> {
        let mut paths = Vec::new();
        walk(folder, &mut paths)?;
        paths.sort();
        let read = |path: &PathBuf| {
            let text = fs::read_to_string(path)
                .map_err(|error| format!("cannot read {}: {error}", path.display()))?;
            let path = path.strip_prefix(&self.root).unwrap_or(path).display().to_string();
            Ok(Source { path, text })
        };
        paths.iter().map(read).collect()
    }
}

fn package(value: &Value) -> Option<Package> {
    let dependency = |value: &Value| {
        Some(Dependency {
            name: value["name"].as_str()?.into(),
            dev: value["kind"].as_str() == Some("dev"),
            optional: value["optional"].as_bool()?,
            default_features: value["uses_default_features"].as_bool()?,
        })
    };
    let dependencies = value["dependencies"].as_array()?;
    Some(Package {
        name: value["name"].as_str()?.into(),
        folder: Path::new(value["manifest_path"].as_str()?).parent()?.into(),
        features: value["features"].as_object()?.keys().cloned().collect(),
        dependencies: dependencies.iter().map(dependency).collect::<Option<_>>()?,
    })
}

fn walk(folder: &Path, paths: &mut Vec<PathBuf>) -> Result<(), String> {
    let failed = |error| format!("cannot list {}: {error}", folder.display());
    for entry in fs::read_dir(folder).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let (path, name) = (entry.path(), entry.file_name());
        let name = name.to_string_lossy();
        if entry.file_type().map_err(failed)?.is_dir() {
            if name != "target" && !name.starts_with('.') {
                walk(&path, paths)?;
            }
        } else if name.ends_with(".rs") {
            paths.push(path);
        }
    }
    Ok(())
}

/// The cargo that runs this program.
pub fn cargo() -> Command {
    Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
}

/// Runs a command and gives its standard output; its standard error is shown.
pub fn run(command: &mut Command) -> Result<String, String> {
    let name = command.get_program().to_string_lossy().into_owned();
    let output = command
        .stderr(std::process::Stdio::inherit())
        .output()
        .map_err(|error| format!("cannot start {name}: {error}; install it"))?;
    if !output.status.success() {
        return Err(format!("{name} failed: {}", output.status));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metadata_is_read() {
        let value: Value = serde_json::from_str(
            r#"{
                "workspace_root": "/w", "target_directory": "/w/target",
                "packages": [{
                    "name": "a", "manifest_path": "/w/a/Cargo.toml", "features": {"std": []},
                    "dependencies": [
                        {"name": "b", "kind": null, "optional": true, "uses_default_features": false},
                        {"name": "c", "kind": "dev", "optional": false, "uses_default_features": true}
                    ]
                }]
            }"#,
        )
        .unwrap();
        let workspace = Workspace::from_metadata(&value).unwrap();
        let package = &workspace.packages[0];
        assert_eq!((package.name.as_str(), package.folder.to_str()), ("a", Some("/w/a")));
        assert_eq!(package.features, ["std"]);
        let [b, c] = &package.dependencies[..] else { panic!("two dependencies") };
        assert!(!b.dev && b.optional && !b.default_features);
        assert!(c.dev && !c.optional && c.default_features);
    }

    #[test]
    fn other_json_is_refused() {
        assert!(Workspace::from_metadata(&Value::Null).is_none());
    }
}
