//! Which template was rendered, said where the agent reads what should be and on the `StatefulSet`: until both say the same, one of them
//! is yet to be applied, and no pod restarts.
//!
//! In the spec of the custom resource it makes another pod template another generation, too. A newer renderer can change the template
//! without the spec. The API server counts only changes of the spec, so that whoever waits for the object would take what was said of
//! the template before for what is true of this one.

use std::borrow::Cow;

use spec::names::{RENDERED_TEMPLATE, TEMPLATE_ANNOTATION};

use crate::document::{Draft, Kind};
use crate::error::Error;
use crate::templates::DESIRED_STATE;
use crate::tree::Tree;

/// Says which template was rendered.
pub(crate) fn tell(drafts: &[Draft], trees: &mut [Tree<'_>]) -> Result<(), Error> {
    let is_set = |(draft, _): &(&Draft, &Tree<'_>)| draft.kind == Kind::StatefulSet;
    let set = drafts.iter().zip(&*trees).find(is_set).map(|(_, tree)| tree);
    let Some(template) = set.and_then(|set| set.get("spec")?.get("template")) else { return Ok(()) };
    let hash = spec::digest(serde_json::to_vec(template)?);
    for (draft, tree) in drafts.iter().zip(trees) {
        if draft.kind == Kind::StatefulSet || draft.template == DESIRED_STATE {
            tree.annotate(TEMPLATE_ANNOTATION, Cow::Owned(hash.clone()));
        } else if draft.kind == Kind::ValkeyCluster {
            tree.say("spec", RENDERED_TEMPLATE, Cow::Owned(hash.clone()));
        }
    }
    Ok(())
}
