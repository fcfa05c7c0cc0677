//! Volumes: folders that outlive containers. What comes from a ConfigMap or a Secret is kept up to date.
//!
//! <https://kubernetes.io/docs/concepts/storage/volumes/>

use std::collections::BTreeMap;
use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use super::environment::{Missing, field_of};
use super::places;
use super::shape::{Downward, Item, PodSpec, Projection, Source, Volume};
use crate::cluster::Cluster;
use crate::json::{entries, namespace, uid};
use crate::store::Key;

/// Why a volume cannot be mounted. All of it may pass.
#[derive(Debug, thiserror::Error)]
pub(super) enum Error {
    #[error(transparent)]
    Missing(#[from] Missing),
    #[error(transparent)]
    Io(#[from] io::Error),
    #[error("the volume {0:?} is of a kind that is not supported")]
    Unsupported(String),
}

/// Files, with their modes.
type Files = BTreeMap<String, (Vec<u8>, u32)>;

const READABLE: u32 = 0o644;
const DATA: &str = "..data";

pub(super) struct Volumes<'a> {
    pub(super) cluster: &'a Cluster,
    pub(super) pod: &'a Value,
    pub(super) spec: &'a PodSpec,
}

impl Volumes<'_> {
    /// Makes all volumes, or brings those up to date that are there.
    pub(super) fn refresh(&self) -> Result<(), Error> {
        self.spec.volumes.iter().try_for_each(|volume| self.refresh_one(volume))?;
        let token = self.token_volume();
        token.iter().try_for_each(|(name, files)| self.write(name, files))
    }

    fn refresh_one(&self, volume: &Volume) -> Result<(), Error> {
        if let Some(source) = &volume.config_map {
            let files = self.files_of("configmaps", source, source.default_mode)?;
            return self.write(&volume.name, &files);
        }
        if let Some(source) = &volume.secret {
            let files = self.files_of("secrets", source, source.default_mode)?;
            return self.write(&volume.name, &files);
        }
        if let Some(projected) = &volume.projected {
            let mut files = Files::new();
            for source in &projected.sources {
                files.extend(self.projection(source, projected.default_mode)?);
            }
            return self.write(&volume.name, &files);
        }
        if volume.empty_dir.is_some() {
            let folder = self.cluster.places.volume(uid(self.pod), &volume.name);
            fs::create_dir_all(&folder)?;
            return Ok(fs::set_permissions(folder, Permissions::from_mode(0o777))?);
        }
        self.claim(volume).map(drop)
    }

    /// The folder of a volume.
    pub(super) fn folder(&self, name: &str) -> Result<PathBuf, Error> {
        let volume = self.spec.volumes.iter().find(|volume| volume.name == name);
        match volume {
            Some(volume) if volume.persistent_volume_claim.is_some() => self.claim(volume),
            Some(_) => Ok(self.cluster.places.volume(uid(self.pod), name)),
            None => Err(Error::Unsupported(name.to_owned())),
        }
    }

    fn claim(&self, volume: &Volume) -> Result<PathBuf, Error> {
        let Some(claim) = &volume.persistent_volume_claim else {
            return Err(Error::Unsupported(volume.name.clone()));
        };
        let key = Key::new("persistentvolumeclaims", namespace(self.pod), &claim.claim_name);
        let folder = self.cluster.store.get(&key).map(|claim| self.cluster.places.claim(uid(&claim)));
        folder.filter(|folder| folder.exists()).ok_or_else(|| Missing::Object(key).into())
    }

    fn files_of(&self, resource: &str, source: &Source, mode: Option<u32>) -> Result<Files, Error> {
        let key = Key::new(resource, namespace(self.pod), &source.name);
        let Some(object) = self.cluster.store.get(&key) else {
            return if source.optional { Ok(Files::new()) } else { Err(Missing::Object(key).into()) };
        };
        let mode = mode.unwrap_or(READABLE);
        let content = contents(resource, &object);
        if source.items.is_empty() {
            return Ok(content.into_iter().map(|(name, bytes)| (name, (bytes, mode))).collect());
        }
        let picked = source.items.iter().filter_map(|item: &Item| match content.get(&item.key) {
            Some(bytes) => Some(Ok((item.path.clone(), (bytes.clone(), item.mode.unwrap_or(mode))))),
            None if source.optional => None,
            None => Some(Err(Missing::Key { key: item.key.clone(), object: key.clone() }.into())),
        });
        picked.collect()
    }

