//! Names of Kubernetes objects, and labels. Limits are those of the Kubernetes documentation, "Object Names and IDs".

use std::fmt;
use std::str::FromStr;

use super::text_type;
use crate::names;
use crate::problem::Complaint;

/// The longest name of a cluster: the StatefulSet of that name puts `<name>-<hash of ten>` into a label of its pods.
pub const LONGEST_CLUSTER_NAME: usize = 52;

/// The name of a cluster: what every derived object, pod and host name begins with.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ClusterName(String);

/// The name of a namespace.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Namespace(String);

/// The name of an object that is not ours: a Secret, an issuer, a class.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ObjectName(String);

/// The kind of an object that is not ours.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ObjectKind(String);

/// The API group of an object that is not ours.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ApiGroup(String);

/// The value of a label or a taint.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LabelValue(String);

/// A key of a Secret.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SecretKey(String);

text_type!(
    ClusterName,
    "cluster-name",
    "Lower-case letters, digits and `-`, starting with a letter and not ending as derived names do (`-agent`); at most 52 characters.",
    "sessions"
);
text_type!(Namespace, "namespace", "Lower-case letters, digits and `-`; at most 63 characters.", "shop");
text_type!(
    ObjectName,
    "object-name",
    "Lower-case letters, digits, `-` and `.`; at most 253 characters.",
    "sessions-auth"
);
text_type!(ObjectKind, "object-kind", "Letters and digits, starting with a letter; at most 63 characters.", "Issuer");
text_type!(ApiGroup, "api-group", "A domain in lower case; at most 253 characters.", "cert-manager.io");
text_type!(
    LabelValue,
    "label-value",
    "At most 63 letters, digits, `-`, `_` and `.`, beginning and ending with a letter or digit; may be empty.",
    "ssd"
);
text_type!(SecretKey, "secret-key", "Letters, digits, `-`, `_` and `.`; at most 253 characters.", "password");

