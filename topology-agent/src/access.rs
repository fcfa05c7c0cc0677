//! How servers let the agent in: the password and the certificates, read anew at every look, for they are renewed.

use std::fs;
use std::io;
use std::mem;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use k8s_openapi::api::core::v1::Secret;
use kube::{Api, Client};
use rustls::RootCertStore;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use spec::{Auth, Cluster, PasswordSecret, Tls};

use crate::kubernetes::{ApiError, bounded};
use crate::trust::Trust;

/// Where the rendered Deployment mounts them.
const AUTH_FOLDER: &str = "/etc/valkey-auth";
const TLS_FOLDER: &str = "/etc/valkey-tls";

/// How servers let the agent in.
#[derive(Debug, Clone, Default)]
pub struct Access {
    /// The password.
    pub password: Option<String>,
    /// The one before: servers learn of a change by themselves, and each in its own time.
    pub former_password: Option<String>,
    /// Whom to trust, and what to show.
    pub tls: Option<Arc<Trust>>,
}

/// What is wrong with the password or the certificates.
#[derive(Debug, thiserror::Error)]
pub enum AccessError {
    /// A file that cannot be read.
    #[error("cannot read {path}: {error}; the Secret must exist, and hold this key")]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// A Secret that cannot be read.
    #[error("cannot read the Secret {name}: {error}")]
    Secret {
        /// The Secret.
        name: String,
        /// Why.
        error: ApiError,
    },
    /// Something without what should be in it.
    #[error("{place} is of no use: {what}")]
    Content {
        /// The file, or the Secret and the key.
        place: String,
        /// What is wrong.
        what: String,
    },
}

impl AccessError {
    /// Whether it may mend by itself: a Secret may come late, or be half renewed.
    #[must_use]
    pub const fn is_passing(&self) -> bool {
        match self {
            Self::File { .. } | Self::Content { .. } => true,
            Self::Secret { error, .. } => error.is_passing(),
        }
    }
}

/// A cluster's Secrets, and what was made of them last.
#[derive(Debug)]
pub struct Secrets {
    source: Source,
    password: Option<String>,
    former_password: Option<String>,
    last: Option<(Vec<Vec<u8>>, Arc<Trust>)>,
}

#[derive(Debug)]
enum Source {
    /// Where the keys of the Secrets are mounted as files.
    Folders {
        auth: PathBuf,
        tls: PathBuf,
    },
    Api(Box<Api<Secret>>),
}

/// One key of one Secret.
struct Item {
    place: String,
    bytes: Vec<u8>,
}

impl Item {
    fn is_of_no_use(&self, what: &str) -> AccessError {
        AccessError::Content { place: self.place.clone(), what: what.to_owned() }
    }
}

impl Default for Secrets {
    fn default() -> Self {
        Self::of(Source::Folders { auth: AUTH_FOLDER.into(), tls: TLS_FOLDER.into() })
    }
}

impl Secrets {
    /// Files in folders other than those of the rendered Deployment.
    #[must_use]
    pub fn at(folder: &Path) -> Self {
        Self::of(Source::Folders { auth: folder.join("auth"), tls: folder.join("tls") })
    }

    /// As the API server has them, for somebody who may read them there: the agent's own role may not.
    #[must_use]
    pub fn stored(client: &Client) -> Self {
        Self::of(Source::Api(Box::new(Api::default_namespaced(client.clone()))))
    }

    const fn of(source: Source) -> Self {
        Self { source, password: None, former_password: None, last: None }
    }

    /// What a cluster's servers ask for.
    ///
    /// # Errors
    /// A Secret is missing, or does not hold what it should.
    pub async fn read(&mut self, cluster: &Cluster) -> Result<Access, AccessError> {
        let password = match &cluster.auth {
            Auth::Disabled => None,
            Auth::Password(secret) => Some(self.source.password(secret).await?),
        };
        let tls = match &cluster.tls {
            Tls::Disabled => None,
            Tls::Provided { .. } | Tls::Issued { .. } => Some(self.trust(&cluster.tls_secret_name()).await?),
        };
        self.note(password.as_deref());
        Ok(Access { password, former_password: self.former_password.clone(), tls })
    }

    fn note(&mut self, password: Option<&str>) {
        if self.password.as_deref() != password {
            self.former_password = mem::replace(&mut self.password, password.map(str::to_owned));
        }
    }

    /// Made anew only when something has changed: servers are connected to by it as long as it stays.
    async fn trust(&mut self, secret: &str) -> Result<Arc<Trust>, AccessError> {
        let items = self.source.certificates(secret).await?;
        let bytes = items.iter().map(|item| item.bytes.clone()).collect();
        if let Some((last, trust)) = &self.last
            && *last == bytes
        {
            return Ok(Arc::clone(trust));
        }
        let trust = Arc::new(trust(&items)?);
        self.last = Some((bytes, Arc::clone(&trust)));
        Ok(trust)
    }
}

