use super::*;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

#[test]
fn what_ends_is_looked_for_again_and_said_each_time() {
    let (looks, said) = (Arc::new(AtomicU32::new(0)), Arc::new(Mutex::new(Vec::new())));
    let looked = Arc::clone(&looks);
    // At the first two looks nothing ends soon.
    let look = move || {
        let before = looked.fetch_add(1, Ordering::SeqCst);
        (before >= 2).then(|| format!("look {before}"))
    };
    let told = Arc::clone(&said);
    let say = move |what: &str| told.lock().expect("whole").push(what.to_owned());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let reminding = tokio::spawn(remind(Duration::from_millis(5), look, say));
        while said.lock().expect("whole").len() < 2 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        reminding.abort();
    });
    assert_eq!(said.lock().expect("whole").get(..2), Some(&["look 2".to_owned(), "look 3".to_owned()][..]));
}
