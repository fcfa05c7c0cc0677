//! A folder of rendered files: written whole or not at all, stale files removed, files of others left alone.
//!
//! An index beside the files names those that are ours. A file that it does not name is never overwritten or removed.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use render::Identity;
use similar::TextDiff;

use super::failure::Failure;

/// The names of the files that are ours, one a line.
const INDEX: &str = ".valkey-render-index";

/// Files, by name.
#[derive(Debug, Default)]
pub(crate) struct FileSet {
    files: Vec<(Identity, &'static str, String)>,
}

impl FileSet {
    pub(crate) fn add(&mut self, identity: &Identity, extension: &'static str, text: String) {
        self.files.push((identity.clone(), extension, text));
    }

    /// As kustomize names them; with their namespace in front if there are several.
    fn by_name(&self) -> BTreeMap<String, &str> {
        let namespaces: BTreeSet<&str> = self.files.iter().map(|(identity, ..)| identity.namespace.as_str()).collect();
        let name = |identity: &Identity, extension: &str| match namespaces.len() {
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
        let temporary = write_beside(folder, &files)?;
        // Whatever happens from here on, every file that is or will be ours is in the index.
        let names: BTreeSet<&str> = owned.iter().map(String::as_str).chain(files.keys().map(String::as_str)).collect();
        write_index(folder, names.into_iter())?;
        for (name, from) in &temporary {
            fs::rename(from, folder.join(name)).map_err(|error| Failure::io("write", folder.join(name), error))?;
        }
        for stale in owned.iter().filter(|name| !files.contains_key(*name)) {
            remove(&folder.join(stale))?;
        }
        write_index(folder, files.keys().map(String::as_str))
    }

    /// How what is in the folder differs from what would be written, as unified diffs.
    pub(crate) fn compare(&self, folder: &Path) -> Result<Vec<String>, Failure> {
        let files = self.by_name();
        let owned = if folder.is_dir() { read_index(folder)? } else { BTreeSet::new() };
        let stale = owned.iter().filter(|name| !files.contains_key(*name)).map(|name| (name.as_str(), ""));
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
    write_whole(&folder.join(INDEX), &text)
}

/// All files under temporary names, or none.
fn write_beside(folder: &Path, files: &BTreeMap<String, &str>) -> Result<Vec<(String, PathBuf)>, Failure> {
    let mut written: Vec<(String, PathBuf)> = Vec::new();
    for (name, text) in files {
        let path = temporary_name(&folder.join(name));
        let outcome = write_new(&path, text);
        written.push((name.clone(), path));
        if let Err(failure) = outcome {
            for (_, path) in written {
                // What cannot be removed was not written either.
                let _ = fs::remove_file(path);
            }
            return Err(failure);
        }
    }
    Ok(written)
}

/// Writes a file so that it has the old content or the new, and never a part.
pub(crate) fn write_whole(path: &Path, text: &str) -> Result<(), Failure> {
    let temporary = temporary_name(path);
    let outcome = write_new(&temporary, text)
        .and_then(|()| fs::rename(&temporary, path).map_err(|error| Failure::io("write", path, error)));
    if outcome.is_err() {
        // What cannot be removed was not written either.
        let _ = fs::remove_file(&temporary);
    }
    outcome
}

fn temporary_name(path: &Path) -> PathBuf {
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    path.with_file_name(format!(".{name}.{}.tmp", std::process::id()))
}

fn write_new(path: &Path, text: &str) -> Result<(), Failure> {
    let written =
        fs::File::create(path).and_then(|mut file| file.write_all(text.as_bytes()).and_then(|()| file.sync_all()));
    written.map_err(|error| Failure::io("write", path, error))
}

fn remove(path: &Path) -> Result<(), Failure> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(Failure::io("remove", path, error)),
        _ => Ok(()),
    }
}
