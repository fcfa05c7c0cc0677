//! Where the pocket keeps its files. All of it is in memory and gone with the process.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use rustix::mount::{MountFlags, MountPropagationFlags, UnmountFlags, mount, mount_change, mount_remount, unmount};

use super::clock;
use crate::quantity;

/// Whom programs find that ask who they are.
const PASSWD: &str =
    "root:x:0:0:root:/:/bin/sh\nvalkey:x:999:999:valkey:/data:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/sh\n";

pub(crate) struct Places {
    root: PathBuf,
}

impl Places {
    pub(crate) fn new(root: PathBuf) -> Self {
        Self { root }
    }

    /// A memory file system of its own, which ends with the mount namespace.
    pub(crate) fn prepare(&self) -> io::Result<()> {
        mount_change("/", MountPropagationFlags::PRIVATE | MountPropagationFlags::REC)?;
        mount("tmpfs", "/run", "tmpfs", MountFlags::empty(), None)?;
        ["names", "claims", "pods", "etc"].iter().try_for_each(|folder| fs::create_dir_all(self.root.join(folder)))?;
        fs::write(self.root.join("etc/passwd"), PASSWD)?;
        // Names are in the hosts file, and nowhere else.
        fs::write(self.root.join("etc/nsswitch.conf"), "hosts: files\n")?;
        // A name may have several addresses there.
        fs::write(self.root.join("etc/host.conf"), "multi on\n")
    }

    pub(super) fn pod(&self, uid: &str) -> PathBuf {
        self.root.join("pods").join(uid)
    }

    pub(super) fn volume(&self, uid: &str, name: &str) -> PathBuf {
        self.pod(uid).join("volumes").join(name)
    }

    pub(crate) fn log(&self, uid: &str, container: &str, restart: i64) -> PathBuf {
        self.pod(uid).join("logs").join(container).join(format!("{restart}.log"))
    }

    /// Builds what all clocks are made of.
    pub(crate) fn prepare_clocks(&self) -> io::Result<()> {
        clock::build(&clock::library(&self.root))
    }

    /// The folder with a pod's clock, which goes like the machine's until it is set.
    pub(super) fn clock(&self, uid: &str) -> io::Result<PathBuf> {
        let folder = self.pod(uid).join("clock");
        if !folder.exists() {
            fs::create_dir_all(&folder)?;
            fs::hard_link(clock::library(&self.root), clock::library(&folder))?;
        }
        Ok(folder)
    }

    /// Sets the clock of a pod so many seconds ahead of the machine's.
    pub(crate) fn set_clock(&self, uid: &str, seconds: i64) -> io::Result<()> {
        let folder = self.clock(uid)?;
        fs::write(folder.join("offset.new"), format!("{seconds:+}\n"))?;
        fs::rename(folder.join("offset.new"), folder.join("offset"))
    }

    pub(super) fn claim(&self, uid: &str) -> PathBuf {
        self.root.join("claims").join(uid)
    }

    pub(super) fn names(&self, namespace: &str) -> PathBuf {
        self.root.join("names").join(namespace)
    }

    /// Gives a claim the size that it asks for. Its folder is a file system of that size, so that a full disk is one.
    pub(crate) fn resize_claim(&self, uid: &str, size: &str) -> io::Result<()> {
        let folder = self.claim(uid);
        let is_new = !folder.exists();
        fs::create_dir_all(&folder)?;
        let bytes = quantity::bytes(size).unwrap_or(0);
        let options = std::ffi::CString::new(format!("size={bytes},mode=0777"))?;
        if is_new {
            return Ok(mount("tmpfs", &folder, "tmpfs", MountFlags::empty(), Some(options.as_c_str()))?);
        }
        Ok(mount_remount(&folder, MountFlags::empty(), options.as_c_str())?)
    }

    /// Removes the volumes of claims that are gone.
    pub(crate) fn forget_claims(&self, kept: &BTreeSet<&str>) {
        let Ok(folders) = fs::read_dir(self.root.join("claims")) else { return };
        for folder in folders.flatten() {
            if !kept.contains(folder.file_name().to_string_lossy().as_ref()) {
                // What is busy still is removed at a later look.
                let _ = unmount(folder.path(), UnmountFlags::DETACH);
                drop(fs::remove_dir(folder.path()));
            }
        }
    }

    /// Writes the hosts file of a namespace, so that readers see the old one or the new one.
    pub(crate) fn write_names(&self, namespace: &str, text: &str) -> io::Result<()> {
        let folder = self.names(namespace);
        let file = folder.join("hosts");
        if fs::read_to_string(&file).is_ok_and(|found| found == text) {
            return Ok(());
        }
        fs::create_dir_all(&folder)?;
        fs::write(folder.join("hosts.new"), text)?;
        fs::rename(folder.join("hosts.new"), file)
    }
}

/// Removes everything in a folder, which stays.
pub(super) fn empty(folder: &Path) -> io::Result<()> {
    for inner in fs::read_dir(folder)? {
        let path = inner?.path();
        if path.is_dir() && !path.is_symlink() { fs::remove_dir_all(path)? } else { fs::remove_file(path)? }
    }
    Ok(())
}
