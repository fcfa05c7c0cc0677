//! Leaf values that are written as text and cannot be wrong once read: names, quantities, durations, versions.
//!
//! Each type parses with [`std::str::FromStr`] and complains with a [`Complaint`]; in the schema each is a string with the
//! type's name as `format`, by which [`complaint_about`] finds the type again.

mod address;
mod duration;
mod name;
mod quantity;
mod snapshot;
mod version;

use crate::problem::Complaint;

pub use address::{Digest, DomainName, ImageReference, Repository, Tag};
pub use duration::Duration;
pub use name::{ApiGroup, ClusterName, LONGEST_CLUSTER_NAME, LabelValue, Namespace, ObjectKind, ObjectName, SecretKey};
pub(crate) use name::{label_key, label_value};
pub use quantity::Quantity;
pub use snapshot::SnapshotRule;
pub use version::{Series, Version};

/// Gives a type that parses from text its serde and schema: a string, with a format, a description and an example.
macro_rules! text_type {
    ($type:ty, $format:literal, $description:literal, $example:literal) => {
        impl serde::Serialize for $type {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> serde::Deserialize<'de> for $type {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = <std::borrow::Cow<'de, str> as serde::Deserialize>::deserialize(deserializer)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }

        impl schemars::JsonSchema for $type {
            fn inline_schema() -> bool {
                true
            }

            fn schema_name() -> std::borrow::Cow<'static, str> {
                $format.into()
            }

            fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
                schemars::json_schema!({
                    "type": "string", "format": $format, "description": $description, "examples": [$example],
                })
            }
        }
    };
}
pub(crate) use text_type;

/// What is wrong with `text` as a value of this format; none if nothing is, or if no type has this format.
pub(crate) fn complaint_about(format: &str, text: &str) -> Option<Complaint> {
    fn check<T: std::str::FromStr<Err = Complaint>>(text: &str) -> Option<Complaint> {
        text.parse::<T>().err()
    }
    match format {
        "cluster-name" => check::<ClusterName>(text),
        "namespace" => check::<Namespace>(text),
        "object-name" => check::<ObjectName>(text),
        "object-kind" => check::<ObjectKind>(text),
        "api-group" => check::<ApiGroup>(text),
        "label-value" => check::<LabelValue>(text),
        "secret-key" => check::<SecretKey>(text),
        "quantity" => check::<Quantity>(text),
        "go-duration" => check::<Duration>(text),
        "valkey-version" => check::<Version>(text),
        "image-repository" => check::<Repository>(text),
        "image-tag" => check::<Tag>(text),
        "image-digest" => check::<Digest>(text),
        "image-reference" => check::<ImageReference>(text),
        "domain-name" => check::<DomainName>(text),
        "snapshot-rule" => check::<SnapshotRule>(text),
        _ => None,
    }
}
