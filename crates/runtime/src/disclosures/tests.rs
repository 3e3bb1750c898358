use super::*;
use crate::opening::tests::{admission, assert_uncommitted, events};
use crate::serve::tests::{fail_next, opened};
use crate::view::tests::view_where;
use eleven_core::registry::{InterfaceRecord, Item as _, Lists};
use eleven_store::faulty::FaultyDisk;
use std::os::unix::fs::PermissionsExt as _;

const OP: &str = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
const WHO: &str = "svc:demo-app:dev";

fn disclosure(path: &str) -> Disclosure {
    Disclosure { salt: "AAECAwQFBgcICQoLDA0ODw==".into(), path: path.into(), value: "secret".into() }
}

fn asked(op: &str, paths: &[&str]) -> Disclose {
    let paths = paths.iter().map(|path| (*path).to_owned()).collect();
    Disclose { op: op.into(), paths, purpose: "a test".into() }
}

/// Erases what no hold is on.
async fn erase(store: &Store, op: &str, paths: &[&str]) -> io::Result<Option<u64>> {
    store.erase(&asked(op, paths), BTreeSet::new()).await
}

#[tokio::test]
async fn what_is_kept_is_the_owners_alone_and_is_gone_when_it_is_erased() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = Store::open(folder.path()).expect("opens");
    let both = vec![disclosure("/op/a"), disclosure("/op/b")];
    store.keep(OP, WHO, both.clone()).await.expect("kept");
    let file = folder.path().join("disclosures").join(format!("{OP}.json"));
    let mode = |path: &Path| std::fs::metadata(path).expect("it is there").permissions().mode() & 0o777;
    assert_eq!((mode(&file), mode(&folder.path().join("disclosures"))), (0o600, 0o700));
    assert_eq!(store.shown(&asked(OP, &[])).await.expect("read"), both);
    let second = asked(&format!("{OP}.2"), &["/op/b"]);
    assert_eq!(store.shown(&second).await.expect("a use of the same artifact"), both[1..]);

    assert_eq!(erase(&store, OP, &["/op/a"]).await.expect("erased"), Some(1));
    assert_eq!(store.shown(&asked(OP, &[])).await.expect("read"), both[1..]);
    assert_eq!(erase(&store, OP, &[]).await.expect("erased"), Some(1));
    assert!(!file.exists());
    assert_eq!(erase(&store, OP, &[]).await.expect("nothing there"), Some(0));
    assert_eq!(store.shown(&asked(OP, &[])).await.expect("nothing there"), Vec::new());
}

#[test]
fn what_is_opened_is_authorised_by_the_name_that_it_is_kept_under() {
    for op in [OP, &format!("{OP}.1"), &format!("{OP}.77")] {
        for asking in [Asking::Open, Asking::Erase] {
            let operation = asked(op, &["/op/a"]).operation(asking).expect("an operation");
            assert_eq!(operation.parameter("lineage"), Some(OP), "{op}");
        }
        assert_eq!(file_of(op).expect("a name"), format!("{OP}.json"));
    }
}

#[tokio::test]
async fn what_a_crash_left_half_written_does_not_stay() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = Store::open(folder.path()).expect("opens");
    store.keep(OP, WHO, vec![disclosure("/op/a")]).await.expect("kept");
    let draft = folder.path().join("disclosures/half.json.draft");
    std::fs::write(&draft, "secret").expect("written");
    let store = Store::open(folder.path()).expect("opens again");
    store.0.tidy().expect("tidied");
    assert!(!draft.exists());
    assert_eq!(store.shown(&asked(OP, &[])).await.expect("read").len(), 1);
    assert!(store.keep("../../outside", WHO, Vec::new()).await.is_err(), "no name but an operation's");
}

#[test]
fn what_is_being_written_is_left_to_whoever_writes_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = Store::open(folder.path()).expect("opens");
    let draft = folder.path().join("disclosures").join(format!("{OP}.json.draft"));
    let turn = store.0.turn(OP).expect("a turn");
    std::fs::write(&draft, "all of it").expect("written");
    let tidying = store.clone();
    let tidied = std::thread::spawn(move || tidying.0.tidy());
    std::fs::rename(&draft, draft.with_extension("")).expect("it is there until it is named");
    drop(turn);
    tidied.join().expect("no panic").expect("tidied");
    assert_eq!(std::fs::read(draft.with_extension("")).expect("kept"), b"all of it");
}

