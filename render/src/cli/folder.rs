//! A folder of rendered files: written whole or not at all, stale files removed, files of others left alone.
//!
//! An index beside the files names those that are ours, those in folders of stages too. A file that it does not name is never
//! overwritten or removed.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use render::{Document, Identity, Stage};
use similar::TextDiff;

use super::failure::Failure;
use super::file::{self, Beside};
use super::layout::Layout;

/// The names of the files that are ours, one a line.
pub(crate) const INDEX: &str = ".valkey-render-index";

/// Texts, by the name of their file.
type Files<'a> = BTreeMap<String, Cow<'a, str>>;

/// Files, by name.
#[derive(Debug)]
pub(crate) struct FileSet {
    layout: Layout,
    files: Vec<(Identity, Stage, &'static str, String)>,
    /// Of everything that was rendered, picked or not, so that a file has the same name whatever else is picked.
    namespaces: BTreeSet<String>,
    /// Whether more was rendered than is in here: nothing is stale then for being missing.
    partial: bool,
}

impl FileSet {
    pub(crate) const fn new(layout: Layout, partial: bool) -> Self {
        Self { layout, files: Vec::new(), namespaces: BTreeSet::new(), partial }
    }

    pub(crate) fn see(&mut self, namespace: &str) {
        if !self.namespaces.contains(namespace) {
            self.namespaces.insert(namespace.to_owned());
        }
    }

    pub(crate) fn add(&mut self, document: &Document, extension: &'static str, text: String) {
        self.files.push((document.identity().clone(), document.stage(), extension, text));
    }

    /// As kustomize names them; with their namespace in front if there are several.
    fn by_name(&self) -> Files<'_> {
        let name = |identity: &Identity, extension: &str| match self.namespaces.len() {
            0 | 1 => format!("{}.{extension}", identity.file_stem()),
            _ => format!("{}_{}.{extension}", identity.namespace, identity.file_stem()),
        };
        let place = |identity, stage, extension: &str| self.layout.place(stage, &name(identity, extension));
        let files = self.files.iter();
        let mut files: Files<'_> = files
            .map(|(identity, stage, extension, text)| {
                (place(identity, *stage, extension), Cow::Borrowed(text.as_str()))
            })
            .collect();
        let lists = self.layout.kustomizations(files.keys().map(String::as_str));
        files.extend(lists.into_iter().map(|(name, text)| (name, Cow::Owned(text))));
        files
    }

    /// Writes the files, and removes those of an earlier run that are no longer among them.
    pub(crate) fn write(&self, folder: &Path) -> Result<(), Failure> {
        let files = self.by_name();
        create(folder)?;
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
        folders(files.keys().chain(&owned)).try_for_each(|below| check_no_link(&folder.join(below)))?;
        folders(files.keys()).try_for_each(|below| create(&folder.join(below)))?;
        let beside = |(name, text): (&String, &Cow<'_, str>)| Beside::of(&folder.join(name), text);
        let complete: Vec<Beside> = files.iter().map(beside).collect::<Result<_, _>>()?;
        // Whatever happens from here on, every file that is or will be ours is in the index.
        let names: BTreeSet<&str> = owned.iter().map(String::as_str).chain(files.keys().map(String::as_str)).collect();
        write_index(folder, names.iter().copied())?;
        complete.into_iter().try_for_each(Beside::take_place)?;
        let stale = self.stale(&owned, &files);
        stale.iter().try_for_each(|name| remove(&folder.join(name)))?;
        write_index(folder, names.difference(&stale).copied())?;
        // Not those in which something else stands.
        folders(stale.iter().copied()).for_each(|below| drop(fs::remove_dir(folder.join(below))));
        Ok(())
    }

    /// The files of an earlier run that this one would not have written.
    fn stale<'n>(&self, owned: &'n BTreeSet<String>, files: &Files<'_>) -> BTreeSet<&'n str> {
        let missing = |name: &&str| !self.partial && !files.contains_key(*name);
        owned.iter().map(String::as_str).filter(missing).collect()
    }

    /// How what is in the folder differs from what would be written, as unified diffs.
    pub(crate) fn compare(&self, folder: &Path) -> Result<Vec<String>, Failure> {
        let files = self.by_name();
        let owned = if folder.is_dir() { read_index(folder)? } else { BTreeSet::new() };
        let stale = self.stale(&owned, &files).into_iter().map(|name| (name, ""));
        let mut differences = Vec::new();
        for (name, wanted) in files.iter().map(|(name, text)| (name.as_str(), &**text)).chain(stale) {
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
        Ok(text) => Ok(text.lines().filter(|name| is_ours(name)).map(str::to_owned).collect()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(BTreeSet::new()),
        Err(error) => Err(Failure::io("read", path, error)),
    }
}

/// Nothing that leads out of the folder, or further in than to a stage.
fn is_ours(name: &str) -> bool {
    let name = match name.split_once('/') {
        Some((folder, name)) if Stage::ALL.iter().any(|stage| stage.folder() == folder) => name,
        _ => name,
    };
    !name.is_empty() && !name.contains(['/', '\\']) && !name.starts_with('.')
}

/// The folders of stages in which files stand.
fn folders(names: impl Iterator<Item = impl AsRef<str>>) -> impl Iterator<Item = &'static str> {
    let names: Vec<_> = names.collect();
    let is_in = move |stage: &Stage| {
        names.iter().any(|name| name.as_ref().split_once('/').is_some_and(|(folder, _)| folder == stage.folder()))
    };
    Stage::ALL.into_iter().filter(is_in).map(Stage::folder)
}

/// A link may lead out of the folder.
fn check_no_link(path: &Path) -> Result<(), Failure> {
    if path.is_symlink() {
        let message = format!("{} is a link, and files are written into folders; remove it", path.display());
        return Err(Failure::Foreign(message));
    }
    Ok(())
}

fn create(folder: &Path) -> Result<(), Failure> {
    fs::create_dir_all(folder).map_err(|error| Failure::io("create", folder, error))
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
