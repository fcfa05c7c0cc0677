//! Where the server's image comes from.

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::checks::Checks;
use crate::problem::{Complaint, Path};
use crate::text::{Digest, ObjectName, Repository, Tag, Version};

/// Where the server's image comes from.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct ImageSpec {
    /// The repository.
    pub repository: Repository,
    /// The tag; by default `version` as it is written.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tag: Option<Tag>,
    /// The digest, which fixes the image whatever becomes of the tag.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub digest: Option<Digest>,
    /// When nodes pull the image.
    pub pull_policy: PullPolicy,
    /// Names of the Secrets to pull with, in the cluster's namespace.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub pull_secrets: Vec<ObjectName>,
}

/// When nodes pull the image.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub enum PullPolicy {
    /// Only where the node does not have it.
    #[default]
    IfNotPresent,
    /// At every start.
    Always,
    /// Never: it has to be on the node already.
    Never,
}

impl ImageSpec {
    /// The whole reference, for a server of this version.
    pub(crate) fn reference(&self, version: Version) -> String {
        let tag = self.tag.as_ref().map_or_else(|| version.to_string(), ToString::to_string);
        match &self.digest {
            Some(digest) => format!("{}:{tag}@{digest}", self.repository),
            None => format!("{}:{tag}", self.repository),
        }
    }

    pub(crate) fn check(&self, version: Version, checks: &mut Checks) {
        self.check_tag(version, checks);
        let mut seen = BTreeSet::new();
        for (index, secret) in self.pull_secrets.iter().enumerate() {
            if !seen.insert(secret) {
                let at = Path::of("spec.image.pullSecrets").index(index);
                let message = format!("`{secret}` stands here a second time");
                checks.refuse_at(at, Complaint::new(message, "remove it: Kubernetes knows the entries by their names"));
            }
        }
    }

    pub(crate) fn warn(&self, warnings: &mut Checks) {
        if self.digest.is_none() && self.tag.as_ref().is_some_and(|tag| tag.to_string() == "latest") {
            let message = "is whatever was pushed last: nobody knows that it is what `version` says";
            warnings.refuse("spec.image.tag", message, "write the tag of one release, or fix the image by its digest");
        }
    }

    fn check_tag(&self, version: Version, checks: &mut Checks) {
        let Some(tag) = &self.tag else { return };
        let text = tag.to_string();
        let number = text.trim_start_matches('v').split('-').next().unwrap_or_default();
        // A tag that is no version of Valkey says nothing: teams name their own images as they like.
        let Ok(tagged) = number.parse::<Version>() else { return };
        let differs = tagged.series != version.series || (version.patch.is_some() && tagged.patch != version.patch);
        if differs {
            checks.refuse(
                "spec.image.tag",
                format!("`{tag}` is another version than `version: \"{version}\"`"),
                "make the two agree: the directives of one version can keep another from starting",
            );
        }
    }
}
