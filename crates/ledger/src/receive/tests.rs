use super::*;
use crate::world::{Producers, single};
use eleven_api::audit::Append;
use eleven_core::encoding::Value;

#[test]
fn artifacts_that_are_read_together_are_each_read_by_itself() {
    let mut producers = Producers::new();
    let mut append = Append::default();
    let issued = [1, 2].map(|n| producers.issue(single(n), &[], &mut append).artifact);
    let with = |name: &str, value: Value| {
        let Value::Object(artifact) = issued[0].to_value() else { panic!("no object") };
        Value::Object(artifact.with(name, value)).canonical()
    };
    // Another digest, another id, another content under both.
    let chash = with("chash", Sha3([1; 64]).into());
    let id = with("id", issued[1].id.as_str().into());
    let content = with("sub", "svc:another:dev".into());
    let contents: [&[u8]; 6] = [issued[0].canonical(), &chash, b"{}", &id, &content, issued[1].canonical()];
    let read: Vec<Option<String>> = read_artifacts(&contents).into_iter().map(|one| Some(one?.id)).collect();
    let [first, last] = issued.each_ref().map(|artifact| Some(artifact.id.clone()));
    assert_eq!(read, [first, None, None, None, None, last]);
}
