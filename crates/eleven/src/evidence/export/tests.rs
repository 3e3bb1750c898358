use super::*;

#[test]
fn what_came_after_all_is_not_missing() {
    let known: BTreeSet<String> = ["A".to_owned(), "B.1".to_owned()].into();
    let unshown = ["A", "B", "B.1", "B.2", "C"].map(|op| (op.to_owned(), "it was not there yet".to_owned())).to_vec();
    let gaps: Vec<Gap> = missing(unshown, &known).collect();
    let told: Vec<&str> = gaps.iter().map(|gap| gap.what.as_str()).collect();
    assert_eq!(told, ["B.2", "C"].map(|op| format!("there is no proof file of operation {op}")));
    assert!(gaps.iter().all(|gap| gap.why.as_deref() == Some("it was not there yet")));
}
