//! The password that clients, members and the agent log in with.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::checks::Checks;
use crate::text::{ObjectName, SecretKey};

/// The password: exactly one of `passwordSecret` and `disabled: true`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct AuthSpec {
    /// The Secret that holds the password, in the cluster's namespace. The renderer never sees it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub password_secret: Option<PasswordSecret>,
    /// True for no password: whoever reaches the client port may do anything.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub disabled: Option<bool>,
}

/// The Secret that holds the password.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PasswordSecret {
    /// The Secret's name.
    pub name: ObjectName,
    /// The key in it.
    #[serde(default = "default_key")]
    pub key: SecretKey,
}

/// How clients log in.
#[derive(Debug, Clone, PartialEq)]
pub enum Auth {
    /// With the password in this Secret.
    Password(PasswordSecret),
    /// Not at all.
    Disabled,
}

fn default_key() -> SecretKey {
    SecretKey::password()
}

impl AuthSpec {
    pub(crate) fn check(self, checks: &mut Checks) -> Option<Auth> {
        match (self.password_secret, self.disabled.unwrap_or(false)) {
            (Some(secret), false) => Some(Auth::Password(secret)),
            (None, true) => Some(Auth::Disabled),
            (None, false) => {
                let hint = "write passwordSecret: {name: …}, or disabled: true";
                checks.refuse("spec.auth", "says neither where the password is nor that there is none", hint);
                None
            }
            (Some(_), true) => {
                let hint = "keep one of passwordSecret and disabled: true";
                checks.refuse("spec.auth", "says both where the password is and that there is none", hint);
                None
            }
        }
    }
}

impl From<&Auth> for AuthSpec {
    fn from(auth: &Auth) -> Self {
        match auth {
            Auth::Password(secret) => Self { password_secret: Some(secret.clone()), disabled: None },
            Auth::Disabled => Self { password_secret: None, disabled: Some(true) },
        }
    }
}
