use super::super::ask::tests::{serving, source, waited};
use super::*;
use axum::Router;
use axum::response::IntoResponse as _;
use eleven_api::problem::Problem;
use http::Uri;

#[test]
fn what_came_after_all_is_not_missing() {
    let known: BTreeSet<String> = ["A".to_owned(), "B.1".to_owned()].into();
    let unshown = ["A", "B", "B.1", "B.2", "C"].map(|op| (op.to_owned(), "it was not there yet".to_owned())).to_vec();
    let gaps: Vec<Gap> = missing(unshown, &known).collect();
    let told: Vec<&str> = gaps.iter().map(|gap| gap.what.as_str()).collect();
    assert_eq!(told, ["B.2", "C"].map(|op| format!("there is no proof file of operation {op}")));
    assert!(gaps.iter().all(|gap| gap.why.as_deref() == Some("it was not there yet")));
}

#[tokio::test]
async fn what_is_shown_under_an_older_head_alone_is_a_gap_that_says_so() {
    const OP: &str = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
    let shown = async |uri: Uri| match uri.path().ends_with(OP) {
        true => format!(r#"{{"op":"{OP}","head":{{"size":7}}}}"#).into_response(),
        false => Problem::with_status(404, "there is no such operation").into_response(),
    };
    let (url, _running) = serving(Router::new().fallback(shown)).await;
    let unshown = fetched(&waited(source(&url)), &[OP], 8).await.expect("it answers");
    let unshown: Vec<(String, String)> =
        unshown.into_iter().map(|(op, bundle)| (op, bundle.expect_err("too old"))).collect();
    let gaps: Vec<Gap> = missing(unshown, &BTreeSet::new()).collect();
    let [gap] = gaps.as_slice() else { panic!("{gaps:?}") };
    assert_eq!(gap.what, format!("there is no proof file of operation {OP}"));
    assert_eq!(gap.why.as_deref(), Some("it is shown under a head of 7 entries, which is older than that of 8"));
}
