//! A spec to start from.

use spec::{ClusterName, Namespace};

/// A small, complete spec with what one usually looks at first.
pub(crate) fn starter(name: &ClusterName, namespace: &Namespace) -> String {
    let starter = include_str!("starter.yaml").replace("SCHEMA", spec::SCHEMA_ID);
    starter.replace("NAMESPACE", namespace.as_ref()).replace("NAME", name.as_ref())
}
