//! A ledger whose head key is renewed by the next version of the root, for whoever pinned the one before.

use super::*;
use crate::world::kid;
use eleven_core::chain::EntryHeader;
use eleven_core::encoding::Object;
use eleven_core::root::{KeyRecord, KeyStatus};

/// The version after `previous`, which names the head key of this label first.
fn next(previous: &TrustRoot, label: &str) -> TrustRoot {
    let key = KeyRecord { kid: kid(label), public: signer(label).public(), ..previous.roles[0].clone() };
    let (version, prev) = (previous.version + 1, Some(previous.hash_for_prev()));
    let mut next = TrustRoot { version, prev, sigs: Vec::new(), ..previous.clone() };
    next.roles.insert(0, key);
    next.signed(&[&signer("root")]).expect("a root")
}

impl Served {
    async fn publish(&mut self, root: &TrustRoot) {
        let mut append = Append::default();
        append.record(&self.producers.by_authority("root.published", Object::new().with("root", root.to_value())));
        self.post(&append).await;
    }

    /// Until a head is signed by the key of this label.
    async fn signed_by(&self, label: &str) -> Head {
        let mut size = 0;
        loop {
            let head = self.covered(size).await;
            if head.sig.kid == kid(label) {
                return head;
            }
            size = head.commitment.size + 1;
        }
    }

    /// The ledger's own words, but for what is another's: its head, its checkpoint, and the second version of its root.
    fn shown_with(&self, head: &Head, label: &str, second: &TrustRoot) -> impl Source + use<> {
        let (head, note) = signed_answers_by(head, label);
        let version = format!("{}/2", routes::REGISTRY_ROOT);
        let answers = vec![
            (routes::PROOF_HEAD.to_owned(), head),
            (routes::CHECKPOINT.to_owned(), note),
            (version, Bytes::from(second.to_value().canonical())),
        ];
        Shown { remote: self.remote(), answers }
    }
}

/// A ledger that shows some documents itself, also those that the one behind it does not have.
struct Shown {
    remote: Remote,
    answers: Vec<(String, Bytes)>,
}

impl Source for Shown {
    fn get<'a>(&'a self, path: &'a str) -> Pin<Box<dyn Future<Output = Result<Bytes, CallError>> + Send + 'a>> {
        let own = self.answers.iter().find(|(named, _)| named == path).map(|(_, bytes)| bytes.clone());
        Box::pin(async move {
            match own {
                Some(own) => Ok(own),
                None => self.remote.get(path).await,
            }
        })
    }
}

#[tokio::test]
async fn a_renewed_head_key_is_followed_by_whoever_pinned_a_version_before() {
    let mut served = Served::holding(&["head", "head-2", "head-3"]).await;
    served.operate(1).await;
    served.covered(13).await;
    let [running, first, later, cosigning, ahead] = [(); 5].map(|()| tempfile::tempdir().expect("a folder"));
    let mut follower = auditor(&running);
    let before = round(&mut follower, &served.remote()).await.expect("verified").size;
    let second = next(&root(), "head-2");
    served.publish(&second).await;
    let head = served.signed_by("head-2").await;
    let audited = round(&mut follower, &served.remote()).await.expect("it goes on by itself");
    assert!(audited.size >= head.commitment.size && head.commitment.size > before, "{audited:?}");

    // Two versions at once, for who begins now and for who was away.
    drop(follower);
    let third = next(&second, "head-3");
    served.publish(&third).await;
    served.operate(2).await;
    let head = served.signed_by("head-3").await;
    for (folder, pinned) in [(&running, root()), (&first, root()), (&later, second)] {
        let version = pinned.version;
        let mut follower = Follower::open(folder.path(), pinned).expect("an auditor");
        let audited = round(&mut follower, &served.remote()).await.unwrap_or_else(|error| panic!("{version}: {error}"));
        assert!(audited.size >= head.commitment.size, "{version}: {audited:?}");
        assert_eq!(follower.root_at(head.commitment.size), Some(head.commitment.root), "{version}");
    }
    assert_eq!(compare(&served.remote(), &served.remote(), &root()).await.expect("compared"), None);
    let gate = Auditing::new(auditor(&cosigning), Arc::new(served.remote()));
    assert_eq!(gate.may_cosign(&Checkpoint::of(&head.commitment)).await, Ok(()), "a witness that audits goes on, too");

    // A version that is signed and not published is none of the ledger's yet.
    let mut follower = Follower::open(ahead.path(), next(&third, "head-4")).expect("an auditor");
    let refused = round(&mut follower, &served.remote()).await;
    assert!(matches!(refused, Err(FollowError::Untrusted(_))), "{refused:?}");
    served.end().await;
}

