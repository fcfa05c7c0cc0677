//! Whom the agent trusts, and until when the certificates are valid that servers show.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use der::asn1::{AnyRef, GeneralizedTime, UtcTime};
use der::{Decode, Reader, SliceReader, Tag, Tagged};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{VerifierBuilderError, WebPkiServerVerifier};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme};

/// Whom to trust, and what to show.
#[derive(Debug)]
pub struct Trust {
    config: ClientConfig,
    /// When the certificate ends that is shown, in seconds since 1970.
    own_end: Option<i64>,
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
        let own_end = own.first().and_then(|own| end(own));
        Ok(Self { config: builder.with_client_auth_cert(own, key)?, own_end, witness })
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

    /// Whether the server of this name last showed a certificate that ends before the one that is shown to it: both come from one
    /// Secret, and it may have got the new one since.
    #[must_use]
    pub fn is_ahead_of(&self, name: &str) -> bool {
        self.ends(name).zip(self.own_end).is_some_and(|(shown, own)| shown < own)
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
        if let Some(end) = end(shown) {
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

/// When a certificate ends, in seconds since 1970: the second time of `tbsCertificate.validity`.
///
/// <https://www.rfc-editor.org/rfc/rfc5280#section-4.1>
fn end(certificate: &[u8]) -> Option<i64> {
    let certificate = AnyRef::from_der(certificate).ok()?;
    let signed = parts(certificate).next()?;
    // Serial number, algorithm, issuer, validity; before them, the version may be left out.
    let is_version = |part: &AnyRef<'_>| part.tag().is_context_specific();
    let validity = parts(signed).skip_while(is_version).nth(3)?;
    let end = parts(validity).nth(1)?;
    let since = match end.tag() {
        Tag::UtcTime => end.decode_as::<UtcTime>().ok()?.to_unix_duration(),
        _ => end.decode_as::<GeneralizedTime>().ok()?.to_unix_duration(),
    };
    i64::try_from(since.as_secs()).ok()
}

fn parts(whole: AnyRef<'_>) -> impl Iterator<Item = AnyRef<'_>> {
    let mut reader = SliceReader::new(whole.value()).ok();
    std::iter::from_fn(move || reader.as_mut()?.decode().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pair(year: i32) -> (CertificateDer<'static>, PrivateKeyDer<'static>) {
        let mut parameters = rcgen::CertificateParams::new(["a".to_owned()]).unwrap();
        parameters.not_after = rcgen::date_time_ymd(year, 2, 3);
        let key = rcgen::KeyPair::generate().unwrap();
        let certificate = parameters.self_signed(&key).unwrap().der().clone();
        (certificate, PrivateKeyDer::try_from(key.serialize_der()).unwrap())
    }

    fn certificate(year: i32) -> Vec<u8> {
        pair(year).0.to_vec()
    }

    #[test]
    fn a_server_is_behind_while_its_certificate_ends_before_ours() {
        let (own, key) = pair(2031);
        let mut authorities = RootCertStore::empty();
        authorities.add(own.clone()).unwrap();
        let trust = Trust::new(authorities, vec![own], key).unwrap();
        assert!(!trust.is_ahead_of("a"));
        for (year, is_behind) in [(2030, true), (2031, false), (2051, false)] {
            let end = end(&certificate(year)).unwrap();
            trust.witness.ends.lock().unwrap().insert("a".to_owned(), end);
            assert_eq!(trust.is_ahead_of("a"), is_behind, "{year}");
        }
    }

    /// Up to 2049 a year is written with two digits.
    #[test]
    fn a_certificate_says_when_it_ends() {
        assert_eq!(end(&certificate(2031)), Some(1_927_843_200));
        assert_eq!(end(&certificate(2051)), Some(2_558_995_200));
    }

    #[test]
    fn what_is_no_certificate_ends_never() {
        let whole = certificate(2031);
        for length in 0..whole.len() {
            let _ = end(&whole[..length]);
        }
        assert_eq!(end(b"nonsense"), None);
    }
}
