//! Whether a folder is one of specs: their names on standard output if so, nothing otherwise. Only a folder that cannot be read is an error.
//!
//! Argo CD asks this of folders whose Application names no plugin, and of those that name this one as well. To tell the two apart, there
//! are parameters; but they are there, too, where an Application has settings for whichever plugin takes it.

use std::fs;
use std::path::Path;

use super::super::failure::Failure;
use super::super::{folder, input, output, side};
use super::outside;
use super::parameters::{self, VARIABLE};

/// Tools that render such a folder themselves, perhaps with this program's help.
const OTHERS: [&str; 5] = ["kustomization.yaml", "kustomization.yml", "Kustomization", "Chart.yaml", folder::INDEX];

pub(crate) fn run() -> Result<(), Failure> {
    let here = Path::new(".");
    let given = outside::variable(VARIABLE)?;
    let elsewhere = given.as_deref().map(parameters::specs_of).unwrap_or_default();
    if !elsewhere.is_empty() {
        return output::to_stdout(&elsewhere);
    }
    let is_left_to_others = || OTHERS.iter().any(|name| fs::symlink_metadata(here.join(name)).is_ok());
    if given.is_none() && is_left_to_others() {
        return Ok(());
    }
    let mut names = String::new();
    // A link that leads nowhere, or what cannot be read as text, is a mistake in a folder of specs, and none of ours elsewhere.
    for file in input::named_as_documents(here)?.into_iter().filter(|path| path.is_file()) {
        let source = input::read_file(&file, input::LONGEST_SPECS);
        if source.is_ok_and(|source| holds_spec(&source.text)) {
            names += &format!("{}\n", file.display());
        }
    }
    output::to_stdout(&names)
}

fn holds_spec(text: &str) -> bool {
    // Argo CD asks this of every folder, and of what stands in most, no more has to be known.
    if !["ValkeyCluster", "valkey-gitops.dev/"].iter().any(|word| text.contains(word)) {
        return false;
    }
    side::documents(text).into_iter().filter_map(|place| text.get(place)).any(|document| match side::parse(document) {
        Ok(values) => values.iter().any(side::is_spec),
        Err(_) => document.lines().any(begins_spec),
    })
}

/// A spec that is no YAML is a spec all the same, and its mistake is to be shown. One inside of a text stands further in.
fn begins_spec(line: &str) -> bool {
    let value = line.strip_prefix("kind:").or_else(|| line.strip_prefix("apiVersion:")).unwrap_or_default().trim();
    let value = value.trim_matches(['"', '\'']);
    value == "ValkeyCluster" || value.starts_with("valkey-gitops.dev/")
}
