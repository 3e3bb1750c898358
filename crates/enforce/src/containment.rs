//! What a new registry view means for what already runs (PROTOCOL 14.2): a revocation or a containment interrupts it.

use crate::admission::target;
use eleven_core::artifact::Artifact;
use eleven_core::reason::Reason;
use eleven_core::registry::View;

/// Why an execution under `artifact` must stop now that `view` holds, `None` where it may go on.
#[must_use]
pub fn interrupts(view: &View, point: &str, artifact: &Artifact) -> Option<Reason> {
    if is_revoked(view, artifact) {
        return Some(Reason::ArtifactRevoked);
    }
    is_contained(view, point, artifact).then_some(Reason::RuntimeContained)
}

/// Whether the artifact or any of its ancestors is revoked (step 14).
#[must_use]
pub(crate) fn is_revoked(view: &View, artifact: &Artifact) -> bool {
    let ancestors = artifact.parent.iter().flat_map(|parent| &parent.ancestors);
    core::iter::once(&artifact.id).chain(ancestors).any(|id| view.is_revoked(id))
}

/// Whether a containment covers what the artifact touches at this point (step 15).
#[must_use]
pub(crate) fn is_contained(view: &View, point: &str, artifact: &Artifact) -> bool {
    view.containment(&target(view, point, artifact)).is_some()
}
