//! How servers let the agent in: the password and the certificates, read anew at every look, for they are renewed.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore};
use spec::{Auth, Cluster, Tls};

/// Where the rendered Deployment mounts them.
const AUTH_FOLDER: &str = "/etc/valkey-auth";
const TLS_FOLDER: &str = "/etc/valkey-tls";

/// How servers let the agent in.
#[derive(Debug, Clone, Default)]
pub struct Access {
    /// The password.
    pub password: Option<String>,
    /// Whom to trust, and what to show.
    pub tls: Option<Arc<ClientConfig>>,
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
    /// A file without what should be in it.
    #[error("{path} is of no use: {what}")]
    Content {
        /// The file.
        path: PathBuf,
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
        }
    }
}

/// The files of a cluster's Secrets, and what was made of them last.
#[derive(Debug)]
pub struct Secrets {
    auth: PathBuf,
    tls: PathBuf,
    last: Option<(Vec<Vec<u8>>, Arc<ClientConfig>)>,
}

impl Default for Secrets {
    fn default() -> Self {
        Self { auth: AUTH_FOLDER.into(), tls: TLS_FOLDER.into(), last: None }
    }
}

impl Secrets {
    /// Files in folders other than those of the rendered Deployment.
    #[must_use]
    pub fn at(folder: &Path) -> Self {
        Self { auth: folder.join("auth"), tls: folder.join("tls"), last: None }
    }

    /// What a cluster's servers ask for.
    ///
    /// # Errors
    /// A file is missing, or does not hold what it should.
    pub fn read(&mut self, cluster: &Cluster) -> Result<Access, AccessError> {
        let password = match &cluster.auth {
            Auth::Disabled => None,
            Auth::Password(_) => Some(self.password()?),
        };
        let tls = match &cluster.tls {
            Tls::Disabled => None,
            Tls::Provided { .. } | Tls::Issued { .. } => Some(self.trust()?),
        };
        Ok(Access { password, tls })
    }

    /// As start.sh reads it: line breaks at its end do not count.
    fn password(&self) -> Result<String, AccessError> {
        let path = self.auth.join("password");
        let bytes = read(&path)?;
        let text = String::from_utf8(bytes).map_err(|_| content(&path, "it is no text"))?;
        Ok(text.trim_end_matches('\n').to_owned())
    }

    /// Made anew only when a file has changed: servers are connected to by it as long as it stays.
    fn trust(&mut self) -> Result<Arc<ClientConfig>, AccessError> {
        let files = ["ca.crt", "tls.crt", "tls.key"].map(|name| self.tls.join(name));
        let bytes = files.iter().map(|file| read(file)).collect::<Result<Vec<_>, _>>()?;
        if let Some((last, trust)) = &self.last
            && *last == bytes
        {
            return Ok(Arc::clone(trust));
        }
        let trust = Arc::new(trust(&files)?);
        self.last = Some((bytes, Arc::clone(&trust)));
        Ok(trust)
    }
}

fn trust([authority, chain, key]: &[PathBuf; 3]) -> Result<ClientConfig, AccessError> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates(authority)? {
        roots.add(certificate).map_err(|error| content(authority, &error.to_string()))?;
    }
    let own = certificates(chain)?;
    let secret = PrivateKeyDer::from_pem_file(key).map_err(|error| content(key, &error.to_string()))?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let builder = builder.map_err(|error| content(chain, &error.to_string()))?.with_root_certificates(roots);
    builder.with_client_auth_cert(own, secret).map_err(|error| content(chain, &error.to_string()))
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, AccessError> {
    let found = CertificateDer::pem_file_iter(path).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    let found = found.map_err(|error| content(path, &error.to_string()))?;
    if found.is_empty() { Err(content(path, "it holds no certificate")) } else { Ok(found) }
}

fn read(path: &Path) -> Result<Vec<u8>, AccessError> {
    fs::read(path).map_err(|error| AccessError::File { path: path.to_owned(), error })
}

fn content(path: &Path, what: &str) -> AccessError {
    AccessError::Content { path: path.to_owned(), what: what.to_owned() }
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

    #[test]
    fn a_password_is_read_as_servers_read_it() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("auth")).unwrap();
        fs::write(folder.path().join("auth/password"), " secret \n").unwrap();
        let access = Secrets::at(folder.path()).read(&cluster("{disabled: true}", "{passwordSecret: {name: c}}"));
        assert_eq!(access.unwrap().password.as_deref(), Some(" secret "));
    }

    #[test]
    fn nothing_is_read_that_the_spec_does_not_ask_for() {
        let folder = tempfile::tempdir().unwrap();
        let access = Secrets::at(folder.path()).read(&cluster("{disabled: true}", "{disabled: true}")).unwrap();
        assert!(access.password.is_none() && access.tls.is_none());
    }

    #[test]
    fn what_is_missing_or_of_no_use_is_named_with_its_path() {
        let folder = tempfile::tempdir().unwrap();
        let cluster = cluster("{secretName: c}", "{disabled: true}");
        let said = |secrets: &mut Secrets| secrets.read(&cluster).unwrap_err().to_string();
        assert!(said(&mut Secrets::at(folder.path())).contains("tls/ca.crt"));
        fs::create_dir(folder.path().join("tls")).unwrap();
        for name in ["ca.crt", "tls.crt", "tls.key"] {
            fs::write(folder.path().join("tls").join(name), "").unwrap();
        }
        assert!(said(&mut Secrets::at(folder.path())).ends_with("ca.crt is of no use: it holds no certificate"));
    }
}
