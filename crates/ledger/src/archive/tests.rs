use super::*;
use crate::world::{DOMAIN, Home, Operation, Producers, signer};
use eleven_api::audit::Append;
use eleven_core::artifact::Use;
use eleven_core::registry::{ApprovedInterface, InterfaceRecord};

fn checked_whole(folder: &Path) -> crate::Sound {
    crate::fsck(folder, &mut |_| ()).expect("sound")
}

fn single(n: u8) -> Use {
    Use::Single { nonce: eleven_core::artifact::nonce(&[n; 17]) }
}

fn approve(producers: &mut Producers, append: &mut Append, record: InterfaceRecord) {
    let approved = ApprovedInterface::sign(DOMAIN, record, &signer("policy"));
    append.record(&producers.by_authority("interface.approved", approved.to_object()));
}

fn run(producers: &mut Producers, append: &mut Append, n: u8) -> Operation {
    let mut operation = producers.issue(single(n), &[], append);
    producers.begin(&mut operation, 1, append);
    producers.finish(&mut operation, append);
    operation
}

fn days(n: i64) -> Time {
    crate::world::start().plus_millis(n * 86_400_000)
}

/// Three operations: one that ended, one that is held, one that runs; their ids.
async fn domain(home: &Home, retention: Option<u64>) -> [String; 3] {
    let mut producers = Producers::new();
    let ledger = home.open().expect("opens");
    let mut append = producers.set_up();
    let (ended, held) = (run(&mut producers, &mut append, 1), run(&mut producers, &mut append, 2));
    let mut running = producers.issue(single(3), &[], &mut append);
    producers.begin(&mut running, 1, &mut append);
    if let Some(days) = retention {
        let set = Retention::new(days, "own").expect("a retention");
        approve(&mut producers, &mut append, set.record(DOMAIN));
    }
    let hold = Hold::on("operation", &held.op).expect("a hold");
    let record = hold.record(DOMAIN, &eleven_core::registry::Lists::default(), true).expect("placed");
    approve(&mut producers, &mut append, record);
    ledger.must_append(&append).await;
    ledger.sealed().await;
    ledger.sign_registry().await;
    [ended.op, held.op, running.op]
}

async fn bundle(home: &Home, archive: Option<&Path>, op: &str) -> Result<String, String> {
    let settings = crate::Settings { archive: archive.map(Path::to_owned), ..home.settings() };
    let ledger = home.open_with(settings).expect("opens");
    ledger.sealed().await;
    let bundle = crate::proof::bundle(&ledger.inner.shared, op);
    bundle.map(|bundle| bundle.to_value().to_string()).map_err(|error| error.to_string())
}

#[tokio::test]
async fn content_past_its_retention_moves_and_every_proof_stays() {
    let (home, to) = (Home::new(), tempfile::tempdir().expect("a folder"));
    let [ended, held, running] = domain(&home, Some(10)).await;
    let before = bundle(&home, None, &ended).await.expect("a bundle");
    let sound = checked_whole(home.path());
    let early = archive(home.path(), to.path(), days(9)).expect("nothing to do");
    assert_eq!((early.pieces, early.lineages), (0, 0));

    let done = archive(home.path(), to.path(), days(11)).expect("archived");
    assert_eq!(
        (done.pieces, done.lineages, done.held, done.days),
        (2, 1, 1, 10),
        "its artifact and its decision's input"
    );
    let met = crate::Met { moved: 2, ..sound.met };
    assert_eq!(checked_whole(home.path()), crate::Sound { met, ..sound }, "not an entry has changed");
    let absent = bundle(&home, None, &ended).await.expect_err("its artifact is elsewhere");
    assert!(absent.contains("ledger.archive"), "{absent}");
    for other in [&held, &running] {
        bundle(&home, None, other).await.expect("kept");
    }
    let part = |text: &str, from: &str, to: &str| {
        let at = text.find(from).expect("a member");
        text[at..at + text[at..].find(to).expect("its end")].to_owned()
    };
    let after = bundle(&home, Some(to.path()), &ended).await.expect("served from the archive");
    let artifact = |text: &str| part(text, "\"artifact\":{", "\"checkpoint\"");
    assert_eq!(artifact(&after), artifact(&before));
    let again = archive(home.path(), to.path(), days(12)).expect("once more");
    assert_eq!(again.pieces, 0, "what moved is not moved twice");
}

#[tokio::test]
async fn without_a_retention_nothing_moves() {
    let (home, to) = (Home::new(), tempfile::tempdir().expect("a folder"));
    domain(&home, None).await;
    let refused = archive(home.path(), to.path(), days(99_999)).expect_err("refused").to_string();
    assert!(refused.contains("no retention is set"), "{refused}");
    let running = home.open().expect("opens");
    assert!(matches!(archive(home.path(), to.path(), days(1)), Err(LedgerError::Folder(_))), "it runs");
    drop(running);
}

#[tokio::test]
async fn the_ledgers_own_reading_refuses_a_lower_retention() {
    let home = Home::new();
    let mut producers = Producers::new();
    let ledger = home.open().expect("opens");
    let mut append = producers.set_up();
    approve(&mut producers, &mut append, Retention::new(2192, "hipaa").expect("a retention").record(DOMAIN));
    ledger.must_append(&append).await;
    let mut lower = Append::default();
    approve(&mut producers, &mut lower, Retention::new(183, "eu-ai-act").expect("a retention").record(DOMAIN));
    let answer = ledger.append(&lower).await;
    let said = format!("{:?}", answer.outcomes);
    assert!(said.contains("a retention is only ever raised"), "{said}");
}
