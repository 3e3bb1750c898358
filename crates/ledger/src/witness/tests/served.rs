use super::super::{Held, WitnessError};
use super::*;
use eleven_core::encoding::Value;
use eleven_store::OpenError;
use std::future::Future;
use std::pin::Pin;

const NAME: &str = "witness.test/a";

#[tokio::test(flavor = "multi_thread")]
async fn a_witness_answers_as_tlog_witness_has_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let witness = Served::start(folder.path(), NAME).await;
    let (tree, fork) = (Tree::new(20), Tree::forked(20, 5));
    let (status, _, lines) = witness.add(&tree.request(0, 10)).await;
    assert_eq!(status, 200);
    assert!(lines.starts_with("— witness.test/a ") && lines.ends_with('\n'));
    let at = u64::try_from(start().0 / 1000).expect("a time");
    assert_eq!(cosigned(&tree.checkpoint(10), NAME, &lines), Some(at));
    assert_eq!(witness.add(&tree.request(10, 10)).await.0, 200, "the same again");

    let size = |size: &str| (409, "text/x.tlog.size".to_owned(), size.to_owned());
    assert_eq!(witness.add(&tree.request(3, 20)).await, size("10\n"));
    assert_eq!(witness.add(&fork.request(3, 10)).await, size("10\n"), "a fork, from another size");
    let (status, kind, body) = witness.add(&fork.request(10, 10)).await;
    assert_eq!((status, kind.as_str()), (422, "application/problem+json"), "a fork: a 409 would have it asked again");
    assert!(body.contains("the log forked"), "{body}");
    assert_eq!(witness.add(&fork.request(10, 20)).await.0, 422);
    let mut unsigned = tree.request(10, 20);
    unsigned.note.lines = vec![unsigned.note.checkpoint.sign(&signer("policy"))];
    assert_eq!(witness.add(&unsigned).await.0, 403);
    let mut unknown = tree.request(10, 20);
    unknown.note.checkpoint.origin = "nobody.example/log".to_owned();
    assert_eq!(witness.add(&unknown).await.0, 404);
    assert_eq!(witness.post("no request\n").await.0, 400);
    assert_eq!(witness.add(&tree.request(20, 10)).await.0, 400, "old beyond the checkpoint");
    assert_eq!(witness.post(vec![b'x'; 65 * 1024]).await.0, 413);

    let request = http::Request::get(format!("{}/add-checkpoint", witness.url)).body(http_body_util::Full::default());
    let answer = Client::new().send(request.expect("a request")).await.expect("an answer");
    let kind = answer.headers().get("content-type").and_then(|kind| kind.to_str().ok());
    assert_eq!((answer.status().as_u16(), kind), (405, Some("application/problem+json")), "by its own method alone");

    let evidence = witness.get("/v1/witness/evidence").await;
    let kept = evidence.get("evidence").and_then(Value::as_array).expect("a list");
    let what: Vec<_> = kept.iter().filter_map(|one| one.get("what").and_then(Value::as_str)).collect();
    assert_eq!(what, ["fork", "inconsistent"]);
    let note = |name: &str| kept[0].get(name).and_then(Value::as_str).expect("a note").to_owned();
    let (held, shown) = (Note::parse(&note("held")).expect("a note"), Note::parse(&note("shown")).expect("a note"));
    assert_eq!((held.checkpoint, shown.checkpoint), (tree.checkpoint(10), fork.checkpoint(10)));
    let logs = witness.get("/v1/witness/logs").await;
    assert_eq!(logs.pointer("/seen/0/size").and_then(Value::as_int), Some(10));
    witness.end().await;

    let witness = Served::start(folder.path(), NAME).await;
    assert_eq!(witness.add(&tree.request(0, 20)).await, size("10\n"), "it remembers");
    assert_eq!(witness.get("/v1/witness/evidence").await, evidence);
    assert_eq!(witness.add(&tree.request(10, 20)).await.0, 200);
    let found = witness.get("/v1/witness/evidence").await;
    let last = found.pointer("/evidence/2").expect("a third");
    assert_eq!(last.get("what").and_then(Value::as_str), Some("fork"), "of what was shown of this size before");
    witness.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_witness_to_whom_nobody_listens_any_more_ends() {
    let folder = tempfile::tempdir().expect("a folder");
    for panics in [false, true] {
        let (end, _ended) = watch::channel(false);
        let (_running, stop) = watch::channel(false);
        let listening = async move { assert!(!panics, "a listener that fails") };
        let ended = opened(folder.path(), NAME, Arc::new(Open)).while_listening(listening, &end, stop).await;
        assert!(matches!(ended, Err(WitnessError::Task(_))), "{ended:?}");
    }
}

