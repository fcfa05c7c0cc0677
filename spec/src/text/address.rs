//! Where images and hosts are found.

use std::fmt;
use std::str::FromStr;

use super::text_type;
use crate::problem::Complaint;

/// A repository of images, without tag or digest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Repository(String);

/// A tag of an image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tag(String);

/// A digest of an image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Digest(String);

/// A whole image: repository, tag, digest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImageReference(String);

/// The name of a DNS domain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DomainName(String);

text_type!(Repository, "image-repository", "A repository of images, without tag and digest.", "valkey/valkey");
text_type!(Tag, "image-tag", "A tag of the image.", "9.1.2");
text_type!(Digest, "image-digest", "A digest: `sha256:` and 64 hexadecimal digits.", "sha256:…");
text_type!(ImageReference, "image-reference", "An image: repository, tag and digest in one.", "example.com/agent:1.0");
text_type!(DomainName, "domain-name", "A DNS domain, without a dot at its end.", "cluster.local");

macro_rules! address_type {
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
    };
}

address_type!(Repository, repository);
address_type!(Tag, tag);
address_type!(Digest, digest);
address_type!(ImageReference, image_reference);
address_type!(DomainName, domain_name);

impl Default for Repository {
    fn default() -> Self {
        Self("valkey/valkey".to_owned())
    }
}

impl Default for DomainName {
    fn default() -> Self {
        Self("cluster.local".to_owned())
    }
}

fn repository(text: &str) -> Result<(), Complaint> {
    let (host, path) = text.split_once('/').map_or(("", text), |(host, path)| (host, path));
    let last = path.rsplit('/').next().unwrap_or(path);
    if text.contains('@') || last.contains(':') {
        return Err(Complaint::new(
            format!("`{text}` has a tag or digest in it"),
            "write those into image.tag and image.digest",
        ));
    }
    let host_is_fine =
        host.is_empty() && !text.starts_with('/') || host.split(':').all(part_of_host) && host.matches(':').count() < 2;
    if text.len() <= 255 && host_is_fine && path.split('/').all(is_path_part) {
        return Ok(());
    }
    Err(Complaint::new(
        format!("`{text}` is not a repository of images"),
        "write it as `host/path` or `path`, in lower case; each part begins and ends with a letter or digit",
    ))
}

/// Words of letters and digits with `.`, `_`, `__` or any number of `-` between them.
fn is_path_part(part: &str) -> bool {
    let is_word = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let is_separator =
        |between: &str| ["", ".", "_", "__"].contains(&between) || between.bytes().all(|byte| byte == b'-');
    let edges = part.bytes().next().is_some_and(is_word) && part.bytes().next_back().is_some_and(is_word);
    edges && part.split(|c: char| u8::try_from(c).is_ok_and(is_word)).all(is_separator)
}

fn part_of_host(part: &str) -> bool {
    !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._".contains(&byte))
}

fn tag(text: &str) -> Result<(), Complaint> {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    if !text.is_empty() && text.len() <= 128 && text.bytes().all(allowed) && !text.starts_with(['-', '.']) {
        return Ok(());
    }
    Err(Complaint::new(format!("`{text}` is not a tag"), "use at most 128 letters, digits, `-`, `_` and `.`"))
}

fn digest(text: &str) -> Result<(), Complaint> {
    let hex = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    if text.strip_prefix("sha256:").is_some_and(|digits| digits.len() == 64 && digits.bytes().all(hex)) {
        return Ok(());
    }
    Err(Complaint::new(format!("`{text}` is not a digest"), "write `sha256:` and 64 hexadecimal digits in lower case"))
}

fn image_reference(text: &str) -> Result<(), Complaint> {
    let (name, found) = text.split_once('@').map_or((text, None), |(name, found)| (name, Some(found)));
    found.map_or(Ok(()), digest)?;
    let slash = name.rfind('/').map_or(0, |position| position + 1);
    let colon = name.get(slash..).and_then(|last| last.find(':')).map(|position| slash + position);
    match colon.and_then(|at| Some((name.get(..at)?, name.get(at + 1..)?))) {
        Some((path, found)) => repository(path).and_then(|()| tag(found)),
        None => repository(name),
    }
}

fn domain_name(text: &str) -> Result<(), Complaint> {
    let label = |label: &str| {
        !label.is_empty()
            && label.len() <= 63
            && label.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    // A host name of a pod has up to 200 characters in front of it.
    if text.len() <= 100 && text.split('.').all(label) {
        return Ok(());
    }
    Err(Complaint::new(
        format!("`{text}` is not a domain"),
        "write at most 100 characters in lower case, without a dot at the end, such as cluster.local",
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn images_are_taken_apart_at_the_right_places() {
        for fine in ["valkey", "valkey/valkey", "localhost:5000/a/b", "registry.example.com/valkey", "a--b/c__d.e_f"] {
            assert!(fine.parse::<Repository>().is_ok(), "{fine}");
        }
        for wrong in [
            "",
            "Valkey",
            "valkey:9.1",
            "a@sha256:0",
            "a//b",
            "/a",
            "a/",
            "a b",
            "a:b:c/d",
            "valkey/-x",
            "a/b-",
            "a/b..c",
            "a/b._c",
            "a/b___c",
        ] {
            assert!(wrong.parse::<Repository>().is_err(), "{wrong}");
        }
        let digest = format!("sha256:{}", "0a".repeat(32));
        for fine in ["agent", "example.com:443/agent:1.0", &format!("agent@{digest}"), &format!("agent:1@{digest}")] {
            assert!(fine.parse::<ImageReference>().is_ok(), "{fine}");
        }
        assert!("agent:".parse::<ImageReference>().is_err() && "agent@x".parse::<ImageReference>().is_err());
    }

    #[test]
    fn a_domain_has_no_dot_at_its_end() {
        assert!("cluster.local".parse::<DomainName>().is_ok() && "k8s".parse::<DomainName>().is_ok());
        assert!("cluster.local.".parse::<DomainName>().is_err() && "a..b".parse::<DomainName>().is_err());
    }
}