#[tokio::test]
async fn what_does_not_follow_the_pinned_root_leads_to_no_head() {
    let mut served = Served::holding(&["head", "head-2"]).await;
    served.operate(1).await;
    served.publish(&next(&root(), "head-2")).await;
    let head = served.signed_by("head-2").await;
    let stranger = |second: &TrustRoot| TrustRoot { sigs: Vec::new(), ..second.clone() }.signed(&[&signer("stranger")]);
    let forged = stranger(&next(&root(), "thief")).expect("a root");
    let skipped = next(&next(&root(), "head-2"), "thief");
    for (what, second) in [("another signed it", &forged), ("it is the third", &skipped)] {
        let folder = tempfile::tempdir().expect("a folder");
        let mut follower = auditor(&folder);
        let by_thief = Head::sign(head.commitment.clone(), head.at, &signer("thief"));
        let refused = round(&mut follower, &served.shown_with(&by_thief, "thief", second)).await;
        assert!(matches!(refused, Err(FollowError::Untrusted(_))), "{what}: {refused:?}");
        assert_eq!((follower.replayed.book.size(), follower.audited().size), (0, 0), "{what}: nothing is kept");
    }
    // The root's own key signed two versions, and the entries publish the other one.
    let folder = tempfile::tempdir().expect("a folder");
    let mut follower = auditor(&folder);
    let by_thief = Head::sign(head.commitment.clone(), head.at, &signer("thief"));
    let source = served.shown_with(&by_thief, "thief", &next(&root(), "thief"));
    match round(&mut follower, &source).await {
        Err(FollowError::Untrusted(what)) => assert!(what.contains("the entries under it publish"), "{what}"),
        other => panic!("{other:?}"),
    }
    assert_eq!(follower.audited().size, 0, "no head is taken");
    round(&mut follower, &served.remote()).await.expect("the ledger's own is");
    served.end().await;
}

#[tokio::test]
async fn a_fork_by_a_renewed_key_convicts_also_who_did_not_show_its_publication() {
    let mut served = Served::holding(&["head", "head-2"]).await;
    served.operate(1).await;
    served.covered(13).await;
    let folder = tempfile::tempdir().expect("a folder");
    let mut follower = auditor(&folder);
    round(&mut follower, &served.remote()).await.expect("verified");
    let last = follower.last.as_ref().expect("a head").head.clone();
    let second = next(&root(), "head-2");
    served.publish(&second).await;
    served.signed_by("head-2").await;

    let mut other = last.commitment.clone();
    other.root = Sha256([7; 32]);
    let forked = Head::sign(other, last.at.plus_millis(1), &signer("head-2"));
    let evidence = evidence_of(&mut follower, &served.shown_with(&forked, "head-2", &second)).await;
    assert_eq!(kind_proven(&evidence), "fork");
    assert_eq!(evidence.get("roots").and_then(Value::as_array).map(<[Value]>::len), Some(2));
    served.end().await;
}

