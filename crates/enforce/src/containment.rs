//! What a new registry view means for what already runs (PROTOCOL 14.2): a revocation or a containment interrupts it.

use eleven_core::artifact::Artifact;
use eleven_core::name;
use eleven_core::reason::Reason;
use eleven_core::registry::{ContainmentRecord, View};
use eleven_core::subject::Target;

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

/// The containment that covers whatever this point does: its own, its runtime's, the domain's or the mesh's.
#[must_use]
pub(crate) fn of_point<'a>(view: &'a View, point: &str) -> Option<&'a ContainmentRecord> {
    let registered = view.runtime(point).map(|row| row.runtime.as_str());
    let runtime = registered.unwrap_or_else(|| name::runtime_of_point(point));
    view.containment(&Target { point, runtime, domain: view.domain(), ..Target::default() })
}

/// Everything that a containment could cover.
fn target<'a>(view: &'a View, point: &'a str, artifact: &'a Artifact) -> Target<'a> {
    Target {
        point,
        runtime: &artifact.env.runtime,
        identity: &artifact.sub,
        operation: &artifact.op.name,
        model: artifact.op.named("model"),
        tool: artifact.op.named("tool"),
        policy: &artifact.pol.reference,
        domain: view.domain(),
        origin: artifact.origin.as_ref().map(|origin| origin.domain.as_str()),
        route: artifact.origin.as_ref().map(|origin| origin.route),
    }
}
