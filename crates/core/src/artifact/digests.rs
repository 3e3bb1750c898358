//! The digests of an artifact: `chash` of its payload, and its id of the payload without that id (PROTOCOL 4).

use super::Artifact;
use crate::encoding::Encoded;
use crate::hash::Sha3;
use crate::id;
use alloc::vec::Vec;

impl Artifact {
    /// Whether `chash` and `id` are those of the content.
    #[must_use]
    pub fn digests_follow(&self) -> bool {
        Self::digests_follow_each(&[self]).first() == Some(&true)
    }

    /// [`Artifact::digests_follow`] of each, in their order: several digests are computed at a time.
    #[must_use]
    pub fn digests_follow_each(artifacts: &[&Self]) -> Vec<bool> {
        let contents: Vec<Option<Vec<u8>>> = artifacts.iter().map(|artifact| artifact.content()).collect();
        let of_content = artifacts.iter().zip(contents.iter().map(Option::as_deref));
        let digested: Vec<_> = of_content.clone().flat_map(|(artifact, content)| artifact.digested(content)).collect();
        let hashes = Sha3::of_each(&digested);
        let (pairs, _) = hashes.as_chunks();
        let follow =
            |((artifact, content), [chash, id]): ((&&Self, _), &[Sha3; 2])| artifact.follows(content, chash, id);
        of_content.zip(pairs).map(follow).collect()
    }

    /// What `id` is of: the payload without it; `None` where the payload is not canonical, and no artifact's.
    pub(super) fn content(&self) -> Option<Vec<u8>> {
        Encoded::of(&self.payload).map(|payload| payload.without(&["id"])).ok()
    }

    /// What `chash` and `id` are digests of.
    pub(super) fn digested<'a>(&'a self, content: Option<&'a [u8]>) -> [[&'a [u8]; 2]; 2] {
        [[&self.payload, &[]], [content.unwrap_or_default(), &[]]]
    }

    /// Whether the hashes of [`digested`](Self::digested) are what the artifact says.
    pub(super) fn follows(&self, content: Option<&[u8]>, chash: &Sha3, id: &Sha3) -> bool {
        *chash == self.chash && content.is_some() && id::of_hash(id) == self.content_id()
    }
}
