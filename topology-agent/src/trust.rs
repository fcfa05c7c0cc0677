//! Whom the agent trusts, and until when the certificates are valid that servers show.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{VerifierBuilderError, WebPkiServerVerifier};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme};
use x509_parser::prelude::{FromDer, X509Certificate};

/// Whom to trust, and what to show.
#[derive(Debug)]
pub struct Trust {
    config: ClientConfig,
    witness: Arc<Witness>,
}

/// Why certificates are of no use.
#[derive(Debug, thiserror::Error)]
pub enum TrustError {
    /// There is no authority to trust.
    #[error(transparent)]
    Authorities(#[from] VerifierBuilderError),
    /// The key does not belong to the certificate.
    #[error(transparent)]
    Own(#[from] Error),
}

impl Trust {
    /// Trusts who was signed by these authorities, and shows this certificate.
    ///
    /// # Errors
    /// The key does not belong to the certificate, or there is no authority.
    pub fn new(
        authorities: RootCertStore,
        own: Vec<CertificateDer<'static>>,
        key: PrivateKeyDer<'static>,
    ) -> Result<Self, TrustError> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let verifier =
            WebPkiServerVerifier::builder_with_provider(Arc::new(authorities), Arc::clone(&provider)).build()?;
        let witness = Arc::new(Witness { verifier, ends: Mutex::default() });
        let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
        // Nothing is made weaker: the usual verifier decides, and the witness writes down what it saw.
        let builder = builder.dangerous().with_custom_certificate_verifier(Arc::<Witness>::clone(&witness));
        Ok(Self { config: builder.with_client_auth_cert(own, key)?, witness })
    }

    /// As the library for TLS wants it.
    #[must_use]
    pub const fn config(&self) -> &ClientConfig {
        &self.config
    }

    /// When the certificate ends that the server of this name showed last, in seconds since 1970; none if it showed none yet.
    #[must_use]
    pub fn ends(&self, name: &str) -> Option<i64> {
        self.witness.ends.lock().unwrap_or_else(PoisonError::into_inner).get(name).copied()
    }
}

/// Notes until when the certificates are valid that it has found to be good.
#[derive(Debug)]
struct Witness {
    verifier: Arc<WebPkiServerVerifier>,
    ends: Mutex<BTreeMap<String, i64>>,
}

impl ServerCertVerifier for Witness {
    fn verify_server_cert(
        &self,
        shown: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let verified = self.verifier.verify_server_cert(shown, intermediates, name, ocsp_response, now)?;
        if let Ok((_, certificate)) = X509Certificate::from_der(shown) {
            let end = certificate.validity().not_after.timestamp();
            self.ends.lock().unwrap_or_else(PoisonError::into_inner).insert(name.to_str().into_owned(), end);
        }
        Ok(verified)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.verifier.verify_tls12_signature(message, certificate, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.verifier.verify_tls13_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.verifier.supported_verify_schemes()
    }
}