#[tokio::test]
async fn of_a_write_that_failed_nothing_stays_and_an_erasure_takes_what_was_left_by_one() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = Store::open(folder.path()).expect("opens");
    let file = folder.path().join("disclosures").join(format!("{OP}.json"));
    let draft = folder.path().join("disclosures").join(format!("{OP}.json.draft"));
    // What can't take the file's name.
    std::fs::create_dir(&file).expect("a folder in its place");
    assert!(store.keep(OP, WHO, vec![disclosure("/op/a")]).await.is_err());
    assert!(!draft.exists(), "what was begun is gone");
    std::fs::remove_dir(&file).expect("removed");

    std::fs::write(&draft, "secret").expect("written");
    assert_eq!(erase(&store, OP, &[]).await.expect("nothing is kept"), Some(0));
    assert!(!draft.exists());
    store.keep(OP, WHO, vec![disclosure("/op/a"), disclosure("/op/b")]).await.expect("kept");
    std::fs::write(&draft, "secret").expect("written");
    assert_eq!(erase(&store, OP, &["/op/a"]).await.expect("erased"), Some(1));
    assert!(!draft.exists());
    assert_eq!(store.shown(&asked(OP, &[])).await.expect("read"), [disclosure("/op/b")]);
}

#[tokio::test(flavor = "multi_thread")]
async fn erasures_of_one_operation_at_once_each_erase_what_they_name() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = Store::open(folder.path()).expect("opens");
    let paths: Vec<String> = (0..8).map(|n| format!("/op/{n}")).collect();
    for _ in 0..8 {
        store.keep(OP, WHO, paths.iter().map(|path| disclosure(path)).collect()).await.expect("kept");
        let mut erasing = tokio::task::JoinSet::new();
        for (n, path) in paths.iter().enumerate().skip(1) {
            // Uses of one artifact share what is kept of it.
            let (store, asked) = (store.clone(), asked(&format!("{OP}.{n}"), &[path]));
            erasing.spawn(async move { store.erase(&asked, BTreeSet::new()).await });
        }
        while let Some(erased) = erasing.join_next().await {
            assert_eq!(erased.expect("no panic").expect("erased"), Some(1));
        }
        let left = store.shown(&asked(OP, &[])).await.expect("whole");
        assert_eq!(left, [disclosure("/op/0")], "nobody wrote back what another erased");
    }
}

/// The registry's lists with what is approved of holds, one after the other.
#[derive(Default)]
struct Holds {
    lists: Lists,
    approved: Vec<Value>,
}

impl Holds {
    /// Places or lifts one, and gives the holds that are placed then.
    fn change(&mut self, kind: &str, subject: &str, placed: bool) -> BTreeSet<String> {
        let hold = Hold::on(kind, subject).expect("a hold");
        let record = hold.record("test", &self.lists, placed).expect("it changes");
        self.approved.push(record.to_value());
        let version = |value: &Value| value.get("version").and_then(Value::as_str).map(str::to_owned);
        self.approved.sort_by_key(version);
        let lists = Lists::default().write(Object::new()).with(InterfaceRecord::LIST, self.approved.clone());
        let read = Lists::read(&mut Form::of(Value::Object(lists), "lists").expect("an object"));
        self.lists = read.expect("ascending");
        Hold::all(&self.lists)
    }
}

#[test]
fn what_is_under_a_legal_hold_is_so_for_all_uses_of_it_until_the_hold_is_lifted() {
    let (mut holds, kept) = (Holds::default(), Kept::default());
    assert!(!is_held(&BTreeSet::new(), OP, &kept));
    let placed = holds.change("operation", OP, true);
    assert!(is_held(&placed, OP, &kept) && is_held(&placed, &format!("{OP}.2"), &kept));
    assert!(!is_held(&placed, &OP.replace('0', "1"), &kept), "another");
    let lifted = holds.change("operation", OP, false);
    assert!(!is_held(&lifted, OP, &kept));
    let again = holds.change("operation", &format!("{OP}.1"), true);
    assert!(is_held(&again, OP, &kept));
}

#[test]
fn a_hold_on_an_identity_holds_what_was_kept_of_its_operations() {
    let kept = |identity: Option<&str>, disclosures: Vec<Disclosure>| Kept {
        identity: identity.map(str::to_owned),
        disclosures,
    };
    let (own, others) =
        (kept(Some(WHO), vec![disclosure("/op/a")]), kept(Some("svc:other"), vec![disclosure("/op/a")]));
    // As an earlier version left it.
    let (unknown, nothing) = (kept(None, vec![disclosure("/op/a")]), kept(None, Vec::new()));
    let mut holds = Holds::default();
    let placed = holds.change("identity", WHO, true);
    assert!(is_held(&placed, OP, &own) && is_held(&placed, OP, &unknown));
    assert!(!is_held(&placed, OP, &others) && !is_held(&placed, OP, &nothing));
    let lifted = holds.change("identity", WHO, false);
    assert!(!is_held(&lifted, OP, &own) && !is_held(&lifted, OP, &unknown));
    let operation = holds.change("operation", OP, true);
    assert!(is_held(&operation, OP, &others), "by the one or by the other");
    assert!(!is_held(&operation, &OP.replace('0', "1"), &unknown), "no identity is held");
}

