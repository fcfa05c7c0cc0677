//! How the files of a folder are laid out: side by side or in stages, with a `kustomization.yaml` for each folder or without.

use std::collections::BTreeMap;

use render::Stage;

/// What kustomize, and with it Flux and Argo CD, takes a folder by.
const KUSTOMIZATION: &str = "kustomization.yaml";
const HEAD: &str = "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\nresources:";

/// How the files of a folder are laid out.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Layout {
    /// A folder for each stage.
    pub(crate) is_staged: bool,
    /// In each folder, a file that lists the others.
    pub(crate) has_kustomizations: bool,
}

impl Layout {
    /// Where a file of a stage stands.
    pub(crate) fn place(self, stage: Stage, name: &str) -> String {
        if self.is_staged { format!("{}/{name}", stage.folder()) } else { name.to_owned() }
    }

    /// The files that list others, by name. A stage that is empty has one as well: whoever is told to apply it finds it.
    pub(crate) fn kustomizations<'n>(self, names: impl Iterator<Item = &'n str>) -> BTreeMap<String, String> {
        let mut listed: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        if self.has_kustomizations {
            listed.entry("").or_default();
        }
        if self.has_kustomizations && self.is_staged {
            listed.extend(Stage::ALL.map(|stage| (stage.folder(), Vec::new())));
            listed.insert("", Stage::ALL.map(Stage::folder).to_vec());
        }
        for name in names {
            let (folder, name) = name.split_once('/').unwrap_or(("", name));
            if let Some(all) = listed.get_mut(folder) {
                all.push(name);
            }
        }
        listed.into_iter().map(|(folder, names)| (below(folder), list(&names))).collect()
    }
}

fn below(folder: &str) -> String {
    if folder.is_empty() { KUSTOMIZATION.to_owned() } else { format!("{folder}/{KUSTOMIZATION}") }
}

fn list(names: &[&str]) -> String {
    if names.is_empty() {
        return format!("{HEAD} []\n");
    }
    names.iter().fold(format!("{HEAD}\n"), |text, name| text + &format!("- {name}\n"))
}
