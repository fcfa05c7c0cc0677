//! Files that are written whole or not at all.

use std::fs::{self, File};
use std::io::{self, BufWriter, ErrorKind, Write};
use std::path::{Path, PathBuf};

use super::failure::Failure;

/// A file that is being written: it gets its new content whole, at the end of links too; a device or pipe stays what it is.
#[derive(Debug)]
pub(crate) struct Writing {
    out: BufWriter<File>,
    /// None for a device, a pipe or a terminal: what it is told cannot be taken back, and there is nothing to replace.
    beside: Option<Beside>,
    path: PathBuf,
}

impl Writing {
    pub(crate) fn open(path: &Path) -> Result<Self, Failure> {
        let failed = |error| Failure::io("write", path, error);
        let (file, beside) = match fs::metadata(path) {
            Ok(there) if !there.is_file() => (File::options().write(true).open(path).map_err(failed)?, None),
            _ => {
                let (file, beside) = Beside::create(&followed(path)).map_err(failed)?;
                (file, Some(beside))
            }
        };
        Ok(Self { out: BufWriter::with_capacity(1 << 16, file), beside, path: path.to_owned() })
    }

    pub(crate) fn write(&mut self, text: &str) -> Result<(), Failure> {
        let written = self.out.write_all(text.as_bytes());
        self.unless_nobody_reads(written)
    }

    /// Only now the file has its new content.
    pub(crate) fn finish(mut self) -> Result<(), Failure> {
        let flushed = self.out.flush();
        self.unless_nobody_reads(flushed)?;
        match self.beside {
            Some(beside) => {
                self.out.get_ref().sync_all().map_err(|error| Failure::io("write", &self.path, error))?;
                beside.take_place()
            }
            None => Ok(()),
        }
    }

    fn unless_nobody_reads(&self, written: io::Result<()>) -> Result<(), Failure> {
        match written {
            Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(Failure::io("write", &self.path, error)),
            _ => Ok(()),
        }
    }
}

/// Gives a file its new content, so that it has the old or the new and never a part.
pub(crate) fn replace(path: &Path, text: &str) -> Result<(), Failure> {
    let beside = Beside::of(path, text)?;
    beside.take_place()
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
        let fill = |(mut file, beside): (File, Self)| {
            file.write_all(text.as_bytes())?;
            file.sync_all().map(|()| beside)
        };
        Self::create(path).and_then(fill).map_err(|error| Failure::io("write", path, error))
    }

    fn create(path: &Path) -> io::Result<(File, Self)> {
        let beside = Self { temporary: temporary_name(path), path: path.to_owned() };
        let file = File::create(&beside.temporary)?;
        if let Ok(there) = fs::metadata(path) {
            file.set_permissions(there.permissions())?;
        }
        Ok((file, beside))
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