#[tokio::test]
async fn two_heads_of_a_time_before_the_root_that_is_given_convict_nobody_by_it() {
    let mut served = Served::new().await;
    served.operate(1).await;
    let head = served.covered(13).await;
    let mut other = head.commitment.clone();
    other.root = Sha256([9; 32]);
    let forked = Head::sign(other, head.at, &signer("head"));
    let (one, two) = (saying(served.remote(), &head), saying(served.remote(), &forked));

    // Its head key signed both, and it was not in force yet: the version that was is not at hand.
    let later = next(&root(), "head-2");
    let later = TrustRoot { nbf: head.at.plus_seconds(60).whole_seconds(), sigs: Vec::new(), ..later };
    let later = later.signed(&[&signer("root")]).expect("a root");
    match compare(&one, &two, &later).await {
        Err(FollowError::NotUnderHead { seq, what }) => {
            assert_eq!(seq, head.commitment.size);
            assert_eq!(what, "the two heads differ, and no root that is known convicts whoever signed them");
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(compare(&one, &one, &later).await.expect("compared"), None, "nor does it keep two from agreeing");
    let evidence = compare(&one, &two, &root()).await.expect("compared").expect("the one in force then convicts");
    assert_eq!(kind_proven(&evidence), "fork");

    // A head whose checkpoint is another's is not taken either.
    let unsigned = Lying {
        remote: served.remote(),
        change: |path: &str, bytes: Bytes| match path {
            routes::PROOF_HEAD => signed_answers(&head).0,
            routes::CHECKPOINT => signed_answers_by(&head, "policy").1,
            _ => bytes,
        },
    };
    let refused = compare(&unsigned, &two, &root()).await;
    assert!(matches!(refused, Err(FollowError::Untrusted(_))), "{refused:?}");
    served.end().await;
}

#[tokio::test]
async fn a_head_by_a_key_that_was_in_other_hands_then_convicts_nobody_and_is_followed_no_further() {
    let mut served = Served::holding(&["head", "head-2"]).await;
    served.operate(1).await;
    served.covered(13).await;
    let folder = tempfile::tempdir().expect("a folder");
    let mut follower = auditor(&folder);
    let verified = round(&mut follower, &served.remote()).await.expect("verified");
    let last = follower.last.as_ref().expect("a head").head.clone();
    let mut second = next(&root(), "head-2");
    let stolen = second.roles.iter_mut().filter(|key| key.kid == kid("head"));
    stolen.for_each(|key| key.status = KeyStatus::Compromised(crate::world::start().plus_seconds(-60)));
    let second = TrustRoot { sigs: Vec::new(), ..second }.signed(&[&signer("root")]).expect("a root");

    let mut other = last.commitment.clone();
    other.root = Sha256([7; 32]);
    let forked = Head::sign(other, last.at.plus_millis(1), &signer("head-2"));
    match round(&mut follower, &served.shown_with(&forked, "head-2", &second)).await {
        Err(FollowError::NotUnderHead { seq, what }) => {
            assert_eq!(seq, verified.size);
            assert_eq!(what, "its tiles do not add up to the tree that its head signs");
        }
        other => panic!("{other:?}"),
    }
    assert!(!folder.path().join(EVIDENCE).exists(), "whose head the last one was nobody can say");
    assert_eq!(follower.audited(), verified, "and that is what was verified still");
    served.end().await;
}

#[tokio::test]
async fn a_version_of_the_root_that_is_malformed_leads_nowhere_and_is_named() {
    let mut served = Served::holding(&["head", "head-2"]).await;
    served.operate(1).await;
    let second = next(&root(), "head-2");
    served.publish(&second).await;
    served.signed_by("head-2").await;
    let path = format!("{}/2", routes::REGISTRY_ROOT);
    let Value::Object(members) = second.to_value() else { panic!("an object") };
    let many = format!("[{}0]", "0,".repeat(1 << 15));
    let more = members.clone().with("more", 1u64).canonical();
    let without = members.with("prev", Value::Null).canonical();
    for malformed in [b"no JSON".to_vec(), b"{}".to_vec(), many.into_bytes(), more, without] {
        let source = Lying {
            remote: served.remote(),
            change: |asked: &str, bytes: Bytes| if asked == path { Bytes::from(malformed.clone()) } else { bytes },
        };
        let folder = tempfile::tempdir().expect("a folder");
        let mut follower = auditor(&folder);
        let error = round(&mut follower, &source).await.expect_err("it is no root");
        assert!(error.is_passing() && !error.is_own(), "what is on the way may have answered: {error}");
        match error {
            FollowError::Malformed(what) => assert!(what.starts_with("version 2 of the root: "), "{what}"),
            other => panic!("{other:?}"),
        }
        assert_eq!((follower.replayed.book.size(), follower.audited().size), (0, 0), "nothing is kept");
        round(&mut follower, &served.remote()).await.expect("the ledger's own leads on");
    }
    served.end().await;
}

#[tokio::test]
async fn what_a_root_key_signs_that_had_ended_answers_for_no_second_history() {
    let folder = tempfile::tempdir().expect("a folder");
    let (served, early, mut follower) = gone_on(&folder).await;
    round(&mut follower, &served.remote()).await.expect("verified");
    let last = follower.last.as_ref().expect("a head").head.clone();
    let said = source::fetch_head(&served.remote()).await.expect("a head");

    let first = root();
    let ended = KeyRecord { status: KeyStatus::Compromised(first.nbf), ..first.keys[0].clone() };
    let key = KeyRecord { kid: kid("root-2"), public: signer("root-2").public(), ..first.keys[0].clone() };
    let second = |nbf: Time| {
        let (prev, keys) = (Some(first.hash_for_prev()), vec![key.clone(), ended.clone()]);
        let next = TrustRoot { version: 2, prev, keys, nbf, sigs: Vec::new(), ..first.clone() };
        next.signed(&[&signer("root-2"), &signer("root")]).expect("a root")
    };
    let before = [first.clone(), second(last.at.whole_seconds())];
    let after = [first.clone(), second(last.at.plus_seconds(60))];
    // It names a moment before its end, too, at which the version that ends it was not there.
    for at in [first.nbf, last.at.plus_seconds(1)] {
        let answered = |label: &str, roots: &[TrustRoot]| {
            let word = Recovery {
                ledger: crate::world::LEDGER.to_owned(),
                restored: crate::tree_at(&early),
                lost: crate::tree_at(&last),
                cause: "the disk is gone".to_owned(),
                at,
                sigs: Vec::new(),
            };
            let record = Object::new().with("data", word.signed(&signer(label)).to_object());
            let entry = EntryHeader { seq: 0, at: last.at, prev: None }.bytes(&record.canonical());
            follower.is_answered_by(&entry, &said, roots)
        };
        assert!(!answered("root", &before), "at {at}");
        assert!(answered("root-2", &before), "at {at}");
        assert!(answered("root", &after), "at {at}: the version that ends it came later");
    }
    served.end().await;
}
