//! What a function's configuration asks for, where it is not a spec: the data of a ConfigMap.

use spec::{Complaint, Path, Problem};

use super::findings::{Finding, Severity};
use super::list::Item;
use crate::desired::DesiredState;
use crate::manifest::Renderer;
use crate::tree::Tree;

/// Whether to say in which order Argo CD applies the objects.
const WAVES: &str = "argocd-waves";
/// Where the agent finds what should be.
const FORM: &str = "desired-state";

/// What is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Options {
    waves: bool,
    form: DesiredState,
}

impl Options {
    pub(super) fn renderer(self) -> Renderer {
        let renderer = if self.waves { Renderer::with_waves() } else { Renderer::default() };
        renderer.reading(self.form)
    }
}

/// What a configuration asks for; what is wrong with it is found.
pub(super) fn read(config: Option<&Item>, findings: &mut Vec<Finding>) -> Options {
    let mut options = Options::default();
    let Some(config) = config.filter(|config| !config.is_spec()) else {
        return options;
    };
    let mut complain = |path: Path, complaint| {
        let problem = Problem { path, complaint, span: None };
        findings.push(Finding::of(config, Severity::Error, problem));
    };
    if config.identity().kind != "ConfigMap" {
        let hint = "pass a ValkeyCluster, or a ConfigMap with options";
        complain(Path::of("kind"), Complaint::new("is nothing that this function can be configured by", hint));
    }
    let Some(Tree::Map(data)) = config.tree.get("data") else {
        return options;
    };
    for (key, value) in data {
        let path = Path::of("data").key(key.as_ref());
        match (key.as_ref(), value.text()) {
            (WAVES, Some("true")) => options.waves = true,
            (WAVES, Some("false")) => options.waves = false,
            (WAVES, _) => complain(path, Complaint::new("is not \"true\" or \"false\"", "write one of the two")),
            (FORM, text) => match text.and_then(DesiredState::named) {
                Some(form) => options.form = form,
                None => complain(path, Complaint::new("is not one of its values", forms())),
            },
            _ => complain(path, Complaint::new("there is no such option", format!("there are `{WAVES}` and `{FORM}`"))),
        }
    }
    options
}

fn forms() -> String {
    format!("write {}", DesiredState::ALL.map(DesiredState::as_str).join(" or "))
}