#[test]
fn a_witness_whose_log_is_damaged_is_not_told_to_forget() {
    let segment = "00000000000000000007.seg".to_owned();
    let missing = WitnessError::Open(OpenError::Missing { segment, expected: 5, found: 7 });
    for error in [missing, WitnessError::Replay("record 3: it is none".to_owned())] {
        let said = error.to_string();
        assert!(
            said.contains("only a copy of after its last cosignature") && said.contains("a new key and name"),
            "{said}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_of_many_at_once_gets_each_size() {
    let folder = tempfile::tempdir().expect("a folder");
    let witness = Served::start(folder.path(), NAME).await;
    let (tree, fork) = (Tree::new(9), Tree::forked(9, 2));
    let asked = [&tree, &fork, &tree, &fork].map(|tree| tree.request(0, 9));
    let answers =
        tokio::join!(witness.add(&asked[0]), witness.add(&asked[1]), witness.add(&asked[2]), witness.add(&asked[3]));
    let mut statuses = [answers.0.0, answers.1.0, answers.2.0, answers.3.0];
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 409, 409, 409]);
    witness.end().await;
}

/// An auditor that has replayed so many entries, of this tree.
struct Replayed(u64, Tree);

impl Gate for Replayed {
    fn may_cosign<'a>(
        &'a self,
        checkpoint: &'a Checkpoint,
    ) -> Pin<Box<dyn Future<Output = Result<(), Held>> + Send + 'a>> {
        Box::pin(async move {
            let Self(replayed, tree) = self;
            match checkpoint.size {
                13 => Err(Held::Wrong("entry 12 is wrong: its signature does not verify".to_owned())),
                size if size > *replayed => Err(Held::NotYet(format!("{replayed} of {size} entries are replayed"))),
                size if tree.checkpoint(size) == *checkpoint => Ok(()),
                _ => Err(Held::Wrong("the entries do not come to this root".to_owned())),
            }
        })
    }
}

async fn audited(folder: &Path) -> Served {
    Served::at(folder, NAME, ([127, 0, 0, 1], 0).into(), Arc::new(Replayed(13, Tree::new(20)))).await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_auditor_cosigns_what_it_has_replayed_and_nothing_else() {
    let folder = tempfile::tempdir().expect("a folder");
    let witness = audited(folder.path()).await;
    let tree = Tree::new(20);
    assert_eq!(witness.add(&tree.request(0, 12)).await.0, 200);
    let (status, _, body) = witness.add(&tree.request(12, 13)).await;
    assert!(status == 422 && body.contains("entry 12 is wrong"), "{body}");
    assert_eq!(witness.add(&tree.request(12, 14)).await.0, 503);
    let mut unsigned = tree.request(12, 14);
    unsigned.note.lines = vec![unsigned.note.checkpoint.sign(&signer("policy"))];
    assert_eq!(witness.add(&unsigned).await.0, 403, "nobody makes it replay for nothing");
    witness.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_auditor_keeps_a_fork_that_its_own_replay_contradicts() {
    let folder = tempfile::tempdir().expect("a folder");
    let witness = audited(folder.path()).await;
    let (tree, fork) = (Tree::new(20), Tree::forked(20, 5));
    assert_eq!(witness.add(&tree.request(0, 12)).await.0, 200);
    let size = (409, "text/x.tlog.size".to_owned(), "12\n".to_owned());
    let (status, _, body) = witness.add(&fork.request(12, 12)).await;
    assert!(status == 422 && body.contains("the log forked"), "a fork first of all: {body}");
    assert_eq!(witness.add(&tree.request(3, 14)).await, size, "before anything is replayed");
    let (status, _, body) = witness.add(&fork.request(12, 14)).await;
    assert!(status == 422 && body.contains("the proof does not show"), "not that it has to be replayed: {body}");
    let (status, _, body) = witness.add(&fork.request(12, 13)).await;
    assert!(status == 422 && body.contains("entry 12 is wrong"), "what was found says more: {body}");
    let evidence = witness.get("/v1/witness/evidence").await;
    let kept = evidence.get("evidence").and_then(Value::as_array).expect("a list");
    let what: Vec<_> = kept.iter().filter_map(|one| one.get("what").and_then(Value::as_str)).collect();
    assert_eq!(what, ["fork", "inconsistent", "inconsistent"]);
    witness.end().await;
}
