//! Images are folders of programs.

use std::path::PathBuf;

pub(crate) struct Images {
    /// The name of an image without its tag, and the folder, in which `{tag}` and `{series}` stand for parts of the tag.
    folders: Vec<(String, PathBuf)>,
}

/// Why a container cannot get its image, in Kubernetes' words.
/// <https://kubernetes.io/docs/concepts/containers/images/#imagepullbackoff>
#[derive(Debug, thiserror::Error)]
#[error("failed to pull and unpack image {image:?}: {why}")]
pub(super) struct NotPulled {
    image: String,
    why: String,
}

impl Images {
    pub(crate) fn new(folders: Vec<(String, PathBuf)>) -> Self {
        Self { folders }
    }

    /// The folder that holds the programs of an image.
    pub(super) fn folder(&self, image: &str) -> Result<PathBuf, NotPulled> {
        let not_pulled = |why: &str| NotPulled { image: image.to_owned(), why: why.to_owned() };
        let (name, tag) = split(image);
        let known = self.folders.iter().find(|(known, _)| known == name || name.ends_with(&format!("/{known}")));
        let (_, folder) = known.ok_or_else(|| not_pulled("not found: no folder is named for it"))?;
        let series = tag.split(['.', '-']).take(2).collect::<Vec<_>>().join(".");
        let folder = PathBuf::from(folder.to_string_lossy().replace("{tag}", tag).replace("{series}", &series));
        folder.canonicalize().map_err(|_| not_pulled(&format!("{} is not there", folder.display())))
    }
}

/// The name and the tag of an image.
fn split(image: &str) -> (&str, &str) {
    let image = image.split_once('@').map_or(image, |(image, _)| image);
    match image.rsplit_once(':') {
        Some((name, tag)) if !tag.contains('/') => (name, tag),
        _ => (image, "latest"),
    }
}

#[cfg(test)]
mod tests {
    use super::split;

    #[test]
    fn a_port_of_a_registry_is_no_tag() {
        assert_eq!(split("registry:5000/valkey/valkey"), ("registry:5000/valkey/valkey", "latest"));
        assert_eq!(split("valkey/valkey:9.1@sha256:0"), ("valkey/valkey", "9.1"));
    }
}