    fn projection(&self, source: &Projection, mode: Option<u32>) -> Result<Files, Error> {
        let mut files = Files::new();
        if let Some(source) = &source.config_map {
            files.extend(self.files_of("configmaps", source, mode)?);
        }
        if let Some(source) = &source.secret {
            files.extend(self.files_of("secrets", source, mode)?);
        }
        if let Some(token) = &source.service_account_token {
            files.insert(token.path.clone(), (self.token().into_bytes(), mode.unwrap_or(READABLE)));
        }
        if let Some(Downward { items }) = &source.downward_api {
            for item in items {
                let value = field_of(self.pod, crate::json::text(&item.field_ref, "/fieldPath"))?;
                files.insert(item.path.clone(), (value.into_bytes(), mode.unwrap_or(READABLE)));
            }
        }
        Ok(files)
    }

    fn token(&self) -> String {
        self.cluster.token_of(namespace(self.pod), &self.spec.service_account_name)
    }

    /// What every pod finds that may speak to the API server.
    /// <https://kubernetes.io/docs/tasks/run-application/access-api-from-pod/>
    fn token_volume(&self) -> Option<(&'static str, Files)> {
        let of_account = || {
            let key = Key::new("serviceaccounts", namespace(self.pod), &self.spec.service_account_name);
            crate::json::flag(&*self.cluster.store.get(&key)?, "/automountServiceAccountToken")
        };
        let is_wanted = self.spec.automount_service_account_token.or_else(of_account).unwrap_or(true);
        let files = || {
            let texts = [
                ("token", self.token()),
                ("namespace", namespace(self.pod).to_owned()),
                ("ca.crt", self.cluster.authority.certificate()),
            ];
            texts.into_iter().map(|(name, text)| (name.to_owned(), (text.into_bytes(), READABLE))).collect()
        };
        is_wanted.then(|| (TOKEN_VOLUME, files()))
    }

    pub(super) fn token_folder(&self) -> Option<PathBuf> {
        self.token_volume().map(|(name, _)| self.cluster.places.volume(uid(self.pod), name))
    }

    /// Writes files as the kubelet does: into a new folder, which a link then points to, so that readers see all or nothing new.
    /// <https://kubernetes.io/docs/concepts/configuration/configmap/#mounted-configmaps-are-updated-automatically>
    fn write(&self, name: &str, files: &Files) -> Result<(), Error> {
        let folder = self.cluster.places.volume(uid(self.pod), name);
        fs::create_dir_all(&folder)?;
        if is_current(&folder.join(DATA), files) {
            return Ok(());
        }
        let before = fs::read_link(folder.join(DATA)).ok();
        let fresh = if before.as_deref() == Some(Path::new("..one")) { "..two" } else { "..one" };
        for (path, (bytes, mode)) in files {
            let file = folder.join(fresh).join(path);
            file.parent().map_or(Ok(()), fs::create_dir_all)?;
            fs::write(&file, bytes)?;
            fs::set_permissions(&file, Permissions::from_mode(*mode))?;
        }
        fs::create_dir_all(folder.join(fresh))?;
        symlink(fresh, folder.join("..data_tmp"))?;
        fs::rename(folder.join("..data_tmp"), folder.join(DATA))?;
        link_all(&folder, files)?;
        before.map_or(Ok(()), |before| fs::remove_dir_all(folder.join(before)))?;
        Ok(())
    }
}

pub(super) const TOKEN_VOLUME: &str = "kube-api-access";

fn is_current(data: &Path, files: &Files) -> bool {
    let count = fs::read_dir(data).map_or(usize::MAX, Iterator::count);
    let tops = files.keys().filter_map(|path| path.split('/').next()).collect::<std::collections::BTreeSet<_>>().len();
    count == tops && files.iter().all(|(path, (bytes, _))| fs::read(data.join(path)).is_ok_and(|found| found == *bytes))
}

/// The names that containers see point through the link that is swapped.
fn link_all(folder: &Path, files: &Files) -> io::Result<()> {
    for top in files.keys().filter_map(|path| path.split('/').next()) {
        if !folder.join(top).is_symlink() {
            symlink(Path::new(DATA).join(top), folder.join(top))?;
        }
    }
    for entry in fs::read_dir(folder)?.flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        if !name.starts_with("..") && !folder.join(DATA).join(&name).exists() {
            fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

fn contents(resource: &str, object: &Value) -> BTreeMap<String, Vec<u8>> {
    let decode = |value: &str| STANDARD.decode(value).unwrap_or_default();
    let plain = entries(object, "/data").map(|(key, value)| {
        let bytes = if resource == "secrets" { decode(value) } else { value.as_bytes().to_vec() };
        (key.to_owned(), bytes)
    });
    plain.chain(entries(object, "/binaryData").map(|(key, value)| (key.to_owned(), decode(value)))).collect()
}

/// Loses what a claim holds.
pub(super) fn lose(cluster: &Cluster, claim: &Key) -> io::Result<()> {
    cluster.store.get(claim).map_or(Ok(()), |claim| places::empty(&cluster.places.claim(uid(&claim))))
}