impl ClusterName {
    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

macro_rules! name_type {
    ($type:ident, $check:expr) => {
        impl FromStr for $type {
            type Err = Complaint;

            fn from_str(text: &str) -> Result<Self, Complaint> {
                $check(text).map(|()| Self(text.to_owned()))
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                out.write_str(&self.0)
            }
        }

        impl AsRef<str> for $type {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }
    };
}

name_type!(ClusterName, cluster_name);
name_type!(Namespace, |text| dns_label(text, "a namespace"));
name_type!(ObjectName, object_name);
name_type!(ObjectKind, object_kind);
name_type!(ApiGroup, api_group);
name_type!(LabelValue, label_value);
name_type!(SecretKey, secret_key);

impl Default for ObjectKind {
    fn default() -> Self {
        Self("Issuer".to_owned())
    }
}

impl Default for ApiGroup {
    fn default() -> Self {
        Self("cert-manager.io".to_owned())
    }
}

impl SecretKey {
    /// The usual key of a password.
    #[must_use]
    pub fn password() -> Self {
        Self("password".to_owned())
    }
}

fn cluster_name(text: &str) -> Result<(), Complaint> {
    dns_label(text, "a cluster name")?;
    if text.len() > LONGEST_CLUSTER_NAME {
        let message = format!("{} characters, and at most {LONGEST_CLUSTER_NAME} fit", text.len());
        return Err(Complaint::new(
            message,
            "shorten it: Kubernetes adds a hash to it in a label of at most 63 characters",
        ));
    }
    if text.starts_with(|first: char| first.is_ascii_digit()) {
        let message = format!("`{text}` starts with a digit, and the name of a Service may not");
        return Err(Complaint::new(message, format!("start it with a letter, for example `valkey-{text}`")));
    }
    if let Some(suffix) = names::derived_suffix(text) {
        let other = text.strip_suffix(suffix).unwrap_or(text);
        let message = format!("`{text}` is what an object of the cluster `{other}` is called");
        return Err(Complaint::new(message, format!("let it end otherwise than in `{suffix}`")));
    }
    Ok(())
}

fn dns_label(text: &str, what: &str) -> Result<(), Complaint> {
    length(text, 63)?;
    let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    if text.bytes().all(allowed) && !text.starts_with('-') && !text.ends_with('-') {
        return Ok(());
    }
    Err(Complaint::new(
        format!("`{text}` is not {what}"),
        "use lower-case letters, digits and `-`; begin and end with a letter or digit",
    ))
}

fn object_name(text: &str) -> Result<(), Complaint> {
    length(text, 253)?;
    if text.split('.').all(|part| !part.is_empty() && dns_label(part, "").is_ok()) {
        return Ok(());
    }
    Err(Complaint::new(
        format!("`{text}` is not the name of an object"),
        "use lower-case letters, digits, `-` and `.`; begin and end with a letter or digit",
    ))
}

fn object_kind(text: &str) -> Result<(), Complaint> {
    length(text, 63)?;
    if text.bytes().all(|byte| byte.is_ascii_alphanumeric()) && !text.starts_with(|first: char| first.is_ascii_digit())
    {
        return Ok(());
    }
    Err(Complaint::new(format!("`{text}` is not a kind of object"), "use letters and digits, such as ClusterIssuer"))
}

fn api_group(text: &str) -> Result<(), Complaint> {
    length(text, 253)?;
    object_name(text).map_err(|_| {
        Complaint::new(format!("`{text}` is not an API group"), "write a domain in lower case, such as cert-manager.io")
    })
}

fn secret_key(text: &str) -> Result<(), Complaint> {
    length(text, 253)?;
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    if text.bytes().all(allowed) && text != "." && !text.starts_with("..") {
        return Ok(());
    }
    Err(Complaint::new(format!("`{text}` is not a key of a Secret"), "use letters, digits, `-`, `_` and `.`"))
}

fn length(text: &str, most: usize) -> Result<(), Complaint> {
    if text.is_empty() {
        return Err(Complaint::new("is empty", "write a name, or remove the line"));
    }
    if text.len() > most {
        return Err(Complaint::new(format!("{} characters, and at most {most} fit", text.len()), "shorten it"));
    }
    Ok(())
}

/// What is wrong with a label's key, if anything is.
///
/// # Errors
/// When it is not `name` or `prefix/name` as Kubernetes wants them.
pub(crate) fn label_key(text: &str) -> Result<(), Complaint> {
    let (prefix, name) = text.split_once('/').map_or((None, text), |(prefix, name)| (Some(prefix), name));
    if prefix.is_none_or(|prefix| object_name(prefix).is_ok()) && is_label_text(name) && !name.is_empty() {
        return Ok(());
    }
    Err(Complaint::new(
        format!("`{text}` is not the key of a label"),
        "use `name` or `domain/name`, the name of at most 63 letters, digits, `-`, `_` and `.`",
    ))
}

/// What is wrong with a label's value, if anything is.
///
/// # Errors
/// When it is longer than 63 characters or has others than letters, digits, `-`, `_` and `.`.
pub(crate) fn label_value(text: &str) -> Result<(), Complaint> {
    if is_label_text(text) {
        return Ok(());
    }
    Err(Complaint::new(
        format!("`{text}` is not the value of a label"),
        "use at most 63 letters, digits, `-`, `_` and `.`; begin and end with a letter or digit",
    ))
}

fn is_label_text(text: &str) -> bool {
    let edge = |byte: Option<&u8>| byte.is_none_or(u8::is_ascii_alphanumeric);
    let bytes = text.as_bytes();
    bytes.len() <= 63
        && bytes.iter().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(byte))
        && edge(bytes.first())
        && edge(bytes.last())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cluster_name_leaves_room_for_what_is_derived_from_it() {
        assert!("a".repeat(52).parse::<ClusterName>().is_ok());
        for wrong in ["", "A", "a_b", "-a", "a-", "1a", &"a".repeat(53), "a.b", "ä"] {
            assert!(wrong.parse::<ClusterName>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn labels_follow_the_rules_of_kubernetes() {
        assert!(label_key("team").is_ok() && label_key("example.com/team").is_ok() && label_value("").is_ok());
        assert!(
            label_key("").is_err()
                && label_key("a/").is_err()
                && label_key("/a").is_err()
                && label_key("a/b/c").is_err()
        );
        assert!(label_value("a b").is_err() && label_value("-a").is_err() && label_value(&"a".repeat(64)).is_err());
    }
}