impl Source {
    /// As start.sh reads it: line breaks at its end do not count.
    async fn password(&self, secret: &PasswordSecret) -> Result<String, AccessError> {
        let item = match self {
            Self::Folders { auth, .. } => file(&auth.join("password"))?,
            Self::Api(api) => key(&fetch(api, secret.name.as_ref()).await?, secret.key.as_ref())?,
        };
        let text = str::from_utf8(&item.bytes).map_err(|_| item.is_of_no_use("it is no text"))?;
        Ok(text.trim_end_matches('\n').to_owned())
    }

    async fn certificates(&self, secret: &str) -> Result<[Item; 3], AccessError> {
        let [authority, chain, own] = ["ca.crt", "tls.crt", "tls.key"];
        match self {
            Self::Folders { tls, .. } => {
                Ok([file(&tls.join(authority))?, file(&tls.join(chain))?, file(&tls.join(own))?])
            }
            Self::Api(api) => {
                let secret = fetch(api, secret).await?;
                Ok([key(&secret, authority)?, key(&secret, chain)?, key(&secret, own)?])
            }
        }
    }
}

fn file(path: &Path) -> Result<Item, AccessError> {
    let bytes = fs::read(path).map_err(|error| AccessError::File { path: path.to_owned(), error })?;
    Ok(Item { place: path.display().to_string(), bytes })
}

async fn fetch(api: &Api<Secret>, name: &str) -> Result<Secret, AccessError> {
    bounded(api.get(name)).await.map_err(|error| AccessError::Secret { name: name.to_owned(), error })
}

fn key(secret: &Secret, key: &str) -> Result<Item, AccessError> {
    let name = secret.metadata.name.as_deref().unwrap_or_default();
    let bytes = secret.data.as_ref().and_then(|data| data.get(key)).map(|bytes| bytes.0.clone());
    let item = Item { place: format!("the key {key} of the Secret {name}"), bytes: bytes.unwrap_or_default() };
    if item.bytes.is_empty() { Err(item.is_of_no_use("there is nothing in it")) } else { Ok(item) }
}

fn trust([authority, chain, key]: &[Item; 3]) -> Result<Trust, AccessError> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates(authority)? {
        roots.add(certificate).map_err(|error| authority.is_of_no_use(&error.to_string()))?;
    }
    let own = certificates(chain)?;
    let secret = PrivateKeyDer::from_pem_slice(&key.bytes).map_err(|error| key.is_of_no_use(&error.to_string()))?;
    Trust::new(roots, own, secret).map_err(|error| chain.is_of_no_use(&error.to_string()))
}

fn certificates(item: &Item) -> Result<Vec<CertificateDer<'static>>, AccessError> {
    let found = CertificateDer::pem_slice_iter(&item.bytes).collect::<Result<Vec<_>, _>>();
    let found = found.map_err(|error| item.is_of_no_use(&error.to_string()))?;
    if found.is_empty() { Err(item.is_of_no_use("it holds no certificate")) } else { Ok(found) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cluster(tls: &str, auth: &str) -> Cluster {
        let spec = format!(
            "{{apiVersion: valkey-gitops.dev/v1alpha1, kind: ValkeyCluster, metadata: {{name: a, namespace: b}}, \
             spec: {{version: '9.1', tls: {tls}, auth: {auth}}}}}"
        );
        spec::read(&spec, None).unwrap().remove(0).cluster
    }

    #[tokio::test]
    async fn a_password_is_read_as_servers_read_it() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("auth")).unwrap();
        fs::write(folder.path().join("auth/password"), " secret \n").unwrap();
        let cluster = cluster("{disabled: true}", "{passwordSecret: {name: c}}");
        let access = Secrets::at(folder.path()).read(&cluster).await;
        assert_eq!(access.unwrap().password.as_deref(), Some(" secret "));
    }

    #[tokio::test]
    async fn the_password_before_is_remembered() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("auth")).unwrap();
        let cluster = cluster("{disabled: true}", "{passwordSecret: {name: c}}");
        let mut secrets = Secrets::at(folder.path());
        for (password, former) in [("one", None), ("one", None), ("two", Some("one")), ("two", Some("one"))] {
            fs::write(folder.path().join("auth/password"), password).unwrap();
            let access = secrets.read(&cluster).await.unwrap();
            assert_eq!((access.password.as_deref(), access.former_password.as_deref()), (Some(password), former));
        }
    }

    #[tokio::test]
    async fn nothing_is_read_that_the_spec_does_not_ask_for() {
        let folder = tempfile::tempdir().unwrap();
        let access = Secrets::at(folder.path()).read(&cluster("{disabled: true}", "{disabled: true}")).await.unwrap();
        assert!(access.password.is_none() && access.tls.is_none());
    }

    #[tokio::test]
    async fn what_is_missing_or_of_no_use_is_named_with_its_path() {
        let folder = tempfile::tempdir().unwrap();
        let cluster = cluster("{secretName: c}", "{disabled: true}");
        let said = async || Secrets::at(folder.path()).read(&cluster).await.unwrap_err().to_string();
        assert!(said().await.contains("tls/ca.crt"));
        fs::create_dir(folder.path().join("tls")).unwrap();
        for name in ["ca.crt", "tls.crt", "tls.key"] {
            fs::write(folder.path().join("tls").join(name), "").unwrap();
        }
        assert!(said().await.ends_with("ca.crt is of no use: it holds no certificate"));
    }
}
