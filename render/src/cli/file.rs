//! Files that are written whole or not at all.

use std::fs::{self, File};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use super::failure::Failure;

/// Writes to what a path names: a file gets its new content whole, at the end of links too; a device or pipe stays what it is.
pub(crate) fn write(path: &Path, text: &str) -> Result<(), Failure> {
    match fs::metadata(path) {
        Ok(there) if !there.is_file() => write_into(path, text),
        _ => replace(&followed(path), text),
    }
}

/// Gives a file its new content, so that it has the old or the new and never a part.
pub(crate) fn replace(path: &Path, text: &str) -> Result<(), Failure> {
    let beside = Beside::of(path, text)?;
    beside.take_place()
}

/// A device, a pipe or a terminal: what it is told cannot be taken back, and there is nothing to replace.
fn write_into(path: &Path, text: &str) -> Result<(), Failure> {
    let written = File::options().write(true).open(path).and_then(|mut file| file.write_all(text.as_bytes()));
    match written {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(Failure::io("write", path, error)),
        _ => Ok(()),
    }
}

/// The file at the end of a link, there already or not yet.
fn followed(path: &Path) -> PathBuf {
    let named = || fs::read_link(path).map(|target| path.with_file_name(target));
    fs::canonicalize(path).or_else(|_| named()).unwrap_or_else(|_| path.to_owned())
}

/// The new content of a file, complete, under a temporary name beside it. Dropped before it takes its place, it is gone.
#[derive(Debug)]
pub(crate) struct Beside {
    temporary: PathBuf,
    path: PathBuf,
}

impl Beside {
    pub(crate) fn of(path: &Path, text: &str) -> Result<Self, Failure> {
        let beside = Self { temporary: temporary_name(path), path: path.to_owned() };
        beside.fill(text).map_err(|error| Failure::io("write", path, error))?;
        Ok(beside)
    }

    fn fill(&self, text: &str) -> std::io::Result<()> {
        let mut file = File::create(&self.temporary)?;
        if let Ok(there) = fs::metadata(&self.path) {
            file.set_permissions(there.permissions())?;
        }
        file.write_all(text.as_bytes())?;
        file.sync_all()
    }

    pub(crate) fn take_place(self) -> Result<(), Failure> {
        fs::rename(&self.temporary, &self.path).map_err(|error| Failure::io("write", &self.path, error))
    }
}

impl Drop for Beside {
    fn drop(&mut self) {
        // What cannot be removed was not written, or has taken its place.
        let _ = fs::remove_file(&self.temporary);
    }
}

fn temporary_name(path: &Path) -> PathBuf {
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    path.with_file_name(format!(".{name}.{}.tmp", std::process::id()))
}
