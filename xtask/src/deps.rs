//! Compares the dependencies of every crate with the arrows in `house`, and proves by their manifests that
//! the crates which build without `std` do not need it (CI builds them; this names the culprit).

use std::fs;

use crate::{
    Outcome,
    house::{CRATES, Crate},
    workspace::{Package, Workspace},
};

pub fn check(workspace: &Workspace) -> Outcome {
    let mut problems = arrows(&workspace.packages, CRATES);
    for krate in CRATES.iter().filter(|krate| krate.no_std) {
        let Some(package) = workspace.packages.iter().find(|package| package.name == krate.name)
        else {
            continue;
        };
        let root = package.folder.join("src/lib.rs");
        let text = fs::read_to_string(&root)
            .map_err(|error| format!("cannot read {}: {error}", root.display()))?;
        problems.extend(without_std(package, &text));
    }
    Ok(problems)
}

/// Arrows that the table does not have.
fn arrows(packages: &[Package], crates: &[Crate]) -> Vec<String> {
    let mut problems = Vec::new();
    for package in packages {
        let Some(krate) = crates.iter().find(|krate| krate.name == package.name) else {
            problems.push(format!(
                "{} is not in the table of crates; give it a row in xtask/src/house.rs",
                package.name
            ));
            continue;
        };
        for dependency in &package.dependencies {
            let name = dependency.name.as_str();
            let inside = crates.iter().any(|other| other.name == name);
            let allowed = match inside {
                true => krate.uses.contains(&name),
                false => dependency.dev || krate.outside.is_none_or(|list| list.contains(&name)),
            };
            if !allowed {
                let may = match inside {
                    true => list(krate.uses),
                    false => list(krate.outside.unwrap_or(&[])),
                };
                problems
                    .push(format!("{} may not depend on {name}; allowed are: {may}", krate.name));
            }
        }
    }
    for krate in crates {
        if !packages.iter().any(|package| package.name == krate.name) {
            problems
                .push(format!("the table of crates names {}, which does not exist", krate.name));
        }
    }
    problems
}

/// What keeps a crate from building without `std`.
fn without_std(package: &Package, root: &str) -> Vec<String> {
    let mut problems = Vec::new();
    let name = &package.name;
    let always = root.lines().any(|line| line == "#![no_std]");
    let chosen = root.lines().any(|line| line == r#"#![cfg_attr(not(feature = "std"), no_std)]"#);
    if !always && !chosen {
        problems.push(format!("{name} does not declare no_std in src/lib.rs"));
    }
    if chosen && !package.features.iter().any(|feature| feature == "std") {
        problems.push(format!("{name} has no feature `std` but asks for it in src/lib.rs"));
    }
    for dependency in &package.dependencies {
        // These two have no feature that needs `std`.
        let harmless = ["lithe-types", "libm"].contains(&dependency.name.as_str());
        if dependency.default_features && !dependency.dev && !dependency.optional && !harmless {
            problems.push(format!(
                "{name} uses the default features of {}; write default-features = false",
                dependency.name
            ));
        }
    }
    problems
}

fn list(names: &[&str]) -> String {
    if names.is_empty() { String::from("none") } else { names.join(", ") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{house::Unsafe, workspace::Dependency};

    const CRATES: &[Crate] = &[
        Crate {
            name: "low",
            uses: &[],
            outside: Some(&["decoder"]),
            no_std: true,
            unsafe_code: Unsafe::Forbidden,
        },
        Crate {
            name: "high",
            uses: &["low"],
            outside: None,
            no_std: false,
            unsafe_code: Unsafe::Forbidden,
        },
    ];

    fn package(name: &str, dependencies: &[(&str, bool)]) -> Package {
        let dependency = |(name, dev): &(&str, bool)| Dependency {
            name: (*name).into(),
            dev: *dev,
            optional: false,
            default_features: false,
        };
        Package {
            name: name.into(),
            folder: name.into(),
            features: Vec::new(),
            dependencies: dependencies.iter().map(dependency).collect(),
        }
    }

    #[test]
    fn allowed_arrows_pass() {
        let low = package("low", &[("decoder", false), ("proptest", true)]);
        let high = package("high", &[("low", false), ("clap", false)]);
        assert_eq!(arrows(&[low, high], CRATES), [""; 0]);
    }

    #[test]
    fn forbidden_arrows_are_named() {
        let low = package("low", &[("high", true), ("clap", false)]);
        let high = package("high", &[]);
        assert_eq!(
            arrows(&[low, high], CRATES),
            [
                "low may not depend on high; allowed are: none",
                "low may not depend on clap; allowed are: decoder",
            ]
        );
    }

    #[test]
    fn the_table_and_the_workspace_have_the_same_crates() {
        let problems = arrows(&[package("low", &[]), package("new", &[])], CRATES);
        assert_eq!(problems.len(), 2);
        assert!(problems[0].starts_with("new is not in the table"));
        assert!(problems[1].ends_with("high, which does not exist"));
    }

    #[test]
    fn needing_std_is_found() {
        let mut low = package("low", &[("decoder", false)]);
        assert_eq!(without_std(&low, "//! Docs.\n#![no_std]\n"), [""; 0]);
        let chosen = "#![cfg_attr(not(feature = \"std\"), no_std)]\n";
        assert_eq!(without_std(&low, chosen).len(), 1);
        assert_eq!(without_std(&low, "").len(), 1);
        low.dependencies[0].default_features = true;
        low.features.push("std".into());
        assert_eq!(
            without_std(&low, chosen),
            ["low uses the default features of decoder; write default-features = false"]
        );
    }
}
