//! How a repository arrives in the plugin server: packed by the repo-server, unpacked into a folder of its own for every call.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Component, Path, PathBuf};

use tempfile::TempDir;

/// What is sent: files, folders and links below a root, and which folder of them the Application's is.
#[derive(Debug, Clone)]
pub(crate) struct Upload {
    pub(crate) root: PathBuf,
    /// From the root.
    pub(crate) app: PathBuf,
    /// Whether Git's own folder is left out, as an installation may ask for.
    pub(crate) without_git: bool,
}

/// A private copy, gone after the call.
pub(crate) struct Unpacked {
    _folder: TempDir,
    pub(crate) app: PathBuf,
}

impl Upload {
    pub(crate) fn new(root: &Path, app: &str) -> Self {
        Self { root: root.to_owned(), app: PathBuf::from(app), without_git: false }
    }

    /// The same with less of the repository: what the annotation `manifest-generate-paths` names has in common.
    pub(crate) fn of_common_root(&self, below: &str) -> Self {
        Self { root: self.root.join(below), app: self.app.strip_prefix(below).unwrap().to_owned(), ..self.clone() }
    }

    pub(crate) fn unpack(&self, work: &Path) -> Result<Unpacked, String> {
        let server = work.join("_cmp_server");
        fs::create_dir_all(&server).unwrap();
        let folder = tempfile::tempdir_in(server).unwrap();
        let mut sent = 0;
        self.copy(Path::new(""), folder.path(), &mut sent)?;
        let app = folder.path().join(&self.app);
        match sent {
            0 => Err("no files to send".to_owned()),
            _ if !app.is_dir() => Err(format!("{}: app path does not exist", self.app.display())),
            _ => Ok(Unpacked { app, _folder: folder }),
        }
    }

    fn copy(&self, below: &Path, target: &Path, sent: &mut usize) -> Result<(), String> {
        for entry in fs::read_dir(self.root.join(below)).unwrap().map(Result::unwrap) {
            let path = below.join(entry.file_name());
            let (from, to) = (self.root.join(&path), target.join(&path));
            let kind = entry.file_type().unwrap();
            if self.without_git && entry.file_name() == ".git" {
                continue;
            }
            if kind.is_dir() {
                fs::create_dir(&to).unwrap();
                self.copy(&path, target, sent)?;
            } else if kind.is_symlink() {
                symlink(inside(&self.root, &path)?, &to).unwrap();
            } else if kind.is_file() {
                fs::copy(&from, &to).unwrap();
                fs::set_permissions(&to, Permissions::from_mode(0o644)).unwrap();
            }
            *sent += 1;
        }
        Ok(())
    }
}

/// Where a link leads, unless it leads out of what is sent.
fn inside(root: &Path, link: &Path) -> Result<PathBuf, String> {
    let target = fs::read_link(root.join(link)).unwrap();
    let mut depth = link.components().count() - 1;
    for step in target.components() {
        match step {
            Component::ParentDir if depth > 0 => depth -= 1,
            Component::Normal(_) => depth += 1,
            Component::CurDir => {}
            _ => return Err(format!("illegal filepath in symlink: {}", link.display())),
        }
    }
    Ok(target)
}
