//! What a point that lost its journal is told.

use super::{DEADLINE, Served};
use crate::world::{Home, POINT, Producers, granted, kid, signer, single};
use eleven_api::audit::{Append, LeftOpen};
use eleven_api::client::CallError;
use eleven_api::edge::Clock;
use eleven_api::reader::ReadAs;
use eleven_api::routes;
use eleven_core::artifact::Use;
use eleven_core::encoding::Object;
use eleven_core::root::KeyUse;
use std::sync::Arc;

async fn asked(served: &Served, home: &Home, label: &str, path: &str) -> Result<LeftOpen, CallError> {
    let reader = ReadAs { signer: Arc::new(signer(label)), clock: Arc::clone(&home.clock) as Arc<dyn Clock> };
    let answer = served.client.get_json_as(&reader, &served.base, path, DEADLINE).await?;
    Ok(LeftOpen::read(answer).expect("open lineages"))
}

#[tokio::test]
async fn a_point_is_told_what_it_left_open_under_keys_that_are_closed() {
    let home = Home::new();
    let served = Served::start(&home).await;
    let mut producers = Producers::new();
    let mut append = producers.set_up();
    let mut ops = Vec::new();
    // One that ended, one that was only issued, and more that began than one answer shows.
    for n in 0..70u8 {
        let usage = if n == 5 { Use::Bounded { nonce: single(n).nonce().to_owned(), max: 3 } } else { single(n) };
        let mut operation = producers.issue(usage, &[], &mut append);
        if n != 1 {
            producers.begin(&mut operation, 1, &mut append);
        }
        match n {
            0 => producers.finish(&mut operation, &mut append),
            1 => {}
            _ => ops.push(operation.op.clone()),
        }
    }
    served.post(&append).await.expect("posted");
    ops.sort();

    let left = asked(&served, &home, "gw-0", routes::AUDIT_OPEN).await.expect("an answer");
    assert_eq!(left, LeftOpen::default(), "its key counts: its journal knows of them");
    let mut append = Append::default();
    let key = granted("gw-0-again", KeyUse::Event, POINT);
    append.record(&producers.by_authority("key.retired", Object::new().with("kid", kid("gw-0"))));
    append.record(&producers.by_authority("key.registered", key.to_object()));
    served.post(&append).await.expect("posted");

    let first = asked(&served, &home, "gw-0-again", routes::AUDIT_OPEN).await.expect("an answer");
    let path = format!("{}?after={}", routes::AUDIT_OPEN, first.after.as_ref().expect("more"));
    let second = asked(&served, &home, "gw-0-again", &path).await.expect("an answer");
    assert_eq!((first.lineages.len(), second.after.as_ref()), (64, None));
    let lineages: Vec<_> = first.lineages.iter().chain(&second.lineages).collect();
    let found: Vec<&str> = lineages.iter().map(|records| records[3].op.as_str()).collect();
    assert_eq!(found, ops);
    for records in lineages {
        let events: Vec<&str> = records.iter().map(|record| record.event.as_str()).collect();
        let begun = ["authorization.issued", "authorization.consumed", "admission.granted", "execution.started"];
        assert_eq!(events, begun);
    }
    // Another point has left nothing open; who is no point, or has no key that counts, is told nothing.
    assert_eq!(asked(&served, &home, "gw-1", routes::AUDIT_OPEN).await.expect("an answer"), LeftOpen::default());
    for label in ["gw-0", "authority", "nobody", "attest-0"] {
        assert_eq!(Served::status(asked(&served, &home, label, routes::AUDIT_OPEN).await).0, 401, "{label}");
    }
    assert_eq!(Served::status(served.get(routes::AUDIT_OPEN).await).0, 401);
    let wrong = format!("{}?after=x", routes::AUDIT_OPEN);
    assert_eq!(Served::status(asked(&served, &home, "gw-1", &wrong).await).0, 400);
    served.end().await;
}
