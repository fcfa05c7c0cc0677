//! Encryption of every connection: clients, replication, cluster bus.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::checks::Checks;
use crate::text::{ApiGroup, Duration, ObjectKind, ObjectName};

/// Encryption of every connection: exactly one of `issuerRef`, `secretName` and `disabled: true`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct TlsSpec {
    /// The cert-manager issuer that signs the cluster's certificate. It has to publish its CA (`ca.crt`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub issuer_ref: Option<IssuerRef>,
    /// A Secret of your own with `tls.crt`, `tls.key` and `ca.crt`.
    #[schemars(extend("examples" = ["sessions-tls"]))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secret_name: Option<ObjectName>,
    /// True for no encryption at all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub disabled: Option<bool>,
    /// Whether clients have to show a certificate of their own. Members of the cluster always do.
    #[schemars(extend("x-default" = "Optional"))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_auth: Option<ClientAuth>,
    /// How long a certificate is valid.
    #[schemars(extend("x-default" = "2160h", "examples" = ["2160h"]))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub duration: Option<Duration>,
    /// How long before its end a certificate is renewed; where nothing is said, at most a third of the duration.
    #[schemars(extend("x-default" = "720h", "examples" = ["720h"]))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub renew_before: Option<Duration>,
}

/// The cert-manager issuer that signs the cluster's certificate.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct IssuerRef {
    /// The issuer's name.
    #[schemars(extend("examples" = ["internal-ca"]))]
    pub name: ObjectName,
    /// `Issuer`, `ClusterIssuer`, or the kind of an external issuer.
    #[serde(default)]
    pub kind: ObjectKind,
    /// The API group of the issuer.
    #[serde(default)]
    pub group: ApiGroup,
}

/// Whether clients have to show a certificate of their own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub enum ClientAuth {
    /// Every client has to.
    Required,
    /// A client may; if it does, the certificate has to be valid.
    #[default]
    Optional,
    /// Client certificates are not asked for.
    Off,
}

/// How connections are encrypted.
#[derive(Debug, Clone, PartialEq)]
pub enum Tls {
    /// With a certificate that cert-manager issues and renews.
    Issued {
        /// Who signs it.
        issuer: IssuerRef,
        /// How long it is valid.
        duration: Duration,
        /// How long before its end it is renewed.
        renew_before: Duration,
        /// Whether clients have to show one.
        client_auth: ClientAuth,
    },
    /// With a certificate that the user provides.
    Provided {
        /// The Secret that holds it.
        secret_name: ObjectName,
        /// Whether clients have to show one.
        client_auth: ClientAuth,
    },
    /// Not at all.
    Disabled,
}

impl Tls {
    /// Whether clients have to show a certificate, in Valkey's words; a running server can change it.
    pub(crate) fn live_setting(&self) -> Option<(&'static str, String)> {
        let (Self::Issued { client_auth, .. } | Self::Provided { client_auth, .. }) = self else {
            return None;
        };
        let word = match client_auth {
            ClientAuth::Required => "yes",
            ClientAuth::Optional => "optional",
            ClientAuth::Off => "no",
        };
        Some(("tls-auth-clients", word.to_owned()))
    }
}

/// cert-manager refuses certificates that live shorter.
const SHORTEST_DURATION: Duration = Duration::hours(1);

impl TlsSpec {
    pub(crate) fn check(self, checks: &mut Checks) -> Option<Tls> {
        self.check_no_stray_fields(checks);
        let client_auth = self.client_auth.unwrap_or_default();
        match (self.issuer_ref, self.secret_name, self.disabled.unwrap_or(false)) {
            (Some(issuer), None, false) => {
                let duration = self.duration.unwrap_or(Duration::hours(2160));
                let renew_before = self.renew_before.unwrap_or_else(|| Duration::hours(720).min(duration.third()));
                check_lifetime(duration, renew_before, checks);
                Some(Tls::Issued { issuer, duration, renew_before, client_auth })
            }
            (None, Some(secret_name), false) => Some(Tls::Provided { secret_name, client_auth }),
            (None, None, true) => Some(Tls::Disabled),
            (None, None, false) => {
                let hint = "write exactly one of issuerRef (cert-manager), secretName (a Secret of your own) or disabled: true";
                checks.refuse("spec.tls", "says neither where the certificate comes from nor that there is none", hint);
                None
            }
            _ => {
                let hint = "keep exactly one of issuerRef, secretName and disabled: true";
                checks.refuse("spec.tls", "says more than one of where the certificate comes from", hint);
                None
            }
        }
    }

    /// Refuses fields that would have no effect: they were meant to have one.
    fn check_no_stray_fields(&self, checks: &mut Checks) {
        let unissued = self.issuer_ref.is_none() && (self.secret_name.is_some() || self.disabled == Some(true));
        for (field, given) in [("duration", self.duration.is_some()), ("renewBefore", self.renew_before.is_some())] {
            if given && unissued {
                let message = "has no effect without issuerRef: cert-manager does not issue this certificate";
                checks.refuse(&format!("spec.tls.{field}"), message, "remove the line");
            }
        }
        if self.client_auth.is_some() && self.disabled == Some(true) {
            checks.refuse("spec.tls.clientAuth", "has no effect while TLS is disabled", "remove the line");
        }
    }
}

fn check_lifetime(duration: Duration, renew_before: Duration, checks: &mut Checks) {
    if duration < SHORTEST_DURATION {
        checks.refuse(
            "spec.tls.duration",
            format!("`{duration}` is too short"),
            "cert-manager issues for an hour or longer",
        );
    }
    if renew_before >= duration {
        checks.refuse(
            "spec.tls.renewBefore",
            format!("`{renew_before}` is not shorter than the duration, `{duration}`"),
            "renew before the end, and not at once: a third of the duration is usual",
        );
    }
    if renew_before < Duration::seconds(300) {
        checks.refuse(
            "spec.tls.renewBefore",
            format!("`{renew_before}` is too short"),
            "cert-manager wants five minutes or more",
        );
    }
}

impl From<&Tls> for TlsSpec {
    fn from(tls: &Tls) -> Self {
        match tls.clone() {
            Tls::Issued { issuer, duration, renew_before, client_auth } => Self {
                issuer_ref: Some(issuer),
                duration: Some(duration),
                renew_before: Some(renew_before),
                client_auth: Some(client_auth),
                ..Self::default()
            },
            Tls::Provided { secret_name, client_auth } => {
                Self { secret_name: Some(secret_name), client_auth: Some(client_auth), ..Self::default() }
            }
            Tls::Disabled => Self { disabled: Some(true), ..Self::default() },
        }
    }
}
