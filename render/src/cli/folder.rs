//! A folder of rendered files: written whole or not at all, stale files removed, files of others left alone.
//!
//! An index beside the files names those that are ours. A file that it does not name is never overwritten or removed.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use render::Identity;
use similar::TextDiff;

use super::failure::Failure;
use super::file::{self, Beside};

/// The names of the files that are ours, one a line.
pub(crate) const INDEX: &str = ".valkey-render-index";

/// Files, by name.
#[derive(Debug)]
pub(crate) struct FileSet {
    files: Vec<(Identity, &'static str, String)>,
    /// Of everything that was rendered, picked or not, so that a file has the same name whatever else is picked.
    namespaces: BTreeSet<String>,
    /// Whether more was rendered than is in here: nothing is stale then for being missing.
    partial: bool,
}

impl FileSet {
    pub(crate) const fn new(partial: bool) -> Self {
        Self { files: Vec::new(), namespaces: BTreeSet::new(), partial }
    }

    pub(crate) fn see(&mut self, namespace: &str) {
        if !self.namespaces.contains(namespace) {
            self.namespaces.insert(namespace.to_owned());
        }
    }

    pub(crate) fn add(&mut self, identity: &Identity, extension: &'static str, text: String) {
        self.files.push((identity.clone(), extension, text));
    }

    /// As kustomize names them; with their namespace in front if there are several.
    fn by_name(&self) -> BTreeMap<String, &str> {
        let name = |identity: &Identity, extension: &str| match self.namespaces.len() {
            0 | 1 => format!("{}.{extension}", identity.file_stem()),
            _ => format!("{}_{}.{extension}", identity.namespace, identity.file_stem()),
        };
        self.files.iter().map(|(identity, extension, text)| (name(identity, extension), text.as_str())).collect()
    }

    /// Writes the files, and removes those of an earlier run that are no longer among them.
    pub(crate) fn write(&self, folder: &Path) -> Result<(), Failure> {
        let files = self.by_name();
        fs::create_dir_all(folder).map_err(|error| Failure::io("create", folder, error))?;
        let owned = read_index(folder)?;
        let foreign = files.keys().filter(|name| !owned.contains(*name) && folder.join(name).exists());
        if let Some(name) = foreign.into_iter().next() {
            let path = folder.join(name);
            let message = format!(
                "{} exists and was not written by valkey-render; move it away, or choose another folder",
                path.display()
            );
            return Err(Failure::Foreign(message));
        }
        let beside = |(name, text): (&String, &&str)| Beside::of(&folder.join(name), text);
        let complete: Vec<Beside> = files.iter().map(beside).collect::<Result<_, _>>()?;
        // Whatever happens from here on, every file that is or will be ours is in the index.
        let names: BTreeSet<&str> = owned.iter().map(String::as_str).chain(files.keys().map(String::as_str)).collect();
        write_index(folder, names.iter().copied())?;
        complete.into_iter().try_for_each(Beside::take_place)?;
        let stale = self.stale(&owned, &files);
        stale.iter().try_for_each(|name| remove(&folder.join(name)))?;
        write_index(folder, names.difference(&stale).copied())
    }

    /// The files of an earlier run that this one would not have written.
    fn stale<'n>(&self, owned: &'n BTreeSet<String>, files: &BTreeMap<String, &str>) -> BTreeSet<&'n str> {
        let missing = |name: &&str| !self.partial && !files.contains_key(*name);
        owned.iter().map(String::as_str).filter(missing).collect()
    }

    /// How what is in the folder differs from what would be written, as unified diffs.
    pub(crate) fn compare(&self, folder: &Path) -> Result<Vec<String>, Failure> {
        let files = self.by_name();
        let owned = if folder.is_dir() { read_index(folder)? } else { BTreeSet::new() };
        let stale = self.stale(&owned, &files).into_iter().map(|name| (name, ""));
        let mut differences = Vec::new();
        for (name, wanted) in files.iter().map(|(name, text)| (name.as_str(), *text)).chain(stale) {
            let path = folder.join(name);
            let found = match fs::read_to_string(&path) {
                Ok(text) => text,
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
                Err(error) => return Err(Failure::io("read", path, error)),
            };
            if found != wanted {
                let diff = TextDiff::from_lines(found.as_str(), wanted);
                let path = path.display().to_string();
                differences.push(diff.unified_diff().header(&path, &format!("{path} (rendered)")).to_string());
            }
        }
        Ok(differences)
    }
}

fn read_index(folder: &Path) -> Result<BTreeSet<String>, Failure> {
    let path = folder.join(INDEX);
    match fs::read_to_string(&path) {
        Ok(text) => Ok(text.lines().filter(|name| is_plain_name(name)).map(str::to_owned).collect()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(BTreeSet::new()),
        Err(error) => Err(Failure::io("read", path, error)),
    }
}

/// Nothing that leads out of the folder.
fn is_plain_name(name: &str) -> bool {
    !name.is_empty() && !name.contains(['/', '\\']) && !name.starts_with('.')
}

fn write_index<'n>(folder: &Path, names: impl Iterator<Item = &'n str>) -> Result<(), Failure> {
    let text: String = names.flat_map(|name| [name, "\n"]).collect();
    file::replace(&folder.join(INDEX), &text)
}

fn remove(path: &Path) -> Result<(), Failure> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(Failure::io("remove", path, error)),
        _ => Ok(()),
    }
}
