//! Where rendered objects go: standard output, one file, a folder, or a comparison with one.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use render::Document;
use serde::Serialize;

use super::arguments::{Format, LayoutName, RenderArguments};
use super::failure::Failure;
use super::file::Writing;
use super::folder::FileSet;
use super::layout::Layout;

/// Takes documents, and in the end has written them all or none.
pub(crate) struct Sink<'a> {
    target: Target,
    arguments: &'a RenderArguments,
    taken: usize,
}

enum Target {
    /// Written as they come: all specs have been checked before.
    Stdout(io::BufWriter<io::Stdout>),
    File(Writing),
    Folder(PathBuf, FileSet),
    Check(PathBuf, FileSet),
}

impl Target {
    fn stdout() -> Self {
        Self::Stdout(io::BufWriter::with_capacity(1 << 16, io::stdout()))
    }
}

impl<'a> Sink<'a> {
    pub(crate) fn open(arguments: &'a RenderArguments) -> Result<Self, Failure> {
        let layout = layout(arguments);
        let files = || FileSet::new(layout, !arguments.only.is_empty());
        let target = match (&arguments.output, &arguments.check) {
            (_, Some(folder)) => Target::Check(folder.clone(), files()),
            (Some(path), None) if is_folder(path) && !is_stdout(path) => Target::Folder(path.clone(), files()),
            _ if layout.has_kustomizations || layout.is_staged => return Err(Failure::Usage(NO_FOLDER.to_owned())),
            (None, None) => Target::stdout(),
            (Some(path), None) if is_stdout(path) => Target::stdout(),
            (Some(path), None) => Target::File(Writing::open(path)?),
        };
        Ok(Self { target, arguments, taken: 0 })
    }

    /// Takes a document if it was asked for.
    pub(crate) fn take(&mut self, document: &Document) -> Result<(), Failure> {
        if let Target::Folder(_, files) | Target::Check(_, files) = &mut self.target {
            files.see(&document.identity().namespace);
        }
        if !self.arguments.wants(document.identity()) {
            return Ok(());
        }
        self.taken += 1;
        self.keep(document)
    }

    fn keep(&mut self, document: &Document) -> Result<(), Failure> {
        match (&mut self.target, self.arguments.format) {
            (Target::Stdout(out), Format::Yaml) => {
                let written = out.write_all(b"---\n").and_then(|()| out.write_all(document.yaml().as_bytes()));
                unless_nobody_reads(written)
            }
            (Target::Stdout(out), Format::Json) => unless_nobody_reads(out.write_all(document.json()?.as_bytes())),
            (Target::File(file), Format::Yaml) => file.write("---\n").and_then(|()| file.write(document.yaml())),
            (Target::File(file), Format::Json) => file.write(&document.json()?),
            (Target::Folder(_, files) | Target::Check(_, files), Format::Yaml) => {
                files.add(document, "yaml", document.yaml().to_owned());
                Ok(())
            }
            (Target::Folder(_, files) | Target::Check(_, files), Format::Json) => {
                files.add(document, "json", document.json()?);
                Ok(())
            }
        }
    }

    /// Writes what was taken.
    pub(crate) fn close(self) -> Result<ExitCode, Failure> {
        if self.taken == 0 {
            return Err(Failure::Usage(format!("--only {} matches no object", self.arguments.only.join(" --only "))));
        }
        match self.target {
            Target::Stdout(mut out) => unless_nobody_reads(out.flush())?,
            Target::File(file) => file.finish()?,
            Target::Folder(path, files) => files.write(&path)?,
            Target::Check(path, files) => {
                let differences = files.compare(&path)?;
                to_stdout(&differences.concat())?;
                return Ok(if differences.is_empty() { ExitCode::SUCCESS } else { ExitCode::from(1) });
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}

const NO_FOLDER: &str =
    "--layout and --emit-kustomization are about files of a folder: name one by -o FOLDER/ or --check FOLDER";

fn layout(arguments: &RenderArguments) -> Layout {
    Layout { is_staged: arguments.layout == LayoutName::Staged, has_kustomizations: arguments.emit_kustomization }
}

/// Opened by its name, it would be written from its start, over what stands there.
fn is_stdout(path: &Path) -> bool {
    path == Path::new("-") || path == Path::new("/dev/stdout")
}

fn is_folder(path: &Path) -> bool {
    path.is_dir() || path.as_os_str().as_encoded_bytes().ends_with(b"/")
}

/// Indented JSON, with a line break at its end.
pub(crate) fn pretty(value: &impl Serialize) -> Result<String, Failure> {
    Ok(serde_json::to_string_pretty(value)? + "\n")
}

/// Writes to standard output.
pub(crate) fn to_stdout(text: &str) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    unless_nobody_reads(out.write_all(text.as_bytes()).and_then(|()| out.flush()))
}

/// A reader that has seen enough is no failure.
fn unless_nobody_reads(written: io::Result<()>) -> Result<(), Failure> {
    match written {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        other => other.map_err(|error| Failure::io("write", "standard output", error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // Not by running it: a mistake would replace the device for everyone.
    #[test]
    fn standard_output_has_two_names() {
        assert!(is_stdout(Path::new("-")) && is_stdout(Path::new("/dev/stdout")));
        assert!(!is_stdout(Path::new("/dev/null")) && !is_stdout(Path::new("./-")));
    }
}