#[tokio::test]
async fn whose_operation_it_was_is_kept_with_what_is_left_of_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = Store::open(folder.path()).expect("opens");
    let placed = Holds::default().change("identity", WHO, true);
    // Of what is held nothing is erased.
    let held = async |op: &str| {
        let erased = store.erase(&asked(op, &[]), placed.clone()).await.expect("read");
        assert!(erased.is_none_or(|erased| erased == 0), "{op}");
        erased.is_none()
    };
    assert!(!held(OP).await, "nothing is kept");
    store.keep(OP, WHO, vec![disclosure("/op/a"), disclosure("/op/b")]).await.expect("kept");
    assert!(held(OP).await && held(&format!("{OP}.3")).await);
    assert_eq!(erase(&store, OP, &["/op/a"]).await.expect("erased"), Some(1));
    assert!(held(OP).await, "of the rest it is known, too");

    // What an earlier version wrote is shown, held and erased all the same, and stays of its form.
    let file = folder.path().join("disclosures").join(format!("{OP}.json"));
    let former = |paths: &[&str]| {
        let values = paths.iter().map(|path| disclosure(path).to_value());
        Value::Array(values.collect()).canonical()
    };
    std::fs::write(&file, former(&["/op/a", "/op/b"])).expect("written");
    assert!(held(OP).await);
    assert_eq!(store.shown(&asked(OP, &["/op/b"])).await.expect("read"), [disclosure("/op/b")]);
    assert_eq!(erase(&store, OP, &["/op/b"]).await.expect("erased"), Some(1));
    assert_eq!(std::fs::read(&file).expect("what is left"), former(&["/op/a"]));
    for wrong in [r#"{"v":"1","disclosures":[]}"#, r#"{"disclosures":[],"identity":"nobody","v":"1"}"#, "1"] {
        std::fs::write(&file, wrong).expect("written");
        for holds in [placed.clone(), BTreeSet::new()] {
            assert!(store.erase(&asked(OP, &[]), holds).await.is_err(), "{wrong}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whether_a_hold_is_on_what_is_kept_is_asked_of_what_is_erased() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = Store::open(folder.path()).expect("opens");
    let placed = Holds::default().change("identity", WHO, true);
    let erasing = {
        let _turn = store.0.turn(OP).expect("a turn");
        let (store, asked) = (store.clone(), asked(OP, &[]));
        let files = Arc::clone(&store.0);
        let erasing = tokio::spawn(async move { store.erase(&asked, placed).await });
        // It waits for its turn, and what it is about comes meanwhile.
        std::thread::sleep(std::time::Duration::from_millis(50));
        let kept = Kept { identity: Some(WHO.into()), disclosures: vec![disclosure("/op/a")] };
        write(&files.folder, OP, &kept).expect("kept");
        erasing
    };
    assert_eq!(erasing.await.expect("no panic").expect("read"), None);
    assert_eq!(store.shown(&asked(OP, &[])).await.expect("read"), [disclosure("/op/a")]);
}

#[tokio::test]
async fn nothing_is_shown_of_which_the_evidence_could_not_be_committed() {
    for asking in [Asking::Open, Asking::Erase] {
        let disk = FaultyDisk::new(1);
        let point = opened(&disk, "http://127.0.0.1:9").await;
        let gate = Arc::clone(&point.gate);
        gate.disclosures.keep(OP, WHO, vec![disclosure("/op/a")]).await.expect("kept");
        let run = move |Begun { permit, bundle, reply }: Begun| async move {
            fail_next(&disk);
            reply.with(carry_out(gate, asking, asked(OP, &[]), permit, &bundle).await);
        };
        let begun =
            begin(&point.gate.desks, &point.gate.running, &point.gate.clock, admission().0, workload(), run).await;
        assert_uncommitted(begun.expect("an answer")).await;
    }
}

#[tokio::test]
async fn what_a_view_ends_that_came_after_the_admission_shows_nothing_and_erases_nothing() {
    for (what, reason) in [("revoked", Reason::ArtifactRevoked), ("the model is contained", Reason::RuntimeContained)] {
        for asking in [Asking::Open, Asking::Erase] {
            let point = opened(&FaultyDisk::new(1), "http://127.0.0.1:9").await;
            let gate = Arc::clone(&point.gate);
            gate.disclosures.keep(OP, WHO, vec![disclosure("/op/a")]).await.expect("kept");
            let run = move |Begun { permit, bundle, reply }: Begun| async move {
                gate.registry.hold(view_where(what));
                reply.with(carry_out(gate, asking, asked(OP, &[]), permit, &bundle).await);
            };
            let begun =
                begin(&point.gate.desks, &point.gate.running, &point.gate.clock, admission().0, workload(), run).await;
            let answer = begun.expect("an answer");
            assert_eq!(answer.status().as_u16(), reason.status(), "{what}");
            assert!(!answer.headers().contains_key(DECISION), "{what}: it was allowed");
            let kept = point.gate.disclosures.shown(&asked(OP, &[])).await.expect("read");
            assert_eq!(kept, [disclosure("/op/a")], "{what}");
            let ended = events(&point.gate.desks, 6).await.swap_remove(4);
            let cause = ended.data.get("cause").and_then(Value::as_str);
            assert_eq!((ended.event.as_str(), cause), ("execution.interrupted", Some(reason.code())), "{what}");
        }
    }
}
